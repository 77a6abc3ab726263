/* arch.c - the table of architectures, and what their builders share. */
#include "graph/arch.h"
#include "graph/net.h"

#include "base/fmath.h"
#include "base/hadamard.h"
#include "model/activations.h"
#include "model/counts.h"

#include <stdio.h>

#define ARCH(name) extern const pcs_arch pcs_arch_##name;
#include "graph/archs.def"
#undef ARCH

const pcs_arch *const pcs_archs[] = {
#define ARCH(name) &pcs_arch_##name,
#include "graph/archs.def"
#undef ARCH
    NULL,
};

const pcs_arch *pcs_arch_by_name(const char *name)
{
    for (size_t i = 0; name && pcs_archs[i]; i++)
        if (!strcmp(pcs_archs[i]->name, name)) return pcs_archs[i];
    return NULL;
}

const pcs_arch *pcs_arch_of(const precis_model *m) { return pcs_arch_by_name(pcs_model_string(m, "general.architecture")); }

precis_status pcs_arch_build(const precis_model *m, precis_graph **out, pcs_lm *lm)
{
    *out = NULL;
    *lm = (pcs_lm){ .wanted_context = lm->wanted_context, .most_rows = lm->most_rows, .most_wanted = lm->most_wanted,
                    .whole = lm->whole };
    if (m->net) return pcs_net_build(m, out, lm);
    const char *name = pcs_model_string(m, "general.architecture");
    const char *why = pcs_model_string(m, "precis.cannot_run");
    if (why) return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: config.json: %.150s cannot be run yet; the model can be inspected and quantized", m->path, why);
    if (!name) return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: key general.architecture is missing; it can be inspected and quantized, not run", m->path);
    const pcs_arch *arch = pcs_arch_of(m);
    if (arch) {
        precis_status st = pcs_net_check_names(m);
        if (st == PRECIS_OK) st = precis_graph_open(m->ctx, out);
        if (st == PRECIS_OK && arch->build) st = arch->build(m, *out, lm);
        else if (st == PRECIS_OK) st = pcs_decoder_build(m, *out, lm, arch->decoder);
        if (st == PRECIS_OK) st = precis_graph_verify(*out);
        if (st) precis_graph_close(out);
        return st;
    }
    char known[256] = "";
    for (size_t i = 0; pcs_archs[i]; i++) snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", pcs_archs[i]->name);
    return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: architecture \"%.60s\" cannot be run yet (%s can); it can be inspected and quantized",
                    m->path, name, known);
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
    if (!embed || embed->dims != 2) return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor token_embd.weight is missing or no matrix", m->path);
    pcs_counts c;
    precis_status st = pcs_counts_read(m, &c);
    if (st) return st;
    take_counts(b, &c);
    if (embed->ne[0] != lm->width || embed->ne[1] < 1 || embed->ne[1] > INT32_MAX)
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor token_embd.weight is [%lld, %lld], key embedding_length %u", m->path, (long long)embed->ne[1],
                        (long long)embed->ne[0], lm->width);
    lm->vocabulary = (uint32_t)embed->ne[1];
    bool rms;
    b->eps = (float)pcs_arch_float(m, "attention.layer_norm_rms_epsilon", 1e-5, &rms);
    if (!rms) b->eps = (float)pcs_arch_float(m, "attention.layer_norm_epsilon", 1e-5, NULL);
    st = open_activations(b);
    if (st) return st;
    b->rope_base = pcs_arch_float(m, "rope.freq_base", 10000.0, NULL);
    if (!(b->rope_base > 0 && b->rope_base < 1e30) || !(b->eps >= 0 && b->eps < 1))
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: rope.freq_base %g or epsilon %g out of range", m->path, b->rope_base, (double)b->eps);
    lm->rows = precis_graph_symbol(g, "tokens", lm->most_rows);
    lm->wanted = precis_graph_symbol(g, "outputs", lm->most_wanted);
    lm->tokens = pcs_graph_input_i32(g, "tokens", 1, &lm->rows);
    lm->positions = pcs_graph_input_i32(g, "positions", 1, &lm->rows);
    lm->sequences = pcs_graph_input_i32(g, "sequences", 1, &lm->rows);
    lm->outputs = pcs_graph_input_i32(g, "outputs", 1, &lm->wanted);
    return PRECIS_OK;
}

void pcs_tensor_name(char *out, size_t cap, int layer, const char *name)
{
    if (layer < 0) snprintf(out, cap, "%s", name);
    else snprintf(out, cap, "blk.%d.%s", layer, name);
}

precis_value pcs_node_of(pcs_builder *b, const char *op, int layer, const char *name, const precis_attr *attrs, uint32_t n,
                         const precis_value *in)
{
    char full[96];
    pcs_tensor_name(full, sizeof full, layer, name);
    return precis_graph_node(b->g, full, op, attrs, n, in);
}

precis_value pcs_weight(pcs_builder *b, int layer, const char *name, int64_t rows, int64_t width, bool optional)
{
    char full[96];
    pcs_tensor_name(full, sizeof full, layer, name);
    const pcs_tensor *t = pcs_model_tensor(b->m, full);
    if (!t) return optional ? -2 : pcs_graph_fail(b->g, PRECIS_EFORMAT, "%s: tensor %s is missing", b->m->path, full);
    if (t->n != (uint64_t)rows * (uint64_t)width || t->ne[0] != width || (t->format->kind == PCS_INT))
        return pcs_graph_fail(b->g, PRECIS_EFORMAT, "%s: tensor %s is %s [%lld, %lld], not [%lld, %lld]", b->m->path, full, t->format->name,
                              (long long)(t->ne[0] ? (int64_t)t->n / t->ne[0] : 0), (long long)t->ne[0], (long long)rows, (long long)width);
    const int64_t shape[2] = { rows, width };
    const bool vector = rows == 1 && t->dims == 1;
    const precis_value v = pcs_graph_weight(b->g, full, t, vector ? 1 : 2, vector ? shape + 1 : shape, 0);
    return precis_graph_node(b->g, full, "dequantize", NULL, 1, &v);
}

precis_value pcs_norm(pcs_builder *b, int layer, const char *name, precis_value x, int64_t dim, bool optional)
{
    const precis_attr attrs[] = { precis_attr_real("eps", (double)b->eps), precis_attr_int("dim", dim), { 0 } };
    char tensor[64];
    snprintf(tensor, sizeof tensor, "%.50s.weight", name);
    const precis_value w = pcs_weight(b, layer, tensor, 1, dim, optional);
    return w == -2 ? x : PCS_NODE(b, "rms_norm", layer, name, attrs, x, w);
}

static double softcap(const pcs_builder *b, pcs_cap cap)
{
    return pcs_arch_float(b->m, pcs_cap_key(cap), pcs_usual_softcap(pcs_arch_of(b->m), cap), NULL);
}

precis_value pcs_attend(pcs_builder *b, int layer, precis_value q, precis_value k, precis_value v)
{
    const double scale = pcs_arch_float(b->m, "attention.scale", 1.0 / __builtin_sqrt(pcs_usual_query_dim(b->m)), NULL);
    const uint32_t window = pcs_layer_window(b->m, layer) ? b->window : 0;
    const int64_t shape[4] = { layer, b->kv_heads, b->key_dim, b->value_dim };
    char text[96];
    pcs_tensor_name(text, sizeof text, layer, "kv");
    if (pcs_model_int(b->m, "precis.rotate_keys", 0, NULL) && pcs_hadamard_order(b->key_dim)) { /* R3: scores stay, outliers go */
        const precis_attr dim[] = { precis_attr_int("dim", b->key_dim), { 0 } };
        q = PCS_NODE(b, "hadamard", layer, "q_rotated", dim, q);
        k = PCS_NODE(b, "hadamard", layer, "k_rotated", dim, k);
    }
    const precis_attr attrs[] = {
        precis_attr_real("scale", scale),
        precis_attr_int("window", window),
        precis_attr_real("cap", softcap(b, PCS_CAP_ATTENTION)),
        precis_attr_int("causal", !b->lm->encoder),
        b->lm->whole ? precis_attr_int("dim", b->key_dim) : (precis_attr){ 0 },
        { 0 },
    };
    if (b->lm->whole)
        return PCS_NODE(b, "attention_full", layer, "attention", attrs, q, k, v, b->lm->sequences);
    precis_value s = pcs_graph_state(b->g, text, 4, shape);
    s = PCS_NODE(b, "kv_append", layer, "kv_append", NULL, s, k, v, b->lm->positions, b->lm->sequences);
    return PCS_NODE(b, "attention", layer, "attention", attrs, q, s, b->lm->positions, b->lm->sequences);
}

precis_status pcs_logits(pcs_builder *b, precis_value x)
{
    pcs_lm *lm = b->lm;
    x = PCS_NODE(b, "gather", -1, "last", NULL, x, lm->outputs);
    precis_value w = pcs_weight(b, -1, "output.weight", lm->vocabulary, lm->width, true);
    const char *name = w == -2 ? "token_embd" : "output";
    const float scale = pcs_scalar(b, -1, name, "scale");
    const precis_value plain = x;
    if (scale > 0) x = PCS_NODE(b, "scale", -1, "last_scaled", PRECIS_ATTRS(precis_attr_real("by", (double)scale)), x);
    if (w == -2) w = pcs_weight(b, -1, "token_embd.weight", lm->vocabulary, lm->width, false);
    lm->logits = pcs_low_rank(b, -1, name, "logits", plain, PCS_NODE(b, "matmul", -1, "logits", NULL, x, w), 0, lm->vocabulary, lm->vocabulary, lm->width);
    const double cap = softcap(b, PCS_CAP_LOGITS);
    if (cap > 0)
        lm->logits = PCS_NODE(b, "softcap", -1, "logits_capped", PRECIS_ATTRS(precis_attr_real("cap", cap)), lm->logits);
    precis_graph_output(b->g, lm->logits);
    return b->g->error ? pcs_fail(b->m->ctx, b->g->error, "%s", b->g->message) : PRECIS_OK;
}
