/* image.h - images from files, as rows of bytes: red, green, blue.
 *
 * Formats are decoded by well-kept libraries (images.def); a build without one refuses its files by name. */
#ifndef PCS_IMAGE_H
#define PCS_IMAGE_H

#include "base/parts.h"

enum { PCS_IMAGE_SIDE = 32768, PCS_IMAGE_PIXELS = 1 << 28 };

typedef struct pcs_image {
    uint32_t width, height;
    uint8_t *rgb; /* [height][width][3], freed with pcs_free */
} pcs_image;

typedef struct pcs_image_format {
    const char *name, *suffixes; /* ".jpg .jpeg" */
    bool (*is)(const uint8_t *head, size_t n);
    pcs_part part; /* the library that decodes it */
    /* NULL: this build lacks it. name: of the file, for messages */
    precis_status (*decode)(precis_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, pcs_image *out);
} pcs_image_format;
extern const pcs_image_format *const pcs_image_formats[];

/* By its first bytes. PRECIS_EFORMAT: damaged, or more than 32,768 pixels wide or high, or 2^28 in all (before they
 * are allocated); PRECIS_EUNSUPPORTED: another format, or one that this build lacks. */
precis_status pcs_image_read(precis_ctx *ctx, const char *path, pcs_image *out);
/* Has a file's name the suffix of a format? */
bool pcs_image_named(const char *name);
/* Room for an image whose sides are checked; packed: the bytes that it comes from, of which each holds 8,256 pixels at
 * the most (deflate's 1,032 bytes of one, a bit a pixel); 0: it comes from another image. */
precis_status pcs_image_new(precis_ctx *ctx, const char *name, uint64_t packed, uint64_t width, uint64_t height,
                            pcs_image *out);

/* The image at another size, as Pillow's bilinear resize with its reduction of aliases gives it, byte for byte. */
precis_status pcs_image_resize(precis_ctx *ctx, const pcs_image *in, uint32_t width, uint32_t height, pcs_image *out);
/* The middle part, in place; false when the image is smaller. */
bool pcs_image_crop(pcs_image *image, uint32_t width, uint32_t height);

#endif
