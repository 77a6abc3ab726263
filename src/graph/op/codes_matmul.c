/* codes_matmul - matrices of codes a[..., m, k] times matrices of codes b[..., k, n], as many of both, none of them
 * constant: sums of (a - za) (b - zb), which are exact in int32, times a factor, as codes or as numbers ("numbers").
 * onnxruntime's QLinearMatMul and MatMulIntegerToFloat.
 *
 * Codes are as they are, with a sign or without, in their own order; zero points are those of the U8 form. b is packed
 * at each run, as what it is less 128, since the kernels take activations without a sign and weights with one:
 * sum (a - za)(b - zb) = sum a b' - za sum b' - zb' sum a + k za zb', with b' = b - 128 and zb' = zb - 128. */
#include "base/pool.h"
#include "graph/op/codes.h"

enum { ZERO_A, ZERO_B, FACTOR, TO, RANGE };
enum { ROWS = 32, MOST = 16384 }; /* rows of a unit of work; k, so that none of the sums leaves 32 bits */

static bool is_codes(const pcs_value *v)
{
    for (uint32_t i = 0; i < v->dims; i++)
        if (pcs_dim_is_id(v->shape[i])) return false;
    return v->dtype == PCS_U8 || v->dtype == PCS_I8;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    const uint32_t dims = a->dims;
    const int64_t to = n->attr[TO].integer;
    const double factor = n->attr[FACTOR].real;
    if (!is_codes(a) || !is_codes(b) || dims < 2 || b->dims != dims ||
        memcmp(a->shape, b->shape, (dims - 2) * sizeof a->shape[0]) || a->shape[dims - 1] != b->shape[dims - 2])
        return pcs_op_fail(g, n, "takes as many matrices of codes that go together");
    if (a->shape[dims - 1] < 1 || a->shape[dims - 1] > MOST || b->shape[dims - 1] < 1 || b->shape[dims - 1] > 1 << 24)
        return pcs_op_fail(g, n, "has sums of no products, or of more than %d", MOST);
    if ((to != PCS_U8 && to != PCS_I8 && to != PCS_F32) || !(factor > 0 && factor <= 3.4028234e38) ||
        !pcs_codes_range_ok(n->attr + RANGE))
        return pcs_op_fail(g, n, "has a factor that is none, or codes that are none");
    out->dims = dims;
    memcpy(out->shape, a->shape, dims * sizeof a->shape[0]);
    out->shape[dims - 1] = b->shape[dims - 1];
    out->dtype = (pcs_dtype)to;
    return g->error;
}

typedef struct {
    const pcs_call *c;
    size_t m, k, n, lines, padded, step, chunks, units; /* step: bytes from a row to the next where rows are copied */
    int32_t za, zb;                                     /* of a without a sign; of b' */
    bool flip_a, flip_b;                                /* a has a sign; b has none */
} pairs;

static pairs pairs_of(const pcs_call *c)
{
    const pcs_arg *a = &c->in[0], *b = &c->in[1];
    pairs z = { .c = c, .m = (size_t)a->shape[a->dims - 2], .k = (size_t)pcs_arg_width(a),
                .n = (size_t)pcs_arg_width(b), .za = (int32_t)c->attr[ZERO_A].integer,
                .zb = (int32_t)c->attr[ZERO_B].integer - 128, .flip_a = a->dtype == PCS_I8,
                .flip_b = b->dtype == PCS_U8 };
    size_t matrices = 1;
    for (uint32_t i = 0; i + 2 < a->dims; i++) matrices *= (size_t)a->shape[i];
    z.lines = pcs_codes_lines(z.k);
    z.padded = pcs_codes_panels(z.n) * PCS_CODES_PANEL;
    z.step = pcs_codes_step(z.lines);
    z.chunks = (z.m + ROWS - 1) / ROWS;
    z.units = matrices * z.chunks;
    return z;
}

/* A thread's: panels of b', their sums, what sums of any row begin with, and of this row; factors; rows of a. */
typedef struct {
    int8_t *panels;
    int32_t *sums, *base, *first;
    float *factor;
    uint8_t *rows;
} pair_room;

static size_t pair_room_of(const pairs *z, char *at, pair_room *w)
{
    const size_t panels = pcs_codes_align(pcs_codes_bytes(z->n, z->k)), each = 4 * z->padded;
    *w = (pair_room){ (int8_t *)at, (int32_t *)(void *)(at + panels), (int32_t *)(void *)(at + panels + each),
                 (int32_t *)(void *)(at + panels + 2 * each), (float *)(void *)(at + panels + 3 * each),
                 (uint8_t *)(at + panels + 4 * each) };
    return panels + 4 * each + ROWS * z->step + 64;
}

static size_t scratch(const pcs_call *c)
{
    const pairs z = pairs_of(c);
    pair_room w;
    return pcs_codes_align(pair_room_of(&z, NULL, &w)) + 64;
}

static void pack_pairs(const pairs *z, const uint8_t *b, const pair_room *w)
{
    const uint8_t flip = z->flip_b ? 0x80 : 0;
    memset(w->panels, 0, pcs_codes_bytes(z->n, z->k));
    memset(w->sums, 0, 4 * z->padded);
    for (size_t i = 0; i < z->k; i++, b += z->n)
        for (size_t j = 0; j < z->n; j++) {
            const int8_t v = (int8_t)(b[j] ^ flip);
            w->panels[(j / PCS_CODES_PANEL * z->lines + i / 4) * 64 + j % PCS_CODES_PANEL * 4 + i % 4] = v;
            w->sums[j] += v;
        }
    for (size_t j = 0; j < z->padded; j++) {
        w->base[j] = (int32_t)z->k * z->za * z->zb - z->za * w->sums[j];
        w->factor[j] = (float)z->c->attr[FACTOR].real;
    }
}

/* m rows, whose sums begin with `first`. */
static void by_matrix(const pairs *z, const pair_room *w, const uint8_t *a, size_t m, const int32_t *first, size_t at)
{
    const bool numbers = z->c->attr[TO].integer == PCS_F32;
    void *y = z->c->out[0].data;
    const pcs_codes_gemm_args g = { .a = a,
                                    .lda = z->flip_a ? z->step : z->k,
                                    .m = m,
                                    .w = w->panels,
                                    .lines = z->lines,
                                    .n = z->n,
                                    .first = first,
                                    .sums = w->sums,
                                    .factor = w->factor,
                                    .to = pcs_codes_range(z->c->attr + RANGE),
                                    .y = numbers ? NULL : (uint8_t *)y + at * z->n,
                                    .yf = numbers ? (float *)y + at * z->n : NULL,
                                    .ldy = z->n };
    if (numbers) z->c->kernels->codes_gemm_f32(&g);
    else z->c->kernels->codes_gemm(&g);
    if (z->c->attr[TO].integer == PCS_I8)
        for (size_t i = 0; i < m * z->n; i++) g.y[i] ^= 0x80;
}

/* What a row of a alone adds to all of its sums begins them. Rows can be read a little after their end: values have
 * room. */
static void rows_by_panels(const pairs *z, const pair_room *w, size_t begin, size_t m)
{
    const uint8_t *a = (const uint8_t *)z->c->in[0].data + begin * z->k;
    const size_t step = z->flip_a ? z->step : z->k;
    for (size_t r = 0; r < m && z->flip_a; r++)
        for (size_t i = 0; i < z->k; i++) w->rows[r * z->step + i] = a[r * z->k + i] ^ 0x80;
    if (z->flip_a) a = w->rows;
    if (!z->zb) {
        by_matrix(z, w, a, m, w->base, begin);
        return;
    }
    for (size_t r = 0; r < m; r++) {
        int32_t sum = 0;
        for (size_t i = 0; i < z->k; i++) sum += a[r * step + i];
        for (size_t j = 0; j < z->padded; j++) w->first[j] = w->base[j] - z->zb * sum;
        by_matrix(z, w, a + r * step, 1, w->first, begin + r);
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pairs z = pairs_of(c);
    size_t packed = SIZE_MAX;
    uint64_t begin, end;
    pair_room w;
    char *own = c->scratch + ith * c->scratch_size;
    pair_room_of(&z, own + (64 - (uintptr_t)own % 64) % 64, &w);
    pcs_share(z.units, 1, ith, nth, &begin, &end);
    for (size_t u = begin; u < end; u++) {
        const size_t matrix = u / z.chunks, row = u % z.chunks * ROWS;
        if (matrix != packed) pack_pairs(&z, (const uint8_t *)c->in[1].data + matrix * z.k * z.n, &w);
        packed = matrix;
        rows_by_panels(&z, &w, matrix * z.m + row, z.m - row < ROWS ? z.m - row : ROWS);
    }
}

static uint64_t products(const pcs_call *c)
{
    return (uint64_t)pcs_arg_count(&c->out[0]) * (uint64_t)pcs_arg_width(&c->in[0]);
}

const pcs_op pcs_op_codes_matmul = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "codes_matmul",
    .min_in = 2,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_INT("zero_a", 0), PCS_INT("zero_b", 0), PCS_REAL("factor", 0), PCS_INT("to", PCS_U8),
                            PCS_CODES_RANGE),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .products = products,
};
