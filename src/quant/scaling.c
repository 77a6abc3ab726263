/* scaling.c - groups of weights that read one value, and folding a scale into both sides. */
#include "quant/scaling.h"

#include <stdio.h>

static bool has(const precis_model *m, int layer, const char *name, char out[96])
{
    snprintf(out, 96, "blk.%d.%s", layer, name);
    return pcs_model_tensor(m, out) != NULL;
}

static void reads(const precis_model *m, int layer, pcs_scale_group *g, const char *const *names)
{
    for (; *names; names++)
        if (g->n_weights < 6 && has(m, layer, *names, g->weights[g->n_weights])) g->n_weights++;
}

bool pcs_scale_group_at(const precis_model *m, int layer, size_t i, bool inner, pcs_scale_group *g)
{
    static const char *const of_attn[] = { "attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_qkv.weight", NULL };
    static const char *const of_ffn[] = { "ffn_gate.weight", "ffn_up.weight", "ffn_gate_inp.weight", "ffn_gate_exps.weight", "ffn_up_exps.weight", NULL };
    static const char *const of_down[] = { "ffn_down.weight", NULL }, *const of_out[] = { "attn_output.weight", NULL };
    char other[96];
    *g = (pcs_scale_group){ .first = -1 };
    if (i == 0 || i == 1) {
        if (!has(m, layer, i ? "ffn_norm.weight" : "attn_norm.weight", g->producer)) return false;
        if (!has(m, layer, i ? "ffn_norm.bias" : "attn_norm.bias", g->bias)) g->bias[0] = 0;
        reads(m, layer, g, i ? of_ffn : of_attn);
    } else if (i == 2 && inner) {
        const int64_t heads = pcs_arch_int(m, "attention.head_count", 1, NULL), kv = pcs_arch_int(m, "attention.head_count_kv", heads, NULL);
        if (has(m, layer, "attn_sub_norm.weight", g->producer)) g->first = -1;
        else if (heads == kv && has(m, layer, "attn_v.weight", g->producer)) g->first = 0;
        else return pcs_scale_group_at(m, layer, 3, inner, g);
        if (g->first >= 0 && !has(m, layer, "attn_v.bias", g->bias)) g->bias[0] = 0;
        reads(m, layer, g, of_out);
    } else if ((i == 2 || i == 3) && inner) {
        if (has(m, layer, "ffn_down.rotation", other)) return false; /* R4 mixes the inputs: no scale passes it */
        if (has(m, layer, "ffn_sub_norm.weight", g->producer)) g->first = -1;
        else if (has(m, layer, "ffn_up.weight", g->producer)) {
            const pcs_tensor *up = pcs_model_tensor(m, g->producer);
            const int64_t hidden = pcs_arch_int(m, "feed_forward_length", 0, NULL);
            if (!has(m, layer, "ffn_gate.weight", other) && up->ne[1] != 2 * hidden) return false; /* an activation stands between */
            g->first = up->ne[1] == 2 * hidden ? hidden : 0;
            if (!has(m, layer, "ffn_up.bias", g->bias)) g->bias[0] = 0;
        } else return false;
        reads(m, layer, g, of_down);
    } else return false;
    if (!g->n_weights) return false;
    g->width = pcs_model_tensor(m, g->weights[0])->ne[0];
    return true;
}

precis_status pcs_scale_apply(pcs_work *w, const pcs_scale_group *g, const float *s)
{
    pcs_tensor *t;
    const size_t n = (size_t)g->width;
    float *x = pcs_work_own(w, g->producer, &t);
    if (!x) return PRECIS_ENOMEM;
    if (g->first < 0)
        for (size_t i = 0; i < n; i++) x[i] /= s[i];
    else
        for (size_t r = 0; r < n; r++)
            for (int64_t k = 0; k < t->ne[0]; k++) x[((size_t)g->first + r) * (size_t)t->ne[0] + (size_t)k] /= s[r];
    if (g->bias[0]) {
        float *b = pcs_work_own(w, g->bias, &t);
        if (!b) return PRECIS_ENOMEM;
        for (size_t i = 0; i < n; i++) b[(g->first > 0 ? (size_t)g->first : 0) + i] /= s[i];
    }
    for (size_t k = 0; k < g->n_weights; k++) {
        float *y = pcs_work_own(w, g->weights[k], &t);
        if (!y) return PRECIS_ENOMEM;
        for (uint64_t r = 0; r < pcs_tensor_rows(t); r++)
            for (size_t i = 0; i < n; i++) y[r * n + i] *= s[i];
    }
    return PRECIS_OK;
}
