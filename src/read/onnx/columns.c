/* columns.c - Col2Im: columns of blocks added up into a picture of any number of dimensions. */
#include "read/onnx/functions.h"

typedef struct {
    uint32_t dims;
    int64_t image[4], block[4], strides[4], dilations[4], pads[8];
    int64_t padded[4], turns[4]; /* the picture with its pads, and places of a block */
    int64_t pixels, places, elements;
} columns;

static bool list_of(pcs_onnx_node *n, const char *name, uint32_t count, int64_t usual, int64_t *out)
{
    uint32_t given;
    const int64_t *v = pcs_attr_ints(n, name, &given);
    if (given && given != count) return pcs_wrong(n, "%s has %u numbers, not %u", name, given, count), false;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = given ? v[i] : usual;
        if (out[i] < (usual ? 1 : 0) || out[i] > 1 << 20)
            return pcs_wrong(n, "%s has %lld", name, (long long)out[i]), false;
    }
    return true;
}

static bool read_columns(pcs_onnx_node *n, columns *o)
{
    int64_t ni, nb;
    const int64_t *image = pcs_contents(n, pcs_in(n, 1), &ni),
                  *block = image ? pcs_contents(n, pcs_in(n, 2), &nb) : NULL;
    if (!block) return false;
    if (ni < 1 || ni > 4 || nb != ni)
        return pcs_refuse(n, "has pictures of %lld dimensions and blocks of %lld", (long long)ni, (long long)nb), false;
    o->dims = (uint32_t)ni;
    if (!list_of(n, "strides", o->dims, 1, o->strides) || !list_of(n, "dilations", o->dims, 1, o->dilations) ||
        !list_of(n, "pads", 2 * o->dims, 0, o->pads))
        return false;
    o->pixels = o->places = o->elements = 1;
    for (uint32_t i = 0; i < o->dims; i++) {
        o->image[i] = image[i], o->block[i] = block[i];
        if (image[i] < 1 || image[i] > 1 << 20 || block[i] < 1 || block[i] > 1 << 20)
            return pcs_wrong(n, "size %u is %lld, and of the block %lld", i, (long long)image[i], (long long)block[i]),
                   false;
        o->padded[i] = image[i] + o->pads[i] + o->pads[o->dims + i];
        const int64_t left = o->padded[i] - (o->dilations[i] * (block[i] - 1) + 1);
        if (left < 0) return pcs_wrong(n, "its block does not fit along dimension %u", i), false;
        o->turns[i] = left / o->strides[i] + 1;
        o->pixels *= o->padded[i], o->places *= o->turns[i], o->elements *= block[i];
        if (o->pixels > PCS_LIMIT_NET_ELEMENTS || o->places > PCS_LIMIT_NET_ELEMENTS || o->elements > 1 << 20)
            return pcs_refuse(n, "has more than 2^31 elements"), false;
    }
    if (o->places * o->elements > PCS_LIMIT_NET_ELEMENTS / 8) return pcs_refuse(n, "has more than 2^28 places"), false;
    return true;
}

/* The pixel that element e of the block meets at place l. */
static int64_t pixel(const columns *o, int64_t e, int64_t l)
{
    int64_t at = 0, stride = 1;
    for (uint32_t i = o->dims; i-- > 0;) {
        at += ((l % o->turns[i]) * o->strides[i] + (e % o->block[i]) * o->dilations[i]) * stride;
        stride *= o->padded[i];
        l /= o->turns[i], e /= o->block[i];
    }
    return at;
}

void pcs_raise_col2im(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    columns o = { 0 };
    if (x < 0 || !read_columns(n, &o)) return;
    const pcs_value v = *pcs_of(n, x);
    if (v.dims != 3 || pcs_dim_is_id(v.shape[1]) || v.shape[1] % o.elements || v.shape[2] != o.places) {
        pcs_wrong(n, "takes x[batch, channels * %lld, %lld]", (long long)o.elements, (long long)o.places);
        return;
    }
    const int64_t channels = v.shape[1] / o.elements, all = o.elements * o.places,
                  flat[] = { v.shape[0], channels, all }, blank[] = { v.shape[0], channels, o.pixels };
    int64_t *at = pcs_room(n, (size_t)all, sizeof *at);
    if (!at) return;
    for (int64_t e = 0; e < o.elements; e++)
        for (int64_t l = 0; l < o.places; l++) at[e * o.places + l] = pixel(&o, e, l);
    const precis_value ids = pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", 3, flat)),
                                       pcs_whole(n, (uint32_t)all, at)),
                       none = pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", 3, blank)),
                                        pcs_numbers(n, v.dtype, 0));
    precis_value y = pcs_make3(n, "put_each", PRECIS_ATTRS(precis_attr_int("axis", 2), precis_attr_text("how", "add")),
                               none, ids, pcs_shaped(n, x, 3, flat));
    int64_t shape[6] = { v.shape[0], channels };
    for (uint32_t i = 0; i < o.dims; i++) shape[2 + i] = o.padded[i];
    y = pcs_shaped(n, y, 2 + o.dims, shape);
    for (uint32_t i = 0; i < o.dims; i++)
        if (o.padded[i] != o.image[i]) y = pcs_part(n, y, 2 + i, o.pads[i], o.image[i]);
    n->out[0] = y;
}
