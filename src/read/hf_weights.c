/* hf_weights.c - which files of a transformers folder hold its weights.
 *
 * The order is transformers' (modeling_utils.py, _get_resolved_checkpoint_files): model.safetensors, then the index of
 * its shards. Any other file is read when it is named itself, never by a guess: folders gather adapters, variants and
 * other programs' files. */
#include "read/hf.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool is_file(precis_model *m, const char *folder, const char *name)
{
    const char *path = pcs_arena_printf(&m->arena, "%s/%s", folder, name);
    struct stat sb;
    return path && !stat(path, &sb) && !S_ISDIR(sb.st_mode); /* what else it may be is said where it is opened */
}

/* ---- shards ---------------------------------------------------------------------------------------------------- */

/* Each tensor that the index names must be in its shard. */
static precis_status check_tensors(precis_model *m, pcs_json_slice map)
{
    pcs_map have;
    pcs_json j;
    pcs_json_token key, t;
    precis_status st = PRECIS_OK;
    pcs_map_init(&have, m->ctx);
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        bool twice;
        const pcs_tensor *x = &m->tensors[i];
        st = pcs_map_put(&have, x->source, strlen(x->source), (uint32_t)i, &twice);
        if (!st && twice) st = pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tensor %s is in two shards", m->path, x->source);
    }
    pcs_json_init(&j, m->ctx, map.text, map.len);
    if (!st) st = pcs_json_expect(&j, PCS_JSON_OBJECT, &t, "weight_map");
    while (!st && !(st = pcs_json_next(&j, &key)) && key.type == PCS_JSON_KEY) {
        char *name;
        size_t n;
        uint32_t at;
        st = pcs_json_string(&j, &key, &m->arena, &name, &n);
        if (!st) st = pcs_json_next(&j, &t);
        if (!st && !pcs_map_get(&have, name, n, &at))
            st = pcs_fail(m->ctx, PRECIS_EFORMAT,
                          "%s: tensor %s is not in %.*s, where model.safetensors.index.json has it; fetch both again",
                          m->path, name, (int)(t.len > 80 ? 80 : t.len), t.text);
    }
    pcs_map_free(&have);
    return st;
}

/* One shard, once. */
static precis_status read_shard(precis_model *m, const char *folder, pcs_json *j, const pcs_json_token *t,
                                pcs_map *seen)
{
    char *name;
    size_t n;
    bool dup;
    precis_status st = pcs_json_string(j, t, &m->arena, &name, &n);
    if (st) return st;
    if (!n || strlen(name) != n || strchr(name, '/') || name[0] == '.')
        return pcs_json_fail(j, t->text, "weight_map", "a shard's name must be a plain file name");
    st = pcs_map_put(seen, name, n, 0, &dup);
    if (st || dup) return st;
    if (seen->n > PCS_LIMIT_SPLITS) return pcs_json_fail(j, t->text, "weight_map", "too many shards");
    char *path = pcs_arena_printf(&m->arena, "%s/%s", folder, name);
    if (!path) return PRECIS_ENOMEM;
    if (!is_file(m, folder, name))
        return pcs_fail(m->ctx, PRECIS_EIO,
                        "%s: there is no %s, which model.safetensors.index.json names; fetch it from where the folder "
                        "came",
                        folder, name);
    return pcs_safetensors_file(m, path);
}

/* Shards of model.safetensors.index.json. */
static precis_status read_shards(precis_model *m, const char *folder, const char *text, size_t len)
{
    pcs_json_slice map;
    pcs_json j;
    pcs_json_token t;
    pcs_map seen;
    precis_status st = pcs_json_find(m->ctx, (pcs_json_slice){ text, len }, "weight_map", &map);
    if (st != PRECIS_OK) return st;
    if (!map.text) return pcs_fail_at(m->ctx, PRECIS_EFORMAT, 0, "weight_map", "is missing in the index");
    pcs_map_init(&seen, m->ctx);
    pcs_json_init(&j, m->ctx, map.text, map.len);
    st = pcs_json_expect(&j, PCS_JSON_OBJECT, &t, "weight_map");
    while (st == PRECIS_OK) {
        st = pcs_json_next(&j, &t);
        if (st != PRECIS_OK || t.type == PCS_JSON_OBJECT_END) break;
        st = pcs_json_expect(&j, PCS_JSON_STRING, &t, "weight_map");
        if (st == PRECIS_OK) st = read_shard(m, folder, &j, &t, &seen);
    }
    pcs_map_free(&seen);
    return st ? st : check_tensors(m, map);
}

/* ---- what else lies there --------------------------------------------------------------------------------------- */

static bool starts(const char *s, const char *head) { return !strncmp(s, head, strlen(head)); }

typedef struct {
    char names[512];
    size_t n, shards, safetensors, pickles;
    bool adapter, pipeline, gguf, mistral;
    char one[256];
} found;

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static const char *digits_end(const char *s)
{
    for (int i = 0; i < 5 && *s >= '0' && *s <= '9'; i++) s++;
    return s;
}

/* Does a name begin as a shard's does: model-00001-of-00002? */
static bool is_shard(const char *name)
{
    if (!starts(name, "model-")) return false;
    const char *no = name + strlen("model-"), *end = digits_end(no);
    if (end == no || !starts(end, "-of-")) return false;
    const char *of = end + strlen("-of-");
    return digits_end(of) != of;
}

static void look_at(found *f, const char *name)
{
    const bool tensors = pcs_ends(name, ".safetensors");
    const bool pickle = starts(name, "pytorch_model") && pcs_ends(name, ".bin");
    f->adapter |= starts(name, "adapter_model.") || !strcmp(name, "adapter_config.json");
    f->pipeline |= !strcmp(name, "model_index.json") || starts(name, "diffusion_pytorch_model.");
    f->shards += is_shard(name);
    if (!tensors && !pickle && !pcs_ends(name, ".gguf") && !pcs_ends(name, ".pth") && !pcs_ends(name, ".pt") &&
        !pcs_ends(name, ".h5") && !pcs_ends(name, ".msgpack"))
        return;
    f->safetensors += tensors;
    f->pickles += pickle || pcs_ends(name, ".pth") || pcs_ends(name, ".pt");
    f->gguf |= pcs_ends(name, ".gguf");
    f->mistral |= starts(name, "consolidated");
    if (!f->n || tensors) snprintf(f->one, sizeof f->one, "%.250s", name);
    const size_t at = strlen(f->names);
    if (f->n < 6) snprintf(f->names + at, sizeof f->names - at, "%s%.60s", f->n ? ", " : "", name);
    else if (f->n == 6) snprintf(f->names + at, sizeof f->names - at, ", ...");
    f->n++;
}

static void look(precis_model *m, const char *folder, found *f)
{
    DIR *d = opendir(folder);
    enum { MANY = 4096 };
    const char *names[MANY];
    size_t n = 0;
    for (struct dirent *e; d && n < MANY && (e = readdir(d));)
        if (e->d_name[0] != '.' && (names[n] = pcs_arena_copy(&m->arena, e->d_name, strlen(e->d_name)))) n++;
    if (d) closedir(d);
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) look_at(f, names[i]);
}

static precis_status no_weights(precis_model *m, const char *folder)
{
    found f = { .n = 0 };
    char what[320];
    look(m, folder, &f);
    if (f.adapter)
        snprintf(what, sizeof what,
                 "an adapter is no model: precis run BASE --lora %.200s, where BASE is what it was trained on", folder);
    else if (f.pipeline)
        snprintf(what, sizeof what, "this is a pipeline of diffusers; name one of its .safetensors files");
    else if (f.shards)
        snprintf(what, sizeof what, "its shards need their index: fetch model.safetensors.index.json, too");
    else if (f.mistral && f.safetensors)
        snprintf(what, sizeof what,
                 "consolidated files have Mistral's own names of tensors; fetch model.safetensors or its shards and "
                 "index");
    else if (f.safetensors)
        snprintf(what, sizeof what,
                 "rename the one that is meant to model.safetensors, or name it itself: %.100s/%.100s", folder, f.one);
    else if (f.gguf) snprintf(what, sizeof what, "name the GGUF file itself: %.100s/%.100s", folder, f.one);
    else if (!f.n) snprintf(what, sizeof what, "there are no weights here");
    else snprintf(what, sizeof what, "a pickle can run code, so precis does not read it");
    const precis_status st = f.n || f.adapter || f.pipeline ? PRECIS_EUNSUPPORTED : PRECIS_EIO;
    pcs_fail(m->ctx, st, "%s: there is no model.safetensors%s%s; %s", folder, f.n ? ", but " : "", f.names, what);
    if (f.n && !f.safetensors && !f.gguf && !f.adapter && !f.pipeline)
        pcs_add_lines(m->ctx, ". These lines of Python make a folder that it reads (IN and OUT are folders):\n  import "
                              "transformers as t\n"
                              "  t.AutoModelForCausalLM.from_pretrained('IN', "
                              "torch_dtype='auto').save_pretrained('OUT', safe_serialization=True)\n"
                              "  t.AutoTokenizer.from_pretrained('IN').save_pretrained('OUT')");
    return st;
}

precis_status pcs_hf_weights(precis_model *m, const char *folder)
{
    static const char one[] = "model.safetensors", index[] = "model.safetensors.index.json";
    const bool whole = is_file(m, folder, one), shards = is_file(m, folder, index);
    char *path = pcs_arena_printf(&m->arena, "%s/%s", folder, whole ? one : index), *text;
    size_t len;
    if (!path) return PRECIS_ENOMEM;
    if (whole && shards)
        pcs_warn(m->ctx, "%s: %s is read, as transformers does; %s beside it is not", folder, one, index);
    if (whole) return pcs_safetensors_file(m, path);
    if (!shards) return no_weights(m, folder);
    precis_status st = pcs_hf_slurp(m, folder, index, &text, &len);
    if (st || !text) return st ? st : PRECIS_EIO;
    m->ctx->file = path;
    st = read_shards(m, folder, text, len);
    pcs_free(m->ctx, text);
    return st;
}
