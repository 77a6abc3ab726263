/* term.c - what a terminal is: how wide, and whether it shows colours; words wrapped to it; and the name that was meant
 * by one that is none. */
#include "term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

enum { LEAST = 20 }; /* columns; in fewer no words stand beside one another */

int cli_columns(void)
{
    struct winsize w;
    const char *set = getenv("COLUMNS");
    const long columns = set ? strtol(set, NULL, 10) : 0;
    if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_col)
        return w.ws_col < LEAST ? LEAST : w.ws_col;
    return columns >= LEAST && columns < 10000 ? (int)columns : 120;
}

bool cli_shows_color(int fd)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && !(none && *none) && term && strcmp(term, "dumb");
}

const char *cli_color(cli_ink ink)
{
    static const char *const codes[] = { "\033[0m", "\033[1m", "\033[32m", "\033[33m", "\033[31;1m" };
    return cli_shows_color(STDOUT_FILENO) ? codes[ink] : "";
}

size_t cli_columns_of(const char *s, size_t n)
{
    size_t width = 0;
    for (size_t at = 0; at < n;) {
        utf8proc_int32_t point;
        const utf8proc_uint8_t *next = (const utf8proc_uint8_t *)s + at;
        const utf8proc_ssize_t len = utf8proc_iterate(next, (utf8proc_ssize_t)(n - at), &point);
        width += len > 0 ? (size_t)utf8proc_charwidth(point) : 1;
        at += len > 0 ? (size_t)len : 1;
    }
    return width;
}

static void fold(FILE *f, size_t width, const char *text, int at, int indent)
{
    size_t column = (size_t)at, first = 1;
    for (const char *p = text; *p;) {
        if (*p == '\n') {
            fprintf(f, "\n%*s", p[1] && p[1] != '\n' ? indent : 0, "");
            column = (size_t)indent;
            first = 1;
            p++;
            continue;
        }
        size_t blanks = strspn(p, " "), n = strcspn(p + blanks, " \n"), wide = cli_columns_of(p + blanks, n), comma = n;
        if (wide + (size_t)indent > width) { /* a list without blanks goes on after a comma */
            while (comma && (p[blanks + comma - 1] != ',' ||
                             cli_columns_of(p + blanks, comma) + (size_t)indent > width))
                comma--;
            if (comma) n = comma, wide = cli_columns_of(p + blanks, n);
        }
        if (!first && column + blanks + wide > width) {
            fprintf(f, "\n%*s", indent, "");
            column = (size_t)indent;
            blanks = first ? blanks : 0;
        } else if (blanks) {
            fprintf(f, "%*s", (int)blanks, "");
            column += blanks;
        }
        fwrite(p + strspn(p, " "), 1, n, f);
        column += wide;
        p += strspn(p, " ") + n;
        first = 0;
    }
}

void cli_fold(const char *text, int at, int indent) { fold(stdout, (size_t)cli_columns(), text, at, indent); }

void cli_fold_row(const char *row, int indent)
{
    if (isatty(STDOUT_FILENO)) cli_fold(row, 0, indent);
    else fputs(row, stdout);
    putchar('\n');
}

void cli_row(int indent, const char *fmt, ...)
{
    char row[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(row, sizeof row, fmt, ap);
    va_end(ap);
    if (isatty(STDOUT_FILENO) && cli_columns_of(row, strlen(row)) > (size_t)cli_columns()) {
        const size_t blanks = strspn(row, " ");
        size_t n = blanks < (size_t)indent ? blanks : (size_t)indent;
        for (const char *p = row + blanks; *p; p++)
            if (*p != ' ' || n < 2 || row[n - 1] != ' ' || row[n - 2] != ' ') row[n++] = *p;
        row[n] = 0;
    }
    cli_fold_row(row, indent);
}

void cli_fold_error(const char *text, int indent)
{
    struct winsize w;
    const bool shown = isatty(STDERR_FILENO) && !ioctl(STDERR_FILENO, TIOCGWINSZ, &w) && w.ws_col >= LEAST;
    if (shown) fold(stderr, w.ws_col, text, 0, indent);
    else fputs(text, stderr);
    fputc('\n', stderr);
}

void cli_say(int indent, const char *fmt, ...)
{
    char line[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    cli_fold(line, 0, indent);
    putchar('\n');
}

/* The end of a word of a command, quotes regarded. */
static const char *word_end(const char *p)
{
    for (char quote = 0; *p && (quote || *p != ' '); p++) {
        if (quote) quote = *p == quote ? 0 : quote;
        else if (*p == '\'' || *p == '"') quote = *p;
    }
    return p;
}

void cli_put_command(const char *line, int at)
{
    const size_t width = (size_t)cli_columns(), indent = strspn(line, " "), next = indent + 4;
    const char *note = strstr(line, " # ");
    size_t end = note ? (size_t)(note - line) : strlen(line), column = (size_t)at;
    while (end && line[end - 1] == ' ') end--;
    const bool whole = !isatty(STDOUT_FILENO) && !getenv("COLUMNS"); /* a program reads it */
    if (whole || column + cli_columns_of(line, strlen(line)) <= width) {
        puts(line);
        return;
    }
    if (note) { /* what is said of it stands above */
        printf("%*s", (int)indent, "");
        cli_fold(note + 1, (int)(column + indent), (int)indent + 2);
        printf("\n");
        column = 0;
    }
    bool first = true;
    for (const char *p = line + indent, *stop = line + end; p < stop; first = false) {
        const char *unit = word_end(p);
        const char *value = unit + strspn(unit, " ");
        const char *both = value < stop ? word_end(value) : value; /* an option and its value, where there is room */
        if (*p == '-' && *value != '-' && cli_columns_of(p, (size_t)(both - p)) + next + 2 <= width) unit = both;
        const size_t wide = cli_columns_of(p, (size_t)(unit - p));
        if (first) column += (size_t)printf("%*s", (int)indent, "");
        else if (column + 1 + wide + 2 > width && column > next) printf(" \\\n%*s", (int)next, ""), column = next;
        else putchar(' '), column++;
        fwrite(p, 1, (size_t)(unit - p), stdout);
        column += wide;
        p = unit + strspn(unit, " ");
    }
    putchar('\n');
}

const char *cli_quoted(const char *path, char text[CLI_QUOTED])
{
    static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    size_t n = 0;
    const char *first = *path == '-' ? "./" : ""; /* no option */
    if (path[strspn(path, bare)] == 0 && *path && !*first) return path;
    for (const char *p = first; *p; p++) text[n++] = *p;
    text[n++] = '\'';
    for (const char *p = path; *p; p++) {
        if (n + 8 > CLI_QUOTED) return path;
        if (*p == '\'') n += (size_t)snprintf(text + n, 5, "'\\''");
        else text[n++] = *p;
    }
    text[n++] = '\'';
    text[n] = 0;
    return text;
}

static int lower(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c == '-' ? '_' : c; }

/* Edits between two words, neighbours that changed places counted as one (Damerau 1964, of neighbours only). */
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 40 };
    size_t d[3][MAX + 1], n = strlen(a), m = strlen(b);
    if (n > MAX || m > MAX) return MAX;
    for (size_t j = 0; j <= m; j++) d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = d[i % 3], *above = d[(i + 2) % 3], *before = d[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = above[j - 1] + !same;
            if (above[j] + 1 < row[j]) row[j] = above[j] + 1;
            if (row[j - 1] + 1 < row[j]) row[j] = row[j - 1] + 1;
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]) &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
    }
    return d[n % 3][m];
}

void cli_meant_look(cli_meant *m, const char *name)
{
    const size_t n = strlen(m->word), whole = strlen(name);
    size_t d = distance(m->word, name);
    if (n > 2 && !strncmp(m->word, name, n) && d > 1) d = 1; /* a beginning */
    if (whole > 3 && !strncmp(m->word, name, whole) && d > 2) d = 2; /* quantize, benchmark */
    if (!m->name || d < m->far) m->name = name, m->far = d;
}

const char *cli_meant_ask(const cli_meant *m, char text[96])
{
    const size_t allowed = strlen(m->word) < 5 ? 1 : strlen(m->word) < 9 ? 2 : 3;
    *text = 0;
    if (m->name && m->far <= allowed) snprintf(text, 96, "; did you mean %s?", m->name);
    return text;
}
