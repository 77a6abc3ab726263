/* mv.h - a few tokens by panels, around an instruction set's dots(): sums of a group's products of the rows in a
 * register with each token.
 *
 * A line of codes is unpacked into a register and multiplies all tokens; sums, integer and float, stay in registers,
 * so that eight tokens read the weights once (kernels.md, 2: eight tokens cost hardly more than one where memory is
 * the limit). */
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
    lines_fn *lines; /* in place of line, or NULL */
    bool unrolled;   /* a block's groups, so that shifts and digits are known */
    int order; /* of a line's weights among 4 `order`: line l of them has l, l + order, ...; or 0: four in a row */
    void (*book)(uint8_t *tables); /* what lines look up, from the format's book; or NULL */
} decoder;

/* Tokens' int8 numbers, side by side so that one pointer finds those of all: q is [k / 4][token][4], d
 * [group][token], s and start [scale of a weight][token]. start: minus the offset times the sum of q, where codes
 * multiply with theirs. */
typedef struct { const int8_t *q; const float *d, *s; const int32_t *start; const uint8_t *book; } mv_tile;

/* Group g of a panel, of rows from h on (bytes into its lines), the scales d and minima m of its block's groups, and
 * what multiplies it. */
typedef struct {
    const decoder *dec;
    const planes *p;
    const mv_tile *x;
    const float *d, *m;
    int g, h, tokens;
} mv_group_at;

/* dot[t] = start[t] + the sum over lines [l0, l1) of the group. */
PCS_INLINE void dots(const mv_group_at *at, int l0, int l1, const vec *lines, const int32_t *start, vec *dot);
PCS_INLINE vec line_of(const mv_group_at *at, int l, const vec *lines)
{
    return at->dec->lines ? lines[l] : at->dec->line(at->p, at->g, l, at->h);
}

/* The sums of a group, or of half of one that has two scales, to those of the row. */
PCS_INLINE void mv_add(const mv_group_at *at, int slot, const vec *dot, vecf *acc)
{
    const mv_tile *x = at->x;
    const int tokens = at->tokens, scale = at->dec->slots * at->g + slot;
    const vecf dw = v_loadf(at->d + 16 * scale + at->h / 4);
    for (int t = 0; t < tokens; t++)
        acc[t] = v_fma(v_mulf(dw, v_setf(x->d[at->g * tokens + t])), v_float(dot[t]), acc[t]);
    if (!at->dec->has_min) return;
    const vecf mw = v_loadf(at->m + 16 * scale + at->h / 4);
    for (int t = 0; t < tokens; t++) acc[t] = v_fnma(mw, v_setf(x->s[scale * tokens + t]), acc[t]);
}

PCS_INLINE void mv_group(const mv_group_at *at, vecf *acc)
{
    static const int32_t none[8];
    const decoder *dec = at->dec;
    vec lines[8], *const eight = dec->lines ? lines : NULL;
    if (eight) dec->lines(at->p, at->g, at->h, eight);
    for (int slot = 0; slot < dec->slots; slot++) {
        vec dot[8];
        const int32_t *start = dec->offset ? at->x->start + (dec->slots * at->g + slot) * at->tokens : none;
        if (dec->slots == 1) dots(at, 0, 8, eight, start, dot);
        else dots(at, 4 * slot, 4 * slot + 4, eight, start, dot);
        mv_add(at, slot, dot, acc);
    }
}

#ifdef MV_BYTES
/* The sum and the products of four codes with four activations in each lane. */
PCS_INLINE vec four(vec sum, vec codes, const int8_t *x);

/* Groups from g on whose codes are fields of the same bytes, with a line read once for all: a field multiplies where
 * it lies in its byte, and sums are shifted instead. The sums are those of mv_group. */
PCS_INLINE const char *mv_fields(const mv_group_at *at, vecf *acc, const char *ahead, size_t bytes, size_t more)
{
    const decoder *dec = at->dec;
    const mv_tile *x = at->x;
    const int g = at->g, tokens = at->tokens;
    const int bits = dec->bits, fields = 8 / bits, groups = dec->block == 32 ? 1 : fields, lines = groups * bits;
    const uint8_t *line = at->p->at[dec->plane] + 512 / fields * g + at->h;
    const bool many = groups > 2;
    const char *const until = ahead + bytes;
    /* [field][token]; odd: one token's sums of every other line, so that it waits half as long for its sums */
    vec sum[MV_SUMS], odd[MV_SUMS];
    for (int j = 0; j < fields; j++)
        for (int t = 0; t < tokens; t++) {
            sum[j * tokens + t] = v_set32(!j && dec->offset ? x->start[g * tokens + t] : 0);
            odd[j * tokens + t] = v_set32(0);
        }
#pragma GCC unroll 8
    for (int i = 0; i < lines; i++) {
        if (many) ahead = pcs_ask_line(ahead, until, more);
        const vec all = v_load(line + 64 * i);
#pragma GCC unroll 4
        for (int j = 0; j < fields; j++) {
            const vec codes = v_and(all, v_set8(((1 << bits) - 1) << bits * j));
            vec *to = tokens == 1 && i % 2 ? odd : sum;
            for (int t = 0; t < tokens; t++)
                to[j * tokens + t] = four(to[j * tokens + t], codes,
                                          x->q + 32 * g * tokens + 4 * ((j * lines + i) * tokens + t));
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
        mv_group_at one = *at;
        one.g += j;
        mv_add(&one, 0, dot, acc);
    }
    return many ? pcs_ask(ahead, until, more) : ahead;
}
#endif

#ifdef MV_DIGITS
/* Sums of products of codes up to 2, as many as a group has, and those sums by lanes. */
PCS_INLINE vec add_digits(vec sum, vec codes, const int8_t *x);
PCS_INLINE vec sum_digits(vec sum);

/* A chunk of TQ1_0 with one token: a line's digits one after another, instead of each from its bytes. The sums are
 * those of mv_group. */
PCS_INLINE const char *mv_digits(const mv_group_at *at, vecf *acc, const char *ahead, size_t bytes, size_t more)
{
    const planes *p = at->p;
    const mv_tile *x = at->x;
    const int h = at->h;
    const char *const until = ahead + bytes;
    vec sum[8];
    for (int g = 0; g < 5; g++) sum[g] = v_set32(0);
#pragma GCC unroll 8
    for (int l = 0; l < 8; l++) { /* digits 32 weights apart */
        ahead = pcs_ask_line(ahead, until, more);
        const digits line = digits_of(v_load(p->at[1] + 64 * l + h));
        for (int n = 0; n < 5; n++) sum[n] = add_digits(sum[n], digit_of(&line, n), x->q + 32 * n + 4 * l);
    }
    for (int g = 5; g < 8; g++) sum[g] = v_set32(0);
#pragma GCC unroll 4
    for (int l = 0; l < 4; l++) { /* 16 apart */
        ahead = pcs_ask_line(ahead, until, more);
        const digits line = digits_of(v_load(p->at[1] + 512 + 64 * l + h));
        for (int n = 0; n < 5; n++)
            sum[5 + n / 2] = add_digits(sum[5 + n / 2], digit_of(&line, n), x->q + 160 + 16 * n + 4 * l);
    }
    ahead = pcs_ask_line(ahead, until, more);
    const digits line = digits_of(v_load(p->at[2] + h));
    for (int n = 0; n < 4; n++) sum[7] = add_digits(sum[7], digit_of(&line, n), x->q + 240 + 4 * n);
    for (int g = 0; g < 8; g++)
        *acc = v_fma(v_mulf(v_loadf(at->d + 16 * g + h / 4), v_setf(x->d[g])),
                     v_float(v_add32(sum_digits(sum[g]), v_set32(x->start[g]))), *acc);
    return pcs_ask(ahead, until, more);
}
#endif

#ifndef MV_BOOK_BYTES
#define MV_BOOK_BYTES 1 /* none */
#endif
#ifndef MV_BYTES
#define MV_SUMS 0 /* registers of sums in mv_fields */
#define mv_fields(...) ahead
#endif

/* Weights that come next are asked for, where a step has many lines as they are used: all of them at once fill the
 * queue of misses, and what is needed now waits behind them (TQ1_0 from memory: 12 and 13.4 GB/s). */
#define MV_STEP                                                                   \
    {                                                                             \
        if (!many) ahead = pcs_ask(ahead, until += (size_t)step * bytes, more);   \
        for (int half = 0; half < 16 / V_ROWS; half++) {                          \
            const mv_group_at at = { dec, &p, &x, d, m, g, half * VEC, tokens };  \
            const size_t asked = many && !half ? (size_t)step * bytes : 0;        \
            vecf *const to = acc + half * tokens;                                 \
            if (plain) ahead = mv_fields(&at, to, ahead, asked, more);            \
            else mv_group(&at, to);                                               \
            (void)asked;                                                          \
        }                                                                         \
    }
#define MV_NEXT(groups)                                                                    \
    x = (mv_tile){ x.q + 32 * (groups) * tokens, x.d + (groups) * tokens,                  \
                   x.s + (groups) * dec->slots * tokens,                                   \
                   x.start + (groups) * dec->slots * tokens, x.book };

/* A panel of rows from n on. */
typedef struct { const pcs_panel_layout *o; const uint8_t *at; size_t bytes, n; bool apart; } mv_panel;

/* Tokens m0 .. m0 + tokens - 1 by one panel. */
PCS_INLINE void mv_tokens(const pcs_mp_args *a, const decoder *dec, const mv_panel *panel, mv_tile x, size_t m0,
                          int tokens)
{
    const pcs_panel_layout *o = panel->o;
    const size_t n = panel->n;
    const size_t groups = a->k / 32, rows = a->n1 - n < PCS_PANEL ? a->n1 - n : PCS_PANEL;
    /* Activations that leave the L1 cache are a stream, too. */
    const int streams = (size_t)tokens * a->k < 8192 && !panel->apart ? 1 : 2;
    const pcs_ahead far = m0 ? (pcs_ahead){ 0, 0 } : pcs_cpu_ahead(streams);
    const size_t more = far.l2 - (far.l2 ? far.l1 : 0);
    const size_t bytes = far.l1 ? (panel->bytes + groups - 1) / groups : 0; /* of a group */
    const bool plain = dec->bits && 8 / dec->bits * tokens <= MV_SUMS;
    const int step = plain && dec->block == 256 ? 8 / dec->bits : 1;
    const bool many = step > 2; /* lines at a time */
    vecf acc[8 * 16 / V_ROWS];
    for (int i = 0; i < tokens * (16 / V_ROWS); i++) acc[i] = v_zero();
    const char *ahead = (const char *)panel->at + far.l1; /* into the next panel, and into the next tensor's */
    const char *until = ahead;
    if (dec->block == 32) {
        for (size_t b = 0; b < groups; b += 2) { /* bytes of scales and codes are needed in their order */
            _Alignas(64) float d[2 * 16], m[2 * 16];
            const planes p = planes_of(o, panel->at, b);
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
            planes p = planes_of(o, panel->at, c);
            p.book = x.book;
            dec->scales(&p, 8, d, m);
#ifdef MV_DIGITS
            if (tokens == 1 && dec->line == line_tq1_0) {
                for (int half = 0; half < 16 / V_ROWS; half++) {
                    const mv_group_at at = { dec, &p, &x, d, m, 0, half * VEC, 1 };
                    ahead = mv_digits(&at, acc + half, ahead, half ? 0 : 8 * bytes, more);
                }
            } else
#endif
            if (!dec->unrolled) {
#pragma GCC unroll 1
                for (int g = 0; g < 8; g++) MV_STEP
            } else
#pragma GCC unroll 8
                for (int g = 0; g < 8; g += step) MV_STEP
            MV_NEXT(8)
        }
    }
    for (int t = 0; t < tokens; t++) {
        _Alignas(64) float y[16];
        for (int half = 0; half < 16 / V_ROWS; half++) v_storef(y + half * V_ROWS, acc[half * tokens + t]);
        for (size_t i = 0; i < rows; i++)
            a->y[(m0 + (size_t)t) * a->ldy + n + i] = y[i] + (a->bias ? a->bias[n + i] : 0.0f);
    }
}

/* Tokens of a pass: eight, four, two or one, as many as there are. */
PCS_INLINE size_t mv_pass(size_t rest) { return rest >= 8 && MV_MOST >= 8 ? 8 : rest >= 4 ? 4 : rest >= 2 ? 2 : 1; }

/* `lines` times four activations as the decoder has weights, `tokens` times four apart. */
PCS_INLINE void mv_ordered(const int8_t *from, size_t lines, size_t order, size_t tokens, int8_t *to)
{
    for (size_t l = 0; l < lines; l += order, from += 4 * order)
        for (size_t i = 0; i < order; i++)
            for (size_t k = 0; k < 4; k++) to[4 * (l + i) * tokens + k] = from[k * order + i];
}

/* What is alike for all rows, tile after tile; after the panel in scratch. */
PCS_INLINE void mv_prepare(const pcs_mp_args *a, const decoder *dec, const uint8_t *book, mv_tile *x)
{
#ifdef MV_BYTES
    const int offset = dec->offset;
#else
    const int offset = dec->pairs ? dec->offset : 0; /* else codes are signed */
#endif
    const size_t chunks = pcs_chunks(a->k), groups = chunks * 8, slots = groups * (size_t)dec->slots,
                 halves = 2 / (size_t)dec->slots;
    int32_t *start = (int32_t *)(void *)((uint8_t *)a->scratch + 16 * chunks * (PCS_CHUNK + 32));
    float *s = (float *)(void *)(start + PCS_FEW * slots), *d = s + PCS_FEW * slots;
    int8_t *q = (int8_t *)(void *)(d + PCS_FEW * groups);
    for (size_t m = 0, t = mv_pass(a->m); m < a->m;
         m += t, x++, start += t * slots, s += t * slots, d += t * groups, q += t * groups * 32) {
        t = mv_pass(a->m - m);
        const bool own = t > 1 || dec->order;
        const int8_t *codes = own ? q : a->act.q + m * chunks * PCS_CHUNK;
        *x = (mv_tile){ codes, t > 1 ? d : a->act.d + m * groups, s, start, book };
        for (size_t j = 0; j < t; j++) {
            const int8_t *from = a->act.q + (m + j) * chunks * PCS_CHUNK;
            const int32_t *z = a->act.z + (m + j) * chunks * 16;
            const float *sums = a->act.s + (m + j) * chunks * 16;
            if (dec->order) mv_ordered(from, groups * 8, (size_t)dec->order, t, q + 4 * j);
            for (size_t i = 0; i < groups * 8 && t > 1 && !dec->order; i++)
                memcpy(q + 4 * (i * t + j), from + 4 * i, 4);
            for (size_t i = 0; i < groups && t > 1; i++) d[i * t + j] = a->act.d[(m + j) * groups + i];
            for (size_t i = 0; i < slots && offset; i++)
                start[i * t + j] = -offset * (halves == 2 ? z[2 * i] + z[2 * i + 1] : z[i]);
            for (size_t i = 0; i < slots && dec->has_min; i++)
                s[i * t + j] = halves == 2 ? sums[2 * i] + sums[2 * i + 1] : sums[i];
        }
    }
}

PCS_INLINE void mv_all(const pcs_mp_args *a, const decoder *dec)
{
    mv_tile tiles[PCS_FEW];
    _Alignas(64) uint8_t book[MV_BOOK_BYTES];
    if (dec->book) dec->book(book);
    mv_prepare(a, dec, book, tiles);
    const size_t bytes = pcs_panel_bytes(a->f, a->k);
    const pcs_panel_layout o = pcs_panel_layout_of(a->f);
    const bool apart = pcs_panel_apart(a->f);
    for (size_t n = a->n0; n < a->n1; n += PCS_PANEL) {
        mv_panel panel = { &o, a->w + n / PCS_PANEL * bytes, bytes, n, apart };
        if (!a->packed) {
            const size_t rows = a->n1 - n < PCS_PANEL ? a->n1 - n : PCS_PANEL;
            PACK_PANEL(&(pcs_pack_args){ a->f, a->w + n * a->row_bytes, a->row_bytes, a->k, rows, a->scratch });
            panel.at = a->scratch;
        }
        const mv_tile *x = tiles;
        for (size_t m = 0, t; m < a->m; m += t, x++) {
            t = mv_pass(a->m - m);
            if (t == 8 && MV_MOST >= 8) mv_tokens(a, dec, &panel, *x, m, MV_MOST);
            else if (t == 4) mv_tokens(a, dec, &panel, *x, m, 4);
            else if (t == 2) mv_tokens(a, dec, &panel, *x, m, 2);
            else mv_tokens(a, dec, &panel, *x, m, 1);
        }
    }
}

#define MV(name, isa, block_, slots_, min_, pairs_, bits_, plane_)                                             \
    void pcs_mv_##name##_##isa(const pcs_mp_args *a)                                                           \
    {                                                                                                          \
        static const decoder d = { line_##name, scales_##name, OFFSET_##name, block_, slots_, min_,            \
                                   pairs_, bits_, plane_, NULL, true, 0, NULL };                               \
        mv_all(a, &d);                                                                                         \
    }
#define MV_LINES(name, isa, slots_, pairs_, unrolled_, order_, book_)                                          \
    void pcs_mv_##name##_##isa(const pcs_mp_args *a)                                                           \
    {                                                                                                          \
        static const decoder d = { NULL, scales_##name, OFFSET_##name, 256, slots_, false, pairs_, 0, 0,       \
                                   lines_##name, unrolled_, order_, book_ };                                   \
        mv_all(a, &d);                                                                                         \
    }

#endif
