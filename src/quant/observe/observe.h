/* observe.h - observers: what range the values of a tensor have, found from batches that pass by.
 *
 * An observer is a row: how much it keeps, how it sees a batch, what range it gives. It keeps a bounded state, whatever
 * the number of batches (but `recorder`, which is what its name says). Infinities are left out and counted; a NaN is an
 * error that names the value and the batch. An observer that saw nothing has no range: that is an error, too, where
 * torch gives scale 1 with a warning. */
#ifndef PCS_OBSERVE_H
#define PCS_OBSERVE_H

#include "quant/observe/qparams.h"

typedef struct pcs_observer_options {
    pcs_like like;       /* whose arithmetic, where an observer has several */
    uint32_t channels;   /* 1: one range for all; else one for each */
    double averaging;    /* of moving averages: how much of a new batch is taken; 0.01 */
    double percentile;   /* of values that are kept, of a hundred; 99.999 */
    uint32_t bins;       /* of histograms; 0: 2,048 (onnxruntime's entropy: 128) */
    uint32_t levels;     /* entropy: bins after quantization; 128 */
    double power;        /* distribution: 1 ("same") or 1.0 / 3 ("p3") */
    bool symmetric;      /* a range of -x to x, where the observer can give one */
    bool at_once;        /* histograms of onnxruntime: one call with all batches, so the values come twice */
    float low, high;     /* fixed: the range */
    pcs_qscheme scheme;  /* what the range is for: histogram and mse search with its codes */
} pcs_observer_options;
#define PCS_OBSERVER_OPTIONS_INIT { .channels = 1, .averaging = 0.01, .percentile = 99.999, .levels = 128, .power = 1, \
                                    .scheme = { .low = -128, .high = 127 } }

typedef struct pcs_observation pcs_observation;

/* A kind of observer; one file and one row of observers.def. */
typedef struct pcs_observer_kind {
    const char *name, *what;
    bool per_channel;        /* has a range for each channel, when asked */
    bool needs_nothing;      /* has a range without values (fixed) */
    /* Bytes of state for each channel, zeroed before `begin`. */
    size_t state;
    uint32_t (*passes)(const pcs_observer_options *o);  /* how often the values must come; NULL: once */
    precis_status (*begin)(pcs_observation *o);         /* checks options, fills the state; NULL: zeros will do */
    /* The n > 0 finite values of a channel in one batch. */
    precis_status (*see)(pcs_observation *o, uint32_t channel, const float *x, size_t n);
    precis_status (*range)(pcs_observation *o, uint32_t channel, float *low, float *high); /* NULL: it has none */
    /* mean and standard deviation; what is kept (values of recorder, counts of histogram); NULL where there is none */
    precis_status (*moments)(pcs_observation *o, uint32_t channel, float *mean, float *deviation);
    const float *(*kept)(const pcs_observation *o, size_t *n);
    void (*close)(pcs_observation *o);                  /* what the state holds beside itself; may be NULL */
} pcs_observer_kind;

extern const pcs_observer_kind *const pcs_observers[]; /* NULL ends it */
const pcs_observer_kind *pcs_observer_by_name(const char *name); /* NULL name: the default (minmax); NULL: none */

/* The observer of one value. One thread at a time. */
struct pcs_observation {
    precis_ctx *ctx;
    const pcs_observer_kind *kind;
    char *value;              /* name, for messages */
    pcs_observer_options o;
    uint64_t batches;         /* that had a value, in this pass */
    uint64_t seen, infinite;  /* values of the first pass; `infinite` were left out */
    uint32_t pass;
    void *state;              /* [channels] of kind->state bytes */
    float *room;              /* values of a channel in a batch, without infinities; [room_n] */
    size_t room_n;
};

/* PRECIS_EINVAL: options that the kind cannot have, named. */
precis_status pcs_observation_open(precis_ctx *ctx, pcs_observation **out, const pcs_observer_kind *kind,
                                   const char *value, const pcs_observer_options *options);
void pcs_observation_close(pcs_observation **o);
/* One batch x[outer][channels][inner]. PRECIS_EFORMAT: a NaN, with value and place. */
precis_status pcs_observation_see(pcs_observation *o, const float *x, uint64_t outer, uint64_t inner);
/* How often all batches must be seen; between two passes `again` is called. */
uint32_t pcs_observation_passes(const pcs_observation *o);
precis_status pcs_observation_again(pcs_observation *o);
/* low[channels], high[channels]. PRECIS_EINVAL: it saw nothing, or has no range to give; the value is named. */
precis_status pcs_observation_range(pcs_observation *o, float *low, float *high);
/* out[channels], by the scheme of the options. */
precis_status pcs_observation_qparams(pcs_observation *o, pcs_qparams *out);

static inline void *pcs_observation_state(const pcs_observation *o, uint32_t channel)
{
    return (char *)o->state + (size_t)channel * o->kind->state;
}

/* Smallest and largest of n > 0 values. */
void pcs_extremes(const float *x, size_t n, float *low, float *high);

#endif
