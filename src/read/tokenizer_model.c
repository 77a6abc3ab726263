/* tokenizer_model.c - SentencePiece's ModelProto (google/sentencepiece, src/sentencepiece_model.proto): fields are
 * walked, not parsed into messages, and every length is checked against its message. */
#include "read/tokenizer_json.h"
#include "base/f16.h"
#include "base/proto.h"

typedef struct {
    pcs_text *texts;
    float *scores;
    int32_t *types;
    size_t n;
    int kind; /* 1 unigram, 2 BPE */
    int64_t unk, bos, eos, pad;
    bool prefix, squeeze;
    pcs_text map; /* how characters are replaced, compiled */
} pieces;

static bool piece(precis_model *m, pieces *p, pcs_proto in)
{
    pcs_proto_field f;
    bool bad;
    pcs_text text = { "", 0 };
    p->types[p->n] = 1;
    while (pcs_proto_next(&in, &f, &bad)) {
        if (f.number == 1 && f.wire == 2)
            text = (pcs_text){ (const char *)f.inner.p, (uint64_t)(f.inner.end - f.inner.p) };
        else if (f.number == 2 && f.wire == 5) p->scores[p->n] = pcs_bits_f32((uint32_t)f.value);
        else if (f.number == 3 && f.wire == 0) p->types[p->n] = f.value >= 1 && f.value <= 6 ? (int32_t)f.value : 1;
    }
    p->texts[p->n] = (pcs_text){ pcs_arena_copy(&m->arena, text.s, text.len), text.len };
    p->n++;
    return !bad && p->texts[p->n - 1].s;
}

static precis_status array(precis_model *m, const char *name, pcs_key_type item, uint64_t n, const void *data)
{
    pcs_key *k = pcs_model_add_key(m, name);
    if (!k) return PRECIS_ENOMEM;
    *k = (pcs_key){ .name = k->name, .type = PCS_KEY_ARRAY, .item = item, .n = n };
    if (item == PCS_KEY_STRING) k->v.texts = data;
    else k->v.items = data;
    return PRECIS_OK;
}

/* Kind and special tokens. False: it is damaged. */
static bool trainer_spec(pieces *p, pcs_proto part)
{
    pcs_proto_field f;
    bool bad;
    while (pcs_proto_next(&part, &f, &bad)) {
        if (f.number == 3) p->kind = (int)f.value;
        else if (f.number == 40) p->unk = (int64_t)f.value;
        else if (f.number == 41) p->bos = (int64_t)f.value;
        else if (f.number == 42) p->eos = (int64_t)f.value;
        else if (f.number == 43) p->pad = (int64_t)f.value;
    }
    return !bad;
}

/* What is done to a text before it is cut. False: it is damaged. */
static bool normalizer_spec(precis_model *m, pieces *p, pcs_proto part)
{
    pcs_proto_field f;
    bool bad;
    while (pcs_proto_next(&part, &f, &bad)) {
        const size_t len = f.wire == 2 ? (size_t)(f.inner.end - f.inner.p) : 0;
        if (f.number == 2 && len) p->map = (pcs_text){ pcs_arena_copy(&m->arena, (const char *)f.inner.p, len), len };
        else if (f.number == 3) p->prefix = f.value != 0;
        else if (f.number == 4) p->squeeze = f.value != 0;
    }
    return !bad;
}

/* What was read, as a GGUF file has it. */
static precis_status set_token_keys(precis_model *m, const pieces *p)
{
    const char *name = p->kind == 1 ? "t5" : "llama";
    precis_status st = pcs_model_set_string(m, "tokenizer.ggml.model", name, strlen(name));
    if (!st) st = array(m, "tokenizer.ggml.tokens", PCS_KEY_STRING, p->n, p->texts);
    if (!st) st = array(m, "tokenizer.ggml.scores", PCS_KEY_F32, p->n, p->scores);
    if (!st) st = array(m, "tokenizer.ggml.token_type", PCS_KEY_I32, p->n, p->types);
    if (!st && p->unk >= 0) st = pcs_model_set_u32(m, "tokenizer.ggml.unknown_token_id", (uint32_t)p->unk);
    if (!st) st = pcs_model_set_bool(m, "tokenizer.ggml.add_space_prefix", p->prefix);
    if (!st && (p->kind == 1 || p->squeeze))
        st = pcs_model_set_bool(m, "tokenizer.ggml.remove_extra_whitespaces", p->squeeze);
    if (!st && p->kind == 2 && (p->squeeze || p->map.s))
        pcs_warn(
            m->ctx,
            "%s: tokenizer.model is BPE that normalizes texts: precis does, llama.cpp does not do it for this kind",
            m->path);
    if (!st && p->map.s) st = array(m, "tokenizer.ggml.precompiled_charsmap", PCS_KEY_U8, p->map.len, p->map.s);
    return st;
}

precis_status pcs_tokenizer_model(precis_model *m, const uint8_t *data, size_t len)
{
    pcs_proto in = { data, data + len };
    pcs_proto_field f;
    bool bad;
    size_t count = 0;
    while (pcs_proto_next(&in, &f, &bad)) count += f.number == 1 && f.wire == 2;
    if (bad || !count || count > PCS_LIMIT_VOCABULARY)
        return pcs_fail_at(m->ctx, PRECIS_EFORMAT, (uint64_t)(in.p - data), "tokenizer.model",
                           "is no SentencePiece model");
    pieces p = { .kind = 1, .unk = 0, .bos = 1, .eos = 2, .pad = -1, .prefix = true, .squeeze = true };
    p.texts = pcs_arena_alloc(&m->arena, count, sizeof *p.texts);
    p.scores = pcs_arena_alloc(&m->arena, count, sizeof *p.scores);
    p.types = pcs_arena_alloc(&m->arena, count, sizeof *p.types);
    if (!p.texts || !p.scores || !p.types) return PRECIS_ENOMEM;
    in = (pcs_proto){ data, data + len };
    while (pcs_proto_next(&in, &f, &bad)) {
        if (f.wire != 2) continue;
        if (f.number == 1 && !piece(m, &p, f.inner))
            return pcs_fail_at(m->ctx, PRECIS_EFORMAT, (uint64_t)(in.p - data), "tokenizer.model",
                               "a piece is damaged");
        bool whole = true;
        if (f.number == 2) whole = trainer_spec(&p, f.inner);
        if (f.number == 3) whole = normalizer_spec(m, &p, f.inner);
        if (!whole)
            return pcs_fail_at(m->ctx, PRECIS_EFORMAT, (uint64_t)(in.p - data), "tokenizer.model", "a part is damaged");
    }
    if (p.kind != 1 && p.kind != 2)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: tokenizer.model: model type %d; unigram (1) and BPE (2) can be read", m->path, p.kind);
    return set_token_keys(m, &p);
}
