/* cpu.c - detection by CPUID and XCR0 (SDM vol. 1, 14.3 and 15.2), or by what Linux says of an Arm, and the mask. */
#include "base/cpu.h"

#include "precis/base.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#if defined(__x86_64__)
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

static unsigned long long xcr0(void)
{
    unsigned a, d;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (unsigned long long)d << 32 | a;
}

/* A process asks Linux once before it uses tiles (5.16 and later; Documentation/arch/x86/xstate.rst). */
static bool tiles_allowed(void)
{
#ifdef __linux__
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
#else
    return false;
#endif
}

static unsigned detect(void)
{
    unsigned a, b, c, d, a7 = 0, b7 = 0, c7 = 0, d7 = 0, a71 = 0, x;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    const unsigned osxsave = 1u << 27, fma = 1u << 12, f16c = 1u << 29, avx = 1u << 28;
    if ((c & (osxsave | fma | f16c | avx)) != (osxsave | fma | f16c | avx)) return 0;
    const unsigned long long xcr = xcr0();
    if ((xcr & 6) != 6 || !__get_cpuid_count(7, 0, &a7, &b7, &c7, &d7) || !(b7 & 1u << 5)) return 0;
    unsigned flags = PCS_CPU_AVX2;
    if (a7 >= 1 && __get_cpuid_count(7, 1, &a71, &x, &x, &x) && (a71 & 1u << 4)) flags |= PCS_CPU_AVXVNNI;
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* f dq bw vl */
    if ((xcr & 0xe0) == 0xe0 && (b7 & avx512) == avx512 && (c7 & 1u << 11)) {
        flags |= PCS_CPU_AVX512VNNI;
        if (c7 & 1u << 1) flags |= PCS_CPU_VBMI;
        const bool tiles = (xcr & 0x60000) == 0x60000, bf16 = d7 >> 22 & 1, amx = d7 >> 24 & 1, int8 = d7 >> 25 & 1;
        if (tiles && bf16 && amx && int8 && tiles_allowed()) flags |= PCS_CPU_AMX;
    }
    return flags;
}

/* Zen 3 and later (AMD64 APM vol. 3, appendix E.3: the family). */
static bool follows_streams(void)
{
    unsigned most, a, b, c, d;
    if (!__get_cpuid(0, &most, &b, &c, &d)) return false;
    if (b != signature_AMD_ebx || c != signature_AMD_ecx || d != signature_AMD_edx) return false;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
    return (a >> 8 & 15) + (a >> 20 & 255) >= 0x19;
}
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

static bool has(const char *feature)
{
    int value = 0;
    size_t size = sizeof value;
    return !sysctlbyname(feature, &value, &size, NULL, 0) && value;
}

static unsigned detect(void)
{
    unsigned flags = PCS_CPU_NEON;
    if (has("hw.optional.arm.FEAT_DotProd")) flags |= PCS_CPU_DOTPROD;
    if (flags & PCS_CPU_DOTPROD && has("hw.optional.arm.FEAT_I8MM")) flags |= PCS_CPU_I8MM;
    return flags;
}
static bool follows_streams(void) { return false; }
#elif defined(__aarch64__)
#include <sys/auxv.h>

#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1u << 20)
#endif
#ifndef HWCAP2_I8MM
#define HWCAP2_I8MM (1u << 13)
#endif

static unsigned detect(void)
{
    unsigned flags = PCS_CPU_NEON;
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) flags |= PCS_CPU_DOTPROD;
    if (flags & PCS_CPU_DOTPROD && getauxval(AT_HWCAP2) & HWCAP2_I8MM) flags |= PCS_CPU_I8MM;
    return flags;
}
static bool follows_streams(void) { return false; }
#else
static unsigned detect(void) { return 0; }
static bool follows_streams(void) { return false; }
#endif

static bool followed(void)
{
    static atomic_int known; /* 1: no, 2: yes; CPUID is slow in virtual machines */
    int k = atomic_load_explicit(&known, memory_order_relaxed);
    if (!k) atomic_store_explicit(&known, k = 1 + follows_streams(), memory_order_relaxed);
    return k == 2;
}

/* Measured on Zen 4 with large pages: one stream is read 10 to 35 % faster without prefetches, two streams need them (a
 * factor of 2), and 4 KB ahead is the best distance. On a Xeon (Emerald Rapids) one stream, too, is 20 to 60 % faster
 * with them. The Xeon's L1 cache has 16 misses under way, fewer than its memory could serve. Weights that lie in memory
 * therefore come 10 % faster by way of L2 (Q4_0: 15.7 GB/s rather than 14.1), while weights that lie in L3 come 10 %
 * slower if L2 alone is asked. With both, 8 and 4 KB ahead, each is at its best. */
pcs_ahead pcs_cpu_ahead(int streams)
{
    return followed() ? (pcs_ahead){ streams > 1 ? 4096 : 0, 0 } : (pcs_ahead){ 4096, 8192 };
}

/* A machine that follows streams has to find each part anew. Milliseconds of a token behind 2,048 others on Zen 5, with
 * keys and values in parts of 8 KB, by distance: none 3.85, 1 KB 3.30, 2 KB 3.11, 4 KB 2.81, 8 KB 2.64; without parts
 * 3.19. */
size_t pcs_cpu_ahead_parts(void) { return followed() ? 8192 : 4096; }

static const struct { const char *name; unsigned mask, bit; } levels[] = {
    { "scalar", 0, 0 },
    { "avx2", PCS_CPU_AVX2, PCS_CPU_AVX2 },
    { "avxvnni", PCS_CPU_AVX2 | PCS_CPU_AVXVNNI, PCS_CPU_AVXVNNI },
    { "avx512vnni", PCS_CPU_AVX2 | PCS_CPU_AVXVNNI | PCS_CPU_AVX512VNNI | PCS_CPU_VBMI, PCS_CPU_AVX512VNNI },
    { "amx", PCS_CPU_AVX2 | PCS_CPU_AVXVNNI | PCS_CPU_AVX512VNNI | PCS_CPU_VBMI | PCS_CPU_AMX, PCS_CPU_AMX },
    { "neon", PCS_CPU_NEON, PCS_CPU_NEON },
    { "dotprod", PCS_CPU_NEON | PCS_CPU_DOTPROD, PCS_CPU_DOTPROD },
    { "i8mm", PCS_CPU_NEON | PCS_CPU_DOTPROD | PCS_CPU_I8MM, PCS_CPU_I8MM },
};

int pcs_cpu_level(const char *name)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (!strcasecmp(levels[i].name, name)) return (int)levels[i].mask;
    return -1;
}

unsigned pcs_cpu_flags(void)
{
    const char *env = getenv("PRECIS_CPU");
    const int mask = env && *env ? pcs_cpu_level(env) : -1;
    return detect() & (unsigned)mask;
}

const char *pcs_cpu_name(unsigned flags)
{
    const char *best = "scalar";
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (levels[i].bit && (flags & levels[i].bit)) best = levels[i].name;
    return best;
}

int precis_cpu_known(const char *name) { return pcs_cpu_level(name) >= 0; }
