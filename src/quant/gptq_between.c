/* gptq_between.c - a layer is not run from its beginning for each of its groups. Behind a group's input stand the steps
 * that read its weights and those of the groups to come, since groups come in the order of the steps; what those steps
 * read of the ones before is kept, of all windows, and the next pass begins there. */
#include "quant/gptq.h"

typedef pcs_gptq_between between;

static void close_between(precis_ctx *ctx, between *b)
{
    pcs_free(ctx, b->values);
    pcs_free(ctx, b->widths);
    pcs_spill_close(ctx, &b->kept);
    *b = (between){ .step = 0 };
}

void pcs_gptq_forget(gptq *g) { close_between(g->w->ctx, &g->between); }

/* Whether steps [from, end) have the slot among their results. */
static bool makes_slot(const precis_program *p, size_t from, size_t end, int32_t slot)
{
    for (size_t i = from; i < end; i++)
        for (uint32_t k = 0; k < p->steps[i].n_out; k++)
            if (p->slots[p->steps[i].out[k]].root == slot) return true;
    return false;
}

/* Slots that the layer's steps before `step` make, or its beginning is, and those from it on read; false: one of them
 * is no array of numbers (a cache, codes), or there is no memory. */
static bool find(gptq *g, const pcs_gptq_layer *l, size_t step, between *b)
{
    const precis_program *p = g->r->program;
    const int32_t cut = l->cut >= 0 ? p->slots[l->cut].root : -1;
    b->values = pcs_alloc(g->w->ctx, p->n_slots + 1, sizeof *b->values);
    b->widths = pcs_alloc(g->w->ctx, p->n_slots + 1, sizeof *b->widths);
    if (!b->values || !b->widths) return false;
    for (size_t i = step; i < l->to; i++)
        for (uint32_t k = 0; k < p->steps[i].n_in; k++) {
            const int32_t slot = p->slots[p->steps[i].in[k]].root;
            const pcs_value *v = &p->slots[slot].v;
            size_t at = 0;
            while (at < b->n && b->values[at] != slot) at++;
            if (at < b->n || (slot != cut && !makes_slot(p, l->from, step, slot))) continue;
            const bool rows = v->dims >= 2 && v->shape[0] == g->r->graph->values[l->out].shape[0];
            if (v->dtype != PCS_F32 || !rows || p->steps[i].plain >= 0) return false;
            b->widths[b->n] = 1;
            for (uint32_t d = 1; d < v->dims; d++) b->widths[b->n] *= (size_t)pcs_program_extent(p, v->shape[d]);
            b->row += b->widths[b->n];
            b->values[b->n++] = slot;
        }
    b->step = step;
    return b->n > 0;
}

typedef struct {
    gptq *g;
    between next; /* step 0: nothing is kept */
    precis_status (*after)(void *user, const pcs_sample *at);
    void *user;
} passing;

/* Between the arrays of a value come those of other values: [values][rows of all windows][width]. */
static void each(const gptq *g, const between *b, const pcs_sample *at, bool back)
{
    float *x = b->kept.data;
    for (size_t i = 0; i < b->n; x += b->widths[i++] * g->w->windows.n_ids) {
        float *rows = x + at->first * b->widths[i];
        const uint64_t bytes = at->rows * b->widths[i] * sizeof *rows;
        if (back) pcs_program_write(g->r->program, b->values[i], rows, bytes);
        else pcs_program_read(g->r->program, b->values[i], rows, bytes);
    }
}

static precis_status enter(void *user, const pcs_sample *at)
{
    const passing *p = user;
    each(p->g, &p->g->between, at, true);
    return PRECIS_OK;
}

static precis_status leave(void *user, const pcs_sample *at)
{
    const passing *p = user;
    if (p->next.step) each(p->g, &p->next, at, false);
    return p->after(p->user, at);
}

precis_status pcs_gptq_run_on(gptq *g, const pcs_gptq_layer *l, size_t to,
                              precis_status (*after)(void *user, const pcs_sample *at), void *user)
{
    precis_ctx *ctx = g->w->ctx;
    passing p = { .g = g, .after = after, .user = user };
    precis_status st = PRECIS_OK;
    if (g->between.step >= to) pcs_gptq_forget(g);
    if (to < l->to && !ctx->memory.limit) { /* under a limit time is worth less than memory */
        if (!find(g, l, to, &p.next)) close_between(ctx, &p.next);
        else st = pcs_spill_open(ctx, &p.next.kept, g->w->windows.n_ids * p.next.row * sizeof(float));
    }
    pcs_samples_pass pass = { .on = { .program = g->r->program, .runner = g->r },
                              .part = true, .cut = l->cut, .states = g->hidden, .width = g->r->lm.width,
                              .from = l->from, .to = to, .after = leave, .user = &p };
    if (g->between.step) {
        pass.cut = -1;
        pass.from = g->between.step;
        pass.enter = enter;
    }
    if (!st) st = pcs_samples_run(&g->samples, &pass);
    if (p.next.step) {
        pcs_gptq_forget(g);
        g->between = p.next;
    }
    return st;
}
