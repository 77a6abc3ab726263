/* term.h - widths, colours, and names that were meant (term.c); the verdict of a job (verdict.c). */
#ifndef PRECIS_CLI_TERM_H
#define PRECIS_CLI_TERM_H

#include "cli.h"

/* Columns of the terminal that stdout is; elsewhere what COLUMNS says, or 120. */
int cli_columns(void);
/* A terminal that shows colours, and NO_COLOR is not set (or empty). */
bool cli_shows_color(int fd);
/* What begins a colour; "" where stdout is no terminal or NO_COLOR is set. CLI_PLAIN ends it. */
typedef enum { CLI_PLAIN, CLI_BOLD, CLI_GOOD, CLI_CARE, CLI_BAD } cli_ink;
const char *cli_color(cli_ink ink);
/* Columns that bytes of UTF-8 take on a terminal: two for a character of Chinese, none for an accent of its own. */
size_t cli_columns_of(const char *s, size_t n);
/* Words to stdout from column `at` on; lines go on at `indent`. Newlines in text stay. */
void cli_fold(const char *text, int at, int indent);

/* A line of a list: folded on a terminal, whole for programs. */
void cli_fold_row(const char *row, int indent);
/* A line to stderr, folded where that is a terminal. */
void cli_fold_error(const char *text, int indent);
/* A line with a command, from column `at` on. On a terminal that is too narrow it goes on after a backslash, so that
 * it can be copied all the same. */
void cli_put_command(const char *line, int at);

/* The completion of bash, zsh or fish to stdout (completion.c); false: no such shell. */
bool cli_completion(const char *shell);

/* Which of some names a word that is none of them was meant for. */
typedef struct cli_meant { const char *word, *name; size_t far; } cli_meant;
void cli_meant_look(cli_meant *m, const char *name);
/* A path as a shell takes it: as it is, or in quotes; one that is too long stays as it is. */
enum { CLI_QUOTED = 4200 };
const char *cli_quoted(const char *path, char text[CLI_QUOTED]);
/* "; did you mean quant?", or "". */
const char *cli_meant_ask(const cli_meant *m, char text[96]);

/* The end of `quant`: how much smaller, at what loss, who reads it, what next. before: bytes of the input. */
typedef struct cli_verdict {
    const precis_job *job;
    const char *out, *method;
    uint64_t before;
    bool packed;
    const char *architecture; /* of the model; "": the file does not say */
    const char *input;        /* as it was named */
    bool reads;               /* does it tell the next tokens of a text? */
    bool tokenizes;           /* has it a tokenizer? */
} cli_verdict;
void cli_verdict_print(const cli_verdict *v);
json_t *cli_verdict_json(const cli_verdict *v);
/* -1, or the exit code of a name that says another container than what will be written; types: NULL, or the plan of
 * what is asked for. */
int cli_verdict_name(const cli *c, const char *out, const precis_plan *plan, bool packed);

#endif
