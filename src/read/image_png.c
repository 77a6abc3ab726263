/* image_png.c - PNG by libpng's simplified reader: 8 bits, without alpha (over black), in sRGB as it stands. */
#include "read/image.h"

#include "precis/part.h"

static bool is_png(const uint8_t *head, size_t n) { return n > 8 && !memcmp(head, "\x89PNG\r\n\x1a\n", 8); }

#if PCS_HAVE_PNG
#include <png.h>

#define PNG_CALLS(F) F(png_image_begin_read_from_memory) F(png_image_finish_read) F(png_image_free)
PRECIS_PART_FUNCTIONS("PNG", libpng, PNG_CALLS)

static precis_status decode_png(precis_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, pcs_image *out)
{
    png_image png = { .version = PNG_IMAGE_VERSION };
    const png_color black = { 0, 0, 0 };
    libpng lib;
    precis_status st = libpng_open(ctx, name, &lib);
    if (st) return st;
    if (!lib.png_image_begin_read_from_memory(&png, bytes, n))
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: is no sound PNG: %.100s", name, png.message);
    png.format = PNG_FORMAT_RGB;
    st = pcs_image_new(ctx, name, n, png.width, png.height, out);
    if (!st && !lib.png_image_finish_read(&png, &black, out->rgb, 0, NULL))
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: is no sound PNG: %.100s", name, png.message);
    lib.png_image_free(&png);
    return st;
}

const pcs_image_format pcs_image_png = {
    .name = "PNG", .suffixes = ".png", .is = is_png, .part = PCS_PART_PNG, .decode = decode_png
};
#else
const pcs_image_format pcs_image_png = { .name = "PNG", .suffixes = ".png", .is = is_png, .part = PCS_PART_PNG };
#endif
