/* gguf.c - the GGUF writer (version 3, little-endian). */
#include "write/write.h"

#include "graph/net.h"

#include "kernel/panels.h"

#include <stdio.h>
#include <stdlib.h>

#define PCS_ID_I8 24
enum { DIMS = 4 }; /* of a tensor at most */

const pcs_key pcs_no_tokenizer = { .name = "tokenizer.ggml.model", .type = PCS_KEY_STRING, .v.text = { "none", 4 } };

/* With o NULL only counts. */
typedef struct sink { pcs_out *o; uint64_t n; precis_status st; } sink;

static void put(sink *s, const void *data, size_t len)
{
    s->n += len;
    if (s->o && !s->st) s->st = pcs_out_add(s->o, data, len);
}

static void put_int(sink *s, uint64_t v, size_t width)
{
    unsigned char b[8];
    for (size_t i = 0; i < width; i++) b[i] = (unsigned char)(v >> 8 * i);
    put(s, b, width);
}

static void put_text(sink *s, const char *text, uint64_t len)
{
    put_int(s, len, 8);
    put(s, text, len);
}

static void put_float(sink *s, double v, bool wide)
{
    union { float f; uint32_t u; } a = { (float)v };
    union { double f; uint64_t u; } b = { v };
    put_int(s, wide ? b.u : a.u, wide ? 8 : 4);
}

static void put_key(sink *s, const pcs_key *k)
{
    put_text(s, k->name, strlen(k->name));
    put_int(s, k->type, 4);
    if (k->type == PCS_KEY_STRING) put_text(s, k->v.text.s, k->v.text.len);
    else if (k->type == PCS_KEY_ARRAY) {
        put_int(s, k->item, 4);
        put_int(s, k->n, 8);
        if (k->item == PCS_KEY_STRING)
            for (uint64_t i = 0; i < k->n; i++) put_text(s, k->v.texts[i].s, k->v.texts[i].len);
        else put(s, k->v.items, k->n * pcs_key_width(k->item));
    } else if (k->type == PCS_KEY_F32 || k->type == PCS_KEY_F64) put_float(s, k->v.f, k->type == PCS_KEY_F64);
    else put_int(s, k->v.u, pcs_key_width(k->type));
}

static uint64_t align_of(const pcs_gguf_file *f) { return f->align ? f->align : 32; }

/* What GGUF has no id for lies in I8 tensors: rows of a scheme's bytes, or panels. */
static bool own(const pcs_gguf_tensor *t) { return t->panels || !pcs_format_portable(t->format); }

/* Keys that say what such tensors are: names, types and widths; of panels the rows and the layout, too. */
static size_t put_own(sink *s, const pcs_gguf_file *f, bool panels)
{
    static const char *const fields[] = { "tensors", "types", "widths", "rows" };
    const size_t parts = panels ? 4 : 3;
    size_t n = 0;
    for (size_t i = 0; i < f->n_tensors; i++) n += own(&f->tensors[i]) && f->tensors[i].panels == panels;
    for (size_t part = 0; n && s && part < parts; part++) {
        char key[40];
        snprintf(key, sizeof key, "precis.%s.%s", panels ? "panels" : "scheme", fields[part]);
        put_text(s, key, strlen(key));
        put_int(s, PCS_KEY_ARRAY, 4);
        put_int(s, part >= 2 ? PCS_KEY_I64 : PCS_KEY_STRING, 4);
        put_int(s, n, 8);
        for (size_t i = 0; i < f->n_tensors; i++) {
            const pcs_gguf_tensor *t = &f->tensors[i];
            if (!own(t) || t->panels != panels) continue;
            if (part == 3) put_int(s, (uint64_t)(t->dims > 1 ? t->ne[1] : 1), 8);
            else if (part == 2) put_int(s, (uint64_t)t->ne[0], 8);
            else put_text(s, part ? t->format->name : t->name, strlen(part ? t->format->name : t->name));
        }
    }
    const pcs_key layout = { .name = "precis.panels.layout", .type = PCS_KEY_U32, .v.u = PCS_PANEL_LAYOUT };
    if (n && s && panels) put_key(s, &layout);
    return n ? parts + panels : 0;
}

/* Dimension d of the tensor that stands in the file. */
static uint64_t stored_dim(const pcs_gguf_tensor *t, uint32_t d)
{
    if (t->panels && d == 0) return pcs_panel_bytes(t->format, (size_t)t->ne[0]);
    if (t->panels && d == 1) return ((uint64_t)t->ne[1] + PCS_PANEL - 1) / PCS_PANEL;
    return own(t) && !d ? pcs_row_bytes(t->format, (uint64_t)t->ne[0]) : (uint64_t)t->ne[d];
}

static void put_header(sink *s, const pcs_gguf_file *f)
{
    const uint64_t align = align_of(f);
    size_t n_keys = put_own(NULL, f, false) + put_own(NULL, f, true) + (align != 32);
    for (size_t i = 0; i < f->n_keys; i++) n_keys += !pcs_gguf_drops(&f->keys[i]);
    put(s, "GGUF", 4);
    put_int(s, 3, 4);
    put_int(s, f->n_tensors, 8);
    put_int(s, n_keys, 8);
    for (size_t i = 0; i < f->n_keys; i++)
        if (!pcs_gguf_drops(&f->keys[i])) put_key(s, &f->keys[i]);
    put_own(s, f, false);
    put_own(s, f, true);
    if (align != 32) put_key(s, &(pcs_key){ .name = "general.alignment", .type = PCS_KEY_U32, .v.u = align });
    uint64_t offset = 0;
    for (size_t i = 0; i < f->n_tensors; i++) {
        const pcs_gguf_tensor *t = &f->tensors[i];
        const uint32_t dims = t->dims ? t->dims : 1; /* a scalar is a vector of one */
        put_text(s, t->name, strlen(t->name));
        put_int(s, dims, 4);
        for (uint32_t d = 0; d < dims; d++) put_int(s, stored_dim(t, d), 8);
        put_int(s, own(t) ? PCS_ID_I8 : t->format->id, 4);
        put_int(s, offset, 8);
        offset += (t->bytes + align - 1) / align * align;
    }
}

static precis_status holds(precis_ctx *ctx, const char *name, uint32_t dims)
{
    if (dims <= DIMS) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                     "tensor %s has %u dimensions, and a GGUF holds at most %d: reshape it, or leave it out of the "
                     "model (precis convert --format safetensors keeps it)", name, dims, DIMS);
}

precis_status pcs_gguf_holds(precis_ctx *ctx, const precis_model *m)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < m->n_tensors && !st; i++) st = holds(ctx, m->tensors[i].name, m->tensors[i].dims);
    return st;
}

/* Header and tensors; offsets: where each tensor's bytes begin. */
static precis_status put_all(pcs_out *o, const pcs_gguf_file *f, uint64_t *offsets)
{
    sink s = { o, 0, PRECIS_OK };
    put_header(&s, f);
    precis_status st = s.st ? s.st : pcs_out_pad(o, align_of(f));
    for (size_t i = 0; i < f->n_tensors && !st; i++) {
        const uint64_t from = offsets[i] = o->at;
        st = f->fill(f->user, o, i);
        if (!st && o->at - from != f->tensors[i].bytes)
            st = pcs_fail(o->ctx, PRECIS_EINVAL, "tensor %s: %llu bytes were written, not %llu", f->tensors[i].name,
                          (unsigned long long)(o->at - from), (unsigned long long)f->tensors[i].bytes);
        if (!st) st = pcs_out_pad(o, align_of(f));
    }
    return st;
}

/* A model's file must have what its readers need, which is seen to before a byte of it is written. A file in formats of
 * our own is not checked: no other program reads it. */
static precis_status check_model(precis_ctx *ctx, const char *path, const pcs_gguf_file *f)
{
    bool foreign = true;
    for (size_t i = 0; i < f->n_tensors; i++) foreign &= !own(&f->tensors[i]);
    const char **names = pcs_alloc(ctx, f->n_tensors + 1, sizeof *names);
    if (!names) return PRECIS_ENOMEM;
    for (size_t i = 0; i < f->n_tensors; i++) names[i] = f->tensors[i].name;
    const precis_status st = pcs_net_check_file(
        ctx, &(pcs_net_file){ path, f->source, f->keys, f->n_keys, names, foreign ? f->n_tensors : 0 });
    pcs_free(ctx, names);
    return st;
}

/* Settings of tokenizers that only precis has keys for are no secret: another program may make other ids. */
static void say_own_settings(precis_ctx *ctx, const char *path, const pcs_gguf_file *f)
{
    static const char own[] = "precis.tokenizer.";
    char list[200] = "";
    size_t at = 0;
    for (size_t i = 0; i < f->n_keys; i++) {
        if (strncmp(f->keys[i].name, own, sizeof own - 1)) continue;
        const int n = snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "", f->keys[i].name + sizeof own - 1);
        at = n > 0 && (size_t)n < sizeof list - at ? at + (size_t)n : sizeof list - 1;
    }
    if (at)
        pcs_warn(ctx, "%s: GGUF has no keys for some settings of the tokenizer (%s): precis keeps to them, llama.cpp "
                      "does not", path, list);
}

precis_status pcs_write_gguf(precis_ctx *ctx, const char *path, const pcs_gguf_file *f, uint64_t *bytes)
{
    const uint64_t align = align_of(f);
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < f->n_tensors && !st; i++) st = holds(ctx, f->tensors[i].name, f->tensors[i].dims);
    if (st) return st;
    sink count = { 0 };
    put_header(&count, f);
    uint64_t total = (count.n + align - 1) / align * align;
    for (size_t i = 0; i < f->n_tensors; i++) total += (f->tensors[i].bytes + align - 1) / align * align;
    if (bytes) *bytes = total;
    if (!path) return PRECIS_OK;
    say_own_settings(ctx, path, f);
    pcs_out o = { .ctx = ctx, .fd = -1 };
    uint64_t *offsets = pcs_alloc(ctx, f->n_tensors + 1, sizeof *offsets);
    if (!st && f->source) st = check_model(ctx, path, f);
    if (!st) st = pcs_out_open(ctx, &o, path, total, f->source);
    if (!st && !offsets) st = PRECIS_ENOMEM;
    if (!st) st = put_all(&o, f, offsets);
    if (!st) st = pcs_out_finish(&o);
    if (!st) st = pcs_gguf_read_back(ctx, &o, f, offsets);
    if (!st && f->sha256) memcpy(f->sha256, o.sha256, sizeof o.sha256);
    if (!st) st = pcs_out_name_beside(&o, f->beside);
    pcs_out_close(&o);
    pcs_free(ctx, offsets);
    return st;
}
