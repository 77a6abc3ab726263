/* net_bench.c - how long a net of arrays takes, as a whole and node by node, beside the products that it makes and what
 * this machine multiplies at best. */
#include "base/options.h"
#include "base/pool.h"
#include "graph/element.h"
#include "measure/machine.h"
#include "precis/bench.h"
#include "run/net.h"

#include <stdlib.h>
#include <time.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double processor_time(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) ? 0 : (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Runs for `seconds` and at least three times; least and median. */
static precis_status run_for(precis_net *net, const precis_array *inputs, size_t n, double seconds,
                             precis_net_speed *out)
{
    enum { MOST = 4096 };
    double took[MOST];
    const precis_array *outputs;
    size_t runs = 0;
    const double begun = pcs_now();
    while (runs < MOST && (runs < 3 || pcs_now() - begun < seconds)) {
        const double at = pcs_now(), used = processor_time();
        const precis_status st = precis_net_run(net, inputs, n, &outputs);
        if (st) return st;
        took[runs++] = pcs_now() - at;
        const double both = processor_time() - used;
        if (runs == 1 || both < out->processor) out->processor = both;
    }
    qsort(took, runs, sizeof *took, by_value);
    out->seconds = took[0];
    out->median = (took[(runs - 1) / 2] + took[runs / 2]) / 2;
    out->runs = (uint32_t)runs;
    return PRECIS_OK;
}

static bool of_codes(const pcs_step *s) { return s->n_in > 1 && pcs_dtype_whole(s->call.in[1].dtype); }

static void count(const precis_program *p, precis_net_speed *out)
{
    for (size_t i = 0; i < p->n_steps; i++) {
        const pcs_step *s = &p->steps[i];
        const uint64_t products = s->op && s->op->products ? s->op->products(&s->call) : 0;
        if (of_codes(s)) out->code_products += products;
        else out->products += products;
    }
}

/* Every step alone, the least of some runs. */
static precis_status by_node(precis_net *net, const precis_array *inputs, size_t n, precis_net_node_fn *fn, void *user)
{
    enum { RUNS = 5 };
    precis_program *p = pcs_net_program(net);
    precis_ctx *ctx = p->ctx;
    double *seconds = pcs_alloc(ctx, 2 * p->n_steps + 2, sizeof *seconds), *least = seconds + p->n_steps;
    precis_status st = seconds ? PRECIS_OK : PRECIS_ENOMEM;
    const precis_array *outputs;
    for (int r = 0; r < RUNS && !st; r++) {
        memset(seconds, 0, p->n_steps * sizeof *seconds);
        p->seconds = seconds;
        st = precis_net_run(net, inputs, n, &outputs);
        p->seconds = NULL;
        for (size_t i = 0; i < p->n_steps; i++)
            if (!r || seconds[i] < least[i]) least[i] = seconds[i];
    }
    for (size_t i = 0; i < p->n_steps && !st; i++) {
        const pcs_step *s = &p->steps[i];
        const precis_net_node node = { .size = sizeof node,
                                       .name = s->op ? s->name : "",
                                       .op = s->op ? s->op->name : "quantize_act",
                                       .seconds = least[i],
                                       .codes = of_codes(s),
                                       .products = s->op && s->op->products ? s->op->products(&s->call) : 0 };
        if (fn(user, &node)) st = PRECIS_ECANCELED;
    }
    pcs_free(ctx, seconds);
    return st;
}

precis_status precis_net_bench(precis_net *net, const precis_array *inputs, size_t n, const precis_net_bench_options *o,
                               precis_net_speed *result)
{
    const precis_array *outputs;
    precis_net_speed r = { .size = sizeof r };
    precis_status st = precis_net_run(net, inputs, n, &outputs);
    if (!st) st = run_for(net, inputs, n, o->seconds > 0 ? o->seconds : 1, &r);
    if (!st) {
        precis_program *p = pcs_net_program(net);
        count(p, &r);
        r.multiply_s = o->net_alone ? 0 : pcs_multiply_speed(p->ctx, p->kernels.peak);
        r.fma_s = o->net_alone ? 0 : pcs_multiply_speed(p->ctx, p->kernels.peakf);
        r.floor = o->net_alone ? 0 : (double)r.code_products / r.multiply_s + (double)r.products / r.fma_s;
        if (o->node) st = by_node(net, inputs, n, o->node, o->user);
    }
    pcs_options_give(result, &r, sizeof r);
    return st;
}
