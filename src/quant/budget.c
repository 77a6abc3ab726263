/* budget.c - the loss table (every tensor in every type that fits it, on a sample of its rows), and the plan of
 * least loss under a budget. */
#include "base/options.h"
#include "base/pool.h"
#include "model/finite.h"
#include "plan/costs.h"
#include "quant/methods.h"
#include "plan/profile.h"

#include <math.h>

typedef struct {
    const precis_profile *profile; /* measured, or NULL */
    bool output;   /* makes the logits */
    double layers; /* of the model */
    const pcs_format **types;
    size_t n_types;
    uint64_t *done, total; /* weights fitted, for progress */
    pcs_draw draw;
} measuring;

/* Divergence that an error is likely to cause, in nats per token, so that losses of different tensors add up.
 *
 * Logits: KL = 1/2 of the variance of their error under the softmax, to second order; the weighted squared error of a
 * row is that variance, and 0.7 the share that is left of it in two models, since likely tokens' errors cancel. Hidden
 * layers: proportional to the relative error of their output and to the number of layers; the factors were measured by
 * quantizing one class of tensors at a time in two models (docs/planning.md has the figures). */
static double to_kl(const measuring *j, const pcs_format *f, double relative)
{
    const pcs_draw *d = &j->draw;
    const double known = j->profile ? pcs_profile_loss(j->profile, d->t->name, f->name, relative) : -1;
    if (known >= 0) return known;
    if (j->output && d->weights.mean) return 0.7 * 0.5 * relative * d->norm / (double)pcs_tensor_rows(d->t);
    return pcs_class_loss(d->t->name, j->layers, relative);
}

/* Bytes of a tensor in a file, where each begins at a multiple of 32. */
static uint64_t file_bytes(const pcs_tensor *t, const pcs_format *f)
{
    return (pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]) + 31) / 32 * 32;
}

static precis_status losses(precis_ctx *ctx, measuring *j, precis_choice *choices)
{
    const pcs_tensor *t = j->draw.t;
    precis_status st = PRECIS_OK;
    for (size_t c = 0; c < j->n_types && !st; c++) {
        double relative;
        const pcs_format *f = j->types[c];
        const size_t steps = pcs_has_book(f) ? (j->draw.steps + 63) / 64 : j->draw.steps; /* a part serves for books */
        st = pcs_draw_error(&j->draw, f, steps, &relative);
        choices[c] = (precis_choice){ file_bytes(t, f), st || !(relative > 0) ? 0 : to_kl(j, f, relative) };
        *j->done += j->draw.steps * (uint64_t)t->ne[0];
        if (!st) st = pcs_progress(ctx, "measure", *j->done < j->total ? *j->done : j->total - 1, j->total);
    }
    return st;
}

typedef struct {
    precis_item *items;
    precis_choice *choices;
    const pcs_format **types;
    size_t *picks;
} table;

/* Which types each tensor may take. */
static precis_status list_choices(precis_ctx *ctx, const precis_model *m, const precis_quant_options *o, bool books,
                                  table *tb)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        size_t n = 0;
        st = pcs_candidates(ctx, &m->tensors[i], o, books ? PCS_BOOKS : 0, tb->types + i * PCS_CHOICES, &n);
        tb->items[i] = (precis_item){ tb->choices + i * PCS_CHOICES, n };
    }
    return st;
}

static precis_status fill_table(precis_ctx *ctx, const precis_model *m, const precis_quant_options *o, bool books,
                                const pcs_method *method, table *tb)
{
    const double weights = pcs_quantizable_weights(m);
    const int layers = pcs_layers(m);
    uint64_t done = 0, total = 0; /* weights that are fitted */
    pcs_pattern_check(ctx, o->pins, m);
    precis_status st = list_choices(ctx, m, o, books, tb);
    for (size_t i = 0; i < m->n_tensors && !st; i++)
        total += pcs_draw_steps(&m->tensors[i], weights) * (uint64_t)m->tensors[i].ne[0] * tb->items[i].n;
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        const pcs_tensor *t = &m->tensors[i];
        measuring j = { .types = tb->types + i * PCS_CHOICES, .n_types = tb->items[i].n, .done = &done, .total = total,
                        .layers = layers ? layers : 1, .profile = o->profile, .output = pcs_makes_logits(m, t) };
        if (j.n_types == 1 && !pcs_quantizable(t)) {
            tb->choices[i * PCS_CHOICES] = (precis_choice){ file_bytes(t, j.types[0]), 0 };
            continue;
        }
        const bool profiled = o->profile && pcs_profile_of(o->profile, t->name);
        const pcs_draw_job draw = { t, method, o->imatrix, !j.output && !profiled, pcs_draw_steps(t, weights) };
        st = pcs_draw_open(ctx, &j.draw, &draw);
        if (!st) st = losses(ctx, &j, tb->choices + i * PCS_CHOICES);
        pcs_draw_close(&j.draw);
    }
    return st ? st : pcs_progress(ctx, "measure", 1, 1);
}

/* ---- a table, solved for one budget after another ----------------------------------------------------------- */

struct pcs_loss_table {
    precis_ctx *ctx;
    const precis_model *m;
    const precis_quant_options *o;
    table tb;
    double limit;    /* seconds of the weights of a token; 0: none */
    double *seconds; /* of choices */
    pcs_least least; /* made when a budget is too small; plan NULL: not yet */
};

void pcs_loss_table_close(pcs_loss_table **t)
{
    if (!*t) return;
    precis_ctx *ctx = (*t)->ctx;
    pcs_least_close(&(*t)->least);
    pcs_free(ctx, (*t)->tb.items);
    pcs_free(ctx, (*t)->tb.choices);
    pcs_free(ctx, (*t)->tb.types);
    pcs_free(ctx, (*t)->tb.picks);
    pcs_free(ctx, (*t)->seconds);
    pcs_free(ctx, *t);
    *t = NULL;
}

precis_status pcs_loss_table_open(precis_ctx *ctx, pcs_loss_table **out, const precis_model *m,
                                  const precis_quant_options *o, bool books)
{
    pcs_method_set set;
    *out = NULL;
    precis_status st = pcs_methods_parse(ctx, o->method, &set);
    books |= o->types && !strcmp(o->types, "all");
    if (!st) st = pcs_model_finite(ctx, m);
    if (st) return st;
    pcs_loss_table *t = *out = pcs_alloc(ctx, 1, sizeof *t);
    if (!t) return PRECIS_ENOMEM;
    const size_t tensors = m->n_tensors + 1;
    *t = (pcs_loss_table){ .ctx = ctx, .m = m, .o = o };
    t->tb = (table){ pcs_alloc(ctx, tensors, sizeof *t->tb.items),
                     pcs_alloc(ctx, tensors * PCS_CHOICES, sizeof *t->tb.choices),
                     pcs_alloc(ctx, tensors * PCS_CHOICES, sizeof *t->tb.types),
                     pcs_alloc(ctx, tensors, sizeof *t->tb.picks) };
    st = t->tb.items && t->tb.choices && t->tb.types && t->tb.picks ? PRECIS_OK : PRECIS_ENOMEM;
    /* the table is of rows */
    if (!st) st = fill_table(ctx, m, o, books, set.coder->row ? set.coder : pcs_methods[0], &t->tb);
    if (st) pcs_loss_table_close(out);
    return st;
}

precis_status pcs_loss_table_limit(pcs_loss_table *t, const precis_costs *costs, double seconds)
{
    precis_ctx *ctx = t->ctx;
    double least = 0;
    if (!costs) {
        pcs_free(ctx, t->seconds);
        t->seconds = NULL;
        return PRECIS_OK;
    }
    t->limit = seconds - costs->overhead;
    if (!(t->seconds = pcs_alloc(ctx, (t->m->n_tensors + 1) * PCS_CHOICES, sizeof *t->seconds))) return PRECIS_ENOMEM;
    for (size_t i = 0; i < t->m->n_tensors; i++) {
        double best = INFINITY;
        for (size_t c = 0; c < t->tb.items[i].n; c++) {
            const double s = pcs_costs_of(costs, t->m, &t->m->tensors[i], t->tb.types[i * PCS_CHOICES + c]);
            t->seconds[i * PCS_CHOICES + c] = s < 0 ? INFINITY : s;
            best = s >= 0 && s < best ? s : best;
        }
        if (!(best < INFINITY))
            return pcs_fail(ctx, PRECIS_EINVAL,
                            "the cost table has none of the types that tensor %s may take; it is of another model: "
                            "precis bench MODEL --cost-table makes this one's",
                            t->m->tensors[i].name);
        least += best;
    }
    if (least > t->limit)
        return pcs_fail(ctx, PRECIS_EBUDGET,
                        "no plan generates %.4g tokens per second here; the fastest types give %.4g", 1 / seconds,
                        1 / (least + costs->overhead));
    return PRECIS_OK;
}

/* One constraint in place of two: a mixture of both, `share` of it of time (a surrogate constraint; Glover 1968). Any
 * plan that keeps both keeps the mixture. */
static precis_status solve_mixed(pcs_loss_table *t, uint64_t budget, double share, precis_solution *s, double *seconds,
                                 uint64_t *bytes)
{
    enum { SCALE = 1 << 30 };
    const size_t n = t->m->n_tensors;
    precis_choice *choices = pcs_alloc(t->ctx, (n + 1) * PCS_CHOICES, sizeof *choices);
    precis_item *items = pcs_alloc(t->ctx, n + 1, sizeof *items);
    precis_status st = choices && items ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < n && !st; i++) {
        items[i] = (precis_item){ choices + i * PCS_CHOICES, t->tb.items[i].n };
        for (size_t c = 0; c < items[i].n; c++) {
            const precis_choice *own = &t->tb.items[i].choices[c];
            const double part = (1 - share) * (double)own->bytes / (double)budget +
                                share * t->seconds[i * PCS_CHOICES + c] / t->limit;
            const uint64_t cost = part < 4 ? (uint64_t)(part * SCALE + 0.5) : (uint64_t)4 * SCALE;
            choices[i * PCS_CHOICES + c] = (precis_choice){ cost, own->loss };
        }
    }
    if (!st) st = precis_plan_solve(t->ctx, items, n, SCALE, t->tb.picks, s);
    *seconds = 0;
    *bytes = 0;
    for (size_t i = 0; i < n && !st; i++) {
        *seconds += t->seconds[i * PCS_CHOICES + t->tb.picks[i]];
        *bytes += t->tb.items[i].choices[t->tb.picks[i]].bytes;
    }
    pcs_free(t->ctx, choices);
    pcs_free(t->ctx, items);
    return st;
}

/* Within bytes and seconds: the mixture whose best plan just keeps both. */
static precis_status solve(pcs_loss_table *t, uint64_t budget, precis_solution *s)
{
    double lo = 0, hi = 1, best = INFINITY, seconds;
    uint64_t bytes;
    size_t *kept = NULL;
    precis_solution found = { .size = sizeof found };
    precis_status st = precis_plan_solve(t->ctx, t->tb.items, t->m->n_tensors, budget, t->tb.picks, s);
    if (st || !t->seconds) return st;
    const double bound = s->bound; /* of bytes alone: no plan within both has less */
    if (!(kept = pcs_alloc(t->ctx, t->m->n_tensors + 1, sizeof *kept))) return PRECIS_ENOMEM;
    for (int turn = 0; turn < 14 && !st; turn++) {
        const double share = turn == 0 ? 0 : turn == 1 ? 1 : (lo + hi) / 2;
        precis_solution try = { .size = sizeof try };
        st = solve_mixed(t, budget, share, &try, &seconds, &bytes);
        if (st == PRECIS_EBUDGET) st = PRECIS_OK, bytes = UINT64_MAX, seconds = share < 0.5 ? (double)INFINITY : 0.0;
        if (st) break;
        const bool both = seconds <= t->limit && bytes <= budget;
        if (both && try.loss < best) {
            best = try.loss;
            found = try;
            memcpy(kept, t->tb.picks, t->m->n_tensors * sizeof *kept);
        }
        if (both && turn < 2) break; /* one of the two does not bind */
        if (turn < 2) continue;
        if (seconds > t->limit) lo = share;
        else hi = share;
    }
    if (!st && !(best < INFINITY))
        st = pcs_fail(t->ctx, PRECIS_EINVAL, "no plan was found that keeps both the size and the speed");
    if (!st) {
        memcpy(t->tb.picks, kept, t->m->n_tensors * sizeof *kept);
        s->loss = best;
        s->bound = found.exact && found.bound > bound ? found.bound : bound;
        s->exact = best <= s->bound;
        s->bytes = 0;
        for (size_t i = 0; i < t->m->n_tensors; i++) s->bytes += t->tb.items[i].choices[t->tb.picks[i]].bytes;
        t->ctx->message[0] = 0;
    }
    pcs_free(t->ctx, kept);
    return st;
}

/* The smallest plan, where it fits and the solver found none: what a file has beside its tensors differs by plan, so
 * that a budget of that very size may seem too small. False: the table lacks a type of it. */
static bool take_least(pcs_loss_table *t, uint64_t max_bytes, precis_plan *p, precis_solution *s)
{
    uint64_t step = UINT64_MAX; /* what the cheapest exchange for another type would add */
    s->loss = 0;
    s->bytes = 0;
    for (size_t i = 0; i < t->m->n_tensors; i++) {
        const pcs_format *f = t->least.plan->rows[i].to;
        const precis_choice *choices = t->tb.items[i].choices;
        size_t c = 0;
        while (c < t->tb.items[i].n && t->tb.types[i * PCS_CHOICES + c] != f) c++;
        if (c == t->tb.items[i].n) return false;
        for (size_t k = 0; k < t->tb.items[i].n; k++)
            if (choices[k].bytes > choices[c].bytes && choices[k].bytes - choices[c].bytes < step)
                step = choices[k].bytes - choices[c].bytes;
        pcs_plan_set(&p->rows[i], f);
        p->rows[i].loss = choices[c].loss;
        s->loss += choices[c].loss;
        s->bytes += choices[c].bytes;
    }
    s->exact = step > max_bytes - t->least.bytes;
    s->bound = s->exact ? s->loss : 0;
    return true;
}

/* What the file has beside its tensors is known only with a plan: solve, look, and take off what is over. */
precis_status pcs_loss_table_plan(pcs_loss_table *t, uint64_t max_bytes, precis_plan **out, precis_solution *solution,
                                  double *loss)
{
    precis_ctx *ctx = t->ctx;
    const precis_model *m = t->m;
    precis_plan *p = NULL;
    precis_solution s = { .size = sizeof s };
    uint64_t budget = max_bytes, bytes = 0;
    precis_status st = pcs_plan_new(ctx, &p, m, "budget");
    for (int round = 0; round < 8 && !st; round++) {
        uint64_t beside = 0;
        if (round == 0 && !(st = precis_quant_file_bytes(ctx, m, p, t->o, &bytes))) {
            for (size_t i = 0; i < m->n_tensors; i++) beside += (m->tensors[i].bytes + 31) / 32 * 32;
            beside = bytes - beside;
            budget = max_bytes > beside ? max_bytes - beside : 0;
        }
        if (!st) st = solve(t, budget, &s);
        *loss = 0;
        for (size_t i = 0; i < m->n_tensors && !st; i++) {
            pcs_plan_set(&p->rows[i], t->tb.types[i * PCS_CHOICES + t->tb.picks[i]]);
            p->rows[i].loss = t->tb.items[i].choices[t->tb.picks[i]].loss;
            *loss += p->rows[i].loss;
        }
        if (!st) st = precis_quant_file_bytes(ctx, m, p, t->o, &bytes);
        if (st || bytes <= max_bytes) break;
        budget -= bytes - max_bytes < budget ? bytes - max_bytes : budget;
    }
    if (st == PRECIS_EBUDGET) {
        const precis_status known = t->least.plan ? PRECIS_OK : pcs_least_open(ctx, &t->least, m, t->o);
        if (!known) s.min_bytes = t->least.bytes;
        if (!known && !t->seconds && max_bytes >= t->least.bytes && take_least(t, max_bytes, p, &s)) {
            st = PRECIS_OK;
            *loss = s.loss;
            ctx->message[0] = 0;
        } else st = known ? known : pcs_least_refuse(ctx, &t->least, max_bytes);
    }
    if (solution) {
        pcs_options_give(solution, &s, sizeof s);
    }
    if (st) precis_plan_close(&p);
    *out = p;
    return st;
}

bool pcs_loss_table_of(const pcs_loss_table *t, const precis_plan *plan, double *loss)
{
    *loss = 0;
    for (size_t i = 0; i < plan->n; i++) {
        size_t c = 0;
        while (c < t->tb.items[i].n && t->tb.types[i * PCS_CHOICES + c] != plan->rows[i].to) c++;
        if (c == t->tb.items[i].n) return false;
        *loss += t->tb.items[i].choices[c].loss;
    }
    return true;
}

precis_status precis_quant_plan(precis_ctx *ctx, precis_plan **out, const precis_model *m, uint64_t max_bytes,
                                const precis_quant_options *opts, precis_solution *solution)
{
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    pcs_loss_table *t;
    double loss;
    pcs_options_take(&o, sizeof o, opts);
    *out = NULL;
    precis_status st = pcs_least_check(ctx, m, &o, max_bytes, solution);
    if (st) return st;
    st = PRECIS_EBUDGET;
    /* types with books where they lose less, or when nothing else fits */
    int books = o.profile && pcs_wants_books(ctx, m, o.method, max_bytes);
    for (; books < 2 && st == PRECIS_EBUDGET; books++) {
        st = pcs_loss_table_open(ctx, &t, m, &o, books);
        if (!st) st = pcs_loss_table_plan(t, max_bytes, out, solution, &loss);
        pcs_loss_table_close(&t);
    }
    return st;
}
