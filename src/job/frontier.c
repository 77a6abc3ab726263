/* frontier.c - the best plans of several sizes, and the usual mixes, from one table of losses. */
#include "precis/frontier.h"
#include "base/options.h"
#include "plan/plan.h"
#include "plan/profile.h"
#include "quant/quant.h"

#include <stdio.h>

typedef struct {
    precis_ctx *ctx;
    const precis_model *m;
    const precis_quant_options *o;
    precis_tradeoff *points;
    size_t n, room;
} frontier;

static precis_status add(frontier *f, const char *name, const precis_plan *plan, double loss)
{
    precis_model_info info = { .size = sizeof info };
    double interval[2];
    precis_model_get_info(f->m, &info);
    if (f->n == f->room) return PRECIS_OK;
    precis_tradeoff *p = &f->points[f->n];
    snprintf(p->name, sizeof p->name, "%s", name);
    p->kld = f->o->profile ? precis_profile_predict(f->o->profile, loss, interval) : loss;
    p->bits = info.parameters ? 8.0 * (double)precis_plan_bytes(plan) / (double)info.parameters : 0;
    const precis_status st = precis_quant_file_bytes(f->ctx, f->m, plan, f->o, &p->bytes);
    f->n += st == PRECIS_OK;
    return st;
}

static precis_status add_best(frontier *f, pcs_loss_table *t, uint64_t least, uint64_t most)
{
    enum { SIZES = 10 };
    precis_status st = PRECIS_OK;
    for (uint64_t i = 0; i < SIZES && !st; i++) {
        precis_plan *plan = NULL;
        precis_solution s = { .size = sizeof s };
        double loss = 0;
        /* closer where the loss grows: a square of even steps */
        st = pcs_loss_table_plan(t, least + (most - least) * i * i / ((SIZES - 1) * (SIZES - 1)), &plan, &s, &loss);
        if (!st) st = add(f, "", plan, loss);
        else if (st == PRECIS_EBUDGET) st = PRECIS_OK;
        precis_plan_close(&plan);
    }
    return st;
}

static precis_status add_mixes(frontier *f, const pcs_loss_table *t)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; pcs_mixes[i].name && !st; i++) {
        precis_plan *plan = NULL;
        double loss;
        st = pcs_plan_of_types(f->ctx, &plan, f->m, pcs_mixes[i].name, 0);
        if (!st && pcs_loss_table_of(t, plan, &loss)) st = add(f, pcs_mixes[i].name, plan, loss);
        precis_plan_close(&plan);
    }
    return st;
}

precis_status precis_plan_frontier(precis_ctx *ctx, const precis_model *m, const precis_quant_options *opts,
                                   precis_tradeoff *points, size_t *n)
{
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    frontier f = { ctx, m, &o, points, 0, *n };
    pcs_loss_table *t = NULL;
    pcs_least least;
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    *n = 0;
    precis_status st = pcs_least_open(ctx, &least, m, &o);
    if (st) return st;
    const uint64_t low = least.bytes, high = info.file_bytes > low ? info.file_bytes : low;
    pcs_least_close(&least);
    st = pcs_loss_table_open(ctx, &t, m, &o, true);
    if (!st) st = add_best(&f, t, low, high);
    if (!st) st = add_mixes(&f, t);
    pcs_loss_table_close(&t);
    if (!st) ctx->message[0] = 0;
    *n = f.n;
    return st;
}
