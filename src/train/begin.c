/* begin.c - how a run begins: its configuration with what options say instead, its data, its parameters. */
#include "base/fmath.h"
#include "base/builtins.h"
#include "base/json.h"
#include "model/roles.h"
#include "train/arrays.h"
#include "train/pretrained.h"
#include "train/run.h"
#include "train/words.h"

/* ---- parameters --------------------------------------------------------------------------------- */

/* Norms begin at 1; the embedding at .02; matrices at 1 / sqrt(their inputs), those that end a branch less by the
 * branches' number (GPT-2, section 2.3). */
static void initialize(const pcs_train_config *c, const pcs_trained *p, size_t index)
{
    const pcs_tensor_role role = pcs_place_of(p->name).role;
    const bool last = role == PCS_ROLE_attn_output || role == PCS_ROLE_ffn_down;
    if (p->kind >= PCS_TRAINED_RANGE) return;
    if (p->kind ==
        PCS_TRAINED_ADAPTER) { /* B begins at 0, so that nothing changes at first (2106.09685, section 4.1) */
        const double size = 1 / pcs_sqrt((double)p->shape[1]);
        if (pcs_trained_first(p))
            pcs_train_normal(p->data, p->n, c->seed * 0x9e3779b97f4a7c15u + 0x51ed270b0a1f39c1u * (index + 1), size);
        return;
    }
    if (p->dims == 1) {
        for (size_t i = 0; i < p->n; i++) p->data[i] = 1;
        return;
    }
    double deviation = index ? 1 / pcs_sqrt((double)p->shape[1]) : 0.02;
    if (last) deviation /= pcs_sqrt(2.0 * (double)c->model.layers);
    pcs_train_normal(p->data, p->n, c->seed * 0x9e3779b97f4a7c15u + 0x51ed270b0a1f39c1u * (index + 1), deviation);
}

static precis_status open_parameter(pcs_train_run *t, size_t i)
{
    pcs_train_state *s = &t->s;
    pcs_trained *p = &s->llama.parameters[i];
    const bool updated = !p->fixed && p->kind < PCS_TRAINED_OBSERVED;
    size_t rows;
    const pcs_optimizer *by = pcs_train_optimizer(&t->c, p, &rows);
    s->bytes[i] = updated ? by->bytes(&t->c.settings, rows, p->n / rows) : 0;
    p->data = pcs_arena_alloc(&t->arena, p->n, sizeof *p->data);
    s->state[i] = s->bytes[i] ? pcs_arena_alloc(&t->arena, s->bytes[i], 1) : NULL;
    if (!p->data || (s->bytes[i] && !s->state[i])) return PRECIS_ENOMEM;
    if (!t->arrays && (!t->origin || p->kind == PCS_TRAINED_ADAPTER)) initialize(&t->c, p, i);
    if (s->bytes[i] && by->begin)
        by->begin(
            &(pcs_update){ .rows = rows, .columns = p->n / rows, .state = s->state[i], .set = &t->c.settings });
    return PRECIS_OK;
}

/* Memory of all parameters and their optimizer's states. */
static precis_status open_parameters(pcs_train_run *t)
{
    pcs_train_state *s = &t->s;
    precis_status st = PRECIS_OK;
    const size_t n = s->llama.n;
    s->state = pcs_arena_alloc(&t->arena, n, sizeof *s->state);
    s->bytes = pcs_arena_alloc(&t->arena, n, sizeof *s->bytes);
    s->served = pcs_arena_alloc(&t->arena, n, sizeof *s->served);
    t->all = pcs_arena_alloc(&t->arena, n, sizeof *t->all);
    if (!s->state || !s->bytes || !s->served || !t->all) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n && !st; i++) st = open_parameter(t, i);
    return st;
}

static precis_status open_state(pcs_train_run *t)
{
    pcs_train_state *s = &t->s;
    precis_status st = pcs_llama_open(t->ctx, &s->llama, &t->c.model);
    if (!st) st = pcs_train_set_types(t);
    if (!st) st = pcs_llama_add_ranges(t->ctx, &s->llama, &t->c.model);
    if (!st && t->c.model.rank) st = pcs_llama_add_adapters(t->ctx, &s->llama, &t->c.model);
    if (!st) st = open_parameters(t);
    return st || !t->origin ? st : pcs_pretrained_read(t->ctx, t->origin, &s->llama);
}

/* ---- the configuration --------------------------------------------------------------------------- */

/* What the options say stands instead of what the file says. */
static precis_status take_options(pcs_train_run *t)
{
    const precis_train_options *o = t->opt;
    pcs_train_config *c = &t->c;
    if (o->from) c->from = o->from;
    if (o->distill) c->teacher = o->distill;
    if (o->adapter) {
        const precis_status st = pcs_train_set_adapter(t->ctx, c, o->adapter);
        if (st) return st;
    }
    if (o->plan) c->quant.plan = o->plan, c->quant.weights = NULL;
    if (o->estimator && !(c->quant.estimator = pcs_estimator_by_name(o->estimator)))
        return pcs_fail(t->ctx, PRECIS_EINVAL, "\"%.40s\" is no estimator; precis list estimators has them",
                        o->estimator);
    for (size_t i = 0; i < o->n_only; i++) {
        if (!i) c->n_only = 0;
        if (c->n_only == PCS_TRAIN_PATTERNS) return pcs_fail(t->ctx, PRECIS_EINVAL, "more than 32 patterns");
        c->only[c->n_only++] = o->only[i];
    }
    if (o->compute) {
        const precis_status st = pcs_train_set_compute(t->ctx, c, o->compute);
        if (st) return st;
    }
    if (!o->qat) return PRECIS_OK;
    c->quant.plan = NULL;
    return pcs_train_set_weights(t->ctx, c, o->qat);
}

static precis_status open_origin(pcs_train_run *t)
{
    pcs_train_config *c = &t->c;
    precis_status st = precis_model_open_to_run(t->ctx, &t->origin, c->from);
    if (!st) st = pcs_pretrained_config(t->origin, &c->model, &t->arena);
    if (!st && c->language && c->model.vocabulary > 256)
        st = pcs_fail(t->ctx, PRECIS_EFORMAT, "%s: a language has at most 256 symbols, the model %lld", c->from,
                      (long long)c->model.vocabulary);
    return st;
}

/* A tokenizer of the run's own: a file's, or what its texts give. */
static precis_status open_words(pcs_train_run *t)
{
    pcs_train_config *c = &t->c;
    precis_status st =
        pcs_words_open(t->ctx, &t->words, c->texts, c->n_texts, (uint32_t)c->model.vocabulary, c->tokenizer);
    const pcs_key *tokens = st ? NULL : pcs_model_key(t->words, "tokenizer.ggml.tokens");
    const int64_t n = tokens ? (int64_t)tokens->n : 0;
    if (!st && c->vocabulary_asked && n != c->model.vocabulary)
        return pcs_fail(t->ctx, PRECIS_EFORMAT, "model.vocabulary: the tokenizer has %lld tokens, not %lld",
                        (long long)n, (long long)c->model.vocabulary);
    c->model.vocabulary = n;
    return st;
}

/* The teacher's tokenizer, which its student must have. */
static precis_status take_words(pcs_train_run *t)
{
    const pcs_key *tokens = pcs_model_key(pcs_teacher_model(t->teacher), "tokenizer.ggml.tokens");
    const int64_t n = tokens ? (int64_t)tokens->n : 0;
    if (t->c.vocabulary_asked && n != t->c.model.vocabulary)
        return pcs_fail(t->ctx, PRECIS_EFORMAT, "model.vocabulary: the teacher has %lld tokens, not %lld", (long long)n,
                        (long long)t->c.model.vocabulary);
    t->c.model.vocabulary = n;
    return pcs_model_copy(t->ctx, &t->words, pcs_teacher_model(t->teacher));
}

static precis_status read_config(pcs_train_run *t, const char *path)
{
    char *text = NULL;
    size_t len;
    precis_status st = pcs_file_slurp(t->ctx, path, PCS_LIMIT_JSON, &text, &len);
    if (st) return st;
    st = pcs_train_config_read(t->ctx, &t->c, path, text, len);
    pcs_free(t->ctx, text);
    if (!st) st = take_options(t);
    return st ? st : pcs_train_config_finish(t->ctx, path, &t->c);
}

/* What decides the bytes of a checkpoint: the configuration, the data, the model that it begins with. */
static precis_status write_asked(pcs_train_run *t)
{
    precis_status st = pcs_train_config_text(&t->c, &t->asked);
    if (!st && t->arrays) st = pcs_train_arrays_text(&t->c, &t->asked);
    if (!st) st = pcs_buf_printf(&t->asked, " %s", t->data.sha256);
    char hex[65];
    if (!st && t->origin && !(st = precis_model_sha256(t->origin, hex))) st = pcs_buf_printf(&t->asked, " %s", hex);
    if (!st && t->teacher && !(st = precis_model_sha256(pcs_teacher_model(t->teacher), hex)))
        st = pcs_buf_printf(&t->asked, " %s", hex);
    if (!st && t->arrays && t->c.from && !(st = precis_sha256_file(t->ctx, t->c.from, hex)))
        st = pcs_buf_printf(&t->asked, " %s", hex);
    t->s.asked = t->asked.data;
    return st;
}

/* Of all samples and labels. */
static void digest_samples(pcs_train_run *t)
{
    const pcs_array_set *sets[] = { &t->arrays->set, &t->arrays->held };
    pcs_sha256 h;
    pcs_sha256_begin(&h);
    for (int i = 0; i < 2; i++) {
        pcs_sha256_add(&h, sets[i]->x, (size_t)sets[i]->n * sets[i]->each * sizeof(float));
        pcs_sha256_add(&h, sets[i]->labels, (size_t)sets[i]->n * sizeof(int32_t));
    }
    pcs_sha256_end(&h, t->data.sha256);
}

static precis_status begin_arrays(pcs_train_run *t)
{
    const pcs_train_config *c = &t->c;
    pcs_arrays *a = t->arrays = pcs_arena_alloc(&t->arena, 1, sizeof *a);
    if (!a) return PRECIS_ENOMEM;
    t->family = &pcs_train_arrays_family;
    precis_status st = pcs_arrays_read(t->ctx, c->arrays.data, c->arrays.labels, &a->set);
    if (!st && c->heldout) st = pcs_arrays_read(t->ctx, c->heldout, c->arrays.held_labels, &a->held);
    if (!st) st = pcs_arrays_open_net(t);
    if (!st) digest_samples(t);
    if (!st) st = write_asked(t);
    if (!st) st = pcs_arrays_plan(t);
    if (!st) st = pcs_train_set_types(t);
    if (!st) st = pcs_arrays_plan_codes(t);
    if (!st) st = open_parameters(t);
    return st ? st : pcs_arrays_take_numbers(t);
}

precis_status pcs_train_begin(pcs_train_run *t, const char *path)
{
    pcs_buf_init(&t->asked, t->ctx, PCS_LIMIT_JSON);
    pcs_buf_init(&t->planned, t->ctx, PCS_LIMIT_JSON);
    precis_status st = read_config(t, path);
    if (!st && t->c.arrays.data) return begin_arrays(t);
    if (!st && t->c.from) st = open_origin(t);
    if (!st && t->c.quant.plan) st = pcs_train_read_plan(t, t->c.quant.plan);
    if (st) return st;
    t->c.model.estimator = t->c.quant.estimator;
    t->c.model.a_bits = t->c.quant.a_bits;
    t->c.model.kv_bits = t->c.quant.kv_bits;
    t->c.model.cached = true;
    t->c.model.a_scale = t->c.quant.a_scale;
    if (t->c.teacher && (st = pcs_teacher_open(t->ctx, &t->teacher, t->c.teacher))) return st;
    if (!t->origin && t->teacher && !t->c.language && !t->c.tokenizer) st = take_words(t);
    else if (!t->origin && (t->c.tokenizer || (!t->c.language && t->c.model.vocabulary != 256))) st = open_words(t);
    if (!st) st = pcs_train_data_open(t->ctx, &t->data, &t->c, t->origin ? t->origin : t->words);
    if (!st) st = write_asked(t);
    t->s.origin = t->origin;
    t->s.words = t->words;
    if (!st) st = open_state(t);
    return st || !t->teacher ? st : pcs_teacher_begin(t->ctx, t->teacher, &t->c);
}
