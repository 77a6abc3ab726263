/* editor.c - a line editor by libedit. Characters are read here and not by libedit, so that a signal ends the wait, a
 * paste (which a terminal marks when it is asked to) is one text with its newlines, and Ctrl-C empties the line. */
#include "editor.h"
#include "cli.h"

#include <unistd.h>

static const char editing[] = "editing of lines, with their history,";

#if PCS_HAVE_EDIT
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>

#define EDIT_CALLS(F) \
    F(el_init) F(el_end) F(el_get) F(el_set) F(el_wset) F(el_resize) F(el_gets) F(el_line) F(el_wline) F(el_cursor) \
    F(el_winsertstr) F(el_deletestr) F(history_init) F(history_end) F(history)
PRECIS_PART_FUNCTIONS("EDIT", libedit, EDIT_CALLS)
static libedit lib; /* libedit's callbacks have no place for it */

enum { HISTORY_ENTRIES = 1000, PASTE = 1 << 20 /* characters of one paste at most */ };

static const char paste_ends[] = "\033[201~";

struct cli_editor {
    EditLine *el;
    History *history;
    char prompt[64];
    char path[4096]; /* of the history; empty: it is not kept */
    char *line;      /* the last one that was read */
    locale_t utf8;
};

static volatile sig_atomic_t resized;
/* A signal may come between the look at cli_cancel and the wait, and on a thread of the pool, so that the wait is not
 * interrupted: its handler writes into a pipe. */
static int wakes[2] = { -1, -1 };
static bool marking; /* the terminal was asked to mark pastes */

void cli_editor_wake(void)
{
    const int error = errno;
    if (wakes[1] >= 0 && write(wakes[1], "", 1) < 0) {} /* full: it wakes already */
    errno = error;
}

static void on_resize(int sig)
{
    (void)sig;
    resized = 1;
    cli_editor_wake();
}

static char *prompt_of(EditLine *el)
{
    cli_editor *e;
    lib.el_get(el, EL_CLIENTDATA, &e);
    return e->prompt;
}

/* One byte of stdin: 1; 0 at its end, and when the program is to stop. */
static int read_byte(EditLine *el, unsigned char *byte)
{
    if (!marking) { /* libedit has the terminal as it wants it by now */
        marking = true;
        fputs("\033[?2004h", stderr);
        fflush(stderr);
    }
    for (;;) {
        struct pollfd wait[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = wakes[0], .events = POLLIN } };
        const int ready = poll(wait, 2, -1);
        char drained[64];
        if (wait[1].revents && read(wakes[0], drained, sizeof drained) < 0 && errno != EAGAIN) return 0;
        if (cli_cancel || (ready < 0 && errno != EINTR)) return 0;
        if (resized) {
            resized = 0;
            fputs("\r\033[J", stderr); /* libedit draws from where the cursor is, as if nothing stood there */
            lib.el_resize(el);
            lib.el_set(el, EL_REFRESH);
        }
        if (ready <= 0 || !wait[0].revents) continue;
        const ssize_t n = read(STDIN_FILENO, byte, 1);
        if (n == 1) return 1;
        if (n == 0 || errno != EINTR) return 0;
    }
}

/* A character out of its UTF-8 bytes; one that is broken becomes U+FFFD. */
static int read_character(EditLine *el, wchar_t *out)
{
    unsigned char byte;
    if (!read_byte(el, &byte)) return 0;
    const int more = byte < 0xc2 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : byte < 0xf5 ? 3 : 0;
    uint32_t point = more ? byte & (0x3fu >> more) : byte < 0x80 ? byte : 0xfffd;
    for (int i = 0; i < more; i++) {
        if (!read_byte(el, &byte)) return 0;
        if ((byte & 0xc0) != 0x80) {
            point = 0xfffd;
            break;
        }
        point = point << 6 | (byte & 0x3f);
    }
    *out = (wchar_t)point;
    return 1;
}

/* The terminal said that a paste begins: all of it up to its end mark becomes part of the line. */
static unsigned char on_paste(EditLine *el, int ch)
{
    (void)ch;
    enum { MARK = sizeof paste_ends - 1, ROOM = PASTE + MARK + 1 };
    size_t n = 0, cap = 0, mark = 0, all = 0;
    wchar_t *text = NULL, c;
    while (mark < MARK && read_character(el, &c) == 1) {
        mark = c == paste_ends[mark] ? mark + 1 : c == paste_ends[0] ? 1 : 0;
        if (n + 1 >= cap && cap < ROOM) {
            wchar_t *grown = realloc(text, (cap = 2 * cap + 256 < ROOM ? 2 * cap + 256 : ROOM) * sizeof *text);
            if (!grown) free(text), n = cap = 0; /* and all that comes is left out */
            text = grown;
        }
        if (n + 1 < cap) text[n++] = c == L'\r' ? L'\n' : c;
        all++;
    }
    if (all > n) { /* half a text would be another text */
        fprintf(stderr, "\r\nThe paste is left out: %zu characters, and no more than %d are taken at once.\r\n",
                all - MARK, PASTE);
        free(text);
        return CC_REDISPLAY;
    }
    n = mark == MARK && n >= mark ? n - mark : n;
    while (n && text[n - 1] == L'\n') n--; /* so that it does not look as if it had been sent */
    if (text) text[n] = 0;
    if (n) lib.el_winsertstr(el, text);
    free(text);
    return CC_REFRESH;
}

static unsigned char on_interrupt_key(EditLine *el, int ch)
{
    (void)ch;
    const LineInfo *line = lib.el_line(el);
    const int n = (int)(line->lastchar - line->cursor);
    lib.el_cursor(el, n);
    const LineInfoW *wide = lib.el_wline(el);
    lib.el_deletestr(el, (int)(wide->lastchar - wide->buffer));
    return CC_REDISPLAY;
}

static unsigned char on_suspend_key(EditLine *el, int ch)
{
    (void)ch;
    (void)el;
    raise(SIGTSTP);
    return CC_REDISPLAY;
}

/* ~/.local/state/precis/history, whose folder is made when it is not there. */
static void find_history(cli_editor *e)
{
    static const char name[] = "/history";
    if (precis_user_folder(PRECIS_USER_STATE, NULL, 1, e->path, sizeof e->path - sizeof name))
        memcpy(e->path + strlen(e->path), name, sizeof name);
    else *e->path = 0;
}

static void bind_keys(EditLine *el)
{
    lib.el_set(el, EL_ADDFN, "precis-paste", "a paste is one text", on_paste);
    lib.el_set(el, EL_ADDFN, "precis-empty", "empty the line", on_interrupt_key);
    lib.el_set(el, EL_ADDFN, "precis-suspend", "suspend the program", on_suspend_key);
    lib.el_set(el, EL_BIND, "-s", "\\e[H", "^A", NULL);
    lib.el_set(el, EL_BIND, "\\e[200~", "precis-paste", NULL);
    lib.el_set(el, EL_BIND, "^C", "precis-empty", NULL);
    lib.el_set(el, EL_BIND, "^Z", "precis-suspend", NULL);
    lib.el_set(el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    lib.el_set(el, EL_BIND, "\\e[1~", "ed-move-to-beg", NULL);
    lib.el_set(el, EL_BIND, "\\e[4~", "ed-move-to-end", NULL);
    lib.el_set(el, EL_BIND, "\\e[3~", "ed-delete-next-char", NULL);
    lib.el_set(el, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    lib.el_set(el, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
}

static bool open_pipe(int ends[2])
{
#ifdef __APPLE__
    bool made = !pipe(ends);
    for (int i = 0; made && i < 2; i++)
        made = !fcntl(ends[i], F_SETFD, FD_CLOEXEC) && !fcntl(ends[i], F_SETFL, O_NONBLOCK);
    return made;
#else
    return !pipe2(ends, O_CLOEXEC | O_NONBLOCK);
#endif
}

static cli_editor *open_editor(const char *prompt)
{
    cli_editor *e = cli_alloc(1, sizeof *e);
    if (!e) return NULL;
    e->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (e->utf8) uselocale(e->utf8); /* of this thread: libedit takes characters by it */
    snprintf(e->prompt, sizeof e->prompt, "%s", prompt);
    e->history = lib.history_init();
    e->el = lib.el_init("precis", stdin, stderr, stderr);
    if (!e->history || !e->el) {
        cli_editor_close(&e);
        return NULL;
    }
    HistEvent event;
    find_history(e);
    lib.history(e->history, &event, H_SETSIZE, HISTORY_ENTRIES);
    lib.history(e->history, &event, H_SETUNIQUE, 1);
    if (*e->path) lib.history(e->history, &event, H_LOAD, e->path);
    lib.el_set(e->el, EL_CLIENTDATA, e);
    lib.el_set(e->el, EL_PROMPT, prompt_of);
    lib.el_set(e->el, EL_EDITOR, "emacs");
    lib.el_set(e->el, EL_HIST, lib.history, e->history);
    lib.el_wset(e->el, EL_GETCFN, read_character);
    lib.el_set(e->el, EL_SETTY, "-d", "-isig", NULL);
    bind_keys(e->el);
    struct sigaction sa = { .sa_handler = on_resize };
    sigaction(SIGWINCH, &sa, NULL);
    return e;
}

precis_status cli_editor_open(precis_ctx *ctx, const char *prompt, cli_editor **out)
{
    *out = NULL;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return PRECIS_OK;
    const precis_status st = libedit_open(ctx, editing, &lib);
    if (!st && open_pipe(wakes)) *out = open_editor(prompt);
    return st;
}

void cli_editor_close(cli_editor **editor)
{
    cli_editor *e = *editor;
    if (!e) return;
    HistEvent event;
    if (e->history && *e->path) lib.history(e->history, &event, H_SAVE, e->path);
    if (e->el) lib.el_end(e->el);
    if (e->history) lib.history_end(e->history);
    if (e->utf8) {
        uselocale(LC_GLOBAL_LOCALE);
        freelocale(e->utf8);
    }
    for (int i = 0; i < 2; i++) {
        const int fd = wakes[i];
        wakes[i] = -1;
        close(fd);
    }
    free(e->line);
    free(e);
    *editor = NULL;
}

const char *cli_editor_read(cli_editor *e, size_t *len)
{
    int n = 0;
    const char *line = lib.el_gets(e->el, &n);
    if (marking) fputs("\033[?2004l", stderr);
    fflush(stderr);
    marking = false;
    if (!line || n <= 0 || cli_cancel) return NULL;
    free(e->line);
    *len = (size_t)n;
    while (*len && line[*len - 1] == '\n') --*len;
    e->line = strndup(line, *len);
    HistEvent event;
    if (e->line && *e->line) lib.history(e->history, &event, H_ENTER, e->line);
    return e->line;
}

#else

void cli_editor_wake(void) {}

precis_status cli_editor_open(precis_ctx *ctx, const char *prompt, cli_editor **out)
{
    (void)prompt;
    *out = NULL;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return PRECIS_OK;
    return precis_part_need(ctx, "libedit", editing);
}

void cli_editor_close(cli_editor **editor) { *editor = NULL; }

const char *cli_editor_read(cli_editor *editor, size_t *len)
{
    (void)editor;
    *len = 0;
    return NULL;
}

#endif
