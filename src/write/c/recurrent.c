/* recurrent.c - LSTM, GRU and RNN: the steps that recurrent_run.c takes, one sequence after another. Weights that are
 * stored as codes stay codes. */
#include "base/f16.h"
#include "graph/op/recurrent.h"
#include "write/c/functions.h"

extern const pcs_op pcs_op_from_codes;

enum { X, PACKED, LENGTHS, H, C, P }; /* of packed_recurrent */
enum { W, R, B };                     /* of what packs */

uint64_t pcs_c_recurrent_room(const pcs_c_file *w, const pcs_node *n)
{
    static const uint64_t buffers[] = { 0, 2, 0, 4, 3 }; /* by gates: h, the next h, and what else is kept */
    return buffers[pcs_recurrent_gates(n->attr)] * (uint64_t)pcs_cv(w, n->in[H])->shape[2] * sizeof(float);
}

/* ---- weights -------------------------------------------------------------------------------------------- */

/* [ways, rows, k] as members of the struct: numbers, or codes with a scale for each row of each way. */
typedef struct { const char *numbers, *codes, *scales; } stored;

/* n codes of 8 bits around zero: those without a sign lie around 128. */
static const int8_t *signed_codes(pcs_c_file *w, precis_value v, uint64_t n)
{
    const uint8_t *codes = pcs_c_data(w, v);
    const bool moved = pcs_cv(w, v)->dtype == PCS_U8;
    int8_t *to = codes ? pcs_arena_alloc(&w->arena, n + 1, 1) : NULL;
    for (uint64_t i = 0; to && i < n; i++) to[i] = (int8_t)(codes[i] ^ (moved ? 128 : 0));
    return to;
}

/* The scales of codes of 8 bits, one for all, for each row, or for each row of each way, that give these numbers; how
 * many, 0: the numbers are not so stored. */
static uint64_t scales_of(pcs_c_file *w, precis_value v, const float *data, const int8_t **codes, const float **scale)
{
    const pcs_node *n = pcs_c_maker(w, v);
    if (!n || n->op != &pcs_op_from_codes || !pcs_dtype_byte(pcs_cv(w, n->in[0])->dtype)) return 0;
    const pcs_value *s = pcs_cv(w, n->in[1]), *x = pcs_cv(w, v);
    const uint64_t count = pcs_c_count(s), rows = (uint64_t)(x->shape[0] * x->shape[1]), k = (uint64_t)x->shape[2];
    if (s->dtype != PCS_F32 || !count || rows % count) return 0;
    *codes = signed_codes(w, n->in[0], rows * k);
    *scale = *codes ? pcs_c_data(w, n->in[1]) : NULL;
    for (uint64_t i = 0; *scale && i < rows * k; i++)
        if (data[i] != (float)(*codes)[i] * (*scale)[i / k % count]) return 0;
    return *scale ? count : 0;
}

static stored store_weights(pcs_c_file *w, precis_value v)
{
    stored s = { "0", "0", "0" };
    const pcs_value *x = pcs_cv(w, v);
    const uint64_t rows = (uint64_t)(x->shape[0] * x->shape[1]), all = rows * (uint64_t)x->shape[2];
    const float *data = pcs_c_data(w, v), *scale;
    const int8_t *codes;
    if (!data) return s;
    const uint64_t count = scales_of(w, v, data, &codes, &scale);
    float *each = count ? pcs_arena_alloc(&w->arena, rows + 1, sizeof *each) : NULL;
    if (count && !each) w->error = PRECIS_ENOMEM;
    for (uint64_t i = 0; each && i < rows; i++) each[i] = scale[i % count];
    if (each) s.codes = pcs_c_array(w, "weights", PCS_I8, all, codes);
    if (each) s.scales = pcs_c_array(w, "scales", PCS_F32, rows, each);
    if (!count) s.numbers = pcs_c_array(w, "weights", PCS_F32, all, data);
    return s;
}

/* Biases of x and of h are added first, but for the third gate of a GRU that is linear before its reset. */
static void store_bias(pcs_c_file *w, const pcs_node *n, precis_value v, const char *text[2])
{
    const uint64_t gates = pcs_recurrent_gates(n->attr), hidden = (uint64_t)pcs_cv(w, n->in[H])->shape[2],
                   ways = (uint64_t)pcs_cv(w, n->in[H])->shape[0], rows = gates * hidden;
    const bool linear = gates == 3 && n->attr[PCS_R_LINEAR].integer;
    const float *b = pcs_c_data(w, v);
    float *sum = pcs_arena_alloc(&w->arena, ways * (rows + hidden) + 1, sizeof *sum), *of_h = sum + ways * rows;
    text[0] = text[1] = "0";
    if (!b || !sum) {
        if (!w->error) w->error = PRECIS_ENOMEM;
        return;
    }
    for (uint64_t i = 0; i < ways * rows; i++) {
        const float *x = b + i / rows * 2 * rows + i % rows, *h = x + rows;
        const bool apart = linear && i % rows >= 2 * hidden;
        sum[i] = apart ? *x : *x + *h;
        if (apart) of_h[i / rows * hidden + i % rows - 2 * hidden] = *h;
    }
    text[0] = pcs_c_array(w, "bias", PCS_F32, ways * rows, sum);
    if (linear) text[1] = pcs_c_array(w, "bias", PCS_F32, ways * hidden, of_h);
}

/* ---- the call ------------------------------------------------------------------------------------------- */

/* A constant that is the same whether it is there or not is left out. */
static const char *operand(pcs_c_file *w, const pcs_c_step *s, uint32_t i, int32_t least)
{
    const pcs_value *v = pcs_cv(w, s->in[i]);
    if (!w->values[s->in[i]].constant) return pcs_c_pointer(w, s->in[i]);
    const void *data = pcs_c_data(w, s->in[i]);
    bool usual = data != NULL;
    for (uint64_t k = 0; k < pcs_c_count(v) && usual; k++)
        usual = v->dtype == PCS_I32 ? ((const int32_t *)data)[k] >= least : ((const float *)data)[k] == 0;
    return usual ? "0" : pcs_c_pointer(w, s->in[i]);
}

/* Alpha or beta of each function, where one has any. */
static const char *coefficients(pcs_c_file *w, const pcs_node *n, bool beta)
{
    const char *act = n->attr[PCS_R_ACT].text;
    const size_t count = strlen(act);
    const int64_t *bits = n->attr[PCS_R_COEFFICIENTS].list + (beta ? count : 0);
    float v[8] = { 0 };
    if (!act[strcspn(act, "alTSH")]) return "0";
    for (size_t i = 0; i < count; i++) v[i] = pcs_bits_f32((uint32_t)bits[i]);
    return pcs_c_array(w, beta ? "beta" : "alpha", PCS_F32, count, v);
}

static const char *put_struct(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_node *n = s->n, *pack = pcs_c_maker(w, s->in[PACKED]);
    const pcs_value *x = pcs_cv(w, s->in[X]), *h = pcs_cv(w, s->in[H]);
    const char *act = n->attr[PCS_R_ACT].text, *bias[2];
    const stored of_x = store_weights(w, pack->in[W]), of_h = store_weights(w, pack->in[R]);
    store_bias(w, n, pack->in[B], bias);
    const char *alpha = coefficients(w, n, false), *beta = coefficients(w, n, true),
               *clip = pcs_c_float(w, (double)(float)n->attr[PCS_R_CLIP].real);
    const char *name = pcs_c_struct(w, s, "gates", 72);
    w->weights += (strlen(act) + 4) / 4 * 4;
    pcs_c_put(w, &w->arrays, "%s, %s, %s, %s, %s, %s, %s, %s", of_x.numbers, of_h.numbers, of_x.codes, of_h.codes,
              of_x.scales, of_h.scales, bias[0], bias[1]);
    pcs_c_put(w, &w->arrays, ", \"%s\", %s, %s, %s", act, alpha, beta, clip);
    pcs_c_put(w, &w->arrays, ", %lld, %d, %lld, %lld, %lld, %lld, %lld", (long long)h->shape[0],
              n->attr[PCS_R_WAY].text[0] == 'r', (long long)x->shape[0], (long long)x->shape[1],
              (long long)x->shape[2], (long long)h->shape[2], (long long)n->attr[PCS_R_COUPLED].integer);
    pcs_c_struct_end(w);
    return name;
}

static void count_steps(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_value *x = pcs_cv(w, s->in[X]), *h = pcs_cv(w, s->in[H]);
    const double units = (double)(x->shape[0] * x->shape[1] * h->shape[0] * h->shape[2]),
                 gates = (double)pcs_recurrent_gates(s->n->attr);
    pcs_c_count_work(w, PCS_C_MAC_F32, units * gates * (double)(x->shape[2] + h->shape[2]));
    pcs_c_count_work(w, PCS_C_OUT, units * (4 * gates + 4)); /* a function is some four of these */
}

static precis_status takes(pcs_c_file *w, const pcs_c_step *s)
{
    const pcs_node *pack = pcs_c_maker(w, s->in[PACKED]);
    const char *act = s->n->attr[PCS_R_ACT].text;
    if (s->n->attr[PCS_R_DYNAMIC].integer)
        return pcs_c_cannot(w, s->n, "recurrent nets with ranges of each run are not; their weights alone in int8 are "
                                     "(precis quant NET --weight-only -o NAME.c)");
    if (!pack || !w->values[s->in[PACKED]].constant)
        return pcs_c_cannot(w, s->n, "only constant weights are multiplied");
    if (act[strcspn(act, "ep")]) return pcs_c_cannot(w, s->n, "of its functions elu and softplus are not there");
    return PRECIS_OK;
}

precis_status pcs_c_recurrent(pcs_c_file *w, const pcs_c_step *s)
{
    static const char *const parts[] = { "", "rnn", "", "gru", "lstm" };
    const uint32_t gates = pcs_recurrent_gates(s->n->attr);
    const precis_status st = takes(w, s);
    if (st) return st;
    const bool lstm = gates == 4;
    const int32_t steps = (int32_t)pcs_cv(w, s->in[X])->shape[0];
    const char *params = put_struct(w, s), *in[3] = { operand(w, s, H, 0) };
    if (lstm) in[1] = operand(w, s, C, 0), in[2] = operand(w, s, P, 0);
    count_steps(w, s);
    pcs_c_use(w, parts[gates]);
    pcs_c_put(w, &w->calls, "    %s_%s(&%s, %s, %s, ", w->name, parts[gates], params, pcs_c_pointer(w, s->in[X]),
              operand(w, s, LENGTHS, steps));
    for (uint32_t i = 0; i < (lstm ? 3u : 1u); i++) pcs_c_put(w, &w->calls, "%s, ", in[i]);
    pcs_c_put(w, &w->calls, "%s", pcs_c_pointer(w, s->room));
    for (uint32_t i = 0; i < (lstm ? 3u : 2u); i++) {
        const bool read = i < s->n->n_out && pcs_c_read(w, s->n->out[i]);
        pcs_c_put(w, &w->calls, ", %s", read ? pcs_c_pointer(w, s->n->out[i]) : "0");
    }
    pcs_c_put(w, &w->calls, "); /* %s */\n", pcs_c_plain(w, s->n->name));
    w->n_calls++;
    return w->error;
}
