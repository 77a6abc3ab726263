/* store.c - see store.h. */
#include "graph/graph.h"

#include "base/overflow.h"
#include "kernel/panels.h"

#include <stdio.h>

pcs_store pcs_store_rows(const void *host, uint64_t bytes, pcs_keeper keeper)
{
    if (!host) return (pcs_store){ .lies_as = PCS_STORE_NONE };
    return (pcs_store){ host, bytes, PCS_STORE_ROWS, keeper };
}

/* Bytes of a packed tensor: each of its matrices begins a panel. */
static uint64_t bytes_of_panels(const pcs_tensor *t)
{
    const uint64_t rows = pcs_tensor_rows(t), each = t->dims > 2 ? (uint64_t)t->ne[1] : rows;
    return each ? rows / each * pcs_panels_bytes(t->format, (size_t)t->ne[0], each) : 0;
}

pcs_store pcs_store_tensor(const pcs_tensor *t, uint64_t first)
{
    pcs_store s = { .kept_by = PCS_KEPT_BY_MODEL };
    const uint64_t each = t->panels       ? pcs_panel_bytes(t->format, (size_t)t->ne[0])
                          : t->dims == 1 ? t->format->bytes
                                         : pcs_tensor_row_bytes(t);
    const uint64_t all = t->panels ? bytes_of_panels(t) : t->bytes;
    const uint8_t *host = t->panels ? t->panels : t->data;
    uint64_t skipped;
    if (!host || !pcs_mul_ok(t->panels ? first / PCS_PANEL : first, each, &skipped) || skipped > all) return s;
    s.host_at = host + skipped;
    s.host_bytes = all - skipped;
    s.lies_as = t->panels ? PCS_STORE_PANELS : PCS_STORE_ROWS;
    return s;
}

bool pcs_store_empty(const pcs_store *s) { return s->lies_as == PCS_STORE_NONE; }

/* Elements of the first n dimensions; false: a dimension has no size, or there are too many to count. */
static bool count(const pcs_value *v, uint32_t n, uint64_t *out)
{
    *out = 1;
    for (uint32_t i = 0; i < n; i++)
        if (v->shape[i] < 0 || !pcs_mul_ok(*out, (uint64_t)v->shape[i], out)) return false;
    return true;
}

/* As rows, or as the panels that these rows are. */
static uint64_t bytes_as(const pcs_value *v, bool panels)
{
    uint64_t rows, bytes;
    if (v->dtype != PCS_STORED) {
        const bool ok = count(v, v->dims, &rows) && pcs_mul_ok(rows, pcs_dtype_bytes(v->dtype), &bytes);
        return ok ? bytes : UINT64_MAX;
    }
    const uint64_t width = v->dims ? (uint64_t)v->shape[v->dims - 1] : 1;
    uint64_t each;
    if (!count(v, v->dims, &rows) || !count(v, v->dims ? v->dims - 1 : 0, &rows)) return UINT64_MAX;
    if (!panels) return pcs_mul_ok(rows, pcs_row_bytes(v->format, width), &bytes) ? bytes : UINT64_MAX;
    each = v->dims > 1 ? (uint64_t)v->shape[v->dims - 2] : rows;
    if (!each) return 0;
    return pcs_mul_ok(rows / each, pcs_panels_bytes(v->format, (size_t)width, each), &bytes) ? bytes : UINT64_MAX;
}

uint64_t pcs_value_bytes(const pcs_value *v) { return bytes_as(v, v->store.lies_as == PCS_STORE_PANELS); }

bool pcs_value_short(const pcs_value *v, char *text, size_t n)
{
    static const char *const keepers[] = { "the graph", "the model", "its maker" };
    const pcs_store *s = &v->store;
    const uint64_t bytes = s->lies_as == PCS_STORE_NONE ? 0 : pcs_value_bytes(v);
    if (bytes <= s->host_bytes) return false;
    if (bytes == UINT64_MAX) snprintf(text, n, "a constant has a size in each dimension");
    else
        snprintf(text, n, "its shape takes %llu bytes, and %s has %llu of it", (unsigned long long)bytes,
                 keepers[s->kept_by], (unsigned long long)s->host_bytes);
    return true;
}

bool pcs_value_keep(pcs_value *v, pcs_store s)
{
    char text[128];
    const pcs_store before = v->store;
    v->store = s;
    if (!pcs_value_short(v, text, sizeof text)) return true;
    v->store = before;
    return false;
}

bool pcs_value_is_known(const pcs_value *v) { return v->store.lies_as == PCS_STORE_ROWS; }

const void *pcs_value_elements(const pcs_value *v, pcs_dtype d, uint64_t n)
{
    uint64_t bytes;
    const bool there = pcs_value_is_known(v) && v->dtype == d && pcs_mul_ok(n, pcs_dtype_bytes(d), &bytes);
    return there && bytes <= v->store.host_bytes ? v->store.host_at : NULL;
}

const void *pcs_value_host(const pcs_value *v)
{
    return pcs_value_is_known(v) && pcs_value_bytes(v) <= v->store.host_bytes ? v->store.host_at : NULL;
}

pcs_arg pcs_value_arg(const pcs_value *v)
{
    pcs_arg a = { .dtype = v->dtype, .dims = v->dims, .data = (void *)(uintptr_t)pcs_value_host(v),
                  .format = v->format, .affine = v->affine };
    memcpy(a.shape, v->shape, sizeof a.shape);
    return a;
}

bool pcs_value_within(const pcs_value *v, const void *from, uint64_t bytes, uint64_t *offset)
{
    const uintptr_t at = (uintptr_t)v->store.host_at, begin = (uintptr_t)from;
    if (!pcs_value_is_known(v) || !from || at < begin || at - begin >= bytes) return false;
    *offset = at - begin;
    return true;
}

void pcs_value_bind(const pcs_value *v, void **rows, const void **panels)
{
    void *host = pcs_value_bytes(v) <= v->store.host_bytes ? (void *)(uintptr_t)v->store.host_at : NULL;
    *rows = v->store.lies_as == PCS_STORE_ROWS ? host : NULL;
    *panels = v->store.lies_as == PCS_STORE_PANELS ? host : NULL;
}
