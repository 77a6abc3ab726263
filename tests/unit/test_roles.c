/* test_roles - what each tensor is: of every architecture, by the names that its files have, in GGUF and in
 * transformers' folders; what becomes of other programs' names; and a model that brings its net. */
#include "graph/net.h"
#include "plan/plan.h"
#include "plan/profile.h"
#include "read/hf.h"
#include "run/runner.h"
#include "test.h"

enum { LAYERS = 3 };

/* A model of an architecture with every tensor that its files may have, in each layer. */
static precis_model *model_of(precis_ctx *ctx, const pcs_arch *arch)
{
    precis_model *m;
    OK(ctx, pcs_model_new(ctx, &m, arch->name, "gguf"));
    OK(ctx, pcs_model_set_string(m, "general.architecture", arch->name, strlen(arch->name)));
    for (const char *p = arch->tensors; *p; p += strcspn(p, " "), p += *p == ' ') {
        char name[96];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(p, " "), p);
        const bool layered = pcs_role_layered(pcs_place_of(pcs_arena_printf(&m->arena, "blk.0.%s", name)).role);
        for (int i = 0; i < (layered ? LAYERS : 1); i++) {
            pcs_tensor *t = pcs_model_add_tensor(m);
            assert_non_null(t);
            t->name = t->source = pcs_arena_printf(&m->arena, layered ? "blk.%d.%s" : "%.0d%s", i, name);
            t->format = &pcs_format_f32;
        }
    }
    OK(ctx, pcs_model_index(m));
    return m;
}

static void test_every_architecture(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (size_t a = 0; pcs_archs[a]; a++) {
        precis_model *m = model_of(ctx, pcs_archs[a]);
        for (size_t i = 0; i < m->n_tensors; i++) {
            const pcs_tensor *t = &m->tensors[i];
            const pcs_place is = t->is;
            char name[96];
            if (!is.role || !is.end) fail_msg("%s: %s has no role, or no end", pcs_archs[a]->name, t->name);
            if ((is.layer >= 0) != pcs_role_layered(is.role) || is.layer >= LAYERS)
                fail_msg("%s: %s: layer %d", pcs_archs[a]->name, t->name, is.layer);
            if (is.role == PCS_ROLE_classifier) continue; /* several in one */
            pcs_place_name(name, sizeof name, is.layer, is.role, is.end);
            assert_string_equal(name, t->name);
            assert_ptr_equal(pcs_model_part(m, is.layer, is.role, is.end), t);
        }
        precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
}

/* A part of an architecture's folder, there and back. */
static void there_and_back(precis_model *m, const pcs_arch *arch, const pcs_hf_part *p, const pcs_hf_part *list,
                           int layer)
{
    const char *star = strchr(p->name, '*');
    char source[160], part[96];
    unsigned expert;
    const int before = star ? (int)(star - p->name) : (int)strlen(p->name);
    snprintf(part, sizeof part, "%.*s%s%s", before, p->name, star ? "17" : "", star ? star + 1 : "");
    if (layer < 0) snprintf(source, sizeof source, "%s.weight", part);
    else snprintf(source, sizeof source, "%s.%d.%s.weight", arch->hf.layers, layer, part);
    char *name = pcs_hf_name(m, arch, source, &expert);
    if (!name) fail_msg("%s: %s has no name here", arch->name, source);
    assert_int_equal(expert, star ? 17 : UINT32_MAX);
    const pcs_place is = pcs_place_of(name);
    assert_int_equal(is.role, p->role);
    assert_int_equal(is.layer, layer);
    assert_int_equal(is.end, PCS_END_weight);
    for (; list < p; list++)
        if (list->role == p->role) return; /* that one is written */
    assert_string_equal(pcs_hf_source(&m->arena, arch, name, 17), source);
}

static void test_folders(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (size_t a = 0; pcs_archs[a]; a++) {
        const pcs_arch *arch = pcs_archs[a];
        precis_model *m = model_of(ctx, arch);
        for (const pcs_hf_part *p = arch->hf.whole; p && p->name; p++) there_and_back(m, arch, p, arch->hf.whole, -1);
        for (const pcs_hf_part *p = arch->hf.parts; p && p->name; p++) there_and_back(m, arch, p, arch->hf.parts, 11);
        if (arch->hf.types) assert_non_null(pcs_hf_type_of(m));
        precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
}

/* Of tensors that no graph here has: kept as they are, or like one that they resemble; and names that only look like
 * layers. */
static void test_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        pcs_tensor_role like;
        bool kept;
        int layer;
    } names[] = {
        { "blk.7.ffn_down_shexp.weight", PCS_ROLE_ffn_down, false, 7 },
        { "enc.blk.7.attn_v.weight", PCS_ROLE_attn_v, false, -1 },
        { "dec.blk.0.cross_attn_v.weight", PCS_ROLE_attn_v, false, -1 },
        { "blk.0.ffn_gate_inp_shexp.weight", PCS_ROLE_ffn_gate, true, 0 },
        { "blk.3.ssm_conv1d.weight", PCS_ROLE_none, true, 3 },
        { "blk.3.laurel_l.weight", PCS_ROLE_none, true, 3 },
        { "altup_proj.weight", PCS_ROLE_none, true, -1 },
        { "model.layers.2.input_layernorm.weight", PCS_ROLE_none, true, -1 },
        { "model.layers.2.mlp.up_proj.weight", PCS_ROLE_none, false, -1 },
        { "blk.-1.attn_q.weight", PCS_ROLE_attn_q, false, -1 },
        { "blk.01.attn_q.weight", PCS_ROLE_attn_q, false, -1 },
        { "blk.99999.attn_q.weight", PCS_ROLE_attn_q, false, -1 },
        { "blk.1.output.weight", PCS_ROLE_none, false, 1 },
        { "attn_q.weight", PCS_ROLE_attn_q, false, -1 },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const pcs_place is = pcs_place_of(names[i].name);
        if (pcs_role_like(is.role) != names[i].like || pcs_role_kept(is.role) != names[i].kept ||
            is.layer != names[i].layer)
            fail_msg("%s: role %s, layer %d", names[i].name, pcs_role_name(is.role), is.layer);
        assert_int_equal(is.end, PCS_END_weight);
    }
    assert_int_equal(pcs_place_of("blk.0.attn_q.weight.lora_a").end, PCS_END_lora_a);
    assert_int_equal(pcs_place_of("blk.0.ffn_down.input_scale").end, PCS_END_input_scale);
    assert_int_equal(pcs_place_of("blk.0.ffn_down.scale").end, PCS_END_scale);
    assert_int_equal(pcs_place_of("rope_freqs.weight").layer, -1);
}

/* ---- a model's own net ------------------------------------------------------------------------------------------ */

/* y = W x, of a tensor that the model holds. */
static precis_status build_product(const pcs_net *net, const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    (void)lm;
    const int64_t rows = precis_graph_symbol(g, "batch", 0), shape[2] = { rows, 2 };
    const pcs_tensor *t = pcs_model_tensor(m, net->user);
    const int64_t of_weight[2] = { t->ne[1], t->ne[0] };
    precis_value in[2] = { precis_graph_input(g, "picture", 2, shape),
                           pcs_graph_weight(g, t->name, t, 2, of_weight, 0) };
    in[1] = precis_graph_node(g, "numbers", "dequantize", NULL, 1, &in[1]);
    precis_graph_output(g, precis_graph_node(g, "product", "matmul", NULL, 2, in));
    return PRECIS_OK;
}

static void test_own_net(void **state)
{
    (void)state;
    static const float weight[6] = { 1, 2, 3, 4, 5, 6 };
    static const pcs_net own = { build_product, "fc.weight", false };
    precis_ctx *ctx = test_ctx(1);
    precis_model *m, *copy;
    precis_graph *g;
    precis_runner *r;
    OK(ctx, pcs_model_new(ctx, &m, "picture", "onnx"));
    pcs_tensor *t = pcs_model_add_tensor(m);
    *t = (pcs_tensor){ .name = "fc.weight",
                       .source = "fc.weight",
                       .format = &pcs_format_f32,
                       .dims = 2,
                       .ne = { 2, 3, 1, 1, 1, 1, 1, 1 },
                       .n = 6,
                       .bytes = sizeof weight,
                       .data = (const uint8_t *)weight };
    OK(ctx, pcs_model_index(m));
    m->net = &own;
    OK(ctx, pcs_net_check(m));
    OK(ctx, pcs_model_copy(ctx, &copy, m)); /* a copy has it, too */
    OK(ctx, pcs_net_build(copy, &g, NULL));
    assert_int_equal(g->nodes[g->n_nodes - 1].op->weight, 1);
    assert_string_equal(pcs_node_weight(g, &g->nodes[g->n_nodes - 1])->name, "fc.weight");
    precis_graph_close(&g);
    assert_int_equal(precis_runner_open(ctx, &r, m, NULL), PRECIS_EUNSUPPORTED);
    assert_non_null(strstr(precis_ctx_message(ctx), "its net reads no words"));
    precis_model_close(&copy);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* A net that reads words runs as one that an architecture builds. */
static precis_status as_llama(const pcs_net *net, const precis_model *m, precis_graph *g, pcs_lm *lm)
{
    return pcs_decoder_build(m, g, lm, net->user);
}

static void test_own_words(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    const pcs_net own = { as_llama, pcs_arch_of(m)->decoder, true };
    float last[2] = { 0, 0 };
    for (int i = 0; i < 2; i++) {
        precis_runner *r;
        precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
        m->net = i ? &own : NULL;
        OK(ctx, precis_runner_open(ctx, &r, m, &o));
        const precis_row row = { 5, 0, 0, 1 };
        const float *logits;
        OK(ctx, precis_runner_decode(r, &row, 1, &logits));
        last[i] = logits[17];
        precis_runner_close(&r);
    }
    assert_memory_equal(&last[0], &last[1], sizeof *last);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_architecture), cmocka_unit_test(test_folders),   cmocka_unit_test(test_others),
        cmocka_unit_test(test_own_net),            cmocka_unit_test(test_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
