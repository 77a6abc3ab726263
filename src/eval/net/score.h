/* score.h - what a net's output is worth, by labels of a kind; one file and one row of scores.def each.
 *
 * A score keeps for each sample what its value is made of, so that the value of any resample of the samples can be
 * told: intervals and the gate of all kinds are one bootstrap over samples. */
#ifndef PCS_SCORE_H
#define PCS_SCORE_H

#include "base/base.h"
#include "precis/eval_net.h"

/* An output as numbers. */
typedef struct pcs_numbers {
    const char *name;
    uint32_t dims;
    int64_t shape[PRECIS_MAX_DIMS];
    size_t n, room;
    double *at; /* [n] */
    bool whole; /* the type is one of whole numbers */
} pcs_numbers;
/* From an array of any type; PRECIS_EFORMAT: a NaN (sample: whose, for the message). */
precis_status pcs_numbers_of(precis_ctx *ctx, const precis_array *a, pcs_numbers *out);
void pcs_numbers_free(precis_ctx *ctx, pcs_numbers *x);

/* Boxes of one image: x1 y1 x2 y2, class, score. */
typedef struct pcs_box { double at[4]; int64_t class_of; double score; } pcs_box;
typedef struct pcs_boxes { pcs_box *list; size_t n; } pcs_boxes;

/* What was read or said, in order. */
typedef struct pcs_reading { int64_t *at; size_t n; } pcs_reading;

typedef struct pcs_labels {
    pcs_arena arena;
    pcs_numbers classes; /* [samples] or [samples][places] */
    pcs_numbers scores;  /* [samples], or of each two that follow one another: [samples / 2] */
    pcs_reading *sequences; /* [samples]; NULL: none */
    pcs_boxes *boxes;    /* [samples]; NULL: none */
    uint64_t n, n_classes; /* n_classes: of folders; 0: unknown */
    uint32_t each;       /* samples of a label: 1, or 2 */
    bool of_reference;   /* there are none: the reference's outputs become boxes or sequences */
    char where[4200];    /* for messages */
} pcs_labels;
/* As the options say; n 0 where there are none. samples: they are of these; NULL: of some that only the caller knows,
 * each with one. one_number: the net gives that for a sample. */
precis_status pcs_labels_open(precis_ctx *ctx, pcs_labels *l, const precis_samples *samples,
                              const precis_eval_net_options *o, bool one_number);
precis_status pcs_labels_from_json(precis_ctx *ctx, pcs_labels *l, const char *path);
void pcs_labels_close(precis_ctx *ctx, pcs_labels *l);

typedef struct pcs_score pcs_score;
typedef struct pcs_score_kind {
    const char *name, *second; /* "accuracy"; another figure, or NULL */
    bool (*fits)(const pcs_labels *l, const precis_eval_net_options *o);
    precis_status (*begin)(pcs_score *s);
    /* Row `row` of the outputs, of a run of n samples, is sample i's. */
    precis_status (*add)(pcs_score *s, uint64_t i, uint64_t row, uint64_t n, const pcs_numbers *outputs);
    /* Row `row` of the reference's outputs becomes sample i's label; NULL: labels of this kind are given. */
    precis_status (*label)(pcs_score *s, pcs_labels *l, uint64_t i, uint64_t row, uint64_t n,
                           const pcs_numbers *outputs);
    /* weight: how often each label counts; NULL: once. *second may be NULL. */
    double (*value)(const pcs_score *s, const uint32_t *weight, double *second);
    /* Mean of -log of what labels have, in nats; NaN: of no classes. NULL: the kind has none. */
    double (*loss)(const pcs_score *s);
    void (*end)(pcs_score *s);
    bool share;   /* its value is a share of samples that are right: right[] says which */
    bool classes; /* the output has classes, so that two nets may agree */
} pcs_score_kind;
extern const pcs_score_kind *const pcs_scores[];

struct pcs_score {
    precis_ctx *ctx;
    const pcs_score_kind *kind;
    const pcs_labels *labels;
    const precis_eval_net_options *o;
    size_t output, n_outputs; /* the scored one */
    uint64_t n;               /* samples; with pairs, of those */
    const precis_array *inputs; /* of the run at hand */
    size_t n_inputs;
    uint8_t *right;           /* [n], of kinds that are shares */
    void *state;
};

/* Where the classes of an output lie: rows (samples), classes, places within. Whole numbers are classes themselves. */
typedef struct pcs_classes { uint64_t rows, classes, places; } pcs_classes;
/* Of a run of so many samples; of one sample the output need not have a dimension for it. false: it has no rows. */
bool pcs_classes_of(const pcs_numbers *x, uint64_t batch, pcs_classes *out);
/* The likeliest class of a place; the first of equals. */
int64_t pcs_likeliest(const pcs_numbers *x, const pcs_classes *c, uint64_t row, uint64_t place);

/* What row `row` of an output reads: classes by their order; form "ctc": repetitions are one, `blank` is none. out has
 * room for pcs_sequence_places of it. false: it has no classes along a sequence. */
bool pcs_sequence_of(const pcs_numbers *x, const precis_eval_net_options *o, uint64_t batch, uint64_t row,
                     pcs_reading *out);
/* 0: it is none. */
size_t pcs_sequence_places(const pcs_numbers *x, uint64_t batch);

/* How boxes lie in outputs: a row of detections.def (detection_forms.c). list has room for PCS_BOXES_MOST. */
enum { PCS_BOXES_MOST = 65536 };
typedef struct pcs_detection_form {
    const char *name, *what;
    precis_status (*boxes)(precis_ctx *ctx, const pcs_numbers *outputs, size_t n_outputs, size_t scored, uint64_t row,
                           pcs_boxes *out);
} pcs_detection_form;
extern const pcs_detection_form pcs_detection_forms[]; /* a name of NULL ends it */

/* Wilson's interval of k of n at 95 %. */
precis_interval pcs_wilson(uint64_t k, uint64_t n);
double pcs_box_overlap(const double a[4], const double b[4]);

#endif
