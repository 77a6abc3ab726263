/* program.h - a graph lowered once into a flat list of steps with a static memory plan. Nothing is
 * allocated while it runs.
 *
 * Reference lowering: every op's eval. Fast lowering: an op's fast form where it has one, with int8
 * activations made once per value for all matmuls with quantized weights that read it. */
#ifndef PCS_PROGRAM_H
#define PCS_PROGRAM_H

#include "graph/graph.h"
#include "graph/kv.h"
#include "kernel/panels.h"
#include "precis/run.h"

typedef void pcs_tap_fn(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width);
typedef struct pcs_tap { pcs_tap_fn *fn; void *user; } pcs_tap;

/* Few rows are slower by tiles: weights that are read once are the cost then, and to make them bf16 takes longer
 * than that. */
enum { PCS_MIXED_ROWS = 32 };
/* Is it one of those that ops have a fast form for? And is it for tiles of bf16, which like many rows? */
/* What is used when `asked` is asked for, of a graph that names no scheme. */
static inline precis_arithmetic pcs_any_arithmetic(const precis_ctx *ctx, precis_arithmetic asked)
{
    if (asked == PRECIS_AUTO && (ctx->cpu & PCS_CPU_AMX)) return PRECIS_MIXED;
    return asked == PRECIS_AUTO || asked == PRECIS_OWN ? PRECIS_FAST : asked;
}
static inline bool pcs_for_tiles(precis_arithmetic a) { return a == PRECIS_BF16 || a == PRECIS_MIXED; }
static inline bool pcs_by_kernels(precis_arithmetic a)
{
    return a == PRECIS_FAST || a == PRECIS_INT8 || pcs_for_tiles(a);
}
/* Tokens of a call, where nobody says it: arithmetics that decode weights for all of them at once like more. */
static inline uint32_t pcs_usual_batch(precis_arithmetic a) { return pcs_for_tiles(a) || a == PRECIS_INT8 ? 512 : 256; }

/* Scratch of a step: bytes of each thread that works on it, and how many threads may. */
typedef struct pcs_room { size_t bytes; uint32_t threads; } pcs_room;

typedef struct pcs_step {
    const char *name;
    const pcs_op *op; /* NULL: quantize_act */
    pcs_eval_fn *eval;
    const precis_attr *attr;
    uint32_t n_in, n_out;
    int32_t *in, *out; /* program values, in the program's arena, as the operands of `call` */
    int32_t plain; /* what it takes in place of few rows of mixed activations; -1: them */
    bool barrier, barrier_one; /* wait for all earlier steps first; in a run whose symbols have sizes of 1 at most */
    bool columns; /* of one token threads share its columns, between barriers */
    bool below;   /* int8 products by p->below: tiles are slower here for these weights */
    bool tap;     /* the result has a tap */
    bool settled; /* it follows from constants and parameters alone */
    atomic_int outside;  /* an index or a scale was none in this run */
    pcs_room room;
    pcs_call call;
} pcs_step;

/* A value of the program: the graph's, then int8 copies. */
typedef struct pcs_slot {
    pcs_value v;
    int32_t root;  /* itself, or the value whose bytes it shares */
    uint64_t offset, bytes; /* in the buffer, as the plan has it; bytes 0: not there */
    int32_t first, last; /* steps that make it and that read it last */
    void *data;    /* bound: an address of the backend */
    const void *given; /* of an input: the host's data */
    uint64_t room;     /* bytes of the backend's copy of an input */
    float *copy;       /* the host's copy of a value whose backend is not the host; of copy_bytes */
    uint64_t copy_bytes;
    _Atomic(uint8_t *) panels; /* of a stored weight, once it is packed */
    pcs_act act;
    pcs_kv *kv;
    bool looked; /* of a stored weight: some run has looked at all of its numbers */
    bool varies; /* of a root: from run to run, whatever parameters are */
    bool asked, whole_rows; /* of a stored weight: are its rows codes with one scale, once it was asked */
} pcs_slot;

/* Where values lie, for one set of sizes. */
typedef struct pcs_plan {
    int64_t *sizes;    /* by id of a dimension */
    uint64_t *offsets, *bytes; /* by slot; bytes 0: not in the buffer */
    bool *barriers, *barriers_one; /* by step */
    uint64_t buffer_bytes;
    pcs_room *rooms; /* by step */
} pcs_plan;

/* A block of a backend's memory. */
typedef struct pcs_block { void *memory; uint64_t bytes; } pcs_block;

typedef struct pcs_backend pcs_backend; /* run/backend.h */

struct precis_program {
    const pcs_backend *backend;
    pcs_block *blocks; /* of the backend: constants and inputs */
    size_t n_blocks;
    precis_ctx *ctx;
    const precis_graph *graph;
    pcs_arena arena; /* the steps' operands */
    precis_arithmetic arithmetic;
    pcs_kernels kernels;
    pcs_kernels below; /* at levels that nobody doubts (kernel/choose.h) */
    pcs_step *steps;
    size_t n_steps;
    pcs_slot *slots;
    size_t n_slots, cap_slots;
    int64_t *sizes;    /* of the next run, by id of a dimension; -1: a symbol that has none yet */
    int64_t *planning; /* the sizes that memory is planned for: the most that a symbol may have, or the next run's */
    pcs_plan **plans, *plan; /* all that were made, and the one in use */
    size_t n_plans;
    bool keep_all;
    bool looking;             /* products look at weights as they read them (run/look.c) */
    _Atomic(bool) doubtful;   /* a weight that they read may not be finite */
    char *buffer, *scratch;
    uint64_t buffer_bytes, const_bytes;
    uint64_t scratch_bytes; /* of all threads */
    void **owned;         /* constants that were computed */
    size_t n_owned;
    pcs_pages pages;         /* of all caches */
    pcs_kv *kvs;
    size_t n_kvs;
    uint32_t without_kernel; /* multiplications that the fast lowering leaves to the reference, for want of a kernel */
    const char *lacking;     /* the first such format, NULL: it is the activations' */
    pcs_tap *taps;           /* per graph value */
    bool tapped;
    float *watched;  /* numbers of a tapped value that holds others; of the largest such value */
    uint64_t n_watched;
    size_t from, to; /* steps of the running call */
    bool one;        /* no symbol is larger than 1 in it */
    bool again;      /* what is settled was made by the call before */
    struct pcs_packing *packing; /* of weights into panels; or NULL */
    uint64_t packed_bytes;
    bool tiles;      /* some weight has no kernel for few tokens */
    pcs_claims *claims; /* one for each thread */
    double *seconds; /* by step, added to in each run, for who measures; NULL: nobody does */
    double *busy;    /* by thread and step: what the thread worked of that; or NULL */
    uint64_t *made;  /* by step: its products; or NULL */
};

typedef struct pcs_program_options {
    const pcs_backend *backend; /* NULL: the usual one */
    precis_arithmetic arithmetic;
    const char *k_type, *v_type; /* as pcs_kv_list's */
    uint32_t context, sequences;
    /* Tokens of a run at most, whose pages the caller takes before it; 0: all pages are taken at once. */
    uint32_t batch;
    uint32_t pages; /* of all sequences at most; 0: as many as they need */
    bool keep_all; /* every value keeps its own memory, so that all can be read after a run */
    bool inputs;   /* make only what multiplications read, and what experts make: statistics need no logits */
} pcs_program_options;

/* What a dimension is in the run that is bound. */
static inline int64_t pcs_program_extent(const precis_program *p, int64_t d)
{
    return pcs_extent(p->graph, d, p->sizes);
}
/* Make or find the plan for the sizes of the next run (memory.c). */
precis_status pcs_program_plan(precis_program *p);
void pcs_plan_close(precis_ctx *ctx, pcs_plan *plan);
/* Operands of a step, for the sizes of this call. */
void pcs_step_bind(precis_program *p, pcs_step *s);
/* Its op met what is no index or no scale: PRECIS_EFORMAT. */
precis_status pcs_step_refuse(const precis_program *p, const char *name, const pcs_op *op);
precis_status pcs_program_open(precis_ctx *ctx, precis_program **out, const precis_graph *g,
                               const pcs_program_options *opt);
/* Bind an input; data must live until the run ends. A constant may be given others on the host's backend alone,
 * while the program lives. */
void pcs_program_bind(precis_program *p, precis_value v, const void *data);
/* The taps on a step's results. */
void pcs_program_call_tap(precis_program *p, const pcs_step *s);
void pcs_program_tap(precis_program *p, precis_value v, pcs_tap_fn *fn, void *user);
/* Others' taps in place of all of them, for a while: [values of the graph], borrowed. */
void pcs_program_set_taps(precis_program *p, pcs_tap *taps);
/* The size of a symbol in the runs that follow. PRECIS_EINVAL when it is no symbol, or may not be so large. */
precis_status pcs_program_size(precis_program *p, int64_t symbol, int64_t size);
precis_status pcs_program_run(precis_program *p);
/* The same, of a program that keeps all its values, for other inputs of the same sizes: constants and parameters are
 * those of the run before, and what follows from them alone is not made anew. */
precis_status pcs_program_run_again(precis_program *p);
/* Steps [from, to) only: a segment, whose inputs are in the buffer from an earlier run or copied there. */
precis_status pcs_program_run_part(precis_program *p, size_t from, size_t to);
/* Bytes of a value that the program computes, from or to the host's memory. */
void pcs_program_write(precis_program *p, precis_value v, const void *host, uint64_t bytes);
void pcs_program_read(const precis_program *p, precis_value v, void *host, uint64_t bytes);
/* After a run: an output (or any value with keep_all), in the host's memory until the next run; NULL when there is
 * none for a copy of it. */
const float *pcs_program_value(precis_program *p, precis_value v);
/* Of the parts of a program (run/backend.c): constants into the backend's memory, after the steps are made; inputs
 * before a run; and all of it back. */
precis_status pcs_program_upload(precis_program *p);
precis_status pcs_program_give(precis_program *p);
void pcs_program_release(precis_program *p);
/* Step that makes a value (n_steps: none); and how many steps stand before the first layer. */
size_t pcs_program_step_of(const precis_program *p, precis_value v);
size_t pcs_program_preamble(const precis_program *p);
/* A step that looks at its weight while it reads it, piece by piece, and whether it is one (look.c). */
bool pcs_step_looks(const precis_program *p, const pcs_step *s);
void pcs_step_look(precis_program *p, const pcs_step *s, uint32_t ith, uint32_t nth);
/* After a run of the whole program: the weights that steps have looked at. */
void pcs_program_looked(precis_program *p);
uint64_t pcs_program_bytes(const precis_program *p);
/* What is scratch of them when so many threads run it. */
uint64_t pcs_program_scratch(const precis_program *p, uint32_t threads);

/* May a weight be multiplied in the arithmetic int8 (whole_rows.c)? Its scales are looked at, on all threads, once. */
bool pcs_program_whole_rows(precis_program *p, int32_t weight);

/* Pack the weights of a program now, or begin to (packing.c). model: whose files hold them, or NULL. */
typedef struct pcs_packing pcs_packing;
precis_status pcs_packing_open(precis_program *p, const precis_model *model, precis_pack mode);
void pcs_packing_close(precis_program *p);

#endif
