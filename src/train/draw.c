/* draw.c - numbers by chance that weights begin with. */
#include "base/fmath.h"
#include "base/builtins.h"
#include "train/run.h"

/* Normal numbers by Box and Muller, from a state of each tensor's own. */
void pcs_train_normal(float *x, size_t n, uint64_t state, double deviation)
{
    for (size_t i = 0; i < n; i += 2) {
        double u = pcs_rand_unit(&state), sn, cs;
        const double angle = 6.28318530717958647693 * pcs_rand_unit(&state);
        u = u > 1e-300 ? u : 1e-300;
        const double radius = deviation * pcs_sqrt(-2 * pcs_log(u));
        pcs_sincos(angle, &sn, &cs);
        x[i] = (float)(radius * cs);
        if (i + 1 < n) x[i + 1] = (float)(radius * sn);
    }
}
