/* hf.c - config.json and generation_config.json of a transformers folder, as GGUF's keys and names.
 *
 * Query and key rows of llama are put into GGUF's rotary order, gemma's norm weights get the 1 that the model adds,
 * gpt2's matrices are turned round, and experts are put into one tensor: each costs a copy. */
#include "read/hf.h"
#include "base/f16.h"
#include "base/file.h"
#include "base/fmath.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- tensors --------------------------------------------------------------------------------------- */

/* Rows of each head: half-split rotary order (r, r + hd/2) to interleaved (2r, 2r + 1). */
static precis_status interleave_rows(precis_model *m, pcs_tensor *t, int64_t heads)
{
    const uint64_t rows = t->dims == 1 ? (uint64_t)t->ne[0] : pcs_tensor_rows(t), row = rows ? t->bytes / rows : 0;
    if (heads < 1 || rows % (2 * (uint64_t)heads))
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: rows do not divide into heads", m->path, t->source);
    uint8_t *copy = pcs_arena_alloc(&m->arena, (size_t)t->bytes, 1);
    if (!copy) return PRECIS_ENOMEM;
    const uint64_t hd = rows / (uint64_t)heads;
    for (uint64_t r = 0; r < rows; r++) memcpy(copy + r * row, t->data + pcs_hf_rotary_row(r, hd) * row, (size_t)row);
    t->data = copy;
    return PRECIS_OK;
}

static precis_status plus_one(precis_model *m, pcs_tensor *t)
{
    float *f = pcs_arena_alloc(&m->arena, (size_t)t->n, sizeof *f);
    if (!f) return PRECIS_ENOMEM;
    pcs_decode(t->format, (size_t)t->n, t->data, f);
    for (uint64_t i = 0; i < t->n; i++) f[i] += 1.0f;
    t->data = (const uint8_t *)f;
    t->format = &pcs_format_f32;
    t->bytes = 4 * t->n;
    return PRECIS_OK;
}

static precis_status transpose(precis_model *m, pcs_tensor *t)
{
    const size_t w = t->format->bytes, rows = (size_t)t->ne[1], cols = (size_t)t->ne[0];
    if (t->format->block != 1 || t->format->head)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: %s: a %s matrix cannot be turned round", m->path, t->source,
                        t->format->name);
    uint8_t *copy = pcs_arena_alloc(&m->arena, (size_t)t->bytes, 1);
    if (!copy) return PRECIS_ENOMEM;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) memcpy(copy + (c * rows + r) * w, t->data + (r * cols + c) * w, w);
    t->data = copy;
    t->ne[0] = (int64_t)rows;
    t->ne[1] = (int64_t)cols;
    return PRECIS_OK;
}

/* A number that stands beside each expert's weight. The scales of their weights stay apart, [experts]; the input, which
 * the experts share, is rounded by the largest. */
static precis_status stack_scalar(precis_model *m, pcs_tensor *s, const pcs_tensor *one, unsigned expert, int64_t count,
                                  bool first)
{
    const bool apart = one->is.end == PCS_END_scale;
    if (one->n != 1 || one->format != &pcs_format_f32)
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: not one F32 number", m->path, one->source);
    if (first) {
        *s = *one;
        s->dims = 1;
        s->n = apart ? (uint64_t)count : 1;
        s->ne[0] = s->shape[0] = (int64_t)s->n;
        s->bytes = 4 * s->n;
        s->source = s->name;
        if (!(s->data = pcs_arena_alloc(&m->arena, (size_t)s->n, 4))) return PRECIS_ENOMEM;
    }
    float *to = (float *)(uintptr_t)s->data, v = pcs_bits_f32(pcs_load32(one->data));
    if (apart) to[expert] = v;
    else if (v > *to || first) *to = v;
    return PRECIS_OK;
}

/* Tensors of experts, one after another, as one: [experts, rows, width]. numbers: of the expert, or UINT32_MAX. */
static precis_status stack_experts(precis_model *m, const unsigned *numbers, int64_t count)
{
    size_t kept = 0;
    pcs_map first;
    pcs_map_init(&first, m->ctx);
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        pcs_tensor *t = &m->tensors[i];
        uint32_t at = (uint32_t)kept;
        bool existed = false;
        if (numbers[i] == UINT32_MAX) {
            m->tensors[kept++] = *t;
            continue;
        }
        const pcs_tensor_end end = t->is.end;
        const bool scalar = end == PCS_END_scale || end == PCS_END_input_scale || end == PCS_END_input_zero;
        if (numbers[i] >= (uint64_t)count || (!scalar && t->dims != 2))
            st = pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: expert %u of %lld", m->path, t->source, numbers[i],
                          (long long)count);
        if (!st && pcs_map_get(&first, t->name, strlen(t->name), &at)) existed = true;
        else if (!st) st = pcs_map_put(&first, t->name, strlen(t->name), (uint32_t)kept, &existed);
        if (st) break;
        const pcs_tensor one = *t;
        if (scalar) {
            st = stack_scalar(m, &m->tensors[at], &one, numbers[i], count, !existed);
            kept += !existed;
            continue;
        }
        if (!existed) {
            uint64_t all;
            if (!pcs_mul_ok(one.bytes, (uint64_t)count, &all) || all > (uint64_t)1 << 46)
                st = pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: too large", m->path, one.source);
            pcs_tensor *s = &m->tensors[kept++];
            *s = one;
            if (!st && !(s->data = pcs_arena_alloc(&m->arena, (size_t)all, 1))) st = PRECIS_ENOMEM;
            s->dims = 3;
            s->ne[2] = s->shape[0] = count;
            s->shape[1] = one.ne[1];
            s->shape[2] = one.ne[0];
            s->n = one.n * (uint64_t)count;
            s->bytes = all;
            s->source = s->name;
            existed = true;
        }
        pcs_tensor *s = &m->tensors[at];
        const bool alike = one.format == s->format && one.ne[0] == s->ne[0] && one.ne[1] == s->ne[1];
        if (!st && !alike)
            st = pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s: differs from other experts", m->path, one.source);
        if (!st) memcpy((uint8_t *)(uintptr_t)s->data + numbers[i] * one.bytes, one.data, (size_t)one.bytes);
    }
    pcs_map_free(&first);
    if (!st) m->n_tensors = kept;
    return st;
}

/* Each of a stack's experts is there once: a lost one would be zeros. */
static precis_status check_experts(precis_model *m, const unsigned *numbers, int64_t count)
{
    pcs_map found;
    pcs_map_init(&found, m->ctx);
    const size_t n = m->n_tensors;
    uint32_t *seen = pcs_alloc(m->ctx, n + 1, sizeof *seen), at;
    precis_status st = seen ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < n && !st; i++) {
        const char *name = m->tensors[i].name;
        bool existed;
        if (numbers[i] == UINT32_MAX) continue;
        if (!pcs_map_get(&found, name, strlen(name), &at))
            st = pcs_map_put(&found, name, strlen(name), at = (uint32_t)i, &existed);
        if (!st) seen[at]++;
    }
    for (size_t i = 0; i < n && !st; i++)
        if (seen[i] && seen[i] != (uint64_t)count && m->tensors[i].is.end == PCS_END_weight)
            m->flaw = pcs_arena_printf(&m->arena,
                                       "tensor %s: %u experts are there, config.json says %lld; is a file missing?",
                                       m->tensors[i].name, seen[i], (long long)count);
    pcs_free(m->ctx, seen);
    pcs_map_free(&found);
    return st;
}

/* Buffers that older transformers saved with the weights: their numbers follow from the settings. */
static bool is_derived(const pcs_tensor *t)
{
    const char *name = t->source;
    static const char *const ends[] = { "rotary_emb.inv_freq",
                                        "rotary_emb.original_inv_freq",
                                        "rotary_emb.cos_cached",
                                        "rotary_emb.sin_cached",
                                        "attn.bias",
                                        "attn.masked_bias",
                                        "masked_bias",
                                        "position_ids",
                                        "embeddings.token_type_ids" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const size_t n = strlen(name), k = strlen(ends[i]);
        if (!pcs_ends(name, ends[i]) || (n != k && name[n - k - 1] != '.')) continue;
        return strcmp(ends[i], "attn.bias") || t->dims > 1; /* a mask, no vector that is added */
    }
    return false;
}

static void drop_derived(precis_model *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n_tensors; i++)
        if (!is_derived(&m->tensors[i])) m->tensors[kept++] = m->tensors[i];
    m->n_tensors = kept;
}

/* What GGUF says of tensors and config.json may leave out: rows of the embedding, kinds of tokens, norms' epsilon. */
static precis_status add_missing(pcs_hf_config *c)
{
    precis_model *m = c->m;
    const pcs_tensor *embed = NULL, *kinds = NULL;
    for (size_t i = 0; i < m->n_tensors; i++) {
        const pcs_tensor *t = &m->tensors[i];
        if (t->is.role == PCS_ROLE_token_embd && t->is.end == PCS_END_weight) embed = t;
        if (t->is.role == PCS_ROLE_token_types && t->is.end == PCS_END_weight) kinds = t;
    }
    precis_status st = pcs_model_index_keys(m);
    bool said;
    pcs_arch_int(m, "vocab_size", 0, &said);
    if (!st && !said && embed) st = pcs_hf_set_count(c, "vocab_size", (double)pcs_tensor_rows(embed));
    if (!st && kinds) st = pcs_model_set_u32(m, "tokenizer.ggml.token_type_count", (uint32_t)pcs_tensor_rows(kinds));
    const char *eps = c->arch->hf.layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon";
    pcs_arch_float(m, eps, 0, &said);
    return st || said ? st : pcs_hf_set_float(c, eps, c->type->epsilon);
}

/* A model that makes words and does not tie its logits to the embedding needs their weight. */
static precis_status check_head(pcs_hf_config *c)
{
    pcs_json_slice classes;
    double tied;
    bool said;
    precis_status st = pcs_hf_number_of(c->m->ctx, c->text, "tie_word_embeddings", &tied, &said);
    if (!st) st = pcs_json_find(c->m->ctx, c->text, "architectures", &classes);
    if (st || !said || tied != 0 || !classes.text || !memmem(classes.text, classes.len, "ForCausalLM", 11)) return st;
    for (size_t i = 0; i < c->m->n_tensors; i++)
        if (c->m->tensors[i].is.role == PCS_ROLE_output) return PRECIS_OK;
    c->m->flaw = "tensor lm_head.weight is missing, and config.json does not tie it to the embedding";
    return PRECIS_OK;
}

/* The tensor as GGUF has it. */
static precis_status convert(pcs_hf_config *c, pcs_tensor *t, int64_t heads, int64_t kv)
{
    const pcs_hf *hf = &c->arch->hf;
    const pcs_tensor_role role = t->is.role;
    const bool rows = t->is.end == PCS_END_weight || t->is.end == PCS_END_bias;
    if (hf->interleaved && heads && rows && role == PCS_ROLE_attn_q) return interleave_rows(c->m, t, heads);
    if (hf->interleaved && heads && rows && role == PCS_ROLE_attn_k) return interleave_rows(c->m, t, kv);
    if (hf->plus_one && t->is.end == PCS_END_weight && pcs_role_of_norm(role)) return plus_one(c->m, t);
    return hf->transposed && t->dims == 2 && t->is.layer >= 0 ? transpose(c->m, t) : PRECIS_OK;
}

static precis_status canonical(pcs_hf_config *c)
{
    precis_model *m = c->m;
    precis_status st = pcs_model_index_keys(m);
    if (st) return st;
    drop_derived(m);
    const int64_t heads = pcs_arch_int(m, "attention.head_count", 0, NULL);
    const int64_t kv = pcs_arch_int(m, "attention.head_count_kv", heads, NULL);
    const int64_t experts = pcs_arch_int(m, "expert_count", 0, NULL);
    unsigned *numbers = pcs_alloc(m->ctx, m->n_tensors, sizeof *numbers);
    if (!numbers) return PRECIS_ENOMEM;
    bool stacked = false;
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        pcs_tensor *t = &m->tensors[i];
        char *name = pcs_hf_name(m, c->arch, t->source, &numbers[i]);
        if (name) t->name = name;
        t->is = pcs_place_of(t->name);
        stacked |= numbers[i] != UINT32_MAX;
        if (name) st = convert(c, t, heads, kv);
    }
    if (!st && stacked) st = check_experts(m, numbers, experts);
    if (!st && stacked) st = stack_experts(m, numbers, experts);
    pcs_free(m->ctx, numbers);
    return st;
}

/* The architecture that builds a model type, and its row. */
static bool find_type(pcs_hf_config *c, pcs_json_slice type)
{
    for (size_t i = 0; pcs_archs[i]; i++)
        for (const pcs_hf_type *t = pcs_archs[i]->hf.types; t && t->type; t++)
            if (pcs_hf_is(type, t->type)) {
                c->arch = pcs_archs[i];
                c->type = t;
                return true;
            }
    return false;
}

/* Of a model type that is known: keys and tensors. */
static precis_status read_known(pcs_hf_config *c, const char *folder)
{
    precis_model *m = c->m;
    char *generation = NULL;
    size_t n_generation = 0;
    pcs_json_slice inner;
    const pcs_json_slice outer = c->text;
    /* of a model that sees, the part that reads */
    precis_status st = pcs_json_find(m->ctx, c->text, "text_config", &inner);
    if (!st && inner.text && inner.text[0] == '{') c->text = inner;
    if (!st) st = pcs_hf_settings(c);
    if (!st) st = pcs_hf_rope(c);
    c->text = outer;
    if (!st) st = canonical(c);
    if (!st) st = add_missing(c);
    if (!st) st = check_head(c);
    if (!st) st = pcs_hf_slurp(m, folder, "generation_config.json", &generation, &n_generation);
    if (!st) st = pcs_hf_special(c, (pcs_json_slice){ generation, n_generation });
    if (!st && c->reason[0])
        pcs_warn(m->ctx, "%s/config.json: %s: the model can be inspected and quantized, not run", folder, c->reason);
    pcs_free(m->ctx, generation);
    return st;
}

static precis_status read_config(precis_model *m, const char *folder)
{
    char *text;
    size_t len;
    precis_status st = pcs_hf_slurp(m, folder, "config.json", &text, &len);
    if (st) return st;
    if (!text) return pcs_fail(m->ctx, PRECIS_EIO, "%s/config.json: there is no such file", folder);
    pcs_hf_config c = { .m = m, .text = { text, len } };
    pcs_json_slice type;
    st = pcs_hf_quantized(m, c.text);
    if (!st) st = pcs_json_find(m->ctx, c.text, "model_type", &type);
    if (!st && find_type(&c, type)) st = read_known(&c, folder);
    else if (!st) {
        pcs_hf_cannot(&c, "model_type %.*s", (int)(type.len > 40 ? 40 : type.len), type.text ? type.text : "(none)");
        pcs_warn(m->ctx, "%s: %s: tensors keep their names; the model can be inspected and quantized, not run",
                 m->ctx->file, c.reason);
    }
    if (!st && c.reason[0]) st = pcs_model_set_string(m, "precis.cannot_run", c.reason, strlen(c.reason));
    pcs_free(m->ctx, text);
    return st;
}

precis_status pcs_hf_folder(precis_model *m, const char *folder)
{
    precis_status st = read_config(m, folder);
    if (!st) st = pcs_hf_text(m, folder);
    return st ? st : pcs_hf_ends(m, folder);
}
