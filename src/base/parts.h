/* parts.h - libraries that a build may lack (parts.def), and the one sentence about one that is not there. */
#ifndef PCS_PARTS_H
#define PCS_PARTS_H

#include "base/base.h"

typedef enum pcs_part {
#define PART(id, name, headers, library, others, purpose) PCS_PART_##id,
#include "base/parts.def"
#undef PART
    PCS_PARTS
} pcs_part;

/* PRECIS_OK, or PRECIS_EUNSUPPORTED: "WHAT needs SQLite, without which this precis was built (...)". */
precis_status pcs_part_need(precis_ctx *ctx, pcs_part part, const char *what);
/* Name of part i, NULL: there are no more; and what `list parts` says of it. */
const char *pcs_part_name(size_t i);
const char *pcs_part_row(size_t i, char *text, size_t cap);

#endif
