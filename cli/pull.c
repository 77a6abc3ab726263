/* precis pull - models by name from a hub. A repository may hold one model in many precisions, so what is fetched is
 * one file (with the other parts of it), or what a folder of safetensors needs. */
#include "hub.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const cli_option options[] = {
    { "--revision", 0, "NAME", "branch, tag or commit (default main)" },
    { "--dir", 0, "OUT-FOLDER", "where to put it (default ~/.cache/precis/models/OWNER/NAME)" },
    { 0 },
};

/* What a model that is a folder needs beside its weights. */
static const char *const beside[] = {
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json",
    "merges.txt", "vocab.txt", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    "chat_template.json", "tekken.json", "spiece.model", NULL,
};

typedef struct { char owner_name[512], file[1024]; } spec;

/* Of several models in single files the first that has one of these, at the hub as here; "": any. */
static const char *const tags[] = { "Q4_K_M", "Q8_0", "" };
enum { TAGS = sizeof tags / sizeof *tags };

/* ---- names -------------------------------------------------------------------------------------------- */

static bool is_word(const char *s, size_t n)
{
    if (!n || n > 96 || *s == '.' || *s == '-') return false;
    for (size_t i = 0; i < n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", s[i])) return false;
    return true;
}

/* OWNER/NAME[:FILE]; FILE is a file's name or a part of one, as Q4_K_M. */
static bool parse_spec(const char *text, spec *out)
{
    const char *slash = strchr(text, '/'), *colon = strchr(text, ':');
    const size_t n = colon ? (size_t)(colon - text) : strlen(text);
    memset(out, 0, sizeof *out);
    if (!slash || slash > text + n || n >= sizeof out->owner_name) return false;
    if (!is_word(text, (size_t)(slash - text)) || !is_word(slash + 1, n - (size_t)(slash - text) - 1)) return false;
    memcpy(out->owner_name, text, n);
    if (!colon) return true;
    const size_t len = strlen(colon + 1);
    if (!len || len >= sizeof out->file) return false;
    memcpy(out->file, colon + 1, len + 1);
    return true;
}

static const char *base(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* NAME-00001-of-00003.gguf: the length of NAME, or 0. */
static size_t of_parts(const char *name)
{
    static const char shape[] = "-00000-of-00000.gguf"; /* 0: a digit */
    const size_t n = strlen(name), k = sizeof shape - 1;
    if (n <= k) return 0;
    for (size_t i = 0; i < k; i++) {
        const char ch = name[n - k + i];
        if (shape[i] == '0' ? ch < '0' || ch > '9' : ch != shape[i]) return 0;
    }
    return n - k;
}

/* Is b another part of what a is of? */
static bool belongs(const char *a, const char *b)
{
    const size_t n = of_parts(a);
    return !strcmp(a, b) || (n && n == of_parts(b) && !strncmp(a, b, n));
}

static bool is_first_part(const char *name)
{
    const size_t n = of_parts(name);
    return !n || !strncmp(name + n, "-00001-", 7);
}

/* A model in one file, and no projector of pictures or matrix of importance beside one. */
static bool is_model(const char *name)
{
    return cli_ends(name, ".gguf") && is_first_part(name) && strncasecmp(base(name), "mmproj", 6) &&
           !strstr(name, "imatrix");
}

/* Does the tag stand in the name between marks ("-Q4_K_M.", "/Q4_K_M/")? */
static bool has_tag(const char *name, const char *tag)
{
    const size_t n = strlen(tag);
    for (const char *p = name; (p = strcasestr(p, tag)); p++) {
        const bool before = p == name || strchr("-._/", p[-1]);
        if (before && (!p[n] || strchr("-./", p[n]))) return true;
    }
    return false;
}

/* ---- what is fetched ---------------------------------------------------------------------------------- */

/* Marks of the files that are fetched; *first: the one whose path is the model's, -1: the folder. */
typedef struct { const cli *c; const cli_repository *r; bool *taken; long first; } choice;

static void take_one(choice *ch, size_t i)
{
    ch->first = (long)i;
    for (size_t k = 0; k < ch->r->n; k++)
        if (belongs(ch->r->files[i].name, ch->r->files[k].name)) ch->taken[k] = true;
}

/* Models in single files, one a line; a message's end. */
static void list_models(const choice *ch)
{
    for (size_t i = 0; i < ch->r->n; i++) {
        char size[32] = "";
        const cli_hub_file *f = &ch->r->files[i];
        if (!is_model(f->name) && !cli_ends(f->name, ".onnx")) continue;
        if (f->size != UINT64_MAX) cli_bytes((double)f->size, size);
        fprintf(stderr, "  %s:%s  %s\n", ch->r->name, f->name, size);
    }
}

static int choose_named(choice *ch, const char *file)
{
    const cli_repository *r = ch->r;
    size_t found = 0, at = 0;
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->files[i].name, file)) {
            take_one(ch, i);
            return -1;
        }
    for (size_t i = 0; i < r->n; i++)
        if ((is_model(r->files[i].name) || cli_ends(r->files[i].name, ".onnx")) && has_tag(r->files[i].name, file))
            found++, at = i;
    if (found == 1) {
        take_one(ch, at);
        return -1;
    }
    cli_error(ch->c, found ? "%s has more than one model \"%s\":" : "%s has no file \"%s\"; its models in one file:",
              r->name, file);
    list_models(ch);
    return EXIT_INPUT;
}

/* Of models in single files: the only one, else the first of Q4_K_M, Q8_0 and the rest, which is said. */
static bool choose_file(choice *ch)
{
    const cli_repository *r = ch->r;
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) n += is_model(r->files[i].name);
    for (int t = 0; n && t < TAGS; t++)
        for (size_t i = 0; i < r->n; i++) {
            if (!is_model(r->files[i].name) || (*tags[t] && !has_tag(r->files[i].name, tags[t]))) continue;
            take_one(ch, i);
            if (n > 1 && !ch->c->quiet) {
                fprintf(stderr, "note: %s has %zu models; this is %s. Others by name:\n", r->name, n, r->files[i].name);
                list_models(ch);
            }
            return true;
        }
    return false;
}

static bool choose_folder(choice *ch)
{
    const cli_repository *r = ch->r;
    bool weights = false, config = false;
    for (size_t i = 0; i < r->n; i++) {
        const char *name = r->files[i].name;
        bool wanted = !strncmp(name, "additional_chat_templates/", 26);
        for (size_t k = 0; beside[k]; k++) wanted |= !strcmp(name, beside[k]);
        const bool weight = !strchr(name, '/') && strncmp(name, "consolidated", 12) &&
                            (cli_ends(name, ".safetensors") || cli_ends(name, ".safetensors.index.json"));
        ch->taken[i] = wanted || weight;
        weights |= weight;
        config |= !strcmp(name, "config.json");
    }
    ch->first = -1;
    return weights && config;
}

static int choose(choice *ch, const char *file)
{
    if (*file) return choose_named(ch, file);
    if (choose_file(ch) || choose_folder(ch)) return -1;
    cli_error(ch->c, "%s has neither a GGUF nor safetensors with a config.json; name a file of it:", ch->r->name);
    list_models(ch);
    return EXIT_INPUT;
}

/* ---- where it is -------------------------------------------------------------------------------------- */

static bool models_folder(char *path, size_t room)
{
    return precis_user_folder(PRECIS_USER_CACHE, "models", 0, path, room);
}

static int place_of(const cli *c, const spec *s, char *path, size_t room)
{
    char models[2048];
    if (cli_has(c, "--dir")) snprintf(path, room, "%s", cli_get(c, "--dir"));
    else if (models_folder(models, sizeof models)) snprintf(path, room, "%s/%s", models, s->owner_name);
    else return cli_usage(c, "neither XDG_CACHE_HOME nor HOME says where models are kept; --dir names a folder");
    return -1;
}

/* What the command was about, when the hub cannot be reached. */
static void say_by_hand(const spec *s, const char *folder)
{
    char named[600];
    const char *what = "the model (a .gguf, or config.json, tokenizer.json and *.safetensors)";
    if (*s->file) what = s->file;
    if (*s->file && !cli_ends(s->file, ".gguf") && !cli_ends(s->file, ".safetensors")) /* a part of its name */
        snprintf(named, sizeof named, "the .gguf with %.500s in its name", s->file), what = named;
    fprintf(stderr, "Without the network: put %s into\n  %s\nand run the command again, or give the file's path.\n",
            what, folder);
}

static bool offline(void)
{
    const char *names[] = { "HF_HUB_OFFLINE", "PRECIS_OFFLINE" };
    for (int i = 0; i < 2; i++) {
        const char *v = getenv(names[i]);
        if (v && *v && strcmp(v, "0") && strcasecmp(v, "false") && strcasecmp(v, "no")) return true;
    }
    return false;
}

typedef struct { char **names; size_t n; } names;

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The names in a folder, sorted. The caller frees. */
static names read_folder(const char *path)
{
    names out = { NULL, 0 };
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char **grown = *e->d_name == '.' ? NULL : cli_grow(out.names, (out.n + 1) * sizeof *grown);
        if (!grown) continue;
        out.names = grown;
        if ((out.names[out.n] = cli_copy(e->d_name))) out.n++;
    }
    if (d) closedir(d);
    if (out.n) qsort(out.names, out.n, sizeof *out.names, by_name);
    return out;
}

static void free_names(names *n)
{
    for (size_t i = 0; i < n->n; i++) free(n->names[i]);
    free(n->names);
}

static bool exists(const char *folder, const char *name)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return !stat(path, &st);
}

/* The model that lies in a folder already, by the rules that choose one at the hub. */
static bool find_here(const spec *s, const char *folder, char *path, size_t room)
{
    if (*s->file && exists(folder, s->file)) {
        snprintf(path, room, "%s/%s", folder, s->file);
        return true;
    }
    names here = read_folder(folder);
    bool found = false;
    for (int t = *s->file ? TAGS - 1 : 0; t < TAGS && !found; t++)
        for (size_t i = 0; i < here.n && !found; i++) {
            const char *tag = *s->file ? s->file : tags[t];
            if (!is_model(here.names[i]) || (*tag && !has_tag(here.names[i], tag))) continue;
            snprintf(path, room, "%s/%s", folder, here.names[i]);
            found = true;
        }
    free_names(&here);
    if (!found && !*s->file && exists(folder, "config.json")) {
        snprintf(path, room, "%s", folder);
        found = true;
    }
    return found;
}

/* ---- the command -------------------------------------------------------------------------------------- */

/* What is wanted, and where it is then. */
typedef struct {
    cli *c;
    const spec *s;
    json_t *files;      /* what was fetched, for --json; or NULL */
    char folder[4096], revision[128], path[5200];
} request;

static int fetch(request *q, cli_hub *hub, const cli_repository *r)
{
    choice ch = { q->c, r, cli_alloc(r->n + 1, sizeof(bool)), -1 };
    if (!ch.taken) return cli_no_memory(q->c);
    int rc = choose(&ch, q->s->file);
    for (size_t i = 0; i < r->n && rc < 0; i++) {
        const cli_hub_file *f = &r->files[i];
        bool fetched = false;
        if (!ch.taken[i]) continue;
        rc = cli_hub_fetch(hub, r, i, q->folder, &fetched);
        if (rc < 0 && q->files)
            json_array_append_new(q->files, json_pack("{s:s, s:I, s:s, s:b}", "name", f->name, "bytes",
                                                      (json_int_t)f->size, "sha256", f->sha256, "fetched", fetched));
    }
    const char *name = ch.first < 0 ? "" : r->files[ch.first].name;
    if (rc < 0) snprintf(q->path, sizeof q->path, "%s%s%s", q->folder, *name ? "/" : "", name);
    free(ch.taken);
    return rc;
}

static int pull(request *q)
{
    cli *c = q->c;
    cli_hub *hub = NULL;
    cli_repository r = { .n = 0 };
    const char *revision = cli_has(c, "--revision") ? cli_get(c, "--revision") : "main";
    if (offline()) {
        if (find_here(q->s, q->folder, q->path, sizeof q->path)) return -1;
        cli_error(c, "%s is not here, and HF_HUB_OFFLINE forbids to fetch it", q->s->owner_name);
        say_by_hand(q->s, q->folder);
        return EXIT_RESOURCES;
    }
    int rc = cli_hub_open(c, &hub);
    if (rc < 0) rc = cli_hub_list(hub, q->s->owner_name, revision, &r);
    if (rc < 0) {
        snprintf(q->revision, sizeof q->revision, "%s", r.revision);
        rc = fetch(q, hub, &r);
    } else if (rc == EXIT_RESOURCES) {
        say_by_hand(q->s, q->folder);
    }
    cli_repository_free(&r);
    cli_hub_close(&hub);
    return rc;
}

int cli_pull_path(cli *c, const char *text, char *path, size_t room)
{
    spec s;
    static request q;
    if (!parse_spec(text, &s)) return cli_usage(c, "-hf %s: it is OWNER/NAME or OWNER/NAME:FILE", text);
    q = (request){ .c = c, .s = &s };
    int rc = place_of(c, &s, q.folder, sizeof q.folder);
    /* `precis pull` asks the hub for a newer one */
    if (rc < 0 && !find_here(&s, q.folder, q.path, sizeof q.path)) rc = pull(&q);
    snprintf(path, room, "%s", q.path);
    return rc;
}

static int run(cli *c)
{
    spec s;
    static request q;
    if (!parse_spec(c->args[0], &s)) return cli_usage(c, "%s: it is OWNER/NAME or OWNER/NAME:FILE", c->args[0]);
    q = (request){ .c = c, .s = &s, .files = json_array() };
    int rc = place_of(c, &s, q.folder, sizeof q.folder);
    if (rc < 0) rc = pull(&q);
    if (rc < 0 && c->json)
        return cli_print_json(c, json_pack("{s:s, s:s, s:s, s:o}", "path", q.path, "repository", s.owner_name,
                                           "revision", q.revision, "files", q.files));
    json_decref(q.files);
    if (rc >= 0) return rc;
    printf("%s\n", q.path);
    return cli_done(c);
}

/* ---- list models -------------------------------------------------------------------------------------- */

static void add_model(json_t *list, const char *owner, const char *name, const char *file, const char *path,
                      uint64_t bytes)
{
    char text[1024];
    snprintf(text, sizeof text, "%s/%s%s%s", owner, name, *file ? ":" : "", file);
    json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "name", text, "path", path, "bytes", (json_int_t)bytes));
}

/* Files of a folder that are models, or the folder. */
static void list_folder(const cli *c, const char *folder, const char *owner, const char *name, json_t *list)
{
    char size[32];
    names here = read_folder(folder);
    uint64_t bytes = 0;
    bool config = false;
    for (size_t i = 0; i < here.n; i++) {
        char path[5200];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", folder, here.names[i]);
        config |= !strcmp(here.names[i], "config.json");
        if (stat(path, &st)) continue;
        if (cli_ends(path, ".safetensors")) bytes += (uint64_t)st.st_size;
        if (!cli_ends(path, ".gguf") && !cli_ends(path, ".onnx") && !cli_ends(path, ".part")) continue;
        if (!c->json)
            printf("%s/%s:%s  %s%s\n", owner, name, here.names[i], cli_bytes((double)st.st_size, size),
                   cli_ends(path, ".part") ? "  (not whole: the same pull goes on)" : "");
        add_model(list, owner, name, here.names[i], path, (uint64_t)st.st_size);
    }
    if (config && bytes) {
        if (!c->json) printf("%s/%s  %s\n", owner, name, cli_bytes((double)bytes, size));
        add_model(list, owner, name, "", folder, bytes);
    }
    free_names(&here);
}

int cli_list_models(cli *c)
{
    char models[2048];
    if (!models_folder(models, sizeof models))
        return cli_usage(c, "neither XDG_CACHE_HOME nor HOME says where models are kept");
    json_t *list = json_array();
    names owners = read_folder(models);
    for (size_t i = 0; i < owners.n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", models, owners.names[i]);
        names of = read_folder(path);
        for (size_t k = 0; k < of.n; k++) {
            char folder[4600];
            snprintf(folder, sizeof folder, "%s/%s", path, of.names[k]);
            list_folder(c, folder, owners.names[i], of.names[k], list);
        }
        free_names(&of);
    }
    free_names(&owners);
    if (c->json) return cli_print_json(c, json_pack("{s:s, s:o}", "folder", models, "models", list));
    if (!json_array_size(list)) cli_say(2, "no models in %s; precis pull OWNER/NAME fetches one", models);
    json_decref(list);
    return cli_done(c);
}

const cli_command cli_pull = {
    "pull", "OWNER/NAME[:FILE]", "fetch a model from a hub (Hugging Face, or HF_ENDPOINT)",
    "Prints the path. FILE is a file of the repository or a part of its name, as Q4_K_M; without it a GGUF (Q4_K_M, if "
    "there are several), else safetensors with what belongs to them. A pull that was cut goes on; what came is "
    "compared with the hub's hash. HF_TOKEN (or huggingface's token file) is sent to the hub alone; proxies as libcurl "
    "has them (https_proxy); HF_HUB_OFFLINE=1 uses what is there. -hf OWNER/NAME[:FILE] in place of MODEL does so for "
    "any command.",
    1, 1, options, run,
    "  precis pull ggml-org/gemma-3-270m-GGUF:Q8_0\n"
    "  precis run -hf ggml-org/gemma-3-270m-GGUF\n"
    "  precis list models\n",
    NULL,
};
