/* saved.h - a fit as a file. */
#ifndef PCS_SAVED_H
#define PCS_SAVED_H

#include "law/law.h"

enum { PCS_SAVED_BYTES = PCS_LIMIT_FIT };

/* JSON that precis_law_fit_save wrote; untrusted. */
precis_status pcs_saved_read(precis_ctx *ctx, precis_law **out, const char *file, const char *text, size_t len);

#endif
