/* Gradients of every row of ops.def: by differences of eval, or for ops that go straight through a rounding by the
 * recipe's own formula; and the same bits for 1, 2, 3 and 7 threads. A row without a case fails, and one with neither
 * backward nor reason.
 *
 * Tolerance. The loss is sum(r y) for fixed random r of about 1. Central differences at h = 1/16 and 1/32 are
 * extrapolated, so that what is left of the truncation is h^4 f'''''/120 times 4, below 2e-5 for derivatives up to 10.
 * A difference of f32 results is off by some 2^-24 of each result that moves, over 2 h and once more over 3/4 for the
 * extrapolation: 2^-24 * 16 * 2 * sqrt(n) for n results of about 1 that move, 2e-5 for 100; approximations of exp and
 * erf (2^-22) count four times. 4e-4 (1 + |want|) leaves room for both at the sizes here; a wrong term of a gradient is
 * of the size of the gradient itself. */
#include "base/fmath.h"
#include "base/pool.h"
#include "graph/graph.h"
#include "recipes.h"
#include "test.h"

#include <math.h>

#define TOLERANCE 4e-4
#define MOST_IN 5

typedef struct {
    const char *op;
    precis_attr attrs[9];
    operand in[MOST_IN];
    formula *recipe;
} gradient_case;

#define INT PCS_INT
#define REAL PCS_REAL
#define TEXT PCS_TEXT

/* ---- cases ------------------------------------------------------------------------------------------ */

#define LIST(name, list) { name, PRECIS_ATTR_LIST, 0, 0, list, sizeof(list) / sizeof *(list), NULL, -1 }
static const int64_t twos[] = { 2, 2 }, threes[] = { 3, 3 }, uneven[] = { 2, 1 }, pads_of_two[] = { 1, 0, 1, 2 },
                     pads_of_one[] = { 1, 1, 1, 1 }, one_two[] = { 1, 2 }, five[] = { 5 }, two[] = { 2 },
                     axes[] = { 0, 2 }, last[] = { -1 }, last_one[] = { 1 }, turns[] = { 2, 0, 1 },
                     starts[] = { 1, 4 }, sizes[] = { 2, 3 }, steps[] = { 1, -2 }, around[] = { 1, -1, 2, 2 },
                     spread[] = { 3, 4, 5 }, larger[] = { 2, 3, 6, 10 }, smaller[] = { 1, 2, 2, 4 };

static const gradient_case cases[] = {
#include "elements.inc"
#include "arrays.inc"
    { "affine_quant",
      { INT("low", -8), INT("high", 7), REAL("factor", 0.1) },
      { { 'F', 2, { 3, 40 }, 0, 1 }, { 'S', 1, { 1 }, 0, 0.17f }, { 'F', 1, { 1 }, 0, 0.1f } },
      affine_recipe },
    { "affine_quant",
      { INT("low", 0), INT("high", 15), INT("axis", 0), REAL("factor", 1) },
      { { 'F', 2, { 3, 40 }, 0, 1 }, { 'S', 1, { 3 }, 0, 0.1f }, { 'S', 1, { 3 }, 0, 6 } },
      affine_recipe },
    { "attention_full",
      { INT("dim", 4), REAL("scale", 0.5) },
      { { 'F', 2, { 7, 8 }, 0, 1 },
        { 'F', 2, { 7, 4 }, 0, 1 },
        { 'F', 2, { 7, 3 }, 0, 1 },
        { 'Q', 1, { 7 }, 4, 0 } },
      NULL },
    { "attention_full",
      { INT("dim", 2), REAL("scale", 0.7), INT("window", 40) },
      { { 'F', 2, { 70, 4 }, 0, 1 },
        { 'F', 2, { 70, 2 }, 0, 1 },
        { 'F', 2, { 70, 2 }, 0, 1 },
        { 'Q', 1, { 70 }, 61, 0 } },
      NULL },
    { "attention_full",
      { INT("dim", 3), REAL("scale", 0.6), INT("window", 2), REAL("cap", 1.5) },
      { { 'F', 2, { 6, 6 }, 0, 1 },
        { 'F', 2, { 6, 6 }, 0, 1 },
        { 'F', 2, { 6, 6 }, 0, 1 },
        { 'Q', 1, { 6 }, 6, 0 } },
      NULL },
    { "attention_full",
      { INT("dim", 4), REAL("scale", 0.5), INT("causal", 0), INT("plus_one", 1) },
      { { 'F', 2, { 6, 8 }, 0, 1 },
        { 'F', 2, { 6, 8 }, 0, 1 },
        { 'F', 2, { 6, 8 }, 0, 1 },
        { 'Q', 1, { 6 }, 3, 0 } },
      NULL },
    { "attention_full",
      { INT("dim", 4), REAL("scale", 0.1), REAL("gamma", -0.03), INT("causal", 0) },
      { { 'F', 2, { 5, 4 }, 0, 1 },
        { 'F', 2, { 5, 4 }, 0, 1 },
        { 'F', 2, { 5, 4 }, 0, 1 },
        { 'Q', 1, { 5 }, 5, 0 } },
      NULL },
    { "avg_pool", { { 0 } }, { { 'F', 4, { 2, 3, 4, 6 }, 0, 1 } }, NULL },
    { "avg_pool", { INT("size", 3), INT("stride", 1) }, { { 'F', 4, { 1, 3, 5, 4 }, 0, 1 } }, NULL },
    { "batch_norm",
      { REAL("eps", 0.01) },
      { { 'F', 4, { 2, 3, 2, 3 }, 0, 1 },
        { 'F', 1, { 3 }, 0, 1 },
        { 'F', 1, { 3 }, 0, 1 },
        { 'F', 1, { 3 }, 0, 1 },
        { 'P', 1, { 3 }, 0, 1 } },
      NULL },
    { "batch_norm",
      { { 0 } },
      { { 'F', 2, { 4, 5 }, 0, 1 },
        { 'F', 1, { 5 }, 0, 1 },
        { 'F', 1, { 5 }, 0, 1 },
        { 'F', 1, { 5 }, 0, 1 },
        { 'P', 1, { 5 }, 0, 1 } },
      NULL },
    { "batch_norm_train",
      { { 0 } },
      { { 'F', 4, { 2, 3, 2, 3 }, 0, 1 }, { 'F', 1, { 3 }, 0, 1 }, { 'F', 1, { 3 }, 0, 1 } },
      NULL },
    { "batch_norm_train",
      { REAL("eps", 0.1) },
      { { 'F', 2, { 6, 4 }, 0, 1 }, { 'F', 1, { 4 }, 0, 1 }, { 'F', 1, { 4 }, 0, 1 } },
      NULL },
    { "binarize", { { 0 } }, { { 'F', 2, { 5, 30 }, 0, 1.5f } }, binary_recipe },
    { "clip_range", { REAL("factor", 0.1) }, { { 'F', 2, { 5, 30 }, 0, 2 }, { 'S', 1, { 1 }, 0, 0.8f } }, clip_recipe },
    { "clip_range", { { 0 } }, { { 'F', 2, { 5, 30 }, 0, 2 }, { 'S', 1, { 5 }, 0, 0.8f } }, clip_recipe },
    { "clip_range", { REAL("rms", 1.2), REAL("margin", 0.2) }, { { 'F', 2, { 5, 30 }, 0, 1 } }, clip_recipe },
    { "concat", { INT("axis", 1) }, { { 'F', 3, { 2, 3, 4 }, 0, 1 }, { 'F', 3, { 2, 1, 4 }, 0, 1 } }, NULL },
    { "concat",
      { INT("axis", -1) },
      { { 'F', 2, { 40, 3 }, 0, 1 }, { 'F', 2, { 40, 2 }, 0, 1 }, { 'F', 2, { 40, 4 }, 0, 1 } },
      NULL },
    { "concat", { INT("axis", 0) }, { { 'F', 2, { 2, 3 }, 0, 1 }, { 'F', 2, { 5, 3 }, 0, 1 } }, NULL },
    { "conv2d",
      { INT("stride", 2), INT("pad", 1) },
      { { 'F', 4, { 2, 3, 5, 6 }, 0, 1 }, { 'F', 4, { 4, 3, 3, 3 }, 0, 1 }, { 'F', 1, { 4 }, 0, 1 } },
      NULL },
    { "conv2d", { INT("groups", 2) }, { { 'F', 4, { 1, 4, 4, 5 }, 0, 1 }, { 'F', 4, { 6, 2, 2, 3 }, 0, 1 } }, NULL },
    { "cross_entropy", { { 0 } }, { { 'F', 2, { 5, 20 }, 0, 1 }, { 'I', 1, { 5 }, 20, 0 } }, NULL },
    { "cross_entropy",
      { REAL("smoothing", 0.1), REAL("z", 0.01) },
      { { 'F', 2, { 5, 7 }, 0, 1 }, { 'I', 1, { 5 }, 7, 0 } },
      NULL },
    { "cross_entropy", { INT("ignore", 2) }, { { 'F', 2, { 6, 3 }, 0, 1 }, { 'I', 1, { 6 }, 3, 0 } }, NULL },
    { "embedding", { { 0 } }, { { 'I', 1, { 9 }, 5, 0 }, { 'F', 2, { 5, 33 }, 0, 1 } }, NULL },
    { "embedding", { REAL("scale", 1.5) }, { { 'I', 1, { 4 }, 5, 0 }, { 'F', 2, { 5, 3 }, 0, 1 } }, NULL },
    { "embedding", { INT("row", 0) }, { { 'I', 1, { 4 }, 5, 0 }, { 'F', 2, { 5, 3 }, 0, 1 } }, NULL },
    { "embedding",
      { REAL("scale", 0.5), INT("row", 3) },
      { { 'I', 1, { 4 }, 5, 0 }, { 'F', 2, { 5, 3 }, 0, 1 } },
      NULL },
    { "fake_quant", { { 0 } }, { { 'F', 2, { 5, 64 }, 0, 1 } }, passes },
    { "fake_quant", { INT("scheme", 1), INT("bits", 4), INT("group", 16) }, { { 'F', 2, { 5, 64 }, 0, 1 } }, passes },
    { "fake_quant", { INT("bits", 4), INT("by_mean", 1) }, { { 'F', 2, { 5, 64 }, 0, 1 } }, passes },
    { "fake_quant", { INT("bits", 1) }, { { 'F', 2, { 5, 64 }, 0, 1 } }, passes },
    { "fake_quant", { INT("bits", 4), INT("full", 1) }, { { 'F', 2, { 5, 64 }, 0, 1 } }, passes },
    { "fake_quant", { INT("scheme", 4) }, { { 'F', 2, { 5, 64 }, 0, 1 } }, passes },
    { "fake_quant", { INT("bits", 4), REAL("scale", 0.25) }, { { 'F', 2, { 5, 64 }, 0, 2 } }, passes_inside },
    { "fake_quant",
      { INT("scheme", 1), INT("bits", 4), REAL("scale", 0.25), REAL("zero", 5) },
      { { 'F', 2, { 5, 64 }, 0, 2 } },
      passes_inside },
    { "flatten", { { 0 } }, { { 'F', 3, { 3, 4, 6 }, 0, 1 } }, NULL },
    { "gather", { { 0 } }, { { 'F', 2, { 5, 3 }, 0, 1 }, { 'I', 1, { 9 }, 5, 0 } }, NULL },
    { "gather", { { 0 } }, { { 'F', 1, { 6 }, 0, 1 }, { 'I', 2, { 2, 3 }, 4, 0 } }, NULL },
    { "geglu", { { 0 } }, { { 'F', 2, { 3, 20 }, 0, 1 }, { 'F', 2, { 3, 20 }, 0, 1 } }, NULL },
    { "gelu", { { 0 } }, { { 'F', 2, { 3, 20 }, 0, 2 } }, NULL },
    { "gelu", { INT("single", 1) }, { { 'F', 2, { 3, 20 }, 0, 2 } }, NULL },
    { "gelu", { INT("tanh", 1) }, { { 'F', 3, { 3, 20, 2 }, 0, 2 } }, NULL },
    { "gelu", { INT("tanh", 1), INT("single", 1) }, { { 'F', 2, { 3, 20 }, 0, 2 } }, NULL },
    { "hadamard", { INT("dim", 8) }, { { 'F', 2, { 3, 16 }, 0, 1 } }, NULL },
    { "hadamard", { INT("dim", 12), INT("transposed", 1) }, { { 'F', 2, { 3, 24 }, 0, 1 } }, NULL },
    { "kl_divergence", { REAL("temperature", 2) }, { { 'F', 2, { 5, 9 }, 0, 1 }, { 'F', 2, { 5, 9 }, 0, 1 } }, NULL },
    { "kl_divergence",
      { REAL("temperature", 1.5), INT("reverse", 1) },
      { { 'F', 2, { 3, 6 }, 0, 1 }, { 'F', 2, { 3, 6 }, 0, 1 } },
      NULL },
    { "layer_norm",
      { { 0 } },
      { { 'F', 2, { 5, 37 }, 0, 1 }, { 'F', 1, { 37 }, 0, 1 }, { 'F', 1, { 37 }, 0, 1 } },
      NULL },
    { "layer_norm", { REAL("eps", 0.1) }, { { 'F', 3, { 2, 3, 6 }, 0, 1 }, { 'F', 1, { 6 }, 0, 1 } }, NULL },
    { "lsq", { { 0 } }, { { 'F', 2, { 5, 30 }, 0, 2 }, { 'S', 1, { 1 }, 0, 0.3f } }, lsq_recipe },
    { "lsq",
      { INT("low", 0), INT("high", 15), REAL("factor", 1) },
      { { 'F', 2, { 5, 30 }, 0, 2 }, { 'S', 1, { 1 }, 0, 0.2f }, { 'F', 1, { 1 }, 0, 0.3f } },
      lsq_recipe },
    { "lsq",
      { INT("low", -8), INT("high", 7), REAL("factor", 1), INT("rounding", 0) },
      { { 'F', 2, { 5, 30 }, 0, 2 }, { 'S', 1, { 1 }, 0, 0.2f } },
      lsq_recipe },
    { "matmul", { { 0 } }, { { 'F', 2, { 3, 4 }, 0, 1 }, { 'F', 2, { 5, 4 }, 0, 1 }, { 'F', 1, { 5 }, 0, 1 } }, NULL },
    { "matmul", { { 0 } }, { { 'F', 3, { 2, 35, 21 }, 0, 1 }, { 'F', 2, { 19, 21 }, 0, 1 } }, NULL },
    { "matmul", { { 0 } }, { { 'F', 2, { 2, 90 }, 0, 1 }, { 'F', 2, { 70, 90 }, 0, 1 } }, NULL },
    { "matmul_low",
      { TEXT("as", "bf16"), INT("place", 3) },
      { { 'F', 2, { 37, 45 }, 0, 1 }, { 'F', 2, { 150, 45 }, 0, 1 }, { 'I', 1, { 1 }, 9, 0 } },
      bf16_recipe },
    { "max_pool", { { 0 } }, { { 'D', 4, { 1, 3, 4, 6 }, 0, 0.2f } }, NULL },
    { "max_pool", { INT("size", 3), INT("stride", 1) }, { { 'D', 4, { 2, 1, 5, 4 }, 0, 0.2f } }, NULL },
    { "mean", { { 0 } }, { { 'F', 2, { 5, 30 }, 0, 1 } }, NULL },
    { "mean", { INT("ignore", 1) }, { { 'F', 1, { 9 }, 0, 1 }, { 'I', 1, { 9 }, 3, 0 } }, NULL },
    { "moe_matmul",
      { { 0 } },
      { { 'F', 2, { 4, 5 }, 0, 1 }, { 'F', 3, { 3, 6, 5 }, 0, 1 }, { 'R', 2, { 4, 4 }, 3, 0 } },
      NULL },
    { "moe_matmul",
      { { 0 } },
      { { 'F', 3, { 4, 2, 5 }, 0, 1 },
        { 'F', 3, { 3, 6, 5 }, 0, 1 },
        { 'R', 2, { 4, 4 }, 3, 0 },
        { 'F', 1, { 3 }, 0, 1 } },
      NULL },
    { "moe_route", { INT("top", 2) }, { { 'D', 2, { 3, 6 }, 0, 0.2f } }, NULL },
    { "moe_route", { INT("top", 3), INT("norm", 0), REAL("scale", 2) }, { { 'D', 2, { 3, 5 }, 0, 0.2f } }, NULL },
    { "moe_sum", { { 0 } }, { { 'F', 3, { 4, 2, 6 }, 0, 1 }, { 'R', 2, { 4, 4 }, 3, 0 } }, NULL },
    { "pact", { { 0 } }, { { 'F', 2, { 5, 30 }, 0, 2 }, { 'S', 1, { 1 }, 0, 1.5f } }, pact_recipe },
    { "pareto", { INT("bits", 0) }, { { 'F', 2, { 5, 30 }, 0, 1 }, { 'S', 1, { 5 }, 0, 1 } }, pareto_recipe },
    { "pareto", { INT("bits", 1) }, { { 'F', 2, { 5, 30 }, 0, 1 }, { 'S', 1, { 5 }, 0, 0.7f } }, pareto_recipe },
    { "pareto", { INT("bits", 2) }, { { 'F', 2, { 5, 30 }, 0, 1 }, { 'S', 1, { 5 }, 0, 1 } }, pareto_recipe },
    { "pareto", { INT("bits", 4) }, { { 'F', 2, { 5, 30 }, 0, 1 }, { 'S', 1, { 5 }, 0, 0.1f } }, pareto_recipe },
    { "range_step",
      { REAL("factor", 0.1) },
      { { 'F', 2, { 5, 30 }, 0, 1 }, { 'F', 2, { 5, 30 }, 0, 1 }, { 'S', 1, { 1 }, 0, 0.9f } },
      step_recipe },
    { "range_step",
      { INT("group", 16) },
      { { 'F', 2, { 5, 30 }, 0, 1 }, { 'F', 2, { 5, 30 }, 0, 1 }, { 'S', 1, { 5 }, 0, 0.8f } },
      step_recipe },
    { "relu2glu", { { 0 } }, { { 'A', 2, { 3, 30 }, 0, 1 }, { 'F', 2, { 3, 30 }, 0, 1 } }, NULL },
    { "reshape", { { 0 } }, { { 'F', 2, { 30, 4 }, 0, 1 }, { 'K', 1, { 2 }, 0, 0 } }, NULL },
    { "rms_norm", { { 0 } }, { { 'F', 2, { 5, 37 }, 0, 1 }, { 'F', 1, { 37 }, 0, 1 } }, NULL },
    { "rms_norm", { REAL("eps", 0.1), INT("dim", 4) }, { { 'F', 2, { 3, 12 }, 0, 1 }, { 'F', 1, { 4 }, 0, 1 } }, NULL },
    { "rope", { INT("dim", 6) }, { { 'F', 2, { 4, 12 }, 0, 1 }, { 'F', 2, { 4, 6 }, 0, 1 } }, NULL },
    { "rope",
      { INT("dim", 6), INT("interleaved", 1) },
      { { 'F', 2, { 4, 12 }, 0, 1 }, { 'F', 2, { 4, 4 }, 0, 1 } },
      NULL },
    { "rope_table", { { 0 } }, { { 'T', 1, { 5 }, 5, 0 }, { 'P', 1, { 4 }, 0, 0.3f } }, NULL },
    { "rope_table", { REAL("scale", 1.2) }, { { 'T', 1, { 4 }, 2, 0 }, { 'P', 1, { 4 }, 0, 1 } }, NULL },
    { "scale", { REAL("by", 0.7) }, { { 'F', 2, { 3, 70 }, 0, 1 } }, NULL },
    { "ste_sign", { { 0 } }, { { 'F', 2, { 3, 30 }, 0, 2 } }, sign_recipe },
    { "softcap", { REAL("cap", 2) }, { { 'F', 2, { 3, 30 }, 0, 2 } }, NULL },
    { "softmax", { { 0 } }, { { 'F', 2, { 5, 9 }, 0, 1 } }, NULL },
    { "squared_error", { { 0 } }, { { 'F', 2, { 5, 9 }, 0, 1 }, { 'F', 2, { 5, 9 }, 0, 1 } }, NULL },
    { "squared_error", { { 0 } }, { { 'F', 1, { 9 }, 0, 1 }, { 'F', 1, { 9 }, 0, 1 } }, NULL },
    { "swiglu", { { 0 } }, { { 'F', 2, { 3, 30 }, 0, 1 }, { 'F', 2, { 3, 30 }, 0, 1 } }, NULL },
    { "ternary", { { 0 } }, { { 'F', 2, { 5, 30 }, 0, 1 } }, passes },
    { "keep_top", { INT("k", 4) }, { { 'F', 2, { 5, 9 }, 0, 1 } }, passes },
    { "trust", { INT("bits", 2) }, { { 'F', 2, { 5, 64 }, 0, 1 } }, trust_recipe },
    { "trust", { INT("scheme", 1) }, { { 'F', 2, { 5, 64 }, 0, 1 } }, trust_recipe },
    { "type_quant", { { 0 } }, { { 'F', 2, { 5, 64 }, 0, 1 } }, passes },
    { "type_quant", { TEXT("type", "TQ2_0") }, { { 'F', 2, { 3, 256 }, 0, 1 } }, passes },
    { "type_quant",
      { TEXT("type", "NVFP4"), REAL("top", 2688) },
      { { 'F', 2, { 3, 64 }, 0, 1 }, { 'F', 2, { 2, 64 }, 0, 3 } },
      passes },
    { "type_quant", { TEXT("type", "INT4_T") }, { { 'F', 2, { 3, 40 }, 0, 1 } }, passes },
    { "type_quant", { TEXT("type", "NF4") }, { { 'F', 2, { 3, 128 }, 0, 1 } }, passes },
};

/* ---- the walk --------------------------------------------------------------------------------------- */

static size_t count_of(const operand *o)
{
    size_t n = 1;
    for (uint32_t i = 0; i < o->dims; i++) n *= (size_t)o->shape[i];
    return n;
}

static void fill_numbers(const operand *o, float *x, size_t n, uint64_t seed)
{
    test_fill(x, n, seed, o->size);
    const int64_t top = o->shape[1] / 2;
    for (size_t i = 0; i < n; i++) {
        if (o->kind == 'A') x[i] += x[i] > 0 ? 0.15f : -0.15f;
        if (o->kind == 'P') x[i] = fabsf(x[i]) + 0.5f;
        if (o->kind == 'S') x[i] = o->size * (1 + 0.1f * (float)(i % 3));
        if (o->kind == 'D') x[i] = o->size * (float)((i * 7 + 3) % n) - 1;
        if (o->kind == 'R' && (int64_t)i % o->shape[1] < top)
            x[i] = (float)(((int64_t)i / o->shape[1] + (int64_t)i % o->shape[1]) % o->most);
        else if (o->kind == 'R') x[i] = 0.3f + 0.2f * (float)(i % 3);
    }
}

/* The value of an input, and its data. */
static precis_value make_input(precis_graph *g, const operand *o, void **data, uint64_t seed)
{
    static const int64_t shape[2] = { 24, 5 };
    const size_t n = count_of(o);
    *data = calloc(n + 16, 8);
    if (o->kind == 'K') {
        memcpy(*data, shape, sizeof shape);
        return pcs_graph_codes(g, "k", &(pcs_code_value){ PCS_I64, 1, o->shape, *data, &(pcs_affine){ 0 } });
    }
    if (strchr("BZG", o->kind)) {
        const bool truth = o->kind == 'B';
        for (size_t i = 0; i < n; i++)
            if (truth) ((uint8_t *)*data)[i] = i % 3 != 1;
            else ((float *)*data)[i] = o->kind == 'G' ? i >= n / 2 : i < 2 ? 1 : o->size;
        const pcs_dtype dtype = truth ? PCS_BOOL : PCS_F32;
        return pcs_graph_codes(g, "k", &(pcs_code_value){ dtype, o->dims, o->shape, *data, &(pcs_affine){ 0 } });
    }
    int32_t *whole = *data;
    for (size_t i = 0; i < n; i++)
        whole[i] = o->kind == 'I'   ? (int32_t)(i * 5 + 1) % o->most
                   : o->kind == 'Q' ? (int32_t)i / o->most
                                    : (int32_t)i % (o->most + !o->most);
    if (strchr("IQT", o->kind)) return pcs_graph_input_i32(g, "ids", o->dims, o->shape);
    fill_numbers(o, *data, n, seed);
    return precis_graph_input(g, "x", o->dims, o->shape);
}

typedef struct {
    const pcs_op *op;
    pcs_call call;
    pcs_arg in[MOST_IN], out[4];
    float *d[4], *grad[MOST_IN];
    pcs_grads grads;
} bench;

static void eval_on(void *arg, uint32_t ith, uint32_t nth)
{
    bench *b = arg;
    b->op->eval(&b->call, ith, nth);
}

static void back_on(void *arg, uint32_t ith, uint32_t nth)
{
    bench *b = arg;
    b->op->backward(&b->call, &b->grads, ith, nth);
}

static void eval(bench *b, precis_ctx *ctx)
{
    if (b->op->view) memcpy(b->out[0].data, b->in[0].data, (size_t)pcs_arg_count(&b->out[0]) * 4);
    else pcs_run(ctx, eval_on, b);
}

static double loss(bench *b, precis_ctx *ctx)
{
    eval(b, ctx);
    double sum = 0;
    for (int64_t j = 0; j < pcs_arg_count(&b->out[0]); j++)
        sum += (double)b->d[0][j] * ((const float *)b->out[0].data)[j];
    return sum;
}

/* Extrapolated from h and h / 2 (Richardson). */
static double difference(bench *b, precis_ctx *ctx, float *x)
{
    double slope[2];
    const float keep = *x;
    for (int s = 0; s < 2; s++) {
        const float h = s ? 0.03125f : 0.0625f;
        *x = keep + h;
        const float up = *x;
        const double above = loss(b, ctx);
        *x = keep - h;
        slope[s] = (above - loss(b, ctx)) / ((double)up - (double)*x);
    }
    *x = keep;
    return (4 * slope[1] - slope[0]) / 3;
}

static void open_case(precis_ctx *ctx, precis_graph *g, const gradient_case *t, bench *b, uint64_t seed)
{
    precis_value in[MOST_IN];
    void *data[MOST_IN] = { NULL };
    uint32_t n = 0;
    for (; n < MOST_IN && t->in[n].kind; n++) in[n] = make_input(g, &t->in[n], &data[n], seed + n);
    const precis_value y = precis_graph_node(g, "y", t->op, t->attrs, n, in);
    OK(ctx, precis_graph_verify(g));
    const pcs_node *node = &g->nodes[g->values[y].node];
    b->op = node->op;
    for (uint32_t i = 0; i < n + node->n_out; i++) {
        const pcs_value *v = &g->values[i < n ? node->in[i] : node->out[i - n]];
        pcs_arg *a = i < n ? &b->in[i] : &b->out[i - n];
        *a = (pcs_arg){ .dtype = v->dtype, .dims = v->dims, .data = i < n ? data[i] : NULL };
        memcpy(a->shape, v->shape, sizeof v->shape);
        if (i >= n) a->data = calloc((size_t)pcs_arg_count(a) + 16, 8);
        const bool wanted = i < n && v->dtype == PCS_F32 && !strchr("ZG", t->in[i].kind);
        if (wanted) b->grad[i] = calloc((size_t)pcs_arg_count(a) + 1, 4);
    }
    static pcs_kernels kernels;
    kernels = pcs_kernels_for(ctx->cpu);
    b->call = (pcs_call){
        .ctx = ctx, .kernels = &kernels, .attr = node->attr, .n_in = n, .n_out = node->n_out, .in = b->in, .out = b->out
    };
    b->d[0] = calloc((size_t)pcs_arg_count(&b->out[0]) + 1, 4);
    test_fill(b->d[0], (size_t)pcs_arg_count(&b->out[0]), 99, 1.0f);
    /* What is no number of the result, as a route's experts, has no gradient. */
    if (!strcmp(t->op, "moe_route"))
        for (int64_t i = 0; i < pcs_arg_count(&b->out[0]); i++)
            if (i % b->out[0].shape[1] < b->out[0].shape[1] / 2) b->d[0][i] = 0;
    b->grads = (pcs_grads){ (const float *const *)b->d, b->grad };
    const size_t forward = b->op->scratch ? b->op->scratch(&b->call) : 0,
                 back = b->op->scratch_back ? b->op->scratch_back(&b->call) : 0;
    b->call.scratch_size = ((forward > back ? forward : back) + 127) / 64 * 64;
    b->call.scratch = aligned_alloc(64, b->call.scratch_size * 8);
    memset(b->call.scratch, 0xff, b->call.scratch_size * 8); /* NaN: nobody counts on zeros */
}

static void close_case(bench *b)
{
    for (uint32_t i = 0; i < b->call.n_in; i++) free(b->in[i].data), free(b->grad[i]);
    for (uint32_t i = 0; i < b->call.n_out; i++) free(b->out[i].data);
    free(b->d[0]);
    free(b->call.scratch);
}

static void compare(const gradient_case *t, size_t number, uint32_t input, int64_t k, double got, double want)
{
    if (!(fabs(want - got) <= TOLERANCE * (1 + fabs(want))))
        fail_msg("%s (case %zu): input %u, element %lld: gradient %g, not %g", t->op, number, input, (long long)k, got,
                 want);
}

static void check_values(precis_ctx *ctx, const gradient_case *t, size_t number, bench *b)
{
    double *want[MOST_IN] = { NULL };
    for (uint32_t i = 0; i < b->call.n_in; i++) want[i] = calloc((size_t)pcs_arg_count(&b->in[i]) + 1, sizeof **want);
    eval(b, ctx);
    if (t->recipe) t->recipe(&b->call, b->d[0], want);
    for (uint32_t i = 0; i < b->call.n_in; i++) {
        for (int64_t k = 0; b->grad[i] && k < pcs_arg_count(&b->in[i]); k++) {
            const bool route = t->in[i].kind == 'R' && k % t->in[i].shape[1] < t->in[i].shape[1] / 2;
            if (route) compare(t, number, i, k, b->grad[i][k], 0);
            else
                compare(t, number, i, k, b->grad[i][k],
                        t->recipe ? want[i][k] : difference(b, ctx, (float *)b->in[i].data + k));
        }
        free(want[i]);
    }
}

/* Gradients with so many threads, added to what is there already; the first time they are compared by value. */
static void run_case(uint32_t threads, const gradient_case *t, size_t number, float **first)
{
    precis_ctx *ctx = test_ctx(threads);
    precis_graph *g;
    OK(ctx, precis_graph_open(ctx, &g));
    bench b = { 0 };
    open_case(ctx, g, t, &b, 17 * number);
    eval(&b, ctx);
    pcs_run(ctx, back_on, &b);
    if (threads == 1) check_values(ctx, t, number, &b);
    eval(&b, ctx);
    pcs_run(ctx, back_on, &b);
    for (uint32_t i = 0; i < b.call.n_in; i++) {
        const size_t bytes = b.grad[i] ? (size_t)pcs_arg_count(&b.in[i]) * 4 : 0;
        if (threads == 1) first[i] = memcpy(malloc(bytes + 1), b.grad[i] ? (void *)b.grad[i] : (void *)"", bytes);
        else if (memcmp(first[i], b.grad[i] ? (void *)b.grad[i] : (void *)"", bytes))
            fail_msg("%s (case %zu): input %u: other bits with %u threads", t->op, number, i, threads);
    }
    /* An input whose gradient nobody wants is left alone. */
    for (uint32_t i = 0; i < b.call.n_in; i++) {
        float *const keep = b.grad[i];
        b.grad[i] = NULL;
        pcs_run(ctx, back_on, &b);
        b.grad[i] = keep;
    }
    close_case(&b);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

static void test_walk(void **state)
{
    (void)state;
    static const uint32_t threads[] = { 1, 2, 3, 7 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float *first[MOST_IN] = { NULL };
        for (size_t k = 0; k < 4; k++) run_case(threads[k], &cases[i], i, first);
        for (int k = 0; k < MOST_IN; k++) free(first[k]);
    }
}

/* Rounding hides no NaN: whoever trains sees it in the loss. */
static void test_nan(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!cases[i].recipe) continue;
        precis_ctx *ctx = test_ctx(1);
        precis_graph *g;
        OK(ctx, precis_graph_open(ctx, &g));
        bench b = { 0 };
        open_case(ctx, g, &cases[i], &b, i);
        ((float *)b.in[0].data)[3] = NAN;
        eval(&b, ctx);
        if (!isnan(((const float *)b.out[0].data)[3]))
            fail_msg("%s (case %zu) makes a number of a NaN", cases[i].op, i);
        close_case(&b);
        precis_graph_close(&g);
        precis_ctx_close(&ctx);
    }
}

/* Every row has a backward and cases, at least two where it has attributes, or says why not; straight through needs a
 * recipe. */
static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; pcs_ops[i]; i++) {
        const pcs_op *o = pcs_ops[i];
        size_t n = 0, recipes = 0;
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
            if (!strcmp(cases[k].op, o->name)) n++, recipes += cases[k].recipe != NULL;
        if (!o->backward && !o->not_differentiable) fail_msg("%s has neither backward nor a reason why not", o->name);
        if (o->backward && o->not_differentiable) fail_msg("%s has both backward and a reason why not", o->name);
        if (o->backward && !n) fail_msg("%s has a gradient that no case checks", o->name);
        if (o->straight_through != (recipes > 0) || (recipes && recipes < n))
            fail_msg("%s: its recipe, and nothing else, is compared", o->name);
        if (o->scratch_back && !o->backward) fail_msg("%s has scratch for a backward that it has not", o->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_walk),
                                        cmocka_unit_test(test_nan) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
