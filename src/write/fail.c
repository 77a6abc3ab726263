/* fail.c - what the system refused, in one sentence. */
#include "write/write.h"

#include <errno.h>
#include <string.h>

precis_status pcs_io_fail(precis_ctx *ctx, const char *path, const char *what)
{
    const int e = errno;
    return pcs_fail(ctx, pcs_errno_status(e), "%s: cannot be %s: %s", path, what, strerror(e));
}
