/* options.c - values of options, messages, output. */
#include "term.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <string.h>
#include <strings.h>
#include <unistd.h>

const cli_option cli_common[] = {
    { "--json", 0, NULL, "print one JSON object on stdout" },
    { "--quiet", 'q', NULL, "no progress and no notes on stderr" },
    { "--threads", 't', "N", "threads to use (default: one per core)" },
    { "--seed", 0, "N", "seed of everything random (default 0)" },
    { "--hf", 0, "OWNER/NAME[:FILE]", "(or -hf) in place of MODEL: one of a hub, fetched if it is not there" },
    { "--help", 'h', NULL, "this text" },
    { 0 },
};

const char *cli_get_nth(const cli *c, const char *name, int i)
{
    for (int k = 0; k < c->n_given; k++)
        if (!strcmp(c->given[k].option->name, name) && i-- == 0) return c->given[k].value ? c->given[k].value : "";
    return NULL;
}

const char *cli_get(const cli *c, const char *name)
{
    const char *last = NULL;
    for (int k = 0; k < c->n_given; k++)
        if (!strcmp(c->given[k].option->name, name)) last = c->given[k].value ? c->given[k].value : "";
    return last;
}

bool cli_has(const cli *c, const char *name) { return cli_get(c, name) != NULL; }

bool cli_ends(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcasecmp(s + n - k, end);
}

bool cli_int(const cli *c, const char *name, int64_t dflt, int64_t lo, int64_t hi, int64_t *out)
{
    const char *s = cli_get(c, name);
    *out = dflt;
    if (!s) return true;
    char *end;
    errno = 0;
    *out = strtoll(s, &end, 10);
    if (end != s && !*end && !errno && *out >= lo && *out <= hi) return true;
    cli_usage(c, "%s %s is no whole number from %lld to %lld", name, s, (long long)lo, (long long)hi);
    return false;
}

bool cli_effort(const cli *c, precis_effort *out)
{
    static const char *const levels[] = { NULL, "fast", "normal", "best" }; /* in the order of precis_effort */
    const char *s = cli_get(c, "--effort");
    *out = PRECIS_EFFORT_DEFAULT;
    if (!s) return true;
    for (int i = 1; i < 4; i++)
        if (!strcmp(s, levels[i])) return *out = (precis_effort)i, true;
    cli_usage(c, "--effort %s is none of fast, normal and best", s);
    return false;
}

bool cli_arithmetic(const cli *c, precis_arithmetic dflt, precis_arithmetic *out)
{
    const char *s = cli_get(c, "--arithmetic");
    *out = cli_has(c, "--weights-only") ? PRECIS_REFERENCE : dflt;
    if (!s) return true;
    if (*out == PRECIS_REFERENCE || *out == PRECIS_EMULATED) {
        cli_usage(c, "--arithmetic %s and --weights-only or --emulate are different arithmetics: give one", s);
        return false;
    }
    if (!strcmp(s, "exact")) *out = PRECIS_FAST;
    else if (!strcmp(s, "bf16")) *out = PRECIS_BF16;
    else if (!strcmp(s, "mixed")) *out = PRECIS_MIXED;
    else if (!strcmp(s, "int8")) *out = PRECIS_INT8;
    else if (!strcmp(s, "auto")) *out = PRECIS_AUTO;
    else {
        cli_usage(c, "--arithmetic %s is none of exact, bf16, mixed, int8 and auto", s);
        return false;
    }
    return true;
}

bool cli_pack(const cli *c, precis_pack dflt, precis_pack *out)
{
    static const char *const names[] = { "off", "load", "background" };
    const char *s = cli_get(c, "--pack");
    *out = dflt;
    if (!s || cli_packs_into_cache(c)) return true;
    for (int i = 0; i < 3; i++)
        if (!strcmp(s, names[i])) {
            *out = (precis_pack)i;
            return true;
        }
    cli_usage(c, "--pack %s is none of off, load, background and cache", s);
    return false;
}

bool cli_number(const cli *c, const char *name, double dflt, double lo, double hi, double *out)
{
    const char *s = cli_get(c, name);
    *out = dflt;
    if (!s) return true;
    char *end;
    *out = strtod(s, &end);
    if (end != s && !*end && *out >= lo && *out <= hi) return true;
    cli_usage(c, "%s %s is no number from %g to %g", name, s, lo, hi);
    return false;
}

bool cli_drop(const cli *c, double dflt, double *drop)
{
    const char *s = cli_get(c, "--max-drop");
    char *end;
    *drop = dflt;
    if (!s) return true;
    *drop = strtod(s, &end);
    if (end != s && *end == '%') *drop /= 100, end++;
    if (end != s && !*end && *drop >= 0 && *drop < 1) return true;
    cli_usage(c, "--max-drop %s is no part of the answers; write 0.02 or 2%%", s);
    return false;
}

static void say_all(const cli *c, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    if (c->said) vsnprintf(c->said->message, sizeof c->said->message, fmt, again);
    va_end(again);
    cli_progress_clear();
    fflush(stdout);
    char line[4096];
    vsnprintf(line, sizeof line, fmt, ap);
    for (char *p = line, *end; p; p = end ? end + 1 : NULL) { /* some messages have lines of their own */
        if ((end = strchr(p, '\n'))) *end = 0;
        char said[4200];
        snprintf(said, sizeof said, "%s%s", p == line ? "precis: " : "", cli_printable(p));
        cli_fold_error(said, 2);
    }
}

int cli_usage(const cli *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_all(c, fmt, ap);
    va_end(ap);
    return EXIT_USAGE;
}

int cli_error(const cli *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_all(c, fmt, ap);
    va_end(ap);
    return EXIT_INPUT;
}

/* What was meant by a word of which the library says that it is no type, law, method, ...: it is in quotes, and the
 * message names the tables that have such words ("precis list laws"). */
static const char *meant_word(const char *why, char ask[96])
{
    static const char list[] = "precis list ";
    const char *end = strstr(why, "\" is no "), *begin = end;
    char word[64], table[32];
    *ask = 0;
    while (begin && begin > why && begin[-1] != '"') begin--;
    if (!end || begin == why) return ask;
    snprintf(word, sizeof word, "%.*s", (int)(end - begin), begin);
    cli_meant m = { .word = word };
    for (const char *p = end; (p = strstr(p, list));) {
        p += sizeof list - 1;
        snprintf(table, sizeof table, "%.*s", (int)strspn(p, "abcdefghijklmnopqrstuvwxyz-"), p);
        for (size_t i = 0; precis_list(table, i); i++) cli_meant_look(&m, precis_list(table, i));
    }
    return cli_meant_ask(&m, ask);
}

int cli_fail(const cli *c, precis_status status)
{
    const char *why = precis_ctx_message(c->ctx);
    char ask[96];
    cli_error(c, "%s%s", *why ? why : precis_status_name(status), meant_word(why, ask));
    switch (status) {
    case PRECIS_OK: return EXIT_DONE;
    case PRECIS_EINVAL: return EXIT_USAGE;
    case PRECIS_EFORMAT: case PRECIS_EUNSUPPORTED: case PRECIS_EIO: return EXIT_INPUT;
    case PRECIS_ENOMEM: case PRECIS_ENOSPC: return EXIT_RESOURCES;
    case PRECIS_ECANCELED: return EXIT_INTERRUPTED;
    case PRECIS_EBUDGET: return EXIT_NEGATIVE;
    }
    return EXIT_INPUT;
}

bool cli_output_lost(void)
{
    static int why; /* of the first failure: those after it may succeed with nothing to write */
    errno = 0;
    const bool lost = fflush(stdout) || ferror(stdout);
    if (lost && !errno && write(STDOUT_FILENO, "\n", 1) == 1)
        errno = EIO; /* it failed in a printf, which told nobody: asked again */
    if (lost && !why) why = errno;
    errno = why;
    return lost;
}

int cli_done(const cli *c)
{
    (void)c; /* main says why */
    return cli_output_lost() ? EXIT_RESOURCES : EXIT_DONE;
}

int cli_print_json(const cli *c, json_t *object)
{
    if (c->said) c->said->object = true;
    if (cli_lacks_memory(c)) {
        json_decref(object);
        return cli_no_memory(c);
    }
    const int failed = !object ||
                       json_dumpf(object, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(c->digits ? c->digits : 9));
    json_decref(object);
    if (failed && cli_output_lost()) return cli_done(c);
    if (failed) return cli_error(c, "the result could not be written as JSON"), EXIT_RESOURCES;
    putchar('\n');
    return cli_done(c);
}

int cli_read_text(const cli *c, const char *path, precis_input_kind kind, char **text, size_t *len)
{
    const precis_status st = precis_input_read(c->ctx, path, kind, 0, text, len);
    return st ? cli_fail(c, st) : -1;
}

const char *cli_bytes(double bytes, char buf[32])
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
    int u = 0;
    while (bytes >= 999.5 && u < 4) bytes /= 1000, u++;
    snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
    return buf;
}

int cli_add_adapters(const cli *c, precis_model *m, bool merge)
{
    const char *given;
    for (int i = 0; (given = cli_get_nth(c, "--lora", i)); i++) {
        char path[4096];
        double scale = 1;
        const char *eq = strrchr(given, '=');
        char *end = NULL;
        if (eq) scale = strtod(eq + 1, &end);
        const size_t n = eq && end != eq + 1 && !*end ? (size_t)(eq - given) : strlen(given);
        if (n == strlen(given)) scale = 1;
        if (n >= sizeof path) return cli_usage(c, "--lora: the path is too long");
        memcpy(path, given, n);
        path[n] = 0;
        const precis_status st = precis_model_add_adapter(c->ctx, m, path, scale, merge);
        if (st) return cli_fail(c, st);
    }
    return -1;
}

bool cli_size(const cli *c, const char *name, uint64_t *bytes, double *part)
{
    const char *s = cli_get(c, name);
    if (!s) return true;
    char *end;
    const double v = strtod(s, &end);
    double unit = 1;
    if (end == s || !(v > 0) || v > 1e18) goto bad;
    if (*end == '%') {
        if (end[1]) goto bad;
        *part = v / 100;
        return true;
    }
    if (!*end && v < 10000) { /* no file is so small: the unit was forgotten */
        if (v <= 100) cli_usage(c, "%s %s would be in bytes; did you mean %s%% of the input, or %sM?", name, s, s, s);
        else cli_usage(c, "%s %s would be in bytes; did you mean %sM?", name, s, s);
        return false;
    }
    if (*end && strchr("kK", *end)) unit = 1e3, end++;
    else if (*end && strchr("mM", *end)) unit = 1e6, end++;
    else if (*end && strchr("gG", *end)) unit = 1e9, end++;
    else if (*end && strchr("tT", *end)) unit = 1e12, end++;
    if (*end == 'i')
        unit = unit == 1e3 ? 1024.0 : unit == 1e6 ? 1048576.0 : unit == 1e9 ? 1073741824.0 : 1099511627776.0, end++;
    if (*end == 'B') end++;
    if (*end || v * unit < 1 || v * unit > 1e18) goto bad;
    *bytes = (uint64_t)(v * unit);
    return true;
bad:
    cli_usage(c, "%s %s is no size; write bytes (73771824, 600M, 1.5GiB) or a part of the input (75%%)", name, s);
    return false;
}

int cli_memory_limit(const cli *c)
{
    uint64_t bytes = 0;
    double part = 0;
    if (!cli_has(c, "--mem-limit")) return -1;
    if (!cli_size(c, "--mem-limit", &bytes, &part)) return EXIT_USAGE;
    if (part > 0) return cli_usage(c, "--mem-limit takes bytes (600M, 1.5GiB), no part");
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 128 << 10); /* freed blocks go back to the system at once */
    mallopt(M_TRIM_THRESHOLD, 128 << 10);
#endif
    const precis_status st = precis_ctx_set_memory_limit(c->ctx, bytes, NULL);
    return st ? cli_fail(c, st) : -1;
}

char *cli_joined(const cli *c, const char *name)
{
    size_t len = 1;
    for (int i = 0; cli_get_nth(c, name, i); i++) len += strlen(cli_get_nth(c, name, i)) + 1;
    char *all = cli_alloc(len, 1);
    size_t used = 0;
    for (int i = 0; all && cli_get_nth(c, name, i); i++) {
        const char *one = cli_get_nth(c, name, i);
        if (i) all[used++] = ',';
        memcpy(all + used, one, strlen(one) + 1);
        used += strlen(one);
    }
    return all;
}

int cli_texts_open(const cli *c, const char *name, cli_texts *t, precis_calibrate_options *o)
{
    *t = (cli_texts){ .n = 0 };
    if (cli_get_nth(c, name, CLI_TEXTS)) return cli_usage(c, "%s may be given %d times at most", name, CLI_TEXTS);
    for (const char *f; (f = cli_get_nth(c, name, (int)t->n)); t->n++) {
        const int rc = cli_read_text(c, f, PRECIS_INPUT_TEXT, &t->texts[t->n], &t->lengths[t->n]);
        if (rc >= 0) return rc;
    }
    o->texts = (const char *const *)t->texts;
    o->lengths = t->lengths;
    o->n_texts = t->n;
    return -1;
}

void cli_texts_close(const cli *c, cli_texts *t)
{
    for (size_t i = 0; i < t->n; i++) precis_text_free(c->ctx, t->texts[i]);
}

precis_status cli_importance(const cli *c, const precis_model *m, const precis_calibrate_options *calibrate,
                             precis_effort effort, precis_imatrix **im)
{
    enum { LARGE = 300000000, TOKENS = 2048 };
    precis_calibrate_options o = *calibrate;
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    const bool timed = effort == PRECIS_EFFORT_DEFAULT || effort == PRECIS_EFFORT_BEST;
    if (timed && info.parameters > LARGE && o.n_texts && (!o.tokens || o.tokens > TOKENS)) o.tokens = TOKENS;
    int kept;
    if (!cli_has(c, "--imatrix")) return precis_calibrate_kept(c->ctx, im, m, &o, cli_kept(c), &kept);
    const precis_status st = precis_imatrix_open(c->ctx, im, cli_get(c, "--imatrix"));
    return st ? st : precis_imatrix_check(*im, m);
}

void cli_context_beyond(cli *c, uint64_t context, uint64_t known)
{
    char line[160];
    if (!known || context <= known) return;
    snprintf(line, sizeof line, "a context of %llu tokens, but the model was made for %llu: beyond those it has learnt "
             "nothing", (unsigned long long)context, (unsigned long long)known);
    cli_warn(c, line);
}

void cli_print_types(const precis_plan *plan)
{
    struct { const char *name; size_t n; uint64_t bytes; } types[64] = { { 0 } };
    size_t n = 0;
    for (size_t i = 0; i < precis_plan_size(plan); i++) {
        precis_plan_row r = { .size = sizeof r };
        precis_plan_get(plan, i, &r);
        size_t k = 0;
        while (k < n && strcmp(types[k].name, r.to)) k++;
        if (k == n && n < 63) types[n++].name = r.to;
        types[k].n++;
        types[k].bytes += r.bytes;
    }
    char line[4096], size[32];
    size_t used = (size_t)snprintf(line, sizeof line, "types:");
    for (size_t k = 0; k < n && used < sizeof line; k++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s %s %zu (%s)", k ? "," : "", types[k].name,
                                 types[k].n, cli_bytes((double)types[k].bytes, size));
    cli_say(2, "%s", line);
}

void cli_print_kernels(const precis_plan *plan)
{
    struct { const char *kernel, *level; size_t n; } all[64] = { { 0 } };
    size_t n = 0, unpacked = 0;
    double read = 0, now = 0;
    char a[32], b[32];
    for (size_t i = 0; i < precis_plan_size(plan); i++) {
        precis_plan_kernel k = { .size = sizeof k };
        if (precis_plan_get_kernel(plan, i, &k) || !*k.kernel) continue;
        size_t at = 0;
        while (at < n && (strcmp(all[at].kernel, k.kernel) || strcmp(all[at].level, k.level))) at++;
        if (at == n && n < 63) all[n].kernel = k.kernel, all[n++].level = k.level;
        all[at].n++;
        unpacked += !k.panels;
        read += k.read;
        now += k.read_now;
    }
    char line[4096];
    size_t used = (size_t)snprintf(line, sizeof line, "kernels:");
    for (size_t k = 0; k < n && used < sizeof line; k++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s %s/%s %zu", k ? "," : "", all[k].kernel,
                                 all[k].level, all[k].n);
    cli_say(2, "%s", line);
    if (!(read > 0)) return;
    char how[256] = "no faster than now";
    if (unpacked)
        snprintf(how, sizeof how, "%zu tensors have no kernel of their own at this level and are unpacked for every "
                 "token; it will be slower", unpacked);
    else if (read < 0.99 * now)
        snprintf(how, sizeof how, "up to %.2f times as fast where memory is the limit (precis bench MODEL "
                 "--cost-table predicts it)", now / read);
    cli_say(2, "a generated token reads %s of weights, now %s: %s", cli_bytes(read, a), cli_bytes(now, b), how);
}
