/* precis profile: probes, importance matrices, nodes; and plans made from the profile, as far as there is one. */
#include "command.h"

#define PROFILE "profile m.gguf --tokens 64 --time-limit 1 "
#define BY_MATRIX "quant m.gguf --type F32 --no-eval -o out --imatrix "

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const lines[] = {
        PROFILE "--types Q8_0 -o p.json", PROFILE "--calib text --types Q4_0,Q8_0 -o p.json", PROFILE "-o i.gguf",
        PROFILE "--calib text -o i.gguf", PROFILE "--calib text -o i.dat", PROFILE "--calib text --nodes",
    };
    if (size < 1) return 0;
    fuzz_enter();
    fuzz_put("m.gguf", data + 1, size - 1);
    const char *line = lines[data[0] % (sizeof lines / sizeof *lines)];
    const int rc = fuzz_command(line);
    if (!rc && strstr(line, "p.json")) fuzz_command("plan m.gguf --profile p.json --bpw 6 --types Q4_0,Q8_0");
    /* what was written is read: whatever the model, a type that has no scales takes its importance */
    if (!rc && strstr(line, "i.gguf") && fuzz_command(BY_MATRIX "i.gguf")) abort();
    if (!rc && strstr(line, "i.dat") && fuzz_command(BY_MATRIX "i.dat")) abort();
    fuzz_leave();
    return 0;
}
