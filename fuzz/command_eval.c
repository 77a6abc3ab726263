/* precis eval and tokenize and inspect: perplexity, token ids, divergence from itself, every key and tensor. */
#include "command.h"

#define EVAL "eval m.gguf --text text --ctx 16 --chunks 1 "

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const lines[] = {
        EVAL, EVAL "--against m.gguf", "eval m.gguf --ids 1,2,3 --nll", EVAL "--weights-only --cache-k f32",
        "inspect m.gguf", "inspect m.gguf --json", "tokenize m.gguf -f text",
    };
    return fuzz_commands(data, size, lines, sizeof lines / sizeof *lines, NULL);
}
