/* memory.c - a plan of memory before work starts. Runners and tokenizers are opened in a counting context, whose large
 * blocks are never touched, so that what they will take is counted and not guessed; what methods add is computed from
 * the shapes. The program's own texts and the file's keys are in what the process holds already. */
#include "job/memory.h"
#include "text/tokenizer.h"

#include "eval/eval.h"
#include "graph/arch.h"
#include "run/runner.h"

enum { WINDOW = 512, SAMPLED = 2048, METHODS_SAMPLED = 8192, PART = 8 << 20, OUT_BUFFER = 1 << 20, STACKS = 1 << 18 };

/* Bytes that opening takes; nothing stays. */
typedef precis_status opener(precis_ctx *ctx, const precis_model *m, void *what);

static precis_status counted(precis_ctx *ctx, const precis_model *m, opener *open, void *what, uint64_t *bytes)
{
    const uint64_t limit = ctx->memory.limit, before = ctx->memory.used, peak = ctx->memory.peak;
    ctx->memory.limit = 0;
    ctx->memory.counting = true;
    ctx->memory.peak = before;
    const precis_status st = open(ctx, m, what);
    *bytes = ctx->memory.peak - before;
    ctx->memory.counting = false;
    ctx->memory.limit = limit;
    ctx->memory.peak = peak;
    return st;
}

static precis_status open_runner(precis_ctx *ctx, const precis_model *m, void *what)
{
    precis_runner *r;
    const precis_status st = precis_runner_open(ctx, &r, m, what);
    precis_runner_close(&r);
    return st;
}

static precis_status open_inputs(precis_ctx *ctx, const precis_model *m, void *what)
{
    precis_runner *r;
    const precis_status st = pcs_runner_open(ctx, &r, m, what, &(pcs_runner_how){ .inputs = true });
    precis_runner_close(&r);
    return st;
}

static precis_status open_sampler(precis_ctx *ctx, const precis_model *m, void *what)
{
    precis_runner *r = NULL;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    const precis_status st = pcs_sample_open(ctx, &r, m, *(const uint64_t *)what, &ro);
    precis_runner_close(&r);
    return st;
}

static precis_status open_tokenizer(precis_ctx *ctx, const precis_model *m, void *what)
{
    (void)what;
    precis_tokenizer *t = NULL;
    if (!pcs_tokenizes(m)) return PRECIS_OK;
    const bool counting = ctx->memory.counting;
    ctx->memory.counting = false; /* it reads what it has made */
    const precis_status st = precis_tokenizer_open(ctx, &t, m);
    precis_tokenizer_close(&t);
    ctx->memory.counting = counting;
    return st;
}

static uint32_t context_of(const precis_model *m, uint32_t most)
{
    const int64_t known = pcs_arch_int(m, "context_length", 2048, NULL);
    return known > 0 && known < most ? (uint32_t)known : most;
}

/* Token ids of the calibration: one of about four bytes of text, at most the limit. */
static uint64_t tokens_of(const precis_job_options *o, uint64_t sampled)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < o->calibrate.n_texts; i++) bytes += o->calibrate.lengths[i];
    const uint64_t n = o->calibrate.n_texts ? bytes / 4 : sampled;
    return o->calibrate.tokens && o->calibrate.tokens < n ? o->calibrate.tokens : n;
}

/* Sums and means of an importance matrix. */
static uint64_t importance_bytes(const precis_model *m)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->n_tensors; i++) {
        const pcs_tensor *t = &m->tensors[i];
        if (t->dims < 2 || t->is.layer < 0) continue;
        bytes += (uint64_t)t->ne[0] * (t->dims > 2 ? (uint64_t)t->ne[2] : 1) * (sizeof(double) + sizeof(float));
    }
    return bytes;
}

static precis_status calibration(precis_ctx *ctx, const pcs_memory_job *j, uint64_t tokenizer, uint64_t *bytes)
{
    uint64_t n = tokens_of(j->o, SAMPLED);
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = PRECIS_REFERENCE;
    ro.k_type = ro.v_type = "f32";
    ro.batch = WINDOW;
    ro.context = context_of(j->m, WINDOW);
    const precis_status st = j->o->calibrate.n_texts ? counted(ctx, j->m, open_inputs, &ro, bytes)
                                                     : counted(ctx, j->m, open_sampler, &n, bytes);
    uint64_t text = 0;
    for (size_t i = 0; i < j->o->calibrate.n_texts; i++)
        text = text > j->o->calibrate.lengths[i] ? text : j->o->calibrate.lengths[i];
    *bytes += tokenizer + importance_bytes(j->m) + text; /* ids of a text while it is cut: about its length */
    return st;
}

/* The layer with the most weights to code, as F32; the widest input of one; all coded bytes. */
static void coding(const pcs_memory_job *j, uint64_t *layer, uint64_t *widest, uint64_t *rows, uint64_t *coded,
                   uint64_t *all)
{
    *layer = *widest = *rows = *coded = *all = 0;
    for (long l = 0; l < PCS_LIMIT_LAYERS; l++) {
        uint64_t sum = 0;
        bool any = false;
        for (size_t i = 0; i < j->m->n_tensors; i++) {
            const pcs_tensor *t = &j->m->tensors[i];
            if (t->is.layer != l) continue;
            any = true;
            const pcs_format *to = j->plan && i < j->plan->n ? j->plan->rows[i].to : NULL;
            if (t->dims < 2 || (to && (to == t->format || (to->kind != PCS_QUANT && !to->element)))) continue;
            sum += 4 * t->n;
            *coded += to ? j->plan->rows[i].bytes : t->n;
            if ((uint64_t)t->ne[0] > *widest) *widest = (uint64_t)t->ne[0];
            if (pcs_tensor_rows(t) > *rows) *rows = pcs_tensor_rows(t);
        }
        *all += sum;
        if (sum > *layer) *layer = sum;
        if (!any && l) break;
    }
}

static precis_status methods(precis_ctx *ctx, const pcs_memory_job *j, uint64_t tokenizer, precis_memory *plan)
{
    uint64_t layer, n, rows, coded, all, tokens = tokens_of(j->o, METHODS_SAMPLED), runner = 0, sampler = 0;
    coding(j, &layer, &n, &rows, &coded, &all);
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = j->q->activations ? PRECIS_EMULATED : PRECIS_REFERENCE;
    ro.k_type = ro.v_type = "f32";
    ro.context = ro.batch = tokens < context_of(j->m, WINDOW) ? (uint32_t)tokens : context_of(j->m, WINDOW);
    precis_status st = counted(ctx, j->m, open_runner, &ro, &runner);
    if (!st && !j->o->calibrate.n_texts) st = counted(ctx, j->m, open_sampler, &tokens, &sampler);
    const uint64_t threads = precis_ctx_threads(ctx), ids = 12 * tokens,
                   held = j->calibrates ? importance_bytes(j->m) : 0;
    plan->calibrate = plan->calibrate > sampler + tokenizer ? plan->calibrate : sampler + tokenizer;
    const bool limited = ctx->memory.limit != 0;
    uint64_t base = ids + held;
    if (j->set->transforms) base += all;               /* weights that a transform owns stay */
    const uint64_t states = tokens * (uint64_t)pcs_arch_int(j->m, "embedding_length", 0, NULL) * 4;
    if (!limited) base += coded + states; /* else they are spilled */
    plan->method = base;
    if (!j->set->coder->apply) return st;
    plan->method += runner + (j->set->transforms ? 0 : layer) + pcs_gptq_memory(n, rows, ro.batch, threads);
    if (!limited) plan->method += states + 4 * n * tokens; /* what is kept of a layer's middle */
    if (!j->set->coder->learns) return st;
    /* numbers, what they were before they were rounded, scales, gradients; and a batch's activations, forward and
     * back */
    const uint64_t batch = PCS_ROUND_TOKENS > ro.batch ? PCS_ROUND_TOKENS : ro.batch;
    plan->method += 6 * layer + 4 * batch * (24 * (uint64_t)pcs_arch_int(j->m, "embedding_length", 0, NULL) + 12 * n);
    if (!limited) plan->method += tokens * (uint64_t)pcs_arch_int(j->m, "embedding_length", 0, NULL) * 4;
    return st;
}

static precis_status evaluation(precis_ctx *ctx, const pcs_memory_job *j, uint64_t tokenizer, uint64_t *bytes)
{
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = j->o->eval.arithmetic;
    ro.context = ro.batch = j->o->eval.window ? j->o->eval.window : WINDOW;
    ro.outputs = pcs_eval_outputs(j->m, ro.context);
    const precis_status st = counted(ctx, j->m, open_runner, &ro, bytes);
    *bytes = 2 * *bytes + 2 * tokenizer;
    return st;
}

/* The model's keys and tensors once more: what was written is opened before it has its name (write/readback.c). Strings
 * are rounded up as arenas do. */
static uint64_t read_back(const precis_model *m)
{
    /* a list that grows by halves, and two tables of names */
    uint64_t bytes = 3 * m->n_tensors * sizeof *m->tensors + 65536;
    for (size_t i = 0; i < m->n_keys; i++) {
        const pcs_key *k = &m->keys[i];
        if (k->type != PCS_KEY_ARRAY) continue;
        bytes += k->n * (k->item == PCS_KEY_STRING ? sizeof *k->v.texts : pcs_key_width(k->item));
        for (uint64_t n = 0; k->item == PCS_KEY_STRING && n < k->n; n++) bytes += (k->v.texts[n].len + 16) / 16 * 16;
    }
    return bytes;
}

static uint64_t writing(precis_ctx *ctx, const pcs_memory_job *j, uint64_t width, uint64_t method)
{
    const uint64_t coding = PART + OUT_BUFFER + precis_ctx_threads(ctx) * (2 * width + 16) * 4, back = read_back(j->m);
    const uint64_t importance = j->calibrates ? importance_bytes(j->m) : 0;
    return (coding > back ? coding : back) + importance + (ctx->memory.limit ? 0 : method / 8);
}

precis_status pcs_memory_plan(precis_ctx *ctx, const pcs_memory_job *j, precis_memory *plan)
{
    uint64_t tokenizer = 0, width = 0, eval = 0;
    *plan = (precis_memory){ .held = pcs_private_memory(), .limit = ctx->memory.limit };
    precis_status st = j->calibrates || j->evaluates || j->copies ? counted(ctx, j->m, open_tokenizer, NULL, &tokenizer)
                                                                  : PRECIS_OK;
    if (!st && j->calibrates && !j->o->imatrix) st = calibration(ctx, j, tokenizer, &plan->calibrate);
    if (!st && j->copies) st = methods(ctx, j, tokenizer, plan);
    for (size_t i = 0; i < j->m->n_tensors; i++)
        if ((uint64_t)j->m->tensors[i].ne[0] > width) width = (uint64_t)j->m->tensors[i].ne[0];
    plan->write = writing(ctx, j, width, plan->method);
    if (!st && j->evaluates) st = evaluation(ctx, j, tokenizer, &eval);
    plan->evaluate = eval;
    uint64_t most = plan->calibrate;
    if (plan->method > most) most = plan->method;
    if (plan->write > most) most = plan->write;
    if (plan->evaluate > most) most = plan->evaluate;
    plan->peak = plan->held + most + STACKS;
    if (st || !plan->limit || plan->peak <= plan->limit) return st;
    const char *stage = most == plan->calibrate ? "calibration"
                        : most == plan->method  ? "the method"
                        : most == plan->write   ? "writing"
                                                : "evaluation";
    char need[32], have[32];
    return pcs_fail(ctx, PRECIS_ENOMEM,
                    "the job needs about %s, for %s, and the limit is %s: nothing was begun. A limit of %llu would "
                    "do%s",
                    pcs_human((double)plan->peak, need), stage, pcs_human((double)plan->limit, have),
                    (unsigned long long)(plan->peak + plan->peak / 20),
                    most == plan->evaluate ? "; so would --no-eval"
                    : most == plan->method ? "; so would fewer threads, or --method search"
                                           : "");
}
