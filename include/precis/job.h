/* precis/job.h - several stages in one call: the main job. */
#ifndef PRECIS_JOB_H
#define PRECIS_JOB_H

#include "precis/costs.h"
#include "precis/eval.h"
#include "precis/profile.h"
#include "precis/quant.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Text of PATH.manifest.json, asked for when the output is whole on the disk and has no name yet (of the job: plan,
 * report, bytes, calibration and solution are there); both get their names together. It is the caller's, and stays
 * until precis_job_quantize returns. */
struct precis_job;
typedef precis_status precis_manifest_fn(void *user, const struct precis_job *job, const char **text, size_t *len);

typedef struct precis_job_options {
    uint32_t    size;        /* sizeof of this struct, set by _INIT                                     */
    /* one of these four, or max_kld below */
    const char *type;        /* as precis_plan_types'                                                   */
    uint64_t    max_bytes;   /* of the output file                                                      */
    double      max_part;    /* of the input file's bytes: 0.75                                         */
    double      bpw;         /* bits per weight of all tensors                                          */
    /* how */
    const char *imatrix;     /* file; NULL: calibrated here when the model can be run                   */
    precis_calibrate_options calibrate;
    precis_quant_options     quant; /* its imatrix is set by the job                                    */
    int         dry_run;     /* plan only                                                               */
    int         no_calibration; /* all inputs alike                                                     */
    /* finished pieces are kept in PATH.resume (and .states) and taken from there; the text names the job: pieces of a
     * job that is called otherwise are thrown away. NULL: none */
    const char *resume;
    /* proof */
    int         no_eval;
    const char *text;        /* NULL: precis_eval_default_text                                          */
    size_t      text_len;
    precis_eval_options eval;
    /* a record */
    precis_manifest_fn *manifest; /* NULL: none                                                           */
    void       *user;        /* of manifest                                                             */
    precis_effort effort;    /* under a budget, without a profile of the caller's                       */
    /* the fifth budget: the smallest file whose predicted KL divergence has a 90 % interval that ends here, nats per
     * token */
    double      max_kld;
    const char *folder;      /* of what was measured before (precis_calibrate_kept); NULL: none             */
} precis_job_options;
#define PRECIS_JOB_OPTIONS_INIT \
    { sizeof(precis_job_options), NULL, 0, 0, 0, NULL, PRECIS_CALIBRATE_OPTIONS_INIT, PRECIS_QUANT_OPTIONS_INIT, 0, \
      0, NULL, \
      0, NULL, 0, PRECIS_EVAL_OPTIONS_INIT, NULL, NULL, PRECIS_EFFORT_DEFAULT, 0, NULL }

/* Bytes of private memory that a job will take: what the process holds, and the most of its stages beside that. */
typedef struct precis_memory { uint64_t held, calibrate, method, write, evaluate, peak, limit; } precis_memory;

/* Seconds of a job's pieces: importance, what tensors cost, choosing types, coding and writing, evaluating. */
typedef struct precis_times { double calibrate, costs, plan, quantize, evaluate, all; } precis_times;

typedef struct precis_job {
    precis_plan         *plan;
    precis_quant_report *report;   /* NULL for a dry run                                                  */
    precis_solution      solution; /* of a budget                                                         */
    uint64_t             bytes;    /* of the output file                                                  */
    double               bits_per_weight;
    int                  evaluated;
    precis_eval_result   eval;
    char                 calibration[256]; /* JSON: where importance came from; "": there was none       */
    precis_memory        memory;   /* counted before work started                                          */
    double               predicted, interval[2]; /* KL of the plan, nats per token, 90 % of such; NaN: unknown */
    /* The coder whose codes that is of, from which the file's go on, so that it loses less; NULL: it is the file's. */
    const char          *predicted_coder;
    /* KL on the text that `predicted` is of, which the calibration is of, too, with its standard error; NaN: unknown */
    double               again, again_se;
    precis_times         expected, taken;
    void                *work;     /* the job's own                                                       */
} precis_job;
/* Calibrate, plan, quantize to path, and evaluate against the original. A model that cannot be run is quantized without
 * calibration and evaluation, and a warning says so. When the context has a memory limit, PRECIS_ENOMEM before work
 * starts if the job would pass it. Close the job in any case. */
PRECIS_API precis_status precis_job_quantize(precis_ctx *ctx, const precis_model *model, const char *path,
                                             const precis_job_options *opts, precis_job *job);
PRECIS_API void precis_job_close(precis_job *job);
/* The method that the job takes: the options' own, or what it chooses under a budget ("gptq"); NULL: search. Static
 * storage, or the options'. A plan that is made for the job is made for it. */
PRECIS_API const char *precis_job_method(precis_ctx *ctx, const precis_model *model, const precis_job_options *opts);

/* ---- plan -------------------------------------------------------------------------------------------- */
typedef struct precis_planning_options {
    uint32_t    size;        /* sizeof of this struct, set by _INIT                                      */
    /* budgets, one or more; all are kept */
    uint64_t    max_bytes;   /* of the file                                                              */
    double      max_part;    /* of the input file's bytes                                                */
    double      bpw;         /* bits per weight of all tensors                                           */
    double      max_kld;     /* nats per token: the upper end of the predicted interval                   */
    uint64_t    target_ram;  /* bytes: the file, the KV cache and the buffers of `context` tokens         */
    uint32_t    context;     /* 0: 4096, or what the model knows                                         */
    precis_quant_options quant; /* method, types, pins, imatrix, profile (needed for max_kld)             */
    double      min_speed;   /* generated tokens per second, by `costs`                                  */
    const precis_costs *costs;
} precis_planning_options;
#define PRECIS_PLANNING_OPTIONS_INIT \
    { sizeof(precis_planning_options), 0, 0, 0, 0, 0, 0, PRECIS_QUANT_OPTIONS_INIT, 0, NULL }

/* A plan of the same bytes that need not keep to min_speed: what the speed costs. bytes is 0 without min_speed. */
typedef struct precis_planning_rest {
    uint64_t bytes;      /* of the file                                                                  */
    double   loss, kld;  /* as the solver adds it up; predicted, NaN without a profile                    */
    double   tok_s;
} precis_planning_rest;

typedef struct precis_planning {
    precis_plan    *plan;
    precis_solution solution;
    uint64_t        bytes, ram;      /* of the file; to run it                                            */
    double          bits_per_weight;
    double          kld, interval[2]; /* predicted, with the 90 % interval; NaN without a profile          */
    /* plans on which the gain of a method of the whole model was measured; 0: kld is search's */
    size_t          gains;
    double          tok_s;           /* generated tokens per second, predicted; NaN without costs          */
    double          read_bytes_s;    /* at which speed of memory; 0: unknown                               */
    char           *kv;              /* KV types, one or one for each layer, "keys;values"; NULL: f16      */
    uint32_t        threads;         /* that `ram` is counted for; 0: the model cannot be run              */
    uint64_t        thread_bytes;    /* what one of them takes of it, at the most                          */
    precis_planning_rest without_speed;
} precis_planning;

/* What precis_job_plan refuses whatever is measured (no budget, unknown types, methods and KV types, a profile of
 * another model or of other weights: PRECIS_EINVAL; a budget that no plan meets: PRECIS_EBUDGET), told before an
 * importance matrix or a profile is made. */
PRECIS_API precis_status precis_planning_check(precis_ctx *ctx, const precis_model *model,
                                               const precis_planning_options *opts);
/* The least predicted loss under the budgets; under max_kld alone, the fewest bytes. PRECIS_EBUDGET with the number
 * that would do. */
PRECIS_API precis_status precis_job_plan(precis_ctx *ctx, const precis_model *model,
                                         const precis_planning_options *opts, precis_planning *planning);
PRECIS_API void precis_planning_close(precis_planning *planning);
/* As JSON (docs/json.md). */
PRECIS_API precis_status precis_planning_save(precis_ctx *ctx, const precis_planning *planning,
                                              const precis_planning_options *opts, const char *path);
/* A plan file of a model, as a type table for precis_plan_types, its method, and its KV types (NULL: f16 for all); the
 * caller frees them with precis_text_free. PRECIS_EFORMAT with the JSON path; PRECIS_EINVAL when it is of another
 * model. */
PRECIS_API precis_status precis_plan_read(precis_ctx *ctx, const precis_model *model, const char *path, char **types,
                                          char **method, char **kv);

/* ---- nodes ------------------------------------------------------------------------------------------- */
/* What one node of the net puts out over a text; and, beside a reference, how near it is. */
typedef struct precis_node_stats {
    uint32_t    size;        /* sizeof of this struct                                                      */
    const char *name, *op;
    size_t      width;       /* of a row                                                                   */
    uint64_t    rows;
    double      rms, top;    /* of all numbers; largest magnitude                                          */
    double      crest_db;    /* largest over rms                                                           */
    double      range_db;    /* largest over the median channel's largest                                  */
    double      kurtosis;    /* 3: normal; far above: few large numbers                                    */
    size_t      outlier_channels; /* whose largest is above 6 times the median channel's                   */
    /* signal of the reference over the error; NaN without a reference, or without such a node in it */
    double      sqnr_db;
    double      cosine;      /* with the reference's row, mean                                             */
} precis_node_stats;
typedef void precis_node_fn(void *user, const precis_node_stats *stats);
/* Every node that `run` computes, in its order. reference: NULL, or the model before quantization. opts: text (none:
 * the reference's own) and tokens (0: 512). */
PRECIS_API precis_status precis_profile_nodes(precis_ctx *ctx, const precis_model *model,
                                              const precis_model *reference, const precis_calibrate_options *opts,
                                              precis_node_fn *fn, void *user);

/* ---- ladder ------------------------------------------------------------------------------------------ */
typedef struct precis_ladder_row {
    uint32_t    size;         /* sizeof of this struct                                                     */
    const char *type;         /* as asked for                                                              */
    uint64_t    bytes;        /* of the file                                                               */
    double      bits_per_weight;
    precis_eval_result eval;  /* against the original, weights and activations as the scheme says           */
    double      decode_tok_s; /* with the kernels of `run`                                                 */
    const char *arithmetic;   /* of eval                                                                   */
    int         kernel;       /* `run` computes in the scheme's elements; 0: in what it has (docs/formats.md) */
} precis_ladder_row;
typedef void precis_ladder_fn(void *user, const precis_ladder_row *row);
/* Make a model in each scheme of a list ("W8A8,FP8,W4A16,NVFP4"), evaluate it against the original, measure it, and
 * remove it. NVFP4, MXFP4 and NF4 stand for weights of that type with 16-bit activations. folder: for temporary files;
 * NULL: $TMPDIR, or /tmp. */
PRECIS_API precis_status precis_ladder(precis_ctx *ctx, const precis_model *model, const char *list,
                                       const char *folder, const precis_job_options *opts, precis_ladder_fn *fn,
                                       void *user);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_JOB_H */
