/* text.c - bytes of files, arguments and models on their way to a terminal or into JSON. */
#include "cli.h"

#include <string.h>
#include <unistd.h>

/* Bytes of the UTF-8 character at s, of n that are left; 0: there is none. *control: it would command a terminal. */
static size_t character(const char *s, size_t n, bool *control)
{
    const unsigned char *p = (const unsigned char *)s;
    const size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    *control = p[0] < 32 || p[0] == 127 || (p[0] == 0xc2 && n > 1 && p[1] < 0xa0);
    if (!len || len > n) return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    /* longer than need be, a surrogate, or beyond U+10FFFF */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0;
    return len;
}

bool cli_is_text(const char *s)
{
    bool control;
    for (size_t n, left = strlen(s); left; s += n, left -= n)
        if (!(n = character(s, left, &control))) return false;
    return true;
}

char *cli_printable(char *s)
{
    bool control;
    char *p = s;
    for (size_t n, left = strlen(s); left; p += n, left -= n) {
        n = character(p, left, &control);
        if (!n || control) memset(p, '?', n ? n : (n = 1));
    }
    return s;
}

static bool to_terminal(void)
{
    static int terminal = -1; /* one stdout a process */
    if (terminal < 0) terminal = isatty(STDOUT_FILENO);
    return terminal;
}

void cli_put_quoted(const char *s, size_t n)
{
    bool control;
    putchar('"');
    for (size_t at = 0, k; at < n; at += k) {
        k = character(s + at, n - at, &control);
        const bool escaped = k ? control : to_terminal(); /* a byte token is a part of a character */
        if (s[at] == '"' || s[at] == '\\') printf("\\%c", s[at]);
        else if (s[at] == '\n') printf("\\n");
        else if (!escaped) fwrite(s + at, 1, k ? k : 1, stdout);
        for (size_t i = 0; escaped && s[at] != '\n' && i < (k ? k : 1); i++)
            printf("\\x%02x", (unsigned char)s[at + i]);
        k = k ? k : 1;
    }
    putchar('"');
}

void cli_put_text(const char *s, size_t n)
{
    bool control;
    if (!to_terminal()) {
        fwrite(s, 1, n, stdout);
        return;
    }
    for (size_t at = 0, k; at < n; at += k) {
        k = character(s + at, n - at, &control);
        if (control && s[at] != '\n' && s[at] != '\t') printf("\\x%02x", (unsigned char)s[at]), k = 1;
        else fwrite(s + at, 1, k ? k : (k = 1), stdout); /* the rest of a character may come with the next piece */
    }
}

int cli_need_text(const cli *c)
{
    for (int i = 0; i < c->n_args; i++)
        if (!cli_is_text(c->args[i]))
            return cli_usage(c, "\"%s\" is no UTF-8, and JSON and manifests can hold nothing else; rename it",
                             c->args[i]);
    for (int i = 0; i < c->n_given; i++)
        if (c->given[i].value && !cli_is_text(c->given[i].value))
            return cli_usage(c, "%s \"%s\" is no UTF-8, and JSON and manifests can hold nothing else",
                             c->given[i].option->name, c->given[i].value);
    return -1;
}
