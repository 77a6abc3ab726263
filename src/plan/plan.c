/* plan.c - a type for every tensor, from a type, a mix or a table of patterns. */
#include "plan/plan.h"
#include "base/options.h"

#include "graph/net.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

const pcs_mix pcs_mixes[] = {
#define MIX(...) { __VA_ARGS__ },
#include "plan/mixes.def"
#undef MIX
    { 0 },
};

const pcs_mix *pcs_mix_by_name(const char *name)
{
    for (const pcs_mix *m = pcs_mixes; m->name; m++)
        if (!strcasecmp(m->name, name)) return m;
    return NULL;
}

bool pcs_quantizable(const pcs_tensor *t)
{
    const bool matrix = t->dims >= 2 && t->ne[1] >= 2 && t->n;
    return matrix && t->format->kind != PCS_INT && t->is.end == PCS_END_weight && !pcs_role_kept(t->is.role);
}

double pcs_quantizable_weights(const precis_model *m)
{
    double weights = 0;
    for (size_t i = 0; i < m->n_tensors; i++)
        if (pcs_quantizable(&m->tensors[i])) weights += (double)m->tensors[i].n;
    return weights;
}

bool pcs_encodable(const pcs_format *f) { return pcs_format_can_encode(f) && f->kind != PCS_INT && !f->internal; }

void pcs_plan_set(pcs_plan_row *row, const pcs_format *to)
{
    row->to = to;
    row->bytes = row->tensor->n ? pcs_tensor_rows(row->tensor) * pcs_row_bytes(to, (uint64_t)row->tensor->ne[0]) : 0;
}

const pcs_format *pcs_resting(const pcs_tensor *t)
{
    const bool vector = t->dims < 2 || t->ne[1] < 2;
    return vector && t->format->kind == PCS_FLOAT && t->format->bytes == 2 ? &pcs_format_f32 : t->format;
}

/* What a method changed is F32 in memory; at rest it takes the 16 bits that it had, or that it would have. */
static const pcs_format *resting_in(const precis_model *m, size_t i)
{
    const pcs_tensor *t = &m->tensors[i], *o = m->origin && i < m->origin->n_tensors ? &m->origin->tensors[i] : NULL;
    const bool matrix = t->dims >= 2 && t->ne[1] >= 2;
    if (!m->origin || !matrix || (o && o->data == t->data)) return pcs_resting(t);
    return o && o->format->kind == PCS_FLOAT && !o->format->element ? o->format : &pcs_format_f16;
}

/* Row i as it is when nobody chooses a type. */
static precis_status rest(precis_ctx *ctx, const precis_model *m, size_t i, pcs_plan_row *row)
{
    const pcs_format *f = resting_in(m, i);
    float top;
    *row = (pcs_plan_row){ &m->tensors[i], NULL, NULL, 0, NAN };
    const precis_status st =
        m->origin ? pcs_holding(ctx, &m->tensors[i], &f, &top) : PRECIS_OK; /* a method may have made them larger */
    if (!st) pcs_plan_set(row, f);
    return st;
}

precis_status pcs_plan_new(precis_ctx *ctx, precis_plan **out, const precis_model *m, const char *spec)
{
    *out = NULL;
    const precis_status whole = pcs_net_check(m);
    if (whole) return whole;
    precis_plan *p = pcs_alloc(ctx, 1, sizeof *p);
    if (!p) return PRECIS_ENOMEM;
    *p = (precis_plan){ .ctx = ctx, .model = m, .n = m->n_tensors };
    p->rows = pcs_alloc(ctx, p->n + 1, sizeof *p->rows);
    p->spec = pcs_alloc(ctx, strlen(spec) + 1, 1);
    if (!p->rows || !p->spec) {
        precis_plan_close(&p);
        return PRECIS_ENOMEM;
    }
    memcpy(p->spec, spec, strlen(spec));
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < p->n && !st; i++) st = rest(ctx, m, i, &p->rows[i]);
    if (st) precis_plan_close(&p);
    *out = p;
    return st;
}

const pcs_format *pcs_plan_from(const precis_plan *plan, size_t i)
{
    const precis_model *o = plan->model->origin;
    return o && i < o->n_tensors ? o->tensors[i].format : plan->rows[i].tensor->format;
}

precis_status pcs_plan_extend(precis_plan *p)
{
    const precis_model *m = p->model;
    pcs_plan_row *grown = pcs_grow(p->ctx, p->rows, p->n * sizeof *grown, m->n_tensors + 1, sizeof *grown);
    if (!grown) return PRECIS_ENOMEM;
    p->rows = grown;
    for (size_t i = 0; i < m->n_tensors; i++) {
        const precis_status st = i < p->n ? PRECIS_OK : rest(p->ctx, m, i, &p->rows[i]);
        if (st) return st;
        p->rows[i].tensor = &m->tensors[i];
    }
    p->n = m->n_tensors;
    return PRECIS_OK;
}

void precis_plan_close(precis_plan **plan)
{
    if (!plan || !*plan) return;
    precis_plan *p = *plan;
    pcs_free(p->ctx, p->rows);
    pcs_free(p->ctx, p->spec);
    pcs_free(p->ctx, p);
    *plan = NULL;
}

size_t precis_plan_size(const precis_plan *plan) { return plan->n; }

precis_status precis_plan_get(const precis_plan *plan, size_t i, precis_plan_row *row)
{
    if (i >= plan->n) return pcs_fail(plan->ctx, PRECIS_EINVAL, "there is no tensor %zu", i);
    const pcs_plan_row *r = &plan->rows[i];
    const precis_plan_row all = { .size = row->size, .tensor = r->tensor->name, .from = pcs_plan_from(plan, i)->name,
                                  .to = r->to->name, .wanted = r->wanted ? r->wanted->name : NULL,
                                  .bytes = r->bytes, .loss = r->loss };
    pcs_options_give(row, &all, sizeof all);
    return PRECIS_OK;
}

uint64_t precis_plan_bytes(const precis_plan *plan)
{
    uint64_t n = 0;
    for (size_t i = 0; i < plan->n; i++) n += plan->rows[i].bytes;
    return n;
}

bool pcs_match(const char *p, size_t len, const char *text)
{
    size_t i = 0, star = SIZE_MAX;
    const char *mark = NULL;
    while (*text) {
        if (i < len && p[i] == '*') star = i++, mark = text;
        else if (i < len && (p[i] == '?' || p[i] == *text)) i++, text++;
        else if (mark) i = star + 1, text = ++mark;
        else return false;
    }
    while (i < len && p[i] == '*') i++;
    return i == len;
}

precis_status pcs_pattern_type(precis_ctx *ctx, const char *list, const char *tensor, const pcs_format **f)
{
    *f = NULL;
    bool found = false;
    for (const char *p = list; p && *p;) {
        const char *end = strchr(p, ','), *eq = strchr(p, '=');
        if (!end) end = p + strlen(p);
        char name[32];
        if (!eq || eq > end || (size_t)(end - eq) > sizeof name)
            return pcs_fail(ctx, PRECIS_EINVAL, "\"%.*s\" is not PATTERN=TYPE", (int)(end - p), p);
        snprintf(name, sizeof name, "%.*s", (int)(end - eq - 1), eq + 1);
        const pcs_format *type = pcs_format_by_name(name);
        if (!type) return pcs_fail(ctx, PRECIS_EINVAL, "\"%s\" is no type; precis list formats has them", name);
        if (!pcs_encodable(type)) return pcs_fail(ctx, PRECIS_EINVAL, "type %s can be read, not written", type->name);
        if (!found && pcs_match(p, (size_t)(eq - p), tensor)) *f = type, found = true;
        p = *end ? end + 1 : end;
    }
    return PRECIS_OK;
}

void pcs_pattern_check(precis_ctx *ctx, const char *list, const precis_model *m)
{
    for (const char *p = list; p && *p;) {
        const char *end = strchr(p, ','), *eq = strchr(p, '=');
        if (!end) end = p + strlen(p);
        bool used = false;
        for (size_t i = 0; i < m->n_tensors && eq && !used; i++)
            used = pcs_match(p, (size_t)(eq - p), m->tensors[i].name);
        const int length = (int)((eq && eq < end ? eq : end) - p);
        if (!used)
            pcs_warn(ctx, "\"%.*s\" matches no tensor; precis inspect lists the names, * stands for any text", length,
                     p);

        p = *end ? end + 1 : end;
    }
}

int pcs_layers(const precis_model *m)
{
    int layers = 0;
    for (size_t i = 0; i < m->n_tensors; i++)
        if (m->tensors[i].is.layer >= layers) layers = m->tensors[i].is.layer + 1;
    return layers;
}

bool pcs_makes_logits(const precis_model *m, const pcs_tensor *t)
{
    if (t->is.end != PCS_END_weight) return false;
    const bool tied = t->is.role == PCS_ROLE_token_embd && !pcs_model_part(m, -1, PCS_ROLE_output, PCS_END_weight);
    return t->is.role == PCS_ROLE_output || tied;
}

static const pcs_format *mix_type(const pcs_mix *mix, const precis_model *m, const pcs_tensor *t, int layers)
{
    const int i = t->is.layer;
    const bool more = mix->first ? i >= 0 && i < (layers + mix->first - 1) / mix->first
                                 : i < layers / 8 || i >= 7 * layers / 8 || (i - layers / 8) % 3 == 2;
    const pcs_tensor_role like = pcs_role_like(t->is.role);
    const char *type = mix->base;
    if (pcs_makes_logits(m, t)) type = mix->output;
    else if (like == PCS_ROLE_attn_v || like == PCS_ROLE_attn_qkv) type = more ? mix->attn_v_more : mix->attn_v;
    else if (like == PCS_ROLE_ffn_down) type = more ? mix->ffn_down_more : mix->ffn_down;
    else if (like == PCS_ROLE_attn_output) type = mix->attn_output;
    return pcs_format_by_name(type);
}

/* Gives a row its type: f, or a substitute when the tensor's rows or numbers do not fit. Where f was asked for by its
 * name, numbers that do not fit are taken as they come. */
static precis_status take(precis_ctx *ctx, pcs_plan_row *row, const pcs_format *f, bool asked, int strict)
{
    const pcs_tensor *t = row->tensor;
    const pcs_format *fit = pcs_fitting(f, t->ne[0]), *held = fit;
    float top;
    if (!fit || (fit != f && strict))
        return pcs_fail(ctx, PRECIS_EINVAL, "tensor %s: rows of %lld are not whole blocks of %u (%s)", t->name,
                        (long long)t->ne[0], f->block, f->name);
    const precis_status st = asked && fit == f ? PRECIS_OK : pcs_holding(ctx, t, &held, &top);
    if (st) return st;
    if (held != fit && strict) return pcs_too_large(ctx, t, fit);
    pcs_plan_set(row, held);
    if (held != f) row->wanted = f;
    return PRECIS_OK;
}

precis_status pcs_plan_of_types(precis_ctx *ctx, precis_plan **out, const precis_model *model, const char *spec,
                                int strict)
{
    *out = NULL;
    const pcs_mix *mix = pcs_mix_by_name(spec);
    pcs_scheme scheme = { 0 };
    const bool schemed = !mix && !pcs_format_by_name(spec) && !strchr(spec, '=') && pcs_scheme_of(spec, &scheme);
    const pcs_format *one = mix ? NULL : pcs_format_by_name(schemed ? scheme.weights : spec);
    const bool table = !mix && !one && strchr(spec, '=');
    if (!mix && !one && !table)
        return pcs_fail(ctx, PRECIS_EINVAL,
                        "\"%.60s\" is no type, mix or scheme (W4A16); precis list mixes and precis list formats have "
                        "them", spec);
    if (one && !pcs_encodable(one)) return pcs_fail(ctx, PRECIS_EINVAL, "type %s can be read, not written", one->name);
    const int layers = pcs_layers(model);
    precis_plan *p;
    precis_status st = pcs_plan_new(ctx, &p, model, spec);
    for (size_t i = 0; i < model->n_tensors && !st; i++) {
        const pcs_tensor *t = &model->tensors[i];
        const pcs_format *f = one;
        if (table) st = pcs_pattern_type(ctx, spec, t->name, &f);
        if (mix) f = mix_type(mix, model, t, layers);
        if (st || !f || !pcs_quantizable(t)) continue;
        const bool ends = t->is.role == PCS_ROLE_token_embd || t->is.role == PCS_ROLE_output;
        if (schemed && ends) f = t->format->kind == PCS_QUANT ? t->format : &pcs_format_f16;
        if (schemed && f == t->format) continue;
        const bool asked = !mix && !schemed; /* that type by its name */
        st = take(ctx, &p->rows[i], f, asked, strict);
    }
    if (!st && table) pcs_pattern_check(ctx, spec, model);
    if (st) precis_plan_close(&p);
    *out = p;
    return st;
}

static void tell_count(precis_ctx *ctx, size_t n, const char *because)
{
    if (n)
        pcs_warn(ctx, "%zu tensor%s a substitute, because %s; --strict makes it an error", n,
                 n == 1 ? " takes" : "s take", because);
}

void pcs_plan_tell(precis_ctx *ctx, const precis_plan *p)
{
    size_t narrow = 0, large = 0;
    for (size_t i = 0; i < p->n; i++) {
        const pcs_plan_row *row = &p->rows[i];
        if (!row->wanted) continue;
        const pcs_format *fit = pcs_fitting(row->wanted, row->tensor->ne[0]);
        narrow += fit != row->wanted;
        large += row->to != fit;
    }
    tell_count(ctx, narrow, "rows are not whole blocks of the type");
    tell_count(ctx, large, "a number of its is too large for the type");
}

precis_status precis_plan_types(precis_ctx *ctx, precis_plan **out, const precis_model *model, const char *spec,
                                int strict)
{
    const precis_status st = pcs_plan_of_types(ctx, out, model, spec, strict);
    if (!st) pcs_plan_tell(ctx, *out);
    return st;
}
