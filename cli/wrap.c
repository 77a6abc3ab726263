/* wrap.c - words broken into lines. A word waits until a blank or the end shows how long it is, so a line is broken
 * before a word and never in it, unless the word is longer than a line. */
#include "term.h"
#include "wrap.h"

#include <string.h>

enum { CODE_BLANKS = 4 }; /* as in Markdown */

static void new_line(cli_wrap *w)
{
    putchar('\n');
    w->column = 0;
    w->blank = w->begun = w->verbatim = false;
    w->ticks = w->blanks = 0;
}

void cli_wrap_flush(cli_wrap *w)
{
    if (!w->word_len && !w->blank) return;
    const unsigned width = (unsigned)cli_columns_of(w->word, w->word_len);
    const bool breaks = w->blank && w->column && w->word_len && w->column + 1 + width > w->columns;
    if (breaks) {
        putchar('\n');
        w->column = 0;
    } else if (w->blank) {
        putchar(' ');
        w->column++;
    }
    cli_put_text(w->word, w->word_len);
    w->column += width;
    if (w->column > w->columns) w->column %= w->columns; /* a word that the terminal broke */
    w->word_len = 0;
    w->blank = false;
}

/* Does the line go out as it is? Decided by how it begins. */
static bool as_it_is(cli_wrap *w, char ch)
{
    if (!w->begun && ch == ' ') return ++w->blanks >= CODE_BLANKS && (w->verbatim = true);
    if (!w->begun && ch == '\t') w->verbatim = true;
    if (ch == '`' && (!w->begun || w->ticks)) {
        if (++w->ticks == 3) w->code = !w->code;
    } else if (w->ticks < 3) {
        w->ticks = 0;
    }
    w->begun = true;
    return w->verbatim || w->code || w->ticks >= 3;
}

static void put(cli_wrap *w, char ch)
{
    if (ch == '\n') {
        if (w->blank && !w->word_len) w->blank = false; /* blanks at the end of a line */
        cli_wrap_flush(w);
        new_line(w);
    } else if (as_it_is(w, ch)) {
        cli_wrap_flush(w);
        cli_put_text(&ch, 1);
    } else if (ch == ' ') {
        if (w->blank || w->word_len) cli_wrap_flush(w);
        w->blank = true;
    } else {
        if (w->word_len == CLI_WORD) cli_wrap_flush(w);
        w->word[w->word_len++] = ch;
    }
}

void cli_wrap_text(cli_wrap *w, const char *text, size_t n)
{
    if (!w->columns) {
        cli_put_text(text, n);
        return;
    }
    for (size_t i = 0; i < n; i++) put(w, text[i]);
}
