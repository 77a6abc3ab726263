/* json_sorted.c - a value printed member by member; what is nested is parsed anew at each level, which costs its depth
 * times its length and needs no tree. Depth is limited by the reader, and so is the recursion. */
#include "base/json_sorted.h"

#include <stdlib.h>

/* A member of an object, or an item of an array (key.text NULL). */
typedef struct { pcs_json_slice key, value; } member;
typedef struct { member *list; size_t n, cap; } members;

typedef struct { pcs_buf *out; pcs_json_layout layout; } printer;

static int by_key(const void *a, const void *b)
{
    const pcs_json_slice x = ((const member *)a)->key, y = ((const member *)b)->key;
    const int order = memcmp(x.text, y.text, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static precis_status add_member(precis_ctx *ctx, members *all, pcs_json_slice key, pcs_json_slice value)
{
    if (all->n == all->cap) {
        const size_t cap = all->cap * 2 + 16;
        member *grown = pcs_grow(ctx, all->list, all->n * sizeof *grown, cap, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        all->list = grown;
        all->cap = cap;
    }
    all->list[all->n++] = (member){ key, value };
    return PRECIS_OK;
}

/* Where the value begins whose first token was just read. */
static const char *begin_of(const pcs_json *j, const pcs_json_token *t)
{
    if (t->type == PCS_JSON_STRING) return t->text - 1; /* the quote before it */
    if (t->type == PCS_JSON_NUMBER) return t->text;
    if (t->type == PCS_JSON_FALSE) return j->p - strlen("false");
    return j->p - (t->type == PCS_JSON_TRUE || t->type == PCS_JSON_NULL ? strlen("null") : 1);
}

/* The members or items of the value whose opening bracket was read. */
static precis_status gather(pcs_json *j, pcs_json_type end, members *all)
{
    pcs_json_token t;
    precis_status st;
    while (!(st = pcs_json_next(j, &t)) && t.type != end) {
        pcs_json_slice key = { NULL, 0 };
        if (t.type == PCS_JSON_KEY) {
            key = (pcs_json_slice){ t.text, t.len };
            if ((st = pcs_json_next(j, &t))) return st;
        }
        const char *begin = begin_of(j, &t);
        if ((st = pcs_json_skip(j, &t))) return st;
        if ((st = add_member(j->ctx, all, key, (pcs_json_slice){ begin, (size_t)(j->p - begin) }))) return st;
    }
    return st;
}

static precis_status new_line(const printer *p, int depth)
{
    if (p->layout == PCS_JSON_ON_ONE_LINE) return PRECIS_OK;
    precis_status st = pcs_buf_add(p->out, "\n", 1);
    for (int i = 0; i < depth && !st; i++) st = pcs_buf_add(p->out, " ", 1);
    return st;
}

static precis_status print_value(const printer *p, pcs_json_slice value, int depth);

static precis_status print_members(const printer *p, const members *all, int depth)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < all->n && !st; i++) {
        const member *m = &all->list[i];
        if (i) st = pcs_buf_add(p->out, ",", 1);
        if (!st) st = new_line(p, depth + 1);
        if (!st && m->key.text) st = pcs_buf_add(p->out, m->key.text - 1, m->key.len + 2); /* with its quotes */
        if (!st && m->key.text) st = pcs_buf_add(p->out, ": ", p->layout == PCS_JSON_INDENTED ? 2 : 1);
        if (!st) st = print_value(p, m->value, depth + 1);
    }
    return st || !all->n ? st : new_line(p, depth);
}

static precis_status print_value(const printer *p, pcs_json_slice value, int depth)
{
    precis_ctx *ctx = p->out->ctx;
    pcs_json j;
    pcs_json_token t;
    pcs_json_init(&j, ctx, value.text, value.len);
    precis_status st = pcs_json_next(&j, &t);
    if (st) return st;
    const bool object = t.type == PCS_JSON_OBJECT;
    if (!object && t.type != PCS_JSON_ARRAY) {
        st = pcs_buf_add(p->out, value.text, value.len);
        return st ? st : pcs_json_expect(&j, PCS_JSON_END, &t, "value");
    }
    members all = { NULL, 0, 0 };
    st = gather(&j, object ? PCS_JSON_OBJECT_END : PCS_JSON_ARRAY_END, &all);
    if (!st) st = pcs_json_expect(&j, PCS_JSON_END, &t, "value");
    if (!st && object && all.n) qsort(all.list, all.n, sizeof *all.list, by_key);
    if (!st) st = pcs_buf_add(p->out, object ? "{" : "[", 1);
    if (!st) st = print_members(p, &all, depth);
    if (!st) st = pcs_buf_add(p->out, object ? "}" : "]", 1);
    pcs_free(ctx, all.list);
    return st;
}

precis_status pcs_json_sorted(pcs_buf *out, pcs_json_slice value, pcs_json_layout layout)
{
    const printer p = { out, layout };
    return print_value(&p, value, 0);
}
