/* mv.h - a few tokens by panels, around an instruction set's dots(): sums of a group's products of the rows in a register with each token.
 *
 * A line of codes is unpacked into a register and multiplies all tokens; sums, integer and float, stay in registers, so that eight tokens read the weights once
 * (kernels.md, 2: eight tokens cost hardly more than one where memory is the limit). */
#ifndef PCS_MV_H
#define PCS_MV_H

#include "kernel/simd/decode.h"

/* Codes of one format. */
typedef struct {
    line_fn *line;
    scales_fn *scales;
    int offset, block, slots;
    bool has_min;
    int pairs, bits, plane;
} decoder;

/* dots(d, p, g, l0, l1, h, q, start, tokens, dot): dot[t] = start[t] + the sum over lines [l0, l1) of group g. q: of the group, [line][token][4]. */
PCS_INLINE void dots(const decoder *d, const planes *p, int g, int l0, int l1, int h, const int8_t *q, const int32_t *start, int tokens, vec *dot);

/* Tokens' int8 numbers, side by side so that one pointer finds those of all: q is [k / 4][token][4], d [group][token], s and start [scale of a weight][token]. start: minus the offset
 * times the sum of q, where codes multiply with theirs. */
typedef struct { const int8_t *q; const float *d, *s; const int32_t *start; } mv_tile;

/* The sums of a group, or of half of one that has two scales, to those of the row. */
PCS_INLINE void mv_add(const decoder *dec, int g, int slot, int h, const mv_tile *x, int tokens, const vec *dot, const float *d, const float *m, vecf *acc)
{
    const vecf dw = v_loadf(d + 16 * (dec->slots * g + slot) + h / 4);
    for (int t = 0; t < tokens; t++) acc[t] = v_fma(v_mulf(dw, v_setf(x->d[g * tokens + t])), v_float(dot[t]), acc[t]);
    if (!dec->has_min) return;
    const vecf mw = v_loadf(m + 16 * (dec->slots * g + slot) + h / 4);
    for (int t = 0; t < tokens; t++) acc[t] = v_fnma(mw, v_setf(x->s[(dec->slots * g + slot) * tokens + t]), acc[t]);
}

PCS_INLINE void mv_group(const decoder *dec, const planes *p, int g, int h, const mv_tile *x, int tokens, const float *d, const float *m, vecf *acc)
{
    static const int32_t none[8];
    const int8_t *q = x->q + 32 * g * tokens;
    for (int slot = 0; slot < dec->slots; slot++) {
        vec dot[8];
        const int32_t *start = dec->offset ? x->start + (dec->slots * g + slot) * tokens : none;
        if (dec->slots == 1) dots(dec, p, g, 0, 8, h, q, start, tokens, dot);
        else dots(dec, p, g, 4 * slot, 4 * slot + 4, h, q, start, tokens, dot);
        mv_add(dec, g, slot, h, x, tokens, dot, d, m, acc);
    }
}

#ifdef MV_DIGITS
/* The sum and the products of four codes, of at most 128 where there is no MV_BYTES, with four activations in each lane. */
PCS_INLINE vec four(vec sum, vec codes, const int8_t *x);
#endif

#ifdef MV_BYTES
/* Groups from g on whose codes are fields of the same bytes, with a line read once for all: a field multiplies where it lies in its byte, and sums are shifted instead. The sums are those of mv_group. */
PCS_INLINE void mv_fields(const decoder *dec, const planes *p, int g, int h, const mv_tile *x, int tokens, const float *d, const float *m, vecf *acc)
{
    const int bits = dec->bits, fields = 8 / bits, groups = dec->block == 32 ? 1 : fields, lines = groups * bits;
    const uint8_t *line = p->at[dec->plane] + 512 / fields * g + h;
    vec sum[MV_SUMS], odd[MV_SUMS]; /* [field][token]; odd: one token's sums of every other line, so that it waits half as long for its sums */
    for (int j = 0; j < fields; j++)
        for (int t = 0; t < tokens; t++) sum[j * tokens + t] = v_set32(!j && dec->offset ? x->start[g * tokens + t] : 0), odd[j * tokens + t] = v_set32(0);
#pragma GCC unroll 8
    for (int i = 0; i < lines; i++) {
        const vec bytes = v_load(line + 64 * i);
#pragma GCC unroll 4
        for (int j = 0; j < fields; j++) {
            const vec codes = v_and(bytes, v_set8(((1 << bits) - 1) << bits * j));
            vec *to = tokens == 1 && i % 2 ? odd : sum;
            for (int t = 0; t < tokens; t++) to[j * tokens + t] = four(to[j * tokens + t], codes, x->q + 32 * g * tokens + 4 * ((j * lines + i) * tokens + t));
        }
    }
    for (int j = 0; j < fields && tokens == 1; j++) sum[j] = v_add32(sum[j], odd[j]);
    for (int j = 0; j < groups; j++) {
        vec dot[8];
        for (int t = 0; t < tokens; t++) {
            dot[t] = v_shr32(sum[j * tokens + t], bits * j);
            if (groups == 1) dot[t] = v_add32(dot[t], v_shr32(sum[tokens + t], bits));
            if (j && dec->offset) dot[t] = v_add32(dot[t], v_set32(x->start[(g + j) * tokens + t]));
        }
        mv_add(dec, g + j, 0, h, x, tokens, dot, d, m, acc);
    }
}
#endif

#ifdef MV_DIGITS
/* Sums over digits of bytes that are fractions to base 3. The next byte is 3 b mod 256 and the digit what is above: 256 times the digit is 3 b less the next byte, and so are sums of products, where any byte
 * may be multiplied; else 64 times the digit is the upper two bits of 3 b / 4 = b - b / 4 rounded up. */
#ifdef MV_BYTES
typedef struct { vec b, next; } digits;
PCS_INLINE digits digits_of(int32_t start) { return (digits){ v_set32(0), v_set32(-256 * start) }; }
PCS_INLINE void digits_add(digits *s, vec b, vec next, const int8_t *x) { s->b = four(s->b, b, x), s->next = four(s->next, next, x); }
PCS_INLINE vec digits_dot(const digits *s) { return v_shr32(v_sub32(v_add32(s->b, v_add32(s->b, s->b)), s->next), 8); }
#else
typedef vec digits;
PCS_INLINE digits digits_of(int32_t start) { return v_set32(64 * start); }
PCS_INLINE void digits_add(digits *s, vec b, vec next, const int8_t *x) { (void)next, *s = four(*s, v_and(v_sub8(b, v_mean8(v_mean8(b, v_set8(0)), v_set8(0))), v_set8(0xc0)), x); }
PCS_INLINE vec digits_dot(const digits *s) { return v_shr32(*s, 6); }
#endif

/* A chunk of TQ1_0 with one token: digit after digit of a line, instead of each from the start. The sums are those of mv_group. */
PCS_INLINE void mv_digits(const planes *p, int h, const mv_tile *x, const float *d, vecf *acc)
{
    digits sum[8];
    for (int g = 0; g < 8; g++) sum[g] = digits_of(x->start[g]);
#pragma GCC unroll 13 /* sums stay in registers, then */
    for (int l = 0; l < 13; l++) { /* eight lines of digits 32 weights apart, four of digits 16 apart, one of digits 4 apart */
        vec b = v_load(l < 12 ? p->at[1] + 64 * (size_t)l + h : p->at[2] + h);
#pragma GCC unroll 5
        for (int n = 0; n < 5; n++) {
            if (l == 12 && n == 4) break;
            const int at = l < 8 ? 32 * n + 4 * l : l < 12 ? 160 + 16 * n + 4 * (l - 8) : 240 + 4 * n;
            const vec next = v_add8(b, v_add8(b, b));
            digits_add(&sum[at / 32], b, next, x->q + at);
            b = next;
        }
    }
    for (int g = 0; g < 8; g++) *acc = v_fma(v_mulf(v_loadf(d + 16 * g + h / 4), v_setf(x->d[g])), v_float(digits_dot(&sum[g])), *acc);
}
#endif

#ifndef MV_BYTES
#define MV_SUMS 0 /* registers of sums in mv_fields */
#define mv_fields mv_group
#endif

#define MV_STEP \
    { \
        ahead = pcs_ask(ahead, until += (size_t)step * bytes, more); \
        for (int half = 0; half < 16 / V_ROWS; half++) (plain ? mv_fields : mv_group)(dec, &p, g, half * VEC, &x, tokens, d, m, acc + half * tokens); \
    }
#define MV_NEXT(groups) x = (mv_tile){ x.q + 32 * (groups) * tokens, x.d + (groups) * tokens, x.s + (groups) * dec->slots * tokens, x.start + (groups) * dec->slots * tokens };

/* Tokens m0 .. m0 + tokens - 1 by one panel. */
PCS_INLINE void mv_tokens(const pcs_mp_args *a, const decoder *dec, const pcs_panel_layout *o, mv_tile x, const uint8_t *panel, size_t panel_bytes, size_t n, size_t m0, int tokens)
{
    const size_t groups = a->k / 32, rows = a->n1 - n < PCS_PANEL ? a->n1 - n : PCS_PANEL;
    const pcs_ahead far = m0 ? (pcs_ahead){ 0, 0 } : pcs_cpu_ahead((size_t)tokens * a->k < 8192 ? 1 : 2); /* activations that leave the L1 cache are a stream, too */
    const size_t more = far.l2 - (far.l2 ? far.l1 : 0), bytes = far.l1 ? (panel_bytes + groups - 1) / groups : 0; /* of a group */
    const bool plain = dec->bits && 8 / dec->bits * tokens <= MV_SUMS;
    const int step = plain && dec->block == 256 ? 8 / dec->bits : 1;
    vecf acc[8 * 16 / V_ROWS];
    for (int i = 0; i < tokens * (16 / V_ROWS); i++) acc[i] = v_zero();
    const char *ahead = (const char *)panel + far.l1, *until = ahead; /* into the next panel, and into the next tensor's */
    if (dec->block == 32) {
        for (size_t b = 0; b < groups; b += 2) { /* bytes of scales and codes are needed in their order */
            _Alignas(64) float d[2 * 16], m[2 * 16];
            const planes p = planes_of(o, panel, b);
            dec->scales(&p, 2, d, m); /* zero where there is no second block */
            int g = 0;
            MV_STEP
            if (b + 1 == groups) break;
            g = 1;
            MV_STEP
            MV_NEXT(2)
        }
    } else {
        for (size_t c = 0; 8 * c < groups; c++) {
            _Alignas(64) float d[16 * 16], m[16 * 16];
            const planes p = planes_of(o, panel, c);
            dec->scales(&p, 8, d, m);
#ifdef MV_DIGITS
            if (tokens == 1 && dec->line == line_tq1_0) {
                ahead = pcs_ask(ahead, until += 8 * bytes, more);
                for (int half = 0; half < 16 / V_ROWS; half++) mv_digits(&p, half * VEC, &x, d, acc + half);
            } else
#endif
#pragma GCC unroll 8 /* shifts are known, then */
                for (int g = 0; g < 8; g += step) MV_STEP
            MV_NEXT(8)
        }
    }
    for (int t = 0; t < tokens; t++) {
        _Alignas(64) float y[16];
        for (int half = 0; half < 16 / V_ROWS; half++) v_storef(y + half * V_ROWS, acc[half * tokens + t]);
        for (size_t i = 0; i < rows; i++) a->y[(m0 + (size_t)t) * a->ldy + n + i] = y[i] + (a->bias ? a->bias[n + i] : 0.0f);
    }
}

/* Tokens of a pass: eight, four, two or one, as many as there are. */
PCS_INLINE size_t mv_pass(size_t rest) { return rest >= 8 && MV_MOST >= 8 ? 8 : rest >= 4 ? 4 : rest >= 2 ? 2 : 1; }

/* What is alike for all rows, tile after tile; behind the panel in scratch. */
PCS_INLINE void mv_prepare(const pcs_mp_args *a, const decoder *dec, mv_tile *x)
{
#ifdef MV_BYTES
    const int offset = dec->offset;
#else
    const int offset = dec->pairs ? dec->offset : 0; /* else codes are signed */
#endif
    const size_t chunks = pcs_chunks(a->k), groups = chunks * 8, slots = groups * (size_t)dec->slots, halves = 2 / (size_t)dec->slots;
    int32_t *start = (int32_t *)(void *)((uint8_t *)a->scratch + 16 * chunks * (PCS_CHUNK + 32));
    float *s = (float *)(void *)(start + PCS_FEW * slots), *d = s + PCS_FEW * slots;
    int8_t *q = (int8_t *)(void *)(d + PCS_FEW * groups);
    for (size_t m = 0, t = mv_pass(a->m); m < a->m; m += t, x++, start += t * slots, s += t * slots, d += t * groups, q += t * groups * 32) {
        t = mv_pass(a->m - m);
        *x = (mv_tile){ t > 1 ? q : a->act.q + m * chunks * PCS_CHUNK, t > 1 ? d : a->act.d + m * groups, s, start };
        for (size_t j = 0; j < t; j++) {
            const int8_t *from = a->act.q + (m + j) * chunks * PCS_CHUNK;
            const int32_t *z = a->act.z + (m + j) * chunks * 16;
            const float *sums = a->act.s + (m + j) * chunks * 16;
            for (size_t i = 0; i < groups * 8 && t > 1; i++) memcpy(q + 4 * (i * t + j), from + 4 * i, 4);
            for (size_t i = 0; i < groups && t > 1; i++) d[i * t + j] = a->act.d[(m + j) * groups + i];
            for (size_t i = 0; i < slots && offset; i++) start[i * t + j] = -offset * (halves == 2 ? z[2 * i] + z[2 * i + 1] : z[i]);
            for (size_t i = 0; i < slots && dec->has_min; i++) s[i * t + j] = halves == 2 ? sums[2 * i] + sums[2 * i + 1] : sums[i];
        }
    }
}

PCS_INLINE void mv_all(const pcs_mp_args *a, const decoder *dec)
{
    mv_tile tiles[PCS_FEW];
    mv_prepare(a, dec, tiles);
    const size_t bytes = pcs_panel_bytes(a->f, a->k);
    const pcs_panel_layout o = pcs_panel_layout_of(a->f);
    for (size_t n = a->n0; n < a->n1; n += PCS_PANEL) {
        const uint8_t *panel = a->w + n / PCS_PANEL * bytes;
        if (!a->packed) {
            const size_t rows = a->n1 - n < PCS_PANEL ? a->n1 - n : PCS_PANEL;
            PACK_PANEL(&(pcs_pack_args){ a->f, a->w + n * a->row_bytes, a->row_bytes, a->k, rows, a->scratch });
            panel = a->scratch;
        }
        const mv_tile *x = tiles;
        for (size_t m = 0, t; m < a->m; m += t, x++) {
            t = mv_pass(a->m - m);
            if (t == 8 && MV_MOST >= 8) mv_tokens(a, dec, &o, *x, panel, bytes, n, m, MV_MOST);
            else if (t == 4) mv_tokens(a, dec, &o, *x, panel, bytes, n, m, 4);
            else if (t == 2) mv_tokens(a, dec, &o, *x, panel, bytes, n, m, 2);
            else mv_tokens(a, dec, &o, *x, panel, bytes, n, m, 1);
        }
    }
}

#define MV(name, isa, block_, slots_, min_, pairs_, bits_, plane_) \
    void pcs_mv_##name##_##isa(const void *args); \
    void pcs_mv_##name##_##isa(const void *args) \
    { \
        static const decoder d = { line_##name, scales_##name, OFFSET_##name, block_, slots_, min_, pairs_, bits_, plane_ }; \
        mv_all(args, &d); \
    }

#endif
