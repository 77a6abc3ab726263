/* codes.c - calls for ops of codes, as the pass fuse_codes makes them: weights leave their panels and lie by outputs.
 */
#include "graph/op/codes.h"
#include "write/c/functions.h"

static const char *to_of(pcs_c_file *w, const pcs_node *n)
{
    return pcs_c_range(w, pcs_c_attr(n, "zero")->integer, pcs_c_attr(n, "lo")->integer, pcs_c_attr(n, "hi")->integer);
}

/* A window's members, height before width: "height, width, stride_y, ...". */
static void put_window(pcs_c_file *w, const pcs_node *n)
{
    const precis_attr *k = pcs_c_attr(n, "kernel"), *s = pcs_c_attr(n, "strides"), *p = pcs_c_attr(n, "pads"),
                      *d = pcs_c_attr(n, "dilations");
    pcs_c_put(w, &w->arrays, "%lld, %lld, %lld, %lld, %lld, %lld, %lld, %lld", (long long)k->list[0],
              (long long)k->list[1], (long long)pcs_listed(s, 0, 1), (long long)pcs_listed(s, 1, 1),
              (long long)pcs_listed(p, 0, 0), (long long)pcs_listed(p, 1, 0), (long long)pcs_listed(d, 0, 1),
              (long long)pcs_listed(d, 1, 1));
}

/* Images, heights and widths of what is read and made. */
static void put_sizes(pcs_c_file *w, const pcs_c_step *s)
{
    const int64_t *x = pcs_cv(w, s->in[0])->shape, *y = pcs_cv(w, s->out)->shape;
    pcs_c_put(w, &w->arrays, "%lld, %lld, %lld, %lld, %lld, ", (long long)x[0], (long long)x[1], (long long)x[2],
              (long long)y[1], (long long)y[2]);
}

/* What panels of a product hold, by rows of k. */
typedef struct {
    size_t groups, rows, k, height, kernel; /* rows of a group; height > 0: depthwise, rows are taps */
} packed;

/* Weights of all groups by outputs; first and factor without what pads panels. */
typedef struct {
    const char *w, *first, *factor;
} arrays;

static bool unpack(pcs_c_file *w, const pcs_node *n, const packed *p, arrays *a)
{
    const size_t outs = p->groups * p->rows, lines = pcs_codes_lines(p->k),
                 padded = pcs_codes_panels(p->rows) * PCS_CODES_PANEL;
    const int8_t *panels = pcs_c_data(w, n->in[1]);
    const int32_t *first = pcs_c_data(w, n->in[2]);
    const float *factor = pcs_c_data(w, n->in[4]);
    int8_t *to = pcs_alloc(w->ctx, outs * p->k + 1, 1);
    int32_t *f = pcs_alloc(w->ctx, 2 * outs + 1, sizeof *f);
    const bool ok = to && f && panels && first && factor;
    float *m = ok ? (float *)(void *)(f + outs) : NULL;
    for (size_t o = 0; o < outs && ok; o++) {
        const size_t at = p->height ? o : o / p->rows * padded + o % p->rows;
        f[o] = first[at];
        m[o] = factor[at];
        for (size_t i = 0; i < p->k; i++)
            if (p->height)
                to[i * outs + o] = panels[pcs_codes_tap(o, p->height, p->kernel, i / p->kernel, i % p->kernel)];
            else
                to[o * p->k + i] =
                    panels[at / PCS_CODES_PANEL * lines * 64 + at % PCS_CODES_PANEL * 4 + i / 4 * 64 + i % 4];
    }
    if (ok) {
        a->w = pcs_c_array(w, "weights", PCS_I8, outs * p->k, to);
        a->first = pcs_c_array(w, "sums begin with", PCS_I32, outs, f);
        a->factor = pcs_c_array(w, "factors", PCS_F32, outs, m);
    }
    pcs_free(w->ctx, to);
    pcs_free(w->ctx, f);
    if (!ok && !w->error) w->error = PRECIS_ENOMEM;
    return !w->error;
}

precis_status pcs_c_codes_conv(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_node *n = s->n;
    const int64_t *x = pcs_cv(w, s->in[0])->shape, *y = pcs_cv(w, s->out)->shape;
    const precis_attr *kernel = pcs_c_attr(n, "kernel");
    const int64_t groups = pcs_c_attr(n, "groups")->integer, ins = x[3] / groups, outs = y[3] / groups,
                  taps = kernel->list[0] * kernel->list[1];
    const bool depthwise = groups > 1 && groups == x[3] && groups == y[3];
    packed p = { (size_t)groups, (size_t)outs, (size_t)(taps * ins), 0, 0 };
    if (depthwise)
        p = (packed){ 1, (size_t)groups, (size_t)taps, (size_t)kernel->list[0], (size_t)kernel->list[1] };
    arrays a;
    if (!unpack(w, n, &p, &a)) return w->error;
    const char *name = pcs_c_struct(w, s, depthwise ? "depthwise" : "conv", depthwise ? 84 : 92);
    pcs_c_put(w, &w->arrays, "%s, %s, %s, ", a.w, a.first, a.factor);
    put_sizes(w, s);
    if (depthwise) pcs_c_put(w, &w->arrays, "%lld, ", (long long)groups);
    else pcs_c_put(w, &w->arrays, "%lld, %lld, %lld, ", (long long)groups, (long long)ins, (long long)outs);
    put_window(w, n);
    pcs_c_put(w, &w->arrays, ", %lld, %s", (long long)pcs_c_attr(n, "zero_in")->integer, to_of(w, n));
    pcs_c_struct_end(w);
    const double made = (double)pcs_c_count(pcs_cv(w, s->out));
    pcs_c_count_work(w, depthwise ? PCS_C_MAC_DEPTHWISE : PCS_C_MAC, made * (double)p.k);
    pcs_c_count_work(w, PCS_C_OUT, made);
    const pcs_c_step one = { .n = n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, depthwise ? "depthwise" : "conv", &one, name);
}

precis_status pcs_c_codes_linear(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]);
    const int64_t outs = pcs_c_attr(s->n, "channels")->integer, k = x->shape[x->dims - 1];
    arrays a;
    if (!unpack(w, s->n, &(packed){ 1, (size_t)outs, (size_t)k, 0, 0 }, &a)) return w->error;
    const double made = (double)pcs_c_count(pcs_cv(w, s->out));
    const bool numbers = pcs_c_attr(s->n, "numbers")->integer != 0;
    const char *bias = s->n_in > 5 ? pcs_c_array(w, "bias", PCS_F32, (uint64_t)outs, pcs_c_data(w, s->n->in[5])) : "0";
    const char *part = numbers ? "linear_f32" : "linear", *name = pcs_c_struct(w, s, part, numbers ? 28 : 36);
    pcs_c_put(w, &w->arrays, "%s, %s, %s, %.0f, %lld, %lld", a.w, a.first, a.factor, made / (double)outs, (long long)k,
              (long long)outs);
    pcs_c_put(w, &w->arrays, ", %s", numbers ? bias : to_of(w, s->n));
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_MAC, made * (double)k);
    pcs_c_count_work(w, PCS_C_OUT, made);
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, part, &one, name);
}

precis_status pcs_c_codes_add(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_node *n = s->n;
    const char *name = pcs_c_struct(w, s, "add", 36);
    pcs_c_put(w, &w->arrays, "%llu, %lld, %lld, %s, %s, %s, %s", (unsigned long long)pcs_c_count(pcs_cv(w, s->out)),
              (long long)pcs_c_attr(n, "zero_a")->integer, (long long)pcs_c_attr(n, "zero_b")->integer,
              pcs_c_float(w, pcs_c_attr(n, "scale_a")->real), pcs_c_float(w, pcs_c_attr(n, "scale_b")->real),
              pcs_c_float(w, pcs_c_attr(n, "scale")->real), to_of(w, n));
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_OUT, 2 * (double)pcs_c_count(pcs_cv(w, s->out)));
    return pcs_c_call(w, "add", s, name);
}

precis_status pcs_c_codes_mul(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_node *n = s->n;
    const pcs_value *y = pcs_cv(w, s->out);
    const char *sizes = pcs_c_six(w, y->dims, y->shape, 1);
    if (!sizes) return pcs_c_cannot(w, n, "it has more than 6 dimensions");
    if (!pcs_c_count(y)) return PRECIS_OK;
    const char *a = pcs_c_spread(w, pcs_cv(w, s->in[0]), y), *b = pcs_c_spread(w, pcs_cv(w, s->in[1]), y),
               *name = pcs_c_struct(w, s, "mul_codes", 104);
    const int64_t sign = pcs_c_attr(n, "sign")->integer ? 128 : 0;
    pcs_c_put(w, &w->arrays, "%s, %s, %s, %lld, %lld, %s, %s, %s, %lld", sizes, a, b,
              (long long)pcs_c_attr(n, "zero_a")->integer, (long long)pcs_c_attr(n, "zero_b")->integer,
              pcs_c_float(w, pcs_c_attr(n, "factor")->real),
              pcs_c_float(w, (double)(pcs_c_attr(n, "zero")->integer - sign)),
              pcs_c_range(w, 0, pcs_c_attr(n, "lo")->integer - sign, pcs_c_attr(n, "hi")->integer - sign),
              (long long)sign);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_OUT, 2 * (double)pcs_c_count(y));
    return pcs_c_call(w, "mul_codes", s, name);
}

precis_status pcs_c_codes_matmul(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_node *n = s->n;
    const pcs_value *a = pcs_cv(w, s->in[0]), *b = pcs_cv(w, s->in[1]), *y = pcs_cv(w, s->out);
    const int64_t rows = a->shape[a->dims - 2], ins = a->shape[a->dims - 1], outs = b->shape[b->dims - 1];
    const uint64_t made = pcs_c_count(y);
    if (!made) return PRECIS_OK;
    const char *name = pcs_c_struct(w, s, "pairs", 48);
    pcs_c_put(w, &w->arrays, "%llu, %lld, %lld, %lld, %lld, %lld, %d, %s, %s, %d, %d, %d",
              (unsigned long long)(made / (uint64_t)(rows * outs)), (long long)rows, (long long)ins, (long long)outs,
              (long long)pcs_c_attr(n, "zero_a")->integer, (long long)pcs_c_attr(n, "zero_b")->integer,
              y->dtype == PCS_F32, pcs_c_float(w, pcs_c_attr(n, "factor")->real), to_of(w, n),
              a->dtype == PCS_I8 ? 128 : 0, b->dtype == PCS_I8 ? 128 : 0, y->dtype == PCS_I8 ? 128 : 0);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_MAC, (double)made * (double)ins);
    pcs_c_count_work(w, PCS_C_OUT, (double)made);
    return pcs_c_call(w, "pairs", s, name);
}

precis_status pcs_c_codes_pool(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_node *n = s->n;
    const int64_t *x = pcs_cv(w, s->in[0])->shape;
    const precis_attr *kernel = pcs_c_attr(n, "kernel"), *pads = pcs_c_attr(n, "pads");
    const bool mean = pcs_c_attr(n, "kind")->text[1] == 'e';
    const char *part = mean ? "mean_pool" : "max_pool", *name = pcs_c_struct(w, s, part, mean ? 96 : 56);
    put_sizes(w, s);
    pcs_c_put(w, &w->arrays, "%lld, ", (long long)x[3]);
    put_window(w, n);
    if (mean)
        pcs_c_put(w, &w->arrays, ", %lld, %lld, %lld, %lld, %s, %s, %s", (long long)(x[1] + pcs_listed(pads, 2, 0)),
                  (long long)(x[2] + pcs_listed(pads, 3, 0)), (long long)pcs_c_attr(n, "all")->integer,
                  (long long)pcs_c_attr(n, "zero_in")->integer, pcs_c_float(w, pcs_c_attr(n, "scale_in")->real),
                  pcs_c_float(w, pcs_c_attr(n, "scale")->real), to_of(w, n));
    pcs_c_struct_end(w);
    pcs_c_count_work(w, mean ? PCS_C_DOUBLE : PCS_C_ELEMENT,
                     (double)pcs_c_count(pcs_cv(w, s->out)) * (double)(kernel->list[0] * kernel->list[1]));
    return pcs_c_call(w, part, s, name);
}

precis_status pcs_c_codes_lookup(pcs_c_file *w, const pcs_c_step *s)
{
    const char *table = pcs_c_pointer(w, s->in[1]), *name = pcs_c_struct(w, s, "lookup", 8);
    const uint64_t count = pcs_c_count(pcs_cv(w, s->out));
    pcs_c_put(w, &w->arrays, "%llu, %s", (unsigned long long)count, table);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_ELEMENT, (double)count);
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "lookup", &one, name);
}

/* Channels first and last are the same bytes where there is one channel, or one place. */
bool pcs_c_same_layout(const pcs_c_file *w, const pcs_node *n)
{
    const pcs_value *x = pcs_cv(w, n->in[0]), *y = pcs_cv(w, n->out[0]);
    if (x->dtype != y->dtype) return false;
    if (x->dims != 4) return true;
    const int64_t *c = pcs_c_attr(n, "last")->integer ? x->shape : y->shape; /* channels first */
    return c[1] == 1 || c[2] * c[3] == 1;
}

precis_status pcs_c_codes_layout(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *y = pcs_cv(w, s->out);
    const bool last = pcs_c_attr(s->n, "last")->integer != 0;
    int64_t dense[PCS_GRAPH_DIMS], step[PCS_GRAPH_DIMS];
    pcs_dense(x->dims, x->shape, dense);
    for (uint32_t i = 0; i < x->dims; i++)
        step[i] = dense[x->dims != 4 || !i ? i : last ? (i == 3 ? 1 : i + 1) : (i == 1 ? 3 : i - 1)];
    return pcs_c_move(w, s, 0, step, x->dtype != y->dtype ? 128 : 0);
}
