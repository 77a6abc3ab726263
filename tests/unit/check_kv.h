/* check_kv.h - kernels of attention's keys and values against the scalar rows; test_kernels.c includes it after its
 * helpers. */
static void check_unpack_kv(const pcs_kernel *k)
{
    for (size_t n = 1; n <= 66; n += n < 8 ? 1 : 29)
        for (size_t width = 0; width <= 80; width += 16)
            for (int bits = 4; bits <= 8; bits += 4) {
                const size_t numbers = width ? n * width : n * 16;
                const size_t bytes = (width ? numbers : (n + 1) / 2 * 32) * (size_t)bits / 8;
                uint8_t *q = guarded(bytes);
                float *s = guarded((width ? n : 16) * 4), *got = guarded(numbers * 4), *want = malloc(numbers * 4);
                uint64_t seed = n + width;
                for (size_t i = 0; i < bytes; i++) q[i] = (uint8_t)pcs_rand(&seed);
                test_fill(s, width ? n : 16, n, 1.0f);
                k->run.unpack_kv(&(pcs_unpack_kv_args){ q, s, n, width, bits, got });
                pcs_unpack_kv_scalar(&(pcs_unpack_kv_args){ q, s, n, width, bits, want });
                same(k, "numbers", got, want, numbers * 4);
                release(q, bytes);
                release(s, (width ? n : 16) * 4);
                release(got, numbers * 4);
                free(want);
            }
}

/* Scores of keys, or sums of values, from a cache's bytes. */
static void same_kv(const pcs_kernel *k)
{
    const bool keys = k->op == PCS_DO_kv_scores;
    for (int bits = 4; bits <= 32; bits *= 2)
        for (size_t width = keys ? 1 : 16; width <= 160; width += keys ? 13 : 16)
            for (size_t m = 1; m <= PCS_FEW && (keys || bits > 4 || width % 32 == 0); m++)
                for (size_t n = 16; n <= 48; n += keys ? 16 : 13) {
                    const size_t ld = (keys ? n : width) + m, inner = keys ? width : n;
                    const size_t count = keys ? (width + 1) / 2 * 2 * n : width * n, bytes = count * (size_t)bits / 8;
                    uint8_t *codes = guarded(bytes);
                    float *d = guarded(n * 4), *x = guarded(m * inner * 4), *y[2];
                    float *numbers = malloc(bytes / (size_t)bits * 32 + 64);
                    uint64_t seed = width + m;
                    for (size_t i = 0; i < bytes; i++) codes[i] = (uint8_t)pcs_rand(&seed);
                    test_fill(numbers, bytes * 8 / (size_t)bits, n, 2.0f);
                    if (bits == 32) memcpy(codes, numbers, bytes);
                    for (size_t i = 0; bits == 16 && i < bytes / 2; i++)
                        pcs_store16(codes + 2 * i, pcs_f32_to_f16(numbers[i]));
                    test_fill(d, n, n + 1, 1.0f);
                    test_fill(x, m * inner, n + 2, 1.0f);
                    for (int s = 0; s < 2; s++) {
                        y[s] = guarded(m * ld * 4);
                        test_fill(y[s], m * ld, 7, 1.0f);
                        const uint8_t *end = m & 1 ? codes + bytes : NULL;
                        const float *scales = bits < 16 ? d : NULL;
                        const pcs_kv_scores_args of_keys = { x, m, width, codes, scales, bits, n / 16, y[s], ld,
                                                             end, codes };
                        const pcs_kv_values_args of_values = { x, n, m, n, width, codes, scales, bits, y[s], ld,
                                                               m & 1, end, codes };
                        if (keys) (s ? pcs_kv_scores_scalar : k->run.kv_scores)(&of_keys);
                        else (s ? pcs_kv_values_scalar : k->run.kv_values)(&of_values);
                    }
                    char what[80];
                    snprintf(what, sizeof what, "%d bits, width %zu, %zu keys, %zu rows", bits, width, n, m);
                    same(k, what, y[0], y[1], m * ld * 4);
                    release(codes, bytes), release(d, n * 4), release(x, m * inner * 4);
                    release(y[0], m * ld * 4), release(y[1], m * ld * 4);
                    free(numbers);
                }
}

static void check_kv_scores(const pcs_kernel *k) { same_kv(k); }
static void check_kv_values(const pcs_kernel *k) { same_kv(k); }
