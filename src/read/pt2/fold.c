/* fold.c - im2col and col2im (torch.nn.Unfold and Fold): windows of a picture as columns, and back. */
#include "read/pt2/aten.h"

#include "base/overflow.h"

typedef struct {
    int64_t kernel[2], dilation[2], padding[2], stride[2], size[2]; /* size: of the picture */
    int64_t turns[2], padded[2];
    bool without; /* a batch */
} folding;

static bool pair_of(pcs_aten *c, const char *name, int64_t least, int64_t *out)
{
    uint32_t count;
    const int64_t *v = pcs_arg_ints(c, name, &count);
    if (!v) return false;
    if (count != 1 && count != 2) return pcs_wrong(&c->n, "%s has %u numbers", name, count), false;
    for (uint32_t i = 0; i < 2; i++) {
        out[i] = v[count == 1 ? 0 : i];
        if (out[i] < least || out[i] > 1 << 15) return pcs_refuse(&c->n, "%s has %lld", name, (long long)out[i]), false;
    }
    return true;
}

static bool read_folding(pcs_aten *c, folding *o)
{
    return pair_of(c, "kernel_size", 1, o->kernel) && pair_of(c, "dilation", 1, o->dilation) &&
           pair_of(c, "padding", 0, o->padding) && pair_of(c, "stride", 1, o->stride);
}

static precis_value batched(pcs_aten *c, precis_value x, uint32_t dims, folding *o)
{
    static const int64_t first = 0;
    if (x < 0) return -1;
    o->without = pcs_of(&c->n, x)->dims + 1 == dims;
    return o->without ? pcs_unsqueezed(&c->n, x, 1, &first) : x;
}

static precis_value unbatched(pcs_aten *c, precis_value y, const folding *o)
{
    if (y < 0 || !o->without) return y;
    const pcs_value v = *pcs_of(&c->n, y);
    return pcs_shaped(&c->n, y, v.dims - 1, v.shape + 1);
}

void pcs_aten_im2col(pcs_aten *c)
{
    folding o = { .without = false };
    precis_value x = batched(c, pcs_arg_tensor(c, "self"), 4, &o);
    if (x < 0 || !read_folding(c, &o)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    if (v.dims != 4 || pcs_dim_is_id(v.shape[1]) || pcs_dim_is_id(v.shape[2]) || pcs_dim_is_id(v.shape[3])) {
        pcs_refuse(&c->n, "takes pictures of known sizes");
        return;
    }
    for (int i = 0; i < 2; i++) {
        o.padded[i] = v.shape[2 + i] + 2 * o.padding[i];
        const int64_t left = o.padded[i] - (o.dilation[i] * (o.kernel[i] - 1) + 1);
        if (left < 0) pcs_wrong(&c->n, "its window does not fit");
        o.turns[i] = left / o.stride[i] + 1;
    }
    const int64_t elements = o.kernel[0] * o.kernel[1];
    int64_t places, all;
    if (pcs_failed(&c->n) || !pcs_i64_mul(o.turns[0], o.turns[1], &places) || !pcs_i64_mul(elements, places, &all) ||
        all > 1 << 28) {
        pcs_refuse(&c->n, "has more than 2^28 places");
        return;
    }
    int64_t *at = pcs_room(&c->n, (size_t)all, sizeof *at),
            pads[8] = { 0, 0, o.padding[0], o.padding[1], 0, 0, o.padding[0], o.padding[1] };
    if (!at) return;
    for (int64_t e = 0; e < elements; e++)
        for (int64_t l = 0; l < places; l++)
            at[e * places + l] = (l / o.turns[1] * o.stride[0] + e / o.kernel[1] * o.dilation[0]) * o.padded[1] +
                                 l % o.turns[1] * o.stride[1] + e % o.kernel[1] * o.dilation[1];
    x = pcs_make2(&c->n, "pad", PRECIS_ATTRS(precis_attr_list("pads", 8, pads), precis_attr_text("mode", "constant")),
                  x, pcs_numbers(&c->n, v.dtype, 0));
    x = pcs_shaped(&c->n, x, 3, (const int64_t[]){ v.shape[0], v.shape[1], o.padded[0] * o.padded[1] });
    x = pcs_make2(&c->n, "take", PRECIS_ATTRS(precis_attr_int("axis", 2)), x, pcs_whole(&c->n, (uint32_t)all, at));
    c->n.out[0] =
        unbatched(c, pcs_shaped(&c->n, x, 3, (const int64_t[]){ v.shape[0], v.shape[1] * elements, places }), &o);
}

void pcs_aten_col2im(pcs_aten *c)
{
    folding o = { .without = false };
    const precis_value x = batched(c, pcs_arg_tensor(c, "self"), 3, &o);
    if (x < 0 || !pair_of(c, "output_size", 1, o.size) || !read_folding(c, &o)) return;
    const int64_t pads[] = { o.padding[0], o.padding[1], o.padding[0], o.padding[1] };
    const precis_value in[] = { x, pcs_whole(&c->n, 2, o.size), pcs_whole(&c->n, 2, o.kernel) };
    const precis_attr attrs[] = { precis_attr_list("strides", 2, o.stride),
                                  precis_attr_list("pads", 4, pads),
                                  precis_attr_list("dilations", 2, o.dilation),
                                  { 0 } };
    c->n.out[0] =
        unbatched(c, PCS_BORROW(c, .raise = pcs_raise_col2im, .with = "", .attrs = attrs, .n_in = 3, .in = in), &o);
}
