/* editor.h - lines that a person types on a terminal: editing, a history that is kept, pastes that stay whole. */
#ifndef PRECIS_EDITOR_H
#define PRECIS_EDITOR_H

#include "precis/base.h"

typedef struct cli_editor cli_editor;

/* NULL where there is no terminal. PRECIS_EUNSUPPORTED: libedit is not here, with the sentence that says so. */
precis_status cli_editor_open(precis_ctx *ctx, const char *prompt, cli_editor **out);
void cli_editor_close(cli_editor **editor);
/* Whoever waits for a character looks at cli_cancel again; may be called by a signal's handler, on any thread. */
void cli_editor_wake(void);
/* What was entered, without its newline at the end; valid until the next call. NULL: the input has ended. */
const char *cli_editor_read(cli_editor *editor, size_t *len);

#endif
