/* jinja_lex.c - tokens within the tags of a template. */
#include "text/jinja_parse.h"

#include "base/json.h"

#include <stdlib.h>

precis_status pcs_jwrong(pcs_jparser *p, precis_status st, const char *why)
{
    const ptrdiff_t left = p->end - p->text;
    return pcs_jinja_fail(p->j, st, "%s near \"%.*s\"", why, (int)(left < 20 ? left : 20), p->text);
}

precis_status pcs_jdeeper(pcs_jparser *p)
{
    return ++p->depth > PCS_LIMIT_TEMPLATE_DEPTH ? pcs_jwrong(p, PRECIS_EFORMAT, "the template is nested too deeply")
                                                 : PRECIS_OK;
}

pcs_jnode *pcs_jnew(pcs_jparser *p, pcs_jkind kind)
{
    pcs_jnode *n = pcs_arena_alloc(&p->j->arena, 1, sizeof *n);
    if (n) n->kind = kind, n->line = p->j->line;
    return n;
}

static bool name_char(char c, bool first)
{
    return c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z') || (!first && c >= '0' && c <= '9');
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* What stands after a backslash, as in Python's strings; an escape that is none keeps its backslash. */
static size_t unescape(pcs_jparser *p, char *dst)
{
    static const char from[] = "\\'\"nrtabfv", to[] = "\\'\"\n\r\t\a\b\f\v";
    const char c = *p->p++, *known = c ? strchr(from, c) : NULL;
    if (known) return *dst = to[known - from], 1;
    if (c == '\n') return p->j->line++, 0;
    uint32_t value = 0;
    int digits = 0;
    const int most = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    const char *at = p->p;
    for (; digits < most && at < p->end && hex_digit(*at) >= 0; digits++)
        value = value << 4 | (uint32_t)hex_digit(*at++);
    if (most && digits == most && value < 0x110000) return p->p = at, pcs_utf8_put(value, dst);
    if (c >= '0' && c <= '7') {
        value = (uint32_t)(c - '0');
        for (digits = 1; digits < 3 && p->p < p->end && *p->p >= '0' && *p->p <= '7'; digits++)
            value = value << 3 | (uint32_t)(*p->p++ - '0');
        return pcs_utf8_put(value, dst);
    }
    dst[0] = '\\';
    dst[1] = c;
    return 2;
}

static precis_status string_token(pcs_jparser *p, char quote)
{
    const char *end = p->p;
    while (end < p->end && *end != quote) end += *end == '\\' && end + 1 < p->end ? 2 : 1;
    if (end >= p->end) return pcs_jwrong(p, PRECIS_EFORMAT, "a string does not end");
    char *dst = pcs_arena_alloc(&p->j->arena, (size_t)(end - p->p) + 8, 1);
    size_t n = 0;
    if (!dst) return PRECIS_ENOMEM;
    while (p->p < end) {
        const char c = *p->p++;
        p->j->line += c == '\n';
        if (c == '\\' && p->p < end) n += unescape(p, dst + n);
        else dst[n++] = c;
    }
    p->p = end + 1;
    p->value = pcs_jstring(dst, n);
    p->type = T_STRING;
    return pcs_jinja_pay(p->j, n);
}

static bool digit(const char *p, const char *end) { return p < end && *p >= '0' && *p <= '9'; }

static precis_status number_token(pcs_jparser *p)
{
    char text[40];
    size_t n = 0;
    bool real = false, exponent = false;
    while (p->p < p->end) {
        const char c = *p->p, *next = p->p + 1;
        const bool sign = next < p->end && (*next == '-' || *next == '+');
        if (c == '_' && digit(next, p->end)) {
            p->p++;
            continue;
        }
        if (c == '.' && !real && !exponent && digit(next, p->end)) real = true;
        else if ((c | 32) == 'e' && !exponent && digit(next + sign, p->end)) real = exponent = true;
        else if (!digit(p->p, p->end)) break;
        if (n + 3 >= sizeof text) return pcs_jwrong(p, PRECIS_EFORMAT, "a number is too long");
        text[n++] = *p->p++;
        if ((c | 32) == 'e' && sign) text[n++] = *p->p++;
    }
    text[n] = 0;
    p->type = real ? T_FLOAT : T_INT;
    p->value = (pcs_jvalue){ .type = real ? J_FLOAT : J_INT };
    if (real) p->value.f = strtod(text, NULL);
    else if (n > 18) return pcs_jwrong(p, PRECIS_EFORMAT, "a number is too large");
    else p->value.i = strtoll(text, NULL, 10);
    return PRECIS_OK;
}

precis_status pcs_jadvance(pcs_jparser *p)
{
    while (p->p < p->end && (*p->p == ' ' || (*p->p >= 9 && *p->p <= 13))) p->j->line += *p->p++ == '\n';
    p->text = p->p;
    p->len = 0;
    if (p->p == p->end) {
        p->type = T_END;
        return PRECIS_OK;
    }
    const size_t left = (size_t)(p->end - p->p);
    const bool outer = !p->brackets, dash = *p->p == '-',
               sign = outer && (dash || *p->p == '+') && left >= 3 && !memcmp(p->p + 1, p->close, 2);
    p->keep_newline = sign && !dash;
    if (sign || (outer && left >= 2 && !memcmp(p->p, p->close, 2))) {
        p->type = T_CLOSE;
        p->trim_next = sign && dash;
        p->p += sign ? 3 : 2;
        return PRECIS_OK;
    }
    const char c = *p->p;
    if (c == '\'' || c == '"') return p->p++, string_token(p, c);
    if (c >= '0' && c <= '9') return number_token(p);
    if (name_char(c, true)) {
        while (p->p < p->end && name_char(*p->p, false)) p->p++;
        p->type = T_NAME;
        p->len = (size_t)(p->p - p->text);
        return PRECIS_OK;
    }
    static const char *const ops[] = { "==", "!=", "<=", ">=", "//", "**", "(", ")", "[", "]", "{", "}", ",",
                                       ".",  ":",  "|",  "+",  "-",  "*",  "/", "%", "~", "<", ">", "=" };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        const size_t n = strlen(ops[i]);
        if (left < n || memcmp(p->p, ops[i], n)) continue;
        p->type = T_OP;
        p->len = n;
        p->p += n;
        if (strchr("([{", c)) p->brackets++;
        else if (strchr(")]}", c) && p->brackets) p->brackets--;
        return pcs_jinja_pay(p->j, 8);
    }
    return pcs_jwrong(p, PRECIS_EFORMAT, "a character that has no meaning here");
}

bool pcs_jis(const pcs_jparser *p, pcs_jtoken type, const char *text)
{
    return p->type == type && p->len == strlen(text) && !memcmp(p->text, text, p->len);
}

precis_status pcs_jtake(pcs_jparser *p, pcs_jtoken type, const char *text)
{
    if (pcs_jis(p, type, text)) return pcs_jadvance(p);
    const ptrdiff_t left = p->end - p->text;
    return pcs_jinja_fail(p->j, PRECIS_EFORMAT, "\"%s\" is expected near \"%.*s\"", text, (int)(left < 20 ? left : 20),
                          p->text);
}

precis_status pcs_jtake_name(pcs_jparser *p, const char **out)
{
    if (p->type != T_NAME) return pcs_jwrong(p, PRECIS_EFORMAT, "a name is expected");
    if (!(*out = pcs_arena_copy(&p->j->arena, p->text, p->len))) return PRECIS_ENOMEM;
    return pcs_jadvance(p);
}
