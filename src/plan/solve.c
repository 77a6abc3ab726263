/* solve.c - the multiple-choice knapsack.
 *
 * A Lagrange multiplier gives a bound: for any l >= 0, loss >= sum_i min_c (loss + l * bytes) - l * budget. The
 * best l is found by bisection; its solution, filled up greedily, is the incumbent. Then Pareto lists
 * (Nemhauser and Ullmann 1969) are grown item by item; a partial solution is dropped when its loss plus
 * the bound of the rest reaches the incumbent's. The gap is small, so few survive. */
#include "base/options.h"
#include "plan/plan.h"

#include <stdlib.h>

#define LIST_MAX (1u << 20)   /* states of one list */
#define STATES_MAX (1u << 24) /* of all */

typedef struct { uint64_t bytes; double loss; uint32_t from; uint16_t choice; } state;

typedef struct {
    precis_ctx *ctx;
    const precis_item *items;
    size_t n;
    uint64_t budget;
    double multiplier;
    double *rest;        /* sum over items i.. of min (loss + l * bytes) */
    uint64_t *rest_bytes; /* least bytes of items i.. */
    uint16_t *best;      /* incumbent */
    double best_loss;
    uint64_t best_bytes;
} problem;

static size_t cheapest(const precis_item *it, double l)
{
    size_t best = 0;
    double least = it->choices[0].loss + l * (double)it->choices[0].bytes;
    for (size_t c = 1; c < it->n; c++) {
        const precis_choice *x = &it->choices[c];
        const double cost = x->loss + l * (double)x->bytes;
        if (cost < least || (cost == least && x->bytes < it->choices[best].bytes)) best = c, least = cost;
    }
    return best;
}

static uint64_t bytes_at(const problem *p, double l)
{
    uint64_t n = 0;
    for (size_t i = 0; i < p->n; i++) n += p->items[i].choices[cheapest(&p->items[i], l)].bytes;
    return n;
}

/* Improve while there is room: always the exchange with the most loss saved per byte. */
static void fill_up(problem *p)
{
    for (;;) {
        double gain = 0;
        size_t item = p->n, choice = 0;
        for (size_t i = 0; i < p->n; i++) {
            const precis_choice *now = &p->items[i].choices[p->best[i]];
            for (size_t c = 0; c < p->items[i].n; c++) {
                const precis_choice *o = &p->items[i].choices[c];
                if (o->loss >= now->loss || p->best_bytes - now->bytes + o->bytes > p->budget) continue;
                const double more = o->bytes > now->bytes ? (double)(o->bytes - now->bytes) : 1e-9;
                if ((now->loss - o->loss) / more > gain) gain = (now->loss - o->loss) / more, item = i, choice = c;
            }
        }
        if (item == p->n) break;
        p->best_bytes += p->items[item].choices[choice].bytes - p->items[item].choices[p->best[item]].bytes;
        p->best[item] = (uint16_t)choice;
    }
    p->best_loss = 0;
    for (size_t i = 0; i < p->n; i++) p->best_loss += p->items[i].choices[p->best[i]].loss;
}

static void find_multiplier(problem *p)
{
    double lo = 0, hi = 1e-12;
    while (bytes_at(p, hi) > p->budget && hi < 1e30) hi *= 4;
    if (bytes_at(p, 0) <= p->budget) hi = 0;
    for (int i = 0; i < 200 && hi > 0; i++) {
        const double mid = (lo + hi) / 2;
        if (bytes_at(p, mid) > p->budget) lo = mid;
        else hi = mid;
    }
    p->multiplier = hi;
    p->best_bytes = 0;
    for (size_t i = 0; i < p->n; i++) {
        p->best[i] = (uint16_t)cheapest(&p->items[i], hi);
        p->best_bytes += p->items[i].choices[p->best[i]].bytes;
    }
    fill_up(p);
    for (size_t i = p->n; i-- > 0;) {
        const precis_choice *c = &p->items[i].choices[cheapest(&p->items[i], hi)];
        p->rest[i] = p->rest[i + 1] + c->loss + hi * (double)c->bytes;
    }
}

static int by_bytes(const void *a_, const void *b_)
{
    const state *a = a_, *b = b_;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? -1 : 1;
    if (a->loss != b->loss) return a->loss < b->loss ? -1 : 1;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return (int)a->choice - (int)b->choice;
}

/* Makes the list of item i from `old`, that of i - 1; false when it would be longer than LIST_MAX. */
static bool grow(const problem *p, size_t i, const state *old, size_t n_old, state *out, size_t *n_out)
{
    const precis_item *it = &p->items[i];
    size_t n = 0;
    for (size_t k = 0; k < n_old; k++)
        for (size_t c = 0; c < it->n; c++) {
            const precis_choice *x = &it->choices[c];
            const state s = { old[k].bytes + x->bytes, old[k].loss + x->loss, (uint32_t)k, (uint16_t)c };
            if (s.bytes + p->rest_bytes[i + 1] > p->budget) continue;
            const double bound = s.loss + p->rest[i + 1] - p->multiplier * (double)(p->budget - s.bytes);
            if (bound >= p->best_loss * (1 - 1e-12)) continue;
            if (n == LIST_MAX) return false;
            out[n++] = s;
        }
    qsort(out, n, sizeof *out, by_bytes);
    size_t kept = 0;
    for (size_t k = 0; k < n; k++)
        if (!kept || out[k].loss < out[kept - 1].loss) out[kept++] = out[k];
    *n_out = kept;
    return true;
}

/* 1: proved; 0: the lists grew too long; negative: a status. */
static int improve(problem *p)
{
    size_t used = 1, *begin = pcs_alloc(p->ctx, p->n + 2, sizeof *begin), cap = 4096;
    state *all = pcs_alloc(p->ctx, cap, sizeof *all), *work = pcs_alloc(p->ctx, LIST_MAX, sizeof *work);
    int result = begin && all && work ? 1 : (int)PRECIS_ENOMEM;
    size_t count = 1;
    for (size_t i = 0; i < p->n && result == 1 && count; i++) {
        size_t n;
        if (!grow(p, i, all + begin[i], count, work, &n) || used + n > STATES_MAX) {
            result = 0;
            break;
        }
        if (used + n > cap) {
            while (cap < used + n) cap *= 2;
            state *grown = pcs_grow(p->ctx, all, used * sizeof *grown, cap, sizeof *grown);
            if (!grown) {
                result = (int)PRECIS_ENOMEM;
                break;
            }
            all = grown;
        }
        memcpy(all + used, work, n * sizeof *work);
        begin[i + 1] = used;
        used += n;
        count = n;
        if (pcs_progress(p->ctx, "plan", i, p->n)) result = (int)PRECIS_ECANCELED;
    }
    /* The last state has the least loss. */
    if (result == 1 && count && all[begin[p->n] + count - 1].loss < p->best_loss) {
        size_t k = count - 1;
        p->best_loss = all[begin[p->n] + k].loss;
        p->best_bytes = all[begin[p->n] + k].bytes;
        for (size_t i = p->n; i-- > 0;) {
            const state *s = &all[begin[i + 1] + k];
            p->best[i] = s->choice;
            k = s->from;
        }
    }
    pcs_free(p->ctx, begin);
    pcs_free(p->ctx, all);
    pcs_free(p->ctx, work);
    return result;
}

static precis_status check(precis_ctx *ctx, const precis_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!items[i].n || items[i].n > UINT16_MAX)
            return pcs_fail(ctx, PRECIS_EINVAL, "item %zu has %zu choices", i, items[i].n);
        for (size_t c = 0; c < items[i].n; c++) {
            const double loss = items[i].choices[c].loss;
            if (!(loss >= 0 && loss < 1e300) || items[i].choices[c].bytes > (uint64_t)1 << 50)
                return pcs_fail(ctx, PRECIS_EINVAL,
                                "item %zu, choice %zu: loss %g is not finite and >= 0, or too many bytes", i, c, loss);
        }
    }
    return PRECIS_OK;
}

precis_status precis_plan_solve(precis_ctx *ctx, const precis_item *items, size_t n, uint64_t max_bytes, size_t *picks,
                                precis_solution *solution)
{
    precis_status st = check(ctx, items, n);
    if (st) return st;
    problem p = { .ctx = ctx, .items = items, .n = n, .budget = max_bytes };
    p.rest = pcs_alloc(ctx, n + 1, sizeof *p.rest);
    p.rest_bytes = pcs_alloc(ctx, n + 1, sizeof *p.rest_bytes);
    p.best = pcs_alloc(ctx, n + 1, sizeof *p.best);
    int proved = (int)PRECIS_ENOMEM;
    if (p.rest && p.rest_bytes && p.best) {
        for (size_t i = n; i-- > 0;) {
            uint64_t least = UINT64_MAX;
            for (size_t c = 0; c < items[i].n; c++)
                if (items[i].choices[c].bytes < least) least = items[i].choices[c].bytes;
            p.rest_bytes[i] = p.rest_bytes[i + 1] + least;
        }
        if (p.rest_bytes[0] > max_bytes) {
            char least[32], budget[32];
            st = pcs_fail(ctx, PRECIS_EBUDGET, "no plan fits in %s: the least is %s (%llu bytes)",
                          pcs_human((double)max_bytes, budget), pcs_human((double)p.rest_bytes[0], least),
                          (unsigned long long)p.rest_bytes[0]);
            proved = (int)st;
        } else {
            find_multiplier(&p);
            proved = p.best_loss <= p.rest[0] - p.multiplier * (double)max_bytes ? 1 : improve(&p);
        }
    }
    if (solution) {
        const double bound = p.rest ? p.rest[0] - p.multiplier * (double)max_bytes : 0;
        const precis_solution all = { solution->size, p.best_bytes, p.rest_bytes ? p.rest_bytes[0] : 0, p.best_loss,
                                      proved == 1 ? p.best_loss : bound > 0 ? bound : 0, proved == 1 };
        pcs_options_give(solution, &all, sizeof all);
    }
    for (size_t i = 0; i < n && proved >= 0; i++) picks[i] = p.best[i];
    pcs_free(ctx, p.rest);
    pcs_free(ctx, p.rest_bytes);
    pcs_free(ctx, p.best);
    return proved < 0 ? (precis_status)proved : PRECIS_OK;
}
