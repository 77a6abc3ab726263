/* elements.c - functions of elements: numbers to codes and back, and the rows of op/unary.def and op/binary.def, whose
 * formulas become functions of the file. */
#include "kernel/codes.h"
#include "write/c/functions.h"

#include <stdio.h>

static void put_meaning(pcs_c_file *w, const pcs_c_codes *c)
{
    const pcs_c_codes none = { .scale = 1 }, *m = c ? c : &none;
    pcs_c_put(w, &w->arrays, "{ %s, %d, %d, %d }, ", pcs_c_float(w, (double)m->scale), m->zero, c != NULL, m->flip);
}

/* What would do in place of codes of 16 bits. */
static const char *wide(const pcs_c_file *w, precis_value v)
{
    const pcs_dtype d = pcs_cv(w, v)->dtype;
    return d == PCS_U16 || d == PCS_I16 ? " (precis quant NET --static --activations u8 --calib DATA -o NAME.c)" : "";
}

precis_status pcs_c_to_codes(pcs_c_file *w, const pcs_c_step *s)
{
    pcs_c_codes c;
    if (!pcs_c_coded(w, s->n, &c))
        return pcs_c_cannot(w, s->n, "only codes of 8 bits with one constant scale are made%s", wide(w, s->out));
    const uint64_t count = pcs_c_count(pcs_cv(w, s->out));
    const char *name = pcs_c_struct(w, s, "encode", 24);
    pcs_c_put(w, &w->arrays, "%llu, %s, %s, %d", (unsigned long long)count, pcs_c_float(w, (double)c.scale),
              pcs_c_range(w, c.zero, 0, 255), c.flip);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_OUT, (double)count);
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "encode", &one, name);
}

precis_status pcs_c_from_codes(pcs_c_file *w, const pcs_c_step *s)
{
    pcs_c_codes c;
    if (!pcs_c_decoded(w, s->out, &c))
        return pcs_c_cannot(w, s->n, "only codes of 8 bits with one constant scale are read%s", wide(w, s->n->in[0]));
    const uint64_t count = pcs_c_count(pcs_cv(w, s->out));
    const char *name = pcs_c_struct(w, s, "decode", 16);
    pcs_c_put(w, &w->arrays, "%llu, %d, %s, %d", (unsigned long long)count, c.zero, pcs_c_float(w, (double)c.scale),
              c.flip);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_OUT, (double)count);
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "decode", &one, name);
}

/* Whole numbers, and truths, as f32; typed.c has the others. */
precis_status pcs_c_cast(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_dtype from = pcs_cv(w, s->in[0])->dtype, to = pcs_cv(w, s->out)->dtype;
    const bool whole = from == PCS_I64 || from == PCS_I32 || from == PCS_U8 || from == PCS_BOOL;
    if (!whole || to != PCS_F32 || pcs_c_attr(s->n, "bits")->integer) return pcs_c_typed_cast(w, s);
    const char *name = pcs_c_struct(w, s, "cast", 8);
    pcs_c_put(w, &w->arrays, "%llu, %zu", (unsigned long long)pcs_c_count(pcs_cv(w, s->out)), pcs_dtype_bytes(from));
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_ELEMENT, (double)pcs_c_count(pcs_cv(w, s->out)));
    return pcs_c_call(w, "cast", s, name);
}

/* ---- functions of f32 -------------------------------------------------------------------------------- */

static precis_status make_unary(pcs_c_file *w, const pcs_node *n)
{
    const pcs_c_formula *f = pcs_c_formula_of(n->op);
    const char *text = pcs_c_formula_in_c(w, f->text), *type = f->wide ? "double" : "float";
    if (!text) return pcs_c_cannot(w, n, "C files have no function for it in float (in codes it is a table)");
    pcs_c_use(w, "unary");
    if (pcs_c_is_made(w, n->op->name)) return w->error;
    w->code += f->wide ? PCS_C_WIDE_CODE : PCS_C_UNARY_CODE;
    pcs_c_put(w, &w->functions,
              "%s_SHARED static void %s_f_%s(const %s_unary_t *p, const void *from, void *to)\n{\n"
              "    const double a = p->a, b = p->b;\n    int32_t i;\n    (void)a;\n    (void)b;\n"
              "    for (i = 0; i < p->n; i++) {\n        const %s x = (%s)((const float *)from)[i];\n"
              "        ((float *)to)[i] = (float)(%s);\n    }\n}\n\n",
              w->upper, w->name, n->op->name, w->name, type, type, text);
    return w->error;
}

bool pcs_c_fuses_unary(const pcs_c_file *w, const pcs_node *n)
{
    pcs_c_codes c;
    return n->n_in == 1 && pcs_c_decoded(w, n->in[0], &c) && pcs_c_becomes_codes(w, n);
}

/* Of codes it is a table, of what the op itself makes of each. */
static precis_status unary_table(pcs_c_file *w, const pcs_c_step *s)
{
    pcs_c_codes from, to;
    float x[256], y[256];
    uint8_t table[256];
    const pcs_arg in = { .dtype = PCS_F32, .dims = 1, .shape = { 256 }, .data = x },
                  out = { .dtype = PCS_F32, .dims = 1, .shape = { 256 }, .data = y };
    if (!pcs_c_decoded(w, s->n->in[0], &from) || !pcs_c_coded(w, s->store, &to)) return pcs_c_cannot(w, s->n, "?");
    for (int i = 0; i < 256; i++) x[i] = (float)((i ^ from.flip) - from.zero) * from.scale;
    const precis_status st = pcs_c_eval(w, s->n, &in, &out);
    if (st) return st;
    for (int i = 0; i < 256; i++)
        table[i] = (uint8_t)(pcs_codes_round(y[i] / to.scale, (pcs_codes_to){ to.zero, 0, 255 }) ^ to.flip);
    const uint64_t count = pcs_c_count(pcs_cv(w, s->out));
    const char *array = pcs_c_array(w, "its codes", PCS_U8, 256, table), *name = pcs_c_struct(w, s, "lookup", 8);
    pcs_c_put(w, &w->arrays, "%llu, %s", (unsigned long long)count, array);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_ELEMENT, (double)count);
    return pcs_c_call(w, "lookup", s, name);
}

precis_status pcs_c_unary(pcs_c_file *w, const pcs_c_step *s)
{
    if (s->store) return unary_table(w, s);
    const uint64_t count = pcs_c_count(pcs_cv(w, s->out));
    if (pcs_cv(w, s->in[0])->dtype != PCS_F32 || pcs_cv(w, s->out)->dtype != PCS_F32) return pcs_c_typed_unary(w, s);
    if (make_unary(w, s->n)) return w->error;
    const char *name = pcs_c_struct(w, s, "unary", 24);
    pcs_c_put(w, &w->arrays, "%llu, %.17g, %.17g", (unsigned long long)count, pcs_c_attr(s->n, "alpha")->real,
              pcs_c_attr(s->n, "beta")->real);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, pcs_c_formula_of(s->n->op)->wide ? PCS_C_DOUBLE : PCS_C_OUT, 2 * (double)count);
    return pcs_c_made_call(w, s->n->op->name, s, name);
}

/* In the two arithmetics that ONNX's Gelu is read as. */
precis_status pcs_c_gelu(pcs_c_file *w, const pcs_c_step *s)
{
    const bool tanh = pcs_c_attr(s->n, "tanh")->integer != 0, single = pcs_c_attr(s->n, "single")->integer != 0;
    const uint64_t count = pcs_c_count(pcs_cv(w, s->out));
    if (pcs_cv(w, s->in[0])->dtype != PCS_F32 || tanh == single)
        return pcs_c_cannot(w, s->n, "only f32 is computed, as ONNX's Gelu");
    const char *name = pcs_c_struct(w, s, "gelu", 8);
    pcs_c_put(w, &w->arrays, "%llu, %d", (unsigned long long)count, tanh);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, tanh ? PCS_C_DOUBLE : PCS_C_OUT, (tanh ? 40 : 30) * (double)count);
    return pcs_c_call(w, "gelu", s, name);
}

bool pcs_c_fuses_binary(const pcs_c_file *w, const pcs_node *n)
{
    return n->n_in == 2 && pcs_cv(w, n->out[0])->dtype == PCS_F32 && pcs_cv(w, n->in[0])->dtype == PCS_F32;
}

static precis_status make_binary(pcs_c_file *w, const pcs_node *n)
{
    const char *text = pcs_c_formula_in_c(w, pcs_c_formula_of(n->op)->text);
    if (!text) return pcs_c_cannot(w, n, "C files have no function for it");
    pcs_c_use(w, "spread");
    if (pcs_c_is_made(w, n->op->name)) return w->error;
    w->code += PCS_C_BINARY_CODE;
    pcs_c_put(w, &w->functions,
              "%s_SHARED static void %s_f_%s(const %s_spread_t *p, const void *from_a, const void *from_b,\n"
              "    void *to)\n{\n"
              "    int32_t i[6] = { 0, 0, 0, 0, 0, 0 }, at[2] = { 0, 0 }, k = 0;\n    do {\n"
              "        const float x = %s_number(&p->a, from_a, at[0]), y = %s_number(&p->b, from_b, at[1]);\n"
              "        %s_keep(p, (float)(%s), to, k++);\n    } while (%s_next(p, i, at));\n}\n\n",
              w->upper, w->name, n->op->name, w->name, w->name, w->name, w->name, text, w->name);
    return w->error;
}

precis_status pcs_c_binary(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *y = pcs_cv(w, s->n->out[0]);
    pcs_c_codes c;
    if (!pcs_c_fuses_binary(w, s->n)) return pcs_c_typed_binary(w, s);
    if (!pcs_c_count(y)) return PRECIS_OK;
    if (y->dims > 6) return pcs_c_cannot(w, s->n, "it has more than 6 dimensions");
    if (make_binary(w, s->n)) return w->error;
    const char *name = pcs_c_struct(w, s, "spread", 120);
    pcs_c_put(w, &w->arrays, "%s, %s, %s, ", pcs_c_six(w, y->dims, y->shape, 1),
              pcs_c_spread(w, pcs_cv(w, s->n->in[0]), y), pcs_c_spread(w, pcs_cv(w, s->n->in[1]), y));
    for (int i = 0; i < 2; i++)
        put_meaning(w, s->in[i] != s->n->in[i] && pcs_c_decoded(w, s->n->in[i], &c) ? &c : NULL);
    put_meaning(w, s->store && pcs_c_coded(w, s->store, &c) ? &c : NULL);
    pcs_c_put(w, &w->arrays, "%s", pcs_c_range(w, s->store ? c.zero : 0, 0, 255));
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_OUT, 4 * (double)pcs_c_count(y));
    return pcs_c_made_call(w, s->n->op->name, s, name);
}
