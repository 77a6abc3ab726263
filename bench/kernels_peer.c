/* kernels_peer.c - one token's kernels of types with books of vectors beside ggml's of the same types and beside reading,
 * on one thread: streams of rows from memory, in turn, by processor time.
 *
 * usage: bench_kernels_peer LIBGGML_BASE LIBGGML_CPU [ALTERNATIONS]     (PRECIS_CPU masks instruction sets)
 *
 * Both multiply rows of 4096 random weights of that type with int8 activations of their own. A turn is 8 MiB of rows of a
 * ring of 256 MiB, so that nothing is found in a cache of usual size. Printed are medians over the alternations. */
#include "kernel/kernel.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { WIDTH = 4096, RING = 256 << 20, TURN = 8 << 20, MOST = 1000 };

/* As ggml-cpu.h declares them. */
typedef void ggml_from_float_fn(const float *x, void *y, int64_t k);
typedef void ggml_vec_dot_fn(int n, float *s, size_t bs, const void *x, size_t bx, const void *y, size_t by, int nrc);
typedef struct {
    ggml_from_float_fn *from_float;
    ggml_vec_dot_fn *vec_dot;
    int vec_dot_type;
    int64_t nrows;
} ggml_traits;
typedef const ggml_traits *ggml_traits_fn(int type);
typedef void ggml_init_fn(void);

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, ascending);
    return x[n / 2];
}

static void *ring(void)
{
    void *p = mmap(NULL, RING + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) exit(1);
    madvise(p, RING, MADV_HUGEPAGE);
    uint64_t s = 1;
    for (uint64_t *at = p, *end = at + RING / 8; at < end; at++) *at = s = s * 6364136223846793005u + 1442695040888963407u;
    return p;
}

/* 64 bytes at a time, as much ahead as kernels ask. */
static double read_speed(const uint8_t *p)
{
    const double begun = seconds();
    uint64_t sum[8] = { 0 };
    for (size_t i = 0; i < TURN; i += 64) {
        __builtin_prefetch(p + i + 4096, 0, 3);
        __builtin_prefetch(p + i + 8192, 0, 2);
        for (size_t k = 0; k < 8; k++) {
            uint64_t v;
            memcpy(&v, p + i + 8 * k, 8);
            sum[k] += v;
        }
    }
    __asm__ volatile("" ::"r"(sum) : "memory");
    return TURN / (seconds() - begun);
}

typedef struct {
    const pcs_kernel *k;
    pcs_act act;
    void *scratch;
    float *y;
} ours;

/* Bytes of rows per second; a turn's panels begin at p. */
static double our_speed(const ours *o, const uint8_t *p)
{
    const pcs_format *f = o->k->format;
    const size_t row = pcs_row_bytes(f, WIDTH), panels = TURN / pcs_panel_bytes(f, WIDTH), rows = panels * PCS_PANEL;
    const double begun = seconds();
    o->k->run.mv(&(pcs_mp_args){ f, p, row, WIDTH, 0, rows, 1, o->act, o->y, rows, NULL, o->scratch, true });
    return (double)(rows * row) / (seconds() - begun);
}

static double peer_speed(const ggml_traits *t, const pcs_format *f, const uint8_t *p, const void *acts)
{
    const size_t row = pcs_row_bytes(f, WIDTH), rows = TURN / row;
    volatile float sink;
    float s;
    const double begun = seconds();
    for (size_t r = 0; r < rows; r++) {
        t->vec_dot(WIDTH, &s, 0, p + r * row, 0, acts, 0, 1);
        sink = s;
    }
    (void)sink;
    return (double)(rows * row) / (seconds() - begun);
}

static void compare(const ours *o, const ggml_traits *t, const ggml_traits *act, const uint8_t *w, const float *x, int n)
{
    static double own[MOST], peer[MOST], read[MOST], times[MOST], share[MOST];
    static uint8_t acts[2 * 5 * WIDTH];
    const pcs_format *f = o->k->format;
    act->from_float(x, acts, WIDTH);
    for (int i = 0; i < n; i++) {
        const uint8_t *at = w + (size_t)i * TURN % RING;
        own[i] = our_speed(o, at);
        peer[i] = peer_speed(t, f, at, acts);
        read[i] = read_speed(at);
        times[i] = own[i] / peer[i];
        share[i] = own[i] / read[i];
    }
    printf("%-8s %-12s %7.2f %7.2f %7.2f %7.2f x %5.0f %%\n", f->name, o->k->isa, median(own, n) / 1e9, median(peer, n) / 1e9,
           median(read, n) / 1e9, median(times, n), 100 * median(share, n));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 3 || !dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL)) return fprintf(stderr, "no LIBGGML_BASE\n"), 2;
    void *lib = dlopen(argv[2], RTLD_NOW | RTLD_GLOBAL);
    if (!lib) return fprintf(stderr, "%s\n", dlerror()), 2;
    ggml_init_fn *init = (ggml_init_fn *)(uintptr_t)dlsym(lib, "ggml_cpu_init");
    ggml_traits_fn *traits = (ggml_traits_fn *)(uintptr_t)dlsym(lib, "ggml_get_type_traits_cpu");
    if (!init || !traits) return fprintf(stderr, "%s is no libggml-cpu\n", argv[2]), 2;
    init();
    int n = argc > 3 ? atoi(argv[3]) : 60;
    n = n < 1 ? 1 : n > MOST ? MOST : n;
    const uint8_t *w = ring();
    float *x = malloc(WIDTH * sizeof *x);
    for (size_t i = 0; i < WIDTH; i++) x[i] = (float)(i * 7919 % 2001) / 1000 - 1;
    ours o = { .act = pcs_act_in(aligned_alloc(64, (pcs_act_bytes(1, WIDTH / PCS_CHUNK) + 127) / 64 * 64), 1, WIDTH / PCS_CHUNK),
               .scratch = aligned_alloc(64, (pcs_mp_scratch(WIDTH) + 127) / 64 * 64), .y = malloc(sizeof(float) * TURN / 16) };
    pcs_quantize_act_scalar(&(pcs_quantize_act_args){ x, WIDTH, 0, 1, o.act });
    const unsigned cpu = pcs_cpu_flags();
    printf("one thread, %d alternations, GB/s of rows: precis, ggml, reading; times ggml, share of reading\n", n);
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        const bool book = f->encode && f->block == PCS_BLOCK_MAX;
        if (!pcs_format_portable(f) || !(o.k = pcs_kernel_find(PCS_DO_mv, f, cpu))) continue;
        const ggml_traits *t = traits((int)f->id);
        if (book && t && t->vec_dot) compare(&o, t, traits(t->vec_dot_type), w, x, n);
    }
    return 0;
}
