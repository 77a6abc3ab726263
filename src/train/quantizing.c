/* quantizing.c - training in few bits: which parameters, ranges that are learned or observed, and when. */
#include "base/fmath.h"
#include "base/json_file.h"
#include "graph/kv.h"
#include "graph/op/round.h"
#include "plan/plan.h"
#include "train/observer.h"
#include "train/ranges.h"
#include "train/run.h"

/* ---- when ---------------------------------------------------------------------------------------- */

uint64_t pcs_train_step_of(const pcs_train_config *c, double share) { return (uint64_t)(share * (double)c->steps); }

bool pcs_train_rounds(const pcs_train_config *c, uint64_t step)
{
    return pcs_train_quantizes(&c->quant) && step >= pcs_train_step_of(c, c->quant.from);
}

/* ---- types --------------------------------------------------------------------------------------- */

typedef struct {
    pcs_train_run *t;
    pcs_json_file in;
    char *k, *v;
} plan_reader;

static precis_status read_tensor(void *arg)
{
    plan_reader *r = arg;
    char *name = NULL, *type = NULL;
    precis_status st = PRECIS_OK;
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "name")) st = pcs_json_file_string(&r->in, "tensors[].name", &name);
        else if (pcs_json_is(&r->in.t, "type")) st = pcs_json_file_string(&r->in, "tensors[].type", &type);
        else st = pcs_json_file_skip(&r->in);
    }
    if (st) return st;
    const pcs_format *f = type ? pcs_format_by_name(type) : NULL;
    if (!name || strpbrk(name, "*?=,"))
        return pcs_fail(r->t->ctx, PRECIS_EFORMAT,
                        "%s: tensors[].name: \"%.60s\" is missing, or holds a sign of patterns", r->t->c.quant.plan,
                        name ? name : "");
    if (!f || !pcs_encodable(f))
        return pcs_fail(r->t->ctx, PRECIS_EFORMAT,
                        "%s: tensors[].type: \"%.40s\" of %.60s is no type that can be written", r->t->c.quant.plan,
                        type ? type : "", name);
    return pcs_buf_printf(&r->t->planned, "%s%.200s=%s", r->t->planned.len ? "," : "", name, f->name);
}

static precis_status read_plan_kv(plan_reader *r)
{
    precis_status st = pcs_json_expect(&r->in.j, PCS_JSON_OBJECT, &r->in.t, "kv");
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "k")) st = pcs_json_file_string(&r->in, "kv.k", &r->k);
        else if (pcs_json_is(&r->in.t, "v")) st = pcs_json_file_string(&r->in, "kv.v", &r->v);
        else st = pcs_json_file_skip(&r->in);
    }
    return st;
}

/* A cache that the plan asks for is trained with, unless the configuration says another. */
static precis_status take_kv(plan_reader *r)
{
    pcs_train_quant *q = &r->t->c.quant;
    const pcs_kv_type *k = r->k ? pcs_kv_type_by_name(r->k) : NULL, *v = r->v ? pcs_kv_type_by_name(r->v) : NULL;
    if (q->kv_bits <= 8 || (!r->k && !r->v) || (k && v && !k->scaled && !v->scaled)) return PRECIS_OK;
    if (!k || k != v)
        return pcs_fail(r->t->ctx, PRECIS_EUNSUPPORTED,
                        "kv: keys of %.30s and values of %.30s: training has int8 or int4 for both",
                        r->k ? r->k : "none", r->v ? r->v : "none");
    q->kv_bits = (int)k->bits;
    return PRECIS_OK;
}

precis_status pcs_train_read_plan(pcs_train_run *t, const char *path)
{
    plan_reader r = { .t = t };
    char *kind = NULL;
    precis_status st = pcs_json_file_open(&r.in, t->ctx, path);
    if (st) return st;
    st = pcs_json_expect(&r.in.j, PCS_JSON_OBJECT, &r.in.t, "plan");
    while (pcs_json_file_key(&r.in, &st)) {
        if (pcs_json_is(&r.in.t, "precis")) st = pcs_json_file_string(&r.in, "precis", &kind);
        else if (pcs_json_is(&r.in.t, "tensors")) st = pcs_json_file_list(&r.in, "tensors", read_tensor, &r);
        else if (pcs_json_is(&r.in.t, "kv")) st = read_plan_kv(&r);
        else st = pcs_json_file_skip(&r.in);
    }
    if (!st && (!kind || strcmp(kind, "plan") || !t->planned.len))
        st = pcs_fail(t->ctx, PRECIS_EFORMAT, "%s: precis: this is no plan", path);
    if (!st) st = take_kv(&r);
    if (!st) t->c.quant.types = t->planned.data;
    pcs_json_file_close(&r.in);
    return st;
}

/* What a parameter is to be stored as; NULL: a plain type for matrices of layers leaves it alone. */
static precis_status type_of(pcs_train_run *t, const char *spec, const pcs_trained *p, const pcs_format **f)
{
    *f = NULL;
    if (strchr(spec, '=')) return pcs_pattern_type(t->ctx, spec, p->name, f);
    if (p->dims == 2 && (t->arrays || pcs_place_of(p->name).layer >= 0)) *f = pcs_format_by_name(spec);
    return PRECIS_OK;
}

/* Every pattern is of something: a misspelt one must not pass in silence. */
static precis_status check_patterns(pcs_train_run *t, const char *spec)
{
    for (const char *p = spec; p && strchr(spec, '='); p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        const size_t len = strcspn(p, "=");
        bool found = false;
        for (size_t i = 0; i < t->s.llama.n && !found; i++) found = pcs_match(p, len, t->s.llama.parameters[i].name);
        if (!found)
            return pcs_fail(t->ctx, PRECIS_EFORMAT, "quant: %.*s matches no tensor of the net", (int)len, p);
    }
    return PRECIS_OK;
}

static precis_status set_only(pcs_train_run *t)
{
    const pcs_llama *l = &t->s.llama;
    for (size_t i = 0; i < t->c.n_only; i++) {
        bool found = false;
        for (size_t k = 0; k < l->n; k++) found |= pcs_match(t->c.only[i], strlen(t->c.only[i]), l->parameters[k].name);
        if (!found) return pcs_fail(t->ctx, PRECIS_EFORMAT, "only: %.60s matches no tensor of the net", t->c.only[i]);
    }
    for (size_t k = 0; k < l->n && t->c.n_only; k++) {
        bool found = false;
        for (size_t i = 0; i < t->c.n_only; i++)
            found |= pcs_match(t->c.only[i], strlen(t->c.only[i]), l->parameters[k].name);
        l->parameters[k].fixed = !found;
    }
    return PRECIS_OK;
}

precis_status pcs_train_set_types(pcs_train_run *t)
{
    pcs_llama *l = &t->s.llama;
    const char *spec = t->c.quant.types ? t->c.quant.types : t->c.quant.weights;
    precis_status st = spec ? check_patterns(t, spec) : PRECIS_OK;
    for (size_t i = 0; i < l->n && spec && !st; i++) {
        pcs_trained *p = &l->parameters[i];
        const pcs_format *f;
        st = type_of(t, spec, p, &f);
        if (st || !f || f == &pcs_format_f32 || p->dims != 2) continue; /* norms stay as they are */
        if (!pcs_format_fits(f, (uint64_t)p->shape[1]))
            st = pcs_fail(t->ctx, PRECIS_EFORMAT,
                          "quant.weights: rows of %lld do not fit %s, whose blocks are of %u (%s)",
                          (long long)p->shape[1], f->name, f->block, p->name);
        p->type = f;
    }
    return st ? st : set_only(t);
}

/* ---- ranges -------------------------------------------------------------------------------------- */

/* The parameter that is updated as weights are: of a range of a weight that is fixed there is nothing to learn. */
static const pcs_trained *weight_of(const pcs_train_run *t, const pcs_trained *range)
{
    return range->of < t->s.llama.n ? &t->s.llama.parameters[range->of] : NULL;
}

/* Numbers of a value in the run that is bound. */
static size_t numbers_of(const pcs_train_run *t, precis_value v)
{
    const pcs_value *of = &t->g->values[v];
    size_t n = 1;
    for (uint32_t i = 0; i < of->dims; i++) n *= (size_t)pcs_program_extent(t->p, of->shape[i]);
    return n;
}

static void begin_activation(pcs_train_run *t, pcs_trained *p)
{
    const pcs_train_quant *q = &t->c.quant;
    const float *x = p->watched >= 0 ? pcs_program_value(t->p, p->watched) : NULL;
    const int high = (1 << (q->a_bits - 1)) - 1;
    if (!x) return;
    const size_t n = numbers_of(t, p->watched);
    const float step = q->estimator->clips_only ? pcs_largest(x, n) / (float)high : pcs_lsq_step(x, n, high);
    p->data[0] = step > 1e-8f ? step : 1e-8f;
}

/* What an observer sees. The grid is made of it when the batch is done: all parts of a batch have one. */
static void look(pcs_train_run *t, pcs_trained *p)
{
    const pcs_train_quant *q = &t->c.quant;
    const pcs_trained *range = &t->s.llama.parameters[p->of];
    const float *x = range->watched >= 0 ? pcs_program_value(t->p, range->watched) : NULL;
    if (!x) return;
    pcs_observer o = { q->average, p->data[2] > 0, p->data[0], p->data[1] };
    pcs_observe(&o, x, numbers_of(t, range->watched));
    p->data[0] = o.low, p->data[1] = o.high, p->data[2] = 1;
}

void pcs_train_set_observed(pcs_train_run *t)
{
    const pcs_train_quant *q = &t->c.quant;
    const pcs_range_scheme grid = { "", -(1 << (q->a_bits - 1)), (1 << (q->a_bits - 1)) - 1, true };
    for (size_t i = 0; i < t->s.llama.n; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        if (p->kind != PCS_TRAINED_OBSERVER || !(p->data[2] > 0)) continue;
        const pcs_observer o = { q->average, true, p->data[0], p->data[1] };
        float zero;
        pcs_observer_grid(&o, &grid, t->s.llama.parameters[p->of].data, &zero);
    }
}

/* Ranges of activations need values of theirs: those of the step's own batch, in full. */
precis_status pcs_train_begin_ranges(pcs_train_run *t)
{
    const pcs_estimator *e = t->c.quant.estimator;
    bool activations = false;
    for (size_t i = 0; i < t->s.llama.n; i++) {
        pcs_trained *p = &t->s.llama.parameters[i];
        const pcs_trained *w = p->kind == PCS_TRAINED_RANGE ? weight_of(t, p) : NULL;
        activations |= p->kind >= PCS_TRAINED_RANGE && !w;
        if (w && w->type) e->begin(w->type, w->data, (size_t)w->shape[0], (size_t)w->shape[1], p->data);
    }
    if (!activations) return PRECIS_OK;
    precis_status st = pcs_train_open_net(t, false, false);
    if (!st) st = pcs_train_forward(t, (size_t)(t->c.batch / t->c.parts));
    for (size_t i = 0; i < t->s.llama.n && !st; i++) {
        pcs_trained *p = &t->s.llama.parameters[i];
        if (p->kind == PCS_TRAINED_RANGE) begin_activation(t, p);
        if (p->kind == PCS_TRAINED_OBSERVER && !(p->data[2] > 0)) look(t, p);
    }
    pcs_train_set_observed(t);
    return st;
}

void pcs_train_observe(pcs_train_run *t)
{
    const pcs_train_quant *q = &t->c.quant;
    if (t->s.step < pcs_train_step_of(&t->c, q->observe) || t->s.step >= pcs_train_step_of(&t->c, q->freeze))
        return; /* off, or frozen */
    for (size_t i = 0; i < t->s.llama.n; i++)
        if (t->s.llama.parameters[i].kind == PCS_TRAINED_OBSERVER) look(t, &t->s.llama.parameters[i]);
}

void pcs_train_keep_ranges(pcs_train_run *t)
{
    for (size_t i = 0; i < t->s.llama.n; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        for (size_t k = 0; p->kind == PCS_TRAINED_RANGE && k < p->n; k++)
            if (p->data[k] < 1e-8f) p->data[k] = 1e-8f;
    }
}

/* ---- updates ------------------------------------------------------------------------------------- */

/* Matrices of layers; one whose place is not known (in nets of arrays) is one, too. */
static bool of_layer(const pcs_trained *p)
{
    const pcs_place place = pcs_place_of(p->name);
    return p->kind == PCS_TRAINED_NET && p->dims == 2 && p->shape[0] > 1 && p->shape[1] > 1 &&
           (place.layer >= 0 || place.role == PCS_ROLE_none);
}

const pcs_optimizer *pcs_train_optimizer(const pcs_train_config *c, const pcs_trained *p, size_t *rows)
{
    const bool itself = !c->optimizer->others || of_layer(p);
    *rows = c->optimizer->others && itself ? (size_t)p->shape[0] : 1;
    return itself ? c->optimizer : c->optimizer->others;
}

bool pcs_train_settings(const pcs_train_run *t, size_t i, double lr, pcs_optimizer_settings *s)
{
    const pcs_train_config *c = &t->c;
    const pcs_trained *p = &t->s.llama.parameters[i];
    *s = c->settings;
    size_t rows;
    s->lr = pcs_train_optimizer(c, p, &rows) == c->optimizer ? lr : lr / c->rates.lr * c->others_lr;
    if (t->s.step >= (uint64_t)(c->decay_until * (double)c->steps) && c->decay_until < 1) s->decay = 0;
    if (p->kind == PCS_TRAINED_RANGE) {
        s->lr *= c->quant.range_lr;
        s->decay = c->quant.range_decay;
        return t->rounded && t->s.step < pcs_train_step_of(c, c->quant.freeze);
    }
    if (p->kind >= PCS_TRAINED_OBSERVED) return false;
    if (p->dims == 1) s->decay = 0;
    if (t->rounded && p->type) {
        s->lr *= c->quant.lr;
        if (c->quant.decay >= 0) s->decay = c->quant.decay;
    }
    return true;
}

void pcs_train_dampen(pcs_train_run *t)
{
    const float by = 2 * (float)t->c.quant.dampen;
    for (size_t i = 0; i < t->s.llama.n && by > 0 && t->rounded; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        const float *y =
            p->type && p->rounded >= 0 && !t->c.quant.estimator->turns ? pcs_program_value(t->p, p->rounded) : NULL;
        for (size_t k = 0; y && t->all[i].g && k < p->n; k++) t->all[i].g[k] += by * (p->data[k] - y[k]);
    }
}
