/* det - the determinant of each matrix of x[..., m, m]: ONNX's Det. By elimination with row exchanges, in f64. */
#include "base/fmath_more.h"
#include "graph/element.h"

#define MOST 1024 /* rows */

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    if ((x->dtype != PCS_F32 && x->dtype != PCS_F64) || x->dims < 2 || x->shape[x->dims - 1] != x->shape[x->dims - 2] ||
        pcs_dim_is_id(x->shape[x->dims - 1]) || x->shape[x->dims - 1] > MOST)
        return pcs_op_fail(g, n, "takes square matrices of at most %d rows, F32 or F64", MOST);
    out->dtype = x->dtype;
    out->dims = x->dims - 2;
    memcpy(out->shape, x->shape, out->dims * sizeof *out->shape);
    return PRECIS_OK;
}

static double determinant(double *a, int64_t m)
{
    double d = 1;
    for (int64_t k = 0; k < m; k++) {
        int64_t best = k;
        for (int64_t i = k + 1; i < m; i++)
            if (pcs_abs_(a[i * m + k]) > pcs_abs_(a[best * m + k])) best = i;
        for (int64_t j = k; j < m && best != k; j++) {
            const double t = a[k * m + j];
            a[k * m + j] = a[best * m + j];
            a[best * m + j] = t;
        }
        d *= best != k ? -a[k * m + k] : a[k * m + k];
        if (a[k * m + k] == 0) return d;
        for (int64_t i = k + 1; i < m; i++) {
            const double by = a[i * m + k] / a[k * m + k];
            for (int64_t j = k + 1; j < m; j++) a[i * m + j] -= by * a[k * m + j];
        }
    }
    return d;
}

static size_t scratch(const pcs_call *c)
{
    const size_t m = (size_t)pcs_arg_width(&c->in[0]);
    return m * m * sizeof(double);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0];
    const int64_t m = pcs_arg_width(x);
    double *a = (double *)(void *)(c->scratch + ith * c->scratch_size);
    for (int64_t i = ith; i < pcs_arg_count(&c->out[0]); i += nth) {
        for (int64_t k = 0; k < m * m; k++) a[k] = pcs_real_at(x, (size_t)(i * m * m + k));
        pcs_set_real(&c->out[0], (size_t)i, determinant(a, m));
    }
}

const pcs_op pcs_op_det = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "det",
    .min_in = 1,
    .max_in = 1,
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
};
