/* jinja_run.c - statements of a template, and the public call. */
#include "base/lack.h"
#include "text/jinja.h"

#include "precis/text.h"

#include <stdio.h>

precis_status pcs_jinja_set(pcs_jinja *j, const char *name, pcs_jvalue v)
{
    return pcs_jput(j, &j->scope->vars, pcs_jstring(name, strlen(name)), v);
}

static precis_status open_scope(pcs_jinja *j, struct pcs_jscope *up)
{
    struct pcs_jscope *s = pcs_arena_alloc(&j->arena, 1, sizeof *s);
    if (!s) return PRECIS_ENOMEM;
    s->up = up;
    j->scope = s;
    return pcs_jinja_spend(j, sizeof *s);
}

/* Several names take a value apart. */
static precis_status assign(pcs_jinja *j, const pcs_jnode *targets, pcs_jvalue v)
{
    size_t n = 0;
    pcs_jvalue all;
    for (const pcs_jnode *t = targets; t; t = t->next) n++;
    if (n == 1) return pcs_jinja_set(j, targets->name, v);
    precis_status st = pcs_jitems(j, v, &all);
    if (!st && all.list->n != n) return pcs_jinja_fail(j, PRECIS_EFORMAT, "%zu names for %zu values", n, all.list->n);
    for (size_t i = 0; i < n && !st; i++, targets = targets->next) st = pcs_jinja_set(j, targets->name, all.list->v[i]);
    return st;
}

/* What statements write, as a value. */
static precis_status capture(pcs_jinja *j, const pcs_jnode *body, pcs_jvalue *out)
{
    const size_t from = j->out.len;
    precis_status st = pcs_jrun(j, body);
    const size_t n = j->out.len - from;
    if (!st) st = pcs_jinja_spend(j, n);
    const char *copy = st ? NULL : pcs_arena_copy(&j->arena, j->out.data ? j->out.data + from : "", n);
    if (!copy) return st ? st : PRECIS_ENOMEM;
    *out = pcs_jstring(copy, n);
    j->out.len = from;
    return PRECIS_OK;
}

precis_status pcs_jrun_macro(pcs_jinja *j, const struct pcs_jmacro *m, const pcs_jargs *args, pcs_jvalue *out)
{
    struct pcs_jscope *const outer = j->scope;
    const int loops = j->loops;
    bool used[PCS_JARGS] = { false };
    size_t at = 0;
    precis_status st = open_scope(j, m->scope);
    for (const pcs_jnode *t = m->node->targets; t && !st; t = t->next, at++) {
        pcs_jvalue v = { .type = J_ABSENT };
        for (size_t i = 0; i < args->n; i++) {
            if (args->name[i] ? strcmp(args->name[i], t->name) != 0 : i != at) continue;
            v = args->v[i];
            used[i] = true;
        }
        if (v.type == J_ABSENT && t->a) st = pcs_jeval(j, t->a, &v);
        else if (v.type == J_ABSENT) v.type = J_UNDEFINED;
        if (!st) st = pcs_jinja_set(j, t->name, v);
    }
    for (size_t i = 0; i < args->n && !st; i++) {
        if (!used[i] && args->name[i] && !strcmp(args->name[i], "caller")) st = pcs_jinja_set(j, "caller", args->v[i]);
        else if (!used[i])
            st = pcs_jinja_fail(j, PRECIS_EFORMAT, "the macro \"%s\" takes %zu arguments, not %s", m->node->name, at,
                                args->name[i] ? args->name[i] : "more");
    }
    j->loops = 0;
    if (!st) st = capture(j, m->node->b, out);
    j->loops = loops;
    j->scope = outer;
    return st;
}

static precis_status macro_value(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out)
{
    struct pcs_jmacro *m = pcs_arena_alloc(&j->arena, 1, sizeof *m);
    if (!m) return PRECIS_ENOMEM;
    *m = (struct pcs_jmacro){ n, j->scope };
    *out = (pcs_jvalue){ .type = J_MACRO, .macro = m };
    return pcs_jinja_spend(j, sizeof *m);
}

/* Those items that the loop's condition keeps. */
static precis_status keep_items(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *all)
{
    pcs_jvalue kept, v;
    precis_status st = pcs_jlist_new(j, &kept);
    for (size_t i = 0; i < all->list->n && !st; i++) {
        st = assign(j, n->targets, all->list->v[i]);
        if (!st) st = pcs_jeval(j, n->d, &v);
        if (!st && pcs_jtrue(v)) st = pcs_jappend(j, kept.list, all->list->v[i]);
    }
    *all = kept;
    return st;
}

static precis_status run_for(pcs_jinja *j, const pcs_jnode *n)
{
    struct pcs_jscope *const outer = j->scope;
    pcs_jvalue v, all;
    struct pcs_jloop *loop = pcs_arena_alloc(&j->arena, 1, sizeof *loop);
    precis_status st = loop ? pcs_jeval(j, n->a, &v) : PRECIS_ENOMEM;
    if (!st) st = pcs_jitems(j, v, &all);
    if (!st) st = open_scope(j, outer);
    if (!st && n->d) st = keep_items(j, n, &all);
    if (st) return st;
    const bool none = !all.list->n;
    *loop = (struct pcs_jloop){ .all = all.list, .depth = ++j->loops, .last = { .type = J_ABSENT } };
    for (; !st && loop->i < all.list->n && j->flow != J_BREAK; loop->i++) {
        j->flow = J_GO;
        j->scope->vars.n = 0; /* each round begins without the last one's variables */
        st = assign(j, n->targets, all.list->v[loop->i]);
        if (!st) st = pcs_jinja_set(j, "loop", (pcs_jvalue){ .type = J_LOOP, .loop = loop });
        if (!st) st = pcs_jrun(j, n->b);
    }
    j->flow = J_GO;
    j->loops--;
    j->scope = outer;
    return !st && none ? pcs_jrun(j, n->c) : st;
}

static precis_status run_set(pcs_jinja *j, const pcs_jnode *n)
{
    pcs_jvalue v;
    precis_status st = n->a ? pcs_jeval(j, n->a, &v) : capture(j, n->b, &v);
    if (!st && !n->a) {
        n->c->value = v;
        st = pcs_jeval(j, n->d, &v);
    }
    if (st || !n->name2) return st ? st : assign(j, n->targets, v);
    const pcs_jvalue space = pcs_jlookup(j, n->targets->name);
    if (space.type != J_DICT || !space.space)
        return pcs_jinja_fail(j, PRECIS_EFORMAT, "%s is no namespace", n->targets->name);
    return pcs_jput(j, space.dict, pcs_jstring(n->name2, strlen(n->name2)), v);
}

static precis_status run_with(pcs_jinja *j, const pcs_jnode *n)
{
    struct pcs_jscope *const outer = j->scope;
    precis_status st = open_scope(j, outer);
    struct pcs_jscope *const inner = j->scope;
    for (const pcs_jnode *t = n->targets; t && !st; t = t->next) {
        pcs_jvalue v;
        j->scope = outer; /* values do not see each other */
        st = pcs_jeval(j, t->a, &v);
        j->scope = inner;
        if (!st) st = pcs_jinja_set(j, t->name, v);
    }
    if (!st) st = pcs_jrun(j, n->b);
    j->scope = outer;
    return st;
}

static precis_status run_one(pcs_jinja *j, const pcs_jnode *n)
{
    pcs_jvalue v;
    precis_status st;
    switch (n->kind) {
    case N_TEXT: return pcs_buf_add(&j->out, n->value.s, n->value.len);
    case N_OUTPUT: return (st = pcs_jeval(j, n->a, &v)) ? st : pcs_jtext(j, v, &j->out);
    case N_IF: return (st = pcs_jeval(j, n->a, &v)) ? st : pcs_jrun(j, pcs_jtrue(v) ? n->b : n->c);
    case N_FOR: return run_for(j, n);
    case N_SET: return run_set(j, n);
    case N_WITH: return run_with(j, n);
    case N_MACRO: return (st = macro_value(j, n, &v)) ? st : pcs_jinja_set(j, n->name, v);
    case N_CALLER: {
        pcs_jvalue made;
        if ((st = macro_value(j, n, &v)) || (st = pcs_jcall(j, n->a, &v, &made))) return st;
        return pcs_jtext(j, made, &j->out);
    }
    case N_FILTERED:
        if ((st = capture(j, n->b, &v))) return st;
        n->c->value = v;
        return (st = pcs_jeval(j, n->d, &v)) ? st : pcs_jtext(j, v, &j->out);
    case N_BREAK: j->flow = J_BREAK; return PRECIS_OK;
    case N_CONTINUE: j->flow = J_CONTINUE; return PRECIS_OK;
    default: return pcs_jinja_fail(j, PRECIS_EFORMAT, "no statement");
    }
}

precis_status pcs_jrun(pcs_jinja *j, const pcs_jnode *n)
{
    precis_status st =
        ++j->depth > 4 * PCS_LIMIT_TEMPLATE_DEPTH ? pcs_jinja_fail(j, PRECIS_EFORMAT, "nested too deeply") : PRECIS_OK;
    for (; n && !st && j->flow == J_GO; n = n->next) {
        j->line = n->line;
        st = pcs_jinja_pay(j, PCS_JSTEP + (n->kind == N_TEXT ? n->value.len / 4 : 0));
        if (!st) st = run_one(j, n);
    }
    j->depth--;
    return st;
}

/* ---- the public call --------------------------------------------------------------------------------------------- */

static precis_status give_messages(pcs_jinja *j, const precis_message *messages, size_t n)
{
    pcs_jvalue list, m;
    precis_status st = pcs_jlist_new(j, &list);
    for (size_t i = 0; i < n && !st; i++) {
        if ((st = pcs_jdict_new(j, &m))) break;
        st = pcs_jput(j, m.dict, pcs_jstring("role", 4), pcs_jstring(messages[i].role, strlen(messages[i].role)));
        if (!st)
            st = pcs_jput(j, m.dict, pcs_jstring("content", 7),
                          pcs_jstring(messages[i].content, strlen(messages[i].content)));
        if (!st) st = pcs_jappend(j, list.list, m);
    }
    return st ? st : pcs_jinja_set(j, "messages", list);
}

/* What transformers gives to a template. */
static precis_status give(pcs_jinja *j, const precis_message *messages, size_t n, bool generation, const char *bos,
                          const char *eos)
{
    precis_status st = open_scope(j, NULL);
    if (!st) st = give_messages(j, messages, n);
    if (!st) st = pcs_jinja_set(j, "tools", (pcs_jvalue){ .type = J_NONE });
    if (!st) st = pcs_jinja_set(j, "documents", (pcs_jvalue){ .type = J_NONE });
    if (!st) st = pcs_jinja_set(j, "add_generation_prompt", pcs_jbool(generation));
    if (!st) st = pcs_jinja_set(j, "bos_token", pcs_jstring(bos ? bos : "", strlen(bos ? bos : "")));
    return st ? st : pcs_jinja_set(j, "eos_token", pcs_jstring(eos ? eos : "", strlen(eos ? eos : "")));
}

/* Line ends of any kind are one, as Jinja has it. */
static precis_status take_source(pcs_jinja *j, const char *source)
{
    char *copy = pcs_arena_copy(&j->arena, source, j->len);
    if (!copy) return PRECIS_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < j->len; i++)
        if (source[i] != '\r') copy[n++] = source[i];
        else if (i + 1 == j->len || source[i + 1] != '\n') copy[n++] = '\n';
    copy[n] = 0;
    j->source = copy;
    j->len = n;
    return PRECIS_OK;
}

precis_status precis_chat_render(precis_ctx *ctx, const char *source, const precis_message *messages, size_t n,
                                 int add_generation_prompt, const char *bos, const char *eos, char **out)
{
    const uint64_t refused = precis_ctx_refused(ctx);
    *out = NULL;
    const size_t len = strlen(source);
    if (len > PCS_LIMIT_TEMPLATE)
        return pcs_fail(ctx, PRECIS_EFORMAT, "chat template: %zu bytes, at most %u", len, PCS_LIMIT_TEMPLATE);
    pcs_jinja j = { .ctx = ctx, .len = len, .line = 1 };
    pcs_arena_init(&j.arena, ctx);
    pcs_buf_init(&j.out, ctx, PCS_LIMIT_TEMPLATE_OUTPUT);
    precis_status st = take_source(&j, source);
    if (!st) st = pcs_jinja_parse(&j);
    if (!st) st = give(&j, messages, n, add_generation_prompt != 0, bos, eos);
    if (!st) st = pcs_jrun(&j, j.program);
    if (!st) st = pcs_buf_add(&j.out, "", 1);
    pcs_arena_free(&j.arena);
    st = pcs_with_memory(ctx, refused, st);
    if (st) pcs_buf_free(&j.out);
    else *out = j.out.data;
    return st;
}

void precis_text_free(precis_ctx *ctx, char *text) { pcs_free(ctx, text); }
