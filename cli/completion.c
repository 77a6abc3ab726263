/* completion.c - completion for bash, zsh and fish, from the tables of commands and options, so that it cannot fall
 * after the program. A second word (`law fit`), too, has options and files of its own. */
#include "term.h"

#include <string.h>

static const char models[] = "gguf|safetensors|onnx|pt2|bin";

/* What stands somewhere: words (a command prints them, or they are here), files, or what nobody can know. */
typedef struct { const char *print, *words, *endings; } slot; /* endings: "gguf|dat"; "": any file */

/* By option, and where two commands mean different things by it, by the name of what it takes. */
static const struct { const char *option, *takes; slot is; } of_options[] = {
    { "--type", "TYPE", { .print = "precis list formats --names; precis list mixes" } },
    { "--type", "NAME", { .words = "bf16 fp8 int8 fp4 int4" } },
    { "--types", NULL, { .print = "precis list formats --names" } },
    { "--qat", "TYPE", { .print = "precis list formats --names" } },
    { "--method", NULL, { .print = "precis list methods; precis list net-methods --names" } },
    { "--tasks", NULL, { .print = "precis list tasks" } },
    { "--cache-k", NULL, { .print = "precis list cache" } },
    { "--cache-v", NULL, { .print = "precis list cache" } },
    { "--kv", NULL, { .print = "precis list cache" } },
    { "--format", NULL, { .print = "precis list writers --names" } },
    { "--observer", NULL, { .print = "precis list observers --names" } },
    { "--objective", NULL, { .print = "precis list objectives" } },
    { "--estimator", NULL, { .print = "precis list estimators" } },
    { "--law", NULL, { .print = "precis list laws" } },
    { "--laws", NULL, { .print = "precis list laws" } },
    { "--effort", NULL, { .words = "fast normal best" } },
    { "--arithmetic", NULL, { .words = "exact bf16 mixed int8 auto" } },
    { "--pack", NULL, { .words = "off load background cache" } },
    { "--starts", NULL, { .words = "grid projection" } },
    { "--plan", NULL, { .endings = "json" } },
    { "--profile", NULL, { .endings = "json" } },
    { "--replay", NULL, { .endings = "manifest.json" } },
    { "--cost-table", NULL, { .endings = "json" } },
    { "--method-table", NULL, { .endings = "json" } },
    { "--imatrix", NULL, { .endings = "gguf|dat" } },
    { "--calib", NULL, { .endings = "txt|raw" } },
    { "--text", NULL, { .endings = "txt|raw" } },
    { "--logits", NULL, { .endings = "gguf" } },
    { "--lora", NULL, { .endings = "gguf|safetensors" } },
    { "--sts", NULL, { .endings = "csv" } },
};

/* The names that help gives to what is put in: MODEL, [DATA.csv], OUT.html|svg, PATH[=SCALE]. */
static const struct { const char *name; slot is; } of_names[] = {
    { "MODEL", { .endings = models } }, { "REF", { .endings = models } },
    { "LAW", { .print = "precis list laws" } }, { "TABLE", { .print = "precis list --names" } },
    { "CONFIG", { .endings = "json" } }, { "MANIFEST", { .endings = "manifest.json" } },
    { "FILE", { .endings = "" } }, { "OUT", { .endings = "" } }, { "DATA", { .endings = "" } },
    { "PATH", { .endings = "" } }, { "FOLDER", { .endings = "" } }, { "RAW", { .endings = "" } },
    { "KEY", { .endings = "" } }, { "PUBLIC", { .endings = "" } },
};

static slot slot_of_name(const char *name)
{
    name += *name == '[';
    const size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    for (size_t i = 0; i < sizeof of_names / sizeof *of_names; i++) {
        if (strlen(of_names[i].name) != n || memcmp(of_names[i].name, name, n)) continue;
        slot k = of_names[i].is;
        if (name[n] == '.') k.endings = name + n + 1; /* up to a bracket */
        return k;
    }
    return (slot){ 0 };
}

static slot slot_of(const cli_option *o)
{
    for (size_t i = 0; i < sizeof of_options / sizeof *of_options; i++)
        if (!strcmp(of_options[i].option, o->name) && o->arg &&
            (!of_options[i].takes || !strcmp(of_options[i].takes, o->arg)))
            return of_options[i].is;
    return o->arg ? slot_of_name(o->arg) : (slot){ 0 };
}

/* Endings, each behind `before`, with `between` between them. */
static void put_endings(const char *endings, const char *before, const char *between)
{
    for (const char *p = endings; *p && *p != ']'; p++) {
        if (p == endings) fputs(before, stdout);
        if (*p == '|') printf("%s%s", between, before);
        else putchar(*p);
    }
}

/* In single quotes; `escaped` has a backslash before it. */
static void put_quoted(const char *s, const char *escaped)
{
    for (; *s; s++) {
        if (*s == '\'') fputs("'\\''", stdout);
        else if (strchr(escaped, *s)) printf("\\%c", *s);
        else putchar(*s);
    }
}

/* Options of a command with its own and everybody's: row i, or NULL at the end. */
static const cli_option *option_at(const cli_command *cmd, size_t i)
{
    size_t n = 0;
    while (cmd->options[n].name) n++;
    const cli_option *o = i < n ? &cmd->options[i] : &cli_common[i - n];
    return o->name ? o : NULL;
}

/* ---- bash ------------------------------------------------------------------------------------------------------- */

static void bash_slot(slot k)
{
    if (k.print) printf("_precis_words \"$(%s 2>/dev/null)\"", k.print);
    else if (k.words) printf("_precis_words \"%s\"", k.words);
    else if (k.endings) fputs("_precis_files", stdout), put_endings(k.endings, " ", "");
    else putchar(':'); /* nothing to say, and no file either */
}

/* What follows the words of a command. */
static void bash_command(const cli_command *cmd, const char *indent)
{
    const cli_option *o;
    printf("%scase $prev in\n", indent);
    for (size_t i = 0; (o = option_at(cmd, i)); i++) {
        if (!o->arg) continue;
        printf("%s%s", indent, o->name);
        if (o->letter) printf("|-%c", o->letter);
        fputs(") ", stdout);
        bash_slot(slot_of(o));
        printf("; return ;;\n");
    }
    printf("%sesac\n%scase $cur in\n%s-*) _precis_words \"", indent, indent, indent);
    for (size_t i = 0; (o = option_at(cmd, i)); i++) printf("%s ", o->name);
    printf("\" ;;\n%s*) ", indent);
    bash_slot(slot_of_name(cmd->args));
    printf(" ;;\n%sesac\n", indent);
}

static void bash_words(const cli_command *const *list)
{
    for (; *list; list++) printf("%s ", cli_verb_name(*list));
}

static void bash(void)
{
    printf("# bash completion for precis\n"
           "_precis_files() # with one of these endings, and folders; without endings all\n{\n"
           "    local e IFS=$'\\n' name=${cur//\\\\/} # without the shell's quotes\n    name=${name#[\\\"\\']}\n"
           "    if [ $# = 0 ]; then COMPREPLY=($(compgen -f -- \"$name\")); return; fi\n"
           "    COMPREPLY=($(compgen -d -- \"$name\"))\n"
           "    for e in \"$@\"; do COMPREPLY+=($(compgen -f -X \"!*.$e\" -- \"$name\")); done\n}\n"
           "_precis_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$cur\")); }\n"
           "_precis()\n{\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    if [ \"$cur\" = = ]; then cur=\"\" # --type=\n"
           "    elif [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then _precis_words \"");
    bash_words(cli_commands);
    printf("help --help --version\"; return; fi\n    case ${COMP_WORDS[1]} in\n    help) _precis_words \"");
    bash_words(cli_commands);
    printf("\" ;;\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        const cli_command *cmd = cli_commands[i];
        printf("    %s)\n", cmd->name);
        if (cmd->verbs) {
            printf("        if [ \"$COMP_CWORD\" = 2 ]; then _precis_words \"");
            bash_words(cmd->verbs);
            printf("--help\"; return; fi\n        case ${COMP_WORDS[2]} in\n");
            for (const cli_command *const *v = cmd->verbs; *v; v++) {
                printf("        %s)\n", cli_verb_name(*v));
                bash_command(*v, "            ");
                printf("            ;;\n");
            }
            printf("        esac\n");
        } else bash_command(cmd, "        ");
        printf("        ;;\n");
    }
    printf("    esac\n}\ncomplete -o filenames -F _precis precis\n");
}

/* ---- zsh -------------------------------------------------------------------------------------------------------- */

static void zsh_slot(slot k)
{
    if (k.print) printf("($(%s 2>/dev/null))", k.print);
    else if (k.words) printf("(%s)", k.words);
    else if (k.endings && strchr(k.endings, '|'))
        printf("_files -g \"*.("), put_endings(k.endings, "", "|"), printf(")\"");
    else if (k.endings && *k.endings) /* one in brackets would be taken for qualifiers */
        printf("_files -g \""), put_endings(k.endings, "*.", ""), printf("\"");
    else if (k.endings) printf("_files");
    else putchar(' '); /* nothing to say */
}

static void zsh_option(const cli_option *o, const char *name, bool equals)
{
    printf(" \\\n        '*%s%s[", name, o->arg && equals ? "=" : "");
    put_quoted(o->help, "[]:");
    printf("]");
    if (o->arg) {
        printf(":");
        put_quoted(o->arg, "[]:");
        printf(":");
        zsh_slot(slot_of(o));
    }
    printf("'");
}

static void zsh_command(const cli_command *cmd)
{
    const slot k = slot_of_name(cmd->args);
    const cli_option *o;
    printf("_arguments");
    if (k.print || k.words || k.endings) printf(" '*:%s:", cmd->args + (*cmd->args == '[')), zsh_slot(k), putchar('\'');
    for (size_t i = 0; (o = option_at(cmd, i)); i++) {
        const char letter[] = { '-', o->letter, 0 };
        zsh_option(o, o->name, true);
        if (o->letter) zsh_option(o, letter, false);
    }
}

static void zsh_describe(const cli_command *const *list)
{
    printf("words_of=(");
    for (; *list; list++) printf(" '%s:", cli_verb_name(*list)), put_quoted((*list)->summary, "[]:"), printf("'");
    printf(" ); _describe word words_of");
}

static void zsh(void)
{
    printf("#compdef precis\n_precis() {\nlocal -a words_of\nif (( CURRENT == 2 )); then ");
    zsh_describe(cli_commands);
    printf("; return; fi\ncase $words[2] in\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        const cli_command *cmd = cli_commands[i];
        printf("    %s) ", cmd->name);
        if (cmd->verbs) {
            printf("if (( CURRENT == 3 )); then ");
            zsh_describe(cmd->verbs);
            printf("; return; fi\n    case $words[3] in\n");
            for (const cli_command *const *v = cmd->verbs; *v; v++) {
                printf("    %s) shift 2 words; (( CURRENT -= 2 )); ", cli_verb_name(*v));
                zsh_command(*v);
                printf(" ;;\n");
            }
            printf("    esac ;;\n");
        } else {
            printf("shift words; (( CURRENT-- )); ");
            zsh_command(cmd);
            printf(" ;;\n");
        }
    }
    /* a file of fpath is the function's body, and is called when it is wanted; what is sourced names it for later */
    printf("esac\n}\nif [[ $funcstack[1] = _precis ]]; then _precis \"$@\"; else compdef _precis precis; fi\n");
}

/* ---- fish ------------------------------------------------------------------------------------------------------- */

static void fish_slot(slot k)
{
    if (k.print) printf(" -f -a \"(%s 2>/dev/null)\"", k.print);
    else if (k.words) printf(" -f -a \"%s\"", k.words);
    else if (k.endings && *k.endings)
        printf(" -k -a \"("), put_endings(k.endings, "__fish_complete_suffix .", "; "), printf(")\"");
    else if (k.endings) printf(" -F");
    else printf(" -f");
}

static void fish_option(const char *words, const cli_option *o)
{
    printf("complete -c precis -n '__precis_is %s' -l %s", words, o->name + 2);
    if (o->letter) printf(" -s %c", o->letter);
    if (o->arg) printf(" -r"), fish_slot(slot_of(o));
    printf(" -d '");
    put_quoted(o->help, "");
    printf("'\n");
}

/* words: "quant", or "law fit". */
static void fish_command(const cli_command *cmd)
{
    const slot k = slot_of_name(cmd->args);
    const cli_option *o;
    printf("complete -c precis -n '__precis_is %s'", cmd->name);
    fish_slot(k);
    printf("\n");
    for (size_t i = 0; (o = option_at(cmd, i)); i++) fish_option(cmd->name, o);
}

static void fish_word(const char *before, const cli_command *cmd)
{
    printf("complete -c precis -n '__precis_next %s' -f -a %s -d '", before, cli_verb_name(cmd));
    put_quoted(cmd->summary, "");
    printf("'\n");
}

static void fish(void)
{
    printf("# fish completion for precis: is the line of these words, and is the next one to come?\n"
           "function __precis_is\n    set -l line (commandline -opc)[2..-1]\n"
           "    string match -q -- \"$argv *\" \"$line \"\nend\n"
           "function __precis_next\n    set -l line (commandline -opc)[2..-1]\n"
           "    test \"$line\" = \"$argv\"\nend\n"
           "complete -c precis -n 'test (count (commandline -opc)) = 1' -f\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        const cli_command *cmd = cli_commands[i];
        fish_word("", cmd);
        for (const cli_command *const *v = cmd->verbs; v && *v; v++) {
            fish_word(cmd->name, *v);
            fish_command(*v);
        }
        if (!cmd->verbs) fish_command(cmd);
    }
}

bool cli_completion(const char *shell)
{
    static const struct { const char *shell; void (*print)(void); } shells[] = {
        { "bash", bash }, { "zsh", zsh }, { "fish", fish },
    };
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (!strcmp(shell, shells[i].shell)) return shells[i].print(), true;
    return false;
}
