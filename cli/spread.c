/* spread.c - loads precis-mpi.so when mpirun started several of us: MPI is no dependency of
 * the program, and starting it costs a tenth of a second. */
#include "spread.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

static void *module;
static volatile sig_atomic_t worker;

static void pass_on(int sig)
{
    const int keep = errno;
    if (worker > 0) kill((pid_t)worker, sig);
    errno = keep;
}

/* mpirun ends with what the system says of a process that was killed, 137, when it had started that process itself. So
 * what it starts only waits for one that works, and says the exit code that a lost process has. -1 in the one that
 * works; else an exit code. */
static int work_watched(const cli *c)
{
    const pid_t parent = getpid(), pid = fork();
    if (pid < 0) return cli_error(c, "no process could be started: %s", strerror(errno)), EXIT_RESOURCES;
    if (!pid) {
        setpgid(0, 0); /* signals reach it once: from the one that waits, not also as one of mpirun's group */
#ifdef __linux__
        prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
        if (getppid() != parent) _exit(EXIT_RESOURCES);
        return -1;
    }
    worker = pid;
    const struct sigaction sa = { .sa_handler = pass_on, .sa_flags = SA_RESTART };
    static const int passed[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) sigaction(passed[i], &sa, NULL);
    int how = 0;
    while (waitpid(pid, &how, 0) < 0)
        if (errno != EINTR) return cli_error(c, "its process is lost: %s", strerror(errno)), EXIT_RESOURCES;
    worker = 0;
    if (WIFEXITED(how)) return WEXITSTATUS(how);
    cli_error(c, "a process of mpirun's was ended by signal %d: the others end, and --resume goes on where it can",
              WTERMSIG(how));
    return EXIT_RESOURCES;
}

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
    const int ended = work_watched(c);
    if (ended >= 0) return ended;
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
