/* precis/eval.h - what was lost. Stage 5 of: read -> graph -> plan -> quant -> EVAL -> run. */
#ifndef PRECIS_EVAL_H
#define PRECIS_EVAL_H

#include "precis/run.h"
#include "precis/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one scored token gives: KL from the reference, negative log-likelihoods, whether the likeliest token is the
 * same. */
typedef struct precis_eval_token { double kld, nll, ref_nll; int same; } precis_eval_token;

typedef struct precis_eval_options {
    uint32_t          size;       /* sizeof of this struct, set by _INIT                              */
    precis_arithmetic arithmetic; /* of both models                                                   */
    uint32_t          window;     /* tokens; 0: 512                                                   */
    uint32_t          windows;    /* at most; 0: all that the text has                                */
    const char       *k_type, *v_type; /* KV cache of the model (the reference keeps f16); NULL: f16  */
    uint32_t          batch;      /* precis_eval_ids: tokens of one call at most; 0: 64               */
    /* precis_eval_text: every scored token, in order, window by window; NULL: none */
    void            (*each)(void *user, const precis_eval_token *token);
    void             *user;
    /* precis_eval_text: a file of the reference's logits. Read where it is there, and then no reference is run (nor
     * needed; one that is given must be its own); else written. NULL: none. 2 bytes for each scored token and entry of
     * the vocabulary */
    const char       *logits;
} precis_eval_options;
#define PRECIS_EVAL_OPTIONS_INIT { sizeof(precis_eval_options), PRECIS_FAST, 0, 0, NULL, NULL, 0, NULL, NULL, NULL }

enum { PRECIS_QUANTILES = 9 };

/* *_se: standard error, from the spread over tokens. */
typedef struct precis_eval_result {
    uint32_t size;              /* sizeof of this struct, set by the caller                           */
    uint64_t tokens, windows;   /* scored                                                             */
    double ppl, ppl_se;         /* exp of the mean negative log-likelihood, natural                   */
    int    has_reference;       /* the rest holds                                                     */
    double ref_ppl, ref_ppl_se;
    double log_ratio, log_ratio_se; /* mean of nll - nll of the reference: ln(ppl / ref_ppl)          */
    double kld_mean, kld_se;    /* KL(reference || model), nats per token                             */
    double kld_min, kld_max;
    double kld_quantile[PRECIS_QUANTILES]; /* at 0.01 0.05 0.1 0.25 0.5 0.9 0.95 0.99 0.999           */
    double dp_mean, dp_mean_se; /* probability of the right token: model less reference               */
    double dp_rms, dp_rms_se;
    double top1, top1_se;       /* part of the tokens whose likeliest token agrees, 0 to 1            */
    double kld_quantile_se[PRECIS_QUANTILES]; /* from the order statistics a binomial deviation away  */
    precis_arithmetic arithmetic; /* that was used                                                    */
} precis_eval_result;

/* Score a text in windows as llama.cpp does: the text is cut into windows, each begins with BOS when the model wants
 * one, and the second half of each is scored. reference may be NULL. Both models must have one vocabulary. Windows are
 * cut to the models' contexts, with a warning. PRECIS_ECANCELED: the result is of the windows that were done (0: none).
 * PRECIS_EINVAL when the text is shorter than a window, or the file of logits is of another text, model or
 * arithmetic. */
PRECIS_API precis_status precis_eval_text(precis_ctx *ctx, const precis_model *model, const precis_model *reference,
                                          const char *text, size_t len, const precis_eval_options *opts,
                                          precis_eval_result *result);
/* Negative log-likelihood in nats of each id after the first, given those before it; needs no tokenizer. nll has n - 1
 * places. Of the options (NULL: the defaults) window and windows have no meaning here, and a KV type of NULL is f32 (or
 * what the model was made for), so that the figures are those of the weights alone. PRECIS_EINVAL for an id outside the
 * vocabulary or a KV type that is unknown; PRECIS_ECANCELED: places that were not reached are NaN. */
PRECIS_API precis_status precis_eval_ids(precis_ctx *ctx, const precis_model *model, const int32_t *ids, size_t n,
                                         const precis_eval_options *opts, double *nll);
/* Encoders (BERT): the mean of a text's rows, of length 1; out has the model's width. The runner must allow as many
 * outputs as tokens; tokens beyond its context are cut. PRECIS_EUNSUPPORTED for other models. */
PRECIS_API precis_status precis_embed_text(precis_runner *r, precis_tokenizer *t, const char *text, size_t len,
                                           float *out);
typedef struct precis_similarity {
    uint32_t size;     /* sizeof of this struct, set by the caller                                    */
    uint64_t pairs;
    double   spearman, pearson; /* of the cosine and the given score                                  */
} precis_similarity;
/* Pairs of sentences with a score, as CSV lines: sentence,sentence,score. PRECIS_ECANCELED: the result is of the pairs
 * that were done (0: fewer than three). */
PRECIS_API precis_status precis_eval_similarity(precis_ctx *ctx, const precis_model *model, const char *csv,
                                                size_t len, precis_arithmetic arithmetic, precis_similarity *result);
/* The text of about 43 kB that is used when none is given; static storage. */
PRECIS_API const char *precis_eval_default_text(size_t *len);
/* Texts by domain: code, languages, prose, numbers, noise; and, where folder (may be NULL) has nltk's udhr.zip, some
 * languages of it. Name i, or NULL past the last; static storage. */
PRECIS_API const char *precis_probe_name(const char *folder, size_t i);
/* Its text (numbers and noise are made from the context's seed), freed with precis_text_free. PRECIS_EINVAL (no such
 * name), PRECIS_EFORMAT. */
PRECIS_API precis_status precis_probe_text(precis_ctx *ctx, const char *folder, const char *name, char **text,
                                           size_t *len);

/* ---- gate: is a loss below a margin? ------------------------------------------------------------------ */
typedef enum precis_verdict { PRECIS_ACCEPT, PRECIS_REJECT, PRECIS_UNDECIDED } precis_verdict;
PRECIS_API const char *precis_verdict_name(precis_verdict verdict);

typedef struct precis_gate_result {
    uint32_t       size;       /* sizeof of this struct, set by the caller                                 */
    precis_verdict verdict;
    double         mean, lower, upper, margin; /* each bound alone holds with 95 %                         */
    double         p_accept, p_reject; /* of "the loss is at least the margin"; of "it is at most the margin" */
    uint64_t       items;      /* values given                                                            */
    size_t         blocks;     /* 0: items are independent                                                */
    /* for a verdict in 4 of 5 texts, at this mean and spread; UINT64_MAX: no number would do */
    uint64_t       items_needed;
} precis_gate_result;

/* values[n], in order, e.g. the divergence at each token; neighbours within `block` depend on each other. ACCEPT: the
 * mean is below the margin with 95 % confidence; REJECT: above it; else UNDECIDED, as always with fewer than 8 blocks.
 * The studentized bootstrap is seeded by the context. */
PRECIS_API precis_status precis_gate(precis_ctx *ctx, const double *values, size_t n, size_t block, double margin,
                                     precis_gate_result *result);
/* The same for accuracy: of `items`, to_wrong were right with the reference only, to_right with the model only; margin:
 * the drop, 0 to 1. Exact: the largest probability over the share of changed answers, which is not known, that items
 * like these would look at least as good (Barnard's unconditional test, ordered by Tango's score, 1998). The bounds are
 * Tango's. */
PRECIS_API precis_status precis_gate_accuracy(precis_ctx *ctx, uint64_t items, uint64_t to_wrong, uint64_t to_right,
                                              double margin, precis_gate_result *result);
/* Several tests of one model: sets each verdict by Holm's step-down, so that all verdicts together err in at most 5 %
 * of cases on each side. The whole: ACCEPT when all are accepted, REJECT when one is rejected. */
PRECIS_API precis_verdict precis_gate_holm(precis_gate_result *results, size_t n);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_EVAL_H */
