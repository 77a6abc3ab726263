/* fuse_codes - DequantizeLinear, a node, perhaps clamps, QuantizeLinear become one node of codes (rules: code_rules.c);
 * and so does a product whose numbers are wanted, after which no QuantizeLinear stands.
 *
 * Values of codes get a twin: U8, channels last. A node of codes reads and makes twins, and codes in their own order
 * are made of a twin only where something else reads them, so that between nodes of codes nothing is moved. */
#include "graph/pass/codes.h"

#include <stdio.h>

extern const pcs_op pcs_op_to_codes;

typedef struct pcs_fusing {
    precis_graph *g;
    const pcs_node *nodes; /* as they were */
    size_t n_nodes;
    pcs_fused **fused;  /* by node; NULL: it stays */
    precis_value *twin; /* by value; -1: none yet */
    uint8_t *need;      /* by value: bit 0 as it is, bit 1 its twin */
} pcs_fusing;

/* A value of one constant number. */
static bool one_number(const precis_graph *g, precis_value v, float *x)
{
    const pcs_value *c = &g->values[v];
    const float *one = pcs_value_f32(c, 1);
    if (!one || pcs_value_count(c) != 1) return false;
    *x = *one;
    return *x == *x;
}

/* What only clamps becomes a range of codes: rounding keeps the order. The node that is clamped. */
static const pcs_node *behind_clamps(const precis_graph *g, const pcs_node *nodes, precis_value v, pcs_fused *f)
{
    for (;;) {
        const pcs_node *n = pcs_node_making(g, nodes, v);
        float x = 0;
        const pcs_clamp clamp = n ? pcs_clamps_of(n->op) : PCS_CLAMP_NONE;
        if (!clamp) return n;
        uint32_t at = 0;
        if (n->n_in > 1 && !one_number(g, n->in[1], &x)) {
            if (!one_number(g, n->in[0], &x)) return n;
            at = 1;
        }
        const pcs_value *from = &g->values[n->in[at]];
        if (from->dims != g->values[v].dims) return n;
        const int32_t code = pcs_codes_round(x / f->scale, f->to);
        if (clamp == PCS_CLAMP_BELOW) f->to.lo = code;
        else f->to.hi = code;
        v = n->in[at];
    }
}

/* The first of these rules that holds for f->core. */
static bool match_rule(const pcs_fusing *u, const pcs_code_rule *r, pcs_fused *f)
{
    for (; r->op; r++) {
        if (r->op != f->core->op) continue;
        f->rule = r;
        f->plain = r->plain;
        if (r->match(u->g, u->nodes, f)) return true;
    }
    return false;
}

/* A product of codes, as numbers: each sum times the scale of its factors. */
static bool match_numbers(const pcs_fusing *u, const pcs_node *n, pcs_fused *f)
{
    *f = (pcs_fused){ .core = n, .scale = 1, .to = { 0, 0, 255 }, .type = PCS_F32 };
    return n->n_out == 1 && u->g->values[n->out[0]].dtype == PCS_F32 && match_rule(u, pcs_number_rules, f);
}

static bool match(const pcs_fusing *u, const pcs_node *q, pcs_fused *f)
{
    const precis_graph *g = u->g;
    const pcs_value *y = &g->values[q->out[0]];
    *f = (pcs_fused){ .to = { 0, 0, 255 }, .type = y->dtype };
    if (q->op != &pcs_op_to_codes || q->n_in != 3 || (y->dtype != PCS_U8 && y->dtype != PCS_I8) || !pcs_value_sized(y))
        return false;
    if (g->values[q->in[0]].dtype != PCS_F32 || !pcs_one_scale(g, q->in[1], q->in[2], &f->scale, &f->to.zero))
        return false;
    f->core = behind_clamps(g, u->nodes, q->in[0], f);
    if (!f->core || !pcs_same_count(&g->values[f->core->out[0]], y)) return false;
    if (!match_rule(u, pcs_code_rules, f)) return false;
    for (uint32_t i = 0; i < f->n_in && f->rule->plain; i++)
        if (f->in[i].scale != f->scale || f->in[i].zero != f->to.zero || g->values[f->in[i].value].dtype != y->dtype ||
            f->to.lo != 0 || f->to.hi != 255)
            return false;
    return true;
}

static precis_status match_all(pcs_fusing *u)
{
    for (size_t i = 0; i < u->n_nodes; i++) {
        pcs_fused f;
        if (!match(u, &u->nodes[i], &f) && !match_numbers(u, &u->nodes[i], &f)) continue;
        u->fused[i] = pcs_arena_alloc(&u->g->arena, 1, sizeof f);
        if (!u->fused[i]) return PRECIS_ENOMEM;
        *u->fused[i] = f;
    }
    return PRECIS_OK;
}

/* What of which value is read, from the end on. */
static void mark(pcs_fusing *u)
{
    const precis_graph *g = u->g;
    for (size_t v = 0; v < g->n_values; v++) u->need[v] = g->values[v].output || g->values[v].dtype == PCS_STATE;
    for (size_t i = u->n_nodes; i-- > 0;) {
        const pcs_node *n = &u->nodes[i];
        const pcs_fused *f = u->fused[i];
        uint8_t need = 0;
        for (uint32_t k = 0; k < n->n_out; k++) need |= u->need[n->out[k]];
        if (!need) continue;
        if (!f)
            for (uint32_t k = 0; k < n->n_in; k++) u->need[n->in[k]] |= 1;
        else
            for (uint32_t k = 0; k < f->n_in; k++) u->need[f->in[k].value] |= f->plain ? 1 : 2;
    }
}

static const char *named(precis_graph *g, precis_value v, const char *suffix, char *room, size_t n)
{
    snprintf(room, n, "%.100s.%s", g->values[v].name, suffix);
    return room;
}

/* The U8 form of v, which is there as it is. */
static precis_value twin_of(pcs_fusing *u, precis_value v)
{
    char name[128];
    if (u->twin[v] < 0)
        u->twin[v] = precis_graph_node(u->g, named(u->g, v, "last", name, sizeof name), "codes_layout", NULL, 1, &v);
    return u->twin[v];
}

/* A node whose result is value v. */
static precis_status push(precis_graph *g, precis_value v, const pcs_node *like)
{
    pcs_node n = *like;
    n.out = pcs_arena_alloc(&g->arena, 1, sizeof *n.out);
    if (!n.out) return PRECIS_ENOMEM;
    n.out[0] = v;
    return pcs_graph_push(g, &n);
}

/* Make the node whose result is `made` give v instead: they are alike. */
static precis_status rename_last(precis_graph *g, precis_value made, precis_value v)
{
    if (made < 0) return g->error ? g->error : PRECIS_ENOMEM;
    pcs_node *last = &g->nodes[g->n_nodes - 1];
    const pcs_node like = *last;
    g->n_nodes--;
    return push(g, v, &like);
}

static precis_status make(pcs_fusing *u, const pcs_node *q, const pcs_fused *f)
{
    precis_graph *g = u->g;
    const precis_value v = q->out[0];
    precis_value in[PCS_CODED_MOST];
    for (uint32_t i = 0; i < f->n_in; i++) in[i] = f->plain ? f->in[i].value : twin_of(u, f->in[i].value);
    if (g->error) return g->error;
    const precis_value made = f->rule->make(g, u->nodes, f, in);
    if (made < 0) return g->error ? g->error : PRECIS_ENOMEM;
    if (f->plain || f->rule->numbers) {
        const precis_status st = rename_last(g, made, v);
        if (!st && (u->need[v] & 2)) twin_of(u, v);
        return st ? st : g->error;
    }
    u->twin[v] = made;
    if (!(u->need[v] & 1)) return PRECIS_OK;
    char name[128];
    const precis_attr attrs[] = { precis_attr_int("last", 0), precis_attr_int("to", g->values[v].dtype), { 0 } };
    return rename_last(
        g, precis_graph_node(g, named(g, v, "first", name, sizeof name), "codes_layout", attrs, 1, &made), v);
}

static precis_status rebuild(pcs_fusing *u)
{
    precis_graph *g = u->g;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < u->n_nodes && !st; i++) {
        const pcs_node *n = &u->nodes[i];
        uint8_t need = 0;
        for (uint32_t k = 0; k < n->n_out; k++) need |= u->need[n->out[k]];
        if (!need) continue;
        if (u->fused[i]) st = make(u, n, u->fused[i]);
        else st = pcs_graph_push(g, n);
    }
    return st;
}

static precis_status fuse(pcs_fusing *u)
{
    precis_graph *g = u->g;
    precis_status st = match_all(u);
    if (st) return st;
    mark(u);
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    st = rebuild(u);
    if (st) { /* as it was: what cannot be fused is run all the same */
        pcs_free(g->ctx, g->nodes);
        g->nodes = (pcs_node *)(uintptr_t)u->nodes;
        g->n_nodes = g->cap_nodes = u->n_nodes;
        if (st != PRECIS_ENOMEM) st = g->error = PRECIS_OK;
    } else pcs_free(g->ctx, (void *)(uintptr_t)u->nodes);
    pcs_graph_renumber(g);
    return st;
}

static precis_status run(precis_graph *g)
{
    const size_t values = g->n_values;
    pcs_fusing u = { .g = g, .nodes = g->nodes, .n_nodes = g->n_nodes };
    u.fused = pcs_alloc(g->ctx, g->n_nodes + 1, sizeof *u.fused);
    u.twin = pcs_alloc(g->ctx, values + 1, sizeof *u.twin);
    u.need = pcs_alloc(g->ctx, values + 1, sizeof *u.need);
    precis_status st = u.fused && u.twin && u.need ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < values && !st; i++) u.twin[i] = -1;
    if (!st) st = fuse(&u);
    pcs_free(g->ctx, u.fused);
    pcs_free(g->ctx, u.twin);
    pcs_free(g->ctx, u.need);
    return g->error ? precis_graph_verify(g) : st; /* which has the sentence */
}

const pcs_pass pcs_pass_fuse_codes = { "fuse_codes", run };
