/* read.c - the file of a law: lines of a word and what belongs to it (docs/laws.md, "Laws of your own").
 *
 *   law NAME                       title TEXT        source TEXT      assumes TEXT      text TEXT (more than once)
 *   domain VARIABLE LOW HIGH       of N, D, ratio (D / N), bits_w ...
 *   param NAME = VALUE [positive] [fixed] [unit WORD] [STANDING] [start X ...] [: SOURCE]
 *                                  STANDING: verified, derived, primary, secondary or unverified
 *   set NAME PARAM=VALUE ... [: SOURCE]
 *   let NAME = EXPRESSION          the lets n_eff, d_eff, base, ptq and loss are what a law is asked for */
#include "law/expression.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const pcs_variable pcs_variables[PCS_VARS] = {
#define VARIABLE(name, option, unit, usual, what) { #name, option, unit, what, usual },
#include "law/variables.def"
#undef VARIABLE
};

/* ---- words of a line --------------------------------------------------------------------------------------------- */

static void blanks(pcs_law_text_at *t)
{
    while (t->p < t->end && (*t->p == ' ' || *t->p == '\t' || *t->p == '\r')) t->p++;
}

static bool at_end(const pcs_law_text_at *t) { return t->p >= t->end || *t->p == '\n' || *t->p == '#'; }

/* The next word without blanks; "" at the end of the line. ':' and '=' stand alone. */
static precis_status word(pcs_law_text_at *t, char buf[64])
{
    blanks(t);
    size_t n = 0;
    const char *at = t->p;
    while (!at_end(t) && !isspace((unsigned char)*t->p) && n < 63) {
        if ((*t->p == ':' || *t->p == '=') && n) break;
        buf[n++] = *t->p++;
        if (buf[0] == ':' || buf[0] == '=') break;
    }
    buf[n] = 0;
    return n == 63 ? pcs_law_fail(t, at, "a word of more than 62 bytes") : PRECIS_OK;
}

static precis_status number(pcs_law_text_at *t, double *out)
{
    char buf[64], *end;
    blanks(t);
    const char *at = t->p;
    const precis_status st = word(t, buf);
    if (st) return st;
    *out = strtod(buf, &end);
    if (end == buf || *end || !isfinite(*out)) return pcs_law_fail(t, at, "\"%s\" is no number", buf);
    return PRECIS_OK;
}

static char *rest(precis_law *l, pcs_law_text_at *t)
{
    blanks(t);
    const char *at = t->p;
    while (t->p < t->end && *t->p != '\n') t->p++;
    size_t n = (size_t)(t->p - at);
    while (n && isspace((unsigned char)at[n - 1])) n--;
    return pcs_arena_copy(&l->arena, at, n);
}

static precis_status new_name(precis_law *l, pcs_law_text_at *t, char buf[64])
{
    blanks(t);
    const char *at = t->p;
    precis_status st = word(t, buf);
    if (st) return st;
    size_t n = 0;
    while (isalnum((unsigned char)buf[n]) || buf[n] == '_') n++;
    if (!n || buf[n] || isdigit((unsigned char)buf[0]) || n >= PCS_LAW_NAME)
        return pcs_law_fail(t, at, "a name has letters, digits and _, at most %d of them", PCS_LAW_NAME - 1);
    bool taken = pcs_law_let(l, buf) >= 0 || pcs_law_param(l, buf) >= 0;
    for (int v = 0; v < PCS_VARS; v++) taken = taken || !strcmp(pcs_variables[v].name, buf);
    return taken ? pcs_law_fail(t, at, "%s is taken", buf) : PRECIS_OK;
}

static precis_status equals(pcs_law_text_at *t)
{
    char buf[64];
    blanks(t);
    const char *at = t->p;
    const precis_status st = word(t, buf);
    return st ? st : strcmp(buf, "=") ? pcs_law_fail(t, at, "= is missing") : PRECIS_OK;
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

const char *const pcs_standings[PCS_STANDINGS] = { "unknown", "unverified", "secondary",
                                                   "primary", "derived",    "verified" };

/* Words after a parameter's value. */
static precis_status attributes(precis_law *l, pcs_law_text_at *t, pcs_param *p)
{
    char buf[64];
    precis_status st = PRECIS_OK;
    for (bool starts = false; !st;) {
        blanks(t);
        const char *at = t->p;
        st = word(t, buf);
        if (st || !*buf) break;
        if (!strcmp(buf, ":")) {
            p->source = rest(l, t);
            break;
        }
        char *end;
        const double v = strtod(buf, &end);
        if (starts && end != buf && !*end && isfinite(v)) {
            if (p->n_starts == PCS_LAW_STARTS) return pcs_law_fail(t, at, "more than %d starts", PCS_LAW_STARTS);
            p->starts[p->n_starts++] = v;
            continue;
        }
        starts = !strcmp(buf, "start");
        bool known = starts;
        if (!strcmp(buf, "positive")) known = p->positive = true;
        if (!strcmp(buf, "fixed")) known = p->fixed = true;
        if (!strcmp(buf, "unit")) {
            known = true;
            st = word(t, buf);
            p->unit = pcs_arena_copy(&l->arena, buf, strlen(buf));
        }
        for (int i = 1; i < PCS_STANDINGS && !known; i++)
            if (!strcmp(buf, pcs_standings[i])) known = true, p->standing = (pcs_standing)i;
        if (!known)
            return pcs_law_fail(t, at,
                                "\"%s\" is none of positive fixed unit start verified derived primary secondary "
                                "unverified, nor a : before the source",
                                buf);
    }
    return st;
}

static precis_status param_line(precis_law *l, pcs_law_text_at *t)
{
    char buf[64];
    const char *at = t->p;
    if (l->n_params == PCS_LAW_PARAMS) return pcs_law_fail(t, at, "more than %d parameters", PCS_LAW_PARAMS);
    precis_status st = new_name(l, t, buf);
    if (st) return st;
    pcs_param *p = &l->params[l->n_params];
    *p = (pcs_param){ .name = pcs_arena_copy(&l->arena, buf, strlen(buf)),
                      .unit = pcs_arena_copy(&l->arena, "", 0),
                      .source = pcs_arena_copy(&l->arena, "", 0),
                      .value = NAN };
    st = equals(t);
    blanks(t);
    if (st) return st;
    if (t->p < t->end && *t->p == '?') t->p++;
    else st = number(t, &p->value);
    if (!st) st = attributes(l, t, p);
    if (st) return st;
    if (p->positive && p->value <= 0) return pcs_law_fail(t, at, "%s is positive, and its value is not", p->name);
    if (isnan(p->value)) p->standing = PCS_UNKNOWN;
    if (!p->name || !p->unit || !p->source) return PRECIS_ENOMEM;
    l->n_params++;
    return PRECIS_OK;
}

static precis_status set_line(precis_law *l, pcs_law_text_at *t)
{
    char buf[64];
    if (l->n_sets == PCS_LAW_SETS) return pcs_law_fail(t, t->p, "more than %d sets", PCS_LAW_SETS);
    precis_status st = word(t, buf);
    if (!st && !*buf) st = pcs_law_fail(t, t->p, "a set has a name");
    pcs_set *s = &l->sets[l->n_sets];
    s->name = pcs_arena_copy(&l->arena, buf, strlen(buf));
    s->source = pcs_arena_copy(&l->arena, "", 0);
    for (int i = 0; i < l->n_params; i++) s->values[i] = l->params[i].value;
    while (!st) {
        blanks(t);
        const char *at = t->p;
        st = word(t, buf);
        if (st || !*buf) break;
        if (!strcmp(buf, ":")) {
            s->source = rest(l, t);
            break;
        }
        const int i = pcs_law_param(l, buf);
        if (i < 0) return pcs_law_fail(t, at, "%s is no parameter of a line before", buf);
        st = equals(t);
        blanks(t);
        if (!st && t->p < t->end && *t->p == '?') t->p++, s->values[i] = NAN;
        else if (!st) st = number(t, &s->values[i]);
        if (!st && l->params[i].positive && s->values[i] <= 0)
            st = pcs_law_fail(t, at, "%s is positive", l->params[i].name);
    }
    if (!s->name || !s->source) return PRECIS_ENOMEM;
    l->n_sets += !st;
    return st;
}

static precis_status domain_line(precis_law *l, pcs_law_text_at *t)
{
    char buf[64];
    blanks(t);
    const char *at = t->p;
    precis_status st = word(t, buf);
    double *lo = NULL, *hi = NULL;
    if (!strcmp(buf, "ratio")) lo = &l->low_ratio, hi = &l->high_ratio;
    for (int v = 0; v < PCS_VARS; v++)
        if (!strcmp(pcs_variables[v].name, buf)) lo = &l->low[v], hi = &l->high[v];
    if (!st && !lo) st = pcs_law_fail(t, at, "%s is no variable, nor \"ratio\" (D / N)", buf);
    if (!st) st = number(t, lo);
    if (!st) st = number(t, hi);
    return !st && *lo > *hi ? pcs_law_fail(t, at, "the lower end is above the upper") : st;
}

static precis_status let_line(precis_law *l, pcs_law_text_at *t, pcs_buf *form)
{
    char buf[64];
    const char *at = t->p;
    if (l->n_lets == PCS_LAW_LETS) return pcs_law_fail(t, at, "more than %d lets", PCS_LAW_LETS);
    precis_status st = new_name(l, t, buf);
    if (!st) st = equals(t);
    if (st) return st;
    blanks(t);
    const char *start = t->p;
    uint16_t root = 0;
    st = pcs_expression(l, t, &root);
    if (st) return st;
    l->lets[l->n_lets].name = pcs_arena_copy(&l->arena, buf, strlen(buf));
    if (!l->lets[l->n_lets].name) return PRECIS_ENOMEM;
    l->lets[l->n_lets++].node = root;
    st = pcs_buf_add(form, buf, strlen(buf));
    if (!st) st = pcs_buf_add(form, " = ", 3);
    if (!st) st = pcs_buf_add(form, start, (size_t)(t->p - start));
    if (st) return st;
    while (form->len && isspace((unsigned char)form->data[form->len - 1])) form->len--;
    return pcs_buf_add(form, "\n", 1);
}

static precis_status line(precis_law *l, pcs_law_text_at *t, pcs_buf *text, pcs_buf *form)
{
    char buf[64];
    blanks(t);
    if (at_end(t)) return PRECIS_OK;
    const char *at = t->p;
    precis_status st = word(t, buf);
    if (st) return st;
    if (!strcmp(buf, "param")) return param_line(l, t);
    if (!strcmp(buf, "set")) return set_line(l, t);
    if (!strcmp(buf, "domain")) return domain_line(l, t);
    if (!strcmp(buf, "let")) return let_line(l, t, form);
    char **texts[] = { &l->name, &l->title, &l->source, &l->assumes };
    static const char *const words[] = { "law", "title", "source", "assumes" };
    for (int i = 0; i < 4; i++)
        if (!strcmp(buf, words[i])) return (*texts[i] = rest(l, t)) ? PRECIS_OK : PRECIS_ENOMEM;
    if (strcmp(buf, "text"))
        return pcs_law_fail(t, at, "\"%s\" is none of law title source assumes text domain param set let", buf);
    const char *more = rest(l, t);
    if (!more) return PRECIS_ENOMEM;
    if (text->len && (st = pcs_buf_add(text, "\n", 1))) return st;
    return pcs_buf_add(text, more, strlen(more));
}

/* What a law must have: something to say. `loss` is base + ptq where it is not given. */
static precis_status complete(precis_law *l, pcs_law_text_at *t)
{
    if (!l->name || !*l->name) return pcs_law_fail(t, t->p, "no line \"law NAME\"");
    const int base = pcs_law_let(l, "base"), ptq = pcs_law_let(l, "ptq");
    if (pcs_law_let(l, "loss") < 0 && base >= 0) {
        int root = base;
        if (ptq >= 0) {
            if (l->n_e == PCS_LAW_NODES) return pcs_law_fail(t, t->p, "too many parts");
            l->e[l->n_e] = (pcs_e){ .op = PCS_E_ADD,
                                    .arg = { (uint16_t)base, (uint16_t)ptq },
                                    .positive = l->e[base].positive && l->e[ptq].positive,
                                    .heavy = true };
            root = l->n_e++;
        }
        l->lets[l->n_lets < PCS_LAW_LETS ? l->n_lets : PCS_LAW_LETS - 1].name = pcs_arena_copy(&l->arena, "loss", 4);
        if (l->n_lets < PCS_LAW_LETS) l->lets[l->n_lets++].node = (uint16_t)root;
    }
    if (!l->n_lets) return pcs_law_fail(t, t->p, "no let: a law says at least one of loss, base, ptq, n_eff, d_eff");
    char **texts[] = { &l->title, &l->source, &l->assumes };
    for (int i = 0; i < 3; i++)
        if (!*texts[i] && !(*texts[i] = pcs_arena_copy(&l->arena, "", 0))) return PRECIS_ENOMEM;
    return PRECIS_OK;
}

precis_status pcs_law_read(precis_ctx *ctx, precis_law **out, const char *file, const char *text, size_t len)
{
    *out = NULL;
    if (len > PCS_LAW_BYTES)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: %zu bytes, and a law has at most %d", file, len, PCS_LAW_BYTES);
    precis_law *l = pcs_alloc(ctx, 1, sizeof *l);
    if (!l) return PRECIS_ENOMEM;
    l->ctx = ctx;
    pcs_arena_init(&l->arena, ctx);
    l->low_ratio = l->high_ratio = NAN;
    for (int v = 0; v < PCS_VARS; v++) l->low[v] = l->high[v] = NAN;
    pcs_law_text_at t = { ctx, file, text, text, text + len, 1 };
    pcs_buf words, form;
    pcs_buf_init(&words, ctx, PCS_LAW_BYTES);
    pcs_buf_init(&form, ctx, PCS_LAW_BYTES);
    precis_status st = PRECIS_OK;
    while (!st && t.p < t.end) {
        t.line_start = t.p;
        st = line(l, &t, &words, &form);
        if (st) break;
        blanks(&t);
        if (t.p < t.end && *t.p == '#') while (t.p < t.end && *t.p != '\n') t.p++;
        if (t.p < t.end && *t.p != '\n') st = pcs_law_fail(&t, t.p, "more than belongs on this line");
        if (t.p < t.end) t.p++;
        t.line++;
    }
    if (!st) st = complete(l, &t);
    if (!st) {
        l->text = pcs_arena_copy(&l->arena, words.data ? words.data : "", words.len);
        l->form = pcs_arena_copy(&l->arena, form.data ? form.data : "", form.len);
        l->set = pcs_arena_copy(&l->arena, "", 0);
        l->raw = pcs_arena_copy(&l->arena, text, len);
        if (!l->text || !l->form || !l->set || !l->raw) st = PRECIS_ENOMEM;
    }

    l->raw_len = len;
    pcs_buf_free(&words);
    pcs_buf_free(&form);
    if (st) precis_law_close(&l);
    *out = l;
    return st;
}

void precis_law_close(precis_law **law)
{
    if (!law || !*law) return;
    precis_ctx *ctx = (*law)->ctx;
    pcs_arena_free(&(*law)->arena);
    pcs_free(ctx, (*law)->samples);
    pcs_free(ctx, *law);
    *law = NULL;
}
