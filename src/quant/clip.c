/* clip - per group of a row, the range max|w| * (1 - i/20), i of 0 to 9, whose rounding to nearest changes the group's
 * share of the output least on kept rows of the calibration text; weights beyond it are cut (the second step of AWQ:
 * Lin et al. 2023, their code's auto_clip). Queries and keys stay: their products are too sensitive. Rounding to
 * nearest follows: a coder that chooses ranges itself would cut what is left a second time. */
#include "base/pool.h"
#include "quant/methods.h"

enum { GRID = 20, SHRINKS = 10 };

typedef struct {
    const pcs_format *f;
    const pcs_kernels *kernels;
    float *weight;      /* [rows][n], cut in place */
    /* of each group's inputs, [n / group][group][group]: the square of what an error d adds is d^T G d */
    const float *gram;
    size_t n, rows, group;
    char *scratch;
    size_t per_thread;
} cutting;

static const char *refuses(const pcs_format *f)
{
    return f->tensor ? "clip looks at groups, and this type has one scale for the whole tensor" : NULL;
}

static float largest(const float *x, size_t n)
{
    float top = 0;
    for (size_t i = 0; i < n; i++) {
        const float a = x[i] < 0 ? -x[i] : x[i];
        top = a > top ? a : top;
    }
    return top;
}

static void cut_to(const float *x, size_t n, float top, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = x[i] > top ? top : x[i] < -top ? -top : x[i];
}

/* A group of up to 16 rows. */
typedef struct { float *d, *y, *cut; uint8_t *bytes; } cut_room; /* of a thread: [k][16], [k][16], [k], a row's bytes */
static void cut_group(const cutting *c, float *const *rows, size_t count, size_t k, const float *gram,
                      const cut_room *room)
{
    float *d = room->d, *y = room->y, *cut = room->cut;
    double least[16];
    float top[16], keep[16];
    for (size_t r = 0; r < count; r++) top[r] = keep[r] = largest(rows[r], k);
    for (int i = 0; i < SHRINKS; i++) {
        memset(d, 0, k * 16 * sizeof *d);
        for (size_t r = 0; r < count; r++) {
            cut_to(rows[r], k, top[r] * (1.0f - (float)i / GRID), cut);
            c->kernels->encode(&(pcs_encode_args){ c->f, k, cut, NULL, PCS_FIT_RTN, NULL, room->bytes, cut });
            for (size_t j = 0; j < k; j++) d[j * 16 + r] = cut[j] - rows[r][j];
        }
        c->kernels->gemm(&(pcs_gemm_args){ gram, k, d, 16, k, k, y, 16, false });
        for (size_t r = 0; r < count; r++) {
            double err = 0;
            for (size_t j = 0; j < k; j++) err += (double)d[j * 16 + r] * y[j * 16 + r];
            if (i == 0 || err < least[r]) least[r] = err, keep[r] = top[r] * (1.0f - (float)i / GRID);
        }
    }
    for (size_t r = 0; r < count; r++) cut_to(rows[r], k, keep[r], rows[r]);
}

static void panels(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const cutting *c = arg;
    float *d = (float *)(void *)(c->scratch + ith * c->per_thread), *y = d + c->group * 16, *cut = y + c->group * 16;
    const cut_room room = { d, y, cut, (uint8_t *)(cut + c->group + PCS_ROW_PAD) };
    for (uint64_t p = begin; p < end; p++) {
        const size_t first = (size_t)p * 16, count = c->rows - first < 16 ? c->rows - first : 16;
        for (size_t at = 0; at < c->n; at += c->group) {
            const size_t k = c->n - at < c->group ? c->n - at : c->group;
            float *rows[16];
            for (size_t r = 0; r < count; r++) rows[r] = c->weight + (first + r) * c->n + at;
            cut_group(c, rows, count, k, c->gram + at * c->group, &room);
        }
    }
}

/* Products of the kept inputs within each group. */
static void grams(const pcs_inputs *e, size_t group, float *gram)
{
    for (size_t at = 0; at < e->n; at += group) {
        const size_t k = e->n - at < group ? e->n - at : group;
        float *g = gram + at * group;
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j <= i; j++) {
                double sum = 0;
                for (size_t r = 0; r < e->n_rows; r++)
                    sum += (double)e->rows[r * e->n + at + i] * e->rows[r * e->n + at + j];
                g[i * k + j] = g[j * k + i] = (float)sum;
            }
    }
}

static precis_status cut_tensor(pcs_work *w, const char *name, const pcs_format *f, const pcs_inputs *e,
                                const pcs_kernels *kernels)
{
    pcs_tensor *t;
    cutting c = { .f = f, .kernels = kernels, .n = e->n };
    /* a block is coded together, also when it has several groups */
    c.group = f->head ? c.n : f->block < c.n ? f->block : c.n;
    c.weight = pcs_work_own(w, name, &t);
    float *gram = pcs_alloc(w->ctx, (c.n + c.group) * c.group, sizeof *gram);
    c.per_thread = ((33 * c.group + PCS_ROW_PAD) * sizeof(float) + (size_t)pcs_row_bytes(f, c.group) + 127) / 64 * 64;
    c.scratch = pcs_alloc(w->ctx, precis_ctx_threads(w->ctx), c.per_thread);
    const precis_status st = c.weight && gram && c.scratch ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) {
        c.rows = (size_t)pcs_tensor_rows(t);
        grams(e, c.group, gram);
        c.gram = gram;
        pcs_for(w->ctx, (c.rows + 15) / 16, 1, panels, &c);
    }
    pcs_free(w->ctx, gram);
    pcs_free(w->ctx, c.scratch);
    return st;
}

static bool is_query_or_key(const pcs_tensor *t)
{
    return t->is.role == PCS_ROLE_attn_q || t->is.role == PCS_ROLE_attn_k || t->is.role == PCS_ROLE_attn_qkv;
}

static precis_status apply(pcs_work *w)
{
    precis_runner *r;
    pcs_inputs *in;
    size_t n, done = 0;
    const pcs_kernels kernels = pcs_kernels_for(w->ctx->cpu);
    precis_status st = pcs_inputs_collect(w, &r, &in, &n);
    if (st) return st;
    for (size_t i = 0; i < w->m->n_tensors && !st; i++) {
        const char *name = w->m->tensors[i].name;
        const pcs_format *f = w->m->tensors[i].is.layer >= 0 ? pcs_work_format(w, name) : NULL;
        const pcs_node *node = f && !is_query_or_key(&w->m->tensors[i]) ? pcs_weight_node(r->graph, name) : NULL;
        const pcs_inputs *e = node ? pcs_inputs_of(in, n, node->in[0]) : NULL;
        const char *why = e ? refuses(f) : NULL;
        if (why) st = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "tensor %s: %s (%s)", name, why, f->name);
        if (e && e->n_rows && (int64_t)e->n == w->m->tensors[i].ne[0] && !st) {
            st = cut_tensor(w, name, f, e, &kernels);
            done++;
        }
        if (!st) st = pcs_progress(w->ctx, "clip", i + 1, w->m->n_tensors);
    }
    if (!st && !done) st = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "clip found no weight that will be quantized");
    pcs_inputs_free(w->ctx, in, n);
    precis_runner_close(&r);
    return st;
}

const pcs_method pcs_method_clip = {
    .name = "clip", .kind = PCS_TRANSFORM, .apply = apply, .refuses = refuses, .coder = "rtn", .does = PCS_CUTS_WEIGHTS,
};
