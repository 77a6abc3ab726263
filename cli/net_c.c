/* net_c.c - nets of arrays written as C: which form the output has, and what the file takes. */
#include "quant_net.h"
#include "term.h"

#include <string.h>

static int named_as(const char *s, const char *tail)
{
    const size_t n = strlen(s), k = strlen(tail);
    return n > k && !strcmp(s + n - k, tail);
}

int cli_net_form(cli *c, const char *out, int *as_c)
{
    static const char *const names[] = { "onnx", "c" }, *const ends[] = { ".onnx", ".c" };
    const char *format = cli_get(c, "--format");
    if (!out) return cli_usage(c, "where to? -o PATH.onnx, or PATH.c for a microcontroller");
    for (*as_c = 0; *as_c < 2; (*as_c)++) {
        if (format ? strcmp(format, names[*as_c]) != 0 : !named_as(out, ends[*as_c])) continue;
        if (named_as(out, ends[!*as_c]))
            return cli_usage(c, "-o %s --format %s: the name says %s", out, format, names[!*as_c]);
        return -1;
    }
    return cli_usage(c, "%s is a net of arrays: it is written as ONNX (-o NAME.onnx) or as C (-o NAME.c)", c->args[0]);
}

json_t *cli_net_c_json(const char *out, const precis_net_c_file *f)
{
    json_t *cycles = json_object();
    for (size_t i = 0; i < PRECIS_NET_C_CORES; i++)
        json_object_set_new(cycles, f->core[i], json_pack("[f, f]", f->cycles[i][0], f->cycles[i][1]));
    json_t *flash = json_pack("{s:I, s:I, s:I}", "constants", (json_int_t)f->weights, "code", (json_int_t)f->code,
                              "all", (json_int_t)(f->weights + f->code));
    json_t *ram = json_pack("{s:I, s:I, s:I}", "arena", (json_int_t)f->arena, "stack", (json_int_t)f->stack, "all",
                            (json_int_t)(f->arena + f->stack));
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "out", out, "format", "c", "name", f->name,
                     "bytes", (json_int_t)f->bytes, "macs", (json_int_t)f->macs, "calls", (json_int_t)f->calls, "flash",
                     flash, "ram", ram, "cycles", cycles);
}

void cli_net_c_print(const char *out, const precis_net_c_file *f)
{
    char flash[32], ram[32], code[32], arena[32];
    cli_row(2, "%s: C99, %s_run; %llu calls, %llu multiplications", out, f->name, (unsigned long long)f->calls,
            (unsigned long long)f->macs);
    cli_row(2, "predicted: flash %s (code %s), RAM %s (arena %s)", cli_bytes((double)(f->weights + f->code), flash),
            cli_bytes((double)f->code, code), cli_bytes((double)(f->arena + f->stack), ram),
            cli_bytes((double)f->arena, arena));
    for (size_t i = 0; i < PRECIS_NET_C_CORES; i++)
        cli_row(2, "predicted: %s %.3g to %.3g million cycles", f->core[i], f->cycles[i][0] / 1e6,
                f->cycles[i][1] / 1e6);
}
