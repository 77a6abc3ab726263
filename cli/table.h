/* table.h - tables whose columns are as wide as their cells (table.c). */
#ifndef PRECIS_CLI_TABLE_H
#define PRECIS_CLI_TABLE_H

#include "cli.h"

typedef struct cli_table { FILE *f; char *text; size_t len; } cli_table;

/* Rows are cells with tabs between them, first those of the head. The first column stands left, the others right, but
 * for those whose heading begins with <. What is not enough memory prints nothing: cli_lacks_memory has it counted. */
void cli_table_open(cli_table *t, const char *head);
void cli_table_row(cli_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints it, or not: what was added is wanted as JSON, or failed. */
void cli_table_close(cli_table *t, bool print);

/* A name that a file gave, as a terminal may have it: nothing in it commands one. */
enum { CLI_SHOWN = 256 };
const char *cli_shown(const char *name, char text[CLI_SHOWN]);

#endif
