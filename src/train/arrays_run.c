/* arrays_run.c - what nets of arrays do in the loop of training. */
#include "base/builtins.h"
#include "base/fmath.h"
#include "train/arrays.h"
#include "train/observer.h"
#include "train/ranges.h"

/* ---- forms --------------------------------------------------------------------------------------- */

static bool frozen_at(const pcs_train_run *t, uint64_t step)
{
    return pcs_train_rounds(&t->c, step) && step >= pcs_train_step_of(&t->c, t->c.quant.freeze_norm);
}

static void bind_batch(pcs_train_run *t)
{
    pcs_llama *l = &t->s.llama;
    pcs_program_bind(t->p, t->arrays->input, t->arrays->batch);
    pcs_program_bind(t->p, l->targets, t->targets);
    for (size_t i = 0; i < l->n; i++)
        if (l->parameters[i].value >= 0 && t->g->values[l->parameters[i].value].role == PCS_INPUT)
            pcs_program_bind(t->p, l->parameters[i].value, l->parameters[i].data);
}

/* exact: as what is written computes: running statistics, and no way back. */
static precis_status open_net(pcs_train_run *t, bool rounded, bool exact)
{
    pcs_arrays *a = t->arrays;
    const bool frozen = exact || (rounded && frozen_at(t, t->s.step));
    if (t->p && t->rounded == rounded && t->exact == exact && a->frozen == frozen) return PRECIS_OK;
    precis_status st = pcs_arrays_form(t, rounded, frozen);
    if (!st) st = precis_program_open(t->ctx, &t->p, t->g, PRECIS_EMULATED);
    if (!st && !exact) st = pcs_reverse_open(t->ctx, &t->r, t->p, t->s.llama.loss, NULL, 0);
    if (st) {
        pcs_arrays_close_form(t);
        return st;
    }
    t->rounded = rounded;
    t->exact = exact;
    a->frozen = frozen;
    bind_batch(t);
    t->flops = 0;
    for (size_t i = 0; i < a->n_layers; i++) t->flops += 6 * a->layers[i].products * (double)t->c.batch;
    return PRECIS_OK;
}

static precis_status run_forward(pcs_train_run *t, uint64_t samples)
{
    const precis_status st = precis_program_set_size(t->p, t->s.llama.tokens, (int64_t)samples);
    return st ? st : pcs_program_run(t->p);
}

static size_t numbers_of(const pcs_train_run *t, precis_value v)
{
    size_t n = 1;
    for (uint32_t i = 0; i < t->g->values[v].dims; i++)
        n *= (size_t)pcs_program_extent(t->p, t->g->values[v].shape[i]);
    return n;
}

/* ---- ranges -------------------------------------------------------------------------------------- */

static int bits_of(const pcs_train_run *t, const pcs_array_code *c)
{
    return c->input && t->c.quant.a_bits < 8 ? 8 : t->c.quant.a_bits;
}

/* What an observer sees of a value, and the grid of what it has seen. A learned scale keeps its own. */
static void look_at(pcs_train_run *t, const pcs_array_code *c, bool begins)
{
    pcs_trained *all = t->s.llama.parameters, *seen = &all[c->seen];
    if (c->watched < 0) return;
    const float *x = pcs_program_value(t->p, c->watched);
    const size_t n = numbers_of(t, c->watched);
    const int high = (1 << bits_of(t, c)) - 1;
    pcs_observer o = { t->c.quant.average, seen->data[2] > 0, seen->data[0], seen->data[1] };
    pcs_observe(&o, x, n);
    seen->data[0] = o.low, seen->data[1] = o.high, seen->data[2] = 1;
    if (all[c->scale].kind == PCS_TRAINED_OBSERVED) {
        pcs_observer_grid(&o, &(pcs_range_scheme){ "", 0, high, false }, all[c->scale].data, all[c->zero].data);
        return;
    }
    if (!begins) return; /* LSQ+ (2004.09576): without a sign where there is none */
    const float least = 1e-8f, step = pcs_lsq_step(x, n, o.low < 0 ? high / 2 : high);
    all[c->scale].data[0] = step > least ? step : least;
    all[c->zero].data[0] = o.low < 0 ? (float)((high + 1) / 2) : 0;
}

/* A layer's weights as they are rounded: with the norm that is in them. */
static void folded(const pcs_train_run *t, const pcs_array_layer *l, float *w)
{
    const pcs_trained *all = t->s.llama.parameters, *p = &all[l->weight];
    const pcs_array_norm *n = l->norm == PCS_NO_PARAMETER ? NULL : &t->arrays->norms[l->norm];
    const size_t k = p->n / (size_t)l->channels;
    for (size_t i = 0; i < p->n; i++) {
        const size_t c = l->axis ? i % (size_t)l->channels : i / k;
        const float f = n ? all[n->gamma].data[c] / pcs_sqrtf(all[n->variance].data[c] + (float)n->eps) : 1;
        w[i] = p->data[i] * f;
    }
}

/* Learned scales of weights begin by LSQ's rule, channel by channel. */
static precis_status begin_weights(pcs_train_run *t, const pcs_array_layer *l)
{
    pcs_trained *all = t->s.llama.parameters;
    const pcs_trained *p = &all[l->weight];
    if (l->range == PCS_NO_PARAMETER) return PRECIS_OK;
    float *w = pcs_alloc(t->ctx, 2 * p->n + 1, sizeof *w);
    if (!w) return PRECIS_ENOMEM;
    float *one = w + p->n, *to = all[l->range].data;
    folded(t, l, w);
    const size_t channels = all[l->range].n, k = p->n / channels;
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < k; i++) one[i] = l->axis && channels > 1 ? w[i * channels + c] : w[c * k + i];
        to[c] = pcs_lsq_step(one, k, p->type->code_hi);
        if (!(to[c] > 1e-8f)) to[c] = 1e-8f;
    }
    pcs_free(t->ctx, w);
    return PRECIS_OK;
}

/* Of the step's own batch, in full. */
static precis_status begin_ranges(pcs_train_run *t)
{
    pcs_arrays *a = t->arrays;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < a->n_layers && !st; i++) st = begin_weights(t, &a->layers[i]);
    if (st || !a->n_codes) return st;
    pcs_trained *all = t->s.llama.parameters;
    for (size_t i = 0; i < a->n_codes; i++)
        if (!(all[a->codes[i].scale].data[0] > 0)) all[a->codes[i].scale].data[0] = 1;
    st = pcs_arrays_form(t, false, false);
    if (!st) st = precis_program_open(t->ctx, &t->p, t->g, PRECIS_EMULATED);
    if (!st) bind_batch(t), st = run_forward(t, t->c.batch);
    for (size_t i = 0; i < a->n_codes && !st; i++)
        if (all[a->codes[i].scale].kind == PCS_TRAINED_RANGE || !(all[a->codes[i].seen].data[2] > 0))
            look_at(t, &a->codes[i], true);
    pcs_arrays_close_form(t);
    return st;
}

/* ---- a step -------------------------------------------------------------------------------------- */

/* Running statistics: torch's, with the variance over n - 1. */
static void take_statistics(pcs_train_run *t)
{
    pcs_arrays *a = t->arrays;
    const float m = (float)t->c.arrays.momentum;
    for (size_t i = 0; i < a->n_norms; i++) {
        const pcs_array_norm *n = &a->norms[i];
        if (n->means < 0) continue;
        pcs_trained *mean = &t->s.llama.parameters[n->mean], *variance = &t->s.llama.parameters[n->variance];
        const float *now = pcs_program_value(t->p, n->means), *spread = pcs_program_value(t->p, n->variances);
        const pcs_node *node = &t->g->nodes[t->g->values[n->means].node];
        const double all = (double)numbers_of(t, node->in[0]) / (double)mean->n;
        const float by = all > 1 ? (float)(all / (all - 1)) : 1;
        for (size_t c = 0; c < mean->n; c++) {
            mean->data[c] += m * (now[c] - mean->data[c]);
            variance->data[c] += m * (spread[c] * by - variance->data[c]);
        }
    }
}

static precis_status batch(pcs_train_run *t)
{
    pcs_arrays *a = t->arrays;
    pcs_llama *l = &t->s.llama;
    precis_status st = run_forward(t, t->c.batch);
    if (!st) st = pcs_reverse_run(t->r, NULL, false);
    if (st) return st;
    const float *rows = pcs_program_value(t->p, l->rows);
    bool finite = true; /* what is not goes no further than this step */
    for (uint64_t i = 0; i < t->c.batch; i++) {
        t->losses[i] = (double)rows[i];
        finite &= rows[i] - rows[i] == 0;
    }
    size_t trained = 0;
    for (size_t i = 0; i < l->n; i++) {
        const pcs_trained *p = &l->parameters[i];
        const bool wanted = !p->fixed && p->value >= 0 && p->kind < PCS_TRAINED_OBSERVED;
        const float *g = wanted ? pcs_reverse_gradient(t->r, p->value) : NULL;
        t->all[i] = (pcs_gradient){ (float *)(uintptr_t)g, g ? p->n : 0 };
        trained += g != NULL;
    }
    if (finite) take_statistics(t);
    const pcs_train_quant *q = &t->c.quant;
    const bool on =
        t->s.step >= pcs_train_step_of(&t->c, q->observe) && t->s.step < pcs_train_step_of(&t->c, q->freeze);
    for (size_t i = 0; i < a->n_codes && on && finite; i++) look_at(t, &a->codes[i], false);
    return trained ? PRECIS_OK : pcs_fail(t->ctx, PRECIS_EFORMAT, "only: nothing of the net is trained");
}

/* ---- what it came to ----------------------------------------------------------------------------- */

static precis_status measure_held_out(pcs_train_run *t, precis_train_result *r)
{
    pcs_arrays *a = t->arrays;
    const pcs_array_set *h = &a->held;
    double sum = 0, squares = 0;
    uint64_t right = 0;
    precis_status st = h->n ? open_net(t, pcs_train_rounds(&t->c, t->c.steps), true) : PRECIS_OK;
    for (uint64_t at = 0; at < h->n && !st; at += t->c.batch) {
        const uint64_t n = h->n - at < t->c.batch ? h->n - at : t->c.batch;
        memcpy(a->batch, h->x + at * h->each, n * h->each * sizeof *a->batch);
        memcpy(t->targets, h->labels + at, n * sizeof *t->targets);
        if ((st = run_forward(t, n))) break;
        const float *rows = pcs_program_value(t->p, t->s.llama.rows), *x = pcs_program_value(t->p, t->s.llama.logits);
        for (uint64_t i = 0; i < n; i++) {
            const float *of = x + i * (uint64_t)a->classes;
            int64_t best = 0;
            for (int64_t k = 1; k < a->classes; k++) best = of[k] > of[best] ? k : best;
            right += best == t->targets[i];
            sum += (double)rows[i];
            squares += (double)rows[i] * (double)rows[i];
        }
    }
    const double n = (double)h->n, spread = n > 1 ? (squares - sum * sum / n) / (n - 1) : 0;
    r->heldout = h->n ? sum / n : pcs_nan();
    r->heldout_error = h->n ? pcs_sqrt((spread > 0 ? spread : 0) / n) : pcs_nan();
    r->entropy = pcs_nan();
    r->accuracy = h->n ? (double)right / n : pcs_nan();
    return st;
}

/* ---- its beginning ------------------------------------------------------------------------------- */

static precis_status check_labels(pcs_train_run *t, const pcs_array_set *set, const char *what)
{
    for (uint64_t i = 0; i < set->n; i++)
        if (set->labels[i] >= t->arrays->classes)
            return pcs_fail(t->ctx, PRECIS_EFORMAT, "%s: label %llu is %d; the net has classes 0 to %lld", what,
                            (unsigned long long)i, set->labels[i], (long long)t->arrays->classes - 1);
    return PRECIS_OK;
}

static precis_status open_batch(pcs_train_run *t)
{
    pcs_arrays *a = t->arrays;
    if (t->opt->spread)
        return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED, "nets of arrays are trained by one process: norms take the whole "
                                                     "batch's statistics");
    a->batch = pcs_arena_alloc(&t->arena, t->c.batch * a->set.each, sizeof *a->batch);
    a->order = pcs_arena_alloc(&t->arena, a->set.n, sizeof *a->order);
    t->targets = pcs_arena_alloc(&t->arena, t->c.batch, sizeof *t->targets);
    a->epoch = UINT64_MAX;
    if (!a->batch || !a->order || !t->targets) return PRECIS_ENOMEM;
    precis_status st = open_net(t, false, true); /* says how many classes there are */
    if (!st) st = check_labels(t, &a->set, t->c.arrays.labels);
    if (!st) st = check_labels(t, &a->held, t->c.arrays.held_labels);
    return st;
}

static void close_arrays(pcs_train_run *t)
{
    pcs_arrays *a = t->arrays;
    pcs_arrays_close_form(t);
    if (!a) return;
    precis_net_close(&a->net);
    precis_module_close(&a->module);
    pcs_arrays_free(t->ctx, &a->set);
    pcs_arrays_free(t->ctx, &a->held);
}

const pcs_train_family pcs_train_arrays_family = {
    .open = open_batch, .draw = pcs_arrays_draw, .begin_ranges = begin_ranges, .open_net = open_net, .batch = batch,
    .write = pcs_arrays_write, .read = pcs_arrays_resume, .held_out = measure_held_out, .check = pcs_arrays_check,
    .products = pcs_arrays_products, .close = close_arrays,
};
