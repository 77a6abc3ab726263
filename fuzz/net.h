/* net.h - what may be done with a file that holds a net of arrays: it is opened, its graph is made with dimensions that
 * have no size, and it is run with small inputs, in memory that has a bound. */
#ifndef PRECIS_FUZZ_NET_H
#define PRECIS_FUZZ_NET_H

#include "fuzz.h"

static inline void fuzz_net_run(precis_net *net, int64_t open)
{
    static uint64_t room[4096];
    precis_array in[8];
    const precis_array *out;
    const size_t n = precis_net_inputs(net);
    if (n > 8) return;
    for (size_t i = 0; i < sizeof room / sizeof *room; i++) room[i] = 0x3f800000u + i % 3;
    for (size_t i = 0; i < n; i++) {
        precis_net_input(net, i, &in[i]);
        uint64_t bytes = strstr(in[i].type, "64") ? 8 : strstr(in[i].type, "32") ? 4 : strstr(in[i].type, "16") ? 2 : 1;
        for (uint32_t d = 0; d < in[i].dims; d++) {
            if (in[i].shape[d] < 0) in[i].shape[d] = open;
            if (in[i].shape[d] > 4096) return;
            bytes *= (uint64_t)in[i].shape[d];
            if (bytes > sizeof room) return;
        }
        in[i].data = room;
        in[i].bytes = bytes;
    }
    if (!precis_net_run(net, in, n, &out))
        for (size_t i = 0; i < precis_net_outputs(net); i++)
            for (uint64_t k = 0; k < out[i].bytes; k += 4096) room[0] += ((const uint8_t *)out[i].data)[k];
}

static inline int fuzz_net(const uint8_t *data, size_t size)
{
    static const int64_t sides[] = { 1, 2, 4 };
    char path[64];
    const int fd = fuzz_file(data, size, path);
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    size_t most = (size_t)16 << 20;
    o.threads = 1;
    o.realloc = fuzz_bounded;
    o.user = &most;
    precis_ctx *ctx = NULL;
    precis_net *net;
    precis_graph *g;
    if (!precis_ctx_open(&ctx, &o) && !precis_net_open(ctx, &net, path)) {
        if (!precis_net_graph(net, &g) && precis_graph_verify(g)) abort();
        for (size_t i = 0; i < 2; i++) fuzz_net_run(net, sides[i]);
        precis_net_close(&net);
    }
    precis_ctx_close(&ctx);
    close(fd);
    return 0;
}

#endif
