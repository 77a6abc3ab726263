/* bombs.c - what a file of few bytes would become, known before it does: functions that call functions, and loops in
 * loops, multiply. */
#include "read/onnx/functions.h"

#define HELD ((uint64_t)1 << 62)

static uint64_t held_sum(uint64_t a, uint64_t b) { return a > HELD - b ? HELD : a + b; }

static uint64_t count_graph(pcs_onnx *net, pcs_proto g, uint32_t number, int depth);

/* A function's own count is kept, so that each is walked once. One that calls itself is refused where it is inlined. */
static uint64_t count_function(pcs_onnx *net, pcs_onnx_function *fn, int depth)
{
    if (fn->nodes || fn->open || depth > PCS_LIMIT_NET_DEPTH) return fn->nodes;
    fn->open = true;
    const uint64_t n = count_graph(net, fn->body, 7, depth + 1);
    fn->open = false;
    return fn->nodes = n ? n : 1;
}

static uint64_t nodes_of(pcs_onnx *net, pcs_proto m, int depth)
{
    pcs_str domain = { "", 0 }, op = { "", 0 };
    pcs_proto_field f, a;
    uint64_t n = 1;
    bool bad;
    for (pcs_proto walk = m; pcs_proto_next(&walk, &f, &bad);) {
        if (f.wire != PCS_PROTO_BYTES) continue;
        if (f.number == 4) op = (pcs_str){ (const char *)f.inner.p, pcs_proto_size(f.inner) };
        if (f.number == 7) domain = (pcs_str){ (const char *)f.inner.p, pcs_proto_size(f.inner) };
        for (pcs_proto attr = f.inner; f.number == 5 && pcs_proto_next(&attr, &a, &bad);)
            if (a.wire == PCS_PROTO_BYTES && (a.number == 6 || a.number == 11))
                n = held_sum(n, count_graph(net, a.inner, 1, depth + 1));
    }
    if (pcs_str_is(domain, "ai.onnx")) domain = (pcs_str){ "", 0 };
    pcs_onnx_function *fn = net->n_functions ? pcs_onnx_function_of(net, domain, op) : NULL;
    return fn ? held_sum(n, count_function(net, fn, depth)) : n;
}

static uint64_t count_graph(pcs_onnx *net, pcs_proto g, uint32_t number, int depth)
{
    pcs_proto_field f;
    uint64_t n = 0;
    bool bad;
    if (depth > PCS_LIMIT_NET_DEPTH) return 0;
    while (pcs_proto_next(&g, &f, &bad))
        if (f.number == number && f.wire == PCS_PROTO_BYTES) n = held_sum(n, nodes_of(net, f.inner, depth));
    return n;
}

uint64_t pcs_onnx_nodes(pcs_onnx *net, pcs_proto g, uint32_t number) { return count_graph(net, g, number, 0); }

/* One more than its nodes, so that graphs without any are bounded, too; twice the limit, since a loop may end early. */
bool pcs_fits(pcs_onnx_node *n, pcs_proto g, uint32_t number, uint64_t times)
{
    pcs_import *im = n->im;
    const uint64_t each = im->net ? pcs_onnx_nodes(im->net, g, number) : 0, copies = im->copies ? im->copies : 1;
    uint64_t all;
    if (pcs_mul_ok(each + 1, times, &all) && pcs_mul_ok(all, copies, &all) && all <= 2 * (uint64_t)PCS_LIMIT_NET_NODES)
        return true;
    pcs_wrong(n, "would become more than %d nodes", PCS_LIMIT_NET_NODES);
    return false;
}
