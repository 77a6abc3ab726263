/* signal.c - spectra, their windows, and ops that sample pictures. */
#include "read/onnx/functions.h"

#include "base/fmath_more.h"

static bool number_in(pcs_onnx_node *n, uint32_t i, int64_t *out)
{
    int64_t count = 0;
    const int64_t *v = pcs_contents(n, pcs_in(n, i), &count);
    if (!v || count != 1 || pcs_dim_is_id(*v)) return pcs_wrong(n, "input %u is not one number", i), false;
    *out = *v;
    return true;
}

void pcs_raise_dft(pcs_onnx_node *n)
{
    const bool inverse = pcs_attr_int(n, "inverse", 0) != 0, one_sided = pcs_attr_int(n, "onesided", 0) != 0;
    int64_t axis = n->version < 20 ? pcs_attr_int(n, "axis", 1) : -2, length = 0;
    const precis_value x = pcs_in(n, 0);
    if (x < 0 || (n->version >= 20 && pcs_has(n, 2) && !number_in(n, 2, &axis))) return;
    const pcs_value v = *pcs_of(n, x);
    const uint32_t a = pcs_axis(axis, v.dims);
    if (a == v.dims || pcs_dim_is_id(v.shape[a])) {
        pcs_refuse(n, "has no axis %lld of a known size", (long long)axis);
        return;
    }
    if (pcs_has(n, 1)) {
        if (!number_in(n, 1, &length)) return;
    } else length = inverse && one_sided ? 2 * (v.shape[a] - 1) : v.shape[a];
    const precis_value in = v.dtype == PCS_F64 ? x : pcs_f32(n, x);
    const precis_attr attrs[] = { precis_attr_int("axis", a),
                                  precis_attr_int("n", length),
                                  precis_attr_int("inverse", inverse),
                                  precis_attr_int("one_sided", one_sided),
                                  { 0 } };
    n->out[0] = pcs_as(n, pcs_make1(n, "fourier", attrs, in), v.dtype);
}

/* Frames of the signal, times the window, transformed: signal, step, window, length. */
void pcs_raise_stft(pcs_onnx_node *n)
{
    const bool one_sided = pcs_attr_int(n, "onesided", 1) != 0;
    precis_value x = pcs_f32(n, pcs_in(n, 0));
    int64_t step, length = 0;
    if (x < 0 || !number_in(n, 1, &step)) return;
    if (pcs_of(n, x)->dims == 2) x = pcs_unsqueezed(n, x, 1, (const int64_t[]){ 2 });
    const pcs_value v = *pcs_of(n, x);
    if (pcs_has(n, 3)) {
        if (!number_in(n, 3, &length)) return;
    } else if (pcs_has(n, 2)) length = pcs_of(n, n->in[2])->shape[0];
    if (v.dims != 3 || pcs_dim_is_id(v.shape[1]) || step < 1 || length < 1 || length > v.shape[1]) {
        pcs_wrong(n, "takes x[batch, length, parts], and frames that fit into it");
        return;
    }
    const int64_t frames = (v.shape[1] - length) / step + 1, shape[] = { frames, length };
    if (frames > (int64_t)1 << 28 || length > (int64_t)1 << 28 || frames * length > (int64_t)1 << 28) {
        pcs_refuse(n, "has %lld frames of %lld", (long long)frames, (long long)length);
        return;
    }
    int64_t *at = pcs_room(n, (size_t)(frames * length), sizeof *at);
    for (int64_t i = 0; at && i < frames * length; i++) at[i] = i / length * step + i % length;
    precis_value y =
        at ? pcs_make2(n, "take", PRECIS_ATTRS(precis_attr_int("axis", 1)), x, pcs_data(n, PCS_I64, 2, shape, at)) : -1;
    if (pcs_has(n, 2)) {
        const int64_t width = pcs_of(n, n->in[2])->shape[0];
        precis_value w = pcs_f32(n, n->in[2]);
        if (width != length) {
            pcs_refuse(n, "has a window of %lld for frames of %lld", (long long)width, (long long)length);
            return;
        }
        y = pcs_make2(n, "mul", NULL, y, pcs_shaped(n, w, 2, (const int64_t[]){ width, 1 }));
    }
    n->out[0] = pcs_as(n,
                       pcs_make1(n, "fourier",
                                 PRECIS_ATTRS(precis_attr_int("axis", 2), precis_attr_int("n", length),
                                              precis_attr_int("one_sided", one_sided)),
                                 y),
                       pcs_of(n, n->in[0])->dtype);
}

/* a - b cos(2 pi i / n) + c cos(4 pi i / n) of Hann, Hamming and Blackman. */
void pcs_raise_window(pcs_onnx_node *n)
{
    const double abc[3][3] = { { 0.5, 0.5, 0 }, { 25.0 / 46, 21.0 / 46, 0 }, { 0.42, 0.5, 0.08 } },
                 *w = abc[n->row->with[0] == 'b'   ? 2
                          : n->row->with[1] == 'm' ? 1
                                                   : 0];
    const int64_t type = pcs_attr_int(n, "output_datatype", 1), periodic = pcs_attr_int(n, "periodic", 1);
    pcs_dtype d;
    int64_t size;
    if (!number_in(n, 0, &size)) return;
    if (!pcs_onnx_dtype(type, &d) || size < 0 || size > 1 << 24) {
        pcs_wrong(n, "has %lld elements of data type %lld", (long long)size, (long long)type);
        return;
    }
    double *v = pcs_room(n, (size_t)size, sizeof *v);
    const double over = periodic ? (double)size : (double)size - 1;
    for (int64_t i = 0; v && i < size; i++) {
        const double a = over > 0 ? 6.28318530717958647692 * (double)i / over : 0;
        v[i] = w[0] - w[1] * pcs_m_cos(a) + w[2] * pcs_m_cos(2 * a);
    }
    n->out[0] = v ? pcs_as(n, pcs_data(n, PCS_F64, 1, &size, v), d) : -1;
}

void pcs_raise_mel(pcs_onnx_node *n)
{
    const int64_t type = pcs_attr_int(n, "output_datatype", 1);
    int64_t bins, length, rate;
    pcs_dtype d;
    if (!number_in(n, 0, &bins) || !number_in(n, 1, &length) || !number_in(n, 2, &rate)) return;
    const double from = 2595 * pcs_m_log(1 + pcs_constant_real(n, pcs_in(n, 3), 0) / 700) / 2.30258509299404568402,
                 to = 2595 * pcs_m_log(1 + pcs_constant_real(n, pcs_in(n, 4), 0) / 700) / 2.30258509299404568402;
    if (pcs_failed(n)) return;
    if (!pcs_onnx_dtype(type, &d) || bins < 1 || bins > 65536 || length < 1 || length > 1 << 24 || rate < 1) {
        pcs_wrong(n, "has %lld bins of %lld", (long long)bins, (long long)length);
        return;
    }
    const int64_t rows = length / 2 + 1, shape[] = { rows, bins };
    double *v = pcs_room(n, (size_t)(rows * bins), sizeof *v);
    int64_t *edge = pcs_room(n, (size_t)bins + 2, sizeof *edge);
    for (int64_t i = 0; edge && i < bins + 2; i++) {
        const double hertz = 700 * (pcs_exp(((double)i * (to - from) / (double)(bins + 2) + from) / 2595 *
                                            2.30258509299404568402) -
                                    1),
                     at = pcs_m_floor((double)(length + 1) * hertz / (double)rate);
        edge[i] = !(at > 0) ? 0 : at > (double)(rows - 1) ? rows - 1 : (int64_t)at;
    }
    for (int64_t i = 0; v && edge && i < bins; i++) {
        const int64_t l = edge[i], c = edge[i + 1], h = edge[i + 2];
        if (l == c) v[c * bins + i] = 1;
        for (int64_t j = l; j <= c && l != c; j++) v[j * bins + i] = (double)(j - l) / (double)(c - l);
        for (int64_t j = c; j < h; j++) v[j * bins + i] = (double)(h - j) / (double)(h - c);
    }
    n->out[0] = v && edge ? pcs_as(n, pcs_data(n, PCS_F64, 2, shape, v), d) : -1;
}

/* ---- pictures ----------------------------------------------------------------------------------- */

void pcs_raise_grid_sample(pcs_onnx_node *n)
{
    const char *mode = pcs_attr_text(n, "mode", "linear"), *padding = pcs_attr_text(n, "padding_mode", "zeros");
    const int64_t align = pcs_attr_int(n, "align_corners", 0);
    const precis_value x = pcs_in(n, 0);
    if (x < 0) return;
    mode = !strcmp(mode, "bilinear") ? "linear" : !strcmp(mode, "bicubic") ? "cubic" : mode;
    n->out[0] = pcs_as(n,
                       pcs_make2(n, "sample",
                                 PRECIS_ATTRS(precis_attr_text("mode", mode), precis_attr_text("padding", padding),
                                              precis_attr_int("align", align)),
                                 pcs_f32(n, x), pcs_f32(n, pcs_in(n, 1))),
                       pcs_of(n, x)->dtype);
}

/* Places from -1 to 1 of each dimension, the last first, and a one after them: times theta. */
void pcs_raise_affine_grid(pcs_onnx_node *n)
{
    const bool align = pcs_attr_int(n, "align_corners", 0) != 0;
    const precis_value theta = pcs_f32(n, pcs_in(n, 0));
    int64_t count = 0, places = 1;
    const int64_t *size = pcs_contents(n, pcs_in(n, 1), &count);
    if (theta < 0 || !size) return;
    if (count != 4 && count != 5) {
        pcs_wrong(n, "takes a size of 4 or 5 dimensions");
        return;
    }
    const uint32_t dims = (uint32_t)count - 2;
    for (uint32_t i = 0; i < dims; i++)
        if (pcs_dim_is_id(size[2 + i]) || size[2 + i] < 1 || size[2 + i] > (int64_t)1 << 28 ||
            (places *= size[2 + i]) > (int64_t)1 << 28) {
            pcs_wrong(n, "dimension %u is %lld", i + 2, (long long)size[2 + i]);
            return;
        }
    float *v = pcs_room(n, (size_t)places * (dims + 1), sizeof *v);
    for (int64_t p = 0; v && p < places; p++) {
        int64_t rest = p;
        for (uint32_t k = dims; k-- > 0; rest /= size[2 + k]) {
            const double d = (double)size[2 + k], i = (double)(rest % size[2 + k]);
            v[(dims - 1 - k) * places + p] = (float)(align ? (d > 1 ? -1 + 2 * i / (d - 1) : 0) : (2 * i + 1) / d - 1);
        }
        v[dims * places + p] = 1;
    }
    const int64_t shape[] = { dims + 1, places };
    const precis_value y =
        v ? pcs_swapped(n, pcs_make2(n, "product", NULL, theta, pcs_data(n, PCS_F32, 2, shape, v))) : -1;
    int64_t out[5] = { size[0] };
    for (uint32_t i = 0; i < dims; i++) out[1 + i] = size[2 + i];
    out[1 + dims] = dims;
    n->out[0] = pcs_as(n, pcs_shaped(n, y, dims + 2, out), pcs_of(n, n->in[0])->dtype);
}

void pcs_raise_roi_align(pcs_onnx_node *n)
{
    const char *mode = pcs_attr_text(n, "mode", "avg"),
               *where = pcs_attr_text(n, "coordinate_transformation_mode",
                                      n->version < 16 ? "output_half_pixel" : "half_pixel");
    const int64_t h = pcs_attr_int(n, "output_height", 1), w = pcs_attr_int(n, "output_width", 1),
                  ratio = pcs_attr_int(n, "sampling_ratio", 0);
    const double scale = pcs_attr_real(n, "spatial_scale", 1);
    const precis_value x = pcs_in(n, 0);
    if (x < 0) return;
    if (strcmp(mode, "avg") && strcmp(mode, "max")) {
        pcs_wrong(n, "mode is %s", mode);
        return;
    }
    const precis_attr attrs[] = { precis_attr_int("height", h),
                                  precis_attr_int("width", w),
                                  precis_attr_int("ratio", ratio),
                                  precis_attr_real("scale", scale),
                                  precis_attr_int("max", mode[0] == 'm'),
                                  precis_attr_int("half", !strcmp(where, "half_pixel")),
                                  { 0 } };
    n->out[0] = pcs_as(
        n, pcs_make3(n, "roi_align", attrs, pcs_f32(n, x), pcs_f32(n, pcs_in(n, 1)), pcs_as(n, pcs_in(n, 2), PCS_I64)),
        pcs_of(n, x)->dtype);
}

/* Elements put where they stood before they were chosen; what is larger than asked for is padded behind. */
void pcs_raise_max_unpool(pcs_onnx_node *n)
{
    uint32_t nk, ns, np;
    const int64_t *kernel = pcs_attr_ints(n, "kernel_shape", &nk), *strides = pcs_attr_ints(n, "strides", &ns),
                  *pads = pcs_attr_ints(n, "pads", &np);
    const precis_value x = pcs_in(n, 0), at = pcs_in(n, 1);
    int64_t shape[PCS_GRAPH_DIMS], flat = -1, count = 1, more[2 * PCS_GRAPH_DIMS] = { 0 };
    bool larger = false;
    if (x < 0 || at < 0) return;
    const pcs_value v = *pcs_of(n, x);
    if (v.dims < 3 || nk != v.dims - 2 || (ns && ns != nk) || (np && np != 2 * nk)) {
        pcs_wrong(n, "takes x[batch, channels, ...] and a kernel of its last dimensions");
        return;
    }
    for (uint32_t i = 0; i < v.dims; i++) {
        if (pcs_dim_is_id(v.shape[i])) {
            pcs_refuse(n, "dimension %u has no size yet", i);
            return;
        }
        const bool odd =
            i >= 2 &&
            (kernel[i - 2] < 1 || kernel[i - 2] > 1 << 20 || (ns && (strides[i - 2] < 1 || strides[i - 2] > 1 << 20)) ||
             (np && (pads[i - 2] < 0 || pads[i - 2] > 1 << 20 || pads[nk + i - 2] < 0 || pads[nk + i - 2] > 1 << 20)));
        if (odd) {
            pcs_wrong(n, "has a window that is none in dimension %u", i);
            return;
        }
        shape[i] = i < 2 ? v.shape[i]
                         : (v.shape[i] - 1) * (ns ? strides[i - 2] : 1) - (np ? pads[i - 2] + pads[nk + i - 2] : 0) +
                               kernel[i - 2];
        if (shape[i] < 0 || shape[i] > (int64_t)1 << 31 || (count *= shape[i]) > (int64_t)1 << 31) {
            pcs_wrong(n, "dimension %u of the result is %lld", i, (long long)shape[i]);
            return;
        }
    }
    const precis_value none =
        pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", 1, &count)), pcs_numbers(n, v.dtype, 0));
    precis_value y = pcs_make3(n, "put_each", NULL, none, pcs_shaped(n, at, 1, &flat), pcs_shaped(n, x, 1, &flat));
    y = pcs_shaped(n, y, v.dims, shape);
    if (pcs_has(n, 2)) {
        const int64_t *to = pcs_contents(n, n->in[2], &count);
        if (!to || count != v.dims) {
            pcs_wrong(n, "output_shape has %lld numbers", (long long)count);
            return;
        }
        for (uint32_t i = 0; i < v.dims; i++)
            more[v.dims + i] = to[i] < 0 || to[i] > (int64_t)1 << 40
                                   ? pcs_wrong(n, "output_shape has %lld", (long long)to[i])
                                   : to[i] - shape[i],
                          larger = larger || more[v.dims + i];
        if (larger)
            y = pcs_make2(n, "pad", PRECIS_ATTRS(precis_attr_list("pads", 2 * v.dims, more)), y,
                          pcs_numbers(n, v.dtype, 0));
    }
    n->out[0] = y;
}
