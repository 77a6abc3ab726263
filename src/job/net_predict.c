/* net_predict.c - what each node of a net takes in float and in codes, before it is quantized: both are measured here,
 * the second on a trial with the ranges of one batch. Nodes of the trial are named after those of the float net, with
 * what was added after a '_' or a '.'. */
#include "precis/net_predict.h"

#include "base/base.h"
#include "base/options.h"
#include "job/net_kept.h"
#include "job/temporary.h"
#include "run/net.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    precis_net_prediction p;
    int32_t into;  /* the node that it is fused into; -1 */
    bool product;  /* with weights in codes */
    uint64_t products; /* that its kernel makes */
} predicted_node;

struct precis_net_predicted {
    precis_ctx *ctx;
    pcs_arena arena;
    precis_net_quant_options quant;
    predicted_node *nodes;
    size_t n, n_floats;
    const char **floats, **reasons; /* [n_floats]; of the caller's own NULL, unless he says them */
    /* of a run of each; rest: of the trial, what belongs to no node; sum: over its nodes */
    double in_float, trial, rest, sum;
    bool of_trial;
    precis_status status;
};

/* ---- nodes ---------------------------------------------------------------------------------------------- */

/* The entry whose name is the longest beginning of this one. */
static predicted_node *owner(precis_net_predicted *p, const char *name)
{
    predicted_node *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < p->n; i++) {
        const size_t n = strlen(p->nodes[i].p.name);
        if (n < most || strncmp(p->nodes[i].p.name, name, n) || (name[n] && name[n] != '_' && name[n] != '.')) continue;
        most = n;
        best = &p->nodes[i];
    }
    while (best && best->into >= 0) best = &p->nodes[best->into];
    return best;
}

static int take(void *user, const precis_net_node *node)
{
    precis_net_predicted *p = user;
    predicted_node *e = owner(p, node->name);
    if (p->of_trial) p->sum += node->seconds;
    if (!e) {
        if (p->of_trial) p->rest += node->seconds;
        return 0;
    }
    if (!p->of_trial) {
        e->p.in_float += node->seconds;
        return 0;
    }
    e->p.in_integers += node->seconds;
    /* What multiplies for it, or else what it became itself; not what stands beside it, as codes of its operand do. */
    const bool itself = !strcmp(node->name, e->p.name) && !e->products;
    if (*e->p.kernel && node->products <= e->products && !itself) return 0;
    e->products = node->products;
    e->p.kernel = pcs_arena_copy(&p->arena, node->op, strlen(node->op));
    if (!e->p.kernel) p->status = PRECIS_ENOMEM;
    return p->status != PRECIS_OK;
}

static precis_status bench(precis_net_predicted *p, precis_net *net, const precis_net_predict_options *with,
                           double *took)
{
    precis_net_bench_options o = PRECIS_NET_BENCH_OPTIONS_INIT;
    precis_net_speed r = { .size = sizeof r };
    o.seconds = with->seconds > 0 ? with->seconds : 1.0 / 3;
    o.node = take;
    o.net_alone = 1;
    o.user = p;
    const precis_status st = precis_net_bench(net, with->inputs, with->n, &o, &r);
    *took = r.seconds;
    return p->status ? p->status : st;
}

/* The coverage of the trial as entries. */
static precis_status list(precis_net_predicted *p, const precis_net_quant *q)
{
    precis_net_coverage c = { .size = sizeof c };
    while (precis_net_quant_node(q, p->n, &c)) p->n++;
    p->nodes = pcs_arena_alloc(&p->arena, p->n + 1, sizeof *p->nodes);
    if (!p->nodes) return PRECIS_ENOMEM;
    for (size_t i = 0; precis_net_quant_node(q, i, &c); i++) {
        predicted_node *e = &p->nodes[i];
        e->p.name = pcs_arena_copy(&p->arena, c.name, strlen(c.name));
        e->p.op = pcs_arena_copy(&p->arena, c.op, strlen(c.op));
        e->p.kernel = "";
        e->p.integers = !strcmp(c.state, "integers") || !strcmp(c.state, "fused");
        e->into = -1;
        /* One that multiplies in float takes as long as it did, whatever is measured. */
        e->product = !strcmp(c.state, "integers") && strstr(c.method, "weights") != NULL && !*c.reason;
        if (!e->p.name || !e->p.op) return PRECIS_ENOMEM;
        for (size_t k = 0; *c.into && k < i; k++)
            if (!strcmp(p->nodes[k].p.name, c.into)) e->into = (int32_t)k;
    }
    return PRECIS_OK;
}

/* ---- the trial ------------------------------------------------------------------------------------------ */

/* The job of the trial, whose nodes are listed before anything is measured. */
static precis_status begin_trial(precis_net_predicted *p, const char *path, const precis_net_predict_options *with,
                                 precis_net **net, precis_net_quant **q)
{
    precis_net_quant_options o = p->quant;
    o.strict = 0;
    o.method = NULL; /* which codes weights have changes no time */
    o.rough = 1;
    precis_status st = pcs_net_open_with(p->ctx, net, path, &p->quant);
    if (!st) st = precis_net_assume(*net, with->inputs, with->n);
    if (!st) st = precis_net_quant_open(*net, &o, q);
    return st ? st : list(p, *q);
}

static precis_status trial_of(precis_net_predicted *p, const precis_net_predict_options *with, precis_net_quant *q,
                              precis_net **coded)
{
    char file[PCS_TEMPORARY_PATH];
    precis_net_file written = { .size = sizeof written };
    precis_status st = PRECIS_OK;
    const uint32_t passes = st ? 0 : precis_net_quant_passes(q);
    for (uint32_t i = 0; i < passes && !st; i++) {
        st = precis_net_quant_see(q, with->inputs, with->n);
        if (!st) st = precis_net_quant_pass(q);
    }
    if (!st && !passes) st = precis_net_quant_pass(q);
    if (!st && !(st = pcs_temporary_name(p->ctx, file))) {
        st = precis_net_quant_write(q, file, &written);
        if (!st) st = precis_net_open(p->ctx, coded, file);
        unlink(file); /* an open net stays mapped */
    }
    return st;
}

/* ---- what is kept ---------------------------------------------------------------------------------------- */

/* Times of before. false: they are to be measured. */
static bool take_kept(precis_net_predicted *p, const char *folder, const char *key)
{
    pcs_net_kept sums;
    pcs_net_kept_node *nodes = pcs_alloc(p->ctx, p->n + 1, sizeof *nodes);
    const bool there = folder && nodes && pcs_net_kept_times(p->ctx, folder, key, &sums, nodes, p->n);
    for (size_t i = 0; i < p->n && there; i++) {
        precis_net_prediction *e = &p->nodes[i].p;
        e->in_float = nodes[i].in_float;
        e->in_integers = nodes[i].in_integers;
        e->kernel = pcs_arena_copy(&p->arena, nodes[i].kernel, strlen(nodes[i].kernel));
        if (!e->kernel) p->status = PRECIS_ENOMEM;
    }
    if (there) p->in_float = sums.sums[0], p->trial = sums.sums[1], p->rest = sums.sums[2], p->sum = sums.sums[3];
    pcs_free(p->ctx, nodes);
    return there;
}

static precis_status keep_times(const precis_net_predicted *p, const char *folder, const char *key)
{
    const pcs_net_kept sums = { { p->in_float, p->trial, p->rest, p->sum } };
    pcs_net_kept_node *nodes = pcs_alloc(p->ctx, p->n + 1, sizeof *nodes);
    if (!nodes) return PRECIS_ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        nodes[i].in_float = p->nodes[i].p.in_float;
        nodes[i].in_integers = p->nodes[i].p.in_integers;
        snprintf(nodes[i].kernel, sizeof nodes[i].kernel, "%s", p->nodes[i].p.kernel);
    }
    const precis_status st = pcs_net_keep_times(p->ctx, folder, key, &sums, nodes, p->n);
    pcs_free(p->ctx, nodes);
    return st;
}

/* The first decision about a net stands, so that noise of a second measurement changes no file. */
static precis_status decide_once(precis_net_predicted *p, const char *folder, const char *key)
{
    uint8_t *slower = pcs_alloc(p->ctx, p->n + 1, 1);
    if (!slower) return PRECIS_ENOMEM;
    precis_status st = PRECIS_OK;
    if (pcs_net_kept_decisions(p->ctx, folder, key, slower, p->n))
        for (size_t i = 0; i < p->n; i++) p->nodes[i].p.slower = slower[i] != 0;
    else {
        for (size_t i = 0; i < p->n; i++) slower[i] = p->nodes[i].p.slower != 0;
        st = pcs_net_keep_decisions(p->ctx, folder, key, slower, p->n);
    }
    pcs_free(p->ctx, slower);
    return st;
}

static void judge(precis_net_predicted *p)
{
    for (size_t i = 0; i < p->n; i++) {
        precis_net_prediction *e = &p->nodes[i].p;
        e->slower = p->nodes[i].product && e->in_integers > 1.2 * e->in_float && e->in_integers > e->in_float + 5e-6;
    }
}

static precis_status leave_floats(precis_net_predicted *p)
{
    size_t n = p->quant.n_floats;
    p->floats = pcs_arena_alloc(&p->arena, n + p->n + 1, sizeof *p->floats);
    p->reasons = pcs_arena_alloc(&p->arena, n + p->n + 1, sizeof *p->reasons);
    if (!p->floats || !p->reasons) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        p->floats[i] = p->quant.floats[i];
        p->reasons[i] = i < p->quant.n_reasons ? p->quant.reasons[i] : NULL;
    }
    for (size_t i = 0; i < p->n; i++) {
        const precis_net_prediction *e = &p->nodes[i].p; /* by its exact name */
        char why[160];
        if (!e->slower) continue;
        const int length = snprintf(why, sizeof why, "takes %.4f ms in int8 and %.4f ms in float on this machine",
                                    1e3 * e->in_integers, 1e3 * e->in_float);
        p->floats[n] = e->name;
        if (!(p->reasons[n++] = pcs_arena_copy(&p->arena, why, (size_t)length))) return PRECIS_ENOMEM;
    }
    p->n_floats = n;
    return PRECIS_OK;
}

static precis_status measure_both(precis_net_predicted *p, const char *path, const precis_net_predict_options *with,
                                  precis_net_quant *q)
{
    precis_net *net = NULL, *coded = NULL;
    precis_status st = trial_of(p, with, q, &coded);
    if (!st) st = pcs_net_open_with(p->ctx, &net, path, &p->quant);
    if (!st) st = bench(p, net, with, &p->in_float);
    p->of_trial = true;
    if (!st) st = bench(p, coded, with, &p->trial);
    precis_net_close(&coded);
    precis_net_close(&net);
    return st;
}

static precis_status predict_net(precis_net_predicted *p, const char *path, const precis_net_predict_options *with)
{
    char times[65], decisions[65];
    precis_net *net = NULL;
    precis_net_quant *q = NULL;
    precis_net_predict_options keyed = *with;
    keyed.quant = &p->quant;
    precis_status st = begin_trial(p, path, with, &net, &q);
    if (!st && with->kept) st = pcs_net_kept_keys(p->ctx, path, &keyed, times, decisions);
    if (!st && !take_kept(p, with->kept, times)) {
        st = measure_both(p, path, with, q);
        if (!st && with->kept) st = keep_times(p, with->kept, times);
    }
    if (!st) st = p->status;
    if (!st) judge(p);
    if (!st && with->kept) st = decide_once(p, with->kept, decisions);
    if (!st) st = leave_floats(p);
    precis_net_quant_close(&q);
    precis_net_close(&net);
    return st;
}

precis_status precis_net_predict_open(precis_ctx *ctx, precis_net_predicted **out, const char *path,
                                      const precis_net_predict_options *options)
{
    const precis_net_quant_options usual = PRECIS_NET_QUANT_OPTIONS_INIT;
    precis_net_predict_options with = PRECIS_NET_PREDICT_OPTIONS_INIT;
    *out = NULL;
    precis_net_predicted *p = pcs_alloc(ctx, 1, sizeof *p);
    if (!p) return PRECIS_ENOMEM;
    p->ctx = ctx;
    p->quant = usual;
    pcs_arena_init(&p->arena, ctx);
    pcs_options_take(&with, sizeof with, options);
    pcs_options_take(&p->quant, sizeof p->quant, with.quant);
    precis_status st = predict_net(p, path, &with);
    if (st) precis_net_predict_close(&p);
    *out = p;
    return st;
}

void precis_net_predict_close(precis_net_predicted **predicted)
{
    precis_net_predicted *p = predicted ? *predicted : NULL;
    if (!p) return;
    pcs_arena_free(&p->arena);
    pcs_free(p->ctx, p);
    *predicted = NULL;
}

int precis_net_predict_node(const precis_net_predicted *p, size_t i, precis_net_prediction *out)
{
    if (i >= p->n) return 0;
    pcs_options_give(out, &p->nodes[i].p, sizeof p->nodes[i].p);
    return 1;
}

const char *const *precis_net_predict_floats(const precis_net_predicted *p, size_t *n)
{
    *n = p->n_floats;
    return p->floats;
}

const char *const *precis_net_predict_reasons(const precis_net_predicted *p) { return p->reasons; }

void precis_net_predict_sum(const precis_net_predicted *p, int slower_in_float, double *in_float, double *in_integers)
{
    double sum = p->rest;
    for (size_t i = 0; i < p->n; i++) {
        const precis_net_prediction *e = &p->nodes[i].p;
        sum += slower_in_float && e->slower ? e->in_float : e->in_integers;
    }
    *in_float = p->in_float;
    *in_integers = p->sum > 0 ? sum * p->trial / p->sum : 0;
}
