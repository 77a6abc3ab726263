/* lane_sums.h - lanes of f64, in which vectors of any width sum alike, added up in one order. */
#ifndef PCS_LANE_SUMS_H
#define PCS_LANE_SUMS_H

#include "base/base.h"

PCS_INLINE double pcs_eight_lanes(const double lane[8])
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* By halves; `lane` holds what is on the way. */
PCS_INLINE double pcs_sixteen_lanes(double lane[16])
{
    for (int step = 8; step; step /= 2)
        for (int l = 0; l < step; l++) lane[l] += lane[l + step];
    return lane[0];
}

#endif
