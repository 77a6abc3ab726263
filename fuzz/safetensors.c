/* A safetensors file, or a folder: what stands before the first zero byte, if it begins
 * with "{", is its config.json. */
#include "fuzz.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size && data[0] == '{' ? memchr(data, 0, size) : NULL;
    if (!zero) {
        char path[64];
        const int fd = fuzz_file(data, size, path);
        fuzz_path(path);
        close(fd);
        return 0;
    }
    char folder[64], path[128];
    snprintf(folder, sizeof folder, "/dev/shm/precis-fuzz-%d", (int)getpid());
    mkdir(folder, 0700);
    put(folder, "config.json", data, (size_t)(zero - data));
    put(folder, "model.safetensors", zero + 1, size - (size_t)(zero - data) - 1);
    fuzz_path(folder);
    snprintf(path, sizeof path, "%s/config.json", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    unlink(path);
    rmdir(folder);
    return 0;
}
