/* source_npz_folder.c - a folder of .npz files, each a sample with an array for each input. One file is in memory at a
 * time. */
#include "read/source.h"

#include <dirent.h>

typedef struct {
    pcs_listing list;
    precis_array *arrays; /* of file `at` */
    size_t n;
    uint64_t at;
} npz_files;

static bool is_npz(const char *name) { return pcs_ends(name, ".npz"); }

static precis_status load(pcs_source *s, uint64_t i)
{
    npz_files *f = s->state;
    if (f->arrays && f->at == i) return PRECIS_OK;
    precis_arrays_free(s->ctx, &f->arrays, f->n);
    f->n = 0;
    f->at = i;
    return precis_arrays_read(s->ctx, &f->arrays, &f->n, f->list.files[i]);
}

static bool takes(const char *path, bool is_folder)
{
    bool yes = false;
    DIR *d = is_folder ? opendir(path) : NULL;
    for (struct dirent *e; d && !yes && (e = readdir(d));) yes = e->d_name[0] != '.' && is_npz(e->d_name);
    if (d) closedir(d);
    return yes;
}

static precis_status open_folder(pcs_source *s)
{
    npz_files *f = s->state = pcs_alloc(s->ctx, 1, sizeof *f);
    if (!f) return PRECIS_ENOMEM;
    precis_status st = pcs_listing_read(s->ctx, &f->list, s->path, is_npz, false);
    s->count = f->list.n;
    return st ? st : load(s, 0);
}

static const precis_array *file_array(const npz_files *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (!strcmp(f->arrays[i].name, name)) return &f->arrays[i];
    return NULL;
}

static bool files_named(const pcs_source *s)
{
    (void)s;
    return true;
}

static bool has(const pcs_source *s, const char *input) { return file_array(s->state, input) != NULL; }

static precis_status sample(pcs_source *s, uint64_t i, size_t slot, const precis_array *input, precis_array *out)
{
    npz_files *f = s->state;
    (void)slot;
    const precis_status st = load(s, i);
    if (st) return st;
    const precis_array *x = file_array(f, input->name);
    if (!x)
        return pcs_fail(s->ctx, PRECIS_EINVAL, "%s: has no array %s, which the net takes", f->list.files[i],
                        input->name);
    *out = *x;
    return PRECIS_OK;
}

static bool same_shape(const pcs_source *s)
{
    (void)s;
    return false;
}

static const char *file(const pcs_source *s, uint64_t i) { return ((const npz_files *)s->state)->list.files[i]; }

static void close_folder(pcs_source *s)
{
    npz_files *f = s->state;
    if (!f) return;
    precis_arrays_free(s->ctx, &f->arrays, f->n);
    pcs_listing_free(s->ctx, &f->list);
    pcs_free(s->ctx, f);
}

const pcs_source_kind pcs_source_npz_folder = {
    .name = "npz_folder", .takes = takes, .open = open_folder, .named = files_named, .has = has,
    .sample = sample, .same_shape = same_shape,
    .file = file, .close = close_folder,
};
