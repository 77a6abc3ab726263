/* counts.c - keys that lay out tensors, read and compared with the tensors in one place. */
#include "model/counts.h"

#include <stdio.h>

/* How a key is looked at: must it be there, and whose model is it. */
typedef struct { const precis_model *m; bool required; } reading;

static const char *arch_of(const precis_model *m)
{
    const char *arch = pcs_model_string(m, "general.architecture");
    return arch ? arch : "";
}

typedef enum {
    WIDTH, HIDDEN, HIDDEN_2, QUERIES, KEYS, VALUES, ALL_HEADS, HEADS_OUT, EXPERTS, EXPERT_HIDDEN
} extent;

/* Weights of a layer whose shapes follow from keys, and the key to name where one does not. The rows of ffn_up may be
 * gate and up in one. */
static const struct { pcs_tensor_role role; extent rows, cols; const char *key; } parts[] = {
    { PCS_ROLE_attn_q, QUERIES, WIDTH, "attention.head_count" },
    { PCS_ROLE_attn_k, KEYS, WIDTH, "attention.head_count_kv" },
    { PCS_ROLE_attn_v, VALUES, WIDTH, "attention.head_count_kv" },
    { PCS_ROLE_attn_qkv, ALL_HEADS, WIDTH, "attention.head_count" },
    { PCS_ROLE_attn_output, WIDTH, HEADS_OUT, "attention.head_count" },
    { PCS_ROLE_ffn_gate, HIDDEN, WIDTH, "feed_forward_length" },
    { PCS_ROLE_ffn_up, HIDDEN_2, WIDTH, "feed_forward_length" },
    { PCS_ROLE_ffn_down, WIDTH, HIDDEN, "feed_forward_length" },
    { PCS_ROLE_ffn_gate_inp, EXPERTS, WIDTH, "expert_count" },
    { PCS_ROLE_ffn_gate_exps, EXPERT_HIDDEN, WIDTH, "expert_feed_forward_length" },
    { PCS_ROLE_ffn_up_exps, EXPERT_HIDDEN, WIDTH, "expert_feed_forward_length" },
    { PCS_ROLE_ffn_down_exps, WIDTH, EXPERT_HIDDEN, "expert_feed_forward_length" },
};

/* "[rows, columns]", outermost first. */
static const char *shape_of(const pcs_tensor *t, char out[192])
{
    size_t at = (size_t)snprintf(out, 192, "[");
    for (uint32_t d = 0; d < t->dims && at < 160; d++)
        at += (size_t)snprintf(out + at, 192 - at, "%s%lld", d ? ", " : "", (long long)t->ne[t->dims - 1 - d]);
    snprintf(out + at, 192 - at, "]");
    return out;
}

/* A key that is out of bounds, and the first tensor that is laid out by it. */
static precis_status beyond(const precis_model *m, const char *suffix, int64_t v, int64_t lo, int64_t hi)
{
    char shape[192], witness[300] = "";
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !*witness; i++) {
        const bool other = strcmp(parts[i].key, suffix) != 0;
        const pcs_tensor *t = other ? NULL : pcs_model_part(m, 0, parts[i].role, PCS_END_weight);
        if (t) snprintf(witness, sizeof witness, "; tensor %s is %s", t->name, shape_of(t, shape));
    }
    return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: key %.60s.%s is %lld, not %lld to %lld%s", m->path, arch_of(m), suffix,
                    (long long)v, (long long)lo, (long long)hi, witness);
}

/* dflt < 0: the key must be there where keys are required. */
static precis_status number(const reading *r, const char *suffix, int64_t lo, int64_t hi, int64_t dflt, uint32_t *out)
{
    bool ok;
    const precis_model *m = r->m;
    const int64_t v = pcs_arch_int(m, suffix, dflt < 0 ? 0 : dflt, &ok);
    *out = 0;
    if (!ok && dflt < 0 && !r->required) return PRECIS_OK;
    if (!ok && dflt < 0)
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: key %.60s.%s is missing", m->path, arch_of(m), suffix);
    if ((ok || r->required) && (v < lo || v > hi)) return beyond(m, suffix, v, lo, hi);
    *out = v < lo || v > hi ? 0 : (uint32_t)v;
    return PRECIS_OK;
}

static precis_status read_heads(const reading *r, pcs_counts *c)
{
    const precis_model *m = r->m;
    precis_status st = number(r, "attention.head_count", 1, 4096, -1, &c->heads);
    if (!st) st = number(r, "attention.head_count_kv", 1, 4096, c->heads, &c->kv_heads);
    if (st) return st;
    const int64_t dim = c->heads ? c->width / c->heads : 0;
    if (c->heads && c->width % c->heads && !pcs_arch_int(m, "attention.key_length", 0, NULL))
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: key %.60s.attention.head_count is %u, which does not divide "
                        "the width of %u",
                        m->path, arch_of(m), c->heads, c->width);
    st = number(r, "attention.key_length", 2, 4096, dim, &c->key_dim);
    if (!st) st = number(r, "attention.value_length", 1, 4096, c->key_dim, &c->value_dim);
    if (!st) st = number(r, "rope.dimension_count", 0, c->key_dim ? c->key_dim : 4096, c->key_dim, &c->rope_dims);
    if (st || !c->heads || !c->kv_heads) return st;
    if (c->heads % c->kv_heads || c->key_dim % 2 || c->rope_dims % 2)
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %u heads, %u key heads, dimension %u do not fit together", m->path,
                        c->heads, c->kv_heads, c->key_dim);
    return PRECIS_OK;
}

static precis_status read_keys(const reading *r, pcs_counts *c)
{
    *c = (pcs_counts){ 0 };
    precis_status st = number(r, "block_count", 1, PCS_LIMIT_LAYERS, -1, &c->layers);
    if (!st) st = number(r, "embedding_length", 1, 1 << 20, -1, &c->width);
    if (!st) st = number(r, "context_length", 1, 1 << 26, 2048, &c->context);
    if (!st) st = read_heads(r, c);
    if (!st) st = number(r, "feed_forward_length", 1, 1 << 24, -1, &c->hidden);
    if (!st) st = number(r, "attention.sliding_window", 0, 1 << 26, 0, &c->window);
    if (!st) st = number(r, "expert_count", 0, 4096, 0, &c->experts);
    if (st || !c->experts) return st;
    st = number(r, "expert_used_count", 1, c->experts, -1, &c->experts_used);
    return st ? st : number(r, "expert_feed_forward_length", 1, 1 << 24, c->hidden, &c->expert_hidden);
}

/* ---- tensors ------------------------------------------------------------------------------------------------ */

/* 0: no key says it. */
static int64_t extent_of(const pcs_counts *c, extent e)
{
    const int64_t q = (int64_t)c->heads * c->key_dim, k = (int64_t)c->kv_heads * c->key_dim;
    const int64_t v = (int64_t)c->kv_heads * c->value_dim;
    switch (e) {
    case WIDTH: return c->width;
    case HIDDEN: case HIDDEN_2: return c->hidden;
    case QUERIES: return q;
    case KEYS: return k;
    case VALUES: return v;
    case ALL_HEADS: return q && k && v ? q + k + v : 0;
    case HEADS_OUT: return (int64_t)c->heads * c->value_dim;
    case EXPERTS: return c->experts;
    case EXPERT_HIDDEN: return c->expert_hidden;
    default: return 0;
    }
}

static bool fits(const pcs_counts *c, extent e, int64_t n)
{
    const int64_t want = extent_of(c, e), heads = e == QUERIES ? c->heads : e == KEYS || e == VALUES ? c->kv_heads : 0;
    if (!want && heads) return n && n % heads == 0; /* the dimension of a head is not said */
    return !want || n == want || (e == HIDDEN_2 && n == 2 * want);
}

static precis_status misfit(const precis_model *m, const pcs_tensor *t, const char *key)
{
    char shape[192];
    return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor %.120s is %s, which does not fit key %.60s.%s, %lld", m->path,
                    t->name, shape_of(t, shape), arch_of(m), key, (long long)pcs_arch_int(m, key, 0, NULL));
}

static precis_status check_tensor(const precis_model *m, const pcs_counts *c, const pcs_tensor *t)
{
    if (!pcs_says_layer(t->name)) return PRECIS_OK;
    if (c->layers && (t->is.layer < 0 || t->is.layer >= (int64_t)c->layers))
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor %.120s is of none of the %u layers that %s%.60s%s has",
                        m->path, t->name, c->layers, m->folder ? "" : "key ",
                        m->folder ? "config.json" : arch_of(m), m->folder ? "" : ".block_count");
    if (t->format->kind == PCS_INT) return PRECIS_OK; /* codes of another tool have shapes of their own */
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].role != t->is.role) continue;
        const bool of_experts = pcs_role_of_experts(t->is.role);
        if (t->is.end == PCS_END_bias && !of_experts)
            return fits(c, parts[i].rows, (int64_t)t->n) ? PRECIS_OK : misfit(m, t, parts[i].key);
        if (t->is.end != PCS_END_weight) return PRECIS_OK;
        if (of_experts && c->experts && (t->dims != 3 || t->ne[2] != c->experts)) return misfit(m, t, "expert_count");
        const bool dims = t->dims == 2 || (of_experts && t->dims == 3);
        const bool ok = dims && fits(c, parts[i].rows, t->ne[1]) && fits(c, parts[i].cols, t->ne[0]);
        return ok ? PRECIS_OK : misfit(m, t, parts[i].key);
    }
    return PRECIS_OK;
}

static precis_status read_all(const precis_model *m, bool required, pcs_counts *c)
{
    precis_status st = read_keys(&(reading){ m, required }, c);
    for (size_t i = 0; i < m->n_tensors && !st; i++) st = check_tensor(m, c, &m->tensors[i]);
    return st;
}

precis_status pcs_counts_check(const precis_model *m)
{
    pcs_counts c;
    return read_all(m, false, &c);
}

/* What is wrong is said before what is missing. */
precis_status pcs_counts_read(const precis_model *m, pcs_counts *c)
{
    const precis_status st = read_all(m, false, c);
    return st ? st : read_all(m, true, c);
}
