/* image_png.c - PNG by libpng's simplified reader: red, green and blue as they stand in the file, 16 bits as the
 * nearest of 8. As in Pillow and what trains nets, alpha is left out, not laid over a colour, and what a file says of
 * gamma and profiles changes nothing. The reader does both by itself, so it gets the file's critical chunks alone. */
#include "read/image.h"

#include "precis/part.h"

static bool is_png(const uint8_t *head, size_t n) { return n > 8 && !memcmp(head, "\x89PNG\r\n\x1a\n", 8); }

#if PCS_HAVE_PNG
#include <png.h>

#define PNG_CALLS(F) F(png_image_begin_read_from_memory) F(png_image_finish_read) F(png_image_free)
PRECIS_PART_FUNCTIONS("PNG", libpng, PNG_CALLS)

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Chunks whose names begin with a capital letter, into `to`; how many bytes. A damaged file goes over as it is. */
static size_t critical_chunks(const uint8_t *bytes, size_t n, uint8_t *to)
{
    size_t at = 8, len = 8;
    memcpy(to, bytes, 8);
    while (n - at >= 12) {
        const uint32_t size = big_endian(bytes + at);
        if (size > n - at - 12) break;
        if (!(bytes[at + 4] & 32)) memcpy(to + len, bytes + at, size + 12), len += size + 12;
        at += size + 12;
    }
    memcpy(to + len, bytes + at, n - at);
    return len + (n - at);
}

/* Without the fourth channel, through a room of its own. */
static int finish_without_alpha(precis_ctx *ctx, const libpng *lib, png_image *png, pcs_image *out)
{
    const size_t pixels = (size_t)out->width * out->height;
    uint8_t *room = pcs_alloc(ctx, pixels + 1, 4);
    png->format = PNG_FORMAT_RGBA;
    const int done = room && lib->png_image_finish_read(png, NULL, room, 0, NULL);
    for (size_t i = 0; i < pixels && done; i++) memcpy(out->rgb + 3 * i, room + 4 * i, 3);
    pcs_free(ctx, room);
    return done;
}

static precis_status decode_png(precis_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, pcs_image *out)
{
    png_image png = { .version = PNG_IMAGE_VERSION };
    libpng lib;
    precis_status st = libpng_open(ctx, name, &lib);
    if (st) return st;
    uint8_t *plain = pcs_alloc(ctx, n + 1, 1);
    if (!plain) return PRECIS_ENOMEM;
    if (!lib.png_image_begin_read_from_memory(&png, plain, critical_chunks(bytes, n, plain)))
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: is no sound PNG: %.100s", name, png.message);
    const bool alpha = (png.format & PNG_FORMAT_FLAG_ALPHA) != 0;
    png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* they are taken for linear otherwise */
    if (!st) st = pcs_image_new(ctx, name, n, png.width, png.height, out);
    if (!st && !alpha) png.format = PNG_FORMAT_RGB;
    if (!st && !(alpha ? finish_without_alpha(ctx, &lib, &png, out)
                       : lib.png_image_finish_read(&png, NULL, out->rgb, 0, NULL)))
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: is no sound PNG: %.100s", name, png.message);
    lib.png_image_free(&png);
    pcs_free(ctx, plain);
    return st;
}

const pcs_image_format pcs_image_png = {
    .name = "PNG", .suffixes = ".png", .is = is_png, .part = PCS_PART_PNG, .decode = decode_png
};
#else
const pcs_image_format pcs_image_png = { .name = "PNG", .suffixes = ".png", .is = is_png, .part = PCS_PART_PNG };
#endif
