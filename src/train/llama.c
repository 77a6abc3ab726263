/* llama.c - see llama.h. Tied embeddings, half-split RoPE, grouped queries, SwiGLU, RMS norms. */
#include "train/llama.h"

#include "base/fmath.h"
#include "quant/methods.h"

#include <stdio.h>

/* ---- parameters --------------------------------------------------------------------------------- */

static void add(pcs_llama *l, int64_t rows, int64_t columns, const char *format, int64_t layer)
{
    pcs_trained *p = &l->parameters[l->n++];
    *p = (pcs_trained){ .dims = rows ? 2 : 1, .value = -1 };
    p->shape[0] = rows ? rows : columns;
    p->shape[1] = rows ? columns : 0;
    p->n = (size_t)(rows ? rows * columns : columns);
    if (layer < 0) snprintf(p->name, sizeof p->name, "%s.weight", format);
    else snprintf(p->name, sizeof p->name, "blk.%lld.%s.weight", (long long)layer, format);
}

static precis_status checked(precis_ctx *ctx, const pcs_llama_config *c)
{
    const int64_t most = 1 << 24, all[] = { c->width, c->layers, c->heads, c->kv_heads, c->hidden, c->vocabulary };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] < 1 || all[i] > most)
            return pcs_fail(ctx, PRECIS_EFORMAT, "model: a llama's size of %lld", (long long)all[i]);
    if (c->width % c->heads || c->heads % c->kv_heads || c->width / c->heads % 2)
        return pcs_fail(ctx, PRECIS_EFORMAT,
                        "model: %lld heads and %lld key heads do not divide a width of %lld into pairs",
                        (long long)c->heads, (long long)c->kv_heads, (long long)c->width);
    return PRECIS_OK;
}

precis_status pcs_llama_open(precis_ctx *ctx, pcs_llama *l, const pcs_llama_config *c)
{
    *l = (pcs_llama){ 0 };
    const precis_status st = checked(ctx, c);
    if (st) return st;
    l->parameters = pcs_alloc(ctx, (size_t)c->layers * 11 + 2, sizeof *l->parameters);
    if (!l->parameters) return PRECIS_ENOMEM;
    const int64_t dim = c->width / c->heads, shared = dim * c->kv_heads;
    add(l, c->vocabulary, c->width, "token_embd", -1);
    add(l, 0, c->width, "output_norm", -1);
    for (int64_t i = 0; i < c->layers; i++) {
        add(l, 0, c->width, "attn_norm", i);
        add(l, 0, c->width, "ffn_norm", i);
        add(l, c->width, c->width, "attn_q", i);
        add(l, shared, c->width, "attn_k", i);
        add(l, shared, c->width, "attn_v", i);
        add(l, c->width, c->width, "attn_output", i);
        add(l, c->hidden, c->width, "ffn_gate", i);
        add(l, c->hidden, c->width, "ffn_up", i);
        add(l, c->width, c->hidden, "ffn_down", i);
        if (c->qk_norm) add(l, 0, dim, "attn_q_norm", i);
        if (c->qk_norm) add(l, 0, dim, "attn_k_norm", i);
    }
    return PRECIS_OK;
}

void pcs_llama_close(precis_ctx *ctx, pcs_llama *l)
{
    pcs_free(ctx, l->parameters);
    *l = (pcs_llama){ 0 };
}

pcs_trained *pcs_llama_parameter(const pcs_llama *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->parameters[i].name, name)) return &l->parameters[i];
    return NULL;
}

/* ---- the net ------------------------------------------------------------------------------------ */

typedef struct {
    pcs_llama *l;
    precis_graph *g;
    const pcs_llama_config *c;
    int64_t layer, dim;
    precis_value table; /* of rotations */
} build;

static precis_value of(build *b, const char *what)
{
    char name[80];
    if (b->layer < 0) snprintf(name, sizeof name, "%s.weight", what);
    else snprintf(name, sizeof name, "blk.%lld.%s.weight", (long long)b->layer, what);
    const pcs_trained *p = pcs_llama_parameter(b->l, name);
    return p ? p->value : -1;
}

static precis_value make(build *b, const char *what, const char *op, const precis_attr *attrs, uint32_t n,
                         const precis_value *in)
{
    char name[80];
    if (b->layer < 0) snprintf(name, sizeof name, "%s", what);
    else snprintf(name, sizeof name, "blk.%lld.%s", (long long)b->layer, what);
    return precis_graph_node(b->g, name, op, attrs, n, in);
}

static precis_value rounded(build *b, const char *what, int bits, int64_t group, precis_value x)
{
    if (bits > 8) return x;
    return make(b, what, "fake_quant", PRECIS_ATTRS(precis_attr_int("bits", bits), precis_attr_int("group", group)), 1,
                &x);
}

/* A layer's weight as its type stores it. Weights of one input share what the type has beside them, as quant writes it.
 */
static precis_value stored(build *b, const char *what)
{
    static const char *const together[][3] = { { "attn_q", "attn_k", "attn_v" }, { "ffn_gate", "ffn_up", "" } };
    const float top = pcs_scaled_to(pcs_format_by_name(b->c->w_type));
    precis_value in[4] = { of(b, what) };
    uint32_t n = 1;
    for (size_t g = 0; top > 0 && g < 2; g++) {
        bool among = false;
        for (int i = 0; i < 3; i++) among |= !strcmp(together[g][i], what);
        for (int i = 0; i < 3 && among; i++)
            if (*together[g][i] && strcmp(together[g][i], what)) in[n++] = of(b, together[g][i]);
    }
    const precis_attr attrs[] = { precis_attr_text("type", b->c->w_type), precis_attr_real("top", (double)top), { 0 } };
    return make(b, what, "type_quant", attrs, n, in);
}

/* x, already rounded, by a weight that is rounded here. */
static precis_value linear(build *b, const char *what, precis_value x)
{
    const precis_value w = b->c->w_type ? stored(b, what) : rounded(b, what, b->c->w_bits, 0, of(b, what));
    const precis_value in[2] = { x, w };
    return make(b, what, "matmul", NULL, 2, in);
}

static precis_value norm(build *b, const char *what, precis_value x, int64_t dim)
{
    const precis_value in[2] = { x, of(b, what) };
    return make(b, what, "rms_norm", PRECIS_ATTRS(precis_attr_real("eps", b->c->eps), precis_attr_int("dim", dim)), 2,
                in);
}

static precis_value sum(build *b, const char *what, precis_value x, precis_value y)
{
    const precis_value in[2] = { x, y };
    return make(b, what, "add", NULL, 2, in);
}

static precis_value turned(build *b, const char *what, precis_value x)
{
    const precis_value in[2] = { x, b->table };
    return make(b, what, "rope",
                PRECIS_ATTRS(precis_attr_int("dim", b->dim), precis_attr_int("interleaved", b->c->interleaved)), 2, in);
}

static precis_value attend(build *b, precis_value x)
{
    const precis_value a = rounded(b, "attn_in", b->c->a_bits, 0, norm(b, "attn_norm", x, 0));
    precis_value q = linear(b, "attn_q", a), k = linear(b, "attn_k", a);
    const precis_value v = rounded(b, "attn_v_rounded", b->c->kv_bits, b->dim, linear(b, "attn_v", a));
    if (b->c->qk_norm) q = norm(b, "attn_q_norm", q, b->dim);
    if (b->c->qk_norm) k = norm(b, "attn_k_norm", k, b->dim);
    q = turned(b, "rope_q", q);
    k = rounded(b, "attn_k_rounded", b->c->kv_bits, b->dim, turned(b, "rope_k", k));
    const precis_value in[4] = { q, k, v, b->l->sequences };
    const precis_attr attrs[] = { precis_attr_int("dim", b->dim),
                                  precis_attr_real("scale", 1 / __builtin_sqrt((double)b->dim)),
                                  { 0 } };
    const precis_value y = make(b, "attention", "attention_full", attrs, 4, in);
    return sum(b, "attn_sum", x, linear(b, "attn_output", rounded(b, "attn_out_in", b->c->a_bits, 0, y)));
}

static precis_value feed(build *b, precis_value x)
{
    const precis_value a = rounded(b, "ffn_in", b->c->a_bits, 0, norm(b, "ffn_norm", x, 0));
    const precis_value in[2] = { linear(b, "ffn_gate", a), linear(b, "ffn_up", a) };
    const precis_value y = rounded(b, "ffn_down_in", b->c->a_bits, 0, make(b, "ffn_act", "swiglu", NULL, 2, in));
    return sum(b, "ffn_sum", x, linear(b, "ffn_down", y));
}

static precis_value rotations(build *b)
{
    float f[4096];
    const int64_t n = b->dim / 2;
    if (n > 4096) return pcs_graph_fail(b->g, PRECIS_EINVAL, "heads of %lld numbers", (long long)b->dim);
    for (int64_t i = 0; i < n; i++) f[i] = (float)pcs_pow(b->c->rope_base, -2.0 * (double)i / (double)b->dim);
    const precis_value in[2] = { b->l->positions, precis_graph_constant(b->g, "rope_freqs", 1, &n, f) };
    return make(b, "rope_table", "rope_table", NULL, 2, in);
}

void pcs_llama_build(pcs_llama *l, precis_graph *g, const pcs_llama_config *c)
{
    build b = { .l = l, .g = g, .c = c, .layer = -1, .dim = c->width / c->heads };
    for (size_t i = 0; i < l->n; i++) {
        pcs_trained *p = &l->parameters[i];
        p->value = pcs_graph_parameter(g, p->name, p->dims, p->shape, p->data);
    }
    l->tokens = precis_graph_symbol(g, "tokens", 0);
    l->ids = pcs_graph_input_i32(g, "ids", 1, &l->tokens);
    l->targets = pcs_graph_input_i32(g, "targets", 1, &l->tokens);
    l->positions = pcs_graph_input_i32(g, "positions", 1, &l->tokens);
    l->sequences = pcs_graph_input_i32(g, "sequences", 1, &l->tokens);
    b.table = rotations(&b);
    precis_value x = make(&b, "embedding", "embedding", NULL, 2, (precis_value[]){ l->ids, of(&b, "token_embd") });
    for (int64_t i = 0; i < c->layers; i++) {
        b.layer = i;
        x = feed(&b, attend(&b, x));
    }
    b.layer = -1;
    x = norm(&b, "output_norm", x, 0);
    l->logits = make(&b, "logits", "matmul", NULL, 2, (precis_value[]){ x, of(&b, "token_embd") });
    l->rows = make(&b, "losses", "cross_entropy", NULL, 2, (precis_value[]){ l->logits, l->targets });
    l->loss = make(&b, "loss", "mean", NULL, 2, (precis_value[]){ l->rows, l->targets });
    precis_graph_output(g, l->loss);
}
