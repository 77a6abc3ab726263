/* format.c - the table, decoding, encoding under given parameters, and what the layouts share. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

#include <strings.h>

#define FORMAT(name) extern const pcs_format pcs_format_##name;
#include "format/formats.def"
#include "format/schemes.def"
#undef FORMAT

const pcs_format *const pcs_formats[] = {
#define FORMAT(name) &pcs_format_##name,
#include "format/formats.def"
#include "format/schemes.def"
#undef FORMAT
    NULL
};

const pcs_format *pcs_format_by_id(uint32_t id)
{
    for (const pcs_format *const *f = pcs_formats; *f; f++)
        if ((*f)->id == id) return *f;
    return NULL;
}

const pcs_format *pcs_format_by_name(const char *name)
{
    for (const pcs_format *const *f = pcs_formats; *f; f++)
        if (!strcasecmp((*f)->name, name)) return *f;
    return NULL;
}

bool pcs_format_size(const pcs_format *f, uint64_t n, uint64_t rows, uint64_t *bytes)
{
    return pcs_format_fits(f, n) && n <= (uint64_t)1 << 56 && pcs_mul_ok(pcs_row_bytes(f, n), rows, bytes);
}

/* Numbers of whole blocks, at most one of them cut. */
static void numbers(const pcs_format *f, size_t n, const int8_t *q, const float *d, const float *m, float *dst)
{
    if (f->has_min)
        for (size_t i = 0; i < n; i++) dst[i] = d[i / 16] * (float)q[i] - m[i / 16];
    else
        for (size_t i = 0; i < n; i++) dst[i] = d[i / 16] * (float)q[i];
}

void pcs_unpack(const pcs_format *f, size_t n, const uint8_t *src, int8_t *q, float *d, float *m)
{
    if (f->unpack_row) f->unpack_row(src, n, q, d, m);
    else
        for (size_t at = 0; at < n; at += f->block, src += f->bytes) f->unpack(src, q + at, d + at / 16, m + at / 16);
}

void pcs_decode(const pcs_format *f, size_t n, const void *src, float *dst)
{
    if (f->kind != PCS_QUANT) {
        f->to_f32(n, src, dst);
        return;
    }
    int8_t q[PCS_BLOCK_MAX];
    float d[PCS_SUB], m[PCS_SUB];
    const uint8_t *p = (const uint8_t *)src + f->head;
    float d0 = 0, m0 = 0;
    if (f->unpack_row) f->unpack_row(src, 0, q, &d0, &m0);
    for (size_t at = 0; at < n; at += f->block, p += f->bytes) {
        f->unpack(p, q, d, m);
        if (f->head)
            for (uint32_t s = 0; s < (f->block + 15) / 16; s++)
                d[s] = f->scale == PCS_SCALE_ROW ? d0 * d[s] : d0, m[s] = m0;
        numbers(f, n - at < f->block ? n - at : f->block, q, d, m, dst + at);
    }
}

void pcs_decode_part(const pcs_format *f, size_t n, const uint8_t *head, const uint8_t *src, float *dst)
{
    if (!f->head) {
        pcs_decode(f, n, src, dst);
        return;
    }
    uint8_t row[8 * PCS_BLOCK_MAX + 64]; /* a row of its own, of some blocks: what a block says follows from the head */
    const size_t most = (sizeof row - f->head) / f->bytes * f->block;
    memcpy(row, head, f->head);
    for (size_t at = 0; at < n; at += most) {
        const size_t now = n - at < most ? n - at : most;
        memcpy(row + f->head, src + at / f->block * f->bytes, (now + f->block - 1) / f->block * f->bytes);
        pcs_decode(f, now, row, dst + at);
    }
}

void pcs_expand(const pcs_format *f, const pcs_params *p, float *d, float *m)
{
    float d0, m0 = 0.0f;
    if (f->scale == PCS_SCALE_E8M0) {
        d0 = pcs_bits_f32(p->d < 2 ? 0x00200000u << p->d : (uint32_t)(p->d - 1) << 23);
    } else {
        d0 = pcs_f16_to_f32(p->d);
        const int zero = f->code_lo < 0 ? (int8_t)p->mn[0] : p->mn[0];
        m0 = f->scale == PCS_SCALE_ZERO ? -d0 * (float)zero : pcs_f16_to_f32(p->m);
    }
    const uint32_t per = f->group / 16;
    for (uint32_t s = 0; s < f->block / 16; s++) {
        const uint32_t g = s / per;
        d[s] = f->scale == PCS_SCALE_SUPER ? d0 * (float)p->sc[g] : d0;
        m[s] = !f->has_min ? 0.0f : f->scale == PCS_SCALE_SUPER ? m0 * (float)p->mn[g] : -m0;
    }
}

/* Nearest of 16 ascending values, the lower one on a tie. */
static int8_t book_nearest(const int8_t *book, float t)
{
    int i = 0;
    for (int step = 8; step; step >>= 1)
        if (t > 0.5f * (float)(book[i + step - 1] + book[i + step])) i += step;
    return book[i];
}

int8_t pcs_code_of(const pcs_format *f, float t)
{
    const float lo = f->code_lo, hi = f->code_hi;
    if (!(t == t)) return 0;
    if (f->book) return book_nearest(f->book, t);
    t = t < lo ? lo : t > hi ? hi : t;
    return (int8_t)pcs_round(t);
}

/* Without a branch, so that lanes do it: above how many of the middles between a book's values each is. */
void pcs_codes_of(const pcs_format *f, size_t n, const float *t, int32_t *codes)
{
    const float lo = f->code_lo, hi = f->code_hi;
    for (size_t i = 0; i < n; i++) codes[i] = 0;
    for (size_t k = 0; f->book && k < 15; k++) {
        const float middle = 0.5f * (float)(f->book[k] + f->book[k + 1]);
        for (size_t i = 0; i < n; i++) codes[i] += t[i] > middle;
    }
    for (size_t i = 0; i < n; i++) {
        const float in = t[i] < lo ? lo : t[i] > hi ? hi : t[i];
        const int32_t code = f->book ? f->book[codes[i]] : pcs_round(in);
        codes[i] = t[i] == t[i] ? code : 0;
    }
}

void pcs_shared_add(pcs_shared *s, size_t n, const float *x, size_t before)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        s->lo = x[i] < s->lo ? x[i] : s->lo;
        s->hi = x[i] > s->hi ? x[i] : s->hi;
        sum += x[i] < 0 ? -(double)x[i] : (double)x[i];
    }
    s->mean = (float)(((double)s->mean * (double)before + sum) / (double)(before + n));
}

/* ---- shared layouts ------------------------------------------------------------------------- */

const int8_t pcs_book_iq4[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };
/* E2M1 doubled, so that the codes are whole; code 8 (minus zero) is never written. Ascending. */
const int8_t pcs_book_e2m1[16] = { -12, -8, -6, -4, -3, -2, -1, 0, 0, 1, 2, 3, 4, 6, 8, 12 };

void pcs_book_index(const int8_t *book, const int8_t *restrict q, int n, int8_t *restrict index)
{
    memset(index, 0, (size_t)n);
    for (int k = 0; k < 15; k++)
        for (int i = 0; i < n; i++) index[i] = (int8_t)(index[i] + (q[i] > book[k]));
}

void pcs_nibbles_get(const uint8_t *src, int8_t *q, int offset)
{
    for (int i = 0; i < 16; i++) {
        q[i] = (int8_t)((src[i] & 15) - offset);
        q[i + 16] = (int8_t)((src[i] >> 4) - offset);
    }
}

void pcs_nibbles_put(const int8_t *q, int offset, uint8_t *dst)
{
    for (int i = 0; i < 16; i++) dst[i] = (uint8_t)(((q[i] + offset) & 15) | ((q[i + 16] + offset) & 15) << 4);
}

void pcs_k4_scales_get(const uint8_t *s, uint8_t sc[8], uint8_t mn[8])
{
    for (int i = 0; i < 4; i++) {
        sc[i] = s[i] & 63;
        mn[i] = s[i + 4] & 63;
        sc[i + 4] = (uint8_t)((s[i + 8] & 15) | (s[i] >> 6) << 4);
        mn[i + 4] = (uint8_t)(s[i + 8] >> 4 | (s[i + 4] >> 6) << 4);
    }
}

void pcs_k4_scales_put(const uint8_t sc[8], const uint8_t mn[8], uint8_t *s)
{
    for (int i = 0; i < 4; i++) {
        s[i] = (uint8_t)(sc[i] | (sc[i + 4] >> 4) << 6);
        s[i + 4] = (uint8_t)(mn[i] | (mn[i + 4] >> 4) << 6);
        s[i + 8] = (uint8_t)((sc[i + 4] & 15) | (mn[i + 4] & 15) << 4);
    }
}

bool pcs_codes_of_one_scale(const pcs_format *f, const uint8_t *src, size_t n, int8_t *c, float *s)
{
    float d[PCS_SUB];
    const size_t at = f->numbers[0].at;
    *s = pcs_f16_to_f32(pcs_load16(src + at));
    for (size_t i = 0; i < n; i += f->block) {
        const uint8_t *block = src + i / f->block * f->bytes;
        if (pcs_load16(block + at) != pcs_load16(src + at)) return false;
        if (c) f->unpack(block, c + i, d, NULL);
    }
    return true;
}
