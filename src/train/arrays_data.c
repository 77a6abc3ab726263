/* arrays_data.c - samples with a class each, and the order in which they are drawn. */
#include "base/fmath.h"
#include "eval/net/score.h"
#include "graph/element.h"
#include "read/npz.h"
#include "train/arrays.h"

/* Labels are classes: whole numbers from 0 on. */
static precis_status take_labels(precis_ctx *ctx, const pcs_labels *l, pcs_array_set *set, const char *data)
{
    if (l->n != set->n || l->classes.n != set->n)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: has %llu labels for the %llu samples of %s", l->where,
                        (unsigned long long)(l->classes.n > l->n ? l->classes.n : l->n), (unsigned long long)set->n,
                        data);
    set->labels = pcs_alloc(ctx, (size_t)set->n, sizeof *set->labels);
    if (!set->labels) return PRECIS_ENOMEM;
    for (uint64_t i = 0; i < set->n; i++) {
        if (l->classes.at[i] < 0 || l->classes.at[i] > 1 << 24)
            return pcs_fail(ctx, PRECIS_EFORMAT, "%s: label %llu is %.0f, which is no class", l->where,
                            (unsigned long long)i, l->classes.at[i]);
        set->labels[i] = (int32_t)l->classes.at[i];
    }
    return PRECIS_OK;
}

static precis_status take_numbers(precis_ctx *ctx, const precis_array *a, const char *path, pcs_array_set *set)
{
    pcs_dtype d;
    if (!pcs_array_dtype(a, &d) || d != PCS_F32 || a->dims < 2 || !a->shape[0] || !a->bytes)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: is %s of %u dimensions; samples are F32 [samples, ...], some", path,
                        a->type, a->dims);
    const size_t n = (size_t)(a->bytes / sizeof(float));
    set->x = pcs_alloc(ctx, n, sizeof *set->x);
    if (!set->x) return PRECIS_ENOMEM;
    memcpy(set->x, a->data, n * sizeof *set->x);
    for (size_t i = 0; i < n; i++)
        if (set->x[i] - set->x[i] != 0)
            return pcs_fail(ctx, PRECIS_EFORMAT, "%s: number %zu is not finite", path, i);
    set->n = (uint64_t)a->shape[0];
    set->each = n / (size_t)a->shape[0];
    set->dims = a->dims;
    memcpy(set->shape, a->shape, sizeof set->shape);
    return PRECIS_OK;
}

precis_status pcs_arrays_read(precis_ctx *ctx, const char *data, const char *labels, pcs_array_set *set)
{
    precis_array a = { 0 };
    pcs_labels l = { 0 };
    *set = (pcs_array_set){ 0 };
    precis_status st = precis_array_read(ctx, &a, data);
    if (st) return st;
    st = take_numbers(ctx, &a, data, set);
    precis_array_free(ctx, &a);
    if (st) return st;
    precis_eval_net_options o = PRECIS_EVAL_NET_OPTIONS_INIT;
    o.labels = labels;
    st = pcs_labels_open(ctx, &l, NULL, &o, false);
    if (!st && !l.classes.at)
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: labels of training are one class for each sample", labels);
    if (!st) st = take_labels(ctx, &l, set, data);
    pcs_labels_close(ctx, &l);
    return st;
}

void pcs_arrays_free(precis_ctx *ctx, pcs_array_set *set)
{
    pcs_free(ctx, set->x);
    pcs_free(ctx, set->labels);
    *set = (pcs_array_set){ 0 };
}

/* Fisher and Yates, from a state of the seed and the epoch. */
static void shuffle(const pcs_train_run *t, uint64_t epoch)
{
    pcs_arrays *a = t->arrays;
    uint64_t state = t->c.seed * 0x9e3779b97f4a7c15u + 0xd1b54a32d192ed03u * (epoch + 1);
    for (uint64_t i = 0; i < a->set.n; i++) a->order[i] = (uint32_t)i;
    for (uint64_t i = a->set.n; i-- > 1;) {
        const uint64_t k = (uint64_t)(pcs_rand_unit(&state) * (double)(i + 1));
        const uint32_t keep = a->order[i];
        a->order[i] = a->order[k];
        a->order[k] = keep;
    }
    a->epoch = epoch;
}

precis_status pcs_arrays_draw(pcs_train_run *t, uint64_t step)
{
    pcs_arrays *a = t->arrays;
    for (uint64_t b = 0; b < t->c.batch; b++) {
        const uint64_t at = step * t->c.batch + b;
        if (at / a->set.n != a->epoch) shuffle(t, at / a->set.n);
        const uint32_t i = a->order[at % a->set.n];
        memcpy(a->batch + b * a->set.each, a->set.x + i * a->set.each, a->set.each * sizeof *a->batch);
        t->targets[b] = a->set.labels[i];
    }
    return PRECIS_OK;
}
