/* net_search.c - which nodes of a net stay in float, so that the rest may run in integers.
 *
 * What a node loses is measured once, with all in integers: its own error beside its values, which a search over
 * subsets would find again at the cost of a run for each. That more nodes in float lose less is taken as given; so
 * as few as possible are found by doubling and halving, in some 2 log2(n) nets. */
#include "precis/net_search.h"

#include "base/options.h"
#include "job/temporary.h"
#include "quant/net/net.h"
#include "run/net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TRIES = 64 };

struct precis_net_search {
    precis_ctx *ctx;
    const char *path;
    precis_samples *calib, *data;
    precis_net_search_options o;
    precis_net_quant_options quant;
    precis_eval_net_options eval;
    precis_net *reference;
    pcs_arena arena;
    const char **floats; /* the caller's, then those that lose most first */
    size_t n_given, n_exact, n_ranked, n_floats; /* n_exact: of the caller's */
    precis_net_try tries[TRIES];
    size_t n_tries;
    const char *score;
};

typedef struct { double db; const char *name; } loser;

static int by_loss(const void *a, const void *b)
{
    const loser *x = a, *y = b;
    if (x->db != y->db) return x->db < y->db ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* ---- a try ------------------------------------------------------------------------------------------------------- */

/* With the sizes of its samples, where it has no graph for any. */
static precis_status open_net(precis_net_search *s, precis_net **net)
{
    precis_samples *from = s->calib ? s->calib : s->data;
    const precis_array *inputs;
    precis_status st = pcs_net_open_with(s->ctx, net, s->path, &s->quant);
    if (!st && from && !(st = precis_samples_read(from, 0, 1, &inputs)))
        st = precis_net_assume(*net, inputs, precis_net_inputs(*net));
    return st;
}

/* The net with the first n of the ranked nodes in float, opened from a file that has no name any more. */
static precis_status make(precis_net_search *s, size_t n, precis_net **coded, uint64_t *bytes)
{
    char path[PCS_TEMPORARY_PATH];
    precis_net *net = NULL;
    precis_net_quant *q = NULL;
    precis_net_file file = { .size = sizeof file };
    *coded = NULL;
    s->quant.floats = s->floats;
    s->quant.n_floats = s->n_given + n;
    s->quant.n_exact = s->n_exact + n;
    precis_status st = open_net(s, &net);
    if (!st) st = precis_net_quant_open(net, &s->quant, &q);
    if (!st) st = precis_net_quant_samples(q, s->calib);
    if (!st && !(st = pcs_temporary_name(s->ctx, path))) {
        st = precis_net_quant_write(q, path, &file);
        if (!st) st = precis_net_open(s->ctx, coded, path);
        unlink(path); /* an open net stays mapped */
    }
    *bytes = file.bytes;
    precis_net_quant_close(&q);
    precis_net_close(&net);
    return st;
}

static precis_status measure(precis_net_search *s, precis_net *coded, precis_net_try *t)
{
    precis_eval_net_result r = { .size = sizeof r };
    precis_status st = precis_eval_net(s->ctx, coded, s->reference, s->data, &s->eval, &r);
    if (st) return st;
    if (!r.score && !r.has_agree)
        return pcs_fail(s->ctx, PRECIS_EINVAL,
                        "%s: without labels, and without classes in its output, there is no drop "
                        "to measure",
                        s->path);
    s->score = r.score ? r.score : "agree";
    t->score = r.score ? r.net : r.agree;
    t->drop = r.score ? r.drop : (precis_interval){ 1 - r.agree.value, 1 - r.agree.high, 1 - r.agree.low };
    t->met = t->drop.value <= s->o.max_drop;
    return PRECIS_OK;
}

static precis_status try_floats(precis_net_search *s, size_t n, precis_net **kept, bool *met)
{
    precis_net *coded = NULL;
    precis_net_try t = { .size = sizeof t, .floats = n };
    if (s->n_tries == TRIES) return pcs_fail(s->ctx, PRECIS_EBUDGET, "%s: no end after %d nets", s->path, TRIES);
    precis_status st = make(s, n, &coded, &t.bytes);
    if (!st) st = measure(s, coded, &t);
    if (!st) s->tries[s->n_tries++] = t;
    *met = !st && t.met;
    if (kept) *kept = coded;
    else precis_net_close(&coded);
    return st;
}

/* ---- what loses most --------------------------------------------------------------------------------------------- */

/* Names of nodes in integers, the one that loses most first, each once. */
static precis_status take_ranked(precis_net_search *s, const precis_net_quant *q, loser *all, size_t n)
{
    qsort(all, n, sizeof *all, by_loss);
    for (size_t i = 0; i < n; i++) {
        const char *name = pcs_net_maker(q, all[i].name);
        size_t k = s->n_given;
        while (name && k < s->n_given + s->n_ranked && strcmp(s->floats[k], name)) k++;
        if (!name || k < s->n_given + s->n_ranked) continue;
        s->floats[k] = pcs_arena_copy(&s->arena, name, strlen(name));
        if (!s->floats[k]) return PRECIS_ENOMEM;
        s->n_ranked++;
    }
    return PRECIS_OK;
}

static precis_status rank(precis_net_search *s, precis_net *coded)
{
    precis_node_errors *e = NULL;
    precis_net *net = NULL;
    precis_net_quant *q = NULL;
    s->quant.n_floats = s->n_given;
    s->quant.n_exact = s->n_exact;
    precis_status st = precis_eval_nodes(s->ctx, coded, s->reference, s->data, &e);
    const size_t most = st ? 0 : precis_node_errors_count(e);
    loser *all = st ? NULL : pcs_alloc(s->ctx, most + 1, sizeof *all);
    const char **floats = st ? NULL : pcs_arena_alloc(&s->arena, s->n_given + most + 1, sizeof *floats);
    if (!st && (!all || !floats)) st = PRECIS_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < most && !st; i++) {
        const precis_node_error *one = precis_node_errors_get(e, i);
        if (isfinite(one->added_db)) all[n++] = (loser){ one->added_db, one->name };
    }
    if (!st && s->n_given) memcpy(floats, s->floats, s->n_given * sizeof *floats);
    if (!st) st = open_net(s, &net);
    if (!st) st = precis_net_quant_open(net, &s->quant, &q); /* for what is fused into what */
    if (!st) {
        s->floats = floats;
        st = take_ranked(s, q, all, n);
    }
    pcs_free(s->ctx, all);
    precis_node_errors_close(&e);
    precis_net_quant_close(&q);
    precis_net_close(&net);
    return st;
}

/* ---- the search -------------------------------------------------------------------------------------------------- */

/* The fewest: `few` do not do, `many` do. */
static precis_status halve(precis_net_search *s, size_t few, size_t many)
{
    precis_status st = PRECIS_OK;
    while (many - few > 1 && !st) {
        const size_t middle = few + (many - few) / 2;
        bool met;
        st = try_floats(s, middle, NULL, &met);
        if (met) many = middle;
        else few = middle;
    }
    s->n_floats = s->n_given + many;
    return st;
}

static precis_status search(precis_net_search *s)
{
    precis_net *coded = NULL;
    bool met;
    precis_status st = try_floats(s, 0, &coded, &met);
    s->n_floats = s->n_given;
    if (!st && !met) st = rank(s, coded);
    precis_net_close(&coded);
    if (st || met) return st;
    for (size_t few = 0, many = 1; few < s->n_ranked; few = many, many *= 2) {
        if (many > s->n_ranked) many = s->n_ranked;
        st = try_floats(s, many, NULL, &met);
        if (st) return st;
        if (met) return halve(s, few, many);
    }
    return pcs_fail(s->ctx, PRECIS_EBUDGET,
                    "%s: with all %zu nodes in float that can be in integers the drop is %.4g, more than %.4g", s->path,
                    s->n_ranked, s->tries[s->n_tries - 1].drop.value, s->o.max_drop);
}

precis_status precis_net_search_open(precis_ctx *ctx, precis_net_search **out, const char *path, precis_samples *calib,
                                     precis_samples *data, const precis_net_search_options *opts)
{
    const precis_net_quant_options quant = PRECIS_NET_QUANT_OPTIONS_INIT;
    const precis_eval_net_options eval = PRECIS_EVAL_NET_OPTIONS_INIT;
    *out = NULL;
    precis_net_search *s = pcs_alloc(ctx, 1, sizeof *s);
    if (!s) return PRECIS_ENOMEM;
    *s = (precis_net_search){ .ctx = ctx, .path = path, .calib = calib, .data = data, .quant = quant, .eval = eval };
    pcs_arena_init(&s->arena, ctx);
    pcs_options_take(&s->o, sizeof s->o, opts);
    pcs_options_take(&s->quant, sizeof s->quant, s->o.quant);
    pcs_options_take(&s->eval, sizeof s->eval, s->o.eval);
    s->eval.max_drop = -1;
    s->n_given = s->quant.n_floats;
    s->n_exact = s->quant.n_exact;
    if (s->quant.n_reasons > s->n_given) s->quant.n_reasons = s->n_given;
    s->floats = pcs_arena_alloc(&s->arena, s->n_given + 1, sizeof *s->floats);
    precis_status st = s->floats ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < s->n_given && !st; i++) s->floats[i] = s->quant.floats[i];
    if (!st && !(s->o.max_drop >= 0 && s->o.max_drop < 1))
        st = pcs_fail(ctx, PRECIS_EINVAL, "a drop of %g is no part of 1", s->o.max_drop);
    if (!st) st = open_net(s, &s->reference);
    if (!st) st = search(s);
    if (st) precis_net_search_close(&s);
    *out = s;
    return st;
}

void precis_net_search_close(precis_net_search **search)
{
    precis_net_search *s = search ? *search : NULL;
    if (!s) return;
    precis_net_close(&s->reference);
    pcs_arena_free(&s->arena);
    pcs_free(s->ctx, s);
    *search = NULL;
}

const char *precis_net_search_score(const precis_net_search *s) { return s->score; }

int precis_net_search_try(const precis_net_search *s, size_t i, precis_net_try *out)
{
    if (i >= s->n_tries) return 0;
    pcs_options_give(out, &s->tries[i], sizeof s->tries[i]);
    return 1;
}

const char *const *precis_net_search_floats(const precis_net_search *s, size_t *n)
{
    *n = s->n_floats;
    return s->floats;
}
