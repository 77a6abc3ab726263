/* main.c - dispatch, options, signals. */
#include "hub.h"
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND(name) extern const cli_command cli_##name;
#include "commands.def"
#undef COMMAND

const cli_command *const cli_commands[] = {
#define COMMAND(name) &cli_##name,
#include "commands.def"
#undef COMMAND
    NULL,
};

volatile int cli_cancel;
static precis_ctx *_Atomic working; /* of the command that runs */

void cli_abandon(void)
{
    precis_ctx *ctx = working;
    if (ctx) precis_ctx_abandon(ctx);
}

static void on_interrupt(int sig)
{
    (void)sig;
    if (!cli_cancel++) return;
    cli_abandon(); /* the second time, at once */
    _exit(EXIT_INTERRUPTED);
}

static const cli_option *find_option(const cli_command *cmd, const char *arg, size_t len)
{
    const cli_option *const lists[] = { cmd->options, cli_common };
    for (int l = 0; l < 2; l++)
        for (const cli_option *o = lists[l]; o->name; o++)
            if ((strlen(o->name) == len && !memcmp(o->name, arg, len)) ||
                (len == 2 && o->letter && arg[0] == '-' && arg[1] == o->letter))
                return o;
    return NULL;
}

const cli_option *cli_option_of(const cli_command *command, const char *name)
{
    return find_option(command, name, strlen(name));
}

const char *cli_verb_name(const cli_command *verb)
{
    const char *blank = strchr(verb->name, ' ');
    return blank ? blank + 1 : verb->name;
}

/* -hf stands for the model, which is the first argument; it is fetched when all else of the command line is right. */
static int model_by_name(cli *c)
{
    if (!cli_has(c, "--hf")) return -1;
    const char *args = c->command->args;
    if (strncmp(args, "MODEL", 5) && strncmp(args, "FILE", 4))
        return cli_usage(c, "precis %s takes no model", c->command->name);
    memmove(c->args + 1, c->args, (size_t)c->n_args++ * sizeof *c->args);
    c->args[0] = (char *)(uintptr_t)cli_get(c, "--hf");
    return -1;
}

/* "; precis plan has it" of an option that this command lacks and another has. */
static const char *had_by(const char *word, char text[96])
{
    for (size_t i = 0; cli_commands[i]; i++)
        for (const cli_option *o = cli_commands[i]->options; o->name; o++)
            if (!strcmp(o->name, word)) {
                snprintf(text, 96, "; precis %s has it", cli_commands[i]->name);
                return text;
            }
    return "";
}

static int no_option(const cli *c, const char *arg)
{
    char ask[96], other[96], word[64];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(arg, "="), arg);
    cli_meant m = { .word = word };
    for (const cli_option *o = c->command->options; o->name; o++) cli_meant_look(&m, o->name);
    for (const cli_option *o = cli_common; o->name; o++) cli_meant_look(&m, o->name);
    const char *meant = cli_meant_ask(&m, ask);
    if (!access(arg, F_OK)) return cli_usage(c, "no option %s; the file of that name is ./%s", arg, arg);
    return cli_usage(c, "no option %s%s (precis %s --help lists them)", arg, *meant ? meant : had_by(word, other),
                     c->command->name);
}

/* Arguments from `first` on. */
static int parse(cli *c, int first, int argc, char **argv)
{
    bool options = true;
    static char hf[] = "--hf";
    for (int i = first; i < argc; i++) {
        char *arg = argv[i];
        if (!options || arg[0] != '-' || !arg[1]) {
            c->args[c->n_args++] = arg;
            continue;
        }
        if (!strcmp(arg, "--")) {
            options = false;
            continue;
        }
        const char *eq = arg[1] == '-' ? strchr(arg, '=') : NULL;
        if (!strcmp(arg, "-hf")) arg = hf; /* as others write it */
        const cli_option *o = find_option(c->command, arg, eq ? (size_t)(eq - arg) : strlen(arg));
        if (!o) return no_option(c, arg);
        const char *value = NULL;
        if (o->arg && eq) value = eq + 1;
        else if (o->arg && i + 1 < argc) value = argv[++i];
        else if (o->arg) return cli_usage(c, "%s needs %s", o->name, o->arg);
        else if (eq) return cli_usage(c, "%s takes no value", o->name);
        if (c->n_given == (int)(sizeof c->given / sizeof *c->given)) return cli_usage(c, "too many options");
        c->given[c->n_given].option = o;
        c->given[c->n_given++].value = value;
    }
    const int named = model_by_name(c);
    if (named >= 0) return named;
    const char *name = c->command->name;
    const cli_option *out = find_option(c->command, "--output", 8);
    if (c->n_args > c->command->max_args)
        return cli_usage(c, "precis %s has no place for \"%s\"%s (precis %s --help says what it takes)", name,
                         c->args[c->command->max_args],
                         out && out->letter == 'o' ? "; -o names what is written" : "", name);
    if (c->n_args < c->command->min_args)
        return cli_usage(c, "usage: precis %s %s [options]; --help says more", name, c->command->args);
    return -1;
}

/* Bytes of a message; those that are no UTF-8 (a file's name) are replaced. */
static size_t clean_bytes(char *s)
{
    json_t *whole = json_string(s);
    for (char *p = s; !whole && *p; p++)
        if ((unsigned char)*p >= 128) *p = '?';
    json_decref(whole);
    return strlen(s);
}

/* Scripts read what failed where they read results: with --json every failure is an object with these members. */
static void report_failure(cli *c, int argc, char **argv, int rc)
{
    static const struct { int rc; const char *kind; } kinds[] = {
        { EXIT_NEGATIVE, "negative" },   { EXIT_USAGE, "usage" },         { EXIT_INPUT, "input" },
        { EXIT_RESOURCES, "resources" }, { EXIT_UNDECIDED, "undecided" }, { EXIT_INTERRUPTED, "interrupted" },
    };
    bool json = c->json;
    const char *kind = "input";
    for (int i = 1; i < argc && !json && strcmp(argv[i], "--"); i++) json = !strcmp(argv[i], "--json");
    if (!json || rc == EXIT_DONE || c->said->object || !*c->said->message) return;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].rc == rc) kind = kinds[i].kind;
    const int n = (int)clean_bytes(c->said->message);
    cli_print_json(c, json_pack("{s:{s:s#, s:s, s:i, s:s?}, s:i}", "error", "message", c->said->message, n, "kind",
                                kind, "exit", rc, "command", c->command ? c->command->name : NULL, "exit", rc));
}

/* What was computed from an input that was cut short meanwhile is no result, though nothing failed. */
static int with_inputs(cli *c, int rc)
{
    const char *changed = precis_ctx_changed(c->ctx);
    if (!changed || (rc != EXIT_DONE && rc != EXIT_NEGATIVE && rc != EXIT_UNDECIDED)) return rc;
    cli_error(c, "%s: its size changed while it was in use; what was computed is no result", changed);
    return EXIT_INPUT;
}

static int run(cli *c)
{
    int64_t threads, seed;
    if (!cli_int(c, "--threads", 0, 1, 256, &threads) || !cli_int(c, "--seed", 0, 0, INT64_MAX, &seed))
        return EXIT_USAGE;
    c->json = cli_has(c, "--json");
    const int text = c->json ? cli_need_text(c) : -1;
    if (text >= 0) return text;
    c->quiet = cli_has(c, "--quiet");
    c->seed = (uint64_t)seed;
    precis_ctx_options opts = PRECIS_CTX_OPTIONS_INIT;
    opts.threads = (uint32_t)threads;
    opts.seed = c->seed;
    opts.progress = cli_progress;
    opts.warn = cli_warn;
    opts.cancel = &cli_cancel;
    opts.user = c;
    const char *mask = getenv("PRECIS_CPU");
    if (mask && *mask && !precis_cpu_known(mask))
        return cli_usage(c, "PRECIS_CPU=%s is none of scalar avx2 avxvnni avx512vnni amx neon dotprod i8mm", mask);
    if (precis_ctx_open(&c->ctx, &opts)) return cli_no_memory(c);
    working = c->ctx;
    static char path[5200];
    int rc = cli_has(c, "--hf") ? cli_pull_path(c, c->args[0], path, sizeof path) : -1;
    if (cli_has(c, "--hf")) c->args[0] = path;
    if (rc < 0) rc = cli_paths(c);
    if (rc < 0) rc = c->command->run(c);
    rc = cli_memory_verdict(c, with_inputs(c, rc));
    cli_progress_clear();
    working = NULL;
    precis_ctx_close(&c->ctx);
    return rc;
}

static void set_signals(void)
{
    struct sigaction sa = { .sa_handler = on_interrupt }; /* no SA_RESTART: a read that waits must end */
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    struct sigaction hangup; /* nohup: the terminal's end is none of the job's business */
    if (!sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files (ulimit -f) is a full disk: EFBIG */
    cli_watch_mappings();
}

/* A stream that the caller closed would be given to the first file that is opened, and what is printed would land in a
 * model. Those that stand in for it cannot be used: reading and writing them fails. No road of outputs leads there. */
static void fill_streams(void)
{
    static const int flags[3] = { O_WRONLY, O_RDONLY, O_WRONLY };
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) < 0) return;
}

/* Nothing that was printed may be lost in silence, whichever command printed it. A pipe that nobody reads any more
 * (head) needs no message. */
static int with_output(int rc)
{
    const bool lost = cli_output_lost(), broken = errno == EPIPE;
    const char *why = strerror(errno);
    if (!lost) return rc;
    if (!broken) fprintf(stderr, "precis: standard output could not be written: %s\n", why);
    return rc ? rc : EXIT_RESOURCES;
}

/* The command, and its second word; *first: where its arguments begin. -1, or an exit code. */
static int find_command(cli *c, int argc, char **argv, int *first)
{
    char ask[96];
    cli_meant m = { .word = argv[1] };
    *first = 2;
    for (size_t i = 0; cli_commands[i]; i++) {
        if (!strcmp(cli_commands[i]->name, argv[1])) c->command = cli_commands[i];
        cli_meant_look(&m, cli_commands[i]->name);
    }
    if (!c->command && argv[1][0] == '-')
        return cli_usage(c, "a command comes first, options behind it: precis COMMAND %s (precis --help lists them)",
                         argv[1]);
    if (!c->command && !access(argv[1], F_OK))
        return cli_usage(c, "%s is a file; a command comes first: precis inspect FILE, precis run FILE (precis --help "
                         "lists them)", argv[1]);
    if (!c->command)
        return cli_usage(c, "no command \"%s\"%s (precis --help lists them)", argv[1], cli_meant_ask(&m, ask));
    if (!c->command->verbs || argc < 3 || argv[2][0] == '-') return -1;
    m = (cli_meant){ .word = argv[2] };
    const cli_command *const *v = c->command->verbs;
    for (; *v && strcmp(cli_verb_name(*v), argv[2]); v++) cli_meant_look(&m, cli_verb_name(*v));
    if (!*v)
        return cli_usage(c, "no \"%s %s\"%s (precis %s --help lists what there is)", argv[1], argv[2],
                         cli_meant_ask(&m, ask), argv[1]);
    c->command = *v;
    *first = 3;
    return -1;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        cli_help(NULL);
        return argc < 2 ? EXIT_USAGE : EXIT_DONE;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
        printf("precis %s\n", precis_version());
        return EXIT_DONE;
    }
    cli_said said = { .object = false };
    cli c = { .said = &said };
    if (!strcmp(argv[1], "help")) {
        const int helped = cli_help_command(&c, argc, argv);
        report_failure(&c, argc, argv, helped);
        return helped;
    }
    int first, rc = find_command(&c, argc, argv, &first);
    for (int i = first; rc < 0 && i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            cli_help(c.command);
            return EXIT_DONE;
        }
    if (rc < 0 && c.command->verbs) c.command = c.command->verbs[0];
    if (rc < 0) {
        c.args = cli_alloc((size_t)argc + 2, sizeof *c.args);
        if (!c.args) return cli_no_memory(&c);
        rc = parse(&c, first, argc, argv);
    }
    if (rc < 0) rc = run(&c);
    report_failure(&c, argc, argv, rc);
    free(c.args);
    return rc;
}

int main(int argc, char **argv)
{
    cli_memory_init();
    fill_streams();
    set_signals();
    return with_output(dispatch(argc, argv));
}
