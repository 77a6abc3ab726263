/* prune.c - see prune.h. */
#include "quant/prune.h"

#include "base/builtins.h"
#include "base/fmath.h"

/* Marks the `out` least of n scores; of equal ones the first. */
static void mark_least(const double *score, size_t n, size_t out, uint8_t *mask)
{
    memset(mask, 0, n);
    for (size_t o = 0; o < out && o < n; o++) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (!mask[i] && (best == n || score[i] < score[best])) best = i;
        mask[best] = 1;
    }
}

precis_status pcs_prune_wanda(precis_ctx *ctx, const pcs_pruned *p, size_t out, size_t of, uint8_t *mask)
{
    const size_t group = of ? of : p->k;
    double *norm = pcs_alloc(ctx, 2 * p->k + 1, sizeof *norm), *score = norm ? norm + p->k : NULL;
    if (!norm) return PRECIS_ENOMEM;
    for (size_t i = 0; i < p->k; i++) {
        double sum = 0;
        for (size_t s = 0; s < p->samples; s++) sum += (double)p->x[s * p->k + i] * p->x[s * p->k + i];
        norm[i] = pcs_sqrt(sum);
    }
    for (size_t r = 0; r < p->rows; r++) {
        const float *w = p->w + r * p->k;
        for (size_t i = 0; i < p->k; i++) score[i] = (w[i] < 0 ? -(double)w[i] : (double)w[i]) * norm[i];
        for (size_t g = 0; g < p->k; g += group)
            mark_least(score + g, p->k - g < group ? p->k - g : group, out, mask + r * p->k + g);
    }
    pcs_free(ctx, norm);
    return PRECIS_OK;
}

/* H = R R^T with R upper, from the last column to the first, in place of the upper part. */
static bool factor_upper(double *h, size_t n)
{
    for (size_t c = n; c-- > 0;) {
        double d = h[c * n + c];
        for (size_t k = c + 1; k < n; k++) d -= h[c * n + k] * h[c * n + k];
        if (!(d > 0)) return false;
        h[c * n + c] = pcs_sqrt(d);
        for (size_t r = 0; r < c; r++) {
            double s = h[r * n + c];
            for (size_t k = c + 1; k < n; k++) s -= h[r * n + k] * h[c * n + k];
            h[r * n + c] = s / h[c * n + c];
        }
    }
    return true;
}

/* U = R^-1, upper, so that H^-1 = U^T U: what the columns after one take over from its loss. */
static void invert(const double *r, double *u, size_t n)
{
    for (size_t c = 0; c < n; c++)
        for (size_t i = c + 1; i-- > 0;) {
            double s = i == c ? 1 : 0;
            for (size_t k = i + 1; k <= c; k++) s -= r[i * n + k] * u[k * n + c];
            u[i * n + c] = s / r[i * n + i];
        }
}

static void hessian(const pcs_pruned *p, double *h)
{
    static const double damp = 0.01; /* the paper's, of the mean diagonal */
    const size_t k = p->k;
    double mean = 0;
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t s = 0; s < p->samples; s++) sum += (double)p->x[s * k + i] * p->x[s * k + j];
            h[i * k + j] = h[j * k + i] = sum;
            mean += i == j ? sum / (double)k : 0;
        }
    for (size_t i = 0; i < k; i++)
        h[i * k + i] += h[i * k + i] > 0 ? damp * mean : mean > 0 ? mean : 1; /* an input that is never there */
}

/* What rows are swept by: U [k][k], and `out` that go of each group of `of`. */
typedef struct { const double *u; size_t k, out, of; } sweeping;

/* One row: the mask of a group when the sweep comes to it, and the loss of each column spread over those after it. */
static void sweep(const sweeping *s, double *w, double *score, uint8_t *mask)
{
    const double *u = s->u;
    const size_t k = s->k, of = s->of;
    for (size_t c = 0; c < k; c++) {
        const size_t n = k - c < of ? k - c : of;
        for (size_t i = 0; c % of == 0 && i < n; i++)
            score[i] = w[c + i] * w[c + i] / (u[(c + i) * k + c + i] * u[(c + i) * k + c + i]);
        if (c % of == 0) mark_least(score, n, s->out, mask + c);
        const double lost = mask[c] ? w[c] / u[c * k + c] : 0;
        for (size_t i = c; lost != 0 && i < k; i++) w[i] -= lost * u[c * k + i];
        if (mask[c]) w[c] = 0;
    }
}

precis_status pcs_prune_sparsegpt(precis_ctx *ctx, const pcs_pruned *p, size_t out, size_t of, uint8_t *mask,
                                  float *kept)
{
    const size_t k = p->k;
    double *h = pcs_alloc(ctx, 2 * k * k + 2 * k + 1, sizeof *h);
    if (!h) return PRECIS_ENOMEM;
    double *u = h + k * k, *w = u + k * k, *score = w + k;
    hessian(p, h);
    precis_status st = PRECIS_OK;
    if (factor_upper(h, k)) {
        memset(u, 0, k * k * sizeof *u);
        invert(h, u, k);
        for (size_t r = 0; r < p->rows; r++) {
            for (size_t i = 0; i < k; i++) w[i] = p->w[r * k + i];
            sweep(&(sweeping){ u, k, out, of ? of : k }, w, score, mask + r * k);
            for (size_t i = 0; i < k; i++) kept[r * k + i] = (float)w[i];
        }
    } else st = pcs_fail(ctx, PRECIS_EFORMAT, "the inputs' products have no factor: are they finite?");
    pcs_free(ctx, h);
    return st;
}

/* ---- as transforms of a model ------------------------------------------------------------------------------------ */

const char *pcs_prune_refuses(const pcs_format *f)
{
    const bool float_ = f->kind != PCS_QUANT || f->element;
    bool zero = !f->book;
    for (int i = 0; f->book && i < 16; i++) zero |= f->book[i] == 0;
    const bool whole =
        !f->encode && (!f->has_min || f->scale == PCS_SCALE_ZERO) && f->code_lo <= 0 && f->code_hi >= 0 && zero;
    return float_ || whole ? NULL : "a weight that is left out is 0, and this type has no 0 in every group";
}

/* Of each 4 weights along a row 2 are left out (Mishra et al. 2021, 2104.08378). */
static precis_status prune_tensor(pcs_work *w, const char *name, pcs_prune_fn *by, const pcs_inputs *e)
{
    pcs_tensor *t;
    float *x = pcs_work_own(w, name, &t);
    if (!x) return PRECIS_ENOMEM;
    uint8_t *mask = pcs_alloc(w->ctx, t->n + 1, 1);
    float *kept = pcs_alloc(w->ctx, t->n + 1, sizeof *kept);
    precis_status st = mask && kept ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) {
        memcpy(kept, x, t->n * sizeof *kept);
        const pcs_pruned p = { .w = x,
                               .x = e ? e->rows : NULL,
                               .rows = (size_t)pcs_tensor_rows(t),
                               .k = (size_t)t->ne[0],
                               .samples = e ? e->n_rows : 0 };
        st = by(w->ctx, &p, mask, kept);
    }
    for (uint64_t i = 0; i < t->n && !st; i++) x[i] = mask[i] ? 0 : kept[i];
    pcs_free(w->ctx, mask);
    pcs_free(w->ctx, kept);
    return st;
}

bool pcs_prune_takes(const pcs_work *w, const pcs_tensor *t)
{
    return t->is.layer >= 0 && t->dims == 2 && t->ne[0] % 4 == 0 && pcs_work_format(w, t->name);
}

/* Does the coder prune it in its sweep? */
static bool left_to_coder(const pcs_work *w, const pcs_method *method, const pcs_format *f)
{
    const pcs_method *coder = w->set.coder;
    return method->in_sweep && (coder->does & PCS_MAKES_UP) && f->kind == PCS_QUANT && !coder->refuses(f);
}

/* Inputs: of all weights, or of none. */
typedef struct { precis_runner *runner; pcs_inputs *list; size_t n; } inputs;

static precis_status prune_by_inputs(pcs_work *w, const pcs_tensor *t, pcs_prune_fn *by, const inputs *in, size_t *done)
{
    const pcs_node *node = in->runner ? pcs_weight_node(in->runner->graph, t->name) : NULL;
    const pcs_inputs *e = node ? pcs_inputs_of(in->list, in->n, node->in[0]) : NULL;
    if (in->runner && (!e || !e->n_rows || (int64_t)e->n != t->ne[0])) return PRECIS_OK;
    ++*done;
    return prune_tensor(w, t->name, by, e);
}

precis_status pcs_prune_model(pcs_work *w, const pcs_method *method, pcs_prune_fn *by, bool by_inputs)
{
    inputs in = { NULL, NULL, 0 };
    size_t done = 0;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < w->m->n_tensors && !st; i++) {
        const pcs_tensor *t = &w->m->tensors[i];
        const pcs_format *f = pcs_prune_takes(w, t) ? pcs_work_format(w, t->name) : NULL;
        const char *why = f ? pcs_prune_refuses(f) : NULL;
        if (why) st = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "tensor %s: %s (%s)", t->name, why, f->name);
        if (st || !f) continue;
        if (left_to_coder(w, method, f)) {
            done++;
            continue;
        }
        if (by_inputs && !in.runner) st = pcs_inputs_collect(w, &in.runner, &in.list, &in.n);
        if (!st) st = prune_by_inputs(w, t, by, &in, &done);
        if (!st) st = pcs_progress(w->ctx, method->name, i + 1, w->m->n_tensors);
    }
    if (!st && !done)
        st = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "%s found no weight that will be quantized", method->name);
    if (in.list) pcs_inputs_free(w->ctx, in.list, in.n);
    precis_runner_close(&in.runner);
    return st;
}
