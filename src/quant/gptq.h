/* gptq.h - a run of GPTQ, layer by layer. */
#ifndef PCS_GPTQ_H
#define PCS_GPTQ_H

#include "quant/methods.h"

typedef struct pcs_gptq_run gptq;
/* A layer in work: its nodes, its steps, the value that it begins with (-1: the embedding's) and the one it ends in. */
typedef struct pcs_gptq_layer { size_t first_node, end_node, from, to; precis_value cut, out; } pcs_gptq_layer;

/* What codes of a weight were before they were rounded, (w + m) / d, w with what columns before it lost; and what they
 * stand under. For who goes on from there (round.c). */
typedef struct pcs_latent {
    size_t index;            /* of the tensor */
    size_t rows, n, blocks;  /* blocks of a row; 1 with a head */
    float *w, *u;            /* [rows][n] */
    uint8_t *out;            /* [rows][n], 1: left out, and stays 0; NULL: none is */
    size_t per;              /* rows that have one input: all, or an expert's */
    float *importance;       /* [rows / per][n] */
    pcs_params *params;      /* [rows][blocks]; not with a head */
    float *scale;            /* [rows], with a head */
    int *zero;               /* [rows], with a head */
} pcs_latent;

/* Who goes on where GPTQ has rounded. before: the layer's weights are numbers still; after: they are codes, and what
 * they were is in g->latents. */
typedef struct pcs_refiner {
    const char *name; /* of the method, and of progress */
    precis_status (*before)(gptq *g, const pcs_gptq_layer *l);
    precis_status (*after)(gptq *g, const pcs_gptq_layer *l, uint32_t number);
} pcs_refiner;

/* What the steps of a layer from one on read of those before it, of all windows: [values][rows][width]. */
typedef struct pcs_gptq_between {
    size_t step;     /* 0: nothing, the layer begins with its state */
    int32_t *values; /* slots of the program */
    size_t *widths, n, row; /* floats of a row: of each, of all */
    pcs_spill kept;
} pcs_gptq_between;

struct pcs_gptq_run {
    pcs_work *w;
    precis_runner *r;
    const pcs_kernels *kernels;
    const pcs_refiner *refiner; /* or NULL */
    pcs_latent *latents;      /* of the layer in work, where somebody refines */
    size_t n_latents;
    pcs_spill states;         /* of all windows at the end of the layers that are done */
    float *hidden;            /* its data; where somebody refines, after it the states of the net as it was */
    pcs_gptq_between between; /* where the next pass over the layer in work begins */
    struct held *held;        /* weights that are F32 while their layer is in work */
    size_t n_held;
    pcs_samples samples;      /* the job's windows */
    /* the group in work */
    size_t n, pad;
    double *h;
    float *feedback, *importance;
    uint32_t *order;
    double *pivot;            /* of each column: the square of R's diagonal, where R R^T is the Hessian */
    bool swept;               /* 2 of each 4 weights are left out by the sweep itself */
    uint64_t tokens;
    double damp;
};

/* A weight: its own bytes, and the numbers that are written over while its layer is in work. */
typedef struct held {
    size_t index;
    const pcs_format *format;
    const uint8_t *data;
    uint64_t bytes;
    float *x;
    precis_value v;
} held;

/* h += x^T x of some tokens, its upper part. Room: xt [pad][tokens], xp [tokens][pad], tile [threads][pad][16]. */
precis_status pcs_gptq_gram(gptq *g, const float *x, size_t tokens, float *xt, float *xp, float *tile);
/* What a Hessian is made of: the input of weights; of experts, that of number `expert` of a node (NULL: all tokens
 * count). */
typedef struct pcs_gptq_inputs {
    precis_value input;
    const pcs_node *node;
    int64_t expert;
} pcs_gptq_inputs;
size_t pcs_gptq_width(const gptq *g, precis_value input);
/* It becomes the Hessian in work, of all windows as they come through the layer. */
precis_status pcs_gptq_collect(gptq *g, const pcs_gptq_inputs *of, const pcs_gptq_layer *l);
/* Then the lower part is the upper one's. */
void pcs_gptq_mirror(gptq *g);
/* The feedback in the columns' order; dampening grows until there is one. Why not, or NULL. */
const char *pcs_gptq_factor(gptq *g, const pcs_tensor *t, precis_status *st);
/* Rows [first, first + count) of a weight as a type: `weights` has them. why: they are not to be coded so, but by
 * search. latent: takes what their codes were, or NULL. */
typedef struct pcs_gptq_part {
    const pcs_format *to;
    float *weights;
    size_t first, count;
    const char *why;
    pcs_latent *latent;
} pcs_gptq_part;
/* Why a type is not rounded so, or NULL. */
const char *pcs_gptq_refuses(const pcs_format *f);
/* A part under the Hessian in work into the tensor's bytes, and `weights` becomes what was coded; its losses are added
 * to *loss. */
precis_status pcs_gptq_code_part(gptq *g, size_t index, const pcs_gptq_part *p, pcs_encoded *e, pcs_row_loss *loss);
/* The same of the tensor's own bytes, some rows at a time; p->weights does not count, and the net keeps what it has. */
precis_status pcs_gptq_code_apart(gptq *g, size_t index, const pcs_gptq_part *p, pcs_encoded *e, pcs_row_loss *loss);
/* What the next layer will see of a sample. */
void pcs_gptq_keep_state(gptq *g, const pcs_gptq_layer *l, const pcs_sample *at);
/* A layer, or (l->out < 0) what is after the last, as each of g->w->variants has it: gptq_variants.c. */
precis_status pcs_gptq_variants(gptq *g, const pcs_gptq_layer *l);
/* Weights that will be coded stand in the net as F32; then the tensors are again what they were. */
precis_status pcs_gptq_announce(gptq *g);
void pcs_gptq_withdraw(gptq *g);
/* The weights that nodes [first, end) read, as F32 that is written over; and no longer. */
precis_status pcs_gptq_hold_layer(gptq *g, size_t first_node, size_t end_node);
void pcs_gptq_release(gptq *g);
/* What earlier runs have coded, and the states after their last layer; and what this one has. */
precis_status pcs_gptq_resume_layers(gptq *g, uint32_t *done);
precis_status pcs_gptq_keep_layer(gptq *g, size_t first_node, size_t end_node, uint32_t layers);

/* GPTQ with who goes on from it; NULL: nobody. */
precis_status pcs_gptq_refined(pcs_work *w, const pcs_refiner *refiner);
/* Every sample from the beginning of the layer, whose states are given, up to (not with) a step, then `after` of it. */
precis_status pcs_gptq_run_to(gptq *g, const pcs_gptq_layer *l, const float *states, size_t to,
                              precis_status (*after)(void *user, const pcs_sample *at), void *user);
/* The same from g->hidden, or from where the pass before it ended: gptq_between.c. Then the layer changes after that
 * place alone, until that is forgotten. */
precis_status pcs_gptq_run_on(gptq *g, const pcs_gptq_layer *l, size_t to,
                              precis_status (*after)(void *user, const pcs_sample *at), void *user);
void pcs_gptq_forget(gptq *g);
/* Room for what a weight's codes were (NULL: nobody refines); weights: its numbers. */
precis_status pcs_gptq_latent(gptq *g, size_t index, const float *weights, pcs_latent **out);
void pcs_gptq_keep_importance(const gptq *g, pcs_latent *l, size_t row); /* of the input that a row has */
void pcs_gptq_drop_latent(gptq *g); /* the last one */

/* ---- pruning in the sweep (SparseGPT, 2301.00774, section 3.5): gptq_sparse.c ------------------------------------ */
/* Weights that were left out before stay 0, or 2 of each 4 are left out when the sweep comes to them. */
typedef enum { PCS_DENSE, PCS_HELD, PCS_SWEPT } pcs_sparsity;
pcs_sparsity pcs_gptq_sparsity(const gptq *g, const pcs_tensor *t);
/* Columns by falling diagonal, groups of 4 together where the sweep prunes. PRECIS_ENOMEM. */
precis_status pcs_gptq_columns(gptq *g, const double *diag);
/* What scales are fitted to: the row without what will be left out, most likely. x and importance: room for n. */
void pcs_gptq_thin(const gptq *g, pcs_sparsity sparsity, const float *w, float *x, float *importance);
/* Of four columns, which come at `column`, those two (as bits) that cost least to leave out instead of rounding. */
typedef struct pcs_quad {
    const uint32_t *column;
    const float *x, *d, *m; /* d, m: of every 16 weights of the row */
} pcs_quad;
unsigned pcs_gptq_leave_out(const gptq *g, const pcs_format *f, const pcs_quad *q);

#endif
