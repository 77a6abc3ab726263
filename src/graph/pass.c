/* pass.c - the table of passes, and static quantization. */
#include "graph/pass.h"

#include <math.h>
#include <stdio.h>

#define PASS(name) extern const pcs_pass pcs_pass_##name;
#include "graph/passes.def"

const pcs_pass *const pcs_passes[] = {
#define PASS(name) &pcs_pass_##name,
#include "graph/passes.def"
    NULL,
};

static const pcs_pass *const preparing[] = {
#define PASS(name)
#define PREPARES(name) &pcs_pass_##name,
#define LOWERS(name)
#include "graph/passes.def"
    NULL,
};

static const pcs_pass *const lowering[] = {
#define PASS(name)
#define PREPARES(name)
#define LOWERS(name) &pcs_pass_##name,
#include "graph/passes.def"
    NULL,
};

static precis_status pass(precis_graph *g, const pcs_pass *p)
{
    const precis_status st = precis_graph_verify(g), r = st ? st : p->run(g);
    return r ? r : precis_graph_verify(g);
}

precis_status precis_graph_pass(precis_graph *g, const char *name)
{
    for (size_t i = 0; pcs_passes[i]; i++)
        if (!strcmp(pcs_passes[i]->name, name)) return pass(g, pcs_passes[i]);
    const precis_status st = precis_graph_verify(g);
    return st ? st : pcs_fail(g->ctx, PRECIS_EINVAL, "no pass %s", name);
}

static precis_status each(precis_graph *g, const pcs_pass *const *list)
{
    precis_status st = PRECIS_OK;
    for (; *list && !st; list++) st = pass(g, *list);
    return st;
}

precis_status pcs_graph_prepare(precis_graph *g) { return each(g, preparing); }

precis_status pcs_graph_lower(precis_graph *g) { return each(g, lowering); }

size_t pcs_value_uses(const precis_graph *g, precis_value v)
{
    size_t uses = g->values[v].output;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) uses += g->nodes[i].in[k] == v;
    return uses;
}

precis_attr *pcs_node_own_attrs(precis_graph *g, pcs_node *n)
{
    const uint32_t count = pcs_op_attrs(n->op);
    precis_attr *attr = pcs_arena_alloc(&g->arena, count + 1, sizeof *attr);
    if (!attr) return NULL;
    if (count) memcpy(attr, n->attr, count * sizeof *attr);
    return (precis_attr *)(uintptr_t)(n->attr = attr);
}

precis_status pcs_node_become(precis_graph *g, pcs_node *n, const pcs_op *op, uint32_t n_in, const precis_value *in)
{
    const uint32_t count = pcs_op_attrs(op);
    precis_attr *attr = pcs_arena_alloc(&g->arena, count + 1, sizeof *attr);
    precis_value *own = pcs_arena_alloc(&g->arena, n_in + 1, sizeof *own);
    if (!attr || !own) return PRECIS_ENOMEM;
    if (count) memcpy(attr, op->attrs, count * sizeof *attr);
    memcpy(own, in, n_in * sizeof *own);
    n->op = op;
    n->attr = attr;
    n->in = own;
    n->n_in = n_in;
    return PRECIS_OK;
}

void pcs_graph_renumber(precis_graph *g)
{
    for (size_t i = 0; i < g->n_values; i++) g->values[i].node = -1;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_out; k++) g->values[g->nodes[i].out[k]].node = (int32_t)i;
}

/* The graph is rebuilt node by node; map says which value stands for an old one from here on. */
typedef struct { precis_graph *g; precis_value *map; const precis_range *ranges; size_t n; } rebuild;

/* quantize + dequantize after a value that has a range: affine int8 whose grid has an exact zero. */
static void stub(rebuild *r, precis_value v)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->ranges[i].value != v) continue;
        const float lo = r->ranges[i].lo < 0 ? r->ranges[i].lo : 0.0f,
                    hi = r->ranges[i].hi > 0 ? r->ranges[i].hi : 0.0f;
        double scale = ((double)hi - lo) / 255.0;
        if (!(scale > 1e-30)) scale = 1.0;
        const int64_t zero = (int64_t)floor(-128.0 - lo / scale + 0.5);
        const precis_attr attrs[] = { precis_attr_real("scale", scale), precis_attr_int("zero", zero), { 0 } };
        char name[128];
        snprintf(name, sizeof name, "%.100s.quantize", r->g->values[v].name);
        const precis_value q = precis_graph_node(r->g, name, "quantize", attrs, 1, &v);
        snprintf(name, sizeof name, "%.100s.dequantize", r->g->values[v].name);
        r->map[v] = precis_graph_node(r->g, name, "dequantize", NULL, 1, &q);
        return;
    }
}

/* Constant f32 weights as int8 with a symmetric scale per output channel, and the node that reads them. */
static precis_value store_int8(precis_graph *g, precis_value v)
{
    const pcs_value w = g->values[v];
    int64_t count = 1;
    for (uint32_t i = 0; i < w.dims; i++) count *= w.shape[i];
    const int64_t rows = w.shape[0], n = rows ? count / rows : 0;
    int8_t *codes = pcs_arena_alloc(&g->arena, count ? (size_t)count : 1, 1);
    float *scales = pcs_arena_alloc(&g->arena, rows ? (size_t)rows : 1, sizeof *scales);
    if (!codes || !scales) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    const float *from = pcs_value_f32(&w, (uint64_t)count);
    if (!from) return pcs_graph_fail(g, PRECIS_EINVAL, "weights %s: fewer than %lld numbers", w.name, (long long)count);
    for (int64_t r = 0; r < rows; r++) {
        const float *x = from + r * n;
        float top = 0;
        for (int64_t i = 0; i < n; i++) top = fabsf(x[i]) > top ? fabsf(x[i]) : top;
        scales[r] = top > 0 ? top / 127.0f : 1.0f;
        for (int64_t i = 0; i < n; i++) {
            const float q = rintf(x[i] / scales[r]);
            codes[r * n + i] = (int8_t)(q > 127 ? 127 : q < -127 ? -127 : q);
        }
    }
    char name[128];
    snprintf(name, sizeof name, "%.100s.int8", w.name);
    const pcs_affine affine = { .scales = scales };
    const pcs_code_value weight = { PCS_I8, w.dims, w.shape, codes, &affine };
    const precis_value codes_value = pcs_graph_codes(g, name, &weight);
    snprintf(name, sizeof name, "%.100s.dequantize", w.name);
    return precis_graph_node(g, name, "dequantize", NULL, 1, &codes_value);
}

/* The node with its inputs as the map has them now, and float weights as int8, one channel after another. */
static precis_status copy_node(rebuild *r, const pcs_node *old)
{
    precis_graph *g = r->g;
    pcs_node node = *old;
    node.in = pcs_arena_alloc(&g->arena, node.n_in + 1, sizeof *node.in);
    if (!node.in) return PRECIS_ENOMEM;
    for (uint32_t k = 0; k < node.n_in; k++) node.in[k] = r->map[old->in[k]];
    const pcs_op *op = node.op;
    const pcs_value *w = op->weight && op->bias && !op->channel_axis ? &g->values[node.in[op->weight]] : NULL;
    if (w && w->dtype == PCS_F32 && pcs_value_is_known(w))
        node.in[op->weight] = r->map[old->in[op->weight]] = store_int8(g, node.in[op->weight]);
    return pcs_graph_push(g, &node);
}

precis_status precis_graph_quantize_static(precis_graph *g, const precis_range *ranges, size_t n)
{
    const precis_status st = precis_graph_verify(g);
    if (st) return st;
    for (size_t i = 0; i < n; i++)
        if (ranges[i].value < 0 || (size_t)ranges[i].value >= g->n_values || !isfinite(ranges[i].lo) ||
            !isfinite(ranges[i].hi) || ranges[i].lo > ranges[i].hi)
            return pcs_fail(g->ctx, PRECIS_EINVAL, "range %zu (value %d, %g to %g) is no range", i, ranges[i].value,
                            (double)ranges[i].lo, (double)ranges[i].hi);
    pcs_node *old = g->nodes;
    const size_t n_old = g->n_nodes, n_values = g->n_values;
    rebuild r = { g, pcs_alloc(g->ctx, n_values, sizeof *r.map), ranges, n };
    if (!r.map) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n_values; i++) r.map[i] = (precis_value)i;
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    for (size_t i = 0; i < n_values; i++)
        if (g->values[i].role == PCS_INPUT) stub(&r, (precis_value)i);
    for (size_t i = 0; i < n_old && !g->error; i++) {
        if (copy_node(&r, &old[i])) {
            pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
            break;
        }
        for (uint32_t k = 0; k < old[i].n_out; k++) stub(&r, old[i].out[k]);
    }
    for (size_t i = 0; i < n_values && !g->error; i++)
        if (g->values[i].output && r.map[i] != (precis_value)i && r.map[i] >= 0) g->values[r.map[i]].output = true;
    pcs_free(g->ctx, r.map);
    pcs_free(g->ctx, old);
    pcs_graph_renumber(g);
    return precis_graph_verify(g);
}
