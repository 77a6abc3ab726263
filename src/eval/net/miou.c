/* miou.c - segmentation: for each class, places that are it and are said to be it, over places that are either, of all
 * samples together; the mean over classes that occur. Beside it, the share of places that are right. */
#include "eval/net/score.h"

enum { CLASSES_MOST = 65536 };

typedef struct { uint64_t classes; uint32_t *both, *either, *is; } places; /* [n][classes] */

static bool fits(const pcs_labels *l, const precis_eval_net_options *o)
{
    (void)o;
    return l->classes.at && l->classes.n > l->n;
}

static precis_status begin(pcs_score *s)
{
    s->state = pcs_alloc(s->ctx, 1, sizeof(places));
    return s->state ? PRECIS_OK : PRECIS_ENOMEM;
}

static precis_status begin_classes(pcs_score *s, uint64_t classes)
{
    places *p = s->state;
    uint64_t n;
    if (p->classes) return PRECIS_OK;
    if (classes < 2 || classes > CLASSES_MOST || !pcs_mul_ok(s->n, classes, &n) || n > SIZE_MAX / 16)
        return pcs_fail(s->ctx, PRECIS_EINVAL, "mIoU of %llu classes and %llu samples", (unsigned long long)classes,
                        (unsigned long long)s->n);
    p->both = pcs_alloc(s->ctx, (size_t)n, 3 * sizeof *p->both);
    if (!p->both) return PRECIS_ENOMEM;
    p->either = p->both + n;
    p->is = p->either + n;
    p->classes = classes;
    return PRECIS_OK;
}

/* Classes of an output that gives the class itself are as many as the labels have. */
static uint64_t classes_of_labels(const pcs_score *s)
{
    double top = 0;
    for (size_t i = 0; i < s->labels->classes.n; i++) {
        const double v = s->labels->classes.at[i];
        if (v != (double)s->o->ignore && v > top) top = v;
    }
    return (uint64_t)top + 1;
}

static precis_status add(pcs_score *s, uint64_t i, uint64_t row, uint64_t n, const pcs_numbers *outputs)
{
    const pcs_numbers *x = &outputs[s->output];
    const uint64_t each = s->labels->classes.n / s->labels->n;
    places *p = s->state;
    pcs_classes c;
    if (!pcs_classes_of(x, n, &c) || c.places != each)
        return pcs_fail(s->ctx, PRECIS_EINVAL,
                        "%s has a class for each of %llu places, and output %s has no classes for so many",
                        s->labels->where, (unsigned long long)each, x->name);
    precis_status st = begin_classes(s, c.classes > 1 ? c.classes : classes_of_labels(s));
    for (uint64_t k = 0; k < each && !st; k++) {
        const int64_t label = (int64_t)s->labels->classes.at[i * each + k], said = pcs_likeliest(x, &c, row, k);
        if (label == s->o->ignore) continue;
        if (label < 0 || label >= (int64_t)p->classes)
            return pcs_fail(s->ctx, PRECIS_EINVAL, "%s: place %llu of sample %llu is class %lld of %llu",
                            s->labels->where, (unsigned long long)k, (unsigned long long)i, (long long)label,
                            (unsigned long long)p->classes);
        const size_t at = (size_t)(i * p->classes);
        p->is[at + (size_t)label]++;
        p->either[at + (size_t)label]++;
        if (said == label) p->both[at + (size_t)label]++;
        else if (said >= 0 && said < (int64_t)p->classes) p->either[at + (size_t)said]++;
    }
    return st;
}

static double value(const pcs_score *s, const uint32_t *weight, double *second)
{
    const places *p = s->state;
    double sum = 0, right = 0, all = 0;
    uint64_t n = 0;
    for (uint64_t c = 0; c < p->classes; c++) {
        double both = 0, either = 0;
        for (uint64_t i = 0; i < s->n; i++) {
            const double w = weight ? weight[i] : 1;
            const size_t at = (size_t)(i * p->classes + c);
            both += w * p->both[at];
            either += w * p->either[at];
            all += w * p->is[at];
        }
        right += both;
        if (either > 0) sum += both / either, n++;
    }
    if (second) *second = all > 0 ? right / all : 0;
    return n ? sum / (double)n : 0;
}

static void end(pcs_score *s)
{
    places *p = s->state;
    if (p) pcs_free(s->ctx, p->both);
    pcs_free(s->ctx, p);
}

const pcs_score_kind pcs_score_miou = {
    .name = "miou", .second = "pixel_accuracy", .fits = fits, .begin = begin, .add = add, .value = value, .end = end,
    .classes = true,
};
