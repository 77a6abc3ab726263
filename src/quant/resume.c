/* resume.c - pieces of a job in a log that only grows: a head with the job's key, then records of {kind, lengths, name,
 * payload, tail, check}. A record whose end is missing or whose check differs ends the log: what a killed process was
 * writing. States of layers are a file of their own, which is replaced as a whole. */
#include "quant/resume.h"
#include "quant/imatrix_bytes.h"

#include "base/file.h"
#include "write/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TENSOR = 1, IMATRIX = 2, METHOD = 128 };
typedef struct { char magic[8], key[64]; } head;
typedef struct { uint32_t kind, name_len; uint64_t len; } front;
typedef struct { double error; char method[METHOD]; uint64_t check; } tail;
typedef struct { char magic[8], key[64]; uint64_t layers, len, check; } state_head;
static const char magic[9] = "PCSRSM01";

struct pcs_resume {
    precis_ctx *ctx;
    char *path, *states, key[65];
    int fd;
    uint8_t *map;
    uint64_t mapped;
    pcs_piece *pieces;
    size_t n, cap;
    pcs_map names;
    const uint8_t *imatrix;
    uint64_t imatrix_len, check;
    uint8_t word[8]; /* what is not mixed yet */
    uint32_t carry;
    pcs_arena arena;
};

/* FNV over 8 bytes at a time: against torn writes, not against people. */
static uint64_t mix(uint64_t h, const uint8_t *p, uint64_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = (h ^ v) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    while (n--) h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

static precis_status put(pcs_resume *r, const void *data, uint64_t len)
{
    const char *p = data;
    while (len) {
        const ssize_t k = write(r->fd, p, len < 1u << 30 ? len : 1u << 30);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return pcs_io_fail(r->ctx, r->path, "written");
        p += k;
        len -= (uint64_t)k;
    }
    return PRECIS_OK;
}

static precis_status note_piece(pcs_resume *r, const char *name, const uint8_t *bytes, uint64_t len, const tail *t)
{
    if (r->n == r->cap) {
        const size_t cap = r->cap * 2 + 64;
        pcs_piece *more = pcs_grow(r->ctx, r->pieces, r->n * sizeof *more, cap, sizeof *more);
        if (!more) return PRECIS_ENOMEM;
        r->pieces = more;
        r->cap = cap;
    }
    bool existed;
    char *method = pcs_arena_copy(&r->arena, t->method, strnlen(t->method, METHOD));
    if (!method || pcs_map_put(&r->names, name, strlen(name), (uint32_t)r->n, &existed)) return PRECIS_ENOMEM;
    if (!existed) r->pieces[r->n++] = (pcs_piece){ name, method, bytes, len, t->error };
    return PRECIS_OK;
}

/* Take what is whole; *end: where it ends. */
static precis_status scan(pcs_resume *r, uint64_t *end)
{
    uint64_t at = sizeof(head);
    precis_status st = PRECIS_OK;
    for (*end = at; !st && r->mapped - at >= sizeof(front) + sizeof(tail); *end = at) {
        front f;
        tail t;
        memcpy(&f, r->map + at, sizeof f);
        const uint64_t room = r->mapped - at - sizeof f - sizeof t;
        if (f.name_len > PCS_LIMIT_NAME || f.name_len > room || f.len > room - f.name_len) break;
        memcpy(&t, r->map + at + sizeof f + f.name_len + f.len, sizeof t);
        const uint64_t check = t.check;
        t.check = 0;
        uint64_t h = mix(mix(1, r->map + at, sizeof f), r->map + at + sizeof f, f.name_len);
        h = mix(h, r->map + at + sizeof f + f.name_len, f.len);
        if (mix(h, (const uint8_t *)&t, sizeof t) != check) break;
        const uint8_t *payload = r->map + at + sizeof f + f.name_len;
        const char *name = pcs_arena_copy(&r->arena, (const char *)r->map + at + sizeof f, f.name_len);
        if (!name) st = PRECIS_ENOMEM;
        else if (f.kind == TENSOR) st = note_piece(r, name, payload, f.len, &t);
        else if (f.kind == IMATRIX) r->imatrix = payload, r->imatrix_len = f.len;
        at += sizeof f + f.name_len + f.len + sizeof t;
    }
    return st;
}

/* Empty, or a head, or what a killed process had written of one: such a file may be emptied. */
static bool begins_a_log(const pcs_resume *r)
{
    char first[sizeof magic - 1];
    const size_t n = r->mapped < sizeof first ? (size_t)r->mapped : sizeof first;
    return pread(r->fd, first, n, 0) == (ssize_t)n && !memcmp(first, magic, n);
}

precis_status pcs_resume_open(precis_ctx *ctx, pcs_resume **out, const char *path, const char *key)
{
    *out = NULL;
    if (!path) return PRECIS_OK;
    pcs_resume *r = pcs_alloc(ctx, 1, sizeof *r);
    if (!r) return PRECIS_ENOMEM;
    *r = (pcs_resume){ .ctx = ctx, .fd = -1 };
    pcs_arena_init(&r->arena, ctx);
    pcs_map_init(&r->names, ctx);
    *out = r;
    precis_sha256(key, strlen(key), r->key);
    r->path = pcs_arena_printf(&r->arena, "%s.resume", path);
    r->states = pcs_arena_printf(&r->arena, "%s.resume.states", path);
    if (!r->path || !r->states) return PRECIS_ENOMEM;
    /* Not the road of outputs (write/out.c): a log grows where it is, so that a kill leaves what was finished. It is no
     * result, and who opens it finds its torn end. */
    struct stat sb;
    precis_status st = pcs_open_regular(ctx, r->path, O_RDWR | O_CREAT, &r->fd, &sb);
    if (st) return st;
    if (lockf(r->fd, F_TLOCK, 0)) return pcs_fail(ctx, PRECIS_EIO, "%s: another process works on this output", r->path);
    r->mapped = (uint64_t)sb.st_size;
    head h;
    memcpy(h.magic, magic, 8);
    memcpy(h.key, r->key, 64);
    if (r->mapped >= sizeof h) {
        void *map = mmap(NULL, r->mapped, PROT_READ, MAP_SHARED, r->fd, 0);
        if (map == MAP_FAILED) return pcs_io_fail(r->ctx, r->path, "mapped");
        r->map = map;
    }
    if (!begins_a_log(r))
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s exists and is no log of a job; move it, or choose another output",
                        r->path);
    if (!r->map || memcmp(r->map, &h, sizeof h)) { /* of another job, or none */
        if (r->map) pcs_warn(ctx, "%s is of another job (other options, inputs or version): it begins anew", r->path);
        if (ftruncate(r->fd, 0)) return pcs_io_fail(r->ctx, r->path, "emptied");
        unlink(r->states);
        return put(r, &h, sizeof h);
    }
    uint64_t end;
    st = scan(r, &end);
    if (!st && (ftruncate(r->fd, (off_t)end) || lseek(r->fd, (off_t)end, SEEK_SET) < 0))
        return pcs_io_fail(r->ctx, r->path, "cut");
    return st;
}

void pcs_resume_close(pcs_resume **resume, bool done)
{
    if (!resume || !*resume) return;
    pcs_resume *r = *resume;
    precis_ctx *ctx = r->ctx;
    if (r->map) munmap(r->map, r->mapped);
    if (done && r->fd >= 0) {
        unlink(r->states);
        unlink(r->path);
    }
    if (r->fd >= 0) close(r->fd);
    pcs_free(ctx, r->pieces);
    pcs_map_free(&r->names);
    pcs_arena_free(&r->arena);
    pcs_free(ctx, r);
    *resume = NULL;
}

const pcs_piece *pcs_resume_find(const pcs_resume *r, const char *tensor)
{
    uint32_t i;
    return r && pcs_map_get(&r->names, tensor, strlen(tensor), &i) ? &r->pieces[i] : NULL;
}

static precis_status begin(pcs_resume *r, uint32_t kind, const char *name, uint64_t len)
{
    const front f = { kind, (uint32_t)strlen(name), len };
    precis_status st = put(r, &f, sizeof f);
    if (!st) st = put(r, name, f.name_len);
    r->check = mix(mix(1, (const uint8_t *)&f, sizeof f), (const uint8_t *)name, f.name_len);
    r->carry = 0;
    return st;
}

precis_status pcs_resume_begin(pcs_resume *r, const char *tensor, uint64_t len)
{
    if (!r) return PRECIS_OK;
    return begin(r, TENSOR, tensor, len);
}

precis_status pcs_resume_add(pcs_resume *r, const void *data, uint64_t len)
{
    if (!r) return PRECIS_OK;
    const precis_status st = put(r, data, len);
    const uint8_t *p = data;
    while (r->carry && r->carry < 8 && len) r->word[r->carry++] = *p++, len--; /* parts need not be whole words */
    if (r->carry == 8) r->check = mix(r->check, r->word, 8), r->carry = 0;
    if (r->carry) return st;
    r->check = mix(r->check, p, len / 8 * 8);
    r->carry = (uint32_t)(len % 8);
    memcpy(r->word, p + len / 8 * 8, r->carry);
    return st;
}

precis_status pcs_resume_end(pcs_resume *r, const char *method, double error)
{
    if (!r) return PRECIS_OK;
    tail t;
    r->check = mix(r->check, r->word, r->carry);
    r->carry = 0;
    memset(&t, 0, sizeof t);
    t.error = error;
    snprintf(t.method, sizeof t.method, "%s", method);
    t.check = mix(r->check, (const uint8_t *)&t, sizeof t);
    return put(r, &t, sizeof t);
}

/* ---- calibration ------------------------------------------------------------------------------------------------- */

precis_status pcs_resume_keep_imatrix(pcs_resume *r, const precis_imatrix *im)
{
    if (!r) return PRECIS_OK;
    pcs_buf b;
    pcs_buf_init(&b, r->ctx, (size_t)1 << 32);
    precis_status st = pcs_imatrix_put(&b, im);
    if (!st) st = begin(r, IMATRIX, "", b.len);
    if (!st) r->check = mix(r->check, (const uint8_t *)b.data, b.len), st = put(r, b.data, b.len);
    if (!st) st = pcs_resume_end(r, "", 0);
    pcs_buf_free(&b);
    return st;
}

precis_status pcs_resume_load_imatrix(pcs_resume *r, precis_imatrix **out)
{
    *out = NULL;
    return r && r->imatrix ? pcs_imatrix_take(r->ctx, r->imatrix, r->imatrix_len, out) : PRECIS_OK;
}

/* ---- states ------------------------------------------------------------------------------------------------------ */

precis_status pcs_resume_keep_states(pcs_resume *r, uint32_t layers, const void *data, uint64_t len)
{
    if (!r) return PRECIS_OK;
    state_head h = { .layers = layers, .len = len, .check = mix(layers, data, len) };
    memcpy(h.magic, magic, 8);
    memcpy(h.key, r->key, 64);
    pcs_out o;
    precis_status st = pcs_out_open(r->ctx, &o, r->states, len + sizeof h, NULL);
    if (!st) st = pcs_out_add(&o, &h, sizeof h);
    if (!st) st = pcs_out_add(&o, data, len);
    if (!st) st = pcs_out_commit(&o);
    pcs_out_close(&o);
    return st;
}

precis_status pcs_resume_load_states(pcs_resume *r, uint32_t *layers, void *data, uint64_t len)
{
    *layers = 0;
    state_head h;
    int fd;
    struct stat sb;
    if (!r || pcs_absent(r->states)) return PRECIS_OK;
    const precis_status st = pcs_open_regular(r->ctx, r->states, O_RDONLY, &fd, &sb);
    if (st) return st;
    uint64_t at = 0;
    const bool ok = read(fd, &h, sizeof h) == (ssize_t)sizeof h && !memcmp(h.magic, magic, 8) &&
                    !memcmp(h.key, r->key, 64) && h.len == len;
    while (ok && at < len) {
        const ssize_t k = pread(fd, (char *)data + at, len - at < 1u << 30 ? len - at : 1u << 30,
                                (off_t)(sizeof h + at));
        if (k <= 0) break;
        at += (uint64_t)k;
    }
    close(fd);
    if (ok && at == len && mix(h.layers, data, len) == h.check) *layers = (uint32_t)h.layers;
    else if (ok) memset(data, 0, len);
    return PRECIS_OK;
}
