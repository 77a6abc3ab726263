/* net_write.c - an open net as an ONNX file, or as a C file. */
#include "precis/quant_net.h"
#include "base/base.h"
#include "base/options.h"
#include "run/net.h"
#include "run/watched.h"
#include "write/c/c.h"
#include "write/onnx/onnx.h"

static precis_status name_ports(precis_net *net, pcs_onnx_named *in, pcs_onnx_named *out)
{
    precis_array a;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < precis_net_inputs(net) && !st; i++) {
        st = precis_net_input(net, i, &a);
        in[i] = (pcs_onnx_named){ precis_net_graph_input(net, i), a.name };
    }
    for (size_t i = 0; i < precis_net_outputs(net) && !st; i++) {
        st = precis_net_output(net, i, &a);
        out[i] = (pcs_onnx_named){ precis_net_graph_output(net, i), a.name };
    }
    return st;
}

void pcs_net_tell_file(const pcs_onnx_written *written, precis_net_file *file)
{
    const precis_net_file all = { .size = sizeof all, .bytes = written->bytes, .opset = written->opset,
                                  .nodes = written->nodes };
    if (file) pcs_options_give(file, &all, sizeof all);
}

precis_status precis_net_write(precis_net *net, const char *path, precis_net_file *file)
{
    precis_graph *g;
    precis_status st = precis_net_graph(net, &g);
    if (st) return st;
    pcs_onnx_written written;
    const size_t n = precis_net_inputs(net), m = precis_net_outputs(net);
    pcs_onnx_named *in = pcs_alloc(g->ctx, n + m + 1, sizeof *in), *out = in ? in + n : NULL;
    if (!in) return PRECIS_ENOMEM;
    st = name_ports(net, in, out);
    const pcs_onnx_saved what = { .graph = g, .inputs = in, .outputs = out, .n_inputs = n, .n_outputs = m,
                                  .net = pcs_net_file(net) };
    if (!st) st = pcs_onnx_save(g->ctx, &what, path, &written);
    if (!st) pcs_net_tell_file(&written, file);
    pcs_free(g->ctx, in);
    return st;
}

/* ---- C ------------------------------------------------------------------------------------------------ */

precis_status pcs_net_save_c(precis_net *net, const char *file_of_net, const char *path, const pcs_beside *beside,
                             precis_net_c_file *file)
{
    precis_ctx *ctx = pcs_net_ctx(net);
    pcs_c_written k;
    const pcs_c_saved what = { .net = file_of_net, .source = pcs_net_path(net), .beside = beside,
                                .sizes = pcs_net_assumed(net), .n_sizes = precis_net_inputs(net),
                                .from = pcs_net_file(net) };
    const precis_status st = pcs_c_save(ctx, &what, path, &k);
    if (st || !file) return st;
    precis_net_c_file all = { .size = sizeof all, .bytes = k.bytes, .weights = k.weights, .code = k.code,
                              .arena = k.arena, .stack = k.stack, .macs = k.macs, .calls = k.calls };
    memcpy(all.name, k.name, sizeof all.name);
    for (size_t i = 0; i < PRECIS_NET_C_CORES; i++) {
        all.core[i] = pcs_c_core(i);
        memcpy(all.cycles[i], k.cycles[i], sizeof all.cycles[i]);
    }
    pcs_options_give(file, &all, sizeof all);
    return st;
}

precis_status precis_net_write_c(precis_net *net, const char *path, precis_net_c_file *file)
{
    return pcs_net_save_c(net, pcs_net_path(net), path, NULL, file);
}
