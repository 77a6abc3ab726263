/* jinja_value.c - values, operators, filters, tests, string methods. */
#include "text/jinja.h"

#include "base/json.h"

#include <stdio.h>
#include <strings.h>

precis_status pcs_jinja_spend(pcs_jinja *j, size_t bytes)
{
    j->used += bytes;
    return j->used > 4u * PCS_LIMIT_TEMPLATE_OUTPUT ? pcs_jinja_fail(j, PRECIS_EFORMAT, "it makes more than %u bytes", 4u * PCS_LIMIT_TEMPLATE_OUTPUT) : PRECIS_OK;
}

pcs_jvalue pcs_jstring(const char *s, size_t len)
{
    pcs_jvalue v = { .type = J_STRING };
    v.s = s;
    v.len = len;
    return v;
}

static pcs_jvalue boolean(bool b) { return (pcs_jvalue){ .type = J_BOOL, .i = b }; }

bool pcs_jtrue(pcs_jvalue v)
{
    switch (v.type) {
    case J_BOOL: case J_INT: return v.i != 0;
    case J_FLOAT: return v.f != 0;
    case J_STRING: return v.len != 0;
    case J_LIST: return v.list->n != 0;
    case J_DICT: return v.space || v.dict->n != 0;
    case J_FUNCTION: return true;
    default: return false;
    }
}

static bool numeric(pcs_jvalue v) { return v.type == J_INT || v.type == J_FLOAT || v.type == J_BOOL; }
static double number(pcs_jvalue v) { return v.type == J_FLOAT ? v.f : (double)v.i; }

bool pcs_jequal(pcs_jvalue a, pcs_jvalue b, int depth)
{
    if (numeric(a) && numeric(b)) return number(a) == number(b);
    if (a.type != b.type || depth > PCS_LIMIT_TEMPLATE_DEPTH) return false;
    if (a.type == J_STRING) return a.len == b.len && !memcmp(a.s, b.s, a.len);
    if (a.type == J_LIST) {
        if (a.list->n != b.list->n) return false;
        for (size_t i = 0; i < a.list->n; i++)
            if (!pcs_jequal(a.list->v[i], b.list->v[i], depth + 1)) return false;
        return true;
    }
    return a.type != J_DICT || a.dict == b.dict;
}

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
        pcs_jvalue *grown = pcs_arena_alloc(&j->arena, cap, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        const precis_status st = pcs_jinja_spend(j, cap * sizeof *grown);
        if (st) return st;
        if (l->n) memcpy(grown, l->v, l->n * sizeof *grown);
        l->v = grown;
        l->cap = cap;
    }
    l->v[l->n++] = v;
    return PRECIS_OK;
}

precis_status pcs_jput(pcs_jinja *j, struct pcs_jdict *d, pcs_jvalue k, pcs_jvalue v)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->k[i].len == k.len && !memcmp(d->k[i].s, k.s, k.len)) {
            d->v[i] = v;
            return PRECIS_OK;
        }
    if (d->n == d->cap) {
        const size_t cap = d->cap ? 2 * d->cap : 4;
        pcs_jvalue *keys = pcs_arena_alloc(&j->arena, cap, sizeof *keys), *values = pcs_arena_alloc(&j->arena, cap, sizeof *values);
        if (!keys || !values) return PRECIS_ENOMEM;
        const precis_status st = pcs_jinja_spend(j, 2 * cap * sizeof *keys);
        if (st) return st;
        if (d->n) memcpy(keys, d->k, d->n * sizeof *keys), memcpy(values, d->v, d->n * sizeof *values);
        d->k = keys;
        d->v = values;
        d->cap = cap;
    }
    d->k[d->n] = k;
    d->v[d->n++] = v;
    return PRECIS_OK;
}

pcs_jvalue pcs_jget(const struct pcs_jdict *d, const char *key, size_t len)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->k[i].len == len && !memcmp(d->k[i].s, key, len)) return d->v[i];
    return (pcs_jvalue){ .type = J_UNDEFINED };
}

static precis_status add(pcs_buf *b, const char *s) { return pcs_buf_add(b, s, strlen(s)); }

/* A string in quotes: as Python's repr when not JSON. */
static precis_status quoted(pcs_buf *b, const char *s, size_t len, bool json)
{
    const char quote = json || (memchr(s, '\'', len) && !memchr(s, '"', len)) ? '"' : '\'';
    precis_status st = pcs_buf_add(b, &quote, 1);
    for (size_t i = 0; i < len && !st; i++) {
        char esc[8] = { '\\', s[i], 0 };
        if (s[i] == '\n') st = add(b, "\\n");
        else if (s[i] == '\t') st = add(b, "\\t");
        else if (s[i] == '\r') st = add(b, "\\r");
        else if (s[i] == '\\' || s[i] == quote) st = add(b, esc);
        else if ((unsigned char)s[i] < 32) snprintf(esc, sizeof esc, json ? "\\u%04x" : "\\x%02x", (unsigned char)s[i]), st = add(b, esc);
        else st = pcs_buf_add(b, &s[i], 1);
    }
    return st ? st : pcs_buf_add(b, &quote, 1);
}

static precis_status nested(pcs_jinja *j, pcs_jvalue v, pcs_buf *b, bool json, int depth)
{
    return v.type == J_STRING ? quoted(b, v.s, v.len, json) : pcs_jtext(j, v, b, json, depth + 1);
}

precis_status pcs_jtext(pcs_jinja *j, pcs_jvalue v, pcs_buf *b, bool json, int depth)
{
    char text[64];
    precis_status st = PRECIS_OK;
    if (depth > PCS_LIMIT_TEMPLATE_DEPTH || ++j->steps > PCS_LIMIT_TEMPLATE_STEPS) return pcs_jinja_fail(j, PRECIS_EFORMAT, "nested too deeply");
    switch (v.type) {
    case J_UNDEFINED: return PRECIS_OK;
    case J_NONE: return add(b, json ? "null" : "None");
    case J_BOOL: return add(b, json ? (v.i ? "true" : "false") : v.i ? "True" : "False");
    case J_INT: snprintf(text, sizeof text, "%lld", (long long)v.i); return add(b, text);
    case J_FLOAT:
        snprintf(text, sizeof text, "%.17g", v.f);
        for (int p = 1; p < 17; p++) { /* the shortest that reads back */
            char tried[64];
            double back = 0;
            snprintf(tried, sizeof tried, "%.*g", p, v.f);
            if (sscanf(tried, "%lf", &back) == 1 && back == v.f) {
                memcpy(text, tried, sizeof text);
                break;
            }
        }
        if (!strpbrk(text, ".en")) strcat(text, ".0");
        return add(b, text);
    case J_STRING: return pcs_buf_add(b, v.s, v.len);
    case J_LIST:
        st = add(b, "[");
        for (size_t i = 0; i < v.list->n && !st; i++) st = (i && (st = add(b, ", "))) ? st : nested(j, v.list->v[i], b, json, depth);
        return st ? st : add(b, "]");
    case J_DICT:
        st = add(b, "{");
        for (size_t i = 0; i < v.dict->n && !st; i++) {
            if (i) st = add(b, ", ");
            if (!st) st = quoted(b, v.dict->k[i].s, v.dict->k[i].len, json);
            if (!st) st = add(b, ": ");
            if (!st) st = nested(j, v.dict->v[i], b, json, depth);
        }
        return st ? st : add(b, "}");
    case J_FUNCTION: return add(b, "<function>");
    }
    return PRECIS_OK;
}

static precis_status to_string(pcs_jinja *j, pcs_jvalue v, bool json, pcs_jvalue *out)
{
    pcs_buf b;
    pcs_buf_init(&b, j->ctx, PCS_LIMIT_TEMPLATE_OUTPUT);
    precis_status st = json && v.type == J_STRING ? quoted(&b, v.s, v.len, true) : pcs_jtext(j, v, &b, json, 0);
    if (!st) st = pcs_jinja_spend(j, b.len);
    const char *copy = st ? NULL : pcs_arena_copy(&j->arena, b.data ? b.data : "", b.len);
    if (!st && !copy) st = PRECIS_ENOMEM;
    if (!st) *out = pcs_jstring(copy, b.len);
    pcs_buf_free(&b);
    return st;
}

precis_status pcs_jto_string(pcs_jinja *j, pcs_jvalue v, pcs_jvalue *out)
{
    *out = v;
    return v.type == J_STRING ? PRECIS_OK : to_string(j, v, false, out);
}

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

/* Place of b in a from `at`, or SIZE_MAX. */
static size_t find(pcs_jvalue a, pcs_jvalue b, size_t at)
{
    if (b.len > a.len || at > a.len - b.len) return SIZE_MAX;
    const char *p = b.len ? memmem(a.s + at, a.len - at, b.s, b.len) : a.s + at;
    return p ? (size_t)(p - a.s) : SIZE_MAX;
}

static precis_status contains(pcs_jinja *j, pcs_jvalue a, pcs_jvalue b, bool *yes)
{
    *yes = false;
    if (b.type == J_STRING && a.type == J_STRING) *yes = find(b, a, 0) != SIZE_MAX;
    else if (b.type == J_DICT && a.type == J_STRING) *yes = pcs_jget(b.dict, a.s, a.len).type != J_UNDEFINED;
    else if (b.type == J_LIST)
        for (size_t i = 0; i < b.list->n; i++) *yes |= pcs_jequal(a, b.list->v[i], 0);
    else if (b.type != J_UNDEFINED && b.type != J_DICT) return pcs_jinja_fail(j, PRECIS_EFORMAT, "\"in\" needs a string, list or mapping");
    return PRECIS_OK;
}

static precis_status arithmetic(pcs_jinja *j, const char *op, pcs_jvalue a, pcs_jvalue b, pcs_jvalue *out)
{
    const bool whole = a.type != J_FLOAT && b.type != J_FLOAT && strcmp(op, "/");
    const double x = number(a), y = number(b);
    if ((*op == '/' || *op == '%') && y == 0) return pcs_jinja_fail(j, PRECIS_EFORMAT, "division by zero");
    if (!whole) {
        *out = (pcs_jvalue){ .type = J_FLOAT };
        out->f = *op == '+' ? x + y : *op == '-' ? x - y : *op == '*' ? x * y : x / y;
        if (*op == '%' || !strcmp(op, "//")) return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "%s of fractions", op);
        return PRECIS_OK;
    }
    int64_t r = 0;
    bool over = false;
    if (*op == '+') over = __builtin_add_overflow(a.i, b.i, &r);
    else if (*op == '-') over = __builtin_sub_overflow(a.i, b.i, &r);
    else if (*op == '*') over = __builtin_mul_overflow(a.i, b.i, &r);
    else if (b.i == -1) over = __builtin_sub_overflow(0, *op == '%' ? 0 : a.i, &r);
    else { /* floor, as Python does */
        const int64_t q = a.i / b.i - ((a.i % b.i != 0) && ((a.i < 0) != (b.i < 0)));
        r = *op == '%' ? a.i - q * b.i : q;
    }
    *out = (pcs_jvalue){ .type = J_INT, .i = r };
    return over ? pcs_jinja_fail(j, PRECIS_EFORMAT, "a number is too large") : PRECIS_OK;
}

precis_status pcs_jbinary(pcs_jinja *j, const char *op, pcs_jvalue a, pcs_jvalue b, pcs_jvalue *out)
{
    precis_status st;
    if (!strcmp(op, "==") || !strcmp(op, "!=")) return *out = boolean(pcs_jequal(a, b, 0) == (*op == '=')), PRECIS_OK;
    if (!strcmp(op, "in")) {
        bool yes;
        st = contains(j, a, b, &yes);
        *out = boolean(yes);
        return st;
    }
    if (*op == '~') return (st = pcs_jto_string(j, a, &a)) || (st = pcs_jto_string(j, b, &b)) ? st : join2(j, a, b, out);
    if (*op == '<' || *op == '>') {
        int c = 0;
        if (numeric(a) && numeric(b)) c = number(a) < number(b) ? -1 : number(a) > number(b);
        else if (a.type == J_STRING && b.type == J_STRING) {
            c = memcmp(a.s, b.s, a.len < b.len ? a.len : b.len);
            if (!c) c = a.len < b.len ? -1 : a.len > b.len;
        } else return pcs_jinja_fail(j, PRECIS_EFORMAT, "\"%s\" compares numbers or strings", op);
        *out = boolean(*op == '<' ? c < 0 || (op[1] && !c) : c > 0 || (op[1] && !c));
        return PRECIS_OK;
    }
    if (*op == '+' && a.type == J_STRING && b.type == J_STRING) return join2(j, a, b, out);
    if (*op == '+' && a.type == J_LIST && b.type == J_LIST) {
        st = pcs_jlist_new(j, out);
        for (size_t i = 0; i < a.list->n && !st; i++) st = pcs_jappend(j, out->list, a.list->v[i]);
        for (size_t i = 0; i < b.list->n && !st; i++) st = pcs_jappend(j, out->list, b.list->v[i]);
        return st;
    }
    if (*op == '*' && a.type == J_STRING && b.type == J_INT) {
        *out = pcs_jstring("", 0);
        st = PRECIS_OK;
        for (int64_t i = 0; i < b.i && !st && a.len; i++) st = join2(j, *out, a, out);
        return st;
    }
    if (numeric(a) && numeric(b)) return arithmetic(j, op, a, b, out);
    return pcs_jinja_fail(j, PRECIS_EFORMAT, "\"%s\" does not take these values%s", op, a.type == J_UNDEFINED || b.type == J_UNDEFINED ? " (one is undefined)" : "");
}

static bool blank(char c, pcs_jvalue set) { return set.type == J_STRING ? set.len && memchr(set.s, c, set.len) : c == ' ' || (c >= 9 && c <= 13); }

static pcs_jvalue strip(pcs_jvalue v, bool left, bool right, pcs_jvalue set)
{
    while (left && v.len && blank(v.s[0], set)) v.s++, v.len--;
    while (right && v.len && blank(v.s[v.len - 1], set)) v.len--;
    return v;
}

static precis_status cased(pcs_jinja *j, pcs_jvalue v, char how, pcs_jvalue *out)
{
    const precis_status st = pcs_jinja_spend(j, v.len);
    char *s = st ? NULL : pcs_arena_copy(&j->arena, v.s, v.len);
    if (!s) return st ? st : PRECIS_ENOMEM;
    bool begin = true;
    for (size_t i = 0; i < v.len; i++) {
        const bool lower = s[i] >= 'a' && s[i] <= 'z', upper = s[i] >= 'A' && s[i] <= 'Z';
        const bool up = how == 'u' || ((how == 't' || how == 'c') && begin);
        if (up && lower) s[i] = (char)(s[i] - 32);
        if (!up && upper) s[i] = (char)(s[i] + 32);
        begin = how == 't' ? !lower && !upper : false;
    }
    *out = pcs_jstring(s, v.len);
    return PRECIS_OK;
}

static precis_status replace(pcs_jinja *j, pcs_jvalue v, pcs_jvalue from, pcs_jvalue to, pcs_jvalue *out)
{
    if (from.type != J_STRING || to.type != J_STRING || !from.len) return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "replace takes two strings, the first not empty");
    pcs_buf b;
    pcs_buf_init(&b, j->ctx, PCS_LIMIT_TEMPLATE_OUTPUT);
    precis_status st = PRECIS_OK;
    size_t at = 0;
    for (size_t k; !st && (k = find(v, from, at)) != SIZE_MAX; at = k + from.len) {
        st = pcs_buf_add(&b, v.s + at, k - at);
        if (!st) st = pcs_buf_add(&b, to.s, to.len);
    }
    if (!st) st = pcs_buf_add(&b, v.s + at, v.len - at);
    if (!st) st = pcs_jinja_spend(j, b.len);
    const char *copy = st ? NULL : pcs_arena_copy(&j->arena, b.data ? b.data : "", b.len);
    if (!st && !copy) st = PRECIS_ENOMEM;
    if (!st) *out = pcs_jstring(copy, b.len);
    pcs_buf_free(&b);
    return st;
}

static precis_status join(pcs_jinja *j, pcs_jvalue list, pcs_jvalue gap, pcs_jvalue *out)
{
    *out = pcs_jstring("", 0);
    precis_status st = list.type == J_LIST ? PRECIS_OK : pcs_jinja_fail(j, PRECIS_EFORMAT, "join takes a list");
    for (size_t i = 0; !st && i < list.list->n; i++) {
        pcs_jvalue s;
        if (i && gap.type == J_STRING) st = join2(j, *out, gap, out);
        if (!st) st = pcs_jto_string(j, list.list->v[i], &s);
        if (!st) st = join2(j, *out, s, out);
    }
    return st;
}

static precis_status split(pcs_jinja *j, pcs_jvalue v, pcs_jvalue gap, pcs_jvalue *out)
{
    precis_status st = pcs_jlist_new(j, out);
    if (gap.type == J_STRING && !gap.len) return pcs_jinja_fail(j, PRECIS_EFORMAT, "split by an empty string");
    size_t at = 0;
    if (gap.type == J_STRING) {
        for (size_t k; !st && (k = find(v, gap, at)) != SIZE_MAX; at = k + gap.len) st = pcs_jappend(j, out->list, pcs_jstring(v.s + at, k - at));
        return st ? st : pcs_jappend(j, out->list, pcs_jstring(v.s + at, v.len - at));
    }
    while (!st && at < v.len) {
        while (at < v.len && blank(v.s[at], gap)) at++;
        size_t e = at;
        while (e < v.len && !blank(v.s[e], gap)) e++;
        if (e > at) st = pcs_jappend(j, out->list, pcs_jstring(v.s + at, e - at));
        at = e;
    }
    return st;
}

static precis_status items(pcs_jinja *j, pcs_jvalue v, pcs_jvalue *out)
{
    precis_status st = v.type == J_DICT ? pcs_jlist_new(j, out) : pcs_jinja_fail(j, PRECIS_EFORMAT, "items of something that is no mapping");
    for (size_t i = 0; !st && i < v.dict->n; i++) {
        pcs_jvalue pair;
        st = pcs_jlist_new(j, &pair);
        if (!st) st = pcs_jappend(j, pair.list, v.dict->k[i]);
        if (!st) st = pcs_jappend(j, pair.list, v.dict->v[i]);
        if (!st) st = pcs_jappend(j, out->list, pair);
    }
    return st;
}

static size_t characters(pcs_jvalue v)
{
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++) n += ((unsigned char)v.s[i] & 0xc0) != 0x80;
    return n;
}

/* selectattr and rejectattr (attribute: name, test and its argument), map(attribute=...) by position is not among them. */
static precis_status select_by(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *args, size_t n, bool keep, pcs_jvalue *out)
{
    precis_status st = pcs_jlist_new(j, out);
    if (st || v.type != J_LIST) return st;
    if (!n || args[0].type != J_STRING || (n > 1 && args[1].type != J_STRING)) return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "selectattr takes the name of an attribute and of a test");
    char test[32] = { 0 };
    if (n > 1) memcpy(test, args[1].s, args[1].len < 31 ? args[1].len : 31);
    for (size_t i = 0; i < v.list->n && !st; i++) {
        pcs_jvalue x = { .type = J_UNDEFINED };
        bool ok;
        if (v.list->v[i].type == J_DICT) x = pcs_jget(v.list->v[i].dict, args[0].s, args[0].len);
        if (n < 2) ok = pcs_jtrue(x);
        else if (!strcmp(test, "equalto") || !strcmp(test, "==") || !strcmp(test, "eq")) ok = n > 2 && pcs_jequal(x, args[2], 0);
        else if (!strcmp(test, "ne") || !strcmp(test, "!=")) ok = n > 2 && !pcs_jequal(x, args[2], 0);
        else st = pcs_jtest(j, test, x, args + 2, n - 2, &ok);
        if (!st && ok == keep) st = pcs_jappend(j, out->list, v.list->v[i]);
    }
    return st;
}

precis_status pcs_jfilter(pcs_jinja *j, const char *name, pcs_jvalue v, const pcs_jvalue *args, size_t n, pcs_jvalue *out)
{
    const pcs_jvalue none = { .type = J_NONE }, first = n ? args[0] : none;
    precis_status st;
    if (!strcmp(name, "default") || !strcmp(name, "d")) return *out = v.type == J_UNDEFINED || (n > 1 && pcs_jtrue(args[1]) && !pcs_jtrue(v)) ? (n ? first : pcs_jstring("", 0)) : v, PRECIS_OK;
    if (!strcmp(name, "tojson")) return to_string(j, v, true, out);
    if (!strcmp(name, "string")) return pcs_jto_string(j, v, out);
    if (!strcmp(name, "safe") || (!strcmp(name, "list") && v.type == J_LIST)) return *out = v, PRECIS_OK;
    if (!strcmp(name, "join")) return join(j, v, first, out);
    if (!strcmp(name, "items")) return items(j, v, out);
    if (!strcmp(name, "selectattr") || !strcmp(name, "rejectattr")) return select_by(j, v, args, n, *name == 's', out);
    if (!strcmp(name, "length") || !strcmp(name, "count")) {
        *out = (pcs_jvalue){ .type = J_INT };
        out->i = v.type == J_STRING ? (int64_t)characters(v) : v.type == J_LIST ? (int64_t)v.list->n : v.type == J_DICT ? (int64_t)v.dict->n : 0;
        return PRECIS_OK;
    }
    if (!strcmp(name, "first") || !strcmp(name, "last")) {
        *out = (pcs_jvalue){ .type = J_UNDEFINED };
        if (v.type == J_LIST && v.list->n) *out = v.list->v[*name == 'f' ? 0 : v.list->n - 1];
        return PRECIS_OK;
    }
    if (!strcmp(name, "int")) {
        *out = (pcs_jvalue){ .type = J_INT, .i = v.type == J_FLOAT ? (v.f > -9e18 && v.f < 9e18 ? (int64_t)v.f : 0) : numeric(v) ? v.i : 0 };
        return PRECIS_OK;
    }
    if ((st = pcs_jto_string(j, v, &v))) return st;
    if (!strcmp(name, "trim")) return *out = strip(v, true, true, first), PRECIS_OK;
    if (!strcmp(name, "upper") || !strcmp(name, "lower") || !strcmp(name, "title") || !strcmp(name, "capitalize")) return cased(j, v, *name, out);
    if (!strcmp(name, "replace") && n >= 2) return replace(j, v, args[0], args[1], out);
    return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "the filter \"%s\" is not known", name);
}

precis_status pcs_jmethod(pcs_jinja *j, pcs_jvalue self, const char *name, const pcs_jvalue *args, size_t n, pcs_jvalue *out)
{
    const pcs_jvalue none = { .type = J_NONE }, first = n ? args[0] : none;
    if (self.type == J_DICT) {
        if (!strcmp(name, "items")) return items(j, self, out);
        if (!strcmp(name, "get") && first.type == J_STRING) {
            *out = pcs_jget(self.dict, first.s, first.len);
            if (out->type == J_UNDEFINED) *out = n > 1 ? args[1] : none;
            return PRECIS_OK;
        }
    }
    if (self.type == J_LIST && !strcmp(name, "append") && n == 1) {
        *out = none;
        return pcs_jappend(j, self.list, first);
    }
    if (self.type == J_STRING) {
        if (!strcmp(name, "strip") || !strcmp(name, "lstrip") || !strcmp(name, "rstrip")) return *out = strip(self, *name != 'r', *name != 'l', first), PRECIS_OK;
        if (!strcmp(name, "split")) return split(j, self, first, out);
        if (!strcmp(name, "upper") || !strcmp(name, "lower") || !strcmp(name, "title") || !strcmp(name, "capitalize")) return cased(j, self, *name, out);
        if (!strcmp(name, "replace") && n >= 2) return replace(j, self, args[0], args[1], out);
        if (!strcmp(name, "join")) return join(j, first, self, out);
        if (first.type == J_STRING && (!strcmp(name, "startswith") || !strcmp(name, "endswith"))) {
            const bool fits = first.len <= self.len;
            *out = boolean(fits && !memcmp(*name == 's' ? self.s : self.s + self.len - first.len, first.s, first.len));
            return PRECIS_OK;
        }
        if (first.type == J_STRING && !strcmp(name, "find")) {
            const size_t at = find(self, first, 0);
            *out = (pcs_jvalue){ .type = J_INT, .i = at == SIZE_MAX ? -1 : (int64_t)at };
            return PRECIS_OK;
        }
    }
    return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "the method \"%s\" is not known for this value", name);
}

precis_status pcs_jtest(pcs_jinja *j, const char *name, pcs_jvalue v, const pcs_jvalue *args, size_t n, bool *out)
{
    static const struct { const char *name; unsigned types; } table[] = {
        { "undefined", 1u << J_UNDEFINED }, { "none", 1u << J_NONE }, { "string", 1u << J_STRING }, { "mapping", 1u << J_DICT },
        { "iterable", 1u << J_LIST | 1u << J_DICT | 1u << J_STRING }, { "sequence", 1u << J_LIST | 1u << J_DICT | 1u << J_STRING },
        { "number", 1u << J_INT | 1u << J_FLOAT | 1u << J_BOOL }, { "integer", 1u << J_INT }, { "float", 1u << J_FLOAT }, { "boolean", 1u << J_BOOL },
        { "callable", 1u << J_FUNCTION },
    };
    *out = v.type != J_UNDEFINED;
    if (!strcmp(name, "defined")) return PRECIS_OK;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name)) return *out = (table[i].types >> v.type & 1) != 0, PRECIS_OK;
    if (!strcmp(name, "true") || !strcmp(name, "false")) return *out = v.type == J_BOOL && v.i == (*name == 't'), PRECIS_OK;
    if ((!strcmp(name, "odd") || !strcmp(name, "even")) && v.type == J_INT) return *out = (v.i & 1) == (*name == 'o'), PRECIS_OK;
    if ((!strcmp(name, "equalto") || !strcmp(name, "eq") || !strcmp(name, "sameas")) && n) return *out = pcs_jequal(v, args[0], 0), PRECIS_OK;
    if (!strcmp(name, "in") && n) return contains(j, v, args[0], out);
    return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "the test \"%s\" is not known", name);
}
