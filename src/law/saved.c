/* saved.c - a fit as JSON: the law's text, its constants, where it was fitted, the
 * bootstrap's samples. Read as untrusted. */
#include "law/saved.h"

#include "base/json.h"
#include "precis/law_fit.h"
#include "write/write.h"

#include <math.h>
#include <stdio.h>

enum { SAMPLES = 1000000 };

/* ---- write ------------------------------------------------------------------------------------------------------- */

static precis_status pair(pcs_buf *b, const char *name, double low, double high, bool *first)
{
    if (!isfinite(low) || !isfinite(high)) return PRECIS_OK;
    const precis_status st = pcs_buf_printf(b, "%s\n  \"%s\": [%.17g, %.17g]", *first ? "" : ",", name, low, high);
    *first = false;
    return st;
}

static precis_status compose(pcs_buf *b, const precis_law *l, const precis_law_fit *fit)
{
    bool first = true;
    precis_status st = pcs_buf_printf(b,
                                      "{\n \"precis_law_fit\": 1,\n \"objective\": %.17g,\n \"n\": %zu,\n \"text\": ",
                                      fit->objective, fit->n);
    if (!st) st = pcs_json_text(b, l->raw, l->raw_len);
    if (!st) st = pcs_buf_printf(b, ",\n \"params\": {");
    for (int i = 0; i < l->n_params && !st; i++)
        if (isfinite(l->params[i].value)) {
            st = pcs_buf_printf(b, "%s\n  \"%s\": %.17g", first ? "" : ",", l->params[i].name, l->params[i].value);
            first = false;
        }
    if (!st) st = pcs_buf_printf(b, "\n },\n \"domain\": {");
    first = true;
    for (int v = 0; v < PCS_VARS && !st; v++) st = pair(b, pcs_variables[v].name, l->low[v], l->high[v], &first);
    if (!st) st = pair(b, "ratio", l->low_ratio, l->high_ratio, &first);
    if (!st) st = pcs_buf_printf(b, "\n },\n \"samples\": [");
    for (size_t i = 0; i < l->n_samples && !st; i++) {
        st = pcs_buf_printf(b, "%s\n  [", i ? "," : "");
        for (int p = 0; p < l->n_params && !st; p++) {
            const double v = l->samples[i * (size_t)l->n_params + (size_t)p];
            st = isfinite(v) ? pcs_buf_printf(b, "%s%.17g", p ? ", " : "", v)
                             : pcs_buf_printf(b, "%snull", p ? ", " : "");
        }
        if (!st) st = pcs_buf_printf(b, "]");
    }
    return st ? st : pcs_buf_printf(b, "\n ]\n}\n");
}

precis_status precis_law_fit_save(precis_ctx *ctx, const precis_law_fit *fit, const char *path)
{
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_SAVED_BYTES);
    precis_status st = compose(&b, fit->law, fit);
    if (!st) st = pcs_write_file(ctx, path, b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

/* ---- read -------------------------------------------------------------------------------------------------------- */

static precis_status params(pcs_json *j, precis_law *l)
{
    pcs_json_token t;
    precis_status st = pcs_json_expect(j, PCS_JSON_OBJECT, &t, "params");
    while (!st && !(st = pcs_json_next(j, &t)) && t.type == PCS_JSON_KEY) {
        int p = 0;
        while (p < l->n_params && !pcs_json_is(&t, l->params[p].name)) p++;
        if (p == l->n_params) return pcs_json_fail(j, t.text, "params", "the law has no such parameter");
        st = pcs_json_next(j, &t);
        if (!st) st = pcs_json_double(j, &t, &l->params[p].value, "params");
        if (!st && (!isfinite(l->params[p].value) || (l->params[p].positive && l->params[p].value <= 0)))
            st = pcs_json_fail(j, t.text, "params", "a value that the parameter cannot have");
        l->params[p].standing = PCS_DERIVED;
    }
    return st;
}

static precis_status domain(pcs_json *j, precis_law *l)
{
    pcs_json_token t;
    precis_status st = pcs_json_expect(j, PCS_JSON_OBJECT, &t, "domain");
    while (!st && !(st = pcs_json_next(j, &t)) && t.type == PCS_JSON_KEY) {
        double *lo = NULL, *hi = NULL;
        for (int v = 0; v < PCS_VARS; v++)
            if (pcs_json_is(&t, pcs_variables[v].name)) lo = &l->low[v], hi = &l->high[v];
        if (pcs_json_is(&t, "ratio")) lo = &l->low_ratio, hi = &l->high_ratio;
        if (!lo) return pcs_json_fail(j, t.text, "domain", "no such variable");
        st = pcs_json_expect(j, PCS_JSON_ARRAY, &t, "domain");
        if (!st) st = pcs_json_next(j, &t);
        if (!st) st = pcs_json_double(j, &t, lo, "domain");
        if (!st) st = pcs_json_next(j, &t);
        if (!st) st = pcs_json_double(j, &t, hi, "domain");
        if (!st) st = pcs_json_expect(j, PCS_JSON_ARRAY_END, &t, "domain");
        if (!st && !(*lo <= *hi)) st = pcs_json_fail(j, t.text, "domain", "the lower end is above the upper");
    }
    return st;
}

static precis_status samples(pcs_json *j, precis_law *l)
{
    pcs_json_token t;
    size_t cap = 0;
    const size_t k = (size_t)l->n_params;
    precis_status st = pcs_json_expect(j, PCS_JSON_ARRAY, &t, "samples");
    while (!st && !(st = pcs_json_next(j, &t)) && t.type == PCS_JSON_ARRAY) {
        if (l->n_samples == cap) {
            const size_t more = cap ? 2 * cap : 64;
            double *grown = more <= SAMPLES
                                ? pcs_grow(l->ctx, l->samples, cap * k * sizeof *grown, more * k, sizeof *grown)
                                : NULL;
            if (!grown) return more <= SAMPLES ? PRECIS_ENOMEM : pcs_json_fail(j, t.text, "samples", "too many");
            l->samples = grown;
            cap = more;
        }
        double *row = l->samples + l->n_samples * k;
        for (size_t p = 0; p < k && !st; p++) {
            st = pcs_json_next(j, &t);
            if (!st && t.type == PCS_JSON_NULL) row[p] = NAN;
            else if (!st) st = pcs_json_double(j, &t, &row[p], "samples");
            if (!st && l->params[p].positive && row[p] <= 0)
                st = pcs_json_fail(j, t.text, "samples", "a value that the parameter cannot have");
        }
        if (!st) st = pcs_json_expect(j, PCS_JSON_ARRAY_END, &t, "samples");
        l->n_samples += !st;
    }
    return !st && t.type != PCS_JSON_ARRAY_END ? pcs_json_fail(j, t.text, "samples", "is a list of lists") : st;
}

precis_status pcs_saved_read(precis_ctx *ctx, precis_law **out, const char *file, const char *text, size_t len)
{
    const char *before = ctx->file;
    pcs_json_slice law_text, whole = { text, len }, slice;
    pcs_arena arena;
    pcs_arena_init(&arena, ctx);
    ctx->file = file;
    *out = NULL;
    precis_status st = pcs_json_find(ctx, whole, "text", &law_text);
    if (!st && !law_text.text)
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: no text of a law in it; precis law fit -o FILE writes one", file);
    pcs_json j;
    pcs_json_token t;
    char *s = NULL;
    size_t n = 0;
    if (!st) {
        pcs_json_init(&j, ctx, law_text.text, law_text.len);
        st = pcs_json_expect(&j, PCS_JSON_STRING, &t, "text");
        if (!st) st = pcs_json_string(&j, &t, &arena, &s, &n);
    }
    if (!st) st = pcs_law_read(ctx, out, file, s, n);
    static const struct {
        const char *key;
        precis_status (*read)(pcs_json *j, precis_law *l);
    } parts[] = { { "params", params }, { "domain", domain }, { "samples", samples } };
    for (int i = 0; i < 3 && !st; i++) {
        st = pcs_json_find(ctx, whole, parts[i].key, &slice);
        if (st || !slice.text) continue;
        pcs_json_init(&j, ctx, slice.text, slice.len);
        st = parts[i].read(&j, *out);
    }
    if (!st && !((*out)->set = pcs_arena_copy(&(*out)->arena, "fit", 3))) st = PRECIS_ENOMEM;
    if (!st) (*out)->n_sets = 0;
    pcs_arena_free(&arena);
    ctx->file = before;
    if (st) precis_law_close(out);
    return st;
}
