/* manifest.c - what a quantized file was made from and how, beside it: enough to make it again, byte for byte. No times, no host. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Options that leave the bytes as they are. */
bool cli_manifest_leaves_out(const char *name)
{
    static const char *const aside[] = { "--output", "--json", "--quiet", "--threads", "--help", "--text", "--chunks", "--ctx", "--bench", "--no-eval", "--replay", "--mem-limit", "--resume" };
    for (size_t i = 0; i < sizeof aside / sizeof *aside; i++)
        if (!strcmp(aside[i], name)) return true;
    return false;
}

/* Options whose files are a part of what makes the bytes. */
bool cli_manifest_hashes(const char *name)
{
    static const char *const files[] = { "--calib", "--imatrix", "--profile", "--plan" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strcmp(files[i], name)) return true;
    return false;
}

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
        if (cli_manifest_leaves_out(name)) continue;
        json_array_append_new(args, json_string(name));
        if (value) json_array_append_new(args, json_string(value));
        if (cli_manifest_hashes(name) && !(st = precis_sha256_file(c->ctx, value, hex)))
            json_array_append_new(inputs, json_pack("{s:s, s:s, s:s}", "option", name, "path", value, "sha256", hex));
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
