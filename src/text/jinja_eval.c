/* jinja_eval.c - expressions of a template. */
#include "text/jinja.h"

#include <time.h>

pcs_jvalue pcs_jlookup(pcs_jinja *j, const char *name)
{
    static const char *const functions[] = { "raise_exception", "range", "namespace", "strftime_now", "dict" };
    const size_t len = strlen(name);
    for (const struct pcs_jscope *s = j->scope; s; s = s->up) {
        for (size_t i = 0; i < s->vars.n; i++)
            if (s->vars.k[i].len == len && !memcmp(s->vars.k[i].s, name, len)) return s->vars.v[i];
        j->work += s->vars.n;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i], name)) return (pcs_jvalue){ .type = J_FUNCTION, .s = functions[i] };
    return (pcs_jvalue){ .type = J_UNDEFINED };
}

precis_status pcs_jeval_args(pcs_jinja *j, const pcs_jnode *list, pcs_jargs *args)
{
    args->n = 0;
    for (; list; list = list->next) {
        const bool keyword = list->kind == N_KEYWORD;
        if (args->n == PCS_JARGS) return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "more than %d arguments", PCS_JARGS);
        if (!keyword && args->n && args->name[args->n - 1])
            return pcs_jinja_fail(j, PRECIS_EFORMAT, "an argument without a name behind one with a name");
        args->name[args->n] = keyword ? list->name : NULL;
        const precis_status st = pcs_jeval(j, keyword ? list->a : list, &args->v[args->n++]);
        if (st) return st;
    }
    return PRECIS_OK;
}

/* ---- functions ------------------------------------------------------------------------------------------------ */

static precis_status raise_exception(pcs_jinja *j, const pcs_jargs *args)
{
    pcs_jvalue text = pcs_jstring("", 0);
    const precis_status st = args->n ? pcs_jto_string(j, args->v[0], &text) : PRECIS_OK;
    return st ? st
              : pcs_jinja_fail(j, PRECIS_EFORMAT, "the template refuses the messages: %.*s",
                               (int)(text.len < 300 ? text.len : 300), text.s);
}

static precis_status mapping(pcs_jinja *j, const pcs_jargs *args, bool space, pcs_jvalue *out)
{
    precis_status st = pcs_jdict_new(j, out);
    out->space = space;
    if (!st && args->n && !args->name[0]) {
        const pcs_jvalue from = args->v[0];
        if (from.type != J_DICT)
            return pcs_jinja_fail(j, PRECIS_EFORMAT, "%s takes a mapping", space ? "namespace" : "dict");
        for (size_t i = 0; i < from.dict->n && !st; i++) st = pcs_jput(j, out->dict, from.dict->k[i], from.dict->v[i]);
    }
    for (size_t i = 0; i < args->n && !st; i++)
        if (args->name[i]) st = pcs_jput(j, out->dict, pcs_jstring(args->name[i], strlen(args->name[i])), args->v[i]);
    return st;
}

static precis_status strftime_now(pcs_jinja *j, const pcs_jargs *args, pcs_jvalue *out)
{
    char format[256] = "", text[1024];
    const time_t now = time(NULL);
    struct tm tm;
    if (args->n != 1 || args->v[0].type != J_STRING || args->v[0].len >= sizeof format)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "strftime_now takes a format");
    memcpy(format, args->v[0].s, args->v[0].len);
    format[args->v[0].len] = 0;
    const size_t len = localtime_r(&now, &tm) ? strftime(text, sizeof text, format, &tm) : 0;
    const char *copy = pcs_arena_copy(&j->arena, text, len);
    *out = pcs_jstring(copy ? copy : "", copy ? len : 0);
    return copy ? pcs_jinja_spend(j, len) : PRECIS_ENOMEM;
}

/* As Jinja's sandbox has it: at most 100,000 numbers. */
static precis_status range(pcs_jinja *j, const pcs_jargs *args, pcs_jvalue *out)
{
    int64_t v[3] = { 0, 0, 1 };
    if (!args->n || args->n > 3) return pcs_jinja_fail(j, PRECIS_EFORMAT, "range takes one to three numbers");
    for (size_t i = 0; i < args->n; i++) {
        if (args->name[i] || (args->v[i].type != J_INT && args->v[i].type != J_BOOL))
            return pcs_jinja_fail(j, PRECIS_EFORMAT, "range takes whole numbers");
        v[args->n == 1 ? 1 : i] = args->v[i].i;
    }
    if (!v[2]) return pcs_jinja_fail(j, PRECIS_EFORMAT, "range with a step of 0");
    const uint64_t span = v[2] > 0      ? (v[1] > v[0] ? (uint64_t)v[1] - (uint64_t)v[0] : 0)
                          : v[0] > v[1] ? (uint64_t)v[0] - (uint64_t)v[1]
                                        : 0;
    const uint64_t step = v[2] > 0 ? (uint64_t)v[2] : 0 - (uint64_t)v[2], n = span ? (span - 1) / step + 1 : 0;
    if (n > 100000) return pcs_jinja_fail(j, PRECIS_EFORMAT, "range of more than 100000 numbers");
    precis_status st = pcs_jlist_new(j, out);
    for (uint64_t i = 0; i < n && !st; i++)
        st = pcs_jappend(j, out->list, pcs_jint((int64_t)((uint64_t)v[0] + i * (uint64_t)v[2])));
    return st;
}

static precis_status call_value(pcs_jinja *j, pcs_jvalue f, const char *name, const pcs_jargs *args, pcs_jvalue *out)
{
    if (f.type == J_MACRO) return pcs_jrun_macro(j, f.macro, args, out);
    if (f.type != J_FUNCTION)
        return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "\"%s\", %s, cannot be called", name ? name : "this",
                              pcs_jtype_name(f));
    if (!strcmp(f.s, "raise_exception")) return raise_exception(j, args);
    if (!strcmp(f.s, "namespace")) return mapping(j, args, true, out);
    if (!strcmp(f.s, "dict")) return mapping(j, args, false, out);
    if (!strcmp(f.s, "strftime_now")) return strftime_now(j, args, out);
    if (!strcmp(f.s, "range")) return range(j, args, out);
    return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "the method \"%s\" that is called by another name", f.s);
}

precis_status pcs_jcall(pcs_jinja *j, const pcs_jnode *n, const pcs_jvalue *caller, pcs_jvalue *out)
{
    pcs_jvalue f = { .type = J_ABSENT }, self;
    pcs_jargs args;
    const bool method = n->a->kind == N_ATTR;
    bool known = false;
    precis_status st = pcs_jeval(j, method ? n->a->a : n->a, method ? &self : &f);
    if (!st) st = pcs_jeval_args(j, n->b, &args);
    if (!st && caller) {
        if (args.n == PCS_JARGS) return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "more than %d arguments", PCS_JARGS);
        args.name[args.n] = "caller";
        args.v[args.n++] = *caller;
    }
    if (!st && method) st = pcs_jmethod(j, self, n->a->name, &args, &known, out);
    if (st || known) return st;
    if (method && self.type == J_DICT)
        st = pcs_jindex(j, self, pcs_jstring(n->a->name, strlen(n->a->name)), &f); /* a macro in a namespace */
    if (!st && method && f.type != J_MACRO)
        return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "the method \"%s\" of %s is not known", n->a->name,
                              pcs_jtype_name(self));
    return st ? st : call_value(j, f, n->a->name, &args, out);
}

/* ---- attributes and slices --------------------------------------------------------------------------------------- */

static precis_status loop_attribute(pcs_jinja *j, const struct pcs_jloop *l, const char *name, pcs_jvalue *out)
{
    const int64_t i = (int64_t)l->i, n = (int64_t)l->all->n;
    const struct { const char *name; pcs_jvalue v;
    } fields[] = {
        { "index", pcs_jint(i + 1) },         { "index0", pcs_jint(i) },       { "first", pcs_jbool(!i) },
        { "last", pcs_jbool(i + 1 == n) },    { "length", pcs_jint(n) },       { "revindex", pcs_jint(n - i) },
        { "revindex0", pcs_jint(n - i - 1) }, { "depth", pcs_jint(l->depth) }, { "depth0", pcs_jint(l->depth - 1) }
    };
    *out = (pcs_jvalue){ .type = J_UNDEFINED };
    if (!strcmp(name, "previtem")) return *out = i ? l->all->v[i - 1] : *out, PRECIS_OK;
    if (!strcmp(name, "nextitem")) return *out = i + 1 < n ? l->all->v[i + 1] : *out, PRECIS_OK;
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        if (!strcmp(fields[k].name, name)) return *out = fields[k].v, PRECIS_OK;
    return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "loop.%s is not known", name);
}

static precis_status get_attribute(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue a;
    const precis_status st = pcs_jeval(j, n->a, &a);
    if (st) return st;
    j->line = n->line;
    if (a.type == J_LOOP) return loop_attribute(j, a.loop, n->name, out);
    if (pcs_jhas_method(a, n->name))
        return *out = (pcs_jvalue){ .type = J_FUNCTION, .s = n->name }, PRECIS_OK; /* as Python: before an item */
    if (a.type == J_UNDEFINED)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "an undefined value has no attribute \"%s\"", n->name);
    return pcs_jindex(j, a, pcs_jstring(n->name, strlen(n->name)), out);
}

/* Every `step`th character of a string from `at`; places lie within it. */
static precis_status slice_string(pcs_jinja *j, pcs_jvalue s, int64_t from, int64_t to, int64_t step, pcs_jvalue *out)
{
    pcs_jvalue all, part;
    if (step == 1) {
        size_t a = 0, i = 0;
        for (int64_t c = 0; c < to && i < s.len; c++) {
            if (c == from) a = i;
            i += pcs_jcharacter(s, i);
        }
        *out = to > from ? pcs_jstring(s.s + a, i - a) : pcs_jstring("", 0);
        return PRECIS_OK;
    }
    precis_status st = pcs_jitems(j, s, &all);
    if (!st) st = pcs_jlist_new(j, &part);
    for (int64_t i = from; !st && (step > 0 ? i < to : i > to); i += step)
        st = pcs_jappend(j, part.list, all.list->v[i]);
    return st ? st : pcs_jjoin(j, part, pcs_jstring("", 0), out);
}

static precis_status slice(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue a, part[3] = { { .type = J_NONE }, { .type = J_NONE }, { .type = J_NONE } };
    const pcs_jnode *const nodes[3] = { n->b, n->c, n->d };
    precis_status st = pcs_jeval(j, n->a, &a);
    for (int i = 0; i < 3 && !st; i++) {
        if (nodes[i]) st = pcs_jeval(j, nodes[i], &part[i]);
        if (!st && part[i].type != J_NONE && part[i].type != J_INT)
            return pcs_jinja_fail(j, PRECIS_EFORMAT, "a slice by %s", pcs_jtype_name(part[i]));
    }
    if (st) return st;
    if (a.type != J_LIST && a.type != J_STRING)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "only lists and strings have slices, not %s", pcs_jtype_name(a));
    if (a.type == J_STRING && (st = pcs_jinja_pay(j, 2 * (uint64_t)a.len))) return st;
    const int64_t len = a.type == J_LIST ? (int64_t)a.list->n : pcs_jcharacters(a),
                  step = part[2].type == J_INT ? part[2].i : 1;
    if (!step || step > 1 << 30 || step < -(1 << 30))
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "a slice with a step of %lld", (long long)step);
    int64_t bound[2];
    for (int i = 0; i < 2; i++) {
        const int64_t lo = step > 0 ? 0 : -1, hi = step > 0 ? len : len - 1;
        int64_t b = part[i].type == J_INT ? part[i].i : (i == 0) == (step > 0) ? lo : hi;
        if (part[i].type == J_INT && b < 0) b += b < -len ? 0 : len;
        bound[i] = b < lo ? lo : b > hi ? hi : b;
    }
    if (a.type == J_STRING) return slice_string(j, a, bound[0], bound[1], step, out);
    st = pcs_jlist_new(j, out);
    out->tuple = a.tuple;
    for (int64_t i = bound[0]; !st && (step > 0 ? i < bound[1] : i > bound[1]); i += step)
        st = pcs_jappend(j, out->list, a.list->v[i]);
    return st;
}

/* ---- expressions ------------------------------------------------------------------------------------------------- */

static precis_status collection(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    precis_status st = n->kind == N_DICT ? pcs_jdict_new(j, out) : pcs_jlist_new(j, out);
    out->tuple = n->kind == N_TUPLE;
    for (const pcs_jnode *a = n->a; a && !st; a = a->next) {
        pcs_jvalue v, k;
        if ((st = pcs_jeval(j, a, &v))) break;
        if (n->kind != N_DICT) {
            st = pcs_jappend(j, out->list, v);
            continue;
        }
        k = v;
        a = a->next;
        if (k.type != J_STRING)
            return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "a mapping with a key that is %s", pcs_jtype_name(k));
        if (!(st = pcs_jeval(j, a, &v))) st = pcs_jput(j, out->dict, k, v);
    }
    return st;
}

static precis_status binary(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue a, b;
    precis_status st = pcs_jeval(j, n->a, &a);
    if (st) return st;
    const bool or = !strcmp(n->name, "or"), and = !strcmp(n->name, "and");
    if (or || and) {
        *out = a;
        return pcs_jtrue(a) == or ? PRECIS_OK : pcs_jeval(j, n->b, out);
    }
    st = pcs_jeval(j, n->b, &b);
    j->line = n->line;
    return st ? st : pcs_jbinary(j, n->name, a, b, out);
}

static precis_status comparison(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue left, right;
    precis_status st = pcs_jeval(j, n->a, &left);
    *out = pcs_jbool(true);
    for (const pcs_jnode *c = n->b; c && !st && pcs_jtrue(*out); c = c->next) {
        st = pcs_jeval(j, c->a, &right);
        j->line = c->line;
        if (!st) st = pcs_jbinary(j, c->name, left, right, out);
        left = right;
    }
    return st;
}

static precis_status sign(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    const precis_status st = pcs_jeval(j, n->a, out);
    if (st) return st;
    if (!pcs_jnumeric(*out)) return pcs_jinja_fail(j, PRECIS_EFORMAT, "a sign before %s", pcs_jtype_name(*out));
    if (out->type == J_FLOAT) out->f = n->kind == N_MINUS ? -out->f : out->f;
    else *out = pcs_jint(n->kind == N_MINUS ? (int64_t)(0 - (uint64_t)out->i) : out->i);
    return PRECIS_OK;
}

static precis_status filter(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue a;
    pcs_jargs args;
    precis_status st = pcs_jeval(j, n->a, &a);
    if (!st) st = pcs_jeval_args(j, n->b, &args);
    j->line = n->line;
    return st ? st : pcs_jfilter(j, n->name, a, &args, out);
}

static precis_status test(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue a;
    pcs_jargs args;
    bool yes = false;
    precis_status st = pcs_jeval(j, n->a, &a);
    if (!st) st = pcs_jeval_args(j, n->b, &args);
    j->line = n->line;
    if (!st) st = pcs_jtest(j, n->name, a, &args, &yes);
    *out = pcs_jbool(yes != n->negated);
    return st;
}

static precis_status eval_kind(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    pcs_jvalue a, b;
    precis_status st;
    switch (n->kind) {
    case N_LITERAL: *out = n->value; return PRECIS_OK;
    case N_NAME: *out = pcs_jlookup(j, n->name); return PRECIS_OK;
    case N_LIST: case N_TUPLE: case N_DICT: return collection(j, n, out);
    case N_ATTR: return get_attribute(j, n, out);
    case N_INDEX: return (st = pcs_jeval(j, n->a, &a)) || (st = pcs_jeval(j, n->b, &b)) ? st : pcs_jindex(j, a, b, out);
    case N_SLICE: return slice(j, n, out);
    case N_CALL: return pcs_jcall(j, n, NULL, out);
    case N_FILTER: return filter(j, n, out);
    case N_TEST: return test(j, n, out);
    case N_MINUS: case N_PLUS: return sign(j, n, out);
    case N_BINARY: return binary(j, n, out);
    case N_COMPARE: return comparison(j, n, out);
    case N_NOT:
        st = pcs_jeval(j, n->a, &a);
        *out = pcs_jbool(!st && !pcs_jtrue(a));
        return st;
    case N_COND:
        if ((st = pcs_jeval(j, n->a, &a))) return st;
        if (pcs_jtrue(a)) return pcs_jeval(j, n->b, out);
        return n->c ? pcs_jeval(j, n->c, out) : PRECIS_OK;
    default: return pcs_jinja_fail(j, PRECIS_EFORMAT, "name=value outside of a call");
    }
}

precis_status pcs_jeval(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    *out = (pcs_jvalue){ .type = J_UNDEFINED };
    if (!n) return pcs_jinja_fail(j, PRECIS_EFORMAT, "an expression is missing");
    j->line = n->line;
    precis_status st = pcs_jinja_pay(j, PCS_JSTEP);
    if (st) return st;
    if (++j->depth > 4 * PCS_LIMIT_TEMPLATE_DEPTH) return pcs_jinja_fail(j, PRECIS_EFORMAT, "nested too deeply");
    st = eval_kind(j, n, out);
    j->depth--;
    return st;
}
