/* layers.c - a module as it is built: each call is a record, and a node of a graph that says shapes and errors. */
#include "base/options.h"
#include "graph/op/convolution.h"
#include "quant/module/module.h"

#include <stdio.h>

extern const pcs_op pcs_op_conv, pcs_op_matmul, pcs_op_batch_norm, pcs_op_min, pcs_op_max, pcs_op_reshape;

precis_status precis_module_open(precis_ctx *ctx, precis_module **out)
{
    *out = NULL;
    precis_module *m = pcs_alloc(ctx, 1, sizeof *m);
    if (!m) return PRECIS_ENOMEM;
    *m = (precis_module){ .ctx = ctx };
    pcs_arena_init(&m->arena, ctx);
    const precis_status st = precis_graph_open(ctx, &m->graph);
    if (st) precis_module_close(&m);
    *out = m;
    return st;
}

void precis_module_close(precis_module **module)
{
    precis_module *m = module ? *module : NULL;
    if (!m) return;
    precis_graph_close(&m->graph);
    pcs_arena_free(&m->arena);
    pcs_free(m->ctx, m->records);
    pcs_free(m->ctx, m->values);
    pcs_free(m->ctx, m->outputs);
    pcs_free(m->ctx, m);
    *module = NULL;
}

static precis_value no_memory(precis_module *m)
{
    return pcs_graph_fail(m->graph, PRECIS_ENOMEM, "%s", precis_ctx_message(m->ctx));
}

/* A name that nothing has, and that patterns take literally. */
static bool named(precis_module *m, const char *name)
{
    if (!name || !*name || strpbrk(name, "*?/") || strlen(name) > 100) {
        pcs_graph_fail(m->graph, PRECIS_EINVAL, "a layer's name is empty, longer than 100 bytes, or holds *, ? or /");
        return false;
    }
    for (size_t i = 0; i < m->n; i++)
        if (!strcmp(m->records[i].name, name)) {
            pcs_graph_fail(m->graph, PRECIS_EINVAL, "there are two of the name %s", name);
            return false;
        }
    return true;
}

static precis_value add_record(precis_module *m, const pcs_module_record *r, precis_value value)
{
    if (value < 0 || m->graph->error) return -1;
    if (m->n == m->cap) {
        const size_t cap = m->cap ? 2 * m->cap : 64;
        pcs_module_record *more = pcs_grow(m->ctx, m->records, m->n * sizeof *more, cap, sizeof *more);
        if (more) m->records = more;
        precis_value *values = more ? pcs_grow(m->ctx, m->values, m->n * sizeof *values, cap, sizeof *values) : NULL;
        if (values) m->values = values;
        if (!more || !values) return no_memory(m);
        m->cap = cap;
    }
    m->records[m->n] = *r;
    m->records[m->n].fused_into = m->records[m->n].inner = -1;
    m->records[m->n].name = pcs_arena_copy(&m->arena, r->name, strlen(r->name));
    if (!m->records[m->n].name) return no_memory(m);
    m->values[m->n] = value;
    return (precis_value)m->n++;
}

/* The graph's value of a record; -1: there is none. */
static precis_value value_of(precis_module *m, precis_value record)
{
    if (record < 0 || (size_t)record >= m->n) {
        pcs_graph_fail(m->graph, PRECIS_EINVAL, "value %d of the module is none", record);
        return -1;
    }
    return m->values[record];
}

precis_value precis_module_input(precis_module *m, const char *name, uint32_t dims, const int64_t *shape)
{
    pcs_module_record r = { .kind = PCS_MODULE_INPUT, .name = name, .dims = dims };
    int64_t sizes[PRECIS_MAX_DIMS];
    if (!named(m, name)) return -1;
    for (uint32_t i = 0; i < dims && i < PRECIS_MAX_DIMS; i++) {
        if (shape[i] < 0 && (i || shape[i] != -1))
            return pcs_graph_fail(m->graph, PRECIS_EINVAL, "input %s: only its first dimension may be -1", name);
        r.shape[i] = shape[i];
        sizes[i] = shape[i] < 0 ? precis_graph_symbol(m->graph, "N", 0) : shape[i];
    }
    return add_record(m, &r, precis_graph_input(m->graph, name, dims, sizes));
}

void precis_module_output(precis_module *m, const char *name, precis_value x)
{
    if (value_of(m, x) < 0 || !name || !*name) return;
    if (m->n_outputs == m->cap_outputs) {
        const size_t cap = m->cap_outputs ? 2 * m->cap_outputs : 8;
        pcs_module_output *more =
            pcs_grow(m->ctx, m->outputs, m->n_outputs * sizeof *more, cap, sizeof *more);
        if (!more) {
            no_memory(m);
            return;
        }
        m->outputs = more;
        m->cap_outputs = cap;
    }
    const char *own = pcs_arena_copy(&m->arena, name, strlen(name));
    if (!own) no_memory(m);
    else m->outputs[m->n_outputs++] = (pcs_module_output){ own, x };
}

static precis_value add_constant(precis_module *m, const char *layer, const char *part, uint32_t dims,
                             const int64_t *shape, const float *data)
{
    char name[160];
    size_t n = 1;
    if (!layer || strlen(layer) > 100)
        return pcs_graph_fail(m->graph, PRECIS_EINVAL, "a layer's name is missing, or longer than 100 bytes");
    snprintf(name, sizeof name, "%s.%s", layer, part);
    pcs_module_record r = { .kind = PCS_MODULE_CONSTANT, .name = name, .dims = dims };
    for (uint32_t i = 0; i < dims; i++) {
        r.shape[i] = shape[i];
        if (shape[i] < 1 || !pcs_mul_ok(n, (size_t)shape[i], &n) || n > (size_t)1 << 31)
            return pcs_graph_fail(m->graph, PRECIS_EINVAL, "%s has no size, or too many numbers", name);
    }
    float *own = data && !m->graph->error ? pcs_arena_alloc(&m->arena, n + 16, sizeof *own) : NULL;
    if (!data) return pcs_graph_fail(m->graph, PRECIS_EINVAL, "%s has no numbers", name);
    if (!own) return no_memory(m);
    memcpy(own, data, n * sizeof *own);
    for (size_t i = 0; i < n; i++)
        if (own[i] != own[i]) return pcs_graph_fail(m->graph, PRECIS_EINVAL, "%s: number %zu is NaN", name, i);
    r.data = own;
    return add_record(m, &r, precis_graph_constant(m->graph, name, dims, shape, own));
}

precis_value precis_module_layer(precis_module *m, const char *name, const char *op, const precis_attr *attributes,
                                 uint32_t n, const precis_value *inputs)
{
    pcs_module_record r = { .kind = PCS_MODULE_NODE, .name = name, .n = n };
    if (m->graph->error || !named(m, name)) return -1;
    precis_value *of = pcs_arena_alloc(&m->arena, n + 1, sizeof *of);
    r.in = pcs_arena_alloc(&m->arena, n + 1, sizeof *r.in);
    if (!of || !r.in) return no_memory(m);
    for (uint32_t i = 0; i < n; i++) {
        r.in[i] = inputs[i];
        of[i] = value_of(m, inputs[i]);
    }
    const precis_value v = precis_graph_node(m->graph, name, op, attributes, n, of);
    if (v < 0) return -1;
    const pcs_node *node = &m->graph->nodes[m->graph->values[v].node];
    r.op = node->op;
    r.attrs = node->attr; /* in the graph's arena, which lives as long */
    return add_record(m, &r, v);
}

/* Numbers of each dimension, where 0 stands for the one before. */
static void spread(const int64_t *given, int64_t first, uint32_t n, int64_t *to)
{
    for (uint32_t i = 0; i < n; i++) to[i] = given[i] ? given[i] : i ? to[i - 1] : first;
}

precis_value precis_module_conv(precis_module *m, const char *name, precis_value x,
                                const precis_module_conv_options *options, const float *weight, const float *bias)
{
    precis_module_conv_options o = PRECIS_MODULE_CONV_INIT;
    int64_t shape[PRECIS_MAX_DIMS], stride[3], pads[6], dilation[3];
    const precis_value of = value_of(m, x);
    pcs_options_take(&o, sizeof o, options);
    if (of < 0) return -1;
    const pcs_value *v = &m->graph->values[of];
    if (v->dims < 3 || v->dims > 5 || pcs_dim_is_id(v->shape[1]) || o.groups < 1 || v->shape[1] % o.groups)
        return pcs_graph_fail(m->graph, PRECIS_EINVAL, "%s: takes x[batch, channels, ...] in groups that divide them",
                              name ? name : "conv");
    const uint32_t places = v->dims - 2;
    shape[0] = o.out;
    shape[1] = v->shape[1] / o.groups;
    spread(o.kernel, 1, places, shape + 2);
    spread(o.stride, 1, places, stride);
    spread(o.dilation, 1, places, dilation);
    for (uint32_t i = 0; i < places; i++) pads[i] = pads[places + i] = o.pad[i];
    const precis_attr attrs[] = { precis_attr_list("strides", places, stride),
                                  precis_attr_list("pads", 2 * places, pads),
                                  precis_attr_list("dilations", places, dilation),
                                  precis_attr_int("groups", o.groups),
                                  { 0 } };
    precis_value in[3] = { x, add_constant(m, name, "weight", v->dims, shape, weight), -1 };
    if (bias) in[2] = add_constant(m, name, "bias", 1, &o.out, bias);
    return m->graph->error ? -1 : precis_module_layer(m, name, pcs_op_conv.name, attrs, bias ? 3 : 2, in);
}

precis_value precis_module_linear(precis_module *m, const char *name, precis_value x, int64_t out, const float *weight,
                                  const float *bias)
{
    const precis_value of = value_of(m, x);
    if (of < 0) return -1;
    const pcs_value *v = &m->graph->values[of];
    const int64_t shape[] = { out, v->dims ? v->shape[v->dims - 1] : 0 };
    if (v->dims != 2 || pcs_dim_is_id(shape[1]))
        return pcs_graph_fail(m->graph, PRECIS_EINVAL, "%s: takes x[rows, k]", name ? name : "linear");
    precis_value in[3] = { x, add_constant(m, name, "weight", 2, shape, weight), -1 };
    if (bias) in[2] = add_constant(m, name, "bias", 1, &out, bias);
    return m->graph->error ? -1 : precis_module_layer(m, name, pcs_op_matmul.name, NULL, bias ? 3 : 2, in);
}

precis_value precis_module_batch_norm(precis_module *m, const char *name, precis_value x, const precis_module_norm *of)
{
    static const char *const parts[] = { "gamma", "beta", "mean", "variance" };
    const float *const numbers[] = { of->gamma, of->beta, of->mean, of->variance };
    const precis_value v = value_of(m, x);
    if (v < 0) return -1;
    if (m->graph->values[v].dims < 2)
        return pcs_graph_fail(m->graph, PRECIS_EINVAL, "%s: takes x[batch, channels, ...]", name ? name : "norm");
    const int64_t channels = m->graph->values[v].shape[1];
    precis_value in[5] = { x };
    for (int i = 0; i < 4; i++) in[1 + i] = add_constant(m, name, parts[i], 1, &channels, numbers[i]);
    return m->graph->error ? -1
                           : precis_module_layer(m, name, pcs_op_batch_norm.name,
                                                 PRECIS_ATTRS(precis_attr_real("eps", (double)(float)of->eps)), 5, in);
}

precis_value precis_module_relu6(precis_module *m, const char *name, precis_value x)
{
    char second[128]; /* as readers of Clip call it */
    const float zero = 0, six = 6;
    snprintf(second, sizeof second, "%.100s.1", name ? name : "");
    const precis_value a[] = { x, add_constant(m, name, "zero", 0, NULL, &zero) },
                       at = precis_module_layer(m, name, pcs_op_max.name, NULL, 2, a);
    const precis_value b[] = { at, add_constant(m, name, "six", 0, NULL, &six) };
    const precis_value y = precis_module_layer(m, second, pcs_op_min.name, NULL, 2, b);
    if (y >= 0) m->records[y].inner = at;
    return y;
}

precis_value precis_module_flatten(precis_module *m, const char *name, precis_value x)
{
    return precis_module_layer(m, name, "flatten", NULL, 1, &x);
}

static precis_value stub(precis_module *m, precis_value x, bool begins)
{
    char name[32];
    const precis_value of = value_of(m, x);
    snprintf(name, sizeof name, "stub.%zu", m->n);
    pcs_module_record r = { .kind = PCS_MODULE_STUB, .name = name, .n = 1, .begins = begins };
    r.in = pcs_arena_alloc(&m->arena, 1, sizeof *r.in);
    if (!r.in) return no_memory(m);
    r.in[0] = x;
    return add_record(m, &r, of);
}

precis_value precis_module_quant(precis_module *m, precis_value x) { return stub(m, x, true); }
precis_value precis_module_dequant(precis_module *m, precis_value x) { return stub(m, x, false); }
