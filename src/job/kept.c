/* kept.c - files of the folder: their keys, whom to believe, and how many there may be. */
#include "job/kept.h"

#include "base/file.h"
#include "base/json.h"
#include "model/model.h"
#include "write/write.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is measured, and how: to be raised with every change of calibration, gradients, swaps or sampling that changes a
 * number, since a version that is not released does not change. */
#define MEASURES 5
#define FOLDER_MOST ((uint64_t)256 << 20) /* bytes of all files */
#define FILE_MOST ((uint64_t)64 << 20)
#define SUFFIX ".kept"

typedef struct { char magic[8], key[64], check[64]; uint64_t len; } head;
static const char magic[8] = "PCSKEPT1";

/* ---- keys ------------------------------------------------------------------------------------------------------ */

/* A key of the model with its value: architecture, sizes, tokenizer. */
static precis_status add_key(pcs_buf *b, const pcs_key *k)
{
    const uint64_t kind[3] = { (uint64_t)k->type, k->type == PCS_KEY_ARRAY ? (uint64_t)k->item : 0, k->n };
    precis_status st = pcs_buf_add(b, k->name, strlen(k->name) + 1);
    if (!st) st = pcs_buf_add(b, kind, sizeof kind);
    const uint64_t n = k->type == PCS_KEY_ARRAY ? k->n : 1;
    for (uint64_t i = 0; i < n && !st; i++) {
        const bool many = k->type == PCS_KEY_ARRAY;
        if ((many ? k->item : k->type) == PCS_KEY_STRING) {
            const pcs_text *t = many ? &k->v.texts[i] : &k->v.text;
            st = pcs_buf_add(b, &t->len, sizeof t->len);
            if (!st) st = pcs_buf_add(b, t->s, (size_t)t->len);
        } else if (many) {
            const double v = pcs_key_number(k, i);
            st = pcs_buf_add(b, &v, sizeof v);
        } else st = pcs_buf_add(b, &k->v.u, sizeof k->v.u);
    }
    return st;
}

precis_status pcs_kept_key(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *text,
                           const char *more, char key[65])
{
    pcs_buf b;
    char hex[65];
    pcs_buf_init(&b, ctx, (size_t)1 << 30);
    precis_status st = precis_model_sha256(m, hex);
    if (!st) st = pcs_buf_printf(&b, "%s %d %s %s %u %zu %llu ", precis_version(), MEASURES, hex, more, text->tokens,
                                 text->n_texts, (unsigned long long)ctx->opt.seed);
    for (size_t i = 0; i < text->n_texts && !st; i++) {
        precis_sha256(text->texts[i], text->lengths[i], hex);
        st = pcs_buf_add(&b, hex, 64);
    }
    for (size_t i = 0; i < m->n_keys && !st; i++) st = add_key(&b, &m->keys[i]);
    if (!st) precis_sha256(b.data, b.len, key);
    pcs_buf_free(&b);
    return st;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static bool path_of(const char *folder, const char *key, char path[4096])
{
    return snprintf(path, 4096, "%s/%.64s" SUFFIX, folder, key) < 4096;
}

/* Only what this user wrote, and nobody else can write. */
static bool is_own(const struct stat *sb)
{
    return sb->st_uid == geteuid() && !(sb->st_mode & (S_IWGRP | S_IWOTH)) && (uint64_t)sb->st_size <= FILE_MOST &&
           (size_t)sb->st_size >= sizeof(head);
}

static bool read_all(int fd, void *data, size_t len)
{
    char *p = data;
    while (len) {
        const ssize_t k = read(fd, p, len);
        if (k <= 0) return false;
        p += k;
        len -= (size_t)k;
    }
    return true;
}

static bool is_sound(const head *h, const char *key, const char *data, size_t len)
{
    char check[65];
    if (memcmp(h->magic, magic, sizeof magic) || memcmp(h->key, key, 64) || h->len != len) return false;
    precis_sha256(data, len, check);
    return !memcmp(check, h->check, 64);
}

precis_status pcs_kept_load(precis_ctx *ctx, const char *folder, const char *key, char **data, size_t *len)
{
    char path[4096];
    struct stat sb;
    head h;
    int fd;
    *data = NULL;
    *len = 0;
    if (!folder || !path_of(folder, key, path) || pcs_absent(path)) return PRECIS_OK;
    if (pcs_open_regular(ctx, path, O_RDONLY | O_NOFOLLOW, &fd, &sb)) {
        ctx->message[0] = 0;
        return PRECIS_OK;
    }
    const size_t n = is_own(&sb) ? (size_t)sb.st_size - sizeof h : 0;
    char *all = n ? pcs_alloc(ctx, n + 1, 1) : NULL;
    const precis_status st = n && !all ? PRECIS_ENOMEM : PRECIS_OK;
    if (all && read_all(fd, &h, sizeof h) && read_all(fd, all, n) && is_sound(&h, key, all, n)) {
        futimens(fd, NULL); /* the least used go first */
        *data = all;
        *len = n;
    } else {
        pcs_free(ctx, all);
        if (!st) pcs_warn(ctx, "%s is damaged, or not this user's alone: it is not used, and made anew", path);
    }
    close(fd);
    return st;
}

typedef struct { char name[80]; struct timespec at; uint64_t bytes; } entry;

static int by_age(const void *a_, const void *b_)
{
    const entry *a = a_, *b = b_;
    if (a->at.tv_sec != b->at.tv_sec) return a->at.tv_sec < b->at.tv_sec ? -1 : 1;
    return a->at.tv_nsec < b->at.tv_nsec ? -1 : a->at.tv_nsec > b->at.tv_nsec;
}

/* Is it a name that this file gives? Nothing else in the folder is touched. */
static bool is_name(const char *s)
{
    return strlen(s) == 64 + strlen(SUFFIX) && strspn(s, "0123456789abcdef") == 64 && !strcmp(s + 64, SUFFIX);
}

/* The oldest files go, until there is room for `more` bytes. */
static precis_status make_room(precis_ctx *ctx, const char *folder, uint64_t more)
{
    enum { FILES = 4096 };
    DIR *d = opendir(folder);
    if (!d) return PRECIS_OK;
    entry *all = pcs_alloc(ctx, FILES, sizeof *all);
    uint64_t bytes = more;
    size_t n = 0;
    for (struct dirent *e; all && n < FILES && (e = readdir(d));) {
        struct stat sb;
        if (!is_name(e->d_name) || fstatat(dirfd(d), e->d_name, &sb, AT_SYMLINK_NOFOLLOW)) continue;
        all[n] = (entry){ .at = sb.st_mtim, .bytes = (uint64_t)sb.st_size };
        memcpy(all[n++].name, e->d_name, strlen(e->d_name) + 1);
        bytes += (uint64_t)sb.st_size;
    }
    if (all) qsort(all, n, sizeof *all, by_age);
    for (size_t i = 0; i < n && (bytes > FOLDER_MOST || n - i >= FILES); i++) {
        unlinkat(dirfd(d), all[i].name, 0); /* another process may have been faster */
        bytes -= all[i].bytes;
    }
    closedir(d);
    pcs_free(ctx, all);
    return all ? PRECIS_OK : PRECIS_ENOMEM;
}

precis_status pcs_kept_keep(precis_ctx *ctx, const char *folder, const char *key, const void *data, size_t len)
{
    char path[4096], check[65];
    head h = { .len = len };
    pcs_out o = { .ctx = ctx, .fd = -1 };
    if (!folder || len + sizeof h > FILE_MOST || !path_of(folder, key, path)) return PRECIS_OK;
    memcpy(h.magic, magic, sizeof magic);
    memcpy(h.key, key, 64);
    precis_sha256(data, len, check);
    memcpy(h.check, check, 64);
    precis_status st = make_room(ctx, folder, len + sizeof h);
    /* the user's alone, as it has to be to be believed */
    if (!st) st = pcs_out_begin(ctx, &o, &(pcs_out_how){ .path = path, .bytes = len + sizeof h, .secret = true });
    if (!st) st = pcs_out_add(&o, &h, sizeof h);
    if (!st) st = pcs_out_add(&o, data, len);
    if (!st) st = pcs_out_commit(&o);
    pcs_out_close(&o);
    if (!st || st == PRECIS_ENOMEM || st == PRECIS_ECANCELED) return st;
    pcs_warn(ctx, "what was measured is not kept for the next time: %s", precis_ctx_message(ctx));
    ctx->message[0] = 0;
    return PRECIS_OK;
}
