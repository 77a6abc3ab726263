/* recurrent_cell.c - what becomes of the sums of one step: gates, cells, the next h (Hochreiter and Schmidhuber 1997,
 * Cho et al. 2014; names and order of ONNX). */
#include "base/builtins.h"
#include "base/f16.h"
#include "base/fmath_more.h"
#include "graph/op/recurrent.h"

#define N PCS_RECURRENT_BLOCK

static float apply(char f, float x, float a, float b)
{
    switch (f) {
    case 't': return pcs_m_tanhf(x);
    case 's': return 1.0f / (1.0f + pcs_m_expf(-x));
    case 'r': return x > 0 ? x : 0.0f;
    case 'a': return a * x + b;
    case 'l': return x < 0 ? a * x : x;
    case 'T': return x > a ? x : 0.0f;
    case 'S': return a * pcs_m_tanhf(b * x);
    case 'H': return a * x + b < 0 ? 0.0f : a * x + b > 1 ? 1.0f : a * x + b;
    case 'e': return x < 0 ? a * (float)pcs_m_expm1((double)x) : x;
    case 'g': return x / (1 + pcs_absf(x));
    default: return (float)(x > 0 ? x + pcs_m_log1p(pcs_exp(-x)) : pcs_m_log1p(pcs_exp(x)));
    }
}

/* Function i of the way to n numbers, in place. */
static void function(const pcs_recurrent_unit *u, uint32_t i, float *x, int n)
{
    const precis_attr *attr = u->r->c->attr;
    const uint32_t k = (uint32_t)u->way * pcs_recurrent_functions(attr) + i, all = u->r->functions;
    const float clip = (float)attr[PCS_R_CLIP].real;
    const char f = attr[PCS_R_ACT].text[k];
    if (clip > 0 && i < 2) /* of gates: onnxruntime does not clip the cell before it gives h */
        for (int l = 0; l < n; l++) x[l] = x[l] < -clip ? -clip : x[l] > clip ? clip : x[l];
    if (f == 's' || f == 't') {
        const pcs_function kernel = f == 's' ? PCS_OF_SIGMOID : PCS_OF_TANH;
        u->r->c->kernels->elements(&(pcs_elements_args){ .f = kernel, .x = x, .y = x, .dx = 1, .to = x, .n = (size_t)n });
        return;
    }
    const int64_t *bits = attr[PCS_R_COEFFICIENTS].list;
    const float a = pcs_bits_f32((uint32_t)bits[k]), b = pcs_bits_f32((uint32_t)bits[all + k]);
    for (int l = 0; l < n; l++) x[l] = apply(f, x[l], a, b);
}

/* Of n gates from `gate` on. */
static void add_bias(const pcs_recurrent_unit *u, uint32_t gate, uint32_t n)
{
    float *restrict g = u->gate + gate * N;
    const float *x = u->bias_x + gate * N, *h = u->bias_h + gate * N;
    for (uint32_t i = 0; i < n * N; i++) g[i] += x[i] + h[i];
}

/* gate += its peephole times the cell; peepholes are of input, output and forget. */
static void peep(const pcs_recurrent_unit *u, uint32_t gate)
{
    const size_t hidden = u->r->p.hidden, left = hidden - u->first < N ? hidden - u->first : N;
    const float *p = (const float *)u->r->peepholes->data + (u->way * 3 + gate) * hidden + u->first;
    float *g = u->gate + gate * N;
    for (size_t l = 0; l < left && u->r->peeps; l++) g[l] += p[l] * u->cell[l];
}

static void lstm(const pcs_recurrent_unit *u)
{
    enum { IN, OUT, FORGET, CELL };
    float *const g = u->gate, *const in = g + IN * N, *const out = g + OUT * N, *const forget = g + FORGET * N,
          *const cell = g + CELL * N, *const c = u->cell;
    const bool coupled = u->r->c->attr[PCS_R_COUPLED].integer != 0, together = !coupled && !u->r->peeps;
    add_bias(u, 0, 4);
    if (together) function(u, 0, in, 3 * N); /* input, output and forget lie side by side */
    else {
        peep(u, IN);
        function(u, 0, in, N);
    }
    if (coupled) PCS_LANES(l, N) forget[l] = 1 - in[l];
    else if (!together) {
        peep(u, FORGET);
        function(u, 0, forget, N);
    }
    function(u, 1, cell, N);
    PCS_LANES(l, N) c[l] = forget[l] * c[l] + in[l] * cell[l];
    if (!together) {
        peep(u, OUT);
        function(u, 0, out, N);
    }
    PCS_LANES(l, N) u->next[l] = c[l];
    function(u, 2, u->next, N);
    PCS_LANES(l, N) u->next[l] = out[l] * u->next[l];
}

void pcs_recurrent_reset(const pcs_recurrent_unit *u)
{
    add_bias(u, 0, 2);
    function(u, 0, u->gate, 2 * N);
    PCS_LANES(l, N) u->reset[l] = u->gate[N + l] * u->h[l];
}

static void gru(const pcs_recurrent_unit *u)
{
    const float *const update = u->gate, *const reset = u->gate + N, *const h = u->h;
    float *const g = u->gate + 2 * N;
    if (u->back) { /* linear before reset: what h gives is known, and reset scales it with its bias */
        const float *const b = u->bias_h + 2 * N, *const x = u->bias_x + 2 * N;
        PCS_LANES(l, N) g[l] = (g[l] + x[l]) + reset[l] * (u->back[l] + b[l]);
    } else add_bias(u, 2, 1);
    function(u, 1, g, N);
    PCS_LANES(l, N) u->next[l] = (1 - update[l]) * g[l] + update[l] * h[l];
}

void pcs_recurrent_cell(const pcs_recurrent_unit *u)
{
    if (u->r->p.gates == 4) lstm(u);
    else if (u->r->p.gates == 3) gru(u);
    else {
        add_bias(u, 0, 1);
        PCS_LANES(l, N) u->next[l] = u->gate[l];
        function(u, 0, u->next, N);
    }
}
