/* temporary.h - a name for a file that lives as long as somebody has it open. */
#ifndef PCS_JOB_TEMPORARY_H
#define PCS_JOB_TEMPORARY_H

#include "base/base.h"

enum { PCS_TEMPORARY_PATH = 600 };

/* A name in TMPDIR that is the caller's alone: an empty file, over which an output takes the road of all outputs, and
 * which the caller unlinks when it has opened that. PRECIS_EIO and the like name the folder. */
precis_status pcs_temporary_name(precis_ctx *ctx, char path[PCS_TEMPORARY_PATH]);

#endif
