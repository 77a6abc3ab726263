/* manifest.c - what a quantized file was made from and how, beside it. Members are added in any order and printed
 * sorted, so that a manifest has the same bytes whoever wrote it; numbers have nine digits. */
#include "base/json_sorted.h"
#include "base/lack.h"
#include "base/options.h"
#include "precis/record.h"
#include "precis/samples.h"

#include <math.h>
#include <stdio.h>

struct precis_manifest {
    precis_ctx *ctx;
    const precis_model *model;
    precis_manifest_options opt;
    pcs_buf key, text;
};

precis_status precis_manifest_open(precis_ctx *ctx, precis_manifest **out, const precis_model *model,
                                   const precis_manifest_options *opts)
{
    precis_manifest *m = pcs_alloc(ctx, 1, sizeof *m);
    *out = m;
    if (!m) return PRECIS_ENOMEM;
    *m = (precis_manifest){ .ctx = ctx, .model = model, .opt = PRECIS_MANIFEST_OPTIONS_INIT };
    pcs_options_take(&m->opt, sizeof m->opt, opts);
    pcs_buf_init(&m->key, ctx, PCS_LIMIT_JSON);
    pcs_buf_init(&m->text, ctx, PCS_LIMIT_JSON);
    return PRECIS_OK;
}

void precis_manifest_close(precis_manifest **manifest)
{
    precis_manifest *m = manifest ? *manifest : NULL;
    if (!m) return;
    pcs_buf_free(&m->key);
    pcs_buf_free(&m->text);
    pcs_free(m->ctx, m);
    *manifest = NULL;
}

/* ---- JSON in a buffer ------------------------------------------------------------------------------------------- */

/* An object or array that is being written: its first member has no comma before it. */
typedef struct { pcs_buf *b; precis_status st; bool first; } json;

static void put(json *j, const char *text)
{
    if (!j->st) j->st = pcs_buf_add(j->b, text, strlen(text));
}

/* Escapes as jansson has them, which wrote the manifests of precis at first: a manifest keeps its bytes. */
static void put_string(json *j, const char *s)
{
    static const char plain[] = "\"\\\b\f\n\r\t", escaped[] = "\"\\bfnrt";
    const size_t n = strlen(s);
    put(j, "\"");
    for (size_t i = 0, k; i < n && !j->st; i += k) {
        uint32_t cp;
        const char *at = strchr(plain, s[i]);
        if (!(k = pcs_utf8(s + i, n - i, &cp)))
            j->st = pcs_fail(j->b->ctx, PRECIS_EINVAL, "a manifest holds UTF-8 only; \"%.200s\" is none", s);
        else if (at) j->st = pcs_buf_printf(j->b, "\\%c", escaped[at - plain]);
        else if (cp < 32) j->st = pcs_buf_printf(j->b, "\\u%04X", (unsigned)cp);
        else j->st = pcs_buf_add(j->b, s + i, k);
    }
    put(j, "\"");
}

static void member(json *j, const char *key)
{
    if (!j->first) put(j, ",");
    j->first = false;
    if (!key) return;
    put_string(j, key);
    put(j, ":");
}

static void open_level(json *j, const char *key, const char *bracket)
{
    member(j, key);
    put(j, bracket);
    j->first = true;
}

static void close_level(json *j, const char *bracket)
{
    put(j, bracket);
    j->first = false;
}

static void add_string(json *j, const char *key, const char *value)
{
    member(j, key);
    put_string(j, value);
}

static void add_whole(json *j, const char *key, uint64_t value)
{
    member(j, key);
    if (!j->st) j->st = pcs_buf_printf(j->b, "%lld", (long long)value);
}

/* Nine digits, always with a point or an exponent, so that it is read as a real number, and the exponent without a plus
 * or zeros before it. The host's locale may have another point. NaN, which JSON has not, is null. */
static void add_real(json *j, const char *key, double value)
{
    char text[40], *end = text;
    member(j, key);
    if (!isfinite(value)) {
        put(j, "null");
        return;
    }
    snprintf(text, sizeof text, "%.9g", value);
    for (; *end && *end != 'e'; end++)
        if (*end != '-' && (*end < '0' || *end > '9')) *end = '.';
    const bool whole = !*end && !strchr(text, '.');
    if (*end) {
        const char *digits = end + 1;
        char *to = end + 1;
        if (*digits == '-') *to++ = *digits++;
        else if (*digits == '+') digits++;
        while (*digits == '0' && digits[1]) digits++;
        memmove(to, digits, strlen(digits) + 1);
    }
    put(j, text);
    if (whole) put(j, ".0");
}

/* ---- the parts -------------------------------------------------------------------------------------------------- */

/* What makes the bytes: the program, its options, the files that they name, the model, the seed. */
static precis_status add_recipe(const precis_manifest *m, json *j)
{
    const precis_manifest_options *o = &m->opt;
    char hex[65];
    add_string(j, "precis", "manifest");
    add_whole(j, "version", 1);
    add_string(j, "program", precis_version());
    open_level(j, "arguments", "[");
    for (size_t i = 0; i < o->n_arguments; i++) add_string(j, NULL, o->arguments[i]);
    close_level(j, "]");
    open_level(j, "inputs", "[");
    for (size_t i = 0; i < o->n_inputs; i++) {
        const precis_status st = precis_samples_sha256(m->ctx, o->inputs[i].path, hex);
        if (st) return st;
        open_level(j, NULL, "{");
        if (o->inputs[i].name) add_string(j, "name", o->inputs[i].name);
        add_string(j, "option", o->inputs[i].option);
        add_string(j, "path", o->inputs[i].path);
        add_string(j, "sha256", hex);
        close_level(j, "}");
    }
    close_level(j, "]");
    const precis_status st = m->model ? precis_model_sha256(m->model, hex)
                                      : precis_sha256_file(m->ctx, o->model_path ? o->model_path : "", hex);
    if (st) return st;
    open_level(j, "model", "{");
    add_string(j, "path", o->model_path ? o->model_path : "");
    add_string(j, "tensors_sha256", hex);
    close_level(j, "}");
    add_whole(j, "seed", o->seed);
    return PRECIS_OK;
}

/* How the result was evaluated, which makes none of its bytes. */
static precis_status add_evaluation(const precis_manifest *m, json *j)
{
    const precis_manifest_options *o = &m->opt;
    char hex[65];
    open_level(j, "evaluation", "{");
    open_level(j, "arguments", "[");
    for (size_t i = 0; i < o->n_evaluation; i++) add_string(j, NULL, o->evaluation[i]);
    close_level(j, "]");
    if (o->evaluation_text) {
        const precis_status st = precis_sha256_file(m->ctx, o->evaluation_text, hex);
        if (st) return st;
        open_level(j, "text", "{");
        add_string(j, "option", "--text");
        add_string(j, "path", o->evaluation_text);
        add_string(j, "sha256", hex);
        close_level(j, "}");
    }
    close_level(j, "}");
    return PRECIS_OK;
}

static void add_tensors(const precis_job *job, json *j)
{
    open_level(j, "tensors", "[");
    for (size_t i = 0; i < precis_quant_report_size(job->report); i++) {
        precis_quant_row r = { .size = sizeof r };
        if (!j->st) j->st = precis_quant_report_get(job->report, i, &r);
        if (j->st) return;
        open_level(j, NULL, "{");
        add_string(j, "name", r.tensor);
        add_string(j, "from", r.from);
        add_string(j, "type", r.to);
        add_string(j, "method", r.method);
        add_real(j, "error", r.error);
        add_whole(j, "tokens", r.tokens);
        if (r.experts) open_level(j, "expert_tokens", "[");
        for (size_t e = 0; e < r.experts; e++) add_whole(j, NULL, r.expert_tokens[e]);
        if (r.experts) close_level(j, "]");
        close_level(j, "}");
    }
    close_level(j, "]");
}

/* The types of all tensors as one hash: two files of one plan have one. */
static void add_plan(const precis_job *job, json *j)
{
    char hex[65];
    pcs_buf types;
    pcs_buf_init(&types, j->b->ctx, PCS_LIMIT_JSON);
    for (size_t i = 0; i < precis_plan_size(job->plan) && !j->st; i++) {
        precis_plan_row r = { .size = sizeof r };
        j->st = precis_plan_get(job->plan, i, &r);
        if (!j->st) j->st = pcs_buf_add(&types, r.tensor, strlen(r.tensor));
        if (!j->st) j->st = pcs_buf_printf(&types, "=%s\n", r.to);
    }
    precis_sha256(types.data ? types.data : "", types.len, hex);
    pcs_buf_free(&types);
    open_level(j, "plan", "{");
    add_whole(j, "tensors", precis_plan_size(job->plan));
    add_string(j, "sha256", hex);
    close_level(j, "}");
}

/* Tensors that the method could not be applied to. */
static void add_fallbacks(const precis_job *job, json *j)
{
    open_level(j, "fallbacks", "[");
    for (size_t i = 0; i < precis_quant_report_size(job->report); i++) {
        precis_quant_row r = { .size = sizeof r };
        if (precis_quant_report_get(job->report, i, &r) || !strchr(r.method, '(')) continue;
        open_level(j, NULL, "{");
        add_string(j, "name", r.tensor);
        add_string(j, "method", r.method);
        close_level(j, "}");
    }
    close_level(j, "]");
}

/* The text ends in a NUL that is no part of it. */
static precis_status print_sorted(const pcs_buf *made, pcs_json_layout layout, pcs_buf *out)
{
    out->len = 0;
    precis_status st = pcs_json_sorted(out, (pcs_json_slice){ made->data, made->len }, layout);
    if (!st) st = pcs_buf_add(out, "", 1);
    if (!st) out->len--;
    return st;
}

precis_status precis_manifest_key(precis_manifest *m, const char **key)
{
    pcs_buf made;
    pcs_buf_init(&made, m->ctx, PCS_LIMIT_JSON);
    json j = { &made, PRECIS_OK, true };
    const uint64_t refused = precis_ctx_refused(m->ctx);
    *key = NULL;
    open_level(&j, NULL, "{");
    precis_status st = add_recipe(m, &j);
    close_level(&j, "}");
    if (!st) st = j.st;
    if (!st) st = print_sorted(&made, PCS_JSON_ON_ONE_LINE, &m->key);
    pcs_buf_free(&made);
    st = pcs_with_memory(m->ctx, refused, st);
    if (!st) *key = m->key.data;
    return st;
}

static void add_output(json *j, uint64_t bytes, const char *sha256)
{
    open_level(j, "output", "{");
    add_whole(j, "bytes", bytes);
    add_string(j, "sha256", sha256);
    close_level(j, "}");
}

/* What only a job's manifest says, or only a net's; made: what its function was given. */
typedef struct { const precis_job *job; const char *sha256; uint64_t bytes; } made;

static precis_status add_of_job(const precis_manifest *m, const made *f, json *j)
{
    const precis_status st = add_evaluation(m, j);
    add_tensors(f->job, j);
    add_plan(f->job, j);
    add_fallbacks(f->job, j);
    member(j, "calibration");
    put(j, *f->job->calibration ? f->job->calibration : "null");
    return st;
}

static precis_status add_of_net(const precis_manifest *m, json *j)
{
    open_level(j, "floats", "[");
    for (size_t i = 0; i < m->opt.n_floats; i++) add_string(j, NULL, m->opt.floats[i]);
    close_level(j, "]");
    return PRECIS_OK;
}

static precis_status print_all(precis_manifest *m, const made *f, const char **text, size_t *len)
{
    pcs_buf all;
    pcs_buf_init(&all, m->ctx, PCS_LIMIT_JSON);
    json j = { &all, PRECIS_OK, true };
    const uint64_t refused = precis_ctx_refused(m->ctx);
    open_level(&j, NULL, "{");
    precis_status st = add_recipe(m, &j);
    add_output(&j, f->bytes, f->sha256);
    if (!st) st = f->job ? add_of_job(m, f, &j) : add_of_net(m, &j);
    close_level(&j, "}");
    if (!st) st = j.st;
    if (!st) st = print_sorted(&all, PCS_JSON_INDENTED, &m->text);
    pcs_buf_free(&all);
    st = pcs_with_memory(m->ctx, refused, st);
    if (st) return st;
    *text = m->text.data;
    *len = m->text.len;
    return PRECIS_OK;
}

precis_status precis_manifest_text(void *manifest, const precis_job *job, const char **text, size_t *len)
{
    return print_all(manifest, &(made){ job, precis_quant_report_sha256(job->report), job->bytes }, text, len);
}

precis_status precis_manifest_net_text(void *manifest, const char *sha256, uint64_t bytes, const char **text,
                                       size_t *len)
{
    return print_all(manifest, &(made){ NULL, sha256, bytes }, text, len);
}
