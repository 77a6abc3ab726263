/* net_kept.h - what was predicted of a net, kept in the user's folder of measurements. Times hold for the threads and
 * the level that they were measured with; which nodes are slower in codes holds for the machine, so that the same
 * command writes the same file again, however many threads it has. */
#ifndef PCS_JOB_NET_KEPT_H
#define PCS_JOB_NET_KEPT_H

#include "base/base.h"
#include "precis/net_predict.h"

/* sums: in float, of the trial, of what belongs to no node, over nodes. */
typedef struct pcs_net_kept_node { double in_float, in_integers; char kernel[32]; } pcs_net_kept_node;
typedef struct pcs_net_kept { double sums[4]; } pcs_net_kept;

/* Keys of the times, and of the decisions. path: of the net. */
precis_status pcs_net_kept_keys(precis_ctx *ctx, const char *path, const precis_net_predict_options *with,
                                char times[65], char decisions[65]);
/* false: they are not there, or of another number of nodes. */
bool pcs_net_kept_times(precis_ctx *ctx, const char *folder, const char *key, pcs_net_kept *sums,
                        pcs_net_kept_node *nodes, size_t n);
bool pcs_net_kept_decisions(precis_ctx *ctx, const char *folder, const char *key, uint8_t *slower, size_t n);
precis_status pcs_net_keep_times(precis_ctx *ctx, const char *folder, const char *key, const pcs_net_kept *sums,
                                 const pcs_net_kept_node *nodes, size_t n);
precis_status pcs_net_keep_decisions(precis_ctx *ctx, const char *folder, const char *key, const uint8_t *slower,
                                     size_t n);

#endif
