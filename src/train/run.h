/* run.h - a run of training in work: what loop.c turns, and the parts of it that have files of their own. */
#ifndef PCS_TRAIN_RUN_H
#define PCS_TRAIN_RUN_H

#include "precis/train.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"

typedef struct pcs_teacher pcs_teacher;
typedef struct pcs_train_run pcs_train_run;
struct pcs_arrays;

/* What nets of one kind do in the loop: models of tokens, nets of arrays. */
typedef struct pcs_train_family {
    precis_status (*open)(pcs_train_run *t);  /* memory of a batch, behind pcs_train_begin */
    precis_status (*draw)(pcs_train_run *t, uint64_t step);
    precis_status (*begin_ranges)(pcs_train_run *t); /* before the first step in few bits */
    precis_status (*open_net)(pcs_train_run *t, bool rounded, bool exact);
    precis_status (*batch)(pcs_train_run *t); /* losses and gradients of what was drawn */
    precis_status (*write)(pcs_train_run *t); /* the checkpoint */
    precis_status (*read)(pcs_train_run *t);
    precis_status (*held_out)(pcs_train_run *t, precis_train_result *r);
    precis_status (*check)(pcs_train_run *t); /* what is written at the end, before work starts */
    precis_status (*products)(pcs_train_run *t, precis_train_result *r);
    void (*close)(pcs_train_run *t);
} pcs_train_family;

struct pcs_train_run {
    const pcs_train_family *family;
    struct pcs_arrays *arrays; /* of nets of arrays; or NULL */
    precis_ctx *ctx;
    const precis_train_options *opt;
    pcs_train_config c;
    pcs_train_data data;
    pcs_train_state s;
    pcs_buf asked, planned; /* planned: what quant.plan says, as PATTERN=TYPE, ... */
    pcs_arena arena;
    precis_model *origin;     /* that it begins with; or NULL */
    pcs_teacher *teacher;     /* or NULL */
    float *taught;            /* [batch * context][vocabulary]: its logits */
    precis_model *words;      /* the tokenizer's keys, where neither the origin nor bytes are the tokens; or NULL */
    precis_graph *g;
    precis_program *p;
    pcs_reverse *r;
    int32_t *ids, *targets, *positions, *sequences;
    int32_t draw[16]; /* [0]: the step */
    pcs_gradient *all;
    double *losses;     /* [batch], of sequences */
    float *sums, *own;  /* of parts: the sum of all gradients; [own parts][total] of a rank */
    uint8_t **masks;    /* by parameter, 1: pruned; NULL: no pruning, or none of that one */
    size_t total;       /* numbers of all parameters */
    double began, peak, flops; /* seconds; multiplications and additions a second at best, and of a step */
    uint64_t from;
    bool rounded,
        exact; /* the net that stands: its numbers are of few bits; its products are f32 whatever `compute` says */
    char sha256[65];
};

/* ---- net.c ---- */
/* Memory of a batch. */
precis_status pcs_train_open_inputs(pcs_train_run *t);
void pcs_train_close_net(pcs_train_run *t);
/* The net in few bits, or in full; exact: its products in f32, as they are where it is served. */
precis_status pcs_train_open_net(pcs_train_run *t, bool rounded, bool exact);
/* The net of `sequences` sequences whose tokens are in t->ids. */
precis_status pcs_train_forward(pcs_train_run *t, size_t sequences);

/* ---- sparse.c ---- */
/* The step that prunes before it runs; UINT64_MAX: none does. */
uint64_t pcs_train_prune_step(const pcs_train_config *c);
/* Once the state stands: what was pruned before. */
precis_status pcs_train_open_masks(pcs_train_run *t);
/* By the batch whose tokens are in t->ids. */
precis_status pcs_train_prune_now(pcs_train_run *t);
/* After an update: what was pruned is 0 again. */
void pcs_train_keep_masks(pcs_train_run *t);

/* ---- parts.c ---- */
precis_status pcs_train_open_parts(pcs_train_run *t);
/* Losses and gradients (t->all) of the batch whose tokens are in t->ids, by all ranks. */
precis_status pcs_train_batch(pcs_train_run *t);
/* Mean losses of the sequences that the program ran. */
void pcs_train_losses(pcs_train_run *t, const int32_t *targets, size_t sequences, double *to);

/* ---- draw.c ---- */
/* Normal numbers of a deviation, from a state of each tensor's own. */
void pcs_train_normal(float *x, size_t n, uint64_t state, double deviation);

/* ---- begin.c ---- */
/* The configuration with what the options say instead, the data, the parameters. */
precis_status pcs_train_begin(pcs_train_run *t, const char *path);

/* ---- teacher.c ---- */
precis_status pcs_teacher_open(precis_ctx *ctx, pcs_teacher **out, const char *path);
const precis_model *pcs_teacher_model(const pcs_teacher *h);
/* Once the student's sizes are known. PRECIS_EFORMAT: another vocabulary. */
precis_status pcs_teacher_begin(precis_ctx *ctx, pcs_teacher *h, const pcs_train_config *c);
/* Of n tokens of one sequence: [n][vocabulary]. */
precis_status pcs_teacher_logits(pcs_teacher *h, const int32_t *ids, size_t n, float *logits);
void pcs_teacher_close(precis_ctx *ctx, pcs_teacher **h);

/* ---- lora.c ---- */
/* The adapters, as a GGUF that llama.cpp and --lora read. */
precis_status pcs_train_write_lora(pcs_train_run *t, const char *path);
/* The base with the adapters of that file in its weights, in the base's types. */
precis_status pcs_train_write_merged(pcs_train_run *t, const char *lora, const char *path);

/* ---- quantizing.c ---- */
/* Is step `step`, from 0 on, done in few bits? */
bool pcs_train_rounds(const pcs_train_config *c, uint64_t step);
/* t->planned from the plan's file. */
precis_status pcs_train_read_plan(pcs_train_run *t, const char *path);
/* The step from which on a share of all steps is behind. */
uint64_t pcs_train_step_of(const pcs_train_config *c, double share);
/* The types of parameters, and what is fixed. PRECIS_EFORMAT: a type does not fit, or a pattern matches nothing. */
precis_status pcs_train_set_types(pcs_train_run *t);
/* Before the first step in few bits, whose tokens are in t->ids: where ranges begin. */
precis_status pcs_train_begin_ranges(pcs_train_run *t);
/* Behind a run forward of a batch's first part. */
void pcs_train_observe(pcs_train_run *t);
/* Behind a batch: grids from what observers saw. */
void pcs_train_set_observed(pcs_train_run *t);
/* What is added to gradients before they are clipped: of (w - rounded w)^2. */
void pcs_train_dampen(pcs_train_run *t);
/* What steps parameter p, and its rows; its columns are what is left of it. */
const pcs_optimizer *pcs_train_optimizer(const pcs_train_config *c, const pcs_trained *p, size_t *rows);
/* How parameter i is updated in this step, at the rate `lr`; false: not at all. */
bool pcs_train_settings(const pcs_train_run *t, size_t i, double lr, pcs_optimizer_settings *s);
/* After an update: ranges stay positive. */
void pcs_train_keep_ranges(pcs_train_run *t);

/* ---- served.c ---- */
/* Is there something to write, and a place? Before work starts. */
precis_status pcs_train_can_write(pcs_train_run *t, const char *path);
/* The model in the types that it was trained for, by method rtn, from the checkpoint at opt->out. */
precis_status pcs_train_write_quantized(pcs_train_run *t, const char *path);
/* Held-out loss of a file by the runner, activations emulated: as `held_out` of loop.c takes it. */
precis_status pcs_train_served(pcs_train_run *t, const char *path, double *loss);
/* The same of the base with an adapter's file (merged NULL), and what merging lost: KL(base with adapter || merged),
 * nats a token of the held-out text. */
precis_status pcs_train_adapted(pcs_train_run *t, const char *lora, const char *merged, double *loss, double *kld);

#endif
