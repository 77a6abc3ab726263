/* sharing.c - what operands of a concatenation or a sum would lose if they had one scale: engines that requantize in
 * the kernel let each have its own, torch gives a concatenation's operands and result one observer. The error of codes
 * is a twelfth of their scale's square, so the loss is that of scales, over operands by how many numbers they give. */
#include "quant/net/net.h"

#include <math.h>

extern const pcs_op pcs_op_concat, pcs_op_add;

static precis_value source_of(const precis_net_quant *q, precis_value v)
{
    while (q->values[v].shares >= 0) v = q->values[v].shares;
    return v;
}

/* Numbers of an operand beside those of the others. */
static double share_of(const precis_net_quant *q, const pcs_node *n, precis_value v)
{
    const pcs_value *x = &q->g->values[v];
    const uint32_t axis = n->op == &pcs_op_concat ? pcs_axis(n->attr[0].integer, x->dims) : x->dims;
    return axis < x->dims && !pcs_dim_is_id(x->shape[axis]) ? (double)x->shape[axis] : 1;
}

static bool has_range(const precis_net_quant *q, precis_value v)
{
    const pcs_net_value *m = &q->values[source_of(q, v)];
    return q->values[v].coded && m->seen && m->params.scale > 0;
}

typedef struct { float low, high; double own, shared; uint32_t n; } group;

static group group_of(const precis_net_quant *q, const pcs_node *n)
{
    group r = { 0 };
    double all = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (!has_range(q, n->in[k])) continue;
        const pcs_net_value *m = &q->values[source_of(q, n->in[k])];
        const double s = (double)m->own_scale, many = share_of(q, n, n->in[k]);
        r.low = !r.n || m->low < r.low ? m->low : r.low;
        r.high = !r.n || m->high > r.high ? m->high : r.high;
        r.own += many * s * s;
        all += many;
        r.n++;
    }
    const double s = r.n ? (double)pcs_qparams_choose(&q->activations, r.low, r.high).scale : 0;
    r.shared = all * s * s;
    return r;
}

/* One range for what a concatenation reads and gives. Chains of them take their neighbours' with them. */
static bool share(precis_net_quant *q, const pcs_node *n, precis_value result, const group *r)
{
    bool changed = false;
    float low = r->low, high = r->high;
    const pcs_net_value *y = &q->values[source_of(q, result)];
    const bool with = has_range(q, result);
    if (with && y->low < low) low = y->low;
    if (with && y->high > high) high = y->high;
    for (uint32_t k = 0; k <= n->n_in; k++) {
        const precis_value v = k < n->n_in ? n->in[k] : result;
        pcs_net_value *m = &q->values[source_of(q, v)];
        if (!has_range(q, v) || (m->low == low && m->high == high)) continue;
        m->low = low;
        m->high = high;
        m->params = pcs_qparams_choose(&q->activations, low, high);
        changed = true;
    }
    return changed;
}

void pcs_net_sharing(precis_net_quant *q)
{
    for (size_t v = 0; v < q->n_values; v++) q->values[v].own_scale = q->values[v].params.scale;
    for (size_t i = 0; i < q->n_nodes; i++) {
        const pcs_node *n = &q->g->nodes[i];
        pcs_net_node *m = &q->nodes[i];
        if (m->state != PCS_NODE_WHOLE || (n->op != &pcs_op_concat && n->op != &pcs_op_add)) continue;
        const group r = group_of(q, n);
        m->shared = r.n > 1;
        if (m->shared) m->sharing_db = 10 * log10(r.shared / r.own);
    }
    bool changed = q->like == PCS_LIKE_TORCH;
    for (size_t round = 0; changed && round <= q->n_nodes; round++) {
        changed = false;
        for (size_t i = 0; i < q->n_nodes; i++) {
            const pcs_node *n = &q->g->nodes[i];
            if (!q->nodes[i].shared || n->op != &pcs_op_concat) continue;
            const group r = group_of(q, n);
            changed = share(q, n, q->nodes[i].result, &r) || changed;
        }
    }
}
