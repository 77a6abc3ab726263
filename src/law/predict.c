/* predict.c - losses at a point with what they are made of, effective parameters and additive losses as two words
 * for one thing (Chen et al. 2025, section 5), and intervals from a bootstrap's samples. */
#include "base/lack.h"
#include "law/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

precis_status precis_law_output(precis_law *law, const char *output, const precis_law_point *p, double *value)
{
    *value = NAN;
    const int node = pcs_law_let(law, output);
    if (node < 0) {
        char known[400] = "";
        for (int i = 0; i < law->n_lets; i++) {
            const size_t n = strlen(known);
            snprintf(known + n, sizeof known - n, "%s%s", i ? " " : "", law->lets[i].name);
        }
        return pcs_fail(law->ctx, PRECIS_EINVAL, "the law %s has no output \"%s\"; it has %s", law->name, output,
                        known);
    }
    pcs_evaluator e = { 0 };
    precis_status st = pcs_evaluator_open(law->ctx, &e, law, node, 1);
    if (!st) st = pcs_evaluator_one(&e, p, value);
    pcs_evaluator_close(&e);
    return st;
}

/* N at which the usual loss is `target`, at D; NAN when none above 1. */
static double inverse(pcs_evaluator *e, const precis_law_point *p, double target)
{
    pcs_evaluator_set(e, 0, p);
    const double ln = pcs_evaluator_first(e, PCS_VAR_N, 1, 1e40, PCS_AT_MOST, target); /* the loss falls with N */
    return isfinite(ln) ? exp(ln) : NAN;
}

/* The evaluator of the usual loss, with room for an inverse. */
static precis_status usual(precis_law *law, const precis_law_point *p, pcs_evaluator *e, precis_law_point *at)
{
    const int node = pcs_law_usual(law, p, at);
    return node < 0 ? pcs_fail(law->ctx, PRECIS_EINVAL, "the law %s says nothing of a loss at 16 bits", law->name)
                    : pcs_evaluator_open(law->ctx, e, law, node, PCS_WIDE);
}

/* The same for a model of N and D, and its usual loss. */
static precis_status usual_loss(precis_law *law, double N, double D, pcs_evaluator *e, precis_law_point *at,
                                double *loss)
{
    precis_law_point p;
    precis_law_point_init(&p);
    p.v[PCS_VAR_N] = N;
    p.v[PCS_VAR_D] = D;
    const precis_status st = usual(law, &p, e, at);
    return st ? st : pcs_evaluator_one(e, at, loss);
}

precis_status precis_law_multiplier(precis_law *law, double N, double D, double added, double *eff)
{
    precis_law_point at;
    pcs_evaluator e = { 0 };
    double loss;
    *eff = NAN;
    precis_status st = usual_loss(law, N, D, &e, &at, &loss);
    if (!st) *eff = inverse(&e, &at, loss + added) / N;
    if (!st && isnan(*eff))
        st = pcs_fail(law->ctx, PRECIS_EINVAL, "no number of parameters has a loss of %g by the law %s", loss + added,
                      law->name);
    pcs_evaluator_close(&e);
    return st;
}

precis_status precis_law_added(precis_law *law, double N, double D, double eff, double *added)
{
    precis_law_point at;
    pcs_evaluator e = { 0 };
    double with, without;
    *added = NAN;
    precis_status st = usual_loss(law, N, D, &e, &at, &without);
    at.v[PCS_VAR_N] = N * eff;
    if (!st) st = pcs_evaluator_one(&e, &at, &with);
    if (!st) *added = with - without;
    pcs_evaluator_close(&e);
    return st;
}

/* The percentiles of the loss over the samples that came with the law. */
static precis_status band(pcs_evaluator *e, const precis_law *law, double *low, double *high)
{
    const size_t k = (size_t)law->n_params;
    double *v = pcs_alloc(law->ctx, law->n_samples, sizeof *v), kept[PCS_LAW_PARAMS];
    if (!v) return PRECIS_ENOMEM;
    memcpy(kept, e->params, sizeof kept);
    size_t n = 0;
    for (size_t i = 0; i < law->n_samples; i++) {
        for (size_t p = 0; p < k; p++)
            if (isfinite(law->samples[i * k + p]))
                e->params[p] = pcs_param_in(&law->params[p], law->samples[i * k + p]);
        const double f = pcs_evaluator_run(e)[0];
        if (isfinite(f)) v[n++] = f;
    }
    memcpy(e->params, kept, sizeof kept);
    qsort(v, n, sizeof *v, pcs_ascending);
    if (n >= 20) {
        *low = v[(size_t)(0.025 * (double)(n - 1) + 0.5)];
        *high = v[(size_t)(0.975 * (double)(n - 1) + 0.5)];
    }
    pcs_free(law->ctx, v);
    return PRECIS_OK;
}

static void note_beyond(const char *name, double x, double lo, double hi, precis_law_value *out)
{
    if (isnan(lo) || isnan(x) || (x >= lo * (1 - 1e-9) && x <= hi * (1 + 1e-9))) return;
    const size_t n = strlen(out->where);
    snprintf(out->where + n, sizeof out->where - n, "%s%s %.3g is outside %.3g to %.3g", n ? "; " : "", name, x, lo,
             hi);
    out->outside = 1;
}

static void hull(const precis_law *law, int node, const precis_law_point *p, precis_law_value *out)
{
    for (int v = 0; v < PCS_VARS; v++) {
        const bool bits = v >= PCS_VAR_bits_w && v <= PCS_VAR_bits_post;
        /* 16 bits: nothing is quantized */
        if (!pcs_law_has_variable(law, node, v) || (bits && p->v[v] == 16)) continue;
        note_beyond(pcs_variables[v].name, p->v[v], law->low[v], law->high[v], out);
    }
    note_beyond("D / N", p->v[PCS_VAR_D] / p->v[PCS_VAR_N], law->low_ratio, law->high_ratio, out);
}

static double optional(precis_law *law, const char *name, const precis_law_point *p)
{
    double v = NAN;
    char kept[sizeof law->ctx->message];
    if (pcs_law_let(law, name) < 0) return NAN;
    memcpy(kept, law->ctx->message, sizeof kept);
    if (precis_law_output(law, name, p, &v)) v = NAN;
    memcpy(law->ctx->message, kept, sizeof kept);
    return v;
}

precis_status precis_law_predict(precis_law *law, const precis_law_point *p, precis_law_value *out)
{
    *out = (precis_law_value){ .size = out->size,
                               .loss = NAN,
                               .base = NAN,
                               .ptq = NAN,
                               .added = NAN,
                               .n_eff = NAN,
                               .d_eff = NAN,
                               .loss16 = NAN,
                               .low = NAN,
                               .high = NAN };
    const int node = pcs_law_let(law, "loss");
    const uint64_t refused = precis_ctx_refused(law->ctx);
    for (int v = 0; v < PCS_VARS; v++) {
        const bool zero = v == PCS_VAR_sparsity || v == PCS_VAR_qat || v == PCS_VAR_mantissa;
        if (!isnan(p->v[v]) && (!isfinite(p->v[v]) || p->v[v] < 0 || (!zero && p->v[v] == 0)))
            return pcs_fail(law->ctx, PRECIS_EINVAL, "%s %g is not positive and finite", pcs_variables[v].option,
                            p->v[v]);
    }
    if (node < 0) return pcs_fail(law->ctx, PRECIS_EINVAL, "the law %s says nothing of a loss", law->name);
    pcs_evaluator e = { 0 }, u = { 0 };
    precis_law_point at;
    precis_status st = pcs_evaluator_open(law->ctx, &e, law, node, 1);
    if (!st) st = pcs_evaluator_one(&e, p, &out->loss);
    if (!st && law->n_samples) st = band(&e, law, &out->low, &out->high);
    if (!st) {
        hull(law, node, p, out);
        out->ptq = optional(law, "ptq", p);
        out->base = isnan(out->ptq) ? optional(law, "base", p) : out->loss - out->ptq;
        out->n_eff = optional(law, "n_eff", p);
        out->d_eff = optional(law, "d_eff", p);
    }
    if (!st) st = usual(law, p, &u, &at);
    if (!st) st = pcs_evaluator_one(&u, &at, &out->loss16);
    if (!st) out->added = out->loss - (isnan(out->ptq) ? 0 : out->ptq) - out->loss16;
    if (!st && fabs(out->added) < 1e-15) out->added = 0;
    if (!st && isnan(out->n_eff)) out->n_eff = out->loss == out->loss16 ? p->v[PCS_VAR_N] : inverse(&u, &at, out->loss);
    pcs_evaluator_close(&e);
    pcs_evaluator_close(&u);
    return pcs_with_memory(law->ctx, refused, st); /* outputs that a law need not have */
}

/* ---- between laws ------------------------------------------------------------------------------------------------ */

int precis_law_applies(precis_law *law, const precis_law_point *p)
{
    const int node = pcs_law_let(law, "loss");
    char lacking[400];
    bool quantized = false, speaks = false;
    if (node < 0) return 0;
    pcs_law_lacking(law, node, lacking, sizeof lacking);
    if (*lacking) return 0;
    for (int v = PCS_VAR_bits_w; v <= PCS_VAR_sparsity; v++) {
        const bool away = isfinite(p->v[v]) && p->v[v] != pcs_variables[v].usual && v != PCS_VAR_block;
        quantized = quantized || away;
        speaks = speaks || (away && pcs_law_has_variable(law, node, v));
    }
    for (int v = 0; v < PCS_VARS; v++)
        if (pcs_law_has_variable(law, node, v) && !isfinite(p->v[v])) return 0;
    return quantized ? speaks : 1;
}

size_t precis_law_spread(precis_ctx *ctx, const precis_law_point *p, double *low, double *high, char *names,
                         size_t size)
{
    size_t n = 0, at = 0;
    char kept[sizeof ctx->message];
    memcpy(kept, ctx->message, sizeof kept);
    *low = INFINITY, *high = -INFINITY;
    names[0] = 0;
    for (size_t i = 0; precis_law_name(i); i++) {
        precis_law *law;
        precis_law_value v = { .size = sizeof v };
        if (precis_law_open(ctx, &law, precis_law_name(i))) continue;
        if (precis_law_applies(law, p) && !precis_law_predict(law, p, &v)) {
            *low = fmin(*low, v.loss);
            *high = fmax(*high, v.loss);
            if (at < size) at += (size_t)snprintf(names + at, size - at, "%s%s", n ? "," : "", law->name);
            n++;
        }
        precis_law_close(&law);
    }
    memcpy(ctx->message, kept, sizeof kept);
    return n;
}
