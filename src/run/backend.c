/* backend.c - the table of backends, and what lies in their memory: constants, inputs, copies of results. */
#include "run/backend.h"

#define BACKEND(name) extern const pcs_backend pcs_backend_##name;
#include "run/backends.def"
#undef BACKEND

const pcs_backend *const pcs_backends[] = {
#define BACKEND(name) &pcs_backend_##name,
#include "run/backends.def"
#undef BACKEND
    NULL,
};

/* Elements of a value in this run. */
static uint64_t count_of(const precis_program *p, const pcs_value *v)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < v->dims; i++) n *= (uint64_t)pcs_program_extent(p, v->shape[i]);
    return n;
}

/* Bytes of a value in this run; of stored weights, as rows or as panels. */
static uint64_t bytes_of(const precis_program *p, const pcs_value *v, bool panels)
{
    if (v->dtype != PCS_STORED) return count_of(p, v) * pcs_dtype_bytes(v->dtype);
    const uint64_t width = v->dims ? (uint64_t)v->shape[v->dims - 1] : 1, rows = width ? count_of(p, v) / width : 0;
    if (!panels) return rows * pcs_row_bytes(v->format, width);
    const uint64_t each = v->dims > 1 ? (uint64_t)v->shape[v->dims - 2] : rows;
    return each ? rows / each * pcs_panels_bytes(v->format, width, each) : 0;
}

/* Memory of the backend that the program gives back when it is closed. */
static void *device_alloc(precis_program *p, uint64_t bytes)
{
    pcs_block *grown = pcs_grow(p->ctx, p->blocks, p->n_blocks * sizeof *grown, p->n_blocks + 1, sizeof *grown);
    if (!grown) return NULL;
    p->blocks = grown;
    void *memory = p->backend->heap.alloc(p->ctx, bytes);
    if (memory) p->blocks[p->n_blocks++] = (pcs_block){ memory, bytes };
    return memory;
}

static void *upload(precis_program *p, const void *host, uint64_t bytes)
{
    void *memory = device_alloc(p, bytes + 64); /* kernels may read a register beyond the end */
    if (memory) p->backend->write(memory, host, bytes);
    return memory;
}

precis_status pcs_program_upload(precis_program *p)
{
    for (size_t i = 0; i < p->n_steps && p->backend->can; i++)
        if (!p->backend->can(&p->steps[i]))
            return pcs_fail(p->ctx, PRECIS_EUNSUPPORTED, "node %s: the backend %s does not run it", p->steps[i].name,
                            p->backend->name);
    for (size_t i = 0; i < p->n_slots && !p->backend->host; i++) {
        pcs_slot *s = &p->slots[i];
        const uint8_t *panels = s->panels;
        if (s->data && !(s->data = upload(p, s->data, bytes_of(p, &s->v, false)))) return PRECIS_ENOMEM;
        if (!panels) continue;
        uint8_t *there = upload(p, panels, bytes_of(p, &s->v, true));
        if (!there) return PRECIS_ENOMEM;
        s->panels = there;
    }
    return PRECIS_OK;
}

precis_status pcs_program_give(precis_program *p)
{
    for (size_t i = 0; i < p->graph->n_values; i++) {
        pcs_slot *s = &p->slots[i];
        if (s->v.role != PCS_INPUT) continue;
        if (!s->given) return pcs_fail(p->ctx, PRECIS_EINVAL, "input %s has no data", s->v.name);
        if (p->backend->host) {
            s->data = (void *)(uintptr_t)s->given;
            continue;
        }
        const uint64_t bytes = bytes_of(p, &s->v, false);
        if (bytes > s->room || !s->data) {
            s->data = device_alloc(p, bytes + 64);
            s->room = s->data ? bytes : 0;
            if (!s->data) return PRECIS_ENOMEM;
        }
        p->backend->write(s->data, s->given, bytes);
    }
    return PRECIS_OK;
}

void pcs_program_write(precis_program *p, precis_value v, const void *host, uint64_t bytes)
{
    p->backend->write(p->buffer + p->slots[p->slots[v].root].offset, host, bytes);
}

void pcs_program_read(const precis_program *p, precis_value v, void *host, uint64_t bytes)
{
    p->backend->read(p->slots[p->slots[v].root].data, host, bytes);
}

const float *pcs_program_value(precis_program *p, precis_value v)
{
    pcs_slot *s = &p->slots[v];
    if (p->backend->host || !p->slots[s->root].data) return p->slots[s->root].data;
    const uint64_t bytes = bytes_of(p, &s->v, false);
    if (bytes > s->copy_bytes) {
        float *grown = pcs_grow(p->ctx, s->copy, 0, bytes, 1);
        if (!grown) return NULL;
        s->copy = grown;
        s->copy_bytes = bytes;
    }
    pcs_program_read(p, v, s->copy, bytes);
    return s->copy;
}

void pcs_program_release(precis_program *p)
{
    for (size_t i = 0; i < p->n_slots; i++) pcs_free(p->ctx, p->slots[i].copy);
    for (size_t i = 0; i < p->n_blocks; i++) p->backend->heap.release(p->ctx, p->blocks[i].memory, p->blocks[i].bytes);
    pcs_free(p->ctx, p->blocks);
}
