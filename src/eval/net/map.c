/* map.c - detection: COCO's average precision (pycocotools): for each class and each overlap of 0.5, 0.55, ..., 0.95,
 * precision at 101 recalls, boxes by descending score, 100 of an image; the mean over classes that occur in the labels.
 * Beside it, that at an overlap of 0.5 alone. */
#include "eval/net/score.h"

#include <stdlib.h>

enum { OVERLAPS = 10, OF_IMAGE = 100 };

/* hit: a bit for each overlap at which the box is the label's */
typedef struct { double score; int64_t class_of; uint32_t image, hit; } found;
typedef struct {
    found *list;
    size_t n, room;
    pcs_box *boxes; /* of an image */
    const pcs_detection_form *form;
    bool sorted;
} detections;

static bool fits(const pcs_labels *l, const precis_eval_net_options *o)
{
    return l->boxes != NULL || (l->of_reference && o->detections);
}

static precis_status begin(pcs_score *s)
{
    const char *name = s->o->detections ? s->o->detections : pcs_detection_forms[0].name;
    detections *d = s->state = pcs_alloc(s->ctx, 1, sizeof *d);
    if (!d) return PRECIS_ENOMEM;
    for (size_t i = 0; pcs_detection_forms[i].name && !d->form; i++)
        if (!strcmp(pcs_detection_forms[i].name, name)) d->form = &pcs_detection_forms[i];
    if (!d->form)
        return pcs_fail(s->ctx, PRECIS_EINVAL, "detections of the form \"%.40s\"; it is xyxy, parts, yolov8 or yolov5",
                        name);
    d->boxes = pcs_alloc(s->ctx, PCS_BOXES_MOST, sizeof *d->boxes);
    return d->boxes ? PRECIS_OK : PRECIS_ENOMEM;
}

double pcs_box_overlap(const double a[4], const double b[4])
{
    const double left = a[0] > b[0] ? a[0] : b[0], right = a[2] < b[2] ? a[2] : b[2];
    const double top = a[1] > b[1] ? a[1] : b[1], bottom = a[3] < b[3] ? a[3] : b[3];
    const double both = right > left && bottom > top ? (right - left) * (bottom - top) : 0;
    const double of_a = (a[2] - a[0]) * (a[3] - a[1]), of_b = (b[2] - b[0]) * (b[3] - b[1]);
    return of_a + of_b - both > 0 ? both / (of_a + of_b - both) : 0;
}

/* What the reference finds with confidence is there; its other boxes are guesses. */
static precis_status label(pcs_score *s, pcs_labels *l, uint64_t i, uint64_t row, uint64_t n,
                           const pcs_numbers *outputs)
{
    detections *d = s->state;
    pcs_boxes boxes = { .list = d->boxes };
    (void)n;
    const precis_status st = d->form->boxes(s->ctx, outputs, s->n_outputs, s->output, row, &boxes);
    if (st) return st;
    pcs_box *kept = l->boxes[i].list = pcs_arena_alloc(&l->arena, boxes.n + 1, sizeof *kept);
    if (!kept) return PRECIS_ENOMEM;
    for (size_t k = 0; k < boxes.n; k++)
        if (boxes.list[k].score >= s->o->least) kept[l->boxes[i].n++] = boxes.list[k];
    return PRECIS_OK;
}

static int by_score(const void *a, const void *b)
{
    const pcs_box *x = a, *y = b;
    return x->score < y->score ? 1 : x->score > y->score ? -1 : 0;
}

/* The label that a box belongs to at an overlap: the best of its class that no box with a higher score has. */
static size_t match(const pcs_boxes *labels, const pcs_box *box, double least, const uint32_t *taken, uint32_t bit)
{
    size_t best = labels->n;
    double most = least;
    for (size_t k = 0; k < labels->n; k++) {
        if (labels->list[k].class_of != box->class_of || taken[k] & bit) continue;
        const double o = pcs_box_overlap(labels->list[k].at, box->at);
        if (o >= most) most = o, best = k;
    }
    return best;
}

static precis_status keep(pcs_score *s, const found *f)
{
    detections *d = s->state;
    found *list = pcs_one_more(s->ctx, d->list, d->n, &d->room, sizeof *list);
    if (!list) return PRECIS_ENOMEM;
    d->list = list;
    d->list[d->n++] = *f;
    d->sorted = false; /* figures are asked for while boxes still come */
    return PRECIS_OK;
}

static precis_status add(pcs_score *s, uint64_t i, uint64_t row, uint64_t n, const pcs_numbers *outputs)
{
    detections *d = s->state;
    const pcs_boxes *labels = &s->labels->boxes[i];
    pcs_boxes boxes = { .list = d->boxes };
    (void)n;
    precis_status st = d->form->boxes(s->ctx, outputs, s->n_outputs, s->output, row, &boxes);
    if (st) return st;
    qsort(boxes.list, boxes.n, sizeof *boxes.list, by_score);
    uint32_t *taken = pcs_alloc(s->ctx, labels->n + 1, sizeof *taken);
    if (!taken) return PRECIS_ENOMEM;
    for (size_t k = 0; k < boxes.n && k < OF_IMAGE && !st; k++) {
        found f = { boxes.list[k].score, boxes.list[k].class_of, (uint32_t)i, 0 };
        for (uint32_t t = 0; t < OVERLAPS; t++) {
            const size_t of = match(labels, &boxes.list[k], 0.5 + 0.05 * t, taken, 1u << t);
            if (of == labels->n) continue;
            taken[of] |= 1u << t;
            f.hit |= 1u << t;
        }
        st = keep(s, &f);
    }
    pcs_free(s->ctx, taken);
    return st;
}

static int by_class(const void *a, const void *b)
{
    const found *x = a, *y = b;
    if (x->class_of != y->class_of) return x->class_of < y->class_of ? -1 : 1;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->image < y->image ? -1 : x->image > y->image;
}

/* Average precision of the boxes of one class, sorted, with `labels` of them in the images. */
static double precision(const found *list, size_t n, double labels, uint32_t t, const uint32_t *weight)
{
    double best[101] = { 0 }, hits = 0, all = 0, sum = 0, top = 0;
    for (size_t i = 0; i < n; i++) {
        const double w = weight ? weight[list[i].image] : 1;
        const bool hit = list[i].hit >> t & 1;
        all += w;
        hits += hit ? w : 0;
        if (!hit || w <= 0) continue;
        const size_t at = (size_t)(hits / labels * 100 + 1e-9); /* recalls up to here are reached */
        const double p = hits / all;
        if (p > best[at < 100 ? at : 100]) best[at < 100 ? at : 100] = p;
    }
    for (size_t r = 101; r-- > 0;) sum += top = best[r] > top ? best[r] : top;
    return sum / 101;
}

static double value(const pcs_score *s, const uint32_t *weight, double *second)
{
    detections *d = s->state;
    double sum = 0, half = 0;
    uint64_t classes = 0;
    if (!d->sorted && d->n) qsort(d->list, d->n, sizeof *d->list, by_class);
    d->sorted = true;
    int64_t last = INT64_MIN;
    for (;;) { /* the classes of the labels, ascending */
        int64_t next = INT64_MAX;
        double labels = 0;
        for (uint64_t i = 0; i < s->n; i++)
            for (size_t k = 0; k < s->labels->boxes[i].n; k++) {
                const int64_t c = s->labels->boxes[i].list[k].class_of;
                if (c <= last || c > next || (weight && !weight[i])) continue;
                if (c < next) labels = 0;
                next = c;
                labels += weight ? weight[i] : 1;
            }
        if (next == INT64_MAX) break;
        size_t begin_at = 0, end_at;
        while (begin_at < d->n && d->list[begin_at].class_of < next) begin_at++;
        for (end_at = begin_at; end_at < d->n && d->list[end_at].class_of == next;) end_at++;
        for (uint32_t t = 0; t < OVERLAPS; t++) {
            const double p = precision(d->list + begin_at, end_at - begin_at, labels, t, weight);
            sum += p / OVERLAPS;
            half += t ? 0 : p;
        }
        classes++;
        last = next;
    }
    if (second) *second = classes ? half / (double)classes : 0;
    return classes ? sum / (double)classes : 0;
}

static void end(pcs_score *s)
{
    detections *d = s->state;
    if (d) pcs_free(s->ctx, d->list);
    if (d) pcs_free(s->ctx, d->boxes);
    pcs_free(s->ctx, d);
}

const pcs_score_kind pcs_score_map = {
    .name = "map", .second = "map50", .fits = fits, .begin = begin, .label = label, .add = add,
    .value = value, .end = end,
};
