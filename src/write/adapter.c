/* adapter.c - low-rank adapters (Hu et al. 2021, LoRA): llama.cpp's GGUF and PEFT folders, beside the weights or merged
 * into them. */
#include "base/lack.h"
#include "precis/convert.h"

#include "base/f16.h"
#include "graph/arch.h"
#include "graph/net.h"
#include "model/counts.h"
#include "model/finite.h"
#include "read/hf.h"

#include <math.h>
#include <stdio.h>

/* `merged`: per tensor of the model, whether its data is ours already. */
typedef struct {
    precis_ctx *ctx;
    precis_model *m;
    const precis_model *a;
    const char *path;
    const pcs_arch *arch; /* of the model; NULL: none that precis knows */
    double scale, alpha;
    bool has_alpha, stabilized;
    pcs_json_slice alphas;
    uint8_t *merged;
    pcs_counts counts; /* of a model whose rows lie in another order than transformers' */
} adapter;

/* What a pair of low-rank matrices belongs to. */
typedef struct {
    char *name;            /* "blk.0.attn_q" */
    unsigned expert;       /* UINT32_MAX: the whole tensor */
    bool embedding;        /* A and B change places: the rows of the table are what A reads */
    const pcs_tensor *b;
    const char *module;    /* as PEFT's patterns see it; NULL in GGUF */
} pair;

/* false: the tensor is no A. */
static bool pair_of(const adapter *d, const pcs_tensor *t, pair *p)
{
    char other[512];
    const char *a = strstr(t->source, ".lora_A."), *embedding = strstr(t->source, ".lora_embedding_A");
    *p = (pair){ .expert = UINT32_MAX };
    if (strlen(t->source) > 480) return false;
    snprintf(other, sizeof other, "%s", t->source);
    if (embedding || (a && pcs_ends(t->source, ".weight"))) {
        const char *from = embedding ? embedding : a;
        char *name = pcs_hf_name(d->m, d->arch, t->source, &p->expert);
        if (!name) return false;
        other[from - t->source + (embedding ? 16 : 6)] = 'B';
        p->embedding = embedding != NULL;
        const char *mark = strstr(name, embedding ? ".lora_embedding_A" : ".lora_A.");
        p->name = pcs_arena_copy(&d->m->arena, name, (size_t)(mark - name));
        p->module = pcs_arena_copy(&d->m->arena, t->source, (size_t)(from - t->source));
    } else if (pcs_ends(t->source, ".weight.lora_a")) {
        memcpy(other + strlen(other) - 6, "lora_b", 6);
        p->name = pcs_arena_copy(&d->m->arena, t->source, strlen(t->source) - strlen(".weight.lora_a"));
    } else return false;
    for (size_t i = 0; i < d->a->n_tensors && p->name; i++)
        if (!strcmp(d->a->tensors[i].source, other)) p->b = &d->a->tensors[i];
    return p->name != NULL;
}

static float *numbers(const adapter *d, const pcs_tensor *t)
{
    const size_t n = (size_t)t->ne[0], row = pcs_tensor_row_bytes(t);
    float *x = pcs_arena_alloc(&d->m->arena, (size_t)t->n, sizeof *x);
    for (uint64_t r = 0; x && r < pcs_tensor_rows(t); r++) pcs_decode(t->format, n, t->data + r * row, x + r * n);
    return x;
}

static precis_status add_floats_beside(adapter *d, const char *target, const char *suffix, const float *x, int64_t rows,
                                       int64_t cols)
{
    pcs_tensor *t = pcs_model_add_tensor(d->m);
    if (!t) return PRECIS_ENOMEM;
    *t = (pcs_tensor){ .format = &pcs_format_f32,
                       .dims = rows ? 2 : 1,
                       .n = (uint64_t)((rows ? rows : 1) * cols),
                       .data = (const uint8_t *)x };
    for (int i = 0; i < PCS_MAX_DIMS; i++) t->ne[i] = 1;
    t->ne[0] = t->shape[rows ? 1 : 0] = cols;
    if (rows) t->ne[1] = t->shape[0] = rows;
    t->bytes = 4 * t->n;
    t->name = t->source = pcs_arena_printf(&d->m->arena, "%s.%s", target, suffix);
    return t->name ? PRECIS_OK : PRECIS_ENOMEM;
}

/* A pair as numbers: a is [rank, the weight's width], b is [rows, rank]. */
typedef struct { const float *a, *b; int64_t rank; double scale; } product;

/* Adds a product to the rows of w from `first` on. */
static precis_status merge_into(adapter *d, pcs_tensor *w, size_t first, size_t rows, const product *p)
{
    const size_t n = (size_t)w->ne[0], rank = (size_t)p->rank;
    uint8_t *ours = &d->merged[w - d->m->tensors]; /* another expert's turn */
    float *x = *ours ? (float *)(uintptr_t)w->data : numbers(d, w);
    if (!x) return PRECIS_ENOMEM;
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < rank; k++) {
            const float s = (float)(p->scale * (double)p->b[r * rank + k]);
            for (size_t i = 0; i < n; i++) x[(first + r) * n + i] += s * p->a[k * n + i];
        }
    w->data = (const uint8_t *)x;
    w->format = &pcs_format_f32;
    w->bytes = 4 * w->n;
    *ours = 1;
    return PRECIS_OK;
}

/* PEFT's alpha_pattern: the first key that is the module's name, or its end after a dot. */
static precis_status alpha_of(adapter *d, const char *module, double *alpha)
{
    pcs_json j;
    pcs_json_token t;
    *alpha = d->alpha;
    if (!d->alphas.text || !module) return PRECIS_OK;
    pcs_json_init(&j, d->ctx, d->alphas.text, d->alphas.len);
    precis_status st = pcs_json_next(&j, &t);
    while (!st && (st = pcs_json_next(&j, &t)) == PRECIS_OK && t.type == PCS_JSON_KEY) {
        char *key;
        size_t len;
        bool there;
        st = pcs_json_string(&j, &t, &d->m->arena, &key, &len);
        if (!st && strpbrk(key, "*+?[](){}|^$\\"))
            return pcs_fail(d->ctx, PRECIS_EUNSUPPORTED,
                            "%s: adapter_config.json: alpha_pattern \"%.60s\" is a regular expression; name the "
                            "modules", d->path, key);
        if (!st && pcs_ends(module, key) && (strlen(module) == len || module[strlen(module) - len - 1] == '.'))
            return pcs_hf_number_of(d->ctx, d->alphas, key, alpha, &there);
        if (!st) st = pcs_json_next(&j, &t);
    }
    return st;
}

static float *transposed(adapter *d, const float *x, size_t rows, size_t cols)
{
    float *y = pcs_arena_alloc(&d->m->arena, rows * cols, sizeof *y);
    for (size_t r = 0; y && r < rows; r++)
        for (size_t c = 0; c < cols; c++) y[c * rows + r] = x[r * cols + c];
    return y;
}

/* B's rows into GGUF's rotary order. */
static float *rotary(adapter *d, const pcs_tensor *w, const float *b, size_t rank)
{
    const size_t rows = (size_t)w->ne[1], hd = d->counts.key_dim;
    float *y = pcs_arena_alloc(&d->m->arena, rows * rank, sizeof *y);
    for (size_t r = 0; y && r < rows; r++) memcpy(y + r * rank, b + pcs_hf_rotary_row(r, hd) * rank, rank * sizeof *b);
    return y;
}

/* PEFT saves the weight itself beside an adapter of the embedding or the head; it must be the model's. */
static bool is_copy(const adapter *d, const pcs_tensor *t)
{
    const char *base = strstr(t->source, ".base_layer."), *dot = base ? base + 11 : NULL;
    unsigned expert;
    uint32_t at;
    if (!base) return false;
    char *plain = pcs_arena_printf(&d->m->arena, "%.*s%s", (int)(base - t->source), t->source, dot),
         *name = plain ? pcs_hf_name(d->m, d->arch, plain, &expert) : NULL;
    if (!name || !pcs_map_get(&d->m->tensor_map, name, strlen(name), &at)) return false;
    const pcs_tensor *w = &d->m->tensors[at];
    const size_t n = (size_t)w->ne[0];
    bool same = w->n == t->n && w->ne[0] == t->ne[0];
    float *x = pcs_alloc(d->ctx, 2 * n, sizeof *x);
    same &= x != NULL;
    for (uint64_t r = 0; same && r < pcs_tensor_rows(w); r++) {
        pcs_decode(w->format, n, w->data + r * pcs_tensor_row_bytes(w), x);
        pcs_decode(t->format, n, t->data + r * pcs_tensor_row_bytes(t), x + n);
        /* what a quantized model's weight was before is not to be known */
        for (size_t i = 0; i < n && same; i++) same = w->format->kind == PCS_QUANT || x[i] == x[n + i];
    }
    pcs_free(d->ctx, x);
    return same;
}

/* Do A and B have the shapes of a pair for the weight w (dimensions, experts, columns and rows), and one rank? */
static bool fits(const pcs_tensor *w, const pcs_tensor *ta, const pair *p)
{
    const pcs_tensor *tb = p->b;
    if (!tb || ta->n == 0 || ta->format->kind == PCS_INT || tb->format->kind == PCS_INT) return false;
    const bool expert = p->expert != UINT32_MAX, stacked = ta->dims == 3 && w->dims == 3 && !expert;
    const uint32_t dims = stacked ? 3 : 2, w_dims = expert || stacked ? 3 : 2;
    if (ta->dims != dims || tb->dims != dims || w->dims != w_dims) return false;
    if (expert && (int64_t)p->expert >= w->ne[2]) return false;
    if (stacked && (ta->ne[2] != w->ne[2] || tb->ne[2] != w->ne[2])) return false;
    if (p->embedding) return tb->ne[1] == w->ne[0] && ta->ne[0] == w->ne[1] && tb->ne[0] == ta->ne[1];
    return ta->ne[0] == w->ne[0] && tb->ne[1] == w->ne[1] && tb->ne[0] == ta->ne[1];
}

/* The model's tensor that a pair changes. */
static precis_status target_of(adapter *d, const pcs_tensor *ta, const pair *p, pcs_tensor **out)
{
    uint32_t at;
    char full[512];
    snprintf(full, sizeof full, "%.480s.weight", p->name);
    if (!pcs_map_get(&d->m->tensor_map, full, strlen(full), &at)) {
        if (pcs_place_of(p->name).role == PCS_ROLE_output &&
            pcs_map_get(&d->m->tensor_map, "token_embd.weight", 17, &at))
            return pcs_fail(d->ctx, PRECIS_EUNSUPPORTED,
                            "%s: it changes the head, which is the model's embedding; merge it with PEFT's "
                            "merge_and_unload", d->path);
        return pcs_fail(d->ctx, PRECIS_EFORMAT, "%s: the model has no tensor %s; the adapter belongs to another one",
                        d->path, full);
    }
    pcs_tensor *w = *out = &d->m->tensors[at];
    if (!fits(w, ta, p))
        return pcs_fail(d->ctx, PRECIS_EFORMAT,
                        "%s: tensor %s does not fit %s [%lld, %lld]; the adapter belongs to another model", d->path,
                        ta->source, full, (long long)w->ne[1], (long long)w->ne[0]);
    if (p->embedding && !pcs_model_tensor(d->m, "output.weight"))
        return pcs_fail(d->ctx, PRECIS_EUNSUPPORTED,
                        "%s: it changes the embedding, which is the model's head, too; merge it with PEFT's "
                        "merge_and_unload", d->path);
    return PRECIS_OK;
}

/* A and B as tensors beside the weight. */
static precis_status beside(adapter *d, const char *target, const pcs_tensor *w, const product *p)
{
    const int64_t width = w->ne[0], rows = w->ne[1];
    char name[512];
    uint32_t at;
    snprintf(name, sizeof name, "%.480s.weight.lora_a", target);
    if (pcs_map_get(&d->m->tensor_map, name, strlen(name), &at))
        return pcs_fail(d->ctx, PRECIS_EINVAL, "%s: %s has an adapter already; merge one of them", d->path, w->name);
    float *s = pcs_arena_alloc(&d->m->arena, 16, sizeof *s);
    if (!s) return PRECIS_ENOMEM;
    *s = (float)p->scale;
    precis_status st = add_floats_beside(d, target, "weight.lora_a", p->a, p->rank, width);
    if (!st) st = add_floats_beside(d, target, "weight.lora_b", p->b, rows, p->rank);
    return st ? st : add_floats_beside(d, target, "weight.lora_scale", s, 0, 1);
}

/* A tensor that is no A: it is taken with its A, or it is what this adapter cannot have. */
static precis_status no_pair(adapter *d, const pcs_tensor *t)
{
    const bool of_gguf = pcs_ends(t->source, "lora_b");
    const bool of_peft = strstr(t->source, ".lora_B.") || strstr(t->source, ".lora_embedding_B");
    if (is_copy(d, t) || of_gguf || of_peft) return PRECIS_OK;
    const char *hint = "";
    if (strstr(t->source, "magnitude_vector")) hint = " (DoRA; merge it with PEFT's merge_and_unload)";
    else if (pcs_ends(t->source, ".bias") || pcs_ends(t->source, ".weight"))
        hint = " (a module trained whole; merge it with PEFT's merge_and_unload)";
    return pcs_fail(d->ctx, PRECIS_EUNSUPPORTED,
                    "%s: tensor %s is no part of a low-rank adapter that precis knows%s", d->path, t->source, hint);
}

static precis_status one(adapter *d, const pcs_tensor *ta, int merge)
{
    pair p;
    pcs_tensor *w = NULL;
    double alpha = 0;
    if (!pair_of(d, ta, &p)) return no_pair(d, ta);
    precis_status st = target_of(d, ta, &p, &w);
    if (!st) st = alpha_of(d, p.module, &alpha);
    if (st) return st;
    const int64_t rank = ta->ne[1];
    const size_t width = (size_t)w->ne[0], rows = (size_t)w->ne[1];
    float *a = numbers(d, p.embedding ? p.b : ta), *b = numbers(d, p.embedding ? ta : p.b);
    if (p.embedding && a && b) {
        a = transposed(d, a, width, (size_t)rank);
        b = transposed(d, b, (size_t)rank, rows);
    }
    const pcs_tensor_role role = w->is.role;
    const bool turns = d->arch && d->arch->hf.interleaved && (role == PCS_ROLE_attn_q || role == PCS_ROLE_attn_k);
    if (a && b && p.module && turns) b = rotary(d, w, b, (size_t)rank);
    if (!a || !b) return PRECIS_ENOMEM;
    const double root = d->stabilized ? sqrt((double)rank) : (double)rank;
    const product whole = { a, b, rank, d->scale * (d->has_alpha ? alpha / root : 1.0) };
    if (w->dims == 2 && !merge && !p.embedding) return beside(d, p.name, w, &whole);
    const size_t first = p.expert != UINT32_MAX ? p.expert : 0, count = ta->dims == 3 ? (size_t)ta->ne[2] : 1;
    for (size_t i = 0; i < count && !st; i++) {
        const float *a_i = a + i * (size_t)rank * width, *b_i = b + i * rows * (size_t)rank;
        st = merge_into(d, w, (first + i) * rows, rows, &(product){ a_i, b_i, rank, whole.scale });
    }
    return st;
}

/* alpha, and how it is divided by the rank. */
static precis_status read_settings(adapter *d)
{
    if (!strcmp(d->a->container, "gguf")) {
        const char *type = pcs_model_string(d->a, "adapter.type");
        if (!type || strcmp(type, "lora"))
            return pcs_fail(d->ctx, PRECIS_EFORMAT, "%s: key adapter.type is not \"lora\"; this is no adapter",
                            d->path);
        d->alpha = pcs_model_float(d->a, "adapter.lora.alpha", 0, &d->has_alpha);
        d->has_alpha &= d->alpha != 0; /* llama.cpp takes 0 for none */
        if (!(d->alpha - d->alpha == 0))
            return pcs_fail(d->ctx, PRECIS_EFORMAT, "%s: key adapter.lora.alpha is no finite number", d->path);
        return PRECIS_OK;
    }
    char *text;
    size_t len;
    precis_status st = pcs_hf_slurp(d->m, d->path, "adapter_config.json", &text, &len);
    if (st) return st;
    if (!text) return pcs_fail(d->ctx, PRECIS_EFORMAT, "%s: adapter_config.json is missing", d->path);
    const pcs_json_slice config = { pcs_arena_copy(&d->m->arena, text, len), len };
    pcs_free(d->ctx, text);
    if (!config.text) return PRECIS_ENOMEM;
    double rs = 0;
    bool there;
    st = pcs_hf_number_of(d->ctx, config, "lora_alpha", &d->alpha, &d->has_alpha);
    if (!st) st = pcs_hf_number_of(d->ctx, config, "use_rslora", &rs, &there);
    d->stabilized = rs != 0;
    if (!st) st = pcs_json_find(d->ctx, config, "alpha_pattern", &d->alphas);
    if (!d->alphas.text || d->alphas.text[0] != '{') d->alphas.text = NULL;
    return st;
}

static precis_status open_adapter(adapter *d, precis_model **out)
{
    if (!pcs_is_dir(d->path)) return precis_model_open(d->ctx, out, d->path);
    precis_status st = pcs_model_new(d->ctx, out, d->path, "safetensors");
    char *file = st ? NULL : pcs_arena_printf(&(*out)->arena, "%s/adapter_model.safetensors", d->path);
    if (!st) st = file ? pcs_safetensors_file(*out, file) : PRECIS_ENOMEM;
    if (!st) st = pcs_model_index(*out);
    if (st) precis_model_close(out);
    return st;
}

precis_status precis_model_add_adapter(precis_ctx *ctx, precis_model *model, const char *path, double scale, int merge)
{
    const uint64_t refused = precis_ctx_refused(ctx);
    adapter d = { .ctx = ctx, .m = model, .path = path, .scale = scale, .arch = pcs_arch_of(model) };
    precis_model *a = NULL;
    precis_status st = open_adapter(&d, &a);
    d.a = a;
    if (!st) st = pcs_net_check(model);
    if (!st && d.arch && d.arch->hf.interleaved) st = pcs_counts_read(model, &d.counts);
    if (!st) st = pcs_model_finite(ctx, a); /* NaN in A or B would be all of a weight's */
    if (!st) st = read_settings(&d);
    if (!st && !(d.merged = pcs_alloc(ctx, model->n_tensors, 1))) st = PRECIS_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; !st && i < a->n_tensors; i++, n++) st = one(&d, &a->tensors[i], merge);
    if (!st && !n) st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: no tensors", path);
    pcs_free(ctx, d.merged);
    precis_model_close(&a);
    if (!st) st = pcs_model_index(model);
    return pcs_with_memory(ctx, refused, st); /* a tensor whose name could not be made is no stranger */
}
