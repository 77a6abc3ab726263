/* module.h - what a module keeps: records in their order, replayed whenever a graph of it is made. */
#ifndef PCS_QUANT_MODULE_H
#define PCS_QUANT_MODULE_H

#include "precis/module.h"
#include "run/net.h"

typedef enum { PCS_MODULE_INPUT, PCS_MODULE_CONSTANT, PCS_MODULE_NODE, PCS_MODULE_STUB } pcs_module_kind;

typedef struct pcs_module_record {
    pcs_module_kind kind;
    const char *name;
    const pcs_op *op;         /* of a node */
    const precis_attr *attrs; /* of a node: the op's, all of them */
    uint32_t n;
    precis_value *in;         /* records */
    bool begins;              /* of a stub: codes begin; else they end */
    precis_value inner;       /* of two nodes that were made as one the first, which has their name; -1 */
    int32_t fused_into;       /* a node that is part of another; -1 */
    const float *bias;        /* of a layer that took a norm's numbers, by channel of the result; or NULL */
    const char *result;       /* its result's name then: the norm's, as the pass has it */
    bool gone;                /* its numbers are in the one before: its result is its operand */
    uint32_t dims;            /* of inputs and constants */
    int64_t shape[PRECIS_MAX_DIMS];
    const float *data;        /* of constants, in the module's arena */
} pcs_module_record;

typedef struct pcs_module_output {
    const char *name;
    precis_value of;
} pcs_module_output;

struct precis_module {
    precis_ctx *ctx;
    pcs_arena arena;
    precis_graph *graph;      /* grows with it: shapes, and the first error */
    pcs_module_record *records;
    precis_value *values;     /* of the graph, by record */
    size_t n, cap;
    pcs_module_output *outputs;
    size_t n_outputs, cap_outputs;
};

/* Everything of the module in a graph; map: what stands for each record. outputs may be NULL. */
precis_status pcs_module_replay(const precis_module *m, precis_graph *g, const pcs_netfile_given *given,
                                precis_value *map);
/* Readers of a record, outputs and stubs among them. */
uint32_t pcs_module_readers(const precis_module *m, precis_value of);

#endif
