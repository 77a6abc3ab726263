/* prepare.c - the float net in the form that its nodes have integer counterparts of: fusions of passes.def. */
#include "quant/net/net.h"

precis_status pcs_net_prepare(precis_net_quant *q)
{
    static const char *const passes[] = { "fold_pad",   "fold_batch_norm",  "fold_scale", "raise_activations",
                                          "raise_gelu", "raise_layer_norm", "drop_unused" };
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < sizeof passes / sizeof *passes && !st; i++) st = precis_graph_pass(q->g, passes[i]);
    return st;
}
