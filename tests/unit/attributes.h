/* attributes.h - lists of attributes that passes make have their end, as those of nodes that are made: they are given
 * to other nodes as lists. */
#ifndef TEST_ATTRIBUTES_H
#define TEST_ATTRIBUTES_H

#include "graph/graph.h"
#include "test.h"

static inline void test_attributes_end(precis_graph *g)
{
    for (int i = 0; i < 32; i++) memset(pcs_arena_alloc(&g->arena, 16, 1), 0xff, 16); /* what may lie after them */
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].attr[pcs_op_attrs(g->nodes[i].op)].kind != PRECIS_ATTR_NONE)
            fail_msg("node %s (%s): its attributes have no end", g->nodes[i].name, g->nodes[i].op->name);
}

#endif
