/* emit.c - names, initializers, dimensions and nodes of an ONNX file in the making. */
#include "graph/reason.h"
#include "read/onnx/onnx.h"
#include "write/onnx/lower.h"

#include <stdio.h>

int64_t pcs_onnx_type(pcs_dtype d)
{
    pcs_dtype other;
    for (int64_t id = 1; id < 64; id++)
        if (pcs_onnx_dtype(id, &other) && other == d) return id;
    return 0;
}

const char *pcs_word_of(const char *const (*pairs)[2], const char *ours)
{
    while ((*pairs)[0] && strcmp((*pairs)[0], ours)) pairs++;
    return (*pairs)[1];
}

precis_status pcs_cannot(pcs_lowering *w, const pcs_node *n, const char *fmt, ...)
{
    char text[PCS_REASON];
    va_list ap;
    va_start(ap, fmt);
    pcs_node_reason(text, n, "", fmt, ap);
    va_end(ap);
    return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "%s, so no ONNX file can be written of it", text);
}

void pcs_needs_opset(pcs_lowering *w, int64_t opset)
{
    if (opset > w->opset) w->opset = opset;
}

/* ---- the graph ---------------------------------------------------------------------------------- */

const pcs_node *pcs_maker(const pcs_lowering *w, precis_value v)
{
    const int32_t at = v < 0 ? -1 : pcs_v(w, v)->node;
    return at < 0 ? NULL : &w->g->nodes[at];
}

const pcs_node *pcs_alone(const pcs_lowering *w, precis_value v, const pcs_op *op)
{
    const pcs_node *n = pcs_maker(w, v);
    if (!n || n->op != op || w->uses[v] != 1 || pcs_v(w, v)->output || w->taken_node[n - w->g->nodes]) return NULL;
    return n;
}

void pcs_take(pcs_lowering *w, const pcs_node *n) { w->taken_node[n - w->g->nodes] = true; }

static int64_t count_of(uint32_t dims, const int64_t *shape)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < dims; i++) n *= shape[i];
    return n;
}

bool pcs_is_scalar(const pcs_lowering *w, precis_value v)
{
    const pcs_value *x = pcs_v(w, v);
    return pcs_value_is_known(x) && count_of(x->dims, x->shape) == 1;
}

/* ---- names -------------------------------------------------------------------------------------- */

static const char *fresh(pcs_lowering *w, pcs_map *taken, const char *like)
{
    bool existed;
    const char *name = pcs_arena_copy(&w->arena, like, strlen(like));
    for (unsigned i = 1; name; name = pcs_arena_printf(&w->arena, "%s_%u", like, i++)) {
        if (pcs_map_put(taken, name, strlen(name), 1, &existed)) return NULL;
        if (!existed && *name) return name;
    }
    return NULL;
}

const char *pcs_fresh_name(pcs_lowering *w, const char *like) { return fresh(w, &w->taken, like); }

const char *pcs_initializer(pcs_lowering *w, const char *like, pcs_dtype d, uint32_t dims, const int64_t *shape,
                            const void *data)
{
    if (!data) return NULL;
    if (w->n_initializers == w->cap_initializers) {
        const size_t cap = w->cap_initializers * 2 + 64;
        pcs_made_initializer *grown =
            pcs_grow(w->ctx, w->initializers, w->n_initializers * sizeof *grown, cap, sizeof *grown);
        if (!grown) return NULL;
        w->initializers = grown;
        w->cap_initializers = cap;
    }
    pcs_made_initializer *t = &w->initializers[w->n_initializers];
    *t = (pcs_made_initializer){ pcs_fresh_name(w, like), d, dims, { 0 }, data };
    for (uint32_t i = 0; i < dims; i++) t->shape[i] = shape[i];
    if (t->name) w->n_initializers++;
    return t->name;
}

const char *pcs_longs(pcs_lowering *w, const char *like, uint32_t n, const int64_t *v)
{
    int64_t *copy = pcs_arena_alloc(&w->arena, n ? n : 1, sizeof *copy);
    const int64_t shape = n;
    if (!copy) return NULL;
    if (n) memcpy(copy, v, n * sizeof *v);
    return pcs_initializer(w, like, PCS_I64, 1, &shape, copy);
}

const char *pcs_number(pcs_lowering *w, const char *like, pcs_dtype d, double v)
{
    void *room = pcs_arena_alloc(&w->arena, 8, 1);
    if (!room) return NULL;
    pcs_set_real(&(pcs_arg){ .dtype = d, .data = room }, 0, v);
    return pcs_initializer(w, like, d, 0, NULL, room);
}

/* A constant shape may hold dimensions that have no size. */
static bool holds_symbols(const pcs_value *v)
{
    if (v->dtype != PCS_I64 || v->dims > 1 || !v->known) return false;
    for (int64_t i = 0; i < count_of(v->dims, v->shape); i++)
        if (pcs_dim_is_id(v->known[i])) return true;
    return false;
}

const char *pcs_result_name(pcs_lowering *w, precis_value v)
{
    if (!w->names[v]) w->names[v] = pcs_fresh_name(w, *pcs_v(w, v)->name ? pcs_v(w, v)->name : "value");
    return w->names[v];
}

const char *pcs_name(pcs_lowering *w, precis_value v)
{
    const pcs_value *x = pcs_v(w, v);
    const char *like = *x->name ? x->name : "constant";
    if (w->names[v] || !pcs_value_is_known(x)) return pcs_result_name(w, v);
    if (holds_symbols(x)) w->names[v] = pcs_sizes(w, like, (uint32_t)count_of(x->dims, x->shape), x->known);
    else w->names[v] = pcs_initializer(w, like, x->dtype, x->dims, x->shape, pcs_value_host(x));
    return w->names[v];
}

/* ---- dimensions --------------------------------------------------------------------------------- */

static const char *dim_name(pcs_lowering *w, int64_t d);

static const char *two(pcs_lowering *w, const char *op, const char *like, const char *a, const char *b)
{
    return a && b ? pcs_emit_one(w, op, like, 2, (const char *const[]){ a, b }, NULL) : NULL;
}

/* A symbol is the size of some dimension of an input. */
static const char *symbol_name(pcs_lowering *w, int64_t id, const pcs_dim *d)
{
    for (size_t i = 0; i < w->what->n_inputs; i++) {
        const pcs_value *x = pcs_v(w, w->what->inputs[i].value);
        for (uint32_t k = 0; k < x->dims; k++) {
            if (x->shape[k] != id) continue;
            const char *in = pcs_name(w, w->what->inputs[i].value), *like = d->name && *d->name ? d->name : "size";
            const char *shape = in ? pcs_emit_one(w, "Shape", like, 1, &in, NULL) : NULL;
            const char *at = shape ? pcs_longs(w, like, 1, (const int64_t[]){ k }) : NULL;
            return two(w, "Gather", like, shape, at);
        }
    }
    w->error =
        pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "dimension %s is no dimension of an input", d->name ? d->name : "?");
    return NULL;
}

static const char *expression(pcs_lowering *w, const pcs_dim *d)
{
    const char *x = dim_name(w, d->a);
    if (d->kind == PCS_DIM_SUM) return two(w, "Add", "size", x, dim_name(w, d->b));
    if (d->kind == PCS_DIM_LEAST) return two(w, "Min", "size", x, dim_name(w, d->b));
    if (d->kind == PCS_DIM_PRODUCT) return two(w, "Mul", "size", x, dim_name(w, d->b));
    if (d->mul != 1) x = two(w, "Mul", "size", x, pcs_longs(w, "size", 1, &d->mul));
    if (d->add) x = two(w, "Add", "size", x, pcs_longs(w, "size", 1, &d->add));
    if (d->div != 1) x = two(w, "Div", "size", x, pcs_longs(w, "size", 1, &d->div));
    return x;
}

static const char *dim_name(pcs_lowering *w, int64_t d)
{
    if (!pcs_dim_is_id(d)) return pcs_longs(w, "size", 1, &d);
    const size_t i = (size_t)(d - PCS_DIM_FIRST);
    if (!w->dims[i])
        w->dims[i] =
            w->g->dims[i].kind == PCS_DIM_SYMBOL ? symbol_name(w, d, &w->g->dims[i]) : expression(w, &w->g->dims[i]);
    return w->dims[i];
}

const char *pcs_sizes(pcs_lowering *w, const char *like, uint32_t n, const int64_t *dims)
{
    const char *parts[PCS_GRAPH_DIMS * 8];
    bool open = false;
    for (uint32_t i = 0; i < n; i++) open = open || pcs_dim_is_id(dims[i]);
    if (!open) return pcs_longs(w, like, n, dims);
    if (n > PCS_GRAPH_DIMS * 8) return NULL;
    for (uint32_t i = 0; i < n; i++)
        if (!(parts[i] = dim_name(w, dims[i]))) return NULL;
    return pcs_emit_one(w, "Concat", like, n, parts, PRECIS_ATTRS(precis_attr_int("axis", 0)));
}

/* ---- nodes -------------------------------------------------------------------------------------- */

static precis_status put_attr(pcs_buf *b, const precis_attr *a)
{
    precis_status st = pcs_put_text(b, 1, a->name);
    if (st) return st;
    switch (a->kind) {
    case PRECIS_ATTR_INT: st = pcs_put_varint(b, 3, (uint64_t)a->integer); break;
    case PRECIS_ATTR_REAL: st = pcs_put_float(b, 2, (float)a->real); break;
    case PRECIS_ATTR_TEXT: st = pcs_put_text(b, 4, a->text); break;
    default:
        for (uint32_t i = 0; i < a->n && !st; i++) st = pcs_put_varint(b, 8, (uint64_t)a->list[i]);
    }
    const uint64_t type = a->kind == PRECIS_ATTR_INT    ? 2
                          : a->kind == PRECIS_ATTR_REAL ? 1
                          : a->kind == PRECIS_ATTR_TEXT ? 3
                                                        : 7;
    return st ? st : pcs_put_varint(b, 20, type);
}

static precis_status put_list(pcs_buf *b, const pcs_made_list *l)
{
    precis_status st = pcs_put_text(b, 1, l->name);
    for (uint32_t i = 0; i < l->n && !st; i++)
        st = l->reals ? pcs_put_float(b, 7, l->reals[i]) : pcs_put_text(b, 9, l->texts[i]);
    return st ? st : pcs_put_varint(b, 20, l->reals ? 6 : 8);
}

static precis_status put_attrs(pcs_lowering *w, pcs_buf *to, const pcs_made_node *n)
{
    precis_status st = PRECIS_OK;
    for (const precis_attr *a = n->attrs; a && a->kind && !st; a++) {
        if (a->kind == PRECIS_ATTR_LIST && !a->n) continue;
        pcs_buf *b = &w->scratch;
        b->len = 0;
        st = put_attr(b, a);
        if (!st) st = pcs_put_bytes(to, 5, b->data, b->len);
    }
    for (int i = 0; i < 3 && !st; i++) {
        if (!n->lists[i].n) continue;
        w->scratch.len = 0;
        st = put_list(&w->scratch, &n->lists[i]);
        if (!st) st = pcs_put_bytes(to, 5, w->scratch.data, w->scratch.len);
    }
    return st;
}

/* Names of nodes are another space than those of values; onnxruntime takes no two nodes of one name. */
static precis_status put_node_name(pcs_lowering *w, pcs_buf *b, const char *like)
{
    const char *name = *like ? fresh(w, &w->taken_nodes, like) : "";
    return name ? pcs_put_text(b, 3, name) : PRECIS_ENOMEM;
}

precis_status pcs_emit(pcs_lowering *w, const pcs_made_node *n)
{
    pcs_buf b;
    precis_status st = PRECIS_OK;
    pcs_buf_init(&b, w->ctx, 1u << 28);
    for (uint32_t i = 0; i < n->n_in && !st; i++) {
        const char *name = n->many ? n->many[i] : n->in[i];
        st = name ? pcs_put_text(&b, 1, name) : w->error ? w->error : PRECIS_ENOMEM;
    }
    for (uint32_t i = 0; i < n->n_out && !st; i++) st = n->out[i] ? pcs_put_text(&b, 2, n->out[i]) : PRECIS_ENOMEM;
    if (!st) st = put_node_name(w, &b, n->name ? n->name : n->out[0]);
    if (!st) st = pcs_put_text(&b, 4, n->op);
    if (!st) st = put_attrs(w, &b, n);
    if (!st && n->domain) {
        st = pcs_put_text(&b, 7, n->domain);
        w->microsoft = w->microsoft || strcmp(n->domain, PCS_ONNX_DOMAIN) != 0;
    }
    if (!st) st = pcs_put_bytes(&w->nodes, 1, b.data, b.len);
    w->n_nodes++;
    pcs_buf_free(&b);
    return st;
}

precis_status pcs_emit_like(pcs_lowering *w, const pcs_node *n, const char *op, const precis_attr *attrs)
{
    pcs_made_node m = { .op = op, .name = n->name, .n_out = n->n_out, .n_in = n->n_in, .attrs = attrs };
    const char **many = pcs_arena_alloc(&w->arena, n->n_in + 1, sizeof *many);
    if (!many || n->n_out > 8) return PRECIS_ENOMEM;
    for (uint32_t i = 0; i < n->n_in; i++) many[i] = pcs_name(w, n->in[i]);
    for (uint32_t i = 0; i < n->n_out; i++)
        m.out[i] = w->uses[n->out[i]] || i == 0 ? pcs_result_name(w, n->out[i]) : "";
    while (m.n_out > 1 && m.out[m.n_out - 1] && !*m.out[m.n_out - 1]) m.n_out--;
    m.many = many;
    return pcs_emit(w, &m);
}

const char *pcs_emit_one(pcs_lowering *w, const char *op, const char *like, uint32_t n, const char *const *in,
                         const precis_attr *attrs)
{
    const char *name = pcs_fresh_name(w, like);
    const pcs_made_node m = { .op = op, .many = in, .n_in = n, .out = { name }, .n_out = 1, .attrs = attrs };
    return name && !pcs_emit(w, &m) ? name : NULL;
}
