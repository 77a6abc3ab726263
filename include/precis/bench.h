/* precis/bench.h - speed and memory of a model and of kernels on this machine, beside the machine's limits. */
#ifndef PRECIS_BENCH_H
#define PRECIS_BENCH_H

#include "precis/net.h"
#include "precis/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What all steps of one name take, in the whole prompt and in a generated token (of all sequences): seconds between
 * barriers, and the share of that for which a thread was at work, a mean over the threads. `name` has a * where layers
 * have their number; `type` is that of the weights, NULL: it has none. products: multiplications with a prompt; bytes:
 * of weights for a token. What is pointed to lives while it is called. */
typedef struct precis_bench_part {
    uint32_t    size;
    const char *name, *op, *type;
    uint32_t    steps;
    int         codes; /* it makes the codes, or the halves, of what the step of that name has made */
    double      prompt_s, prompt_busy, token_s, token_busy;
    uint64_t    products, bytes;
} precis_bench_part;
/* Called for each, in the order that they first run in; not 0 stops with PRECIS_ECANCELED. */
typedef int precis_bench_part_fn(void *user, const precis_bench_part *part);

typedef struct precis_bench_options {
    uint32_t          size; /* sizeof of this struct, set by _INIT */
    uint32_t          prompt, generate; /* tokens; 0: 512 and 64   */
    precis_arithmetic arithmetic;
    const char       *k_type, *v_type;
    precis_pack       pack;
    uint32_t          sequences; /* that are generated together, a token of each in a call; 0: 1 */
    precis_bench_part_fn *part;  /* or NULL; measured apart, behind the rest */
    void                 *user;
} precis_bench_options;
#define PRECIS_BENCH_OPTIONS_INIT \
    { sizeof(precis_bench_options), 0, 0, PRECIS_OWN, NULL, NULL, PRECIS_PACK_LOAD, 0, NULL, NULL }

#define PRECIS_SCALINGS 4
typedef struct precis_bench_result {
    uint32_t size;                            /* sizeof of this struct, set by the caller                  */
    double   load_ms, prefill_tok_s, decode_tok_s; /* decode: of all sequences */
    uint64_t rss_bytes;                       /* of the process, at its largest                            */
    /* What this machine could do at best, measured now: reading the weights, and the keys and values of a token's own
     * context, once per token at the speed that memory is read with the same threads; and the same multiplications
     * (int8 of quantized weights, or bf16 in that arithmetic, f32 fma of others and of attention) in registers, at the
     * instruction set in use. */
    double   read_bytes_s, multiply_s;
    double   limit_prefill_tok_s, limit_decode_tok_s;
    uint64_t weight_bytes;                    /* read per token; of experts, those that it goes to         */
    double   fma_s;                           /* beside multiply_s: f32                                    */
    /* joules a token by the processor's RAPL counters; NaN where they cannot be read */
    double   prefill_j, decode_j;
    double   l2_bytes_s, l3_bytes_s, memory_bytes_s; /* that all threads read from each tier; 0: not known */
    /* What a generated token would keep of the read limit with more threads, where each reads as fast as one does here:
     * strips of weights are whole panels, and each barrier takes barrier_s, as measured with barrier_threads, in
     * proportion to the arrivals that come one after the other. An estimate from the program. */
    uint32_t barriers, barrier_threads;
    double   barrier_s;                       /* 0: this machine has one processor, and share is not known     */
    /* 2, 4, 8 and 16 threads; strips: evenness alone */
    struct { uint32_t threads; double strips, share; } scaling[PRECIS_SCALINGS];
    uint64_t kv_bytes;                        /* of the caches, read per generated token: a mean            */
    precis_arithmetic arithmetic;             /* that was used                                              */
} precis_bench_result;
/* path: opened anew, so that loading is measured. */
PRECIS_API precis_status precis_bench(precis_ctx *ctx, const char *path, const precis_bench_options *opts,
                                      precis_bench_result *result);

/* A node of a net of arrays as it is run (several of the file's may be one). seconds: alone, between barriers, the
 * least of some runs; products: multiplications, of codes in whole numbers where `codes`. */
typedef struct precis_net_node {
    uint32_t    size;
    const char *name, *op;
    double      seconds;
    uint64_t    products;
    int         codes;
} precis_net_node;
/* Called for each, in the order that they run in; not 0 stops with PRECIS_ECANCELED. */
typedef int precis_net_node_fn(void *user, const precis_net_node *node);
typedef struct precis_net_bench_options {
    uint32_t            size; /* sizeof of this struct, set by _INIT */
    double              seconds; /* to run for; 0: one */
    precis_net_node_fn *node; /* or NULL */
    void               *user;
    int                 net_alone; /* the machine's speed is not measured: floor, multiply_s, fma_s are 0 */
} precis_net_bench_options;
#define PRECIS_NET_BENCH_OPTIONS_INIT { sizeof(precis_net_bench_options), 0, NULL, NULL, 0 }
/* seconds, median: of a run; processor: the least that a run took of all threads' processor time, which says more where
 * others use the machine. floor: all products at the speed at which this machine multiplies in registers with the
 * threads of the context, multiply_s (codes) and fma_s (f32), measured now. */
typedef struct precis_net_speed {
    uint32_t size; /* sizeof of this struct, set by the caller */
    uint32_t runs;
    double   seconds, median, processor, floor, multiply_s, fma_s;
    uint64_t products, code_products;
} precis_net_speed;
/* Inputs as precis_net_run's. */
PRECIS_API precis_status precis_net_bench(precis_net *net, const precis_array *inputs, size_t n,
                                          const precis_net_bench_options *opts, precis_net_speed *result);

/* A kernel of weights at the level and the threads of ctx: bytes of weights per second with one token, from memory and
 * from the cores' own caches, and multiplications per second with a prompt, exact and (on tiles, 512 tokens) in bf16,
 * each beside what the machine reads and multiplies at best; 0: not measured. */
typedef struct precis_kernel_speed {
    uint32_t    size;
    const char *type, *kernel, *isa;
    double      memory, cache, multiply, limit_memory, limit_cache, limit_multiply;
    const char *multiply_isa; /* the level of `multiply`: below isa's where that is slower here; NULL: none */
    double      tiles, limit_tiles; /* of the arithmetic bf16, and its tiles in registers; 0: there are none */
    double      int8, limit_int8;   /* of the arithmetic int8; 0: the type has more scales than one in a row */
} precis_kernel_speed;
/* Called for each; not 0 stops with PRECIS_ECANCELED. */
typedef int precis_kernel_fn(void *user, const precis_kernel_speed *speed);
PRECIS_API precis_status precis_bench_kernels(precis_ctx *ctx, precis_kernel_fn *fn, void *user);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_BENCH_H */
