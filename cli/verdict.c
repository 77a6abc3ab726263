/* verdict.c - what came of a job, for who does not read tables: how much smaller, at what loss (in words, with the
 * figures and the scale), what reads the file, what to do next. And whether a file's name says what will be in it. */
#include "term.h"

#include <string.h>

/* Mean KL divergence in nats per token, and what it is called. The steps lie between what llama.cpp's usual types lose
 * on models of 0.1 to 8 billion weights: Q8_0 below the first, Q6_K and Q5_K_M below the second, Q4_K_M below the
 * third, Q3_K below the fourth. */
static const struct { double below; const char *words; cli_ink ink; } scale[] = {
    { 0.003, "no loss that shows", CLI_GOOD },     { 0.02, "a loss that nobody notices", CLI_GOOD },
    { 0.1, "a small loss", CLI_GOOD },             { 0.3, "a loss that shows", CLI_CARE },
    { 1e300, "a heavy loss", CLI_BAD },
};
static const char scale_text[] = "scale: KL divergence below 0.003 none that shows, 0.02 nobody notices, 0.1 small, "
                                 "0.3 shows, above heavy";

static size_t step_of(double kld)
{
    size_t i = 0;
    while (kld >= scale[i].below) i++;
    return i;
}

static double share_of(const cli_verdict *v)
{
    return v->before ? (double)v->job->bytes / (double)v->before : 1;
}

/* Who reads the file: GGUF's own types are everybody's. */
static size_t own_types(const precis_plan *plan, const char **name)
{
    size_t n = 0;
    for (size_t i = 0; i < precis_plan_size(plan); i++) {
        precis_plan_row r = { .size = sizeof r };
        precis_format_info f = { .size = sizeof f };
        precis_plan_get(plan, i, &r);
        if (precis_format_find(r.to, &f) || f.portable) continue;
        if (!n++) *name = r.to;
    }
    return n;
}

static bool only_precis(const cli_verdict *v, const char **why)
{
    *why = NULL;
    if (v->packed) *why = "its matrices are in the order of the kernels";
    else if (own_types(v->job->plan, why)) return true;
    else if (v->method && strstr(v->method, "svd")) *why = "its residuals are beside the weights";
    return *why != NULL;
}

/* Parts of a hundred that say something where there are few of them. */
static const char *percent(double part, char text[32])
{
    snprintf(text, 32, part < 0.1 ? "%.1f" : "%.0f", 100 * part);
    return text;
}

/* Larger by less than is told is no larger: it is as large, and saves as little. */
static bool is_larger(const cli_verdict *v) { return share_of(v) > 1.0005; }

static void print_size(const cli_verdict *v)
{
    char a[32], b[32], c[32];
    const double part = share_of(v);
    const precis_job *job = v->job;
    cli_bytes((double)v->before, a);
    cli_bytes((double)job->bytes, b);
    printf("%s", cli_color(is_larger(v) ? CLI_BAD : CLI_BOLD));
    if (is_larger(v))
        cli_say(0, "LARGER by %s %% than the input (%s, from %s): this file saves nothing%s", percent(part - 1, c), b,
                a, job->evaluated && job->eval.kld_mean > 1e-4 ? " and loses something" : "");
    else if (part > 0.995) cli_say(0, "As large as the input (%s): this file saves nothing", b);
    else cli_say(0, "Smaller by %s %%: %s, from %s", percent(1 - part, c), b, a);
    printf("%s", cli_color(CLI_PLAIN));
}

/* Does precis know the net? Others may know one that it does not, but none a file that does not say which it is. */
static bool is_run(const cli_verdict *v)
{
    const char *known;
    for (size_t i = 0; (known = precis_list("architectures", i)); i++)
        if (!strcmp(known, v->architecture)) return true;
    return false;
}

static void print_loss(const cli_verdict *v, const char *out)
{
    const precis_eval_result *e = &v->job->eval;
    char quoted[CLI_QUOTED];
    if (!v->job->evaluated && !is_run(v)) {
        cli_say(2, "Loss: not measured, since precis cannot run the model");
        return;
    }
    if (!v->job->evaluated && v->reads) {
        cli_say(2, "Loss: not measured; precis eval %s --against %s does it", out, cli_quoted(v->input, quoted));
        return;
    }
    if (!v->job->evaluated) {
        cli_say(2, "Loss: not measured, since the model %s",
                v->tokenizes ? "is an encoder, which tells no next tokens; precis eval --sts compares it"
                             : "has no tokenizer; precis eval --ids needs none");
        return;
    }
    const size_t step = step_of(e->kld_mean);
    printf("%s", cli_color(scale[step].ink));
    cli_say(2, "At %s: %.5f +- %.5f nats per token, perplexity %+.1f %%, the same next token in %.1f %% of places",
            scale[step].words, e->kld_mean, e->kld_se, 100 * (e->ppl / e->ref_ppl - 1), 100 * e->top1);
    printf("%s", cli_color(CLI_PLAIN));
    cli_say(4, "  (%s)", scale_text);
}

void cli_verdict_print(const cli_verdict *v)
{
    const char *why;
    char quoted[CLI_QUOTED], input[CLI_QUOTED];
    const char *const out = cli_quoted(v->out ? v->out : "OUT", quoted); /* in commands, to be copied */
    putchar('\n');
    print_size(v);
    if (v->out) print_loss(v, out);
    if (only_precis(v, &why))
        cli_say(2, "Read by: only precis (%s)%s", why,
                v->packed ? "" : "; precis convert FILE -o FOLDER --format safetensors writes a folder for vLLM where "
                                 "its scheme is known there");
    else if (!*v->architecture)
        cli_say(2, "Read by: precis inspect and convert alone: the input does not say which architecture it is "
                "(config.json beside it would), without which nothing runs it");
    else if (!is_run(v))
        cli_say(2, "Read by: llama.cpp and others that read GGUF, if they know %.40s, which precis does not run",
                v->architecture);
    else cli_say(2, "Read by: llama.cpp, Ollama and others that read GGUF, and precis");
    if (!v->out) {
        cli_say(2, "dry run: nothing was written; -o FILE writes it");
        return;
    }
    if (share_of(v) > 0.995)
        cli_say(2, "Next: keep the input, or give a budget: precis quant %s --max-size 75%% -o %s",
                cli_quoted(v->input, input), out);
    else if (v->job->evaluated && step_of(v->job->eval.kld_mean) > 2)
        cli_say(2, "Next: a larger budget loses less; precis run %s shows how it talks", out);
    else if (is_run(v) && !v->reads && v->tokenizes) cli_say(2, "Next: precis run %s --embed -p 'A sentence.'", out);
    else cli_say(2, "Next: precis %s %s", is_run(v) && v->tokenizes ? "run" : "inspect", out);
    cli_say(2, "wrote %s, and %s.manifest.json, from which --replay makes it again", v->out, v->out);
}

json_t *cli_verdict_json(const cli_verdict *v)
{
    const char *why;
    const precis_job *job = v->job;
    const bool own = only_precis(v, &why);
    json_t *o = json_pack("{s:f, s:b, s:s}", "part_of_input", share_of(v), "larger", share_of(v) > 1, "read_by",
                          own || !*v->architecture ? "precis" : "gguf");
    const char *words = job->evaluated ? scale[step_of(job->eval.kld_mean)].words : NULL;
    json_object_set_new(o, "loss", words ? json_string(words) : json_null());
    return o;
}

int cli_verdict_name(const cli *c, const char *out, const precis_plan *plan, bool packed)
{
    static const struct { const char *end, *help; } others[] = {
        { ".safetensors", "; precis convert OUT.gguf -o FOLDER --format safetensors makes that of it" },
        { ".onnx", "; nets of arrays become ONNX, language models do not" },
        { ".json", "; the manifest is written beside it" },
    };
    const char *own = NULL, *help = "";
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (cli_ends(out, others[i].end)) help = others[i].help;
    if (precis_out_named(c->ctx, out, "gguf"))
        return cli_usage(c, "-o %s%s", precis_ctx_message(c->ctx), help);
    if (!cli_ends(out, ".gguf") || cli_ends(out, ".precis.gguf") || cli_ends(out, ".packed.gguf")) return -1;
    const int stem = (int)strlen(out) - 5;
    if (packed)
        return cli_usage(c, "-o %s: only precis reads matrices in the order of its kernels; name it %.*s.packed.gguf",
                         out, stem, out);
    const size_t n = plan ? own_types(plan, &own) : 0;
    if (n)
        return cli_usage(c, "-o %s: only precis reads %s (%zu tensors), and others would refuse the file; name it "
                         "%.*s.precis.gguf, or take a type of GGUF (precis list formats)", out, own, n, stem, out);
    return -1;
}
