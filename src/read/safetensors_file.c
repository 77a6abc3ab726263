/* safetensors_file.c - a safetensors file, or a folder of them with config.json and tokenizer.json.
 *
 * Rules of the header: github.com/huggingface/safetensors, README "Format"; stricter where it is
 * silent (hardening: duplicate names, rank, whole-buffer coverage). What the files beside it say is read by hf.c. */
#include "read/hf.h"

#include <sys/stat.h>

static const struct { const char *name, *format; } dtypes[] = {
    { "F32", "F32" }, { "F16", "F16" }, { "BF16", "BF16" }, { "F64", "F64" },
    { "I8", "I8" }, { "I16", "I16" }, { "I32", "I32" }, { "I64", "I64" },
    { "F8_E4M3", "F8_E4M3" }, { "F8_E5M2", "F8_E5M2" }, { "U8", "U8" }, { "BOOL", "U8" },
    { "F8_E8M0", "U8" }, { "U16", "I16" }, { "U32", "I32" }, { "U64", "I64" }
};

static const pcs_format *dtype_format(const pcs_json_token *t)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (pcs_json_is(t, dtypes[i].name)) return pcs_format_by_name(dtypes[i].format);
    return NULL;
}

static precis_status read_shape(pcs_json *j, pcs_tensor *t)
{
    pcs_json_token v;
    precis_status st = pcs_json_expect(j, PCS_JSON_ARRAY, &v, "shape");
    while (st == PRECIS_OK) {
        st = pcs_json_next(j, &v);
        if (st != PRECIS_OK || v.type == PCS_JSON_ARRAY_END) break;
        if (t->dims == PCS_MAX_DIMS) return pcs_json_fail(j, v.text, "shape", "more than 8 dimensions");
        st = pcs_json_int(j, &v, &t->shape[t->dims++], "shape");
    }
    for (uint32_t i = 0; i < t->dims; i++) t->ne[i] = t->shape[t->dims - 1 - i];
    return st;
}

/* {"dtype":..,"shape":[..],"data_offsets":[..]} */
static precis_status read_entry(precis_model *m, pcs_json *j, const pcs_json_token *key, uint32_t file, uint64_t base)
{
    pcs_json_token t;
    char *name;
    size_t len;
    int64_t span[2] = { -1, -1 };
    int seen = 0;
    precis_status st = pcs_json_string(j, key, &m->arena, &name, &len);
    if (st != PRECIS_OK) return st;
    if (!len || strlen(name) != len || len > PCS_LIMIT_NAME)
        return pcs_json_fail(j, key->text, "tensor name", "is empty, too long, or has a NUL");
    pcs_tensor *x = pcs_model_add_tensor(m);
    if (!x) return PRECIS_ENOMEM;
    x->name = x->source = name;
    st = pcs_json_expect(j, PCS_JSON_OBJECT, &t, name);
    while (st == PRECIS_OK) {
        st = pcs_json_next(j, &t);
        if (st != PRECIS_OK || t.type == PCS_JSON_OBJECT_END) break;
        if (pcs_json_is(&t, "dtype") && !(seen & 1)) {
            seen |= 1;
            st = pcs_json_expect(j, PCS_JSON_STRING, &t, "dtype");
            if (st == PRECIS_OK && !(x->format = dtype_format(&t)))
                return pcs_fail_at(m->ctx, PRECIS_EUNSUPPORTED, 8 + (uint64_t)(t.text - j->start), name,
                                   "dtype %.*s cannot be read", (int)(t.len > 20 ? 20 : t.len), t.text);
        } else if (pcs_json_is(&t, "shape") && !(seen & 2)) {
            seen |= 2;
            st = read_shape(j, x);
        } else if (pcs_json_is(&t, "data_offsets") && !(seen & 4)) {
            seen |= 4;
            st = pcs_json_expect(j, PCS_JSON_ARRAY, &t, "data_offsets");
            for (int i = 0; i < 2 && st == PRECIS_OK; i++) {
                st = pcs_json_next(j, &t);
                if (st == PRECIS_OK) st = pcs_json_int(j, &t, &span[i], "data_offsets");
            }
            if (st == PRECIS_OK) st = pcs_json_expect(j, PCS_JSON_ARRAY_END, &t, "data_offsets");
        } else {
            return pcs_json_fail(j, t.text, name, "an unknown or repeated field");
        }
    }
    if (st != PRECIS_OK) return st;
    if (seen != 7) return pcs_json_fail(j, key->text, name, "dtype, shape or data_offsets is missing");
    if (span[0] < 0 || span[1] < span[0]) return pcs_json_fail(j, key->text, name, "data_offsets are not a span");
    uint64_t at;
    st = pcs_tensor_shape(m, x, 8 + (uint64_t)(key->text - j->start));
    if (st != PRECIS_OK) return st;
    if ((uint64_t)(span[1] - span[0]) != x->bytes)
        return pcs_json_fail(j, key->text, name, "data_offsets do not match dtype and shape");
    if (!pcs_add_ok(base, (uint64_t)span[0], &at)) return pcs_json_fail(j, key->text, name, "data_offsets do not fit");
    return pcs_tensor_span(m, x, file, at, x->bytes);
}

/* {"key": "text", ...}: the format has strings there, and each key once. */
static precis_status read_metadata(precis_model *m, pcs_json *j)
{
    pcs_json_token t;
    pcs_map seen;
    pcs_map_init(&seen, m->ctx);
    precis_status st = pcs_json_expect(j, PCS_JSON_OBJECT, &t, "__metadata__");
    while (!st && !(st = pcs_json_next(j, &t)) && t.type != PCS_JSON_OBJECT_END) {
        const char *at = t.text;
        char *key;
        size_t len;
        bool existed;
        st = pcs_json_string(j, &t, &m->arena, &key, &len);
        if (!st) st = pcs_map_put(&seen, key, len, 0, &existed);
        if (!st && existed) st = pcs_json_fail(j, at, "__metadata__", "a key appears twice");
        if (!st) st = pcs_json_next(j, &t);
        if (!st && t.type != PCS_JSON_STRING) st = pcs_json_fail(j, at, "__metadata__", "a value is no string");
    }
    pcs_map_free(&seen);
    return st;
}

precis_status pcs_safetensors_file(precis_model *m, const char *path)
{
    pcs_file *f;
    const uint32_t file = m->n_files;
    const size_t before = m->n_tensors;
    precis_status st = pcs_model_add_file(m, path, &f);
    if (st != PRECIS_OK) return st;
    m->ctx->file = f->path;
    uint64_t len;
    st = pcs_refuse_pointer(m->ctx, path, f->map, (size_t)f->size);
    if (st != PRECIS_OK) return st;
    st = pcs_file_read(m->ctx, f, 0, &len, 8, "header length");
    if (st != PRECIS_OK) return st;
    if (len > PCS_LIMIT_HEADER || len > f->size - 8)
        return pcs_fail_at(m->ctx, PRECIS_EFORMAT, 0, "header length", "%llu bytes in a file of %llu",
                           (unsigned long long)len, (unsigned long long)f->size);
    char *text = pcs_alloc(m->ctx, (size_t)len + 1, 1);
    if (!text) return PRECIS_ENOMEM;
    const uint64_t base = 8 + len, size = f->size;
    st = pcs_file_read(m->ctx, f, 8, text, (size_t)len, "header");
    pcs_json j;
    pcs_json_token t;
    int metadata = 0;
    pcs_json_init(&j, m->ctx, text, (size_t)len);
    if (st == PRECIS_OK) st = pcs_json_expect(&j, PCS_JSON_OBJECT, &t, "header");
    while (st == PRECIS_OK) {
        st = pcs_json_next(&j, &t);
        if (st != PRECIS_OK || t.type == PCS_JSON_OBJECT_END) break;
        if (pcs_json_is(&t, "__metadata__")) {
            st = metadata++ ? pcs_json_fail(&j, t.text, "__metadata__", "appears twice") : read_metadata(m, &j);
        } else {
            st = read_entry(m, &j, &t, file, base);
        }
    }
    if (st == PRECIS_OK) st = pcs_json_expect(&j, PCS_JSON_END, &t, "header");
    pcs_free(m->ctx, text);
    if (st == PRECIS_OK) st = pcs_tensors_disjoint(m);
    uint64_t covered = base;
    for (size_t i = before; i < m->n_tensors; i++) covered += m->tensors[i].bytes;
    if (st == PRECIS_OK && covered != size)
        return pcs_fail_at(m->ctx, PRECIS_EFORMAT, base, "data", "the tensors cover %llu of %llu bytes",
                           (unsigned long long)(covered - base), (unsigned long long)(size - base));
    return st;
}
