/* lookup.c - speculation from the text itself (prompt lookup: Saxena 2023; n-gram matches of what was said before).
 *
 * When the last tokens stood earlier in the text, what followed there is guessed to follow here, and is decoded in
 * the same call: weights are read once for all of it. A guess that is right has its logits ready; one that is wrong
 * is written over. Logits are the same bits whatever else a call decodes, so the text is the same with and without.
 * Guessing stops for a while where it costs more than it brings, by the clock. */
#include "base/options.h"
#include "base/pool.h"
#include "run/program.h"
#include "run/runner.h"

enum { GRAM = 3, LEAST = 2, MOST = PCS_FEW - 1, REST = 48 };

struct precis_lookup {
    precis_runner *r;
    uint32_t sequence;
    int32_t *ids;          /* of positions */
    uint32_t n;            /* that are known */
    int32_t draft[MOST];   /* behind `base` */
    uint32_t base, drafted, used;
    const float *logits;   /* of base and of each drafted */
    uint64_t call;         /* of the runner, that made them */
    double one, many, gain; /* running means: seconds of a call without and with a draft; tokens that a draft brought */
    uint32_t rest;         /* calls without a guess that are left */
    precis_lookup_info info;
};

precis_status precis_lookup_open(precis_ctx *ctx, precis_lookup **out, precis_runner *r, uint32_t sequence)
{
    precis_lookup *l = *out = pcs_alloc(ctx, 1, sizeof *l);
    if (!l) return PRECIS_ENOMEM;
    l->r = r;
    l->sequence = sequence;
    if ((l->ids = pcs_alloc(ctx, r->context, sizeof *l->ids))) return PRECIS_OK;
    precis_lookup_close(out);
    return PRECIS_ENOMEM;
}

void precis_lookup_close(precis_lookup **lookup)
{
    if (!lookup || !*lookup) return;
    precis_ctx *ctx = (*lookup)->r->ctx;
    pcs_free(ctx, (*lookup)->ids);
    pcs_free(ctx, *lookup);
    *lookup = NULL;
}

void precis_lookup_read(precis_lookup *l, int32_t token, uint32_t position)
{
    if (position >= l->r->context || position > l->n) return;
    l->ids[position] = token;
    l->n = position + 1;
    l->drafted = 0;
}

void precis_lookup_get_info(const precis_lookup *l, precis_lookup_info *info)
{
    precis_lookup_info all = l->info;
    all.size = info->size;
    pcs_options_give(info, &all, sizeof all);
}

/* What followed the latest earlier place of the last tokens. */
static uint32_t guess(const precis_lookup *l, int32_t *draft, uint32_t most)
{
    for (uint32_t gram = GRAM; gram >= LEAST; gram--) {
        if (l->n < gram + 1) continue;
        for (uint32_t end = l->n - 1; end >= gram; end--) { /* tokens before `end` match the last ones */
            if (memcmp(l->ids + end - gram, l->ids + l->n - gram, gram * sizeof *l->ids)) continue;
            const uint32_t k = l->n - end < most ? l->n - end : most;
            memcpy(draft, l->ids + end, k * sizeof *draft);
            return k;
        }
    }
    return 0;
}

static void learn(double *mean, double x) { *mean = *mean > 0 ? 0.8 * *mean + 0.2 * x : x; }

/* The draft in hand is at its end: what it brought. */
static void settle(precis_lookup *l)
{
    if (!l->drafted) return;
    learn(&l->gain, 1.0 + l->used);
    l->info.drafted += l->drafted;
    l->info.accepted += l->used;
    if (l->one > 0 && l->many > 0 && l->gain * l->one < l->many) {
        l->rest = REST;
        l->gain = 0;
    }
    l->drafted = 0;
}

precis_status precis_lookup_decode(precis_lookup *l, int32_t token, uint32_t position, const float **logits)
{
    precis_runner *r = l->r;
    const bool guessed = l->used < l->drafted && position == l->base + l->used + 1 && token == l->draft[l->used];
    if (guessed && l->call == r->calls && precis_runner_length(r, l->sequence) > position) {
        l->used++;
        l->ids[position] = token;
        l->n = position + 1;
        *logits = l->logits + (size_t)l->used * r->lm.vocabulary;
        return PRECIS_OK;
    }
    settle(l);
    precis_lookup_read(l, token, position);
    uint32_t most = MOST < r->outputs - 1 ? MOST : r->outputs - 1, k = 0;
    if (r->context - position - 1 < most) most = r->context - position - 1;
    if (l->rest) l->rest--;
    else if (l->n == position + 1) k = guess(l, l->draft, most);
    precis_row rows[MOST + 1] = { { token, position, l->sequence, 1 } };
    for (uint32_t i = 0; i < k; i++) rows[i + 1] = (precis_row){ l->draft[i], position + 1 + i, l->sequence, 1 };
    const double begun = pcs_now();
    const precis_status st = precis_runner_decode(r, rows, k + 1, &l->logits);
    if (st) return st;
    learn(k ? &l->many : &l->one, pcs_now() - begun);
    l->call = r->calls;
    l->info.calls++;
    l->base = position;
    l->drafted = k;
    l->used = 0;
    *logits = l->logits;
    return PRECIS_OK;
}
