/* schedule.c - learning rates. */
#include "train/schedule.h"

#include "base/fmath.h"

static double constant(const pcs_schedule_settings *s, uint64_t t)
{
    (void)s, (void)t;
    return 1;
}

/* The part of the way after the warm-up that is gone after step t. */
static double gone(const pcs_schedule_settings *s, uint64_t t)
{
    const double way = (double)s->steps - (double)s->warmup, at = (double)t + 1 - (double)s->warmup;
    return way > 0 && at > 0 ? (at < way ? at / way : 1) : 0;
}

static double cosine(const pcs_schedule_settings *s, uint64_t t)
{
    double sn, cs;
    pcs_sincos(3.14159265358979323846 * gone(s, t), &sn, &cs);
    return s->final + (1 - s->final) * (1 + cs) / 2;
}

static double linear(const pcs_schedule_settings *s, uint64_t t) { return 1 - (1 - s->final) * gone(s, t); }

/* Warm-up, stable, decay (Hu et al. 2024, 2404.06395): linear over the last fifth of all steps. */
static double wsd(const pcs_schedule_settings *s, uint64_t t)
{
    const double span = 0.2 * (double)s->steps, at = (double)t - ((double)s->steps - span);
    return at > 0 ? 1 - (1 - s->final) * (at < span ? at / span : 1) : 1;
}

/* BitNet b1.58 ("The Era of 1-bit LLMs: training tips, code and FAQ", section 2): linear, and from the half of all
 * steps on less by a factor: a ternary model gains most when the rate drops. */
static double two_stage(const pcs_schedule_settings *s, uint64_t t)
{
    return linear(s, t) * (2 * t >= s->steps ? s->second : 1);
}

const pcs_schedule pcs_schedules[] = {
#define SCHEDULE(name) { #name, name },
#include "train/schedules.def"
#undef SCHEDULE
    { NULL, NULL },
};

const pcs_schedule *pcs_schedule_by_name(const char *name)
{
    for (size_t i = 0; pcs_schedules[i].name; i++)
        if (!strcmp(pcs_schedules[i].name, name)) return &pcs_schedules[i];
    return NULL;
}

double pcs_schedule_lr(const pcs_schedule *schedule, const pcs_schedule_settings *s, uint64_t t)
{
    if (t < s->warmup) return s->lr * (double)(t + 1) / (double)s->warmup;
    return s->lr * schedule->share(s, t);
}
