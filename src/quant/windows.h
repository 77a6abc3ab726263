/* windows.h - token windows: what a language model is shown. */
#ifndef PCS_WINDOWS_H
#define PCS_WINDOWS_H

#include "precis/quant.h"
#include "precis/run.h"
#include "precis/text.h"
#include "base/base.h"

/* Token windows for calibration, all at position 0 on. */
typedef struct pcs_windows {
    precis_ctx *ctx;
    int32_t *ids;      /* windows after one another */
    uint32_t *lengths;
    size_t n, cap, n_ids, cap_ids;
    uint32_t longest;
} pcs_windows;
/* How texts are cut: windows of `length` tokens (0: 512) or the model's context, none of fewer than `shortest`, all of
 * them at least `least`, which `who` says; limit: what to say where the caller's limit is below that. */
typedef struct pcs_window_rule { uint32_t length, shortest, least; const char *who, *limit; } pcs_window_rule;
precis_status pcs_windows_of_texts(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *o,
                                   const pcs_window_rule *rule, pcs_windows *w);
/* For methods that look at the whole model: texts in windows of `length` tokens (0: 512), or the model's own text. */
precis_status pcs_windows_make(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *o,
                               uint32_t length, pcs_windows *w);
/* 0, 1/2, 1/4, 3/4, 1/8, ...: every beginning is spread over 0 to 1 (van der Corput). */
double pcs_spread(size_t k);
/* At most `tokens` of all, from windows at even distances, in an order whose every beginning is spread over the text as
 * well. */
precis_status pcs_windows_spread(const pcs_windows *all, uint64_t tokens, pcs_windows *w);
/* The same of those that are not among others (which were taken from all). */
precis_status pcs_windows_rest(const pcs_windows *all, const pcs_windows *but, uint64_t tokens, pcs_windows *w);
/* Those that hold no window of others, which may be shorter ones of the same text. */
precis_status pcs_windows_apart(const pcs_windows *all, const pcs_windows *from, pcs_windows *w);
precis_status pcs_windows_add(pcs_windows *w, const int32_t *ids, uint32_t n);
void pcs_windows_free(pcs_windows *w);

/* precis_calibrate, from at most so many tokens of the texts, in windows from all over them. */
precis_status pcs_calibrate_some(precis_ctx *ctx, precis_imatrix **out, const precis_model *model,
                                 const precis_calibrate_options *opts, uint32_t most);

/* The model's own text (sampled.c): a runner for it, whose other options the caller has set; then `tokens` of it, at
 * least, as windows (NULL: not kept, the caller taps the runner). t: NULL without a tokenizer. */
#define PCS_SAMPLED_SEQUENCES 32
#define PCS_SAMPLED_LENGTH 512
precis_status pcs_sample_open(precis_ctx *ctx, precis_runner **r, const precis_model *m, uint64_t tokens,
                              precis_runner_options *o);
precis_status pcs_sample_text(precis_runner *r, const precis_tokenizer *t, uint64_t tokens, const char *stage,
                         pcs_windows *w, uint64_t *made);
/* Part of the places of a sample, of 0 to 1, that only repeat what stood before in the same window. */
double pcs_sample_loops(const pcs_windows *w);
/* PRECIS_EINVAL: a sample that is no text to calibrate on, since it is in loops. A warning, where it is in one script
 * though the model knows many. t: NULL without a tokenizer. */
precis_status pcs_sample_check(precis_ctx *ctx, precis_tokenizer *t, const pcs_windows *w);

#endif
