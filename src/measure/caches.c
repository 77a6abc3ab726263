/* caches.c - KV types by layer: what each costs from the profile, what it takes from the net's shapes, solved as the
 * weights are. */
#include "measure/caches.h"

#include "base/json.h"
#include "plan/profile.h"
#include "run/runner.h"

#include <stdio.h>

static const char *const names[PCS_CACHE_TYPES] = { "f16", "int8", "int4" };

static double loss_of(const precis_profile *p, size_t layer, int which, int type)
{
    char name[48];
    snprintf(name, sizeof name, "blk.%zu.cache_%c", layer, which ? 'v' : 'k');
    const pcs_sensitivity *s = p && type ? pcs_profile_of(p, name) : NULL;
    for (size_t i = 0; s && i < s->n; i++)
        if (!strcmp(s->probe[i].type, names[type])) return s->probe[i].kld > 0 ? s->probe[i].kld : 0;
    return type ? -1 : 0; /* f16: nothing that was measured */
}

precis_status pcs_caches_open(precis_ctx *ctx, pcs_caches *c, const precis_model *m, uint32_t context,
                              uint64_t work, const precis_profile *profile)
{
    *c = (pcs_caches){ .ctx = ctx };
    precis_runner *r;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = context;
    o.k_type = o.v_type = "f16";
    const bool counting = ctx->memory.counting;
    ctx->memory.counting = true; /* shapes are wanted, not memory */
    precis_status st = precis_runner_open(ctx, &r, m, &o);
    ctx->memory.counting = counting;
    if (st) return st;
    precis_runner_info info = { .size = sizeof info };
    precis_runner_get_info(r, &info);
    c->work = work;
    c->most = info.kv_bytes;
    c->layers = r->program->n_kvs;
    c->parts = pcs_alloc(ctx, 2 * c->layers + 1, sizeof *c->parts);
    if (!c->parts) st = PRECIS_ENOMEM;
    bool known = profile && c->layers;
    for (size_t i = 0; i < 2 * c->layers && !st; i++) {
        uint64_t whole, half;
        pcs_kv kv = r->program->kvs[i / 2];
        pcs_kv_bytes(&kv, &whole);
        for (int t = 0; t < PCS_CACHE_TYPES; t++) {
            pcs_kv one = kv;
            if (i % 2) one.vt = pcs_kv_type_by_name(names[t]);
            else one.kt = pcs_kv_type_by_name(names[t]);
            pcs_kv_bytes(&one, &half);
            /* both halves of f16 make the whole; the other half stays as it is */
            pcs_kv other = kv;
            uint64_t rest;
            if (i % 2) other.vt = pcs_kv_type_by_name("f32");
            else other.kt = pcs_kv_type_by_name("f32");
            pcs_kv_bytes(&other, &rest);
            const uint64_t mine = rest - whole; /* f32 takes twice f16: the difference is this half as f16 */
            c->parts[i].bytes[t] = half + mine - whole;
            c->parts[i].loss[t] = loss_of(profile, i / 2, (int)(i % 2), t);
            known &= c->parts[i].loss[t] >= 0;
        }
        c->least += c->parts[i].bytes[PCS_CACHE_TYPES - 1];
    }
    precis_runner_close(&r);
    if (st || !known) {
        pcs_free(ctx, c->parts);
        c->parts = NULL;
    }
    return st;
}

void pcs_caches_close(pcs_caches *c)
{
    if (c->ctx) pcs_free(c->ctx, c->parts);
    c->parts = NULL;
}

precis_status pcs_caches_solve(const pcs_caches *c, uint64_t budget, char **types, uint64_t *bytes, double *loss)
{
    const size_t n = 2 * c->layers;
    precis_solution s = { .size = sizeof s };
    precis_choice *choices = pcs_alloc(c->ctx, n * PCS_CACHE_TYPES, sizeof *choices);
    precis_item *items = pcs_alloc(c->ctx, n, sizeof *items);
    size_t *picks = pcs_alloc(c->ctx, n, sizeof *picks);
    pcs_buf b;
    pcs_buf_init(&b, c->ctx, 1 << 18);
    *types = NULL;
    precis_status st = choices && items && picks ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < n && !st; i++) {
        precis_choice *of = choices + i * PCS_CACHE_TYPES;
        for (int t = 0; t < PCS_CACHE_TYPES; t++) of[t] = (precis_choice){ c->parts[i].bytes[t], c->parts[i].loss[t] };
        items[i] = (precis_item){ of, PCS_CACHE_TYPES };
    }
    if (!st) st = precis_plan_solve(c->ctx, items, n, budget, picks, &s);
    for (int which = 0; which < 2 && !st; which++)
        for (size_t l = 0; l < c->layers && !st; l++) {
            const char *before = l ? "," : which ? ";" : "";
            st = pcs_buf_printf(&b, "%s%s", before, names[picks[2 * l + which]]);
        }
    *bytes = s.bytes;
    *loss = s.loss;
    if (!st) *types = b.data;
    else pcs_buf_free(&b);
    pcs_free(c->ctx, choices);
    pcs_free(c->ctx, items);
    pcs_free(c->ctx, picks);
    return st;
}
