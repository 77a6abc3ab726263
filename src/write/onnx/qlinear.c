/* qlinear.c - ops of ONNX and of onnxruntime that take codes and give codes. Sums of codes that are requantized become
 * QLinearConv, QLinearMatMul or QGemm: their one factor is written as the weights' scale, beside scales of one, as it
 * is all that the arithmetic asks for. Where a file is to have such ops (`whole`), codes - numbers - op - codes becomes
 * one, too. */
#include "write/onnx/functions.h"

static bool is_whole(const pcs_node *n) { return n && (n->op == &pcs_op_conv_whole || n->op == &pcs_op_product_whole); }

static int64_t count(const pcs_value *v)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < v->dims; i++) n *= v->shape[i];
    return n;
}

/* A constant as a vector, or as a scalar where there is one element and it need not be a vector: elements are the same.
 */
static const char *vector(pcs_lowering *w, precis_value v, bool always)
{
    const pcs_value *x = pcs_v(w, v);
    const int64_t n = count(x);
    return pcs_initializer(w, x->name, x->dtype, always || n != 1, &n, pcs_value_host(x));
}
static const char *line(pcs_lowering *w, precis_value v) { return vector(w, v, false); }
/* A bias has an element for each channel, be it one. */
static const char *bias_line(pcs_lowering *w, precis_value v) { return v < 0 ? NULL : vector(w, v, true); }

/* A zero point of all columns as one of each, of which QGemm wants as many as there are scales. */
static const char *zero_of_each(pcs_lowering *w, precis_value zero, precis_value scale)
{
    const pcs_value *z = pcs_v(w, zero);
    const int64_t n = count(pcs_v(w, scale));
    const uint8_t *code = pcs_value_host(z);
    if (n == 1 || z->dims || !code || pcs_dtype_bytes(z->dtype) != 1) return pcs_name(w, zero);
    uint8_t *each = pcs_arena_alloc(&w->arena, (size_t)n, 1);
    if (each) memset(each, *code, (size_t)n);
    return each ? pcs_initializer(w, z->name, z->dtype, 1, &n, each) : pcs_name(w, zero);
}

/* The integer product after a requantize, and its bias where a constant is added. */
static const pcs_node *product_of(const pcs_lowering *w, const pcs_node *n, precis_value *bias, bool alone)
{
    const pcs_node *m = pcs_maker(w, n->in[0]);
    *bias = -1;
    if (alone && m && w->uses[n->in[0]] != 1) return NULL;
    if (m && m->op == &pcs_op_add && pcs_value_is_known(pcs_v(w, m->in[1]))) {
        *bias = m->in[1];
        if (alone && w->uses[m->in[0]] != 1) return NULL;
        m = pcs_maker(w, m->in[0]);
    }
    return is_whole(m) && pcs_value_is_known(pcs_v(w, n->in[1])) ? m : NULL;
}

void pcs_take_requantize(pcs_lowering *w, const pcs_node *n)
{
    precis_value bias;
    const pcs_node *m = product_of(w, n, &bias, true);
    if (!m) return;
    pcs_take(w, m);
    if (bias >= 0) pcs_take(w, pcs_maker(w, n->in[0]));
}

precis_status pcs_lower_requantize(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    precis_value bias;
    const pcs_node *m = product_of(w, n, &bias, false);
    if (!m || !w->taken_node[m - w->g->nodes]) return pcs_cannot(w, n, "ONNX has no op that only requantizes");
    const bool conv = m->op == &pcs_op_conv_whole, gemm = !conv && bias >= 0;
    if (gemm && pcs_v(w, m->in[0])->dims != 2) return pcs_cannot(w, n, "it adds a bias to sums of more than matrices");
    const precis_attr *a = m->attr;
    const precis_attr attrs[] = { precis_attr_list("strides", conv ? a[0].n : 0, conv ? a[0].list : NULL),
                                  precis_attr_list("pads", conv ? a[1].n : 0, conv ? a[1].list : NULL),
                                  precis_attr_list("dilations", conv ? a[2].n : 0, conv ? a[2].list : NULL),
                                  conv ? precis_attr_int("group", a[3].integer) : (precis_attr){ 0 },
                                  { 0 } };
    const char *one = pcs_number(w, "one", PCS_F32, 1), *zero = pcs_name(w, n->in[2]);
    const char *in[9] = { pcs_name(w, m->in[0]), one, pcs_name(w, m->in[2]), pcs_name(w, m->in[1]), line(w, n->in[1]),
                          pcs_name(w, m->in[3]) };
    if (gemm) in[5] = zero_of_each(w, m->in[3], n->in[1]), in[6] = bias_line(w, bias), in[7] = one, in[8] = zero;
    else in[6] = one, in[7] = zero, in[8] = bias_line(w, bias);
    (void)row;
    return pcs_emit(w, &(pcs_made_node){ .op = conv   ? "QLinearConv"
                                               : gemm ? "QGemm"
                                                      : "QLinearMatMul",
                                         .domain = gemm ? "com.microsoft" : NULL,
                                         .name = n->name,
                                         .many = in,
                                         .n_in = bias >= 0 ? 9 : 8,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1,
                                         .attrs = attrs });
}

/* ---- codes - numbers - op - codes ------------------------------------------------------------------------ */

static const struct {
    const pcs_op *op;
    const char *onnx;
} forms[] = {
    { &pcs_op_add, "QLinearAdd" },
    { &pcs_op_mul, "QLinearMul" },
    { &pcs_op_concat, "QLinearConcat" },
    { &pcs_op_sigmoid, "QLinearSigmoid" },
    { &pcs_op_leaky_relu, "QLinearLeakyRelu" },
    { &pcs_op_reduce, "QLinearGlobalAveragePool" },
};

static bool is_byte(pcs_dtype d) { return d == PCS_I8 || d == PCS_U8; }

static bool plain(const pcs_lowering *w, const pcs_node *n)
{
    return n && pcs_is_scalar(w, n->in[1]) && pcs_is_scalar(w, n->in[2]) && !pcs_v(w, n->in[1])->dims &&
           !pcs_v(w, n->in[2])->dims && is_byte(pcs_v(w, n->in[2])->dtype);
}

/* The mean of a picture, for each of its channels. */
static bool is_global_mean(const pcs_lowering *w, const pcs_node *n)
{
    const precis_attr *axes = &n->attr[1];
    uint32_t set = 0;
    if (pcs_v(w, n->in[0])->dims != 4 || !n->attr[2].integer || n->attr[0].text[1] != 'e') return false;
    for (uint32_t i = 0; i < axes->n; i++) set |= 1u << (axes->list[i] & 3); /* -1 is 3 */
    return axes->n == 2 && set == (1u << 2 | 1u << 3);
}

static const char *form_of(const pcs_lowering *w, const pcs_node *n)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (forms[i].op != n->op) continue;
        if (n->op == &pcs_op_reduce && !is_global_mean(w, n)) return NULL;
        for (uint32_t k = 0; k < n->n_in; k++) {
            const pcs_node *m = pcs_maker(w, n->in[k]);
            if (!m || m->op != &pcs_op_from_codes || !plain(w, m)) return NULL;
        }
        return forms[i].onnx;
    }
    return NULL;
}

/* to_codes of such an op, which only it reads. */
bool pcs_take_form(pcs_lowering *w, const pcs_node *n)
{
    const pcs_node *m = w->what->whole && plain(w, n) ? pcs_maker(w, n->in[0]) : NULL;
    if (!m || w->uses[n->in[0]] != 1 || w->taken_node[m - w->g->nodes] || !form_of(w, m)) return false;
    pcs_take(w, m);
    for (uint32_t k = 0; k < m->n_in; k++)
        if (--w->uses[m->in[k]] == 0) pcs_take(w, pcs_maker(w, m->in[k]));
    return true;
}

precis_status pcs_lower_form(pcs_lowering *w, const pcs_node *n, const pcs_node *m)
{
    const char *op = form_of(w, m), *scale = pcs_name(w, n->in[1]), *zero = pcs_name(w, n->in[2]);
    const bool joins = m->op == &pcs_op_concat;
    const char **in = pcs_arena_alloc(&w->arena, 3 * m->n_in + 3, sizeof *in);
    uint32_t at = 0;
    if (!in) return PRECIS_ENOMEM;
    if (joins) in[at++] = scale, in[at++] = zero;
    for (uint32_t k = 0; k < m->n_in; k++) {
        const pcs_node *from = pcs_maker(w, m->in[k]);
        for (int i = 0; i < 3; i++) in[at++] = pcs_name(w, from->in[i]);
    }
    if (!joins) in[at++] = scale, in[at++] = zero;
    const precis_attr attrs[] = { joins                         ? precis_attr_int("axis", m->attr[0].integer)
                                  : m->op == &pcs_op_leaky_relu ? precis_attr_real("alpha", m->attr[0].real)
                                                                : (precis_attr){ 0 },
                                  { 0 } };
    return pcs_emit(w, &(pcs_made_node){ .op = op,
                                         .domain = "com.microsoft",
                                         .name = n->name,
                                         .many = in,
                                         .n_in = at,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1,
                                         .attrs = attrs });
}
