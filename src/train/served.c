/* served.c - what was trained as it is served: the file in its types, and its loss when it is run. */
#include "base/fmath.h"
#include "base/builtins.h"
#include "base/json.h"
#include "precis/convert.h"
#include "precis/job.h"
#include "precis/run.h"
#include "train/run.h"
#include "write/write.h"

#include <stdio.h>

/* ---- writing --------------------------------------------------------------------------------------- */

/* "NAME=TYPE,...,*=F32". */
static precis_status types_of(pcs_train_run *t, pcs_buf *b)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < t->s.llama.n && !st; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        if (p->type) st = pcs_buf_printf(b, "%s=%s,", p->name, p->type->name);
    }
    return st ? st : pcs_buf_printf(b, "*=F32");
}

/* A number beside a weight: NAME.input_scale, NAME.rotation. */
static precis_status add_beside(precis_model *m, const pcs_trained *weight, const char *end, float value)
{
    pcs_tensor *tensor = pcs_model_add_tensor(m);
    float *data = pcs_arena_alloc(&m->arena, 1, sizeof *data);
    const char *name = pcs_arena_printf(&m->arena, "%.*s.%s", (int)strlen(weight->name) - 7, weight->name, end);
    if (!tensor || !data || !name) return PRECIS_ENOMEM;
    *data = value;
    *tensor = (pcs_tensor){ .name = name, .source = name, .format = &pcs_format_f32, .dims = 1, .n = 1,
                            .bytes = sizeof *data, .data = (const uint8_t *)data };
    for (int i = 0; i < PCS_MAX_DIMS; i++) tensor->ne[i] = tensor->shape[i] = 1;
    return PRECIS_OK;
}

static const pcs_trained *range_named(const pcs_train_run *t, int layer, const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "range:blk.%d.%s", layer, what);
    return pcs_llama_parameter(&t->s.llama, name);
}

/* What stands beside each weight, so that its input is made as it was in training. */
static precis_status add_all_beside(pcs_train_run *t, precis_model *m)
{
    static const struct { pcs_tensor_role role; const char *input;
    } inputs[] = {
        { PCS_ROLE_attn_q, "attn_in" },          { PCS_ROLE_attn_k, "attn_in" },  { PCS_ROLE_attn_v, "attn_in" },
        { PCS_ROLE_attn_output, "attn_out_in" }, { PCS_ROLE_ffn_gate, "ffn_in" }, { PCS_ROLE_ffn_up, "ffn_in" },
        { PCS_ROLE_ffn_down, "ffn_down_in" },
    };
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < t->s.llama.n && !st; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        const pcs_place place = pcs_place_of(p->name);
        if (p->kind != PCS_TRAINED_NET || p->dims != 2 || place.layer < 0) continue;
        const int64_t turned = pcs_turned_by(p->shape[1]);
        if (t->c.quant.estimator->turns && turned > 1) st = add_beside(m, p, "rotation", (float)turned);
        for (size_t k = 0; k < sizeof inputs / sizeof *inputs && !st; k++) {
            const pcs_trained *r = inputs[k].role == place.role ? range_named(t, place.layer, inputs[k].input) : NULL;
            if (r) st = add_beside(m, p, "input_scale", r->data[0]);
        }
    }
    return st ? st : pcs_model_index(m);
}

precis_status pcs_train_can_write(pcs_train_run *t, const char *path)
{
    bool typed = t->c.quant.kv_bits <= 8;
    for (size_t i = 0; i < t->s.llama.n; i++) typed |= t->s.llama.parameters[i].type != NULL;
    if (!typed)
        return pcs_fail(t->ctx, PRECIS_EINVAL, "%s: nothing is trained for a type of weights or a cache", path);
    return pcs_out_check(t->ctx, path, 0, t->origin);
}

precis_status pcs_train_write_quantized(pcs_train_run *t, const char *path)
{
    precis_model *m = NULL, *whole = NULL;
    pcs_buf types;
    pcs_buf_init(&types, t->ctx, PCS_LIMIT_JSON);
    precis_job job = { 0 };
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    char activations[16], kv[16];
    precis_status st = types_of(t, &types);
    if (!st) st = precis_model_open_to_run(t->ctx, &m, t->opt->out);
    if (!st) st = pcs_model_copy(t->ctx, &whole, m);
    if (!st) st = add_all_beside(t, whole);
    snprintf(activations, sizeof activations, "INT%d", t->c.quant.a_bits);
    snprintf(kv, sizeof kv, "int%d", t->c.quant.kv_bits);
    o.type = types.data;
    o.quant.method = "rtn";
    o.quant.activations = t->c.quant.a_bits <= 8 ? activations : NULL;
    o.quant.kv = t->c.quant.kv_bits <= 8 ? kv : NULL;
    o.no_calibration = o.no_eval = 1;
    if (!st) st = precis_job_quantize(t->ctx, whole, path, &o, &job);
    if (!st) precis_job_close(&job);
    pcs_buf_free(&types);
    precis_model_close(&whole);
    precis_model_close(&m);
    return st;
}

/* ---- running it ------------------------------------------------------------------------------------ */

/* A file that is run on held-out text. */
typedef struct { precis_model *m; precis_runner *r; } served;

static precis_status open_served(pcs_train_run *t, served *s, const char *path, const char *lora)
{
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    /* activations are rounded as the file says; adapters are trained on what weights mean alone */
    o.arithmetic = t->c.model.rank ? PRECIS_REFERENCE : PRECIS_EMULATED;
    o.outputs = o.context = (uint32_t)t->c.context;
    if (t->c.quant.kv_bits > 8) o.k_type = o.v_type = "f32";
    precis_status st = lora ? precis_model_open(t->ctx, &s->m, path) : precis_model_open_to_run(t->ctx, &s->m, path);
    if (!st && lora) st = precis_model_add_adapter(t->ctx, s->m, lora, 1, 0);
    return st ? st : precis_runner_open(t->ctx, &s->r, s->m, &o);
}

static void close_served(served *s)
{
    precis_runner_close(&s->r);
    precis_model_close(&s->m);
}

/* log of the sum of e^x. */
static double log_sum(const float *x, size_t n)
{
    double top = (double)x[0], all = 0;
    for (size_t j = 1; j < n; j++) top = (double)x[j] > top ? (double)x[j] : top;
    for (size_t j = 0; j < n; j++) all += pcs_exp((double)x[j] - top);
    return pcs_log(all) + top;
}

/* Room for a sequence: its rows, and the logits that the first of two nets has of them. */
typedef struct { precis_row *rows; float *kept; } scoring;

/* What one sequence has: of `count` tokens the mean negative log-likelihood by a, and the divergence of b from a. */
static precis_status score(pcs_train_run *t, const served *a, const served *b, const scoring *in, uint32_t count,
                           double sums[2])
{
    precis_row *rows = in->rows;
    float *kept = in->kept;
    const size_t v = (size_t)t->c.model.vocabulary;
    const float *logits, *x = NULL;
    for (uint32_t k = 0; k < count; k++) rows[k] = (precis_row){ t->ids[k], k, 0, 1 };
    precis_status st = precis_runner_decode(a->r, rows, count, &logits);
    if (!st && b) memcpy(kept, logits, count * v * sizeof *kept), st = precis_runner_decode(b->r, rows, count, &x);
    sums[0] = sums[1] = 0;
    for (uint32_t k = 0; k < count && !st; k++) {
        const float *p = (b ? kept : logits) + k * v, *q = b ? x + k * v : NULL;
        const double lp = log_sum(p, v), lq = b ? log_sum(q, v) : 0;
        sums[0] += (lp - (double)p[t->targets[k]]) / count;
        for (size_t j = 0; j < v && b; j++)
            sums[1] += pcs_exp((double)p[j] - lp) * (((double)p[j] - lp) - ((double)q[j] - lq)) / count;
    }
    return st;
}

static precis_status run_both(pcs_train_run *t, const served *a, const served *b, double *loss, double *kld)
{
    precis_row *rows = pcs_alloc(t->ctx, t->c.context, sizeof *rows);
    float *kept = pcs_alloc(t->ctx, b ? t->c.context * (size_t)t->c.model.vocabulary : 1, sizeof *kept);
    precis_status st = rows && kept ? PRECIS_OK : PRECIS_ENOMEM;
    double all[2] = { 0, 0 }, sums[2], entropy;
    uint64_t n = 0;
    for (; !st && pcs_train_held(&t->data, n, t->ids, t->targets, &entropy); n++) {
        const uint32_t count = (uint32_t)t->c.context - (t->targets[t->c.context - 1] < 0);
        st = score(t, a, b, &(scoring){ rows, kept }, count, sums);
        all[0] += sums[0], all[1] += sums[1];
    }
    *loss = n ? all[0] / (double)n : pcs_nan();
    if (kld) *kld = n && b ? all[1] / (double)n : pcs_nan();
    pcs_free(t->ctx, rows);
    pcs_free(t->ctx, kept);
    return st;
}

precis_status pcs_train_served(pcs_train_run *t, const char *path, double *loss)
{
    served s = { 0 };
    precis_status st = open_served(t, &s, path, NULL);
    if (!st) st = run_both(t, &s, NULL, loss, NULL);
    close_served(&s);
    return st;
}

precis_status pcs_train_adapted(pcs_train_run *t, const char *lora, const char *merged, double *loss, double *kld)
{
    served with = { 0 }, one = { 0 };
    precis_status st = open_served(t, &with, t->c.from, lora);
    if (!st && merged) st = open_served(t, &one, merged, NULL);
    if (!st) st = run_both(t, &with, merged ? &one : NULL, loss, kld);
    close_served(&with);
    close_served(&one);
    return st;
}
