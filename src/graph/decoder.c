/* decoder.c - the net of llama (Touvron et al. 2023) and of those that vary it: RMS norm, rotary attention with grouped
 * heads, a gated feed-forward block. What varies is a row (pcs_decoder). */
#include "base/builtins.h"
#include "graph/arch.h"

typedef struct {
    pcs_builder b;
    const pcs_decoder *d;
    precis_value table, local; /* of frequencies: the common one, and that of layers with a window */
} net;

/* Queries or keys: normed by head where the net does that, and turned. */
static precis_value turned(net *n, int i, precis_value x, const char *norm, const char *name)
{
    pcs_builder *b = &n->b;
    const bool local = n->d->two_bases && b->window && pcs_layer_window(b->m, i);
    const precis_attr rope[] = { precis_attr_int("dim", b->key_dim), precis_attr_int("interleaved", n->d->interleaved),
                                 { 0 } };
    if (n->d->head_norms) x = pcs_norm(b, i, norm, x, b->key_dim, n->d->head_norms == PCS_IF_THERE);
    return PCS_NODE(b, "rope", i, name, rope, x, local ? n->local : n->table);
}

static precis_value layer(net *n, int i, precis_value x)
{
    pcs_builder *b = &n->b;
    const int64_t width = b->lm->width, values = (int64_t)b->heads * b->value_dim;
    precis_value qkv[3];
    precis_value h = pcs_norm(b, i, "attn_norm", x, width, false);
    pcs_qkv(b, i, h, qkv);
    qkv[0] = turned(n, i, qkv[0], "attn_q_norm", "q_rope");
    qkv[1] = turned(n, i, qkv[1], "attn_k_norm", "k_rope");
    h = pcs_attend(b, i, qkv[0], qkv[1], qkv[2]);
    if (n->d->inner_norms) h = pcs_norm(b, i, "attn_sub_norm", h, values, true);
    h = pcs_linear(b, i, "attn_output", h, width, values);
    if (n->d->post_norms) h = pcs_norm(b, i, "post_attention_norm", h, width, false);
    x = PCS_NODE(b, "add", i, "attn_residual", NULL, x, h);
    h = pcs_ffn(b, i, pcs_norm(b, i, "ffn_norm", x, width, false), n->d->activation);
    if (n->d->post_norms) h = pcs_norm(b, i, "post_ffw_norm", h, width, false);
    return PCS_NODE(b, "add", i, "ffn_residual", NULL, x, h);
}

precis_status pcs_decoder_build(const precis_model *m, precis_graph *g, pcs_lm *lm, const pcs_decoder *d)
{
    net n = { .d = d, .local = -1 };
    pcs_builder *b = &n.b;
    const precis_status st = pcs_builder_open(b, m, g, lm);
    if (st) return st;
    precis_value x = pcs_embed(b, d->scaled_embedding ? (double)(float)pcs_sqrt(lm->width) : 1.0);
    if (d->two_bases) {
        n.table = pcs_rope_table(b, "rope_global", pcs_arch_float(m, "rope.freq_base", 1e6, NULL), true);
        n.local = pcs_rope_table(b, "rope_local", pcs_arch_float(m, "rope.local.freq_base", 10000.0, NULL), false);
    } else n.table = pcs_rope_table(b, "rope_table", b->rope_base, true);
    for (uint32_t i = 0; i < lm->layers && !g->error; i++) {
        x = layer(&n, (int)i, x);
        if (x >= 0) g->values[x].cut = true;
    }
    return pcs_logits(b, pcs_norm(b, -1, "output_norm", x, lm->width, false));
}
