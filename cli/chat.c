/* chat.c - `precis run` without a prompt: a conversation. On a terminal there are an editor, commands, and words broken
 * into lines; from a pipe each line is a message, and nothing else is printed than answers. */
#include "editor.h"
#include "talk.h"
#include "term.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line to the person who chats. */
static void tell(const char *fmt, ...)
{
    char line[4400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    cli_fold_error(line, 2);
}

/* ---- what may be set ---------------------------------------------------------------------------------- */

typedef struct { const char *name, *what; double least, most; bool whole; } setting;

enum { TEMP, TOP_K, TOP_P, MIN_P, PENALTY, PREDICT, SEED };
static const setting settings[] = {
    [TEMP] = { "temp", "temperature; 0 is greedy", 0, 100, false },
    [TOP_K] = { "top-k", "sample from the K likeliest; 0: all", 0, 1 << 24, true },
    [TOP_P] = { "top-p", "sample from the likeliest that have P together", 0, 1, false },
    [MIN_P] = { "min-p", "leave out what is below P times the likeliest", 0, 1, false },
    [PENALTY] = { "repeat-penalty", "penalty on the last 64 tokens; 1: none", 0, 100, false },
    [PREDICT] = { "predict", "tokens of an answer at most", 0, 1 << 30, true },
    [SEED] = { "seed", "of what is random", 0, 9007199254740992.0, true },
};
enum { SETTINGS = sizeof settings / sizeof *settings };

static double value_of(const cli_talk *u, int i)
{
    const precis_sampler_options *o = &u->sampler;
    const double values[] = { (double)o->temperature, (double)o->top_k, (double)o->top_p, (double)o->min_p,
                              (double)o->repetition, (double)u->predict, (double)o->seed };
    return values[i];
}

static void set_value(cli_talk *u, int i, double v)
{
    precis_sampler_options *o = &u->sampler;
    if (i == TEMP) o->temperature = (float)v;
    else if (i == TOP_K) o->top_k = (int32_t)v;
    else if (i == TOP_P) o->top_p = (float)v;
    else if (i == MIN_P) o->min_p = (float)v;
    else if (i == PENALTY) o->repetition = (float)v;
    else if (i == PREDICT) u->predict = (int64_t)v;
    else o->seed = (uint64_t)v;
}

static void list_settings(const cli_talk *u)
{
    char line[160];
    for (int i = 0; i < SETTINGS; i++) {
        snprintf(line, sizeof line, "  %-15s %-10.6g %s", settings[i].name, value_of(u, i), settings[i].what);
        cli_fold_error(line, 29);
    }
}

static void cmd_set(cli_talk *u, char *text)
{
    char *end, *name = strtok_r(text, " =", &end), *number = strtok_r(NULL, " =", &end);
    const char *rest = strtok_r(NULL, " ", &end);
    if (!name) {
        list_settings(u);
        return;
    }
    int i = 0;
    while (i < SETTINGS && strcmp(settings[i].name, name)) i++;
    char *behind = number;
    const double v = number && i < SETTINGS ? strtod(number, &behind) : 0;
    if (i == SETTINGS) {
        char ask[96];
        cli_meant m = { .word = name };
        for (int k = 0; k < SETTINGS; k++) cli_meant_look(&m, settings[k].name);
        tell("there is no setting \"%s\"%s", cli_printable(name), cli_meant_ask(&m, ask));
        list_settings(u);
        return;
    }
    if (!number || rest || behind == number || *behind || !(v >= settings[i].least && v <= settings[i].most) ||
        (settings[i].whole && v != (double)(int64_t)v)) {
        tell("/set %s takes a%s number from %.9g to %.9g", name, settings[i].whole ? " whole" : "",
                settings[i].least, settings[i].most);
        return;
    }
    const double before = value_of(u, i);
    set_value(u, i, v);
    precis_session_set_predict(u->s, (uint64_t)u->predict);
    if (precis_session_set_sampler(u->s, &u->sampler)) {
        set_value(u, i, before);
        tell("%s", precis_ctx_message(u->c->ctx));
        return;
    }
    tell("%s is %.6g", name, value_of(u, i));
}

/* ---- commands ----------------------------------------------------------------------------------------- */

static void cmd_help(cli_talk *u, char *text);

static void cmd_clear(cli_talk *u, char *text)
{
    (void)text;
    precis_chat_clear(u->chat);
    tell("the conversation begins anew");
}

static void cmd_system(cli_talk *u, char *text)
{
    const char *role, *content;
    if (*text) {
        if (precis_chat_set_system(u->chat, text)) tell("%s", precis_ctx_message(u->c->ctx));
    } else if (precis_chat_length(u->chat) && !precis_chat_message(u->chat, 0, &role, &content) &&
               !strcmp(role, "system")) {
        fprintf(stderr, "%s\n", content);
    } else {
        tell("there is no system message; /system TEXT sets one");
    }
}

/* [{"role": ..., "content": ...}, ...] */
static char *as_json(const cli_talk *u)
{
    json_t *list = json_array();
    for (size_t i = 0; i < precis_chat_length(u->chat); i++) {
        const char *role = "", *content = "";
        if (precis_chat_message(u->chat, i, &role, &content)) continue;
        json_t *text = json_string(content);
        if (!text) { /* an answer that ended within a character */
            char *copy = cli_copy(content);
            text = copy ? json_string(cli_printable(copy)) : NULL;
            free(copy);
        }
        json_array_append_new(list, json_pack("{s:s, s:o}", "role", role, "content", text));
    }
    char *out = NULL;
    size_t len;
    FILE *f = cli_text_stream(&out, &len);
    const bool put = f && list && !json_dumpf(list, f, JSON_INDENT(1));
    json_decref(list);
    if (cli_text_close(f, &out) && put) return out;
    free(out);
    return NULL;
}

static void cmd_save(cli_talk *u, char *text)
{
    if (!*text) {
        tell("/save FILE writes the conversation as JSON");
        return;
    }
    char *json = NULL;
    precis_ctx *ctx = u->c->ctx;
    if (access(text, F_OK) == 0) tell("%s is there already; choose another name", cli_printable(text));
    else if (!(json = as_json(u)) || cli_lacks_memory(u->c)) tell("there is not enough memory");
    else if (precis_write_file(ctx, text, json, strlen(json))) tell("%s", precis_ctx_message(ctx));
    else tell("saved %zu messages in %s", precis_chat_length(u->chat), cli_printable(text));
    free(json);
}

typedef struct { const char *name, *arg, *what; void (*run)(cli_talk *u, char *text); } command;

static const command commands[] = {
    { "help", "", "this text", cmd_help },
    { "clear", "", "forget the conversation (the system message stays)", cmd_clear },
    { "system", "[TEXT]", "show or set the system message", cmd_system },
    { "save", "FILE", "write the conversation as JSON", cmd_save },
    { "set", "[NAME VALUE]", "list or change what tokens are drawn by", cmd_set },
    { "bye", "", "end (as Ctrl-D)", NULL },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void cmd_help(cli_talk *u, char *text)
{
    (void)u;
    (void)text;
    char line[160];
    for (int i = 0; i < COMMANDS; i++) {
        snprintf(line, sizeof line, "  /%-7s %-13s %s", commands[i].name, commands[i].arg, commands[i].what);
        cli_fold_error(line, 25);
    }
    cli_fold_error("  \"\"\"      begins a message of several lines, \"\"\" ends it; a paste stays whole", 11);
    cli_fold_error("  Ctrl-C   stops an answer, or empties the line", 11);
    cli_fold_error("  arrows   and Ctrl-R find earlier lines", 11);
    tell("Put a blank before a message that begins with /.");
}

/* Was it a command? *end: the one that ends the chat. */
static bool is_command(cli_talk *u, char *line, bool *end)
{
    if (*line != '/') return false;
    const size_t n = strcspn(line + 1, " ");
    char *text = line + 1 + n;
    while (*text == ' ') text++;
    char ask[96];
    for (int i = 0; i < COMMANDS; i++) {
        const command *c = &commands[i];
        if (strlen(c->name) != n || memcmp(c->name, line + 1, n)) continue;
        if (*text && !*c->arg) { /* a sentence that begins so shall not empty the conversation */
            tell("/%s stands alone; put a blank before a message that begins with /", c->name);
            return true;
        }
        *end = !c->run;
        if (c->run) c->run(u, text);
        return true;
    }
    line[1 + n] = 0;
    cli_meant m = { .word = line + 1 };
    for (int i = 0; i < COMMANDS; i++) cli_meant_look(&m, commands[i].name);
    tell("there is no command %s%s (/help lists them)", cli_printable(line), cli_meant_ask(&m, ask));
    return true;
}

/* ---- a turn ------------------------------------------------------------------------------------------- */

static void tell_speed(const cli_talk *u, bool stopped)
{
    const bool plain = !cli_shows_color(STDERR_FILENO);
    const double seconds = u->last - u->first;
    fprintf(stderr, "%s[%llu token%s", plain ? "" : "\033[2m", (unsigned long long)u->tokens,
            u->tokens == 1 ? "" : "s");
    if (stopped) fputs(", stopped", stderr);
    if (u->tokens > 1 && seconds > 0) fprintf(stderr, ", %.1f tokens/s", (double)(u->tokens - 1) / seconds);
    tell("]%s", plain ? "" : "\033[0m");
}

/* An answer that was stopped is part of the conversation as far as it went; a message that was not read to its end is
 * taken back. What fails for one message (it is longer than the context) does not end the chat. */
static int converse(cli_talk *u, const char *text, bool terminal)
{
    cli_wrap wrap = { .columns = cli_talk_columns() };
    u->wrap = terminal && wrap.columns ? &wrap : NULL;
    int rc = cli_talk_turn(u, text);
    u->wrap = NULL;
    const bool stopped = rc == EXIT_INTERRUPTED;
    if (stopped) {
        cli_cancel = 0;
        precis_chat_unsay(u->chat);
        rc = EXIT_DONE;
    } else if (rc == EXIT_USAGE && terminal) {
        precis_chat_unsay(u->chat);
        return EXIT_DONE;
    }
    if (rc == EXIT_DONE && terminal && !u->c->quiet) tell_speed(u, stopped);
    return rc;
}

/* ---- messages ----------------------------------------------------------------------------------------- */

/* Lines between """ and """. The caller frees. */
static char *read_block(cli_editor *e, const char *first)
{
    char *text = NULL;
    size_t size = 0, len;
    FILE *f = cli_text_stream(&text, &size);
    const char *line = first + 3, *end = strstr(line, "\"\"\"");
    while (f && line && !end) {
        fprintf(f, "%s\n", line);
        if ((line = cli_editor_read(e, &len))) end = strstr(line, "\"\"\"");
    }
    if (f && end) fwrite(line, 1, (size_t)(end - line), f);
    if (!cli_text_close(f, &text)) {
        free(text);
        text = NULL;
    }
    return text;
}

/* However often Ctrl-C is pressed until an answer stops, the conversation is not lost. */
static volatile sig_atomic_t ending; /* the program is to end, and not only an answer */

static void on_interrupt(int sig)
{
    cli_cancel = 1;
    if (sig != SIGINT && ending++) _exit(EXIT_INTERRUPTED); /* the second time, at once */
    cli_editor_wake();
}

static int on_terminal(cli_talk *u, cli_editor *e)
{
    struct sigaction sa = { .sa_handler = on_interrupt };
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    if (!u->c->quiet)
        tell("Ctrl-D ends the chat, Ctrl-C stops an answer, /help lists commands.");
    int rc = EXIT_DONE;
    bool end = false;
    size_t len;
    for (const char *line; rc == EXIT_DONE && !end && !ending && (line = cli_editor_read(e, &len));) {
        char *text = strncmp(line, "\"\"\"", 3) ? cli_copy(line) : read_block(e, line);
        if (!text) rc = cli_no_memory(u->c);
        else if (text[strspn(text, " \t\n")] && !is_command(u, text, &end)) rc = converse(u, text, true);
        free(text);
    }
    if (cli_cancel || ending) rc = EXIT_INTERRUPTED;
    else if (rc == EXIT_DONE && !end) fputc('\n', stderr); /* Ctrl-D */
    return rc;
}

static int from_lines(cli_talk *u)
{
    char *line = NULL;
    size_t cap = 0;
    int rc = EXIT_DONE;
    const bool terminal = isatty(STDIN_FILENO);
    for (ssize_t n; rc == EXIT_DONE;) {
        if (terminal) fputs("> ", stderr);
        errno = 0;
        if ((n = getline(&line, &cap, stdin)) < 0) {
            if (errno == ENOMEM) rc = cli_no_memory(u->c);
            else if (cli_cancel) rc = EXIT_INTERRUPTED;
            break;
        }
        line[strcspn(line, "\n")] = 0;
        if (*line) rc = converse(u, line, false);
    }
    free(line);
    return rc == EXIT_DONE && u->filled ? EXIT_RESOURCES : rc; /* as for one message: half an answer is none */
}

int cli_chat(cli_talk *u)
{
    cli_editor *e;
    u->goes_on = true;
    if (cli_editor_open(u->c->ctx, "> ", &e)) cli_warn(u->c, precis_ctx_message(u->c->ctx));
    const int rc = e ? on_terminal(u, e) : from_lines(u);
    cli_editor_close(&e);
    return rc;
}
