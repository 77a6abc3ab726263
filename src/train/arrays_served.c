/* arrays_served.c - a net of arrays as it is served: weights, biases and activations in codes (QuantizeLinear and
 * DequantizeLinear), by the very scales that it was trained with; and its loss when the file is run. */
#include "base/builtins.h"
#include "base/fmath.h"
#include "graph/op/round.h"
#include "graph/pass.h"
#include "quant/net/net.h"
#include "run/watched.h"
#include "train/arrays.h"
#include "write/onnx/onnx.h"
#include "write/write.h"

#include <stdio.h>

/* ---- constants ----------------------------------------------------------------------------------- */

/* The graph that is written; numbers of weights, scales and biases are those of the exact form, which stands (t->p). */
typedef struct {
    pcs_train_run *t;
    pcs_arrays *a;
    precis_graph *g;
    precis_value *map; /* of the float net's values */
    size_t *carries;   /* [values]: whose codes a value has; PCS_NO_PARAMETER */
} serving;

/* A value of the exact form, and its numbers, which are the program's. */
typedef struct { pcs_value v; const float *at; } numbers;

static precis_value coded_constant(serving *s, const char *of, const char *what, const pcs_value *like,
                                   const void *data)
{
    char name[160];
    pcs_value v = *like;
    size_t bytes = pcs_dtype_bytes(v.dtype);
    for (uint32_t i = 0; i < v.dims; i++) bytes *= (size_t)v.shape[i];
    void *own = pcs_arena_alloc(&s->g->arena, bytes + 64, 1);
    if (!own) return pcs_graph_fail(s->g, PRECIS_ENOMEM, "%s", precis_ctx_message(s->g->ctx));
    if (data && bytes) memcpy(own, data, bytes);
    snprintf(name, sizeof name, "%.100s_%s", of, what);
    v.name = name, v.role = PCS_CONSTANT, v.node = -1, v.known = NULL;
    v.store = pcs_store_rows(own, bytes, PCS_KEPT_BY_GRAPH);
    return pcs_graph_add_value(s->g, &v);
}

static precis_value made_of(serving *s, const char *of, const char *what, const char *op, const precis_attr *attrs,
                         const precis_value in[3])
{
    char name[160];
    snprintf(name, sizeof name, "%.100s_%s", of, what);
    return precis_graph_node(s->g, name, op, attrs, 3, in);
}

/* The narrowest type of ONNX that has these codes. */
static pcs_dtype codes_of(int low, int high)
{
    if (low < 0) return low >= -2 && high <= 1 ? PCS_I2 : low >= -8 && high <= 7 ? PCS_I4 : PCS_I8;
    return high <= 3 ? PCS_U2 : high <= 15 ? PCS_U4 : PCS_U8;
}

static void set_code(pcs_dtype d, void *to, size_t i, double code)
{
    pcs_set_real(&(pcs_arg){ .dtype = d, .data = to }, i, code);
}

/* What is on a grid already, as its codes: x is [outer][channels][inner], with a scale for each channel or one. */
static precis_value decoded(serving *s, const char *of, const pcs_value *like, const float *x, const numbers *scale)
{
    size_t n = 1, inner = 1;
    uint32_t axis = like->dims;
    const size_t channels = (size_t)(scale->v.dims ? scale->v.shape[0] : 1);
    for (uint32_t i = 0; i < like->dims; i++) n *= (size_t)like->shape[i];
    for (uint32_t i = 0; i < like->dims && channels > 1; i++)
        if (like->shape[i] == (int64_t)channels && (axis == like->dims) && (uint32_t)like->affine.axis == i) axis = i;
    for (uint32_t i = axis + 1; i < like->dims; i++) inner *= (size_t)like->shape[i];
    void *codes = pcs_alloc(s->t->ctx, n + 1, pcs_dtype_bytes(like->dtype));
    if (!codes) return pcs_graph_fail(s->g, PRECIS_ENOMEM, "%s", precis_ctx_message(s->t->ctx));
    const float *by = scale->at;
    for (size_t i = 0; i < n; i++) {
        const double code = (double)x[i] / (double)by[channels > 1 ? i / inner % channels : 0];
        set_code(like->dtype, codes, i, code < 0 ? -pcs_floor(0.5 - code) : pcs_floor(code + 0.5));
    }
    pcs_value shape = { .dtype = PCS_F32 }, whole = *like;
    for (uint32_t i = 0; i < like->dims && channels > 1; i++) shape.shape[i] = i == axis ? (int64_t)channels : 1;
    shape.dims = channels > 1 ? like->dims : 0;
    whole.affine = (pcs_affine){ 0 };
    precis_value in[3] = { coded_constant(s, of, "quantized", &whole, codes),
                           coded_constant(s, of, "scale", &shape, by), -1 };
    shape.dtype = like->dtype;
    in[2] = coded_constant(s, of, "zero_point", &shape, NULL);
    pcs_free(s->t->ctx, codes);
    return made_of(s, of, "dequantized", "from_codes", NULL, in);
}

/* A pair after a value: codes and back. */
static precis_value pair(serving *s, const pcs_array_code *c, const char *of, precis_value v)
{
    const pcs_trained *all = s->t->s.llama.parameters;
    const int bits = c->input && s->t->c.quant.a_bits < 8 ? 8 : s->t->c.quant.a_bits;
    const pcs_dtype d = codes_of(0, (1 << bits) - 1);
    uint64_t zero = 0;
    set_code(d, &zero, 0, (double)all[c->zero].data[0]);
    const precis_value scale = coded_constant(s, of, "scale", &(pcs_value){ .dtype = PCS_F32 }, all[c->scale].data),
                       z = coded_constant(s, of, "zero_point", &(pcs_value){ .dtype = d }, &zero);
    const precis_value codes = made_of(s, of, "QuantizeLinear", "to_codes", PRECIS_ATTRS(precis_attr_int("to", d)),
                                    (precis_value[]){ v, scale, z });
    return made_of(s, of, "DequantizeLinear", "from_codes", NULL, (precis_value[]){ codes, scale, z });
}

/* ---- nodes --------------------------------------------------------------------------------------- */

static precis_status broken(const serving *s) { return s->g->error ? s->g->error : PRECIS_ENOMEM; }

static precis_status put_node(serving *s, const pcs_node *old, uint32_t n, const precis_value *in)
{
    pcs_node node = *old;
    node.n_in = n;
    node.in = pcs_arena_alloc(&s->g->arena, n + 1, sizeof *node.in);
    if (!node.in) return PRECIS_ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (in[i] < 0) return broken(s);
        node.in[i] = in[i];
    }
    return s->g->error ? s->g->error : pcs_graph_push(s->g, &node);
}

static numbers exact(const serving *s, precis_value v)
{
    return (numbers){ s->t->g->values[v], pcs_program_value(s->t->p, v) };
}

static precis_status put_layer(serving *s, const pcs_node *old, const pcs_array_layer *l)
{
    const pcs_trained *all = s->t->s.llama.parameters, *p = &all[l->weight];
    const bool three = s->t->c.quant.estimator->grid == PCS_GRID_MEAN;
    const uint32_t at = old->op->weight ? old->op->weight : 1;
    const numbers w = exact(s, l->rounded), scale = exact(s, l->scale);
    char name[96];
    if (!w.at || !scale.at) return pcs_fail(s->t->ctx, PRECIS_EUNSUPPORTED, "%s: has no numbers", p->name);
    pcs_value like = s->g->values[old->in[at]];
    like.dtype = three ? PCS_I2 : codes_of(p->type->code_lo, p->type->code_hi);
    like.affine = (pcs_affine){ .axis = l->axis };
    precis_value in[3] = { s->map[old->in[0]], -1, -1 };
    in[at] = decoded(s, p->name, &like, w.at, &scale);
    if (l->sums >= 0) {
        const numbers bias = exact(s, l->sums);
        pcs_value of = { .dtype = PCS_F32, .dims = 1, .shape = { l->channels } };
        if (!bias.at) return pcs_fail(s->t->ctx, PRECIS_EUNSUPPORTED, "%s: has no bias", p->name);
        snprintf(name, sizeof name, "%.60s_bias", p->name);
        if (l->code == PCS_NO_PARAMETER) in[2] = coded_constant(s, name, "float", &of, bias.at);
        else {
            const size_t n = (size_t)(scale.v.dims ? scale.v.shape[0] : 1);
            float *by = pcs_arena_alloc(&s->g->arena, n, sizeof *by);
            if (!by) return PRECIS_ENOMEM;
            for (size_t i = 0; i < n; i++) by[i] = scale.at[i] * all[s->a->codes[l->code].scale].data[0];
            of.dtype = PCS_I32;
            in[2] = decoded(s, name, &of, bias.at, &(numbers){ scale.v, by });
        }
    }
    return put_node(s, old, in[2] >= 0 ? 3 : 2, in);
}

static bool merged(const serving *s, size_t i)
{
    const pcs_array_norm *n = pcs_arrays_norm(s->a, i);
    return n && n->merged;
}

static precis_status next_node(serving *s, const pcs_node *old, size_t i)
{
    const pcs_array_layer *l = pcs_arrays_layer(s->a, i);
    const precis_value y = old->out[0];
    precis_value *in = pcs_arena_alloc(&s->g->arena, old->n_in + 1, sizeof *in);
    precis_status st = in ? PRECIS_OK : PRECIS_ENOMEM;
    for (uint32_t k = 0; k < old->n_in && !st; k++) in[k] = s->map[old->in[k]];
    if (st) return st;
    if (l && l->rounded >= 0) st = put_layer(s, old, l);
    else if (merged(s, i)) s->map[y] = s->map[old->in[0]];
    else st = put_node(s, old, old->n_in, in);
    if (st) return st;
    if (pcs_code_place_moves(s->g, old) && s->carries[y] == PCS_NO_PARAMETER)
        s->carries[y] = s->carries[old->in[0]]; /* codes that are moved stay codes */
    if (s->carries[y] == PCS_NO_PARAMETER) return PRECIS_OK;
    const precis_value coded = pair(s, &s->a->codes[s->carries[y]], s->g->values[y].name, s->map[y]);
    if (coded < 0) return broken(s);
    s->map[y] = coded;
    return PRECIS_OK;
}

/* ---- the file ------------------------------------------------------------------------------------ */

static precis_status save_codes(serving *s, const pcs_netfile_graph *f, const char *path)
{
    const size_t m = precis_net_outputs(s->a->net);
    pcs_onnx_named *out = pcs_alloc(s->t->ctx, m + 1, sizeof *out), in[1];
    precis_array port;
    precis_status st = out ? precis_net_input(s->a->net, 0, &port) : PRECIS_ENOMEM;
    if (!st) in[0] = (pcs_onnx_named){ f->inputs[0], port.name };
    for (size_t i = 0; i < m && !st; i++) {
        st = precis_net_output(s->a->net, i, &port);
        out[i] = (pcs_onnx_named){ s->map[f->outputs[i]], port.name };
    }
    const pcs_onnx_saved what = { .graph = s->g, .inputs = in, .outputs = out, .n_inputs = 1, .n_outputs = m,
                                  .source = s->t->opt->out };
    if (!st) st = pcs_onnx_save(s->t->ctx, &what, path, NULL);
    pcs_free(s->t->ctx, out);
    return st;
}

static precis_status with_codes(serving *s, const pcs_netfile_graph *f)
{
    precis_graph *g = s->g;
    pcs_node *old = g->nodes;
    const size_t n = g->n_nodes, values = g->n_values;
    s->map = pcs_arena_alloc(&g->arena, values + 1, sizeof *s->map);
    s->carries = pcs_arena_alloc(&g->arena, values + 1, sizeof *s->carries);
    if (!s->map || !s->carries) return PRECIS_ENOMEM;
    for (size_t v = 0; v < values; v++) {
        s->map[v] = (precis_value)v, s->carries[v] = PCS_NO_PARAMETER;
        g->values[v].output = false;
    }
    for (size_t i = 0; i < s->a->n_codes; i++) s->carries[s->a->codes[i].of] = i;
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    precis_status st = PRECIS_OK;
    const precis_value x = f->inputs[0];
    if (s->carries[x] != PCS_NO_PARAMETER)
        if ((s->map[x] = pair(s, &s->a->codes[s->carries[x]], g->values[x].name, x)) < 0) st = broken(s);
    for (size_t i = 0; i < n && !st; i++) st = next_node(s, &old[i], i);
    for (size_t i = 0; i < precis_net_outputs(s->a->net) && !st; i++) precis_graph_output(g, s->map[f->outputs[i]]);
    pcs_free(g->ctx, old);
    pcs_graph_renumber(g);
    return st && g->error == st ? pcs_fail(s->t->ctx, st, "%s", g->message) : st;
}

/* Parameters of the float net, where a node reads them as they are. */
static precis_status take_trained(serving *s)
{
    for (size_t i = 0; i < s->t->s.llama.n; i++) {
        const pcs_trained *p = &s->t->s.llama.parameters[i];
        if (s->a->origin[i] >= 0 &&
            !pcs_value_keep(&s->g->values[s->a->origin[i]],
                            pcs_store_rows(p->data, p->n * sizeof *p->data, PCS_KEPT_BY_CALLER)))
            return pcs_fail(s->t->ctx, PRECIS_EFORMAT, "parameter %s: has fewer numbers than the net", p->name);
    }
    return PRECIS_OK;
}

static precis_status write_codes(pcs_train_run *t, const char *path)
{
    serving s = { .t = t, .a = t->arrays };
    pcs_netfile_graph f = { 0 };
    precis_status st = t->family->open_net(t, true, true);
    if (!st) st = precis_program_set_size(t->p, t->s.llama.tokens, 1);
    if (!st) st = pcs_program_run(t->p);
    if (!st) st = pcs_netfile_import(pcs_net_file(t->arrays->net), NULL, &f);
    if (st) return st;
    s.g = f.graph;
    st = take_trained(&s);
    if (!st) st = with_codes(&s, &f);
    if (!st) st = save_codes(&s, &f, path);
    pcs_netfile_graph_close(t->ctx, &f);
    return st;
}

/* ---- running it ---------------------------------------------------------------------------------- */

/* Where the net ends with a softmax its results are probabilities. */
static double loss_of(const float *x, int64_t n, int32_t target)
{
    double top = (double)x[0], all = 0, sum = 0;
    bool shares = true;
    for (int64_t i = 0; i < n; i++) {
        top = (double)x[i] > top ? (double)x[i] : top;
        sum += (double)x[i];
        shares &= x[i] >= 0;
    }
    if (shares && sum > 0.999 && sum < 1.001) return -pcs_log((double)x[target]);
    for (int64_t i = 0; i < n; i++) all += pcs_exp((double)x[i] - top);
    return pcs_log(all) + top - (double)x[target];
}

static precis_status run_file(pcs_train_run *t, const char *path, precis_train_result *r)
{
    const pcs_array_set *h = &t->arrays->held;
    const int64_t k = t->arrays->classes;
    precis_net *net;
    precis_array in = { .size = sizeof in };
    precis_status st = precis_net_open(t->ctx, &net, path);
    double sum = 0;
    uint64_t right = 0;
    if (!st) st = precis_net_input(net, 0, &in);
    in.dims = h->dims;
    memcpy(in.shape, h->shape, sizeof in.shape);
    for (uint64_t at = 0; at < h->n && !st; at += t->c.batch) {
        const uint64_t n = h->n - at < t->c.batch ? h->n - at : t->c.batch;
        const precis_array *out = NULL;
        in.shape[0] = (int64_t)n;
        in.data = h->x + at * h->each;
        in.bytes = n * h->each * sizeof(float);
        st = precis_net_run(net, &in, 1, &out);
        for (uint64_t i = 0; i < n && !st; i++) {
            const float *x = (const float *)out[0].data + i * (uint64_t)k;
            int64_t best = 0;
            for (int64_t c = 1; c < k; c++) best = x[c] > x[best] ? c : best;
            right += best == h->labels[at + i];
            sum += loss_of(x, k, h->labels[at + i]);
        }
    }
    r->served = h->n ? sum / (double)h->n : pcs_nan();
    r->served_accuracy = h->n ? (double)right / (double)h->n : pcs_nan();
    precis_net_close(&net);
    return st;
}

precis_status pcs_arrays_check(pcs_train_run *t)
{
    const precis_train_options *o = t->opt;
    bool typed = false;
    for (size_t i = 0; i < t->s.llama.n; i++) typed |= t->s.llama.parameters[i].type != NULL;
    if (o->lora || o->merged || o->card)
        return pcs_fail(t->ctx, PRECIS_EINVAL, "nets of arrays have no adapters, and their samples no card");
    if (o->quantized && !typed)
        return pcs_fail(t->ctx, PRECIS_EINVAL, "%s: nothing is trained for a type of weights", o->quantized);
    return o->quantized ? pcs_out_check(t->ctx, o->quantized, 0, NULL) : PRECIS_OK;
}

/* A file that is run has training's loss. Codes are whole numbers there, and a sum on the border of two codes may be
 * rounded to either. */
precis_status pcs_arrays_products(pcs_train_run *t, precis_train_result *r)
{
    const char *path = t->opt->quantized;
    precis_status st = path ? write_codes(t, path) : PRECIS_OK;
    if (!st && path) st = run_file(t, path, r);
    const double apart = path ? pcs_abs(r->served - r->heldout) : 0;
    if (st || !(apart > 1e-4)) return st;
    return pcs_fail(t->ctx, PRECIS_EFORMAT, "%s: held-out loss %.6f when it is run, %.6f in training: this is a defect",
                    path, r->served, r->heldout);
}
