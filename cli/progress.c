/* progress.c - a bar with an estimate of the time left, on stderr. */
#include "term.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static struct { const char *stage; double began, shown; bool standing; } bar;
/* Stage within which the bar's began: a file that is saved on the way. */
static struct { const char *stage; double began; } outer;

static char note[96];

void cli_progress_note(const char *text)
{
    snprintf(note, sizeof note, "%s", text);
}

/* Columns of the terminal that stderr is. */
static int width(void)
{
    struct winsize w;
    return !ioctl(STDERR_FILENO, TIOCGWINSZ, &w) && w.ws_col ? w.ws_col : 80;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void cli_progress_clear(void)
{
    if (bar.standing) fprintf(stderr, "\r\033[K");
    bar.standing = false;
}

static const char *duration(double s, char buf[32])
{
    if (s < 60) snprintf(buf, 32, "%.0f s", s);
    else if (s < 3600) snprintf(buf, 32, "%d:%02d min", (int)s / 60, (int)s % 60);
    else snprintf(buf, 32, "%d:%02d h", (int)s / 3600, (int)s / 60 % 60);
    return buf;
}

/* On a terminal: a bar that moves. Elsewhere: a line when a stage has taken 10 seconds more. */
int cli_progress(void *user, const char *stage, uint64_t done, uint64_t total)
{
    const cli *c = user;
    if (c->quiet) return 0;
    const double t = now();
    const bool terminal = isatty(2);
    if (!bar.stage || strcmp(bar.stage, stage)) {
        cli_progress_clear();
        outer.stage = bar.stage;
        outer.began = bar.began;
        bar.stage = stage;
        bar.began = bar.shown = t;
    }
    if (done >= total) {
        cli_progress_clear();
        if (t - bar.began >= 0.5) {
            char took[32];
            fprintf(stderr, "%-10s done in %s\n", stage, duration(t - bar.began, took));
        }
        bar.stage = outer.stage;
        bar.began = outer.began;
        outer.stage = NULL;
        return 0;
    }
    if (t - bar.shown < (terminal ? 0.1 : 10.0)) return 0;
    bar.shown = t;
    const double part = total ? (double)done / (double)total : 0;
    char left[32] = "?";
    if (part > 0) duration((t - bar.began) / part * (1 - part), left);
    if (!terminal) {
        fprintf(stderr, "%-10s %3.0f %%, %s left%s%s\n", stage, 100 * part, left, *note ? "; " : "", note);
        return 0;
    }
    /* a line that is wider than the terminal would not be overwritten: the bar gives way first, then what goes on and
     * how long, then the end of the note */
    const int room = width() - 1, fixed = 10 + 8 + 6 + (int)strlen(left), said = *note ? 2 + (int)strlen(note) : 0;
    int cells = room - fixed - said - 3;
    if (cells > 32) cells = 32;
    bar.standing = true;
    if (said && room - fixed < said) {
        fprintf(stderr, "\r\033[K%3.0f %%  %.*s", 100 * part, room > 7 ? room - 7 : 0, note);
        fflush(stderr);
        return 0;
    }
    fprintf(stderr, "\r\033[K%-10s ", stage);
    if (cells >= 4) {
        putc('[', stderr);
        for (int i = 0; i < cells; i++) putc(i < cells * part ? '#' : '.', stderr);
        fputs("] ", stderr);
    }
    fprintf(stderr, "%3.0f %%  %s left", 100 * part, left);
    if (said) fprintf(stderr, "  %s", note);
    fflush(stderr);
    return 0;
}

void cli_warn(void *user, const char *line)
{
    const cli *c = user;
    if (c->quiet) return;
    cli_progress_clear();
    char text[4096];
    snprintf(text, sizeof text, "note: %s", line);
    cli_fold_error(text, 2);
}
