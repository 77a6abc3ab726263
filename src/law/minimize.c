/* minimize.c - the objective of a fit, and the ways down it.
 *
 * ln A and alpha correlate at 0.999 in every law of this kind: the curvature spans 11 orders of magnitude, and
 * L-BFGS with usual tolerances stops early (laws.md, section 3). So each round works in coordinates z, x = x0 + R^-T
 * z, R R^T = J^T W J with Huber's weights (the majorizer of iteratively reweighted least squares), in which the
 * curvature is about one, and on the objective over its value at x0. Newton's steps end it. */
#include "base/lack.h"
#include "law/fit.h"

#include "base/stop.h"

#if PCS_HAVE_LBFGS
#include <lbfgs.h>
#endif
#include <math.h>

enum { NEWTON = 60 };

/* ---- small matrices ---------------------------------------------------------------------------------------------- */

bool pcs_small_cholesky(double *a, int k)
{
    for (int j = 0; j < k; j++)
        for (int i = j; i < k; i++) {
            double s = a[i * k + j];
            for (int m = 0; m < j; m++) s -= a[i * k + m] * a[j * k + m];
            if (i == j && !(s > 0)) return false;
            a[i * k + j] = i == j ? sqrt(s) : s / a[j * k + j];
        }
    return true;
}

static void forward(const double *l, int k, double *b)
{
    for (int i = 0; i < k; i++) {
        for (int m = 0; m < i; m++) b[i] -= l[i * k + m] * b[m];
        b[i] /= l[i * k + i];
    }
}

static void backward(const double *l, int k, double *b)
{
    for (int i = k - 1; i >= 0; i--) {
        for (int m = i + 1; m < k; m++) b[i] -= l[m * k + i] * b[m];
        b[i] /= l[i * k + i];
    }
}

void pcs_small_solve(const double *l, int k, double *b)
{
    forward(l, k, b);
    backward(l, k, b);
}

/* ---- workers ----------------------------------------------------------------------------------------------------- */

precis_status pcs_worker_open(pcs_worker *w, const pcs_problem *p)
{
    const unsigned log_ = p->objective->raw ? 0 : PCS_TAPE_LOG;
    const pcs_tape_rows rows = { p->n, (const double *const *)p->values, (const double *const *)p->logs };
    *w = (pcs_worker){ .p = p, .delta = p->delta };
    precis_status st = pcs_tape_open(p->ctx, &w->tape, p->law, p->node, log_, &rows);
    if (!st) st = pcs_tape_open(p->ctx, &w->wide, p->law, p->node, log_ | PCS_TAPE_WIDE, &rows);
    if (!st && p->n_linear) st = pcs_tape_open(p->ctx, &w->value, p->law, p->node, PCS_TAPE_WIDE, &rows);
    if (!st) {
        w->w = pcs_alloc(p->ctx, 3 * p->padded, sizeof(double));
        w->matrix = w->w ? pcs_alloc(p->ctx, 4 * PCS_LAW_PARAMS * PCS_LAW_PARAMS, sizeof(double)) : NULL;
        if (!w->matrix) st = PRECIS_ENOMEM;
    }
    if (st) {
        pcs_worker_close(w);
        return st;
    }
    w->r = w->w + p->padded;
    w->psi = w->r + p->padded;
    for (size_t i = 0; i < p->n; i++) w->w[i] = 1;
    memcpy(w->params, p->start, sizeof w->params);
    return PRECIS_OK;
}

void pcs_worker_close(pcs_worker *w)
{
    if (!w->p) return;
    pcs_tape_close(&w->tape);
    pcs_tape_close(&w->wide);
    pcs_tape_close(&w->value);
    pcs_free(w->p->ctx, w->w);
    pcs_free(w->p->ctx, w->matrix);
    *w = (pcs_worker){ 0 };
}

static const pcs_kernels *kernels(const pcs_worker *w) { return pcs_tape_kernels(w->tape); }

static void put(pcs_worker *w, const double *x)
{
    for (int k = 0; k < w->p->n_free; k++) w->params[w->p->free_[k]] = x[k];
}

/* Residuals, psi and the objective at x by this tape. */
static double take_residuals(pcs_worker *w, pcs_tape *tape, const double *x)
{
    put(w, x);
    const double *f = pcs_tape_run(tape, w->params);
    const size_t n = w->p->padded;
    double v;
    kernels(w)->column_sub(&(pcs_column_pair_args){ w->r, f, 1, w->p->y, 1, n });
    kernels(w)->column_huber(&(pcs_column_huber_args){ w->r, w->w, w->delta, w->psi, n, &v });
    return isfinite(v) ? v : INFINITY;
}

double pcs_worker_value(pcs_worker *w, const double *x, double *g)
{
    if (pcs_stopped(w->p->ctx, 0)) { /* every search ends at a value that is none, and the caller's thread says why */
        for (int k = 0; g && k < w->p->n_free; k++) g[k] = 0;
        return INFINITY;
    }
    const double v = take_residuals(w, w->tape, x);
    if (!g) return v;
    double all[PCS_LAW_PARAMS];
    memset(all, 0, sizeof all);
    if (isfinite(v)) pcs_tape_back(w->tape, w->psi, all);
    for (int k = 0; k < w->p->n_free; k++) g[k] = all[w->p->free_[k]];
    return v;
}

/* Columns of the Jacobian of the fitted quantity; the residuals are those of x too. */
static void jacobian(pcs_worker *w, const double *x, const double **j)
{
    take_residuals(w, w->wide, x);
    double *const one = w->psi; /* psi is not needed beside J */
    for (size_t i = 0; i < w->p->padded; i++) one[i] = 1;
    pcs_tape_back(w->wide, one, NULL);
    for (int k = 0; k < w->p->n_free; k++) j[k] = pcs_tape_param_column(w->wide, w->p->free_[k]);
}

/* h = J^T diag(u) J, u over psi's room. */
static void cross(pcs_worker *w, const double *const *j, const double *u, double *h)
{
    const int k = w->p->n_free;
    double *scaled = w->psi;
    for (int a = 0; a < k; a++) {
        if (j[a]) kernels(w)->column_mul(&(pcs_column_pair_args){ scaled, j[a], 1, u, 1, w->p->padded });
        for (int b = 0; b <= a; b++) {
            double sum = 0;
            if (j[a] && j[b]) kernels(w)->dot(&(pcs_dot_args){ scaled, j[b], w->p->padded, &sum });
            h[a * k + b] = h[b * k + a] = sum;
        }
    }
}

void pcs_worker_normal(pcs_worker *w, const double *x, double *h)
{
    const double *j[PCS_LAW_PARAMS];
    jacobian(w, x, j);
    for (size_t i = 0; i < w->p->padded; i++)
        w->r[i] = w->w[i] * (fabs(w->r[i]) <= w->delta ? 1 : w->delta / fabs(w->r[i]));
    cross(w, j, w->r, h);
}

/* ---- L-BFGS ------------------------------------------------------------------------------------------------------ */

#if PCS_HAVE_LBFGS

enum { PAST = 2 };
typedef struct { pcs_worker *w; const double *x0, *l; double scale, unit, past[PAST]; bool begun; } stage;

static double evaluate(void *instance, const lbfgsfloatval_t *z, lbfgsfloatval_t *g, const int n,
                       const lbfgsfloatval_t step)
{
    stage *s = instance;
    (void)step;
    const int k = s->w->p->n_free;
    double x[PCS_LAW_PARAMS], gx[PCS_LAW_PARAMS];
    for (int i = 0; i < k; i++) x[i] = z[i] * s->unit;
    backward(s->l, k, x);
    for (int i = 0; i < k; i++) x[i] += s->x0[i];
    const double v = pcs_worker_value(s->w, x, gx);
    for (int i = 0; i < n; i++) g[i] = 0;
    if (!s->begun) s->past[0] = isfinite(v) ? v * s->scale : 1e10;
    s->begun = true;
    if (!isfinite(v)) return 1e10;
    forward(s->l, k, gx);
    for (int i = 0; i < k; i++) g[i] = gx[i] * s->unit * s->scale;
    return v * s->scale;
}

/* Ends where PAST rounds gained next to nothing. liblbfgs has the same test, but leaves it out, without a word, where
 * it finds no memory for it, and then ends elsewhere. */
static int gains_nothing(void *instance, const lbfgsfloatval_t *z, const lbfgsfloatval_t *g, const lbfgsfloatval_t f,
                         const lbfgsfloatval_t z_norm, const lbfgsfloatval_t g_norm, const lbfgsfloatval_t step, int n,
                         int round, int evaluations)
{
    stage *s = instance;
    (void)z, (void)g, (void)z_norm, (void)g_norm, (void)step, (void)n, (void)evaluations;
    const bool ends = round >= PAST && fabs((s->past[round % PAST] - f) / f) < 1e-13;
    s->past[round % PAST] = f;
    return ends;
}

/* One round from x; the objective there. */
static double one_stage(pcs_worker *w, double *x, double f0, int iterations, double *z)
{
    const int k = w->p->n_free, n = (k + 7) / 8 * 8; /* liblbfgs works on whole vectors; the others stay 0 */
    double *h = w->matrix, *l = w->matrix + k * k, x0[PCS_LAW_PARAMS], most = 0;
    pcs_worker_normal(w, x, h);
    for (int i = 0; i < k; i++) most = fmax(most, h[i * k + i]);
    if (!isfinite(most) || most <= 0) return f0;
    bool ok = false;
    for (double ridge = 1e-13; ridge < 1 && !ok; ridge *= 100) {
        memcpy(l, h, (size_t)(k * k) * sizeof *l);
        for (int i = 0; i < k; i++) l[i * k + i] += ridge * most + 1e-9 * h[i * k + i];
        ok = pcs_small_cholesky(l, k);
    }
    if (!ok) return f0;
    memcpy(x0, x, sizeof(double) * (size_t)k);
    stage s = { w, x0, l, 1 / f0, sqrt(f0), { 0 }, false };
    lbfgs_parameter_t o;
    lbfgs_parameter_init(&o);
    o.m = 8;
    o.epsilon = 1e-11;
    o.past = 0;
    o.max_iterations = iterations;
    o.max_linesearch = 30;
    o.max_step = 1e6;
    memset(z, 0, (size_t)n * sizeof *z);
    double f = 0;
    /* Whatever else it says, z is the best point it has. */
    if (lbfgs(n, z, &f, evaluate, gains_nothing, &s, &o) == LBFGSERR_OUTOFMEMORY) pcs_lack(w->p->ctx, "liblbfgs");
    double better[PCS_LAW_PARAMS];
    for (int i = 0; i < k; i++) better[i] = z[i] * s.unit;
    backward(l, k, better);
    for (int i = 0; i < k; i++) better[i] += x0[i];
    f = pcs_worker_value(w, better, NULL);
    if (!(f < f0)) return f0;
    memcpy(x, better, sizeof(double) * (size_t)k);
    return f;
}

double pcs_worker_minimize(pcs_worker *w, double *x, int rounds)
{
    const int k = w->p->n_free;
    double f = pcs_worker_value(w, x, NULL), *z = NULL;
    if (isfinite(f) && f > 0 && k && !(z = lbfgs_malloc((k + 7) / 8 * 8))) pcs_lack(w->p->ctx, "liblbfgs");
    for (int i = 0; i < rounds && z && f > 0; i++) {
        const double before = f;
        f = one_stage(w, x, f, i ? 60 : 18, z);
        if (before - f <= 1e-10 * before) break;
    }
    if (z) lbfgs_free(z);
    return f;
}

#else

/* Nothing comes here: precis_law_fit_run has refused. */
double pcs_worker_minimize(pcs_worker *w, double *x, int rounds)
{
    (void)rounds;
    return pcs_worker_value(w, x, NULL);
}

#endif

/* ---- Newton ------------------------------------------------------------------------------------------------------ */

/* The gradient of sum psi_i f_i(x) with psi held: its change is the curvature that J^T J has not. */
static void held_gradient(pcs_worker *w, const double *x, const double *psi, double *g)
{
    double all[PCS_LAW_PARAMS];
    put(w, x);
    pcs_tape_run(w->tape, w->params);
    pcs_tape_back(w->tape, psi, all);
    for (int k = 0; k < w->p->n_free; k++) g[k] = all[w->p->free_[k]];
}

static void hessian(pcs_worker *w, const double *x, double *h, double *psi)
{
    const int k = w->p->n_free;
    const double *j[PCS_LAW_PARAMS];
    double up[PCS_LAW_PARAMS], down[PCS_LAW_PARAMS], y[PCS_LAW_PARAMS];
    take_residuals(w, w->tape, x);
    memcpy(psi, w->psi, w->p->padded * sizeof *psi);
    jacobian(w, x, j);
    for (size_t i = 0; i < w->p->padded; i++) w->r[i] = fabs(w->r[i]) <= w->delta ? w->w[i] : 0;
    cross(w, j, w->r, h);
    for (int c = 0; c < k; c++) {
        const double step = 1e-5 * fmax(1, fabs(x[c]));
        memcpy(y, x, sizeof(double) * (size_t)k);
        y[c] = x[c] + step;
        held_gradient(w, y, psi, up);
        y[c] = x[c] - step;
        held_gradient(w, y, psi, down);
        for (int a = 0; a < k; a++) {
            const double d = (up[a] - down[a]) / (4 * step); /* half to each side of the diagonal */
            h[a * k + c] += d;
            h[c * k + a] += d;
        }
    }
}

double pcs_worker_polish(pcs_worker *w, double *x)
{
    const int k = w->p->n_free;
    double f = pcs_worker_value(w, x, NULL), *h = w->matrix + k * k, *l = h + k * k, g[PCS_LAW_PARAMS],
           step[PCS_LAW_PARAMS], y[PCS_LAW_PARAMS];
    double *psi = isfinite(f) && k ? pcs_alloc(w->p->ctx, w->p->padded, sizeof *psi) : NULL;
    double damping = 1e-12;
    /* Steps that changed nothing in the objective: two are taken, as the slope still has
     * digits where the objective has none. */
    int level = 0;
    for (int i = 0; i < NEWTON && psi; i++) {
        hessian(w, x, h, psi);
        pcs_worker_value(w, x, g);
        bool better = false;
        double gain = 0;
        for (int attempt = 0; attempt < 40 && !better; attempt++) {
            memcpy(l, h, (size_t)(k * k) * sizeof *l);
            for (int a = 0; a < k; a++) l[a * k + a] += damping * (fabs(h[a * k + a]) + 1e-12);
            for (int a = 0; a < k; a++) step[a] = -g[a];
            if (!pcs_small_cholesky(l, k)) {
                damping = fmax(1e-12, damping * 10);
                continue;
            }
            pcs_small_solve(l, k, step);
            for (int a = 0; a < k; a++) y[a] = x[a] + step[a];
            const double there = pcs_worker_value(w, y, NULL);
            better = there < f || (!attempt && level < 2 && there <= f + 4e-16 * fabs(f));
            if (better) {
                level += there >= f;
                gain = f - there;
                f = there;
                memcpy(x, y, sizeof(double) * (size_t)k);
                damping = fmax(1e-14, damping * 0.1);
            } else damping = fmax(1e-12, damping * 10);
        }
        if (!better || (gain <= 1e-16 * fabs(f) && level >= 2)) break;
    }
    pcs_free(w->p->ctx, psi);
    return f;
}

/* ---- projection -------------------------------------------------------------------------------------------------- */

/* Least squares over the columns of `set` (bits) of normal equations a, b; what it leaves,
 * or INFINITY when one is negative. */
static double solve_set(const double *a, const double *b, int m, unsigned set, double *p)
{
    double l[PCS_LAW_PARAMS * PCS_LAW_PARAMS], c[PCS_LAW_PARAMS], gain = 0;
    int list[PCS_LAW_PARAMS], k = 0;
    for (int i = 0; i < m; i++) {
        p[i] = 0;
        if (set >> i & 1) list[k++] = i;
    }
    for (int i = 0; i < k; i++) {
        c[i] = b[list[i]];
        for (int j = 0; j < k; j++) l[i * k + j] = a[list[i] * m + list[j]] * (i == j ? 1 + 1e-12 : 1);
    }
    if (!k || !pcs_small_cholesky(l, k)) return INFINITY;
    pcs_small_solve(l, k, c);
    for (int i = 0; i < k; i++) {
        if (c[i] <= 0) return INFINITY;
        p[list[i]] = c[i];
        gain += c[i] * b[list[i]];
    }
    return -gain;
}

void pcs_worker_project(pcs_worker *w, double *x)
{
    const pcs_problem *p = w->p;
    const int m = p->n_linear < 6 ? p->n_linear : 6; /* 2^6 sets of columns */
    if (!m) return;
    double y[PCS_LAW_PARAMS], a[36], b[6], best[6], now[6], least = INFINITY;
    memcpy(y, x, sizeof(double) * (size_t)p->n_free);
    /* The parameter is 1: columns of the Jacobian are the terms. */
    for (int i = 0; i < p->n_linear; i++) y[p->linear[i]] = 0;
    put(w, y);
    const double *loss = pcs_tape_run(w->value, w->params);
    for (size_t i = 0; i < p->padded; i++) w->psi[i] = 1;
    pcs_tape_back(w->value, w->psi, NULL);
    const double *t[6];
    for (int i = 0; i < m; i++) t[i] = pcs_tape_param_column(w->value, p->free_[p->linear[i]]);
    for (int i = 0; i < m; i++) {
        b[i] = 0;
        for (int j = 0; j < m; j++) a[i * m + j] = 0;
        for (size_t r = 0; r < p->n && t[i]; r++) {
            /* About the residual of the logarithm. */
            const double observed = p->objective->raw ? p->y[r] : exp(p->y[r]), u = w->w[r] / (observed * observed);
            double rest = observed - loss[r];
            for (int j = 0; j < m; j++) rest += t[j] ? t[j][r] : 0;
            b[i] += t[i][r] * rest * u;
            for (int j = 0; j < m; j++) a[i * m + j] += t[j] ? t[i][r] * t[j][r] * u : 0;
        }
    }
    for (unsigned set = 1; set < 1u << m; set++) {
        const double f = solve_set(a, b, m, set, now);
        if (f < least) least = f, memcpy(best, now, sizeof best);
    }
    if (!isfinite(least)) return;
    for (int i = 0; i < m; i++) x[p->linear[i]] = best[i] > 0 ? log(best[i]) : -12;
}
