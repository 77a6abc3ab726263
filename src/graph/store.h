/* store.h - where the contents of a graph's value lie, how many bytes they are, and who keeps them.
 *
 * A constant's bytes lie in the mapped file that a tensor was read from, in the model's arena, in the graph's, or where
 * somebody keeps them who outlives the graph. A value refers to them by its pcs_store, whose members are this header's
 * and store.c's alone (tools/check-style): all others ask here, for as many elements as they are about to read, and get
 * NULL where fewer are there. No value has a store of fewer bytes than its shape takes: pcs_graph_add_value refuses it.
 *
 * These are addresses of the host, for readers, passes, methods and writers. A program takes them by pcs_value_bind,
 * and its backend's `write` brings them to where its steps run. */
#ifndef PCS_STORE_H
#define PCS_STORE_H

#include "graph/dtype.h"

#include <stdbool.h>
#include <stdint.h>

struct pcs_tensor;
typedef struct pcs_value pcs_value;
typedef struct pcs_arg pcs_arg;

typedef enum {
    PCS_STORE_NONE,   /* the value has no contents before the graph runs */
    PCS_STORE_ROWS,   /* elements, or rows of a number format, one after another */
    PCS_STORE_PANELS, /* rows of a number format as kernels read them (kernel/panels.h) */
} pcs_store_form;

typedef enum {
    PCS_KEPT_BY_GRAPH,  /* its arena: as long as the graph */
    PCS_KEPT_BY_MODEL,  /* a tensor's: in the mapped file, or in the model's arena */
    PCS_KEPT_BY_CALLER, /* who made the value keeps them longer than the graph: a net's file, a module, an optimizer */
} pcs_keeper;

typedef struct pcs_store {
    const void *host_at; /* of the first byte, or of the first panel */
    uint64_t host_bytes; /* that may be read from there on */
    pcs_store_form lies_as;
    pcs_keeper kept_by;
} pcs_store;

/* Rows that lie at `host`; none where that is NULL. */
pcs_store pcs_store_rows(const void *host, uint64_t bytes, pcs_keeper keeper);
/* What a tensor has from row `first` on, as rows or as panels. A tensor of one dimension counts blocks instead of rows;
 * of one that is packed, a panel begins at `first`. None where the tensor ends before it, or has no bytes yet. */
pcs_store pcs_store_tensor(const struct pcs_tensor *t, uint64_t first);
/* Does nothing lie there? */
bool pcs_store_empty(const pcs_store *s);

/* Bytes of all elements or rows that the value's shape says; UINT64_MAX while a dimension has no size. */
uint64_t pcs_value_bytes(const pcs_value *v);
/* Give the value contents. False, and it has what it had: they are fewer bytes than its shape takes. */
bool pcs_value_keep(pcs_value *v, pcs_store s);
/* Are there fewer bytes than the shape takes? Says so in `text` (of n bytes). False: enough, or no contents at all. */
bool pcs_value_short(const pcs_value *v, char *text, size_t n);

/* Does the value have contents before the graph runs, in rows? (Packed weights are in panels.) */
bool pcs_value_is_known(const pcs_value *v);
/* The first n elements, which are of type d; NULL where they are of another, or fewer. */
const void *pcs_value_elements(const pcs_value *v, pcs_dtype d, uint64_t n);
static inline const float *pcs_value_f32(const pcs_value *v, uint64_t n) { return pcs_value_elements(v, PCS_F32, n); }
/* All of its contents, pcs_value_bytes of them, of any type; NULL where there are none, or fewer. */
const void *pcs_value_host(const pcs_value *v);
/* The value as an op's operand, for pcs_real_at and pcs_int_at of its elements. data is NULL where pcs_value_host is.
 */
pcs_arg pcs_value_arg(const pcs_value *v);
/* Do its contents begin within the `bytes` that lie at `from`? *offset: where. */
bool pcs_value_within(const pcs_value *v, const void *from, uint64_t bytes, uint64_t *offset);
/* For a program that opens: its rows or its panels at addresses of the host, NULL where it has none. */
void pcs_value_bind(const pcs_value *v, void **rows, const void **panels);

#endif
