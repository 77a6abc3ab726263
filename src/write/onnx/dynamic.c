/* dynamic.c - DynamicQuantizeLinear is read as the pieces that ONNX defines it by; here they are one node again:
 *   hi = max(reduce_max(x), 0), lo = min(reduce_min(x), 0), scale = (hi == lo ? 1 : hi - lo) / 255,
 *   zero = u8(round(clamp(0 - lo / scale, 0, 255))), codes = to_codes(x, scale, zero). */
#include "write/onnx/functions.h"

#define PIECES 14

typedef struct {
    pcs_lowering *w;
    const pcs_node *taken[PIECES];
    uint32_t n;
} pieces;

/* The node that makes v, when it is of this op, and v has so many readers (0: any). */
static const pcs_node *piece(pieces *p, precis_value v, const pcs_op *op, uint32_t uses)
{
    const pcs_node *n = v < 0 ? NULL : pcs_maker(p->w, v);
    if (!n || n->op != op || p->n == PIECES || (uses && (p->w->uses[v] != uses || pcs_v(p->w, v)->output))) return NULL;
    if (p->w->taken_node[n - p->w->g->nodes]) return NULL;
    p->taken[p->n++] = n;
    return n;
}

static bool is_number(const pieces *p, precis_value v, float number)
{
    const pcs_value *x = pcs_v(p->w, v);
    const float *one = pcs_value_f32(x, 1);
    return one && !x->dims && *one == number;
}

/* max(reduce max, 0) or min(reduce min, 0) of all of x. */
static bool is_extreme(pieces *p, precis_value v, const pcs_op *op, char kind, precis_value x, uint32_t uses)
{
    const pcs_node *n = piece(p, v, op, uses),
                   *r = n && is_number(p, n->in[1], 0) ? piece(p, n->in[0], &pcs_op_reduce, 1) : NULL;
    return r && r->in[0] == x && r->attr[0].text[1] == kind && r->attr[1].n == pcs_v(p->w, x)->dims &&
           !r->attr[2].integer;
}

/* scale; *lo is what the zero point is made of. */
static bool is_scale(pieces *p, precis_value scale, precis_value x, precis_value *lo)
{
    const pcs_node *over = piece(p, scale, &pcs_op_div, 0),
                   *where = over && is_number(p, over->in[1], 255) ? piece(p, over->in[0], &pcs_op_where, 1) : NULL,
                   *equal = where && is_number(p, where->in[1], 1) ? piece(p, where->in[0], &pcs_op_equal, 1) : NULL,
                   *range = equal && equal->in[0] == where->in[2] && is_number(p, equal->in[1], 0)
                                ? piece(p, where->in[2], &pcs_op_sub, 2)
                                : NULL;
    if (!range) return false;
    *lo = range->in[1];
    return is_extreme(p, range->in[0], &pcs_op_max, 'a', x, 1) && is_extreme(p, range->in[1], &pcs_op_min, 'i', x, 2);
}

static bool is_zero(pieces *p, precis_value zero, precis_value scale, precis_value lo)
{
    const pcs_node *cast = piece(p, zero, &pcs_op_cast, 0),
                   *round = cast ? piece(p, cast->in[0], &pcs_op_round, 1) : NULL,
                   *most = round ? piece(p, round->in[0], &pcs_op_min, 1) : NULL,
                   *least = most && is_number(p, most->in[1], 255) ? piece(p, most->in[0], &pcs_op_max, 1) : NULL,
                   *sub = least && is_number(p, least->in[1], 0) ? piece(p, least->in[0], &pcs_op_sub, 1) : NULL,
                   *over = sub && is_number(p, sub->in[0], 0) ? piece(p, sub->in[1], &pcs_op_div, 1) : NULL;
    return over && over->in[0] == lo && over->in[1] == scale && pcs_v(p->w, zero)->dtype == PCS_U8;
}

static bool is_dynamic(pieces *p, const pcs_node *n)
{
    precis_value lo;
    return !pcs_value_is_known(pcs_v(p->w, n->in[1])) && is_scale(p, n->in[1], n->in[0], &lo) &&
           is_zero(p, n->in[2], n->in[1], lo);
}

void pcs_take_dynamic(pcs_lowering *w, const pcs_node *n)
{
    pieces p = { .w = w };
    if (pcs_take_form(w, n) || !is_dynamic(&p, n)) return;
    for (uint32_t i = 0; i < p.n; i++) pcs_take(w, p.taken[i]);
}

precis_status pcs_lower_to_codes(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const pcs_node *scale = pcs_maker(w, n->in[1]), *x = pcs_maker(w, n->in[0]);
    if (!scale && x && w->taken_node[x - w->g->nodes]) return pcs_lower_form(w, n, x);
    if (!scale || !w->taken_node[scale - w->g->nodes]) return pcs_lower_codes(w, n, row);
    return pcs_emit(w, &(pcs_made_node){ .op = "DynamicQuantizeLinear",
                                         .name = n->name,
                                         .in = { pcs_name(w, n->in[0]) },
                                         .n_in = 1,
                                         .out = { pcs_result_name(w, n->out[0]), pcs_result_name(w, n->in[1]),
                                                  pcs_result_name(w, n->in[2]) },
                                         .n_out = 3 });
}
