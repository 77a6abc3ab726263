/* safetensors.c - a safetensors file, or a folder of them with config.json and tokenizer.json.
 *
 * Rules of the header: github.com/huggingface/safetensors, README "Format"; stricter where it is
 * silent (hardening: duplicate names, rank, whole-buffer coverage). A folder's config.json and tensor
 * names become GGUF's keys and names; query and key rows of llama are put into GGUF's rotary order,
 * which costs a copy of those two tensors per layer. */
#include "read/read.h"
#include "read/tokenizer_json.h"

#include <stdio.h>
#include <sys/stat.h>

static const struct { const char *name, *format; } dtypes[] = {
    { "F32", "F32" }, { "F16", "F16" }, { "BF16", "BF16" }, { "F64", "F64" }, { "I8", "I8" }, { "I16", "I16" }, { "I32", "I32" }, { "I64", "I64" }
};

static const pcs_format *dtype_format(const pcs_json_token *t)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (pcs_json_is(t, dtypes[i].name)) return pcs_format_by_name(dtypes[i].format);
    return NULL;
}

static precis_status read_shape(pcs_json *j, pcs_tensor *t)
{
    pcs_json_token v;
    precis_status st = pcs_json_expect(j, PCS_JSON_ARRAY, &v, "shape");
    while (st == PRECIS_OK) {
        st = pcs_json_next(j, &v);
        if (st != PRECIS_OK || v.type == PCS_JSON_ARRAY_END) break;
        if (t->dims == PCS_MAX_DIMS) return pcs_json_fail(j, v.text, "shape", "more than 8 dimensions");
        st = pcs_json_int(j, &v, &t->shape[t->dims++], "shape");
    }
    for (uint32_t i = 0; i < t->dims; i++) t->ne[i] = t->shape[t->dims - 1 - i];
    return st;
}

/* {"dtype":..,"shape":[..],"data_offsets":[..]} */
static precis_status read_entry(precis_model *m, pcs_json *j, const pcs_json_token *key, uint32_t file, uint64_t base)
{
    pcs_json_token t;
    char *name;
    size_t len;
    int64_t span[2] = { -1, -1 };
    int seen = 0;
    precis_status st = pcs_json_string(j, key, &m->arena, &name, &len);
    if (st != PRECIS_OK) return st;
    if (!len || strlen(name) != len || len > PCS_LIMIT_NAME) return pcs_json_fail(j, key->text, "tensor name", "is empty, too long, or has a NUL");
    pcs_tensor *x = pcs_model_add_tensor(m);
    if (!x) return PRECIS_ENOMEM;
    x->name = x->source = name;
    st = pcs_json_expect(j, PCS_JSON_OBJECT, &t, name);
    while (st == PRECIS_OK) {
        st = pcs_json_next(j, &t);
        if (st != PRECIS_OK || t.type == PCS_JSON_OBJECT_END) break;
        if (pcs_json_is(&t, "dtype") && !(seen & 1)) {
            seen |= 1;
            st = pcs_json_expect(j, PCS_JSON_STRING, &t, "dtype");
            if (st == PRECIS_OK && !(x->format = dtype_format(&t)))
                return pcs_fail_at(m->ctx, PRECIS_EUNSUPPORTED, 8 + (uint64_t)(t.text - j->start), name, "dtype %.*s cannot be read", (int)(t.len > 20 ? 20 : t.len), t.text);
        } else if (pcs_json_is(&t, "shape") && !(seen & 2)) {
            seen |= 2;
            st = read_shape(j, x);
        } else if (pcs_json_is(&t, "data_offsets") && !(seen & 4)) {
            seen |= 4;
            st = pcs_json_expect(j, PCS_JSON_ARRAY, &t, "data_offsets");
            for (int i = 0; i < 2 && st == PRECIS_OK; i++) {
                st = pcs_json_next(j, &t);
                if (st == PRECIS_OK) st = pcs_json_int(j, &t, &span[i], "data_offsets");
            }
            if (st == PRECIS_OK) st = pcs_json_expect(j, PCS_JSON_ARRAY_END, &t, "data_offsets");
        } else {
            return pcs_json_fail(j, t.text, name, "an unknown or repeated field");
        }
    }
    if (st != PRECIS_OK) return st;
    if (seen != 7) return pcs_json_fail(j, key->text, name, "dtype, shape or data_offsets is missing");
    if (span[0] < 0 || span[1] < span[0]) return pcs_json_fail(j, key->text, name, "data_offsets are not a span");
    uint64_t at;
    st = pcs_tensor_shape(m, x, 8 + (uint64_t)(key->text - j->start));
    if (st != PRECIS_OK) return st;
    if ((uint64_t)(span[1] - span[0]) != x->bytes) return pcs_json_fail(j, key->text, name, "data_offsets do not match dtype and shape");
    if (!pcs_add_ok(base, (uint64_t)span[0], &at)) return pcs_json_fail(j, key->text, name, "data_offsets do not fit");
    return pcs_tensor_span(m, x, file, at, x->bytes);
}

static precis_status read_file(precis_model *m, const char *path)
{
    pcs_file *f;
    const uint32_t file = m->n_files;
    const size_t before = m->n_tensors;
    precis_status st = pcs_model_add_file(m, path, &f);
    if (st != PRECIS_OK) return st;
    m->ctx->file = f->path;
    uint64_t len;
    st = pcs_file_read(m->ctx, f, 0, &len, 8, "header length");
    if (st != PRECIS_OK) return st;
    if (len > PCS_LIMIT_HEADER || len > f->size - 8)
        return pcs_fail_at(m->ctx, PRECIS_EFORMAT, 0, "header length", "%llu bytes in a file of %llu", (unsigned long long)len, (unsigned long long)f->size);
    char *text = pcs_alloc(m->ctx, (size_t)len + 1, 1);
    if (!text) return PRECIS_ENOMEM;
    const uint64_t base = 8 + len, size = f->size;
    st = pcs_file_read(m->ctx, f, 8, text, (size_t)len, "header");
    pcs_json j;
    pcs_json_token t;
    pcs_json_init(&j, m->ctx, text, (size_t)len);
    if (st == PRECIS_OK) st = pcs_json_expect(&j, PCS_JSON_OBJECT, &t, "header");
    while (st == PRECIS_OK) {
        st = pcs_json_next(&j, &t);
        if (st != PRECIS_OK || t.type == PCS_JSON_OBJECT_END) break;
        if (pcs_json_is(&t, "__metadata__")) {
            st = pcs_json_expect(&j, PCS_JSON_OBJECT, &t, "__metadata__");
            if (st == PRECIS_OK) st = pcs_json_skip(&j, &t);
        } else {
            st = read_entry(m, &j, &t, file, base);
        }
    }
    if (st == PRECIS_OK) st = pcs_json_expect(&j, PCS_JSON_END, &t, "header");
    pcs_free(m->ctx, text);
    if (st == PRECIS_OK) st = pcs_tensors_disjoint(m);
    uint64_t covered = base;
    for (size_t i = before; i < m->n_tensors; i++) covered += m->tensors[i].bytes;
    if (st == PRECIS_OK && covered != size)
        return pcs_fail_at(m->ctx, PRECIS_EFORMAT, base, "data", "the tensors cover %llu of %llu bytes", (unsigned long long)(covered - base),
                           (unsigned long long)(size - base));
    return st;
}

/* Shards of model.safetensors.index.json, each once. */
static precis_status read_shards(precis_model *m, const char *folder, const char *text, size_t len)
{
    pcs_json_slice map;
    pcs_json j;
    pcs_json_token t;
    pcs_map seen;
    precis_status st = pcs_json_find(m->ctx, (pcs_json_slice){ text, len }, "weight_map", &map);
    if (st != PRECIS_OK) return st;
    if (!map.text) return pcs_fail_at(m->ctx, PRECIS_EFORMAT, 0, "weight_map", "is missing in the index");
    pcs_map_init(&seen, m->ctx);
    pcs_json_init(&j, m->ctx, map.text, map.len);
    st = pcs_json_expect(&j, PCS_JSON_OBJECT, &t, "weight_map");
    while (st == PRECIS_OK) {
        char *name;
        size_t n;
        bool dup;
        st = pcs_json_next(&j, &t);
        if (st != PRECIS_OK || t.type == PCS_JSON_OBJECT_END) break;
        st = pcs_json_expect(&j, PCS_JSON_STRING, &t, "weight_map");
        if (st == PRECIS_OK) st = pcs_json_string(&j, &t, &m->arena, &name, &n);
        if (st != PRECIS_OK) break;
        if (!n || strlen(name) != n || strchr(name, '/') || name[0] == '.') {
            st = pcs_json_fail(&j, t.text, "weight_map", "a shard's name must be a plain file name");
            break;
        }
        st = pcs_map_put(&seen, name, n, 0, &dup);
        if (st != PRECIS_OK || dup) continue;
        if (seen.n > PCS_LIMIT_SPLITS) st = pcs_json_fail(&j, t.text, "weight_map", "too many shards");
        char *path = pcs_arena_printf(&m->arena, "%s/%s", folder, name);
        if (st == PRECIS_OK) st = path ? read_file(m, path) : PRECIS_ENOMEM;
    }
    pcs_map_free(&seen);
    return st;
}

/* ---- config.json ------------------------------------------------------------------------------ */

typedef struct { precis_model *m; pcs_json_slice text; const char *arch; } config;

static precis_status number(config *c, const char *key, double *v, bool *found)
{
    pcs_json_slice s;
    pcs_json j;
    pcs_json_token t;
    precis_status st = pcs_json_find(c->m->ctx, c->text, key, &s);
    *found = false;
    if (st != PRECIS_OK || !s.text) return st;
    pcs_json_init(&j, c->m->ctx, s.text, s.len);
    st = pcs_json_next(&j, &t);
    if (st != PRECIS_OK || t.type != PCS_JSON_NUMBER) return st; /* null: absent */
    *found = true;
    return pcs_json_double(&j, &t, v, key);
}

static bool text_is(pcs_json_slice s, const char *quoted) { return s.text && s.len == strlen(quoted) && !memcmp(s.text, quoted, s.len); }

static precis_status set_config(config *c)
{
    static const struct { const char *hf, *gguf; int kind; } map[] = { /* kind 0: needed whole number, 1: optional, 2: float */
        { "max_position_embeddings", "context_length", 0 }, { "hidden_size", "embedding_length", 0 },
        { "num_hidden_layers", "block_count", 0 }, { "intermediate_size", "feed_forward_length", 0 },
        { "num_attention_heads", "attention.head_count", 0 }, { "num_key_value_heads", "attention.head_count_kv", 1 },
        { "head_dim", "rope.dimension_count", 1 }, { "head_dim", "attention.key_length", 1 }, { "head_dim", "attention.value_length", 1 },
        { "vocab_size", "vocab_size", 1 }, { "rms_norm_eps", "attention.layer_norm_rms_epsilon", 2 }, { "rope_theta", "rope.freq_base", 2 }
    };
    precis_status st = pcs_model_set_string(c->m, "general.architecture", c->arch, strlen(c->arch));
    for (size_t i = 0; i < sizeof map / sizeof *map && st == PRECIS_OK; i++) {
        double v;
        bool found;
        char name[128];
        st = number(c, map[i].hf, &v, &found);
        if (st != PRECIS_OK) break;
        if (!found && map[i].kind == 0) return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: %s is missing", c->m->path, map[i].hf);
        if (!found) continue;
        if (map[i].kind != 2 && (v < 0 || v > 4e9 || v != (double)(uint32_t)v))
            return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: %s is not a count", c->m->path, map[i].hf);
        snprintf(name, sizeof name, "%s.%s", c->arch, map[i].gguf);
        st = map[i].kind == 2 ? pcs_model_set_f32(c->m, name, (float)v) : pcs_model_set_u32(c->m, name, (uint32_t)v);
    }
    return st;
}

static precis_status set_special(config *c)
{
    static const char *const ids[][2] = { { "bos_token_id", "tokenizer.ggml.bos_token_id" }, { "eos_token_id", "tokenizer.ggml.eos_token_id" } };
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 2 && st == PRECIS_OK; i++) {
        double v;
        bool found;
        st = number(c, ids[i][0], &v, &found);
        if (st == PRECIS_OK && found && v >= 0 && v < 4e9) st = pcs_model_set_u32(c->m, ids[i][1], (uint32_t)v);
    }
    return st;
}

/* ---- names -------------------------------------------------------------------------------------- */

static const struct { const char *hf, *gguf; } names[] = {
    { "self_attn.q_proj", "attn_q" }, { "self_attn.k_proj", "attn_k" }, { "self_attn.v_proj", "attn_v" },
    { "self_attn.o_proj", "attn_output" }, { "mlp.gate_proj", "ffn_gate" }, { "mlp.up_proj", "ffn_up" },
    { "mlp.down_proj", "ffn_down" }, { "input_layernorm", "attn_norm" }, { "post_attention_layernorm", "ffn_norm" }
};

static precis_status rename_tensor(precis_model *m, pcs_tensor *t)
{
    const char *s = t->source;
    if (!strncmp(s, "model.", 6)) s += 6;
    char *out = NULL;
    if (!strcmp(s, "embed_tokens.weight")) out = pcs_arena_printf(&m->arena, "token_embd.weight");
    else if (!strcmp(s, "norm.weight")) out = pcs_arena_printf(&m->arena, "output_norm.weight");
    else if (!strcmp(s, "lm_head.weight")) out = pcs_arena_printf(&m->arena, "output.weight");
    unsigned layer;
    int used = 0;
    if (!out && sscanf(s, "layers.%5u.%n", &layer, &used) == 1 && used)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            const size_t n = strlen(names[i].hf);
            if (strncmp(s + used, names[i].hf, n) || s[used + (int)n] != '.') continue;
            out = pcs_arena_printf(&m->arena, "blk.%u.%s%s", layer, names[i].gguf, s + used + n);
            break;
        }
    if (out) t->name = out;
    return PRECIS_OK;
}

/* Rows of each head: half-split rotary order (r, r + hd/2) to interleaved (2r, 2r + 1). */
static precis_status interleave_rows(precis_model *m, pcs_tensor *t, int64_t heads)
{
    const uint64_t rows = t->dims == 1 ? (uint64_t)t->ne[0] : pcs_tensor_rows(t), row = rows ? t->bytes / rows : 0;
    if (heads < 1 || rows % (2 * (uint64_t)heads)) return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: rows do not divide into heads", m->path, t->source);
    uint8_t *copy = pcs_arena_alloc(&m->arena, (size_t)t->bytes, 1);
    if (!copy) return PRECIS_ENOMEM;
    const uint64_t hd = rows / (uint64_t)heads;
    for (uint64_t r = 0; r < rows; r++) {
        const uint64_t h = r / hd, k = r % hd, from = h * hd + k / 2 + (k % 2 ? hd / 2 : 0);
        memcpy(copy + r * row, t->data + from * row, (size_t)row);
    }
    t->data = copy;
    return PRECIS_OK;
}

static precis_status canonical(precis_model *m, const char *arch)
{
    precis_status st = PRECIS_OK;
    const pcs_key *heads = NULL, *kv = NULL;
    for (size_t i = 0; i < m->n_keys; i++) {
        if (strstr(m->keys[i].name, ".attention.head_count_kv")) kv = &m->keys[i];
        else if (strstr(m->keys[i].name, ".attention.head_count")) heads = &m->keys[i];
    }
    for (size_t i = 0; i < m->n_tensors && st == PRECIS_OK; i++) {
        pcs_tensor *t = &m->tensors[i];
        st = rename_tensor(m, t);
        if (st != PRECIS_OK || strcmp(arch, "llama") || !heads) continue;
        if (strstr(t->name, ".attn_q.")) st = interleave_rows(m, t, (int64_t)heads->v.u);
        else if (strstr(t->name, ".attn_k.")) st = interleave_rows(m, t, (int64_t)(kv ? kv : heads)->v.u);
    }
    return st;
}

static precis_status read_config(precis_model *m, const char *folder)
{
    char *path = pcs_arena_printf(&m->arena, "%s/config.json", folder), *text;
    size_t len;
    if (!path) return PRECIS_ENOMEM;
    precis_status st = pcs_file_slurp(m->ctx, path, PCS_LIMIT_JSON, &text, &len);
    if (st != PRECIS_OK) return st;
    m->ctx->file = path;
    config c = { m, { text, len }, "" };
    pcs_json_slice type;
    st = pcs_json_find(m->ctx, c.text, "model_type", &type);
    if (st == PRECIS_OK) {
        c.arch = text_is(type, "\"llama\"") || text_is(type, "\"mistral\"") ? "llama" : text_is(type, "\"qwen2\"") ? "qwen2" : "";
        if (!*c.arch) pcs_warn(m->ctx, "%s: model_type %.*s: tensors keep their names; the model can be inspected, not run", path,
                               (int)(type.len > 40 ? 40 : type.len), type.text ? type.text : "(none)");
    }
    if (st == PRECIS_OK && *c.arch) st = set_config(&c);
    if (st == PRECIS_OK && *c.arch) st = set_special(&c);
    if (st == PRECIS_OK && *c.arch) st = canonical(m, c.arch);
    pcs_free(m->ctx, text);
    return st;
}

static precis_status read_tokenizer(precis_model *m, const char *folder)
{
    char *path = pcs_arena_printf(&m->arena, "%s/tokenizer.json", folder), *text;
    size_t len;
    struct stat sb;
    if (!path) return PRECIS_ENOMEM;
    if (stat(path, &sb)) return PRECIS_OK; /* a model without one can be quantized */
    precis_status st = pcs_file_slurp(m->ctx, path, PCS_LIMIT_JSON, &text, &len);
    if (st != PRECIS_OK) return st;
    m->ctx->file = path;
    st = pcs_tokenizer_json(m, (pcs_json_slice){ text, len });
    if (st == PRECIS_EUNSUPPORTED) {
        pcs_warn(m->ctx, "%s", m->ctx->message);
        st = PRECIS_OK;
    }
    pcs_free(m->ctx, text);
    return st;
}

static precis_status read_safetensors(precis_model *m, const char *path)
{
    if (!pcs_is_dir(path)) return read_file(m, path);
    char *one = pcs_arena_printf(&m->arena, "%s/model.safetensors", path), *index = pcs_arena_printf(&m->arena, "%s/model.safetensors.index.json", path);
    struct stat sb;
    if (!one || !index) return PRECIS_ENOMEM;
    precis_status st;
    if (stat(index, &sb) == 0) {
        char *text;
        size_t len;
        st = pcs_file_slurp(m->ctx, index, PCS_LIMIT_JSON, &text, &len);
        if (st != PRECIS_OK) return st;
        m->ctx->file = index;
        st = read_shards(m, path, text, len);
        pcs_free(m->ctx, text);
    } else {
        st = read_file(m, one);
    }
    if (st == PRECIS_OK) st = read_config(m, path);
    if (st == PRECIS_OK) st = read_tokenizer(m, path);
    return st;
}

static bool probe(const char *path, bool folder, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path;
    uint64_t len = 0;
    if (folder) return true;
    if (n < 10) return false;
    memcpy(&len, head, 8);
    return head[8] == '{' && len <= PCS_LIMIT_HEADER && len < size;
}

const pcs_reader pcs_reader_safetensors = { "safetensors", probe, read_safetensors };
