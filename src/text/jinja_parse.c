/* jinja_parse.c - template to a tree. Depth is bounded; nothing is copied but strings with escapes. */
#include "text/jinja.h"

#include "base/json.h"

#include <stdlib.h>

typedef enum { T_END, T_NAME, T_INT, T_FLOAT, T_STRING, T_OP, T_CLOSE } tokens;

typedef struct parser {
    pcs_jinja *j;
    const char *p, *end;
    /* the token in hand */
    tokens type;
    const char *text;
    size_t len;
    pcs_jvalue value;
    const char *close; /* what ends this tag: "}}" or "%}" */
    int depth;
    bool trim_next;    /* the tag ended in -%} */
    bool drop_newline; /* trim_blocks */
    bool keep_newline; /* the tag ended in +%} */
} parser;

static precis_status expression(parser *p, pcs_jnode **out);

static precis_status fail(parser *p, const char *why) { return pcs_jinja_fail(p->j, PRECIS_EFORMAT, "%s near \"%.*s\"", why, (int)(p->end - p->text < 20 ? p->end - p->text : 20), p->text); }

static pcs_jnode *node(parser *p, pcs_jkind kind)
{
    pcs_jnode *n = pcs_arena_alloc(&p->j->arena, 1, sizeof *n);
    if (n) n->kind = kind, n->line = p->j->line;
    return n;
}

static bool name_char(char c, bool first) { return c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z') || (!first && c >= '0' && c <= '9'); }

static precis_status string_token(parser *p, char quote)
{
    char *dst = pcs_arena_alloc(&p->j->arena, (size_t)(p->end - p->p) + 1 < 4096 ? (size_t)(p->end - p->p) + 1 : 4096, 1);
    size_t n = 0, cap = (size_t)(p->end - p->p) + 1 < 4096 ? (size_t)(p->end - p->p) + 1 : 4096;
    if (!dst) return PRECIS_ENOMEM;
    while (p->p < p->end && *p->p != quote) {
        char c = *p->p++;
        if (c == '\n') p->j->line++;
        if (c == '\\' && p->p < p->end) {
            c = *p->p++;
            c = (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c);
        }
        if (n + 1 >= cap) {
            char *grown = pcs_arena_alloc(&p->j->arena, 2 * cap, 1);
            if (!grown) return PRECIS_ENOMEM;
            memcpy(grown, dst, n);
            dst = grown;
            cap *= 2;
        }
        dst[n++] = c;
    }
    if (p->p == p->end) return fail(p, "a string does not end");
    p->p++;
    p->value = pcs_jstring(dst, n);
    p->type = T_STRING;
    return PRECIS_OK;
}

static precis_status number_token(parser *p)
{
    char text[40];
    size_t n = 0;
    bool real = false;
    while (p->p < p->end && ((*p->p >= '0' && *p->p <= '9') || (*p->p == '.' && p->p + 1 < p->end && p->p[1] >= '0' && p->p[1] <= '9'))) {
        real |= *p->p == '.';
        if (n + 1 >= sizeof text) return fail(p, "a number is too long");
        text[n++] = *p->p++;
    }
    text[n] = 0;
    p->type = real ? T_FLOAT : T_INT;
    p->value = (pcs_jvalue){ .type = real ? J_FLOAT : J_INT };
    if (real) p->value.f = strtod(text, NULL);
    else if (n > 18) return fail(p, "a number is too large");
    else p->value.i = strtoll(text, NULL, 10);
    return PRECIS_OK;
}

static precis_status advance(parser *p)
{
    while (p->p < p->end && (*p->p == ' ' || *p->p == '\t' || *p->p == '\n' || *p->p == '\r')) p->j->line += *p->p++ == '\n';
    p->text = p->p;
    p->len = 0;
    if (p->p == p->end) {
        p->type = T_END;
        return PRECIS_OK;
    }
    const size_t left = (size_t)(p->end - p->p);
    const bool sign = (*p->p == '-' || *p->p == '+') && left >= 3 && !memcmp(p->p + 1, p->close, 2), dash = sign && *p->p == '-';
    p->keep_newline = sign && !dash;
    if (sign || (left >= 2 && !memcmp(p->p, p->close, 2))) {
        p->type = T_CLOSE;
        p->trim_next = dash;
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
    static const char *const ops[] = { "==", "!=", "<=", ">=", "//", "**", "(", ")", "[", "]", "{", "}", ",", ".", ":", "|", "+", "-", "*", "/", "%", "~", "<", ">", "=" };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        const size_t n = strlen(ops[i]);
        if (left < n || memcmp(p->p, ops[i], n)) continue;
        p->type = T_OP;
        p->len = n;
        p->p += n;
        return PRECIS_OK;
    }
    return fail(p, "a character that has no meaning here");
}

static bool is(const parser *p, tokens type, const char *text) { return p->type == type && p->len == strlen(text) && !memcmp(p->text, text, p->len); }

static precis_status take(parser *p, tokens type, const char *text)
{
    if (!is(p, type, text)) return pcs_jinja_fail(p->j, PRECIS_EFORMAT, "\"%s\" is expected near \"%.*s\"", text, (int)(p->end - p->text < 20 ? p->end - p->text : 20), p->text);
    return advance(p);
}

static precis_status take_name(parser *p, const char **out)
{
    if (p->type != T_NAME) return fail(p, "a name is expected");
    if (!(*out = pcs_arena_copy(&p->j->arena, p->text, p->len))) return PRECIS_ENOMEM;
    return advance(p);
}

/* Arguments up to the closing bracket; name=value becomes N_KEYWORD. */
static precis_status arguments(parser *p, const char *close, pcs_jnode **out)
{
    pcs_jnode **tail = out;
    while (!is(p, T_OP, close)) {
        precis_status st = expression(p, tail);
        if (st) return st;
        if (is(p, T_OP, "=") && (*tail)->kind == N_NAME) {
            pcs_jnode *k = *tail;
            k->kind = N_KEYWORD;
            if ((st = advance(p)) || (st = expression(p, &k->a))) return st;
        }
        if (!strcmp(close, "}")) { /* key : value of a dict */
            pcs_jnode *pair = *tail;
            if ((st = take(p, T_OP, ":")) || (st = expression(p, &pair->next))) return st;
            tail = &pair->next;
        }
        tail = &(*tail)->next;
        if (!is(p, T_OP, ",")) break;
        if ((st = advance(p))) return st;
    }
    return take(p, T_OP, close);
}

static precis_status primary(parser *p, pcs_jnode **out)
{
    static const struct { const char *name; pcs_jtype type; int value; } constants[] = {
        { "true", J_BOOL, 1 }, { "True", J_BOOL, 1 }, { "false", J_BOOL, 0 }, { "False", J_BOOL, 0 }, { "none", J_NONE, 0 }, { "None", J_NONE, 0 } };
    precis_status st;
    if (p->type == T_INT || p->type == T_FLOAT || p->type == T_STRING) {
        pcs_jnode *n = *out = node(p, N_LITERAL);
        if (!n) return PRECIS_ENOMEM;
        n->value = p->value;
        if ((st = advance(p))) return st;
        while (n->value.type == J_STRING && p->type == T_STRING) { /* adjacent strings join */
            char *both = pcs_arena_alloc(&p->j->arena, n->value.len + p->value.len + 1, 1);
            if (!both) return PRECIS_ENOMEM;
            memcpy(both, n->value.s, n->value.len);
            memcpy(both + n->value.len, p->value.s, p->value.len);
            n->value = pcs_jstring(both, n->value.len + p->value.len);
            if ((st = advance(p))) return st;
        }
        return PRECIS_OK;
    }
    if (p->type == T_NAME) {
        pcs_jnode *n = *out = node(p, N_NAME);
        if (!n) return PRECIS_ENOMEM;
        if ((st = take_name(p, &n->name))) return st;
        for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
            if (!strcmp(constants[i].name, n->name)) {
                n->kind = N_LITERAL;
                n->value = (pcs_jvalue){ .type = constants[i].type };
                n->value.i = constants[i].value;
            }
        return PRECIS_OK;
    }
    if (is(p, T_OP, "(")) {
        if ((st = advance(p)) || (st = expression(p, out))) return st;
        if (is(p, T_OP, ",")) { /* a tuple is a list */
            pcs_jnode *n = node(p, N_LIST);
            if (!n) return PRECIS_ENOMEM;
            n->a = *out;
            *out = n;
            if ((st = advance(p))) return st;
            return arguments(p, ")", &n->a->next);
        }
        return take(p, T_OP, ")");
    }
    if (is(p, T_OP, "[") || is(p, T_OP, "{")) {
        const bool list = is(p, T_OP, "[");
        pcs_jnode *n = *out = node(p, list ? N_LIST : N_DICT);
        if (!n) return PRECIS_ENOMEM;
        if ((st = advance(p))) return st;
        return arguments(p, list ? "]" : "}", &n->a);
    }
    return fail(p, "an expression is expected");
}

static precis_status subscript(parser *p, pcs_jnode *n)
{
    precis_status st = PRECIS_OK;
    n->kind = N_INDEX;
    if (!is(p, T_OP, ":")) st = expression(p, &n->b);
    if (!st && is(p, T_OP, ":")) {
        n->kind = N_SLICE;
        st = advance(p);
        if (!st && !is(p, T_OP, "]") && !is(p, T_OP, ":")) st = expression(p, &n->c);
        if (!st && is(p, T_OP, ":")) {
            st = advance(p);
            if (!st && !is(p, T_OP, "]")) st = expression(p, &n->d);
        }
    }
    return st ? st : take(p, T_OP, "]");
}

static precis_status postfix(parser *p, pcs_jnode **out)
{
    precis_status st = primary(p, out);
    for (int count = 0; !st; count++) {
        const bool dot = is(p, T_OP, "."), bracket = is(p, T_OP, "["), call = is(p, T_OP, "("), bar = is(p, T_OP, "|");
        if (!dot && !bracket && !call && !bar) return PRECIS_OK;
        if (count >= PCS_LIMIT_TEMPLATE_DEPTH) return fail(p, "too many steps in one expression");
        pcs_jnode *n = node(p, dot ? N_ATTR : call ? N_CALL : bar ? N_FILTER : N_INDEX);
        if (!n) return PRECIS_ENOMEM;
        n->a = *out;
        *out = n;
        if ((st = advance(p))) return st;
        if (dot || bar) st = take_name(p, &n->name);
        else if (call) st = arguments(p, ")", &n->b);
        else st = subscript(p, n);
        if (!st && bar && is(p, T_OP, "(")) {
            st = advance(p);
            if (!st) st = arguments(p, ")", &n->b);
        }
    }
    return st;
}

static precis_status test(parser *p, pcs_jnode **out)
{
    pcs_jnode *n = node(p, N_TEST);
    if (!n) return PRECIS_ENOMEM;
    n->a = *out;
    *out = n;
    precis_status st = advance(p);
    if (!st && is(p, T_NAME, "not")) n->negated = true, st = advance(p);
    if (!st) st = take_name(p, &n->name);
    if (!st && is(p, T_OP, "(")) {
        st = advance(p);
        if (!st) st = arguments(p, ")", &n->b);
    }
    return st;
}

static precis_status unary(parser *p, pcs_jnode **out)
{
    if (is(p, T_OP, "-") || is(p, T_OP, "+")) {
        const bool minus = is(p, T_OP, "-");
        pcs_jnode *n = node(p, N_MINUS);
        if (!n) return PRECIS_ENOMEM;
        if (++p->depth > PCS_LIMIT_TEMPLATE_DEPTH) return fail(p, "the template is nested too deeply");
        precis_status st = advance(p);
        if (!st) st = unary(p, &n->a);
        p->depth--;
        *out = minus ? n : n->a;
        return st;
    }
    precis_status st = postfix(p, out);
    for (int i = 0; !st && is(p, T_NAME, "is"); i++) st = i > PCS_LIMIT_TEMPLATE_DEPTH ? fail(p, "too many tests") : test(p, out);
    return st;
}

/* Binary operators by level, loosest first. */
static const char *const levels[][8] = { { "or" }, { "and" }, { "==", "!=", "<", ">", "<=", ">=", "in", "not" }, { "~" }, { "+", "-" }, { "*", "/", "//", "%" } };
#define LEVELS 6

static precis_status binary(parser *p, int level, pcs_jnode **out)
{
    if (level == LEVELS) return unary(p, out);
    if (level == 2 && is(p, T_NAME, "not")) {
        pcs_jnode *n = *out = node(p, N_NOT);
        if (!n) return PRECIS_ENOMEM;
        if (++p->depth > PCS_LIMIT_TEMPLATE_DEPTH) return fail(p, "the template is nested too deeply");
        precis_status st = advance(p);
        if (!st) st = binary(p, 2, &n->a);
        p->depth--;
        return st;
    }
    precis_status st = binary(p, level + 1, out);
    for (int count = 0; !st; count++) {
        const char *op = NULL;
        for (int i = 0; i < 8 && levels[level][i]; i++)
            if (is(p, T_OP, levels[level][i]) || is(p, T_NAME, levels[level][i])) op = levels[level][i];
        if (!op) return PRECIS_OK;
        if (count > PCS_LIMIT_TEMPLATE_DEPTH) return fail(p, "too many operators in one expression");
        pcs_jnode *n = node(p, N_BINARY);
        if (!n) return PRECIS_ENOMEM;
        st = advance(p);
        if (!st && !strcmp(op, "not")) op = "in", n->negated = true, st = take(p, T_NAME, "in");
        n->name = op;
        n->a = *out;
        *out = n;
        if (!st) st = binary(p, level + 1, &n->b);
    }
    return st;
}

static precis_status expression(parser *p, pcs_jnode **out)
{
    if (++p->depth > PCS_LIMIT_TEMPLATE_DEPTH) return fail(p, "the template is nested too deeply");
    precis_status st = binary(p, 0, out);
    if (!st && is(p, T_NAME, "if")) {
        pcs_jnode *n = node(p, N_COND);
        if (!n) return PRECIS_ENOMEM;
        n->b = *out;
        *out = n;
        st = advance(p);
        if (!st) st = binary(p, 0, &n->a);
        if (!st && is(p, T_NAME, "else")) {
            st = advance(p);
            if (!st) st = expression(p, &n->c);
        }
    }
    p->depth--;
    return st;
}

static precis_status close_tag(parser *p)
{
    if (p->type != T_CLOSE) return fail(p, "the tag does not end");
    p->drop_newline = !strcmp(p->close, "%}") && !p->keep_newline;
    return PRECIS_OK;
}

/* Plain text up to the next tag, with blanks trimmed as the tags on both sides ask. */
static precis_status text(parser *p, pcs_jnode ***tail)
{
    if (p->trim_next)
        while (p->p < p->end && strchr(" \t\r\n", *p->p)) p->j->line += *p->p++ == '\n';
    else if (p->drop_newline && p->p < p->end && (*p->p == '\n' || (*p->p == '\r' && p->p + 1 < p->end && p->p[1] == '\n')))
        p->p += *p->p == '\n' ? 1 : 2, p->j->line++;
    p->trim_next = p->drop_newline = false;
    const char *from = p->p, *to = from;
    while (to + 1 < p->end && !(to[0] == '{' && (to[1] == '{' || to[1] == '%' || to[1] == '#'))) p->j->line += *to++ == '\n';
    if (to + 1 >= p->end) to = p->end;
    p->p = to;
    const char *end = to;
    if (to + 2 < p->end && to[2] == '-') {
        while (end > from && strchr(" \t\r\n", end[-1])) end--;
    } else if (to < p->end && to[1] != '{' && !(to + 2 < p->end && to[2] == '+')) { /* lstrip_blocks: blanks before a tag that begins its line */
        const char *s = end;
        while (s > from && (s[-1] == ' ' || s[-1] == '\t')) s--;
        if (s == from ? from == p->j->source || from[-1] == '\n' : s[-1] == '\n') end = s;
    }
    if (end == from) return PRECIS_OK;
    pcs_jnode *n = node(p, N_TEXT);
    if (!n) return PRECIS_ENOMEM;
    n->value = pcs_jstring(from, (size_t)(end - from));
    **tail = n;
    *tail = &n->next;
    return PRECIS_OK;
}

static precis_status statements(parser *p, pcs_jnode **out, const char *const *ends, const char **ended);

static precis_status parse_if(parser *p, pcs_jnode **out)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL }, *const last[] = { "endif", NULL };
    pcs_jnode *n = *out = node(p, N_IF);
    if (!n) return PRECIS_ENOMEM;
    const char *ended;
    precis_status st = expression(p, &n->a);
    if (!st) st = close_tag(p);
    if (!st) st = statements(p, &n->b, ends, &ended);
    if (!st && !strcmp(ended, "elif")) {
        if (++p->depth > PCS_LIMIT_TEMPLATE_DEPTH) return fail(p, "too many elif");
        st = parse_if(p, &n->c); /* its endif is ours */
        p->depth--;
        return st;
    }
    if (!st) st = close_tag(p);
    if (!st && !strcmp(ended, "else")) {
        st = statements(p, &n->c, last, &ended);
        if (!st) st = close_tag(p);
    }
    return st;
}

static precis_status parse_for(parser *p, pcs_jnode **out)
{
    static const char *const ends[] = { "else", "endfor", NULL }, *const last[] = { "endfor", NULL };
    pcs_jnode *n = *out = node(p, N_FOR);
    if (!n) return PRECIS_ENOMEM;
    const char *ended;
    precis_status st = take_name(p, &n->name);
    if (!st && is(p, T_OP, ",")) {
        st = advance(p);
        if (!st) st = take_name(p, &n->name2);
    }
    if (!st) st = take(p, T_NAME, "in");
    if (!st) st = binary(p, 0, &n->a);
    if (!st && is(p, T_NAME, "if")) {
        st = advance(p);
        if (!st) st = expression(p, &n->d);
    }
    if (!st) st = close_tag(p);
    if (!st) st = statements(p, &n->b, ends, &ended);
    if (!st) st = close_tag(p);
    if (!st && !strcmp(ended, "else")) {
        st = statements(p, &n->c, last, &ended);
        if (!st) st = close_tag(p);
    }
    return st;
}

static precis_status parse_set(parser *p, pcs_jnode **out)
{
    static const char *const ends[] = { "endset", NULL };
    pcs_jnode *n = *out = node(p, N_SET);
    if (!n) return PRECIS_ENOMEM;
    precis_status st = take_name(p, &n->name);
    if (!st && is(p, T_OP, ".")) {
        st = advance(p);
        if (!st) st = take_name(p, &n->name2);
    }
    if (!st && p->type == T_CLOSE) { /* {% set x %}...{% endset %} */
        const char *ended;
        st = close_tag(p);
        if (!st) st = statements(p, &n->b, ends, &ended);
        return st ? st : close_tag(p);
    }
    if (!st) st = take(p, T_OP, "=");
    if (!st) st = expression(p, &n->a);
    return st ? st : close_tag(p);
}

/* Statements until one of the tags in `ends`; that tag's name has been read, its end has not. */
static precis_status statements(parser *p, pcs_jnode **out, const char *const *ends, const char **ended)
{
    precis_status st = ++p->depth > PCS_LIMIT_TEMPLATE_DEPTH ? fail(p, "the template is nested too deeply") : PRECIS_OK;
    pcs_jnode **tail = out;
    while (!st) {
        p->text = p->p;
        if ((st = text(p, &tail))) break;
        if (p->p == p->end) {
            size_t last = 0;
            while (ends && ends[last + 1]) last++;
            if (ends) st = pcs_jinja_fail(p->j, PRECIS_EFORMAT, "%s is missing at the end of the template", ends[last]);
            break;
        }
        const char kind = p->p[1];
        p->p += 2 + (p->p + 2 < p->end && (p->p[2] == '-' || p->p[2] == '+'));
        if (kind == '#') {
            while (p->p + 1 < p->end && memcmp(p->p, "#}", 2)) p->j->line += *p->p++ == '\n';
            if (p->p + 1 >= p->end) st = fail(p, "a comment does not end");
            else p->trim_next = p->p[-1] == '-', p->drop_newline = true, p->p += 2;
            continue;
        }
        p->close = kind == '{' ? "}}" : "%}";
        if ((st = advance(p))) break;
        pcs_jnode *n = NULL;
        if (kind == '{') {
            if (!(n = node(p, N_OUTPUT))) st = PRECIS_ENOMEM;
            if (!st) st = expression(p, &n->a);
            if (!st) st = close_tag(p);
        } else {
            bool over = false;
            for (size_t i = 0; ends && ends[i]; i++)
                if (is(p, T_NAME, ends[i])) *ended = ends[i], over = true;
            if (over) {
                st = advance(p);
                break;
            }
            if (is(p, T_NAME, "if")) st = advance(p) ? PRECIS_EFORMAT : parse_if(p, &n);
            else if (is(p, T_NAME, "for")) st = advance(p) ? PRECIS_EFORMAT : parse_for(p, &n);
            else if (is(p, T_NAME, "set")) st = advance(p) ? PRECIS_EFORMAT : parse_set(p, &n);
            else if (is(p, T_NAME, "generation") || is(p, T_NAME, "endgeneration")) st = advance(p) ? PRECIS_EFORMAT : close_tag(p); /* marks for training */
            else st = pcs_jinja_fail(p->j, PRECIS_EUNSUPPORTED, "the tag \"%.*s\" is beyond the subset of Jinja that is read", (int)p->len, p->text);
        }
        if (!st && n) *tail = n, tail = &n->next;
    }
    p->depth--;
    return st;
}

precis_status pcs_jinja_parse(pcs_jinja *j)
{
    j->line = 1;
    size_t len = j->len;
    if (len && j->source[len - 1] == '\n') len--; /* keep_trailing_newline is off */
    parser p = { .j = j, .p = j->source, .end = j->source + len, .text = j->source, .close = "%}" };
    return statements(&p, &j->program, NULL, NULL);
}
