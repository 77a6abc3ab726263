/* functions.h - the raising functions that onnx.def names, and what they share beyond raise.h. */
#ifndef PCS_ONNX_FUNCTIONS_H
#define PCS_ONNX_FUNCTIONS_H

#include "read/onnx/raise.h"

#define ROW(domain, op, since, until, contents, function, with) void function(pcs_onnx_node *n);
#include "read/onnx/onnx.def"
#undef ROW

/* An input that is a weight, or an error: it is left out, or a constant that holds NaN. */
precis_value pcs_weight_in(pcs_onnx_node *n, uint32_t i);
/* A list that is an attribute in old opsets, and an input later. */
const int64_t *pcs_axes(pcs_onnx_node *n, const char *name, uint32_t input, uint32_t *count);
/* Strides, pads and dilations of a window over dims dimensions of x, auto_pad resolved; lists in the import's arena. */
typedef struct pcs_sliding {
    uint32_t dims;
    int64_t strides[3], pads[6], dilations[3], kernel[3];
} pcs_sliding;
bool pcs_read_windows(pcs_onnx_node *n, precis_value x, precis_value w, bool transposed, pcs_sliding *out);
/* An input of scales; a constant one is above zero and finite. */
precis_value pcs_scale_of(pcs_onnx_node *n, uint32_t i);
/* The u8 codes, scale and zero point of numbers, as DynamicQuantizeLinear makes them. */
void pcs_dynamic_codes(pcs_onnx_node *n, precis_value x, precis_value *out);
/* x less its mean over axes, times 1 / sqrt(variance + eps). */
typedef struct pcs_moments {
    uint32_t count;
    const int64_t *axes;
    double eps;
    bool centered; /* else the mean is taken as zero */
    /* what was made on the way */
    precis_value mean, inverse;
} pcs_moments;
precis_value pcs_normalized(pcs_onnx_node *n, precis_value x, pcs_moments *m);

#endif
