/* rows.h - a row of weights as codes, by the format's own unpack(): any format, any machine. */
#ifndef PCS_ROWS_H
#define PCS_ROWS_H

#include "kernel/kernel.h"

/* A row unpacked into scratch: codes [chunks * 256], d and m [chunks * 16], zero after the end. */
typedef struct { int8_t *q; float *d, *m; } pcs_row;

static inline pcs_row pcs_row_in(void *scratch, size_t k)
{
    const size_t chunks = pcs_chunks(k);
    float *d = (float *)((char *)scratch + chunks * PCS_CHUNK);
    return (pcs_row){ scratch, d, d + chunks * 16 };
}

static inline void pcs_row_pad(const pcs_row *r, size_t k)
{
    const size_t end = pcs_chunks(k) * PCS_CHUNK;
    memset(r->q + k, 0, end - k);
    for (size_t s = (k + 15) / 16; s < end / 16; s++) r->d[s] = r->m[s] = 0.0f;
}

static inline void pcs_row_unpack(const pcs_format *f, const uint8_t *w, size_t k, const pcs_row *r)
{
    pcs_unpack(f, k, w, r->q, r->d, r->m);
}

#endif
