/* ends.c - what a graph begins and ends with: inputs, parameters, buffers,
 * constants, outputs, and sizes that come. */
#include "read/pt2/aten.h"

#include <stdio.h>

static const pcs_tree *tree(const pcs_pt2_graph *g) { return &g->net->tree; }

/* One value for weights that are one (tied). */
static precis_status add_weight(pcs_pt2_graph *g, pcs_pt2_store *s, pcs_str weight, uint32_t name, precis_value *out)
{
    pcs_value v;
    char key[64];
    uint32_t before;
    bool existed;
    precis_status st = pcs_pt2_weight(g->net, s, weight, g->im.g, &v);
    if (st) return st;
    const char *text = pcs_arena_copy(&g->im.g->arena, weight.s, weight.n);
    size_t k = (size_t)snprintf(key, sizeof key, "%p", pcs_value_host(&v));
    const char *kept = pcs_arena_copy(&g->net->arena, key, k);
    if (!text || !kept) return PRECIS_ENOMEM;
    v.name = text;
    if (pcs_value_is_known(&v) && pcs_map_get(&g->known, kept, k, &before)) {
        const pcs_value *b = &g->im.g->values[before];
        if (b->dtype == v.dtype && b->dims == v.dims && !memcmp(b->shape, v.shape, v.dims * sizeof v.shape[0])) {
            *out = (precis_value)before;
            return pcs_check_meta(g, pcs_tree_text(tree(g), name), *out);
        }
    }
    *out = pcs_graph_add_value(g->im.g, &v);
    if (*out < 0) return pcs_fail(g->im.ctx, g->im.g->error, "%s", g->im.g->message);
    st = pcs_map_put(&g->known, kept, k, (uint32_t)*out, &existed);
    return st ? st : pcs_check_meta(g, pcs_tree_text(tree(g), name), *out);
}

typedef struct {
    const pcs_netfile_given *given;
    precis_value *inputs;
    uint32_t next; /* of the file's inputs */
} ends;

/* The value of the next input of the call, whose name is given. */
static precis_status next_input(pcs_pt2_graph *g, ends *e, pcs_str name, precis_value *out)
{
    const pcs_netfile *f = &g->net->base;
    size_t i = 0;
    while (i < f->n_fixed && !pcs_str_is(name, f->inputs[f->n_inputs + i].name)) i++;
    if (i < f->n_fixed) return pcs_import_fixed(&g->im, i, out);
    const uint32_t at = e->next++;
    const precis_status st = pcs_import_input(&g->im, at, e->given ? &e->given[at] : NULL, &e->inputs[at]);
    *out = e->inputs[at];
    return st;
}

/* An input of the call: a value that comes, or a number that is part of the
 * graph. */
static precis_status user_input(pcs_pt2_graph *g, ends *e, uint32_t argument)
{
    const pcs_tree *t = tree(g);
    pcs_aten c = { .n = { .im = &g->im, .name = "input" }, .g = g, .token = argument, .self = -1 };
    pcs_str tag;
    const uint32_t v = pcs_tree_only(t, argument, &tag);
    const bool tensor = pcs_str_is(tag, "as_tensor");
    const uint32_t name = v ? pcs_tree_get(t, v, tensor ? "name" : "as_name") : 0;
    if (!name) return PRECIS_OK;
    pcs_thing thing = { .kind = PCS_IS_TENSOR };
    uint32_t id;
    int64_t count;
    precis_status st = next_input(g, e, pcs_tree_text(t, name), &thing.v);
    c.n.op = pcs_tree_text(t, name);
    c.n.body = (pcs_proto){ (const uint8_t *)t->text + t->v[name].at, NULL };
    if (!st && !tensor) { /* a number that comes: its contents */
        const int64_t *number = pcs_contents(&c.n, thing.v, &count);
        if (!number) return g->im.error;
        thing = (pcs_thing){ .kind = PCS_IS_NUMBER, .v = -1, .number = { PCS_INTEGER, *number, 0 } };
    }
    if (!st) st = pcs_add_thing(g, thing, &id);
    return st ? st : pcs_bind(g, name, id);
}

/* Parameters, buffers and constants. */
static precis_status stored_input(pcs_pt2_graph *g, uint32_t spec, pcs_str kind)
{
    static const struct {
        const char *kind, *name;
    } kinds[] = { { "parameter", "parameter_name" },
                  { "buffer", "buffer_name" },
                  { "tensor_constant", "tensor_constant_name" } };
    const pcs_tree *t = tree(g);
    size_t k = 0;
    while (k < 3 && !pcs_str_is(kind, kinds[k].kind)) k++;
    if (k == 3 && pcs_str_is(kind, "constant_input")) return PRECIS_OK; /* its value stands where it is used */
    if (k == 3)
        return pcs_tree_fail(t, spec, PRECIS_EUNSUPPORTED, "input %.*s is not supported",
                             (int)(kind.n < 60 ? kind.n : 60), kind.s);
    const uint32_t arg = pcs_tree_get(t, spec, "arg"), name = arg ? pcs_tree_get(t, arg, "name") : 0,
                   weight = pcs_tree_get(t, spec, kinds[k].name), persistent = pcs_tree_get(t, spec, "persistent");
    if (!name || !weight) return pcs_tree_fail(t, spec, PRECIS_EFORMAT, "has no name");
    const bool constant = k == 2 || (k == 1 && persistent && pcs_tree_type(t, persistent) == PCS_JSON_FALSE);
    pcs_thing thing = { .kind = PCS_IS_TENSOR };
    uint32_t id;
    precis_status st =
        add_weight(g, constant ? &g->net->constants : &g->net->weights, pcs_tree_text(t, weight), name, &thing.v);
    if (!st) st = pcs_add_thing(g, thing, &id);
    return st ? st : pcs_bind(g, name, id);
}

static precis_status all_inputs(pcs_pt2_graph *g, ends *e)
{
    const pcs_tree *t = tree(g);
    uint32_t k = g->net->inputs + 1;
    precis_status st = PRECIS_OK;
    for (uint32_t s = g->net->input_specs + 1; !st && s < pcs_tree_end(t, g->net->input_specs);
         s = pcs_tree_next(t, s), k = pcs_tree_next(t, k)) {
        pcs_str kind;
        const uint32_t spec = pcs_tree_only(t, s, &kind);
        st = pcs_str_is(kind, "user_input") ? user_input(g, e, k) : stored_input(g, spec, kind);
    }
    return st;
}

static precis_status add_output(pcs_pt2_graph *g, uint32_t i, precis_value *out)
{
    const pcs_tree *t = tree(g);
    const uint32_t token = g->net->output_tokens[i];
    pcs_aten c = { .n = { .im = &g->im }, .g = g, .token = token, .self = -1 };
    pcs_str tag;
    pcs_scalar s;
    const uint32_t v = pcs_tree_only(t, token, &tag);
    snprintf(c.n.name, sizeof c.n.name, "%s", g->net->base.outputs[i].name);
    c.n.op = (pcs_str){ "output", 6 };
    c.n.body = (pcs_proto){ (const uint8_t *)t->text + t->v[token].at, NULL };
    if (pcs_str_is(tag, "as_tensor")) {
        pcs_thing *thing = pcs_thing_of(&c, pcs_tree_get(t, v, "name"));
        *out = thing && thing->kind == PCS_IS_TENSOR ? pcs_fetch(&c, thing) : -1;
    } else if (pcs_scalar_of(&c, token, &s)) *out = pcs_scalar_value(&c, g->net->base.outputs[i].dtype, s);
    if (*out < 0 && !g->im.error) pcs_refuse(&c.n, "is no tensor and no number");
    if (!g->im.error) precis_graph_output(g->im.g, *out);
    return g->im.error;
}

/* ---- sizes that come ---------------------------------------------------------------------------- */

typedef struct {
    pcs_map names;
    int64_t values[256];
    uint32_t n;
} sizes;

static bool look(void *user, pcs_str symbol, int64_t *out)
{
    const sizes *s = user;
    uint32_t i;
    if (!pcs_map_get(&s->names, symbol.s, symbol.n, &i)) return false;
    *out = s->values[i];
    return true;
}

/* One symbol, and no expression of some. */
static bool plain(const char *symbol) { return symbol && !strpbrk(symbol, " *(-") && (*symbol < '0' || *symbol > '9'); }

static precis_status collect(const pcs_pt2 *net, const pcs_netfile_given *given, sizes *s)
{
    for (size_t i = 0; i < net->base.n_inputs; i++)
        for (uint32_t d = 0; d < net->base.inputs[i].dims && d < given[i].dims; d++) {
            const char *symbol = net->base.inputs[i].symbol[d];
            bool existed;
            if (!plain(symbol) || s->n == 256 || given[i].shape[d] < 0) continue; /* one that is left open */
            s->values[s->n] = given[i].shape[d];
            const precis_status st = pcs_map_put(&s->names, symbol, strlen(symbol), s->n, &existed);
            if (st) return st;
            s->n += !existed;
        }
    return PRECIS_OK;
}

/* A bound of a symbol; torch lets sizes of 0 and 1 through a least of up to 2
 * (torch/_export/utils.py). */
static precis_status check_bounds(pcs_pt2 *net, const sizes *s)
{
    const pcs_tree *t = &net->tree;
    const uint32_t ranges = pcs_tree_get(t, 0, "range_constraints");
    for (uint32_t k = ranges + 1; ranges && k < pcs_tree_end(t, ranges); k = pcs_tree_next(t, k)) {
        const pcs_str name = pcs_tree_text(t, k);
        int64_t least, most, have;
        if (!look((void *)(uintptr_t)s, name, &have)) continue;
        const bool low = pcs_tree_int(t, pcs_tree_get(t, k + 1, "min_val"), &least) && least > 2 && have < least,
                   high = pcs_tree_int(t, pcs_tree_get(t, k + 1, "max_val"), &most) && have > most;
        if (low || high)
            return pcs_fail(net->ctx, PRECIS_EINVAL, "dimension %.*s is %lld, the net takes at %s %lld",
                            (int)(name.n < 60 ? name.n : 60), name.s, (long long)have, low ? "least" : "most",
                            (long long)(low ? least : most));
    }
    return PRECIS_OK;
}

/* Sizes that come fit the symbols' bounds, and expressions of them. */
static precis_status check_sizes(pcs_pt2 *net, const pcs_netfile_given *given)
{
    sizes s = { .n = 0 };
    pcs_pt2_meta m;
    pcs_map_init(&s.names, net->ctx);
    precis_status st = collect(net, given, &s);
    for (size_t i = 0; i < net->base.n_inputs && !st; i++) {
        const pcs_port *p = &net->base.inputs[i];
        uint32_t meta;
        if (!pcs_map_get(&net->metas, p->name, strlen(p->name), &meta) ||
            pcs_pt2_read_meta(&net->tree, meta, false, &m))
            continue;
        for (uint32_t d = 0; d < p->dims && d < given[i].dims && !st; d++) {
            int64_t want;
            if (!p->symbol[d] || plain(p->symbol[d]) || given[i].shape[d] < 0 ||
                !pcs_pt2_symbol_value(&net->tree, m.size[d], look, &s, &want) || want == given[i].shape[d])
                continue;
            st = pcs_fail(net->ctx, PRECIS_EINVAL, "input %s: dimension %u is %lld, and %s is %lld", p->name, d,
                          (long long)given[i].shape[d], p->symbol[d], (long long)want);
        }
    }
    if (!st) st = check_bounds(net, &s);
    pcs_map_free(&s.names);
    return st;
}

precis_status pcs_pt2_import(pcs_netfile *file, const pcs_netfile_given *given, pcs_netfile_graph *out)
{
    pcs_pt2 *net = (pcs_pt2 *)file;
    pcs_pt2_graph g = { .im = { .file = file, .start = net->start, .ctx = net->ctx, .g = out->graph,
                               .result = out, .file_bytes = net->file.size },
                        .net = net,
                        .metas = &net->metas };
    pcs_map names;
    ends e = { .given = given, .inputs = out->inputs };
    const pcs_tree *t = &net->tree;
    pcs_map_init(&names, net->ctx);
    pcs_map_init(&g.known, net->ctx);
    pcs_arena_init(&g.im.arena, net->ctx);
    g.names = &names;
    net->ctx->file = t->file;
    precis_status st = given ? check_sizes(net, given) : PRECIS_OK;
    if (!st) st = all_inputs(&g, &e);
    for (uint32_t k = net->nodes + 1; k < pcs_tree_end(t, net->nodes) && !st; k = pcs_tree_next(t, k))
        st = pcs_call_aten(&g, k);
    for (uint32_t i = 0; i < file->n_outputs && !st; i++) st = add_output(&g, i, &out->outputs[i]);
    out->need = g.im.need;
    pcs_map_free(&names);
    pcs_map_free(&g.known);
    pcs_arena_free(&g.im.arena);
    pcs_free(net->ctx, g.im.deps);
    pcs_free(net->ctx, g.things);
    return st;
}
