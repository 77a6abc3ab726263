/* GGUF files: header, tensors, tokenizer, graph. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    const int fd = fuzz_file(data, size, path);
    fuzz_path(path);
    close(fd);
    return 0;
}
