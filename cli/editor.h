/* editor.h - lines that a person types on a terminal: editing, a history that is kept, pastes that stay whole. */
#ifndef PRECIS_EDITOR_H
#define PRECIS_EDITOR_H

#include <stddef.h>

typedef struct cli_editor cli_editor;

/* NULL: there is no terminal, or the program was built without libedit. */
cli_editor *cli_editor_open(const char *prompt);
void cli_editor_close(cli_editor **editor);
/* Whoever waits for a character looks at cli_cancel again; may be called by a signal's handler, on any thread. */
void cli_editor_wake(void);
/* What was entered, without its newline at the end; valid until the next call. NULL: the input has ended. */
const char *cli_editor_read(cli_editor *editor, size_t *len);

#endif
