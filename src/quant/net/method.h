/* method.h - methods of quantizing a net (methods.def): what one does to the float graph before its nodes are decided,
 * what it gathers of the samples, and which codes it chooses. */
#ifndef PCS_QUANT_NET_METHOD_H
#define PCS_QUANT_NET_METHOD_H

#include "quant/net/net.h"

/* Weights of one channel: k of them, and what their codes mean. */
typedef struct pcs_net_row {
    const float *w, *scale; /* [k] */
    int64_t k;
    int64_t channel; /* of the layer */
    int32_t *codes;  /* [k]: the nearest; the method moves them */
} pcs_net_row;

typedef struct pcs_net_method {
    const char *name, *what;
    /* Changes the fused float graph; NULL: nothing. */
    precis_status (*prepare)(precis_net_quant *q);
    /* Wants to see what the node's weights are multiplied by: `open` before the first batch, `see` within each, with x
     * as its input's numbers, which may not use threads, and `add` after it. NULL: no samples. */
    precis_status (*begin)(precis_net_quant *q, size_t node);
    void (*see)(precis_net_quant *q, size_t node, const float *x, uint64_t n);
    void (*add)(precis_net_quant *q, size_t node);
    /* Codes of a row of node's weights, by several threads, each with rows of its own; room: 2 k doubles. */
    void (*choose)(const precis_net_quant *q, size_t node, const pcs_net_row *row, double *room);
} pcs_net_method;
extern const pcs_net_method *const pcs_net_methods[]; /* NULL ends it */

/* Those that the options name ("a+b"). PRECIS_EINVAL: one is none. */
precis_status pcs_net_set_methods(precis_net_quant *q);
precis_status pcs_net_prepare_methods(precis_net_quant *q);
/* Does one want samples, whatever the mode? */
bool pcs_net_gathers(const precis_net_quant *q);
/* Nodes whose weights are multiplied get ready; a value's numbers go to those that read it. */
precis_status pcs_net_gather_open(precis_net_quant *q);
void pcs_net_gather(precis_net_quant *q, precis_value v, const float *x, uint64_t n);
void pcs_net_gather_end(precis_net_quant *q); /* after a batch */
/* Does a method choose codes of this node's weights? */
bool pcs_net_chooses(const precis_net_quant *q, size_t node);
void pcs_net_choose(const precis_net_quant *q, size_t node, const pcs_net_row *row, double *room);
/* All rows of weights [outer][channels][inner] with a scale of each channel: codes in the weights' order; freed by the
 * caller. NULL: no memory. */
int32_t *pcs_net_codes(const precis_net_quant *q, size_t node, const float *w, const int64_t shape[3],
                       const pcs_qparams *p);

#endif
