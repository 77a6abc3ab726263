/* net.c - a net from a file, run with arrays. The graph is made for the shapes that come (and the contents that it asks
 * for), and kept until others come. */
#include "graph/pass.h"
#include "run/watched.h"
#include "run/net.h"

#include <stdio.h>

struct precis_net {
    precis_ctx *ctx;
    pcs_netfile *file;
    pcs_netfile_graph symbolic; /* precis_net_graph's */
    pcs_netfile_graph graph;    /* of the runs */
    precis_program *program;
    pcs_netfile_given *given; /* that it was made for */
    void **contents;       /* of inputs, which are constants in it */
    uint64_t need;
    pcs_netfile_given *assumed; /* sizes of inputs where the graph cannot be made for any; NULL */
    precis_array *outputs;
    precis_array *signs; /* inputs of signed codes that came without a sign, and their codes */
    int8_t **codes;
    bool warned; /* of shapes that are not what the file says */
};

struct precis_program *pcs_net_program(const precis_net *net) { return net->program; }

precis_ctx *pcs_net_ctx(const precis_net *net) { return net->ctx; }
const char *pcs_net_path(const precis_net *net) { return net->file->path; }
const pcs_netfile_given *pcs_net_assumed(const precis_net *net) { return net->assumed; }

static void forget(precis_net *net)
{
    precis_program_close(&net->program);
    pcs_netfile_graph_close(net->ctx, &net->graph);
    for (size_t i = 0; net->contents && i < net->file->n_inputs; i++) {
        pcs_free(net->ctx, net->contents[i]);
        net->contents[i] = NULL;
    }
}

precis_status pcs_net_of(precis_ctx *ctx, pcs_netfile *file, precis_net **out)
{
    precis_net *net = pcs_alloc(ctx, 1, sizeof *net);
    precis_status st = PRECIS_OK;
    *out = NULL;
    if (!net) {
        pcs_netfile_close(&file);
        return PRECIS_ENOMEM;
    }
    *net = (precis_net){ .ctx = ctx, .file = file };
    net->given = pcs_alloc(ctx, file->n_inputs + 1, sizeof *net->given);
    net->contents = pcs_alloc(ctx, file->n_inputs + 1, sizeof *net->contents);
    net->outputs = pcs_alloc(ctx, file->n_outputs + 1, sizeof *net->outputs);
    net->signs = pcs_alloc(ctx, file->n_inputs + 1, sizeof *net->signs);
    net->codes = pcs_alloc(ctx, file->n_inputs + 1, sizeof *net->codes);
    if (!net->given || !net->contents || !net->outputs || !net->signs || !net->codes) st = PRECIS_ENOMEM;
    if (st) precis_net_close(&net);
    *out = net;
    return st;
}

precis_status precis_net_open(precis_ctx *ctx, precis_net **out, const char *path)
{
    pcs_netfile *file;
    *out = NULL;
    const precis_status st = pcs_netfile_open(ctx, &file, path);
    return st ? st : pcs_net_of(ctx, file, out);
}

void precis_net_close(precis_net **net)
{
    if (!net || !*net) return;
    precis_net *n = *net;
    precis_ctx *ctx = n->ctx;
    if (n->file) forget(n);
    pcs_netfile_graph_close(ctx, &n->symbolic);
    pcs_free(ctx, n->given);
    pcs_free(ctx, n->assumed);
    pcs_free(ctx, n->contents);
    pcs_free(ctx, n->outputs);
    for (size_t i = 0; n->codes && i < n->file->n_inputs; i++) pcs_free(ctx, n->codes[i]);
    pcs_free(ctx, n->codes);
    pcs_free(ctx, n->signs);
    pcs_netfile_close(&n->file);
    pcs_free(ctx, n);
    *net = NULL;
}

int precis_net_probe(precis_ctx *ctx, const char *path) { return pcs_netfile_reader_of(ctx, path) != NULL; }

const char *precis_net_format(const precis_net *net) { return net->file->reader->name; }

pcs_netfile *pcs_net_file(const precis_net *net) { return net->file; }

size_t precis_net_inputs(const precis_net *net) { return net->file->n_inputs; }
size_t precis_net_outputs(const precis_net *net) { return net->file->n_outputs; }

static void describe(const pcs_port *p, precis_array *out)
{
    *out = (precis_array){
        .size = sizeof *out, .name = p->name, .type = p->typed ? pcs_dtype_name(p->dtype) : "", .dims = p->dims
    };
    memcpy(out->shape, p->shape, sizeof p->shape);
}

precis_status precis_net_input(const precis_net *net, size_t i, precis_array *out)
{
    if (i >= net->file->n_inputs) return pcs_fail(net->ctx, PRECIS_EINVAL, "input %zu of %zu", i, net->file->n_inputs);
    describe(&net->file->inputs[i], out);
    return PRECIS_OK;
}

precis_status precis_net_output(const precis_net *net, size_t i, precis_array *out)
{
    if (i >= net->file->n_outputs)
        return pcs_fail(net->ctx, PRECIS_EINVAL, "output %zu of %zu", i, net->file->n_outputs);
    describe(&net->file->outputs[i], out);
    return PRECIS_OK;
}

const char *precis_net_symbol(const precis_net *net, size_t input, uint32_t d)
{
    const char *s = input < net->file->n_inputs && d < PCS_GRAPH_DIMS ? net->file->inputs[input].symbol[d] : NULL;
    return s ? s : "";
}

int precis_net_op(const precis_net *net, size_t i, char *name, size_t room, uint64_t *count, int *supported)
{
    if (i >= net->file->n_counts) return 0;
    const pcs_netfile_count *c = &net->file->counts[i];
    snprintf(name, room, "%.*s%s%.*s", (int)(c->domain.n < 64 ? c->domain.n : 64), c->domain.s, c->domain.n ? ":" : "",
             (int)(c->op.n < 64 ? c->op.n : 64), c->op.s);
    *count = c->n;
    *supported = c->supported;
    return 1;
}

/* The graph where the first dimension of inputs that leave it open is 1, for nets whose form depends on it. Where that
 * is no help either, the message of before stays. */
static precis_status graph_of_one(precis_net *net, pcs_netfile_graph *out)
{
    const pcs_netfile *f = net->file;
    char why[sizeof net->ctx->message];
    bool open = false;
    const uint64_t need = out->need;
    memcpy(why, net->ctx->message, sizeof why);
    pcs_netfile_given *one = pcs_alloc(net->ctx, f->n_inputs + 1, sizeof *one);
    if (!one) return PRECIS_ENOMEM;
    for (size_t i = 0; i < f->n_inputs; i++) {
        const pcs_port *p = &f->inputs[i];
        if (!p->shaped) continue;
        one[i] = (pcs_netfile_given){ .shaped = true, .dims = p->dims };
        memcpy(one[i].shape, p->shape, sizeof p->shape);
        if (!p->dims || p->shape[0] >= 0) continue;
        one[i].shape[0] = 1;
        open = true;
    }
    precis_status st = open ? pcs_netfile_import(net->file, one, out) : PRECIS_EUNSUPPORTED;
    pcs_free(net->ctx, one);
    if (!st) pcs_warn(net->ctx, "%s; inputs have 1 as their first dimension from here on", why);
    if (st == PRECIS_EUNSUPPORTED) memcpy(net->ctx->message, why, sizeof why), out->need = need;
    return st;
}

precis_status precis_net_assume(precis_net *net, const precis_array *inputs, size_t n)
{
    const pcs_netfile *f = net->file;
    pcs_netfile_given *given = pcs_alloc(net->ctx, f->n_inputs + 1, sizeof *given);
    if (!given) return PRECIS_ENOMEM;
    for (size_t i = 0; i < f->n_inputs; i++) {
        const pcs_port *p = &f->inputs[i];
        size_t k = 0;
        while (k < n && strcmp(inputs[k].name, p->name)) k++;
        if (k == n || !p->shaped || inputs[k].dims != p->dims) continue;
        given[i] = (pcs_netfile_given){ .shaped = true, .dims = p->dims };
        memcpy(given[i].shape, inputs[k].shape, sizeof given[i].shape);
    }
    pcs_free(net->ctx, net->assumed);
    net->assumed = given;
    return PRECIS_OK;
}

void pcs_net_fix_input(precis_net *net, size_t i, const void *element)
{
    const size_t behind = net->file->n_inputs - 1 - i;
    forget(net);
    pcs_netfile_graph_close(net->ctx, &net->symbolic);
    pcs_free(net->ctx, net->codes[i]);
    memmove(&net->codes[i], &net->codes[i + 1], behind * sizeof *net->codes);
    net->codes[i + behind] = NULL;
    if (net->assumed) memmove(&net->assumed[i], &net->assumed[i + 1], behind * sizeof *net->assumed);
    net->need = 0;
    pcs_netfile_fix(net->file, i, element);
}

precis_status precis_net_shapes(precis_net *net, precis_array *outputs)
{
    pcs_netfile_graph g = { 0 };
    const precis_status st = pcs_netfile_import(net->file, net->assumed, &g);
    for (size_t i = 0; i < net->file->n_outputs && !st; i++) {
        const pcs_value *v = &g.graph->values[g.outputs[i]];
        describe(&net->file->outputs[i], &outputs[i]);
        outputs[i].type = pcs_dtype_name(v->dtype);
        outputs[i].dims = v->dims;
        for (uint32_t d = 0; d < v->dims; d++) outputs[i].shape[d] = v->shape[d] < 0 ? -1 : v->shape[d];
    }
    pcs_netfile_graph_close(net->ctx, &g);
    return st;
}

/* With the assumed sizes; then each that was open is open again where the net can be made all the same. */
static precis_status graph_of_assumed(precis_net *net, pcs_netfile_graph *out)
{
    const pcs_netfile *f = net->file;
    char kept[200] = "";
    size_t at = 0;
    precis_status st = pcs_netfile_import(net->file, net->assumed, out);
    for (size_t i = 0; i < f->n_inputs && !st; i++)
        for (uint32_t d = 0; d < net->assumed[i].dims && !st; d++) {
            pcs_netfile_graph open = { 0 };
            int64_t *size = &net->assumed[i].shape[d];
            const int64_t was = *size;
            if (f->inputs[i].shape[d] >= 0) continue;
            *size = -1;
            st = pcs_netfile_import(net->file, net->assumed, &open);
            if (!st) {
                pcs_netfile_graph_close(net->ctx, out);
                *out = open;
                continue;
            }
            *size = was;
            st = st == PRECIS_ENOMEM ? st : PRECIS_OK;
            const int wrote = snprintf(kept + at, sizeof kept - at, "%sdimension %u of %.60s is %lld", at ? ", " : "",
                                       d, f->inputs[i].name, (long long)was);
            at = wrote > 0 && at + (size_t)wrote < sizeof kept ? at + (size_t)wrote : sizeof kept - 1;
        }
    if (!st && at) pcs_warn(net->ctx, "%s: %s from here on", f->path, kept);
    return st;
}

/* A graph that is made for no inputs. */
static precis_status import(precis_net *net, pcs_netfile_graph *out)
{
    precis_status st = pcs_netfile_import(net->file, NULL, out);
    if (st == PRECIS_EUNSUPPORTED) st = graph_of_one(net, out);
    if (net->assumed && (st == PRECIS_EUNSUPPORTED || st == PRECIS_EFORMAT || st == PRECIS_EINVAL)) {
        char why[sizeof net->ctx->message];
        memcpy(why, net->ctx->message, sizeof why);
        const uint64_t need = out->need;
        const precis_status again = graph_of_assumed(net, out);
        if (again && again != PRECIS_ENOMEM) memcpy(net->ctx->message, why, sizeof why), out->need = need;
        if (!again || again == PRECIS_ENOMEM) st = again;
    }
    return st;
}

static bool wanted(uint64_t need, size_t i) { return need & (uint64_t)1 << (i < 63 ? i : 63); }

int precis_net_asks(const precis_net *net, size_t i)
{
    return i < net->file->n_inputs && !net->symbolic.graph && wanted(net->symbolic.need, i);
}

precis_status precis_net_graph(precis_net *net, precis_graph **graph)
{
    *graph = NULL;
    const precis_status st = net->symbolic.graph ? PRECIS_OK : import(net, &net->symbolic);
    if (!st) *graph = net->symbolic.graph;
    return st;
}

precis_status pcs_net_named_graph(precis_net *net, const pcs_netfile_graph **graph)
{
    precis_graph *g;
    const bool kept = net->file->keep_names;
    net->file->keep_names = true;
    const precis_status st = precis_net_graph(net, &g);
    net->file->keep_names = kept;
    *graph = st ? NULL : &net->symbolic;
    return st;
}

precis_value precis_net_graph_input(const precis_net *net, size_t i)
{
    return net->symbolic.graph && i < net->file->n_inputs ? net->symbolic.inputs[i] : -1;
}
precis_value precis_net_graph_output(const precis_net *net, size_t i)
{
    return net->symbolic.graph && i < net->file->n_outputs ? net->symbolic.outputs[i] : -1;
}

/* Results of nodes that the pass made, or gave other inputs. */
static precis_status count_made(precis_graph *g, precis_net_pass *p)
{
    const size_t n = g->n_values;
    const precis_value **before = pcs_alloc(g->ctx, n + 1, sizeof *before);
    if (!before) return PRECIS_ENOMEM;
    pcs_graph_renumber(g);
    for (size_t v = 0; v < n; v++) before[v] = g->values[v].node < 0 ? NULL : g->nodes[g->values[v].node].in;
    const precis_status st = precis_graph_pass(g, p->name);
    p->made = 0;
    for (size_t v = 0; v < n && !st; v++) {
        const int32_t node = g->values[v].node;
        p->made += node >= 0 && g->nodes[node].in != before[v];
    }
    pcs_free(g->ctx, before);
    return st;
}

precis_status precis_net_passes(precis_net *net, precis_net_pass passes[PRECIS_NET_PASSES])
{
    static const char *const names[PRECIS_NET_PASSES] = { "fold_pad",          "fold_batch_norm", "fold_scale",
                                                          "raise_activations", "raise_gelu",      "raise_layer_norm",
                                                          "raise_attention" };
    pcs_netfile_graph f = { 0 };
    precis_status st = import(net, &f);
    for (size_t i = 0; i < PRECIS_NET_PASSES && !st; i++) {
        passes[i] = (precis_net_pass){ .name = names[i] };
        st = count_made(f.graph, &passes[i]);
        if (!st) st = precis_graph_pass(f.graph, "drop_unused");
    }
    pcs_netfile_graph_close(net->ctx, &f);
    return st;
}

/* ---- inputs ------------------------------------------------------------------------------------- */

static void shape_text(uint32_t dims, const int64_t *shape, const char *const *symbols, char *out, size_t room)
{
    size_t at = (size_t)snprintf(out, room, "[");
    for (uint32_t i = 0; i < dims && at < room; i++) {
        const char *comma = i ? ", " : "";
        at += (size_t)(shape[i] >= 0
                           ? snprintf(out + at, room - at, "%s%lld", comma, (long long)shape[i])
                           : snprintf(out + at, room - at, "%s%s", comma, symbols && symbols[i] ? symbols[i] : "?"));
    }
    if (at < room) snprintf(out + at, room - at, "]");
}

static precis_status differs(precis_net *net, const pcs_port *p, const precis_array *a)
{
    char wanted[160], have[160];
    shape_text(p->dims, p->shape, p->symbol, wanted, sizeof wanted);
    shape_text(a->dims, a->shape, NULL, have, sizeof have);
    return pcs_fail(net->ctx, PRECIS_EINVAL, "input %s: is %s %s, the net takes %s %s", p->name, a->type, have,
                    p->typed ? pcs_dtype_name(p->dtype) : "?", p->shaped ? wanted : "");
}

/* Dimensions of one name have one size. */
static precis_status same_sizes(precis_net *net, const precis_array *const *given)
{
    const pcs_netfile *f = net->file;
    for (size_t i = 0; i < f->n_inputs; i++)
        for (uint32_t d = 0; d < f->inputs[i].dims; d++)
            for (size_t k = 0; k <= i && f->inputs[i].symbol[d]; k++)
                for (uint32_t e = 0; e < f->inputs[k].dims; e++) {
                    const char *other = f->inputs[k].symbol[e];
                    if (!other || strcmp(other, f->inputs[i].symbol[d]) || given[k]->shape[e] == given[i]->shape[d])
                        continue;
                    return pcs_fail(net->ctx, PRECIS_EINVAL, "dimension %s is %lld in input %s and %lld in input %s",
                                    other, (long long)given[k]->shape[e], f->inputs[k].name,
                                    (long long)given[i]->shape[d], f->inputs[i].name);
                }
    return PRECIS_OK;
}

static bool is_codes(pcs_dtype d)
{
    return pcs_dtype_bytes(d) == 1 && (pcs_domain_of(d) == PCS_IN_F32 || pcs_dtype_bits(d) < 8);
}

static precis_status check_input(precis_net *net, const pcs_port *p, const precis_array *a)
{
    uint64_t bytes = p->typed ? pcs_dtype_bytes(p->dtype) : 0;
    const bool type =
        p->typed && (!strcmp(a->type, pcs_dtype_name(p->dtype)) || (!strcmp(a->type, "U8") && is_codes(p->dtype)) ||
                     (!strcmp(a->type, "U16") && p->dtype == PCS_BF16));
    if (!type || a->dims > PCS_GRAPH_DIMS || (p->shaped && a->dims != p->dims)) return differs(net, p, a);
    for (uint32_t d = 0; d < a->dims; d++) {
        if (a->shape[d] < 0 || (p->shaped && p->shape[d] >= 0 && p->shape[d] != a->shape[d])) return differs(net, p, a);
        if (!pcs_mul_ok(bytes, (uint64_t)a->shape[d], &bytes)) return differs(net, p, a);
    }
    if (a->bytes != bytes || (bytes && !a->data))
        return pcs_fail(net->ctx, PRECIS_EINVAL, "input %s: has %llu bytes, its shape asks for %llu", p->name,
                        (unsigned long long)a->bytes, (unsigned long long)bytes);
    return PRECIS_OK;
}

/* The array of each input, and all arrays used. */
static precis_status match(precis_net *net, const precis_array *inputs, size_t n, const precis_array **given)
{
    const pcs_netfile *f = net->file;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        bool fixed;
        const precis_status st = pcs_netfile_has_value(net->file, &inputs[i], &fixed);
        if (st) return st;
        if (fixed) continue;
        while (k < f->n_inputs && strcmp(f->inputs[k].name, inputs[i].name)) k++;
        if (k == f->n_inputs)
            return pcs_fail(net->ctx, PRECIS_EINVAL, "the net has no input %s; its first is %s", inputs[i].name,
                            f->n_inputs ? f->inputs[0].name : "none");
        if (given[k]) return pcs_fail(net->ctx, PRECIS_EINVAL, "input %s is given twice", inputs[i].name);
        given[k] = &inputs[i];
    }
    for (size_t k = 0; k < f->n_inputs; k++) {
        if (!given[k]) return pcs_fail(net->ctx, PRECIS_EINVAL, "input %s is not given", f->inputs[k].name);
        const precis_status st = check_input(net, &f->inputs[k], given[k]);
        if (st) return st;
    }
    return same_sizes(net, given);
}

/* ---- running ------------------------------------------------------------------------------------ */

/* The graph is of these shapes, and of these contents where it has some. */
static bool still_fits(const precis_net *net, const precis_array *const *given)
{
    bool same = net->program != NULL;
    for (size_t i = 0; i < net->file->n_inputs && same; i++) {
        const pcs_netfile_given *g = &net->given[i];
        same = g->dims == given[i]->dims && !memcmp(g->shape, given[i]->shape, g->dims * sizeof g->shape[0]);
        if (same && net->contents[i]) same = !memcmp(net->contents[i], given[i]->data, given[i]->bytes);
    }
    return same;
}

/* Codes of 4 and 2 bits that came as U8, without a sign, get theirs back. */
static precis_status sign_codes(precis_net *net, size_t i, const precis_array **given)
{
    const pcs_dtype d = net->file->inputs[i].dtype;
    if ((d != PCS_I4 && d != PCS_I2) || strcmp(given[i]->type, "U8")) return PRECIS_OK;
    const int half = 1 << (pcs_dtype_bits(d) - 1);
    int8_t *codes = pcs_grow(net->ctx, net->codes[i], 0, given[i]->bytes + 64, 1);
    if (!codes) return PRECIS_ENOMEM;
    net->codes[i] = codes;
    for (uint64_t k = 0; k < given[i]->bytes; k++)
        codes[k] = (int8_t)(((((const uint8_t *)given[i]->data)[k] & (2 * half - 1)) ^ half) - half);
    net->signs[i] = *given[i];
    net->signs[i].data = codes;
    given[i] = &net->signs[i];
    return PRECIS_OK;
}

/* Shapes of the arrays, and copies of the contents that are asked for. */
static precis_status give(precis_net *net, const precis_array *const *given)
{
    for (size_t i = 0; i < net->file->n_inputs; i++) {
        pcs_netfile_given *g = &net->given[i];
        *g = (pcs_netfile_given){ .shaped = true, .dims = given[i]->dims };
        memcpy(g->shape, given[i]->shape, sizeof g->shape);
        if (!wanted(net->need, i)) continue;
        if (!net->contents[i] && !(net->contents[i] = pcs_alloc(net->ctx, given[i]->bytes + 64, 1)))
            return PRECIS_ENOMEM;
        if (given[i]->bytes) memcpy(net->contents[i], given[i]->data, given[i]->bytes);
        g->data = net->contents[i];
        g->bytes = given[i]->bytes;
    }
    return PRECIS_OK;
}

/* Outputs whose shape is another than the file says, once: the file is wrong about them, and who reads it is misled. */
static void warn_shapes(precis_net *net)
{
    for (size_t i = 0; i < net->file->n_outputs && !net->warned; i++) {
        const pcs_port *p = &net->file->outputs[i];
        const pcs_value *v = &net->graph.graph->values[net->graph.outputs[i]];
        bool same = !p->shaped || p->dims == v->dims;
        for (uint32_t d = 0; d < v->dims && same; d++)
            same = !p->shaped || p->shape[d] < 0 || v->shape[d] < 0 || p->shape[d] == v->shape[d];
        if (same) continue;
        pcs_warn(net->ctx, "%s: output %s has another shape than the file says", net->file->path, p->name);
        net->warned = true;
    }
}

static precis_status make(precis_net *net, const precis_array *const *given)
{
    precis_status st;
    forget(net);
    for (;;) {
        const uint64_t before = net->need;
        if ((st = give(net, given))) return st;
        st = pcs_netfile_import(net->file, net->given, &net->graph);
        net->need |= net->graph.need;
        if (!st || net->need == before) break;
    }
    if (!st) warn_shapes(net);
    if (!st) st = pcs_graph_lower(net->graph.graph);
    if (!st) st = precis_graph_pass(net->graph.graph, "raise_attention");
    if (st) return st;
    const pcs_program_options o = {
        .arithmetic = PRECIS_FAST, .context = 16, .sequences = 1, .k_type = "f32", .v_type = "f32"
    };
    return pcs_program_open(net->ctx, &net->program, net->graph.graph, &o);
}

static precis_status take_outputs(precis_net *net)
{
    const precis_graph *g = net->graph.graph;
    for (size_t i = 0; i < net->file->n_outputs; i++) {
        const precis_value id = net->graph.outputs[i];
        const pcs_value *v = &g->values[id];
        precis_array *a = &net->outputs[i];
        *a = (precis_array){ .size = sizeof *a,
                             .name = net->file->outputs[i].name,
                             .type = pcs_dtype_name(v->dtype),
                             .dims = v->dims,
                             .bytes = pcs_dtype_bytes(v->dtype) };
        for (uint32_t d = 0; d < v->dims; d++) {
            a->shape[d] = v->shape[d];
            a->bytes *= (uint64_t)v->shape[d];
        }
        a->data = pcs_value_is_known(v) ? pcs_value_host(v) : pcs_program_value(net->program, id);
        if (!a->data && a->bytes) return pcs_fail(net->ctx, PRECIS_ENOMEM, "output %s has no memory", a->name);
        const pcs_port *p = &net->file->outputs[i];
        if (p->typed && p->dtype != v->dtype)
            return pcs_fail(net->ctx, PRECIS_EFORMAT, "%s: output %s is declared as %s, but is %s",
                            net->file->path, a->name, pcs_dtype_name(p->dtype), a->type);
    }
    return PRECIS_OK;
}

precis_status precis_net_run(precis_net *net, const precis_array *inputs, size_t n, const precis_array **outputs)
{
    *outputs = NULL;
    const precis_array **given = pcs_alloc(net->ctx, net->file->n_inputs + 1, sizeof *given);
    if (!given) return PRECIS_ENOMEM;
    precis_status st = match(net, inputs, n, given);
    for (size_t i = 0; i < net->file->n_inputs && !st; i++) st = sign_codes(net, i, given);
    if (!st && !still_fits(net, given) && (st = make(net, given))) forget(net);
    for (size_t i = 0; i < net->file->n_inputs && !st; i++)
        if (!net->contents[i]) pcs_program_bind(net->program, net->graph.inputs[i], given[i]->data);
    if (!st) st = pcs_program_run(net->program);
    if (!st) st = take_outputs(net);
    if (!st) *outputs = net->outputs;
    pcs_free(net->ctx, given);
    return st;
}
