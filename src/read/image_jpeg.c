/* image_jpeg.c - JPEG by libjpeg-turbo's TurboJPEG, its slow and exact inverse transform; grey becomes three equal
 * channels. A warning of the library (a cut file) is an error here: half an image is no sample. */
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
    if (!st && tj.tjDecompress2(j, bytes, (unsigned long)n, out->rgb, width, 0, height, TJPF_RGB, flags))
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
