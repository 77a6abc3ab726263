/* packed.c - a model's packed copy in the cache folder, made once. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifdef __APPLE__
#define st_mtim st_mtimespec
#endif

/* What a copy is of: the file as it is on the disk, and who packed it. */
static bool cache_name(const char *model, char hex[65])
{
    char real[4096], text[4400];
    struct stat st;
    if (!realpath(model, real) || stat(real, &st) || !S_ISREG(st.st_mode)) return false;
    const int n = snprintf(text, sizeof text, "%s, layout %u\n%s\n%llu %llu %lld.%09ld", precis_version(),
                           (unsigned)precis_packed_layout(), real, (unsigned long long)st.st_ino,
                           (unsigned long long)st.st_size, (long long)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec);
    if (n < 0 || (size_t)n >= sizeof text) return false;
    precis_sha256(text, (size_t)n, hex);
    return true;
}

bool cli_packs_into_cache(const cli *c) { return cli_has(c, "--pack") && !strcmp(cli_get(c, "--pack"), "cache"); }

precis_status cli_packed_copy(cli *c, const char *model, char *path, size_t room)
{
    char hex[65];
    precis_model *m = NULL;
    precis_convert_report *r = NULL;
    precis_convert_options o = PRECIS_CONVERT_OPTIONS_INIT;
    snprintf(path, room, "%s", model);
    char folder[3800];
    if (!cache_name(model, hex) || !precis_user_folder(PRECIS_USER_CACHE, "packed", 1, folder, sizeof folder)) {
        if (!c->quiet)
            fprintf(stderr,
                    "note: %s cannot be packed into the cache folder (only single files can be); it is packed in "
                    "memory\n",
                    model);
        return PRECIS_OK;
    }
    char copy[4096];
    snprintf(copy, sizeof copy, "%s/%s.packed.gguf", folder, hex);
    struct stat st;
    precis_status status = PRECIS_OK;
    if (stat(copy, &st)) {
        o.format = "packed";
        status = precis_model_open(c->ctx, &m, model);
        if (!status) status = precis_convert(c->ctx, m, copy, &o, &r);
        if (!status && !c->quiet) fprintf(stderr, "note: packed into %s\n", copy);
        precis_convert_report_close(&r);
        precis_model_close(&m);
    }
    if (!status) snprintf(path, room, "%s", copy);
    return status;
}

const char *cli_kept(const cli *c)
{
    static char folder[3800];
    if (cli_has(c, "--no-cache")) return NULL;
    return precis_user_folder(PRECIS_USER_CACHE, "measured", 1, folder, sizeof folder) ? folder : NULL;
}
