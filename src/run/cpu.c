/* cpu - the steps of a program on the threads of its context, in the host's memory.
 *
 * The threads enter once per run and meet at barriers only where one step reads what another thread wrote. */
#include "base/pool.h"
#include "run/backend.h"

/* Codes of columns of the only row. */
static void quantize_columns(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t b, e;
    pcs_share((uint64_t)pcs_arg_width(&c->in[0]), PCS_CHUNK, ith, nth, &b, &e);
    if (b >= e) return;
    pcs_act a = *(const pcs_act *)c->out[0].data;
    a.q += b;
    a.d += b / 32;
    a.s += b / 16;
    a.z += b / 16;
    c->kernels->quantize_act(&(pcs_quantize_act_args){ (const float *)c->in[0].data + b, (size_t)(e - b), 0, 1, a });
}

static void quantize_act(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t rows = (size_t)pcs_arg_rows(&c->in[0]), k = (size_t)pcs_arg_width(&c->in[0]);
    uint64_t b, e;
    pcs_share(rows, 1, ith, nth, &b, &e);
    const pcs_act *a = c->out[0].data;
    if (b >= e) return;
    if (c->out[0].dtype == PCS_ACT_BF16) {
        c->kernels->act_bf16(&(pcs_act_bf16_args){ c->in[0].data, k, rows, b, e, c->out[0].data, 0 });
        return;
    }
    if (c->out[0].dtype == PCS_ACT_INT8) {
        const pcs_act_int8 to = pcs_act_int8_in(c->out[0].data, rows, k);
        c->kernels->act_int8(&(pcs_act_int8_args){ c->in[0].data, k, rows, b, e, to });
        return;
    }
    c->kernels->quantize_act(&(pcs_quantize_act_args){ c->in[0].data, k, b, e, *a });
    if (rows > PCS_FEW || c->tiles) pcs_act_interleave(a, pcs_chunks(k), rows, b, e);
}

/* What was made by the call before stays. */
static void work(precis_program *p, const pcs_step *s, uint32_t ith, uint32_t nth)
{
    if (p->again && s->settled) return;
    if (p->looking && pcs_step_looks(p, s)) pcs_step_look(p, s, ith, nth);
    else if (s->op) s->eval(&s->call, ith, nth);
    else (s->call.by_columns ? quantize_columns : quantize_act)(&s->call, ith, nth);
}

/* A step alone between two barriers, with its time. */
static void timed(precis_program *p, size_t i, uint32_t ith, uint32_t nth)
{
    const pcs_step *s = &p->steps[i];
    pcs_barrier(p->ctx, ith);
    const double begun = pcs_now();
    work(p, s, ith, nth);
    if (p->busy) p->busy[ith * p->n_steps + i] += pcs_now() - begun;
    pcs_barrier(p->ctx, ith);
    if (ith) return;
    p->seconds[i] += pcs_now() - begun;
    if (p->made && s->op && s->op->products) p->made[i] += s->op->products(&s->call);
}

static void region(void *arg, uint32_t ith, uint32_t nth)
{
    precis_program *p = arg;
    for (size_t i = p->from; i < p->to; i++) {
        const pcs_step *s = &p->steps[i];
        if (p->seconds) {
            timed(p, i, ith, nth);
            continue;
        }
        if ((p->one ? s->barrier_one : s->barrier) && i > p->from) pcs_barrier(p->ctx, ith);
        work(p, s, ith, nth);
        if (s->tap && p->backend->host) {
            pcs_barrier(p->ctx, ith);
            if (ith == 0) pcs_program_call_tap(p, s);
            pcs_barrier(p->ctx, ith);
        }
    }
}

precis_status pcs_cpu_run(precis_program *p)
{
    pcs_claims_begin(p->claims, precis_ctx_threads(p->ctx));
    pcs_run(p->ctx, region, p);
    return PRECIS_OK;
}

static void *alloc(precis_ctx *ctx, uint64_t bytes) { return pcs_alloc(ctx, bytes, 1); }

static void release(precis_ctx *ctx, void *memory, uint64_t bytes)
{
    (void)bytes;
    pcs_free(ctx, memory);
}

static void write(void *memory, const void *host, uint64_t bytes) { memcpy(memory, host, bytes); }
static void read(const void *memory, void *host, uint64_t bytes) { memcpy(host, memory, bytes); }

const pcs_backend pcs_backend_cpu = {
    .name = "cpu", .host = true, .heap = { alloc, release, write }, .write = write, .read = read, .run = pcs_cpu_run,
};
