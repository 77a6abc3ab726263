/* apart.c - an output must not be what a command reads. Files are compared by device and inode, so that links and other
 * spellings of a path count as the file. */
#include "precis/convert.h"
#include "write/write.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { DEEP = 3 }; /* folders in folders: data sets have two levels */

/* What precis itself writes beside a model, and takes no model's part from: it may be written again. */
static const char *const ours[] = { ".gguf", ".manifest.json", ".attestation.json", ".imatrix", ".dat", ".resume",
                                    ".resume.states" };

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (pcs_ends(name, ours[i])) return true;
    return false;
}

/* Is the file one of those in a folder that is read? */
static bool in_folder(const struct stat *out, const char *folder, int depth)
{
    DIR *d = opendir(folder);
    bool found = false;
    char path[4096];
    for (const struct dirent *e; d && !found && (e = readdir(d));) {
        struct stat sb;
        if (e->d_name[0] == '.' || is_ours(e->d_name)) continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= (int)sizeof path || stat(path, &sb)) continue;
        found = S_ISDIR(sb.st_mode) ? depth < DEEP && in_folder(out, path, depth + 1) : same(out, &sb);
    }
    if (d) closedir(d);
    return found;
}

/* A file of the checkpoint that a safetensors file is a part of, though it was opened alone. */
static bool is_checkpoint(const char *name)
{
    static const char *const tails[] = { "config.json", ".index.json", ".safetensors", "vocab.json", "vocab.txt",
                                         "merges.txt", "added_tokens.json", "special_tokens_map.json" };
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        if (pcs_ends(name, tails[i])) return true;
    return !strncmp(name, "tokenizer", 9) || !strncmp(name, "chat_template", 13);
}

/* The tokenizer that lies beside a llama2.c checkpoint: tok512.bin, tokenizer.bin, llama2_32k_tokenizer.bin. */
static bool is_tokens(const char *name)
{
    return pcs_ends(name, ".bin") && (!strncmp(name, "tok", 3) || !strncmp(name, "llama2_", 7));
}

/* Is the file one of those beside another that are read with it? */
static bool is_beside(const struct stat *out, const char *path, bool (*counts)(const char *name))
{
    char name[4096];
    bool found = false;
    const int n = (int)(pcs_base_name(path) - path);
    if (snprintf(name, sizeof name, "%.*s.", n, path) >= (int)sizeof name) return false;
    DIR *d = opendir(name);
    for (const struct dirent *e; d && !found && (e = readdir(d));) {
        struct stat sb;
        if (!counts(e->d_name)) continue;
        const int len = snprintf(name, sizeof name, "%.*s%s", n, path, e->d_name);
        found = len < (int)sizeof name && !stat(name, &sb) && same(out, &sb);
    }
    if (d) closedir(d);
    return found;
}

/* The number that five digits are, or UINT_MAX. */
static unsigned five_digits(const char *text)
{
    unsigned n = 0;
    for (int i = 0; i < 5; i++) {
        if (text[i] < '0' || text[i] > '9') return UINT_MAX;
        n = 10 * n + (unsigned)(text[i] - '0');
    }
    return n;
}

/* Another part of a GGUF in several files: NAME-00002-of-00003.gguf. */
static bool is_shard(const struct stat *out, const char *path)
{
    const size_t n = strlen(path);
    char name[4096];
    struct stat sb;
    if (n < 20 || n >= sizeof name) return false;
    const char *end = path + n - 20;
    if (end[0] != '-' || five_digits(end + 1) == UINT_MAX || strncmp(end + 6, "-of-", 4)) return false;
    const unsigned parts = five_digits(end + 10);
    if (parts == UINT_MAX) return false;
    bool found = false;
    for (unsigned i = 1; i <= parts && i <= PCS_LIMIT_SPLITS && !found; i++) {
        const int length = snprintf(name, sizeof name, "%.*s-%05u-of-%05u.gguf", (int)(n - 20), path, i, parts);
        found = length < (int)sizeof name && !stat(name, &sb) && same(out, &sb);
    }
    return found;
}

/* Is the file read when `path` is? */
static bool read_with(const struct stat *out, const char *path)
{
    if (pcs_ends(path, ".gguf")) return is_shard(out, path);
    if (pcs_ends(path, ".safetensors")) return is_beside(out, path, is_checkpoint);
    return pcs_ends(path, ".bin") && is_beside(out, path, is_tokens);
}

/* Two names of a file that is not there yet. */
static bool same_new(const char *a, const char *b)
{
    struct stat x, y;
    char f[4096], g[4096];
    const char *p = pcs_base_name(a), *q = pcs_base_name(b);
    if (strcmp(p, q) || p - a > 4000 || q - b > 4000) return false;
    snprintf(f, sizeof f, "%.*s.", (int)(p - a), a);
    snprintf(g, sizeof g, "%.*s.", (int)(q - b), b);
    return !stat(f, &x) && !stat(g, &y) && same(&x, &y);
}

precis_status precis_out_apart(precis_ctx *ctx, const char *path, const char *other)
{
    struct stat out, in;
    const bool there = !stat(path, &out), read = !stat(other, &in);
    if (!there && !read && same_new(path, other))
        return pcs_fail(ctx, PRECIS_EINVAL, "%s is named twice, as two outputs; choose another for one of them", path);
    if (!there || !read) return PRECIS_OK;
    if (same(&out, &in)) return pcs_fail(ctx, PRECIS_EINVAL, "%s is the input; choose another output", path);
    if (S_ISDIR(in.st_mode) ? in_folder(&out, other, 1) : read_with(&out, other))
        return pcs_fail(ctx, PRECIS_EINVAL, "%s belongs to the input; choose another output", path);
    return PRECIS_OK;
}

const char *pcs_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
