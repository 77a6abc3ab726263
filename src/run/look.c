/* look.c - a program's first run looks at weights as it reads them: a pass of its own would read all of them twice.
 *
 * A thread's rows of a product are taken in pieces that stay in its cache between the look and the product. Whether a
 * weight may be NaN or infinite is seen from scales alone (model/finite.h); of floats, which have none, from what came
 * out. Which one it is, and whether it really is, the runner finds out when a run was doubtful. */
#include "format/number.h"
#include "graph/pieces.h"
#include "model/finite.h"
#include "run/program.h"

#include <stdatomic.h>

enum { PIECE = 1 << 18 }; /* bytes between a look and the product: of an L2 cache */

/* Products alone: experts are not all read, and rows of a table one by one. */
bool pcs_step_looks(const precis_program *p, const pcs_step *s)
{
    if (!s->op || !s->op->reads_stored || !s->op->workers || s->n_in <= s->op->reads_stored) return false;
    const pcs_slot *w = &p->slots[s->in[s->op->reads_stored]];
    return w->v.dtype == PCS_STORED && w->v.dims == 2 && !w->looked && pcs_arg_rows(&s->call.in[0]) > 0;
}

/* Zero times infinity is NaN, too, so that one token's results tell of all floats that it was multiplied by. */
static bool results_tell(const pcs_step *s, const pcs_arg *w)
{
    return s->op->spreads_odd && w->format->kind == PCS_FLOAT && s->call.in[0].dtype == PCS_F32;
}

static void look_at_results(precis_program *p, const pcs_step *s, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_call own = s->call;
    own.claims = NULL; /* the rows that it looks at are those that it makes */
    s->eval(&own, ith, nth);
    if (!pcs_piece_share((size_t)s->call.in[s->op->reads_stored].shape[0], ith, nth, &begin, &end)) return;
    if (!pcs_all_finite((const float *)s->call.out[0].data + begin, end - begin))
        atomic_store_explicit(&p->doubtful, true, memory_order_relaxed);
}

void pcs_step_look(precis_program *p, const pcs_step *s, uint32_t ith, uint32_t nth)
{
    const pcs_arg *w = &s->call.in[s->op->reads_stored];
    const size_t n = (size_t)w->shape[0], k = (size_t)w->shape[1];
    const uint64_t units = pcs_piece_threads(n), share = n * pcs_row_bytes(w->format, k) / nth;
    uint64_t parts = share / PIECE + 1, begin, end;
    if (results_tell(s, w)) {
        look_at_results(p, s, ith, nth);
        return;
    }
    if (parts > units / nth) parts = units / nth ? units / nth : 1;
    const uint32_t all = nth * (uint32_t)parts;
    for (uint32_t at = ith * (uint32_t)parts, last = at + (uint32_t)parts; at < last; at++) {
        if (pcs_piece_share(n, at, all, &begin, &end) &&
            pcs_weights_doubtful(w->format, k, w->panels ? NULL : w->data, w->panels, begin, end))
            atomic_store_explicit(&p->doubtful, true, memory_order_relaxed);
        pcs_call part = s->call; /* as thread `at` of so many, with this thread's scratch */
        part.claims = NULL; /* rows that were looked at are these */
        part.scratch = (char *)((uintptr_t)part.scratch - (at - ith) * part.scratch_size);
        s->eval(&part, at, all);
    }
}

void pcs_program_looked(precis_program *p)
{
    for (size_t i = 0; i < p->n_steps; i++) {
        const pcs_step *s = &p->steps[i];
        if (pcs_step_looks(p, s)) p->slots[s->in[s->op->reads_stored]].looked = true;
    }
    p->looking = false;
}
