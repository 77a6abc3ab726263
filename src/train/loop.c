/* loop.c - precis train: batches, gradients, updates, checkpoints. */
#include "base/options.h"
#include "measure/machine.h"
#include "train/card.h"
#include "train/run.h"
#include "write/write.h"

#include <sys/stat.h>
#include <time.h>

typedef pcs_train_run run;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the net ------------------------------------------------------------------------------------ */

/* Six operations for each number of a matrix and token, and those of the scores, of which half are seen. */
static double operations(const pcs_train_config *c, const pcs_llama *l)
{
    const double tokens = (double)(c->context * c->batch);
    double sum = 0;
    for (size_t i = 0; i < l->n; i++) sum += l->parameters[i].dims > 1 ? 6.0 * (double)l->parameters[i].n : 0;
    return tokens * (sum + 6.0 * (double)c->context * (double)c->model.width * (double)c->model.layers);
}

static precis_status open_inputs(run *t)
{
    const size_t n = t->c.context * t->c.batch;
    int32_t **const arrays[4] = { &t->ids, &t->targets, &t->positions, &t->sequences };
    for (int i = 0; i < 4; i++)
        if (!(*arrays[i] = pcs_arena_alloc(&t->arena, n, sizeof(int32_t)))) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        t->positions[i] = (int32_t)(i % t->c.context);
        t->sequences[i] = (int32_t)(i / t->c.context);
    }
    return PRECIS_OK;
}

static void close_net(run *t)
{
    pcs_reverse_close(&t->r);
    precis_program_close(&t->p);
    precis_graph_close(&t->g);
}

precis_status pcs_train_open_net(run *t, bool rounded, bool exact)
{
    if (t->r && t->rounded == rounded && t->exact == exact) return PRECIS_OK;
    close_net(t);
    precis_status st = precis_graph_open(t->ctx, &t->g);
    if (st) return st;
    pcs_llama *l = &t->s.llama;
    pcs_llama_config model = t->c.model;
    model.plain = !rounded;
    if (exact) model.compute = NULL;
    t->rounded = rounded;
    t->exact = exact;
    pcs_llama_build(l, t->g, &model);
    st = precis_program_open(t->ctx, &t->p, t->g, PRECIS_EMULATED);
    if (!st) st = pcs_reverse_open(t->ctx, &t->r, t->p, l->loss, NULL, 0);
    if (st) return st;
    const precis_value inputs[4] = { l->ids, l->targets, l->positions, l->sequences };
    int32_t *const arrays[4] = { t->ids, t->targets, t->positions, t->sequences };
    for (int i = 0; i < 4; i++) pcs_program_bind(t->p, inputs[i], arrays[i]);
    if (l->draw >= 0) pcs_program_bind(t->p, l->draw, t->draw);
    t->flops = operations(&t->c, l);
    return PRECIS_OK;
}

/* ---- a step ------------------------------------------------------------------------------------- */

/* Which parameter is not finite; PRECIS_OK: all are. */
static precis_status check_parameters(run *t)
{
    for (size_t i = 0; i < t->s.llama.n; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        for (size_t k = 0; k < p->n; k++) {
            if (p->data[k] - p->data[k] == 0) continue;
            return pcs_fail(t->ctx, PRECIS_EFORMAT,
                            "step %llu: %s is not finite at element %zu; the last checkpoint stays as it is",
                            (unsigned long long)t->s.step, p->name, k);
        }
    }
    return PRECIS_OK;
}

/* What is not finite: a parameter, or else the first gradient, or else the loss alone. */
static precis_status not_finite(run *t, double loss)
{
    const precis_status st = check_parameters(t);
    if (st) return st;
    for (size_t i = 0; i < t->s.llama.n; i++)
        for (size_t k = 0; k < t->all[i].n; k++) {
            const float g = t->all[i].g[k];
            if (g - g == 0) continue;
            return pcs_fail(t->ctx, PRECIS_EFORMAT,
                            "step %llu: the gradient of %s is not finite at element %zu (loss %g); the last checkpoint "
                            "is whole: lower lr, or raise warmup",
                            (unsigned long long)t->s.step + 1, t->s.llama.parameters[i].name, k, loss);
        }
    return pcs_fail(t->ctx, PRECIS_EFORMAT,
                    "step %llu: the loss is %g; the last checkpoint is whole: lower lr, or raise warmup",
                    (unsigned long long)t->s.step + 1, loss);
}

/* Mean loss of a batch and its standard error over sequences; tokens without a next one do not count. */
static void batch_loss(run *t, size_t sequences, double *loss, double *error)
{
    const float *rows = pcs_program_value(t->p, t->s.llama.rows);
    double sum = 0, squares = 0;
    for (size_t b = 0; b < sequences; b++) {
        double one = 0;
        size_t n = 0;
        for (size_t i = b * t->c.context; i < (b + 1) * t->c.context; i++)
            if (t->targets[i] >= 0) one += (double)rows[i], n++;
        one /= n ? (double)n : 1;
        sum += one;
        squares += one * one;
    }
    const double n = (double)sequences, spread = n > 1 ? (squares - sum * sum / n) / (n - 1) : 0;
    *loss = sum / n;
    *error = __builtin_sqrt((spread > 0 ? spread : 0) / n);
}

precis_status pcs_train_forward(run *t, size_t sequences)
{
    const precis_status st = precis_program_set_size(t->p, t->s.llama.tokens, (int64_t)(sequences * t->c.context));
    return st ? st : pcs_program_run(t->p);
}

static precis_status update(run *t, double lr)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < t->s.llama.n && !st; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        pcs_optimizer_settings set;
        if (p->fixed || !t->all[i].g || !pcs_train_settings(t, i, lr, &set)) continue;
        st = t->c.optimizer->step(t->ctx, &(pcs_update){ .p = p->data,
                                                         .g = t->all[i].g,
                                                         .rows = 1,
                                                         .columns = p->n,
                                                         .state = t->s.state[i],
                                                         .step = t->s.step + 1,
                                                         .set = &set });
    }
    pcs_train_keep_ranges(t);
    return st;
}

/* Gradients of what is trained; of the rest there are none. */
static size_t take_gradients(run *t)
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

static precis_status one_step(run *t, precis_train_step *report)
{
    const uint64_t step = t->s.step;
    const bool rounded = pcs_train_rounds(&t->c, step);
    for (uint64_t b = 0; b < t->c.batch; b++)
        pcs_train_sequence(&t->data, step * t->c.batch + b, t->ids + b * t->c.context, t->targets + b * t->c.context);
    precis_status st = PRECIS_OK;
    if (rounded && (!step || !pcs_train_rounds(&t->c, step - 1))) st = pcs_train_begin_ranges(t);
    t->draw[0] = (int32_t)(step & 0x7fffffff);
    if (!st) st = pcs_train_open_net(t, rounded, false);
    if (!st) st = pcs_train_forward(t, t->c.batch);
    if (!st) batch_loss(t, t->c.batch, &report->loss, &report->error);
    if (!st) st = pcs_reverse_run(t->r, NULL, false);
    if (st) return st;
    pcs_train_observe(t);
    if (!take_gradients(t)) return pcs_fail(t->ctx, PRECIS_EFORMAT, "only: nothing of the net is trained");
    pcs_train_dampen(t);
    report->norm = pcs_clip_norm(t->ctx, t->all, t->s.llama.n, t->c.clip);
    if (!(report->norm - report->norm == 0) || !(report->loss - report->loss == 0)) return not_finite(t, report->loss);
    report->lr = pcs_schedule_lr(t->c.schedule, &t->c.rates, step);
    st = update(t, report->lr);
    if (!st) t->s.step++;
    return st;
}

/* The checkpoint has what types encode where a graph in few bits stands (of ternary weights three numbers): the program
 * made it before the last update, so it is made anew. */
static precis_status write_checkpoint(run *t)
{
    pcs_train_state *s = &t->s;
    const bool rounded = pcs_train_rounds(&t->c, s->step ? s->step - 1 : 0);
    precis_status st = pcs_train_open_net(t, rounded, false);
    bool made = false;
    for (size_t i = 0; i < s->llama.n; i++) made |= s->llama.parameters[i].ready >= 0;
    if (!st && made) st = pcs_train_forward(t, t->c.batch);
    for (size_t i = 0; i < s->llama.n && !st; i++) {
        const precis_value v = s->llama.parameters[i].ready;
        s->served[i] = v >= 0 && v != s->llama.parameters[i].value ? pcs_program_value(t->p, v) : NULL;
    }
    return st ? st : pcs_checkpoint_write(t->ctx, t->opt->out, &t->c, s, t->sha256);
}

/* Whoever asked to stop gets the checkpoint first: it is written as if nobody had asked. */
static precis_status save(run *t)
{
    precis_status st = check_parameters(t);
    if (st) return st;
    precis_ctx_options *const o = &t->ctx->opt;
    const precis_ctx_options asked = *o;
    o->cancel = NULL;
    o->progress = NULL;
    st = write_checkpoint(t);
    o->cancel = asked.cancel;
    o->progress = asked.progress;
    return st;
}

static bool stopped(const run *t, const precis_train_step *report)
{
    if (t->ctx->opt.cancel && *t->ctx->opt.cancel) return true;
    return t->opt->each && t->opt->each(t->opt->user, report);
}

static void measure(run *t, precis_train_step *r)
{
    const double seconds = now() - t->began, done = (double)(t->s.step - t->from);
    r->step = t->s.step;
    r->steps = t->c.steps;
    r->tokens_s = seconds > 0 ? done * (double)(t->c.batch * t->c.context) / seconds : 0;
    r->share = seconds > 0 && t->peak > 0 ? done * t->flops / seconds / t->peak : 0;
    r->eta_s = done > 0 ? seconds / done * (double)(t->c.steps - t->s.step) : 0;
}

static precis_status train(run *t)
{
    t->peak = 2 * pcs_multiply_speed(t->ctx, pcs_kernels_for(t->ctx->cpu).peakf); /* a fused one multiplies and adds */
    t->began = now();
    precis_status st = PRECIS_OK;
    bool stop = false;
    while (!st && !stop && t->s.step < t->c.steps) {
        precis_train_step report = { .size = sizeof report };
        st = one_step(t, &report);
        if (st) break;
        measure(t, &report);
        stop = stopped(t, &report);
        if (stop || t->s.step == t->c.steps || t->s.step % t->c.every == 0) st = save(t);
    }
    if (st || t->s.step == t->c.steps) return st;
    return pcs_fail(t->ctx, PRECIS_ECANCELED, "stopped behind step %llu; %s has it: go on with --resume",
                    (unsigned long long)t->s.step, t->opt->out);
}

/* ---- what it came to ----------------------------------------------------------------------------- */

static precis_status held_out(run *t, precis_train_result *r)
{
    double sum = 0, squares = 0, entropy = 0, batches = 0;
    precis_status st = pcs_train_open_net(t, pcs_train_rounds(&t->c, t->c.steps), true); /* as the last step was, and what is written will be */
    uint64_t i = 0;
    size_t symbols = 0;
    for (bool more = true; more && !st;) {
        size_t b = 0;
        for (double e = 0; b < t->c.batch && (more = pcs_train_held(&t->data, i, t->ids + b * t->c.context,
                                                                    t->targets + b * t->c.context, &e));
             b++, i++) {
            entropy += e;
            symbols += t->c.context - 1;
        }
        if (!b) break;
        double loss, error;
        st = pcs_train_forward(t, b);
        if (st) break;
        batch_loss(t, b, &loss, &error);
        sum += loss * (double)b;
        squares += error * error * (double)b * (double)b;
        batches += (double)b;
    }
    const double nan = __builtin_nan("");
    r->heldout = batches > 0 ? sum / batches : nan;
    r->heldout_error = batches > 0 ? __builtin_sqrt(squares) / batches : nan;
    r->entropy = symbols && entropy == entropy ? entropy / (double)symbols : nan;
    return st;
}

static void close_run(run *t)
{
    close_net(t);
    pcs_llama_close(t->ctx, &t->s.llama);
    pcs_train_data_close(&t->data);
    precis_model_close(&t->origin);
    precis_model_close(&t->words);
    pcs_train_config_close(&t->c);
    pcs_buf_free(&t->asked);
    pcs_buf_free(&t->planned);
    pcs_arena_free(&t->arena);
}

static precis_status write_card(run *t)
{
    pcs_buf b;
    pcs_buf_init(&b, t->ctx, PCS_LIMIT_JSON);
    const char *own = t->words ? "learned from the texts" : t->origin ? t->c.from : "bytes";
    const char *words = t->c.tokenizer ? t->c.tokenizer : own;
    precis_status st = pcs_card_write(&t->data, words, &b);
    if (!st) st = pcs_write_file(t->ctx, t->opt->card, b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

precis_status precis_train(precis_ctx *ctx, const char *config, const precis_train_options *options,
                           precis_train_result *result)
{
    precis_train_options opt = PRECIS_TRAIN_OPTIONS_INIT;
    pcs_options_take(&opt, sizeof opt, options);
    if (!opt.out) return pcs_fail(ctx, PRECIS_EINVAL, "training needs a checkpoint to write");
    run *t = pcs_alloc(ctx, 1, sizeof *t);
    if (!t) return PRECIS_ENOMEM;
    *t = (run){ .ctx = ctx, .opt = &opt };
    pcs_arena_init(&t->arena, ctx);
    struct stat there;
    precis_status st = pcs_train_begin(t, config);
    if (!st && opt.quantized) st = pcs_train_can_write(t, opt.quantized);
    if (!st && opt.card) st = write_card(t);
    if (!st && opt.resume && stat(opt.out, &there) == 0) st = pcs_checkpoint_read(ctx, opt.out, &t->s, t->sha256);
    if (!st) st = open_inputs(t);
    if (!st) st = pcs_train_open_net(t, pcs_train_rounds(&t->c, t->c.steps), false); /* a type that does not fit is refused before work starts */
    if (!st) st = pcs_out_check(ctx, opt.out, 0, NULL);
    t->from = t->s.step;
    if (!st) st = train(t);
    precis_train_result all = { .size = result->size, .steps = t->s.step, .from = t->from };
    if (!st) st = held_out(t, &all);
    all.products = t->c.model.compute ? t->c.model.compute->says : "forward f32; by inputs f32; by weights f32";
    all.served = __builtin_nan("");
    const pcs_overlapping *seen = &t->data.overlap;
    all.contamination = seen->rows ? (double)seen->found / (double)seen->rows : __builtin_nan("");
    if (!st && opt.quantized) st = pcs_train_write_quantized(t, opt.quantized);
    if (!st && opt.quantized) st = pcs_train_served(t, opt.quantized, &all.served);
    if (!st && opt.quantized && all.served - all.heldout > 1e-4)
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: held-out loss %.6f when it is run, %.6f in training: this is a defect",
                      opt.quantized, all.served, all.heldout);
    for (size_t i = 0; i < t->s.llama.n; i++)
        if (t->s.llama.parameters[i].kind == PCS_TRAINED_NET) all.parameters += t->s.llama.parameters[i].n;
    all.tokens = t->s.step * t->c.batch * t->c.context;
    memcpy(all.sha256, t->sha256, sizeof all.sha256);
    memcpy(result, &all, result->size < sizeof all ? result->size : sizeof all);
    close_run(t);
    pcs_free(ctx, t);
    return st;
}
