/* build.c - the graph of a model: its architecture's, or the one that its file brings; and whether there is one. */
#include "graph/arch.h"
#include "graph/net.h"

#include <stdio.h>

precis_status pcs_net_build(const precis_model *m, precis_graph **out, pcs_lm *lm)
{
    pcs_lm none = { 0 };
    *out = NULL;
    if (lm && !m->net->words)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: its net reads no words, so it makes no text; its graph can be built and run", m->path);
    precis_status st = pcs_net_check_names(m);
    if (st == PRECIS_OK) st = precis_graph_open(m->ctx, out);
    if (st == PRECIS_OK) st = m->net->build(m->net, m, *out, lm ? lm : &none);
    if (st == PRECIS_OK) st = precis_graph_verify(*out);
    if (st) precis_graph_close(out);
    return st;
}

precis_status pcs_arch_build(const precis_model *m, precis_graph **out, pcs_lm *lm)
{
    *out = NULL;
    *lm = (pcs_lm){ .wanted_context = lm->wanted_context, .most_rows = lm->most_rows, .most_wanted = lm->most_wanted,
                    .whole = lm->whole };
    if (m->net) return pcs_net_build(m, out, lm);
    const char *name = pcs_model_string(m, "general.architecture");
    const char *why = pcs_model_string(m, "precis.cannot_run");
    if (why)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: config.json: %.150s cannot be run yet; the model can be inspected and quantized", m->path,
                        why);
    if (!name)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: key general.architecture is missing; it can be inspected and quantized, not run", m->path);
    const pcs_arch *arch = pcs_arch_of(m);
    if (arch) {
        precis_status st = pcs_net_check_names(m);
        if (st == PRECIS_OK) st = precis_graph_open(m->ctx, out);
        if (st == PRECIS_OK && arch->build) st = arch->build(m, *out, lm);
        else if (st == PRECIS_OK) st = pcs_decoder_build(m, *out, lm, arch->decoder);
        if (st == PRECIS_OK) st = precis_graph_verify(*out);
        if (st) precis_graph_close(out);
        return st;
    }
    char known[256] = "";
    for (size_t i = 0; pcs_archs[i]; i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", pcs_archs[i]->name);
    return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED,
                    "%s: architecture \"%.60s\" cannot be run yet (%s can); it can be inspected and quantized", m->path,
                    name, known);
}

/* Build the graph for its errors; PRECIS_EUNSUPPORTED: no graph here is this model's. */
static precis_status build(const precis_model *m)
{
    precis_graph *g;
    pcs_lm lm = { 0 };
    const precis_status st = m->net ? pcs_net_build(m, &g, NULL) : pcs_arch_build(m, &g, &lm);
    precis_graph_close(&g);
    return st;
}

precis_status pcs_net_check(const precis_model *m)
{
    precis_status st = pcs_net_check_names(m);
    if (st || (!m->net && !pcs_arch_of(m))) return st;
    st = build(m);
    if (st == PRECIS_EINVAL) return PRECIS_EFORMAT; /* its keys do not fit together */
    if (st != PRECIS_EUNSUPPORTED) return st;
    m->ctx->message[0] = 0;
    return PRECIS_OK;
}

/* Numbers and pairs that stand beside a weight: they go where it goes. */
static bool beside(const pcs_tensor *t)
{
    const bool known = t->is.layer >= 0 || t->is.role == PCS_ROLE_output || t->is.role == PCS_ROLE_token_embd;
    return known && pcs_end_beside(t->is.end);
}

static bool is_head(const pcs_tensor *t) { return t->is.role == PCS_ROLE_output && t->is.end == PCS_END_weight; }

/* Is this the embedding once more, where every reader takes the embedding itself for the logits? */
static bool is_tied_copy(const precis_model *m, const pcs_arch *arch, const pcs_tensor *t)
{
    const pcs_tensor *e = pcs_model_part(m, -1, PCS_ROLE_token_embd, PCS_END_weight);
    return is_head(t) && !pcs_net_listed(arch->tensors, t->name) && e && e->format == t->format &&
           e->bytes == t->bytes && e->data && t->data && !memcmp(e->data, t->data, (size_t)e->bytes);
}

precis_status pcs_net_settle(precis_model *m)
{
    const pcs_arch *arch = pcs_arch_of(m);
    if (!arch || !m->n_tensors) return PRECIS_OK;
    unsigned char *asked = pcs_alloc(m->ctx, m->n_tensors, 1);
    if (!asked) return PRECIS_ENOMEM;
    m->asked = asked;
    precis_status st = build(m);
    m->asked = NULL;
    size_t kept = 0, more = 0;
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        const pcs_tensor *t = &m->tensors[i];
        asked[i] = (asked[i] || pcs_net_listed(arch->tensors, t->name) || beside(t)) && !is_tied_copy(m, arch, t);
        more += !asked[i];
    }
    if (!st && more && !(m->extras = pcs_arena_alloc(&m->arena, more, sizeof *m->extras))) st = PRECIS_ENOMEM;
    for (size_t i = 0; i < m->n_tensors && !st && more; i++)
        if (asked[i]) m->tensors[kept++] = m->tensors[i];
        else if (!is_head(&m->tensors[i])) m->extras[m->n_extras++] = m->tensors[i];
    if (!st && more) m->n_tensors = kept, st = pcs_model_index(m);
    pcs_free(m->ctx, asked);
    if (st == PRECIS_ENOMEM || st == PRECIS_OK) return st;
    m->ctx->message[0] = 0; /* who uses the model is told */
    return PRECIS_OK;
}
