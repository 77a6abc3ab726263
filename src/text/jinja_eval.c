/* jinja_eval.c - running a template, and the public call. */
#include "base/lack.h"
#include "text/jinja.h"

#include "precis/text.h"

#include <stdio.h>
#include <time.h>

/* Variables: the innermost scope first. Loops open one; if and set do not. */
struct pcs_jscope { struct pcs_jscope *up; struct pcs_jdict vars; };

precis_status pcs_jinja_fail(pcs_jinja *j, precis_status st, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pcs_fail(j->ctx, st, "chat template, line %d: %s", j->line, text);
}

precis_status pcs_jinja_set(pcs_jinja *j, const char *name, pcs_jvalue v) { return pcs_jput(j, &j->scope->vars, pcs_jstring(name, strlen(name)), v); }

static pcs_jvalue lookup(const pcs_jinja *j, const char *name)
{
    for (const struct pcs_jscope *s = j->scope; s; s = s->up)
        for (size_t i = 0; i < s->vars.n; i++)
            if (s->vars.k[i].len == strlen(name) && !memcmp(s->vars.k[i].s, name, s->vars.k[i].len)) return s->vars.v[i];
    static const char *const functions[] = { "raise_exception", "range", "namespace", "strftime_now", "dict" };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i], name)) return (pcs_jvalue){ .type = J_FUNCTION, .s = functions[i] };
    return (pcs_jvalue){ .type = J_UNDEFINED };
}

static precis_status eval(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out);

#define ARGS 16

static precis_status eval_args(pcs_jinja *j, const pcs_jnode *list, pcs_jvalue *args, size_t *n)
{
    *n = 0;
    for (; list; list = list->next) {
        if (*n == ARGS) return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "more than %d arguments", ARGS);
        const precis_status st = eval(j, list->kind == N_KEYWORD ? list->a : list, &args[(*n)++]);
        if (st) return st;
    }
    return PRECIS_OK;
}

static precis_status call_function(pcs_jinja *j, const char *name, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue args[ARGS];
    size_t count;
    precis_status st = eval_args(j, n->b, args, &count);
    if (st) return st;
    if (!strcmp(name, "raise_exception")) {
        pcs_jvalue text = pcs_jstring("", 0);
        if (count && (st = pcs_jto_string(j, args[0], &text))) return st;
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "the template refuses the messages: %.*s", (int)(text.len < 300 ? text.len : 300), text.s);
    }
    if (!strcmp(name, "namespace") || !strcmp(name, "dict")) {
        if ((st = pcs_jdict_new(j, out))) return st;
        out->space = *name == 'n';
        size_t i = 0;
        for (const pcs_jnode *a = n->b; a && !st; a = a->next, i++)
            if (a->kind == N_KEYWORD) st = pcs_jput(j, out->dict, pcs_jstring(a->name, strlen(a->name)), args[i]);
        return st;
    }
    if (!strcmp(name, "strftime_now")) {
        char format[64] = "%d %b %Y", text[128];
        if (count && args[0].type == J_STRING && args[0].len < sizeof format) memcpy(format, args[0].s, args[0].len), format[args[0].len] = 0;
        const time_t now = time(NULL);
        struct tm tm;
        const size_t len = gmtime_r(&now, &tm) ? strftime(text, sizeof text, format, &tm) : 0;
        const char *copy = pcs_arena_copy(&j->arena, text, len);
        *out = pcs_jstring(copy ? copy : "", copy ? len : 0);
        return copy ? PRECIS_OK : PRECIS_ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        if (args[i].type != J_INT) return pcs_jinja_fail(j, PRECIS_EFORMAT, "range takes whole numbers");
    const int64_t from = count > 1 ? args[0].i : 0, to = count > 1 ? args[1].i : count ? args[0].i : 0, step = count > 2 ? args[2].i : 1;
    if (!step || step > 1 << 30 || step < -(1 << 30)) return pcs_jinja_fail(j, PRECIS_EFORMAT, "range with a step of %lld", (long long)step);
    if ((st = pcs_jlist_new(j, out))) return st;
    for (int64_t i = from; !st && (step > 0 ? i < to : i > to); i += step) st = pcs_jappend(j, out->list, (pcs_jvalue){ .type = J_INT, .i = i });
    return st;
}

/* Bytes before character i of a string; a character is what is not a continuation byte. */
static size_t offset_of(pcs_jvalue s, int64_t i)
{
    size_t at = 0;
    while (at < s.len && i > 0) {
        at++;
        while (at < s.len && ((unsigned char)s.s[at] & 0xc0) == 0x80) at++;
        i--;
    }
    return at;
}

static int64_t characters(pcs_jvalue s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.len; i++) n += ((unsigned char)s.s[i] & 0xc0) != 0x80;
    return n;
}

static precis_status index_value(pcs_jinja *j, pcs_jvalue a, pcs_jvalue k, pcs_jvalue *out)
{
    *out = (pcs_jvalue){ .type = J_UNDEFINED };
    if (a.type == J_DICT && k.type == J_STRING) *out = pcs_jget(a.dict, k.s, k.len);
    else if (a.type == J_LIST && k.type == J_INT) {
        const int64_t i = k.i < 0 ? k.i + (int64_t)a.list->n : k.i;
        if (i >= 0 && i < (int64_t)a.list->n) *out = a.list->v[i];
    } else if (a.type == J_STRING && k.type == J_INT) {
        const int64_t n = characters(a), i = k.i < 0 ? k.i + n : k.i;
        if (i >= 0 && i < n) *out = pcs_jstring(a.s + offset_of(a, i), offset_of(a, i + 1) - offset_of(a, i));
    } else if (a.type == J_UNDEFINED) return pcs_jinja_fail(j, PRECIS_EFORMAT, "an undefined value has no items");
    return PRECIS_OK;
}

static precis_status slice(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue a, part[3] = { { .type = J_NONE }, { .type = J_NONE }, { .type = J_NONE } };
    const pcs_jnode *const nodes[3] = { n->b, n->c, n->d };
    precis_status st = eval(j, n->a, &a);
    for (int i = 0; i < 3 && !st; i++)
        if (nodes[i]) st = eval(j, nodes[i], &part[i]);
    if (st) return st;
    if (a.type != J_LIST && a.type != J_STRING) return pcs_jinja_fail(j, PRECIS_EFORMAT, "only lists and strings have slices");
    const int64_t len = a.type == J_LIST ? (int64_t)a.list->n : characters(a), step = part[2].type == J_INT ? part[2].i : 1;
    if (!step || step > 1 << 30 || step < -(1 << 30)) return pcs_jinja_fail(j, PRECIS_EFORMAT, "a slice with a step of %lld", (long long)step);
    int64_t bound[2];
    for (int i = 0; i < 2; i++) {
        int64_t b = part[i].type == J_INT ? part[i].i : i ? (step > 0 ? len : -len - 1) : step > 0 ? 0 : len - 1;
        if (b < 0) b = part[i].type == J_INT || !i ? b + len : -1;
        const int64_t lo = step > 0 ? 0 : -1, hi = step > 0 ? len : len - 1;
        bound[i] = b < lo ? lo : b > hi ? hi : b;
    }
    if (a.type == J_STRING && step == 1) {
        const size_t from = offset_of(a, bound[0]), to = offset_of(a, bound[1]);
        *out = to > from ? pcs_jstring(a.s + from, to - from) : pcs_jstring("", 0);
        return PRECIS_OK;
    }
    if (a.type == J_STRING) return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "slices of strings with a step");
    st = pcs_jlist_new(j, out);
    for (int64_t i = bound[0]; !st && (step > 0 ? i < bound[1] : i > bound[1]); i += step) st = pcs_jappend(j, out->list, a.list->v[i]);
    return st;
}

static precis_status call(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue f, args[ARGS];
    size_t count;
    precis_status st;
    if (n->a->kind == N_ATTR) {
        pcs_jvalue self;
        if ((st = eval(j, n->a->a, &self)) || (st = eval_args(j, n->b, args, &count))) return st;
        return pcs_jmethod(j, self, n->a->name, args, count, out);
    }
    if ((st = eval(j, n->a, &f))) return st;
    if (f.type == J_FUNCTION) return call_function(j, f.s, n, out);
    return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "\"%s\" cannot be called", n->a->name ? n->a->name : "this");
}

static precis_status collection(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    precis_status st = n->kind == N_LIST ? pcs_jlist_new(j, out) : pcs_jdict_new(j, out);
    for (const pcs_jnode *a = n->a; a && !st; a = a->next) {
        pcs_jvalue v, k;
        if ((st = eval(j, a, &v))) break;
        if (n->kind == N_LIST) {
            st = pcs_jappend(j, out->list, v);
            continue;
        }
        k = v;
        a = a->next;
        if (!(st = eval(j, a, &v))) st = k.type == J_STRING ? pcs_jput(j, out->dict, k, v) : pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "a key that is no string");
    }
    return st;
}

static precis_status eval_operator(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue a, b;
    precis_status st = eval(j, n->a, &a);
    if (st) return st;
    const bool or = !strcmp(n->name, "or"), and = !strcmp(n->name, "and");
    if (or || and) {
        *out = a;
        return pcs_jtrue(a) == or ? PRECIS_OK : eval(j, n->b, out);
    }
    if ((st = eval(j, n->b, &b)) || (st = pcs_jbinary(j, n->name, a, b, out))) return st;
    if (n->negated) *out = (pcs_jvalue){ .type = J_BOOL, .i = !pcs_jtrue(*out) };
    return PRECIS_OK;
}

static precis_status eval_kind(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue a, b, args[ARGS];
    size_t count;
    bool yes;
    precis_status st;
    switch (n->kind) {
    case N_LITERAL: *out = n->value; return PRECIS_OK;
    case N_NAME: *out = lookup(j, n->name); return PRECIS_OK;
    case N_LIST: case N_DICT: return collection(j, n, out);
    case N_ATTR: return (st = eval(j, n->a, &a)) ? st : index_value(j, a, pcs_jstring(n->name, strlen(n->name)), out);
    case N_INDEX: return (st = eval(j, n->a, &a)) || (st = eval(j, n->b, &b)) ? st : index_value(j, a, b, out);
    case N_SLICE: return slice(j, n, out);
    case N_CALL: return call(j, n, out);
    case N_FILTER: return (st = eval(j, n->a, &a)) || (st = eval_args(j, n->b, args, &count)) ? st : pcs_jfilter(j, n->name, a, args, count, out);
    case N_TEST:
        if ((st = eval(j, n->a, &a)) || (st = eval_args(j, n->b, args, &count)) || (st = pcs_jtest(j, n->name, a, args, count, &yes))) return st;
        *out = (pcs_jvalue){ .type = J_BOOL, .i = yes != n->negated };
        return PRECIS_OK;
    case N_NOT:
        if ((st = eval(j, n->a, &a))) return st;
        *out = (pcs_jvalue){ .type = J_BOOL, .i = !pcs_jtrue(a) };
        return PRECIS_OK;
    case N_MINUS:
        if ((st = eval(j, n->a, &a))) return st;
        if (a.type != J_INT && a.type != J_FLOAT) return pcs_jinja_fail(j, PRECIS_EFORMAT, "minus needs a number");
        *out = a;
        if (a.type == J_INT) out->i = -a.i;
        else out->f = -a.f;
        return PRECIS_OK;
    case N_BINARY: return eval_operator(j, n, out);
    case N_COND:
        if ((st = eval(j, n->a, &a))) return st;
        if (pcs_jtrue(a)) return eval(j, n->b, out);
        *out = (pcs_jvalue){ .type = J_UNDEFINED };
        return n->c ? eval(j, n->c, out) : PRECIS_OK;
    default: return pcs_jinja_fail(j, PRECIS_EFORMAT, "name=value outside of a call");
    }
}

static precis_status eval(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    *out = (pcs_jvalue){ .type = J_UNDEFINED };
    if (!n) return pcs_jinja_fail(j, PRECIS_EFORMAT, "an expression is missing");
    j->line = n->line;
    if (++j->steps > PCS_LIMIT_TEMPLATE_STEPS) return pcs_jinja_fail(j, PRECIS_EFORMAT, "more than %u steps", PCS_LIMIT_TEMPLATE_STEPS);
    if (++j->depth > 4 * PCS_LIMIT_TEMPLATE_DEPTH) return pcs_jinja_fail(j, PRECIS_EFORMAT, "nested too deeply");
    const precis_status st = eval_kind(j, n, out);
    j->depth--;
    return st;
}

static precis_status run_list(pcs_jinja *j, const pcs_jnode *n);

/* What a for walks over: a list, a dict's keys, or characters. */
static precis_status items_of(pcs_jinja *j, pcs_jvalue v, pcs_jvalue *out)
{
    *out = v;
    if (v.type == J_LIST) return PRECIS_OK;
    precis_status st = pcs_jlist_new(j, out);
    for (size_t i = 0; v.type == J_DICT && i < v.dict->n && !st; i++) st = pcs_jappend(j, out->list, v.dict->k[i]);
    if (v.type == J_DICT || v.type == J_UNDEFINED) return st;
    return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "a for over something that is no list or mapping");
}

static precis_status loop_variable(pcs_jinja *j, const struct pcs_jlist *l, size_t i)
{
    pcs_jvalue loop;
    precis_status st = pcs_jdict_new(j, &loop);
    const struct { const char *name; pcs_jtype type; int64_t v; } fields[] = {
        { "index", J_INT, (int64_t)i + 1 }, { "index0", J_INT, (int64_t)i }, { "first", J_BOOL, i == 0 }, { "last", J_BOOL, i + 1 == l->n },
        { "length", J_INT, (int64_t)l->n }, { "revindex", J_INT, (int64_t)(l->n - i) }, { "revindex0", J_INT, (int64_t)(l->n - i) - 1 } };
    for (size_t k = 0; k < sizeof fields / sizeof *fields && !st; k++)
        st = pcs_jput(j, loop.dict, pcs_jstring(fields[k].name, strlen(fields[k].name)), (pcs_jvalue){ .type = fields[k].type, .i = fields[k].v });
    if (!st && i) st = pcs_jput(j, loop.dict, pcs_jstring("previtem", 8), l->v[i - 1]);
    if (!st && i + 1 < l->n) st = pcs_jput(j, loop.dict, pcs_jstring("nextitem", 8), l->v[i + 1]);
    return st ? st : pcs_jinja_set(j, "loop", loop);
}

static precis_status bind_item(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue item)
{
    if (!n->name2) return pcs_jinja_set(j, n->name, item);
    if (item.type != J_LIST || item.list->n != 2) return pcs_jinja_fail(j, PRECIS_EFORMAT, "two loop variables need pairs");
    const precis_status st = pcs_jinja_set(j, n->name, item.list->v[0]);
    return st ? st : pcs_jinja_set(j, n->name2, item.list->v[1]);
}

static precis_status run_for(pcs_jinja *j, const pcs_jnode *n)
{
    pcs_jvalue v, all, kept;
    precis_status st = eval(j, n->a, &v);
    if (!st) st = items_of(j, v, &all);
    if (st) return st;
    struct pcs_jscope scope = { .up = j->scope };
    j->scope = &scope;
    if (n->d) {
        st = pcs_jlist_new(j, &kept);
        for (size_t i = 0; i < all.list->n && !st; i++) {
            st = bind_item(j, n, all.list->v[i]);
            if (!st) st = eval(j, n->d, &v);
            if (!st && pcs_jtrue(v)) st = pcs_jappend(j, kept.list, all.list->v[i]);
        }
        all = kept;
    }
    for (size_t i = 0; !st && i < all.list->n; i++) {
        scope.vars.n = 0; /* each round begins without the last one's variables */
        st = bind_item(j, n, all.list->v[i]);
        if (!st) st = loop_variable(j, all.list, i);
        if (!st) st = run_list(j, n->b);
    }
    j->scope = scope.up;
    return !st && !all.list->n ? run_list(j, n->c) : st;
}

static precis_status run_set(pcs_jinja *j, const pcs_jnode *n)
{
    pcs_jvalue v;
    precis_status st;
    if (n->b || !n->a) {
        const size_t from = j->out.len;
        if ((st = run_list(j, n->b))) return st;
        const char *copy = pcs_arena_copy(&j->arena, j->out.data ? j->out.data + from : "", j->out.len - from);
        if (!copy) return PRECIS_ENOMEM;
        v = pcs_jstring(copy, j->out.len - from);
        j->out.len = from;
    } else if ((st = eval(j, n->a, &v))) return st;
    if (!n->name2) return pcs_jinja_set(j, n->name, v);
    const pcs_jvalue space = lookup(j, n->name);
    if (space.type != J_DICT || !space.space) return pcs_jinja_fail(j, PRECIS_EFORMAT, "%s is no namespace", n->name);
    return pcs_jput(j, space.dict, pcs_jstring(n->name2, strlen(n->name2)), v);
}

static precis_status run_list(pcs_jinja *j, const pcs_jnode *n)
{
    precis_status st = ++j->depth > 4 * PCS_LIMIT_TEMPLATE_DEPTH ? pcs_jinja_fail(j, PRECIS_EFORMAT, "nested too deeply") : PRECIS_OK;
    for (; n && !st; n = n->next) {
        pcs_jvalue v;
        if (++j->steps > PCS_LIMIT_TEMPLATE_STEPS) return pcs_jinja_fail(j, PRECIS_EFORMAT, "more than %u steps", PCS_LIMIT_TEMPLATE_STEPS);
        if (n->kind == N_TEXT) st = pcs_buf_add(&j->out, n->value.s, n->value.len);
        else if (n->kind == N_OUTPUT) st = (st = eval(j, n->a, &v)) ? st : pcs_jtext(j, v, &j->out, false, 0);
        else if (n->kind == N_IF) st = (st = eval(j, n->a, &v)) ? st : run_list(j, pcs_jtrue(v) ? n->b : n->c);
        else if (n->kind == N_FOR) st = run_for(j, n);
        else st = run_set(j, n);
    }
    j->depth--;
    return st;
}

precis_status pcs_jinja_run(pcs_jinja *j) { return run_list(j, j->program); }

static precis_status give_messages(pcs_jinja *j, const precis_message *messages, size_t n)
{
    pcs_jvalue list, m;
    precis_status st = pcs_jlist_new(j, &list);
    for (size_t i = 0; i < n && !st; i++) {
        if ((st = pcs_jdict_new(j, &m))) break;
        st = pcs_jput(j, m.dict, pcs_jstring("role", 4), pcs_jstring(messages[i].role, strlen(messages[i].role)));
        if (!st) st = pcs_jput(j, m.dict, pcs_jstring("content", 7), pcs_jstring(messages[i].content, strlen(messages[i].content)));
        if (!st) st = pcs_jappend(j, list.list, m);
    }
    return st ? st : pcs_jinja_set(j, "messages", list);
}

precis_status precis_chat_render(precis_ctx *ctx, const char *source, const precis_message *messages, size_t n, int add_generation_prompt,
                                 const char *bos, const char *eos, char **out)
{
    const uint64_t refused = precis_ctx_refused(ctx);
    *out = NULL;
    const size_t len = strlen(source);
    if (len > PCS_LIMIT_TEMPLATE) return pcs_fail(ctx, PRECIS_EFORMAT, "chat template: %zu bytes, at most %u", len, PCS_LIMIT_TEMPLATE);
    struct pcs_jscope globals = { 0 };
    pcs_jinja j = { .ctx = ctx, .source = source, .len = len, .scope = &globals };
    pcs_arena_init(&j.arena, ctx);
    pcs_buf_init(&j.out, ctx, PCS_LIMIT_TEMPLATE_OUTPUT);
    precis_status st = pcs_jinja_parse(&j);
    if (!st) st = give_messages(&j, messages, n);
    if (!st) st = pcs_jinja_set(&j, "add_generation_prompt", (pcs_jvalue){ .type = J_BOOL, .i = add_generation_prompt != 0 });
    if (!st) st = pcs_jinja_set(&j, "bos_token", pcs_jstring(bos ? bos : "", strlen(bos ? bos : "")));
    if (!st) st = pcs_jinja_set(&j, "eos_token", pcs_jstring(eos ? eos : "", strlen(eos ? eos : "")));
    if (!st) st = pcs_jinja_run(&j);
    if (!st) st = pcs_buf_add(&j.out, "", 1);
    pcs_arena_free(&j.arena);
    st = pcs_with_memory(ctx, refused, st);
    if (st) pcs_buf_free(&j.out);
    else *out = j.out.data;
    return st;
}

void precis_text_free(precis_ctx *ctx, char *text) { pcs_free(ctx, text); }
