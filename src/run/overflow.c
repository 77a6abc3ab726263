/* overflow.c - bounds on the integer accumulators of the kernels, from the weights themselves: activations are int8
 * of at most 127 in magnitude (kernel/quantize_act.h), so that a lane is at most 127 times the largest sum of the
 * codes that it multiplies. */
#include "run/overflow.h"

#include "base/pool.h"
#include "kernel/rows.h"
#include "precis/run.h"

#include <strings.h>

enum { TOP = 127 };

static const pcs_accumulator all[] = {
#define ACCUMULATOR(kernel, isa, bits, products, offset, raw) { #kernel, #isa, bits, products, offset, raw },
#include "run/accumulators.def"
#undef ACCUMULATOR
};

const pcs_accumulator *pcs_accumulators(size_t *n)
{
    *n = sizeof all / sizeof *all;
    return all;
}

int64_t pcs_accumulator_bound(const pcs_accumulator *a, const int8_t *q, size_t n)
{
    int64_t most = 0;
    for (size_t i = 0; i + a->products <= n; i += a->products) {
        int64_t up = 0, down = 0, sum = 0;
        for (uint32_t k = 0; k < a->products; k++) {
            const int64_t c = q[i + k];
            sum += c < 0 ? -c : c;
            up += a->raw ? c + a->offset : 0;
            down += a->raw ? a->offset : 0;
        }
        if (a->raw && up > sum) sum = up;     /* the unsigned product */
        if (a->raw && down > sum) sum = down; /* what is taken away */
        if (sum > most) most = sum;
    }
    return (TOP + (a->raw ? 0 : (int64_t)a->offset)) * most;
}

/* Of AVX2 in 16 bits: the row depends on the format. */
static bool by_range(const pcs_accumulator *a) { return !strcmp(a->isa, "avx2") && a->bits == 16; }

/* Does a kernel of this name multiply this format? mp takes all, mv those with panels. */
static bool takes(const pcs_accumulator *a, const pcs_format *f)
{
    if (strcmp(a->kernel, "mp") && !f->fields) return false;
    const bool neon = !strcmp(a->kernel, "mv") && !strcmp(a->isa, "neon") && a->bits == 16;
    if (neon) return a->raw == (pcs_mp_pairs(f) != 0); /* small codes are as they are stored, large ones signed */
    if (by_range(a)) return a->raw ? (uint32_t)pcs_mp_pairs(f) * 2 == a->products : !pcs_mp_pairs(f);
    return true;
}

typedef struct { const pcs_tensor *t; int64_t *bounds; char *scratch; size_t room; } scan;

static void scan_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const scan *s = arg;
    const size_t k = (size_t)s->t->ne[0], kinds = sizeof all / sizeof *all;
    const pcs_row r = pcs_row_in(s->scratch + ith * s->room, k);
    int64_t *most = s->bounds + ith * kinds;
    for (uint64_t row = begin; row < end; row++) {
        pcs_row_unpack(s->t->format, s->t->data + row * pcs_row_bytes(s->t->format, k), k, &r);
        pcs_row_pad(&r, k);
        for (size_t a = 0; a < kinds; a++) {
            if (!takes(&all[a], s->t->format)) continue;
            pcs_accumulator own = all[a];
            if (by_range(&own) && own.raw) own.offset = -s->t->format->code_lo;
            const int64_t b = pcs_accumulator_bound(&own, r.q, pcs_chunks(k) * PCS_CHUNK);
            if (b > most[a]) most[a] = b;
        }
    }
}

precis_status precis_overflow_check(precis_ctx *ctx, const precis_model *m, size_t tensor, precis_overflow *out,
                                    size_t max, size_t *n)
{
    *n = 0;
    if (tensor >= m->n_tensors) return pcs_fail(ctx, PRECIS_EINVAL, "there is no tensor %zu", tensor);
    const pcs_tensor *t = &m->tensors[tensor];
    const pcs_format *f = t->format;
    const bool has_codes = f->kind == PCS_QUANT && (f->unpack || f->unpack_row) && !f->element;
    if (t->dims < 2 || !has_codes) return PRECIS_OK; /* multiplied as floats */
    const size_t kinds = sizeof all / sizeof *all, threads = precis_ctx_threads(ctx);
    scan s = { .t = t, .room = (pcs_mp_scratch((size_t)t->ne[0]) + 127) / 64 * 64 };
    s.bounds = pcs_alloc(ctx, threads * kinds, sizeof *s.bounds);
    s.scratch = pcs_alloc(ctx, threads, s.room);
    const precis_status st = s.bounds && s.scratch ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) pcs_for(ctx, pcs_tensor_rows(t), 1 + 16384 / (uint64_t)t->ne[0], scan_rows, &s);
    for (size_t a = 0; a < kinds && !st && *n < max; a++) {
        if (!takes(&all[a], t->format)) continue;
        int64_t bound = 0;
        for (size_t i = 0; i < threads; i++) bound = bound > s.bounds[i * kinds + a] ? bound : s.bounds[i * kinds + a];
        const int64_t limit = (int64_t)1 << (all[a].bits - 1);
        out[(*n)++] = (precis_overflow){ .kernel = all[a].kernel, .isa = all[a].isa, .bits = all[a].bits,
                                         .products = all[a].products, .bound = bound, .limit = limit - 1,
                                         .overflows = bound >= limit };
    }
    pcs_free(ctx, s.bounds);
    pcs_free(ctx, s.scratch);
    return st;
}
