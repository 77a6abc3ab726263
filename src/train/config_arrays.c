/* config_arrays.c - what a configuration has of nets of arrays: their layers, and where samples and labels are. */
#include "train/config_reader.h"

#include <stdio.h>

/* ---- layers -------------------------------------------------------------------------------------- */

/* An op of one operand and one result, without attributes that must be given. */
static precis_status read_activation(pcs_config_reader *r, const char **to)
{
    static const char *const known[] = { "relu", "gelu", "sigmoid", "tanh", "hard_swish", "softplus", "elu" };
    const precis_status st = pcs_config_string(r, to);
    if (st) return st;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(*to, known[i])) return PRECIS_OK;
    return pcs_config_wrong(r, "is none of relu, gelu, sigmoid, tanh, hard_swish, softplus and elu");
}

static precis_status read_layer(pcs_config_reader *r, pcs_train_layer *l, size_t at)
{
    int64_t conv = 0, linear = 0;
    char object[32];
    const pcs_config_number table[] = {
        { "conv", PCS_CONFIG_SIGNED, 1, 1 << 16, &conv },        { "linear", PCS_CONFIG_SIGNED, 1, 1 << 20, &linear },
        { "kernel", PCS_CONFIG_SIGNED, 1, 255, &l->kernel },     { "stride", PCS_CONFIG_SIGNED, 1, 255, &l->stride },
        { "pad", PCS_CONFIG_SIGNED, 0, 255, &l->pad },           { "pool", PCS_CONFIG_SIGNED, 1, 255, &l->pool },
        { "groups", PCS_CONFIG_SIGNED, 1, 1 << 16, &l->groups },
    };
    precis_status st = PRECIS_OK;
    *l = (pcs_train_layer){ .kernel = 3, .stride = 1, .pad = -1, .groups = 1 };
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        snprintf(object, sizeof object, "model.net[%zu]", at);
        pcs_config_name(r, object);
        if (pcs_json_is(&r->in.t, "norm")) st = pcs_config_bool(r, &l->norm);
        else if (pcs_json_is(&r->in.t, "activation")) st = read_activation(r, &l->activation);
        else if (!(st = pcs_config_take(r, table, sizeof table / sizeof *table, &found)) && !found)
            st = pcs_config_unknown(r);
    }
    if (st) return st;
    snprintf(r->path, sizeof r->path, "model.net[%zu]", at);
    if (!conv == !linear) return pcs_config_wrong(r, "is neither a conv nor a linear layer, or both");
    if (linear && (l->pool || l->groups != 1 || l->pad != -1 || l->stride != 1 || l->kernel != 3))
        return pcs_config_wrong(r, "is linear, and has what convolutions have");
    l->linear = linear != 0;
    l->out = conv + linear;
    if (l->pad < 0) l->pad = l->kernel / 2;
    return PRECIS_OK;
}

static precis_status read_stack(pcs_config_reader *r)
{
    pcs_train_arrays *a = &r->c->arrays;
    precis_status st = pcs_json_next(&r->in.j, &r->in.t);
    if (!st && r->in.t.type != PCS_JSON_ARRAY) return pcs_config_wrong(r, "is no list of layers");
    a->n_stack = 0;
    while (!st && !(st = pcs_json_next(&r->in.j, &r->in.t)) && r->in.t.type != PCS_JSON_ARRAY_END) {
        if (r->in.t.type != PCS_JSON_OBJECT || a->n_stack == PCS_TRAIN_STACK)
            return pcs_config_wrong(r, "is no list of at most 64 layers");
        st = read_layer(r, &a->stack[a->n_stack], a->n_stack);
        a->n_stack++;
        snprintf(r->path, sizeof r->path, "model.net");
    }
    return st;
}

static precis_status read_input(pcs_config_reader *r)
{
    int64_t *to = r->c->arrays.input;
    precis_status st = pcs_json_next(&r->in.j, &r->in.t);
    size_t n = 0;
    if (!st && r->in.t.type != PCS_JSON_ARRAY) return pcs_config_wrong(r, "is no list of sizes");
    while (!st && !(st = pcs_json_next(&r->in.j, &r->in.t)) && r->in.t.type != PCS_JSON_ARRAY_END) {
        double v = 0;
        if (r->in.t.type != PCS_JSON_NUMBER || n == 4) return pcs_config_wrong(r, "is no list of 1 to 4 sizes");
        st = pcs_json_double(&r->in.j, &r->in.t, &v, r->path);
        if (!st && !(v >= 1 && v <= 1 << 20 && v == (double)(int64_t)v))
            return pcs_config_wrong(r, "has what is no size from 1 to 1048576");
        if (!st) to[n++] = (int64_t)v;
    }
    return st || n ? st : pcs_config_wrong(r, "is no list of 1 to 4 sizes");
}

precis_status pcs_config_read_arrays_model(pcs_config_reader *r, bool *found)
{
    pcs_train_arrays *a = &r->c->arrays;
    const pcs_config_number table[] = { { "classes", PCS_CONFIG_SIGNED, 2, 1 << 20, &a->classes },
                                        { "momentum", PCS_CONFIG_REAL, 0, 1, &a->momentum } };
    *found = true;
    if (pcs_json_is(&r->in.t, "net")) return read_stack(r);
    if (pcs_json_is(&r->in.t, "input")) return read_input(r);
    return pcs_config_take(r, table, 2, found);
}

precis_status pcs_config_read_arrays_data(pcs_config_reader *r, bool *found)
{
    pcs_train_arrays *a = &r->c->arrays;
    *found = true;
    if (pcs_json_is(&r->in.t, "arrays")) return pcs_config_string(r, &a->data);
    if (pcs_json_is(&r->in.t, "labels")) return pcs_config_string(r, &a->labels);
    if (pcs_json_is(&r->in.t, "heldout_labels")) return pcs_config_string(r, &a->held_labels);
    *found = false;
    return PRECIS_OK;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

/* A key, and whether it stands there. */
typedef struct pcs_refusal { const char *key; bool there; } pcs_refusal;

static const char *first_of(const pcs_refusal *list)
{
    for (; list->key; list++)
        if (list->there) return list->key;
    return NULL;
}

precis_status pcs_train_arrays_check(precis_ctx *ctx, const char *name, const pcs_train_config *c)
{
    const pcs_train_arrays *a = &c->arrays;
    const pcs_llama_config *m = &c->model;
    const bool own = a->n_stack || a->classes || a->input[0];
    const pcs_refusal missing[] = {
        { "data.labels", !a->labels },
        { "data.heldout_labels", c->heldout && !a->held_labels },
        { "data.heldout", !c->heldout && a->held_labels },
        { "model.net", !c->from && !a->n_stack },
        { "model.input", !c->from && !a->input[0] },
        { "model.classes", !c->from && !a->classes },
        { "data.batch", !c->batch },
        { "steps", !c->steps },
        { "optimizer.lr", !(c->rates.lr > 0) },
        { NULL, false },
    };
    const pcs_refusal other[] = {
        { "model.width", m->width != 0 }, { "model.layers", m->layers != 0 }, { "model.heads", m->heads != 0 },
        { "model.kv_heads", m->kv_heads != 0 }, { "model.hidden", m->hidden != 0 },
        { "model.vocabulary", m->vocabulary != 0 }, { "model.qk_norm", m->qk_norm }, { "data.text", c->n_texts != 0 },
        { "data.language", c->language }, { "data.tokenizer", c->tokenizer != NULL },
        { "data.context", c->context != 0 }, { "data.deduplicate", c->deduplicate }, { "data.parts", c->parts > 1 },
        { "distill", c->teacher != NULL }, { "adapter", m->rank != 0 }, { "prune", c->prune.method != PCS_PRUNE_NONE },
        { "compute", m->compute != NULL }, { "quant.kv", c->quant.kv_bits <= 8 },
        { "quant.plan", c->quant.plan != NULL }, { "quant.dampen", c->quant.dampen > 0 }, { NULL, false },
    };
    const char *key = first_of(missing);
    if (key) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: %s is missing", name, key);
    key = first_of(other);
    if (key)
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: %s: nets of arrays (data.arrays) are not trained with it", name,
                        key);
    if (c->from && own)
        return pcs_fail(ctx, PRECIS_EFORMAT,
                        "%s: model.from: the net's file says its layers, so that they stand there alone", name);
    if (c->rates.warmup > c->steps)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: schedule.warmup: longer than all steps", name);
    const int bits = c->quant.a_bits;
    if (bits > 8 || (c->quant.a_scale != PCS_SCALE_TOKEN && (bits == 2 || bits == 4 || bits == 8))) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                    "%s: quant.activations: nets of arrays have one scale for each value, of int2, int4 or int8, alone "
                    "or observed", name);
}

precis_status pcs_train_arrays_text(const pcs_train_config *c, pcs_buf *b)
{
    const pcs_train_arrays *a = &c->arrays;
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 4 && !st; i++)
        st = pcs_buf_printf(b, "%s%lld", i ? ", " : ", \"input\": [", (long long)a->input[i]);
    if (!st)
        st = pcs_buf_printf(b, "], \"classes\": %lld, \"momentum\": %.17g", (long long)a->classes, a->momentum);
    for (size_t i = 0; i < a->n_stack && !st; i++) {
        const pcs_train_layer *l = &a->stack[i];
        st = pcs_buf_printf(b, ", \"%zu\": [%d, %d, %lld, %lld, %lld, %lld, %lld, %lld, \"%s\"]", i, l->linear, l->norm,
                            (long long)l->out, (long long)l->kernel, (long long)l->stride, (long long)l->pad,
                            (long long)l->groups, (long long)l->pool, l->activation ? l->activation : "");
    }
    if (!st && pcs_train_quantizes(&c->quant)) st = pcs_buf_printf(b, ", \"freeze_norm\": %.17g", c->quant.freeze_norm);
    return st;
}
