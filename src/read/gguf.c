/* gguf.c - GGUF versions 2 and 3, little-endian, also split over files.
 *
 * Layout: github.com/ggml-org/ggml docs/gguf.md. Nothing is allocated by a count in the file before
 * the bytes that the count needs are known to be there. */
#include "kernel/panels.h"
#include "read/read.h"
#include "base/f16.h"

#include <stdio.h>

typedef struct {
    precis_model *m;
    pcs_stream *s;
    uint32_t file;
    uint32_t version;
    uint64_t n_tensors, n_keys;
} gguf;

static precis_status fail(gguf *g, const char *field, const char *why)
{
    return pcs_fail_at(g->m->ctx, PRECIS_EFORMAT, g->s->at, field, "%s", why);
}

static precis_status get(gguf *g, void *dst, size_t n, const char *field)
{
    return pcs_stream_read(g->s, dst, n, field);
}

static uint64_t bytes_left(const gguf *g) { return g->s->file->size - g->s->at; }

static precis_status get_text(gguf *g, pcs_text *out, uint64_t limit, const char *field)
{
    uint64_t len;
    precis_status st = get(g, &len, 8, field);
    if (st != PRECIS_OK) return st;
    if (len > limit || len > bytes_left(g)) {
        g->s->at -= 8;
        return pcs_fail_at(g->m->ctx, PRECIS_EFORMAT, g->s->at, field,
                           "a string of %llu bytes; %llu are left, the limit is %llu", (unsigned long long)len,
                           (unsigned long long)(bytes_left(g) - 8), (unsigned long long)limit);
    }
    char *p = pcs_arena_alloc(&g->m->arena, (size_t)len + 1, 1);
    if (!p) return PRECIS_ENOMEM;
    *out = (pcs_text){ p, len };
    return len ? get(g, p, (size_t)len, field) : PRECIS_OK;
}

/* A name is opaque but must be usable as a C string. */
static precis_status get_name(gguf *g, const char **out, const char *field)
{
    pcs_text t;
    const precis_status st = get_text(g, &t, PCS_LIMIT_NAME, field);
    if (st != PRECIS_OK) return st;
    if (!t.len || memchr(t.s, 0, t.len)) return fail(g, field, "an empty name or a NUL byte in a name");
    *out = t.s;
    return PRECIS_OK;
}

static precis_status get_array(gguf *g, pcs_key *k)
{
    uint32_t item;
    uint64_t need;
    precis_status st = get(g, &item, 4, "array type");
    if (st == PRECIS_OK) st = get(g, &k->n, 8, "array length");
    if (st != PRECIS_OK) return st;
    if (item > PCS_KEY_F64 || item == PCS_KEY_ARRAY) return fail(g, k->name, "an array of this type is not defined");
    k->item = (pcs_key_type)item;
    const size_t width = item == PCS_KEY_STRING ? 8 : pcs_key_width(k->item);
    if (!pcs_mul_ok(k->n, width, &need) || need > bytes_left(g))
        return fail(g, k->name, "the array is longer than the file");
    if (item != PCS_KEY_STRING) {
        void *p = pcs_arena_alloc(&g->m->arena, (size_t)need, 1);
        if (!p) return PRECIS_ENOMEM;
        k->v.items = p;
        return need ? get(g, p, (size_t)need, k->name) : PRECIS_OK;
    }
    pcs_text *texts = pcs_arena_alloc(&g->m->arena, (size_t)k->n, sizeof *texts);
    if (!texts) return PRECIS_ENOMEM;
    k->v.texts = texts;
    for (uint64_t i = 0; i < k->n && st == PRECIS_OK; i++) {
        st = get_text(g, &texts[i], PCS_LIMIT_STRING, k->name);
        if (!st && memchr(texts[i].s, 0, texts[i].len)) st = fail(g, k->name, "a NUL byte in a string of the array");
    }
    return st;
}

static precis_status get_scalar(gguf *g, pcs_key *k)
{
    uint8_t raw[8] = { 0 };
    const size_t width = pcs_key_width(k->type);
    const precis_status st = get(g, raw, width, k->name);
    if (st != PRECIS_OK) return st;
    const uint64_t u = pcs_load64(raw);
    switch (k->type) {
    case PCS_KEY_I8: k->v.i = (int8_t)u; break;
    case PCS_KEY_I16: k->v.i = (int16_t)u; break;
    case PCS_KEY_I32: k->v.i = (int32_t)u; break;
    case PCS_KEY_I64: k->v.i = (int64_t)u; break;
    case PCS_KEY_F32: k->v.f = pcs_bits_f32((uint32_t)u); break;
    case PCS_KEY_F64: memcpy(&k->v.f, raw, 8); break;
    case PCS_KEY_BOOL:
        if (u > 1) return fail(g, k->name, "a boolean that is neither 0 nor 1");
        k->v.u = u;
        break;
    default: k->v.u = u; break;
    }
    return PRECIS_OK;
}

static precis_status get_key(gguf *g, bool keep)
{
    const char *name = NULL;
    uint32_t type;
    precis_status st = get_name(g, &name, "key");
    if (st == PRECIS_OK) st = get(g, &type, 4, "key type");
    if (st != PRECIS_OK) return st;
    if (type > PCS_KEY_F64) return fail(g, name, "a value of this type is not defined");
    pcs_key scratch = { 0 }, *k = &scratch;
    if (keep && !(k = pcs_model_add_key(g->m, name))) return PRECIS_ENOMEM;
    k->name = name;
    k->type = (pcs_key_type)type;
    if (type == PCS_KEY_STRING) {
        st = get_text(g, &k->v.text, PCS_LIMIT_STRING, name);
        /* whoever reads it as a C string would read a part of it */
        return !st && memchr(k->v.text.s, 0, k->v.text.len) ? fail(g, name, "a NUL byte in a string") : st;
    }
    return type == PCS_KEY_ARRAY ? get_array(g, k) : get_scalar(g, k);
}

static precis_status get_tensor(gguf *g)
{
    const char *name = NULL;
    const uint64_t at = g->s->at;
    precis_status st = get_name(g, &name, "tensor name");
    if (st != PRECIS_OK) return st;
    pcs_tensor *t = pcs_model_add_tensor(g->m);
    if (!t) return PRECIS_ENOMEM;
    uint32_t type;
    t->name = t->source = name;
    st = get(g, &t->dims, 4, name);
    if (st != PRECIS_OK) return st;
    if (t->dims < 1 || t->dims > 4) return fail(g, name, "a tensor has 1 to 4 dimensions");
    for (uint32_t i = 0; i < t->dims && st == PRECIS_OK; i++) {
        st = get(g, &t->ne[i], 8, name);
        t->shape[i] = t->ne[i];
    }
    if (st == PRECIS_OK) st = get(g, &type, 4, name);
    if (st == PRECIS_OK) st = get(g, &t->offset, 8, name);
    if (st != PRECIS_OK) return st;
    t->file = g->file;
    t->format = pcs_format_by_id(type);
    if (!t->format || !pcs_format_portable(t->format)) /* ids of precis's own are in no file: as_scheme */
        return pcs_fail_at(g->m->ctx, PRECIS_EUNSUPPORTED, g->s->at - 12, name,
                           "number format %u is not known (forks of llama.cpp use numbers of their own)", type);
    return pcs_tensor_shape(g->m, t, at);
}

static precis_status get_header(gguf *g)
{
    char magic[4];
    precis_status st = get(g, magic, 4, "magic");
    if (st == PRECIS_OK) st = get(g, &g->version, 4, "version");
    if (st != PRECIS_OK) return st;
    if (memcmp(magic, "GGUF", 4)) return pcs_fail_at(g->m->ctx, PRECIS_EFORMAT, 0, "magic", "not a GGUF file");
    if ((g->version & 0xffff) == 0)
        return pcs_fail_at(g->m->ctx, PRECIS_EUNSUPPORTED, 4, "version", "a big-endian file");
    if (g->version != 2 && g->version != 3)
        return pcs_fail_at(g->m->ctx, PRECIS_EUNSUPPORTED, 4, "version", "version %u; 2 and 3 can be read", g->version);
    st = get(g, &g->n_tensors, 8, "tensor count");
    if (st == PRECIS_OK) st = get(g, &g->n_keys, 8, "key count");
    if (st != PRECIS_OK) return st;
    /* A key takes at least 13 bytes, a tensor 33. */
    if (g->n_tensors > PCS_LIMIT_TENSORS || g->n_tensors > bytes_left(g) / 33)
        return pcs_fail_at(g->m->ctx, PRECIS_EFORMAT, 8, "tensor count", "%llu tensors do not fit",
                           (unsigned long long)g->n_tensors);
    if (g->n_keys > PCS_LIMIT_KEYS || g->n_keys > bytes_left(g) / 13)
        return pcs_fail_at(g->m->ctx, PRECIS_EFORMAT, 16, "key count", "%llu keys do not fit",
                           (unsigned long long)g->n_keys);
    return PRECIS_OK;
}

/* One file: keys (kept from the first one only), tensors, spans. */
static precis_status read_part(precis_model *m, uint32_t file, bool first)
{
    gguf g = { .m = m, .file = file };
    const size_t before = m->n_tensors, keys_before = m->n_keys;
    g.s = pcs_alloc(m->ctx, 1, sizeof *g.s);
    if (!g.s) return PRECIS_ENOMEM;
    m->ctx->file = m->files[file].path;
    pcs_stream_init(g.s, m->ctx, &m->files[file]);
    precis_status st = get_header(&g);
    for (uint64_t i = 0; i < g.n_keys && st == PRECIS_OK; i++) st = get_key(&g, first);
    uint64_t align = m->alignment;
    for (size_t i = keys_before; i < m->n_keys && first; i++)
        if (!strcmp(m->keys[i].name, "general.alignment")) {
            align = m->keys[i].type == PCS_KEY_U32 ? m->keys[i].v.u : 0;
            if (st == PRECIS_OK && (align < 8 || align > 4096 || (align & (align - 1))))
                st = fail(&g, "general.alignment", "must be a power of two from 8 to 4096");
        }
    m->alignment = align;
    m->gguf_version = g.version;
    for (uint64_t i = 0; i < g.n_tensors && st == PRECIS_OK; i++) st = get_tensor(&g);
    uint64_t base = g.s->at, at;
    if (st == PRECIS_OK && !pcs_align_ok(base, align, &base)) st = fail(&g, "data", "does not fit");
    for (size_t i = before; i < m->n_tensors && st == PRECIS_OK; i++) {
        pcs_tensor *t = &m->tensors[i];
        if (t->offset % align)
            st = pcs_fail_at(m->ctx, PRECIS_EFORMAT, g.s->at, t->name, "offset %llu is not aligned to %llu",
                             (unsigned long long)t->offset, (unsigned long long)align);
        else if (!pcs_add_ok(base, t->offset, &at)) st = fail(&g, t->name, "offset does not fit");
        else st = pcs_tensor_span(m, t, file, at, t->bytes);
    }
    pcs_free(m->ctx, g.s);
    return st;
}

static const pcs_key *early_key(const precis_model *m, const char *name)
{
    for (size_t i = 0; i < m->n_keys; i++)
        if (!strcmp(m->keys[i].name, name)) return &m->keys[i];
    return NULL;
}

/* The other parts have the first one's name with another number: "-00001-of-00003.gguf". */
static precis_status read_splits(precis_model *m, const char *path)
{
    const pcs_key *count = early_key(m, "split.count"), *no = early_key(m, "split.no");
    const uint64_t n = count ? count->v.u : 0;
    if (n < 2) return PRECIS_OK;
    const size_t len = strlen(path), tail = strlen("-00001-of-00001.gguf");
    char want[32];
    if (n > PCS_LIMIT_SPLITS)
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: split.count: %llu parts, the limit is %d", path,
                        (unsigned long long)n, PCS_LIMIT_SPLITS);
    snprintf(want, sizeof want, "-00001-of-%05u.gguf", (unsigned)n);
    if (!no || no->v.u != 0 || len < tail || strcmp(path + len - tail, want))
        return pcs_fail(m->ctx, PRECIS_EFORMAT,
                        "%s: split.count: part of a file of %llu parts; open the first part, whose name ends in %s",
                        path, (unsigned long long)n, want);
    char *part = pcs_arena_copy(&m->arena, path, len);
    if (!part) return PRECIS_ENOMEM;
    for (uint64_t i = 2; i <= n; i++) {
        pcs_file *f;
        snprintf(part + len - tail, tail + 1, "-%05u-of-%05u.gguf", (unsigned)i, (unsigned)n);
        precis_status st = pcs_model_add_file(m, part, &f);
        if (st == PRECIS_OK) st = read_part(m, (uint32_t)i - 1, false);
        if (st != PRECIS_OK) return st;
    }
    const pcs_key *total = early_key(m, "split.tensors.count");
    uint64_t want_tensors = m->n_tensors;
    if (total) want_tensors = total->type == PCS_KEY_I32 ? (uint64_t)total->v.i : total->v.u;
    if (want_tensors != m->n_tensors)
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: split.tensors.count: says %llu, the parts have %zu tensors", path,
                        (unsigned long long)want_tensors, m->n_tensors);
    return PRECIS_OK;
}

/* What a list says of a tensor: the format's name, the weights of a row, and the rows (0: not said). */
typedef struct { const pcs_format *format; const char *type; double width, rows; } said;

/* The limit is far beyond any model, and lets products of what follows fit. */
static bool too_many(uint64_t n) { return n > (uint64_t)1 << 48; }

/* A tensor as rows of `width` weights in a scheme's format. */
static precis_status as_scheme(precis_model *m, pcs_tensor *t, const said *s)
{
    const pcs_format *f = s->format;
    const double width = s->width;
    if (!f || pcs_format_portable(f))
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: tensor %s: scheme \"%.40s\" is not known", m->path, t->name,
                        s->type);
    if (t->format != &pcs_format_i8 || !(width >= 1 && width < 1e12) || width != (double)(int64_t)width ||
        pcs_row_bytes(f, (uint64_t)width) != (uint64_t)t->ne[0])
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor %s: rows of %lld bytes are not %g weights of %s", m->path,
                        t->name, (long long)t->ne[0], width, f->name);
    const uint64_t rows = pcs_tensor_rows(t);
    t->format = f;
    t->ne[0] = t->shape[0] = (int64_t)width;
    if (!pcs_mul_ok(rows, (uint64_t)width, &t->n) || too_many(t->n))
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor %s: too many elements", m->path, t->name);
    return PRECIS_OK;
}

/* Tensor t as panels of `rows` rows of `width` weights: its data becomes panels. */
static precis_status as_panels(precis_model *m, pcs_tensor *t, const said *s)
{
    const pcs_format *f = s->format;
    const double width = s->width, rows = s->rows;
    if (!f || !f->fields)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "%s: tensor %s: \"%.40s\" is no type with panels", m->path,
                        t->name, s->type);
    const bool whole_width = width >= 1 && width < 1e9 && width == (double)(uint32_t)width;
    const bool whole = whole_width && rows >= 1 && rows < 1e12 && rows == (double)(int64_t)rows;
    if (!whole || t->format != &pcs_format_i8 || t->dims < 2 || !pcs_panels_fit(f, (size_t)width) ||
        pcs_panel_bytes(f, (size_t)width) != (uint64_t)t->ne[0] ||
        ((int64_t)rows + PCS_PANEL - 1) / PCS_PANEL != t->ne[1] || (t->dims > 2 && (int64_t)rows % PCS_PANEL))
        return pcs_fail(m->ctx, PRECIS_EFORMAT,
                        "%s: tensor %s: %lld panels of %lld bytes are not %g rows of %g weights of %s", m->path,
                        t->name, (long long)t->ne[1], (long long)t->ne[0], rows, width, f->name);
    t->format = f;
    t->ne[0] = t->shape[0] = (int64_t)width;
    t->ne[1] = t->shape[1] = (int64_t)rows;
    t->panels = t->data;
    t->data = NULL;
    t->n = 1;
    for (uint32_t d = 0; d < t->dims; d++)
        if (!pcs_mul_ok(t->n, (uint64_t)t->ne[d], &t->n) || too_many(t->n))
            return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor %s: too many elements", m->path, t->name);
    t->bytes = pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)width);
    return PRECIS_OK;
}

/* I8 tensors that hold something else, which lists under precis.KIND.* say, written by precis. */
typedef precis_status as_fn(precis_model *m, pcs_tensor *t, const said *s);
static precis_status apply_lists(precis_model *m, const char *kind, bool has_rows, as_fn *as)
{
    static const char *const parts[] = { "tensors", "types", "widths", "rows" };
    const pcs_key *list[4];
    const size_t n = has_rows ? 4 : 3;
    size_t present = 0, alike = 0;
    for (size_t i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "precis.%s.%s", kind, parts[i]);
        list[i] = early_key(m, name);
        present += !!list[i];
        const bool is_list = list[0] && list[i] && list[i]->type == PCS_KEY_ARRAY && list[i]->n == list[0]->n;
        alike += is_list && (i > 1 || list[i]->item == PCS_KEY_STRING);
    }
    if (!present) return PRECIS_OK;
    if (alike < n)
        return pcs_fail(m->ctx, PRECIS_EFORMAT,
                        "%s: key precis.%s.tensors: the %zu lists under precis.%s do not match", m->path, kind, n,
                        kind);
    pcs_map map;
    pcs_map_init(&map, m->ctx);
    precis_status st = PRECIS_OK;
    for (uint64_t i = 0; i < list[0]->n && !st; i++) {
        const pcs_text name = list[0]->v.texts[i];
        st = pcs_map_put(&map, name.s, name.len, (uint32_t)i, &(bool){ false });
    }
    for (size_t k = 0; k < m->n_tensors && !st; k++) {
        pcs_tensor *t = &m->tensors[k];
        uint32_t i;
        if (!pcs_map_get(&map, t->name, strlen(t->name), &i)) continue;
        const char *type = list[1]->v.texts[i].s;
        const double rows = has_rows ? pcs_key_number(list[3], i) : 0;
        st = as(m, t, &(said){ pcs_format_by_name(type), type, pcs_key_number(list[2], i), rows });
    }
    pcs_map_free(&map);
    return st;
}

/* Are the file's panels, if it has any, those of this version? */
static precis_status check_panels(precis_model *m)
{
    const pcs_key *layout = early_key(m, "precis.panels.layout");
    const bool ours = layout && layout->type == PCS_KEY_U32 && layout->v.u == PCS_PANEL_LAYOUT;
    if (!early_key(m, "precis.panels.tensors") || ours) return PRECIS_OK;
    return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                    "%s: key precis.panels.layout: packed by another version of precis; this one reads layout %d, pack "
                    "the model again (precis convert --format packed)", m->path, PCS_PANEL_LAYOUT);
}

static precis_status read_gguf(precis_model *m, const char *path)
{
    pcs_file *f;
    precis_status st = pcs_model_add_file(m, path, &f);
    if (st == PRECIS_OK) st = read_part(m, 0, true);
    if (st == PRECIS_OK) st = read_splits(m, path);
    if (st == PRECIS_OK) st = pcs_tensors_disjoint(m);
    if (st == PRECIS_OK) st = check_panels(m);
    if (st == PRECIS_OK) st = apply_lists(m, "panels", true, as_panels);
    return st == PRECIS_OK ? apply_lists(m, "scheme", false, as_scheme) : st;
}

static bool probe(const char *path, bool folder, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path;
    (void)size;
    return !folder && n >= 4 && !memcmp(head, "GGUF", 4);
}

const pcs_reader pcs_reader_gguf = { "gguf", probe, read_gguf };
