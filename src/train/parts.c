/* parts.c - a batch in parts: memory is that of one part, and ranks share the parts. Each part's gradient is made
 * alone, and they are summed in ascending order, so that the sum has the same bits for any number of ranks. */
#include "base/pool.h"
#include "train/run.h"

static uint32_t rank_of(const pcs_train_run *t) { return t->opt->spread ? t->opt->spread->rank : 0; }
static uint32_t ranks(const pcs_train_run *t) { return t->opt->spread ? t->opt->spread->size : 1; }

precis_status pcs_train_open_parts(pcs_train_run *t)
{
    const pcs_llama *l = &t->s.llama;
    const uint64_t parts = t->c.parts;
    if (parts % ranks(t))
        return pcs_fail(t->ctx, PRECIS_EINVAL, "data.parts: %llu parts of a batch for %u ranks",
                        (unsigned long long)parts, ranks(t));
    t->total = 0;
    for (size_t i = 0; i < l->n; i++) t->total += l->parameters[i].n;
    t->losses = pcs_arena_alloc(&t->arena, t->c.batch, sizeof *t->losses);
    if (parts > 1) t->sums = pcs_arena_alloc(&t->arena, t->total, sizeof *t->sums);
    if (ranks(t) > 1) t->own = pcs_arena_alloc(&t->arena, parts / ranks(t) * t->total, sizeof *t->own);
    return t->losses && (parts == 1 || t->sums) && (ranks(t) == 1 || t->own) ? PRECIS_OK : PRECIS_ENOMEM;
}

/* Inputs of part p. */
static void bind(pcs_train_run *t, uint64_t p)
{
    const pcs_llama *l = &t->s.llama;
    const size_t at = (size_t)(p * t->c.batch / t->c.parts * t->c.context);
    pcs_program_bind(t->p, l->ids, t->ids + at);
    pcs_program_bind(t->p, l->targets, t->targets + at);
    if (l->teacher >= 0) pcs_program_bind(t->p, l->teacher, t->taught + at * (size_t)t->c.model.vocabulary);
}

/* Mean losses of the sequences of part p; tokens without a next one do not count. */
void pcs_train_losses(pcs_train_run *t, const int32_t *targets, size_t sequences, double *to)
{
    const float *rows = pcs_program_value(t->p, t->s.llama.rows);
    for (size_t b = 0; b < sequences; b++) {
        size_t n = 0;
        to[b] = 0;
        for (size_t i = b * t->c.context; i < (b + 1) * t->c.context; i++)
            if (targets[i] >= 0) to[b] += (double)rows[i], n++;
        to[b] /= n ? (double)n : 1;
    }
}

/* Gradients of what is trained; of the rest there are none. */
static size_t take_gradients(pcs_train_run *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->s.llama.n; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        const bool trained = !p->fixed && p->value >= 0 && p->kind < PCS_TRAINED_OBSERVED;
        const float *g = trained ? pcs_reverse_gradient(t->r, p->value) : NULL;
        t->all[i] = (pcs_gradient){ (float *)(uintptr_t)g, g ? p->n : 0 };
        n += g != NULL;
    }
    return n;
}

/* Numbers of a tensor's gradient, which threads share: each is written by one of them. */
typedef struct { float *to; const float *g; } gradient_part;
enum { SHARED = 32768 };

static void copy_some(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const gradient_part *j = arg;
    memcpy(j->to + begin, j->g + begin, (size_t)(end - begin) * sizeof *j->to);
}

static void add_some(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const gradient_part *j = arg;
    float *to = j->to;
    const float *g = j->g;
    for (uint64_t k = begin; k < end; k++) to[k] += g[k];
}

/* The gradients that were taken, at `to`: copied, or added. */
static void keep(pcs_train_run *t, float *to, bool add)
{
    for (size_t i = 0; i < t->s.llama.n; to += t->s.llama.parameters[i++].n)
        pcs_for(t->ctx, t->all[i].n, SHARED, add ? add_some : copy_some,
                &(gradient_part){ .to = to, .g = t->all[i].g });
}

static precis_status exchanged(pcs_train_run *t, int bad)
{
    return bad ? pcs_fail(t->ctx, PRECIS_EIO, "a rank is gone, or has no memory; go on with --resume from %s",
                          t->opt->out)
               : PRECIS_OK;
}

/* Everybody's parts of one tensor, and their sum. */
static precis_status sum_tensor(pcs_train_run *t, size_t at, size_t n, float *items)
{
    const precis_spread *s = t->opt->spread;
    const uint64_t parts = t->c.parts;
    for (uint64_t p = s->rank, k = 0; p < parts; p += s->size, k++)
        memcpy(items + p * n, t->own + k * t->total + at, n * sizeof *items);
    const precis_status st = exchanged(t, s->gather(s->user, items, n * sizeof *items, (size_t)parts));
    for (uint64_t p = 0; p < parts && !st; p++)
        pcs_for(t->ctx, n, SHARED, p ? add_some : copy_some,
                &(gradient_part){ .to = t->sums + at, .g = items + p * n });
    return st;
}

/* What observers saw is rank 0's, which has the first part. */
static precis_status share_observers(pcs_train_run *t)
{
    const precis_spread *s = t->opt->spread;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < t->s.llama.n && !st; i++) {
        pcs_trained *p = &t->s.llama.parameters[i];
        float items[4 * 64] = { 0 };
        if (p->kind < PCS_TRAINED_OBSERVED || s->size > 64) continue;
        memcpy(items + 4 * s->rank, p->data, p->n * sizeof *items);
        st = exchanged(t, s->gather(s->user, items, 4 * sizeof *items, s->size));
        memcpy(p->data, items, p->n * sizeof *items);
    }
    return st;
}

static precis_status sum_ranks(pcs_train_run *t)
{
    const precis_spread *s = t->opt->spread;
    const pcs_llama *l = &t->s.llama;
    size_t most = 0, at = 0;
    for (size_t i = 0; i < l->n; i++) most = l->parameters[i].n > most ? l->parameters[i].n : most;
    float *items = pcs_alloc(t->ctx, t->c.parts * most, sizeof *items);
    precis_status st = items ? PRECIS_OK : PRECIS_ENOMEM;
    const size_t per = (size_t)(t->c.batch / t->c.parts);
    if (!st) st = exchanged(t, s->gather(s->user, t->losses, per * sizeof *t->losses, (size_t)t->c.parts));
    for (size_t i = 0; i < l->n && !st; at += l->parameters[i++].n)
        if (t->all[i].n) st = sum_tensor(t, at, l->parameters[i].n, items);
    pcs_free(t->ctx, items);
    return st ? st : share_observers(t);
}

precis_status pcs_train_batch(pcs_train_run *t)
{
    const uint64_t parts = t->c.parts, per = t->c.batch / parts;
    precis_status st = PRECIS_OK;
    uint64_t k = 0;
    for (uint64_t p = rank_of(t); p < parts && !st; p += ranks(t), k++) {
        bind(t, p);
        st = k ? pcs_program_run_again(t->p) : pcs_train_forward(t, per);
        if (st) break;
        pcs_train_losses(t, t->targets + p * per * t->c.context, per, t->losses + p * per);
        st = pcs_reverse_run(t->r, NULL, false);
        if (!p) pcs_train_observe(t);
        if (!st && !take_gradients(t)) st = pcs_fail(t->ctx, PRECIS_EFORMAT, "only: nothing of the net is trained");
        if (!st && parts > 1) keep(t, ranks(t) > 1 ? t->own + k * t->total : t->sums, ranks(t) == 1 && p);
    }
    bind(t, 0);
    if (!st && ranks(t) > 1) st = sum_ranks(t);
    pcs_train_set_observed(t);
    float *at = t->sums, by = 1.0f / (float)parts;
    for (size_t i = 0; i < t->s.llama.n && parts > 1 && !st; at += t->s.llama.parameters[i++].n) {
        if (!t->all[i].n) continue;
        t->all[i].g = at;
        pcs_scale_gradient(t->ctx, &t->all[i], by);
    }
    return st;
}
