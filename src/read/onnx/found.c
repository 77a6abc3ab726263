/* found.c - Resize, and ops whose results are as large as contents say. */
#include "read/onnx/functions.h"

#include "base/fmath_more.h"

void pcs_raise_non_zero(pcs_onnx_node *n)
{
    if (pcs_constant(n, pcs_in(n, 0))) n->out[0] = pcs_make1(n, "where_not_zero", NULL, n->in[0]);
}

void pcs_raise_compress(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    int64_t axis = pcs_attr_int(n, "axis", 0), count = 1, flat = -1;
    if (x < 0 || !pcs_constant(n, pcs_in(n, 1))) return;
    const precis_value from = pcs_has_attr(n, "axis") ? x : pcs_shaped(n, x, 1, &flat);
    precis_value at = pcs_make1(n, "where_not_zero", NULL, n->in[1]);
    if (at < 0 || from < 0) return;
    count = pcs_of(n, at)->shape[1];
    if (pcs_of(n, at)->shape[0] != 1) {
        pcs_wrong(n, "its condition is no vector");
        return;
    }
    at = pcs_shaped(n, at, 1, &count);
    n->out[0] = pcs_make2(n, "take", PRECIS_ATTRS(precis_attr_int("axis", axis)), from, at);
}

void pcs_raise_unique(pcs_onnx_node *n)
{
    const int64_t axis = pcs_has_attr(n, "axis") ? pcs_attr_int(n, "axis", 0) : -1000,
                  sorted = pcs_attr_int(n, "sorted", 1);
    if (!pcs_constant(n, pcs_in(n, 0))) return;
    const precis_value y = pcs_make1(
        n, "unique", PRECIS_ATTRS(precis_attr_int("axis", axis), precis_attr_int("sorted", sorted)), n->in[0]);
    for (uint32_t i = 0; i < n->n_out && i < 4; i++) n->out[i] = pcs_second(n, y, i);
}

void pcs_raise_suppress(pcs_onnx_node *n)
{
    const int64_t center = pcs_attr_int(n, "center_point_box", 0);
    int64_t count = 1, none = 0;
    const int64_t *most = pcs_has(n, 2) ? pcs_contents(n, n->in[2], &count) : &none;
    const double overlap = pcs_has(n, 3) ? pcs_constant_real(n, n->in[3], 0) : 0,
                 score = pcs_has(n, 4) ? pcs_constant_real(n, n->in[4], 0) : -3.4e38;
    if (!pcs_constant(n, pcs_in(n, 0)) || !pcs_constant(n, pcs_in(n, 1)) || !most || count != 1) return;
    n->out[0] = pcs_make2(n, "suppress",
                          PRECIS_ATTRS(precis_attr_int("most", *most), precis_attr_real("overlap", overlap),
                                       precis_attr_real("score", score), precis_attr_int("center", center)),
                          n->in[0], n->in[1]);
}

/* ---- Resize ------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t dims;
    float scales[PCS_GRAPH_DIMS], region[2 * PCS_GRAPH_DIMS];
    int64_t sizes[PCS_GRAPH_DIMS];
} target;

/* Element i of a constant, which has more than that. */
static float number(const pcs_value *v, int64_t i)
{
    const pcs_arg a = pcs_value_arg(v);
    return a.data && i < pcs_arg_count(&a) ? (float)pcs_real_at(&a, (size_t)i) : 0;
}

static bool filled(const pcs_onnx_node *n, uint32_t i)
{
    return pcs_has(n, i) && !(pcs_of(n, n->in[i])->dims == 1 && pcs_of(n, n->in[i])->shape[0] == 0);
}

/* Sizes that keep the aspect of the axes: the smallest or the largest scale for all. */
static bool keep_aspect(const pcs_value *x, target *t, const uint32_t *axes, uint32_t count, bool larger)
{
    double scale = 0;
    for (uint32_t i = 0; i < count; i++) {
        const double s = (double)t->sizes[axes[i]] / (double)x->shape[axes[i]];
        if (!i || (larger ? s > scale : s < scale)) scale = s;
    }
    for (uint32_t i = 0; i < count; i++) {
        const double size = pcs_m_floor(scale * (double)x->shape[axes[i]] + 0.5);
        if (!(size < 0x1p31)) return false;
        t->sizes[axes[i]] = (int64_t)size;
        t->scales[axes[i]] = (float)scale;
    }
    return true;
}

static bool read_target(pcs_onnx_node *n, const pcs_value *x, uint32_t scales, uint32_t sizes, target *t)
{
    uint32_t na, axes[PCS_GRAPH_DIMS];
    int64_t count = 0;
    const int64_t *given = pcs_attr_ints(n, "axes", &na);
    const char *policy = pcs_attr_text(n, "keep_aspect_ratio_policy", "stretch");
    const uint32_t k = na ? na : x->dims;
    t->dims = x->dims;
    if (k > x->dims) return pcs_wrong(n, "has %u axes", na), false;
    for (uint32_t i = 0; i < x->dims; i++)
        t->scales[i] = 1, t->region[i] = 0, t->region[x->dims + i] = 1, t->sizes[i] = x->shape[i];
    for (uint32_t i = 0; i < k; i++)
        if ((axes[i] = pcs_axis(na ? given[i] : i, x->dims)) == x->dims)
            return pcs_wrong(n, "has no axis %lld", (long long)given[i]), false;
    const bool by_size = sizes && filled(n, sizes);
    const int64_t *to = by_size ? pcs_contents(n, n->in[sizes], &count) : NULL;
    const pcs_value *by = by_size ? NULL : pcs_constant(n, pcs_in(n, scales)),
                    *roi = sizes && filled(n, 1) ? pcs_constant(n, n->in[1]) : NULL;
    if (pcs_failed(n) || (!to && !by)) return false;
    if (by && by->dtype != PCS_F32) return pcs_wrong(n, "its scales are %s", pcs_dtype_name(by->dtype)), false;
    if (by) count = by->dims == 1 ? by->shape[0] : 0;
    if (count != k || (roi && (roi->dims != 1 || roi->shape[0] != 2 * k)))
        return pcs_wrong(n, "has %lld scales or sizes for %u axes", (long long)count, k), false;
    for (uint32_t i = 0; i < k; i++) {
        const uint32_t a = axes[i];
        const int64_t d = x->shape[a];
        if (roi) t->region[a] = number(roi, i), t->region[x->dims + a] = number(roi, k + i);
        if (by) t->scales[a] = number(by, i);
        if (pcs_dim_is_id(d)) {
            const bool same = by ? t->scales[a] == 1 : to[i] == d && !strcmp(policy, "stretch");
            if (!same) return pcs_refuse(n, "resizes dimension %u, which has no size yet", a), false;
        } else if (by) {
            const double size = pcs_m_floor((double)t->scales[a] * (double)d);
            if (!(t->scales[a] > 0) || !(size < 0x1p31))
                return pcs_wrong(n, "scale %u is %g", i, (double)t->scales[a]), false;
            t->sizes[a] = (int64_t)size;
        } else {
            if (to[i] < 0 || pcs_dim_is_id(to[i]) || to[i] > (int64_t)1 << 31 || !d)
                return pcs_wrong(n, "size %u is %lld", i, (long long)to[i]), false;
            t->sizes[a] = to[i];
            t->scales[a] = (float)((double)to[i] / (double)d);
        }
    }
    const bool kept = !to || !strcmp(policy, "stretch") || keep_aspect(x, t, axes, k, !strcmp(policy, "not_smaller"));
    return kept || (pcs_wrong(n, "its sizes are too large"), false);
}

/* Resize, Upsample ("up": scales are input 1 or an attribute, places are counted from the first element). */
void pcs_raise_resize(pcs_onnx_node *n)
{
    precis_value x = pcs_in(n, 0);
    target t;
    const bool old = n->row->with[0] == 'u' || n->version < 11;
    const char *mode = pcs_attr_text(n, "mode", "nearest"),
               *where = pcs_attr_text(n, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
               *nearest = pcs_attr_text(n, "nearest_mode", old ? "floor" : "round_prefer_floor");
    const bool crops = !strncmp(where, "tf_crop", 7); /* to a region, beyond which there may be nothing */
    const double a = pcs_attr_real(n, "cubic_coeff_a", -0.75), nowhere = pcs_attr_real(n, "extrapolation_value", 0),
                 outside = crops ? nowhere : 0;
    const int64_t exclude = pcs_attr_int(n, "exclude_outside", 0) != 0, smooth = pcs_attr_int(n, "antialias", 0) != 0;
    if (x < 0) return;
    const pcs_value v = *pcs_of(n, x);
    if (!read_target(n, &v, old ? 1 : 2, old ? 0 : 3, &t)) return;
    if (v.dtype != PCS_U8 && v.dtype != PCS_I8) x = pcs_f32(n, x);
    const int64_t dims = v.dims, twice = 2 * dims;
    for (uint32_t i = 0; i < v.dims && !crops; i++) t.region[i] = 0, t.region[v.dims + i] = 1;
    const precis_value scales = pcs_data(n, PCS_F32, 1, &dims, t.scales),
                       region = pcs_data(n, PCS_F32, 1, &twice, t.region);
    const precis_attr attrs[] = {
        precis_attr_list("sizes", v.dims, t.sizes),
        precis_attr_text("mode", strcmp(mode, "bilinear") ? mode : "linear"),
        precis_attr_text("coordinates", where),
        precis_attr_text("nearest", nearest),
        precis_attr_real("cubic", a),
        precis_attr_int("outside", exclude),
        precis_attr_real("extrapolation", outside),
        precis_attr_int("antialias", smooth),
        { 0 },
    };
    n->out[0] = pcs_as(n, pcs_make3(n, "resize", attrs, x, scales, region), v.dtype);
}
