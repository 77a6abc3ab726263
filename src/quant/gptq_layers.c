/* gptq_layers.c - the weights of one layer at a time, and what is kept of the layers that are done. */
#include "base/pool.h"
#include "quant/gptq.h"
#include "quant/resume.h"

/* The layer is done: its weights go. */
void pcs_gptq_release(gptq *g)
{
    for (size_t i = 0; i < g->n_held; i++) {
        held *h = &g->held[i];
        if (!h->x) continue;
        pcs_tensor *t = &g->w->m->tensors[h->index];
        pcs_program_bind(g->r->program, h->v, h->data);
        pcs_free(g->w->ctx, h->x);
        h->x = NULL;
        t->format = h->format;
        t->data = h->data;
        t->bytes = h->bytes;
    }
}

typedef struct { const held *h; size_t n; } held_rows;

static void decode_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const held_rows *d = arg;
    for (uint64_t r = begin; r < end; r++)
        pcs_decode(d->h->format, d->n, d->h->data + r * pcs_row_bytes(d->h->format, d->n), d->h->x + r * d->n);
}

/* The weights that the nodes of a layer read, as F32 that is written over. */
precis_status pcs_gptq_hold_layer(gptq *g, size_t first_node, size_t end_node)
{
    const precis_graph *gr = g->r->graph;
    for (size_t i = first_node; i < end_node; i++)
        for (uint32_t k = 0; k < gr->nodes[i].n_in; k++) {
            const precis_value v = gr->nodes[i].in[k];
            if (gr->values[v].dtype != PCS_STORED) continue;
            for (size_t e = 0; e < g->n_held; e++) {
                held *h = &g->held[e];
                pcs_tensor *t = &g->w->m->tensors[h->index];
                if (h->x || strcmp(t->name, gr->values[v].name)) continue;
                h->x = pcs_alloc(g->w->ctx, (size_t)t->n + 16, sizeof *h->x);
                if (!h->x) return PRECIS_ENOMEM;
                h->v = v;
                held_rows d = { h, (size_t)t->ne[0] };
                pcs_for(g->w->ctx, pcs_tensor_rows(t), 1 + 65536 / d.n, decode_rows, &d);
                t->format = &pcs_format_f32;
                t->data = (const uint8_t *)h->x;
                t->bytes = 4 * t->n;
                pcs_program_bind(g->r->program, v, h->x);
            }
        }
    return PRECIS_OK;
}

/* Weights that will be coded stand in the net as F32, whose numbers come with their layer. Those that a transform owns
 * are F32 already. */
precis_status pcs_gptq_announce(gptq *g)
{
    pcs_work *w = g->w;
    g->held = pcs_alloc(w->ctx, w->m->n_tensors + 1, sizeof *g->held);
    if (!g->held) return PRECIS_ENOMEM;
    if (w->variants) return PRECIS_OK; /* the net is not changed */
    for (size_t i = 0; i < w->m->n_tensors; i++) {
        pcs_tensor *t = &w->m->tensors[i];
        const pcs_format *to = w->plan->rows[i].to;
        const bool owned =
            t->format == &pcs_format_f32 && (i >= w->origin->n_tensors || t->data != w->origin->tensors[i].data);
        if (to == t->format || (to->kind != PCS_QUANT && !to->element) || t->is.layer < 0 || owned) continue;
        g->held[g->n_held++] = (held){ i, t->format, t->data, t->bytes, NULL, -1 };
        t->format = &pcs_format_f32;
        t->bytes = 4 * t->n;
    }
    return PRECIS_OK;
}

/* The tensors are what they were, as all but the layer in work see them. */
void pcs_gptq_withdraw(gptq *g)
{
    for (size_t i = 0; i < g->n_held; i++) {
        pcs_tensor *t = &g->w->m->tensors[g->held[i].index];
        t->format = g->held[i].format;
        t->data = g->held[i].data;
        t->bytes = g->held[i].bytes;
    }
}

precis_status pcs_gptq_latent(gptq *g, size_t index, const float *weights, pcs_latent **out)
{
    precis_ctx *ctx = g->w->ctx;
    const pcs_tensor *t = &g->w->m->tensors[index];
    const pcs_format *f = g->w->plan->rows[index].to;
    *out = NULL;
    if (!g->refiner) return PRECIS_OK;
    if (!g->latents) g->latents = pcs_alloc(ctx, g->w->m->n_tensors + 1, sizeof *g->latents);
    if (!g->latents) return PRECIS_ENOMEM;
    pcs_latent *l = &g->latents[g->n_latents++];
    *l = (pcs_latent){ .index = index, .rows = (size_t)pcs_tensor_rows(t), .n = (size_t)t->ne[0] };
    l->per = t->dims > 2 ? (size_t)t->ne[1] : l->rows;
    l->blocks = f->head ? 1 : (l->n + f->block - 1) / f->block;
    const size_t count = l->rows * l->n;
    l->w = pcs_alloc(ctx, count + 16, sizeof *l->w);
    l->u = pcs_alloc(ctx, count + 16, sizeof *l->u);
    l->importance = pcs_alloc(ctx, l->rows / l->per * l->n + 16, sizeof *l->importance);
    l->params = pcs_alloc(ctx, f->head ? 1 : l->rows * l->blocks, sizeof *l->params);
    l->scale = pcs_alloc(ctx, l->rows + 1, sizeof *l->scale);
    l->zero = pcs_alloc(ctx, l->rows + 1, sizeof *l->zero);
    if (!l->w || !l->u || !l->importance || !l->params || !l->scale || !l->zero) return PRECIS_ENOMEM;
    if (pcs_gptq_sparsity(g, t) && !(l->out = pcs_alloc(ctx, count + 1, 1))) return PRECIS_ENOMEM;
    memcpy(l->w, weights, count * sizeof *l->w);
    *out = l;
    return PRECIS_OK;
}

void pcs_gptq_keep_importance(const gptq *g, pcs_latent *l, size_t row)
{
    memcpy(l->importance + row / l->per * g->n, g->importance, g->n * sizeof *g->importance);
}

void pcs_gptq_drop_latent(gptq *g)
{
    pcs_latent *l = &g->latents[--g->n_latents];
    pcs_free(g->w->ctx, l->w);
    pcs_free(g->w->ctx, l->u);
    pcs_free(g->w->ctx, l->out);
    pcs_free(g->w->ctx, l->importance);
    pcs_free(g->w->ctx, l->params);
    pcs_free(g->w->ctx, l->scale);
    pcs_free(g->w->ctx, l->zero);
}

/* What earlier runs have coded, and the states after their last layer. */
precis_status pcs_gptq_resume_layers(gptq *g, uint32_t *done)
{
    pcs_work *w = g->w;
    precis_status st = pcs_resume_load_states(w->resume, done, g->hidden, g->states.bytes);
    for (size_t i = 0; i < w->m->n_tensors && *done && !st; i++) {
        const pcs_piece *p = pcs_resume_find(w->resume, w->m->tensors[i].name);
        if (!p || w->m->tensors[i].is.layer < 0 || w->m->tensors[i].is.layer >= (long)*done) continue;
        if (!(w->coded[i].method = pcs_arena_copy(&w->m->arena, p->method, strlen(p->method)))) return PRECIS_ENOMEM;
        if (!p->len) continue; /* it took search, in the end */
        const char *method = w->coded[i].method;
        st = pcs_encoded_open(w->ctx, &w->coded[i], &w->m->tensors[i], w->plan->rows[i].to);
        if (!st && p->len != w->coded[i].store.bytes)
            st = pcs_fail(w->ctx, PRECIS_EFORMAT,
                          "the pieces of the earlier run do not fit this model; remove OUT.resume");
        if (!st) memcpy(w->coded[i].bytes, p->bytes, p->len);
        w->coded[i].method = method;
        w->coded[i].error = p->error;
    }
    return st;
}

/* The layer's tensors, then the states after it. */
precis_status pcs_gptq_keep_layer(gptq *g, size_t first_node, size_t end_node, uint32_t layers)
{
    pcs_work *w = g->w;
    const precis_graph *gr = g->r->graph;
    precis_status st = PRECIS_OK;
    for (size_t i = first_node; i < end_node && w->resume && !st; i++)
        for (uint32_t k = 0; k < gr->nodes[i].n_in && !st; k++) {
            const pcs_value *v = &gr->values[gr->nodes[i].in[k]];
            uint32_t at;
            if (v->dtype != PCS_STORED || !v->name || !pcs_map_get(&w->m->tensor_map, v->name, strlen(v->name), &at) ||
                !w->coded[at].method)
                continue;
            if (pcs_resume_find(w->resume, v->name)) continue;
            const pcs_encoded *e = &w->coded[at];
            const uint64_t len = e->bytes ? e->store.bytes : 0;
            st = pcs_resume_begin(w->resume, v->name, len);
            if (!st) st = pcs_resume_add(w->resume, e->bytes, len);
            if (!st) st = pcs_resume_end(w->resume, e->method, e->error);
        }
    return st ? st : pcs_resume_keep_states(w->resume, layers, g->hidden, g->states.bytes);
}
