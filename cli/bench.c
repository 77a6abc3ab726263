/* precis bench - speed and memory of a model on this machine, beside the machine's limits. */
#include "bench_parts.h"
#include "chart.h"
#include "term.h"

#include <math.h>
#include <stdlib.h>

static const cli_option options[] = {
    { "--prompt", 0, "N", "tokens of the prompt (default 512)" },
    { "--gen", 0, "N", "tokens to generate (default 64)" },
    { "--repeat", 0, "N", "measure N times (default 1): the median, and from where to where the runs lie" },
    { "--sequences", 0, "N", "generate for N sequences together (default 1); tokens of all per second" },
    { "--html", 0, "OUT.html", "a page too: speeds beside the limits, and with more threads" },
    { "--energy", 0, NULL, "joules of the processor for each token, too, by its RAPL counters" },
    { "--arithmetic", 0, "NAME",
      "exact (default; int8 activations), bf16 (both as bfloat16), mixed (bf16 for 32 and more rows), int8 (one scale "
      "a token and a row of weights; default of W8A8 models), or auto: int8 for those, mixed on AMX" },
    { "--weights-only", 0, NULL, "reference arithmetic" },
    { "--kernels", 0, NULL,
      "instead of a model: every kernel of weights at this level, beside what memory, cache and multipliers give at "
      "best" },
    { "--cost-table", 0, "OUT.json",
      "measure what each type and shape of this model's weights costs here, and write the table (for precis plan "
      "--min-speed)" },
    { "--pack", 0, "WHEN", "weights in the kernels' order: off, load (default), background or cache" },
    { "--cache-k", 0, "TYPE", "keys of the KV cache: f32 f16 int8 int4" },
    { "--cache-v", 0, "TYPE", "values of the KV cache" },
    { "--input", 0, "NAME=FILE", "a net of arrays (ONNX): a .npy file, or a whole number, for an input of it; others "
                                 "are made up" },
    { "--size", 0, "SIZES",
      "a net of arrays: what inputs that are made up have where the net leaves a dimension open (default 1): 224, "
      "48x320, or by name (batch=2,width=320)" },
    { "--seconds", 0, "N", "a net of arrays: how long to run it (default 1)" },
    { "--nodes", 0, NULL,
      "each node's time, too, beside what this machine multiplies and reads; a language model's layers together" },
    { 0 },
};

typedef struct { cli *c; json_t *list; } kernels;

/* "12.3   45%", or "-". */
static void speed_cell(char *cell, size_t size, double speed, double limit)
{
    if (speed > 0) snprintf(cell, size, "%.1f %4.0f%%", speed * 1e-9, 100 * speed / limit);
    else snprintf(cell, size, "-%6s", "");
}

static int print_kernel(void *user, const precis_kernel_speed *s)
{
    const kernels *k = user;
    if (k->c->json) {
        json_t *limit = json_pack("{s:f, s:f, s:f, s:f, s:f}", "memory_bytes_s", s->limit_memory, "cache_bytes_s",
                                  s->limit_cache, "multiply_s", s->limit_multiply, "tiles_s", s->limit_tiles, "int8_s",
                                  s->limit_int8);
        json_array_append_new(k->list,
                              json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:s?, s:f, s:f, s:o}", "type", s->type,
                                        "kernel", s->kernel, "isa", s->isa, "memory_bytes_s", s->memory,
                                        "cache_bytes_s", s->cache, "multiply_s", s->multiply, "multiply_isa",
                                        s->multiply_isa, "tiles_s", s->tiles, "int8_s", s->int8, "limit", limit));
        return 0;
    }
    char cache[32], prompt[64], tiles[32], int8[32];
    speed_cell(cache, sizeof cache, s->cache, s->limit_cache);
    speed_cell(prompt, sizeof prompt, s->multiply, s->limit_multiply);
    speed_cell(tiles, sizeof tiles, s->limit_tiles > 0 ? s->tiles : 0, s->limit_tiles);
    speed_cell(int8, sizeof int8, s->limit_int8 > 0 ? s->int8 : 0, s->limit_int8);
    if (!(s->limit_int8 > 0)) *int8 = 0;
    if (!*int8 && !(s->limit_tiles > 0)) *tiles = 0;
    cli_row(4, "%-10s %-3s %-12s %8.1f %4.0f%% %14s %15s  %-10s%s%14s%s%14s", s->type, s->kernel, s->isa,
            s->memory * 1e-9, 100 * s->memory / s->limit_memory, cache, prompt, s->multiply > 0 ? s->multiply_isa : "",
            *tiles ? " " : "", tiles, *int8 ? " " : "", int8);
    fflush(stdout);
    return 0;
}

static int all_kernels(cli *c)
{
    if (c->n_args) return cli_usage(c, "--kernels takes no model");
    kernels k = { c, json_array() };
    if (!c->json) {
        cli_say(0, "%s, %u threads; weights with one token (GB/s from memory and from the cores' caches, share of what "
                "they read at best) and with a prompt (billions of multiplications per second, share of what registers "
                "give; at last in the arithmetics bf16, where there are tiles, and int8)\n",
                precis_ctx_cpu(c->ctx), precis_ctx_threads(c->ctx));
        cli_row(4, "%-10s %-3s %-12s %14s %14s %15s  %-10s %14s %14s", "type", "", "level", "memory", "cache", "prompt",
                "level", "bf16", "int8");
    }
    const precis_status st = precis_bench_kernels(c->ctx, print_kernel, &k);
    if (!st && c->json)
        return cli_print_json(c, json_pack("{s:s, s:i, s:o}", "cpu", precis_ctx_cpu(c->ctx), "threads",
                                           (int)precis_ctx_threads(c->ctx), "kernels", k.list));
    json_decref(k.list);
    return st ? cli_fail(c, st) : cli_done(c);
}

static int cost_table(cli *c, const char *path)
{
    precis_model *m = NULL;
    precis_costs *costs = NULL;
    precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    if (!st) st = precis_out_check(c->ctx, path, m);
    if (!st) st = precis_costs_make(c->ctx, &costs, m);
    if (!st) st = precis_costs_save(c->ctx, costs, path);
    int rc = st ? cli_fail(c, st) : EXIT_DONE;
    if (!st) {
        precis_costs_info i = { .size = sizeof i };
        precis_costs_get_info(costs, &i);
        if (c->json)
            rc = cli_print_json(c, json_pack("{s:s, s:I, s:s, s:i, s:f, s:f, s:s}", "out", path, "rows",
                                             (json_int_t)i.rows, "cpu", i.cpu, "threads", (int)i.threads, "overhead",
                                             i.overhead, "read_bytes_s", i.read_bytes_s, "below", i.below));
        else {
            char b[32];
            cli_say(0, "%s: %zu types and shapes, %s, %u threads; %.3f ms of a token are beside its weights; memory "
                    "was read at %s/s", path, i.rows, i.cpu, i.threads, 1000 * i.overhead,
                    cli_bytes(i.read_bytes_s, b));
            if (*i.below)
                cli_say(0, "prompts of %s take the level below %s, which was slower for them; the table keeps that",
                        i.below, i.cpu);
            rc = cli_done(c);
        }
    }
    precis_costs_close(&costs);
    precis_model_close(&m);
    return rc;
}

static json_t *scaling(const precis_bench_result *r)
{
    json_t *list = json_array();
    for (int i = 0; i < PRECIS_SCALINGS; i++)
        json_array_append_new(list, json_pack("{s:i, s:f, s:f}", "threads", (int)r->scaling[i].threads, "strips",
                                              r->scaling[i].strips, "share", r->scaling[i].share));
    return json_pack("{s:i, s:f, s:i, s:o}", "barriers", (int)r->barriers, "barrier_s", r->barrier_s, "barrier_threads",
                     (int)r->barrier_threads, "threads", list);
}

static void print_scaling(const precis_bench_result *r)
{
    if (!(r->barrier_s > 0)) {
        if (r->barrier_threads > 1)
            cli_say(2, "more threads: not estimated, since other processes have the processors");
        return;
    }
    char line[512];
    size_t used = 0;
    for (int i = 0; i < PRECIS_SCALINGS && used < sizeof line; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%.0f %% with %u threads", i ? ", " : "",
                                 100 * r->scaling[i].share, r->scaling[i].threads);
    cli_say(2, "more threads (estimated): a generated token would reach this share of what memory gives: %s. The rest "
            "is waiting: work that does not divide evenly, and %u times a token at which all threads wait for each "
            "other (%.1f microseconds each)", line, r->barriers, r->barrier_s * 1e6);
}

static bool get_bench_options(cli *c, precis_bench_options *o)
{
    int64_t prompt, gen, sequences;
    if (!cli_int(c, "--prompt", 512, 1, 1 << 20, &prompt) || !cli_int(c, "--gen", 64, 1, 1 << 20, &gen)) return false;
    if (!cli_int(c, "--sequences", 1, 1, 256, &sequences)) return false;
    o->prompt = (uint32_t)prompt;
    o->generate = (uint32_t)gen;
    o->sequences = (uint32_t)sequences;
    if (!cli_arithmetic(c, PRECIS_OWN, &o->arithmetic)) return false;
    o->k_type = cli_get(c, "--cache-k");
    o->v_type = cli_get(c, "--cache-v");
    return cli_pack(c, PRECIS_PACK_LOAD, &o->pack);
}

/* All runs: r is the one of median decode. */
typedef struct { int n; double prefill[64], decode[64]; bench_parts *parts; } repeats;

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Of an even number of runs, what lies between the two in the middle. */
static double middle(const double *sorted, int n) { return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2; }

static precis_status bench_all(cli *c, const char *path, const precis_bench_options *o, precis_bench_result *r,
                               repeats *all)
{
    precis_bench_result one = { .size = sizeof one };
    precis_bench_result *runs = cli_alloc((size_t)all->n, sizeof *runs);
    precis_status st = runs ? PRECIS_OK : PRECIS_ENOMEM;
    for (int i = 0; i < all->n && !st; i++) {
        if (all->parts) bench_parts_again(all->parts);
        if (!(st = precis_bench(c->ctx, path, o, &one))) runs[i] = one;
        all->prefill[i] = one.prefill_tok_s;
        all->decode[i] = one.decode_tok_s;
    }
    qsort(all->prefill, (size_t)all->n, sizeof *all->prefill, ascending);
    qsort(all->decode, (size_t)all->n, sizeof *all->decode, ascending);
    for (int i = 0; i < all->n && !st; i++)
        if (runs[i].decode_tok_s == all->decode[all->n / 2]) *r = runs[i];
    if (!st) r->prefill_tok_s = middle(all->prefill, all->n);
    if (!st) r->decode_tok_s = middle(all->decode, all->n);
    if (!st) r->rss_bytes = runs[0].rss_bytes; /* of the others, what measured the machine's limits is a part */
    free(runs);
    return st;
}

static int bench_json(cli *c, const precis_bench_result *r, const repeats *runs)
{
    json_t *all = json_pack("{s:f, s:f, s:f, s:I}", "load_ms", r->load_ms, "prefill_tok_s", r->prefill_tok_s,
                            "decode_tok_s", r->decode_tok_s, "rss_bytes", (json_int_t)r->rss_bytes);
    json_object_set_new(all, "limit",
                        json_pack("{s:f, s:f, s:f, s:f, s:f}", "prefill_tok_s", r->limit_prefill_tok_s, "decode_tok_s",
                                  r->limit_decode_tok_s, "l2_bytes_s", r->l2_bytes_s, "l3_bytes_s", r->l3_bytes_s,
                                  "memory_bytes_s", r->memory_bytes_s));
    json_t *more = json_pack("{s:f, s:f, s:f, s:I, s:I, s:s, s:i}", "read_bytes_s", r->read_bytes_s, "multiply_s",
                             r->multiply_s, "fma_s", r->fma_s, "weight_bytes", (json_int_t)r->weight_bytes, "kv_bytes",
                             (json_int_t)r->kv_bytes, "cpu", precis_ctx_cpu(c->ctx), "threads",
                             (int)precis_ctx_threads(c->ctx));
    json_object_update(all, more);
    json_decref(more);
    json_object_set_new(all, "arithmetic", json_string(precis_arithmetic_name(r->arithmetic)));
    json_object_set_new(all, "scaling", scaling(r));
    json_object_set_new(all, "model", json_string(c->args[0]));
    json_object_set_new(all, "repeat",
                        json_pack("{s:i, s:[f, f], s:[f, f]}", "n", runs->n, "prefill_tok_s", runs->prefill[0],
                                  runs->prefill[runs->n - 1], "decode_tok_s", runs->decode[0],
                                  runs->decode[runs->n - 1]));
    if (cli_has(c, "--energy")) {
        json_t *joules = json_pack("{s:f, s:f}", "prefill_j", r->prefill_j, "decode_j", r->decode_j);
        if (!isfinite(r->decode_j)) {
            json_decref(joules);
            joules = json_null();
        }
        json_object_set_new(all, "energy", joules);
    }
    if (runs->parts) json_object_set_new(all, "nodes", bench_parts_json(runs->parts));
    return cli_print_json(c, all);
}

static void print_energy(const precis_bench_result *r)
{
    cli_say(11, "%-10s %10.3f J a token of the prompt, %.3f J a generated one (processor and, where it counts them, "
            "memory of the package)", "energy", r->prefill_j, r->decode_j);
}

static void print_limits(const precis_bench_result *r, const char *multiplied)
{
    const struct { const char *name; double speed; } tiers[] = {
        { "L2", r->l2_bytes_s }, { "L3", r->l3_bytes_s }, { "memory", r->memory_bytes_s }
    };
    char line[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < 3; i++)
        if (tiers[i].speed > 0)
            used += (size_t)snprintf(line + used, sizeof line - used, "%s %.1f GB/s, ", tiers[i].name,
                                     tiers[i].speed * 1e-9);
    cli_say(2, "\nlimits: reading %sweights here %.1f; multiplying %s %.0f, f32 %.0f billion/s", line,
            r->read_bytes_s * 1e-9, multiplied, r->multiply_s * 1e-9, r->fma_s * 1e-9);
    print_scaling(r);
}

static int bench_text(cli *c, const precis_bench_result *r, const precis_bench_options *o, const repeats *runs)
{
    char a[32], b[32], kv[32];
    if (cli_has(c, "--energy") && !isfinite(r->decode_j))
        fprintf(stderr, "note: no joules: the RAPL counters (/sys/class/powercap/intel-rapl:*/energy_uj) are not there "
                        "or not readable; virtual machines have none, and on others root reads them\n");
    cli_row(2, "%s, %u threads, arithmetic: %s", precis_ctx_cpu(c->ctx), precis_ctx_threads(c->ctx),
            precis_arithmetic_name(r->arithmetic));
    putchar('\n');
    printf("%-10s %10.1f ms\n", "load", r->load_ms);
    cli_say(11, "%-10s %10.1f tokens/s, %3.0f%% of this machine's limit of %.0f (its multiplications, attention's too, "
            "in registers)", "prefill", r->prefill_tok_s, 100 * r->prefill_tok_s / r->limit_prefill_tok_s,
            r->limit_prefill_tok_s);
    cli_say(11, "%-10s %10.1f tokens/s, %3.0f%% of this machine's limit of %.0f (reading %s of weights and %s of cache "
            "at %s/s%s)", "decode", r->decode_tok_s, 100 * r->decode_tok_s / r->limit_decode_tok_s,
            r->limit_decode_tok_s, cli_bytes((double)r->weight_bytes, a), cli_bytes((double)r->kv_bytes, kv),
            cli_bytes(r->read_bytes_s, b), o->sequences > 1 ? " for all sequences, or their multiplications" : "");
    if (runs->n > 1)
        cli_say(11, "%-10s medians of %d runs; prefill %.1f to %.1f, decode %.1f to %.1f tokens/s", "repeat", runs->n,
                runs->prefill[0], runs->prefill[runs->n - 1], runs->decode[0], runs->decode[runs->n - 1]);
    if (cli_has(c, "--energy") && isfinite(r->decode_j)) print_energy(r);
    printf("%-10s %10s\n", "memory", cli_bytes((double)r->rss_bytes, a));
    print_limits(r, r->arithmetic == PRECIS_BF16 || r->arithmetic == PRECIS_MIXED ? "bf16" : "int8");
    if (runs->parts) bench_parts_print(runs->parts, r);
    return cli_done(c);
}

/* ---- the page --------------------------------------------------------------------------------------------------- */

typedef struct {
    const cli *c;
    const precis_bench_result *r;
    const repeats *runs;
    const precis_bench_options *o;
} bench_page;

/* Every run as a point, and the limit as a line above them. */
static void put_speeds(chart *figure, const chart_labels *labels, const double *speeds, int n, double limit)
{
    chart_open(figure, labels);
    chart_series *s = chart_add(figure, "measured", true), *top = chart_add(figure, "limit of this machine", false);
    for (int i = 0; s && i < n; i++) chart_put(s, i + 1, speeds[i]);
    chart_put(top, 0.5, limit);
    chart_put(top, n + 0.5, limit);
    figure->low_y = 0;
}

static void fill_page(FILE *f, void *user)
{
    const bench_page *x = user;
    const precis_bench_result *r = x->r;
    chart figures[3];
    char values[6][64];
    page_begin(f, "Speed beside the limit");
    page_paragraph(f, "%s, %s, %u threads, arithmetic: %s. Prompt of %u tokens, %u generated.", x->c->args[0],
                   precis_ctx_cpu(x->c->ctx), precis_ctx_threads(x->c->ctx),
                   precis_arithmetic_name(x->r->arithmetic), x->o->prompt, x->o->generate);
    put_speeds(&figures[0], &(chart_labels){ "prefill", "Prompt (prefill)", "run, slowest first", "tokens per second",
               .whole_x = true }, x->runs->prefill, x->runs->n, r->limit_prefill_tok_s);
    put_speeds(&figures[1], &(chart_labels){ "decode", "Generated tokens (decode)", "run, slowest first",
               "tokens per second", .whole_x = true }, x->runs->decode, x->runs->n, r->limit_decode_tok_s);
    snprintf(figures[0].note, sizeof figures[0].note, "The limit is the prompt's multiplications in registers.");
    snprintf(figures[1].note, sizeof figures[1].note, "The limit is reading the weights and the cache once a token.");
    int n = 2;
    if (r->barrier_s > 0) {
        chart_open(&figures[n], &(chart_labels){ "threads", "More threads (estimated)", "threads",
                   "share of what memory gives", .log_x = true, .whole_x = true });
        chart_series *s = chart_add(&figures[n], "a generated token", false),
                     *even = chart_add(&figures[n], "if nothing waited", false);
        for (int i = 0; i < PRECIS_SCALINGS; i++) {
            chart_put(s, r->scaling[i].threads, r->scaling[i].share);
            chart_put(even, r->scaling[i].threads, r->scaling[i].strips);
        }
        figures[n].low_y = 0;
        snprintf(figures[n].note, sizeof figures[n].note, "What is lost to work that does not divide evenly, and to "
                 "%u places a token at which all threads wait for each other.", r->barriers);
        n++;
    }
    page_figures(f, figures, n);
    snprintf(values[0], 64, "%.1f tokens/s (%.0f %% of the limit)", r->prefill_tok_s,
             100 * r->prefill_tok_s / r->limit_prefill_tok_s);
    snprintf(values[1], 64, "%.1f tokens/s (%.0f %% of the limit)", r->decode_tok_s,
             100 * r->decode_tok_s / r->limit_decode_tok_s);
    snprintf(values[2], 64, "%.1f ms", r->load_ms);
    cli_bytes((double)r->rss_bytes, values[3]);
    cli_bytes((double)r->weight_bytes, values[4]);
    const char *const rows[][2] = { { "prefill", values[0] }, { "decode", values[1] }, { "load", values[2] },
                                    { "memory", values[3] }, { "weights read for a token", values[4] } };
    page_table(f, rows, sizeof rows / sizeof *rows);
    page_end(f);
    for (int i = 0; i < n; i++) chart_close(&figures[i]);
}

static int show(cli *c, const precis_bench_result *r, const precis_bench_options *o, const repeats *runs)
{
    const char *html = cli_get(c, "--html");
    const int page = html ? page_write(c, html, fill_page, &(bench_page){ c, r, runs, o }) : -1;
    if (page >= 0) return page;
    return c->json ? bench_json(c, r, runs) : bench_text(c, r, o, runs);
}

static int run(cli *c)
{
    if (cli_has(c, "--kernels")) return all_kernels(c);
    if (!c->n_args) return cli_usage(c, "which model? precis bench MODEL, or precis bench --kernels");
    if (precis_net_probe(c->ctx, c->args[0])) return cli_net_bench(c);
    if (cli_has(c, "--cost-table")) return cost_table(c, cli_get(c, "--cost-table"));
    precis_bench_options o = PRECIS_BENCH_OPTIONS_INIT;
    int64_t repeat;
    if (!get_bench_options(c, &o) || !cli_int(c, "--repeat", 1, 1, 64, &repeat)) return EXIT_USAGE;
    repeats runs = { .n = (int)repeat };
    precis_bench_result r = { .size = sizeof r };
    char path[4096];
    snprintf(path, sizeof path, "%s", c->args[0]);
    precis_status st = cli_packs_into_cache(c) ? cli_packed_copy(c, c->args[0], path, sizeof path) : PRECIS_OK;
    if (cli_has(c, "--nodes")) {
        o.part = bench_parts_take;
        o.user = runs.parts = bench_parts_open();
        if (!st && !runs.parts) st = PRECIS_ENOMEM;
    }
    if (!st) st = bench_all(c, path, &o, &r, &runs);
    const int rc = st ? cli_fail(c, st) : show(c, &r, &o, &runs);
    bench_parts_close(runs.parts);
    return rc;
}

const cli_command cli_bench = {
    "bench", "MODEL", "load time, prefill, decode and memory, beside the limit of this machine",
    "The limits are measured in the same run: the speed at which all threads "
    "read the file's pages, or memory in large pages\n"
    "where that is faster, and the speed at which they multiply in registers "
    "(int8 for quantized weights, f32 for others and for\n"
    "attention) at the instruction set in use. A generated token reads the "
    "weights once, and its context's keys and values.",
    0, 1, options, run,
    "  precis bench model.gguf --prompt 512 --gen 64\n"
    "  PRECIS_CPU=avx2 precis bench model.gguf --threads 1 --json\n",
    NULL
};
