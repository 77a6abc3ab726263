/* runner.h - inside of a runner, for calibration, which sets taps. */
#ifndef PCS_RUNNER_H
#define PCS_RUNNER_H

#include "graph/arch.h"
#include "run/program.h"

struct precis_runner {
    precis_ctx *ctx;
    precis_graph *graph;
    pcs_lm lm;
    precis_program *program;
    const precis_model *model;
    struct pcs_behind *behind; /* a look at the weights beside the first tokens; or NULL */
    uint32_t context, sequences, batch, outputs;
    uint32_t known; /* context that the model was made for; 0: it does not say */
    int32_t *ids, *wanted;
    precis_row *rows;  /* [batch]: of sessions, while they make a call */
    uint32_t *lengths; /* tokens in each sequence; their pages are the program's */
    uint32_t *before;  /* [batch]: the length that each row of a call met, to be put back when the call fails */
    uint64_t calls;    /* that ran: logits of an earlier one are gone */
};

/* What precis_runner_open does not ask for. */
typedef struct pcs_runner_how {
    const pcs_backend *backend; /* another than the usual one; NULL: that one. Weights are packed on the host alone */
    /* For statistics: every row of a call may be wanted, and no logits are made of them, so that the head's input is
     * seen at all positions at no cost; opts.outputs does not count. */
    bool inputs;
} pcs_runner_how;
precis_status pcs_runner_open(precis_ctx *ctx, precis_runner **out, const precis_model *model,
                              const precis_runner_options *opts, const pcs_runner_how *how);
/* Rows of the next call, and those of them whose logits are wanted. */
precis_status pcs_runner_size(precis_runner *r, int64_t rows, int64_t wanted);
/* For those who run the program themselves: a text of n tokens from its beginning on, in sequence 0, whose pages are
 * taken. positions are 0 to n - 1, zeros as many zeros; the arrays are borrowed until the runs end. The sequence
 * stays empty for precis_runner_decode. */
typedef struct pcs_text_rows {
    const int32_t *ids, *positions, *zeros, *outputs;
    uint32_t n;
    int64_t wanted;
} pcs_text_rows;
precis_status pcs_runner_bind(precis_runner *r, const pcs_text_rows *text);
/* Looks at the model's weights (odd.c): the first call looks at those that it reads, and what is left is looked at
 * after it, by a thread of its own where `beside`. Before a call: what was found so far; now: all of it, at once. */
precis_status pcs_behind_open(precis_runner *r, bool beside);
precis_status pcs_behind_ask(precis_runner *r);
precis_status pcs_behind_now(precis_runner *r);
/* The first call has run. */
precis_status pcs_behind_rest(precis_runner *r);
void pcs_behind_close(precis_runner *r);
/* How a message ends that says that the context is full. */
const char *pcs_context_advice(const precis_runner *r);
/* After a call: PRECIS_EFORMAT says where outputs that are not finite come from. */
precis_status pcs_outputs_finite(precis_runner *r, const precis_row *rows, uint32_t n, uint32_t wanted);

#endif
