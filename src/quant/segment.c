/* segment.c - see segment.h. */
#include "quant/segment.h"

#include "graph/pass.h"

/* The values that layer `number` begins with (-1: the first) and ends in; false: there is no such layer. */
static bool find_layer(const precis_graph *g, uint32_t number, precis_value *in, precis_value *out)
{
    uint32_t n = 0;
    *in = *out = -1;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const precis_value v = g->nodes[i].out[0];
        if (!g->values[v].cut) continue;
        *in = *out;
        *out = v;
        if (n++ == number) return true;
    }
    return false;
}

/* The wanted tensor whose numbers a stored value has, from `offset` bytes on; -1: none. */
static long tensor_at(const pcs_segment_of *of, const pcs_value *v, uint64_t *offset)
{
    for (size_t i = 0; i < of->m->n_tensors; i++) {
        const pcs_tensor *t = &of->m->tensors[i];
        if (of->wanted[i] && pcs_value_within(v, t->data, t->bytes, offset)) return (long)i;
    }
    return -1;
}

/* A weight that is wanted is no longer decoded, but a parameter. */
static void make_part(pcs_segment *s, const pcs_segment_of *of, const pcs_node *n)
{
    precis_graph *g = s->graph;
    const pcs_value *stored = pcs_node_weight(g, n);
    uint64_t offset;
    const long at = stored ? tensor_at(of, stored, &offset) : -1;
    if (at < 0) return;
    const pcs_tensor *t = &of->m->tensors[at];
    pcs_value *v = &g->values[n->in[n->op->weight]];
    uint64_t rows = 1;
    for (uint32_t d = 0; d + 1 < v->dims; d++) rows *= (uint64_t)v->shape[d];
    const uint64_t first = offset / ((uint64_t)t->ne[0] * sizeof(float));
    v->role = PCS_PARAMETER;
    v->node = -1;
    v->store = stored->store;
    s->parts[s->n_parts++] = (pcs_segment_part){ (size_t)at, first, rows, n->in[n->op->weight] };
}

/* Does the node make a value that is used, and that is not given instead? */
static bool makes(const precis_graph *g, size_t node, const bool *used)
{
    const pcs_node *n = &g->nodes[node];
    for (uint32_t i = 0; i < n->n_out; i++)
        if (used[n->out[i]] && g->values[n->out[i]].node >= 0) return true;
    return false;
}

/* Nodes that do not lead from the layer's beginning to its end go. */
static precis_status keep_layer(pcs_segment *s, const pcs_segment_of *of)
{
    precis_graph *g = s->graph;
    bool *used = pcs_alloc(s->ctx, g->n_values + 1, sizeof *used);
    s->parts = pcs_alloc(s->ctx, g->n_nodes + 1, sizeof *s->parts);
    if (!used || !s->parts) {
        pcs_free(s->ctx, used);
        return PRECIS_ENOMEM;
    }
    for (size_t i = 0; i < g->n_values; i++) g->values[i].output = (precis_value)i == s->out;
    used[s->out] = true;
    if (s->in >= 0) g->values[s->in].node = -1, g->values[s->in].role = PCS_INPUT;
    for (size_t i = g->n_nodes; i-- > 0;) {
        if (!makes(g, i, used)) continue;
        make_part(s, of, &g->nodes[i]);
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) used[g->nodes[i].in[k]] = true;
    }
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes; i++)
        if (makes(g, i, used)) g->nodes[n++] = g->nodes[i];
    g->n_nodes = n;
    pcs_graph_renumber(g);
    pcs_free(s->ctx, used);
    return PRECIS_OK;
}

precis_status pcs_segment_open(precis_ctx *ctx, pcs_segment *s, const pcs_segment_of *of)
{
    *s = (pcs_segment){ .ctx = ctx };
    s->lm.whole = true;
    s->lm.most_rows = s->lm.most_wanted = of->most;
    s->lm.wanted_context = of->longest;
    precis_status st = pcs_arch_build(of->m, &s->graph, &s->lm);
    if (!st && !find_layer(s->graph, of->number, &s->in, &s->out))
        st = pcs_fail(ctx, PRECIS_EINVAL, "%s has no layer %u", of->m->path, of->number);
    if (!st) st = keep_layer(s, of);
    if (!st && !s->n_parts) st = pcs_fail(ctx, PRECIS_EINVAL, "layer %u: none of its weights is wanted", of->number);
    const pcs_program_options o = { .arithmetic = of->arithmetic, .context = of->longest, .sequences = 1,
                                    .k_type = "f32", .v_type = "f32", .keep_all = true };
    if (!st) st = pcs_program_open(ctx, &s->program, s->graph, &o);
    if (!st) st = pcs_reverse_open(ctx, &s->reverse, s->program, s->out, NULL, 0);
    if (st) pcs_segment_close(s);
    return st;
}

void pcs_segment_close(pcs_segment *s)
{
    pcs_reverse_close(&s->reverse);
    precis_program_close(&s->program);
    precis_graph_close(&s->graph);
    pcs_free(s->ctx, s->parts);
    *s = (pcs_segment){ .ctx = s->ctx };
}

precis_status pcs_segment_run(pcs_segment *s, const pcs_segment_rows *rows)
{
    precis_program *p = s->program;
    precis_status st = pcs_program_size(p, s->lm.rows, rows->n);
    if (!st) st = pcs_program_size(p, s->lm.wanted, 1);
    if (st) return st;
    pcs_program_bind(p, s->lm.tokens, rows->ids);
    pcs_program_bind(p, s->lm.positions, rows->positions);
    pcs_program_bind(p, s->lm.sequences, rows->sequences);
    pcs_program_bind(p, s->lm.outputs, rows->positions); /* of one number, which nothing reads */
    if (s->in >= 0) pcs_program_bind(p, s->in, rows->states);
    return pcs_program_run(p);
}
