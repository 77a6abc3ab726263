/* sample_arrays.c - arrays for a net's inputs, whatever they come from: .npy, .npz, images (precis/samples.h; a
 * source is a row of read/sources.def). */
#include "graph/dims.h"
#include "quant/samples.h"

#include <stdio.h>

static uint64_t rows(const pcs_samples *s, size_t i)
{
    const uint64_t all = precis_samples_count(s->arrays), first = (uint64_t)i * s->batch;
    return all - first < s->batch ? all - first : s->batch;
}

static void shape_text(char *text, size_t room, const char *type, const int64_t *shape, uint32_t dims)
{
    size_t n = (size_t)snprintf(text, room, "%s[", type);
    for (uint32_t d = 0; d < dims && n < room; d++) {
        const char *comma = d ? ", " : "";
        if (pcs_dim_is_id(shape[d])) n += (size_t)snprintf(text + n, room - n, "%s?", comma);
        else n += (size_t)snprintf(text + n, room - n, "%s%lld", comma, (long long)shape[d]);
    }
    if (n < room) snprintf(text + n, room - n, "]");
}

precis_status pcs_bind_array(precis_ctx *ctx, const pcs_subject *to, const precis_array *a)
{
    char has[160], wants[160];
    for (size_t i = 0; i < to->n_inputs; i++) {
        if (strcmp(to->inputs[i].name, a->name)) continue;
        const precis_value value = to->inputs[i].value;
        const pcs_value *v = &to->program->graph->values[value];
        bool fits = !strcmp(a->type, pcs_dtype_name(v->dtype)) && a->dims == v->dims;
        for (uint32_t d = 0; d < v->dims && fits; d++) fits = pcs_dim_is_id(v->shape[d]) || v->shape[d] == a->shape[d];
        if (!fits) {
            shape_text(has, sizeof has, a->type, a->shape, a->dims);
            shape_text(wants, sizeof wants, pcs_dtype_name(v->dtype), v->shape, v->dims);
            return pcs_fail(ctx, PRECIS_EINVAL, "a sample of input %s is %s; the net takes %s", a->name, has, wants);
        }
        precis_status st = PRECIS_OK;
        for (uint32_t d = 0; d < v->dims && !st; d++)
            if (pcs_dim_is_id(v->shape[d])) st = pcs_program_size(to->program, v->shape[d], a->shape[d]);
        if (!st) pcs_program_bind(to->program, value, a->data);
        return st;
    }
    return pcs_fail(ctx, PRECIS_EINVAL, "the net has no input %s", a->name);
}

static precis_status bind(pcs_samples *s, const pcs_sample *at, const pcs_subject *to)
{
    const precis_array *inputs;
    precis_status st = precis_samples_read(s->arrays, at->first, at->rows, &inputs);
    for (size_t k = 0; k < to->n_inputs && !st; k++) st = pcs_bind_array(s->ctx, to, &inputs[k]);
    return st;
}

const pcs_sample_kind pcs_sample_kind_arrays = { .name = "arrays", .rows = rows, .bind = bind };

precis_status pcs_samples_of_arrays(precis_ctx *ctx, pcs_samples *s, precis_samples *arrays, uint64_t batch)
{
    *s = (pcs_samples){ .kind = &pcs_sample_kind_arrays, .ctx = ctx, .arrays = arrays };
    s->n_rows = precis_samples_count(arrays);
    s->batch = precis_samples_batch(arrays, batch ? batch : 1);
    s->n = (size_t)((s->n_rows + s->batch - 1) / s->batch);
    return s->n ? PRECIS_OK : pcs_fail(ctx, PRECIS_EINVAL, "there are no samples");
}
