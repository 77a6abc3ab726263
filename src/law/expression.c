/* expression.c - Dijkstra's shunting yard: operators wait on one stack, nodes on another,
 * both bounded; nothing recurses. */
#include "law/expression.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

precis_status pcs_law_fail(const pcs_law_text_at *t, const char *at, const char *fmt, ...)
{
    char why[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return pcs_fail(t->ctx, PRECIS_EFORMAT, "%s, line %d, column %d: %s", t->file, t->line,
                    (int)(at - t->line_start) + 1, why);
}

/* Functions: name, arguments, node. pow and log10 are made of others. */
typedef enum { F_NODE, F_POW, F_LOG2, F_LOG10, F_SELECT, F_GROUP } kind;
typedef struct { const char *name; int args; kind kind; pcs_e_op op; } function;
static const function functions[] = {
    { "exp", 1, F_NODE, PCS_E_EXP },    { "log", 1, F_NODE, PCS_E_LOG },     { "ln", 1, F_NODE, PCS_E_LOG },
    { "log2", 1, F_LOG2, PCS_E_LOG },   { "log10", 1, F_LOG10, PCS_E_LOG },  { "sqrt", 1, F_NODE, PCS_E_SQRT },
    { "min", 2, F_NODE, PCS_E_MIN },    { "max", 2, F_NODE, PCS_E_MAX },     { "pow", 2, F_POW, PCS_E_POW },
    { "select", -1, F_SELECT, PCS_E_SELECT },
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

/* op is one of + - * / ^, n (a negation) or ( (a group or a call). */
typedef struct { char op; int function; int args; const char *at; int floor; } waiting;

typedef struct {
    precis_law *law;
    pcs_law_text_at *t;
    uint16_t values[PCS_LAW_STACK];
    waiting ops[PCS_LAW_STACK];
    int n_values, n_ops;
} yard;

static bool may_be_zero(int variable)
{
    return variable == PCS_VAR_sparsity || variable == PCS_VAR_qat || variable == PCS_VAR_mantissa ||
           variable == PCS_VAR_exponent;
}

/* Has a node a power or an exponential in it? Only of sums and products the second part is asked, too. */
static bool is_heavy(const pcs_e *e, const pcs_e *a, const pcs_e *b)
{
    if (e->op == PCS_E_POW || e->op == PCS_E_EXP || e->op == PCS_E_SQRT) return true;
    if (e->op <= PCS_E_VAR || e->op == PCS_E_SELECT) return false;
    const bool both = e->op == PCS_E_ADD || e->op == PCS_E_SUB || e->op == PCS_E_MUL || e->op == PCS_E_DIV;
    return a->heavy || (both && b->heavy);
}

static precis_status node(yard *y, const char *at, pcs_e e, uint16_t *out)
{
    precis_law *l = y->law;
    if (l->n_e == PCS_LAW_NODES)
        return pcs_law_fail(y->t, at, "more than %d parts in the expressions of a law", PCS_LAW_NODES);
    const pcs_e *a = &l->e[e.arg[0]], *b = &l->e[e.arg[1]], *c = &l->e[e.arg[2]];
    switch (e.op) {
    case PCS_E_CONST: e.positive = e.value > 0; break;
    case PCS_E_PARAM: e.positive = l->params[e.index].positive; break;
    case PCS_E_VAR: e.positive = !may_be_zero(e.index); break;
    case PCS_E_ADD: case PCS_E_MUL: case PCS_E_DIV: case PCS_E_MIN: case PCS_E_MAX:
        e.positive = a->positive && b->positive;
        break;
    case PCS_E_POW: case PCS_E_SQRT: e.positive = a->positive; break;
    case PCS_E_EXP: e.positive = true; break;
    case PCS_E_SELECT: e.positive = b->positive && (c->positive || (c->op == PCS_E_CONST && isnan(c->value))); break;
    case PCS_E_SUB: case PCS_E_NEG: case PCS_E_LOG: break;
    }
    e.heavy = is_heavy(&e, a, b);
    *out = (uint16_t)l->n_e;
    l->e[l->n_e++] = e;
    return PRECIS_OK;
}

static precis_status push(yard *y, const char *at, pcs_e e)
{
    if (y->n_values == PCS_LAW_STACK) return pcs_law_fail(y->t, at, "an expression deeper than %d", PCS_LAW_STACK);
    const precis_status st = node(y, at, e, &y->values[y->n_values]);
    y->n_values += !st;
    return st;
}

static precis_status push_op(yard *y, waiting w)
{
    if (y->n_ops == PCS_LAW_STACK) return pcs_law_fail(y->t, w.at, "an expression deeper than %d", PCS_LAW_STACK);
    w.floor = y->n_values;
    y->ops[y->n_ops++] = w;
    return PRECIS_OK;
}

typedef struct { char op; int rank; pcs_e_op node; } operation;
static const operation operations[] = {
    { '+', 1, PCS_E_ADD }, { '-', 1, PCS_E_SUB }, { '*', 2, PCS_E_MUL },
    { '/', 2, PCS_E_DIV }, { 'n', 3, PCS_E_NEG }, { '^', 4, PCS_E_POW },
};

/* The row of an operator; a parenthesis has none, and the least rank. */
static const operation *operation_of(char op)
{
    static const operation none = { '(', 0, PCS_E_NEG };
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (operations[i].op == op) return &operations[i];
    return &none;
}

/* Does an operator that waits take its operands before the next one? Powers go from right to left. */
static bool binds_first(char waits, char next)
{
    const int a = operation_of(waits)->rank, b = operation_of(next)->rank;
    return a > b || (a == b && next != '^');
}

/* The operator on top takes its operands. */
static precis_status reduce(yard *y)
{
    const waiting w = y->ops[--y->n_ops];
    const int need = w.op == 'n' ? 1 : 2;
    if (y->n_values < need) return pcs_law_fail(y->t, w.at, "an operand is missing");
    pcs_e e = { .op = operation_of(w.op)->node };
    y->n_values -= need;
    for (int i = 0; i < need; i++) e.arg[i] = y->values[y->n_values + i];
    return push(y, w.at, e);
}

/* select(x, key, value, key, value, ...): a chain, the last without an answer. */
static precis_status select_chain(yard *y, const waiting *w, const uint16_t *v, int n)
{
    const precis_law *l = y->law;
    if (n < 3 || n % 2 == 0)
        return pcs_law_fail(y->t, w->at, "select takes a value, then pairs of a number and what it gives");
    uint16_t rest = 0, x = v[0];
    precis_status st = node(y, w->at, (pcs_e){ .op = PCS_E_CONST, .value = NAN }, &rest);
    for (int i = n - 2; i >= 1 && !st; i -= 2) {
        if (l->e[v[i]].op != PCS_E_CONST) return pcs_law_fail(y->t, w->at, "the keys of select are numbers");
        st = node(y, w->at, (pcs_e){ .op = PCS_E_SELECT, .arg = { x, v[i + 1], rest }, .value = l->e[v[i]].value },
                  &rest);
    }
    y->n_values -= n;
    y->values[y->n_values++] = rest;
    return st;
}

/* A call whose arguments are on the stack. */
static precis_status call(yard *y, const waiting *w)
{
    const int n = w->args, have = y->n_values - w->floor;
    if (have != n) return pcs_law_fail(y->t, w->at, "an argument is missing");
    const function *f = &functions[w->function];
    if (f->args >= 0 && f->args != n)
        return pcs_law_fail(y->t, w->at, "%s takes %d argument%s, not %d", f->name, f->args,
                            f->args == 1 ? "" : "s", n);
    const uint16_t *v = y->values + w->floor;
    if (f->kind == F_SELECT) return select_chain(y, w, v, n);
    pcs_e e = { .op = f->op };
    for (int i = 0; i < n; i++) e.arg[i] = v[i];
    y->n_values -= n;
    precis_status st = push(y, w->at, e);
    const double ln_2 = 0.69314718055994530942, ln_10 = 2.30258509299404568402;
    const double base = f->kind == F_LOG2 ? ln_2 : f->kind == F_LOG10 ? ln_10 : 0;
    if (st || base == 0) return st;
    st = push(y, w->at, (pcs_e){ .op = PCS_E_CONST, .value = base });
    if (st) return st;
    y->n_values -= 2;
    return push(y, w->at, (pcs_e){ .op = PCS_E_DIV, .arg = { y->values[y->n_values], y->values[y->n_values + 1] } });
}

/* Everything back to the open parenthesis. */
static precis_status close_group(yard *y, const char *at, bool comma)
{
    precis_status st = PRECIS_OK;
    while (!st && y->n_ops && y->ops[y->n_ops - 1].op != '(') st = reduce(y);
    if (st) return st;
    if (!y->n_ops)
        return pcs_law_fail(y->t, at, "%s without a parenthesis before it",
                            comma ? "a comma" : "a closing parenthesis");
    waiting *w = &y->ops[y->n_ops - 1];
    w->args++;
    if (comma) return w->function < 0 ? pcs_law_fail(y->t, at, "a comma outside a function") : PRECIS_OK;
    y->n_ops--;
    if (w->function >= 0) return call(y, w);
    return y->n_values == w->floor + 1 ? PRECIS_OK : pcs_law_fail(y->t, w->at, "empty parentheses");
}

/* A name: a function's, a let's, a parameter's, or a variable's. */
static precis_status name(yard *y, const char *at, const char *word, bool *operand)
{
    const precis_law *l = y->law;
    pcs_law_text_at *t = y->t;
    const char *p = t->p;
    while (p < t->end && (*p == ' ' || *p == '\t')) p++;
    if (p < t->end && *p == '(') {
        for (int i = 0; i < N_FUNCTIONS; i++)
            if (!strcmp(functions[i].name, word)) {
                t->p = p + 1;
                *operand = false;
                return push_op(y, (waiting){ .op = '(', .function = i, .at = at });
            }
        return pcs_law_fail(t, at, "no function %s (there are exp log log2 log10 sqrt min max pow select)", word);
    }
    *operand = true;
    const int let = pcs_law_let(l, word), param = pcs_law_param(l, word);
    if (let >= 0) {
        if (y->n_values == PCS_LAW_STACK) return pcs_law_fail(t, at, "an expression deeper than %d", PCS_LAW_STACK);
        y->values[y->n_values++] = (uint16_t)let;
        return PRECIS_OK;
    }
    if (param >= 0) return push(y, at, (pcs_e){ .op = PCS_E_PARAM, .index = (uint16_t)param });
    for (int v = 0; v < PCS_VARS; v++)
        if (!strcmp(pcs_variables[v].name, word)) return push(y, at, (pcs_e){ .op = PCS_E_VAR, .index = (uint16_t)v });
    return pcs_law_fail(t, at, "%s is no parameter, no variable and no let before this line", word);
}

static precis_status operator(yard *y, char op, const char *at, bool operand)
{
    precis_status st = PRECIS_OK;
    if (!operand && op == '-') return push_op(y, (waiting){ .op = 'n', .at = at });
    if (!operand && op == '+') return PRECIS_OK;
    if (!operand) return pcs_law_fail(y->t, at, "an operand is missing before %c", op);
    while (!st && y->n_ops && binds_first(y->ops[y->n_ops - 1].op, op)) st = reduce(y);
    return st ? st : push_op(y, (waiting){ .op = op, .at = at });
}
/* Does character n of a number belong to it? A sign does after an e. */
static bool of_number(const char *at, size_t n)
{
    if (isalnum((unsigned char)at[n]) || at[n] == '.') return true;
    return (at[n] == '+' || at[n] == '-') && n && (at[n - 1] == 'e' || at[n - 1] == 'E');
}


static precis_status token(yard *y, bool *operand)
{
    pcs_law_text_at *t = y->t;
    const char *at = t->p, ch = *at;
    if (isdigit((unsigned char)ch) || ch == '.') {
        char number[64], *end;
        size_t n = 0;
        while (n < 63 && at + n < t->end && of_number(at, n)) number[n] = at[n], n++;
        number[n] = 0;
        const double v = strtod(number, &end);
        if (*end || !isfinite(v)) return pcs_law_fail(t, at, "%s is no number", number);
        if (*operand) return pcs_law_fail(t, at, "an operator is missing before %s", number);
        t->p += n;
        *operand = true;
        return push(y, at, (pcs_e){ .op = PCS_E_CONST, .value = v });
    }
    if (isalpha((unsigned char)ch) || ch == '_') {
        char word[PCS_LAW_NAME];
        size_t n = 0;
        while (n < sizeof word - 1 && at + n < t->end && (isalnum((unsigned char)at[n]) || at[n] == '_'))
            word[n] = at[n], n++;
        word[n] = 0;
        if (*operand) return pcs_law_fail(t, at, "an operator is missing before %s", word);
        t->p += n;
        return name(y, at, word, operand);
    }
    t->p++;
    if (ch == '(') {
        if (*operand) return pcs_law_fail(t, at, "an operator is missing before (");
        return push_op(y, (waiting){ .op = '(', .function = -1, .at = at });
    }
    if (ch == ')' || ch == ',') {
        if (!*operand) return pcs_law_fail(t, at, "an operand is missing before %c", ch);
        const precis_status st = close_group(y, at, ch == ',');
        *operand = ch == ')';
        return st;
    }
    if (!strchr("+-*/^", ch) || !ch) return pcs_law_fail(t, at, "byte 0x%02x has no meaning here", (unsigned char)ch);
    const precis_status st = operator(y, ch, at, *operand);
    *operand = false;
    return st;
}

precis_status pcs_expression(precis_law *law, pcs_law_text_at *t, uint16_t *out)
{
    yard y = { .law = law, .t = t };
    bool operand = false;
    precis_status st = PRECIS_OK;
    while (!st && t->p < t->end && *t->p != '\n' && *t->p != '#') {
        if (*t->p == ' ' || *t->p == '\t' || *t->p == '\r') t->p++;
        else st = token(&y, &operand);
    }
    if (!st && !operand) st = pcs_law_fail(t, t->p, "an operand is missing at the end");
    while (!st && y.n_ops) {
        const waiting *top = &y.ops[y.n_ops - 1];
        st = top->op == '(' ? pcs_law_fail(t, top->at, "a parenthesis is not closed") : reduce(&y);
    }
    if (!st && y.n_values != 1) st = pcs_law_fail(t, t->p, "no single value");
    if (!st) *out = y.values[0];
    return st;
}

int pcs_law_let(const precis_law *law, const char *name)
{
    for (int i = 0; i < law->n_lets; i++)
        if (!strcmp(law->lets[i].name, name)) return law->lets[i].node;
    return -1;
}

int pcs_law_param(const precis_law *law, const char *name)
{
    for (int i = 0; i < law->n_params; i++)
        if (!strcmp(law->params[i].name, name)) return i;
    return -1;
}
