/* quantize.c - the plan carried out: rows in parallel, tensors in order, one file. */
#include "base/options.h"
#include "base/pool.h"
#include "model/finite.h"
#include "quant/methods.h"
#include "quant/resume.h"
#include "write/write.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PART (1u << 20) /* bytes of rows that are encoded at a time, about */

struct precis_quant_report {
    precis_ctx *ctx;
    pcs_plan_row *rows;
    const char **methods, **from, **names; /* copies: the model may go first */
    pcs_arena arena;
    double *errors;
    struct { uint64_t tokens, *experts; size_t n; } *seen; /* of calibration */
    size_t n;
    uint64_t bytes;
    char sha256[65]; /* of the file */
};

typedef struct {
    precis_ctx *ctx;
    const precis_plan *plan;
    const pcs_method *method;
    char name[96];           /* of all methods */
    const pcs_encoded *coded; /* of each tensor, or NULL */
    pcs_resume *resume;
    const precis_imatrix *imatrix;
    precis_quant_report *report;
    uint64_t done, total;
    bool packed;
    pcs_kernels kernels;
    /* the tensor in work */
    const pcs_tensor *t;
    const pcs_format *f;
    pcs_row_job job;         /* but the importance */
    pcs_row_weights weights;
    pcs_shared shared;
    pcs_fit_effort rounding;
    uint8_t *dst;
    uint64_t first, count, grain; /* rows of the part in work, and of a piece of it */
    pcs_row_loss *loss; /* of each row of the part */
    float *scratch;
    pcs_out *out;
    atomic_bool odd;         /* a row has a number that is not finite */
} writing;

/* Piece 0 is the part before, which goes to the disk meanwhile; the others are rows. */
static void pieces(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    writing *w = arg;
    const size_t n = (size_t)w->t->ne[0];
    const uint64_t per_row = pcs_row_bytes(w->f, n);
    if (!begin) pcs_out_drain(w->out), begin++;
    for (uint64_t r = (begin - 1) * w->grain; r < (end - 1) * w->grain && r < w->count; r++) {
        pcs_row_job j = w->job;
        j.importance = pcs_row_importance(&w->weights, w->first + r);
        const pcs_method *coder = w->method->row ? w->method : pcs_methods[0];
        const pcs_row_out to = { w->scratch + ith * (2 * n + 16), w->dst + r * per_row };
        if (!pcs_quantize_row(w->t, w->first + r, &j, coder, &to, &w->loss[r])) atomic_store(&w->odd, true);
    }
}

static precis_status not_finite(writing *w, size_t i)
{
    const precis_model *m = w->plan->model;
    pcs_odd odd;
    const precis_status st = pcs_tensor_odd(w->ctx, &m->tensors[i], &odd);
    if (st) return st;
    return odd.t ? pcs_odd_fail(w->ctx, m, &odd) : pcs_too_large(w->ctx, w->t, w->f);
}

/* Rows of the tensor in work, a multiple of 16 but for the last, as rows or as panels. */
static precis_status emit(const writing *w, pcs_out *o, const void *bytes, uint64_t len)
{
    if (!w->packed || !pcs_packs(w->f, w->t->dims, w->t->ne)) return pcs_out_add(o, bytes, len);
    const pcs_paneling panels = { w->f, (size_t)w->t->ne[0], NULL }; /* rows were looked at as they were made */
    return pcs_out_panels(o, &panels, bytes, len / pcs_row_bytes(w->f, panels.k));
}

/* Small numbers are no failure, as rows of zeros are none; but who asked for a type wants to know. */
static void say_lost(const writing *w, size_t i)
{
    if (w->report->errors[i] >= 0.99)
        pcs_warn(w->ctx, "tensor %s: its numbers are so small that %s stores zeros; F32 and BF16 hold them", w->t->name,
                 w->f->name);
}

static precis_status encode_tensor(writing *w, pcs_out *o, size_t i)
{
    const size_t n = (size_t)w->t->ne[0];
    const uint64_t all = pcs_tensor_rows(w->t), per_row = pcs_row_bytes(w->f, n);
    uint64_t part = (PART / (per_row + 1) / 16 + 1) * 16; /* whole panels */
    if (part > all) part = all;
    precis_status st =
        w->t->panels ? precis_model_read_f32(w->plan->model, i, 0, 0, NULL) : PRECIS_OK; /* which says what to do */
    w->odd = false;
    w->grain = 1 + 16384 / n;
    w->out = o;
    w->job = (pcs_row_job){ w->f, NULL, w->f->tensor ? &w->shared : NULL, w->rounding, &w->kernels };
    if (!st) st = pcs_imatrix_for(w->imatrix, w->t, &w->weights);
    if (!st && w->f->tensor) st = pcs_tensor_shared(w->ctx, w->t, &w->shared);
    if (st) return st;
    w->dst = pcs_alloc(w->ctx, part, per_row);
    w->loss = pcs_alloc(w->ctx, part, sizeof *w->loss);
    w->scratch = pcs_alloc(w->ctx, precis_ctx_threads(w->ctx) * (2 * n + 16), sizeof *w->scratch);
    if (!w->dst || !w->loss || !w->scratch) st = PRECIS_ENOMEM;
    pcs_row_loss loss = { 0 };
    if (!st) st = pcs_resume_begin(w->resume, w->t->name, all * per_row);
    for (w->first = 0; w->first < all && !st; w->first += part) {
        const uint64_t count = w->count = all - w->first < part ? all - w->first : part;
        pcs_for(w->ctx, 1 + (count + w->grain - 1) / w->grain, 1, pieces, w);
        if (w->odd) st = not_finite(w, i);
        if (st) break;
        for (uint64_t r = 0; r < count; r++) loss.err += w->loss[r].err, loss.norm += w->loss[r].norm;
        st = emit(w, o, w->dst, count * per_row);
        if (!st) st = pcs_resume_add(w->resume, w->dst, count * per_row);
        w->done += count * n;
        if (!st) st = pcs_progress(w->ctx, "quantize", w->done, w->total);
    }
    if (!st && !isfinite(loss.err)) st = pcs_too_large(w->ctx, w->t, w->f);
    pcs_free(w->ctx, w->dst);
    pcs_free(w->ctx, w->loss);
    pcs_free(w->ctx, w->scratch);
    const bool codes = w->f->kind == PCS_QUANT || w->f->element;
    const char *of_rows = w->method->row ? w->method->name : "search";
    w->report->methods[i] = !codes ? "convert" : w->coded && w->coded[i].method ? w->coded[i].method : of_rows;
    w->report->errors[i] = pcs_relative(&loss);
    say_lost(w, i);
    return st ? st : pcs_resume_end(w->resume, w->report->methods[i], w->report->errors[i]);
}

/* A tensor as it is: rows are looked at just before they are copied. */
static precis_status copy(const writing *w, pcs_out *o)
{
    const uint64_t row = pcs_tensor_row_bytes(w->t), rows = pcs_tensor_rows(w->t),
                   part = (PART / 4 / (row + 1) / 16 + 1) * 16;
    precis_status st = PRECIS_OK;
    for (uint64_t r = 0; r < rows && !st; r += part) {
        const uint64_t n = rows - r < part ? rows - r : part;
        st = pcs_rows_finite(w->ctx, w->plan->model, w->t, r, n);
        if (!st) st = emit(w, o, w->t->data + r * row, n * row);
    }
    return st;
}

static precis_status fill(void *user, pcs_out *o, size_t i)
{
    writing *w = user;
    w->t = w->plan->rows[i].tensor;
    w->f = w->plan->rows[i].to;
    w->report->methods[i] = "copy";
    if (w->coded && w->coded[i].bytes) {
        w->report->methods[i] = w->coded[i].method;
        w->report->errors[i] = w->coded[i].error;
        say_lost(w, i);
        const precis_status st = emit(w, o, w->coded[i].bytes, w->plan->rows[i].bytes);
        w->done += w->t->n;
        return st ? st : pcs_progress(w->ctx, "quantize", w->done, w->total);
    }
    const pcs_piece *piece = w->f != w->t->format ? pcs_resume_find(w->resume, w->t->name) : NULL;
    if (piece && piece->len == w->plan->rows[i].bytes) {
        w->report->methods[i] = piece->method;
        w->report->errors[i] = piece->error;
        const precis_status st = emit(w, o, piece->bytes, piece->len);
        w->done += w->t->n;
        return st ? st : pcs_progress(w->ctx, "quantize", w->done, w->total);
    }
    if (w->f != w->t->format && w->t->n) return encode_tensor(w, o, i);
    const precis_status st = copy(w, o);
    w->done += w->t->n;
    return st ? st : pcs_progress(w->ctx, "quantize", w->done, w->total);
}

/* Keys of the source, with what quantization changes. */
static precis_status make_keys(const precis_plan *plan, const precis_quant_options *o, const char *method, pcs_arena *a,
                               pcs_key **keys, size_t *n)
{
    const precis_model *m = plan->model;
    static const char *const ours[] = { "general.file_type", "general.quantization_version", "precis.manifest",
                                        "precis.activations", "precis.kv" };
    *keys = pcs_arena_alloc(a, m->n_keys + 6, sizeof **keys);
    if (!*keys) return PRECIS_ENOMEM;
    *n = 0;
    for (size_t i = 0; i < m->n_keys; i++) {
        bool drop = false;
        for (size_t k = 0; k < 5; k++) drop |= !strcmp(m->keys[i].name, ours[k]);
        if (!drop) (*keys)[(*n)++] = m->keys[i];
    }
    if (!pcs_model_key(m, pcs_no_tokenizer.name)) (*keys)[(*n)++] = pcs_no_tokenizer;
    const pcs_mix *mix = pcs_mix_by_name(plan->spec);
    static const struct {
        const char *type;
        uint32_t id;
    } single[] = { { "F32", 0 },   { "F16", 1 },    { "Q4_0", 2 },   { "Q4_1", 3 },    { "Q8_0", 7 },
                   { "Q5_0", 8 },  { "Q5_1", 9 },   { "Q6_K", 18 },  { "IQ4_NL", 25 }, { "IQ4_XS", 30 },
                   { "BF16", 32 }, { "TQ1_0", 36 }, { "TQ2_0", 37 }, { "MXFP4", 38 } };
    uint32_t id = mix ? mix->file_type : 1024; /* 1024: a guess is all that a reader can make */
    const pcs_format *f = mix ? NULL : pcs_format_by_name(plan->spec);
    for (size_t i = 0; f && i < sizeof single / sizeof *single; i++)
        if (!strcmp(single[i].type, f->name)) id = single[i].id;
    /* long tables by their hash, and blanks to a fixed length: the file's size then depends on types alone, and can be
     * planned */
    char hash[72] = "sha256:";
    precis_sha256(plan->spec, strlen(plan->spec), hash + 7);
    char *text = pcs_arena_printf(a, "{\"precis\":\"%s\",\"plan\":\"%s\",\"method\":\"%s\",\"calibration\":%s}",
                                  precis_version(), strlen(plan->spec) > 128 ? hash : plan->spec, method,
                                  o->imatrix && o->imatrix->source ? o->imatrix->source : "null");
    if (!text || !(text = pcs_arena_printf(a, "%-511s", text))) return PRECIS_ENOMEM;
    for (char *c = strstr(text, "\"plan\":\"") + 8, *end = strstr(text, "\",\"method\""); c < end; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < 32) *c = '?';
    if (id != 1024) (*keys)[(*n)++] = (pcs_key){ .name = ours[0], .type = PCS_KEY_U32, .v.u = id };
    (*keys)[(*n)++] = (pcs_key){ .name = ours[1], .type = PCS_KEY_U32, .v.u = 2 };
    if (o->activations)
        (*keys)[(*n)++] = (pcs_key){ .name = ours[3], .type = PCS_KEY_STRING,
                                     .v.text = { o->activations, strlen(o->activations) } };
    if (o->kv)
        (*keys)[(*n)++] = (pcs_key){ .name = ours[4], .type = PCS_KEY_STRING, .v.text = { o->kv, strlen(o->kv) } };
    (*keys)[(*n)++] = (pcs_key){ .name = ours[2], .type = PCS_KEY_STRING, .v.text = { text, strlen(text) } };
    return PRECIS_OK;
}

static void warn_requantized(precis_ctx *ctx, const precis_plan *p)
{
    size_t n = 0;
    const char *from = "", *more = "";
    for (size_t i = 0; i < p->n; i++) {
        const pcs_format *own = pcs_plan_from(p, i);
        if (p->rows[i].to == own || own->kind != PCS_QUANT) continue;
        if (n && strcmp(from, own->name)) more = ", ...";
        from = own->name;
        n++;
    }
    if (n)
        pcs_warn(ctx,
                 "REQUANTIZING: %zu %s quantized already (%s%s); that first loss stays and a second one comes on top. "
                 "Quantize from the F16, BF16 or F32 original when you can",
                 n, n == 1 ? "tensor is" : "tensors are", from, more);
}

/* How power-of-two scales are rounded: as the options say, where the coder asks. */
static precis_status take_rounding(precis_ctx *ctx, const char *name, const pcs_method *coder, pcs_fit_effort *rounding)
{
    static const struct { const char *name; pcs_fit_effort effort; } roundings[] = {
        { "floor", PCS_FIT_FLOOR }, { "rceil", PCS_FIT_RCEIL }, { "ceil", PCS_FIT_CEIL }, { "even", PCS_FIT_EVEN },
    };
    *rounding = PCS_FIT_RTN;
    if (!name) return PRECIS_OK;
    for (size_t i = 0; i < sizeof roundings / sizeof *roundings; i++)
        if (!strcmp(name, roundings[i].name)) *rounding = roundings[i].effort;
    if (*rounding == PCS_FIT_RTN)
        return pcs_fail(ctx, PRECIS_EINVAL, "\"%.40s\" is none of floor, rceil, ceil and even", name);
    if (coder->uses_rounding) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EINVAL, "how scales are rounded is for --method rtn; %s chooses them by their error",
                    coder->name);
}

/* A tensor of the file, without its dimensions. */
static pcs_gguf_tensor file_tensor(const pcs_plan_row *r, bool packed)
{
    const bool panels = packed && pcs_packs(r->to, r->tensor->dims, r->tensor->ne);
    const uint64_t bytes = panels ? pcs_packed_bytes(r->to, r->tensor->dims, r->tensor->ne) : r->bytes;
    return (pcs_gguf_tensor){ r->tensor->name, r->to, r->tensor->dims, { 0 }, bytes, panels };
}

/* Without a path *bytes are counted and nothing is written; report and beside may be NULL. */
static precis_status write_or_count(precis_ctx *ctx, const pcs_write_job *j, precis_quant_report *report,
                                    const pcs_beside *beside, uint64_t *bytes)
{
    const precis_model *m = j->m;
    const precis_plan *plan = j->plan;
    const precis_quant_options *o = j->opts;
    pcs_method_set set;
    pcs_fit_effort rounding;
    precis_status st = pcs_methods_parse(ctx, o->method, &set);
    if (st) return st;
    if (j->path && !j->coded && (set.coder->apply || set.residual || set.transforms))
        return pcs_fail(ctx, PRECIS_EINVAL, "method %s looks at the whole model: precis_job_quantize carries it out",
                        o->method);
    if ((st = take_rounding(ctx, o->scale_rounding, set.coder, &rounding))) return st;
    if (plan->model != m) return pcs_fail(ctx, PRECIS_EINVAL, "the plan is of another model");
    pcs_arena a;
    pcs_arena_init(&a, ctx);
    writing w = { .ctx = ctx, .plan = plan, .method = set.coder, .coded = j->coded, .resume = j->resume,
                  .imatrix = o->imatrix, .report = report, .rounding = rounding, .packed = o->packed,
                  .kernels = pcs_kernels_for(ctx->cpu) };
    pcs_methods_name(&set, w.name, sizeof w.name);
    pcs_gguf_tensor *t = pcs_arena_alloc(&a, plan->n + 1, sizeof *t);
    pcs_key *keys;
    size_t n_keys;
    st = t ? make_keys(plan, o, w.name, &a, &keys, &n_keys) : PRECIS_ENOMEM;
    if (!st) {
        for (size_t i = 0; i < plan->n; i++) {
            const pcs_plan_row *r = &plan->rows[i];
            t[i] = file_tensor(r, o->packed);
            memcpy(t[i].ne, r->tensor->ne, sizeof t[i].ne);
            w.total += r->tensor->n;
        }
        if (j->path) warn_requantized(ctx, plan);
        const pcs_gguf_file f = { keys, n_keys, t, plan->n, fill, &w, m->origin ? m->origin : m, o->packed ? 64 : 0,
                                  report ? report->sha256 : NULL, beside };
        st = pcs_write_gguf(ctx, j->path, &f, bytes);
    }
    pcs_arena_free(&a);
    return st;
}

precis_status precis_quant_file_bytes(precis_ctx *ctx, const precis_model *m, const precis_plan *plan,
                                      const precis_quant_options *opts, uint64_t *bytes)
{
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    return write_or_count(ctx, &(pcs_write_job){ .m = m, .plan = plan, .opts = &o }, NULL, NULL, bytes);
}

precis_status precis_quantize(precis_ctx *ctx, const precis_model *m, const precis_plan *plan, const char *path,
                              const precis_quant_options *opts, precis_quant_report **report)
{
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    return pcs_quantize_coded(ctx, &(pcs_write_job){ m, plan, path, &o, NULL, NULL, NULL }, report);
}

/* What a text beside the file is made of: the report, which is whole but for the methods' names, which are still those
 * of the work. */
typedef struct { precis_quant_report *report; const pcs_report_beside *beside; } told;
static precis_status tell(void *user, const pcs_out *of, const char **text, size_t *len)
{
    const told *t = user;
    (void)of;
    return t->beside->text(t->beside->user, t->report, text, len);
}

precis_status pcs_quantize_coded(precis_ctx *ctx, const pcs_write_job *job, precis_quant_report **report)
{
    const precis_plan *plan = job->plan;
    if (report) *report = NULL;
    precis_quant_report *r = pcs_alloc(ctx, 1, sizeof *r);
    if (!r) return PRECIS_ENOMEM;
    *r = (precis_quant_report){ .ctx = ctx, .n = plan->n };
    r->rows = pcs_alloc(ctx, plan->n + 1, sizeof *r->rows);
    pcs_arena_init(&r->arena, ctx);
    r->methods = pcs_alloc(ctx, 3 * (plan->n + 1), sizeof *r->methods);
    if (r->methods) r->from = r->methods + plan->n + 1, r->names = r->from + plan->n + 1;
    r->errors = pcs_alloc(ctx, plan->n + 1, sizeof *r->errors);
    r->seen = pcs_alloc(ctx, plan->n + 1, sizeof *r->seen);
    precis_status st = r->rows && r->methods && r->errors && r->seen ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) {
        memcpy(r->rows, plan->rows, plan->n * sizeof *r->rows);
        for (size_t i = 0; i < plan->n; i++) {
            r->from[i] = pcs_plan_from(plan, i)->name;
            const char *name = plan->rows[i].tensor->name;
            if (!(r->names[i] = pcs_arena_copy(&r->arena, name, strlen(name)))) st = PRECIS_ENOMEM;
        }
        const precis_imatrix *im = job->opts->imatrix;
        for (size_t i = 0; im && i < plan->n && !st; i++) { /* the coverage record */
            uint32_t at;
            const char *name = plan->rows[i].tensor->name;
            if (!pcs_map_get(&im->map, name, strlen(name), &at)) continue;
            const pcs_importance *e = &im->entries[at];
            r->seen[i].tokens = e->tokens;
            if (e->experts < 2) continue;
            r->seen[i].n = e->experts;
            if (!(r->seen[i].experts = pcs_arena_alloc(&r->arena, e->experts, sizeof *r->seen[i].experts)))
                st = PRECIS_ENOMEM;
            else memcpy(r->seen[i].experts, e->counts, e->experts * sizeof *e->counts);
        }
        told t = { r, job->beside };
        const pcs_beside text = { job->beside ? job->beside->suffix : NULL, tell, &t };
        if (!st) st = write_or_count(ctx, job, r, job->beside ? &text : NULL, &r->bytes);
        for (size_t i = 0; i < plan->n && !st; i++)
            if (r->methods[i] && !(r->methods[i] = pcs_arena_copy(&r->arena, r->methods[i], strlen(r->methods[i]))))
                st = PRECIS_ENOMEM;
    }
    if (st || !report) precis_quant_report_close(&r);
    else *report = r;
    return st;
}

void precis_quant_report_close(precis_quant_report **report)
{
    if (!report || !*report) return;
    precis_quant_report *r = *report;
    pcs_free(r->ctx, r->rows);
    pcs_free(r->ctx, r->methods);
    pcs_arena_free(&r->arena);
    pcs_free(r->ctx, r->errors);
    pcs_free(r->ctx, r->seen);
    pcs_free(r->ctx, r);
    *report = NULL;
}

size_t precis_quant_report_size(const precis_quant_report *report) { return report->n; }
uint64_t precis_quant_report_bytes(const precis_quant_report *report) { return report->bytes; }
const char *precis_quant_report_sha256(const precis_quant_report *report) { return report->sha256; }

precis_status precis_quant_report_get(const precis_quant_report *r, size_t i, precis_quant_row *row)
{
    if (i >= r->n) return pcs_fail(r->ctx, PRECIS_EINVAL, "there is no tensor %zu", i);
    const precis_quant_row all = { row->size,           r->names[i],        r->from[i],
                                   r->rows[i].to->name, r->methods[i],      r->errors[i],
                                   r->seen[i].tokens,   r->seen[i].experts, r->seen[i].n };
    pcs_options_give(row, &all, sizeof all);
    return PRECIS_OK;
}
