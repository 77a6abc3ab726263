/* pretrained.c - see pretrained.h. */
#include "train/pretrained.h"

#include "base/f16.h"
#include "base/pool.h"
#include "graph/arch.h"

#include <stdio.h>

static precis_status unknown(const precis_model *m, const char *what)
{
    return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: %s, which training does not know", m->path, what);
}

/* Is the net one that has nothing but what llama.c makes? */
static precis_status check_net(const precis_model *m)
{
    const pcs_arch *a = pcs_arch_of(m);
    const pcs_decoder *d = a ? a->decoder : NULL;
    if (!d || m->net) return unknown(m, "its architecture is no decoder like llama");
    if (d->scaled_embedding || d->post_norms || d->two_bases || a->attention_cap > 0 || a->logits_cap > 0 ||
        a->query_scale)
        return unknown(m, "its architecture scales, caps or norms what llama's does not");
    if (pcs_arch_int(m, "expert_count", 0, NULL) > 0) return unknown(m, "it has experts");
    static const char *const keys[] = { "attention.sliding_window", "attn_logit_softcapping", "final_logit_softcapping",
                                        "logit_scale", "residual_scale", "embedding_scale", "attention.scale" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (pcs_arch_float(m, keys[i], 0, NULL) > 0) return unknown(m, keys[i]);
    char key[96];
    snprintf(key, sizeof key, "%.60s.rope.scaling.type", a->name);
    const char *scaling = pcs_model_string(m, key);
    return scaling && strcmp(scaling, "none") ? unknown(m, "its rotations are scaled") : PRECIS_OK;
}

static precis_status read_factors(const precis_model *m, pcs_llama_config *c, pcs_arena *arena, int64_t dim)
{
    const pcs_tensor *t = pcs_model_tensor(m, "rope_freqs.weight");
    if (!t) return PRECIS_OK;
    float *f = pcs_arena_alloc(arena, (size_t)dim / 2, sizeof *f);
    if (!f) return PRECIS_ENOMEM;
    if (t->n != (uint64_t)dim / 2 || t->format != &pcs_format_f32 || !t->data)
        return unknown(m, "rope_freqs.weight is of another shape");
    memcpy(f, t->data, (size_t)dim / 2 * sizeof *f);
    c->rope_factors = f;
    return PRECIS_OK;
}

precis_status pcs_pretrained_config(const precis_model *m, pcs_llama_config *c, pcs_arena *arena)
{
    precis_status st = check_net(m);
    if (st) return st;
    const pcs_tensor *embedding = pcs_model_tensor(m, "token_embd.weight"),
                     *q = pcs_model_tensor(m, "blk.0.attn_q.weight");
    if (!embedding || !q || embedding->dims != 2)
        return unknown(m, "it has no token_embd.weight or blk.0.attn_q.weight");
    c->width = pcs_arch_int(m, "embedding_length", 0, NULL);
    c->layers = pcs_arch_int(m, "block_count", 0, NULL);
    c->heads = pcs_arch_int(m, "attention.head_count", 0, NULL);
    c->kv_heads = pcs_arch_int(m, "attention.head_count_kv", c->heads, NULL);
    c->hidden = pcs_arch_int(m, "feed_forward_length", 0, NULL);
    c->vocabulary = (int64_t)pcs_tensor_rows(embedding);
    c->eps = pcs_arch_float(m, "attention.layer_norm_rms_epsilon", 1e-5, NULL);
    c->rope_base = pcs_arch_float(m, "rope.freq_base", 10000, NULL);
    if (c->heads < 1) return unknown(m, "it does not say its heads");
    const int64_t dim = pcs_head_dim(m);
    c->head_dim = dim;
    if (pcs_arch_int(m, "attention.value_length", dim, NULL) != dim || dim < 2 || dim > 8192)
        return unknown(m, "its values are of another width than its keys");
    if (pcs_arch_int(m, "rope.dimension_count", dim, NULL) != dim) return unknown(m, "it turns a part of a head");
    c->interleaved = pcs_arch_of(m)->decoder->interleaved;
    c->activation = pcs_arch_of(m)->decoder->activation;
    c->qk_norm = pcs_model_tensor(m, "blk.0.attn_q_norm.weight") != NULL;
    c->untied = pcs_model_tensor(m, "output.weight") != NULL;
    return read_factors(m, c, arena, dim);
}

typedef struct { const pcs_tensor *t; float *to; } decoding;

static void rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const decoding *d = arg;
    const size_t k = (size_t)d->t->ne[0];
    for (uint64_t r = begin; r < end; r++)
        pcs_decode(d->t->format, k, d->t->data + r * pcs_tensor_row_bytes(d->t), d->to + r * k);
}

/* What stands beside weights: a scale of the whole weight is in its numbers from here on; scales of inputs are of where
 * it is served. */
static precis_status beside(precis_ctx *ctx, const precis_model *m, const pcs_tensor *t, pcs_llama *l)
{
    char name[96];
    if (pcs_role_of_rope(t->is.role) || pcs_llama_parameter(l, t->name)) return PRECIS_OK;
    if (t->is.end == PCS_END_input_scale || t->is.end == PCS_END_input_zero) return PRECIS_OK;
    if (t->is.end == PCS_END_scale && t->n == 1 && t->format == &pcs_format_f32 && t->data) {
        pcs_place_name(name, sizeof name, t->is.layer, t->is.role, PCS_END_weight);
        const pcs_trained *p = pcs_llama_parameter(l, name);
        const float by = pcs_bits_f32(pcs_load32(t->data));
        for (size_t k = 0; p && k < p->n; k++) p->data[k] *= by;
        if (p) return PRECIS_OK;
    }
    return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: training does not know tensor %s", m->path, t->name);
}

precis_status pcs_pretrained_read(precis_ctx *ctx, const precis_model *m, pcs_llama *l)
{

    for (size_t i = 0; i < l->n; i++) {
        pcs_trained *p = &l->parameters[i];
        if (p->kind != PCS_TRAINED_NET) continue;
        const pcs_tensor *t = pcs_model_tensor(m, p->name);
        const int64_t k = p->dims > 1 ? p->shape[1] : p->shape[0];
        if (!t || t->ne[0] != k || t->n != p->n || t->format->kind == PCS_INT)
            return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: tensor %s is not there in the shape that its keys say",
                            m->path, p->name);
        if (!t->data)
            return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: its weights lie packed; begin with the file it is made of",
                            m->path);
        decoding d = { t, p->data };
        pcs_for(ctx, pcs_tensor_rows(t), 16, rows, &d);
    }
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < m->n_tensors && !st; i++) st = beside(ctx, m, &m->tensors[i], l);
    return st;
}
