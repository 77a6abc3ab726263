/* builder.c - what builders of architectures share. */
#include "graph/arch.h"
#include "graph/net.h"

#include "base/fmath.h"
#include "base/hadamard.h"
#include "model/activations.h"
#include "model/counts.h"

#include <stdio.h>

void pcs_tensor_name(char *out, size_t cap, int layer, const char *name)
{
    if (layer < 0) snprintf(out, cap, "%s", name);
    else snprintf(out, cap, "blk.%d.%s", layer, name);
}

precis_value pcs_norm(pcs_builder *b, int layer, const char *name, precis_value x, int64_t dim, bool optional)
{
    const precis_attr attrs[] = { precis_attr_real("eps", (double)b->eps), precis_attr_int("dim", dim), { 0 } };
    char tensor[64];
    snprintf(tensor, sizeof tensor, "%.50s.weight", name);
    const precis_value w = pcs_weight(b, layer, tensor, 1, dim, optional);
    return w == -2 ? x : PCS_NODE(b, "rms_norm", layer, name, attrs, x, w);
}

precis_value pcs_node_of(pcs_builder *b, const pcs_node_spec *s, uint32_t n, const precis_value *in)
{
    char full[96];
    pcs_tensor_name(full, sizeof full, s->layer, s->name);
    return precis_graph_node(b->g, full, s->op, s->attrs, n, in);
}

static precis_status open_activations(pcs_builder *b)
{
    const char *name = pcs_model_string(b->m, "precis.activations");
    pcs_activations a;
    if (!name) return PRECIS_OK;
    if (!pcs_activations_of(name, &a))
        return pcs_fail(b->m->ctx, PRECIS_EUNSUPPORTED, "%s: key precis.activations: \"%.40s\" is not known",
                        b->m->path, name);
    b->act_scheme[0] = precis_attr_int("scheme", a.scheme);
    if (!a.whole) return PRECIS_OK;
    b->act_scheme[1] = precis_attr_int("bits", a.bits);
    b->act_scheme[2] = precis_attr_int("group", a.group);
    return PRECIS_OK;
}

static void take_counts(pcs_builder *b, const pcs_counts *c)
{
    b->lm->layers = c->layers;
    b->lm->width = c->width;
    b->lm->context = c->context;
    b->heads = c->heads;
    b->kv_heads = c->kv_heads;
    b->key_dim = c->key_dim;
    b->value_dim = c->value_dim;
    b->rope_dims = c->rope_dims;
    b->hidden = c->hidden;
    b->window = c->window;
    b->experts = c->experts;
    b->experts_used = c->experts_used;
    b->expert_hidden = c->expert_hidden;
    b->experts_norm = pcs_arch_int(b->m, "expert_weights_norm", 1, NULL) != 0;
}

precis_status pcs_builder_open(pcs_builder *b, const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    *b = (pcs_builder){ .m = m, .g = g, .lm = lm, .round_from = -1, .turn_from = -1, .scale_from = -1 };
    const pcs_tensor *embed = pcs_model_tensor(m, "token_embd.weight");
    if (!embed || embed->dims != 2)
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor token_embd.weight is missing or no matrix", m->path);
    pcs_counts c;
    precis_status st = pcs_counts_read(m, &c);
    if (st) return st;
    take_counts(b, &c);
    if (embed->ne[0] != lm->width || embed->ne[1] < 1 || embed->ne[1] > INT32_MAX)
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor token_embd.weight is [%lld, %lld], key embedding_length %u",
                        m->path, (long long)embed->ne[1], (long long)embed->ne[0], lm->width);
    lm->vocabulary = (uint32_t)embed->ne[1];
    bool rms;
    b->eps = (float)pcs_arch_float(m, "attention.layer_norm_rms_epsilon", 1e-5, &rms);
    if (!rms) b->eps = (float)pcs_arch_float(m, "attention.layer_norm_epsilon", 1e-5, NULL);
    st = open_activations(b);
    if (st) return st;
    b->rope_base = pcs_arch_float(m, "rope.freq_base", 10000.0, NULL);
    if (!(b->rope_base > 0 && b->rope_base < 1e30) || !(b->eps >= 0 && b->eps < 1))
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: rope.freq_base %g or epsilon %g out of range", m->path,
                        b->rope_base, (double)b->eps);
    lm->rows = precis_graph_symbol(g, "tokens", lm->most_rows);
    lm->wanted = precis_graph_symbol(g, "outputs", lm->most_wanted);
    lm->tokens = pcs_graph_input_i32(g, "tokens", 1, &lm->rows);
    lm->positions = pcs_graph_input_i32(g, "positions", 1, &lm->rows);
    lm->sequences = pcs_graph_input_i32(g, "sequences", 1, &lm->rows);
    lm->outputs = pcs_graph_input_i32(g, "outputs", 1, &lm->wanted);
    return PRECIS_OK;
}

precis_value pcs_weight(pcs_builder *b, int layer, const char *name, int64_t rows, int64_t width, bool optional)
{
    char full[96];
    pcs_tensor_name(full, sizeof full, layer, name);
    const pcs_tensor *t = pcs_model_tensor(b->m, full);
    if (!t) return optional ? -2 : pcs_graph_fail(b->g, PRECIS_EFORMAT, "%s: tensor %s is missing", b->m->path, full);
    if (t->n != (uint64_t)rows * (uint64_t)width || t->ne[0] != width || (t->format->kind == PCS_INT))
        return pcs_graph_fail(b->g, PRECIS_EFORMAT, "%s: tensor %s is %s [%lld, %lld], not [%lld, %lld]", b->m->path,
                              full, t->format->name, (long long)(t->ne[0] ? (int64_t)t->n / t->ne[0] : 0),
                              (long long)t->ne[0], (long long)rows, (long long)width);
    const int64_t shape[2] = { rows, width };
    const bool vector = rows == 1 && t->dims == 1;
    const precis_value v = pcs_graph_weight(b->g, full, t, vector ? 1 : 2, vector ? shape + 1 : shape, 0);
    return precis_graph_node(b->g, full, "dequantize", NULL, 1, &v);
}
