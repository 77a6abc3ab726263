/* running.h - what running a model takes beside its weights. */
#ifndef PCS_JOB_RUNNING_H
#define PCS_JOB_RUNNING_H

#include "base/base.h"
#include "precis/read.h"

/* Bytes of KV caches; of buffers, with the scratch of all `threads`; and what the last of those threads adds. */
typedef struct pcs_running {
    uint64_t kv, work, thread;
    uint32_t threads;
} pcs_running;

/* Of `context` tokens (0: the usual) and KV types (NULL: f16), in the usual arithmetic. Buffers are the most of
 * the model as it is, and with weights of codes, which have int8 activations beside floats: a plan may make either
 * of it. room: bytes of which the scratch of threads may take an eighth, so that many threads do not push out
 * weights; as many of the context's threads as fit are counted, one at the least. 0: all of them. */
precis_status pcs_running_of(precis_ctx *ctx, const precis_model *m, uint32_t context, const char *kv, uint64_t room,
                             pcs_running *out);

#endif
