/* matmul_low - y[t][n] = sum_k x[t][k] w[n][k] in an arithmetic of few bits (`as`: a row of graph/low.c), and its two
 * gradients in the same: training's products. Inputs x [..., k], w [n, k], and i32 [1] that what is drawn depends on
 * (the step); `place`: another for each node.
 *
 * A product is out[m][c] = sum a[m][d] b[c][d]. Threads share rows of a and of b, and take PART of each at a time, so
 * that what a thread needs does not grow with them; where an operand becomes codes, whose scales may reach over its
 * rows, each thread makes all of them, so that bits do not depend on how many there are. Gradients go straight
 * through. */
#include "graph/graph.h"
#include "graph/low.h"
#include "graph/op/share_table.h"
#include "graph/turn.h"
#include "kernel/bf16.h"
#include "kernel/int8.h"

extern const pcs_format pcs_format_int8_c;

enum { AS, PLACE };

#define PART 256 /* rows */

static size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }
static size_t at_most(size_t a, size_t b) { return a < b ? a : b; }

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]], *draw = &g->values[n->in[2]];
    const char *as = n->attr[AS].text;
    if (!as || !pcs_low_by_name(as)) return pcs_op_fail(g, n, "there is no arithmetic %.40s", as ? as : "");
    if (x->dtype != PCS_F32 || x->dims < 1 || w->dtype != PCS_F32 || w->dims != 2 ||
        x->shape[x->dims - 1] != w->shape[1])
        return pcs_op_fail(g, n, "takes x[..., k] and w[n, k]");
    if (w->shape[0] > PCS_INT8_MOST || w->shape[1] > PCS_INT8_MOST)
        return pcs_op_fail(g, n, "has rows of more than %d numbers", (int)PCS_INT8_MOST);
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

/* Bytes that multiply_rows needs for m rows by n. */
static size_t multiply_room(pcs_low_kind kind, size_t m, size_t n, size_t ld)
{
    if (kind == PCS_LOW_BF16) return (size_t)pcs_act_bf16_bytes(m, ld) + pcs_mp_bf16_scratch(ld);
    if (kind == PCS_LOW_F32) return 4 * (16 * ld + 48 * 16);
    const size_t codes = up(n, 16) * (size_t)pcs_row_bytes(&pcs_format_int8_c, ld),
                 encode = (size_t)pcs_act_int8_bytes(PCS_INT8_ROWS, ld) + ld, multiply = pcs_mp_int8_scratch(ld);
    return (size_t)pcs_act_int8_bytes(m, ld) + codes + (encode > multiply ? encode : multiply);
}

/* Bytes that a thread needs for one: room for rows of a and of b, for a piece of the result that is added, and for what
 * multiplies. */
static size_t room(const pcs_call *c, pcs_low_product which, size_t m, size_t columns, size_t depth)
{
    const pcs_low *low = pcs_low_by_name(c->attr[AS].text);
    const pcs_low_kind as = low->product[which].kind;
    const bool codes = low->product[which].left || low->product[which].right;
    const size_t ld = up(depth, 32), rows = codes ? m : at_most(m, PART),
                 row = codes ? columns : at_most(columns, PART), copied = as == PCS_LOW_BF16 ? 0 : (rows + row) * ld;
    return 4 * (copied + rows * row) + multiply_room(as, rows, row, as == PCS_LOW_BF16 ? depth : ld) + 1024;
}

static uint64_t seed_of(const product *p, int side)
{
    const uint64_t step = (uint32_t)*(const int32_t *)p->c->in[2].data;
    return (step * 0x9e3779b97f4a7c15u ^ (uint64_t)p->c->attr[PLACE].integer * 0xd1b54a32d192ed03u) +
           (uint64_t)p->which * 4 + (uint64_t)side;
}

static char *aligned(char *mem) { return mem + (64 - (uintptr_t)mem % 64) % 64; }

/* y[m][n], in rows of ldy numbers, of rows a [m][ld] and b [n][ld]; bf16 takes rows of `depth` as they lie, turned or
 * not (kernel/bf16.h). */
typedef struct { const float *a, *b; size_t m, n; float *y; size_t ldy, a_turned, b_turned; } rectangle;

/* Rows as those of a type, their codes by what activations get theirs by: 16 rows at a time, in a tile. */
static void encode_rows(const pcs_kernels *k, const rectangle *r, size_t ld, uint8_t *codes, char *mem)
{
    const pcs_format *f = &pcs_format_int8_c;
    const size_t row = (size_t)pcs_row_bytes(f, ld);
    const pcs_act_int8 act = pcs_act_int8_in(mem, PCS_INT8_ROWS, ld);
    int8_t *line = (int8_t *)mem + pcs_act_int8_bytes(PCS_INT8_ROWS, ld);
    for (size_t i = 0; i < r->n; i += PCS_INT8_ROWS) {
        const size_t count = r->n - i < PCS_INT8_ROWS ? r->n - i : PCS_INT8_ROWS;
        k->act_int8(&(pcs_act_int8_args){ r->b + i * ld, ld, count, 0, count, act });
        for (size_t t = 0; t < count; t++) {
            const pcs_act_int8 one = pcs_act_int8_row(&act, ld, t);
            for (size_t s = 0; s < pcs_int8_steps(ld); s++)
                memcpy(line + s * PCS_INT8_STEP, one.q + s * PCS_INT8_TILE, PCS_INT8_STEP);
            f->pack_row(ld, line, one.d[0], 0, codes + (i + t) * row);
        }
    }
}

/* Rows of both operands have one scale each (kernel/int8.h). */
static void multiply_int8(const pcs_kernels *k, const rectangle *r, size_t ld, char *mem)
{
    const pcs_format *f = &pcs_format_int8_c;
    const size_t row = (size_t)pcs_row_bytes(f, ld);
    const pcs_act_int8 act = pcs_act_int8_in(mem, r->m, ld);
    uint8_t *codes = (uint8_t *)aligned(mem + pcs_act_int8_bytes(r->m, ld));
    encode_rows(k, r, ld, codes, aligned((char *)codes + up(r->n, 16) * row));
    k->act_int8(&(pcs_act_int8_args){ r->a, ld, r->m, 0, r->m, act });
    k->mp_int8(&(pcs_mp_int8_args){ f, codes, row, ld, 0, r->n, r->m, act, r->y, r->ldy, NULL,
                                    aligned((char *)codes + up(r->n, 16) * row), false, 0 });
}

static void multiply_f32(const pcs_kernels *k, const rectangle *r, size_t ld, char *mem)
{
    float *panel = (float *)(void *)mem, *tile = panel + 16 * ld;
    for (size_t at = 0; at < r->n; at += 16) {
        const size_t count = r->n - at < 16 ? r->n - at : 16;
        k->panel(&(pcs_panel_args){ r->b + at * ld, ld, count, ld, panel });
        for (size_t t = 0; t < r->m; t += 48) {
            const size_t rows = r->m - t < 48 ? r->m - t : 48;
            k->gemm(&(pcs_gemm_args){ r->a + t * ld, ld, panel, 16, ld, rows, tile, 16, false });
            for (size_t i = 0; i < rows; i++)
                memcpy(r->y + (t + i) * r->ldy + at, tile + i * 16, count * sizeof *tile);
        }
    }
}

static void multiply_rows(const product *p, const rectangle *r, char *mem)
{
    const pcs_low_kind kind = pcs_low_by_name(p->c->attr[AS].text)->product[p->which].kind;
    const pcs_kernels *k = p->c->kernels;
    const size_t ld = p->ld;
    mem = aligned(mem);
    if (kind == PCS_LOW_BF16) {
        uint16_t *act = (uint16_t *)(void *)mem;
        const size_t d = p->depth;
        char *rest = aligned(mem + pcs_act_bf16_bytes(r->m, d));
        k->act_bf16(&(pcs_act_bf16_args){ r->a, d, r->m, 0, r->m, act, r->a_turned });
        k->mp_bf16(&(pcs_mp_bf16_args){ &pcs_format_f32, (const uint8_t *)r->b, d * 4, d, 0, r->n, r->m, act, r->y,
                                        r->ldy, NULL, rest, false, r->b_turned, 0 });
    } else if (kind == PCS_LOW_INT8) multiply_int8(k, r, ld, mem);
    else multiply_f32(k, r, ld, mem);
}

/* An operand of a product, of which a thread needs some rows. */
typedef struct {
    const float *x;
    bool turned;
    size_t rows, first, count;
    pcs_low_fn *code;
    uint64_t seed;
} operand;

/* Rows [first, first + count) of an operand, in rows of ld, zeros after the last number. */
static void gather(const product *p, const operand *o, size_t first, size_t count, float *to)
{
    const size_t depth = p->depth, ld = p->ld;
    if (o->turned) pcs_turn(p->c->kernels, &(pcs_turned){ o->x + first, o->rows, depth, count, to, ld });
    for (size_t r = 0; r < count; r++) {
        if (!o->turned) memcpy(to + r * ld, o->x + (first + r) * depth, depth * sizeof *to);
        for (size_t d = depth; d < ld; d++) to[r * ld + d] = 0;
    }
}

/* Those rows, in `room` or where they are; as: what multiplies. */
static const float *operand_rows(const product *p, const operand *o, pcs_low_kind as, float *room)
{
    const size_t depth = p->depth, ld = p->ld;
    if (as == PCS_LOW_BF16) return o->x + o->first * (o->turned ? 1 : depth);
    if (o->code) {
        gather(p, o, 0, o->rows, room);
        o->code(&(pcs_low_operand){ room, o->rows, depth, ld, o->seed, seed_of(p, 2) });
        return room + o->first * ld;
    }
    if (!o->turned && ld == depth) return o->x + o->first * depth;
    gather(p, o, o->first, o->count, room);
    return room;
}

/* A block of the result, which begins at `out`; r.y: room for one that is added. */
static void run_block(const product *p, rectangle r, float *out, char *mem)
{
    float *y = r.y;
    if (!p->add) r.y = out, r.ldy = p->columns;
    multiply_rows(p, &r, mem);
    for (size_t t = 0; t < r.m && p->add; t++)
        for (size_t i = 0; i < r.n; i++) out[t * p->columns + i] += y[t * r.ldy + i];
}

static void run_product(const product *p, uint32_t ith, uint32_t nth)
{
    const pcs_low *low = pcs_low_by_name(p->c->attr[AS].text);
    const pcs_rectangle part = pcs_share_table(p->m, p->columns, 32, ith, nth);
    operand left = { .x = p->a, .turned = p->a_turned, .rows = p->m, .code = low->product[p->which].left,
                     .seed = seed_of(p, 0) },
            right = { .x = p->b, .turned = p->b_turned, .rows = p->columns, .code = low->product[p->which].right,
                      .seed = seed_of(p, 1) };
    const pcs_low_kind as = low->product[p->which].kind;
    const bool codes = left.code || right.code;
    const size_t high = codes ? p->m : at_most(p->m, PART), wide = codes ? p->columns : at_most(p->columns, PART);
    const size_t room = as == PCS_LOW_BF16 ? 0 : p->ld;
    float *a = (float *)(void *)aligned(p->c->scratch + ith * p->c->scratch_size), *b = a + high * room,
          *y = b + wide * room;
    for (size_t row = part.r0; row < part.r1; row += high) {
        left.first = row, left.count = at_most(high, (size_t)part.r1 - row);
        const float *rows = part.c0 < part.c1 ? operand_rows(p, &left, as, a) : NULL;
        for (size_t column = part.c0; column < part.c1; column += wide) {
            right.first = column, right.count = at_most(wide, (size_t)part.c1 - column);
            const rectangle r = { rows, operand_rows(p, &right, as, b), left.count, right.count, y, right.count,
                                  left.turned ? left.rows : 0, right.turned ? right.rows : 0 };
            run_block(p, r, p->out + row * p->columns + column, (char *)(y + high * wide));
        }
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
    return room(c, PCS_LOW_FORWARD, (size_t)pcs_arg_rows(&c->in[0]), (size_t)c->in[1].shape[0],
                (size_t)c->in[1].shape[1]);
}

static size_t scratch_back(const pcs_call *c)
{
    const size_t n = (size_t)c->in[1].shape[0], k = (size_t)c->in[1].shape[1], m = (size_t)pcs_arg_rows(&c->in[0]);
    const size_t by_input = room(c, PCS_LOW_BY_INPUT, m, k, n), by_weights = room(c, PCS_LOW_BY_WEIGHTS, n, k, m);
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
