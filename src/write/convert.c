/* convert.c - the table of writers, the report, and the GGUF writer. */
#include "base/lack.h"
#include "write/convert.h"

#include "base/f16.h"
#include "base/options.h"
#include "graph/arch.h"
#include "model/finite.h"
#include "graph/net.h"

#include <math.h>
#include <strings.h>

enum { PART = 1 << 18 }; /* bytes that are copied at a time, about */

#define WRITER(name) extern const pcs_writer pcs_writer_##name;
#include "write/writers.def"
#undef WRITER

const pcs_writer *const pcs_writers[] = {
#define WRITER(name) &pcs_writer_##name,
#include "write/writers.def"
#undef WRITER
    NULL,
};

precis_status pcs_lost(precis_ctx *ctx, const pcs_tensor *t, const pcs_format *f, double *lost)
{
    const size_t n = t->n ? (size_t)t->ne[0] : 0;
    float *x = pcs_alloc(ctx, 2 * n + 1, sizeof *x), *y = x + n;
    uint8_t *row = pcs_alloc(ctx, pcs_row_bytes(f, n) + 64, 1);
    precis_status st = x && row ? PRECIS_OK : PRECIS_ENOMEM;
    *lost = 0;
    for (uint64_t r = 0; n && !st && r < t->n / n; r++) {
        pcs_decode(t->format, n, t->data + r * pcs_tensor_row_bytes(t), x);
        pcs_encode_nearest(f, n, x, row);
        pcs_decode(f, n, row, y);
        for (size_t i = 0; i < n; i++) {
            const bool kept = x[i] == y[i]; /* so is an infinity that stays one */
            const double d = kept ? 0 : fabs((double)x[i] - (double)y[i]);
            if (d > *lost) *lost = d;
            if (!(d == d) && x[i] == x[i]) *lost = INFINITY;
        }
    }
    pcs_free(ctx, x);
    pcs_free(ctx, row);
    return st;
}

/* ---- gguf ------------------------------------------------------------------------------------------------------- */

/* A GGUF type that holds an integer scheme's codes and scales as they are, or NULL. */
static const pcs_format *same_codes(const pcs_tensor *t)
{
    const pcs_format *f = t->format;
    if (f->kind != PCS_QUANT || f->has_min || f->head || f->scale != PCS_SCALE_F16) return NULL;
    if (f->group % 32 || t->ne[0] % 32) return NULL;
    if (f->code_lo >= -8 && f->code_hi <= 7) return pcs_format_by_name("Q4_0");
    if (f->code_lo >= -16 && f->code_hi <= 15) return pcs_format_by_name("Q5_0");
    return pcs_format_by_name("Q8_0");
}

/* What the f16 scale of the format's twin loses of a tensor's own, in weights; INFINITY: it has no twin, or the rows
 * are not of its whole blocks. */
static double lost_as_twin(const pcs_tensor *t, const pcs_format **twin)
{
    double lost = 0;
    *twin = t->format->twin ? pcs_format_by_name(t->format->twin) : NULL;
    if (!*twin || !pcs_format_fits(*twin, (uint64_t)t->ne[0])) return INFINITY;
    for (uint64_t r = 0; r < pcs_tensor_rows(t); r++) {
        const float d = pcs_bits_f32(pcs_load32(t->data + r * pcs_tensor_row_bytes(t)));
        const float e = d - pcs_f16_to_f32(pcs_f32_to_f16(d));
        lost = fabs((double)e) > lost ? fabs((double)e) : lost;
    }
    return lost;
}

/* A type that other programs read. */
static precis_status portable(pcs_convert *c, const pcs_tensor *t, const pcs_format **f, double *lost)
{
    static const char *const tries[] = { "F16", "BF16", "F32" };
    *lost = 0;
    *f = t->format;
    if (pcs_format_portable(t->format) || c->opt.own) return PRECIS_OK;
    const precis_status sound = pcs_tensor_finite(c->ctx, c->m, t);
    if (sound) return sound;
    if ((*f = same_codes(t))) return PRECIS_OK;
    const pcs_format *twin;
    *lost = lost_as_twin(t, &twin);
    if (*lost == 0 || (*lost < INFINITY && !c->opt.exact)) {
        *f = twin;
        return PRECIS_OK;
    }
    *lost = INFINITY;
    for (size_t i = 0; i < sizeof tries / sizeof *tries && *lost > 0; i++) {
        const pcs_format *try = pcs_format_by_name(tries[i]);
        double e;
        const precis_status st = pcs_lost(c->ctx, t, try, &e);
        if (st) return st;
        /* what no type of 16 bits can hold goes into 32 */
        if (*lost == INFINITY || (e < *lost && (c->opt.exact || try->bytes == 2))) *lost = e, *f = try;
    }
    return PRECIS_OK;
}

/* Codes of a scheme into a type with the same grid. scales: room for those of a row and for its minima. */
static void recode(const pcs_tensor *t, uint64_t r, const pcs_format *to, int8_t *q, float *scales, uint8_t *dst)
{
    const size_t n = (size_t)t->ne[0];
    float *d = scales, *m = scales + n / 16 + 64;
    pcs_unpack(t->format, n, t->data + r * pcs_tensor_row_bytes(t), q, d, m);
    for (int64_t at = 0; at < t->ne[0]; at += to->block, dst += to->bytes) {
        const pcs_params p = { .d = pcs_f32_to_f16(d[at / 16]) };
        to->pack(q + at, &p, dst);
    }
}

typedef struct { pcs_convert *c; const pcs_format **to; bool *panels; } gguf_work;

/* A tensor as it is. */
static precis_status copy_panels(const gguf_work *w, pcs_out *o, const pcs_tensor *t)
{
    bool doubtful = false;
    const pcs_paneling panels = { t->format, (size_t)t->ne[0], pcs_model_seen(w->c->m) ? NULL : &doubtful };
    const precis_status st = pcs_out_panels(o, &panels, t->data, pcs_tensor_rows(t));
    return st || !doubtful ? st : pcs_tensor_finite(w->c->ctx, w->c->m, t);
}

/* The same in parts: looked at and then copied, while they are in the cache. */
static precis_status copy_rows(const gguf_work *w, pcs_out *o, const pcs_tensor *t)
{
    const uint64_t row = pcs_tensor_row_bytes(t), rows = pcs_tensor_rows(t), part = PART / (row + 1) + 1;
    precis_status st = PRECIS_OK;
    for (uint64_t r = 0; r < rows && !st; r += part) {
        const uint64_t n = rows - r < part ? rows - r : part;
        st = pcs_rows_finite(w->c->ctx, w->c->m, t, r, n);
        if (!st) st = pcs_out_add(o, t->data + r * row, n * row);
    }
    return st;
}

static precis_status fill(void *user, pcs_out *o, size_t i)
{
    const gguf_work *w = user;
    const pcs_tensor *t = &w->c->m->tensors[i];
    const pcs_format *f = w->to[i];
    precis_status st = PRECIS_OK;
    if (w->panels && w->panels[i]) st = copy_panels(w, o, t);
    else if (f == t->format) st = copy_rows(w, o, t);
    else {
        const size_t n = (size_t)t->ne[0], row = pcs_row_bytes(f, n);
        float *x = pcs_alloc(w->c->ctx, n + n / 4 + 256, sizeof *x);
        int8_t *q = pcs_alloc(w->c->ctx, n + 2 * PCS_ROW_PAD, 1);
        uint8_t *bytes = pcs_alloc(w->c->ctx, row, 1);
        if (!x || !q || !bytes) st = PRECIS_ENOMEM;
        for (uint64_t r = 0; r < pcs_tensor_rows(t) && !st; r++) {
            if ((st = pcs_rows_finite(w->c->ctx, w->c->m, t, r, 1))) break;
            if (f->kind == PCS_QUANT) recode(t, r, f, q, x, bytes);
            else {
                pcs_decode(t->format, n, t->data + r * pcs_tensor_row_bytes(t), x);
                pcs_encode_nearest(f, n, x, bytes);
            }
            st = pcs_out_add(o, bytes, row);
        }
        pcs_free(w->c->ctx, x);
        pcs_free(w->c->ctx, q);
        pcs_free(w->c->ctx, bytes);
    }
    return st ? st : pcs_progress(w->c->ctx, "convert", i + 1, w->c->m->n_tensors);
}

/* What only precis reads is not called as what everybody reads: NAME.precis.gguf. */
static precis_status own_name(const pcs_convert *c, const pcs_format *const *to)
{
    const int stem = (int)strlen(c->path) - 5;
    const pcs_format *own = NULL;
    for (size_t i = 0; i < c->m->n_tensors && !own; i++)
        if (!pcs_format_portable(to[i])) own = to[i];
    if (!own || !pcs_ends(c->path, ".gguf") || pcs_ends(c->path, ".precis.gguf") || pcs_ends(c->path, ".packed.gguf"))
        return PRECIS_OK;
    return pcs_fail(c->ctx, PRECIS_EINVAL,
                    "%s: only precis reads %s, and others would refuse the file; name it %.*s.precis.gguf", c->path,
                    own->name, stem, c->path);
}

static precis_status write_file(pcs_convert *c, bool packed)
{
    const precis_model *m = c->m;
    pcs_arena a;
    pcs_arena_init(&a, c->ctx);
    precis_status st = pcs_gguf_holds(c->ctx, m); /* what can be refused is refused before work starts */
    if (!st) st = pcs_out_check(c->ctx, c->path, 0, m);
    pcs_gguf_tensor *t = pcs_arena_alloc(&a, m->n_tensors + 1, sizeof *t);
    pcs_key *keys = pcs_arena_alloc(&a, m->n_keys + 2, sizeof *keys);
    gguf_work w = { c, pcs_arena_alloc(&a, m->n_tensors + 1, sizeof *w.to), NULL };
    if (packed) w.panels = pcs_arena_alloc(&a, m->n_tensors + 1, sizeof *w.panels);
    if (!st && (!t || !keys || !w.to || (packed && !w.panels))) st = PRECIS_ENOMEM;
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        const pcs_tensor *s = &m->tensors[i];
        double lost = 0;
        w.to[i] = s->format;
        if (packed) w.panels[i] = pcs_packs(s->format, s->dims, s->ne);
        else st = portable(c, s, &w.to[i], &lost);
        /* vectors in 16 bits are F32 in every GGUF */
        if (!st && s->dims < 2 && s->format->kind == PCS_FLOAT && !s->format->element && s->format->bytes == 2)
            w.to[i] = &pcs_format_f32;
        if (st) break;
        const uint64_t bytes = s->n ? pcs_tensor_rows(s) * pcs_row_bytes(w.to[i], (uint64_t)s->ne[0]) : 0;
        t[i] = (pcs_gguf_tensor){ s->name, w.to[i], s->dims ? s->dims : 1, { 0 }, bytes, false };
        memcpy(t[i].ne, s->ne, sizeof t[i].ne);
        if (packed && w.panels[i]) t[i].panels = true, t[i].bytes = pcs_packed_bytes(s->format, s->dims, s->ne);
        c->report->rows[i] = (precis_convert_row){
            sizeof(precis_convert_row), s->name, s->format->name, w.to[i]->name, lost == 0, lost
        };
    }
    if (!st && !packed) st = own_name(c, w.to); /* who asks for packed by name knows whom it is for */
    size_t n = 0;
    for (size_t i = 0; i < m->n_keys && !st; i++) keys[n++] = m->keys[i];
    if (!pcs_model_key(m, pcs_no_tokenizer.name)) keys[n++] = pcs_no_tokenizer;
    const pcs_gguf_file file = { keys, n, t, m->n_tensors, fill, &w, m, packed ? 64 : 0, NULL, NULL };
    if (!st) st = pcs_write_gguf(c->ctx, c->path, &file, &c->report->bytes);
    pcs_arena_free(&a);
    return st;
}

static precis_status write_gguf(pcs_convert *c) { return write_file(c, false); }
static precis_status write_packed(pcs_convert *c) { return write_file(c, true); }

const pcs_writer pcs_writer_gguf = { "gguf", false, write_gguf };
/* A GGUF whose matrices lie as panels: precis maps it and runs it in place, others see I8 tensors. */
const pcs_writer pcs_writer_packed = { "packed", false, write_packed };

/* ---- public ----------------------------------------------------------------------------------------------------- */

/* A folder has room for tensors that are no part of the net: value heads, the part of a model that sees. */
static precis_status with_extras(precis_ctx *ctx, precis_model **out, const precis_model *m)
{
    precis_status st = pcs_model_copy(ctx, out, m);
    for (size_t i = 0; i < m->n_extras && !st; i++) {
        pcs_tensor *t = pcs_model_add_tensor(*out);
        if (t) *t = m->extras[i];
        else st = PRECIS_ENOMEM;
    }
    if (!st) st = pcs_model_index(*out);
    if (st) precis_model_close(out);
    return st;
}

precis_status precis_convert(precis_ctx *ctx, const precis_model *model, const char *path,
                             const precis_convert_options *opts, precis_convert_report **report)
{
    pcs_convert c = { .ctx = ctx, .m = model, .path = path, .opt = PRECIS_CONVERT_OPTIONS_INIT };
    pcs_options_take(&c.opt, sizeof c.opt, opts);
    const uint64_t refused = precis_ctx_refused(ctx);
    const size_t len = strlen(path);
    const bool is_gguf = len > 5 && !strcasecmp(path + len - 5, ".gguf");
    const char *name = c.opt.format ? c.opt.format : is_gguf ? "gguf" : "safetensors";
    *report = NULL;
    const pcs_writer *w = NULL;
    for (size_t i = 0; pcs_writers[i]; i++)
        if (!strcmp(pcs_writers[i]->name, name)) w = pcs_writers[i];
    if (!w)
        return pcs_fail(ctx, PRECIS_EINVAL,
                        "\"%.40s\" is no container that can be written; precis list writers has them", name);
    precis_status st = precis_out_named(ctx, path, w->folder ? "" : "gguf");
    if (!st) st = pcs_net_check(model);
    if (!st && w->folder) st = pcs_model_finite(ctx, model); /* of a file's, each part just before it is written */
    if (st) return st;
    precis_model *all = NULL;
    if (w->folder && model->n_extras && (st = with_extras(ctx, &all, model))) return st;
    if (all) c.m = all;
    precis_convert_report *r = pcs_alloc(ctx, 1, sizeof *r);
    if (!r) {
        precis_model_close(&all);
        return PRECIS_ENOMEM;
    }
    *r = (precis_convert_report){ .ctx = ctx, .n = c.m->n_tensors };
    pcs_arena_init(&r->arena, ctx);
    c.report = r;
    r->rows = pcs_arena_alloc(&r->arena, r->n + 1, sizeof *r->rows);
    st = pcs_with_memory(ctx, refused, r->rows ? w->write(&c) : PRECIS_ENOMEM);
    precis_model_close(&all);
    if (st) precis_convert_report_close(&r);
    *report = r;
    return st;
}

void precis_convert_report_close(precis_convert_report **report)
{
    if (!report || !*report) return;
    precis_ctx *ctx = (*report)->ctx;
    pcs_arena_free(&(*report)->arena);
    pcs_free(ctx, *report);
    *report = NULL;
}

size_t precis_convert_report_size(const precis_convert_report *r) { return r->n; }
uint64_t precis_convert_report_bytes(const precis_convert_report *r) { return r->bytes; }

precis_status precis_convert_report_get(const precis_convert_report *r, size_t i, precis_convert_row *row)
{
    if (i >= r->n) return pcs_fail(r->ctx, PRECIS_EINVAL, "there is no tensor %zu", i);
    pcs_options_give(row, &r->rows[i], sizeof r->rows[i]);
    return PRECIS_OK;
}
