/* jinja_value.c - values of a template: what they cost, how they compare, and the operators. */
#include "base/overflow.h"
#include "text/jinja.h"

#include <stdarg.h>
#include <stdio.h>
#include <math.h>

precis_status pcs_jinja_pay(pcs_jinja *j, uint64_t n)
{
    static const uint64_t limit = (uint64_t)PCS_JSTEP * PCS_LIMIT_TEMPLATE_STEPS;
    const uint64_t before = j->work;
    j->work = n > limit ? limit + 1 : before + n;
    if (j->work > limit)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "it takes more than %u steps", PCS_LIMIT_TEMPLATE_STEPS);
    return (before ^ j->work) >> 20 ? pcs_progress(j->ctx, "chat template", j->work, limit) : PRECIS_OK;
}

precis_status pcs_jinja_spend(pcs_jinja *j, size_t bytes)
{
    static const size_t limit = 4u * PCS_LIMIT_TEMPLATE_OUTPUT;
    j->used = bytes > limit ? limit + 1 : j->used + bytes;
    if (j->used > limit) return pcs_jinja_fail(j, PRECIS_EFORMAT, "it makes more than %zu bytes", limit);
    return pcs_jinja_scan(j, bytes);
}

pcs_jvalue pcs_jstring(const char *s, size_t len)
{
    pcs_jvalue v = { .type = J_STRING };
    v.s = s;
    v.len = len;
    return v;
}

precis_status pcs_jstring_of(pcs_jinja *j, pcs_buf *b, precis_status st, pcs_jvalue *out)
{
    if (!st) st = pcs_jinja_spend(j, b->len);
    const char *copy = st ? NULL : pcs_arena_copy(&j->arena, b->data ? b->data : "", b->len);
    if (!st && !copy) st = PRECIS_ENOMEM;
    if (!st) *out = pcs_jstring(copy, b->len);
    pcs_buf_free(b);
    return st;
}

const char *pcs_jtype_name(pcs_jvalue v)
{
    static const char *const names[] = { "an undefined value", "none",     "a boolean", "a whole number",
                                         "a fraction",         "a string", "a list",    "a mapping",
                                         "a function",         "a macro",  "a loop",    "nothing" };
    return v.type == J_DICT && v.space ? "a namespace" : v.type == J_LIST && v.tuple ? "a tuple" : names[v.type];
}

bool pcs_jtrue(pcs_jvalue v)
{
    switch (v.type) {
    case J_BOOL: case J_INT: return v.i != 0;
    case J_FLOAT: return v.f != 0;
    case J_STRING: return v.len != 0;
    case J_LIST: return v.list->n != 0;
    case J_DICT: return v.space || v.dict->n != 0;
    case J_FUNCTION: case J_MACRO: case J_LOOP: return true;
    default: return false;
    }
}

/* ---- lists and mappings ---------------------------------------------------------------------------------- */

precis_status pcs_jlist_new(pcs_jinja *j, pcs_jvalue *out)
{
    *out = (pcs_jvalue){ .type = J_LIST, .list = pcs_arena_alloc(&j->arena, 1, sizeof(struct pcs_jlist)) };
    return out->list ? pcs_jinja_spend(j, sizeof(struct pcs_jlist)) : PRECIS_ENOMEM;
}

precis_status pcs_jdict_new(pcs_jinja *j, pcs_jvalue *out)
{
    *out = (pcs_jvalue){ .type = J_DICT, .dict = pcs_arena_alloc(&j->arena, 1, sizeof(struct pcs_jdict)) };
    return out->dict ? pcs_jinja_spend(j, sizeof(struct pcs_jdict)) : PRECIS_ENOMEM;
}

precis_status pcs_jappend(pcs_jinja *j, struct pcs_jlist *l, pcs_jvalue v)
{
    if (l->n == l->cap) {
        const size_t cap = l->cap ? 2 * l->cap : 4;
        const precis_status st = pcs_jinja_spend(j, cap * sizeof(pcs_jvalue));
        pcs_jvalue *grown = st ? NULL : pcs_arena_alloc(&j->arena, cap, sizeof *grown);
        if (!grown) return st ? st : PRECIS_ENOMEM;
        if (l->n) memcpy(grown, l->v, l->n * sizeof *grown);
        l->v = grown;
        l->cap = cap;
    }
    l->v[l->n++] = v;
    return PRECIS_OK;
}

/* Place of a key, or d->n. The next evaluation sees what it cost. */
static size_t place(pcs_jinja *j, const struct pcs_jdict *d, const char *key, size_t len)
{
    size_t i = 0;
    while (i < d->n && (d->k[i].len != len || memcmp(d->k[i].s, key, len))) i++;
    j->work += i;
    return i;
}

precis_status pcs_jput(pcs_jinja *j, struct pcs_jdict *d, pcs_jvalue k, pcs_jvalue v)
{
    const size_t at = place(j, d, k.s, k.len);
    if (at == d->cap) {
        const size_t cap = d->cap ? 2 * d->cap : 4;
        const precis_status st = pcs_jinja_spend(j, 2 * cap * sizeof(pcs_jvalue));
        if (st) return st;
        pcs_jvalue *keys = pcs_arena_alloc(&j->arena, cap, sizeof *keys),
                   *values = pcs_arena_alloc(&j->arena, cap, sizeof *values);
        if (!keys || !values) return PRECIS_ENOMEM;
        if (d->n) memcpy(keys, d->k, d->n * sizeof *keys), memcpy(values, d->v, d->n * sizeof *values);
        d->k = keys;
        d->v = values;
        d->cap = cap;
    }
    if (at == d->n) d->k[d->n++] = k;
    d->v[at] = v;
    return pcs_jinja_pay(j, 1);
}

pcs_jvalue pcs_jget(pcs_jinja *j, const struct pcs_jdict *d, const char *key, size_t len)
{
    const size_t at = place(j, d, key, len);
    return at < d->n ? d->v[at] : (pcs_jvalue){ .type = J_UNDEFINED };
}

precis_status pcs_jitems(pcs_jinja *j, pcs_jvalue v, pcs_jvalue *out)
{
    *out = v;
    if (v.type == J_LIST) return PRECIS_OK;
    precis_status st = pcs_jlist_new(j, out);
    if (st || v.type == J_UNDEFINED) return st;
    if (v.type == J_STRING) {
        for (size_t at = 0, k; at < v.len && !st; at += k)
            k = pcs_jcharacter(v, at), st = pcs_jappend(j, out->list, pcs_jstring(v.s + at, k));
        return st;
    }
    if (v.type != J_DICT || v.space) return pcs_jinja_fail(j, PRECIS_EFORMAT, "%s has no items", pcs_jtype_name(v));
    for (size_t i = 0; i < v.dict->n && !st; i++) st = pcs_jappend(j, out->list, v.dict->k[i]);
    return st;
}

precis_status pcs_jpairs(pcs_jinja *j, pcs_jvalue v, pcs_jvalue *out)
{
    precis_status st = pcs_jlist_new(j, out);
    if (!st && v.type != J_DICT)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "items of %s, which is no mapping", pcs_jtype_name(v));
    for (size_t i = 0; !st && i < v.dict->n; i++) {
        pcs_jvalue pair;
        st = pcs_jlist_new(j, &pair);
        pair.tuple = true;
        if (!st) st = pcs_jappend(j, pair.list, v.dict->k[i]);
        if (!st) st = pcs_jappend(j, pair.list, v.dict->v[i]);
        if (!st) st = pcs_jappend(j, out->list, pair);
    }
    return st;
}

/* Bytes before character i. */
static size_t offset_of(pcs_jvalue s, int64_t i)
{
    size_t at = 0;
    for (; at < s.len && i > 0; i--) at += pcs_jcharacter(s, at);
    return at;
}

precis_status pcs_jindex(pcs_jinja *j, pcs_jvalue a, pcs_jvalue k, pcs_jvalue *out)
{
    *out = (pcs_jvalue){ .type = J_UNDEFINED };
    if (a.type == J_DICT && k.type == J_STRING) *out = pcs_jget(j, a.dict, k.s, k.len);
    else if (a.type == J_LIST && (k.type == J_INT || k.type == J_BOOL)) {
        const int64_t i = k.i < 0 ? k.i + (int64_t)a.list->n : k.i;
        if (i >= 0 && i < (int64_t)a.list->n) *out = a.list->v[i];
    } else if (a.type == J_STRING && (k.type == J_INT || k.type == J_BOOL)) {
        const int64_t n = pcs_jcharacters(a), i = k.i < 0 ? k.i + n : k.i;
        const size_t at = i >= 0 && i < n ? offset_of(a, i) : a.len;
        if (at < a.len) *out = pcs_jstring(a.s + at, pcs_jcharacter(a, at));
        return pcs_jinja_pay(j, a.len);
    } else if (a.type == J_UNDEFINED) return pcs_jinja_fail(j, PRECIS_EFORMAT, "an undefined value has no items");
    return PRECIS_OK;
}

/* ---- comparison ---------------------------------------------------------------------------------------- */

precis_status pcs_jequal(pcs_jinja *j, pcs_jvalue a, pcs_jvalue b, int depth, bool *yes)
{
    precis_status st = pcs_jinja_pay(j, 8);
    *yes = false;
    if (st) return st;
    if (depth > PCS_LIMIT_TEMPLATE_DEPTH) return pcs_jinja_fail(j, PRECIS_EFORMAT, "the values are nested too deeply");
    if (pcs_jnumeric(a) && pcs_jnumeric(b))
        *yes = a.type == J_FLOAT || b.type == J_FLOAT ? pcs_jnumber(a) == pcs_jnumber(b) : a.i == b.i;
    else if (a.type != b.type) return PRECIS_OK;
    else if (a.type == J_STRING) {
        *yes = a.len == b.len && !memcmp(a.s, b.s, a.len);
        return *yes ? pcs_jinja_scan(j, a.len) : PRECIS_OK;
    } else if (a.type == J_LIST) {
        *yes = a.list == b.list;
        if (*yes || a.tuple != b.tuple || a.list->n != b.list->n) return PRECIS_OK;
        *yes = true;
        for (size_t i = 0; i < a.list->n && *yes && !st; i++)
            st = pcs_jequal(j, a.list->v[i], b.list->v[i], depth + 1, yes);
    } else if (a.type == J_DICT) {
        *yes = a.dict == b.dict;
        if (*yes || a.space || b.space || a.dict->n != b.dict->n) return PRECIS_OK;
        *yes = true;
        for (size_t i = 0; i < a.dict->n && *yes && !st; i++) {
            const size_t at = place(j, b.dict, a.dict->k[i].s, a.dict->k[i].len);
            *yes = at < b.dict->n;
            if (*yes) st = pcs_jequal(j, a.dict->v[i], b.dict->v[at], depth + 1, yes);
        }
    } else *yes = a.type == J_UNDEFINED || a.type == J_NONE || a.s == b.s;
    return st;
}

precis_status pcs_jorder(pcs_jinja *j, const char *op, pcs_jvalue a, pcs_jvalue b, int *c)
{
    if (pcs_jnumeric(a) && pcs_jnumeric(b)) {
        if (a.type == J_FLOAT || b.type == J_FLOAT)
            *c = pcs_jnumber(a) < pcs_jnumber(b) ? -1 : pcs_jnumber(a) > pcs_jnumber(b);
        else *c = a.i < b.i ? -1 : a.i > b.i;
        return pcs_jinja_pay(j, 1);
    }
    if (a.type == J_STRING && b.type == J_STRING) { /* UTF-8 sorts as its code points */
        const size_t n = a.len < b.len ? a.len : b.len;
        *c = memcmp(a.s, b.s, n);
        if (!*c) *c = a.len < b.len ? -1 : a.len > b.len;
        return pcs_jinja_scan(j, n);
    }
    return pcs_jinja_fail(j, PRECIS_EFORMAT, "\"%s\" does not compare %s with %s", op, pcs_jtype_name(a),
                          pcs_jtype_name(b));
}

precis_status pcs_jcontains(pcs_jinja *j, pcs_jvalue a, pcs_jvalue b, bool *yes)
{
    precis_status st = PRECIS_OK;
    *yes = false;
    if (b.type == J_STRING && a.type == J_STRING) {
        *yes = !a.len || (a.len <= b.len && memmem(b.s, b.len, a.s, a.len));
        return pcs_jinja_pay(j, b.len);
    }
    if (b.type == J_DICT && !b.space)
        return *yes = a.type == J_STRING && place(j, b.dict, a.s, a.len) < b.dict->n, PRECIS_OK;
    if (b.type == J_UNDEFINED) return PRECIS_OK;
    if (b.type != J_LIST)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "\"in\" looks for %s in %s", pcs_jtype_name(a), pcs_jtype_name(b));
    for (size_t i = 0; i < b.list->n && !*yes && !st; i++) st = pcs_jequal(j, a, b.list->v[i], 0, yes);
    return st;
}

/* ---- operators -------------------------------------------------------------------------------------------- */

static precis_status join2(pcs_jinja *j, pcs_jvalue a, pcs_jvalue b, pcs_jvalue *out)
{
    const precis_status st = pcs_jinja_spend(j, a.len + b.len);
    char *s = st ? NULL : pcs_arena_alloc(&j->arena, a.len + b.len + 1, 1);
    if (!s) return st ? st : PRECIS_ENOMEM;
    memcpy(s, a.s, a.len);
    memcpy(s + a.len, b.s, b.len);
    *out = pcs_jstring(s, a.len + b.len);
    return PRECIS_OK;
}

static precis_status fractions(pcs_jinja *j, const char *op, double x, double y, pcs_jvalue *out)
{
    *out = (pcs_jvalue){ .type = J_FLOAT };
    if (!strcmp(op, "//")) out->f = floor(x / y);
    else if (*op == '%') out->f = x - floor(x / y) * y;
    else if (!strcmp(op, "**")) return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "powers of fractions");
    else out->f = *op == '+' ? x + y : *op == '-' ? x - y : *op == '*' ? x * y : x / y;
    return PRECIS_OK;
}

/* False where it does not fit. */
static bool power(int64_t base, int64_t exponent, int64_t *r)
{
    *r = 1;
    if (base >= -1 && base <= 1) {
        if (exponent) *r = base == -1 && exponent % 2 == 0 ? 1 : base;
        return exponent >= 0;
    }
    bool fits = exponent >= 0 && exponent < 64;
    for (int64_t i = 0; fits && i < exponent; i++) fits = pcs_i64_mul(*r, base, r);
    return fits;
}

static precis_status arithmetic(pcs_jinja *j, const char *op, pcs_jvalue a, pcs_jvalue b, pcs_jvalue *out)
{
    if ((*op == '/' || *op == '%') && pcs_jnumber(b) == 0) return pcs_jinja_fail(j, PRECIS_EFORMAT, "division by zero");
    if (a.type == J_FLOAT || b.type == J_FLOAT || !strcmp(op, "/"))
        return fractions(j, op, pcs_jnumber(a), pcs_jnumber(b), out);
    int64_t r = 0;
    bool fits = true;
    if (*op == '+') fits = pcs_i64_add(a.i, b.i, &r);
    else if (*op == '-') fits = pcs_i64_sub(a.i, b.i, &r);
    else if (!strcmp(op, "**")) fits = power(a.i, b.i, &r);
    else if (*op == '*') fits = pcs_i64_mul(a.i, b.i, &r);
    else if (b.i == -1) fits = pcs_i64_sub(0, *op == '%' ? 0 : a.i, &r);
    else { /* floor, as Python does */
        const int64_t q = a.i / b.i - ((a.i % b.i != 0) && ((a.i < 0) != (b.i < 0)));
        r = *op == '%' ? a.i - q * b.i : q;
    }
    *out = pcs_jint(r);
    return fits ? PRECIS_OK : pcs_jinja_fail(j, PRECIS_EFORMAT, "a number is too large");
}

/* A string or list, n times. */
static precis_status repeat(pcs_jinja *j, pcs_jvalue v, int64_t n, pcs_jvalue *out)
{
    const uint64_t one = v.type == J_STRING ? v.len : v.list->n * sizeof(pcs_jvalue);
    uint64_t all;
    if (n < 0 || !one) n = 0;
    if (!pcs_mul_ok(one, (uint64_t)n, &all) || all > SIZE_MAX / 2) all = SIZE_MAX / 2;
    precis_status st = v.type == J_STRING                     ? pcs_jinja_spend(j, (size_t)all)
                       : all > 4u * PCS_LIMIT_TEMPLATE_OUTPUT ? pcs_jinja_spend(j, (size_t)all)
                                                              : pcs_jlist_new(j, out);
    if (st) return st;
    if (v.type == J_LIST) {
        out->tuple = v.tuple;
        for (int64_t k = 0; k < n && !st; k++)
            for (size_t i = 0; i < v.list->n && !st; i++) st = pcs_jappend(j, out->list, v.list->v[i]);
        return st;
    }
    char *s = pcs_arena_alloc(&j->arena, (size_t)all + 1, 1);
    if (!s) return PRECIS_ENOMEM;
    for (int64_t k = 0; k < n; k++) memcpy(s + (size_t)k * v.len, v.s, v.len);
    *out = pcs_jstring(s, (size_t)all);
    return PRECIS_OK;
}

static bool compared(const char *op, int c) { return *op == '<' ? c < 0 || (op[1] && !c) : c > 0 || (op[1] && !c); }

precis_status pcs_jbinary(pcs_jinja *j, const char *op, pcs_jvalue a, pcs_jvalue b, pcs_jvalue *out)
{
    precis_status st;
    bool yes;
    if (!strcmp(op, "==") || !strcmp(op, "!=")) {
        st = pcs_jequal(j, a, b, 0, &yes);
        *out = pcs_jbool(yes == (*op == '='));
        return st;
    }
    if (!strcmp(op, "in") || !strcmp(op, "not in")) {
        st = pcs_jcontains(j, a, b, &yes);
        *out = pcs_jbool(yes == (*op == 'i'));
        return st;
    }
    if (*op == '~')
        return (st = pcs_jto_string(j, a, &a)) || (st = pcs_jto_string(j, b, &b)) ? st : join2(j, a, b, out);
    if (*op == '<' || *op == '>') {
        int c = 0;
        st = pcs_jorder(j, op, a, b, &c);
        *out = pcs_jbool(compared(op, c));
        return st;
    }
    if (*op == '+' && a.type == J_STRING && b.type == J_STRING) return join2(j, a, b, out);
    if (*op == '+' && a.type == J_LIST && b.type == J_LIST && a.tuple == b.tuple) {
        st = pcs_jlist_new(j, out);
        out->tuple = a.tuple;
        for (size_t i = 0; i < a.list->n && !st; i++) st = pcs_jappend(j, out->list, a.list->v[i]);
        for (size_t i = 0; i < b.list->n && !st; i++) st = pcs_jappend(j, out->list, b.list->v[i]);
        return st;
    }
    if (!strcmp(op, "*") && (a.type == J_STRING || a.type == J_LIST) && (b.type == J_INT || b.type == J_BOOL))
        return repeat(j, a, b.i, out);
    if (!strcmp(op, "*") && (b.type == J_STRING || b.type == J_LIST) && (a.type == J_INT || a.type == J_BOOL))
        return repeat(j, b, a.i, out);
    if (pcs_jnumeric(a) && pcs_jnumeric(b)) return arithmetic(j, op, a, b, out);
    return pcs_jinja_fail(j, *op == '%' && a.type == J_STRING ? PRECIS_EUNSUPPORTED : PRECIS_EFORMAT,
                          "\"%s\" does not take %s and %s", op, pcs_jtype_name(a), pcs_jtype_name(b));
}

/* ---- arguments --------------------------------------------------------------------------------------------- */

precis_status pcs_jbind(pcs_jinja *j, const char *what, const char *params, const pcs_jargs *args, pcs_jvalue *out)
{
    size_t n = 0, len;
    for (const char *p = params; *p; p += len + (p[len] == ' '), n++) {
        len = strcspn(p, " ");
        out[n] = n < args->n && !args->name[n] ? args->v[n] : (pcs_jvalue){ .type = J_ABSENT };
        for (size_t i = 0; i < args->n; i++)
            if (args->name[i] && strlen(args->name[i]) == len && !memcmp(args->name[i], p, len)) out[n] = args->v[i];
    }
    for (size_t i = 0; i < args->n; i++) {
        bool known = !args->name[i] && i < n;
        for (const char *p = params; *p && !known; p += len + (p[len] == ' ')) {
            len = strcspn(p, " ");
            known = args->name[i] && strlen(args->name[i]) == len && !memcmp(args->name[i], p, len);
        }
        if (!known && args->name[i])
            return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "%s takes no argument \"%s\"", what, args->name[i]);
        if (!known) return pcs_jinja_fail(j, PRECIS_EFORMAT, "%s takes %zu arguments, not %zu", what, n, args->n);
    }
    return PRECIS_OK;
}

precis_status pcs_jinja_fail(pcs_jinja *j, precis_status st, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pcs_fail(j->ctx, st, "chat template, line %d: %s", j->line, text);
}
