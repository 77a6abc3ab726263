/* precis/law.h - scaling laws for precision: fit, predict, invert. Needs no model.
 *
 * A law is text: named constants and expressions (docs/laws.md). Those of the papers are built in; a file gives one of
 * your own; a fit gives one with constants from your runs. Losses are nats per token, N parameters, D tokens, costs
 * FLOP at 16 bits. */
#ifndef PRECIS_LAW_H
#define PRECIS_LAW_H

#include "precis/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- points ------------------------------------------------------------------------------------------------------ */

enum { PRECIS_LAW_VARIABLES = 12 };
typedef enum precis_law_variable {
    PRECIS_LAW_N, PRECIS_LAW_D, PRECIS_LAW_BITS_W, PRECIS_LAW_BITS_A, PRECIS_LAW_BITS_KV, PRECIS_LAW_BITS_BWD,
    PRECIS_LAW_BITS_POST, PRECIS_LAW_EXPONENT, PRECIS_LAW_MANTISSA, PRECIS_LAW_BLOCK, PRECIS_LAW_SPARSITY,
    PRECIS_LAW_QAT
} precis_law_variable;
typedef struct precis_law_point { double v[PRECIS_LAW_VARIABLES]; } precis_law_point;
/* Nothing given: bits are 16, the others NAN. */
PRECIS_API void precis_law_point_init(precis_law_point *p);
/* Name, option, unit, what it is; static storage. 0 when i is no variable. */
PRECIS_API int precis_law_variable_get(size_t i, const char **name, const char **option, const char **unit,
                                       const char **what);

/* ---- laws -------------------------------------------------------------------------------------------------------- */

typedef struct precis_law precis_law;

/* Names of the built-in laws; NULL after the last. */
PRECIS_API const char *precis_law_name(size_t i);
/* name: a built-in law ("kumar"), one of its sets of constants ("kumar:printed"), or a file: a law's text, or what
 * precis_law_fit_save wrote.
 * PRECIS_EINVAL: no such law; PRECIS_EFORMAT: the file, with line and column. */
PRECIS_API precis_status precis_law_open(precis_ctx *ctx, precis_law **out, const char *name);
PRECIS_API void precis_law_close(precis_law **law);

typedef struct precis_law_info {
    uint32_t size;
    const char *name, *set, *title, *source, *assumes, *text, *form;
    size_t params, sets, samples; /* samples: of the bootstrap that it came with */
} precis_law_info;
PRECIS_API void precis_law_get_info(const precis_law *law, precis_law_info *info);
typedef struct precis_law_param {
    uint32_t size;
    const char *name, *unit, *source, *standing;
    double value; /* NAN: not published */
} precis_law_param;
PRECIS_API precis_status precis_law_get_param(const precis_law *law, size_t i, precis_law_param *out);
PRECIS_API precis_status precis_law_get_set(const precis_law *law, size_t i, const char **name, const char **source);
/* PRECIS_EINVAL: no such parameter, or a value that it cannot have. */
PRECIS_API precis_status precis_law_set_param(precis_law *law, const char *name, double value);
/* The range that a variable had where the law was fitted ("ratio": D / N); 0: nothing is said. */
PRECIS_API int precis_law_domain(const precis_law *law, const char *variable, double *low, double *high);
/* Which constants an output (loss, base, ptq, n_eff, ...) lacks, with commas; "" none; NULL: there is no such output.
 * Valid until the next call. */
PRECIS_API const char *precis_law_lacks(precis_law *law, const char *output);

/* ---- predict ----------------------------------------------------------------------------------------------------- */

typedef struct precis_law_value {
    uint32_t size;
    /* base: without what is added; ptq: by quantization after training; added: by training in few bits. NAN: it has
     * none */
    double loss, base, ptq, added;
    double n_eff, d_eff;           /* by the law's own factor; else the N whose 16-bit loss is the same */
    double loss16;                 /* at 16 bits throughout; NAN where the law does not say */
    double low, high;              /* 95 % of the bootstrap's samples; NAN: none */
    int outside;                   /* the point is outside the fitted hull */
    char where[256];               /* which variables, with their ranges */
} precis_law_value;
/* PRECIS_EINVAL: a constant or a variable is lacking, or the law has no value there; the message says which. */
PRECIS_API precis_status precis_law_predict(precis_law *law, const precis_law_point *p, precis_law_value *out);
/* One output by name ("n_eff", "qat_fraction", "loss"). */
PRECIS_API precis_status precis_law_output(precis_law *law, const char *output, const precis_law_point *p,
                                           double *value);
/* The least and the largest loss of the built-in laws that speak of this point (they use a variable that is not at 16
 * bits); names: with commas. How many. */
PRECIS_API size_t precis_law_spread(precis_ctx *ctx, const precis_law_point *p, double *low, double *high, char *names,
                                    size_t size);
/* Does the loss of this law, with the constants that it has, say something of the point's bits (or of N and D when they
 * are all 16)? */
PRECIS_API int precis_law_applies(precis_law *law, const precis_law_point *p);
/* An additive loss as a part of the parameters that is left, on a law's 16-bit loss at N and D, and back.
 * PRECIS_EINVAL: beyond the law's reach. */
PRECIS_API precis_status precis_law_multiplier(precis_law *law, double N, double D, double added, double *eff);
PRECIS_API precis_status precis_law_added(precis_law *law, double N, double D, double eff, double *added);

/* ---- invert ------------------------------------------------------------------------------------------------------ */

/* A number format that hardware has. */
typedef struct precis_law_format {
    const char *name;
    double bits, exponent, mantissa;
    double cost; /* of one operation; with 16 bits it is 1 */
} precis_law_format;

typedef struct precis_law_budget {
    uint32_t size;
    double compute;          /* FLOP of training at 16 bits, with inference when there is any; 0: no limit */
    double inference_tokens; /* in the life of the model */
    double memory;           /* bytes of the weights when served; 0: no limit */
    double loss;             /* aim: the least cost with at most this loss; 0: the least loss */
    double N, D;             /* fixed; 0: free */
    int    continuous;       /* any number of bits (one for all that the law has) */
    int    post;             /* formats are of quantization after training, which is in 16 bits */
    const precis_law_format *formats; /* NULL: bf16 fp8 int8 fp4 int4, cost bits / 16 */
    size_t n_formats;
    precis_law_point point;  /* what is given beside N and D */
} precis_law_budget;
#define PRECIS_LAW_BUDGET_INIT { sizeof(precis_law_budget), 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, { { 0 } } }

typedef struct precis_law_choice {
    uint32_t size;
    const char *format; /* NULL: continuous */
    double N, D, bits, loss, n_eff, cost, train_cost, bytes;
    int outside;
} precis_law_choice;
/* The best for every format, best first; *n in: room, out: how many. PRECIS_EBUDGET: none, and why. */
PRECIS_API precis_status precis_law_optimal(precis_law *law, const precis_law_budget *b, precis_law_choice *out,
                                            size_t *n);
/* Tokens at which more of them make the quantized model worse. PRECIS_EBUDGET: none below 1e20. With `added` > 0: at
 * which the loss that quantization adds reaches it. */
PRECIS_API precis_status precis_law_critical(precis_law *law, const precis_law_point *p, double added, double *D);
/* Points of equal loss: D for each N; NAN where there is none. */
PRECIS_API precis_status precis_law_isoloss(precis_law *law, const precis_law_point *p, double loss, const double *N,
                                            size_t n, double *D);
PRECIS_API size_t precis_law_formats(const precis_law_format **out);

/* A law's constants C_T and g_post (loss added = C_T' exp(-bits / g_post)) from measured losses per bits at one model.
 * PRECIS_EINVAL: fewer than two widths. */
PRECIS_API precis_status precis_law_post_fit(precis_ctx *ctx, const double *bits, const double *added, size_t n,
                                             double *factor, double *g_post, double *rmse_log);

/* ---- fit: law_fit.h ---------------------------------------------------------------------------------------------- */

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_LAW_H */
