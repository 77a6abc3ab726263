/* memory.c - memory that could not be had is remembered. jansson's functions take a value that could not be made, NULL,
 * and go on without it, so that a result may lack a part without a word; hence nobody looks at each of them: whoever
 * makes a result final asks once whether anything was lacking since the start, and main asks at the end. */
#include "cli.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic bool lacking;

static void *noted(void *p)
{
    if (!p) lacking = true;
    return p;
}

static void *json_alloc(size_t bytes) { return noted(malloc(bytes)); }

void cli_memory_init(void) { json_set_alloc_funcs(json_alloc, free); }

void *cli_alloc(size_t n, size_t size) { return noted(calloc(n ? n : 1, size)); }
void *cli_grow(void *old, size_t bytes) { return noted(realloc(old, bytes)); }
char *cli_copy(const char *s) { return noted(strdup(s)); }

#ifdef __linux__
/* A stream into memory. glibc's open_memstream drops what finds no room, and says so to nobody who asks ferror(). */
typedef struct {
    char **text;
    size_t *len, room;
} text_sink;

static ssize_t take_text(void *cookie, const char *from, size_t n)
{
    text_sink *s = cookie;
    if (s->room - *s->len <= n) {
        const size_t room = (s->room + n) * 2;
        char *grown = noted(realloc(*s->text, room));
        if (!grown) return 0; /* the stream has an error from now on */
        *s->text = grown;
        s->room = room;
    }
    memcpy(*s->text + *s->len, from, n);
    *s->len += n;
    (*s->text)[*s->len] = 0;
    return (ssize_t)n;
}

static int close_text(void *cookie) { return free(cookie), 0; }

FILE *cli_text_stream(char **text, size_t *len)
{
    const cookie_io_functions_t functions = { .write = take_text, .close = close_text };
    text_sink *s = cli_alloc(1, sizeof *s);
    *text = s ? cli_alloc(1, 64) : NULL;
    *len = 0;
    if (*text) *s = (text_sink){ text, len, 64 };
    FILE *f = *text ? noted(fopencookie(s, "w", functions)) : NULL;
    if (f) return f;
    free(*text);
    free(s);
    *text = NULL;
    return NULL;
}
#else
FILE *cli_text_stream(char **text, size_t *len) { return noted(open_memstream(text, len)); }
#endif

bool cli_text_close(FILE *f, char *const *text)
{
    const bool whole = f && !ferror(f) && !fflush(f), closed = f && !fclose(f);
    return noted(whole && closed ? *text : NULL) != NULL;
}

bool cli_lacks_memory(const cli *c) { return lacking || (c->ctx && precis_ctx_refused(c->ctx)); }

int cli_no_memory(const cli *c)
{
    lacking = true;
    cli_error(c, "out of memory");
    return EXIT_RESOURCES;
}

int cli_memory_verdict(const cli *c, int rc)
{
    return rc == EXIT_RESOURCES || rc == EXIT_INTERRUPTED || !cli_lacks_memory(c) ? rc : cli_no_memory(c);
}
