/* numbers.c - tensors made of numbers, and what the graph computes of numbers:
 * sizes, most of them. */
#include "base/overflow.h"
#include "read/pt2/aten.h"

#include "base/fmath_more.h"

/* ---- filled ------------------------------------------------------------------------------------- */

/* zeros, ones, full, and those of another's shape or type. "with": "0", "1" or
 * "f" (fill_value), then "s" for a size, "l" for another's shape, "n" for a
 * size and another's type. */
void pcs_aten_filled(pcs_aten *c)
{
    const char *with = c->row->with;
    uint32_t dims = 0;
    int64_t shape[PCS_GRAPH_DIMS];
    pcs_scalar v = { PCS_INTEGER, with[0] == '1', 0 };
    pcs_dtype d = PCS_F32;
    if (with[0] == 'f') {
        v = pcs_arg_number(c, "fill_value");
        if (v.kind == PCS_TRUTH) d = PCS_BOOL;
        if (v.kind == PCS_INTEGER) d = PCS_I64;
    }
    if (with[1] != 's') {
        const precis_value x = pcs_arg_tensor(c, "self");
        if (x < 0) return;
        d = pcs_of(&c->n, x)->dtype;
        dims = pcs_of(&c->n, x)->dims;
        memcpy(shape, pcs_of(&c->n, x)->shape, sizeof shape);
    }
    if (with[1] != 'l') {
        const int64_t *given = pcs_arg_ints(c, "size", &dims);
        if (!given) return;
        if (dims > PCS_GRAPH_DIMS) {
            pcs_refuse(&c->n, "gives %u dimensions, at most %d", dims, PCS_GRAPH_DIMS);
            return;
        }
        memcpy(shape, given, dims * sizeof *given);
    }
    d = pcs_arg_type(c, "dtype", d);
    if (!pcs_failed(&c->n)) c->n.out[0] = pcs_filled(c, d, dims, shape, v);
}

void pcs_aten_scalar(pcs_aten *c)
{
    const pcs_scalar v = pcs_arg_number(c, "s");
    c->n.out[0] = pcs_scalar_value(c, pcs_arg_type(c, "dtype", PCS_F32), v);
}

static double real_of(pcs_scalar s) { return s.kind == PCS_NUMBER ? s.r : (double)s.i; }

/* start, start + step, ... below end. As torch has it, a range of whole numbers has as many as the floats, and begins
 * and goes on by what stands before the point. */
void pcs_aten_range(pcs_aten *c)
{
    pcs_scalar start = { PCS_INTEGER, 0, 0 }, step = { PCS_INTEGER, 1, 0 };
    const pcs_scalar end = pcs_arg_number(c, "end");
    if (c->row->with[0] != 'e') start = pcs_arg_number(c, "start");
    if (c->row->with[0] == 's') step = pcs_arg_number(c, "step");
    const bool whole = start.kind != PCS_NUMBER && end.kind != PCS_NUMBER && step.kind != PCS_NUMBER;
    const pcs_dtype d = pcs_arg_type(c, "dtype", whole ? PCS_I64 : PCS_F32);
    if (pcs_failed(&c->n)) return;
    if (whole && start.i == 0 && step.i == 1 && pcs_dim_is_id(end.i)) {
        c->n.out[0] = pcs_as(&c->n, pcs_counted_up(&c->n, end.i), d);
        return;
    }
    if (pcs_dim_is_id(start.i) || pcs_dim_is_id(end.i) || pcs_dim_is_id(step.i)) {
        pcs_refuse(&c->n, "counts to a size that is not known yet");
        return;
    }
    double from = real_of(start), by = real_of(step);
    const double to = real_of(end), span = by != 0 ? (to - from) / by : -1;
    if (!(span >= 0 && span < 0x1p31)) {
        pcs_wrong(&c->n, "from %g to %g by %g is no range", from, to, by);
        return;
    }
    if (pcs_dtype_whole(d)) from = pcs_m_trunc(from), by = pcs_m_trunc(by);
    const int64_t count = span > 0 ? (int64_t)span + ((double)(int64_t)span < span) : 0;
    void *data = pcs_room(&c->n, (size_t)count * pcs_dtype_bytes(d) + 64, 1);
    if (!data) return;
    const pcs_arg a = { .dtype = d, .data = data };
    for (int64_t i = 0; i < count; i++) pcs_set_real(&a, (size_t)i, from + (double)i * by);
    c->n.out[0] = pcs_data(&c->n, d, 1, &count, data);
}

/* steps numbers from start to end. */
void pcs_aten_linspace(pcs_aten *c)
{
    const double from = pcs_arg_real(c, "start"), to = pcs_arg_real(c, "end");
    const int64_t count = pcs_arg_size(c, "steps");
    const pcs_dtype d = pcs_arg_type(c, "dtype", PCS_F32);
    if (pcs_failed(&c->n) || count < 0 || count > 1 << 28) {
        pcs_refuse(&c->n, "has %lld steps", (long long)count);
        return;
    }
    void *data = pcs_room(&c->n, (size_t)count * pcs_dtype_bytes(d) + 64, 1);
    if (!data) return;
    const pcs_arg a = { .dtype = d, .data = data };
    for (int64_t i = 0; i < count; i++) /* from both ends, as torch does */
        pcs_set_real(&a, (size_t)i,
                     count == 1      ? from
                     : i < count / 2 ? from + (to - from) / (double)(count - 1) * (double)i
                                     : to - (to - from) / (double)(count - 1) * (double)(count - 1 - i));
    c->n.out[0] = pcs_data(&c->n, d, 1, &count, data);
}

void pcs_aten_eye(pcs_aten *c)
{
    const int64_t n = pcs_arg_size(c, "n"), m = c->row->with[0] == 'm' ? pcs_arg_size(c, "m") : n;
    const pcs_dtype d = pcs_arg_type(c, "dtype", PCS_F32);
    if (pcs_failed(&c->n)) return;
    const precis_value rows = pcs_shaped(&c->n, pcs_counted(c, n), 2, (const int64_t[]){ n, 1 });
    c->n.out[0] = pcs_as(&c->n, pcs_make2(&c->n, "equal", NULL, rows, pcs_counted(c, m)), d);
}

/* ---- numbers of the graph
 * ----------------------------------------------------------------------- */

/* A number, or a dimension. */
static void give(pcs_aten *c, int64_t v) { c->number = (pcs_scalar){ PCS_INTEGER, v, 0 }; }

/* A number, which must not be taken for a dimension. */
static void give_whole(pcs_aten *c, int64_t v)
{
    if (pcs_dim_is_id(v)) pcs_refuse(&c->n, "gives the number %lld, which is below what is read", (long long)v);
    else give(c, v);
}

/* "with": s a size, n the number of elements. */
void pcs_aten_size(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    int64_t n = 1;
    if (x < 0) return;
    const pcs_value v = *pcs_of(&c->n, x);
    if (c->row->with[0] == 's') {
        const uint32_t axis = pcs_arg_axis(c, "dim", x);
        if (!v.dims) pcs_wrong(&c->n, "asks for a size of a scalar");
        if (!pcs_failed(&c->n)) give(c, v.shape[axis]);
        return;
    }
    for (uint32_t i = 0; i < v.dims; i++) n = pcs_dim_product(c->n.im->g, n, v.shape[i]);
    give(c, n);
}

/* The one element of a tensor, when it is known: item(). */
void pcs_aten_item(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const pcs_value *v = x < 0 ? NULL : pcs_constant(&c->n, x);
    if (!v) return;
    const pcs_arg a = pcs_value_arg(v);
    for (uint32_t i = 0; i < v->dims; i++)
        if (v->shape[i] != 1) pcs_wrong(&c->n, "is not one element");
    if (!pcs_dtype_whole(v->dtype)) c->number = (pcs_scalar){ PCS_NUMBER, 0, pcs_real_at(&a, 0) };
    else if (v->dtype != PCS_BOOL) give_whole(c, pcs_int_at(&a, 0));
    else c->number = (pcs_scalar){ PCS_TRUTH, pcs_int_at(&a, 0), 0 };
}

static int64_t floor_div(int64_t a, int64_t b)
{
    const int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

/* What is left of a floor_div, with b's sign. */
static int64_t floor_mod(int64_t a, int64_t b)
{
    const int64_t r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* a to the b-th, which is not below zero, by squaring. */
static bool power(int64_t a, int64_t b, int64_t *out)
{
    *out = 1;
    for (; b; b >>= 1) {
        if (b & 1 && !pcs_i64_mul(*out, a, out)) return false;
        if (b > 1 && !pcs_i64_mul(a, a, &a)) return false;
    }
    return true;
}

/* Whole numbers, of which some may be dimensions that have no size yet. */
static bool of_dims(pcs_aten *c, char op, int64_t a, int64_t b, int64_t *out)
{
    precis_graph *g = c->n.im->g;
    const bool ia = pcs_dim_is_id(a), ib = pcs_dim_is_id(b);
    *out = PCS_DIM_ERROR;
    if (op == '+') *out = ia && ib ? pcs_dim_sum(g, a, b) : pcs_dim_linear(g, ia ? a : b, 1, ia ? b : a, 1);
    else if (op == '-' && !ib) *out = pcs_dim_linear(g, a, 1, -b, 1);
    else if (op == '*' && (ia || a > 0) && (ib || b > 0)) *out = pcs_dim_product(g, a, b);
    else if (op == '/' && !ib && b > 0) *out = pcs_dim_linear(g, a, 1, 0, b);
    return *out != PCS_DIM_ERROR;
}

static bool of_whole(char op, int64_t a, int64_t b, int64_t *out)
{
    if (op == '+') return pcs_i64_add(a, b, out);
    if (op == '-') return pcs_i64_sub(a, b, out);
    if (op == '*') return pcs_i64_mul(a, b, out);
    if (op == '^') return power(a, b, out);
    if ((op == '/' || op == '%') && !b) return false;
    *out = op == '/'   ? floor_div(a, b)
           : op == '%' ? floor_mod(a, b)
           : op == 'M' ? (a > b ? a : b)
                       : (a < b ? a : b);
    return true;
}

/* As Python has it: the remainder is exact and has the divisor's sign, and the quotient is what goes with it (1 // 0.1
 * is 9, though 1 / 0.1 rounds to 10). */
static double real_part(char op, double a, double b)
{
    const double r = pcs_m_fmod(a, b);
    const bool below = r != 0 && (r < 0) != (b < 0);
    return op == '%' ? (below ? r + b : r) : pcs_m_round((a - r) / b) - below;
}

static double of_real(char op, double a, double b)
{
    switch (op) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case ':': return a / b;
    case '/':
    case '%': return real_part(op, a, b);
    case '^': return pcs_m_pow(a, b);
    case 'M': return a > b ? a : b;
    default: return a < b ? a : b;
    }
}

static bool finite(double v) { return v - v == 0; }

/* A shift as the product with a power of two, or the quotient by it, which sizes that come later have, too. */
static char unshifted(pcs_aten *c, char op, const pcs_scalar *a, pcs_scalar *b)
{
    if (op != 'L' && op != 'R') return op;
    if (a->kind == PCS_NUMBER || b->kind == PCS_NUMBER || b->i < 0 || b->i > 62)
        pcs_wrong(&c->n, "shifts no whole number by 0 to 62 bits");
    else b->i = (int64_t)1 << b->i;
    return op == 'L' ? '*' : '/';
}

/* _operator.add and its like. "with": + - * / % M m of whole numbers and
 * floats; ":" a true quotient, "^" a power, L and R shifts. */
void pcs_aten_arithmetic(pcs_aten *c)
{
    const pcs_scalar a = pcs_arg_number(c, "a");
    pcs_scalar b = pcs_arg_number(c, "b");
    int64_t out;
    if (pcs_failed(&c->n)) return;
    const char op = unshifted(c, c->row->with[0], &a, &b);
    if (pcs_failed(&c->n)) return;
    if (pcs_dim_is_id(a.i) || pcs_dim_is_id(b.i)) {
        if (a.kind != PCS_NUMBER && b.kind != PCS_NUMBER && of_dims(c, op, a.i, b.i, &out)) give(c, out);
        else pcs_refuse(&c->n, "computes with a dimension that has no size yet");
    } else if (a.kind == PCS_NUMBER || b.kind == PCS_NUMBER || op == ':' || (op == '^' && b.i < 0)) {
        const double x = real_of(a), y = real_of(b), r = of_real(op, x, y);
        if (finite(x) && finite(y) && !finite(r)) pcs_wrong(&c->n, "%g and %g have no such result", x, y);
        c->number = (pcs_scalar){ PCS_NUMBER, 0, r };
    } else if (of_whole(op, a.i, b.i, &out)) give_whole(c, out);
    else pcs_wrong(&c->n, "%lld and %lld have no such result", (long long)a.i, (long long)b.i);
}

/* One of two numbers. */
void pcs_aten_number_where(pcs_aten *c)
{
    const pcs_scalar at = pcs_arg_number(c, "b"), t = pcs_arg_number(c, "t"), f = pcs_arg_number(c, "f");
    if (pcs_failed(&c->n)) return;
    if (at.kind != PCS_TRUTH) pcs_wrong(&c->n, "chooses by a number that is no truth");
    else c->number = at.i ? t : f;
}

/* Of one number, whose name is the row's one argument: + itself, - neg, t trunc, c ceil, f floor, F float, ! not, s
 * sqrt. */
void pcs_aten_one_number(pcs_aten *c)
{
    const pcs_scalar a = pcs_arg_number(c, c->row->args);
    const char op = c->row->with[0];
    const double r = real_of(a);
    if (pcs_failed(&c->n)) return;
    if (a.kind != PCS_NUMBER && pcs_dim_is_id(a.i)) {
        if (strchr("+tcf", op)) c->number = a;
        else pcs_refuse(&c->n, "computes with a dimension that has no size yet");
        return;
    }
    if (op == '!') c->number = (pcs_scalar){ PCS_TRUTH, r == 0, 0 };
    else if (op == 's' && r < 0) pcs_wrong(&c->n, "%g has no square root", r);
    else if (op == 'F' || op == 's') c->number = (pcs_scalar){ PCS_NUMBER, 0, op == 's' ? pcs_m_sqrt(r) : r };
    else if (strchr("+-", op) && a.kind == PCS_NUMBER) c->number = (pcs_scalar){ PCS_NUMBER, 0, op == '-' ? -r : r };
    else if (a.kind != PCS_NUMBER) give_whole(c, op == '-' ? -a.i : a.i);
    else if (!(r > -0x1p61 && r < 0x1p62)) pcs_wrong(&c->n, "%g is no whole number that is read", r);
    else give(c, (int64_t)(op == 'c' ? pcs_m_ceil(r) : op == 'f' ? pcs_m_floor(r) : pcs_m_trunc(r)));
}

/* Both whole numbers: exact. Otherwise as floats. */
static int order_of(pcs_scalar a, pcs_scalar b)
{
    const double x = real_of(a), y = real_of(b);
    if (a.kind != PCS_NUMBER && b.kind != PCS_NUMBER) return (a.i > b.i) - (a.i < b.i);
    return x != x || y != y ? 2 : (x > y) - (x < y); /* 2: NaN is beside all numbers */
}

/* Comparisons: = ! < l > g; & and | of truths. */
void pcs_aten_compared(pcs_aten *c)
{
    const pcs_scalar a = pcs_arg_number(c, "a"), b = pcs_arg_number(c, "b");
    const char op = c->row->with[0];
    if (pcs_failed(&c->n)) return;
    if ((a.kind != PCS_NUMBER && pcs_dim_is_id(a.i)) || (b.kind != PCS_NUMBER && pcs_dim_is_id(b.i))) {
        pcs_refuse(&c->n, "compares a dimension that has no size yet");
        return;
    }
    if (strchr("&|", op) && (a.kind != PCS_TRUTH || b.kind != PCS_TRUTH)) {
        pcs_refuse(&c->n, "joins numbers that are no truths");
        return;
    }
    const int order = order_of(a, b);
    const bool r = op == '='   ? order == 0
                   : op == '!' ? order != 0
                   : op == '<' ? order == -1
                   : op == 'l' ? order == -1 || order == 0
                   : op == '>' ? order == 1
                   : op == 'g' ? order == 1 || order == 0
                   : op == '&' ? a.i && b.i
                               : a.i || b.i;
    c->number = (pcs_scalar){ PCS_TRUTH, r, 0 };
}

/* A graph within, which import.c inlines: what it is told to do must change
 * nothing. */
void pcs_aten_inline(pcs_aten *c)
{
    for (uint32_t i = 0; i < c->n_args; i++) c->args[i].used = true;
    if (c->row->with[0] != 'a') return;
    /* wrap_with_autocast(device, dtype, enabled, ...): arguments have no names */
    const pcs_tree *t = &c->g->net->tree;
    const uint32_t list = pcs_tree_get(t, c->token, "inputs");
    int bools = 0;
    for (uint32_t k = list + 1; list && k < pcs_tree_end(t, list); k = pcs_tree_next(t, k)) {
        pcs_str tag;
        const uint32_t a = pcs_tree_get(t, k, "arg"), v = a ? pcs_tree_only(t, a, &tag) : 0;
        if (v && pcs_str_is(tag, "as_bool") && bools++ == 0 && pcs_tree_type(t, v) == PCS_JSON_TRUE)
            pcs_refuse(&c->n, "computes in another precision (autocast is on in it)");
    }
}
