/* config.c - see config.h. Rows of a table say where each number goes and what it may be. */
#include "train/config_reader.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- its objects -------------------------------------------------------------------------------- */

static precis_status read_model(pcs_config_reader *r)
{
    pcs_llama_config *m = &r->c->model;
    const pcs_config_number table[] = {
        { "width", PCS_CONFIG_SIGNED, 2, 65536, &m->width },
        { "layers", PCS_CONFIG_SIGNED, 1, 1024, &m->layers },
        { "heads", PCS_CONFIG_SIGNED, 1, 4096, &m->heads },
        { "kv_heads", PCS_CONFIG_SIGNED, 1, 4096, &m->kv_heads },
        { "hidden", PCS_CONFIG_SIGNED, 1, 1 << 20, &m->hidden },
        { "vocabulary", PCS_CONFIG_SIGNED, 2, 1 << 20, &m->vocabulary },
        { "eps", PCS_CONFIG_REAL, 1e-12, 0.1, &m->eps },
        { "rope_base", PCS_CONFIG_REAL, 1, 1e9, &m->rope_base },
    };
    char *arch = NULL;
    precis_status st = pcs_config_enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        pcs_config_name(r, "model");
        if (pcs_json_is(&r->in.t, "qk_norm")) st = pcs_config_bool(r, &m->qk_norm);
        else if (pcs_json_is(&r->in.t, "from")) st = pcs_config_string(r, &r->c->from);
        else if (pcs_json_is(&r->in.t, "arch")) {
            st = pcs_json_file_string(&r->in, r->path, &arch);
            if (!st && strcmp(arch, "llama") && strcmp(arch, "cnn"))
                st = pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is neither llama nor cnn");
        } else if (!(st = pcs_config_take(r, table, sizeof table / sizeof *table, &found)) && !found &&
                   !(st = pcs_config_read_arrays_model(r, &found)) && !found)
            st = pcs_config_unknown(r);
    }
    return st;
}

static precis_status read_language(pcs_config_reader *r)
{
    const pcs_config_number table[] = { { "seed", PCS_CONFIG_SIZE, 0, 4294967295.0, &r->c->language_seed } };
    precis_status st = pcs_config_enter(r);
    r->c->language = true;
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        pcs_config_name(r, "data.language");
        if (!(st = pcs_config_take(r, table, 1, &found)) && !found) st = pcs_config_unknown(r);
    }
    return st;
}

static precis_status read_data(pcs_config_reader *r)
{
    pcs_train_config *c = r->c;
    const pcs_config_number table[] = {
        { "context", PCS_CONFIG_SIZE, 1, 1 << 20, &c->context }, { "batch", PCS_CONFIG_SIZE, 1, 1 << 20, &c->batch },
        { "heldout_tokens", PCS_CONFIG_SIZE, 1, 1e9, &c->heldout_tokens },
        { "parts", PCS_CONFIG_SIZE, 1, 1 << 20, &c->parts },
    };
    precis_status st = pcs_config_enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        char *path = NULL;
        pcs_config_name(r, "data");
        if (pcs_json_is(&r->in.t, "text"))
            st = pcs_config_strings(r, c->texts, &c->n_texts, PCS_TRAIN_TEXTS, "is no list of at most 64 paths");
        else if (pcs_json_is(&r->in.t, "language")) st = read_language(r);
        else if (pcs_json_is(&r->in.t, "deduplicate")) st = pcs_config_bool(r, &c->deduplicate);
        else if (pcs_json_is(&r->in.t, "tokenizer")) st = pcs_config_string(r, &c->tokenizer);
        else if (pcs_json_is(&r->in.t, "heldout")) {
            st = pcs_json_file_string(&r->in, r->path, &path);
            c->heldout = path;
        } else if (!(st = pcs_config_take(r, table, sizeof table / sizeof *table, &found)) && !found &&
                   !(st = pcs_config_read_arrays_data(r, &found)) && !found)
            st = pcs_config_unknown(r);
    }
    return st;
}

static precis_status read_betas(pcs_config_reader *r)
{
    double *const to[2] = { &r->c->settings.beta1, &r->c->settings.beta2 };
    precis_status st = pcs_json_expect(&r->in.j, PCS_JSON_ARRAY, &r->in.t, r->path);
    for (int i = 0; i < 2 && !st; i++) {
        st = pcs_json_file_number(&r->in, r->path, 0, 0.999999, to[i]);
    }
    return st ? st : pcs_json_expect(&r->in.j, PCS_JSON_ARRAY_END, &r->in.t, r->path);
}

static precis_status read_optimizer(pcs_config_reader *r)
{
    pcs_train_config *c = r->c;
    pcs_optimizer_settings *s = &c->settings;
    const pcs_config_number table[] = {
        { "lr", PCS_CONFIG_REAL, 0, 10, &c->rates.lr },
        { "eps", PCS_CONFIG_REAL, 1e-20, 1, &s->eps },
        { "decay", PCS_CONFIG_REAL, 0, 1, &s->decay },
        { "clip", PCS_CONFIG_REAL, 0, 1e9, &c->clip },
        { "momentum", PCS_CONFIG_REAL, 0, 0.999999, &s->momentum },
        { "others_lr", PCS_CONFIG_REAL, 1e-12, 10, &c->others_lr },
    };
    precis_status st = pcs_config_enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found, nesterov;
        char *name = NULL;
        pcs_config_name(r, "optimizer");
        if (pcs_json_is(&r->in.t, "name")) {
            st = pcs_json_file_string(&r->in, r->path, &name);
            c->optimizer = st ? NULL : pcs_optimizer_by_name(name);
            if (!st && !c->optimizer)
                st = pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is no optimizer");
        } else if (pcs_json_is(&r->in.t, "betas")) st = read_betas(r);
        else if (pcs_json_is(&r->in.t, "nesterov")) {
            if (!(st = pcs_config_bool(r, &nesterov))) s->nesterov = nesterov;
        }
        else if (!(st = pcs_config_take(r, table, sizeof table / sizeof *table, &found)) && !found)
            st = pcs_config_unknown(r);
    }
    return st;
}

static precis_status read_schedule(pcs_config_reader *r)
{
    pcs_train_config *c = r->c;
    const pcs_config_number table[] = { { "warmup", PCS_CONFIG_SIZE, 0, 1e12, &c->rates.warmup },
                                        { "final", PCS_CONFIG_REAL, 0, 1, &c->rates.final },
                                        { "second", PCS_CONFIG_REAL, 0, 1, &c->rates.second },
                                        { "decay_until", PCS_CONFIG_REAL, 0, 1, &c->decay_until } };
    precis_status st = pcs_config_enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        char *name = NULL;
        pcs_config_name(r, "schedule");
        if (pcs_json_is(&r->in.t, "name")) {
            st = pcs_json_file_string(&r->in, r->path, &name);
            c->schedule = st ? NULL : pcs_schedule_by_name(name);
            if (!st && !c->schedule) st = pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is no schedule");
        } else if (!(st = pcs_config_take(r, table, sizeof table / sizeof *table, &found)) && !found)
            st = pcs_config_unknown(r);
    }
    return st;
}

precis_status pcs_train_set_compute(precis_ctx *ctx, pcs_train_config *c, const char *name)
{
    c->model.compute = pcs_low_by_name(name);
    return c->model.compute || !strcmp(name, "f32")
               ? PRECIS_OK
               : pcs_fail(ctx, PRECIS_EINVAL, "compute: %.40s is none of f32, bf16, int8, fp8, mxfp4 and nvfp4", name);
}

static precis_status read_compute(pcs_config_reader *r)
{
    const char *name = NULL;
    const precis_status st = pcs_config_string(r, &name);
    if (st || !pcs_train_set_compute(r->ctx, r->c, name)) return st;
    return pcs_config_wrong(r, "is none of f32, bf16, int8, fp8, mxfp4 and nvfp4");
}

/* distill: the divergence from a teacher, mixed with cross entropy. */
static precis_status read_distill(pcs_config_reader *r)
{
    pcs_train_config *c = r->c;
    const pcs_config_number table[] = { { "temperature", PCS_CONFIG_REAL, 0.01, 100, &c->model.temperature },
                                        { "share", PCS_CONFIG_REAL, 0, 1, &c->model.distill } };
    precis_status st = pcs_config_enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        pcs_config_name(r, "distill");
        if (pcs_json_is(&r->in.t, "model")) st = pcs_config_string(r, &c->teacher);
        else if (!(st = pcs_config_take(r, table, 2, &found)) && !found) st = pcs_config_unknown(r);
    }
    return st;
}

/* "2:4": of each 4 weights along a row 2 are left out. */
static precis_status read_pattern(pcs_config_reader *r)
{
    const char *text = NULL;
    const precis_status st = pcs_config_string(r, &text);
    if (st) return st;
    char *colon, *end = NULL;
    const unsigned long out = strtoul(text, &colon, 10), of = *colon == ':' ? strtoul(colon + 1, &end, 10) : 0;
    if (!end || end == colon + 1 || *end || !out || out >= of || of > 1024)
        return pcs_config_wrong(r, "is no N:M, weights that are left out of so many");
    r->c->prune.out = (uint32_t)out;
    r->c->prune.of = (uint32_t)of;
    return PRECIS_OK;
}

static precis_status read_prune(pcs_config_reader *r)
{
    static const char *const methods[] = { "", "magnitude", "wanda", "sparsegpt" };
    pcs_train_prune *p = &r->c->prune;
    const pcs_config_number table[] = { { "from", PCS_CONFIG_REAL, 0, 0.999999, &p->from } };
    precis_status st = pcs_config_enter(r);
    *p = (pcs_train_prune){ PCS_PRUNE_MAGNITUDE, 2, 4, 0 };
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        const char *name = NULL;
        pcs_config_name(r, "prune");
        if (pcs_json_is(&r->in.t, "pattern")) st = read_pattern(r);
        else if (pcs_json_is(&r->in.t, "method")) {
            st = pcs_config_string(r, &name);
            p->method = PCS_PRUNE_NONE;
            for (int i = 1; !st && i < 4; i++)
                if (!strcmp(name, methods[i])) p->method = (pcs_prune_method)i;
            if (!st && !p->method) st = pcs_config_wrong(r, "is none of magnitude, wanda and sparsegpt");
        } else if (!(st = pcs_config_take(r, table, 1, &found)) && !found) st = pcs_config_unknown(r);
    }
    return st;
}

static precis_status read_adapter(pcs_config_reader *r)
{
    pcs_train_config *c = r->c;
    const pcs_config_number table[] = { { "rank", PCS_CONFIG_SIGNED, 1, 4096, &c->model.rank },
                                        { "alpha", PCS_CONFIG_REAL, 1e-3, 1e4, &c->alpha } };
    precis_status st = pcs_config_enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        pcs_config_name(r, "adapter");
        if (!(st = pcs_config_take(r, table, 2, &found)) && !found) st = pcs_config_unknown(r);
    }
    return st;
}

precis_status pcs_train_set_adapter(precis_ctx *ctx, pcs_train_config *c, const char *text)
{
    char *end = NULL, *behind = NULL;
    const long rank = strncmp(text, "r=", 2) ? 0 : strtol(text + 2, &end, 10);
    const bool scaled = end && !strncmp(end, ",alpha=", 7);
    const double alpha = scaled ? strtod(end + 7, &behind) : 0;
    const bool ends = scaled ? behind != end + 7 && !*behind : end && !*end;
    if (!ends || rank < 1 || rank > 4096 || (scaled && !(alpha >= 1e-3 && alpha <= 1e4)))
        return pcs_fail(ctx, PRECIS_EINVAL, "\"%.40s\" is not r=RANK or r=RANK,alpha=ALPHA", text);
    c->model.rank = rank;
    c->alpha = alpha;
    return PRECIS_OK;
}

static precis_status read_all(pcs_config_reader *r)
{
    pcs_train_config *c = r->c;
    const pcs_config_number table[] = { { "steps", PCS_CONFIG_SIZE, 1, 1e12, &c->steps },
                                        { "checkpoint", PCS_CONFIG_SIZE, 1, 1e12, &c->every },
                                        { "seed", PCS_CONFIG_SIZE, 0, 9007199254740992.0, &c->seed } };
    static const struct { const char *key; precis_status (*read)(pcs_config_reader *r);
    } objects[] = {
        { "model", read_model },       { "data", read_data },       { "optimizer", read_optimizer },
        { "schedule", read_schedule }, { "compute", read_compute }, { "quant", pcs_config_read_quant },
        { "distill", read_distill },   { "adapter", read_adapter }, { "prune", read_prune },
    };
    snprintf(r->path, sizeof r->path, "configuration");
    precis_status st = pcs_config_enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found = false;
        pcs_config_name(r, "");
        if (pcs_json_is(&r->in.t, "only")) {
            found = true;
            st = pcs_config_strings(r, c->only, &c->n_only, PCS_TRAIN_PATTERNS, "is no list of at most 32 patterns");
        }
        for (size_t i = 0; i < sizeof objects / sizeof *objects && !found; i++)
            if ((found = pcs_json_is(&r->in.t, objects[i].key))) st = objects[i].read(r);
        if (!found && !(st = pcs_config_take(r, table, 3, &found)) && !found) st = pcs_config_unknown(r);
    }
    if (!st) st = pcs_json_expect(&r->in.j, PCS_JSON_END, &r->in.t, "configuration");
    return st;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static precis_status lacks(precis_ctx *ctx, const char *name, const pcs_train_config *c)
{
    if (c->arrays.n_stack || c->arrays.classes || c->arrays.input[0] || c->arrays.labels || c->arrays.held_labels)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: data.arrays is missing, which nets of arrays are trained on", name);
    const struct {
        const char *key;
        bool lacks;
    } needed[] = {
        { "model.width", !c->from && !c->model.width },
        { "model.layers", !c->from && !c->model.layers },
        { "model.heads", !c->from && !c->model.heads },
        { "model.hidden", !c->from && !c->model.hidden },
        { "data.context", !c->context },
        { "data.batch", !c->batch },
        { "steps", !c->steps },
        { "optimizer.lr", !(c->rates.lr > 0) },
        { "data.text or data.language", !c->n_texts && !c->language },
    };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (needed[i].lacks) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: %s is missing", name, needed[i].key);
    if (c->from && (c->model.width || c->model.layers || c->model.heads || c->model.hidden || c->model.kv_heads))
        return pcs_fail(ctx, PRECIS_EFORMAT,
                        "%s: model.from: the model's file says its sizes, so that they stand there alone", name);
    return PRECIS_OK;
}

/* What the optimizer's row says where the configuration says nothing. */
static precis_status finish_optimizer(precis_ctx *ctx, const char *name, pcs_train_config *c)
{
    if (c->settings.momentum < 0) c->settings.momentum = c->optimizer->momentum;
    if (c->settings.nesterov < 0) c->settings.nesterov = c->optimizer->nesterov;
    if (c->others_lr > 0 && !c->optimizer->others)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: optimizer.others_lr: %s steps all tensors itself", name,
                        c->optimizer->name);
    if (!(c->others_lr > 0)) c->others_lr = c->optimizer->others ? 3e-3 : 0;
    return PRECIS_OK;
}

precis_status pcs_train_config_finish(precis_ctx *ctx, const char *name, pcs_train_config *c)
{
    precis_status st = c->arrays.data ? pcs_train_arrays_check(ctx, name, c) : lacks(ctx, name, c);
    if (!st) st = finish_optimizer(ctx, name, c);
    if (!st) st = pcs_train_quant_check(ctx, name, &c->quant);
    if (!st && c->arrays.data) {
        c->rates.steps = c->steps;
        c->parts = c->context = 1;
        return PRECIS_OK;
    }
    if (st) return st;
    if (!c->model.kv_heads) c->model.kv_heads = c->model.heads;
    c->model.interleaved = !c->model.qk_norm; /* as GGUF has a llama's rows, and a qwen3's */
    c->rates.steps = c->steps;
    if (c->n_texts && c->language)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: data.text and data.language: one or the other", name);
    c->vocabulary_asked = c->model.vocabulary != 0;
    if (!c->vocabulary_asked) c->model.vocabulary = 256;
    if (c->tokenizer && (c->from || c->language))
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: data.tokenizer: a model brings its own, a language has none", name);
    if (c->n_texts && !c->from && c->model.vocabulary < 256)
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                        "%s: model.vocabulary: texts have 256 bytes, and so many tokens at least", name);
    if (c->language && !c->from && (c->heldout || c->model.vocabulary > 256))
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: a language has at most 256 symbols, and held-out text of its own",
                        name);
    if (!c->parts) c->parts = c->batch % 4 == 0 ? 4 : c->batch % 2 == 0 ? 2 : 1;
    if (c->batch % c->parts)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: data.parts: %llu do not divide a batch of %llu", name,
                        (unsigned long long)c->parts, (unsigned long long)c->batch);
    if (!c->teacher) c->model.temperature = 0;
    if (c->model.rank && (!c->from || pcs_train_quantizes(&c->quant) || c->n_only))
        return pcs_fail(ctx, PRECIS_EFORMAT,
                        "%s: adapter: it stands beside a model's weights as they are (model.from), alone", name);
    if (!(c->alpha > 0)) c->alpha = (double)c->model.rank;
    c->model.adapter_scale = c->model.rank ? c->alpha / (double)c->model.rank : 0;
    if (c->context * c->batch > (uint64_t)1 << 26)
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: data.batch: more than 2^26 tokens a step", name);
    if (c->rates.warmup > c->steps)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: schedule.warmup: longer than all steps", name);
    return PRECIS_OK;
}

precis_status pcs_train_config_read(precis_ctx *ctx, pcs_train_config *c, const char *name, const char *text,
                                    size_t len)
{
    *c = (pcs_train_config){ .batch = 8, .seed = 1, .every = 100, .clip = 1, .heldout_tokens = 65536,
                             .language_seed = 7, .decay_until = 1 };
    c->model = (pcs_llama_config){
        .eps = 1e-5, .rope_base = 10000, .w_bits = 16, .a_bits = 16, .kv_bits = 16
    };
    c->optimizer = pcs_optimizer_by_name("adamw");
    c->settings = (pcs_optimizer_settings){ .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .decay = 0.1,
                                            .momentum = -1, .nesterov = -1, .block = 256 };
    c->schedule = pcs_schedule_by_name("cosine");
    c->rates.second = 2.0 / 3;
    c->model.temperature = c->model.distill = 1;
    c->arrays.momentum = 0.1;
    c->quant = (pcs_train_quant){ .estimator = pcs_estimator_by_name("ste"), .a_bits = 16, .kv_bits = 16, .freeze = 1,
                                  .freeze_norm = 0.9, .average = 0.01, .lr = 1, .decay = -1, .range_lr = 1 };
    pcs_arena_init(&c->arena, ctx);
    pcs_config_reader r = { .ctx = ctx, .c = c, .in = { .ctx = ctx, .arena = &c->arena } };
    pcs_json_init(&r.in.j, ctx, text, len);
    ctx->file = name;
    const precis_status st = read_all(&r);
    ctx->file = NULL;
    return st;
}

precis_status pcs_train_config_parse(precis_ctx *ctx, pcs_train_config *c, const char *name, const char *text,
                                     size_t len)
{
    const precis_status st = pcs_train_config_read(ctx, c, name, text, len);
    return st ? st : pcs_train_config_finish(ctx, name, c);
}

void pcs_train_config_close(pcs_train_config *c)
{
    if (c->arena.ctx) pcs_arena_free(&c->arena);
}

static precis_status optimizer_text(const pcs_train_config *c, pcs_buf *b)
{
    const pcs_optimizer_settings *s = &c->settings;
    precis_status st =
        pcs_buf_printf(b,
                       ", \"optimizer\": \"%s\", \"lr\": %.17g, \"betas\": [%.17g, %.17g], \"optimizer_eps\": "
                       "%.17g, \"decay\": %.17g, "
                       "\"momentum\": %.17g, \"nesterov\": %d, \"clip\": %.17g",
                       c->optimizer->name, c->rates.lr, s->beta1, s->beta2, s->eps, s->decay, s->momentum, s->nesterov,
                       c->clip);
    if (!st && c->optimizer->others) st = pcs_buf_printf(b, ", \"others_lr\": %.17g", c->others_lr);
    return st;
}

precis_status pcs_train_config_text(const pcs_train_config *c, pcs_buf *b)
{
    const pcs_llama_config *m = &c->model;
    precis_status st =
        pcs_buf_printf(b,
                       "{\"width\": %lld, \"layers\": %lld, \"heads\": %lld, \"kv_heads\": %lld, \"hidden\": %lld, "
                       "\"vocabulary\": %lld, \"qk_norm\": %d, "
                       "\"eps\": %.17g, \"rope_base\": %.17g",
                       (long long)m->width, (long long)m->layers, (long long)m->heads, (long long)m->kv_heads,
                       (long long)m->hidden, (long long)m->vocabulary, m->qk_norm, m->eps, m->rope_base);
    if (!st)
        st = pcs_buf_printf(b,
                            ", \"language\": %d, \"language_seed\": %llu, \"context\": %llu, \"batch\": %llu, "
                            "\"steps\": %llu, \"seed\": %llu",
                            c->language, (unsigned long long)c->language_seed, (unsigned long long)c->context,
                            (unsigned long long)c->batch, (unsigned long long)c->steps, (unsigned long long)c->seed);
    if (!st) st = optimizer_text(c, b);
    if (!st)
        st = pcs_buf_printf(b, ", \"schedule\": \"%s\", \"warmup\": %llu, \"final\": %.17g", c->schedule->name,
                            (unsigned long long)c->rates.warmup, c->rates.final);
    if (!st && (c->rates.second != 2.0 / 3 || c->decay_until < 1))
        st = pcs_buf_printf(b, ", \"second\": %.17g, \"decay_until\": %.17g", c->rates.second, c->decay_until);
    for (size_t i = 0; i < c->n_only && !st; i++) {
        st = pcs_buf_printf(b, i ? ", " : ", \"only\": [");
        if (!st) st = pcs_json_text(b, c->only[i], strlen(c->only[i]));
        if (!st && i + 1 == c->n_only) st = pcs_buf_printf(b, "]");
    }
    if (!st && c->teacher)
        st = pcs_buf_printf(b, ", \"temperature\": %.17g, \"distill\": %.17g", m->temperature, m->distill);
    if (!st && m->rank) st = pcs_buf_printf(b, ", \"rank\": %lld, \"alpha\": %.17g", (long long)m->rank, c->alpha);
    if (!st && c->prune.method)
        st = pcs_buf_printf(b, ", \"prune\": [%d, %zu, %zu, %.17g]", (int)c->prune.method, c->prune.out, c->prune.of,
                            c->prune.from);
    if (!st) st = pcs_buf_printf(b, ", \"parts\": %llu", (unsigned long long)c->parts);
    if (!st && m->compute) st = pcs_buf_printf(b, ", \"compute\": \"%s\"", m->compute->name);
    if (!st) st = pcs_train_quant_text(&c->quant, b);
    return st ? st : pcs_buf_printf(b, "}");
}
