/* test.h - what the unit tests share. Each failing test prints the seed that repeats it. */
#ifndef PRECIS_TEST_H
#define PRECIS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "precis/precis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL PRECIS_SOURCE_DIR "/models/gutenberg-7m"
#define CORPUS PRECIS_SOURCE_DIR "/fuzz/corpus"

static inline precis_ctx *test_ctx(uint32_t threads)
{
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    o.threads = threads;
    precis_ctx *ctx;
    assert_int_equal(precis_ctx_open(&ctx, &o), PRECIS_OK);
    return ctx;
}

#define OK(ctx, call) \
    do { \
        const precis_status st_ = (call); \
        if (st_) fail_msg("%s: %s", #call, precis_ctx_message(ctx)); \
    } while (0)

/* Roughly normal numbers. */
static inline void test_fill(float *x, size_t n, uint64_t seed, float scale)
{
    for (size_t i = 0; i < n; i++) {
        double s = 0;
        for (int k = 0; k < 6; k++) s += pcs_rand_unit(&seed) - 0.5;
        x[i] = (float)s * scale;
    }
}

static inline void *test_read(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    *len = (size_t)ftell(f);
    rewind(f);
    char *data = malloc(*len + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *len, f), *len);
    data[*len] = 0;
    fclose(f);
    return data;
}

static inline void test_write(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static char test_folder_path[64];

static inline void test_remove_folder(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", test_folder_path);
    if (system(command)) fprintf(stderr, "%s stays\n", test_folder_path);
}

/* A folder of this test, in memory where there is such a place; removed at the end. */
static inline const char *test_folder(void)
{
    if (!*test_folder_path) {
        snprintf(test_folder_path, sizeof test_folder_path, "/dev/shm/precis-XXXXXX");
        if (!mkdtemp(test_folder_path)) {
            snprintf(test_folder_path, sizeof test_folder_path, "tmp-XXXXXX");
            if (!mkdtemp(test_folder_path)) fail_msg("no temporary folder");
        }
        atexit(test_remove_folder);
    }
    return test_folder_path;
}

#endif
