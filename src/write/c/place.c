/* place.c - where the values of a C file lie: inputs and outputs with the caller, the rest in one arena, where two that
 * are never needed at once may share their place. The largest are placed first, each as low as it fits. */
#include "write/c/file.h"

#include <stdlib.h>

enum { ALIGN = 8 };

uint64_t pcs_c_count(const pcs_value *v)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < v->dims; i++) n *= (uint64_t)v->shape[i];
    return n;
}

static uint64_t aligned(uint64_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static uint64_t bytes_of(const pcs_c_file *w, precis_value v)
{
    return aligned(pcs_c_count(pcs_cv(w, v)) * pcs_dtype_bytes(pcs_cv(w, v)->dtype));
}

enum { RESULTS = 8 };

/* What lies somewhere because of this step: its results that are read, and the memory that it needs. */
static uint32_t results_of(const pcs_c_file *w, const pcs_c_step *s, precis_value made[RESULTS])
{
    uint32_t n = 0;
    if (!s->row->room) return made[n++] = s->out, n;
    for (uint32_t k = 0; k < s->n->n_out && k < RESULTS - 1; k++)
        if (pcs_c_read(w, s->n->out[k])) made[n++] = s->n->out[k];
    made[n++] = s->room;
    return n;
}

/* First and last call that needs each root. */
static void find_lives(pcs_c_file *w)
{
    for (size_t v = 0; v < w->g->n_values + w->g->n_nodes; v++) w->values[v].first = w->values[v].last = -1;
    for (size_t i = 0; i < w->n_steps; i++) {
        const pcs_c_step *s = &w->steps[i];
        for (uint32_t k = 0; k < s->n_in; k++) w->values[pcs_c_root(w, s->in[k])].last = (int32_t)i;
        precis_value made[RESULTS];
        for (uint32_t k = 0, n = results_of(w, s, made); k < n; k++) {
            pcs_c_value *y = &w->values[pcs_c_root(w, made[k])];
            if (y->first < 0) y->first = y->last = (int32_t)i;
        }
    }
    for (size_t i = 0; i < w->n_out; i++) w->values[pcs_c_root(w, w->out[i].value)].last = (int32_t)w->n_steps;
}

static void place_ports(pcs_c_file *w)
{
    for (size_t v = 0; v < w->g->n_values; v++)
        if (w->values[v].constant) w->values[v].where = PCS_C_CONSTANT;
    for (size_t i = 0; i < w->n_in; i++) {
        pcs_c_value *v = &w->values[w->in[i].value];
        v->where = PCS_C_INPUT;
        v->at = i;
    }
    for (size_t i = 0; i < w->n_out; i++) { /* the first that has a value; others get a copy */
        pcs_c_value *v = &w->values[pcs_c_root(w, w->out[i].value)];
        if (v->where != PCS_C_NOWHERE) continue;
        v->where = PCS_C_OUTPUT;
        v->at = i;
    }
}

/* What an elementwise step makes takes the place of what it reads, where nobody reads that again. */
static void share(pcs_c_file *w)
{
    for (size_t i = 0; i < w->n_steps; i++) {
        const pcs_c_step *s = &w->steps[i];
        const precis_value x = s->n_in ? pcs_c_root(w, s->in[0]) : -1, y = pcs_c_root(w, s->out);
        if (!s->row->in_place || x < 0 || x == y || bytes_of(w, x) != bytes_of(w, y)) continue;
        pcs_c_value *a = &w->values[x], *b = &w->values[y];
        if (a->where != PCS_C_NOWHERE || b->where != PCS_C_NOWHERE || a->last != (int32_t)i) continue;
        if (pcs_dtype_bytes(pcs_cv(w, s->in[0])->dtype) != pcs_dtype_bytes(pcs_cv(w, s->out)->dtype)) continue;
        b->root = x;
        a->last = b->last;
    }
}

typedef struct {
    precis_value value;
    uint64_t bytes;
} block;

static int larger(const void *a, const void *b)
{
    const block *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* placed: sorted by their places. */
static uint64_t lowest(const pcs_c_file *w, const block *b, const block *placed, size_t n)
{
    const pcs_c_value *v = &w->values[b->value];
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const pcs_c_value *o = &w->values[placed[i].value];
        if (o->last < v->first || o->first > v->last || o->at + placed[i].bytes <= at) continue;
        if (o->at >= at + b->bytes) break;
        at = o->at + placed[i].bytes;
    }
    return at;
}

precis_status pcs_c_place(pcs_c_file *w)
{
    find_lives(w);
    place_ports(w);
    share(w);
    size_t most = 1, n = 0;
    for (size_t i = 0; i < w->n_steps; i++) most += w->steps[i].row->room ? RESULTS : 1;
    block *all = pcs_arena_alloc(&w->arena, 2 * most, sizeof *all), *placed = all + most;
    if (!all) return PRECIS_ENOMEM;
    for (size_t i = 0; i < w->n_steps; i++) {
        const pcs_c_step *s = &w->steps[i];
        precis_value made[RESULTS];
        for (uint32_t k = 0, m = results_of(w, s, made); k < m; k++) {
            const precis_value y = pcs_c_root(w, made[k]);
            if (w->values[y].where != PCS_C_NOWHERE) continue;
            w->values[y].where = PCS_C_ARENA;
            all[n++] = (block){ y, made[k] == s->room ? aligned(s->row->room(w, s->n)) : bytes_of(w, y) };
        }
    }
    qsort(all, n, sizeof *all, larger);
    for (size_t i = 0; i < n; i++) {
        pcs_c_value *v = &w->values[all[i].value];
        v->at = lowest(w, &all[i], placed, i);
        size_t k = i;
        for (; k > 0 && w->values[placed[k - 1].value].at > v->at; k--) placed[k] = placed[k - 1];
        placed[k] = all[i];
        if (v->at + all[i].bytes > w->arena_bytes) w->arena_bytes = v->at + all[i].bytes;
    }
    return PRECIS_OK;
}
