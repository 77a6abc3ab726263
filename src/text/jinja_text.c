/* jinja_text.c - values as text: str() and repr() of Python, and json.dumps() as transformers' tojson calls it. */
#include "text/jinja.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

static precis_status add(pcs_buf *b, const char *s) { return pcs_buf_add(b, s, strlen(s)); }

/* A fraction as Python's repr: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on. */
static precis_status fraction(pcs_buf *b, double f, bool json)
{
    char digits[32], text[48];
    int p = 0, exponent;
    if (f != f) return add(b, json ? "NaN" : "nan");
    if (f - f != 0) return add(b, f > 0 ? (json ? "Infinity" : "inf") : json ? "-Infinity" : "-inf");
    do snprintf(digits, sizeof digits, "%.*e", p, f);
    while (strtod(digits, NULL) != f && p++ < 17);
    exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) return add(b, digits);
    snprintf(text, sizeof text, "%.*f", p > exponent ? p - exponent : 1, f);
    return add(b, text);
}

static bool printable(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP: return false;
    case UTF8PROC_CATEGORY_ZS: return c == ' ';
    default: return true;
    }
}

static precis_status escaped(pcs_buf *b, const char *fmt, uint32_t c)
{
    char text[16];
    snprintf(text, sizeof text, fmt, (unsigned)c);
    return add(b, text);
}

static precis_status repr_character(pcs_buf *b, const char *s, size_t k, uint32_t c, char quote)
{
    const char both[3] = { '\\', *s, 0 };
    if (c == '\n') return add(b, "\\n");
    if (c == '\t') return add(b, "\\t");
    if (c == '\r') return add(b, "\\r");
    if (c == '\\' || c == (unsigned char)quote) return add(b, both);
    if (printable(c)) return pcs_buf_add(b, s, k);
    return escaped(b, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

static precis_status json_character(pcs_buf *b, const char *s, size_t k, uint32_t c, bool ascii)
{
    static const char *const names[32] = { [8] = "\\b", [9] = "\\t", [10] = "\\n", [12] = "\\f", [13] = "\\r" };
    const char both[3] = { '\\', *s, 0 };
    if (c == '"' || c == '\\') return add(b, both);
    if (c < 32 && names[c]) return add(b, names[c]);
    if (c < 32) return escaped(b, "\\u%04x", c);
    if (c < 128 || !ascii) return pcs_buf_add(b, s, k);
    if (c < 0x10000) return escaped(b, "\\u%04x", c);
    const precis_status st = escaped(b, "\\u%04x", 0xd800 + ((c - 0x10000) >> 10));
    return st ? st : escaped(b, "\\u%04x", 0xdc00 + ((c - 0x10000) & 0x3ff));
}

static precis_status quoted(pcs_jinja *j, pcs_buf *b, pcs_jvalue v, bool json, bool ascii)
{
    const char quote = json || (memchr(v.s, '\'', v.len) && !memchr(v.s, '"', v.len)) ? '"' : '\'';
    precis_status st = pcs_jinja_pay(j, v.len);
    if (!st) st = pcs_buf_add(b, &quote, 1);
    for (size_t i = 0, k; i < v.len && !st; i += k) {
        uint32_t c;
        k = pcs_utf8(v.s + i, v.len - i, &c);
        if (!k) st = pcs_buf_add(b, v.s + i, k = 1); /* no UTF-8: passes */
        else st = json ? json_character(b, v.s + i, k, c, ascii) : repr_character(b, v.s + i, k, c, quote);
    }
    return st ? st : pcs_buf_add(b, &quote, 1);
}

/* ---- repr ---------------------------------------------------------------------------------------------------- */

static precis_status repr(pcs_jinja *j, pcs_jvalue v, pcs_buf *b, int depth)
{
    char text[32];
    precis_status st = pcs_jinja_pay(j, PCS_JSTEP);
    if (st) return st;
    if (depth > PCS_LIMIT_TEMPLATE_DEPTH) return pcs_jinja_fail(j, PRECIS_EFORMAT, "the values are nested too deeply");
    switch (v.type) {
    case J_UNDEFINED: return add(b, "Undefined");
    case J_NONE: return add(b, "None");
    case J_BOOL: return add(b, v.i ? "True" : "False");
    case J_INT: snprintf(text, sizeof text, "%lld", (long long)v.i); return add(b, text);
    case J_FLOAT: return fraction(b, v.f, false);
    case J_STRING: return quoted(j, b, v, false, false);
    case J_LIST:
        st = add(b, v.tuple ? "(" : "[");
        for (size_t i = 0; i < v.list->n && !st; i++)
            st = (i && (st = add(b, ", "))) ? st : repr(j, v.list->v[i], b, depth + 1);
        return st ? st : add(b, v.tuple ? (v.list->n == 1 ? ",)" : ")") : "]");
    case J_DICT:
        st = add(b, v.space ? "<Namespace {" : "{");
        for (size_t i = 0; i < v.dict->n && !st; i++) {
            if (i) st = add(b, ", ");
            if (!st) st = quoted(j, b, v.dict->k[i], false, false);
            if (!st) st = add(b, ": ");
            if (!st) st = repr(j, v.dict->v[i], b, depth + 1);
        }
        return st ? st : add(b, v.space ? "}>" : "}");
    default: return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "%s has no text", pcs_jtype_name(v));
    }
}

precis_status pcs_jtext(pcs_jinja *j, pcs_jvalue v, pcs_buf *out)
{
    if (v.type == J_UNDEFINED) return PRECIS_OK;
    if (v.type != J_STRING) return repr(j, v, out, 0);
    const precis_status st = pcs_jinja_scan(j, v.len);
    return st ? st : pcs_buf_add(out, v.s, v.len);
}

precis_status pcs_jto_string(pcs_jinja *j, pcs_jvalue v, pcs_jvalue *out)
{
    pcs_buf b;
    *out = v;
    if (v.type == J_STRING) return PRECIS_OK;
    pcs_buf_init(&b, j->ctx, PCS_LIMIT_TEMPLATE_OUTPUT);
    return pcs_jstring_of(j, &b, pcs_jtext(j, v, &b), out);
}

/* ---- json.dumps --------------------------------------------------------------------------------------------- */

typedef struct { bool ascii, lines, sorted; pcs_jvalue indent, item, key; } style;

static precis_status json(pcs_jinja *j, pcs_jvalue v, const style *s, pcs_buf *b, int depth);

static precis_status new_line(pcs_jinja *j, const style *s, pcs_buf *b, int depth)
{
    precis_status st = s->lines ? add(b, "\n") : PRECIS_OK;
    for (int i = 0; s->lines && i < depth && !st; i++)
        st = (st = pcs_jinja_scan(j, s->indent.len)) ? st : pcs_buf_add(b, s->indent.s, s->indent.len);
    return st;
}

/* The smallest key after `last` (NULL: of all): keys are few, and a sort would need memory. */
static size_t next_key(const struct pcs_jdict *d, const pcs_jvalue *last)
{
    size_t best = d->n;
    for (size_t i = 0; i < d->n; i++) {
        const pcs_jvalue *k = &d->k[i], *other[2] = { last, best < d->n ? &d->k[best] : NULL };
        int c[2] = { 1, -1 };
        for (int o = 0; o < 2; o++) {
            if (!other[o]) continue;
            c[o] = memcmp(k->s, other[o]->s, k->len < other[o]->len ? k->len : other[o]->len);
            if (!c[o]) c[o] = k->len < other[o]->len ? -1 : k->len > other[o]->len;
        }
        if (c[0] > 0 && c[1] < 0) best = i;
    }
    return best;
}

static precis_status members(pcs_jinja *j, pcs_jvalue v, const style *s, pcs_buf *b, int depth)
{
    const bool list = v.type == J_LIST;
    const size_t n = list ? v.list->n : v.dict->n;
    const pcs_jvalue *last = NULL;
    precis_status st = add(b, list ? "[" : "{");
    for (size_t i = 0, at; i < n && !st; i++) {
        if (i) st = pcs_buf_add(b, s->item.s, s->item.len);
        if (!st) st = new_line(j, s, b, depth + 1);
        if (!st && list) st = json(j, v.list->v[i], s, b, depth + 1);
        if (st || list) continue;
        at = s->sorted ? next_key(v.dict, last) : i;
        last = &v.dict->k[at];
        if (s->sorted) st = pcs_jinja_pay(j, 8 * (uint64_t)n);
        if (!st) st = quoted(j, b, *last, true, s->ascii);
        if (!st) st = pcs_buf_add(b, s->key.s, s->key.len);
        if (!st) st = json(j, v.dict->v[at], s, b, depth + 1);
    }
    if (!st && n) st = new_line(j, s, b, depth);
    return st ? st : add(b, list ? "]" : "}");
}

static precis_status json(pcs_jinja *j, pcs_jvalue v, const style *s, pcs_buf *b, int depth)
{
    const precis_status st = pcs_jinja_pay(j, PCS_JSTEP);
    if (st) return st;
    if (depth > PCS_LIMIT_TEMPLATE_DEPTH) return pcs_jinja_fail(j, PRECIS_EFORMAT, "the values are nested too deeply");
    switch (v.type) {
    case J_NONE: return add(b, "null");
    case J_BOOL: return add(b, v.i ? "true" : "false");
    case J_INT: return repr(j, v, b, depth);
    case J_FLOAT: return fraction(b, v.f, true);
    case J_STRING: return quoted(j, b, v, true, s->ascii);
    case J_LIST: return members(j, v, s, b, depth);
    case J_DICT:
        if (!v.space) return members(j, v, s, b, depth);
        /* fall through */
    default: return pcs_jinja_fail(j, PRECIS_EFORMAT, "%s has no form in JSON", pcs_jtype_name(v));
    }
}

/* options: ensure_ascii, indent, separators, sort_keys, in transformers' order. */
precis_status pcs_jtojson(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *options, pcs_jvalue *out)
{
    static const char blanks[] = "                                                                ";
    const pcs_jvalue indent = options[1], separators = options[2];
    style s = { .ascii = pcs_jtrue(options[0]),
                .sorted = pcs_jtrue(options[3]),
                .item = pcs_jstring(", ", 2),
                .key = pcs_jstring(": ", 2) };
    pcs_buf b;
    if (indent.type == J_INT || indent.type == J_BOOL) {
        if (indent.i > (int64_t)sizeof blanks - 1)
            return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "tojson with an indent of %lld", (long long)indent.i);
        s.indent = pcs_jstring(blanks, indent.i > 0 ? (size_t)indent.i : 0);
    } else if (indent.type == J_STRING) s.indent = indent;
    else if (indent.type != J_NONE && indent.type != J_ABSENT)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "tojson with an indent that is %s", pcs_jtype_name(indent));
    s.lines = indent.type != J_NONE && indent.type != J_ABSENT;
    if (s.lines) s.item.len = 1;
    if (separators.type == J_LIST && separators.list->n == 2 && separators.list->v[0].type == J_STRING &&
        separators.list->v[1].type == J_STRING)
        s.item = separators.list->v[0], s.key = separators.list->v[1];
    else if (separators.type != J_NONE && separators.type != J_ABSENT)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "tojson takes two strings as separators");
    pcs_buf_init(&b, j->ctx, PCS_LIMIT_TEMPLATE_OUTPUT);
    return pcs_jstring_of(j, &b, json(j, v, &s, &b, 0), out);
}
