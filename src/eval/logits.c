/* logits.c - see logits.h. */
#include "eval/logits.h"

#include "eval/eval.h"
#include "precis/run.h"

#include <stdio.h>

enum { FIELDS = 5 };

static void hash_of(const pcs_logits_of *of, char hex[65])
{
    precis_sha256(of->ids, of->windows * of->window * sizeof *of->ids, hex);
}

static precis_status differs(const precis_model *m, const char *what, const char *has, const char *wanted)
{
    return pcs_fail(m->ctx, PRECIS_EINVAL,
                    "%s: these logits are of another %s (%.40s, not %.40s); another name for --logits makes new ones",
                    m->path, what, has, wanted);
}

static precis_status check_keys(const precis_model *m, const pcs_logits_of *of, const precis_model *reference)
{
    const char *text = pcs_model_string(m, "precis.logits.text_sha256"),
               *model = pcs_model_string(m, "precis.logits.model_sha256"),
               *arithmetic = pcs_model_string(m, "precis.logits.arithmetic");
    bool known;
    const int64_t window = pcs_model_int(m, "precis.logits.window", 0, &known);
    if (!text || !model || !arithmetic || !known)
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: no file of logits: it has no keys precis.logits.*", m->path);
    char hex[65], has[24], wanted[24];
    snprintf(has, sizeof has, "%lld", (long long)window);
    snprintf(wanted, sizeof wanted, "%u", of->window);
    if (strcmp(has, wanted)) return differs(m, "window", has, wanted);
    hash_of(of, hex);
    if (strcmp(text, hex)) return differs(m, "text, or number of windows", text, hex);
    if (strcmp(arithmetic, precis_arithmetic_name(of->arithmetic)))
        return differs(m, "arithmetic", arithmetic, precis_arithmetic_name(of->arithmetic));
    if (!reference) return PRECIS_OK;
    const precis_status st = precis_model_sha256(reference, hex);
    if (st) return st;
    return strcmp(model, hex) ? differs(m, "reference", model, hex) : PRECIS_OK;
}

precis_status pcs_logits_open(precis_ctx *ctx, pcs_kept_logits *l, const char *path, const pcs_logits_of *of,
                              const precis_model *reference)
{
    *l = (pcs_kept_logits){ .n = of->windows * pcs_logits_rows(of->window), .vocabulary = of->vocabulary };
    precis_status st = precis_model_open(ctx, &l->file, path);
    if (!st) st = check_keys(l->file, of, reference);
    if (st) return st;
    const pcs_tensor *codes = pcs_model_tensor(l->file, "logits"), *rows = pcs_model_tensor(l->file, "rows");
    const bool both = codes && rows && codes->format == &pcs_format_i16 && rows->format == &pcs_format_f64;
    const uint64_t n = l->n, vocabulary = l->vocabulary;
    if (!both || codes->dims != 2 || (uint64_t)codes->ne[0] != vocabulary || (uint64_t)codes->ne[1] != n ||
        rows->dims != 2 || rows->ne[0] != FIELDS || (uint64_t)rows->ne[1] != n)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: tensors logits and rows are not I16 [%zu][%zu] and F64 [%zu][%d]",
                        path, l->n, l->vocabulary, l->n, FIELDS);
    l->codes = codes->data;
    l->rows = rows->data;
    for (size_t i = 0; i < l->n * FIELDS; i++) {
        double v;
        memcpy(&v, l->rows + 8 * i, 8);
        if (!(v - v == 0)) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: tensor rows: number %zu is not finite", path, i);
    }
    return PRECIS_OK;
}

void pcs_logits_close(pcs_kept_logits *l)
{
    precis_model_close(&l->file);
    *l = (pcs_kept_logits){ .n = 0 };
}

static void decode_row(const int16_t *codes, size_t n, float low, float step, float *x)
{
    for (size_t i = 0; i < n; i++) x[i] = low + step * (float)(codes[i] + 32768);
}

pcs_logits_row pcs_logits_get(const pcs_kept_logits *l, size_t i, float *x)
{
    pcs_logits_row r;
    memcpy(&r, l->rows + i * sizeof r, sizeof r);
    decode_row((const int16_t *)(const void *)(l->codes + 2 * i * l->vocabulary), l->vocabulary, (float)r.low,
            (float)r.step, x);
    return r;
}

pcs_logits_row pcs_logits_code(const pcs_kernels *k, float *x, size_t vocabulary, int32_t next, int16_t *codes)
{
    size_t best;
    float low = x[0], high = x[0];
    pcs_logits_row r;
    r.nll = pcs_log_sum(k, x, vocabulary, &best) - (double)x[next];
    r.best = (double)best;
    for (size_t i = 0; i < vocabulary; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    const float step = (high - low) / 65535.0f, over = step > 0 ? 1.0f / step : 0.0f;
    for (size_t i = 0; i < vocabulary; i++) {
        const float t = (x[i] - low) * over, c = t > 65535.0f ? 65535.0f : t;
        codes[i] = (int16_t)((int)(c + 0.5f) - 32768);
    }
    r.low = (double)low;
    r.step = (double)step;
    decode_row(codes, vocabulary, low, step, x);
    r.log_sum = pcs_log_sum(k, x, vocabulary, NULL);
    return r;
}

precis_status pcs_logits_write(precis_ctx *ctx, const char *path, const pcs_logits_of *of,
                               const precis_model *reference, pcs_gguf_fill *fill, void *user)
{
    char text[65], model[65];
    hash_of(of, text);
    const precis_status st = precis_model_sha256(reference, model);
    if (st) return st;
    const char *arithmetic = precis_arithmetic_name(of->arithmetic);
    const int64_t n = (int64_t)(of->windows * pcs_logits_rows(of->window)), v = (int64_t)of->vocabulary;
    const pcs_key keys[] = {
        { .name = "general.architecture", .type = PCS_KEY_STRING, .v.text = { "precis-logits", 13 } },
        { .name = "precis.logits.model_sha256", .type = PCS_KEY_STRING, .v.text = { model, 64 } },
        { .name = "precis.logits.text_sha256", .type = PCS_KEY_STRING, .v.text = { text, 64 } },
        { .name = "precis.logits.arithmetic", .type = PCS_KEY_STRING, .v.text = { arithmetic, strlen(arithmetic) } },
        { .name = "precis.logits.window", .type = PCS_KEY_U32, .v.u = of->window },
    };
    const pcs_format *i16 = &pcs_format_i16, *f64 = &pcs_format_f64;
    const pcs_gguf_tensor tensors[] = { { "logits", i16, 2, { v, n }, (uint64_t)n * (uint64_t)v * 2, false },
                                        { "rows", f64, 2, { FIELDS, n }, (uint64_t)n * FIELDS * 8, false } };
    uint64_t bytes;
    return pcs_write_gguf(ctx, path, &(pcs_gguf_file){ keys, sizeof keys / sizeof *keys, tensors, 2, fill, user,
                                                       reference, 0, NULL, NULL }, &bytes);
}
