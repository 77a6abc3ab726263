/* detection_forms.c - boxes as detectors give them. Where a net leaves overlapping boxes to its user, the likelier one
 * of two of a class that overlap by more than 0.7 is kept, of boxes with a score of 0.001 and more, 300 at most (what
 * Ultralytics does to evaluate). */
#include "eval/net/score.h"

#include <stdlib.h>

enum { KEPT = 300 };
#define LEAST 0.001
#define APART 0.7

/* Dimensions of an output without its first one, from the last on; false where it has too few. */
static bool last_two(const pcs_numbers *x, size_t *a, size_t *b)
{
    if (x->dims < 2) return false;
    *a = (size_t)x->shape[x->dims - 2];
    *b = (size_t)x->shape[x->dims - 1];
    return *a && *b && *a <= PCS_BOXES_MOST && *b <= PCS_BOXES_MOST;
}

static const double *row_of(const pcs_numbers *x, uint64_t row, size_t each)
{
    return each && (row + 1) * each <= x->n ? x->at + row * each : NULL;
}

static precis_status no_form(precis_ctx *ctx, const pcs_numbers *x, const char *form)
{
    return pcs_fail(ctx, PRECIS_EINVAL, "output %s is not of the form %s (docs/nets.md, Evaluate)", x->name, form);
}

static int64_t class_of(double v) { return v >= 0 && v < 1e15 ? (int64_t)v : -1; }

static precis_status xyxy(precis_ctx *ctx, const pcs_numbers *outputs, size_t n, size_t scored, uint64_t row,
                          pcs_boxes *out)
{
    const pcs_numbers *x = &outputs[scored];
    size_t boxes = 0, each = 0;
    const double *p = last_two(x, &boxes, &each) && each == 6 ? row_of(x, row, boxes * each) : NULL;
    (void)n;
    if (!p) return no_form(ctx, x, "xyxy");
    for (size_t i = 0; i < boxes; i++, p += 6)
        if (p[4] > 0) out->list[out->n++] = (pcs_box){ { p[0], p[1], p[2], p[3] }, class_of(p[5]), p[4] };
    return PRECIS_OK;
}

/* Boxes are the scored output's, or the first with four numbers a row; scores come next, classes after them. */
static precis_status parts(precis_ctx *ctx, const pcs_numbers *outputs, size_t n, size_t scored, uint64_t row,
                           pcs_boxes *out)
{
    size_t at = scored, boxes = 0, four = 0, b = 0, c = 0;
    while (at < n && !(last_two(&outputs[at], &boxes, &four) && four == 4 && outputs[at].dims == 3)) at++;
    if (at + 1 >= n) return no_form(ctx, &outputs[scored], "parts");
    const pcs_numbers *scores = &outputs[at + 1], *classes = at + 2 < n ? &outputs[at + 2] : NULL;
    const bool each = scores->dims == 3 && last_two(scores, &b, &c) && b == boxes;
    const double *p = row_of(&outputs[at], row, boxes * 4), *q = row_of(scores, row, boxes * (each ? c : 1));
    const double *r = !each && classes && classes->n == scores->n ? row_of(classes, row, boxes) : NULL;
    if (!p || !q || (!each && !r)) return no_form(ctx, scores, "parts");
    for (size_t i = 0; i < boxes; i++, p += 4) {
        pcs_box box = { { p[0], p[1], p[2], p[3] }, r ? class_of(r[i]) : 0, each ? q[i * c] : q[i] };
        for (size_t k = 1; each && k < c; k++)
            if (q[i * c + k] > box.score) box.score = q[i * c + k], box.class_of = (int64_t)k;
        if (box.score > 0) out->list[out->n++] = box;
    }
    return PRECIS_OK;
}

static int likelier(const void *a, const void *b)
{
    const pcs_box *x = a, *y = b;
    return x->score < y->score ? 1 : x->score > y->score ? -1 : 0;
}

static void drop_overlaps(pcs_boxes *b)
{
    size_t n = 0;
    qsort(b->list, b->n, sizeof *b->list, likelier);
    for (size_t i = 0; i < b->n && n < KEPT; i++) {
        bool apart = true;
        const pcs_box *box = &b->list[i];
        for (size_t k = 0; k < n && apart; k++) {
            const pcs_box *kept = &b->list[k];
            apart = kept->class_of != box->class_of || pcs_box_overlap(kept->at, box->at) <= APART;
        }
        if (apart) b->list[n++] = *box;
    }
    b->n = n;
}

/* p: the first number of a box, which are `stride` apart. */
static void add_centred(pcs_boxes *out, const double *p, size_t stride, size_t classes, double object, size_t scores)
{
    const double x = p[0], y = p[stride], w = p[2 * stride] / 2, h = p[3 * stride] / 2;
    pcs_box box = { { x - w, y - h, x + w, y + h }, 0, -1 };
    for (size_t c = 0; c < classes; c++) {
        const double v = object * p[(scores + c) * stride];
        if (v > box.score) box.score = v, box.class_of = (int64_t)c;
    }
    if (box.score >= LEAST) out->list[out->n++] = box;
}

/* How the numbers of YOLO lie: box by box, or each number of all boxes; and whether one says that there is anything. */
typedef struct { const char *name; bool by_box, object; } yolo;

static precis_status centred(precis_ctx *ctx, const pcs_numbers *x, uint64_t row, pcs_boxes *out, const yolo *how)
{
    size_t a = 0, b = 0;
    const bool two = last_two(x, &a, &b);
    const size_t boxes = how->by_box ? a : b, each = how->by_box ? b : a, scores = how->object ? 5 : 4,
                 step = how->by_box ? each : 1, stride = how->by_box ? 1 : boxes;
    const double *p = two && each > scores ? row_of(x, row, each * boxes) : NULL;
    if (!p) return no_form(ctx, x, how->name);
    for (size_t i = 0; i < boxes; i++, p += step)
        add_centred(out, p, stride, each - scores, how->object ? p[4 * stride] : 1, scores);
    drop_overlaps(out);
    return PRECIS_OK;
}

static precis_status yolov8(precis_ctx *ctx, const pcs_numbers *outputs, size_t n, size_t scored, uint64_t row,
                            pcs_boxes *out)
{
    (void)n;
    return centred(ctx, &outputs[scored], row, out, &(yolo){ "yolov8", false, false });
}

static precis_status yolov5(precis_ctx *ctx, const pcs_numbers *outputs, size_t n, size_t scored, uint64_t row,
                            pcs_boxes *out)
{
    (void)n;
    return centred(ctx, &outputs[scored], row, out, &(yolo){ "yolov5", true, true });
}

const pcs_detection_form pcs_detection_forms[] = {
#define DETECTIONS(name, what) { #name, what, name },
#include "eval/net/detections.def"
#undef DETECTIONS
    { NULL, NULL, NULL },
};
