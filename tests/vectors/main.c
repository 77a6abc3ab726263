/* precis-vectors FILE [FAMILY]: cases of ../shared/reference/train/vectors.json's form, computed by the library,
 * printed as check_vectors.py reads them. Exit 0 when every case was understood, 1 when one was refused (its reason on
 * stderr), 3 when the file is none. */
#include "vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; family_fn *fn; } families[] = {
#define FAMILY(name) { #name, family_##name },
#include "families.def"
#undef FAMILY
};

void refuse(vec_case *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s: ", c->id);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    longjmp(c->refused, 1);
}

void check(vec_case *c, precis_status st)
{
    if (st) refuse(c, "%s", precis_ctx_message(c->ctx));
}

void *keep(vec_case *c, size_t bytes)
{
    if (c->n_kept == sizeof c->kept / sizeof *c->kept) refuse(c, "too many arrays");
    void *m = calloc(bytes + 128, 1);
    if (!m) refuse(c, "no memory");
    return c->kept[c->n_kept++] = m;
}

/* ---- what a case says -------------------------------------------------------------------------- */

static json_t *get(vec_case *c, json_t *from, const char *name, const char *what)
{
    json_t *v = json_object_get(from, name);
    if (!v) refuse(c, "%s %s is missing", what, name);
    if (c->n_used < MOST_NAMES) c->used[c->n_used++] = name;
    return v;
}

bool has_attr(vec_case *c, const char *name) { return json_object_get(c->attr, name) != NULL; }
bool has_input(vec_case *c, const char *name) { return json_object_get(c->in, name) != NULL; }
json_t *list_attr(vec_case *c, const char *name) { return get(c, c->attr, name, "attribute"); }

double real_attr(vec_case *c, const char *name)
{
    json_t *v = get(c, c->attr, name, "attribute");
    if (!json_is_number(v)) refuse(c, "attribute %s is no number", name);
    return json_number_value(v);
}

int64_t int_attr(vec_case *c, const char *name)
{
    json_t *v = get(c, c->attr, name, "attribute");
    if (json_is_boolean(v)) return json_is_true(v);
    if (!json_is_integer(v)) refuse(c, "attribute %s is no whole number", name);
    return json_integer_value(v);
}

const char *text_attr(vec_case *c, const char *name)
{
    json_t *v = get(c, c->attr, name, "attribute");
    if (!json_is_string(v)) refuse(c, "attribute %s is no text", name);
    return json_string_value(v);
}

static double number(const json_t *v)
{
    return json_is_string(v) ? strtod(json_string_value(v), NULL) : json_number_value(v);
}

array input(vec_case *c, const char *name)
{
    json_t *v = get(c, c->in, name, "input"), *shape = json_object_get(v, "shape"), *data = json_object_get(v, "data");
    array a = { .dims = (uint32_t)json_array_size(shape), .n = 1 };
    if (!json_is_array(shape) || !json_is_array(data) || a.dims > 8) refuse(c, "input %s has no shape and data", name);
    for (uint32_t i = 0; i < a.dims; i++) a.n *= (size_t)(a.shape[i] = json_integer_value(json_array_get(shape, i)));
    if (json_array_size(data) != a.n) refuse(c, "input %s does not fill its shape", name);
    a.x = keep(c, a.n * sizeof *a.x);
    for (size_t i = 0; i < a.n; i++) a.x[i] = (float)number(json_array_get(data, i));
    return a;
}

int32_t *whole(vec_case *c, const array *a)
{
    int32_t *w = keep(c, a->n * sizeof *w);
    for (size_t i = 0; i < a->n; i++) w[i] = (int32_t)a->x[i];
    return w;
}

/* ---- what it gives ------------------------------------------------------------------------------ */

static json_t *json_of(float x)
{
    if (x != x) return json_string("nan");
    if (x - x != 0) return json_string(x > 0 ? "inf" : "-inf");
    return json_real((double)x);
}

void put(vec_case *c, const char *name, const float *x, uint32_t dims, const int64_t *shape)
{
    json_t *s = json_array(), *d = json_array();
    size_t n = 1;
    for (uint32_t i = 0; i < dims; i++) n *= (size_t)shape[i], json_array_append_new(s, json_integer(shape[i]));
    for (size_t i = 0; i < n; i++) json_array_append_new(d, json_of(x[i]));
    json_object_set_new(c->out, name, json_pack("{s:o, s:o}", "shape", s, "data", d));
}

void put_like(vec_case *c, const char *name, const float *x, const array *like)
{
    put(c, name, x, like->dims, like->shape);
}

void put_number(vec_case *c, const char *name, double x)
{
    const float f = (float)x;
    put(c, name, &f, 0, NULL);
}

/* ---- graphs ------------------------------------------------------------------------------------- */

void open_net(vec_case *c, net *n)
{
    *n = (net){ 0 };
    check(c, precis_graph_open(c->ctx, &n->g));
}

void close_net(net *n)
{
    pcs_reverse_close(&n->r);
    precis_program_close(&n->p);
    precis_graph_close(&n->g);
}

precis_value param_of(vec_case *c, net *n, const char *name, const array *a)
{
    (void)c;
    const int64_t one = 1;
    return pcs_graph_parameter(n->g, name, a->dims ? a->dims : 1, a->dims ? a->shape : &one, a->x);
}

precis_value param(vec_case *c, net *n, const char *name)
{
    const array a = input(c, name);
    return param_of(c, n, name, &a);
}

precis_value param_flat(vec_case *c, net *n, const char *name)
{
    array a = input(c, name);
    a.dims = 1;
    a.shape[0] = (int64_t)a.n;
    return param_of(c, n, name, &a);
}

precis_value ids(vec_case *c, net *n, const char *name, size_t count, const int32_t *data)
{
    (void)c;
    const int64_t shape = (int64_t)count;
    return pcs_graph_codes(n->g, name, &(pcs_code_value){ PCS_I32, 1, &shape, data, &(pcs_affine){ 0 } });
}

precis_value node(net *n, const char *op, const precis_attr *attrs, uint32_t n_in, const precis_value *in)
{
    return precis_graph_node(n->g, op, op, attrs, n_in, in);
}

void run_net(vec_case *c, net *n, precis_value y)
{
    if (!n->p) {
        precis_graph_output(n->g, y);
        check(c, precis_program_open(c->ctx, &n->p, n->g, PRECIS_EMULATED));
    }
    check(c, pcs_program_run(n->p));
}

void back_net(vec_case *c, net *n, precis_value y, const float *dy)
{
    if (!n->r) check(c, pcs_reverse_open(c->ctx, &n->r, n->p, y, NULL, 0));
    check(c, pcs_reverse_run(n->r, dy, false));
}

const float *value_of(vec_case *c, net *n, precis_value v)
{
    const float *x = pcs_program_value(n->p, v);
    if (!x) refuse(c, "a value is not there");
    return x;
}

void put_value(vec_case *c, net *n, const char *name, precis_value v)
{
    int64_t shape[PRECIS_MAX_DIMS];
    const uint32_t dims = precis_graph_value_shape(n->g, v, shape);
    put(c, name, value_of(c, n, v), dims, shape);
}

void put_gradient(vec_case *c, net *n, const char *name, precis_value v, const char *like)
{
    const float *d = pcs_reverse_gradient(n->r, v);
    if (!d) refuse(c, "no gradient of %s", like);
    const array a = input(c, like);
    put_like(c, name, d, &a);
}

/* ---- the file ----------------------------------------------------------------------------------- */

static bool all_read(vec_case *c, json_t *names, const char *what)
{
    const char *name;
    json_t *v;
    json_object_foreach(names, name, v)
    {
        bool used = false;
        for (size_t i = 0; i < c->n_used; i++) used |= !strcmp(c->used[i], name);
        if (used) continue;
        fprintf(stderr, "%s: %s %s is not known\n", c->id, what, name);
        return false;
    }
    return true;
}

/* The results of one case; NULL: it was refused. */
static json_t *compute(precis_ctx *ctx, json_t *description)
{
    vec_case *c = calloc(1, sizeof *c);
    *c = (vec_case){ .ctx = ctx, .out = json_object() };
    const char *id = json_string_value(json_object_get(description, "id"));
    const char *family = json_string_value(json_object_get(description, "family"));
    c->id = id ? id : "a case without id";
    c->family = family ? family : "";
    c->attr = json_object_get(description, "attr");
    c->in = json_object_get(description, "in");
    family_fn *fn = NULL;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strcmp(families[i].name, c->family)) fn = families[i].fn;
    json_t *out = c->out;
    if (setjmp(c->refused) == 0) {
        if (!fn) refuse(c, "the family %s is not known", c->family);
        fn(c);
        if (!all_read(c, c->attr, "attribute") || !all_read(c, c->in, "input")) longjmp(c->refused, 1);
    } else {
        json_decref(out);
        out = NULL;
    }
    for (size_t i = 0; i < c->n_kept; i++) free(c->kept[i]);
    free(c);
    return out;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: precis-vectors FILE [FAMILY [THREADS]]\n");
        return 2;
    }
    json_error_t error;
    json_t *file = json_load_file(argv[1], 0, &error), *cases = json_object_get(file, "cases");
    if (!json_is_array(cases)) {
        fprintf(stderr, "%s: no cases: %s\n", argv[1], file ? "" : error.text);
        json_decref(file);
        return 3;
    }
    precis_ctx *ctx;
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    o.threads = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 2;
    if (precis_ctx_open(&ctx, &o)) return 4;
    json_t *results = json_object(), *one;
    int refused = 0;
    size_t i;
    json_array_foreach(cases, i, one)
    {
        const char *family = json_string_value(json_object_get(one, "family"));
        if (argc > 2 && *argv[2] && (!family || strcmp(argv[2], family))) continue;
        json_t *r = compute(ctx, one);
        if (r) json_object_set_new(results, json_string_value(json_object_get(one, "id")), r);
        else refused = 1;
    }
    json_dumpf(results, stdout, JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(results);
    json_decref(file);
    precis_ctx_close(&ctx);
    return refused;
}
