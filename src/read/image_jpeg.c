/* image_jpeg.c - JPEG by libjpeg-turbo's TurboJPEG, its slow and exact inverse transform; grey becomes three equal
 * channels, inks become light as Pillow has it. A warning of the library (a cut file) is an error here: half an image
 * is no sample. */
#include "read/image.h"

#include "precis/part.h"

static bool is_jpeg(const uint8_t *head, size_t n)
{
    return n > 3 && head[0] == 0xff && head[1] == 0xd8 && head[2] == 0xff;
}

#if PCS_HAVE_JPEG
#include <turbojpeg.h>

#define JPEG_CALLS(F) F(tjInitDecompress) F(tjDecompressHeader3) F(tjDecompress2) F(tjGetErrorStr2) F(tjDestroy)
PRECIS_PART_FUNCTIONS("JPEG", turbojpeg, JPEG_CALLS)

/* (x * y) / 255, rounded. */
static uint8_t part_of(uint8_t x, uint8_t y)
{
    const uint32_t t = (uint32_t)x * y + 128;
    return (uint8_t)(((t >> 8) + t) >> 8);
}

/* Four inks as Adobe's files have them, 255 where there is none. */
static precis_status decode_inks(precis_ctx *ctx, const turbojpeg *tj, tjhandle j, const char *name,
                                 const uint8_t *bytes, size_t n, int flags, pcs_image *out)
{
    const size_t pixels = (size_t)out->width * out->height;
    uint8_t *inks = pcs_alloc(ctx, pixels + 1, 4);
    if (!inks) return PRECIS_ENOMEM;
    precis_status st = PRECIS_OK;
    if (tj->tjDecompress2(j, bytes, (unsigned long)n, inks, (int)out->width, 0, (int)out->height, TJPF_CMYK, flags))
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: is no sound JPEG: %.150s", name, tj->tjGetErrorStr2(j));
    for (size_t i = 0; i < pixels && !st; i++)
        for (size_t c = 0; c < 3; c++) {
            const uint8_t black = inks[4 * i + 3], ink = (uint8_t)(255 - inks[4 * i + c]), less = part_of(ink, black);
            out->rgb[3 * i + c] = (uint8_t)(black > less ? black - less : 0);
        }
    pcs_free(ctx, inks);
    return st;
}

static precis_status decode_jpeg(precis_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, pcs_image *out)
{
    int width, height, sampling, space;
    /* progressive files of many scans take long for their size: 500 are enough */
    const int flags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
    turbojpeg tj;
    precis_status st = turbojpeg_open(ctx, name, &tj);
    if (st) return st;
    tjhandle j = tj.tjInitDecompress();
    if (!j) st = pcs_fail(ctx, PRECIS_ENOMEM, "%s: out of memory", name);
    if (!st && tj.tjDecompressHeader3(j, bytes, (unsigned long)n, &width, &height, &sampling, &space))
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: is no sound JPEG: %.150s", name, tj.tjGetErrorStr2(j));
    if (!st) st = pcs_image_new(ctx, name, n, (uint64_t)width, (uint64_t)height, out);
    const bool inked = !st && (space == TJCS_CMYK || space == TJCS_YCCK);
    if (inked) st = decode_inks(ctx, &tj, j, name, bytes, n, flags, out);
    if (!st && !inked && tj.tjDecompress2(j, bytes, (unsigned long)n, out->rgb, width, 0, height, TJPF_RGB, flags))
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: is no sound JPEG: %.150s", name, tj.tjGetErrorStr2(j));
    if (j) tj.tjDestroy(j);
    return st;
}

const pcs_image_format pcs_image_jpeg = {
    .name = "JPEG", .suffixes = ".jpg .jpeg", .is = is_jpeg, .part = PCS_PART_JPEG, .decode = decode_jpeg
};
#else
const pcs_image_format pcs_image_jpeg = {
    .name = "JPEG", .suffixes = ".jpg .jpeg", .is = is_jpeg, .part = PCS_PART_JPEG
};
#endif
