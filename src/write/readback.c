/* readback.c - what was written is opened by precis's own reader, before it has its name, and compared with what was
 * meant: no writer can leave a file that precis itself refuses. The bytes are the right ones already (out.c compares
 * their SHA-256), so what is left is that every tensor and key is found, of its shape and type, at its place. */
#include "precis/precis.h"
#include "read/hf.h"
#include "write/convert.h"

#include <stdio.h>

typedef struct { precis_ctx *ctx; const char *path; } place;

static precis_status differs(const place *p, const char *what, const char *name, const char *how)
{
    return pcs_fail(p->ctx, PRECIS_EFORMAT,
                    "%s: %s %s reads back %s; nothing was written. Please report this fault of the writer", p->path,
                    what, name, how);
}

static precis_status compare_count(const place *p, const precis_model *m, size_t n)
{
    const size_t all = m->n_tensors + m->n_extras; /* a checkpoint's states are no part of the net */
    if (all == n) return PRECIS_OK;
    return pcs_fail(p->ctx, PRECIS_EFORMAT, "%s: %zu of %zu tensors read back; nothing was written", p->path, all, n);
}

static bool same_number(const pcs_key *a, const pcs_key *b)
{
    /* little-endian, as every file that precis reads */
    if (a->type != PCS_KEY_F32) return !memcmp(&a->v, &b->v, pcs_key_width(a->type));
    const float x = (float)a->v.f, y = (float)b->v.f;
    return !memcmp(&x, &y, sizeof x) || (x != x && y != y);
}

static bool same_text(const pcs_text *a, const pcs_text *b)
{
    return a->len == b->len && (!a->len || !memcmp(a->s, b->s, a->len));
}

static bool same_value(const pcs_key *a, const pcs_key *b)
{
    if (a->type != b->type) return false;
    if (a->type == PCS_KEY_STRING) return same_text(&a->v.text, &b->v.text);
    if (a->type != PCS_KEY_ARRAY) return same_number(a, b);
    if (a->item != b->item || a->n != b->n) return false;
    if (a->item != PCS_KEY_STRING) return !a->n || !memcmp(a->v.items, b->v.items, a->n * pcs_key_width(a->item));
    for (uint64_t i = 0; i < a->n; i++)
        if (!same_text(&a->v.texts[i], &b->v.texts[i])) return false;
    return true;
}

/* A tensor of a model, also one that is no part of its net. */
static const pcs_tensor *tensor_of(const precis_model *m, const char *name)
{
    for (size_t i = 0; i < m->n_extras; i++)
        if (!strcmp(m->extras[i].name, name)) return &m->extras[i];
    return pcs_model_tensor(m, name);
}

static precis_status compare_tensor(const place *p, const precis_model *m, const pcs_gguf_tensor *t, uint64_t offset)
{
    const pcs_tensor *r = tensor_of(m, t->name);
    const uint32_t dims = t->dims ? t->dims : 1;
    if (!r) return differs(p, "tensor", t->name, "as none");
    if (r->format != t->format) return differs(p, "tensor", t->name, "in another type");
    bool shape = r->dims == dims;
    for (uint32_t d = 0; d < dims && shape; d++) shape = r->ne[d] == t->ne[d];
    if (!shape) return differs(p, "tensor", t->name, "in another shape");
    const bool placed = r->offset == offset && (t->panels || r->bytes == t->bytes);
    return placed ? PRECIS_OK : differs(p, "tensor", t->name, "at another place");
}

/* A reader's error, of a name that nobody knows, as one of the file that was to be. */
static precis_status kept(const place *p, const char *self, precis_status st)
{
    char why[900];
    if (!st || st == PRECIS_ENOMEM || st == PRECIS_EIO) return st;
    const char *message = precis_ctx_message(p->ctx);
    if (!strncmp(message, self, strlen(self))) message += strlen(self) + strspn(message + strlen(self), "/: ");
    snprintf(why, sizeof why, "%s", message);
    return pcs_fail(p->ctx, st, "%s: what was written cannot be read back, so it was not kept: %s", p->path, why);
}

/* Quietly: what the reader notes of this model was said when it was read first. */
static precis_status open_quietly(const place *p, const char *self, precis_model **m)
{
    precis_warn_fn *const warn = p->ctx->opt.warn;
    p->ctx->opt.warn = NULL;
    const precis_status st = precis_model_open_to_run(p->ctx, m, self); /* panels stay panels */
    p->ctx->opt.warn = warn;
    return kept(p, self, st);
}

precis_status pcs_gguf_read_back(precis_ctx *ctx, const pcs_out *o, const pcs_gguf_file *f, const uint64_t *offsets)
{
    const place p = { ctx, o->path };
    char self[4200];
    precis_model *m = NULL;
    pcs_out_self(o, self, sizeof self);
    precis_status st = open_quietly(&p, self, &m);
    if (!st) st = compare_count(&p, m, f->n_tensors);
    for (size_t i = 0; i < f->n_tensors && !st; i++) st = compare_tensor(&p, m, &f->tensors[i], offsets[i]);
    for (size_t i = 0; i < f->n_keys && !st; i++) {
        const pcs_key *k = &f->keys[i], *r = pcs_gguf_drops(k) ? k : pcs_model_key(m, k->name);
        if (!r) st = differs(&p, "key", k->name, "as none");
        else if (!same_value(k, r)) st = differs(&p, "key", k->name, "with another value");
    }
    precis_model_close(&m);
    return st;
}

/* Does a tensor come back under its own name? Indices and tables of positions are made anew from config.json, and
 * scales are parts of their weight. */
static bool comes_back(const precis_convert_row *row)
{
    const pcs_tensor_end end = pcs_place_of(row->name).end;
    const bool scale = end == PCS_END_scale || end == PCS_END_input_scale || end == PCS_END_lora_scale;
    return strcmp(row->to, "left out") && strcmp(row->to, "config.json") && !scale;
}

/* The weights' file of a folder, under the names that it has there. */
static precis_status open_weights(const place *p, const char *folder, precis_model **m)
{
    char file[4200];
    if (snprintf(file, sizeof file, "%s/model.safetensors", folder) >= (int)sizeof file)
        return pcs_fail(p->ctx, PRECIS_EINVAL, "%.60s...: the path is too long", p->path);
    precis_status st = pcs_model_new(p->ctx, m, file, "safetensors");
    if (!st) st = pcs_safetensors_file(*m, file);
    if (!st) st = pcs_model_index(*m);
    p->ctx->file = NULL;
    return kept(p, file, st);
}

precis_status pcs_folder_read_back(precis_ctx *ctx, const char *name, const char *folder, const pcs_part_meant *parts,
                                   size_t n, const pcs_convert *c)
{
    const precis_model *source = c->m;
    const place p = { ctx, name };
    precis_model *m = NULL;
    precis_status st = open_weights(&p, folder, &m);
    if (!st) st = compare_count(&p, m, n);
    for (size_t i = 0; i < n && !st; i++) {
        const pcs_tensor *t = pcs_model_tensor(m, parts[i].name);
        bool shape = t && t->dims == (uint32_t)parts[i].dims;
        for (int d = 0; shape && d < parts[i].dims; d++) shape = t->shape[d] == parts[i].shape[d];
        if (!t) st = differs(&p, "tensor", parts[i].name, "as none");
        else if (!shape) st = differs(&p, "tensor", parts[i].name, "in another shape");
        else if (t->bytes != parts[i].bytes) st = differs(&p, "tensor", parts[i].name, "with other bytes");
    }
    precis_model_close(&m);
    if (!st) st = open_quietly(&p, folder, &m);
    for (size_t i = 0; i < source->n_tensors && !st; i++) {
        const pcs_tensor *t = &source->tensors[i], *r = tensor_of(m, t->name);
        if (!r && comes_back(&c->report->rows[i])) st = differs(&p, "tensor", t->name, "as none");
        else if (r && (r->n != t->n || r->ne[0] != t->ne[0])) st = differs(&p, "tensor", t->name, "in another shape");
    }
    precis_model_close(&m);
    return st;
}

bool pcs_gguf_drops(const pcs_key *k)
{
    static const char *const begins[] = { "split.", "precis.scheme.", "precis.panels." };
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (!strncmp(k->name, begins[i], strlen(begins[i]))) return true;
    return !strcmp(k->name, "general.alignment");
}
