/* scaling.c - groups of weights that read one value, and folding a scale into both sides. */
#include "quant/scaling.h"

static bool has(const precis_model *m, int layer, pcs_tensor_role role, pcs_tensor_end end, char out[96])
{
    pcs_place_name(out, 96, layer, role, end);
    return pcs_model_tensor(m, out) != NULL;
}

static bool has_weight(const precis_model *m, int layer, pcs_tensor_role role, char out[96])
{
    return has(m, layer, role, PCS_END_weight, out);
}

/* The producer's bias, where it has one. */
static void with_bias(const precis_model *m, int layer, pcs_tensor_role role, pcs_scale_group *g)
{
    if (!has(m, layer, role, PCS_END_bias, g->bias)) g->bias[0] = 0;
}

/* roles: PCS_ROLE_none ends them. */
static void reads(const precis_model *m, int layer, pcs_scale_group *g, const pcs_tensor_role *roles)
{
    for (; *roles; roles++)
        if (g->n_weights < 6 && has_weight(m, layer, *roles, g->weights[g->n_weights])) {
            if (!g->n_weights) g->read_by = *roles;
            g->n_weights++;
        }
}

/* What comes before the output of attention: a norm, or the values where each has a head of its own. */
static bool behind_values(const precis_model *m, int layer, pcs_scale_group *g)
{
    const int64_t heads = pcs_arch_int(m, "attention.head_count", 1, NULL);
    const int64_t kv = pcs_arch_int(m, "attention.head_count_kv", heads, NULL);
    if (has_weight(m, layer, PCS_ROLE_attn_sub_norm, g->producer)) return true;
    if (heads != kv || !has_weight(m, layer, PCS_ROLE_attn_v, g->producer)) return false;
    g->first = 0;
    with_bias(m, layer, PCS_ROLE_attn_v, g);
    return true;
}

/* What comes before the down projection: a norm, or the rows of the up projection that the gate does not bend. */
static bool behind_up(const precis_model *m, int layer, pcs_scale_group *g)
{
    char other[96];
    if (has(m, layer, PCS_ROLE_ffn_down, PCS_END_rotation, other)) return false; /* R4 mixes the inputs: no scale passes it */
    if (has_weight(m, layer, PCS_ROLE_ffn_sub_norm, g->producer)) return true;
    if (!has_weight(m, layer, PCS_ROLE_ffn_up, g->producer)) return false;
    const int64_t rows = pcs_model_tensor(m, g->producer)->ne[1];
    const int64_t hidden = pcs_arch_int(m, "feed_forward_length", 0, NULL);
    const bool gated = has_weight(m, layer, PCS_ROLE_ffn_gate, other);
    if (!gated && rows != 2 * hidden) return false; /* an activation stands between */
    g->first = rows == 2 * hidden ? hidden : 0;
    with_bias(m, layer, PCS_ROLE_ffn_up, g);
    return true;
}

bool pcs_scale_group_at(const precis_model *m, int layer, size_t i, bool inner, pcs_scale_group *g)
{
    static const pcs_tensor_role of_attn[] = { PCS_ROLE_attn_q, PCS_ROLE_attn_k, PCS_ROLE_attn_v, PCS_ROLE_attn_qkv,
                                               PCS_ROLE_none };
    static const pcs_tensor_role of_ffn[] = { PCS_ROLE_ffn_gate,      PCS_ROLE_ffn_up,       PCS_ROLE_ffn_gate_inp,
                                              PCS_ROLE_ffn_gate_exps, PCS_ROLE_ffn_up_exps, PCS_ROLE_none };
    static const pcs_tensor_role of_down[] = { PCS_ROLE_ffn_down, PCS_ROLE_none };
    static const pcs_tensor_role of_out[] = { PCS_ROLE_attn_output, PCS_ROLE_none };
    *g = (pcs_scale_group){ .first = -1 };
    if (i == 0 || i == 1) {
        const pcs_tensor_role norm = i ? PCS_ROLE_ffn_norm : PCS_ROLE_attn_norm;
        if (!has_weight(m, layer, norm, g->producer)) return false;
        with_bias(m, layer, norm, g);
        reads(m, layer, g, i ? of_ffn : of_attn);
    } else if (i == 2 && inner) {
        if (!behind_values(m, layer, g)) return pcs_scale_group_at(m, layer, 3, inner, g);
        reads(m, layer, g, of_out);
    } else if (i == 3 && inner) {
        if (!behind_up(m, layer, g)) return false;
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
