/* What is seen of scales alone is what decoding every weight would say: for every format, in rows and panels. */
#include "base/f16.h"
#include "format/number.h"
#include "kernel/kernel.h"
#include "model/finite.h"
#include "test.h"
#include "width.h"

#include <math.h>

enum { WIDTH = 512, MOST = WIDTH + PCS_BLOCK_MAX, ROWS = 40, TRIES = 60 };

static pcs_tensor tensor_of(const pcs_format *f, const uint8_t *rows)
{
    const size_t width = test_width(f, WIDTH);
    pcs_tensor t = { .name = "t",
                     .source = "t",
                     .format = f,
                     .dims = 2,
                     .ne = { (int64_t)width, ROWS, 1, 1, 1, 1, 1, 1 },
                     .n = width * ROWS,
                     .data = rows };
    t.bytes = ROWS * pcs_row_bytes(f, width);
    return t;
}

/* By decoding all of it. */
static bool odd_by_decoding(const pcs_tensor *t, uint64_t *element)
{
    static float x[MOST];
    const size_t width = (size_t)t->ne[0];
    for (uint64_t r = 0; r < ROWS; r++) {
        pcs_decode(t->format, width, t->data + r * pcs_tensor_row_bytes(t), x);
        for (uint64_t i = 0; i < width; i++)
            if (!isfinite(x[i])) {
                *element = r * width + i;
                return true;
            }
    }
    return false;
}

static void check(precis_ctx *ctx, const pcs_tensor *t, bool odd, uint64_t element, const char *where)
{
    pcs_odd found;
    OK(ctx, pcs_tensor_odd(ctx, t, &found));
    if (odd != (found.t != NULL))
        fail_msg("%s in %s: %s, but element %llu says otherwise", t->format->name, where, odd ? "nothing seen" : "seen",
                 (unsigned long long)element);
    if (odd && found.element != element)
        fail_msg("%s in %s: element %llu, not %llu", t->format->name, where, (unsigned long long)found.element,
                 (unsigned long long)element);
}

static uint8_t *panels_of(const pcs_format *f, const uint8_t *rows)
{
    const size_t width = test_width(f, WIDTH), row = (size_t)pcs_row_bytes(f, width), panel = pcs_panel_bytes(f, width);
    uint8_t *out = aligned_alloc(64, (pcs_panels_bytes(f, width, ROWS) + 127) / 64 * 64);
    assert_non_null(out);
    for (size_t r = 0; r < ROWS; r += PCS_PANEL)
        pcs_kernels_for(0).pack(&(pcs_pack_args){
            f, rows + r * row, row, width, ROWS - r < PCS_PANEL ? ROWS - r : PCS_PANEL, out + r / PCS_PANEL * panel });
    return out;
}

/* Random bytes: many are NaN somewhere, and some formats' hardly ever. Then ordinary ones with one odd byte pair. */
static void test_every_format(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        const size_t width = test_width(f, WIDTH), bytes = ROWS * (size_t)pcs_row_bytes(f, width);
        uint8_t *rows = malloc(bytes + 64);
        uint64_t seed = 77 + i, element = 0;
        assert_non_null(rows);
        for (int try = 0; try < TRIES; try++) {
            memset(rows, 0, bytes + 64);
            for (size_t k = 0; k < bytes && try < 2; k++) rows[k] = (uint8_t)pcs_rand(&seed);
            for (int k = 0; k < 4 && try >= 2; k++)
                rows[pcs_rand(&seed) % bytes] = (uint8_t)(0x78 + pcs_rand(&seed) % 8 + (pcs_rand(&seed) & 128));
            pcs_tensor t = tensor_of(f, rows);
            const bool odd = odd_by_decoding(&t, &element);
            check(ctx, &t, odd, element, "rows");
            if (!pcs_panels_fit(f, width)) continue;
            uint8_t *panels = panels_of(f, rows);
            t.panels = panels;
            t.data = NULL;
            check(ctx, &t, odd, element, "panels");
            free(panels);
        }
        free(rows);
    }
    precis_ctx_close(&ctx);
}

/* Weights of an ordinary model are never in doubt: nothing is decoded for them. */
static void test_no_doubt(void **state)
{
    (void)state;
    static float x[MOST];
    test_fill(x, MOST, 5, 0.05f);
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!pcs_format_can_encode(f)) continue;
        const size_t width = test_width(f, WIDTH);
        uint8_t *row = calloc(1, pcs_row_bytes(f, width) + 64);
        assert_non_null(row);
        assert_non_null(f->numbers);
        pcs_encode_nearest(f, width, x, row);
        if (pcs_head_doubtful(f, row) || pcs_blocks_doubtful(f, (width + f->block - 1) / f->block, row + f->head))
            fail_msg("%s: weights of 0.05 are in doubt", f->name);
        free(row);
    }
}

/* Experts whose rows do not fill a panel lie in panels of their own. */
static void test_small_experts(void **state)
{
    (void)state;
    enum { EXPERTS = 3, EACH = 4 };
    precis_ctx *ctx = test_ctx(1);
    const pcs_format *f = pcs_format_by_name("Q4_0");
    const size_t row = (size_t)pcs_row_bytes(f, WIDTH), panel = pcs_panel_bytes(f, WIDTH);
    uint8_t *rows = calloc(EXPERTS * EACH, row), *panels = aligned_alloc(64, (EXPERTS * panel + 63) / 64 * 64);
    assert_true(rows && panels);
    pcs_store16(rows + 9 * row + 18, 0x7c00); /* row 1 of the last expert, block 1 */
    rows[9 * row + 18 + 2] = 0x11;
    for (size_t e = 0; e < EXPERTS; e++)
        pcs_kernels_for(0).pack(&(pcs_pack_args){ f, rows + e * EACH * row, row, WIDTH, EACH, panels + e * panel });
    pcs_tensor t = { .name = "t",
                     .source = "t",
                     .format = f,
                     .dims = 3,
                     .ne = { WIDTH, EACH, EXPERTS, 1, 1, 1, 1, 1 },
                     .n = WIDTH * EACH * EXPERTS,
                     .panels = panels };
    pcs_odd odd;
    OK(ctx, pcs_tensor_odd(ctx, &t, &odd));
    assert_non_null(odd.t);
    assert_int_equal(odd.element, 9 * WIDTH + 32);
    free(rows);
    free(panels);
    precis_ctx_close(&ctx);
}

/* The library's own: refused by default, passed on purpose. */
static void test_models(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, precis_model_check(m));
    float *own = calloc(256, sizeof *own);
    assert_non_null(own);
    size_t i;
    OK(ctx, precis_model_find_tensor(m, "output_norm.weight", &i));
    own[200] = NAN;
    m->tensors[i].format = pcs_format_by_name("F32");
    m->tensors[i].data = (const uint8_t *)own;
    m->tensors[i].bytes = 256 * sizeof *own;
    precis_model_allow_nan(m, 0); /* looks anew */
    assert_int_equal(precis_model_check(m), PRECIS_EFORMAT);
    assert_non_null(strstr(precis_ctx_message(ctx), "tensor output_norm.weight"));
    assert_non_null(strstr(precis_ctx_message(ctx), "element 200 is nan"));
    precis_runner *r;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    for (int beside = 0; beside < 2; beside++) { /* before a call, and by a call */
        o.pack = beside ? PRECIS_PACK_BACKGROUND : PRECIS_PACK_OFF;
        OK(ctx, precis_runner_open(ctx, &r, m, &o));
        assert_int_equal(precis_runner_check(r), PRECIS_EFORMAT);
        precis_runner_close(&r);
        OK(ctx, precis_runner_open(ctx, &r, m, &o));
        const float *none;
        assert_int_equal(precis_runner_decode(r, &(precis_row){ 5, 0, 0, 1 }, 1, &none), PRECIS_EFORMAT);
        assert_non_null(strstr(precis_ctx_message(ctx), "tensor output_norm.weight"));
        precis_runner_close(&r);
    }
    precis_model_allow_nan(m, 1);
    OK(ctx, precis_model_check(m));
    OK(ctx, precis_runner_open(ctx, &r, m, NULL));
    const float *logits;
    assert_int_equal(precis_runner_decode(r, &(precis_row){ 5, 0, 0, 1 }, 1, &logits), PRECIS_EFORMAT);
    assert_non_null(strstr(precis_ctx_message(ctx), "tensor output_norm.weight"));
    assert_null(logits);
    precis_runner_close(&r);
    precis_model_close(&m);
    free(own);
    precis_ctx_close(&ctx);
}

/* The first call looks at what it reads, so a weight of no effect on its outputs is found as well: the result of a
 * row with an infinity times 0. What no call reads is found beside it. */
static void test_as_they_are_read(void **state)
{
    (void)state;
    static const char *const names[] = { "blk.2.ffn_up.weight", "token_embd.weight" };
    precis_ctx *ctx = test_ctx(3);
    for (int which = 0; which < 2; which++)
        for (int pack = 0; pack < 3; pack++) {
            precis_model *m;
            precis_runner *r;
            precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
            const float *logits;
            size_t i;
            o.pack = pack == 2 ? PRECIS_PACK_BACKGROUND : pack ? PRECIS_PACK_LOAD : PRECIS_PACK_OFF;
            OK(ctx, precis_model_open(ctx, &m, MODEL));
            OK(ctx, precis_runner_open(ctx, &r, m, &o)); /* it has the same logits with and without a look */
            OK(ctx, precis_runner_decode(r, &(precis_row){ 5, 0, 0, 1 }, 1, &logits));
            const float first = logits[17];
            OK(ctx, precis_runner_decode(r, &(precis_row){ 5, 0, 0, 1 }, 1, &logits));
            assert_true(first == logits[17]);
            OK(ctx, precis_runner_check(r));
            precis_runner_close(&r);
            OK(ctx, precis_model_find_tensor(m, names[which], &i));
            pcs_tensor *t = &m->tensors[i];
            uint8_t *own = malloc(t->bytes + 64);
            memcpy(own, t->data, t->bytes);
            const size_t at = (size_t)t->n - 3; /* of the last row */
            assert_int_equal(t->format->bytes, 2);
            memcpy(own + 2 * at, "\xff\x7f", 2); /* a NaN, of F16 and of BF16 */
            t->data = own;
            precis_model_allow_nan(m, 0); /* looks anew */
            OK(ctx, precis_runner_open(ctx, &r, m, &o));
            precis_status st = precis_runner_decode(r, &(precis_row){ 5, 0, 0, 1 }, 1, &logits);
            if (!st) st = precis_runner_check(r);
            assert_int_equal(st, PRECIS_EFORMAT);
            assert_non_null(strstr(precis_ctx_message(ctx), names[which]));
            precis_runner_close(&r);
            precis_model_close(&m);
            free(own);
        }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_format), cmocka_unit_test(test_no_doubt),
                                        cmocka_unit_test(test_small_experts), cmocka_unit_test(test_models),
                                        cmocka_unit_test(test_as_they_are_read) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
