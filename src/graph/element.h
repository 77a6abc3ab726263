/* element.h - elements of every type as numbers that ops compute with, and operands that are spread over one another as
 * NumPy does it.
 *
 * An op computes in one of four domains: f32 for f32 and all that is narrower, f64, whole numbers with and without a
 * sign. A result is rounded once, when it is stored; whole numbers wrap as two's complement. */
#ifndef PCS_GRAPH_ELEMENT_H
#define PCS_GRAPH_ELEMENT_H

#include "graph/graph.h"

typedef enum { PCS_IN_F32, PCS_IN_F64, PCS_IN_I64, PCS_IN_U64 } pcs_domain;
pcs_domain pcs_domain_of(pcs_dtype d);
static inline bool pcs_dtype_whole(pcs_dtype d) { return pcs_domain_of(d) >= PCS_IN_I64; }
static inline bool pcs_dtype_byte(pcs_dtype d) { return d == PCS_I8 || d == PCS_U8; }
/* Bits of an element as files have it: 4 for I4. */
uint32_t pcs_dtype_bits(pcs_dtype d);

#define PCS_BLOCK 256 /* elements at a time, at most */
typedef union {
    float f[PCS_BLOCK];
    double d[PCS_BLOCK];
    int64_t i[PCS_BLOCK];
    uint64_t u[PCS_BLOCK];
} pcs_block_room;

/* n elements of a type, `stride` apart, as numbers of its domain; and numbers of its domain as elements. */
void pcs_elements_load(pcs_dtype d, const void *src, int64_t stride, size_t n, void *out);
void pcs_elements_store(pcs_dtype d, const void *numbers, size_t n, void *out);
/* Numbers of one domain as another's, in place of a buffer of 8 bytes a number. */
void pcs_numbers_convert(pcs_domain from, pcs_domain to, size_t n, const void *in, void *out);
/* One element. */
double pcs_real_at(const pcs_arg *a, size_t i);
int64_t pcs_int_at(const pcs_arg *a, size_t i);
void pcs_set_real(const pcs_arg *a, size_t i, double v);
static inline int32_t pcs_byte_at(const pcs_arg *a, int64_t i)
{
    return a->dtype == PCS_I8 ? ((const int8_t *)a->data)[i] : ((const uint8_t *)a->data)[i];
}

/* Numbers of few bits. saturate: what is too large becomes the largest, not infinity or NaN. */
float pcs_small_decode(pcs_dtype d, uint8_t code);
uint8_t pcs_small_encode(pcs_dtype d, float x, bool saturate);

/* A loop over the elements of `out` with operands spread over it: dimensions that can be one are one. */
#define PCS_SPREAD 4
typedef struct pcs_spread {
    uint32_t dims, n;
    int64_t shape[PCS_GRAPH_DIMS + 1];
    int64_t stride[PCS_SPREAD][PCS_GRAPH_DIMS + 1]; /* in elements */
    int64_t outer, inner;
} pcs_spread;
void pcs_spread_over(pcs_spread *s, const pcs_arg *out, uint32_t n, const pcs_arg *const *in);
/* Where each operand's part of outer row r begins. */
void pcs_spread_row(const pcs_spread *s, int64_t r, int64_t *at);

/* One block of n results in the domain of the result's type, from the operands in theirs. */
typedef void pcs_block_fn(const precis_attr *attr, size_t n, const void *const *in, void *out);
void pcs_elementwise(const pcs_call *c, uint32_t ith, uint32_t nth, pcs_block_fn *fn);
/* The same of f32, of one operand or of two, by a kernel; alpha is attribute 0. */
void pcs_elements_of(const pcs_call *c, uint32_t ith, uint32_t nth, pcs_function f);
/* The derivative by one operand for n f32 elements, from the operands (as f32, whatever they are) and from what eval
 * made of them. */
typedef void pcs_slope_fn(const precis_attr *attr, size_t n, const float *const *in, const float *made, float *slope);
/* Adds to the gradient of each operand that has one: slope[i] of input i, summed over the elements that an element of
 * it was spread to, in ascending order and in f64. */
void pcs_elementwise_back(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth,
                          pcs_slope_fn *const *slope);
/* The shape that n inputs from `from` on have together; an error names the input. */
precis_status pcs_infer_spread(precis_graph *g, const pcs_node *n, uint32_t from, uint32_t to, pcs_value *out);
/* An axis that counts from the end when it is negative; dims when there is none. */
static inline uint32_t pcs_axis(int64_t axis, uint32_t dims)
{
    const int64_t a = axis < 0 ? axis + dims : axis;
    return a < 0 || a >= (int64_t)dims ? dims : (uint32_t)a;
}
/* Out element i comes from in[offset + sum of index * stride]: every op that only moves elements. strides by out's
 * dims. */
void pcs_move(const pcs_arg *out, const pcs_arg *in, int64_t offset, const int64_t *strides, uint32_t ith,
              uint32_t nth);
/* The gradient of such an op by its only input, each element of which is of the result at most once. */
void pcs_move_back(const pcs_arg *out, const pcs_grads *g, int64_t offset, const int64_t *strides, uint32_t ith,
                   uint32_t nth);
/* The gradient of taking parts of x (input 0) along an axis by the whole numbers that input 1 has; one that is outside
 * takes the first part. x has parts. */
void pcs_take_back(const pcs_call *c, const pcs_grads *g, uint32_t axis, uint32_t ith, uint32_t nth);
/* Strides of a dense shape, in elements. */
void pcs_dense(uint32_t dims, const int64_t *shape, int64_t *strides);

/* Why ops of nets of arrays have no gradient. */
#define PCS_NO_GRADIENT_OF_ARRAYS "nets of arrays that hold it are run, and not trained"

#endif
