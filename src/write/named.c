/* named.c - the name of an output says what it is: one that ends as files of another kind do is refused, before work
 * that would end in a file which others take for what it is not. A name without a known ending is free. */
#include "precis/convert.h"
#include "write/write.h"

#include <stdio.h>

static const char *const known[] = {
    "gguf", "ggml", "safetensors", "onnx", "pt", "pth", "pt2", "ckpt", "bin", "h5", "tflite", "npy", "npz", "json",
    "jsonl", "csv", "html", "svg", "png", "pdf", "zip", "gz", "txt", "md", "c", "h", "py", "sqlite",
};

/* Is `word` one of the words of a list with blanks between? */
static bool is_one_of(const char *word, const char *list)
{
    const size_t n = strlen(word);
    for (; *list; list += strcspn(list, " "), list += *list == ' ')
        if (!strncasecmp(list, word, n) && (!list[n] || list[n] == ' ')) return true;
    return false;
}

precis_status precis_out_named(precis_ctx *ctx, const char *path, const char *endings)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    if (!dot || is_one_of(dot + 1, endings)) return PRECIS_OK;
    const int stem = (int)(dot - path), first = (int)strcspn(endings, " ");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(known[i], dot + 1)) continue;
        if (!*endings)
            return pcs_fail(ctx, PRECIS_EINVAL, "%s: what is written here is a folder; name it %.*s, or anything "
                            "without such an ending", path, stem, path);
        return pcs_fail(ctx, PRECIS_EINVAL, "%s: what is written here is no %s; name it %.*s.%.*s", path, known[i],
                        stem, path, first, endings);
    }
    return PRECIS_OK;
}
