/* precis law - the scaling laws for precision: fit, predict, invert. Its words are commands of their own (law_*.c). */
#include "law.h"
#include "term.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool law_number(const cli *c, const char *option, double dflt, double *out)
{
    const char *s = cli_get(c, option);
    *out = dflt;
    if (!s) return true;
    static const struct {
        const char *suffix;
        double factor;
    } suffixes[] = { { "", 1 }, { "K", 1e3 }, { "M", 1e6 }, { "B", 1e9 }, { "G", 1e9 }, { "T", 1e12 }, { "P", 1e15 } };
    char *end;
    const double v = strtod(s, &end);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes && end != s; i++)
        if (!strcasecmp(end, suffixes[i].suffix) && isfinite(v) && v > 0) {
            *out = v * suffixes[i].factor;
            return true;
        }
    cli_usage(c, "%s %s is no positive number (1e9, 8B, 15T)", option, s);
    return false;
}

int law_open(cli *c, const char *name, precis_law **law)
{
    precis_status st = precis_law_open(c->ctx, law, name ? name : cli_has(c, "--law") ? cli_get(c, "--law") : "kumar");
    const char *p;
    for (int i = 0; !st && (p = cli_get_nth(c, "--param", i)); i++) {
        char item[128], *eq, *end;
        snprintf(item, sizeof item, "%s", p);
        eq = strchr(item, '=');
        const double v = eq ? strtod(eq + 1, &end) : 0;
        if (!eq || end == eq + 1 || *end) {
            precis_law_close(law);
            return cli_usage(c, "--param takes NAME=VALUE, not %s", p);
        }
        *eq = 0;
        st = precis_law_set_param(*law, item, v);
    }
    if (!st) return -1;
    precis_law_close(law);
    return cli_fail(c, st);
}

/* Bits, exponent and mantissa of a type's name. */
static bool type_of(const char *name, double *bits, double *exponent, double *mantissa)
{
    const precis_law_format *f;
    *exponent = *mantissa = NAN;
    for (size_t i = 0, n = precis_law_formats(&f); i < n; i++)
        if (!strcasecmp(f[i].name, name)) {
            *bits = f[i].bits, *exponent = f[i].exponent, *mantissa = f[i].mantissa;
            return true;
        }
    char *middle = NULL, *last;
    const long e = strchr("eE", *name) && *name ? strtol(name + 1, &middle, 10) : 0;
    if (e > 0 && e < 32 && (*middle == 'm' || *middle == 'M')) {
        const long m = strtol(middle + 1, &last, 10);
        if (last > middle + 1 && !*last && m >= 0 && m < 53) {
            *bits = (double)(1 + e + m), *exponent = (double)e, *mantissa = (double)m;
            return true;
        }
    }
    if (!strncasecmp(name, "int", 3) && isdigit((unsigned char)name[3])) {
        char *end;
        *bits = strtod(name + 3, &end);
        return !*end && *bits >= 1 && *bits <= 32;
    }
    return false;
}

int law_point(const cli *c, precis_law_point *p)
{
    precis_law_point_init(p);
    const char *type = cli_get(c, "--type");
    double all = 0, exponent = NAN, mantissa = NAN;
    if (type && !type_of(type, &all, &exponent, &mantissa))
        return cli_usage(c, "--type %s is none of bf16 fp8 int8 fp4 int4, INT6 and the like, E4M3 and the like", type);
    if (cli_has(c, "--bits") && !cli_number(c, "--bits", 16, 0.1, 64, &all)) return EXIT_USAGE;
    if (all > 0) p->v[PRECIS_LAW_BITS_W] = p->v[PRECIS_LAW_BITS_A] = p->v[PRECIS_LAW_BITS_KV] = all;
    if (!isnan(exponent)) p->v[PRECIS_LAW_EXPONENT] = exponent, p->v[PRECIS_LAW_MANTISSA] = mantissa;
    const char *name, *option, *unit, *what;
    for (size_t i = 0; precis_law_variable_get(i, &name, &option, &unit, &what); i++) {
        if (!cli_option_of(c->command, option) || !cli_has(c, option)) continue;
        const bool part = i == PRECIS_LAW_SPARSITY || i == PRECIS_LAW_QAT;
        if (i <= PRECIS_LAW_D || i == PRECIS_LAW_BLOCK
                ? !law_number(c, option, NAN, &p->v[i])
                : !cli_number(c, option, NAN, i >= PRECIS_LAW_SPARSITY || i == PRECIS_LAW_MANTISSA ? 0 : 0.1,
                              part ? 1 : 64, &p->v[i]))
            return EXIT_USAGE;
    }
    return -1;
}

char *law_where(const cli *c)
{
    char *s = cli_has(c, "--where") ? cli_joined(c, "--where") : NULL;
    const char *v;
    size_t at = 0;
    for (int i = 0; s && (v = cli_get_nth(c, "--where", i)); i++) {
        at += strlen(v);
        if (s[at] == ',') s[at++] = ';';
    }
    return s;
}

json_t *law_real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

json_t *law_point_json(const precis_law_point *p)
{
    json_t *o = json_object();
    const char *name, *option, *unit, *what;
    for (size_t i = 0; precis_law_variable_get(i, &name, &option, &unit, &what); i++)
        if (isfinite(p->v[i])) json_object_set_new(o, name, json_real(p->v[i]));
    return o;
}

const char *law_human(double v, char buf[32])
{
    static const struct {
        double factor;
        const char *suffix;
    } units[] = { { 1e12, "T" }, { 1e9, "B" }, { 1e6, "M" }, { 1e3, "K" } };
    snprintf(buf, 32, "%.4g", v);
    for (size_t i = 0; i < 4; i++)
        if (v >= units[i].factor && v < 1e15) {
            snprintf(buf, 32, "%.4g%s", v / units[i].factor, units[i].suffix);
            break;
        }
    return buf;
}

int law_fields(const char *line, char *name, size_t size, double *numbers, int most)
{
    static const char blanks[] = " \t\r\n\v\f";
    const char *p = line + strspn(line, blanks);
    size_t n = strcspn(p, blanks);
    if (!n) return 0;
    if (n > size - 1) n = size - 1;
    memcpy(name, p, n);
    name[n] = 0;
    p += n;
    for (int i = 0; i < most; i++) {
        char *end;
        const double v = strtod(p, &end);
        if (end == p) return 1 + i;
        numbers[i] = v;
        p = end;
    }
    return 1 + most;
}

int law_formats_open(const cli *c, law_formats *f)
{
    const char *path = cli_get(c, "--formats");
    *f = (law_formats){ 0 };
    if (!path) return -1;
    size_t len;
    char *text;
    int line = 0, rc = cli_read_text(c, path, PRECIS_INPUT_TABLE, &text, &len);
    for (char *p = text, *end; rc < 0 && p && *p; p = end) {
        end = strchr(p, '\n');
        if (end) *end++ = 0;
        line++;
        char *hash = strchr(p, '#');
        if (hash) *hash = 0;
        precis_law_format *o = &f->list[f->n];
        *o = (precis_law_format){ f->names[f->n], NAN, NAN, NAN, NAN };
        double numbers[4] = { NAN, NAN, NAN, NAN };
        const int got = law_fields(p, f->names[f->n], sizeof f->names[f->n], numbers, 4);
        if (!got) continue;
        o->bits = numbers[0], o->cost = numbers[1], o->exponent = numbers[2], o->mantissa = numbers[3];
        if (f->n == 63) rc = cli_error(c, "%s, line %d: more than 63 formats", path, line);
        else if (got < 3 || !(o->bits > 0 && o->bits <= 64) || !(o->cost > 0) || !isfinite(o->cost))
            rc = cli_error(c,
                           "%s, line %d: a format is NAME BITS COST [EXPONENT MANTISSA], the cost of an operation in "
                           "parts of one of 16 bits",
                           path, line);
        else f->n++;
    }
    precis_text_free(c->ctx, text);
    f->given = true;
    return rc >= 0 ? rc : f->n ? -1 : cli_error(c, "%s: no format in it", path);
}

/* ---- list -------------------------------------------------------------------------------------------------------- */

static json_t *law_json(precis_law *law)
{
    precis_law_info i = { .size = sizeof i };
    precis_law_get_info(law, &i);
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", i.name, "title", i.title, "source", i.source,
                          "assumes", i.assumes, "text", i.text, "form", i.form),
           *params = json_array(), *sets = json_array(), *domain = json_object();
    for (size_t k = 0; k < i.params; k++) {
        precis_law_param p = { .size = sizeof p };
        precis_law_get_param(law, k, &p);
        json_array_append_new(params, json_pack("{s:s, s:o, s:s, s:s, s:s, s:b}", "name", p.name, "value",
                                                law_real(p.value), "unit", p.unit, "standing", p.standing, "source",
                                                p.source, "verified", !strcmp(p.standing, "verified")));
    }
    for (size_t k = 0; k < i.sets; k++) {
        const char *name, *source;
        precis_law_get_set(law, k, &name, &source);
        json_array_append_new(sets, json_pack("{s:s, s:s}", "name", name, "source", source));
    }
    const char *name, *option, *unit, *what;
    double lo, hi;
    for (size_t k = 0; precis_law_variable_get(k, &name, &option, &unit, &what); k++)
        if (precis_law_domain(law, name, &lo, &hi)) json_object_set_new(domain, name, json_pack("[f, f]", lo, hi));
    if (precis_law_domain(law, "ratio", &lo, &hi)) json_object_set_new(domain, "D/N", json_pack("[f, f]", lo, hi));
    json_object_set_new(o, "params", params);
    json_object_set_new(o, "sets", sets);
    json_object_set_new(o, "domain", domain);
    json_object_set_new(o, "gradient", json_string("exact, of every parameter and variable (reverse mode)"));
    const char *lacks = precis_law_lacks(law, "loss");
    json_object_set_new(o, "lacks", lacks ? json_string(lacks) : json_null());
    json_object_set_new(o, "predicts", json_boolean(lacks && !*lacks));
    return o;
}

static void put_lines(const char *text, int indent)
{
    for (const char *p = text, *end; *p; p = *end ? end + 1 : end) {
        end = p + strcspn(p, "\n");
        cli_row(indent + (int)strspn(p, " "), "%.*s", (int)(end - p), p);
    }
}

static void print_law(precis_law *law)
{
    precis_law_info i = { .size = sizeof i };
    precis_law_get_info(law, &i);
    cli_row(4, "%s: %s", i.name, i.title);
    cli_row(4, "%s", i.source);
    putchar('\n');
    put_lines(i.text, 0);
    putchar('\n');
    cli_row(4, "assumes: %s", i.assumes);
    putchar('\n');
    put_lines(i.form, 4);
    for (size_t k = 0; k < i.params; k++) {
        precis_law_param p = { .size = sizeof p };
        precis_law_get_param(law, k, &p);
        char value[32] = "not known";
        if (!isnan(p.value)) snprintf(value, sizeof value, "%.10g", p.value);
        cli_row(6, "  %-10s %-14s %-12s %-11s %s", p.name, value, p.unit, p.standing, p.source);
    }
    const char *name, *source, *option, *unit, *what;
    double lo, hi;
    for (size_t k = 0; k < i.sets; k++) {
        precis_law_get_set(law, k, &name, &source);
        if (!k) printf("\nsets of constants:\n");
        cli_row(6, "  %s:%-20s %s", i.name, name, source);
    }
    char fitted[512];
    size_t used = (size_t)snprintf(fitted, sizeof fitted, "fitted for:");
    putchar('\n');
    for (size_t k = 0; precis_law_variable_get(k, &name, &option, &unit, &what); k++)
        if (precis_law_domain(law, name, &lo, &hi) && used < sizeof fitted)
            used += (size_t)snprintf(fitted + used, sizeof fitted - used, " %s %.3g to %.3g;", name, lo, hi);
    if (precis_law_domain(law, "ratio", &lo, &hi) && used < sizeof fitted)
        snprintf(fitted + used, sizeof fitted - used, " D/N %.3g to %.3g;", lo, hi);
    cli_row(4, "%s", fitted);
    const char *lacks = precis_law_lacks(law, "loss");
    if (lacks && *lacks)
        cli_row(4, "no loss is predicted: %s not published (--param NAME=VALUE gives them)", lacks);
}

static int list(cli *c)
{
    precis_law *law;
    if (c->n_args) {
        const int rc = law_open(c, c->args[0], &law);
        if (rc >= 0) return rc;
        json_t *o = c->json ? law_json(law) : NULL;
        if (!c->json) print_law(law);
        precis_law_close(&law);
        return c->json ? cli_print_json(c, o) : cli_done(c);
    }
    json_t *all = json_array();
    for (size_t i = 0; precis_law_name(i); i++) {
        const precis_status st = precis_law_open(c->ctx, &law, precis_law_name(i));
        if (st) {
            json_decref(all);
            return cli_fail(c, st);
        }
        precis_law_info info = { .size = sizeof info };
        precis_law_get_info(law, &info);
        const char *lacks = precis_law_lacks(law, "loss");
        if (c->json) json_array_append_new(all, law_json(law));
        else
            cli_row(15, "%-14s %s%s%s%s", info.name, info.title, lacks && *lacks ? " (lacks " : "", lacks ? lacks : "",
                   lacks && *lacks ? ")" : "");
        precis_law_close(&law);
    }
    if (c->json) return cli_print_json(c, json_pack("{s:o}", "laws", all));
    json_decref(all);
    return cli_done(c);
}

static const cli_option list_options[] = { { "--param", 0, "NAME=VALUE", "another constant of the law" }, { 0 } };
const cli_command law_list = {
    "law list", "[LAW]",
    "the laws, or all of one: expressions, constants with their source and standing, sets, where it was fitted",
    NULL, 0, 1, list_options, list,
    "  precis law list\n"
    "  precis law list kumar\n",
    NULL
};

static const cli_option none[] = { { 0 } };
static const cli_command *const verbs[] = { &law_advise,  &law_predict, &law_optimal, &law_critical,
                                            &law_isoloss, &law_isocost, &law_compare, &law_fit,
                                            &law_plot,    &law_list,    NULL };
const cli_command cli_law = {
    "law", "[WORD]", "scaling laws for precision: how many bits to train and serve in, and what they cost",
    "Losses are nats per token, N parameters, D tokens, costs FLOP at 16 "
    "bits. docs/laws.md explains each law and its traps.",
    0, 0, none, NULL,
    "  precis law advise --N 8B --D 15T\n"
    "  precis law predict --law kumar --N 1e9 --D 1e11 --bits-w 4 --bits-a 8 --bits-kv 8\n"
    "  precis law fit runs.csv --form chinchilla --bootstrap 1000 -o mine.json\n"
    "  precis law predict --law mine.json --N 8B --D 15T\n",
    verbs
};
