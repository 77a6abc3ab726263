/* dims.c - symbols and what is computed of them. */
#include "graph/dims.h"
#include "base/overflow.h"

#include "graph/graph.h"

#include <stdarg.h>
#include <stdio.h>

#define MOST ((int64_t)1 << 48) /* of any dimension */
#define FACTORS 64

static const pcs_dim *dim_of(const precis_graph *g, int64_t d) { return &g->dims[d - PCS_DIM_FIRST]; }

static int64_t add_dim(precis_graph *g, const pcs_dim *d)
{
    if (g->n_dims == g->cap_dims) {
        const size_t cap = g->cap_dims ? g->cap_dims * 2 : 16;
        pcs_dim *grown = pcs_grow(g->ctx, g->dims, g->n_dims * sizeof *grown, cap, sizeof *grown);
        if (!grown) {
            pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
            return PCS_DIM_ERROR;
        }
        g->dims = grown;
        g->cap_dims = cap;
    }
    g->dims[g->n_dims] = *d;
    return PCS_DIM_FIRST + (int64_t)g->n_dims++;
}

int64_t precis_graph_symbol(precis_graph *g, const char *name, int64_t most)
{
    if (g->error) return PCS_DIM_ERROR;
    for (size_t i = 0; i < g->n_dims; i++)
        if (g->dims[i].kind == PCS_DIM_SYMBOL && !strcmp(g->dims[i].name, name)) return PCS_DIM_FIRST + (int64_t)i;
    const char *copy = pcs_arena_copy(&g->arena, name, strlen(name));
    if (!copy) pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    else if (most < 0 || most > MOST)
        pcs_graph_fail(g, PRECIS_EINVAL, "symbol %s: at most %lld", name, (long long)most);
    if (g->error) return PCS_DIM_ERROR;
    return add_dim(g, &(pcs_dim){ .kind = PCS_DIM_SYMBOL, .name = copy, .most = most });
}

static int64_t floor_div(int64_t a, int64_t b)
{
    const int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

/* Linear ones within one another are one: floor((floor((m x + a) / d) + b) / e) = floor((m x + a + b d) / (d e)), and
 * where d is 1 or the outer factor is 1 alone. As small as it goes, so that a convolution's (x - 1) / 2 + 1 and the
 * (x + 1) / 2 that a file computes are the same. */
static pcs_dim flat(const precis_graph *g, const pcs_dim *d)
{
    pcs_dim r = *d;
    while (r.kind == PCS_DIM_LINEAR && pcs_dim_is_id(r.a) && dim_of(g, r.a)->kind == PCS_DIM_LINEAR) {
        const pcs_dim *in = dim_of(g, r.a);
        pcs_dim both = *in;
        int64_t more;
        if (in->div != 1 && r.mul != 1) break;
        if (!pcs_i64_mul(in->div == 1 ? in->add : r.add, in->div == 1 ? r.mul : in->div, &more) ||
            !pcs_i64_add(more, in->div == 1 ? r.add : in->add, &both.add) || !pcs_i64_mul(in->mul, r.mul, &both.mul) ||
            !pcs_i64_mul(in->div, r.div, &both.div))
            break;
        r = both;
    }
    if (r.kind == PCS_DIM_LINEAR && r.div > 1 && r.mul % r.div == 0) {
        r.add = floor_div(r.add, r.div);
        r.mul /= r.div;
        r.div = 1;
    }
    return r;
}

/* An expression, once. */
static int64_t intern(precis_graph *g, const pcs_dim *d)
{
    const pcs_dim want = flat(g, d);
    for (size_t i = 0; i < g->n_dims; i++) {
        if (g->dims[i].kind == PCS_DIM_SYMBOL) continue;
        const pcs_dim e = flat(g, &g->dims[i]);
        if (e.kind == want.kind && e.a == want.a && e.b == want.b && e.mul == want.mul && e.add == want.add &&
            e.div == want.div)
            return PCS_DIM_FIRST + (int64_t)i;
    }
    if (want.kind == PCS_DIM_LINEAR && pcs_dim_is_id(want.a) && want.mul == 1 && want.add == 0 && want.div == 1)
        return want.a;
    return add_dim(g, d);
}

/* The number of an expression whose operands are numbers; negative: it has none. */
static int64_t compute(const pcs_dim *d, int64_t a, int64_t b)
{
    int64_t r = -1;
    if (a < 0 || b < 0) return -1;
    switch (d->kind) {
    case PCS_DIM_SYMBOL: break;
    case PCS_DIM_SUM: r = a + b; break;
    case PCS_DIM_LEAST: r = a < b ? a : b; break;
    case PCS_DIM_PRODUCT:
        if (!pcs_i64_mul(a, b, &r)) r = -1;
        break;
    case PCS_DIM_LINEAR:
        if (!pcs_i64_mul(a, d->mul, &r) || !pcs_i64_add(r, d->add, &r)) return -1;
        r = floor_div(r, d->div);
        break;
    }
    return r > MOST ? -1 : r;
}

static int64_t expression(precis_graph *g, const pcs_dim *d)
{
    if (g->error || d->a == PCS_DIM_ERROR || d->b == PCS_DIM_ERROR) return PCS_DIM_ERROR;
    if (pcs_dim_is_id(d->a) || pcs_dim_is_id(d->b)) return intern(g, d);
    const int64_t n = compute(d, d->a, d->b);
    if (n >= 0) return n;
    pcs_graph_fail(g, PRECIS_EINVAL, "a dimension would be negative, or larger than %lld", (long long)MOST);
    return PCS_DIM_ERROR;
}

int64_t pcs_dim_linear(precis_graph *g, int64_t a, int64_t mul, int64_t add, int64_t div)
{
    if (mul == 1 && add == 0 && div == 1) return a;
    return expression(g, &(pcs_dim){ .kind = PCS_DIM_LINEAR, .a = a, .mul = mul, .add = add, .div = div });
}

int64_t pcs_dim_sum(precis_graph *g, int64_t a, int64_t b)
{
    if (a == 0 || b == 0) return a ? a : b;
    if (!pcs_dim_is_id(b)) return pcs_dim_linear(g, a, 1, b, 1);
    if (!pcs_dim_is_id(a)) return pcs_dim_linear(g, b, 1, a, 1);
    return expression(g, &(pcs_dim){ .kind = PCS_DIM_SUM, .a = a < b ? a : b, .b = a < b ? b : a });
}

/* A product as a number and ids that are no products. */
typedef struct { int64_t number, ids[FACTORS]; uint32_t n; bool ok; } factors;

static void take_apart(const precis_graph *g, int64_t d, factors *f)
{
    if (!pcs_dim_is_id(d)) {
        f->ok = f->ok && d >= 0 && pcs_i64_mul(f->number, d, &f->number);
        return;
    }
    const pcs_dim *e = dim_of(g, d);
    if (e->kind == PCS_DIM_PRODUCT) {
        take_apart(g, e->a, f);
        take_apart(g, e->b, f);
    } else if (e->kind == PCS_DIM_LINEAR && e->add == 0 && e->div == 1) {
        take_apart(g, e->a, f);
        take_apart(g, e->mul, f);
    } else if (f->n < FACTORS) f->ids[f->n++] = d;
    else f->ok = false;
}

/* Its factors in one order, and the number last, so that a product is the same dimension however it came about. */
int64_t pcs_dim_product(precis_graph *g, int64_t a, int64_t b)
{
    if (a == 1 || b == 1) return a == 1 ? b : a;
    if (!pcs_dim_is_id(b)) return pcs_dim_linear(g, a, b, 0, 1);
    if (!pcs_dim_is_id(a)) return pcs_dim_linear(g, b, a, 0, 1);
    factors f = { .number = 1, .ok = a != PCS_DIM_ERROR && b != PCS_DIM_ERROR };
    if (f.ok) take_apart(g, a, &f);
    if (f.ok) take_apart(g, b, &f);
    if (!f.ok || f.n < 2)
        return expression(g, &(pcs_dim){ .kind = PCS_DIM_PRODUCT, .a = a < b ? a : b, .b = a < b ? b : a });
    for (uint32_t i = 1; i < f.n; i++)
        for (uint32_t k = i; k > 0 && f.ids[k] < f.ids[k - 1]; k--) {
            const int64_t id = f.ids[k];
            f.ids[k] = f.ids[k - 1];
            f.ids[k - 1] = id;
        }
    int64_t d = f.ids[0];
    for (uint32_t i = 1; i < f.n; i++) d = expression(g, &(pcs_dim){ .kind = PCS_DIM_PRODUCT, .a = d, .b = f.ids[i] });
    return pcs_dim_linear(g, d, f.number, 0, 1);
}

int64_t pcs_dim_least(precis_graph *g, int64_t a, int64_t b)
{
    if (a == b) return a;
    return expression(g, &(pcs_dim){ .kind = PCS_DIM_LEAST, .a = a < b ? a : b, .b = a < b ? b : a });
}

static int64_t number(int64_t r) { return pcs_dim_is_id(r) ? PCS_DIM_ERROR : r; }
/* One of both is a dimension, and the other one, too, or a number that no sum or product of sizes is beyond. */
static bool is_size(int64_t d) { return pcs_dim_is_id(d) || (d >= -((int64_t)1 << 48) && d <= (int64_t)1 << 48); }
static bool are_sizes(int64_t a, int64_t b) { return is_size(a) && is_size(b); }
static bool are_numbers(int64_t a, int64_t b) { return !pcs_dim_is_id(a) && !pcs_dim_is_id(b); }

int64_t pcs_dim_add(precis_graph *g, int64_t a, int64_t b)
{
    int64_t r = 0;
    if (are_numbers(a, b)) return !pcs_i64_add(a, b, &r) ? PCS_DIM_ERROR : number(r);
    return are_sizes(a, b) ? pcs_dim_sum(g, a, b) : PCS_DIM_ERROR;
}

int64_t pcs_dim_sub(precis_graph *g, int64_t a, int64_t b)
{
    int64_t r = 0;
    if (are_numbers(a, b)) return !pcs_i64_sub(a, b, &r) ? PCS_DIM_ERROR : number(r);
    return are_sizes(a, b) && !pcs_dim_is_id(b) ? pcs_dim_linear(g, a, 1, -b, 1) : PCS_DIM_ERROR;
}

int64_t pcs_dim_mul(precis_graph *g, int64_t a, int64_t b)
{
    int64_t r = 0;
    if (are_numbers(a, b)) return !pcs_i64_mul(a, b, &r) ? PCS_DIM_ERROR : number(r);
    const bool positive = (pcs_dim_is_id(a) || a > 0) && (pcs_dim_is_id(b) || b > 0);
    return are_sizes(a, b) && positive ? pcs_dim_product(g, a, b) : PCS_DIM_ERROR;
}

int64_t pcs_dim_div(precis_graph *g, int64_t a, int64_t b)
{
    if (are_numbers(a, b)) return b == 0 || b == -1 ? PCS_DIM_ERROR : number(a / b);
    return are_sizes(a, b) && !pcs_dim_is_id(b) && b > 0 ? pcs_dim_linear(g, a, 1, 0, b) : PCS_DIM_ERROR;
}

/* Take an id out of a list. */
static bool cancel(factors *f, int64_t id)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->ids[i] == id) {
            f->ids[i] = f->ids[--f->n];
            return true;
        }
    return false;
}

int64_t pcs_dim_quotient(precis_graph *g, uint32_t n, const int64_t *over, uint32_t m, const int64_t *under)
{
    factors top = { .number = 1, .ok = true }, bottom = { .number = 1, .ok = true };
    for (uint32_t i = 0; i < n; i++) take_apart(g, over[i], &top);
    for (uint32_t i = 0; i < m; i++) take_apart(g, under[i], &bottom);
    bool even = top.ok && bottom.ok && bottom.number > 0 && top.number % bottom.number == 0;
    for (uint32_t i = 0; i < bottom.n && even; i++) even = cancel(&top, bottom.ids[i]);
    if (!even) return PCS_DIM_ERROR;
    int64_t d = top.number / bottom.number;
    for (uint32_t i = 0; i < top.n; i++) d = pcs_dim_product(g, top.ids[i], d);
    return d;
}

int64_t pcs_extent(const precis_graph *g, int64_t d, const int64_t *sizes)
{
    if (!pcs_dim_is_id(d)) return d;
    const pcs_dim *e = dim_of(g, d);
    if (e->kind == PCS_DIM_SYMBOL) return sizes[d - PCS_DIM_FIRST];
    return compute(e, pcs_extent(g, e->a, sizes), pcs_extent(g, e->b, sizes));
}

void pcs_dim_text(const precis_graph *g, int64_t d, char *out, size_t cap)
{
    char a[96] = "", b[96] = "";
    if (!pcs_dim_is_id(d)) {
        snprintf(out, cap, "%lld", (long long)d);
        return;
    }
    const pcs_dim *e = dim_of(g, d);
    if (e->kind != PCS_DIM_SYMBOL) {
        pcs_dim_text(g, e->a, a, sizeof a);
        pcs_dim_text(g, e->b, b, sizeof b);
    }
    switch (e->kind) {
    case PCS_DIM_SYMBOL: snprintf(out, cap, "%s", e->name); break;
    case PCS_DIM_SUM: snprintf(out, cap, "(%s + %s)", a, b); break;
    case PCS_DIM_PRODUCT: snprintf(out, cap, "%s * %s", a, b); break;
    case PCS_DIM_LEAST: snprintf(out, cap, "min(%s, %s)", a, b); break;
    case PCS_DIM_LINEAR: {
        char scaled[128], shifted[160];
        if (e->mul != 1) snprintf(scaled, sizeof scaled, "%s * %lld", a, (long long)e->mul);
        else snprintf(scaled, sizeof scaled, "%s", a);
        if (e->add)
            snprintf(shifted, sizeof shifted, "(%s %c %lld)", scaled, e->add < 0 ? '-' : '+',
                     (long long)(e->add < 0 ? -e->add : e->add));
        else snprintf(shifted, sizeof shifted, "%s", scaled);
        if (e->div != 1) snprintf(out, cap, "%s / %lld", shifted, (long long)e->div);
        else snprintf(out, cap, "%s", shifted);
        break;
    }
    }
}

precis_value pcs_graph_fail(precis_graph *g, precis_status status, const char *fmt, ...)
{
    if (g->error) return -1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(g->message, sizeof g->message, fmt, ap);
    va_end(ap);
    g->error = status;
    return -1;
}
