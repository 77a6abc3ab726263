/* tiny_model.h - a llama of seeded noise with a tokenizer of bytes and a few pieces, as a GGUF file: so small that a
 * test can quantize, profile and evaluate it whole, and with every kind of tensor that a dense llama has. */
#ifndef PRECIS_TINY_MODEL_H
#define PRECIS_TINY_MODEL_H

#include "test_gguf.h"

#include <math.h>

/* Of all texts of the tests: words that are pieces, and letters that are bytes. */
#define TINY_TEXT \
    "The other one and the man in there, another thing on the stone; then a winter and an inn. The other one and the " \
    "man in there, another thing on the stone. Then the other winter, and a thing in the inn; the man and another one. "

enum { TINY_BYTES = 259, TINY_VOCABULARY = 320 };

typedef struct { uint32_t layers, width, inner, heads, kv_heads; } tiny_shape;
static const tiny_shape tiny_small = { 2, 64, 128, 4, 2 };

static inline void tiny_array(test_gguf *g, const char *key, uint32_t type, uint64_t n)
{
    const uint32_t array = 9;
    test_put_text(g, key);
    test_put(g, &array, 4);
    test_put(g, &type, 4);
    test_put(g, &n, 8);
    g->n_keys++;
}

/* Piece i: <unk>, <s>, </s>, 256 bytes, then words; the rest are names that no text has. */
static inline const char *tiny_piece(uint32_t i, char *text, size_t room)
{
    static const char *const words[] = { "\xe2\x96\x81the", "\xe2\x96\x81" "and", "\xe2\x96\x81" "an", "\xe2\x96\x81in",
                                         "\xe2\x96\x81t",   "he",   "in", "an", "er", "on", "th", "\xe2\x96\x81", "t",
                                         "h", "e", "a", "n", "d", "i", "o", "r", "s", "m", "w", "g" };
    const char *const first[] = { "<unk>", "<s>", "</s>" };
    if (i < 3) snprintf(text, room, "%s", first[i]);
    else if (i < TINY_BYTES) snprintf(text, room, "<0x%02X>", i - 3);
    else if (i - TINY_BYTES < sizeof words / sizeof *words) snprintf(text, room, "%s", words[i - TINY_BYTES]);
    else snprintf(text, room, "unused%u", i);
    return text;
}

static inline void tiny_tokenizer(test_gguf *g)
{
    char text[32];
    test_key_text(g, "tokenizer.ggml.model", "llama");
    tiny_array(g, "tokenizer.ggml.tokens", 8, TINY_VOCABULARY);
    for (uint32_t i = 0; i < TINY_VOCABULARY; i++) test_put_text(g, tiny_piece(i, text, sizeof text));
    tiny_array(g, "tokenizer.ggml.scores", 6, TINY_VOCABULARY);
    for (uint32_t i = 0; i < TINY_VOCABULARY; i++) test_put(g, &(float){ i < TINY_BYTES ? 0 : -(float)i }, 4);
    tiny_array(g, "tokenizer.ggml.token_type", 5, TINY_VOCABULARY);
    for (uint32_t i = 0; i < TINY_VOCABULARY; i++)
        test_put(g, &(int32_t){ i == 0 ? 2 : i < 3 ? 3 : i < TINY_BYTES ? 6 : 1 }, 4);
    test_key_u32(g, "tokenizer.ggml.bos_token_id", 1);
    test_key_u32(g, "tokenizer.ggml.eos_token_id", 2);
}

static inline void tiny_matrix(test_gguf *g, const char *name, uint64_t columns, uint64_t rows)
{
    test_add(g, name, (test_shape){ columns, rows, 0 }, (test_noise){ 0, 1.4f / sqrtf((float)columns) }, NULL);
}

static inline void tiny_layer(test_gguf *g, const tiny_shape *s, uint32_t layer)
{
    const uint64_t d = s->width, kv = d / s->heads * s->kv_heads;
    const struct { const char *name; uint64_t columns, rows; } all[] = {
        { "attn_norm", d, 0 }, { "attn_q", d, d }, { "attn_k", d, kv }, { "attn_v", d, kv }, { "attn_output", d, d },
        { "ffn_norm", d, 0 }, { "ffn_gate", d, s->inner }, { "ffn_up", d, s->inner }, { "ffn_down", s->inner, d } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s.weight", layer, all[i].name);
        if (all[i].rows) tiny_matrix(g, name, all[i].columns, all[i].rows);
        else test_add(g, name, (test_shape){ d, 0, 0 }, (test_noise){ 1, 0.1f }, NULL);
    }
}

/* Keys and tensors of the net, without a tokenizer. */
static inline void tiny_net(test_gguf *g, const tiny_shape *s)
{
    test_key_text(g, "general.architecture", "llama");
    test_key_text(g, "general.name", "tiny");
    test_key_u32(g, "llama.block_count", s->layers);
    test_key_u32(g, "llama.embedding_length", s->width);
    test_key_u32(g, "llama.context_length", 256);
    test_key_u32(g, "llama.feed_forward_length", s->inner);
    test_key_u32(g, "llama.attention.head_count", s->heads);
    test_key_u32(g, "llama.attention.head_count_kv", s->kv_heads);
    test_key_u32(g, "llama.rope.dimension_count", s->width / s->heads);
    test_key_f32(g, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    test_key_f32(g, "llama.rope.freq_base", 10000);
    tiny_matrix(g, "token_embd.weight", s->width, TINY_VOCABULARY);
    for (uint32_t i = 0; i < s->layers; i++) tiny_layer(g, s, i);
    test_add(g, "output_norm.weight", (test_shape){ s->width, 0, 0 }, (test_noise){ 1, 0.1f }, NULL);
    tiny_matrix(g, "output.weight", s->width, TINY_VOCABULARY);
}

/* The file's content up to test_write_gguf, for tests that add to it. */
static inline void tiny_begin(test_gguf *g, const tiny_shape *s)
{
    tiny_net(g, s);
    tiny_tokenizer(g);
}

/* NAME in the test's folder: its path, in one of some buffers that are used by turns. */
static inline const char *tiny_path(const char *name)
{
    static char path[8][256];
    static unsigned turn;
    char *p = path[turn++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", test_folder(), name);
    return p;
}

static inline const char *tiny_file(const tiny_shape *s, const char *name)
{
    test_gguf g = { 0 };
    tiny_begin(&g, s);
    const char *path = tiny_path(name);
    test_write_gguf(&g, path);
    return path;
}

static inline precis_model *tiny_open(precis_ctx *ctx, const tiny_shape *s)
{
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, tiny_file(s, "tiny.gguf")));
    return m;
}

/* Calibration on TINY_TEXT: what the pointers lead to is constant. */
static inline precis_calibrate_options tiny_calibration(uint32_t tokens)
{
    static const char *const texts[] = { TINY_TEXT TINY_TEXT };
    static const size_t lengths[] = { 2 * sizeof TINY_TEXT - 2 };
    precis_calibrate_options o = PRECIS_CALIBRATE_OPTIONS_INIT;
    o.texts = texts;
    o.lengths = lengths;
    o.n_texts = 1;
    o.tokens = tokens;
    return o;
}

#endif
