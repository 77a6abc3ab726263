/* jinja_parse.c - expressions of a template to a tree, with Jinja's precedence: or, and, not, comparisons, + -, ~, * /
 * // %, **, sign, then what stands after a value: attributes, calls, filters, tests. Depth is bounded; nothing is
 * copied but names and strings. */
#include "text/jinja_parse.h"

/* Arguments up to the closing bracket; name=value becomes N_KEYWORD, key: value of a mapping two nodes. */
precis_status pcs_jarguments(pcs_jparser *p, const char *close, pcs_jnode **out)
{
    pcs_jnode **tail = out;
    while (!pcs_jis(p, T_OP, close)) {
        if (pcs_jis(p, T_OP, "*") || pcs_jis(p, T_OP, "**"))
            return pcs_jwrong(p, PRECIS_EUNSUPPORTED, "arguments behind * are beyond the subset of Jinja that is read");
        precis_status st = pcs_jexpression(p, tail);
        if (st) return st;
        if (pcs_jis(p, T_OP, "=") && (*tail)->kind == N_NAME && !strcmp(close, ")")) {
            pcs_jnode *k = *tail;
            k->kind = N_KEYWORD;
            if ((st = pcs_jadvance(p)) || (st = pcs_jexpression(p, &k->a))) return st;
        }
        if (!strcmp(close, "}")) {
            pcs_jnode *pair = *tail;
            if ((st = pcs_jtake(p, T_OP, ":")) || (st = pcs_jexpression(p, &pair->next))) return st;
            tail = &pair->next;
        }
        tail = &(*tail)->next;
        if (!pcs_jis(p, T_OP, ",")) break;
        if ((st = pcs_jadvance(p))) return st;
    }
    return pcs_jtake(p, T_OP, close);
}

static precis_status literal(pcs_jparser *p, pcs_jnode **out)
{
    pcs_jnode *n = *out = pcs_jnew(p, N_LITERAL);
    if (!n) return PRECIS_ENOMEM;
    n->value = p->value;
    precis_status st = pcs_jadvance(p);
    while (!st && n->value.type == J_STRING && p->type == T_STRING) { /* adjacent strings join */
        pcs_jvalue both;
        st = pcs_jbinary(p->j, "+", n->value, p->value, &both);
        n->value = both;
        if (!st) st = pcs_jadvance(p);
    }
    return st;
}

static precis_status name(pcs_jparser *p, pcs_jnode **out)
{
    static const struct { const char *name; pcs_jtype type; int value;
    } constants[] = { { "true", J_BOOL, 1 },  { "True", J_BOOL, 1 }, { "false", J_BOOL, 0 },
                      { "False", J_BOOL, 0 }, { "none", J_NONE, 0 }, { "None", J_NONE, 0 } };
    pcs_jnode *n = *out = pcs_jnew(p, N_NAME);
    const precis_status st = n ? pcs_jtake_name(p, &n->name) : PRECIS_ENOMEM;
    for (size_t i = 0; !st && i < sizeof constants / sizeof *constants; i++)
        if (!strcmp(constants[i].name, n->name))
            n->kind = N_LITERAL, n->value = (pcs_jvalue){ .type = constants[i].type, .i = constants[i].value };
    return st;
}

precis_status pcs_jprimary(pcs_jparser *p, pcs_jnode **out)
{
    precis_status st;
    if (p->type == T_INT || p->type == T_FLOAT || p->type == T_STRING) return literal(p, out);
    if (p->type == T_NAME) return name(p, out);
    if (pcs_jis(p, T_OP, "(")) {
        if ((st = pcs_jadvance(p))) return st;
        if (pcs_jis(p, T_OP, ")")) {
            if (!(*out = pcs_jnew(p, N_TUPLE))) return PRECIS_ENOMEM;
        } else if ((st = pcs_jtuple(p, true, out))) return st;
        return pcs_jtake(p, T_OP, ")");
    }
    const bool list = pcs_jis(p, T_OP, "[");
    if (!list && !pcs_jis(p, T_OP, "{")) return pcs_jwrong(p, PRECIS_EFORMAT, "an expression is expected");
    pcs_jnode *n = *out = pcs_jnew(p, list ? N_LIST : N_DICT);
    if (!n) return PRECIS_ENOMEM;
    if ((st = pcs_jadvance(p))) return st;
    return pcs_jarguments(p, list ? "]" : "}", &n->a);
}

static precis_status subscript(pcs_jparser *p, pcs_jnode *n)
{
    precis_status st = PRECIS_OK;
    n->kind = N_INDEX;
    if (!pcs_jis(p, T_OP, ":")) st = pcs_jexpression(p, &n->b);
    if (!st && pcs_jis(p, T_OP, ":")) {
        n->kind = N_SLICE;
        st = pcs_jadvance(p);
        if (!st && !pcs_jis(p, T_OP, "]") && !pcs_jis(p, T_OP, ":")) st = pcs_jexpression(p, &n->c);
        if (!st && pcs_jis(p, T_OP, ":")) {
            st = pcs_jadvance(p);
            if (!st && !pcs_jis(p, T_OP, "]")) st = pcs_jexpression(p, &n->d);
        }
    }
    return st ? st : pcs_jtake(p, T_OP, "]");
}

/* A node around *out; the token in hand is passed. */
static precis_status wrap(pcs_jparser *p, pcs_jkind kind, pcs_jnode **out)
{
    pcs_jnode *n = pcs_jnew(p, kind);
    if (!n) return PRECIS_ENOMEM;
    n->a = *out;
    *out = n;
    return pcs_jadvance(p);
}

/* Attributes, items and calls. count: parts of this expression so far, each of which is evaluated within the next. */
static precis_status postfix(pcs_jparser *p, int *count, pcs_jnode **out)
{
    precis_status st = PRECIS_OK;
    while (!st) {
        const bool dot = pcs_jis(p, T_OP, "."), bracket = pcs_jis(p, T_OP, "["), call = pcs_jis(p, T_OP, "(");
        if (!dot && !bracket && !call) return PRECIS_OK;
        if (++*count > PCS_LIMIT_TEMPLATE_DEPTH)
            return pcs_jwrong(p, PRECIS_EFORMAT, "too many steps in one expression");
        st = wrap(p, dot ? N_ATTR : call ? N_CALL : N_INDEX, out);
        if (st) return st;
        if (dot && p->type == T_INT) { /* x.0 is x[0] */
            (*out)->kind = N_INDEX;
            st = pcs_jprimary(p, &(*out)->b);
        } else if (dot) st = pcs_jtake_name(p, &(*out)->name);
        else st = call ? pcs_jarguments(p, ")", &(*out)->b) : subscript(p, *out);
    }
    return st;
}

static precis_status parse_filter(pcs_jparser *p, pcs_jnode **out)
{
    precis_status st = wrap(p, N_FILTER, out);
    pcs_jnode *n = *out;
    if (!st) st = pcs_jtake_name(p, &n->name);
    if (!st && pcs_jis(p, T_OP, "(")) {
        st = pcs_jadvance(p);
        if (!st) st = pcs_jarguments(p, ")", &n->b);
    }
    return st;
}

precis_status pcs_jfilters(pcs_jparser *p, pcs_jnode **out)
{
    precis_status st = PRECIS_OK;
    for (int count = 0; !st && pcs_jis(p, T_OP, "|"); count++) {
        if (count > PCS_LIMIT_TEMPLATE_DEPTH) return pcs_jwrong(p, PRECIS_EFORMAT, "too many filters");
        st = parse_filter(p, out);
    }
    return st;
}

static precis_status parse_test(pcs_jparser *p, pcs_jnode **out)
{
    static const char *const words[] = { "else", "or", "and", "if", "is", "not", "in", "recursive" };
    precis_status st = wrap(p, N_TEST, out);
    pcs_jnode *n = *out;
    int count = 0;
    if (!st && pcs_jis(p, T_NAME, "not")) n->negated = true, st = pcs_jadvance(p);
    if (!st) st = pcs_jtake_name(p, &n->name);
    if (st) return st;
    if (pcs_jis(p, T_OP, "(")) {
        st = pcs_jadvance(p);
        return st ? st : pcs_jarguments(p, ")", &n->b);
    }
    bool argument = p->type == T_NAME || p->type == T_INT || p->type == T_FLOAT || p->type == T_STRING ||
                    pcs_jis(p, T_OP, "[") || pcs_jis(p, T_OP, "{");
    for (size_t i = 0; argument && i < sizeof words / sizeof *words; i++) argument = !pcs_jis(p, T_NAME, words[i]);
    if (!argument) return PRECIS_OK;
    st = pcs_jprimary(p, &n->b);
    return st ? st : postfix(p, &count, &n->b);
}

static precis_status unary(pcs_jparser *p, bool filters, pcs_jnode **out)
{
    precis_status st;
    int count = 0;
    if (pcs_jis(p, T_OP, "-") || pcs_jis(p, T_OP, "+")) {
        pcs_jnode *n = *out = pcs_jnew(p, pcs_jis(p, T_OP, "-") ? N_MINUS : N_PLUS);
        if (!n) return PRECIS_ENOMEM;
        st = pcs_jdeeper(p);
        if (!st) st = pcs_jadvance(p);
        if (!st) st = unary(p, false, &n->a);
        p->depth--;
    } else st = pcs_jprimary(p, out);
    if (!st) st = postfix(p, &count, out);
    while (!st && filters) {
        const bool bar = pcs_jis(p, T_OP, "|"), is = pcs_jis(p, T_NAME, "is");
        if (!bar && !is && !pcs_jis(p, T_OP, "(")) break;
        if (++count > PCS_LIMIT_TEMPLATE_DEPTH)
            return pcs_jwrong(p, PRECIS_EFORMAT, "too many steps in one expression");
        st = bar ? parse_filter(p, out) : is ? parse_test(p, out) : postfix(p, &count, out);
    }
    return st;
}

/* Binary operators by level, loosest first; the comparisons stand between "and" and these. */
static const char *const levels[][5] = {
    { "or" }, { "and" }, { "+", "-" }, { "~" }, { "*", "/", "//", "%" }, { "**" }
};
enum { LEVELS = 6, SUMS = 2 };

static precis_status negation(pcs_jparser *p, pcs_jnode **out);

static precis_status parse_binary(pcs_jparser *p, int level, pcs_jnode **out)
{
    if (level == LEVELS) return unary(p, true, out);
    precis_status st = level == SUMS - 1 ? negation(p, out) : parse_binary(p, level + 1, out);
    for (int count = 0; !st; count++) {
        const char *op = NULL;
        for (int i = 0; i < 5 && levels[level][i]; i++)
            if (pcs_jis(p, T_OP, levels[level][i]) || pcs_jis(p, T_NAME, levels[level][i])) op = levels[level][i];
        if (!op) return PRECIS_OK;
        if (count > PCS_LIMIT_TEMPLATE_DEPTH)
            return pcs_jwrong(p, PRECIS_EFORMAT, "too many operators in one expression");
        st = wrap(p, N_BINARY, out);
        (*out)->name = op;
        if (!st) st = level == SUMS - 1 ? negation(p, &(*out)->b) : parse_binary(p, level + 1, &(*out)->b);
    }
    return st;
}

/* a < b <= c: each is compared with the next; the operators are in the names of the operands' nodes. */
static precis_status parse_comparison(pcs_jparser *p, pcs_jnode **out)
{
    static const char *const ops[] = { "==", "!=", "<", ">", "<=", ">=", "in", "not" };
    precis_status st = parse_binary(p, SUMS, out);
    pcs_jnode *chain = NULL, **tail = NULL;
    while (!st) {
        const char *op = NULL;
        for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
            if (pcs_jis(p, T_OP, ops[i]) || pcs_jis(p, T_NAME, ops[i])) op = ops[i];
        if (!op) return PRECIS_OK;
        if (!chain) {
            if (!(chain = pcs_jnew(p, N_COMPARE))) return PRECIS_ENOMEM;
            chain->a = *out;
            *out = chain;
            tail = &chain->b;
        }
        pcs_jnode *n = *tail = pcs_jnew(p, N_BINARY);
        if (!n) return PRECIS_ENOMEM;
        tail = &n->next;
        st = pcs_jadvance(p);
        if (!st && !strcmp(op, "not")) op = "not in", st = pcs_jtake(p, T_NAME, "in");
        n->name = op;
        if (!st) st = parse_binary(p, SUMS, &n->a);
    }
    return st;
}

static precis_status negation(pcs_jparser *p, pcs_jnode **out)
{
    if (!pcs_jis(p, T_NAME, "not")) return parse_comparison(p, out);
    pcs_jnode *n = *out = pcs_jnew(p, N_NOT);
    precis_status st = n ? pcs_jdeeper(p) : PRECIS_ENOMEM;
    if (!st) st = pcs_jadvance(p);
    if (!st) st = negation(p, &n->a);
    p->depth--;
    return st;
}

precis_status pcs_jexpression(pcs_jparser *p, pcs_jnode **out)
{
    precis_status st = pcs_jdeeper(p);
    if (!st) st = parse_binary(p, 0, out);
    for (int count = 0; !st && pcs_jis(p, T_NAME, "if"); count++) {
        pcs_jnode *n = pcs_jnew(p, N_COND);
        if (!n) return PRECIS_ENOMEM;
        if (count > PCS_LIMIT_TEMPLATE_DEPTH)
            return pcs_jwrong(p, PRECIS_EFORMAT, "too many conditions in one expression");
        n->b = *out;
        *out = n;
        st = pcs_jadvance(p);
        if (!st) st = parse_binary(p, 0, &n->a);
        if (!st && pcs_jis(p, T_NAME, "else")) {
            st = pcs_jadvance(p);
            if (!st) st = pcs_jexpression(p, &n->c);
        }
    }
    p->depth--;
    return st;
}

precis_status pcs_jtuple(pcs_jparser *p, bool with_if, pcs_jnode **out)
{
    precis_status st = with_if ? pcs_jexpression(p, out) : parse_binary(p, 0, out);
    if (st || !pcs_jis(p, T_OP, ",")) return st;
    pcs_jnode *n = pcs_jnew(p, N_TUPLE), **tail;
    if (!n) return PRECIS_ENOMEM;
    n->a = *out;
    *out = n;
    tail = &n->a->next;
    while (!st && pcs_jis(p, T_OP, ",")) {
        st = pcs_jadvance(p);
        if (st || p->type == T_CLOSE || pcs_jis(p, T_OP, ")") || pcs_jis(p, T_OP, "=")) break;
        st = with_if ? pcs_jexpression(p, tail) : parse_binary(p, 0, tail);
        if (!st) tail = &(*tail)->next;
    }
    return st;
}
