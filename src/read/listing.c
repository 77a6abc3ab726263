/* listing.c - the files of a folder, and of the folders in it, in the order of their names' bytes. */
#include "read/source.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

enum { FILES_MOST = 10000000 };

typedef struct { precis_ctx *ctx; pcs_listing *l; size_t room; } listing;

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Paths within a folder that are taken, or that are folders. */
static precis_status entries(listing *w, const char *folder, bool (*is)(const char *), const char ***out, size_t *n)
{
    size_t room = 0;
    DIR *d = opendir(folder);
    precis_status st = PRECIS_OK;
    *out = NULL;
    *n = 0;
    if (!d) return pcs_fail(w->ctx, pcs_errno_status(errno), "%s: %s", folder, strerror(errno));
    for (struct dirent *e; !st && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        const char *path = pcs_arena_printf(&w->l->arena, "%s/%s", folder, e->d_name);
        if (!path) st = PRECIS_ENOMEM;
        else if (is ? !is(e->d_name) || pcs_is_dir(path) : !pcs_is_dir(path)) continue;
        if (!st && *n == room) {
            const char **more = pcs_grow(w->ctx, *out, *n * sizeof *more, room = room ? 2 * room : 64, sizeof *more);
            if (more) *out = more;
            else st = PRECIS_ENOMEM;
        }
        if (!st && *n >= FILES_MOST)
            st = pcs_fail(w->ctx, PRECIS_EFORMAT, "%s: has more than %d files", folder, FILES_MOST);
        if (!st) (*out)[(*n)++] = path;
    }
    closedir(d);
    if (*n) qsort(*out, *n, sizeof **out, by_name);
    return st;
}

static precis_status add_files(listing *w, const char *folder, bool (*is)(const char *), int64_t class_of)
{
    const char **list;
    size_t n;
    pcs_listing *l = w->l;
    precis_status st = entries(w, folder, is, &list, &n);
    if (!st && l->n + n > w->room) {
        const size_t room = l->n + n > 2 * w->room ? l->n + n : 2 * w->room;
        const char **files = pcs_grow(w->ctx, l->files, l->n * sizeof *files, room, sizeof *files);
        if (files) l->files = files;
        int64_t *classes = pcs_grow(w->ctx, l->classes, l->n * sizeof *classes, room, sizeof *classes);
        if (classes) l->classes = classes;
        if (!files || !classes) st = PRECIS_ENOMEM;
        else w->room = room;
    }
    for (size_t i = 0; i < n && !st; i++) {
        l->files[l->n] = list[i];
        l->classes[l->n++] = class_of;
    }
    pcs_free(w->ctx, list);
    return st;
}

precis_status pcs_listing_read(precis_ctx *ctx, pcs_listing *l, const char *folder, bool (*is)(const char *name),
                               bool folders)
{
    listing w = { ctx, l, 0 };
    const char **list = NULL;
    size_t n = 0;
    *l = (pcs_listing){ 0 };
    pcs_arena_init(&l->arena, ctx);
    precis_status st = add_files(&w, folder, is, -1);
    if (!st && !l->n && folders) {
        st = entries(&w, folder, NULL, &list, &n);
        for (size_t i = 0; i < n && !st; i++) st = add_files(&w, list[i], is, (int64_t)i);
        l->n_classes = n;
    }
    pcs_free(ctx, list);
    return st;
}

void pcs_listing_free(precis_ctx *ctx, pcs_listing *l)
{
    pcs_free(ctx, l->files);
    pcs_free(ctx, l->classes);
    pcs_arena_free(&l->arena);
    *l = (pcs_listing){ 0 };
}
