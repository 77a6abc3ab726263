/* gelu - x times the normal distribution function (Hendrycks and Gimpel 2016): exact by erf, or its tanh form. single:
 * f32 and what is narrower in f32 alone, which is quicker; else by way of f64, rounded once. */
#include "graph/op/gelu.h"
#include "base/fmath_more.h"
#include "graph/element.h"

enum { TANH, SINGLE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_dtype d = g->values[n->in[0]].dtype;
    if (!pcs_dtype_bytes(d) || pcs_dtype_whole(d)) return pcs_op_fail(g, n, "does not take %s", pcs_dtype_name(d));
    out->dtype = d;
    return pcs_infer_spread(g, n, 0, 1, out);
}

#define FORM(name, T, AS, expr) \
    static void name(const precis_attr *attr, size_t n, const void *const *in, void *out) \
    { \
        const T *restrict const from = in[0]; \
        T *restrict const to = out; \
        (void)attr; \
        for (size_t i = 0; i < n; i++) { \
            const AS x = (AS)from[i]; \
            to[i] = (T)(expr); \
        } \
    }
#define EXACT 0.5 * x * (1.0 + pcs_erf(x * 0.70710678118654752440))
#define BY_TANH 0.5 * x * (1 + pcs_m_tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)))
FORM(exact_f64, double, double, EXACT)
FORM(exact_f32, float, double, EXACT)
FORM(exact_single, float, float, 0.5f * x * (1.0f + pcs_m_erff(x * 0.70710678f)))
FORM(tanh_f64, double, double, BY_TANH)
FORM(tanh_f32, float, double, BY_TANH)
FORM(tanh_single, float, float, 0.5f * x * (1.0f + pcs_tanhf(0.79788456f * x * (1.0f + 0.044715f * x * x))))

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    static pcs_block_fn *const forms[2][3] = { { exact_f32, exact_single, exact_f64 },
                                               { tanh_f32, tanh_single, tanh_f64 } };
    const int how = pcs_domain_of(c->in[0].dtype) == PCS_IN_F64 ? 2 : c->attr[SINGLE].integer != 0;
    pcs_elementwise(c, ith, nth, forms[c->attr[TANH].integer != 0][how]);
}

/* Of the exact form: the distribution function, and x times its density. */
static float exact_slope(float x)
{
    const double density = 0.39894228040143267794 * pcs_exp(-0.5 * (double)x * x);
    return (float)(0.5 * (1.0 + pcs_erf((double)x * 0.70710678118654752440)) + (double)x * density);
}

static void slope(const precis_attr *attr, size_t n, const float *const *in, const float *made, float *out)
{
    float y;
    (void)made;
    for (size_t i = 0; i < n; i++)
        if (attr[TANH].integer != 0) pcs_gelu_tanh(in[0][i], &y, &out[i]);
        else out[i] = exact_slope(in[0][i]);
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    pcs_elementwise_back(c, g, ith, nth, (pcs_slope_fn *[]){ slope });
}

const pcs_op pcs_op_gelu = {
    .name = "gelu", .by_rows = true, .matrices_by_rows = true, .min_in = 1, .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("tanh", 0), PCS_INT("single", 0)), .infer = infer, .eval = eval,
    .backward = backward,
};
