/* args.c - arguments of a call, by the names that its row gives them: as the
 * graph has them, or their defaults. */
#include "read/pt2/aten.h"

#include <stdio.h>
#include <stdlib.h>

static const pcs_tree *graph_of(const pcs_aten *c) { return &c->g->net->tree; }

static struct pcs_aten_arg *find(pcs_aten *c, const char *name)
{
    for (uint32_t i = 0; i < c->n_args; i++)
        if (pcs_str_is(c->args[i].name, name)) {
            c->args[i].used = true;
            return &c->args[i];
        }
    pcs_refuse(&c->n, "argument %s is not one of this overload's", name);
    return NULL;
}

/* What the Argument holds, and its tag; 0: it is left out (*usual is its
 * default), or None (*usual empty). */
static uint32_t value_of(pcs_aten *c, const char *name, pcs_str *tag, pcs_str *usual)
{
    struct pcs_aten_arg *a = find(c, name);
    *tag = *usual = (pcs_str){ "", 0 };
    if (!a) return 0;
    if (!a->token) {
        if (!a->usual.s) pcs_wrong(&c->n, "argument %s is left out", name);
        else if (!pcs_str_is(a->usual, "none")) *usual = a->usual;
        return 0;
    }
    const uint32_t v = pcs_tree_only(graph_of(c), a->token, tag);
    if (!v) pcs_wrong(&c->n, "argument %s is no union of one member", name);
    return v && pcs_str_is(*tag, "as_none") ? 0 : v;
}

static void other(pcs_aten *c, const char *name, pcs_str tag, const char *wanted)
{
    pcs_wrong(&c->n, "argument %s is %.*s; it is to be %s", name, (int)(tag.n < 40 ? tag.n : 40), tag.s, wanted);
}

bool pcs_arg_given(pcs_aten *c, const char *name)
{
    pcs_str tag, usual;
    return value_of(c, name, &tag, &usual) || usual.n;
}

/* ---- numbers ------------------------------------------------------------------------------------ */

/* A number that would be taken for a dimension's id is none that is read. */
static bool whole_of(pcs_aten *c, uint32_t v, int64_t *out)
{
    if (!pcs_tree_int(graph_of(c), v, out)) return false;
    if (pcs_dim_is_id(*out)) pcs_refuse(&c->n, "has the number %lld, which is below what is read", (long long)*out);
    return !pcs_failed(&c->n);
}

static bool scalar_of(pcs_aten *c, uint32_t v, pcs_str tag, pcs_scalar *out)
{
    const pcs_tree *t = graph_of(c);
    *out = (pcs_scalar){ PCS_NO_NUMBER, 0, 0 };
    if (pcs_str_is(tag, "as_int") && whole_of(c, v, &out->i)) out->kind = PCS_INTEGER;
    else if (pcs_str_is(tag, "as_float") && pcs_tree_real(t, v, &out->r)) out->kind = PCS_NUMBER;
    else if (pcs_str_is(tag, "as_bool")) {
        out->kind = PCS_TRUTH;
        out->i = pcs_tree_type(t, v) == PCS_JSON_TRUE;
    } else if (pcs_str_is(tag, "as_sym_int") || pcs_str_is(tag, "as_sym_float") || pcs_str_is(tag, "as_sym_bool")) {
        pcs_str inner;
        const uint32_t w = pcs_tree_only(t, v, &inner);
        if (!w) return false;
        if (!pcs_str_is(inner, "as_name")) return scalar_of(c, w, inner, out);
        const pcs_thing *thing = pcs_thing_of(c, w);
        if (thing && thing->kind == PCS_IS_NUMBER) *out = thing->number;
    }
    return out->kind != PCS_NO_NUMBER;
}

bool pcs_scalar_of(pcs_aten *c, uint32_t argument, pcs_scalar *out)
{
    pcs_str tag;
    const uint32_t v = pcs_tree_only(graph_of(c), argument, &tag);
    *out = (pcs_scalar){ PCS_NO_NUMBER, 0, 0 };
    return v && scalar_of(c, v, tag, out);
}

/* A default's text. */
pcs_scalar pcs_scalar_from_text(pcs_str s)
{
    char text[40];
    char *end;
    snprintf(text, sizeof text, "%.*s", (int)(s.n < 39 ? s.n : 39), s.s);
    if (!strcmp(text, "true") || !strcmp(text, "false")) return (pcs_scalar){ PCS_TRUTH, text[0] == 't', 0 };
    if (!strpbrk(text, ".e")) return (pcs_scalar){ PCS_INTEGER, strtoll(text, &end, 10), 0 };
    return (pcs_scalar){ PCS_NUMBER, 0, strtod(text, &end) };
}

pcs_scalar pcs_arg_number(pcs_aten *c, const char *name)
{
    pcs_str tag, usual;
    pcs_scalar out = { PCS_NO_NUMBER, 0, 0 };
    const uint32_t v = value_of(c, name, &tag, &usual);
    if (!v && usual.n) return pcs_scalar_from_text(usual);
    if (v && !scalar_of(c, v, tag, &out) && !pcs_failed(&c->n)) other(c, name, tag, "a number");
    return out;
}

int64_t pcs_arg_int(pcs_aten *c, const char *name)
{
    const pcs_scalar s = pcs_arg_number(c, name);
    if (s.kind != PCS_INTEGER && s.kind != PCS_TRUTH && !pcs_failed(&c->n))
        pcs_wrong(&c->n, "argument %s is no whole number", name);
    return s.i;
}

int64_t pcs_arg_size(pcs_aten *c, const char *name)
{
    const int64_t v = pcs_arg_int(c, name);
    if (pcs_dim_is_id(v)) pcs_refuse(&c->n, "argument %s has no size yet", name);
    return pcs_failed(&c->n) ? 0 : v;
}

double pcs_arg_real(pcs_aten *c, const char *name)
{
    const pcs_scalar s = pcs_arg_number(c, name);
    if (s.kind == PCS_NO_NUMBER && !pcs_failed(&c->n)) pcs_wrong(&c->n, "argument %s is no number", name);
    return s.kind == PCS_NUMBER ? s.r : (double)s.i;
}

bool pcs_arg_flag(pcs_aten *c, const char *name) { return pcs_arg_int(c, name) != 0; }

pcs_str pcs_unquoted(pcs_str s) { return s.n > 1 && s.s[0] == '\'' ? (pcs_str){ s.s + 1, s.n - 2 } : s; }

const char *pcs_arg_text(pcs_aten *c, const char *name)
{
    pcs_str tag, s;
    const uint32_t v = value_of(c, name, &tag, &s);
    if (v) {
        if (!pcs_str_is(tag, "as_string") || pcs_tree_type(graph_of(c), v) != PCS_JSON_STRING)
            other(c, name, tag, "text");
        s = pcs_tree_text(graph_of(c), v);
    }
    if (!v) s = pcs_unquoted(s);
    const char *out = pcs_arena_copy(&c->n.im->g->arena, s.s, s.n);
    if (!out) c->n.im->error = PRECIS_ENOMEM;
    return out ? out : "";
}

uint32_t pcs_arg_axis(pcs_aten *c, const char *name, precis_value x)
{
    const int64_t axis = pcs_arg_int(c, name);
    if (x < 0 || pcs_failed(&c->n)) return 0;
    const uint32_t dims = pcs_of(&c->n, x)->dims, a = pcs_axis(axis, dims ? dims : 1);
    if (a == (dims ? dims : 1)) pcs_wrong(&c->n, "has no dimension %lld", (long long)axis);
    return a;
}

/* ---- lists -------------------------------------------------------------------------------------- */

/* "[1, 2]" of a default. */
static const int64_t *list_from_text(pcs_aten *c, pcs_str s, uint32_t *count)
{
    int64_t *out = pcs_room(&c->n, s.n + 1, sizeof *out);
    *count = 0;
    for (size_t i = 0; out && i < s.n; i++) {
        if ((s.s[i] < '0' || s.s[i] > '9') && s.s[i] != '-') continue;
        char *end;
        out[(*count)++] = strtoll(s.s + i, &end, 10);
        i = (size_t)(end - s.s);
    }
    return out;
}

const int64_t *pcs_arg_ints(pcs_aten *c, const char *name, uint32_t *count)
{
    pcs_str tag, usual;
    const pcs_tree *t = graph_of(c);
    const uint32_t v = value_of(c, name, &tag, &usual);
    *count = 0;
    if (!v) return list_from_text(c, usual, count);
    const bool list = pcs_tree_type(t, v) == PCS_JSON_ARRAY;
    int64_t *out = pcs_room(&c->n, list ? pcs_tree_count(t, v) : 1, sizeof *out);
    pcs_scalar s;
    if (!out) return NULL;
    if (!list) {
        if (!scalar_of(c, v, tag, &s) || s.kind == PCS_NUMBER) other(c, name, tag, "a list of whole numbers");
        out[(*count)++] = s.i;
        return out;
    }
    const bool plain = pcs_str_is(tag, "as_ints");
    if (!plain && !pcs_str_is(tag, "as_sym_ints") && !pcs_str_is(tag, "as_bools"))
        other(c, name, tag, "a list of whole numbers");
    for (uint32_t k = v + 1; k < pcs_tree_end(t, v) && !pcs_failed(&c->n); k = pcs_tree_next(t, k)) {
        const bool ok = plain             ? whole_of(c, k, &out[*count])
                        : tag.s[3] == 'b' ? (out[*count] = pcs_tree_type(t, k) == PCS_JSON_TRUE, true)
                        : scalar_of(c, k, (pcs_str){ "as_sym_int", 10 }, &s) ? (out[*count] = s.i, true)
                                                                             : false;
        if (!ok && !pcs_failed(&c->n)) other(c, name, tag, "a list of whole numbers");
        (*count)++;
    }
    return pcs_failed(&c->n) ? NULL : out;
}

const double *pcs_arg_reals(pcs_aten *c, const char *name, uint32_t *count)
{
    pcs_str tag, usual;
    const pcs_tree *t = graph_of(c);
    const uint32_t v = value_of(c, name, &tag, &usual);
    *count = 0;
    if (!v) return NULL;
    double *out = pcs_room(&c->n, pcs_tree_count(t, v) + 1, sizeof *out);
    if (!out) return NULL;
    if (!pcs_str_is(tag, "as_floats")) other(c, name, tag, "a list of numbers");
    for (uint32_t k = v + 1; k < pcs_tree_end(t, v) && !pcs_failed(&c->n); k = pcs_tree_next(t, k))
        if (!pcs_tree_real(t, k, &out[(*count)++])) other(c, name, tag, "a list of numbers");
    return pcs_failed(&c->n) ? NULL : out;
}

pcs_dtype pcs_arg_type(pcs_aten *c, const char *name, pcs_dtype usual)
{
    pcs_str tag, text;
    int64_t number;
    pcs_dtype out = usual;
    const uint32_t v = value_of(c, name, &tag, &text);
    if (!v && text.n) { /* a default by torch's number */
        pcs_pt2_dtype(pcs_scalar_from_text(text).i, &out);
        return out;
    }
    if (!v) return usual;
    if ((!pcs_str_is(tag, "as_scalar_type") && !pcs_str_is(tag, "as_int")) || !pcs_tree_int(graph_of(c), v, &number))
        other(c, name, tag, "a type");
    else if (!pcs_pt2_dtype(number, &out)) pcs_refuse(&c->n, "torch's type %lld is not read", (long long)number);
    return out;
}

/* ---- tensors ------------------------------------------------------------------------------------ */

/* A tensor by the token of {"name": ...}; -1 and no error where it is
 * {"as_none"}. */
static precis_value tensor_at(pcs_aten *c, uint32_t v, pcs_str tag, const char *name)
{
    const pcs_tree *t = graph_of(c);
    if (pcs_str_is(tag, "as_optional_tensor")) {
        v = pcs_tree_only(t, v, &tag);
        if (v && pcs_str_is(tag, "as_none")) return -1;
    }
    const uint32_t text = v && pcs_str_is(tag, "as_tensor") ? pcs_tree_get(t, v, "name") : 0;
    if (!text) return other(c, name, tag, "a tensor"), -1;
    pcs_thing *thing = pcs_thing_of(c, text);
    if (!thing) return -1;
    if (thing->kind != PCS_IS_TENSOR) return pcs_wrong(&c->n, "argument %s is a number", name);
    return pcs_fetch(c, thing);
}

precis_value pcs_arg_optional(pcs_aten *c, const char *name)
{
    pcs_str tag, usual;
    if (pcs_failed(&c->n)) return -1;
    if (c->self >= 0 && c->n_args && pcs_str_is(c->args[0].name, name)) {
        c->args[0].used = true;
        return c->self;
    }
    const uint32_t v = value_of(c, name, &tag, &usual);
    return v ? tensor_at(c, v, tag, name) : -1;
}

precis_value pcs_arg_tensor(pcs_aten *c, const char *name)
{
    const precis_value v = pcs_arg_optional(c, name);
    return v < 0 && !pcs_failed(&c->n) ? pcs_wrong(&c->n, "argument %s is None", name) : v;
}

pcs_operand pcs_arg_operand(pcs_aten *c, const char *name)
{
    pcs_str tag, usual;
    pcs_scalar s;
    const uint32_t v = value_of(c, name, &tag, &usual);
    if (pcs_failed(&c->n)) return (pcs_operand){ -1, false };
    if (!v && usual.n) s = pcs_scalar_from_text(usual);
    else if (!v || !scalar_of(c, v, tag, &s)) return (pcs_operand){ pcs_arg_tensor(c, name), false };
    return (pcs_operand){ pcs_scalar_value(c,
                                           s.kind == PCS_TRUTH     ? PCS_BOOL
                                           : s.kind == PCS_INTEGER ? PCS_I64
                                                                   : PCS_F64,
                                           s),
                          true };
}

const precis_value *pcs_arg_tensors(pcs_aten *c, const char *name, uint32_t *count)
{
    pcs_str tag, usual;
    const pcs_tree *t = graph_of(c);
    const uint32_t v = value_of(c, name, &tag, &usual);
    *count = 0;
    if (!v) return NULL;
    precis_value *out = pcs_room(&c->n, pcs_tree_count(t, v) + 1, sizeof *out);
    const bool plain = pcs_str_is(tag, "as_tensors");
    if (!out) return NULL;
    if (!plain && !pcs_str_is(tag, "as_optional_tensors")) other(c, name, tag, "a list of tensors");
    for (uint32_t k = v + 1; k < pcs_tree_end(t, v) && !pcs_failed(&c->n); k = pcs_tree_next(t, k))
        out[(*count)++] =
            tensor_at(c, k, (pcs_str){ plain ? "as_tensor" : "as_optional_tensor", plain ? 9 : 18 }, name);
    return pcs_failed(&c->n) ? NULL : out;
}

/* ---- types: c10/core/ScalarType.h promoteTypes; ATen/native/TypeProperties.cpp result_type -------- */

static int category(pcs_dtype d) { return d == PCS_BOOL ? 0 : pcs_dtype_whole(d) ? 1 : 2; }

pcs_dtype pcs_dtype_both(pcs_dtype a, pcs_dtype b)
{
    if (a == b) return a;
    if (category(a) != category(b)) return category(a) > category(b) ? a : b;
    const size_t na = pcs_dtype_bytes(a), nb = pcs_dtype_bytes(b);
    if (category(a) == 2) return na == nb ? PCS_F32 : na > nb ? a : b; /* f16 and bf16 have f32 in common */
    const bool ua = pcs_domain_of(a) == PCS_IN_U64, ub = pcs_domain_of(b) == PCS_IN_U64;
    if (ua == ub || (ua ? nb > na : na > nb)) return na > nb ? a : b;
    const size_t wide = ua ? na : nb;
    return wide == 1 ? PCS_I16 : wide == 2 ? PCS_I32 : PCS_I64;
}

pcs_dtype pcs_promoted(pcs_aten *c, uint32_t n, const pcs_operand *x)
{
    pcs_dtype of[3]; /* tensors with dimensions, without, numbers */
    bool there[3] = { false };
    for (uint32_t i = 0; i < n; i++) {
        if (x[i].v < 0) return PCS_F32;
        const pcs_value *v = pcs_of(&c->n, x[i].v);
        const int k = x[i].weak ? 2 : v->dims ? 0 : 1;
        const pcs_dtype d = x[i].weak && v->dtype == PCS_F64 ? PCS_F32 : v->dtype;
        of[k] = there[k] ? pcs_dtype_both(of[k], d) : d;
        there[k] = true;
    }
    pcs_dtype out = PCS_F32;
    bool any = false;
    for (int k = 2; k >= 0; k--) {
        if (!there[k]) continue;
        if (!any || category(of[k]) == 2) out = of[k];
        else if (of[k] == PCS_BOOL || category(out) == 2) out = pcs_dtype_both(of[k], out);
        else out = of[k];
        any = true;
    }
    return out;
}
