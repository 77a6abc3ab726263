/* linear.c - products of matrices. */
#include "write/onnx/functions.h"

/* A constant matrix [n, k] as [k, n]. */
static const char *turned(pcs_lowering *w, const pcs_value *v)
{
    const int64_t shape[] = { v->shape[1], v->shape[0] };
    float *to = pcs_arena_alloc(&w->arena, (size_t)(shape[0] * shape[1]) + 1, sizeof *to);
    const float *from = pcs_value_f32(v, (uint64_t)shape[0] * (uint64_t)shape[1]);
    for (int64_t r = 0; to && from && r < shape[0]; r++)
        for (int64_t c = 0; c < shape[1]; c++) to[r * shape[1] + c] = from[c * shape[0] + r];
    return to && from ? pcs_initializer(w, v->name, PCS_F32, 2, shape, to) : NULL;
}

/* Rows of weights: Gemm of a matrix; of more dimensions MatMul with the weights turned, and Add. */
precis_status pcs_lower_matmul(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    static const int64_t perm[] = { 1, 0 };
    const pcs_value *weights = pcs_v(w, n->in[1]);
    if (weights->dtype != PCS_F32) return pcs_cannot(w, n, "its weights are stored in a format of language models");
    if (pcs_v(w, n->in[0])->dims == 2)
        return pcs_emit_like(w, n, row->onnx, PRECIS_ATTRS(precis_attr_int("transB", 1)));
    const char *right = pcs_name(w, n->in[1]);
    if (pcs_value_is_known(weights)) right = turned(w, weights);
    else if (right)
        right = pcs_emit_one(w, "Transpose", n->name, 1, &right, PRECIS_ATTRS(precis_attr_list("perm", 2, perm)));
    const char *in[] = { pcs_name(w, n->in[0]), right }, *y = NULL;
    if (n->n_in > 2) {
        y = pcs_emit_one(w, "MatMul", n->name, 2, in, NULL);
        in[0] = y, in[1] = pcs_name(w, n->in[2]);
    }
    return pcs_emit(w, &(pcs_made_node){ .op = y ? "Add" : "MatMul",
                                         .name = n->name,
                                         .in = { in[0], in[1] },
                                         .n_in = 2,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1 });
}

precis_status pcs_lower_scale(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit(w, &(pcs_made_node){ .op = row->onnx,
                                         .name = n->name,
                                         .in = { pcs_name(w, n->in[0]), pcs_number(w, "by", PCS_F32, n->attr[0].real) },
                                         .n_in = 2,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1 });
}
