/* samples.h - what a net is shown so that something of it can be measured: windows of tokens, or arrays. Whoever
 * measures has taps or callbacks; that samples are counted, bound and run is written once (pcs_samples_run), and what a
 * kind of sample is, is one row of samples.def.
 *
 * A set of samples may be run any number of times, in one thread, on any programs of its kind's inputs. */
#ifndef PCS_SAMPLES_H
#define PCS_SAMPLES_H

#include "precis/samples.h"
#include "quant/windows.h"
#include "run/runner.h"

/* One sample, and where its rows begin among those of all samples before it. rows: tokens of a window, items of a
 * batch. wanted: rows of which the net's outputs are made. */
typedef struct pcs_sample { size_t i; uint64_t first, rows, first_wanted, wanted; } pcs_sample;

/* Where a sample is bound. */
typedef struct pcs_sample_input { const char *name; precis_value value; } pcs_sample_input;
typedef struct pcs_subject {
    precis_program *program;
    precis_runner *runner;   /* of tokens: whose program it is, or NULL: */
    const pcs_lm *lm;        /* its values, of a net without a cache */
    const pcs_sample_input *inputs; /* of arrays: the net's inputs by name */
    size_t n_inputs;
} pcs_subject;

typedef struct pcs_samples pcs_samples;
typedef struct pcs_sample_kind {
    const char *name;
    uint64_t (*rows)(const pcs_samples *s, size_t i);
    uint64_t (*wanted)(const pcs_samples *s, size_t i); /* NULL: all rows */
    /* Sizes and inputs of the next run. What is bound is the samples' own, until the next one is. */
    precis_status (*bind)(pcs_samples *s, const pcs_sample *at, const pcs_subject *to);
    /* Instead of bind and run: a call that checks the outputs, too; NULL: there is none. */
    precis_status (*decode)(pcs_samples *s, const pcs_sample *at, const pcs_subject *to);
    void (*close)(pcs_samples *s);
} pcs_sample_kind;
extern const pcs_sample_kind *const pcs_sample_kinds[]; /* NULL ends it */

/* Which positions of a window the logits are wanted of. */
typedef enum { PCS_WANT_FIRST, PCS_WANT_ALL, PCS_WANT_SECOND_HALF } pcs_positions;

struct pcs_samples {
    const pcs_sample_kind *kind;
    precis_ctx *ctx;
    size_t n;
    uint64_t n_rows;     /* of all */
    /* tokens */
    const pcs_windows *windows; /* borrowed */
    pcs_positions want;
    uint32_t stride;     /* of the positions that are wanted: every so many */
    uint32_t most;       /* tokens of a window that are shown */
    uint64_t *starts;    /* of windows in their ids */
    int32_t *positions, *zeros, *outputs;
    precis_row *decoded;
    /* arrays */
    precis_samples *arrays; /* borrowed */
    uint64_t batch;
};

/* The windows are borrowed until it is closed. */
precis_status pcs_samples_of_windows(precis_ctx *ctx, pcs_samples *s, const pcs_windows *windows, pcs_positions want,
                                     uint32_t stride);
/* Show the beginnings of longer windows only. */
void pcs_samples_cut(pcs_samples *s, uint32_t most);
/* Arrays for a net's inputs, `batch` of them a run, or as many as the net takes. They are read when they are bound.
 * Borrowed until it is closed. */
precis_status pcs_samples_of_arrays(precis_ctx *ctx, pcs_samples *s, precis_samples *arrays, uint64_t batch);
void pcs_samples_close(pcs_samples *s);

/* An array becomes the input of its name: its type and shape must be the net's; symbols take its sizes. PRECIS_EINVAL
 * says both. Its data must live until the run ends. */
precis_status pcs_bind_array(precis_ctx *ctx, const pcs_subject *to, const precis_array *a);

/* How samples are run. */
typedef struct pcs_samples_pass {
    pcs_subject on;
    const char *stage;    /* of progress; NULL: none is told */
    bool checked;         /* outputs are checked as those of precis_runner_decode are; whole runs only */
    bool part;            /* only what follows: */
    precis_value cut;     /* a value whose state is taken from an earlier pass instead of computed; -1: none */
    const float *states;  /* [n_rows][width] of cut */
    uint64_t width;
    size_t from, to;      /* steps [from, to) after the preamble, which is always run; to <= from: none */
    /* Either may be NULL. before: nothing is bound yet; after: values of the run are there. */
    precis_status (*before)(void *user, const pcs_sample *sample);
    precis_status (*after)(void *user, const pcs_sample *sample);
    /* Of a part: after the preamble, to write values that the steps read; or NULL. */
    precis_status (*enter)(void *user, const pcs_sample *sample);
    void *user;
} pcs_samples_pass;
/* The one loop: every sample is bound and run. */
precis_status pcs_samples_run(pcs_samples *s, const pcs_samples_pass *pass);
/* One of them, for a loop in a loop (two models side by side). */
precis_status pcs_samples_run_one(pcs_samples *s, const pcs_sample *sample, const pcs_samples_pass *pass);

#endif
