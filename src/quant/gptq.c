/* gptq - columns are rounded one by one, and what a rounding loses is made up by the columns still to come (Frantar et
 * al. 2022, section 3; how, see cholesky.c). Layer by layer, inputs are those that the quantized layers before give;
 * within a layer, weights that read one value come together. Columns go by falling diagonal of the Hessian, groups keep
 * their places (static groups), so no index is stored. */
#include "base/pool.h"
#include "quant/gptq.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef pcs_gptq_layer layer;

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/* The numbers of a held tensor. */
static float *numbers_of(const pcs_tensor *t) { return (float *)(uintptr_t)t->data; }

static precis_status code_weight(gptq *g, size_t index)
{
    const pcs_tensor *t = &g->w->m->tensors[index];
    pcs_encoded *e = &g->w->coded[index];
    pcs_gptq_part whole = { g->w->plan->rows[index].to, numbers_of(t), 0, (size_t)pcs_tensor_rows(t), NULL, NULL };
    pcs_row_loss loss = { 0 };
    precis_status st = pcs_encoded_open(g->w->ctx, e, t, whole.to);
    if (!st) st = pcs_gptq_latent(g, index, whole.weights, &whole.latent);
    if (!st) st = pcs_gptq_code_part(g, index, &whole, e, &loss);
    if (st) pcs_encoded_close(g->w->ctx, e);
    e->method = st ? NULL : "gptq";
    e->error = pcs_relative(&loss);
    return st;
}

/* Each expert under the Hessian of the tokens that it got. */
static precis_status code_experts(gptq *g, size_t index, const pcs_node *n, const layer *l)
{
    pcs_work *w = g->w;
    const pcs_tensor *t = &w->m->tensors[index];
    const size_t rows = (size_t)t->ne[1], experts = (size_t)pcs_tensor_rows(t) / rows;
    const pcs_format *to = w->plan->rows[index].to;
    pcs_encoded *coded = &w->coded[index];
    pcs_row_loss loss = { 0 };
    size_t left = 0;
    pcs_latent *latent = NULL;
    precis_status st = pcs_encoded_open(w->ctx, coded, t, to);
    if (!st) st = pcs_gptq_latent(g, index, numbers_of(t), &latent);
    for (size_t e = 0; e < experts && !st; e++) {
        st = pcs_gptq_collect(g, &(pcs_gptq_inputs){ n->in[0], n, (int64_t)e }, l);
        const char *why = st ? NULL : pcs_gptq_factor(g, t, &st);
        if (!st && why && !w->opt->fallback)
            st = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                          "tensor %s, expert %zu: %s (%llu tokens); --fallback takes search there", t->name, e, why,
                          (unsigned long long)g->tokens);
        left += why != NULL;
        const pcs_gptq_part expert = { to, numbers_of(t) + e * rows * (size_t)t->ne[0], e * rows, rows, why, latent };
        if (!st) st = pcs_gptq_code_part(g, index, &expert, coded, &loss);
    }
    if (left && latent) pcs_gptq_drop_latent(g); /* codes of search were no such numbers */
    const char *method = left ? pcs_arena_printf(&w->m->arena, "gptq (%zu of %zu experts by search)", left, experts)
                              : "gptq";
    if (!st && !method) st = PRECIS_ENOMEM;
    if (st) pcs_encoded_close(w->ctx, coded);
    coded->method = st ? NULL : method;
    coded->error = pcs_relative(&loss);
    return st;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static precis_status give_up(gptq *g, size_t index, const char *why)
{
    const char *name = g->w->m->tensors[index].name;
    if (pcs_gptq_sparsity(g, &g->w->m->tensors[index]) == PCS_SWEPT && !pcs_gptq_refuses(g->w->plan->rows[index].to))
        return pcs_fail(g->w->ctx, PRECIS_EUNSUPPORTED, "tensor %s: %s, and nothing else keeps what is left out", name,
                        why);
    if (!g->w->opt->fallback)
        return pcs_fail(g->w->ctx, PRECIS_EUNSUPPORTED, "tensor %s: %s; --fallback takes search there", name, why);
    g->w->coded[index].method = pcs_arena_printf(&g->w->m->arena, "search (gptq: %s)", why);
    return g->w->coded[index].method ? PRECIS_OK : PRECIS_ENOMEM;
}

/* Index of the stored weight that a node reads, when it is to be coded; else -1. */
static long weight_of(const gptq *g, const pcs_node *n)
{
    const precis_graph *gr = g->r->graph;
    const pcs_value *w = pcs_node_weight(gr, n);
    uint32_t i;
    if (!w || !pcs_map_get(&g->w->m->tensor_map, w->name, strlen(w->name), &i)) return -1;
    const pcs_plan_row *row = &g->w->plan->rows[i];
    const bool codes = row->to != g->w->m->tensors[i].format && (row->to->kind == PCS_QUANT || row->to->element);
    return codes && !g->w->coded[i].bytes && !g->w->coded[i].method ? (long)i : -1;
}

/* Weights of the layer from a node on that read one input. */
static precis_status code_group(gptq *g, const layer *l, size_t first_node, precis_value input)
{
    const precis_graph *gr = g->r->graph;
    precis_status st = PRECIS_OK;
    bool ready = false;
    const char *why = NULL;
    for (size_t i = first_node; i < l->end_node && !st; i++) {
        const pcs_node *n = &gr->nodes[i];
        const long at = n->in[0] == input ? weight_of(g, n) : -1;
        if (at < 0) continue;
        const char *no = pcs_gptq_refuses(g->w->plan->rows[at].to);
        if (!no && n->op->route) {
            st = code_experts(g, (size_t)at, n, l);
            ready = false; /* the group's Hessian is gone */
            continue;
        }
        if (!no && !ready) {
            st = pcs_gptq_collect(g, &(pcs_gptq_inputs){ .input = input }, l);
            if (!st) why = pcs_gptq_factor(g, &g->w->m->tensors[at], &st);
            ready = true;
        }
        if (st) break;
        if (!no) no = why;
        st = no ? give_up(g, (size_t)at, no) : code_weight(g, (size_t)at);
    }
    return st;
}

typedef struct { gptq *g; const layer *l; } follower;

static precis_status keep_state(void *user, const pcs_sample *at)
{
    const follower *f = user;
    pcs_gptq_keep_state(f->g, f->l, at);
    return PRECIS_OK;
}

static precis_status code_layer(gptq *g, const layer *l, uint32_t number)
{
    if (g->w->variants) return pcs_gptq_variants(g, l);
    const precis_graph *gr = g->r->graph;
    precis_status st = pcs_gptq_hold_layer(g, l->first_node, l->end_node);
    if (!st && g->refiner) st = g->refiner->before(g, l);
    for (size_t i = l->first_node; i < l->end_node && !st; i++)
        if (weight_of(g, &gr->nodes[i]) >= 0) st = code_group(g, l, i, gr->nodes[i].in[0]);
    if (g->refiner) pcs_gptq_forget(g); /* all of the layer's weights change once more */
    if (!st && g->refiner) st = g->refiner->after(g, l, number);
    if (!st) st = pcs_gptq_run_on(g, l, l->to, keep_state, &(follower){ g, l });
    pcs_gptq_forget(g);
    while (g->n_latents) pcs_gptq_drop_latent(g);
    pcs_gptq_release(g);
    return st;
}

/* What makes the logits is coded last, from what it reads after the coded layers, by parts of its rows: nothing comes
 * after it that would have to see the numbers. Where it cannot be coded so, it takes search, as it would without. */
static precis_status code_head(gptq *g, const layer *l)
{
    pcs_work *w = g->w;
    const precis_graph *gr = g->r->graph;
    size_t node = l->first_node;
    long at = -1;
    for (size_t i = l->first_node; i < gr->n_nodes && at < 0; i++)
        if ((at = weight_of(g, &gr->nodes[i])) >= 0) node = i;
    const pcs_tensor *t = at < 0 ? NULL : &w->m->tensors[at];
    if (!t || !pcs_makes_logits(w->m, t) || t->dims > 2 || gr->nodes[node].op->route ||
        pcs_gptq_refuses(w->plan->rows[at].to))
        return PRECIS_OK;
    precis_status st = pcs_gptq_collect(g, &(pcs_gptq_inputs){ .input = gr->nodes[node].in[0] }, l);
    const char *why = st ? NULL : pcs_gptq_factor(g, t, &st);
    if (st || why) return st;
    pcs_encoded *e = &w->coded[at];
    pcs_row_loss loss = { 0 };
    const pcs_gptq_part all = { w->plan->rows[at].to, NULL, 0, (size_t)pcs_tensor_rows(t), NULL, NULL };
    st = pcs_encoded_open(w->ctx, e, t, all.to);
    if (!st) st = pcs_gptq_code_apart(g, (size_t)at, &all, e, &loss);
    if (st) pcs_encoded_close(w->ctx, e);
    e->method = st ? NULL : "gptq";
    e->error = pcs_relative(&loss);
    return st;
}

static precis_status code_layers(gptq *g)
{
    const precis_program *p = g->r->program;
    const precis_graph *gr = g->r->graph;
    layer l = { .from = pcs_program_preamble(p), .cut = -1, .out = -1 };
    uint32_t n = 0, done = 0;
    precis_status st = pcs_gptq_resume_layers(g, &done);
    for (size_t i = 0; i < gr->n_nodes && !st; i++) {
        if (!gr->values[gr->nodes[i].out[0]].cut) continue;
        l.end_node = i + 1;
        l.out = gr->nodes[i].out[0];
        l.to = pcs_program_step_of(p, l.out) + 1;
        if (n >= done) st = code_layer(g, &l, n);
        if (!st && n >= done) st = pcs_gptq_keep_layer(g, l.first_node, l.end_node, n + 1);
        l = (layer){ .first_node = i + 1, .from = l.to, .cut = l.out, .out = -1 };
        if (!st) st = pcs_progress(g->w->ctx, g->refiner ? g->refiner->name : "gptq", ++n, g->r->lm.layers);
    }
    l.end_node = gr->n_nodes;
    if (!st && g->w->variants) return pcs_gptq_variants(g, &l);
    return st ? st : code_head(g, &l);
}

precis_status pcs_gptq(pcs_work *w) { return pcs_gptq_refined(w, NULL); }

precis_status pcs_gptq_refined(pcs_work *w, const pcs_refiner *refiner)
{
    precis_ctx *ctx = w->ctx;
    const pcs_kernels kernels = pcs_kernels_for(ctx->cpu);
    gptq g = { .w = w, .kernels = &kernels, .refiner = refiner, .samples = { .ctx = ctx } };
    g.damp = w->opt->damp > 0 ? w->opt->damp : 0.01;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = w->opt->activations ? PRECIS_EMULATED : PRECIS_REFERENCE;
    ro.k_type = ro.v_type = "f32";
    ro.context = ro.batch = w->windows.longest;
    precis_status st = pcs_gptq_announce(&g);
    if (!st) st = pcs_runner_open(ctx, &g.r, w->m, &ro, &(pcs_runner_how){ .inputs = true });
    pcs_gptq_withdraw(&g);
    const uint64_t nets = refiner ? 2 : 1;
    for (size_t i = 0; i < w->set.n; i++) g.swept |= w->set.all[i]->in_sweep;
    if (!st) st = pcs_spill_open(ctx, &g.states, nets * w->windows.n_ids * g.r->lm.width * sizeof *g.hidden);
    if (!st) st = pcs_samples_of_windows(ctx, &g.samples, &w->windows, PCS_WANT_ALL, 1);
    g.hidden = st ? NULL : g.states.data;
    if (!st) st = code_layers(&g);
    if (g.r) pcs_gptq_release(&g); /* after a failure */
    while (g.n_latents) pcs_gptq_drop_latent(&g);
    pcs_free(ctx, g.latents);
    pcs_free(ctx, g.held);
    pcs_spill_close(ctx, &g.states);
    pcs_samples_close(&g.samples);
    pcs_free(ctx, g.h);
    pcs_free(ctx, g.feedback);
    pcs_free(ctx, g.importance);
    pcs_free(ctx, g.order);
    pcs_free(ctx, g.pivot);
    precis_runner_close(&g.r);
    return st;
}

const pcs_method pcs_method_gptq = {
    .name = "gptq", .kind = PCS_CODER, .apply = pcs_gptq, .refuses = pcs_gptq_refuses, .uses_importance = true,
    .does = PCS_MAKES_UP,
};
