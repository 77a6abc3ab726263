/* leftovers.c - hidden names and changed inputs of a context. A path is a copy of its own in one slot; one too many is
 * only not removed by a second signal. */
#include "base/leftovers.h"

#include <stdatomic.h>
#include <unistd.h>

static char *copy_of(precis_ctx *ctx, const char *path)
{
    const size_t n = strlen(path) + 1;
    char *copy = pcs_alloc(ctx, n, 1);
    if (copy) memcpy(copy, path, n);
    return copy;
}

void pcs_leftover_add(precis_ctx *ctx, const char *path)
{
    pcs_leftovers *all = pcs_leftovers_of(ctx);
    char *copy = copy_of(ctx, path), *none = NULL;
    for (int i = 0; copy && i < PCS_LEFTOVERS; i++, none = NULL)
        if (atomic_compare_exchange_strong(&all->path[i], &none, copy)) return;
    pcs_free(ctx, copy);
}

void pcs_leftover_gone(precis_ctx *ctx, const char *path)
{
    pcs_leftovers *all = pcs_leftovers_of(ctx);
    for (int i = 0; i < PCS_LEFTOVERS; i++) {
        char *p = atomic_load(&all->path[i]);
        if (!p || strcmp(p, path)) continue;
        atomic_store(&all->path[i], NULL);
        pcs_free(ctx, p);
        return;
    }
}

void precis_ctx_abandon(precis_ctx *ctx)
{
    pcs_leftovers *all = pcs_leftovers_of(ctx);
    for (int folders = 0; folders < 2; folders++) /* files first: a folder must be empty */
        for (int i = 0; i < PCS_LEFTOVERS; i++) {
            const char *p = atomic_load(&all->path[i]);
            if (p) (void)(folders ? rmdir(p) : unlink(p));
        }
}

void pcs_changed(precis_ctx *ctx, const char *path)
{
    char *copy = copy_of(ctx, path), *none = NULL;
    if (copy && !atomic_compare_exchange_strong(&pcs_leftovers_of(ctx)->changed, &none, copy)) pcs_free(ctx, copy);
}

const char *precis_ctx_changed(const precis_ctx *ctx)
{
    return atomic_load(&pcs_leftovers_of((precis_ctx *)(uintptr_t)ctx)->changed);
}

void pcs_leftovers_close(precis_ctx *ctx)
{
    pcs_leftovers *all = pcs_leftovers_of(ctx);
    for (int i = 0; i < PCS_LEFTOVERS; i++) pcs_free(ctx, atomic_load(&all->path[i]));
    pcs_free(ctx, atomic_load(&all->changed));
}
