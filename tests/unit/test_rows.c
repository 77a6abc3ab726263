/* Every row of the table of formats through every operation that a command has for a tensor: a result or a
 * typed error with a sentence, never a call of a function that the row has not. And weights at the ends of
 * f32: what is stored decodes to finite numbers, or the call fails. */
#include "test.h"
#include "test_gguf.h"
#include "width.h"

#include "base/f16.h"
#include "format/element.h"
#include "graph/arch.h"
#include "model/model.h"
#include "plan/plan.h"
#include "quant/methods.h"
#include "quant/quant.h"
#include "write/convert.h"

#include <math.h>

enum { WIDTH = 256, MOST = WIDTH + PCS_BLOCK_MAX, ROWS = 32 };

static void typed(precis_ctx *ctx, precis_status st, const char *format, const char *what)
{
    if (st && !*precis_ctx_message(ctx)) fail_msg("%s of %s: status %d without a sentence", what, format, st);
    if (st == PRECIS_ENOMEM || st == PRECIS_ECANCELED) fail_msg("%s of %s: %s", what, format, precis_ctx_message(ctx));
}

typedef struct { uint32_t dims; int64_t cols, rows; } shape;

static pcs_tensor *add_tensor(precis_model *m, const char *name, const pcs_format *f, shape of, float scale)
{
    const uint32_t dims = of.dims;
    const int64_t cols = of.cols, rows = of.rows;
    pcs_tensor *t = pcs_model_add_tensor(m);
    assert_non_null(t);
    t->name = t->source = pcs_arena_copy(&m->arena, name, strlen(name));
    t->format = f;
    t->dims = dims;
    t->ne[0] = cols;
    t->ne[1] = dims > 1 ? rows : 1;
    for (uint32_t d = 0; d < dims; d++) t->shape[d] = t->ne[dims - 1 - d];
    t->n = (uint64_t)(cols * rows);
    const uint64_t row = pcs_row_bytes(f, (uint64_t)cols);
    t->bytes = row * (uint64_t)rows;
    uint8_t *data = pcs_arena_alloc(&m->arena, (size_t)t->bytes + 64, 1);
    float *x = malloc((size_t)t->n * sizeof *x);
    assert_true(data && x);
    test_fill(x, (size_t)t->n, 7, scale);
    for (int64_t r = 0; r < rows; r++)
        if (pcs_format_can_encode(f))
            pcs_encode_nearest(f, (size_t)cols, x + r * cols, data + (uint64_t)r * row);
        else
            for (uint64_t i = 0; i < row; i++) data[(uint64_t)r * row + i] = (uint8_t)(f->kind == PCS_INT ? i : 0);
    free(x);
    t->data = data;
    return t;
}

/* A llama of one layer whose matrices have a format. */
static precis_model *llama_of(precis_ctx *ctx, const pcs_format *f)
{
    const int64_t width = (int64_t)test_width(f, WIDTH);
    const struct { const char *name; int64_t rows;
    } w[] = { { "token_embd.weight", ROWS },         { "blk.0.attn_q.weight", width },
              { "blk.0.attn_k.weight", width / 4 },  { "blk.0.attn_v.weight", width / 4 },
              { "blk.0.attn_output.weight", width }, { "blk.0.ffn_gate.weight", width },
              { "blk.0.ffn_up.weight", width },      { "blk.0.ffn_down.weight", width } };
    static const char *const norms[] = { "output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight" };
    const struct { const char *name; uint32_t v;
    } keys[] = { { "llama.block_count", 1 },
                 { "llama.embedding_length", (uint32_t)width },
                 { "llama.context_length", 64 },
                 { "llama.attention.head_count", 4 },
                 { "llama.attention.head_count_kv", 1 },
                 { "llama.feed_forward_length", (uint32_t)width } };
    precis_model *m;
    OK(ctx, pcs_model_new(ctx, &m, f->name, "gguf"));
    OK(ctx, pcs_model_set_string(m, "general.architecture", "llama", 5));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) OK(ctx, pcs_model_set_u32(m, keys[i].name, keys[i].v));
    for (size_t i = 0; i < sizeof w / sizeof *w; i++)
        add_tensor(m, w[i].name, f, (shape){ 2, width, w[i].rows }, 0.1f);
    for (size_t i = 0; i < sizeof norms / sizeof *norms; i++)
        add_tensor(m, norms[i], pcs_format_by_name("F32"), (shape){ 1, width, 1 }, 1.0f);
    add_tensor(m, "blk.0.attn_q.bias", f->head ? pcs_format_by_name("F32") : f, (shape){ 1, width, 1 }, 0.1f);
    OK(ctx, pcs_model_index(m));
    return m;
}

static void tensor_operations(precis_ctx *ctx, const precis_model *m, const pcs_format *f)
{
    char path[128], hex[65];
    const uint64_t width = test_width(f, WIDTH);
    float x[MOST];
    int found;
    uint64_t element;
    precis_overflow rows[64];
    size_t n;
    snprintf(path, sizeof path, "%s/raw", test_folder());
    typed(ctx, precis_model_sha256(m, hex), f->name, "the hash");
    for (size_t i = 0; i < m->n_tensors; i++) {
        ctx->message[0] = 0;
        typed(ctx, precis_model_read_f32(m, i, 0, width, x), f->name, "reading");
        typed(ctx, precis_tensor_export(m, i, path), f->name, "exporting");
        typed(ctx, precis_model_check_finite(m, i, &found, &element, x), f->name, "checking");
        typed(ctx, precis_overflow_check(ctx, m, i, rows, 64, &n), f->name, "bounding");
    }
    remove(path);
}

static void run_it(precis_ctx *ctx, const precis_model *m, const pcs_format *f)
{
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = 8;
    for (int exact = 0; exact < 2; exact++) {
        precis_runner *r;
        o.arithmetic = exact ? PRECIS_REFERENCE : PRECIS_FAST;
        precis_status st = precis_runner_open(ctx, &r, m, &o);
        const precis_row row = { 3, 0, 0, 1 };
        const float *logits;
        if (!st) st = precis_runner_decode(r, &row, 1, &logits);
        typed(ctx, st, f->name, "running");
        precis_runner_close(&r);
    }
}

static void convert_it(precis_ctx *ctx, const precis_model *m, const pcs_format *f)
{
    char path[160], command[200];
    for (size_t i = 0; pcs_writers[i]; i++)
        for (int way = 0; way < (pcs_writers[i]->folder ? 2 : 4); way++) {
            precis_convert_options o = PRECIS_CONVERT_OPTIONS_INIT;
            precis_convert_report *r;
            o.format = pcs_writers[i]->name;
            o.exact = way & 1;
            o.own = way >> 1;
            snprintf(path, sizeof path, "%s/converted", test_folder());
            const precis_status st = precis_convert(ctx, m, path, &o, &r);
            typed(ctx, st, f->name, pcs_writers[i]->name);
            precis_convert_report_close(&r);
            precis_model *back;
            if (!st) OK(ctx, precis_model_open(ctx, &back, path));
            if (!st) precis_model_close(&back);
            snprintf(command, sizeof command, "rm -rf '%s'", path);
            assert_int_equal(system(command), 0);
        }
}

static void test_operations(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    for (size_t i = 0; pcs_formats[i]; i++) {
        precis_model *m = llama_of(ctx, pcs_formats[i]);
        tensor_operations(ctx, m, pcs_formats[i]);
        run_it(ctx, m, pcs_formats[i]);
        convert_it(ctx, m, pcs_formats[i]);
        precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
}

/* From every type to a few, and from F32 to every one. */
static void test_quantize(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    char path[128];
    snprintf(path, sizeof path, "%s/q.gguf", test_folder());
    for (size_t i = 0; pcs_formats[i]; i++) {
        precis_model *m;
        OK(ctx, pcs_model_new(ctx, &m, pcs_formats[i]->name, "gguf"));
        add_tensor(m, "x.weight", pcs_formats[i], (shape){ 2, (int64_t)test_width(pcs_formats[i], WIDTH), 2 }, 0.1f);
        OK(ctx, pcs_model_index(m));
        for (size_t k = 0; pcs_formats[k]; k++) {
            if (i && strcmp(pcs_formats[k]->name, "F16") && strcmp(pcs_formats[k]->name, "Q4_0") &&
                strcmp(pcs_formats[k]->name, "MXFP8_E4M3"))
                continue;
            precis_plan *plan;
            precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
            precis_quant_report *report = NULL;
            o.method = "rtn";
            precis_status st = precis_plan_types(ctx, &plan, m, pcs_formats[k]->name, 0);
            typed(ctx, st, pcs_formats[k]->name, "a plan");
            if (!st) st = precis_quantize(ctx, m, plan, path, &o, &report);
            typed(ctx, st, pcs_formats[k]->name, "quantizing");
            precis_quant_report_close(&report);
            precis_plan_close(&plan);
        }
        precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
}

/* What has a function to be called has the others that its callers count on. */
static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        assert_true(f->kind == PCS_QUANT ? f->unpack || f->unpack_row : f->to_f32 != NULL);
        assert_true(!f->substitute || pcs_format_by_name(f->substitute));
        assert_true(!f->head || f->element || (f->unpack && f->unpack_row) || f->unpack_row);
        /* d and m are every 16 weights', and a block has room for PCS_SUB of them. */
        assert_true(f->block <= PCS_BLOCK_MAX && (!f->unpack || f->block % 16 == 0));
        if (pcs_format_by_id(f->id) != f)
            fail_msg("%s and %s have one id, %u", f->name, pcs_format_by_id(f->id)->name, f->id);
        assert_ptr_equal(pcs_format_by_name(f->name), f);
        if (f->fields && f->id >= PCS_KERNEL_IDS) fail_msg("%s has panels, and no kernel finds its id", f->name);
    }
    for (size_t i = 0; pcs_methods[i]; i++) assert_true(pcs_methods[i]->row || pcs_methods[i]->apply);
    for (size_t i = 0; pcs_writers[i]; i++) assert_non_null(pcs_writers[i]->write);
    for (size_t i = 0; pcs_archs[i]; i++) assert_true(pcs_archs[i]->build || pcs_archs[i]->decoder);
}

/* An id of precis's own in a file of GGUF is another program's, of whatever type that is. */
static void test_foreign_ids(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    char path[128];
    size_t size = 0, refused = 0;
    test_gguf g = { 0 };
    snprintf(path, sizeof path, "%s/foreign.gguf", test_folder());
    test_key_text(&g, "general.architecture", "llama");
    test_add(&g, "odd.weight", (test_shape){ WIDTH, 1, 0 }, (test_noise){ 0, 1 }, NULL);
    test_write_gguf(&g, path);
    uint8_t *bytes = test_read(path, &size);
    size_t at = 0;
    while (at + 10 < size && memcmp(bytes + at, "odd.weight", 10)) at++;
    at += 10 + 4 + 2 * 8; /* name, number of dimensions, dimensions */
    for (size_t i = 0; pcs_formats[i]; i++) {
        precis_model *m;
        if (pcs_format_portable(pcs_formats[i])) continue;
        memcpy(bytes + at, &pcs_formats[i]->id, 4);
        FILE *f = fopen(path, "wb");
        assert_true(f && fwrite(bytes, size, 1, f) == 1 && !fclose(f));
        const precis_status st = precis_model_open(ctx, &m, path);
        if (st != PRECIS_EUNSUPPORTED || !strstr(precis_ctx_message(ctx), "number format"))
            fail_msg("id %u is read as %s", pcs_formats[i]->id, pcs_formats[i]->name);
        refused++;
    }
    assert_true(refused > 50);
    free(bytes);
    remove(path);
    precis_ctx_close(&ctx);
}

/* ---- infinities and bytes ---------------------------------------------------------------------------------------- */

static void test_infinite_e5m2(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    double lost;
    precis_model *m;
    OK(ctx, pcs_model_new(ctx, &m, "m", "safetensors"));
    pcs_tensor *t = add_tensor(m, "x", pcs_format_by_name("F8_E5M2"), (shape){ 2, 32, 2 }, 1.0f);
    ((uint8_t *)(uintptr_t)t->data)[5] = 0x7c;
    OK(ctx, pcs_lost(ctx, t, pcs_format_by_name("F16"), &lost));
    assert_true(lost == 0);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* ---- the ends of f32 --------------------------------------------------------------------------------------------- */

/* Row k of extremes: n weights. false: there is none. */
static bool extreme_row(int k, size_t n, float *x)
{
    static const float tops[] = { 3.4028235e38f,   3.4e38f, -3.4e38f, 65504.0f * 127,
                                  -65504.0f * 127, 1e5f,    1e-38f,   1e-40f,
                                  1.4e-45f,        -1e-44f, 0.0f };
    const int tops_n = (int)(sizeof tops / sizeof *tops);
    for (size_t i = 0; i < n; i++) {
        const float v = tops[k / 3 < tops_n ? k / 3 : 0];
        x[i] = k % 3 == 0 ? v : k % 3 == 1 ? (i % 2 ? v : -v) : i == n / 2 ? v : 1e-3f * (float)((int)(i % 7) - 3);
    }
    return k < 3 * tops_n;
}

/* What is stored is what the encoder says. */
static void encode_extremes(const pcs_kernels *kernels, const pcs_format *f)
{
    const size_t width = test_width(f, WIDTH);
    float x[MOST], y[MOST], z[MOST], w[MOST];
    uint8_t row[8 * MOST + 64];
    for (size_t i = 0; i < width; i++) w[i] = i % 5 ? 1e-30f : 1e30f;
    for (int k = 0; extreme_row(k, width, x); k++)
        for (int way = 0; way < 4; way++) {
            const pcs_fit_effort effort = way & 1 ? PCS_FIT_SEARCH : PCS_FIT_RTN;
            kernels->encode(&(pcs_encode_args){ f, width, x, way & 2 ? w : NULL, effort, NULL, row, y });
            pcs_decode(f, width, row, z);
            for (size_t c = 0; c < width; c++)
                if (z[c] != y[c] && (isfinite(z[c]) || isfinite(y[c])))
                    fail_msg("%s, row %d, way %d: %g is stored as %g", f->name, k, way, (double)y[c], (double)z[c]);
        }
}

/* A tensor of an extreme row is coded so that its largest number stays, or refused. */
static void quantize_extremes(precis_ctx *ctx, const pcs_format *f)
{
    static const char *const coders[] = { "rtn", "search" };
    const size_t width = test_width(f, WIDTH);
    float x[MOST], z[MOST];
    uint8_t out[8 * MOST + 64];
    for (int k = 0; extreme_row(k, width, x); k++)
        for (int coder = 0; coder < 2; coder++) {
            const pcs_tensor t = { .name = "x",
                                   .format = pcs_format_by_name("F32"),
                                   .dims = 2,
                                   .ne = { (int64_t)width, 1, 1, 1, 1, 1, 1, 1 },
                                   .n = width,
                                   .bytes = 4 * width,
                                   .data = (const uint8_t *)x };
            double error;
            const pcs_tensor_job job = { &t, f, pcs_method_by_name(coders[coder]), { 0 } };
            const precis_status st = pcs_quantize_tensor(ctx, &job, out, &error);
            if (st) {
                assert_int_equal(st, PRECIS_EFORMAT);
                assert_non_null(strstr(precis_ctx_message(ctx), f->name));
                continue;
            }
            float top = 0, most = 0;
            pcs_decode(f, width, out, z);
            for (size_t c = 0; c < width; c++) {
                if (!isfinite(z[c])) fail_msg("%s, row %d, %s: stored as %g", f->name, k, coders[coder], (double)z[c]);
                top = fabsf(x[c]) > top ? fabsf(x[c]) : top;
                most = fabsf(z[c]) > most ? fabsf(z[c]) : most;
            }
            if (top > 1 && k % 3 < 2 && (most < 0.4f * top || (double)most > 2.0 * top))
                fail_msg("%s, row %d, %s: %g from %g", f->name, k, coders[coder], (double)most, (double)top);
        }
}

static void test_extremes(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    const pcs_kernels kernels = pcs_kernels_for(ctx->cpu);
    for (size_t i = 0; pcs_formats[i]; i++) {
        const pcs_format *f = pcs_formats[i];
        if (!pcs_format_can_encode(f) || !(f->kind == PCS_QUANT || f->element)) continue;
        encode_extremes(&kernels, f);
        quantize_extremes(ctx, f);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_foreign_ids),
        cmocka_unit_test(test_infinite_e5m2),
        cmocka_unit_test(test_extremes),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
