/* net_overflow.c - what the sums of a net's integer products may hold: exact bounds from its weights, for any input.
 *
 * A kernel's sum begins with bias - zero * (sum of weights), and adds code * weight for codes from 0 to 255 (codes with
 * a sign are moved by 128, and their zero point with them), in 32 bits at every level (kernel/codes.h). So it stays
 * between that beginning with all negative weights at 255, and with all positive ones. */
#include "graph/pass/codes.h"
#include "precis/net.h"

extern const pcs_op pcs_op_conv, pcs_op_matmul, pcs_op_product, pcs_op_conv_whole, pcs_op_product_whole;

typedef struct {
    precis_graph *g;
    precis_net_accumulator_fn *fn;
    void *user;
} walk;

/* Where sums of a row begin: the least and the largest of it. */
typedef struct { int64_t low, high; } beginning;

/* Weights as rows of whole numbers: codes less zero points; freed by the caller. */
typedef struct { int16_t *w; size_t rows, k; } whole_rows;

static precis_status tell(const walk *u, const pcs_node *n, const whole_rows *w, const beginning *from)
{
    precis_net_accumulator a = { .size = sizeof a, .name = n->name, .op = n->op->name, .products = w->k };
    a.limit = INT32_MAX;
    for (size_t r = 0; r < w->rows; r++) {
        int64_t low = from[r].low, high = from[r].high;
        for (size_t i = 0; i < w->k; i++) {
            const int64_t most = (int64_t)w->w[r * w->k + i] * 255;
            if (most < 0) low += most;
            else high += most;
        }
        if (!r || low < a.lowest) a.lowest = low;
        if (!r || high > a.highest) a.highest = high;
    }
    a.overflows = a.lowest < INT32_MIN || a.highest > INT32_MAX;
    return u->fn(u->user, &a) ? PRECIS_ECANCELED : PRECIS_OK;
}

static int64_t sum_of(const whole_rows *w, size_t r)
{
    int64_t sum = 0;
    for (size_t i = 0; i < w->k; i++) sum += w->w[r * w->k + i];
    return sum;
}

/* The bias of row r in units of the sum; nothing where it is added to numbers. */
static int64_t bias_of(const walk *u, const pcs_node *n, size_t r, double unit)
{
    const precis_graph *g = u->g;
    if (n->n_in < 3) return 0;
    const pcs_node *d = pcs_node_making(g, g->nodes, n->in[2]);
    const pcs_value *b = &g->values[n->in[2]];
    const int32_t *codes = d && d->op->decodes ? pcs_value_elements(&g->values[d->in[0]], PCS_I32, r + 1) : NULL;
    const float *numbers = pcs_value_f32(b, r + 1);
    if (codes) return codes[r];
    const double x = numbers && unit > 0 ? (double)numbers[r] / unit : 0;
    return x > -0x1p62 && x < 0x1p62 ? (int64_t)x + (x < 0 ? -1 : 1) : INT64_MAX / 4;
}

/* Numbers between codes and codes. */
static precis_status of_numbers(const walk *u, const pcs_node *n)
{
    precis_graph *g = u->g;
    const bool columns = n->op == &pcs_op_product;
    const pcs_node *x = pcs_node_making(g, g->nodes, n->in[0]);
    pcs_code_weights c;
    float scale;
    int32_t zero;
    if (!x || !x->op->decodes || x->n_in != 3 || !pcs_one_scale(g, x->in[1], x->in[2], &scale, &zero) ||
        !pcs_code_weights_are(g, g->nodes, n->in[1], columns))
        return PRECIS_OK;
    if (!pcs_code_weights_of(g, g->nodes, n->in[1], columns, &c)) return g->error;
    whole_rows w = { .rows = c.rows, .k = c.k };
    w.w = pcs_alloc(g->ctx, c.rows * c.k + 1, sizeof *w.w);
    beginning *from = pcs_alloc(g->ctx, c.rows + 1, sizeof *from);
    precis_status st = w.w && from ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < c.rows * c.k && !st; i++) w.w[i] = c.w[i];
    for (size_t r = 0; r < c.rows && !st; r++) {
        const double unit = (double)scale * (double)c.scale[r];
        from[r].low = from[r].high = bias_of(u, n, r, unit) - zero * sum_of(&w, r);
    }
    if (!st) st = tell(u, n, &w, from);
    pcs_free(g->ctx, c.scale);
    pcs_free(g->ctx, w.w);
    pcs_free(g->ctx, from);
    return st;
}

/* Codes of weights less their zero point, which is one or of each row. */
static bool whole_weights(const walk *u, const pcs_node *n, bool columns, whole_rows *out)
{
    const pcs_value *w = &u->g->values[n->in[1]], *z = &u->g->values[n->in[3]];
    const uint64_t count = (uint64_t)pcs_value_count(w), zeros = (uint64_t)pcs_value_count(z);
    const int8_t *i8 = pcs_value_elements(w, PCS_I8, count), *zi8 = pcs_value_elements(z, PCS_I8, zeros);
    const uint8_t *u8 = pcs_value_elements(w, PCS_U8, count), *zu8 = pcs_value_elements(z, PCS_U8, zeros);
    if ((!i8 && !u8) || (!zi8 && !zu8) || w->dims < 2 || !count || (columns && w->dims != 2)) return false;
    out->rows = (size_t)w->shape[columns ? 1 : 0];
    out->k = (size_t)count / out->rows;
    if (zeros != 1 && zeros != out->rows) return false;
    out->w = pcs_alloc(u->g->ctx, (size_t)count + 1, sizeof *out->w);
    for (size_t r = 0; r < out->rows && out->w; r++)
        for (size_t i = 0; i < out->k; i++) {
            const size_t at = columns ? i * out->rows + r : r * out->k + i, zr = zeros == 1 ? 0 : r;
            out->w[r * out->k + i] = (int16_t)((i8 ? i8[at] : u8[at]) - (zi8 ? zi8[zr] : zu8[zr]));
        }
    return out->w != NULL;
}

/* Whole numbers: the zero point of codes may be that of each run, so it is any. */
static precis_status of_codes(const walk *u, const pcs_node *n)
{
    const bool conv = n->op == &pcs_op_conv_whole;
    whole_rows w = { 0 };
    if (n->n_in < 4 || !whole_weights(u, n, !conv, &w)) return u->g->error;
    beginning *from = pcs_alloc(u->g->ctx, w.rows + 1, sizeof *from);
    for (size_t r = 0; r < w.rows && from; r++) {
        const int64_t all = 255 * sum_of(&w, r);
        from[r] = (beginning){ .low = all > 0 ? -all : 0, .high = all < 0 ? -all : 0 };
    }
    const precis_status st = from ? tell(u, n, &w, from) : PRECIS_ENOMEM;
    pcs_free(u->g->ctx, w.w);
    pcs_free(u->g->ctx, from);
    return st;
}

precis_status precis_net_accumulators(precis_net *net, precis_net_accumulator_fn *fn, void *user)
{
    walk u = { .fn = fn, .user = user };
    precis_status st = precis_net_graph(net, &u.g);
    if (!st) pcs_graph_renumber(u.g);
    for (size_t i = 0; !st && i < u.g->n_nodes; i++) {
        const pcs_node *n = &u.g->nodes[i];
        if (n->op == &pcs_op_conv || n->op == &pcs_op_matmul || n->op == &pcs_op_product) st = of_numbers(&u, n);
        else if (n->op == &pcs_op_conv_whole || n->op == &pcs_op_product_whole) st = of_codes(&u, n);
    }
    return st;
}
