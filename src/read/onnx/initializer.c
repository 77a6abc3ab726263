/* initializer.c - a constant of a file by its name, whether nodes read it or not. */
#include "read/onnx/onnx.h"

/* The name of a TensorProto. */
static bool named(pcs_proto body, const char *name)
{
    pcs_proto_field f;
    bool bad;
    while (pcs_proto_next(&body, &f, &bad))
        if (f.number == 8 && f.wire == PCS_PROTO_BYTES)
            return pcs_str_is((pcs_str){ (const char *)f.inner.p, (size_t)(f.inner.end - f.inner.p) }, name);
    return false;
}

precis_status pcs_onnx_initializer(pcs_onnx *net, pcs_arena *arena, const char *name, pcs_onnx_tensor *out)
{
    pcs_proto g = net->graph;
    pcs_proto_field f;
    bool bad;
    while (pcs_proto_next(&g, &f, &bad))
        if (f.number == 5 && f.wire == PCS_PROTO_BYTES && named(f.inner, name))
            return pcs_onnx_read_tensor(net, arena, f.inner, out);
    return PRECIS_EINVAL;
}
