/* safetensors.c - the reader of .safetensors files and of the folders that they lie in. */
#include "read/hf.h"

#include <sys/stat.h>

/* The folder of a file that stands for its whole folder: config.json, the index, or weights beside a config.json; NULL:
 * there is none. */
static char *folder_of(precis_model *m, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!strncmp(name, "adapter_model.", 14)) return NULL;
    char *folder = slash ? pcs_arena_copy(&m->arena, path, (size_t)(slash - path) + (slash == path))
                         : pcs_arena_copy(&m->arena, ".", 1);
    char *config = folder ? pcs_arena_printf(&m->arena, "%s/config.json", folder) : NULL;
    struct stat sb;
    return config && !stat(config, &sb) ? folder : NULL;
}

static precis_status read_safetensors(precis_model *m, const char *path)
{
    const bool folder = pcs_is_dir(path), json = pcs_ends(path, ".json");
    char *from = folder ? pcs_arena_copy(&m->arena, path, strlen(path)) : folder_of(m, path);
    if (folder && !from) return PRECIS_ENOMEM;
    if (json && !from)
        return pcs_fail(m->ctx, PRECIS_EFORMAT,
                        "%s: no config.json lies beside it, so this is no folder of transformers", path);
    const precis_status st = folder || json ? pcs_hf_weights(m, from) : pcs_safetensors_file(m, path);
    if (st || !from) return st;
    m->folder = from;
    return pcs_hf_folder(m, from);
}

static bool probe(const char *path, bool folder, const uint8_t *head, size_t n, uint64_t size)
{
    uint64_t len = 0;
    if (folder || pcs_ends(path, "config.json") || pcs_ends(path, ".safetensors.index.json")) return true;
    if (n < 10) return false;
    memcpy(&len, head, 8);
    return head[8] == '{' && len <= PCS_LIMIT_HEADER && len < size;
}

const pcs_reader pcs_reader_safetensors = { "safetensors", probe, read_safetensors };
