/* image.c - images by their first bytes, resized and cropped. */
#include "read/image.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>

#define IMAGE(name) extern const pcs_image_format pcs_image_##name;
#include "read/images.def"
#undef IMAGE
const pcs_image_format *const pcs_image_formats[] = {
#define IMAGE(name) &pcs_image_##name,
#include "read/images.def"
#undef IMAGE
    NULL,
};

precis_status pcs_image_new(precis_ctx *ctx, const char *name, uint64_t packed, uint64_t width, uint64_t height,
                            pcs_image *out)
{
    *out = (pcs_image){ 0 };
    if (!width || !height || width > PCS_IMAGE_SIDE || height > PCS_IMAGE_SIDE || width * height > PCS_IMAGE_PIXELS)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: is %llu x %llu pixels; at most 32,768 a side and 2^28 in all", name,
                        (unsigned long long)width, (unsigned long long)height);
    if (packed && width * height / 8256 > packed)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: claims %llu x %llu pixels in %llu bytes", name,
                        (unsigned long long)width, (unsigned long long)height, (unsigned long long)packed);
    if (!(out->rgb = pcs_alloc(ctx, (size_t)(width * height), 3))) return PRECIS_ENOMEM;
    out->width = (uint32_t)width;
    out->height = (uint32_t)height;
    return PRECIS_OK;
}

precis_status pcs_image_read(precis_ctx *ctx, const char *path, pcs_image *out)
{
    pcs_file f;
    *out = (pcs_image){ 0 };
    precis_status st = pcs_file_open(ctx, &f, path);
    if (st) return st;
    const pcs_image_format *format = NULL;
    for (size_t i = 0; pcs_image_formats[i] && !format; i++)
        if (pcs_image_formats[i]->is(f.map, (size_t)f.size)) format = pcs_image_formats[i];
    if (!format) st = pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: is no image that is read (PNG, JPEG)", path);
    else if (!format->decode) st = pcs_part_need(ctx, format->part, path);
    else st = format->decode(ctx, path, f.map, (size_t)f.size, out);
    pcs_file_close(ctx, &f);
    if (st) {
        pcs_free(ctx, out->rgb);
        *out = (pcs_image){ 0 };
    }
    return st;
}

static bool has_suffix(const char *name, const char *suffix, size_t n)
{
    const size_t len = strlen(name);
    if (len < n) return false;
    for (size_t i = 0; i < n; i++) {
        const char c = name[len - n + i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != suffix[i]) return false;
    }
    return true;
}

bool pcs_image_named(const char *name)
{
    for (size_t i = 0; pcs_image_formats[i]; i++)
        for (const char *s = pcs_image_formats[i]->suffixes; *s;) {
            const size_t n = strcspn(s, " ");
            if (has_suffix(name, s, n)) return true;
            s += n + (s[n] == ' ');
        }
    return false;
}

/* ---- resizing ------------------------------------------------------------------------------------
 * Pillow's ImagingResample: a triangle filter, as wide as the scale where the image is made smaller; weights of 22
 * bits; rows first, then columns, each rounded to bytes. */
enum { BITS = 22 };

typedef struct { size_t taps; uint32_t *first, *count; int32_t *weight; } filter;

static void filter_free(precis_ctx *ctx, filter *f)
{
    pcs_free(ctx, f->first);
    pcs_free(ctx, f->weight);
}

static precis_status filter_new(precis_ctx *ctx, filter *f, uint32_t in, uint32_t out)
{
    const double scale = (double)in / out, wide = scale < 1 ? 1 : scale;
    double sum, w;
    *f = (filter){ .taps = (size_t)ceil(wide) * 2 + 1 };
    f->first = pcs_alloc(ctx, out, 2 * sizeof *f->first);
    f->weight = pcs_alloc(ctx, out, f->taps * sizeof *f->weight);
    if (!f->first || !f->weight) {
        filter_free(ctx, f);
        return PRECIS_ENOMEM;
    }
    f->count = f->first + out;
    for (uint32_t i = 0; i < out; i++) {
        const double centre = (i + 0.5) * scale;
        int64_t begin = (int64_t)(centre - wide + 0.5), end = (int64_t)(centre + wide + 0.5);
        if (begin < 0) begin = 0;
        if (end > in) end = in;
        sum = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t x = begin; x < end; x++) {
                const double at = ((double)x - centre + 0.5) / wide, a = at < 0 ? -at : at;
                w = a < 1 ? 1 - a : 0;
                if (!pass) sum += w;
                else f->weight[i * f->taps + (size_t)(x - begin)] =
                    (int32_t)(0.5 + (sum ? w / sum : w) * (1 << BITS));
            }
        f->first[i] = (uint32_t)begin;
        f->count[i] = (uint32_t)(end - begin);
    }
    return PRECIS_OK;
}

/* out[i] of n pixels, `step` bytes apart, of a line of pixels that are as far apart. */
static void filter_line(const filter *f, const uint8_t *in, uint8_t *out, uint32_t n, size_t step)
{
    for (uint32_t i = 0; i < n; i++) {
        const int32_t *w = f->weight + i * f->taps;
        const uint8_t *p = in + f->first[i] * step;
        for (int c = 0; c < 3; c++) {
            int64_t sum = 1 << (BITS - 1);
            for (uint32_t k = 0; k < f->count[i]; k++) sum += (int64_t)p[k * step + c] * w[k];
            sum >>= BITS;
            out[i * step + c] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
    }
}

precis_status pcs_image_resize(precis_ctx *ctx, const pcs_image *in, uint32_t width, uint32_t height, pcs_image *out)
{
    filter across = { 0 }, down = { 0 };
    pcs_image half = { 0 };
    *out = (pcs_image){ 0 };
    precis_status st = filter_new(ctx, &across, in->width, width);
    if (!st) st = filter_new(ctx, &down, in->height, height);
    if (!st) st = pcs_image_new(ctx, "a resized image", 0, width, in->height, &half);
    if (!st) st = pcs_image_new(ctx, "a resized image", 0, width, height, out);
    for (uint32_t y = 0; y < in->height && !st; y++)
        filter_line(&across, in->rgb + (size_t)y * in->width * 3, half.rgb + (size_t)y * width * 3, width, 3);
    for (uint32_t x = 0; x < width && !st; x++)
        filter_line(&down, half.rgb + (size_t)x * 3, out->rgb + (size_t)x * 3, height, (size_t)width * 3);
    filter_free(ctx, &across);
    filter_free(ctx, &down);
    pcs_free(ctx, half.rgb);
    return st;
}

bool pcs_image_crop(pcs_image *image, uint32_t width, uint32_t height)
{
    if (width > image->width || height > image->height) return false;
    /* torchvision rounds half to even */
    const uint32_t dx = image->width - width, dy = image->height - height;
    const uint32_t left = dx / 2 + (dx % 4 == 3), top = dy / 2 + (dy % 4 == 3);
    for (uint32_t y = 0; y < height; y++)
        memmove(image->rgb + (size_t)y * width * 3,
                image->rgb + ((size_t)(y + top) * image->width + left) * 3, (size_t)width * 3);
    image->width = width;
    image->height = height;
    return true;
}
