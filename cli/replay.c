/* replay.c - a quantized file made again by its manifest. A path in a manifest is never followed: what it names is
 * taken by its last part from the manifest's own folder, or is what the user names instead; either way its hash
 * decides. */
#include "cli.h"
#include "precis/samples.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { const cli_option *option; const char *value; } given;

typedef struct replay {
    cli *c;
    const char *file;      /* the manifest */
    json_t *manifest;
    given all[256];        /* options of the new call */
    int n;
    char *owned[256];      /* paths that were made here */
    int n_owned;
} replay;

/* A member of a manifest; NULL and a message with its path when it is missing or of another type. */
static const char *text_at(const replay *r, json_t *o, const char *where, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    if (!s) cli_error(r->c, "%s: %s%s%s is missing, or no string", r->file, where, *where ? "." : "", key);
    return s;
}

static int changed(const replay *r, const char *path, const char *what, const char *is, const char *was)
{
    cli_error(r->c, "%s: %s changed since (SHA-256 %.16s..., was %.16s...); the bytes would be others", path, what, is,
              was);
    return EXIT_NEGATIVE;
}

/* The last part of a path in the manifest's folder; NULL: it has none, or memory is out. */
static char *beside(replay *r, const char *path)
{
    size_t end = strlen(path);
    while (end && path[end - 1] == '/') end--;
    size_t from = end;
    while (from && path[from - 1] != '/') from--;
    const size_t n = end - from;
    if (!n || (n == 1 && path[from] == '.') || (n == 2 && !memcmp(path + from, "..", 2)) || r->n_owned == 256)
        return NULL;
    const char *slash = strrchr(r->file, '/');
    const size_t folder = slash ? (size_t)(slash - r->file) + 1 : 0;
    char *own = cli_alloc(folder + n + 1, 1);
    if (!own) return NULL;
    memcpy(own, r->file, folder);
    memcpy(own + folder, path + from, n);
    own[folder + n] = 0;
    return r->owned[r->n_owned++] = own;
}

/* What stands for a path of the manifest: what the user names, or the file beside the manifest. NULL and a message. */
static const char *stand_in(replay *r, const char *path, const char *named, const char *how)
{
    if (named) return named;
    const char *own = beside(r, path);
    if (own && (!access(own, F_OK) || errno != ENOENT)) return own;
    cli_error(r->c, "%s: \"%.300s\" does not lie beside the manifest, and paths in files are not followed; name it: %s",
              r->file, path, how);
    return NULL;
}

/* Number k of the user's own values of an option; NULL: there is none. */
static const char *own_value(const cli *c, const cli_option *o, int k)
{
    for (int i = 0; i < c->n_given; i++)
        if (c->given[i].option == o && k-- == 0) return c->given[i].value;
    return NULL;
}

/* The value as NAME=FILE again, with the first n characters of `of` before it. */
static int with_name(replay *r, const char *of, size_t n, const char **value)
{
    if (*value != cli_input_path(*value)) return -1; /* the user's own has its name */
    const size_t length = strlen(*value);
    char *own = r->n_owned < 256 ? cli_alloc(n + length + 1, 1) : NULL;
    if (!own) return cli_no_memory(r->c);
    memcpy(own, of, n);
    memcpy(own + n, *value, length + 1);
    *value = r->owned[r->n_owned++] = own;
    return -1;
}

/* An object {option, path, sha256} of the manifest, of a net also {name}, and where it stands. */
typedef struct { json_t *in; const char *where; } hashed;

static int take_hashed(replay *r, const hashed *h, const cli_option *o, int k, const char *path, const char **value)
{
    char how[64], hex[65];
    json_t *in = h->in;
    const char *where = h->where, *name = json_string_value(json_object_get(in, "name")), *of_input = path;
    const size_t n = name ? strlen(name) : 0; /* of a net's input: NAME=FILE */
    snprintf(how, sizeof how, "%s FILE", o->name);
    const char *option = text_at(r, in, where, "option"), *was = option ? text_at(r, in, where, "path") : NULL,
               *sha = was ? text_at(r, in, where, "sha256") : NULL;
    if (!sha) return EXIT_INPUT;
    if (name && !strncmp(path, name, n) && path[n] == '=') path += n + 1;
    if (strcmp(option, o->name) || strcmp(was, path))
        return cli_error(r->c, "%s: %s is not the %s of its arguments", r->file, where, o->name);
    if (!(*value = stand_in(r, path, own_value(r->c, o, k), how))) return EXIT_INPUT;
    const precis_status st = precis_samples_sha256(r->c->ctx, cli_input_path(*value), hex);
    if (st) return cli_fail(r->c, st);
    if (strcmp(hex, sha)) return changed(r, *value, "it has", hex, sha);
    return path == of_input ? -1 : with_name(r, of_input, n + 1, value);
}

/* Option number k of its name, of the manifest's value `path`: the value of the new call, whose hash is that of the
 * manifest's inputs[at]. -1, or an exit code. */
static int take_file(replay *r, const cli_option *o, int k, size_t at, const char *path, const char **value)
{
    char where[32];
    snprintf(where, sizeof where, "inputs[%zu]", at);
    return take_hashed(r, &(hashed){ json_array_get(json_object_get(r->manifest, "inputs"), at), where }, o, k, path,
                       value);
}

static int add(replay *r, const cli_option *o, const char *value)
{
    if (r->n == (int)(sizeof r->all / sizeof *r->all)) return cli_usage(r->c, "too many options");
    r->all[r->n++] = (given){ o, value };
    return -1;
}

/* How often the manifest gives an option so far. */
static int times(const replay *r, int from, const cli_option *o)
{
    int n = 0;
    for (int i = from; i < r->n; i++) n += r->all[i].option == o;
    return n;
}

/* The user's own options: those that leave the bytes as they are; files are taken later, in the place of the
 * manifest's. */
static int take_own(replay *r)
{
    const cli *c = r->c;
    int rc = -1;
    for (int i = 0; i < c->n_given && rc < 0; i++) {
        const cli_option *o = c->given[i].option;
        if (cli_manifest_hashes(o->name) || !strcmp(o->name, "--seed"))
            continue; /* the seed is compared, and is the manifest's */
        if (!cli_manifest_leaves_out(o->name))
            return cli_usage(c, "%s is the manifest's to say; leave it out with --replay", o->name);
        rc = add(r, o, c->given[i].value);
    }
    return rc;
}

/* The manifest's arguments, with files of the user's or of its folder. */
static int take_arguments(replay *r)
{
    cli *c = r->c;
    json_t *args = json_object_get(r->manifest, "arguments"), *inputs = json_object_get(r->manifest, "inputs");
    const int own = r->n;
    size_t used = 0;
    if (!json_is_array(args)) return cli_error(c, "%s: arguments is missing, or no list", r->file);
    if (!json_is_array(inputs)) return cli_error(c, "%s: inputs is missing, or no list", r->file);
    for (size_t i = 0; i < json_array_size(args); i++) {
        const char *name = json_string_value(json_array_get(args, i)), *value = NULL;
        const cli_option *o = name ? cli_option_of(c->command, name) : NULL;
        if (!o || cli_manifest_leaves_out(o->name))
            return cli_error(c, "%s: arguments[%zu]: \"%.40s\" is no option that this version takes", r->file, i,
                             name ? name : "(no string)");
        if (o->arg && !(value = json_string_value(json_array_get(args, ++i))))
            return cli_error(c, "%s: arguments[%zu]: %s needs a value", r->file, i, o->name);
        int rc = cli_manifest_hashes(o->name) ? take_file(r, o, times(r, own, o), used++, value, &value) : -1;
        if (rc < 0) rc = add(r, o, value);
        if (rc >= 0) return rc;
    }
    if (used != json_array_size(inputs))
        return cli_error(c, "%s: inputs has %zu files, its arguments name %zu", r->file, json_array_size(inputs), used);
    for (int i = 0; i < c->n_given; i++) {
        const cli_option *o = c->given[i].option;
        if (cli_manifest_hashes(o->name) && own_value(c, o, times(r, own, o)))
            return cli_usage(c, "the manifest has %d %s, and more are given", times(r, own, o), o->name);
    }
    return -1;
}

/* As the first run was evaluated, unless the user says how. Manifests of before have none: by the usual text, then. */
static int take_evaluation_of(replay *r)
{
    cli *c = r->c;
    json_t *of = json_object_get(r->manifest, "evaluation"), *args = json_object_get(of, "arguments");
    int rc = -1;
    for (int i = 0; i < c->n_given; i++)
        if (cli_manifest_evaluates(c->given[i].option->name)) return -1;
    for (size_t i = 0; i < json_array_size(args) && rc < 0; i++) {
        const char *name = json_string_value(json_array_get(args, i)), *value = NULL;
        const cli_option *o = name ? cli_option_of(c->command, name) : NULL;
        if (!o || !cli_manifest_evaluates(o->name))
            return cli_error(c, "%s: evaluation.arguments[%zu]: \"%.40s\" is no option that this version takes",
                             r->file, i, name ? name : "(no string)");
        if (o->arg && !(value = json_string_value(json_array_get(args, ++i))))
            return cli_error(c, "%s: evaluation.arguments[%zu]: %s needs a value", r->file, i, o->name);
        if (!strcmp(o->name, "--text"))
            rc = take_hashed(r, &(hashed){ json_object_get(of, "text"), "evaluation.text" }, o, 0, value, &value);
        if (rc < 0) rc = add(r, o, value);
    }
    return rc;
}

static int check_model(replay *r, const char **path)
{
    json_t *model = json_object_get(r->manifest, "model");
    const char *was = text_at(r, model, "model", "path"),
               *sha = was ? text_at(r, model, "model", "tensors_sha256") : NULL;
    const char *named = r->c->n_args ? r->c->args[0] : NULL;
    char hex[65];
    precis_model *m;
    if (!sha) return EXIT_INPUT;
    if (!(*path = stand_in(r, was, named, "precis quant MODEL --replay MANIFEST -o FILE"))) return EXIT_INPUT;
    const bool net = precis_net_probe(r->c->ctx, *path) != 0;
    precis_status st = net ? precis_sha256_file(r->c->ctx, *path, hex) : precis_model_open(r->c->ctx, &m, *path);
    if (!net) {
        if (!st) st = precis_model_sha256(m, hex);
        precis_model_close(&m);
    }
    if (st) return cli_fail(r->c, st);
    return strcmp(hex, sha) ? changed(r, *path, net ? "it has" : "its tensors have", hex, sha) : -1;
}

/* What kind of file it is, by which program, with which seed. */
static int check_head(const replay *r)
{
    const cli *c = r->c;
    const char *kind = text_at(r, r->manifest, "", "precis"),
               *program = kind ? text_at(r, r->manifest, "", "program") : NULL;
    const long long seed = json_integer_value(json_object_get(r->manifest, "seed"));
    if (!program) return EXIT_INPUT;
    if (strcmp(kind, "manifest") || json_integer_value(json_object_get(r->manifest, "version")) != 1)
        return cli_error(c, "%s: this is no manifest of version 1", r->file);
    if (strcmp(program, precis_version()) && !c->quiet)
        fprintf(stderr, "note: it was made by precis %.40s; this is %s\n", program, precis_version());
    return seed != (long long)c->seed ? cli_usage(c, "the manifest's seed is %lld; give --seed %lld", seed, seed) : -1;
}

/* The call itself, with the new options, and the comparison of what it made. */
static int make(replay *r, const char *model, const char *out, const char *made, int (*run)(cli *c))
{
    cli *c = r->c, call = *c;
    char *args[1] = { strdup(model) }, hex[65];
    if (!args[0]) return cli_error(c, "out of memory"), EXIT_RESOURCES;
    call.args = args;
    call.n_args = 1;
    call.n_given = r->n;
    for (int i = 0; i < r->n; i++) call.given[i].option = r->all[i].option, call.given[i].value = r->all[i].value;
    int rc = cli_paths(&call); /* of the files that the manifest names */
    if (rc < 0) rc = run(&call);
    free(args[0]);
    const precis_status st = rc ? PRECIS_OK : precis_sha256_file(c->ctx, out, hex);
    if (st) return cli_fail(c, st);
    if (!rc && strcmp(hex, made)) {
        cli_error(c, "%s has other bytes than the manifest's (SHA-256 %.16s..., was %.16s...)", out, hex, made);
        return EXIT_NEGATIVE;
    }
    if (!rc && !c->quiet) fprintf(stderr, "the same bytes: SHA-256 %s\n", hex);
    return rc;
}

int cli_manifest_replay(cli *c, int (*run)(cli *c))
{
    replay *r = calloc(1, sizeof *r);
    const char *out = cli_get(c, "--output"), *model = NULL, *made = NULL;
    char *text = NULL;
    size_t len = 0;
    json_error_t e;
    if (!r) return cli_error(c, "out of memory"), EXIT_RESOURCES;
    r->c = c;
    r->file = cli_get(c, "--replay");
    int rc = out ? cli_read_text(c, r->file, PRECIS_INPUT_TABLE, &text, &len) : cli_usage(c, "give -o FILE");
    if (rc < 0 && !(r->manifest = cli_json(text, len, &e)))
        rc = cli_lacks_memory(c) ? cli_no_memory(c) : cli_error(c, "%s: line %d: %s", r->file, e.line, e.text);
    precis_text_free(c->ctx, text);
    if (rc < 0) rc = check_head(r);
    if (rc < 0 && !(made = text_at(r, json_object_get(r->manifest, "output"), "output", "sha256"))) rc = EXIT_INPUT;
    if (rc < 0) rc = take_own(r);
    if (rc < 0) rc = take_arguments(r);
    if (rc < 0) rc = take_evaluation_of(r);
    if (rc < 0) rc = check_model(r, &model);
    if (rc < 0) rc = make(r, model, out, made, run);
    for (int i = 0; i < r->n_owned; i++) free(r->owned[i]);
    json_decref(r->manifest);
    free(r);
    return rc;
}
