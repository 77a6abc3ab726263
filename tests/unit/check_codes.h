/* Checks of the kernels of products of codes, for test_kernels.c: bit for bit against the scalar rows, on buffers that
 * end at an unreadable page, with the codes and sums that are hardest on 16 bits among them. */
static uint8_t random_code(uint64_t *seed)
{
    const uint64_t r = pcs_rand(seed) >> 32;
    return r % 5 == 0 ? 255 : r % 5 == 1 ? 0 : (uint8_t)(r >> 8);
}
static int8_t random_weight(uint64_t *seed)
{
    const uint64_t r = pcs_rand(seed) >> 32;
    return r % 5 == 0 ? -128 : r % 5 == 1 ? 127 : (int8_t)(r >> 8);
}

/* Arrays by output, padded to whole registers. */
typedef struct {
    int32_t first[384], sums[384];
    float factor[384], bias[384];
} codes_arrays;

static void fill_arrays(codes_arrays *r, uint64_t *seed)
{
    for (size_t i = 0; i < 384; i++) {
        r->first[i] = (int32_t)(pcs_rand(seed) >> 32) >> 12;
        r->sums[i] = 0;
        r->factor[i] = i % 7 == 3 ? 3e30f : (float)(pcs_rand_unit(seed) * 0.002);
        r->bias[i] = (float)pcs_rand_unit(seed) - 0.5f;
    }
}

static const pcs_codes_to codes_ranges[] = { { 0, 0, 255 }, { 128, 0, 255 }, { 255, 3, 250 }, { 17, 17, 200 } };

static void same_codes_gemm(const pcs_kernel *k, size_t n, size_t m, size_t depth, bool numbers)
{
    const size_t lines = pcs_codes_lines(depth), bytes = pcs_codes_bytes(n, depth), lda = 4 * lines + (depth % 3);
    uint64_t seed = n * 31 + m * 7 + depth;
    uint8_t *a = guarded((m - 1) * lda + 4 * lines);
    int8_t *w = guarded(bytes);
    static codes_arrays r;
    fill_arrays(&r, &seed);
    for (size_t i = 0; i < (m - 1) * lda + 4 * lines; i++) a[i] = random_code(&seed);
    memset(w, 0, bytes);
    for (size_t i = 0; i < n; i++) {
        int8_t row[2400];
        for (size_t c = 0; c < depth; c++) r.sums[i] += row[c] = random_weight(&seed);
        pcs_codes_pack_row(w, lines, i, row, depth);
    }
    for (size_t i = 0; i < sizeof codes_ranges / sizeof *codes_ranges; i++) {
        pcs_codes_gemm_args args = {
            a, lda, m, w, lines, n, r.first, r.sums, r.factor, codes_ranges[i], NULL, NULL, n + 3, i % 2 ? r.bias : NULL
        };
        void *y[2];
        const size_t size = ((m - 1) * args.ldy + n) * (numbers ? 4 : 1);
        for (int s = 0; s < 2; s++) {
            args.y = y[s] = guarded(size);
            args.yf = y[s];
            memset(y[s], 77, size);
            if (numbers) (s ? pcs_codes_gemm_f32_scalar : k->run.codes_gemm_f32)(&args);
            else (s ? pcs_codes_gemm_scalar : k->run.codes_gemm)(&args);
        }
        same(k, "products of codes", y[0], y[1], size);
        release(y[0], size), release(y[1], size);
    }
    release(a, (m - 1) * lda + 4 * lines);
    release(w, bytes);
}

static void same_codes_gemms(const pcs_kernel *k, bool numbers)
{
    static const size_t depths[] = { 1, 3, 4, 27, 64, 100, 147, 576, 2309 };
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (size_t m = 1; m <= 70; m += m < 26 ? 3 : 11)
            for (size_t n = m % 3 + 1; n <= 200; n += n < 20 ? 5 : 59)
                if (depths[d] < 200 || (m % 5 == 1 && n % 3 == 1)) same_codes_gemm(k, n, m, depths[d], numbers);
}
static void check_codes_gemm(const pcs_kernel *k) { same_codes_gemms(k, false); }
static void check_codes_gemm_f32(const pcs_kernel *k) { same_codes_gemms(k, true); }

/* A window of height x kernel over rows of `width` pixels, two rows of results that overlap or do not; some rows are
 * outside. */
static void same_depthwise(const pcs_kernel *k, size_t channels, size_t height, size_t kernel, int64_t stride,
                           int64_t dilation)
{
    const size_t width = 9, bytes = pcs_codes_taps_bytes(channels, height, kernel);
    const int64_t pad = (int64_t)(kernel / 2) * dilation;
    const size_t pixels = (width + 2 * (size_t)pad - (kernel - 1) * (size_t)dilation - 1) / (size_t)stride + 1,
                 size = 2 * pixels * channels;
    uint64_t seed = channels * 13 + height + kernel;
    static codes_arrays r;
    fill_arrays(&r, &seed);
    int8_t *w = calloc(bytes, 1);
    for (size_t c = 0; c < channels; c++)
        for (size_t t = 0; t < height * kernel; t++)
            w[pcs_codes_tap(c, height, kernel, t / kernel, t % kernel)] = random_weight(&seed);
    uint8_t *x[16], *y[2];
    const uint8_t *rows[16];
    for (size_t i = 0; i <= height + 2; i++) {
        x[i] = guarded(width * channels);
        for (size_t c = 0; c < width * channels; c++) x[i][c] = random_code(&seed);
    }
    for (size_t i = 0; i < 2 * height; i++) rows[i] = x[i % height + i / height * (size_t)(stride > 2 ? 2 : stride)];
    if (channels % 2) rows[0] = NULL;
    for (size_t i = 0; i < sizeof codes_ranges / sizeof *codes_ranges; i++) {
        for (int s = 0; s < 2; s++) {
            y[s] = guarded(size);
            memset(y[s], 77, size);
            (s ? pcs_codes_depthwise_scalar : k->run.codes_depthwise)(&(pcs_codes_depthwise_args){
                rows, 1 + i % 2, height, kernel, width, pixels, channels, stride, pad, dilation, w, r.first, r.factor,
                (uint8_t)(i * 50), codes_ranges[i], y[s] });
        }
        same(k, "depthwise", y[0], y[1], size);
        release(y[0], size), release(y[1], size);
    }
    for (size_t i = 0; i <= height + 2; i++) release(x[i], width * channels);
    free(w);
}

static void check_codes_depthwise(const pcs_kernel *k)
{
    static const size_t windows[][2] = { { 3, 3 }, { 5, 5 }, { 1, 3 }, { 3, 1 }, { 7, 7 }, { 2, 9 }, { 4, 3 } };
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        for (size_t c = 1; c <= 200; c += c < 20 ? 3 : 41)
            for (int64_t stride = 1; stride <= 2; stride++)
                for (int64_t dilation = 1; dilation <= 2 && windows[i][1] < 4; dilation++)
                    same_depthwise(k, c, windows[i][0], windows[i][1], stride, dilation);
    same_depthwise(k, 96, 5, 5, 1, 1), same_depthwise(k, 65, 7, 7, 2, 1), same_depthwise(k, 33, 2, 9, 1, 1);
}

/* Numbers that are hard to round: halves, far ones, infinities and NaN. */
static void hard_numbers(float *x, size_t n, uint64_t seed)
{
    static const float hard[] = { 0.5f, 1.5f, -0.5f, -2.5f, 1e30f, -1e30f, INFINITY, -INFINITY, NAN, -0.0f };
    for (size_t i = 0; i < n; i++) x[i] = i % 3 ? (float)(pcs_rand_unit(&seed) - 0.5) * 300 : hard[i / 3 % 10];
}

static void check_codes_encode(const pcs_kernel *k)
{
    for (size_t n = 1; n <= 200; n++)
        for (size_t i = 0; i < 8; i++) {
            float *x = guarded(n * 4);
            uint8_t *y[2];
            hard_numbers(x, n, n);
            for (int s = 0; s < 2; s++) {
                y[s] = guarded(n);
                (s ? pcs_codes_encode_scalar : k->run.codes_encode)(
                    &(pcs_codes_encode_args){ x, n, i < 4 ? 1.0f : 0.37f, codes_ranges[i % 4], y[s] });
            }
            same(k, "codes of numbers", y[0], y[1], n);
            release(x, n * 4), release(y[0], n), release(y[1], n);
        }
}

static void check_codes_decode(const pcs_kernel *k)
{
    for (size_t n = 1; n <= 300; n++) {
        uint8_t *x = guarded(n);
        float *y[2];
        uint64_t seed = n;
        for (size_t i = 0; i < n; i++) x[i] = random_code(&seed);
        for (int s = 0; s < 2; s++) {
            y[s] = guarded(n * 4);
            (s ? pcs_codes_decode_scalar
               : k->run.codes_decode)(&(pcs_codes_decode_args){ x, n, 0.0371f, (int32_t)n % 256, y[s] });
        }
        same(k, "numbers of codes", y[0], y[1], n * 4);
        release(x, n), release(y[0], n * 4), release(y[1], n * 4);
    }
}

static void check_xnor(const pcs_kernel *k)
{
    enum { ROWS = 5, TOKENS = 3, MOST = 700 };
    for (size_t n = 1; n <= MOST; n += n < 66 ? 1 : 93) {
        const size_t words = pcs_xnor_words(n), row = 4 + 4 * words;
        uint8_t *w = guarded(ROWS * row);
        float *x = guarded(TOKENS * n * 4), scale[TOKENS], y[2][ROWS * TOKENS] = { { 0 } };
        uint32_t *signs = guarded(TOKENS * words * 4);
        uint64_t seed = n;
        for (size_t i = 0; i < ROWS * row; i++) w[i] = random_code(&seed);
        for (size_t r = 0; r < ROWS; r++) memcpy(w + r * row, &(float){ 0.5f + (float)r }, 4);
        test_fill(x, TOKENS * n, n, 1.0f);
        for (size_t t = 0; t < TOKENS; t++) scale[t] = pcs_xnor_signs(x + t * n, n, signs + t * words);
        for (int s = 0; s < 2; s++)
            (s ? pcs_xnor_scalar
               : k->run.xnor)(&(pcs_xnor_args){ w, row, n, 1, ROWS, TOKENS, signs, scale, y[s], ROWS });
        same(k, "signs", y[0], y[1], sizeof y[0]);
        release(w, ROWS * row), release(x, TOKENS * n * 4), release(signs, TOKENS * words * 4);
    }
}

static void check_codes_add(const pcs_kernel *k)
{
    for (size_t n = 1; n <= 200; n++)
        for (size_t i = 0; i < 4; i++) {
            uint8_t *a = guarded(n), *b = guarded(n), *y[2];
            uint64_t seed = n;
            for (size_t c = 0; c < n; c++) a[c] = random_code(&seed), b[c] = random_code(&seed);
            for (int s = 0; s < 2; s++) {
                y[s] = guarded(n);
                (s ? pcs_codes_add_scalar : k->run.codes_add)(
                    &(pcs_codes_add_args){ a, b, n, 0.5f, i % 2 ? 0.25f : 0.0713f, i < 2 ? 1.0f : 0.031f,
                                           (int32_t)n % 256, 7, codes_ranges[i], y[s] });
            }
            same(k, "sums of codes", y[0], y[1], n);
            release(a, n), release(b, n), release(y[0], n), release(y[1], n);
        }
}
