/* A low-rank adapter for a small llama: a GGUF, or adapter_config.json, a zero byte, and adapter_model.safetensors. */
#include "fuzz.h"
#include "model/model.h"

#include <sys/stat.h>

static void put(const char *folder, const char *name, const uint8_t *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f) abort();
    fwrite(data, 1, size, f);
    fclose(f);
}

/* blk.0.attn_q.weight [32, 32] of an otherwise empty model. */
static precis_model *base(precis_ctx *ctx)
{
    static float zeros[32 * 32];
    precis_model *m;
    if (pcs_model_new(ctx, &m, "fuzz", "gguf")) return NULL;
    pcs_tensor *t = pcs_model_add_tensor(m);
    if (!t) abort();
    t->name = t->source = "blk.0.attn_q.weight";
    t->format = pcs_format_by_name("F32");
    t->dims = 2;
    t->ne[0] = t->ne[1] = t->shape[0] = t->shape[1] = 32;
    t->n = 1024;
    t->bytes = 4096;
    t->data = (const uint8_t *)zeros;
    if (pcs_model_set_string(m, "general.architecture", "llama", 5) ||
        pcs_model_set_u32(m, "llama.attention.head_count", 2) || pcs_model_index(m))
        abort();
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    precis_ctx *ctx = fuzz_ctx();
    precis_model *m = ctx ? base(ctx) : NULL;
    if (!m) return 0;
    const uint8_t *zero = size && data[0] == '{' ? memchr(data, 0, size) : NULL;
    char path[160];
    if (!zero) {
        const int fd = fuzz_file(data, size, path);
        precis_model_add_adapter(ctx, m, path, 1.0, size % 2);
        close(fd);
    } else {
        char folder[64];
        snprintf(folder, sizeof folder, "/dev/shm/precis-adapter-%d", (int)getpid());
        mkdir(folder, 0700);
        put(folder, "adapter_config.json", data, (size_t)(zero - data));
        put(folder, "adapter_model.safetensors", zero + 1, size - (size_t)(zero - data) - 1);
        precis_model_add_adapter(ctx, m, folder, 1.0, size % 2);
        snprintf(path, sizeof path, "%s/adapter_config.json", folder);
        unlink(path);
        snprintf(path, sizeof path, "%s/adapter_model.safetensors", folder);
        unlink(path);
        rmdir(folder);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
    return 0;
}
