/* observer.h - ranges of values that pass by, for fake quantization whose scale is not learned (torch's
 * MovingAverageMinMax).
 *
 * Observing and quantizing are one state here, on, frozen or off, so that neither can stay on by itself by accident. */
#ifndef PCS_OBSERVER_H
#define PCS_OBSERVER_H

#include "base/base.h"

typedef enum { PCS_OBSERVER_ON, PCS_OBSERVER_FROZEN, PCS_OBSERVER_OFF } pcs_observer_state;

/* Grids that a range becomes. */
typedef struct pcs_range_scheme {
    const char *name;
    int low, high; /* codes */
    bool symmetric;
} pcs_range_scheme;
extern const pcs_range_scheme pcs_range_schemes[]; /* a name of NULL ends it */

typedef struct pcs_observer {
    double c;  /* of the moving average */
    bool seen; /* something; the first batch sets the range */
    float low, high;
} pcs_observer;

void pcs_observe(pcs_observer *o, const float *x, size_t n);
void pcs_observer_grid(const pcs_observer *o, const pcs_range_scheme *s, float *scale, float *zero);

#endif
