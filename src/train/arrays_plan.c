/* arrays_plan.c - what of a float net is trained: products with weights and batch norms with their parameters; and,
 * once types are known, which ranges there are and which values have codes. */
#include "base/builtins.h"
#include "quant/net/net.h"
#include "run/watched.h"
#include "train/arrays.h"

#include <stdio.h>

extern const pcs_op pcs_op_batch_norm, pcs_op_conv, pcs_op_conv2d, pcs_op_matmul, pcs_op_product, pcs_op_add,
    pcs_op_layer_norm, pcs_op_concat;

/* ---- parameters ---------------------------------------------------------------------------------- */

/* A name that no parameter has: the value's, cut where it is long. */
static void name_parameter(const pcs_train_run *t, pcs_trained *p, const char *prefix, const char *of)
{
    snprintf(p->name, sizeof p->name, "%.8s%.40s", prefix, of && *of ? of : "tensor");
    for (size_t i = 0; i + 1 < t->s.llama.n; i++)
        if (!strcmp(t->s.llama.parameters[i].name, p->name)) {
            snprintf(p->name, sizeof p->name, "%.8s%.32s.%u", prefix, of && *of ? of : "tensor",
                     (unsigned)t->s.llama.n);
            break;
        }
}

static precis_status no_constant(pcs_train_run *t, const pcs_node *n, const char *what)
{
    return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED, "node %s (%s): its %s is no constant of F32, so it cannot be trained",
                    n->name, n->op->name, what);
}

/* The parameter of a constant of the net, made where there is none yet. rows 0: a vector. */
static precis_status parameter(pcs_train_run *t, const precis_graph *g, precis_value v, int64_t rows, size_t *to)
{
    pcs_arrays *a = t->arrays;
    const pcs_value *of = &g->values[v];
    for (*to = 0; *to < t->s.llama.n; ++*to)
        if (a->origin[*to] == v) return PRECIS_OK;
    int64_t n = 1;
    for (uint32_t i = 0; i < of->dims; i++) n *= of->shape[i];
    pcs_trained *p = n < 1 ? NULL : pcs_llama_push(t->ctx, &t->s.llama, rows, rows ? n / rows : n);
    if (!p) return n < 1 ? pcs_fail(t->ctx, PRECIS_EUNSUPPORTED, "%s: has no numbers", of->name) : PRECIS_ENOMEM;
    name_parameter(t, p, "", of->name);
    a->origin[t->s.llama.n - 1] = v;
    *to = t->s.llama.n - 1;
    return PRECIS_OK;
}

static bool is_constant(const precis_graph *g, precis_value v)
{
    return g->values[v].role == PCS_CONSTANT && g->values[v].dtype == PCS_F32 &&
           pcs_value_is_known(&g->values[v]);
}

/* ---- layers -------------------------------------------------------------------------------------- */

/* The only node that reads a value, unless it is an output; SIZE_MAX: none, or several. */
static size_t only_reader(const precis_graph *g, precis_value v)
{
    size_t found = SIZE_MAX;
    if (g->values[v].output) return found;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) {
            if (g->nodes[i].in[k] != v) continue;
            if (found != SIZE_MAX) return SIZE_MAX;
            found = i;
        }
    return found;
}

static precis_status add_norm(pcs_train_run *t, const precis_graph *g, size_t i)
{
    pcs_arrays *a = t->arrays;
    const pcs_node *n = &g->nodes[i];
    pcs_array_norm *to = &a->norms[a->n_norms++];
    size_t *const parts[] = { &to->gamma, &to->beta, &to->mean, &to->variance };
    precis_status st = PRECIS_OK;
    *to = (pcs_array_norm){ .node = i, .eps = n->attr[0].real, .means = -1, .variances = -1 };
    for (uint32_t k = 1; k < 5 && !st; k++) {
        if (!is_constant(g, n->in[k])) return no_constant(t, n, "statistics");
        const size_t before = t->s.llama.n;
        st = parameter(t, g, n->in[k], 0, parts[k - 1]);
        if (!st && t->s.llama.n == before)
            return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED, "node %s (%s): shares a constant with another node, or with "
                                                         "itself", n->name, n->op->name);
        if (!st && k > 2) t->s.llama.parameters[*parts[k - 1]].kind = PCS_TRAINED_STATISTIC;
    }
    return st;
}

/* Multiplications of a sample: those of one place of the result, and places. */
static double products_of(const precis_graph *g, const pcs_node *n, const pcs_array_layer *l)
{
    const pcs_value *y = &g->values[n->out[0]];
    double all = (double)l->channels / (double)(y->shape[y->dims == 2 || l->axis ? y->dims - 1 : 1]);
    const pcs_value *w = &g->values[n->in[n->op->weight ? n->op->weight : 1]];
    for (uint32_t i = 0; i < w->dims; i++) all *= i == l->axis ? 1 : (double)w->shape[i];
    for (uint32_t i = 1; i < y->dims; i++) all *= pcs_dim_is_id(y->shape[i]) ? 1 : (double)y->shape[i];
    return all;
}

static precis_status add_layer(pcs_train_run *t, const precis_graph *g, size_t i, const pcs_net_weight *w)
{
    pcs_arrays *a = t->arrays;
    const pcs_node *n = &g->nodes[i];
    pcs_array_layer *l = &a->layers[a->n_layers++];
    *l = (pcs_array_layer){ .node = i, .axis = w->axis, .channels = w->channels };
    l->norm = l->bias = l->range = l->code = PCS_NO_PARAMETER;
    l->rounded = l->scale = l->sums = -1;
    l->products = products_of(g, n, l);
    precis_status st = parameter(t, g, n->in[w->input], w->channels, &l->weight);
    const uint32_t bias = n->op->bias;
    if (!st && bias && n->n_in > bias) {
        if (!is_constant(g, n->in[bias])) return no_constant(t, n, "bias");
        st = parameter(t, g, n->in[bias], 0, &l->bias);
    }
    const size_t behind = only_reader(g, n->out[0]);
    for (size_t k = 0; k < a->n_norms && behind != SIZE_MAX; k++)
        if (a->norms[k].node == behind && g->nodes[behind].in[0] == n->out[0] && l->axis == 0)
            l->norm = k, a->norms[k].folded = true;
    return st;
}

/* Vectors of ops that are no products: a bias added after one, a layer norm's gain and shift. */
static precis_status add_vectors(pcs_train_run *t, const precis_graph *g, const pcs_node *n)
{
    size_t at;
    precis_status st = PRECIS_OK;
    for (uint32_t k = 0; k < n->n_in && !st; k++) {
        const pcs_value *v = &g->values[n->in[k]];
        const bool summed = n->op == &pcs_op_add && v->dims && n->n_in == 2 && g->values[n->in[1 - k]].node >= 0 &&
                            g->nodes[g->values[n->in[1 - k]].node].op == &pcs_op_product;
        if (!is_constant(g, n->in[k]) || (!summed && n->op != &pcs_op_layer_norm)) continue;
        st = parameter(t, g, n->in[k], 0, &at);
    }
    return st;
}

static bool trains(const pcs_op *op)
{
    return op == &pcs_op_conv || op == &pcs_op_conv2d || op == &pcs_op_matmul || op == &pcs_op_product;
}

static precis_status check_ports(pcs_train_run *t, const precis_graph *g)
{
    const pcs_arrays *a = t->arrays;
    const char *why = NULL;
    const pcs_value *x = &g->values[precis_net_graph_input(a->net, 0)];
    if (precis_net_inputs(a->net) != 1) why = "it has not one input";
    else if (x->dtype != PCS_F32) why = "its input is not of F32";
    else if (!x->dims || !pcs_dim_is_id(x->shape[0]) || g->dims[x->shape[0] - PCS_DIM_FIRST].kind != PCS_DIM_SYMBOL)
        why = "its first dimension is fixed; export it with a free one (dynamic_axes, dynamic_shapes)";
    for (uint32_t i = 1; !why && i < x->dims; i++)
        if (pcs_dim_is_id(x->shape[i])) why = "a dimension behind its first has no size";
        else if (i >= a->set.dims || x->shape[i] != a->set.shape[i]) why = "data.arrays has samples of another shape";
    if (!why && x->dims != a->set.dims) why = "data.arrays has samples of another shape";
    if (!why && a->held.n && (a->held.dims != a->set.dims ||
                              memcmp(a->held.shape + 1, a->set.shape + 1, (x->dims - 1) * sizeof *x->shape)))
        why = "data.heldout has samples of another shape";
    if (!why) return PRECIS_OK;
    return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED, "%s: cannot be trained: %s", t->c.from ? t->c.from : "model", why);
}

static precis_status walk(pcs_train_run *t, const precis_graph *g)
{
    pcs_arrays *a = t->arrays;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < g->n_nodes && !st; i++)
        if (g->nodes[i].op == &pcs_op_batch_norm) st = add_norm(t, g, i);
    for (size_t i = 0; i < g->n_nodes && !st; i++) {
        pcs_net_weight w;
        const pcs_node *n = &g->nodes[i];
        if (trains(n->op) && pcs_net_weight_of(g, n, &w) && (n->op->weight || g->values[n->in[1]].dims == 2))
            st = add_layer(t, g, i, &w);
        else st = add_vectors(t, g, n);
    }
    if (!st && !a->n_layers)
        st = pcs_fail(t->ctx, PRECIS_EUNSUPPORTED, "%s: has no product with weights that could be trained",
                      t->c.from ? t->c.from : "model");
    return st;
}

precis_status pcs_arrays_plan(pcs_train_run *t)
{
    pcs_arrays *a = t->arrays;
    precis_graph *g;
    precis_status st = precis_net_graph(a->net, &g);
    if (!st) st = check_ports(t, g);
    if (st) return st;
    /* parameters: a constant each, then a range for each layer and three for each value with codes */
    a->origin = pcs_arena_alloc(&t->arena, g->n_values + 8 * g->n_nodes + 8, sizeof *a->origin);
    a->layers = pcs_arena_alloc(&t->arena, g->n_nodes + 1, sizeof *a->layers);
    a->norms = pcs_arena_alloc(&t->arena, g->n_nodes + 1, sizeof *a->norms);
    a->codes = pcs_arena_alloc(&t->arena, g->n_nodes + 1, sizeof *a->codes);
    if (!a->origin || !a->layers || !a->norms || !a->codes) return PRECIS_ENOMEM;
    for (size_t i = 0; i < g->n_values + 8 * g->n_nodes + 8; i++) a->origin[i] = -1;
    return walk(t, g);
}

/* ---- codes --------------------------------------------------------------------------------------- */

/* The value whose codes v's are: ops that move elements are passed over. */
static precis_value source(const precis_graph *g, precis_value v)
{
    while (g->values[v].node >= 0) {
        const pcs_node *n = &g->nodes[g->values[v].node];
        if (n->out[0] != v || !pcs_code_place_moves(g, n)) break;
        v = n->in[0];
    }
    return v;
}

static pcs_trained *push(pcs_train_run *t, const char *prefix, const char *of, int64_t n)
{
    pcs_trained *p = pcs_llama_push(t->ctx, &t->s.llama, 0, n);
    if (p) name_parameter(t, p, prefix, of);
    return p;
}

static precis_status add_code(pcs_train_run *t, const precis_graph *g, precis_value v, size_t *to)
{
    pcs_arrays *a = t->arrays;
    for (*to = 0; *to < a->n_codes; ++*to)
        if (a->codes[*to].of == v) return PRECIS_OK;
    const bool learned = t->c.quant.estimator->learns_activations && t->c.quant.a_scale == PCS_SCALE_ESTIMATED;
    const size_t first = t->s.llama.n;
    pcs_trained *p = push(t, "range:", g->values[v].name, 1);
    if (p) p->kind = learned ? PCS_TRAINED_RANGE : PCS_TRAINED_OBSERVED, p->of = SIZE_MAX;
    if (p && (p = push(t, "zero:", g->values[v].name, 1))) p->kind = PCS_TRAINED_OBSERVED, p->of = SIZE_MAX;
    if (p && (p = push(t, "seen:", g->values[v].name, 3))) p->kind = PCS_TRAINED_OBSERVER, p->of = first;
    if (!p) return PRECIS_ENOMEM;
    a->codes[a->n_codes++] = (pcs_array_code){ v, first, first + 1, first + 2, g->values[v].role == PCS_INPUT, -1 };
    return PRECIS_OK;
}

/* Whole numbers by channel or by tensor are what files of nets have. */
static precis_status check_type(pcs_train_run *t, const pcs_trained *p)
{
    const pcs_format *f = p->type;
    if (f->kind == PCS_QUANT && f->head == 4 && !f->has_min && !f->book && !f->element && f->code_hi > 0 &&
        f->code_lo < -1)
        return PRECIS_OK;
    return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED,
                    "quant.weights: %s (%s): nets of arrays have whole numbers with a scale by channel (INT2_C to "
                    "INT8_C) or tensor (INT2_T to INT8_T)",
                    f->name, p->name);
}

static precis_status check_estimator(pcs_train_run *t)
{
    const pcs_estimator *e = t->c.quant.estimator;
    if (e->grid != PCS_GRID_NONE) return PRECIS_OK;
    return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED,
                    "quant.estimator: nets of arrays are trained by ste, lsq or ternary, not by %s", e->name);
}

precis_status pcs_arrays_plan_codes(pcs_train_run *t)
{
    pcs_arrays *a = t->arrays;
    precis_graph *g;
    precis_status st = precis_net_graph(a->net, &g);
    if (!st && pcs_train_quantizes(&t->c.quant)) st = check_estimator(t);
    bool typed = false;
    for (size_t i = 0; i < a->n_layers && !st; i++) {
        pcs_array_layer *l = &a->layers[i];
        const pcs_trained p = t->s.llama.parameters[l->weight];
        if (!p.type) continue;
        typed = true;
        st = check_type(t, &p);
        if (!st && t->c.quant.estimator->grid == PCS_GRID_LEARNED) {
            pcs_trained *r = push(t, "range:", p.name, p.type->tensor ? 1 : l->channels);
            if (!r) return PRECIS_ENOMEM;
            r->kind = PCS_TRAINED_RANGE;
            r->of = l->weight;
            l->range = t->s.llama.n - 1;
        }
        if (!st && t->c.quant.a_bits <= 8) st = add_code(t, g, source(g, g->nodes[l->node].in[0]), &l->code);
    }
    if (!st && !typed && t->c.quant.a_bits <= 8)
        st = pcs_fail(t->ctx, PRECIS_EFORMAT,
                      "quant.activations: no weights have a type, and inputs of those that have one are rounded");
    return st;
}

pcs_array_layer *pcs_arrays_layer(const pcs_arrays *a, size_t node)
{
    for (size_t i = 0; i < a->n_layers; i++)
        if (a->layers[i].node == node) return &a->layers[i];
    return NULL;
}

pcs_array_norm *pcs_arrays_norm(const pcs_arrays *a, size_t node)
{
    for (size_t i = 0; i < a->n_norms; i++)
        if (a->norms[i].node == node) return &a->norms[i];
    return NULL;
}

precis_status pcs_arrays_take_numbers(pcs_train_run *t)
{
    precis_graph *g;
    precis_status st = precis_net_graph(t->arrays->net, &g);
    for (size_t i = 0; i < t->s.llama.n && !st; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        if (t->arrays->origin[i] < 0) continue;
        const float *numbers = pcs_value_f32(&g->values[t->arrays->origin[i]], p->n);
        if (numbers) memcpy(p->data, numbers, p->n * sizeof *p->data);
        else st = pcs_fail(t->ctx, PRECIS_EFORMAT, "parameter %s: the net has fewer numbers", p->name);
    }
    return st;
}
