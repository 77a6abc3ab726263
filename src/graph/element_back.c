/* element_back.c - gradients of functions of elements whose operands are spread over one another.
 *
 * An element of an operand that was spread has a gradient that sums over all elements of the result that it went to.
 * The operand's elements are shared out among the threads, never the sum, which runs in ascending order in f64, so that
 * the bits do not depend on how many threads there are. */
#include "graph/element.h"

/* Dimensions of the result but its last, in order: those that the operand has, and those over which it was spread. */
typedef struct {
    const pcs_call *c;
    const float *d; /* the gradient by the result */
    pcs_slope_fn *slope;
    pcs_spread s;   /* over the result: the inputs, and the result after them */
    uint32_t of;    /* the input whose gradient it is */
    uint32_t n_kept, n_summed, kept[PCS_GRAPH_DIMS], summed[PCS_GRAPH_DIMS];
    int64_t kept_count, summed_count;
} back;

static void open_back(back *b)
{
    const pcs_call *c = b->c;
    const pcs_arg *in[PCS_SPREAD];
    for (uint32_t i = 0; i < c->n_in; i++) in[i] = &c->in[i];
    in[c->n_in] = &c->out[0];
    pcs_spread_over(&b->s, &c->out[0], c->n_in + 1, in);
    b->kept_count = b->summed_count = 1;
    for (uint32_t k = 0; k + 1 < b->s.dims; k++) {
        const bool kept = b->s.stride[b->of][k] != 0;
        if (kept) b->kept[b->n_kept++] = k;
        else b->summed[b->n_summed++] = k;
        *(kept ? &b->kept_count : &b->summed_count) *= b->s.shape[k];
    }
}

/* Adds to `at` where every operand stands at index r of some dimensions. */
static void walk(const back *b, uint32_t n, const uint32_t *dims, int64_t r, int64_t *at)
{
    for (uint32_t k = n; k-- > 0;) {
        const int64_t index = r % b->s.shape[dims[k]];
        r /= b->s.shape[dims[k]];
        for (uint32_t i = 0; i < b->s.n; i++) at[i] += index * b->s.stride[i][dims[k]];
    }
}

/* d times the slope, of n neighbours in the last dimension from `first` on. */
static void products(const back *b, const int64_t *at, int64_t first, size_t n, double *out)
{
    float rooms[PCS_SPREAD][PCS_BLOCK], slope[PCS_BLOCK];
    const float *in[PCS_SPREAD];
    const uint32_t made = b->c->n_in;
    for (uint32_t i = 0; i < made; i++) {
        const int64_t stride = b->s.stride[i][b->s.dims - 1];
        const pcs_arg *arg = &b->c->in[i];
        const int64_t from = at[i] + first * stride;
        const float *x = arg->dtype == PCS_F32 ? (const float *)arg->data + from : NULL;
        for (size_t k = 0; !x && k < n; k++)
            rooms[i][k] = (float)pcs_real_at(arg, (size_t)(from + (int64_t)k * stride));
        for (size_t k = 0; x && stride != 1 && k < n; k++) rooms[i][k] = x[(int64_t)k * stride];
        in[i] = x && stride == 1 ? x : rooms[i];
    }
    b->slope(b->c->attr, n, in, (const float *)b->c->out[0].data + at[made] + first, slope);
    const float *d = b->d + at[made] + first;
    /* Where nothing is passed on, not even what is no number. */
    for (size_t k = 0; k < n; k++) out[k] = slope[k] == 0 ? 0 : (double)d[k] * (double)slope[k];
}

/* The operand runs along the last dimension: blocks of its elements, each with sums of its own. */
static void sum_apart(const back *b, float *grad, int64_t unit, int64_t blocks)
{
    const int64_t first = unit % blocks * PCS_BLOCK, left = b->s.inner - first;
    const size_t n = (size_t)(left < PCS_BLOCK ? left : PCS_BLOCK);
    int64_t base[PCS_SPREAD] = { 0 };
    double sum[PCS_BLOCK] = { 0 }, more[PCS_BLOCK];
    walk(b, b->n_kept, b->kept, unit / blocks, base);
    for (int64_t r = 0; r < b->summed_count; r++) {
        int64_t at[PCS_SPREAD];
        memcpy(at, base, sizeof at);
        walk(b, b->n_summed, b->summed, r, at);
        products(b, at, first, n, more);
        for (size_t k = 0; k < n; k++) sum[k] += more[k];
    }
    for (size_t k = 0; k < n; k++) grad[base[b->of] + first + (int64_t)k] += (float)sum[k];
}

/* The operand was spread along the last dimension: one sum for each of its elements. */
static void sum_along(const back *b, float *grad, int64_t unit)
{
    int64_t base[PCS_SPREAD] = { 0 };
    double sum = 0, more[PCS_BLOCK];
    walk(b, b->n_kept, b->kept, unit, base);
    for (int64_t r = 0; r < b->summed_count; r++) {
        int64_t at[PCS_SPREAD];
        memcpy(at, base, sizeof at);
        walk(b, b->n_summed, b->summed, r, at);
        for (int64_t first = 0; first < b->s.inner; first += PCS_BLOCK) {
            const int64_t left = b->s.inner - first;
            const size_t n = (size_t)(left < PCS_BLOCK ? left : PCS_BLOCK);
            products(b, at, first, n, more);
            for (size_t k = 0; k < n; k++) sum += more[k];
        }
    }
    grad[base[b->of]] += (float)sum;
}

/* Is the operand spread over nothing, in the order of the result, and are all operands f32 in that order? */
static bool plain(const back *b)
{
    const pcs_call *c = b->c;
    for (uint32_t i = 0; i < c->n_in; i++)
        if (c->in[i].dtype != PCS_F32 || pcs_arg_count(&c->in[i]) != pcs_arg_count(&c->out[0])) return false;
    return b->summed_count == 1;
}

/* The same numbers as by sums of one: a product of two f32 is exact in f64. */
static void each_by_itself(const back *b, float *grad, uint64_t begin, uint64_t end)
{
    float slope[PCS_BLOCK];
    for (uint64_t at = begin; at < end; at += PCS_BLOCK) {
        const size_t n = end - at < PCS_BLOCK ? (size_t)(end - at) : PCS_BLOCK;
        const float *in[PCS_SPREAD];
        for (uint32_t i = 0; i < b->c->n_in; i++) in[i] = (const float *)b->c->in[i].data + at;
        b->slope(b->c->attr, n, in, (const float *)b->c->out[0].data + at, slope);
        for (size_t k = 0; k < n; k++) grad[at + k] += slope[k] == 0 ? 0.0f : b->d[at + k] * slope[k];
    }
}

void pcs_elementwise_back(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth,
                          pcs_slope_fn *const *slope)
{
    if (!pcs_arg_count(&c->out[0])) return;
    for (uint32_t i = 0; i < c->n_in; i++) {
        if (!g->in[i]) continue;
        back b = { .c = c, .d = g->out[0], .slope = slope[i], .of = i };
        uint64_t begin, end;
        open_back(&b);
        if (plain(&b)) {
            pcs_share(pcs_arg_count(&c->out[0]), PCS_BLOCK, ith, nth, &begin, &end);
            each_by_itself(&b, g->in[i], begin, end);
            continue;
        }
        const bool apart = b.s.stride[i][b.s.dims - 1] != 0;
        const int64_t blocks = apart ? (b.s.inner + PCS_BLOCK - 1) / PCS_BLOCK : 1;
        pcs_share((uint64_t)(b.kept_count * blocks), 1, ith, nth, &begin, &end);
        for (uint64_t u = begin; u < end; u++)
            if (apart) sum_apart(&b, g->in[i], (int64_t)u, blocks);
            else sum_along(&b, g->in[i], (int64_t)u);
    }
}

void pcs_move_back(const pcs_arg *out, const pcs_grads *g, int64_t offset, const int64_t *strides, uint32_t ith,
                   uint32_t nth)
{
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(out), 16, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++) {
        int64_t at = offset, rest = (int64_t)i;
        for (uint32_t d = out->dims; d-- > 0; rest /= out->shape[d]) at += rest % out->shape[d] * strides[d];
        g->in[0][at] += g->out[0][i];
    }
}

/* A thread has some parts of x, and looks for them among all indices. */
void pcs_take_back(const pcs_call *c, const pcs_grads *g, uint32_t axis, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0];
    const size_t n = (size_t)x->shape[axis], count = (size_t)pcs_arg_count(&c->in[1]);
    size_t part = 1, outer = 1;
    for (uint32_t i = 0; i < axis; i++) outer *= (size_t)x->shape[i];
    for (uint32_t i = axis + 1; i < x->dims; i++) part *= (size_t)x->shape[i];
    uint64_t begin, end;
    pcs_share(outer * n, 1, ith, nth, &begin, &end);
    for (size_t t = begin / n * count; g->in[0] && t < outer * count && t / count * n < end; t++) {
        const int64_t id = pcs_int_at(&c->in[1], t % count), at = id < 0 ? id + (int64_t)n : id;
        const size_t to = t / count * n + (size_t)(at < 0 || at >= (int64_t)n ? 0 : at);
        if (to < begin || to >= end) continue;
        for (size_t i = 0; i < part; i++) g->in[0][to * part + i] += g->out[0][t * part + i];
    }
}
