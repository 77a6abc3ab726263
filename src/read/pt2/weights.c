/* weights.c - what a weight's entry says of it, and its elements: a whole
 * storage lies in a member, of which dtype, sizes, strides and an offset say
 * what part is meant. */
#include "read/pt2/pt2.h"

#include <stdio.h>

bool pcs_pt2_dtype(int64_t n, pcs_dtype *out)
{
    /* torch/_export/serde/schema.py: ScalarType; complex numbers (9 to 11) have
     * no type here */
    static const struct {
        int number;
        pcs_dtype dtype;
    } types[] = {
        { 1, PCS_U8 },      { 2, PCS_I8 },        { 3, PCS_I16 },     { 4, PCS_I32 },         { 5, PCS_I64 },
        { 6, PCS_F16 },     { 7, PCS_F32 },       { 8, PCS_F64 },     { 12, PCS_BOOL },       { 13, PCS_BF16 },
        { 28, PCS_U16 },    { 29, PCS_F8E4M3FN }, { 30, PCS_F8E5M2 }, { 31, PCS_F8E4M3FNUZ }, { 32, PCS_F8E5M2FNUZ },
        { 33, PCS_F8E8M0 }, { 34, PCS_U32 },      { 35, PCS_U64 },
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].number == n) return *out = types[i].dtype, true;
    return false;
}

static precis_status read_size(const pcs_tree *t, uint32_t i, bool stored, int64_t *out)
{
    const uint32_t number = pcs_tree_get(t, i, "as_int");
    *out = -1;
    if (number ? !pcs_tree_int(t, number, out) || *out < 0 || *out > (int64_t)1 << 40
               : stored || !pcs_tree_get(t, i, "as_expr"))
        return pcs_tree_fail(t, i, PRECIS_EFORMAT, "is no size, stride or offset");
    return PRECIS_OK;
}

precis_status pcs_pt2_read_meta(const pcs_tree *t, uint32_t i, bool stored, pcs_pt2_meta *out)
{
    const uint32_t sizes = pcs_tree_get(t, i, "sizes"), strides = pcs_tree_get(t, i, "strides"),
                   offset = pcs_tree_get(t, i, "storage_offset");
    int64_t number;
    *out = (pcs_pt2_meta){ 0 };
    if (!pcs_tree_int(t, pcs_tree_get(t, i, "dtype"), &number))
        return pcs_tree_fail(t, i, PRECIS_EFORMAT, "has no dtype");
    if (!pcs_pt2_dtype(number, &out->dtype))
        return pcs_tree_fail(t, i, PRECIS_EUNSUPPORTED, "elements of torch's type %lld are not read",
                             (long long)number);
    if (!pcs_tree_int(t, pcs_tree_get(t, i, "layout"), &number) || number != 7)
        return pcs_tree_fail(t, i, PRECIS_EUNSUPPORTED, "its layout is not strided (7)");
    out->dims = pcs_tree_count(t, sizes);
    if (!sizes || !strides || !offset || pcs_tree_count(t, strides) != out->dims)
        return pcs_tree_fail(t, i, PRECIS_EFORMAT, "has not as many strides as sizes");
    if (out->dims > PCS_GRAPH_DIMS)
        return pcs_tree_fail(t, i, PRECIS_EUNSUPPORTED, "has %u dimensions, at most %d", out->dims, PCS_GRAPH_DIMS);
    precis_status st = stored ? read_size(t, offset, true, &out->offset) : PRECIS_OK;
    uint32_t d = 0;
    for (uint32_t k = sizes + 1; k < pcs_tree_end(t, sizes) && !st; k = pcs_tree_next(t, k), d++) {
        out->size[d] = k;
        st = read_size(t, k, stored, &out->shape[d]);
    }
    d = 0;
    for (uint32_t k = strides + 1; stored && k < pcs_tree_end(t, strides) && !st; k = pcs_tree_next(t, k))
        st = read_size(t, k, true, &out->stride[d++]);
    return st;
}

/* ---- the lists ---------------------------------------------------------------------------------- */

void pcs_pt2_close_store(pcs_pt2_store *s)
{
    if (s->places.ctx) pcs_map_free(&s->places);
    pcs_tree_close(&s->tree);
}

precis_status pcs_pt2_open_store(pcs_pt2 *net, pcs_pt2_store *s, const char *folder, pcs_str model, const char *config)
{
    char name[300];
    const uint8_t *data;
    pcs_map_init(&s->places, net->ctx);
    s->folder = folder;
    if ((size_t)snprintf(name, sizeof name, "%s%.*s%s", folder, (int)(model.n < 200 ? model.n : 200), model.s,
                         config) >= sizeof name)
        return PRECIS_EFORMAT;
    pcs_zip_member *m = pcs_zip_find(&net->zip, name);
    if (!m)
        return pcs_fail(net->ctx, PRECIS_EFORMAT, "%s: has no member %s, the list of its tensors", net->file.path,
                        name);
    precis_status st = pcs_zip_data(&net->zip, m, &data);
    const char *file = pcs_arena_printf(&net->arena, "%s: %s", net->file.path, name);
    if (!file) return PRECIS_ENOMEM;
    if (!st) st = pcs_tree_open(net->ctx, &s->tree, file, (pcs_str){ (const char *)data, m->size }, NULL);
    if (st) return st;
    const uint32_t list = pcs_tree_get(&s->tree, 0, "config");
    if (!list || pcs_tree_type(&s->tree, list) != PCS_JSON_OBJECT)
        return pcs_tree_fail(&s->tree, 0, PRECIS_EFORMAT, "has no object \"config\"");
    for (uint32_t k = list + 1; k < pcs_tree_end(&s->tree, list); k = pcs_tree_next(&s->tree, k)) {
        const pcs_str key = pcs_tree_text(&s->tree, k);
        bool existed;
        if ((st = pcs_map_put(&s->places, key.s, key.n, k + 1, &existed))) return st;
        if (existed) return pcs_tree_fail(&s->tree, k, PRECIS_EFORMAT, "two tensors have one name");
    }
    return PRECIS_OK;
}

/* ---- elements ----------------------------------------------------------------------------------- */

/* Elements of the tensor, and the last of the storage that it reads; false: a
 * number does not fit. */
static bool extent(const pcs_pt2_meta *m, uint64_t *count, uint64_t *last)
{
    *count = 1;
    *last = (uint64_t)m->offset;
    for (uint32_t i = 0; i < m->dims; i++) {
        uint64_t far = 0;
        if (!pcs_mul_ok(*count, (uint64_t)m->shape[i], count)) return false;
        if (m->shape[i] &&
            (!pcs_mul_ok((uint64_t)m->shape[i] - 1, (uint64_t)m->stride[i], &far) || !pcs_add_ok(*last, far, last)))
            return false;
    }
    return true;
}

static bool dense(const pcs_pt2_meta *m)
{
    int64_t stride = 1;
    for (uint32_t i = m->dims; i-- > 0; stride *= m->shape[i])
        if (m->shape[i] != 1 && m->stride[i] != stride) return false;
    return true;
}

/* Elements one after another. */
static void gather(const pcs_pt2_meta *m, size_t bytes, const uint8_t *from, uint64_t count, uint8_t *to)
{
    int64_t at[PCS_GRAPH_DIMS] = { 0 };
    uint64_t place = (uint64_t)m->offset;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(to + i * bytes, from + place * bytes, bytes);
        for (uint32_t d = m->dims; d-- > 0;) {
            place += (uint64_t)m->stride[d];
            if (++at[d] < m->shape[d]) break;
            place -= (uint64_t)(m->stride[d] * m->shape[d]);
            at[d] = 0;
        }
    }
}

static precis_status elements(pcs_pt2 *net, pcs_pt2_store *s, uint32_t entry, const pcs_pt2_meta *m, precis_graph *g,
                              const void **out)
{
    const pcs_str path = pcs_tree_text(&s->tree, pcs_tree_get(&s->tree, entry, "path_name"));
    char name[300];
    const uint8_t *data;
    uint64_t count, last, size;
    const size_t bytes = pcs_dtype_bytes(m->dtype);
    if (path.n > 200 || memchr(path.s, '/', path.n))
        return pcs_tree_fail(&s->tree, entry, PRECIS_EFORMAT, "its path_name is no name of a member");
    snprintf(name, sizeof name, "%s%.*s", s->folder, (int)path.n, path.s);
    pcs_zip_member *file = pcs_zip_find(&net->zip, name);
    if (!file) return pcs_tree_fail(&s->tree, entry, PRECIS_EFORMAT, "its member is not in the archive");
    const precis_status st = pcs_zip_data(&net->zip, file, &data);
    if (st) return st;
    if (!extent(m, &count, &last) || count > (uint64_t)PCS_LIMIT_NET_ELEMENTS)
        return pcs_tree_fail(&s->tree, entry, PRECIS_EFORMAT, "has more than 2^31 elements");
    if (!pcs_mul_ok(count ? last + 1 : 0, bytes, &size) || size > file->size)
        return pcs_tree_fail(&s->tree, entry, PRECIS_EFORMAT, "reads element %llu of a storage of %llu bytes",
                             (unsigned long long)last, (unsigned long long)file->size);
    if (count > file->size / bytes && count > 1 << 20)
        return pcs_tree_fail(&s->tree, entry, PRECIS_EUNSUPPORTED,
                             "spreads %llu bytes over %llu elements; save it with .contiguous()",
                             (unsigned long long)file->size, (unsigned long long)count);
    const uint8_t *from = data + (uint64_t)m->offset * bytes;
    if (count && dense(m) && !((uintptr_t)from % bytes)) return *out = from, PRECIS_OK;
    uint8_t *copy = pcs_arena_alloc(&g->arena, (size_t)count * bytes + 64, 1);
    if (!copy) return PRECIS_ENOMEM;
    gather(m, bytes, data, count, copy);
    *out = copy;
    return PRECIS_OK;
}

precis_status pcs_pt2_weight(pcs_pt2 *net, pcs_pt2_store *s, pcs_str name, precis_graph *g, pcs_value *out)
{
    pcs_pt2_meta m;
    uint32_t entry;
    const void *data = NULL;
    if (!pcs_map_get(&s->places, name.s, name.n, &entry))
        return pcs_tree_fail(&s->tree, 0, PRECIS_EFORMAT, "lists no tensor %.*s", (int)(name.n < 100 ? name.n : 100),
                             name.s);
    const uint32_t pickle = pcs_tree_get(&s->tree, entry, "use_pickle"),
                   meta = pcs_tree_get(&s->tree, entry, "tensor_meta");
    if (pickle && pcs_tree_type(&s->tree, pickle) == PCS_JSON_TRUE)
        return pcs_tree_fail(&s->tree, entry, PRECIS_EUNSUPPORTED,
                             "tensor %.*s is a pickle of a class (a quantized tensor of torchao?), "
                             "which is never opened: "
                             "dequantize it, or quantize by convert_pt2e, before torch.export.save",
                             (int)(name.n < 80 ? name.n : 80), name.s);
    if (!meta || !pcs_tree_get(&s->tree, entry, "path_name"))
        return pcs_tree_fail(&s->tree, entry, PRECIS_EFORMAT, "has no tensor_meta, or no path_name");
    precis_status st = pcs_pt2_read_meta(&s->tree, meta, true, &m);
    if (!st) st = elements(net, s, entry, &m, g, &data);
    if (st) return st;
    *out = (pcs_value){ .dtype = m.dtype,
                        .role = PCS_CONSTANT,
                        .node = -1,
                        .dims = m.dims,
                        .known = m.dtype == PCS_I64 ? data : NULL };
    memcpy(out->shape, m.shape, sizeof m.shape);
    out->store = pcs_store_rows(data, pcs_value_bytes(out), PCS_KEPT_BY_CALLER); /* elements() gives all or fails */
    return PRECIS_OK;
}
