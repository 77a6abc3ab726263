/* precis/train.h - train a llama from text or from a language whose entropy is known. Stage: TRAIN.
 *
 * What is trained is described by a configuration (docs/training.md); the checkpoint is a GGUF file that holds the
 * model and what training goes on from. Its bytes do not depend on the number of threads, nor on where training was
 * interrupted. */
#ifndef PRECIS_TRAIN_H
#define PRECIS_TRAIN_H

#include "precis/law_fit.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_train_step {
    uint32_t size; /* sizeof of this struct, set by the library                               */
    uint64_t step, steps; /* steps that are done, and all                                     */
    double   loss, error; /* mean of the batch in nats a token, and its standard error over sequences */
    double   lr, norm;    /* the rate; the gradients' norm before it was clipped              */
    double   tokens_s;    /* since the run began                                              */
    double   share;       /* of the multiplications per second that this machine has at best  */
    double   eta_s;
} precis_train_step;

/* Return non-zero to stop as the context's cancel flag does: after a checkpoint. */
typedef int precis_train_fn(void *user, const precis_train_step *step);

typedef struct precis_train_options {
    uint32_t    size;   /* sizeof of this struct, set by _INIT                                */
    const char *out;    /* the checkpoint, whole at any moment                                */
    int         resume; /* go on from it, when it is there                                    */
    precis_train_fn *each; /* after each step; or NULL                                        */
    void       *user;
    /* instead of what the configuration says; NULL: as it says */
    const char *from;      /* a model's file to begin with                                    */
    const char *qat;       /* type of weights, or PATTERN=TYPE, ...                           */
    const char *plan;      /* a file of precis plan: types of all tensors                     */
    const char *estimator;
    const char *compute;   /* f32, bf16, int8, fp8, mxfp4, nvfp4: of the products of layers   */
    const char *distill;   /* a model's file: the loss has the divergence from it             */
    const char *adapter;   /* "r=8,alpha=16": low-rank adapters beside `from`'s weights       */
    const char *const *only; /* [n_only]: patterns of the tensors that are trained            */
    size_t      n_only;
    /* beside the checkpoint, at the end: the model in the types that it was trained for */
    const char *quantized;
    const char *lora;      /* the adapters, as a file of their own                             */
    const char *merged;    /* `from` with them in its weights, in its types                    */
    const precis_spread *spread; /* ranks that share each batch; NULL: this process alone      */
    const char *card;      /* where the data's card is written, as JSON; NULL: nowhere        */
} precis_train_options;
#define PRECIS_TRAIN_OPTIONS_INIT \
    { sizeof(precis_train_options), NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, \
      NULL, NULL, NULL, NULL }

typedef struct precis_train_result {
    uint32_t size;       /* sizeof of this struct, set by the caller                          */
    uint64_t steps, from; /* that are done; where this run began                              */
    uint64_t parameters, tokens; /* tokens: seen in all                                       */
    double   heldout, heldout_error; /* nats a token of the held-out text; NaN: there is none */
    double   entropy;    /* of the language over the same tokens; NaN: it is not known        */
    char     sha256[65]; /* of the checkpoint                                                 */
    char     data_sha256[65], settings_sha256[65]; /* of the tokens; of all that decides the checkpoint's bytes */
    double   contamination; /* share of the held-out text that the texts have, too; NaN: not known */
    const char *products; /* in which arithmetic each product was, and whether it was real; static storage */
    double   served;     /* held-out loss of `quantized`, or of `from` with `lora`, when it is run; NaN: none */
    double   merged_kld; /* of `merged` from `from` with `lora`: nats a token of the held-out text; NaN */
    double   accuracy, served_accuracy; /* of held-out samples: as trained, of `quantized` when it is run; NaN       */
} precis_train_result;

/* Train as the configuration file says. PRECIS_EFORMAT names the key of the configuration, or what is wrong with the
 * checkpoint; also when a loss or a gradient is not finite, with tensor and step: the last checkpoint stays.
 * PRECIS_ECANCELED: stopped, and resumable. PRECIS_EUNSUPPORTED, PRECIS_ENOMEM, PRECIS_EIO, PRECIS_ENOSPC. */
PRECIS_API precis_status precis_train(precis_ctx *ctx, const char *config, const precis_train_options *options,
                                      precis_train_result *result);

/* A byte-level BPE learned from text files, as a tokenizer.json at `out`: GPT-2's alphabet and pre-tokenizer, line by
 * line. Deterministic, and what Hugging Face's `tokenizers` learns from the same files. 256 <= vocabulary <= 2^20; less
 * where nothing is left to merge. PRECIS_EINVAL, PRECIS_ENOMEM, PRECIS_EIO, PRECIS_ENOSPC, PRECIS_ECANCELED. */
typedef struct precis_tokenizer_trained {
    uint32_t size;           /* sizeof of this struct, set by the caller */
    uint32_t tokens, merges;
    char     sha256[65];     /* of the file                              */
} precis_tokenizer_trained;
PRECIS_API precis_status precis_tokenizer_train(precis_ctx *ctx, const char *const *paths, size_t n,
                                                uint32_t vocabulary, const char *out,
                                                precis_tokenizer_trained *result);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_TRAIN_H */
