/* takes.c - nodes with more inputs than their op takes, or without an attribute that it needs, are none of that op:
 * what would be left out or made up is refused. */
#include "read/onnx/functions.h"

#define ANY UINT32_MAX

static const struct takes {
    const char *op;
    int64_t since;
    uint32_t most;
    const char *needs; /* names, a space between them */
} table[] = {
#define TAKES(op, since, most, needs) { #op, since, most, needs },
#define WHOLE(op, inputs, least, most)
#include "read/onnx/takes.def"
#undef TAKES
#undef WHOLE
};

static const struct whole {
    const char *op;
    uint32_t inputs, least, most;
} lists[] = {
#define TAKES(op, since, most, needs)
#define WHOLE(op, inputs, least, most) { #op, inputs, least, most },
#include "read/onnx/takes.def"
#undef TAKES
#undef WHOLE
};

/* Inputs that are given: empty ones after the last of them are none. */
static uint32_t given(const pcs_onnx_node *n)
{
    uint32_t count = n->n_in;
    while (count && n->in[count - 1] < 0) count--;
    return count;
}

static bool has_attribute(const pcs_onnx_node *n, pcs_str name)
{
    uint32_t k = 0;
    while (k < n->n_attr && !pcs_str_same(n->attr[k].name, name)) k++;
    return k < n->n_attr;
}

/* Lists of whole numbers must be that: a start of 1.5 or a table of shapes has no meaning that all programs share. */
static void takes_lists(pcs_onnx_node *n)
{
    const struct whole *l = NULL;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (pcs_str_is(n->op, lists[i].op)) l = &lists[i];
    for (uint32_t i = 0; l && i < n->n_in && i < 32 && !pcs_failed(n); i++) {
        if (!(l->inputs & 1u << i) || n->in[i] < 0) continue;
        const pcs_value *v = pcs_of(n, n->in[i]);
        if (v->dtype != PCS_I64 && v->dtype != PCS_I32)
            pcs_wrong(n, "its input %u is %s, and takes whole numbers (I64)", i, pcs_dtype_name(v->dtype));
        else if (v->dims < l->least || v->dims > l->most)
            pcs_wrong(n, "its input %u has %u dimensions, and takes %s", i, v->dims,
                      l->most == 0 ? "one number" : "a list");
    }
}

bool pcs_takes(pcs_onnx_node *n)
{
    const struct takes *t = NULL;
    for (size_t i = 0; !n->domain.n && i < sizeof table / sizeof *table; i++)
        if (table[i].since <= n->version && pcs_str_is(n->op, table[i].op)) t = &table[i];
    if (!t) return true;
    if (given(n) > t->most)
        pcs_wrong(n, "has %u inputs; of opset %lld it takes at most %u", given(n), (long long)n->version, t->most);
    for (const char *at = t->needs; *at && !pcs_failed(n);) {
        const pcs_str name = { at, strcspn(at, " ") };
        if (!has_attribute(n, name)) pcs_wrong(n, "has no attribute %.*s", (int)name.n, name.s);
        at += name.n + (at[name.n] == ' ');
    }
    if (!pcs_failed(n)) takes_lists(n);
    return !pcs_failed(n);
}
