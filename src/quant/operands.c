/* operands.c - scales beside a weight's own: of the whole tensor for NVFP4, of activations for static schemes. */
#include "quant/methods.h"

#include <stdio.h>

/* Weights whose inputs are the same value share a scale, as engines that fuse them need. */
static const char *const together[][6] = { { "attn_q", "attn_k", "attn_v", NULL }, { "ffn_gate", "ffn_up", NULL }, { "attn_output", NULL }, { "ffn_down", NULL }, { "attn_qkv", NULL } };

static float largest(pcs_work *w, const char *name)
{
    const pcs_tensor *t = pcs_model_tensor(w->m, name);
    pcs_shared s = { 0 };
    if (!t || pcs_tensor_shared(w->ctx, t, &s)) return 0;
    return -s.lo > s.hi ? -s.lo : s.hi;
}

static precis_status scale_one(pcs_work *w, const char *stem, float top)
{
    char name[112];
    pcs_tensor *t;
    float *data;
    const float s = top / (448.0f * 6.0f);
    if (!(s > 0)) return PRECIS_OK;
    snprintf(name, sizeof name, "%s.weight", stem);
    float *x = pcs_work_own(w, name, &t);
    if (!x) return PRECIS_ENOMEM;
    for (uint64_t i = 0; i < t->n; i++) x[i] /= s;
    snprintf(name, sizeof name, "%s.scale", stem);
    const precis_status st = pcs_work_add(w, name, 0, 1, &data);
    if (!st) *data = s;
    return st;
}

static bool is_nvfp4(const pcs_work *w, const char *stem)
{
    char name[112];
    snprintf(name, sizeof name, "%s.weight", stem);
    const pcs_format *f = pcs_work_format(w, name);
    return f && !strcmp(f->name, "NVFP4");
}

precis_status pcs_global_scales(pcs_work *w)
{
    const int64_t layers = pcs_arch_int(w->m, "block_count", 0, NULL);
    precis_status st = PRECIS_OK;
    char stem[96], name[112];
    for (int64_t i = 0; i < layers && !st; i++)
        for (size_t g = 0; g < sizeof together / sizeof *together && !st; g++) {
            float top = 0;
            for (size_t k = 0; together[g][k]; k++) {
                snprintf(stem, sizeof stem, "blk.%lld.%s", (long long)i, together[g][k]);
                snprintf(name, sizeof name, "%s.weight", stem);
                const float t = is_nvfp4(w, stem) ? largest(w, name) : 0;
                top = t > top ? t : top;
            }
            for (size_t k = 0; together[g][k] && !st; k++) {
                snprintf(stem, sizeof stem, "blk.%lld.%s", (long long)i, together[g][k]);
                if (is_nvfp4(w, stem)) st = scale_one(w, stem, top);
            }
        }
    if (!st && is_nvfp4(w, "token_embd")) st = scale_one(w, "token_embd", largest(w, "token_embd.weight"));
    if (!st && is_nvfp4(w, "output")) st = scale_one(w, "output", largest(w, "output.weight"));
    return st;
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
        if (strcmp(node->op->name, "matmul") || strncmp(node->name, "blk.", 4) || strstr(node->name, "_a") == node->name) continue;
        snprintf(name, sizeof name, "%.100s.weight", node->name);
        const pcs_inputs *e = pcs_inputs_of(in, n, node->in[0]);
        if (!e || !pcs_model_tensor(w->m, name)) continue;
        float top = 0;
        for (size_t k = 0; k < e->n; k++) top = e->top[k] > top ? e->top[k] : top;
        snprintf(name, sizeof name, "%.100s.input_scale", node->name);
        st = pcs_work_add(w, name, 0, 1, &data);
        if (!st) *data = top > 0 ? top / limit : 1.0f;
    }
    pcs_inputs_free(w->ctx, in, n);
    precis_runner_close(&r);
    return st;
}
