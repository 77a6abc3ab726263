/* making.c - what raising functions share beyond read/onnx/raise.h. */
#include "read/pt2/aten.h"

precis_value pcs_borrow(pcs_aten *c, const pcs_borrowed *b)
{
    uint32_t count = 0;
    if (pcs_failed(&c->n)) return -1;
    while (b->attrs && b->attrs[count].kind != PRECIS_ATTR_NONE) count++;
    const pcs_onnx_row row = { .op = c->row ? c->row->target : "", .with = b->with };
    pcs_onnx_node n = c->n;
    precis_value out[3] = { -1, -1, -1 };
    static const pcs_str wanted = { "result", 6 };
    n.row = &row;
    n.n_in = b->n_in;
    n.n_out = b->third ? 3 : b->second ? 2 : 1;
    n.n_attr = count;
    n.in = pcs_room(&c->n, b->n_in + 1, sizeof *n.in);
    n.attr = pcs_room(&c->n, count + 1, sizeof *n.attr);
    n.out_names = pcs_room(&c->n, 3, sizeof *n.out_names);
    if (pcs_failed(&c->n)) return -1;
    for (uint32_t i = 0; i < 3; i++) n.out_names[i] = wanted;
    n.out = out;
    if (b->n_in) memcpy(n.in, b->in, b->n_in * sizeof *n.in);
    for (uint32_t i = 0; i < count; i++)
        n.attr[i] = (pcs_onnx_attr){ .name = { b->attrs[i].name, strlen(b->attrs[i].name) }, .own = &b->attrs[i] };
    b->raise(&n);
    c->n.made = n.made;
    if (b->second) *b->second = out[1];
    if (b->third) *b->third = out[2];
    return pcs_failed(&c->n) ? -1 : out[0];
}

precis_value pcs_scalar_value(pcs_aten *c, pcs_dtype d, pcs_scalar s)
{
    uint64_t room = 0;
    if (pcs_failed(&c->n)) return -1;
    if (s.kind != PCS_NUMBER && pcs_dim_is_id(s.i))
        return pcs_refuse(&c->n, "computes with a dimension that has no size yet");
    if (s.kind == PCS_NUMBER) return pcs_numbers(&c->n, d, s.r);
    if (!pcs_dtype_whole(d)) return pcs_numbers(&c->n, d, (double)s.i);
    memcpy(&room, &s.i, sizeof room); /* little-endian: the low bytes are the number, wrapped */
    if (d == PCS_BOOL) room = s.i != 0;
    return pcs_data(&c->n, d, 0, NULL, &room);
}

precis_value pcs_spread_to(pcs_aten *c, precis_value v, uint32_t dims, const int64_t *shape)
{
    if (v < 0 || pcs_failed(&c->n)) return -1;
    const pcs_value *x = pcs_of(&c->n, v);
    bool same = x->dims == dims;
    for (uint32_t i = 0; i < dims && same; i++) same = x->shape[i] == shape[i];
    return same ? v : pcs_make1(&c->n, "expand", PRECIS_ATTRS(precis_attr_list("shape", dims, shape)), v);
}

precis_value pcs_filled(pcs_aten *c, pcs_dtype d, uint32_t dims, const int64_t *shape, pcs_scalar s)
{
    if (dims > PCS_GRAPH_DIMS) return pcs_refuse(&c->n, "gives %u dimensions, at most %d", dims, PCS_GRAPH_DIMS);
    for (uint32_t i = 0; i < dims; i++)
        if (shape[i] < 0 && !pcs_dim_is_id(shape[i]))
            return pcs_wrong(&c->n, "dimension %u is %lld", i, (long long)shape[i]);
    return pcs_spread_to(c, pcs_scalar_value(c, d, s), dims, shape);
}

precis_value pcs_counted(pcs_aten *c, int64_t count)
{
    if (pcs_dim_is_id(count)) return pcs_counted_up(&c->n, count);
    if (count < 0 || count > PCS_LIMIT_NET_ELEMENTS) return pcs_wrong(&c->n, "counts to %lld", (long long)count);
    int64_t *v = pcs_room(&c->n, (size_t)count, sizeof *v);
    for (int64_t i = 0; v && i < count; i++) v[i] = i;
    return v ? pcs_whole(&c->n, (uint32_t)count, v) : -1;
}

precis_value pcs_put_part(pcs_aten *c, precis_value base, precis_value w, uint32_t axis, const int64_t *part)
{
    const int64_t start = part[0], size = part[1], step = part[2];
    if (base < 0 || w < 0 || pcs_failed(&c->n)) return -1;
    const pcs_value b = *pcs_of(&c->n, base);
    const int64_t d = b.shape[axis];
    if (pcs_dim_is_id(d) || pcs_dim_is_id(start) || pcs_dim_is_id(size)) {
        if (start == 0 && size == d && step == 1) return w;
        return pcs_refuse(&c->n, "puts a part into a dimension that has no size yet");
    }
    if (!size) return base;
    w = pcs_as(&c->n, w, b.dtype);
    int64_t shape[PCS_GRAPH_DIMS];
    memcpy(shape, b.shape, sizeof shape);
    shape[axis] = size;
    w = pcs_spread_to(c, w, b.dims, shape);
    if (step == 1) {
        precis_value parts[3];
        uint32_t n = 0;
        if (start) parts[n++] = pcs_part(&c->n, base, axis, 0, start);
        parts[n++] = w;
        if (start + size < d) parts[n++] = pcs_part(&c->n, base, axis, start + size, d - start - size);
        return pcs_joined(&c->n, n, parts, axis);
    }
    int64_t line[PCS_GRAPH_DIMS];
    for (uint32_t i = 0; i < b.dims; i++) line[i] = i == axis ? size : 1;
    precis_value at = pcs_counted(c, size);
    at = pcs_make2(&c->n, "mul", NULL, at, pcs_data(&c->n, PCS_I64, 0, NULL, &step));
    at = pcs_make2(&c->n, "add", NULL, at, pcs_data(&c->n, PCS_I64, 0, NULL, &start));
    at = pcs_spread_to(c, pcs_shaped(&c->n, at, b.dims, line), b.dims, shape);
    return pcs_make3(&c->n, "put_each", PRECIS_ATTRS(precis_attr_int("axis", axis)), base, at, w);
}
