/* module.c - precis-mpi.so: what the command line needs of MPI (MPI-3.1). */
#include "precis/law_fit.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

PRECIS_API int precis_mpi_start(precis_spread *s);
PRECIS_API void precis_mpi_end(void);

/* Item i is that of process i % size: every process packs its own, all get all, in order. */
static int gather(void *user, void *items, size_t bytes, size_t n)
{
    const precis_spread *s = user;
    const size_t most = (n + s->size - 1) / s->size;
    char *mine = calloc(most + 1, bytes), *all = calloc(most * s->size + 1, bytes);
    int worst = 0;
    const size_t room = most * bytes;
    const int bad = mine == NULL || all == NULL || room > (size_t)1 << 30;
    MPI_Allreduce(&bad, &worst, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    if (!worst) {
        for (size_t k = 0; k < most; k++)
            if (k * s->size + s->rank < n)
                memcpy(mine + k * bytes, (char *)items + (k * s->size + s->rank) * bytes, bytes);
        worst = MPI_Allgather(mine, (int)(most * bytes), MPI_BYTE, all, (int)(most * bytes), MPI_BYTE,
                              MPI_COMM_WORLD) != MPI_SUCCESS;
        for (size_t i = 0; i < n && !worst; i++)
            memcpy((char *)items + i * bytes, all + ((i % s->size) * most + i / s->size) * bytes, bytes);
    }
    free(mine);
    free(all);
    return worst;
}

static precis_spread world;

int precis_mpi_start(precis_spread *s)
{
    int had, rank, size;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &had) != MPI_SUCCESS) return 1;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN); /* a rank that is gone is the caller's to say */
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    world = (precis_spread){ (uint32_t)rank, (uint32_t)size, gather, &world };
    *s = world;
    return 0;
}

void precis_mpi_end(void) { MPI_Finalize(); }
