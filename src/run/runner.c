/* runner.c - a language model: batches of rows, sequences, context limits. */
#include "base/options.h"
#include "graph/arch.h"
#include "model/activations.h"
#include "model/finite.h"
#include "run/program.h"
#include "run/runner.h"

#define DEFAULT_CONTEXT 4096

precis_status precis_runner_open(precis_ctx *ctx, precis_runner **out, const precis_model *model,
                                 const precis_runner_options *opts)
{
    return pcs_runner_open(ctx, out, model, opts, &(pcs_runner_how){ NULL, false });
}

/* The sizes of a runner: its own where the options have none. */
static precis_status set_sizes(precis_runner *r, const precis_runner_options *o)
{
    r->sequences = o->sequences ? o->sequences : 1;
    r->context = o->context ? o->context : r->lm.context < DEFAULT_CONTEXT ? r->lm.context : DEFAULT_CONTEXT;
    if (r->context > 1u << 26 || r->batch > 1u << 20 || r->outputs > r->batch || r->sequences > 1u << 16)
        return pcs_fail(r->ctx, PRECIS_EINVAL, "context %u, batch %u, outputs %u or sequences %u out of range",
                        r->context, r->batch, r->outputs, r->sequences);
    if (r->lm.position_limit && r->context > r->lm.position_limit)
        return pcs_fail(r->ctx, PRECIS_EINVAL, "the model knows %u positions, not %u; a smaller --ctx helps",
                        r->lm.position_limit, r->context);
    r->ids = pcs_alloc(r->ctx, r->batch, 3 * sizeof *r->ids);
    r->wanted = pcs_alloc(r->ctx, r->batch, sizeof *r->wanted);
    r->lengths = pcs_alloc(r->ctx, r->sequences, sizeof *r->lengths);
    r->before = pcs_alloc(r->ctx, r->batch, sizeof *r->before);
    r->rows = pcs_alloc(r->ctx, r->batch, sizeof *r->rows);
    return r->ids && r->wanted && r->lengths && r->before && r->rows ? PRECIS_OK : PRECIS_ENOMEM;
}

static void warn_of_reference(const precis_runner *r)
{
    const precis_program *p = r->program;
    const char *in = p->lacking ? "weights in " : "activations in ";
    const char *what = p->lacking ? p->lacking : pcs_model_string(r->model, "precis.activations");
    pcs_warn(r->ctx,
             "%s: %s%s have no kernel yet: %u multiplications run in the reference lowering, which is slower",
             r->model->path, in, what, p->without_kernel);
}

/* Of the arithmetic int8: multiplications by quantized weights, and those of them that are exact. */
static void warn_of_rows(const precis_runner *r)
{
    const precis_program *p = r->program;
    uint32_t all = 0, exact = 0;
    const char *type = NULL;
    for (size_t i = 0; i < p->n_steps; i++) {
        const pcs_step *s = &p->steps[i];
        if (!s->op || !s->op->weight || !s->op->reads_stored || s->n_in <= s->op->reads_stored) continue;
        const pcs_value *w = &p->slots[s->in[s->op->reads_stored]].v;
        if (w->dtype != PCS_STORED || w->format->kind != PCS_QUANT) continue;
        all++;
        if (p->slots[s->in[0]].v.dtype == PCS_ACT_INT8) continue;
        exact++;
        if (!type) type = w->format->name;
    }
    if (exact)
        pcs_warn(r->ctx,
                 "%s: %u of %u multiplications are exact, not int8: their weights (%s) have more than one scale in "
                 "a row",
                 r->model->path, exact, all, type);
}

precis_arithmetic precis_arithmetic_for(const precis_ctx *ctx, const precis_model *model, precis_arithmetic asked)
{
    pcs_activations a;
    const char *scheme = pcs_model_string(model, "precis.activations");
    if (asked != PRECIS_OWN && asked != PRECIS_AUTO) return asked;
    if (scheme && pcs_activations_of(scheme, &a) && a.whole && a.bits == 8 && !a.group && !a.affine) return PRECIS_INT8;
    return pcs_any_arithmetic(ctx, asked);
}

precis_status pcs_runner_open(precis_ctx *ctx, precis_runner **out, const precis_model *model,
                              const precis_runner_options *opts, const pcs_runner_how *how)
{
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    *out = NULL;
    const char *own = pcs_model_string(model, "precis.kv"); /* what the model was made for */
    const char *k_type = o.k_type ? o.k_type : own ? own : "f16", *v_type = o.v_type ? o.v_type : own ? own : "f16";
    o.arithmetic = precis_arithmetic_for(ctx, model, o.arithmetic);
    const uint32_t known = (uint32_t)pcs_arch_int(model, "context_length", 0, NULL);
    if (o.context == PRECIS_CONTEXT_OWN) o.context = known;
    precis_runner *r = pcs_alloc(ctx, 1, sizeof *r);
    if (!r) return PRECIS_ENOMEM;
    r->known = known;
    r->ctx = ctx;
    r->batch = o.batch ? o.batch : pcs_usual_batch(o.arithmetic);
    r->outputs = how->inputs ? r->batch : o.outputs ? o.outputs : 1;
    r->model = model;
    r->lm.wanted_context = o.context;
    r->lm.most_rows = r->batch;
    r->lm.most_wanted = r->outputs;
    precis_status st = pcs_arch_build(model, &r->graph, &r->lm);
    if (!st) st = set_sizes(r, &o);
    const pcs_program_options po = { .backend = how->backend, .arithmetic = o.arithmetic, .k_type = k_type,
                                     .v_type = v_type, .context = r->context, .sequences = r->sequences,
                                     .batch = r->batch, .pages = o.pages, .inputs = how->inputs };
    if (!st) st = pcs_program_open(ctx, &r->program, r->graph, &po);
    /* who runs the program itself has not looked at what it reads */
    if (!st) st = how->inputs ? pcs_model_finite(ctx, model) : pcs_behind_open(r, o.pack == PRECIS_PACK_BACKGROUND);
    if (!st && r->program->without_kernel) warn_of_reference(r);
    if (!st && o.arithmetic == PRECIS_INT8) warn_of_rows(r);
    if (!st && !how->backend && o.pack != PRECIS_PACK_OFF && pcs_by_kernels(o.arithmetic))
        st = pcs_packing_open(r->program, model, o.pack);
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
    pcs_free(ctx, r->rows);
    pcs_free(ctx, r);
    *runner = NULL;
}

void precis_runner_get_info(const precis_runner *r, precis_runner_info *info)
{
    uint64_t kv = 0, bytes;
    for (size_t i = 0; i < r->program->n_kvs; i++)
        if (pcs_kv_bytes(&r->program->kvs[i], &bytes)) kv += bytes;
    const pcs_pages *p = &r->program->pages;
    const precis_runner_info all = { info->size, r->context, r->sequences, r->batch, r->lm.vocabulary, r->lm.layers, kv,
                                     pcs_program_bytes(r->program), r->lm.width, r->lm.encoder, 1u << p->shift, p->most,
                                     p->made - p->n_spare, p->made * p->bytes, r->known };
    pcs_options_give(info, &all, sizeof all);
}

static precis_status known_sequence(const precis_runner *r, uint32_t sequence)
{
    if (sequence < r->sequences) return PRECIS_OK;
    return pcs_fail(r->ctx, PRECIS_EINVAL, "sequence %u of %u", sequence, r->sequences);
}

uint32_t precis_runner_length(const precis_runner *r, uint32_t sequence)
{
    return sequence < r->sequences ? r->lengths[sequence] : 0;
}

precis_status precis_runner_drop(precis_runner *r, uint32_t sequence, uint32_t from)
{
    const precis_status st = known_sequence(r, sequence);
    if (st) return st;
    if (from > r->lengths[sequence])
        return pcs_fail(r->ctx, PRECIS_EINVAL, "sequence %u has %u tokens, and is to keep %u", sequence,
                        r->lengths[sequence], from);
    r->lengths[sequence] = from;
    pcs_pages_cut(&r->program->pages, sequence, from);
    return PRECIS_OK;
}

precis_status precis_runner_copy(precis_runner *r, uint32_t from, uint32_t to, uint32_t n)
{
    precis_status st = known_sequence(r, from);
    if (!st) st = known_sequence(r, to);
    if (!st && from == to) st = pcs_fail(r->ctx, PRECIS_EINVAL, "sequence %u cannot be copied onto itself", from);
    if (!st && n > r->lengths[from])
        st = pcs_fail(r->ctx, PRECIS_EINVAL, "sequence %u has %u tokens, not %u to copy", from, r->lengths[from], n);
    if (st) return st;
    pcs_pages_share(&r->program->pages, from, to, n);
    r->lengths[to] = n;
    return PRECIS_OK;
}

precis_status pcs_runner_size(precis_runner *r, int64_t rows, int64_t wanted)
{
    const precis_status st = pcs_program_size(r->program, r->lm.rows, rows);
    return st ? st : pcs_program_size(r->program, r->lm.wanted, wanted);
}

static void bind_rows(precis_runner *r, const int32_t *tokens, const int32_t *positions, const int32_t *sequences,
                 const int32_t *outputs)
{
    pcs_program_bind(r->program, r->lm.tokens, tokens);
    pcs_program_bind(r->program, r->lm.positions, positions);
    pcs_program_bind(r->program, r->lm.sequences, sequences);
    pcs_program_bind(r->program, r->lm.outputs, outputs);
}

precis_status pcs_runner_bind(precis_runner *r, const pcs_text_rows *text)
{
    pcs_pages *pages = &r->program->pages;
    precis_status st = pcs_behind_now(r);
    r->lengths[0] = 0;
    for (uint32_t i = 0; i < text->n && !st; i += 1u << pages->shift) {
        st = pcs_pages_take(pages, 0, i);
        pcs_pages_commit(pages);
    }
    bind_rows(r, text->ids, text->positions, text->zeros, text->outputs);
    return st ? st : pcs_runner_size(r, text->n, text->wanted);
}

const char *pcs_context_advice(const precis_runner *r)
{
    return r->known && r->context >= r->known ? ", and the model was made for no more" : "; a larger --ctx makes room";
}

static precis_status check_row(const precis_runner *r, const precis_row *w, uint32_t i, uint32_t outputs)
{
    if (w->token < 0 || (uint32_t)w->token >= r->lm.vocabulary)
        return pcs_fail(r->ctx, PRECIS_EINVAL, "row %u: token %d is outside the vocabulary of %u", i, w->token,
                        r->lm.vocabulary);
    if (w->sequence >= r->sequences)
        return pcs_fail(r->ctx, PRECIS_EINVAL, "row %u: sequence %u of %u", i, w->sequence, r->sequences);
    if (w->position >= r->context)
        return pcs_fail(r->ctx, PRECIS_EINVAL,
                        "position %u is beyond the context of %u tokens%s", w->position, r->context,
                        pcs_context_advice(r));
    if (w->position > r->lengths[w->sequence])
        return pcs_fail(r->ctx, PRECIS_EINVAL, "row %u: position %u leaves a gap behind %u", i, w->position,
                        r->lengths[w->sequence]);
    if (w->want && outputs == r->outputs)
        return pcs_fail(r->ctx, PRECIS_EINVAL, "more than %u rows want logits", r->outputs);
    return PRECIS_OK;
}

/* A call's rows in the program's arrays, checked, and their pages taken. A row may follow on those of its sequence
 * before it in the same call, so lengths are moved on here; *taken rows have been, and r->before has what was there. */
static precis_status take_rows(precis_runner *r, const precis_row *rows, uint32_t n, uint32_t *taken, uint32_t *outputs)
{
    int32_t *tokens = r->ids, *positions = r->ids + r->batch, *sequences = r->ids + 2 * (size_t)r->batch;
    for (uint32_t i = 0; i < n; i++) {
        const precis_row *w = &rows[i];
        precis_status st = check_row(r, w, i, *outputs);
        if (!st) st = pcs_pages_take(&r->program->pages, w->sequence, w->position);
        if (st) return st;
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

/* Lengths and pages as they were before the call; keys that it may have begun to write over count no more. Those of
 * pages that were shared are as they were, for the call wrote into copies. */
static void take_back(precis_runner *r, const precis_row *rows, uint32_t taken, bool ran)
{
    pcs_pages_undo(&r->program->pages);
    for (uint32_t i = taken; i-- > 0;) r->lengths[rows[i].sequence] = r->before[i];
    for (uint32_t i = 0; i < taken && ran; i++)
        if (rows[i].position < r->lengths[rows[i].sequence]) precis_runner_drop(r, rows[i].sequence, rows[i].position);
}

/* The call is done: pages that it wrote into are the sequences', and those after their new ends are not. */
static void commit(precis_runner *r, const precis_row *rows, uint32_t n)
{
    pcs_pages_commit(&r->program->pages);
    for (uint32_t i = 0; i < n; i++)
        if (r->before[i] > rows[i].position)
            pcs_pages_cut(&r->program->pages, rows[i].sequence, r->lengths[rows[i].sequence]);
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
        r->calls++;
        bind_rows(r, r->ids, r->ids + r->batch, r->ids + 2 * (size_t)r->batch, r->wanted);
        st = pcs_runner_size(r, n, outputs);
        if (!st) st = pcs_program_run(r->program);
        if (!st) st = pcs_behind_rest(r);
    }
    if (!st) st = pcs_outputs_finite(r, rows, n, outputs);
    if (st) take_back(r, rows, taken, ran);
    else commit(r, rows, n);
    if (!st && logits && outputs) *logits = pcs_program_value(r->program, r->lm.logits);
    return st;
}
