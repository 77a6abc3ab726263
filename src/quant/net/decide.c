/* decide.c - which nodes run in integers, and which values get codes.
 *
 * Forwards: a node can, when it multiplies by constants, or when its operands' codes are there. Backwards: it does,
 * when it multiplies, or when a reader of its result does; so codes never end in a node whose result only float ops
 * read. A clamp after a node that runs in integers is its saturation. */
#include "quant/net/net.h"

#include <stdio.h>

extern const pcs_op pcs_op_add;

typedef struct {
    precis_net_quant *q;
    uint32_t *uses;
    int32_t *next; /* of each value: its only reader; -1: none or several */
} deciding;

static bool is_number(const precis_graph *g, precis_value v) { return g->values[v].dtype == PCS_F32; }

static precis_status count_uses(deciding *d)
{
    const precis_graph *g = d->q->g;
    d->uses = pcs_arena_alloc(&d->q->arena, g->n_values + 1, sizeof *d->uses);
    d->next = pcs_arena_alloc(&d->q->arena, g->n_values + 1, sizeof *d->next);
    if (!d->uses || !d->next) return PRECIS_ENOMEM;
    for (size_t v = 0; v < g->n_values; v++) {
        d->uses[v] = g->values[v].output;
        d->next[v] = -1;
    }
    for (size_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) {
            const precis_value v = g->nodes[i].in[k];
            d->next[v] = d->uses[v]++ ? -1 : (int32_t)i;
        }
    return PRECIS_OK;
}

/* Operands that carry numbers: all but constants, and what says a shape or an index. */
static bool operands_available(const deciding *d, const pcs_node *n)
{
    const precis_graph *g = d->q->g;
    bool some = false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const precis_value v = n->in[k];
        if (!is_number(g, v) || pcs_value_is_known(&g->values[v])) continue;
        if (!d->q->values[v].available) return false;
        some = true;
    }
    return some;
}

/* A product by a constant that is no weight: scalars and vectors have codes of their own where others have. */
static bool can(const deciding *d, size_t i)
{
    const pcs_node *n = &d->q->g->nodes[i];
    switch (d->q->nodes[i].kind) {
    case PCS_CODES_MULTIPLY:
    case PCS_CODES_STORED: return true;
    case PCS_CODES_FLOAT: return false;
    default: return operands_available(d, n);
    }
}

/* Are weights alone stored beside ranges from calibration? Not where others' placements are asked for, who leave such
 * nodes in float, nor for an engine that decodes no weights. */
static bool stores(const precis_net_quant *q)
{
    return q->mode != PCS_NET_STATIC || (q->like == PCS_LIKE_PRECIS && pcs_net_backend_decodes(q));
}

/* Why a node that could run in integers does not; NULL: it does. */
static const char *left_in_float(const precis_net_quant *q, size_t i)
{
    const char *why = pcs_net_kept_float(q, i);
    const pcs_code_place_kind kind = q->nodes[i].kind;
    if (!why && kind == PCS_CODES_STORED && !stores(q)) return "has no form in integers";
    if (why || kind != PCS_CODES_MULTIPLY || pcs_net_sum_fits(q, &q->g->nodes[i])) return why;
    return "its products might not fit into a sum of 32 bits";
}

static void forwards(deciding *d)
{
    precis_net_quant *q = d->q;
    for (size_t v = 0; v < q->g->n_values; v++)
        q->values[v].available = q->g->values[v].role == PCS_INPUT && is_number(q->g, (precis_value)v);
    for (size_t i = 0; i < q->g->n_nodes; i++) {
        const pcs_node *n = &q->g->nodes[i];
        q->nodes[i].kind = pcs_code_place_of(q->g, n);
        if ((q->nodes[i].why = left_in_float(q, i)) != NULL) q->nodes[i].kind = PCS_CODES_FLOAT;
        if (!can(d, i)) continue;
        q->nodes[i].state = PCS_NODE_WHOLE;
        q->values[n->out[0]].available = q->nodes[i].kind != PCS_CODES_STORED;
    }
}

static bool wanted(const deciding *d, const bool *readers, const pcs_node *n)
{
    return readers[n->out[0]] || d->q->like == PCS_LIKE_ORT || d->q->o.all;
}

static void backwards(deciding *d, bool *readers)
{
    precis_net_quant *q = d->q;
    for (size_t i = q->g->n_nodes; i-- > 0;) {
        const pcs_node *n = &q->g->nodes[i];
        pcs_net_node *m = &q->nodes[i];
        if (m->state != PCS_NODE_WHOLE || m->kind == PCS_CODES_STORED) continue;
        const bool multiplies = m->kind == PCS_CODES_MULTIPLY;
        if (!multiplies && !wanted(d, readers, n)) {
            m->state = PCS_NODE_FLOAT;
            m->why = "only ops in float read its result";
            continue;
        }
        for (uint32_t k = 0; k < n->n_in; k++) readers[n->in[k]] = readers[n->in[k]] || is_number(q->g, n->in[k]);
    }
}

/* A constant that is added after a product of matrices is its bias. */
static bool is_bias(const precis_graph *g, const pcs_node *maker, const pcs_node *n)
{
    if (n->op != &pcs_op_add || maker->op->result_axis || maker->op->bias) return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (pcs_value_is_known(&g->values[n->in[k]]) && g->values[n->in[k]].dtype == PCS_F32) return true;
    return false;
}

/* By hand only what is named is part of the node before. */
static bool may_fuse(const precis_net_quant *q, size_t i)
{
    size_t k = 0;
    while (k < q->o.n_fused && strcmp(q->o.fused[k], q->g->nodes[i].name) != 0) k++;
    return !q->o.by_hand || k < q->o.n_fused;
}

/* Clamps that are the saturation of what they stand behind, and biases: a chain of single readers. */
static void fuse(deciding *d)
{
    precis_net_quant *q = d->q;
    for (size_t i = 0; i < q->g->n_nodes; i++) {
        const pcs_net_node *m = &q->nodes[i];
        const pcs_node *n = &q->g->nodes[i];
        if (m->state != PCS_NODE_WHOLE || m->kind == PCS_CODES_SHARE || m->kind == PCS_CODES_CLAMP ||
            m->kind == PCS_CODES_STORED)
            continue;
        precis_value v = n->out[0];
        for (int32_t next = d->next[v]; next >= 0 && !q->g->values[v].output; next = d->next[v]) {
            if (q->nodes[next].kind != PCS_CODES_CLAMP && !(v == n->out[0] && is_bias(q->g, n, &q->g->nodes[next])))
                break;
            if (!may_fuse(q, (size_t)next)) break;
            q->nodes[next].state = PCS_NODE_FUSED;
            q->nodes[next].why = NULL;
            q->nodes[next].fused_into = (int32_t)i;
            v = q->g->nodes[next].out[0];
        }
    }
}

/* The value after the clamps that belong to the node. */
static precis_value result_of(const deciding *d, size_t i)
{
    precis_value v = d->q->g->nodes[i].out[0];
    for (int32_t next = d->next[v]; next >= 0 && d->q->nodes[next].state == PCS_NODE_FUSED; next = d->next[v])
        v = d->q->g->nodes[next].out[0];
    return v;
}

static precis_value source_of(const precis_net_quant *q, precis_value v)
{
    while (q->values[v].shares >= 0) v = q->values[v].shares;
    return v;
}

/* Values between: what a node in integers reads, and what a convolution gives. */
static void choose_values(deciding *d)
{
    precis_net_quant *q = d->q;
    for (size_t i = 0; i < q->g->n_nodes; i++) {
        const pcs_node *n = &q->g->nodes[i];
        if (q->nodes[i].state != PCS_NODE_WHOLE) continue;
        const precis_value y = q->nodes[i].result = result_of(d, i);
        if (q->nodes[i].kind == PCS_CODES_STORED) continue;
        const bool matrix = !n->op->result_axis; /* engines give floats of products of matrices */
        for (uint32_t k = 0; k < n->n_in; k++)
            if (is_number(q->g, n->in[k]) && !pcs_value_is_known(&q->g->values[n->in[k]]))
                q->values[n->in[k]].coded = true;
        if (q->nodes[i].kind == PCS_CODES_SHARE) q->values[y].shares = source_of(q, n->in[0]);
        if ((q->nodes[i].kind == PCS_CODES_MULTIPLY && matrix) && q->like != PCS_LIKE_ORT) continue;
        q->values[y].coded = true;
    }
}

static void say_how(precis_net_quant *q, pcs_net_node *m, const pcs_node *n)
{
    static const char *const modes[] = { "static", "dynamic", "weights" };
    const bool product = m->kind == PCS_CODES_MULTIPLY || m->kind == PCS_CODES_STORED;
    const bool dynamic = pcs_net_can_dynamic(q->g, n) || pcs_net_can_dynamic_recurrent(q, n);
    const bool alone = q->mode == PCS_NET_DYNAMIC ? !dynamic : q->mode == PCS_NET_STATIC && m->kind == PCS_CODES_STORED;
    const char *scales = q->block                    ? "by block"
                         : pcs_net_by_channel(q, n) ? "per channel"
                                                    : "per tensor";
    const char *how = alone ? modes[2] : modes[q->mode];
    if (alone) m->why = "its weights alone are codes; it multiplies in float";
    if (product)
        snprintf(m->method, sizeof m->method, "%s, weights %s %s%s", how, q->o.weights ? q->o.weights : "int8", scales,
                 m->equalized ? ", equalized" : "");
    else
        snprintf(m->method, sizeof m->method, "%s, %s", how,
                 m->kind == PCS_CODES_SHARE ? "range of its operand" : "own range");
}

static void say_why(precis_net_quant *q)
{
    for (size_t i = 0; i < q->g->n_nodes; i++) {
        pcs_net_node *m = &q->nodes[i];
        const pcs_node *n = &q->g->nodes[i];
        if (m->state == PCS_NODE_WHOLE) say_how(q, m, n);
        if (m->state != PCS_NODE_FLOAT || m->why) continue;
        if (!is_number(q->g, n->out[0])) m->state = PCS_NODE_SHAPE;
        else if (!pcs_code_place_row(n->op)) m->why = "has no form in integers";
        else if (m->kind == PCS_CODES_FLOAT) m->why = "this form of it has none in integers";
        else m->why = "an operand of it comes from an op in float";
    }
}

/* Without calibration: products with constants alone. */
static void decide_products(precis_net_quant *q)
{
    for (size_t i = 0; i < q->g->n_nodes; i++) {
        pcs_net_node *m = &q->nodes[i];
        const pcs_node *n = &q->g->nodes[i];
        m->kind = pcs_code_place_of(q->g, n);
        if ((m->why = left_in_float(q, i)) != NULL) continue;
        if (m->kind == PCS_CODES_MULTIPLY || m->kind == PCS_CODES_STORED) m->state = PCS_NODE_WHOLE;
        else if (!is_number(q->g, n->out[0])) m->state = PCS_NODE_SHAPE;
        else m->why = "is no product with constant weights";
    }
}

precis_status pcs_net_decide(precis_net_quant *q)
{
    deciding d = { .q = q };
    bool *readers = pcs_arena_alloc(&q->arena, q->g->n_values + 1, sizeof *readers);
    precis_status st = readers ? count_uses(&d) : PRECIS_ENOMEM;
    if (st) return st;
    for (size_t v = 0; v < q->n_values; v++) {
        q->values[v].shares = -1;
        memset(q->values[v].dynamic, -1, sizeof q->values[v].dynamic);
    }
    if (q->mode != PCS_NET_STATIC) {
        decide_products(q);
        say_why(q);
        return PRECIS_OK;
    }
    forwards(&d);
    backwards(&d, readers);
    fuse(&d);
    choose_values(&d);
    say_why(q);
    return PRECIS_OK;
}
