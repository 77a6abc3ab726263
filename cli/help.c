/* help.c - help and man pages, from the tables of commands and options, so that none of them can fall behind the
 * program; completion.c makes the shells' of the same. */
#include "term.h"

#include <string.h>

static const char exit_codes[] =
    "0 done, 1 a negative answer (a budget that no plan meets), 2 usage, 3 bad input, 4 out of resources, 5 undecided, "
    "130 interrupted";

/* ---- text --------------------------------------------------------------------------------------------- */
static void print_options(const cli_option *o)
{
    const int indent = cli_columns() >= 72 ? 31 : 10;
    for (; o->name; o++) {
        char left[64];
        const int n = snprintf(left, sizeof left, "  %s%c%s%s%s%s", o->letter ? "-" : "", o->letter ? o->letter : ' ',
                               o->letter ? ", " : "   ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        printf("%s%s%s", cli_color(CLI_BOLD), left, cli_color(CLI_PLAIN));
        if (n < indent) printf("%*s", indent - n, "");
        else printf("\n%*s", indent, "");
        cli_fold(o->help, indent, indent);
        putchar('\n');
    }
}

static void print_details(const char *text)
{
    for (const char *p = text, *end; *p; p = *end ? end + 1 : end) {
        char line[1024];
        end = p + strcspn(p, "\n");
        /* lines that only the source breaks are one paragraph */
        size_t used = 0;
        while (*p != ' ') {
            used += (size_t)snprintf(line + used, sizeof line - used, "%s%.*s", used ? " " : "", (int)(end - p), p);
            if (!*end || end[1] == ' ' || !end[1] || used + 200 > sizeof line) break;
            p = end + 1;
            end = p + strcspn(p, "\n");
        }
        if (used) cli_fold(line, 0, 0), putchar('\n');
        else snprintf(line, sizeof line, "%.*s", (int)(end - p), p), cli_put_command(line, 0);
    }
}

static void print_title(const char *title) { printf("\n%s%s%s\n", cli_color(CLI_BOLD), title, cli_color(CLI_PLAIN)); }

static void text_page(const cli_command *cmd)
{
    cli_say(4, "usage: precis %s%s%s [options]", cmd->name, *cmd->args ? " " : "", cmd->args);
    putchar('\n');
    cli_say(0, "%s", cmd->summary);
    if (cmd->details) putchar('\n'), print_details(cmd->details);
    for (const cli_command *const *v = cmd->verbs; v && *v; v++) {
        const int n = printf("%s  precis %-15s %-8s ", v == cmd->verbs ? "\n" : "", (*v)->name, (*v)->args);
        if (cli_columns() >= 72) cli_fold((*v)->summary, n - (v == cmd->verbs), 34);
        else printf("\n      "), cli_fold((*v)->summary, 6, 6);
        putchar('\n');
    }
    if (cmd->verbs) {
        putchar('\n');
        cli_say(0, "precis %s WORD --help says more of each; without a word it is %s.", cmd->name,
                cli_verb_name(cmd->verbs[0]));
    }
    if (cmd->options->name) print_title("options:");
    print_options(cmd->options);
    print_title("every command:");
    print_options(cli_common);
    if (cmd->examples) print_title("examples:"), print_details(cmd->examples);
}

static void text_overview(void)
{
    cli_say(0, "precis %s - neural networks in fewer bits: which precision, by which method, at what loss",
            precis_version());
    putchar('\n');
    cli_row(4, "usage: precis COMMAND ... [options]");
    putchar('\n');
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("  %s%-10s%s ", cli_color(CLI_BOLD), cli_commands[i]->name, cli_color(CLI_PLAIN));
        cli_fold(cli_commands[i]->summary, 13, 13);
        putchar('\n');
    }
    putchar('\n');
    printf("The main job:   ");
    cli_put_command("precis quant model.gguf --max-size 75% -o small.gguf", 16);
    cli_say(16, "Help:           precis COMMAND --help, man precis");
    cli_say(16, "Completion:     source <(precis help --completion bash), or zsh; fish: precis help --completion fish "
                "| source (make install installs it)");
    cli_say(16, "Exit codes:     %s", exit_codes);
}

/* ---- man pages (roff) ----------------------------------------------------------------------------------- */
static void roff(const char *s)
{
    for (bool start = true; *s; s++) {
        if (start && (*s == '.' || *s == '\'')) fputs("\\&", stdout);
        if (*s == '\\') fputs("\\e", stdout);
        else if (*s == '-') fputs("\\-", stdout);
        else putchar(*s);
        start = *s == '\n';
    }
}

static void roff_option(const cli_option *o)
{
    printf(".TP\n.B ");
    if (o->letter) printf("\\-%c, ", o->letter);
    roff(o->name);
    if (o->arg) printf(" \\fI%s\\fR", o->arg);
    putchar('\n');
    roff(o->help);
    putchar('\n');
}

static void roff_options(const char *title, const cli_option *o)
{
    if (!o->name) return;
    printf(".SH %s\n", title);
    for (; o->name; o++) roff_option(o);
}

static void roff_head(const char *page, const char *summary)
{
    printf(".TH \"%s\" 1 \"\" \"precis %s\" \"precis\"\n.SH NAME\n%s \\- ", page, precis_version(), page);
    roff(summary);
    putchar('\n');
}

static void roff_tail(void)
{
    printf(".SH EXIT STATUS\n%s.\n", exit_codes);
    printf(".SH ENVIRONMENT\n.TP\n.B PRECIS_CPU\nMasks the levels of instruction sets above the one named: scalar, "
           "avx2, avxvnni, avx512vnni, amx, neon, dotprod or i8mm.\n"
           "Results are the same at every level.\n");
    printf(".SH SEE ALSO\n");
    for (size_t i = 0; cli_commands[i]; i++) printf(".BR precis\\-%s (1),\n", cli_commands[i]->name);
    printf(".BR precis (1)\n");
}

static void roff_page(const cli_command *cmd)
{
    char page[64];
    snprintf(page, sizeof page, "precis-%s", cmd->name);
    roff_head(page, cmd->summary);
    printf(".SH SYNOPSIS\n.B precis %s\n%s [options]\n.SH DESCRIPTION\n", cmd->name, cmd->args);
    roff(cmd->summary);
    printf(".\n");
    if (cmd->details) printf(".PP\n.nf\n"), roff(cmd->details), printf("\n.fi\n");
    roff_options("OPTIONS", cmd->options);
    for (const cli_command *const *v = cmd->verbs; v && *v; v++) {
        char title[64];
        snprintf(title, sizeof title, "%s", (*v)->name);
        for (char *p = title; *p; p++) *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
        printf(".SH %s\n.B precis %s\n%s [options]\n.PP\n", title, (*v)->name, (*v)->args);
        roff((*v)->summary);
        printf(".\n");
        if ((*v)->details) printf(".PP\n.nf\n"), roff((*v)->details), printf("\n.fi\n");
        for (const cli_option *o = (*v)->options; o->name; o++) roff_option(o);
        if ((*v)->examples) printf(".PP\n.nf\n"), roff((*v)->examples), printf(".fi\n");
    }
    roff_options("OPTIONS OF EVERY COMMAND", cli_common);
    if (cmd->examples) printf(".SH EXAMPLES\n.nf\n"), roff(cmd->examples), printf(".fi\n");
    roff_tail();
}

static void roff_overview(void)
{
    roff_head("precis", "neural networks in fewer bits: which precision, by which method, at what loss");
    printf(".SH SYNOPSIS\n.B precis\n.I command\n[arguments] [options]\n.SH DESCRIPTION\n"
           "Reads a model file, chooses a number format for every tensor under a budget, quantizes, evaluates the "
           "result against the original, and runs both.\n"
           ".PP\nThe main job:\n.PP\n.RS\nprecis quant model.gguf \\-\\-max\\-size 75%% \\-o small.gguf\n.RE\n"
           ".SH COMMANDS\n");
    for (size_t i = 0; cli_commands[i]; i++)
        printf(".TP\n.BR precis\\-%s (1)\n%s\n", cli_commands[i]->name, cli_commands[i]->summary);
    roff_options("OPTIONS OF EVERY COMMAND", cli_common);
    printf(".SH FILES\nEvery output is written to a file without a name in the target's folder, read back, synced and "
           "named: the target is whole or untouched. What is written is "
           "never one of the files that the command reads.\n");
    roff_tail();
}

/* ---- which -------------------------------------------------------------------------------------------------- */
void cli_help(const cli_command *cmd)
{
    if (cmd) text_page(cmd);
    else text_overview();
}

int cli_help_command(cli *c, int argc, char **argv)
{
    const char *kind = argc > 2 ? argv[2] : "", *what = argc > 3 ? argv[3] : NULL;
    const bool man = !strcmp(kind, "--man");
    const cli_command *cmd = NULL;
    const char *name = man ? what : argc > 2 ? kind : NULL;
    for (size_t i = 0; name && cli_commands[i]; i++)
        if (!strcmp(cli_commands[i]->name, name)) cmd = cli_commands[i];
    if (!strcmp(kind, "--completion")) {
        if (what && cli_completion(what)) return EXIT_DONE;
        return cli_usage(c, "help --completion takes bash, zsh or fish");
    }
    if (!man && cmd && cmd->verbs && what)
        for (const cli_command *const *v = cmd->verbs; *v; v++)
            if (!strcmp(cli_verb_name(*v), what)) {
                text_page(*v);
                return EXIT_DONE;
            }
    if (name && !cmd && strcmp(name, "--help") && strcmp(name, "-h")) {
        char ask[96];
        cli_meant m = { .word = name };
        for (size_t i = 0; cli_commands[i]; i++) cli_meant_look(&m, cli_commands[i]->name);
        return cli_usage(c, "no command \"%s\"%s (precis --help lists them)", name, cli_meant_ask(&m, ask));
    }
    if (man && cmd) roff_page(cmd);
    else if (man) roff_overview();
    else cli_help(cmd);
    return EXIT_DONE;
}
