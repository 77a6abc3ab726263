/* npz.c - .npz archives: a zip of .npy files, stored or deflated, by libzip over the mapped file.
 *
 * What a member takes is bounded before it is allocated: deflate makes at most 1,032 bytes of one, so that a member
 * which claims more is damaged, and the array's header must agree with what was unpacked. */
#include "read/npz.h"

#include "base/file.h"
#include "base/parts.h"

#include "precis/part.h"

#include <stdio.h>

#if PCS_HAVE_ZIP
#include <zip.h>

#define ZIP_CALLS(F) \
    F(zip_error_init) F(zip_error_fini) F(zip_error_strerror) F(zip_source_buffer_create) F(zip_source_free) \
    F(zip_open_from_source) F(zip_discard) F(zip_get_num_entries) F(zip_stat_index) F(zip_fopen_index) F(zip_fread) \
    F(zip_fclose)
PRECIS_PART_FUNCTIONS("ZIP", libzip, ZIP_CALLS)

enum { MEMBERS_MOST = 65536, DEFLATE_MOST = 1032 };

typedef struct archive { libzip lib; zip_t *z; const char *path; } archive;

static precis_status unpack(precis_ctx *ctx, const archive *a, const zip_stat_t *s, precis_array *out)
{
    char where[512];
    snprintf(where, sizeof where, "%s, %.200s", a->path, s->name);
    if (s->size > (s->comp_size + 64) * DEFLATE_MOST || s->size > (uint64_t)PCS_LIMIT_NET_ELEMENTS * 8)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: claims %llu bytes, packed in %llu", where,
                        (unsigned long long)s->size, (unsigned long long)s->comp_size);
    uint8_t *bytes = pcs_alloc(ctx, (size_t)s->size + 1, 1);
    if (!bytes) return PRECIS_ENOMEM;
    zip_file_t *f = a->lib.zip_fopen_index(a->z, s->index, 0);
    zip_uint64_t got = 0;
    zip_int64_t k = f ? 1 : -1;
    while (k > 0 && got <= s->size) {
        k = a->lib.zip_fread(f, bytes + got, s->size + 1 - got);
        if (k > 0) got += (zip_uint64_t)k;
    }
    if (f && a->lib.zip_fclose(f)) k = -1;
    precis_status st = PRECIS_OK;
    if (k < 0 || got != s->size)
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: cannot be unpacked (damaged, or packed by a method that libzip lacks)",
                      where);
    else st = pcs_array_parse(ctx, out, where, bytes, s->size);
    pcs_free(ctx, bytes);
    return st;
}

/* "x.npy" is array x. A name has a block of its own. */
static precis_status name_member(precis_ctx *ctx, const precis_array *list, size_t i, const zip_stat_t *s,
                                 const char *path, char **name)
{
    const size_t n = strlen(s->name);
    if (n < 5 || !pcs_ends(s->name, ".npy"))
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: member %.200s is no .npy file", path, s->name);
    char *own = pcs_alloc(ctx, n + 1, 1);
    if (!own) return PRECIS_ENOMEM;
    memcpy(own, s->name, n - 4);
    *name = own;
    for (size_t k = 0; k < i; k++)
        if (!strcmp(list[k].name, own))
            return pcs_fail(ctx, PRECIS_EFORMAT, "%s: has two arrays %.200s", path, own);
    return PRECIS_OK;
}

static precis_status read_members(precis_ctx *ctx, const archive *a, precis_array **out, size_t *n)
{
    const char *path = a->path;
    const zip_int64_t members = a->lib.zip_get_num_entries(a->z, 0);
    precis_status st = PRECIS_OK;
    if (members < 0 || members > MEMBERS_MOST)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: has %lld members, at most %d", path, (long long)members,
                        MEMBERS_MOST);
    if (!(*out = pcs_alloc(ctx, (size_t)members + 1, sizeof **out))) return PRECIS_ENOMEM;
    for (zip_int64_t i = 0; i < members && !st; i++) {
        const zip_uint64_t need = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_INDEX;
        zip_stat_t s;
        char *name = NULL;
        precis_array *array = &(*out)[*n];
        if (a->lib.zip_stat_index(a->z, (zip_uint64_t)i, 0, &s) || (s.valid & need) != need)
            return pcs_fail(ctx, PRECIS_EFORMAT, "%s: member %lld cannot be read", path, (long long)i);
        st = name_member(ctx, *out, *n, &s, path, &name);
        if (!st) st = unpack(ctx, a, &s, array);
        array->name = name;
        if (name) ++*n;
    }
    return st;
}

precis_status precis_arrays_read(precis_ctx *ctx, precis_array **out, size_t *n, const char *path)
{
    pcs_file f;
    archive a = { .path = path };
    *out = NULL;
    *n = 0;
    precis_status st = pcs_file_open(ctx, &f, path); /* not by libzip, which would wait for a pipe */
    if (!st && (st = libzip_open(ctx, path, &a.lib))) pcs_file_close(ctx, &f);
    if (st) return st;
    zip_error_t why;
    a.lib.zip_error_init(&why);
    zip_source_t *source = a.lib.zip_source_buffer_create(f.map, f.size, 0, NULL);
    a.z = source ? a.lib.zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &why) : NULL;
    if (!a.z) {
        a.lib.zip_source_free(source);
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: is no sound zip archive: %s", path, a.lib.zip_error_strerror(&why));
    } else {
        st = read_members(ctx, &a, out, n);
        a.lib.zip_discard(a.z);
    }
    a.lib.zip_error_fini(&why);
    pcs_file_close(ctx, &f);
    if (st) precis_arrays_free(ctx, out, *n);
    if (st) *n = 0;
    return st;
}

#else

precis_status precis_arrays_read(precis_ctx *ctx, precis_array **out, size_t *n, const char *path)
{
    char what[4200];
    *out = NULL;
    *n = 0;
    snprintf(what, sizeof what, "%s: a zip archive", path);
    return pcs_part_need(ctx, PCS_PART_ZIP, what);
}

#endif

void precis_arrays_free(precis_ctx *ctx, precis_array **arrays, size_t n)
{
    for (size_t i = 0; *arrays && i < n; i++) {
        precis_array_free(ctx, &(*arrays)[i]);
        pcs_free(ctx, (void *)(uintptr_t)(*arrays)[i].name);
    }
    pcs_free(ctx, *arrays);
    *arrays = NULL;
}
