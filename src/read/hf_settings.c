/* hf_settings.c - numbers, windows and activations of config.json as GGUF's keys; what the graphs do not have is
 * recorded. */
#include "read/hf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const char *key_name(const pcs_hf_config *c, const char *suffix, char buf[128])
{
    snprintf(buf, 128, "%s.%s", c->arch->name, suffix);
    return buf;
}

precis_status pcs_hf_set_float(pcs_hf_config *c, const char *suffix, double v)
{
    char buf[128];
    if (!isfinite((float)v))
        return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: %g for %s is no number that 32 bits hold",
                        c->m->path, v, suffix);
    return pcs_model_set_f32(c->m, key_name(c, suffix, buf), (float)v);
}

precis_status pcs_hf_set_count(pcs_hf_config *c, const char *suffix, double v)
{
    char buf[128];
    return pcs_model_set_u32(c->m, key_name(c, suffix, buf), v >= 0 && v < 4294967296.0 ? (uint32_t)v : 0);
}

precis_status pcs_hf_set_text(pcs_hf_config *c, const char *suffix, const char *v, size_t len)
{
    char buf[128];
    return pcs_model_set_string(c->m, key_name(c, suffix, buf), v, len);
}

/* What the model's class in transformers has where its file says nothing. */
static bool usual_number(const pcs_hf_config *c, const char *name, double *v)
{
    for (const pcs_hf_usual *u = c->arch->hf.usual; u && u->name; u++)
        if (!strcmp(u->name, name)) {
            *v = u->v;
            return true;
        }
    return false;
}

static precis_status set_number(pcs_hf_config *c, const pcs_hf_number *n)
{
    double v;
    bool found;
    char name[128];
    const precis_status st = pcs_hf_number_of(c->m->ctx, c->text, n->name, &v, &found);
    if (st != PRECIS_OK) return st;
    found = found || usual_number(c, n->name, &v);
    if (!found && (n->how & PCS_HF_NEEDED))
        return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: %s is missing", c->m->path, n->name);
    if (!found) return PRECIS_OK;
    if (n->how & PCS_HF_REAL) return pcs_hf_set_float(c, n->key, v);
    if (v < 0 || v > 4e9 || v != (double)(uint32_t)v)
        return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: %s is not a count", c->m->path, n->name);
    return pcs_model_set_u32(c->m, key_name(c, n->key, name), (uint32_t)v);
}

static precis_status set_numbers(pcs_hf_config *c)
{
    const uint32_t times = c->arch->hf.hidden_times;
    precis_status st = pcs_model_set_string(c->m, "general.architecture", c->arch->name, strlen(c->arch->name));
    for (const pcs_hf_number *n = c->arch->hf.numbers; n->name && !st; n++)
        if (n->how & PCS_HF_READ) st = set_number(c, n);
    if (!st && times) st = pcs_model_index_keys(c->m);
    if (st || !times || pcs_arch_int(c->m, "feed_forward_length", 0, NULL)) return st;
    return pcs_hf_set_count(c, "feed_forward_length", times * (double)pcs_arch_int(c->m, "embedding_length", 0, NULL));
}

/* ---- windows ------------------------------------------------------------------------------------- */

/* layer_types, or the settings that stood for it before; local[i]: layer i has a window. */
static precis_status read_layers(pcs_hf_config *c, bool *local, int64_t layers)
{
    pcs_json_slice list;
    precis_status st = pcs_json_find(c->m->ctx, c->text, "layer_types", &list);
    double from = 0, every = 0;
    bool has_from, has_every;
    if (!st) st = pcs_hf_number_of(c->m->ctx, c->text, "max_window_layers", &from, &has_from);
    if (!st) st = pcs_hf_number_of(c->m->ctx, c->text, "sliding_window_pattern", &every, &has_every);
    for (int64_t i = 0; i < layers && !st; i++)
        local[i] = c->arch->hf.asked_windows    ? has_from && (double)i >= from
                   : has_every && every >= 1 ? (i + 1) % (int64_t)every != 0
                                             : pcs_usual_window(c->arch, i);
    if (st || !list.text || list.text[0] != '[') return st;
    pcs_json j;
    pcs_json_token t;
    int64_t n = 0;
    pcs_json_init(&j, c->m->ctx, list.text, list.len);
    st = pcs_json_expect(&j, PCS_JSON_ARRAY, &t, "layer_types");
    for (; !st && !(st = pcs_json_next(&j, &t)) && t.type != PCS_JSON_ARRAY_END; n++) {
        char *text;
        size_t len;
        if (t.type != PCS_JSON_STRING) return pcs_json_fail(&j, t.text, "layer_types", "holds no strings");
        st = pcs_json_string(&j, &t, &c->m->arena, &text, &len);
        if (st) break;
        if (strcmp(text, "sliding_attention") && strcmp(text, "full_attention"))
            pcs_hf_cannot(c, "layers of type %.40s", text);
        if (n < layers) local[n] = !strcmp(text, "sliding_attention");
    }
    if (!st && n != layers)
        st = pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: layer_types has %lld entries for %lld layers",
                      c->m->path, (long long)n, (long long)layers);
    return st;
}

static precis_status set_windows(pcs_hf_config *c)
{
    double window = 0, used = 1;
    bool found, given;
    char buf[128];
    precis_status st = pcs_hf_number_of(c->m->ctx, c->text, "sliding_window", &window, &found);
    if (!st) st = pcs_hf_number_of(c->m->ctx, c->text, "use_sliding_window", &used, &given);
    if (!st && c->arch->hf.asked_windows && !given) used = 0;
    if (st || !found || window < 1 || window > 1e9 || used == 0) return st;
    if ((st = pcs_model_index_keys(c->m))) return st;
    const int64_t layers = pcs_arch_int(c->m, "block_count", 0, NULL);
    if (layers < 1 || layers > PCS_LIMIT_LAYERS) return PRECIS_OK; /* said elsewhere */
    bool *local = pcs_arena_alloc(&c->m->arena, (size_t)layers, sizeof *local), usual = true, any = false;
    if (!local) return PRECIS_ENOMEM;
    st = read_layers(c, local, layers);
    for (int64_t i = 0; i < layers; i++) {
        usual &= local[i] == pcs_usual_window(c->arch, i);
        any |= local[i];
    }
    if (st || !any) return st;
    st = pcs_hf_set_count(c, "attention.sliding_window", window);
    if (st || usual) return st;
    return pcs_model_set_bools(c->m, key_name(c, "attention.sliding_window_pattern", buf), local, (size_t)layers);
}

/* ---- what a graph must have ----------------------------------------------------------------------- */

/* A setting as it is quoted in a sentence. */
static void cannot_text(pcs_hf_config *c, const char *name, pcs_json_slice v)
{
    pcs_hf_cannot(c, "%s %.*s", name, (int)(v.len > 40 ? 40 : v.len), v.text);
}

static precis_status check_activation(pcs_hf_config *c)
{
    const pcs_hf *hf = &c->arch->hf;
    pcs_json_slice v;
    const precis_status st = pcs_json_find(c->m->ctx, c->text, hf->act_key, &v);
    if (st || !v.text || v.text[0] != '"') return st;
    if (!pcs_hf_listed(hf->acts, v.text + 1, v.len - 2)) cannot_text(c, hf->act_key, v);
    if (!hf->act_kept || !pcs_hf_is(v, hf->act_kept)) return PRECIS_OK;
    return pcs_hf_set_text(c, "feed_forward.activation", hf->act_kept, strlen(hf->act_kept));
}

static precis_status check_fixed(pcs_hf_config *c, const pcs_hf_fixed *f)
{
    double v;
    bool found;
    pcs_json_slice text;
    precis_status st = PRECIS_OK;
    if (f->text) {
        st = pcs_json_find(c->m->ctx, c->text, f->name, &text);
        if (!st && text.text && text.text[0] == '"' && !pcs_hf_is(text, f->text)) cannot_text(c, f->name, text);
        return st;
    }
    st = pcs_hf_number_of(c->m->ctx, c->text, f->name, &v, &found);
    if (!st && found && v != f->number)
        pcs_hf_cannot(c, "%s %s", f->name, v == 1 ? "true" : v == 0 ? "false" : "of another value");
    return st;
}

static precis_status check_graph(pcs_hf_config *c)
{
    precis_status st = check_activation(c);
    for (const pcs_hf_fixed *f = c->arch->hf.fixed; f && f->name && !st; f++) st = check_fixed(c, f);
    return st;
}

/* Gemma's queries are scaled by a number of its own. */
static precis_status set_query_scale(pcs_hf_config *c)
{
    double v;
    bool found;
    precis_status st = pcs_hf_number_of(c->m->ctx, c->text, "query_pre_attn_scalar", &v, &found);
    if (!st) st = pcs_model_index_keys(c->m);
    if (st || !found || !c->arch->query_scale) return st;
    if (!(v > 0 && v < 1e9))
        return pcs_fail(c->m->ctx, PRECIS_EFORMAT, "%s: config.json: query_pre_attn_scalar %g", c->m->path, v);
    return v == pcs_usual_query_dim(c->m) ? PRECIS_OK : pcs_hf_set_float(c, "attention.scale", 1.0 / sqrt(v));
}

/* Gemma 2 caps unless null is said; others only where a number is. */
static precis_status set_caps(pcs_hf_config *c)
{
    precis_status st = PRECIS_OK;
    for (pcs_cap i = 0; i < PCS_CAPS && !st; i++) {
        const char *name = pcs_cap_key(i);
        pcs_json_slice s;
        double v;
        bool found;
        st = pcs_json_find(c->m->ctx, c->text, name, &s);
        if (!st) st = pcs_hf_number_of(c->m->ctx, c->text, name, &v, &found);
        const double usual = pcs_usual_softcap(c->arch, i);
        if (!st && (found || usual > 0)) st = pcs_hf_set_float(c, name, found ? v : s.text ? 0 : usual);
    }
    return st;
}

precis_status pcs_hf_settings(pcs_hf_config *c)
{
    precis_status st = set_numbers(c);
    if (!st) st = set_caps(c);
    if (!st) st = set_windows(c);
    if (!st) st = set_query_scale(c);
    if (!st) st = check_graph(c);
    if (st || !c->arch->encoder) return st;
    char buf[128];
    st = pcs_hf_set_count(c, "pooling_type", 1);
    return st ? st : pcs_model_set_bool(c->m, key_name(c, "attention.causal", buf), false);
}
