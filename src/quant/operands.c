/* operands.c - scales beside a weight's own: of the whole tensor for formats that stand on one (NVFP4), of activations
 * for static schemes. */
#include "model/activations.h"
#include "quant/methods.h"

#include <float.h>
#include <stdio.h>

/* Weights whose inputs are the same value share a scale, as engines that fuse them need. */
static const pcs_tensor_role together[][4] = {
    { PCS_ROLE_attn_q, PCS_ROLE_attn_k, PCS_ROLE_attn_v },
    { PCS_ROLE_ffn_gate, PCS_ROLE_ffn_up },
    { PCS_ROLE_attn_output },
    { PCS_ROLE_ffn_down },
    { PCS_ROLE_attn_qkv },
    { PCS_ROLE_ffn_gate_exps, PCS_ROLE_ffn_up_exps },
    { PCS_ROLE_ffn_down_exps },
};

/* Matrix `i` of a tensor: an expert's, or all of it. */
static pcs_tensor matrix(const pcs_tensor *t, uint64_t i)
{
    const uint64_t count = t->dims > 2 ? (uint64_t)t->ne[2] : 1;
    pcs_tensor one = *t;
    one.dims = 2;
    one.ne[2] = 1;
    one.n /= count;
    one.bytes /= count;
    one.data += i * one.bytes;
    return one;
}

/* 0: there is no such matrix. */
static precis_status largest_of(pcs_work *w, const pcs_tensor *t, uint64_t i, float *top)
{
    pcs_shared s = { 0 };
    *top = 0;
    if (i >= (t->dims > 2 ? (uint64_t)t->ne[2] : 1)) return PRECIS_OK;
    const pcs_tensor one = matrix(t, i);
    const precis_status st = pcs_tensor_shared(w->ctx, &one, &s);
    if (!st) *top = -s.lo > s.hi ? -s.lo : s.hi;
    return st;
}

/* The weight's matrices over their scales, which stand beside it. top[i]: the largest that matrix i and those with it
 * have; reach: how far the format goes from there. */
static precis_status scale_one(pcs_work *w, int layer, pcs_tensor_role role, float reach, const float *top)
{
    char name[112];
    pcs_tensor *t;
    float *data;
    pcs_place_name(name, sizeof name, layer, role, PCS_END_weight);
    float *x = pcs_work_own(w, name, &t);
    if (!x) return PRECIS_ENOMEM;
    const uint64_t count = t->dims > 2 ? (uint64_t)t->ne[2] : 1, n = t->n / count;
    pcs_place_name(name, sizeof name, layer, role, PCS_END_scale);
    const precis_status st = pcs_work_add(w, name, 0, (int64_t)count, &data);
    for (uint64_t i = 0; i < count && !st; i++) {
        const float s = top[i] / reach;
        data[i] = s > 0 ? s : 1.0f;
        for (uint64_t k = i * n; k < (i + 1) * n; k++) x[k] /= data[i];
    }
    return st;
}

float pcs_scaled_to(const pcs_format *f) { return f->scaled_whole ? f->largest : 0.0f; }

/* The tensor of a role that will stand on a scale of the whole, and its format; NULL: there is none. */
static const pcs_tensor *on_scale(const pcs_work *w, int layer, pcs_tensor_role role, const pcs_format **f)
{
    const pcs_tensor *t = role ? pcs_model_part(w->m, layer, role, PCS_END_weight) : NULL;
    *f = t ? pcs_work_format(w, t->name) : NULL;
    return *f && (*f)->scaled_whole ? t : NULL;
}

/* Weights of one list: their largest, matrix by matrix, and scales from it. */
static precis_status scale_group(pcs_work *w, int layer, const pcs_tensor_role roles[4])
{
    const pcs_format *f;
    uint64_t count = 0;
    for (size_t k = 0; k < 4; k++) {
        const pcs_tensor *t = on_scale(w, layer, roles[k], &f);
        const uint64_t n = !t ? 0 : t->dims > 2 ? (uint64_t)t->ne[2] : 1;
        count = n > count ? n : count;
    }
    if (!count) return PRECIS_OK;
    float *top = pcs_alloc(w->ctx, (size_t)count, sizeof *top), any = 0;
    precis_status st = top ? PRECIS_OK : PRECIS_ENOMEM;
    for (int turn = 0; turn < 2; turn++) /* all are looked at before one is changed */
        for (size_t k = 0; k < 4 && !st; k++) {
            const pcs_tensor *t = on_scale(w, layer, roles[k], &f);
            for (uint64_t i = 0; t && i < count && !turn && !st; i++) {
                float of_matrix;
                st = largest_of(w, t, i, &of_matrix);
                top[i] = of_matrix > top[i] ? of_matrix : top[i];
                any = of_matrix > any ? of_matrix : any;
            }
            if (t && turn && any > 0) st = scale_one(w, layer, roles[k], f->largest, top);
        }
    pcs_free(w->ctx, top);
    return st;
}

precis_status pcs_global_scales(pcs_work *w)
{
    /* the embedding keeps the scales of its blocks: llama.cpp has no other there */
    static const pcs_tensor_role head[4] = { PCS_ROLE_output };
    const int64_t layers = pcs_arch_int(w->m, "block_count", 0, NULL);
    precis_status st = PRECIS_OK;
    for (int64_t i = 0; i < layers && !st; i++)
        for (size_t g = 0; g < sizeof together / sizeof *together && !st; g++) st = scale_group(w, (int)i, together[g]);
    return st ? st : scale_group(w, -1, head);
}

precis_status pcs_static_activations(pcs_work *w)
{
    const char *scheme = w->opt->activations;
    pcs_activations of;
    precis_runner *r;
    pcs_inputs *in;
    size_t n;
    if (!scheme) return pcs_fail(w->ctx, PRECIS_EINVAL, "static activations need a scheme for them (W8A8_STATIC, FP8)");
    if (!pcs_activations_of(scheme, &of) || !(of.largest > 0))
        return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                        "activations %s have scales of their own per group; they are not static", scheme);
    const float limit = of.largest;
    precis_status st = pcs_inputs_collect(w, &r, &in, &n);
    if (st) return st;
    const precis_graph *g = r->graph;
    for (size_t i = 0; i < g->n_nodes && !st; i++) {
        const pcs_node *node = &g->nodes[i];
        char name[128];
        float *data;
        const pcs_value *weight = pcs_node_weight(g, node); /* a fused one has several nodes */
        const pcs_tensor *t = weight ? pcs_model_tensor(w->m, weight->name) : NULL;
        if (!t || t->is.layer < 0 || t->is.end != PCS_END_weight) continue;
        if (pcs_model_part(w->m, t->is.layer, t->is.role, PCS_END_input_scale)) continue;
        pcs_place_name(name, sizeof name, t->is.layer, t->is.role, PCS_END_input_scale);
        const pcs_inputs *e = pcs_inputs_of(in, n, node->in[0]);
        const pcs_format *f = pcs_work_format(w, t->name);
        if (!e || !f || (f->kind != PCS_QUANT && !f->element)) continue;
        float top = 0;
        for (size_t k = 0; k < e->n; k++) top = e->top[k] > top ? e->top[k] : top;
        st = pcs_work_add(w, name, 0, 1, &data);
        /* what divides by it must not overflow */
        if (!st) *data = !(top > 0) ? 1.0f : top / limit > FLT_MIN ? top / limit : FLT_MIN;
    }
    pcs_inputs_free(w->ctx, in, n);
    precis_runner_close(&r);
    return st;
}
