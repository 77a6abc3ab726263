/* lanes.h - sums in 8 lanes of f64, which vectors of any width make alike. */
#ifndef PCS_GRAPH_LANES_H
#define PCS_GRAPH_LANES_H

/* All lanes, as the kernel `dot` adds them. */
static inline double pcs_eight_lanes(const double lane[8])
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

#endif
