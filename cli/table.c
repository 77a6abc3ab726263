/* table.c - tables as wide as what they hold. Where the terminal is narrower, each row is a paragraph of its own: its
 * first cell, and below it the others, each behind its heading. */
#include "table.h"
#include "term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CELLS = 16, GAP = 2 };

void cli_table_open(cli_table *t, const char *head)
{
    *t = (cli_table){ .f = NULL };
    t->f = cli_text_stream(&t->text, &t->len);
    cli_table_row(t, "%s", head);
}

void cli_table_row(cli_table *t, const char *fmt, ...)
{
    va_list ap;
    if (!t->f) return;
    va_start(ap, fmt);
    vfprintf(t->f, fmt, ap);
    va_end(ap);
    fputc('\n', t->f);
}

/* A line in its cells, which end where they did; *next: the line behind it. */
static int split(char *line, char *cells[CELLS], char **next)
{
    int n = 0;
    *next = line + strcspn(line, "\n");
    if (**next) *(*next)++ = 0;
    for (char *p = line; n < CELLS; *p++ = 0) {
        cells[n++] = p;
        p += strcspn(p, "\t");
        if (!*p) break;
    }
    return n;
}

static int wide(const char *s) { return (int)cli_columns_of(s, strlen(s)); }

static void put_line(char *const *cells, int n, const int *widths)
{
    for (int i = 0; i < n; i++) {
        const int blanks = widths[i] - wide(cells[i]);
        if (i) printf("%*s%s", GAP + blanks, "", cells[i]);
        else printf("%s%*s", cells[i], n > 1 ? blanks : 0, "");
    }
    putchar('\n');
}

static void put_paragraph(char *const *head, char *const *cells, int n, int heads)
{
    char text[1024];
    size_t used = 0;
    cli_fold(cells[0], 0, 4);
    for (int i = 1; i < n && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s", i > 1 ? ", " : "    ",
                                 i < heads ? head[i] : "", cells[i]);
    putchar('\n');
    if (n < 2) return;
    cli_fold(text, 0, 4);
    putchar('\n');
}

void cli_table_close(cli_table *t, bool print)
{
    char *head[CELLS], *cells[CELLS], *next;
    int widths[CELLS] = { 0 }, total = -GAP;
    const bool whole = cli_text_close(t->f, &t->text);
    char *copy = whole && print ? cli_copy(t->text) : NULL;
    for (char *p = copy; p && *p; p = next) {
        const int n = split(p, cells, &next);
        for (int i = 0; i < n; i++) widths[i] = wide(cells[i]) > widths[i] ? wide(cells[i]) : widths[i];
    }
    free(copy);
    for (int i = 0; i < CELLS; i++) total += widths[i] ? widths[i] + GAP : 0;
    const bool narrow = isatty(STDOUT_FILENO) && total > cli_columns();
    int heads = 0;
    for (char *p = whole && print ? t->text : NULL; p && *p; p = next) {
        char **line = p == t->text ? head : cells;
        const int n = split(p, line, &next);
        if (line == head) heads = n;
        if (!narrow) put_line(line, n, widths);
        else if (line != head) put_paragraph(head, line, n, heads);
    }
    free(t->text);
    t->text = NULL;
}
