/* teacher.c - a model whose distribution is learned (Hinton et al. 2015, 1503.02531): its logits for each token of a
 * batch, by the runner, in the reference arithmetic. */
#include "precis/run.h"
#include "train/run.h"

struct pcs_teacher {
    precis_model *model;
    precis_runner *runner;
    precis_row *rows;
    size_t vocabulary;
};

precis_status pcs_teacher_open(precis_ctx *ctx, pcs_teacher **out, const char *path)
{
    *out = NULL;
    pcs_teacher *h = pcs_alloc(ctx, 1, sizeof *h);
    if (!h) return PRECIS_ENOMEM;
    const precis_status st = precis_model_open_to_run(ctx, &h->model, path);
    *out = h;
    if (st) pcs_teacher_close(ctx, out);
    return st;
}

const precis_model *pcs_teacher_model(const pcs_teacher *h) { return h->model; }

precis_status pcs_teacher_begin(precis_ctx *ctx, pcs_teacher *h, const pcs_train_config *c)
{
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.arithmetic = PRECIS_EMULATED; /* a quantized teacher is what it is where it is served */
    o.context = o.outputs = (uint32_t)c->context;
    o.k_type = o.v_type = "f32";
    const pcs_tensor *e = pcs_model_tensor(h->model, "token_embd.weight");
    h->vocabulary = e ? (size_t)pcs_tensor_rows(e) : 0;
    if (h->vocabulary != (size_t)c->model.vocabulary)
        return pcs_fail(ctx, PRECIS_EFORMAT, "distill.model: %s has %zu tokens, the student %lld", h->model->path,
                        h->vocabulary, (long long)c->model.vocabulary);
    h->rows = pcs_alloc(ctx, c->context, sizeof *h->rows);
    return h->rows ? precis_runner_open(ctx, &h->runner, h->model, &o) : PRECIS_ENOMEM;
}

precis_status pcs_teacher_logits(pcs_teacher *h, const int32_t *ids, size_t n, float *logits)
{
    const float *made;
    for (size_t i = 0; i < n; i++) h->rows[i] = (precis_row){ ids[i], (uint32_t)i, 0, 1 };
    const precis_status st = precis_runner_decode(h->runner, h->rows, (uint32_t)n, &made);
    if (!st) memcpy(logits, made, n * h->vocabulary * sizeof *logits);
    return st;
}

void pcs_teacher_close(precis_ctx *ctx, pcs_teacher **teacher)
{
    if (!*teacher) return;
    precis_runner_close(&(*teacher)->runner);
    precis_model_close(&(*teacher)->model);
    pcs_free(ctx, (*teacher)->rows);
    pcs_free(ctx, *teacher);
    *teacher = NULL;
}
