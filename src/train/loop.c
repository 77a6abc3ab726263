/* loop.c - precis train: batches, gradients, updates, checkpoints. */
#include "base/options.h"
#include "base/builtins.h"
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

/* Mean of sequences' losses, and its standard error. */
static void mean_loss(const double *losses, size_t sequences, double *loss, double *error)
{
    double sum = 0, squares = 0;
    for (size_t b = 0; b < sequences; b++) sum += losses[b], squares += losses[b] * losses[b];
    const double n = (double)sequences, spread = n > 1 ? (squares - sum * sum / n) / (n - 1) : 0;
    *loss = sum / n;
    *error = pcs_sqrt((spread > 0 ? spread : 0) / n);
}

static precis_status update(run *t, double lr)
{
    pcs_stepping *all = pcs_alloc(t->ctx, t->s.llama.n + 1, sizeof *all);
    size_t n = 0;
    if (!all) return PRECIS_ENOMEM;
    for (size_t i = 0; i < t->s.llama.n; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        size_t rows;
        if (p->fixed || !t->all[i].g || !pcs_train_settings(t, i, lr, &all[n].set)) continue;
        all[n].by = pcs_train_optimizer(&t->c, p, &rows);
        all[n++].update = (pcs_update){ .p = p->data,
                                        .g = t->all[i].g,
                                        .rows = rows,
                                        .columns = p->n / rows,
                                        .state = t->s.state[i],
                                        .step = t->s.step + 1 };
    }
    const precis_status st = pcs_steps(t->ctx, all, n);
    pcs_free(t->ctx, all);
    pcs_train_keep_ranges(t);
    pcs_train_keep_masks(t);
    return st;
}

/* What the teacher says of the batch. */
static precis_status teach(run *t)
{
    const size_t n = t->c.context, v = (size_t)t->c.model.vocabulary;
    precis_status st = PRECIS_OK;
    for (uint64_t b = 0; t->teacher && b < t->c.batch && !st; b++)
        st = pcs_teacher_logits(t->teacher, t->ids + b * n, n, t->taught + b * n * v);
    return st;
}

/* The batch's tokens, and what a teacher says of them. */
static precis_status draw_tokens(run *t, uint64_t step)
{
    for (uint64_t b = 0; b < t->c.batch; b++)
        pcs_train_sequence(&t->data, step * t->c.batch + b, t->ids + b * t->c.context, t->targets + b * t->c.context);
    return teach(t);
}

static precis_status one_step(run *t, precis_train_step *report)
{
    const uint64_t step = t->s.step;
    const bool rounded = pcs_train_rounds(&t->c, step);
    precis_status st = t->family->draw(t, step);
    if (!st && step == pcs_train_prune_step(&t->c)) st = pcs_train_prune_now(t);
    if (!st && rounded && (!step || !pcs_train_rounds(&t->c, step - 1))) st = t->family->begin_ranges(t);
    t->draw[0] = (int32_t)(step & 0x7fffffff);
    if (!st) st = t->family->open_net(t, rounded, false);
    if (!st) st = t->family->batch(t);
    if (st) return st;
    mean_loss(t->losses, (size_t)t->c.batch, &report->loss, &report->error);
    pcs_train_dampen(t);
    if ((st = pcs_clip_norm(t->ctx, t->all, t->s.llama.n, t->c.clip, &report->norm))) return st;
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
    if (!st && made) st = pcs_train_forward(t, (size_t)(t->c.batch / t->c.parts));
    for (size_t i = 0; i < s->llama.n && !st; i++) {
        const precis_value v = s->llama.parameters[i].ready;
        s->served[i] = v >= 0 && v != s->llama.parameters[i].value ? pcs_program_value(t->p, v) : NULL;
    }
    return st ? st : pcs_checkpoint_write(t->ctx, t->opt->out, &t->c, s, t->sha256);
}

/* Of ranks the first alone writes. */
static bool follows(const run *t) { return t->opt->spread && t->opt->spread->rank > 0; }

/* Whoever asked to stop gets the checkpoint first: it is written as if nobody had asked. */
static precis_status save(run *t)
{
    precis_status st = check_parameters(t);
    if (st || follows(t)) return st;
    precis_ctx_options *const o = &t->ctx->opt;
    const precis_ctx_options asked = *o;
    o->cancel = NULL;
    o->progress = NULL;
    st = t->family->write(t);
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
    precis_status st = pcs_train_open_net(t, pcs_train_rounds(&t->c, t->c.steps),
                                          true); /* as the last step was, and what is written will be */
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
        pcs_train_losses(t, t->targets, b, t->losses);
        mean_loss(t->losses, b, &loss, &error);
        sum += loss * (double)b;
        squares += error * error * (double)b * (double)b;
        batches += (double)b;
    }
    const double nan = pcs_nan();
    r->heldout = batches > 0 ? sum / batches : nan;
    r->heldout_error = batches > 0 ? pcs_sqrt(squares) / batches : nan;
    r->entropy = symbols && entropy == entropy ? entropy / (double)symbols : nan;
    return st;
}

static void close_run(run *t)
{
    if (t->family) t->family->close(t);
    pcs_llama_close(t->ctx, &t->s.llama);
    pcs_train_data_close(&t->data);
    precis_model_close(&t->origin);
    precis_model_close(&t->words);
    pcs_teacher_close(t->ctx, &t->teacher);
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

/* A file that is run has training's loss. */
static precis_status same(run *t, const char *path, const precis_train_result *r)
{
    if (!(r->served - r->heldout > 1e-4) && !(r->heldout - r->served > 1e-4)) return PRECIS_OK;
    return pcs_fail(t->ctx, PRECIS_EFORMAT, "%s: held-out loss %.6f when it is run, %.6f in training: this is a defect",
                    path, r->served, r->heldout);
}

/* What is written beside the checkpoint. */
static precis_status write_products(run *t, precis_train_result *r)
{
    const precis_train_options *o = t->opt;
    precis_status st = PRECIS_OK;
    if (o->quantized) st = pcs_train_write_quantized(t, o->quantized);
    if (!st && o->quantized) st = pcs_train_served(t, o->quantized, &r->served);
    if (!st && o->quantized) st = same(t, o->quantized, r);
    if (!st && o->lora) st = pcs_train_write_lora(t, o->lora);
    if (!st && o->merged) st = pcs_train_write_merged(t, o->lora, o->merged);
    if (!st && o->lora) st = pcs_train_adapted(t, o->lora, o->merged, &r->served, &r->merged_kld);
    return st || !o->lora ? st : same(t, o->lora, r);
}

/* Before work starts. */
static precis_status check_products(run *t)
{
    const precis_train_options *o = t->opt;
    if (follows(t)) return PRECIS_OK;
    if ((o->lora || o->merged) && !t->c.model.rank)
        return pcs_fail(t->ctx, PRECIS_EINVAL, "no adapter is trained: --adapter r=8");
    if (o->merged && !o->lora)
        return pcs_fail(t->ctx, PRECIS_EINVAL, "what is merged is an adapter's file: --lora, too");
    precis_status st = o->quantized ? pcs_train_can_write(t, o->quantized) : PRECIS_OK;
    if (!st && o->lora) st = pcs_out_check(t->ctx, o->lora, 0, t->origin);
    if (!st && o->merged) st = pcs_out_check(t->ctx, o->merged, 0, t->origin);
    return st || !o->card ? st : write_card(t);
}

static precis_status open_inputs(run *t)
{
    const precis_status st = pcs_train_open_inputs(t);
    return st ? st : pcs_train_open_masks(t);
}

static precis_status read_checkpoint(run *t) { return pcs_checkpoint_read(t->ctx, t->opt->out, &t->s, t->sha256); }

static const pcs_train_family of_tokens = {
    .open = open_inputs, .draw = draw_tokens, .begin_ranges = pcs_train_begin_ranges, .open_net = pcs_train_open_net,
    .batch = pcs_train_batch, .write = write_checkpoint, .read = read_checkpoint, .held_out = held_out,
    .check = check_products, .products = write_products, .close = pcs_train_close_net,
};

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
    if (!t->family) t->family = &of_tokens;
    if (!st) st = t->family->check(t);
    if (!st && opt.resume && stat(opt.out, &there) == 0) st = t->family->read(t);
    if (!st) st = t->family->open(t);
    if (!st) st = pcs_train_open_parts(t);
    if (!st)
        st = t->family->open_net(t, pcs_train_rounds(&t->c, t->c.steps),
                                false); /* a type that does not fit is refused before work starts */
    if (!st) st = pcs_out_check(ctx, opt.out, 0, NULL);
    t->from = t->s.step;
    if (!st) st = train(t);
    precis_train_result all = { .size = result->size, .steps = t->s.step, .from = t->from };
    all.accuracy = all.served_accuracy = pcs_nan();
    if (!st) st = t->family->held_out(t, &all);
    all.products = t->c.model.compute ? t->c.model.compute->says : "forward f32; by inputs f32; by weights f32";
    all.served = pcs_nan();
    const pcs_rows_shared *seen = &t->data.overlap;
    all.contamination = seen->rows ? (double)seen->found / (double)seen->rows : pcs_nan();
    all.merged_kld = pcs_nan();
    if (!st && !follows(t)) st = t->family->products(t, &all);
    for (size_t i = 0; i < t->s.llama.n; i++)
        if (t->s.llama.parameters[i].kind == PCS_TRAINED_NET) all.parameters += t->s.llama.parameters[i].n;
    all.tokens = t->s.step * t->c.batch * t->c.context;
    memcpy(all.sha256, t->sha256, sizeof all.sha256);
    memcpy(all.data_sha256, t->data.sha256, sizeof all.data_sha256);
    if (t->asked.data) precis_sha256(t->asked.data, t->asked.len, all.settings_sha256);
    pcs_options_give(result, &all, sizeof all);
    close_run(t);
    pcs_free(ctx, t);
    return st;
}
