/* sampled.c - text that a model makes for its own calibration (Liu et al. 2023, LLM-QAT, section 3.1, where a random
 * token stands after BOS): BOS or, without one, a random token, then samples at temperature 1 from the whole
 * distribution. A cut of it (top-k 64) costs: GPTQ of gutenberg-7m to 2 bits, KL 0.092 instead of 0.084. A random token
 * after BOS (three bits and a half: 0.00284 instead of 0.00271) and a temperature of 0.9 (0.00318) do, too. */
#include "precis/session.h"
#include "precis/text.h"
#include "quant/methods.h"
#include "run/runner.h"

/* Tokens of one sequence in one round, of `left` that are still wanted. */
static uint32_t length_of(const precis_runner *r, uint64_t left)
{
    const uint64_t each = (left + PCS_SAMPLED_SEQUENCES - 1) / PCS_SAMPLED_SEQUENCES;
    return each < r->context ? (uint32_t)each : r->context;
}

precis_status pcs_sample_open(precis_ctx *ctx, precis_runner **r, const precis_model *m, uint64_t tokens,
                              precis_runner_options *o)
{
    const int64_t context = pcs_arch_int(m, "context_length", 2048, NULL);
    const uint64_t each = (tokens + PCS_SAMPLED_SEQUENCES - 1) / PCS_SAMPLED_SEQUENCES,
                   longest = context < PCS_SAMPLED_LENGTH ? (uint64_t)context : PCS_SAMPLED_LENGTH;
    o->arithmetic = PRECIS_REFERENCE;
    o->sequences = o->batch = o->outputs = PCS_SAMPLED_SEQUENCES;
    o->context = (uint32_t)(each < longest ? each : longest);
    return precis_runner_open(ctx, r, m, o);
}

/* One text: its sampler goes on from text to text. */
typedef struct { precis_sampler *sampler; int32_t first; } source;

typedef struct {
    precis_ctx *ctx;
    const char *stage;
    uint64_t made, tokens;
    precis_status st;
    source of[PCS_SAMPLED_SEQUENCES];
    precis_session *sessions[PCS_SAMPLED_SEQUENCES];
} texts;

static int32_t choose(void *user, const float *logits, uint32_t vocabulary)
{
    const source *f = user;
    (void)vocabulary;
    return precis_sampler_next(f->sampler, logits);
}

static int on_token(void *user, size_t i, const precis_token *token)
{
    texts *t = user;
    (void)i;
    (void)token;
    if (++t->made % PCS_SAMPLED_SEQUENCES == 0 && !t->st)
        t->st = pcs_progress(t->ctx, t->stage, t->made < t->tokens ? t->made : t->tokens, t->tokens);
    return t->st != PRECIS_OK;
}

static precis_status open_texts(texts *t, precis_runner *r, uint64_t *seed)
{
    precis_status st = PRECIS_OK;
    for (uint32_t s = 0; s < PCS_SAMPLED_SEQUENCES && !st; s++) {
        precis_sampler_options o = PRECIS_SAMPLER_OPTIONS_INIT;
        o.temperature = 1.0f;
        o.top_k = 0;
        o.top_p = 1.0f;
        o.min_p = 0.0f;
        o.seed = pcs_rand(seed);
        st = precis_sampler_open(t->ctx, &t->of[s].sampler, r->lm.vocabulary, &o);
        precis_session_options so = PRECIS_SESSION_OPTIONS_INIT;
        so.sequence = s;
        so.choose = choose;
        so.user = &t->of[s];
        if (!st) st = precis_session_open(t->ctx, &t->sessions[s], r, NULL, &so);
    }
    return st;
}

/* The beginnings of texts of one length. */
static precis_status begin_texts(texts *t, uint32_t vocabulary, int32_t bos, uint32_t length, uint64_t *seed)
{
    precis_status st = PRECIS_OK;
    for (uint32_t s = 0; s < PCS_SAMPLED_SEQUENCES; s++) {
        const int32_t random = (int32_t)(pcs_rand(seed) % vocabulary);
        t->of[s].first = bos >= 0 && (uint32_t)bos < vocabulary ? bos : random;
    }
    for (uint32_t s = 0; s < PCS_SAMPLED_SEQUENCES && !st; s++) {
        precis_session_set_predict(t->sessions[s], length);
        st = precis_session_begin(t->sessions[s], &t->of[s].first, 1);
    }
    return st;
}

precis_status pcs_sample_text(precis_runner *r, const precis_tokenizer *tokenizer, uint64_t tokens, const char *stage,
                         pcs_windows *w, uint64_t *made)
{
    texts t = { .ctx = r->ctx, .stage = stage, .tokens = tokens };
    uint64_t seed = t.ctx->opt.seed ^ 0x5eed5eed5eedu;
    const int32_t bos = tokenizer ? precis_tokenizer_bos(tokenizer) : -1;
    precis_status st = open_texts(&t, r, &seed);
    for (uint32_t length; !st && t.made < tokens && (length = length_of(r, tokens - t.made)) > 0;) {
        st = begin_texts(&t, r->lm.vocabulary, bos, length, &seed);
        if (!st) st = precis_session_run(t.sessions, PCS_SAMPLED_SEQUENCES, on_token, &t);
        if (!st) st = t.st;
        for (uint32_t s = 0; s < PCS_SAMPLED_SEQUENCES && !st && w; s++)
            st = pcs_windows_add(w, precis_session_all(t.sessions[s]), length);
    }
    *made = t.made;
    for (uint32_t s = 0; s < PCS_SAMPLED_SEQUENCES; s++) {
        precis_session_close(&t.sessions[s]);
        precis_sampler_close(&t.of[s].sampler);
    }
    return st;
}
