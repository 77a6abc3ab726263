/* prepare.c - the float net in the form that its nodes have integer counterparts of: fusions of passes.def. */
#include "quant/net/net.h"

#include "graph/pass.h"

precis_status pcs_net_prepare(precis_net_quant *q)
{
    if (q->o.by_hand) return precis_graph_pass(q->g, "drop_unused"); /* fusions were named, and are made */
    return pcs_graph_prepare(q->g);
}
