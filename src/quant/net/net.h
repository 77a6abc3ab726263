/* net.h - nets in codes: which nodes run in integers, what range every value between them has, and the graph with
 * its codes in it (`to_codes`, `from_codes`: ONNX's QuantizeLinear and DequantizeLinear).
 *
 * A job goes through prepare (fusions), decide (which nodes, which values), calibrate (ranges), insert (codes). What a
 * node is to all of them is its row of places.def. */
#ifndef PCS_QUANT_NET_H
#define PCS_QUANT_NET_H

#include "graph/element.h"
#include "graph/pass.h"
#include "precis/quant_net.h"
#include "quant/observe/observe.h"
#include "run/program.h"

/* What an op is among codes. */
typedef enum {
    PCS_CODES_FLOAT,    /* it has no row: it stays in float */
    PCS_CODES_MULTIPLY, /* codes times stored codes; it always runs in integers */
    PCS_CODES_BOTH,     /* codes times codes, where both operands have them */
    PCS_CODES_OWN,      /* where its operands have codes; its result has a range of its own */
    PCS_CODES_SHARE,    /* moves codes as they are: its result has its operand's range */
    PCS_CODES_CLAMP,    /* holds numbers within bounds, as codes do by themselves */
    PCS_CODES_STORED    /* its weights are stored as codes; it reads, multiplies and gives numbers */
} pcs_code_place_kind;

typedef struct pcs_code_place {
    const pcs_op *op;
    pcs_code_place_kind kind;
    /* The kind of this node, where it depends on its attributes or operands; NULL: the row's. */
    pcs_code_place_kind (*of)(const precis_graph *g, const pcs_node *n);
    float low, high; /* of the result, whatever goes in; both 0: it is observed */
} pcs_code_place;
extern const pcs_code_place pcs_code_places[];
pcs_code_place_kind pcs_code_place_of(const precis_graph *g, const pcs_node *n);
/* Is each element of the node's result one of its operand's, so that their codes are its codes? */
bool pcs_code_place_moves(const precis_graph *g, const pcs_node *n);
const pcs_code_place *pcs_code_place_row(const pcs_op *op);

typedef enum { PCS_NET_STATIC, PCS_NET_DYNAMIC, PCS_NET_WEIGHTS } pcs_net_mode;

/* What a value of the float graph becomes. */
typedef struct pcs_net_value {
    bool available;       /* its codes are there, should somebody want them */
    bool coded;           /* it gets codes: to_codes and from_codes after it */
    precis_value shares;  /* the value whose scale and zero point it takes; -1: its own */
    pcs_observation *seen;
    pcs_qparams params;
    float low, high, own_scale; /* its range, and the scale of that alone */
    double *channel_sums; /* of values that a multiplication reads: for the correction of its bias */
    uint64_t channel_count;
    precis_value dynamic[3];  /* its codes, scale and zero point in the graph that is made; -1: not made yet */
    uint64_t clipped, values; /* outside of the range that was chosen, of all that were seen */
} pcs_net_value;

typedef enum { PCS_NODE_FLOAT, PCS_NODE_WHOLE, PCS_NODE_FUSED, PCS_NODE_SHAPE } pcs_net_state;

typedef struct pcs_net_gram pcs_net_gram;

typedef struct pcs_net_node {
    pcs_net_state state;
    pcs_code_place_kind kind;
    const char *why;      /* of a node that stays in float, or of which weights alone become codes */
    char method[120];
    int32_t fused_into;   /* node; -1 */
    precis_value result;  /* after what is fused into it */
    bool shared;          /* operands of it could have one scale, which would lose so much */
    double sharing_db;
    bool equalized;       /* its weights have the ranges of its neighbours' (equalize.c) */
    bool saturated;       /* all that is fused into it are clamps at which its result's codes end */
    bool whole;           /* its result has codes already; what is fused into it has nothing left to do */
    pcs_net_gram *gram; /* what its weights are multiplied by on the samples (round.c); NULL: not gathered */
    bool weight_raised;   /* its bias did not fit into 32 bits at the scale that the weights would have had */
} pcs_net_node;

struct precis_net_quant {
    precis_ctx *ctx;
    precis_net *net;
    precis_graph *g;
    precis_net_quant_options o;
    precis_net_manifest_fn *manifest; /* or NULL */
    void *manifest_user;
    pcs_net_mode mode;
    const pcs_observer_kind *kind;
    uint32_t methods;      /* rows of methods.def that are asked for */
    bool *equalized;       /* results of layers that were; NULL: none was */
    pcs_qscheme activations, weights;
    pcs_dtype activation_type, weight_type;
    pcs_like like;
    bool per_channel;
    bool seven_bits; /* activations from 0 to 127 */
    int64_t block; /* inputs that share a scale; 0: all of a channel */
    pcs_arena arena;
    pcs_net_value *values; /* of the float graph */
    pcs_net_node *nodes;
    size_t n_values, n_nodes;
    char **names, **ops;   /* of its nodes, kept while the graph changes */
    /* What the file calls results and nodes; the nodes of its graph; those values, and the first that is computed of
     * each, until both are the number of the node that has become of it (-1: none). */
    struct { const char *value, *node; precis_value id; int32_t at; } *called;
    precis_value *next; /* of values of the file's graph: what the first node that reads them makes; -1 */
    size_t n_called, n_results, n_next; /* n_results: of `called` those that are results, and not nodes */
    precis_program *program;
    uint32_t pass;
    uint64_t batches;
    precis_status error;   /* of a tap */
    precis_value *map;     /* of insert: what stands for a value of the float graph */
    bool inserted;
};

/* What the engine that the options name has kernels for (backends.def): options left open take its first choices. */
precis_status pcs_net_backend(precis_net_quant *q);
/* Does it decode weights that are stored as codes, and multiply numbers by them? Without an engine: yes. */
bool pcs_net_backend_decodes(const precis_net_quant *q);
/* Fusions: passes.def, and forms that have integer counterparts. */
precis_status pcs_net_prepare(precis_net_quant *q);
precis_status pcs_net_decide(precis_net_quant *q);
/* Nodes that the options leave in float (float_nodes.c). First, while the graph is that of the file: what the file
 * calls their results. Then: why node i is one (NULL: it is none); does each pattern of the options fit any? */
precis_status pcs_net_keep_called(precis_net_quant *q);
/* Then, when nodes are those that get codes: what became of them. */
precis_status pcs_net_settle_called(precis_net_quant *q);
const char *pcs_net_kept_float(const precis_net_quant *q, size_t i);
precis_status pcs_net_floats_known(const precis_net_quant *q);
/* The name of the node in integers whose result the file calls so, or which is called so itself, or which that one is
 * fused into. NULL: none. */
const char *pcs_net_maker(const precis_net_quant *q, const char *value);
precis_status pcs_net_observe(precis_net_quant *q);               /* a program with taps */
precis_status pcs_net_batch(precis_net_quant *q, const precis_array *inputs, size_t n);
precis_status pcs_net_ranges(precis_net_quant *q);                /* after the last pass */
void pcs_net_sharing(precis_net_quant *q);                        /* what one scale would cost, or costs (sharing.c) */
precis_status pcs_net_insert(precis_net_quant *q);                /* codes into the graph */

/* The value that holds the weights of a multiplication, and along which dimension channels stand; false: it has none
 * that are constant. */
typedef struct pcs_net_weight {
    uint32_t input;
    uint32_t axis;     /* of the weights: output channels */
    int64_t channels;
    bool matrix;       /* groups of inputs stand along the other dimension of a matrix */
} pcs_net_weight;
bool pcs_net_weight_of(const precis_graph *g, const pcs_node *n, pcs_net_weight *out);
/* Has each channel of its weights a scale of its own? Not where matrices of several batches are multiplied as codes: no
 * engine's product has that (onnxruntime's MatMulIntegerToFloat fails when the net runs). */
bool pcs_net_by_channel(const precis_net_quant *q, const pcs_node *n);
/* Can 32 bits hold whatever its products of codes sum up to? */
bool pcs_net_sum_fits(const precis_net_quant *q, const pcs_node *n);
/* Weights of a node as from_codes of a constant, and its bias as from_codes of I32 sums at s_x * s_w. x: the parameters
 * of its input, NULL: it has none. */
precis_status pcs_net_store(precis_net_quant *q, size_t at, pcs_node *n, const pcs_qparams *x, precis_value x_value);
/* A recurrent node with constant weights: they alone are stored, by row. */
bool pcs_net_is_recurrent(const precis_graph *g, const pcs_node *n);
precis_status pcs_net_store_recurrent(precis_net_quant *q, size_t at, pcs_node *n);
/* Scales of w [ways, rows, k], one for each row; the caller frees them. */
precis_status pcs_net_row_scales(precis_net_quant *q, const pcs_value *w, pcs_qparams **scales);
/* A recurrent node whose weights are constants, as products of codes (recurrent.c). */
bool pcs_net_can_dynamic_recurrent(const precis_net_quant *q, const pcs_node *n);
precis_status pcs_net_dynamic_recurrent(precis_net_quant *q, const pcs_node *old, const pcs_node *mapped);
/* A node with its weights stored, as an integer product with the range of each run (dynamic.c). */
bool pcs_net_can_dynamic(const precis_graph *g, const pcs_node *n);
precis_status pcs_net_dynamic(precis_net_quant *q, const pcs_node *old, const pcs_node *stored);
/* The same of a range from calibration, for files with QLinear ops (whole.c): sums of codes that are requantized, where
 * the result has codes; ops that move codes take them as they are. *done: it was such a node. */
precis_status pcs_net_whole(precis_net_quant *q, const pcs_node *old, size_t at, bool *done);
/* Codes, and the scales beside them, of a constant that a from_codes was made of. */
void pcs_net_parts(const precis_net_quant *q, precis_value decoded, precis_value *codes, precis_value *scales);
precis_value pcs_net_turned(precis_net_quant *q, precis_value v); /* a matrix of codes [n, k] as [k, n] */
/* Weights alone (blocks.c): the value that decodes them. axis: of the blocks; of the channels. */
precis_value pcs_net_blocks(precis_net_quant *q, size_t at, const pcs_value *w, uint32_t axis, int64_t block);
precis_value pcs_net_small_floats(precis_net_quant *q, const pcs_value *w, uint32_t axis);
/* Constants of the job's own. */
precis_value pcs_net_constant(precis_net_quant *q, const char *name, pcs_dtype d, uint32_t dims, const int64_t *shape,
                              const void *data);

#endif
