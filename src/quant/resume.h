/* resume.h - a job's finished pieces, beside its output, so that a killed job goes on where it was. */
#ifndef PCS_RESUME_H
#define PCS_RESUME_H

#include "quant/quant.h"

typedef struct pcs_resume pcs_resume;
typedef struct pcs_piece { const char *name, *method; const uint8_t *bytes; uint64_t len; double error; } pcs_piece;

/* OUT.resume: pieces of a job with this key are taken, others are thrown away. path NULL: *out is NULL, and every
 * function below does nothing. */
precis_status pcs_resume_open(precis_ctx *ctx, pcs_resume **out, const char *path, const char *key);
/* done: the job is complete, its pieces go. */
void pcs_resume_close(pcs_resume **r, bool done);

/* A coded tensor; NULL: not there. Valid until the resume is closed. */
const pcs_piece *pcs_resume_find(const pcs_resume *r, const char *tensor);
/* A tensor's piece in parts: begin, add parts of len bytes in all, end. */
precis_status pcs_resume_begin(pcs_resume *r, const char *tensor, uint64_t len);
precis_status pcs_resume_add(pcs_resume *r, const void *data, uint64_t len);
precis_status pcs_resume_end(pcs_resume *r, const char *method, double error);

/* Calibration. *im NULL: not there. */
precis_status pcs_resume_load_imatrix(pcs_resume *r, precis_imatrix **im);
precis_status pcs_resume_keep_imatrix(pcs_resume *r, const precis_imatrix *im);

/* States at the end of a layer: how many layers are done, 0: none; their states into data. */
precis_status pcs_resume_load_states(pcs_resume *r, uint32_t *layers, void *data, uint64_t len);
precis_status pcs_resume_keep_states(pcs_resume *r, uint32_t layers, const void *data, uint64_t len);

#endif
