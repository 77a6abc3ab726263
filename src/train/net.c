/* net.c - the net of a run: its graph, its program and the way back, for what a step needs. */
#include "train/run.h"

/* Six operations for each number of a matrix and token, and those of the scores, of which half are seen. */
static double operations(const pcs_train_config *c, const pcs_llama *l)
{
    const double tokens = (double)(c->context * c->batch);
    double sum = 0;
    for (size_t i = 0; i < l->n; i++) sum += l->parameters[i].dims > 1 ? 6.0 * (double)l->parameters[i].n : 0;
    return tokens * (sum + 6.0 * (double)c->context * (double)c->model.width * (double)c->model.layers);
}

precis_status pcs_train_open_inputs(pcs_train_run *t)
{
    const size_t n = t->c.context * t->c.batch;
    int32_t **const arrays[4] = { &t->ids, &t->targets, &t->positions, &t->sequences };
    for (int i = 0; i < 4; i++)
        if (!(*arrays[i] = pcs_arena_alloc(&t->arena, n, sizeof(int32_t)))) return PRECIS_ENOMEM;
    const size_t v = (size_t)t->c.model.vocabulary;
    if (t->teacher && !(t->taught = pcs_arena_alloc(&t->arena, n, v * sizeof *t->taught))) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        t->positions[i] = (int32_t)(i % t->c.context);
        t->sequences[i] = (int32_t)(i / t->c.context);
    }
    return PRECIS_OK;
}

void pcs_train_close_net(pcs_train_run *t)
{
    pcs_reverse_close(&t->r);
    precis_program_close(&t->p);
    precis_graph_close(&t->g);
}

precis_status pcs_train_open_net(pcs_train_run *t, bool rounded, bool exact)
{
    if (t->r && t->rounded == rounded && t->exact == exact) return PRECIS_OK;
    pcs_train_close_net(t);
    precis_status st = precis_graph_open(t->ctx, &t->g);
    if (st) return st;
    pcs_llama *l = &t->s.llama;
    pcs_llama_config model = t->c.model;
    model.plain = !rounded;
    if (exact) model.compute = NULL, model.temperature = 0; /* nobody teaches where it is served */
    model.counted = exact && rounded && model.a_bits == 1;
    t->rounded = rounded;
    t->exact = exact;
    pcs_llama_build(l, t->g, &model);
    st = precis_program_open(t->ctx, &t->p, t->g, PRECIS_EMULATED);
    if (!st && !model.counted) st = pcs_reverse_open(t->ctx, &t->r, t->p, l->loss, NULL, 0);
    if (st) return st;
    const precis_value inputs[4] = { l->ids, l->targets, l->positions, l->sequences };
    int32_t *const arrays[4] = { t->ids, t->targets, t->positions, t->sequences };
    for (int i = 0; i < 4; i++) pcs_program_bind(t->p, inputs[i], arrays[i]);
    if (l->teacher >= 0) pcs_program_bind(t->p, l->teacher, t->taught);
    if (l->draw >= 0) pcs_program_bind(t->p, l->draw, t->draw);
    t->flops = operations(&t->c, l);
    return PRECIS_OK;
}

precis_status pcs_train_forward(pcs_train_run *t, size_t sequences)
{
    const precis_status st = precis_program_set_size(t->p, t->s.llama.tokens, (int64_t)(sequences * t->c.context));
    return st ? st : pcs_program_run(t->p);
}
