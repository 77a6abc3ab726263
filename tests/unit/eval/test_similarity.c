/* Embeddings and how well their cosine goes with given scores, by an encoder that is simple enough to be computed by
 * hand; logits that are kept; texts by domain. */
#include "eval/logits.h"
#include "eval/rank.h"
#include "graph/arch.h"
#include "graph/net.h"
#include "precis/eval.h"
#include "precis/text.h"
#include "run/runner.h"
#include "test.h"

#include <math.h>
#include <unistd.h>

/* An encoder without a layer: each token's row is its own embedding. */
static precis_status build_table(const pcs_net *net, const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    (void)net;
    pcs_builder b;
    lm->encoder = true;
    const precis_status st = pcs_builder_open(&b, m, g, lm);
    if (st) return st;
    const precis_value table = pcs_weight(&b, -1, "token_embd.weight", lm->vocabulary, lm->width, false),
                       x = PCS_NODE(&b, "embedding", -1, "rows", NULL, lm->tokens, table);
    lm->layers = 0;
    lm->logits = PCS_NODE(&b, "gather", -1, "last", NULL, x, lm->outputs);
    precis_graph_output(g, lm->logits);
    return g->error ? pcs_fail(m->ctx, g->error, "%s", g->message) : PRECIS_OK;
}

static const pcs_net table_net = { build_table, NULL, true };

/* What the encoder gives, by definition: the mean of the tokens' rows of the table, of length 1. */
static void by_hand(precis_ctx *ctx, const precis_model *m, const char *text, size_t most, double *out, size_t width)
{
    precis_tokenizer *t;
    int32_t *ids;
    size_t n, at = 0;
    float *row = malloc(width * sizeof *row);
    double norm = 0;
    OK(ctx, precis_tokenizer_open(ctx, &t, m));
    OK(ctx, precis_tokenizer_encode(t, text, strlen(text), PRECIS_TEXT_ADD, &ids, &n));
    while (strcmp(m->tensors[at].name, "token_embd.weight")) at++;
    memset(out, 0, width * sizeof *out);
    const size_t used = n > most ? most : n;
    for (size_t i = 0; i < used; i++) {
        const int32_t id = i + 1 == used ? ids[n - 1] : ids[i];
        OK(ctx, precis_model_read_f32(m, at, (uint64_t)id * width, width, row));
        for (size_t c = 0; c < width; c++) out[c] += (double)row[c];
    }
    for (size_t c = 0; c < width; c++) norm += out[c] * out[c];
    for (size_t c = 0; c < width; c++) out[c] /= sqrt(norm);
    precis_ids_free(t, ids);
    precis_tokenizer_close(&t);
    free(row);
}

static precis_model *encoder(precis_ctx *ctx)
{
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    m->net = &table_net;
    return m;
}

static void test_embedding(void **state)
{
    static const char *const texts[] = { "The cat sat on the mat.", "It was the best of times, it was the worst", "a" };
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m = encoder(ctx);
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.arithmetic = PRECIS_REFERENCE;
    for (uint32_t context = 4; context <= 64; context += 60) { /* the first cuts, and the last token stays */
        precis_runner *r;
        precis_tokenizer *t;
        o.context = o.batch = o.outputs = context;
        OK(ctx, precis_runner_open(ctx, &r, m, &o));
        OK(ctx, precis_tokenizer_open(ctx, &t, m));
        const size_t width = r->lm.width;
        float *got = malloc(width * sizeof *got);
        double *want = malloc(width * sizeof *want);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            OK(ctx, precis_embed_text(r, t, texts[i], strlen(texts[i]), got));
            by_hand(ctx, m, texts[i], context, want, width);
            for (size_t c = 0; c < width; c++) assert_true(fabs((double)got[c] - want[c]) < 1e-6);
        }
        free(got);
        free(want);
        precis_tokenizer_close(&t);
        precis_runner_close(&r);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

static const struct { const char *one, *two; double score; } pairs[] = {
    { "The cat sat.", "The cat, sat.", 4.5 },      { "A \"dog\" ran away", "He was a king", 0.5 },
    { "The sea, the sea", "The sea the sea", 4.5 }, { "no", "It was a dark and stormy night", 0 },
    { "She sang", "She sings", 3.25 },
};
enum { PAIRS = sizeof pairs / sizeof *pairs };

/* Ranks by definition: how many are less, and half of how many are the same. */
static double spearman(const double *x, const double *y, size_t n)
{
    double a[PAIRS], b[PAIRS], sx = 0, sy = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        a[i] = b[i] = 0;
        for (size_t k = 0; k < n; k++) {
            a[i] += x[k] < x[i] ? 1 : x[k] == x[i] ? 0.5 : 0;
            b[i] += y[k] < y[i] ? 1 : y[k] == y[i] ? 0.5 : 0;
        }
    }
    for (size_t i = 0; i < n; i++) sx += a[i] / (double)n, sy += b[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        xx += (a[i] - sx) * (a[i] - sx);
        yy += (b[i] - sy) * (b[i] - sy);
        xy += (a[i] - sx) * (b[i] - sy);
    }
    return xy / sqrt(xx * yy);
}

static void test_pairs(void **state)
{
    static const char csv[] = "first,second,score\n"
                              "The cat sat.,\"The cat, sat.\",4.5\n"
                              "\"A \"\"dog\"\" ran away\",He was a king,0.5,more,columns\r\n"
                              "\"The sea, the sea\",The sea the sea,4.5 \n\n  \n"
                              "no,It was a dark and stormy night,0\n"
                              "She sang,She sings,3.25";
    double *one, *two, cosine[PAIRS], score[PAIRS];
    precis_similarity s = { .size = sizeof s };
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = encoder(ctx);
    const size_t width = (size_t)pcs_model_tensor(m, "token_embd.weight")->ne[0];
    one = malloc(2 * width * sizeof *one);
    two = one + width;
    for (size_t i = 0; i < PAIRS; i++) {
        by_hand(ctx, m, pairs[i].one, 512, one, width);
        by_hand(ctx, m, pairs[i].two, 512, two, width);
        cosine[i] = 0;
        for (size_t c = 0; c < width; c++) cosine[i] += one[c] * two[c];
        score[i] = pairs[i].score;
    }
    free(one);
    OK(ctx, precis_eval_similarity(ctx, m, csv, sizeof csv - 1, PRECIS_REFERENCE, &s));
    assert_int_equal(s.pairs, PAIRS);
    assert_true(fabs(s.spearman - spearman(cosine, score, PAIRS)) < 1e-12);
    assert_true(fabs(s.pearson - pcs_correlation(cosine, score, PAIRS)) < 1e-5);

    static const struct { const char *csv; precis_status status; const char *says; } bad[] = {
        { "a,b,1\nc,d,2\n", PRECIS_EINVAL, "2 pairs" },
        { "", PRECIS_EINVAL, "0 pairs" },
        { "a,b,1\nc,d,nan\ne,f,2\ng,h,3\n", PRECIS_EFORMAT, "line 2: no sentence,sentence,score" },
        { "a,b,1\nc,d,2\ne,f,inf\n", PRECIS_EFORMAT, "line 3:" },
        { "a,b,1\n\"c\nc\",d,2\ne,f,4x\n", PRECIS_EFORMAT, "line 4:" },
        { "a,b,1\nc,d\n", PRECIS_EFORMAT, "line 2:" },
        { "a,b,1\nc,d,1e999\n", PRECIS_EFORMAT, "line 2:" },
        { "a,b,1\n,d,2\n", PRECIS_OK, "" },
    };
    for (size_t i = 0; i + 1 < sizeof bad / sizeof *bad; i++) {
        const precis_status st = precis_eval_similarity(ctx, m, bad[i].csv, strlen(bad[i].csv), PRECIS_REFERENCE, &s);
        if (st != bad[i].status || !strstr(precis_ctx_message(ctx), bad[i].says))
            fail_msg("%s: status %d, \"%s\"", bad[i].csv, (int)st, precis_ctx_message(ctx));
    }
    assert_int_equal(precis_eval_similarity(ctx, m, "a,b,1\0c,d,2\n", 12, PRECIS_REFERENCE, &s), PRECIS_EFORMAT);
    m->net = NULL; /* a decoder */
    assert_int_equal(precis_eval_similarity(ctx, m, csv, sizeof csv - 1, PRECIS_REFERENCE, &s), PRECIS_EUNSUPPORTED);
    assert_non_null(strstr(precis_ctx_message(ctx), "is no encoder"));
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* A NaN has a rank, too: nothing waits for its end. */
static void test_ranks(void **state)
{
    const double v[5] = { 2, NAN, 1, 2, -1 };
    double r[5];
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    OK(ctx, pcs_ranks(ctx, v, 5, r));
    assert_true(r[1] == r[1]);
    assert_true(pcs_correlation(v + 2, (double[]){ 5, 5, 5 }, 3) == 0);
    precis_ctx_close(&ctx);
}

/* ---- logits that are kept ---------------------------------------------------------------------------------------- */

enum { V = 300 };

/* Codes of 16 bits: what they stand for is within half a step, and the figures are those of the logits. */
static void test_codes(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    const pcs_kernels k = pcs_kernels_for(ctx->cpu);
    static float was[V], x[V];
    static int16_t codes[V];
    for (int kind = 0; kind < 3; kind++) {
        test_fill(was, V, 7, 9);
        for (size_t i = 0; i < V && kind == 1; i++) was[i] = -2.5f; /* no step at all */
        if (kind == 2) was[31] = 60;
        memcpy(x, was, sizeof x);
        const pcs_logits_row r = pcs_logits_code(&k, x, V, 31, codes);
        double sum = 0, coded = 0, top = -1e30;
        size_t best = 0;
        for (size_t i = 0; i < V; i++) {
            sum += exp((double)was[i]);
            coded += exp((double)x[i]);
            if ((double)was[i] > top) top = (double)was[i], best = i;
            assert_true(fabs((double)x[i] - (double)was[i]) <= 0.5 * r.step + 1e-5);
            assert_true(fabs((double)x[i] - (r.low + r.step * (codes[i] + 32768))) < 1e-5);
        }
        assert_true(fabs(r.nll - (log(sum) - (double)was[31])) < 1e-5);
        assert_true(fabs(r.log_sum - log(coded)) < 1e-5);
        assert_int_equal((size_t)r.best, kind == 1 ? (size_t)r.best : best);
    }
    precis_ctx_close(&ctx);
}

static const char text[] = "It was the best of times, it was the worst of times, it was the age of wisdom, it was "
                           "the age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it "
                           "was the season of Light, it was the season of Darkness, it was the spring of hope, it was "
                           "the winter of despair, we had everything before us, we had nothing before us.";

static precis_eval_options coarse(const char *logits)
{
    precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
    o.k_type = o.v_type = "int4"; /* so that something is lost */
    o.window = 32;
    o.windows = 2;
    o.logits = logits;
    return o;
}

static void damage(const char *path, long from_end)
{
    const double nan = NAN;
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, -from_end, SEEK_END);
    assert_int_equal(fwrite(&nan, sizeof nan, 1, f), 1);
    fclose(f);
}

/* Figures with a reference, with its logits as they are written, and from the file alone; and files of others. */
static void test_kept(void **state)
{
    char path[128];
    precis_eval_result with = { .size = sizeof with }, made = with, kept = with;
    precis_model *m;
    (void)state;
    snprintf(path, sizeof path, "/tmp/precis-test-logits-%d.gguf", (int)getpid());
    precis_ctx *ctx = test_ctx(2);
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    precis_eval_options o = coarse(NULL), file = coarse(path);
    assert_int_equal(precis_eval_text(ctx, m, NULL, text, sizeof text - 1, &file, &made), PRECIS_EIO);
    assert_non_null(strstr(precis_ctx_message(ctx), "there is no reference to make it from"));
    OK(ctx, precis_eval_text(ctx, m, m, text, sizeof text - 1, &o, &with));
    OK(ctx, precis_eval_text(ctx, m, m, text, sizeof text - 1, &file, &made));
    OK(ctx, precis_eval_text(ctx, m, NULL, text, sizeof text - 1, &file, &kept));
    assert_memory_equal(&made, &kept, sizeof made);
    assert_true(with.kld_mean > 1e-4 && fabs(with.kld_mean - kept.kld_mean) < 1e-5);
    assert_true(with.ref_ppl == kept.ref_ppl && with.top1 == kept.top1);

    const struct { const char *path; uint32_t window, windows; precis_arithmetic arithmetic; precis_status status;
                   const char *says; } bad[] = {
        { path, 16, 2, PRECIS_FAST, PRECIS_EINVAL, "of another window (32, not 16)" },
        { path, 32, 1, PRECIS_FAST, PRECIS_EINVAL, "of another text, or number of windows" },
        { path, 32, 2, PRECIS_REFERENCE, PRECIS_EINVAL, "of another arithmetic" },
        { MODEL "/model.safetensors", 32, 2, PRECIS_FAST, PRECIS_EFORMAT, "no file of logits" },
        { path, 3, 2, PRECIS_FAST, PRECIS_EINVAL, "too short" },
        { path, 256, 2, PRECIS_FAST, PRECIS_EINVAL, "less than one window" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o = coarse(bad[i].path);
        o.window = bad[i].window;
        o.windows = bad[i].windows;
        o.arithmetic = bad[i].arithmetic;
        const precis_status st = precis_eval_text(ctx, m, NULL, text, sizeof text - 1, &o, &kept);
        if (st != bad[i].status || !strstr(precis_ctx_message(ctx), bad[i].says))
            fail_msg("row %zu: status %d, \"%s\"", i, (int)st, precis_ctx_message(ctx));
    }
    damage(path, sizeof(double) * 5); /* of the last row's numbers, whatever pads the file */
    damage(path, sizeof(double) * 10);
    assert_int_equal(precis_eval_text(ctx, m, NULL, text, sizeof text - 1, &file, &kept), PRECIS_EFORMAT);
    assert_non_null(strstr(precis_ctx_message(ctx), "is not finite"));
    precis_model_close(&m);
    precis_ctx_close(&ctx);
    unlink(path);
}

/* ---- texts by domain --------------------------------------------------------------------------------------------- */

static char *probe(uint64_t seed, const char *folder, const char *name, size_t *len)
{
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    precis_ctx *ctx;
    char *made;
    o.seed = seed;
    assert_int_equal(precis_ctx_open(&ctx, &o), PRECIS_OK);
    OK(ctx, precis_probe_text(ctx, folder, name, &made, len));
    char *copy = malloc(*len + 1);
    memcpy(copy, made, *len);
    copy[*len] = 0;
    precis_text_free(ctx, made);
    precis_ctx_close(&ctx);
    return copy;
}

static void test_domains(void **state)
{
    static const char *const names[] = { "code", "languages", "prose", "numbers", "noise" };
    size_t n = 0, len[3];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool there = false;
        for (size_t k = 0; precis_probe_name(NULL, k) && !there; k++)
            there = !strcmp(names[i], precis_probe_name(NULL, k));
        if (!there) fail_msg("no domain %s", names[i]);
    }
    while (precis_probe_name(NULL, n)) n++;
    assert_int_equal(n, sizeof names / sizeof *names);
    for (size_t i = 3; i < 5; i++) { /* made of the seed: the same twice, and another with another */
        char *one = probe(1, NULL, names[i], &len[0]), *two = probe(1, NULL, names[i], &len[1]),
             *three = probe(2, NULL, names[i], &len[2]);
        assert_int_equal(len[0], len[1]);
        assert_memory_equal(one, two, len[0]);
        assert_true(len[0] != len[2] || memcmp(one, three, len[0]) != 0);
        free(one);
        free(two);
        free(three);
    }
    char *numbers = probe(5, NULL, "numbers", &len[0]), *at = strchr(numbers, '+');
    size_t sums = 0;
    for (char *line = numbers; *line; line += strcspn(line, "\n") + 1) { /* its sums are right */
        char *end;
        const long a = strtol(line, &end, 10), b = strncmp(end, " + ", 3) ? 0 : strtol(end + 3, &end, 10);
        if (!b || strncmp(end, " = ", 3)) continue;
        assert_int_equal(strtol(end + 3, NULL, 10), a + b);
        sums++;
    }
    assert_true(at && sums > 20 && len[0] >= 9000);
    free(numbers);
    char *prose = probe(5, NULL, "prose", &len[0]), *noise = probe(5, NULL, "noise", &len[1]);
    size_t same = 0; /* about one letter in 25 is struck wrongly: until the first, and again and again after it */
    while (prose[same] && prose[same] == noise[same]) same++;
    assert_true(same < 1000 && len[1] > len[0] - len[0] / 50 && len[1] < len[0] + len[0] / 50);
    free(prose);
    free(noise);
    precis_ctx *ctx = test_ctx(1);
    char *made;
    assert_int_equal(precis_probe_text(ctx, NULL, "udhr-german", &made, &len[0]), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "\"udhr-german\" is no domain"));
    precis_ctx_close(&ctx);
}

/* The Declaration in the encodings of its files: Latin-1 and UTF-8. */
static void test_declaration(void **state)
{
    static const struct { const char *name, *says; } rows[] = {
        { "udhr-german", "W\xc3\xbcrde" },      { "udhr-spanish", "dignidad" },
        { "udhr-turkish", "\xc4\xb0nsan hakl" }, { "udhr-russian", "\xd0\xbf\xd1\x80\xd0\xb0\xd0\xb2" },
    };
    const char *folder = PRECIS_SOURCE_DIR "/../shared/data";
    size_t len, n = 0;
    (void)state;
    while (precis_probe_name(folder, n)) n++;
    if (n <= 5) {
        print_message("SKIP %s/nltk/udhr.zip is not here\n", folder);
        skip();
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *made = probe(0, folder, rows[i].name, &len);
        if (!strstr(made, rows[i].says)) fail_msg("%s lacks \"%s\": %.80s", rows[i].name, rows[i].says, made);
        assert_null(strchr(made, '\r'));
        free(made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedding), cmocka_unit_test(test_pairs), cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_codes),     cmocka_unit_test(test_kept),  cmocka_unit_test(test_domains),
        cmocka_unit_test(test_declaration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
