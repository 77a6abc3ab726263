/* onnx_nodes - the node tests of the onnx package: every folder of standard input (a line each) is run and compared; a
 * line each of "passed", "unsupported", "wrong" or "failed", with the folder and why. usage: onnx_nodes [THREADS] <
 * LIST
 *
 * Folders have model.onnx and test_data_set_K/{input,output}_I.pb, which are TensorProtos; those that hold something
 * else are "other". Tolerances are the package's own: 1e-3 relative, 1e-7 absolute, or what stands behind the folder
 * and a tab. */
#include "base/fmath_more.h"
#include "base/builtins.h"
#include "precis/precis.h"
#include "read/onnx/onnx.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST 64

static precis_ctx *ctx;
static double absolute;

typedef struct {
    char *data;
    size_t size;
} file;

static bool slurp(const char *folder, const char *name, int set, const char *what, int i, file *out)
{
    char path[1024];
    if (what) snprintf(path, sizeof path, "%s/test_data_set_%d/%s_%d.pb", folder, set, what, i);
    else snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    fseek(f, 0, SEEK_END);
    out->size = (size_t)ftell(f);
    rewind(f);
    out->data = malloc(out->size + 1);
    const bool ok = fread(out->data, 1, out->size, f) == out->size;
    fclose(f);
    return ok;
}

static bool close_to(double a, double b)
{
    if (a != a || b != b) return a != a && b != b;
    if (a == b) return true;
    return pcs_abs(a - b) <= absolute + 1e-3 * pcs_abs(b);
}

/* "" or what differs. */
static const char *compare(const precis_array *got, const pcs_onnx_tensor *want)
{
    static char why[200];
    if (strcmp(got->type, pcs_dtype_name(want->dtype))) {
        snprintf(why, sizeof why, "type %s, not %s", got->type, pcs_dtype_name(want->dtype));
        return why;
    }
    bool same = got->dims == want->dims;
    for (uint32_t i = 0; i < want->dims && same; i++) same = got->shape[i] == want->shape[i];
    if (!same) {
        int at = snprintf(why, sizeof why, "shape");
        for (uint32_t i = 0; i < got->dims; i++)
            at += snprintf(why + at, sizeof why - (size_t)at, " %lld", (long long)got->shape[i]);
        at += snprintf(why + at, sizeof why - (size_t)at, ", not");
        for (uint32_t i = 0; i < want->dims; i++)
            at += snprintf(why + at, sizeof why - (size_t)at, " %lld", (long long)want->shape[i]);
        return why;
    }
    const pcs_arg a = { .dtype = want->dtype, .data = (void *)(uintptr_t)got->data },
                  b = { .dtype = want->dtype, .data = (void *)(uintptr_t)want->data };
    for (int64_t i = 0; i < want->count; i++) {
        const bool ok = pcs_dtype_whole(want->dtype) ? pcs_int_at(&a, (size_t)i) == pcs_int_at(&b, (size_t)i)
                                                     : close_to(pcs_real_at(&a, (size_t)i), pcs_real_at(&b, (size_t)i));
        if (ok) continue;
        snprintf(why, sizeof why, "element %lld of %lld is %.9g, not %.9g", (long long)i, (long long)want->count,
                 pcs_real_at(&a, (size_t)i), pcs_real_at(&b, (size_t)i));
        return why;
    }
    return "";
}

typedef struct {
    file files[MOST];
    pcs_onnx_tensor t[MOST];
    precis_array arrays[MOST];
    int n;
} data;

static bool load(const char *folder, int set, const char *what, pcs_onnx *reader, pcs_arena *arena, data *d)
{
    for (d->n = 0; d->n < MOST && slurp(folder, NULL, set, what, d->n, &d->files[d->n]); d->n++) {
        const uint8_t *p = (const uint8_t *)d->files[d->n].data;
        pcs_onnx_tensor *t = &d->t[d->n];
        reader->start = p;
        if (pcs_onnx_read_tensor(reader, arena, (pcs_proto){ p, p + d->files[d->n].size }, t)) {
            d->n++; /* for who frees */
            return false;
        }
        d->arrays[d->n] = (precis_array){ .size = sizeof(precis_array),
                                          .type = pcs_dtype_name(t->dtype),
                                          .dims = t->dims,
                                          .data = t->data,
                                          .bytes = (uint64_t)t->count * pcs_dtype_bytes(t->dtype) };
        memcpy(d->arrays[d->n].shape, t->shape, sizeof t->shape);
    }
    return true;
}

static const char *one_set(precis_net *net, const char *folder, int set, const char **why)
{
    pcs_onnx reader = { .ctx = ctx, .file = { .path = (char *)(uintptr_t)folder, .fd = -1 } };
    static data in, out;
    const precis_array *got;
    const char *verdict = "passed";
    pcs_arena arena;
    pcs_arena_init(&arena, ctx);
    in.n = out.n = 0;
    if (!load(folder, set, "input", &reader, &arena, &in) || !load(folder, set, "output", &reader, &arena, &out))
        verdict = "other", *why = precis_ctx_message(ctx);
    else if ((size_t)in.n > precis_net_inputs(net)) verdict = "failed", *why = "has more inputs than the net";
    else {
        for (int i = 0; i < in.n; i++) {
            precis_array port;
            precis_net_input(net, (size_t)i, &port);
            in.arrays[i].name = port.name;
        }
        const precis_status st = precis_net_run(net, in.arrays, (size_t)in.n, &got);
        if (st) verdict = st == PRECIS_EUNSUPPORTED ? "unsupported" : "failed", *why = precis_ctx_message(ctx);
        for (int i = 0; i < out.n && !st && !strcmp(verdict, "passed"); i++)
            if (*(*why = compare(&got[i], &out.t[i]))) verdict = "wrong";
    }
    for (int i = 0; i < in.n; i++) free(in.files[i].data);
    for (int i = 0; i < out.n; i++) free(out.files[i].data);
    pcs_arena_free(&arena);
    return verdict;
}

static void one(const char *folder)
{
    char path[1024], probe[1100];
    const char *why = "", *verdict = "passed";
    precis_net *net;
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    const precis_status st = precis_net_open(ctx, &net, path);
    if (st) verdict = st == PRECIS_EUNSUPPORTED ? "unsupported" : "failed", why = precis_ctx_message(ctx);
    for (int set = 0; !st && !strcmp(verdict, "passed"); set++) {
        snprintf(probe, sizeof probe, "%s/test_data_set_%d", folder, set);
        if (!pcs_is_dir(probe)) break;
        verdict = one_set(net, folder, set, &why);
    }
    printf("%s\t%s\t%s\n", verdict, folder, why);
    fflush(stdout);
    precis_net_close(&net);
}

int main(int argc, char **argv)
{
    char line[1000];
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    o.threads = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;
    if (precis_ctx_open(&ctx, &o)) return 4;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        char *tab = strchr(line, '\t');
        absolute = tab ? strtod(tab + 1, NULL) : 1e-7;
        if (tab) *tab = 0;
        one(line);
    }
    precis_ctx_close(&ctx);
    return 0;
}
