/* spill.c - a limit on memory, and large tables in files that have no name, so that a killed process leaves nothing. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef O_TMPFILE
#define O_TMPFILE 0 /* a folder cannot be opened for writing: a file with a name is made */
#endif

/* Bytes in two fields of /proc/self/status, the second's may be NULL; 0 where there is none. */
static uint64_t status_bytes(const char *one, const char *other)
{
    char text[8192];
    uint64_t sum = 0;
    if (!pcs_system_text("/proc/self/status", text, sizeof text)) return 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, one, strlen(one)) || (other && !strncmp(line, other, strlen(other))))
            sum += strtoull(strchr(line, ':') + 1, NULL, 10);
    }
    return sum * 1024;
}

uint64_t pcs_private_memory(void) { return status_bytes("RssAnon:", "VmSwap:"); }

uint64_t pcs_peak_memory(void)
{
    const uint64_t peak = status_bytes("VmHWM:", NULL);
    struct rusage u;
    return peak ? peak : getrusage(RUSAGE_SELF, &u) ? 0 : (uint64_t)u.ru_maxrss * 1024;
}

const char *pcs_temporary_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    return tmp && *tmp ? tmp : "/tmp";
}

precis_status precis_ctx_set_memory_limit(precis_ctx *ctx, uint64_t bytes, const char *folder)
{
    if (!folder) folder = pcs_temporary_folder();
    ctx->memory.limit = 0;
    if (!bytes) return PRECIS_OK;
    const uint64_t now = pcs_private_memory(), used = ctx->memory.used;
    if (now > bytes)
        return pcs_fail(ctx, PRECIS_ENOMEM, "the process holds %llu bytes already, more than the limit of %llu",
                        (unsigned long long)now, (unsigned long long)bytes);
    const int length = snprintf(ctx->memory.folder, sizeof ctx->memory.folder, "%s", folder);
    if (length >= (int)sizeof ctx->memory.folder)
        return pcs_fail(ctx, PRECIS_EINVAL, "the folder for spilled tables has too long a name");

    ctx->memory.base = now > used ? now - used : 0;
    ctx->memory.limit = bytes;
    ctx->memory.peak = used;
    return PRECIS_OK;
}

uint64_t precis_ctx_memory_peak(const precis_ctx *ctx) { return ctx->memory.base + ctx->memory.peak; }

/* Not the road of outputs (write/out.c): a table has no name and ends with the process. */
static int open_unnamed(const char *folder)
{
    int fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    char path[1100]; /* a file system without O_TMPFILE */
    snprintf(path, sizeof path, "%s/.precis-spill-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) unlink(path);
    return fd;
}

precis_status pcs_spill_open(precis_ctx *ctx, pcs_spill *s, uint64_t bytes)
{
    *s = (pcs_spill){ .bytes = bytes };
    if (!ctx->memory.limit || !bytes) {
        s->data = pcs_alloc(ctx, bytes, 1);
        return s->data ? PRECIS_OK : PRECIS_ENOMEM;
    }
    const int fd = open_unnamed(ctx->memory.folder);
    if (fd < 0)
        return pcs_fail(ctx, pcs_errno_status(errno), "%s: a table cannot be spilled there: %s", ctx->memory.folder,
                        strerror(errno));
#ifdef __APPLE__
    const int no = ftruncate(fd, (off_t)bytes) ? errno : 0;
#else
    const int no = posix_fallocate(fd, 0, (off_t)bytes); /* room now, not a fault later */
#endif
    void *p = no ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const int why = no ? no : errno;
    close(fd);
    if (p == MAP_FAILED)
        return pcs_fail(ctx, pcs_errno_status(why),
                        "%s: %llu bytes cannot be spilled there: %s; set TMPDIR to a folder with room",
                        ctx->memory.folder, (unsigned long long)bytes, strerror(why));
    s->data = p;
    s->mapped = true;
    return PRECIS_OK;
}

void pcs_spill_close(precis_ctx *ctx, pcs_spill *s)
{
    if (s->mapped) munmap(s->data, s->bytes);
    else pcs_free(ctx, s->data);
    *s = (pcs_spill){ .data = NULL };
}
