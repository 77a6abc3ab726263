/* optimizer.h - updates of parameters by their gradients. One file and one row of optimizers.def each.
 *
 * An optimizer keeps state beside each tensor, of bytes that it says; a checkpoint keeps those bytes as they are.
 * Results do not depend on the number of threads: what is shared out are numbers, or blocks of them, that nobody else
 * writes. */
#ifndef PCS_OPTIMIZER_H
#define PCS_OPTIMIZER_H

#include "kernel/kernel.h"

typedef struct pcs_optimizer_settings {
    double lr, beta1, beta2, eps;
    double decay;    /* of weights */
    double momentum; /* of sgd and muon; below 0, until the configuration is whole: as the row says */
    int nesterov;    /* likewise */
    uint32_t block;  /* numbers that share a scale of 8-bit states */
} pcs_optimizer_settings;

/* One tensor's step. */
typedef struct pcs_update {
    float *p;
    const float *g;
    size_t rows, columns; /* of a vector: 1 row */
    void *state;
    uint64_t step; /* from 1 on */
    const pcs_optimizer_settings *set;
} pcs_update;

typedef struct pcs_optimizer {
    const char *name;
    /* Bytes of the state of a tensor; it begins as zeros and `begin`, when there is one, is then called. */
    size_t (*bytes)(const pcs_optimizer_settings *set, size_t rows, size_t columns);
    void (*begin)(const pcs_update *u);
    /* By all threads. PRECIS_ENOMEM, or PRECIS_OK. */
    precis_status (*step)(precis_ctx *ctx, const pcs_update *u);
    /* Small tensors, of which there are many, are stepped one by each thread, which waits for no other: bytes that it
     * needs for one, 0: threads had better share it; and that step, to the same bits. NULL: always `step`. */
    size_t (*alone_bytes)(size_t rows, size_t columns);
    void (*alone)(const pcs_kernels *kernels, const pcs_update *u, void *memory);
    const struct pcs_optimizer *others; /* steps all but the layers' matrices, which this one is for; NULL: this does */
    double momentum;                    /* where the configuration says none */
    bool nesterov;
} pcs_optimizer;

extern const pcs_optimizer *const pcs_optimizers[]; /* NULL ends it */
const pcs_optimizer *pcs_optimizer_by_name(const char *name);

/* x^n by squaring. */
static inline double pcs_whole_power(double x, uint64_t n)
{
    double r = 1;
    for (; n; n >>= 1, x *= x)
        if (n & 1) r *= x;
    return r;
}

/* A tensor's gradient, for the norm over all. */
typedef struct pcs_gradient { float *g; size_t n; } pcs_gradient;
void pcs_scale_gradient(precis_ctx *ctx, const pcs_gradient *g, float by);
/* Scale all by most / (norm + 1e-6) where that is below 1, as torch's clip_grad_norm_; most 0: only the norm is taken.
 * *norm: the one before, which is not finite when some gradient is not; nothing is scaled then. PRECIS_ENOMEM. */
precis_status pcs_clip_norm(precis_ctx *ctx, const pcs_gradient *all, size_t n, double most, double *norm);

/* Steps of several tensors, each by its own optimizer, on all threads. PRECIS_ENOMEM. */
typedef struct pcs_stepping { const pcs_optimizer *by; pcs_update update; pcs_optimizer_settings set; } pcs_stepping;
precis_status pcs_steps(precis_ctx *ctx, pcs_stepping *all, size_t n);

/* Five Newton-Schulz steps towards the nearest orthogonal matrix (Jordan et al. 2024), in place. PRECIS_ENOMEM. */
precis_status pcs_muon_orthogonal(precis_ctx *ctx, float *x, size_t rows, size_t columns);
/* What an update of this shape is multiplied with: sqrt(max(1, rows / columns)). */
double pcs_muon_scale(size_t rows, size_t columns);

/* Dettmers et al. 2021 (2110.02861), appendix: 256 values for states of 8 bits, ascending; with a sign or without. */
void pcs_dynamic_map(bool with_sign, float map[256]);
/* Codes of a block by its largest magnitude, and back. */
void pcs_dynamic_encode(const float map[256], const float *x, size_t n, uint8_t *codes, float *absmax);
void pcs_dynamic_decode(const float map[256], const uint8_t *codes, size_t n, float absmax, float *x);
/* Where adamw8 keeps what, in its state: codes of both moments, then the scales of their blocks. */
typedef struct pcs_moments8 { uint8_t *m, *v; float *m_scale, *v_scale; size_t blocks; } pcs_moments8;
pcs_moments8 pcs_moments8_in(void *state, size_t n, uint32_t block);

#endif
