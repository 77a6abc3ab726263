/* tree.c - from the pull parser's tokens. */
#include "read/pt2/tree.h"

#include "base/fmath_more.h"

#include <stdarg.h>
#include <stdio.h>

precis_status pcs_tree_fail(const pcs_tree *t, uint32_t i, precis_status status, const char *fmt, ...)
{
    char text[300];
    const char *file = t->ctx->file;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    t->ctx->file = t->file;
    pcs_fail_at(t->ctx, status, t->v[i].at, "json", "%s", text);
    t->ctx->file = file;
    return status;
}

static precis_status add(pcs_tree *t, const pcs_json_token *k)
{
    if (t->n == t->cap) {
        const uint32_t cap = t->cap ? t->cap * 2 : 256;
        pcs_twig *grown = pcs_grow(t->ctx, t->v, t->n * sizeof *grown, cap, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        t->v = grown;
        t->cap = cap;
    }
    t->v[t->n] = (pcs_twig){ (uint32_t)(k->text - t->text), (uint32_t)k->len, t->n + 1, k->type };
    t->n++;
    return PRECIS_OK;
}

static precis_status skip_value(pcs_json *j, pcs_tree *t)
{
    pcs_json_token k;
    precis_status st = pcs_json_next(j, &k);
    if (!st) st = pcs_json_skip(j, &k);
    t->n--; /* its key */
    return st;
}

static precis_status fill(pcs_tree *t, pcs_json *j, const char *skip)
{
    uint32_t open[PCS_LIMIT_JSON_DEPTH], depth = 0;
    pcs_json_token k;
    for (;;) {
        precis_status st = pcs_json_next(j, &k);
        if (st || k.type == PCS_JSON_END) return st;
        if (k.type == PCS_JSON_OBJECT_END || k.type == PCS_JSON_ARRAY_END) t->v[open[--depth]].next = t->n;
        else {
            if (k.type == PCS_JSON_OBJECT || k.type == PCS_JSON_ARRAY) {
                open[depth++] = t->n;
                k.text = j->p - 1;
                k.len = 1;
            } else if (!k.text) k.text = j->p, k.len = 0;
            if ((st = add(t, &k))) return st;
            if (k.type == PCS_JSON_KEY && skip && pcs_json_is(&k, skip) && (st = skip_value(j, t))) return st;
        }
    }
}

precis_status pcs_tree_open(precis_ctx *ctx, pcs_tree *t, const char *file, pcs_str text, const char *skip)
{
    const char *before = ctx->file;
    pcs_json j;
    *t = (pcs_tree){ .ctx = ctx, .file = file, .text = text.s };
    ctx->file = file;
    pcs_json_init(&j, ctx, text.s, text.n);
    precis_status st = text.n > PCS_LIMIT_JSON
                           ? pcs_fail(ctx, PRECIS_EFORMAT, "%s: has %llu bytes", file, (unsigned long long)text.n)
                           : fill(t, &j, skip);
    if (!st && (!t->n || t->v[0].type != PCS_JSON_OBJECT)) st = pcs_json_fail(&j, text.s, "json", "is no object");
    ctx->file = before;
    /* A key's value stands after it; the key after that is the next. */
    for (uint32_t i = t->n; !st && i-- > 0;)
        if (t->v[i].type == PCS_JSON_KEY) t->v[i].next = t->v[i + 1].next;
    return st;
}

void pcs_tree_close(pcs_tree *t)
{
    if (t->ctx) pcs_free(t->ctx, t->v);
    *t = (pcs_tree){ 0 };
}

uint32_t pcs_tree_count(const pcs_tree *t, uint32_t array)
{
    uint32_t n = 0;
    if (!array || t->v[array].type != PCS_JSON_ARRAY) return 0;
    for (uint32_t k = array + 1; k < t->v[array].next; k = t->v[k].next) n++;
    return n;
}

bool pcs_tree_is(const pcs_tree *t, uint32_t i, const char *text) { return i && pcs_str_is(pcs_tree_text(t, i), text); }

uint32_t pcs_tree_get(const pcs_tree *t, uint32_t i, const char *key)
{
    if (t->v[i].type != PCS_JSON_OBJECT) return 0;
    for (uint32_t k = i + 1; k < t->v[i].next; k = t->v[k].next)
        if (pcs_tree_is(t, k, key)) return k + 1;
    return 0;
}

uint32_t pcs_tree_only(const pcs_tree *t, uint32_t i, pcs_str *key)
{
    if (!i || t->v[i].type != PCS_JSON_OBJECT || t->v[i].next == i + 1 || t->v[i + 1].next != t->v[i].next) return 0;
    *key = pcs_tree_text(t, i + 1);
    return i + 2;
}

bool pcs_tree_int(const pcs_tree *t, uint32_t i, int64_t *out)
{
    pcs_str s = i ? pcs_tree_text(t, i) : (pcs_str){ "", 0 };
    const bool minus = s.n && s.s[0] == '-';
    uint64_t v = 0;
    if (!i || t->v[i].type != PCS_JSON_NUMBER) return false;
    for (size_t k = minus; k < s.n; k++) {
        if (s.s[k] < '0' || s.s[k] > '9' || !pcs_mul_ok(v, 10, &v) || !pcs_add_ok(v, (uint64_t)(s.s[k] - '0'), &v))
            return false;
    }
    if (v > (uint64_t)INT64_MAX + minus) return false;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool pcs_tree_real(const pcs_tree *t, uint32_t i, double *out)
{
    if (!i) return false;
    if (t->v[i].type == PCS_JSON_STRING) {
        *out = pcs_tree_is(t, i, "Infinity") ? PCS_INFINITY : pcs_tree_is(t, i, "-Infinity") ? -PCS_INFINITY : PCS_NAN;
        return *out == *out || pcs_tree_is(t, i, "NaN");
    }
    pcs_json j;
    const pcs_str s = pcs_tree_text(t, i);
    const pcs_json_token k = { t->v[i].type, s.s, s.n };
    pcs_json_init(&j, t->ctx, s.s, s.n);
    return k.type == PCS_JSON_NUMBER && !pcs_json_double(&j, &k, out, "number");
}
