/* recurrent - RNN, GRU and LSTM as ONNX has them. Inputs: x[steps, batch, in], w[ways, gates * hidden, in], r[ways,
 * gates * hidden, hidden], b[ways, 2 * gates * hidden], lengths[batch] (I32), h[ways, batch, hidden], and of an LSTM
 * c[ways, batch, hidden] and peepholes p[ways, 3 * hidden]. Results: y[steps, ways, batch, hidden], the last h, and the
 * last c.
 *
 * dynamic_recurrent - the same with codes of 8 bits, w[ways, in, gates * hidden] and r[ways, hidden, gates * hidden],
 * and after the others their scales and zero points, one for all, for each way or for each row of gates: ws, wz, rs,
 * rz.
 *
 * `kind`: rnn, gru, lstm; `way`: forward, reverse, bidirectional; `act`: a letter for each function of each way in
 * ONNX's order: t tanh, s sigmoid, r relu, a affine, l leaky, T thresholded, S scaled tanh, H hard sigmoid, e elu, g
 * softsign, p softplus, with `coefficients` ([2][functions]: bits of F32) as alpha and beta. What is computed says
 * recurrent.h; here one thread packs the weights first. The pass pack_recurrent makes packed_recurrent of both. */
#include "graph/op/recurrent.h"

enum { X, W, R, B, LENGTHS, H, C, P };

static bool shaped(const precis_graph *g, const pcs_node *n, uint32_t i, uint32_t dims, const int64_t *shape)
{
    const pcs_value *v = &g->values[n->in[i]];
    return v->dims == dims && !memcmp(v->shape, shape, dims * sizeof *shape);
}
static bool floats(const precis_graph *g, const pcs_node *n, uint32_t i, uint32_t dims, const int64_t *shape)
{
    return g->values[n->in[i]].dtype == PCS_F32 && shaped(g, n, i, dims, shape);
}

/* All but w and r. */
static bool fits(const precis_graph *g, const pcs_node *n, int64_t ways, int64_t hidden)
{
    const int64_t batch = g->values[n->in[X]].shape[1], rows = pcs_recurrent_gates(n->attr) * hidden;
    const int64_t state[] = { ways, batch, hidden };
    if (!floats(g, n, B, 2, (const int64_t[]){ ways, 2 * rows }) || !floats(g, n, H, 3, state)) return false;
    return pcs_recurrent_gates(n->attr) != 4 ||
           (floats(g, n, C, 3, state) && floats(g, n, P, 2, (const int64_t[]){ ways, 3 * hidden }));
}

/* Of a type, and one for all, for each way or for each row. */
static bool scales_fit(const precis_graph *g, precis_value v, pcs_dtype d, int64_t ways, int64_t rows)
{
    const pcs_value *s = &g->values[v];
    int64_t n = 1;
    for (uint32_t i = 0; i < s->dims; i++) {
        if (pcs_dim_is_id(s->shape[i])) return false;
        n *= s->shape[i];
    }
    return s->dtype == d && (n == 1 || n == ways || n == ways * rows);
}

static precis_status infer_with(precis_graph *g, const pcs_node *n, pcs_value *out, bool dynamic)
{
    const pcs_value *x = &g->values[n->in[X]], *w = &g->values[n->in[W]], *r = &g->values[n->in[R]],
                    *l = &g->values[n->in[LENGTHS]];
    if (pcs_recurrent_check(g, n)) return g->error;
    const uint32_t want = (pcs_recurrent_gates(n->attr) == 4 ? 8u : 6u) + (dynamic ? 4u : 0u);
    const int64_t gates = pcs_recurrent_gates(n->attr),
                  ways = !strcmp(n->attr[PCS_R_WAY].text, "bidirectional") ? 2 : 1;
    if (n->n_in != want || x->dims != 3 || r->dims != 3 || x->dtype != PCS_F32 || l->dtype != PCS_I32 || l->dims != 1 ||
        l->shape[0] != x->shape[1])
        return pcs_op_fail(g, n, "takes F32 x[steps, batch, in] and lengths[batch]");
    const int64_t hidden = r->shape[dynamic ? 1 : 2], rows = gates * hidden;
    if (pcs_dim_is_id(hidden)) return pcs_op_fail(g, n, "has weights of a size that is not known yet");
    const int64_t w_rows[] = { ways, rows, x->shape[2] }, w_columns[] = { ways, x->shape[2], rows },
                  r_rows[] = { ways, rows, hidden }, r_columns[] = { ways, hidden, rows };
    bool good = fits(g, n, ways, hidden) && shaped(g, n, W, 3, dynamic ? w_columns : w_rows) &&
                shaped(g, n, R, 3, dynamic ? r_columns : r_rows);
    if (!dynamic) good = good && w->dtype == PCS_F32 && r->dtype == PCS_F32;
    for (uint32_t i = 0; i < 2 && dynamic && good; i++) {
        const pcs_dtype d = (i ? r : w)->dtype;
        good = pcs_dtype_byte(d) && scales_fit(g, n->in[want - 4 + 2 * i], PCS_F32, ways, rows) &&
               scales_fit(g, n->in[want - 3 + 2 * i], d, ways, rows);
    }
    if (!good)
        return pcs_op_fail(g, n,
                           "has weights or states of another shape than %lld ways, %lld gates and %lld hidden ask for",
                           (long long)ways, (long long)gates, (long long)hidden);
    if (dynamic &&
        (pcs_dim_is_id(x->shape[2]) || x->shape[2] > INT32_MAX / (255 * 255) || hidden > INT32_MAX / (255 * 255)))
        return pcs_op_fail(g, n, "has more products than a sum of 32 bits holds");
    pcs_recurrent_shapes(n, x, hidden, out);
    return PRECIS_OK;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out) { return infer_with(g, n, out, false); }
static precis_status infer_codes(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    return infer_with(g, n, out, true);
}

static pcs_recurrent of_call(const pcs_call *c, pcs_recurrent_weights *w)
{
    const bool lstm = pcs_recurrent_gates(c->attr) == 4;
    const uint32_t scales = lstm ? 8 : 6;
    const bool dynamic = c->n_in > scales;
    const pcs_arg *r = &c->in[R];
    pcs_recurrent run = { .c = c, .x = &c->in[X], .lengths = &c->in[LENGTHS], .h = &c->in[H] };
    run.p = pcs_recurrent_layout(pcs_recurrent_gates(c->attr), (size_t)r->shape[0], (size_t)r->shape[dynamic ? 1 : 2],
                                 (size_t)run.x->shape[2], dynamic);
    if (lstm) run.cell = &c->in[C], run.peepholes = &c->in[P];
    *w = (pcs_recurrent_weights){ .w = &c->in[W], .r = r, .b = &c->in[B] };
    if (dynamic) w->ws = &c->in[scales], w->wz = w->ws + 1, w->rs = w->ws + 2, w->rz = w->ws + 3;
    return run;
}

static size_t packed_bytes(const pcs_recurrent *r) { return r->p.ways * r->p.blocks * r->p.bytes + 64; }
static size_t scratch(const pcs_call *c)
{
    pcs_recurrent_weights w;
    const pcs_recurrent r = of_call(c, &w);
    return pcs_recurrent_shared(&r) + pcs_recurrent_own(&r) + packed_bytes(&r);
}
static uint32_t workers(const pcs_call *c) { return (void)c, 1; }

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    pcs_recurrent_weights w;
    pcs_recurrent r = of_call(c, &w);
    (void)nth;
    if (ith) return;
    r.shared = c->scratch;
    r.own = r.shared + pcs_recurrent_shared(&r);
    char *packed = r.own + pcs_recurrent_own(&r);
    packed += -(uintptr_t)packed % 64;
    pcs_recurrent_pack_into(&r.p, &w, packed);
    r.packed = packed;
    pcs_recurrent_run(&r, 0, 1);
}

/* Of both weights, at each step. */
static uint64_t products(const pcs_call *c)
{
    const pcs_arg *x = &c->in[0], *w = &c->in[1], *r = &c->in[2];
    return (uint64_t)(x->shape[0] * x->shape[1]) * (uint64_t)(pcs_arg_count(w) + pcs_arg_count(r));
}

const pcs_op pcs_op_recurrent = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "recurrent",
    .min_in = 6,
    .max_in = 8,
    .results = pcs_recurrent_results,
    .attrs = PCS_ATTR_TABLE(PCS_RECURRENT_ATTRS),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .workers = workers,
    .products = products,
};

const pcs_op pcs_op_dynamic_recurrent = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "dynamic_recurrent",
    .min_in = 10,
    .max_in = 12,
    .results = pcs_recurrent_results,
    .attrs = PCS_ATTR_TABLE(PCS_RECURRENT_ATTRS),
    .infer = infer_codes,
    .eval = eval,
    .scratch = scratch,
    .workers = workers,
    .products = products,
};
