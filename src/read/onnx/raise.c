/* raise.c - what raising functions share: contents, and nodes that are computed at once when all they read is constant.
 */
#include "base/overflow.h"
#include "read/onnx/raise.h"

#include <stdio.h>

/* Few bytes of a file do not become many of memory: computed constants may take so much. A net that is made for the
 * contents of its inputs holds all of its values. */
static uint64_t most_held(const pcs_import *im)
{
    const uint64_t file = im->file_bytes < (uint64_t)1 << 48 ? im->file_bytes : (uint64_t)1 << 48;
    return (PCS_LIMIT_NET_CONSTANTS + 8 * file) * (im->eager ? 16 : 1);
}

static bool may_hold(pcs_import *im, uint64_t bytes)
{
    const uint64_t most = most_held(im);
    if (bytes > most || im->held > most - bytes) return false;
    im->held += bytes;
    return true;
}

static void *room_in(pcs_onnx_node *n, pcs_arena *arena, size_t count, size_t size)
{
    uint64_t bytes;
    if (!pcs_mul_ok(count ? count : 1, size, &bytes) || !may_hold(n->im, bytes)) {
        pcs_refuse(n, "constants would take more than %llu bytes", (unsigned long long)most_held(n->im));
        return NULL;
    }
    void *p = pcs_arena_alloc(arena, count ? count : 1, size);
    if (!p) n->im->error = PRECIS_ENOMEM;
    return p;
}

void *pcs_room(pcs_onnx_node *n, size_t count, size_t size) { return room_in(n, &n->im->arena, count, size); }
void *pcs_graph_room(pcs_onnx_node *n, size_t count, size_t size) { return room_in(n, &n->im->g->arena, count, size); }

bool pcs_failed(const pcs_onnx_node *n) { return n->im->error != PRECIS_OK; }
const pcs_value *pcs_of(const pcs_onnx_node *n, precis_value v)
{
    static const pcs_value none = { 0 }; /* of what could not be made: the node has failed */
    return v < 0 ? &none : &n->im->g->values[v];
}

static precis_value fail(pcs_onnx_node *n, precis_status status, const char *text)
{
    char what[192];
    if (pcs_failed(n)) return -1;
    snprintf(what, sizeof what, "node %s (%.*s)", n->name, (int)(n->op.n < 60 ? n->op.n : 60), n->op.s);
    n->im->error = pcs_fail_at(n->im->ctx, status, (uint64_t)(n->body.p - n->im->start), what, "%s", text);
    return -1;
}

precis_value pcs_refuse(pcs_onnx_node *n, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return fail(n, PRECIS_EUNSUPPORTED, text);
}

precis_value pcs_wrong(pcs_onnx_node *n, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return fail(n, PRECIS_EFORMAT, text);
}

precis_value pcs_in(pcs_onnx_node *n, uint32_t i)
{
    return pcs_has(n, i) ? n->in[i] : pcs_wrong(n, "input %u is left out", i);
}

/* ---- contents ----------------------------------------------------------------------------------- */

/* What is missing: the inputs that v depends on. */
static void ask(pcs_onnx_node *n, precis_value v)
{
    const pcs_netfile *file = n->im->file;
    const unsigned long long most = most_held(n->im);
    const uint64_t deps = (size_t)v < n->im->n_deps ? n->im->deps[v] : 0;
    char names[160] = "";
    size_t at = 0;
    for (size_t i = 0; i < file->n_inputs && at < sizeof names - 1; i++)
        if (deps & (uint64_t)1 << (i < 63 ? i : 63))
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%.60s", at ? ", " : "", file->inputs[i].name);
    if (!deps)
        pcs_refuse(n,
                   "%s is a constant that is not computed when the net is read, since constants would take more than "
                   "%llu bytes",
                   pcs_of(n, v)->name, most);
    else
        pcs_refuse(n, "%s depends on the contents of %s, which are not known before the net runs", pcs_of(n, v)->name,
               *names ? names : "something");
    n->im->need |= deps;
}

/* Do numbers of a file stand among them that look like ids of dimensions, and the graph has none of that id? */
static bool strays(const precis_graph *g, const int64_t *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (pcs_dim_is_id(v[i]) && (uint64_t)v[i] - (uint64_t)PCS_DIM_FIRST >= g->n_dims) return true;
    return false;
}

const int64_t *pcs_contents(pcs_onnx_node *n, precis_value v, int64_t *count)
{
    if (v < 0 || pcs_failed(n)) return NULL;
    const pcs_value *x = pcs_of(n, v);
    *count = 1;
    for (uint32_t i = 0; i < x->dims; i++) *count *= pcs_dim_is_id(x->shape[i]) ? 0 : x->shape[i];
    if (x->known && !strays(n->im->g, x->known, *count)) return x->known;
    const pcs_arg a = pcs_value_arg(x);
    if (!a.data) {
        ask(n, v);
        return NULL;
    }
    int64_t *out = pcs_room(n, (size_t)*count, sizeof *out);
    for (int64_t i = 0; out && i < *count; i++) {
        out[i] = pcs_int_at(&a, (size_t)i);
        if (strays(n->im->g, &out[i], 1)) out[i] = PCS_FAR_BELOW;
    }
    return out;
}

const pcs_value *pcs_constant(pcs_onnx_node *n, precis_value v)
{
    if (v < 0 || pcs_failed(n)) return NULL;
    if (pcs_value_host(pcs_of(n, v))) return pcs_of(n, v);
    ask(n, v);
    return NULL;
}

double pcs_constant_real(pcs_onnx_node *n, precis_value v, double dflt)
{
    const pcs_value *x = v < 0 ? NULL : pcs_constant(n, v);
    if (!x) return dflt;
    for (uint32_t i = 0; i < x->dims; i++)
        if (x->shape[i] != 1) return pcs_wrong(n, "%s is not one number", x->name), dflt;
    const pcs_arg a = pcs_value_arg(x); /* whose contents are there: pcs_constant looked */
    return pcs_real_at(&a, 0);
}

/* ---- computing at once -------------------------------------------------------------------------- */

typedef struct {
    const pcs_op *op;
    pcs_call *call;
} work;

static void region(void *arg, uint32_t ith, uint32_t nth)
{
    const work *w = arg;
    w->op->eval(w->call, ith, nth);
}

/* Codes stay codes, as precision is explicit, unless the whole net is computed for its contents. */
static bool foldable(const pcs_import *im, const pcs_node *node)
{
    const precis_graph *g = im->g;
    if (!node->op->eval || (node->op->decodes && !im->eager)) return false;
    for (uint32_t i = 0; i < node->n_in; i++)
        if (!pcs_value_host(&g->values[node->in[i]])) return false;
    for (uint32_t i = 0; i < node->n_out; i++)
        for (uint32_t k = 0; k < g->values[node->out[i]].dims; k++)
            if (pcs_dim_is_id(g->values[node->out[i]].shape[k])) return false;
    return true;
}

enum { FEW_BYTES = 512 }; /* sizes and axes, which are always computed */

/* Is there room for its results? Where not, it stays a node that is computed when the net runs. */
static bool fits(pcs_import *im, const pcs_node *node)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < node->n_out && !node->op->view; i++)
        if (!pcs_add_ok(bytes, pcs_value_bytes(&im->g->values[node->out[i]]), &bytes)) return false;
    return bytes <= FEW_BYTES || may_hold(im, bytes);
}

static int64_t count_of(const pcs_value *v)
{
    int64_t n = 1;
    for (uint32_t k = 0; k < v->dims; k++) n *= pcs_dim_is_id(v->shape[k]) ? 1 : v->shape[k];
    return n;
}

/* Run the node's op and make its results constants. */
static precis_status compute(pcs_import *im, const pcs_node *node)
{
    precis_graph *g = im->g;
    pcs_call call = { .ctx = im->ctx, .attr = node->attr, .n_in = node->n_in, .n_out = node->n_out };
    pcs_kernels kernels = pcs_kernels_for(im->ctx->cpu);
    int64_t most = 0;
    call.kernels = &kernels;
    call.in = pcs_arena_alloc(&im->arena, node->n_in + node->n_out, sizeof *call.in);
    if (!call.in) return PRECIS_ENOMEM;
    call.out = call.in + node->n_in;
    for (uint32_t i = 0; i < node->n_in; i++) call.in[i] = pcs_value_arg(&g->values[node->in[i]]);
    for (uint32_t i = 0; i < node->n_out; i++) {
        pcs_value *v = &g->values[node->out[i]];
        const int64_t n = count_of(v);
        if (n > most) most = n;
        const uint64_t bytes = pcs_value_bytes(node->op->view ? &g->values[node->in[0]] : v);
        void *data = node->op->view ? call.in[0].data : pcs_arena_alloc(&g->arena, bytes + 64, 1);
        if (!data) return PRECIS_ENOMEM;
        if (!pcs_value_keep(v, pcs_store_rows(data, bytes, PCS_KEPT_BY_GRAPH))) return PRECIS_EINVAL;
        call.out[i] = pcs_value_arg(v);
    }
    for (uint32_t i = 0; i < node->n_in; i++)
        most = pcs_arg_count(&call.in[i]) > most ? pcs_arg_count(&call.in[i]) : most;
    const uint32_t threads = most >= 4096 ? pcs_run_threads(im->ctx) : 1;
    call.scratch_size = node->op->scratch ? (node->op->scratch(&call) + 127) / 64 * 64 : 0;
    call.scratch = call.scratch_size ? pcs_alloc(im->ctx, call.scratch_size, threads) : NULL;
    if (call.scratch_size && !call.scratch) return PRECIS_ENOMEM;
    atomic_int outside = 0;
    call.outside = &outside;
    if (threads > 1) pcs_run(im->ctx, region, &(work){ node->op, &call });
    else node->op->eval(&call, 0, 1);
    pcs_free(im->ctx, call.scratch);
    if (outside) return PRECIS_EINVAL;
    for (uint32_t i = 0; i < node->n_out; i++) {
        pcs_value *v = &g->values[node->out[i]];
        v->node = -1;
        v->role = PCS_CONSTANT;
        v->known = v->dtype == PCS_I64 ? call.out[i].data : NULL;
    }
    return PRECIS_OK;
}

/* ---- what is known of elements before the net runs ------------------------------------------------ */

/* Some exporters compute shapes in I32: a few constant elements of it are known as those of I64 are. Elements that
 * would be taken for dimensions are not known. */
static void learn(pcs_import *im, precis_value id)
{
    pcs_value *v = &im->g->values[id];
    if (v->known && pcs_value_is_known(v) && strays(im->g, v->known, count_of(v))) v->known = NULL;
    const pcs_arg a = pcs_value_arg(v);
    if (v->dtype != PCS_I32 || v->known || !a.data || v->dims > 1 || count_of(v) > 64) return;
    int64_t *known = pcs_arena_alloc(&im->g->arena, (size_t)count_of(v) + 1, sizeof *known);
    for (int64_t i = 0; known && i < count_of(v); i++) known[i] = pcs_int_at(&a, (size_t)i);
    v->known = known;
}

/* Elements of an I64 or I32 result that follow from known ones. Nothing where they do not. */
static void carry(pcs_import *im, const pcs_node *node)
{
    precis_graph *g = im->g;
    pcs_value *out = &g->values[node->out[0]];
    if ((out->dtype != PCS_I64 && out->dtype != PCS_I32) || out->known) return;
    if (node->op->view) out->known = g->values[node->in[0]].known;
    const int64_t n = count_of(out);
    if (!node->op->known || n > 64) return;
    int64_t *known = pcs_arena_alloc(&g->arena, (size_t)n + 1, sizeof *known);
    for (int64_t i = 0; known && i < n; i++)
        if ((known[i] = node->op->known(g, node, i)) == PCS_DIM_ERROR) return;
    g->values[node->out[0]].known = known;
}

/* ---- making nodes ------------------------------------------------------------------------------- */

static precis_status room_for_deps(pcs_import *im)
{
    const size_t n = im->g->n_values;
    if (n <= im->n_deps) return PRECIS_OK;
    uint64_t *grown = pcs_grow(im->ctx, im->deps, im->n_deps * sizeof *grown, n * 2, sizeof *grown);
    if (!grown) return PRECIS_ENOMEM;
    memset(grown + im->n_deps, 0, (n * 2 - im->n_deps) * sizeof *grown);
    im->deps = grown;
    im->n_deps = n * 2;
    return PRECIS_OK;
}

static precis_status note_deps(pcs_import *im, const pcs_node *node)
{
    const precis_status st = room_for_deps(im);
    uint64_t deps = 0;
    if (st) return st;
    for (uint32_t i = 0; i < node->n_in; i++) deps |= im->deps[node->in[i]];
    for (uint32_t i = 0; i < node->n_out; i++) im->deps[node->out[i]] = deps;
    return PRECIS_OK;
}

/* ---- inputs ------------------------------------------------------------------------------------- */

/* Dimension i of an input: what was given, a number, or a symbol. */
static int64_t input_dim(pcs_import *im, const pcs_port *p, const pcs_netfile_given *given, uint32_t i)
{
    char own_name[160];
    if (given && given->shaped && given->shape[i] >= 0) return given->shape[i];
    if (p->shape[i] >= 0) return p->shape[i];
    snprintf(own_name, sizeof own_name, "%s.%u", p->name, i);
    return precis_graph_symbol(im->g, p->symbol[i] ? p->symbol[i] : own_name, 0);
}

precis_status pcs_import_input(pcs_import *im, size_t i, const pcs_netfile_given *given, precis_value *out)
{
    const pcs_port *p = &im->file->inputs[i];
    const bool fits = p->shaped || (given && given->shaped);
    if (!p->typed || !fits)
        return pcs_fail(im->ctx, PRECIS_EUNSUPPORTED, "%s: input %s: %s", im->file->path, p->name,
                        p->typed ? "its shape is not said" : "is no tensor of numbers");
    pcs_value v = { .name = p->name,
                    .dtype = p->dtype,
                    .role = PCS_INPUT,
                    .node = -1,
                    .dims = given && given->shaped ? given->dims : p->dims };
    for (uint32_t k = 0; k < v.dims; k++)
        if ((v.shape[k] = input_dim(im, p, given, k)) == PCS_DIM_ERROR)
            return pcs_fail(im->ctx, im->g->error, "%s", im->g->message);
    if (given && given->data) {
        im->eager = true;
        v.role = PCS_CONSTANT;
        v.store = pcs_store_rows(given->data, given->bytes, PCS_KEPT_BY_CALLER);
        v.known = v.dtype == PCS_I64 ? given->data : NULL;
    }
    *out = pcs_graph_add_value(im->g, &v);
    if (*out < 0) return pcs_fail(im->ctx, PRECIS_EFORMAT, "%s: %s", im->file->path, im->g->message);
    const precis_status st = room_for_deps(im);
    if (!st) im->deps[*out] = pcs_value_is_known(&v) ? 0 : (uint64_t)1 << (i < 63 ? i : 63);
    return st;
}

precis_status pcs_import_fixed(pcs_import *im, size_t i, precis_value *out)
{
    const size_t at = im->file->n_inputs + i;
    const pcs_port *p = &im->file->inputs[at];
    void *own = pcs_arena_alloc(&im->g->arena, 64 + sizeof p->value, 1);
    if (!own) return PRECIS_ENOMEM;
    memcpy(own, p->value, sizeof p->value);
    const pcs_netfile_given given = { .data = own, .bytes = pcs_dtype_bytes(p->dtype) };
    const bool eager = im->eager;
    const precis_status st = pcs_import_input(im, at, &given, out);
    im->eager = eager; /* one number is nothing that whole nets should be computed for */
    return st;
}

precis_value pcs_make(pcs_onnx_node *n, const char *op, const precis_attr *attrs, uint32_t count,
                      const precis_value *in)
{
    pcs_import *im = n->im;
    precis_graph *g = im->g;
    char name[128];
    if (pcs_failed(n)) return -1;
    for (uint32_t i = 0; i < count; i++)
        if (in[i] < 0) return pcs_wrong(n, "an input is left out");
    snprintf(name, sizeof name, n->made ? "%s.%u" : "%s", n->name, n->made);
    n->made++;
    for (uint32_t i = 0; i < count; i++) learn(im, in[i]);
    const precis_value v = precis_graph_node(g, name, op, attrs, count, in);
    if (v < 0) {
        const char *why = strstr(g->message, "): "); /* after the node's name, which is said here */
        return fail(n, g->error == PRECIS_EINVAL ? PRECIS_EFORMAT : g->error, why ? why + 3 : g->message);
    }
    const pcs_node *node = &g->nodes[g->values[v].node];
    for (uint32_t i = 0; i < node->n_out; i++)
        if (count_of(&g->values[node->out[i]]) > PCS_LIMIT_NET_ELEMENTS)
            return pcs_refuse(n, "gives %lld elements, more than 2^31", (long long)count_of(&g->values[node->out[i]]));
    precis_status st = note_deps(im, node);
    if (!st && foldable(im, node) && fits(im, node)) {
        st = compute(im, node);
        if (st == PRECIS_EINVAL)
            return pcs_wrong(
                n, "meets an index outside of what it takes from, or a scale that is not above zero and finite");
        g->n_nodes--;
    } else if (!st) {
        carry(im, node);
        if (n->made > 1 && im->result) st = pcs_netfile_keep_piece(im->file, im->result, n->name, v);
    }
    if (g->error || st) {
        im->error = st ? st : pcs_fail(im->ctx, g->error, "%s", g->message);
        return -1;
    }
    if (++im->steps > PCS_LIMIT_NET_NODES)
        return pcs_refuse(n, "the net unrolls to more than %d nodes", PCS_LIMIT_NET_NODES);
    return v;
}

precis_value pcs_second(pcs_onnx_node *n, precis_value v, uint32_t i)
{
    return pcs_failed(n) || v < 0 ? -1 : v + (precis_value)i; /* results stand one after another */
}

precis_value pcs_data(pcs_onnx_node *n, pcs_dtype d, uint32_t dims, const int64_t *shape, const void *data)
{
    pcs_value v = { .name = n->name, .dtype = d, .role = PCS_CONSTANT, .node = -1, .dims = dims };
    if (pcs_failed(n)) return -1;
    for (uint32_t i = 0; i < dims; i++) v.shape[i] = shape[i];
    const size_t bytes = (size_t)count_of(&v) * pcs_dtype_bytes(d);
    void *copy = pcs_graph_room(n, bytes + 64, 1);
    if (copy && bytes) memcpy(copy, data, bytes);
    v.store = pcs_store_rows(copy, bytes, PCS_KEPT_BY_GRAPH);
    v.known = d == PCS_I64 ? copy : NULL;
    const precis_value id = copy ? pcs_graph_add_value(n->im->g, &v) : -1;
    if (id < 0 && copy) n->im->error = pcs_fail(n->im->ctx, n->im->g->error, "%s", n->im->g->message);
    else if (id < 0) return -1; /* which room said */
    else if ((size_t)id < n->im->n_deps) n->im->deps[id] = 0;
    else if (note_deps(n->im, &(pcs_node){ .n_in = 0, .n_out = 0 })) n->im->error = PRECIS_ENOMEM;
    return id;
}

precis_value pcs_numbers(pcs_onnx_node *n, pcs_dtype d, double v)
{
    uint64_t room = 0;
    pcs_set_real(&(pcs_arg){ .dtype = d, .data = &room }, 0, v);
    return pcs_data(n, d, 0, NULL, &room);
}

precis_value pcs_whole(pcs_onnx_node *n, uint32_t count, const int64_t *v)
{
    const int64_t shape = count;
    return pcs_data(n, PCS_I64, 1, &shape, v);
}

precis_value pcs_as(pcs_onnx_node *n, precis_value v, pcs_dtype d)
{
    if (v < 0 || pcs_of(n, v)->dtype == d) return v;
    return pcs_make1(n, "cast", PRECIS_ATTRS(precis_attr_int("to", d)), v);
}

precis_value pcs_f32(pcs_onnx_node *n, precis_value v)
{
    if (v < 0) return v;
    const pcs_dtype d = pcs_of(n, v)->dtype;
    if (d == PCS_F32) return v;
    if (d != PCS_F16 && d != PCS_BF16 && d != PCS_F64) return pcs_refuse(n, "does not take %s", pcs_dtype_name(d));
    return pcs_as(n, v, PCS_F32);
}

precis_value pcs_shaped(pcs_onnx_node *n, precis_value v, uint32_t dims, const int64_t *shape)
{
    if (v < 0 || pcs_failed(n)) return -1;
    const pcs_value *x = pcs_of(n, v);
    bool zero = false, same = x->dims == dims;
    for (uint32_t i = 0; i < dims; i++)
        zero = zero || shape[i] == 0, same = same && i < x->dims && x->shape[i] == shape[i];
    if (same) return v;
    if (zero) { /* reshape takes 0 for "as it is": nothing is moved, so an expansion of an empty value does */
        if (count_of(x)) return pcs_wrong(n, "its elements do not fill that shape");
        return pcs_data(n, x->dtype, dims, shape, "");
    }
    return pcs_make2(n, "reshape", NULL, v, pcs_whole(n, dims, shape));
}

precis_value pcs_permuted(pcs_onnx_node *n, precis_value v, uint32_t dims, const int64_t *perm)
{
    bool same = true;
    if (v < 0 || pcs_failed(n)) return -1;
    if (pcs_of(n, v)->dims != dims) return pcs_wrong(n, "takes %u dimensions, is given %u", dims, pcs_of(n, v)->dims);
    for (uint32_t i = 0; i < dims; i++) same = same && perm[i] == i;
    return same ? v : pcs_make1(n, "transpose", PRECIS_ATTRS(precis_attr_list("perm", dims, perm)), v);
}

precis_value pcs_swapped(pcs_onnx_node *n, precis_value v)
{
    int64_t perm[PCS_GRAPH_DIMS];
    if (v < 0 || pcs_failed(n)) return -1;
    const uint32_t dims = pcs_of(n, v)->dims;
    if (dims < 2) return pcs_wrong(n, "takes matrices");
    for (uint32_t i = 0; i < dims; i++) perm[i] = i;
    perm[dims - 1] = dims - 2;
    perm[dims - 2] = dims - 1;
    return pcs_permuted(n, v, dims, perm);
}

precis_value pcs_reduced(pcs_onnx_node *n, precis_value v, const char *kind, uint32_t count, const int64_t *axes,
                         bool keep)
{
    return pcs_make1(n, "reduce",
                     PRECIS_ATTRS(precis_attr_text("kind", kind), precis_attr_list("axes", count, axes),
                                  precis_attr_int("keep", keep)),
                     v);
}

precis_value pcs_part(pcs_onnx_node *n, precis_value v, uint32_t axis, int64_t start, int64_t size)
{
    int64_t starts[PCS_GRAPH_DIMS], sizes[PCS_GRAPH_DIMS], steps[PCS_GRAPH_DIMS];
    if (v < 0 || pcs_failed(n)) return -1;
    const uint32_t dims = pcs_of(n, v)->dims;
    for (uint32_t i = 0; i < dims; i++) starts[i] = 0, sizes[i] = pcs_of(n, v)->shape[i], steps[i] = 1;
    starts[axis] = start;
    sizes[axis] = size;
    return pcs_make1(n, "slice",
                     PRECIS_ATTRS(precis_attr_list("starts", dims, starts), precis_attr_list("sizes", dims, sizes),
                                  precis_attr_list("steps", dims, steps)),
                     v);
}

precis_value pcs_joined(pcs_onnx_node *n, uint32_t count, const precis_value *v, int64_t axis)
{
    return count == 1 ? v[0] : pcs_make(n, "concat", PRECIS_ATTRS(precis_attr_int("axis", axis)), count, v);
}

precis_value pcs_unsqueezed(pcs_onnx_node *n, precis_value v, uint32_t count, const int64_t *axes)
{
    int64_t shape[PCS_GRAPH_DIMS];
    bool fresh[PCS_GRAPH_DIMS] = { false };
    if (v < 0 || pcs_failed(n)) return -1;
    const pcs_value *x = pcs_of(n, v);
    const uint32_t dims = x->dims + count;
    if (dims > PCS_GRAPH_DIMS) return pcs_refuse(n, "gives more than %d dimensions", PCS_GRAPH_DIMS);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t a = pcs_axis(axes[i], dims);
        if (a == dims || fresh[a]) return pcs_wrong(n, "axis %lld is not there, or twice", (long long)axes[i]);
        fresh[a] = true;
    }
    for (uint32_t i = 0, k = 0; i < dims; i++) shape[i] = fresh[i] ? 1 : x->shape[k++];
    return pcs_shaped(n, v, dims, shape);
}
