/* net_kept.c - predictions of nets as files of the folder of measurements (job/kept.h). */
#include "job/net_kept.h"

#include "base/json.h"
#include "job/kept.h"

/* How it is measured: to be raised with every change of a kernel's speed or of a decision. */
#define PREDICTS 2

static precis_status add_text(pcs_buf *b, const char *s)
{
    return s ? pcs_buf_add(b, s, strlen(s) + 1) : pcs_buf_add(b, "\1", 2);
}

/* All that decides what is measured: the net, how it gets codes, and the sizes of its inputs. */
static precis_status add_all(pcs_buf *b, precis_ctx *ctx, const char *path, const precis_net_predict_options *with)
{
    const precis_net_quant_options *q = with->quant;
    char hex[65];
    precis_status st = precis_sha256_file(ctx, path, hex);
    if (!st) st = pcs_buf_printf(b, "%s %d %s ", precis_version(), PREDICTS, hex);
    const char *const texts[] = { q->mode, q->activations, q->weights, q->like, q->backend };
    for (size_t i = 0; i < sizeof texts / sizeof *texts && !st; i++) st = add_text(b, texts[i]);
    if (!st)
        st = pcs_buf_printf(b, "%u %d %d %d %d %d %d ", q->group, q->per_channel, q->per_tensor, q->symmetric,
                            q->reduce_range, q->whole, q->all);
    for (size_t i = 0; i < q->n_floats && !st; i++) st = add_text(b, q->floats[i]);
    if (!st && q->n_exact) st = pcs_buf_printf(b, "exact %zu ", q->n_exact);
    for (size_t i = 0; i < q->n_values && !st; i++) {
        st = add_text(b, q->values[i].name);
        if (!st) st = pcs_buf_add(b, q->values[i].data, q->values[i].bytes);
    }
    for (size_t i = 0; i < with->n && !st; i++) {
        st = add_text(b, with->inputs[i].name);
        if (!st) st = pcs_buf_add(b, with->inputs[i].shape, with->inputs[i].dims * sizeof *with->inputs[i].shape);
    }
    return st;
}

precis_status pcs_net_kept_keys(precis_ctx *ctx, const char *path, const precis_net_predict_options *with,
                                char times[65], char decisions[65])
{
    pcs_buf b;
    pcs_buf_init(&b, ctx, (size_t)1 << 20);
    precis_status st = add_all(&b, ctx, path, with);
    if (!st) precis_sha256(b.data, b.len, decisions);
    if (!st) st = pcs_buf_printf(&b, " times %u %x", ctx->threads, ctx->cpu);
    if (!st) precis_sha256(b.data, b.len, times);
    pcs_buf_free(&b);
    return st;
}

static bool load_exactly(precis_ctx *ctx, const char *folder, const char *key, void *to, size_t len)
{
    char *data = NULL;
    size_t n = 0;
    if (pcs_kept_load(ctx, folder, key, &data, &n) || !data) return false;
    if (n == len) memcpy(to, data, len);
    pcs_free(ctx, data);
    return n == len;
}

bool pcs_net_kept_times(precis_ctx *ctx, const char *folder, const char *key, pcs_net_kept *sums,
                        pcs_net_kept_node *nodes, size_t n)
{
    const size_t len = sizeof *sums + n * sizeof *nodes;
    char *all = pcs_alloc(ctx, len, 1);
    const bool there = all && load_exactly(ctx, folder, key, all, len);
    if (there) {
        memcpy(sums, all, sizeof *sums);
        memcpy(nodes, all + sizeof *sums, n * sizeof *nodes);
        for (size_t i = 0; i < n; i++) nodes[i].kernel[sizeof nodes[i].kernel - 1] = 0;
    }
    pcs_free(ctx, all);
    return there;
}

bool pcs_net_kept_decisions(precis_ctx *ctx, const char *folder, const char *key, uint8_t *slower, size_t n)
{
    return load_exactly(ctx, folder, key, slower, n);
}

precis_status pcs_net_keep_times(precis_ctx *ctx, const char *folder, const char *key, const pcs_net_kept *sums,
                                 const pcs_net_kept_node *nodes, size_t n)
{
    const size_t len = sizeof *sums + n * sizeof *nodes;
    char *all = pcs_alloc(ctx, len, 1);
    if (!all) return PRECIS_ENOMEM;
    memcpy(all, sums, sizeof *sums);
    memcpy(all + sizeof *sums, nodes, n * sizeof *nodes);
    const precis_status st = pcs_kept_keep(ctx, folder, key, all, len);
    pcs_free(ctx, all);
    return st;
}

precis_status pcs_net_keep_decisions(precis_ctx *ctx, const char *folder, const char *key, const uint8_t *slower,
                                     size_t n)
{
    return pcs_kept_keep(ctx, folder, key, slower, n);
}
