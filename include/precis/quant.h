/* precis/quant.h - calibrate, plan by measured loss, quantize. Stage 4: read -> graph -> plan -> QUANT -> eval -> run.
 *
 * The same inputs give the same bytes for any number of threads, compiler and instruction set. */
#ifndef PRECIS_QUANT_H
#define PRECIS_QUANT_H

#include "precis/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- importance matrix: mean square of each input of each matmul ------------------------------------ */
typedef struct precis_imatrix precis_imatrix;

/* Read either kind of file (llama.cpp's legacy .dat, or GGUF). PRECIS_EFORMAT with byte offset. */
PRECIS_API precis_status precis_imatrix_open(precis_ctx *ctx, precis_imatrix **out, const char *path);
/* Is it of this model? PRECIS_EINVAL when they have no tensor in common; a warning when it covers only a part of the
 * layers' matrices. */
PRECIS_API precis_status precis_imatrix_check(const precis_imatrix *imatrix, const precis_model *model);
PRECIS_API void precis_imatrix_close(precis_imatrix **imatrix);
/* Written as GGUF when path ends in .gguf, else as the legacy kind. */
PRECIS_API precis_status precis_imatrix_save(precis_imatrix *imatrix, const char *path);
PRECIS_API size_t precis_imatrix_size(const precis_imatrix *imatrix);
/* Entry i: tensor's name, n mean squares (owned by the matrix), tokens seen. */
PRECIS_API precis_status precis_imatrix_get(const precis_imatrix *imatrix, size_t i, const char **tensor,
                                            const float **values, size_t *n, uint64_t *tokens);

/* How much is measured before a budget is planned. Fast: nothing, tensors cost what their class costs. Normal: what
 * each tensor costs, by gradients, and how costs add up in a few whole plans. Best: by swapping one tensor after
 * another, and in more whole plans. */
typedef enum precis_effort {
    PRECIS_EFFORT_DEFAULT, /* normal for a job, best for a profile */
    PRECIS_EFFORT_FAST,
    PRECIS_EFFORT_NORMAL,
    PRECIS_EFFORT_BEST
} precis_effort;

typedef struct precis_calibrate_options {
    uint32_t           size;   /* sizeof of this struct, set by _INIT                               */
    const char *const *texts;  /* calibration texts; NULL: sampled from the model itself (seeded)   */
    const size_t      *lengths;
    size_t             n_texts;
    uint32_t           tokens; /* at most this many; 0: 2048 sampled, all of a text                 */
} precis_calibrate_options;
#define PRECIS_CALIBRATE_OPTIONS_INIT { sizeof(precis_calibrate_options), NULL, NULL, 0, 0 }
/* Run the model over the text in reference arithmetic and keep what its matmuls see. */
PRECIS_API precis_status precis_calibrate(precis_ctx *ctx, precis_imatrix **out, const precis_model *model,
                                          const precis_calibrate_options *opts);

/* ---- plan and quantize ------------------------------------------------------------------------------- */
typedef struct precis_quant_options {
    uint32_t              size;     /* sizeof of this struct, set by _INIT                            */
    const precis_imatrix *imatrix;  /* weights of the errors; NULL: all alike                         */
    const char           *method;   /* "search", "rtn", "gptq", "rotate+awq+gptq", ...; NULL: search */
    /* candidates of a budget: "Q4_K,Q6_K,..."; NULL: all that fit but types with books of vectors, which run at a
     * quarter of the speed, unless nothing else fits; "all": those too */
    const char           *types;
    const char           *pins;     /* PATTERN=TYPE list that a budget's plan must keep; NULL: none   */
    int                   strict;   /* substitutes are errors                                         */
    int                   fallback; /* a tensor that a method cannot be applied to takes "search"; 0: an error */
    /* of power-of-two scales under rtn: "floor" "rceil" "ceil" "even"; NULL: floor */
    const char           *scale_rounding;
    const char           *activations; /* scheme that is written into the model, "INT8", "FP8_E4M3", ...; NULL: none */
    const char           *kv;       /* KV cache type that is written into the model; NULL: none       */
    int                   static_activations; /* their scales are calibrated                          */
    int                   no_act_order; /* gptq: columns in their order, groups fitted when they begin */
    double                damp;     /* gptq: part of the mean diagonal; 0: 0.01                       */
    double                alpha;    /* smoothquant; 0: 0.5                                            */
    uint32_t              rank;     /* svd; 0: 16                                                     */
    const struct precis_profile *profile; /* what each tensor's loss costs, as measured; NULL: factors of its class */
    int                   packed;   /* matrices in the order of the kernels, as `convert --format packed` writes them */
} precis_quant_options;
#define PRECIS_QUANT_OPTIONS_INIT \
    { sizeof(precis_quant_options), NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, NULL, 0 }

/* The plan of least measured loss whose file has at most max_bytes. PRECIS_EBUDGET with the feasible minimum. */
PRECIS_API precis_status precis_quant_plan(precis_ctx *ctx, precis_plan **out, const precis_model *model,
                                           uint64_t max_bytes, const precis_quant_options *opts,
                                           precis_solution *solution);

typedef struct precis_quant_row {
    uint32_t    size;     /* sizeof of this struct, set by the caller                                  */
    const char *tensor, *from, *to, *method; /* method: "copy", "rtn", "search"                        */
    double      error;    /* weighted squared error over weighted squares, of the written numbers      */
    uint64_t    tokens;   /* of calibration that it saw; 0: none, or unknown                            */
    const uint64_t *expert_tokens; /* [experts]: of each expert; NULL: it is no tensor of experts        */
    size_t      experts;
} precis_quant_row;

typedef struct precis_quant_report precis_quant_report;
/* Write the quantized model to path (see precis/base.h on files): all or nothing. *report may be NULL.
 * PRECIS_EFORMAT naming tensor and index for NaN or infinity; PRECIS_EINVAL when path is the input. */
PRECIS_API precis_status precis_quantize(precis_ctx *ctx, const precis_model *model, const precis_plan *plan,
                                         const char *path, const precis_quant_options *opts,
                                         precis_quant_report **report);
PRECIS_API void precis_quant_report_close(precis_quant_report **report);
PRECIS_API size_t precis_quant_report_size(const precis_quant_report *report);
PRECIS_API precis_status precis_quant_report_get(const precis_quant_report *report, size_t i, precis_quant_row *row);
PRECIS_API uint64_t precis_quant_report_bytes(const precis_quant_report *report); /* of the file */
/* of the file, as it was read back; until the report is closed */
PRECIS_API const char *precis_quant_report_sha256(const precis_quant_report *report);
/* Bytes that the file would have, without writing. */
PRECIS_API precis_status precis_quant_file_bytes(precis_ctx *ctx, const precis_model *model, const precis_plan *plan,
                                                 const precis_quant_options *opts, uint64_t *bytes);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_QUANT_H */
