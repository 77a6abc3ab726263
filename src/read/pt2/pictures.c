/* pictures.c - resizing and sampling pictures. */
#include "read/pt2/aten.h"

#include "base/fmath_more.h"

/* Factors of the overloads that have an argument for each. */
static uint32_t scales_of(pcs_aten *c, uint32_t dims, double *out)
{
    static const char *const names[3][3] = { { "scales" },
                                             { "scales_h", "scales_w" },
                                             { "scales_d", "scales_h", "scales_w" } };
    uint32_t n = 0;
    for (; n < dims && pcs_arg_given(c, names[dims - 1][n]); n++) out[n] = pcs_arg_real(c, names[dims - 1][n]);
    return n;
}

/* The nearest element of dimension `axis`, as torch counts it in f32 (ATen/native/UpSample.h):
 * floor(i scale), of the exact kind floor((i + 1/2) scale). */
static precis_value nearest_along(pcs_aten *c, precis_value x, uint32_t axis, int64_t size, float scale, bool exact)
{
    if (x < 0 || pcs_failed(&c->n)) return -1;
    const int64_t d = pcs_of(&c->n, x)->shape[axis];
    int64_t *at = pcs_room(&c->n, (size_t)size, sizeof *at);
    for (int64_t i = 0; at && i < size; i++) {
        const float place = (exact ? (float)((double)i + 0.5) : (float)i) * scale;
        at[i] = (int64_t)pcs_m_floor((double)place);
        if (at[i] > d - 1) at[i] = d - 1;
    }
    if (!at) return -1;
    return pcs_make2(&c->n, "take", PRECIS_ATTRS(precis_attr_int("axis", axis)), x,
                     pcs_whole(&c->n, (uint32_t)size, at));
}

/* upsample_*.vec: to sizes or by factors, of which one is given; by factors,
 * places are by the factor that is given and not by the sizes' ratio
 * (ATen/native/UpSample.h). "with": "linear 2", "nearest 1", "cubic 2"; and
 * those overloads that take output_size and scales_h, scales_w have "!". */
void pcs_aten_resize(pcs_aten *c)
{
    const char *with = c->row->with;
    const bool nearest = with[0] == 'n', exact = with[0] == 'e', apart = strchr(with, '!') != NULL;
    const uint32_t dims = (uint32_t)(strpbrk(with, "123")[0] - '0');
    uint32_t ns = 0, nf = 0;
    precis_value x = pcs_arg_tensor(c, apart ? "self" : "input");
    const bool corners = !nearest && !exact && pcs_arg_flag(c, "align_corners");
    const int64_t *to = pcs_arg_ints(c, "output_size", &ns);
    double own[3];
    const double *factors = apart ? own : pcs_arg_reals(c, "scale_factors", &nf);
    if (x < 0 || !to || pcs_failed(&c->n)) return;
    if (apart) nf = scales_of(c, dims, own);
    const pcs_value v = *pcs_of(&c->n, x);
    if (v.dims != dims + 2 || (!ns && nf != dims) || (ns && ns != dims)) {
        pcs_wrong(&c->n, "takes x of %u dimensions, and %u sizes or factors", dims + 2, dims);
        return;
    }
    int64_t sizes[PCS_GRAPH_DIMS];
    float scales[PCS_GRAPH_DIMS], region[2 * PCS_GRAPH_DIMS] = { 0 };
    for (uint32_t i = 0; i < v.dims; i++) {
        sizes[i] = v.shape[i], scales[i] = 1, region[v.dims + i] = 1;
        if (i < 2) continue;
        const int64_t d = v.shape[i];
        if (pcs_dim_is_id(d) || (ns && pcs_dim_is_id(to[i - 2])) || d < 1) {
            pcs_refuse(&c->n, "resizes dimension %u, which has no size yet, or none", i);
            return;
        }
        const double f = nf == dims ? factors[i - 2] : 0, size = ns ? (double)to[i - 2] : pcs_m_floor((double)d * f);
        if (!(size >= 1) || size > 0x1p31 || (nf && !(f > 0))) {
            pcs_wrong(&c->n, "gives %g elements along dimension %u", size, i);
            return;
        }
        sizes[i] = (int64_t)size;
        scales[i] = nf == dims ? (float)f : (float)(size / (double)d);
    }
    for (uint32_t i = 2; i < v.dims && (nearest || exact); i++) {
        const float by = nf == dims ? (float)(1 / factors[i - 2]) : (float)v.shape[i] / (float)sizes[i];
        x = nearest_along(c, x, i, sizes[i], by, exact);
    }
    if (nearest || exact) {
        c->n.out[0] = x;
        return;
    }
    const int64_t k = v.dims, twice = 2 * k;
    const precis_attr attrs[] = {
        precis_attr_list("sizes", v.dims, sizes),
        precis_attr_text("mode", nearest || exact ? "nearest"
                                 : with[0] == 'l' ? "linear"
                                                  : "cubic"),
        precis_attr_text("coordinates", nearest   ? "asymmetric"
                                        : corners ? "align_corners"
                                                  : "half_pixel"),
        precis_attr_real("cubic", -0.75),
        { 0 },
    };
    x = pcs_make3(&c->n, "resize", attrs, pcs_f32(&c->n, x), pcs_data(&c->n, PCS_F32, 1, &k, scales),
                  pcs_data(&c->n, PCS_F32, 1, &twice, region));
    c->n.out[0] = pcs_as(&c->n, x, v.dtype);
}

void pcs_aten_grid_sample(pcs_aten *c)
{
    static const char *const modes[] = { "bilinear", "nearest", "bicubic" }, *const paddings[] = { "zeros", "border",
                                                                                                   "reflection" };
    const precis_value in[] = { pcs_arg_tensor(c, "input"), pcs_arg_tensor(c, "grid") };
    const int64_t mode = pcs_arg_int(c, "interpolation_mode"), padding = pcs_arg_int(c, "padding_mode");
    const bool align = pcs_arg_flag(c, "align_corners");
    if (in[0] < 0 || in[1] < 0 || pcs_failed(&c->n)) return;
    if (mode < 0 || mode > 2 || padding < 0 || padding > 2) {
        pcs_wrong(&c->n, "has mode %lld and padding %lld", (long long)mode, (long long)padding);
        return;
    }
    const precis_attr attrs[] = { precis_attr_text("mode", modes[mode]),
                                  precis_attr_text("padding_mode", paddings[padding]),
                                  precis_attr_int("align_corners", align),
                                  { 0 } };
    c->n.out[0] = PCS_BORROW(c, .raise = pcs_raise_grid_sample, .with = "", .attrs = attrs, .n_in = 2, .in = in);
}

/* Where each place of a picture comes from, by a matrix: theta[n, dims, dims + 1], size [n, channels, ...]. */
void pcs_aten_affine_grid(pcs_aten *c)
{
    const precis_value theta = pcs_arg_tensor(c, "theta");
    uint32_t count = 0;
    const int64_t *size = pcs_arg_ints(c, "size", &count);
    const precis_attr attrs[] = { precis_attr_int("align_corners", pcs_arg_flag(c, "align_corners")), { 0 } };
    if (theta < 0 || !size || pcs_failed(&c->n)) return;
    const precis_value in[] = { theta, pcs_whole(&c->n, count, size) };
    c->n.out[0] = PCS_BORROW(c, .raise = pcs_raise_affine_grid, .with = "", .attrs = attrs, .n_in = 2, .in = in);
}
