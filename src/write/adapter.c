/* adapter.c - low-rank adapters (Hu et al. 2021, LoRA): llama.cpp's GGUF and PEFT folders, beside the weights or merged into them. */
#include "precis/convert.h"

#include "base/f16.h"
#include "read/hf.h"

#include <stdio.h>

typedef struct { precis_ctx *ctx; precis_model *m; const precis_model *a; const char *path; double scale; } adapter;

static bool ends(const char *s, const char *tail)
{
    const size_t n = strlen(s), k = strlen(tail);
    return n >= k && !strcmp(s + n - k, tail);
}

/* "blk.0.attn_q" of a tensor with A, or NULL; also its B. */
static char *target_of(const adapter *d, const pcs_tensor *t, const pcs_tensor **b)
{
    char *s = NULL, other[512];
    unsigned expert;
    *b = NULL;
    if (ends(t->source, ".lora_A.weight") || ends(t->source, ".lora_A.default.weight")) {
        char *name = pcs_hf_name(d->m, "", t->source, &expert);
        if (!name || strlen(t->source) > 480) return NULL;
        snprintf(other, sizeof other, "%s", t->source);
        memcpy(strstr(other, ".lora_A."), ".lora_B.", 8);
        s = pcs_arena_copy(&d->m->arena, name, (size_t)(strstr(name, ".lora_A.") - name));
    } else if (ends(t->source, ".weight.lora_a") && strlen(t->source) < 480) {
        snprintf(other, sizeof other, "%s", t->source);
        memcpy(other + strlen(other) - 6, "lora_b", 6);
        s = pcs_arena_copy(&d->m->arena, t->source, strlen(t->source) - strlen(".weight.lora_a"));
    } else return NULL;
    for (size_t i = 0; i < d->a->n_tensors && s; i++)
        if (!strcmp(d->a->tensors[i].source, other)) *b = &d->a->tensors[i];
    return s;
}

static float *numbers(const adapter *d, const pcs_tensor *t)
{
    float *x = pcs_arena_alloc(&d->m->arena, (size_t)t->n, sizeof *x);
    for (uint64_t r = 0; x && r < pcs_tensor_rows(t); r++) pcs_decode(t->format, (size_t)t->ne[0], t->data + r * pcs_tensor_row_bytes(t), x + r * (size_t)t->ne[0]);
    return x;
}

static precis_status put(adapter *d, const char *target, const char *suffix, const float *x, int64_t rows, int64_t cols)
{
    pcs_tensor *t = pcs_model_add_tensor(d->m);
    if (!t) return PRECIS_ENOMEM;
    *t = (pcs_tensor){ .format = pcs_format_by_name("F32"), .dims = rows ? 2 : 1, .n = (uint64_t)((rows ? rows : 1) * cols), .data = (const uint8_t *)x };
    for (int i = 0; i < PCS_MAX_DIMS; i++) t->ne[i] = 1;
    t->ne[0] = t->shape[rows ? 1 : 0] = cols;
    if (rows) t->ne[1] = t->shape[0] = rows;
    t->bytes = 4 * t->n;
    t->name = t->source = pcs_arena_printf(&d->m->arena, "%s.%s", target, suffix);
    return t->name ? PRECIS_OK : PRECIS_ENOMEM;
}

static precis_status merge_into(adapter *d, pcs_tensor *w, const float *a, const float *b, int64_t rank)
{
    const size_t n = (size_t)w->ne[0], rows = (size_t)w->ne[1];
    float *x = numbers(d, w);
    if (!x) return PRECIS_ENOMEM;
    for (size_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < rank; k++) {
            const float s = (float)(d->scale * (double)b[r * (size_t)rank + (size_t)k]);
            for (size_t i = 0; i < n; i++) x[r * n + i] += s * a[(size_t)k * n + i];
        }
    w->data = (const uint8_t *)x;
    w->format = pcs_format_by_name("F32");
    w->bytes = 4 * w->n;
    return PRECIS_OK;
}

static precis_status one(adapter *d, const pcs_tensor *ta, int merge)
{
    const pcs_tensor *tb;
    char *target = target_of(d, ta, &tb), full[512];
    if (!target) return ends(ta->source, "lora_b") || strstr(ta->source, ".lora_B.") ? PRECIS_OK : pcs_fail(d->ctx, PRECIS_EUNSUPPORTED, "%s: tensor %s is no part of a low-rank adapter that precis knows", d->path, ta->source);
    snprintf(full, sizeof full, "%.480s.weight", target);
    uint32_t at;
    if (!pcs_map_get(&d->m->tensor_map, full, strlen(full), &at)) return pcs_fail(d->ctx, PRECIS_EINVAL, "%s: the model has no tensor %s; the adapter belongs to another one", d->path, full);
    const pcs_tensor *w = &d->m->tensors[at];
    const int64_t rank = (int64_t)pcs_tensor_rows(ta);
    if (!tb || ta->dims != 2 || tb->dims != 2 || w->dims != 2 || ta->ne[0] != w->ne[0] || tb->ne[1] != w->ne[1] || tb->ne[0] != rank || ta->format->kind == PCS_INT || tb->format->kind == PCS_INT)
        return pcs_fail(d->ctx, PRECIS_EINVAL, "%s: tensor %s does not fit %s [%lld, %lld]; the adapter belongs to another model", d->path, ta->source, full, (long long)w->ne[1], (long long)w->ne[0]);
    float *a = numbers(d, ta), *b = numbers(d, tb);
    if (!a || !b) return PRECIS_ENOMEM;
    const pcs_hf_type *type = pcs_hf_type_of(d->m);
    if (!ends(ta->source, "lora_a") && type && type->interleaved && (ends(target, ".attn_q") || ends(target, ".attn_k"))) { /* into GGUF's rotary order */
        const int64_t heads = pcs_arch_int(d->m, ends(target, ".attn_q") ? "attention.head_count" : "attention.head_count_kv", pcs_arch_int(d->m, "attention.head_count", 1, NULL), NULL);
        const uint64_t hd = (uint64_t)(w->ne[1] / (heads > 0 ? heads : 1));
        float *turned = pcs_arena_alloc(&d->m->arena, (size_t)tb->n, sizeof *turned);
        if (!turned) return PRECIS_ENOMEM;
        for (uint64_t r = 0; r < (uint64_t)w->ne[1]; r++) {
            const uint64_t from = r / hd * hd + r % hd / 2 + (r % hd % 2 ? hd / 2 : 0);
            memcpy(turned + r * (uint64_t)rank, b + from * (uint64_t)rank, (size_t)rank * sizeof *b);
        }
        b = turned;
    }
    if (merge) return merge_into(d, &d->m->tensors[at], a, b, rank);
    if (pcs_map_get(&d->m->tensor_map, pcs_arena_printf(&d->m->arena, "%s.lora_a", full), strlen(full) + 7, &at)) return pcs_fail(d->ctx, PRECIS_EINVAL, "%s: %s has an adapter already; merge one of them", d->path, full);
    float *s = pcs_arena_alloc(&d->m->arena, 16, sizeof *s);
    if (!s) return PRECIS_ENOMEM;
    *s = (float)d->scale;
    precis_status st = put(d, target, "weight.lora_a", a, rank, ta->ne[0]);
    if (!st) st = put(d, target, "weight.lora_b", b, tb->ne[1], rank);
    return st ? st : put(d, target, "weight.lora_scale", s, 0, 1);
}

/* alpha / rank. */
static precis_status read_scale(adapter *d, double *scale)
{
    double alpha = 0, rank = 0;
    bool found = false, there = false;
    if (!strcmp(d->a->container, "gguf")) {
        const char *type = pcs_model_string(d->a, "adapter.type");
        if (!type || strcmp(type, "lora")) return pcs_fail(d->ctx, PRECIS_EINVAL, "%s: key adapter.type is not \"lora\"; this is no adapter", d->path);
        alpha = pcs_model_float(d->a, "adapter.lora.alpha", 0, &found);
        for (size_t i = 0; i < d->a->n_tensors && !rank; i++)
            if (ends(d->a->tensors[i].source, ".lora_a")) rank = (double)pcs_tensor_rows(&d->a->tensors[i]);
        there = rank > 0;
    } else {
        char *text;
        size_t len;
        precis_status st = pcs_hf_slurp(d->m, d->path, "adapter_config.json", &text, &len);
        if (st) return st;
        if (!text) return pcs_fail(d->ctx, PRECIS_EINVAL, "%s: adapter_config.json is missing", d->path);
        st = pcs_hf_number(d->ctx, (pcs_json_slice){ text, len }, "lora_alpha", &alpha, &found);
        if (!st) st = pcs_hf_number(d->ctx, (pcs_json_slice){ text, len }, "r", &rank, &there);
        double rs = 0;
        bool stabilized;
        if (!st) st = pcs_hf_number(d->ctx, (pcs_json_slice){ text, len }, "use_rslora", &rs, &stabilized);
        if (!st && rs != 0 && rank > 0) rank = __builtin_sqrt(rank);
        pcs_free(d->ctx, text);
        if (st) return st;
    }
    if (there && !(rank > 0)) return pcs_fail(d->ctx, PRECIS_EFORMAT, "%s: a rank of %g", d->path, rank);
    *scale = found && there ? alpha / rank : 1.0;
    return PRECIS_OK;
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
    adapter d = { ctx, model, NULL, path, scale };
    precis_model *a = NULL;
    double own = 1;
    precis_status st = open_adapter(&d, &a);
    d.a = a;
    if (!st) st = read_scale(&d, &own);
    d.scale = scale * own;
    size_t n = 0;
    for (size_t i = 0; !st && i < a->n_tensors; i++, n++) st = one(&d, &a->tensors[i], merge);
    if (!st && !n) st = pcs_fail(ctx, PRECIS_EINVAL, "%s: no tensors", path);
    precis_model_close(&a);
    return st ? st : pcs_model_index(model);
}
