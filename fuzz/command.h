/* command.h - commands as the command line runs them, on files of strangers.
 *
 * cli/main.c is linked as cli_main, so that options, messages and exit codes are those of the program. An input is a
 * byte that picks the options, then the file; it is written into a folder of the target's own, which is the working
 * folder while the command runs and is emptied afterwards. Beside what the sanitizers see, an exit code that is none, a
 * file left behind by a failure, and a written model that cannot be read are findings. */
#ifndef PRECIS_FUZZ_COMMAND_H
#define PRECIS_FUZZ_COMMAND_H

#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <sys/stat.h>

int cli_main(int argc, char **argv);

enum { FUZZ_ARGS = 24, FUZZ_LAST_CODE = 5 };
static const char fuzz_text[] = "ab abc a ab abc abab cab a b c abc ab a abc ab ab a c b a abc abc ab ab a b c ab a\n"
                                "the cat sat on the mat and the dog ran after a ball of red wool that fell down\n";
static int fuzz_home = -1, fuzz_there = -1;
static char fuzz_folder[64];

static inline void fuzz_gone(void) { rmdir(fuzz_folder); }

static inline int fuzz_remove(const char *path, const struct stat *s, int kind, struct FTW *f)
{
    (void)s, (void)kind;
    if (f->level) remove(path);
    return 0;
}

static inline void fuzz_put(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(name, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f)) abort();
}

/* The folder, with a text for calibration and evaluation in it. */
static inline void fuzz_enter(void)
{
    if (fuzz_home < 0) {
        snprintf(fuzz_folder, sizeof fuzz_folder, "/dev/shm/precis-fuzz-%d", (int)getpid());
        if (mkdir(fuzz_folder, 0700)) abort();
        fuzz_home = open(".", O_RDONLY | O_DIRECTORY);
        fuzz_there = open(fuzz_folder, O_RDONLY | O_DIRECTORY);
        if (fuzz_home < 0 || fuzz_there < 0 || atexit(fuzz_gone)) abort();
    }
    if (fchdir(fuzz_there)) abort();
    fuzz_put("text", fuzz_text, sizeof fuzz_text - 1);
}

static inline void fuzz_leave(void)
{
    nftw(".", fuzz_remove, 16, FTW_DEPTH | FTW_PHYS);
    if (fchdir(fuzz_home)) abort();
}

/* What it prints is dropped; reports of sanitizers go to the descriptor, not to the stream, and stay. */
static inline int fuzz_command(const char *line)
{
    static char words[1024];
    static FILE *nothing, *empty;
    char *argv[FUZZ_ARGS + 1] = { "precis" };
    int argc = 1;
    snprintf(words, sizeof words, "%s -t 1 -q", line);
    char *rest = words;
    for (char *w; (w = strsep(&rest, " "));) {
        if (!*w) continue;
        if (argc == FUZZ_ARGS) abort();
        argv[argc++] = w;
    }
    if (!nothing) nothing = fopen("/dev/null", "w"), empty = fopen("/dev/null", "r");
    if (!nothing || !empty) abort();
    FILE *const in = stdin, *const out = stdout, *const err = stderr;
    stdin = empty;
    stdout = stderr = nothing;
    const int rc = cli_main(argc, argv);
    stdin = in;
    stdout = out;
    stderr = err;
    if (rc < 0 || rc > FUZZ_LAST_CODE) {
        fprintf(stderr, "exit code %d: %s\n", rc, line);
        abort();
    }
    return rc;
}

static inline int fuzz_has_parts(void)
{
    DIR *d = opendir(".");
    int any = 0;
    for (struct dirent *e; d && (e = readdir(d));) any |= strstr(e->d_name, ".part") != NULL;
    if (d) closedir(d);
    return any;
}

/* An output that is there is whole, and can be read. stays: what failed may have been the comparison afterwards, of
 * which the command says that the output was written; otherwise a failure leaves nothing behind. */
static inline void fuzz_written(int rc, const char *out, bool stays)
{
    struct stat s;
    const bool there = !lstat(out, &s);
    if (fuzz_has_parts() || (rc > 1 && there && !stays)) {
        fprintf(stderr, "exit code %d, and something of %s was left\n", rc, out);
        abort();
    }
    precis_ctx *ctx = there || !rc ? fuzz_ctx() : NULL;
    precis_model *m = NULL;
    if (ctx && precis_model_open(ctx, &m, out)) {
        fprintf(stderr, "exit code %d, but what was written cannot be read: %s\n", rc, precis_ctx_message(ctx));
        abort();
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* A target whose input is the number of one of `n` lines, and a model, "m.gguf". out: what it writes, or NULL. */
static inline int fuzz_commands(const uint8_t *data, size_t size, const char *const *lines, size_t n, const char *out)
{
    if (size < 1) return 0;
    fuzz_enter();
    fuzz_put("m.gguf", data + 1, size - 1);
    const char *line = lines[data[0] % n];
    const int rc = fuzz_command(line);
    if (out) fuzz_written(rc, out, !strncmp(line, "quant ", 6) && !strstr(line, "--no-eval"));
    fuzz_leave();
    return 0;
}

#include "mutate.h"

#endif
