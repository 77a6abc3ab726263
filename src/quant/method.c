/* method.c - the table of methods, and quantizing one row. */
#include "quant/quant.h"

#include <strings.h>

#define METHOD(name) extern const pcs_method pcs_method_##name;
#include "quant/methods.def"
#undef METHOD

const pcs_method *const pcs_methods[] = {
#define METHOD(name) &pcs_method_##name,
#include "quant/methods.def"
#undef METHOD
    NULL,
};

const pcs_method *pcs_method_by_name(const char *name)
{
    for (size_t i = 0; name && pcs_methods[i]; i++)
        if (!strcasecmp(pcs_methods[i]->name, name)) return pcs_methods[i];
    return name ? NULL : pcs_methods[0];
}

void pcs_error_row(size_t n, const float *x, const float *y, const float *w, double *err, double *norm)
{
    double e[4] = { 0 }, s[4] = { 0 };
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - (double)y[i], wi = w ? (double)w[i] : 1.0;
        e[i & 3] += wi * d * d;
        s[i & 3] += wi * (double)x[i] * (double)x[i];
    }
    *err = (e[0] + e[1]) + (e[2] + e[3]);
    *norm = (s[0] + s[1]) + (s[2] + s[3]);
}

void pcs_quantize_row(const pcs_tensor *t, uint64_t row, const pcs_format *f, const pcs_method *method, const float *importance, float *scratch, uint8_t *dst,
                      double *err, double *norm)
{
    const size_t n = (size_t)t->ne[0];
    const uint64_t row_bytes = pcs_tensor_row_bytes(t);
    const uint8_t *src = t->data + row * row_bytes;
    if (f == t->format) {
        memcpy(dst, src, row_bytes);
        *err = 0;
        *norm = 1;
        return;
    }
    float *x = scratch, *y = scratch + n;
    pcs_decode(t->format, n, src, x);
    method->row(f, n, x, importance, dst);
    pcs_decode(f, n, dst, y);
    pcs_error_row(n, x, y, importance, err, norm);
}
