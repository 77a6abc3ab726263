/* precis convert: every container. */
#include "command.h"

#define CONVERT "convert m.gguf -o out --format "

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const lines[] = {
        CONVERT "gguf", CONVERT "gguf --exact", CONVERT "gguf --own", CONVERT "packed",
        CONVERT "safetensors", CONVERT "safetensors --exact", CONVERT "gptq", CONVERT "awq",
    };
    return fuzz_commands(data, size, lines, sizeof lines / sizeof *lines, "out");
}
