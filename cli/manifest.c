/* manifest.c - what a quantized file was made from and how, beside it: enough to make it
 * again, byte for byte. No times, no host. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* Options that leave the bytes as they are. */
bool cli_manifest_leaves_out(const char *name)
{
    static const char *const aside[] = { "--output", "--json",      "--quiet", "--threads", "--help",
                                         "--text",   "--chunks",    "--ctx",   "--bench",   "--no-eval",
                                         "--replay", "--mem-limit", "--resume" };
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

/* A member or an item that could not be made, or not be added, must not be missing without a word: NULL then. Takes
 * both over. */
static json_t *with(json_t *o, const char *key, json_t *value)
{
    if (o && value && !(key ? json_object_set_new(o, key, value) : json_array_append_new(o, value))) return o;
    if (!o) json_decref(value); /* else jansson has taken it */
    json_decref(o);
    return NULL;
}

static json_t *tensor_of(const precis_quant_row *r)
{
    json_t *t = json_pack("{s:s, s:s, s:s, s:s, s:f, s:I}", "name", r->tensor, "from", r->from, "type", r->to, "method",
                          r->method, "error", r->error, "tokens", (json_int_t)r->tokens);
    if (!r->experts) return t;
    json_t *each = json_array();
    for (size_t e = 0; e < r->experts; e++) each = with(each, NULL, json_integer((json_int_t)r->expert_tokens[e]));
    return with(t, "expert_tokens", each);
}

static json_t *tensors_of(const precis_job *job)
{
    json_t *list = json_array();
    for (size_t i = 0; i < precis_quant_report_size(job->report); i++) {
        precis_quant_row r = { .size = sizeof r };
        list = with(list, NULL, precis_quant_report_get(job->report, i, &r) ? NULL : tensor_of(&r));
    }
    return list;
}

/* The types of all tensors as one hash: two files of one plan have one. */
static json_t *plan_of(const precis_job *job)
{
    char hex[65], *text = NULL;
    size_t len = 0;
    FILE *f = cli_text_stream(&text, &len);
    for (size_t i = 0; f && i < precis_plan_size(job->plan); i++) {
        precis_plan_row r = { .size = sizeof r };
        precis_plan_get(job->plan, i, &r);
        fprintf(f, "%s=%s\n", r.tensor, r.to);
    }
    const bool bad = !cli_text_close(f, &text);
    if (!bad) precis_sha256(text, len, hex);
    free(text);
    return bad ? NULL : json_pack("{s:I, s:s}", "tensors", (json_int_t)precis_plan_size(job->plan), "sha256", hex);
}

/* Tensors that the method could not be applied to. */
static json_t *fallbacks_of(const precis_job *job)
{
    json_t *list = json_array();
    for (size_t i = 0; i < precis_quant_report_size(job->report); i++) {
        precis_quant_row r = { .size = sizeof r };
        if (precis_quant_report_get(job->report, i, &r) || !strchr(r.method, '(')) continue;
        list = with(list, NULL, json_pack("{s:s, s:s}", "name", r.tensor, "method", r.method));
    }
    return list;
}

/* What makes the bytes: the program, its options, the files that they name, the model, the seed. NULL: out of memory,
 * or what *status says. */
static json_t *recipe(const cli *c, const precis_model *m, precis_status *status)
{
    char hex[65];
    json_t *args = json_array(), *inputs = json_array();
    precis_status st = PRECIS_OK;
    for (int i = 0; i < c->n_given && !st; i++) {
        const char *name = c->given[i].option->name, *value = c->given[i].value;
        if (cli_manifest_leaves_out(name)) continue;
        args = with(args, NULL, json_string(name));
        if (value) args = with(args, NULL, json_string(value));
        if (!cli_manifest_hashes(name) || (st = precis_sha256_file(c->ctx, value, hex))) continue;
        inputs = with(inputs, NULL,
                      json_pack("{s:s, s:o, s:s}", "option", name, "path", json_string(value), "sha256", hex));
    }
    if (!st) st = precis_model_sha256(m, hex);
    json_t *o = json_pack("{s:s, s:i, s:s}", "precis", "manifest", "version", 1, "program", precis_version());
    o = with(o, "arguments", args);
    o = with(o, "inputs", inputs);
    if (!st) o = with(o, "model", json_pack("{s:o, s:s}", "path", json_string(c->args[0]), "tensors_sha256", hex));
    o = with(o, "seed", json_integer((json_int_t)c->seed));
    *status = st || o ? st : PRECIS_ENOMEM;
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

precis_status cli_manifest_text(void *user, const precis_job *job, const char **text, size_t *len)
{
    cli_manifest *x = user;
    precis_status st;
    json_t *o = recipe(x->c, x->m, &st);
    if (st) {
        json_decref(o);
        return st;
    }
    o = with(o, "output", json_pack("{s:I, s:s}", "bytes", (json_int_t)job->bytes, "sha256",
                                    precis_quant_report_sha256(job->report)));
    o = with(o, "tensors", tensors_of(job));
    o = with(o, "plan", plan_of(job));
    o = with(o, "fallbacks", fallbacks_of(job));
    json_error_t e = { .line = 0 };
    json_t *calibration = *job->calibration ? json_loads(job->calibration, 0, &e) : NULL;
    const bool memory = calibration || !*job->calibration || json_error_code(&e) != json_error_out_of_memory;
    o = with(o, "calibration", calibration || !memory ? calibration : json_null());
    if (o && !cli_lacks_memory(x->c))
        x->text = json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(9) | JSON_SORT_KEYS);
    json_decref(o);
    if (!x->text || cli_lacks_memory(x->c)) return PRECIS_ENOMEM; /* what is dumped may lack a part, too */
    *text = x->text;
    *len = strlen(x->text);
    return PRECIS_OK;
}
