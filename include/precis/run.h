/* precis/run.h - run a graph, or a language model. Stage 5: read -> graph -> plan -> quant -> eval -> RUN.
 *
 * Threads: a program or a runner belongs to its context's thread; it uses the context's threads inside.
 * Results do not depend on how many there are, nor on the instruction set. */
#ifndef PRECIS_RUN_H
#define PRECIS_RUN_H

#include "precis/graph.h"
#include "precis/read.h"

#ifdef __cplusplus
extern "C" {
#endif

/* PRECIS_FAST: the kernels that `precis run` uses (int8 activations for quantized weights): the exact arithmetic, of
 * which eval and gates speak unless they are asked for another.
 * PRECIS_REFERENCE: dequantized weights, f32 activations ("weights-only").
 * PRECIS_EMULATED: the same, and activations rounded to the scheme that the model names (precis.activations).
 * PRECIS_BF16: weights (but those of F32) and activations as bfloat16, summed in f32 over whole rows in the order of
 * AMX's tiles: the fastest for prompts on a processor that has them. Its bits, too, are the same on every machine.
 * PRECIS_MIXED: PRECIS_BF16 for multiplications of 32 and more rows of activations, PRECIS_FAST for fewer (and for
 * experts): the fastest for prompts and for generated tokens; its results depend on how many tokens a call has.
 * PRECIS_INT8: activations as int8 with one scale for each token (2208.07339, section 2) by weights whose rows are int8
 * with one scale (INT8_C and INT8_T to INT2_C and INT2_T, P4, P4S, TERNARY, BINARY; TQ1_0 and TQ2_0 where the scales of
 * a row are equal), with exact sums; PRECIS_FAST for others. It is what a scheme such as W8A8 means.
 * PRECIS_OWN, PRECIS_AUTO: what precis_arithmetic_for() says of the model; no result names them. */
typedef enum precis_arithmetic {
    PRECIS_FAST, PRECIS_REFERENCE, PRECIS_EMULATED, PRECIS_BF16, PRECIS_MIXED, PRECIS_INT8, PRECIS_OWN, PRECIS_AUTO
} precis_arithmetic;
/* "fast", "weights-only", "emulated", "bf16", "mixed", "int8", "own", "auto"; static storage; NULL: there is none. */
PRECIS_API const char *precis_arithmetic_name(precis_arithmetic arithmetic);
/* What is used for a model. PRECIS_OWN and PRECIS_AUTO are PRECIS_INT8 where its scheme rounds activations to int8 with
 * one scale a token (W8A8); else PRECIS_OWN, of the same results on every machine, is PRECIS_FAST, and PRECIS_AUTO
 * PRECIS_MIXED where there are tiles for it, else PRECIS_FAST. All else is what it is. Any thread; it cannot fail. */
PRECIS_API precis_arithmetic precis_arithmetic_for(const precis_ctx *ctx, const precis_model *model,
                                                   precis_arithmetic asked);

/* ---- any graph ------------------------------------------------------------------------------------ */
typedef struct precis_program precis_program;
/* Lower a graph. It must outlive the program and stay as it is; constants are not copied. Every value stays readable
 * until the next run. PRECIS_EINVAL, PRECIS_ENOMEM. */
PRECIS_API precis_status precis_program_open(precis_ctx *ctx, precis_program **out, precis_graph *g,
                                             precis_arithmetic arithmetic);
PRECIS_API void precis_program_close(precis_program **program);
/* The size of a dimension that precis_graph_symbol() made, in the runs that follow. Memory is planned when sizes come
 * for the first time, and kept. PRECIS_EINVAL when it is no such dimension, or may not be so large. */
PRECIS_API precis_status precis_program_set_size(precis_program *p, int64_t symbol, int64_t size);
/* Give an input its data (borrowed until the run ends). PRECIS_EINVAL when v is no input. */
PRECIS_API precis_status precis_program_set_input(precis_program *p, precis_value v, const float *data);
/* Called on the calling thread each time v has been computed: an observer. rows * width numbers. */
typedef void precis_tap_fn(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width);
PRECIS_API precis_status precis_program_tap(precis_program *p, precis_value v, precis_tap_fn *fn, void *user);
/* PRECIS_EINVAL when an input has no data, a dimension no size, or sizes leave nothing of a value; PRECIS_ENOMEM. */
PRECIS_API precis_status precis_program_run(precis_program *p);
/* Data of v after a run; owned by the program; NULL when v has none. */
PRECIS_API const float *precis_program_get(precis_program *p, precis_value v);

/* ---- accumulators --------------------------------------------------------------------------------- */
/* A bound on one integer accumulator of a kernel, for one tensor's weights and any activations. */
typedef struct precis_overflow {
    const char *kernel, *isa; /* "mm", "avx2"                                                      */
    uint32_t    bits;         /* of the lane, signed                                              */
    uint32_t    products;     /* that it sums                                                     */
    int64_t     bound, limit; /* largest magnitude that it can reach; that it can hold            */
    int         overflows;    /* bound > limit                                                    */
} precis_overflow;
/* All kernels that may multiply this tensor: at most max rows, *n of them; none for tensors that are multiplied as
 * floats. PRECIS_EINVAL, PRECIS_ENOMEM. */
PRECIS_API precis_status precis_overflow_check(precis_ctx *ctx, const precis_model *model, size_t tensor,
                                               precis_overflow *rows, size_t max, size_t *n);

/* ---- language models ------------------------------------------------------------------------------ */
typedef struct precis_runner precis_runner;

/* Weights in the order in which kernels read them: results are the same bits, generated tokens come up to twice as
 * fast, and memory holds the packed copy in place of the file's pages. */
typedef enum precis_pack {
    PRECIS_PACK_OFF,        /* rows, as the file has them                                     */
    PRECIS_PACK_LOAD,       /* before precis_runner_open returns                              */
    PRECIS_PACK_BACKGROUND, /* by a thread of low priority; tokens do not wait for it, nor for the look at all
                               weights (precis_runner_check) */
} precis_pack;

/* As many tokens per sequence as the model says it was made for. */
#define PRECIS_CONTEXT_OWN UINT32_MAX

typedef struct precis_runner_options {
    uint32_t          size;       /* sizeof of this struct, set by _INIT                               */
    precis_arithmetic arithmetic;
    uint32_t          context;    /* tokens per sequence; 0: the model's own, at most 4096; or _OWN    */
    uint32_t          sequences;  /* that live side by side; 0: 1                                      */
    uint32_t          batch;      /* tokens of one call at most; 0: 256 (bf16, mixed and int8: 512, for
                                     which weights are decoded once) */
    uint32_t          outputs;    /* logit rows of one call at most; 0: 1                              */
    /* "f32" "f16" "int8" "int4", or one for each layer with commas; NULL: f16, or what the model says */
    const char       *k_type;
    const char       *v_type;
    precis_pack       pack;       /* what becomes of weights that are not packed yet                   */
    uint32_t          pages;      /* of the KV cache, that all sequences have together at most (precis_runner_info.page
                                     tokens each); 0: as many as they need when all are full */
} precis_runner_options;
#define PRECIS_RUNNER_OPTIONS_INIT \
    { sizeof(precis_runner_options), PRECIS_FAST, 0, 0, 0, 0, NULL, NULL, PRECIS_PACK_OFF, 0 }

/* The model must outlive the runner. PRECIS_EUNSUPPORTED names the architecture, key or tensor; weights are
 * looked at as the first call reads them (precis_runner_check). */
PRECIS_API precis_status precis_runner_open(precis_ctx *ctx, precis_runner **out, const precis_model *model,
                                            const precis_runner_options *opts);
PRECIS_API void precis_runner_close(precis_runner **runner);

typedef struct precis_runner_info {
    uint32_t size; /* sizeof of this struct, set by the caller */
    uint32_t context, sequences, batch, vocabulary, layers;
    uint64_t kv_bytes, work_bytes; /* memory beside the weights */
    uint32_t width;                /* of a row of the net */
    int      encoder;              /* its outputs are rows of that width, not logits (BERT) */
    uint32_t page;                 /* tokens of a page of the KV cache */
    uint32_t pages, pages_held;    /* that there may be; that sequences hold now */
    uint64_t kv_held_bytes;        /* memory of pages so far; kv_bytes is what all of them take */
    uint32_t known_context;        /* tokens that the model was made for; 0: it does not say */
} precis_runner_info;
PRECIS_API void precis_runner_get_info(const precis_runner *r, precis_runner_info *info);

/* One row of a call: a token at a position of a sequence. want: its logits are an output. What comes out depends
 * neither on the other rows of a call, nor on threads, nor on whether weights are packed. */
typedef struct precis_row { int32_t token; uint32_t position, sequence; int want; } precis_row;
/* ---- sequences ------------------------------------------------------------------------------------------
 * A sequence takes a page of the KV cache whenever it has filled the one before. Where the context has a limit on
 * memory (precis_ctx_set_memory_limit), all pages have theirs from the beginning, so that none is refused later;
 * elsewhere memory comes as sequences fill, between the runs of the net, and stays with the runner. */

/* Tokens in a sequence; 0 when there is no such sequence. */
PRECIS_API uint32_t precis_runner_length(const precis_runner *r, uint32_t sequence);
/* The sequence keeps its first `from` tokens; pages after them are free for others. PRECIS_EINVAL when it has
 * fewer. */
PRECIS_API precis_status precis_runner_drop(precis_runner *r, uint32_t sequence, uint32_t from);
/* The first n tokens of a sequence become another's, too, in place of what that one had. Nothing is computed or
 * copied: both have the same pages, until one of them writes into the last. What follows has the same bits as after
 * tokens of its own. PRECIS_EINVAL when `from` has fewer, or is `to`. */
PRECIS_API precis_status precis_runner_copy(precis_runner *r, uint32_t from, uint32_t to, uint32_t n);

/* Compute n rows. Positions of a sequence must follow on without gaps; a position that was there before begins the
 * sequence anew from it. *logits: [wanted rows][vocabulary], owned by the runner until the next call. PRECIS_EINVAL
 * naming the row: token outside the vocabulary, position beyond the context, ... PRECIS_EFORMAT when a logit is not
 * finite: it names the weight that is not, or the layer where it began and what helps; logits that are handed out are
 * finite. PRECIS_ENOMEM when pages are wanted and all are in use, or there is no memory for more. A call that fails
 * leaves sequences as long as they were, with the pages that they had; one that was stopped in its work ends those that
 * it began anew where it began them. */
PRECIS_API precis_status precis_runner_decode(precis_runner *r, const precis_row *rows, uint32_t n,
                                              const float **logits);
/* Are all weights finite? The first precis_runner_decode looks at those that it reads, and at the others after it,
 * with PRECIS_PACK_BACKGROUND beside the next tokens; this call looks at once where none has run, and waits for what is
 * left. What is found ends the call that looked, or the next one. PRECIS_EFORMAT names tensor and element. */
PRECIS_API precis_status precis_runner_check(precis_runner *r);

/* Prompt lookup: what followed the last tokens where they stood before is decoded along with the next token, and logits
 * that were guessed right need no call. The same logits, bit for bit, as a call for each token; guessing stops while it
 * does not pay. For one sequence of a runner, whose outputs limit the guess (8 is best); others may have their own, and
 * a guess is given up when another call is made in between. The runner must outlive it; one thread at a time. */
typedef struct precis_lookup precis_lookup;
typedef struct precis_lookup_info { uint32_t size; uint64_t calls, drafted, accepted; } precis_lookup_info;
PRECIS_API precis_status precis_lookup_open(precis_ctx *ctx, precis_lookup **out, precis_runner *r, uint32_t sequence);
PRECIS_API void precis_lookup_close(precis_lookup **lookup);
/* Tell it of a token that was decoded elsewhere (a prompt's). */
PRECIS_API void precis_lookup_read(precis_lookup *l, int32_t token, uint32_t position);
/* Logits after a token, valid until the next call. */
PRECIS_API precis_status precis_lookup_decode(precis_lookup *l, int32_t token, uint32_t position, const float **logits);
PRECIS_API void precis_lookup_get_info(const precis_lookup *l, precis_lookup_info *info);

typedef struct precis_sampler_options {
    uint32_t size;        /* sizeof of this struct, set by _INIT                                     */
    float    temperature; /* 0: greedy                                                               */
    int32_t  top_k;       /* 0: all                                                                  */
    float    top_p;       /* 1: all                                                                  */
    float    min_p;       /* 0: all                                                                  */
    float    repetition;  /* penalty on tokens among the last `window`, as CTRL's; 1: none           */
    uint32_t window;
    uint64_t seed;
    float    frequency;   /* taken off a logit for each time that the token stands among the last `window` */
    float    presence;    /* taken off once, when it does                                            */
} precis_sampler_options;
#define PRECIS_SAMPLER_OPTIONS_INIT { sizeof(precis_sampler_options), 0.8f, 40, 0.95f, 0.05f, 1.0f, 64, 0, 0, 0 }

typedef struct precis_sampler precis_sampler;
/* PRECIS_EINVAL naming the option that is out of range. */
PRECIS_API precis_status precis_sampler_open(precis_ctx *ctx, precis_sampler **out, uint32_t vocabulary,
                                             const precis_sampler_options *opts);
PRECIS_API void precis_sampler_close(precis_sampler **sampler);
/* Choose a token; it joins the history. The same logits, history and seed give the same token everywhere. */
PRECIS_API int32_t precis_sampler_next(precis_sampler *s, const float *logits);
/* A token of the prompt joins the history. */
PRECIS_API void precis_sampler_accept(precis_sampler *s, int32_t token);
/* The history is empty; the seed goes on where it is. */
PRECIS_API void precis_sampler_forget(precis_sampler *s);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_RUN_H */
