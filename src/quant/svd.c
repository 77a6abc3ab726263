/* svd - what coding lost, to low rank: W - Q(W) is nearly B A, with the columns weighted by the root of what their
 * inputs are (LQER: Zhang et al. 2024; SVDQuant: Li et al. 2024, section 4.2). A and B are stored in f16 beside the
 * weight and computed beside it.
 *
 * The leading singular vectors come from subspace iteration with a fixed start (Halko et al. 2011, algorithm 4.4). */
#include "base/pool.h"
#include "quant/methods.h"

#include <math.h>
#include <stdio.h>

#define OVER 8  /* vectors beyond the rank */
#define ROUNDS 4

typedef struct { const float *e; size_t rows, n, k; const float *in; float *out; } product;

/* out[rows][k] = e[rows][n] in[n][k] */
static void forward(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const product *p = arg;
    for (uint64_t r = begin; r < end; r++) {
        float *y = p->out + r * p->k;
        memset(y, 0, p->k * sizeof *y);
        for (size_t i = 0; i < p->n; i++)
            for (size_t c = 0; c < p->k; c++) y[c] += p->e[r * p->n + i] * p->in[i * p->k + c];
    }
}

/* out[n][k] = e^T in[rows][k], for a range of columns of e */
static void backward(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const product *p = arg;
    for (uint64_t b = begin; b < end; b++) {
        const size_t i0 = (size_t)b * 64, i1 = i0 + 64 < p->n ? i0 + 64 : p->n;
        memset(p->out + i0 * p->k, 0, (i1 - i0) * p->k * sizeof *p->out);
        for (size_t r = 0; r < p->rows; r++)
            for (size_t i = i0; i < i1; i++)
                for (size_t c = 0; c < p->k; c++) p->out[i * p->k + c] += p->e[r * p->n + i] * p->in[r * p->k + c];
    }
}

/* Columns of q[m][k] made orthonormal, one after another, twice. */
static void orthonormal(float *q, size_t m, size_t k)
{
    for (size_t c = 0; c < k; c++) {
        for (int twice = 0; twice < 2; twice++)
            for (size_t b = 0; b < c; b++) {
                double dot = 0;
                for (size_t i = 0; i < m; i++) dot += (double)q[i * k + c] * q[i * k + b];
                for (size_t i = 0; i < m; i++) q[i * k + c] -= (float)(dot * q[i * k + b]);
            }
        double norm = 0;
        for (size_t i = 0; i < m; i++) norm += (double)q[i * k + c] * q[i * k + c];
        const float inv = norm > 1e-30 ? (float)(1.0 / sqrt(norm)) : 0.0f;
        for (size_t i = 0; i < m; i++) q[i * k + c] *= inv;
    }
}

/* e[rows][n] ~ b a, with a[rank][n] and b[rows][rank]. */
typedef struct { const float *e; size_t rows, n, rank; float *a, *b; } low_rank;

/* Makes a and b. *left: the part of e's squares that they leave. */
static precis_status factor(precis_ctx *ctx, const low_rank *l, double *left)
{
    const float *e = l->e;
    float *a = l->a, *b = l->b;
    const size_t rows = l->rows, n = l->n, rank = l->rank;
    const size_t least = rows < n ? rows : n, k = rank + OVER < least ? rank + OVER : least;
    float *v = pcs_alloc(ctx, n * k, sizeof *v), *u = pcs_alloc(ctx, rows * k, sizeof *u);
    if (!v || !u) {
        pcs_free(ctx, v);
        pcs_free(ctx, u);
        return PRECIS_ENOMEM;
    }
    uint64_t seed = 12345;
    for (size_t i = 0; i < n * k; i++) v[i] = (float)(pcs_rand_unit(&seed) + pcs_rand_unit(&seed) - 1.0);
    product f = { e, rows, n, k, v, u }, t = { e, rows, n, k, u, v };
    for (int round = 0; round < ROUNDS; round++) {
        pcs_for(ctx, rows, 16, forward, &f);
        orthonormal(u, rows, k);
        pcs_for(ctx, (n + 63) / 64, 1, backward, &t);
        if (round + 1 < ROUNDS) orthonormal(v, n, k);
    }
    /* e ~ u (u^T e) = u v^T; the columns of v are nearly sorted and orthogonal: keep the first `rank` by their norms */
    double all = 0, kept = 0;
    for (size_t i = 0; i < rows * n; i++) all += (double)e[i] * e[i];
    for (size_t c = 0; c < rank; c++) {
        size_t best = k;
        double most = -1;
        for (size_t j = 0; j < k; j++) {
            double s = 0;
            for (size_t i = 0; i < n; i++) s += (double)v[i * k + j] * v[i * k + j];
            if (s > most) most = s, best = j;
        }
        const float root = most > 0 ? (float)sqrt(sqrt(most)) : 0.0f; /* both factors of like size, for f16 */
        for (size_t i = 0; i < n; i++) a[c * n + i] = root > 0 ? v[i * k + best] / root : 0.0f;
        for (size_t r = 0; r < rows; r++) b[r * rank + c] = u[r * k + best] * root;
        kept += most > 0 ? most : 0;
        for (size_t i = 0; i < n; i++) v[i * k + best] = 0;
    }
    *left = all > 0 ? (all - kept) / all : 0;
    pcs_free(ctx, v);
    pcs_free(ctx, u);
    return PRECIS_OK;
}

/* The stored bytes of a weight, coded now when no method has. */
static precis_status coded(pcs_work *w, size_t i, const pcs_row_weights *weights)
{
    if (w->coded[i].bytes) return PRECIS_OK;
    const pcs_tensor *t = &w->m->tensors[i];
    const pcs_format *f = w->plan->rows[i].to;
    const pcs_method *coder = w->set.coder->row ? w->set.coder : pcs_methods[0];
    const char *name = w->coded[i].method ? w->coded[i].method : coder->name;
    pcs_encoded *e = &w->coded[i];
    precis_status st = pcs_encoded_open(w->ctx, e, t, f);
    if (!st) st = pcs_quantize_tensor(w->ctx, &(pcs_tensor_job){ t, f, coder, *weights }, e->bytes, &e->error);
    if (st) pcs_encoded_close(w->ctx, e);
    else e->method = name;
    return st;
}

static precis_status residual(pcs_work *w, size_t i, size_t rank, const float *original, const float *importance)
{
    const pcs_tensor t = w->m->tensors[i];
    const pcs_format *f = w->plan->rows[i].to;
    const size_t n = (size_t)t.ne[0], rows = (size_t)pcs_tensor_rows(&t);
    precis_status st = PRECIS_OK;
    float *e = pcs_alloc(w->ctx, rows * n, sizeof *e), *root = pcs_alloc(w->ctx, n, sizeof *root), *a, *b;
    if (!e || !root) st = PRECIS_ENOMEM;
    char name[128];
    for (size_t c = 0; c < n && !st; c++)
        root[c] = importance && importance[c] > 1e-20f ? sqrtf(importance[c]) : importance ? 1e-10f : 1.0f;
    for (size_t r = 0; r < rows && !st; r++) {
        pcs_decode(f, n, w->coded[i].bytes + r * pcs_row_bytes(f, n), e + r * n);
        for (size_t c = 0; c < n; c++) e[r * n + c] = (original[r * n + c] - e[r * n + c]) * root[c];
    }
    const size_t stem = strlen(t.name);
    snprintf(name, sizeof name, "%.*s.svd_a", (int)(stem < 100 ? stem : 100), t.name);
    if (!st) st = pcs_work_add(w, name, (int64_t)rank, (int64_t)n, &a);
    snprintf(name, sizeof name, "%.*s.svd_b", (int)(stem < 100 ? stem : 100), t.name);
    if (!st) st = pcs_work_add(w, name, (int64_t)rows, (int64_t)rank, &b);
    double left = 0;
    if (!st) st = factor(w->ctx, &(low_rank){ e, rows, n, rank, a, b }, &left);
    for (size_t k = 0; k < rank && !st; k++)
        for (size_t c = 0; c < n; c++) a[k * n + c] /= root[c];
    pcs_free(w->ctx, e);
    pcs_free(w->ctx, root);
    return st;
}

precis_status pcs_svd(pcs_work *w)
{
    const size_t rank = w->opt->rank ? w->opt->rank : 16, before = w->plan->n;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < before && !st; i++) {
        const pcs_tensor *t = &w->m->tensors[i];
        const pcs_format *to = w->plan->rows[i].to;
        if (to == t->format || (to->kind != PCS_QUANT && !to->element) || t->dims < 2 || t->is.layer < 0) continue;
        if (t->dims > 2) {
            if (!w->opt->fallback)
                return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                                "tensor %s: no residual beside experts; --fallback leaves them without", t->name);
            continue;
        }
        if ((uint64_t)rank * 2 > (uint64_t)t->ne[0] || (uint64_t)rank * 2 > pcs_tensor_rows(t)) {
            if (!w->opt->fallback)
                return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                                "tensor %s: [%lld, %lld] is too small for a residual of rank %zu; --fallback leaves it "
                                "without", t->name, (long long)t->ne[1], (long long)t->ne[0], rank);
            continue;
        }
        /* the original: gptq has written over the copy's */
        const pcs_tensor *from = w->before ? &w->before->tensors[i] : t;
        const size_t n = (size_t)t->ne[0];
        pcs_row_weights weights;
        st = pcs_imatrix_for(w->opt->imatrix, t, &weights);
        if (!st) st = coded(w, i, &weights);
        float *x = pcs_alloc(w->ctx, (size_t)from->n, sizeof *x);
        if (!st && !x) st = PRECIS_ENOMEM;
        for (uint64_t r = 0; r < pcs_tensor_rows(from) && !st; r++)
            pcs_decode(from->format, n, from->data + r * pcs_tensor_row_bytes(from), x + r * n);
        if (!st) st = residual(w, i, rank, x, weights.mean); /* no experts here */
        pcs_free(w->ctx, x);
        if (!st) st = pcs_progress(w->ctx, "svd", i + 1, before);
    }
    return st;
}

const pcs_method pcs_method_svd = { .name = "svd", .kind = PCS_RESIDUAL, .apply = pcs_svd, .does = PCS_BRINGS_BACK };
