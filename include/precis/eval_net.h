/* precis/eval_net.h - what a net of arrays gets right, and what it lost against another.
 *
 * Labels decide what is measured: a class for each sample (accuracy of the likeliest), a class for each place (mIoU),
 * boxes (mAP), sequences (read texts), scores of pairs of samples (Spearman); docs/nets.md has their forms. Boxes and
 * sequences without labels are those of the reference. All figures have intervals of 95 %. Threads: as the context. */
#ifndef PRECIS_EVAL_NET_H
#define PRECIS_EVAL_NET_H

#include "precis/eval.h"
#include "precis/samples.h"

#ifdef __cplusplus
extern "C" {
#endif

struct precis_eval_net_result;
typedef struct precis_eval_net_options {
    uint32_t size;          /* sizeof of this struct, set by _INIT                                           */
    const char *labels;     /* .npy, .txt (a whole number in each line) or .json; NULL: by folders, or none  */
    const char *output;     /* the output that is scored; NULL: the first                                    */
    const char *detections; /* form of boxes: "xyxy", "parts", "yolov8", "yolov5"; NULL: "xyxy"              */
    uint64_t    batch;      /* samples of a run where the net's batch is free; 0: 16                         */
    int64_t     ignore;     /* mIoU: the label of places that do not count; 255                              */
    double      max_drop;   /* margin of the gate, 0 to 1; negative: no gate                                 */
    const char *sequence;   /* the output gives sequences: "ctc", "plain"; NULL: it does not                 */
    int64_t     blank;      /* ctc: the class that is no element; negative: the last one                     */
    const char *mask;       /* pairs: the input that is 0 at tokens that do not count; NULL: attention_mask, if any */
    double      least;      /* boxes that the reference is said to have score that much; 0.25                */
    /* After each run: n, score and net (NaN: not told yet), agree and sqnr_db of the samples so far; NULL: none */
    void      (*each)(void *user, const struct precis_eval_net_result *so_far);
    void       *user;
} precis_eval_net_options;
#define PRECIS_EVAL_NET_OPTIONS_INIT \
    { sizeof(precis_eval_net_options), NULL, NULL, NULL, 0, 255, -1, NULL, 0, NULL, 0.25, NULL, NULL }

/* 95 %: Wilson's for shares of samples, else the bootstrap's over samples (seeded by the context). */
typedef struct precis_interval { double value, low, high; } precis_interval;

typedef struct precis_eval_net_result {
    uint32_t    size;      /* sizeof of this struct, set by the caller                                       */
    uint64_t    n;         /* samples; pairs of them, where those have labels                                */
    const char *score;     /* "accuracy", "miou", "map", "exact", "spearman"; NULL: without labels           */
    precis_interval net, reference; /* that score                                                            */
    precis_interval drop;  /* reference less net, paired by sample                                           */
    const char *second;    /* another figure beside it: "pixel_accuracy", "map50", "edits", "pearson"; NULL  */
    double      second_net, second_reference;
    int         has_reference; /* what is of the reference, and the rest, holds                              */
    int         has_agree;     /* the output has classes                                                     */
    precis_interval agree; /* share of samples (mIoU: of places) with the same likeliest class               */
    double      sqnr_db;   /* of the scored output: 10 log10 of the reference's squares over the error's     */
    int         identical; /* no output differs in a bit                                                     */
    uint64_t    to_wrong, to_right; /* accuracy: samples that only one of the two has right                  */
    double      mcnemar;   /* exact two-sided probability of such changes where the nets are equally good    */
    precis_gate_result gate;        /* with max_drop                                                         */
    int         share;     /* the score is a share of samples: to_wrong, to_right, mcnemar hold              */
    int         by_reference; /* without labels: what the reference says is right                            */
    double      loss, loss_reference; /* accuracy: mean cross entropy in nats, of logits or probabilities;
                                         NaN: none                                                           */
} precis_eval_net_result;

/* Runs the net, and the reference (may be NULL) on the same samples. PRECIS_EINVAL: labels that are not the samples',
 * or of no form that suits the output, said with both; PRECIS_EFORMAT: an output is NaN, named with its sample;
 * PRECIS_ECANCELED: the result is of the n samples that were done (0: none), and without the gate. */
PRECIS_API precis_status precis_eval_net(precis_ctx *ctx, precis_net *net, precis_net *reference,
                                         precis_samples *samples, const precis_eval_net_options *opts,
                                         precis_eval_net_result *result);

/* ---- node by node -------------------------------------------------------------------------------------- */

/* Why a node loses, and the one option of `quant` that mends it with what it is predicted to bring. */
typedef struct precis_node_cause {
    const char *cause;  /* "clipped", "outlier channel", "dead channel", "range far from data", "shared range", "bias",
                           "rounding", "weights"; NULL: it is none of the worst                                */
    const char *option;
    double      gain_db;   /* of the node's own error; infinite: all of it                                    */
    char        detail[160];
} precis_node_cause;

/* A value that both nets have. Decibels: 10 log10 of the float values' squares over the error's; infinite: no error. */
typedef struct precis_node_error {
    uint32_t    size;      /* sizeof of this struct, set by the library                                       */
    const char *name, *op; /* of the output in the file; what makes it                                        */
    double      sqnr_db;   /* as the net runs: carried in and added                                           */
    double      added_db;  /* of this node alone, when what goes into it is the float net's                   */
    double      carried_db; /* what comes in from the nodes before it                                          */
    double      clipped;   /* share of values beyond the range of its codes                                   */
    int         rounded;   /* it has codes                                                                    */
    int         worst;     /* its place among the worst, from 1; 0: it is none of them                         */
    precis_node_cause why;
} precis_node_error;

typedef struct precis_node_errors precis_node_errors;

/* Both nets on all samples, value by value, matched by their names in the files (outputs of nodes; where a file has
 * others, by the nodes' names). The nets and samples must live as long. PRECIS_EINVAL: no names match.
 * PRECIS_ECANCELED: *out is of the samples that were done; NULL: none were. */
PRECIS_API precis_status precis_eval_nodes(precis_ctx *ctx, precis_net *net, precis_net *reference,
                                           precis_samples *samples, precis_node_errors **out);
PRECIS_API size_t precis_node_errors_count(const precis_node_errors *e);
PRECIS_API uint64_t precis_node_errors_samples(const precis_node_errors *e);
/* In the order of the net; NULL after the last. */
PRECIS_API const precis_node_error *precis_node_errors_get(const precis_node_errors *e, size_t i);
PRECIS_API void precis_node_errors_close(precis_node_errors **e);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_EVAL_NET_H */
