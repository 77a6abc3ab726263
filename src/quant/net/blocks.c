/* blocks.c - weights of a net in 4 bits with a scale for each block of inputs, and in 8-bit floats with one of each
 * channel: stored so, and multiplied as floats. */
#include "quant/net/method.h"

#include <float.h>
#include <stdio.h>

#define FP8_MOST 448.0f /* of E4M3FN */

/* A matrix whose blocks lie along one dimension: numbers `stride` apart, `lines` of them side by side. */
typedef struct {
    const float *w;
    int64_t n, stride, block, blocks, lines;
} matrix;

static matrix lay_out(const pcs_value *v, uint32_t axis, int64_t block)
{
    const int64_t n = v->shape[axis];
    return (matrix){ pcs_value_host(v), n, axis ? 1 : v->shape[1], block, (n + block - 1) / block, v->shape[!axis] };
}

static const float *line(const matrix *m, int64_t i) { return m->w + (m->stride == 1 ? i * m->n : i); }

static double lost(const precis_net_quant *q, const matrix *m, const float *x, int64_t n, float scale)
{
    const pcs_qparams p = { .scale = scale };
    double sum = 0;
    for (int64_t k = 0; k < n; k++) {
        const float v = x[k * m->stride];
        const double d = (double)v - (double)pcs_qparams_real(&p, pcs_qparams_code(&q->weights, &p, v));
        sum += d * d;
    }
    return sum;
}

/* Of 60 scales from the range's down, the one that loses least. */
static float scale_of(const precis_net_quant *q, const matrix *m, const float *x, int64_t n)
{
    float most = 0, best = 1;
    for (int64_t k = 0; k < n; k++) {
        const float a = x[k * m->stride] < 0 ? -x[k * m->stride] : x[k * m->stride];
        most = a > most ? a : most;
    }
    if (!(most > FLT_MIN * 64)) return best;
    double least = DBL_MAX;
    for (int k = 100; k >= 41; k--) {
        const float s = most * (float)k / 100 / (float)q->weights.high;
        const double l = lost(q, m, x, n, s);
        if (l < least) least = l, best = s;
    }
    return best;
}

static bool finite(const pcs_value *v)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < v->dims; i++) n *= (uint64_t)v->shape[i];
    const float *x = pcs_value_f32(v, n);
    for (uint64_t i = 0; i < n; i++)
        if (!x || !(x[i] >= -FLT_MAX) || !(x[i] <= FLT_MAX)) return false;
    return true;
}

static precis_value decoded(precis_net_quant *q, const char *of, const precis_value *in, uint32_t axis, int64_t block)
{
    char name[160];
    snprintf(name, sizeof name, "%.100s_dequantized", of);
    const precis_attr attrs[] = { precis_attr_int("axis", axis), precis_attr_int("block", block), { 0 } };
    return precis_graph_node(q->g, name, "from_codes", attrs, 3, in);
}

static precis_value part(precis_net_quant *q, const char *of, const char *what, const pcs_value *like, const void *data)
{
    char name[160];
    snprintf(name, sizeof name, "%.100s_%s", of, what);
    return pcs_net_constant(q, name, like->dtype, like->dims, like->shape, data);
}

/* Codes of a whole line, where a method chooses them: scales of its blocks are there. */
static precis_status choose_lines(const precis_net_quant *q, size_t at, const matrix *m, int8_t *codes,
                                  const float *scales)
{
    double *room = pcs_alloc(q->ctx, 2 * (size_t)m->n + 1, sizeof *room);
    float *w = pcs_alloc(q->ctx, 2 * (size_t)m->n + 1, sizeof *w), *scale = w ? w + m->n : NULL;
    int32_t *own = pcs_alloc(q->ctx, (size_t)m->n + 1, sizeof *own);
    for (int64_t l = 0; room && w && own && l < m->lines; l++) {
        const int64_t first = line(m, l) - m->w;
        for (int64_t k = 0; k < m->n; k++) {
            const int64_t b = k / m->block;
            w[k] = m->w[first + k * m->stride];
            scale[k] = scales[m->stride == 1 ? l * m->blocks + b : b * m->lines + l];
            own[k] = codes[first + k * m->stride];
        }
        pcs_net_choose(q, at, &(pcs_net_row){ w, scale, m->n, l, own }, room);
        for (int64_t k = 0; k < m->n; k++) codes[first + k * m->stride] = (int8_t)own[k];
    }
    const bool ok = room && w && own;
    pcs_free(q->ctx, room);
    pcs_free(q->ctx, w);
    pcs_free(q->ctx, own);
    return ok ? PRECIS_OK : PRECIS_ENOMEM;
}

static void fill(const precis_net_quant *q, const matrix *m, int8_t *codes, float *scales)
{
    for (int64_t l = 0; l < m->lines; l++)
        for (int64_t b = 0; b < m->blocks; b++) {
            const int64_t from = b * m->block, n = m->n - from < m->block ? m->n - from : m->block;
            const float *x = line(m, l) + from * m->stride;
            const pcs_qparams p = { .scale = scale_of(q, m, x, n) };
            scales[m->stride == 1 ? l * m->blocks + b : b * m->lines + l] = p.scale;
            for (int64_t k = 0; k < n; k++)
                codes[(x - m->w) + k * m->stride] = (int8_t)pcs_qparams_code(&q->weights, &p, x[k * m->stride]);
        }
}

/* Blocks along the inputs of a matrix. One that is longer than the matrix is as long: OpenVINO takes whole blocks. */
precis_value pcs_net_blocks(precis_net_quant *q, size_t at, const pcs_value *w, uint32_t axis, int64_t block)
{
    if (block > w->shape[axis] && w->shape[axis] > 0) block = w->shape[axis];
    const matrix m = lay_out(w, axis, block);
    pcs_value codes = *w, scales = *w;
    codes.dtype = q->weight_type;
    scales.shape[axis] = m.blocks;
    int8_t *c = pcs_alloc(q->ctx, (size_t)(m.n * m.lines) + 1, 1),
           *z = pcs_alloc(q->ctx, (size_t)(m.blocks * m.lines) + 1, 1);
    float *s = pcs_alloc(q->ctx, (size_t)(m.blocks * m.lines) + 1, sizeof *s);
    precis_value v = -1;
    if (!finite(w)) pcs_graph_fail(q->g, PRECIS_EFORMAT, "weights %s hold what is no finite number", w->name);
    else if (c && z && s) {
        fill(q, &m, c, s);
        if (pcs_net_chooses(q, at) && choose_lines(q, at, &m, c, s))
            pcs_graph_fail(q->g, PRECIS_ENOMEM, "%s", precis_ctx_message(q->ctx));
        pcs_value zeros = scales;
        zeros.dtype = q->weight_type;
        const precis_value in[] = { part(q, w->name, "quantized", &codes, c), part(q, w->name, "scale", &scales, s),
                                    part(q, w->name, "zero_point", &zeros, z) };
        v = decoded(q, w->name, in, axis, block);
    } else pcs_graph_fail(q->g, PRECIS_ENOMEM, "%s", precis_ctx_message(q->ctx));
    pcs_free(q->ctx, c);
    pcs_free(q->ctx, z);
    pcs_free(q->ctx, s);
    return v;
}

/* 8-bit floats, the largest of each channel at the largest that they hold. */
precis_value pcs_net_small_floats(precis_net_quant *q, const pcs_value *w, uint32_t axis)
{
    int64_t outer = 1, inner = 1, n = w->shape[axis];
    for (uint32_t i = 0; i < axis; i++) outer *= w->shape[i];
    for (uint32_t i = axis + 1; i < w->dims; i++) inner *= w->shape[i];
    const float *from = pcs_value_f32(w, (uint64_t)(outer * n * inner));
    if (!from) return pcs_graph_fail(q->g, PRECIS_EINVAL, "weights %s have fewer numbers than their shape", w->name);
    uint8_t *c = pcs_alloc(q->ctx, (size_t)(outer * n * inner) + 1, 1), *z = pcs_alloc(q->ctx, (size_t)n + 1, 1);
    float *s = pcs_alloc(q->ctx, (size_t)n + 1, sizeof *s);
    pcs_value codes = *w, scales = { .dtype = PCS_F32, .dims = w->dims }, zeros;
    precis_value v = -1;
    codes.dtype = q->weight_type;
    for (uint32_t i = 0; i < w->dims; i++) scales.shape[i] = i == axis ? n : 1;
    zeros = scales;
    zeros.dtype = q->weight_type;
    const pcs_arg to = { .dtype = q->weight_type, .data = c };
    for (int64_t k = 0; c && z && s && k < n; k++) {
        float most = 0;
        for (int64_t i = 0; i < outer * inner; i++) {
            const float x = from[(i / inner * n + k) * inner + i % inner], a = x < 0 ? -x : x;
            most = a > most ? a : most;
        }
        s[k] = most > FLT_MIN * 512 ? most / FP8_MOST : 1;
        for (int64_t i = 0; i < outer * inner; i++) {
            const size_t at = (size_t)((i / inner * n + k) * inner + i % inner);
            pcs_set_real(&to, at, (double)(from[at] / s[k]));
        }
    }
    if (!finite(w)) pcs_graph_fail(q->g, PRECIS_EFORMAT, "weights %s hold what is no finite number", w->name);
    else if (c && z && s) {
        const precis_value in[] = { part(q, w->name, "quantized", &codes, c), part(q, w->name, "scale", &scales, s),
                                    part(q, w->name, "zero_point", &zeros, z) };
        v = decoded(q, w->name, in, axis, 0);
    } else pcs_graph_fail(q->g, PRECIS_ENOMEM, "%s", precis_ctx_message(q->ctx));
    pcs_free(q->ctx, c);
    pcs_free(q->ctx, z);
    pcs_free(q->ctx, s);
    return v;
}
