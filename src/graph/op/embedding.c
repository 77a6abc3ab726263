/* embedding - y[t] = table[ids[t]] * scale. */
#include "graph/graph.h"

enum { SCALE, ROW };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *ids = &g->values[n->in[0]], *table = &g->values[n->in[1]];
    if (ids->dtype != PCS_I32 || ids->dims != 1 || table->dims != 2 ||
        (table->dtype != PCS_F32 && table->dtype != PCS_STORED))
        return pcs_op_fail(g, n, "takes ids[tokens] and table[vocabulary, width]");
    const int64_t row = n->attr[ROW].integer, all = table->shape[0];
    if (row >= all) return pcs_op_fail(g, n, "row %lld of a table of %lld", (long long)row, (long long)all);
    out->dims = 2;
    out->shape[0] = ids->shape[0];
    out->shape[1] = table->shape[1];
    return PRECIS_OK;
}

/* Row of the table for an id: its own, or the one that stands for all. */
static size_t row_of(const pcs_call *c, int32_t id)
{
    return c->attr[ROW].integer >= 0 ? (size_t)c->attr[ROW].integer : (size_t)id;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *table = &c->in[1];
    const size_t k = (size_t)table->shape[1], rows = (size_t)c->in[0].shape[0];
    const int32_t *ids = c->in[0].data;
    float *y = c->out[0].data;
    for (size_t t = ith; t < rows; t += nth) {
        float *row = y + t * k;
        const size_t at = row_of(c, ids[t]);
        if (table->dtype == PCS_F32) memcpy(row, (const float *)table->data + at * k, k * sizeof *row);
        else
            pcs_decode(table->format, k, pcs_arg_row(table, at, k, (uint8_t *)c->scratch + ith * c->scratch_size), row);
        if (c->attr[SCALE].real != 1.0)
            for (size_t i = 0; i < k; i++) row[i] *= (float)c->attr[SCALE].real;
    }
}

static size_t scratch(const pcs_call *c)
{
    return c->in[1].dtype == PCS_STORED ? (size_t)pcs_row_bytes(c->in[1].format, (uint64_t)c->in[1].shape[1]) + 64 : 0;
}

/* A thread has columns of the table, for all tokens: rows that many tokens share would not be shared out evenly. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t k = (size_t)c->in[1].shape[1];
    const int32_t *ids = c->in[0].data;
    const float scale = (float)c->attr[SCALE].real;
    uint64_t begin, end;
    pcs_share(k, 16, ith, nth, &begin, &end);
    for (size_t t = 0; g->in[1] && t < (size_t)c->in[0].shape[0]; t++) {
        float *row = g->in[1] + row_of(c, ids[t]) * k;
        for (size_t i = begin; i < end; i++) row[i] += g->out[0][t * k + i] * scale;
    }
}

const pcs_op pcs_op_embedding = {
    .name = "embedding", .min_in = 2, .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("scale", 1), PCS_INT("row", -1)), .reads_stored = 1, .infer = infer, .eval = eval,
    .scratch = scratch, .backward = backward,
};
