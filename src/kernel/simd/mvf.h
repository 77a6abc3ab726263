/* mvf.h - a few tokens of f32 activations by panels of float weights: gemm's sums (fma, k ascending), so the same
 * bits as a prompt's. A sum is one chain of fma; several panels at a time keep the multipliers busy. */
#ifndef PCS_MVF_H
#define PCS_MVF_H

#include "kernel/kernel.h"
#include "kernel/simd/vec.h"

#define MVF_PREFETCH 2048 /* bytes ahead, of each panel */

/* Weights of a type: bytes of one, and V_ROWS of one k. */
typedef struct {
    size_t bytes;
    vecf (*load)(const uint8_t *p);
} mvf_weights;

/* Rows of `panels` panels from n on, tokens m0 .. m0 + tokens - 1 (those after the last are the last). */
PCS_INLINE void mvf_tokens(const pcs_mvf_args *a, const mvf_weights *of, size_t n, size_t m0, int panels, int tokens)
{
    const size_t bytes = of->bytes;
    enum { PARTS = 16 / V_ROWS };
    const uint8_t *w[4];
    const float *x[8];
    vecf acc[4 * 8 * PARTS];
    for (int i = 0; i < panels; i++) w[i] = a->w + (n / PCS_PANEL + (size_t)i) * pcs_panel_bytes(a->f, a->k);
    for (int t = 0; t < tokens; t++) x[t] = a->x + (m0 + (size_t)t < a->m ? m0 + (size_t)t : a->m - 1) * a->k;
    for (int i = 0; i < panels * tokens * PARTS; i++) acc[i] = v_zero();
    for (size_t k = 0; k < a->k; k++)
        for (int i = 0; i < panels; i++) {
            const uint8_t *at = w[i] + k * PCS_PANEL * bytes;
            if (k % (64 / (PCS_PANEL * bytes)) == 0) PCS_AHEAD(at + MVF_PREFETCH);
            for (int part = 0; part < PARTS; part++) {
                const vecf v = of->load(at + (size_t)part * V_ROWS * bytes);
                for (int t = 0; t < tokens; t++)
                    acc[(i * PARTS + part) * tokens + t] = v_fma(v_setf(x[t][k]), v,
                                                                 acc[(i * PARTS + part) * tokens + t]);
            }
        }
    for (int i = 0; i < panels; i++) {
        const size_t first = n + (size_t)i * PCS_PANEL, rows = a->n1 - first < PCS_PANEL ? a->n1 - first : PCS_PANEL;
        for (int t = 0; t < tokens && m0 + (size_t)t < a->m; t++) {
            _Alignas(64) float y[16];
            for (int part = 0; part < PARTS; part++) v_storef(y + part * V_ROWS, acc[(i * PARTS + part) * tokens + t]);
            for (size_t r = 0; r < rows; r++)
                a->y[(m0 + (size_t)t) * a->ldy + first + r] = y[r] + (a->bias ? a->bias[first + r] : 0.0f);
        }
    }
}

PCS_INLINE void mvf_all(const pcs_mvf_args *a, const mvf_weights *of)
{
    enum { TOKENS = VEC == 64 ? 4 : 2, PANELS = 4 }; /* as many sums as there are registers for */
    size_t n = a->n0;
    for (; n + (PANELS - 1) * PCS_PANEL < a->n1; n += PANELS * PCS_PANEL) {
        if (a->m == 1) mvf_tokens(a, of, n, 0, PANELS, 1);
        else
            for (size_t i = 0; i < PANELS; i += 2)
                for (size_t m = 0; m < a->m; m += TOKENS) mvf_tokens(a, of, n + i * PCS_PANEL, m, 2, TOKENS);
    }
    for (; n < a->n1; n += PCS_PANEL)
        for (size_t m = 0; m < a->m; m += TOKENS) mvf_tokens(a, of, n, m, 1, TOKENS);
}

PCS_INLINE vecf load_f16(const uint8_t *p) { return v_halves(p); }

#define MVF(name, isa, bytes, load)                    \
    void pcs_mvf_##name##_##isa(const pcs_mvf_args *a) \
    {                                                  \
        static const mvf_weights of = { bytes, load }; \
        mvf_all(a, &of);                               \
    }

#endif
