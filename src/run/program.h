/* program.h - a graph lowered once into a flat list of steps with a static memory plan. Nothing is
 * allocated while it runs.
 *
 * Reference lowering: every op's eval. Fast lowering: an op's fast form where it has one, with int8
 * activations made once per value for all matmuls with quantized weights that read it. */
#ifndef PCS_PROGRAM_H
#define PCS_PROGRAM_H

#include "graph/graph.h"
#include "graph/kv.h"
#include "precis/run.h"

typedef void pcs_tap_fn(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width);

typedef struct pcs_step {
    const char *name;
    const pcs_op *op; /* NULL: quantize_act */
    pcs_eval_fn *eval;
    const precis_attr *attr;
    uint32_t n_in, n_out;
    int32_t *in, *out; /* program values, in the program's arena, as the operands of `call` */
    bool barrier, barrier_one; /* wait for all earlier steps first; in a call with one token and one output at most */
    bool tap;     /* the result has a tap */
    pcs_call call;
} pcs_step;

/* A value of the program: the graph's, then int8 copies. */
typedef struct pcs_slot {
    pcs_value v;
    int32_t root;  /* itself, or the value whose bytes it shares */
    uint64_t offset, bytes; /* in the buffer, for the most rows; bytes 0: not there */
    int32_t first, last; /* steps that make it and that read it last */
    void *data;    /* bound */
    _Atomic(uint8_t *) panels; /* of a stored weight, once it is packed */
    pcs_act act;
    pcs_kv *kv;
} pcs_slot;

struct precis_program {
    precis_ctx *ctx;
    const precis_graph *graph;
    pcs_arena arena; /* the steps' operands */
    precis_arithmetic arithmetic;
    pcs_kernels kernels;
    pcs_step *steps;
    size_t n_steps;
    pcs_slot *slots;
    size_t n_slots, cap_slots;
    int64_t max_tokens, max_outputs, tokens, outputs;
    char *buffer, *scratch;
    uint64_t buffer_bytes, const_bytes;
    size_t scratch_bytes; /* of one thread */
    void **owned;         /* constants that were computed */
    size_t n_owned;
    pcs_kv *kvs;
    size_t n_kvs;
    uint32_t without_kernel; /* multiplications that the fast lowering leaves to the reference, for want of a kernel */
    const char *lacking;     /* the first such format, NULL: it is the activations' */
    struct { pcs_tap_fn *fn; void *user; } *taps; /* per graph value */
    bool tapped;
    float *watched;  /* numbers of a tapped value that holds others; of the largest such value */
    uint64_t n_watched;
    size_t from, to; /* steps of the running call */
    struct pcs_packing *packing; /* of weights into panels; or NULL */
    uint64_t packed_bytes;
    bool tiles;      /* some weight has no kernel for few tokens */
};

typedef struct pcs_program_options {
    precis_arithmetic arithmetic;
    int64_t max_tokens, max_outputs;
    const char *k_type, *v_type; /* as pcs_kv_list's */
    uint32_t context, sequences;
    bool keep_all; /* every value keeps its own memory, so that all can be read after a run */
} pcs_program_options;

/* Operands of a step, for the sizes of this call. */
void pcs_step_bind(precis_program *p, pcs_step *s);
precis_status pcs_program_open(precis_ctx *ctx, precis_program **out, const precis_graph *g, const pcs_program_options *opt);
/* Bind an input; data must live until the run ends. */
void pcs_program_bind(precis_program *p, precis_value v, const void *data);
void pcs_program_tap(precis_program *p, precis_value v, pcs_tap_fn *fn, void *user);
precis_status pcs_program_run(precis_program *p, int64_t tokens, int64_t outputs);
/* Steps [from, to) only: a segment, whose inputs are in the buffer from an earlier run or copied there. */
precis_status pcs_program_run_part(precis_program *p, int64_t tokens, int64_t outputs, size_t from, size_t to);
/* After a run: memory of an output (or of any value with keep_all). */
const float *pcs_program_value(const precis_program *p, precis_value v);
/* Step that makes a value (n_steps: none); and how many steps stand before the first layer, named "blk.". */
size_t pcs_program_step_of(const precis_program *p, precis_value v);
size_t pcs_program_preamble(const precis_program *p);
uint64_t pcs_program_bytes(const precis_program *p);

/* Pack the weights of a program now, or begin to (packing.c). model: whose files hold them, or NULL. */
typedef struct pcs_packing pcs_packing;
precis_status pcs_packing_open(precis_program *p, const precis_model *model, precis_pack mode);
void pcs_packing_close(precis_program *p);

#endif
