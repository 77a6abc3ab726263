/* elements.c - functions of elements, reductions and what orders them, as ops of ONNX. */
#include "write/onnx/functions.h"

precis_status pcs_lower_same(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, row->onnx, NULL);
}

/* Names of the two numbers of a unary op, in its order; NULL: the op of ONNX has none. */
static const struct {
    const pcs_op *op;
    const char *alpha, *beta;
} numbers[] = {
#define NUMBERS(name, a, b) { &pcs_op_##name, a, b },
#include "write/onnx/numbers.def"
#undef NUMBERS
};

precis_status pcs_lower_numbers(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    precis_attr attrs[3] = { { 0 } };
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].op != n->op) continue;
        if (numbers[i].alpha) attrs[count++] = precis_attr_real(numbers[i].alpha, n->attr[0].real);
        if (numbers[i].beta) attrs[count++] = precis_attr_real(numbers[i].beta, n->attr[1].real);
    }
    return pcs_emit_like(w, n, row->onnx, attrs);
}

precis_status pcs_lower_is_inf(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, row->onnx,
                         PRECIS_ATTRS(precis_attr_int("detect_positive", n->attr[0].real != 0),
                                      precis_attr_int("detect_negative", n->attr[1].real != 0)));
}

/* x * sigmoid(alpha x): Swish is of opset 24, and no reader has it yet. */
precis_status pcs_lower_swish(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const char *x = pcs_name(w, n->in[0]), *s = x;
    if (n->attr[0].real != 1) {
        const char *in[] = { x, pcs_number(w, "alpha", pcs_v(w, n->in[0])->dtype, n->attr[0].real) };
        s = pcs_emit_one(w, "Mul", n->name, 2, in, NULL);
    }
    s = pcs_emit_one(w, "Sigmoid", n->name, 1, &s, NULL);
    return pcs_emit(w, &(pcs_made_node){ .op = row->onnx,
                                         .name = n->name,
                                         .in = { x, s },
                                         .n_in = 2,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1 });
}

precis_status pcs_lower_gelu(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const char *how = n->attr[0].integer ? "tanh" : "none";
    return pcs_emit_like(w, n, row->onnx, PRECIS_ATTRS(precis_attr_text("approximate", how)));
}

/* ---- Clip: min(max(x, lo), hi), one element each ---------------------------------------------------- */

/* Is the second input a constant of one element? As Clip is read. */
static bool bounded(const pcs_lowering *w, const pcs_node *n)
{
    return pcs_is_scalar(w, n->in[1]) && pcs_v(w, n->in[1])->dims == 0 &&
           !pcs_value_is_known(pcs_v(w, n->in[0]));
}

static const pcs_node *inner(const pcs_lowering *w, const pcs_node *n)
{
    const pcs_node *m = bounded(w, n) ? pcs_alone(w, n->in[0], &pcs_op_max) : NULL;
    return m && bounded(w, m) ? m : NULL;
}

void pcs_take_clip(pcs_lowering *w, const pcs_node *n)
{
    const pcs_node *m = inner(w, n);
    if (m) pcs_take(w, m);
}

precis_status pcs_lower_min(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const pcs_node *m = pcs_maker(w, n->in[0]);
    if (!m || !w->taken_node[m - w->g->nodes]) return pcs_emit_like(w, n, row->onnx, NULL);
    return pcs_emit(w, &(pcs_made_node){ .op = "Clip",
                                         .name = m->name, /* as it was read: the second is NAME.1 */
                                         .in = { pcs_name(w, m->in[0]), pcs_name(w, m->in[1]), pcs_name(w, n->in[1]) },
                                         .n_in = 3,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1 });
}

precis_status pcs_lower_mod(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, "Mod", PRECIS_ATTRS(precis_attr_int("fmod", *row->onnx == 'f')));
}

precis_status pcs_lower_shift(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, "BitShift", PRECIS_ATTRS(precis_attr_text("direction", row->onnx)));
}

/* And, Or, Xor of truth values; of whole numbers the bitwise ones. */
precis_status pcs_lower_bits(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const bool truth = pcs_v(w, n->in[0])->dtype == PCS_BOOL;
    if (!truth) pcs_needs_opset(w, 18);
    return pcs_emit_like(w, n, truth ? row->onnx + strlen("Bitwise") : row->onnx, NULL);
}

precis_status pcs_lower_cast(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const pcs_dtype to = pcs_v(w, n->out[0])->dtype;
    const bool small = pcs_dtype_bytes(to) == 1 && !pcs_dtype_whole(to);
    if (n->attr[2].integer != 1 || n->attr[3].integer)
        return pcs_cannot(w, n, "%s", n->attr[3].integer ? "it takes bits as they are" : "it does not round up");
    if (small) pcs_needs_opset(w, 19);
    if (pcs_dtype_bits(to) < 8 && to != PCS_BOOL) pcs_needs_opset(w, to == PCS_F4E2M1 ? 23 : 21);
    const precis_attr attrs[] = { precis_attr_int("to", pcs_onnx_type(to)),
                                  small ? precis_attr_int("saturate", n->attr[1].integer) : (precis_attr){ 0 },
                                  { 0 } };
    return pcs_emit_like(w, n, row->onnx, attrs);
}

/* ---- along axes ------------------------------------------------------------------------------------ */

static const char *const reductions[][2] = {
    { "sum", "ReduceSum" },
    { "mean", "ReduceMean" },
    { "max", "ReduceMax" },
    { "min", "ReduceMin" },
    { "prod", "ReduceProd" },
    { "l1", "ReduceL1" },
    { "l2", "ReduceL2" },
    { "log_sum", "ReduceLogSum" },
    { "log_sum_exp", "ReduceLogSumExp" },
    { "sum_square", "ReduceSumSquare" },
    { NULL, NULL },
};
static const char *const global_pools[][2] = { { "mean", "GlobalAveragePool" },
                                               { "max", "GlobalMaxPool" },
                                               { NULL, NULL } };

/* All dimensions after the channels, kept as ones: what engines know as a global pooling. */
static bool is_global(const pcs_lowering *w, const pcs_node *n)
{
    const pcs_value *x = pcs_v(w, n->in[0]);
    if (x->dims < 3 || x->dtype != PCS_F32 || !n->attr[2].integer || n->attr[1].n != x->dims - 2) return false;
    for (uint32_t i = 0; i + 2 < x->dims; i++)
        if (pcs_axis(n->attr[1].list[i], x->dims) != i + 2) return false;
    return true;
}

precis_status pcs_lower_reduce(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const char *op = pcs_word_of(reductions, n->attr[0].text), *pool = pcs_word_of(global_pools, n->attr[0].text);
    (void)row;
    if (pool && is_global(w, n)) return pcs_emit_like(w, n, pool, NULL);
    if (!n->attr[1].n) return pcs_emit_like(w, n, "Identity", NULL);
    pcs_needs_opset(w, 18); /* the first whose axes are an input of all */
    const precis_attr attrs[] = { precis_attr_int("keepdims", n->attr[2].integer), { 0 } };
    return pcs_emit(
        w, &(pcs_made_node){ .op = op,
                             .name = n->name,
                             .in = { pcs_name(w, n->in[0]), pcs_longs(w, "axes", n->attr[1].n, n->attr[1].list) },
                             .n_in = 2,
                             .out = { pcs_result_name(w, n->out[0]) },
                             .n_out = 1,
                             .attrs = attrs });
}

precis_status pcs_lower_arg(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const precis_attr attrs[] = { precis_attr_int("axis", n->attr[0].integer),
                                  precis_attr_int("keepdims", n->attr[1].integer),
                                  precis_attr_int("select_last_index", n->attr[3].integer),
                                  { 0 } };
    (void)row;
    return pcs_emit_like(w, n, n->attr[2].integer ? "ArgMin" : "ArgMax", attrs);
}

static const char *const normalizations[][2] = {
    { "soft", "Softmax" }, { "log", "LogSoftmax" }, { "hard", "Hardmax" }, { NULL, NULL }
};

precis_status pcs_lower_normalize(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    (void)row;
    return pcs_emit_like(w, n, pcs_word_of(normalizations, n->attr[1].text),
                         PRECIS_ATTRS(precis_attr_int("axis", n->attr[0].integer)));
}

/* Of language models: over the last dimension. */
precis_status pcs_lower_softmax(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, row->onnx, PRECIS_ATTRS(precis_attr_int("axis", -1)));
}

precis_status pcs_lower_cumulate(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    (void)row;
    if (n->attr[3].integer) pcs_needs_opset(w, 26);
    const precis_attr attrs[] = { precis_attr_int("exclusive", n->attr[1].integer),
                                  precis_attr_int("reverse", n->attr[2].integer),
                                  { 0 } };
    return pcs_emit(w, &(pcs_made_node){
                           .op = n->attr[3].integer ? "CumProd" : "CumSum",
                           .name = n->name,
                           .in = { pcs_name(w, n->in[0]), pcs_number(w, "axis", PCS_I64, (double)n->attr[0].integer) },
                           .n_in = 2,
                           .out = { pcs_result_name(w, n->out[0]) },
                           .n_out = 1,
                           .attrs = attrs });
}

precis_status pcs_lower_top_k(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const precis_attr attrs[] = { precis_attr_int("axis", n->attr[1].integer),
                                  precis_attr_int("largest", !n->attr[2].integer),
                                  { 0 } };
    return pcs_emit(w, &(pcs_made_node){ .op = row->onnx,
                                         .name = n->name,
                                         .in = { pcs_name(w, n->in[0]), pcs_longs(w, "k", 1, &n->attr[0].integer) },
                                         .n_in = 2,
                                         .out = { pcs_result_name(w, n->out[0]), pcs_result_name(w, n->out[1]) },
                                         .n_out = 2,
                                         .attrs = attrs });
}

precis_status pcs_lower_einsum(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, row->onnx, PRECIS_ATTRS(precis_attr_text("equation", n->attr[0].text)));
}
