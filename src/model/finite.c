/* finite.c - see finite.h. */
#include "model/finite.h"

#include "base/pool.h"
#include "format/number.h"
#include "kernel/panels.h"

#include <stdatomic.h>
#include <stdio.h>

enum { PIECE = 1 << 18 }; /* bytes that a thread takes at a time, about */

/* What is known of a model: shared by all who read it. */
struct pcs_finite {
    atomic_bool seen;
    bool allowed, warned;
};

/* ---- rows and panels ----------------------------------------------------------------------------- */

static uint64_t rows_of_piece(const pcs_tensor *t)
{
    const uint64_t row = pcs_tensor_row_bytes(t), rows = PIECE / (row ? row : 1) / PCS_PANEL * PCS_PANEL;
    return rows ? rows : PCS_PANEL;
}

/* Panels lie matrix by matrix, each of whole ones. *in: the row in its panel; *left: rows from it to its last. */
static const uint8_t *panel_of(const pcs_tensor *t, uint64_t row, uint64_t *in, uint64_t *left)
{
    const size_t bytes = pcs_panel_bytes(t->format, (size_t)t->ne[0]);
    const uint64_t each = (uint64_t)t->ne[1], panels = (each + PCS_PANEL - 1) / PCS_PANEL, rest = each - row % each;
    *in = row % each % PCS_PANEL;
    *left = PCS_PANEL - *in < rest ? PCS_PANEL - *in : rest;
    return t->panels + (row / each * panels + row % each / PCS_PANEL) * bytes;
}

/* The field of a block that holds all of a number within a unit of its own; PCS_FIELDS: none. */
static size_t field_of(const pcs_format *f, const pcs_number *k)
{
    for (size_t i = 0; i < PCS_FIELDS && f->fields[i].bytes; i++) {
        const pcs_field *d = &f->fields[i];
        const bool inside = k->at >= d->at && k->at + k->bytes * k->count <= d->at + d->bytes;
        if (inside && k->bytes == d->unit && k->count == 1) return i;
    }
    return PCS_FIELDS;
}

/* Of a panel: 16 rows' numbers of a block lie together, and those of the next block after them where steps say so. */
static bool field_doubtful(const pcs_panel_layout *o, const pcs_number *n, size_t i, size_t blocks,
                           const uint8_t *first)
{
    const size_t sixteen = (size_t)PCS_PANEL * n->bytes;
    const size_t run = o->step[i] != sixteen ? 1 : o->bytes == o->piece * sixteen ? blocks : o->piece;
    for (size_t b = 0; b < blocks; b += run) {
        const size_t some = blocks - b < run ? blocks - b : run;
        if (pcs_numbers_doubtful(n, some * PCS_PANEL, first + pcs_panel_at(o, b, i))) return true;
    }
    return false;
}

static bool panel_doubtful(const pcs_format *f, size_t k, const uint8_t *panel)
{
    const pcs_panel_layout o = pcs_panel_layout_of(f);
    if (f->kind == PCS_INT) return false;
    if (!f->numbers) return true;
    for (const pcs_number *n = f->numbers; n->bytes; n++) {
        const size_t i = field_of(f, n);
        if (i == PCS_FIELDS) return true;
        const size_t unit = (size_t)(n->at - f->fields[i].at) / f->fields[i].unit;
        if (field_doubtful(&o, n, i, k / f->block, panel + unit * o.unit[i])) return true;
    }
    return false;
}

static bool rows_doubtful(const pcs_tensor *t, uint64_t first, uint64_t n)
{
    const pcs_format *f = t->format;
    const size_t row = (size_t)pcs_tensor_row_bytes(t), blocks = row > f->head ? (row - f->head) / f->bytes : 0;
    if (t->panels) {
        uint64_t in, left;
        for (uint64_t r = first; r < first + n; r += left)
            if (panel_doubtful(f, (size_t)t->ne[0], panel_of(t, r, &in, &left))) return true;
        return false;
    }
    const uint8_t *src = t->data + first * row;
    if (!f->head) return pcs_blocks_doubtful(f, blocks * n, src);
    for (uint64_t r = 0; r < n; r++, src += row)
        if (pcs_head_doubtful(f, src) || pcs_blocks_doubtful(f, blocks, src + f->head)) return true;
    return false;
}

bool pcs_weights_doubtful(const pcs_format *f, size_t k, const uint8_t *rows, const uint8_t *panels,
                          uint64_t first, uint64_t end)
{
    if (!panels) {
        const uint64_t bytes = pcs_row_bytes(f, k);
        const pcs_tensor t = { .format = f, .data = rows, .ne = { (int64_t)k, (int64_t)end, 1, 1 },
                               .bytes = end * bytes, .n = end * k };
        return rows_doubtful(&t, first, end - first);
    }
    const size_t each = pcs_panel_bytes(f, k);
    for (uint64_t r = first; r < end; r += PCS_PANEL)
        if (panel_doubtful(f, k, panels + r / PCS_PANEL * each)) return true;
    return false;
}

/* The first odd weight of rows that are in doubt. */
static bool find(const pcs_tensor *t, uint64_t first, uint64_t n, float *x, uint8_t *stored, pcs_odd *odd)
{
    const size_t width = (size_t)t->ne[0];
    for (uint64_t r = first; r < first + n; r++) {
        const uint8_t *src = t->data ? t->data + r * pcs_tensor_row_bytes(t) : NULL;
        uint64_t in, left;
        if (t->panels) {
            const uint8_t *panel = panel_of(t, r, &in, &left);
            pcs_panels_row(t->format, width, panel, in, stored);
            src = stored;
        }
        pcs_decode(t->format, width, src, x);
        if (pcs_all_finite(x, width)) continue;
        for (size_t i = 0; i < width; i++)
            if (!(x[i] - x[i] == 0.0f)) {
                *odd = (pcs_odd){ t, r * width + i, x[i] };
                return true;
            }
    }
    return false;
}

/* ---- a look ---------------------------------------------------------------------------------------- */

static bool has_numbers(const pcs_tensor *t) { return t->n && t->format->kind != PCS_INT && (t->data || t->panels); }

static bool none_known(const void *user, const pcs_tensor *t) { return (void)user, (void)t, false; }

precis_status pcs_look_open(precis_ctx *ctx, pcs_look *l, const precis_model *m)
{
    return pcs_look_open_rest(ctx, l, m, none_known, NULL);
}

precis_status pcs_look_open_rest(precis_ctx *ctx, pcs_look *l, const precis_model *m, pcs_known *known,
                                 const void *user)
{
    size_t longest = 0, stored = 0;
    *l = (pcs_look){ .ctx = ctx, .m = m };
    l->starts = pcs_alloc(ctx, m->n_tensors + 1, sizeof *l->starts);
    if (!l->starts) return PRECIS_ENOMEM;
    for (size_t i = 0; i < m->n_tensors; i++) {
        const pcs_tensor *t = &m->tensors[i];
        l->starts[i + 1] = l->starts[i];
        if (!has_numbers(t) || known(user, t)) continue;
        l->starts[i + 1] += (pcs_tensor_rows(t) - 1) / rows_of_piece(t) + 1;
        if ((size_t)t->ne[0] > longest) longest = (size_t)t->ne[0];
        if (t->panels && pcs_tensor_row_bytes(t) > stored) stored = (size_t)pcs_tensor_row_bytes(t);
    }
    l->pieces = l->starts[m->n_tensors];
    l->doubtful = pcs_alloc(ctx, l->pieces + 1, 1);
    l->row = pcs_alloc(ctx, longest + 1, sizeof *l->row);
    l->stored = pcs_alloc(ctx, stored + 64, 1);
    return l->doubtful && l->row && l->stored ? PRECIS_OK : PRECIS_ENOMEM;
}

void pcs_look_close(pcs_look *l)
{
    if (!l->ctx) return;
    pcs_free(l->ctx, l->starts);
    pcs_free(l->ctx, l->doubtful);
    pcs_free(l->ctx, l->row);
    pcs_free(l->ctx, l->stored);
    *l = (pcs_look){ .ctx = NULL };
}

/* The rows of a piece. */
static const pcs_tensor *rows_of(const pcs_look *l, uint64_t piece, uint64_t *first, uint64_t *n)
{
    size_t lo = 0, hi = l->m->n_tensors;
    while (hi - lo > 1) {
        const size_t mid = lo + (hi - lo) / 2;
        if (l->starts[mid] <= piece) lo = mid;
        else hi = mid;
    }
    const pcs_tensor *t = &l->m->tensors[lo];
    const uint64_t rows = pcs_tensor_rows(t), each = rows_of_piece(t);
    *first = (piece - l->starts[lo]) * each;
    *n = rows - *first < each ? rows - *first : each;
    return t;
}

void pcs_look_piece(pcs_look *l, uint64_t piece)
{
    uint64_t first, n;
    const pcs_tensor *t = rows_of(l, piece, &first, &n);
    l->doubtful[piece] = rows_doubtful(t, first, n);
}

pcs_odd pcs_look_odd(pcs_look *l)
{
    pcs_odd odd = { NULL, 0, 0 };
    for (uint64_t p = 0; p < l->pieces; p++) {
        uint64_t first, n;
        if (!l->doubtful[p]) continue;
        const pcs_tensor *t = rows_of(l, p, &first, &n);
        if (find(t, first, n, l->row, l->stored, &odd)) break;
    }
    return odd;
}

static void pieces(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    for (uint64_t i = begin; i < end; i++) pcs_look_piece(arg, i);
}

/* ---- models ----------------------------------------------------------------------------------------- */

static const char *what_is(float v) { return !(v == v) ? "nan" : v > 0 ? "inf" : "-inf"; }

precis_status pcs_odd_fail(precis_ctx *ctx, const precis_model *m, const pcs_odd *odd)
{
    char own[512] = "";
    if (strcmp(odd->t->source, odd->t->name)) snprintf(own, sizeof own, " (%.480s in the file)", odd->t->source);
    return pcs_fail(ctx, PRECIS_EFORMAT,
                    "%s%stensor %s%s: element %llu is %s; the file is damaged, or its training went wrong (precis "
                    "inspect --check lists all such tensors%s)",
                    m ? m->path : "", m ? ": " : "", odd->t->name, own, (unsigned long long)odd->element,
                    what_is(odd->value),
                    m && m->finite->allowed ? "; --allow-nan passes those that keep their type" : "");
}

precis_status pcs_tensor_odd_fail(precis_ctx *ctx, const precis_model *m, const pcs_tensor *t)
{
    pcs_odd odd;
    const precis_status st = pcs_tensor_odd(ctx, t, &odd);
    if (st) return st;
    return odd.t ? pcs_odd_fail(ctx, m, &odd)
                 : pcs_fail(ctx, PRECIS_EFORMAT,
                            "tensor %s: its numbers are so large that sums of their squares are infinite", t->name);
}

precis_status pcs_odd_judge(precis_ctx *ctx, const precis_model *m, const pcs_odd *odd)
{
    if (odd->t && !m->finite->allowed) return pcs_odd_fail(ctx, m, odd);
    if (odd->t && !m->finite->warned) /* once */
        pcs_warn(ctx, "%s: tensor %s: element %llu is %s; it is kept, as was asked for", m->path, odd->t->name,
                 (unsigned long long)odd->element, what_is(odd->value));
    m->finite->warned |= odd->t != NULL;
    return PRECIS_OK;
}

/* A model that has these tensors alone. */
static precis_model part_of(precis_ctx *ctx, const pcs_tensor *t)
{
    return (precis_model){ .ctx = ctx, .tensors = (pcs_tensor *)(uintptr_t)t, .n_tensors = 1 };
}

precis_status pcs_tensor_odd(precis_ctx *ctx, const pcs_tensor *t, pcs_odd *odd)
{
    const precis_model one = part_of(ctx, t);
    pcs_look l;
    *odd = (pcs_odd){ NULL, 0, 0 };
    const precis_status st = pcs_look_open(ctx, &l, &one);
    for (uint64_t i = 0; !st && i < l.pieces && !odd->t; i++) {
        pcs_look_piece(&l, i);
        if (l.doubtful[i]) *odd = pcs_look_odd(&l);
        l.doubtful[i] = 0;
    }
    pcs_look_close(&l);
    return st;
}

precis_status pcs_model_odd(precis_ctx *ctx, const precis_model *m, pcs_odd *odd)
{
    pcs_look l;
    const precis_status st = pcs_look_open(ctx, &l, m);
    *odd = (pcs_odd){ NULL, 0, 0 };
    if (!st) {
        pcs_for(ctx, l.pieces, 1, pieces, &l);
        *odd = pcs_look_odd(&l);
    }
    pcs_look_close(&l);
    return st;
}

precis_status pcs_tensor_finite(precis_ctx *ctx, const precis_model *m, const pcs_tensor *t)
{
    const precis_model one = part_of(ctx, t);
    pcs_odd odd;
    if (pcs_model_seen(m)) return PRECIS_OK;
    const precis_status st = pcs_model_odd(ctx, &one, &odd);
    return st ? st : pcs_odd_judge(ctx, m, &odd);
}

precis_status pcs_rows_finite(precis_ctx *ctx, const precis_model *m, const pcs_tensor *t, uint64_t first, uint64_t n)
{
    pcs_odd odd;
    if (pcs_model_seen(m) || !has_numbers(t) || !rows_doubtful(t, first, n)) return PRECIS_OK;
    const precis_status st = pcs_tensor_odd(ctx, t, &odd);
    return st ? st : pcs_odd_judge(ctx, m, &odd);
}

precis_status pcs_model_finite(precis_ctx *ctx, const precis_model *m)
{
    pcs_odd odd;
    if (ctx->memory.counting || pcs_model_seen(m)) return PRECIS_OK;
    precis_status st = pcs_model_odd(ctx, m, &odd);
    if (!st) st = pcs_odd_judge(ctx, m, &odd);
    if (!st) pcs_model_mark_seen(m);
    return st;
}

bool pcs_model_seen(const precis_model *m) { return atomic_load_explicit(&m->finite->seen, memory_order_relaxed); }
void pcs_model_mark_seen(const precis_model *m) { atomic_store_explicit(&m->finite->seen, true, memory_order_relaxed); }

precis_status pcs_finite_open(precis_model *m, const precis_model *of)
{
    m->finite = pcs_arena_alloc(&m->arena, 1, sizeof *m->finite);
    if (!m->finite) return PRECIS_ENOMEM;
    if (of) {
        m->finite->allowed = of->finite->allowed;
        if (pcs_model_seen(of)) pcs_model_mark_seen(m);
    }
    return PRECIS_OK;
}

void precis_model_allow_nan(precis_model *model, int allow)
{
    model->finite->allowed = allow != 0;
    model->finite->warned = false;
    atomic_store(&model->finite->seen, false);
}

precis_status precis_model_check_finite(const precis_model *m, size_t i, int *found, uint64_t *element, float *value)
{
    pcs_odd odd;
    *found = 0;
    if (i >= m->n_tensors) return pcs_fail(m->ctx, PRECIS_EINVAL, "there is no tensor %zu", i);
    const precis_status st = pcs_tensor_odd(m->ctx, &m->tensors[i], &odd);
    if (st || !odd.t) return st;
    *found = 1;
    *element = odd.element;
    *value = odd.value;
    return PRECIS_OK;
}

precis_status precis_model_check(const precis_model *model) { return pcs_model_finite(model->ctx, model); }
