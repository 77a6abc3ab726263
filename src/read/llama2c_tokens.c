/* llama2c_tokens.c - tokenizer.bin, which lies beside a llama2.c checkpoint: int32 longest; for each token f32 score,
 * int32 length, bytes. Tokens 0 to 2 are unknown, begin and end, 3 to 258 are bytes; blanks stand for U+2581. */
#include "base/f16.h"
#include "read/llama2c.h"

#include <stdio.h>

#define SPACE "\xe2\x96\x81"

static precis_status token(pcs_stream *s, precis_model *m, int64_t i, pcs_text *text, float *score, int32_t *type)
{
    uint8_t head[8];
    precis_status st = pcs_stream_read(s, head, 8, "token");
    if (st) return st;
    const uint32_t len = pcs_load32(head + 4);
    *score = pcs_bits_f32(pcs_load32(head));
    if (len > 1024 || len > s->file->size - s->at)
        return pcs_fail_at(m->ctx, PRECIS_EFORMAT, s->at, "token", "token %lld: a length of %u", (long long)i, len);
    char raw[1024], *out = pcs_arena_alloc(&m->arena, 3 * (size_t)len + 1, 1);
    if (!out) return PRECIS_ENOMEM;
    if ((st = pcs_stream_read(s, raw, len, "token"))) return st;
    size_t n = 0;
    *type = i == 0 ? 2 : i < 3 ? 3 : len == 6 && !memcmp(raw, "<0x", 3) ? 6 : 1;
    for (uint32_t k = 0; k < len; k++) {
        if (*type == 1 && raw[k] == ' ') memcpy(out + n, SPACE, 3), n += 3;
        else if (*type != 3 || raw[k] != '\n') out[n++] = raw[k];
    }
    *text = (pcs_text){ out, n };
    return PRECIS_OK;
}

static precis_status read_tokens(precis_model *m, const pcs_file *f, int64_t vocabulary)
{
    pcs_stream *s = pcs_alloc(m->ctx, 1, sizeof *s);
    pcs_text *texts = NULL;
    float *scores = NULL;
    int32_t *types = NULL;
    precis_status st = s ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st && f->size < 4 + 8 * (uint64_t)vocabulary)
        st = pcs_fail_at(m->ctx, PRECIS_EFORMAT, 0, "size", "%llu bytes cannot hold %lld tokens",
                         (unsigned long long)f->size, (long long)vocabulary);
    if (!st) {
        texts = pcs_arena_alloc(&m->arena, (size_t)vocabulary, sizeof *texts);
        scores = pcs_arena_alloc(&m->arena, (size_t)vocabulary, sizeof *scores);
        types = pcs_arena_alloc(&m->arena, (size_t)vocabulary, sizeof *types);
        if (!texts || !scores || !types) st = PRECIS_ENOMEM;
    }
    uint8_t longest[4];
    if (!st) {
        pcs_stream_init(s, m->ctx, f);
        st = pcs_stream_read(s, longest, 4, "longest");
    }
    for (int64_t i = 0; i < vocabulary && !st; i++) st = token(s, m, i, &texts[i], &scores[i], &types[i]);
    pcs_free(m->ctx, s);
    if (!st) st = pcs_model_set_string(m, "tokenizer.ggml.model", "llama", 5);
    const struct { const char *name; pcs_key_type item; const void *items; } arrays[] = {
        { "tokenizer.ggml.tokens", PCS_KEY_STRING, texts },
        { "tokenizer.ggml.scores", PCS_KEY_F32, scores },
        { "tokenizer.ggml.token_type", PCS_KEY_I32, types }
    };
    for (size_t i = 0; i < 3 && !st; i++) {
        pcs_key *k = pcs_model_add_key(m, arrays[i].name);
        if (!k) return PRECIS_ENOMEM;
        k->type = PCS_KEY_ARRAY;
        k->item = arrays[i].item;
        k->n = (uint64_t)vocabulary;
        if (k->item == PCS_KEY_STRING) k->v.texts = texts;
        else k->v.items = arrays[i].items;
    }
    if (!st) st = pcs_model_set_u32(m, "tokenizer.ggml.bos_token_id", 1);
    return st ? st : pcs_model_set_u32(m, "tokenizer.ggml.eos_token_id", 2);
}

precis_status pcs_llama2c_tokens(precis_model *m, const char *path, int64_t vocabulary)
{
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    char *name = pcs_arena_alloc(&m->arena, folder + 64, 1);
    if (!name) return PRECIS_ENOMEM;
    memcpy(name, path, folder);
    for (int i = 0; i < 3; i++) {
        if (i == 0) snprintf(name + folder, 64, "tok%lld.bin", (long long)vocabulary);
        else if (i == 1) snprintf(name + folder, 64, "tokenizer.bin");
        else if (vocabulary == 32000) snprintf(name + folder, 64, "llama2_32k_tokenizer.bin");
        else break;
        if (pcs_absent(name)) continue; /* the model can be inspected, not talked to */
        pcs_file f;
        precis_status st = pcs_file_open(m->ctx, &f, name);
        if (st) return st;
        const char *before = m->ctx->file;
        m->ctx->file = name;
        st = read_tokens(m, &f, vocabulary);
        m->ctx->file = before;
        pcs_file_close(m->ctx, &f);
        return st;
    }
    return PRECIS_OK;
}
