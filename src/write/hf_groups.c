/* hf_groups.c - quantization_config of compressed-tensors: modules that are alike are one group, and those that stay
 * floats are ignored by name (vLLM asks for every linear layer to be one or the other). */
#include "model/activations.h"
#include "write/convert.h"

#include <stdio.h>

void pcs_groups_init(pcs_groups *g, precis_ctx *ctx)
{
    *g = (pcs_groups){ .ctx = ctx };
    pcs_buf_init(&g->ignore, ctx, PCS_LIMIT_JSON);
}

void pcs_groups_free(pcs_groups *g)
{
    for (size_t i = 0; i < g->n; i++) {
        pcs_free(g->ctx, g->group[i].spec);
        pcs_buf_free(&g->group[i].targets);
    }
    pcs_free(g->ctx, g->group);
    pcs_buf_free(&g->ignore);
    *g = (pcs_groups){ 0 };
}

static precis_status listed(pcs_buf *b, const char *module)
{
    precis_status st = b->len ? pcs_buf_add(b, ", ", 2) : PRECIS_OK;
    return st ? st : pcs_json_text(b, module, strlen(module));
}

precis_status pcs_groups_ignore(pcs_groups *g, const char *module) { return listed(&g->ignore, module); }

precis_status pcs_groups_add(pcs_groups *g, const char *module, const char *format, const char *weights,
                             const char *inputs)
{
    char spec[768];
    const int length = snprintf(spec, sizeof spec,
                                "\"weights\": %s, \"input_activations\": %s, \"output_activations\": null, "
                                "\"format\": \"%s\"", weights, inputs, format);
    if (length >= (int)sizeof spec)
        return pcs_fail(g->ctx, PRECIS_EINVAL, "module %s: its scheme is too long to be written", module);
    g->mixed |= g->n && strcmp(g->format, format);
    g->format = format;
    for (size_t i = 0; i < g->n; i++)
        if (!strcmp(g->group[i].spec, spec)) return listed(&g->group[i].targets, module);
    void *grown = pcs_grow(g->ctx, g->group, g->n * sizeof *g->group, g->n + 1, sizeof *g->group);
    if (!grown) return PRECIS_ENOMEM;
    g->group = grown;
    const size_t len = strlen(spec) + 1;
    char *copy = pcs_alloc(g->ctx, len, 1);
    if (!copy) return PRECIS_ENOMEM;
    memcpy(copy, spec, len);
    g->group[g->n].spec = copy;
    pcs_buf_init(&g->group[g->n].targets, g->ctx, PCS_LIMIT_JSON);
    return listed(&g->group[g->n++].targets, module);
}

precis_status pcs_groups_write(const pcs_groups *g, pcs_buf *b)
{
    if (!g->n) return PRECIS_OK;
    precis_status st = pcs_buf_printf(b, ",\n \"quantization_config\": {\n  \"quant_method\": \"compressed-tensors\",\n"
                                         "  \"format\": \"%s\",\n  \"quantization_status\": \"compressed\",\n"
                                         "  \"ignore\": [", g->mixed ? "mixed-precision" : g->format);
    if (!st) st = pcs_buf_add(b, g->ignore.data, g->ignore.len);
    if (!st) st = pcs_buf_printf(b, "],\n  \"config_groups\": {");
    for (size_t i = 0; i < g->n && !st; i++) {
        st = pcs_buf_printf(b, "%s\n   \"group_%zu\": {%s, \"targets\": [", i ? "," : "", i, g->group[i].spec);
        if (!st) st = pcs_buf_add(b, g->group[i].targets.data, g->group[i].targets.len);
        if (!st) st = pcs_buf_printf(b, "]}");
    }
    return st ? st : pcs_buf_printf(b, "\n  }\n }");
}

/* The scale that stands beside a weight for its inputs, or NULL: they are scaled as they come. */
static const pcs_tensor *given_scale(const precis_model *m, const pcs_tensor *weight)
{
    return pcs_model_part(m, weight->is.layer, weight->is.role, PCS_END_input_scale);
}

precis_status pcs_groups_inputs(const precis_model *m, const pcs_tensor *weight, char out[256])
{
    const char *act = pcs_model_string(m, "precis.activations");
    const bool fixed = given_scale(m, weight) != NULL;
    const char *how =
        fixed ? "\"strategy\": \"tensor\", \"dynamic\": false" : "\"strategy\": \"token\", \"dynamic\": true";
    pcs_activations a;
    char grouped[80];
    snprintf(out, 256, "null");
    if (!act) return PRECIS_OK;
    if (!pcs_activations_of(act, &a) || a.foreign)
        return pcs_fail(m->ctx, PRECIS_EUNSUPPORTED, "activations in %s have no name in compressed-tensors", act);
    if (a.group)
        snprintf(grouped, sizeof grouped, "\"strategy\": \"%s\", \"group_size\": %d, \"dynamic\": %s",
                 a.scaled_whole ? "tensor_group" : "group", a.group, a.scaled_whole && fixed ? "\"local\"" : "true");
    snprintf(out, 256, "{\"num_bits\": %d, \"type\": \"%s\", \"symmetric\": %s, %s}", a.bits, a.whole ? "int" : "float",
             a.affine ? "false" : "true", a.group ? grouped : how);
    return PRECIS_OK;
}
