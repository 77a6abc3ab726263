/* sequences.c - attention, recurrent layers, bags of embeddings. */
#include "read/pt2/aten.h"

#include "base/fmath_more.h"

static precis_value times(pcs_aten *c, precis_value v, double by)
{
    return by == 1 || v < 0 ? v : pcs_make2(&c->n, "mul", NULL, v, pcs_numbers(&c->n, pcs_of(&c->n, v)->dtype, by));
}

/* 0 where it is true, and what takes a key out of a softmax elsewhere. */
static precis_value bias_of(pcs_aten *c, precis_value keep)
{
    return pcs_make3(&c->n, "where", NULL, keep, pcs_numbers(&c->n, PCS_F32, 0),
                     pcs_numbers(&c->n, PCS_F32, -PCS_INFINITY));
}

/* Keys up to each query's own place, counted from the beginning of both. */
static precis_value causal(pcs_aten *c, int64_t queries, int64_t keys)
{
    if (pcs_dim_is_id(queries) || pcs_dim_is_id(keys)) return pcs_refuse(&c->n, "masks lengths that are not known yet");
    return pcs_make2(&c->n, "less_equal", NULL, pcs_counted(c, keys),
                     pcs_shaped(&c->n, pcs_counted(c, queries), 2, (const int64_t[]){ queries, 1 }));
}

/* Heads of keys or values, each for several of queries. */
static precis_value for_each_head(pcs_aten *c, precis_value v, int64_t heads)
{
    if (v < 0) return -1;
    const pcs_value x = *pcs_of(&c->n, v);
    if (x.dims != 4 || x.shape[1] == heads) return v;
    if (x.shape[1] < 1 || heads % x.shape[1]) return pcs_wrong(&c->n, "has heads that do not go together");
    const int64_t by = heads / x.shape[1], apart[] = { x.shape[0], x.shape[1], 1, x.shape[2], x.shape[3] },
                  wide[] = { x.shape[0], x.shape[1], by, x.shape[2], x.shape[3] },
                  joined[] = { x.shape[0], heads, x.shape[2], x.shape[3] };
    return pcs_shaped(&c->n, pcs_spread_to(c, pcs_shaped(&c->n, v, 5, apart), 5, wide), 4, joined);
}

void pcs_aten_attention(pcs_aten *c)
{
    precis_value q = pcs_arg_tensor(c, "query"), k = pcs_arg_tensor(c, "key"), v = pcs_arg_tensor(c, "value"),
                 mask = pcs_arg_optional(c, "attn_mask");
    const bool masks = pcs_arg_flag(c, "is_causal"), grouped = pcs_arg_flag(c, "enable_gqa");
    if (pcs_arg_real(c, "dropout_p") != 0) pcs_refuse(&c->n, "drops values as in training; export net.eval()");
    if (q < 0 || k < 0 || v < 0 || pcs_failed(&c->n)) return;
    const pcs_dtype d = pcs_of(&c->n, q)->dtype;
    const uint32_t dims = pcs_of(&c->n, q)->dims;
    if (dims < 2 || pcs_of(&c->n, k)->dims < 2 || pcs_dim_is_id(pcs_of(&c->n, q)->shape[dims - 1])) {
        pcs_wrong(&c->n, "takes matrices");
        return;
    }
    const double scale = pcs_arg_given(c, "scale") ? pcs_arg_real(c, "scale")
                                                   : 1 / pcs_m_sqrt((double)pcs_of(&c->n, q)->shape[dims - 1]);
    const int64_t queries = pcs_of(&c->n, q)->shape[dims - 2],
                  keys = pcs_of(&c->n, k)->shape[pcs_of(&c->n, k)->dims - 2];
    q = pcs_f32(&c->n, q), k = pcs_f32(&c->n, k), v = pcs_f32(&c->n, v);
    if (grouped && q >= 0 && dims == 4)
        k = for_each_head(c, k, pcs_of(&c->n, q)->shape[1]), v = for_each_head(c, v, pcs_of(&c->n, q)->shape[1]);
    precis_value s = pcs_make2(&c->n, "product", NULL, times(c, q, scale), pcs_swapped(&c->n, k));
    if (masks) s = pcs_make2(&c->n, "add", NULL, s, bias_of(c, causal(c, queries, keys)));
    if (mask >= 0)
        s = pcs_make2(&c->n, "add", NULL, s,
                      pcs_of(&c->n, mask)->dtype == PCS_BOOL ? bias_of(c, mask) : pcs_f32(&c->n, mask));
    precis_value p = pcs_make1(&c->n, "normalize", PRECIS_ATTRS(precis_attr_int("axis", -1)), s);
    if (mask >= 0 && p >= 0) { /* a query that sees no key gets zeros */
        const int64_t last = pcs_of(&c->n, p)->dims - 1;
        const precis_value none = pcs_make2(&c->n, "equal", NULL, pcs_reduced(&c->n, s, "max", 1, &last, true),
                                            pcs_numbers(&c->n, PCS_F32, -PCS_INFINITY));
        p = pcs_make3(&c->n, "where", NULL, none, pcs_numbers(&c->n, PCS_F32, 0), p);
    }
    c->n.out[0] = pcs_as(&c->n, pcs_make2(&c->n, "product", NULL, p, v), d);
}

/* ---- recurrent layers --------------------------------------------------------------------------- */

/* torch's order of gates as ONNX's: LSTM i f g o as i o f c; GRU r z n as z r
 * h. */
static precis_value reorder(pcs_aten *c, precis_value w, char kind)
{
    static const int lstm[] = { 0, 3, 1, 2 }, gru[] = { 1, 0, 2 };
    precis_value parts[4];
    if (w < 0 || kind == 'r') return w;
    const uint32_t gates = kind == 'l' ? 4 : 3;
    const int64_t rows = pcs_of(&c->n, w)->dims ? pcs_of(&c->n, w)->shape[0] : 0;
    if (pcs_dim_is_id(rows) || rows % gates) return pcs_wrong(&c->n, "has weights of %lld rows", (long long)rows);
    for (uint32_t i = 0; i < gates; i++)
        parts[i] = pcs_part(&c->n, w, 0, rows / gates * (kind == 'l' ? lstm : gru)[i], rows / gates);
    return pcs_joined(&c->n, gates, parts, 0);
}

typedef struct {
    const precis_value *weights;
    uint32_t n, ways, each; /* weights in all, directions, and weights of a direction */
    bool biases;
    char kind;
    const char *act;
} stack;

/* Weights of a layer's directions, one after another: part 0 of the input, 1
 * of the state, 2 the biases. */
static precis_value of_layer(pcs_aten *c, const stack *s, uint32_t layer, uint32_t part)
{
    static const int64_t first = 0;
    precis_value all[2];
    for (uint32_t w = 0; w < s->ways; w++) {
        const precis_value *at = s->weights + (layer * s->ways + w) * s->each;
        precis_value v = pcs_f32(&c->n, reorder(c, at[part], s->kind));
        if (part == 2)
            v = pcs_joined(&c->n, 2, (const precis_value[]){ v, pcs_f32(&c->n, reorder(c, at[3], s->kind)) }, 0);
        all[w] = pcs_unsqueezed(&c->n, v, 1, &first);
    }
    return pcs_joined(&c->n, s->ways, all, 0);
}

/* One layer of x[steps, batch, in]: its output, and the last states. */
static precis_value layer_of(pcs_aten *c, const stack *s, uint32_t layer, precis_value x, const precis_value *states,
                             precis_value *last)
{
    static const int64_t perm[] = { 0, 2, 1, 3 };
    precis_value in[7] = {
        x, of_layer(c, s, layer, 0), of_layer(c, s, layer, 1), s->biases ? of_layer(c, s, layer, 2) : -1, -1, -1, -1
    };
    for (uint32_t i = 0; i < (s->kind == 'l' ? 2u : 1u); i++) {
        in[5 + i] = pcs_f32(&c->n, pcs_part(&c->n, states[i], 0, layer * s->ways, s->ways));
        if (in[5 + i] < 0) return -1;
    }
    const precis_attr attrs[] = { precis_attr_text("direction", s->ways == 2 ? "bidirectional" : "forward"),
                                  precis_attr_int("linear_before_reset", s->kind == 'g'),
                                  s->act ? precis_attr_text("activations", s->act) : (precis_attr){ 0 },
                                  { 0 } };
    precis_value y = PCS_BORROW(c, .raise = pcs_raise_recurrent,
                                .with = s->kind == 'l'   ? "lstm"
                                        : s->kind == 'g' ? "gru"
                                                         : "rnn",
                                .attrs = attrs, .n_in = s->kind == 'l' ? 7 : 6, .in = in, .second = &last[0],
                                .third = s->kind == 'l' ? &last[1] : NULL);
    if (y < 0) return -1;
    const pcs_value v = *pcs_of(&c->n, y); /* [steps, ways, batch, hidden] */
    return pcs_shaped(&c->n, pcs_permuted(&c->n, y, 4, perm), 3,
                      (const int64_t[]){ v.shape[0], v.shape[2], v.shape[3] * s->ways });
}

/* The first states: hx, a list of two of an LSTM, [layers * ways, batch,
 * hidden]. */
static bool first_states(pcs_aten *c, bool two, bool lone, precis_value *states)
{
    static const int64_t batch = 1;
    uint32_t count = 1;
    if (two) {
        const precis_value *v = pcs_arg_tensors(c, "hx", &count);
        if (!v || count != 2) return pcs_wrong(&c->n, "has %u first states", count), false;
        states[0] = v[0], states[1] = v[1];
    } else states[0] = pcs_arg_tensor(c, "hx");
    for (uint32_t i = 0; i < count; i++)
        if (lone) states[i] = pcs_unsqueezed(&c->n, states[i], 1, &batch);
    return !pcs_failed(&c->n);
}

/* lstm, gru, rnn_tanh, rnn_relu. */
void pcs_aten_recurrent(pcs_aten *c)
{
    static const int64_t swap[] = { 1, 0, 2 }, batch = 1;
    const char *with = c->row->with;
    stack s = { .kind = with[0] };
    precis_value x = pcs_arg_tensor(c, "input"), states[2], last[2][64], end[2];
    s.weights = pcs_arg_tensors(c, "params", &s.n);
    s.biases = pcs_arg_flag(c, "has_biases");
    const int64_t layers = pcs_arg_size(c, "num_layers");
    s.ways = pcs_arg_flag(c, "bidirectional") ? 2 : 1;
    s.each = s.biases ? 4 : 2;
    pcs_arg_real(c, "dropout");
    if (pcs_arg_flag(c, "train")) pcs_arg_flag(c, "train"); /* dropout between layers is off when a net is run */
    const bool first = pcs_arg_flag(c, "batch_first");
    if (s.kind == 'r' && with[1] == 'r') s.act = s.ways == 2 ? "Relu Relu" : "Relu";
    if (x < 0 || !s.weights || pcs_failed(&c->n)) return;
    if (layers < 1 || layers > 64 || s.n != (uint64_t)layers * s.ways * s.each) {
        pcs_refuse(&c->n, "has %u weights for %lld layers (projections are not supported)", s.n, (long long)layers);
        return;
    }
    const pcs_dtype d = pcs_of(&c->n, x)->dtype;
    const bool lone = pcs_of(&c->n, x)->dims == 2;
    if (!lone && pcs_of(&c->n, x)->dims != 3) {
        pcs_wrong(&c->n, "takes 2 or 3 dimensions, is given %u", pcs_of(&c->n, x)->dims);
        return;
    }
    if (!first_states(c, s.kind == 'l', lone, states)) return;
    x = pcs_f32(&c->n, x);
    if (lone) x = pcs_unsqueezed(&c->n, x, 1, &batch);
    else if (first) x = pcs_permuted(&c->n, x, 3, swap);
    for (uint32_t i = 0; i < layers; i++) {
        x = layer_of(c, &s, i, x, states, end);
        if (x < 0) return;
        last[0][i] = end[0], last[1][i] = end[1];
    }
    if (lone) x = pcs_shaped(&c->n, x, 2, (const int64_t[]){ pcs_of(&c->n, x)->shape[0], pcs_of(&c->n, x)->shape[2] });
    else if (first) x = pcs_permuted(&c->n, x, 3, swap);
    c->n.out[0] = pcs_as(&c->n, x, d);
    for (uint32_t i = 1; i < c->n.n_out && i < (s.kind == 'l' ? 3u : 2u); i++) {
        precis_value h = pcs_joined(&c->n, (uint32_t)layers, last[i - 1], 0);
        if (lone && h >= 0)
            h = pcs_shaped(&c->n, h, 2, (const int64_t[]){ pcs_of(&c->n, h)->shape[0], pcs_of(&c->n, h)->shape[2] });
        c->n.out[i] = pcs_as(&c->n, h, d);
    }
}

/* lstm_cell, gru_cell, rnn_tanh_cell, rnn_relu_cell: one step of one layer. */
void pcs_aten_cell(pcs_aten *c)
{
    static const int64_t first = 0;
    const char *with = c->row->with;
    const bool lstm = with[0] == 'l', both = pcs_arg_given(c, "b_ih");
    precis_value x = pcs_arg_tensor(c, "input"), states[2], last[2] = { -1, -1 };
    precis_value weights[4] = { pcs_arg_tensor(c, "w_ih"), pcs_arg_tensor(c, "w_hh"), pcs_arg_optional(c, "b_ih"),
                                pcs_arg_optional(c, "b_hh") };
    uint32_t count = 1;
    if (lstm) {
        const precis_value *given = pcs_arg_tensors(c, "hx", &count);
        if (!given || count != 2) {
            pcs_wrong(&c->n, "has %u states", count);
            return;
        }
        memcpy(states, given, sizeof states);
    } else states[0] = pcs_arg_tensor(c, "hx");
    if (pcs_failed(&c->n) || x < 0) return;
    if (both != (weights[3] >= 0) || pcs_of(&c->n, x)->dims != 2) {
        pcs_refuse(&c->n, "takes rows, and both biases or none");
        return;
    }
    const stack s = { .weights = weights, .n = both ? 4 : 2, .ways = 1, .each = both ? 4 : 2, .biases = both,
                      .kind = with[0], .act = with[0] == 'r' && with[1] == 'r' ? "Relu" : NULL };
    const pcs_dtype d = pcs_of(&c->n, x)->dtype;
    x = pcs_unsqueezed(&c->n, pcs_f32(&c->n, x), 1, &first);
    for (uint32_t i = 0; i < count; i++) states[i] = pcs_unsqueezed(&c->n, states[i], 1, &first);
    if (pcs_failed(&c->n) || layer_of(c, &s, 0, x, states, last) < 0) return;
    for (uint32_t i = 0; i < count && last[i] >= 0; i++) {
        const pcs_value v = *pcs_of(&c->n, last[i]); /* [1, batch, hidden] */
        c->n.out[i] = pcs_as(&c->n, pcs_shaped(&c->n, last[i], 2, v.shape + 1), d);
    }
}

/* ---- bags --------------------------------------------------------------------------------------- */

/* embedding_bag: rows of each bag as a sum, mean or maximum. Bags of one size
 * are one reduction. */
void pcs_aten_bag(pcs_aten *c)
{
    static const char *const kinds[] = { "sum", "mean", "max" };
    static const int64_t middle = 1, first = 0;
    const precis_value w = pcs_arg_tensor(c, "weight"), at = pcs_arg_tensor(c, "indices"),
                       offsets = pcs_arg_tensor(c, "offsets"), each = pcs_arg_optional(c, "per_sample_weights");
    const int64_t mode = pcs_arg_int(c, "mode");
    const bool end = pcs_arg_flag(c, "include_last_offset");
    if (pcs_arg_given(c, "padding_idx") && pcs_arg_int(c, "padding_idx") >= 0)
        pcs_refuse(&c->n, "leaves rows out (padding_idx)");
    int64_t count;
    const int64_t *from = pcs_contents(&c->n, offsets, &count);
    if (w < 0 || at < 0 || !from || pcs_failed(&c->n)) return;
    const int64_t rows = pcs_of(&c->n, at)->shape[0], bags = count - end;
    if (mode < 0 || mode > 2 || pcs_of(&c->n, at)->dims != 1 || pcs_dim_is_id(rows) || bags < 1 || bags > 1 << 16) {
        pcs_refuse(&c->n, "has %lld bags of mode %lld", (long long)bags, (long long)mode);
        return;
    }
    precis_value x = pcs_make2(&c->n, "take", PRECIS_ATTRS(precis_attr_int("axis", 0)), w, pcs_as(&c->n, at, PCS_I64));
    if (each >= 0) x = pcs_make2(&c->n, "mul", NULL, x, pcs_unsqueezed(&c->n, each, 1, &middle));
    if (x < 0) return;
    const int64_t width = pcs_of(&c->n, x)->shape[1], size = rows / bags;
    bool same = rows % bags == 0 && size > 0;
    for (int64_t i = 0; i < bags && same; i++) same = from[i] == i * size;
    if (same)
        c->n.out[0] = pcs_reduced(&c->n, pcs_shaped(&c->n, x, 3, (const int64_t[]){ bags, size, width }), kinds[mode],
                                  1, &middle, false);
    precis_value *parts = same ? NULL : pcs_room(&c->n, (size_t)bags, sizeof *parts);
    for (int64_t i = 0; parts && i < bags; i++) {
        const int64_t to = i + 1 < count ? from[i + 1] : rows;
        if (from[i] < 0 || to < from[i] || to > rows) {
            pcs_wrong(&c->n, "bag %lld begins at %lld and ends at %lld of %lld", (long long)i, (long long)from[i],
                      (long long)to, (long long)rows);
            return;
        }
        parts[i] =
            to == from[i]
                ? pcs_spread_to(c, pcs_numbers(&c->n, pcs_of(&c->n, w)->dtype, 0), 2, (const int64_t[]){ 1, width })
                : pcs_reduced(&c->n, pcs_part(&c->n, x, 0, from[i], to - from[i]), kinds[mode], 1, &first, true);
    }
    if (parts) c->n.out[0] = pcs_joined(&c->n, (uint32_t)bags, parts, 0);
}
