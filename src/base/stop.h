/* stop.h - loops over input that is long, between calls of pcs_progress: does the caller want to stop? */
#ifndef PCS_STOP_H
#define PCS_STOP_H

#include "base/base.h"

/* Asked at each 65,536th turn, so that it costs nothing. Any thread may ask; on the caller's, pcs_progress says so. */
static inline bool pcs_stopped(const precis_ctx *ctx, uint64_t turn)
{
    return !(turn & 65535) && ctx->opt.cancel && *ctx->opt.cancel;
}

#endif
