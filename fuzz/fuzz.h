/* fuzz.h - what the targets share: a context without threads and with little memory, and bytes as a file. */
#ifndef PRECIS_FUZZ_H
#define PRECIS_FUZZ_H

#include "precis/precis.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline precis_ctx *fuzz_ctx(void)
{
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    o.threads = 1;
    precis_ctx *ctx;
    return precis_ctx_open(&ctx, &o) ? NULL : ctx;
}

/* A context's realloc: no block of more than *user bytes. */
static inline void *fuzz_bounded(void *user, void *old, size_t size)
{
    if (size > *(const size_t *)user) return NULL;
    if (size) return realloc(old, size);
    free(old);
    return NULL;
}

/* The bytes as a file that a path names; closed with close(). */
static inline int fuzz_file(const uint8_t *data, size_t size, char path[64])
{
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0) abort();
    for (size_t at = 0; at < size;) {
        const ssize_t k = write(fd, data + at, size - at);
        if (k <= 0) abort();
        at += (size_t)k;
    }
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

/* All that may be done with a model that opened. */
static inline void fuzz_model(precis_ctx *ctx, precis_model *m)
{
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    for (size_t i = 0; i < info.keys && i < 64; i++) {
        const char *key;
        char text[100];
        precis_model_get_key(m, i, &key, text, sizeof text);
    }
    for (size_t i = 0; i < info.tensors && i < 64; i++) {
        precis_tensor_info t = { .size = sizeof t };
        int found;
        uint64_t element;
        float value;
        if (precis_model_get_tensor(m, i, &t)) abort();
        if (t.bytes < 1 << 16) precis_model_check_finite(m, i, &found, &element, &value);
    }
    precis_tokenizer *t;
    if (!precis_tokenizer_open(ctx, &t, m)) {
        static const char text[] = "Hello <|im_end|> w\xc3\xb6rld  12 \xff\n\n's";
        int32_t *ids;
        size_t n, len;
        if (!precis_tokenizer_encode(t, text, sizeof text - 1, PRECIS_TEXT_ADD | PRECIS_TEXT_PARSE, &ids, &n))
            for (size_t i = 0; i < n; i++) precis_tokenizer_piece(t, ids[i], 1, &len);
        precis_ids_free(t, ids);
        precis_tokenizer_close(&t);
    }
    precis_runner *r;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.context = 16;
    ro.batch = 4;
    if (info.bytes < 1 << 20 && !precis_runner_open(ctx, &r, m, &ro)) {
        const precis_row row = { 0, 0, 0, 1 };
        const float *logits;
        precis_runner_decode(r, &row, 1, &logits);
        precis_runner_close(&r);
    }
    precis_plan *p;
    if (!precis_plan_types(ctx, &p, m, "Q4_K_M", 0)) precis_plan_close(&p);
}

static inline int fuzz_path(const char *path)
{
    precis_ctx *ctx = fuzz_ctx();
    precis_model *m;
    if (!ctx) return 0;
    if (!precis_model_open_to_run(ctx, &m, path)) fuzz_model(ctx, m);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
    return 0;
}

#endif
