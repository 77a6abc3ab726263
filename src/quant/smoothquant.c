/* smoothquant - s = max|x|^alpha / max|w|^(1 - alpha) per input channel, from norms into the weights after them (Xiao
 * et al. 2022, equation 4). */
#include "base/fmath.h"
#include "quant/scaling.h"

static precis_status apply(pcs_work *w)
{
    precis_runner *r;
    pcs_inputs *in;
    size_t n;
    const double alpha = w->opt->alpha > 0 ? w->opt->alpha : 0.5;
    precis_status st = pcs_inputs_collect(w, &r, &in, &n);
    if (st) return st;
    for (uint32_t layer = 0; layer < r->lm.layers && !st; layer++)
        for (size_t i = 0; i < 2 && !st; i++) {
            pcs_scale_group g;
            if (!pcs_scale_group_at(w->m, (int)layer, i, false, &g)) {
                st = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                              "layer %u: smoothquant needs the norm before %s; this architecture has none there", layer,
                              i ? "the feed-forward block" : "attention");
                break;
            }
            const pcs_node *node = pcs_weight_node(r->graph, g.weights[0]);
            const pcs_inputs *e = node ? pcs_inputs_of(in, n, node->in[0]) : NULL;
            float *s = pcs_alloc(w->ctx, (size_t)g.width, sizeof *s);
            if (!e || !s) {
                pcs_free(w->ctx, s);
                st = s ? pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "tensor %s: nothing multiplies by it", g.weights[0])
                       : PRECIS_ENOMEM;
                break;
            }
            for (size_t k = 0; k < g.n_weights && !st; k++) {
                pcs_tensor *t;
                const float *x = pcs_work_own(w, g.weights[k], &t);
                if (!x) st = PRECIS_ENOMEM;
                for (uint64_t row = 0; !st && row < pcs_tensor_rows(t); row++)
                    for (int64_t c = 0; c < g.width; c++) {
                        const float a = x[row * (uint64_t)g.width + (uint64_t)c];
                        s[c] = a > s[c] ? a : -a > s[c] ? -a : s[c];
                    }
            }
            for (int64_t c = 0; c < g.width; c++) {
                const double top = e->top[c] > 1e-5f ? e->top[c] : 1e-5, weight = s[c] > 1e-5f ? s[c] : 1e-5;
                s[c] = (float)(pcs_pow(top, alpha) / pcs_pow(weight, 1 - alpha));
                if (!(s[c] > 1e-5f)) s[c] = 1e-5f;
            }
            if (!st) st = pcs_scale_apply(w, &g, s);
            pcs_free(w->ctx, s);
        }
    pcs_inputs_free(w->ctx, in, n);
    precis_runner_close(&r);
    return st;
}

const pcs_method pcs_method_smoothquant = {
    .name = "smoothquant", .kind = PCS_TRANSFORM, .apply = apply, .does = PCS_MOVES_SCALE,
};
