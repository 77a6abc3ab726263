/* bins.h - histograms whose range grows with what comes, for the observers that search in counts.
 *
 * Three rules. Ours: a range of -t to t, t the least power of two that holds all magnitudes, so that growing adds pairs
 * of bins, the counts do not depend on the order of batches, and memory is bounded. onnxruntime's (collect_value):
 * -t to t, t the first batch's largest magnitude, grown by whole bins on both sides. onnxruntime's of magnitudes
 * (collect_absolute_value): from the least to the largest of the first batch, grown to the right. The last two do
 * their arithmetic in f32 as NumPy does, and are refused beyond PCS_BINS_MOST. */
#ifndef PCS_BINS_H
#define PCS_BINS_H

#include "quant/observe/observe.h"

#define PCS_BINS_MOST (1u << 22)

typedef enum { PCS_BINS_DYADIC, PCS_BINS_ORT, PCS_BINS_ORT_MAGNITUDE } pcs_bins_rule;

typedef struct pcs_bins {
    pcs_bins_rule rule;
    uint64_t *count; /* [n] */
    float *edge;     /* [n + 1], ascending; the last bin has its upper edge, too */
    size_t n;        /* 0: nothing has come */
    uint64_t total, zeros; /* zeros: values that are exactly 0, in their bin as well */
    float low, high; /* smallest and largest value */
    float top;       /* t */
    float first, last; /* onnxruntime's outer edges in the first pass of two */
} pcs_bins;

/* In pass 0 of two (count_later) only extremes are taken. bins: how many there are at first. */
precis_status pcs_bins_see(pcs_observation *o, pcs_bins *b, size_t bins, const float *x, size_t n);
void pcs_bins_free(precis_ctx *ctx, pcs_bins *b);
/* Number of passes for these options: onnxruntime's histograms at once need the extremes first. */
uint32_t pcs_bins_passes(const pcs_observer_options *o);
/* A range that is within the data's extremes. */
void pcs_bins_clamp(const pcs_bins *b, float *low, float *high);

#endif
