/* emit.c - what emitters of a C file share: constants as arrays and structs, names of values, text. Nothing of the net
 * becomes an identifier, and what of it stands in comments is made plain, so that no name can end a comment. */
#include "write/c/file.h"

#include "graph/reason.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- text ------------------------------------------------------------------------------------------- */

void pcs_c_put(pcs_c_file *w, pcs_buf *b, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text) {
        if (!w->error) w->error = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "a line of the C file is too long");
        return;
    }
    const precis_status st = pcs_buf_add(b, text, (size_t)n);
    if (st && !w->error) w->error = st;
}

static const char *text_of(pcs_c_file *w, const char *text)
{
    const char *s = text ? pcs_arena_copy(&w->arena, text, strlen(text)) : NULL;
    if (!s && !w->error) w->error = PRECIS_ENOMEM;
    return s ? s : "";
}

const char *pcs_c_float(pcs_c_file *w, double v)
{
    char text[64];
    char digits[48];
    if (v > 3.4028235677973366e38 || v < -3.4028235677973366e38) /* of masks */
        return text_of(w, v > 0 ? "(1.0f / 0.0f)" : "(-1.0f / 0.0f)");
    snprintf(digits, sizeof digits, "%.9g", v);
    snprintf(text, sizeof text, "%s%s", digits, strpbrk(digits, ".en") ? "f" : ".0f");
    return text_of(w, text);
}

const char *pcs_c_plain(pcs_c_file *w, const char *text)
{
    char plain[64];
    size_t n = 0;
    for (; text[n] && n + 1 < sizeof plain; n++) {
        const char c = text[n];
        const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-:", c);
        plain[n] = ok ? c : '_';
    }
    plain[n] = 0;
    return text_of(w, plain);
}

const char *pcs_c_six(pcs_c_file *w, uint32_t dims, const int64_t *v, int64_t fill)
{
    char text[160];
    size_t at = 0;
    if (dims > 6) return NULL;
    for (uint32_t i = 0; i < 6; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%lld", i ? ", " : "{ ",
                               (long long)(i < 6 - dims ? fill : v[i - (6 - dims)]));
    snprintf(text + at, sizeof text - at, " }");
    return text_of(w, text);
}

const char *pcs_c_range(pcs_c_file *w, int64_t zero, int64_t lo, int64_t hi)
{
    char text[96];
    snprintf(text, sizeof text, "{ %lld.0f, %lld.0f, %lld }", (long long)(lo - zero), (long long)(hi - zero),
             (long long)zero);
    return text_of(w, text);
}

precis_status pcs_c_cannot(pcs_c_file *w, const pcs_node *n, const char *fmt, ...)
{
    char text[PCS_REASON];
    va_list ap;
    va_start(ap, fmt);
    pcs_node_reason(text, n, " cannot be written as C", fmt, ap);
    va_end(ap);
    return w->error = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                               "%s: %s; precis convert -o NAME.onnx keeps it, and precis plan shows which nodes stay "
                               "in float", w->what->source, text);
}

const precis_attr *pcs_c_attr(const pcs_node *n, const char *name)
{
    uint32_t i = 0;
    while (strcmp(n->op->attrs[i].name, name)) i++;
    return &n->attr[i];
}

/* ---- constants -------------------------------------------------------------------------------------- */

static const char *const types[] = { [PCS_F32] = "float",   [PCS_F64] = "double",   [PCS_I8] = "int8_t",
                                     [PCS_U8] = "uint8_t",  [PCS_I16] = "int16_t",  [PCS_I32] = "int32_t",
                                     [PCS_I64] = "int64_t", [PCS_BOOL] = "uint8_t", [PCS_U16] = "uint16_t",
                                     [PCS_U32] = "uint32_t", [PCS_U64] = "uint64_t" };

const char *pcs_c_type(pcs_dtype d) { return (size_t)d < sizeof types / sizeof *types ? types[d] : NULL; }

static void put_element(pcs_c_file *w, const pcs_arg *a, size_t i)
{
    if (a->dtype == PCS_F64) pcs_c_put(w, &w->arrays, "%.17g,", pcs_real_at(a, i));
    else if (a->dtype == PCS_F32) pcs_c_put(w, &w->arrays, "%s,", pcs_c_float(w, pcs_real_at(a, i)));
    else if (a->dtype == PCS_I32 && pcs_int_at(a, i) == INT32_MIN) pcs_c_put(w, &w->arrays, "-2147483647 - 1,");
    else pcs_c_put(w, &w->arrays, "%lld,", (long long)pcs_int_at(a, i));
}

/* Doubles are weights of resizes, which are finite. */
static bool are_numbers(const pcs_arg *a, uint64_t n)
{
    if (pcs_dtype_whole(a->dtype)) return true;
    for (uint64_t i = 0; i < n; i++) {
        const double v = pcs_real_at(a, i);
        if (v != v || (a->dtype == PCS_F64 && v - v != 0)) return false;
    }
    return true;
}

const char *pcs_c_array(pcs_c_file *w, const char *what, pcs_dtype d, uint64_t n, const void *data)
{
    const pcs_arg a = { .dtype = d, .data = (void *)(uintptr_t)data };
    const uint64_t bytes = n * pcs_dtype_bytes(d);
    const char *name = pcs_arena_printf(&w->arena, "%s_k%zu", w->name, w->n_structs++);
    if (w->error) return "";
    if (!name || !data) return w->error = PRECIS_ENOMEM, "";
    if (!pcs_c_type(d) || !are_numbers(&a, n)) {
        w->error = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                            "%s: %s is of type %s, or holds a NaN: a C file cannot hold it", w->what->source, what,
                            pcs_dtype_name(d));
        return "";
    }
    if ((w->weights += (bytes + 3) / 4 * 4) > PCS_LIMIT_C_CONSTANTS) {
        w->error = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                            "%s: has more than %d bytes of constants, which is too much for a C file", w->what->source,
                            PCS_LIMIT_C_CONSTANTS);
        return "";
    }
    pcs_c_put(w, &w->arrays, "static const %s %s[%llu] = { /* %s */", pcs_c_type(d), name,
              (unsigned long long)(n ? n : 1), what);
    for (uint64_t i = 0; i < n && !w->error; i++) {
        pcs_c_put(w, &w->arrays, "%s", i % 16 ? " " : "\n    ");
        put_element(w, &a, i);
    }
    pcs_c_put(w, &w->arrays, "%s\n};\n", n ? "" : "\n    0");
    return name;
}

const char *pcs_c_struct(pcs_c_file *w, const pcs_c_step *s, const char *type, uint32_t bytes)
{
    const char *name = pcs_arena_printf(&w->arena, "%s_p%zu", w->name, w->n_structs++);
    if (!name) return w->error = PRECIS_ENOMEM, "";
    w->weights += bytes;
    pcs_c_put(w, &w->arrays, "static const %s_%s_t %s = { /* %s */\n    ", w->name, type, name,
              pcs_c_plain(w, s->n->name));
    return name;
}
void pcs_c_struct_end(pcs_c_file *w) { pcs_c_put(w, &w->arrays, "\n};\n\n"); }

pcs_arg pcs_c_arg(pcs_c_file *w, precis_value v, void *data)
{
    const pcs_value *x = pcs_cv(w, v);
    pcs_arg a = { .dtype = x->dtype, .dims = x->dims, .data = data, .format = x->format, .affine = x->affine };
    memcpy(a.shape, x->shape, sizeof a.shape);
    return a;
}

precis_status pcs_c_eval(pcs_c_file *w, const pcs_node *n, const pcs_arg *in, const pcs_arg *out)
{
    atomic_int outside = 0;
    pcs_call c = { .ctx = w->ctx,     .kernels = &w->kernels, .attr = n->attr,
                   .n_in = n->n_in,   .n_out = n->n_out,      .in = (pcs_arg *)(uintptr_t)in,
                   .out = (pcs_arg *)(uintptr_t)out, .outside = &outside };
    c.scratch_size = n->op->scratch ? (n->op->scratch(&c) + 127) / 64 * 64 : 0;
    c.scratch = c.scratch_size ? pcs_alloc(w->ctx, c.scratch_size, 1) : NULL;
    if (c.scratch_size && !c.scratch) return PRECIS_ENOMEM;
    n->op->eval(&c, 0, 1);
    pcs_free(w->ctx, c.scratch);
    return outside ? pcs_c_cannot(w, n, "it meets a scale or an index that is none") : PRECIS_OK;
}

/* A chain of nodes on constants is computed from its end on; deep ones are none that a tool makes. */
static const void *data_of(pcs_c_file *w, precis_value v, int depth)
{
    pcs_value *x = &w->g->values[v];
    const pcs_node *n = pcs_c_maker(w, v);
    if (pcs_value_is_known(x) || !n || !w->values[v].constant || n->n_out != 1 || depth > 32) return pcs_value_host(x);
    pcs_arg *in = pcs_arena_alloc(&w->arena, n->n_in + 1, sizeof *in);
    if (!in) return NULL;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const void *data = data_of(w, n->in[i], depth + 1);
        if (!data) return NULL;
        in[i] = pcs_c_arg(w, n->in[i], (void *)(uintptr_t)data);
    }
    const uint64_t bytes = pcs_c_count(x) * pcs_dtype_bytes(x->dtype);
    void *made = n->op->view ? in[0].data : pcs_arena_alloc(&w->arena, bytes + 64, 1);
    const pcs_arg out = pcs_c_arg(w, v, made);
    if (!made || (!n->op->view && pcs_c_eval(w, n, in, &out))) return NULL;
    const uint64_t there = n->op->view ? pcs_value_bytes(&w->g->values[n->in[0]]) : bytes;
    return pcs_value_keep(x, pcs_store_rows(made, there, PCS_KEPT_BY_CALLER)) ? made : NULL;
}

const void *pcs_c_data(pcs_c_file *w, precis_value v)
{
    const void *data = data_of(w, v, 0);
    if (!data && !w->error)
        w->error = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "%s: constant %.60s cannot be computed for a C file",
                            w->what->source, pcs_c_plain(w, pcs_cv(w, v)->name));
    return data;
}

/* ---- calls ------------------------------------------------------------------------------------------ */

const char *pcs_c_pointer(pcs_c_file *w, precis_value v)
{
    const precis_value root = pcs_c_root(w, v);
    pcs_c_value *r = &w->values[root];
    const char *text = NULL;
    if (r->where == PCS_C_ARENA) text = pcs_arena_printf(&w->arena, "%s_AT(%llu)", w->upper, (unsigned long long)r->at);
    else if (r->where == PCS_C_INPUT)
        text = w->n_in > 1 ? pcs_arena_printf(&w->arena, "input_%llu", (unsigned long long)r->at) : "input";
    else if (r->where == PCS_C_OUTPUT)
        text = w->n_out > 1 ? pcs_arena_printf(&w->arena, "output_%llu", (unsigned long long)r->at) : "output";
    else if (r->where == PCS_C_CONSTANT) {
        if (!r->array)
            r->array = pcs_c_array(w, pcs_c_plain(w, pcs_cv(w, root)->name), pcs_cv(w, root)->dtype,
                                   pcs_c_count(pcs_cv(w, root)), pcs_c_data(w, root));
        text = r->array;
    }
    if (!text && !w->error) w->error = PRECIS_ENOMEM;
    return text ? text : "";
}

void pcs_c_use(pcs_c_file *w, const char *part)
{
    size_t i = 0;
    while (pcs_c_parts[i].name && strcmp(pcs_c_parts[i].name, part)) i++;
    if (!pcs_c_parts[i].name || w->part[i]) return;
    w->part[i] = true;
    w->code += pcs_c_parts[i].code;
    for (const char *at = pcs_c_parts[i].needs; *at;) {
        char word[32] = { 0 };
        const size_t n = strcspn(at, " ");
        memcpy(word, at, n < sizeof word ? n : sizeof word - 1);
        for (size_t k = 0; k < i; k++) /* those stand before it, and need only what does */
            if (!strcmp(pcs_c_parts[k].name, word) && !w->part[k]) w->part[k] = true, w->code += pcs_c_parts[k].code;
        at += n + (at[n] == ' ');
    }
}

precis_status pcs_c_call(pcs_c_file *w, const char *part, const pcs_c_step *s, const char *params)
{
    pcs_c_use(w, part);
    pcs_c_put(w, &w->calls, "    %s_%s(&%s, ", w->name, part, params);
    for (uint32_t i = 0; i < s->n_in; i++) pcs_c_put(w, &w->calls, "%s, ", pcs_c_pointer(w, s->in[i]));
    pcs_c_put(w, &w->calls, "%s); /* %s */\n", pcs_c_pointer(w, s->out), pcs_c_plain(w, s->n->name));
    w->n_calls++;
    return w->error;
}

void pcs_c_count_work(pcs_c_file *w, pcs_c_work kind, double n) { w->work[kind] += n; }
