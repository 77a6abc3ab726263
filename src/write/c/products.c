/* products.c - numbers multiplied and summed: in the order and with the roundings that the kernels here have, which the
 * functions of a C file keep. Weights that are stored as codes stay codes. */
#include "graph/pass/codes.h"
#include "graph/op/window.h"
#include "write/c/functions.h"

/* Weights as members of a struct: "w, codes, scale". columns: rows of weights are columns of the value. */
static const char *weights_of(pcs_c_file *w, precis_value v, bool columns)
{
    pcs_code_weights c;
    const pcs_value *x = pcs_cv(w, v);
    const size_t count = (size_t)pcs_c_count(x);
    const char *text = NULL;
    if (pcs_code_weights_are(w->g, w->g->nodes, v, columns)) {
        if (!pcs_code_weights_of(w->g, w->g->nodes, v, columns, &c)) return w->error = PRECIS_ENOMEM, "";
        const char *codes = pcs_c_array(w, "weights", PCS_I8, c.rows * c.k, c.w);
        text = pcs_arena_printf(&w->arena, "0, %s, %s", codes, pcs_c_array(w, "scales", PCS_F32, c.rows, c.scale));
        pcs_free(w->ctx, c.scale);
    } else {
        const float *data = pcs_c_data(w, v);
        float *turned = columns ? pcs_alloc(w->ctx, count + 1, sizeof *turned) : NULL;
        if (!data || (columns && !turned)) return w->error = w->error ? w->error : PRECIS_ENOMEM, "";
        for (size_t i = 0; i < count && columns; i++)
            turned[i % (size_t)x->shape[1] * (size_t)x->shape[0] + i / (size_t)x->shape[1]] = data[i];
        const char *numbers = pcs_c_array(w, "weights", PCS_F32, count, columns ? turned : data);
        text = pcs_arena_printf(&w->arena, "%s, 0, 0", numbers);
        pcs_free(w->ctx, turned);
    }
    return text ? text : "";
}

static const char *bias_of(pcs_c_file *w, const pcs_c_step *s)
{
    if (s->n_in < 3) return "0";
    const pcs_value *b = pcs_cv(w, s->in[2]);
    return pcs_c_array(w, "bias", PCS_F32, pcs_c_count(b), pcs_c_data(w, s->in[2]));
}

static precis_status rows_times(pcs_c_file *w, const pcs_c_step *s, bool columns)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *y = pcs_cv(w, s->out);
    const int64_t ins = x->shape[x->dims - 1], outs = y->shape[y->dims - 1];
    const double made = (double)pcs_c_count(y);
    const char *weights = weights_of(w, s->in[1], columns), *bias = bias_of(w, s),
               *name = pcs_c_struct(w, s, "matmul", 28);
    pcs_c_put(w, &w->arrays, "%s, %s, %.0f, %lld, %lld", weights, bias, outs ? made / (double)outs : 0, (long long)ins,
              (long long)outs);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_MAC_F32, made * (double)ins);
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "matmul", &one, name);
}

static bool constants(const pcs_c_file *w, const pcs_c_step *s)
{
    for (uint32_t i = 1; i < s->n_in; i++)
        if (!w->values[s->in[i]].constant) return false;
    return pcs_cv(w, s->in[0])->dtype == PCS_F32;
}

precis_status pcs_c_matmul(pcs_c_file *w, const pcs_c_step *s)
{
    if (!constants(w, s) || pcs_cv(w, s->in[1])->dtype != PCS_F32)
        return pcs_c_cannot(w, s->n, "only f32 with constant weights is multiplied");
    return rows_times(w, s, false);
}

precis_status pcs_c_product(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *a = pcs_cv(w, s->in[0]), *b = pcs_cv(w, s->in[1]), *y = pcs_cv(w, s->out);
    if (a->dtype != PCS_F32) return pcs_c_cannot(w, s->n, "only f32 is multiplied");
    if (constants(w, s) && b->dims == 2 && a->dims > 0) return rows_times(w, s, true);
    bool plain = a->dims == b->dims && a->dims == y->dims && a->dims >= 2;
    for (uint32_t i = 0; plain && i + 2 < a->dims; i++) plain = a->shape[i] == b->shape[i];
    if (!plain) return pcs_c_cannot(w, s->n, "matrices of unlike batches are not multiplied");
    const int64_t rows = a->shape[a->dims - 2], ins = a->shape[a->dims - 1], outs = b->shape[b->dims - 1];
    const uint64_t made = pcs_c_count(y);
    const char *x = pcs_c_pointer(w, s->in[1]), *name = pcs_c_struct(w, s, "product", 24);
    (void)x;
    pcs_c_put(w, &w->arrays, "%llu, %lld, %lld, %lld, %lld, %lld",
              (unsigned long long)(made ? made / (uint64_t)(rows * outs) : 0), (long long)rows, (long long)ins,
              (long long)outs, (long long)(rows * ins), (long long)(ins * outs));
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_MAC_F32, (double)made * (double)ins);
    return pcs_c_call(w, "product", s, name);
}

/* Three numbers of each dimension, the first ones `fill`. */
static void put_three(pcs_c_file *w, uint32_t dims, const int64_t *v, int64_t fill)
{
    int64_t t[3] = { fill, fill, fill };
    for (uint32_t i = 0; i < dims; i++) t[3 - dims + i] = v[i];
    pcs_c_put(w, &w->arrays, ", { %lld, %lld, %lld }", (long long)t[0], (long long)t[1], (long long)t[2]);
}

/* Sizes of what is seen, of the result and of the kernel, steps, what lies around and between. */
static void put_field(pcs_c_file *w, const pcs_c_step *s)
{
    static const char *const lists[] = { "strides", "pads", "dilations" };
    const pcs_value *x = pcs_cv(w, s->in[0]);
    const uint32_t dims = x->dims - 2;
    put_three(w, dims, x->shape + 2, 1);
    put_three(w, dims, pcs_cv(w, s->out)->shape + 2, 1);
    put_three(w, dims, pcs_cv(w, s->in[1])->shape + 2, 1);
    for (int i = 0; i < 3; i++) {
        int64_t v[3];
        for (uint32_t d = 0; d < dims; d++) v[d] = pcs_listed(pcs_c_attr(s->n, lists[i]), d, i != 1);
        put_three(w, dims, v, i != 1);
    }
}

static void count_window(pcs_c_file *w, const pcs_value *of, int64_t channels, const pcs_value *kernel)
{
    double macs = (double)pcs_c_count(of) * (double)channels;
    for (uint32_t d = 2; d < kernel->dims; d++) macs *= (double)kernel->shape[d];
    pcs_c_count_work(w, PCS_C_MAC_F32, macs);
}

precis_status pcs_c_conv(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_node *n = s->n;
    const pcs_value *x = pcs_cv(w, s->in[0]), *k = pcs_cv(w, s->in[1]);
    const int64_t groups = pcs_c_attr(n, "groups")->integer, ins = k->shape[1], outs = k->shape[0] / groups;
    if (!constants(w, s)) return pcs_c_cannot(w, n, "only f32 with constant weights is multiplied");
    const char *weights = weights_of(w, s->in[1], false), *bias = bias_of(w, s),
               *name = pcs_c_struct(w, s, "conv_f32", 108);
    pcs_c_put(w, &w->arrays, "%s, %s, %lld, %lld, %lld, %lld", weights, bias, (long long)x->shape[0], (long long)groups,
              (long long)ins, (long long)outs);
    put_field(w, s);
    pcs_c_put(w, &w->arrays, ", %d", outs >= 8); /* op/conv.c: fewer outputs are summed by planes */
    pcs_c_struct_end(w);
    count_window(w, pcs_cv(w, s->out), ins, k);
    const pcs_c_step one = { .n = n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "conv_f32", &one, name);
}

precis_status pcs_c_deconv(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *k = pcs_cv(w, s->in[1]);
    const int64_t groups = pcs_c_attr(s->n, "groups")->integer;
    if (!constants(w, s) || k->dtype != PCS_F32)
        return pcs_c_cannot(w, s->n, "only f32 with constant weights is multiplied");
    const float *data = pcs_c_data(w, s->in[1]);
    if (!data) return w->error;
    const char *weights = pcs_c_array(w, "weights", PCS_F32, pcs_c_count(k), data), *bias = bias_of(w, s),
               *name = pcs_c_struct(w, s, "deconv", 96);
    pcs_c_put(w, &w->arrays, "%s, %s, %lld, %lld, %lld, %lld", weights, bias, (long long)x->shape[0], (long long)groups,
              (long long)(k->shape[0] / groups), (long long)k->shape[1]);
    put_field(w, s);
    pcs_c_struct_end(w);
    count_window(w, x, k->shape[1], k);
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "deconv", &one, name);
}

precis_status pcs_c_affine(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]);
    const int64_t channels = x->shape[1];
    const uint64_t count = pcs_c_count(x);
    if (!constants(w, s) || !count) return pcs_c_cannot(w, s->n, "its factors are no constants");
    for (uint32_t i = 1; i < s->n_in; i++)
        if (!pcs_c_data(w, s->in[i])) return w->error;
    float *a = pcs_arena_alloc(&w->arena, 2 * (size_t)channels + 1, sizeof *a);
    if (!a) return PRECIS_ENOMEM;
    if (!s->n->op->by_channel(w->g, s->n, a, a + channels))
        return pcs_c_cannot(w, s->n, "its factors are fewer than its channels");
    const char *first = pcs_c_array(w, "factors", PCS_F32, (uint64_t)channels, a),
               *second = pcs_c_array(w, "added", PCS_F32, (uint64_t)channels, a + channels),
               *name = pcs_c_struct(w, s, "affine", 20);
    pcs_c_put(w, &w->arrays, "%lld, %lld, %llu, %s, %s", (long long)x->shape[0], (long long)channels,
              (unsigned long long)(count / (uint64_t)(x->shape[0] * channels)), first, second);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_OUT, (double)count);
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "affine", &one, name);
}
