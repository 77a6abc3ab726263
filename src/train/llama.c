/* llama.c - see llama.h. Tied embeddings, half-split RoPE, grouped queries, SwiGLU, RMS norms. */
#include "train/llama.h"

#include "base/builtins.h"
#include "base/fmath.h"
#include "model/roles.h"
#include "quant/methods.h"

#include <stdio.h>

/* ---- parameters --------------------------------------------------------------------------------- */

static int64_t head_dim(const pcs_llama_config *c) { return c->head_dim ? c->head_dim : c->width / c->heads; }

pcs_trained *pcs_llama_push(precis_ctx *ctx, pcs_llama *l, int64_t rows, int64_t columns)
{
    if (l->n == l->room) {
        pcs_trained *grown = pcs_grow(ctx, l->parameters, l->n * sizeof *grown, 2 * l->room + 16, sizeof *grown);
        if (!grown) return NULL;
        l->parameters = grown;
        l->room = 2 * l->room + 16;
    }
    pcs_trained *p = &l->parameters[l->n++];
    *p = (pcs_trained){ .dims = rows ? 2 : 1, .value = -1, .ready = -1, .rounded = -1, .watched = -1, .input = -1 };
    p->shape[0] = rows ? rows : columns;
    p->shape[1] = rows ? columns : 0;
    p->n = (size_t)(rows ? rows * columns : columns);
    return p;
}

static void add(pcs_llama *l, int64_t rows, int64_t columns, const char *format, int64_t layer)
{
    pcs_trained *p = pcs_llama_push(NULL, l, rows, columns); /* there is room */
    if (layer < 0) snprintf(p->name, sizeof p->name, "%s.weight", format);
    else snprintf(p->name, sizeof p->name, "blk.%lld.%s.weight", (long long)layer, format);
}

static precis_status checked(precis_ctx *ctx, const pcs_llama_config *c)
{
    const int64_t most = 1 << 24, all[] = { c->width, c->layers, c->heads, c->kv_heads, c->hidden, c->vocabulary };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] < 1 || all[i] > most)
            return pcs_fail(ctx, PRECIS_EFORMAT, "model: a llama's size of %lld", (long long)all[i]);
    if ((!c->head_dim && c->width % c->heads) || c->heads % c->kv_heads || head_dim(c) % 2)
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
    l->room = (size_t)c->layers * 11 + 3;
    l->parameters = pcs_alloc(ctx, l->room, sizeof *l->parameters);
    if (!l->parameters) return PRECIS_ENOMEM;
    const int64_t dim = head_dim(c), shared = dim * c->kv_heads, all = dim * c->heads;
    add(l, c->vocabulary, c->width, "token_embd", -1);
    add(l, 0, c->width, "output_norm", -1);
    for (int64_t i = 0; i < c->layers; i++) {
        add(l, 0, c->width, "attn_norm", i);
        add(l, 0, c->width, "ffn_norm", i);
        add(l, all, c->width, "attn_q", i);
        add(l, shared, c->width, "attn_k", i);
        add(l, shared, c->width, "attn_v", i);
        add(l, c->width, all, "attn_output", i);
        add(l, c->hidden, c->width, "ffn_gate", i);
        add(l, c->hidden, c->width, "ffn_up", i);
        add(l, c->width, c->hidden, "ffn_down", i);
        if (c->qk_norm) add(l, 0, dim, "attn_q_norm", i);
        if (c->qk_norm) add(l, 0, dim, "attn_k_norm", i);
    }
    if (c->untied) add(l, c->vocabulary, c->width, "output", -1);
    return PRECIS_OK;
}

/* "range:blk.0.attn_q.weight", of parameter `of` or of an activation. */
static precis_status add_range(precis_ctx *ctx, pcs_llama *l, const char *of, size_t index, int64_t n, bool observed)
{
    pcs_trained *p = pcs_llama_push(ctx, l, 0, n);
    if (!p) return PRECIS_ENOMEM;
    snprintf(p->name, sizeof p->name, "range:%.56s", of);
    p->kind = observed ? PCS_TRAINED_OBSERVED : PCS_TRAINED_RANGE;
    p->of = index;
    if (!observed) return PRECIS_OK;
    p = pcs_llama_push(ctx, l, 0, 3);
    if (!p) return PRECIS_ENOMEM;
    snprintf(p->name, sizeof p->name, "seen:%.57s", of);
    p->kind = PCS_TRAINED_OBSERVER;
    p->of = l->n - 2;
    return PRECIS_OK;
}

static const char *const inputs_of_a_layer[] = { "attn_in", "attn_out_in", "ffn_in", "ffn_down_in" };

precis_status pcs_llama_add_ranges(precis_ctx *ctx, pcs_llama *l, const pcs_llama_config *c)
{
    const pcs_estimator *e = c->estimator;
    const size_t weights = l->n;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < weights && e && e->ranges && !st; i++) {
        const pcs_trained p = l->parameters[i];
        if (!p.type || p.dims != 2) continue;
        st = add_range(ctx, l, p.name, i, e->ranges == PCS_RANGE_ROW ? p.shape[0] : 1, false);
    }
    const bool observed = c->a_scale == PCS_SCALE_OBSERVED;
    const bool one = c->a_bits <= 8 && (observed || (c->a_scale == PCS_SCALE_ESTIMATED && e && e->learns_activations));
    for (int64_t i = 0; i < c->layers && one; i++)
        for (size_t k = 0; k < sizeof inputs_of_a_layer / sizeof *inputs_of_a_layer && !st; k++) {
            char name[48];
            snprintf(name, sizeof name, "blk.%lld.%s", (long long)i, inputs_of_a_layer[k]);
            st = add_range(ctx, l, name, SIZE_MAX, 1, observed);
        }
    return st;
}

precis_status pcs_llama_add_adapters(precis_ctx *ctx, pcs_llama *l, const pcs_llama_config *c)
{
    const size_t weights = l->n;
    for (size_t i = 0; i < weights; i++) {
        const pcs_trained w = l->parameters[i];
        l->parameters[i].fixed = true;
        if (w.kind != PCS_TRAINED_NET || w.dims != 2 || pcs_place_of(w.name).layer < 0) continue;
        for (int k = 0; k < 2; k++) {
            pcs_trained *p = pcs_llama_push(ctx, l, k ? w.shape[0] : c->rank, k ? c->rank : w.shape[1]);
            if (!p) return PRECIS_ENOMEM;
            snprintf(p->name, sizeof p->name, "%.54s.lora_%c", w.name, k ? 'b' : 'a');
            p->kind = PCS_TRAINED_ADAPTER;
            p->of = i;
        }
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
    bool typed;         /* some parameter has a type */
    int64_t products;   /* in few bits, so far */
} build;

static pcs_trained *place(build *b, const char *what, const char *end)
{
    char name[128];
    if (b->layer < 0) snprintf(name, sizeof name, "%s%s", what, end);
    else snprintf(name, sizeof name, "blk.%lld.%s%s", (long long)b->layer, what, end);
    return pcs_llama_parameter(b->l, name);
}

static precis_value of(build *b, const char *what)
{
    const pcs_trained *p = place(b, what, ".weight");
    return p ? p->value : -1;
}

static precis_value make(build *b, const char *what, const char *op, const precis_attr *attrs, uint32_t n,
                         const precis_value *in)
{
    char name[128];
    if (b->layer < 0) snprintf(name, sizeof name, "%s", what);
    else snprintf(name, sizeof name, "blk.%lld.%s", (long long)b->layer, what);
    return precis_graph_node(b->g, name, op, attrs, n, in);
}

static precis_value rounded(build *b, const char *what, int bits, int64_t group, precis_value x)
{
    if (bits > 8 || b->c->plain) return x;
    return make(b, what, "fake_quant", PRECIS_ATTRS(precis_attr_int("bits", bits), precis_attr_int("group", group)), 1,
                &x);
}

/* ---- weights ------------------------------------------------------------------------------------ */

static const pcs_trained *range_of(const build *b, const pcs_trained *p)
{
    const size_t index = (size_t)(p - b->l->parameters);
    for (size_t i = 0; i < b->l->n; i++)
        if (b->l->parameters[i].kind == PCS_TRAINED_RANGE && b->l->parameters[i].of == index)
            return &b->l->parameters[i];
    return NULL;
}

static bool in_layer(const pcs_trained *p) { return p->dims == 2 && pcs_place_of(p->name).layer >= 0; }

/* What the type of a parameter encodes, made once. */
static precis_value ready(build *b, pcs_trained *p)
{
    const bool turned = b->c->estimator->turns && in_layer(p);
    if (p->ready >= 0 || (!p->type && !turned)) return p->ready >= 0 ? p->ready : p->value;
    const pcs_trained *r = range_of(b, p);
    const pcs_estimate e = { b->g, p->name, p->type, p->shape[0], p->shape[1], p->value, r ? r->value : -1 };
    /* embeddings are not turned: their rows are looked up */
    const pcs_estimator *by = b->c->estimator->turns && !turned ? pcs_estimator_by_name("ste") : b->c->estimator;
    return p->ready = by->ready(&e);
}

/* A weight as its type stores it. Weights of one input share what the type has beside them, as quant writes it. */
static precis_value stored(build *b, pcs_trained *p, const char *what)
{
    static const char *const together[][3] = { { "attn_q", "attn_k", "attn_v" }, { "ffn_gate", "ffn_up", "" } };
    const precis_value x = ready(b, p);
    if (!p->type) return p->rounded = x;
    const float top = in_layer(p) ? pcs_scaled_to(p->type) : 0;
    precis_value in[4] = { x };
    uint32_t n = 1;
    for (size_t g = 0; top > 0 && g < 2; g++) {
        bool among = false;
        for (int i = 0; i < 3; i++) among |= !strcmp(together[g][i], what);
        for (int i = 0; i < 3 && among; i++) {
            pcs_trained *other =
                *together[g][i] && strcmp(together[g][i], what) ? place(b, together[g][i], ".weight") : NULL;
            if (other && other->type && other->type->scaled_whole) in[n++] = ready(b, other);
        }
    }
    const precis_attr attrs[] = { precis_attr_text("type", p->type->name),
                                  precis_attr_real("top", (double)top),
                                  { 0 } };
    precis_value y = make(b, what, "type_quant", attrs, n, in);
    const pcs_trained *r = range_of(b, p);
    if (r && b->c->estimator->steps) {
        const int64_t group = p->type->kind == PCS_QUANT && !p->type->head ? p->type->group : 0;
        const precis_attr by[] = { precis_attr_int("group", group),
                                   precis_attr_real("factor", pcs_range_factor(p->type, (int64_t)p->n)), { 0 } };
        const precis_value three[3] = { y, x, r->value };
        y = make(b, what, "range_step", by, 3, three);
    }
    return p->rounded = y;
}

/* A parameter as it is used. */
static precis_value used(build *b, const char *what)
{
    pcs_trained *p = place(b, what, ".weight");
    if (!p) return -1;
    if (p->rounded >= 0) return p->rounded;
    if (b->c->plain) return p->rounded = p->value;
    if (in_layer(p) && b->c->w_bits <= 8) return p->rounded = rounded(b, what, b->c->w_bits, 0, p->value);
    return stored(b, p, what);
}

/* ---- activations -------------------------------------------------------------------------------- */

/* An input of matrices: turned, and rounded. */
typedef struct { precis_value plain, rounded; int64_t k; } input;

static input into(build *b, const char *what, precis_value x, int64_t k)
{
    const pcs_llama_config *c = b->c;
    input in = { x, x, k };
    if (c->estimator->turns && !c->plain && pcs_turned_by(k) > 1) {
        char name[48];
        snprintf(name, sizeof name, "%.40s.turned", what);
        in.plain = in.rounded = x =
            make(b, name, "hadamard", PRECIS_ATTRS(precis_attr_int("dim", pcs_turned_by(k))), 1, &x);
    }
    pcs_trained *r = NULL;
    for (size_t i = 0; i < b->l->n && !r; i++) { /* ranges stand after the weights */
        char name[64];
        pcs_trained *p = &b->l->parameters[i];
        snprintf(name, sizeof name, "range:blk.%lld.%.40s", (long long)b->layer, what);
        if (p->kind >= PCS_TRAINED_RANGE && !strcmp(p->name, name)) r = p;
    }
    if (r && !(c->plain && c->estimator->turns)) r->watched = x;
    if (!r) {
        in.rounded = rounded(b, what, c->a_bits, 0, x);
        return in;
    }
    if (c->plain) return in;
    const int high = (1 << (c->a_bits - 1)) - 1;
    const bool clips = c->estimator->clips_only;
    const precis_attr attrs[] = { precis_attr_int("low", -high - 1), precis_attr_int("high", high),
                                  precis_attr_real("factor", clips ? 1 : 1 / pcs_sqrt((double)k * high)),
                                  precis_attr_int("rounding", !clips), { 0 } };
    in.rounded = make(b, what, "lsq", attrs, 2, (precis_value[]){ x, r->value });
    return in;
}

/* A product of layers in the arithmetic of training. MXFP4's operands are turned and rounded by nodes of their own,
 * whose gradients are masked by what they trust (Quartet, 2505.14669, section 4). */
static precis_value multiplied(build *b, const char *what, precis_value x, precis_value w)
{
    const pcs_low *low = b->c->compute;
    if (!low || b->layer < 0) return make(b, what, "matmul", NULL, 2, (precis_value[]){ x, w });
    precis_value in[3] = { x, w, b->l->draw };
    for (int i = 0; i < 2 && low->turned; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.40s.%c_turned", what, i ? 'w' : 'x');
        in[i] = make(b, name, "hadamard", PRECIS_ATTRS(precis_attr_int("dim", 32)), 1, &in[i]);
        snprintf(name, sizeof name, "%.40s.%c_trusted", what, i ? 'w' : 'x');
        in[i] = make(b, name, "trust", PRECIS_ATTRS(precis_attr_int("scheme", 1)), 1, &in[i]);
    }
    const precis_attr attrs[] = { precis_attr_text("as", low->name), precis_attr_int("place", b->products++), { 0 } };
    return make(b, what, "matmul_low", attrs, 3, in);
}

/* x by a weight; a weight that stays a float takes x as it is, as where it is served, unless no weight is rounded. */
static precis_value projection(build *b, const char *what, input in)
{
    pcs_trained *p = place(b, what, ".weight");
    if (p) p->input = in.plain;
    const bool rounds = p && p->type && (p->type->kind == PCS_QUANT || p->type->element);
    const precis_value x = rounds || !b->typed ? in.rounded : in.plain;
    const pcs_format *f = p ? p->type : NULL;
    const bool bit_each = f && f->kind == PCS_QUANT && f->head == 4 && f->block == 32 && f->bytes == 4;
    const bool bits = b->c->counted && rounds && bit_each;
    const precis_value y = bits ? make(b, what, "xnor", NULL, 2, (precis_value[]){ in.plain, used(b, what) })
                                : multiplied(b, what, x, used(b, what));
    const pcs_trained *low = b->c->rank ? place(b, what, ".weight.lora_a") : NULL;
    if (!low) return y;
    char name[64];
    snprintf(name, sizeof name, "%.40s.lora_a", what);
    precis_value z = make(b, name, "matmul", NULL, 2, (precis_value[]){ in.plain, low->value });
    snprintf(name, sizeof name, "%.40s.lora_b", what);
    z = make(b, name, "matmul", NULL, 2, (precis_value[]){ z, place(b, what, ".weight.lora_b")->value });
    snprintf(name, sizeof name, "%.40s.lora_scaled", what);
    z = make(b, name, "scale", PRECIS_ATTRS(precis_attr_real("by", b->c->adapter_scale)), 1, &z);
    snprintf(name, sizeof name, "%.40s.with_lora", what);
    return make(b, name, "add", NULL, 2, (precis_value[]){ y, z });
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

/* Keys or values of a head as a cache stores them. */
static precis_value cached(build *b, const char *what, precis_value x)
{
    if (b->c->kv_bits != 4 || b->c->plain || !b->c->cached) return rounded(b, what, b->c->kv_bits, b->dim, x);
    const precis_attr attrs[] = {
        precis_attr_int("bits", 4), precis_attr_int("group", b->dim), precis_attr_int("full", 1), { 0 }
    };
    return make(b, what, "fake_quant", attrs, 1, &x);
}

static precis_value attend(build *b, precis_value x)
{
    const input a = into(b, "attn_in", norm(b, "attn_norm", x, 0), b->c->width);
    precis_value q = projection(b, "attn_q", a), k = projection(b, "attn_k", a);
    const precis_value v = cached(b, "attn_v_rounded", projection(b, "attn_v", a));
    if (b->c->qk_norm) q = norm(b, "attn_q_norm", q, b->dim);
    if (b->c->qk_norm) k = norm(b, "attn_k_norm", k, b->dim);
    q = turned(b, "rope_q", q);
    k = cached(b, "attn_k_rounded", turned(b, "rope_k", k));
    const precis_value in[4] = { q, k, v, b->l->sequences };
    const precis_attr attrs[] = { precis_attr_int("dim", b->dim),
                                  precis_attr_real("scale", 1 / pcs_sqrt((double)b->dim)),
                                  { 0 } };
    const precis_value y = make(b, "attention", "attention_full", attrs, 4, in);
    return sum(b, "attn_sum", x, projection(b, "attn_output", into(b, "attn_out_in", y, b->dim * b->c->heads)));
}

static precis_value feed(build *b, precis_value x)
{
    const input a = into(b, "ffn_in", norm(b, "ffn_norm", x, 0), b->c->width);
    const precis_value in[2] = { projection(b, "ffn_gate", a), projection(b, "ffn_up", a) };
    const input y = into(b, "ffn_down_in", make(b, "ffn_act", b->c->activation, NULL, 2, in), b->c->hidden);
    return sum(b, "ffn_sum", x, projection(b, "ffn_down", y));
}

static precis_value rotations(build *b)
{
    float f[4096];
    const int64_t n = b->dim / 2;
    if (n > 4096) return pcs_graph_fail(b->g, PRECIS_EINVAL, "heads of %lld numbers", (long long)b->dim);
    for (int64_t i = 0; i < n; i++) f[i] = (float)pcs_pow(b->c->rope_base, -2.0 * (double)i / (double)b->dim);
    for (int64_t i = 0; i < n && b->c->rope_factors; i++) f[i] /= b->c->rope_factors[i];
    const precis_value in[2] = { b->l->positions, precis_graph_constant(b->g, "rope_freqs", 1, &n, f) };
    return make(b, "rope_table", "rope_table", NULL, 2, in);
}

static void parameters(pcs_llama *l, precis_graph *g, build *b)
{
    for (size_t i = 0; i < l->n; i++) {
        pcs_trained *p = &l->parameters[i];
        p->ready = p->rounded = p->watched = p->input = p->value = -1;
        b->typed |= p->type && (p->type->kind == PCS_QUANT || p->type->element);
        if (p->kind == PCS_TRAINED_OBSERVER || (p->kind == PCS_TRAINED_ADAPTER && !b->c->rank)) continue;
        p->value = p->fixed ? pcs_graph_fixed(g, p->name, p->dims, p->shape, p->data)
                            : pcs_graph_parameter(g, p->name, p->dims, p->shape, p->data);
    }
}

/* Cross entropy, and what a teacher adds. */
static void losses(build *b, pcs_llama *l)
{
    const pcs_llama_config *c = b->c;
    l->rows = make(b, "losses", "cross_entropy", NULL, 2, (precis_value[]){ l->logits, l->targets });
    const precis_value own = make(b, "loss", "mean", NULL, 2, (precis_value[]){ l->rows, l->targets });
    l->loss = own;
    l->teacher = -1;
    if (!(c->temperature > 0)) return;
    l->teacher = precis_graph_input(b->g, "teacher", 2, (int64_t[]){ l->tokens, c->vocabulary });
    const precis_value pair[2] = { l->logits, l->teacher };
    precis_value kl = make(b, "divergences", "kl_divergence",
                           PRECIS_ATTRS(precis_attr_real("temperature", c->temperature)), 2, pair);
    kl = make(b, "divergence", "mean", NULL, 2, (precis_value[]){ kl, l->targets });
    kl = make(b, "divergence_share", "scale", PRECIS_ATTRS(precis_attr_real("by", c->distill)), 1, &kl);
    const precis_value rest =
        make(b, "loss_share", "scale", PRECIS_ATTRS(precis_attr_real("by", 1 - c->distill)), 1, &own);
    l->loss = make(b, "both", "add", NULL, 2, (precis_value[]){ kl, rest });
}

void pcs_llama_build(pcs_llama *l, precis_graph *g, const pcs_llama_config *config)
{
    pcs_llama_config own = *config;
    if (!own.activation) own.activation = "swiglu";
    if (!own.estimator) own.estimator = pcs_estimator_by_name("ste");
    const pcs_llama_config *const c = &own;
    build b = { .l = l, .g = g, .c = c, .layer = -1, .dim = head_dim(c) };
    parameters(l, g, &b);
    l->tokens = precis_graph_symbol(g, "tokens", 0);
    l->ids = pcs_graph_input_i32(g, "ids", 1, &l->tokens);
    l->targets = pcs_graph_input_i32(g, "targets", 1, &l->tokens);
    l->positions = pcs_graph_input_i32(g, "positions", 1, &l->tokens);
    l->sequences = pcs_graph_input_i32(g, "sequences", 1, &l->tokens);
    l->draw = c->compute ? pcs_graph_input_i32(g, "draw", 1, (const int64_t[]){ 1 }) : -1;
    b.table = rotations(&b);
    precis_value x = make(&b, "embedding", "embedding", NULL, 2, (precis_value[]){ l->ids, used(&b, "token_embd") });
    for (int64_t i = 0; i < c->layers; i++) {
        b.layer = i;
        x = feed(&b, attend(&b, x));
    }
    b.layer = -1;
    x = norm(&b, "output_norm", x, 0);
    const precis_value head = used(&b, c->untied ? "output" : "token_embd");
    const char *as = c->compute ? c->compute->head : NULL; /* its place is after all layers' */
    l->logits = as ? make(&b, "logits", "matmul_low",
                          PRECIS_ATTRS(precis_attr_text("as", as), precis_attr_int("place", b.products)), 3,
                          (precis_value[]){ x, head, l->draw })
                   : make(&b, "logits", "matmul", NULL, 2, (precis_value[]){ x, head });
    losses(&b, l);
    precis_graph_output(g, l->loss);
}
