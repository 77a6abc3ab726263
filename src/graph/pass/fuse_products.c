/* fuse_products - MatMulInteger of constant weights, its Cast to numbers, the Mul with its scales and the Add of a
 * constant become one node (codes_product): what quantize_dynamic of onnxruntime writes. The bits are those of the
 * four. */
#include "graph/pass/codes.h"

extern const pcs_op pcs_op_product_whole, pcs_op_cast, pcs_op_mul, pcs_op_add;

/* Codes [k][n] of 8 bits, and zero points of one or n columns of the same type. */
typedef struct {
    const void *w, *z;
    bool sign, one;
    int64_t n;
} code_columns;

static bool columns_of(const pcs_value *w, const pcs_value *z, code_columns *out)
{
    *out = (code_columns){ .w = pcs_value_elements(w, w->dtype, (uint64_t)pcs_value_count(w)),
                      .z = pcs_value_elements(z, w->dtype, (uint64_t)pcs_value_count(z)),
                      .sign = w->dtype == PCS_I8,
                      .one = pcs_value_count(z) == 1,
                      .n = w->shape[1] };
    return out->w && out->z;
}

/* Code i less its column's zero point. */
static int32_t code_of(const code_columns *c, int64_t i)
{
    const int64_t z = c->one ? 0 : i % c->n;
    return c->sign ? ((const int8_t *)c->w)[i] - ((const int8_t *)c->z)[z]
                   : ((const uint8_t *)c->w)[i] - ((const uint8_t *)c->z)[z];
}

/* Codes less their zero points, which must fit 8 bits with a sign; w is [k][n]. */
static bool weights_fit(const pcs_value *w, const pcs_value *z)
{
    code_columns c;
    if (!pcs_value_is_known(w) || w->dims != 2 || (w->dtype != PCS_I8 && w->dtype != PCS_U8) || w->shape[0] < 1 ||
        w->shape[1] < 1 || w->shape[0] > INT32_MAX / (255 * 128) ||
        (pcs_value_count(z) != 1 && pcs_value_count(z) != w->shape[1]))
        return false;
    if (!columns_of(w, z, &c)) return false;
    for (int64_t i = 0; i < w->shape[0] * w->shape[1]; i++) {
        const int32_t q = code_of(&c, i);
        if (q < -128 || q > 127) return false;
    }
    return true;
}

/* The product whose cast v is, with weights that fit. */
static const pcs_node *product_behind(const precis_graph *g, precis_value v)
{
    const pcs_node *cast = pcs_node_making(g, g->nodes, v);
    if (!cast || cast->op != &pcs_op_cast || g->values[v].dtype != PCS_F32) return NULL;
    const pcs_node *p = pcs_node_making(g, g->nodes, cast->in[0]);
    if (!p || p->op != &pcs_op_product_whole) return NULL;
    const pcs_value *a = &g->values[p->in[0]], *za = &g->values[p->in[2]];
    const bool rows = a->dtype == PCS_U8 && a->dims >= 2 && pcs_value_sized(a) && !pcs_value_is_known(a) &&
                      pcs_value_count(za) == 1;
    return rows && weights_fit(&g->values[p->in[1]], &g->values[p->in[3]]) ? p : NULL;
}

/* A vector by column: all dimensions but the last are one. */
static bool by_column(const precis_graph *g, precis_value v, int64_t n)
{
    const pcs_value *s = &g->values[v];
    return s->dtype == PCS_F32 && n >= 0 && pcs_value_count(s) == n && s->dims && s->shape[s->dims - 1] == n;
}

static void *room(precis_graph *g, size_t n)
{
    void *p = pcs_alloc(g->ctx, n + 64, 1);
    if (!p) pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    return p;
}

/* Panels of weights and their sums. */
static bool pack_panels(precis_graph *g, const pcs_node *p, precis_value *w, precis_value *sums)
{
    const pcs_value v = g->values[p->in[1]], z = g->values[p->in[3]];
    const size_t k = (size_t)v.shape[0], n = (size_t)v.shape[1], padded = pcs_codes_panels(n) * PCS_CODES_PANEL,
                 bytes = pcs_codes_bytes(n, k);
    int8_t *to = room(g, bytes + k);
    int32_t *sum = room(g, padded * sizeof *sum);
    code_columns c;
    const bool there = columns_of(&v, &z, &c), ok = to && sum && there;
    if (!there) pcs_op_fail(g, p, "has fewer weights than its shape");
    for (size_t r = 0; r < n && ok; r++) {
        int8_t *row = to + bytes;
        for (size_t i = 0; i < k; i++) {
            row[i] = (int8_t)code_of(&c, (int64_t)(i * n + r));
            sum[r] += row[i];
        }
        pcs_codes_pack_row(to, pcs_codes_lines(k), r, row, k);
    }
    if (ok) {
        *w = pcs_code_constant(g, "weights", PCS_I8, (int64_t)bytes, to);
        *sums = pcs_code_constant(g, "sums", PCS_I32, (int64_t)padded, sum);
    }
    pcs_free(g->ctx, to);
    pcs_free(g->ctx, sum);
    return ok && !g->error;
}

static precis_value padded_bias(precis_graph *g, precis_value bias, size_t n)
{
    const size_t padded = pcs_codes_panels(n) * PCS_CODES_PANEL;
    float *to = room(g, padded * sizeof *to);
    if (!to) return -1;
    const float *from = pcs_value_f32(&g->values[bias], n);
    if (from) memcpy(to, from, n * sizeof *to);
    const precis_value v = from ? pcs_code_constant(g, "bias", PCS_F32, (int64_t)padded, to)
                                : pcs_graph_fail(g, PRECIS_EINVAL, "bias %s: fewer than %zu numbers",
                                                 g->values[bias].name, n);
    pcs_free(g->ctx, to);
    return v;
}

/* One node for the product p, giving `out`. bias < 0: none. */
static precis_status replace_product(precis_graph *g, size_t at, const pcs_node *p, precis_value scale,
                                     precis_value bias)
{
    const pcs_node old = g->nodes[at], product = *p;
    const int64_t n = g->values[product.in[1]].shape[1];
    const precis_attr attrs[] = { precis_attr_int("channels", n), { 0 } };
    precis_value w, sums;
    if (!pack_panels(g, &product, &w, &sums)) return g->error;
    const precis_value in[] = { product.in[0], product.in[2],
                                scale,         w,
                                sums,          bias < 0 ? -1 : padded_bias(g, bias, (size_t)n) };
    if (g->error) return g->error;
    const precis_value made = precis_graph_node(g, old.name, "codes_product", attrs, bias < 0 ? 5 : 6, in);
    if (made < 0) return g->error ? g->error : PRECIS_ENOMEM;
    pcs_node node = g->nodes[--g->n_nodes];
    node.out = old.out;
    g->nodes[at] = node;
    g->values[made].node = -1;
    return PRECIS_OK;
}

/* Is node `at` a Mul of such a product and scales? */
static const pcs_node *scaled(const precis_graph *g, const pcs_node *n, precis_value *scale)
{
    for (int side = 0; side < 2 && n && n->op == &pcs_op_mul; side++) {
        const pcs_node *p = product_behind(g, n->in[side]);
        const pcs_value *s = &g->values[n->in[1 - side]];
        if (!p) continue;
        const int64_t columns = g->values[p->in[1]].shape[1];
        const bool one = s->dtype == PCS_F32 && pcs_value_count(s) == 1 && s->dims <= 2;
        if (!one && !by_column(g, n->in[1 - side], columns)) continue;
        if (!pcs_same_count(&g->values[n->out[0]], &g->values[n->in[side]])) continue;
        *scale = n->in[1 - side];
        return p;
    }
    return NULL;
}

static precis_status fuse_at(precis_graph *g, size_t at)
{
    const pcs_node n = g->nodes[at];
    precis_value scale;
    if (n.op == &pcs_op_add)
        for (int side = 0; side < 2; side++) { /* of which the bias is folded in, when nobody else reads the product */
            const pcs_node *times = pcs_node_making(g, g->nodes, n.in[side]), *p = scaled(g, times, &scale);
            const pcs_value *b = &g->values[n.in[1 - side]];
            if (p && pcs_value_is_known(b) && by_column(g, n.in[1 - side], g->values[p->in[1]].shape[1]) &&
                pcs_same_count(&g->values[n.out[0]], &g->values[n.in[side]]))
                return replace_product(g, at, p, scale, n.in[1 - side]);
        }
    const pcs_node *p = scaled(g, &n, &scale);
    return p ? replace_product(g, at, p, scale, -1) : PRECIS_OK;
}

/* From the end on: an Add takes the Mul before it, which then has no reader and goes. */
static precis_status run(precis_graph *g)
{
    precis_status st = PRECIS_OK;
    const size_t n = g->n_nodes, values = g->n_values;
    size_t *uses = pcs_alloc(g->ctx, values + 1, sizeof *uses);
    if (!uses) return PRECIS_ENOMEM;
    for (size_t v = 0; v < values; v++) uses[v] = g->values[v].output;
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) uses[g->nodes[i].in[k]]++;
    for (size_t i = n; i-- > 0 && !st;) {
        const pcs_node old = g->nodes[i];
        bool needed = false;
        for (uint32_t k = 0; k < old.n_out; k++) needed = needed || uses[old.out[k]];
        if (needed) st = fuse_at(g, i);
        if (needed && g->nodes[i].op == old.op) continue;
        for (uint32_t k = 0; k < old.n_in; k++) uses[old.in[k]]--;
        for (uint32_t k = 0; needed && k < g->nodes[i].n_in; k++)
            if ((size_t)g->nodes[i].in[k] < values) uses[g->nodes[i].in[k]]++;
    }
    pcs_free(g->ctx, uses);
    if (!st && !g->error) st = precis_graph_pass(g, "drop_unused");
    return g->error ? precis_graph_verify(g) : st;
}

const pcs_pass pcs_pass_fuse_products = { "fuse_products", run };
