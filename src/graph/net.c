/* net.c - is a model whole? The graph of its architecture is built, and which tensors it looked up is counted. */
#include "graph/net.h"

#include "graph/arch.h"
#include "model/counts.h"

#include <stdio.h>

/* Packings of other programs, by the ends of two names that stand beside each other. */
static const struct {
    const char *end, *with, *by, *remedy;
} packings[] = {
    { ".biases", ".scales", "MLX", "mlx_lm.convert --dequantize" },
    { "._data", "._scale", "quanto", "optimum.quanto's dequantize" },
    { ".SCB", ".weight", "bitsandbytes (8 bits)", "transformers' model.dequantize()" },
    { ".absmax", ".quant_map", "bitsandbytes (4 bits)", "transformers' model.dequantize()" },
    { ".W_q", NULL, "HQQ", "its dequantize()" },
    { ".codebooks", ".codes", "AQLM", "its dequantize()" },
    { ".Qidxs", NULL, "QuIP#", "its own scripts" },
    { ".q_weight", ".q_scale", "ExLlamaV2", "the original weights" },
    { ".trellis", ".suh", "ExLlamaV3", "the original weights" },
    { ".centroids", ".indices", "VPTQ", "its dequantize()" },
    { ".weight_scale_2", ".weight_scale", "NVIDIA ModelOpt", "the original weights" },
};

static bool from_folder(const precis_model *m) { return !strcmp(m->container, "safetensors"); }

/* Is there a tensor with this name and another end? */
static bool has_beside(const precis_model *m, const char *name, const char *end, const char *with)
{
    char other[512];
    uint32_t at;
    const int stem = (int)(strlen(name) - strlen(end));
    const int n = snprintf(other, sizeof other, "%.*s%s", stem, name, with);
    return n > 0 && (size_t)n < sizeof other && pcs_map_get(&m->source_map, other, (size_t)n, &at);
}

static precis_status check_packing(const precis_model *m)
{
    for (size_t i = 0; i < m->n_tensors; i++) {
        const char *name = m->tensors[i].source;
        for (size_t k = 0; k < sizeof packings / sizeof *packings; k++) {
            if (!pcs_ends(name, packings[k].end)) continue;
            if (packings[k].with && !has_beside(m, name, packings[k].end, packings[k].with)) continue;
            return pcs_fail(m->ctx, PRECIS_EFORMAT,
                            "%s: tensor %s: weights are packed by %s, which precis does not read; dequantize there "
                            "first (%s)",
                            m->path, name, packings[k].by, packings[k].remedy);
        }
    }
    return PRECIS_OK;
}

/* Fewer layers than the model says; that there are more is said by pcs_counts_check. */
static precis_status check_layers(const precis_model *m)
{
    bool said;
    const int64_t want = pcs_arch_int(m, "block_count", 0, &said);
    int64_t have = 0;
    for (size_t i = 0; i < m->n_tensors; i++)
        if (m->tensors[i].is.layer >= have) have = m->tensors[i].is.layer + 1;
    if (!said || !have || have >= want) return PRECIS_OK; /* that none is there at all is said by name */
    if (from_folder(m))
        return pcs_fail(m->ctx, PRECIS_EFORMAT,
                        "%s: config.json says %lld layers, but the tensors are of %lld; is a file missing?", m->path,
                        (long long)want, (long long)have);
    return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: key %s.block_count says %lld layers, but the tensors are of %lld",
                    m->path, pcs_model_string(m, "general.architecture"), (long long)want, (long long)have);
}

bool pcs_net_listed(const char *list, const char *name)
{
    name = pcs_bare_name(name);
    const size_t len = strlen(name);
    for (const char *p = list; p && *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " ") == len && !memcmp(p, name, len)) return true;
    return false;
}

/* A layer must have a tensor: the len bytes of a name without its layer. */
static precis_status needs(const precis_model *m, int64_t layer, const char *name, size_t len)
{
    char bare[128], full[160];
    snprintf(bare, sizeof bare, "%.*s", len > 100 ? 100 : (int)len, name);
    pcs_tensor_name(full, sizeof full, (int)layer, bare);
    uint32_t at; /* asked here, not by the net */
    if (pcs_map_get(&m->tensor_map, full, strlen(full), &at)) return PRECIS_OK;
    return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor %s is missing", m->path, full);
}

static bool of_feed_forward(const pcs_tensor *t)
{
    const pcs_tensor_role like = pcs_role_like(t->is.role);
    return like == PCS_ROLE_ffn_gate || like == PCS_ROLE_ffn_up || like == PCS_ROLE_ffn_down;
}

/* Biases and norms that a graph can do without: what one layer has, all have (feed-forward blocks apart, which may be
 * of experts). */
static precis_status check_alike(const precis_model *m, const pcs_arch *arch)
{
    const int64_t said = pcs_arch_int(m, "block_count", 0, NULL);
    const int64_t layers = said < PCS_LIMIT_LAYERS ? said : PCS_LIMIT_LAYERS;
    precis_status st = PRECIS_OK;
    for (const char *p = arch->needs; p && *p; p += strcspn(p, " "), p += *p == ' ')
        for (int64_t i = 0; i < layers && !st; i++) st = needs(m, i, p, strcspn(p, " "));
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        const pcs_tensor *t = &m->tensors[i];
        const char *name = pcs_bare_name(t->name);
        const bool norm = t->is.end == PCS_END_weight && pcs_role_of_norm(t->is.role);
        const bool bias = t->is.end == PCS_END_bias && !of_feed_forward(t);
        if (t->is.layer < 0 || !(norm || bias) || !pcs_net_listed(arch->tensors, name)) continue;
        if (t->is.layer) st = needs(m, 0, name, strlen(name));
        for (int64_t k = 1; !t->is.layer && k < layers && !st; k++) st = needs(m, k, name, strlen(name));
    }
    return st;
}

/* Each token needs its row; rows without a token have got one when the model was read (read/vocabulary.c). */
static precis_status check_tokens(const precis_model *m)
{
    const pcs_key *k = pcs_model_key(m, "tokenizer.ggml.tokens");
    const pcs_tensor *e = pcs_model_part(m, -1, PCS_ROLE_token_embd, PCS_END_weight);
    if (!k || !e || e->dims != 2 || k->n <= (uint64_t)e->ne[1]) return PRECIS_OK;
    return pcs_fail(m->ctx, PRECIS_EFORMAT,
                    "%s: the tokenizer has %llu tokens, but the embedding only %lld rows; is it another model's?",
                    m->path, (unsigned long long)k->n, (long long)e->ne[1]);
}

/* An epsilon, base, scale or cap that is NaN would be in every result. */
static precis_status check_numbers(const precis_model *m)
{
    const char *arch = pcs_model_string(m, "general.architecture");
    const size_t n = strlen(arch);
    for (size_t i = 0; i < m->n_keys; i++) {
        const pcs_key *k = &m->keys[i];
        const bool real = k->type == PCS_KEY_F32 || k->type == PCS_KEY_F64;
        if (real && !strncmp(k->name, arch, n) && k->name[n] == '.' && !(k->v.f - k->v.f == 0))
            return pcs_fail(m->ctx, PRECIS_EFORMAT,
                            "%s: key %s is %s, and the model computes with it; the file is damaged, or was made "
                            "wrongly", m->path, k->name, k->v.f == k->v.f ? "infinite" : "no number (NaN)");
    }
    return PRECIS_OK;
}

precis_status pcs_net_check_names(const precis_model *m)
{
    const pcs_arch *arch = pcs_arch_of(m);
    precis_status st = check_packing(m);
    if (!st && m->flaw) st = pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: %s", m->path, m->flaw);
    if (st || !arch) return st;
    st = pcs_counts_check(m);
    if (!st) st = check_numbers(m);
    if (!st) st = check_layers(m);
    if (!st) st = check_alike(m, arch);
    return st ? st : check_tokens(m);
}

/* ---- files ---------------------------------------------------------------------------------------------------- */

/* llama.cpp takes scales of a layer's weights and of their inputs. */
static bool is_scale(const char *name)
{
    const pcs_place p = pcs_place_of(name);
    return p.layer >= 0 && (p.end == PCS_END_scale || p.end == PCS_END_input_scale);
}

/* A few names, for a sentence. */
static void name_some(char *out, size_t cap, size_t *n, const char *name)
{
    const size_t at = strlen(out);
    if (*n < 3) snprintf(out + at, cap - at, "%s%.80s", *n ? ", " : "", name);
    else if (*n == 3) snprintf(out + at, cap - at, ", ...");
    ++*n;
}

void pcs_net_name_extras(const precis_model *m)
{
    char some[512] = "";
    size_t n = 0;
    for (size_t i = 0; i < m->n_extras; i++) name_some(some, sizeof some, &n, m->extras[i].source);
    if (n)
        pcs_warn(m->ctx, "%s: %zu tensor%s no part of %s's net, left out of GGUF files: %s", m->path, n,
                 n == 1 ? " is" : "s are", pcs_model_string(m, "general.architecture"), some);
}

static bool has_key(const pcs_net_file *f, const char *name)
{
    for (size_t i = 0; i < f->n_keys; i++)
        if (!strcmp(f->keys[i].name, name)) return true;
    return false;
}

static precis_status check_keys(precis_ctx *ctx, const pcs_net_file *f, const pcs_arch *arch)
{
    for (const char *p = arch->keys; *p; p += strcspn(p, " "), p += *p == ' ') {
        char key[128];
        const int len = (int)strcspn(p, " ");
        snprintf(key, sizeof key, "%s%s%.*s", strncmp(p, "tokenizer.", 10) ? arch->name : "",
                 strncmp(p, "tokenizer.", 10) ? "." : "", len, p);
        if (has_key(f, key)) continue;
        if (from_folder(f->source))
            return pcs_fail(ctx, PRECIS_EFORMAT,
                            "%s: config.json: nothing gives key %s, without which llama.cpp refuses %s",
                            f->source->path, key, f->path);
        pcs_warn(ctx, "%s: key %s is missing, as it is in %s; llama.cpp refuses a file without it", f->path, key,
                 f->source->path);
    }
    return PRECIS_OK;
}

/* What the model computes and llama.cpp has no key for: it would run the file, and compute something else. */
static void note_differences(precis_ctx *ctx, const pcs_net_file *f, const pcs_arch *of_file)
{
    const precis_model *m = f->source;
    const pcs_arch *arch = pcs_arch_of(m);
    if (!arch) return;
    char key[128];
    snprintf(key, sizeof key, "%s.feed_forward.activation", arch->name);
    const char *act = pcs_model_string(m, key);
    bool scale;
    pcs_arch_float(m, "attention.scale", 0, &scale);
    if (arch->query_scale && scale)
        pcs_warn(ctx,
                 "%s: llama.cpp scales queries by the head's dimension; precis reads the model's own from "
                 "%s.attention.scale",
                 f->path, arch->name);
    if (pcs_arch_int(m, "attention.sliding_window", 0, NULL) > 0 && (!arch->llama_windows || !pcs_usual_windows(m)))
        pcs_warn(ctx,
                 "%s: llama.cpp does not window attention as this %s does; precis reads it from "
                 "%s.attention.sliding_window",
                 f->path, arch->name, arch->name);
    if (act && arch->hf.act && strcmp(act, arch->hf.act))
        pcs_warn(ctx, "%s: llama.cpp's %s has %s where this model has %s; precis reads it from %s", f->path,
                 of_file->name, arch->hf.act_said, act, key);
}

precis_status pcs_net_check_file(precis_ctx *ctx, const pcs_net_file *f)
{
    const pcs_arch *arch = NULL;
    for (size_t i = 0; i < f->n_keys; i++)
        if (!strcmp(f->keys[i].name, "general.architecture") && f->keys[i].type == PCS_KEY_STRING)
            arch = pcs_arch_by_name(f->keys[i].v.text.s);
    if (!arch) return PRECIS_OK;
    if (f->n_names) note_differences(ctx, f, arch);
    char some[512] = "";
    size_t n = 0;
    for (size_t i = 0; i < f->n_names; i++)
        if (!pcs_net_listed(arch->tensors, f->names[i]) && !is_scale(f->names[i]))
            name_some(some, sizeof some, &n, f->names[i]);
    if (n)
        pcs_warn(ctx, "%s: precis uses %zu tensor%s that llama.cpp's %s does not know, so it refuses the file: %s",
                 f->path, n, n == 1 ? "" : "s", arch->name, some);
    return check_keys(ctx, f, arch);
}
