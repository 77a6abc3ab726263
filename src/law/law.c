/* law.c - laws by name, their constants, what they lack. */
#include "base/lack.h"
#include "base/file.h"
#include "law/law.h"
#include "law/saved.h"

#include <math.h>
#include <stdio.h>

void precis_law_point_init(precis_law_point *p)
{
    for (int v = 0; v < PCS_VARS; v++) p->v[v] = pcs_variables[v].usual;
}

int precis_law_variable_get(size_t i, const char **name, const char **option, const char **unit, const char **what)
{
    if (i >= PCS_VARS) return 0;
    *name = pcs_variables[i].name;
    *option = pcs_variables[i].option;
    *unit = pcs_variables[i].unit;
    *what = pcs_variables[i].what;
    return 1;
}

static size_t count(void)
{
    size_t n = 0;
    while (pcs_law_texts[n].name) n++;
    return n;
}

const char *precis_law_name(size_t i) { return i < count() ? pcs_law_texts[i].name : NULL; }

precis_status pcs_law_use_set(precis_law *law, const char *set)
{
    char known[512] = "";
    for (int i = 0; i < law->n_sets; i++) {
        const size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i ? " " : "", law->sets[i].name);
        if (strcmp(law->sets[i].name, set)) continue;
        for (int p = 0; p < law->n_params; p++) law->params[p].value = law->sets[i].values[p];
        law->set = law->sets[i].name;
        return PRECIS_OK;
    }
    return pcs_fail(law->ctx, PRECIS_EINVAL, "the law %s has no set of constants \"%s\"%s%s", law->name, set,
                    *known ? "; it has " : "", known);
}

static precis_status open_file(precis_ctx *ctx, precis_law **out, const char *path)
{
    char *text;
    size_t len;
    precis_status st = pcs_text_slurp(ctx, path, PCS_SAVED_BYTES, PRECIS_INPUT_TABLE, &text, &len);
    if (st) return st;
    size_t i = 0;
    while (i < len && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r')) i++;
    st = i < len && text[i] == '{' ? pcs_saved_read(ctx, out, path, text, len)
                                   : pcs_law_read(ctx, out, path, text, len);
    pcs_free(ctx, text);
    return st;
}

static precis_status open_any(precis_ctx *ctx, precis_law **out, const char *name)
{
    *out = NULL;
    char word[64] = "";
    const char *colon = strchr(name, ':');
    const size_t n = colon ? (size_t)(colon - name) : strlen(name);
    if (n < sizeof word) memcpy(word, name, n);
    for (size_t i = 0; pcs_law_texts[i].name; i++) {
        if (strcmp(pcs_law_texts[i].name, word)) continue;
        precis_status st = pcs_law_read(ctx, out, word, pcs_law_texts[i].text, pcs_law_texts[i].len);
        if (!st && colon) st = pcs_law_use_set(*out, colon + 1);
        if (st) precis_law_close(out);
        return st;
    }
    if (strchr(name, '/') || strchr(name, '.')) return open_file(ctx, out, name);
    return pcs_fail(ctx, PRECIS_EINVAL, "\"%s\" is no law and no file (a path with / or .); precis list laws has them",
                    name);
}

precis_status precis_law_open(precis_ctx *ctx, precis_law **out, const char *name)
{
    const uint64_t refused = precis_ctx_refused(ctx);
    const precis_status st = pcs_with_memory(ctx, refused, open_any(ctx, out, name));
    if (st) precis_law_close(out);
    return st;
}

precis_status pcs_law_copy(precis_ctx *ctx, precis_law **out, const precis_law *law)
{
    precis_status st = pcs_law_read(ctx, out, law->name, law->raw, law->raw_len);
    if (st) return st;
    precis_law *l = *out;
    for (int i = 0; i < l->n_params; i++) l->params[i].value = law->params[i].value;
    memcpy(l->low, law->low, sizeof l->low);
    memcpy(l->high, law->high, sizeof l->high);
    l->low_ratio = law->low_ratio, l->high_ratio = law->high_ratio;
    l->set = pcs_arena_copy(&l->arena, law->set, strlen(law->set));
    if (!l->set) precis_law_close(out);
    return *out ? PRECIS_OK : PRECIS_ENOMEM;
}

void pcs_law_uses(const precis_law *l, int node, bool used[PCS_LAW_PARAMS])
{
    bool below[PCS_LAW_NODES] = { false };
    below[node] = true;
    for (int i = node; i >= 0; i--) {
        if (!below[i]) continue;
        for (int k = 0; k < pcs_e_args(&l->e[i]); k++) below[l->e[i].arg[k]] = true;
        if (l->e[i].op == PCS_E_PARAM) used[l->e[i].index] = true;
    }
}

void precis_law_get_info(const precis_law *l, precis_law_info *info)
{
    *info = (precis_law_info){ info->size,          l->name,           l->set,      l->title,
                               l->source,           l->assumes,        l->text,     l->form,
                               (size_t)l->n_params, (size_t)l->n_sets, l->n_samples };
}

precis_status precis_law_get_param(const precis_law *l, size_t i, precis_law_param *out)
{
    if (i >= (size_t)l->n_params) return pcs_fail(l->ctx, PRECIS_EINVAL, "no parameter %zu", i);
    const pcs_param *p = &l->params[i];
    *out = (precis_law_param){
        out->size, p->name, p->unit, p->source, isnan(p->value) ? "unknown" : pcs_standings[p->standing], p->value
    };
    return PRECIS_OK;
}

precis_status precis_law_get_set(const precis_law *l, size_t i, const char **name, const char **source)
{
    if (i >= (size_t)l->n_sets) return pcs_fail(l->ctx, PRECIS_EINVAL, "no set %zu", i);
    *name = l->sets[i].name;
    *source = l->sets[i].source;
    return PRECIS_OK;
}

precis_status precis_law_set_param(precis_law *law, const char *name, double value)
{
    const int i = pcs_law_param(law, name);
    if (i < 0) return pcs_fail(law->ctx, PRECIS_EINVAL, "the law %s has no parameter \"%s\"", law->name, name);
    if (!isfinite(value) || (law->params[i].positive && value <= 0))
        return pcs_fail(law->ctx, PRECIS_EINVAL, "%s of the law %s is a finite%s number", name, law->name,
                        law->params[i].positive ? ", positive" : "");
    law->params[i].value = value;
    if (law->n_samples) { /* they are of other constants */
        pcs_free(law->ctx, law->samples);
        law->samples = NULL;
        law->n_samples = 0;
    }
    return PRECIS_OK;
}

int precis_law_domain(const precis_law *l, const char *variable, double *low, double *high)
{
    *low = *high = NAN;
    if (!strcmp(variable, "ratio")) *low = l->low_ratio, *high = l->high_ratio;
    for (int v = 0; v < PCS_VARS; v++)
        if (!strcmp(pcs_variables[v].name, variable)) *low = l->low[v], *high = l->high[v];
    return !isnan(*low);
}

void pcs_law_lacking(const precis_law *l, int node, char *buf, size_t size)
{
    bool below[PCS_LAW_NODES] = { false }, said[PCS_LAW_PARAMS] = { false };
    size_t n = 0;
    buf[0] = 0;
    below[node] = true;
    for (int i = node; i >= 0; i--) {
        if (!below[i]) continue;
        const pcs_e *e = &l->e[i];
        for (int k = 0; k < pcs_e_args(e); k++)
            /* a choice that is not taken is not needed */
            if (e->op != PCS_E_SELECT || k != 1 || l->e[e->arg[1]].op != PCS_E_PARAM) below[e->arg[k]] = true;
        if (e->op == PCS_E_PARAM && isnan(l->params[e->index].value)) said[e->index] = true;
    }
    for (int p = 0; p < l->n_params; p++)
        if (said[p] && n < size) n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? ", " : "", l->params[p].name);
}

const char *precis_law_lacks(precis_law *law, const char *output)
{
    const int node = pcs_law_let(law, output);
    if (node < 0) return NULL;
    pcs_law_lacking(law, node, law->ctx->message, sizeof law->ctx->message);
    return law->ctx->message;
}
