/* recurrent_run.c - the steps of a recurrent net over packed weights (recurrent.h), and the op packed_recurrent: x,
 * packed weights, lengths, h, and of an LSTM c and peepholes. */
#include "base/fmath_more.h"
#include "graph/op/codes.h"
#include "graph/op/recurrent.h"

#define N PCS_RECURRENT_BLOCK
enum { ROOM = 1 << 20 }; /* bytes of what x gives, at a time: it stays in a cache */

typedef struct {
    const pcs_recurrent *r;
    size_t way, steps, batch, wide; /* wide: units padded to blocks, a row of h */
    size_t row_x, row_h;            /* bytes of a row of x and of h as they are multiplied */
    size_t some;                    /* steps at a time */
    size_t begin, end;              /* this thread's blocks */
    bool back;
    uint32_t ith, nth;
    /* shared */
    char *x;                /* [some * batch] rows */
    float *gates, *cells;   /* [blocks][some * batch][gates][16]; [blocks][batch][16] */
    float *h[2], *reset;    /* [batch][wide] */
    /* own */
    char *codes;            /* h in codes, [batch] rows */
    float *tile;            /* [batch][gates][16], of sums that are added */
    float scale_h;
    int32_t zero_h;
    int32_t *first;         /* [gates][16] */
    float *factor;
    float scale_x;
    int32_t zero_x;
} steps;

static size_t align(size_t n) { return (n + 63) / 64 * 64; }

static void sizes(const pcs_recurrent *r, steps *s)
{
    const pcs_recurrent_pack *p = &r->p;
    *s = (steps){ .r = r, .steps = (size_t)r->x->shape[0], .batch = (size_t)r->x->shape[1], .wide = p->blocks * N };
    s->row_x = p->dynamic ? pcs_codes_step(p->lines_x) : p->in * sizeof(float);
    s->row_h = p->dynamic ? align(p->lines_h * 4 > s->wide ? p->lines_h * 4 : s->wide) : s->wide * sizeof(float);
    const size_t each = s->batch * (s->wide * p->gates * sizeof(float) + s->row_x);
    s->some = each && ROOM / each ? ROOM / each : 1;
    if (s->some > s->steps) s->some = s->steps ? s->steps : 1;
}

size_t pcs_recurrent_shared(const pcs_recurrent *r)
{
    steps s;
    sizes(r, &s);
    return align(s.some * s.batch * s.row_x + 64) + align(s.some * s.batch * s.wide * r->p.gates * sizeof(float)) +
           align(s.batch * s.wide * sizeof(float)) * 4 + 64;
}

size_t pcs_recurrent_own(const pcs_recurrent *r)
{
    steps s;
    sizes(r, &s);
    return align(s.batch * s.row_h + 64) + align((s.batch + 1) * r->p.gates * N * sizeof(float)) +
           4 * align(r->p.gates * N * sizeof(float)) + 64;
}

static void lay_out(steps *s)
{
    const pcs_recurrent *r = s->r;
    const size_t state = align(s->batch * s->wide * sizeof(float)), gate = r->p.gates * N * sizeof(float);
    char *at = (char *)align((size_t)(uintptr_t)r->shared);
    s->x = at, at += align(s->some * s->batch * s->row_x + 64);
    s->gates = (float *)(void *)at, at += align(s->some * s->batch * s->wide * r->p.gates * sizeof(float));
    s->cells = (float *)(void *)at, at += state;
    for (int i = 0; i < 2; i++, at += state) s->h[i] = (float *)(void *)at;
    s->reset = (float *)(void *)at;
    at = (char *)align((size_t)(uintptr_t)r->own);
    s->codes = at, at += align(s->batch * s->row_h + 64);
    s->first = (int32_t *)(void *)at, at += align(gate);
    s->factor = (float *)(void *)at, at += align(gate);
    s->tile = (float *)(void *)at;
}

static void meet(const steps *s)
{
    if (s->nth > 1) pcs_barrier(s->r->c->ctx, s->ith);
}

static size_t length_of(const steps *s, size_t seq)
{
    const int64_t n = ((const int32_t *)s->r->lengths->data)[seq];
    return n < 0 ? 0 : (size_t)n > s->steps ? s->steps : (size_t)n;
}

/* ---- products ------------------------------------------------------------------------------------------- */

/* Scale and zero point of numbers between lo and hi, as DynamicQuantizeLinear has them. */
static void row_range_of(const steps *s, float lo, float hi, float *scale, int32_t *zero)
{
    const float width = hi - lo;
    *scale = (width == 0 ? 1.0f : width) / 255.0f;
    *zero = pcs_codes_round(0.0f - lo / *scale, (pcs_codes_to){ 0, 0, 255 });
    if (!(*scale > 0 && *scale < PCS_INFINITY)) pcs_outside(s->r->c);
}

static void encode(const steps *s, const float *x, size_t n, float scale, int32_t zero, char *to)
{
    const pcs_codes_to range = { zero, 0, 255 };
    s->r->c->kernels->codes_encode(&(pcs_codes_encode_args){ x, n, scale, range, (uint8_t *)to });
}

/* Rows and the panels that they are multiplied by: of x or of h. */
typedef struct {
    const char *rows, *panels;
    size_t step, m, k, lines;
    const int32_t *sums, *zeros; /* of codes, as all below */
    const float *scales;
    float scale;
    int32_t zero;
    bool plain; /* all of `zeros` are zero */
} operands;

/* to[m][count gates from `gate` on][16], gates * 16 numbers from row to row. */
static void by_codes(const steps *s, const operands *o, uint32_t gate, uint32_t count, float *to)
{
    const int32_t *sums = o->sums + gate * N, *zeros = o->zeros + gate * N;
    const size_t n = count * N;
    const bool plain = o->plain;
    int32_t *const first = s->first;
    float *const factor = s->factor;
    for (size_t i = 0; i < n; i++) first[i] = -o->zero * sums[i];
    for (size_t i = 0; i < n; i++) factor[i] = o->scale * o->scales[gate * N + i];
    const size_t each = plain ? o->m : 1; /* what zero points of weights add depends on the row */
    for (size_t i = 0; i < o->m; i += each) {
        const uint8_t *a = (const uint8_t *)o->rows + i * o->step;
        int32_t sum = -(int32_t)o->k * o->zero;
        for (size_t j = 0; j < o->k && !plain; j++) sum += a[j];
        for (size_t j = 0; j < n && !plain; j++) s->first[j] = -o->zero * sums[j] - zeros[j] * sum;
        s->r->c->kernels->codes_gemm_f32(&(pcs_codes_gemm_args){ .a = a,
                                                                 .lda = o->step,
                                                                 .m = each,
                                                                 .w = (const int8_t *)o->panels + gate * o->lines * 64,
                                                                 .lines = o->lines,
                                                                 .n = n,
                                                                 .first = s->first,
                                                                 .sums = sums,
                                                                 .factor = s->factor,
                                                                 .yf = to + i * s->r->p.gates * N,
                                                                 .ldy = s->r->p.gates * N });
    }
}

static void by_floats(const steps *s, const operands *o, uint32_t gate, uint32_t count, float *to, bool add)
{
    const float *w = (const float *)(const void *)(o->panels + gate * o->lines * 64);
    const pcs_gemm_args one = { (const float *)(const void *)o->rows, o->step / sizeof(float), w, N, o->k, o->m, to,
                                s->r->p.gates * N, add };
    s->r->c->kernels->gemm_wide(&(pcs_gemm_wide_args){ one, count, o->lines * N });
}

/* The products of h, added to gates of a step or put there. */
static void of_h(const steps *s, const operands *o, uint32_t gate, uint32_t count, float *to, bool add)
{
    const size_t each = s->r->p.gates * N;
    if (!s->r->p.dynamic) by_floats(s, o, gate, count, to, add);
    else by_codes(s, o, gate, count, add ? s->tile : to);
    for (size_t i = 0; i < s->batch && s->r->p.dynamic && add; i++)
        for (size_t l = 0; l < count * N; l++) to[i * each + l] += s->tile[i * each + l];
}

/* ---- x -------------------------------------------------------------------------------------------------- */

/* Rows of steps [t, t + n), in the order in which each sequence takes them. */
static void gather_states(const steps *s, size_t t, size_t n)
{
    const size_t in = s->r->p.in;
    uint64_t begin, end;
    pcs_share(n * s->batch, 1, s->ith, s->nth, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const size_t seq = i % s->batch, length = length_of(s, seq), step = t + i / s->batch;
        const size_t at = step >= length ? step : s->back ? length - 1 - step : step;
        const float *x = (const float *)s->r->x->data + (at * s->batch + seq) * in;
        char *to = s->x + i * s->row_x;
        if (!s->r->p.dynamic) memcpy(to, x, in * sizeof *x);
        else {
            encode(s, x, in, s->scale_x, s->zero_x, to);
            memset(to + in, 0, s->row_x - in);
        }
    }
}

static void of_x(const steps *s, size_t n)
{
    const pcs_recurrent_pack *p = &s->r->p;
    const size_t each = n * s->batch * p->gates * N;
    for (size_t k = s->begin; k < s->end; k++) {
        const pcs_recurrent_block b = pcs_recurrent_at(p, s->r->packed, s->way, k);
        const operands o = { s->x,     b.x,      s->row_x,  n * s->batch, p->in,    p->lines_x,
                             b.sums_x, b.zero_x, b.scale_x, s->scale_x,   s->zero_x,    s->r->plain_x };
        float *to = s->gates + k * each;
        if (p->dynamic) by_codes(s, &o, 0, p->gates, to);
        else by_floats(s, &o, 0, p->gates, to, false);
    }
}

/* ---- steps ---------------------------------------------------------------------------------------------- */

/* h, or what is reset of it, as rows that are multiplied. */
static operands rows_of(steps *s, const float *h)
{
    const pcs_recurrent_pack *p = &s->r->p;
    operands o = { .rows = (const char *)h, .step = s->row_h, .m = s->batch, .k = p->hidden, .lines = p->lines_h };
    if (!p->dynamic) return o;
    float lo, hi;
    s->r->c->kernels->extremes(&(pcs_extremes_args){ h, s->batch * s->wide, &lo, &hi }); /* each thread alone */
    row_range_of(s, lo, hi, &s->scale_h, &s->zero_h);
    for (size_t i = 0; i < s->batch; i++)
        encode(s, h + i * s->wide, s->wide, s->scale_h, s->zero_h, s->codes + i * s->row_h);
    o.rows = s->codes;
    o.scale = s->scale_h;
    o.zero = s->zero_h;
    o.plain = s->r->plain_h;
    return o;
}

static operands with_block(operands o, const pcs_recurrent_block *b)
{
    o.panels = b->h;
    o.sums = b->sums_h;
    o.zeros = b->zero_h;
    o.scales = b->scale_h;
    return o;
}

static pcs_recurrent_unit unit_of(const steps *s, const pcs_recurrent_block *b, size_t block, size_t seq, float *gate,
                                  int turn)
{
    const size_t at = seq * s->wide + block * N;
    return (pcs_recurrent_unit){ .r = s->r,
                                 .way = s->way,
                                 .first = block * N,
                                 .bias_x = b->bias_x,
                                 .bias_h = b->bias_h,
                                 .gate = gate + seq * s->r->p.gates * N,
                                 .cell = s->cells + (block * s->batch + seq) * N,
                                 .h = s->h[turn] + at,
                                 .next = s->h[!turn] + at,
                                 .reset = s->reset + at };
}

/* What is after the last unit is zero. */
static void keep(const steps *s, const pcs_recurrent_unit *u, size_t t, size_t seq)
{
    const pcs_recurrent *r = s->r;
    const size_t left = r->p.hidden - u->first < N ? r->p.hidden - u->first : N, length = length_of(s, seq);
    const size_t at = s->back ? length - 1 - t : t;
    for (size_t l = left; l < N; l++) u->next[l] = 0;
    memcpy((float *)r->c->out[0].data + ((at * r->p.ways + s->way) * s->batch + seq) * r->p.hidden + u->first, u->next,
           left * sizeof(float));
    if (t + 1 == length)
        memcpy((float *)r->c->out[1].data + (s->way * s->batch + seq) * r->p.hidden + u->first, u->next,
               left * sizeof(float));
}

/* A step of a GRU whose reset comes before the product has two halves, and threads meet in between. */
static void reset_half(steps *s, size_t t, float *gates, size_t each, int turn)
{
    const operands h = rows_of(s, s->h[turn]);
    for (size_t k = s->begin; k < s->end; k++) {
        const pcs_recurrent_block b = pcs_recurrent_at(&s->r->p, s->r->packed, s->way, k);
        const operands o = with_block(h, &b);
        float *gate = gates + k * each;
        of_h(s, &o, 0, 2, gate, true);
        for (size_t i = 0; i < s->batch; i++) {
            if (t >= length_of(s, i)) continue;
            const pcs_recurrent_unit u = unit_of(s, &b, k, i, gate, turn);
            pcs_recurrent_reset(&u);
        }
    }
    meet(s);
}

static void cells_of(steps *s, const operands *h, size_t t, size_t k, float *gate, int turn)
{
    const pcs_recurrent_pack *p = &s->r->p;
    const pcs_recurrent_block b = pcs_recurrent_at(p, s->r->packed, s->way, k);
    const operands o = with_block(*h, &b);
    const bool gru = p->gates == 3, linear = gru && s->r->c->attr[PCS_R_LINEAR].integer;
    if (linear) {
        of_h(s, &o, 0, 2, gate, true);
        of_h(s, &o, 2, 1, s->tile + 2 * N, false);
    } else of_h(s, &o, gru ? 2 : 0, gru ? 1 : p->gates, gate + (gru ? 2 * N : 0), true);
    for (size_t i = 0; i < s->batch; i++) {
        pcs_recurrent_unit u = unit_of(s, &b, k, i, gate, turn);
        if (t >= length_of(s, i)) { /* as onnxruntime has it: what has ended counts as zero in the range of h */
            memset(u.next, 0, N * sizeof(float));
            continue;
        }
        u.back = linear ? s->tile + i * p->gates * N + 2 * N : NULL;
        if (linear) pcs_recurrent_reset(&u);
        pcs_recurrent_cell(&u);
        keep(s, &u, t, i);
    }
}

static void step(steps *s, size_t t, float *gates, size_t each)
{
    const int turn = t % 2;
    const bool halves = s->r->p.gates == 3 && !s->r->c->attr[PCS_R_LINEAR].integer;
    if (halves) reset_half(s, t, gates, each, turn);
    const operands h = rows_of(s, halves ? s->reset : s->h[turn]);
    for (size_t k = s->begin; k < s->end; k++) cells_of(s, &h, t, k, gates + k * each, turn);
    meet(s);
}

/* ---- a way ---------------------------------------------------------------------------------------------- */

/* The first h and c of this thread's blocks; what is after the last unit is zero. */
static void begin_way(const steps *s)
{
    const pcs_recurrent *r = s->r;
    for (size_t k = s->begin; k < s->end; k++)
        for (size_t i = 0; i < s->batch; i++) {
            const size_t n = r->p.hidden - k * N < N ? r->p.hidden - k * N : N,
                         from = (s->way * s->batch + i) * r->p.hidden + k * N, to = i * s->wide + k * N;
            float *cell = s->cells + (k * s->batch + i) * N;
            for (int turn = 0; turn < 2; turn++) memset(s->h[turn] + to, 0, N * sizeof(float));
            memset(s->reset + to, 0, N * sizeof(float));
            memset(cell, 0, N * sizeof(float));
            memcpy(s->h[0] + to, (const float *)r->h->data + from, n * sizeof(float));
            if (r->cell) memcpy(cell, (const float *)r->cell->data + from, n * sizeof(float));
        }
    memset(s->codes, 0, s->batch * s->row_h);
}

/* Cells, h of a sequence without steps, and zeros after the end of a sequence. */
static void end_way(const steps *s)
{
    const pcs_recurrent *r = s->r;
    const pcs_arg *out = r->c->out;
    for (size_t k = s->begin; k < s->end; k++)
        for (size_t i = 0; i < s->batch; i++) {
            const size_t bytes = (r->p.hidden - k * N < N ? r->p.hidden - k * N : N) * sizeof(float),
                         to = (s->way * s->batch + i) * r->p.hidden + k * N;
            if (!length_of(s, i)) memcpy((float *)out[1].data + to, (const float *)r->h->data + to, bytes);
            if (r->cell) memcpy((float *)out[2].data + to, s->cells + (k * s->batch + i) * N, bytes);
            for (size_t t = length_of(s, i); t < s->steps; t++)
                memset((float *)out[0].data + ((t * r->p.ways + s->way) * s->batch + i) * r->p.hidden + k * N, 0,
                       bytes);
        }
}

static void one_way(steps *s)
{
    const char *way = s->r->c->attr[PCS_R_WAY].text;
    size_t last = 0;
    s->back = s->way == 1 || way[0] == 'r';
    for (size_t i = 0; i < s->batch; i++) last = length_of(s, i) > last ? length_of(s, i) : last;
    begin_way(s);
    for (size_t t = 0, n; t < last; t += n) {
        n = last - t < s->some ? last - t : s->some;
        gather_states(s, t, n);
        meet(s);
        of_x(s, n);
        const size_t row = s->batch * s->r->p.gates * N;
        for (size_t i = 0; i < n; i++) step(s, t + i, s->gates + i * row, n * row);
    }
    end_way(s);
    meet(s);
}

static bool all_zero(const int32_t *x, size_t n)
{
    int32_t any = 0;
    for (size_t i = 0; i < n; i++) any |= x[i];
    return !any;
}

/* What is the same in all steps. */
static void look_ahead(pcs_recurrent *r)
{
    const float *p = r->peepholes ? r->peepholes->data : NULL;
    const size_t blocks = r->p.ways * r->p.blocks, each = r->p.gates * N;
    r->functions = (uint32_t)strlen(r->c->attr[PCS_R_ACT].text);
    for (size_t i = 0; p && i < 3 * r->p.hidden * r->p.ways; i++) r->peeps = r->peeps || p[i] != 0;
    r->plain_x = r->plain_h = true;
    for (size_t i = 0; r->p.dynamic && i < blocks; i++) {
        const pcs_recurrent_block b = pcs_recurrent_at(&r->p, r->packed, 0, i);
        r->plain_x = r->plain_x && all_zero(b.zero_x, each);
        r->plain_h = r->plain_h && all_zero(b.zero_h, each);
    }
}

void pcs_recurrent_run(pcs_recurrent *r, uint32_t ith, uint32_t nth)
{
    steps s;
    uint64_t begin, end;
    look_ahead(r);
    sizes(r, &s);
    lay_out(&s);
    pcs_share(r->p.blocks, 1, ith, nth, &begin, &end);
    s.begin = begin, s.end = end, s.ith = ith, s.nth = nth;
    if (r->p.dynamic) {
        float lo, hi;
        const size_t all = s.steps * s.batch * r->p.in;
        r->c->kernels->extremes(&(pcs_extremes_args){ r->x->data, all, &lo, &hi });
        row_range_of(&s, lo, hi, &s.scale_x, &s.zero_x);
    }
    for (s.way = 0; s.way < r->p.ways; s.way++) one_way(&s);
}

/* ---- the op --------------------------------------------------------------------------------------------- */

enum { X, PACKED, LENGTHS, H, C, P };

static pcs_recurrent run_of_call(const pcs_call *c)
{
    const pcs_arg *h = &c->in[H], *x = &c->in[X];
    const bool lstm = c->n_in > C;
    pcs_recurrent r = { .c = c, .x = x, .lengths = &c->in[LENGTHS], .h = h, .packed = c->in[PACKED].data };
    r.p = pcs_recurrent_layout(pcs_recurrent_gates(c->attr), (size_t)h->shape[0], (size_t)h->shape[2],
                               (size_t)x->shape[2], c->attr[PCS_R_DYNAMIC].integer != 0);
    if (lstm) r.cell = &c->in[C], r.peepholes = &c->in[P];
    return r;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[X]], *h = &g->values[n->in[H]], *w = &g->values[n->in[PACKED]];
    if (pcs_recurrent_check(g, n)) return g->error;
    if (n->n_in != (pcs_recurrent_gates(n->attr) == 4 ? 6u : 4u) || x->dims != 3 || h->dims != 3 ||
        pcs_dim_is_id(x->shape[2]) || pcs_dim_is_id(h->shape[0]) || pcs_dim_is_id(h->shape[2]))
        return pcs_op_fail(g, n, "takes x and h of sizes that are known");
    const pcs_recurrent_pack p =
        pcs_recurrent_layout(pcs_recurrent_gates(n->attr), (size_t)h->shape[0], (size_t)h->shape[2],
                             (size_t)x->shape[2], n->attr[PCS_R_DYNAMIC].integer != 0);
    if (!pcs_codes_holds(w, PCS_I8, p.ways * p.blocks * p.bytes))
        return pcs_op_fail(g, n, "has weights of another layout");
    pcs_recurrent_shapes(n, x, h->shape[2], out);
    return PRECIS_OK;
}

static size_t scratch(const pcs_call *c)
{
    const pcs_recurrent r = run_of_call(c);
    return pcs_recurrent_shared(&r) + pcs_recurrent_own(&r);
}

/* What is shared is in the first thread's part. */
static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    pcs_recurrent r = run_of_call(c);
    r.shared = c->scratch;
    r.own = c->scratch + ith * c->scratch_size + pcs_recurrent_shared(&r);
    pcs_recurrent_run(&r, ith, nth);
}

static uint64_t products(const pcs_call *c)
{
    const pcs_recurrent r = run_of_call(c);
    return (uint64_t)(c->in[X].shape[0] * c->in[X].shape[1]) * r.p.ways * r.p.gates * r.p.hidden *
           (r.p.in + r.p.hidden);
}

const pcs_op pcs_op_packed_recurrent = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "packed_recurrent",
    .min_in = 4,
    .max_in = 6,
    .results = pcs_recurrent_results,
    .attrs = PCS_ATTR_TABLE(PCS_RECURRENT_ATTRS, PCS_INT("dynamic", 0)),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
    .products = products,
};
