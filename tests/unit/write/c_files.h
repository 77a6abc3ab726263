/* c_files.h - C files of nets, compiled together into one program that reads a case's input and prints its outputs: as
 * a caller of such a file would. One compilation for all of them, since each file's names are its own. */
#ifndef TEST_C_FILES_H
#define TEST_C_FILES_H

#include "read/onnx_arrays.h"
#include "read/onnx_net.h"
#include "precis/quant_net.h"

#define CASES 2048

/* One written file with what it must give. */
typedef struct {
    char name[32], what[160];
    onnx_bytes input, want; /* of its one input, and of all outputs one after another */
    bool loose;             /* floats may differ in their last bits from what the library computes */
    uint32_t outputs;
    uint64_t bytes[8];
} c_case;

static c_case c_cases[CASES];
static size_t n_c_cases;

static inline void c_path(char *path, size_t room, const char *name, const char *end)
{
    snprintf(path, room, "%s/%s%s", test_folder(), name, end);
}

static inline bool there_is_cc(void)
{
    if (!system("cc --version >/dev/null 2>&1")) return true;
    printf("skipped: what the files compute (there is no cc)\n");
    return false;
}

/* The next case: NAME.c of an open net, and what a run of it gives. */
static inline c_case *c_case_of(precis_ctx *ctx, precis_net *net, const precis_array *in, const char *what)
{
    assert_true(n_c_cases < CASES);
    c_case *c = &c_cases[n_c_cases++];
    const precis_array *got;
    snprintf(c->what, sizeof c->what, "%s", what);
    OK(ctx, precis_net_run(net, in, 1, &got));
    onnx_put(&c->input, in->data, in->bytes);
    c->outputs = (uint32_t)precis_net_outputs(net);
    assert_true(c->outputs <= ONNX_COUNT(c->bytes));
    for (uint32_t i = 0; i < c->outputs; i++) {
        onnx_put(&c->want, got[i].data, got[i].bytes);
        c->bytes[i] = got[i].bytes;
        c->loose = c->loose || !strcmp(got[i].type, "F32") || !strcmp(got[i].type, "F64");
    }
    return c;
}

#define C_HELP \
    "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" \
    "static void *take(size_t n)\n{\n    void *p = malloc(n + !n);\n" \
    "    if (!p || fread(p, 1, n, stdin) != n) exit(2);\n    return p;\n}\n" \
    "static void *room(size_t n)\n{\n    unsigned char *p = malloc(n + 16);\n    if (!p) exit(2);\n" \
    "    memset(p, 0xa5, n + 16);\n    return p;\n}\n" \
    "static void give(void *at, size_t n)\n{\n    unsigned char *p = at;\n    int i;\n" \
    "    for (i = 0; i < 16; i++)\n        if (p[n + i] != 0xa5) exit(4);\n" \
    "    if (fwrite(p, 1, n, stdout) != n) exit(3);\n    free(p);\n}\n"

/* main() of all: "PROGRAM < inputs > outputs", sizes are known here. It ends with 4 where a case writes after its
 * outputs. */
static inline void c_main(FILE *f)
{
    fprintf(f, "%s", C_HELP);
    for (size_t i = 0; i < n_c_cases; i++) fprintf(f, "#include \"%s.c\"\n", c_cases[i].name);
    fprintf(f, "static int failed;\n");
    for (size_t i = 0; i < n_c_cases; i++) {
        const c_case *c = &c_cases[i];
        fprintf(f, "static void run_%zu(void)\n{\n    void *x = take(%zu)", i, c->input.n);
        for (uint32_t k = 0; k < c->outputs; k++)
            fprintf(f, ", *y%u = room(%llu)", k, (unsigned long long)c->bytes[k]);
        fprintf(f, ";\n    failed |= %s_run(x", c->name);
        for (uint32_t k = 0; k < c->outputs; k++) fprintf(f, ", y%u", k);
        fprintf(f, ");\n    free(x);\n");
        for (uint32_t k = 0; k < c->outputs; k++)
            fprintf(f, "    give(y%u, %llu);\n", k, (unsigned long long)c->bytes[k]);
        fprintf(f, "}\n");
    }
    fprintf(f, "int main(void)\n{\n");
    for (size_t i = 0; i < n_c_cases; i++) fprintf(f, "    run_%zu();\n", i);
    fprintf(f, "    return failed;\n}\n");
}

static inline void c_compile(void)
{
    char path[160], command[640];
    c_path(path, sizeof path, "all", ".c");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    c_main(f);
    assert_int_equal(fclose(f), 0);
    snprintf(command, sizeof command,
             "cd '%s' && cc -std=c99 -Wall -Wextra -Wpedantic -Werror -O0 all.c -o all && ./all <inputs >outputs",
             test_folder());
    FILE *in = NULL;
    c_path(path, sizeof path, "inputs", "");
    in = fopen(path, "wb");
    assert_non_null(in);
    for (size_t i = 0; i < n_c_cases; i++)
        assert_int_equal(fwrite(c_cases[i].input.data, 1, c_cases[i].input.n, in), c_cases[i].input.n);
    assert_int_equal(fclose(in), 0);
    assert_int_equal(system(command), 0);
}

static inline bool c_same(const c_case *c, const unsigned char *got)
{
    if (!memcmp(got, c->want.data, c->want.n)) return true;
    if (!c->loose || c->want.n % 4) return false;
    for (size_t i = 0; i < c->want.n; i += 4) {
        float a, b;
        memcpy(&a, got + i, 4);
        memcpy(&b, c->want.data + i, 4);
        if (!same(a, b)) return false;
    }
    return true;
}

/* Compile and run all cases, compare, forget them. */
static inline void c_check(void)
{
    char path[160];
    size_t n = 0, at = 0;
    differences = 0;
    c_compile();
    c_path(path, sizeof path, "outputs", "");
    unsigned char *got = test_read(path, &n);
    assert_non_null(got);
    for (size_t i = 0; i < n_c_cases; i++) {
        c_case *c = &c_cases[i];
        if (at + c->want.n > n) fail_msg("%s (%s): its outputs are missing", c->what, c->name);
        if (!c_same(c, got + at)) DIFFERS("%s (%s): the C file gives other numbers", c->what, c->name);
        at += c->want.n;
        free(c->input.data), free(c->want.data);
    }
    assert_int_equal(at, n);
    free(got);
    memset(c_cases, 0, sizeof c_cases);
    n_c_cases = 0;
    assert_int_equal(differences, 0);
}

#endif
