/* test_text.c - scores of a text: sums that the test makes of its tokens; the reference's logits out of a file; and the
 * texts by domain. */
#include "tiny_model.h"

#include "base/base.h"

static const tiny_shape shape = { 2, 64, 128, 4, 2 };
enum { WINDOW = 32, WINDOWS = 5, SCORED = WINDOWS * (WINDOW - 1 - WINDOW / 2) };

static precis_model *rounded(precis_ctx *ctx, const precis_model *m)
{
    precis_plan *p;
    precis_model *q;
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    o.method = "rtn";
    OK(ctx, precis_plan_types(ctx, &p, m, "INT4_G32", 0));
    OK(ctx, precis_quantize(ctx, m, p, tiny_path("e.precis.gguf"), &o, NULL));
    OK(ctx, precis_model_open(ctx, &q, tiny_path("e.precis.gguf")));
    precis_plan_close(&p);
    return q;
}

typedef struct { size_t n; precis_eval_token t[SCORED + 1]; } tokens;

static void take(void *user, const precis_eval_token *t)
{
    tokens *all = user;
    assert_true(all->n < SCORED + 1);
    all->t[all->n++] = *t;
}

static precis_eval_options options(tokens *all, const char *logits)
{
    precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
    o.arithmetic = PRECIS_REFERENCE;
    o.window = WINDOW;
    o.windows = WINDOWS;
    o.each = take;
    o.user = all;
    o.logits = logits;
    all->n = 0;
    return o;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Means and their errors of what each token gave. */
static void check(const tokens *all, const precis_eval_result *r)
{
    double nll = 0, ref = 0, kld = 0, square = 0, same = 0, dp = 0, d2 = 0, sorted[SCORED];
    assert_int_equal(all->n, SCORED);
    assert_int_equal(r->tokens, SCORED);
    assert_int_equal(r->windows, WINDOWS);
    for (size_t i = 0; i < SCORED; i++) {
        const precis_eval_token *t = &all->t[i];
        const double d = exp(-t->nll) - exp(-t->ref_nll);
        nll += t->nll / SCORED, ref += t->ref_nll / SCORED, kld += t->kld / SCORED, same += t->same / (double)SCORED;
        dp += d / SCORED, d2 += d * d / SCORED;
        sorted[i] = t->kld;
    }
    for (size_t i = 0; i < SCORED; i++) square += (all->t[i].kld - kld) * (all->t[i].kld - kld);
    qsort(sorted, SCORED, sizeof *sorted, ascending);
    assert_true(fabs(r->ppl / exp(nll) - 1) < 1e-9 && fabs(r->ref_ppl / exp(ref) - 1) < 1e-9);
    assert_true(fabs(r->log_ratio - (nll - ref)) < 1e-9 && fabs(r->kld_mean - kld) < 1e-12);
    assert_true(fabs(r->kld_se / sqrt(square / (SCORED - 1) / SCORED) - 1) < 0.01);
    assert_true(r->kld_min == sorted[0] && r->kld_max == sorted[SCORED - 1]);
    assert_true(r->kld_quantile[4] >= sorted[SCORED / 2 - 1] && r->kld_quantile[4] <= sorted[SCORED / 2 + 1]);
    assert_true(fabs(r->top1 - same) < 1e-12 && fabs(r->dp_mean - dp) < 1e-9 && fabs(r->dp_rms - sqrt(d2)) < 1e-9);
}

static void test_sums(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    static tokens all;
    precis_model *m = tiny_open(ctx, &shape), *q = rounded(ctx, m);
    precis_eval_result r = { .size = sizeof r };
    const char text[] = TINY_TEXT TINY_TEXT;
    precis_eval_options o = options(&all, NULL);
    OK(ctx, precis_eval_text(ctx, q, m, text, sizeof text - 1, &o, &r));
    check(&all, &r);
    assert_true(r.kld_mean > 0 && r.has_reference);
    o = options(&all, NULL); /* beside itself */
    OK(ctx, precis_eval_text(ctx, m, m, text, sizeof text - 1, &o, &r));
    assert_true(r.kld_max < 1e-9 && r.log_ratio == 0 && r.top1 == 1 && r.dp_rms == 0);
    const precis_eval_options many = options(&all, NULL);
    assert_int_equal(precis_eval_text(ctx, m, m, "an inn", 6, &many, &r), PRECIS_EINVAL); /* no whole window */
    precis_model_close(&q), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* Written once, read by the next: no reference is run, and figures differ by what 16 bits round. */
static void test_kept(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    static tokens direct, made, read;
    precis_model *m = tiny_open(ctx, &shape), *q = rounded(ctx, m);
    precis_eval_result r = { .size = sizeof r };
    const char text[] = TINY_TEXT TINY_TEXT, *file = tiny_path("l.gguf");
    precis_eval_options o = options(&direct, NULL);
    OK(ctx, precis_eval_text(ctx, q, m, text, sizeof text - 1, &o, &r));
    o = options(&made, file);
    OK(ctx, precis_eval_text(ctx, q, m, text, sizeof text - 1, &o, &r));
    o = options(&read, file);
    OK(ctx, precis_eval_text(ctx, q, NULL, text, sizeof text - 1, &o, &r));
    check(&read, &r);
    for (size_t i = 0; i < SCORED; i++) {
        assert_true(fabs(direct.t[i].kld - read.t[i].kld) < 1e-5);
        assert_true(direct.t[i].nll == read.t[i].nll && fabs(direct.t[i].ref_nll - read.t[i].ref_nll) < 1e-6);
        assert_true(made.t[i].kld == read.t[i].kld && made.t[i].ref_nll == read.t[i].ref_nll);
        assert_int_equal(direct.t[i].same, read.t[i].same);
    }
    /* of another window, text, arithmetic or model it is not */
    static const struct { const char *what; int change; } odd[] = {
        { "window", 0 }, { "text, or number of windows", 1 }, { "text, or number of windows", 2 }, { "arithmetic", 3 },
        { "reference", 4 } };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        o = options(&read, file);
        if (odd[i].change == 0) o.window = 48;
        if (odd[i].change == 1) o.windows = 3;
        if (odd[i].change == 3) o.arithmetic = PRECIS_FAST;
        const char *other = odd[i].change == 2 ? "Another text. " TINY_TEXT TINY_TEXT : text;
        const precis_status st = precis_eval_text(ctx, q, odd[i].change == 4 ? q : m, other, strlen(other), &o, &r);
        if (st != PRECIS_EINVAL || !strstr(precis_ctx_message(ctx), odd[i].what))
            fail_msg("%s: %d, \"%s\"", odd[i].what, (int)st, precis_ctx_message(ctx));
    }
    o = options(&read, tiny_path("none.gguf"));
    assert_int_equal(precis_eval_text(ctx, q, NULL, text, sizeof text - 1, &o, &r), PRECIS_EIO);
    assert_non_null(strstr(precis_ctx_message(ctx), "none.gguf does not exist"));
    o = options(&read, tiny_path("tiny.gguf")); /* a model, and no logits */
    assert_int_equal(precis_eval_text(ctx, q, m, text, sizeof text - 1, &o, &r), PRECIS_EFORMAT);
    assert_non_null(strstr(precis_ctx_message(ctx), "no file of logits"));
    precis_model_close(&q), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* ---- texts by domain -------------------------------------------------------------------------------------- */

static void test_domains(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    char *text, *again, *prose = NULL;
    size_t n, m, n_prose = 0, all = 0;
    const char *name;
    for (; (name = precis_probe_name(NULL, all)); all++) {
        OK(ctx, precis_probe_text(ctx, NULL, name, &text, &n));
        OK(ctx, precis_probe_text(ctx, NULL, name, &again, &m));
        assert_true(n > 1000 && n == m && !memcmp(text, again, n)); /* of the seed alone */
        if (!strcmp(name, "prose")) prose = text, n_prose = n;
        if (!strcmp(name, "numbers")) {
            size_t digits = 0;
            for (size_t i = 0; i < n; i++) digits += text[i] >= '0' && text[i] <= '9';
            assert_true(digits > n / 3);
            /* its sums are right */
            const char *sum = strstr(text, " + ");
            while (sum > text && sum[-1] >= '0' && sum[-1] <= '9') sum--;
            char *end = NULL;
            const long a = strtol(sum, &end, 10), b = strtol(end + 3, &end, 10), c = strtol(end + 3, &end, 10);
            assert_true(a > 0 && b > 0);
            assert_int_equal(a + b, c);
        }
        if (!strcmp(name, "noise")) { /* prose with a wrong letter in 25 */
            assert_non_null(prose);
            assert_true(n > n_prose * 95 / 100 && n < n_prose * 105 / 100);
            size_t same = 0;
            while (same < n && text[same] == prose[same]) same++;
            assert_true(same > 0 && same < 500);
        }
        precis_text_free(ctx, again);
        if (text != prose) precis_text_free(ctx, text);
    }
    precis_text_free(ctx, prose);
    assert_int_equal(all, 5);
    assert_int_equal(precis_probe_text(ctx, NULL, "klingon", &text, &n), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "\"klingon\""));
    assert_null(text);
    precis_ctx_close(&ctx);
}

/* A stored zip of one file: what nltk's archive has, in its usual place. */
static void zip_of(const char *path, const char *name, const char *data)
{
    unsigned char b[4096];
    size_t at = 0;
    uint32_t crc = 0xffffffffu;
    const uint32_t len = (uint32_t)strlen(data), k = (uint32_t)strlen(name);
    for (uint32_t i = 0; i < len; i++) {
        crc ^= (unsigned char)data[i];
        for (int j = 0; j < 8; j++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    crc = ~crc;
#define PUT(v, n) for (int i_ = 0; i_ < (n); i_++) b[at++] = (unsigned char)((uint64_t)(v) >> (8 * i_))
    PUT(0x04034b50, 4); PUT(20, 2); PUT(0, 2); PUT(0, 2); PUT(0, 4); PUT(crc, 4); PUT(len, 4); PUT(len, 4);
    PUT(k, 2); PUT(0, 2);
    memcpy(b + at, name, k), at += k;
    memcpy(b + at, data, len), at += len;
    const size_t central = at;
    PUT(0x02014b50, 4); PUT(20, 2); PUT(20, 2); PUT(0, 2); PUT(0, 2); PUT(0, 4); PUT(crc, 4); PUT(len, 4); PUT(len, 4);
    PUT(k, 2); PUT(0, 2); PUT(0, 2); PUT(0, 2); PUT(0, 2); PUT(0, 4); PUT(0, 4);
    memcpy(b + at, name, k), at += k;
    const size_t size = at - central;
    PUT(0x06054b50, 4); PUT(0, 4); PUT(1, 2); PUT(1, 2); PUT(size, 4); PUT(central, 4); PUT(0, 2);
#undef PUT
    test_write(path, b, at);
}

/* Latin-1 becomes UTF-8, and lines end with a line feed alone. */
static void test_languages(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    char *text;
    size_t n, names = 0;
    const char *folder = test_folder();
    zip_of(tiny_path("udhr.zip"), "udhr/German_Deutsch-Latin1", "Alle Menschen sind frei und gleich an W\xfcrde\r\n");
    while (precis_probe_name(folder, names)) names++;
    assert_true(names > 5);
    OK(ctx, precis_probe_text(ctx, folder, "udhr-german", &text, &n));
    assert_string_equal(text, "Alle Menschen sind frei und gleich an W\xc3\xbcrde\n");
    precis_text_free(ctx, text);
    assert_int_equal(precis_probe_text(ctx, folder, "udhr-hindi", &text, &n), PRECIS_EFORMAT);
    assert_non_null(strstr(precis_ctx_message(ctx), "udhr/Hindi-UTF8 cannot be read"));
    test_write(tiny_path("udhr.zip"), "no archive", 10);
    assert_int_equal(precis_probe_text(ctx, folder, "udhr-german", &text, &n), PRECIS_EFORMAT);
    assert_non_null(strstr(precis_ctx_message(ctx), "zip archive"));
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_sums), cmocka_unit_test(test_kept),
                                        cmocka_unit_test(test_domains), cmocka_unit_test(test_languages) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
