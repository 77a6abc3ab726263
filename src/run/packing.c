/* packing.c - a program's weights as panels (kernel/panels.h), before the first token or beside it.
 *
 * The bits of every result are those of the rows, so a weight may change over between two tokens. All memory is
 * taken at the start, so that the thread that packs in the background can neither fail nor touch the context. Once a
 * part of a weight is packed its pages of the file are given back to the system, which has them in its cache: the
 * head of a large vocabulary would be in memory twice. */
#define _DEFAULT_SOURCE /* madvise */
#include "base/pool.h"
#include "model/model.h"
#include "run/program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct {
    pcs_slot *slot;
    const pcs_format *f;
    const uint8_t *rows;
    size_t k;
    uint64_t n;
    uint8_t *panels;
} item;

struct pcs_packing {
    precis_program *program;
    const precis_model *model;
    item *items;
    size_t n;
    uint8_t *memory; /* of all panels */
    pthread_t thread;
    bool running;
    atomic_bool stop;
};

/* Panels [begin, end) of a weight. */
static void pack(const precis_program *p, const item *w, uint64_t begin, uint64_t end)
{
    const size_t row = pcs_row_bytes(w->f, w->k), panel = pcs_panel_bytes(w->f, w->k);
    for (uint64_t i = begin; i < end; i++) {
        const uint64_t first = i * PCS_PANEL, rows = w->n - first < PCS_PANEL ? w->n - first : PCS_PANEL;
        p->kernels.pack(&(pcs_pack_args){ w->f, w->rows + first * row, row, w->k, rows, w->panels + i * panel });
    }
}

static uint64_t panels_of(const item *w) { return (w->n + PCS_PANEL - 1) / PCS_PANEL; }

static uint64_t panel_bytes_of(const item *w) { return (panels_of(w) * pcs_panel_bytes(w->f, w->k) + 63) / 64 * 64; }

/* Panels that are packed from pages that are fetched and given back together, of about 4 MiB. */
static uint64_t part_of(const item *w) { return (((uint64_t)4 << 20) / pcs_panel_bytes(w->f, w->k)) + 1; }

/* Pages of the rows of panels [begin, end): all, or those of which nothing else is left to pack. */
typedef struct { uintptr_t first, last; } pages;
static pages pages_of(const item *w, uint64_t begin, uint64_t end, bool all)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), row = pcs_row_bytes(w->f, w->k);
    const uintptr_t behind = end * PCS_PANEL, last = behind < w->n ? behind : w->n;
    const uintptr_t from = (uintptr_t)w->rows + begin * PCS_PANEL * row, to = (uintptr_t)w->rows + last * row;
    if (all) return (pages){ from / page * page, to };
    return (pages){ (from + (begin ? 0 : page - 1)) / page * page, to / page * page };
}

/* The file's pages all at once: faults would take most of the time of packing. A machine that cannot goes without. */
static void fetch(const item *w, uint64_t begin, uint64_t end)
{
#ifdef MADV_POPULATE_READ
    const pages p = pages_of(w, begin, end, true);
    madvise((void *)p.first, p.last - p.first, MADV_POPULATE_READ);
#else
    (void)w, (void)begin, (void)end;
#endif
}

/* Who still reads rows in place finds their pages in the system's cache. */
static void give_back(const pcs_packing *k, const item *w, uint64_t begin, uint64_t end)
{
    const pages p = pages_of(w, begin, end, false);
    for (size_t i = 0; k->model && i < k->model->n_files; i++) { /* memory of our own would be lost */
        const uintptr_t map = (uintptr_t)k->model->files[i].map;
        if (map && p.first >= map && p.last <= map + k->model->files[i].size && p.last > p.first)
            madvise((void *)p.first, p.last - p.first, MADV_DONTNEED);
    }
}

/* From now on the panels are used. */
static void publish(item *w) { atomic_store_explicit(&w->slot->panels, w->panels, memory_order_release); }

typedef struct { const precis_program *p; const item *w; uint64_t first; } job;

static void pack_part(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const job *j = arg;
    pack(j->p, j->w, j->first + begin, j->first + end);
}

static void *in_background(void *arg)
{
    pcs_packing *k = arg;
#ifdef __linux__
    setpriority(PRIO_PROCESS, (id_t)gettid(), 19); /* of this thread */
#endif
    for (size_t i = 0; i < k->n; i++) {
        item *w = &k->items[i];
        const uint64_t n = panels_of(w), part = part_of(w);
        for (uint64_t at = 0; at < n; at++) {
            if (atomic_load_explicit(&k->stop, memory_order_relaxed)) return NULL;
            if (at % part == 0) fetch(w, at, at + part < n ? at + part : n);
            pack(k->program, w, at, at + 1);
            if (at % part == part - 1 || at == n - 1) give_back(k, w, at / part * part, at + 1);
        }
        publish(w);
        give_back(k, w, 0, n); /* what tokens read meanwhile */
    }
    return NULL;
}

/* Weights that some step multiplies by kernels with panels, each once. */
static void collect(pcs_packing *k)
{
    precis_program *p = k->program;
    for (size_t i = 0; i < p->n_steps; i++) {
        const pcs_step *s = &p->steps[i];
        if (!s->op || s->n_in < 2 || !s->op->reads_stored || s->eval != s->op->fast) continue;
        pcs_slot *w = &p->slots[s->in[s->op->reads_stored]];
        const uint32_t dims = w->v.dims;
        if (w->v.dtype != PCS_STORED || dims < 2 || !w->data || w->panels) continue;
        const size_t width = (size_t)w->v.shape[dims - 1];
        if (!pcs_has_few(&p->kernels, w->v.format, width)) continue;
        item it = { w, w->v.format, w->data, width, 1, NULL };
        for (uint32_t d = 0; d + 1 < dims; d++) it.n *= (uint64_t)w->v.shape[d];
        if (dims > 2 && w->v.shape[dims - 2] % PCS_PANEL) continue; /* an expert must begin with a panel */
        bool known = false;
        for (size_t e = 0; e < k->n; e++) known |= k->items[e].slot == w;
        if (!known) k->items[k->n++] = it;
    }
}

/* Memory for all panels, one after the other: reading from large pages is a tenth faster, and most weights of a
 * small model are smaller than one. */
static precis_status allot(precis_ctx *ctx, pcs_packing *k)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < k->n; i++) bytes += panel_bytes_of(&k->items[i]);
    if (!bytes) return PRECIS_OK;
    uint8_t *at = k->memory = pcs_alloc_large(ctx, bytes);
    if (!at) return PRECIS_ENOMEM;
    for (size_t i = 0; i < k->n; i++) {
        k->items[i].panels = at;
        at += panel_bytes_of(&k->items[i]);
    }
    k->program->packed_bytes += bytes;
    return PRECIS_OK;
}

precis_status pcs_packing_open(precis_program *p, const precis_model *model, precis_pack mode)
{
    precis_ctx *ctx = p->ctx;
    pcs_packing *k = p->packing = pcs_alloc(ctx, 1, sizeof *k);
    if (!k || !(k->items = pcs_alloc(ctx, p->n_steps + 1, sizeof *k->items))) return PRECIS_ENOMEM;
    k->program = p;
    k->model = model;
    collect(k);
    precis_status st = allot(ctx, k);
    if (st) return st;
    if (mode == PRECIS_PACK_BACKGROUND && !pthread_create(&k->thread, NULL, in_background, k)) {
        k->running = true;
        return PRECIS_OK;
    }
    for (size_t i = 0; i < k->n; i++) {
        item *w = &k->items[i];
        const uint64_t n = panels_of(w), part = part_of(w);
        for (uint64_t at = 0; at < n; at += part) {
            const uint64_t end = at + part < n ? at + part : n;
            fetch(w, at, end);
            pcs_for(ctx, end - at, 4, pack_part, &(job){ p, w, at });
            give_back(k, w, at, end);
        }
        publish(w);
    }
    return PRECIS_OK;
}

void pcs_packing_close(precis_program *p)
{
    pcs_packing *k = p->packing;
    if (!k) return;
    atomic_store(&k->stop, true);
    if (k->running) pthread_join(k->thread, NULL);
    pcs_free(p->ctx, k->memory);
    pcs_free(p->ctx, k->items);
    pcs_free(p->ctx, k);
    p->packing = NULL;
}
