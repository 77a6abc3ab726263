/* manifest.c - what a quantized file was made from and how, beside it: enough to make it again, byte for byte. No times, no host. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Options that leave the bytes as they are. */
static bool is_aside(const char *name)
{
    static const char *const aside[] = { "--output", "--json", "--quiet", "--threads", "--help", "--text", "--chunks", "--ctx", "--bench", "--no-eval", "--replay", "--mem-limit", "--resume" };
    for (size_t i = 0; i < sizeof aside / sizeof *aside; i++)
        if (!strcmp(aside[i], name)) return true;
    return false;
}

static bool is_file(const char *name) { return !strcmp(name, "--calib") || !strcmp(name, "--imatrix") || !strcmp(name, "--profile") || !strcmp(name, "--plan"); }

static json_t *tensors_of(const precis_job *job)
{
    json_t *list = json_array();
    for (size_t i = 0; job->report && i < precis_quant_report_size(job->report); i++) {
        precis_quant_row r = { .size = sizeof r };
        if (precis_quant_report_get(job->report, i, &r)) continue;
        json_t *t = json_pack("{s:s, s:s, s:s, s:s, s:f, s:I}", "name", r.tensor, "from", r.from, "type", r.to, "method", r.method, "error", r.error, "tokens", (json_int_t)r.tokens);
        if (r.experts) {
            json_t *each = json_array();
            for (size_t e = 0; e < r.experts; e++) json_array_append_new(each, json_integer((json_int_t)r.expert_tokens[e]));
            json_object_set_new(t, "expert_tokens", each);
        }
        json_array_append_new(list, t);
    }
    return list;
}

/* The types of all tensors as one hash: two files of one plan have one. */
static json_t *plan_of(const precis_job *job)
{
    size_t len = 0, cap = 1 << 16;
    char hex[65], *text = malloc(cap);
    for (size_t i = 0; text && i < precis_plan_size(job->plan); i++) {
        precis_plan_row r = { .size = sizeof r };
        precis_plan_get(job->plan, i, &r);
        const size_t need = strlen(r.tensor) + strlen(r.to) + 3;
        if (len + need > cap) {
            char *more = realloc(text, cap = 2 * (cap + need));
            if (!more) free(text);
            text = more;
        }
        if (text) len += (size_t)sprintf(text + len, "%s=%s\n", r.tensor, r.to);
    }
    if (!text) return json_null();
    precis_sha256(text, len, hex);
    free(text);
    return json_pack("{s:I, s:s}", "tensors", (json_int_t)precis_plan_size(job->plan), "sha256", hex);
}

/* Tensors that the method could not be applied to. */
static json_t *fallbacks_of(const precis_job *job)
{
    json_t *list = json_array();
    for (size_t i = 0; job->report && i < precis_quant_report_size(job->report); i++) {
        precis_quant_row r = { .size = sizeof r };
        if (!precis_quant_report_get(job->report, i, &r) && strchr(r.method, '(')) json_array_append_new(list, json_pack("{s:s, s:s}", "name", r.tensor, "method", r.method));
    }
    return list;
}

/* What makes the bytes: the program, its options, the files that they name, the model, the seed. */
static json_t *recipe(const cli *c, const precis_model *m, precis_status *status)
{
    char hex[65];
    json_t *args = json_array(), *inputs = json_array();
    precis_status st = PRECIS_OK;
    for (int i = 0; i < c->n_given && !st; i++) {
        const char *name = c->given[i].option->name, *value = c->given[i].value;
        if (is_aside(name)) continue;
        json_array_append_new(args, json_string(name));
        if (value) json_array_append_new(args, json_string(value));
        if (is_file(name) && !(st = precis_sha256_file(c->ctx, value, hex))) json_array_append_new(inputs, json_pack("{s:s, s:s, s:s}", "option", name, "path", value, "sha256", hex));
    }
    json_t *o = json_pack("{s:s, s:i, s:s, s:o, s:o}", "precis", "manifest", "version", 1, "program", precis_version(), "arguments", args, "inputs", inputs);
    if (!st && !(st = precis_model_sha256(m, hex))) json_object_set_new(o, "model", json_pack("{s:s, s:s}", "path", c->args[0], "tensors_sha256", hex));
    json_object_set_new(o, "seed", json_integer((json_int_t)c->seed));
    *status = st;
    return o;
}

char *cli_manifest_key(const cli *c, const precis_model *m)
{
    precis_status st;
    json_t *o = recipe(c, m, &st);
    char *key = st ? NULL : json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(o);
    return key;
}

int cli_manifest_write(const cli *c, const precis_model *m, const precis_job *job, const char *out)
{
    precis_status st;
    json_t *o = recipe(c, m, &st);
    if (!st) json_object_set_new(o, "output", json_pack("{s:I, s:s}", "bytes", (json_int_t)job->bytes, "sha256", precis_quant_report_sha256(job->report)));
    json_object_set_new(o, "tensors", tensors_of(job));
    json_object_set_new(o, "plan", plan_of(job));
    json_object_set_new(o, "fallbacks", fallbacks_of(job));
    json_t *calibration = *job->calibration ? json_loads(job->calibration, 0, NULL) : NULL;
    json_object_set_new(o, "calibration", calibration ? calibration : json_null());
    char *path = malloc(strlen(out) + 32), *part = malloc(strlen(out) + 40);
    int rc = st ? cli_fail(c, st) : -1;
    if (rc < 0 && path && part) {
        sprintf(path, "%s.manifest.json", out);
        sprintf(part, "%s.part", path);
        if (json_dump_file(o, part, JSON_INDENT(1) | JSON_REAL_PRECISION(9) | JSON_SORT_KEYS) || rename(part, path)) {
            rc = cli_error(c, "%s: cannot be written: %s", path, strerror(errno));
            remove(part);
        }
    }
    json_decref(o);
    free(path);
    free(part);
    return rc;
}

/* A member of a manifest; NULL and a message with its path when it is missing or of another type. */
static const char *text_at(const cli *c, const char *file, json_t *o, const char *where, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    if (!s) cli_error(c, "%s: %s.%s is missing, or no string", file, where, key);
    return s;
}

static int check_inputs(const cli *c, const char *file, json_t *manifest)
{
    json_t *inputs = json_object_get(manifest, "inputs");
    char hex[65];
    if (!json_is_array(inputs)) return cli_error(c, "%s: inputs is missing, or no list", file);
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        char where[32];
        snprintf(where, sizeof where, "inputs[%zu]", i);
        json_t *in = json_array_get(inputs, i);
        const char *path = text_at(c, file, in, where, "path"), *sha = text_at(c, file, in, where, "sha256");
        if (!path || !sha) return EXIT_INPUT;
        const precis_status st = precis_sha256_file(c->ctx, path, hex);
        if (st) return cli_fail(c, st);
        if (strcmp(hex, sha)) return cli_error(c, "%s: it has changed since (SHA-256 %.16s..., was %.16s...); the bytes would be others", path, hex, sha), EXIT_NEGATIVE;
    }
    return -1;
}

static int check_model(const cli *c, const char *path, const char *sha)
{
    precis_model *m;
    char hex[65];
    precis_status st = precis_model_open(c->ctx, &m, path);
    if (!st) st = precis_model_sha256(m, hex);
    precis_model_close(&m);
    if (st) return cli_fail(c, st);
    return strcmp(hex, sha) ? cli_error(c, "%s: its tensors have changed since (SHA-256 %.16s..., were %.16s...); the bytes would be others", path, hex, sha), EXIT_NEGATIVE : -1;
}

/* The manifest's arguments as options of this call. */
static int take_arguments(cli *c, const char *file, json_t *args)
{
    if (!json_is_array(args)) return cli_error(c, "%s: arguments is missing, or no list", file);
    for (size_t i = 0; i < json_array_size(args); i++) {
        const char *name = json_string_value(json_array_get(args, i));
        const cli_option *o = name ? cli_option_of(c->command, name) : NULL;
        if (!o || is_aside(o->name)) return cli_error(c, "%s: arguments[%zu]: \"%.40s\" is no option that this version takes", file, i, name ? name : "(no string)");
        const char *value = NULL;
        if (o->arg && !(value = json_string_value(json_array_get(args, ++i)))) return cli_error(c, "%s: arguments[%zu]: %s needs a value", file, i, o->name);
        if (c->n_given == (int)(sizeof c->given / sizeof *c->given)) return cli_usage(c, "too many options");
        c->given[c->n_given].option = o;
        c->given[c->n_given++].value = value;
    }
    return -1;
}

int cli_manifest_replay(cli *c, int (*run)(cli *c))
{
    const char *file = cli_get(c, "--replay"), *out = cli_get(c, "--output");
    json_error_t e;
    if (!out) return cli_usage(c, "give -o FILE");
    json_t *manifest = json_load_file(file, JSON_REJECT_DUPLICATES, &e);
    if (!manifest) return cli_error(c, "%s: line %d: %s", file, e.line, e.text);
    json_t *model = json_object_get(manifest, "model"), *output = json_object_get(manifest, "output");
    const char *kind = text_at(c, file, manifest, "", "precis"), *path = kind ? text_at(c, file, model, "model", "path") : NULL, *sha = path ? text_at(c, file, model, "model", "tensors_sha256") : NULL,
               *made = sha ? text_at(c, file, output, "output", "sha256") : NULL, *program = made ? text_at(c, file, manifest, "", "program") : NULL;
    int rc = program ? -1 : EXIT_INPUT;
    if (rc < 0 && (strcmp(kind, "manifest") || json_integer_value(json_object_get(manifest, "version")) != 1)) rc = cli_error(c, "%s: this is no manifest of version 1", file);
    if (rc < 0 && strcmp(program, precis_version()) && !c->quiet) fprintf(stderr, "note: it was made by precis %s; this is %s\n", program, precis_version());
    if (rc < 0 && json_integer_value(json_object_get(manifest, "seed")) != (json_int_t)c->seed) rc = cli_usage(c, "the manifest's seed is %lld; give --seed %lld", (long long)json_integer_value(json_object_get(manifest, "seed")), (long long)json_integer_value(json_object_get(manifest, "seed")));
    if (rc < 0) rc = check_inputs(c, file, manifest);
    if (rc < 0) rc = check_model(c, path, sha);
    if (rc < 0) rc = take_arguments(c, file, json_object_get(manifest, "arguments"));
    if (rc < 0) {
        char hex[65], *model_path = strdup(path), *args[1] = { model_path }, **old = c->args;
        c->args = args;
        c->n_args = 1;
        rc = run(c);
        c->args = old;
        const precis_status st = rc ? PRECIS_OK : precis_sha256_file(c->ctx, out, hex);
        if (st) rc = cli_fail(c, st);
        else if (!rc && strcmp(hex, made)) {
            cli_error(c, "%s has other bytes than the manifest's (SHA-256 %.16s..., was %.16s...)", out, hex, made);
            rc = EXIT_NEGATIVE;
        } else if (!rc && !c->quiet) fprintf(stderr, "the same bytes: SHA-256 %s\n", hex);
        free(model_path);
    }
    json_decref(manifest);
    return rc;
}
