/* runner.c - a language model: batches of rows, sequences, context limits. */
#include "base/options.h"
#include "graph/arch.h"
#include "model/finite.h"
#include "run/program.h"
#include "run/runner.h"

#define DEFAULT_CONTEXT 4096

precis_status precis_runner_open(precis_ctx *ctx, precis_runner **out, const precis_model *model, const precis_runner_options *opts)
{
    return pcs_runner_open(ctx, out, model, opts, &(pcs_runner_how){ NULL, false });
}

precis_status pcs_runner_open(precis_ctx *ctx, precis_runner **out, const precis_model *model, const precis_runner_options *opts,
                              const pcs_runner_how *how)
{
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    *out = NULL;
    const char *own = pcs_model_string(model, "precis.kv"); /* what the model was made for */
    const char *k_type = o.k_type ? o.k_type : own ? own : "f16", *v_type = o.v_type ? o.v_type : own ? own : "f16";
    precis_runner *r = pcs_alloc(ctx, 1, sizeof *r);
    if (!r) return PRECIS_ENOMEM;
    r->ctx = ctx;
    r->batch = o.batch ? o.batch : o.arithmetic == PRECIS_BF16 ? 512 : 256;
    r->outputs = how->inputs ? r->batch : o.outputs ? o.outputs : 1;
    r->model = model;
    r->lm.wanted_context = o.context;
    r->lm.most_rows = r->batch;
    r->lm.most_wanted = r->outputs;
    precis_status st = pcs_arch_build(model, &r->graph, &r->lm);
    if (!st) {
        r->sequences = o.sequences ? o.sequences : 1;
        r->context = o.context ? o.context : r->lm.context < DEFAULT_CONTEXT ? r->lm.context : DEFAULT_CONTEXT;
        if (r->lm.position_limit && r->context > r->lm.position_limit)
            st = pcs_fail(ctx, PRECIS_EINVAL, "the model knows %u positions, not %u; a smaller --ctx helps", r->lm.position_limit, r->context);
        if (r->context > 1u << 26 || r->batch > 1u << 20 || r->outputs > r->batch || r->sequences > 1u << 16)
            st = pcs_fail(ctx, PRECIS_EINVAL, "context %u, batch %u, outputs %u or sequences %u out of range", r->context, r->batch, r->outputs, r->sequences);
    }
    if (!st) {
        r->ids = pcs_alloc(ctx, r->batch, 3 * sizeof *r->ids);
        r->wanted = pcs_alloc(ctx, r->batch, sizeof *r->wanted);
        r->lengths = pcs_alloc(ctx, r->sequences, sizeof *r->lengths);
        r->before = pcs_alloc(ctx, r->batch, sizeof *r->before);
        if (!r->ids || !r->wanted || !r->lengths || !r->before) st = PRECIS_ENOMEM;
    }
    if (!st) st = o.pack == PRECIS_PACK_BACKGROUND ? pcs_behind_open(r) : pcs_model_finite(ctx, model);
    if (!st)
        st = pcs_program_open(ctx, &r->program, r->graph,
                              &(pcs_program_options){ .backend = how->backend, .arithmetic = o.arithmetic, .k_type = k_type, .v_type = v_type,
                                                      .context = r->context, .sequences = r->sequences, .inputs = how->inputs });
    if (!st && r->program->without_kernel) {
        const precis_program *p = r->program;
        pcs_warn(ctx, "%s: %s%s have no kernel yet: %u multiplications run in the reference lowering, which is slower", model->path, p->lacking ? "weights in " : "activations in ",
                 p->lacking ? p->lacking : pcs_model_string(model, "precis.activations"), p->without_kernel);
    }
    const bool by_kernels = o.arithmetic == PRECIS_FAST || o.arithmetic == PRECIS_BF16;
    if (!st && !how->backend && o.pack != PRECIS_PACK_OFF && by_kernels) st = pcs_packing_open(r->program, model, o.pack);
    if (st) precis_runner_close(&r);
    *out = r;
    return st;
}

void precis_runner_close(precis_runner **runner)
{
    if (!runner || !*runner) return;
    precis_runner *r = *runner;
    precis_ctx *ctx = r->ctx;
    pcs_behind_close(r);
    precis_program_close(&r->program);
    precis_graph_close(&r->graph);
    pcs_free(ctx, r->ids);
    pcs_free(ctx, r->wanted);
    pcs_free(ctx, r->lengths);
    pcs_free(ctx, r->before);
    pcs_free(ctx, r);
    *runner = NULL;
}

void precis_runner_get_info(const precis_runner *r, precis_runner_info *info)
{
    uint64_t kv = 0, bytes;
    for (size_t i = 0; i < r->program->n_kvs; i++)
        if (pcs_kv_bytes(&r->program->kvs[i], &bytes)) kv += bytes;
    const precis_runner_info all = { info->size, r->context, r->sequences, r->batch, r->lm.vocabulary, r->lm.layers, kv, pcs_program_bytes(r->program), r->lm.width, r->lm.encoder };
    memcpy(info, &all, info->size < sizeof all ? info->size : sizeof all);
}

precis_status pcs_runner_size(precis_runner *r, int64_t rows, int64_t wanted)
{
    const precis_status st = pcs_program_size(r->program, r->lm.rows, rows);
    return st ? st : pcs_program_size(r->program, r->lm.wanted, wanted);
}

/* A call's rows in the program's arrays, checked. A row may follow on those of its sequence before it in the same call, so
 * lengths are moved on here; *taken rows have been, and r->before has what was there. */
static precis_status take_rows(precis_runner *r, const precis_row *rows, uint32_t n, uint32_t *taken, uint32_t *outputs)
{
    int32_t *tokens = r->ids, *positions = r->ids + r->batch, *sequences = r->ids + 2 * (size_t)r->batch;
    for (uint32_t i = 0; i < n; i++) {
        const precis_row *w = &rows[i];
        if (w->token < 0 || (uint32_t)w->token >= r->lm.vocabulary)
            return pcs_fail(r->ctx, PRECIS_EINVAL, "row %u: token %d is outside the vocabulary of %u", i, w->token, r->lm.vocabulary);
        if (w->sequence >= r->sequences) return pcs_fail(r->ctx, PRECIS_EINVAL, "row %u: sequence %u of %u", i, w->sequence, r->sequences);
        if (w->position >= r->context)
            return pcs_fail(r->ctx, PRECIS_EINVAL, "position %u is beyond the context of %u tokens; a larger --ctx makes room", w->position, r->context);
        if (w->position > r->lengths[w->sequence])
            return pcs_fail(r->ctx, PRECIS_EINVAL, "row %u: position %u leaves a gap behind %u", i, w->position, r->lengths[w->sequence]);
        if (w->want && *outputs == r->outputs) return pcs_fail(r->ctx, PRECIS_EINVAL, "more than %u rows want logits", r->outputs);
        if (w->want) r->wanted[(*outputs)++] = (int32_t)i;
        tokens[i] = w->token;
        positions[i] = (int32_t)w->position;
        sequences[i] = (int32_t)w->sequence;
        r->before[i] = r->lengths[w->sequence];
        r->lengths[w->sequence] = w->position + 1;
        *taken = i + 1;
    }
    return PRECIS_OK;
}

/* Lengths as they were before the call; keys that it may have begun to write over count no more. */
static void take_back(precis_runner *r, const precis_row *rows, uint32_t taken, bool ran)
{
    for (uint32_t i = taken; i-- > 0;) r->lengths[rows[i].sequence] = r->before[i];
    for (uint32_t i = 0; i < taken && ran; i++)
        if (rows[i].position < r->lengths[rows[i].sequence]) r->lengths[rows[i].sequence] = rows[i].position;
}

precis_status precis_runner_decode(precis_runner *r, const precis_row *rows, uint32_t n, const float **logits)
{
    if (logits) *logits = NULL;
    precis_status st = pcs_behind_ask(r);
    if (st) return st;
    if (!n || n > r->batch) return pcs_fail(r->ctx, PRECIS_EINVAL, "%u rows in a call, not 1 to %u", n, r->batch);
    uint32_t outputs = 0, taken = 0;
    st = take_rows(r, rows, n, &taken, &outputs);
    const bool ran = st == PRECIS_OK;
    if (!st) {
        pcs_program_bind(r->program, r->lm.tokens, r->ids);
        pcs_program_bind(r->program, r->lm.positions, r->ids + r->batch);
        pcs_program_bind(r->program, r->lm.sequences, r->ids + 2 * (size_t)r->batch);
        pcs_program_bind(r->program, r->lm.outputs, r->wanted);
        st = pcs_runner_size(r, n, outputs);
        if (!st) st = pcs_program_run(r->program);
    }
    if (!st) st = pcs_outputs_finite(r, rows, n, outputs);
    if (st) take_back(r, rows, taken, ran);
    else if (logits && outputs) *logits = pcs_program_value(r->program, r->lm.logits);
    return st;
}
