/* onnx_net.h - nodes, bodies and whole models out of ONNX's own text, on onnx_model.h. */
#ifndef TEST_ONNX_NET_H
#define TEST_ONNX_NET_H

#include "onnx_model.h"

static inline void onnx_graph(const char **s, onnx_bytes *out, const onnx_tensor *held, size_t n_held);

/* "..." or an identifier. */
static inline void onnx_quoted(const char **s, char *out, size_t room)
{
    size_t n = 0;
    for ((*s)++; **s && **s != '"'; (*s)++)
        if (n + 1 < room) out[n++] = **s;
    out[n] = 0;
    onnx_need(s, '"');
}

/* Does a number begin here, and is it a real one? */
static inline bool onnx_real(const char *s)
{
    for (; *s && !strchr(",]>) \n", *s); s++)
        if (*s == '.' || (*s == 'e' && isdigit((unsigned char)s[1]))) return true;
    return false;
}

/* Fields of AttributeProto: 2 f, 3 i, 4 s, 5 t, 6 g, 7 floats, 8 ints, 9 strings; field 20 is the type: f 1, i 2, s 3,
 * t 4, g 5, floats 6, ints 7, strings 8. */
static inline void onnx_value(const char **s, onnx_bytes *a, bool list)
{
    char text[512];
    const char c = onnx_peek(s);
    char *end;
    if (c == '"') {
        onnx_quoted(s, text, sizeof text);
        onnx_string(a, list ? 9 : 4, text);
        if (!list) onnx_int(a, 20, 3);
    } else if (onnx_real(*s)) {
        onnx_float(a, list ? 7 : 2, strtof(*s, &end));
        *s = end;
        if (!list) onnx_int(a, 20, 1);
    } else {
        onnx_int(a, list ? 8 : 3, strtoll(*s, &end, 10));
        if (end == *s) fail_msg("no value: %.40s", *s);
        *s = end;
        if (!list) onnx_int(a, 20, 2);
    }
}

static inline void onnx_list(const char **s, onnx_bytes *a)
{
    const char first = onnx_peek(s);
    onnx_int(a, 20, first == '"' ? 8 : onnx_real(*s) ? 6 : 7);
    while (!onnx_take(s, ']')) {
        onnx_value(s, a, true);
        onnx_take(s, ',');
    }
}

/* name = 1, 0.5, "text", [1, 2], a tensor `float[1] {0}` or a body `b (...) => (...) {...}`. */
static inline void onnx_attribute(const char **s, onnx_bytes *node)
{
    char name[ONNX_NAME];
    onnx_bytes a = { 0 }, part = { 0 };
    onnx_word(s, name);
    onnx_string(&a, 1, name);
    onnx_need(s, '=');
    const char c = onnx_peek(s);
    if (onnx_take(s, '[')) onnx_list(s, &a);
    else if (c == '"' || c == '-' || isdigit((unsigned char)c)) onnx_value(s, &a, false);
    else {
        const char *ahead = *s;
        onnx_word(&ahead, name);
        const bool body = onnx_peek(&ahead) == '(';
        if (body) onnx_graph(s, &part, NULL, 0);
        else {
            onnx_tensor t;
            onnx_bytes held = { 0 };
            onnx_read(s, &t);
            onnx_put_tensor(&held, 5, &t);
            onnx_put(&a, held.data, held.n);
            free(held.data), free(t.values);
        }
        if (body) onnx_within(&a, 6, &part);
        onnx_int(&a, 20, body ? 5 : 4);
    }
    onnx_within(node, 5, &a);
}

/* y, z = Op <attributes> (a, , b); the last word of a dotted op is its name, those before are its domain. */
static inline void onnx_node(const char **s, onnx_bytes *graph)
{
    onnx_bytes node = { 0 };
    char name[ONNX_NAME];
    do {
        onnx_word(s, name);
        onnx_string(&node, 2, name);
    } while (onnx_take(s, ','));
    onnx_need(s, '=');
    onnx_word(s, name);
    char *dot = strrchr(name, '.');
    onnx_string(&node, 4, dot ? dot + 1 : name);
    if (dot) {
        *dot = 0;
        onnx_string(&node, 7, name);
    }
    if (onnx_take(s, '<'))
        while (!onnx_take(s, '>')) {
            onnx_attribute(s, &node);
            onnx_take(s, ',');
        }
    onnx_need(s, '(');
    while (!onnx_take(s, ')')) {
        onnx_word(s, name);
        onnx_string(&node, 1, name);
        onnx_take(s, ',');
    }
    onnx_within(graph, 1, &node);
}

/* ValueInfoProto; no shape where the text has none, which says nothing of it (a scalar is [] here). */
static inline void onnx_put_port(onnx_bytes *graph, int field, const onnx_tensor *t, bool shaped)
{
    onnx_bytes info = { 0 }, type = { 0 }, tensor = { 0 }, shape = { 0 };
    onnx_string(&info, 1, t->name);
    onnx_int(&tensor, 1, onnx_types[t->type].type);
    for (uint32_t i = 0; i < t->dims; i++) {
        onnx_bytes dim = { 0 };
        if (t->open >> i & 1) onnx_string(&dim, 2, &"abcdefgh"[i]);
        else onnx_int(&dim, 1, t->shape[i]);
        onnx_within(&shape, 1, &dim);
    }
    if (shaped) onnx_within(&tensor, 2, &shape);
    free(shape.data);
    onnx_within(&type, 1, &tensor);
    onnx_within(&info, 2, &type);
    onnx_within(graph, field, &info);
}

static inline void onnx_ports(const char **s, onnx_bytes *graph, int field)
{
    onnx_need(s, '(');
    while (!onnx_take(s, ')')) {
        onnx_tensor t;
        onnx_port(s, &t);
        onnx_put_port(graph, field, &t, t.dims != 0);
        onnx_take(s, ',');
    }
}

/* name (ports) => (ports) { nodes }; `held` are its initializers. */
static inline void onnx_graph(const char **s, onnx_bytes *out, const onnx_tensor *held, size_t n_held)
{
    char name[ONNX_NAME];
    onnx_word(s, name);
    onnx_string(out, 2, name);
    for (size_t i = 0; i < n_held; i++) onnx_put_tensor(out, 5, &held[i]);
    onnx_ports(s, out, 11);
    onnx_need(s, '=');
    onnx_need(s, '>');
    onnx_ports(s, out, 12);
    onnx_need(s, '{');
    while (!onnx_take(s, '}')) onnx_node(s, out);
}

/* A model of nodes, with ports of the given tensors; the first n_given of `in` are inputs, the others initializers. */
typedef struct {
    const char *nodes;
    int64_t opset;
    const onnx_tensor *in, *out;
    size_t n_in, n_out, n_given;
} onnx_case;

static inline onnx_bytes onnx_model(const onnx_case *c)
{
    onnx_bytes model = { 0 }, graph = { 0 }, set = { 0 };
    onnx_string(&graph, 2, "g");
    for (size_t i = 0; i < c->n_in; i++)
        if (i >= c->n_given) onnx_put_tensor(&graph, 5, &c->in[i]);
        else onnx_put_port(&graph, 11, &c->in[i], true);
    for (size_t i = 0; i < c->n_out; i++) onnx_put_port(&graph, 12, &c->out[i], false);
    for (const char *s = c->nodes; onnx_peek(&s);) onnx_node(&s, &graph);
    onnx_int(&model, 1, 10);
    onnx_within(&model, 7, &graph);
    onnx_string(&set, 1, "");
    onnx_int(&set, 2, c->opset);
    onnx_within(&model, 8, &set);
    onnx_string(&set, 1, "com.microsoft");
    onnx_int(&set, 2, 1);
    onnx_within(&model, 8, &set);
    return model;
}

#endif
