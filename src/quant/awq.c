/* awq - per group of weights that read one value, the scale s = mean|x|^r / (mean|w|^(1 - r) + 1e-4) whose rounding
 * loses least, r of 0 to 1 in 20 steps (Lin et al. 2023, equations 4 and 5; the weighted form is llm-compressor's
 * duo_scaling). Loss: squared error of the layers' outputs on kept rows of the calibration text. Clipping is the
 * coder's: search tries smaller ranges. */
#include "base/fmath.h"
#include "base/builtins.h"
#include "base/pool.h"
#include "quant/scaling.h"

#define GRID 20

typedef struct {
    const pcs_format *f;
    const float *weight, *s, *x; /* rows [n]; scales; kept inputs [m][n] */
    size_t n, m, rows;
    const pcs_kernels *kernels;
    double *err;   /* of each panel of 16 rows */
    float *scratch;
    uint8_t *bytes;
    size_t per_thread, row_bytes;
} trial;

static void panels(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const trial *t = arg;
    float *b = t->scratch + ith * t->per_thread, *row = b + 16 * t->n, *y = row + 2 * t->n;
    uint8_t *bytes = t->bytes + ith * t->row_bytes;
    for (uint64_t p = begin; p < end; p++) {
        const size_t first = (size_t)p * 16, count = t->rows - first < 16 ? t->rows - first : 16;
        memset(b, 0, 16 * t->n * sizeof *b);
        for (size_t r = 0; r < count; r++) {
            const float *src = t->weight + (first + r) * t->n;
            for (size_t i = 0; i < t->n; i++) row[i] = src[i] * t->s[i];
            t->kernels->encode(&(pcs_encode_args){ t->f, t->n, row, NULL, PCS_FIT_RTN, NULL, bytes, row + t->n });
            for (size_t i = 0; i < t->n; i++) b[i * 16 + r] = row[t->n + i] / t->s[i] - src[i];
        }
        double sum[16] = { 0 };
        for (size_t m0 = 0; m0 < t->m; m0 += 64) {
            const size_t k = t->m - m0 < 64 ? t->m - m0 : 64;
            t->kernels->gemm(&(pcs_gemm_args){ t->x + m0 * t->n, t->n, b, 16, t->n, k, y, 16, false });
            for (size_t i = 0; i < k; i++)
                for (int r = 0; r < 16; r++) sum[r] += (double)y[i * 16 + r] * y[i * 16 + r];
        }
        double all = 0;
        for (int r = 0; r < 16; r++) all += sum[r];
        t->err[p] = all;
    }
}

/* Adds the loss of one weight under t.s; a scale for the whole tensor is not searched here. */
static precis_status add_loss(const pcs_work *w, trial t, double *out)
{
    const size_t n_panels = (t.rows + 15) / 16, threads = precis_ctx_threads(w->ctx);
    t.per_thread = 18 * t.n + 64 * 16 + 64;
    t.row_bytes = (size_t)pcs_row_bytes(t.f, t.n) + 64;
    t.err = pcs_alloc(w->ctx, n_panels, sizeof *t.err);
    t.scratch = pcs_alloc(w->ctx, threads * t.per_thread, sizeof *t.scratch);
    t.bytes = pcs_alloc(w->ctx, threads, t.row_bytes);
    const precis_status st = t.err && t.scratch && t.bytes ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) {
        pcs_for(w->ctx, n_panels, 1, panels, &t);
        for (size_t p = 0; p < n_panels; p++) *out += t.err[p];
    }
    pcs_free(w->ctx, t.err);
    pcs_free(w->ctx, t.scratch);
    pcs_free(w->ctx, t.bytes);
    return st;
}

/* Mean over all rows of |w| relative to the largest of its group of 128 (llm-compressor's w_mean). */
static void weight_means(const float *x, uint64_t rows, size_t n, size_t group, double *mean)
{
    for (uint64_t r = 0; r < rows; r++)
        for (size_t at = 0; at < n; at += group) {
            const size_t k = n - at < group ? n - at : group;
            float top = 0;
            for (size_t i = at; i < at + k; i++) {
                const float a = x[r * n + i] < 0 ? -x[r * n + i] : x[r * n + i];
                top = a > top ? a : top;
            }
            for (size_t i = at; i < at + k && top > 0; i++)
                mean[i] += (double)(x[r * n + i] < 0 ? -x[r * n + i] : x[r * n + i]) / (double)top;
        }
}

static precis_status search_group(pcs_work *w, const pcs_scale_group *g, const pcs_inputs *e,
                                  const pcs_kernels *kernels)
{
    const size_t n = (size_t)g->width;
    float *s = pcs_alloc(w->ctx, 2 * n, sizeof *s), *best = s + n;
    double *mean = pcs_alloc(w->ctx, n, sizeof *mean), least = -1;
    const float *x[6] = { NULL };
    pcs_tensor *t[6];
    uint64_t rows = 0;
    precis_status st = s && mean ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t k = 0; k < g->n_weights && !st; k++) {
        if (!(x[k] = pcs_work_own(w, g->weights[k], &t[k]))) st = PRECIS_ENOMEM;
        else {
            const pcs_format *f = pcs_work_format(w, g->weights[k]);
            weight_means(x[k], pcs_tensor_rows(t[k]), n, f && f->group && f->group <= n ? f->group : n, mean);
            rows += pcs_tensor_rows(t[k]);
        }
    }
    for (int turn = 0; turn <= GRID && !st; turn++) {
        const int r = turn ? turn - 1 : GRID; /* GRID: no scale, which wins a draw */
        const double ratio = (double)r / (GRID - 1);
        double lo = 1e300, hi = 0, total = 0;
        for (size_t i = 0; i < n; i++) {
            const double a = e->mean[i] > 1e-30f ? e->mean[i] : 1e-30, m = mean[i] / (double)(rows ? rows : 1);
            double v = r == GRID ? 1.0 : pcs_pow(a, ratio) / (pcs_pow(m > 1e-30 ? m : 1e-30, 1 - ratio) + 1e-4);
            if (!(v > 1e-4)) v = 1e-4;
            s[i] = (float)v;
            lo = v < lo ? v : lo;
            hi = v > hi ? v : hi;
        }
        const float norm = (float)(1.0 / pcs_sqrt(lo * hi));
        for (size_t i = 0; i < n; i++) s[i] *= norm;
        for (size_t k = 0; k < g->n_weights && !st; k++) {
            const pcs_format *f = pcs_work_format(w, g->weights[k]);
            const trial under = { .f = f, .weight = x[k], .s = s, .x = e->rows, .n = n, .m = e->n_rows,
                                  .rows = (size_t)pcs_tensor_rows(t[k]), .kernels = kernels };
            if (f) st = add_loss(w, under, &total);
        }
        if (!st && (least < 0 || total < least)) least = total, memcpy(best, s, n * sizeof *s);
    }
    if (!st) st = pcs_scale_apply(w, g, best);
    pcs_free(w->ctx, s);
    pcs_free(w->ctx, mean);
    return st;
}

static precis_status apply(pcs_work *w)
{
    precis_runner *r;
    pcs_inputs *in;
    size_t n, groups = 0;
    const pcs_kernels kernels = pcs_kernels_for(w->ctx->cpu);
    precis_status st = pcs_inputs_collect(w, &r, &in, &n);
    if (st) return st;
    for (uint32_t layer = 0; layer < r->lm.layers && !st; layer++) {
        for (size_t i = 0; i < 4 && !st; i++) {
            pcs_scale_group g;
            if (!pcs_scale_group_at(w->m, (int)layer, i, true, &g)) continue;
            const pcs_node *node = pcs_weight_node(r->graph, g.weights[0]);
            const pcs_inputs *e = node ? pcs_inputs_of(in, n, node->in[0]) : NULL;
            if (!e || !e->n_rows || (int64_t)e->n != g.width) continue;
            pcs_scale_group two; /* the last may have come as number 2 */
            if (i == 3 && groups && pcs_scale_group_at(w->m, (int)layer, 2, true, &two) && two.read_by == g.read_by)
                continue;
            st = search_group(w, &g, e, &kernels);
            groups++;
        }
        if (!st) st = pcs_progress(w->ctx, "awq", layer + 1, r->lm.layers);
    }
    if (!st && !groups)
        st = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "awq found no weights behind a norm in this architecture");
    pcs_inputs_free(w->ctx, in, n);
    precis_runner_close(&r);
    return st;
}

const pcs_method pcs_method_awq = { .name = "awq", .kind = PCS_TRANSFORM, .apply = apply, .does = PCS_MOVES_SCALE };
