/* shapes.c - ops that only move elements. Sizes that a file must know are numbers where they can be; a dimension
 * without a size is written as what ONNX has for it (0 and -1 of Reshape, an open end of Slice), and computed in the
 * file only where that does not say it. */
#include "write/onnx/functions.h"

#define OPEN INT64_MAX /* the end of a dimension, whatever its size */

precis_status pcs_lower_reshape(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const pcs_value *x = pcs_v(w, n->in[0]), *y = pcs_v(w, n->out[0]);
    int64_t to[PCS_GRAPH_DIMS];
    uint32_t open = 0;
    bool plain = true;
    for (uint32_t i = 0; i < y->dims; i++) {
        const int64_t d = y->shape[i];
        const bool id = pcs_dim_is_id(d), kept = id && i < x->dims && x->shape[i] == d;
        to[i] = kept ? 0 : id ? -1 : d;
        open += id && !kept;
        plain = plain && d != 0;
    }
    const char *shape =
        open < 2 && plain ? pcs_longs(w, "shape", y->dims, to) : pcs_sizes(w, "shape", y->dims, y->shape);
    if (!plain) pcs_needs_opset(w, 14);
    return pcs_emit(w, &(pcs_made_node){ .op = row->onnx,
                                         .name = n->name,
                                         .in = { pcs_name(w, n->in[0]), shape },
                                         .n_in = 2,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1,
                                         .attrs = plain ? NULL : PRECIS_ATTRS(precis_attr_int("allowzero", 1)) });
}

precis_status pcs_lower_flatten(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, row->onnx, PRECIS_ATTRS(precis_attr_int("axis", 1)));
}

precis_status pcs_lower_transpose(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, row->onnx, PRECIS_ATTRS(precis_attr_list("perm", n->attr[0].n, n->attr[0].list)));
}

precis_status pcs_lower_concat(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, row->onnx, PRECIS_ATTRS(precis_attr_int("axis", n->attr[0].integer)));
}

/* Dimensions that x has without a size stay as they are: one spreads over them. */
precis_status pcs_lower_expand(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const pcs_value *x = pcs_v(w, n->in[0]), *y = pcs_v(w, n->out[0]);
    int64_t to[PCS_GRAPH_DIMS];
    for (uint32_t i = 0; i < y->dims; i++) {
        const uint32_t from = i + x->dims - y->dims;
        const bool same = i + x->dims >= y->dims && x->shape[from] == y->shape[i];
        to[i] = same && pcs_dim_is_id(y->shape[i]) ? 1 : y->shape[i];
    }
    return pcs_emit(w, &(pcs_made_node){ .op = row->onnx,
                                         .name = n->name,
                                         .in = { pcs_name(w, n->in[0]), pcs_sizes(w, "shape", y->dims, to) },
                                         .n_in = 2,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1 });
}

/* ---- Slice ------------------------------------------------------------------------------------------ */

/* Where a part of dimension d ends that has `size` elements from `start` on; PCS_DIM_ERROR: the file must compute it.
 */
static int64_t end_of(const pcs_lowering *w, int64_t d, int64_t start, int64_t size, int64_t step)
{
    const pcs_dim *e = pcs_dim_is_id(size) ? &w->g->dims[size - PCS_DIM_FIRST] : NULL;
    if (!e && step > 0) return start + (size ? (size - 1) * step + 1 : 0);
    if (!e) {
        const int64_t last = start + (size - 1) * step;
        return !size ? start : last + step < 0 ? -OPEN : last - 1;
    }
    if (size == d && start == 0) return OPEN;
    const pcs_dim *least = e->kind != PCS_DIM_LINEAR ? e
                           : pcs_dim_is_id(e->a)     ? &w->g->dims[e->a - PCS_DIM_FIRST]
                                                     : NULL;
    const bool from = e->kind == PCS_DIM_LINEAR ? e->mul == 1 && e->div == 1 && e->add == -start : start == 0;
    if (from && least && least->kind == PCS_DIM_LEAST && least->a == d && !pcs_dim_is_id(least->b)) return least->b;
    if (e->kind != PCS_DIM_LINEAR || e->a != d || e->mul != 1 || e->div != 1) return PCS_DIM_ERROR;
    return e->add == -start ? OPEN : e->add + start; /* negative: counted from the end */
}

typedef struct {
    int64_t starts[PCS_GRAPH_DIMS], ends[PCS_GRAPH_DIMS], axes[PCS_GRAPH_DIMS], steps[PCS_GRAPH_DIMS];
    uint32_t n;
    bool plain; /* all of them are numbers, and no step is other than one */
} cut;

/* Parts of dimensions that are taken; whole ones are left out. */
static bool cuts_of(const pcs_lowering *w, const pcs_node *n, cut *c)
{
    const pcs_value *x = pcs_v(w, n->in[0]);
    const int64_t *starts = n->attr[0].list, *sizes = n->attr[1].list, *steps = n->attr[2].list;
    c->n = 0;
    c->plain = true;
    for (uint32_t i = 0; i < x->dims; i++) {
        if (starts[i] == 0 && sizes[i] == x->shape[i] && steps[i] == 1) continue;
        const int64_t end = end_of(w, x->shape[i], starts[i], sizes[i], steps[i]);
        if (end == PCS_DIM_ERROR || pcs_dim_is_id(starts[i])) return false;
        c->plain = c->plain && steps[i] == 1;
        c->starts[c->n] = starts[i], c->ends[c->n] = end, c->axes[c->n] = i, c->steps[c->n++] = steps[i];
    }
    return true;
}

/* Ends that are computed: of each dimension start + size. */
static precis_status slice_by_sizes(pcs_lowering *w, const pcs_node *n)
{
    const uint32_t dims = pcs_v(w, n->in[0])->dims;
    const char *start = pcs_sizes(w, "starts", dims, n->attr[0].list);
    const char *size = pcs_sizes(w, "sizes", dims, n->attr[1].list);
    for (uint32_t i = 0; i < dims; i++)
        if (n->attr[2].list[i] != 1)
            return pcs_cannot(w, n,
                              "it takes every %lldth element of a dimension without a "
                              "size",
                              (long long)n->attr[2].list[i]);
    const char *end =
        start && size ? pcs_emit_one(w, "Add", "ends", 2, (const char *const[]){ start, size }, NULL) : NULL;
    return pcs_emit(w, &(pcs_made_node){ .op = "Slice",
                                         .name = n->name,
                                         .in = { pcs_name(w, n->in[0]), start, end },
                                         .n_in = 3,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1 });
}

precis_status pcs_lower_slice(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    cut c;
    if (!cuts_of(w, n, &c)) return slice_by_sizes(w, n);
    if (!c.n) return pcs_emit_like(w, n, "Identity", NULL);
    return pcs_emit(w, &(pcs_made_node){ .op = row->onnx,
                                         .name = n->name,
                                         .in = { pcs_name(w, n->in[0]), pcs_longs(w, "starts", c.n, c.starts),
                                                 pcs_longs(w, "ends", c.n, c.ends), pcs_longs(w, "axes", c.n, c.axes),
                                                 c.plain ? "" : pcs_longs(w, "steps", c.n, c.steps) },
                                         .n_in = c.plain ? 4 : 5,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1 });
}

precis_status pcs_lower_pad(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const bool wrap = n->attr[1].text[0] == 'w', constant = n->attr[1].text[0] == 'c';
    if (wrap) pcs_needs_opset(w, 19);
    return pcs_emit(
        w, &(pcs_made_node){ .op = row->onnx,
                             .name = n->name,
                             .in = { pcs_name(w, n->in[0]), pcs_longs(w, "pads", n->attr[0].n, n->attr[0].list),
                                     constant ? pcs_name(w, n->in[1]) : "" },
                             .n_in = constant ? 3 : 2,
                             .out = { pcs_result_name(w, n->out[0]) },
                             .n_out = 1,
                             .attrs = PRECIS_ATTRS(precis_attr_text("mode", n->attr[1].text)) });
}

/* ---- by index ----------------------------------------------------------------------------------------- */

precis_status pcs_lower_take(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const int64_t axis = pcs_op_attrs(n->op) ? n->attr[0].integer : 0;
    return pcs_emit_like(w, n, row->onnx, PRECIS_ATTRS(precis_attr_int("axis", axis)));
}

precis_status pcs_lower_take_at(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, row->onnx, PRECIS_ATTRS(precis_attr_int("batch_dims", n->attr[0].integer)));
}

precis_status pcs_lower_put(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const bool each = pcs_op_attrs(n->op) > 1;
    const precis_attr attrs[] = { precis_attr_text("reduction", n->attr[each].text),
                                  each ? precis_attr_int("axis", n->attr[0].integer) : (precis_attr){ 0 },
                                  { 0 } };
    if (n->attr[each].text[0] != 'n')
        pcs_needs_opset(w, n->attr[each].text[1] == 'a' || n->attr[each].text[1] == 'i' ? 18 : 16);
    return pcs_emit_like(w, n, row->onnx, attrs);
}
