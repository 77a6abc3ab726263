/* import.c - torch's graph becomes ours: its calls, one after another, and what
 * in-place ops and views do to names.
 *
 * Storage has versions. A view keeps what it was taken of; an op in place gives
 * its storage a new value (through views, what they were taken of gets the part
 * put back: copy_ into a slice is slice_scatter), and a view that is read after
 * that is taken anew. So the graph of ours has single assignment, and no op in
 * place. */
#include "read/pt2/aten.h"

#include <stdio.h>

static const pcs_tree *tree(const pcs_pt2_graph *g) { return &g->net->tree; }

/* ---- names -------------------------------------------------------------------------------------- */

precis_status pcs_bind(pcs_pt2_graph *g, uint32_t name_token, uint32_t thing)
{
    const pcs_str s = pcs_tree_text(tree(g), name_token);
    bool existed;
    const precis_status st = pcs_map_put(g->names, s.s, s.n, thing, &existed);
    if (!st && existed)
        return pcs_tree_fail(tree(g), name_token, PRECIS_EFORMAT, "value %.*s is made twice",
                             (int)(s.n < 80 ? s.n : 80), s.s);
    return st;
}

/* A new thing, which is its own root. */
precis_status pcs_add_thing(pcs_pt2_graph *g, pcs_thing with, uint32_t *out)
{
    if (g->n_things == g->cap_things) {
        const uint32_t cap = g->cap_things ? g->cap_things * 2 : 256;
        pcs_thing *grown = pcs_grow(g->im.ctx, g->things, g->n_things * sizeof *grown, cap, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        g->things = grown;
        g->cap_things = cap;
    }
    *out = g->n_things;
    with.root = with.parent = *out;
    g->things[g->n_things++] = with;
    return PRECIS_OK;
}

pcs_thing *pcs_thing_of(pcs_aten *c, uint32_t name_token)
{
    const pcs_str s = pcs_tree_text(tree(c->g), name_token);
    uint32_t i;
    if (pcs_map_get(c->g->names, s.s, s.n, &i)) return &c->g->things[i];
    pcs_wrong(&c->n, "takes %.*s, which nothing before it makes", (int)(s.n < 80 ? s.n : 80), s.s);
    return NULL;
}

/* ---- a call ------------------------------------------------------------------------------------- */

/* The row's list of arguments, and which of them the graph gives. */
static void read_args(pcs_aten *c)
{
    const pcs_tree *t = tree(c->g);
    for (const char *p = c->row->args; *p;) {
        const size_t n = strcspn(p, " "), equals = strcspn(p, "= ");
        struct pcs_aten_arg *a = &c->args[c->n_args++];
        *a = (struct pcs_aten_arg){ .name = { p, equals } };
        if (equals < n) a->usual = (pcs_str){ p + equals + 1, n - equals - 1 };
        p += n + (p[n] == ' ');
    }
    const uint32_t list = pcs_tree_get(t, c->token, "inputs");
    for (uint32_t k = list + 1; list && k < pcs_tree_end(t, list); k = pcs_tree_next(t, k)) {
        const uint32_t name = pcs_tree_get(t, k, "name"), arg = pcs_tree_get(t, k, "arg");
        if (!name || !arg) {
            pcs_wrong(&c->n, "an argument has no name, or no value");
            return;
        }
        uint32_t i = 0;
        while (i < c->n_args && !pcs_str_same(c->args[i].name, pcs_tree_text(t, name))) i++;
        if (i < c->n_args) c->args[i].token = arg;
        else if (i < PCS_ATEN_ARGS) { /* one that says where and how results lie, or
                                         is not known: seen to after the call */
            c->args[c->n_args++] = (struct pcs_aten_arg){ .name = pcs_tree_text(t, name), .token = arg };
        }
    }
}

/* What a function does not ask for is its default, or says only where results
 * lie. */
static void check_args(pcs_aten *c)
{
    static const char *const harmless[] = { "device",    "pin_memory",  "non_blocking",       "memory_format",
                                            "copy",      "implicit",    "cudnn_enabled",      "cudnn_enable",
                                            "sparse",    "sparse_grad", "scale_grad_by_freq", "path",
                                            "generator", "benchmark",   "deterministic",      "allow_tf32" };
    for (uint32_t i = 0; i < c->n_args && !pcs_failed(&c->n); i++) {
        const struct pcs_aten_arg *a = &c->args[i];
        const pcs_str name = a->name;
        pcs_str tag;
        bool fine = a->used || !a->token;
        for (size_t k = 0; k < sizeof harmless / sizeof *harmless && !fine; k++) fine = pcs_str_is(name, harmless[k]);
        if (fine) continue;
        const uint32_t v = pcs_tree_only(tree(c->g), a->token, &tag);
        const pcs_str text = v ? pcs_tree_text(tree(c->g), v) : (pcs_str){ "", 0 };
        if (pcs_str_is(tag, "as_none") || (v && pcs_str_is(name, "layout") && pcs_str_is(text, "7"))) continue;
        pcs_scalar s;
        if (v && a->usual.n && pcs_scalar_of(c, a->token, &s)) {
            const pcs_scalar usual = pcs_scalar_from_text(a->usual);
            if (s.kind == PCS_NUMBER ? s.r == (usual.kind == PCS_NUMBER ? usual.r : (double)usual.i)
                                     : (double)s.i == (usual.kind == PCS_NUMBER ? usual.r : (double)usual.i))
                continue;
        }
        if (pcs_str_is(tag, "as_string") && pcs_str_same(text, pcs_unquoted(a->usual))) continue;
        pcs_refuse(&c->n, "argument %.*s is not supported with this value", (int)(name.n < 60 ? name.n : 60), name.s);
    }
}

/* Names of results: one as_tensor each, or one list. */
static precis_status read_results(pcs_pt2_graph *g, uint32_t token, uint32_t **names, uint32_t *n)
{
    const pcs_tree *t = tree(g);
    const uint32_t list = pcs_tree_get(t, token, "outputs");
    *n = 0;
    if (!list || pcs_tree_type(t, list) != PCS_JSON_ARRAY)
        return pcs_tree_fail(t, token, PRECIS_EFORMAT, "has no outputs");
    uint32_t most = 0;
    for (uint32_t k = list + 1; k < pcs_tree_end(t, list); k = pcs_tree_next(t, k)) {
        pcs_str tag;
        const uint32_t v = pcs_tree_only(t, k, &tag);
        most += v && pcs_tree_type(t, v) == PCS_JSON_ARRAY ? pcs_tree_count(t, v) : 1;
    }
    if (!(*names = pcs_arena_alloc(&g->im.arena, most + 1, sizeof **names))) return PRECIS_ENOMEM;
    for (uint32_t k = list + 1; k < pcs_tree_end(t, list); k = pcs_tree_next(t, k)) {
        pcs_str tag;
        const uint32_t v = pcs_tree_only(t, k, &tag);
        if (!v) return pcs_tree_fail(t, k, PRECIS_EFORMAT, "is no result");
        if (pcs_str_is(tag, "as_tensors"))
            for (uint32_t i = v + 1; i < pcs_tree_end(t, v); i = pcs_tree_next(t, i))
                (*names)[(*n)++] = pcs_tree_get(t, i, "name");
        else if (pcs_str_is(tag, "as_tensor")) (*names)[(*n)++] = pcs_tree_get(t, v, "name");
        else if (pcs_tree_type(t, v) == PCS_JSON_OBJECT) (*names)[(*n)++] = pcs_tree_get(t, v, "as_name");
        else (*names)[(*n)++] = 0;
    }
    return PRECIS_OK;
}

static bool unused(pcs_str s)
{
    const char tail[] = "_unused_";
    for (size_t i = 0; i + sizeof tail - 1 < s.n; i++)
        if (!memcmp(s.s + i, tail, sizeof tail - 1)) return true;
    return false;
}

/* The call as its row's function sees it. */
static precis_status open_call(pcs_pt2_graph *g, uint32_t token, pcs_aten *c, uint32_t **names)
{
    const pcs_tree *t = tree(g);
    const uint32_t target = pcs_tree_get(t, token, "target"), own = pcs_tree_get(t, token, "name");
    *c = (pcs_aten){ .n = { .im = &g->im, .version = PCS_ONNX_NEWEST }, .g = g, .token = token, .self = -1 };
    c->n.body = (pcs_proto){ (const uint8_t *)t->text + t->v[token].at, (const uint8_t *)t->text + t->v[token].at };
    const precis_status st = read_results(g, token, names, &c->n.n_out);
    if (st) return st;
    c->n.op = pcs_tree_text(t, target);
    c->n.out = pcs_arena_alloc(&g->im.arena, c->n.n_out + 1, sizeof *c->n.out);
    c->n.out_names = pcs_arena_alloc(&g->im.arena, c->n.n_out + 1, sizeof *c->n.out_names);
    if (!c->n.out || !c->n.out_names) return PRECIS_ENOMEM;
    pcs_str name = own && pcs_tree_type(t, own) == PCS_JSON_STRING ? pcs_tree_text(t, own) : (pcs_str){ "", 0 };
    for (uint32_t i = 0; i < c->n.n_out; i++) {
        c->n.out[i] = -1;
        if (!(*names)[i]) continue;
        const pcs_str s = pcs_tree_text(t, (*names)[i]);
        if (!name.n) name = s;
        if (!unused(s)) c->n.out_names[i] = s;
    }
    const size_t k = name.n < sizeof c->n.name - 1 ? name.n : sizeof c->n.name - 1;
    memcpy(c->n.name, name.s, k);
    c->n.name[k] = 0;
    return PRECIS_OK;
}

static precis_status run_row(pcs_aten *c)
{
    read_args(c);
    if (!pcs_failed(&c->n)) c->row->raise(c);
    check_args(c);
    return c->n.im->error;
}

/* ---- views -------------------------------------------------------------------------------------- */

static pcs_thing *at(pcs_pt2_graph *g, uint32_t i) { return &g->things[i]; }

/* Take a view again, of what it was taken of as that is now. */
static precis_value again(pcs_aten *by, pcs_thing *t)
{
    pcs_pt2_graph *g = by->g;
    const uint32_t me = (uint32_t)(t - g->things);
    pcs_aten c;
    uint32_t *names;
    bool in_place;
    const precis_value base = pcs_fetch(by, at(g, t->parent));
    if (base < 0) return -1;
    t = at(g, me);
    precis_status st = open_call(g, t->token, &c, &names);
    if (!st) {
        c.row = pcs_aten_row_of(pcs_aten_short(c.n.op), &in_place);
        c.self = base;
        c.n.made = 1000 + at(g, t->root)->version; /* names of nodes differ from the first time's */
        st = run_row(&c);
    }
    if (st) return g->im.error = st, -1;
    t->v = c.n.out[t->part];
    t->version = at(g, t->root)->version;
    return t->v;
}

precis_value pcs_fetch(pcs_aten *c, pcs_thing *t)
{
    pcs_pt2_graph *g = c->g;
    if (t->v < 0) return pcs_refuse(&c->n, "takes a result that is not made here");
    if (t->lost || (t->either && t->version != at(g, t->root)->version))
        return pcs_refuse(&c->n, "reads a tensor that may share its storage with one that was "
                                 "written in place: "
                                 "whether it does depends on strides; use clone() in the net");
    if (t->root == (uint32_t)(t - g->things) || t->version == at(g, t->root)->version) return t->v;
    if (g->depth > PCS_LIMIT_NET_DEPTH)
        return pcs_refuse(&c->n, "views of views nest deeper than %d", PCS_LIMIT_NET_DEPTH);
    g->depth++;
    const precis_value v = again(c, t);
    g->depth--;
    return v;
}

/* Give a thing a new value, and with it what it shows. */
static void store(pcs_aten *c, uint32_t i, precis_value w)
{
    pcs_pt2_graph *g = c->g;
    if (w < 0 || pcs_failed(&c->n)) return;
    pcs_thing *t = at(g, i);
    if (t->root == i) {
        t->v = w;
        t->version++;
        return;
    }
    if (t->either) { /* on its own from now on; what it may have shared storage
                        with is not known any more */
        const uint32_t root = t->root;
        for (uint32_t k = 0; k < g->n_things; k++)
            if (k != i && at(g, k)->root == root) at(g, k)->lost = true;
        t->root = t->parent = i;
        t->either = false;
        t->version = 0;
        t->v = w;
        return;
    }
    pcs_aten view;
    uint32_t *names;
    bool in_place;
    const precis_value base = pcs_fetch(c, at(g, t->parent));
    precis_status st = base < 0 ? g->im.error : open_call(g, at(g, i)->token, &view, &names);
    if (st) {
        g->im.error = st;
        return;
    }
    t = at(g, i);
    view.row = pcs_aten_row_of(pcs_aten_short(view.n.op), &in_place);
    if (!view.row->back) {
        pcs_refuse(&c->n, "writes through a view made by %s, which cannot be put back", view.row->target);
        return;
    }
    view.self = base;
    view.part = t->part;
    view.n.made = 2000 + at(g, t->root)->version;
    read_args(&view);
    const precis_value whole = view.row->back(&view, base, w);
    if (g->depth > PCS_LIMIT_NET_DEPTH) {
        pcs_refuse(&c->n, "views of views nest deeper than %d", PCS_LIMIT_NET_DEPTH);
        return;
    }
    g->depth++;
    store(c, t->parent, whole);
    g->depth--;
    t = at(g, i);
    t->v = w;
    t->version = at(g, t->root)->version;
}

/* ---- results ------------------------------------------------------------------------------------ */

/* What the archive says of a value is what it is. */
precis_status pcs_check_meta(pcs_pt2_graph *g, pcs_str name, precis_value v)
{
    uint32_t meta;
    pcs_pt2_meta m;
    const pcs_tree *t = tree(g);
    const pcs_value *x = &g->im.g->values[v];
    if (!pcs_map_get(g->metas, name.s, name.n, &meta)) return PRECIS_OK;
    const precis_status st = pcs_pt2_read_meta(t, meta, false, &m);
    if (st) return st;
    bool same = m.dtype == x->dtype;
    uint32_t i = 0, d = 0; /* but for ones: torch 2.9 and 2.11 give the states of an LSTM one too many */
    while (same && (i < m.dims || d < x->dims)) {
        if (i < m.dims && m.shape[i] == 1 && !(d < x->dims && x->shape[d] == 1)) i++;
        else if (d < x->dims && x->shape[d] == 1 && !(i < m.dims && m.shape[i] < 2)) d++;
        else {
            same = i < m.dims && d < x->dims &&
                   (m.shape[i] < 0 || pcs_dim_is_id(x->shape[d]) || m.shape[i] == x->shape[d]);
            i++, d++;
        }
    }
    if (same) return PRECIS_OK;
    char text[200];
    size_t k = (size_t)snprintf(text, sizeof text, "%s [", pcs_dtype_name(x->dtype));
    for (d = 0; d < x->dims && k < sizeof text; d++)
        k += (size_t)snprintf(text + k, sizeof text - k, "%s%lld", d ? ", " : "", (long long)x->shape[d]);
    return pcs_tree_fail(t, meta, PRECIS_EFORMAT, "value %.*s is %s], which the archive describes otherwise",
                         (int)(name.n < 80 ? name.n : 80), name.s, text);
}

/* The name that the first argument has; .n 0: none. */
static pcs_str first_name(const pcs_aten *c)
{
    const pcs_tree *t = tree(c->g);
    pcs_str tag;
    const uint32_t v = c->n_args && c->args[0].token ? pcs_tree_only(t, c->args[0].token, &tag) : 0,
                   name = v && pcs_str_is(tag, "as_tensor") ? pcs_tree_get(t, v, "name") : 0;
    return name ? pcs_tree_text(t, name) : (pcs_str){ "", 0 };
}

/* The thing that the first argument names; UINT32_MAX: none. */
static uint32_t first_thing(const pcs_aten *c)
{
    const pcs_str s = first_name(c);
    uint32_t i;
    return s.n && pcs_map_get(c->g->names, s.s, s.n, &i) ? i : UINT32_MAX;
}

/* The archive says that a value lies row by row without gaps. */
static bool is_dense(const pcs_pt2_graph *g, pcs_str name)
{
    uint32_t meta;
    pcs_pt2_meta m;
    int64_t stride = 1;
    const pcs_tree *t = tree(g);
    if (!pcs_map_get(g->metas, name.s, name.n, &meta)) return false;
    for (uint32_t k = pcs_tree_get(t, meta, "strides"), i = k + 1; k && i < pcs_tree_end(t, k); i = pcs_tree_next(t, i))
        if (!pcs_tree_get(t, i, "as_int")) return false;
    if (pcs_pt2_read_meta(t, meta, true, &m)) return false;
    for (uint32_t d = m.dims; d-- > 0; stride *= m.shape[d] < 1 ? 1 : m.shape[d] & 0x7fffffff)
        if (m.shape[d] != 1 && m.stride[d] != stride) return false;
    return true;
}

static precis_status bind_result(pcs_aten *c, uint32_t i, uint32_t name, uint32_t self)
{
    pcs_pt2_graph *g = c->g;
    pcs_thing t = { .kind = PCS_IS_TENSOR, .v = c->n.out[i] };
    uint32_t thing;
    const pcs_str text = pcs_tree_text(tree(g), name);
    if (t.v < 0 && c->number.kind) t = (pcs_thing){ .kind = PCS_IS_NUMBER, .v = -1, .number = c->number };
    precis_status st = t.v < 0 ? PRECIS_OK : pcs_check_meta(g, text, t.v);
    if (!st) st = pcs_add_thing(g, t, &thing); /* one that is not made is an error of who takes it */
    /* another type is another storage */
    const bool shares = c->row->shares == PCS_VIEW ||
                        (c->row->shares == PCS_EITHER && self != UINT32_MAX && (c->row->back || t.v == at(g, self)->v));
    if (!st && t.v >= 0 && t.kind == PCS_IS_TENSOR && shares && self != UINT32_MAX) {
        pcs_thing *new = at(g, thing);
        new->root = at(g, self)->root;
        new->parent = self;
        new->token = c->token;
        new->part = i;
        new->version = at(g, new->root)->version;
        new->either = c->row->shares == PCS_EITHER && c->row->back && !is_dense(g, first_name(c)) &&
                      (new->v != at(g, self)->v || c->row->raise == pcs_aten_contiguous);
    }
    if (!st && t.v >= 0 && !g->depth) st = pcs_netfile_keep_name(g->im.file, g->im.result, text, t.v);
    return st ? st : pcs_bind(g, name, thing);
}

static precis_status call_row(pcs_aten *c, const uint32_t *names, bool in_place)
{
    pcs_pt2_graph *g = c->g;
    precis_status st = run_row(c);
    const uint32_t self = first_thing(c);
    if (st || !in_place) {
        for (uint32_t i = 0; i < c->n.n_out && !st; i++)
            if (names[i]) st = bind_result(c, i, names[i], self);
        return st;
    }
    if (self == UINT32_MAX || at(g, self)->kind != PCS_IS_TENSOR || c->n.n_out != 1 || c->n.out[0] < 0) {
        pcs_refuse(&c->n, "writes into something that is no tensor");
        return g->im.error;
    }
    const pcs_value old = *pcs_of(&c->n, pcs_fetch(c, at(g, self)));
    precis_value w = pcs_as(&c->n, c->n.out[0], old.dtype);
    if (w >= 0) w = pcs_spread_to(c, w, old.dims, old.shape);
    store(c, self, w);
    if (!g->im.error && names[0] && !g->depth && w >= 0)
        g->im.error = pcs_netfile_keep_name(g->im.file, g->im.result, pcs_tree_text(tree(g), names[0]), w);
    return g->im.error ? g->im.error : names[0] ? pcs_bind(g, names[0], self) : PRECIS_OK;
}

precis_status pcs_call_aten(pcs_pt2_graph *g, uint32_t token)
{
    pcs_aten c;
    uint32_t *names;
    bool in_place;
    if (!pcs_tree_get(tree(g), token, "target")) return pcs_tree_fail(tree(g), token, PRECIS_EFORMAT, "has no target");
    precis_status st = open_call(g, token, &c, &names);
    if (st) return st;
    c.row = pcs_aten_row_of(pcs_aten_short(c.n.op), &in_place);
    if (!c.row) {
        pcs_refuse(&c.n, "this op is not supported");
        return g->im.error;
    }
    st = c.row->raise == pcs_aten_inline
             ? (read_args(&c), c.row->raise(&c), g->im.error ? g->im.error : pcs_inline_graph(&c, names))
             : call_row(&c, names, in_place);
    if (!st && ++g->im.nodes > PCS_LIMIT_NET_NODES)
        st = pcs_fail(g->im.ctx, PRECIS_EFORMAT, "%s: has more than %d calls", g->net->file.path, PCS_LIMIT_NET_NODES);
    if (!st && g->im.nodes % 256 == 0) st = pcs_progress(g->im.ctx, "import", g->im.nodes, 0);
    return st;
}
