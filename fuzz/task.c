/* Evaluation sets: JSON lines, choices, hellaswag's lines, CSV. The first byte picks the set. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct { const char *task, *file;
    } sets[] = {
        { "arc_easy", "ARC-Easy.test.json" },
        { "piqa", "piqa.test.json" },
        { "winogrande", "winogrande.test.json" },
        { "boolq", "boolq.test.json" },
        { "hellaswag", "hellaswag_val_full.txt.bz2" },
        { "lambada", "lambada_test.jsonl" },
        { "gsm8k", "test.jsonl" },
        { "own", "own.jsonl" },
    };
    static char folder[64];
    if (!*folder) {
        snprintf(folder, sizeof folder, "/dev/shm/precis-fuzz-%d", (int)getpid());
        if (mkdir(folder, 0700)) snprintf(folder, sizeof folder, ".");
    }
    if (size < 1) return 0;
    const size_t k = data[0] % (sizeof sets / sizeof *sets);
    precis_ctx *ctx = fuzz_ctx();
    if (!ctx) return 0;
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, sets[k].file);
    FILE *f = fopen(path, "wb");
    if (f) {
        fwrite(data + 1, 1, size - 1, f);
        fclose(f);
        precis_task *t;
        precis_task_options o = PRECIS_TASK_OPTIONS_INIT;
        o.folder = folder;
        if (!precis_task_open(ctx, &t, strcmp(sets[k].task, "own") ? sets[k].task : path, &o)) {
            precis_task_info info = { .size = sizeof info };
            precis_task_get_info(t, &info);
            for (size_t i = 0; i < info.items; i++) {
                precis_task_item item = { .size = sizeof item };
                if (precis_task_get(ctx, t, i, &item) || (item.choices && item.right >= item.n_choices)) abort();
                for (uint32_t c = 0; c < item.n_choices; c++)
                    if (!item.choices[c] || !(item.contexts ? item.contexts[c] : item.context)) abort();
            }
            precis_task_close(&t);
        }
        unlink(path);
    }
    precis_ctx_close(&ctx);
    return 0;
}
