/* onnx_arrays.h - tensors of onnx_model.h beside arrays that nets take and give. */
#ifndef TEST_ONNX_ARRAYS_H
#define TEST_ONNX_ARRAYS_H

#include "onnx_model.h"

#define PORTS 32

static inline size_t read_tensors(const char *s, onnx_tensor *out)
{
    size_t n = 0;
    while (onnx_peek(&s)) {
        assert_true(n < PORTS);
        onnx_read(&s, &out[n++]);
    }
    return n;
}

static inline void free_tensors(onnx_tensor *t, size_t n)
{
    for (size_t i = 0; i < n; i++) free(t[i].values);
}

/* An element of an array of the library, whose type is the tensor's. */
static inline double element(const onnx_tensor *t, const void *data, size_t i, int64_t *whole)
{
    const int bits = onnx_types[t->type].bits < 8 ? 8 : onnx_types[t->type].bits, type = onnx_types[t->type].type;
    const unsigned char *p = (const unsigned char *)data + i * (size_t)bits / 8;
    uint64_t u = 0;
    memcpy(&u, p, (size_t)bits / 8);
    *whole = 0;
    if (type == 1) return pcs_bits_f32((uint32_t)u);
    if (type == 10) return pcs_f16_to_f32((uint16_t)u);
    if (type == 16) return pcs_bf16_to_f32((uint16_t)u);
    if (type == 11) {
        double d;
        memcpy(&d, p, sizeof d);
        return d;
    }
    const bool sign = type == 3 || type == 5 || type == 6 || type == 22;
    *whole = sign && bits < 64 ? (int64_t)(u << (64 - bits)) >> (64 - bits) : (int64_t)u;
    return 0;
}

static inline bool same(double got, double want)
{
    if (got != got || want != want) return got != got && want != want;
    const double off = got > want ? got - want : want - got;
    return got == want || off <= 2e-6 + 2e-5 * (want < 0 ? -want : want);
}

/* Differences are said and counted, so that one run shows all of them. */
static int differences;

#define DIFFERS(...) (printf(__VA_ARGS__), printf("\n"), (void)differences++)

static inline void compare(const char *what, const char *how, const precis_array *got, const onnx_tensor *want)
{
    bool alike = got->dims == want->dims;
    for (uint32_t i = 0; i < want->dims && alike; i++) alike = got->shape[i] == want->shape[i];
    const int bits = onnx_types[want->type].bits;
    if (!alike || got->bytes != want->n * (size_t)(bits < 8 ? 8 : bits) / 8) {
        DIFFERS("%s (%s): %s has another shape or type (%s)", what, how, want->name, got->type);
        return;
    }
    for (size_t i = 0; i < want->n; i++) {
        int64_t whole;
        const double real = element(want, got->data, i, &whole);
        const bool equal = onnx_types[want->type].kind == 'i' ? whole == want->values[i].whole
                                                              : same(real, want->values[i].real);
        if (equal) continue;
        DIFFERS("%s (%s): %s[%zu] is %.9g %lld, not %.9g %lld", what, how, want->name, i, real, (long long)whole,
                want->values[i].real, (long long)want->values[i].whole);
        return;
    }
}

/* Elements as arrays of the library hold them: those of fewer than 8 bits one a byte. */
static inline onnx_bytes plain(const onnx_tensor *t)
{
    onnx_bytes raw = { 0 };
    for (size_t i = 0; i < t->n; i++)
        if (onnx_types[t->type].bits < 8) onnx_put(&raw, &(unsigned char){ (unsigned char)t->values[i].whole }, 1);
        else onnx_element(t, i, &raw);
    if (!raw.data) onnx_put(&raw, "", 0);
    return raw;
}

/* Inputs of a net, by their order; data is freed by who calls. */
static inline void onnx_inputs(precis_ctx *ctx, const precis_net *net, const onnx_tensor *t, size_t n, precis_array *in)
{
    for (size_t i = 0; i < n; i++) {
        precis_array port;
        const onnx_bytes data = plain(&t[i]);
        OK(ctx, precis_net_input(net, i, &port));
        in[i] = (precis_array){ .size = sizeof in[i], .name = t[i].name, .type = port.type, .dims = t[i].dims,
                                .data = data.data, .bytes = data.n };
        memcpy(in[i].shape, t[i].shape, sizeof in[i].shape);
    }
}

static inline void free_inputs(precis_array *in, size_t n)
{
    for (size_t i = 0; i < n; i++) free((void *)(uintptr_t)in[i].data);
}

#endif
