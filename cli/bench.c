/* precis bench - speed and memory of a model on this machine, beside the machine's limits. */
#include "cli.h"

static const cli_option options[] = {
    { "--prompt", 0, "N", "tokens of the prompt (default 512)" },
    { "--gen", 0, "N", "tokens to generate (default 64)" },
    { "--weights-only", 0, NULL, "reference arithmetic" },
    { "--pack", 0, "WHEN", "weights in the kernels' order: off, load (default) or background" },
    { "--cache-k", 0, "TYPE", "keys of the KV cache: f32 f16 int8 int4" },
    { "--cache-v", 0, "TYPE", "values of the KV cache" },
    { 0 },
};

static int run(cli *c)
{
    int64_t prompt, gen;
    if (!cli_int(c, "--prompt", 512, 1, 1 << 20, &prompt) || !cli_int(c, "--gen", 64, 1, 1 << 20, &gen)) return EXIT_USAGE;
    precis_bench_options o = PRECIS_BENCH_OPTIONS_INIT;
    o.prompt = (uint32_t)prompt;
    o.generate = (uint32_t)gen;
    o.arithmetic = cli_has(c, "--weights-only") ? PRECIS_REFERENCE : PRECIS_FAST;
    o.k_type = cli_get(c, "--cache-k");
    o.v_type = cli_get(c, "--cache-v");
    if (!cli_pack(c, PRECIS_PACK_LOAD, &o.pack)) return EXIT_USAGE;
    precis_bench_result r = { .size = sizeof r };
    const precis_status st = precis_bench(c->ctx, c->args[0], &o, &r);
    if (st) return cli_fail(c, st);
    if (c->json)
        return cli_print_json(c, json_pack("{s:f, s:f, s:f, s:I, s:{s:f, s:f}, s:f, s:f, s:f, s:I, s:s, s:i}", "load_ms", r.load_ms, "prefill_tok_s", r.prefill_tok_s,
                                           "decode_tok_s", r.decode_tok_s, "rss_bytes", (json_int_t)r.rss_bytes, "limit", "prefill_tok_s", r.limit_prefill_tok_s,
                                           "decode_tok_s", r.limit_decode_tok_s, "read_bytes_s", r.read_bytes_s, "multiply_s", r.multiply_s, "fma_s", r.fma_s, "weight_bytes",
                                           (json_int_t)r.weight_bytes, "cpu", precis_ctx_cpu(c->ctx), "threads", (int)precis_ctx_threads(c->ctx)));
    char a[32], b[32];
    printf("%s, %u threads\n\n", precis_ctx_cpu(c->ctx), precis_ctx_threads(c->ctx));
    printf("%-10s %10.1f ms\n", "load", r.load_ms);
    printf("%-10s %10.1f tokens/s, %3.0f%% of this machine's limit of %.0f (its multiplications in registers)\n", "prefill", r.prefill_tok_s,
           100 * r.prefill_tok_s / r.limit_prefill_tok_s, r.limit_prefill_tok_s);
    printf("%-10s %10.1f tokens/s, %3.0f%% of this machine's limit of %.0f (reading %s of weights at %s/s)\n", "decode", r.decode_tok_s,
           100 * r.decode_tok_s / r.limit_decode_tok_s, r.limit_decode_tok_s, cli_bytes((double)r.weight_bytes, a), cli_bytes(r.read_bytes_s, b));
    printf("%-10s %10s\n", "memory", cli_bytes((double)r.rss_bytes, a));
    return cli_done(c);
}

const cli_command cli_bench = {
    "bench", "MODEL", "load time, prefill, decode and memory, beside the limit of this machine",
    "The limits are measured in the same run: the speed at which all threads read the file's pages, and the speed at which\n"
    "they multiply in registers (int8 for quantized weights, f32 for others) at the instruction set in use.", 1, 1, options, run,
    "  precis bench model.gguf --prompt 512 --gen 64\n"
    "  PRECIS_CPU=avx2 precis bench model.gguf --threads 1 --json\n",
    NULL,
};
