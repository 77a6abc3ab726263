/* arrays_graph.c - the float net rebuilt, node by node, as it is trained: constants become parameters, norms take the
 * batch's statistics, weights and activations are rounded, and a loss stands at the end. */
#include "base/builtins.h"
#include "base/fmath.h"
#include "graph/pass.h"
#include "run/watched.h"
#include "train/arrays.h"

#include <stdio.h>

extern const pcs_op pcs_op_softmax;

typedef struct {
    pcs_train_run *t;
    pcs_arrays *a;
    precis_graph *g;
    precis_value *map; /* of the float net's values */
    bool rounded, frozen;
} form;

/* ---- pieces -------------------------------------------------------------------------------------- */

static precis_value made(form *f, const char *of, const char *what, const char *op, uint32_t n, const precis_value *in)
{
    char name[160];
    snprintf(name, sizeof name, "%.100s.%s", of, what);
    return precis_graph_node(f->g, name, op, NULL, n, in);
}

static precis_value two(form *f, const char *of, const char *what, const char *op, const precis_value in[2])
{
    return made(f, of, what, op, 2, in);
}

/* A number. */
static precis_value number(form *f, float value)
{
    float *own = pcs_arena_alloc(&f->g->arena, 1, sizeof *own);
    if (!own) return pcs_graph_fail(f->g, PRECIS_ENOMEM, "%s", precis_ctx_message(f->g->ctx));
    *own = value;
    return precis_graph_constant(f->g, "number", 0, NULL, own);
}

/* The numbers of x under another shape. */
static precis_value shaped(form *f, const char *of, precis_value x, uint32_t dims, const int64_t *shape)
{
    int64_t *to = pcs_arena_alloc(&f->g->arena, dims + 1, sizeof *to);
    char name[160];
    if (!to) return pcs_graph_fail(f->g, PRECIS_ENOMEM, "%s", precis_ctx_message(f->g->ctx));
    memcpy(to, shape, dims * sizeof *to);
    const pcs_value v = { .name = of, .dtype = PCS_I64, .role = PCS_CONSTANT, .node = -1, .dims = 1,
                          .shape = { dims }, .store = pcs_store_rows(to, dims * sizeof *to, PCS_KEPT_BY_GRAPH),
                          .known = to };
    snprintf(name, sizeof name, "%.90s.shaped.%zu", of, f->g->n_nodes);
    return precis_graph_node(f->g, name, "reshape", NULL, 2, (precis_value[]){ x, pcs_graph_add_value(f->g, &v) });
}

/* A vector along dimension `axis` of what has `dims`. */
static precis_value along(form *f, const char *of, precis_value x, uint32_t dims, uint32_t axis)
{
    int64_t shape[PCS_GRAPH_DIMS];
    const int64_t n = x < 0 ? 1 : f->g->values[x].shape[0];
    for (uint32_t i = 0; i < dims; i++) shape[i] = i == axis ? n : 1;
    return shaped(f, of, x, dims, shape);
}

static precis_value value_of(const form *f, size_t parameter) { return f->t->s.llama.parameters[parameter].value; }

/* ---- rounding ------------------------------------------------------------------------------------ */

/* Codes' scales of w, [channels] or [1]: learned, or of w itself. */
static precis_value scales(form *f, const pcs_array_layer *l, precis_value w, const pcs_trained *p)
{
    const pcs_value v = w < 0 ? (pcs_value){ 0 } : f->g->values[w];
    const bool mean = f->t->c.quant.estimator->grid == PCS_GRID_MEAN, whole = mean || p->type->tensor;
    int64_t axes[PCS_GRAPH_DIMS];
    uint32_t n = 0;
    if (l->range != PCS_NO_PARAMETER) return value_of(f, l->range);
    for (uint32_t i = 0; i < v.dims; i++)
        if (whole || i != l->axis) axes[n++] = i;
    const precis_attr attrs[] = { precis_attr_text("kind", mean ? "mean" : "max"), precis_attr_list("axes", n, axes),
                                  precis_attr_int("keep", 0), { 0 } };
    char name[160];
    snprintf(name, sizeof name, "%.100s.reduced", p->name);
    precis_value s = made(f, p->name, "magnitudes", "abs", 1, &w);
    s = precis_graph_node(f->g, name, "reduce", attrs, 1, &s);
    const int64_t one = 1;
    if (whole) s = shaped(f, p->name, s, 1, &one);
    s = two(f, p->name, "divided", "mul", (precis_value[]){ s, number(f, mean ? 1 : 1 / (float)p->type->code_hi) });
    return two(f, p->name, "scales", "max", (precis_value[]){ s, number(f, 1e-8f) });
}

typedef struct { int64_t low, high, axis; double factor; } grid;

static precis_value on_grid(form *f, const char *of, const grid *by, precis_value x, const precis_value grids[2])
{
    char name[160];
    const precis_attr attrs[] = { precis_attr_int("low", by->low), precis_attr_int("high", by->high),
                                  precis_attr_int("axis", by->axis), precis_attr_real("factor", by->factor), { 0 } };
    snprintf(name, sizeof name, "%.100s.rounded", of);
    return precis_graph_node(f->g, name, "affine_quant", attrs, 3, (precis_value[]){ x, grids[0], grids[1] });
}

/* As many zeros as there are scales. */
static precis_value zeros(form *f, precis_value scale)
{
    const int64_t n = scale < 0 ? 1 : f->g->values[scale].shape[0];
    float *own = pcs_arena_alloc(&f->g->arena, (size_t)n, sizeof *own);
    if (!own) return pcs_graph_fail(f->g, PRECIS_ENOMEM, "%s", precis_ctx_message(f->g->ctx));
    return precis_graph_constant(f->g, "zeros", 1, &n, own);
}

static precis_value rounded_weights(form *f, pcs_array_layer *l, precis_value w)
{
    const pcs_trained *p = &f->t->s.llama.parameters[l->weight];
    const bool mean = f->t->c.quant.estimator->grid == PCS_GRID_MEAN, learned = l->range != PCS_NO_PARAMETER;
    l->scale = scales(f, l, w, p);
    const bool one = l->scale >= 0 && f->g->values[l->scale].shape[0] == 1;
    /* each range is of the weights of a channel, or of all (1902.08153, section 2.2) */
    const double n = (double)p->n / (one ? 1 : (double)l->channels);
    const grid by = { mean ? -1 : p->type->code_lo, mean ? 1 : p->type->code_hi, one ? -1 : (int64_t)l->axis,
                      learned ? 1 / pcs_sqrt(n * (double)p->type->code_hi) : 0 };
    return l->rounded = on_grid(f, p->name, &by, w, (precis_value[]){ l->scale, zeros(f, l->scale) });
}

/* Numbers of a value in one sample; 0: not known. */
static double features(const pcs_value *v)
{
    double n = 1;
    for (uint32_t i = 1; i < v->dims; i++) n *= pcs_dim_is_id(v->shape[i]) ? 1 : (double)v->shape[i];
    return n;
}

static precis_value rounded_value(form *f, pcs_array_code *c, precis_value x)
{
    const int bits = c->input && f->t->c.quant.a_bits < 8 ? 8 : f->t->c.quant.a_bits;
    const pcs_trained *p = &f->t->s.llama.parameters[c->scale];
    const double high = (double)((1 << bits) - 1);
    const grid by = { 0, (1 << bits) - 1, -1,
                      p->kind == PCS_TRAINED_RANGE ? 1 / pcs_sqrt(features(&f->g->values[c->of]) * high) : 0 };
    return on_grid(f, p->name, &by, x, (precis_value[]){ value_of(f, c->scale), value_of(f, c->zero) });
}

/* A bias as whole numbers at the scale of the products it is added to; what rounds it is a constant to its gradient. */
static precis_value rounded_sums(form *f, pcs_array_layer *l, precis_value bias)
{
    if (l->code == PCS_NO_PARAMETER) return l->sums = bias;
    const pcs_trained *p = &f->t->s.llama.parameters[l->weight];
    char name[96];
    snprintf(name, sizeof name, "%.60s.bias", p->name);
    const precis_value s =
        two(f, name, "scale", "mul", (precis_value[]){ l->scale, value_of(f, f->a->codes[l->code].scale) });
    const bool one = s >= 0 && f->g->values[s].shape[0] == 1;
    const grid by = { -(1 << 30), 1 << 30, one ? -1 : 0, 0 };
    return l->sums = on_grid(f, name, &by, bias, (precis_value[]){ s, zeros(f, s) });
}

/* ---- layers -------------------------------------------------------------------------------------- */

static precis_status failed(const form *f) { return f->g->error ? f->g->error : PRECIS_ENOMEM; }

/* The node with these operands, in place of its own. */
static precis_status push_node(form *f, const pcs_node *old, uint32_t n, const precis_value *in)
{
    pcs_node node = *old;
    node.n_in = n;
    node.in = pcs_arena_alloc(&f->g->arena, n + 1, sizeof *node.in);
    if (!node.in) return PRECIS_ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (in[i] < 0) return failed(f);
        node.in[i] = in[i];
    }
    return f->g->error ? f->g->error : pcs_graph_push(f->g, &node);
}

static precis_status copy_node(form *f, const pcs_node *old)
{
    precis_value *in = pcs_arena_alloc(&f->g->arena, old->n_in + 1, sizeof *in);
    if (!in) return PRECIS_ENOMEM;
    for (uint32_t i = 0; i < old->n_in; i++) in[i] = f->map[old->in[i]];
    return push_node(f, old, old->n_in, in);
}

/* With the batch's statistics. */
static precis_value norm_of_batch(form *f, pcs_array_norm *n, const char *of, precis_value x)
{
    char name[160];
    const precis_attr attrs[] = { precis_attr_real("eps", n->eps), { 0 } };
    snprintf(name, sizeof name, "%.100s.batch", of);
    const precis_value y = precis_graph_node(f->g, name, "batch_norm_train", attrs, 3,
                                             (precis_value[]){ x, value_of(f, n->gamma), value_of(f, n->beta) });
    if (y < 0) return y;
    const pcs_node *node = &f->g->nodes[f->g->n_nodes - 1];
    n->means = node->out[1];
    n->variances = node->out[2];
    return y;
}

/* gamma / sqrt(variance + eps), by channel. */
static precis_value factor_of(form *f, const pcs_array_norm *n, const char *of)
{
    const precis_value in[2] = { value_of(f, n->variance), number(f, (float)n->eps) };
    precis_value v = two(f, of, "shifted", "add", in);
    v = made(f, of, "deviation", "sqrt", 1, &v);
    return two(f, of, "factor", "div", (precis_value[]){ value_of(f, n->gamma), v });
}

/* What a norm that is in the weights adds: beta + (bias - mean) factor. */
static precis_value folded_bias(form *f, const pcs_array_layer *l, const pcs_array_norm *n, precis_value factor)
{
    const char *of = f->t->s.llama.parameters[l->weight].name;
    const precis_value mean = value_of(f, n->mean);
    precis_value b = l->bias == PCS_NO_PARAMETER
                         ? made(f, of, "less", "neg", 1, &mean)
                         : two(f, of, "less", "sub", (precis_value[]){ value_of(f, l->bias), mean });
    b = two(f, of, "by_factor", "mul", (precis_value[]){ b, factor });
    return two(f, of, "folded", "add", (precis_value[]){ b, value_of(f, n->beta) });
}

/* A product whose weights are rounded, with its norm; *y: what stands for the result of the last of both. */
static precis_status layer(form *f, const pcs_node *old, pcs_array_layer *l, precis_value *y)
{
    pcs_array_norm *n = l->norm == PCS_NO_PARAMETER ? NULL : &f->a->norms[l->norm];
    const char *of = f->t->s.llama.parameters[l->weight].name;
    const uint32_t at = old->op->weight ? old->op->weight : 1, dims = f->g->values[old->out[0]].dims,
                   channel = f->g->values[old->in[at]].dims == 2 ? dims - 1 : 1;
    precis_value w = value_of(f, l->weight), factor = -1, bias = -1;
    if (n) {
        factor = factor_of(f, n, of);
        w = two(f, of, "with_norm", "mul",
                (precis_value[]){ w, along(f, of, factor, f->g->values[w].dims, l->axis) });
    }
    const bool apart = n && !f->frozen; /* the batch's statistics, after the product divided by the factor */
    if (n && !apart) bias = folded_bias(f, l, n, factor);
    else if (l->bias != PCS_NO_PARAMETER) bias = value_of(f, l->bias);
    precis_value in[3] = { f->map[old->in[0]], -1, -1 };
    in[at] = rounded_weights(f, l, w);
    if (bias >= 0 && !apart) in[2] = rounded_sums(f, l, bias);
    precis_status st = push_node(f, old, in[2] >= 0 ? 3 : 2, in);
    *y = old->out[0];
    if (n) n->merged = true;
    if (st || !apart) return st;
    *y = two(f, of, "apart", "div", (precis_value[]){ *y, along(f, of, factor, dims, channel) });
    if (bias >= 0) *y = two(f, of, "biased", "add", (precis_value[]){ *y, along(f, of, bias, dims, channel) });
    *y = norm_of_batch(f, n, of, *y);
    return *y < 0 ? failed(f) : PRECIS_OK;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static pcs_array_code *code_of(form *f, precis_value v)
{
    for (size_t i = 0; i < f->a->n_codes; i++)
        if (f->a->codes[i].of == v) return &f->a->codes[i];
    return NULL;
}

static precis_status round_where_wanted(form *f, precis_value v)
{
    pcs_array_code *c = code_of(f, v);
    if (!c) return PRECIS_OK;
    c->watched = f->map[v];
    if (!f->rounded) return PRECIS_OK;
    const precis_value y = rounded_value(f, c, f->map[v]);
    if (y < 0) return failed(f);
    f->map[v] = y;
    return PRECIS_OK;
}

static precis_status one_node(form *f, const pcs_node *old, size_t i)
{
    pcs_array_layer *l = pcs_arrays_layer(f->a, i);
    pcs_array_norm *n = pcs_arrays_norm(f->a, i);
    precis_value y = old->out[0];
    precis_status st = PRECIS_OK;
    if (l && f->rounded && f->t->s.llama.parameters[l->weight].type) st = layer(f, old, l, &y);
    else if (n && n->merged) y = f->map[old->in[0]];
    else if (n && !f->frozen) {
        y = norm_of_batch(f, n, old->name, f->map[old->in[0]]);
        st = y < 0 ? failed(f) : PRECIS_OK;
    } else st = copy_node(f, old);
    f->map[old->out[0]] = y;
    return st ? st : round_where_wanted(f, old->out[0]);
}

/* Values of parameters: what is set from outside between runs is an input, so that nothing made of it is kept. */
static void place_parameters(form *f)
{
    pcs_llama *l = &f->t->s.llama;
    for (size_t i = 0; i < l->n; i++) {
        pcs_trained *p = &l->parameters[i];
        const precis_value v = f->a->origin[i];
        p->value = v;
        p->ready = p->rounded = p->watched = p->input = -1;
        if (v >= 0) {
            const bool set = p->kind == PCS_TRAINED_STATISTIC;
            f->g->values[v].role = set ? PCS_INPUT : p->fixed ? PCS_CONSTANT : PCS_PARAMETER;
            const pcs_store s = pcs_store_rows(set ? NULL : p->data, p->n * sizeof *p->data, PCS_KEPT_BY_CALLER);
            if (!pcs_value_keep(&f->g->values[v], s))
                pcs_graph_fail(f->g, PRECIS_EFORMAT, "parameter %s: has fewer numbers than the net", p->name);
        } else if (f->rounded && p->kind == PCS_TRAINED_OBSERVED)
            p->value = precis_graph_input(f->g, p->name, 1, p->shape);
        else if (f->rounded && p->kind == PCS_TRAINED_RANGE)
            p->value = pcs_graph_parameter(f->g, p->name, 1, p->shape, p->data);
    }
}

static precis_status rebuild(form *f, const pcs_node *old, size_t n)
{
    pcs_arrays *a = f->a;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < a->n_norms; i++) a->norms[i].merged = false, a->norms[i].means = a->norms[i].variances = -1;
    for (size_t i = 0; i < a->n_layers; i++)
        a->layers[i].rounded = a->layers[i].scale = a->layers[i].sums = -1;
    for (size_t i = 0; i < a->n_codes; i++) a->codes[i].watched = -1;
    st = round_where_wanted(f, a->form.inputs[0]);
    for (size_t i = 0; i < n && !st; i++) st = one_node(f, &old[i], i);
    return st;
}

/* Logits, before a softmax where the net ends with one, and the loss of each sample. */
static precis_status add_loss(form *f, const pcs_node *old)
{
    pcs_train_run *t = f->t;
    pcs_llama *l = &t->s.llama;
    precis_value y = f->a->form.outputs[0];
    const int32_t maker = f->g->values[y].node;
    if (maker >= 0 && old[maker].op == &pcs_op_softmax) y = old[maker].in[0];
    y = f->map[y];
    const pcs_value v = f->g->values[y];
    int64_t classes = 1;
    for (uint32_t i = 1; i < v.dims; i++) classes = pcs_dim_is_id(v.shape[i]) ? 0 : classes * v.shape[i];
    const bool rows = v.dims > 1 && v.shape[0] == l->tokens;
    if (v.dtype != PCS_F32 || !rows || classes < 2)
        return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED,
                        "%s: cannot be trained: its first output is no row of F32 classes for each sample",
                        t->c.from ? t->c.from : "model");
    f->a->classes = classes;
    if (v.dims > 2) y = shaped(f, "logits", y, 2, (int64_t[]){ l->tokens, classes });
    l->targets = pcs_graph_input_i32(f->g, "targets", 1, &l->tokens);
    l->logits = y;
    l->rows = precis_graph_node(f->g, "losses", "cross_entropy", NULL, 2, (precis_value[]){ y, l->targets });
    l->loss = precis_graph_node(f->g, "loss", "mean", NULL, 2, (precis_value[]){ l->rows, l->targets });
    precis_graph_output(f->g, l->loss);
    return f->g->error;
}

void pcs_arrays_close_form(pcs_train_run *t)
{
    pcs_reverse_close(&t->r);
    precis_program_close(&t->p);
    if (t->arrays) pcs_netfile_graph_close(t->ctx, &t->arrays->form);
    t->g = NULL;
}

precis_status pcs_arrays_form(pcs_train_run *t, bool rounded, bool frozen)
{
    pcs_arrays *a = t->arrays;
    pcs_arrays_close_form(t);
    precis_status st = pcs_netfile_import(pcs_net_file(a->net), NULL, &a->form);
    if (st) return st;
    precis_graph *g = t->g = a->form.graph;
    form f = { .t = t, .a = a, .g = g, .rounded = rounded, .frozen = frozen };
    const size_t n_values = g->n_values, n_nodes = g->n_nodes;
    pcs_node *old = g->nodes;
    f.map = pcs_arena_alloc(&g->arena, n_values + 1, sizeof *f.map);
    if (!f.map) return PRECIS_ENOMEM;
    for (size_t v = 0; v < n_values; v++) f.map[v] = (precis_value)v, g->values[v].output = false;
    t->s.llama.tokens = g->values[a->form.inputs[0]].shape[0];
    a->input = a->form.inputs[0];
    place_parameters(&f);
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    st = rebuild(&f, old, n_nodes);
    if (!st) st = add_loss(&f, old);
    pcs_free(g->ctx, old);
    pcs_graph_renumber(g);
    if (!st) st = precis_graph_pass(g, "narrow_pools"); /* nobody reads the places of the largest */
    return st && g->error == st ? pcs_fail(t->ctx, st, "%s", g->message) : st;
}
