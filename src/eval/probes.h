/* probes.h - texts that precis carries, by domain. */
#ifndef PCS_PROBES_H
#define PCS_PROBES_H

#include <stddef.h>

typedef struct pcs_probe { const char *name, *text; size_t len; } pcs_probe;
extern const pcs_probe pcs_probe_texts[]; /* data/probes; ends with name == NULL */

#endif
