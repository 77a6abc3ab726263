/* pt2.h - archives of torch.export (.pt2; torch 2.9 to 2.15): what they say
 * (open.c, weights.c), and how their graphs become ours (import.c and the
 * raising functions of aten.def).
 *
 * The archive stays mapped as long as its graphs live: weights are used where
 * they lie. Pickles in it are never opened. The graph is JSON, kept as a list
 * of tokens (tree.h). */
#ifndef PCS_READ_PT2_H
#define PCS_READ_PT2_H

#include "read/pt2/tree.h"
#include "read/pt2/zip.h"

/* A list of weights: data/weights or data/constants. */
typedef struct pcs_pt2_store {
    pcs_tree tree;
    pcs_map places; /* name of a weight -> its entry's token */
    const char *folder;
} pcs_pt2_store;

typedef struct pcs_pt2 {
    pcs_netfile base;
    precis_ctx *ctx;
    pcs_file file;
    pcs_zip zip;
    pcs_arena arena;
    const uint8_t *start; /* of the graph's JSON */
    pcs_tree tree;
    uint32_t graph, nodes, inputs, input_specs, outputs, output_specs; /* tokens */
    pcs_map metas;                                                     /* name of a value -> its TensorMeta's token */
    pcs_pt2_store weights, constants;
    uint32_t *output_tokens; /* the Argument of each output */
} pcs_pt2;

/* pcs_netfile_reader's. */
precis_status pcs_pt2_import(pcs_netfile *file, const pcs_netfile_given *given, pcs_netfile_graph *out);

/* A stored tensor as torch describes it. */
typedef struct pcs_pt2_meta {
    pcs_dtype dtype;
    uint32_t dims;
    int64_t shape[PCS_GRAPH_DIMS]; /* -1: an expression */
    uint32_t size[PCS_GRAPH_DIMS]; /* the tokens of the sizes */
    int64_t stride[PCS_GRAPH_DIMS], offset;
} pcs_pt2_meta;
/* TensorMeta at token i: type, sizes; and strides and offset, which must be
 * numbers, where `stored`. */
precis_status pcs_pt2_read_meta(const pcs_tree *t, uint32_t i, bool stored, pcs_pt2_meta *out);
/* torch's numbers of types, and what else has a number (layouts, memory
 * formats). */
bool pcs_pt2_dtype(int64_t scalar_type, pcs_dtype *out);

precis_status pcs_pt2_open_store(pcs_pt2 *net, pcs_pt2_store *s, const char *folder, pcs_str model, const char *config);
void pcs_pt2_close_store(pcs_pt2_store *s);
/* The tensor of that name: elements in the archive, or gathered in the arena of
 * `g`. */
precis_status pcs_pt2_weight(pcs_pt2 *net, pcs_pt2_store *s, pcs_str name, precis_graph *g, pcs_value *out);

/* Sizes that are expressions: Symbol, Integer, Add, Mul as SymPy's srepr writes
 * them. As text ("2*s77"): */
precis_status pcs_pt2_symbol_text(const pcs_tree *t, uint32_t size, char *out, size_t room);
/* and as a number, given a number for each symbol; false where one has none. */
typedef bool pcs_symbol_fn(void *user, pcs_str symbol, int64_t *out);
bool pcs_pt2_symbol_value(const pcs_tree *t, uint32_t size, pcs_symbol_fn *look, void *user, int64_t *out);

#endif
