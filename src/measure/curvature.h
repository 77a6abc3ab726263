/* curvature.h - what quantizing each tensor alone costs, by gradients: to second order, for all tensors and types at
 * once.
 *
 * A weight's error E changes the result of its node by op(x; E), since such ops are linear in their weights. With g the
 * gradient of log p(y) by that result, y drawn from the model's own distribution, the divergence is half of the mean
 * square of g . op(x; E) (Fisher's matrix; Martens 2014, "New insights and perspectives on the natural gradient
 * method", section 6). One run forward and one backward give g for every node; each alternative of a tensor is one
 * product more.
 *
 * Threads: as the context. */
#ifndef PCS_CURVATURE_H
#define PCS_CURVATURE_H

#include "quant/methods.h"

typedef struct pcs_curvature pcs_curvature;

/* A tensor of the model in another format: rows of f, which live until close. kld, se: the results, nats per token, and
 * the standard error over windows. */
typedef struct pcs_alternative {
    const pcs_tensor *tensor;
    const pcs_format *f;
    const uint8_t *bytes;
    double kld, se;
} pcs_alternative;

/* Opens the net for windows of at most `longest` tokens. PRECIS_EUNSUPPORTED: an encoder, an op without a gradient, or
 * weights that lie packed. The model must outlive it. */
precis_status pcs_curvature_open(precis_ctx *ctx, pcs_curvature **out, const precis_model *m, uint32_t longest);
void pcs_curvature_close(pcs_curvature **c);
/* Bytes that the net and its gradients take, known once it has run. */
uint64_t pcs_curvature_bytes(const pcs_curvature *c);
/* seed: of the tokens that are drawn, one a position. step: called after each window, may be NULL; anything but
 * PRECIS_OK stops. */
typedef struct pcs_curvature_work { uint64_t seed; precis_status (*step)(void *user); void *user; } pcs_curvature_work;
/* The second half of each window is scored, as `eval` scores it. */
precis_status pcs_curvature_run(pcs_curvature *c, const pcs_windows *windows, pcs_alternative *list, size_t n,
                                const pcs_curvature_work *work);

#endif
