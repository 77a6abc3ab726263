/* least.c - the smallest plan that a budget may choose. It is known without measuring anything, so that a budget below
 * it is refused at once, with the reason and the size that would do; every figure of a least size comes from here. */
#include "base/options.h"
#include "plan/plan.h"
#include "plan/profile.h"
#include "quant/methods.h"

#include <stdio.h>

precis_status pcs_choices_check(precis_ctx *ctx, const precis_model *m, const precis_quant_options *o)
{
    precis_status st = pcs_profile_check(ctx, o->profile, m, false);
    const pcs_format *types[PCS_CHOICES];
    size_t n;
    for (size_t i = 0; i < m->n_tensors && !st; i++)
        st = pcs_candidates(ctx, &m->tensors[i], o, PCS_UNSEEN, types, &n);
    return st;
}

/* The type of fewest bits that a budget may choose from for rows that every block divides. */
static const pcs_format *smallest(const precis_quant_options *o)
{
    const char *list = o->types && strcmp(o->types, "all") ? o->types : NULL;
    const pcs_format *best = NULL;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        bool offered = pcs_encodable(f) && pcs_format_portable(f) && (o->types || !f->encode || pcs_format_bpw(f) >= 2);
        if (list) {
            const char *at = strstr(list, f->name);
            const size_t n = strlen(f->name);
            while (at && ((at > list && at[-1] != ',') || (at[n] && at[n] != ','))) at = strstr(at + 1, f->name);
            offered = at != NULL;
        }
        if (offered && (!best || pcs_format_bpw(f) < pcs_format_bpw(best))) best = f;
    }
    return best;
}

/* Rows whose length forbids the smallest type: those of the most weights. */
typedef struct { int64_t row; const pcs_format *to; uint64_t weights; size_t tensors; } narrow;

static void count_narrow(narrow *all, size_t *n, const pcs_plan_row *r)
{
    enum { KINDS = 16 };
    size_t k = 0;
    while (k < *n && (all[k].row != r->tensor->ne[0] || all[k].to != r->to)) k++;
    if (k == *n && *n < KINDS) all[(*n)++] = (narrow){ r->tensor->ne[0], r->to, 0, 0 };
    if (k == *n) return;
    all[k].weights += r->tensor->n;
    all[k].tensors++;
}

static void say_why(pcs_least *l, const precis_quant_options *o)
{
    narrow all[16];
    size_t n = 0, most = 0;
    const pcs_format *least = smallest(o);
    for (size_t i = 0; least && i < l->plan->n; i++) {
        const pcs_plan_row *r = &l->plan->rows[i];
        if (pcs_quantizable(r->tensor) && pcs_format_bpw(r->to) > pcs_format_bpw(least) &&
            !pcs_format_fits(least, (uint64_t)r->tensor->ne[0]))
            count_narrow(all, &n, r);
    }
    for (size_t k = 1; k < n; k++)
        if (all[k].weights > all[most].weights) most = k;
    if (n)
        snprintf(l->why, sizeof l->why,
                 ", since rows of %lld (in %zu tensors) are no whole blocks of %u, which forbids the types below %s",
                 (long long)all[most].row, all[most].tensors, least->block, all[most].to->name);
    else if (o->pins) snprintf(l->why, sizeof l->why, ", with the tensors that --pin keeps");
    else if (o->types) snprintf(l->why, sizeof l->why, ", in the types that --types names");
    else if (least)
        snprintf(l->why, sizeof l->why, ", nearly all in %s of %.2f bits, the smallest that is chosen unless --types "
                 "names it", least->name, pcs_format_bpw(least));
}

/* The smallest of a tensor's types. */
static precis_status smallest_of(precis_ctx *ctx, const pcs_tensor *t, const precis_quant_options *o, int how,
                                 const pcs_format **f)
{
    const pcs_format *types[PCS_CHOICES];
    const uint64_t row = (uint64_t)t->ne[0];
    size_t n, best = 0;
    const precis_status st = pcs_candidates(ctx, t, o, how, types, &n);
    for (size_t k = 1; k < n && !st; k++)
        if (pcs_row_bytes(types[k], row) < pcs_row_bytes(types[best], row)) best = k;
    *f = st ? NULL : types[best];
    return st;
}

precis_status pcs_least_open(precis_ctx *ctx, pcs_least *l, const precis_model *m, const precis_quant_options *o)
{
    *l = (pcs_least){ .plan = NULL };
    precis_status st = pcs_plan_new(ctx, &l->plan, m, "least");
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        const pcs_tensor *t = &m->tensors[i];
        const pcs_format *f, *held;
        float top;
        st = smallest_of(ctx, t, o, PCS_BOOKS | PCS_UNSEEN, &f);
        held = f;
        /* a code of 8 bits times a scale in F16 is far below the ends of some types: nobody has to look */
        const bool far = f && f->largest > 1e30f && t->format->kind == PCS_QUANT;
        if (!st && !far && f != pcs_resting(t)) st = pcs_holding(ctx, t, &held, &top);
        if (!st && held != f) st = smallest_of(ctx, t, o, PCS_BOOKS, &f);
        if (!st) pcs_plan_set(&l->plan->rows[i], f);
    }
    if (!st) st = precis_quant_file_bytes(ctx, m, l->plan, o, &l->bytes);
    if (!st) {
        precis_model_info info = { .size = sizeof info };
        precis_model_get_info(m, &info);
        if (info.parameters) l->bits = 8.0 * (double)precis_plan_bytes(l->plan) / (double)info.parameters;
        say_why(l, o);
    } else pcs_least_close(l);
    return st;
}

void pcs_least_close(pcs_least *l) { precis_plan_close(&l->plan); }

/* "MXFP4 94, IQ4_NL 57" */
static void types_of(const precis_plan *p, char *text, size_t cap)
{
    size_t used = 0;
    *text = 0;
    for (size_t f = 0; pcs_formats[f] && used < cap; f++) {
        size_t n = 0;
        for (size_t i = 0; i < p->n; i++) n += p->rows[i].to == pcs_formats[f];
        if (n) used += (size_t)snprintf(text + used, cap - used, "%s%s %zu", used ? ", " : "", pcs_formats[f]->name, n);
    }
}

precis_status pcs_least_refuse(precis_ctx *ctx, const pcs_least *l, uint64_t max_bytes)
{
    char a[32], b[32], types[160];
    types_of(l->plan, types, sizeof types);
    return pcs_fail(ctx, PRECIS_EBUDGET,
                    "no plan fits in %s (%llu bytes): the least feasible is %llu bytes (%s, %.2f bits per weight)%s; "
                    "--max-size %llu is the nearest that would do (%s)",
                    pcs_human((double)max_bytes, a), (unsigned long long)max_bytes, (unsigned long long)l->bytes,
                    pcs_human((double)l->bytes, b), l->bits, l->why, (unsigned long long)l->bytes, types);
}

bool pcs_needs_nothing(precis_ctx *ctx, const precis_model *m, uint64_t max_bytes, double bits)
{
    char a[32], b[32];
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    if (max_bytes <= info.file_bytes || (bits > 0 && bits <= info.bits_per_weight)) return false;
    if (bits > 0)
        pcs_fail(ctx, PRECIS_EINVAL, "nothing needs to be done: %g bits per weight are allowed, and the input has %.3f",
                 bits, info.bits_per_weight);
    else
        pcs_fail(ctx, PRECIS_EINVAL, "nothing needs to be done: %s are allowed, and the input has %s",
                 pcs_human((double)max_bytes, a), pcs_human((double)info.file_bytes, b));
    return true;
}

precis_status pcs_least_check(precis_ctx *ctx, const precis_model *m, const precis_quant_options *o,
                              uint64_t max_bytes, precis_solution *solution)
{
    pcs_least l;
    precis_status st = pcs_least_open(ctx, &l, m, o);
    if (st) return st;
    const precis_solution least = { .size = sizeof least, .min_bytes = l.bytes };
    if (solution) pcs_options_give(solution, &least, sizeof least);
    if (max_bytes < l.bytes) st = pcs_least_refuse(ctx, &l, max_bytes);
    pcs_least_close(&l);
    return st;
}
