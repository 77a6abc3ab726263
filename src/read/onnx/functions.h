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
typedef struct pcs_windows {
    uint32_t dims;
    int64_t strides[3], pads[6], dilations[3], kernel[3];
} pcs_windows;
bool pcs_read_windows(pcs_onnx_node *n, precis_value x, precis_value w, bool transposed, pcs_windows *out);
precis_value pcs_scale_of(pcs_onnx_node *n,
                          uint32_t i); /* an input of scales; a constant one is above zero and finite */
/* The u8 codes, scale and zero point of numbers, as DynamicQuantizeLinear makes them. */
void pcs_dynamic_codes(pcs_onnx_node *n, precis_value x, precis_value *out);
/* x less its mean over axes (mean NULL: taken as zero), times 1 / sqrt(variance + eps). */
precis_value pcs_moments(pcs_onnx_node *n, precis_value x, uint32_t count, const int64_t *axes, double eps,
                         precis_value *mean, precis_value *inverse);

#endif
