/* sparse.c - pruning in the loop: once, by what a batch shows, and what was pruned stays 0 from then on. A mask is not
 * kept: it is where the weights are 0. */
#include "quant/prune.h"
#include "train/run.h"

uint64_t pcs_train_prune_step(const pcs_train_config *c)
{
    return c->prune.method ? (uint64_t)(c->prune.from * (double)c->steps) : UINT64_MAX;
}

static bool prunes(const pcs_trained *p)
{
    return p->kind == PCS_TRAINED_NET && p->dims == 2 && !p->fixed && pcs_place_of(p->name).layer >= 0;
}

/* Where parameter i is 0. */
static precis_status take_mask(pcs_train_run *t, size_t i)
{
    const pcs_trained *p = &t->s.llama.parameters[i];
    if (!t->masks[i] && !(t->masks[i] = pcs_arena_alloc(&t->arena, p->n, 1))) return PRECIS_ENOMEM;
    for (size_t k = 0; k < p->n; k++) t->masks[i][k] = p->data[k] == 0;
    return PRECIS_OK;
}

precis_status pcs_train_open_masks(pcs_train_run *t)
{
    precis_status st = PRECIS_OK;
    if (!t->c.prune.method) return PRECIS_OK;
    t->masks = pcs_arena_alloc(&t->arena, t->s.llama.n, sizeof *t->masks);
    if (!t->masks) return PRECIS_ENOMEM;
    for (size_t i = 0; i < t->s.llama.n && !st && t->s.step > pcs_train_prune_step(&t->c); i++)
        if (prunes(&t->s.llama.parameters[i])) st = take_mask(t, i);
    return st;
}


static precis_status prune_one(pcs_train_run *t, const pcs_trained *p, uint8_t *mask)
{
    const pcs_train_prune *set = &t->c.prune;
    const size_t rows = (size_t)p->shape[0], k = (size_t)p->shape[1];
    const float *x = p->input >= 0 ? pcs_program_value(t->p, p->input) : NULL;
    pcs_pruned w = {
        .w = p->data, .x = x, .rows = rows, .k = k, .samples = (size_t)(t->c.batch / t->c.parts * t->c.context)
    };
    if (!x && set->method != PCS_PRUNE_MAGNITUDE)
        return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED, "prune: the inputs of %s are not known", p->name);
    if (set->method == PCS_PRUNE_SPARSEGPT) {
        float *kept = pcs_alloc(t->ctx, p->n, sizeof *kept);
        const precis_status st =
            kept ? pcs_prune_sparsegpt(t->ctx, &w, set->out, set->of, mask, kept) : PRECIS_ENOMEM;
        if (!st) memcpy(p->data, kept, p->n * sizeof *kept);
        pcs_free(t->ctx, kept);
        return st;
    }
    float *ones = NULL;
    if (set->method == PCS_PRUNE_MAGNITUDE) { /* Wanda's score where every input counts alike */
        if (!(ones = pcs_alloc(t->ctx, k, sizeof *ones))) return PRECIS_ENOMEM;
        for (size_t i = 0; i < k; i++) ones[i] = 1;
        w.x = ones, w.samples = 1;
    }
    const precis_status st = pcs_prune_wanda(t->ctx, &w, set->out, set->of, mask);
    pcs_free(t->ctx, ones);
    return st;
}

precis_status pcs_train_prune_now(pcs_train_run *t)
{
    precis_status st = pcs_train_open_net(t, false, false);
    if (!st) st = pcs_train_forward(t, (size_t)(t->c.batch / t->c.parts));
    for (size_t i = 0; i < t->s.llama.n && !st; i++) {
        pcs_trained *p = &t->s.llama.parameters[i];
        if (!prunes(p)) continue;
        if (p->shape[1] % (int64_t)t->c.prune.of)
            st = pcs_fail(t->ctx, PRECIS_EFORMAT, "prune.pattern: rows of %lld are no whole groups of %zu (%s)",
                          (long long)p->shape[1], t->c.prune.of, p->name);
        uint8_t *mask = st ? NULL : pcs_alloc(t->ctx, p->n, 1);
        if (!st && !mask) st = PRECIS_ENOMEM;
        if (!st) st = prune_one(t, p, mask);
        for (size_t k = 0; k < p->n && !st; k++) p->data[k] = mask[k] ? 0 : p->data[k];
        pcs_free(t->ctx, mask);
        if (!st) st = take_mask(t, i);
    }
    return st;
}

void pcs_train_keep_masks(pcs_train_run *t)
{
    for (size_t i = 0; t->masks && i < t->s.llama.n; i++)
        for (size_t k = 0; t->masks[i] && k < t->s.llama.parameters[i].n; k++)
            if (t->masks[i][k]) t->s.llama.parameters[i].data[k] = 0;
}
