/* source_hash.c - one hash for all that a source of samples is, so that a manifest can say whether it changed. */
#include "read/source.h"

#include "base/file.h"
#include "base/json.h"

#include <stdio.h>

static bool any(const char *name) { return name[0] != 0; }

/* The hash of what came before, the name within the folder, and the file's own hash, file after file. */
static precis_status add_file(precis_ctx *ctx, const char *file, const char *name, char hex[65])
{
    char one[65];
    pcs_buf all;
    precis_status st = precis_sha256_file(ctx, file, one);
    pcs_buf_init(&all, ctx, (size_t)1 << 20);
    if (!st) st = pcs_buf_printf(&all, "%s %s %s", hex, name, one);
    if (!st) precis_sha256(all.data, all.len, hex);
    pcs_buf_free(&all);
    return st;
}

precis_status precis_samples_sha256(precis_ctx *ctx, const char *path, char hex[65])
{
    pcs_listing l;
    if (!pcs_is_dir(path)) return precis_sha256_file(ctx, path, hex);
    precis_sha256("", 0, hex);
    precis_status st = pcs_listing_read(ctx, &l, path, any, true);
    for (size_t i = 0; i < l.n && !st; i++) st = add_file(ctx, l.files[i], l.files[i] + strlen(path) + 1, hex);
    pcs_listing_free(ctx, &l);
    return st;
}
