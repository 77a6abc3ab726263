/* moves.c - ops that only move elements: by steps (transpose, slice, expand), by tables of each dimension (pad, resize
 * to the nearest), one after another (concat). */
#include "graph/op/resize.h"
#include "kernel/codes.h"
#include "write/c/functions.h"

precis_status pcs_c_move(pcs_c_file *w, const pcs_c_step *s, int64_t offset, const int64_t *step, int flip)
{
    const pcs_value *y = pcs_cv(w, s->out);
    const char *sizes = pcs_c_six(w, y->dims, y->shape, 1), *steps = pcs_c_six(w, y->dims, step, 0);
    if (!sizes) return pcs_c_cannot(w, s->n, "it has more than 6 dimensions");
    const char *name = pcs_c_struct(w, s, "move", 60);
    pcs_c_put(w, &w->arrays, "%s, %s, %lld, %zu, %d", sizes, steps, (long long)offset, pcs_dtype_bytes(y->dtype), flip);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_ELEMENT, 2 * (double)pcs_c_count(y));
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "move", &one, name);
}

precis_status pcs_c_transpose(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]);
    int64_t dense[PCS_GRAPH_DIMS], step[PCS_GRAPH_DIMS];
    pcs_dense(x->dims, x->shape, dense);
    for (uint32_t i = 0; i < x->dims; i++) step[i] = dense[pcs_c_attr(s->n, "perm")->list[i]];
    return pcs_c_move(w, s, 0, step, 0);
}

precis_status pcs_c_slice(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]);
    int64_t dense[PCS_GRAPH_DIMS], step[PCS_GRAPH_DIMS], offset = 0;
    pcs_dense(x->dims, x->shape, dense);
    for (uint32_t i = 0; i < x->dims; i++) {
        offset += pcs_c_attr(s->n, "starts")->list[i] * dense[i];
        step[i] = dense[i] * pcs_c_attr(s->n, "steps")->list[i];
    }
    return pcs_c_move(w, s, offset, step, 0);
}

precis_status pcs_c_expand(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *y = pcs_cv(w, s->out);
    int64_t dense[PCS_GRAPH_DIMS], step[PCS_GRAPH_DIMS];
    const uint32_t skip = y->dims - x->dims;
    pcs_dense(x->dims, x->shape, dense);
    for (uint32_t i = 0; i < y->dims; i++) step[i] = i < skip || x->shape[i - skip] == 1 ? 0 : dense[i - skip];
    return pcs_c_move(w, s, 0, step, 0);
}

/* Parts by numbers: constants, or such as come in. */
precis_status pcs_c_take(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *ids = pcs_cv(w, s->in[1]);
    const uint32_t axis = pcs_axis(pcs_c_attr(s->n, "axis")->integer, x->dims);
    uint64_t outer = 1, part = pcs_dtype_bytes(x->dtype);
    for (uint32_t i = 0; i < axis; i++) outer *= (uint64_t)x->shape[i];
    for (uint32_t i = axis + 1; i < x->dims; i++) part *= (uint64_t)x->shape[i];
    const char *name = pcs_c_struct(w, s, "take", 20);
    pcs_c_put(w, &w->arrays, "%llu, %lld, %llu, %llu, %d", (unsigned long long)outer, (long long)x->shape[axis],
              (unsigned long long)part, (unsigned long long)pcs_c_count(ids), ids->dtype == PCS_I64);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_ELEMENT, (double)pcs_c_count(pcs_cv(w, s->out)));
    return pcs_c_call(w, "take", s, name);
}

/* ---- concat ----------------------------------------------------------------------------------------- */

/* All of its inputs are numbers of codes: then codes change their scale by a table for each. */
bool pcs_c_fuses_concat(const pcs_c_file *w, const pcs_node *n)
{
    pcs_c_codes c;
    bool all = n->n_in > 0;
    for (uint32_t i = 0; i < n->n_in; i++) all = all && pcs_c_decoded(w, n->in[i], &c);
    return all && pcs_c_becomes_codes(w, n);
}

/* What codes of one meaning are in another, as from_codes and to_codes have it. */
static const char *table_of(pcs_c_file *w, const pcs_c_codes *from, const pcs_c_codes *to)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++) {
        const float v = (float)((i ^ from->flip) - from->zero) * from->scale;
        table[i] = (uint8_t)(pcs_codes_round(v / to->scale, (pcs_codes_to){ to->zero, 0, 255 }) ^ to->flip);
    }
    bool same = true;
    for (int i = 0; i < 256; i++) same = same && table[i] == i;
    return same ? "0" : pcs_c_array(w, "codes in another scale", PCS_U8, 256, table);
}

precis_status pcs_c_concat(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *y = pcs_cv(w, s->out);
    const uint32_t axis = pcs_axis(pcs_c_attr(s->n, "axis")->integer, y->dims);
    uint64_t rows = 1, inner = pcs_dtype_bytes(y->dtype), at = 0;
    pcs_c_codes from, to;
    for (uint32_t i = 0; i < axis; i++) rows *= (uint64_t)y->shape[i];
    for (uint32_t i = axis + 1; i < y->dims; i++) inner *= (uint64_t)y->shape[i];
    for (uint32_t i = 0; i < s->n_in && !w->error; i++) {
        const uint64_t bytes = inner * (uint64_t)pcs_cv(w, s->in[i])->shape[axis];
        const bool codes = s->store && pcs_c_decoded(w, s->n->in[i], &from) && pcs_c_coded(w, s->store, &to);
        const char *x = pcs_c_pointer(w, s->in[i]), *table = codes ? table_of(w, &from, &to) : "0",
                   *name = pcs_c_struct(w, s, "join", 20);
        pcs_c_put(w, &w->arrays, "%llu, %llu, %llu, %llu, %s", (unsigned long long)rows, (unsigned long long)bytes,
                  (unsigned long long)(inner * (uint64_t)y->shape[axis]), (unsigned long long)at, table);
        pcs_c_struct_end(w);
        pcs_c_use(w, "join");
        pcs_c_put(w, &w->calls, "    %s_join(&%s, %s, %s); /* %s */\n", w->name, name, x, pcs_c_pointer(w, s->out),
                  pcs_c_plain(w, s->n->name));
        w->n_calls++;
        at += bytes;
    }
    pcs_c_count_work(w, PCS_C_ELEMENT, (double)(rows * at));
    return w->error;
}

/* ---- tables by dimension ------------------------------------------------------------------------------ */

/* at[i]: of each place of dimension i, where it comes from; -1: from `fill`. */
static precis_status pick(pcs_c_file *w, const pcs_c_step *s, int16_t *const *at, precis_value fill)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *y = pcs_cv(w, s->out);
    int64_t dense[PCS_GRAPH_DIMS];
    const int16_t none = 0;
    const char *tables[6];
    pcs_dense(x->dims, x->shape, dense);
    for (uint32_t i = 0; i < 6; i++) {
        const bool there = i >= 6 - y->dims;
        const uint32_t d = there ? i - (6 - y->dims) : 0;
        tables[i] = there ? pcs_c_array(w, "which", PCS_I16, (uint64_t)y->shape[d], at[d])
                          : pcs_c_array(w, "the one", PCS_I16, 1, &none);
    }
    const char *value = fill < 0 ? "0" : pcs_c_pointer(w, fill), *name = pcs_c_struct(w, s, "pick", 80);
    pcs_c_put(w, &w->arrays, "%s, %s, %zu, { %s, %s, %s, %s, %s, %s }, %s", pcs_c_six(w, y->dims, y->shape, 1),
              pcs_c_six(w, x->dims, dense, 0), pcs_dtype_bytes(y->dtype), tables[0], tables[1], tables[2], tables[3],
              tables[4], tables[5], value);
    pcs_c_struct_end(w);
    pcs_c_count_work(w, PCS_C_ELEMENT, 4 * (double)pcs_c_count(y));
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "pick", &one, name);
}

/* One dimension of x alone goes through the op itself, as numbers that say which element they are. */
static precis_status trace(pcs_c_file *w, const pcs_c_step *s, uint32_t d, int16_t *at)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *y = pcs_cv(w, s->out);
    const size_t n = (size_t)x->shape[d], m = (size_t)y->shape[d];
    float *from = pcs_arena_alloc(&w->arena, n + m + 1, sizeof *from), *to = from + n, outside = -1;
    pcs_node node = *s->n;
    precis_attr attr[16];
    int64_t lists[2 * PCS_GRAPH_DIMS] = { 0 };
    float scales[PCS_GRAPH_DIMS], region[2 * PCS_GRAPH_DIMS];
    if (!from) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) from[i] = (float)i;
    memcpy(attr, s->n->attr, (pcs_op_attrs(s->n->op) + 1) * sizeof *attr);
    node.attr = attr;
    pcs_arg in[3] = { pcs_c_arg(w, s->in[0], from) }, out = pcs_c_arg(w, s->out, to);
    in[0].dtype = out.dtype = PCS_F32;
    for (uint32_t i = 0; i < x->dims; i++)
        if (i != d) in[0].shape[i] = out.shape[i] = 1;
    const bool pads = s->n->n_in == 2; /* pad has its pads first, resize its sizes */
    const int64_t *list = attr[0].list;
    for (uint32_t i = 0; i < x->dims; i++) {
        lists[i] = pads ? (i == d ? list[i] : 0) : i == d ? list[i] : 1;
        if (pads) lists[x->dims + i] = i == d ? list[x->dims + i] : 0;
        scales[i] = 1;
        region[i] = 0;
        region[x->dims + i] = 1;
    }
    attr[0].list = lists;
    if (pads) in[1] = (pcs_arg){ .dtype = PCS_F32, .data = &outside };
    else {
        const float *s1 = pcs_c_data(w, s->in[1]), *r = pcs_c_data(w, s->in[2]);
        if (!s1 || !r) return w->error;
        scales[d] = s1[d];
        region[d] = r[d];
        region[x->dims + d] = r[x->dims + d];
        in[1] = (pcs_arg){ .dtype = PCS_F32, .dims = 1, .shape = { x->dims }, .data = scales };
        in[2] = (pcs_arg){ .dtype = PCS_F32, .dims = 1, .shape = { 2 * x->dims }, .data = region };
    }
    const precis_status st = pcs_c_eval(w, &node, in, &out);
    for (size_t i = 0; i < m && !st; i++) at[i] = (int16_t)to[i];
    return st;
}

static precis_status by_dimension(pcs_c_file *w, const pcs_c_step *s, precis_value fill)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *y = pcs_cv(w, s->out);
    int16_t *at[PCS_GRAPH_DIMS] = { 0 };
    precis_status st = PRECIS_OK;
    if (y->dims > 6) return pcs_c_cannot(w, s->n, "it has more than 6 dimensions");
    if (!y->dims || !pcs_c_count(y)) return pcs_c_cannot(w, s->n, "it has no elements");
    for (uint32_t d = 0; d < y->dims && !st; d++) {
        if (x->shape[d] > INT16_MAX || y->shape[d] > INT16_MAX)
            return pcs_c_cannot(w, s->n, "dimension %u is larger than 32767", d);
        at[d] = pcs_arena_alloc(&w->arena, (size_t)y->shape[d] + 1, sizeof **at);
        st = at[d] ? trace(w, s, d, at[d]) : PRECIS_ENOMEM;
    }
    return st ? st : pick(w, s, at, fill);
}

precis_status pcs_c_pad(pcs_c_file *w, const pcs_c_step *s)
{
    if (!w->values[s->in[1]].constant) return pcs_c_cannot(w, s->n, "what it pads with is no constant");
    return by_dimension(w, s, s->in[1]);
}

/* The tables of a dimension that does not stay, as arrays of the file. */
static precis_status weigh(pcs_c_file *w, const pcs_call *c, uint32_t d, const char **first, const char **weights)
{
    const size_t n = (size_t)c->out[0].shape[d], taps = (size_t)pcs_resize_taps(c, d);
    int64_t *from = pcs_arena_alloc(&w->arena, n + 1, sizeof *from);
    double *by = pcs_arena_alloc(&w->arena, n * taps + 1, sizeof *by);
    bool *outside = pcs_arena_alloc(&w->arena, n + 1, sizeof *outside);
    int32_t *narrow = pcs_arena_alloc(&w->arena, n + 1, sizeof *narrow);
    if (!from || !by || !outside || !narrow) return PRECIS_ENOMEM;
    pcs_resize_table(c, d, from, by, outside);
    const int64_t far = 1 << 30; /* farther than any element: as good as the last */
    for (size_t i = 0; i < n; i++)
        narrow[i] = outside[i] ? INT32_MIN : (int32_t)(from[i] < -far ? -far : from[i] > far ? far : from[i]);
    *first = pcs_c_array(w, "first elements", PCS_I32, n, narrow);
    *weights = pcs_c_array(w, "their weights", PCS_F64, n * taps, by);
    return w->error;
}

static precis_status weighted(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[0]), *y = pcs_cv(w, s->out);
    pcs_arg in[3] = { pcs_c_arg(w, s->in[0], NULL) }, out = pcs_c_arg(w, s->out, NULL);
    const char *first[6] = { "0", "0", "0", "0", "0", "0" }, *weights[6] = { "0", "0", "0", "0", "0", "0" };
    int64_t taps[PCS_GRAPH_DIMS] = { 0 };
    const double nowhere = pcs_c_attr(s->n, "extrapolation")->real;
    if (x->dtype != PCS_F32 || y->dims > 6 || !(nowhere - nowhere == 0))
        return pcs_c_cannot(w, s->n, "only finite f32 of up to 6 dimensions is weighed");
    if (!y->dims || !pcs_c_count(y)) return pcs_c_cannot(w, s->n, "it has no elements");
    for (uint32_t i = 1; i < 3; i++) {
        const void *data = pcs_c_data(w, s->in[i]);
        if (!data) return w->error;
        in[i] = pcs_c_arg(w, s->in[i], (void *)(uintptr_t)data);
    }
    const pcs_call c = { .ctx = w->ctx, .attr = s->n->attr, .n_in = 3, .n_out = 1, .in = in, .out = &out };
    for (uint32_t d = 0, at = 6 - y->dims; d < y->dims; d++, at++) {
        taps[d] = pcs_resize_taps(&c, d);
        const precis_status st = taps[d] ? weigh(w, &c, d, &first[at], &weights[at]) : PRECIS_OK;
        if (st) return st;
    }
    const char *name = pcs_c_struct(w, s, "resize", 124);
    pcs_c_put(w, &w->arrays, "%s, %s, %s,\n    { %s, %s, %s, %s, %s, %s }, { %s, %s, %s, %s, %s, %s }, %s",
              pcs_c_six(w, x->dims, x->shape, 1), pcs_c_six(w, y->dims, y->shape, 1), pcs_c_six(w, y->dims, taps, 0),
              first[0], first[1], first[2], first[3], first[4], first[5], weights[0], weights[1], weights[2],
              weights[3], weights[4], weights[5], pcs_c_float(w, (double)(float)nowhere));
    pcs_c_struct_end(w);
    double each = 1;
    for (uint32_t d = 0; d < y->dims; d++) each *= taps[d] ? (double)taps[d] : 1;
    pcs_c_count_work(w, PCS_C_DOUBLE, each * (double)pcs_c_count(y));
    const pcs_c_step one = { .n = s->n, .in = s->in, .n_in = 1, .out = s->out };
    return pcs_c_call(w, "resize", &one, name);
}

/* The nearest moves elements; all else weighs them. */
precis_status pcs_c_resize(pcs_c_file *w, const pcs_c_step *s)
{
    const char *mode = pcs_c_attr(s->n, "mode")->text, *how = pcs_c_attr(s->n, "coordinates")->text;
    const bool plain = !pcs_c_attr(s->n, "antialias")->integer && !pcs_c_attr(s->n, "outside")->integer;
    return mode[0] != 'n' || !plain || how[2] == '_' ? weighted(w, s) : by_dimension(w, s, -1);
}
