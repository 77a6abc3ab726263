/* profile.c - probes of tensors: kept, written, read, and turned into predictions. */
#include "base/lack.h"
#include "plan/profile.h"

#include <strings.h>

#include "base/fmath.h"
#include "base/json_file.h"
#include "base/options.h"
#include "graph/kv.h"
#include "write/write.h"

#include <math.h>

precis_status pcs_profile_new(precis_ctx *ctx, precis_profile **out)
{
    precis_profile *p = *out = pcs_alloc(ctx, 1, sizeof *p);
    if (!p) return PRECIS_ENOMEM;
    p->ctx = ctx;
    pcs_arena_init(&p->arena, ctx);
    pcs_map_init(&p->map, ctx);
    return PRECIS_OK;
}

void precis_profile_close(precis_profile **profile)
{
    if (!profile || !*profile) return;
    precis_profile *p = *profile;
    precis_ctx *ctx = p->ctx;
    pcs_free(ctx, p->t);
    pcs_map_free(&p->map);
    pcs_arena_free(&p->arena);
    pcs_free(ctx, p);
    *profile = NULL;
}

precis_status pcs_profile_set_text(precis_profile *p, const uint32_t *lengths, size_t n, size_t rest,
                                   const int32_t *ids)
{
    size_t all = 0;
    for (size_t i = 0; i < n + rest; i++) all += lengths[i];
    uint32_t *own = pcs_arena_alloc(&p->arena, n + rest + 1, sizeof *own);
    int32_t *tokens = pcs_arena_alloc(&p->arena, all + 1, sizeof *tokens);
    if (!own || !tokens) return PRECIS_ENOMEM;
    if (n + rest) memcpy(own, lengths, (n + rest) * sizeof *own);
    if (all) memcpy(tokens, ids, all * sizeof *tokens);
    p->lengths = own;
    p->ids = tokens;
    p->n_windows = n;
    p->n_rest = rest;
    return PRECIS_OK;
}

const pcs_sensitivity *pcs_profile_of(const precis_profile *p, const char *tensor)
{
    uint32_t i;
    return pcs_map_get(&p->map, tensor, strlen(tensor), &i) ? &p->t[i] : NULL;
}

precis_status pcs_profile_check(precis_ctx *ctx, const precis_profile *p, const precis_model *m, bool weights)
{
    uint32_t at;
    char hex[65];
    for (size_t i = 0; p && i < p->n; i++)
        if (!strstr(p->t[i].tensor, ".cache_") &&
            !pcs_map_get(&m->tensor_map, p->t[i].tensor, strlen(p->t[i].tensor), &at))
            return pcs_fail(ctx, PRECIS_EINVAL,
                            "the profile is of another model: this one has no tensor %.80s; precis profile MODEL -o "
                            "FILE makes one", p->t[i].tensor);
    if (!p || !p->model || !weights) return PRECIS_OK;
    const precis_status st = precis_model_sha256(m, hex);
    if (st || !strcmp(hex, p->model)) return st;
    return pcs_fail(ctx, PRECIS_EINVAL,
                    "the profile is of another model: it was measured on other weights (their hash is %.16s..., this "
                    "model's %.16s...); precis profile MODEL -o FILE makes this one's", p->model, hex);
}

static precis_status find_or_add(precis_profile *p, const char *tensor, pcs_sensitivity **out)
{
    uint32_t i;
    bool existed;
    const size_t len = strlen(tensor);
    if (pcs_map_get(&p->map, tensor, len, &i)) {
        *out = &p->t[i];
        return PRECIS_OK;
    }
    if (p->n == p->cap) {
        const size_t cap = p->cap * 2 + 64;
        pcs_sensitivity *grown = pcs_grow(p->ctx, p->t, p->n * sizeof *grown, cap, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        p->t = grown;
        p->cap = cap;
    }
    char *copy = pcs_arena_copy(&p->arena, tensor, len);
    if (!copy || pcs_map_put(&p->map, copy, len, (uint32_t)p->n, &existed)) return PRECIS_ENOMEM;
    *out = &p->t[p->n++];
    **out = (pcs_sensitivity){ .tensor = copy };
    return PRECIS_OK;
}

precis_status pcs_profile_add(precis_profile *p, const char *tensor, const char *type, double error, double kld,
                              double se)
{
    pcs_sensitivity *s;
    const pcs_format *f = pcs_format_by_name(type);
    const bool of_cache = strstr(tensor, ".cache_") != NULL; /* of a layer's keys or values */
    const pcs_kv_type *cache = !f && of_cache ? pcs_kv_type_by_name(type) : NULL;
    const char *name = f ? f->name : cache ? cache->name : NULL;
    const char *field = "tensors[].probes[]";
    if (!name) return pcs_fail_at(p->ctx, PRECIS_EINVAL, 0, field, "\"%.40s\" is no type", type);
    if (!(error >= 0 && error < 1e6 && kld >= -1 && kld < 1e6 && se >= 0 && se < 1e6))
        return pcs_fail_at(p->ctx, PRECIS_EINVAL, 0, field, "those of tensor %.80s are out of range", tensor);
    const precis_status st = find_or_add(p, tensor, &s);
    if (st) return st;
    size_t at = 0;
    while (at < s->n && strcmp(s->probe[at].type, name)) at++;
    if (at == PCS_PROBES)
        return pcs_fail_at(p->ctx, PRECIS_EINVAL, 0, field, "tensor %.80s has more than %d", tensor, PCS_PROBES);
    if (at == s->n) s->n++;
    s->probe[at].type = name;
    s->probe[at].error = error;
    s->probe[at].kld = kld;
    s->probe[at].se = se;
    for (size_t i = at; i > 0 && s->probe[i].error < s->probe[i - 1].error; i--) {
        const pcs_kept_probe t = s->probe[i];
        s->probe[i] = s->probe[i - 1];
        s->probe[i - 1] = t;
    }
    return PRECIS_OK;
}

static double larger(double a, double b) { return a > b ? a : b; }

/* ---- predictions -------------------------------------------------------------------------------------------- */

double pcs_profile_loss(const precis_profile *p, const char *tensor, const char *type, double error)
{
    const pcs_sensitivity *s = pcs_profile_of(p, tensor);
    double x[PCS_PROBES], y[PCS_PROBES];
    size_t n = 0;
    if (!s) return -1;
    for (size_t i = 0; i < s->n; i++) /* measured, no matter what its error would make one think */
        if (!strcasecmp(s->probe[i].type, type) && s->probe[i].kld > s->probe[i].se) return s->probe[i].kld;
    for (size_t i = 0; i < s->n; i++) /* what is lost in the noise says no more than that it is small */
        if (s->probe[i].error > 0 && s->probe[i].kld > 0 && s->probe[i].kld > s->probe[i].se) {
            x[n] = pcs_log(s->probe[i].error);
            y[n++] = pcs_log(s->probe[i].kld);
        }
    if (!n) {
        for (size_t i = 0; i < s->n; i++)
            if (s->probe[i].error > 0)
                return error / s->probe[i].error * larger(s->probe[i].kld, s->probe[i].se);
        return -1;
    }
    if (error <= 0) return 0;
    const double at = pcs_log(error);
    size_t i = 0;
    while (i + 2 < n && at > x[i + 1]) i++;
    double slope = 1;
    if (n > 1 && x[i + 1] > x[i]) slope = (y[i + 1] - y[i]) / (x[i + 1] - x[i]);
    slope = slope < 0.7 ? 0.7 : slope > 1.6 ? 1.6 : slope;
    const size_t from = n > 1 && at > (x[i] + x[i + 1]) / 2 ? i + 1 : i;
    return pcs_exp(y[from] + slope * (at - x[from]));
}

/* Least squares of log measured over 1, x and x^2 with x = log sum - center: sums of small losses and of large ones are
 * not alike. */
/* text: relative standard error that all plans share */
typedef struct { size_t n, terms; double center, at[3], inverse[3][3], spread, ratio, text; } curve;

static void powers(const curve *c, double sum, double out[3])
{
    const double x = pcs_log(sum) - c->center;
    out[0] = 1;
    out[1] = x;
    out[2] = x * x;
}

/* Gauss and Jordan on a symmetric positive matrix of c->terms rows. */
static bool invert(curve *c, double m[3][3])
{
    const size_t n = c->terms;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) c->inverse[i][k] = i == k;
    for (size_t i = 0; i < n; i++) {
        const double pivot = m[i][i];
        if (!(pivot > 1e-12)) return false;
        for (size_t k = 0; k < n; k++) m[i][k] /= pivot, c->inverse[i][k] /= pivot;
        for (size_t r = 0; r < n; r++) {
            const double f = m[r][i];
            for (size_t k = 0; k < n && r != i; k++) m[r][k] -= f * m[i][k], c->inverse[r][k] -= f * c->inverse[i][k];
        }
    }
    return true;
}

static bool usable(const pcs_plan_sample *s) { return s->sum > 0 && s->kld > 0; }

static bool fit(const precis_profile *p, curve *c)
{
    *c = (curve){ .ratio = 1 };
    for (size_t i = 0; i < p->n_plans; i++) {
        const pcs_plan_sample *s = &p->plans[i];
        if (!usable(s)) continue;
        c->center += pcs_log(s->sum);
        c->ratio += pcs_log(s->kld / s->sum);
        c->text += s->se / s->kld;
        c->n++;
    }
    c->ratio = c->n ? pcs_exp((c->ratio - 1) / (double)c->n) : 1;
    c->text = c->n ? c->text / (double)c->n : 0;
    if (c->n < 3) return false;
    c->center /= (double)c->n;
    for (c->terms = c->n >= 8 ? 3 : 2; c->terms > 1; c->terms--) {
        double m[3][3] = { { 0 } }, right[3] = { 0 }, x[3], left = 0;
        for (size_t i = 0; i < p->n_plans; i++) {
            if (!usable(&p->plans[i])) continue;
            powers(c, p->plans[i].sum, x);
            for (size_t r = 0; r < c->terms; r++) {
                right[r] += x[r] * pcs_log(p->plans[i].kld);
                for (size_t k = 0; k < c->terms; k++) m[r][k] += x[r] * x[k];
            }
        }
        if (!invert(c, m)) continue;
        memset(c->at, 0, sizeof c->at);
        for (size_t r = 0; r < c->terms; r++)
            for (size_t k = 0; k < c->terms; k++) c->at[r] += c->inverse[r][k] * right[k];
        for (size_t i = 0; i < p->n_plans; i++) {
            if (!usable(&p->plans[i])) continue;
            double e = pcs_log(p->plans[i].kld);
            powers(c, p->plans[i].sum, x);
            for (size_t r = 0; r < c->terms; r++) e -= c->at[r] * x[r];
            left += e * e;
        }
        c->spread = c->n > c->terms ? sqrt(left / (double)(c->n - c->terms)) : 0;
        return true;
    }
    return false;
}

/* 95 % of Student's t with n degrees of freedom lie below: two sides of it hold 90 %. */
static double student(size_t n)
{
    static const double t[] = {
        6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81, 1.80, 1.78, 1.77, 1.76, 1.75
    };
    return n < 1 ? 6.31 : n <= 15 ? t[n - 1] : 1.645 + 1.6 / (double)n;
}

const pcs_gain *pcs_profile_gain_at(const precis_profile *p, const char *method, double bits)
{
    for (size_t i = 0; i < p->n_gains; i++)
        if (p->gains[i].bits == bits && !strcmp(p->gains[i].method, method)) return &p->gains[i];
    return NULL;
}

precis_status pcs_profile_add_gain(precis_profile *p, const pcs_gain *g)
{
    if (!(g->bits > 0 && g->bits <= 64) || !(g->share > 0 && g->share <= 1.0001) ||
        !(g->search > 0 && g->search < 1e9) || !(g->kld > 0 && g->kld < 1e9))
        return pcs_fail_at(p->ctx, PRECIS_EFORMAT, 0, "gains[]",
                           "bits, share, search or kld is missing or out of range");
    const pcs_gain *old = pcs_profile_gain_at(p, g->method, g->bits);
    if (!old && p->n_gains == sizeof p->gains / sizeof *p->gains)
        return pcs_fail_at(p->ctx, PRECIS_EFORMAT, 0, "gains", "more than %zu", p->n_gains);
    const size_t at = old ? (size_t)(old - p->gains) : p->n_gains;
    const char *name = old ? old->method : pcs_arena_copy(&p->arena, g->method, strlen(g->method));
    if (!name) return PRECIS_ENOMEM;
    p->gains[at] = *g;
    p->gains[at].method = name;
    p->n_gains += !old;
    return PRECIS_OK;
}

/* Log of what a method makes of the loss of tensors that it is applied to, and half of the interval that 90 % of plans
 * leave around it. Returns how many plans tell. */
static size_t gain_of(const precis_profile *p, const char *method, double *gain, double *half)
{
    double sum = 0, squares = 0;
    size_t n = 0;
    for (size_t i = 0; i < p->n_gains; i++) {
        const pcs_gain *g = &p->gains[i];
        if (strcmp(g->method, method)) continue;
        const double part = 1 + (g->kld / g->search - 1) / g->share, r = pcs_log(part > 0.01 ? part : 0.01);
        sum += r;
        squares += r * r;
        n++;
    }
    *gain = n ? sum / (double)n : 0;
    const double left = n > 1 ? (squares - sum * *gain) / (double)(n - 1) : 0,
                 deviation = left > 0.02 * 0.02 ? sqrt(left) : 0.02;
    /* of one plan: as far as others were apart, 10 % */
    *half = n > 1 ? student(n - 1) * deviation * sqrt(1 + 1 / (double)n) : n ? 0.23 : 0;
    return n;
}

double precis_profile_predict_method(const precis_profile *p, const char *method, double share, double sum,
                                     double interval[2], size_t *plans)
{
    double gain, more;
    const double kld = precis_profile_predict(p, sum, interval);
    *plans = method ? gain_of(p, method, &gain, &more) : 0;
    if (!*plans || !(kld > 0)) return kld;
    const double part = share * pcs_exp(gain), ratio = 1 - share + part, up = pcs_log(interval[1] / kld),
                 own = more * part / ratio, half = sqrt(up * up + own * own), at = kld * ratio;
    interval[0] = at * pcs_exp(-half);
    interval[1] = at * pcs_exp(half);
    return at;
}

double precis_profile_predict(const precis_profile *p, double sum, double interval[2])
{
    curve c;
    if (!(sum > 0)) {
        interval[0] = interval[1] = 0;
        return 0;
    }
    const bool fitted = fit(p, &c);
    double y = pcs_log(sum) + (fitted ? 0 : pcs_log(c.ratio)), half = pcs_log(2.0), x[3], leverage = 0;
    if (fitted) {
        y = 0;
        powers(&c, sum, x);
        for (size_t r = 0; r < c.terms; r++) {
            y += c.at[r] * x[r];
            for (size_t k = 0; k < c.terms; k++) leverage += x[r] * c.inverse[r][k] * x[k];
        }
        half = student(c.n - c.terms) * c.spread * sqrt(1 + leverage);
        half = sqrt(half * half + 1.645 * c.text * 1.645 * c.text);
    }
    if (half > 20) half = 20;
    interval[0] = pcs_exp(y - half);
    interval[1] = pcs_exp(y + half);
    return pcs_exp(y);
}

double pcs_class_loss(const char *tensor, double layers, double error)
{
    static const double factors[PCS_ROLES] = {
        [PCS_ROLE_attn_q] = 0.0008,      [PCS_ROLE_attn_k] = 0.0010,   [PCS_ROLE_attn_v] = 0.0028,
        [PCS_ROLE_attn_output] = 0.0018, [PCS_ROLE_ffn_gate] = 0.0035, [PCS_ROLE_ffn_up] = 0.0042,
        [PCS_ROLE_ffn_down] = 0.0075,
    };
    const double factor = factors[pcs_role_like(pcs_place_of(tensor).role)];
    return (factor > 0 ? factor : 0.0030) * layers * error;
}

/* A weight of a layer that was swapped. */
static bool in_layer(const pcs_sensitivity *s)
{
    return pcs_place_of(s->tensor).layer >= 0 && !strstr(s->tensor, ".cache_") && s->n && s->probe[0].kld > 0;
}

/* How the estimate does against the swaps: ranks by counting, ties share theirs. */
static void judge_estimate(const precis_profile *p, precis_profile_info *info)
{
    double layers = 0, sum = 0, ab = 0, aa = 0, bb = 0;
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        const int layer = pcs_place_of(p->t[i].tensor).layer;
        layers = layer + 1 > layers ? layer + 1 : layers;
    }
    for (size_t i = 0; i < p->n; i++) {
        if (!in_layer(&p->t[i])) continue;
        const double mine = pcs_class_loss(p->t[i].tensor, layers, p->t[i].probe[0].error), swap = p->t[i].probe[0].kld;
        double a = 0, b = 0; /* twice the rank, from the middle */
        for (size_t k = 0; k < p->n; k++) {
            if (!in_layer(&p->t[k])) continue;
            const double other = pcs_class_loss(p->t[k].tensor, layers, p->t[k].probe[0].error);
            a += (other < mine) - (other > mine);
            b += (p->t[k].probe[0].kld < swap) - (p->t[k].probe[0].kld > swap);
        }
        ab += a * b;
        aa += a * a;
        bb += b * b;
        sum += log(mine / swap);
        n++;
    }
    info->estimate_rank = aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
    info->estimate_ratio = n ? exp(sum / (double)n) : 0;
}

void precis_profile_get_info(const precis_profile *p, precis_profile_info *info)
{
    curve c;
    const bool fitted = fit(p, &c);
    precis_profile_info all = { .size = info->size, .tokens = p->tokens, .tensors = p->n, .plans = p->n_plans,
                                .seconds = p->seconds, .ratio = c.ratio, .slope = fitted ? c.at[1] : 1,
                                .spread = c.spread };
    judge_estimate(p, &all);
    pcs_options_give(info, &all, sizeof all);
}

precis_status precis_profile_get_gain(const precis_profile *p, size_t i, precis_gain *gain)
{
    if (i >= p->n_gains) return pcs_fail(p->ctx, PRECIS_EINVAL, "there is no gain %zu", i);
    const pcs_gain *g = &p->gains[i];
    const precis_gain all = { sizeof all, g->method, g->bits, g->share, g->search, g->kld };
    pcs_options_give(gain, &all, sizeof all);
    return PRECIS_OK;
}

precis_status precis_profile_get(const precis_profile *p, size_t i, precis_probe *probe)
{
    size_t at = i;
    for (size_t k = 0; k < p->n; at -= p->t[k++].n)
        if (at < p->t[k].n) {
            const pcs_kept_probe *q = &p->t[k].probe[at];
            const precis_probe all = { sizeof all, p->t[k].tensor, q->type, q->error, q->kld, q->se };
            pcs_options_give(probe, &all, sizeof all);
            return PRECIS_OK;
        }
    return pcs_fail(p->ctx, PRECIS_EINVAL, "there is no probe %zu", i);
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */

precis_status pcs_profile_put(pcs_buf *b, const precis_profile *p)
{
    precis_status st = pcs_buf_printf(b,
                                      "{\"precis\": \"profile\", \"version\": 1,\n \"model\": \"%s\",\n \"text\": "
                                      "\"%s\",\n \"coder\": \"%s\",\n \"tokens\": %u,\n \"seconds\": %.3f,\n "
                                      "\"plans\": [",
                                      p->model ? p->model : "", p->text ? p->text : "", p->coder ? p->coder : "search",
                                      p->tokens, p->seconds);
    for (size_t i = 0; i < p->n_plans && !st; i++)
        st = pcs_buf_printf(b, "%s{\"sum\": %.17g, \"kld\": %.17g, \"se\": %.17g}", i ? ", " : "", p->plans[i].sum,
                            p->plans[i].kld, p->plans[i].se);
    if (!st && p->n_gains) st = pcs_buf_printf(b, "],\n \"gains\": [");
    for (size_t i = 0; i < p->n_gains && !st; i++) {
        st = pcs_buf_printf(b, "%s{\"method\": ", i ? ", " : "");
        if (!st) st = pcs_json_text(b, p->gains[i].method, strlen(p->gains[i].method));
        if (!st)
            st = pcs_buf_printf(b, ", \"bits\": %.17g, \"share\": %.17g, \"search\": %.17g, \"kld\": %.17g}",
                                p->gains[i].bits, p->gains[i].share, p->gains[i].search, p->gains[i].kld);
    }
    if (!st) st = pcs_buf_printf(b, "],\n \"tensors\": [");
    for (size_t i = 0; i < p->n && !st; i++) {
        st = pcs_buf_printf(b, "%s\n  {\"name\": ", i ? "," : "");
        if (!st) st = pcs_json_text(b, p->t[i].tensor, strlen(p->t[i].tensor));
        if (!st) st = pcs_buf_printf(b, ", \"probes\": [");
        for (size_t k = 0; k < p->t[i].n && !st; k++) {
            const pcs_kept_probe *t = &p->t[i].probe[k];
            st = pcs_buf_printf(b, "%s{\"type\": \"%s\", \"error\": %.17g, \"kld\": %.17g, \"se\": %.17g}",
                                k ? ", " : "", t->type, t->error, t->kld, t->se);
        }
        if (!st) st = pcs_buf_printf(b, "]}");
    }
    return st ? st : pcs_buf_printf(b, "\n ]\n}\n");
}

precis_status precis_profile_save(precis_ctx *ctx, const precis_profile *p, const char *path)
{
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    precis_status st = pcs_profile_put(&b, p);
    if (!st) st = pcs_write_file(ctx, path, b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

/* name: of the tensor whose probes are read. */
typedef struct { pcs_json_file in; precis_profile *p; char *name; } profile_reader;

/* A number of any size: what takes it says whether it may be. */
static precis_status any_number(profile_reader *r, const char *what, double *x)
{
    return pcs_json_file_number(&r->in, what, -1e300, 1e300, x);
}

static precis_status read_probe(void *arg)
{
    profile_reader *r = arg;
    char *type = NULL;
    double error = -1, kld = -2, se = -1;
    precis_status st = PRECIS_OK;
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "type")) st = pcs_json_file_string(&r->in, "tensors[].probes[].type", &type);
        else if (pcs_json_is(&r->in.t, "error")) st = any_number(r, "tensors[].probes[].error", &error);
        else if (pcs_json_is(&r->in.t, "kld")) st = any_number(r, "tensors[].probes[].kld", &kld);
        else if (pcs_json_is(&r->in.t, "se")) st = any_number(r, "tensors[].probes[].se", &se);
        else st = pcs_json_file_skip(&r->in);
    }
    if (!st && (!type || error < 0 || kld < -1 || se < 0))
        st = pcs_json_fail(&r->in.j, r->in.t.text, "tensors[].probes[]",
                           "type, error, kld or se is missing or out of range");
    if (!st && pcs_profile_add(r->p, r->name, type, error, kld, se)) st = PRECIS_EFORMAT; /* the message stands */
    return st;
}

static precis_status read_tensor(void *arg)
{
    profile_reader *r = arg;
    precis_status st = PRECIS_OK;
    r->name = NULL;
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "name")) st = pcs_json_file_string(&r->in, "tensors[].name", &r->name);
        else if (pcs_json_is(&r->in.t, "probes")) {
            if (!r->name) return pcs_json_fail(&r->in.j, r->in.t.text, "tensors[]", "probes come before name");
            st = pcs_json_file_list(&r->in, "tensors[].probes", read_probe, r);
        } else st = pcs_json_file_skip(&r->in);
    }
    return st;
}

static precis_status read_plan(void *arg)
{
    profile_reader *r = arg;
    double sum = -1, kld = -2, se = 0; /* which are none */
    precis_status st = PRECIS_OK;
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "sum")) st = any_number(r, "plans[].sum", &sum);
        else if (pcs_json_is(&r->in.t, "kld")) st = any_number(r, "plans[].kld", &kld);
        else if (pcs_json_is(&r->in.t, "se")) st = any_number(r, "plans[].se", &se);
        else st = pcs_json_file_skip(&r->in);
    }
    if (!st && (!(sum >= 0 && sum < 1e9) || !(kld >= -1 && kld < 1e9) || !(se >= 0 && se < 1e9)))
        st = pcs_json_fail(&r->in.j, r->in.t.text, "plans[]", "sum, kld or se is missing or out of range");
    if (!st && r->p->n_plans == sizeof r->p->plans / sizeof *r->p->plans)
        st = pcs_fail_at(r->p->ctx, PRECIS_EFORMAT, (uint64_t)(r->in.t.text - r->in.j.start), "plans", "more than %zu",
                         r->p->n_plans);
    if (!st) r->p->plans[r->p->n_plans++] = (pcs_plan_sample){ sum, kld, se };
    return st;
}

static precis_status read_gain(void *arg)
{
    profile_reader *r = arg;
    char *method = NULL;
    pcs_gain g = { 0 };
    precis_status st = PRECIS_OK;
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "method")) st = pcs_json_file_string(&r->in, "gains[].method", &method);
        else if (pcs_json_is(&r->in.t, "bits")) st = any_number(r, "gains[].bits", &g.bits);
        else if (pcs_json_is(&r->in.t, "share")) st = any_number(r, "gains[].share", &g.share);
        else if (pcs_json_is(&r->in.t, "search")) st = any_number(r, "gains[].search", &g.search);
        else if (pcs_json_is(&r->in.t, "kld")) st = any_number(r, "gains[].kld", &g.kld);
        else st = pcs_json_file_skip(&r->in);
    }
    if (!st && !method) st = pcs_json_fail(&r->in.j, r->in.t.text, "gains[]", "method is missing");
    g.method = method;
    return st ? st : pcs_profile_add_gain(r->p, &g);
}

static precis_status read_profile(profile_reader *r)
{
    char *kind = NULL;
    double version = 0, tokens = 0;
    precis_status st = pcs_json_expect(&r->in.j, PCS_JSON_OBJECT, &r->in.t, "profile");
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "precis")) st = pcs_json_file_string(&r->in, "precis", &kind);
        else if (pcs_json_is(&r->in.t, "version")) st = any_number(r, "version", &version);
        else if (pcs_json_is(&r->in.t, "model")) st = pcs_json_file_string(&r->in, "model", &r->p->model);
        else if (pcs_json_is(&r->in.t, "text")) st = pcs_json_file_string(&r->in, "text", &r->p->text);
        else if (pcs_json_is(&r->in.t, "coder")) st = pcs_json_file_string(&r->in, "coder", &r->p->coder);
        else if (pcs_json_is(&r->in.t, "tokens")) st = any_number(r, "tokens", &tokens);
        else if (pcs_json_is(&r->in.t, "seconds")) st = any_number(r, "seconds", &r->p->seconds);
        else if (pcs_json_is(&r->in.t, "plans")) st = pcs_json_file_list(&r->in, "plans", read_plan, r);
        else if (pcs_json_is(&r->in.t, "gains")) st = pcs_json_file_list(&r->in, "gains", read_gain, r);
        else if (pcs_json_is(&r->in.t, "tensors")) st = pcs_json_file_list(&r->in, "tensors", read_tensor, r);
        else st = pcs_json_file_skip(&r->in);
    }
    if (!st && (!kind || strcmp(kind, "profile")))
        st = pcs_fail_at(r->p->ctx, PRECIS_EFORMAT, 0, "precis", "this is no profile");
    if (!st && version != 1) st = pcs_fail_at(r->p->ctx, PRECIS_EFORMAT, 0, "version", "%g is not 1", version);
    if (!st && !(tokens >= 0 && tokens < 4e9))
        st = pcs_fail_at(r->p->ctx, PRECIS_EFORMAT, 0, "tokens", "%g is out of range", tokens);
    if (!st) r->p->tokens = (uint32_t)tokens;
    return st;
}

/* What stands in a file that was opened, which is closed. */
static precis_status parse(profile_reader *r, precis_ctx *ctx, precis_profile **out)
{
    const uint64_t refused = precis_ctx_refused(ctx);
    precis_status st = pcs_profile_new(ctx, &r->p);
    if (!st) {
        r->in.arena = &r->p->arena;
        st = read_profile(r);
    }
    pcs_json_file_close(&r->in);
    st = pcs_with_memory(ctx, refused, st);
    if (st) precis_profile_close(&r->p);
    *out = r->p;
    return st;
}

precis_status precis_profile_open(precis_ctx *ctx, precis_profile **out, const char *path)
{
    profile_reader r = { 0 };
    *out = NULL;
    const precis_status st = pcs_json_file_open(&r.in, ctx, path);
    return st ? st : parse(&r, ctx, out);
}

precis_status pcs_profile_take(precis_ctx *ctx, precis_profile **out, const char *data, size_t len)
{
    profile_reader r = { 0 };
    pcs_json_file_text(&r.in, ctx, data, len, "a profile of the cache");
    return parse(&r, ctx, out);
}
