/* table.c - what is looked up by the names and numbers of ONNX: the rows of onnx.def, functions that a file brings,
 * types of elements. */
#include "read/onnx/functions.h"

#include <stdlib.h>

const pcs_onnx_row pcs_onnx_rows[] = {
#define ROW(domain, op, since, until, contents, function, with) { domain, op, since, until, contents, function, with },
#include "read/onnx/onnx.def"
#undef ROW
    { 0 },
};

int64_t pcs_onnx_version(const pcs_opsets *opsets, pcs_str domain)
{
    for (size_t i = 0; i < opsets->n; i++)
        if (pcs_str_same(opsets->list[i].domain, domain)) return opsets->list[i].version;
    return 0;
}

const pcs_onnx_row *pcs_onnx_row_of(pcs_str domain, pcs_str op, int64_t version)
{
    for (const pcs_onnx_row *r = pcs_onnx_rows; r->op; r++)
        if (pcs_str_is(op, r->op) && pcs_str_is(domain, r->domain) && version >= r->since &&
            (version <= r->until || r->until >= PCS_ONNX_NEWEST))
            return r;
    return NULL;
}

/* Functions of the file come first, but for those that precis wrote of its own ops for other engines. */
static int order(pcs_str a, pcs_str b)
{
    const size_t n = a.n < b.n ? a.n : b.n;
    const int c = n ? memcmp(a.s, b.s, n) : 0;
    return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

int pcs_onnx_function_order(const void *a_, const void *b_)
{
    const pcs_onnx_function *a = a_, *b = b_;
    const int c = order(a->name, b->name);
    return c ? c : order(a->domain, b->domain);
}

pcs_onnx_function *pcs_onnx_function_of(const pcs_onnx *net, pcs_str domain, pcs_str op)
{
    if (pcs_str_is(domain, PCS_ONNX_DOMAIN) && pcs_onnx_row_of(domain, op, 1)) return NULL;
    const pcs_onnx_function key = { .name = op, .domain = domain };
    return net->n_functions ? bsearch(&key, net->functions, net->n_functions, sizeof key, pcs_onnx_function_order)
                            : NULL;
}

bool pcs_onnx_supports(const pcs_onnx *net, pcs_str domain, pcs_str op, const pcs_opsets *opsets)
{
    return pcs_onnx_function_of(net, domain, op) || pcs_onnx_row_of(domain, op, pcs_onnx_version(opsets, domain));
}

/* TensorProto.DataType. */
static const struct {
    int64_t id;
    pcs_dtype dtype;
} types[] = {
    { 1, PCS_F32 },     { 2, PCS_U8 },          { 3, PCS_I8 },    { 4, PCS_U16 },       { 5, PCS_I16 },
    { 6, PCS_I32 },     { 7, PCS_I64 },         { 9, PCS_BOOL },  { 10, PCS_F16 },      { 11, PCS_F64 },
    { 12, PCS_U32 },    { 13, PCS_U64 },        { 16, PCS_BF16 }, { 17, PCS_F8E4M3FN }, { 18, PCS_F8E4M3FNUZ },
    { 19, PCS_F8E5M2 }, { 20, PCS_F8E5M2FNUZ }, { 21, PCS_U4 },   { 22, PCS_I4 },       { 23, PCS_F4E2M1 },
    { 24, PCS_F8E8M0 }, { 25, PCS_U2 },         { 26, PCS_I2 },
};

bool pcs_onnx_dtype(int64_t id, pcs_dtype *out)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].id == id) {
            *out = types[i].dtype;
            return true;
        }
    return false;
}
