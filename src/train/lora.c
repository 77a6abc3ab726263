/* lora.c - low-rank adapters that were trained: as a file of their own, or merged into weights of the base's types. */
#include "base/json.h"
#include "precis/convert.h"
#include "precis/job.h"
#include "train/run.h"
#include "write/write.h"

#include <stdio.h>

static precis_status fill(void *user, pcs_out *o, size_t i)
{
    const pcs_trained *const *list = user;
    return pcs_out_add(o, list[i]->data, list[i]->n * sizeof(float));
}

precis_status pcs_train_write_lora(pcs_train_run *t, const char *path)
{
    const char *arch = pcs_model_string(t->origin, "general.architecture");
    const pcs_key keys[] = {
        { .name = "general.architecture", .type = PCS_KEY_STRING, .v.text = { arch, strlen(arch) } },
        { .name = "general.type", .type = PCS_KEY_STRING, .v.text = { "adapter", 7 } },
        { .name = "adapter.type", .type = PCS_KEY_STRING, .v.text = { "lora", 4 } },
        { .name = "adapter.lora.alpha", .type = PCS_KEY_F32, .v.f = t->c.alpha },
    };
    const pcs_llama *l = &t->s.llama;
    pcs_gguf_tensor *tensors = pcs_alloc(t->ctx, l->n + 1, sizeof *tensors);
    const pcs_trained **list = pcs_alloc(t->ctx, l->n + 1, sizeof *list);
    size_t n = 0;
    precis_status st = tensors && list ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < l->n && !st; i++) {
        const pcs_trained *p = &l->parameters[i];
        if (p->kind != PCS_TRAINED_ADAPTER) continue;
        tensors[n] = (pcs_gguf_tensor){ .name = p->name, .format = &pcs_format_f32, .dims = 2,
                                        .ne = { p->shape[1], p->shape[0] }, .bytes = p->n * sizeof(float) };
        list[n++] = p;
    }
    const pcs_gguf_file f = { .keys = keys, .n_keys = sizeof keys / sizeof *keys, .tensors = tensors, .n_tensors = n,
                              .fill = fill, .user = (void *)(uintptr_t)list };
    if (!st) st = pcs_write_gguf(t->ctx, path, &f, NULL);
    pcs_free(t->ctx, tensors);
    pcs_free(t->ctx, list);
    return st;
}

/* The base's own types; what it has as floats stays so. */
static precis_status own_types(const precis_model *m, pcs_buf *b)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < m->n_tensors && !st; i++)
        if (m->tensors[i].dims > 1)
            st = pcs_buf_printf(b, "%.100s=%s,", m->tensors[i].name, m->tensors[i].format->name);
    return st ? st : pcs_buf_printf(b, "*=F32");
}

precis_status pcs_train_write_merged(pcs_train_run *t, const char *lora, const char *path)
{
    precis_model *m = NULL;
    precis_job job = { 0 };
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    pcs_buf types;
    pcs_buf_init(&types, t->ctx, PCS_LIMIT_JSON);
    precis_status st = own_types(t->origin, &types);
    if (!st) st = precis_model_open(t->ctx, &m, t->c.from);
    if (!st) st = precis_model_add_adapter(t->ctx, m, lora, 1, 1);
    o.type = types.data;
    o.quant.method = "search"; /* the merged weights' own scales */
    o.no_calibration = o.no_eval = 1;
    if (!st) st = precis_job_quantize(t->ctx, m, path, &o, &job);
    if (!st) precis_job_close(&job);
    pcs_buf_free(&types);
    precis_model_close(&m);
    return st;
}
