/* accuracy.c - top-1: the likeliest class of a sample is its label. */
#include "eval/net/score.h"

static bool fits(const pcs_labels *l, const precis_eval_net_options *o)
{
    (void)o;
    return l->classes.at && l->classes.n == l->n;
}

static precis_status begin(pcs_score *s)
{
    s->right = pcs_alloc(s->ctx, (size_t)s->n, 1);
    return s->right ? PRECIS_OK : PRECIS_ENOMEM;
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

const pcs_score_kind pcs_score_accuracy = {
    .name = "accuracy", .fits = fits, .begin = begin, .add = add, .value = value, .share = true, .classes = true,
};
