/* recurrent.h - what the ops of recurrent nets share: packed weights, and the steps that multiply by them.
 *
 * Of a way and 16 neighbours in `hidden` (a block) all that is needed lies together: panels of the weights of x, one for
 * each gate, those of h, biases. Products with x are made for many steps at once, by the kernels of language models;
 * then step after step multiplies h. A thread has the same blocks at each step, so that its weights stay in its cache,
 * and threads meet once a step, or twice in a GRU whose reset comes before the product.
 *
 * Sums are fma, x ascending, then h ascending, then both biases together. `dynamic`: x (all steps together) and h (at
 * each step, all sequences together) are rounded to 8 bits as ONNX's DynamicQuantizeLinear does it, products are whole
 * numbers, and a gate is (float)sum_x * factor_x + (float)sum_h * factor_h + biases: onnxruntime's DynamicQuantizeLSTM. */
#ifndef PCS_RECURRENT_H
#define PCS_RECURRENT_H

#include "graph/element.h"

#define PCS_RECURRENT_BLOCK 16
#define PCS_RECURRENT_ATTRS \
    PCS_TEXT("kind", "lstm"), PCS_TEXT("way", "forward"), PCS_TEXT("act", ""), PCS_REAL("clip", 0), \
        PCS_INT("coupled", 0), PCS_INT("linear", 0), PCS_LIST("coefficients")
enum { PCS_R_KIND, PCS_R_WAY, PCS_R_ACT, PCS_R_CLIP, PCS_R_COUPLED, PCS_R_LINEAR, PCS_R_COEFFICIENTS, PCS_R_DYNAMIC };

static inline uint32_t pcs_recurrent_gates(const precis_attr *a)
{
    return a[PCS_R_KIND].text[0] == 'r' ? 1 : a[PCS_R_KIND].text[0] == 'g' ? 3 : 4;
}
static inline uint32_t pcs_recurrent_functions(const precis_attr *a)
{
    return a[PCS_R_KIND].text[0] == 'r' ? 1 : a[PCS_R_KIND].text[0] == 'g' ? 2 : 3;
}
uint32_t pcs_recurrent_results(const pcs_node *n);
/* Kind, way and functions; the shapes of the results for such x and first h. */
precis_status pcs_recurrent_check(precis_graph *g, const pcs_node *n);
void pcs_recurrent_shapes(const pcs_node *n, const pcs_value *x, int64_t hidden, pcs_value *out);

/* How weights lie. A line of 64 bytes is one k of 16 rows in f32, four neighbours in k in codes. */
typedef struct pcs_recurrent_pack {
    bool dynamic;
    uint32_t gates;
    size_t ways, hidden, in, blocks, lines_x, lines_h;
    size_t bytes; /* of a block; all: ways * blocks * bytes */
} pcs_recurrent_pack;
pcs_recurrent_pack pcs_recurrent_layout(uint32_t gates, size_t ways, size_t hidden, size_t in, bool dynamic);
/* Inputs of the ops: w, r, b, and of codes the scales and zero points of w and of r. */
typedef struct pcs_recurrent_weights {
    const pcs_arg *w, *r, *b, *ws, *wz, *rs, *rz;
} pcs_recurrent_weights;
void pcs_recurrent_pack_into(const pcs_recurrent_pack *p, const pcs_recurrent_weights *w, char *to);

/* A block's parts, of one gate after another: panels, then tables of 16 numbers for each gate. */
typedef struct pcs_recurrent_block {
    const void *x, *h;             /* f32 or codes */
    const float *bias_x, *bias_h;
    const int32_t *sums_x, *sums_h, *zero_x, *zero_h; /* of codes: over k; what zero points are beyond -128 or 0 */
    const float *scale_x, *scale_h;
} pcs_recurrent_block;
pcs_recurrent_block pcs_recurrent_at(const pcs_recurrent_pack *p, const char *packed, size_t way, size_t block);

/* A call, whatever op it is of. */
typedef struct pcs_recurrent {
    const pcs_call *c;
    pcs_recurrent_pack p;
    const char *packed;
    const pcs_arg *x, *lengths, *h, *cell, *peepholes; /* the last two of an LSTM */
    char *shared, *own; /* scratch of all, and of this thread */
    uint32_t functions; /* of all ways; filled by recurrent_run, as what follows */
    bool peeps, plain_x, plain_h; /* some peephole is not zero; all zero points of codes are 0, or 128 */
} pcs_recurrent;
/* Bytes of both; all threads of a call enter. */
size_t pcs_recurrent_shared(const pcs_recurrent *r);
size_t pcs_recurrent_own(const pcs_recurrent *r);
void pcs_recurrent_run(pcs_recurrent *r, uint32_t ith, uint32_t nth);

/* ---- of one step (recurrent_cell.c): 16 units of one sequence. gate: [gates][16], without biases. */
typedef struct pcs_recurrent_unit {
    const pcs_recurrent *r;
    size_t way, first; /* the block's first unit */
    const float *bias_x, *bias_h;
    float *gate, *cell;  /* cell: [16] */
    const float *h;      /* [16], before */
    float *next;         /* [16], after */
    float *reset;        /* of a GRU: [16], reset h, which recurrent_gru_reset makes */
    const float *back;   /* of a linear GRU: [16], what h gives the third gate */
} pcs_recurrent_unit;
void pcs_recurrent_cell(const pcs_recurrent_unit *u);
/* The first two gates of a GRU. */
void pcs_recurrent_reset(const pcs_recurrent_unit *u);

#endif
