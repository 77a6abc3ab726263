/* weights.c - inputs that are weights: a NaN in one makes every result NaN, and no net means that. */
#include "read/onnx/functions.h"

/* The first element that is NaN; n: none is. */
static int64_t first_nan(const pcs_value *v, int64_t n)
{
    const pcs_arg a = pcs_value_arg(v);
    const uint32_t *bits = a.data;
    if (!a.data) return n;
    if (v->dtype == PCS_F32) {
        for (int64_t i = 0; i < n; i++)
            if ((bits[i] & 0x7fffffffu) > 0x7f800000u) return i;
        return n;
    }
    for (int64_t i = 0; i < n; i++) {
        const double x = pcs_real_at(&a, (size_t)i);
        if (x != x) return i;
    }
    return n;
}

precis_value pcs_weight_in(pcs_onnx_node *n, uint32_t i)
{
    const precis_value id = pcs_in(n, i);
    if (id < 0 || pcs_failed(n)) return id;
    const pcs_value *v = pcs_of(n, id);
    if (!pcs_value_is_known(v) || v->format || pcs_dtype_whole(v->dtype) || !pcs_dtype_bytes(v->dtype)) return id;
    int64_t count = 1;
    for (uint32_t k = 0; k < v->dims; k++) count *= v->shape[k];
    const int64_t at = first_nan(v, count);
    return at < count ? pcs_wrong(n, "element %lld of its weights %s is NaN", (long long)at, v->name) : id;
}
