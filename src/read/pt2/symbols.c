/* symbols.c - sizes that are expressions of symbols: a prefix notation of
 * calls, walked once, of bounded depth. */
#include "base/overflow.h"
#include "read/pt2/pt2.h"

#include <stdio.h>

#define DEPTH 16

typedef struct {
    const char *p, *end;
    char *out; /* text, or NULL */
    size_t at, room;
    pcs_symbol_fn *look;
    void *user;
    bool unknown; /* a symbol had no value */
} walk;

static bool eat(walk *w, const char *text)
{
    const size_t n = strlen(text);
    if ((size_t)(w->end - w->p) < n || memcmp(w->p, text, n)) return false;
    w->p += n;
    return true;
}

static void put(walk *w, const char *s, size_t n)
{
    if (!w->out) return;
    if (n >= w->room - w->at) n = w->room - w->at - 1;
    memcpy(w->out + w->at, s, n);
    w->at += n;
    w->out[w->at] = 0;
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* 'name', positive=True, ...) */
static bool symbol(walk *w, int64_t *out)
{
    if (!eat(w, "'")) return false;
    const char *name = w->p;
    while (w->p < w->end && letter(*w->p)) w->p++;
    const pcs_str s = { name, (size_t)(w->p - name) };
    if (!s.n || !eat(w, "'")) return false;
    while (w->p < w->end && (letter(*w->p) || *w->p == ',' || *w->p == ' ' || *w->p == '=')) w->p++;
    put(w, s.s, s.n);
    *out = 1;
    if (w->look && !w->look(w->user, s, out)) w->unknown = true;
    return eat(w, ")");
}

static bool integer(walk *w, int64_t *out)
{
    const char *from = w->p;
    const bool minus = eat(w, "-");
    int64_t v = 0;
    const char *digits = w->p;
    for (; w->p < w->end && *w->p >= '0' && *w->p <= '9'; w->p++)
        if (!pcs_i64_mul(v, 10, &v) || !pcs_i64_add(v, *w->p - '0', &v)) return false;
    if (w->p == digits) return false;
    put(w, from, (size_t)(w->p - from));
    *out = minus ? -v : v;
    return eat(w, ")");
}

static bool expression(walk *w, int depth, int64_t *out)
{
    if (depth > DEPTH) return false;
    if (eat(w, "Symbol(")) return symbol(w, out);
    if (eat(w, "Integer(")) return integer(w, out);
    const bool sum = eat(w, "Add("), product = !sum && eat(w, "Mul(");
    if (!sum && !product) return false;
    int64_t all = product, one;
    if (sum && depth) put(w, "(", 1);
    for (int i = 0; i < 64; i++) {
        if (i) put(w, sum ? " + " : "*", sum ? 3 : 1);
        if (!expression(w, depth + 1, &one)) return false;
        if (sum ? !pcs_i64_add(all, one, &all) : !pcs_i64_mul(all, one, &all)) return false;
        if (eat(w, ")")) {
            if (sum && depth) put(w, ")", 1);
            *out = all;
            return true;
        }
        if (!eat(w, ", ")) return false;
    }
    return false;
}

static uint32_t text_of(const pcs_tree *t, uint32_t size)
{
    const uint32_t e = pcs_tree_get(t, size, "as_expr"), s = e ? pcs_tree_get(t, e, "expr_str") : 0;
    return s && pcs_tree_type(t, s) == PCS_JSON_STRING ? s : 0;
}

precis_status pcs_pt2_symbol_text(const pcs_tree *t, uint32_t size, char *out, size_t room)
{
    const uint32_t s = text_of(t, size);
    const pcs_str text = s ? pcs_tree_text(t, s) : (pcs_str){ "", 0 };
    walk w = { .p = text.s, .end = text.s + text.n, .out = out, .room = room };
    int64_t ignored;
    *out = 0;
    if (!s || !expression(&w, 0, &ignored) || w.p != w.end)
        return pcs_tree_fail(t, size, PRECIS_EUNSUPPORTED,
                             "a size of an input is an expression of other parts than Symbol, "
                             "Integer, Add and Mul, or nests deeper than %d",
                             DEPTH);
    return PRECIS_OK;
}

bool pcs_pt2_symbol_value(const pcs_tree *t, uint32_t size, pcs_symbol_fn *look, void *user, int64_t *out)
{
    const uint32_t s = text_of(t, size);
    const pcs_str text = s ? pcs_tree_text(t, s) : (pcs_str){ "", 0 };
    walk w = { .p = text.s, .end = text.s + text.n, .look = look, .user = user };
    return s && expression(&w, 0, out) && !w.unknown;
}
