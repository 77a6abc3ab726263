/* spread.h - processes that mpirun started, through a module that is loaded when there are several. */
#ifndef PRECIS_CLI_SPREAD_H
#define PRECIS_CLI_SPREAD_H

#include "cli.h"

/* One process: size 1, nothing is loaded. -1, or an exit code. */
int spread_open(const cli *c, precis_spread *s);
void spread_close(precis_spread *s);

#endif
