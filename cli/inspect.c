/* precis inspect - what is in a model file. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { "--tensor", 0, "NAME", "write one tensor as little-endian f32" },
    { "--output", 'o', "OUT", "where --tensor goes (- is stdout)" },
    { "--keys", 0, NULL, "list the metadata too" },
    { "--overflow", 0, NULL, "bounds on the integer accumulators of every kernel, from the real weights; exit 1 where one could overflow" },
    { "--check", 0, NULL, "look for NaN and infinity in every tensor" },
    { 0 },
};

/* Every tensor and kernel: how far its accumulators can go. */
static int prove(cli *c, const precis_model *m)
{
    enum { ROWS = 64 };
    precis_overflow rows[ROWS];
    precis_model_info info = { .size = sizeof info };
    const precis_status sound = precis_model_check(m); /* no proof holds for scales that are NaN */
    if (sound) return cli_fail(c, sound);
    precis_model_get_info(m, &info);
    json_t *list = json_array();
    size_t bad = 0, proved = 0, floats = 0;
    if (!c->json) printf("%-36s %-8s %-24s %12s %12s %8s\n", "tensor", "type", "kernel, lane (tightest)", "bound", "limit", "used");
    for (size_t i = 0; i < info.tensors; i++) {
        precis_tensor_info t = { .size = sizeof t };
        size_t n, worst = 0;
        const precis_status st = precis_overflow_check(c->ctx, m, i, rows, ROWS, &n);
        if (st) {
            json_decref(list);
            return cli_fail(c, st);
        }
        precis_model_get_tensor(m, i, &t);
        floats += !n;
        for (size_t k = 0; k < n; k++) {
            bad += rows[k].overflows != 0;
            proved += !rows[k].overflows;
            if ((double)rows[k].bound / (double)rows[k].limit > (double)rows[worst].bound / (double)rows[worst].limit) worst = k;
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:b}", "tensor", t.name, "type", t.type, "kernel", rows[k].kernel, "isa", rows[k].isa, "bits", (int)rows[k].bits, "products", (int)rows[k].products,
                                                  "bound", (json_int_t)rows[k].bound, "limit", (json_int_t)rows[k].limit, "overflows", rows[k].overflows));
        }
        if (!c->json && n) {
            char kernel[64];
            snprintf(kernel, sizeof kernel, "%s/%s, int%u", rows[worst].kernel, rows[worst].isa, rows[worst].bits);
            printf("%-36s %-8s %-24s %12lld %12lld %7.2f%%%s\n", t.name, t.type, kernel, (long long)rows[worst].bound, (long long)rows[worst].limit, 100.0 * (double)rows[worst].bound / (double)rows[worst].limit, rows[worst].overflows ? "  OVERFLOWS" : "");
        }
    }
    int rc;
    if (c->json) rc = cli_print_json(c, json_pack("{s:o, s:I, s:I, s:I}", "accumulators", list, "proved", (json_int_t)proved, "overflows", (json_int_t)bad, "float_tensors", (json_int_t)floats));
    else {
        json_decref(list);
        if (bad) printf("%zu accumulators could overflow\n", bad);
        else printf("%zu accumulators proved: none can overflow, whatever the input; %zu tensors are multiplied as floats\n", proved, floats);
        rc = cli_done(c);
    }
    return rc ? rc : bad ? EXIT_NEGATIVE : EXIT_DONE;
}

/* To a pipe: as it is read. */
static int stream_tensor(cli *c, const precis_model *m, size_t i, uint64_t n)
{
    enum { PART = 65536 }; /* a multiple of every block */
    float *x = cli_grow(NULL, PART * sizeof *x);
    if (!x) return cli_fail(c, PRECIS_ENOMEM);
    precis_status st = PRECIS_OK;
    for (uint64_t at = 0; at < n && !st && !ferror(stdout); at += PART) {
        const uint64_t k = n - at < PART ? n - at : PART;
        st = precis_model_read_f32(m, i, at, k, x);
        if (!st) fwrite(x, sizeof *x, k, stdout);
    }
    free(x);
    return st ? cli_fail(c, st) : cli_done(c);
}

static int write_tensor(cli *c, const precis_model *m, const char *name)
{
    const char *path = cli_get(c, "--output");
    if (!path) return cli_usage(c, "--tensor needs -o FILE");
    size_t i;
    precis_status st = precis_model_find_tensor(m, name, &i);
    if (st) return cli_fail(c, st);
    precis_tensor_info info = { .size = sizeof info };
    precis_model_get_tensor(m, i, &info);
    uint64_t n = 1;
    for (uint32_t d = 0; d < info.dims; d++) n *= (uint64_t)info.shape[d];
    if (!strcmp(path, "-")) return stream_tensor(c, m, i, n);
    st = precis_tensor_export(m, i, path);
    if (st) return cli_fail(c, st);
    return c->json ? cli_print_json(c, json_pack("{s:s, s:I}", "out", path, "elements", (json_int_t)n)) : EXIT_DONE;
}

static json_t *tensor_json(const precis_tensor_info *t)
{
    json_t *shape = json_array();
    for (uint32_t d = 0; d < t->dims; d++) json_array_append_new(shape, json_integer(t->shape[d]));
    return json_pack("{s:s, s:o, s:s, s:I, s:I}", "name", t->name, "shape", shape, "type", t->type, "bytes", (json_int_t)t->bytes, "offset",
                     (json_int_t)t->offset);
}

static int print_json(cli *c, const precis_model *m, const precis_model_info *info)
{
    json_t *tensors = json_array(), *out = json_pack("{s:s, s:s, s:I, s:I, s:I, s:f}", "format", info->format, "architecture", info->architecture, "parameters",
                                                     (json_int_t)info->parameters, "bytes", (json_int_t)info->bytes, "file_bytes",
                                                     (json_int_t)info->file_bytes, "bits_per_weight", info->bits_per_weight);
    for (size_t i = 0; i < info->tensors; i++) {
        precis_tensor_info t = { .size = sizeof t };
        precis_model_get_tensor(m, i, &t);
        json_array_append_new(tensors, tensor_json(&t));
    }
    if (cli_has(c, "--keys")) {
        json_t *keys = json_object();
        for (size_t i = 0; i < info->keys; i++) {
            const char *key;
            char text[4096];
            precis_model_get_key(m, i, &key, text, sizeof text);
            json_object_set_new(keys, key, json_stringn_nocheck(text, strlen(text)));
        }
        json_object_set_new(out, "keys", keys);
    }
    json_object_set_new(out, "tensors", tensors);
    return cli_print_json(c, out);
}

/* Names come from files: control bytes would write to the terminal. */
static const char *safe(const char *s, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s", s);
    return cli_printable(buf);
}

static void print_tensors(const precis_model *m, const precis_model_info *info)
{
    printf("\n%-44s %-22s %-8s %12s %14s\n", "tensor", "shape", "type", "bytes", "offset");
    for (size_t i = 0; i < info->tensors; i++) {
        precis_tensor_info t = { .size = sizeof t };
        precis_model_get_tensor(m, i, &t);
        char shape[96] = "", name[128];
        for (uint32_t d = 0, at = 0; d < t.dims && at < 80; d++) at += (uint32_t)snprintf(shape + at, sizeof shape - at, "%s%lld", d ? " x " : "", (long long)t.shape[d]);
        printf("%-44s %-22s %-8s %12llu %14llu\n", safe(t.name, name, sizeof name), shape, t.type, (unsigned long long)t.bytes, (unsigned long long)t.offset);
    }
}

static int check(cli *c, const precis_model *m, const precis_model_info *info)
{
    int bad = 0;
    for (size_t i = 0; i < info->tensors; i++) {
        int found;
        uint64_t element;
        float value;
        precis_tensor_info t = { .size = sizeof t };
        precis_model_get_tensor(m, i, &t);
        const precis_status st = precis_model_check_finite(m, i, &found, &element, &value);
        if (st == PRECIS_EUNSUPPORTED) continue;
        if (st) return cli_fail(c, st);
        if (found) bad += cli_error(c, "tensor %s: element %llu is %g", t.name, (unsigned long long)element, (double)value) > 0;
    }
    if (!bad && !c->quiet) fprintf(stderr, "all numbers are finite\n");
    return bad ? EXIT_NEGATIVE : -1;
}

static int run(cli *c)
{
    if (precis_net_probe(c->ctx, c->args[0])) return cli_net_inspect(c);
    precis_model *m;
    const precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    if (st) return cli_fail(c, st);
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    int rc = cli_has(c, "--check") ? check(c, m, &info) : -1;
    if (rc >= 0) {}
    else if (cli_has(c, "--overflow")) rc = prove(c, m);
    else if (cli_has(c, "--tensor")) rc = write_tensor(c, m, cli_get(c, "--tensor"));
    else if (c->json) rc = print_json(c, m, &info);
    else {
        char size[32], name[128];
        printf("%s, %s: %llu parameters in %zu tensors, %s, %.2f bits per weight\n", info.format, *info.architecture ? safe(info.architecture, name, sizeof name) : "no architecture",
               (unsigned long long)info.parameters, info.tensors, cli_bytes((double)info.bytes, size), info.bits_per_weight);
        for (size_t i = 0; i < info.keys && cli_has(c, "--keys"); i++) {
            const char *key;
            char text[160], clean[160];
            precis_model_get_key(m, i, &key, text, sizeof text);
            printf("  %-44s %s\n", safe(key, name, sizeof name), safe(text, clean, sizeof clean));
        }
        print_tensors(m, &info);
        rc = cli_done(c);
    }
    precis_model_close(&m);
    return rc;
}

const cli_command cli_inspect = {
    "inspect", "FILE", "what is in a model file, and is it whole",
    "Reads GGUF (split too), safetensors (file or folder) and llama2.c checkpoints, mapped, not copied. Of a folder it reads\n"
    "what transformers would: model.safetensors, else the shards of its index; a file beside a config.json finds its folder.\n"
    "--json gives format, architecture, parameters, bytes, bits_per_weight and every tensor's name, shape, type,\n"
    "bytes and offset. --tensor NAME -o RAW writes one tensor as f32.\n"
    "Of an ONNX net: inputs, outputs, and every op with its number; --json gives ops, unsupported, inputs and\n"
    "outputs.",
    1, 1, options, run,
    "  precis inspect model.gguf --keys\n"
    "  precis inspect model.gguf --check\n"
    "  precis inspect small.gguf --overflow\n"
    "  precis inspect model.gguf --tensor token_embd.weight -o embedding.f32\n",
    NULL,
};
