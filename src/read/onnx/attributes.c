/* attributes.c - attributes of a node, by name: as its file has them, or as a value of ours. */
#include "base/f16.h"
#include "read/onnx/raise.h"

static pcs_onnx_attr *find(pcs_onnx_node *n, const char *name)
{
    for (uint32_t i = 0; i < n->n_attr; i++)
        if (pcs_str_is(n->attr[i].name, name)) {
            n->attr[i].used = true;
            return &n->attr[i];
        }
    return NULL;
}

bool pcs_has_attr(pcs_onnx_node *n, const char *name) { return find(n, name) != NULL; }

/* The attribute's field of that number and kind. */
static bool field(pcs_onnx_node *n, const char *name, uint32_t number, pcs_proto_field *out)
{
    const pcs_onnx_attr *a = find(n, name);
    pcs_proto m;
    bool bad, found = false;
    if (!a) return false;
    m = a->body;
    pcs_proto_field f;
    while (pcs_proto_next(&m, &f, &bad))
        if (f.number == number) *out = f, found = true;
    if (!found && a->type && a->type != (number == 2 ? 1 : number == 3 ? 2 : number == 4 ? 3 : number == 5 ? 4 : 5))
        pcs_wrong(n, "attribute %s is of another type", name);
    return found;
}

/* Its value, where it is one of ours. */
static const precis_attr *own(pcs_onnx_node *n, const char *name)
{
    const pcs_onnx_attr *a = find(n, name);
    return a ? a->own : NULL;
}

static int64_t apart(uint64_t v) { return pcs_dim_is_id((int64_t)v) ? PCS_FAR_BELOW : (int64_t)v; }

int64_t pcs_attr_int(pcs_onnx_node *n, const char *name, int64_t dflt)
{
    pcs_proto_field f;
    if (own(n, name)) return own(n, name)->integer;
    if (field(n, name, 3, &f)) return apart(f.value);
    return pcs_has_attr(n, name) ? 0 : dflt;
}

double pcs_attr_real(pcs_onnx_node *n, const char *name, double dflt)
{
    pcs_proto_field f;
    if (own(n, name)) return own(n, name)->real;
    if (field(n, name, 2, &f)) return (double)pcs_bits_f32((uint32_t)f.value);
    return pcs_has_attr(n, name) ? 0 : dflt;
}

const char *pcs_attr_text(pcs_onnx_node *n, const char *name, const char *dflt)
{
    pcs_proto_field f;
    if (own(n, name)) return own(n, name)->text;
    if (!field(n, name, 4, &f)) return pcs_has_attr(n, name) ? "" : dflt;
    const char *s = pcs_arena_copy(&n->im->g->arena, (const char *)f.inner.p, pcs_proto_size(f.inner));
    if (!s) n->im->error = PRECIS_ENOMEM;
    return s ? s : dflt;
}

/* Numbers of a list, in order: packed or not. */
static size_t list(pcs_proto m, uint32_t number, uint64_t *out)
{
    pcs_proto_field f;
    size_t n = 0;
    uint64_t v;
    bool bad;
    while (pcs_proto_next(&m, &f, &bad)) {
        if (f.number != number) continue;
        if (f.wire != PCS_PROTO_BYTES) {
            if (out) out[n] = f.value;
            n++;
        } else if (number == 7)
            for (size_t i = 0; i + 4 <= pcs_proto_size(f.inner); i += 4, n++) {
                if (out) out[n] = pcs_load32(f.inner.p + i);
            }
        else
            for (; pcs_proto_varint(&f.inner, &v); n++)
                if (out) out[n] = v;
    }
    return n;
}

const int64_t *pcs_attr_ints(pcs_onnx_node *n, const char *name, uint32_t *count)
{
    const pcs_onnx_attr *a = find(n, name);
    *count = a && a->own ? a->own->n : 0;
    if (!a || a->own) return a ? a->own->list : NULL;
    const size_t k = list(a->body, 8, NULL);
    uint64_t *v = pcs_room(n, k, sizeof *v);
    if (!v) return NULL;
    list(a->body, 8, v);
    for (size_t i = 0; i < k; i++) v[i] = (uint64_t)apart(v[i]);
    *count = (uint32_t)k;
    return (const int64_t *)v;
}

const float *pcs_attr_reals(pcs_onnx_node *n, const char *name, uint32_t *count)
{
    const pcs_onnx_attr *a = find(n, name);
    *count = 0;
    if (!a) return NULL;
    const size_t k = list(a->body, 7, NULL);
    uint64_t *v = pcs_room(n, k, sizeof *v);
    float *out = pcs_room(n, k, sizeof *out);
    if (!v || !out) return NULL;
    list(a->body, 7, v);
    for (size_t i = 0; i < k; i++) out[i] = pcs_bits_f32((uint32_t)v[i]);
    *count = (uint32_t)k;
    return out;
}

/* Words of one text. */
static const char *const *words(pcs_onnx_node *n, const char *text, uint32_t *count)
{
    const char **out = pcs_room(n, strlen(text) + 1, sizeof *out);
    for (const char *p = text; out && *p; p += strspn(p, " ")) {
        const size_t k = strcspn(p, " ");
        if (!(out[(*count)++] = pcs_arena_copy(&n->im->arena, p, k))) {
            n->im->error = PRECIS_ENOMEM;
            return NULL;
        }
        p += k;
    }
    return out;
}

const char *const *pcs_attr_texts(pcs_onnx_node *n, const char *name, uint32_t *count)
{
    const pcs_onnx_attr *a = find(n, name);
    pcs_proto_field f;
    uint32_t k = 0;
    bool bad;
    *count = 0;
    if (!a) return NULL;
    if (a->own) return words(n, a->own->text, count);
    for (pcs_proto m = a->body; pcs_proto_next(&m, &f, &bad);) k += f.number == 9 && f.wire == PCS_PROTO_BYTES;
    const char **out = pcs_room(n, k, sizeof *out);
    if (!out) return NULL;
    for (pcs_proto m = a->body; pcs_proto_next(&m, &f, &bad);)
        if (f.number == 9 && f.wire == PCS_PROTO_BYTES &&
            !(out[(*count)++] = pcs_arena_copy(&n->im->arena, (const char *)f.inner.p, pcs_proto_size(f.inner)))) {
            n->im->error = PRECIS_ENOMEM;
            return NULL;
        }
    return out;
}

bool pcs_attr_graph(pcs_onnx_node *n, const char *name, pcs_proto *out)
{
    pcs_proto_field f;
    if (!field(n, name, 6, &f) || f.wire != PCS_PROTO_BYTES) return false;
    *out = f.inner;
    return true;
}

precis_value pcs_attr_value(pcs_onnx_node *n, const char *name)
{
    pcs_proto_field f;
    pcs_onnx_tensor t;
    if (!field(n, name, 5, &f)) return -1;
    const precis_status st =
        f.wire == PCS_PROTO_BYTES ? pcs_onnx_read_tensor(n->im->net, &n->im->g->arena, f.inner, &t) : PRECIS_EFORMAT;
    if (st) {
        n->im->error = st;
        return -1;
    }
    return pcs_data(n, t.dtype, t.dims, t.shape, t.data);
}
