/* wrap.h - words that arrive in pieces, broken into lines of a terminal's width. */
#ifndef PRECIS_WRAP_H
#define PRECIS_WRAP_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_WORD = 256 }; /* bytes of a word that may wait; a longer one is cut by the terminal */

/* Begins as { .columns = ... }; 0 columns: nothing is broken. Lines that begin with four blanks or stand between ```
 * are code, and stay as they are. */
typedef struct cli_wrap {
    unsigned columns;
    unsigned column;     /* where the next character goes */
    size_t word_len;
    char word[CLI_WORD];
    bool blank;          /* a blank stands before the word */
    bool code;           /* between ``` */
    bool verbatim;       /* the line began so */
    unsigned blanks;     /* at the beginning of the line */
    unsigned ticks;      /* ` at the beginning of the line */
    bool begun;          /* the line has a character */
} cli_wrap;

/* n bytes of text; what may be part of a word waits. To stdout, as cli_put_text. */
void cli_wrap_text(cli_wrap *w, const char *text, size_t n);
/* The word that waits goes out. */
void cli_wrap_flush(cli_wrap *w);

#endif
