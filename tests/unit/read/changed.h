/* changed.h - cases of nets with one thing changed, for test_changed_nets.c: a number, a text or an argument in the
 * text of their nodes, or the shape or type of an input. */
#ifndef TEST_CHANGED_H
#define TEST_CHANGED_H

#include "onnx_model.h"

#define CHANGED_TEXT 8192

/* What is put where a text had a literal. */
static const char *const whole_numbers[] = { "-1", "0", "3", "5003", "-7", "1099511627776" };
static const char *const real_numbers[] = { "0.0", "-1.5", "1e30" };

/* Of a name, or of the shape of a tensor `float[2, 3] {...}`, whose values are counted by it. */
static inline bool within_name(const char *text, const char *at)
{
    const char *open = at;
    while (open > text && strchr("0123456789, -", open[-1])) open--;
    if (open - text > 1 && open[-1] == '[' && isalnum((unsigned char)open[-2])) return true;
    return at > text && (isalnum((unsigned char)at[-1]) || strchr("_.-#%", at[-1]));
}

typedef struct { const char *from, *to; const char *const *with; size_t n; } literal;

/* A number or a quoted text that begins here. */
static inline bool is_literal(const char *text, const char *at, literal *out)
{
    static const char *const texts_onnx[] = { "\"other\"", "\"\"" }, *const texts_pt2[] = { "'other'", "''" };
    const char *end = at;
    if (*at == '"' || *at == '\'') {
        end = strchr(at + 1, *at);
        if (!end || strchr("\"'", at[-1])) return false;
        *out = (literal){ at, end + 1, *at == '"' ? texts_onnx : texts_pt2, 2 };
        return true;
    }
    if (within_name(text, at) || !(isdigit((unsigned char)*at) || (*at == '-' && isdigit((unsigned char)at[1]))))
        return false;
    const size_t n = 1 + strspn(at + 1, "0123456789.e+-");
    const bool real = memchr(at, '.', n) || memchr(at, 'e', n);
    *out = (literal){ at, at + n, real ? real_numbers : whole_numbers,
                      real ? ONNX_COUNT(real_numbers) : ONNX_COUNT(whole_numbers) };
    return true;
}

/* An argument that begins here, behind '(' or a comma at its depth, and what may stand in its place: nothing, or
 * `other`, a tensor. In torch's calls an argument has its name, and goes with it and with its comma. */
static inline bool is_argument(const char *at, bool named, const char *const other[2], literal *out)
{
    int depth = 0;
    const char *end = at, *value = at;
    if (!isalpha((unsigned char)*at)) return false;
    for (; *end && (depth || !strchr(",)", *end)); end++) {
        depth += *end == '[';
        depth -= *end == ']';
        if (*end == '\'' && !(end = strchr(end + 1, '\''))) return false;
        if (depth < 0 || (!named && *end == ' ')) return false; /* within a list; a body's port */
        if (named && *end == '=' && value == at) value = end + 1;
    }
    if (!*end || (named && value == at)) return false;
    *out = (literal){ value, end, other, 2 };
    return true;
}

static inline bool put_changed(const char *text, const literal *l, size_t k, bool named, char *out)
{
    const char *from = l->from, *to = l->to, *with = l->with[k];
    if (named && !*with) { /* the argument with its name and its comma */
        while (from > text && from[-1] != '(' && from[-1] != ' ') from--;
        if (*to == ',') to += strspn(to, ", ");
        else while (from > text && strchr(", ", from[-1])) from--;
    }
    snprintf(out, CHANGED_TEXT, "%.*s%s%s", (int)(from - text), text, with, to);
    return true;
}

/* The k-th change of a text; false: it has no more. named: torch's calls. */
static inline bool changed_text(const char *text, size_t k, bool named, const char *tensor, char *out)
{
    const char *const other[2] = { "", tensor };
    bool call = false;
    assert_true(strlen(text) + 32 < CHANGED_TEXT);
    for (const char *at = text; *at; at++) {
        literal l;
        if (is_literal(text, at, &l)) {
            if (k < l.n) return put_changed(text, &l, k, false, out);
            k -= l.n;
            at = l.to - 1;
            continue;
        }
        if (*at == '(') call = true;
        if (*at == ')') call = false;
        if (!call || at == text || !strchr("( ", at[-1]) || !is_argument(at, named, other, &l)) continue;
        if (k < l.n) return put_changed(text, &l, k, named, out);
        k -= l.n;
    }
    return false;
}

/* ---- inputs ---------------------------------------------------------------------------------------- */

static inline void set_shape(onnx_tensor *t, uint32_t dims, const int64_t *shape)
{
    t->dims = dims;
    memcpy(t->shape, shape, dims * sizeof *shape);
}

/* One row less a dimension: the first of its parts. */
static inline bool first_part(onnx_tensor *t)
{
    if (!t->dims || t->shape[0] < 1) return false;
    t->n /= (size_t)t->shape[0];
    t->dims--;
    memmove(t->shape, t->shape + 1, t->dims * sizeof *t->shape);
    return true;
}

/* Whole numbers for real ones, or the other way round. */
static inline bool other_type(onnx_tensor *t)
{
    const bool real = onnx_types[t->type].kind == 'f';
    t->type = real ? 6 : 0; /* int64, float */
    for (size_t i = 0; i < t->n; i++)
        if (real) t->values[i].whole = (int64_t)t->values[i].real;
        else t->values[i].real = (double)t->values[i].whole;
    return true;
}

/* The k-th change of a tensor in place; false: it has no such, `more` whether there are others after it. */
static inline bool changed_tensor(onnx_tensor *t, size_t k, bool *more)
{
    int64_t shape[ONNX_DIMS + 1] = { 1 };
    *more = k < 8;
    if (k == 0) set_shape(t, 1, (const int64_t[]){ (int64_t)t->n });
    else if (k == 1) {
        if (t->dims >= ONNX_DIMS) return false;
        memcpy(shape + 1, t->shape, t->dims * sizeof *shape);
        set_shape(t, t->dims + 1, shape);
    } else if (k == 2) return first_part(t);
    else if (k == 3) return other_type(t);
    else if (k == 4) { /* turned round */
        if (t->dims < 2) return false;
        for (uint32_t i = 0; i < t->dims; i++) shape[i] = t->shape[t->dims - 1 - i];
        set_shape(t, t->dims, shape);
    } else if (k == 5) { /* nothing in it */
        if (!t->dims) return false;
        t->shape[0] = 0;
        t->n = 0;
    } else if (k == 6 || k == 7) t->open = k == 6 ? 1 : ~0u;
    else return false;
    return true;
}

#endif
