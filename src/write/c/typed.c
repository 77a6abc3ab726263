/* typed.c - functions of elements of other types than f32: of whole numbers and truths, comparisons, choices, casts.
 * The formulas are those of op/unary.def and op/binary.def; what they are computed in is what the engine computes them
 * in (pcs_domain_of), so results wrap alike. */
#include "write/c/functions.h"

#include <stdio.h>

/* What elements of a type are computed in; NULL: C files do not compute it. */
static const char *domain_type(pcs_dtype d)
{
    if (!pcs_c_type(d) || d == PCS_F64) return NULL;
    const pcs_domain in = pcs_domain_of(d);
    return in == PCS_IN_F32 ? "float" : in == PCS_IN_I64 ? "int64_t" : "uint64_t";
}

static const char *text_of_domain(const pcs_c_formula *f, pcs_domain d)
{
    return d == PCS_IN_F32 ? f->text : d == PCS_IN_I64 ? f->whole : f->natural;
}

static precis_status not_of(pcs_c_file *w, const pcs_c_step *s, const pcs_value *v)
{
    return pcs_c_cannot(w, s->n, "of %s it is not computed", pcs_dtype_name(v->dtype));
}

/* One operand's element: of a truth whether it is not zero. */
static const char *load(pcs_c_file *w, pcs_dtype d, const char *from, const char *at)
{
    const char *s = pcs_arena_printf(&w->arena, "(%s)(((const %s *)%s)[%s]%s)", domain_type(d), pcs_c_type(d), from, at,
                                     d == PCS_BOOL ? " != 0" : "");
    return s ? s : (w->error = PRECIS_ENOMEM, "");
}

/* Of a number, as an element of the result. */
static const char *stored(pcs_c_file *w, pcs_dtype d, const char *text)
{
    const char *s = d == PCS_BOOL ? pcs_arena_printf(&w->arena, "(uint8_t)((%s) != 0)", text)
                                  : pcs_arena_printf(&w->arena, "(%s)(%s)", pcs_c_type(d), text);
    return s ? s : (w->error = PRECIS_ENOMEM, "");
}

/* The name of a function for elements of a type, whose text is put into w->functions by the caller where *fresh. */
static const char *function_for(pcs_c_file *w, const pcs_node *n, pcs_dtype from, pcs_dtype to, bool *fresh)
{
    const char *name = pcs_arena_printf(&w->arena, "%s_%s_%s", n->op->name, pcs_dtype_name(from), pcs_dtype_name(to));
    char *plain = name ? pcs_arena_copy(&w->arena, name, strlen(name)) : NULL;
    if (!plain) return w->error = PRECIS_ENOMEM, "";
    for (char *c = plain; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    *fresh = !pcs_c_is_made(w, plain);
    return plain;
}

precis_status pcs_c_typed_unary(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *y = pcs_cv(w, s->out);
    const pcs_c_formula *f = pcs_c_formula_of(s->n->op);
    const bool reals = pcs_domain_of(x->dtype) == PCS_IN_F32;
    const char *text = domain_type(x->dtype) ? text_of_domain(f, pcs_domain_of(x->dtype)) : NULL;
    if (text) text = pcs_c_formula_in_c(w, text);
    if (!text || !pcs_c_type(y->dtype)) return not_of(w, s, x);
    bool fresh;
    const char *name = function_for(w, s->n, x->dtype, y->dtype, &fresh), *in = domain_type(x->dtype);
    if (f->wide && reals) in = "double";
    pcs_c_use(w, "unary");
    if (fresh) {
        w->code += reals ? PCS_C_TYPED_FLOAT_CODE : PCS_C_TYPED_UNARY_CODE;
        pcs_c_put(w, &w->functions,
                  "%s_SHARED static void %s_f_%s(const %s_unary_t *p, const void *from, void *to)\n{\n"
                  "    const double a = p->a, b = p->b;\n    int32_t i;\n    (void)a;\n    (void)b;\n"
                  "    for (i = 0; i < p->n; i++) {\n        const %s x = (%s)%s;\n"
                  "        ((%s *)to)[i] = %s;\n    }\n}\n\n",
                  w->upper, w->name, name, w->name, in, in, load(w, x->dtype, "from", "i"), pcs_c_type(y->dtype),
                  stored(w, y->dtype, text));
    }
    const char *params = pcs_c_struct(w, s, "unary", 24);
    pcs_c_put(w, &w->arrays, "%llu, %.17g, %.17g", (unsigned long long)pcs_c_count(y), pcs_c_attr(s->n, "alpha")->real,
              pcs_c_attr(s->n, "beta")->real);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_OUT, (double)pcs_c_count(y));
    return pcs_c_made_call(w, name, s, params);
}

/* A struct of sizes and steps of up to three operands. */
static const char *walk(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *y = pcs_cv(w, s->out);
    const char *steps[3];
    for (uint32_t i = 0; i < 3; i++)
        steps[i] = i < s->n_in ? pcs_c_spread(w, pcs_cv(w, s->in[i]), y) : "{ 0, 0, 0, 0, 0, 0 }";
    pcs_c_use(w, "walk");
    const char *name = pcs_c_struct(w, s, "walk", 100);
    pcs_c_put(w, &w->arrays, "%s, { %s, %s, %s }, %zu", pcs_c_six(w, y->dims, y->shape, 1), steps[0], steps[1],
              steps[2], pcs_dtype_bytes(y->dtype));
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_OUT, 4 * (double)pcs_c_count(y));
    return name;
}

precis_status pcs_c_typed_binary(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *y = pcs_cv(w, s->out);
    const pcs_c_formula *f = pcs_c_formula_of(s->n->op);
    const char *text = domain_type(x->dtype) ? text_of_domain(f, pcs_domain_of(x->dtype)) : NULL;
    if (text) text = pcs_c_formula_in_c(w, text);
    if (!text || !pcs_c_type(y->dtype)) return not_of(w, s, x);
    if (y->dims > 6) return pcs_c_cannot(w, s->n, "it has more than 6 dimensions");
    if (!pcs_c_count(y)) return PRECIS_OK;
    bool fresh;
    const char *name = function_for(w, s->n, x->dtype, y->dtype, &fresh), *in = domain_type(x->dtype);
    if (fresh) {
        w->code += PCS_C_TYPED_BINARY_CODE;
        pcs_c_put(w, &w->functions,
                  "%s_SHARED static void %s_f_%s(const %s_walk_t *p, const void *from_a, const void *from_b,\n"
                  "    void *to)\n{\n"
                  "    int32_t i[6] = { 0, 0, 0, 0, 0, 0 }, at[3] = { 0, 0, 0 }, k = 0;\n    do {\n"
                  "        const %s x = %s;\n        const %s y = %s;\n        ((%s *)to)[k++] = %s;\n"
                  "    } while (%s_walk(p, i, at));\n}\n\n",
                  w->upper, w->name, name, w->name, in, load(w, x->dtype, "from_a", "at[0]"), in,
                  load(w, x->dtype, "from_b", "at[1]"), pcs_c_type(y->dtype), stored(w, y->dtype, text), w->name);
    }
    return pcs_c_made_call(w, name, s, walk(w, s));
}

precis_status pcs_c_choose(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *y = pcs_cv(w, s->out);
    if (!pcs_c_type(y->dtype)) return not_of(w, s, y);
    if (y->dims > 6) return pcs_c_cannot(w, s->n, "it has more than 6 dimensions");
    return pcs_c_count(y) ? pcs_c_call(w, "where", s, walk(w, s)) : PRECIS_OK;
}

/* What becomes of x in another type, as pcs_numbers_convert has it; what is too large ends at the last number. */
static const char *converted(pcs_dtype from, pcs_dtype to)
{
    const pcs_domain a = pcs_domain_of(from), b = pcs_domain_of(to);
    if (a != PCS_IN_F32 || b == PCS_IN_F32 || to == PCS_BOOL) return "x";
    if (b == PCS_IN_I64)
        return "x >= 9223372036854775808.0f ? INT64_MAX : x > -9223372036854775808.0f ? (int64_t)x : INT64_MIN";
    return "x >= 18446744073709551616.0f ? UINT64_MAX : x >= 0 ? (uint64_t)x : x > -9223372036854775808.0f ? "
           "(uint64_t)(int64_t)x : (uint64_t)INT64_MIN";
}

precis_status pcs_c_typed_cast(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_dtype from = pcs_cv(w, s->in[0])->dtype, to = pcs_cv(w, s->out)->dtype;
    const uint64_t count = pcs_c_count(pcs_cv(w, s->out));
    bool fresh;
    if (!domain_type(from) || !domain_type(to) || pcs_c_attr(s->n, "bits")->integer)
        return pcs_c_cannot(w, s->n, "%s does not become %s", pcs_dtype_name(from), pcs_dtype_name(to));
    const char *name = function_for(w, s->n, from, to, &fresh);
    pcs_c_use(w, "unary");
    if (fresh) {
        w->code += pcs_domain_of(from) == PCS_IN_F32 ? PCS_C_TYPED_FLOAT_CODE : PCS_C_TYPED_UNARY_CODE;
        pcs_c_put(w, &w->functions,
                  "%s_SHARED static void %s_f_%s(const %s_unary_t *p, const void *from, void *to)\n{\n"
                  "    int32_t i;\n    for (i = 0; i < p->n; i++) {\n        const %s x = %s;\n"
                  "        ((%s *)to)[i] = %s;\n    }\n}\n\n",
                  w->upper, w->name, name, w->name, domain_type(from), load(w, from, "from", "i"), pcs_c_type(to),
                  stored(w, to, converted(from, to)));
    }
    const char *params = pcs_c_struct(w, s, "unary", 24);
    pcs_c_put(w, &w->arrays, "%llu, 0, 0", (unsigned long long)count);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_ELEMENT, (double)count);
    return pcs_c_made_call(w, name, s, params);
}
