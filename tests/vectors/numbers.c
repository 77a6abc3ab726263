/* numbers.c - families of casts, scales, stochastic rounding and products of few bits. */
#include "base/fmath.h"
#include "base/builtins.h"
#include "graph/op/round.h"
#include "graph/cast.h"
#include "train/int8.h"
#include "vectors.h"

#include <stdio.h>

static size_t width_of(const array *a) { return a->dims ? (size_t)a->shape[a->dims - 1] : 1; }

void family_fp8_cast(vec_case *c)
{
    const array x = input(c, "x");
    float *y = keep(c, x.n * sizeof *y);
    static const struct { const char *name; const pcs_element *e; bool saturate;
    } kinds[] = {
        { "e4m3", &pcs_e4m3, false },
        { "e5m2", &pcs_e5m2, false },
        { "e4m3_sat", &pcs_e4m3, true },
        { "e5m2_sat", &pcs_e5m2, true },
    };
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < x.n; i++) y[i] = pcs_cast(kinds[k].e, x.x[i], kinds[k].saturate);
        put_like(c, kinds[k].name, y, &x);
    }
}

void family_fp8_current(vec_case *c)
{
    const array x = input(c, "x");
    float *y = keep(c, x.n * sizeof *y);
    for (int power = 0; power < 2; power++) {
        const float s = pcs_scale_to(&pcs_e4m3, pcs_largest(x.x, x.n), 0, power);
        pcs_cast_scaled(&pcs_e4m3, x.x, y, x.n, s);
        put_number(c, power ? "scale_p2" : "scale", (double)s);
        put_like(c, power ? "y_p2" : "y", y, &x);
    }
}

void family_fp8_delayed(vec_case *c)
{
    const int64_t length = int_attr(c, "history"), margin = int_attr(c, "margin");
    pcs_delayed *d = keep(c, sizeof *d);
    if (length < 1 || length > 1024) refuse(c, "a history of %lld", (long long)length);
    d->length = (uint32_t)length;
    d->margin = (int)margin;
    float *scales = keep(c, 4096 * sizeof *scales);
    int64_t n = 0;
    for (char in[32], out[32]; snprintf(in, sizeof in, "x%lld", (long long)n), n < 4096 && has_input(c, in); n++) {
        char *name = keep(c, sizeof in);
        const array x = input(c, memcpy(name, in, sizeof in));
        float *y = keep(c, x.n * sizeof *y);
        scales[n] = pcs_delayed_scale(d, &pcs_e4m3);
        pcs_cast_scaled(&pcs_e4m3, x.x, y, x.n, scales[n]);
        pcs_delayed_see(d, pcs_largest(x.x, x.n));
        snprintf(out, sizeof out, "y%lld", (long long)n);
        put_like(c, out, y, &x);
    }
    put(c, "scales", scales, 1, &n);
}

void family_fp8_tile(vec_case *c)
{
    const array x = input(c, "x");
    const size_t k = width_of(&x), n = x.n / k, tiles = (k + 127) / 128;
    float *y = keep(c, x.n * sizeof *y), *scales = keep(c, n * tiles * sizeof *scales);
    pcs_cast_tiles(&pcs_e4m3, &(pcs_tiling){ n, k, 1, 128 }, x.x, y, scales);
    put_like(c, "y", y, &x);
    put(c, "scale", scales, 2, (const int64_t[]){ (int64_t)n, (int64_t)tiles });
}

static void nvfp4(vec_case *c, size_t rows)
{
    const array x = input(c, "x");
    const size_t k = width_of(&x), n = x.n / k;
    const int64_t shape[2] = { (int64_t)((n + rows - 1) / rows), (int64_t)((k + 15) / 16) };
    float *y = keep(c, x.n * sizeof *y), *scales = keep(c, (size_t)(shape[0] * shape[1]) * sizeof *scales);
    const float global = pcs_cast_nvfp4(x.x, y, n, k, rows, scales);
    put_like(c, "y", y, &x);
    put(c, "block_scale", scales, 2, shape);
    put_number(c, "global_scale", (double)global);
}

void family_nvfp4(vec_case *c) { nvfp4(c, 1); }
void family_nvfp4_2d(vec_case *c) { nvfp4(c, 16); }

/* The product stays when both operands are turned along what is summed. */
void family_rht16(vec_case *c)
{
    const array x = input(c, "x"), b = input(c, "b"), sign = input(c, "sign");
    const size_t n = sign.n, rows = x.n / n, columns = b.n / n;
    float *turned = keep(c, b.n * sizeof *turned), *back = keep(c, b.n * sizeof *back),
          *y = keep(c, rows * columns * sizeof *y);
    if (n & (n - 1) || b.shape[0] != (int64_t)n || width_of(&x) != n) refuse(c, "sizes do not agree");
    pcs_turn_signed(x.x, rows, n, sign.x);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < columns; j++) turned[j * n + i] = b.x[i * columns + j];
    pcs_turn_signed(turned, columns, n, sign.x);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < columns; j++) back[i * columns + j] = turned[j * n + i];
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < columns; j++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++) sum += (double)x.x[r * n + i] * back[i * columns + j];
            y[r * columns + j] = (float)sum;
        }
    put_like(c, "x_rotated", x.x, &x);
    put_like(c, "b_rotated", back, &b);
    put(c, "product", y, 2, (const int64_t[]){ (int64_t)rows, (int64_t)columns });
}

void family_mxfp4_floor(vec_case *c)
{
    const array x = input(c, "x");
    if (width_of(&x) % 32) refuse(c, "rows are not whole blocks of 32");
    float *y = keep(c, x.n * sizeof *y), *scales = keep(c, x.n / 32 * sizeof *scales);
    pcs_cast_mxfp4(x.x, y, x.n, scales);
    put_like(c, "y", y, &x);
    put(c, "scale", scales, 2, (const int64_t[]){ (int64_t)(x.n / width_of(&x)), (int64_t)(width_of(&x) / 32) });
}

void family_mxfp4_sr(vec_case *c)
{
    const array x = input(c, "x"), u = input(c, "u");
    if (width_of(&x) % 32 || u.n != x.n) refuse(c, "rows are not whole blocks of 32, or there is not a u for each");
    float *y = keep(c, x.n * sizeof *y);
    pcs_cast_mxfp4_stochastic(x.x, u.x, y, x.n);
    put_like(c, "y", y, &x);
}

void family_stochastic(vec_case *c)
{
    const array x = input(c, "x"), u = input(c, "u"), r = input(c, "r16");
    float *whole_numbers = keep(c, x.n * sizeof *whole_numbers), *bf16 = keep(c, x.n * sizeof *bf16);
    if (u.n != x.n || r.n != x.n) refuse(c, "there is not a random number for each");
    for (size_t i = 0; i < x.n; i++) {
        whole_numbers[i] = pcs_stochastic_whole(x.x[i], u.x[i]);
        bf16[i] = pcs_stochastic_bf16(x.x[i], (uint16_t)r.x[i]);
    }
    put_like(c, "to_int", whole_numbers, &x);
    put_like(c, "to_bf16", bf16, &x);
}

void family_stochastic_bias(vec_case *c)
{
    const array x = input(c, "x");
    const int64_t n = int_attr(c, "n");
    float *mean = keep(c, x.n * sizeof *mean), *var = keep(c, x.n * sizeof *var), *se = keep(c, x.n * sizeof *se);
    for (size_t i = 0; i < x.n; i++) {
        double sum = 0, again = 0;
        for (int64_t k = 0; k < n; k++) sum += pcs_stochastic_e2m1(x.x[i], pcs_uniform(7 + i, (uint64_t)k));
        for (int64_t k = 0; k < n; k++) again += pcs_stochastic_e2m1(x.x[i], pcs_uniform(7 + i, (uint64_t)k));
        if (sum != again) refuse(c, "two runs of one seed differ");
        const double low = pcs_stochastic_e2m1(x.x[i], 1), high = pcs_stochastic_e2m1(x.x[i], 0);
        const double spread = ((double)x.x[i] - low) * (high - (double)x.x[i]);
        mean[i] = (float)(sum / (double)n);
        var[i] = (float)spread;
        se[i] = (float)(4 * pcs_sqrt(spread / (double)n));
    }
    put_like(c, "mean", mean, &x);
    put_like(c, "var", var, &x);
    put_like(c, "four_se", se, &x);
}

static float *turned(vec_case *c, const array *a)
{
    const size_t n = (size_t)a->shape[0], k = (size_t)a->shape[1];
    float *t = keep(c, a->n * sizeof *t);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++) t[j * n + i] = a->x[i * k + j];
    return t;
}

void family_switchback(vec_case *c)
{
    const array x = input(c, "x"), w = input(c, "w"), dy = input(c, "dy");
    const size_t m = (size_t)x.shape[0], k = (size_t)x.shape[1], n = (size_t)w.shape[0];
    float *y = keep(c, m * n * sizeof *y), *dx = keep(c, x.n * sizeof *dx);
    check(c, pcs_switchback(c->ctx, &(pcs_product){ x.x, w.x, y, m, n, k }));
    check(c, pcs_switchback(c->ctx, &(pcs_product){ dy.x, turned(c, &w), dx, m, k, n }));
    put_like(c, "y", y, &dy);
    put_like(c, "dx", dx, &x);
    net wide; /* the product for dw keeps its bits: matmul's own gradient */
    open_net(c, &wide);
    const precis_value wp = param(c, &wide, "w"), p = NODE(&wide, "matmul", NULL, param(c, &wide, "x"), wp);
    run_net(c, &wide, p);
    back_net(c, &wide, p, dy.x);
    put_gradient(c, &wide, "dw", wp, "w");
    close_net(&wide);
}

void family_jetfire(vec_case *c)
{
    const array x = input(c, "x"), w = input(c, "w");
    const size_t m = (size_t)x.shape[0], k = (size_t)x.shape[1], n = (size_t)w.shape[0];
    float *y = keep(c, m * n * sizeof *y);
    check(c, pcs_jetfire(c->ctx, &(pcs_product){ x.x, w.x, y, m, n, k }));
    put(c, "y", y, 2, (const int64_t[]){ (int64_t)m, (int64_t)n });
    const array *const both[2] = { &x, &w };
    for (int i = 0; i < 2; i++) {
        const int64_t shape[2] = { (both[i]->shape[0] + 31) / 32, (both[i]->shape[1] + 31) / 32 };
        float *scales = keep(c, (size_t)(shape[0] * shape[1]) * sizeof *scales);
        const pcs_blocks blocks = { both[i]->x, (size_t)both[i]->shape[0], k, 32, 32 };
        pcs_int8_blocks(&blocks, keep(c, both[i]->n), scales);
        put(c, i ? "w_scale" : "x_scale", scales, 2, shape);
    }
}
