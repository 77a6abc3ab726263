/* finite.h - are a model's weights numbers?
 *
 * Whoever computes with a model or writes it anew asks pcs_model_finite, which looks once: a NaN would pass through
 * every later stage as a result. What is looked at are scales, where weights have them (format/number.h). */
#ifndef PCS_FINITE_H
#define PCS_FINITE_H

#include "model/model.h"

/* A weight that is NaN or infinite. t NULL: there is none. */
typedef struct pcs_odd { const pcs_tensor *t; uint64_t element; float value; } pcs_odd;

/* A look at all weights, by pieces that any thread may take; memory is taken at the start. */
typedef struct pcs_look {
    precis_ctx *ctx;
    const precis_model *m;
    uint64_t *starts; /* [tensors + 1]: first piece of each */
    uint64_t pieces;
    uint8_t *doubtful; /* [pieces] */
    float *row;        /* as long as the longest of them */
    uint8_t *stored;   /* a row out of panels */
} pcs_look;

precis_status pcs_look_open(precis_ctx *ctx, pcs_look *l, const precis_model *m);
/* Without the tensors that `known` says have been looked at. */
typedef bool pcs_known(const void *user, const pcs_tensor *t);
precis_status pcs_look_open_rest(precis_ctx *ctx, pcs_look *l, const precis_model *m, pcs_known *known,
                                 const void *user);
/* May rows [first, end) of a matrix of k columns, in rows or in panels (then first begins one), hold a number that is
 * not finite? false: they do not. */
bool pcs_weights_doubtful(const pcs_format *f, size_t k, const uint8_t *rows, const uint8_t *panels, uint64_t first,
                          uint64_t end);
void pcs_look_close(pcs_look *l);
void pcs_look_piece(pcs_look *l, uint64_t piece);
/* After all pieces: the first weight that is not finite. */
pcs_odd pcs_look_odd(pcs_look *l);

/* PRECIS_EFORMAT names the tensor, the element and, where m is not NULL, the file. */
precis_status pcs_odd_fail(precis_ctx *ctx, const precis_model *m, const pcs_odd *odd);
/* The same of a tensor whose numbers were seen not to be finite on another way. */
precis_status pcs_tensor_odd_fail(precis_ctx *ctx, const precis_model *m, const pcs_tensor *t);
/* What becomes of what a look at some weights has found (odd->t may be NULL): a failure, or a warning where it is
 * allowed. */
precis_status pcs_odd_judge(precis_ctx *ctx, const precis_model *m, const pcs_odd *odd);
/* The first of all weights that is not finite, on all threads; whether it was looked for before or not. */
precis_status pcs_model_odd(precis_ctx *ctx, const precis_model *m, pcs_odd *odd);
/* The first of one tensor's weights that is not finite, by the calling thread, which need not be the context's. */
precis_status pcs_tensor_odd(precis_ctx *ctx, const pcs_tensor *t, pcs_odd *odd);
/* One tensor of the model, which is copied as it is: as pcs_model_finite. */
precis_status pcs_tensor_finite(precis_ctx *ctx, const precis_model *m, const pcs_tensor *t);
/* Rows of such a tensor, by the calling thread: just before they are read, as they come into the cache anyway. */
precis_status pcs_rows_finite(precis_ctx *ctx, const precis_model *m, const pcs_tensor *t, uint64_t first, uint64_t n);
/* Looks at all weights, unless somebody has: PRECIS_EFORMAT when one is not finite, or, when that is allowed, a
 * warning. */
precis_status pcs_model_finite(precis_ctx *ctx, const precis_model *m);
/* For a new model; of: what it is a copy of, or NULL. */
precis_status pcs_finite_open(precis_model *m, const precis_model *of);
/* Was it looked at already? And: it was just now, and all weights are finite. */
bool pcs_model_seen(const precis_model *m);
void pcs_model_mark_seen(const precis_model *m);

#endif
