/* steps.c - what is computed when the net runs: nodes that outputs need and that are no constants, in their order;
 * those whose numbers only lie between codes take and make the codes. */
#include "graph/pass/codes.h"
#include "write/c/file.h"

extern const pcs_op pcs_op_to_codes, pcs_op_from_codes, pcs_op_requantize, pcs_op_dynamic_codes, pcs_op_codes_product,
    pcs_op_conv_whole, pcs_op_product_whole, pcs_op_dynamic_recurrent, pcs_op_recurrent;

bool pcs_c_decoded(const pcs_c_file *w, precis_value v, pcs_c_codes *out)
{
    const pcs_node *n = pcs_c_maker(w, v);
    pcs_coded c;
    if (!n || n->op != &pcs_op_from_codes || w->values[v].constant || !pcs_coded_of(w->g, w->g->nodes, v, &c))
        return false;
    *out = (pcs_c_codes){ c.value, c.scale, c.zero, pcs_cv(w, c.value)->dtype == PCS_I8 ? 128 : 0 };
    return true;
}

bool pcs_c_coded(const pcs_c_file *w, const pcs_node *to, pcs_c_codes *out)
{
    const pcs_value *y = pcs_cv(w, to->out[0]);
    *out = (pcs_c_codes){ .value = to->out[0], .flip = y->dtype == PCS_I8 ? 128 : 0 };
    return to->op == &pcs_op_to_codes && to->n_in == 3 && pcs_dtype_byte(y->dtype) &&
           pcs_cv(w, to->in[0])->dtype == PCS_F32 && pcs_one_scale(w->g, to->in[1], to->in[2], &out->scale, &out->zero);
}

bool pcs_c_becomes_codes(const pcs_c_file *w, const pcs_node *n)
{
    const precis_value v = n->out[0];
    pcs_c_codes made;
    if (w->uses[v] != 1 || pcs_cv(w, v)->output) return false;
    const pcs_node *reader = &w->g->nodes[w->reader[v]];
    bool port = false;
    for (size_t i = 0; i < w->n_out; i++) port = port || w->out[i].value == v;
    return !port && reader->in[0] == v && pcs_c_coded(w, reader, &made);
}

/* ---- constants ------------------------------------------------------------------------------------ */

static void find_constants(pcs_c_file *w)
{
    for (size_t v = 0; v < w->g->n_values; v++) w->values[v].constant = pcs_value_is_known(&w->g->values[v]);
    for (size_t i = 0; i < w->g->n_nodes; i++) {
        const pcs_node *n = &w->g->nodes[i];
        bool all = n->n_in > 0;
        for (uint32_t k = 0; k < n->n_in; k++) all = all && w->values[n->in[k]].constant;
        for (uint32_t k = 0; k < n->n_out; k++) w->values[n->out[k]].constant = all;
    }
}

static void count_uses(pcs_c_file *w)
{
    for (size_t i = 0; i < w->g->n_nodes; i++)
        for (uint32_t k = 0; k < w->g->nodes[i].n_in; k++) {
            w->uses[w->g->nodes[i].in[k]]++;
            w->reader[w->g->nodes[i].in[k]] = (int32_t)i;
        }
    for (size_t i = 0; i < w->n_out; i++) w->uses[w->out[i].value]++;
}

/* ---- steps ---------------------------------------------------------------------------------------- */

const pcs_c_row *pcs_c_row_of(const pcs_op *op)
{
    const pcs_c_row *r = pcs_c_rows;
    while (r->op && r->op != op) r++;
    return r->op ? r : NULL;
}

static bool same_bytes(const pcs_c_file *w, const pcs_node *n)
{
    const pcs_c_row *r = pcs_c_row_of(n->op);
    return n->op->view || (r && r->same && r->same(w, n));
}

/* The node whose number only becomes codes, which it can do itself. */
static const pcs_node *fused_into(const pcs_c_file *w, const pcs_node *to)
{
    pcs_c_codes made;
    if (!pcs_c_coded(w, to, &made) || w->uses[to->in[0]] != 1) return NULL;
    const pcs_node *n = pcs_c_maker(w, to->in[0]);
    const pcs_c_row *r = n ? pcs_c_row_of(n->op) : NULL;
    return r && r->fuses && r->fuses(w, n) ? n : NULL;
}

/* Why an op without a row is refused, and what would do. */
static const char *instead(const pcs_op *op)
{
    static const char each_run[] =
        "codes whose range is that of each run are not; those of a calibration are (precis quant NET --static --calib "
        "DATA -o NAME.c), and so are weights alone (precis quant NET --weight-only -o NAME.c)";
    static const char recurrent[] = "recurrent nets whose weights are computed when the net runs are not";
    static const struct { const pcs_op *op; const char *why; } known[] = {
        { &pcs_op_requantize, "sums that are only requantized are not, but the same net between Q and DQ is (precis "
                              "quant NET --static --qdq --calib DATA -o NAME.c)" },
        { &pcs_op_dynamic_codes, each_run },     { &pcs_op_codes_product, each_run },
        { &pcs_op_conv_whole, each_run },        { &pcs_op_product_whole, each_run },
        { &pcs_op_dynamic_recurrent, each_run },  { &pcs_op_recurrent, recurrent },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].op == op) return known[i].why;
    return "C files have no function for it";
}

static precis_status fill(pcs_c_file *w, pcs_c_step *s, const pcs_node *n)
{
    const pcs_node *inner = fused_into(w, n);
    *s = (pcs_c_step){ .n = inner ? inner : n, .store = inner ? n : NULL, .out = n->out[0], .room = -1 };
    s->row = pcs_c_row_of(s->n->op);
    if (!s->row) return pcs_c_cannot(w, s->n, "%s", instead(s->n->op));
    for (uint32_t i = 0; i < s->n->n_out && !s->row->room; i++)
        if (i && w->uses[s->n->out[i]]) return pcs_c_cannot(w, s->n, "its result %u is read", i);
    s->in = pcs_arena_alloc(&w->arena, s->n->n_in + 1, sizeof *s->in);
    if (!s->in) return PRECIS_ENOMEM;
    const bool fuses = s->row->fuses && s->row->fuses(w, s->n);
    for (uint32_t i = 0; i < s->n->n_in; i++) {
        pcs_c_codes c;
        const precis_value v = s->n->in[i];
        s->in[i] = fuses && pcs_c_decoded(w, v, &c) ? c.value : v;
    }
    s->n_in = s->n->n_in;
    return PRECIS_OK;
}

/* From the end on: what is needed, and of it what is computed by a step. Steps come out backwards. */
static precis_status collect(pcs_c_file *w, bool *needed)
{
    for (size_t i = 0; i < w->n_out; i++) needed[w->out[i].value] = true;
    for (size_t i = w->g->n_nodes; i-- > 0;) {
        const pcs_node *n = &w->g->nodes[i];
        bool need = false;
        for (uint32_t k = 0; k < n->n_out; k++) need = need || needed[n->out[k]];
        if (!need || w->values[n->out[0]].constant) continue;
        if (same_bytes(w, n)) {
            needed[n->in[0]] = true;
            continue;
        }
        pcs_c_step *s = &w->steps[w->n_steps++];
        const precis_status st = fill(w, s, n);
        if (st) return st;
        for (uint32_t k = 0; k < s->n_in; k++) needed[s->in[k]] = needed[s->in[k]] || !w->values[s->in[k]].constant;
        if (w->n_steps > PCS_LIMIT_C_CALLS)
            return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "%s: more than %d calls, which is too much for a C file",
                            w->what->net, PCS_LIMIT_C_CALLS);
    }
    return PRECIS_OK;
}

static precis_status sized(pcs_c_file *w)
{
    for (size_t i = 0; i < w->g->n_nodes; i++)
        for (uint32_t k = 0; k < w->g->nodes[i].n_out; k++) {
            const pcs_value *v = pcs_cv(w, w->g->nodes[i].out[k]);
            uint64_t n = pcs_dtype_bytes(v->dtype);
            for (uint32_t d = 0; d < v->dims; d++)
                if (pcs_dim_is_id(v->shape[d]) || !pcs_mul_ok(n, (uint64_t)v->shape[d], &n) || n > INT32_MAX / 2)
                    return pcs_c_cannot(w, &w->g->nodes[i], "its result has no size, or more than 2^30 bytes");
        }
    return PRECIS_OK;
}

precis_status pcs_c_find(pcs_c_file *w)
{
    bool *needed = pcs_arena_alloc(&w->arena, w->g->n_values + 1, sizeof *needed);
    w->steps = pcs_arena_alloc(&w->arena, w->g->n_nodes + 1, sizeof *w->steps);
    if (!needed || !w->steps) return PRECIS_ENOMEM;
    precis_status st = sized(w);
    if (st) return st;
    find_constants(w);
    count_uses(w);
    st = collect(w, needed);
    for (size_t i = 0; 2 * i + 1 < w->n_steps && !st; i++) {
        const pcs_c_step s = w->steps[i];
        w->steps[i] = w->steps[w->n_steps - 1 - i];
        w->steps[w->n_steps - 1 - i] = s;
    }
    for (size_t v = 0; v < w->g->n_values + w->g->n_nodes; v++) w->values[v].root = (precis_value)v;
    for (size_t i = 0; i < w->n_steps && !st; i++)
        if (w->steps[i].row->room) w->steps[i].room = (precis_value)(w->g->n_values + i);
    for (size_t i = 0; i < w->g->n_nodes; i++) { /* makers stand before readers: roots are roots already */
        const pcs_node *n = &w->g->nodes[i];
        if (!w->values[n->out[0]].constant && same_bytes(w, n)) w->values[n->out[0]].root = w->values[n->in[0]].root;
    }
    return st;
}
