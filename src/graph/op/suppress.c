/* suppress - ONNX's NonMaxSuppression: boxes F32[batch, n, 4] and scores F32[batch, classes, n], which must be
 * constants; the result is I64[found, 3]: batch, class and box. Of each class the boxes of the highest scores above
 * `score`, of equal ones the first, that overlap none taken before by more than `overlap`; `most` of them. center=1:
 * boxes are center x, y, width, height. */
#include "graph/element.h"

enum { MOST, OVERLAP, SCORE, CENTER };

static void corners_of(const float *b, bool center, float *lo, float *hi)
{
    for (int k = 0; k < 2; k++) {
        const float a = center ? b[k] - b[2 + k] / 2 : b[k], z = center ? b[k] + b[2 + k] / 2 : b[2 + k];
        lo[k] = a < z ? a : z;
        hi[k] = a < z ? z : a;
    }
}

static float overlap(const float *a, const float *b, bool center)
{
    float al[2], ah[2], bl[2], bh[2], both = 1;
    corners_of(a, center, al, ah);
    corners_of(b, center, bl, bh);
    for (int k = 0; k < 2; k++) {
        const float lo = al[k] > bl[k] ? al[k] : bl[k], hi = ah[k] < bh[k] ? ah[k] : bh[k];
        both *= hi > lo ? hi - lo : 0;
    }
    const float area = (ah[0] - al[0]) * (ah[1] - al[1]) + (bh[0] - bl[0]) * (bh[1] - bl[1]) - both;
    return both <= 0 || area <= 0 ? 0 : both / area;
}

/* Boxes of one class, in the order in which they are taken; state[n]: 1 taken or out. */
static int64_t choose(const precis_attr *attr, const float *boxes, const float *scores, int64_t n, bool *state,
                      int64_t *taken)
{
    const float least = (float)attr[SCORE].real, most_overlap = (float)attr[OVERLAP].real;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) state[i] = !(scores[i] > least);
    while (count < attr[MOST].integer) {
        int64_t best = -1;
        for (int64_t i = 0; i < n; i++)
            if (!state[i] && (best < 0 || scores[i] > scores[best])) best = i;
        if (best < 0) break;
        taken[count++] = best;
        state[best] = true;
        for (int64_t i = 0; i < n; i++)
            if (!state[i] && overlap(boxes + 4 * best, boxes + 4 * i, attr[CENTER].integer != 0) > most_overlap)
                state[i] = true;
    }
    return count;
}

/* All of them, for scores of a shape; out NULL: only counted. room: 9 n bytes and 8. */
static int64_t all(const precis_attr *attr, const float *boxes, const float *scores, const int64_t *shape, void *room,
                   int64_t *out)
{
    const int64_t batches = shape[0], classes = shape[1], n = shape[2];
    int64_t *taken = room, found = 0;
    bool *state = (bool *)(taken + n + 1);
    for (int64_t b = 0; b < batches; b++)
        for (int64_t c = 0; c < classes; c++) {
            const int64_t count = choose(attr, boxes + 4 * b * n, scores + (b * classes + c) * n, n, state, taken);
            for (int64_t i = 0; i < count; i++, found++) {
                if (!out) continue;
                out[3 * found] = b;
                out[3 * found + 1] = c;
                out[3 * found + 2] = taken[i];
            }
        }
    return found;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *b = &g->values[n->in[0]], *s = &g->values[n->in[1]];
    if (!pcs_value_is_known(b) || !pcs_value_is_known(s))
        return pcs_op_fail(g, n, "depends on contents that are not known before it runs");
    if (b->dtype != PCS_F32 || s->dtype != PCS_F32 || b->dims != 3 || s->dims != 3 || b->shape[2] != 4 ||
        b->shape[0] != s->shape[0] || b->shape[1] != s->shape[2])
        return pcs_op_fail(g, n, "takes boxes[batch, n, 4] and scores[batch, classes, n]");
    const float *boxes = pcs_value_host(b), *scores = pcs_value_host(s);
    if (!boxes || !scores) return pcs_op_fail(g, n, "has fewer boxes or scores than their shapes");
    void *room = pcs_alloc(g->ctx, (size_t)b->shape[1] * 9 + 64, 1);
    if (!room) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx)), g->error;
    out->shape[0] = all(n->attr, boxes, scores, s->shape, room, NULL);
    pcs_free(g->ctx, room);
    out->shape[1] = 3;
    out->dims = 2;
    out->dtype = PCS_I64;
    return PRECIS_OK;
}

static size_t scratch(const pcs_call *c) { return (size_t)c->in[0].shape[1] * 9 + 64; }

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    (void)nth;
    if (ith == 0) all(c->attr, c->in[0].data, c->in[1].data, c->in[1].shape, c->scratch, c->out[0].data);
}

const pcs_op pcs_op_suppress = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "suppress",
    .min_in = 2,
    .max_in = 2,
    .attrs =
        PCS_ATTR_TABLE(PCS_INT("most", 0), PCS_REAL("overlap", 0), PCS_REAL("score", -3.4e38), PCS_INT("center", 0)),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
};
