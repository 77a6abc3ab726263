/* candidates.c - which types a tensor may take under a budget. */
#include "plan/plan.h"
#include "quant/methods.h"

/* Types with books of vectors: they take a hundred times the time to fit. */
bool pcs_has_book(const pcs_format *f) { return f->encode && f->block == PCS_BLOCK_MAX; }

/* A coder that refuses such types leaves them to search, and gains more over it elsewhere (docs/tried.md). Where search
 * codes and costs were measured, they lose a fifth less below so many bits for each weight (docs/planning.md); above,
 * only the time to fit them would be paid. */
bool pcs_wants_books(precis_ctx *ctx, const precis_model *m, const char *method, uint64_t bytes)
{
    const double bits = 3.5;
    pcs_method_set set;
    if (pcs_methods_parse(ctx, method, &set)) return false;
    for (size_t i = 0; pcs_formats[i]; i++)
        if (pcs_has_book(pcs_formats[i]) && set.coder->refuses && set.coder->refuses(pcs_formats[i])) return false;
    return 8 * (double)bytes < bits * pcs_quantizable_weights(m);
}

/* Without types after the first that cannot hold the tensor's numbers. */
static precis_status drop_small(precis_ctx *ctx, const pcs_tensor *t, const pcs_format **types, size_t *n)
{
    size_t kept = 1;
    float top = 0;
    precis_status st = PRECIS_OK;
    for (size_t i = 1; i < *n && !st; i++) {
        const pcs_format *held = types[i];
        if (!(top > 0)) st = pcs_holding(ctx, t, &held, &top);
        if (!st && held == types[i] && pcs_format_holds(types[i], top)) types[kept++] = types[i];
    }
    *n = kept;
    return st;
}

precis_status pcs_candidates(precis_ctx *ctx, const pcs_tensor *t, const precis_quant_options *o, int how,
                             const pcs_format **types, size_t *n)
{
    const bool books = (how & PCS_BOOKS) != 0, unseen = (how & PCS_UNSEEN) != 0;
    const char *list = o->types && !strcmp(o->types, "all") ? NULL : o->types;
    const pcs_format *pinned = NULL;
    precis_status st = o->pins ? pcs_pattern_type(ctx, o->pins, t->name, &pinned) : PRECIS_OK;
    *n = 0;
    if (st) return st;
    if (pinned) {
        const pcs_format *fit = pcs_fitting(pinned, t->ne[0]);
        float top;
        if (fit && fit != pinned && !unseen) st = pcs_holding(ctx, t, &fit, &top);
        if (st) return st;
        if (!fit || (fit != pinned && o->strict))
            return pcs_fail(ctx, PRECIS_EINVAL, "tensor %s: rows of %lld are not whole blocks of %s", t->name,
                            (long long)t->ne[0], pinned->name);
        types[(*n)++] = fit;
        return PRECIS_OK;
    }
    types[(*n)++] = pcs_resting(t);
    if (!pcs_quantizable(t)) return PRECIS_OK;
    for (size_t i = 0; pcs_formats[i] && *n < PCS_CHOICES; i++) {
        const pcs_format *f = pcs_formats[i];
        if (f == t->format || !pcs_encodable(f) || !pcs_format_fits(f, (uint64_t)t->ne[0]) ||
            pcs_format_bpw(f) > pcs_format_bpw(t->format))
            continue;
        /* what others read, unless it is asked for; and no binary */
        if (!list && (!pcs_format_portable(f) || (f->encode && pcs_format_bpw(f) < 2) || (!books && pcs_has_book(f))))
            continue;
        if (list) {
            bool listed = false;
            for (const char *p = list; *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ',')) {
                char name[32] = { 0 };
                const size_t len = strcspn(p, ",");
                memcpy(name, p, len < 31 ? len : 31);
                const pcs_format *want = pcs_format_by_name(name);
                if (!want) return pcs_fail(ctx, PRECIS_EINVAL, "\"%s\" is no type; precis list formats has them", name);
                listed |= pcs_fitting(want, t->ne[0]) == f;
            }
            if (!listed) continue;
        }
        types[(*n)++] = f;
    }
    return unseen ? PRECIS_OK : drop_small(ctx, t, types, n);
}
