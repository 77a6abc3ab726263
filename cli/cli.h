/* cli.h - what the commands share. A command is one file and one row of commands.def; it uses the public
 * API only. */
#ifndef PRECIS_CLI_H
#define PRECIS_CLI_H

#include "precis/precis.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum {
    EXIT_DONE = 0,
    EXIT_NEGATIVE = 1,
    EXIT_USAGE = 2,
    EXIT_INPUT = 3,
    EXIT_RESOURCES = 4,
    EXIT_UNDECIDED = 5,
    EXIT_INTERRUPTED = 130
};

typedef struct cli_option {
    const char *name; /* "--type" */
    char letter;      /* 'o' for -o; 0: none */
    /* "FILE"; NULL: a flag. OUT, and what begins so, names what is written; whatever else is a path is read
     * (paths.c) */
    const char *arg;
    const char *help;
} cli_option;

typedef struct cli {
    const struct cli_command *command;
    precis_ctx *ctx;
    bool json, quiet;
    int digits;      /* of numbers in JSON; 0: 9 */
    uint64_t seed;
    int n_args;
    char **args;     /* those that are no options */
    int n_given;     /* options as given, in order */
    struct { const cli_option *option; const char *value; } given[256];
    char **owned;    /* values that were split off */
    struct cli_said *said; /* what the command printed so far, for --json */
} cli;

/* The last message, and whether an object was printed: a failure is one, too. */
typedef struct cli_said {
    bool object;
    char message[2048];
} cli_said;

typedef struct cli_command {
    const char *name, *args, *summary;
    const char *details; /* more help, or NULL */
    int min_args, max_args;
    const cli_option *options; /* ends with name == NULL */
    int (*run)(cli *c);
    const char *examples; /* for help and man page: lines of two blanks and a command; or NULL */
    /* Commands of a second word, the first the one that runs without one; ends with NULL. NULL: none. */
    const struct cli_command *const *verbs;
} cli_command;

/* "fit" of "law fit". */
const char *cli_verb_name(const cli_command *verb);

extern const cli_command *const cli_commands[];

/* The last value given, or NULL; and number i of an option that may be given more than once. */
const char *cli_get(const cli *c, const char *name);
const char *cli_get_nth(const cli *c, const char *name, int i);
bool cli_has(const cli *c, const char *name);
/* Whole and other numbers in a range; a message and false when it is none. */
bool cli_int(const cli *c, const char *name, int64_t dflt, int64_t lo, int64_t hi, int64_t *out);
/* Bytes ("600M", "1.5GiB"), or a part of the input ("75%"); false when it is neither, and
 * said. Absent: left as they are. */
bool cli_size(const cli *c, const char *name, uint64_t *bytes, double *part);
/* All values of an option, with commas between; the caller frees. */
char *cli_joined(const cli *c, const char *name);
bool cli_number(const cli *c, const char *name, double dflt, double lo, double hi, double *out);
/* --max-drop as a part of 1: 0.02 or 2%. */
bool cli_drop(const cli *c, double dflt, double *drop);

/* --effort; false: it was no level, which was said. */
bool cli_effort(const cli *c, precis_effort *out);
/* --arithmetic: exact, bf16, mixed, int8 or auto (dflt: what it is without), or --weights-only. False: it is none of
 * them, and that was said. */
bool cli_arithmetic(const cli *c, precis_arithmetic dflt, precis_arithmetic *out);
/* --pack: off, load, background, or cache: then cli_packed_copy gives the file to open, which it
 * makes if it is not there; the model itself when it cannot be. */
bool cli_pack(const cli *c, precis_pack dflt, precis_pack *out);
/* Does a name end so, in any case of letters? */
bool cli_ends(const char *s, const char *end);
/* Where what was measured is kept; NULL: nowhere, or --no-cache. */
const char *cli_kept(const cli *c);
#define CLI_NO_CACHE \
    { "--no-cache", 0, NULL, \
      "measure anew, and keep nothing: importance and tensors' costs otherwise lie in ~/.cache/precis/measured, by " \
      "content" }
bool cli_packs_into_cache(const cli *c);
precis_status cli_packed_copy(cli *c, const char *model, char *path, size_t room);

/* --mem-limit, of the commands that have it: -1, or an exit code. */
int cli_memory_limit(const cli *c);

/* What is written is none of the files that the command reads or writes elsewhere (paths.c). cli_paths: all options,
 * before the command runs; cli_apart: a file whose name the command makes itself. -1, or an exit code. */
int cli_paths(const cli *c);
int cli_apart(const cli *c, const char *path);
/* memory.c: zeroed memory and the like, for free(); NULL is remembered. */
void *cli_alloc(size_t n, size_t size);
void *cli_grow(void *old, size_t bytes);
char *cli_copy(const char *s);
/* As open_memstream; but text without room is an error of the stream, and noted. Close it before *text is read. */
FILE *cli_text_stream(char **text, size_t *len);
/* Closes it (f may be NULL): false when the text lacks a part or is not there, which closing alone does not say. */
bool cli_text_close(FILE *f, char *const *text);
/* jansson's memory is remembered too: before anything else. */
void cli_memory_init(void);
/* What a text of JSON says, for json_decref; NULL with why, which is empty where memory lacked. After a request for
 * memory that failed there is spare room and no more text: jansson 2.14's lexer goes on without the bytes that found no
 * room, and then after the end of its buffer. */
json_t *cli_json(const char *text, size_t len, json_error_t *why);
/* Was memory lacking since the start, here, in jansson or in the context? Then what was made may lack a part: nothing
 * of it is written. */
bool cli_lacks_memory(const cli *c);
/* Says so, and gives the exit code. */
int cli_no_memory(const cli *c);
/* The exit code of a command that ended with rc. */
int cli_memory_verdict(const cli *c, int rc);

/* Print "precis: message" and give the exit code. */
int cli_usage(const cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cli_error(const cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line of text to stdout, wrapped to the terminal (term.h); its other lines are indented. */
void cli_say(int indent, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same of a line of a table, which programs read: whole where stdout is no terminal. Where it is folded, blanks
 * between its columns are two. */
void cli_row(int indent, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What the library says of a failed call. */
int cli_fail(const cli *c, precis_status status);
/* One object on stdout; takes it over. A full disk or a closed pipe is an error. */
int cli_print_json(const cli *c, json_t *object);
/* End of a command that printed text: an exit code; main says why output was lost. */
int cli_done(const cli *c);

/* Could something that was printed not be written? errno says why. */
bool cli_output_lost(void);
/* mappings.c: a mapped file that shrinks while it is read ends the process with a sentence and exit code 3, whichever
 * thread reads it. */
void cli_watch_mappings(void);
/* Removes what unfinished outputs have hidden; for handlers of signals that end the process. */
void cli_abandon(void);

/* help.c: the overview (NULL) or a command's page; and `precis help [COMMAND | --man
 * [COMMAND] | --completion SHELL]`. */
void cli_help(const cli_command *command);
int cli_help_command(cli *c, int argc, char **argv);

/* progress.c */
int cli_progress(void *user, const char *stage, uint64_t done, uint64_t total);
/* A note where a context is longer than the one that the model was made for (0: it does not say). */
void cli_context_beyond(cli *c, uint64_t context, uint64_t known);
/* What stands beside the bar: figures so far; "": nothing. It is copied. */
void cli_progress_note(const char *text);
void cli_warn(void *user, const char *line);
/* Remove a bar that stands on the terminal. */
void cli_progress_clear(void);
extern volatile int cli_cancel;

/* An option of a command, or of all, by its name; NULL: none. */
const cli_option *cli_option_of(const cli_command *command, const char *name);
/* manifest.c: how the command was called, as the library's manifest wants it; the caller closes it. */
typedef struct cli_manifest {
    precis_manifest *of;
    const char **arguments;
    precis_manifest_input *inputs;
    const char **evaluation, **floats;
    char **names; /* of inputs, n_names of our own */
    size_t n_names;
} cli_manifest;
/* Of a language model, or of a net, whose options say what stays in float (m is NULL then). */
precis_status cli_manifest_open(const cli *c, const precis_model *m, const precis_net_quant_options *net,
                                cli_manifest *x);
void cli_manifest_close(cli_manifest *x);
/* Does an option leave the bytes as they are? Does it name a file that makes them? */
bool cli_manifest_leaves_out(const char *name);
bool cli_manifest_hashes(const char *name);
/* Does it say how the result is evaluated? */
bool cli_manifest_evaluates(const char *name);
/* The path of FILE or NAME=FILE. */
const char *cli_input_path(const char *value);
/* replay.c: `quant --replay`, which makes the file of a manifest again with `run` and compares: an exit code. */
int cli_manifest_replay(cli *c, int (*run)(cli *c));

/* A whole file of a kind, or stdin for "-": -1, or an exit code; *text is freed with precis_text_free(). */
int cli_read_text(const cli *c, const char *path, precis_input_kind kind, char **text, size_t *len);
/* Files of an option that may be given more than once, as calibration texts, which the
 * struct holds: -1, or an exit code. Closed in any case. */
enum { CLI_TEXTS = 64 };
typedef struct cli_texts { char *texts[CLI_TEXTS]; size_t lengths[CLI_TEXTS], n; } cli_texts;
int cli_texts_open(const cli *c, const char *name, cli_texts *t, precis_calibrate_options *o);
void cli_texts_close(const cli *c, cli_texts *t);
/* The importance matrix of a profile or a plan: --imatrix, or made here; under a limit on time (best) that of a large
 * model from the first 2,048 tokens. */
precis_status cli_importance(const cli *c, const precis_model *m, const precis_calibrate_options *calibrate,
                             precis_effort effort, precis_imatrix **im);
/* "types: Q4_K 12 (3.4 MB), ...": how many tensors, and bytes, of each. */
void cli_print_types(const precis_plan *plan);
/* Kernels that it will get, and whether generated tokens will be faster here. */
void cli_print_kernels(const precis_plan *plan);
/* Adapters of --lora PATH[=SCALE] into an open model; -1, or the exit code of a failure. */
int cli_add_adapters(const cli *c, precis_model *m, bool merge);
/* Text of files, arguments and models (text.c). Is it UTF-8? In place, what is no text or
 * commands a terminal as '?'. */
bool cli_is_text(const char *s);
char *cli_printable(char *s);
/* A model's text to stdout: as it is, but on a terminal what would command it as \xNN. */
void cli_put_text(const char *s, size_t n);
/* In quotes, escaped: control bytes as \xNN, on a terminal what is no UTF-8 as well. */
void cli_put_quoted(const char *s, size_t n);
/* -1, or the exit code after an argument that JSON and manifests cannot hold. */
int cli_need_text(const cli *c);
/* "12.3 MB" */
const char *cli_bytes(double bytes, char buf[32]);

/* net.c: `run` and `inspect` of a net that is no language model (precis_net_probe). */
int cli_net_run(cli *c);
/* quant_net.c: `convert` and `quant` of one. */
int cli_net_convert(cli *c);
int cli_net_quant(cli *c);
int cli_net_plan(cli *c);
/* Options of `quant` that only nets have, when the model is none: a message. */
int cli_only_nets(cli *c);
int cli_net_inspect(cli *c);
int cli_net_bench(cli *c);

/* Options that every command has. */
extern const cli_option cli_common[];

#endif
