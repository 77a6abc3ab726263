/* methods.c - "rotate+awq+gptq": which methods are asked for, which pairs go together, and carrying them out. */
#include "quant/methods.h"

#include <stdio.h>
#include <strings.h>

/* Why two methods cannot be combined, by what they do; what is not here can. */
static const struct {
    pcs_method_does a, b;
    const char *why;
} refused[] = {
    { PCS_MOVES_SCALE, PCS_MOVES_SCALE,
      "both move scale between activations and weights; the second would undo the first" },
    { PCS_CUTS_WEIGHTS, PCS_CHOOSES_RANGE,
      "both cut ranges, and the second would cut what is left; rtn is the coder for it" },
    { PCS_CUTS_WEIGHTS, PCS_MAKES_UP,
      "gptq makes up for what a rounding loses, and would make up for nothing that was cut before" },
    { PCS_CUTS_WEIGHTS, PCS_BRINGS_BACK, "the residual would bring back what was cut" },
    { PCS_PRUNES, PCS_PRUNES, "both leave weights out" },
    { PCS_PRUNES, PCS_BRINGS_BACK, "the residual would bring back what was left out" },
};

static bool pair(const pcs_method *a, const pcs_method *b, size_t i)
{
    return (a->does & refused[i].a) && (b->does & refused[i].b);
}

const char *pcs_methods_conflict(const pcs_method *a, const pcs_method *b)
{
    if (a == b) return "it is named twice";
    if (a->kind == PCS_CODER && b->kind == PCS_CODER) return "both choose the codes of a weight";
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (pair(a, b, i) || pair(b, a, i)) return refused[i].why;
    return NULL;
}

precis_status pcs_methods_parse(precis_ctx *ctx, const char *spec, pcs_method_set *set)
{
    *set = (pcs_method_set){ .coder = pcs_methods[0] };
    bool coder = false;
    for (const char *p = spec; p && *p;) {
        const size_t n = strcspn(p, "+,");
        char name[32] = { 0 };
        memcpy(name, p, n < sizeof name - 1 ? n : sizeof name - 1);
        const pcs_method *m = n ? pcs_method_by_name(name) : NULL;
        if (!m) return pcs_fail(ctx, PRECIS_EINVAL, "\"%s\" is no method; precis list methods has them", name);
        for (size_t i = 0; i < set->n; i++) {
            const char *why = pcs_methods_conflict(set->all[i], m);
            if (why)
                return pcs_fail(ctx, PRECIS_EINVAL, "%s and %s cannot be combined: %s", set->all[i]->name, m->name,
                                why);
        }
        if (set->n == PCS_METHODS_MOST) return pcs_fail(ctx, PRECIS_EINVAL, "too many methods");
        set->all[set->n++] = m;
        if (m->kind == PCS_CODER) set->coder = m, coder = true;
        set->transforms |= m->kind == PCS_TRANSFORM;
        set->residual |= m->kind == PCS_RESIDUAL;
        p += n + (p[n] != 0);
    }
    for (size_t i = 0; i < set->n && !coder; i++)
        if (set->all[i]->coder) set->coder = pcs_method_by_name(set->all[i]->coder), set->implied = true;
    if (!coder && set->n < PCS_METHODS_MOST) set->all[set->n++] = set->coder;
    return PRECIS_OK;
}

bool pcs_methods_pair(size_t i, char *text, size_t cap)
{
    size_t n = 0;
    while (pcs_methods[n]) n++;
    if (i >= n * n) return false;
    const pcs_method *a = pcs_methods[i / n], *b = pcs_methods[i % n];
    if (a == b) snprintf(text, cap, "%s + %s: refused: it is named twice", a->name, b->name);
    else {
        const char *why = pcs_methods_conflict(a, b);
        snprintf(text, cap, "%s + %s: %s%s", a->name, b->name, why ? "refused: " : "works", why ? why : "");
    }
    return true;
}

/* Name of the methods for reports: "awq+gptq". */
void pcs_methods_name(const pcs_method_set *set, char *out, size_t cap)
{
    out[0] = 0;
    for (size_t k = 0; pcs_methods[k]; k++) /* in the order that they are applied */
        for (size_t i = 0; i < set->n; i++)
            if (set->all[i] == pcs_methods[k]) {
                const size_t at = strlen(out);
                if (pcs_methods[k]->kind == PCS_CODER) continue;
                snprintf(out + at, cap - at, "%s+", pcs_methods[k]->name);
            }
    const size_t at = strlen(out);
    snprintf(out + at, cap - at, "%s", set->coder->name);
}
