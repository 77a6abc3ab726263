/* jinja_string.c - characters of strings, and the methods that strings, lists, mappings and loops have in Python and
 * Jinja. A character is a code point, as there; a byte that is no UTF-8 is one of its own. */
#include "text/jinja.h"

#include "base/json.h"

#include <utf8proc.h>

/* str.isspace() */
bool pcs_jspace(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t pcs_jcharacter(pcs_jvalue s, size_t at)
{
    uint32_t c;
    if ((unsigned char)s.s[at] < 0x80) return 1;
    const size_t k = pcs_utf8(s.s + at, s.len - at, &c);
    return k ? k : 1;
}

int64_t pcs_jcharacters(pcs_jvalue s)
{
    int64_t n = 0;
    for (size_t at = 0; at < s.len; n++) at += pcs_jcharacter(s, at);
    return n;
}

/* Bytes of the last character. */
static size_t last_bytes(pcs_jvalue s)
{
    size_t k = 1;
    while (k < 4 && k < s.len && ((unsigned char)s.s[s.len - k] & 0xc0) == 0x80) k++;
    return pcs_jcharacter(s, s.len - k) == k ? k : 1;
}

static bool listed(pcs_jvalue set, const char *s, size_t k)
{
    uint32_t c;
    if (set.type == J_STRING) return set.len && memmem(set.s, set.len, s, k);
    return pcs_utf8(s, k, &c) == k && pcs_jspace(c);
}

precis_status pcs_jstrip(pcs_jinja *j, pcs_jvalue v, bool left, bool right, pcs_jvalue set, pcs_jvalue *out)
{
    const size_t price = set.type == J_STRING ? set.len + 4 : 4;
    precis_status st = pcs_jinja_pay(j, price);
    for (size_t k; left && v.len && !st && listed(set, v.s, k = pcs_jcharacter(v, 0)); st = pcs_jinja_pay(j, price))
        v.s += k, v.len -= k;
    for (size_t k; right && v.len && !st && (k = last_bytes(v), listed(set, v.s + v.len - k, k));
         st = pcs_jinja_pay(j, price))
        v.len -= k;
    *out = v;
    return st;
}

pcs_jvalue pcs_jstrip_blanks(pcs_jvalue v, bool left, bool right)
{
    const pcs_jvalue blanks = { .type = J_NONE };
    for (size_t k; left && v.len && listed(blanks, v.s, k = pcs_jcharacter(v, 0));) v.s += k, v.len -= k;
    for (size_t k; right && v.len && (k = last_bytes(v), listed(blanks, v.s + v.len - k, k));) v.len -= k;
    return v;
}

static bool letter(uint32_t c)
{
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k == UTF8PROC_CATEGORY_LU || k == UTF8PROC_CATEGORY_LL || k == UTF8PROC_CATEGORY_LT;
}

precis_status pcs_jcased(pcs_jinja *j, pcs_jvalue v, pcs_jcase how, pcs_jvalue *out)
{
    precis_status st = pcs_jinja_spend(j, 2 * v.len);
    if (!st) st = pcs_jinja_pay(j, 4 * (uint64_t)v.len);
    char *s = st ? NULL : pcs_arena_alloc(&j->arena, 2 * v.len + 8, 1);
    if (!s) return st ? st : PRECIS_ENOMEM;
    bool begin = true;
    size_t n = 0;
    for (size_t i = 0, k; i < v.len; i += k) {
        uint32_t c;
        k = pcs_utf8(v.s + i, v.len - i, &c);
        if (!k) {
            s[n++] = v.s[i];
            k = 1;
            continue;
        }
        const bool up = how == J_UPPER || (how != J_LOWER && begin);
        begin = how == J_TITLE ? !letter(c)
                               : how == J_HEADLINE && (pcs_jspace(c) || (c < 128 && c && strchr("-({[<", (int)c)));
        if (up && c == 0xdf)
            s[n++] = 'S', s[n++] = how == J_UPPER ? 'S' : 's'; /* the sharp s, whose capital is two letters */
        else
            n += pcs_utf8_put(
                (uint32_t)(up ? utf8proc_toupper((utf8proc_int32_t)c) : utf8proc_tolower((utf8proc_int32_t)c)), s + n);
    }
    *out = pcs_jstring(s, n);
    return PRECIS_OK;
}

/* Place of b in a from `at`, or SIZE_MAX. */
static size_t find(pcs_jvalue a, pcs_jvalue b, size_t at)
{
    if (b.len > a.len || at > a.len - b.len) return SIZE_MAX;
    const char *p = b.len ? memmem(a.s + at, a.len - at, b.s, b.len) : a.s + at;
    return p ? (size_t)(p - a.s) : SIZE_MAX;
}

/* The same from the end; each place may cost the whole of b. */
static precis_status find_last(pcs_jinja *j, pcs_jvalue a, pcs_jvalue b, size_t *found)
{
    *found = SIZE_MAX;
    if (b.len > a.len) return PRECIS_OK;
    const precis_status st = pcs_jinja_pay(j, (uint64_t)(a.len - b.len + 1) * (1 + b.len / 16));
    for (size_t at = a.len - b.len + 1; !st && *found == SIZE_MAX && at-- > 0;)
        if (!memcmp(a.s + at, b.s, b.len)) *found = at;
    return st;
}

precis_status pcs_jreplace(pcs_jinja *j, pcs_jvalue v, pcs_jvalue from, pcs_jvalue to, pcs_jvalue count,
                           pcs_jvalue *out)
{
    if (from.type != J_STRING || to.type != J_STRING || !from.len)
        return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "replace takes two strings, the first not empty");
    int64_t left = count.type == J_INT && count.i >= 0 ? count.i : INT64_MAX;
    pcs_buf b;
    pcs_buf_init(&b, j->ctx, PCS_LIMIT_TEMPLATE_OUTPUT);
    precis_status st = pcs_jinja_pay(j, v.len);
    size_t at = 0;
    for (size_t k; !st && left-- > 0 && (k = find(v, from, at)) != SIZE_MAX; at = k + from.len) {
        st = pcs_jinja_pay(j, 8 + to.len / 4);
        if (!st) st = pcs_buf_add(&b, v.s + at, k - at);
        if (!st) st = pcs_buf_add(&b, to.s, to.len);
    }
    if (!st) st = pcs_buf_add(&b, v.s + at, v.len - at);
    return pcs_jstring_of(j, &b, st, out);
}

precis_status pcs_jjoin(pcs_jinja *j, pcs_jvalue list, pcs_jvalue gap, pcs_jvalue *out)
{
    pcs_buf b;
    pcs_buf_init(&b, j->ctx, PCS_LIMIT_TEMPLATE_OUTPUT);
    precis_status st = pcs_jitems(j, list, &list);
    for (size_t i = 0; !st && i < list.list->n; i++) {
        st = pcs_jinja_pay(j, 8);
        if (!st && i && gap.type == J_STRING) st = pcs_jtext(j, gap, &b);
        if (!st) st = pcs_jtext(j, list.list->v[i], &b);
    }
    return pcs_jstring_of(j, &b, st, out);
}

/* ---- methods of strings ------------------------------------------------------------------------------------- */

typedef precis_status method(pcs_jinja *j, pcs_jvalue self, const pcs_jvalue *a, pcs_jvalue *out);

static precis_status need(pcs_jinja *j, const char *what, pcs_jvalue v)
{
    return v.type == J_STRING ? PRECIS_OK
                              : pcs_jinja_fail(j, PRECIS_EFORMAT, "%s takes a string, not %s", what, pcs_jtype_name(v));
}

static precis_status strip(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return pcs_jstrip(j, s, true, true, a[0], out);
}
static precis_status lstrip(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return pcs_jstrip(j, s, true, false, a[0], out);
}
static precis_status rstrip(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return pcs_jstrip(j, s, false, true, a[0], out);
}
static precis_status upper(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, pcs_jcased(j, s, J_UPPER, out);
}
static precis_status lower(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, pcs_jcased(j, s, J_LOWER, out);
}
static precis_status title(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, pcs_jcased(j, s, J_TITLE, out);
}
static precis_status capitalize(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, pcs_jcased(j, s, J_CAPITAL, out);
}
static precis_status replace(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return pcs_jreplace(j, s, a[0], a[1], a[2], out);
}
static precis_status join(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    for (size_t i = 0; a[0].type == J_LIST && i < a[0].list->n; i++)
        if (need(j, "join", a[0].list->v[i])) return PRECIS_EFORMAT;
    return pcs_jjoin(j, a[0], s, out);
}

static precis_status words(pcs_jinja *j, pcs_jvalue s, int64_t most, pcs_jvalue *out)
{
    precis_status st = pcs_jinja_pay(j, s.len);
    while (!st) {
        s = pcs_jstrip_blanks(s, true, false);
        if (!s.len) break;
        size_t e = 0;
        const pcs_jvalue blanks = { .type = J_NONE };
        for (size_t k; e < s.len && !listed(blanks, s.s + e, k = pcs_jcharacter(s, e));) e += k;
        if (most-- == 0) e = s.len;
        st = pcs_jappend(j, out->list, pcs_jstring(s.s, e));
        s.s += e;
        s.len -= e;
    }
    return st;
}

static precis_status split(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    int64_t most = a[1].type == J_INT && a[1].i >= 0 ? a[1].i : INT64_MAX;
    precis_status st = pcs_jlist_new(j, out);
    if (st) return st;
    if (a[0].type != J_STRING) return words(j, s, most, out);
    if (!a[0].len) return pcs_jinja_fail(j, PRECIS_EFORMAT, "split by an empty string");
    size_t at = 0;
    st = pcs_jinja_pay(j, s.len);
    for (size_t k; !st && most-- > 0 && (k = find(s, a[0], at)) != SIZE_MAX; at = k + a[0].len)
        st = pcs_jappend(j, out->list, pcs_jstring(s.s + at, k - at));
    return st ? st : pcs_jappend(j, out->list, pcs_jstring(s.s + at, s.len - at));
}

static precis_status rsplit(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    if (a[1].type != J_INT || a[1].i < 0) return split(j, s, a, out);
    if (a[0].type != J_STRING || !a[0].len)
        return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "rsplit with a limit needs a text to split by");
    pcs_jvalue back;
    precis_status st = pcs_jlist_new(j, &back);
    for (size_t k; !st && (int64_t)back.list->n < a[1].i; s.len = k) {
        st = find_last(j, s, a[0], &k);
        if (st || k == SIZE_MAX) break;
        st = pcs_jappend(j, back.list, pcs_jstring(s.s + k + a[0].len, s.len - k - a[0].len));
    }
    if (!st) st = pcs_jlist_new(j, out);
    if (!st) st = pcs_jappend(j, out->list, s);
    for (size_t i = st ? 0 : back.list->n; i-- > 0 && !st;) st = pcs_jappend(j, out->list, back.list->v[i]);
    return st;
}

static precis_status splitlines(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    const bool keep = a[0].type != J_ABSENT && pcs_jtrue(a[0]);
    precis_status st = pcs_jlist_new(j, out);
    if (!st) st = pcs_jinja_pay(j, s.len);
    for (size_t at = 0, e, k; at < s.len && !st; at = e + k) {
        uint32_t c;
        for (e = at, k = 0; e < s.len && !k; e += k ? 0 : pcs_jcharacter(s, e)) {
            const size_t one = pcs_utf8(s.s + e, s.len - e, &c);
            if (one && ((c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029))
                k = one + (c == '\r' && e + 1 < s.len && s.s[e + 1] == '\n');
        }
        st = pcs_jappend(j, out->list, pcs_jstring(s.s + at, e - at + (keep ? k : 0)));
    }
    return st;
}

static bool fits(pcs_jvalue s, pcs_jvalue part, bool end)
{
    return part.len <= s.len && !memcmp(end ? s.s + s.len - part.len : s.s, part.s, part.len);
}

static precis_status affixed(pcs_jinja *j, pcs_jvalue s, pcs_jvalue part, bool end, pcs_jvalue *out)
{
    const char *name = end ? "endswith" : "startswith";
    *out = pcs_jbool(false);
    if (part.type == J_LIST && part.tuple) { /* one of several */
        precis_status st = PRECIS_OK;
        for (size_t i = 0; i < part.list->n && !st && !out->i; i++)
            if (!(st = need(j, name, part.list->v[i])) && !(st = pcs_jinja_scan(j, part.list->v[i].len)))
                *out = pcs_jbool(fits(s, part.list->v[i], end));
        return st;
    }
    const precis_status st = need(j, name, part);
    if (!st) *out = pcs_jbool(fits(s, part, end));
    return st ? st : pcs_jinja_scan(j, part.len);
}

static precis_status startswith(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return affixed(j, s, a[0], false, out);
}
static precis_status endswith(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return affixed(j, s, a[0], true, out);
}

static precis_status remove_affix(pcs_jinja *j, pcs_jvalue s, pcs_jvalue part, bool end, pcs_jvalue *out)
{
    const precis_status st = need(j, end ? "removesuffix" : "removeprefix", part);
    *out = s;
    if (st || !fits(s, part, end)) return st;
    *out = pcs_jstring(end ? s.s : s.s + part.len, s.len - part.len);
    return pcs_jinja_scan(j, part.len);
}

static precis_status removeprefix(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return remove_affix(j, s, a[0], false, out);
}
static precis_status removesuffix(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return remove_affix(j, s, a[0], true, out);
}

static precis_status found(pcs_jinja *j, pcs_jvalue s, size_t at, pcs_jvalue *out)
{
    *out = pcs_jint(at == SIZE_MAX ? -1 : pcs_jcharacters(pcs_jstring(s.s, at)));
    return pcs_jinja_pay(j, s.len);
}

static precis_status find_first(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    const precis_status st = need(j, "find", a[0]);
    return st ? st : found(j, s, find(s, a[0], 0), out);
}

static precis_status rfind(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    size_t at;
    precis_status st = need(j, "rfind", a[0]);
    if (!st) st = find_last(j, s, a[0], &at);
    return st ? st : found(j, s, at, out);
}

static precis_status count(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    const precis_status st = need(j, "count", a[0]);
    *out = pcs_jint(a[0].len ? 0 : pcs_jcharacters(s) + 1);
    for (size_t at = 0, k; !st && a[0].len && (k = find(s, a[0], at)) != SIZE_MAX; at = k + a[0].len) out->i++;
    return st ? st : pcs_jinja_pay(j, s.len);
}

/* All characters of these categories, and at least one. */
static precis_status all_of(pcs_jinja *j, pcs_jvalue s, uint32_t categories, pcs_jvalue *out)
{
    bool all = s.len > 0;
    for (size_t at = 0, k; at < s.len && all; at += k) {
        uint32_t c;
        k = pcs_utf8(s.s + at, s.len - at, &c);
        all = k && (categories ? categories >> utf8proc_category((utf8proc_int32_t)c) & 1 : pcs_jspace(c));
        if (!k) break;
    }
    *out = pcs_jbool(all);
    return pcs_jinja_pay(j, s.len);
}

#define LETTERS                                                                                                        \
    (1u << UTF8PROC_CATEGORY_LU | 1u << UTF8PROC_CATEGORY_LL | 1u << UTF8PROC_CATEGORY_LT |                            \
     1u << UTF8PROC_CATEGORY_LM | 1u << UTF8PROC_CATEGORY_LO)
static precis_status isdigit_(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, all_of(j, s, 1u << UTF8PROC_CATEGORY_ND, out);
}
static precis_status isalpha_(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, all_of(j, s, LETTERS, out);
}
static precis_status isalnum_(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, all_of(j, s, LETTERS | 1u << UTF8PROC_CATEGORY_ND, out);
}
static precis_status isspace_(pcs_jinja *j, pcs_jvalue s, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, all_of(j, s, 0, out);
}

/* ---- of mappings, lists and loops ------------------------------------------------------------------------------ */

static precis_status get(pcs_jinja *j, pcs_jvalue d, const pcs_jvalue *a, pcs_jvalue *out)
{
    *out = a[0].type == J_STRING ? pcs_jget(j, d.dict, a[0].s, a[0].len) : (pcs_jvalue){ .type = J_UNDEFINED };
    if (out->type == J_UNDEFINED) *out = a[1].type == J_ABSENT ? (pcs_jvalue){ .type = J_NONE } : a[1];
    return PRECIS_OK;
}

static precis_status items(pcs_jinja *j, pcs_jvalue d, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, pcs_jpairs(j, d, out);
}
static precis_status keys(pcs_jinja *j, pcs_jvalue d, const pcs_jvalue *a, pcs_jvalue *out)
{
    return (void)a, pcs_jitems(j, d, out);
}
static precis_status values(pcs_jinja *j, pcs_jvalue d, const pcs_jvalue *a, pcs_jvalue *out)
{
    precis_status st = pcs_jlist_new(j, out);
    (void)a;
    for (size_t i = 0; i < d.dict->n && !st; i++) st = pcs_jappend(j, out->list, d.dict->v[i]);
    return st;
}

static precis_status list_index(pcs_jinja *j, pcs_jvalue l, const pcs_jvalue *a, pcs_jvalue *out)
{
    bool yes = false;
    precis_status st = PRECIS_OK;
    for (*out = pcs_jint(0); (size_t)out->i < l.list->n && !st; out->i++)
        if ((st = pcs_jequal(j, l.list->v[out->i], a[0], 0, &yes)) || yes) return st;
    return st ? st : pcs_jinja_fail(j, PRECIS_EFORMAT, "index of what is not in the list");
}

static precis_status list_count(pcs_jinja *j, pcs_jvalue l, const pcs_jvalue *a, pcs_jvalue *out)
{
    bool yes;
    precis_status st = PRECIS_OK;
    *out = pcs_jint(0);
    for (size_t i = 0; i < l.list->n && !st; i++)
        if (!(st = pcs_jequal(j, l.list->v[i], a[0], 0, &yes))) out->i += yes;
    return st;
}

static precis_status changed(pcs_jinja *j, pcs_jvalue l, const pcs_jvalue *a, pcs_jvalue *out)
{
    bool same;
    const precis_status st = pcs_jequal(j, l.loop->last, a[0], 0, &same);
    *out = pcs_jbool(!same);
    l.loop->last = a[0];
    return st;
}

static const struct { pcs_jtype type; const char *name, *params; method *run;
} methods[] = {
    { J_STRING, "strip", "chars", strip },
    { J_STRING, "lstrip", "chars", lstrip },
    { J_STRING, "rstrip", "chars", rstrip },
    { J_STRING, "split", "sep maxsplit", split },
    { J_STRING, "rsplit", "sep maxsplit", rsplit },
    { J_STRING, "splitlines", "keepends", splitlines },
    { J_STRING, "upper", "", upper },
    { J_STRING, "lower", "", lower },
    { J_STRING, "title", "", title },
    { J_STRING, "capitalize", "", capitalize },
    { J_STRING, "replace", "old new count", replace },
    { J_STRING, "join", "iterable", join },
    { J_STRING, "startswith", "prefix", startswith },
    { J_STRING, "endswith", "suffix", endswith },
    { J_STRING, "removeprefix", "prefix", removeprefix },
    { J_STRING, "removesuffix", "suffix", removesuffix },
    { J_STRING, "find", "sub", find_first },
    { J_STRING, "rfind", "sub", rfind },
    { J_STRING, "count", "sub", count },
    { J_STRING, "isdigit", "", isdigit_ },
    { J_STRING, "isalpha", "", isalpha_ },
    { J_STRING, "isalnum", "", isalnum_ },
    { J_STRING, "isspace", "", isspace_ },
    { J_DICT, "get", "key default", get },
    { J_DICT, "items", "", items },
    { J_DICT, "keys", "", keys },
    { J_DICT, "values", "", values },
    { J_LIST, "index", "value", list_index },
    { J_LIST, "count", "value", list_count },
    { J_LOOP, "changed", "value", changed },
};
enum { METHODS = sizeof methods / sizeof *methods };

static size_t row_of(pcs_jvalue self, const char *name)
{
    size_t i = 0;
    while (i < METHODS && (methods[i].type != self.type || self.space || strcmp(methods[i].name, name))) i++;
    return i;
}

bool pcs_jhas_method(pcs_jvalue self, const char *name) { return row_of(self, name) < METHODS; }

precis_status pcs_jmethod(pcs_jinja *j, pcs_jvalue self, const char *name, const pcs_jargs *args, bool *known,
                          pcs_jvalue *out)
{
    static const char *const changers[] = { "append", "extend",  "insert", "remove", "reverse",   "sort",
                                            "pop",    "popitem", "clear",  "update", "setdefault" };
    const size_t row = row_of(self, name);
    pcs_jvalue a[PCS_JARGS];
    *known = row < METHODS;
    if (self.type == J_LOOP && !strcmp(name, "cycle")) {
        *known = true;
        if (!args->n) return pcs_jinja_fail(j, PRECIS_EFORMAT, "cycle takes values");
        *out = args->v[self.loop->i % args->n];
        return PRECIS_OK;
    }
    for (size_t i = 0;
         (self.type == J_LIST || (self.type == J_DICT && !self.space)) && i < sizeof changers / sizeof *changers; i++)
        if (!strcmp(changers[i], name))
            return pcs_jinja_fail(j, PRECIS_EFORMAT, "the method \"%s\": a template cannot change values", name);
    if (!*known) return PRECIS_OK;
    const precis_status st = pcs_jbind(j, name, methods[row].params, args, a);
    return st ? st : methods[row].run(j, self, a, out);
}
