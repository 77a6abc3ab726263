/* mcu_start.c - what a Cortex-M does before main(): its stack, its floats, its data. Text goes out by semihosting. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char data_from[], data_begin[], data_end[], __bss_start__[], __bss_end__[], stack_top[];
extern void initialise_monitor_handles(void);
extern int main(void);

void start(void);
void stop(void);
void stop(void) { exit(100); }

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_top, (void *)start, (void *)stop, (void *)stop, (void *)stop, (void *)stop, (void *)stop
};

__attribute__((noreturn)) void start(void)
{
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20; /* CPACR: the floating point unit */
    __asm__ volatile("dsb\n\tisb");
    memcpy(data_begin, data_from, (size_t)(data_end - data_begin));
    memset(__bss_start__, 0, (size_t)(__bss_end__ - __bss_start__));
    initialise_monitor_handles();
    exit(main());
}
