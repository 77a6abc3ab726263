/* operands.c - scales beside a weight's own: of the whole tensor for NVFP4, of activations for static schemes. */
#include "quant/methods.h"

#include <float.h>
#include <stdio.h>

/* Weights whose inputs are the same value share a scale, as engines that fuse them need. */
static const char *const together[][6] = { { "attn_q", "attn_k", "attn_v", NULL }, { "ffn_gate", "ffn_up", NULL }, { "attn_output", NULL }, { "ffn_down", NULL }, { "attn_qkv", NULL }, { "ffn_gate_exps", "ffn_up_exps", NULL }, { "ffn_down_exps", NULL } };

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
static precis_status largest(pcs_work *w, const char *name, uint64_t i, float *top)
{
    const pcs_tensor *t = pcs_model_tensor(w->m, name);
    pcs_shared s = { 0 };
    *top = 0;
    if (!t || i >= (t->dims > 2 ? (uint64_t)t->ne[2] : 1)) return PRECIS_OK;
    const pcs_tensor one = matrix(t, i);
    const precis_status st = pcs_tensor_shared(w->ctx, &one, &s);
    if (!st) *top = -s.lo > s.hi ? -s.lo : s.hi;
    return st;
}

/* The weight's matrices over their scales, which stand beside it. top[i]: the largest that matrix i and those with it have. */
static precis_status scale_one(pcs_work *w, const char *stem, const float *top)
{
    char name[112];
    pcs_tensor *t;
    float *data;
    snprintf(name, sizeof name, "%s.weight", stem);
    float *x = pcs_work_own(w, name, &t);
    if (!x) return PRECIS_ENOMEM;
    const uint64_t count = t->dims > 2 ? (uint64_t)t->ne[2] : 1, n = t->n / count;
    snprintf(name, sizeof name, "%s.scale", stem);
    const precis_status st = pcs_work_add(w, name, 0, (int64_t)count, &data);
    for (uint64_t i = 0; i < count && !st; i++) {
        const float s = top[i] / (448.0f * 6.0f);
        data[i] = s > 0 ? s : 1.0f;
        for (uint64_t k = i * n; k < (i + 1) * n; k++) x[k] /= data[i];
    }
    return st;
}

float pcs_scaled_to(const pcs_format *f) { return !strcmp(f->name, "NVFP4") ? 448.0f * 6.0f : 0.0f; }

static bool is_nvfp4(const pcs_work *w, const char *stem)
{
    char name[112];
    snprintf(name, sizeof name, "%s.weight", stem);
    const pcs_format *f = pcs_work_format(w, name);
    return f && pcs_scaled_to(f) > 0;
}

/* Weights of one list: their largest, matrix by matrix, and scales from it. */
static precis_status scale_group(pcs_work *w, const char *place, const char *const *parts)
{
    char stem[96], name[112];
    uint64_t count = 0;
    for (size_t k = 0; parts[k]; k++) {
        snprintf(stem, sizeof stem, "%s%s", place, parts[k]);
        snprintf(name, sizeof name, "%s.weight", stem);
        const pcs_tensor *t = is_nvfp4(w, stem) ? pcs_model_tensor(w->m, name) : NULL;
        const uint64_t n = !t ? 0 : t->dims > 2 ? (uint64_t)t->ne[2] : 1;
        count = n > count ? n : count;
    }
    if (!count) return PRECIS_OK;
    float *top = pcs_alloc(w->ctx, (size_t)count, sizeof *top), any = 0;
    precis_status st = top ? PRECIS_OK : PRECIS_ENOMEM;
    for (int turn = 0; turn < 2; turn++) /* all are looked at before one is changed */
        for (size_t k = 0; parts[k] && !st; k++) {
            snprintf(stem, sizeof stem, "%s%s", place, parts[k]);
            snprintf(name, sizeof name, "%s.weight", stem);
            if (!is_nvfp4(w, stem)) continue;
            for (uint64_t i = 0; i < count && !turn && !st; i++) {
                float t;
                st = largest(w, name, i, &t);
                top[i] = t > top[i] ? t : top[i];
                any = t > any ? t : any;
            }
            if (turn && any > 0) st = scale_one(w, stem, top);
        }
    pcs_free(w->ctx, top);
    return st;
}

precis_status pcs_global_scales(pcs_work *w)
{
    static const char *const head[] = { "output", NULL }; /* the embedding keeps the scales of its blocks: llama.cpp has no other there */
    const int64_t layers = pcs_arch_int(w->m, "block_count", 0, NULL);
    precis_status st = PRECIS_OK;
    char place[32];
    for (int64_t i = 0; i < layers && !st; i++) {
        snprintf(place, sizeof place, "blk.%lld.", (long long)i);
        for (size_t g = 0; g < sizeof together / sizeof *together && !st; g++) st = scale_group(w, place, together[g]);
    }
    return st ? st : scale_group(w, "", head);
}

precis_status pcs_static_activations(pcs_work *w)
{
    const char *scheme = w->opt->activations;
    precis_runner *r;
    pcs_inputs *in;
    size_t n;
    if (!scheme) return pcs_fail(w->ctx, PRECIS_EINVAL, "static activations need a scheme for them (W8A8_STATIC, FP8)");
    if (scheme[0] == 'U' || strchr(scheme, '_') == NULL ? strncmp(scheme, "INT", 3) && strncmp(scheme, "FP8", 3) : strncmp(scheme, "FP8", 3))
        return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "activations %s have scales of their own per group; they are not static", scheme);
    const float limit = !strncmp(scheme, "FP8_E4M3", 8) ? 448.0f : !strncmp(scheme, "FP8_E5M2", 8) ? 57344.0f : (float)((1 << (scheme[3] - '0' - 1)) - 1);
    precis_status st = pcs_inputs_collect(w, &r, &in, &n);
    if (st) return st;
    const precis_graph *g = r->graph;
    for (size_t i = 0; i < g->n_nodes && !st; i++) {
        const pcs_node *node = &g->nodes[i];
        char name[128];
        float *data;
        if ((strcmp(node->op->name, "matmul") && strcmp(node->op->name, "moe_matmul")) || g->values[node->in[1]].node < 0) continue;
        const char *weight = g->nodes[g->values[node->in[1]].node].name, *end = strstr(weight, ".weight"); /* a fused one has several nodes */
        if (strncmp(weight, "blk.", 4) || !end || end[7]) continue;
        snprintf(name, sizeof name, "%.*s.input_scale", (int)(end - weight), weight);
        if (pcs_model_tensor(w->m, name)) continue;
        const pcs_inputs *e = pcs_inputs_of(in, n, node->in[0]);
        const pcs_format *f = pcs_work_format(w, weight);
        if (!e || !f || (f->kind != PCS_QUANT && !f->element)) continue;
        float top = 0;
        for (size_t k = 0; k < e->n; k++) top = e->top[k] > top ? e->top[k] : top;
        st = pcs_work_add(w, name, 0, 1, &data);
        if (!st) *data = !(top > 0) ? 1.0f : top / limit > FLT_MIN ? top / limit : FLT_MIN; /* what divides by it must not overflow */
    }
    pcs_inputs_free(w->ctx, in, n);
    precis_runner_close(&r);
    return st;
}
