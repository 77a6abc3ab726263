/* arrays.h - training of nets of arrays (convolutional ones, say): a net's file or layers of the configuration, samples
 * with a class each.
 *
 * The float net is read, or replayed, anew for each form of it that is trained or measured, and rebuilt node by node,
 * so that values and nodes have one number in all forms. In few bits a product's weights are rounded with the batch
 * norm after it in them (w gamma / sqrt(variance + eps)); while its statistics are the batch's, the product is divided
 * by that factor again before they are taken (torch's ConvBn), and once they are frozen the norm is the weights and a
 * bias, as it is in the file. */
#ifndef PCS_TRAIN_ARRAYS_H
#define PCS_TRAIN_ARRAYS_H

#include "precis/module.h"
#include "read/netfile.h"
#include "train/run.h"

#define PCS_NO_PARAMETER SIZE_MAX

/* Samples and their classes. */
typedef struct pcs_array_set {
    float *x;        /* [n][each] */
    int32_t *labels; /* [n] */
    uint64_t n;
    size_t each;
    uint32_t dims;
    int64_t shape[PRECIS_MAX_DIMS]; /* of all */
} pcs_array_set;

/* A batch norm: parameters by number, and what the form that stands gives of the batch. */
typedef struct pcs_array_norm {
    size_t node;
    size_t gamma, beta, mean, variance;
    double eps;
    bool folded; /* it is a layer's */
    bool merged; /* of the form that stands: it is in that layer's weights, or right after its product */
    precis_value means, variances; /* of the batch; -1: this form takes none */
} pcs_array_norm;

/* A product with weights. */
typedef struct pcs_array_layer {
    size_t node, norm;      /* norm: of the list; PCS_NO_PARAMETER: none follows alone */
    size_t weight, bias, range; /* parameters */
    size_t code;            /* what its input's codes are made of; PCS_NO_PARAMETER: it stays float */
    uint32_t axis;          /* of the weights: channels of the result */
    int64_t channels;
    precis_value rounded, scale, sums; /* of the form that stands, where rounded: weights, their scales, the bias */
    double products;        /* multiplications for one sample */
} pcs_array_layer;

/* A value that has codes. */
typedef struct pcs_array_code {
    precis_value of;          /* of the float net */
    size_t scale, zero, seen; /* parameters */
    bool input;               /* of the net: 8 bits at least */
    precis_value watched;     /* of the form that stands: what is rounded */
} pcs_array_code;

typedef struct pcs_arrays {
    precis_module *module; /* of the configuration's layers; or NULL */
    precis_net *net;
    pcs_array_set set, held;
    uint32_t *order; /* of samples in an epoch */
    uint64_t epoch;
    pcs_array_layer *layers;
    pcs_array_norm *norms;
    pcs_array_code *codes;
    size_t n_layers, n_norms, n_codes;
    precis_value *origin; /* [parameters]: in the float net; -1: none */
    int64_t classes;
    float *batch;         /* [batch][each] */
    pcs_netfile_graph form; /* that stands */
    precis_value input, logits;
    bool frozen;
    double held_accuracy;
} pcs_arrays;

/* ---- arrays_data.c ---- */
precis_status pcs_arrays_read(precis_ctx *ctx, const char *data, const char *labels, pcs_array_set *set);
void pcs_arrays_free(precis_ctx *ctx, pcs_array_set *set);
/* The batch of a step: each epoch has every sample once, in an order of the seed and its own. */
precis_status pcs_arrays_draw(pcs_train_run *t, uint64_t step);

/* ---- arrays_net.c ---- */
/* The net of the configuration's file or layers. */
precis_status pcs_arrays_open_net(pcs_train_run *t);
/* ---- arrays_plan.c ---- */
/* Layers, norms and parameters of the float net. PRECIS_EUNSUPPORTED: it cannot be trained, and why. */
precis_status pcs_arrays_plan(pcs_train_run *t);
/* Once types are known: ranges, and what has codes. */
precis_status pcs_arrays_plan_codes(pcs_train_run *t);
/* The float net's own numbers into the parameters, which have memory. */
precis_status pcs_arrays_take_numbers(pcs_train_run *t);
/* The layer or norm of a node; NULL: it is none. */
pcs_array_layer *pcs_arrays_layer(const pcs_arrays *a, size_t node);
pcs_array_norm *pcs_arrays_norm(const pcs_arrays *a, size_t node);

/* ---- arrays_graph.c ---- */
/* The form that is trained (in few bits or in full; frozen: norms have running statistics) as t->g, from which t->p and
 * t->r are made. */
precis_status pcs_arrays_form(pcs_train_run *t, bool rounded, bool frozen);
void pcs_arrays_close_form(pcs_train_run *t);

/* ---- arrays_file.c ---- */
precis_status pcs_arrays_write(pcs_train_run *t);
precis_status pcs_arrays_resume(pcs_train_run *t);
/* ---- arrays_served.c ---- */
precis_status pcs_arrays_check(pcs_train_run *t);
precis_status pcs_arrays_products(pcs_train_run *t, precis_train_result *r);

extern const pcs_train_family pcs_train_arrays_family;

#endif
