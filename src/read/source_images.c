/* source_images.c - a folder of PNG and JPEG images, or of folders of them, one for each class in the order of their
 * names. As torchvision does it: resized by the shorter side, cropped from the middle, from 0 to 1, less mean, by
 * deviation, one channel after another. A net that takes bytes gets the pixels as they are. */
#include "read/source.h"
#include "read/image.h"

#include "base/file.h"

typedef struct {
    pcs_listing list;
    void *pixels;
    size_t room; /* bytes */
} folder;

static bool takes(const char *path, bool is_folder)
{
    (void)path;
    return is_folder;
}

static precis_status open_folder(pcs_source *s)
{
    folder *f = s->state = pcs_alloc(s->ctx, 1, sizeof *f);
    if (!f) return PRECIS_ENOMEM;
    const precis_status st = pcs_listing_read(s->ctx, &f->list, s->path, pcs_image_named, true);
    s->count = f->list.n;
    if (st) return st;
    return f->list.n ? PRECIS_OK
                     : pcs_fail(s->ctx, PRECIS_EINVAL, "%s: has neither .npz files nor images (.png, .jpg)", s->path);
}

/* What the options make of an image. */
static precis_status shape_image(pcs_source *s, const char *path, pcs_image *image)
{
    const precis_samples_options *o = s->o;
    if (o->resize) {
        pcs_image out;
        const uint32_t w = image->width, h = image->height, side = o->resize;
        uint64_t width = o->resize_width, height = side;
        if (!width && w <= h) width = side, height = (uint64_t)side * h / w;
        else if (!width) width = (uint64_t)side * w / h;
        if (width > PCS_IMAGE_SIDE || height > PCS_IMAGE_SIDE)
            return pcs_fail(s->ctx, PRECIS_EFORMAT, "%s: %u x %u pixels would be resized to %llu x %llu", path, w, h,
                            (unsigned long long)width, (unsigned long long)height);
        const precis_status st = pcs_image_resize(s->ctx, image, (uint32_t)width, (uint32_t)height, &out);
        if (st) {
            pcs_free(s->ctx, out.rgb);
            return st;
        }
        pcs_free(s->ctx, image->rgb);
        *image = out;
    }
    const uint32_t high = o->crop, wide = o->crop_width ? o->crop_width : o->crop;
    if (high && !pcs_image_crop(image, wide, high))
        return pcs_fail(s->ctx, PRECIS_EINVAL, "%s: is %u x %u pixels, less than the part of %u x %u to crop (--resize "
                        "makes it larger)", path, image->width, image->height, wide, high);
    return PRECIS_OK;
}

/* Where an input has its channels: the first or last of its last three dimensions, which must be 1 or 3. */
static precis_status layout_of(const pcs_source *s, const precis_array *in, bool *last, int64_t *channels)
{
    const char *asked = s->o->layout;
    const int64_t first_size = in->dims >= 3 ? in->shape[in->dims - 3] : 0;
    const int64_t last_size = in->shape[in->dims ? in->dims - 1 : 0];
    const bool as_first = first_size == 1 || first_size == 3, as_last = last_size == 1 || last_size == 3;
    if (in->dims < 3 || in->dims > 4)
        return pcs_fail(s->ctx, PRECIS_EINVAL, "input %s has %u dimensions; images need three, or four with a batch",
                        in->name, in->dims);
    *last = asked ? !strcmp(asked, "nhwc") : !as_first && as_last;
    *channels = *last ? last_size : first_size;
    if (*channels < 0) *channels = 3;
    if (*channels != 1 && *channels != 3)
        return pcs_fail(s->ctx, PRECIS_EINVAL, "input %s has %lld channels as %s; images have 1 or 3", in->name,
                        (long long)*channels, *last ? "nhwc" : "nchw");
    return PRECIS_OK;
}

/* Luma as Pillow has it: ITU-R 601, 16 bits. */
static uint8_t grey(const uint8_t *p)
{
    return (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
}

static void fill(const pcs_source *s, const pcs_image *image, bool last, int64_t channels, bool bytes)
{
    const folder *f = s->state;
    const precis_samples_options *o = s->o;
    const size_t n = (size_t)image->width * image->height;
    for (int64_t c = 0; c < channels; c++) {
        const double mean = o->mean[c], by = o->deviation[c], per = o->pixels / 255;
        float table[256];
        for (int v = 0; v < 256; v++) table[v] = (float)((v * per - mean) / by);
        for (size_t i = 0; i < n; i++) {
            const uint8_t *p = image->rgb + i * 3, v = channels == 1 ? grey(p) : p[c];
            const size_t at = last ? i * (size_t)channels + (size_t)c : (size_t)c * n + i;
            if (bytes) ((uint8_t *)f->pixels)[at] = v;
            else ((float *)f->pixels)[at] = table[v];
        }
    }
}

/* Is it asked for other numbers than the pixels? */
static bool is_scaled(const precis_samples_options *o)
{
    bool scaled = o->pixels < 1 || o->pixels > 1;
    for (int c = 0; c < 3; c++)
        scaled |= o->mean[c] < 0 || o->mean[c] > 0 || o->deviation[c] < 1 || o->deviation[c] > 1;
    return scaled;
}

static precis_status sample(pcs_source *s, uint64_t i, size_t slot, const precis_array *input, precis_array *out)
{
    folder *f = s->state;
    const char *path = f->list.files[i];
    pcs_dtype type = PCS_BOOL;
    const bool known = pcs_array_dtype(input, &type), bytes = known && type == PCS_U8;
    bool last = false;
    int64_t channels = 0;
    pcs_image image = { 0 };
    (void)slot;
    if (!bytes && (!known || type != PCS_F32))
        return pcs_fail(s->ctx, PRECIS_EINVAL, "input %s takes %s; images are given as F32 or U8", input->name,
                        input->type);
    if (bytes && is_scaled(s->o))
        return pcs_fail(s->ctx, PRECIS_EINVAL, "input %s takes bytes, which are the pixels as they are: no mean, "
                        "deviation or other white (--mean, --std, --pixels) goes into them", input->name);
    precis_status st = layout_of(s, input, &last, &channels);
    if (!st) st = pcs_image_read(s->ctx, path, &image);
    if (!st) st = shape_image(s, path, &image);
    const size_t need = (size_t)image.width * image.height * (size_t)(st ? 0 : channels) * (bytes ? 1 : sizeof(float));
    if (!st && need > f->room) {
        pcs_free(s->ctx, f->pixels);
        f->room = 0;
        f->pixels = pcs_alloc(s->ctx, need, 1);
        if (f->pixels) f->room = need;
        else st = PRECIS_ENOMEM;
    }
    if (!st) fill(s, &image, last, channels, bytes);
    *out = (precis_array){ .size = sizeof *out, .name = input->name, .type = input->type, .dims = 3, .data = f->pixels,
                           .bytes = need };
    out->shape[last ? 2 : 0] = channels;
    out->shape[last ? 0 : 1] = image.height;
    out->shape[last ? 1 : 2] = image.width;
    pcs_free(s->ctx, image.rgb);
    return st;
}

static bool same_shape(const pcs_source *s) { return s->o->crop || (s->o->resize && s->o->resize_width); }

static const char *file(const pcs_source *s, uint64_t i) { return ((const folder *)s->state)->list.files[i]; }

static int64_t class_of(const pcs_source *s, uint64_t i, uint64_t *classes)
{
    const folder *f = s->state;
    if (classes) *classes = f->list.n_classes;
    return f->list.classes[i];
}

static void close_folder(pcs_source *s)
{
    folder *f = s->state;
    if (!f) return;
    pcs_listing_free(s->ctx, &f->list);
    pcs_free(s->ctx, f->pixels);
    pcs_free(s->ctx, f);
}

const pcs_source_kind pcs_source_images = {
    .name = "images", .takes = takes, .open = open_folder, .sample = sample, .same_shape = same_shape, .file = file,
    .class_of = class_of, .close = close_folder,
};
