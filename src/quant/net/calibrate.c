/* calibrate.c - the float net runs with observers on the values that get codes: batch after batch, in bounded memory,
 * as often as the observer asks for, and once more over the first batches to count what the ranges leave out. */
#include "quant/net/method.h"
#include "run/watched.h"

#define COUNTED 8 /* batches of the last pass */

static const char *name_of(const precis_net_quant *q, precis_value v) { return q->g->values[v].name; }

uint32_t precis_net_quant_passes(const precis_net_quant *q)
{
    uint32_t most = 0;
    for (size_t v = 0; v < q->n_values; v++) {
        const uint32_t n = q->values[v].seen ? pcs_observation_passes(q->values[v].seen) : 0;
        most = n > most ? n : most;
    }
    return most ? most + 1 : pcs_net_gathers(q);
}

static bool last_pass(const precis_net_quant *q)
{
    return q->pass > 0 && q->pass + 1 == precis_net_quant_passes(q);
}

static void count_clipped(precis_net_quant *q, pcs_net_value *m, const float *x, uint64_t n)
{
    const double low = (double)pcs_qparams_real(&m->params, q->activations.low) - 0.5 * (double)m->params.scale,
                 high = (double)pcs_qparams_real(&m->params, q->activations.high) + 0.5 * (double)m->params.scale;
    for (uint64_t i = 0; i < n; i++) m->clipped += (double)x[i] < low || (double)x[i] > high;
    m->values += n;
}

/* Sums by channel, dimension 1 of images and the last of rows: what a wrong weight adds to a result on average. */
static void add_channels(precis_net_quant *q, precis_value v, const float *x, uint64_t count)
{
    const pcs_value *s = &q->g->values[v];
    pcs_net_value *m = &q->values[v];
    const bool rows = s->dims < 3;
    const uint64_t c = (uint64_t)(rows ? s->shape[s->dims - 1] : s->shape[1]);
    uint64_t inner = 1;
    for (uint32_t i = 2; i < s->dims && !rows; i++) inner *= (uint64_t)pcs_program_extent(q->program, s->shape[i]);
    for (uint64_t at = 0; at < count; at += inner) {
        double sum = 0;
        for (uint64_t k = 0; k < inner && at + k < count; k++) sum += (double)x[at + k];
        m->channel_sums[at / inner % c] += sum;
    }
    m->channel_count += c ? count / c : 0;
}

static void tap(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    precis_net_quant *q = user;
    pcs_net_value *m = &q->values[v];
    const uint64_t n = rows * width;
    if (q->error || !n) return;
    if (last_pass(q)) {
        count_clipped(q, m, x, n);
        return;
    }
    if (m->seen) q->error = pcs_observation_see(m->seen, x, 1, n);
    if (!q->error && m->channel_sums && q->pass == 0) add_channels(q, v, x, n);
    if (!q->error && q->pass == 0) pcs_net_gather(q, v, x, n);
}

static precis_status open_observer(precis_net_quant *q, precis_value v)
{
    pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
    o.like = q->like;
    o.symmetric = q->activations.symmetric;
    o.scheme = q->activations;
    return pcs_observation_open(q->ctx, &q->values[v].seen, q->kind, name_of(q, v), &o);
}

/* The first operand of a multiplication whose channels are known. */
static precis_status open_sums(precis_net_quant *q, const pcs_node *n)
{
    const pcs_value *x = &q->g->values[n->in[0]];
    pcs_net_value *m = &q->values[n->in[0]];
    if (x->dims < 2 || m->channel_sums) return PRECIS_OK;
    const int64_t c = x->dims < 3 ? x->shape[x->dims - 1] : x->shape[1];
    if (pcs_dim_is_id(c)) return PRECIS_OK;
    m->channel_sums = pcs_arena_alloc(&q->arena, (size_t)c + 1, sizeof *m->channel_sums);
    return m->channel_sums ? PRECIS_OK : PRECIS_ENOMEM;
}

/* By a node whose weights' method gathers what they are multiplied by. */
static bool is_read(const precis_net_quant *q, precis_value v)
{
    for (size_t i = 0; i < q->g->n_nodes; i++)
        if (q->nodes[i].gram && q->g->nodes[i].in[0] == v) return true;
    return false;
}

precis_status pcs_net_observe(precis_net_quant *q)
{
    const pcs_program_options o = {
        .arithmetic = PRECIS_FAST, .context = 16, .sequences = 1, .k_type = "f32", .v_type = "f32"
    };
    const bool gathers = pcs_net_gathers(q);
    if (q->mode != PCS_NET_STATIC && !gathers) return PRECIS_OK;
    precis_status st = pcs_program_open(q->ctx, &q->program, q->g, &o);
    for (size_t i = 0; i < q->g->n_nodes && !st; i++)
        if (q->nodes[i].state == PCS_NODE_WHOLE && q->nodes[i].kind == PCS_CODES_MULTIPLY)
            st = open_sums(q, &q->g->nodes[i]);
    if (!st) st = pcs_net_gather_open(q);
    for (size_t v = 0; v < q->n_values && !st; v++) {
        const pcs_net_value *m = &q->values[v];
        const bool own = m->coded && m->shares < 0;
        if (own) st = open_observer(q, (precis_value)v);
        if (!st && (own || m->channel_sums)) pcs_program_tap(q->program, (precis_value)v, tap, q);
        const bool read = gathers && is_read(q, (precis_value)v);
        if (!st && read) pcs_program_tap(q->program, (precis_value)v, tap, q);
    }
    /* What shares a range has its first owner observed, whether that one gets codes or not. */
    for (size_t v = 0; v < q->n_values && !st; v++) {
        const precis_value s = q->values[v].shares;
        if (!q->values[v].coded || s < 0 || q->values[s].seen) continue;
        st = open_observer(q, s);
        if (!st) pcs_program_tap(q->program, s, tap, q);
    }
    return st;
}

static precis_status give_sizes(precis_net_quant *q, const pcs_value *v, const precis_array *a)
{
    precis_status st = PRECIS_OK;
    for (uint32_t d = 0; d < v->dims && !st; d++)
        if (pcs_dim_is_id(v->shape[d])) st = pcs_program_size(q->program, v->shape[d], a->shape[d]);
    return st;
}

static precis_status bind(precis_net_quant *q, size_t i, const precis_array *inputs, size_t n)
{
    precis_array port;
    const precis_value v = precis_net_graph_input(q->net, i);
    precis_status st = precis_net_input(q->net, i, &port);
    if (st) return st;
    const pcs_value *x = &q->g->values[v];
    for (size_t k = 0; k < n; k++) {
        if (strcmp(inputs[k].name, port.name)) continue;
        bool fits = !strcmp(inputs[k].type, pcs_dtype_name(x->dtype)) && inputs[k].dims == x->dims;
        for (uint32_t d = 0; d < x->dims && fits; d++)
            fits = pcs_dim_is_id(x->shape[d]) || x->shape[d] == inputs[k].shape[d];
        if (!fits)
            return pcs_fail(q->ctx, PRECIS_EINVAL, "calibration of input %s: the array has another type or shape than "
                            "the net takes", port.name);
        st = give_sizes(q, x, &inputs[k]);
        pcs_program_bind(q->program, v, inputs[k].data);
        return st;
    }
    return pcs_fail(q->ctx, PRECIS_EINVAL, "calibration has no array for input %s", port.name);
}

precis_status pcs_net_batch(precis_net_quant *q, const precis_array *inputs, size_t n)
{
    precis_status st = PRECIS_OK;
    bool fixed;
    for (size_t k = 0; k < n && !st; k++) st = pcs_netfile_has_value(pcs_net_file(q->net), &inputs[k], &fixed);
    if (!st && last_pass(q) && q->batches >= COUNTED) return PRECIS_OK;
    for (size_t i = 0; i < precis_net_inputs(q->net) && !st; i++) st = bind(q, i, inputs, n);
    if (!st) st = pcs_program_run(q->program);
    if (!st) st = q->error;
    if (!st && q->pass == 0) pcs_net_gather_end(q);
    q->batches++;
    return st;
}

static void hold(precis_net_quant *q, precis_value v, float *low, float *high)
{
    const int32_t at = q->g->values[v].node;
    const pcs_code_place *row = at < 0 ? NULL : pcs_code_place_row(q->g->nodes[at].op);
    if (!row || row->low == row->high) return;
    if (*low < row->low || q->like != PCS_LIKE_PRECIS) *low = row->low;
    if (*high > row->high || q->like != PCS_LIKE_PRECIS) *high = row->high;
}

precis_status pcs_net_ranges(precis_net_quant *q)
{
    precis_status st = PRECIS_OK;
    for (size_t v = 0; v < q->n_values && !st; v++) {
        pcs_net_value *m = &q->values[v];
        float low, high;
        if (!m->seen) continue;
        st = pcs_observation_range(m->seen, &low, &high);
        if (st) break;
        hold(q, (precis_value)v, &low, &high);
        m->low = low;
        m->high = high;
        m->params = pcs_qparams_choose(&q->activations, low, high);
        if (!(m->params.scale > 0) || m->params.scale > 1e37f)
            st = pcs_fail(q->ctx, PRECIS_EINVAL, "value %s: scale %g of its range from %g to %g is none",
                          name_of(q, (precis_value)v), (double)m->params.scale, (double)low, (double)high);
    }
    if (!st) pcs_net_sharing(q);
    for (size_t v = 0; v < q->n_values && !st; v++)
        if (q->values[v].coded && q->values[v].shares >= 0) q->values[v].params = q->values[q->values[v].shares].params;
    return st;
}
