/* tape.c - a law's tree as a list of column operations, and its reverse (Griewank and Walther 2008, chapter 3).
 *
 * Products, quotients and powers of positive things are kept as logarithms, sums of them as
 * log-sum-exp: A / N^alpha costs one exponential, and log(loss) is the log-sum-exp form of Hoffmann et
 * al. (2022), section D.3, for every law, without being written so. */
#include "kernel/kernel.h"
#include "law/law.h"

#include <math.h>

typedef enum {
    T_CONST,
    T_PARAM,
    T_VAR,
    T_LOGVAR,
    T_ADD,
    T_SUB,
    T_MUL,
    T_DIV,
    T_EXP,
    T_LOG,
    T_MIN,
    T_MAX,
    T_SELECT,
    T_LSE
} t_op;

typedef struct {
    t_op op;
    int arg[PCS_COLUMN_TERMS], n_args;
    double key;              /* of CONST and SELECT */
    int index;               /* of PARAM and VAR */
    bool column, live, active; /* not a scalar; has a parameter below it; has one or a wanted variable */
    double *value, *adj;     /* a column, or PCS_COLUMN_LANES equal numbers (value) and one (adj) */
    double *share[PCS_COLUMN_TERMS];
} t_node;

enum { T_NODES = 2 * PCS_LAW_NODES };

struct pcs_tape {
    precis_ctx *ctx;
    pcs_arena arena;
    pcs_kernels k;
    size_t n;                /* whole lanes */
    int n_nodes, root, n_params;
    bool failed;
    int param[PCS_LAW_PARAMS], var[PCS_VARS], logvar[PCS_VARS]; /* their nodes; -1: none */
    double *tmp;
    t_node nodes[T_NODES];
};

/* ---- from tree to list ------------------------------------------------------------------------------------------- */

typedef struct {
    pcs_tape *t;
    const precis_law *law;
    unsigned flags;
    bool need_v[PCS_LAW_NODES], need_l[PCS_LAW_NODES];
    int v[PCS_LAW_NODES], l[PCS_LAW_NODES]; /* nodes of the list */
} compiler;

static int emit(compiler *c, t_node x)
{
    pcs_tape *t = c->t;
    for (int i = 0; i < t->n_nodes; i++) {
        const t_node *y = &t->nodes[i];
        if (y->op == x.op && y->n_args == x.n_args && y->index == x.index &&
            (y->key == x.key || (isnan(y->key) && isnan(x.key))) && !memcmp(y->arg, x.arg, sizeof x.arg))
            return i;
    }
    if (t->n_nodes == T_NODES) {
        t->failed = true;
        return 0;
    }
    x.column = x.op == T_VAR || x.op == T_LOGVAR || (x.op == T_PARAM && c->flags & PCS_TAPE_WIDE);
    x.live = x.op == T_PARAM;
    x.active = x.live || (x.column && c->flags & PCS_TAPE_VARIABLES);
    for (int i = 0; i < x.n_args; i++) {
        const t_node *y = &t->nodes[x.arg[i]];
        x.column = x.column || y->column;
        x.live = x.live || y->live || c->flags & PCS_TAPE_VARIABLES; /* the caller may change variables between runs */
        x.active = x.active || y->active;
    }
    t->nodes[t->n_nodes] = x;
    return t->n_nodes++;
}

static int constant(compiler *c, double v) { return emit(c, (t_node){ .op = T_CONST, .key = v }); }
static int unary(compiler *c, t_op op, int a) { return emit(c, (t_node){ .op = op, .arg = { a }, .n_args = 1 }); }
static int binary(compiler *c, t_op op, int a, int b)
{
    return emit(c, (t_node){ .op = op, .arg = { a, b }, .n_args = 2 });
}

/* Is the logarithm of this node made from those of its parts? */
static bool by_parts(const precis_law *l, const pcs_e *e)
{
    switch (e->op) {
    case PCS_E_MUL: case PCS_E_DIV: case PCS_E_ADD: return l->e[e->arg[0]].positive && l->e[e->arg[1]].positive;
    case PCS_E_POW: case PCS_E_SQRT: return l->e[e->arg[0]].positive;
    case PCS_E_EXP: return true;
    case PCS_E_PARAM: case PCS_E_VAR: return e->positive;
    case PCS_E_CONST: return e->value > 0;
    case PCS_E_SELECT: return e->positive;
    default: return false;
    }
}

/* Terms of a positive sum, with sums within it, at most PCS_COLUMN_TERMS. */
static int terms(const precis_law *l, int node, int out[PCS_COLUMN_TERMS])
{
    int n = 1;
    out[0] = node;
    for (int i = 0; i < n;) {
        const pcs_e *e = &l->e[out[i]];
        if (e->op != PCS_E_ADD || n == PCS_COLUMN_TERMS) {
            i++;
            continue;
        }
        for (int k = n; k > i + 1; k--) out[k] = out[k - 1];
        out[i] = e->arg[0];
        out[i + 1] = e->arg[1];
        n++;
    }
    return n;
}

/* The value of this node is the exponential of its logarithm: one exponential for a whole product of powers. */
static bool through_log(const precis_law *l, const pcs_e *e)
{
    return e->heavy && by_parts(l, e) &&
           (e->op == PCS_E_POW || e->op == PCS_E_SQRT || e->op == PCS_E_MUL || e->op == PCS_E_DIV);
}

static void need_value(compiler *c, int i)
{
    const pcs_e *e = &c->law->e[i];
    if (through_log(c->law, e)) c->need_l[i] = true;
    else if (e->op == PCS_E_LOG) c->need_l[e->arg[0]] = true;
    else if (e->op == PCS_E_POW) c->need_l[e->arg[0]] = c->need_v[e->arg[1]] = true;
    else if (e->op == PCS_E_SQRT) c->need_l[e->arg[0]] = true;
    else if (e->op == PCS_E_NEG || e->op == PCS_E_EXP) c->need_v[e->arg[0]] = true;
    else if (e->op == PCS_E_SELECT) c->need_v[e->arg[0]] = c->need_v[e->arg[1]] = c->need_v[e->arg[2]] = true;
    else if (e->op > PCS_E_VAR) c->need_v[e->arg[0]] = c->need_v[e->arg[1]] = true;
}

static void need_log(compiler *c, int i)
{
    const pcs_e *e = &c->law->e[i];
    int list[PCS_COLUMN_TERMS];
    if (!by_parts(c->law, e)) {
        c->need_v[i] = true;
        need_value(c, i);
    } else if (e->op == PCS_E_MUL || e->op == PCS_E_DIV) c->need_l[e->arg[0]] = c->need_l[e->arg[1]] = true;
    else if (e->op == PCS_E_ADD)
        for (int k = 0, n = terms(c->law, i, list); k < n; k++) c->need_l[list[k]] = true;
    else if (e->op == PCS_E_POW) c->need_l[e->arg[0]] = c->need_v[e->arg[1]] = true;
    else if (e->op == PCS_E_SQRT) c->need_l[e->arg[0]] = true;
    else if (e->op == PCS_E_EXP) c->need_v[e->arg[0]] = true;
    else if (e->op == PCS_E_SELECT) c->need_v[e->arg[0]] = c->need_l[e->arg[1]] = c->need_l[e->arg[2]] = true;
}

static int make_log(compiler *c, int i)
{
    const pcs_e *e = &c->law->e[i];
    const int *l = c->l, *v = c->v, a = e->arg[0], b = e->arg[1];
    if (e->op == PCS_E_CONST) return constant(c, e->value > 0 ? log(e->value) : NAN);
    if (!by_parts(c->law, e)) return unary(c, T_LOG, v[i]);
    switch (e->op) {
    case PCS_E_PARAM: return emit(c, (t_node){ .op = T_PARAM, .index = e->index });
    case PCS_E_VAR: return emit(c, (t_node){ .op = T_LOGVAR, .index = e->index });
    case PCS_E_MUL: return binary(c, T_ADD, l[a], l[b]);
    case PCS_E_DIV: return binary(c, T_SUB, l[a], l[b]);
    case PCS_E_POW: return binary(c, T_MUL, v[b], l[a]);
    case PCS_E_SQRT: return binary(c, T_MUL, constant(c, 0.5), l[a]);
    case PCS_E_EXP: return v[a];
    case PCS_E_SELECT:
        return emit(c, (t_node){ .op = T_SELECT, .arg = { v[a], l[b], l[e->arg[2]] }, .n_args = 3, .key = e->value });
    default: break;
    }
    t_node sum = { .op = T_LSE };
    int list[PCS_COLUMN_TERMS];
    sum.n_args = terms(c->law, i, list);
    for (int k = 0; k < sum.n_args; k++) sum.arg[k] = l[list[k]];
    return emit(c, sum);
}

static int make_value(compiler *c, int i)
{
    const pcs_e *e = &c->law->e[i];
    const int *l = c->l, *v = c->v, a = e->arg[0], b = e->arg[1];
    if (through_log(c->law, e)) return unary(c, T_EXP, l[i]);
    switch (e->op) {
    case PCS_E_CONST: return constant(c, e->value);
    case PCS_E_PARAM: {
        const int p = emit(c, (t_node){ .op = T_PARAM, .index = e->index });
        return e->positive ? unary(c, T_EXP, p) : p;
    }
    case PCS_E_VAR: return emit(c, (t_node){ .op = T_VAR, .index = e->index });
    case PCS_E_ADD: return binary(c, T_ADD, v[a], v[b]);
    case PCS_E_SUB: return binary(c, T_SUB, v[a], v[b]);
    case PCS_E_MUL: return binary(c, T_MUL, v[a], v[b]);
    case PCS_E_DIV: return binary(c, T_DIV, v[a], v[b]);
    case PCS_E_POW: return unary(c, T_EXP, binary(c, T_MUL, v[b], l[a]));
    case PCS_E_SQRT: return unary(c, T_EXP, binary(c, T_MUL, constant(c, 0.5), l[a]));
    case PCS_E_NEG: return binary(c, T_MUL, constant(c, -1), v[a]);
    case PCS_E_EXP: return unary(c, T_EXP, v[a]);
    case PCS_E_LOG: return l[a];
    case PCS_E_MIN: return binary(c, T_MIN, v[a], v[b]);
    case PCS_E_MAX: return binary(c, T_MAX, v[a], v[b]);
    case PCS_E_SELECT:
        return emit(c, (t_node){ .op = T_SELECT, .arg = { v[a], v[b], v[e->arg[2]] }, .n_args = 3, .key = e->value });
    }
    return 0;
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

static bool chosen(double x, double key) { return fabs(x - key) < 1e-9; }

static void run_forward(pcs_tape *t, t_node *x)
{
    const size_t n = x->column ? t->n : PCS_COLUMN_LANES;
    const t_node *a = x->n_args > 0 ? &t->nodes[x->arg[0]] : x, *b = x->n_args > 1 ? &t->nodes[x->arg[1]] : x;
    const t_node *c = x->n_args > 2 ? &t->nodes[x->arg[2]] : x;
    /* between scalars all lanes are computed; beside a column a scalar is its first */
    const int as = a->column || !x->column, bs = b->column || !x->column, cs = c->column || !x->column;
    const pcs_column_pair_args pair = { x->value, a->value, as, b->value, bs, n };
    switch (x->op) {
    case T_ADD: t->k.column_add(&pair); break;
    case T_SUB: t->k.column_sub(&pair); break;
    case T_MUL: t->k.column_mul(&pair); break;
    case T_DIV: t->k.column_div(&pair); break;
    case T_EXP: t->k.column_exp(&(pcs_column_args){ x->value, a->value, n }); break;
    case T_LOG: t->k.column_log(&(pcs_column_args){ x->value, a->value, n }); break;
    case T_MIN: for (size_t i = 0; i < n; i++) x->value[i] = fmin(a->value[as * i], b->value[bs * i]); break;
    case T_MAX: for (size_t i = 0; i < n; i++) x->value[i] = fmax(a->value[as * i], b->value[bs * i]); break;
    case T_SELECT:
        for (size_t i = 0; i < n; i++)
            x->value[i] = chosen(a->value[as * i], x->key) ? b->value[bs * i] : c->value[cs * i];
        break;
    case T_LSE: {
        const double *terms_[PCS_COLUMN_TERMS];
        int step[PCS_COLUMN_TERMS];
        for (int k = 0; k < x->n_args; k++)
            terms_[k] = t->nodes[x->arg[k]].value, step[k] = t->nodes[x->arg[k]].column || !x->column;
        t->k.column_lse(&(pcs_column_lse_args){ x->value, x->share, terms_, step, x->n_args, n });
        break;
    }
    case T_CONST: case T_PARAM: case T_VAR: case T_LOGVAR: break;
    }
}

static precis_status place(pcs_tape *t, const double *const *values, const double *const *logs)
{
    for (int i = 0; i < t->n_nodes; i++) {
        t_node *x = &t->nodes[i];
        const size_t n = x->column ? t->n : PCS_COLUMN_LANES;
        if (x->op == T_VAR || x->op == T_LOGVAR) {
            const double *column = x->op == T_VAR ? values[x->index] : logs[x->index];
            if (!column)
                return pcs_fail(t->ctx, PRECIS_EINVAL, "the law needs %s (%s), and it is not given",
                                pcs_variables[x->index].name, pcs_variables[x->index].what);
            x->value = (double *)(uintptr_t)column; /* never written: VAR has no operation */
        } else if (!(x->value = pcs_arena_alloc(&t->arena, n, sizeof *x->value))) return PRECIS_ENOMEM;
        if (x->active && !(x->adj = pcs_arena_alloc(&t->arena, n, sizeof *x->adj))) return PRECIS_ENOMEM;
        for (int k = 0; x->op == T_LSE && k < x->n_args; k++)
            if (!(x->share[k] = pcs_arena_alloc(&t->arena, n, sizeof *x->value))) return PRECIS_ENOMEM;
        for (size_t r = 0; x->op == T_CONST && r < n; r++) x->value[r] = x->key;
        if (x->op == T_PARAM) t->param[x->index] = i;
        if (x->op == T_VAR) t->var[x->index] = i;
        if (x->op == T_LOGVAR) t->logvar[x->index] = i;
    }
    t->tmp = pcs_arena_alloc(&t->arena, t->n, sizeof *t->tmp);
    for (int i = 0; i < t->n_nodes && t->tmp; i++)
        if (!t->nodes[i].live) run_forward(t, &t->nodes[i]);
    return t->tmp ? PRECIS_OK : PRECIS_ENOMEM;
}

precis_status pcs_tape_open(precis_ctx *ctx, pcs_tape **out, const precis_law *law, int node, unsigned flags,
                            const pcs_tape_rows *rows)
{
    *out = NULL;
    pcs_tape *t = pcs_alloc(ctx, 1, sizeof *t);
    compiler *c = pcs_alloc(ctx, 1, sizeof *c);
    precis_status st = t && c ? PRECIS_OK : PRECIS_ENOMEM;
    if (t) {
        pcs_arena_init(&t->arena, ctx);
        t->ctx = ctx;
    }
    if (!st) {
        t->k = pcs_kernels_for(ctx->cpu);
        t->n = pcs_tape_padded(rows->n);
        t->n_params = law->n_params;
        for (int i = 0; i < PCS_LAW_PARAMS; i++) t->param[i] = -1;
        for (int i = 0; i < PCS_VARS; i++) t->var[i] = t->logvar[i] = -1;
        *c = (compiler){ .t = t, .law = law, .flags = flags };
        if (flags & PCS_TAPE_LOG) c->need_l[node] = true;
        else c->need_v[node] = true;
        for (int i = node; i >= 0; i--) {
            if (c->need_v[i]) need_value(c, i);
            if (c->need_l[i]) need_log(c, i);
        }
        for (int i = 0; i <= node && !t->failed; i++) {
            const bool log_first = through_log(law, &law->e[i]);
            if (c->need_l[i] && log_first) c->l[i] = make_log(c, i);
            if (c->need_v[i]) c->v[i] = make_value(c, i);
            if (c->need_l[i] && !log_first) c->l[i] = make_log(c, i);
        }
        t->root = flags & PCS_TAPE_LOG ? c->l[node] : c->v[node];
        if (t->failed) st = pcs_fail(ctx, PRECIS_EINVAL, "the law has too many parts");
        else st = place(t, rows->values, rows->logs);
    }
    pcs_free(ctx, c);
    if (st) pcs_tape_close(&t);
    *out = t;
    return st;
}

const pcs_kernels *pcs_tape_kernels(const pcs_tape *t) { return &t->k; }

void pcs_tape_close(pcs_tape **tape)
{
    if (!tape || !*tape) return;
    pcs_tape *t = *tape;
    precis_ctx *ctx = t->ctx;
    pcs_arena_free(&t->arena);
    pcs_free(ctx, t);
    *tape = NULL;
}

const double *pcs_tape_run(pcs_tape *t, const double *params)
{
    for (int p = 0; p < t->n_params; p++)
        if (t->param[p] >= 0) {
            t_node *x = &t->nodes[t->param[p]];
            for (size_t i = 0, n = x->column ? t->n : PCS_COLUMN_LANES; i < n; i++) x->value[i] = params[p];
        }
    for (int i = 0; i < t->n_nodes; i++)
        if (t->nodes[i].live) run_forward(t, &t->nodes[i]);
    t_node *root = &t->nodes[t->root];
    if (root->column) return root->value;
    for (size_t i = 0; i < t->n; i++) t->tmp[i] = root->value[0];
    return t->tmp;
}

/* ---- reverse ----------------------------------------------------------------------------------------------------- */

static double sum(const pcs_tape *t, const double *a)
{
    double s;
    t->k.column_sum(&(pcs_column_sum_args){ a, t->n, &s });
    return s;
}

static double dot(const pcs_tape *t, const double *a, const double *b)
{
    double s;
    t->k.dot(&(pcs_dot_args){ a, b, t->n, &s });
    return s;
}

/* y's adjoint += that of x, times f (a column when fs is 1). x is a column or, with all it depends on, a scalar. */
static void pass(const pcs_tape *t, const t_node *x, t_node *y, const double *f, int fs)
{
    if (!y->active) return;
    if (!x->column) y->adj[0] += x->adj[0] * f[0];
    else if (y->column) t->k.column_gather(&(pcs_column_pair_args){ y->adj, x->adj, 1, f, fs, t->n });
    else y->adj[0] += fs ? dot(t, x->adj, f) : f[0] * sum(t, x->adj);
}

static void reverse(pcs_tape *t, t_node *x)
{
    static const double one = 1, minus = -1;
    const size_t n = x->column ? t->n : PCS_COLUMN_LANES;
    t_node *a = &t->nodes[x->arg[0]], *b = &t->nodes[x->arg[1]], *c = &t->nodes[x->arg[2]];
    switch (x->op) {
    case T_ADD:
        pass(t, x, a, &one, 0);
        pass(t, x, b, &one, 0);
        break;
    case T_SUB:
        pass(t, x, a, &one, 0);
        pass(t, x, b, &minus, 0);
        break;
    case T_MUL:
        pass(t, x, a, b->value, b->column);
        pass(t, x, b, a->value, a->column);
        break;
    case T_DIV:
        if (a->active) {
            for (size_t i = 0; i < n; i++) t->tmp[i] = 1 / b->value[b->column ? i : 0];
            pass(t, x, a, t->tmp, x->column);
        }
        if (b->active) {
            for (size_t i = 0; i < n; i++) t->tmp[i] = -x->value[i] / b->value[b->column ? i : 0];
            pass(t, x, b, t->tmp, x->column);
        }
        break;
    case T_EXP: pass(t, x, a, x->value, x->column); break;
    case T_LOG:
        for (size_t i = 0; i < n; i++) t->tmp[i] = 1 / a->value[i];
        pass(t, x, a, t->tmp, x->column);
        break;
    case T_MIN: case T_MAX: case T_SELECT: {
        t_node *const to[2] = { x->op == T_SELECT ? b : a, x->op == T_SELECT ? c : b };
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++) {
                const double p = a->value[a->column ? i : 0], q = b->value[b->column ? i : 0];
                const bool first = x->op == T_SELECT ? chosen(p, x->key) : x->op == T_MIN ? p <= q : p >= q;
                t->tmp[i] = first == !side;
            }
            pass(t, x, to[side], t->tmp, x->column);
        }
        break;
    }
    case T_LSE:
        for (int k = 0; k < x->n_args; k++) pass(t, x, &t->nodes[x->arg[k]], x->share[k], x->column);
        break;
    case T_CONST: case T_PARAM: case T_VAR: case T_LOGVAR: break;
    }
}

void pcs_tape_back(pcs_tape *t, const double *adjoint, double *gradient)
{
    for (int i = 0; i < t->n_nodes; i++)
        if (t->nodes[i].active) memset(t->nodes[i].adj, 0, (t->nodes[i].column ? t->n : 1) * sizeof(double));
    t_node *root = &t->nodes[t->root];
    if (root->active && root->column) memcpy(root->adj, adjoint, t->n * sizeof(double));
    else if (root->active) root->adj[0] = sum(t, adjoint);
    for (int i = t->root; i >= 0; i--)
        if (t->nodes[i].active) reverse(t, &t->nodes[i]);
    if (!gradient) return;
    for (int p = 0; p < t->n_params; p++) {
        const t_node *x = t->param[p] >= 0 ? &t->nodes[t->param[p]] : NULL;
        gradient[p] = !x ? 0 : x->column ? sum(t, x->adj) : x->adj[0];
    }
}

const double *pcs_tape_param_column(const pcs_tape *t, int param)
{
    return t->param[param] >= 0 && t->nodes[t->param[param]].column ? t->nodes[t->param[param]].adj : NULL;
}
bool pcs_tape_uses_param(const pcs_tape *t, int param) { return t->param[param] >= 0; }
bool pcs_tape_uses_variable(const pcs_tape *t, int variable)
{
    return t->var[variable] >= 0 || t->logvar[variable] >= 0;
}

bool pcs_tape_variable(const pcs_tape *t, int variable, size_t row, double *derivative)
{
    const int v = t->var[variable], l = t->logvar[variable];
    *derivative = 0;
    if (v >= 0) *derivative += t->nodes[v].adj[row];
    if (l >= 0) *derivative += t->nodes[l].adj[row] / exp(t->nodes[l].value[row]);
    return v >= 0 || l >= 0;
}

double pcs_param_in(const pcs_param *p, double value) { return p->positive ? log(value) : value; }
double pcs_param_out(const pcs_param *p, double x) { return p->positive ? exp(x) : x; }
