/* test_gguf.h - small GGUF files that tests make: keys in the order they are added, F32 tensors with seeded numbers. */
#ifndef PRECIS_TEST_GGUF_H
#define PRECIS_TEST_GGUF_H

#include "test.h"

typedef struct { char name[96]; uint32_t dims; uint64_t ne[3]; float *x; } test_tensor;
typedef struct { char *keys; size_t len; uint64_t n_keys, n; test_tensor t[96]; } test_gguf;

static inline void test_put(test_gguf *g, const void *p, size_t n)
{
    g->keys = realloc(g->keys, g->len + n);
    assert_non_null(g->keys);
    memcpy(g->keys + g->len, p, n);
    g->len += n;
}

static inline void test_put_text(test_gguf *g, const char *s)
{
    const uint64_t n = strlen(s);
    test_put(g, &n, 8);
    test_put(g, s, n);
}

static inline void test_key(test_gguf *g, const char *key, uint32_t type, const void *value, size_t bytes)
{
    test_put_text(g, key);
    test_put(g, &type, 4);
    if (type == 8) test_put_text(g, value);
    else test_put(g, value, bytes);
    g->n_keys++;
}

static inline void test_key_text(test_gguf *g, const char *key, const char *value) { test_key(g, key, 8, value, 0); }
static inline void test_key_u32(test_gguf *g, const char *key, uint32_t value) { test_key(g, key, 4, &value, 4); }
static inline void test_key_f32(test_gguf *g, const char *key, float value) { test_key(g, key, 6, &value, 4); }

typedef struct { uint64_t a, b, c; } test_shape; /* [c][b][a]: a varies fastest; c or b 0: fewer dimensions */
typedef struct { float base, scale; } test_noise;

/* A tensor of base + scale * noise, or a copy of `x`. */
static inline float *test_add(test_gguf *g, const char *name, test_shape s, test_noise of, const float *x)
{
    const uint64_t a = s.a, b = s.b, c = s.c;
    assert_true(g->n < sizeof g->t / sizeof *g->t);
    test_tensor *t = &g->t[g->n++];
    const size_t n = (size_t)(a * (b ? b : 1) * (c ? c : 1));
    snprintf(t->name, sizeof t->name, "%s", name);
    t->dims = c ? 3 : b ? 2 : 1;
    t->ne[0] = a, t->ne[1] = b, t->ne[2] = c;
    t->x = malloc(n * sizeof *t->x);
    assert_non_null(t->x);
    if (x) memcpy(t->x, x, n * sizeof *x);
    else {
        test_fill(t->x, n, 1000 + g->n, of.scale);
        for (size_t i = 0; i < n; i++) t->x[i] += of.base;
    }
    return t->x;
}

/* Writes the file and forgets everything. */
static inline void test_write_gguf(test_gguf *g, const char *path)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    const uint32_t version = 3, type = 0;
    assert_true(fwrite("GGUF", 4, 1, f) && fwrite(&version, 4, 1, f) && fwrite(&g->n, 8, 1, f) &&
                fwrite(&g->n_keys, 8, 1, f) && fwrite(g->keys, g->len, 1, f));
    uint64_t offset = 0;
    for (uint64_t i = 0; i < g->n; i++) {
        const test_tensor *t = &g->t[i];
        const uint64_t len = strlen(t->name);
        assert_true(fwrite(&len, 8, 1, f) && fwrite(t->name, len, 1, f) && fwrite(&t->dims, 4, 1, f) &&
                    fwrite(t->ne, 8, t->dims, f) == t->dims && fwrite(&type, 4, 1, f) && fwrite(&offset, 8, 1, f));
        offset += (4 * t->ne[0] * (t->dims > 1 ? t->ne[1] : 1) * (t->dims > 2 ? t->ne[2] : 1) + 31) / 32 * 32;
    }
    for (uint64_t i = 0; i < g->n; i++) {
        test_tensor *t = &g->t[i];
        while (ftell(f) % 32) fputc(0, f);
        const size_t n = (size_t)(t->ne[0] * (t->dims > 1 ? t->ne[1] : 1) * (t->dims > 2 ? t->ne[2] : 1));
        assert_int_equal(fwrite(t->x, 4, n, f), n);
        free(t->x);
    }
    free(g->keys);
    assert_int_equal(fclose(f), 0);
    *g = (test_gguf){ 0 };
}

#endif
