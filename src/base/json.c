/* json.c - the pull parser. */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void pcs_json_init(pcs_json *j, precis_ctx *ctx, const char *text, size_t len)
{
    memset(j, 0, sizeof *j);
    j->ctx = ctx;
    j->start = j->p = text;
    j->end = text + len;
}

precis_status pcs_json_fail(pcs_json *j, const char *at, const char *field, const char *why)
{
    return pcs_fail_at(j->ctx, PRECIS_EFORMAT, (uint64_t)(at - j->start), field, "%s", why);
}

static void skip_space(pcs_json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t')) j->p++;
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int hex4(const char *p, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        const int d = hex_digit(p[i]);
        if (d < 0) return 0;
        v = v << 4 | (uint32_t)d;
    }
    return *out = v, 1;
}

/* Begins after the opening quote and leaves p after the closing one. */
static precis_status scan_string(pcs_json *j, pcs_json_token *t)
{
    t->text = j->p;
    while (j->p < j->end) {
        const unsigned char c = (unsigned char)*j->p;
        uint32_t cp;
        if (c == '"') {
            t->len = (size_t)(j->p++ - t->text);
            return PRECIS_OK;
        }
        if (c < 32) return pcs_json_fail(j, j->p, "json string", "control character");
        if (c == '\\') {
            if (j->end - j->p < 2) break;
            if (j->p[1] == 'u') {
                const bool is_code = j->end - j->p >= 6 && hex4(j->p + 2, &cp);
                if (!is_code) return pcs_json_fail(j, j->p, "json string", "bad \\u escape");
                j->p += 6;
            } else if (strchr("\"\\/bfnrt", j->p[1]) && j->p[1]) {
                j->p += 2;
            } else {
                return pcs_json_fail(j, j->p, "json string", "unknown escape");
            }
            continue;
        }
        const size_t n = pcs_utf8(j->p, (size_t)(j->end - j->p), &cp);
        if (!n) return pcs_json_fail(j, j->p, "json string", "not UTF-8");
        j->p += n;
    }
    return pcs_json_fail(j, j->p, "json string", "does not end");
}

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* What some writers put where a value should be (Infinity, NaN of Python's json, None): by its key and in its own
 * words. */
static precis_status no_value(pcs_json *j, const char *from)
{
    const char *end = from;
    if (end < j->end && (*end == '-' || *end == '+')) end++;
    while (end < j->end && letter(*end) && end - from < 32) end++;
    if (end == from || !letter(end[-1])) return pcs_json_fail(j, from, "json", "unexpected character");
    char why[256];
    const int key = j->key && j->key_len <= 100 ? (int)j->key_len : 0, word = (int)(end - from);
    if (key) snprintf(why, sizeof why, "\"%.*s\": %.*s is no JSON value", key, j->key, word, from);
    else snprintf(why, sizeof why, "%.*s is no JSON value", word, from);
    return pcs_json_fail(j, from, "json", why);
}

/* A number that is none for a double (1e999) would be an infinity behind the reader's back. */
static precis_status too_large(pcs_json *j, const pcs_json_token *t, const char *field)
{
    char why[160];
    snprintf(why, sizeof why, "%.*s is larger than a double holds", (int)(t->len < 64 ? t->len : 64), t->text);
    return pcs_json_fail(j, t->text, field, why);
}

static bool digit(const pcs_json *j) { return j->p < j->end && *j->p >= '0' && *j->p <= '9'; }

static precis_status scan_number(pcs_json *j, pcs_json_token *t)
{
    t->type = PCS_JSON_NUMBER;
    t->text = j->p;
    if (*j->p == '-') j->p++;
    if (j->p < j->end && letter(*j->p)) return no_value(j, t->text);
    if (!digit(j)) return pcs_json_fail(j, j->p, "json number", "no digit");
    if (*j->p == '0') j->p++;
    else
        while (digit(j)) j->p++;
    if (j->p < j->end && *j->p == '.') {
        j->p++;
        if (!digit(j)) return pcs_json_fail(j, j->p, "json number", "no digit behind the point");
        while (digit(j)) j->p++;
    }
    if (j->p < j->end && (*j->p == 'e' || *j->p == 'E')) {
        j->p++;
        if (j->p < j->end && (*j->p == '+' || *j->p == '-')) j->p++;
        if (!digit(j)) return pcs_json_fail(j, j->p, "json number", "no digit in the exponent");
        while (digit(j)) j->p++;
    }
    t->len = (size_t)(j->p - t->text);
    return t->len > 64 ? pcs_json_fail(j, t->text, "json number", "longer than 64 characters") : PRECIS_OK;
}

static precis_status scan_word(pcs_json *j, pcs_json_token *t)
{
    static const struct { const char *word; pcs_json_type type; } words[] = {
        { "true", PCS_JSON_TRUE }, { "false", PCS_JSON_FALSE }, { "null", PCS_JSON_NULL }
    };
    for (int i = 0; i < 3; i++) {
        const size_t n = strlen(words[i].word);
        if ((size_t)(j->end - j->p) >= n && !memcmp(j->p, words[i].word, n)) {
            t->type = words[i].type;
            j->p += n;
            return PRECIS_OK;
        }
    }
    return no_value(j, j->p);
}

static precis_status close_level(pcs_json *j, pcs_json_token *t)
{
    t->type = *j->p == '}' ? PCS_JSON_OBJECT_END : PCS_JSON_ARRAY_END;
    j->p++;
    j->depth--;
    j->value_done = true;
    return PRECIS_OK;
}

precis_status pcs_json_next(pcs_json *j, pcs_json_token *t)
{
    memset(t, 0, sizeof *t);
    skip_space(j);
    t->text = j->p; /* of whatever kind it is: a message tells the byte */
    if (j->p == j->end) {
        t->type = PCS_JSON_END;
        return j->depth || !j->value_done ? pcs_json_fail(j, j->p, "json", "ends early") : PRECIS_OK;
    }
    if (j->depth == 0 && j->value_done) return pcs_json_fail(j, j->p, "json", "text behind the value");
    const unsigned char in = j->depth ? j->stack[j->depth - 1] : 0;
    if (in && !j->after_key) {
        bool *first = &j->first[j->depth - 1];
        if (*j->p == (in == '{' ? '}' : ']') && (*first || j->value_done)) return close_level(j, t);
        if (!*first) {
            if (*j->p != ',') return pcs_json_fail(j, j->p, "json", "a comma is missing");
            j->p++;
            skip_space(j);
            if (j->p == j->end) return pcs_json_fail(j, j->p, "json", "ends early");
        }
        *first = false;
        j->value_done = false;
        if (in == '{') {
            if (*j->p != '"') return pcs_json_fail(j, j->p, "json", "a key is missing");
            j->p++;
            const precis_status st = scan_string(j, t);
            if (st != PRECIS_OK) return st;
            t->type = PCS_JSON_KEY;
            j->key = t->text;
            j->key_len = t->len;
            skip_space(j);
            if (j->p == j->end || *j->p != ':') return pcs_json_fail(j, j->p, "json", "a colon is missing");
            j->p++;
            j->after_key = true;
            return PRECIS_OK;
        }
    }
    j->after_key = false;
    t->text = j->p;
    precis_status st = PRECIS_OK;
    if (*j->p == '{' || *j->p == '[') {
        if (j->depth == PCS_LIMIT_JSON_DEPTH) return pcs_json_fail(j, j->p, "json", "nested too deeply");
        t->type = *j->p == '{' ? PCS_JSON_OBJECT : PCS_JSON_ARRAY;
        j->first[j->depth] = true;
        j->stack[j->depth++] = (unsigned char)*j->p++;
        j->value_done = false;
        return PRECIS_OK;
    }
    if (*j->p == '"') {
        j->p++;
        t->type = PCS_JSON_STRING;
        st = scan_string(j, t);
    } else if (*j->p == '-' || (*j->p >= '0' && *j->p <= '9')) {
        st = scan_number(j, t);
    } else {
        st = scan_word(j, t);
    }
    j->value_done = true;
    return st;
}

precis_status pcs_json_expect(pcs_json *j, pcs_json_type type, pcs_json_token *t, const char *field)
{
    const precis_status st = pcs_json_next(j, t);
    if (st != PRECIS_OK) return st;
    return t->type == type ? PRECIS_OK : pcs_json_fail(j, j->p, field, "has the wrong JSON type");
}

precis_status pcs_json_skip(pcs_json *j, const pcs_json_token *t)
{
    if (t->type != PCS_JSON_OBJECT && t->type != PCS_JSON_ARRAY) return PRECIS_OK;
    const int depth = j->depth - 1;
    pcs_json_token skip;
    while (j->depth > depth) {
        const precis_status st = pcs_json_next(j, &skip);
        if (st != PRECIS_OK) return st;
    }
    return PRECIS_OK;
}

precis_status pcs_json_string(pcs_json *j, const pcs_json_token *t, pcs_arena *a, char **out, size_t *len)
{
    char *o = pcs_arena_alloc(a, t->len + 1, 1);
    *out = o;
    if (!o) return PRECIS_ENOMEM;
    for (const char *p = t->text, *e = t->text + t->len; p < e;) {
        if (*p != '\\') {
            *o++ = *p++;
            continue;
        }
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *k = p[1] != 'u' ? strchr(from, p[1]) : NULL;
        if (k) {
            *o++ = to[k - from];
            p += 2;
            continue;
        }
        uint32_t c = 0, low = 0;
        hex4(p + 2, &c);
        p += 6;
        const bool is_high = c >= 0xd800 && c < 0xdc00, another = e - p >= 6 && p[0] == '\\' && p[1] == 'u';
        if (is_high && another && hex4(p + 2, &low) && low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
        } else if (c >= 0xd800 && c < 0xe000) {
            return pcs_json_fail(j, p, "json string", "lone surrogate");
        }
        o += pcs_utf8_put(c, o); /* at most 3 bytes for 6, 4 for 12 */
    }
    *o = 0;
    if (len) *len = (size_t)(o - *out);
    return PRECIS_OK;
}

bool pcs_json_is(const pcs_json_token *t, const char *literal)
{
    return t->len == strlen(literal) && !memcmp(t->text, literal, t->len);
}

precis_status pcs_json_double(pcs_json *j, const pcs_json_token *t, double *out, const char *field)
{
    char tmp[72];
    if (t->type != PCS_JSON_NUMBER) return pcs_json_fail(j, j->p, field, "must be a number");
    memcpy(tmp, t->text, t->len);
    tmp[t->len] = 0;
    *out = strtod(tmp, NULL);
    return isfinite(*out) ? PRECIS_OK : too_large(j, t, field);
}

precis_status pcs_json_int(pcs_json *j, const pcs_json_token *t, int64_t *out, const char *field)
{
    char tmp[72], *end;
    if (t->type != PCS_JSON_NUMBER) return pcs_json_fail(j, j->p, field, "must be a whole number");
    memcpy(tmp, t->text, t->len);
    tmp[t->len] = 0;
    errno = 0;
    *out = strtoll(tmp, &end, 10);
    return *end || errno ? pcs_json_fail(j, t->text, field, "must be a whole number of 64 bits") : PRECIS_OK;
}

precis_status pcs_json_find(precis_ctx *ctx, pcs_json_slice object, const char *key, pcs_json_slice *out)
{
    pcs_json j;
    pcs_json_token t;
    *out = (pcs_json_slice){ NULL, 0 };
    pcs_json_init(&j, ctx, object.text, object.len);
    precis_status st = pcs_json_expect(&j, PCS_JSON_OBJECT, &t, key);
    while (st == PRECIS_OK) {
        st = pcs_json_next(&j, &t);
        if (st != PRECIS_OK || t.type == PCS_JSON_OBJECT_END) break;
        const bool hit = pcs_json_is(&t, key);
        if (hit && out->text) return pcs_json_fail(&j, t.text, key, "appears twice");
        skip_space(&j);
        const char *start = j.p;
        st = pcs_json_next(&j, &t);
        if (st == PRECIS_OK) st = pcs_json_skip(&j, &t);
        if (hit) *out = (pcs_json_slice){ start, (size_t)(j.p - start) };
    }
    return st;
}

/* ---- writing ------------------------------------------------------------------------------------ */

precis_status pcs_buf_printf(pcs_buf *b, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0 || n >= (int)sizeof text) return pcs_fail(b->ctx, PRECIS_EINVAL, "a name is too long to be written");
    return pcs_buf_add(b, text, (size_t)n);
}

precis_status pcs_json_text(pcs_buf *b, const char *s, size_t len)
{
    precis_status st = pcs_buf_add(b, "\"", 1);
    for (size_t i = 0, k; i < len && !st; i += k) {
        uint32_t cp;
        const unsigned char c = (unsigned char)s[i];
        k = 1;
        if (c == '"' || c == '\\') st = pcs_buf_printf(b, "\\%c", c);
        else if (c == '\n') st = pcs_buf_add(b, "\\n", 2);
        else if (c < 32 || c == 127) st = pcs_buf_printf(b, "\\u%04x", c);
        else if (c < 128) st = pcs_buf_add(b, s + i, 1);
        else if ((k = pcs_utf8(s + i, len - i, &cp))) st = pcs_buf_add(b, s + i, k);
        else st = pcs_buf_add(b, "\xef\xbf\xbd", 3), k = 1;
    }
    return st ? st : pcs_buf_add(b, "\"", 1);
}
