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

/* start, start + step, ... below end. */
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
    const double from = real_of(start), by = real_of(step), span = by != 0 ? (real_of(end) - from) / by : -1;
    if (!(by != 0) || !(span > -1) || !(span < 0x1p31)) {
        pcs_wrong(&c->n, "from %g to %g by %g is no range", from, real_of(end), by);
        return;
    }
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

static void give(pcs_aten *c, int64_t v) { c->number = (pcs_scalar){ PCS_INTEGER, v, 0 }; }

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
    else c->number = (pcs_scalar){ v->dtype == PCS_BOOL ? PCS_TRUTH : PCS_INTEGER, pcs_int_at(&a, 0), 0 };
}

static int64_t floor_div(int64_t a, int64_t b)
{
    const int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
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
    if ((op == '/' || op == '%') && (!b || (b == -1 && a == INT64_MIN))) return false;
    *out = op == '/'   ? floor_div(a, b)
           : op == '%' ? a - b * floor_div(a, b)
           : op == 'M' ? (a > b ? a : b)
                       : (a < b ? a : b);
    return true;
}

static double of_real(char op, double a, double b)
{
    switch (op) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case ':': return a / b;
    case '/': return pcs_m_floor(a / b);
    case '%': return a - b * pcs_m_floor(a / b);
    case '^': return pcs_m_pow(a, b);
    case 'M': return a > b ? a : b;
    default: return a < b ? a : b;
    }
}

/* _operator.add and its like. "with": + - * / % M m of whole numbers and
 * floats; ":" a true quotient, "^" a power. */
void pcs_aten_arithmetic(pcs_aten *c)
{
    const pcs_scalar a = pcs_arg_number(c, "a"), b = pcs_arg_number(c, "b");
    const char op = c->row->with[0];
    int64_t out;
    if (pcs_failed(&c->n)) return;
    if (a.kind == PCS_NUMBER || b.kind == PCS_NUMBER || op == ':' || op == '^') {
        if ((a.kind != PCS_NUMBER && pcs_dim_is_id(a.i)) || (b.kind != PCS_NUMBER && pcs_dim_is_id(b.i)))
            pcs_refuse(&c->n, "computes with a dimension that has no size yet");
        const double r = of_real(op, real_of(a), real_of(b));
        const bool whole = op == '^' && a.kind != PCS_NUMBER && b.kind != PCS_NUMBER && b.i >= 0 && r < 0x1p53;
        c->number = whole ? (pcs_scalar){ PCS_INTEGER, (int64_t)r, 0 } : (pcs_scalar){ PCS_NUMBER, 0, r };
    } else if (pcs_dim_is_id(a.i) || pcs_dim_is_id(b.i)) {
        if (of_dims(c, op, a.i, b.i, &out)) give(c, out);
        else pcs_refuse(&c->n, "computes with a dimension that has no size yet");
    } else if (of_whole(op, a.i, b.i, &out)) give(c, out);
    else pcs_wrong(&c->n, "%lld and %lld have no such result", (long long)a.i, (long long)b.i);
}

/* Of one number: - neg, t trunc, c ceil, f floor, r round, F float, ! not, s
 * sqrt. */
void pcs_aten_one_number(pcs_aten *c)
{
    const pcs_scalar a = pcs_arg_number(c, "a");
    const char op = c->row->with[0];
    const double r = real_of(a);
    if (pcs_failed(&c->n)) return;
    if (a.kind != PCS_NUMBER && pcs_dim_is_id(a.i)) {
        if (strchr("tcfr", op)) c->number = a;
        else pcs_refuse(&c->n, "computes with a dimension that has no size yet");
        return;
    }
    if (op == '!') c->number = (pcs_scalar){ PCS_TRUTH, r == 0, 0 };
    else if (op == 'F' || op == 's') c->number = (pcs_scalar){ PCS_NUMBER, 0, op == 's' ? pcs_m_sqrt(r) : r };
    else if (op == '-' && a.kind == PCS_NUMBER) c->number = (pcs_scalar){ PCS_NUMBER, 0, -r };
    else if (op == '-') give(c, (int64_t)(0 - (uint64_t)a.i));
    else if (a.kind != PCS_NUMBER) give(c, a.i);
    else if (!(r > -0x1p62 && r < 0x1p62)) pcs_wrong(&c->n, "%g is no whole number", r);
    else
        give(c, (int64_t)(op == 'c'                            ? pcs_m_ceil(r)
                          : op == 'f' || (op == 't' && r >= 0) ? pcs_m_floor(r)
                          : op == 't'                          ? pcs_m_ceil(r)
                                                               : pcs_m_round(r)));
}

/* Comparisons: = ! < l > g. */
void pcs_aten_compared(pcs_aten *c)
{
    const pcs_scalar a = pcs_arg_number(c, "a"), b = pcs_arg_number(c, "b");
    const double x = real_of(a), y = real_of(b);
    const char op = c->row->with[0];
    if (pcs_failed(&c->n)) return;
    if ((a.kind != PCS_NUMBER && pcs_dim_is_id(a.i)) || (b.kind != PCS_NUMBER && pcs_dim_is_id(b.i))) {
        pcs_refuse(&c->n, "compares a dimension that has no size yet");
        return;
    }
    const bool r = op == '='   ? x == y
                   : op == '!' ? x != y
                   : op == '<' ? x < y
                   : op == 'l' ? x <= y
                   : op == '>' ? x > y
                   : op == 'g' ? x >= y
                   : op == '&' ? x != 0 && y != 0
                               : x != 0 || y != 0;
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
