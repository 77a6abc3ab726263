/* whole_rows.c - may a weight be multiplied in the arithmetic int8 (kernel/int8.h)? Where its type leaves that to its
 * scales they are looked at, when the program is opened: of TQ1_0, TQ2_0 and P4S, on all threads. */
#include "base/pool.h"
#include "kernel/panels.h"
#include "run/program.h"

#include <stdatomic.h>

typedef struct {
    const pcs_slot *w;
    size_t k;
    uint64_t each, panels; /* rows of a matrix, whose panels are its own; bytes of those */
    uint8_t *rows;    /* one of each thread, out of panels */
    size_t row_bytes; /* of it */
    atomic_bool none;
} looking;

static void look_at_scales(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    looking *l = arg;
    const pcs_format *f = l->w->v.format;
    uint8_t *const row = l->rows + ith * l->row_bytes;
    float s;
    for (uint64_t r = begin; r < end && !atomic_load_explicit(&l->none, memory_order_relaxed); r++) {
        const uint8_t *src = l->w->data ? (const uint8_t *)l->w->data + r * pcs_row_bytes(f, l->k) : row;
        if (!l->w->data) pcs_panels_row(f, l->k, l->w->panels + r / l->each * l->panels, r % l->each, row);
        if (!f->codes_row(src, l->k, NULL, &s)) atomic_store_explicit(&l->none, true, memory_order_relaxed);
    }
}

/* Of all rows, or of those in memory of our own: PRECIS_ENOMEM is no answer. */
static bool all_rows(precis_program *p, looking *l)
{
    uint64_t n = 1;
    const pcs_value *v = &l->w->v;
    for (uint32_t i = 0; i + 1 < v->dims; i++) n *= (uint64_t)v->shape[i];
    l->row_bytes = pcs_line_up((size_t)pcs_row_bytes(v->format, l->k) + 64);
    l->each = (uint64_t)v->shape[v->dims - 2];
    l->panels = pcs_panels_fit(v->format, l->k) ? pcs_panels_bytes(v->format, l->k, l->each) : 0;
    l->rows = pcs_alloc(p->ctx, precis_ctx_threads(p->ctx), l->row_bytes);
    if (!l->rows) return false;
    pcs_for(p->ctx, n, 64, look_at_scales, l);
    pcs_free(p->ctx, l->rows);
    return !atomic_load(&l->none);
}

bool pcs_program_whole_rows(precis_program *p, int32_t weight)
{
    pcs_slot *w = &p->slots[weight];
    const size_t k = w->v.dims ? (size_t)w->v.shape[w->v.dims - 1] : 0;
    const pcs_format *f = w->v.format;
    if (!f->codes_row || !k || k > PCS_INT8_MOST || w->v.dims < 2 || (!w->data && !w->panels)) return false;
    if (w->asked) return w->whole_rows;
    looking l = { .w = w, .k = k };
    w->whole_rows = all_rows(p, &l);
    w->asked = true;
    return w->whole_rows;
}
