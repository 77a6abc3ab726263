/* recurrent_pack - weights of a recurrent node as its steps read them (recurrent.h). Inputs: w, r, b as op recurrent has
 * them; of dynamic_recurrent also the scales and zero points of w and of r. Made by the pass pack_recurrent; of constants
 * it is computed once. */
#include "graph/op/recurrent.h"

enum { KIND };
enum { W, R, B, WS, WZ, RS, RZ };
#define N PCS_RECURRENT_BLOCK

uint32_t pcs_recurrent_results(const pcs_node *n) { return n->attr[PCS_R_KIND].text[0] == 'l' ? 3 : 2; }

precis_status pcs_recurrent_check(precis_graph *g, const pcs_node *n)
{
    const char *kind = n->attr[PCS_R_KIND].text, *way = n->attr[PCS_R_WAY].text, *act = n->attr[PCS_R_ACT].text;
    const size_t ways = !strcmp(way, "bidirectional") ? 2 : 1;
    if ((strcmp(kind, "rnn") && strcmp(kind, "gru") && strcmp(kind, "lstm")) ||
        (ways == 1 && strcmp(way, "forward") && strcmp(way, "reverse")))
        return pcs_op_fail(g, n, "knows no kind %s, or no way %s", kind, way);
    if (strlen(act) != ways * pcs_recurrent_functions(n->attr) || strspn(act, "tsralTSHegp") != strlen(act))
        return pcs_op_fail(g, n, "has functions \"%s\"", act);
    if (n->attr[PCS_R_COEFFICIENTS].n != 2 * strlen(act))
        return pcs_op_fail(g, n, "has %u coefficients", n->attr[PCS_R_COEFFICIENTS].n);
    return PRECIS_OK;
}

void pcs_recurrent_shapes(const pcs_node *n, const pcs_value *x, int64_t hidden, pcs_value *out)
{
    const int64_t ways = !strcmp(n->attr[PCS_R_WAY].text, "bidirectional") ? 2 : 1;
    out[0].dims = 4;
    memcpy(out[0].shape, (const int64_t[]){ x->shape[0], ways, x->shape[1], hidden }, 4 * sizeof(int64_t));
    for (uint32_t i = 1; i < pcs_recurrent_results(n); i++) {
        out[i].dims = 3;
        memcpy(out[i].shape, (const int64_t[]){ ways, x->shape[1], hidden }, 3 * sizeof(int64_t));
    }
}

static size_t tables(const pcs_recurrent_pack *p) { return p->gates * (size_t)(p->dynamic ? 8 : 2) * N * sizeof(float); }

pcs_recurrent_pack pcs_recurrent_layout(uint32_t gates, size_t ways, size_t hidden, size_t in, bool dynamic)
{
    pcs_recurrent_pack p = { .dynamic = dynamic, .gates = gates, .ways = ways, .hidden = hidden, .in = in };
    p.blocks = (hidden + N - 1) / N;
    p.lines_x = dynamic ? pcs_codes_lines(in) : in;
    p.lines_h = dynamic ? pcs_codes_lines(hidden) : hidden;
    p.bytes = gates * (p.lines_x + p.lines_h) * 64 + tables(&p);
    return p;
}

pcs_recurrent_block pcs_recurrent_at(const pcs_recurrent_pack *p, const char *packed, size_t way, size_t block)
{
    const char *x = packed + (way * p->blocks + block) * p->bytes, *h = x + p->gates * p->lines_x * 64;
    const size_t each = p->gates * N;
    pcs_recurrent_block b = { .x = x, .h = h };
    b.bias_x = (const float *)(const void *)(h + p->gates * p->lines_h * 64);
    b.bias_h = b.bias_x + each;
    if (!p->dynamic) return b;
    b.scale_x = b.bias_h + each;
    b.scale_h = b.scale_x + each;
    b.sums_x = (const int32_t *)(const void *)(b.scale_h + each);
    b.sums_h = b.sums_x + each;
    b.zero_x = b.sums_h + each;
    b.zero_h = b.zero_x + each;
    return b;
}

/* One of w and r with what belongs to it, and where a unit's column of it goes. */
typedef struct {
    const pcs_arg *w, *scale, *zero;
    size_t k, lines;
    char *panels;
    float *scales;
    int32_t *sums, *zeros;
} half;

/* Row `row` of w is lane l of gate g of a block. */
static void put_floats(const half *h, size_t way, size_t rows, size_t row, size_t at)
{
    const float *w = (const float *)h->w->data + (way * rows + row) * h->k;
    float *to = (float *)(void *)(h->panels + at / N * h->lines * 64) + at % N;
    for (size_t i = 0; i < h->k; i++) to[i * N] = w[i];
}

/* Which of the scales, or zero points, is that row's: there is one for all, for each way, or for each row. */
static size_t scale_of(const pcs_arg *s, size_t way, size_t rows, size_t row)
{
    const size_t n = (size_t)pcs_arg_count(s);
    return n == 1 ? 0 : n < rows ? way : way * rows + row;
}

/* Codes without a sign are moved by 128, and their zero points with them. */
static void put_codes(const half *h, size_t way, size_t rows, size_t row, size_t at)
{
    const bool natural = h->w->dtype == PCS_U8;
    const size_t of = scale_of(h->scale, way, rows, row), zero = scale_of(h->zero, way, rows, row);
    const uint8_t *w = (const uint8_t *)h->w->data + way * h->k * rows + row;
    int8_t *to = (int8_t *)h->panels + at / N * h->lines * 64 + at % N * 4;
    int32_t sum = 0;
    for (size_t i = 0; i < h->k; i++) {
        const int8_t q = (int8_t)(natural ? w[i * rows] ^ 128 : w[i * rows]);
        to[i / 4 * 64 + i % 4] = q;
        sum += q;
    }
    h->sums[at] = sum;
    h->scales[at] = ((const float *)h->scale->data)[of];
    h->zeros[at] = pcs_byte_at(h->zero, (int64_t)zero) - (natural ? 128 : 0);
}

void pcs_recurrent_pack_into(const pcs_recurrent_pack *p, const pcs_recurrent_weights *w, char *to)
{
    const size_t rows = p->gates * p->hidden;
    memset(to, 0, p->ways * p->blocks * p->bytes);
    for (size_t i = 0; i < p->ways * rows; i++) {
        const size_t way = i / rows, row = i % rows, gate = row / p->hidden, unit = row % p->hidden,
                     at = gate * N + unit % N;
        const pcs_recurrent_block b = pcs_recurrent_at(p, to, way, unit / N);
        const half halves[2] = {
            { w->w, w->ws, w->wz, p->in, p->lines_x, (char *)(uintptr_t)b.x, (float *)(uintptr_t)b.scale_x,
              (int32_t *)(uintptr_t)b.sums_x, (int32_t *)(uintptr_t)b.zero_x },
            { w->r, w->rs, w->rz, p->hidden, p->lines_h, (char *)(uintptr_t)b.h, (float *)(uintptr_t)b.scale_h,
              (int32_t *)(uintptr_t)b.sums_h, (int32_t *)(uintptr_t)b.zero_h },
        };
        for (int k = 0; k < 2; k++) (p->dynamic ? put_codes : put_floats)(&halves[k], way, rows, row, at);
        const float *bias = (const float *)w->b->data + way * 2 * rows;
        ((float *)(uintptr_t)b.bias_x)[at] = bias[row];
        ((float *)(uintptr_t)b.bias_h)[at] = bias[rows + row];
    }
}

static bool layout_of(const precis_graph *g, const pcs_node *n, pcs_recurrent_pack *p)
{
    const pcs_value *w = &g->values[n->in[W]], *r = &g->values[n->in[R]];
    const bool dynamic = n->n_in > WS;
    for (uint32_t i = 0; i < 3; i++)
        if (w->dims != 3 || r->dims != 3 || pcs_dim_is_id(w->shape[i]) || pcs_dim_is_id(r->shape[i])) return false;
    const int64_t hidden = r->shape[dynamic ? 1 : 2], rows = r->shape[dynamic ? 2 : 1];
    const uint32_t gates = pcs_recurrent_gates(n->attr);
    if (hidden < 1 || rows != gates * hidden || w->shape[dynamic ? 2 : 1] != rows || w->shape[0] != r->shape[0]) return false;
    *p = pcs_recurrent_layout(gates, (size_t)r->shape[0], (size_t)hidden, (size_t)w->shape[dynamic ? 1 : 2], dynamic);
    return true;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    pcs_recurrent_pack p;
    if (!layout_of(g, n, &p)) return pcs_op_fail(g, n, "has weights of another layout");
    out->dtype = PCS_I8;
    out->dims = 1;
    out->shape[0] = (int64_t)(p.ways * p.blocks * p.bytes);
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const bool dynamic = c->n_in > WS;
    const pcs_arg *r = &c->in[R], *w = &c->in[W];
    const pcs_recurrent_pack p =
        pcs_recurrent_layout(pcs_recurrent_gates(c->attr), (size_t)r->shape[0], (size_t)r->shape[dynamic ? 1 : 2],
                             (size_t)w->shape[dynamic ? 1 : 2], dynamic);
    (void)nth;
    if (ith) return;
    pcs_recurrent_weights parts = { .w = w, .r = r, .b = &c->in[B] };
    if (dynamic) parts.ws = &c->in[WS], parts.wz = &c->in[WZ], parts.rs = &c->in[RS], parts.rz = &c->in[RZ];
    pcs_recurrent_pack_into(&p, &parts, c->out[0].data);
}

const pcs_op pcs_op_recurrent_pack = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "recurrent_pack",
    .min_in = 3,
    .max_in = 7,
    .attrs = PCS_ATTR_TABLE(PCS_TEXT("kind", "lstm")),
    .infer = infer,
    .eval = eval,
};
