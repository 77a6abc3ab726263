/* jinja_tags.c - the text of a template and its tags to a tree of statements. */
#include "text/jinja_parse.h"

typedef precis_status tag(pcs_jparser *p, pcs_jnode **out);

static precis_status statements(pcs_jparser *p, pcs_jnode **out, const char *const *ends, const char **ended);

static precis_status close_tag(pcs_jparser *p)
{
    if (p->type != T_CLOSE) return pcs_jwrong(p, PRECIS_EFORMAT, "the tag does not end");
    p->drop_newline = !strcmp(p->close, "%}") && !p->keep_newline;
    return PRECIS_OK;
}

/* The rest of the tag, then statements up to its end tag. */
static precis_status body(pcs_jparser *p, pcs_jnode **out, const char *end)
{
    const char *const ends[] = { end, NULL }, *ended;
    precis_status st = close_tag(p);
    if (!st) st = statements(p, out, ends, &ended);
    return st ? st : close_tag(p);
}

static precis_status text_node(pcs_jparser *p, const char *from, const char *end, pcs_jnode ***tail)
{
    if (end == from) return PRECIS_OK;
    pcs_jnode *n = pcs_jnew(p, N_TEXT);
    if (!n) return PRECIS_ENOMEM;
    n->value = pcs_jstring(from, (size_t)(end - from));
    **tail = n;
    *tail = &n->next;
    return pcs_jinja_pay(p->j, (uint64_t)(end - from));
}

/* What the tag before the text left to do: blanks or one line end go. */
static void begin_text(pcs_jparser *p)
{
    const char *from = p->p;
    if (p->trim_next) p->p = pcs_jstrip_blanks(pcs_jstring(from, (size_t)(p->end - from)), true, false).s;
    else if (p->drop_newline && from < p->end && *from == '\n') p->p++;
    while (from < p->p) p->j->line += *from++ == '\n';
    p->trim_next = p->drop_newline = false;
}

/* The text before a tag, without the blanks that the tag takes: all (-), or those that begin its line (blocks and
 * comments, unless +). */
static const char *end_text(const pcs_jparser *p, const char *from, const char *end)
{
    const char sign = end + 2 < p->end ? end[2] : 0;
    if (sign == '-') return from + pcs_jstrip_blanks(pcs_jstring(from, (size_t)(end - from)), false, true).len;
    if (end[1] == '{' || sign == '+') return end;
    const char *s = end;
    while (s > from && s[-1] != '\n' && (s[-1] == ' ' || (s[-1] >= 9 && s[-1] <= 13))) s--;
    return (s == from ? from == p->j->source || from[-1] == '\n' : s[-1] == '\n') ? s : end;
}

/* Plain text up to the next tag. */
static precis_status text(pcs_jparser *p, pcs_jnode ***tail)
{
    begin_text(p);
    const char *from = p->p, *to = from;
    while (to + 1 < p->end && !(to[0] == '{' && (to[1] == '{' || to[1] == '%' || to[1] == '#')))
        p->j->line += *to++ == '\n';
    const bool last = to + 1 >= p->end;
    p->p = last ? p->end : to;
    return text_node(p, from, last ? p->end : end_text(p, from, to), tail);
}

/* ---- tags -------------------------------------------------------------------------------------------------------- */

static precis_status parse_if(pcs_jparser *p, pcs_jnode **out)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL };
    pcs_jnode *n = *out = pcs_jnew(p, N_IF);
    if (!n) return PRECIS_ENOMEM;
    const char *ended = "";
    precis_status st = pcs_jtuple(p, true, &n->a);
    if (!st) st = close_tag(p);
    if (!st) st = statements(p, &n->b, ends, &ended);
    if (!st && !strcmp(ended, "elif")) {
        st = pcs_jdeeper(p);
        if (!st) st = parse_if(p, &n->c); /* its endif is ours */
        p->depth--;
        return st;
    }
    if (!st && !strcmp(ended, "else")) return body(p, &n->c, "endif");
    return st ? st : close_tag(p);
}

/* One name or several, with or without brackets. */
static precis_status targets(pcs_jparser *p, pcs_jnode **out)
{
    const bool bracket = pcs_jis(p, T_OP, "(");
    precis_status st = bracket ? pcs_jadvance(p) : PRECIS_OK;
    for (size_t n = 0; !st && p->type == T_NAME && !pcs_jis(p, T_NAME, "in"); n++) {
        pcs_jnode *t = *out = pcs_jnew(p, N_NAME);
        st = t ? pcs_jtake_name(p, &t->name) : PRECIS_ENOMEM;
        if (st || !pcs_jis(p, T_OP, ",")) break;
        out = &t->next;
        st = pcs_jadvance(p);
    }
    if (!st && !*out) return pcs_jwrong(p, PRECIS_EFORMAT, "a name is expected");
    return !st && bracket ? pcs_jtake(p, T_OP, ")") : st;
}

static precis_status parse_for(pcs_jparser *p, pcs_jnode **out)
{
    static const char *const ends[] = { "else", "endfor", NULL };
    pcs_jnode *n = *out = pcs_jnew(p, N_FOR);
    const char *ended = "";
    precis_status st = n ? targets(p, &n->targets) : PRECIS_ENOMEM;
    if (!st) st = pcs_jtake(p, T_NAME, "in");
    if (!st) st = pcs_jtuple(p, false, &n->a);
    if (!st && pcs_jis(p, T_NAME, "if")) {
        st = pcs_jadvance(p);
        if (!st) st = pcs_jexpression(p, &n->d);
    }
    if (!st && pcs_jis(p, T_NAME, "recursive"))
        return pcs_jwrong(p, PRECIS_EUNSUPPORTED, "a recursive loop is beyond the subset of Jinja that is read");
    if (!st) st = close_tag(p);
    p->loops++;
    if (!st) st = statements(p, &n->b, ends, &ended);
    p->loops--;
    if (!st && !strcmp(ended, "else")) return body(p, &n->c, "endfor");
    return st ? st : close_tag(p);
}

static precis_status parse_set(pcs_jparser *p, pcs_jnode **out)
{
    pcs_jnode *n = *out = pcs_jnew(p, N_SET);
    precis_status st = n ? targets(p, &n->targets) : PRECIS_ENOMEM;
    if (!st && pcs_jis(p, T_OP, ".")) {
        st = pcs_jadvance(p);
        if (!st) st = pcs_jtake_name(p, &n->name2);
    }
    if (st) return st;
    if (pcs_jis(p, T_OP, "=")) {
        st = pcs_jadvance(p);
        if (!st) st = pcs_jtuple(p, true, &n->a);
        return st ? st : close_tag(p);
    }
    /* {% set x %}...{% endset %}, perhaps with filters: they begin at the text */
    pcs_jnode *made = n->d = pcs_jnew(p, N_LITERAL);
    if (!made) return PRECIS_ENOMEM;
    st = pcs_jfilters(p, &n->d);
    n->c = made;
    return st ? st : body(p, &n->b, "endset");
}

/* (name, name=value, ...) of a macro or call. */
static precis_status parameters(pcs_jparser *p, pcs_jnode **out)
{
    precis_status st = pcs_jtake(p, T_OP, "(");
    while (!st && !pcs_jis(p, T_OP, ")")) {
        pcs_jnode *t = *out = pcs_jnew(p, N_NAME);
        st = t ? pcs_jtake_name(p, &t->name) : PRECIS_ENOMEM;
        if (!st && pcs_jis(p, T_OP, "=")) {
            st = pcs_jadvance(p);
            if (!st) st = pcs_jexpression(p, &t->a);
        }
        if (st || !pcs_jis(p, T_OP, ",")) break;
        out = &t->next;
        st = pcs_jadvance(p);
    }
    return st ? st : pcs_jtake(p, T_OP, ")");
}

static precis_status macro_body(pcs_jparser *p, pcs_jnode *n, const char *end)
{
    const int loops = p->loops;
    p->loops = 0; /* a loop around a macro is not its own to break */
    const precis_status st = body(p, &n->b, end);
    p->loops = loops;
    return st;
}

static precis_status parse_macro(pcs_jparser *p, pcs_jnode **out)
{
    pcs_jnode *n = *out = pcs_jnew(p, N_MACRO);
    precis_status st = n ? pcs_jtake_name(p, &n->name) : PRECIS_ENOMEM;
    if (!st) st = parameters(p, &n->targets);
    return st ? st : macro_body(p, n, "endmacro");
}

/* {% call(x) f(y) %}: f gets the body as its macro `caller`. */
static precis_status parse_call(pcs_jparser *p, pcs_jnode **out)
{
    pcs_jnode *n = *out = pcs_jnew(p, N_CALLER);
    if (!n) return PRECIS_ENOMEM;
    n->name = "caller";
    precis_status st = pcs_jis(p, T_OP, "(") ? parameters(p, &n->targets) : PRECIS_OK;
    if (!st) st = pcs_jexpression(p, &n->a);
    if (!st && n->a->kind != N_CALL) return pcs_jwrong(p, PRECIS_EFORMAT, "call needs the call of a macro");
    return st ? st : macro_body(p, n, "endcall");
}

static precis_status parse_filter(pcs_jparser *p, pcs_jnode **out)
{
    pcs_jnode *n = *out = pcs_jnew(p, N_FILTERED), *made;
    if (!n || !(made = n->d = pcs_jnew(p, N_LITERAL))) return PRECIS_ENOMEM;
    pcs_jnode *first = n->d = pcs_jnew(p, N_FILTER);
    if (!first) return PRECIS_ENOMEM;
    first->a = n->c = made;
    precis_status st = pcs_jtake_name(p, &first->name);
    if (!st && pcs_jis(p, T_OP, "(")) {
        st = pcs_jadvance(p);
        if (!st) st = pcs_jarguments(p, ")", &first->b);
    }
    if (!st) st = pcs_jfilters(p, &n->d);
    return st ? st : body(p, &n->b, "endfilter");
}

static precis_status parse_with(pcs_jparser *p, pcs_jnode **out)
{
    pcs_jnode *n = *out = pcs_jnew(p, N_WITH), **tail;
    if (!n) return PRECIS_ENOMEM;
    precis_status st = PRECIS_OK;
    for (tail = &n->targets; !st && p->type == T_NAME; tail = &(*tail)->next) {
        pcs_jnode *t = *tail = pcs_jnew(p, N_NAME);
        st = t ? pcs_jtake_name(p, &t->name) : PRECIS_ENOMEM;
        if (!st) st = pcs_jtake(p, T_OP, "=");
        if (!st) st = pcs_jexpression(p, &t->a);
        if (st || !pcs_jis(p, T_OP, ",")) break;
        st = pcs_jadvance(p);
    }
    return st ? st : body(p, &n->b, "endwith");
}

static precis_status loop_control(pcs_jparser *p, pcs_jkind kind, pcs_jnode **out)
{
    if (!p->loops) return pcs_jwrong(p, PRECIS_EFORMAT, "break or continue outside of a loop");
    return (*out = pcs_jnew(p, kind)) ? close_tag(p) : PRECIS_ENOMEM;
}

static precis_status parse_break(pcs_jparser *p, pcs_jnode **out) { return loop_control(p, N_BREAK, out); }
static precis_status parse_continue(pcs_jparser *p, pcs_jnode **out) { return loop_control(p, N_CONTINUE, out); }

/* Marks of what a model made, for training: the text stays. */
static precis_status parse_generation(pcs_jparser *p, pcs_jnode **out)
{
    pcs_jnode *n = *out = pcs_jnew(p, N_WITH);
    return n ? body(p, &n->b, "endgeneration") : PRECIS_ENOMEM;
}

/* Text as it stands up to {% endraw %}. */
static precis_status parse_raw(pcs_jparser *p, pcs_jnode **out)
{
    precis_status st = close_tag(p);
    if (st) return st;
    p->drop_newline = false; /* here alone trim_blocks does not hold */
    begin_text(p);
    const char *from = p->p;
    for (const char *at = from; at + 1 < p->end; p->j->line += *at++ == '\n') {
        if (at[0] != '{' || at[1] != '%') continue;
        p->p = at + 2 + (at + 2 < p->end && (at[2] == '-' || at[2] == '+'));
        while (p->p < p->end && (*p->p == ' ' || (*p->p >= 9 && *p->p <= 13))) p->p++;
        if (p->end - p->p < 6 || memcmp(p->p, "endraw", 6)) continue;
        p->p += 6;
        pcs_jnode **tail = out;
        st = text_node(p, from, end_text(p, from, at), &tail);
        if (!st) st = pcs_jadvance(p);
        return st ? st : close_tag(p);
    }
    return pcs_jinja_fail(p->j, PRECIS_EFORMAT, "endraw is missing at the end of the template");
}

static const struct { const char *name; tag *parse;
} tags[] = {
    { "if", parse_if },
    { "for", parse_for },
    { "set", parse_set },
    { "macro", parse_macro },
    { "call", parse_call },
    { "filter", parse_filter },
    { "with", parse_with },
    { "break", parse_break },
    { "continue", parse_continue },
    { "generation", parse_generation },
    { "raw", parse_raw },
};

static precis_status parse_tag(pcs_jparser *p, pcs_jnode **out)
{
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!pcs_jis(p, T_NAME, tags[i].name)) continue;
        const precis_status st = pcs_jadvance(p);
        return st ? st : tags[i].parse(p, out);
    }
    return pcs_jinja_fail(p->j, PRECIS_EUNSUPPORTED, "the tag \"%.*s\" is beyond the subset of Jinja that is read",
                          (int)(p->len < 40 ? p->len : 40), p->text);
}

static precis_status comment(pcs_jparser *p)
{
    while (p->p + 1 < p->end && memcmp(p->p, "#}", 2)) p->j->line += *p->p++ == '\n';
    if (p->p + 1 >= p->end) return pcs_jwrong(p, PRECIS_EFORMAT, "a comment does not end");
    p->trim_next = p->p[-1] == '-';
    p->drop_newline = p->p[-1] != '+';
    p->p += 2;
    return PRECIS_OK;
}

/* Statements until one of the tags in `ends`; that tag's name has been read, its end has not. */
static precis_status statements(pcs_jparser *p, pcs_jnode **out, const char *const *ends, const char **ended)
{
    precis_status st = pcs_jdeeper(p);
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
            st = comment(p);
            continue;
        }
        p->close = kind == '{' ? "}}" : "%}";
        p->brackets = 0;
        if ((st = pcs_jadvance(p))) break;
        bool over = false;
        for (size_t i = 0; kind == '%' && ends && ends[i]; i++)
            if (pcs_jis(p, T_NAME, ends[i])) *ended = ends[i], over = true;
        if (over) {
            st = pcs_jadvance(p);
            break;
        }
        pcs_jnode *n = NULL;
        if (kind == '%') st = parse_tag(p, &n);
        else if (!(n = pcs_jnew(p, N_OUTPUT))) st = PRECIS_ENOMEM;
        else if (!(st = pcs_jtuple(p, true, &n->a))) st = close_tag(p);
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
    pcs_jparser p = { .j = j, .p = j->source, .end = j->source + len, .text = j->source, .close = "%}" };
    return statements(&p, &j->program, NULL, NULL);
}
