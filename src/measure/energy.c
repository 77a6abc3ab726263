/* energy.c - joules that the processor has used, by its RAPL counters as Linux shows them (powercap;
 * Documentation/power/powercap). Often root's alone to read since CVE-2020-8694, and absent in virtual machines. */
#include "measure/machine.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER "/sys/class/powercap"
enum { PACKAGES = 16 };

static bool number(const char *folder, int package, const char *name, double *v)
{
    char path[256], text[64];
    snprintf(path, sizeof path, "%s/intel-rapl:%d/%s", folder, package, name);
    const bool read = pcs_system_text(path, text, sizeof text);
    char *end = text;
    *v = read ? strtod(text, &end) : 0;
    return read && end != text && *v >= 0;
}

bool pcs_energy_read(pcs_energy *e)
{
    const char *folder = getenv("PRECIS_POWERCAP"); /* for tests */
    *e = (pcs_energy){ 0 };
    for (; e->n < PACKAGES && number(folder ? folder : FOLDER, (int)e->n, "energy_uj", &e->at[e->n]); e->n++)
        if (!number(folder ? folder : FOLDER, (int)e->n, "max_energy_range_uj", &e->range[e->n])) e->range[e->n] = 0;
    return e->n > 0;
}

double pcs_energy_since(const pcs_energy *before, const pcs_energy *after)
{
    double sum = 0;
    for (size_t i = 0; i < before->n && i < after->n; i++) {
        const double d = after->at[i] - before->at[i];
        sum += d < 0 ? d + before->range[i] : d; /* a counter that ran over */
    }
    return sum * 1e-6;
}
