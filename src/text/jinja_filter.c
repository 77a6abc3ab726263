/* jinja_filter.c - Jinja's filters. Their parameters are bound by name or place; one that is not listed is refused. */
#include "text/jinja.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef precis_status filter(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out);

static bool given(pcs_jvalue v) { return v.type != J_ABSENT; }
static bool set(pcs_jvalue v) { return given(v) && pcs_jtrue(v); }

/* ---- of any value ------------------------------------------------------------------------------------------------ */

static precis_status usual(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    (void)j;
    *out = v.type != J_UNDEFINED && !(set(a[1]) && !pcs_jtrue(v)) ? v : given(a[0]) ? a[0] : pcs_jstring("", 0);
    return PRECIS_OK;
}

static precis_status tojson(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    return pcs_jtojson(j, v, a, out);
}
static precis_status string(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, pcs_jto_string(j, v, out);
}

static precis_status length(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    (void)a;
    if (v.type != J_STRING && v.type != J_LIST && v.type != J_DICT && v.type != J_UNDEFINED)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "%s has no length", pcs_jtype_name(v));
    *out = pcs_jint(v.type == J_STRING ? pcs_jcharacters(v)
                    : v.type == J_LIST ? (int64_t)v.list->n
                    : v.type == J_DICT ? (int64_t)v.dict->n
                                       : 0);
    return v.type == J_STRING ? pcs_jinja_pay(j, v.len) : PRECIS_OK;
}

/* Python's float(), of what is left of a string. */
static bool reads(pcs_jvalue v, double *f)
{
    char text[64], *end;
    *f = pcs_jnumeric(v) ? pcs_jnumber(v) : 0;
    if (v.type != J_STRING) return pcs_jnumeric(v);
    v = pcs_jstrip_blanks(v, true, true);
    if (!v.len || v.len >= sizeof text || memchr(v.s, 'x', v.len) || memchr(v.s, 'X', v.len)) return false;
    memcpy(text, v.s, v.len);
    text[v.len] = 0;
    *f = strtod(text, &end);
    return !*end;
}

static precis_status whole(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    double f;
    if (given(a[1])) return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "int with a base");
    const bool ok = reads(v, &f) && f > -9e18 && f < 9e18;
    *out = v.type == J_INT || v.type == J_BOOL ? pcs_jint(v.i)
           : ok                                ? pcs_jint((int64_t)f)
           : given(a[0])                       ? a[0]
                                               : pcs_jint(0);
    if (ok && v.type == J_STRING && fabs(f) > 9e15) { /* more digits than a fraction holds */
        v = pcs_jstrip_blanks(v, true, true);
        char text[64] = { 0 }, *end;
        memcpy(text, v.s, v.len);
        const long long i = strtoll(text, &end, 10);
        if (!*end) *out = pcs_jint(i);
    }
    return PRECIS_OK;
}

static precis_status real(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    double f;
    (void)j;
    *out = (pcs_jvalue){ .type = J_FLOAT };
    if (reads(v, &f)) out->f = f;
    else if (given(a[0])) *out = a[0];
    return PRECIS_OK;
}

static precis_status absolute(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    (void)a;
    if (!pcs_jnumeric(v)) return pcs_jinja_fail(j, PRECIS_EFORMAT, "abs of %s", pcs_jtype_name(v));
    *out = v;
    if (v.type == J_FLOAT) out->f = fabs(v.f);
    else *out = pcs_jint(v.i < 0 ? -v.i : v.i);
    return PRECIS_OK;
}

/* To the nearest, halves to even, as Python does. */
static precis_status rounded(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    const int64_t digits = a[0].type == J_INT ? a[0].i : 0;
    char text[400];
    if (!pcs_jnumeric(v) || digits < 0 || digits > 15)
        return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "round of %s to %lld digits", pcs_jtype_name(v),
                              (long long)digits);
    if (given(a[1]) && (a[1].type != J_STRING || a[1].len != 6 || memcmp(a[1].s, "common", 6)))
        return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "round by another method than common");
    *out = (pcs_jvalue){ .type = v.type == J_FLOAT ? J_FLOAT : J_INT };
    if (v.type != J_FLOAT) return *out = pcs_jint(v.i), PRECIS_OK;
    snprintf(text, sizeof text, "%.*f", (int)digits, v.f);
    out->f = strtod(text, NULL);
    return PRECIS_OK;
}

/* ---- of strings -------------------------------------------------------------------------------------------------- */

static precis_status cased(pcs_jinja *j, pcs_jvalue v, pcs_jcase how, pcs_jvalue *out)
{
    const precis_status st = pcs_jto_string(j, v, &v);
    return st ? st : pcs_jcased(j, v, how, out);
}

static precis_status upper(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, cased(j, v, J_UPPER, out);
}
static precis_status lower(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, cased(j, v, J_LOWER, out);
}
static precis_status title(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, cased(j, v, J_HEADLINE, out);
}
static precis_status capitalize(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, cased(j, v, J_CAPITAL, out);
}

static precis_status trim(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    const precis_status st = pcs_jto_string(j, v, &v);
    return st ? st : pcs_jstrip(j, v, true, true, a[0], out);
}

static precis_status replace(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    const precis_status st = pcs_jto_string(j, v, &v);
    return st ? st : pcs_jreplace(j, v, a[0], a[1], a[2], out);
}

static precis_status escape(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    static const char
        *const texts[128] = { ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&#34;", ['\''] = "&#39;" };
    pcs_buf b;
    precis_status st = pcs_jto_string(j, v, &v);
    (void)a;
    if (!st) st = pcs_jinja_pay(j, v.len);
    pcs_buf_init(&b, j->ctx, PCS_LIMIT_TEMPLATE_OUTPUT);
    for (size_t i = 0; i < v.len && !st; i++) {
        const char *text = (unsigned char)v.s[i] < 128 ? texts[(unsigned char)v.s[i]] : NULL;
        st = text ? pcs_buf_add(&b, text, strlen(text)) : pcs_buf_add(&b, v.s + i, 1);
    }
    return pcs_jstring_of(j, &b, st, out);
}

/* Puts blanks or a text before each line but the first and the empty ones. */
static precis_status indent(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    const bool first = set(a[1]), blank = set(a[2]);
    pcs_jvalue by = a[0].type == J_STRING ? a[0] : pcs_jstring(" ", 1);
    const int64_t times = a[0].type == J_STRING ? 1 : a[0].type == J_INT ? a[0].i : 4;
    precis_status st = pcs_jto_string(j, v, &v);
    if (!st) st = pcs_jbinary(j, "*", by, pcs_jint(times), &by);
    pcs_buf b;
    pcs_buf_init(&b, j->ctx, PCS_LIMIT_TEMPLATE_OUTPUT);
    if (!st && first) st = pcs_buf_add(&b, by.s, by.len);
    for (size_t at = 0, e, line = 0; at <= v.len && !st; at = e + 1, line++) {
        for (e = at; e < v.len && v.s[e] != '\n';) e++;
        st = pcs_jinja_pay(j, 8 + e - at + by.len / 4);
        if (!st && line) st = pcs_buf_add(&b, "\n", 1);
        if (!st && line && (blank || e > at)) st = pcs_buf_add(&b, by.s, by.len);
        if (!st) st = pcs_buf_add(&b, v.s + at, e - at - (e > at && e < v.len && v.s[e - 1] == '\r'));
    }
    return pcs_jstring_of(j, &b, st, out);
}

static precis_status wordcount(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    bool known;
    const pcs_jargs none = { .n = 0 };
    pcs_jvalue list = { .type = J_ABSENT };
    (void)a;
    precis_status st = pcs_jto_string(j, v, &v);
    if (!st) st = pcs_jmethod(j, v, "split", &none, &known, &list);
    if (!st) *out = pcs_jint((int64_t)list.list->n);
    return st;
}

/* ---- of lists ---------------------------------------------------------------------------------------------------- */

/* "a.b.0" of a value, as Jinja's attribute arguments say it; J_ABSENT: the value. */
static precis_status attribute_at(pcs_jinja *j, pcs_jvalue v, pcs_jvalue path, pcs_jvalue *out)
{
    precis_status st = PRECIS_OK;
    *out = v;
    if (path.type == J_INT) return pcs_jindex(j, v, path, out);
    if (path.type == J_ABSENT || path.type == J_NONE) return PRECIS_OK;
    if (path.type != J_STRING)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "an attribute is named by a string, not %s", pcs_jtype_name(path));
    for (size_t at = 0, e; at <= path.len && !st; at = e + 1) {
        bool digits = true;
        for (e = at; e < path.len && path.s[e] != '.'; e++) digits &= path.s[e] >= '0' && path.s[e] <= '9';
        const bool number = digits && e > at && e - at < 10;
        st = pcs_jinja_pay(j, 8 + e - at);
        if (!st)
            st = pcs_jindex(j, *out,
                            number ? pcs_jint(strtoll(path.s + at, NULL, 10)) : pcs_jstring(path.s + at, e - at), out);
    }
    return st;
}

static precis_status list(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    (void)a;
    const precis_status st = pcs_jitems(j, v, out);
    if (!st) out->tuple = false;
    return st;
}

static precis_status items(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    (void)a;
    return v.type == J_UNDEFINED ? pcs_jlist_new(j, out) : pcs_jpairs(j, v, out);
}

static precis_status end_of(pcs_jinja *j, pcs_jvalue v, bool last, pcs_jvalue *out)
{
    pcs_jvalue all;
    const precis_status st = pcs_jitems(j, v, &all);
    *out = (pcs_jvalue){ .type = J_UNDEFINED };
    if (!st && all.list->n) *out = all.list->v[last ? all.list->n - 1 : 0];
    return st;
}

static precis_status first(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, end_of(j, v, false, out);
}
static precis_status last(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, end_of(j, v, true, out);
}

static precis_status join(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    pcs_jvalue all, gap = { .type = J_NONE };
    precis_status st = given(a[0]) ? pcs_jto_string(j, a[0], &gap) : PRECIS_OK;
    if (!st && given(a[1])) {
        st = pcs_jitems(j, v, &all);
        if (!st) st = pcs_jlist_new(j, &v);
        for (size_t i = 0; !st && i < all.list->n; i++) {
            pcs_jvalue x;
            st = attribute_at(j, all.list->v[i], a[1], &x);
            if (!st) st = pcs_jappend(j, v.list, x);
        }
    }
    return st ? st : pcs_jjoin(j, v, gap, out);
}

static precis_status reversed(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    pcs_jvalue all;
    (void)a;
    precis_status st = pcs_jitems(j, v, &all);
    if (!st) st = pcs_jlist_new(j, out);
    for (size_t i = st ? 0 : all.list->n; i-- > 0 && !st;) st = pcs_jappend(j, out->list, all.list->v[i]);
    return !st && v.type == J_STRING ? pcs_jjoin(j, *out, pcs_jstring("", 0), out) : st;
}

/* What is compared: the attribute, and strings without their case unless asked. */
static precis_status key_of(pcs_jinja *j, pcs_jvalue v, pcs_jvalue path, bool sensitive, pcs_jvalue *out)
{
    const precis_status st = attribute_at(j, v, path, out);
    return !st && !sensitive && out->type == J_STRING ? pcs_jcased(j, *out, J_LOWER, out) : st;
}

typedef struct { pcs_jvalue key, v; } keyed;

/* Merge sort: equal ones keep their order, also when reversed. */
static precis_status sort_keyed(pcs_jinja *j, keyed *x, keyed *tmp, size_t n, bool reverse)
{
    precis_status st = PRECIS_OK;
    for (size_t width = 1; width < n && !st; width *= 2) {
        for (size_t from = 0; from < n && !st; from += 2 * width) {
            const size_t mid = from + width < n ? from + width : n, end = from + 2 * width < n ? from + 2 * width : n;
            for (size_t a = from, b = mid, at = from; at < end && !st; at++) {
                int c = b == end ? -1 : a == mid ? 1 : 0;
                if (!c) {
                    st = pcs_jorder(j, "sort", x[a].key, x[b].key, &c);
                    if (reverse) c = -c;
                    if (!st) st = pcs_jinja_pay(j, 8);
                }
                tmp[at] = c > 0 ? x[b++] : x[a++];
            }
        }
        if (!st) memcpy(x, tmp, n * sizeof *x);
    }
    return st;
}

static precis_status sort_list(pcs_jinja *j, pcs_jvalue all, pcs_jvalue path, bool sensitive, bool reverse,
                               pcs_jvalue *out)
{
    const size_t n = all.list->n;
    precis_status st = pcs_jlist_new(j, out);
    if (!st) st = pcs_jinja_spend(j, 2 * n * sizeof(keyed));
    keyed *x = st ? NULL : pcs_arena_alloc(&j->arena, n + 1, sizeof *x),
          *tmp = st ? NULL : pcs_arena_alloc(&j->arena, n + 1, sizeof *tmp);
    if (!x || !tmp) return st ? st : PRECIS_ENOMEM;
    for (size_t i = 0; i < n && !st; i++) x[i].v = all.list->v[i], st = key_of(j, x[i].v, path, sensitive, &x[i].key);
    if (!st) st = sort_keyed(j, x, tmp, n, reverse);
    for (size_t i = 0; i < n && !st; i++) st = pcs_jappend(j, out->list, x[i].v);
    return st;
}

static precis_status sort(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    pcs_jvalue all;
    const precis_status st = pcs_jitems(j, v, &all);
    return st ? st : sort_list(j, all, a[2], set(a[1]), set(a[0]), out);
}

static precis_status dictsort(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    pcs_jvalue all;
    const precis_status st = pcs_jpairs(j, v, &all);
    const bool value = a[1].type == J_STRING && a[1].len == 5 && !memcmp(a[1].s, "value", 5);
    return st ? st : sort_list(j, all, pcs_jint(value), set(a[0]), set(a[2]), out);
}

static precis_status unique(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    pcs_jvalue all, keys, key;
    precis_status st = pcs_jitems(j, v, &all);
    if (!st) st = pcs_jlist_new(j, &keys);
    if (!st) st = pcs_jlist_new(j, out);
    for (size_t i = 0; !st && i < all.list->n; i++) {
        bool had = false;
        st = key_of(j, all.list->v[i], a[1], set(a[0]), &key);
        if (!st) st = pcs_jcontains(j, key, keys, &had);
        if (!st && !had) st = pcs_jappend(j, keys.list, key);
        if (!st && !had) st = pcs_jappend(j, out->list, all.list->v[i]);
    }
    return st;
}

static precis_status extreme(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, int sign, pcs_jvalue *out)
{
    pcs_jvalue all, key, best = { .type = J_ABSENT };
    precis_status st = pcs_jitems(j, v, &all);
    *out = (pcs_jvalue){ .type = J_UNDEFINED };
    for (size_t i = 0; !st && i < all.list->n; i++) {
        int c = sign;
        st = key_of(j, all.list->v[i], a[1], set(a[0]), &key);
        if (!st && i) st = pcs_jorder(j, sign > 0 ? "max" : "min", key, best, &c);
        if (!st && c * sign > 0) best = key, *out = all.list->v[i];
    }
    return st;
}

static precis_status largest(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    return extreme(j, v, a, 1, out);
}
static precis_status smallest(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    return extreme(j, v, a, -1, out);
}

static precis_status sum(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    pcs_jvalue all, x;
    precis_status st = pcs_jitems(j, v, &all);
    *out = given(a[1]) ? a[1] : pcs_jint(0);
    for (size_t i = 0; !st && i < all.list->n; i++) {
        st = attribute_at(j, all.list->v[i], a[0], &x);
        if (!st) st = pcs_jbinary(j, "+", *out, x, out);
    }
    return st;
}

static precis_status attr(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *a, pcs_jvalue *out)
{
    if (v.type == J_DICT && !v.space)
        return *out = (pcs_jvalue){ .type = J_UNDEFINED }, PRECIS_OK; /* attributes, not items */
    return a[0].type == J_STRING ? pcs_jindex(j, v, a[0], out) : pcs_jinja_fail(j, PRECIS_EFORMAT, "attr takes a name");
}

static const struct { const char *name, *params; filter *run;
} filters[] = {
    { "default", "default_value boolean", usual },
    { "d", "default_value boolean", usual },
    { "tojson", "ensure_ascii indent separators sort_keys", tojson },
    { "string", "", string },
    { "safe", "", string },
    { "length", "", length },
    { "count", "", length },
    { "int", "default base", whole },
    { "float", "default", real },
    { "abs", "", absolute },
    { "round", "precision method", rounded },
    { "upper", "", upper },
    { "lower", "", lower },
    { "title", "", title },
    { "capitalize", "", capitalize },
    { "trim", "chars", trim },
    { "replace", "old new count", replace },
    { "escape", "", escape },
    { "e", "", escape },
    { "indent", "width first blank", indent },
    { "wordcount", "", wordcount },
    { "list", "", list },
    { "items", "", items },
    { "first", "", first },
    { "last", "", last },
    { "join", "d attribute", join },
    { "reverse", "", reversed },
    { "sort", "reverse case_sensitive attribute", sort },
    { "dictsort", "case_sensitive by reverse", dictsort },
    { "unique", "case_sensitive attribute", unique },
    { "max", "case_sensitive attribute", largest },
    { "min", "case_sensitive attribute", smallest },
    { "sum", "attribute start", sum },
    { "attr", "name", attr },
};

/* ---- filters that take the name of a filter or test -------------------------------------------------------------- */

static precis_status name_of(pcs_jinja *j, const char *what, const pcs_jargs *args, size_t at, char name[64])
{
    if (at >= args->n || args->name[at] || args->v[at].type != J_STRING || args->v[at].len >= 64)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "%s takes a name", what);
    memcpy(name, args->v[at].s, args->v[at].len);
    name[args->v[at].len] = 0;
    return PRECIS_OK;
}

static void rest_of(const pcs_jargs *args, size_t from, pcs_jargs *rest)
{
    rest->n = 0;
    for (size_t i = from; i < args->n; i++) rest->name[rest->n] = args->name[i], rest->v[rest->n++] = args->v[i];
}

static precis_status map(pcs_jinja *j, pcs_jvalue v, const pcs_jargs *args, pcs_jvalue *out)
{
    char name[64] = "";
    pcs_jvalue all, a[2];
    pcs_jargs rest;
    const bool by = args->n && args->name[0];
    precis_status st = pcs_jitems(j, v, &all);
    if (!st) st = by ? pcs_jbind(j, "map", "attribute default", args, a) : name_of(j, "map", args, 0, name);
    if (!st) st = pcs_jlist_new(j, out);
    if (st) return st;
    rest_of(args, by ? args->n : 1, &rest);
    for (size_t i = 0; i < all.list->n && !st; i++) {
        pcs_jvalue x;
        st = by ? attribute_at(j, all.list->v[i], a[0], &x) : pcs_jfilter(j, name, all.list->v[i], &rest, &x);
        if (!st && by && x.type == J_UNDEFINED && given(a[1])) x = a[1];
        if (!st) st = pcs_jappend(j, out->list, x);
    }
    return st;
}

/* What select and reject keep; selectattr and rejectattr (`what`) ask an attribute of each. */
static precis_status selected(pcs_jinja *j, const char *what, pcs_jvalue v, const pcs_jargs *args, pcs_jvalue *out)
{
    char name[64] = "";
    pcs_jvalue all, x;
    pcs_jargs rest;
    const bool keep = *what == 's', by = pcs_ends(what, "attr");
    const size_t at = by;
    precis_status st = pcs_jitems(j, v, &all);
    if (!st && by && !args->n) return pcs_jinja_fail(j, PRECIS_EFORMAT, "%s takes the name of an attribute", what);
    if (!st && args->n > at) st = name_of(j, what, args, at, name);
    if (!st) st = pcs_jlist_new(j, out);
    if (st) return st;
    rest_of(args, at + 1, &rest);
    for (size_t i = 0; i < all.list->n && !st; i++) {
        bool yes = false;
        st = attribute_at(j, all.list->v[i], by ? args->v[0] : (pcs_jvalue){ .type = J_ABSENT }, &x);
        if (!st && *name) st = pcs_jtest(j, name, x, &rest, &yes);
        else if (!st) yes = pcs_jtrue(x), st = pcs_jinja_pay(j, 1);
        if (!st && yes == keep) st = pcs_jappend(j, out->list, all.list->v[i]);
    }
    return st;
}

precis_status pcs_jfilter(pcs_jinja *j, const char *name, pcs_jvalue v, const pcs_jargs *args, pcs_jvalue *out)
{
    pcs_jvalue a[PCS_JARGS];
    precis_status st = ++j->depth > 4 * PCS_LIMIT_TEMPLATE_DEPTH
                           ? pcs_jinja_fail(j, PRECIS_EFORMAT, "nested too deeply")
                           : pcs_jinja_pay(j, PCS_JSTEP);
    size_t i = 0;
    while (i < sizeof filters / sizeof *filters && strcmp(filters[i].name, name)) i++;
    if (st) {}
    else if (i < sizeof filters / sizeof *filters) {
        st = pcs_jbind(j, name, filters[i].params, args, a);
        if (!st) st = filters[i].run(j, v, a, out);
    } else if (!strcmp(name, "map")) st = map(j, v, args, out);
    else if (!strcmp(name, "select") || !strcmp(name, "selectattr") || !strcmp(name, "reject") ||
             !strcmp(name, "rejectattr"))
        st = selected(j, name, v, args, out);
    else st = pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "the filter \"%s\" is not known", name);
    j->depth--;
    return st;
}
