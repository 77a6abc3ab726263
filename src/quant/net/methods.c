/* methods.c - the table of a net's methods, and who calls them. */
#include "base/pool.h"
#include "quant/net/method.h"

#include <stdio.h>

#define NET_METHOD(name) extern const pcs_net_method pcs_net_method_##name;
#include "quant/net/methods.def"
#undef NET_METHOD

const pcs_net_method *const pcs_net_methods[] = {
#define NET_METHOD(name) &pcs_net_method_##name,
#include "quant/net/methods.def"
#undef NET_METHOD
    NULL,
};

const char *precis_net_method_name(size_t i, const char **what)
{
    if (i >= sizeof pcs_net_methods / sizeof *pcs_net_methods - 1) return NULL;
    if (what) *what = pcs_net_methods[i]->what;
    return pcs_net_methods[i]->name;
}

precis_status pcs_net_set_methods(precis_net_quant *q)
{
    for (const char *at = q->o.method; at && *at;) {
        const size_t n = strcspn(at, "+");
        size_t i = 0;
        while (pcs_net_methods[i] &&
               (strlen(pcs_net_methods[i]->name) != n || memcmp(pcs_net_methods[i]->name, at, n) != 0))
            i++;
        if (!pcs_net_methods[i])
            return pcs_fail(q->ctx, PRECIS_EINVAL, "method %.*s is none of nets of arrays (precis list net-methods)",
                            (int)(n < 80 ? n : 80), at);
        q->methods |= 1u << i;
        at += n + (at[n] != 0);
        if (at[-1] == '+' && !*at) return pcs_fail(q->ctx, PRECIS_EINVAL, "method %s ends in +", q->o.method);
    }
    return PRECIS_OK;
}

/* The next method that is asked for, from row *i on; NULL: none. */
static const pcs_net_method *next(const precis_net_quant *q, size_t *i)
{
    for (; pcs_net_methods[*i]; ++*i)
        if (q->methods & 1u << *i) return pcs_net_methods[(*i)++];
    return NULL;
}

precis_status pcs_net_prepare_methods(precis_net_quant *q)
{
    precis_status st = PRECIS_OK;
    const pcs_net_method *m;
    for (size_t i = 0; !st && (m = next(q, &i));)
        if (m->prepare) st = m->prepare(q);
    return st;
}

bool pcs_net_gathers(const precis_net_quant *q)
{
    const pcs_net_method *m;
    for (size_t i = 0; (m = next(q, &i));)
        if (m->see) return true;
    return false;
}

static bool multiplies(const precis_net_quant *q, size_t node)
{
    return q->nodes[node].state == PCS_NODE_WHOLE && q->nodes[node].kind == PCS_CODES_MULTIPLY;
}

precis_status pcs_net_gather_open(precis_net_quant *q)
{
    precis_status st = PRECIS_OK;
    const pcs_net_method *m;
    for (size_t i = 0; !st && (m = next(q, &i));)
        for (size_t k = 0; m->begin && k < q->g->n_nodes && !st; k++)
            if (multiplies(q, k)) {
                st = m->begin(q, k);
                const size_t at = strlen(q->nodes[k].method);
                if (!st && q->nodes[k].gram)
                    snprintf(q->nodes[k].method + at, sizeof q->nodes[k].method - at, ", %s", m->name);
            }
    return st;
}

void pcs_net_gather(precis_net_quant *q, precis_value v, const float *x, uint64_t n)
{
    const pcs_net_method *m;
    for (size_t i = 0; (m = next(q, &i));)
        for (size_t k = 0; m->see && k < q->g->n_nodes; k++)
            if (q->g->nodes[k].in[0] == v && multiplies(q, k)) m->see(q, k, x, n);
}

void pcs_net_gather_end(precis_net_quant *q)
{
    const pcs_net_method *m;
    for (size_t i = 0; (m = next(q, &i));)
        for (size_t k = 0; m->add && k < q->g->n_nodes; k++)
            if (multiplies(q, k)) m->add(q, k);
}

bool pcs_net_chooses(const precis_net_quant *q, size_t node)
{
    const pcs_net_method *m;
    for (size_t i = 0; (m = next(q, &i));)
        if (m->choose && q->nodes[node].gram) return true;
    return false;
}

void pcs_net_choose(const precis_net_quant *q, size_t node, const pcs_net_row *row, double *room)
{
    const pcs_net_method *m;
    for (size_t i = 0; (m = next(q, &i));)
        if (m->choose && q->nodes[node].gram) m->choose(q, node, row, room);
}

/* ---- rows of weights ------------------------------------------------------------------------------ */

typedef struct {
    const precis_net_quant *q;
    size_t node;
    const float *w;
    const int64_t *shape; /* outer, channels, inner */
    const pcs_qparams *p;
    int32_t *codes;
    char *room; /* of each thread */
    size_t each;
} rows_chosen;

static void choose_rows(void *arg, uint32_t ith, uint32_t nth)
{
    const rows_chosen *c = arg;
    const int64_t channels = c->shape[1], inner = c->shape[2], k = c->shape[0] * inner;
    double *room = (double *)(void *)(c->room + ith * c->each);
    float *w = (float *)(room + 2 * k), *scale = w + k;
    int32_t *codes = (int32_t *)(scale + k);
    for (int64_t o = ith; o < channels; o += nth) {
        for (int64_t i = 0; i < k; i++) {
            w[i] = c->w[(i / inner * channels + o) * inner + i % inner];
            scale[i] = c->p[o].scale;
            codes[i] = pcs_qparams_code(&c->q->weights, &c->p[o], w[i]);
        }
        pcs_net_choose(c->q, c->node, &(pcs_net_row){ w, scale, k, o, codes }, room);
        for (int64_t i = 0; i < k; i++) c->codes[(i / inner * channels + o) * inner + i % inner] = codes[i];
    }
}

int32_t *pcs_net_codes(const precis_net_quant *q, size_t node, const float *w, const int64_t shape[3],
                       const pcs_qparams *p)
{
    const size_t k = (size_t)(shape[0] * shape[2]), n = k * (size_t)shape[1], each = (k * 28 + 127) / 64 * 64;
    rows_chosen c = { .q = q, .node = node, .w = w, .shape = shape, .p = p, .each = each };
    c.codes = pcs_alloc(q->ctx, n + 1, sizeof *c.codes);
    c.room = pcs_alloc(q->ctx, pcs_run_threads(q->ctx), each);
    if (c.codes && c.room) pcs_run(q->ctx, choose_rows, &c);
    else {
        pcs_free(q->ctx, c.codes);
        c.codes = NULL;
    }
    pcs_free(q->ctx, c.room);
    return c.codes;
}
