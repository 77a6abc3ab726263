/* precis/net_predict.h - which kernel each node of a net will run, and what it takes in integers and in float, before
 * the net is quantized. */
#ifndef PRECIS_NET_PREDICT_H
#define PRECIS_NET_PREDICT_H

#include "precis/bench.h"
#include "precis/quant_net.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Measured on this machine with the threads of ctx: the net as it is, and a trial of it in integers, whose ranges are
 * those of the given inputs alone (what a node takes does not depend on its ranges). */
typedef struct precis_net_predicted precis_net_predicted;

/* A node of the float net. Seconds: alone, between barriers; those of nodes that are fused into it are its own, and so
 * are those of conversions after it. kernel: the op that runs in its place, as `bench --nodes` names it; "" where none
 * does, since another node has it. integers: it runs in codes in the trial. slower: it is a product with weights that
 * takes longer in codes than in float, by more than a fifth and five microseconds: codes of its neighbours gain as
 * well. */
typedef struct precis_net_prediction {
    uint32_t    size; /* sizeof of this struct, set by the caller */
    const char *name, *op, *kernel;
    double      in_float, in_integers;
    int         integers, slower;
} precis_net_prediction;

typedef struct precis_net_predict_options {
    uint32_t size; /* sizeof of this struct, set by _INIT */
    const precis_net_quant_options *quant;
    const precis_array *inputs; /* as precis_net_run's */
    size_t n;
    double seconds; /* to measure each of both for; 0: a third */
    const char *kept; /* folder of measurements: what was predicted before is taken from there; NULL: measured anew */
} precis_net_predict_options;
#define PRECIS_NET_PREDICT_OPTIONS_INIT { sizeof(precis_net_predict_options), NULL, NULL, 0, 0, NULL }

/* path: opened anew. PRECIS_EINVAL, PRECIS_EUNSUPPORTED as precis_net_quant_open. One thread at a time. */
PRECIS_API precis_status precis_net_predict_open(precis_ctx *ctx, precis_net_predicted **out, const char *path,
                                                 const precis_net_predict_options *options);
PRECIS_API void precis_net_predict_close(precis_net_predicted **predicted);
/* 0: there is no node i. Texts live as long as *predicted. */
PRECIS_API int precis_net_predict_node(const precis_net_predicted *predicted, size_t i, precis_net_prediction *out);
/* Nodes that are to stay in float, for precis_net_quant_options: those of the caller's options, and the slower ones. */
PRECIS_API const char *const *precis_net_predict_floats(const precis_net_predicted *predicted, size_t *n);
/* Why each of them does, for `reasons` there: the milliseconds of the slower ones, NULL of those that are asked for. */
PRECIS_API const char *const *precis_net_predict_reasons(const precis_net_predicted *predicted);
/* Seconds of a run: in float, and in integers, where the slower nodes may stay in float (the sum over nodes, by the
 * share of it that a run of the trial took). */
PRECIS_API void precis_net_predict_sum(const precis_net_predicted *predicted, int slower_in_float, double *in_float,
                                       double *in_integers);

#ifdef __cplusplus
}
#endif

#endif
