/* nodes.h - what each value of a net lost, what its node added, and why. */
#ifndef PCS_EVAL_NODES_H
#define PCS_EVAL_NODES_H

#include "precis/eval_net.h"
#include "quant/observe/observe.h"
#include "run/watched.h"

enum { PCS_NODES_WORST = 10 };

/* The weights that a node multiplies by, in codes. */
typedef struct pcs_node_weights {
    bool there, one_scale;
    double ratio;    /* squared error with a scale for each channel, over that with one */
    double outlier;  /* the largest magnitude of a channel over the median one */
    uint64_t dead;   /* channels whose weights are all the code of zero, and are not zero */
    uint64_t channels;
} pcs_node_weights;

/* A value that both nets have. */
typedef struct pcs_node_pair {
    precis_node_error e;
    precis_value own, f;  /* of the reference; after what the net has fused into its codes */
    precis_value q, d;    /* of the net; after its codes (q where it has none) */
    long input;           /* of the net, whose own rounding this is; -1: a node makes it */
    size_t step_q, step_d;
    bool has_codes;       /* one scale and zero point */
    pcs_qscheme scheme;
    pcs_qparams params;
    double signal, total, added, raw; /* sums of squares: float values; errors; of the node alone; before its codes */
    double clipped_noise;
    uint64_t n, clipped;
    float low, high;      /* of the float values */
    uint64_t channels, inner;
    double *error_sum;    /* [channels] of the node alone */
    uint64_t *count;
    float *top;           /* largest magnitudes */
    pcs_observation *best; /* mse */
    double of_data, of_best; /* errors of codes over the data's range, and over that of least error */
    pcs_qparams data_params, best_params;
    uint64_t tried;       /* values that those are of */
    pcs_node_weights w;
    bool shared;          /* another value has the same scale and zero point */
} pcs_node_pair;

/* The cause and its remedy of one of the worst. */
void pcs_node_explain(pcs_node_pair *p);
/* Of node number `node` of the graph of a net in codes; reference: of the float net, by which value. */
precis_status pcs_node_look_at_weights(precis_ctx *ctx, const precis_program *q, const precis_graph *g, int32_t node,
                                       pcs_node_weights *w);

#endif
