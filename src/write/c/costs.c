/* costs.c - what a C file takes on a microcontroller. Flash and RAM are counted; cycles are work times what it costs
 * on a core, from least to most (cores.def). */
#include "write/c/file.h"

typedef struct {
    const char *name;
    double cost[PCS_C_WORKS][2]; /* by pcs_c_work */
} core;

static const core cores[] = {
#define C_CORE(name, m0, m1, d0, d1, f0, f1, o0, o1, e0, e1, w0, w1) \
    { name, { { m0, m1 }, { d0, d1 }, { f0, f1 }, { o0, o1 }, { e0, e1 }, { w0, w1 } } },
#include "write/c/cores.def"
};

const char *pcs_c_core(size_t i) { return i < sizeof cores / sizeof *cores ? cores[i].name : NULL; }

void pcs_c_costs(const pcs_c_file *w, pcs_c_written *k)
{
    enum { CALL = 13, STACK = 256 }; /* bytes of code; the deepest of the functions' frames, and what calls them */
    _Static_assert(sizeof cores / sizeof *cores == PCS_C_CORES, "a core has a place in pcs_c_written");
    k->weights = w->weights;
    k->code = w->code + w->n_calls * CALL + 16;
    k->arena = w->arena_bytes;
    k->stack = STACK;
    k->macs = (uint64_t)(w->work[PCS_C_MAC] + w->work[PCS_C_MAC_DEPTHWISE] + w->work[PCS_C_MAC_F32]);
    k->calls = w->n_calls;
    for (size_t i = 0; pcs_c_parts[i].name; i++)
        if (w->part[i]) k->functions++, k->arena += pcs_c_parts[i].ram;
    for (size_t c = 0; c < PCS_C_CORES; c++)
        for (int e = 0; e < 2; e++) {
            k->cycles[c][e] = 0;
            for (int i = 0; i < PCS_C_WORKS; i++) k->cycles[c][e] += w->work[i] * cores[c].cost[i][e];
        }
}
