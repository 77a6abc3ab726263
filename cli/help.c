/* help.c - help, man pages and shell completion, all from the tables of commands and options, so that none of them can
 * fall behind the program. */
#include "cli.h"

#include <string.h>

static const char exit_codes[] = "0 done, 1 a negative answer (a budget that no plan meets), 2 usage, 3 bad input, 4 out of resources, 5 undecided, 130 interrupted";

/* ---- text --------------------------------------------------------------------------------------------- */
static void print_options(const cli_option *o)
{
    for (; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "%s%c%s%s%s%s", o->letter ? "-" : "", o->letter ? o->letter : ' ', o->letter ? ", " : "   ", o->name, o->arg ? " " : "",
                 o->arg ? o->arg : "");
        printf("  %-28s %s\n", left, o->help);
    }
}

static void text_page(const cli_command *cmd)
{
    printf("usage: precis %s%s%s [options]\n\n%s\n", cmd->name, *cmd->args ? " " : "", cmd->args, cmd->summary);
    if (cmd->details) printf("\n%s\n", cmd->details);
    for (const cli_command *const *v = cmd->verbs; v && *v; v++) printf("%s  precis %-15s %-8s %s\n", v == cmd->verbs ? "\n" : "", (*v)->name, (*v)->args, (*v)->summary);
    if (cmd->verbs) printf("\nprecis %s WORD --help says more of each; without a word it is %s.\n", cmd->name, cli_verb_name(cmd->verbs[0]));
    if (cmd->options->name) printf("\noptions:\n");
    print_options(cmd->options);
    printf("\nevery command:\n");
    print_options(cli_common);
    if (cmd->examples) printf("\nexamples:\n%s", cmd->examples);
}

static void text_overview(void)
{
    printf("precis %s - neural networks in fewer bits: which precision, by which method, at what loss\n\n"
           "usage: precis COMMAND ... [options]\n\n", precis_version());
    for (size_t i = 0; cli_commands[i]; i++) printf("  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    printf("\nThe main job:   precis quant model.gguf --max-size 75%% -o small.gguf\n"
           "Help:           precis COMMAND --help, man precis\n"
           "Exit codes:     %s\n", exit_codes);
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
    printf(".SH ENVIRONMENT\n.TP\n.B PRECIS_CPU\nMasks the levels of instruction sets above the one named: scalar, avx2, avxvnni, avx512vnni, amx, neon, dotprod or i8mm.\n"
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
           "Reads a model file, chooses a number format for every tensor under a budget, quantizes, evaluates the result against the original, and runs both.\n"
           ".PP\nThe main job:\n.PP\n.RS\nprecis quant model.gguf \\-\\-max\\-size 75%% \\-o small.gguf\n.RE\n.SH COMMANDS\n");
    for (size_t i = 0; cli_commands[i]; i++) printf(".TP\n.BR precis\\-%s (1)\n%s\n", cli_commands[i]->name, cli_commands[i]->summary);
    roff_options("OPTIONS OF EVERY COMMAND", cli_common);
    printf(".SH FILES\nEvery output is written to a file without a name in the target's folder, read back, synced and named: the target is whole or untouched. What is written is "
           "never one of the files that the command reads.\n");
    roff_tail();
}

/* ---- completion ------------------------------------------------------------------------------------------ */
static void words(const cli_option *o)
{
    for (; o->name; o++) printf("%s ", o->name);
}

/* The words and options of a command and of what stands behind its second word. */
static void all_words(const cli_command *cmd)
{
    words(cmd->options);
    for (const cli_command *const *v = cmd->verbs; v && *v; v++) {
        printf("%s ", cli_verb_name(*v));
        words((*v)->options);
    }
}

static void bash(void)
{
    printf("# bash completion for precis\n_precis()\n{\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} options=\"\"\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; cli_commands[i]; i++) printf("%s ", cli_commands[i]->name);
    printf("--help --version\" -- \"$cur\"))\n        return\n    fi\n"
           "    case $prev in\n        --type) COMPREPLY=($(compgen -W \"$(precis list formats 2>/dev/null) $(precis list mixes 2>/dev/null)\" -- \"$cur\")); return ;;\n"
           "        --method) COMPREPLY=($(compgen -W \"$(precis list methods 2>/dev/null)\" -- \"$cur\")); return ;;\n"
           "        --cache-k|--cache-v) COMPREPLY=($(compgen -W \"$(precis list cache 2>/dev/null)\" -- \"$cur\")); return ;;\n    esac\n"
           "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("        %s) options=\"", cli_commands[i]->name);
        all_words(cli_commands[i]);
        words(cli_common);
        printf("\" ;;\n");
    }
    printf("    esac\n    case $cur in\n        -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n        *) COMPREPLY=($(compgen -f -- \"$cur\") $(compgen -W \"${options//--*/}\" -- \"$cur\")) ;;\n    esac\n}\n"
           "complete -o filenames -F _precis precis\n");
}

static void quoted(const char *s) /* in single quotes, for zsh and fish */
{
    for (; *s; s++) {
        if (*s == '\'') fputs("'\\''", stdout);
        else if (*s == '[' || *s == ']' || *s == ':') printf("\\%c", *s);
        else putchar(*s);
    }
}

static void zsh_options(const cli_option *o)
{
    for (; o->name; o++) {
        printf(" '%s[", o->name);
        quoted(o->help);
        printf("]%s%s%s'", o->arg ? ":" : "", o->arg ? o->arg : "", o->arg ? ":_files" : "");
    }
}

static void zsh(void)
{
    printf("#compdef precis\nlocal -a commands\ncommands=(");
    for (size_t i = 0; cli_commands[i]; i++) printf(" '%s:", cli_commands[i]->name), quoted(cli_commands[i]->summary), printf("'");
    printf(" )\nif (( CURRENT == 2 )); then _describe command commands; return; fi\ncase $words[2] in\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("    %s) shift words; (( CURRENT-- )); _arguments '*:file:_files'", cli_commands[i]->name);
        zsh_options(cli_commands[i]->options);
        for (const cli_command *const *v = cli_commands[i]->verbs; v && *v; v++) zsh_options((*v)->options);
        zsh_options(cli_common);
        printf(" ;;\n");
    }
    printf("esac\n");
}

static void fish(void)
{
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("complete -c precis -n __fish_use_subcommand -a %s -d '", cli_commands[i]->name);
        quoted(cli_commands[i]->summary);
        printf("'\n");
        const cli_option *lists[34] = { cli_commands[i]->options, cli_common };
        int n = 2;
        for (const cli_command *const *v = cli_commands[i]->verbs; v && *v && n < 34; v++) {
            printf("complete -c precis -n '__fish_seen_subcommand_from %s' -a %s\n", cli_commands[i]->name, cli_verb_name(*v));
            lists[n++] = (*v)->options;
        }
        for (int l = 0; l < n; l++)
            for (const cli_option *o = lists[l]; o->name; o++) {
                printf("complete -c precis -n '__fish_seen_subcommand_from %s' -l %s%s -d '", cli_commands[i]->name, o->name + 2, o->arg ? " -r" : "");
                quoted(o->help);
                printf("'\n");
            }
    }
}

/* ---- which -------------------------------------------------------------------------------------------------- */
void cli_help(const cli_command *cmd)
{
    if (cmd) text_page(cmd);
    else text_overview();
}

int cli_help_command(int argc, char **argv)
{
    const char *kind = argc > 2 ? argv[2] : "", *what = argc > 3 ? argv[3] : NULL;
    const bool man = !strcmp(kind, "--man");
    const cli_command *cmd = NULL;
    const char *name = man ? what : argc > 2 ? kind : NULL;
    for (size_t i = 0; name && cli_commands[i]; i++)
        if (!strcmp(cli_commands[i]->name, name)) cmd = cli_commands[i];
    if (!strcmp(kind, "--completion")) {
        static const struct { const char *shell; void (*print)(void); } shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };
        for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
            if (what && !strcmp(what, shells[i].shell)) {
                shells[i].print();
                return EXIT_DONE;
            }
        fprintf(stderr, "precis: help --completion takes bash, zsh or fish\n");
        return EXIT_USAGE;
    }
    if (!man && cmd && cmd->verbs && what)
        for (const cli_command *const *v = cmd->verbs; *v; v++)
            if (!strcmp(cli_verb_name(*v), what)) {
                text_page(*v);
                return EXIT_DONE;
            }
    if (name && !cmd) {
        fprintf(stderr, "precis: no command \"%s\"; precis --help lists them\n", name);
        return EXIT_USAGE;
    }
    if (man && cmd) roff_page(cmd);
    else if (man) roff_overview();
    else cli_help(cmd);
    return EXIT_DONE;
}
