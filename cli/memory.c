/* memory.c - memory that could not be had is remembered. jansson's functions take a value that could not be made, NULL,
 * and go on without it, so that a result may lack a part without a word; hence nobody looks at each of them: whoever
 * makes a result final asks once whether anything was lacking since the start, and main asks at the end. */
#include "cli.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static _Atomic bool lacking;

static void *noted(void *p)
{
    if (!p) lacking = true;
    return p;
}

/* ---- jansson ---------------------------------------------------------------------------------------------------- */

/* While a text is read: room for what its reader still asks for after a request has failed. */
static struct { char *spare; size_t room, used; bool lacks; } reading;

static void *json_alloc(size_t bytes)
{
    void *p = reading.lacks ? NULL : noted(malloc(bytes));
    const size_t wanted = (bytes + 15) / 16 * 16;
    if (p || !reading.spare) return p;
    reading.lacks = true;
    if (wanted < bytes || wanted > reading.room - reading.used) return NULL;
    p = reading.spare + reading.used;
    reading.used += wanted;
    return p;
}

static void json_release(void *p)
{
    const uintptr_t at = (uintptr_t)p, spare = (uintptr_t)reading.spare;
    if (!reading.spare || at < spare || at >= spare + reading.room) free(p);
}

void cli_memory_init(void) { json_set_alloc_funcs(json_alloc, json_release); }

typedef struct { const char *at; size_t left; } json_text;

static size_t more_json(void *into, size_t room, void *user)
{
    json_text *t = user;
    const size_t n = reading.lacks ? 0 : t->left < room ? t->left : room;
    memcpy(into, t->at, n);
    t->at += n;
    t->left -= n;
    return n;
}

json_t *cli_json(const char *text, size_t len, json_error_t *why)
{
    /* A kilobyte at a time is asked for; in the worst case a table of all that was read grows to twice its size. */
    enum { EACH = 16, REST = 1 << 18 };
    json_text t = { text, len };
    *why = (json_error_t){ .line = 0 };
    const size_t room = len < SIZE_MAX / EACH - REST ? len * EACH + REST : 0;
    char *spare = room ? noted(malloc(room)) : NULL;
    if (!spare) return NULL;
    reading.spare = spare;
    reading.room = room;
    reading.used = 0;
    reading.lacks = false;
    json_t *o = json_load_callback(more_json, &t, JSON_REJECT_DUPLICATES, why);
    if (reading.lacks) {
        json_decref(o);
        o = NULL;
        *why = (json_error_t){ .line = 0 };
    }
    reading.spare = NULL;
    reading.lacks = false;
    free(spare);
    return o;
}

/* ---- the rest --------------------------------------------------------------------------------------------------- */

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
