/* control.c - If, Loop and Scan: what their conditions and counts say is known when the graph is made, so branches are
 * taken and loops unrolled. */
#include "read/onnx/functions.h"

enum { PORTS = 4096 }; /* each is looked for among all */

static pcs_str text_of(const pcs_proto_field *f)
{
    return (pcs_str){ (const char *)f->inner.p, pcs_proto_size(f->inner) };
}

/* The name of input (11) or output (12) i of a graph. */
static bool port_name(pcs_proto g, uint32_t number, uint32_t i, pcs_str *out)
{
    pcs_proto_field f, p;
    bool bad;
    while (pcs_proto_next(&g, &f, &bad)) {
        if (f.number != number || f.wire != PCS_PROTO_BYTES || i--) continue;
        for (pcs_proto m = f.inner; pcs_proto_next(&m, &p, &bad);)
            if (p.number == 1 && p.wire == PCS_PROTO_BYTES) {
                *out = text_of(&p);
                return true;
            }
        return false;
    }
    return false;
}

static uint32_t ports(pcs_proto g, uint32_t number)
{
    pcs_proto_field f;
    uint32_t n = 0;
    bool bad;
    while (pcs_proto_next(&g, &f, &bad)) n += f.number == number && f.wire == PCS_PROTO_BYTES;
    return n;
}

/* A graph within, and how often it is imported. */
typedef struct { pcs_proto g; uint64_t turns; } within;

/* Import it with these inputs; its outputs. */
static bool body(pcs_onnx_node *n, const within *w, uint32_t n_in, const precis_value *in, uint32_t n_out,
                 precis_value *out)
{
    const pcs_proto g = w->g;
    const uint64_t turns = w->turns;
    pcs_import *im = n->im;
    pcs_scope inner;
    pcs_str name;
    if (n->scope->depth >= PCS_LIMIT_NET_DEPTH)
        return pcs_wrong(n, "graphs nest deeper than %d", PCS_LIMIT_NET_DEPTH), false;
    if (n_in > PORTS || n_out > PORTS) return pcs_wrong(n, "has more than %d inputs or results", PORTS), false;
    if (ports(g, 11) != n_in || ports(g, 12) != n_out)
        return pcs_wrong(n, "its graph has %u inputs and %u outputs, not %u and %u", ports(g, 11), ports(g, 12), n_in,
                         n_out),
               false;
    const uint64_t around = im->copies ? im->copies : 1;
    if (!pcs_fits(n, g, 1, turns)) return false;
    im->copies = around * turns; /* not more than nodes, which fit, or times nothing */
    pcs_scope_open(&inner, im, n->scope);
    precis_status st = PRECIS_OK;
    for (uint32_t i = 0; i < n_in && !st; i++)
        st = port_name(g, 11, i, &name) ? pcs_scope_bind(im, &inner, name, in[i]) : PRECIS_EFORMAT;
    if (st == PRECIS_EFORMAT && !pcs_failed(n)) pcs_wrong(n, "an input of its graph has no name");
    if (!st) st = pcs_import_initializers(im, &inner, g);
    if (!st) st = pcs_import_nodes(im, &inner, g, 1);
    for (uint32_t i = 0; i < n_out && !st; i++) {
        out[i] = port_name(g, 12, i, &name) ? pcs_scope_find(&inner, name) : -1;
        if (out[i] < 0) pcs_wrong(n, "output %u of its graph is made by nothing", i);
    }
    pcs_scope_close(&inner);
    im->copies = around;
    if (st && !pcs_failed(n)) im->error = st;
    return !pcs_failed(n);
}

void pcs_raise_if(pcs_onnx_node *n)
{
    int64_t count = 0;
    pcs_proto yes, no;
    const int64_t *condition = pcs_contents(n, pcs_in(n, 0), &count);
    if (!pcs_attr_graph(n, "then_branch", &yes) || !pcs_attr_graph(n, "else_branch", &no)) {
        pcs_wrong(n, "has no branches");
        return;
    }
    if (!condition || count != 1) {
        pcs_wrong(n, "its condition is not one element");
        return;
    }
    body(n, &(within){ *condition ? yes : no, 1 }, 0, NULL, n->n_out, n->out);
}

/* Values of all turns, one after another along a new first dimension. */
static precis_value stacked(pcs_onnx_node *n, const precis_value *v, uint32_t stride, uint32_t turns, int64_t axis,
                            bool reverse)
{
    precis_value *parts = pcs_room(n, turns, sizeof *parts);
    for (uint32_t i = 0; parts && i < turns; i++)
        if ((parts[i] = pcs_unsqueezed(n, v[(reverse ? turns - 1 - i : i) * stride], 1, &axis)) < 0) return -1;
    return parts ? pcs_joined(n, turns, parts, axis) : -1;
}

void pcs_raise_loop(pcs_onnx_node *n)
{
    int64_t count = 1, most = INT64_MAX;
    pcs_proto g;
    const int64_t *trips = pcs_has(n, 0) ? pcs_contents(n, n->in[0], &count) : &most, *go = NULL;
    const precis_value condition = pcs_has(n, 1) ? n->in[1] : pcs_numbers(n, PCS_BOOL, 1);
    const uint32_t carried = n->n_in > 2 ? n->n_in - 2 : 0, scans = n->n_out > carried ? n->n_out - carried : 0;
    if (!trips || count != 1 || n->n_out < carried || !pcs_attr_graph(n, "body", &g)) {
        pcs_wrong(n, "takes a count, a condition and a body");
        return;
    }
    precis_value *in = pcs_room(n, carried + 2, sizeof *in), *out = pcs_room(n, carried + scans + 1, sizeof *out),
                 *kept = pcs_room(n, (size_t)scans * PCS_LIMIT_NET_TURNS, sizeof *kept);
    if (!in || !out || !kept) return;
    in[1] = condition;
    const uint64_t turns = *trips > 0 && *trips <= PCS_LIMIT_NET_TURNS ? (uint64_t)*trips : 1;
    for (uint32_t i = 0; i < carried; i++)
        if ((in[2 + i] = pcs_in(n, 2 + i)) < 0) return;
    uint32_t t = 0;
    for (; t < *trips; t++) {
        if (!(go = pcs_contents(n, in[1], &count)) || count != 1) {
            pcs_wrong(n, "its condition is not one element");
            return;
        }
        if (!*go) break;
        if (t == PCS_LIMIT_NET_TURNS) {
            pcs_refuse(n, "turns more than %d times", PCS_LIMIT_NET_TURNS);
            return;
        }
        const int64_t turn = t;
        in[0] = pcs_data(n, PCS_I64, 0, NULL, &turn);
        if (!body(n, &(within){ g, turns }, carried + 2, in, carried + scans + 1, out)) return;
        for (uint32_t i = 0; i < carried + 1; i++) in[1 + i] = out[i];
        for (uint32_t i = 0; i < scans; i++) kept[t * scans + i] = out[1 + carried + i];
    }
    for (uint32_t i = 0; i < carried; i++) n->out[i] = in[2 + i];
    for (uint32_t i = 0; i < scans && t; i++) n->out[carried + i] = stacked(n, kept + i, scans, t, 0, false);
    for (uint32_t i = 0; i < scans && !t; i++)
        if (n->out_names[carried + i].n) pcs_refuse(n, "turns not once, so that result %u has no shape", carried + i);
}

static int64_t nth(const int64_t *v, uint32_t count, uint32_t i) { return i < count ? v[i] : 0; }

void pcs_raise_scan(pcs_onnx_node *n)
{
    uint32_t nd, no, na, nb;
    pcs_proto g;
    const bool batched = n->version < 9; /* behind lengths, and with a batch in front */
    const int64_t *in_ways = pcs_attr_ints(n, batched ? "directions" : "scan_input_directions", &nd),
                  *out_ways = pcs_attr_ints(n, "scan_output_directions", &no);
    const int64_t *in_axes = pcs_attr_ints(n, "scan_input_axes", &na),
                  *out_axes = pcs_attr_ints(n, "scan_output_axes", &nb), scans = pcs_attr_int(n, "num_scan_inputs", 0);
    if (batched) {
        pcs_refuse(n, "is of opset 8, with batches");
        return;
    }
    if (scans < 1 || scans > n->n_in || !pcs_attr_graph(n, "body", &g)) {
        pcs_wrong(n, "takes values to go through and a body");
        return;
    }
    const uint32_t states = n->n_in - (uint32_t)scans, outs = n->n_out > states ? n->n_out - states : 0;
    int64_t turns = -1;
    precis_value *in = pcs_room(n, n->n_in, sizeof *in), *out = pcs_room(n, states + outs, sizeof *out),
                 *kept = pcs_room(n, (size_t)outs * PCS_LIMIT_NET_TURNS, sizeof *kept);
    for (uint32_t i = 0; i < n->n_in; i++)
        if (!in || !out || !kept || (in[i] = pcs_in(n, i)) < 0) return;
    for (uint32_t k = 0; k < scans; k++) {
        const pcs_value *v = pcs_of(n, n->in[states + k]);
        const uint32_t a = pcs_axis(nth(in_axes, na, k), v->dims);
        if (a == v->dims || pcs_dim_is_id(v->shape[a]) || (turns >= 0 && v->shape[a] != turns)) {
            pcs_refuse(n, "goes through values of sizes that differ, or are not known yet");
            return;
        }
        turns = v->shape[a];
    }
    if (turns > PCS_LIMIT_NET_TURNS || turns < 1) {
        pcs_refuse(n, "turns %lld times; it can be 1 to %d", (long long)turns, PCS_LIMIT_NET_TURNS);
        return;
    }
    for (int64_t t = 0; t < turns; t++) {
        for (uint32_t k = 0; k < scans; k++) {
            const precis_value whole = n->in[states + k];
            const pcs_value v = *pcs_of(n, whole);
            const uint32_t a = pcs_axis(nth(in_axes, na, k), v.dims);
            int64_t shape[PCS_GRAPH_DIMS];
            uint32_t dims = 0;
            for (uint32_t i = 0; i < v.dims; i++)
                if (i != a) shape[dims++] = v.shape[i];
            in[states + k] =
                pcs_shaped(n, pcs_part(n, whole, a, nth(in_ways, nd, k) ? turns - 1 - t : t, 1), dims, shape);
        }
        if (!body(n, &(within){ g, (uint64_t)turns }, n->n_in, in, states + outs, out)) return;
        for (uint32_t i = 0; i < states; i++) in[i] = out[i];
        for (uint32_t i = 0; i < outs; i++) kept[(uint32_t)t * outs + i] = out[states + i];
    }
    for (uint32_t i = 0; i < states; i++) n->out[i] = in[i];
    for (uint32_t i = 0; i < outs; i++)
        n->out[states + i] =
            stacked(n, kept + i, outs, (uint32_t)turns, nth(out_axes, nb, i), nth(out_ways, no, i) != 0);
}
