/* intview.c - tensors as integer codes with scales: what other containers hold. */
#include "write/convert.h"

#include "base/f16.h"

void pcs_intview_close(precis_ctx *ctx, pcs_intview *v)
{
    pcs_free(ctx, v->q);
    pcs_free(ctx, v->d);
    pcs_free(ctx, v->m);
    *v = (pcs_intview){ 0 };
}

static void unpack(const pcs_intview *v, uint64_t r)
{
    const uint8_t *row = v->t->data + r * pcs_tensor_row_bytes(v->t);
    pcs_unpack(v->t->format, (size_t)v->cols, row, v->q, v->d, v->m);
}

/* The whole zero point that m / d is, or -1. */
static int zero_of(float d, float m, int lo, int levels)
{
    if (d == 0) return m == 0 ? 0 : -1;
    const float z = m / d;
    if (!(z > -1e4f && z < 1e4f)) return -1;
    const int whole = pcs_round(z);
    return d * (float)whole == m && whole - lo >= 0 && whole - lo < levels ? whole - lo : -1;
}

precis_status pcs_intview_open(precis_ctx *ctx, const pcs_tensor *t, pcs_intview *v, bool *is)
{
    const pcs_format *f = t->format;
    *is = false;
    *v = (pcs_intview){ .t = t };
    if (f->kind != PCS_QUANT || t->dims < 2 || !t->n) return PRECIS_OK;
    v->cols = t->ne[0];
    v->rows = t->ne[1];
    const size_t room = (size_t)v->cols + 2 * PCS_ROW_PAD;
    v->q = pcs_alloc(ctx, room, 1);
    v->d = pcs_alloc(ctx, room / 16 + 32, sizeof *v->d);
    v->m = pcs_alloc(ctx, room / 16 + 32, sizeof *v->m);
    if (!v->q || !v->d || !v->m) {
        pcs_intview_close(ctx, v);
        return PRECIS_ENOMEM;
    }
    v->affine = f->has_min;
    const int lo = f->code_lo, hi = f->code_hi;
    for (v->bits = 2; v->bits < 8; v->bits++)
        if (v->affine ? hi - lo < 1 << v->bits : lo >= -(1 << (v->bits - 1)) && hi < 1 << (v->bits - 1)) break;
    v->channel = f->head && f->scale != PCS_SCALE_ROW;
    v->group = v->channel ? v->cols : f->group;
    v->groups = (v->cols + v->group - 1) / v->group;
    v->half = true;
    bool ok = v->cols % v->group == 0 && v->cols % 16 == 0;
    for (uint64_t r = 0; r < pcs_tensor_rows(t) && ok; r++) {
        unpack(v, r);
        for (int64_t s = 0; s < v->cols / 16 && ok; s++) {
            const float d = v->d[s];
            v->half &= pcs_f16_to_f32(pcs_f32_to_f16(d)) == d;
            if (v->affine) ok = zero_of(d, v->m[s], lo, 1 << v->bits) >= 0;
        }
    }
    if (ok) *is = true;
    else pcs_intview_close(ctx, v);
    return PRECIS_OK;
}

void pcs_intview_row(const pcs_intview *v, uint64_t r, uint8_t *codes, float *scales, uint8_t *zeros)
{
    const int lo = v->t->format->code_lo, shift = v->affine ? -lo : 1 << (v->bits - 1);
    unpack(v, r);
    for (int64_t g = 0; g < v->groups; g++) {
        const int64_t s = g * v->group / 16;
        scales[g] = v->d[s];
        zeros[g] = (uint8_t)(v->affine ? zero_of(v->d[s], v->m[s], lo, 1 << v->bits) : 1 << (v->bits - 1));
    }
    for (int64_t c = 0; c < v->cols; c++) codes[c] = (uint8_t)(v->q[c] + shift);
}
