/* observe.c - observers as rows of a table, and what all of them have in common: batches taken apart by channel,
 * infinities left out, a NaN refused, and no range of nothing. */
#include "quant/observe/observe.h"

#include <math.h>

#define OBSERVER(name) extern const pcs_observer_kind pcs_observer_##name;
#include "quant/observe/observers.def"
#undef OBSERVER

const pcs_observer_kind *const pcs_observers[] = {
#define OBSERVER(name) &pcs_observer_##name,
#include "quant/observe/observers.def"
#undef OBSERVER
    NULL,
};

const pcs_observer_kind *pcs_observer_by_name(const char *name)
{
    if (!name) return pcs_observers[0];
    for (size_t i = 0; pcs_observers[i]; i++)
        if (!strcmp(pcs_observers[i]->name, name)) return pcs_observers[i];
    return NULL;
}

void pcs_extremes(const float *x, size_t n, float *low, float *high)
{
    float a = x[0], b = x[0];
    for (size_t i = 1; i < n; i++) a = x[i] < a ? x[i] : a, b = x[i] > b ? x[i] : b;
    *low = a;
    *high = b;
}

static precis_status check(precis_ctx *ctx, const pcs_observer_kind *kind, const char *value,
                           const pcs_observer_options *o)
{
    const pcs_qscheme *s = &o->scheme;
    if (!o->channels) return pcs_fail(ctx, PRECIS_EINVAL, "%s: it has no channels to observe", value);
    if (o->channels > 1 && !kind->per_channel)
        return pcs_fail(ctx, PRECIS_EINVAL, "%s: observer %s has one range for all channels; minmax has one for each",
                        value, kind->name);
    if (!(o->averaging > 0 && o->averaging <= 1))
        return pcs_fail(ctx, PRECIS_EINVAL, "%s: averaging constant %g; it is above 0, up to 1", value, o->averaging);
    if (!(o->percentile > 50 && o->percentile <= 100))
        return pcs_fail(ctx, PRECIS_EINVAL, "%s: percentile %g; it is above 50, up to 100", value, o->percentile);
    if (s->low > 0 || s->high < 0 || s->low >= s->high)
        return pcs_fail(ctx, PRECIS_EINVAL, "%s: codes %d to %d; they must hold 0", value, s->low, s->high);
    return PRECIS_OK;
}

precis_status pcs_observation_open(precis_ctx *ctx, pcs_observation **out, const pcs_observer_kind *kind,
                                   const char *value, const pcs_observer_options *options)
{
    *out = NULL;
    precis_status st = check(ctx, kind, value, options);
    if (st) return st;
    const size_t n = strlen(value) + 1;
    pcs_observation *o = pcs_alloc(ctx, 1, sizeof *o);
    if (!o) return PRECIS_ENOMEM;
    *o = (pcs_observation){ .ctx = ctx, .kind = kind, .o = *options };
    o->value = pcs_alloc(ctx, n, 1);
    o->state = pcs_alloc(ctx, options->channels, kind->state);
    if (!o->value || !o->state) st = PRECIS_ENOMEM;
    if (!st) memcpy(o->value, value, n);
    if (!st && kind->begin) st = kind->begin(o);
    if (st) pcs_observation_close(&o);
    *out = o;
    return st;
}

void pcs_observation_close(pcs_observation **out)
{
    pcs_observation *o = *out;
    if (!o) return;
    if (o->kind->close && o->state) o->kind->close(o);
    pcs_free(o->ctx, o->value);
    pcs_free(o->ctx, o->state);
    pcs_free(o->ctx, o->room);
    pcs_free(o->ctx, o);
    *out = NULL;
}

/* What is no number, and how many are infinite. */
static precis_status look(pcs_observation *o, const float *x, uint64_t n, uint64_t *infinite)
{
    *infinite = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (isfinite(x[i])) continue;
        if (isnan(x[i]))
            return pcs_fail(o->ctx, PRECIS_EFORMAT, "%s is NaN at element %llu of batch %llu", o->value,
                            (unsigned long long)i, (unsigned long long)o->batches);
        ++*infinite;
    }
    return PRECIS_OK;
}

/* The finite values of a channel, after one another. */
static size_t gather(const pcs_observation *o, const float *x, uint32_t channel, uint64_t outer, uint64_t inner)
{
    size_t n = 0;
    for (uint64_t r = 0; r < outer; r++) {
        const float *row = x + (r * o->o.channels + channel) * inner;
        for (uint64_t i = 0; i < inner; i++)
            if (isfinite(row[i])) o->room[n++] = row[i];
    }
    return n;
}

precis_status pcs_observation_see(pcs_observation *o, const float *x, uint64_t outer, uint64_t inner)
{
    const uint32_t channels = o->o.channels;
    const uint64_t each = outer * inner, all = each * channels;
    uint64_t infinite = 0;
    const bool as_it_is = channels == 1;
    if (!all) return PRECIS_OK;
    precis_status st = look(o, x, all, &infinite);
    if (st) return st;
    if ((!as_it_is || infinite) && o->room_n < each) {
        pcs_free(o->ctx, o->room);
        o->room_n = 0;
        if (!(o->room = pcs_alloc(o->ctx, (size_t)each, sizeof *o->room))) return PRECIS_ENOMEM;
        o->room_n = (size_t)each;
    }
    for (uint32_t c = 0; c < channels && !st && infinite < all; c++) {
        const bool direct = as_it_is && !infinite;
        const size_t n = direct ? (size_t)each : gather(o, x, c, outer, inner);
        if (n) st = o->kind->see(o, c, direct ? x : o->room, n);
    }
    if (st) return st;
    o->batches++;
    if (!o->pass) o->seen += all, o->infinite += infinite;
    return PRECIS_OK;
}

uint32_t pcs_observation_passes(const pcs_observation *o) { return o->kind->passes ? o->kind->passes(&o->o) : 1; }

precis_status pcs_observation_again(pcs_observation *o)
{
    if (++o->pass >= pcs_observation_passes(o))
        return pcs_fail(o->ctx, PRECIS_EINVAL, "%s: observer %s has seen its values often enough", o->value,
                        o->kind->name);
    o->batches = 0;
    return PRECIS_OK;
}

precis_status pcs_observation_range(pcs_observation *o, float *low, float *high)
{
    precis_status st = PRECIS_OK;
    if (!o->kind->range)
        return pcs_fail(o->ctx, PRECIS_EINVAL, "%s: observer %s has no range to give", o->value, o->kind->name);
    if (!o->kind->needs_nothing && o->seen == o->infinite)
        return pcs_fail(o->ctx, PRECIS_EINVAL, "%s: its observer %s saw no number%s, so it has no range", o->value,
                        o->kind->name, o->seen ? " that is finite" : "");
    for (uint32_t c = 0; c < o->o.channels && !st; c++) {
        st = o->kind->range(o, c, &low[c], &high[c]);
        if (!st && !(isfinite(low[c]) && isfinite(high[c]) && low[c] <= high[c]))
            st = pcs_fail(o->ctx, PRECIS_EFORMAT, "%s: observer %s found a range of %g to %g in channel %u", o->value,
                          o->kind->name, (double)low[c], (double)high[c], c);
    }
    return st;
}

precis_status pcs_observation_qparams(pcs_observation *o, pcs_qparams *out)
{
    const uint32_t channels = o->o.channels;
    float *low = pcs_alloc(o->ctx, channels, 2 * sizeof *low), *high = low + channels;
    if (!low) return PRECIS_ENOMEM;
    const precis_status st = pcs_observation_range(o, low, high);
    for (uint32_t c = 0; c < channels && !st; c++) out[c] = pcs_qparams_choose(&o->o.scheme, low[c], high[c]);
    pcs_free(o->ctx, low);
    return st;
}
