/* accuracy.c - top-1: the likeliest class of a sample is its label; and the loss, -log of what a label's class has, of
 * rows that are probabilities (they are positive and sum to 1) or the logits of some. */
#include "base/builtins.h"
#include "base/fmath.h"
#include "eval/net/score.h"

static bool fits(const pcs_labels *l, const precis_eval_net_options *o)
{
    (void)o;
    return l->classes.at && l->classes.n == l->n;
}

static precis_status begin(pcs_score *s)
{
    s->right = pcs_alloc(s->ctx, (size_t)s->n, 1);
    s->state = pcs_alloc(s->ctx, (size_t)s->n + 1, sizeof(double));
    return s->right && s->state ? PRECIS_OK : PRECIS_ENOMEM;
}

static void end(pcs_score *s) { pcs_free(s->ctx, s->state); }

static double loss_of(const double *x, uint64_t n, uint64_t label)
{
    double top = x[0], sum = 0, all = 0;
    bool shares = true;
    for (uint64_t i = 0; i < n; i++) {
        top = x[i] > top ? x[i] : top;
        sum += x[i];
        shares &= x[i] >= 0;
    }
    if (shares && sum > 0.999 && sum < 1.001) return -pcs_log(x[label]);
    for (uint64_t i = 0; i < n; i++) all += pcs_exp(x[i] - top);
    return pcs_log(all) + top - x[label];
}

static precis_status add(pcs_score *s, uint64_t i, uint64_t row, uint64_t n, const pcs_numbers *outputs)
{
    const pcs_numbers *x = &outputs[s->output];
    const double label = s->labels->classes.at[i];
    pcs_classes c;
    if (!pcs_classes_of(x, n, &c) || c.places != 1)
        return pcs_fail(s->ctx, PRECIS_EINVAL,
                        "%s has a class for each sample, and output %s no row of classes for one", s->labels->where,
                        x->name);
    if (label < 0 || (c.classes > 1 && label >= (double)c.classes))
        return pcs_fail(s->ctx, PRECIS_EINVAL, "%s: the label of sample %llu is %.0f; output %s has classes 0 to %llu",
                        s->labels->where, (unsigned long long)i, label, x->name, (unsigned long long)(c.classes - 1));
    s->right[i] = (double)pcs_likeliest(x, &c, row, 0) == label;
    ((double *)s->state)[i] =
        c.classes > 1 ? loss_of(x->at + row * c.classes, c.classes, (uint64_t)label) : pcs_nan();
    return PRECIS_OK;
}

static double value(const pcs_score *s, const uint32_t *weight, double *second)
{
    uint64_t right = 0, all = 0;
    (void)second;
    for (uint64_t i = 0; i < s->n; i++) {
        const uint32_t w = weight ? weight[i] : 1;
        right += (uint64_t)w * s->right[i];
        all += w;
    }
    return all ? (double)right / (double)all : 0;
}

static double loss(const pcs_score *s)
{
    double sum = 0;
    for (uint64_t i = 0; i < s->n; i++) sum += ((const double *)s->state)[i];
    return s->n ? sum / (double)s->n : pcs_nan();
}

const pcs_score_kind pcs_score_accuracy = {
    .name = "accuracy", .fits = fits, .begin = begin, .add = add, .value = value,
    .loss = loss, .end = end, .share = true, .classes = true,
};
