/* sample_images.c - images of netpbm's binary formats: "P5" (grey) or "P6" (red, green, blue), width, height, 255, one
 * byte of white space, then the bytes, row by row (netpbm, pgm(5) and ppm(5)). */
#include "base/file.h"
#include "quant/samples.h"

typedef struct { pcs_sample_file *files; pcs_image_scale scale; float *pixels; } images;

typedef struct { const uint8_t *p, *end; } header;

/* The next number of a header; comments go from # to the end of their line. 0: there is none, or it is too large for a
 * value of a net. */
static uint64_t number(header *h)
{
    uint64_t v = 0;
    while (h->p < h->end && (*h->p == '#' || *h->p == ' ' || (*h->p >= '\t' && *h->p <= '\r')))
        if (*h->p++ == '#')
            while (h->p < h->end && *h->p != '\n') h->p++;
    for (; h->p < h->end && *h->p >= '0' && *h->p <= '9'; h->p++) {
        v = v * 10 + (uint64_t)(*h->p - '0');
        if (v > PCS_LIMIT_NET_ELEMENTS) return 0;
    }
    return v;
}

static precis_status decode_image(pcs_samples *s, const char *path, const uint8_t *data, size_t bytes, precis_array *out)
{
    images *m = s->files;
    const bool colour = bytes > 2 && data[1] == '6', known = bytes > 2 && data[0] == 'P' && (colour || data[1] == '5');
    header h = { data + 2, data + bytes };
    const uint64_t width = known ? number(&h) : 0, height = width ? number(&h) : 0, most = height ? number(&h) : 0;
    if (!known || !width || !height || most != 255 || h.p >= h.end)
        return pcs_fail(s->ctx, PRECIS_EFORMAT, "%s: no binary PGM or PPM of one byte a channel", path);
    const uint64_t channels = colour ? 3 : 1, pixels = width * height; /* no side is beyond the limit, 2^31 */
    const uint8_t *x = h.p + 1;
    if ((uint64_t)(h.end - x) != pixels * channels)
        return pcs_fail(s->ctx, PRECIS_EFORMAT, "%s: %llu bytes of pixels, where %llu x %llu need %llu", path,
                        (unsigned long long)(h.end - x), (unsigned long long)width, (unsigned long long)height,
                        (unsigned long long)(pixels * channels));
    pcs_free(s->ctx, m->pixels);
    m->pixels = pcs_alloc(s->ctx, (size_t)(pixels * channels), sizeof *m->pixels);
    if (!m->pixels) return PRECIS_ENOMEM;
    for (uint64_t c = 0; c < channels; c++)
        for (uint64_t i = 0; i < pixels; i++)
            m->pixels[c * pixels + i] =
                ((float)x[i * channels + c] / 255.0f - m->scale.mean[c]) / m->scale.deviation[c];
    *out = (precis_array){ .size = sizeof *out, .type = "F32", .dims = 4, .data = m->pixels };
    const int64_t shape[4] = { 1, (int64_t)channels, (int64_t)height, (int64_t)width };
    memcpy(out->shape, shape, sizeof shape);
    out->bytes = pixels * channels * sizeof *m->pixels;
    return PRECIS_OK;
}

static uint64_t rows(const pcs_samples *s, size_t i)
{
    (void)s, (void)i;
    return 1;
}

static precis_status bind(pcs_samples *s, const pcs_sample *at, const pcs_subject *to)
{
    const images *m = s->files;
    char *data;
    size_t bytes;
    precis_array image;
    precis_status st = pcs_file_slurp(s->ctx, m->files[at->i].path, (size_t)PCS_LIMIT_NET_ELEMENTS, &data, &bytes);
    if (st) return st;
    st = decode_image(s, m->files[at->i].path, (const uint8_t *)data, bytes, &image);
    pcs_free(s->ctx, data);
    return st ? st : pcs_bind_array(s->ctx, to, m->files[at->i].name, &image);
}

static void close(pcs_samples *s)
{
    images *m = s->files;
    if (!m) return;
    pcs_free(s->ctx, m->files);
    pcs_free(s->ctx, m->pixels);
    pcs_free(s->ctx, m);
}

const pcs_sample_kind pcs_sample_kind_images = { .name = "images", .rows = rows, .bind = bind, .close = close };

precis_status pcs_samples_of_images(precis_ctx *ctx, pcs_samples *s, const pcs_sample_file *files, size_t n,
                                    const pcs_image_scale *scale)
{
    *s = (pcs_samples){ .kind = &pcs_sample_kind_images, .ctx = ctx, .n = n, .n_rows = n };
    images *m = s->files = pcs_alloc(ctx, 1, sizeof *m);
    if (!m || !(m->files = pcs_alloc(ctx, n + 1, sizeof *m->files))) return PRECIS_ENOMEM;
    if (!n) return pcs_fail(ctx, PRECIS_EINVAL, "there are no samples");
    memcpy(m->files, files, n * sizeof *files);
    m->scale = *scale;
    for (int c = 0; c < 3; c++)
        if (!(m->scale.deviation[c] > 0)) return pcs_fail(ctx, PRECIS_EINVAL, "a channel's deviation is above 0");
    return PRECIS_OK;
}
