/* test_runs.c - whole runs of training on tiny nets, by the C API: adapters, a teacher, pruning in the loop, optimizers
 * and schedules, a run that was stopped and goes on, the data's card, words that are learned. */
#include "tiny_model.h"

#include "base/base.h"
#include "model/model.h"
#include "precis/train.h"

#include <unistd.h>

static const char *text_file(const char *name, int times)
{
    char *all = malloc((size_t)times * sizeof TINY_TEXT);
    assert_non_null(all);
    *all = 0;
    for (int i = 0; i < times; i++) memcpy(all + (size_t)i * (sizeof TINY_TEXT - 1), TINY_TEXT, sizeof TINY_TEXT);
    const char *path = tiny_path(name);
    test_write(path, all, strlen(all));
    free(all);
    return path;
}

/* "data" of a configuration: two texts of the test's folder. */
static const char *data(void)
{
    static char text[600];
    snprintf(text, sizeof text, "\"data\": {\"text\": [\"%s\"], \"heldout\": \"%s\", \"context\": 16, \"batch\": 2, "
             "\"heldout_tokens\": 64}", text_file("t.txt", 4), text_file("h.txt", 1));
    return text;
}

static const char *config(const char *json)
{
    const char *path = tiny_path("config.json");
    test_write(path, json, strlen(json));
    return path;
}

typedef struct { size_t n, stop; double first, last; } watch;

static int see(void *user, const precis_train_step *s)
{
    watch *w = user;
    if (!w->n++) w->first = s->loss;
    w->last = s->loss;
    assert_true(isfinite(s->loss) && s->lr >= 0 && s->norm >= 0 && s->step <= s->steps);
    return w->stop && w->n == w->stop;
}

#define NET "\"model\": {\"width\": 32, \"layers\": 1, \"heads\": 2, \"hidden\": 64%s}"

/* ---- optimizers, schedules, products --------------------------------------------------------------------- */

static void test_optimizers(void **state)
{
    (void)state;
    static const struct { const char *more; double least; } all[] = {
        { "\"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01}", 1 },
        { "\"optimizer\": {\"name\": \"adamw8\", \"lr\": 0.01}, "
          "\"schedule\": {\"name\": \"linear\", \"warmup\": 3}", 1 },
        { "\"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01}, \"schedule\": {\"name\": \"constant\"}", 1 },
        { "\"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01}, "
          "\"schedule\": {\"name\": \"wsd\", \"final\": 0.1}", 1 },
        { "\"optimizer\": {\"name\": \"sgd\", \"lr\": 0.5, \"momentum\": 0.9, \"nesterov\": true, \"clip\": 1}", 0.2 },
        { "\"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01}, "
          "\"schedule\": {\"name\": \"two_stage\", \"second\": 0.5, \"decay_until\": 0.5}", 1 },
    };
    precis_ctx *ctx = test_ctx(2);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char json[1600];
        watch w = { .n = 0 };
        precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
        precis_train_result r = { .size = sizeof r };
        snprintf(json, sizeof json, "{" NET ", %s, \"steps\": 40, %s}", "", data(), all[i].more);
        o.out = tiny_path("o.gguf");
        o.each = see, o.user = &w;
        OK(ctx, precis_train(ctx, config(json), &o, &r));
        assert_true(w.n == 40 && r.steps == 40 && r.tokens == 40 * 2 * 16);
        assert_true(fabs(w.first - log(256)) < 0.7); /* bytes, and nothing learned yet */
        if (!(w.first - w.last > all[i].least)) fail_msg("%s: %g, then %g", all[i].more, w.first, w.last);
        assert_true(r.heldout < log(256) && r.heldout_error > 0 && r.contamination > 0.9); /* the same text */
        assert_true(isnan(r.entropy));
    }
    precis_ctx_close(&ctx);
}

/* In other arithmetics of products the same net is learned, and which it was is said. */
static void test_products(void **state)
{
    (void)state;
    static const char *const all[] = { "bf16", "int8", "fp8", "mxfp4", "nvfp4" };
    precis_ctx *ctx = test_ctx(1);
    char json[1600];
    double exact = 0;
    snprintf(json, sizeof json, "{" NET ", %s, \"steps\": 25, \"optimizer\": {\"lr\": 0.01}}", "", data());
    for (int i = -1; i < 5; i++) {
        precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
        precis_train_result r = { .size = sizeof r };
        o.out = tiny_path("p.gguf");
        o.compute = i < 0 ? NULL : all[i];
        OK(ctx, precis_train(ctx, config(json), &o, &r));
        if (i < 0) exact = r.heldout;
        else if (!strstr(r.products, all[i])) fail_msg("%s: \"%s\"", all[i], r.products);
        if (!(fabs(r.heldout - exact) < (i < 3 ? 0.1 : 0.5))) fail_msg("%s: %g, not %g", all[i], r.heldout, exact);
    }
    precis_ctx_close(&ctx);
}

/* ---- stopped and resumed ----------------------------------------------------------------------------------- */

static void test_resumed(void **state)
{
    (void)state;
    static const char *const optimizers[] = { "adamw", "adamw8", "sgd" };
    for (int i = 0; i < 3; i++) {
        char json[1600], whole[65];
        precis_ctx *ctx = test_ctx(1);
        watch w = { .stop = 5 };
        precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
        precis_train_result r = { .size = sizeof r };
        snprintf(json, sizeof json, "{" NET ", %s, \"steps\": 12, \"checkpoint\": 4, \"optimizer\": {\"name\": \"%s\", "
                 "\"lr\": 0.01}}", ", \"qk_norm\": true", data(), optimizers[i]);
        o.out = tiny_path("whole.gguf");
        OK(ctx, precis_train(ctx, config(json), &o, &r));
        memcpy(whole, r.sha256, sizeof whole);
        o.out = tiny_path("parts.gguf");
        o.each = see, o.user = &w;
        assert_int_equal(precis_train(ctx, config(json), &o, &r), PRECIS_ECANCELED);
        o.resume = 1;
        w = (watch){ .n = 0 };
        OK(ctx, precis_train(ctx, config(json), &o, &r));
        assert_true(w.n == 7 && r.from == 5 && r.steps == 12);
        assert_string_equal(r.sha256, whole);
        /* a checkpoint of other settings is none of this run's */
        snprintf(json, sizeof json, "{" NET ", %s, \"steps\": 12, \"optimizer\": {\"name\": \"%s\", \"lr\": 0.02}}",
                 ", \"qk_norm\": true", data(), optimizers[i]);
        o.resume = 1;
        assert_int_not_equal(precis_train(ctx, config(json), &o, &r), PRECIS_OK);
        assert_true(*precis_ctx_message(ctx));
        precis_ctx_close(&ctx);
        remove(tiny_path("parts.gguf")), remove(tiny_path("whole.gguf"));
    }
}

/* ---- adapters, a teacher ------------------------------------------------------------------------------------- */

static void test_adapter(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *base = tiny_open(ctx, &tiny_small), *merged, *checkpoint;
    char json[1800];
    watch w = { .n = 0 };
    precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
    precis_train_result r = { .size = sizeof r };
    snprintf(json, sizeof json, "{\"model\": {\"from\": \"%s\"}, %s, \"steps\": 25, \"optimizer\": {\"lr\": 0.02}, "
             "\"adapter\": {\"rank\": 4, \"alpha\": 8}}", base->path, data());
    o.out = tiny_path("a.gguf");
    o.lora = tiny_path("lora.gguf");
    o.merged = tiny_path("merged.gguf");
    o.each = see, o.user = &w;
    OK(ctx, precis_train(ctx, config(json), &o, &r));
    assert_true(w.first - w.last > 0.5);
    if (!(fabs(r.served - r.heldout) < 1e-3)) fail_msg("trained to %g, served %g", r.heldout, r.served);
    assert_true(r.merged_kld >= 0 && r.merged_kld < 1e-4); /* F32 weights: but for the order of sums */
    OK(ctx, precis_model_open(ctx, &merged, o.merged));
    /* W + alpha / rank * B A, in f64 */
    OK(ctx, precis_model_open(ctx, &checkpoint, o.out));
    const pcs_tensor *t = pcs_model_tensor(base, "blk.1.ffn_up.weight"), *u = pcs_model_tensor(merged, t->name);
    const pcs_tensor *a = pcs_model_tensor(checkpoint, "blk.1.ffn_up.weight.lora_a"),
                     *b = pcs_model_tensor(checkpoint, "blk.1.ffn_up.weight.lora_b");
    assert_true(u && a && b);
    assert_int_equal(a->n, 4 * 64), assert_int_equal(b->n, 4 * 128);
    const float *W = (const float *)(const void *)t->data, *M = (const float *)(const void *)u->data,
                *A = (const float *)(const void *)a->data, *B = (const float *)(const void *)b->data;
    double moved = 0;
    for (int row = 0; row < 128; row++)
        for (int k = 0; k < 64; k++) {
            double sum = 0;
            for (int j = 0; j < 4; j++) sum += (double)B[row * 4 + j] * (double)A[j * 64 + k];
            const double want = (double)W[row * 64 + k] + 8.0 / 4 * sum;
            assert_true(fabs((double)M[row * 64 + k] - want) < 1e-5);
            moved += fabs(sum);
        }
    assert_true(moved > 0);
    const pcs_tensor *kept = pcs_model_tensor(checkpoint, t->name); /* the base's weights stay */
    assert_memory_equal(kept->data, t->data, t->bytes);
    precis_model_close(&checkpoint), precis_model_close(&merged), precis_model_close(&base);
    precis_ctx_close(&ctx);
}

/* How far a model is from another on a text. */
static double distance(precis_ctx *ctx, const char *path, const precis_model *from)
{
    precis_model *m;
    precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
    precis_eval_result r = { .size = sizeof r };
    o.arithmetic = PRECIS_REFERENCE;
    o.window = 32;
    OK(ctx, precis_model_open_to_run(ctx, &m, path));
    OK(ctx, precis_eval_text(ctx, m, from, TINY_TEXT, sizeof TINY_TEXT - 1, &o, &r));
    precis_model_close(&m);
    return r.kld_mean;
}

/* A student whose first layer was disturbed comes nearer to its teacher, whose words are no better than noise. */
static void test_teacher(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *teacher = tiny_open(ctx, &tiny_small);
    char json[1800], path[300], student[300];
    test_gguf g = { 0 };
    tiny_begin(&g, &tiny_small);
    for (uint64_t i = 0; i < g.n; i++)
        for (size_t k = 0; k < 4096 && !strcmp(g.t[i].name, "blk.0.attn_output.weight"); k++) g.t[i].x[k] *= -1;
    snprintf(path, sizeof path, "%s", teacher->path);
    snprintf(student, sizeof student, "%s", tiny_path("student.gguf"));
    test_write_gguf(&g, student);
    precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
    precis_train_result r = { .size = sizeof r };
    snprintf(json, sizeof json, "{\"model\": {\"from\": \"%s\"}, %s, \"steps\": 40, "
             "\"optimizer\": {\"lr\": 0.003}, \"distill\": {\"model\": \"%s\", \"temperature\": 1, \"share\": 1}}",
             student, data(), path);
    o.out = tiny_path("d.gguf");
    const double before = distance(ctx, student, teacher);
    OK(ctx, precis_train(ctx, config(json), &o, &r));
    const double after = distance(ctx, tiny_path("d.gguf"), teacher);
    if (!(after < 0.5 * before)) fail_msg("%g from its teacher, then %g", before, after);
    precis_model_close(&teacher);
    precis_ctx_close(&ctx);
}

/* ---- pruning ------------------------------------------------------------------------------------------------ */

static void test_pruned(void **state)
{
    (void)state;
    static const char *const methods[] = { "magnitude", "wanda", "sparsegpt" };
    precis_ctx *ctx = test_ctx(1);
    for (int i = 0; i < 3; i++) {
        char json[1800];
        precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
        precis_train_result r = { .size = sizeof r };
        precis_model *m;
        snprintf(json, sizeof json, "{" NET ", %s, \"steps\": 10, \"optimizer\": {\"lr\": 0.01}, "
                 "\"prune\": {\"method\": \"%s\", \"pattern\": \"2:4\", \"from\": 0.5}}", "", data(), methods[i]);
        o.out = tiny_path("s.gguf");
        OK(ctx, precis_train(ctx, config(json), &o, &r));
        OK(ctx, precis_model_open(ctx, &m, o.out));
        const pcs_tensor *t = pcs_model_tensor(m, "blk.0.ffn_up.weight"), *e = pcs_model_tensor(m, "token_embd.weight");
        const float *x = (const float *)(const void *)t->data, *y = (const float *)(const void *)e->data;
        size_t zeros = 0;
        for (size_t k = 0; k < t->n; k += 4) {
            int in_group = 0;
            for (int j = 0; j < 4; j++) in_group += x[k + (size_t)j] == 0;
            if (in_group < 2) fail_msg("%s: %d zeros of four at %zu", methods[i], in_group, k);
        }
        for (size_t k = 0; k < e->n; k++) zeros += y[k] == 0;
        assert_int_equal(zeros, 0); /* of layers alone */
        precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
}

/* ---- card, words ---------------------------------------------------------------------------------------------- */

static void test_card(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    char json[1600], want[160], hex[65];
    precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
    precis_train_result r = { .size = sizeof r };
    snprintf(json, sizeof json, "{" NET ", %s, \"steps\": 3, \"optimizer\": {\"lr\": 0.01}}", "", data());
    o.out = tiny_path("c.gguf");
    o.card = tiny_path("card.json");
    OK(ctx, precis_train(ctx, config(json), &o, &r));
    size_t n = 0;
    char *card = test_read(tiny_path("card.json"), &n);
    OK(ctx, precis_sha256_file(ctx, tiny_path("t.txt"), hex));
    snprintf(want, sizeof want, "\"bytes\": %zu, \"sha256\": \"%s\"", 4 * (sizeof TINY_TEXT - 1), hex);
    assert_non_null(strstr(card, want));
    snprintf(want, sizeof want, "\"seen\": {\"tokens\": %d", 3 * 2 * 16);
    assert_non_null(strstr(card, want));
    snprintf(want, sizeof want, "\"sha256\": \"%s\"}", r.data_sha256);
    assert_non_null(strstr(card, want));
    assert_non_null(strstr(card, "\"vocabulary\": 256"));
    free(card);
    precis_ctx_close(&ctx);
}

/* Merges are those that the text has most: "the" becomes one token, and a text of it is cut so. */
static void test_words(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    char held[300];
    snprintf(held, sizeof held, "%s", text_file("w.txt", 3));
    const char *paths[] = { held };
    precis_tokenizer_trained t = { .size = sizeof t }, again = { .size = sizeof again };
    OK(ctx, precis_tokenizer_train(ctx, paths, 1, 280, tiny_path("words.json"), &t));
    OK(ctx, precis_tokenizer_train(ctx, paths, 1, 280, tiny_path("again.json"), &again));
    assert_true(t.tokens == 280 && t.merges == 24);
    assert_string_equal(t.sha256, again.sha256);
    size_t n = 0;
    char *text = test_read(tiny_path("words.json"), &n);
    assert_non_null(strstr(text, "the")); /* "Ġthe" or "the" */
    free(text);
    char json[1600];
    precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
    precis_train_result r = { .size = sizeof r };
    snprintf(json, sizeof json, "{" NET ", \"data\": {\"text\": [\"%s\"], \"tokenizer\": \"%s\", \"context\": 16, "
             "\"batch\": 2}, \"steps\": 2, \"optimizer\": {\"lr\": 0.01}}", "", paths[0], tiny_path("words.json"));
    o.out = tiny_path("v.gguf");
    OK(ctx, precis_train(ctx, config(json), &o, &r));
    precis_model *m;
    precis_tokenizer *k;
    int32_t *ids;
    OK(ctx, precis_model_open(ctx, &m, o.out));
    OK(ctx, precis_tokenizer_open(ctx, &k, m));
    assert_int_equal(precis_tokenizer_size(k), 280);
    OK(ctx, precis_tokenizer_encode(k, "the other and the stone", 23, 0, &ids, &n));
    assert_true(n < 15 && n > 4);
    char back[64] = "";
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *piece = precis_tokenizer_piece(k, ids[i], 0, &len);
        at += (size_t)snprintf(back + at, sizeof back - at, "%.*s", (int)len, piece);
        assert_true(at < sizeof back);
    }
    assert_string_equal(back, "the other and the stone");
    precis_ids_free(k, ids);
    precis_tokenizer_close(&k), precis_model_close(&m);
    snprintf(json, sizeof json, "{" NET ", \"data\": {\"text\": [\"%s\"], \"context\": 16, \"batch\": 2}, "
             "\"steps\": 2, \"optimizer\": {\"lr\": 0.01}}", ", \"vocabulary\": 100000", paths[0]);
    assert_int_equal(precis_train(ctx, config(json), &o, &r), PRECIS_EFORMAT); /* the text has not as many */
    assert_non_null(strstr(precis_ctx_message(ctx), "model.vocabulary"));
    assert_int_equal(precis_tokenizer_train(ctx, paths, 0, 280, tiny_path("no.json"), &t), PRECIS_EINVAL);
    assert_int_equal(precis_tokenizer_train(ctx, paths, 1, 100, tiny_path("no.json"), &t), PRECIS_EINVAL);
    paths[0] = "/nonexistent/w.txt";
    assert_int_equal(precis_tokenizer_train(ctx, paths, 1, 280, tiny_path("no.json"), &t), PRECIS_EIO);
    assert_int_not_equal(access(tiny_path("no.json"), F_OK), 0);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_optimizers), cmocka_unit_test(test_products),
                                        cmocka_unit_test(test_resumed), cmocka_unit_test(test_adapter),
                                        cmocka_unit_test(test_teacher), cmocka_unit_test(test_pruned),
                                        cmocka_unit_test(test_card), cmocka_unit_test(test_words) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
