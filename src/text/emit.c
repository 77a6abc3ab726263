/* emit.c - tokens that were found, one after another. */
#include "base/stop.h"
#include "text/tokenizer.h"

precis_status pcs_tokenizer_emit(precis_tokenizer *t, int32_t id)
{
    if (pcs_stopped(t->ctx, t->n_out)) return pcs_progress(t->ctx, "tokenize", t->n_out, t->n_out + 1);
    if (t->n_out == t->cap_out) {
        const size_t cap = t->cap_out ? t->cap_out * 2 : 256;
        int32_t *grown = pcs_grow(t->ctx, t->out, t->n_out * sizeof *grown, cap, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        t->out = grown;
        t->cap_out = cap;
    }
    t->out[t->n_out++] = id;
    return PRECIS_OK;
}
