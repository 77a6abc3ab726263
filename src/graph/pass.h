/* pass.h - rewriting: nodes are replaced as a whole list, values keep their ids. */
#ifndef PCS_PASS_H
#define PCS_PASS_H

#include "graph/graph.h"

/* Readers of a value among the nodes, outputs counted. */
size_t pcs_value_uses(const precis_graph *g, precis_value v);
/* The node becomes one of another op, with its usual attributes; its result keeps its id. */
precis_status pcs_node_become(precis_graph *g, pcs_node *n, const pcs_op *op, uint32_t n_in, const precis_value *in);
/* A copy of the node's attributes with its end, which the node has from here on, to be changed. NULL: no memory. */
precis_attr *pcs_node_own_attrs(precis_graph *g, pcs_node *n);
/* The form of a float net of which nodes have integer counterparts. */
precis_status pcs_graph_prepare(precis_graph *g);
/* What a net of arrays is run as, and written as C: other nodes with the same bits, but that a clamp of sums in whole
 * numbers is exact where floats round. All dimensions are known. */
precis_status pcs_graph_lower(precis_graph *g);
/* Point values at the nodes that make them, after the list changed. */
void pcs_graph_renumber(precis_graph *g);

#endif
