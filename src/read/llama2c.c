/* llama2.c checkpoints: the legacy header of seven integers, and version 1 ("ak42").
 *
 * Layout: github.com/karpathy/llama2.c export.py (legacy_export, version1_export). All weights are f32;
 * query and key rows are in the interleaved rotary order, which is GGUF's for llama. */
#include "read/llama2c.h"

#include <stdio.h>

typedef struct { int64_t dim, hidden, layers, heads, kv_heads, vocab, ctx; bool shared; uint64_t data; } config;

static int32_t i32(const uint8_t *p)
{
    int32_t v;
    memcpy(&v, p, 4);
    return v;
}

/* Plausible, and the size says the rest. head has n bytes. */
static bool get_config(const uint8_t *head, size_t n, uint64_t size, config *c)
{
    const bool v1 = n >= 64 && i32(head) == 0x616b3432;
    const uint8_t *p = v1 ? head + 8 : head;
    if (n < 28 || (v1 && i32(head + 4) != 1)) return false;
    *c = (config){ i32(p), i32(p + 4), i32(p + 8), i32(p + 12), i32(p + 16), i32(p + 20), i32(p + 24), true,
                   v1 ? 256 : 28 };
    if (v1) {
        c->shared = head[36] != 0;
    } else if (c->vocab < 0) { /* legacy: a negative size says that the classifier is its own */
        c->vocab = -c->vocab;
        c->shared = false;
    }
    const bool sizes = c->dim >= 1 && c->dim <= 1 << 17 && c->hidden >= 1 && c->hidden <= 1 << 20;
    const bool layers = c->layers >= 1 && c->layers <= PCS_LIMIT_LAYERS;
    const bool counts = c->heads >= 1 && c->kv_heads >= 1 && c->heads <= c->dim && c->kv_heads <= c->heads;
    const bool texts = c->vocab >= 1 && c->vocab <= 1 << 22 && c->ctx >= 1 && c->ctx <= 1 << 24;
    if (!sizes || !layers || !counts || !texts) return false;
    if (c->dim % c->heads || c->heads % c->kv_heads || c->dim / c->heads % 2) return false;
    const uint64_t kv = (uint64_t)(c->dim / c->heads * c->kv_heads), d = (uint64_t)c->dim;
    const uint64_t layer = 2 * d * d + 2 * d * kv + 3 * d * (uint64_t)c->hidden + 2 * d;
    uint64_t floats = (uint64_t)c->vocab * d * (c->shared ? 1 : 2) + (uint64_t)c->layers * layer + d;
    if (!v1) floats += (uint64_t)c->ctx * (uint64_t)(c->dim / c->heads); /* two rotary tables, unused */
    return size == c->data + 4 * floats;
}

static bool probe(const char *path, bool folder, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path;
    config c = { 0 };
    return !folder && get_config(head, n, size, &c);
}

static precis_status add(precis_model *m, uint64_t *at, const char *name, int64_t cols, int64_t rows)
{
    pcs_tensor *t = pcs_model_add_tensor(m);
    if (!t || !(t->name = t->source = pcs_arena_copy(&m->arena, name, strlen(name)))) return PRECIS_ENOMEM;
    t->format = &pcs_format_f32;
    t->dims = rows ? 2 : 1;
    t->ne[0] = t->shape[0] = cols;
    t->ne[1] = t->shape[1] = rows ? rows : 1;
    precis_status st = pcs_tensor_shape(m, t, *at);
    if (st == PRECIS_OK) st = pcs_tensor_span(m, t, 0, *at, t->bytes);
    *at += t->bytes;
    return st;
}

static precis_status set_keys(precis_model *m, const config *c)
{
    const struct { const char *name; int64_t v; } keys[] = {
        { "llama.context_length", c->ctx }, { "llama.embedding_length", c->dim }, { "llama.block_count", c->layers },
        { "llama.feed_forward_length", c->hidden }, { "llama.attention.head_count", c->heads },
        { "llama.attention.head_count_kv", c->kv_heads }, { "llama.rope.dimension_count", c->dim / c->heads },
        { "llama.vocab_size", c->vocab }
    };
    precis_status st = pcs_model_set_string(m, "general.architecture", "llama", 5);
    for (size_t i = 0; i < sizeof keys / sizeof *keys && st == PRECIS_OK; i++)
        st = pcs_model_set_u32(m, keys[i].name, (uint32_t)keys[i].v);
    if (st == PRECIS_OK) st = pcs_model_set_f32(m, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    if (st == PRECIS_OK) st = pcs_model_set_f32(m, "llama.rope.freq_base", 10000.0f);
    return st;
}

static precis_status read_llama2c(precis_model *m, const char *path)
{
    pcs_file *f;
    config c = { 0 };
    precis_status st = pcs_model_add_file(m, path, &f);
    if (st != PRECIS_OK) return st;
    uint8_t head[64] = { 0 };
    const size_t n = f->size < 64 ? (size_t)f->size : 64;
    st = pcs_file_read(m->ctx, f, 0, head, n, "header");
    if (st == PRECIS_OK && !get_config(head, n, f->size, &c))
        st = pcs_fail_at(m->ctx, PRECIS_EFORMAT, 0, "header", "not a llama2.c checkpoint");
    if (st == PRECIS_OK) st = set_keys(m, &c);
    if (st == PRECIS_OK) st = pcs_llama2c_tokens(m, path, c.vocab);
    if (st != PRECIS_OK) return st;
    const int64_t kv = c.dim / c.heads * c.kv_heads;
    const bool v1 = c.data == 256;
    /* Each row of the table is one tensor per layer; the file has all layers of it together. */
    const struct { const char *name; int64_t cols, rows; } legacy[] = {
        { "attn_norm", c.dim, 0 }, { "attn_q", c.dim, c.dim }, { "attn_k", c.dim, kv }, { "attn_v", c.dim, kv },
        { "attn_output", c.dim, c.dim }, { "ffn_norm", c.dim, 0 }, { "ffn_gate", c.dim, c.hidden },
        { "ffn_down", c.hidden, c.dim }, { "ffn_up", c.dim, c.hidden }
    };
    static const int order_v1[] = { 0, 5, -1, -2, 1, 2, 3, 4, 6, 7, 8, -3 };
    static const int order_v0[] = { -2, 0, 1, 2, 3, 4, 5, 6, 7, 8, -1, -4, -3 };
    const int *order = v1 ? order_v1 : order_v0;
    uint64_t at = c.data;
    for (int i = 0; i < (v1 ? 12 : 13) && st == PRECIS_OK; i++) {
        const int k = order[i];
        if (k == -1) st = add(m, &at, "output_norm.weight", c.dim, 0);
        else if (k == -2) st = add(m, &at, "token_embd.weight", c.dim, c.vocab);
        else if (k == -3) st = c.shared ? PRECIS_OK : add(m, &at, "output.weight", c.dim, c.vocab);
        else if (k == -4) at += 4 * (uint64_t)c.ctx * (uint64_t)(c.dim / c.heads);
        for (int64_t l = 0; k >= 0 && l < c.layers && st == PRECIS_OK; l++) {
            char name[64];
            snprintf(name, sizeof name, "blk.%lld.%s.weight", (long long)l, legacy[k].name);
            st = add(m, &at, name, legacy[k].cols, legacy[k].rows);
        }
    }
    return st;
}

const pcs_reader pcs_reader_llama2c = { "llama2.c", probe, read_llama2c };
