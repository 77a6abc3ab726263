/* Laws: gradients of every row against differences, expressions, files, tables, inversions. */
#include "law/evaluate.h"
#include "law/fit.h"
#include "law/saved.h"
#include "test.h"

#include <math.h>
#include <unistd.h>

/* ---- gradients --------------------------------------------------------------------------------------------------- */

enum { ROWS = 8 };

/* Values of all variables in all rows, and their logarithms: what a tape reads. */
typedef struct {
    double values[PCS_VARS][ROWS], logs[PCS_VARS][ROWS];
    const double *v[PCS_VARS], *l[PCS_VARS];
} inputs;

static double value_at(int v, int r, bool select)
{
    if (v == PCS_VAR_bits_a || v == PCS_VAR_bits_kv) return 6 + r;
    if (select && (v == PCS_VAR_bits_w || v == PCS_VAR_bits_bwd)) return 4;
    switch (v) {
    case PCS_VAR_N: return 1e8 * (r + 1);
    case PCS_VAR_D: return 3e9 * (r + 2);
    case PCS_VAR_block: return 64;
    case PCS_VAR_sparsity: return 0;
    case PCS_VAR_qat: return 0.1 + 0.05 * r;
    case PCS_VAR_exponent: case PCS_VAR_bits_post: return 4;
    case PCS_VAR_mantissa: return 3;
    default: return 8;
    }
}

static void fill_inputs(inputs *in, bool select)
{
    for (int v = 0; v < PCS_VARS; v++) {
        for (int r = 0; r < ROWS; r++) {
            in->values[v][r] = value_at(v, r, select);
            in->logs[v][r] = log(in->values[v][r]);
        }
        in->v[v] = in->values[v], in->l[v] = in->logs[v];
    }
}

/* g: by the tape, of the sum over rows; compared with differences. */
static void check_params(const precis_law *law, pcs_tape *t, unsigned flags, double *x, const double *g)
{
    for (int p = 0; p < law->n_params; p++) {
        double sum[2] = { 0 };
        const double keep = x[p], h = 1e-5 * fmax(1, fabs(keep));
        for (int side = 0; side < 2; side++) {
            x[p] = keep + (side ? h : -h);
            const double *f = pcs_tape_run(t, x);
            for (int r = 0; r < ROWS; r++) sum[side] += f[r];
        }
        x[p] = keep;
        const double want = (sum[1] - sum[0]) / (2 * h);
        if (!(fabs(g[p] - want) <= 2e-5 * (fabs(want) + 1e-4 * fabs(sum[0]))))
            fail_msg("law %s, %s, flags %u: %g, differences say %g", law->name, law->params[p].name, flags, g[p], want);
    }
}

static void check_tokens(pcs_tape *t, inputs *in, const double *x, const double *slope)
{
    double *D = in->values[PCS_VAR_D], *logs = in->logs[PCS_VAR_D];
    for (int r = 0; r < ROWS; r++) {
        double f[2];
        const double keep = D[r];
        for (int side = 0; side < 2; side++) {
            D[r] = keep * (side ? 1 + 1e-5 : 1 - 1e-5);
            logs[r] = log(D[r]);
            f[side] = pcs_tape_run(t, x)[r];
        }
        D[r] = keep, logs[r] = log(keep);
        const double want = (f[1] - f[0]) / (2e-5 * keep);
        assert_true(fabs(slope[r] - want) <= 1e-4 * fabs(want) + 1e-9 * fabs(f[0]) / keep);
    }
}

static void check_gradients(precis_ctx *ctx, precis_law *law, unsigned flags)
{
    const int node = pcs_law_let(law, "loss");
    assert_true(node >= 0);
    static const double one[ROWS] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    double g[PCS_LAW_PARAMS], x[PCS_LAW_PARAMS], slope[ROWS];
    inputs in;
    fill_inputs(&in, strstr(law->form, "select"));
    pcs_tape *t;
    const pcs_tape_rows rows = { ROWS, in.v, in.l };
    OK(ctx, pcs_tape_open(ctx, &t, law, node, flags | PCS_TAPE_VARIABLES, &rows));
    for (int p = 0; p < law->n_params; p++) x[p] = pcs_param_in(&law->params[p], law->params[p].value);
    pcs_tape_run(t, x);
    pcs_tape_back(t, one, g);
    for (int r = 0; r < ROWS; r++) assert_true(pcs_tape_variable(t, PCS_VAR_D, r, &slope[r]));
    check_params(law, t, flags, x, g);
    check_tokens(t, &in, x, slope);
    pcs_tape_close(&t);
}

static void test_gradients(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    int laws = 0;
    for (; precis_law_name((size_t)laws); laws++) {
        precis_law *law;
        OK(ctx, precis_law_open(ctx, &law, precis_law_name((size_t)laws)));
        for (int p = 0; p < law->n_params; p++)
            if (isnan(law->params[p].value)) law->params[p].value = 0.4 + 0.03 * p;
        for (unsigned flags = 0; flags <= PCS_TAPE_LOG; flags++) check_gradients(ctx, law, flags);
        precis_law_close(&law);
    }
    assert_true(laws >= 15);
    precis_ctx_close(&ctx);
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static double value_of(precis_ctx *ctx, const char *expression)
{
    char text[512];
    precis_law *law;
    double v;
    precis_law_point p;
    precis_law_point_init(&p);
    p.v[PRECIS_LAW_N] = 100;
    p.v[PRECIS_LAW_D] = 1000;
    const int n = snprintf(text, sizeof text,
                           "law t\nparam A = 3 positive\nparam k = -2\nlet y = A + 1\nlet base = %s\n", expression);
    OK(ctx, pcs_law_read(ctx, &law, "t", text, (size_t)n));
    OK(ctx, precis_law_output(law, "base", &p, &v));
    precis_law_close(&law);
    return v;
}

static void test_expressions(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    static const struct { const char *text; double value; } cases[] = {
        { "1 + 2 * 3", 7 }, { "(1 + 2) * 3", 9 }, { "2 ^ 3 ^ 2", 512 }, { "-2 ^ 2", -4 }, { "2 ^ -1 * 4", 2 },
        { "8 / 4 / 2", 1 }, { "5 - 3 - 1", 1 }, { "- -3", 3 }, { "A * y", 12 }, { "k * k", 4 }, { "A ^ k", 1.0 / 9 },
        { "log(exp(2))", 2 }, { "log2(8)", 3 }, { "log10(N)", 2 }, { "sqrt(16)", 4 }, { "min(2, k)", -2 },
        { "max(N, D)", 1000 }, { "pow(2, 5)", 32 }, { "select(N, 1, 5, 100, 7)", 7 },
        { "select(bits_w, 16, A, 4, 2)", 3 }, { "N / D + 2e-1", 0.3 }, { "+3", 3 }, { "(((4)))", 4 },
        { "A/N^0.5 + D*2 - 1", 3.0 / 10 + 2000 - 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double v = value_of(ctx, cases[i].text);
        if (!(fabs(v - cases[i].value) <= 1e-12 * fmax(1, fabs(cases[i].value))))
            fail_msg("%s = %.17g, not %.17g", cases[i].text, v, cases[i].value);
    }
    precis_ctx_close(&ctx);
}

static void test_refused(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    static const char *const bad[] = {
        "", "1 +", "* 2", "(1", "1)", "1 2", "A A", "exp()", "exp(1, 2)", "select(N, 1)", "select(N, A, 2)",
        "nothing", "exp 1", "1 $ 2", "f(1)", "1,2", "max(1)", "1e999", "()"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[512];
        precis_law *law;
        const int n = snprintf(text, sizeof text, "law t\nparam A = 3 positive\nlet base = %s\n", bad[i]);
        if (pcs_law_read(ctx, &law, "t", text, (size_t)n) != PRECIS_EFORMAT) fail_msg("\"%s\" is accepted", bad[i]);
        assert_null(law);
        assert_non_null(strstr(precis_ctx_message(ctx), "line 3, column"));
    }
    static const char *const lines[] = {
        "param A = x", "param A = -1 positive", "param N = 1", "param A = 1 odd", "set s Q=1", "domain X 1 2",
        "domain N 2 1", "what", "let 1a = 2", "let base 2", "law x y # z\nlet base = 1 1"
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[512];
        precis_law *law;
        const int n = snprintf(text, sizeof text, "law t\n%s\n", lines[i]);
        if (pcs_law_read(ctx, &law, "t", text, (size_t)n) != PRECIS_EFORMAT) fail_msg("\"%s\" is accepted", lines[i]);
    }
    enum { DEEP = 200000 };
    char *deep = malloc(DEEP); /* depth and size are bounded, and nothing recurses */
    precis_law *law;
    for (int kind = 0; kind < 3; kind++) {
        static const char *const steps[] = { "(", "-", "1+" };
        size_t n = (size_t)snprintf(deep, DEEP, "law t\nlet base = ");
        for (int i = 0; i < 20000; i++) n += (size_t)snprintf(deep + n, DEEP - n, "%s", steps[kind]);
        n += (size_t)snprintf(deep + n, DEEP - n, "1\n");
        assert_int_equal(pcs_law_read(ctx, &law, "t", deep, n), PRECIS_EFORMAT);
    }
    free(deep);
    precis_ctx_close(&ctx);
}

/* ---- inversions -------------------------------------------------------------------------------------------------- */

static void test_inversions(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    static const char *const names[] = { "chinchilla", "chinchilla:hoffmann", "kumar", "sun", "ouyang", "quest",
                                         "quartet" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        precis_law *law;
        OK(ctx, precis_law_open(ctx, &law, names[i]));
        for (double eff = 0.05; eff < 1; eff += 0.19) { /* additive loss and multiplier are one thing */
            double added, back, closed;
            OK(ctx, precis_law_added(law, 1e9, 1e11, eff, &added));
            OK(ctx, precis_law_multiplier(law, 1e9, 1e11, added, &back));
            assert_true(fabs(back / eff - 1) < 1e-9);
            if (!strncmp(names[i], "chinchilla", 10)) { /* Chen et al. 2025: [A / (A + delta N^alpha)]^(1 / alpha) */
                const double A = law->params[0].value, alpha = law->params[3].value;
                closed = pow(A / (A + added * pow(1e9, alpha)), 1 / alpha);
                assert_true(fabs(closed / eff - 1) < 1e-9);
            }
        }
        precis_law_close(&law);
    }
    /* P* does not depend on the budget, nor on A, B, alpha, beta: argmax f(P) / c(P) */
    static const double budgets[] = { 1e18, 1e21, 1e24, 1e27 };
    double bits[8];
    for (int i = 0; i < 8; i++) {
        precis_law *law;
        precis_law_choice c[1];
        size_t n = 1;
        precis_law_budget b = PRECIS_LAW_BUDGET_INIT;
        precis_law_point_init(&b.point);
        OK(ctx, precis_law_open(ctx, &law, "kumar"));
        if (i >= 4) {
            OK(ctx, precis_law_set_param(law, "alpha", 0.2 + 0.1 * i / 4));
            OK(ctx, precis_law_set_param(law, "B", 900));
        }
        b.compute = budgets[i % 4];
        b.continuous = 1;
        OK(ctx, precis_law_optimal(law, &b, c, &n));
        bits[i] = c[0].bits;
        assert_true(fabs(c[0].cost / b.compute - 1) < 1e-9);
        precis_law_close(&law);
        assert_true(fabs(bits[i] - 7.002109285) < 2e-6);
    }
    precis_ctx_close(&ctx);
}

/* ---- fits -------------------------------------------------------------------------------------------------------- */

static const char *table(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/precis-law-XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

/* Losses of a known law with noise; the fit finds it again, and the saved file predicts the same. */
static void test_recovery(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    static char text[65536];
    size_t n = (size_t)snprintf(text, sizeof text, "N,D,bits_w,loss\n");
    uint64_t s = 5;
    precis_law *law;
    OK(ctx, precis_law_open(ctx, &law, "kumar-float"));
    for (int i = 0; i < 120; i++) {
        static const double widths[] = { 3, 4, 5, 6, 8, 12, 16 };
        precis_law_point p;
        precis_law_value v = { .size = sizeof v };
        precis_law_point_init(&p);
        p.v[PRECIS_LAW_N] = 3e7 * pow(30, pcs_rand_unit(&s));
        p.v[PRECIS_LAW_D] = 1e9 * pow(50, pcs_rand_unit(&s));
        p.v[PRECIS_LAW_BITS_W] = widths[i % 7];
        OK(ctx, precis_law_predict(law, &p, &v));
        n += (size_t)snprintf(text + n, sizeof text - n, "%.17g,%.17g,%g,%.17g\n", p.v[PRECIS_LAW_N], p.v[PRECIS_LAW_D],
                             p.v[PRECIS_LAW_BITS_W], v.loss * exp(0.001 * (pcs_rand_unit(&s) - 0.5)));
    }
    precis_law_fit f = { .size = sizeof f };
    precis_law_fit_options o = PRECIS_LAW_FIT_OPTIONS_INIT;
    o.bootstrap = 60;
    o.profile = o.holdout = 1;
    const char *path = table(text);
    OK(ctx, precis_law_fit_run(ctx, &f, law, path, &o));
    unlink(path);
    assert_true(f.n == 120 && f.starts_at_optimum >= 2 && f.resamples == 60 && f.n_holdouts > 8);
    for (int i = 0; i < law->n_params; i++) /* within four standard errors */
        if (!(fabs(f.values[i] - law->params[i].value) < 4 * f.se[i]))
            fail_msg("%s: %g +- %g, not %g", law->params[i].name, f.values[i], f.se[i], law->params[i].value);
    char saved[64] = "/tmp/precis-fit-XXXXXX";
    close(mkstemp(saved));
    OK(ctx, precis_law_fit_save(ctx, &f, saved));
    precis_law *again;
    OK(ctx, precis_law_open(ctx, &again, saved));
    unlink(saved);
    assert_int_equal(again->n_samples, 60);
    assert_memory_equal(again->samples, f.law->samples, 60 * (size_t)law->n_params * sizeof(double));
    precis_law_point p;
    precis_law_value a = { .size = sizeof a }, b = { .size = sizeof b }, t = { .size = sizeof t };
    precis_law_point_init(&p);
    p.v[PRECIS_LAW_N] = 2e8, p.v[PRECIS_LAW_D] = 1e10, p.v[PRECIS_LAW_BITS_W] = 4;
    OK(ctx, precis_law_predict(f.law, &p, &a));
    OK(ctx, precis_law_predict(again, &p, &b));
    OK(ctx, precis_law_predict(law, &p, &t));
    assert_true(a.loss == b.loss && a.low == b.low && a.high == b.high && a.low < a.loss && a.loss < a.high);
    assert_true(fabs(t.loss - a.loss) < 0.003 && !a.outside);
    p.v[PRECIS_LAW_N] = 2e12;
    OK(ctx, precis_law_predict(again, &p, &b));
    assert_true(b.outside);
    precis_law_close(&again);
    precis_law_fit_close(&f);
    precis_law_close(&law);
    precis_ctx_close(&ctx);
}

static void test_tables(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_law *law, *quest;
    OK(ctx, precis_law_open(ctx, &law, "chinchilla"));
    OK(ctx, precis_law_open(ctx, &quest, "eff-exp"));
    static const struct { const char *text, *message;
    } cases[] = {
        { "", "is empty" },
        { "N,D\n1,2\n", "no column of loss" },
        { "N,loss\n1,2\n", "no column of D" },
        { "D,loss\n1,2\n", "no column of N" },
        { "N,D,loss\n1e8,1e9,x\n", "row 2, column 3 (loss): \"x\" is no number" },
        { "N,D,loss\n1e8,1e9,3\n1e8,-1,3\n", "row 3, column 2 (D): -1 is not positive" },
        { "N,D,loss\n1e8,nan,3\n", "row 2, column 2 (D): nan is not finite" },
        { "N,D,loss\n0,1e9,3\n", "is not positive" },
        { "N,D,loss\n1e8,1e9,\n", "nothing is there" },
        { "N,D,loss\n1e8,1e9\n", "2 fields, and the header has 3" },
        { "N,D,loss\n\"1e8,1e9,3\n", "quotation mark" },
        { "N,D,loss\n1e8,1e9,3\n", "1 row cannot determine 5 parameters" },
        { "N,D,loss\n", "none of its 0 rows" },
        { "N,D,loss\n1e8,1e9,0\n", "is not positive" },
        { "N,D,bits_w,loss\n1e8,1e9,inf,2\n", "not finite" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        precis_law_fit f = { .size = sizeof f };
        const precis_law_fit_options o = PRECIS_LAW_FIT_OPTIONS_INIT;
        const char *path = table(cases[i].text);
        const precis_status st = precis_law_fit_run(ctx, &f, law, path, &o);
        unlink(path);
        if (st == PRECIS_OK || !strstr(precis_ctx_message(ctx), cases[i].message))
            fail_msg("case %zu: %d \"%s\", not \"%s\"", i, st, precis_ctx_message(ctx), cases[i].message);
    }
    /* one width only: gamma is not identifiable, and is held where it has a value */
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof text, "N,D,w_bits,loss\n");
    for (int i = 0; i < 24; i++) {
        const double N = 1e8 * (1 + i % 5), D = 1e9 * (1 + i);
        n += (size_t)snprintf(text + n, sizeof text - n, "%g,%g,4,%.12g\n", N, D,
                              400 / pow(N, 0.34) + 400 / pow(D, 0.28) + 1.7);
    }
    precis_law_fit f = { .size = sizeof f };
    const precis_law_fit_options o = PRECIS_LAW_FIT_OPTIONS_INIT;
    const char *path = table(text);
    OK(ctx, precis_law_fit_run(ctx, &f, quest, path, &o));
    unlink(path);
    assert_true(f.n_warnings > 0 && strstr(f.warnings[0], "g is not identifiable: all rows have bits_w 4"));
    precis_law_fit_close(&f);
    precis_law_close(&quest);
    precis_law_close(&law);
    precis_ctx_close(&ctx);
}

static void test_saved(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    static const char *const bad[] = {
        "{}",
        "{\"text\": 1}",
        "{\"text\": \"law t\"}",
        "{\"text\": \"law t\\nparam A = 1 positive\\nlet base = A\", \"params\": {\"B\": 1}}",
        "{\"text\": \"law t\\nparam A = 1 positive\\nlet base = A\", \"params\": {\"A\": -1}}",
        "{\"text\": \"law t\\nparam A = 1 positive\\nlet base = A\", \"samples\": [1]}",
        "{\"text\": \"law t\\nparam A = 1 positive\\nlet base = A\", \"samples\": [[1, 2]]}",
        "{\"text\": \"law t\\nparam A = 1\\nlet base = A\", \"domain\": {\"N\": [2, 1]}}",
        "{"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        precis_law *law;
        if (pcs_saved_read(ctx, &law, "f", bad[i], strlen(bad[i])) != PRECIS_EFORMAT)
            fail_msg("%s is accepted", bad[i]);
        assert_null(law);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_gradients), cmocka_unit_test(test_expressions),
                                        cmocka_unit_test(test_refused), cmocka_unit_test(test_inversions),
                                        cmocka_unit_test(test_recovery), cmocka_unit_test(test_tables),
                                        cmocka_unit_test(test_saved) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
