/* ONNX. */
#include "net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_net(data, size); }
