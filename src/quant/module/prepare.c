/* prepare.c - a module gets its codes: fusions by name, and what lies between its stubs. */
#include "base/options.h"
#include "quant/module/module.h"
#include "quant/net/net.h"

extern const pcs_op pcs_op_batch_norm, pcs_op_relu, pcs_op_min, pcs_op_max, pcs_op_add;

/* ---- fusions ------------------------------------------------------------------------------------- */

uint32_t pcs_module_readers(const precis_module *m, precis_value of)
{
    uint32_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        for (uint32_t k = 0; k < m->records[i].n; k++) n += m->records[i].in[k] == of;
    for (size_t i = 0; i < m->n_outputs; i++) n += m->outputs[i].of == of;
    return n;
}

/* The last node of that name. */
static precis_value by_name(const precis_module *m, const char *name)
{
    precis_value found = -1;
    for (size_t i = 0; i < m->n; i++) {
        const pcs_module_record *r = &m->records[i];
        const bool second = r->inner >= 0 && r->inner == found;
        if (r->kind == PCS_MODULE_NODE && (second || !strcmp(r->name, name))) found = (precis_value)i;
    }
    return found;
}

/* The record that it reads, which nobody else does; the first of a relu6 is its own. */
static precis_value behind(const precis_module *m, precis_value at)
{
    const precis_value of = m->records[at].in[0];
    return pcs_module_readers(m, of) == 1 ? of : -1;
}

static bool clamps(const pcs_module_record *r)
{
    return r->op == &pcs_op_relu || r->op == &pcs_op_min || r->op == &pcs_op_max;
}

/* Layer and norm in a graph of their own. */
static precis_value small_graph(const precis_module *m, precis_graph *g, precis_value layer, precis_value norm)
{
    const pcs_module_record *r = &m->records[layer], *b = &m->records[norm];
    const pcs_value *x = &m->graph->values[m->values[r->in[0]]];
    int64_t shape[PRECIS_MAX_DIMS];
    precis_value in[5];
    for (uint32_t i = 0; i < x->dims; i++) shape[i] = pcs_dim_is_id(x->shape[i]) ? 1 : x->shape[i];
    in[0] = precis_graph_input(g, "x", x->dims, shape);
    for (uint32_t i = 1; i < r->n; i++) {
        const pcs_module_record *c = &m->records[r->in[i]];
        in[i] = precis_graph_constant(g, c->name, c->dims, c->shape, c->data);
    }
    const uint32_t n = pcs_op_attrs(r->op);
    precis_attr attrs[8] = { { 0 } };
    if (n < 8) memcpy(attrs, r->attrs, n * sizeof *attrs);
    in[0] = precis_graph_node(g, r->name, r->op->name, attrs, r->n, in);
    for (uint32_t i = 1; i < 5; i++) {
        const pcs_module_record *c = &m->records[b->in[i]];
        in[i] = precis_graph_constant(g, c->name, c->dims, c->shape, c->data);
    }
    const precis_value y = precis_graph_node(g, b->name, b->op->name, (precis_attr[]){ b->attrs[0], { 0 } }, 5, in);
    precis_graph_output(g, y);
    return y;
}

static float *own_numbers(precis_module *m, const pcs_value *c)
{
    size_t n = 1;
    for (uint32_t d = 0; d < c->dims; d++) n *= (size_t)c->shape[d];
    const float *from = pcs_value_f32(c, n);
    float *own = from ? pcs_arena_alloc(&m->arena, n + 16, sizeof *own) : NULL;
    if (own) memcpy(own, from, n * sizeof *own);
    return own;
}

/* The norm's numbers become the layer's, by the pass that does it in graphs: the same bits. */
static precis_status fold(precis_module *m, precis_value layer, precis_value norm)
{
    precis_graph *g;
    pcs_module_record *r = &m->records[layer];
    precis_status st = precis_graph_open(m->ctx, &g);
    if (st) return st;
    const precis_value y = small_graph(m, g, layer, norm);
    st = precis_graph_pass(g, "fold_batch_norm");
    const pcs_node *n = st ? NULL : &g->nodes[g->values[y].node];
    if (n && (n->op != r->op || n->n_in != 3))
        st = pcs_fail(m->ctx, PRECIS_EINVAL, "%s cannot be part of %s", m->records[norm].name, r->name);
    float *weights = st ? NULL : own_numbers(m, &g->values[n->in[1]]),
          *bias = st ? NULL : own_numbers(m, &g->values[n->in[2]]);
    if (!st && (!weights || !bias)) st = PRECIS_ENOMEM;
    if (!st) {
        m->records[r->in[1]].data = weights;
        r->bias = bias;
        r->result = m->records[norm].name;
        r->n = 2;
        m->records[norm].gone = true;
        m->records[norm].n = 1;
    }
    precis_graph_close(&g);
    return st;
}

precis_status precis_module_fuse(precis_module *m, uint32_t n, const char *const *names)
{
    precis_value before = -1, first = -1;
    if (n < 2) return pcs_fail(m->ctx, PRECIS_EINVAL, "a fusion is of two layers and more");
    for (uint32_t i = 0; i < n; i++) {
        const precis_value at = by_name(m, names[i]);
        if (at < 0) return pcs_fail(m->ctx, PRECIS_EINVAL, "no layer is called %s", names[i]);
        pcs_module_record *r = &m->records[at];
        if (i == 0) {
            before = first = at;
            if (!r->op->weight && r->op != &pcs_op_add)
                return pcs_fail(m->ctx, PRECIS_EINVAL, "%s (%s) begins no fusion", r->name, r->op->name);
            continue;
        }
        const precis_value own = r->inner >= 0 ? r->inner : at;
        if (behind(m, own) != before)
            return pcs_fail(m->ctx, PRECIS_EINVAL, "%s does not read %s, or others do", r->name,
                            m->records[before].name);
        precis_status st = PRECIS_OK;
        if (r->op == &pcs_op_batch_norm && before == first && m->records[first].op->weight) st = fold(m, first, at);
        else if (!clamps(r))
            st = pcs_fail(m->ctx, PRECIS_EINVAL, "%s (%s) cannot be part of %s", r->name, r->op->name,
                          m->records[first].name);
        if (st) return st;
        m->records[own].fused_into = r->fused_into = first;
        before = at;
    }
    return PRECIS_OK;
}

/* ---- stubs --------------------------------------------------------------------------------------- */

/* Which records have codes; a layer between two worlds is an error. */
static precis_status find_codes(const precis_module *m, bool *codes)
{
    bool any = false;
    for (size_t i = 0; i < m->n; i++) {
        const pcs_module_record *r = &m->records[i];
        uint32_t with = 0, without = 0;
        for (uint32_t k = 0; k < r->n; k++) {
            const pcs_module_record *x = &m->records[r->in[k]];
            if (x->kind == PCS_MODULE_CONSTANT) continue;
            *(codes[r->in[k]] ? &with : &without) += 1;
        }
        if (r->kind == PCS_MODULE_STUB) codes[i] = r->begins;
        else codes[i] = with && r->kind == PCS_MODULE_NODE;
        any = any || (r->kind == PCS_MODULE_STUB && r->begins);
        if (with && without && r->kind == PCS_MODULE_NODE)
            return pcs_fail(m->ctx, PRECIS_EINVAL, "%s reads a value with codes and one without: a stub is missing",
                            r->name);
    }
    return any ? PRECIS_OK : pcs_fail(m->ctx, PRECIS_EINVAL, "no codes begin: the module has no quant stub");
}

/* Names of layers that stay in float, and of those that are part of the one before. */
static precis_status take_names(const precis_module *m, const bool *codes, const char **names,
                                precis_net_quant_options *o)
{
    const char **fused = names + m->n;
    for (size_t i = 0; i < o->n_floats; i++)
        return pcs_fail(m->ctx, PRECIS_EINVAL, "eager: stubs say what stays in float, not names (%s)", o->floats[i]);
    o->floats = names;
    o->fused = fused;
    o->n_floats = o->n_fused = 0;
    for (size_t i = 0; i < m->n; i++) {
        const pcs_module_record *r = &m->records[i];
        if (r->kind != PCS_MODULE_NODE || r->gone) continue;
        if (!codes[i]) names[o->n_floats++] = r->name;
        else if (r->fused_into >= 0) fused[o->n_fused++] = r->name;
    }
    o->by_hand = 1;
    return PRECIS_OK;
}

precis_status precis_module_prepare(precis_module *m, precis_module_way way, const precis_net_quant_options *options,
                                    precis_net **net, precis_net_quant **job)
{
    precis_net_quant_options o = PRECIS_NET_QUANT_OPTIONS_INIT;
    *job = NULL;
    precis_status st = precis_module_net(m, net);
    if (st) return st;
    pcs_options_take(&o, sizeof o, options);
    const char **names = pcs_alloc(m->ctx, 2 * m->n + 1, sizeof *names);
    bool *codes = pcs_alloc(m->ctx, m->n + 1, sizeof *codes);
    st = names && codes ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st && way == PRECIS_MODULE_EAGER) st = find_codes(m, codes);
    if (!st && way == PRECIS_MODULE_EAGER) st = take_names(m, codes, names, &o);
    if (!st) st = precis_net_quant_open(*net, &o, job);
    pcs_free(m->ctx, names);
    pcs_free(m->ctx, codes);
    if (st) precis_net_close(net);
    return st;
}
