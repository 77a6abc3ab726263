/* segment.h - one layer of a language model as a net of its own, with gradients by its weights.
 *
 * The model's graph is built once more, as training has it (attention over the call's own keys), and all but the layer
 * is left out; what the layer begins with is an input. Threads: as a program. */
#ifndef PCS_SEGMENT_H
#define PCS_SEGMENT_H

#include "graph/arch.h"
#include "run/reverse.h"

/* Rows of a tensor that a node reads, as f32 that the caller may write between runs. */
typedef struct pcs_segment_part { size_t tensor; uint64_t first, rows; precis_value value; } pcs_segment_part;

typedef struct pcs_segment {
    precis_ctx *ctx;
    precis_graph *graph;
    pcs_lm lm;
    precis_program *program;
    pcs_reverse *reverse;
    precis_value in, out; /* in: -1 where it begins with the tokens */
    pcs_segment_part *parts;
    size_t n_parts;
} pcs_segment;

typedef struct pcs_segment_of {
    const precis_model *m;
    uint32_t number;        /* of the layer */
    uint32_t longest, most; /* tokens of a text, and of a call, at most */
    precis_arithmetic arithmetic;
    const bool *wanted;     /* by tensor of m: F32 in memory that may be written; gradients by them are made */
} pcs_segment_of;

/* PRECIS_EUNSUPPORTED names the node that no gradient passes through; PRECIS_EINVAL: there is no such layer, or none of
 * its weights is wanted. */
precis_status pcs_segment_open(precis_ctx *ctx, pcs_segment *s, const pcs_segment_of *of);
/* After a failed open, too. */
void pcs_segment_close(pcs_segment *s);

/* The rows of a call: texts one after another, whose numbers (`sequences`) differ. states: [n][width], what the layer
 * begins with; not read where that is the tokens. */
typedef struct pcs_segment_rows {
    const int32_t *ids, *positions, *sequences;
    const float *states;
    uint32_t n;
} pcs_segment_rows;
/* The layer's result is pcs_program_value(s->program, s->out) then. */
precis_status pcs_segment_run(pcs_segment *s, const pcs_segment_rows *rows);

#endif
