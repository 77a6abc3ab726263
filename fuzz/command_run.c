/* precis run: prompts, chats, embeddings; kernels and reference arithmetic; kinds of caches. */
#include "command.h"

#define RUN "run m.gguf -n 4 --pack off --ctx 16 "

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const lines[] = {
        RUN "-p abc", RUN "-p abc --weights-only", RUN "-c -p abc", RUN "-p abc --temp 0 --cache-k int8 --cache-v int4",
        RUN "-p abc --embed", "run m.gguf -n 2 --pack load --ctx 256 -f text", RUN "-c -p abc --system ab",
        "run m.gguf -n 4 --pack off --ctx 200 -f text --no-lookup --repeat-penalty 1.2 --ignore-end",
    };
    return fuzz_commands(data, size, lines, sizeof lines / sizeof *lines, NULL);
}
