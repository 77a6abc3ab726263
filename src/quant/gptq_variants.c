/* gptq_variants.c - weights as several types each, from one look at the net. Nothing of it is coded meanwhile, so that
 * all types have the same inputs: a layer is run once, and weights that read one value have one Hessian and one factor,
 * whatever they become. */
#include "quant/gptq.h"

/* A value that weights read: the Hessian of its rows, and those of the window in work. */
typedef struct { precis_value input; size_t n, pad; double *h; float *x; uint64_t tokens; } group;

typedef struct {
    gptq *g;
    const pcs_gptq_layer *l;
    group *groups;
    size_t n;
    float *xt, *xp, *tile; /* of pcs_gptq_gram */
} look;

/* Whether a plan codes a tensor that is not coded yet. */
static bool codes(const gptq *g, size_t plan, size_t tensor)
{
    const pcs_format *to = g->w->variants->plans[plan]->rows[tensor].to;
    return to != g->w->m->tensors[tensor].format && to->kind == PCS_QUANT && !pcs_gptq_refuses(to) &&
           !g->w->variants->coded[plan][tensor].bytes;
}

/* Index of the weight that a node reads, when some plan codes it; else -1. Behind the layers only what makes the logits
 * has an input that is a layer's. */
static long wanted_of(const gptq *g, const pcs_gptq_layer *l, const pcs_node *n)
{
    const pcs_value *v = pcs_node_weight(g->r->graph, n);
    uint32_t i;
    if (!v || !pcs_map_get(&g->w->m->tensor_map, v->name, strlen(v->name), &i)) return -1;
    const pcs_tensor *t = &g->w->m->tensors[i];
    if (l->out < 0 && (!pcs_makes_logits(g->w->m, t) || t->dims > 2 || n->op->route)) return -1;
    for (size_t k = 0; k < g->w->variants->n; k++)
        if (codes(g, k, i)) return (long)i;
    return -1;
}

/* ---- one look ---------------------------------------------------------------------------------------------------- */

static void take_rows(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    (void)v;
    const group *at = user;
    memcpy(at->x, x, rows * width * sizeof *x);
}

static precis_status open_groups(look *k)
{
    gptq *g = k->g;
    precis_ctx *ctx = g->w->ctx;
    const size_t most = g->w->windows.longest;
    size_t widest = 16;
    k->groups = pcs_alloc(ctx, k->l->end_node - k->l->first_node + 1, sizeof *k->groups);
    if (!k->groups) return PRECIS_ENOMEM;
    for (size_t i = k->l->first_node; i < k->l->end_node; i++) {
        const pcs_node *n = &g->r->graph->nodes[i];
        size_t at = 0;
        if (n->op->route || wanted_of(g, k->l, n) < 0) continue;
        while (at < k->n && k->groups[at].input != n->in[0]) at++;
        if (at < k->n) continue;
        group *own = &k->groups[k->n++];
        *own = (group){ .input = n->in[0], .n = pcs_gptq_width(g, n->in[0]) };
        own->pad = (own->n + 15) / 16 * 16;
        widest = own->pad > widest ? own->pad : widest;
        own->h = pcs_alloc(ctx, own->n * own->n, sizeof *own->h);
        own->x = pcs_alloc(ctx, own->n * most, sizeof *own->x);
        if (!own->h || !own->x) return PRECIS_ENOMEM;
    }
    k->xt = pcs_alloc(ctx, widest * most, sizeof *k->xt);
    k->xp = pcs_alloc(ctx, widest * most, sizeof *k->xp);
    k->tile = pcs_alloc(ctx, widest * 16 * precis_ctx_threads(ctx), sizeof *k->tile);
    return k->xt && k->xp && k->tile ? PRECIS_OK : PRECIS_ENOMEM;
}

/* A group's Hessian becomes the one in work; how many tokens it is of stays with the group. */
static void work_on(gptq *g, const group *at)
{
    g->n = at->n;
    g->pad = at->pad;
    g->h = at->h;
    g->tokens = at->tokens;
}

static precis_status add_sample(void *user, const pcs_sample *at)
{
    look *k = user;
    gptq *g = k->g;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < k->n && !st; i++) {
        group *own = &k->groups[i];
        work_on(g, own);
        const bool state = own->input == k->l->cut; /* which is given, not computed */
        const float *x = state ? g->hidden + at->first * g->r->lm.width : own->x;
        st = pcs_gptq_gram(g, x, (size_t)at->rows, k->xt, k->xp, k->tile);
        own->tokens = g->tokens;
        g->h = NULL;
    }
    if (k->l->out >= 0) pcs_gptq_keep_state(g, k->l, at);
    return st;
}

static precis_status look_at(look *k)
{
    gptq *g = k->g;
    precis_program *p = g->r->program;
    size_t to = k->l->to;
    if (k->l->out < 0)
        for (size_t i = 0; i < k->n; i++) {
            const size_t step = pcs_program_step_of(p, k->groups[i].input) + 1;
            to = step > to ? step : to;
        }
    for (size_t i = 0; i < k->n; i++) pcs_program_tap(p, k->groups[i].input, take_rows, &k->groups[i]);
    const precis_status st = pcs_gptq_run_to(g, k->l, g->hidden, to, add_sample, k);
    for (size_t i = 0; i < k->n; i++) pcs_program_tap(p, k->groups[i].input, NULL, NULL);
    return st;
}

static void close_groups(look *k)
{
    precis_ctx *ctx = k->g->w->ctx;
    for (size_t i = 0; i < k->n; i++) {
        pcs_free(ctx, k->groups[i].h);
        pcs_free(ctx, k->groups[i].x);
    }
    pcs_free(ctx, k->groups);
    pcs_free(ctx, k->xt);
    pcs_free(ctx, k->xp);
    pcs_free(ctx, k->tile);
}

/* ---- coding ------------------------------------------------------------------------------------------------------ */

/* Rows of a weight, under the Hessian in work, as every plan has them; why: by search. */
static precis_status code_variants(gptq *g, size_t at, const pcs_gptq_part *rows)
{
    const pcs_variants *b = g->w->variants;
    const pcs_tensor *t = &g->w->m->tensors[at];
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < b->n && !st; k++) {
        pcs_encoded *e = &b->coded[k][at];
        pcs_gptq_part part = *rows;
        pcs_row_loss loss = { 0 };
        part.to = b->plans[k]->rows[at].to;
        if (!rows->first) {
            if (!codes(g, k, at)) continue;
            st = pcs_encoded_open(g->w->ctx, e, t, part.to);
        }
        if (!st && e->bytes) st = pcs_gptq_code_apart(g, at, &part, e, &loss);
    }
    return st;
}

/* Each expert under the Hessian of the tokens that it got, by search where those are too few. */
static precis_status experts_variants(look *k, const pcs_node *n, size_t at)
{
    const pcs_tensor *t = &k->g->w->m->tensors[at];
    const size_t rows = (size_t)t->ne[1], experts = (size_t)pcs_tensor_rows(t) / rows;
    precis_status st = PRECIS_OK;
    for (size_t e = 0; e < experts && !st; e++) {
        st = pcs_gptq_collect(k->g, &(pcs_gptq_inputs){ n->in[0], n, (int64_t)e }, k->l);
        const char *why = st ? NULL : pcs_gptq_factor(k->g, t, &st);
        if (!st) st = code_variants(k->g, at, &(pcs_gptq_part){ .first = e * rows, .count = rows, .why = why });
    }
    return st;
}

/* All weights that read a group's value. */
static precis_status group_variants(look *k, group *own)
{
    gptq *g = k->g;
    precis_status st = PRECIS_OK;
    const char *why = NULL;
    bool ready = false;
    pcs_free(g->w->ctx, g->h);
    work_on(g, own);
    own->h = NULL;
    pcs_gptq_mirror(g);
    for (size_t i = k->l->first_node; i < k->l->end_node && !st && !why; i++) {
        const pcs_node *n = &g->r->graph->nodes[i];
        const long at = n->op->route || n->in[0] != own->input ? -1 : wanted_of(g, k->l, n);
        if (at < 0) continue;
        const pcs_tensor *t = &g->w->m->tensors[at];
        if (!ready) why = pcs_gptq_factor(g, t, &st);
        ready = true;
        if (!st && !why) st = code_variants(g, (size_t)at, &(pcs_gptq_part){ .count = (size_t)pcs_tensor_rows(t) });
    }
    return st;
}

precis_status pcs_gptq_variants(gptq *g, const pcs_gptq_layer *l)
{
    look k = { .g = g, .l = l };
    precis_status st = PRECIS_OK;
    for (size_t i = l->first_node; i < l->end_node && !st; i++) { /* while the states are those before the layer */
        const pcs_node *n = &g->r->graph->nodes[i];
        const long at = n->op->route ? wanted_of(g, l, n) : -1;
        if (at >= 0) st = experts_variants(&k, n, (size_t)at);
    }
    pcs_gptq_forget(g);
    pcs_free(g->w->ctx, g->h); /* each group has its own */
    g->h = NULL;
    if (!st) st = open_groups(&k);
    if (!st && (k.n || l->out >= 0)) st = look_at(&k);
    for (size_t i = 0; i < k.n && !st; i++) st = group_variants(&k, &k.groups[i]);
    close_groups(&k);
    return st;
}
