/* fold_pad - zeros around what a convolution reads become its own pads. Of finite weights the bits stay what they are,
 * since what lies outside is multiplied as zero by both. */
#include "graph/pass/raise.h"
#include "graph/op/convolution.h"

extern const pcs_op pcs_op_conv, pcs_op_pad;

enum { PADS, MODE };

/* Zeros, behind and before positions only. */
static bool zeros(const precis_graph *g, const pcs_node *pad)
{
    const uint32_t dims = g->values[pad->out[0]].dims;
    double value;
    if (strcmp(pad->attr[MODE].text, "constant") || !pcs_one_number(g, pad->in[1], &value) || value != 0) return false;
    for (uint32_t i = 0; i < 2 * dims; i++) {
        const int64_t p = pad->attr[PADS].list[i];
        if (p < 0 || (p > 0 && i % dims < 2)) return false;
    }
    return true;
}

static precis_status fold(precis_graph *g, pcs_node *conv, const pcs_node *pad)
{
    const uint32_t dims = g->values[pad->out[0]].dims, places = dims - 2;
    precis_value *in = pcs_arena_alloc(&g->arena, conv->n_in, sizeof *in);
    int64_t *pads = pcs_arena_alloc(&g->arena, 2 * places + 1, sizeof *pads);
    precis_attr *attr = pcs_node_own_attrs(g, conv);
    if (!in || !pads || !attr) return PRECIS_ENOMEM;
    memcpy(in, conv->in, conv->n_in * sizeof *in);
    for (uint32_t i = 0; i < 2 * places; i++) {
        const int64_t own = attr[PCS_CONV_PADS].n ? attr[PCS_CONV_PADS].list[i] : 0;
        pads[i] = own + pad->attr[PADS].list[i / places * dims + 2 + i % places];
    }
    attr[PCS_CONV_PADS].list = pads;
    attr[PCS_CONV_PADS].n = 2 * places;
    in[0] = pad->in[0];
    conv->in = in;
    return PRECIS_OK;
}

static precis_status run(precis_graph *g)
{
    precis_status st = PRECIS_OK;
    pcs_graph_renumber(g);
    for (size_t i = 0; i < g->n_nodes && !st; i++) {
        pcs_node *n = &g->nodes[i];
        const pcs_node *pad = n->op == &pcs_op_conv ? pcs_made_by(g, n->in[0], &pcs_op_pad) : NULL;
        if (pad && zeros(g, pad)) st = fold(g, n, pad);
    }
    return st;
}

const pcs_pass pcs_pass_fold_pad = { "fold_pad", run };
