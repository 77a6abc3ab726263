/* quantize.c - the main job through the public API: fit a model into a budget, prove what was lost.
 *
 *   cc quantize.c $(pkg-config --cflags --libs precis) -o quantize
 *   ./quantize model.gguf 0.75 small.gguf */
#include <precis/precis.h>

#include <stdio.h>
#include <stdlib.h>

static int progress(void *user, const char *stage, uint64_t done, uint64_t total)
{
    (void)user;
    fprintf(stderr, "\r%-10s %3.0f %%", stage, total ? 100.0 * (double)done / (double)total : 100.0);
    if (done >= total) fputc('\n', stderr);
    return 0; /* anything else stops the job */
}

static void warn(void *user, const char *line)
{
    (void)user;
    fprintf(stderr, "note: %s\n", line);
}

static void show(const precis_job *job)
{
    for (size_t i = 0; i < precis_quant_report_size(job->report); i++) {
        precis_quant_row row = { .size = sizeof row };
        if (precis_quant_report_get(job->report, i, &row)) continue;
        printf("%-32s %6s -> %-6s %-7s error %.5f\n", row.tensor, row.from, row.to, row.method, row.error);
    }
    printf("%llu bytes, %.3f bits per weight\n", (unsigned long long)job->bytes, job->bits_per_weight);
    if (job->evaluated)
        printf("perplexity %.3f +- %.3f (original %.3f), KL divergence %.5f +- %.5f, top-1 agreement %.2f %%\n",
               job->eval.ppl, job->eval.ppl_se, job->eval.ref_ppl, job->eval.kld_mean, job->eval.kld_se,
               100 * job->eval.top1);
}

int main(int argc, char **argv)
{
    char *end = NULL;
    const double part = argc == 4 ? strtod(argv[2], &end) : 0;
    if (argc != 4 || end == argv[2] || *end) {
        fprintf(stderr, "usage: quantize MODEL PART OUTPUT\n");
        return 2;
    }
    precis_ctx_options options = PRECIS_CTX_OPTIONS_INIT;
    options.progress = progress;
    options.warn = warn;
    precis_ctx *ctx;
    if (precis_ctx_open(&ctx, &options)) return 4;
    precis_job_options what = PRECIS_JOB_OPTIONS_INIT;
    what.max_part = part;
    what.eval.window = 256;
    what.eval.windows = 16;
    precis_model *model = NULL;
    precis_job job = { 0 };
    precis_status st = precis_model_open(ctx, &model, argv[1]);
    if (st == PRECIS_OK) st = precis_job_quantize(ctx, model, argv[3], &what, &job);
    if (st == PRECIS_OK) show(&job);
    else fprintf(stderr, "%s\n", precis_ctx_message(ctx));
    precis_job_close(&job);
    precis_model_close(&model);
    precis_ctx_close(&ctx);
    return st == PRECIS_OK ? 0 : 1;
}
