/* evaluate.c - a net, and perhaps the one it came from, on the same samples: scores, agreement, error, and how sure
 * they are. */
#include "eval/net/score.h"

#include "base/options.h"
#include "graph/element.h"
#include "read/npz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SCORE(name) extern const pcs_score_kind pcs_score_##name;
#include "eval/net/scores.def"
#undef SCORE
const pcs_score_kind *const pcs_scores[] = {
#define SCORE(name) &pcs_score_##name,
#include "eval/net/scores.def"
#undef SCORE
    NULL,
};

enum { RESAMPLES = 500, SAMPLES_LEAST = 8 };

typedef struct {
    precis_net *net;
    pcs_numbers *outputs; /* of the run at hand */
    const precis_array *arrays;
    pcs_score score;
} side;

typedef struct {
    precis_ctx *ctx;
    precis_samples *samples;
    precis_eval_net_options o;
    pcs_labels labels;
    const pcs_score_kind *kind; /* NULL: no labels */
    side sides[2];              /* the net, the reference */
    size_t n_sides, n_outputs, output;
    uint64_t n, batch, units;   /* units: labels, of one sample or two */
    uint64_t same, places;      /* likeliest classes that agree, of all */
    uint64_t *agreed;           /* [n] samples that agree: 0 or 1 */
    double signal, noise;
    bool differs, classes;
    bool stopped;               /* before the last sample: `done` of them count */
    uint64_t done;
    precis_eval_net_result r, shown; /* shown: while it ran */
} evaluation;

/* 1.96 deviations: Wilson (1927). */
precis_interval pcs_wilson(uint64_t k, uint64_t n)
{
    const double z = 1.959964, all = (double)n, p = n ? (double)k / all : 0;
    const double middle = p + z * z / (2 * all), wide = z * sqrt(p * (1 - p) / all + z * z / (4 * all * all));
    const double by = 1 + z * z / all;
    if (!n) return (precis_interval){ 0, 0, 1 };
    return (precis_interval){ p, k ? (middle - wide) / by : 0, k < n ? (middle + wide) / by : 1 };
}

bool pcs_classes_of(const pcs_numbers *x, uint64_t batch, pcs_classes *c)
{
    *c = (pcs_classes){ 1, 1, 1 };
    if (!x->n) return false;
    uint32_t d = 0;
    const bool rows = x->dims && (uint64_t)x->shape[0] == batch && (batch > 1 || x->dims > 1 || x->whole);
    if (rows) c->rows = batch, d = 1;
    else if (batch > 1) return false;
    if (!x->whole && d < x->dims) c->classes = (uint64_t)x->shape[d++];
    for (; d < x->dims; d++) c->places *= (uint64_t)x->shape[d];
    return true;
}

int64_t pcs_likeliest(const pcs_numbers *x, const pcs_classes *c, uint64_t row, uint64_t place)
{
    const double *p = x->at + row * c->classes * c->places + place;
    int64_t best = 0;
    if (c->classes == 1 && x->whole) return (int64_t)p[0];
    for (uint64_t k = 1; k < c->classes; k++)
        if (p[k * c->places] > p[(uint64_t)best * c->places]) best = (int64_t)k;
    return best;
}

/* ---- runs ---------------------------------------------------------------------------------------- */

/* Numbers of a run's outputs; a NaN is an error that says whose. */
static precis_status take(evaluation *e, side *s, uint64_t first, uint64_t n, const char *what)
{
    for (size_t k = 0; k < e->n_outputs; k++) {
        pcs_numbers *x = &s->outputs[k];
        const precis_status st = pcs_numbers_of(e->ctx, &s->arrays[k], x);
        if (st) return st;
        const uint64_t run = precis_samples_batch(e->samples, n);
        const size_t each = x->dims && (uint64_t)x->shape[0] == run ? x->n / (size_t)run : x->n;
        for (size_t i = 0; i < x->n && i < n * each; i++)
            if (isnan(x->at[i]))
                return pcs_fail(e->ctx, PRECIS_EFORMAT, "output %s of the %s is NaN (element %zu of %s)", x->name, what,
                                i % each, precis_samples_name(e->samples, first + i / each));
    }
    return PRECIS_OK;
}

static void compare(evaluation *e, uint64_t first, uint64_t n, uint64_t run)
{
    const pcs_numbers *x = &e->sides[0].outputs[e->output], *y = &e->sides[1].outputs[e->output];
    pcs_classes c, d;
    for (size_t k = 0; k < e->n_outputs; k++) {
        const precis_array *a = &e->sides[0].arrays[k], *b = &e->sides[1].arrays[k];
        e->differs |= a->bytes != b->bytes || memcmp(a->data, b->data, a->bytes) != 0;
    }
    const size_t used = x->dims && (uint64_t)x->shape[0] == run ? x->n / (size_t)run * (size_t)n : x->n;
    for (size_t i = 0; i < used; i++) {
        if (isinf(y->at[i]) && x->at[i] == y->at[i]) continue; /* the mask of a softmax */
        e->signal += y->at[i] * y->at[i];
        e->noise += (y->at[i] - x->at[i]) * (y->at[i] - x->at[i]);
    }
    e->classes = !e->o.sequence && pcs_classes_of(x, run, &c) && pcs_classes_of(y, run, &d) && c.rows == run &&
                 c.places == d.places && (c.classes > 1 || x->whole);
    for (uint64_t i = 0; i < n && e->classes; i++) {
        bool all = true;
        for (uint64_t p = 0; p < c.places; p++) {
            const bool same = pcs_likeliest(x, &c, i, p) == pcs_likeliest(y, &d, i, p);
            e->same += same;
            all &= same;
        }
        e->places += c.places;
        e->agreed[first + i] = all;
    }
}

static precis_status shapes_agree(evaluation *e)
{
    for (size_t k = 0; k < e->n_outputs; k++) {
        const pcs_numbers *x = &e->sides[0].outputs[k], *y = &e->sides[1].outputs[k];
        if (x->n != y->n || x->dims != y->dims || memcmp(x->shape, y->shape, x->dims * sizeof *x->shape))
            return pcs_fail(e->ctx, PRECIS_EINVAL,
                            "output %s has %zu elements, the reference's %s has %zu: they are not the same net",
                            x->name, x->n, y->name, y->n);
    }
    return PRECIS_OK;
}

/* How far a score that is no share may be off: the deviation of some resamples of what there is. */
static double deviation(evaluation *e)
{
    enum { DRAWS = 32 };
    uint64_t seed = 1;
    double sum = 0, squares = 0;
    uint32_t *weight = pcs_alloc(e->ctx, (size_t)e->units, sizeof *weight);
    for (int b = 0; weight && b < DRAWS; b++) {
        memset(weight, 0, (size_t)e->units * sizeof *weight);
        for (uint64_t i = 0; i < e->units; i++) weight[pcs_rand(&seed) % e->units]++;
        const double v = e->kind->value(&e->sides[0].score, weight, NULL);
        sum += v, squares += v * v;
    }
    pcs_free(e->ctx, weight);
    return weight ? sqrt(fmax(squares / DRAWS - sum / DRAWS * (sum / DRAWS), 0)) : NAN;
}

/* Figures so far, for whoever watches. What is dear to tell is told when there is a third more to tell of. */
static void show(evaluation *e)
{
    precis_eval_net_result r = { .size = sizeof r, .n = e->done, .has_reference = e->n_sides == 2 };
    r.net = r.agree = (precis_interval){ NAN, NAN, NAN };
    r.sqnr_db = e->noise > 0 && e->signal > 0 ? 10 * log10(e->signal / e->noise) : INFINITY;
    const uint64_t all = e->units;
    e->units = e->done / (e->labels.each ? e->labels.each : 1);
    if (e->kind && e->kind->share) {
        uint64_t right = 0;
        for (uint64_t i = 0; i < e->done; i++) right += e->sides[0].score.right[i];
        r.net = pcs_wilson(right, e->done);
    } else if (e->kind && e->units >= 3 && 3 * e->shown.n <= 2 * e->done) {
        for (size_t k = 0; k < e->n_sides; k++) e->sides[k].score.n = e->units;
        const double v = e->kind->value(&e->sides[0].score, NULL, NULL), wide = 1.959964 * deviation(e);
        r.net = (precis_interval){ v, v - wide, v + wide };
        for (size_t k = 0; k < e->n_sides; k++) e->sides[k].score.n = all;
    } else if (e->kind) {
        r.net = e->shown.net;
        r.n = e->shown.n;
    }
    e->units = all;
    if (e->kind) r.score = e->kind->name;
    if (e->n_sides == 2 && e->classes && e->places) {
        r.has_agree = 1;
        r.agree = pcs_wilson(e->same, e->places);
    }
    e->shown = r;
    e->o.each(e->o.user, &r);
}

static precis_status run_all(evaluation *e)
{
    static const char *const whose[] = { "net", "reference" };
    precis_status st = PRECIS_OK;
    for (uint64_t i = 0; i < e->n && !st; i += e->batch) {
        const uint64_t n = e->n - i < e->batch ? e->n - i : e->batch, run = precis_samples_batch(e->samples, n);
        const precis_array *inputs;
        st = precis_samples_read(e->samples, i, n, &inputs);
        for (size_t k = e->n_sides; k-- > 0 && !st;) { /* the reference first: it may be what is right */
            side *s = &e->sides[k];
            s->score.inputs = inputs;
            s->score.n_inputs = precis_net_inputs(s->net);
            st = precis_net_run(s->net, inputs, s->score.n_inputs, &s->arrays);
            if (!st) st = take(e, s, i, n, whose[k]);
            for (uint64_t row = 0; row < n && !st && e->kind; row++) {
                if (k && e->labels.of_reference)
                    st = e->kind->label(&s->score, &e->labels, i + row, row, run, s->outputs);
                if (!st) st = e->kind->add(&s->score, i + row, row, run, s->outputs);
            }
        }
        if (!st && e->n_sides == 2) {
            st = shapes_agree(e);
            if (!st) compare(e, i, n, run);
        }
        if (!st) e->done = i + n;
        if (!st && e->o.each) show(e);
        if (!st) st = pcs_progress(e->ctx, "evaluate", i + n, e->n);
    }
    return st;
}

/* ---- how sure ------------------------------------------------------------------------------------ */

static precis_interval quantiles(double value, double *all)
{
    qsort(all, RESAMPLES, sizeof *all, pcs_ascending);
    return (precis_interval){ value, all[RESAMPLES / 40], all[RESAMPLES - 1 - RESAMPLES / 40] };
}

/* The gate of a score that is no share: how many resamples lose as much as the margin. */
static void bootstrap_gate(evaluation *e, const double *drop)
{
    precis_gate_result *g = &e->r.gate;
    size_t at_least = 0, at_most = 0;
    for (size_t i = 0; i < RESAMPLES; i++) at_least += drop[i] >= e->o.max_drop, at_most += drop[i] <= e->o.max_drop;
    *g = (precis_gate_result){ .size = sizeof *g, .verdict = PRECIS_UNDECIDED, .mean = e->r.drop.value,
                               .lower = drop[RESAMPLES / 20], .upper = drop[RESAMPLES - 1 - RESAMPLES / 20],
                               .margin = e->o.max_drop, .items = e->units, .items_needed = UINT64_MAX,
                               .p_accept = (double)(at_least + 1) / (RESAMPLES + 1),
                               .p_reject = (double)(at_most + 1) / (RESAMPLES + 1) };
    if (e->units < SAMPLES_LEAST) return;
    g->verdict = g->p_accept <= 0.05 ? PRECIS_ACCEPT : g->p_reject <= 0.05 ? PRECIS_REJECT : PRECIS_UNDECIDED;
}

static precis_status bootstrap(evaluation *e)
{
    uint64_t seed = e->ctx->opt.seed ^ 0x6e657473u;
    uint32_t *weight = pcs_alloc(e->ctx, (size_t)e->units, sizeof *weight);
    double *values = pcs_alloc(e->ctx, 3 * RESAMPLES, sizeof *values);
    precis_status st = weight && values ? PRECIS_OK : PRECIS_ENOMEM;
    double *reference = values + RESAMPLES, *drop = reference + RESAMPLES;
    for (size_t b = 0; b < RESAMPLES && !st; b++) {
        memset(weight, 0, (size_t)e->units * sizeof *weight);
        for (uint64_t i = 0; i < e->units; i++) weight[pcs_rand(&seed) % e->units]++;
        values[b] = e->kind->value(&e->sides[0].score, weight, NULL);
        if (e->n_sides == 2) reference[b] = e->kind->value(&e->sides[1].score, weight, NULL);
        drop[b] = reference[b] - values[b];
        if (!e->stopped) st = pcs_progress(e->ctx, "bootstrap", b + 1, RESAMPLES);
    }
    if (!st) {
        e->r.net = quantiles(e->r.net.value, values);
        e->r.reference = quantiles(e->r.reference.value, reference);
        e->r.drop = quantiles(e->r.drop.value, drop);
        if (e->o.max_drop >= 0 && e->n_sides == 2) bootstrap_gate(e, drop);
    }
    pcs_free(e->ctx, weight);
    pcs_free(e->ctx, values);
    return st;
}

/* Exact, of both sides (McNemar 1947): the chance of so uneven a split of the samples that changed. */
static double mcnemar(uint64_t b, uint64_t c)
{
    const double n = (double)(b + c);
    const uint64_t least = b < c ? b : c;
    double sum = 0;
    for (uint64_t k = 0; k <= least; k++)
        sum += exp(lgamma(n + 1) - lgamma((double)k + 1) - lgamma(n - (double)k + 1) - n * log(2));
    return 2 * sum < 1 ? 2 * sum : 1;
}

/* Shares: Wilson's intervals; of the difference of paired shares Agresti and Min's (2005), half a sample added to each
 * kind of change. */
static precis_status shares(evaluation *e)
{
    const uint8_t *a = e->sides[0].score.right, *b = e->sides[1].score.right;
    uint64_t right = 0, reference = 0;
    for (uint64_t i = 0; i < e->n; i++) right += a[i];
    e->r.net = pcs_wilson(right, e->n);
    if (e->n_sides < 2) return PRECIS_OK;
    for (uint64_t i = 0; i < e->n; i++) {
        reference += b[i];
        e->r.to_wrong += b[i] && !a[i];
        e->r.to_right += a[i] && !b[i];
    }
    e->r.reference = pcs_wilson(reference, e->n);
    e->r.mcnemar = mcnemar(e->r.to_wrong, e->r.to_right);
    const double lost = (double)e->r.to_wrong + 0.5, won = (double)e->r.to_right + 0.5, n = (double)e->n + 2;
    const double d = (lost - won) / n, wide = 1.959964 * sqrt(lost + won - (lost - won) * (lost - won) / n) / n;
    e->r.drop = (precis_interval){ e->r.reference.value - e->r.net.value, d - wide, d + wide };
    e->r.gate.size = sizeof e->r.gate;
    if (e->o.max_drop < 0) return PRECIS_OK;
    return precis_gate_accuracy(e->ctx, e->n, e->r.to_wrong, e->r.to_right, e->o.max_drop, &e->r.gate);
}

/* What was done before it was stopped is all that there is; a verdict on it would be one that was waited for. */
static void cut_short(evaluation *e)
{
    e->stopped = true;
    e->units = e->done / (e->labels.each ? e->labels.each : 1);
    e->n = e->labels.each ? e->units * e->labels.each : e->done;
    e->o.max_drop = -1;
    for (size_t k = 0; k < e->n_sides; k++) e->sides[k].score.n = e->units;
}

static precis_status conclude(evaluation *e)
{
    e->r.n = e->units;
    e->r.has_reference = e->n_sides == 2;
    uint64_t agreed = 0;
    for (uint64_t i = 0; i < e->n; i++) agreed += e->agreed[i];
    e->r.has_agree = e->n_sides == 2 && e->classes && (!e->kind || e->kind->classes);
    e->r.agree = pcs_wilson(agreed, e->n);
    if (e->places > e->n) /* many places of a sample depend on each other: no interval */
        e->r.agree = (precis_interval){ (double)e->same / (double)e->places, NAN, NAN };
    e->r.identical = e->n_sides == 2 && !e->differs;
    if (!(e->noise > 0)) e->r.sqnr_db = INFINITY;
    else e->r.sqnr_db = e->signal > 0 ? 10 * log10(e->signal / e->noise) : -INFINITY;
    e->r.loss = e->r.loss_reference = NAN;
    if (!e->kind) return PRECIS_OK;
    e->r.score = e->kind->name;
    if (e->kind->loss) e->r.loss = e->kind->loss(&e->sides[0].score);
    if (e->kind->loss && e->n_sides == 2) e->r.loss_reference = e->kind->loss(&e->sides[1].score);
    e->r.second = e->kind->second;
    e->r.share = e->kind->share;
    e->r.by_reference = e->labels.of_reference;
    e->r.net.value = e->kind->value(&e->sides[0].score, NULL, &e->r.second_net);
    if (e->n_sides == 2) e->r.reference.value = e->kind->value(&e->sides[1].score, NULL, &e->r.second_reference);
    e->r.drop.value = e->r.reference.value - e->r.net.value;
    return e->kind->share ? shares(e) : bootstrap(e);
}

/* ---- opening ------------------------------------------------------------------------------------- */

static precis_status choose(evaluation *e)
{
    precis_array a;
    precis_net *net = e->sides[0].net;
    e->n_outputs = precis_net_outputs(net);
    while (e->o.output && e->output < e->n_outputs && !precis_net_output(net, e->output, &a) &&
           strcmp(a.name, e->o.output))
        e->output++;
    if (e->output >= e->n_outputs) {
        precis_net_output(net, 0, &a);
        return pcs_fail(e->ctx, PRECIS_EINVAL, "the net has no output %s; its first is %s", e->o.output, a.name);
    }
    if (e->n_sides == 2 && precis_net_outputs(e->sides[1].net) != e->n_outputs)
        return pcs_fail(e->ctx, PRECIS_EINVAL, "the net has %zu outputs, the reference %zu: they are not the same net",
                        e->n_outputs, precis_net_outputs(e->sides[1].net));
    return PRECIS_OK;
}

/* Without labels of boxes or sequences, those of the reference. */
static precis_status make_labels(evaluation *e)
{
    pcs_labels *l = &e->labels;
    l->of_reference = !l->n && e->n_sides == 2 && (e->o.detections || e->o.sequence);
    if (!l->of_reference) return PRECIS_OK;
    if (e->o.sequence) l->sequences = pcs_arena_alloc(&l->arena, (size_t)e->n + 1, sizeof *l->sequences);
    else l->boxes = pcs_arena_alloc(&l->arena, (size_t)e->n + 1, sizeof *l->boxes);
    l->n = e->n;
    snprintf(l->where, sizeof l->where, "the reference");
    return l->sequences || l->boxes ? PRECIS_OK : PRECIS_ENOMEM;
}

static precis_status begin_scores(evaluation *e, bool limited)
{
    precis_status st = make_labels(e);
    const uint64_t labels = e->labels.n;
    e->units = e->n;
    if (st || !labels) return st;
    e->units = e->n / e->labels.each;
    if (labels < e->units || (labels > e->units && !limited) || (e->units * e->labels.each < e->n && !limited))
        return pcs_fail(e->ctx, PRECIS_EINVAL, "%s has %llu labels, there are %llu %s", e->labels.where,
                        (unsigned long long)labels, (unsigned long long)e->n,
                        e->labels.each > 1 ? "samples, and each pair has a score" : "samples");
    e->n = e->units * e->labels.each;
    for (size_t i = 0; pcs_scores[i] && !e->kind; i++)
        if (pcs_scores[i]->fits(&e->labels, &e->o)) e->kind = pcs_scores[i];
    if (e->o.sequence && !e->labels.sequences)
        return pcs_fail(e->ctx, PRECIS_EINVAL, "%s: sequences have lists of numbers as labels", e->labels.where);
    if (e->labels.sequences && !e->o.sequence)
        return pcs_fail(e->ctx, PRECIS_EINVAL, "%s has sequences: say how they lie, ctc or plain", e->labels.where);
    for (size_t k = 0; k < e->n_sides && !st; k++) {
        e->sides[k].score = (pcs_score){ .ctx = e->ctx, .kind = e->kind, .labels = &e->labels, .o = &e->o,
                                         .output = e->output, .n_outputs = e->n_outputs, .n = e->units };
        st = e->kind->begin(&e->sides[k].score);
    }
    return st;
}

/* Does the net say so, before it has run? */
static bool one_number(const evaluation *e)
{
    precis_array a;
    pcs_dtype d = PCS_F32;
    if (precis_net_output(e->sides[0].net, e->output, &a) || (pcs_array_dtype(&a, &d) && pcs_dtype_whole(d)))
        return false;
    for (uint32_t k = 1; k < a.dims; k++)
        if (a.shape[k] != 1) return false;
    return a.dims > 0;
}

static precis_status open_evaluation(evaluation *e)
{
    const char *form = e->o.sequence;
    precis_status st = choose(e);
    if (!st && form && strcmp(form, "ctc") && strcmp(form, "plain"))
        st = pcs_fail(e->ctx, PRECIS_EINVAL, "sequences of the form \"%.40s\"; it is ctc or plain", form);
    if (!st && e->n_sides == 2) st = precis_samples_also(e->samples, e->sides[1].net);
    e->n = precis_samples_count(e->samples);
    e->batch = precis_samples_batch(e->samples, e->o.batch ? e->o.batch : 16);
    if (!st) st = pcs_labels_open(e->ctx, &e->labels, e->samples, &e->o, one_number(e));
    if (!st) st = begin_scores(e, precis_samples_limited(e->samples));
    if (!st && e->o.max_drop >= 0 && (!e->kind || e->n_sides < 2))
        st = pcs_fail(e->ctx, PRECIS_EINVAL, "a margin for the drop needs labels and a reference");
    for (size_t k = 0; k < e->n_sides && !st; k++)
        if (!(e->sides[k].outputs = pcs_alloc(e->ctx, e->n_outputs + 1, sizeof *e->sides[k].outputs)))
            st = PRECIS_ENOMEM;
    if (!st && !(e->agreed = pcs_alloc(e->ctx, (size_t)e->n, sizeof *e->agreed))) st = PRECIS_ENOMEM;
    return st;
}

precis_status precis_eval_net(precis_ctx *ctx, precis_net *net, precis_net *reference, precis_samples *samples,
                              const precis_eval_net_options *opts, precis_eval_net_result *result)
{
    evaluation *e = pcs_alloc(ctx, 1, sizeof *e);
    if (!e) return PRECIS_ENOMEM;
    *e = (evaluation){ .ctx = ctx, .samples = samples, .o = PRECIS_EVAL_NET_OPTIONS_INIT };
    e->n_sides = reference ? 2 : 1;
    pcs_options_take(&e->o, sizeof e->o, opts);
    e->sides[0].net = net;
    e->sides[1].net = reference;
    precis_status st = open_evaluation(e);
    if (!st) st = run_all(e);
    if (st == PRECIS_ECANCELED && e->done) cut_short(e);
    if (!st || (e->stopped && e->units)) {
        const precis_status more = conclude(e);
        if (more) st = more, e->stopped = false;
    }
    e->r.size = result->size;
    if (!st || e->stopped) pcs_options_give(result, &e->r, sizeof e->r);
    for (size_t k = 0; k < e->n_sides; k++) {
        side *s = &e->sides[k];
        if (s->score.kind && s->score.kind->end) s->score.kind->end(&s->score);
        pcs_free(ctx, s->score.right);
        for (size_t i = 0; s->outputs && i < e->n_outputs; i++) pcs_numbers_free(ctx, &s->outputs[i]);
        pcs_free(ctx, s->outputs);
    }
    pcs_labels_close(ctx, &e->labels);
    pcs_free(ctx, e->agreed);
    pcs_free(ctx, e);
    return st;
}
