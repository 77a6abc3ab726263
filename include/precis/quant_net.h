/* precis/quant_net.h - nets of any kind in fewer bits, and as ONNX files.
 *
 * Threads: as the context. */
#ifndef PRECIS_QUANT_NET_H
#define PRECIS_QUANT_NET_H

#include "precis/net.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a written file is. */
typedef struct precis_net_file {
    uint32_t size; /* sizeof of this struct, set by the caller */
    uint64_t bytes;
    int64_t opset;  /* of ONNX: the lowest that has its ops, from 13 on */
    uint64_t nodes; /* of the file */
} precis_net_file;

/* Write the net as an ONNX file, whole or not at all: read back and compared before it has its name. Names of inputs,
 * outputs and nodes are kept, dimensions without a size stay symbols. file may be NULL. PRECIS_EUNSUPPORTED names the
 * node that ONNX has no op for, or that depends on the contents of an input. */
PRECIS_API precis_status precis_net_write(precis_net *net, const char *path, precis_net_file *file);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_QUANT_NET_H */
