/* replay - run a target over the files of folders, without libFuzzer: for `make test`. */
#include "fuzz.h"

#include <dirent.h>

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        if (!d) {
            fprintf(stderr, "%s: cannot be opened\n", argv[i]);
            return 1;
        }
        for (struct dirent *e; (e = readdir(d));) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "rb");
            if (!f) continue;
            static uint8_t data[1 << 22];
            const size_t size = fread(data, 1, sizeof data, f);
            fclose(f);
            LLVMFuzzerTestOneInput(data, size);
            n++;
        }
        closedir(d);
    }
    printf("%d inputs replayed\n", n);
    return n == 0;
}
