/* config_quant.c - `quant` of a configuration: what is rounded, to what, how it learns, and when. */
#include "train/config_reader.h"

#include "plan/plan.h"

#include <stdio.h>

/* "int8", or with what their scale is: "int8 per token", "int8 observed": bits of whole numbers. */
static precis_status read_bits(pcs_config_reader *r, int *bits, pcs_train_scale *scale)
{
    const char *text = NULL;
    const precis_status st = pcs_config_string(r, &text);
    if (st) return st;
    const bool whole = !strncmp(text, "int", 3) && text[3] >= '1' && text[3] <= '8';
    const char *rest = whole ? text + 4 : text;
    if (!whole || (*rest && strcmp(rest, " per token") && (!scale || strcmp(rest, " observed"))))
        return pcs_config_wrong(r, "is not int1 to int8, alone, per token or observed");
    *bits = text[3] - '0';
    if (*bits == 1 && *rest) return pcs_config_wrong(r, "is int1 by something: signs have each token's mean magnitude");
    if (scale) *scale = !*rest ? PCS_SCALE_ESTIMATED : rest[1] == 'p' ? PCS_SCALE_TOKEN : PCS_SCALE_OBSERVED;
    return PRECIS_OK;
}

/* Caches of keys and values have two types of whole numbers (graph/kv.h). */
static precis_status read_kv(pcs_config_reader *r, int *bits)
{
    const precis_status st = read_bits(r, bits, NULL);
    if (st || *bits == 4 || *bits == 8) return st;
    return pcs_config_wrong(r, "is not int4 or int8, which caches of keys and values have");
}

precis_status pcs_train_set_weights(precis_ctx *ctx, pcs_train_config *c, const char *spec)
{
    const pcs_format *f = NULL;
    if (strchr(spec, '=')) {
        const precis_status st = pcs_pattern_type(ctx, spec, "", &f);
        if (st) return st;
    } else if (!(f = pcs_format_by_name(spec)) || !pcs_encodable(f))
        return pcs_fail(ctx, PRECIS_EFORMAT, "quant.weights: %.60s is no type that can be written", spec);
    c->quant.weights = spec;
    return PRECIS_OK;
}

static precis_status read_weights(pcs_config_reader *r)
{
    const char *text = NULL;
    precis_status st = pcs_config_string(r, &text);
    const pcs_format *f = NULL;
    if (st) return st;
    if (!strchr(text, '=')) {
        f = pcs_format_by_name(text);
        if (!f || !pcs_encodable(f)) return pcs_config_wrong(r, "is no type that can be written");
    } else if (pcs_pattern_type(r->ctx, text, "", &f)) return pcs_config_wrong(r, "is no list of PATTERN=TYPE");
    r->c->quant.weights = text;
    return PRECIS_OK;
}

static precis_status read_estimator(pcs_config_reader *r)
{
    const char *text = NULL;
    const precis_status st = pcs_config_string(r, &text);
    if (st) return st;
    r->c->quant.estimator = pcs_estimator_by_name(text);
    return r->c->quant.estimator ? PRECIS_OK : pcs_config_wrong(r, "is no estimator; precis list estimators has them");
}

precis_status pcs_config_read_quant(pcs_config_reader *r)
{
    pcs_train_quant *q = &r->c->quant;
    const pcs_config_number table[] = {
        { "from", PCS_CONFIG_REAL, 0, 1, &q->from },
        { "observe", PCS_CONFIG_REAL, 0, 1, &q->observe },
        { "freeze", PCS_CONFIG_REAL, 0, 1, &q->freeze },
        { "freeze_norm", PCS_CONFIG_REAL, 0, 1, &q->freeze_norm },
        { "average", PCS_CONFIG_REAL, 1e-6, 1, &q->average },
        { "lr", PCS_CONFIG_REAL, 0, 1e3, &q->lr },
        { "decay", PCS_CONFIG_REAL, 0, 1, &q->decay },
        { "range_lr", PCS_CONFIG_REAL, 0, 1e3, &q->range_lr },
        { "range_decay", PCS_CONFIG_REAL, 0, 1, &q->range_decay },
        { "dampen", PCS_CONFIG_REAL, 0, 1e3, &q->dampen },
    };
    precis_status st = pcs_config_enter(r);
    while (pcs_json_file_key(&r->in, &st)) {
        bool found;
        pcs_config_name(r, "quant");
        if (pcs_json_is(&r->in.t, "weights")) st = read_weights(r);
        else if (pcs_json_is(&r->in.t, "plan")) st = pcs_config_string(r, &q->plan);
        else if (pcs_json_is(&r->in.t, "activations")) st = read_bits(r, &q->a_bits, &q->a_scale);
        else if (pcs_json_is(&r->in.t, "kv")) st = read_kv(r, &q->kv_bits);
        else if (pcs_json_is(&r->in.t, "estimator")) st = read_estimator(r);
        else if (!(st = pcs_config_take(r, table, sizeof table / sizeof *table, &found)) && !found)
            st = pcs_config_unknown(r);
    }
    return st;
}

bool pcs_train_quantizes(const pcs_train_quant *q)
{
    return q->weights || q->plan || q->a_bits <= 8 || q->kv_bits <= 8;
}

precis_status pcs_train_quant_check(precis_ctx *ctx, const char *name, const pcs_train_quant *q)
{
    if (q->weights && q->plan)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: quant.weights and quant.plan: one or the other", name);
    if (q->freeze < q->from)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: quant.freeze: ranges would be fixed before they are used", name);
    if (q->a_bits <= 8 && q->a_scale == PCS_SCALE_OBSERVED && (q->observe > q->from || q->estimator->turns))
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: quant.observe: %s", name,
                        q->estimator->turns ? "inputs that are turned have a scale by token"
                                            : "observers would begin behind the steps that use what they saw");
    if (q->estimator->ranges && !q->weights && !q->plan && q->a_bits > 8)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: quant.estimator: %s has nothing to learn a range of", name,
                        q->estimator->name);
    return PRECIS_OK;
}

precis_status pcs_train_quant_text(const pcs_train_quant *q, pcs_buf *b)
{
    if (!pcs_train_quantizes(q)) return PRECIS_OK;
    precis_status st = pcs_buf_printf(b, ", \"weights\": ");
    if (!st) st = pcs_json_text(b, q->weights ? q->weights : "", q->weights ? strlen(q->weights) : 0);
    if (!st) /* q->types has what a plan says: its path does not matter */
        st = pcs_buf_printf(b,
                            ", \"activations\": %d, \"scale\": %d, \"kv\": %d, \"from\": %.17g, \"estimator\": \"%s\", "
                            "\"observe\": %.17g, \"freeze\": %.17g, \"average\": %.17g",
                            q->a_bits, (int)q->a_scale, q->kv_bits, q->from, q->estimator->name, q->observe, q->freeze,
                            q->average);
    if (!st)
        st = pcs_buf_printf(
            b,
            ", \"quant_lr\": %.17g, \"quant_decay\": %.17g, \"range_lr\": %.17g, \"range_decay\": %.17g, "
            "\"dampen\": %.17g",
            q->lr, q->decay, q->range_lr, q->range_decay, q->dampen);
    if (!st && q->plan) st = pcs_buf_printf(b, ", \"planned\": ");
    return st || !q->plan ? st : pcs_json_text(b, q->types ? q->types : "", q->types ? strlen(q->types) : 0);
}
