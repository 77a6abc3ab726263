/* attention - softmax(scale * q k^T) v over the cache of each token's own sequence, positions 0 to its own
 * (the last `window` of them, when given; causal=0: to the last position of its sequence in this call); heads share
 * keys in groups (Ainslie et al. 2023).
 *
 * Work is cut into tiles of rows of one sequence by one key head, or by a part of the query heads that share it where
 * there are more threads. The sums of a row have a fixed order (ascending dimension, 16 lanes over keys, ascending
 * key), so its result depends neither on the tile, nor on other rows of the batch, nor on threads.
 *
 * In the arithmetic bf16 (kernel/bf16.h) both products are its sums: of a query with a key, and of the weights with
 * the values, whose steps begin at keys that are multiples of 32, so that a step of others' keys adds nothing. */
#include "graph/graph.h"
#include "graph/kv.h"
#include "kernel/bf16.h"

enum { SCALE, WINDOW, CAP, CAUSAL };

#define VALUES 64 /* keys whose values are unpacked at a time */
#define ROWS 16
#define KEY_PANELS 4 /* of 16 keys, at a time */

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *q = &g->values[n->in[0]], *s = &g->values[n->in[1]];
    if (s->dtype != PCS_STATE || q->dims != 2 || q->shape[1] % s->shape[2] || q->shape[1] / s->shape[2] % s->shape[1])
        return pcs_op_fail(g, n, "takes q[tokens, heads * dim] and a state whose heads divide them");
    out->dims = 2;
    out->shape[0] = q->shape[0];
    out->shape[1] = q->shape[1] / s->shape[2] * s->shape[3];
    return PRECIS_OK;
}

typedef struct {
    const pcs_kv *kv;
    size_t group, rows; /* query heads of a key head; rows of a tile at most */
    size_t qrow, orow;  /* widths */
    size_t keys;        /* width of a row of scores */
    bool causal;
} dims;

static dims dims_of(const pcs_call *c)
{
    dims d = { .kv = c->in[1].data };
    d.qrow = (size_t)c->in[0].shape[1];
    d.group = d.qrow / d.kv->kd / d.kv->heads;
    d.orow = d.group * d.kv->heads * d.kv->vd;
    d.keys = d.kv->capacity;
    d.causal = c->attr[CAUSAL].integer != 0;
    const size_t fit = ((size_t)1 << 18) / (d.group * d.keys); /* scores of a tile: 1 MiB */
    d.rows = fit < 1 ? 1 : fit < ROWS ? fit : ROWS;
    return d;
}

/* Rows [t0, t0 + rows) of the call by query heads [first, first + heads) of a key head's. next: the head that this
 * thread goes on with. */
typedef struct {
    const pcs_call *c;
    const dims *d;
    size_t t0, rows, first, heads;
    uint32_t head, next;
} task;

/* What a task works with: keys [lo, hi), multiples of 16, of which those before `reach` were computed; end: the last
 * key of all rows, when they look ahead. */
typedef struct {
    size_t m, lo, hi, reach, end;
    float *q, *s, *y; /* [m][kd], [m][hi - lo], [m][vp] */
    char *rest;
} work;

/* Values of so many keys are a product in bf16; those of more are added up in ascending order. */
enum { SPAN = 512 };

/* Bytes behind q, s and y: of the exact arithmetic; of bf16: keys or values as panels, and what they multiply. */
static size_t exact_room(const dims *d)
{
    return pcs_line_up(4 * 16 * KEY_PANELS * (size_t)d->kv->kd) + pcs_line_up(4 * VALUES * (size_t)d->kv->vp);
}

static size_t bf16_room(const dims *d)
{
    const size_t m = d->rows * d->group, kd = d->kv->kd, vp = d->kv->vp, span = d->keys < SPAN ? d->keys : SPAN;
    const size_t keys = span * kd, values = span * vp + VALUES * vp + m * span + m * vp;
    const size_t deep = kd > span ? kd : span;
    return pcs_line_up(4 * (keys > values ? keys : values)) + pcs_line_up(pcs_act_bf16_bytes(m, deep)) +
           pcs_line_up(pcs_mp_bf16_scratch(deep)) + 64;
}

static size_t scratch(const pcs_call *c)
{
    const dims d = dims_of(c);
    const size_t m = d.rows * d.group, exact = exact_room(&d), bf16 = c->bf16 ? bf16_room(&d) : 0;
    return 4 * m * (d.kv->kd + d.keys + d.kv->vp) + (exact > bf16 ? exact : bf16) + 5 * 64;
}

static float *carve(char **p, size_t n)
{
    float *r = (float *)*p;
    *p += pcs_line_up(n * sizeof(float));
    return r;
}

/* Scores [first, last] to weights that sum to 1, zero elsewhere in [lo, hi). */
static void softmax_row(const pcs_call *c, float *s, const work *w, size_t first, size_t last)
{
    for (size_t j = w->lo; j < first; j++) s[j - w->lo] = 0.0f;
    for (size_t j = last + 1; j < w->hi; j++) s[j - w->lo] = 0.0f;
    const pcs_softmax_args args = { s + (first - w->lo), last + 1 - first, first, (float)c->attr[SCALE].real,
                                    (float)c->attr[CAP].real };
    c->kernels->softmax(&args);
}

/* Keys [*first, *last] that a row of the call sees. */
static void seen(const task *t, const work *w, size_t row, size_t *first, size_t *last)
{
    const int64_t window = t->c->attr[WINDOW].integer;
    *last = t->d->causal ? (size_t)((const int32_t *)t->c->in[2].data)[row] : w->end;
    *first = window > 0 && (int64_t)*last + 1 > window ? *last + 1 - (size_t)window : 0;
}

static work open_work(const task *t, char *mem)
{
    const dims *d = t->d;
    const size_t kd = d->kv->kd, m = t->rows * t->heads;
    const int32_t *pos = t->c->in[2].data, *seq = t->c->in[3].data;
    work w = { .m = m, .lo = (size_t)1 << 40 };
    w.q = carve(&mem, m * kd);
    w.s = carve(&mem, m * d->keys);
    w.y = carve(&mem, m * d->kv->vp);
    w.rest = mem;
    for (size_t r = 0; !d->causal && r < (size_t)t->c->in[0].shape[0]; r++)
        if (seq[r] == seq[t->t0] && (size_t)pos[r] > w.end) w.end = (size_t)pos[r];
    for (size_t r = 0; r < t->rows; r++) {
        size_t first, last;
        seen(t, &w, t->t0 + r, &first, &last);
        w.lo = first < w.lo ? first : w.lo;
        w.reach = last + 1 > w.reach ? last + 1 : w.reach;
        const float *q = (const float *)t->c->in[0].data + (t->t0 + r) * d->qrow + (t->head * d->group + t->first) * kd;
        memcpy(w.q + r * t->heads * kd, q, t->heads * kd * sizeof *q);
    }
    w.lo &= ~(size_t)(t->c->bf16 ? 31 : 15);
    w.hi = (w.reach + 15) & ~(size_t)15;
    return w;
}

/* ---- exact: sums of gemm ---------------------------------------------------------------------------------------- */

static void scores(const task *t, const work *w, uint32_t seq, const pcs_kv_span *span)
{
    const pcs_kv *kv = t->d->kv;
    const pcs_kernels *k = t->c->kernels;
    const size_t keys = w->hi - w->lo, step = 16 * (size_t)kv->kd;
    if (span) {
        const pcs_kv_part part = { seq, t->head, span->first, (uint32_t)keys };
        pcs_kv_scores(kv, k, &part, &(pcs_kv_rows){ w->q, w->s, w->m, keys }, span);
        return;
    }
    float *panel = (float *)(void *)w->rest;
    for (size_t j = w->lo; j < w->hi; j += 16 * KEY_PANELS) {
        const size_t panels = w->hi - j < 16 * KEY_PANELS ? (w->hi - j) / 16 : KEY_PANELS;
        for (size_t p = 0; p < panels; p++)
            pcs_kv_keys(kv, k, seq, t->head, (uint32_t)(j / 16 + p), panel + p * step);
        const pcs_gemm_args one = { w->q, kv->kd, panel, 16, kv->kd, w->m, w->s + (j - w->lo), keys, false };
        k->gemm_wide(&(pcs_gemm_wide_args){ one, panels, step });
    }
}

/* Values of tokens that were computed, no others: what lies after them in the last tile of keys may be no number,
 * which a weight of 0 does not make one. */
static void mix(const task *t, const work *w, uint32_t seq, const pcs_kv_span *span)
{
    const pcs_kv *kv = t->d->kv;
    const pcs_kernels *k = t->c->kernels;
    const size_t keys = w->hi - w->lo;
    char *mem = w->rest + pcs_line_up(4 * 16 * KEY_PANELS * (size_t)kv->kd);
    for (size_t j = w->lo; j < w->reach; j += VALUES) {
        const size_t n = w->reach - j < VALUES ? w->reach - j : VALUES;
        const float *weights = w->s + (j - w->lo);
        const pcs_kv_part part = { seq, t->head, (uint32_t)j, (uint32_t)n };
        if (span) {
            pcs_kv_mix(kv, k, &part, &(pcs_kv_rows){ weights, w->y, w->m, keys }, j > w->lo, span);
            continue;
        }
        const float *v = pcs_kv_values(kv, k, &part, (float *)(void *)mem);
        const pcs_gemm_args one = { weights, keys, v, kv->vp, n, w->m, w->y, kv->vp, j > w->lo };
        k->gemm_wide(&(pcs_gemm_wide_args){ one, kv->vp / 16, 16 });
    }
}

/* ---- bf16 ------------------------------------------------------------------------------------------------------- */

/* Where its parts lie behind q, s and y: panels of keys or values, what belongs to them, and the kernel's operands. */
typedef struct {
    float *panels, *some, *x, *y; /* [vp / 16][span][16] or of keys; [VALUES][vp]; [m][span]; [m][vp] */
    uint16_t *act;
    char *scratch;
} room;

static room room_in(const task *t, const work *w)
{
    const dims *d = t->d;
    const size_t m = d->rows * d->group, kd = d->kv->kd, vp = d->kv->vp, span = d->keys < SPAN ? d->keys : SPAN;
    const size_t keys = span * kd, values = span * vp + VALUES * vp + m * span + m * vp;
    char *mem = w->rest;
    room r = { .panels = carve(&mem, keys > values ? keys : values) };
    r.some = r.panels + span * vp;
    r.x = r.some + VALUES * vp;
    r.y = r.x + m * span;
    r.act = (uint16_t *)(void *)mem;
    r.scratch = mem + pcs_line_up(pcs_act_bf16_bytes(m, kd > span ? kd : span));
    return r;
}

static void to_act(const task *t, const float *x, size_t m, size_t k, uint16_t *act)
{
    t->c->kernels->act_bf16(&(pcs_act_bf16_args){ x, k, m, 0, m, act, 0 });
}

static void scores_bf16(const task *t, const work *w, uint32_t seq)
{
    const pcs_kv *kv = t->d->kv;
    const room r = room_in(t, w);
    const size_t keys = w->hi - w->lo, kd = kv->kd;
    to_act(t, w->q, w->m, kd, r.act);
    for (size_t j = w->lo; j < w->hi; j += SPAN) { /* few calls of much: each configures tiles */
        const size_t panels = (w->hi - j < SPAN ? w->hi - j : SPAN) / 16;
        for (size_t p = 0; p < panels; p++)
            pcs_kv_keys(kv, t->c->kernels, seq, t->head, (uint32_t)(j / 16 + p), r.panels + p * 16 * kd);
        const pcs_mp_bf16_args args = { &pcs_format_f32, (const uint8_t *)r.panels, 4 * kd, kd, 0, 16 * panels, w->m,
                                        r.act, w->s + (j - w->lo), keys, NULL, r.scratch, true, 0, 0 };
        t->c->kernels->mp_bf16(&args);
    }
}

/* Values of keys [j, j + n) as panels of n; those after the last are zero. */
static void values_to_panels(const task *t, const work *w, const room *r, uint32_t seq, size_t j, size_t n)
{
    const pcs_kv *kv = t->d->kv;
    const size_t vp = kv->vp;
    for (size_t at = 0, some; at < n; at += some) {
        const size_t there = j + at < w->reach ? w->reach - (j + at) : 0;
        some = n - at < VALUES ? n - at : VALUES;
        const size_t real = some < there ? some : there;
        const pcs_kv_part part = { seq, t->head, (uint32_t)(j + at), (uint32_t)real };
        const float *v = real ? pcs_kv_values(kv, t->c->kernels, &part, r->some) : r->some;
        for (size_t p = 0; p < vp / 16; p++) {
            float *to = r->panels + (p * n + at) * 16;
            for (size_t i = 0; i < real; i++) memcpy(to + 16 * i, v + i * vp + 16 * p, 16 * sizeof *to);
            memset(to + 16 * real, 0, 16 * (some - real) * sizeof *to);
        }
    }
}

static void mix_bf16(const task *t, const work *w, uint32_t seq)
{
    const room r = room_in(t, w);
    const size_t keys = w->hi - w->lo, vp = t->d->kv->vp;
    for (size_t j = w->lo, end; j < w->hi; j = end) {
        end = (j / SPAN + 1) * SPAN < w->hi ? (j / SPAN + 1) * SPAN : w->hi;
        const size_t n = end - j;
        values_to_panels(t, w, &r, seq, j, n);
        for (size_t i = 0; n < keys && i < w->m; i++)
            memcpy(r.x + i * n, w->s + i * keys + (j - w->lo), n * sizeof *r.x);
        to_act(t, n < keys ? r.x : w->s, w->m, n, r.act);
        float *y = j > w->lo ? r.y : w->y;
        const pcs_mp_bf16_args args = { &pcs_format_f32, (const uint8_t *)r.panels, 4 * n, n, 0, vp, w->m, r.act, y, vp,
                                        NULL, r.scratch, true, 0, 0 };
        t->c->kernels->mp_bf16(&args);
        for (size_t i = 0; j > w->lo && i < w->m * vp; i++) w->y[i] += y[i];
    }
}

/* ---- tasks ------------------------------------------------------------------------------------------------------ */

static void run(const task *t, char *mem)
{
    const dims *d = t->d;
    const uint32_t seq = (uint32_t)((const int32_t *)t->c->in[3].data)[t->t0];
    const work w = open_work(t, mem);
    const size_t keys = w.hi - w.lo, vd = d->kv->vd, vp = d->kv->vp;
    const pcs_kv_span span = { (uint32_t)w.lo, (uint32_t)w.hi, t->next }, *few = pcs_kv_few(d->kv, w.m) ? &span : NULL;
    if (t->c->bf16) scores_bf16(t, &w, seq);
    else scores(t, &w, seq, few);
    for (size_t r = 0; r < w.m; r++) {
        size_t first, last;
        seen(t, &w, t->t0 + r / t->heads, &first, &last);
        softmax_row(t->c, w.s + r * keys, &w, first, last);
    }
    if (t->c->bf16) mix_bf16(t, &w, seq);
    else mix(t, &w, seq, few);
    for (size_t r = 0; r < w.m; r++) {
        const size_t at = t->head * d->group + t->first + r % t->heads;
        float *to = (float *)t->c->out[0].data + (t->t0 + r / t->heads) * d->orow + at * vd;
        memcpy(to, w.y + r * vp, vd * sizeof *to);
    }
}

/* Rows from t on that make a tile: of one sequence. */
static size_t tile_from(const pcs_call *c, const dims *d, size_t t)
{
    const int32_t *seq = c->in[3].data;
    const size_t rows = (size_t)c->in[0].shape[0];
    size_t n = 1;
    while (n < d->rows && t + n < rows && seq[t + n] == seq[t]) n++;
    return n;
}

/* Parts of a key head's query heads: as few as give each thread a task. */
static size_t parts_of(const dims *d, size_t tiles, uint32_t nth)
{
    for (size_t parts = 1; parts < d->group; parts++)
        if (d->group % parts == 0 && tiles * d->kv->heads * parts >= nth) return parts;
    return d->group;
}

/* All tasks, tile by tile; for each tile by key heads and their parts. tile, t: the one that this thread was at last,
 * and its first row. */
typedef struct { const pcs_call *c; const dims *d; size_t each, parts; uint32_t nth; size_t tile, t; } tasks;

static size_t first_row(tasks *all, size_t tile)
{
    if (tile < all->tile) all->tile = all->t = 0;
    for (; all->tile < tile; all->tile++) all->t += tile_from(all->c, all->d, all->t);
    return all->t;
}

/* Task `at`. In shares tasks lie there and back again, since later tiles have more keys: a thread's next one is after
 * those of all that come after it, and as many again. */
static void run_task(tasks *all, size_t at, uint32_t ith)
{
    const size_t i = at % all->each, heads = all->d->group / all->parts, place = at % all->nth;
    const size_t next = i + 2 * (all->nth - 1 - place) + 1, t = first_row(all, at / all->each);
    const task k = { all->c, all->d, t, tile_from(all->c, all->d, t), i % all->parts * heads, heads,
                     (uint32_t)(i / all->parts), (uint32_t)(next / all->parts) };
    run(&k, all->c->scratch + ith * all->c->scratch_size);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const dims d = dims_of(c);
    const size_t rows = (size_t)c->in[0].shape[0];
    size_t tiles = 0;
    for (size_t t = 0; t < rows; t += tile_from(c, &d, t)) tiles++;
    const size_t parts = parts_of(&d, tiles, nth), each = d.kv->heads * parts, count = tiles * each;
    const size_t turns = (count + nth - 1) / nth;
    tasks all = { c, &d, each, parts, nth, 0, 0 };
    pcs_claim k = pcs_claim_open(c->claims, c->step, turns * nth, ith, nth);
    while (pcs_claim_next(&k, 1))
        for (size_t u = k.begin; u < k.end; u++) {
            const size_t turn = u % turns, place = u / turns, at = turn * nth + (turn % 2 ? nth - 1 - place : place);
            if (at < count) run_task(&all, at, ith);
        }
}

static void attends(const pcs_node *n, int64_t *window, bool *causal)
{
    *window = n->attr[WINDOW].integer;
    *causal = n->attr[CAUSAL].integer != 0;
}

const pcs_op pcs_op_attention = {
    .name = "attention", .min_in = 4, .max_in = 4, .attends = attends,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("scale", 1), PCS_INT("window", 0), PCS_REAL("cap", 0), PCS_INT("causal", 1)),
    .infer = infer, .eval = eval, .scratch = scratch,
    .not_differentiable = "its keys and values lie in a cache: attention_full has gradients",
};
