/* estimator.c - see estimator.h. */
#include "train/estimator.h"

#include "base/builtins.h"
#include "base/fmath.h"
#include "graph/op/round.h"
#include "train/ranges.h"

#include <stdio.h>

int pcs_code_bits(const pcs_format *f)
{
    const int bits = (int)pcs_format_bpw(f);
    return bits < 1 ? 1 : bits > 8 ? 8 : bits;
}

int64_t pcs_turned_by(int64_t k)
{
    int64_t dim = 1;
    while (dim < 128 && k % (2 * dim) == 0) dim *= 2;
    return dim;
}

static int largest_code(const pcs_format *f)
{
    const int bits = pcs_code_bits(f);
    return bits < 2 ? 1 : (1 << (bits - 1)) - 1;
}

double pcs_range_factor(const pcs_format *f, int64_t n) { return 1.0 / pcs_sqrt((double)n * largest_code(f)); }

static precis_value node(const pcs_estimate *e, const char *what, const char *op, const precis_attr *attrs, uint32_t n,
                         const precis_value *in)
{
    char name[96];
    snprintf(name, sizeof name, "%.70s.%s", e->name, what);
    return precis_graph_node(e->g, name, op, attrs, n, in);
}

/* ---- what a type encodes ------------------------------------------------------------------------ */

static precis_value as_it_is(const pcs_estimate *e) { return e->w; }

static precis_value clipped(const pcs_estimate *e)
{
    const precis_value in[2] = { e->w, e->range };
    const precis_attr attrs[] = { precis_attr_real("factor", pcs_range_factor(e->f, e->rows * e->k)), { 0 } };
    return node(e, "clipped", "clip_range", attrs, 2, in);
}

static precis_value of_three(const pcs_estimate *e) { return node(e, "ternary", "ternary", NULL, 1, &e->w); }

static precis_value of_two(const pcs_estimate *e) { return node(e, "binary", "binarize", NULL, 1, &e->w); }

/* QuEST (2502.05003, section 3): turned, and clipped where the squared error of a grid of so many bits of a normal
 * distribution is least; what lies within half a step of the clip is trusted still. */
static precis_value trusted(const pcs_estimate *e)
{
    static const double least[9] = { 0,       0.79788456, 1.49353456, 2.05106835, 2.51393058,
                                     2.91609388, 3.27659728, 3.60104972, 3.88493868 };
    const int64_t dim = pcs_turned_by(e->k);
    const precis_attr by[] = { precis_attr_int("dim", dim), { 0 } };
    const precis_value w = dim > 1 ? node(e, "turned", "hadamard", by, 1, &e->w) : e->w;
    if (!e->f) return w;
    const int bits = pcs_code_bits(e->f);
    const precis_attr attrs[] = { precis_attr_real("rms", least[bits]),
                                  precis_attr_real("margin", 1.0 / ((1 << bits) - 1)), { 0 } };
    return node(e, "clipped", "clip_range", attrs, 1, &w);
}

/* ---- where ranges begin: the largest level -------------------------------------------------------- */

static void begin_step(const pcs_format *f, const float *w, size_t rows, size_t k, float *range)
{
    const int high = largest_code(f);
    *range = pcs_lsq_step(w, rows * k, high) * (float)high;
}

static void begin_largest(const pcs_format *f, const float *w, size_t rows, size_t k, float *range)
{
    (void)f;
    *range = pcs_largest(w, rows * k);
}

/* ParetoQ's alpha is the largest code of 3 bits and more, and stretched below: its largest levels are 3/4 of alpha at 2
 * bits, 2/3 of three levels. */
static void begin_row(const pcs_format *f, const float *w, size_t rows, size_t k, float *range)
{
    const bool three = f->code_lo == -1 && f->code_hi == 1 && !f->book;
    const int bits = pcs_code_bits(f);
    for (size_t r = 0; r < rows; r++) {
        const float alpha = pcs_pareto_alpha(w + r * k, k, three ? 0 : bits);
        range[r] = three ? alpha * (2.0f / 3) : bits == 1 ? alpha : bits == 2 ? alpha * 0.75f
                                                                    : alpha * (float)largest_code(f);
    }
}

/* ---- the table ------------------------------------------------------------------------------------ */

static const pcs_estimator ste = { .name = "ste", .ready = as_it_is, .grid = PCS_GRID_LARGEST };
static const pcs_estimator lsq = { .name = "lsq", .ranges = PCS_RANGE_TENSOR, .begin = begin_step, .ready = clipped,
                                   .steps = true, .learns_activations = true, .grid = PCS_GRID_LEARNED };
static const pcs_estimator pact = { .name = "pact", .ranges = PCS_RANGE_TENSOR, .begin = begin_largest,
                                    .ready = clipped, .learns_activations = true, .clips_only = true };
static const pcs_estimator pareto = { .name = "pareto", .ranges = PCS_RANGE_ROW, .begin = begin_row, .ready = clipped,
                                      .steps = true };
static const pcs_estimator trust = { .name = "trust", .ready = trusted, .turns = true };
static const pcs_estimator ternary = { .name = "ternary", .ready = of_three, .grid = PCS_GRID_MEAN };
static const pcs_estimator binary = { .name = "binary", .ready = of_two };

const pcs_estimator *const pcs_estimators[] = {
#define ESTIMATOR(name) &name,
#include "train/estimators.def"
#undef ESTIMATOR
    NULL,
};

const pcs_estimator *pcs_estimator_by_name(const char *name)
{
    for (size_t i = 0; pcs_estimators[i]; i++)
        if (!strcmp(pcs_estimators[i]->name, name)) return pcs_estimators[i];
    return NULL;
}
