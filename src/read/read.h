/* read.h - readers of model files. One is one file and one row of readers.def. */
#ifndef PCS_READ_H
#define PCS_READ_H

#include "model/model.h"

typedef struct pcs_reader {
    const char *name;
    /* Is this one of ours? head has n (at most 64) bytes of the file, or is a folder's (n == 0). */
    bool (*probe)(const char *path, bool folder, const uint8_t *head, size_t n, uint64_t size);
    /* Fill a fresh model. On failure the caller closes it. */
    precis_status (*read)(precis_model *m, const char *path);
} pcs_reader;

extern const pcs_reader *const pcs_readers[];

/* The span [offset, offset + bytes) must lie in the file; sets data. */
precis_status pcs_tensor_span(precis_model *m, pcs_tensor *t, uint32_t file, uint64_t offset, uint64_t bytes);
/* n and bytes from ne; dims within limits, rows whole blocks. at: byte offset for the message. */
precis_status pcs_tensor_shape(precis_model *m, pcs_tensor *t, uint64_t at);
/* No two tensors share bytes. */
precis_status pcs_tensors_disjoint(precis_model *m);

/* PRECIS_EFORMAT when these first bytes of a file are Git LFS's pointer to it, which a clone without git-lfs leaves. */
precis_status pcs_refuse_pointer(precis_ctx *ctx, const char *path, const void *head, size_t n);
/* A token for each row of the embedding (vocabulary.c): rows without one get fillers, tokens without a row that were
 * added to the vocabulary are left out with a warning. */
precis_status pcs_fit_vocabulary(precis_model *m);
bool pcs_is_filler(const pcs_key *tokens, const pcs_key *types, uint64_t i);

#endif
