/* net_manifest.c - what a quantized net was made from and how, beside it: as the manifest of a language model, but that
 * the model's hash is that of its file, and that `floats` names the nodes that measurements of this machine, or
 * --max-drop, left in float. A replay takes these and measures nothing, so it makes the same bytes on any machine. */
#include "quant_net.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *cli_input_path(const char *value)
{
    struct stat at;
    const char *equals = strchr(value, '=');
    return equals && stat(value, &at) ? equals + 1 : value;
}

/* ---- the manifest ------------------------------------------------------------------------------------------------ */

/* What was found by measuring is `floats`; what it was measured with makes none of the bytes. */
static bool measures(const char *name)
{
    static const char *const with[] = { "--speed",    "--no-speed", "--size",       "--no-cache", "--max-drop",
                                        "--data",
                                        "--labels",   "--sequence", "--detections", "--blank",    "--mask" };
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        if (!strcmp(with[i], name)) return true;
    return false;
}

static precis_status add_arguments(const cli *c, json_t *arguments, json_t *inputs)
{
    json_array_append_new(arguments, json_string("--no-speed"));
    for (int i = 0; i < c->n_given; i++) {
        const char *name = c->given[i].option->name, *value = c->given[i].value;
        char hex[65];
        if (cli_manifest_leaves_out(name) || measures(name)) continue;
        json_array_append_new(arguments, json_string(name));
        if (value) json_array_append_new(arguments, json_string(value));
        if (!cli_manifest_hashes(name)) continue;
        const char *path = cli_input_path(value);
        const precis_status st = precis_samples_sha256(c->ctx, path, hex);
        if (st) return st;
        json_t *in = json_pack("{s:s, s:s, s:s}", "option", name, "path", path, "sha256", hex);
        if (path != value) json_object_set_new(in, "name", json_stringn(value, (size_t)(path - value - 1)));
        json_array_append_new(inputs, in);
    }
    return PRECIS_OK;
}

/* Nodes in float beyond those that the user names, who has them among the arguments. */
static void add_floats(const cli *c, json_t *floats, const precis_net_quant_options *o)
{
    for (size_t i = 0; i < o->n_floats; i++) {
        const char *name;
        int k = 0;
        while ((name = cli_get_nth(c, "--float", k)) && strcmp(name, o->floats[i])) k++;
        if (!name) json_array_append_new(floats, json_string(o->floats[i]));
    }
}

precis_status cli_net_manifest(void *user, const char *sha256, uint64_t bytes, const char **text, size_t *len)
{
    cli_net_made *made = user;
    const cli *c = made->c;
    char model[65];
    json_t *arguments = json_array(), *inputs = json_array(), *floats = json_array();
    precis_status st = add_arguments(c, arguments, inputs);
    add_floats(c, floats, made->o);
    if (!st) st = precis_sha256_file(c->ctx, c->args[0], model);
    json_t *all = st ? NULL
                     : json_pack("{s:s, s:i, s:s, s:I, s:O, s:O, s:O, s:{s:s, s:s}, s:{s:I, s:s}}", "precis",
                                 "manifest", "version", 1, "program", precis_version(), "seed", (json_int_t)c->seed,
                                 "arguments", arguments, "inputs", inputs, "floats", floats, "model", "path",
                                 c->args[0], "tensors_sha256", model, "output", "bytes", (json_int_t)bytes, "sha256",
                                 sha256);
    made->text = all ? json_dumps(all, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    if (!st && !made->text) st = PRECIS_ENOMEM;
    *text = made->text;
    *len = made->text ? strlen(made->text) : 0;
    json_decref(arguments);
    json_decref(inputs);
    json_decref(floats);
    json_decref(all);
    return st;
}

/* ---- a replay's nodes in float ----------------------------------------------------------------------------------- */

int cli_net_replayed(cli *c, precis_net_quant_options *o, json_t **keeps)
{
    const char *file = cli_get(c, "--replay");
    char *text = NULL;
    size_t len = 0;
    json_error_t e;
    *keeps = NULL;
    if (!file) return -1;
    int rc = cli_read_text(c, file, PRECIS_INPUT_TABLE, &text, &len);
    json_t *all = rc < 0 ? cli_json(text, len, &e) : NULL, *floats = json_object_get(all, "floats");
    precis_text_free(c->ctx, text);
    const size_t n = json_array_size(floats);
    const char **list = rc < 0 ? cli_alloc(o->n_floats + n + 1, sizeof *list) : NULL;
    if (rc < 0 && !list) rc = cli_no_memory(c);
    for (size_t i = 0; i < o->n_floats && rc < 0; i++) list[i] = o->floats[i];
    for (size_t i = 0; i < n && rc < 0; i++)
        if (!(list[o->n_floats + i] = json_string_value(json_array_get(floats, i))))
            rc = cli_error(c, "%s: floats[%zu] is no string", file, i);
    if (rc >= 0) {
        free(list);
        json_decref(all);
        return rc;
    }
    *keeps = all;
    o->floats = list;
    o->n_floats += n;
    return -1;
}

void cli_net_replayed_free(precis_net_quant_options *o, json_t **keeps)
{
    if (*keeps) free((void *)(uintptr_t)o->floats);
    json_decref(*keeps);
    *keeps = NULL;
}
