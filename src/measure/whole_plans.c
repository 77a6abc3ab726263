/* whole_plans.c - plans of all sizes, measured whole: what they lose beside the sum of what their tensors cost alone. A
 * curve through them is what predicts (plan/profile.c). */
#include "base/fmath.h"
#include "measure/profiler.h"

#include <math.h>

#define CODED_SHARE 0.15 /* of the bits between the smallest type that is coded and the largest: 2.4 for TQ1_0, Q6_K */

/* A type that the method coded a tensor as: its rows, their bytes, and what it costs alone. f NULL: none. */
typedef struct { const pcs_format *f; const pcs_spill *rows; double bytes, loss; } offer;

/* What is on offer for each tensor, [tensors][types]; the caller frees it. */
static offer *offers_of(const pcs_profiler *r)
{
    offer *all = pcs_alloc(r->ctx, r->origin->n_tensors * r->n_types + 1, sizeof *all);
    for (size_t i = 0; all && i < r->n_wanted; i++) {
        const pcs_tensor *t = &r->origin->tensors[r->wanted[i].tensor];
        const pcs_format *f = r->wanted[i].f;
        const double loss = pcs_profile_loss(r->p, t->name, f->name, 0);
        for (size_t k = 0; k < r->n_types; k++)
            if (pcs_probe_type(r, t, r->types[k]) == f)
                all[r->wanted[i].tensor * r->n_types + k] =
                    (offer){ f, &r->codes[i],
                             (double)pcs_row_bytes(f, (uint64_t)t->ne[0]) * (double)pcs_tensor_rows(t),
                             loss > 0 ? loss : 0 };
    }
    return all;
}

/* The one for tensor i whose loss, times that, and bytes at that price cost least; NULL: there is none. */
static const offer *priced(const pcs_profiler *r, const offer *all, size_t i, double price, double times)
{
    const offer *best = NULL;
    double least = 0;
    for (const offer *o = all + i * r->n_types; o < all + (i + 1) * r->n_types; o++) {
        const double cost = o->loss * times + price * o->bytes;
        if (o->f && (!best || cost < least)) best = o, least = cost;
    }
    return best;
}

/* Losses are believed but for a factor of e^-0.25 to e^0.25, so that plans of one size differ. */
static double doubt(uint64_t *seed) { return pcs_exp(0.5 * pcs_rand_unit(seed) - 0.25); }

/* Bits for each weight that was coded, at a price of a byte. */
static double priced_bits(const pcs_profiler *r, const offer *all, uint64_t seed, double price)
{
    double bits = 0, weights = 0;
    for (size_t i = 0; i < r->origin->n_tensors; i++) {
        const offer *o = priced(r, all, i, price, doubt(&seed));
        if (!o) continue;
        bits += pcs_format_bpw(o->f) * (double)r->origin->tensors[i].n;
        weights += (double)r->origin->tensors[i].n;
    }
    return weights > 0 ? bits / weights : 0;
}

/* A whole plan of what the method coded, at a share of the bits between the least and the most. It spends them where
 * they gain, as the plans do that are predicted: types at random have most of their loss in one tensor (an embedding
 * at 2 bits) and say nothing about a plan that keeps that and gives up others. */
static precis_status coded_plan(pcs_profiler *r, uint64_t *seed, double share)
{
    double sum = 0, kld = 0, se = 0, low = 1e-14, high = 1e2;
    offer *all = offers_of(r);
    if (!all) return PRECIS_ENOMEM;
    const double most = priced_bits(r, all, *seed, 0), least = priced_bits(r, all, *seed, high);
    const double wanted = most - (1 - share) * (most - least);
    for (int step = 0; step < 60; step++) {
        const double price = sqrt(low * high);
        *(priced_bits(r, all, *seed, price) > wanted ? &low : &high) = price;
    }
    for (size_t i = 0; i < r->origin->n_tensors; i++) {
        const offer *o = priced(r, all, i, high, doubt(seed));
        if (!o) continue;
        pcs_tensor *own = &r->m->tensors[i];
        own->format = o->f;
        own->data = o->rows->data;
        own->bytes = pcs_tensor_rows(own) * pcs_row_bytes(o->f, (uint64_t)own->ne[0]);
        sum += o->loss;
    }
    pcs_free(r->ctx, all);
    const precis_status st = pcs_reference_divergence(&r->many, r->m, &(pcs_compared){ 0 }, &kld, &se);
    for (size_t i = 0; i < r->origin->n_tensors; i++) pcs_probe_put_back(r, i, NULL);
    if (!st && sum > 0 && kld > 0) r->p->plans[r->p->n_plans++] = (pcs_plan_sample){ sum, kld, se };
    return st;
}

static precis_status whole_plan(pcs_profiler *r, uint64_t *seed, double share)
{
    if (r->method) return coded_plan(r, seed, CODED_SHARE + (1 - CODED_SHARE) * share);
    static const char *const names[] = { "Q2_K", "Q3_K", "IQ4_XS", "Q4_K", "Q5_K", "Q6_K", "Q8_0" };
    uint8_t **bytes = pcs_alloc(r->ctx, r->origin->n_tensors + 1, sizeof *bytes);
    precis_status st = bytes ? PRECIS_OK : PRECIS_ENOMEM;
    double sum = 0, kld = 0, se = 0;
    for (size_t i = 0; i < r->origin->n_tensors && !st; i++) {
        const pcs_tensor *t = &r->origin->tensors[i];
        const double u = pcs_rand_unit(seed) * 3 - 1.5 + share * 6; /* around a level of bits */
        const int pick = u < 0 ? 0 : u > 6 ? 6 : (int)(u + 0.5);
        const pcs_format *f = pcs_format_by_name(names[pick]), *fit = f ? pcs_probe_type(r, t, f) : NULL;
        double error, loss;
        if (!fit || !pcs_profile_of(r->p, t->name)) continue;
        st = pcs_probe_swap(r, i, fit, &bytes[i], &error);
        if (!st && (loss = pcs_profile_loss(r->p, t->name, fit->name, error)) > 0) sum += loss;
    }
    if (!st) st = pcs_reference_divergence(&r->many, r->m, &(pcs_compared){ 0 }, &kld, &se);
    for (size_t i = 0; bytes && i < r->origin->n_tensors; i++)
        if (bytes[i]) pcs_probe_put_back(r, i, bytes[i]);
    pcs_free(r->ctx, bytes);
    if (!st && sum > 0 && kld > 0) r->p->plans[r->p->n_plans++] = (pcs_plan_sample){ sum, kld, se };
    return st;
}

precis_status pcs_whole_plans(pcs_profiler *r)
{
    uint64_t seed = r->ctx->opt.seed ^ 0x9a1e5u;
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < r->plans && !st; k++) {
        if (k >= r->p->n_plans) {
            if (pcs_by_swaps(r) && k >= 4 && pcs_now() - r->begun > r->opt->time_limit) break;
            /* wherever time ends, plans of all sizes have been measured */
            st = whole_plan(r, &seed, pcs_spread(k) + 0.5 / PCS_WHOLE_PLANS);
        } else for (size_t i = 0; i < r->origin->n_tensors; i++) (void)pcs_rand_unit(&seed);
        if (!st) st = pcs_profiler_advance(r, r->whole + r->coding * r->numbers);
    }
    return st;
}
