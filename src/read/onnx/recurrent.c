/* recurrent.c - RNN, GRU, LSTM, and the LSTM with weights in 8 bits. */
#include "read/onnx/functions.h"
#include "base/f16.h"

#include <strings.h>

/* ONNX's names, the op's letters, and alpha and beta where the node gives none. */
static const struct {
    const char *name;
    char letter;
    float alpha, beta;
} functions[] = {
    { "Tanh", 't', 0, 0 },       { "Sigmoid", 's', 0, 0 },           { "Relu", 'r', 0, 0 },
    { "Affine", 'a', 1, 0 },     { "LeakyRelu", 'l', 0.01f, 0 },     { "ThresholdedRelu", 'T', 1, 0 },
    { "ScaledTanh", 'S', 1, 1 }, { "HardSigmoid", 'H', 0.2f, 0.5f }, { "Elu", 'e', 1, 0 },
    { "Softsign", 'g', 0, 0 },   { "Softplus", 'p', 0, 0 },
};

typedef struct {
    char act[16];
    int64_t bits[16];
    uint32_t n;
} acts;

static bool read_acts(pcs_onnx_node *n, uint32_t each, uint32_t ways, acts *a)
{
    static const char *const usual[] = { "Sigmoid", "Tanh", "Tanh" };
    uint32_t count, na, nb, used_a = 0, used_b = 0;
    const char *const *names = pcs_attr_texts(n, "activations", &count);
    const float *alphas = pcs_attr_reals(n, "activation_alpha", &na),
                *betas = pcs_attr_reals(n, "activation_beta", &nb);
    a->n = each * ways;
    if (count && count != a->n) return pcs_wrong(n, "has %u activations, not %u", count, a->n), false;
    for (uint32_t i = 0; i < a->n; i++) {
        const char *name = count ? names[i] : usual[each == 1 ? 1 : i % each];
        size_t f = 0;
        while (f < sizeof functions / sizeof *functions && strcasecmp(functions[f].name, name)) f++;
        if (f == sizeof functions / sizeof *functions)
            return pcs_refuse(n, "activation %.40s is not supported", name), false;
        const bool takes = strchr("alTSHe", functions[f].letter) != NULL,
                   both = strchr("aSH", functions[f].letter) != NULL;
        const float alpha = takes && used_a < na ? alphas[used_a++] : functions[f].alpha,
                    beta = both && used_b < nb ? betas[used_b++] : functions[f].beta;
        a->act[i] = functions[f].letter;
        a->bits[i] = pcs_f32_bits(alpha);
        a->bits[a->n + i] = pcs_f32_bits(beta);
    }
    a->act[a->n] = 0;
    return true;
}

static precis_value zeros_like_shape(pcs_onnx_node *n, uint32_t dims, const int64_t *shape)
{
    return pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", dims, shape)), pcs_numbers(n, PCS_F32, 0));
}

/* Input i in F32, or zeros of the shape. */
static precis_value or_zeros(pcs_onnx_node *n, uint32_t i, uint32_t dims, const int64_t *shape)
{
    return pcs_has(n, i) ? pcs_f32(n, n->in[i]) : zeros_like_shape(n, dims, shape);
}

static precis_value batch_first(pcs_onnx_node *n, precis_value v, bool first)
{
    static const int64_t perm[] = { 1, 0, 2 };
    return first ? pcs_permuted(n, v, 3, perm) : v;
}

/* A state of one sequence beside a batch without a size, which must be one then: it is spread over it. */
static precis_value for_batch(pcs_onnx_node *n, precis_value h, const int64_t *state)
{
    if (h < 0 || pcs_of(n, h)->dims != 3 || pcs_of(n, h)->shape[1] != 1 || !pcs_dim_is_id(state[1])) return h;
    return pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", 3, state)), h);
}

/* The number of steps, an I32; from the shape of x where it has no size yet. */
static precis_value steps_of(pcs_onnx_node *n, precis_value x, int64_t steps)
{
    if (!pcs_dim_is_id(steps)) return pcs_numbers(n, PCS_I32, (double)steps);
    const precis_value shape = pcs_make1(n, "shape", NULL, x);
    const precis_value first = pcs_make2(n, "gather", NULL, shape, pcs_data(n, PCS_I64, 0, NULL, &(int64_t){ 0 }));
    return pcs_as(n, first, PCS_I32);
}

/* The steps of each sequence: input 4, or all. */
static precis_value lengths_of(pcs_onnx_node *n, precis_value x)
{
    const int64_t batch = pcs_of(n, x)->shape[1], steps = pcs_of(n, x)->shape[0];
    const precis_value given = pcs_has(n, 4) ? pcs_as(n, n->in[4], PCS_I32) : -1;
    if (given >= 0) return given;
    return pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", 1, &batch)), steps_of(n, x, steps));
}

/* The state before the first step: input i, or zeros. first: the batch is its first dimension. */
static precis_value state_of(pcs_onnx_node *n, uint32_t i, bool first, const int64_t *shape)
{
    if (!pcs_has(n, i)) return zeros_like_shape(n, 3, shape);
    return for_batch(n, batch_first(n, pcs_f32(n, n->in[i]), first), shape);
}

/* Weights as numbers, [ways, gates * hidden, of x or h]; or as codes, those two turned, with scales and zero points. */
typedef struct {
    precis_value w, r, scales[4];
    bool dynamic;
    uint32_t own; /* of the nodes that are made: the one that multiplies, by the name that the file has for all */
} weights;

/* What all of them read. in[6] and in[7] are an LSTM's. */
static void raise_recurrent(pcs_onnx_node *n, const char *kind, const weights *from, const uint32_t *at)
{
    const precis_value w = from->w, r = from->r;
    const uint32_t of_h = from->dynamic ? 1 : 2; /* the dimension of r that is `hidden` */
    static const int64_t back_y[] = { 2, 0, 1, 3 };
    const char *way = pcs_attr_text(n, "direction", "forward");
    const bool lstm = kind[0] == 'l', first = pcs_attr_int(n, "layout", 0) != 0;
    const double clip = pcs_attr_real(n, "clip", 0);
    const int64_t coupled = pcs_attr_int(n, "input_forget", 0), linear = pcs_attr_int(n, "linear_before_reset", 0),
                  given = pcs_attr_int(n, "hidden_size", 0);
    const int64_t gates = kind[0] == 'r' ? 1 : lstm ? 4 : 3, ways = way[0] == 'b' ? 2 : 1;
    const precis_value x = batch_first(n, pcs_f32(n, pcs_in(n, 0)), first);
    acts a;
    pcs_has_attr(n, "output_sequence");
    if (x < 0 || w < 0 || r < 0 || !read_acts(n, kind[0] == 'r' ? 1 : lstm ? 3 : 2, (uint32_t)ways, &a)) return;
    if (pcs_of(n, x)->dims != 3 || pcs_of(n, r)->dims != 3) {
        pcs_wrong(n, "takes x and weights of 3 dimensions");
        return;
    }
    if (pcs_dim_is_id(pcs_of(n, r)->shape[of_h])) {
        pcs_refuse(n, "has weights of a size that is not known yet");
        return;
    }
    const int64_t hidden = pcs_of(n, r)->shape[of_h], batch = pcs_of(n, x)->shape[1], rows = gates * hidden;
    if (given && given != hidden) {
        pcs_wrong(n, "hidden_size is %lld, its weights have %lld", (long long)given, (long long)hidden);
        return;
    }
    const precis_value lengths = lengths_of(n, x);
    const int64_t state[] = { ways, batch, hidden }, bias[] = { ways, 2 * rows }, peep[] = { ways, 3 * hidden };
    precis_value in[12] = { x, w, r, -1, lengths, state_of(n, 5, first, state), -1, -1 };
    in[3] = or_zeros(n, 3, 2, bias);
    if (lstm) {
        in[6] = state_of(n, at[0], first, state);
        in[7] = or_zeros(n, at[1], 2, peep);
    }
    const precis_attr attrs[] = {
        precis_attr_text("kind", kind), precis_attr_text("way", way), precis_attr_text("act", a.act),
        precis_attr_real("clip", clip), precis_attr_int("coupled", coupled), precis_attr_int("linear", linear),
        precis_attr_list("coefficients", 2 * a.n, a.bits), { 0 }
    };
    const uint32_t count = lstm ? 8 : 6;
    memcpy(in + count, from->scales, sizeof from->scales);
    const uint32_t made = n->made;
    n->made = from->own;
    const precis_value y = pcs_make(n, from->dynamic ? "dynamic_recurrent" : "recurrent", attrs,
                                    count + (from->dynamic ? 4 : 0), in);
    n->made = made;
    if (y < 0) return;
    const pcs_dtype d = pcs_of(n, n->in[0])->dtype;
    if (n->n_out > 0) n->out[0] = pcs_as(n, first ? pcs_permuted(n, y, 4, back_y) : y, d);
    for (uint32_t i = 1; i < n->n_out && i < (lstm ? 3u : 2u); i++)
        n->out[i] = pcs_as(n, batch_first(n, pcs_second(n, y, i), first), d);
}

void pcs_raise_recurrent(pcs_onnx_node *n)
{
    static const uint32_t at[] = { 6, 7 };
    weights from = { .own = n->made++ };
    from.w = pcs_f32(n, pcs_weight_in(n, 1));
    from.r = pcs_f32(n, pcs_weight_in(n, 2));
    raise_recurrent(n, n->row->with, &from, at);
}

/* onnxruntime's: weights [ways, in, gates * hidden] in 8 bits, with a scale and zero point of each way, or of each row
 * of it; x and h are quantized to 8 bits before each product. */
void pcs_raise_dynamic_lstm(pcs_onnx_node *n)
{
    static const uint32_t at[] = { 6, 7 };
    const uint32_t own = n->made++;
    const precis_value w = pcs_in(n, 1), r = pcs_in(n, 2), of_w = pcs_f32(n, pcs_scale_of(n, 8)), zero_w = pcs_in(n, 9),
                       of_r = pcs_f32(n, pcs_scale_of(n, 10)), zero_r = pcs_in(n, 11);
    const weights from = { w, r, { of_w, zero_w, of_r, zero_r }, true, own };
    if (from.w < 0 || from.r < 0) return;
    for (int i = 0; i < 4; i++)
        if (from.scales[i] < 0) return;
    raise_recurrent(n, "lstm", &from, at);
}

/* precis's own, written as a function of the file (write/onnx/gru.c): the same without zero points. */
void pcs_raise_dynamic_gru(pcs_onnx_node *n)
{
    static const uint32_t at[] = { 0, 0 };
    const uint32_t own = n->made++;
    const precis_value w = pcs_in(n, 1), r = pcs_in(n, 2), of_w = pcs_f32(n, pcs_scale_of(n, 6)),
                       of_r = pcs_f32(n, pcs_scale_of(n, 7)), zero = pcs_numbers(n, PCS_I8, 0);
    const weights from = { w, r, { of_w, zero, of_r, zero }, true, own };
    if (w < 0 || r < 0 || of_w < 0 || of_r < 0) return;
    raise_recurrent(n, n->row->with, &from, at);
}
