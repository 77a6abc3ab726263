/* insert.c - the float graph rebuilt with codes in it: after each value that has them a to_codes and a from_codes,
 * weights and biases as codes, clamps left out where codes saturate at the same numbers. Values of the float graph keep
 * their ids; map says what stands for each from here on. */
#include "quant/net/net.h"

#include <stdio.h>

extern const pcs_op pcs_op_max;

static precis_status failed(const precis_net_quant *q) { return q->g->error ? q->g->error : PRECIS_ENOMEM; }

/* A pair of nodes behind v, which stands for value `at` of the float graph; the value that the second gives. */
static precis_value pair(precis_net_quant *q, precis_value v, precis_value at)
{
    const pcs_qparams *p = &q->values[at].params;
    const char *of = q->g->values[at].name;
    char name[160];
    uint64_t zero = 0;
    const pcs_dtype d = q->activation_type;
    pcs_set_real(&(pcs_arg){ .dtype = d, .data = &zero }, 0, p->zero);
    snprintf(name, sizeof name, "%.100s_scale", of);
    const precis_value s = pcs_net_constant(q, name, PCS_F32, 0, NULL, &p->scale);
    snprintf(name, sizeof name, "%.100s_zero_point", of);
    const precis_value z = pcs_net_constant(q, name, d, 0, NULL, &zero);
    snprintf(name, sizeof name, "%.100s_QuantizeLinear", of);
    const precis_value codes = precis_graph_node(q->g, name, "to_codes", PRECIS_ATTRS(precis_attr_int("to", d)), 3,
                                                 (const precis_value[]){ v, s, z });
    snprintf(name, sizeof name, "%.100s_DequantizeLinear", of);
    const precis_value back =
        precis_graph_node(q->g, name, "from_codes", NULL, 3, (const precis_value[]){ codes, s, z });
    memcpy(q->values[at].dynamic, (const precis_value[]){ codes, s, z }, sizeof q->values[at].dynamic);
    return back;
}

/* A constant operand of a node in integers: codes of the activations' type, in its own range. */
static precis_value operand(precis_net_quant *q, precis_value v)
{
    const pcs_value x = q->g->values[v];
    uint64_t n = 1;
    float low, high;
    for (uint32_t i = 0; i < x.dims; i++) n *= (uint64_t)x.shape[i];
    if (!n) return v;
    const float *numbers = pcs_value_f32(&x, n);
    if (!numbers) return pcs_graph_fail(q->g, PRECIS_EINVAL, "constant %s has fewer numbers than its shape", x.name);
    pcs_extremes(numbers, n, &low, &high);
    const pcs_qparams p = pcs_qparams_choose(&q->activations, low, high);
    uint8_t *codes = pcs_alloc(q->ctx, n, 4);
    char name[160];
    uint64_t zero = 0;
    if (!codes) return pcs_graph_fail(q->g, PRECIS_ENOMEM, "%s", precis_ctx_message(q->ctx));
    const pcs_arg to = { .dtype = q->activation_type, .data = codes };
    for (uint64_t i = 0; i < n; i++)
        pcs_set_real(&to, i, pcs_qparams_code(&q->activations, &p, numbers[i]));
    pcs_set_real(&(pcs_arg){ .dtype = q->activation_type, .data = &zero }, 0, p.zero);
    snprintf(name, sizeof name, "%.100s_quantized", x.name);
    const precis_value c = pcs_net_constant(q, name, q->activation_type, x.dims, x.shape, codes);
    pcs_free(q->ctx, codes);
    snprintf(name, sizeof name, "%.100s_scale", x.name);
    const precis_value s = pcs_net_constant(q, name, PCS_F32, 0, NULL, &p.scale);
    snprintf(name, sizeof name, "%.100s_zero_point", x.name);
    const precis_value z = pcs_net_constant(q, name, q->activation_type, 0, NULL, &zero);
    snprintf(name, sizeof name, "%.100s_dequantized", x.name);
    return precis_graph_node(q->g, name, "from_codes", NULL, 3, (const precis_value[]){ c, s, z });
}

/* Do codes hold the numbers of this clamp by themselves? Its bounds are then the codes' own. */
static bool saturates(const precis_net_quant *q, const pcs_node *n, const pcs_qparams *p)
{
    if (n->n_in == 1) return pcs_qparams_code(&q->activations, p, 0) == q->activations.low;
    for (uint32_t i = 0; i < 2; i++) {
        const float *bound = pcs_value_f32(&q->g->values[n->in[i]], 1);
        if (!bound) continue;
        const int32_t code = pcs_qparams_code(&q->activations, p, *bound);
        return code == (n->op == &pcs_op_max ? q->activations.low : q->activations.high);
    }
    return false;
}

/* The codes that stand after a chain of fused nodes, if any do. */
static const pcs_net_value *behind(const precis_net_quant *q, const pcs_node *old, size_t n_old, size_t at)
{
    precis_value v = old[at].out[0];
    for (size_t i = at + 1; i < n_old; i++)
        if (q->nodes[i].state == PCS_NODE_FUSED && q->nodes[i].fused_into == q->nodes[at].fused_into)
            for (uint32_t k = 0; k < old[i].n_in; k++)
                if (old[i].in[k] == v) v = old[i].out[0];
    return q->values[v].coded ? &q->values[v] : NULL;
}

static precis_status copy_node(precis_net_quant *q, const pcs_node *old, size_t at, bool whole)
{
    pcs_node n = *old;
    n.in = pcs_arena_alloc(&q->g->arena, n.n_in + 1, sizeof *n.in);
    if (!n.in) return PRECIS_ENOMEM;
    for (uint32_t k = 0; k < n.n_in; k++) n.in[k] = q->map[old->in[k]];
    if (whole && pcs_net_can_dynamic_recurrent(q, old)) return pcs_net_dynamic_recurrent(q, old, &n);
    if (whole && q->nodes[at].kind == PCS_CODES_STORED) {
        const precis_status st = pcs_net_store_recurrent(q, at, &n);
        if (st) return st;
    } else if (whole && q->nodes[at].kind == PCS_CODES_MULTIPLY) {
        const pcs_net_value *x = &q->values[old->in[0]];
        const precis_status st = pcs_net_store(q, at, &n, x->coded ? &x->params : NULL, old->in[0]);
        if (st) return st;
        if (q->mode == PCS_NET_DYNAMIC && pcs_net_can_dynamic(q->g, old)) return pcs_net_dynamic(q, old, &n);
    } else if (whole && q->nodes[at].kind == PCS_CODES_OWN)
        for (uint32_t k = 0; k < n.n_in; k++)
            if (pcs_value_is_known(&q->g->values[n.in[k]]) && q->g->values[n.in[k]].dtype == PCS_F32)
                n.in[k] = operand(q, n.in[k]);
    return q->g->error ? q->g->error : pcs_graph_push(q->g, &n);
}

/* Nodes whose followers codes make superfluous. */
static void find_saturated(precis_net_quant *q, const pcs_node *old, size_t n_old)
{
    for (size_t i = 0; i < n_old; i++) q->nodes[i].saturated = true;
    for (size_t i = 0; i < n_old; i++) {
        if (q->nodes[i].state != PCS_NODE_FUSED) continue;
        pcs_net_node *m = &q->nodes[q->nodes[i].fused_into];
        const pcs_net_value *y = &q->values[m->result];
        m->saturated =
            m->saturated && q->nodes[i].kind == PCS_CODES_CLAMP && y->coded && saturates(q, &old[i], &y->params);
    }
}

static precis_status code_result(precis_net_quant *q, precis_value y)
{
    if (!q->values[y].coded) return PRECIS_OK;
    const precis_value coded = pair(q, q->map[y], y);
    if (coded < 0) return failed(q);
    q->map[y] = coded;
    return PRECIS_OK;
}

static precis_status rebuild(precis_net_quant *q, const pcs_node *old, size_t n_old)
{
    precis_status st = PRECIS_OK;
    find_saturated(q, old, n_old);
    for (size_t v = 0; v < q->n_values && !st; v++)
        if (q->g->values[v].role == PCS_INPUT && q->values[v].coded) {
            q->map[v] = pair(q, (precis_value)v, (precis_value)v);
            if (q->map[v] < 0) st = failed(q);
        }
    for (size_t i = 0; i < n_old && !st; i++) {
        const pcs_net_state state = q->nodes[i].state;
        const precis_value y = old[i].out[0];
        bool done = state == PCS_NODE_FUSED && q->nodes[q->nodes[i].fused_into].whole;
        if (!done && q->o.whole && state == PCS_NODE_WHOLE) st = pcs_net_whole(q, &old[i], i, &done);
        if (done || st) continue;
        const pcs_net_value *codes = state == PCS_NODE_FUSED ? behind(q, old, n_old, i) : NULL;
        if (codes && q->nodes[i].kind == PCS_CODES_CLAMP && saturates(q, &old[i], &codes->params)) {
            for (uint32_t k = 0; k < old[i].n_in; k++)
                if (!pcs_value_is_known(&q->g->values[old[i].in[k]])) q->map[y] = q->map[old[i].in[k]];
        } else st = copy_node(q, &old[i], i, state == PCS_NODE_WHOLE);
        for (uint32_t k = 0; k < old[i].n_out && !st; k++) st = code_result(q, old[i].out[k]);
    }
    return st;
}

precis_status pcs_net_insert(precis_net_quant *q)
{
    precis_graph *g = q->g;
    pcs_node *old = g->nodes;
    const size_t n_old = g->n_nodes;
    q->map = pcs_arena_alloc(&q->arena, q->n_values + 1, sizeof *q->map);
    if (!q->map) return PRECIS_ENOMEM;
    for (size_t v = 0; v < q->n_values; v++) q->map[v] = (precis_value)v;
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    const precis_status st = rebuild(q, old, n_old);
    for (size_t v = 0; v < q->n_values && !st; v++)
        if (g->values[v].output && q->map[v] != (precis_value)v) {
            g->values[q->map[v]].output = true;
            g->values[v].output = false;
        }
    pcs_free(g->ctx, old);
    pcs_graph_renumber(g);
    q->inserted = true;
    return st ? st : g->error ? pcs_fail(q->ctx, g->error, "%s", g->message) : PRECIS_OK;
}
