/* spread.c - loads precis-mpi.so when mpirun started several of us: MPI is no dependency of
 * the program, and starting it costs a tenth of a second. */
#include "spread.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *module;

static void *load(const char *name)
{
    char path[PATH_MAX + 64];
    const ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    static const char *const places[] = { "", "../lib/precis/", PRECIS_MODULES "/" };
    if (n <= 0) return NULL;
    path[n] = 0;
    char *slash = strrchr(path, '/');
    for (size_t i = 0; i < sizeof places / sizeof *places && slash; i++) {
        if (places[i][0] == '/') snprintf(path, sizeof path, "%s%s", places[i], name);
        else snprintf(slash + 1, sizeof path - (size_t)(slash + 1 - path), "%s%s", places[i], name);
        void *m = access(path, R_OK) ? NULL : dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        if (m) return m;
    }
    return NULL;
}

int spread_open(const cli *c, precis_spread *s)
{
    *s = (precis_spread){ .size = 1 };
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    if (!size || strtol(size, NULL, 10) < 2) return -1;
    module = load("precis-mpi.so");
    int (*start)(precis_spread *) = NULL;
    if (module) *(void **)&start = dlsym(module, "precis_mpi_start");
    if (!start) {
        const precis_status st = precis_part_need(c->ctx, "MPI", "mpirun");
        return st ? cli_fail(c, st) : cli_error(c, "mpirun: precis-mpi.so is not beside this precis, or does not load");
    }
    if (start(s)) return cli_error(c, "MPI does not start");
    return -1;
}

void spread_close(precis_spread *s)
{
    void (*end)(void) = NULL;
    if (s->size > 1 && module) *(void **)&end = dlsym(module, "precis_mpi_end");
    if (end) end();
    s->size = 1;
}
