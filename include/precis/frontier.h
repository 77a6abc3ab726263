/* precis/frontier.h - size against loss: the best plans of a model, and the usual mixes beside them. */
#ifndef PRECIS_FRONTIER_H
#define PRECIS_FRONTIER_H

#include "precis/quant.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_tradeoff {
    char     name[32]; /* a mix (precis list mixes); "": the best plan of its size                       */
    uint64_t bytes;    /* of the file                                                                    */
    double   bits;     /* of a weight                                                                    */
    double   kld;      /* predicted, nats per token: by the profile of opts, or by classes of tensors    */
} precis_tradeoff;

/* The best plans at sizes between the least and the model's own, then the mixes, each in ascending size. *n: room for
 * points, then how many there are. One measurement serves them all; mixes with types that a budget would not choose
 * are left out. Errors as precis_quant_plan's. */
PRECIS_API precis_status precis_plan_frontier(precis_ctx *ctx, const precis_model *model,
                                              const precis_quant_options *opts, precis_tradeoff *points, size_t *n);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_FRONTIER_H */
