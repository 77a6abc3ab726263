/* mappings.c - what happens when a mapped file is cut short, or its disk fails, while any thread reads it: the process
 * ends with a sentence. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Only write, open, read, close, unlink, rmdir and _exit are called below: all may be called from a handler. */

static void say(const char *text, size_t len)
{
    while (len) {
        const ssize_t n = write(2, text, len);
        if (n <= 0) return;
        text += n;
        len -= (size_t)n;
    }
}

/* A number in hexadecimal at *p, which is moved after it and one more byte. */
static uintptr_t hex(const char **p, const char *end)
{
    uintptr_t v = 0;
    for (; *p < end; ++*p) {
        const char c = **p;
        if (c >= '0' && c <= '9') v = v << 4 | (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f') v = v << 4 | (uintptr_t)(c - 'a' + 10);
        else break;
    }
    if (*p < end) ++*p;
    return v;
}

/* The file of one line of /proc/self/maps ("from-to rwxp offset device inode   /path"), if the address lies in it. */
static const char *file_of_line(const char *line, const char *end, uintptr_t address)
{
    const char *p = line;
    const uintptr_t from = hex(&p, end), to = hex(&p, end);
    const char *path = memchr(line, '/', (size_t)(end - line));
    return address >= from && address < to ? path : NULL;
}

/* Says the name of the file that is mapped at an address; false when there is none. */
static bool say_file(uintptr_t address)
{
    static char buf[8192];
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t have = 0;
    bool found = false;
    for (ssize_t n = 1; fd >= 0 && !found && n > 0;) {
        n = read(fd, buf + have, sizeof buf - have);
        if (n > 0) have += (size_t)n;
        size_t at = 0;
        for (const char *end; !found && (end = memchr(buf + at, '\n', have - at)); at = (size_t)(end - buf) + 1) {
            const char *path = file_of_line(buf + at, end, address);
            if ((found = path != NULL)) say(path, (size_t)(end - path));
        }
        if (!at && have == sizeof buf) at = have; /* a line that is too long names nothing of ours */
        memmove(buf, buf + at, have -= at);
    }
    if (fd >= 0) close(fd);
    return found;
}

static void on_bus_error(int sig, siginfo_t *info, void *context)
{
    static atomic_flag begun = ATOMIC_FLAG_INIT;
    static const char start[] = "\nprecis: ", none[] = "an input file",
                      text[] = ": it was cut short, or could not be read, while it was in use\n";
    (void)sig;
    (void)context;
    if (atomic_flag_test_and_set(&begun))
        for (;;) pause(); /* another thread is saying it */
    say(start, sizeof start - 1);
    if (!say_file((uintptr_t)info->si_addr)) say(none, sizeof none - 1);
    say(text, sizeof text - 1);
    cli_abandon();
    _exit(EXIT_INPUT);
}

void cli_watch_mappings(void)
{
    struct sigaction sa = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };
    sigaction(SIGBUS, &sa, NULL);
}
