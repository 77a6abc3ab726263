/* linear_attention.c - ops of nets that keep a state of fixed size: CausalConvWithState and LinearAttention, from
 * products and sums, one step of time after another. */
#include "base/builtins.h"
#include "read/onnx/functions.h"

static precis_value zeros_of_shape(pcs_onnx_node *n, uint32_t dims, const int64_t *shape)
{
    return pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", dims, shape)), pcs_numbers(n, PCS_F32, 0));
}

/* Each channel by its own kernel, over what came before (the state) and what comes. */
void pcs_raise_causal_conv(pcs_onnx_node *n)
{
    const char *act = pcs_attr_text(n, "activation", "none");
    const precis_value given = pcs_in(n, 0), w = pcs_f32(n, pcs_in(n, 1));
    precis_value x = pcs_f32(n, given);
    const bool silu = act[0] == 's';
    if (strcmp(act, "none") && strcmp(act, "silu") && strcmp(act, "swish")) pcs_wrong(n, "activation is %s", act);
    if (x < 0 || w < 0) return;
    const pcs_value v = *pcs_of(n, x), k = *pcs_of(n, w);
    const pcs_dtype d = pcs_of(n, given)->dtype;
    if (v.dims != 3 || k.dims != 3 || k.shape[1] != 1 || pcs_dim_is_id(v.shape[1]) || pcs_dim_is_id(k.shape[2]) ||
        k.shape[0] != v.shape[1] || k.shape[2] < 1) {
        pcs_wrong(n, "takes x[batch, channels, length] and weights[channels, 1, k]");
        return;
    }
    const int64_t before = k.shape[2] - 1, state[] = { v.shape[0], v.shape[1], before };
    const precis_value past = pcs_has(n, 3) ? pcs_f32(n, n->in[3]) : before ? zeros_of_shape(n, 3, state) : -1;
    if (past >= 0 && before) x = pcs_joined(n, 2, (const precis_value[]){ past, x }, 2);
    const precis_value in[] = { x, w, pcs_has(n, 2) ? pcs_f32(n, n->in[2]) : -1 };
    precis_value y = pcs_make(n, "conv",
                              PRECIS_ATTRS(precis_attr_int("groups", v.shape[1]),
                                           precis_attr_list("strides", 1, (const int64_t[]){ 1 }),
                                           precis_attr_list("pads", 2, (const int64_t[]){ 0, 0 }),
                                           precis_attr_list("dilations", 1, (const int64_t[]){ 1 })),
                              pcs_has(n, 2) ? 3 : 2, in);
    if (silu || act[0] == 's') y = pcs_make1(n, "swish", PRECIS_ATTRS(precis_attr_real("alpha", 1)), y);
    n->out[0] = pcs_as(n, y, d);
    if (n->n_out < 2) return;
    if (pcs_failed(n)) return;
    const int64_t all = pcs_of(n, x)->shape[2];
    if (pcs_dim_is_id(all)) {
        pcs_refuse(n, "gives a state of a length that is not known yet");
        return;
    }
    n->out[1] = pcs_as(n, before ? pcs_part(n, x, 2, all - before, before) : pcs_part(n, x, 2, 0, 0), d);
}

typedef struct {
    int64_t batch, steps, heads, groups, dk, dv; /* heads of keys, and queries for each of them */
    precis_value q, k, v, decay, beta;           /* [batch, steps, heads, ...] */
    double scale;
} sequence;

/* Step t of a packed input as [batch, heads, rows, columns]. */
static precis_value step(pcs_onnx_node *n, precis_value x, int64_t t, const sequence *s, int64_t rows, int64_t columns)
{
    return pcs_shaped(n, pcs_part(n, x, 1, t, 1), 4, (const int64_t[]){ s->batch, s->heads, rows, columns });
}

static precis_value two(pcs_onnx_node *n, const char *op, precis_value a, precis_value b)
{
    return pcs_make2(n, op, NULL, a, b);
}

/* The state after step t, and what it gives: [batch, heads, groups, dv]. */
static precis_value turn(pcs_onnx_node *n, const sequence *s, int64_t t, precis_value *state)
{
    const precis_value k = step(n, s->k, t, s, s->dk, 1), v = step(n, s->v, t, s, 1, s->dv);
    precis_value more = v;
    if (s->decay >= 0 && !pcs_failed(n)) {
        const bool each = pcs_of(n, s->decay)->shape[2] != s->heads || s->dk == 1;
        *state = two(n, "mul", *state, pcs_make1(n, "exp", NULL, step(n, s->decay, t, s, each ? s->dk : 1, 1)));
    }
    if (s->beta >= 0 && !pcs_failed(n)) {
        const bool one = pcs_of(n, s->beta)->shape[2] == 1;
        const precis_value rate =
            one ? pcs_shaped(n, pcs_part(n, s->beta, 1, t, 1), 4, (const int64_t[]){ s->batch, 1, 1, 1 })
                : step(n, s->beta, t, s, 1, 1);
        more = two(n, "sub", v, two(n, "product", pcs_swapped(n, k), *state));
        more = two(n, "mul", more, rate);
    }
    *state = two(n, "add", *state, two(n, "mul", k, more));
    const precis_value q = step(n, s->q, t, s, s->groups, s->dk);
    return two(n, "mul", two(n, "product", q, *state), pcs_numbers(n, PCS_F32, s->scale));
}

static bool read_sequence(pcs_onnx_node *n, sequence *s)
{
    const int64_t qh = pcs_attr_int(n, "q_num_heads", 0), kh = pcs_attr_int(n, "kv_num_heads", 0);
    const char *rule = pcs_attr_text(n, "update_rule", "gated_delta");
    const bool gated = rule[0] == 'g', delta = strstr(rule, "delta") != NULL;
    s->scale = pcs_attr_real(n, "scale", 0);
    pcs_attr_int(n, "chunk_size", 64);
    s->q = pcs_f32(n, pcs_in(n, 0)), s->k = pcs_f32(n, pcs_in(n, 1)), s->v = pcs_f32(n, pcs_in(n, 2));
    s->decay = gated ? pcs_f32(n, pcs_in(n, 4)) : -1, s->beta = delta ? pcs_f32(n, pcs_in(n, 5)) : -1;
    if (pcs_failed(n)) return false;
    if (strcmp(rule, "linear") && strcmp(rule, "gated") && strcmp(rule, "delta") && strcmp(rule, "gated_delta"))
        return pcs_wrong(n, "update_rule is %s", rule), false;
    if ((!gated && pcs_has(n, 4)) || (!delta && pcs_has(n, 5)))
        return pcs_wrong(n, "has an input that update_rule %s does not take", rule), false;
    const pcs_value q = *pcs_of(n, s->q), v = *pcs_of(n, s->v);
    if (qh < 1 || kh < 1 || qh % kh || q.dims != 3 || v.dims != 3 || pcs_of(n, s->k)->dims != 3 ||
        pcs_dim_is_id(q.shape[2]) || pcs_dim_is_id(v.shape[2]) || q.shape[2] % qh || v.shape[2] % kh)
        return pcs_wrong(n, "takes [batch, time, heads * size], and numbers of heads that go together"), false;
    if (pcs_dim_is_id(q.shape[1]) || q.shape[1] > PCS_LIMIT_NET_TURNS)
        return pcs_refuse(n, "goes through a time that is not known yet, or longer than %d", PCS_LIMIT_NET_TURNS),
               false;
    s->batch = q.shape[0], s->steps = q.shape[1], s->heads = kh, s->groups = qh / kh, s->dk = q.shape[2] / qh,
    s->dv = v.shape[2] / kh;
    if (s->scale == 0) s->scale = 1 / pcs_sqrt((double)s->dk);
    return true;
}

/* S = e^g S + k (b (v - S^T k)), and q^T S: the recurrence as it is written. */
void pcs_raise_linear_attention(pcs_onnx_node *n)
{
    sequence s = { 0 };
    if (!read_sequence(n, &s)) return;
    const pcs_dtype d = pcs_of(n, n->in[0])->dtype;
    const int64_t shape[] = { s.batch, s.heads, s.dk, s.dv };
    precis_value state = pcs_has(n, 3) ? pcs_f32(n, n->in[3]) : zeros_of_shape(n, 4, shape);
    precis_value *all = pcs_room(n, (size_t)s.steps + 1, sizeof *all);
    if (!all) return;
    for (int64_t t = 0; t < s.steps && !pcs_failed(n); t++)
        all[t] = pcs_shaped(n, turn(n, &s, t, &state), 3, (const int64_t[]){ s.batch, 1, s.heads * s.groups * s.dv });
    if (pcs_failed(n)) return;
    const precis_value y = s.steps ? pcs_joined(n, (uint32_t)s.steps, all, 1)
                                   : zeros_of_shape(n, 3, (const int64_t[]){ s.batch, 0, s.heads * s.groups * s.dv });
    n->out[0] = pcs_as(n, y, d);
    if (n->n_out > 1) n->out[1] = pcs_as(n, state, pcs_has(n, 3) ? pcs_of(n, n->in[3])->dtype : d);
}
