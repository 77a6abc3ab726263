/* mv_loop.h - the walk over rows and chunks around an instruction set's mv_chunk(), mv_zero() and mv_value(). MV_UNIT: weights
 * that mv_chunk() takes at a time. Included once a format is described (mv_avx512.h, mv_avx2.h). */
PCS_INLINE void mv_rows(const pcs_mm_args *a, size_t n, int rows)
{
    const size_t whole = a->k / PCS_CHUNK, tail = a->row_bytes - whole * MV_BYTES;
    const uint8_t *w[MV_ROWS], *ahead = a->w + n * a->row_bytes + MV_AHEAD;
    mv_acc acc[MV_ROWS];
    for (int r = 0; r < rows; r++) {
        w[r] = a->w + (n + (size_t)r) * a->row_bytes;
        mv_zero(&acc[r]);
    }
    for (size_t c = 0; c < whole; c++) {
        for (int i = 0; i < rows * MV_BYTES; i += 64) _mm_prefetch((const char *)ahead + i, _MM_HINT_T0);
        ahead += rows * MV_BYTES;
        mv_chunk(acc, w, rows, PCS_CHUNK / MV_UNIT, a->act.q + c * PCS_CHUNK, a->act.d + c * 8, a->act.s + c * 16);
        for (int r = 0; r < rows; r++) w[r] += MV_BYTES;
    }
    if (tail) { /* in place when nothing behind the weights is read; else a copy with zeros behind it: zero scales add nothing */
        uint8_t rest[MV_ROWS][MV_BYTES];
        for (size_t i = 0; i < (size_t)rows * tail; i += 64) _mm_prefetch((const char *)ahead + i, _MM_HINT_T0);
        const bool in_place = a->k % MV_UNIT == 0 && w[rows - 1] + MV_BYTES <= a->w + a->n1 * a->row_bytes;
        for (int r = 0; r < rows && !in_place; r++) {
            memset(rest[r], 0, MV_BYTES);
            memcpy(rest[r], w[r], tail);
            w[r] = rest[r];
        }
        mv_chunk(acc, w, rows, (int)(a->k % PCS_CHUNK + MV_UNIT - 1) / MV_UNIT, a->act.q + whole * PCS_CHUNK, a->act.d + whole * 8, a->act.s + whole * 16);
    }
    for (int r = 0; r < rows; r++) a->y[n + (size_t)r] = mv_value(&acc[r]) + (a->bias ? a->bias[n + (size_t)r] : 0.0f);
}

PCS_INLINE void mv_run(const pcs_mm_args *a)
{
    size_t n = a->n0;
    for (; n + MV_ROWS <= a->n1; n += MV_ROWS) mv_rows(a, n, MV_ROWS);
    for (; n < a->n1; n++) mv_rows(a, n, 1);
}
