/* model.c - the container. */
#include "model/finite.h"
#include "base/f16.h"
#include "base/json.h"
#include "base/options.h"
#include "base/pool.h"

#include <stdio.h>

precis_status pcs_model_new(precis_ctx *ctx, precis_model **out, const char *path, const char *container)
{
    precis_model *m = pcs_alloc(ctx, 1, sizeof *m);
    *out = m;
    if (!m) return PRECIS_ENOMEM;
    m->ctx = ctx;
    pcs_arena_init(&m->arena, ctx);
    pcs_map_init(&m->key_map, ctx);
    pcs_map_init(&m->tensor_map, ctx);
    pcs_map_init(&m->source_map, ctx);
    m->container = container;
    m->alignment = 32;
    m->path = pcs_arena_copy(&m->arena, path, strlen(path));
    return m->path ? pcs_finite_open(m, NULL) : PRECIS_ENOMEM;
}

void precis_model_close(precis_model **model)
{
    if (!model || !*model) return;
    precis_model *m = *model;
    precis_ctx *ctx = m->ctx;
    for (uint32_t i = 0; i < m->n_files; i++) pcs_file_close(ctx, &m->files[i]);
    pcs_free(ctx, m->files);
    pcs_map_free(&m->key_map);
    pcs_map_free(&m->tensor_map);
    pcs_map_free(&m->source_map);
    pcs_free(ctx, m->keys);
    pcs_free(ctx, m->tensors);
    pcs_arena_free(&m->arena);
    pcs_free(ctx, m);
    *model = NULL;
}

precis_status pcs_model_copy(precis_ctx *ctx, precis_model **out, const precis_model *m)
{
    precis_status st = pcs_model_new(ctx, out, m->path, m->container);
    if (st) return st;
    precis_model *c = *out;
    c->origin = m->origin ? m->origin : m;
    c->net = m->net;
    c->alignment = m->alignment;
    c->gguf_version = m->gguf_version;
    st = pcs_finite_open(c, m);
    c->keys = pcs_alloc(ctx, m->n_keys + 1, sizeof *c->keys);
    c->tensors = pcs_alloc(ctx, m->n_tensors + 1, sizeof *c->tensors);
    if (!st && (!c->keys || !c->tensors)) st = PRECIS_ENOMEM;
    if (!st) {
        if (m->n_keys) memcpy(c->keys, m->keys, m->n_keys * sizeof *c->keys); /* a net of its own needs none */
        if (m->n_tensors) memcpy(c->tensors, m->tensors, m->n_tensors * sizeof *c->tensors);
        c->n_keys = m->n_keys;
        c->cap_keys = m->n_keys + 1;
        c->n_tensors = m->n_tensors;
        c->cap_tensors = m->n_tensors + 1;
        st = pcs_model_index(c);
    }
    if (st) precis_model_close(out);
    return st;
}

precis_status pcs_model_add_file(precis_model *m, const char *path, pcs_file **out)
{
    pcs_file *files = pcs_grow(m->ctx, m->files, m->n_files * sizeof *files, m->n_files + 1, sizeof *files);
    if (!files) return PRECIS_ENOMEM;
    m->files = files;
    const precis_status st = pcs_file_open(m->ctx, &files[m->n_files], path);
    if (st != PRECIS_OK) return st;
    *out = &files[m->n_files++];
    return PRECIS_OK;
}

pcs_key *pcs_model_add_key(precis_model *m, const char *name)
{
    if (m->n_keys == m->cap_keys) {
        const size_t cap = m->cap_keys ? m->cap_keys * 2 : 64;
        pcs_key *keys = pcs_grow(m->ctx, m->keys, m->n_keys * sizeof *keys, cap, sizeof *keys);
        if (!keys) return NULL;
        m->keys = keys;
        m->cap_keys = cap;
    }
    pcs_key *k = &m->keys[m->n_keys];
    memset(k, 0, sizeof *k);
    k->name = pcs_arena_copy(&m->arena, name, strlen(name));
    if (!k->name) return NULL;
    m->n_keys++;
    return k;
}

pcs_tensor *pcs_model_add_tensor(precis_model *m)
{
    if (m->n_tensors == m->cap_tensors) {
        const size_t cap = m->cap_tensors ? m->cap_tensors * 2 : 64;
        pcs_tensor *t = pcs_grow(m->ctx, m->tensors, m->n_tensors * sizeof *t, cap, sizeof *t);
        if (!t) return NULL;
        m->tensors = t;
        m->cap_tensors = cap;
    }
    pcs_tensor *t = &m->tensors[m->n_tensors++];
    memset(t, 0, sizeof *t);
    for (int i = 0; i < PCS_MAX_DIMS; i++) t->ne[i] = 1;
    return t;
}

/* Names go into messages, JSON and other containers: they are text, whatever file they came from. */
static precis_status check_name(const precis_model *m, const char *what, const char *name)
{
    uint32_t cp;
    for (size_t at = 0, left = strlen(name), n; left; at += n, left -= n)
        if (!(n = pcs_utf8(name + at, left, &cp)) || cp < 32 || (cp >= 127 && cp < 160))
            return pcs_fail(m->ctx, PRECIS_EFORMAT,
                            "%s: the name of a %s, \"%.100s\", has a byte 0x%02x at %zu: it is no UTF-8 text, or a "
                            "control character", m->path, what, name, (unsigned char)name[at], at);
    return PRECIS_OK;
}

precis_status pcs_model_index_keys(precis_model *m)
{
    bool dup;
    pcs_map_free(&m->key_map);
    pcs_map_init(&m->key_map, m->ctx);
    for (size_t i = 0; i < m->n_keys; i++) {
        const char *name = m->keys[i].name;
        const precis_status st = check_name(m, "key", name);
        if (st) return st;
        if (pcs_map_put(&m->key_map, name, strlen(name), (uint32_t)i, &dup) != PRECIS_OK) return PRECIS_ENOMEM;
        if (dup) return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: key %s appears twice", m->path, name);
    }
    return PRECIS_OK;
}

precis_status pcs_model_index(precis_model *m)
{
    bool dup;
    const precis_status st = pcs_model_index_keys(m);
    if (st) return st;
    pcs_map_free(&m->tensor_map);
    pcs_map_free(&m->source_map);
    pcs_map_init(&m->tensor_map, m->ctx);
    pcs_map_init(&m->source_map, m->ctx);
    for (size_t i = 0; i < m->n_tensors; i++) {
        pcs_tensor *t = &m->tensors[i];
        const precis_status named = check_name(m, "tensor", t->name);
        if (named) return named;
        t->is = pcs_place_of(t->name);
        if (pcs_map_put(&m->tensor_map, t->name, strlen(t->name), (uint32_t)i, &dup) != PRECIS_OK ||
            pcs_map_put(&m->source_map, t->source, strlen(t->source), (uint32_t)i, NULL) != PRECIS_OK)
            return PRECIS_ENOMEM;
        if (dup) return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor %s appears twice", m->path, t->name);
    }
    return PRECIS_OK;
}

const pcs_key *pcs_model_key(const precis_model *m, const char *name)
{
    uint32_t i;
    return pcs_map_get(&m->key_map, name, strlen(name), &i) ? &m->keys[i] : NULL;
}

const pcs_tensor *pcs_model_tensor(const precis_model *m, const char *name)
{
    uint32_t i;
    if (!pcs_map_get(&m->tensor_map, name, strlen(name), &i)) return NULL;
    if (m->asked) m->asked[i] = 1;
    return &m->tensors[i];
}

const pcs_tensor *pcs_model_part(const precis_model *m, int layer, pcs_tensor_role role, pcs_tensor_end end)
{
    char name[96];
    pcs_place_name(name, sizeof name, layer, role, end);
    return pcs_model_tensor(m, name);
}

static bool key_float(const pcs_key *k, double *out)
{
    switch (k->type) {
    case PCS_KEY_U8: case PCS_KEY_U16: case PCS_KEY_U32: case PCS_KEY_U64: case PCS_KEY_BOOL:
        *out = (double)k->v.u;
        return true;
    case PCS_KEY_I8: case PCS_KEY_I16: case PCS_KEY_I32: case PCS_KEY_I64: *out = (double)k->v.i; return true;
    case PCS_KEY_F32: case PCS_KEY_F64: *out = k->v.f; return true;
    default: return false;
    }
}

int64_t pcs_model_int(const precis_model *m, const char *name, int64_t dflt, bool *ok)
{
    const pcs_key *k = pcs_model_key(m, name);
    double v = 0;
    const bool is_number = k && key_float(k, &v), whole = is_number && k->type != PCS_KEY_F32 && k->type != PCS_KEY_F64;
    const bool found = whole && v > -9e15 && v < 9e15;
    if (ok) *ok = found;
    return found ? (int64_t)v : dflt;
}

double pcs_model_float(const precis_model *m, const char *name, double dflt, bool *ok)
{
    const pcs_key *k = pcs_model_key(m, name);
    double v = 0;
    const bool found = k && key_float(k, &v);
    if (ok) *ok = found;
    return found ? v : dflt;
}

const char *pcs_model_string(const precis_model *m, const char *name)
{
    const pcs_key *k = pcs_model_key(m, name);
    return k && k->type == PCS_KEY_STRING ? k->v.text.s : NULL;
}

static const char *arch_key(const precis_model *m, const char *suffix, char buf[256])
{
    const char *arch = pcs_model_string(m, "general.architecture");
    snprintf(buf, 256, "%s.%s", arch ? arch : "", suffix);
    return buf;
}

int64_t pcs_arch_int(const precis_model *m, const char *suffix, int64_t dflt, bool *ok)
{
    char buf[256];
    return pcs_model_int(m, arch_key(m, suffix, buf), dflt, ok);
}

double pcs_arch_float(const precis_model *m, const char *suffix, double dflt, bool *ok)
{
    char buf[256];
    return pcs_model_float(m, arch_key(m, suffix, buf), dflt, ok);
}

int64_t pcs_head_dim(const precis_model *m)
{
    const int64_t heads = pcs_arch_int(m, "attention.head_count", 1, NULL);
    const int64_t width = pcs_arch_int(m, "embedding_length", 0, NULL);
    return pcs_arch_int(m, "attention.key_length", heads > 0 ? width / heads : width, NULL);
}

size_t pcs_key_width(pcs_key_type t)
{
    static const unsigned char width[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    return t <= PCS_KEY_F64 ? width[t] : 0;
}

double pcs_key_number(const pcs_key *k, uint64_t i)
{
    if (k->type != PCS_KEY_ARRAY || i >= k->n || !pcs_key_width(k->item)) return 0;
    const uint8_t *p = (const uint8_t *)k->v.items + i * pcs_key_width(k->item);
    switch (k->item) {
    case PCS_KEY_U8: case PCS_KEY_BOOL: return p[0];
    case PCS_KEY_I8: return (int8_t)p[0];
    case PCS_KEY_U16: return pcs_load16(p);
    case PCS_KEY_I16: return (int16_t)pcs_load16(p);
    case PCS_KEY_U32: return pcs_load32(p);
    case PCS_KEY_I32: return (int32_t)pcs_load32(p);
    case PCS_KEY_F32: return pcs_bits_f32(pcs_load32(p));
    case PCS_KEY_U64: return (double)pcs_load64(p);
    case PCS_KEY_I64: return (double)(int64_t)pcs_load64(p);
    case PCS_KEY_F64: {
        double d;
        memcpy(&d, p, 8);
        return d;
    }
    default: return 0;
    }
}

static pcs_key *key_of_type(precis_model *m, const char *name, pcs_key_type type)
{
    pcs_key *k = pcs_model_add_key(m, name);
    if (k) k->type = type;
    return k;
}

precis_status pcs_model_set_u32(precis_model *m, const char *name, uint32_t v)
{
    pcs_key *k = key_of_type(m, name, PCS_KEY_U32);
    if (k) k->v.u = v;
    return k ? PRECIS_OK : PRECIS_ENOMEM;
}

precis_status pcs_model_set_f32(precis_model *m, const char *name, float v)
{
    pcs_key *k = key_of_type(m, name, PCS_KEY_F32);
    if (k) k->v.f = v;
    return k ? PRECIS_OK : PRECIS_ENOMEM;
}

precis_status pcs_model_set_bool(precis_model *m, const char *name, bool v)
{
    pcs_key *k = key_of_type(m, name, PCS_KEY_BOOL);
    if (k) k->v.u = v;
    return k ? PRECIS_OK : PRECIS_ENOMEM;
}

precis_status pcs_model_set_bools(precis_model *m, const char *name, const bool *v, size_t n)
{
    pcs_key *k = pcs_model_add_key(m, name);
    uint8_t *items = pcs_arena_alloc(&m->arena, n ? n : 1, 1);
    if (!k || !items) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) items[i] = v[i];
    k->type = PCS_KEY_ARRAY;
    k->item = PCS_KEY_BOOL;
    k->n = n;
    k->v.items = items;
    return PRECIS_OK;
}

precis_status pcs_model_set_string(precis_model *m, const char *name, const char *v, size_t len)
{
    pcs_key *k = pcs_model_add_key(m, name);
    if (!k) return PRECIS_ENOMEM;
    k->type = PCS_KEY_STRING;
    k->v.text = (pcs_text){ pcs_arena_copy(&m->arena, v, len), len };
    return k->v.text.s ? PRECIS_OK : PRECIS_ENOMEM;
}

/* ---- public ---------------------------------------------------------------------------------- */

void precis_model_get_info(const precis_model *m, precis_model_info *info)
{
    const char *arch = pcs_model_string(m, "general.architecture");
    precis_model_info r = { info->size, m->container, arch ? arch : "", 0, 0, 0, 0, m->n_tensors, m->n_keys };
    for (size_t i = 0; i < m->n_tensors; i++) {
        r.parameters += m->tensors[i].n;
        r.bytes += m->tensors[i].bytes;
    }
    for (uint32_t i = 0; i < m->n_files; i++) r.file_bytes += m->files[i].size;
    r.bits_per_weight = r.parameters ? 8.0 * (double)r.bytes / (double)r.parameters : 0;
    pcs_options_give(info, &r, sizeof r);
}

precis_status precis_model_get_tensor(const precis_model *m, size_t i, precis_tensor_info *info)
{
    if (i >= m->n_tensors) return pcs_fail(m->ctx, PRECIS_EINVAL, "there is no tensor %zu", i);
    const pcs_tensor *t = &m->tensors[i];
    const precis_tensor_info r = { info->size, t->source, t->format->name, t->dims, t->shape, t->bytes, t->offset,
                                   m->n_files ? m->files[t->file].path : "" };
    pcs_options_give(info, &r, sizeof r);
    return PRECIS_OK;
}

precis_status precis_model_find_tensor(const precis_model *m, const char *name, size_t *i)
{
    uint32_t at;
    if (!pcs_map_get(&m->source_map, name, strlen(name), &at) && !pcs_map_get(&m->tensor_map, name, strlen(name), &at))
        return pcs_fail(m->ctx, PRECIS_EINVAL, "%s: there is no tensor %s; `precis inspect` lists them", m->path, name);
    *i = at;
    return PRECIS_OK;
}

static precis_status packed(const precis_model *m, const pcs_tensor *t)
{
    return pcs_fail(m->ctx, PRECIS_EINVAL,
                    "tensor %s is packed; precis_model_open gives rows of it, precis_model_open_to_run does not",
                    t->name);
}

precis_status precis_model_read_f32(const precis_model *m, size_t i, uint64_t first, uint64_t n, float *out)
{
    if (i >= m->n_tensors) return pcs_fail(m->ctx, PRECIS_EINVAL, "there is no tensor %zu", i);
    const pcs_tensor *t = &m->tensors[i];
    const pcs_format *f = t->format;
    const uint64_t width = (uint64_t)t->ne[0];
    if (t->panels) return packed(m, t);
    if (first > t->n || n > t->n - first || (n && (first % width % f->block || ((first + n) % width % f->block))))
        return pcs_fail(m->ctx, PRECIS_EINVAL, "tensor %s: elements %llu to %llu are not whole blocks of it", t->name,
                        (unsigned long long)first, (unsigned long long)(first + n));
    while (n) { /* a row, or what is wanted of it, at a time */
        const uint64_t row = first / width, at = first % width, k = width - at < n ? width - at : n;
        const uint8_t *src = t->data + row * pcs_row_bytes(f, width);
        if (at && f->head) { /* its parameters are at the start of the row */
            float *whole = pcs_alloc(m->ctx, (size_t)(at + k), sizeof *whole);
            if (!whole) return PRECIS_ENOMEM;
            pcs_decode(f, (size_t)(at + k), src, whole);
            memcpy(out, whole + at, (size_t)k * sizeof *out);
            pcs_free(m->ctx, whole);
        } else pcs_decode(f, (size_t)k, src + at / f->block * f->bytes, out);
        first += k;
        out += k;
        n -= k;
    }
    return PRECIS_OK;
}

/* A few characters of a text that came from a file: bytes that are no text, or that would
 * command a terminal, as \xNN. */
static int quote(char *out, size_t cap, pcs_text t)
{
    char shown[64 * 4 + 1];
    size_t at = 0, used = 0;
    while (used < t.len && used < 60) {
        uint32_t cp;
        const size_t n = pcs_utf8(t.s + used, t.len - used, &cp);
        if (n && cp >= 32 && (cp < 127 || cp >= 160)) {
            memcpy(shown + at, t.s + used, n);
            at += n;
            used += n;
        } else at += (size_t)snprintf(shown + at, sizeof shown - at, "\\x%02x", (unsigned char)t.s[used++]);
    }
    return snprintf(out, cap, "\"%.*s\"%s", (int)at, shown, used < t.len ? "..." : "");
}

static int print_number(char *out, size_t cap, double v)
{
    if (v > -1e15 && v < 1e15 && v == (double)(int64_t)v) return snprintf(out, cap, "%lld", (long long)v);
    return snprintf(out, cap, "%.7g", v);
}

precis_status precis_model_get_key(const precis_model *m, size_t i, const char **key, char *text, size_t cap)
{
    if (i >= m->n_keys) return pcs_fail(m->ctx, PRECIS_EINVAL, "there is no key %zu", i);
    const pcs_key *k = &m->keys[i];
    double v;
    *key = k->name;
    if (!cap) return PRECIS_OK;
    text[0] = 0;
    if (k->type == PCS_KEY_STRING) {
        quote(text, cap, k->v.text);
    } else if (k->type == PCS_KEY_BOOL) {
        snprintf(text, cap, "%s", k->v.u ? "true" : "false");
    } else if (key_float(k, &v)) {
        print_number(text, cap, v);
    } else {
        size_t at = 0;
        for (uint64_t j = 0; j <= k->n && at + 96 < cap; j++) {
            if (j == 6 || j == k->n) {
                snprintf(text + at, cap - at, j == k->n ? "]" : ", ... %llu items]", (unsigned long long)k->n);
                break;
            }
            at += (size_t)snprintf(text + at, cap - at, j ? ", " : "[");
            const int n = k->item == PCS_KEY_STRING ? quote(text + at, cap - at, k->v.texts[j])
                                                    : print_number(text + at, cap - at, pcs_key_number(k, j));
            at += (size_t)n;
        }
        if (!k->n) snprintf(text, cap, "[]");
    }
    return PRECIS_OK;
}

const char *precis_model_chat_template(const precis_model *m) { return pcs_model_string(m, "tokenizer.chat_template"); }

typedef struct { const pcs_tensor *tensors; char (*hex)[65]; } hashing;

static void hash_tensors(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const hashing *h = arg;
    for (uint64_t i = begin; i < end; i++) precis_sha256(h->tensors[i].data, (size_t)h->tensors[i].bytes, h->hex[i]);
}

precis_status precis_model_sha256(const precis_model *m, char hex[65])
{
    pcs_buf b;
    pcs_buf_init(&b, m->ctx, (size_t)1 << 30);
    for (size_t i = 0; i < m->n_tensors; i++)
        if (m->tensors[i].panels) return packed(m, &m->tensors[i]);
    char (*all)[65] = pcs_alloc(m->ctx, m->n_tensors + 1, sizeof *all);
    if (!all) return PRECIS_ENOMEM;
    const size_t turn = 8 * precis_ctx_threads(m->ctx);
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < m->n_tensors && !st; i += turn) {
        const size_t n = m->n_tensors - i < turn ? m->n_tensors - i : turn;
        pcs_for(m->ctx, n, 1, hash_tensors, &(hashing){ m->tensors + i, all + i });
        st = pcs_progress(m->ctx, "hash", i + n, m->n_tensors);
    }
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        const pcs_tensor *t = &m->tensors[i];
        st = pcs_buf_add(&b, all[i], 64);
        if (!st) st = pcs_buf_add(&b, t->name, strlen(t->name) + 1);
        if (!st) st = pcs_buf_add(&b, t->format->name, strlen(t->format->name) + 1);
        if (!st) st = pcs_buf_add(&b, t->ne, sizeof t->ne);
    }
    if (!st) precis_sha256(b.data, b.len, hex);
    pcs_free(m->ctx, all);
    pcs_buf_free(&b);
    return st;
}
