/* checkpoint.c - see checkpoint.h. */
#include "train/checkpoint.h"

#include "base/file.h"
#include "base/json.h"
#include "write/write.h"

#include <stdio.h>

#define STEP "precis.train.step"
#define ASKED "precis.train.asked"
enum { MOST_KEYS = 24 };

/* "precis.train:blk.0.attn_q.weight": the optimizer's state. Behind a colon nothing is taken for a name of the net. */
static void state_name(const pcs_trained *p, char *name, size_t room)
{
    snprintf(name, room, "precis.train:%s", p->name);
}

/* "precis.value:blk.0.attn_q.weight": numbers of a parameter that is no part of the net, or that the net has as a type
 * takes it. */
static void value_name(const pcs_trained *p, char *name, size_t room)
{
    snprintf(name, room, "precis.value:%s", p->name);
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* What a tensor of the file is of. */
typedef struct { const void *data; size_t bytes; } content;

typedef struct {
    const pcs_train_state *s;
    const pcs_train_config *c;
    pcs_gguf_tensor *t;
    content *contents;
    char (*tensor_names)[96];
    size_t n;
    pcs_key *all;  /* the origin's, and these */
    pcs_key keys[MOST_KEYS];
    char names[MOST_KEYS][64];
    size_t n_keys;
    float adapter_scale;
    char bytes[256][4]; /* of texts: the tokens */
    pcs_text tokens[256];
    int32_t kinds[256];
} file;

static pcs_key *add_key(file *f, const char *prefix, const char *name, pcs_key_type type)
{
    pcs_key *k = &f->keys[f->n_keys];
    char *to = f->names[f->n_keys++];
    snprintf(to, sizeof f->names[0], "%s%s%s", prefix, *prefix ? "." : "", name);
    *k = (pcs_key){ .name = to, .type = type };
    return k;
}

static void add_text(file *f, const char *name, const char *text)
{
    add_key(f, "", name, PCS_KEY_STRING)->v.text = (pcs_text){ text, strlen(text) };
}

/* Tokens that are bytes, as GPT-2's alphabet writes them, and no merges: token i is byte i. */
static void add_bytes(file *f)
{
    uint32_t next = 256;
    for (uint32_t i = 0; i < 256; i++) {
        const bool printable = (i >= 33 && i <= 126) || (i >= 161 && i != 173);
        f->tokens[i] = (pcs_text){ f->bytes[i], pcs_utf8_put(printable ? i : next++, f->bytes[i]) };
        f->kinds[i] = 1; /* a normal one */
    }
    add_text(f, "tokenizer.ggml.model", "gpt2");
    add_text(f, "tokenizer.ggml.pre", "gpt-2");
    pcs_key *k = add_key(f, "", "tokenizer.ggml.tokens", PCS_KEY_ARRAY);
    k->item = PCS_KEY_STRING, k->n = 256, k->v.texts = f->tokens;
    k = add_key(f, "", "tokenizer.ggml.token_type", PCS_KEY_ARRAY);
    k->item = PCS_KEY_I32, k->n = 256, k->v.items = f->kinds;
    k = add_key(f, "", "tokenizer.ggml.merges", PCS_KEY_ARRAY);
    k->item = PCS_KEY_STRING, k->n = 0, k->v.texts = f->tokens;
    add_key(f, "", "tokenizer.ggml.add_bos_token", PCS_KEY_BOOL)->v.u = 0;
}

/* Of a net that was made here. */
static void add_keys(file *f, const pcs_train_config *c)
{
    const pcs_llama_config *m = &c->model;
    const char *arch = m->qk_norm ? "qwen3" : "llama";
    const struct { const char *name; uint64_t value;
    } whole[] = {
        { "context_length", c->context },
        { "embedding_length", (uint64_t)m->width },
        { "block_count", (uint64_t)m->layers },
        { "feed_forward_length", (uint64_t)m->hidden },
        { "attention.head_count", (uint64_t)m->heads },
        { "attention.head_count_kv", (uint64_t)m->kv_heads },
        { "attention.key_length", (uint64_t)(m->width / m->heads) },
        { "attention.value_length", (uint64_t)(m->width / m->heads) },
        { "rope.dimension_count", (uint64_t)(m->width / m->heads) },
        { "vocab_size", (uint64_t)m->vocabulary },
    };
    add_text(f, "general.architecture", arch);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        add_key(f, arch, whole[i].name, PCS_KEY_U32)->v.u = whole[i].value;
    add_key(f, arch, "attention.layer_norm_rms_epsilon", PCS_KEY_F32)->v.f = m->eps;
    add_key(f, arch, "rope.freq_base", PCS_KEY_F32)->v.f = m->rope_base;
    if (c->language) f->keys[f->n_keys++] = pcs_no_tokenizer; /* its symbols are no text */
    else if (!f->s->words) add_bytes(f);
}

/* Keys of the model that it began with, but for those that say how it was quantized. */
static bool kept(const pcs_key *k)
{
    static const char *const gone[] = { "general.file_type", "general.quantization_version", "precis.manifest",
                                        "precis.activations", "precis.kv", STEP, ASKED };
    if (pcs_gguf_drops(k)) return false;
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        if (!strcmp(k->name, gone[i])) return false;
    return true;
}

static precis_status all_keys(precis_ctx *ctx, file *f)
{
    const precis_model *m = f->s->origin ? f->s->origin : f->s->words;
    if (!f->s->origin) add_keys(f, f->c);
    else if (!pcs_model_key(m, "tokenizer.ggml.model") && !pcs_model_key(m, pcs_no_tokenizer.name))
        f->keys[f->n_keys++] = pcs_no_tokenizer;
    add_key(f, "", STEP, PCS_KEY_U64)->v.u = f->s->step;
    add_text(f, ASKED, f->s->asked);
    const size_t own = f->n_keys, room = own + (m ? m->n_keys : 0);
    f->all = pcs_alloc(ctx, room, sizeof *f->all);
    if (!f->all) return PRECIS_ENOMEM;
    f->n_keys = 0;
    for (size_t i = 0; m && i < m->n_keys; i++)
        if (kept(&m->keys[i]) && (f->s->origin || !strncmp(m->keys[i].name, "tokenizer.", 10)))
            f->all[f->n_keys++] = m->keys[i];
    memcpy(f->all + f->n_keys, f->keys, own * sizeof *f->all);
    f->n_keys += own;
    return PRECIS_OK;
}

/* A tensor of the file: shape as a parameter's, or `bytes` bytes. */
static void add_tensor(file *f, const char *name, const pcs_trained *p, const void *data, size_t bytes)
{
    pcs_gguf_tensor *t = &f->t[f->n];
    snprintf(f->tensor_names[f->n], sizeof *f->tensor_names, "%s", name);
    *t = (pcs_gguf_tensor){ .name = f->tensor_names[f->n], .format = pcs_format_by_name(p ? "F32" : "I8"),
                            .dims = p ? p->dims : 1, .ne = { (int64_t)bytes }, .bytes = bytes };
    for (uint32_t k = 0; p && k < p->dims; k++) t->ne[k] = p->shape[p->dims - 1 - k];
    f->contents[f->n++] = (content){ data, bytes };
}

/* The net as it is served: what types encode, and what stands beside weights. */
static void add_net(file *f)
{
    const pcs_train_state *s = f->s;
    for (size_t i = 0; i < s->llama.n; i++) {
        const pcs_trained *p = &s->llama.parameters[i];
        if (p->kind <= PCS_TRAINED_ADAPTER)
            add_tensor(f, p->name, p, s->served[i] ? s->served[i] : p->data, p->n * sizeof(float));
        if (p->kind != PCS_TRAINED_ADAPTER || !pcs_trained_first(p)) continue;
        char name[96]; /* of each pair once: what its product counts */
        snprintf(name, sizeof name, "%.*sscale", (int)strlen(p->name) - 1, p->name);
        const pcs_trained number = { .dims = 1, .shape = { 1 } };
        add_tensor(f, name, &number, &f->adapter_scale, sizeof f->adapter_scale);
    }
    const pcs_tensor *factors = s->origin ? pcs_model_tensor(s->origin, "rope_freqs.weight") : NULL;
    const pcs_trained vector = { .dims = 1, .shape = { factors ? factors->ne[0] : 0 } };
    if (factors) add_tensor(f, factors->name, &vector, factors->data, factors->bytes);
}

static void add_rest(file *f)
{
    const pcs_train_state *s = f->s;
    char name[96];
    for (size_t i = 0; i < s->llama.n; i++) {
        const pcs_trained *p = &s->llama.parameters[i];
        value_name(p, name, sizeof name);
        if (p->kind > PCS_TRAINED_ADAPTER || s->served[i]) add_tensor(f, name, p, p->data, p->n * sizeof(float));
        state_name(p, name, sizeof name);
        if (s->bytes[i]) add_tensor(f, name, NULL, s->state[i], s->bytes[i]);
    }
}

static precis_status fill(void *user, pcs_out *o, size_t i)
{
    const content *c = &((const file *)user)->contents[i];
    return pcs_out_add(o, c->data, c->bytes);
}

precis_status pcs_checkpoint_write(precis_ctx *ctx, const char *path, const pcs_train_config *c,
                                   const pcs_train_state *s, char *sha256)
{
    const size_t most = 4 * s->llama.n + 2;
    file *f = pcs_alloc(ctx, 1, sizeof *f);
    if (!f) return PRECIS_ENOMEM;
    f->s = s;
    f->c = c;
    f->adapter_scale = (float)c->model.adapter_scale;
    f->t = pcs_alloc(ctx, most, sizeof *f->t);
    f->contents = pcs_alloc(ctx, most, sizeof *f->contents);
    f->tensor_names = pcs_alloc(ctx, most, sizeof *f->tensor_names);
    precis_status st = f->t && f->contents && f->tensor_names ? all_keys(ctx, f) : PRECIS_ENOMEM;
    if (!st) {
        add_net(f);
        add_rest(f);
        const pcs_gguf_file g = { .keys = f->all,
                                  .n_keys = f->n_keys,
                                  .tensors = f->t,
                                  .n_tensors = f->n,
                                  .fill = fill,
                                  .user = f,
                                  .sha256 = sha256 };
        st = pcs_write_gguf(ctx, path, &g, NULL);
    }
    pcs_free(ctx, f->t);
    pcs_free(ctx, f->contents);
    pcs_free(ctx, f->tensor_names);
    pcs_free(ctx, f->all);
    pcs_free(ctx, f);
    return st;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static const pcs_tensor *find(const precis_model *m, const char *name)
{
    const pcs_tensor *t = pcs_model_tensor(m, name);
    for (size_t i = 0; i < m->n_extras && !t; i++)
        if (!strcmp(m->extras[i].name, name)) t = &m->extras[i];
    return t;
}

static precis_status take(precis_ctx *ctx, const precis_model *m, const char *name, const char *format, void *to,
                          size_t bytes)
{
    const pcs_tensor *t = find(m, name);
    if (!t || strcmp(t->format->name, format) || t->bytes != bytes || !t->data)
        return pcs_fail(ctx, PRECIS_EFORMAT,
                        "%s: tensor %s is not there as %s of %zu bytes: is it a checkpoint of this run?", m->path, name,
                        format, bytes);
    memcpy(to, t->data, bytes);
    return PRECIS_OK;
}

static precis_status digest(precis_ctx *ctx, const precis_model *m, char *sha256)
{
    (void)ctx;
    pcs_sha256 h;
    pcs_sha256_begin(&h);
    for (uint32_t i = 0; i < m->n_files; i++) pcs_sha256_add(&h, m->files[i].map, m->files[i].size);
    pcs_sha256_end(&h, sha256);
    return PRECIS_OK;
}

precis_status pcs_checkpoint_read(precis_ctx *ctx, const char *path, pcs_train_state *s, char *sha256)
{
    precis_model *m = NULL;
    precis_status st = precis_model_open_to_run(ctx, &m, path);
    if (st) return st;
    bool has_step = false;
    const int64_t step = pcs_model_int(m, STEP, -1, &has_step);
    const char *asked = pcs_model_string(m, ASKED);
    if (!has_step || step < 0 || !asked)
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s is no checkpoint of precis train", path);
    else if (strcmp(asked, s->asked))
        st = pcs_fail(
            ctx, PRECIS_EFORMAT,
            "%s was trained by another configuration, or on other data; give it another output: it asks for %.400s",
            path, asked);
    for (size_t i = 0; i < s->llama.n && !st; i++) {
        const pcs_trained *p = &s->llama.parameters[i];
        char name[96];
        value_name(p, name, sizeof name);
        const bool beside = p->kind > PCS_TRAINED_ADAPTER || find(m, name);
        st = take(ctx, m, beside ? name : p->name, "F32", p->data, p->n * sizeof(float));
        state_name(p, name, sizeof name);
        if (!st && s->bytes[i]) st = take(ctx, m, name, "I8", s->state[i], s->bytes[i]);
    }
    if (!st) s->step = (uint64_t)step;
    if (!st) st = digest(ctx, m, sha256);
    precis_model_close(&m);
    return st;
}
