/* gru.c - a GRU of codes. Neither ONNX nor onnxruntime has one, so it is a function of the file: DynamicQuantizeLinear
 * and MatMulInteger for all of x, and a Scan over steps that does the same with h. onnxruntime runs the function's
 * body; precis's reader takes the call as the op that it was written of (raise_dynamic_gru), whose bits are the
 * body's. */
#include "read/onnx/onnx.h"
#include "write/onnx/functions.h"

/* A node: names apart by spaces, where % is the way, and an attribute of one number (of `value_ints` a list). */
typedef struct {
    const char *op, *in, *out, *attr;
    int64_t value;
} line;

static const line head[] = {
    { "Constant", "", "zero", "value_ints", 0 },
    { "Constant", "", "unit", "value_ints", 1 },
    { "Cast", "unit", "one", "to", 1 },
    { "DynamicQuantizeLinear", "X", "xq xs xz", NULL, 0 },
};
#define OF_WAY(name, to) \
    { "Gather", name " way%", to "g%", "axis", 0 }, { "Squeeze", to "g% zero", to "%", NULL, 0 }
static const line of_way[] = {
    OF_WAY("W", "w"), OF_WAY("R", "r"), OF_WAY("Ws", "ws"), OF_WAY("Rs", "rs"), OF_WAY("B", "b"),
    OF_WAY("initial_h", "h"),
    { "MatMulInteger", "xq w% xz", "xi%", NULL, 0 },
    { "Cast", "xi%", "xf%", "to", 1 },
    { "Mul", "xs ws%", "xc%", NULL, 0 },
    { "Mul", "xf% xc%", "xw%", NULL, 0 },
    { "Split", "b%", "bz% br% bh% cz% cr% ch%", "axis", 0 },
    { "Add", "bz% cz%", "dz%", NULL, 0 },
    { "Add", "br% cr%", "dr%", NULL, 0 },
    { "Add", "bh% ch%", "dh%", NULL, 0 },
};
/* A step: h and xt; gates are update, reset, and what is new. Its names have no digits, as those of ways have them. */
#define PRODUCT(of, to) \
    { "DynamicQuantizeLinear", of, to "q " to "s " to "z", NULL, 0 }, \
        { "MatMulInteger", to "q r% " to "z", to "i", NULL, 0 }, { "Cast", to "i", to "f", "to", 1 }, \
        { "Mul", to "s rs%", to "c", NULL, 0 }, { "Mul", to "f " to "c", to "p", NULL, 0 }, \
        { "Split", to "p", to "_z " to "_r " to "_h", "axis", -1 }
static const line gates[] = {
    { "Split", "xt", "x_z x_r x_h", "axis", -1 }, PRODUCT("h", "a"),
    { "Add", "x_z a_z", "za", NULL, 0 },          { "Add", "za dz%", "zb", NULL, 0 },
    { "Sigmoid", "zb", "z", NULL, 0 },            { "Add", "x_r a_r", "ra", NULL, 0 },
    { "Add", "ra dr%", "rb", NULL, 0 },           { "Sigmoid", "rb", "r", NULL, 0 },
};
static const line linear[] = {
    { "Add", "x_h bh%", "na", NULL, 0 },
    { "Add", "a_h ch%", "nb", NULL, 0 },
    { "Mul", "r nb", "nc", NULL, 0 },
    { "Add", "na nc", "nd", NULL, 0 },
};
static const line plain[] = {
    { "Mul", "r h", "k", NULL, 0 }, PRODUCT("k", "d"), { "Add", "x_h d_h", "na", NULL, 0 },
    { "Add", "na dh%", "nd", NULL, 0 },
};
static const line last[] = {
    { "Tanh", "nd", "n", NULL, 0 },    { "Sub", "one z", "u", NULL, 0 },   { "Mul", "u n", "v", NULL, 0 },
    { "Mul", "z h", "w", NULL, 0 },    { "Add", "v w", "next", NULL, 0 },  { "Identity", "next", "y", NULL, 0 },
};
#define LINES(a) a, sizeof a / sizeof *a

/* Names of a list as a field each. */
static precis_status put_names(pcs_buf *b, uint32_t number, const char *names, char way)
{
    precis_status st = PRECIS_OK;
    for (const char *s = names; *s && !st;) {
        char name[32];
        size_t n = 0;
        for (; *s && *s != ' ' && n + 1 < sizeof name; s++) name[n++] = *s == '%' ? way : *s;
        name[n] = 0;
        s += *s == ' ';
        st = pcs_put_text(b, number, name);
    }
    return st;
}

static precis_status put_number(pcs_buf *to, const char *name, bool list, const int64_t value)
{
    pcs_buf b;
    pcs_buf_init(&b, to->ctx, 1u << 12);
    precis_status st = pcs_put_text(&b, 1, name);
    if (!st) st = pcs_put_varint(&b, list ? 8 : 3, (uint64_t)value);
    if (!st) st = pcs_put_varint(&b, 20, list ? 7 : 2);
    if (!st) st = pcs_put_bytes(to, 5, b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

/* Lines as nodes, field `number` of what is written. */
static precis_status put_lines(pcs_buf *to, uint32_t number, const line *lines, size_t n, int way)
{
    pcs_buf b;
    precis_status st = PRECIS_OK;
    const char digit = (char)('0' + way);
    pcs_buf_init(&b, to->ctx, 1u << 16);
    for (size_t i = 0; i < n && !st; i++) {
        const line *l = &lines[i];
        b.len = 0;
        st = put_names(&b, 1, l->in, digit);
        if (!st) st = put_names(&b, 2, l->out, digit);
        if (!st) st = pcs_put_text(&b, 4, l->op);
        if (!st && l->attr) st = put_number(&b, l->attr, l->attr[0] == 'v', l->value);
        if (!st) st = pcs_put_bytes(to, number, b.data, b.len);
    }
    pcs_buf_free(&b);
    return st;
}

/* A port of a graph: F32 of any shape. */
static precis_status put_step_port(pcs_buf *to, uint32_t number, const char *name)
{
    static const uint8_t type[] = { 10, 2, 8, 1 }; /* a tensor, its elements of type 1 */
    pcs_buf b;
    pcs_buf_init(&b, to->ctx, 1u << 12);
    precis_status st = pcs_put_text(&b, 1, name);
    if (!st) st = pcs_put_bytes(&b, 2, type, sizeof type);
    if (!st) st = pcs_put_bytes(to, number, b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

static precis_status put_step(pcs_buf *to, int way, bool is_linear)
{
    precis_status st = put_lines(to, 1, LINES(gates), way);
    if (!st) st = is_linear ? put_lines(to, 1, LINES(linear), way) : put_lines(to, 1, LINES(plain), way);
    if (!st) st = put_lines(to, 1, LINES(last), way);
    if (!st) st = pcs_put_text(to, 2, "step");
    if (!st) st = put_step_port(to, 11, "h");
    if (!st) st = put_step_port(to, 11, "xt");
    if (!st) st = put_step_port(to, 12, "next");
    return st ? st : put_step_port(to, 12, "y");
}

/* The Scan of a way, as a node of the function. */
static precis_status put_scan(pcs_buf *to, int way, bool is_linear, bool back)
{
    pcs_buf node, attr, step;
    pcs_buf *all[] = { &node, &attr, &step };
    const char digit = (char)('0' + way);
    for (int i = 0; i < 3; i++) pcs_buf_init(all[i], to->ctx, 1u << 20);
    precis_status st = put_names(&node, 1, "h% xw%", digit);
    if (!st) st = put_names(&node, 2, "last% ys%", digit);
    if (!st) st = pcs_put_text(&node, 4, "Scan");
    if (!st) st = put_step(&step, way, is_linear);
    if (!st) st = pcs_put_text(&attr, 1, "body");
    if (!st) st = pcs_put_bytes(&attr, 6, step.data, step.len);
    if (!st) st = pcs_put_varint(&attr, 20, 5);
    if (!st) st = pcs_put_bytes(&node, 5, attr.data, attr.len);
    if (!st) st = put_number(&node, "num_scan_inputs", false, 1);
    if (!st) st = put_number(&node, "scan_input_directions", true, back);
    if (!st) st = put_number(&node, "scan_output_directions", true, back);
    if (!st) st = pcs_put_bytes(to, 7, node.data, node.len);
    for (int i = 0; i < 3; i++) pcs_buf_free(all[i]);
    return st;
}

static precis_status put_way(pcs_buf *to, int way, bool is_linear, bool back)
{
    const line which = { "Constant", "", "way%", "value_ints", way };
    static const line ends[] = { { "Unsqueeze", "ys% unit", "yu%", NULL, 0 },
                                 { "Unsqueeze", "last% zero", "hu%", NULL, 0 } };
    precis_status st = put_lines(to, 7, &which, 1, way);
    if (!st) st = put_lines(to, 7, LINES(of_way), way);
    if (!st) st = put_scan(to, way, is_linear, back);
    return st ? st : put_lines(to, 7, LINES(ends), way);
}

static precis_status put_function(pcs_buf *to, const char *name, const char *way, bool is_linear)
{
    static const uint8_t opset[] = { 10, 0, 16, 17 }; /* of ONNX itself: 17 */
    const bool both = way[0] == 'b';
    const line join[] = { { "Concat", both ? "yu0 yu1" : "yu0", "Y", "axis", 1 },
                          { "Concat", both ? "hu0 hu1" : "hu0", "Yh", "axis", 0 } };
    precis_status st = pcs_put_text(to, 1, name);
    if (!st) st = put_names(to, 4, "X W R B lengths initial_h Ws Rs", '0');
    if (!st) st = put_names(to, 5, "Y Yh", '0');
    if (!st) st = put_names(to, 6, "direction linear_before_reset", '0');
    if (!st) st = put_lines(to, 7, LINES(head), 0);
    if (!st) st = put_way(to, 0, is_linear, way[0] == 'r');
    if (!st && both) st = put_way(to, 1, is_linear, true);
    if (!st) st = put_lines(to, 7, LINES(join), 0);
    if (!st) st = pcs_put_bytes(to, 9, opset, sizeof opset);
    return st ? st : pcs_put_text(to, 10, PCS_ONNX_DOMAIN);
}

enum { X, W, R, B, LENGTHS, H, WS, WZ, RS, RZ }; /* all sequences have all steps, and zero points are zero */

precis_status pcs_lower_dynamic_gru(pcs_lowering *w, const pcs_node *n)
{
    static const char *const names[] = { "DynamicQuantizeGRUForward", "DynamicQuantizeGRUReverse",
                                         "DynamicQuantizeGRUBidirectional", "DynamicQuantizeGRUForwardLinear",
                                         "DynamicQuantizeGRUReverseLinear", "DynamicQuantizeGRUBidirectionalLinear" };
    const char *way = n->attr[1].text;
    const bool is_linear = n->attr[5].integer != 0;
    const int which = (way[0] == 'f' ? 0 : way[0] == 'r' ? 1 : 2) + 3 * is_linear;
    precis_status st = PRECIS_OK;
    if (!(w->functions_made & 1u << which)) {
        pcs_buf b;
        pcs_buf_init(&b, w->ctx, 1u << 20);
        st = put_function(&b, names[which], way, is_linear);
        if (!st) st = pcs_put_bytes(&w->functions, 25, b.data, b.len);
        pcs_buf_free(&b);
        w->functions_made |= 1u << which;
    }
    pcs_needs_opset(w, 17);
    const precis_attr attrs[] = { precis_attr_text("direction", way), precis_attr_int("linear_before_reset", is_linear),
                                  { 0 } };
    return st ? st : pcs_emit(w, &(pcs_made_node){ .op = names[which],
                                                   .domain = PCS_ONNX_DOMAIN,
                                                   .name = n->name,
                                                   .in = { pcs_name(w, n->in[X]), pcs_name(w, n->in[W]),
                                                           pcs_name(w, n->in[R]), pcs_name(w, n->in[B]), "",
                                                           pcs_name(w, n->in[H]), pcs_name(w, n->in[WS]),
                                                           pcs_name(w, n->in[RS]) },
                                                   .n_in = 8,
                                                   .out = { pcs_result_name(w, n->out[0]),
                                                            pcs_result_name(w, n->out[1]) },
                                                   .n_out = 2,
                                                   .attrs = attrs });
}
