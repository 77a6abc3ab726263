/* temporary.c - see temporary.h. */
#include "job/temporary.h"

#include "write/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

precis_status pcs_temporary_name(precis_ctx *ctx, char path[PCS_TEMPORARY_PATH])
{
    snprintf(path, PCS_TEMPORARY_PATH, "%s/.precis-made-XXXXXX", pcs_temporary_folder());
    const int fd = mkstemp(path); /* the name alone: what is written under it takes the road of all outputs */
    if (fd < 0)
        return pcs_io_fail(ctx, pcs_temporary_folder(), "used for a temporary file (TMPDIR names another folder)");
    close(fd);
    return PRECIS_OK;
}
