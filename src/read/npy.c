/* npy.c - NumPy's .npy files (numpy/lib/format.py): versions 1 to 3, both byte orders, C and Fortran order. The header
 * is a Python literal of a fixed form, which is parsed and not evaluated; the data must be exactly as long as it says.
 */
#include "base/overflow.h"
#include "base/f16.h"
#include "base/file.h"
#include "graph/element.h"
#include "read/npz.h"

#include <stdio.h>

static const struct {
    char kind;
    size_t bytes;
    pcs_dtype dtype;
} types[] = {
    { 'f', 2, PCS_F16 }, { 'f', 4, PCS_F32 }, { 'f', 8, PCS_F64 }, { 'i', 1, PCS_I8 },
    { 'i', 2, PCS_I16 }, { 'i', 4, PCS_I32 }, { 'i', 8, PCS_I64 }, { 'u', 1, PCS_U8 },
    { 'u', 2, PCS_U16 }, { 'u', 4, PCS_U32 }, { 'u', 8, PCS_U64 }, { 'b', 1, PCS_BOOL },
};

typedef struct {
    precis_ctx *ctx;
    const pcs_file *file;
    const uint8_t *bytes; /* in memory instead of a file */
    uint64_t size;
    char text[PCS_LIMIT_NPY_HEADER + 1];
    const char *p;
    uint64_t start, data; /* of the header's text, and of the data */
    pcs_dtype dtype;
    bool big, fortran;
    precis_array *out;
} reading;

static precis_status npy_wrong(const reading *r, const char *why)
{
    return pcs_fail_at(r->ctx, PRECIS_EFORMAT, r->start + (uint64_t)(r->p - r->text), "header", "%s", why);
}

static void blanks(reading *r)
{
    while (*r->p == ' ' || *r->p == '\n' || *r->p == '\t') r->p++;
}

static bool take(reading *r, char c)
{
    blanks(r);
    if (*r->p != c) return false;
    r->p++;
    return true;
}

/* 'text' or "text"; the closing quote is overwritten. */
static const char *quoted(reading *r)
{
    blanks(r);
    const char quote = *r->p;
    if (quote != '\'' && quote != '"') return NULL;
    char *end = strchr(r->p + 1, quote);
    const char *s = r->p + 1;
    if (!end) return NULL;
    *end = 0;
    r->p = end + 1;
    return s;
}

static precis_status read_type(reading *r)
{
    const char *s = quoted(r);
    if (!s) return npy_wrong(r, "descr is no plain type (arrays of structures are not read)");
    const char order = *s && strchr("<>=|", *s) ? *s++ : '=';
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (*s == types[i].kind && s[1] == (char)('0' + types[i].bytes) && !s[2]) {
            r->dtype = types[i].dtype;
            r->big = order == '>';
            return PRECIS_OK;
        }
    char clean[24];
    snprintf(clean, sizeof clean, "%.20s", s);
    return pcs_fail_at(r->ctx, PRECIS_EUNSUPPORTED, r->start, "header",
                       "type \"%s\" is not read; it can be f2 f4 f8, i1 to i8, u1 to u8, b1", clean);
}

static precis_status npy_shape(reading *r)
{
    if (!take(r, '(')) return npy_wrong(r, "shape is no tuple");
    while (!take(r, ')')) {
        int64_t d = 0;
        blanks(r);
        if (*r->p < '0' || *r->p > '9') return npy_wrong(r, "shape has something else than numbers");
        for (; *r->p >= '0' && *r->p <= '9'; r->p++)
            if (!pcs_i64_mul(d, 10, &d) || !pcs_i64_add(d, *r->p - '0', &d) || d > PCS_LIMIT_DIM)
                return npy_wrong(r, "a dimension is too large");
        if (*r->p == 'L') r->p++; /* of Python 2 */
        if (r->out->dims == PRECIS_MAX_DIMS) return npy_wrong(r, "has more than 8 dimensions");
        r->out->shape[r->out->dims++] = d;
        if (take(r, ',')) continue;
        if (!take(r, ')')) return npy_wrong(r, "shape has no end");
        break;
    }
    return PRECIS_OK;
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } in any order, each once. */
static precis_status read_dict(reading *r)
{
    unsigned seen = 0, bit;
    precis_status st = PRECIS_OK;
    if (!take(r, '{')) return npy_wrong(r, "is no dictionary");
    while (!take(r, '}')) {
        const char *key = quoted(r);
        if (!key || !take(r, ':')) return npy_wrong(r, "has no key");
        bit = !strcmp(key, "descr") ? 1 : !strcmp(key, "fortran_order") ? 2 : !strcmp(key, "shape") ? 4 : 0;
        if (!bit || seen & bit) return npy_wrong(r, "has a key twice, or another than descr, fortran_order and shape");
        seen |= bit;
        if (bit == 1) st = read_type(r);
        else if (bit == 4) st = npy_shape(r);
        else {
            blanks(r);
            r->fortran = !strncmp(r->p, "True", 4);
            if (!r->fortran && strncmp(r->p, "False", 5)) return npy_wrong(r, "fortran_order is no truth value");
            r->p += r->fortran ? 4 : 5;
        }
        if (st) return st;
        if (!take(r, ',') && *r->p != '}') return npy_wrong(r, "has no comma between its keys");
    }
    blanks(r);
    if (*r->p) return npy_wrong(r, "has something behind its dictionary");
    return seen == 7 ? PRECIS_OK : npy_wrong(r, "lacks descr, fortran_order or shape");
}

static precis_status npy_bytes(const reading *r, uint64_t at, void *dst, size_t len, const char *field)
{
    if (!r->bytes) return pcs_file_read(r->ctx, r->file, at, dst, len, field);
    if (at > r->size || len > r->size - at)
        return pcs_fail_at(r->ctx, PRECIS_EFORMAT, at, field, "needs %zu bytes, the array ends after %llu", len,
                           (unsigned long long)r->size);
    if (len) memcpy(dst, r->bytes + at, len);
    return PRECIS_OK;
}

static precis_status read_header(reading *r)
{
    uint8_t head[12];
    precis_status st = npy_bytes(r, 0, head, 10, "magic");
    if (st) return st;
    if (memcmp(head, "\x93NUMPY", 6)) return pcs_fail_at(r->ctx, PRECIS_EFORMAT, 0, "magic", "is no .npy file");
    if (head[6] < 1 || head[6] > 3)
        return pcs_fail_at(r->ctx, PRECIS_EUNSUPPORTED, 6, "version", "%u.%u; 1 to 3 are read", head[6], head[7]);
    r->start = head[6] == 1 ? 10 : 12;
    if (head[6] > 1 && (st = npy_bytes(r, 0, head, 12, "header's length"))) return st;
    const uint32_t len = head[6] == 1 ? pcs_load16(head + 8) : pcs_load32(head + 8);
    if (len > PCS_LIMIT_NPY_HEADER)
        return pcs_fail_at(r->ctx, PRECIS_EFORMAT, 8, "header", "has %u bytes, at most %d", len, PCS_LIMIT_NPY_HEADER);
    if ((st = npy_bytes(r, r->start, r->text, len, "header"))) return st;
    r->text[len] = 0;
    r->p = r->text;
    r->data = r->start + len;
    if (memchr(r->text, 0, len)) return npy_wrong(r, "has a NUL byte");
    return read_dict(r);
}

static void swap(uint8_t *p, size_t each, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++, p += each)
        for (size_t k = 0; k < each / 2; k++) {
            const uint8_t t = p[k];
            p[k] = p[each - 1 - k];
            p[each - 1 - k] = t;
        }
}

/* The other order of dimensions: strides ascend from the first on. */
static precis_status to_rows(reading *r, void **data, size_t each)
{
    pcs_arg in = { .dtype = r->dtype, .data = *data }, out = { .dtype = r->dtype, .dims = r->out->dims };
    int64_t strides[PRECIS_MAX_DIMS], at = 1;
    memcpy(out.shape, r->out->shape, sizeof out.shape);
    for (uint32_t i = 0; i < out.dims; i++) {
        strides[i] = at;
        at *= out.shape[i];
    }
    if (!(out.data = pcs_alloc(r->ctx, (size_t)at + 8, each))) return PRECIS_ENOMEM;
    pcs_move(&out, &in, 0, strides, 0, 1);
    pcs_free(r->ctx, *data);
    *data = out.data;
    return PRECIS_OK;
}

static precis_status read_data(reading *r)
{
    const size_t each = pcs_dtype_bytes(r->dtype);
    uint64_t n = 1, bytes;
    void *data = NULL;
    for (uint32_t i = 0; i < r->out->dims; i++)
        if (!pcs_mul_ok(n, (uint64_t)r->out->shape[i], &n)) return npy_wrong(r, "has too many elements to count");
    if (!pcs_mul_ok(n, each, &bytes) || bytes != r->size - r->data)
        return pcs_fail_at(r->ctx, PRECIS_EFORMAT, r->data, "data",
                           "%llu bytes, the header asks for %llu elements of %zu",
                           (unsigned long long)(r->size - r->data), (unsigned long long)n, each);
    if (!(data = pcs_alloc(r->ctx, (size_t)bytes + 64, 1))) return PRECIS_ENOMEM;
    precis_status st = npy_bytes(r, r->data, data, (size_t)bytes, "data");
    if (!st && r->big) swap(data, each, n);
    for (uint64_t i = 0; i < n && r->dtype == PCS_BOOL && !st; i++) ((uint8_t *)data)[i] = ((uint8_t *)data)[i] != 0;
    if (!st && r->fortran && r->out->dims > 1 && n) st = to_rows(r, &data, each);
    if (st) {
        pcs_free(r->ctx, data);
        return st;
    }
    r->out->type = pcs_dtype_name(r->dtype);
    r->out->data = data;
    r->out->bytes = bytes;
    return PRECIS_OK;
}

static precis_status read_array(precis_ctx *ctx, precis_array *out, const char *name, const reading *from)
{
    reading *r = pcs_alloc(ctx, 1, sizeof *r);
    const char *before = ctx->file;
    *out = (precis_array){ .size = sizeof *out, .name = "" };
    if (!r) return PRECIS_ENOMEM;
    *r = *from;
    r->ctx = ctx;
    r->out = out;
    ctx->file = name;
    precis_status st = read_header(r);
    if (!st) st = read_data(r);
    ctx->file = before;
    pcs_free(ctx, r);
    return st;
}

precis_status precis_array_read(precis_ctx *ctx, precis_array *out, const char *path)
{
    pcs_file f;
    *out = (precis_array){ .size = sizeof *out, .name = "" };
    precis_status st = pcs_file_open(ctx, &f, path);
    if (st) return st;
    st = read_array(ctx, out, path, &(reading){ .file = &f, .size = f.size });
    pcs_file_close(ctx, &f);
    return st;
}

precis_status pcs_array_parse(precis_ctx *ctx, precis_array *out, const char *name, const uint8_t *bytes, uint64_t n)
{
    return read_array(ctx, out, name, &(reading){ .bytes = bytes, .size = n });
}

bool pcs_array_dtype(const precis_array *a, pcs_dtype *out)
{
    for (int d = 0; d < PCS_DTYPES; d++)
        if (pcs_dtype_bytes((pcs_dtype)d) && !strcmp(pcs_dtype_name((pcs_dtype)d), a->type)) {
            *out = (pcs_dtype)d;
            return true;
        }
    return false;
}

void precis_array_free(precis_ctx *ctx, precis_array *array)
{
    pcs_free(ctx, (void *)(uintptr_t)array->data);
    array->data = NULL;
}
