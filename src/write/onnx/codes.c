/* codes.c - QuantizeLinear and DequantizeLinear, and integer products. Scales that spread over one dimension are
 * written as a vector with its axis, as ONNX has them. */
#include "write/onnx/functions.h"

extern const pcs_op pcs_op_recurrent, pcs_op_to_codes, pcs_op_from_codes;

enum { TO, SATURATE, AXIS, BLOCK };

/* The dimension that scales stand along; dims of x: there is one scale for all. */
static uint32_t axis_of(const pcs_value *x, const pcs_value *s)
{
    uint32_t axis = x->dims;
    for (uint32_t i = 0; i < s->dims; i++)
        if (s->shape[i] != 1) axis = i + x->dims - s->dims;
    return axis;
}

/* Scales along several dimensions, which only the form with blocks has. */
static bool several(const pcs_value *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->dims; i++) n += s->shape[i] != 1;
    return n > 1;
}

static bool all_zero(const pcs_value *z)
{
    const uint8_t *p = pcs_value_host(z);
    const uint64_t n = pcs_value_bytes(z);
    for (uint64_t i = 0; p && i < n; i++)
        if (p[i]) return false;
    return p != NULL;
}

/* Scales or zero points as a scalar or a vector. */
static const char *flat(pcs_lowering *w, precis_value v, bool scalar)
{
    const pcs_value *s = pcs_v(w, v);
    int64_t n = 1;
    for (uint32_t i = 0; i < s->dims; i++) n *= s->shape[i];
    if (s->dims == (scalar ? 0 : 1)) return pcs_name(w, v);
    const pcs_node *spread = pcs_maker(w, v); /* it was spread when it was read */
    if (spread && spread->op == &pcs_op_reshape && pcs_v(w, spread->in[0])->dims == (scalar ? 0 : 1))
        return pcs_name(w, spread->in[0]);
    if (pcs_value_is_known(s))
        return pcs_initializer(w, s->name, s->dtype, scalar ? 0 : 1, &n, pcs_value_host(s));
    const char *in[] = { pcs_name(w, v), pcs_longs(w, "shape", !scalar, &n) };
    return in[0] && in[1] ? pcs_emit_one(w, "Reshape", s->name, 2, in, NULL) : NULL;
}

/* The opset whose form has codes of this type. */
static int64_t opset_of(pcs_dtype d, bool block)
{
    const uint32_t bits = pcs_dtype_bits(d);
    if (d == PCS_F4E2M1) return 23;
    if (bits < 8) return bits == 2 ? 25 : 21;
    return block || bits == 16 ? 21 : !pcs_dtype_whole(d) ? 19 : 13;
}

typedef struct {
    precis_attr list[4]; /* the last one has no name */
} codes_attrs;

/* What the form says beside scales. A matrix whose inputs are one block has blocks, too (its scale is a matrix). */
static codes_attrs attrs_of(const pcs_node *n, bool saturates, uint32_t axis, bool one)
{
    const bool block = n->attr[BLOCK].integer > 0;
    codes_attrs a = { 0 };
    uint32_t k = 0;
    if (block || !one) a.list[k++] = precis_attr_int("axis", block ? n->attr[AXIS].integer : axis);
    if (block) a.list[k++] = precis_attr_int("block_size", n->attr[BLOCK].integer);
    if (saturates) a.list[k++] = precis_attr_int("saturate", n->attr[SATURATE].integer);
    return a;
}

/* Does the node multiply codes of 16 bits, or is it recurrent? */
static bool is_apart(const pcs_lowering *w, const pcs_node *m)
{
    const pcs_node *x = m->n_in ? pcs_maker(w, m->in[0]) : NULL;
    if (m->op == &pcs_op_recurrent) return true;
    return x && x->op == &pcs_op_from_codes && pcs_dtype_bits(pcs_v(w, x->in[0])->dtype) == 16;
}

/* Weights that engines must not take for a part of a net in integers of 8 bits because they are stored in 8, in a net
 * that has codes of activations. OpenVINO keeps those of a recurrent node so, and refuses it for weights that are no
 * constants (and computes nonsense where they have zero points); onnxruntime multiplies them by codes of 8 bits that it
 * makes of those of 16 (MatMulNBits). So they are cast to 32 bits before they are decoded, which engines do while they
 * load the file, and which is undone when it is read here. */
static bool is_kept_apart(const pcs_lowering *w, const pcs_node *n)
{
    bool reads = false, coded = false;
    if (pcs_v(w, n->in[0])->dtype != PCS_I8 || !pcs_value_is_known(pcs_v(w, n->in[0]))) return false;
    for (size_t i = 0; i < w->g->n_nodes; i++) {
        const pcs_node *m = &w->g->nodes[i];
        coded = coded || m->op == &pcs_op_to_codes;
        for (uint32_t k = 1; k < m->n_in; k++) reads = reads || (m->in[k] == n->out[0] && is_apart(w, m));
    }
    return reads && coded;
}

static const char *cast_before(pcs_lowering *w, const pcs_node *n)
{
    const precis_attr to[] = { precis_attr_int("to", pcs_onnx_type(PCS_I32)), { 0 } };
    const char *codes = pcs_name(w, n->in[0]);
    return codes ? pcs_emit_one(w, "Cast", codes, 1, &codes, to) : NULL;
}

precis_status pcs_lower_codes(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const bool to = row->onnx[0] == 'Q';
    const pcs_value *x = pcs_v(w, n->in[0]), *s = pcs_v(w, n->in[1]), *z = pcs_v(w, n->in[2]);
    const pcs_dtype codes = to ? pcs_v(w, n->out[0])->dtype : x->dtype;
    const bool block = n->attr[BLOCK].integer > 0;
    const uint32_t axis = axis_of(x, s);
    const bool one = axis == x->dims;
    pcs_needs_opset(w, opset_of(codes, block));
    if (!block && several(s)) return pcs_cannot(w, n, "its scales stand along several dimensions");
    if (s->dims > 1 && !block && !one && axis_of(x, z) != axis && axis_of(x, z) != x->dims)
        return pcs_cannot(w, n, "its scales and zero points stand along different dimensions");
    if (!to && pcs_v(w, n->out[0])->dtype != s->dtype)
        return pcs_cannot(w, n, "it gives another type than its scales'");
    if (!one && !block && axis_of(x, z) == x->dims && !all_zero(z))
        return pcs_cannot(w, n, "it has one zero point for many scales");
    const bool spread = !one && !block && axis_of(x, z) != axis; /* one zero for all scales: it is left out */
    const bool wide = !to && !block && all_zero(z) && is_kept_apart(w, n);
    const bool left_out = (codes == PCS_I32 || spread || wide) && all_zero(z);
    const codes_attrs a = attrs_of(n, to && !pcs_dtype_whole(codes), axis, one);
    if (left_out && to && codes != PCS_U8) return pcs_cannot(w, n, "its zero point says no type");
    const char *zero = left_out ? "" : block ? pcs_name(w, n->in[2]) : flat(w, n->in[2], one);
    return pcs_emit(w, &(pcs_made_node){ .op = row->onnx,
                                         .name = n->name,
                                         .in = { wide ? cast_before(w, n) : pcs_name(w, n->in[0]),
                                                 block ? pcs_name(w, n->in[1]) : flat(w, n->in[1], one), zero },
                                         .n_in = left_out ? 2 : 3,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1,
                                         .attrs = a.list });
}

/* ConvInteger and MatMulInteger: x, w, and their zero points, of rows and columns as vectors. */
precis_status pcs_lower_whole(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const bool conv = row->onnx[0] == 'C';
    const precis_attr *a = n->attr;
    const precis_attr attrs[] = { conv ? precis_attr_list("strides", a[0].n, a[0].list) : (precis_attr){ 0 },
                                  conv ? precis_attr_list("pads", a[1].n, a[1].list) : (precis_attr){ 0 },
                                  conv ? precis_attr_list("dilations", a[2].n, a[2].list) : (precis_attr){ 0 },
                                  conv ? precis_attr_int("group", a[3].integer) : (precis_attr){ 0 },
                                  { 0 } };
    return pcs_emit(w, &(pcs_made_node){ .op = row->onnx,
                                         .name = n->name,
                                         .in = { pcs_name(w, n->in[0]), pcs_name(w, n->in[1]), pcs_name(w, n->in[2]),
                                                 pcs_name(w, n->in[3]) },
                                         .n_in = 4,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1,
                                         .attrs = conv ? attrs : NULL });
}
