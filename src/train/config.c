/* config.c - see config.h. Rows of a table say where each number goes and what it may be. */
#include "train/config.h"

#include "base/json_file.h"
#include "plan/plan.h"

#include <stdio.h>

typedef struct {
    precis_ctx *ctx;
    pcs_json_file in;
    pcs_train_config *c;
    char path[96]; /* of the key that is read */
} reader;

typedef struct {
    const char *key;
    enum { WHOLE64, SIZE, REAL } kind;
    double low, high;
    void *to;
} number;

static precis_status unknown(reader *r)
{
    return pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is not known here");
}

/* The path of the key in f->t within `object`. */
static void name_key(reader *r, const char *object)
{
    const int n = r->in.t.len < 48 ? (int)r->in.t.len : 48;
    snprintf(r->path, sizeof r->path, "%s%s%.*s", object, *object ? "." : "", n, r->in.t.text);
}

/* The value of a key of the table; *found: it has one. */
static precis_status take_number(reader *r, const number *table, size_t n, bool *found)
{
    *found = false;
    for (size_t i = 0; i < n; i++) {
        if (!pcs_json_is(&r->in.t, table[i].key)) continue;
        double v = 0;
        *found = true;
        const precis_status st = pcs_json_file_number(&r->in, r->path, table[i].low, table[i].high, &v);
        if (st) return st;
        if (table[i].kind != REAL && v != __builtin_floor(v))
            return pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is no whole number");
        if (table[i].kind == WHOLE64) *(int64_t *)table[i].to = (int64_t)v;
        else if (table[i].kind == SIZE) *(uint64_t *)table[i].to = (uint64_t)v;
        else *(double *)table[i].to = v;
        return PRECIS_OK;
    }
    return PRECIS_OK;
}

static precis_status enter(reader *r) { return pcs_json_expect(&r->in.j, PCS_JSON_OBJECT, &r->in.t, r->path); }

static precis_status read_bool(reader *r, bool *v)
{
    const precis_status st = pcs_json_next(&r->in.j, &r->in.t);
    if (st) return st;
    *v = r->in.t.type == PCS_JSON_TRUE;
    return *v || r->in.t.type == PCS_JSON_FALSE
               ? PRECIS_OK
               : pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is neither true nor false");
}

/* ---- its objects -------------------------------------------------------------------------------- */

static precis_status read_model(reader *r)
{
    pcs_llama_config *m = &r->c->model;
    const number table[] = {
        { "width", WHOLE64, 2, 65536, &m->width },     { "layers", WHOLE64, 1, 1024, &m->layers },
        { "heads", WHOLE64, 1, 4096, &m->heads },      { "kv_heads", WHOLE64, 1, 4096, &m->kv_heads },
        { "hidden", WHOLE64, 1, 1 << 20, &m->hidden }, { "vocabulary", WHOLE64, 2, 1 << 20, &m->vocabulary },
        { "eps", REAL, 1e-12, 0.1, &m->eps },          { "rope_base", REAL, 1, 1e9, &m->rope_base },
    };
    char *arch = NULL;
    precis_status st = enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        name_key(r, "model");
        if (pcs_json_is(&r->in.t, "qk_norm")) st = read_bool(r, &m->qk_norm);
        else if (pcs_json_is(&r->in.t, "arch")) {
            st = pcs_json_file_string(&r->in, r->path, &arch);
            if (!st && strcmp(arch, "llama")) st = pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is not llama");
        } else if (!(st = take_number(r, table, sizeof table / sizeof *table, &found)) && !found) st = unknown(r);
    }
    return st;
}

static precis_status read_texts(reader *r)
{
    precis_status st = pcs_json_expect(&r->in.j, PCS_JSON_ARRAY, &r->in.t, r->path);
    while (!st && !(st = pcs_json_next(&r->in.j, &r->in.t)) && r->in.t.type != PCS_JSON_ARRAY_END) {
        char *text = NULL;
        size_t len;
        if (r->in.t.type != PCS_JSON_STRING || r->c->n_texts == PCS_TRAIN_TEXTS)
            return pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is no list of at most 64 paths");
        st = pcs_json_string(&r->in.j, &r->in.t, r->in.arena, &text, &len);
        if (!st) r->c->texts[r->c->n_texts++] = text;
    }
    return st;
}

static precis_status read_language(reader *r)
{
    const number table[] = { { "seed", SIZE, 0, 4294967295.0, &r->c->language_seed } };
    precis_status st = enter(r);
    r->c->language = true;
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        name_key(r, "data.language");
        if (!(st = take_number(r, table, 1, &found)) && !found) st = unknown(r);
    }
    return st;
}

static precis_status read_data(reader *r)
{
    pcs_train_config *c = r->c;
    const number table[] = {
        { "context", SIZE, 1, 1 << 20, &c->context }, { "batch", SIZE, 1, 1 << 20, &c->batch },
        { "heldout_tokens", SIZE, 1, 1e9, &c->heldout_tokens },
    };
    precis_status st = enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        char *path = NULL;
        name_key(r, "data");
        if (pcs_json_is(&r->in.t, "text")) st = read_texts(r);
        else if (pcs_json_is(&r->in.t, "language")) st = read_language(r);
        else if (pcs_json_is(&r->in.t, "heldout")) {
            st = pcs_json_file_string(&r->in, r->path, &path);
            c->heldout = path;
        } else if (!(st = take_number(r, table, sizeof table / sizeof *table, &found)) && !found) st = unknown(r);
    }
    return st;
}

static precis_status read_betas(reader *r)
{
    double *const to[2] = { &r->c->settings.beta1, &r->c->settings.beta2 };
    precis_status st = pcs_json_expect(&r->in.j, PCS_JSON_ARRAY, &r->in.t, r->path);
    for (int i = 0; i < 2 && !st; i++) {
        st = pcs_json_file_number(&r->in, r->path, 0, 0.999999, to[i]);
    }
    return st ? st : pcs_json_expect(&r->in.j, PCS_JSON_ARRAY_END, &r->in.t, r->path);
}

static precis_status read_optimizer(reader *r)
{
    pcs_train_config *c = r->c;
    pcs_optimizer_settings *s = &c->settings;
    const number table[] = {
        { "lr", REAL, 0, 10, &c->rates.lr }, { "eps", REAL, 1e-20, 1, &s->eps }, { "decay", REAL, 0, 1, &s->decay },
        { "clip", REAL, 0, 1e9, &c->clip }, { "momentum", REAL, 0, 0.999999, &s->momentum },
    };
    precis_status st = enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        char *name = NULL;
        name_key(r, "optimizer");
        if (pcs_json_is(&r->in.t, "name")) {
            st = pcs_json_file_string(&r->in, r->path, &name);
            c->optimizer = st ? NULL : pcs_optimizer_by_name(name);
            if (!st && (!c->optimizer || c->optimizer->matrices))
                st = pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is no optimizer of all tensors");
        } else if (pcs_json_is(&r->in.t, "betas")) st = read_betas(r);
        else if (pcs_json_is(&r->in.t, "nesterov")) st = read_bool(r, &s->nesterov);
        else if (!(st = take_number(r, table, sizeof table / sizeof *table, &found)) && !found) st = unknown(r);
    }
    return st;
}

static precis_status read_schedule(reader *r)
{
    pcs_train_config *c = r->c;
    const number table[] = { { "warmup", SIZE, 0, 1e12, &c->rates.warmup }, { "final", REAL, 0, 1, &c->rates.final } };
    precis_status st = enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        char *name = NULL;
        name_key(r, "schedule");
        if (pcs_json_is(&r->in.t, "name")) {
            st = pcs_json_file_string(&r->in, r->path, &name);
            c->schedule = st ? NULL : pcs_schedule_by_name(name);
            if (!st && !c->schedule) st = pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is no schedule");
        } else if (!(st = take_number(r, table, 2, &found)) && !found) st = unknown(r);
    }
    return st;
}

/* "int8", or as the whole recipe says it, "int8 per token": bits of whole numbers. */
static precis_status read_bits(reader *r, int *bits)
{
    char *text = NULL;
    const precis_status st = pcs_json_file_string(&r->in, r->path, &text);
    if (st) return st;
    const char *rest = !strncmp(text, "int", 3) && text[3] >= '2' && text[3] <= '8' ? text + 4 : text;
    if (rest == text || (*rest && strcmp(rest, " per token")))
        return pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is not int2 to int8");
    *bits = text[3] - '0';
    return PRECIS_OK;
}

/* A type that every matrix of a layer can be stored in is asked for when the net is built. */
static precis_status read_type(reader *r, const char **type)
{
    char *text = NULL;
    const precis_status st = pcs_json_file_string(&r->in, r->path, &text);
    if (st) return st;
    const pcs_format *f = pcs_format_by_name(text);
    if (!f || !pcs_encodable(f))
        return pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is no type that can be written");
    *type = f->name;
    return PRECIS_OK;
}

static precis_status read_estimator(reader *r)
{
    char *text = NULL;
    const precis_status st = pcs_json_file_string(&r->in, r->path, &text);
    if (st || !strcmp(text, "ste")) return st;
    return pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is not ste, which is all that this build trains a net with");
}

static precis_status read_quant(reader *r)
{
    pcs_llama_config *m = &r->c->model;
    const number table[] = { { "from", REAL, 0, 1, &r->c->quant_from } };
    precis_status st = enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        name_key(r, "quant");
        if (pcs_json_is(&r->in.t, "weights")) st = read_type(r, &m->w_type);
        else if (pcs_json_is(&r->in.t, "activations")) st = read_bits(r, &m->a_bits);
        else if (pcs_json_is(&r->in.t, "kv")) st = read_bits(r, &m->kv_bits);
        else if (pcs_json_is(&r->in.t, "estimator")) st = read_estimator(r);
        else if (!(st = take_number(r, table, 1, &found)) && !found) st = unknown(r);
    }
    return st;
}

static precis_status read_compute(reader *r)
{
    char *name = NULL;
    const precis_status st = pcs_json_file_string(&r->in, r->path, &name);
    if (st || !strcmp(name, "f32")) return st;
    return pcs_json_fail(&r->in.j, r->in.t.text, r->path, "is not f32, which is all that this build trains in");
}

static precis_status read_all(reader *r)
{
    pcs_train_config *c = r->c;
    const number table[] = { { "steps", SIZE, 1, 1e12, &c->steps }, { "checkpoint", SIZE, 1, 1e12, &c->every },
                             { "seed", SIZE, 0, 9007199254740992.0, &c->seed } };
    static const struct { const char *key; precis_status (*read)(reader *r);
    } objects[] = {
        { "model", read_model },       { "data", read_data },       { "optimizer", read_optimizer },
        { "schedule", read_schedule }, { "compute", read_compute }, { "quant", read_quant },
    };
    snprintf(r->path, sizeof r->path, "configuration");
    precis_status st = enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found = false;
        name_key(r, "");
        for (size_t i = 0; i < sizeof objects / sizeof *objects && !found; i++)
            if ((found = pcs_json_is(&r->in.t, objects[i].key))) st = objects[i].read(r);
        if (!found && !(st = take_number(r, table, 3, &found)) && !found) st = unknown(r);
    }
    if (!st) st = pcs_json_expect(&r->in.j, PCS_JSON_END, &r->in.t, "configuration");
    return st;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static precis_status complete(precis_ctx *ctx, const char *name, const pcs_train_config *c)
{
    const struct {
        const char *key;
        bool lacks;
    } needed[] = {
        { "model.width", !c->model.width },
        { "model.layers", !c->model.layers },
        { "model.heads", !c->model.heads },
        { "model.hidden", !c->model.hidden },
        { "data.context", !c->context },
        { "data.batch", !c->batch },
        { "steps", !c->steps },
        { "optimizer.lr", !(c->rates.lr > 0) },
        { "data.text or data.language", !c->n_texts && !c->language },
    };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (needed[i].lacks) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: %s is missing", name, needed[i].key);
    if (c->n_texts && c->language)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: data.text and data.language: one or the other", name);
    if (c->n_texts && c->model.vocabulary != 256)
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: model.vocabulary: texts are read as bytes, so that it is 256",
                        name);
    if (c->language && (c->heldout || c->model.vocabulary > 256))
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: a language has at most 256 symbols, and held-out text of its own",
                        name);
    if (c->context * c->batch > (uint64_t)1 << 26)
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: data.batch: more than 2^26 tokens a step", name);
    const pcs_format *f = c->model.w_type ? pcs_format_by_name(c->model.w_type) : NULL;
    const uint64_t rows[2] = { (uint64_t)c->model.width, (uint64_t)c->model.hidden };
    for (int i = 0; f && i < 2; i++)
        if (!pcs_format_fits(f, rows[i]))
            return pcs_fail(ctx, PRECIS_EFORMAT,
                            "%s: quant.weights: rows of %llu do not fit %s, whose blocks are of %u", name,
                            (unsigned long long)rows[i], f->name, f->block);
    if (c->rates.warmup > c->steps)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: schedule.warmup: longer than all steps", name);
    return PRECIS_OK;
}

precis_status pcs_train_config_parse(precis_ctx *ctx, pcs_train_config *c, const char *name, const char *text,
                                     size_t len)
{
    *c = (pcs_train_config){
        .batch = 8, .seed = 1, .every = 100, .clip = 1, .heldout_tokens = 65536, .language_seed = 7
    };
    c->model = (pcs_llama_config){
        .vocabulary = 256, .eps = 1e-5, .rope_base = 10000, .w_bits = 16, .a_bits = 16, .kv_bits = 16
    };
    c->optimizer = pcs_optimizer_by_name("adamw");
    c->settings = (pcs_optimizer_settings){ .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .decay = 0.1, .block = 256 };
    c->schedule = pcs_schedule_by_name("cosine");
    pcs_arena_init(&c->arena, ctx);
    reader r = { .ctx = ctx, .c = c, .in = { .ctx = ctx, .arena = &c->arena } };
    pcs_json_init(&r.in.j, ctx, text, len);
    ctx->file = name;
    precis_status st = read_all(&r);
    ctx->file = NULL;
    if (!st && !c->model.kv_heads) c->model.kv_heads = c->model.heads;
    c->model.interleaved = !c->model.qk_norm; /* as GGUF has a llama's rows, and a qwen3's */
    c->rates.steps = c->steps;
    return st ? st : complete(ctx, name, c);
}

void pcs_train_config_close(pcs_train_config *c)
{
    if (c->arena.ctx) pcs_arena_free(&c->arena);
}

precis_status pcs_train_config_text(const pcs_train_config *c, pcs_buf *b)
{
    const pcs_llama_config *m = &c->model;
    const pcs_optimizer_settings *s = &c->settings;
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
    if (!st)
        st = pcs_buf_printf(b,
                            ", \"optimizer\": \"%s\", \"lr\": %.17g, \"betas\": [%.17g, %.17g], \"optimizer_eps\": "
                            "%.17g, \"decay\": %.17g, "
                            "\"momentum\": %.17g, \"nesterov\": %d, \"clip\": %.17g",
                            c->optimizer->name, c->rates.lr, s->beta1, s->beta2, s->eps, s->decay, s->momentum,
                            s->nesterov, c->clip);
    if (!st)
        st = pcs_buf_printf(b, ", \"schedule\": \"%s\", \"warmup\": %llu, \"final\": %.17g", c->schedule->name,
                            (unsigned long long)c->rates.warmup, c->rates.final);
    if (!st && (m->w_type || m->a_bits <= 8 || m->kv_bits <= 8))
        st = pcs_buf_printf(b, ", \"weights\": \"%s\", \"activations\": %d, \"kv\": %d, \"from\": %.17g",
                            m->w_type ? m->w_type : "", m->a_bits, m->kv_bits, c->quant_from);
    return st ? st : pcs_buf_printf(b, "}");
}
