/* readback.c - what was written is read by precis's own reader, and every output compared with what was meant: a
 * value's print is made of its op, the op's attributes and the prints of what it reads; a constant's of its type, shape
 * and bytes. Values that only say a shape are left out, as the shape of the result says the same. */
#include "write/onnx/readback.h"
#include "base/f16.h"
#include "graph/element.h"
#include "read/netfile.h"

#include <stdio.h>

extern const pcs_op pcs_op_expand, pcs_op_to_codes, pcs_op_from_codes, pcs_op_reduce, pcs_op_slice, pcs_op_swish,
    pcs_op_mul, pcs_op_sigmoid, pcs_op_reshape, pcs_op_transpose;

typedef struct {
    const precis_graph *g;
    uint64_t *prints; /* by value; 0: not yet */
} printing;

static uint64_t mix(uint64_t h, uint64_t v)
{
    uint64_t s = h ^ (v * 0x9e3779b97f4a7c15u);
    return pcs_rand(&s) | 1;
}

static uint64_t mix_text(uint64_t h, const char *s) { return mix(h, pcs_hash(s, strlen(s))); }

static uint64_t mix_dim(uint64_t h, const precis_graph *g, int64_t d)
{
    char text[256];
    const bool id = pcs_dim_is_id(d) && (uint64_t)d - (uint64_t)PCS_DIM_FIRST < g->n_dims;
    if (!id) return mix(h, (uint64_t)d);
    pcs_dim_text(g, d, text, sizeof text);
    return mix_text(h, text);
}

static uint64_t mix_shape(uint64_t h, const precis_graph *g, const pcs_value *v)
{
    h = mix(h, (uint64_t)v->dtype);
    for (uint32_t i = 0; i < v->dims; i++) h = mix_dim(h, g, v->shape[i]);
    return h;
}

static uint64_t of_constant(const precis_graph *g, const pcs_value *v)
{
    const uint64_t bytes = pcs_value_bytes(v);
    const void *data = pcs_value_host(v);
    uint64_t h = mix_shape(1, g, v);
    if (v->known && v->dtype == PCS_I64) {
        for (uint64_t i = 0; i < bytes / 8; i++) h = mix_dim(h, g, v->known[i]);
        return h;
    }
    return data ? mix(h, pcs_hash(data, bytes)) : h;
}

/* Axes count from the end or from the first dimension: the same either way. */
static int64_t settled(const precis_attr *a, int64_t v, uint32_t dims)
{
    return v < 0 && v >= -(int64_t)dims && !strncmp(a->name, "ax", 2) ? v + dims : v;
}

/* Lists of windows that say what is so when they are left out. */
static bool is_usual(const precis_attr *a)
{
    static const struct {
        const char *name;
        int64_t usual;
    } lists[] = { { "strides", 1 }, { "dilations", 1 }, { "pads", 0 } };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (strcmp(lists[i].name, a->name)) continue;
        uint32_t k = 0;
        while (k < a->n && a->list[k] == lists[i].usual) k++;
        return k == a->n;
    }
    return false;
}

/* What is reduced over several axes is the same in any order of them. */
static uint64_t mix_axes(uint64_t h, const precis_attr *a, uint32_t dims)
{
    uint64_t set = 0;
    for (uint32_t i = 0; i < a->n; i++) set |= (uint64_t)1 << (settled(a, a->list[i], dims) & 63);
    return mix(h, set);
}

static uint64_t mix_attr(uint64_t h, const precis_graph *g, const precis_attr *a, uint32_t dims)
{
    if (a->kind == PRECIS_ATTR_INT) return mix(h, (uint64_t)settled(a, a->integer, dims));
    if (a->kind == PRECIS_ATTR_REAL) return mix(h, pcs_f32_bits((float)a->real));
    if (a->kind == PRECIS_ATTR_TEXT) return mix_text(h, a->text ? a->text : "");
    if (!strcmp(a->name, "axes")) return mix_axes(h, a, dims);
    for (uint32_t i = 0; i < a->n && !is_usual(a); i++) h = mix_dim(h, g, settled(a, a->list[i], dims));
    return h;
}

static bool is_codes(const pcs_node *n) { return n->op == &pcs_op_to_codes || n->op == &pcs_op_from_codes; }

/* The axis of codes without blocks: their scales are spread along it already; a shape that the result has. */
static bool says_nothing(const pcs_node *n, uint32_t i)
{
    if (n->op == &pcs_op_expand) return true;
    return is_codes(n) && (i == 0 || (i == 2 && !n->attr[3].integer)); /* the type is the result's */
}

/* What goes in. One scale for all, or one zero point, is a scalar in the file, whatever dimensions of one it had. */
static uint64_t of_input(const printing *p, const pcs_node *n, uint32_t i)
{
    pcs_value v = p->g->values[n->in[i]];
    bool one = i && is_codes(n) && !n->attr[3].integer && pcs_value_is_known(&v);
    for (uint32_t k = 0; k < v.dims; k++) one = one && v.shape[k] == 1;
    if (!one) return p->prints[n->in[i]];
    v.dims = 0;
    return of_constant(p->g, &v);
}

static bool in_order(const precis_attr *perm)
{
    for (uint32_t i = 0; i < perm->n; i++)
        if (perm->list[i] != i) return false;
    return true;
}

/* A part that is all of x, a reduction over nothing, an expansion or a reshape to the same shape, a transposition that
 * moves nothing: what goes in. */
static bool hands_on(const precis_graph *g, const pcs_node *n)
{
    const pcs_value *x = &g->values[n->in[0]], *y = &g->values[n->out[0]];
    if (n->op == &pcs_op_reduce) return n->attr[1].n == 0;
    if (n->op == &pcs_op_transpose) return in_order(&n->attr[0]);
    if (n->op == &pcs_op_expand || n->op == &pcs_op_reshape)
        return x->dims == y->dims && !memcmp(x->shape, y->shape, x->dims * sizeof *x->shape);
    if (n->op != &pcs_op_slice) return false;
    for (uint32_t i = 0; i < x->dims; i++)
        if (n->attr[0].list[i] || n->attr[1].list[i] != x->shape[i] || n->attr[2].list[i] != 1) return false;
    return true;
}

/* swish is written as the product that it is: its print is that of x times a logistic. */
static uint64_t of_swish(const printing *p, const pcs_node *n)
{
    const pcs_value *x = &p->g->values[n->in[0]];
    uint64_t in = p->prints[n->in[0]], s = in;
    if (n->attr[0].real != 1) {
        const float alpha = (float)n->attr[0].real;
        const pcs_value a = { .dtype = PCS_F32, .store = pcs_store_rows(&alpha, sizeof alpha, PCS_KEPT_BY_CALLER) };
        s = mix_shape(mix(mix(mix(mix_text(2, pcs_op_mul.name), s), of_constant(p->g, &a)), 0), p->g, x);
    }
    uint64_t h = mix_text(2, pcs_op_sigmoid.name);
    for (uint32_t i = 0; i < pcs_op_attrs(&pcs_op_sigmoid); i++) h = mix(mix(h, i), pcs_f32_bits(1));
    s = mix_shape(mix(mix(h, s), 0), p->g, x);
    return mix(mix(mix_text(2, pcs_op_mul.name), in), s);
}

static void of_node(printing *p, const pcs_node *n)
{
    if (hands_on(p->g, n)) {
        p->prints[n->out[0]] = p->prints[n->in[0]];
        return;
    }
    if (n->op == &pcs_op_swish) {
        p->prints[n->out[0]] = mix_shape(mix(of_swish(p, n), 0), p->g, &p->g->values[n->out[0]]);
        return;
    }
    const uint32_t dims = n->n_in ? p->g->values[n->in[0]].dims : 0;
    uint64_t h = mix_text(2, n->op->name);
    for (uint32_t i = 0; i < pcs_op_attrs(n->op); i++)
        if (!says_nothing(n, i)) h = mix_attr(mix(h, i), p->g, &n->attr[i], dims);
    for (uint32_t i = 0; i < n->n_in; i++)
        if (!n->op->reads_shape || n->op->reads_shape != i) h = mix(h, of_input(p, n, i));
    for (uint32_t i = 0; i < n->n_out; i++) p->prints[n->out[i]] = mix_shape(mix(h, i), p->g, &p->g->values[n->out[i]]);
}

/* Inputs are known by their number. */
static precis_status print_all(precis_ctx *ctx, printing *p, const precis_value *inputs, size_t n)
{
    p->prints = pcs_alloc(ctx, p->g->n_values + 1, sizeof *p->prints);
    if (!p->prints) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) p->prints[inputs[i]] = mix_shape(mix(3, i), p->g, &p->g->values[inputs[i]]);
    for (size_t i = 0; i < p->g->n_values; i++)
        if (pcs_value_is_known(&p->g->values[i]) && !p->prints[i]) p->prints[i] = of_constant(p->g, &p->g->values[i]);
    for (size_t i = 0; i < p->g->n_nodes; i++) of_node(p, &p->g->nodes[i]);
    return PRECIS_OK;
}

static precis_status differs(const pcs_out *o, const char *what, const char *name)
{
    return pcs_fail(o->ctx, PRECIS_EFORMAT,
                    "%s: %s %s reads back as another; nothing was written. Please report this fault of the writer",
                    o->path, what, name);
}

static precis_status compare_ports(const pcs_onnx_saved *what, const pcs_netfile *net, const pcs_out *o)
{
    if (net->n_inputs != what->n_inputs || net->n_outputs != what->n_outputs) return differs(o, "the", "graph");
    for (size_t i = 0; i < what->n_inputs; i++)
        if (strcmp(what->inputs[i].name, net->inputs[i].name)) return differs(o, "input", what->inputs[i].name);
    for (size_t i = 0; i < what->n_outputs; i++)
        if (strcmp(what->outputs[i].name, net->outputs[i].name)) return differs(o, "output", what->outputs[i].name);
    return PRECIS_OK;
}

/* A node of constants alone that were too many bytes to be computed when its net was read. In the file that was written
 * some of them are initializers, so that there may be room for it. NULL: there is none. */
static const pcs_node *not_computed(const precis_graph *g)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const pcs_node *n = &g->nodes[i];
        bool constant = n->op->eval && !n->op->decodes;
        for (uint32_t k = 0; k < n->n_in; k++) constant = constant && pcs_value_host(&g->values[n->in[k]]);
        if (constant) return n;
    }
    return NULL;
}

static precis_status output_differs(const precis_graph *g, const pcs_out *o, const char *name)
{
    const pcs_node *n = not_computed(g);
    if (!n) return differs(o, "output", name);
    return pcs_fail(o->ctx, PRECIS_EUNSUPPORTED,
                    "%s: node %s is made of constants alone, which together take more than %lld bytes and eight times "
                    "their file; what is written of them cannot be checked, so nothing is",
                    o->path, n->name, (long long)PCS_LIMIT_NET_CONSTANTS);
}

static precis_status compare(precis_ctx *ctx, const pcs_onnx_saved *what, const pcs_netfile_graph *back,
                             const pcs_out *o)
{
    printing meant = { what->graph, NULL }, read = { back->graph, NULL };
    precis_value *inputs = pcs_alloc(ctx, what->n_inputs + 1, sizeof *inputs);
    precis_status st = inputs ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < what->n_inputs && !st; i++) inputs[i] = what->inputs[i].value;
    if (!st) st = print_all(ctx, &meant, inputs, what->n_inputs);
    if (!st) st = print_all(ctx, &read, back->inputs, what->n_inputs);
    for (size_t i = 0; i < what->n_outputs && !st; i++)
        if (meant.prints[what->outputs[i].value] != read.prints[back->outputs[i]])
            st = output_differs(what->graph, o, what->outputs[i].name);
    pcs_free(ctx, inputs);
    pcs_free(ctx, meant.prints);
    pcs_free(ctx, read.prints);
    return st;
}

precis_status pcs_onnx_read_back(precis_ctx *ctx, const pcs_onnx_saved *what, const pcs_out *o)
{
    char path[64];
    pcs_netfile *net = NULL;
    pcs_netfile_graph back = { 0 };
    pcs_out_self(o, path, sizeof path);
    precis_status st = pcs_netfile_open(ctx, &net, path);
    if (!st) st = compare_ports(what, net, o);
    if (!st) st = pcs_netfile_import(net, NULL, &back);
    if (!st) st = compare(ctx, what, &back, o);
    pcs_netfile_graph_close(ctx, &back);
    pcs_netfile_close(&net);
    return st;
}
