/* hf_rope.c - the rotary embedding of config.json, with its scalings, as GGUF's keys and tensors. */
#include "base/f16.h"
#include "base/fmath.h"
#include "read/hf.h"

#include <math.h>
#include <stdio.h>

static precis_status add_f32(precis_model *m, const char *name, const float *v, int64_t n)
{
    pcs_tensor *t = pcs_model_add_tensor(m);
    float *data = pcs_arena_alloc(&m->arena, (size_t)n, sizeof *data);
    if (!t || !data) return PRECIS_ENOMEM;
    memcpy(data, v, (size_t)n * sizeof *data);
    t->name = t->source = pcs_arena_copy(&m->arena, name, strlen(name));
    t->format = &pcs_format_f32;
    t->dims = 1;
    t->ne[0] = t->shape[0] = n;
    t->n = (uint64_t)n;
    t->bytes = 4 * t->n;
    t->data = (const uint8_t *)data;
    return t->name ? PRECIS_OK : PRECIS_ENOMEM;
}

/* Llama 3.1's factors of each frequency (its technical report, 2024; transformers modeling_rope_utils). */
static precis_status llama3_factors(pcs_hf_config *c, pcs_json_slice rope, double base, int64_t dims)
{
    double v[4];
    static const char *const keys[4] = { "factor", "low_freq_factor", "high_freq_factor",
                                         "original_max_position_embeddings" };
    for (int i = 0; i < 4; i++) {
        bool found;
        const precis_status st = pcs_hf_number_of(c->m->ctx, rope, keys[i], &v[i], &found);
        if (st) return st;
        if (!found || !(v[i] > 0))
            return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: rope scaling: %s is missing", c->m->path,
                            keys[i]);
    }
    float f[4096];
    if (dims < 2 || dims / 2 > 4096)
        return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: head_dim %lld", c->m->path, (long long)dims);
    const double factor = v[0], low = v[1], high = v[2], original = v[3];
    for (int64_t i = 0; i < dims / 2; i++) {
        const double wave = 6.283185307179586 * pcs_pow(base, 2.0 * (double)i / (double)dims);
        const double smooth = (original / wave - low) / (high - low);
        if (wave < original / high) f[i] = 1.0f;
        else if (wave > original / low) f[i] = (float)factor;
        else f[i] = (float)(1.0 / ((1.0 - smooth) / factor + smooth));
    }
    precis_status st = pcs_hf_set_count(c, "rope.scaling.original_context_length", v[3] < 4e9 ? v[3] : 0);
    if (!st) st = pcs_hf_set_float(c, "rope.scaling.low_freq_factor", v[1]);
    if (!st) st = pcs_hf_set_float(c, "rope.scaling.high_freq_factor", v[2]);
    return st ? st : add_f32(c->m, "rope_freqs.weight", f, dims / 2);
}

static precis_status longrope_factors(pcs_hf_config *c, pcs_json_slice rope)
{
    static const char *const keys[2][2] = { { "long_factor", "rope_factors_long.weight" },
                                            { "short_factor", "rope_factors_short.weight" } };
    for (int k = 0; k < 2; k++) {
        pcs_json_slice list;
        pcs_json j;
        pcs_json_token t;
        float f[4096];
        int64_t n = 0;
        precis_status st = pcs_json_find(c->m->ctx, rope, keys[k][0], &list);
        if (st) return st;
        if (!list.text)
            return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: rope scaling: %s is missing", c->m->path,
                            keys[k][0]);
        pcs_json_init(&j, c->m->ctx, list.text, list.len);
        st = pcs_json_expect(&j, PCS_JSON_ARRAY, &t, keys[k][0]);
        while (!st && !(st = pcs_json_next(&j, &t)) && t.type != PCS_JSON_ARRAY_END) {
            double v;
            st = pcs_json_double(&j, &t, &v, keys[k][0]);
            if (n == 4096) return pcs_json_fail(&j, t.text, keys[k][0], "is too long");
            f[n++] = (float)v;
        }
        if (!st) st = add_f32(c->m, keys[k][1], f, n);
        if (st) return st;
    }
    return PRECIS_OK;
}

/* The factor of attention that YaRN is given; DeepSeek gives two mscales, whose quotient it is. */
static precis_status yarn_attention(pcs_hf_config *c, pcs_json_slice rope, double factor, double *v, bool *found)
{
    double own = 0, all = 0;
    bool is_own = false, is_all = false;
    precis_status st = pcs_hf_number_of(c->m->ctx, rope, "mscale", &own, &is_own);
    if (!st) st = pcs_hf_number_of(c->m->ctx, rope, "mscale_all_dim", &all, &is_all);
    *found = !st && is_own && is_all && own != 0 && all != 0 && factor > 1;
    if (*found) *v = (0.1 * own * pcs_log(factor) + 1) / (0.1 * all * pcs_log(factor) + 1);
    return st;
}

static precis_status set_betas(pcs_hf_config *c, pcs_json_slice rope)
{
    static const char *const betas[2][2] = { { "beta_fast", "rope.scaling.yarn_beta_fast" },
                                             { "beta_slow", "rope.scaling.yarn_beta_slow" } };
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 2 && !st; i++) {
        double v;
        bool found;
        st = pcs_hf_number_of(c->m->ctx, rope, betas[i][0], &v, &found);
        if (!st && found) st = pcs_hf_set_float(c, betas[i][1], v);
    }
    return st;
}

static precis_status set_scaling(pcs_hf_config *c, pcs_json_slice rope, double base)
{
    pcs_json_slice type;
    double v;
    bool found;
    precis_status st = pcs_json_find(c->m->ctx, rope, "rope_type", &type);
    if (!st && !type.text) st = pcs_json_find(c->m->ctx, rope, "type", &type);
    if (st || !type.text || pcs_hf_is(type, "default")) return st;
    st = pcs_model_index_keys(c->m);
    if (st) return st;
    int64_t dims = pcs_arch_int(c->m, "rope.dimension_count", 0, NULL);
    const int64_t heads = pcs_arch_int(c->m, "attention.head_count", 1, NULL);
    if (!dims) dims = pcs_arch_int(c->m, "embedding_length", 0, NULL) / (heads > 0 ? heads : 1);
    if (pcs_hf_is(type, "llama3")) return llama3_factors(c, rope, base, dims);
    const bool longrope = pcs_hf_is(type, "longrope") || pcs_hf_is(type, "su");
    st = longrope ? pcs_hf_set_text(c, "rope.scaling.type", "longrope", 8)
                  : pcs_hf_set_text(c, "rope.scaling.type", type.text + 1, type.len > 2 ? type.len - 2 : 0);
    double factor = 0;
    if (!st) st = pcs_hf_number_of(c->m->ctx, rope, "factor", &factor, &found);
    if (!st && found) st = pcs_hf_set_float(c, "rope.scaling.factor", factor);
    const char *trained = "original_max_position_embeddings";
    double original = 0, context = (double)pcs_arch_int(c->m, "context_length", 0, NULL);
    if (!st) st = pcs_hf_number_of(c->m->ctx, rope, trained, &original, &found);
    if (!st && !found) st = pcs_hf_number_of(c->m->ctx, c->text, trained, &original, &found);
    if (!st && found && original >= 1 && original < 4e9)
        st = pcs_hf_set_count(c, "rope.scaling.original_context_length", original);
    if (!st) st = set_betas(c, rope);
    if (!st) st = pcs_hf_number_of(c->m->ctx, rope, "attention_factor", &v, &found);
    if (!st && !found && pcs_hf_is(type, "yarn")) st = yarn_attention(c, rope, factor, &v, &found);
    double truncate = 1;
    bool is_one = false;
    if (!st) st = pcs_hf_number_of(c->m->ctx, rope, "truncate", &truncate, &is_one);
    if (st) return st;
    if (is_one && truncate == 0) pcs_hf_cannot(c, "rope scaling with \"truncate\": false");
    if (longrope) {
        const double scale = original > 0 ? context / original : 1;
        const double usual = scale > 1 ? sqrt(1 + pcs_log(scale) / pcs_log(original)) : 1;
        st = pcs_hf_set_float(c, "rope.scaling.attn_factor", found ? v : usual);
        return st ? st : longrope_factors(c, rope);
    }
    /* GGUF's factor stands beside YaRN's own 1 + 0.1 ln(factor) */
    if (!found || !(factor > 0)) return PRECIS_OK;
    return pcs_hf_set_float(c, "rope.scaling.attn_factor", v / (1 + 0.1 * pcs_log(factor)));
}

/* Heads of which a part is turned. */
static precis_status set_partial(pcs_hf_config *c, pcs_json_slice rope)
{
    double part = 1;
    bool found = false;
    precis_status st =
        rope.text ? pcs_hf_number_of(c->m->ctx, rope, "partial_rotary_factor", &part, &found) : PRECIS_OK;
    if (!st && !found) st = pcs_hf_number_of(c->m->ctx, c->text, "partial_rotary_factor", &part, &found);
    if (!st) st = pcs_model_index_keys(c->m);
    if (st || !found || part == 1) return st;
    if (!(part > 0 && part < 1))
        return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: partial_rotary_factor %g", c->m->path, part);
    if (!c->arch->hf.part_turned) pcs_hf_cannot(c, "partial_rotary_factor %g", part);
    const double turned = floor((double)pcs_head_dim(c->m) * part);
    for (size_t i = 0; i < c->m->n_keys; i++) { /* head_dim, where it is given, has set it for whole heads */
        if (!pcs_ends(c->m->keys[i].name, ".rope.dimension_count")) continue;
        c->m->keys[i].v.u = (uint64_t)turned;
        return PRECIS_OK;
    }
    return pcs_hf_set_count(c, "rope.dimension_count", turned);
}

precis_status pcs_hf_rope(pcs_hf_config *c)
{
    pcs_json_slice rope, local, global;
    double base = 10000.0;
    bool found, given;
    precis_status st = pcs_hf_number_of(c->m->ctx, c->text, "rope_theta", &base, &given);
    if (!st) st = pcs_json_find(c->m->ctx, c->text, "rope_parameters", &rope);
    if (!st && (!rope.text || rope.text[0] != '{')) st = pcs_json_find(c->m->ctx, c->text, "rope_scaling", &rope);
    if (st) return st;
    if (rope.text && rope.text[0] == '{') {
        st = pcs_json_find(c->m->ctx, rope, "full_attention", &global);
        if (!st) st = pcs_json_find(c->m->ctx, rope, "sliding_attention", &local);
        if (!st && local.text) {
            double v;
            st = pcs_hf_number_of(c->m->ctx, local, "rope_theta", &v, &found);
            if (!st && found) st = pcs_hf_set_float(c, "rope.local.freq_base", v);
        }
        if (!st && global.text) rope = global;
        double v;
        if (!st) st = pcs_hf_number_of(c->m->ctx, rope, "rope_theta", &v, &found);
        if (!st && found) base = v, given = true;
    } else {
        rope.text = NULL;
        double v;
        st = pcs_hf_number_of(c->m->ctx, c->text, "rope_local_base_freq", &v, &found);
        if (!st && found) st = pcs_hf_set_float(c, "rope.local.freq_base", v);
    }
    if (!st && given) st = pcs_hf_set_float(c, "rope.freq_base", base);
    if (!st) st = set_partial(c, rope);
    return st || !rope.text ? st : set_scaling(c, rope, base);
}
