/* job.c - quantizing a net, from options to a file. */
#include "quant/net/method.h"

#include "base/options.h"
#include "run/net.h"
#include "run/watched.h"
#include "write/onnx/onnx.h"

#include <stdio.h>

/* ---- options ------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *qtype;
    pcs_dtype dtype;
} activation_types[] = {
    { "u8", "uint8", PCS_U8 }, { "s8", "int8", PCS_I8 }, { "u16", "uint16", PCS_U16 }, { "s16", "int16", PCS_I16 }
};
static const char *const modes[] = { "static", "dynamic", "weights" };

static precis_status set_mode(precis_net_quant *q)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(modes[i], q->o.mode)) {
            q->mode = (pcs_net_mode)i;
            return PRECIS_OK;
        }
    return pcs_fail(q->ctx, PRECIS_EINVAL, "mode %s is none: static, dynamic or weights", q->o.mode);
}

static const struct {
    const char *name, *qtype;
    pcs_dtype dtype;
    uint32_t block; /* the usual one; 0: channels */
} weight_types[] = { { "int8", "int8", PCS_I8, 0 },
                     { "int4", "int4", PCS_I4, 32 },
                     { "int2", "int2", PCS_I2, 32 },
                     { "fp8", "int8", PCS_F8E4M3FN, 0 } };

static precis_status set_weights(precis_net_quant *q)
{
    const char *name = q->o.weights ? q->o.weights : weight_types[0].name;
    size_t i = 0, n = sizeof weight_types / sizeof *weight_types;
    while (i < n && strcmp(weight_types[i].name, name)) i++;
    if (i == n) return pcs_fail(q->ctx, PRECIS_EINVAL, "weights %s are none: int8, int4, int2 or fp8", name);
    if (i && q->mode != PCS_NET_WEIGHTS)
        return pcs_fail(q->ctx, PRECIS_EUNSUPPORTED,
                        "weights %s go with weights alone (no engine multiplies codes of 8 "
                        "bits by them); int8 is the nearest that does",
                        name);
    if (q->o.group && !weight_types[i].block)
        return pcs_fail(q->ctx, PRECIS_EINVAL, "groups go with weights int4 and int2");
    q->weight_type = weight_types[i].dtype;
    q->weights = pcs_qscheme_of(pcs_qtype_by_name(weight_types[i].qtype), true, q->o.reduce_range != 0, q->like);
    q->block = q->o.group ? q->o.group : weight_types[i].block;
    return PRECIS_OK;
}

static precis_status set_types(precis_net_quant *q)
{
    const char *name = q->o.activations ? q->o.activations : q->like == PCS_LIKE_ORT ? "s8" : "u8";
    size_t i = 0, n = sizeof activation_types / sizeof *activation_types;
    while (i < n && strcmp(activation_types[i].name, name)) i++;
    if (i == n) return pcs_fail(q->ctx, PRECIS_EINVAL, "activations %s are none: u8, s8, u16 or s16", name);
    q->activation_type = activation_types[i].dtype;
    q->activations =
        pcs_qscheme_of(pcs_qtype_by_name(activation_types[i].qtype), q->o.symmetric != 0, q->seven_bits, q->like);
    q->per_channel = !q->o.per_tensor;
    return set_weights(q);
}

/* What the mode has no use for is not passed over. */
static precis_status check_mode(const precis_net_quant *q)
{
    const precis_net_quant_options *o = &q->o;
    const bool dynamic = q->mode == PCS_NET_DYNAMIC;
    bool typed = o->activations != NULL; /* but as they are in dynamic quantization */
    for (size_t i = 0; dynamic && typed && i < sizeof activation_types / sizeof *activation_types; i++)
        if (activation_types[i].dtype == PCS_U8) typed = strcmp(activation_types[i].name, o->activations) != 0;
    const char *what = o->observer    ? "an observer"
                       : o->symmetric ? "symmetric activations"
                       : o->whole     ? "QLinear ops"
                       : typed        ? "the type of activations"
                                      : NULL;
    if (q->mode == PCS_NET_STATIC || !what) return PRECIS_OK;
    return pcs_fail(q->ctx, PRECIS_EINVAL, "%s: of static quantization alone; %s", what,
                    dynamic ? "dynamic takes the range of each run, in u8 with a zero point"
                            : "activations stay in float where weights alone are quantized");
}

static precis_status set_options(precis_net_quant *q, const precis_net_quant_options *o)
{
    const precis_net_quant_options usual = PRECIS_NET_QUANT_OPTIONS_INIT;
    q->o = usual;
    pcs_options_take(&q->o, sizeof q->o, o);
    if (!q->o.mode) q->o.mode = modes[0];
    if (q->o.like && !pcs_like_by_name(q->o.like, &q->like))
        return pcs_fail(q->ctx, PRECIS_EINVAL, "like %s is none: precis, torch or onnxruntime", q->o.like);
    q->kind = pcs_observer_by_name(q->o.observer);
    if (!q->kind) return pcs_fail(q->ctx, PRECIS_EINVAL, "observer %s is none (precis list observers)", q->o.observer);
    precis_status st = set_mode(q);
    if (!st) st = check_mode(q);
    if (!st) st = pcs_net_set_methods(q);
    if (!st) st = pcs_net_backend(q);
    return st ? st : set_types(q);
}

/* ---- opening ------------------------------------------------------------------------------------- */

static precis_status keep_names(precis_net_quant *q)
{
    q->names = pcs_arena_alloc(&q->arena, q->n_nodes + 1, sizeof *q->names);
    q->ops = pcs_arena_alloc(&q->arena, q->n_nodes + 1, sizeof *q->ops);
    if (!q->names || !q->ops) return PRECIS_ENOMEM;
    for (size_t i = 0; i < q->n_nodes; i++) {
        const pcs_node *n = &q->g->nodes[i];
        q->names[i] = pcs_arena_copy(&q->arena, n->name, strlen(n->name));
        q->ops[i] = pcs_arena_copy(&q->arena, n->op->name, strlen(n->op->name));
        if (!q->names[i] || !q->ops[i]) return PRECIS_ENOMEM;
    }
    return PRECIS_OK;
}

extern const pcs_op pcs_op_to_codes, pcs_op_from_codes, pcs_op_conv_whole, pcs_op_product_whole;

/* Does the net hold codes already? */
static bool has_codes(const precis_graph *g)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const pcs_op *op = g->nodes[i].op;
        if (op == &pcs_op_to_codes || op == &pcs_op_from_codes || op == &pcs_op_conv_whole ||
            op == &pcs_op_product_whole)
            return true;
    }
    return false;
}

int precis_net_coded(precis_net *net)
{
    precis_graph *g;
    return !precis_net_graph(net, &g) && has_codes(g);
}

static precis_status start(precis_net_quant *q)
{
    if (has_codes(q->g))
        return pcs_fail(q->ctx, PRECIS_EUNSUPPORTED,
                        "the net holds codes already; without a way (--static, --dynamic, "
                        "--weight-only) it is written as it is");
    precis_status st = pcs_net_keep_called(q);
    if (!st) st = pcs_net_prepare(q);
    if (!st) st = pcs_net_prepare_methods(q);
    if (st) return st;
    q->n_values = q->g->n_values;
    q->n_nodes = q->g->n_nodes;
    q->values = pcs_arena_alloc(&q->arena, q->n_values + 1, sizeof *q->values);
    q->nodes = pcs_arena_alloc(&q->arena, q->n_nodes + 1, sizeof *q->nodes);
    st = q->values && q->nodes ? keep_names(q) : PRECIS_ENOMEM;
    for (size_t i = 0; i < q->n_nodes && !st; i++) {
        q->nodes[i].fused_into = q->nodes[i].result = -1;
        q->nodes[i].equalized = q->equalized && q->equalized[q->g->nodes[i].out[0]];
    }
    if (!st) st = pcs_net_settle_called(q);
    if (!st) st = pcs_net_floats_known(q);
    if (!st) st = pcs_net_decide(q);
    for (size_t i = 0; i < q->n_nodes && !st && q->o.strict; i++) {
        const pcs_net_node *n = &q->nodes[i];
        const bool stays = n->state == PCS_NODE_FLOAT && (q->mode == PCS_NET_STATIC || q->g->nodes[i].op->weight);
        if (stays || (n->state == PCS_NODE_WHOLE && n->why)) /* or in part, with weights alone in codes */
            st = pcs_fail(q->ctx, PRECIS_EUNSUPPORTED, "node %s (%s) stays in float: %s", q->names[i], q->ops[i],
                          n->why);
    }
    return st ? st : pcs_net_observe(q);
}

precis_status precis_net_quant_open(precis_net *net, const precis_net_quant_options *options, precis_net_quant **out)
{
    const pcs_netfile_graph *f;
    precis_net_quant_options o = PRECIS_NET_QUANT_OPTIONS_INIT;
    *out = NULL;
    pcs_options_take(&o, sizeof o, options);
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < o.n_values && !st; i++) st = precis_net_fix(net, &o.values[i]);
    if (!st) st = pcs_net_named_graph(net, &f);
    if (st) return st;
    precis_graph *g = f->graph;
    precis_net_quant *q = pcs_alloc(g->ctx, 1, sizeof *q);
    if (!q) return PRECIS_ENOMEM;
    *q = (precis_net_quant){ .ctx = g->ctx, .net = net, .g = g };
    pcs_arena_init(&q->arena, g->ctx);
    st = set_options(q, options);
    if (!st) st = start(q);
    if (st) precis_net_quant_close(&q);
    *out = q;
    return st;
}

void precis_net_quant_close(precis_net_quant **job)
{
    precis_net_quant *q = job ? *job : NULL;
    if (!q) return;
    for (size_t v = 0; q->values && v < q->n_values; v++) pcs_observation_close(&q->values[v].seen);
    precis_program_close(&q->program);
    pcs_arena_free(&q->arena);
    pcs_free(q->ctx, q);
    *job = NULL;
}

/* ---- batches ------------------------------------------------------------------------------------- */

precis_status precis_net_quant_see(precis_net_quant *q, const precis_array *inputs, size_t n)
{
    if (q->inserted) return pcs_fail(q->ctx, PRECIS_EINVAL, "the net has its codes already");
    return pcs_net_batch(q, inputs, n);
}

precis_status precis_net_quant_pass(precis_net_quant *q)
{
    const uint32_t passes = precis_net_quant_passes(q);
    precis_status st = PRECIS_OK;
    q->pass++;
    q->batches = 0;
    if (q->pass + 1 < passes) {
        for (size_t v = 0; v < q->n_values && !st; v++)
            if (q->values[v].seen) st = pcs_observation_again(q->values[v].seen);
        return st;
    }
    if (q->pass + 1 == passes) return pcs_net_ranges(q);
    precis_program_close(&q->program);
    st = pcs_net_insert(q);
    return st ? st : precis_graph_pass(q->g, "drop_unused");
}

enum { BATCH = 32 }; /* samples of a run where the net takes any number */

precis_status precis_net_quant_samples(precis_net_quant *q, precis_samples *samples)
{
    const uint32_t passes = precis_net_quant_passes(q);
    const uint64_t n = samples ? precis_samples_count(samples) : 0;
    const uint64_t each = samples ? precis_samples_batch(samples, BATCH) : 1;
    const precis_array *inputs = NULL;
    precis_status st = PRECIS_OK;
    if (passes && !n) return pcs_fail(q->ctx, PRECIS_EINVAL, "ranges need samples, and there are none");
    for (uint32_t pass = 0; pass < (passes ? passes : 1) && !st; pass++) {
        for (uint64_t at = 0; passes && at < n && !st; at += each) {
            st = precis_samples_read(samples, at, n - at < each ? n - at : each, &inputs);
            if (!st) st = precis_net_quant_see(q, inputs, precis_net_inputs(q->net));
        }
        if (!st) st = precis_net_quant_pass(q);
    }
    return st;
}

/* ---- results ------------------------------------------------------------------------------------- */

static precis_status name_ports(precis_net_quant *q, pcs_onnx_named *in, pcs_onnx_named *out)
{
    precis_array a;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < precis_net_inputs(q->net) && !st; i++) {
        st = precis_net_input(q->net, i, &a);
        in[i] = (pcs_onnx_named){ precis_net_graph_input(q->net, i), a.name };
    }
    for (size_t i = 0; i < precis_net_outputs(q->net) && !st; i++) {
        st = precis_net_output(q->net, i, &a);
        const precis_value v = precis_net_graph_output(q->net, i);
        out[i] = (pcs_onnx_named){ q->map ? q->map[v] : v, a.name };
    }
    return st;
}

void precis_net_quant_manifest(precis_net_quant *q, precis_net_manifest_fn *fn, void *user)
{
    q->manifest = fn;
    q->manifest_user = user;
}

static precis_status tell(void *user, const pcs_out *of, const char **text, size_t *len)
{
    const precis_net_quant *q = user;
    return q->manifest(q->manifest_user, of->sha256, of->at, text, len);
}

static const pcs_beside *beside_of(precis_net_quant *q, pcs_beside *b)
{
    *b = (pcs_beside){ ".manifest.json", tell, q };
    return q->manifest ? b : NULL;
}

/* instead: what is made of the ONNX file; NULL: it is the result. */
static precis_status save(precis_net_quant *q, const char *path, precis_status (*instead)(void *user, const char *file),
                          void *user, pcs_onnx_written *written)
{
    const size_t n = precis_net_inputs(q->net), m = precis_net_outputs(q->net);
    if (!q->inserted) return pcs_fail(q->ctx, PRECIS_EINVAL, "the net has not seen its calibration yet");
    pcs_onnx_named *in = pcs_alloc(q->ctx, n + m + 1, sizeof *in), *out = in ? in + n : NULL;
    if (!in) return PRECIS_ENOMEM;
    precis_status st = name_ports(q, in, out);
    pcs_beside beside;
    const pcs_onnx_saved what = { .graph = q->g,      .inputs = in,   .outputs = out,
                                  .n_inputs = n,      .n_outputs = m, .whole = q->o.whole != 0,
                                  .net = pcs_net_file(q->net),
                                  .instead = instead, .user = user,   .beside = beside_of(q, &beside) };
    if (!st) st = pcs_onnx_save(q->ctx, &what, path, written);
    pcs_free(q->ctx, in);
    return st;
}

precis_status precis_net_quant_write(precis_net_quant *q, const char *path, precis_net_file *file)
{
    pcs_onnx_written written;
    const precis_status st = save(q, path, NULL, NULL, &written);
    if (!st) pcs_net_tell_file(&written, file);
    return st;
}

typedef struct {
    precis_net *net;
    const char *path;
    const pcs_beside *beside;
    precis_net_c_file *file;
} as_c;

static precis_status write_c(void *user, const char *file)
{
    const as_c *a = user;
    return pcs_net_save_c(a->net, file, a->path, a->beside, a->file);
}

/* By way of the ONNX file, which gets no name: dimensions without a size have one in C, and fusions come out as in a
 * run. */
precis_status precis_net_quant_write_c(precis_net_quant *q, const char *path, precis_net_c_file *file)
{
    pcs_beside beside;
    as_c a = { q->net, path, beside_of(q, &beside), file };
    return save(q, path, write_c, &a, NULL);
}

int precis_net_quant_node(const precis_net_quant *q, size_t i, precis_net_coverage *out)
{
    static const char *const states[] = { "float", "integers", "fused", "shape" };
    if (i >= q->n_nodes) return 0;
    const pcs_net_node *n = &q->nodes[i];
    precis_net_coverage all = { .size = sizeof all,
                                .name = q->names[i],
                                .op = q->ops[i],
                                .state = states[n->state],
                                .method = n->method,
                                .reason = n->why ? n->why : "",
                                .into = "",
                                .observer = "" };
    all.weight_raised = n->weight_raised;
    all.shared = n->shared;
    all.sharing_db = n->sharing_db;
    if (n->fused_into >= 0) all.into = q->names[n->fused_into];
    const pcs_net_value *v = n->result >= 0 ? &q->values[n->result] : NULL;
    if (v && v->coded && n->state != PCS_NODE_FUSED) {
        all.observer = v->shares >= 0 ? "shared" : v->seen ? q->kind->name : "";
        all.batches = v->seen ? v->seen->batches : 0;
        all.clipped = v->values ? (double)v->clipped / (double)v->values : 0;
        all.scale = (double)v->params.scale;
        all.zero = v->params.zero;
    }
    pcs_options_give(out, &all, sizeof all);
    return 1;
}
