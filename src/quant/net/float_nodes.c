/* float_nodes.c - nodes that stay in float because somebody wants it: found by their names, or by what the file calls
 * their results. */
#include "quant/net/net.h"

#include "plan/plan.h"
#include "run/net.h"

static precis_status add_called(precis_net_quant *q, const precis_graph *g, const char *value, precis_value id)
{
    const int32_t node = g->values[id].node;
    if (node < 0) return PRECIS_OK;
    const char *name = pcs_arena_copy(&q->arena, value, strlen(value)), *of = g->nodes[node].name;
    const char *own = pcs_arena_copy(&q->arena, of, strlen(of));
    if (!name || !own) return PRECIS_ENOMEM;
    q->called[q->n_called].value = name;
    q->called[q->n_called].node = own;
    q->called[q->n_called].at = -1;
    q->called[q->n_called++].id = id;
    return PRECIS_OK;
}

precis_status pcs_net_keep_called(precis_net_quant *q)
{
    const pcs_netfile_graph *f;
    precis_status st = pcs_net_named_graph(q->net, &f);
    if (st) return st;
    const precis_graph *g = f->graph;
    q->called = pcs_arena_alloc(&q->arena, f->n_names + f->n_pieces + g->n_nodes + 1, sizeof *q->called);
    q->n_next = g->n_values;
    q->next = pcs_arena_alloc(&q->arena, g->n_values + 1, sizeof *q->next);
    if (!q->called || !q->next) return PRECIS_ENOMEM;
    for (size_t v = 0; v < q->n_next; v++) q->next[v] = -1;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++)
            if (q->next[g->nodes[i].in[k]] < 0) q->next[g->nodes[i].in[k]] = g->nodes[i].out[0];
    for (size_t i = 0; i < f->n_names && !st; i++) st = add_called(q, g, f->names[i].name, f->names[i].value);
    q->n_results = q->n_called;
    for (size_t i = 0; i < f->n_pieces && !st; i++) st = add_called(q, g, f->pieces[i].node, f->pieces[i].value);
    for (size_t i = 0; i < g->n_nodes && !st; i++) st = add_called(q, g, g->nodes[i].name, g->nodes[i].out[0]);
    return st;
}

precis_status pcs_net_settle_called(precis_net_quant *q)
{
    const precis_graph *g = q->g;
    int32_t *maker = pcs_alloc(q->ctx, g->n_values + 1, sizeof *maker);
    if (!maker) return PRECIS_ENOMEM;
    for (size_t v = 0; v < g->n_values; v++) maker[v] = -1;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_out; k++) maker[g->nodes[i].out[k]] = (int32_t)i;
    for (size_t i = 0; i < q->n_called; i++) {
        precis_value v = q->called[i].id; /* what comes of a value stands behind it */
        while (v >= 0 && (size_t)v < q->n_next && maker[v] < 0) v = q->next[v];
        q->called[i].at = v >= 0 && (size_t)v < q->n_next ? maker[v] : -1;
    }
    pcs_free(q->ctx, maker);
    return PRECIS_OK;
}

static bool is_exact(const precis_net_quant *q, size_t k) { return k + q->o.n_exact >= q->o.n_floats; }

/* Is node i what pattern k of the options means? */
static bool meant(const precis_net_quant *q, size_t k, size_t i)
{
    const char *pattern = q->o.floats[k], *name = q->g->nodes[i].name;
    const size_t length = strlen(pattern);
    if (is_exact(q, k)) return !strcmp(pattern, name);
    if (pcs_match(pattern, length, name)) return true;
    for (size_t c = 0; c < q->n_called; c++) {
        const bool here = q->called[c].at == (int32_t)i || (c < q->n_results && !strcmp(q->called[c].node, name));
        if (here && pcs_match(pattern, length, q->called[c].value)) return true;
    }
    return false;
}

const char *pcs_net_kept_float(const precis_net_quant *q, size_t i)
{
    for (size_t k = 0; k < q->o.n_floats; k++)
        if (meant(q, k, i))
            return k < q->o.n_reasons && q->o.reasons[k] ? q->o.reasons[k] : "is to stay in float";
    return NULL;
}

/* ---- a name that is none -------------------------------------------------------------------------------- */

enum { LONGEST = 120 };

/* Letters that must change, go or come. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[2][LONGEST + 1], n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST) return LONGEST;
    for (size_t j = 0; j <= m; j++) rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 2], *above = rows[(i + 1) % 2];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < row[j]) row[j] = above[j] + 1;
            if (row[j - 1] + 1 < row[j]) row[j] = row[j - 1] + 1;
        }
    }
    return rows[n % 2][m];
}

/* The name that it was meant for: one that holds it, or is a third of its letters away at most. NULL: none. */
static const char *nearest(const precis_net_quant *q, const char *word)
{
    const char *best = NULL;
    size_t far = strlen(word) / 3 + 1;
    for (size_t i = 0; i < q->n_called; i++) {
        const char *name = q->called[(i + q->n_results) % q->n_called].value; /* nodes, then results */
        const size_t d = *word && strstr(name, word) ? 1 : distance(word, name);
        if (d < far) far = d, best = name;
    }
    return best;
}

precis_status pcs_net_floats_known(const precis_net_quant *q)
{
    for (size_t k = 0; k < q->o.n_floats; k++) {
        size_t i = 0;
        while (i < q->n_nodes && !meant(q, k, i)) i++;
        if (i < q->n_nodes) continue;
        const char *name = nearest(q, q->o.floats[k]);
        return pcs_fail(q->ctx, PRECIS_EINVAL, "no node is called %.200s, none gives a value of that name, and so none "
                        "stays in float%s%.200s%s", q->o.floats[k], name ? "; did you mean " : "", name ? name : "",
                        name ? "?" : "");
    }
    return PRECIS_OK;
}

const char *pcs_net_maker(const precis_net_quant *q, const char *value)
{
    const char *node = value;
    for (size_t i = 0; i < q->n_results; i++)
        if (!strcmp(q->called[i].value, value)) node = q->called[i].node;
    for (size_t i = 0; i < q->n_nodes; i++) {
        if (strcmp(q->names[i], node)) continue;
        const pcs_net_node *m = &q->nodes[i];
        const size_t root = m->state == PCS_NODE_FUSED && m->fused_into >= 0 ? (size_t)m->fused_into : i;
        return q->nodes[root].state == PCS_NODE_WHOLE ? q->names[root] : NULL;
    }
    return NULL;
}
