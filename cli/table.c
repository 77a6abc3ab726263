/* table.c - tables as wide as what they hold. Where the terminal is narrower, each row is a paragraph of its own: its
 * first cell, and below it the others, each after its heading. */
#include "table.h"
#include "term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CELLS = 16, GAP = 2 };

typedef struct { int width; bool left; } column;

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

/* A line in its cells, which end where they did; *next: the line after it. */
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

static void put_line(char *const *cells, int n, const column *columns)
{
    while (n > 1 && !*cells[n - 1]) n--;
    for (int i = 0; i < n; i++) {
        const int blanks = columns[i].width - wide(cells[i]);
        if (i) printf("%*s", GAP, "");
        if (columns[i].left) printf("%s%*s", cells[i], i + 1 < n ? blanks : 0, "");
        else printf("%*s%s", blanks, "", cells[i]);
    }
    putchar('\n');
}

/* The heading of each column, and how wide and where its cells stand; what all of them take. */
static int lay_out(char *copy, column columns[CELLS])
{
    char *cells[CELLS], *next;
    int total = -GAP;
    for (char *p = copy; p && *p; p = next) {
        const int n = split(p, cells, &next);
        for (int i = 0; i < n; i++) {
            if (p == copy) columns[i].left = !i || *cells[i] == '<';
            if (p == copy && *cells[i] == '<') cells[i]++;
            columns[i].width = wide(cells[i]) > columns[i].width ? wide(cells[i]) : columns[i].width;
        }
    }
    for (int i = 0; i < CELLS; i++) total += columns[i].width ? columns[i].width + GAP : 0;
    return total;
}

static void put_paragraph(char *const *head, char *const *cells, int n, int heads)
{
    char text[1024];
    size_t used = 0;
    cli_fold(cells[0], 0, 4);
    for (int i = 1; i < n && used < sizeof text; i++)
        if (*cells[i])
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s%s", used ? ", " : "    ",
                                     i < heads ? head[i] : "", i < heads && *head[i] ? " " : "", cells[i]);
    putchar('\n');
    if (!used) return;
    cli_fold(text, 0, 4);
    putchar('\n');
}

void cli_table_close(cli_table *t, bool print)
{
    char *head[CELLS], *cells[CELLS], *next;
    column columns[CELLS] = { 0 };
    const bool whole = cli_text_close(t->f, &t->text);
    char *copy = whole && print ? cli_copy(t->text) : NULL;
    const bool narrow = lay_out(copy, columns) > cli_columns() && isatty(STDOUT_FILENO);
    free(copy);
    int heads = 0;
    for (char *p = whole && print ? t->text : NULL; p && *p; p = next) {
        char **line = p == t->text ? head : cells;
        const int n = split(p, line, &next);
        if (line == head) heads = n;
        for (int i = 0; line == head && i < n; i++) head[i] += *head[i] == '<';
        if (!narrow) put_line(line, n, columns);
        else if (line != head) put_paragraph(head, line, n, heads);
    }
    free(t->text);
    t->text = NULL;
}

const char *cli_shown(const char *name, char text[CLI_SHOWN])
{
    snprintf(text, CLI_SHOWN, "%s", name);
    return cli_printable(text);
}
