/* step.c - the operands of a step, for the sizes of a call. */
#include "run/program.h"

static void arg_of(const precis_program *p, int32_t slot, pcs_arg *a)
{
    const pcs_slot *s = &p->slots[slot];
    const pcs_slot *root = &p->slots[s->root];
    *a = (pcs_arg){ .dtype = s->v.dtype, .dims = s->v.dims, .format = s->v.format, .affine = s->v.affine,
                    .data = root->data, .panels = root->panels };
    for (uint32_t i = 0; i < s->v.dims; i++)
        a->shape[i] = pcs_program_extent(p, s->v.shape[i]);
    if (s->v.dtype == PCS_STATE) a->data = s->kv;
    if (s->v.dtype == PCS_ACT_MIXED) a->dtype = pcs_arg_rows(a) < PCS_MIXED_ROWS ? PCS_ACT : PCS_ACT_BF16;
    if (a->dtype == PCS_ACT) a->data = (void *)&s->act;
}

void pcs_step_bind(precis_program *p, pcs_step *s)
{
    pcs_arg *const in = s->call.in, *const out = s->call.out;
    s->call = (pcs_call){
        .ctx = p->ctx, .kernels = &p->kernels, .attr = s->attr, .n_in = s->n_in, .n_out = s->n_out, .in = in,
        .out = out, .scratch = p->scratch, .scratch_size = s->room.bytes, .tiles = p->tiles, .outside = &s->outside,
        .claims = p->claims, .step = (uint32_t)(s - p->steps) + 1,
    };
    for (uint32_t i = 0; i < s->n_in; i++) arg_of(p, s->in[i], &in[i]);
    for (uint32_t i = 0; i < s->n_out; i++) arg_of(p, s->out[i], &out[i]);
    const bool many = s->n_in && pcs_arg_rows(&in[0]) >= PCS_MIXED_ROWS;
    s->call.bf16 = p->arithmetic == PRECIS_BF16 || (p->arithmetic == PRECIS_MIXED && many);
    if (s->plain >= 0 && in[0].dtype == PCS_ACT) arg_of(p, s->plain, &in[0]);
    s->call.by_columns = s->columns && p->one && !p->tiles && pcs_arg_rows(&in[0]) == 1;
    if (s->below && in[0].dtype == PCS_ACT) s->call.kernels = &p->below;
}

precis_status pcs_step_refuse(const precis_program *p, const char *name, const pcs_op *op)
{
    return pcs_fail(p->ctx, PRECIS_EFORMAT,
                    "node %s (%s): met an index outside of what it takes from, or a scale that is not above zero and "
                    "finite",
                    name, op->name);
}
