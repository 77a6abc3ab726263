/* running.c - what running a model takes beside its weights: asked of runners that only count memory, so that it is
 * what the code will take. */
#include "job/running.h"

#include "model/model.h"
#include "plan/plan.h"
#include "precis/run.h"
#include "plan/costs.h"
#include "run/runner.h"

/* Where a runner's memory goes: buffers without scratch, and scratch by threads. */
static precis_status ask(precis_ctx *ctx, const precis_model *m, uint32_t context, const char *kv, uint64_t room,
                         pcs_running *out)
{
    precis_runner *r;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    precis_runner_info info = { .size = sizeof info };
    o.context = context;
    o.k_type = o.v_type = kv;
    const bool counting = ctx->memory.counting;
    ctx->memory.counting = true; /* shapes are wanted, not memory */
    const precis_status st = precis_runner_open(ctx, &r, m, &o);
    ctx->memory.counting = counting;
    if (st) return st;
    precis_runner_get_info(r, &info);
    const precis_program *p = r->program;
    uint32_t n = precis_ctx_threads(ctx);
    const uint64_t rest = info.work_bytes - pcs_program_scratch(p, n);
    while (room && n > 1 && pcs_program_scratch(p, n) > room / 8) n--;
    if (!out->threads || n < out->threads) out->threads = n;
    const uint64_t scratch = pcs_program_scratch(p, out->threads), alone = pcs_program_scratch(p, 1);
    if (rest + scratch > out->work) out->work = rest + scratch;
    if (alone > out->thread) out->thread = alone;
    out->kv = info.kv_bytes;
    precis_runner_close(&r);
    return PRECIS_OK;
}

/* The same model whose weights are codes; the bytes are the model's own, and nobody reads them. */
static precis_status of_codes(precis_ctx *ctx, const precis_model *m, precis_model **copy)
{
    const precis_status st = pcs_model_copy(ctx, copy, m);
    for (size_t i = 0; !st && i < m->n_tensors; i++) {
        pcs_tensor *t = &(*copy)->tensors[i];
        const pcs_format *f = pcs_costs_share(m, t) > 0 ? pcs_fitting(pcs_format_by_name("Q4_0"), t->ne[0]) : NULL;
        if (!f || t->panels || pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]) > t->bytes) continue;
        t->format = f;
        t->bytes = pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]);
    }
    return st;
}

precis_status pcs_running_of(precis_ctx *ctx, const precis_model *m, uint32_t context, const char *kv, uint64_t room,
                             pcs_running *out)
{
    precis_model *codes = NULL;
    *out = (pcs_running){ 0 };
    precis_status st = of_codes(ctx, m, &codes);
    /* twice: the threads of the one may be fewer than the other's */
    for (int turn = 0; turn < 2 && !st; turn++) {
        out->work = 0;
        st = ask(ctx, m, context, kv, room, out);
        if (!st) st = ask(ctx, codes, context, kv, room, out);
    }
    precis_model_close(&codes);
    return st;
}
