/* sample_arrays.c - arrays of .npy files for a net's inputs by name. */
#include "graph/dims.h"
#include "quant/samples.h"

#include <stdio.h>

/* Of one file: the samples that it gives are those from `first` on. */
typedef struct { pcs_sample_file file; size_t name, first, n; } array_file;

/* An input: the file whose array is in memory. */
typedef struct { const char *name; precis_array array; const array_file *of; size_t n; } array_input;

typedef struct {
    array_file *files;
    size_t n_files;
    array_input *inputs;
    size_t n_inputs;
    uint64_t batch; /* 0: a file is a sample */
} arrays;

/* The file of input k that sample i lies in, read where it is not yet. */
static precis_status read_input(pcs_samples *s, size_t k, size_t i)
{
    arrays *a = s->files;
    array_input *in = &a->inputs[k];
    for (size_t f = 0; f < a->n_files; f++) {
        const array_file *file = &a->files[f];
        if (file->name != k || i < file->first || i >= file->first + file->n) continue;
        if (in->of == file) return PRECIS_OK;
        precis_array_free(s->ctx, &in->array);
        in->of = NULL;
        in->array = (precis_array){ .size = sizeof in->array };
        const precis_status st = precis_array_read(s->ctx, &in->array, file->file.path);
        if (!st) in->of = file;
        return st;
    }
    return pcs_fail(s->ctx, PRECIS_EINVAL, "input %s has no sample %zu", in->name, i);
}

static uint64_t rows(const pcs_samples *s, size_t i)
{
    const arrays *a = s->files;
    (void)i;
    return a->batch ? a->batch : 1;
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

precis_status pcs_bind_array(precis_ctx *ctx, const pcs_subject *to, const char *name, const precis_array *a)
{
    char has[160], wants[160];
    for (size_t i = 0; i < to->n_ports; i++) {
        if (strcmp(to->ports[i].name, name)) continue;
        const precis_value value = to->ports[i].value;
        const pcs_value *v = &to->program->graph->values[value];
        bool fits = !strcmp(a->type, pcs_dtype_name(v->dtype)) && a->dims == v->dims;
        for (uint32_t d = 0; d < v->dims && fits; d++) fits = pcs_dim_is_id(v->shape[d]) || v->shape[d] == a->shape[d];
        if (!fits) {
            shape_text(has, sizeof has, a->type, a->shape, a->dims);
            shape_text(wants, sizeof wants, pcs_dtype_name(v->dtype), v->shape, v->dims);
            return pcs_fail(ctx, PRECIS_EINVAL, "a sample of input %s is %s; the net takes %s", name, has, wants);
        }
        precis_status st = PRECIS_OK;
        for (uint32_t d = 0; d < v->dims && !st; d++)
            if (pcs_dim_is_id(v->shape[d])) st = pcs_program_size(to->program, v->shape[d], a->shape[d]);
        if (!st) pcs_program_bind(to->program, value, a->data);
        return st;
    }
    return pcs_fail(ctx, PRECIS_EINVAL, "the net has no input %s", name);
}

/* Items [from, from + batch) of an array along its first dimension. */
static precis_array part_of(const precis_array *x, uint64_t from, uint64_t batch)
{
    precis_array part = *x;
    const uint64_t each = x->shape[0] > 0 ? x->bytes / (uint64_t)x->shape[0] : 0;
    part.shape[0] = (int64_t)batch;
    part.bytes = each * batch;
    part.data = (const char *)x->data + each * from;
    return part;
}

static precis_status bind(pcs_samples *s, const pcs_sample *at, const pcs_subject *to)
{
    arrays *a = s->files;
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < a->n_inputs && !st; k++) {
        array_input *in = &a->inputs[k];
        if ((st = read_input(s, k, at->i))) break;
        precis_array bound = in->array;
        if (a->batch) bound = part_of(&in->array, (at->i - in->of->first) * a->batch, a->batch);
        st = pcs_bind_array(s->ctx, to, in->name, &bound);
    }
    return st;
}

static void close(pcs_samples *s)
{
    arrays *a = s->files;
    if (!a) return;
    for (size_t k = 0; k < a->n_inputs; k++) precis_array_free(s->ctx, &a->inputs[k].array);
    pcs_free(s->ctx, a->files);
    pcs_free(s->ctx, a->inputs);
    pcs_free(s->ctx, a);
}

const pcs_sample_kind pcs_sample_kind_arrays = { .name = "arrays", .rows = rows, .bind = bind, .close = close };

/* Samples that a file gives. It is read for that, and let go. */
static precis_status count(pcs_samples *s, const array_file *f, size_t *n)
{
    const arrays *a = s->files;
    precis_array x = { .size = sizeof x };
    *n = 1;
    if (!a->batch) return PRECIS_OK;
    const precis_status st = precis_array_read(s->ctx, &x, f->file.path);
    if (st) return st;
    *n = x.dims ? (size_t)((uint64_t)x.shape[0] / a->batch) : 0;
    precis_array_free(s->ctx, &x);
    if (*n) return PRECIS_OK;
    return pcs_fail(s->ctx, PRECIS_EINVAL, "%s: fewer than the %llu items of a sample", f->file.path,
                    (unsigned long long)a->batch);
}

static size_t input_of(arrays *a, const char *name)
{
    size_t k = 0;
    while (k < a->n_inputs && strcmp(a->inputs[k].name, name)) k++;
    if (k == a->n_inputs) a->inputs[a->n_inputs++] = (array_input){ .name = name };
    return k;
}

precis_status pcs_samples_of_arrays(precis_ctx *ctx, pcs_samples *s, const pcs_sample_file *files, size_t n,
                                    uint64_t batch)
{
    *s = (pcs_samples){ .kind = &pcs_sample_kind_arrays, .ctx = ctx };
    arrays *a = s->files = pcs_alloc(ctx, 1, sizeof *a);
    if (!a) return PRECIS_ENOMEM;
    a->batch = batch;
    a->files = pcs_alloc(ctx, n + 1, sizeof *a->files);
    a->inputs = pcs_alloc(ctx, n + 1, sizeof *a->inputs);
    if (!a->files || !a->inputs) return PRECIS_ENOMEM;
    if (!n) return pcs_fail(ctx, PRECIS_EINVAL, "there are no samples");
    for (size_t i = 0; i < n; i++) {
        array_file *f = &a->files[a->n_files++];
        *f = (array_file){ .file = files[i], .name = input_of(a, files[i].name) };
        f->first = a->inputs[f->name].n;
        const precis_status st = count(s, f, &f->n);
        if (st) return st;
        a->inputs[f->name].n += f->n;
    }
    for (size_t k = 1; k < a->n_inputs; k++)
        if (a->inputs[k].n != a->inputs[0].n)
            return pcs_fail(ctx, PRECIS_EINVAL, "input %s has %zu samples, and %s has %zu", a->inputs[0].name,
                            a->inputs[0].n, a->inputs[k].name, a->inputs[k].n);
    s->n = a->inputs[0].n;
    s->n_rows = batch ? s->n * batch : s->n;
    return PRECIS_OK;
}
