/* precis law advise - all laws that speak of a model, side by side: they disagree, and that is shown. */
#include "law.h"
#include "term.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { "--N", 0, "PARAMS", "parameters of the model in question: 8B" },
    { "--D", 0, "TOKENS", "tokens of its training: 15T" },
    { "--target-bits", 0, "BITS", "bits in which it will be served (default 4)" },
    { "--tokens-inference", 0, "TOKENS", "in the life of the model" },
    { "--formats", 0, "FILE",
      "formats of the hardware with costs: lines NAME BITS COST [EXPONENT MANTISSA] (default bf16 fp8 int8 fp4 int4, "
      "cost bits/16)" },
    { "--block", 0, "NUMBERS", "numbers that share a scale, for laws of it (default 128)" },
    { "--gpu-flops", 0, "FLOPS", "peak of one GPU at 16 bits: costs in GPU-hours" },
    { "--utilization", 0, "PART", "part of the peak that training reaches" },
    { "--gpu-hour-price", 0, "PRICE", "of one GPU-hour, in your currency: costs in money" },
    { "--gpu-power", 0, "WATTS", "of one GPU with its share of the host: energy" },
    { "--co2", 0, "KG_PER_KWH", "of your grid: CO2" },
    { "--tables", 0, NULL, "what each law says, before the recommendation" },
    { 0 },
};

typedef struct { const char *spec; const char *how; } speaker;
/* QAT: bits hold in training; post: after it. */
static const speaker speakers[] = {
    { "kumar", "low-precision training, per-tensor activations" },
    { "kumar:averaged", "the same, one mean gamma" },
    { "kumar-float", "weights only, floating point" },
    { "sun", "floating point, block scales" },
    { "quest", "QAT, weights and activations" },
    { "quest:weights", "QAT, weights only" },
    { "quartet", "MXFP4 forward" },
    { "chen", "QAT W4A4 in groups, on chinchilla" },
    { "frantar", "QAT, weights and activations" },
    { "frantar:weights", "QAT, weights only" },
};
static const speaker after[] = { { "kumar", "GPTQ, no offset b" },
                                 { "kumar:post-offset", "GPTQ, offset b = 1.1277" },
                                 { "ouyang", "GPTQ, power of the bits" } };
enum { SPEAKERS = sizeof speakers / sizeof *speakers, AFTER = sizeof after / sizeof *after, WIDTHS = 7 };
static const double widths[WIDTHS] = { 16, 8, 6, 4, 3, 2, 1 };

typedef struct {
    cli *c;
    double N, D, target, inference, block;
    law_formats formats;
    json_t *out;
    bool tables;     /* are printed */
    char line[1024]; /* of a table, so far */
} advice;

/* A part of a table; a line that is wider than the terminal is folded, its columns as words. */
static void put_part(advice *a, const char *fmt, ...)
{
    const size_t used = strlen(a->line);
    va_list ap;
    if (a->c->json || !a->tables) return;
    va_start(ap, fmt);
    vsnprintf(a->line + used, sizeof a->line - used, fmt, ap);
    va_end(ap);
    for (char *end; (end = strchr(a->line, '\n'));) {
        *end = 0;
        if ((int)strlen(a->line) <= cli_columns()) puts(a->line);
        else {
            char words[sizeof a->line];
            size_t n = 0;
            for (const char *p = a->line; *p; p++) /* columns stand two blanks apart */
                if (*p != ' ' || n < 2 || words[n - 1] != ' ' || words[n - 2] != ' ') words[n++] = *p;
            words[n] = 0;
            cli_fold(words, 0, 4);
            putchar('\n');
        }
        memmove(a->line, end + 1, strlen(end + 1) + 1);
    }
}

/* Is the model outside of where a law was fitted? *where: which variables, with their ranges. */
static bool is_outside(advice *a, const char *spec, char where[256])
{
    precis_law *law;
    precis_law_value v = { .size = sizeof v };
    *where = 0;
    if (precis_law_open(a->c->ctx, &law, spec)) return false;
    precis_law_point p;
    precis_law_point_init(&p);
    p.v[PRECIS_LAW_N] = a->N;
    p.v[PRECIS_LAW_D] = a->D;
    p.v[PRECIS_LAW_BLOCK] = a->block;
    const bool outside = !precis_law_predict(law, &p, &v) && v.outside;
    if (outside) snprintf(where, 256, "%s", v.where);
    precis_law_close(&law);
    return outside;
}

/* "kumar*": the mark says that the model is outside of its range. */
static const char *marked(advice *a, const char *spec, char text[48])
{
    char where[256];
    snprintf(text, 48, "%s%s", spec, is_outside(a, spec, where) ? "*" : "");
    return text;
}

static void put_bits(const advice *a, precis_law_point *p, double bits)
{
    p->v[PRECIS_LAW_BITS_W] = p->v[PRECIS_LAW_BITS_A] = p->v[PRECIS_LAW_BITS_KV] = bits;
    p->v[PRECIS_LAW_BLOCK] = a->block;
    /* The splits that Sun et al. find best. */
    const double e = bits >= 16 ? 8 : bits >= 8 ? 4 : bits >= 6 ? 3 : bits >= 4 ? 2 : 1;
    p->v[PRECIS_LAW_EXPONENT] = e;
    p->v[PRECIS_LAW_MANTISSA] = bits - 1 - e;
}

static precis_law_point at(const advice *a, double N, double D)
{
    precis_law_point p;
    precis_law_point_init(&p);
    p.v[PRECIS_LAW_N] = N;
    p.v[PRECIS_LAW_D] = D;
    p.v[PRECIS_LAW_BLOCK] = a->block;
    return p;
}

/* Part of the parameters that a law leaves at these bits; NAN: it does not say. */
static double effective(advice *a, const char *spec, double bits)
{
    precis_law *law, *base = NULL;
    double v = NAN, added;
    if (precis_law_open(a->c->ctx, &law, spec)) return NAN;
    precis_law_point p = at(a, a->N, a->D);
    put_bits(a, &p, bits);
    precis_law_value value = { .size = sizeof value };
    if (!strcmp(spec, "chen")) {
        if (bits == 4 && !precis_law_output(law, "delta_loss", &p, &added) &&
            !precis_law_open(a->c->ctx, &base, "chinchilla") && precis_law_multiplier(base, a->N, a->D, added, &v))
            v = NAN;
        if (bits == 16) v = 1;
    } else if (!precis_law_predict(law, &p, &value)) v = value.n_eff / a->N;
    else if (precis_law_output(law, "n_eff", &p, &v)) v = NAN;
    else v /= a->N;
    /* 16 bits are the unit (Kumar's f(16) is 0.994) */
    if (bits == 16 && !isnan(value.loss16) && value.loss == value.loss16) v = 1;
    precis_law_close(&base);
    precis_law_close(&law);
    return v;
}

static void print_cell(advice *a, double v, const char *fmt)
{
    if (a->c->json) return;
    if (isnan(v)) put_part(a, "%10s", "-");
    else put_part(a, fmt, v);
}

static void effective_table(advice *a)
{
    double low[WIDTHS], high[WIDTHS];
    json_t *rows = json_array(), *spread = json_object();
    for (int w = 0; w < WIDTHS; w++) low[w] = INFINITY, high[w] = -INFINITY;
    put_part(a, "\nPart of the parameters that training in P bits leaves\n%-18s", "");
    for (int w = 0; w < WIDTHS; w++) print_cell(a, widths[w], "%8.0f b");
    put_part(a, "\n");
    for (int s = 0; s < SPEAKERS; s++) {
        char name[48];
        json_t *by = json_object();
        put_part(a, "%-18s", marked(a, speakers[s].spec, name));
        for (int w = 0; w < WIDTHS; w++) {
            const double v = effective(a, speakers[s].spec, widths[w]);
            char key[16];
            snprintf(key, sizeof key, "%g", widths[w]);
            print_cell(a, v, "%10.3f");
            if (isnan(v)) continue;
            json_object_set_new(by, key, json_real(v));
            low[w] = fmin(low[w], v), high[w] = fmax(high[w], v);
        }
        put_part(a, "   %s\n", speakers[s].how);
        json_array_append_new(rows, json_pack("{s:s, s:s, s:o}", "law", speakers[s].spec, "assumes", speakers[s].how,
                                              "n_eff", by));
    }
    put_part(a, "%-18s", "spread of laws");
    for (int w = 0; w < WIDTHS; w++) {
        char cell[32], key[16];
        snprintf(cell, sizeof cell, "%.2f-%.2f", low[w], high[w]);
        snprintf(key, sizeof key, "%g", widths[w]);
        put_part(a, "%10s", low[w] <= high[w] ? cell : "-");
        if (low[w] <= high[w]) json_object_set_new(spread, key, json_pack("[f, f]", low[w], high[w]));
    }
    put_part(a, "   no confidence interval\n");
    json_object_set_new(a->out, "effective", rows);
    json_object_set_new(a->out, "effective_spread", spread);
}

/* The best format of training for the compute of this model. */
static void best_table(advice *a)
{
    static const char *const laws[] = { "kumar", "kumar:averaged", "sun", "quest", "quartet" };
    json_t *rows = json_array();
    double low = INFINITY, high = 0;
    put_part(a, "\nBest bits to train in, for the compute of this model (6 N D%s), N and D free\n%-18s %-8s %10s %10s "
               "%10s %12s %12s\n",
               a->inference > 0 ? " + 2 N D_inference" : "", "", "format", "N", "D", "loss", "over bf16", "any bits");
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        precis_law *law;
        precis_law_choice c[64], any[1];
        size_t n = 64, one = 1;
        precis_law_budget b = PRECIS_LAW_BUDGET_INIT;
        if (precis_law_open(a->c->ctx, &law, laws[i])) continue;
        b.point = at(a, NAN, NAN);
        b.compute = 6 * a->N * a->D + 2 * a->N * a->inference;
        b.inference_tokens = a->inference;
        if (a->formats.given) b.formats = a->formats.list, b.n_formats = a->formats.n;
        const int failed = precis_law_optimal(law, &b, c, &n) != PRECIS_OK;
        b.continuous = 1;
        const double bits = strcmp(laws[i], "kumar") && strcmp(laws[i], "kumar:averaged") ? NAN
                            : precis_law_optimal(law, &b, any, &one)                      ? NAN
                                                                                          : any[0].bits;
        precis_law_close(&law);
        if (failed) continue;
        double usual = NAN;
        for (size_t k = 0; k < n; k++)
            if (c[k].bits == 16) usual = c[k].loss;
        low = fmin(low, isnan(bits) ? c[0].bits : bits), high = fmax(high, isnan(bits) ? c[0].bits : bits);
        json_array_append_new(rows,
                              json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:o, s:o}", "law", laws[i], "format",
                                        c[0].format, "bits", c[0].bits, "N", c[0].N, "D", c[0].D, "loss", c[0].loss,
                                        "over_bf16", law_real(c[0].loss - usual), "continuous_bits", law_real(bits)));
        char x[32], y[32], name[48];
        if (!a->c->json) {
            put_part(a, "%-18s %-8s %10s %10s %10.4f %12.4f", marked(a, laws[i], name), c[0].format,
                     law_human(c[0].N, x),
                   law_human(c[0].D, y), c[0].loss, c[0].loss - usual);
            print_cell(a, bits, "%12.2f");
            put_part(a, "\n");
        }
    }
    put_part(a, "The laws disagree: %.3g to %.3g bits. Kumar's runs had per-tensor absmax activations, QuEST's a "
               "Hadamard transform, Quartet's MXFP4 blocks.\n",
               low, high);
    json_object_set_new(a->out, "training", rows);
    json_object_set_new(a->out, "training_bits_spread", json_pack("[o, o]", law_real(low), law_real(high)));
}

static void after_table(advice *a)
{
    static const double bits[] = { 8, 6, 4, 3, 2 };
    json_t *rows = json_array();
    put_part(a, "\nLoss that quantization after training adds (nats), and D_crit: the tokens beyond which more of them "
               "make the quantized model worse\n%-18s %10s %10s %10s %10s %10s %14s\n",
               "", "8 b", "6 b", "4 b", "3 b", "2 b", "D_crit at 4 b");
    for (int s = 0; s < AFTER; s++) {
        precis_law *law;
        if (precis_law_open(a->c->ctx, &law, after[s].spec)) continue;
        json_t *by = json_object(), *critical = json_object();
        double at4 = NAN;
        char name[48];
        put_part(a, "%-18s", marked(a, after[s].spec, name));
        for (size_t k = 0; k < 5; k++) {
            precis_law_point p = at(a, a->N, a->D);
            double v, D;
            char key[16];
            p.v[PRECIS_LAW_BITS_POST] = bits[k];
            snprintf(key, sizeof key, "%g", bits[k]);
            if (!precis_law_output(law, "ptq", &p, &v)) json_object_set_new(by, key, json_real(v));
            else v = NAN;
            if (!precis_law_critical(law, &p, 0, &D)) json_object_set_new(critical, key, json_real(D));
            else D = NAN;
            if (bits[k] == 4) at4 = D;
            print_cell(a, v, " %10.4g");
        }
        char x[32];
        put_part(a, " %14s   %s\n", isnan(at4) ? "none" : law_human(at4, x), after[s].how);
        json_array_append_new(rows, json_pack("{s:s, s:s, s:o, s:o}", "law", after[s].spec, "assumes", after[s].how,
                                              "added", by, "critical_tokens", critical));
        precis_law_close(&law);
    }
    put_part(a, "Contested: arXiv 2510.06213 finds the error driven by the decay of the learning rate, largely "
               "independent of the amount of data.\n");
    json_object_set_new(a->out, "after", rows);
    json_object_set_new(a->out, "caveat",
                        json_string("that quantization error grows with the tokens is contested: arXiv 2510.06213 "
                                    "finds it driven by the decay of the learning rate"));
}

static double loss_of(advice *a, precis_law *law, double N, double D, double train, double post)
{
    precis_law_point p = at(a, N, D);
    precis_law_value v = { .size = sizeof v };
    put_bits(a, &p, train);
    p.v[PRECIS_LAW_BITS_POST] = post;
    return precis_law_predict(law, &p, &v) ? NAN : v.loss;
}

/* Question 1: at the same bytes when served and the same compute of training. */
static void smaller_or_larger(advice *a)
{
    static const char *const laws[] = { "kumar", "kumar:post-offset", "quest", "quartet", "ouyang" };
    const double k = a->target / 16;
    json_t *rows = json_array();
    char x[32], y[32], bytes[32];
    put_part(a, "\nA smaller model trained at its precision, or a larger one quantized? %s of weights when served, the "
               "same compute\n%-18s %22s %22s %22s   best\n",
               cli_bytes(a->N * a->target / 8, bytes), "", "train and serve 16 b", "train and serve target",
               "train 16 b, then quant");
    put_part(a, "%-18s %15s params %15s params %15s params\n", "", law_human(a->N * k, x), law_human(a->N, y), y);
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        precis_law *law;
        if (precis_law_open(a->c->ctx, &law, laws[i])) continue;
        const bool posts = strcmp(laws[i], "quest") && strcmp(laws[i], "quartet"),
                   trains = strcmp(laws[i], "ouyang") != 0;
        const double small = loss_of(a, law, a->N * k, a->D / k, 16, 16),
                     low = trains ? loss_of(a, law, a->N, a->D / k, a->target, 16) : NAN,
                     post = posts ? loss_of(a, law, a->N, a->D, 16, a->target) : NAN;
        const double best = fmin(isnan(small) ? INFINITY : small,
                                 fmin(isnan(low) ? INFINITY : low, isnan(post) ? INFINITY : post));
        const char *name = best == small  ? "the smaller in 16 bits"
                           : best == low  ? "the larger, trained at the target"
                           : best == post ? "the larger, quantized"
                                          : "unknown";
        if (!a->c->json) {
            put_part(a, "%-18s", laws[i]);
            for (int q = 0; q < 3; q++) {
                const double v = q == 0 ? small : q == 1 ? low : post;
                if (isnan(v)) put_part(a, " %22s", "-");
                else put_part(a, " %22.4f", v);
            }
            put_part(a, "   %s\n", name);
        }
        json_array_append_new(rows, json_pack("{s:s, s:o, s:o, s:o, s:s}", "law", laws[i], "smaller_16_bits",
                                              law_real(small), "larger_trained_at_target", law_real(low),
                                              "larger_quantized_after", law_real(post), "best", name));
        precis_law_close(&law);
    }
    json_object_set_new(a->out, "smaller_or_larger",
                        json_pack("{s:s, s:f, s:f, s:o}", "question",
                                  "train a smaller model from the outset at the target precision, or a larger one and "
                                  "quantize?",
                                  "bytes", a->N * a->target / 8, "target_bits", a->target, "laws", rows));
}

/* Question 2: tokens that make up for bits. */
static void data_or_bits(advice *a)
{
    static const char *const laws[] = { "kumar", "quest", "quartet", "sun" };
    json_t *rows = json_array();
    put_part(a, "\nHow much more data is worth against precision? Times the tokens for the loss of 16 bits, N fixed "
               "(and times the compute, cost linear in bits)\n%-18s %18s %18s\n",
               "", "8 b", "4 b");
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        precis_law *law;
        if (precis_law_open(a->c->ctx, &law, laws[i])) continue;
        json_t *by = json_object();
        put_part(a, "%-18s", laws[i]);
        const double aim = loss_of(a, law, a->N, a->D, 16, 16);
        for (int k = 0; k < 2; k++) {
            const double bits = k ? 4 : 8;
            precis_law_point p = at(a, a->N, a->D);
            double D = NAN;
            put_bits(a, &p, bits);
            const bool known = !isnan(loss_of(a, law, a->N, a->D, bits, 16));
            if (known && precis_law_isoloss(law, &p, aim, &a->N, 1, &D)) D = NAN;
            if (isnan(D)) put_part(a, " %18s", known ? "no amount" : "-");
            else put_part(a, " %8.3g (%6.3g)", D / a->D, D / a->D * bits / 16);
            if (known)
                json_object_set_new(by, k ? "4" : "8", isnan(D) ? json_string("no amount") : json_real(D / a->D));
        }
        put_part(a, "\n");
        json_array_append_new(rows, json_pack("{s:s, s:o}", "law", laws[i], "times_tokens", by));
        precis_law_close(&law);
    }
    json_object_set_new(a->out, "data_or_bits",
                        json_pack("{s:s, s:o}", "question", "how much more data is worth against precision?", "laws",
                                  rows));
}

static int costs(advice *a)
{
    double flops, part, price, watts, co2;
    if (!law_number(a->c, "--gpu-flops", 0, &flops) || !cli_number(a->c, "--utilization", 0, 1e-6, 1, &part) ||
        !cli_number(a->c, "--gpu-hour-price", 0, 0, 1e6, &price) ||
        !cli_number(a->c, "--gpu-power", 0, 0, 1e6, &watts) || !cli_number(a->c, "--co2", 0, 0, 100, &co2))
        return EXIT_USAGE;
    const double train = 6 * a->N * a->D, infer = 2 * a->N * a->inference, all = train + infer;
    json_t *o = json_pack("{s:f, s:f}", "train_flop", train, "inference_flop", infer);
    put_part(a, "\nCost at 16 bits: %.4g FLOP of training, %.4g of inference", train, infer);
    if ((flops > 0) != (part > 0))
        return json_decref(o),
               cli_usage(a->c, "--gpu-flops and --utilization go together: nothing is assumed of your machines");
    if ((price > 0 || watts > 0) && !(flops > 0))
        return json_decref(o), cli_usage(a->c, "money and energy need --gpu-flops and --utilization");
    if (co2 > 0 && !(watts > 0)) return json_decref(o), cli_usage(a->c, "--co2 needs --gpu-power");
    if (flops > 0) {
        const double hours = all / (flops * part) / 3600, kwh = hours * watts / 1000;
        json_object_set_new(o, "gpu_hours", json_real(hours));
        if (price > 0) json_object_set_new(o, "money", json_real(hours * price));
        if (watts > 0) json_object_set_new(o, "kwh", json_real(kwh));
        if (co2 > 0) json_object_set_new(o, "co2_kg", json_real(kwh * co2));
        put_part(a, "; %.4g GPU-hours", hours);
        if (price > 0) put_part(a, ", %.4g in money", hours * price);
        if (watts > 0) put_part(a, ", %.4g kWh", kwh);
        if (co2 > 0) put_part(a, ", %.4g kg of CO2", kwh * co2);
    } else put_part(a, "; GPU-hours, money, energy and CO2 need --gpu-flops, --utilization, --gpu-hour-price, "
                     "--gpu-power, "
               "--co2");
    put_part(a, "\n");
    json_object_set_new(a->out, "cost", o);
    return -1;
}

/* ---- the conclusion, from what the tables found --------------------------------------------------------------- */

static double median(double *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k && v[k] < v[k - 1]; k--) {
            const double x = v[k];
            v[k] = v[k - 1];
            v[k - 1] = x;
        }
    return n ? (n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2) : NAN;
}

/* The fewest bits in which a law's quantized model loses no more than 0.05 nats (5 % of the perplexity). NAN: none. */
static double serves_in(const json_t *row)
{
    static const double bits[] = { 2, 3, 4, 6, 8 };
    for (size_t k = 0; k < sizeof bits / sizeof *bits; k++) {
        char key[16];
        snprintf(key, sizeof key, "%g", bits[k]);
        const json_t *v = json_object_get(json_object_get(row, "added"), key);
        if (json_is_number(v) && json_number_value(v) <= 0.05) return bits[k];
    }
    return NAN;
}

/* What quantization to `bits` adds by the laws: from least to most. */
static void added_range(const json_t *after_rows, double bits, double range[2])
{
    char key[16];
    size_t i;
    json_t *row;
    snprintf(key, sizeof key, "%g", bits);
    range[0] = INFINITY, range[1] = -INFINITY;
    json_array_foreach(after_rows, i, row)
    {
        const json_t *v = json_object_get(json_object_get(row, "added"), key);
        if (!json_is_number(v)) continue;
        range[0] = fmin(range[0], json_number_value(v));
        range[1] = fmax(range[1], json_number_value(v));
    }
}

/* "kumar 7, sun 4": what each law says of the bits to train in; their values. */
static size_t training_bits(const advice *a, char *text, size_t cap, double *bits)
{
    size_t i, n = 0, used = 0;
    json_t *row;
    *text = 0;
    json_array_foreach(json_object_get(a->out, "training"), i, row)
    {
        const json_t *any = json_object_get(row, "continuous_bits");
        bits[n] = json_number_value(json_is_number(any) ? any : json_object_get(row, "bits"));
        if (used < cap)
            used += (size_t)snprintf(text + used, cap - used, "%s%s %.3g", n ? ", " : "",
                                     json_string_value(json_object_get(row, "law")), bits[n]);
        n++;
    }
    return n;
}

/* Laws of which the model is outside; the first one's range stands for what that means. */
static json_t *outside_of(advice *a, char *text, size_t cap)
{
    json_t *list = json_array();
    char where[256];
    size_t used = 0;
    *text = 0;
    for (int s = 0; s < SPEAKERS; s++) {
        if (!is_outside(a, speakers[s].spec, where)) continue;
        json_array_append_new(list, json_pack("{s:s, s:s}", "law", speakers[s].spec, "where", where));
        if (strchr(speakers[s].spec, ':')) continue; /* the same law with other constants */
        if (used < cap)
            used += (size_t)snprintf(text + used, cap - used, "%s%s (%s)", used ? "; " : "", speakers[s].spec, where);
    }
    return list;
}

/* "the laws say 4 to 7.64", "all laws say 6". */
static const char *range_of(const double *sorted, size_t n, char text[64])
{
    if (!n) snprintf(text, 64, "no law says");
    else if (sorted[0] == sorted[n - 1])
        snprintf(text, 64, n > 1 ? "all laws say %.3g" : "one law says %.3g", sorted[0]);
    else snprintf(text, 64, "the laws say %.3g to %.3g", sorted[0], sorted[n - 1]);
    return text;
}

static void conclude(advice *a)
{
    char laws[512], outside[1024], target[160] = "", trains[64], serves[64];
    double bits[16], serve[8], at_serve[2], at_target[2];
    const json_t *rows = json_object_get(a->out, "after");
    size_t i, n_serve = 0;
    json_t *row;
    const size_t n = training_bits(a, laws, sizeof laws, bits);
    const double train = median(bits, n), low = n ? bits[0] : NAN, high = n ? bits[n - 1] : NAN;
    json_array_foreach(rows, i, row)
    {
        const double b = serves_in(row);
        if (n_serve < 8) serve[n_serve++] = isnan(b) ? 16 : b;
    }
    const double s = median(serve, n_serve);
    json_t *beyond = outside_of(a, outside, sizeof outside);
    added_range(rows, s, at_serve);
    added_range(rows, a->target, at_target);
    if (a->target < s && at_target[1] > 0)
        snprintf(target, sizeof target, " In %g bits it would add %.2g to %.2g: train at that precision, "
                 "or serve in more.", a->target, at_target[0], at_target[1]);
    json_object_set_new(a->out, "conclusion",
                        json_pack("{s:o, s:[o, o], s:o, s:[o, o], s:[o, o], s:o}", "train_bits", law_real(train),
                                  "train_bits_range", law_real(low), law_real(high), "serve_bits", law_real(s),
                                  "serve_bits_range", law_real(n_serve ? serve[0] : NAN),
                                  law_real(n_serve ? serve[n_serve - 1] : NAN), "serve_adds", law_real(at_serve[0]),
                                  law_real(at_serve[1]), "outside", beyond));
    if (a->c->json) return;
    printf("\n%s", cli_color(CLI_BOLD));
    /* what was trained in few bits is served in them; the bits of serving are of what was trained in 16 */
    cli_say(2, "Recommendation: train in %.3g bits (%s), and serve in those. A model that was trained in 16 bits, "
            "serve in %g bits (%s): quantizing to that after training adds %.2g to %.2g nats.%s", train,
            range_of(bits, n, trains), s, range_of(serve, n_serve, serves), at_serve[0], at_serve[1], target);
    printf("%s", cli_color(CLI_PLAIN));
    if (low == high) cli_say(2, "The laws agree on bits to train in (%s).", laws);
    else
        cli_say(2, "The laws disagree on bits to train in (%s), since Kumar's runs had per-tensor absmax activations, "
                "QuEST's a Hadamard transform, Quartet's MXFP4 blocks; the nearest to what you will do counts most.",
                laws);
    if (*outside) cli_say(2, "Outside of where they were fitted, so extrapolated%s: %s",
                          a->tables ? " (marked *)" : "", outside);
    else cli_say(2, "This model lies where the laws were fitted.");
    if (!a->tables) cli_say(2, "(--tables shows what each law says, and what it costs)");
}

static int run(cli *c)
{
    advice a = { .c = c };
    c->digits = 12;
    if (!law_number(c, "--N", 0, &a.N) || !law_number(c, "--D", 0, &a.D) ||
        !cli_number(c, "--target-bits", 4, 0.5, 15.99, &a.target) ||
        !law_number(c, "--tokens-inference", 0, &a.inference) || !law_number(c, "--block", 128, &a.block))
        return EXIT_USAGE;
    if (!(a.N > 0) || !(a.D > 0))
        return cli_usage(c, "--N and --D are needed: precis law advise --N 8B --D 15T (precis law --help lists the "
                            "other words)");
    int rc = law_formats_open(c, &a.formats);
    if (rc >= 0) return rc;
    char x[32], y[32];
    a.out = json_pack("{s:f, s:f}", "N", a.N, "D", a.D);
    if (!c->json)
        cli_say(2, "%s parameters, %s tokens (%.4g per parameter)", law_human(a.N, x), law_human(a.D, y), a.D / a.N);
    a.tables = cli_has(c, "--tables");
    effective_table(&a);
    best_table(&a);
    after_table(&a);
    smaller_or_larger(&a);
    data_or_bits(&a);
    rc = costs(&a);
    if (rc < 0) conclude(&a);
    json_object_set_new(a.out, "intervals",
                        json_string("none: the spread between laws is shown instead; a bootstrap needs your runs "
                                    "(precis law fit --bootstrap)"));
    if (rc < 0 && c->json) return cli_print_json(c, a.out);
    json_decref(a.out);
    return rc < 0 ? cli_done(c) : rc;
}

const cli_command law_advise = {
    "law advise", "",
    "all laws that speak of a model, side by side: bits to train in, bits to serve in, data against bits, cost",
    "Most models that people ask about lie outside of where the laws were "
    "fitted: predict and critical say so for each.",
    0, 0, options, run,
    "  precis law advise --N 8B --D 15T\n"
    "  precis law advise --N 1e9 --D 1e11 --gpu-flops 9.89e14 --utilization "
    "0.4 --gpu-hour-price 2 --gpu-power 1000 --co2 0.4\n",
    NULL
};
