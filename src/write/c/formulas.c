/* formulas.c - the rows of op/unary.def and op/binary.def as functions of a C file: their text with the names that
 * parts have there, which of them are made already, their calls. */
#include "write/c/functions.h"

#include <stdio.h>

const pcs_c_formula *pcs_c_formula_of(const pcs_op *op)
{
    const pcs_c_formula *f = pcs_c_formulas;
    while (f->op != op) f++;
    return f;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* What a word of a formula is in a file: pcs_NAME is the part NAME, and these are, too. NULL: no part is for it. */
static const char *named(pcs_c_file *w, const char *word, size_t n)
{
    static const char *const own[][2] = { { "__builtin_sqrt", "m_sqrt" }, { "PCS_NAN", "nan" },
                                          { "log_1_exp", "log_1_exp" },   { "floor_mod", "floor_mod" },
                                          { "whole_mod", "whole_mod" } };
    static const char *const words[] = { "float", "double", "int64_t", "uint64_t" };
    char part[32];
    size_t i = 0;
    if (n >= sizeof part) return NULL;
    snprintf(part, sizeof part, "%.*s", (int)n, word);
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (!strcmp(part, words[k])) return words[k];
    if (!strcmp(part, "PCS_INFINITY")) return pcs_c_use(w, "nan"), pcs_arena_printf(&w->arena, "%s_infinity", w->name);
    const bool ours = n > 4 && !memcmp(part, "pcs_", 4);
    const char *name = ours ? part + 4 : NULL;
    for (size_t k = 0; k < sizeof own / sizeof *own; k++)
        if (!strcmp(part, own[k][0])) name = own[k][1];
    while (name && pcs_c_parts[i].name && strcmp(pcs_c_parts[i].name, name)) i++;
    if (!name || !pcs_c_parts[i].name) return NULL;
    pcs_c_use(w, pcs_c_parts[i].name);
    return pcs_arena_printf(&w->arena, "%s_%s", w->name, pcs_c_parts[i].name);
}

/* A formula in C with names of the file; NULL: it needs what no part is for. */
const char *pcs_c_formula_in_c(pcs_c_file *w, const char *formula)
{
    char text[512];
    size_t at = 0;
    for (const char *c = formula; *c && at + 80 < sizeof text;) {
        size_t n = 0;
        while (is_letter(c[n])) n++;
        const bool word = n > 0 && !(*c >= '0' && *c <= '9'), one = n == 1 && strchr("xyab", *c);
        const char *name = word && !one ? named(w, c, n) : "";
        if (!name) return NULL;
        if (*name) at += (size_t)snprintf(text + at, sizeof text - at, "%s", name);
        else at += (size_t)snprintf(text + at, sizeof text - at, "%.*s", n ? (int)n : 1, c);
        c += n ? n : 1;
    }
    return pcs_arena_copy(&w->arena, text, at);
}

bool pcs_c_is_made(pcs_c_file *w, const char *name)
{
    for (size_t i = 0; i < w->n_made; i++)
        if (!strcmp(w->made[i], name)) return true;
    if (w->n_made < sizeof w->made / sizeof *w->made) w->made[w->n_made++] = name;
    else if (!w->error)
        w->error = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "%s: more than %zu functions of elements in a C file",
                            w->what->source, w->n_made);
    return false;
}

precis_status pcs_c_made_call(pcs_c_file *w, const char *name, const pcs_c_step *s, const char *params)
{
    const char *from[3] = { "", "", "" };
    for (uint32_t i = 0; i < s->n_in && i < 3; i++) from[i] = pcs_c_pointer(w, s->in[i]);
    pcs_c_put(w, &w->calls, "    %s_f_%s(&%s", w->name, name, params);
    for (uint32_t i = 0; i < s->n_in && i < 3; i++) pcs_c_put(w, &w->calls, ", %s", from[i]);
    pcs_c_put(w, &w->calls, ", %s); /* %s */\n", pcs_c_pointer(w, s->out), pcs_c_plain(w, s->n->name));
    w->n_calls++;
    return w->error;
}

const char *pcs_c_spread(pcs_c_file *w, const pcs_value *x, const pcs_value *y)
{
    int64_t dense[PCS_GRAPH_DIMS], step[PCS_GRAPH_DIMS];
    const uint32_t skip = y->dims - x->dims;
    pcs_dense(x->dims, x->shape, dense);
    for (uint32_t i = 0; i < y->dims; i++) step[i] = i < skip || x->shape[i - skip] == 1 ? 0 : dense[i - skip];
    return pcs_c_six(w, y->dims, step, 0);
}
