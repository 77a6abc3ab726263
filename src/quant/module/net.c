/* net.c - a module as a net: what readers give of a file, made of its records. */
#include "quant/module/module.h"

extern const pcs_op pcs_op_flatten;

typedef struct {
    pcs_netfile base;
    const precis_module *module;
} module_file;

/* The shape that flatten gives, as files say it: a reshape, which moves codes as they are. */
static precis_value flat(precis_graph *g, const char *name, precis_value x)
{
    int64_t *to = pcs_arena_alloc(&g->arena, 2, sizeof *to);
    if (!to) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    const pcs_value v = g->values[x];
    to[0] = v.shape[0];
    to[1] = 1;
    for (uint32_t i = 1; i < v.dims; i++) to[1] = pcs_dim_product(g, to[1], v.shape[i]);
    const pcs_value shape = { .name = name, .dtype = PCS_I64, .role = PCS_CONSTANT, .node = -1, .dims = 1,
                              .shape = { 2 }, .known = to,
                              .store = pcs_store_rows(to, 2 * sizeof *to, PCS_KEPT_BY_GRAPH) };
    return precis_graph_node(g, name, "reshape", NULL, 2, (precis_value[]){ x, pcs_graph_add_value(g, &shape) });
}

static precis_value replay_input(precis_graph *g, const pcs_module_record *r, const pcs_netfile_given *given)
{
    int64_t shape[PRECIS_MAX_DIMS];
    for (uint32_t i = 0; i < r->dims; i++)
        shape[i] = given && given->shaped ? given->shape[i]
                   : r->shape[i] < 0      ? precis_graph_symbol(g, "N", 0)
                                          : r->shape[i];
    return precis_graph_input(g, r->name, r->dims, shape);
}

/* The list of a node's attributes, with its end. */
static precis_value replay_node(precis_graph *g, const pcs_module_record *r, const precis_value *map)
{
    const uint32_t n = pcs_op_attrs(r->op);
    precis_attr *attrs = pcs_arena_alloc(&g->arena, n + 1, sizeof *attrs);
    precis_value *in = pcs_arena_alloc(&g->arena, r->n + 2, sizeof *in);
    if (!attrs || !in) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    if (n) memcpy(attrs, r->attrs, n * sizeof *attrs);
    for (uint32_t i = 0; i < r->n; i++) in[i] = map[r->in[i]];
    if (r->bias) {
        const pcs_value *w = &g->values[in[r->op->weight]];
        const int64_t channels = r->op->channel_axis ? 0 : w->shape[0];
        in[r->n] = precis_graph_constant(g, "bias", 1, &channels, r->bias);
        const precis_value y = precis_graph_node(g, r->name, r->op->name, attrs, r->n + 1, in);
        if (y >= 0) g->values[y].name = r->result;
        return y;
    }
    if (r->op == &pcs_op_flatten) return flat(g, r->name, in[0]);
    return precis_graph_node(g, r->name, r->op->name, attrs, r->n, in);
}

precis_status pcs_module_replay(const precis_module *m, precis_graph *g, const pcs_netfile_given *given,
                                precis_value *map)
{
    size_t inputs = 0;
    for (size_t i = 0; i < m->n && !g->error; i++) {
        const pcs_module_record *r = &m->records[i];
        if (r->kind == PCS_MODULE_STUB || r->gone) map[i] = map[r->in[0]];
        else if (r->kind == PCS_MODULE_INPUT) map[i] = replay_input(g, r, given ? &given[inputs++] : NULL);
        else if (r->kind == PCS_MODULE_CONSTANT)
            map[i] = precis_graph_constant(g, r->name, r->dims, r->shape, r->data);
        else map[i] = replay_node(g, r, map);
    }
    return g->error ? pcs_fail(m->ctx, g->error, "%s", g->message) : PRECIS_OK;
}

static precis_status import(pcs_netfile *file, const pcs_netfile_given *given, pcs_netfile_graph *out)
{
    const precis_module *m = ((const module_file *)file)->module;
    precis_value *map = pcs_alloc(m->ctx, m->n + 1, sizeof *map);
    if (!map) return PRECIS_ENOMEM;
    precis_status st = pcs_module_replay(m, out->graph, given, map);
    size_t inputs = 0;
    for (size_t i = 0; i < m->n && !st; i++)
        if (m->records[i].kind == PCS_MODULE_INPUT) out->inputs[inputs++] = map[i];
    for (size_t i = 0; i < m->n_outputs && !st; i++) {
        out->outputs[i] = map[m->outputs[i].of];
        precis_graph_output(out->graph, out->outputs[i]);
    }
    for (size_t i = 0; i < m->n && !st; i++)
        if (m->records[i].kind == PCS_MODULE_NODE && !m->records[i].gone) {
            const char *name = m->records[i].name;
            st = pcs_netfile_keep_name(file, out, (pcs_str){ name, strlen(name) }, map[i]);
        }
    pcs_free(m->ctx, map);
    return st;
}

static void close_file(pcs_netfile *file)
{
    precis_ctx *ctx = file->ctx;
    pcs_free(ctx, file->inputs);
    pcs_free(ctx, file->outputs);
    pcs_free(ctx, file);
}

static const pcs_netfile_reader reader = { .name = "module", .ending = "", .import = import, .close = close_file };

static void describe_input(const pcs_module_record *r, pcs_port *p)
{
    *p = (pcs_port){ .name = r->name, .dtype = PCS_F32, .typed = true, .shaped = true, .dims = r->dims };
    for (uint32_t i = 0; i < r->dims; i++) {
        p->shape[i] = r->shape[i];
        if (r->shape[i] < 0) p->symbol[i] = "N";
    }
}

static void describe_output(const precis_module *m, const pcs_module_output *o, pcs_port *p)
{
    const pcs_value *v = &m->graph->values[m->values[o->of]];
    *p = (pcs_port){ .name = o->name, .dtype = v->dtype, .typed = true, .shaped = true, .dims = v->dims };
    for (uint32_t i = 0; i < v->dims; i++) p->shape[i] = pcs_dim_is_id(v->shape[i]) ? -1 : v->shape[i];
}

precis_status precis_module_net(precis_module *m, precis_net **out)
{
    *out = NULL;
    const precis_status known = precis_graph_verify(m->graph);
    if (known) return known;
    if (!m->n_outputs) return pcs_fail(m->ctx, PRECIS_EINVAL, "the module has no output");
    module_file *f = pcs_alloc(m->ctx, 1, sizeof *f);
    if (!f) return PRECIS_ENOMEM;
    *f = (module_file){ .base = { .ctx = m->ctx, .reader = &reader, .path = "a module" }, .module = m };
    f->base.inputs = pcs_alloc(m->ctx, m->n + 1, sizeof *f->base.inputs);
    f->base.outputs = pcs_alloc(m->ctx, m->n_outputs + 1, sizeof *f->base.outputs);
    pcs_netfile *file = &f->base;
    if (!f->base.inputs || !f->base.outputs) {
        pcs_netfile_close(&file);
        return PRECIS_ENOMEM;
    }
    for (size_t i = 0; i < m->n; i++)
        if (m->records[i].kind == PCS_MODULE_INPUT) describe_input(&m->records[i], &file->inputs[file->n_inputs++]);
    for (size_t i = 0; i < m->n_outputs; i++)
        describe_output(m, &m->outputs[i], &file->outputs[file->n_outputs++]);
    return pcs_net_of(m->ctx, file, out);
}
