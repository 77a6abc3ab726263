/* The op attention in the arithmetic bf16: against its definition, at the lowest and the best level, and in any cut of
 * rows, query heads and threads; and that the exact one does not depend on threads, however many there are. */
#include "graph/graph.h"
#include "graph/kv.h"
#include "kernel/bf16.h"
#include "run/backend.h"
#include "test.h"

#include <math.h>

extern const pcs_op pcs_op_attention;

enum { HEADS = 2, GROUP = 6, DIM = 40, VALUE = 24, MOST = 640, TOKENS = 37, SEQUENCES = 2 };
enum { QROW = HEADS * GROUP * DIM, OROW = HEADS * GROUP * VALUE };

typedef struct {
    precis_ctx *ctx;
    pcs_pages pages;
    pcs_kv kv;
    float *q;
    int32_t pos[TOKENS], seq[TOKENS];
    double cap;
    int64_t window;
} call_fixture;

/* Keys and values of two sequences; the call's rows are the last of the first, then of the second. */
static void open_fixture(call_fixture *f, const char *type, size_t first)
{
    *f = (call_fixture){ .ctx = test_ctx(1) };
    const pcs_kv_type *t = pcs_kv_type_by_name(type);
    f->kv = (pcs_kv){ .kt = t, .vt = t, .heads = HEADS, .kd = DIM, .vd = VALUE, .vp = 32, .capacity = MOST };
    const pcs_pages_size size = { SEQUENCES, MOST, 0, MOST };
    OK(f->ctx, pcs_pages_open(f->ctx, &f->pages, &pcs_backends[0]->heap, &size));
    OK(f->ctx, pcs_kv_open(f->ctx, &f->kv, &f->pages));
    f->q = malloc(TOKENS * QROW * sizeof *f->q);
    test_fill(f->q, TOKENS * QROW, 7, 1.0f);
    for (size_t i = 0; i < TOKENS; i++) {
        f->seq[i] = i >= first;
        f->pos[i] = (int32_t)(i < first ? MOST - first + i : i + 3);
    }
    for (uint32_t s = 0; s < SEQUENCES; s++)
        for (uint32_t p = 0; p <= (uint32_t)f->pos[s ? TOKENS - 1 : first - 1]; p++) {
            OK(f->ctx, pcs_pages_take(&f->pages, s, p));
            pcs_pages_commit(&f->pages);
            for (uint32_t h = 0; h < HEADS; h++) {
                float key[DIM], value[VALUE];
                test_fill(key, DIM, 1000 * p + 10 * h + s, 0.7f);
                test_fill(value, VALUE, 1000 * p + 10 * h + s + 5, 1.0f);
                pcs_kv_put(&f->kv, s, h, p, key, value);
            }
        }
}

static void close_fixture(call_fixture *f)
{
    free(f->q);
    pcs_pages_close(&f->pages);
    precis_ctx_close(&f->ctx);
}

/* nth threads, one after another */
typedef struct { unsigned cpu; bool bf16; uint32_t nth; } way;

/* Rows [at, at + n) of the call. */
static void run(const call_fixture *f, way by, size_t at, size_t n, float *y)
{
    const pcs_kernels kernels = pcs_kernels_for(by.cpu);
    precis_attr attr[4] = { { .real = 0.3 }, { .integer = f->window }, { .real = f->cap }, { .integer = 1 } };
    pcs_arg in[4] = { { .dtype = PCS_F32, .dims = 2, .shape = { (int64_t)n, QROW }, .data = f->q + at * QROW },
                      { .dtype = PCS_STATE, .data = (void *)&f->kv },
                      { .dtype = PCS_I32, .dims = 1, .shape = { (int64_t)n }, .data = (void *)(f->pos + at) },
                      { .dtype = PCS_I32, .dims = 1, .shape = { (int64_t)n }, .data = (void *)(f->seq + at) } };
    pcs_arg out = { .dtype = PCS_F32, .dims = 2, .shape = { (int64_t)n, OROW }, .data = y };
    pcs_call c = { .ctx = f->ctx, .kernels = &kernels, .attr = attr, .n_in = 4, .n_out = 1, .in = in, .out = &out,
                   .bf16 = by.bf16 };
    c.scratch_size = (pcs_op_attention.scratch(&c) + 127) / 64 * 64;
    c.scratch = aligned_alloc(64, c.scratch_size * by.nth);
    assert_non_null(c.scratch);
    memset(c.scratch, 0xff, c.scratch_size * by.nth); /* no number */
    for (uint32_t i = 0; i < by.nth; i++) pcs_op_attention.eval(&c, i, by.nth);
    free(c.scratch);
}

static float rounded(float x) { return pcs_bf16_to_f32(pcs_bf16_number(x)); }

/* The sum of a[i] b[i step] as kernel/bf16.h has it. */
static float sum_of(const float *a, const float *b, size_t step, size_t n)
{
    float sum = 0;
    for (size_t s = 0; s < n; s += PCS_BF16_STEP) {
        float half[2] = { 0, 0 };
        for (size_t i = s; i < s + PCS_BF16_STEP && i < n; i++)
            half[i % 2] = fmaf(rounded(a[i]), rounded(b[i * step]), half[i % 2]);
        sum += half[0] + half[1];
    }
    return sum;
}

/* One query head of a row, by the definition. */
static void defined(const call_fixture *f, size_t row, size_t head, float *y)
{
    static float s[MOST], v[MOST * 32];
    const pcs_kernels kernels = pcs_kernels_for(PCS_CPU_SCALAR);
    const uint32_t last = (uint32_t)f->pos[row], seq = (uint32_t)f->seq[row], shared = (uint32_t)(head / GROUP);
    const size_t keys = last + 1, first = f->window && (int64_t)keys > f->window ? keys - (size_t)f->window : 0;
    memset(s, 0, sizeof s);
    for (uint32_t j = 0; j < keys; j++) {
        float panel[DIM * 16];
        pcs_kv_keys(&f->kv, &kernels, seq, shared, j / 16, panel);
        s[j] = j < first ? 0 : sum_of(f->q + row * QROW + head * DIM, panel + j % 16, 16, DIM);
    }
    kernels.softmax(&(pcs_softmax_args){ s + first, keys - first, first, 0.3f, (float)f->cap });
    const float *values = pcs_kv_values(&f->kv, &kernels, &(pcs_kv_part){ seq, shared, 0, last + 1 }, v);
    for (size_t i = 0; i < VALUE; i++) {
        y[i] = 0;
        for (size_t j = 0; j < keys; j += 512)
            y[i] += sum_of(s + j, values + j * 32 + i, 32, keys - j < 512 ? keys - j : 512);
    }
}

static void same_numbers(const char *what, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], 4))
            fail_msg("%s: number %zu is %a, not %a", what, i, (double)got[i], (double)want[i]);
}

static void check_attention(const char *type, size_t first, int64_t window, double cap)
{
    call_fixture f;
    open_fixture(&f, type, first);
    f.window = window;
    f.cap = cap;
    float *want = malloc(TOKENS * OROW * 4), *got = malloc(TOKENS * OROW * 4);
    for (size_t r = 0; r < TOKENS; r++)
        for (size_t h = 0; h < HEADS * GROUP; h++) defined(&f, r, h, want + r * OROW + h * VALUE);
    static const uint32_t threads[] = { 1, 2, 5, 16 };
    for (unsigned i = 0; i < 8; i++) {
        run(&f, (way){ i % 2 ? pcs_cpu_flags() : PCS_CPU_SCALAR, true, threads[i / 2] }, 0, TOKENS, got);
        same_numbers("all rows", got, want, TOKENS * OROW);
    }
    for (size_t r = 0; r < TOKENS; r += 9) { /* a row alone, and without those before it */
        run(&f, (way){ pcs_cpu_flags(), true, 16 }, r, 1, got);
        same_numbers("a row alone", got, want + r * OROW, OROW);
        run(&f, (way){ pcs_cpu_flags(), true, 3 }, r, TOKENS - r, got);
        same_numbers("later rows", got, want + r * OROW, (TOKENS - r) * OROW);
    }
    free(want), free(got);
    close_fixture(&f);
}

static void test_bf16(void **state)
{
    (void)state;
    check_attention("f32", 20, 0, 0);
    check_attention("f16", 20, 0, 5);
    check_attention("int8", 9, 100, 0); /* the window begins within a step */
    check_attention("f16", 33, 530, 0); /* and reaches over two sums of 512 keys */
}

static void test_exact(void **state)
{
    (void)state;
    call_fixture f;
    open_fixture(&f, "f16", 20);
    float *want = malloc(TOKENS * OROW * 4), *got = malloc(TOKENS * OROW * 4);
    run(&f, (way){ PCS_CPU_SCALAR, false, 1 }, 0, TOKENS, want);
    static const uint32_t threads[] = { 1, 3, 12, 16, 40 };
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        memset(got, 0xff, TOKENS * OROW * 4);
        run(&f, (way){ pcs_cpu_flags(), false, threads[i] }, 0, TOKENS, got);
        same_numbers("all rows", got, want, TOKENS * OROW);
        run(&f, (way){ pcs_cpu_flags(), false, threads[i] }, 5, 1, got);
        same_numbers("a row alone", got, want + 5 * OROW, OROW);
    }
    free(want), free(got);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_bf16), cmocka_unit_test(test_exact) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
