/* kv.h - the KV cache of one layer: a typed state with slots for sequences; key j of a sequence is the
 * token at position j. It lies in pages (graph/pages.h), and only this file's functions know where.
 *
 * Keys lie in tiles of 16: [tile][dimension][16 keys], so that attention reads them as gemm panels.
 * Values lie as [key][dimension], rows padded to 16. Integer types have a scale per key and head. */
#ifndef PCS_KV_H
#define PCS_KV_H

#include "graph/pages.h"
#include "kernel/kernel.h"

typedef struct pcs_kv_type {
    const char *name;
    uint32_t bits;
    bool scaled;
    float largest; /* that it holds; 0: whatever F32 does */
} pcs_kv_type;

extern const pcs_kv_type pcs_kv_types[]; /* f32 f16 int8 int4; ends with name == NULL */
const pcs_kv_type *pcs_kv_type_by_name(const char *name);

/* A type, or a list with a type for each of n layers ("f16,int8,f16"), into types[n]. A text with ";" has keys
 * before it and values behind; part: 0 keys, 1 values. PRECIS_EINVAL with the name that is unknown, or the count
 * that is wrong. */
precis_status pcs_kv_list(precis_ctx *ctx, const char *text, int part, size_t n, const pcs_kv_type **types);

typedef struct pcs_kv {
    const pcs_kv_type *kt, *vt;
    uint32_t heads, kd, vd, vp;        /* vp: vd rounded up to 16 */
    uint32_t capacity;                 /* keys per sequence, a multiple of 16 */
    const pcs_pages *pages;            /* of all caches of a program */
    uint64_t k_at, v_at, ks_at, vs_at; /* in a page: [head][token] of keys, values, and their scales */
} pcs_kv;

/* Bytes that a cache needs when all its pages are in use; false when that overflows. */
bool pcs_kv_bytes(const pcs_kv *kv, uint64_t *bytes);
/* Room for it in the pages of `kv`, of which none may be taken yet. PRECIS_EINVAL when it is too large. */
precis_status pcs_kv_open(precis_ctx *ctx, pcs_kv *kv, pcs_pages *pages);
/* Store the key and the value of one head at a position, whose page was taken. */
void pcs_kv_put(const pcs_kv *kv, uint32_t sequence, uint32_t head, uint32_t pos, const float *key, const float *value);
/* Keys [first, last) of a head, whose parts lie in different pages, and the head whose keys a thread reads on with
 * (none: not a head): kernels ask for what comes next ahead. */
typedef struct pcs_kv_span { uint32_t first, last, next; } pcs_kv_span;
/* n keys of a head of a sequence, from `first` on. */
typedef struct pcs_kv_part { uint32_t sequence, head, first, n; } pcs_kv_part;
/* Rows of queries or weights x, and of what is made of them, y; ld: between rows of that with a number for each key. */
typedef struct pcs_kv_rows {
    const float *x;
    float *y;
    size_t rows, ld;
} pcs_kv_rows;
/* Can the next two be used for a few rows? y[r][j] = x[r] . key(first + j), first and n multiples of 16;
 * y[r][i] (+)= sum_j x[r][j] value(first + j)[i], i < vp. */
bool pcs_kv_few(const pcs_kv *kv, size_t rows);
void pcs_kv_scores(const pcs_kv *kv, const pcs_kernels *kernels, const pcs_kv_part *part, const pcs_kv_rows *r,
                   const pcs_kv_span *span);
void pcs_kv_mix(const pcs_kv *kv, const pcs_kernels *kernels, const pcs_kv_part *part, const pcs_kv_rows *r,
                bool accumulate, const pcs_kv_span *span);
/* 16 keys as a panel [kd][16]. */
void pcs_kv_keys(const pcs_kv *kv, const pcs_kernels *kernels, uint32_t sequence, uint32_t head, uint32_t tile,
                 float *panel);
/* Values as [n][vp]: into dst, or a pointer to the cache itself where they lie together. */
const float *pcs_kv_values(const pcs_kv *kv, const pcs_kernels *kernels, const pcs_kv_part *part, float *dst);

#endif
