/* blocks.c - parts of transformers that several builders share: matmuls with what belongs to them, q, k and v,
 * feed-forward blocks, experts, rotary tables with their scalings. */
#include "graph/arch.h"

#include "base/builtins.h"
#include "base/f16.h"
#include "base/fmath.h"
#include "base/hadamard.h"

#include <stdio.h>

precis_value pcs_weight_part(pcs_builder *b, int layer, const char *name, const pcs_rows *of)
{
    char full[96], part[128];
    pcs_tensor_name(full, sizeof full, layer, name);
    const pcs_tensor *t = pcs_model_tensor(b->m, full);
    if (!t) return pcs_graph_fail(b->g, PRECIS_EFORMAT, "%s: tensor %s is missing", b->m->path, full);
    const bool vector = t->dims == 1;
    const uint64_t all = (uint64_t)of->all;
    if (vector ? t->n != all || of->width != 1 || t->format->block != 1
               : t->ne[0] != of->width || pcs_tensor_rows(t) != all)
        return pcs_graph_fail(b->g, PRECIS_EFORMAT, "%s: tensor %s is not [%lld, %lld]", b->m->path, full,
                              (long long)of->all, (long long)of->width);
    const int64_t shape[2] = { of->rows, of->width };
    snprintf(part, sizeof part, "%s", full);
    const precis_value v = pcs_graph_weight(b->g, part, t, vector ? 1 : 2, shape, (uint64_t)of->first);
    return precis_graph_node(b->g, part, "dequantize", NULL, 1, &v);
}

/* A scalar that stands beside a weight (NAME.scale, NAME.input_scale); 0 when there is none. */
float pcs_scalar(pcs_builder *b, int layer, const char *name, const char *suffix)
{
    char part[96], full[128];
    snprintf(part, sizeof part, "%.60s.%s", name, suffix);
    pcs_tensor_name(full, sizeof full, layer, part);
    const pcs_tensor *t = pcs_model_tensor(b->m, full);
    return t && t->n == 1 && t->format == &pcs_format_f32 ? pcs_bits_f32(pcs_load32(t->data)) : 0.0f;
}

static bool has(pcs_builder *b, int layer, const char *name)
{
    char full[96];
    pcs_tensor_name(full, sizeof full, layer, name);
    return pcs_model_tensor(b->m, full) != NULL;
}

/* x as the model's scheme for activations rounds it, once per value and scale; a weight that stays float takes it as
 * it is. */
static precis_value rounded(pcs_builder *b, int layer, const char *name, precis_value x)
{
    char weight[64], full[96];
    snprintf(weight, sizeof weight, "%.50s.weight", name);
    pcs_tensor_name(full, sizeof full, layer, weight);
    const pcs_tensor *t = pcs_model_tensor(b->m, full);
    if (!b->act_scheme[0].kind || x < 0 || !t || (t->format->kind != PCS_QUANT && !t->format->element)) return x;
    const float scale = pcs_scalar(b, layer, name, "input_scale"), zero = pcs_scalar(b, layer, name, "input_zero");
    if (b->round_from == x && b->round_scale == scale) return b->round_to;
    precis_attr attrs[8] = { { 0 } };
    size_t n = 0;
    for (; b->act_scheme[n].kind; n++) attrs[n] = b->act_scheme[n];
    if (scale > 0) {
        attrs[n++] = precis_attr_real("scale", (double)scale);
        attrs[n++] = precis_attr_real("zero", (double)zero);
    }
    char node[64];
    snprintf(node, sizeof node, "%.40s.input", name);
    b->round_from = x;
    b->round_scale = scale;
    return b->round_to = PCS_NODE(b, "fake_quant", layer, node, attrs, x);
}

/* Are its inputs signs, and is the weight one bit and one scale a row, so that bits are counted (op xnor)? */
static bool by_bits(pcs_builder *b, int layer, const char *name)
{
    char weight[64], full[96];
    snprintf(weight, sizeof weight, "%.50s.weight", name);
    pcs_tensor_name(full, sizeof full, layer, weight);
    const pcs_tensor *t = pcs_model_tensor(b->m, full);
    const pcs_format *f = t ? t->format : NULL;
    const bool signs = b->act_scheme[1].kind && b->act_scheme[1].integer == 1;
    return signs && f && f->kind == PCS_QUANT && f->head == 4 && f->block == 32 && f->bytes == 4;
}

/* The online rotation that the weight's columns were turned by. */
static precis_value rotated(pcs_builder *b, int layer, const char *name, precis_value x)
{
    const float block = pcs_scalar(b, layer, name, "rotation");
    if (!(block > 1) || x < 0) return x;
    if (b->turn_from == x) return b->turn_to;
    char node[64];
    snprintf(node, sizeof node, "%.40s.rotated", name);
    b->turn_from = x;
    return b->turn_to = PCS_NODE(b, "hadamard", layer, node, PRECIS_ATTRS(precis_attr_int("dim", (int)block)), x);
}

static precis_value weight_rows(pcs_builder *b, int layer, const char *name, const pcs_rows *of)
{
    return of->rows == of->all ? pcs_weight(b, layer, name, of->rows, of->width, false)
                               : pcs_weight_part(b, layer, name, of);
}

/* y + s * B (A x) for a pair of low-rank tensors of a kind beside the weight. */
static precis_value low_rank_pair(pcs_builder *b, const pcs_weight_use *m, const char *kind, precis_value x,
                                  precis_value y)
{
    const int layer = m->layer;
    const char *name = m->name, *as = m->as;
    char text[96], full[128];
    snprintf(text, sizeof text, "%.60s.weight.%s_a", name, kind);
    pcs_tensor_name(full, sizeof full, layer, text);
    const pcs_tensor *a = pcs_model_tensor(b->m, full);
    if (!a) return y;
    const int64_t rank = (int64_t)pcs_tensor_rows(a);
    const precis_value wa = pcs_weight(b, layer, text, rank, m->of.width, false);
    snprintf(text, sizeof text, "%.60s.weight.%s_b", name, kind);
    const precis_value wb = weight_rows(b, layer, text, &(pcs_rows){ m->of.first, m->of.rows, m->of.all, rank });
    snprintf(text, sizeof text, "%.50s.%s_a", as, kind);
    const precis_value inner = PCS_NODE(b, "matmul", layer, text, NULL, x, wa);
    snprintf(text, sizeof text, "%.50s.%s_b", as, kind);
    precis_value z = PCS_NODE(b, "matmul", layer, text, NULL, inner, wb);
    snprintf(text, sizeof text, "%.60s.weight.%s_scale", name, kind);
    const float s = has(b, layer, text) ? pcs_scalar(b, layer, name, text + strlen(name) + 1) : 1.0f;
    if (s != 1.0f) {
        snprintf(text, sizeof text, "%.50s.%s_scaled", as, kind);
        z = PCS_NODE(b, "scale", layer, text, PRECIS_ATTRS(precis_attr_real("by", (double)s)), z);
    }
    snprintf(text, sizeof text, "%.50s.with_%s", as, kind);
    return PCS_NODE(b, "add", layer, text, NULL, y, z);
}

precis_value pcs_low_rank(pcs_builder *b, const pcs_weight_use *m, precis_value x, precis_value y)
{
    return low_rank_pair(b, m, "lora", x, low_rank_pair(b, m, "svd", x, y));
}

precis_value pcs_embed(pcs_builder *b, double factor)
{
    const float scale = pcs_scalar(b, -1, "token_embd", "scale");
    const precis_value w = pcs_weight(b, -1, "token_embd.weight", b->lm->vocabulary, b->lm->width, false);
    if (scale > 0) factor *= (double)scale;
    const precis_attr attrs[] = { precis_attr_real("scale", factor), { 0 } };
    return PCS_NODE(b, "embedding", -1, "embedding", attrs, b->lm->tokens, w);
}

precis_value pcs_embed_places(pcs_builder *b)
{
    pcs_lm *lm = b->lm;
    const pcs_tensor *t = pcs_model_tensor(b->m, "position_embd.weight");
    const uint64_t rows = t ? pcs_tensor_rows(t) : 0;
    if (t && lm->context > rows) lm->context = (uint32_t)rows;
    lm->position_limit = lm->context;
    const precis_value w = pcs_weight(b, -1, "position_embd.weight", (int64_t)rows, lm->width, false);
    const precis_value word = pcs_embed(b, 1.0),
                       place = PCS_NODE(b, "embedding", -1, "position_embedding", NULL, lm->positions, w);
    return PCS_NODE(b, "add", -1, "embedding", NULL, word, place);
}

/* x times the scale of a whole weight, once per value and scale; on the input, so that a bias stays as it is. */
static precis_value scaled(pcs_builder *b, int layer, const char *name, precis_value x)
{
    const float scale = pcs_scalar(b, layer, name, "scale");
    char node[64];
    if (!(scale > 0) || scale == 1.0f) return x;
    if (b->scale_from == x && b->scale_by == scale) return b->scale_to;
    snprintf(node, sizeof node, "%.40s.scaled", name);
    b->scale_from = x;
    b->scale_by = scale;
    return b->scale_to = PCS_NODE(b, "scale", layer, node, PRECIS_ATTRS(precis_attr_real("by", (double)scale)), x);
}

/* x times a weight, with its part of the bias and of all that stands beside it. */
static precis_value linear_part(pcs_builder *b, const pcs_weight_use *m, precis_value x)
{
    const int layer = m->layer;
    const pcs_rows *of = &m->of, vector = { of->first, of->rows, of->all, 1 };
    char tensor[64];
    snprintf(tensor, sizeof tensor, "%.50s.weight", m->name);
    const bool bits = of->rows == of->all && by_bits(b, layer, m->name);
    const precis_value turned = rotated(b, layer, m->name, x);
    const precis_value given = bits ? turned : rounded(b, layer, m->name, turned);
    precis_value in[3] = { scaled(b, layer, m->name, given), weight_rows(b, layer, tensor, of), -1 };
    snprintf(tensor, sizeof tensor, "%.50s.bias", m->name);
    if (has(b, layer, tensor))
        in[2] = of->rows == of->all ? pcs_weight(b, layer, tensor, 1, of->rows, true)
                                    : pcs_weight_part(b, layer, tensor, &vector);
    const pcs_node_spec product = { bits ? "xnor" : "matmul", layer, m->as, NULL };
    return pcs_low_rank(b, m, x, pcs_node_of(b, &product, in[2] >= 0 ? 3 : 2, in));
}

precis_value pcs_linear(pcs_builder *b, int layer, const char *name, precis_value x, int64_t rows, int64_t width)
{
    return linear_part(b, &(pcs_weight_use){ layer, name, name, { 0, rows, rows, width } }, x);
}

void pcs_qkv(pcs_builder *b, int layer, precis_value x, precis_value out[3])
{
    const int64_t n = b->lm->width, q = (int64_t)b->heads * b->key_dim, k = (int64_t)b->kv_heads * b->key_dim,
                  v = (int64_t)b->kv_heads * b->value_dim;
    if (has(b, layer, "attn_qkv.weight")) {
        const int64_t all = q + k + v;
        out[0] = linear_part(b, &(pcs_weight_use){ layer, "attn_qkv", "attn_q", { 0, q, all, n } }, x);
        out[1] = linear_part(b, &(pcs_weight_use){ layer, "attn_qkv", "attn_k", { q, k, all, n } }, x);
        out[2] = linear_part(b, &(pcs_weight_use){ layer, "attn_qkv", "attn_v", { q + k, v, all, n } }, x);
        return;
    }
    out[0] = pcs_linear(b, layer, "attn_q", x, q, n);
    out[1] = pcs_linear(b, layer, "attn_k", x, k, n);
    out[2] = pcs_linear(b, layer, "attn_v", x, v, n);
}

/* x by each token's experts of a tensor [count, rows, width]; `as` names the weight whose input scale rounds x. */
static precis_value expert_linear(pcs_builder *b, const pcs_weight_use *m, precis_value x, precis_value route)
{
    const int64_t rows = m->of.rows, width = m->of.width, shape[3] = { b->experts, rows, width };
    const int layer = m->layer;
    const char *name = m->name;
    char full[96], text[64];
    snprintf(text, sizeof text, "%.40s.weight", name);
    pcs_tensor_name(full, sizeof full, layer, text);
    const pcs_tensor *t = pcs_model_tensor(b->m, full);
    if (!t) return pcs_graph_fail(b->g, PRECIS_EFORMAT, "%s: tensor %s is missing", b->m->path, full);
    if (t->dims != 3 || t->ne[0] != width || t->ne[1] != rows || t->ne[2] != shape[0] || t->format->kind == PCS_INT)
        return pcs_graph_fail(b->g, PRECIS_EFORMAT, "%s: tensor %s is not [%lld, %lld, %lld]", b->m->path, full,
                              (long long)shape[0], (long long)rows, (long long)width);
    precis_value in[4] = { rounded(b, layer, m->as, x), pcs_graph_weight(b->g, full, t, 3, shape, 0), route, -1 };
    in[1] = precis_graph_node(b->g, full, "dequantize", NULL, 1, &in[1]);
    snprintf(text, sizeof text, "%.40s.scale", name);
    if (has(b, layer, text)) in[3] = pcs_weight(b, layer, text, 1, shape[0], false);
    return pcs_node_of(b, &(pcs_node_spec){ "moe_matmul", layer, name, NULL }, in[3] >= 0 ? 4 : 3, in);
}

/* Experts: a router, and gate, up and down of each in one tensor (Fedus et al. 2021; Jiang et al. 2024). */
static precis_value experts(pcs_builder *b, int layer, precis_value x, const char *activation)
{
    const int64_t n = b->lm->width, hidden = b->expert_hidden;
    const precis_attr attrs[] = { precis_attr_int("top", b->experts_used),
                                  precis_attr_int("norm", b->experts_norm),
                                  { 0 } };
    const precis_value logits = pcs_linear(b, layer, "ffn_gate_inp", x, b->experts, n);
    const precis_value route = PCS_NODE(b, "moe_route", layer, "ffn_route", attrs, logits);
    const pcs_rows wide = { 0, hidden, hidden, n }, narrow = { 0, n, n, hidden };
    const pcs_weight_use gates = { layer, "ffn_gate_exps", "ffn_gate_exps", wide };
    const pcs_weight_use ups = { layer, "ffn_up_exps", "ffn_gate_exps", wide };
    const pcs_weight_use downs = { layer, "ffn_down_exps", "ffn_down_exps", narrow };
    const precis_value gate = expert_linear(b, &gates, x, route), up = expert_linear(b, &ups, x, route);
    const precis_value h = PCS_NODE(b, activation, layer, "ffn_act", NULL, gate, up);
    return PCS_NODE(b, "moe_sum", layer, "ffn_experts", NULL, expert_linear(b, &downs, h, route), route);
}

precis_value pcs_ffn(pcs_builder *b, int layer, precis_value x, const char *activation)
{
    const int64_t n = b->lm->width, hidden = b->hidden;
    precis_value gate, up;
    if (b->experts && has(b, layer, "ffn_gate_inp.weight")) return experts(b, layer, x, activation);
    if (!has(b, layer, "ffn_gate.weight")) { /* both in one, gate first */
        gate = linear_part(b, &(pcs_weight_use){ layer, "ffn_up", "ffn_gate", { 0, hidden, 2 * hidden, n } }, x);
        up = linear_part(b, &(pcs_weight_use){ layer, "ffn_up", "ffn_up", { hidden, hidden, 2 * hidden, n } }, x);
    } else {
        gate = pcs_linear(b, layer, "ffn_gate", x, hidden, n);
        up = pcs_linear(b, layer, "ffn_up", x, hidden, n);
    }
    precis_value h = PCS_NODE(b, activation, layer, "ffn_act", NULL, gate, up);
    h = pcs_norm(b, layer, "ffn_sub_norm", h, hidden, true);
    return pcs_linear(b, layer, "ffn_down", h, n, hidden);
}

precis_value pcs_layer_norm(pcs_builder *b, int layer, const char *name, precis_value x)
{
    const precis_attr attrs[] = { precis_attr_real("eps", (double)b->eps), { 0 } };
    char tensor[64];
    snprintf(tensor, sizeof tensor, "%.50s.weight", name);
    const precis_value w = pcs_weight(b, layer, tensor, 1, b->lm->width, false);
    snprintf(tensor, sizeof tensor, "%.50s.bias", name);
    const precis_value bias = pcs_weight(b, layer, tensor, 1, b->lm->width, true);
    if (bias < 0) return PCS_NODE(b, "layer_norm", layer, name, attrs, x, w);
    return PCS_NODE(b, "layer_norm", layer, name, attrs, x, w, bias);
}

/* ---- rotary tables ------------------------------------------------------------------------------ */

/* Frequencies between those of short and of long contexts (Peng et al. 2023, YaRN, section 3.2 and 3.4). */
static double yarn(const pcs_builder *b, double base, double factor, int64_t i, double extrapolated)
{
    const double dims = b->rope_dims,
                 original = pcs_arch_float(b->m, "rope.scaling.original_context_length", b->lm->context, NULL),
                 turn = 6.283185307179586;
    const double fast = pcs_arch_float(b->m, "rope.scaling.yarn_beta_fast", 32.0, NULL),
                 slow = pcs_arch_float(b->m, "rope.scaling.yarn_beta_slow", 1.0, NULL);
    double lo = dims * pcs_log(original / (fast * turn)) / (2 * pcs_log(base)),
           hi = dims * pcs_log(original / (slow * turn)) / (2 * pcs_log(base));
    lo = pcs_floor(lo) > 0 ? pcs_floor(lo) : 0;
    hi = pcs_ceil(hi) < dims - 1 ? pcs_ceil(hi) : dims - 1;
    double ramp = ((double)i - lo) / (hi - lo > 0.001 ? hi - lo : 0.001);
    ramp = 1 - (ramp < 0 ? 0 : ramp > 1 ? 1 : ramp);
    return extrapolated / factor * (1 - ramp) + extrapolated * ramp;
}

/* Tensor of one factor per frequency, or NULL; a wrong one is an error. */
static const pcs_tensor *factors_of(pcs_builder *b, const char *name, int64_t n)
{
    const pcs_tensor *t = pcs_model_tensor(b->m, name);
    if (t && (t->n != (uint64_t)n || t->format != &pcs_format_f32)) {
        pcs_graph_fail(b->g, PRECIS_EFORMAT, "tensor %s is not F32 [%lld]", name, (long long)n);
        return NULL;
    }
    return t;
}

/* Radians that a position turns by: 1 in models that are right. The largest position times it stays in the range in
 * which sine and cosine are known (base/fmath.h). */
#define MOST_FREQUENCY 512.0f

precis_value pcs_rope_table(pcs_builder *b, const char *name, double base, bool scaled)
{
    const int64_t n = b->rope_dims / 2;
    float *f = pcs_arena_alloc(&b->g->arena, n ? (size_t)n : 1, sizeof *f);
    if (!f) return pcs_graph_fail(b->g, PRECIS_ENOMEM, "%s", precis_ctx_message(b->g->ctx));
    char key[128];
    snprintf(key, sizeof key, "%.60s.rope.scaling.type", pcs_model_string(b->m, "general.architecture"));
    const char *type = scaled ? pcs_model_string(b->m, key) : NULL;
    double factor = scaled ? pcs_arch_float(b->m, "rope.scaling.factor", 1.0, NULL) : 1.0, magnitude = 1.0;
    if (!(factor > 0)) factor = 1.0;
    const bool is_yarn = type && !strcmp(type, "yarn"), is_long = type && !strcmp(type, "longrope");
    if (type && !is_yarn && !is_long && strcmp(type, "linear") && strcmp(type, "none"))
        return pcs_graph_fail(b->g, PRECIS_EUNSUPPORTED, "%s: key %s: \"%.40s\" cannot be run yet", b->m->path, key,
                              type);
    if (type && !strcmp(type, "none")) factor = 1.0;
    const int64_t original = pcs_arch_int(b->m, "rope.scaling.original_context_length", 0, NULL);
    const pcs_tensor *factors = scaled ? factors_of(b, "rope_freqs.weight", n) : NULL;
    if (scaled && pcs_model_tensor(b->m, "rope_factors_short.weight")) {
        /* one set of factors up to the original context and another beyond it (Ding et al. 2024, LongRoPE) */
        factors = factors_of(b,
                             original > 0 && b->lm->wanted_context > original ? "rope_factors_long.weight"
                                                                              : "rope_factors_short.weight",
                             n);
        factor = 1.0;
        magnitude = pcs_arch_float(b->m, "rope.scaling.attn_factor", 1.0, NULL);
    }
    if (is_yarn)
        magnitude = pcs_arch_float(b->m, "rope.scaling.attn_factor", 1.0, NULL) * (1.0 + 0.1 * pcs_log(factor));
    for (int64_t i = 0; i < n; i++) {
        const double plain = 1.0 / pcs_pow(base, 2.0 * (double)i / b->rope_dims);
        const double divisor = factors ? (double)pcs_bits_f32(pcs_load32(factors->data + 4 * i)) : 1.0;
        f[i] = (float)(is_yarn ? yarn(b, base, factor, i, plain) / divisor : plain / factor / divisor);
        if (!(f[i] >= 0 && f[i] <= MOST_FREQUENCY))
            return pcs_graph_fail(b->g, PRECIS_EFORMAT,
                                  "%s: frequency %lld of %s is %g: rope's base (%g), scaling (%g) or %s is wrong",
                                  b->m->path, (long long)i, name, (double)f[i], base, factor,
                                  factors ? factors->name : "factors");
    }
    const precis_attr attrs[] = { precis_attr_real("scale", magnitude), { 0 } };
    return PCS_NODE(b, "rope_table", -1, name, attrs, b->lm->positions,
                    precis_graph_constant(b->g, "frequencies", 1, &n, f));
}

static double softcap(const pcs_builder *b, pcs_cap cap)
{
    return pcs_arch_float(b->m, pcs_cap_key(cap), pcs_usual_softcap(pcs_arch_of(b->m), cap), NULL);
}

precis_value pcs_attend(pcs_builder *b, int layer, precis_value q, precis_value k, precis_value v)
{
    const double scale = pcs_arch_float(b->m, "attention.scale", 1.0 / pcs_sqrt(pcs_usual_query_dim(b->m)), NULL);
    const uint32_t window = pcs_layer_window(b->m, layer) ? b->window : 0;
    const int64_t shape[4] = { layer, b->kv_heads, b->key_dim, b->value_dim };
    char text[96];
    pcs_tensor_name(text, sizeof text, layer, "kv");
    if (pcs_model_int(b->m, "precis.rotate_keys", 0, NULL) &&
        pcs_hadamard_order(b->key_dim)) { /* R3: scores stay, outliers go */
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
    const pcs_weight_use head = { -1, name, "logits", { 0, lm->vocabulary, lm->vocabulary, lm->width } };
    lm->logits = pcs_low_rank(b, &head, plain, PCS_NODE(b, "matmul", -1, "logits", NULL, x, w));
    const double cap = softcap(b, PCS_CAP_LOGITS);
    if (cap > 0)
        lm->logits = PCS_NODE(b, "softcap", -1, "logits_capped", PRECIS_ATTRS(precis_attr_real("cap", cap)),
                              lm->logits);
    precis_graph_output(b->g, lm->logits);
    return b->g->error ? pcs_fail(b->m->ctx, b->g->error, "%s", b->g->message) : PRECIS_OK;
}
