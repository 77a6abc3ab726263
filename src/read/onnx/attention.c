/* attention.c - attention and rotary embeddings, raised from products, sums and a softmax. */
#include "read/onnx/functions.h"

#include "base/builtins.h"
#include "base/fmath_more.h"

/* [batch, length, heads * size] as [batch, heads, length, size]. */
static precis_value split_heads(pcs_onnx_node *n, precis_value v, int64_t heads)
{
    static const int64_t perm[] = { 0, 2, 1, 3 };
    if (v < 0 || pcs_failed(n)) return -1;
    const pcs_value x = *pcs_of(n, v);
    if (x.dims == 4) return v;
    if (x.dims != 3 || heads < 1 || pcs_dim_is_id(x.shape[2]) || x.shape[2] % heads)
        return pcs_wrong(n, "takes 4 dimensions, or 3 and a number of heads that divides the last");
    return pcs_permuted(n, pcs_shaped(n, v, 4, (const int64_t[]){ x.shape[0], x.shape[1], heads, x.shape[2] / heads }),
                        4, perm);
}

/* Each head of keys or values for `times` heads of queries. */
static precis_value repeat_heads(pcs_onnx_node *n, precis_value v, int64_t times)
{
    if (v < 0 || times == 1) return v;
    const pcs_value x = *pcs_of(n, v);
    const int64_t apart[] = { x.shape[0], x.shape[1], 1, x.shape[2], x.shape[3] },
                  wide[] = { x.shape[0], x.shape[1], times, x.shape[2], x.shape[3] },
                  joined[] = { x.shape[0], x.shape[1] * times, x.shape[2], x.shape[3] };
    return pcs_shaped(
        n, pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", 5, wide)), pcs_shaped(n, v, 5, apart)), 4,
        joined);
}

static precis_value masked(pcs_onnx_node *n, precis_value keep)
{
    return pcs_make3(n, "where", NULL, keep, pcs_numbers(n, PCS_F32, 0), pcs_numbers(n, PCS_F32, -PCS_INFINITY));
}

static precis_value counted(pcs_onnx_node *n, int64_t count, bool column, int64_t from)
{
    int64_t *v = pcs_room(n, (size_t)count, sizeof *v);
    for (int64_t i = 0; v && i < count; i++) v[i] = from + i;
    const precis_value x = v ? pcs_whole(n, (uint32_t)count, v) : -1;
    return column ? pcs_shaped(n, x, 2, (const int64_t[]){ count, 1 }) : x;
}

/* A mask as what is added to scores, padded to all keys. */
static precis_value bias_of(pcs_onnx_node *n, precis_value mask, int64_t keys)
{
    if (mask < 0) return -1;
    const bool truth = pcs_of(n, mask)->dtype == PCS_BOOL;
    precis_value b = truth ? masked(n, mask) : pcs_f32(n, mask);
    if (b < 0) return -1;
    const pcs_value v = *pcs_of(n, b);
    if (!v.dims || pcs_dim_is_id(keys) || pcs_dim_is_id(v.shape[v.dims - 1]) || v.shape[v.dims - 1] >= keys) return b;
    int64_t pads[2 * PCS_GRAPH_DIMS] = { 0 };
    pads[2 * v.dims - 1] = keys - v.shape[v.dims - 1];
    return pcs_make2(n, "pad", PRECIS_ATTRS(precis_attr_list("pads", 2 * v.dims, pads)), b,
                     pcs_numbers(n, PCS_F32, -PCS_INFINITY));
}

static precis_value plus(pcs_onnx_node *n, precis_value a, precis_value b)
{
    return a < 0 ? b : b < 0 ? a : pcs_make2(n, "add", NULL, a, b);
}

/* All that is added to scores; -1 and no error: nothing. */
static precis_value biases(pcs_onnx_node *n, int64_t queries, int64_t keys, int64_t past, bool causal, int64_t batch)
{
    precis_value b = pcs_has(n, 3) ? bias_of(n, n->in[3], keys) : -1;
    if ((causal || pcs_has(n, 6)) && (pcs_dim_is_id(queries) || pcs_dim_is_id(keys) || pcs_dim_is_id(past)))
        return pcs_refuse(n, "masks lengths that are not known yet");
    if (causal)
        b = plus(
            n, masked(n, pcs_make2(n, "less_equal", NULL, counted(n, keys, false, 0), counted(n, queries, true, past))),
            b);
    if (pcs_has(n, 6)) {
        const precis_value real =
            pcs_make2(n, "less", NULL, counted(n, keys, false, 0),
                      pcs_shaped(n, pcs_as(n, n->in[6], PCS_I64), 2, (const int64_t[]){ batch, 1 }));
        b = plus(n, pcs_shaped(n, masked(n, real), 4, (const int64_t[]){ batch, 1, 1, keys }), b);
    }
    return b;
}

static precis_value times(pcs_onnx_node *n, precis_value v, double by)
{
    return by == 1 ? v : pcs_make2(n, "mul", NULL, v, pcs_numbers(n, PCS_F32, by));
}

void pcs_raise_attention(pcs_onnx_node *n)
{
    static const int64_t perm[] = { 0, 2, 1, 3 };
    const double given = pcs_attr_real(n, "scale", 0), cap = pcs_attr_real(n, "softcap", 0);
    const int64_t qh = pcs_attr_int(n, "q_num_heads", 0), kh = pcs_attr_int(n, "kv_num_heads", 0),
                  mode = pcs_attr_int(n, "qk_matmul_output_mode", 0),
                  precision = pcs_attr_int(n, "softmax_precision", 1);
    const bool causal = pcs_attr_int(n, "is_causal", 0) != 0;
    if (pcs_in(n, 0) < 0 || pcs_in(n, 1) < 0 || pcs_in(n, 2) < 0) return;
    const bool flat = pcs_of(n, n->in[0])->dims == 3;
    const pcs_dtype d = pcs_of(n, n->in[0])->dtype, dk = pcs_of(n, n->in[1])->dtype, dv = pcs_of(n, n->in[2])->dtype;
    precis_value q = split_heads(n, pcs_f32(n, n->in[0]), qh), k = split_heads(n, pcs_f32(n, n->in[1]), kh),
                 v = split_heads(n, pcs_f32(n, n->in[2]), kh);
    int64_t past = 0;
    if (pcs_has(n, 4) && !pcs_failed(n)) {
        past = pcs_of(n, n->in[4])->dims == 4 ? pcs_of(n, n->in[4])->shape[2] : 0;
        k = pcs_joined(n, 2, (const precis_value[]){ pcs_f32(n, n->in[4]), k }, 2);
    }
    if (pcs_has(n, 5)) v = pcs_joined(n, 2, (const precis_value[]){ pcs_f32(n, n->in[5]), v }, 2);
    if (q < 0 || k < 0 || v < 0) return;
    if (n->n_out > 1) n->out[1] = pcs_as(n, k, dk);
    if (n->n_out > 2) n->out[2] = pcs_as(n, v, dv);
    const int64_t heads = pcs_of(n, q)->shape[1], own = pcs_of(n, k)->shape[1], size = pcs_of(n, q)->shape[3],
                  queries = pcs_of(n, q)->shape[2], keys = pcs_of(n, k)->shape[2], batch = pcs_of(n, q)->shape[0];
    if (own < 1 || pcs_dim_is_id(heads) || pcs_dim_is_id(size) || heads % own) {
        pcs_wrong(n, "has %lld heads of queries and %lld of keys", (long long)heads, (long long)own);
        return;
    }
    const double scale = pcs_sqrt(given != 0 ? given : 1 / pcs_sqrt((double)size));
    k = repeat_heads(n, k, heads / own), v = repeat_heads(n, v, heads / own);
    precis_value s = pcs_make2(n, "product", NULL, times(n, q, scale), pcs_swapped(n, times(n, k, scale)));
    if (cap > 0) s = times(n, pcs_make1(n, "tanh", NULL, times(n, s, 1 / cap)), cap);
    const precis_value bias = biases(n, queries, keys, past, causal, batch),
                       with = pcs_failed(n) ? -1 : plus(n, s, bias);
    precis_value p = pcs_make1(n, "normalize", PRECIS_ATTRS(precis_attr_int("axis", -1)),
                               precision == 11 ? pcs_as(n, with, PCS_F64) : with);
    p = pcs_as(n, p, PCS_F32);
    if (n->n_out > 3) n->out[3] = pcs_as(n, mode == 2 ? with : mode == 3 ? p : s, d);
    precis_value y = pcs_make2(n, "product", NULL, p, v);
    if (flat && y >= 0)
        y = pcs_shaped(n, pcs_permuted(n, y, 4, perm), 3,
                       (const int64_t[]){ batch, queries, pcs_dim_product(n->im->g, pcs_of(n, y)->shape[3], heads) });
    n->out[0] = pcs_as(n, y, d);
}

/* Every second element of the last dimension, from `from` on. */
static precis_value second(pcs_onnx_node *n, precis_value v, int64_t from)
{
    int64_t starts[PCS_GRAPH_DIMS] = { 0 }, sizes[PCS_GRAPH_DIMS], steps[PCS_GRAPH_DIMS];
    if (v < 0) return -1;
    const pcs_value x = *pcs_of(n, v);
    for (uint32_t i = 0; i < x.dims; i++) sizes[i] = x.shape[i], steps[i] = 1;
    starts[x.dims - 1] = from;
    sizes[x.dims - 1] /= 2;
    steps[x.dims - 1] = 2;
    return pcs_make1(n, "slice",
                     PRECIS_ATTRS(precis_attr_list("starts", x.dims, starts), precis_attr_list("sizes", x.dims, sizes),
                                  precis_attr_list("steps", x.dims, steps)),
                     v);
}

/* Angles of each place: [batch, length, half], or of the cache by position; as they spread over heads. */
static precis_value angles(pcs_onnx_node *n, precis_value cache, precis_value ids)
{
    static const int64_t heads = 1;
    cache = pcs_f32(n, cache);
    if (ids >= 0) cache = pcs_make2(n, "take", NULL, cache, ids);
    return cache < 0 || pcs_of(n, cache)->dims != 3 ? pcs_wrong(n, "takes angles of 3 dimensions")
                                                    : pcs_unsqueezed(n, cache, 1, &heads);
}

void pcs_raise_rotary(pcs_onnx_node *n)
{
    static const int64_t perm[] = { 0, 2, 1, 3 };
    const bool ms = n->row->with[0] == 'm'; /* positions stand before the caches there */
    const precis_value given = pcs_in(n, 0), ids = ms ? pcs_in(n, 1) : pcs_has(n, 3) ? n->in[3] : -1;
    const int64_t dim = pcs_attr_int(n, "rotary_embedding_dim", 0), heads = pcs_attr_int(n, "num_heads", 0);
    const bool pairs = pcs_attr_int(n, "interleaved", 0) != 0;
    precis_value x = split_heads(n, pcs_f32(n, given), heads);
    const precis_value c = angles(n, pcs_in(n, ms ? 2 : 1), ids), s = angles(n, pcs_in(n, ms ? 3 : 2), ids);
    if (x < 0 || c < 0 || s < 0) return;
    const pcs_value v = *pcs_of(n, x), old = *pcs_of(n, given);
    const int64_t size = v.shape[3], turned = dim ? dim : size;
    if (pcs_dim_is_id(size) || turned > size || turned % 2) {
        pcs_wrong(n, "turns %lld of %lld dimensions", (long long)turned, (long long)size);
        return;
    }
    const precis_value part = pcs_part(n, x, 3, 0, turned),
                       a = pairs ? second(n, part, 0) : pcs_part(n, part, 3, 0, turned / 2),
                       b = pairs ? second(n, part, 1) : pcs_part(n, part, 3, turned / 2, turned / 2);
    precis_value both[2] = {
        pcs_make2(n, "sub", NULL, pcs_make2(n, "mul", NULL, c, a), pcs_make2(n, "mul", NULL, s, b)),
        pcs_make2(n, "add", NULL, pcs_make2(n, "mul", NULL, s, a), pcs_make2(n, "mul", NULL, c, b))
    };
    precis_value y;
    if (pairs) {
        static const int64_t last = -1;
        for (int i = 0; i < 2; i++) both[i] = pcs_unsqueezed(n, both[i], 1, &last);
        y = pcs_shaped(n, pcs_joined(n, 2, both, 4), 4,
                       (const int64_t[]){ v.shape[0], v.shape[1], v.shape[2], turned });
    } else y = pcs_joined(n, 2, both, 3);
    if (turned < size) y = pcs_joined(n, 2, (const precis_value[]){ y, pcs_part(n, x, 3, turned, size - turned) }, 3);
    if (old.dims == 3) y = pcs_shaped(n, pcs_permuted(n, y, 4, perm), 3, old.shape);
    n->out[0] = pcs_as(n, y, old.dtype);
}

/* ---- losses ------------------------------------------------------------------------------------- */

static precis_value likelihood(pcs_onnx_node *n, precis_value x, precis_value target, precis_value weight)
{
    static const int64_t one = 1;
    const char *how = pcs_attr_text(n, "reduction", "mean");
    const bool ignores = pcs_has_attr(n, "ignore_index"), mean = !strcmp(how, "mean");
    const int64_t ignored = pcs_attr_int(n, "ignore_index", -1);
    int64_t axes[PCS_GRAPH_DIMS];
    if (x < 0 || target < 0) return -1;
    const pcs_dtype d = pcs_of(n, x)->dtype;
    const uint32_t dims = pcs_of(n, target)->dims;
    int64_t shape[PCS_GRAPH_DIMS];
    memcpy(shape, pcs_of(n, target)->shape, sizeof shape);
    for (uint32_t i = 0; i < dims; i++) axes[i] = i;
    target = pcs_as(n, target, PCS_I64);
    const precis_value out = pcs_make2(n, "equal", NULL, target, pcs_data(n, PCS_I64, 0, NULL, &ignored)),
                       zero = pcs_data(n, PCS_I64, 0, NULL, (const int64_t[]){ 0 });
    if (ignores) target = pcs_make3(n, "where", NULL, out, zero, target);
    precis_value loss =
        pcs_make2(n, "take_each", PRECIS_ATTRS(precis_attr_int("axis", 1)), x, pcs_unsqueezed(n, target, 1, &one));
    loss = pcs_make1(n, "neg", NULL, pcs_shaped(n, loss, dims, shape));
    precis_value w = weight >= 0 ? pcs_make2(n, "take", NULL, weight, target)
                                 : pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", dims, shape)),
                                             pcs_numbers(n, d, 1));
    if (ignores) w = pcs_make3(n, "where", NULL, out, pcs_numbers(n, d, 0), w);
    loss = pcs_make2(n, "mul", NULL, loss, w);
    if (!strcmp(how, "none")) return loss;
    if (!mean && strcmp(how, "sum")) return pcs_wrong(n, "reduction is %s", how);
    loss = pcs_reduced(n, loss, "sum", dims, axes, false);
    return mean ? pcs_make2(n, "div", NULL, loss, pcs_reduced(n, w, "sum", dims, axes, false)) : loss;
}

void pcs_raise_loss(pcs_onnx_node *n)
{
    const bool entropy = n->row->with[0] == 'e';
    precis_value x = pcs_in(n, 0);
    if (x < 0) return;
    const pcs_dtype d = pcs_of(n, x)->dtype;
    if (d == PCS_F16 || d == PCS_BF16) x = pcs_f32(n, x);
    if (entropy)
        x = pcs_make1(n, "normalize", PRECIS_ATTRS(precis_attr_int("axis", 1), precis_attr_text("kind", "log")), x);
    n->out[0] = pcs_as(
        n, likelihood(n, x, pcs_in(n, 1), pcs_has(n, 2) && x >= 0 ? pcs_as(n, n->in[2], pcs_of(n, x)->dtype) : -1), d);
    if (n->n_out > 1 && entropy) n->out[1] = pcs_as(n, x, d);
}

void pcs_raise_einsum(pcs_onnx_node *n)
{
    const char *equation = pcs_attr_text(n, "equation", "");
    if (n->n_in > 6) {
        pcs_refuse(n, "has %u operands, at most 6", n->n_in);
        return;
    }
    for (uint32_t i = 0; i < n->n_in; i++)
        if (pcs_in(n, i) < 0) return;
    n->out[0] = pcs_make(n, "einsum", PRECIS_ATTRS(precis_attr_text("equation", equation)), n->n_in, n->in);
}

/* A cache with updates put in from a place on, of each batch its own: TensorScatter. */
void pcs_raise_tensor_scatter(pcs_onnx_node *n)
{
    const precis_value cache = pcs_in(n, 0), update = pcs_in(n, 1);
    const int64_t axis = pcs_attr_int(n, "axis", -2);
    const bool circular = !strcmp(pcs_attr_text(n, "mode", "linear"), "circular");
    if (cache < 0 || update < 0) return;
    const pcs_value c = *pcs_of(n, cache), u = *pcs_of(n, update);
    const uint32_t a = pcs_axis(axis, c.dims);
    if (a == c.dims || a == 0 || u.dims != c.dims || pcs_dim_is_id(u.shape[a]) || pcs_dim_is_id(c.shape[a]) ||
        u.shape[a] > c.shape[a]) {
        pcs_wrong(n, "takes a cache, and updates of a known length along axis %lld", (long long)axis);
        return;
    }
    int64_t first[PCS_GRAPH_DIMS], line[PCS_GRAPH_DIMS];
    for (uint32_t i = 0; i < c.dims; i++) first[i] = i ? 1 : c.shape[0], line[i] = i == a ? u.shape[a] : 1;
    precis_value at = pcs_shaped(n, counted(n, u.shape[a], false, 0), c.dims, line);
    if (pcs_has(n, 2)) at = pcs_make2(n, "add", NULL, at, pcs_shaped(n, pcs_as(n, n->in[2], PCS_I64), c.dims, first));
    if (circular) at = pcs_make2(n, "mod", NULL, at, pcs_data(n, PCS_I64, 0, NULL, &c.shape[a]));
    at = pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", u.dims, u.shape)), at);
    n->out[0] = pcs_make3(n, "put_each", PRECIS_ATTRS(precis_attr_int("axis", a)), cache, at, update);
}
