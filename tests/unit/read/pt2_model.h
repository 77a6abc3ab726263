/* pt2_model.h - archives of torch.export for tests: a list of calls in text, such as
 *     y = aten.sum.dim_IntList(self=x, dim=[1], keepdim=true)
 * becomes models/model.json in a stored zip. Written from what torch 2.15 saves; nothing here is the reader's. Words
 * are tensors, #n a number of the graph, %6 a type, 'text' text, [a, none] tensors that may be absent. A dimension i
 * that is open has the size si. */
#ifndef TEST_PT2_MODEL_H
#define TEST_PT2_MODEL_H

#include "onnx_model.h"

static inline void pt2_say(onnx_bytes *b, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof text);
    onnx_put(b, text, (size_t)n);
}

/* torch's ScalarType + 1, as archives say it. */
static inline int pt2_type(const onnx_tensor *t)
{
    static const int types[][2] = { { 1, 7 }, { 2, 1 },  { 3, 2 },  { 5, 3 },  { 6, 4 },
                                    { 7, 5 }, { 9, 12 }, { 10, 6 }, { 11, 8 }, { 16, 13 } };
    for (size_t i = 0; i < ONNX_COUNT(types); i++)
        if (types[i][0] == onnx_types[t->type].type) return types[i][1];
    fail_msg("torch has no %s", onnx_types[t->type].name);
    return 0;
}

static inline void pt2_meta(onnx_bytes *b, const onnx_tensor *t)
{
    pt2_say(b, "\"%s\":{\"dtype\":%d,\"requires_grad\":false,\"layout\":7,\"device\":{\"type\":\"cpu\",\"index\":null},"
               "\"storage_offset\":{\"as_int\":0},\"sizes\":[", t->name, pt2_type(t));
    for (uint32_t i = 0; i < t->dims; i++)
        if (t->open >> i & 1)
            pt2_say(b, "%s{\"as_expr\":{\"expr_str\":\"Symbol('s%u')\",\"hint\":null}}", i ? "," : "", i);
        else pt2_say(b, "%s{\"as_int\":%lld}", i ? "," : "", (long long)t->shape[i]);
    pt2_say(b, "],\"strides\":[");
    for (uint32_t i = 0; i < t->dims; i++) {
        long long stride = 1;
        for (uint32_t k = i + 1; k < t->dims; k++) stride *= t->shape[k];
        pt2_say(b, "%s{\"as_int\":%lld}", i ? "," : "", stride);
    }
    pt2_say(b, "]}");
}

/* One value; inside a list (`kind` is the list's) it is what the list holds. */
static inline void pt2_value(const char **s, onnx_bytes *b, const char *kind)
{
    char word[ONNX_NAME];
    const char c = onnx_peek(s);
    if (c == '\'') {
        const char *end = strchr(*s + 1, '\'');
        pt2_say(b, "{\"as_string\":\"%.*s\"}", (int)(end - *s - 1), *s + 1);
        *s = end + 1;
    } else if (onnx_take(s, '#')) {
        onnx_word(s, word);
        pt2_say(b, strstr(kind, "sym") ? "{\"as_name\":\"%s\"}" : "{\"as_sym_int\":{\"as_name\":\"%s\"}}", word);
    } else if (c == '-' || isdigit((unsigned char)c) || onnx_take(s, '%')) {
        char *end;
        strtod(*s, &end);
        const int n = (int)(end - *s);
        const bool real = memchr(*s, '.', (size_t)n) || memchr(*s, 'e', (size_t)n);
        if (isalpha((unsigned char)end[-1])) pt2_say(b, "{\"as_float\":\"%sInfinity\"}", c == '-' ? "-" : "");
        else if (c == '%') pt2_say(b, "{\"as_scalar_type\":%.*s}", n, *s);
        else if (!*kind) pt2_say(b, "{\"%s\":%.*s}", real ? "as_float" : "as_int", n, *s);
        else pt2_say(b, strstr(kind, "sym") ? "{\"as_int\":%.*s}" : "%.*s", n, *s);
        *s = end;
    } else {
        onnx_word(s, word);
        if (!*word) fail_msg("no value: %.40s", *s);
        if (!strcmp(word, "none")) pt2_say(b, "{\"as_none\":true}");
        else if (!strcmp(word, "true") || !strcmp(word, "false")) pt2_say(b, "{\"as_bool\":%s}", word);
        else if (!strcmp(word, "inf")) pt2_say(b, "{\"as_float\":\"Infinity\"}");
        else pt2_say(b, !strcmp(kind, "as_tensors") ? "{\"name\":\"%s\"}" : "{\"as_tensor\":{\"name\":\"%s\"}}", word);
    }
}

/* What a list is, by what stands in it. */
static inline const char *pt2_kind(const char *s)
{
    const size_t n = strcspn(s, "]");
    bool words = false, real = false;
    for (const char *p = s; p < s + n; p++) {
        if (*p == '#') return "as_sym_ints";
        words |= isalpha((unsigned char)*p) && *p != 'e';
        real |= *p == '.';
    }
    for (const char *p = s; p + 4 <= s + n; p++)
        if (!strncmp(p, "none", 4)) return "as_optional_tensors";
    if (!strncmp(s, "true", 4) || !strncmp(s, "false", 5)) return "as_bools";
    return words || isalpha((unsigned char)*s) ? "as_tensors" : real ? "as_floats" : "as_ints";
}

static inline void pt2_argument(const char **s, onnx_bytes *b)
{
    if (!onnx_take(s, '[')) {
        pt2_value(s, b, "");
        return;
    }
    const char *kind = pt2_kind(*s);
    pt2_say(b, "{\"%s\":[", kind);
    for (bool more = false; !onnx_take(s, ']'); more = true) {
        if (more) onnx_put(b, ",", 1);
        pt2_value(s, b, kind);
        onnx_take(s, ',');
    }
    pt2_say(b, "]}");
}

/* One call; [a, b] = ... gives a list of tensors. */
static inline void pt2_call(const char **s, onnx_bytes *b)
{
    onnx_bytes out = { 0 };
    char word[ONNX_NAME];
    while (!onnx_take(s, '=')) {
        if (out.n) onnx_put(&out, ",", 1);
        pt2_argument(s, &out);
        onnx_take(s, ',');
    }
    onnx_word(s, word);
    const bool plain = !strncmp(word, "_op", 3) || !strncmp(word, "math.", 5) || !strncmp(word, "torch.", 6);
    pt2_say(b, "{\"target\":\"%s%s\",\"metadata\":{},\"inputs\":[", plain ? "" : "torch.ops.", word);
    onnx_need(s, '(');
    for (bool more = false; !onnx_take(s, ')'); more = true) {
        onnx_word(s, word);
        onnx_need(s, '=');
        pt2_say(b, "%s{\"name\":\"%s\",\"kind\":1,\"arg\":", more ? "," : "", word);
        pt2_argument(s, b);
        onnx_put(b, "}", 1);
        onnx_take(s, ',');
    }
    pt2_say(b, "],\"outputs\":[");
    onnx_put(b, out.data, out.n);
    pt2_say(b, "]}");
    free(out.data);
}

typedef struct {
    const char *calls;
    const onnx_tensor *in, *out;
    size_t n_in, n_out;
} pt2_case;

static inline void pt2_names(onnx_bytes *b, const onnx_tensor *t, size_t n, const char *before, const char *after)
{
    for (size_t i = 0; i < n; i++)
        pt2_say(b, "%s%s{\"as_tensor\":{\"name\":\"%s\"}}%s", i ? "," : "", before, t[i].name, after);
}

static inline onnx_bytes pt2_json(const pt2_case *c)
{
    onnx_bytes b = { 0 };
    pt2_say(&b, "{\"schema_version\":{\"major\":8,\"minor\":20},\"torch_version\":\"2.15.0\",");
    pt2_say(&b, "\"opset_version\":{\"aten\":10},\"range_constraints\":{},\"verifiers\":[\"TRAINING\"],");
    pt2_say(&b, "\"guards_code\":[],\"graph_module\":{\"graph\":{\"inputs\":[");
    pt2_names(&b, c->in, c->n_in, "", "");
    pt2_say(&b, "],\"outputs\":[");
    pt2_names(&b, c->out, c->n_out, "", "");
    pt2_say(&b, "],\"is_single_tensor_return\":false,\"sym_int_values\":{},\"sym_bool_values\":{},");
    pt2_say(&b, "\"sym_float_values\":{},\"custom_obj_values\":{},\"tensor_values\":{");
    for (size_t i = 0; i < c->n_in; i++) {
        if (i) onnx_put(&b, ",", 1);
        pt2_meta(&b, &c->in[i]);
    }
    pt2_say(&b, "},\"nodes\":[");
    for (const char *s = c->calls; onnx_peek(&s);) {
        pt2_call(&s, &b);
        if (onnx_peek(&s)) onnx_put(&b, ",", 1);
    }
    pt2_say(&b, "]},\"module_call_graph\":[],\"metadata\":{},\"signature\":{\"input_specs\":[");
    pt2_names(&b, c->in, c->n_in, "{\"user_input\":{\"arg\":", "}}");
    pt2_say(&b, "],\"output_specs\":[");
    pt2_names(&b, c->out, c->n_out, "{\"user_output\":{\"arg\":", "}}");
    pt2_say(&b, "]}}}");
    return b;
}

#endif
