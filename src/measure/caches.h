/* caches.h - which KV types for which layer, beside a plan of the weights. */
#ifndef PCS_CACHES_H
#define PCS_CACHES_H

#include "graph/kv.h"
#include "precis/profile.h"

enum { PCS_CACHE_TYPES = 3 }; /* f16, int8, int4 */
typedef struct pcs_caches {
    precis_ctx *ctx;
    size_t layers;
    uint64_t work;                                /* buffers of the runner (job/running.h), whatever the types */
    uint64_t most, least;                         /* bytes of all caches, as f16 and as int4 */
    struct { uint64_t bytes[PCS_CACHE_TYPES]; double loss[PCS_CACHE_TYPES]; } *parts; /* [layers][keys, values] */
} pcs_caches;

/* Of a model with `context` tokens, whose buffers take `work` bytes. *c has no parts when the profile knows nothing of
 * caches. */
precis_status pcs_caches_open(precis_ctx *ctx, pcs_caches *c, const precis_model *m, uint32_t context,
                              uint64_t work, const precis_profile *profile);
void pcs_caches_close(pcs_caches *c);
/* The types that lose least within a budget: "k,k,...;v,v,...", freed with pcs_free; their bytes and loss. */
precis_status pcs_caches_solve(const pcs_caches *c, uint64_t budget, char **types, uint64_t *bytes, double *loss);

#endif
