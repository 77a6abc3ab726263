/* matmul_low - y[t][n] = sum_k x[t][k] w[n][k] in an arithmetic of few bits (`as`: a row of graph/low.c), and its two
 * gradients in the same: training's products. Inputs x [..., k], w [n, k], and i32 [1] that what is drawn depends on
 * (the step); `place`: another for each node.
 *
 * A product is out[m][c] = sum a[m][d] b[c][d]. Threads share the rows of b; each makes all of b's codes whose scales
 * reach over rows, and all of a's, so that bits do not depend on how many there are. Gradients go straight through. */
#include "graph/graph.h"
#include "graph/low.h"
#include "kernel/bf16.h"

enum { AS, PLACE };

static size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]], *draw = &g->values[n->in[2]];
    const char *as = n->attr[AS].text;
    if (!as || !pcs_low_by_name(as)) return pcs_op_fail(g, n, "there is no arithmetic %.40s", as ? as : "");
    if (x->dtype != PCS_F32 || x->dims < 1 || w->dtype != PCS_F32 || w->dims != 2 ||
        x->shape[x->dims - 1] != w->shape[1])
        return pcs_op_fail(g, n, "takes x[..., k] and w[n, k]");
    if (draw->dtype != PCS_I32 || draw->dims != 1) return pcs_op_fail(g, n, "its third input is not i32 [1]");
    out->dims = x->dims;
    memcpy(out->shape, x->shape, sizeof x->shape);
    out->shape[x->dims - 1] = w->shape[0];
    return PRECIS_OK;
}

/* One product: a[m][depth] and b[c][depth], each as rows or (turned) as columns of rows. */
typedef struct {
    const pcs_call *c;
    pcs_low_product which;
    const float *a, *b;
    bool a_turned, b_turned;
    size_t m, columns, depth, ld;
    float *out; /* [m][columns] */
    bool add;
} product;

/* Bytes that a thread needs for one. */
static size_t room(size_t m, size_t columns, size_t depth)
{
    const size_t ld = up(depth, 32), row = up(columns, 128) + 128;
    return 4 * (m * ld + row * ld + m * row) + (size_t)pcs_act_bytes(m, pcs_chunks(ld)) +
           (size_t)pcs_act_bf16_bytes(m, ld) + pcs_mp_scratch(ld) + pcs_mp_bf16_scratch(ld) + 4 * 64 * ld +
           up(columns, 16) * (ld / 32 * 34) + 4096;
}

static void gather(const float *x, bool turned, size_t rows, size_t depth, float *to, size_t ld)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t d = 0; d < depth && turned; d++) to[r * ld + d] = x[d * rows + r];
        if (!turned) memcpy(to + r * ld, x + r * depth, depth * sizeof *to);
        for (size_t d = depth; d < ld; d++) to[r * ld + d] = 0;
    }
}

static uint64_t seed_of(const product *p, int side)
{
    const uint64_t step = (uint32_t)*(const int32_t *)p->c->in[2].data;
    return (step * 0x9e3779b97f4a7c15u ^ (uint64_t)p->c->attr[PLACE].integer * 0xd1b54a32d192ed03u) +
           (uint64_t)p->which * 4 + (uint64_t)side;
}

static char *aligned(char *mem) { return mem + (64 - (uintptr_t)mem % 64) % 64; }

/* y[m][n] of rows a [m][ld] and b [n][ld], n rows. */
static void multiply_rows(const product *p, const float *a, const float *b, size_t n, float *y, char *mem)
{
    const pcs_low_kind kind = pcs_low_by_name(p->c->attr[AS].text)->product[p->which].kind;
    const pcs_kernels *k = p->c->kernels;
    const size_t ld = p->ld, m = p->m;
    mem = aligned(mem);
    if (kind == PCS_LOW_BF16) {
        uint16_t *act = (uint16_t *)(void *)mem;
        char *rest = aligned(mem + pcs_act_bf16_bytes(m, ld));
        k->act_bf16(&(pcs_act_bf16_args){ a, ld, m, 0, m, act });
        k->mp_bf16(&(pcs_mp_bf16_args){ &pcs_format_f32, (const uint8_t *)b, ld * 4, ld, 0, n, m, act, y, n, NULL, rest,
                                        false });
    } else if (kind == PCS_LOW_INT8) {
        const pcs_format *f = pcs_format_by_name("Q8_0");
        const size_t chunks = pcs_chunks(ld), row = (size_t)pcs_row_bytes(f, ld);
        const pcs_act act = pcs_act_in(mem, m, chunks);
        uint8_t *codes = (uint8_t *)aligned(mem + pcs_act_bytes(m, chunks));
        for (size_t r = 0; r < n; r++) pcs_encode_nearest(f, ld, b + r * ld, codes + r * row);
        k->quantize_act(&(pcs_quantize_act_args){ a, ld, 0, m, act });
        pcs_act_interleave(&act, chunks, m, 0, m);
        k->mp(&(pcs_mp_args){ f, codes, row, ld, 0, n, m, act, y, n, NULL, aligned((char *)codes + n * row), false });
    } else {
        float *panel = (float *)(void *)mem, *tile = panel + 16 * ld;
        for (size_t at = 0; at < n; at += 16) {
            const size_t count = n - at < 16 ? n - at : 16;
            k->panel(&(pcs_panel_args){ b + at * ld, ld, count, ld, panel });
            for (size_t t = 0; t < m; t += 48) {
                const size_t rows = m - t < 48 ? m - t : 48;
                k->gemm(&(pcs_gemm_args){ a + t * ld, ld, panel, 16, ld, rows, tile, 16, false });
                for (size_t r = 0; r < rows; r++) memcpy(y + (t + r) * n + at, tile + r * 16, count * sizeof *y);
            }
        }
    }
}

static void run_product(const product *p, uint32_t ith, uint32_t nth)
{
    const pcs_low *low = pcs_low_by_name(p->c->attr[AS].text);
    const size_t ld = p->ld;
    uint64_t begin, end;
    pcs_share(p->columns, 128, ith, nth, &begin, &end);
    if (begin == end) return;
    const size_t n = (size_t)(end - begin);
    float *a = (float *)(void *)aligned(p->c->scratch + ith * p->c->scratch_size), *b = a + p->m * ld,
          *y = b + p->columns * ld;
    const pcs_low_operand left = { a, p->m, p->depth, ld, seed_of(p, 0), seed_of(p, 2) };
    const pcs_low_operand right = { b, p->columns, p->depth, ld, seed_of(p, 1), seed_of(p, 2) };
    gather(p->a, p->a_turned, p->m, p->depth, a, ld);
    if (low->product[p->which].left) low->product[p->which].left(&left);
    gather(p->b, p->b_turned, p->columns, p->depth, b, ld);
    if (low->product[p->which].right) low->product[p->which].right(&right);
    multiply_rows(p, a, b + begin * ld, n, y, (char *)(y + p->m * n));
    for (size_t t = 0; t < p->m; t++)
        for (size_t i = 0; i < n; i++) {
            float *to = &p->out[t * p->columns + begin + i];
            *to = p->add ? *to + y[t * n + i] : y[t * n + i];
        }
}

static product product_of(const pcs_call *c, pcs_low_product which, float *out, const float *d)
{
    const size_t n = (size_t)c->in[1].shape[0], k = (size_t)c->in[1].shape[1], m = (size_t)pcs_arg_rows(&c->in[0]);
    const float *x = c->in[0].data, *w = c->in[1].data;
    product p = { .c = c, .which = which, .a = x, .b = w, .m = m, .columns = n, .depth = k, .out = out };
    if (which == PCS_LOW_BY_INPUT) p.a = d, p.b_turned = true, p.columns = k, p.depth = n, p.add = true;
    if (which == PCS_LOW_BY_WEIGHTS)
        p.a = d, p.b = x, p.a_turned = p.b_turned = true, p.m = n, p.columns = k, p.depth = m, p.add = true;
    p.ld = up(p.depth, 32);
    return p;
}

static size_t scratch(const pcs_call *c)
{
    return room((size_t)pcs_arg_rows(&c->in[0]), (size_t)c->in[1].shape[0], (size_t)c->in[1].shape[1]);
}

static size_t scratch_back(const pcs_call *c)
{
    const size_t n = (size_t)c->in[1].shape[0], k = (size_t)c->in[1].shape[1], m = (size_t)pcs_arg_rows(&c->in[0]);
    const size_t by_input = room(m, k, n), by_weights = room(n, k, m);
    return by_input > by_weights ? by_input : by_weights;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const product p = product_of(c, PCS_LOW_FORWARD, c->out[0].data, NULL);
    run_product(&p, ith, nth);
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const product x = product_of(c, PCS_LOW_BY_INPUT, g->in[0], g->out[0]),
                  w = product_of(c, PCS_LOW_BY_WEIGHTS, g->in[1], g->out[0]);
    if (g->in[0]) run_product(&x, ith, nth);
    if (g->in[1]) run_product(&w, ith, nth);
}

const pcs_op pcs_op_matmul_low = {
    .name = "matmul_low",
    .min_in = 3,
    .max_in = 3,
    .attrs = PCS_ATTR_TABLE(PCS_TEXT("as", "bf16"), PCS_INT("place", 0)),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .backward = backward,
    .scratch_back = scratch_back,
    .straight_through = true,
};
