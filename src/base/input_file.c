/* input_file.c - files that a command was given, read and looked at. */
#include "base/file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

precis_status precis_input_read(precis_ctx *ctx, const char *path, precis_input_kind kind, size_t limit, char **data,
                                size_t *len)
{
    if (!limit) limit = kind == PRECIS_INPUT_TABLE ? PCS_LIMIT_JSON : PCS_LIMIT_TEXT;
    if (kind && !strcmp(path, "-")) return pcs_stdin_slurp(ctx, limit, kind, data, len);
    return pcs_text_slurp(ctx, path, limit, kind, data, len);
}

precis_status precis_input_check(precis_ctx *ctx, const char *path)
{
    struct stat sb;
    int fd;
    const precis_status st = pcs_open_regular(ctx, path, O_RDONLY, &fd, &sb);
    if (!st) close(fd);
    return st;
}
