/* jinja_test.c - what stands after `is`. */
#include "text/jinja.h"

/* Tests of a value's type: bits of pcs_jtype. */
static const struct { const char *name; unsigned types;
} types[] = {
    { "undefined", 1u << J_UNDEFINED },
    { "none", 1u << J_NONE },
    { "string", 1u << J_STRING },
    { "mapping", 1u << J_DICT },
    { "iterable", 1u << J_LIST | 1u << J_DICT | 1u << J_STRING | 1u << J_UNDEFINED | 1u << J_LOOP },
    { "sequence", 1u << J_LIST | 1u << J_DICT | 1u << J_STRING | 1u << J_UNDEFINED },
    { "number", 1u << J_INT | 1u << J_FLOAT | 1u << J_BOOL },
    { "integer", 1u << J_INT },
    { "float", 1u << J_FLOAT },
    { "boolean", 1u << J_BOOL },
    { "callable", 1u << J_FUNCTION | 1u << J_MACRO | 1u << J_UNDEFINED | 1u << J_LOOP },
};

/* Tests that are operators, by all their names. */
static const struct { const char *name, *op;
} operators[] = {
    { "eq", "==" },      { "equalto", "==" }, { "==", "==" }, { "ne", "!=" }, { "!=", "!=" }, { "lt", "<" },
    { "lessthan", "<" }, { "<", "<" },        { "le", "<=" }, { "<=", "<=" }, { "gt", ">" },  { "greaterthan", ">" },
    { ">", ">" },        { "ge", ">=" },      { ">=", ">=" }, { "in", "in" },
};

/* Python's `is`: the same object. Of strings and numbers that cannot be told here; equal ones of one type are taken for
 * it. */
static precis_status same(pcs_jinja *j, pcs_jvalue a, pcs_jvalue b, bool *out)
{
    if (a.type == J_LIST || a.type == J_DICT) return *out = a.type == b.type && a.list == b.list, PRECIS_OK;
    const precis_status st = pcs_jequal(j, a, b, 0, out);
    *out &= a.type == b.type;
    return st;
}

static precis_status is_cased(pcs_jinja *j, pcs_jvalue v, bool upper, bool *out)
{
    pcs_jvalue s, other;
    precis_status st = pcs_jto_string(j, v, &s);
    if (!st) st = pcs_jcased(j, s, upper ? J_LOWER : J_UPPER, &other); /* has letters: they change */
    bool plain = false;
    if (!st) st = pcs_jequal(j, s, other, 0, &plain);
    if (!st) st = pcs_jcased(j, s, upper ? J_UPPER : J_LOWER, &other);
    if (!st) st = pcs_jequal(j, s, other, 0, out);
    *out &= !plain;
    return st;
}

precis_status pcs_jtest(pcs_jinja *j, const char *name, pcs_jvalue v, const pcs_jargs *args, bool *out)
{
    pcs_jvalue r;
    const pcs_jvalue first = args->n ? args->v[0] : (pcs_jvalue){ .type = J_ABSENT };
    precis_status st = pcs_jinja_pay(j, 8);
    *out = v.type != J_UNDEFINED;
    if (st || !strcmp(name, "defined")) return st;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, name)) return *out = (types[i].types >> v.type & 1) && !v.space, PRECIS_OK;
    if (!strcmp(name, "true") || !strcmp(name, "false"))
        return *out = v.type == J_BOOL && v.i == (*name == 't'), PRECIS_OK;
    if (!strcmp(name, "lower") || !strcmp(name, "upper")) return is_cased(j, v, *name == 'u', out);
    if (!strcmp(name, "odd") || !strcmp(name, "even")) {
        if (v.type != J_INT && v.type != J_BOOL)
            return pcs_jinja_fail(j, PRECIS_EFORMAT, "\"%s\" asks of %s", name, pcs_jtype_name(v));
        return *out = (v.i & 1) == (*name == 'o'), PRECIS_OK;
    }
    const bool divides = !strcmp(name, "divisibleby"), is = !strcmp(name, "sameas");
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (strcmp(operators[i].name, name) || args->n != 1) continue;
        st = pcs_jbinary(j, operators[i].op, v, first, &r);
        *out = !st && pcs_jtrue(r);
        return st;
    }
    if (is && args->n == 1) return same(j, v, first, out);
    if (divides && args->n == 1) {
        st = pcs_jbinary(j, "%", v, first, &r);
        *out = !st && !pcs_jtrue(r);
        return st;
    }
    return pcs_jinja_fail(j, PRECIS_EUNSUPPORTED, "the test \"%s\" with %zu arguments is not known", name, args->n);
}
