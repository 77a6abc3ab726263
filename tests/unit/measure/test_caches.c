/* Types of the cache by layer: what they take and lose, and the best of them under a budget, against all there are. */
#include "test.h"

#include "measure/caches.h"
#include "plan/profile.h"

#include <math.h>

static const char *const names[PCS_CACHE_TYPES] = { "f16", "int8", "int4" };

/* Types "a,b;c,d" of two layers as places in `names`: keys and values of the first, then of the second. */
static void picks_of(const char *types, int picks[4])
{
    static const int place[4] = { 0, 2, 1, 3 }; /* keys of all layers come first */
    for (int i = 0; i < 4; i++) {
        const size_t len = strcspn(types, ",;");
        picks[place[i]] = -1;
        for (int t = 0; t < PCS_CACHE_TYPES; t++)
            if (strlen(names[t]) == len && !memcmp(names[t], types, len)) picks[place[i]] = t;
        assert_true(picks[place[i]] >= 0);
        assert_int_equal(types[len], i == 1 ? ';' : i == 3 ? 0 : ',');
        types += len + 1;
    }
}

static void test_best(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t s = seed, kv = 0, least = 0;
        pcs_caches c = { .ctx = ctx, .layers = 2 };
        c.parts = pcs_alloc(ctx, 5, sizeof *c.parts);
        for (int i = 0; i < 4; i++)
            for (int t = 0; t < PCS_CACHE_TYPES; t++) {
                c.parts[i].bytes[t] = (uint64_t)(64 >> t) * (1 + pcs_rand(&s) % 20);
                c.parts[i].loss[t] = t ? (double)(pcs_rand(&s) % 1000) / 100 * t : 0;
            }
        for (int i = 0; i < 4; i++) {
            uint64_t low = UINT64_MAX;
            for (int t = 0; t < PCS_CACHE_TYPES; t++) low = c.parts[i].bytes[t] < low ? c.parts[i].bytes[t] : low;
            least += low;
        }
        const uint64_t budget = least + pcs_rand(&s) % 1500;
        double best = INFINITY, loss = 0;
        for (int k = 0; k < 81; k++) {
            uint64_t bytes = 0;
            double sum = 0;
            for (int i = 0, r = k; i < 4; i++, r /= 3) bytes += c.parts[i].bytes[r % 3], sum += c.parts[i].loss[r % 3];
            if (bytes <= budget && sum < best) best = sum;
        }
        char *types;
        OK(ctx, pcs_caches_solve(&c, budget, &types, &kv, &loss));
        int picks[4];
        uint64_t bytes = 0;
        double sum = 0;
        picks_of(types, picks);
        for (int i = 0; i < 4; i++) bytes += c.parts[i].bytes[picks[i]], sum += c.parts[i].loss[picks[i]];
        if (bytes > budget || bytes != kv || fabs(sum - loss) > 1e-9 || fabs(loss - best) > 1e-9)
            fail_msg("seed %llu: %s loses %g in %llu bytes, the best is %g in %llu", (unsigned long long)seed, types,
                     loss, (unsigned long long)kv, best, (unsigned long long)budget);
        pcs_free(ctx, types);
        assert_int_equal(pcs_caches_solve(&c, least - 1, &types, &kv, &loss), PRECIS_EBUDGET);
        assert_null(types);
        pcs_caches_close(&c);
        assert_null(c.parts);
    }
    precis_ctx_close(&ctx);
}

/* A profile that has probes of all caches of a model with so many layers; `but`: a probe that is left out. */
static precis_profile *profile_of(precis_ctx *ctx, size_t layers, const char *but)
{
    precis_profile *p;
    OK(ctx, pcs_profile_new(ctx, &p));
    for (size_t l = 0; l < layers; l++)
        for (int which = 0; which < 2; which++)
            for (int t = 1; t < PCS_CACHE_TYPES; t++) {
                char name[48];
                snprintf(name, sizeof name, "blk.%zu.cache_%c", l, which ? 'v' : 'k');
                if (but && !strcmp(name, but) && t == 2) continue;
                OK(ctx, pcs_profile_add(p, name, names[t], 0.01 * t, which ? 0.001 * t : -0.001, 1e-5));
            }
    return p;
}

static void test_of_model(void **state)
{
    (void)state;
    enum { CONTEXT = 256 };
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    pcs_caches c;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, pcs_caches_open(ctx, &c, m, CONTEXT, 1000, NULL));
    assert_null(c.parts); /* nothing is known of what they lose */
    const size_t layers = c.layers;
    assert_true(layers > 0 && c.most > c.least);
    precis_profile *part = profile_of(ctx, layers, "blk.0.cache_v"), *p = profile_of(ctx, layers, NULL);
    OK(ctx, pcs_caches_open(ctx, &c, m, CONTEXT, 1000, part));
    assert_null(c.parts); /* nor of all */
    OK(ctx, pcs_caches_open(ctx, &c, m, CONTEXT, 1000, p));
    assert_non_null(c.parts);
    assert_int_equal(c.work, 1000);
    uint64_t as[PCS_CACHE_TYPES] = { 0 };
    for (size_t i = 0; i < 2 * layers; i++) {
        for (int t = 0; t < PCS_CACHE_TYPES; t++) as[t] += c.parts[i].bytes[t];
        assert_true(c.parts[i].loss[0] == 0);
        assert_true(c.parts[i].loss[1] == (i % 2 ? 0.001 : 0)); /* one below 0 is noise */
        assert_true(c.parts[i].loss[2] == (i % 2 ? 0.002 : 0));
    }
    assert_int_equal(as[0], c.most);
    assert_int_equal(as[2], c.least);
    assert_true(as[1] > as[2] && as[1] < as[0]);
    /* what a runner takes with these types is what was said */
    for (int t = 0; t < PCS_CACHE_TYPES; t++) {
        precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
        precis_runner_info info = { .size = sizeof info };
        precis_runner *r;
        o.context = CONTEXT;
        o.k_type = o.v_type = names[t];
        OK(ctx, precis_runner_open(ctx, &r, m, &o));
        precis_runner_get_info(r, &info);
        assert_int_equal(info.kv_bytes, as[t]);
        precis_runner_close(&r);
    }
    char *types;
    uint64_t bytes;
    double loss;
    OK(ctx, pcs_caches_solve(&c, c.most, &types, &bytes, &loss));
    assert_true(loss == 0 && bytes <= c.most);
    pcs_free(ctx, types);
    OK(ctx, pcs_caches_solve(&c, c.least, &types, &bytes, &loss));
    assert_int_equal(bytes, c.least);
    assert_true(fabs(loss - 0.002 * (double)layers) < 1e-12);
    assert_null(strstr(types, "f16"));
    pcs_free(ctx, types);
    pcs_caches_close(&c);
    precis_profile_close(&part);
    precis_profile_close(&p);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_best), cmocka_unit_test(test_of_model) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
