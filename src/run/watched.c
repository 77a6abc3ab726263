/* watched.c - nets whose values are looked at. */
#include "run/watched.h"

precis_status pcs_watched_open(precis_ctx *ctx, pcs_watched *w, const precis_net *net)
{
    *w = (pcs_watched){ .ctx = ctx, .file = pcs_net_file(net) };
    w->given = pcs_alloc(ctx, w->file->n_inputs + 1, sizeof *w->given);
    return w->given ? PRECIS_OK : PRECIS_ENOMEM;
}

static void forget_program(pcs_watched *w)
{
    precis_program_close(&w->program);
    pcs_netfile_graph_close(w->ctx, &w->graph);
}

void pcs_watched_close(pcs_watched *w)
{
    if (!w->ctx) return;
    forget_program(w);
    pcs_free(w->ctx, w->given);
    *w = (pcs_watched){ 0 };
}

static const precis_array *input_of(const pcs_watched *w, size_t i, const precis_array *inputs, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (!strcmp(inputs[k].name, w->file->inputs[i].name)) return &inputs[k];
    return NULL;
}

/* With the contents of inputs where they are asked for. */
static precis_status make_program(pcs_watched *w, const precis_array *inputs, size_t n)
{
    const pcs_program_options o = { .arithmetic = PRECIS_REFERENCE, .context = 16, .sequences = 1, .k_type = "f32",
                                    .v_type = "f32", .keep_all = true };
    uint64_t need = 0, before;
    precis_status st;
    forget_program(w);
    do {
        before = need;
        for (size_t i = 0; i < w->file->n_inputs; i++) {
            const precis_array *a = input_of(w, i, inputs, n);
            if (!a) return pcs_fail(w->ctx, PRECIS_EINVAL, "input %s is not given", w->file->inputs[i].name);
            w->given[i] = (pcs_netfile_given){ .shaped = true, .dims = a->dims };
            memcpy(w->given[i].shape, a->shape, sizeof w->given[i].shape);
            if (need & (uint64_t)1 << (i < 63 ? i : 63)) w->given[i].data = a->data, w->given[i].bytes = a->bytes;
        }
        const bool kept = w->file->keep_names;
        w->file->keep_names = true;
        st = pcs_netfile_import(w->file, w->given, &w->graph);
        w->file->keep_names = kept;
        need |= w->graph.need;
    } while (st && need != before);
    return st ? st : pcs_program_open(w->ctx, &w->program, w->graph.graph, &o);
}

precis_status pcs_watched_bind(pcs_watched *w, const precis_array *inputs, size_t n, bool *made)
{
    bool same = w->program != NULL;
    for (size_t i = 0; i < w->file->n_inputs && same; i++) {
        const pcs_netfile_given *g = &w->given[i];
        const precis_array *a = input_of(w, i, inputs, n);
        same = a && !g->data && g->dims == a->dims && !memcmp(g->shape, a->shape, a->dims * sizeof a->shape[0]);
    }
    const precis_status st = same ? PRECIS_OK : make_program(w, inputs, n);
    *made = !same;
    for (size_t i = 0; i < w->file->n_inputs && !st; i++)
        if (!w->given[i].data)
            pcs_program_bind(w->program, w->graph.inputs[i], input_of(w, i, inputs, n)->data);
    return st;
}

precis_status pcs_watched_run(pcs_watched *w) { return pcs_program_run(w->program); }

precis_status pcs_watched_step(pcs_watched *w, size_t i) { return pcs_program_run_part(w->program, i, i + 1); }
