/* reductions.c - many numbers become one: poolings, means, softmax, the place of the largest. */
#include "graph/op/window.h"
#include "write/c/functions.h"

/* What lies before and after an axis. */
static void around(const pcs_value *x, uint32_t axis, uint64_t *outer, uint64_t *inner)
{
    *outer = *inner = 1;
    for (uint32_t i = 0; i < axis; i++) *outer *= (uint64_t)x->shape[i];
    for (uint32_t i = axis + 1; i < x->dims; i++) *inner *= (uint64_t)x->shape[i];
}

precis_status pcs_c_pool(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_node *n = s->n;
    const pcs_value *x = pcs_cv(w, s->in[0]), *y = pcs_cv(w, s->out);
    const char *kind = pcs_c_attr(n, "kind")->text;
    const precis_attr *k = pcs_c_attr(n, "kernel"), *st = pcs_c_attr(n, "strides"), *p = pcs_c_attr(n, "pads"),
                      *d = pcs_c_attr(n, "dilations");
    const uint32_t dims = x->dims - 2;
    if (x->dtype != PCS_F32 || dims > 2 || kind[1] == 'p')
        return pcs_c_cannot(w, n, "only means and the largest of f32 over one or two dimensions");
    const int64_t *sx = x->shape + 2, *sy = y->shape + 2;
    const uint32_t l = dims - 1; /* the last of them; the other is one where there is none */
    const bool two = dims == 2;
    const char *name = pcs_c_struct(w, s, "pool_f32", 68);
    pcs_c_put(w, &w->arrays, "%lld, %lld, %lld, %lld, %lld, ", (long long)(x->shape[0] * x->shape[1]),
              (long long)(two ? sx[0] : 1), (long long)sx[l], (long long)(two ? sy[0] : 1), (long long)sy[l]);
    pcs_c_put(w, &w->arrays, "%lld, %lld, %lld, %lld, %lld, %lld, %lld, %lld, ", (long long)(two ? k->list[0] : 1),
              (long long)k->list[l], (long long)(two ? pcs_listed(st, 0, 1) : 1), (long long)pcs_listed(st, l, 1),
              (long long)(two ? pcs_listed(p, 0, 0) : 0), (long long)pcs_listed(p, l, 0),
              (long long)(two ? pcs_listed(d, 0, 1) : 1), (long long)pcs_listed(d, l, 1));
    pcs_c_put(w, &w->arrays, "%lld, %lld, %d, %lld", (long long)(two ? sx[0] + pcs_listed(p, 2, 0) : 1),
              (long long)(sx[l] + pcs_listed(p, dims + l, 0)), kind[1] == 'e',
              (long long)pcs_c_attr(n, "all")->integer);
    pcs_c_struct_end(w);
    double taps = 1;
    for (uint32_t i = 0; i < k->n; i++) taps *= (double)k->list[i];
    pcs_c_count_work(w, PCS_C_DOUBLE, (double)pcs_c_count(y) * taps);
    return pcs_c_call(w, "pool_f32", s, name);
}

/* The function that a kind of reduction is, and the number that it goes by there (parts). */
typedef struct { const char *kind, *part; int as; } reduction;

static const reduction *reduction_of(const char *kind)
{
    static const reduction rows[] = { { "mean", "mean", 1 }, { "sum", "mean", 0 }, { "max", "fold", 0 },
                                      { "min", "fold", 1 },  { "prod", "fold", 2 }, { "l1", "fold", 3 },
                                      { "sum_square", "fold", 4 },
                                      { "l2", "root", 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].kind, kind)) return &rows[i];
    return NULL;
}

/* Axes that follow one another are one. */
precis_status pcs_c_reduce(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]);
    const precis_attr *axes = pcs_c_attr(s->n, "axes");
    const reduction *by = reduction_of(pcs_c_attr(s->n, "kind")->text);
    bool over[PCS_GRAPH_DIMS] = { false };
    uint64_t outer = 1, n = 1, inner = 1;
    if (x->dtype != PCS_F32 || !by)
        return pcs_c_cannot(w, s->n, "only f32, and no logarithms of sums");
    for (uint32_t i = 0; i < axes->n; i++) over[pcs_axis(axes->list[i], x->dims)] = true;
    int stage = 0;
    for (uint32_t i = 0; i < x->dims; i++) {
        if (x->shape[i] == 1) continue;
        if (over[i] ? stage == 2 : stage == 1) stage++;
        if (over[i] && stage == 0) stage = 1;
        if (stage == 3) return pcs_c_cannot(w, s->n, "its axes do not follow one another");
        *(over[i] ? &n : stage == 0 ? &outer : &inner) *= (uint64_t)x->shape[i];
    }
    if (!n) return pcs_c_cannot(w, s->n, "nothing is put together");
    const char *name = pcs_c_struct(w, s, by->part, 16);
    pcs_c_put(w, &w->arrays, "%llu, %llu, %llu, %d", (unsigned long long)outer, (unsigned long long)n,
              (unsigned long long)inner, by->as);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_DOUBLE, (double)(outer * n * inner));
    return pcs_c_call(w, by->part, s, name);
}

static precis_status softmax_over(pcs_c_file *w, const pcs_c_step *s, uint32_t axis, const char *part)
{
    const pcs_value *x = pcs_cv(w, s->in[0]);
    uint64_t outer, inner;
    if (x->dtype != PCS_F32 || !x->shape[axis]) return pcs_c_cannot(w, s->n, "only f32 is computed");
    around(x, axis, &outer, &inner);
    const char *name = pcs_c_struct(w, s, part, 12);
    pcs_c_put(w, &w->arrays, "%llu, %lld, %llu", (unsigned long long)outer, (long long)x->shape[axis],
              (unsigned long long)inner);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_DOUBLE, 4 * (double)pcs_c_count(x));
    return pcs_c_call(w, part, s, name);
}

precis_status pcs_c_softmax(pcs_c_file *w, const pcs_c_step *s)
{
    return softmax_over(w, s, pcs_cv(w, s->in[0])->dims - 1, "softmax");
}

precis_status pcs_c_normalize(pcs_c_file *w, const pcs_c_step *s)
{
    const char kind = pcs_c_attr(s->n, "kind")->text[0];
    if (kind == 'h') return pcs_c_cannot(w, s->n, "of its kinds softmax and its logarithm are there");
    return softmax_over(w, s, pcs_axis(pcs_c_attr(s->n, "axis")->integer, pcs_cv(w, s->in[0])->dims),
                        kind == 'l' ? "log_softmax" : "softmax");
}

precis_status pcs_c_layer_norm(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]);
    const int64_t n = x->dims ? x->shape[x->dims - 1] : 0;
    bool constant = x->dtype == PCS_F32 && n > 0;
    for (uint32_t i = 1; i < s->n_in; i++) constant = constant && w->values[s->in[i]].constant;
    if (!constant) return pcs_c_cannot(w, s->n, "only f32 with constant factors is computed");
    const char *factors[2] = { "0", "0" };
    for (uint32_t i = 1; i < s->n_in; i++) {
        const void *data = pcs_c_data(w, s->in[i]);
        if (!data) return w->error;
        factors[i - 1] = pcs_c_array(w, i == 1 ? "factors" : "added", PCS_F32, (uint64_t)n, data);
    }
    const char *name = pcs_c_struct(w, s, "layer_norm", 20);
    pcs_c_put(w, &w->arrays, "%llu, %lld, %s, %s, %s", (unsigned long long)(pcs_c_count(x) / (uint64_t)n), (long long)n,
              pcs_c_float(w, (double)(float)pcs_c_attr(s->n, "eps")->real), factors[0], factors[1]);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_OUT, 4 * (double)pcs_c_count(x));
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "layer_norm", &one, name);
}

precis_status pcs_c_arg_reduce(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]);
    const uint32_t axis = pcs_axis(pcs_c_attr(s->n, "axis")->integer, x->dims);
    uint64_t outer, inner;
    if (x->dtype != PCS_F32 && !pcs_dtype_byte(x->dtype)) return pcs_c_cannot(w, s->n, "only of f32 and of codes");
    around(x, axis, &outer, &inner);
    const char *name = pcs_c_struct(w, s, "argmax", 28);
    pcs_c_put(w, &w->arrays, "%llu, %lld, %llu, %d, %lld, %lld, %d", (unsigned long long)outer,
              (long long)x->shape[axis], (unsigned long long)inner, pcs_dtype_byte(x->dtype),
              (long long)pcs_c_attr(s->n, "least")->integer,
              (long long)pcs_c_attr(s->n, "last")->integer, x->dtype == PCS_I8 ? 128 : 0);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_ELEMENT, 2 * (double)pcs_c_count(x));
    return pcs_c_call(w, "argmax", s, name);
}
