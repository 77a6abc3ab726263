/* plan.h - inside of a plan. */
#ifndef PCS_PLAN_H
#define PCS_PLAN_H

#include "model/counts.h"
#include "precis/plan.h"

typedef struct pcs_plan_row {
    const pcs_tensor *tensor;
    const pcs_format *to, *wanted; /* wanted: NULL when it is what was taken */
    uint64_t bytes;
    double loss;
} pcs_plan_row;

struct precis_plan {
    precis_ctx *ctx;
    const precis_model *model;
    pcs_plan_row *rows; /* one per tensor of the model */
    size_t n;
    char *spec; /* for the manifest */
};

/* The type of a tensor that is left alone: its own, but F32 for vectors of 16-bit floats, as every GGUF has them. */
const pcs_format *pcs_resting(const pcs_tensor *t);
/* Every tensor keeps its type. */
precis_status pcs_plan_new(precis_ctx *ctx, precis_plan **out, const precis_model *m, const char *spec);
/* precis_plan_types without its notes; and those notes, of what the rows are by now. */
precis_status pcs_plan_of_types(precis_ctx *ctx, precis_plan **out, const precis_model *m, const char *spec,
                                int strict);
void pcs_plan_tell(precis_ctx *ctx, const precis_plan *p);
/* Is this a weight of a layer, which may be quantized? */
bool pcs_quantizable(const pcs_tensor *t);
/* How many such weights the model has, all tensors together. */
double pcs_quantizable_weights(const precis_model *m);
/* Can precis write this type? */
bool pcs_encodable(const pcs_format *f);
/* The type or the first of its substitutes whose block divides rows of n; NULL when none does. */
const pcs_format *pcs_fitting(const pcs_format *f, int64_t n);
/* Largest magnitude of a tensor's numbers (range.c). */
precis_status pcs_tensor_top(precis_ctx *ctx, const pcs_tensor *t, float *top);
/* *f, which fits the tensor's rows, or the first of its substitutes that holds its numbers, too; its own type when
 * none does. *top: its largest, or 0: nobody had to look. */
precis_status pcs_holding(precis_ctx *ctx, const pcs_tensor *t, const pcs_format **f, float *top);
/* PRECIS_EFORMAT: a number of the tensor is too large for f, and what helps. */
precis_status pcs_too_large(precis_ctx *ctx, const pcs_tensor *t, const pcs_format *f);
void pcs_plan_set(pcs_plan_row *row, const pcs_format *to);
/* Layers that a model has by the names of its tensors. */
int pcs_layers(const precis_model *m);
/* output.weight, or the embedding that stands for it. */
bool pcs_makes_logits(const precis_model *m, const pcs_tensor *t);
/* Shell-like pattern: * and ?. Linear time. */
bool pcs_match(const char *pattern, size_t len, const char *text);
/* First PATTERN=TYPE of the list that matches; *f NULL when none does. */
precis_status pcs_pattern_type(precis_ctx *ctx, const char *list, const char *tensor, const pcs_format **f);

/* Warn of patterns in the list that match no tensor: a misspelt one must not pass in silence. */
void pcs_pattern_check(precis_ctx *ctx, const char *list, const precis_model *m);

/* "W4A8KV8" and presets: what each operand takes. false when the name is none. */
typedef struct pcs_scheme {
    const char *weights, *activations, *kv; /* NULL: 16 bits stay */
    bool fixed;                             /* scales of activations are calibrated */
} pcs_scheme;
bool pcs_scheme_of(const char *spec, pcs_scheme *out);
/* Tensors were added to the plan's model, or its table moved: rows for the new ones (matrices in F16). */
precis_status pcs_plan_extend(precis_plan *plan);
/* Number format that row i's tensor has in the file that it comes from. */
const pcs_format *pcs_plan_from(const precis_plan *plan, size_t i);

/* Named mixes: one row of mixes.def each. */
typedef struct pcs_mix {
    const char *name;
    uint32_t file_type; /* general.file_type */
    const char *base, *output, *attn_v, *attn_v_more, *attn_output, *ffn_down, *ffn_down_more;
    int first; /* which layers are "more": 0: those that llama.cpp gives more bits, n: the first layers / n */
} pcs_mix;
const pcs_mix *pcs_mix_by_name(const char *name);
extern const pcs_mix pcs_mixes[];

#endif
