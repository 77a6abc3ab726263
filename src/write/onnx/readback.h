/* readback.h - an ONNX file, read by precis's own reader before it has its name. */
#ifndef PCS_WRITE_ONNX_READBACK_H
#define PCS_WRITE_ONNX_READBACK_H

#include "write/onnx/onnx.h"
#include "write/write.h"

/* Opens the file that waits in o, makes its graph, and compares: inputs and outputs by name, type and shape; what every
 * output is computed from, node by node, and the bytes of all constants. PRECIS_EFORMAT names what differs. */
precis_status pcs_onnx_read_back(precis_ctx *ctx, const pcs_onnx_saved *what, const pcs_out *o);

#endif
