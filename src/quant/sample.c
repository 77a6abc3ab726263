/* sample.c - text that a model makes for its own calibration (Liu et al. 2023, LLM-QAT, section 3.1): BOS, a random token, then samples
 * at temperature 1 from the whole distribution. A cut of it (top-k 64) costs: GPTQ of gutenberg-7m to 2 bits, KL 0.092 instead of 0.084. */
#include "precis/text.h"
#include "quant/methods.h"
#include "run/runner.h"

/* Tokens of one sequence in one round, of `left` that are still wanted. */
static uint32_t length_of(const precis_runner *r, uint64_t left)
{
    const uint64_t each = (left + PCS_SAMPLED_SEQUENCES - 1) / PCS_SAMPLED_SEQUENCES;
    return each < r->context ? (uint32_t)each : r->context;
}

precis_status pcs_sample_open(precis_ctx *ctx, precis_runner **r, const precis_model *m, uint64_t tokens, precis_runner_options *o)
{
    const int64_t context = pcs_arch_int(m, "context_length", 2048, NULL);
    const uint64_t each = (tokens + PCS_SAMPLED_SEQUENCES - 1) / PCS_SAMPLED_SEQUENCES, longest = context < PCS_SAMPLED_LENGTH ? (uint64_t)context : PCS_SAMPLED_LENGTH;
    o->arithmetic = PRECIS_REFERENCE;
    o->sequences = o->batch = o->outputs = PCS_SAMPLED_SEQUENCES;
    o->context = (uint32_t)(each < longest ? each : longest);
    return precis_runner_open(ctx, r, m, o);
}

precis_status pcs_sample(precis_runner *r, const precis_tokenizer *t, uint64_t tokens, const char *stage, pcs_windows *w, uint64_t *made)
{
    precis_ctx *ctx = r->ctx;
    const uint32_t vocabulary = r->lm.vocabulary;
    const int32_t bos = t ? precis_tokenizer_bos(t) : -1;
    precis_sampler *samplers[PCS_SAMPLED_SEQUENCES] = { NULL };
    precis_row rows[PCS_SAMPLED_SEQUENCES];
    uint64_t seed = ctx->opt.seed ^ 0x5eed5eed5eedu;
    int32_t *ids = pcs_alloc(ctx, (size_t)r->context * PCS_SAMPLED_SEQUENCES, sizeof *ids);
    precis_status st = ids ? PRECIS_OK : PRECIS_ENOMEM;
    for (uint32_t s = 0; s < PCS_SAMPLED_SEQUENCES && !st; s++) {
        precis_sampler_options o = PRECIS_SAMPLER_OPTIONS_INIT;
        o.temperature = 1.0f;
        o.top_k = 0;
        o.top_p = 1.0f;
        o.min_p = 0.0f;
        o.seed = pcs_rand(&seed);
        st = precis_sampler_open(ctx, &samplers[s], vocabulary, &o);
    }
    *made = 0;
    for (uint32_t length; !st && *made < tokens && (length = length_of(r, tokens - *made)) > 0;) {
        for (uint32_t p = 0; p < length && !st; p++) {
            const float *logits = NULL;
            for (uint32_t s = 0; s < PCS_SAMPLED_SEQUENCES; s++) {
                const int32_t random = (int32_t)(pcs_rand(&seed) % vocabulary);
                if (p == 0) rows[s].token = bos >= 0 && (uint32_t)bos < vocabulary ? bos : random;
                else if (p == 1 && bos >= 0) rows[s].token = random;
                rows[s] = (precis_row){ rows[s].token, p, s, 1 };
                ids[(size_t)s * length + p] = rows[s].token;
            }
            st = precis_runner_decode(r, rows, PCS_SAMPLED_SEQUENCES, &logits);
            for (uint32_t s = 0; s < PCS_SAMPLED_SEQUENCES && !st; s++) rows[s].token = precis_sampler_next(samplers[s], logits + (size_t)s * vocabulary);
            *made += PCS_SAMPLED_SEQUENCES;
            if (!st) st = pcs_progress(ctx, stage, *made < tokens ? *made : tokens, tokens);
        }
        for (uint32_t s = 0; s < PCS_SAMPLED_SEQUENCES && !st && w; s++) st = pcs_windows_add(w, ids + (size_t)s * length, length);
    }
    for (uint32_t s = 0; s < PCS_SAMPLED_SEQUENCES; s++) precis_sampler_close(&samplers[s]);
    pcs_free(ctx, ids);
    return st;
}
