/* recorder.c - keeps every value, for looking at them (torch's RecordingObserver). Its memory is that of the values. */
#include "quant/observe/observe.h"

typedef struct { float *values; size_t n, room; } recording;

static precis_status see(pcs_observation *o, uint32_t channel, const float *x, size_t n)
{
    recording *r = pcs_observation_state(o, channel);
    uint64_t need;
    if (!pcs_add_ok(r->n, n, &need) || need > SIZE_MAX / sizeof *x / 2) return PRECIS_ENOMEM;
    if (need > r->room) {
        const size_t room = need > 2 * r->room ? (size_t)need : 2 * r->room;
        float *more = pcs_grow(o->ctx, r->values, r->n * sizeof *x, room, sizeof *x);
        if (!more) return PRECIS_ENOMEM;
        r->values = more;
        r->room = room;
    }
    memcpy(r->values + r->n, x, n * sizeof *x);
    r->n = (size_t)need;
    return PRECIS_OK;
}

static precis_status range(pcs_observation *o, uint32_t channel, float *low, float *high)
{
    const recording *r = pcs_observation_state(o, channel);
    pcs_extremes(r->values, r->n, low, high);
    return PRECIS_OK;
}

static const float *kept(const pcs_observation *o, size_t *n)
{
    const recording *r = pcs_observation_state(o, 0);
    *n = r->n;
    return r->values;
}

static void close_values(pcs_observation *o)
{
    recording *r = pcs_observation_state(o, 0);
    pcs_free(o->ctx, r->values);
}

const pcs_observer_kind pcs_observer_recorder = {
    .name = "recorder", .what = "all values, kept", .state = sizeof(recording), .see = see, .range = range,
    .kept = kept, .close = close_values,
};
