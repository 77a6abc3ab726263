/* write.h - files that appear whole or not at all.
 *
 * Everything goes to a temporary file beside the target; it is synced, read back and compared by
 * SHA-256, and only then renamed. A failure, a full disk or a signal leaves the target as it was. */
#ifndef PCS_WRITE_H
#define PCS_WRITE_H

#include "model/model.h"

typedef struct pcs_out {
    precis_ctx *ctx;
    char *path, *temp, *folder;
    int fd;
    uint64_t at, drained; /* bytes added; of them in the file */
    void *hash;        /* EVP_MD_CTX */
    unsigned char *buf, *full; /* what is filled, and what waits to be written */
    size_t n_buf, n_full;
    int error;                 /* errno of a write that failed; -1: the digest did */
    char sha256[65];           /* of the whole file, once it is committed */
} pcs_out;

/* What errno says of a path: PRECIS_ENOSPC or PRECIS_EIO. what: "written". */
precis_status pcs_io_fail(precis_ctx *ctx, const char *path, const char *what);
/* Can a file of `bytes` be written there? Before work starts, and again by pcs_out_open. */
precis_status pcs_out_check(precis_ctx *ctx, const char *path, uint64_t bytes, const precis_model *source);
/* Refuses a target that is one of the model's own files (source may be NULL), and a disk without room for `bytes`. */
precis_status pcs_out_open(precis_ctx *ctx, pcs_out *o, const char *path, uint64_t bytes, const precis_model *source);
precis_status pcs_out_add(pcs_out *o, const void *data, size_t len);
precis_status pcs_out_pad(pcs_out *o, uint64_t align);
/* Hashes and writes what waits, if anything does. pcs_out_add does it when it must; a thread may do it meanwhile, while no other calls anything for o. */
void pcs_out_drain(pcs_out *o);
/* Sync, verify, rename. */
precis_status pcs_out_commit(pcs_out *o);
/* After a failure, and after commit: frees; removes what is not committed. */
void pcs_out_close(pcs_out *o);
/* A small file in one call. */
precis_status pcs_write_file(precis_ctx *ctx, const char *path, const void *data, size_t len);

/* ---- GGUF ------------------------------------------------------------------------------------------- */
typedef struct pcs_gguf_tensor {
    const char *name;
    const pcs_format *format;
    uint32_t dims;
    int64_t ne[PCS_MAX_DIMS];
    uint64_t bytes;
    bool panels; /* its bytes are panels (kernel/panels.h) of ne[0] weights */
} pcs_gguf_tensor;

/* Matrices that kernels read as panels (an expert must begin with one); bytes of one; and rows of k weights written so, a multiple of 16 but for the last. */
bool pcs_packs(const pcs_format *f, uint32_t dims, const int64_t *ne);
uint64_t pcs_packed_bytes(const pcs_format *f, uint32_t dims, const int64_t *ne);
precis_status pcs_out_panels(pcs_out *o, const pcs_format *f, size_t k, const uint8_t *rows, uint64_t n);

/* Writes tensor i's bytes with pcs_out_add. */
typedef precis_status pcs_gguf_fill(void *user, pcs_out *o, size_t i);

typedef struct pcs_gguf_file {
    const pcs_key *keys;
    size_t n_keys;
    const pcs_gguf_tensor *tensors;
    size_t n_tensors;
    pcs_gguf_fill *fill;
    void *user;
    const precis_model *source; /* may be NULL */
    uint32_t align;             /* 0: 32 */
    char *sha256;               /* [65]: of the file; NULL: not asked for */
} pcs_gguf_file;

/* GGUF version 3. *bytes: size of the whole file, also without writing (path NULL). */
precis_status pcs_write_gguf(precis_ctx *ctx, const char *path, const pcs_gguf_file *f, uint64_t *bytes);

#endif
