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
    int parts; /* of a Split, which says how many from opset 18 on */
} line;

static const line head[] = {
    { "Constant", "", "zero", "value_ints", 0, 0 },
    { "Constant", "", "unit", "value_ints", 1, 0 },
    { "Cast", "unit", "one", "to", 1, 0 },
    { "DynamicQuantizeLinear", "X", "xq xs xz", NULL, 0, 0 },
};
#define OF_WAY(name, to) \
    { "Gather", name " way%", to "g%", "axis", 0, 0 }, { "Squeeze", to "g% zero", to "%", NULL, 0, 0 }
static const line of_way[] = {
    OF_WAY("W", "w"), OF_WAY("R", "r"), OF_WAY("Ws", "ws"), OF_WAY("Rs", "rs"), OF_WAY("B", "b"),
    OF_WAY("initial_h", "h"),
    { "MatMulInteger", "xq w% xz", "xi%", NULL, 0, 0 },
    { "Cast", "xi%", "xf%", "to", 1, 0 },
    { "Mul", "xs ws%", "xc%", NULL, 0, 0 },
    { "Mul", "xf% xc%", "xw%", NULL, 0, 0 },
    { "Split", "b%", "bz% br% bh% cz% cr% ch%", "axis", 0, 6 },
    { "Add", "bz% cz%", "dz%", NULL, 0, 0 },
    { "Add", "br% cr%", "dr%", NULL, 0, 0 },
    { "Add", "bh% ch%", "dh%", NULL, 0, 0 },
};
/* A step: h and xt; gates are update, reset, and what is new. Its names have no digits, as those of ways have them. */
#define PRODUCT(of, to) \
    { "DynamicQuantizeLinear", of, to "q " to "s " to "z", NULL, 0, 0 }, \
        { "MatMulInteger", to "q r% " to "z", to "i", NULL, 0, 0 }, { "Cast", to "i", to "f", "to", 1, 0 }, \
        { "Mul", to "s rs%", to "c", NULL, 0, 0 }, { "Mul", to "f " to "c", to "p", NULL, 0, 0 }, \
        { "Split", to "p", to "_z " to "_r " to "_h", "axis", -1, 3 }
static const line gates[] = {
    { "Split", "xt", "x_z x_r x_h", "axis", -1, 3 }, PRODUCT("h", "a"),
    { "Add", "x_z a_z", "za", NULL, 0, 0 },          { "Add", "za dz%", "zb", NULL, 0, 0 },
    { "Sigmoid", "zb", "z", NULL, 0, 0 },            { "Add", "x_r a_r", "ra", NULL, 0, 0 },
    { "Add", "ra dr%", "rb", NULL, 0, 0 },           { "Sigmoid", "rb", "r", NULL, 0, 0 },
};
static const line linear[] = {
    { "Add", "x_h bh%", "na", NULL, 0, 0 },
    { "Add", "a_h ch%", "nb", NULL, 0, 0 },
    { "Mul", "r nb", "nc", NULL, 0, 0 },
    { "Add", "na nc", "nd", NULL, 0, 0 },
};
static const line plain[] = {
    { "Mul", "r h", "k", NULL, 0, 0 }, PRODUCT("k", "d"), { "Add", "x_h d_h", "na", NULL, 0, 0 },
    { "Add", "na dh%", "nd", NULL, 0, 0 },
};
static const line last[] = {
    { "Tanh", "nd", "n", NULL, 0, 0 },    { "Sub", "one z", "u", NULL, 0, 0 },   { "Mul", "u n", "v", NULL, 0, 0 },
    { "Mul", "z h", "w", NULL, 0, 0 },    { "Add", "v w", "next", NULL, 0, 0 },
    { "Identity", "next", "y", NULL, 0, 0 },
};
#define LINES(a) a, sizeof a / sizeof *a

/* What is being written: names of a way end in its digit; engines read a body in the opset of the file. */
typedef struct {
    char digit;
    bool linear, back;
    int64_t opset;
} body;

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
static precis_status put_lines(const body *f, pcs_buf *to, uint32_t number, const line *lines, size_t n)
{
    pcs_buf b;
    precis_status st = PRECIS_OK;
    pcs_buf_init(&b, to->ctx, 1u << 16);
    for (size_t i = 0; i < n && !st; i++) {
        const line *l = &lines[i];
        b.len = 0;
        st = put_names(&b, 1, l->in, f->digit);
        if (!st) st = put_names(&b, 2, l->out, f->digit);
        if (!st) st = pcs_put_text(&b, 4, l->op);
        if (!st && l->attr) st = put_number(&b, l->attr, l->attr[0] == 'v', l->value);
        if (!st && l->parts && f->opset >= 18) st = put_number(&b, "num_outputs", false, l->parts);
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

static precis_status put_step(const body *f, pcs_buf *to)
{
    precis_status st = put_lines(f, to, 1, LINES(gates));
    if (!st) st = f->linear ? put_lines(f, to, 1, LINES(linear)) : put_lines(f, to, 1, LINES(plain));
    if (!st) st = put_lines(f, to, 1, LINES(last));
    if (!st) st = pcs_put_text(to, 2, "step");
    if (!st) st = put_step_port(to, 11, "h");
    if (!st) st = put_step_port(to, 11, "xt");
    if (!st) st = put_step_port(to, 12, "next");
    return st ? st : put_step_port(to, 12, "y");
}

/* The Scan of a way, as a node of the function. */
static precis_status put_scan(const body *f, pcs_buf *to)
{
    pcs_buf node, attr, step;
    pcs_buf *all[] = { &node, &attr, &step };
    for (int i = 0; i < 3; i++) pcs_buf_init(all[i], to->ctx, 1u << 20);
    precis_status st = put_names(&node, 1, "h% xw%", f->digit);
    if (!st) st = put_names(&node, 2, "last% ys%", f->digit);
    if (!st) st = pcs_put_text(&node, 4, "Scan");
    if (!st) st = put_step(f, &step);
    if (!st) st = pcs_put_text(&attr, 1, "body");
    if (!st) st = pcs_put_bytes(&attr, 6, step.data, step.len);
    if (!st) st = pcs_put_varint(&attr, 20, 5);
    if (!st) st = pcs_put_bytes(&node, 5, attr.data, attr.len);
    if (!st) st = put_number(&node, "num_scan_inputs", false, 1);
    if (!st) st = put_number(&node, "scan_input_directions", true, f->back);
    if (!st) st = put_number(&node, "scan_output_directions", true, f->back);
    if (!st) st = pcs_put_bytes(to, 7, node.data, node.len);
    for (int i = 0; i < 3; i++) pcs_buf_free(all[i]);
    return st;
}

static precis_status put_way(const body *f, pcs_buf *to)
{
    const line which = { "Constant", "", "way%", "value_ints", f->digit - '0', 0 };
    static const line ends[] = { { "Unsqueeze", "ys% unit", "yu%", NULL, 0, 0 },
                                 { "Unsqueeze", "last% zero", "hu%", NULL, 0, 0 } };
    precis_status st = put_lines(f, to, 7, &which, 1);
    if (!st) st = put_lines(f, to, 7, LINES(of_way));
    if (!st) st = put_scan(f, to);
    return st ? st : put_lines(f, to, 7, LINES(ends));
}

/* way: 0 forward, 1 reverse, 2 both. */
static precis_status put_function(pcs_buf *to, const char *name, int way, bool is_linear, int64_t opset)
{
    const uint8_t version[] = { 10, 0, 16, (uint8_t)opset }; /* of ONNX itself */
    const body f[] = { { '0', is_linear, way == 1, opset }, { '1', is_linear, true, opset } };
    const line join[] = { { "Concat", way == 2 ? "yu0 yu1" : "yu0", "Y", "axis", 1, 0 },
                          { "Concat", way == 2 ? "hu0 hu1" : "hu0", "Yh", "axis", 0, 0 } };
    precis_status st = pcs_put_text(to, 1, name);
    if (!st) st = put_names(to, 4, "X W R B lengths initial_h Ws Rs", '0');
    if (!st) st = put_names(to, 5, "Y Yh", '0');
    if (!st) st = put_names(to, 6, "direction linear_before_reset", '0');
    if (!st) st = put_lines(&f[0], to, 7, LINES(head));
    if (!st) st = put_way(&f[0], to);
    if (!st && way == 2) st = put_way(&f[1], to);
    if (!st) st = put_lines(&f[0], to, 7, LINES(join));
    if (!st) st = pcs_put_bytes(to, 9, version, sizeof version);
    return st ? st : pcs_put_text(to, 10, PCS_ONNX_DOMAIN);
}

static const char *const names[] = { "DynamicQuantizeGRUForward", "DynamicQuantizeGRUReverse",
                                     "DynamicQuantizeGRUBidirectional", "DynamicQuantizeGRUForwardLinear",
                                     "DynamicQuantizeGRUReverseLinear", "DynamicQuantizeGRUBidirectionalLinear" };

precis_status pcs_put_gru_functions(const pcs_lowering *w, pcs_buf *to)
{
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 6 && !st; i++) {
        pcs_buf b;
        if (!(w->functions & 1u << i)) continue;
        pcs_buf_init(&b, w->ctx, 1u << 20);
        st = put_function(&b, names[i], i % 3, i >= 3, w->opset);
        if (!st) st = pcs_put_bytes(to, 25, b.data, b.len);
        pcs_buf_free(&b);
    }
    return st;
}

enum { X, W, R, B, LENGTHS, H, WS, WZ, RS, RZ }; /* all sequences have all steps, and zero points are zero */

precis_status pcs_lower_dynamic_gru(pcs_lowering *w, const pcs_node *n)
{
    const char *way = n->attr[1].text;
    const bool is_linear = n->attr[5].integer != 0;
    const int which = (way[0] == 'f' ? 0 : way[0] == 'r' ? 1 : 2) + 3 * is_linear;
    w->functions |= 1u << which;
    const precis_attr attrs[] = { precis_attr_text("direction", way), precis_attr_int("linear_before_reset", is_linear),
                                  { 0 } };
    return pcs_emit(w, &(pcs_made_node){ .op = names[which],
                                         .domain = PCS_ONNX_DOMAIN,
                                         .name = n->name,
                                         .in = { pcs_name(w, n->in[X]), pcs_name(w, n->in[W]), pcs_name(w, n->in[R]),
                                                 pcs_name(w, n->in[B]), "", pcs_name(w, n->in[H]),
                                                 pcs_name(w, n->in[WS]), pcs_name(w, n->in[RS]) },
                                         .n_in = 8,
                                         .out = { pcs_result_name(w, n->out[0]), pcs_result_name(w, n->out[1]) },
                                         .n_out = 2,
                                         .attrs = attrs });
}
