/* sample_tokens.c - windows of tokens, each a text from its beginning on. */
#include "quant/samples.h"

static uint64_t rows(const pcs_samples *s, size_t i)
{
    return s->windows->lengths[i] < s->most ? s->windows->lengths[i] : s->most;
}

/* The first position that is wanted of a window of n, and how many are. */
static uint32_t first_of(const pcs_samples *s, uint32_t n) { return s->want == PCS_WANT_SECOND_HALF ? n / 2 : 0; }

static uint64_t wanted(const pcs_samples *s, size_t i)
{
    const uint32_t n = (uint32_t)rows(s, i), from = first_of(s, n);
    return s->want == PCS_WANT_FIRST ? 1 : (n - from + s->stride - 1) / s->stride;
}

static precis_status bind(pcs_samples *s, const pcs_sample *at, const pcs_subject *to)
{
    const uint32_t n = (uint32_t)at->rows, from = first_of(s, n);
    const int64_t outputs = (int64_t)at->wanted;
    for (int64_t k = 0; k < outputs; k++) s->outputs[k] = (int32_t)(from + (uint64_t)k * s->stride);
    const int32_t *ids = s->windows->ids + s->starts[at->i];
    if (to->runner)
        return pcs_runner_bind(to->runner, &(pcs_text_rows){ ids, s->positions, s->zeros, s->outputs, n, outputs });
    precis_program *p = to->program;
    precis_status st = pcs_program_size(p, to->lm->rows, n);
    if (!st) st = pcs_program_size(p, to->lm->wanted, outputs);
    if (st) return st;
    pcs_program_bind(p, to->lm->tokens, ids);
    pcs_program_bind(p, to->lm->positions, s->positions);
    pcs_program_bind(p, to->lm->sequences, s->zeros);
    pcs_program_bind(p, to->lm->outputs, s->outputs);
    return PRECIS_OK;
}

static precis_status decode(pcs_samples *s, const pcs_sample *at, const pcs_subject *to)
{
    const uint32_t n = (uint32_t)at->rows, from = first_of(s, n);
    const int32_t *ids = s->windows->ids + s->starts[at->i];
    for (uint32_t k = 0; k < n; k++) {
        const bool want = k >= from && (k - from) % s->stride == 0 && (k == from || s->want != PCS_WANT_FIRST);
        s->decoded[k] = (precis_row){ ids[k], k, 0, want };
    }
    return precis_runner_decode(to->runner, s->decoded, n, NULL);
}

static void close(pcs_samples *s)
{
    pcs_free(s->ctx, s->starts);
    pcs_free(s->ctx, s->positions);
    pcs_free(s->ctx, s->decoded);
}

const pcs_sample_kind pcs_sample_kind_tokens = {
    .name = "tokens", .rows = rows, .wanted = wanted, .bind = bind, .decode = decode, .close = close
};

precis_status pcs_samples_of_windows(precis_ctx *ctx, pcs_samples *s, const pcs_windows *w, pcs_positions want,
                                     uint32_t stride)
{
    *s = (pcs_samples){ .kind = &pcs_sample_kind_tokens, .ctx = ctx, .n = w->n, .n_rows = w->n_ids, .windows = w,
                        .want = want, .stride = stride ? stride : 1, .most = w->longest };
    s->starts = pcs_alloc(ctx, w->n + 1, sizeof *s->starts);
    s->positions = pcs_alloc(ctx, 3 * ((size_t)w->longest + 1), sizeof *s->positions);
    s->decoded = pcs_alloc(ctx, (size_t)w->longest + 1, sizeof *s->decoded);
    if (!s->starts || !s->positions || !s->decoded) return PRECIS_ENOMEM;
    for (size_t i = 0; i < w->n; i++) s->starts[i + 1] = s->starts[i] + w->lengths[i];
    s->zeros = s->positions + w->longest + 1;
    s->outputs = s->zeros + w->longest + 1;
    for (uint32_t i = 0; i < w->longest; i++) s->positions[i] = (int32_t)i;
    return PRECIS_OK;
}

void pcs_samples_cut(pcs_samples *s, uint32_t most)
{
    if (most < s->most) s->most = most;
    s->n_rows = 0;
    for (size_t i = 0; i < s->n; i++) s->n_rows += rows(s, i);
}
