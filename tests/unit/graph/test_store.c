/* The contents of a graph's values: how many bytes they are is known, and nothing is read after them. */
#include "graph/pass.h"
#include "kernel/panels.h"
#include "test.h"

static precis_graph *opened(precis_ctx **ctx)
{
    precis_graph *g;
    *ctx = test_ctx(1);
    OK(*ctx, precis_graph_open(*ctx, &g));
    return g;
}

static void closed(precis_ctx *ctx, precis_graph *g)
{
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

static const float numbers[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

static pcs_value constant(pcs_dtype d, const void *at, uint64_t bytes, int64_t rows, int64_t columns)
{
    return (pcs_value){ .name = "c", .dtype = d, .role = PCS_CONSTANT, .node = -1, .dims = 2,
                        .shape = { rows, columns }, .store = pcs_store_rows(at, bytes, PCS_KEPT_BY_CALLER) };
}

/* What a value is made with: by its shape and format it takes `takes` bytes of the `has` that are there. */
static void test_bytes(void **state)
{
    static const struct { pcs_dtype dtype; const char *format; int64_t rows, columns; uint64_t takes; } rows[] = {
        { PCS_F32, NULL, 3, 4, 48 },       { PCS_F64, NULL, 3, 4, 96 },      { PCS_U8, NULL, 3, 4, 12 },
        { PCS_I4, NULL, 1, 5, 5 },         { PCS_I64, NULL, 0, 4, 0 },       { PCS_F16, NULL, 7, 1, 14 },
        { PCS_STORED, "Q4_0", 3, 64, 108 }, { PCS_STORED, "Q8_0", 2, 32, 68 }, { PCS_STORED, "Q6_K", 1, 256, 210 },
        { PCS_STORED, "F32", 2, 3, 24 },
    };
    static uint8_t room[512];
    char want[160];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        precis_ctx *ctx;
        precis_graph *g = opened(&ctx);
        pcs_value v = constant(rows[i].dtype, room, rows[i].takes, rows[i].rows, rows[i].columns);
        v.format = rows[i].format ? pcs_format_by_name(rows[i].format) : NULL;
        assert_int_equal(pcs_value_bytes(&v), rows[i].takes);
        assert_ptr_equal(pcs_value_host(&v), room);
        assert_true(pcs_graph_add_value(g, &v) >= 0);
        if (rows[i].takes) {
            v.store = pcs_store_rows(room, rows[i].takes - 1, PCS_KEPT_BY_CALLER);
            assert_null(pcs_value_host(&v));
            assert_null(pcs_value_arg(&v).data);
            assert_int_equal(pcs_graph_add_value(g, &v), -1);
            assert_int_equal(g->error, PRECIS_EFORMAT);
            snprintf(want, sizeof want, "value c: its shape takes %llu bytes, and its maker has %llu of it",
                     (unsigned long long)rows[i].takes, (unsigned long long)rows[i].takes - 1);
            assert_string_equal(g->message, want);
        }
        closed(ctx, g);
    }
}

/* A shape that has no size, or more elements than can be counted, has no contents. */
static void test_sizes(void **state)
{
    precis_ctx *ctx;
    precis_graph *g = opened(&ctx);
    (void)state;
    pcs_value v = constant(PCS_F32, numbers, sizeof numbers, precis_graph_symbol(g, "batch", 4), 3);
    assert_true(pcs_value_bytes(&v) == UINT64_MAX);
    assert_null(pcs_value_host(&v));
    assert_int_equal(pcs_graph_add_value(g, &v), -1);
    assert_non_null(strstr(g->message, "a constant has a size in each dimension"));
    v.shape[0] = v.shape[1] = (int64_t)1 << 40;
    assert_true(pcs_value_bytes(&v) == UINT64_MAX);
    assert_null(pcs_value_f32(&v, (uint64_t)1 << 62));
    closed(ctx, g);
}

static void test_elements(void **state)
{
    pcs_value v = constant(PCS_F32, numbers, sizeof numbers, 3, 4), none = { .dtype = PCS_F32, .node = -1 };
    uint64_t offset;
    (void)state;
    assert_ptr_equal(pcs_value_f32(&v, 12), numbers);
    assert_ptr_equal(pcs_value_f32(&v, 0), numbers);
    assert_null(pcs_value_f32(&v, 13));
    assert_null(pcs_value_f32(&v, UINT64_MAX)); /* a count that was negative */
    assert_null(pcs_value_elements(&v, PCS_I32, 1));
    assert_false(pcs_value_is_known(&none));
    assert_null(pcs_value_f32(&none, 0));
    assert_null(pcs_value_host(&none));
    assert_false(pcs_value_keep(&v, pcs_store_rows(numbers, 47, PCS_KEPT_BY_GRAPH))); /* it has what it had */
    assert_ptr_equal(pcs_value_f32(&v, 12), numbers);
    assert_true(pcs_value_keep(&v, pcs_store_rows(NULL, 0, PCS_KEPT_BY_GRAPH)));
    assert_false(pcs_value_is_known(&v));
    v = constant(PCS_F32, numbers + 4, 16, 1, 4);
    assert_true(pcs_value_within(&v, numbers, sizeof numbers, &offset));
    assert_int_equal(offset, 16);
    assert_false(pcs_value_within(&v, numbers, 16, &offset));
    assert_false(pcs_value_within(&v, numbers + 5, 16, &offset));
    assert_false(pcs_value_within(&v, NULL, 16, &offset));
}

/* Parts of tensors: rows, elements of a vector, panels; and what lies after their end. */
static void test_tensors(void **state)
{
    const pcs_format *f = pcs_format_by_name("Q4_0");
    static uint8_t bytes[40 * 36];
    const pcs_tensor rows = { .name = "w", .format = f, .dims = 2, .ne = { 64, 40, 1, 1 }, .n = 64 * 40,
                              .bytes = sizeof bytes, .data = bytes };
    const pcs_tensor vector = { .name = "b", .format = &pcs_format_f32, .dims = 1, .ne = { 12, 1, 1, 1 }, .n = 12,
                                .bytes = sizeof numbers, .data = (const uint8_t *)numbers };
    pcs_tensor packed = rows;
    const uint64_t panel = pcs_panel_bytes(f, 64);
    void *at;
    const void *panels;
    precis_ctx *ctx;
    precis_graph *g = opened(&ctx);
    (void)state;
    packed.data = NULL;
    packed.panels = bytes; /* 40 rows are three panels, of which only two and a half have rows */
    const int64_t eight[2] = { 8, 64 }, nine[2] = { 9, 64 }, four = 4, five = 5;
    precis_value v = pcs_graph_weight(g, "part", &rows, 2, eight, 32);
    assert_ptr_equal(pcs_value_host(&g->values[v]), bytes + 32 * 36);
    v = pcs_graph_weight(g, "part", &vector, 1, &four, 8);
    pcs_value_bind(&g->values[v], &at, &panels);
    assert_ptr_equal(at, numbers + 8);
    assert_null(panels);
    v = pcs_graph_weight(g, "part", &packed, 2, eight, 32);
    assert_null(pcs_value_host(&g->values[v]));
    pcs_value_bind(&g->values[v], &at, &panels);
    assert_null(at);
    assert_ptr_equal(panels, bytes + 2 * panel);
    assert_int_equal(pcs_value_bytes(&g->values[v]), panel);
    assert_int_equal(g->error, PRECIS_OK);
    closed(ctx, g);

    const struct { const pcs_tensor *t; uint32_t dims; const int64_t *shape; uint64_t first; const char *says; }
    bad[] = {
        { &rows, 2, nine, 32, "value t: its shape takes 324 bytes, and the model has 288 of it" },
        { &vector, 1, &five, 8, "value t: its shape takes 20 bytes, and the model has 16 of it" },
        { &packed, 2, (int64_t[]){ 17, 64 }, 32, "and the model has" },
        { &packed, 2, eight, 33, "begins at row 33, within a panel" },
        { &rows, 2, eight, 41, "tensor t ends before row 41" },
        { &rows, 2, eight, UINT64_MAX / 2, "tensor t ends before row" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        g = opened(&ctx);
        assert_int_equal(pcs_graph_weight(g, "t", bad[i].t, bad[i].dims, bad[i].shape, bad[i].first), -1);
        if (!strstr(g->message, bad[i].says)) fail_msg("\"%s\" lacks \"%s\"", g->message, bad[i].says);
        closed(ctx, g);
    }
}

enum { C = 2, O = 4 };

/* y = norm(conv(x)) * c, of which one constant, by its number as an input, has a single element left. */
static precis_graph *cut(precis_ctx **ctx, bool norm, int which)
{
    precis_graph *g = opened(ctx);
    const int64_t xs[] = { 1, C, 2, 2 }, ws[] = { O, C, 1, 1 }, o = O, cs[] = { O, 1, 1 };
    const precis_value in[] = { precis_graph_input(g, "x", 4, xs), precis_graph_constant(g, "w", 4, ws, numbers),
                                precis_graph_constant(g, "b", 1, &o, numbers) };
    precis_value all[5] = { precis_graph_node(g, "conv", "conv", NULL, 3, in) };
    for (int i = 1; i < 5; i++) all[i] = precis_graph_constant(g, "n", 1, &o, numbers + 1);
    const precis_value c = precis_graph_constant(g, "c", 3, cs, numbers);
    const precis_value y = norm ? precis_graph_node(g, "norm", "batch_norm", NULL, 5, all)
                                : precis_graph_node(g, "mul", "mul", NULL, 2, (precis_value[]){ all[0], c });
    precis_graph_output(g, y);
    const precis_value of[] = { in[1], in[2], norm ? all[1] : c };
    pcs_value *v = &g->values[of[which]];
    const float *at = pcs_value_f32(v, 1);
    const int64_t was = v->shape[0];
    v->shape[0] = v->dims == 4 ? 1 : v->shape[0];
    if (which) v->dims = 0;
    assert_true(pcs_value_keep(v, pcs_store_rows(at, C * sizeof *at, PCS_KEPT_BY_GRAPH)));
    v->shape[0] = was;
    if (which) v->dims = which == 2 && !norm ? 3 : 1;
    return g;
}

/* Passes that fold numbers into weights read no more than there are: an error that names the node. */
static void test_passes(void **state)
{
    static const struct { const char *pass; bool norm; } rows[] = { { "fold_scale", false },
                                                                    { "fold_batch_norm", true } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int which = 0; which < 3; which++) {
            precis_ctx *ctx;
            precis_graph *g = cut(&ctx, rows[i].norm, which);
            const precis_status st = precis_graph_pass(g, rows[i].pass);
            if (st != PRECIS_EINVAL || !strstr(g->message, "node conv (conv): has fewer weights than channels"))
                fail_msg("%s, constant %d: status %d, \"%s\"", rows[i].pass, which, (int)st, g->message);
            closed(ctx, g);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_bytes), cmocka_unit_test(test_sizes),
                                        cmocka_unit_test(test_elements), cmocka_unit_test(test_tensors),
                                        cmocka_unit_test(test_passes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
