/* source_arrays.c - x.npy, or x.npz with an array for each input: samples along the first dimension. */
#include "read/source.h"

typedef struct { precis_array *list; size_t n; bool named; } arrays;

static bool takes(const char *path, bool folder)
{
    return !folder && (pcs_ends(path, ".npy") || pcs_ends(path, ".npz"));
}

static const precis_array *array_in(const arrays *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++)
        if (!a->named || !strcmp(a->list[i].name, name)) return &a->list[i];
    return NULL;
}

static precis_status open_arrays(pcs_source *s)
{
    arrays *a = s->state = pcs_alloc(s->ctx, 1, sizeof *a);
    if (!a) return PRECIS_ENOMEM;
    a->named = pcs_ends(s->path, ".npz");
    precis_status st = PRECIS_OK;
    if (a->named) st = precis_arrays_read(s->ctx, &a->list, &a->n, s->path);
    else {
        a->list = pcs_alloc(s->ctx, 1, sizeof *a->list);
        st = a->list ? precis_array_read(s->ctx, a->list, s->path) : PRECIS_ENOMEM;
        a->n = 1;
    }
    s->count = UINT64_MAX; /* a scalar is the same for all */
    for (size_t i = 0; i < a->n && !st; i++) {
        const precis_array *x = &a->list[i];
        if (!x->dims) continue;
        if (s->count == UINT64_MAX) s->count = (uint64_t)x->shape[0];
        if (s->count != (uint64_t)x->shape[0])
            st = pcs_fail(s->ctx, PRECIS_EINVAL, "%s: array %s has %lld samples, others have %llu", s->path, x->name,
                          (long long)x->shape[0], (unsigned long long)s->count);
    }
    if (!st && !a->n) st = pcs_fail(s->ctx, PRECIS_EINVAL, "%s: has no arrays", s->path);
    return st;
}

static bool arrays_named(const pcs_source *s) { return ((const arrays *)s->state)->named; }
static bool has(const pcs_source *s, const char *input) { return array_in(s->state, input) != NULL; }

static precis_status sample(pcs_source *s, uint64_t i, size_t slot, const precis_array *input, precis_array *out)
{
    const precis_array *x = array_in(s->state, input->name);
    (void)slot;
    *out = *x;
    if (!x->dims) return PRECIS_OK;
    const uint64_t each = x->bytes / (uint64_t)x->shape[0];
    out->dims = x->dims - 1;
    for (uint32_t d = 0; d < out->dims; d++) out->shape[d] = x->shape[d + 1];
    out->bytes = each;
    out->data = (const char *)x->data + i * each;
    return PRECIS_OK;
}

static bool same_shape(const pcs_source *s)
{
    (void)s;
    return true;
}

static void close_arrays(pcs_source *s)
{
    arrays *a = s->state;
    if (!a) return;
    if (a->named) precis_arrays_free(s->ctx, &a->list, a->n);
    else if (a->list) precis_array_free(s->ctx, a->list);
    if (!a->named) pcs_free(s->ctx, a->list);
    pcs_free(s->ctx, a);
}

const pcs_source_kind pcs_source_arrays = {
    .name = "arrays", .takes = takes, .open = open_arrays, .named = arrays_named, .has = has,
    .sample = sample, .same_shape = same_shape, .close = close_arrays,
};
