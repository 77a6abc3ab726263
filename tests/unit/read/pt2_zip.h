/* pt2_zip.h - a zip of members that are stored as they are (APPNOTE.TXT 4.3), for pt2_model.h's tests. */
#ifndef TEST_PT2_ZIP_H
#define TEST_PT2_ZIP_H

#include "onnx_model.h"

static inline uint32_t pt2_crc(const unsigned char *p, size_t n)
{
    uint32_t c = ~0u;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
    }
    return ~c;
}

static inline void pt2_number(onnx_bytes *b, uint64_t v, size_t bytes) { onnx_put(b, &v, bytes); /* little-endian */ }

/* The fields that a local header and an entry of the directory share: flags (names in UTF-8), method, time, date, sum,
 * sizes, length of the name, of what is extra. */
static inline void pt2_fields(onnx_bytes *b, const char *name, const onnx_bytes *data, size_t extra)
{
    pt2_number(b, 0x0800, 2), pt2_number(b, 0, 2), pt2_number(b, 0, 4);
    pt2_number(b, pt2_crc(data->data, data->n), 4), pt2_number(b, data->n, 4), pt2_number(b, data->n, 4);
    pt2_number(b, strlen(name), 2), pt2_number(b, extra, 2);
}

typedef struct {
    onnx_bytes all, directory;
    uint32_t members;
} pt2_zip;

/* Data begin at multiples of 64, as torch lays them. */
static inline void pt2_member(pt2_zip *z, const char *name, const onnx_bytes *data)
{
    static const unsigned char none[64];
    char full[128];
    snprintf(full, sizeof full, "net/%s", name);
    const size_t at = z->all.n, extra = 64 - (at + 30 + strlen(full) + 4) % 64;
    pt2_number(&z->all, 0x04034B50, 4), pt2_number(&z->all, 0, 2);
    pt2_fields(&z->all, full, data, extra + 4);
    onnx_put(&z->all, full, strlen(full));
    onnx_put(&z->all, "FB", 2), pt2_number(&z->all, extra, 2), onnx_put(&z->all, none, extra);
    onnx_put(&z->all, data->data, data->n);
    pt2_number(&z->directory, 0x02014B50, 4), pt2_number(&z->directory, 0, 4);
    pt2_fields(&z->directory, full, data, 0);
    pt2_number(&z->directory, 0, 2), pt2_number(&z->directory, 0, 2), pt2_number(&z->directory, 0, 2);
    pt2_number(&z->directory, 0, 4), pt2_number(&z->directory, at, 4);
    onnx_put(&z->directory, full, strlen(full));
    z->members++;
}

static inline void pt2_end(pt2_zip *z)
{
    const size_t at = z->all.n;
    onnx_put(&z->all, z->directory.data, z->directory.n);
    pt2_number(&z->all, 0x06054B50, 4), pt2_number(&z->all, 0, 4);
    pt2_number(&z->all, z->members, 2), pt2_number(&z->all, z->members, 2);
    pt2_number(&z->all, z->directory.n, 4), pt2_number(&z->all, at, 4), pt2_number(&z->all, 0, 2);
    free(z->directory.data);
}

/* An archive of one model.json and no weights. */
static inline onnx_bytes pt2_archive(const onnx_bytes *json)
{
    static const struct {
        const char *name, *text;
    } rest[] = { { "data/weights/model_weights_config.json", "{\"config\":{}}" },
                 { "data/constants/model_constants_config.json", "{\"config\":{}}" },
                 { "archive_format", "pt2" },
                 { "archive_version", "0" },
                 { ".data/version", "6\n" },
                 { "byteorder", "little" } };
    pt2_zip z = { 0 };
    pt2_member(&z, "models/model.json", json);
    for (size_t i = 0; i < ONNX_COUNT(rest); i++) {
        onnx_bytes b = { 0 };
        onnx_put(&b, rest[i].text, strlen(rest[i].text));
        pt2_member(&z, rest[i].name, &b);
        free(b.data);
    }
    pt2_end(&z);
    return z.all;
}

#endif
