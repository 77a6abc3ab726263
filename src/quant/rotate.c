/* rotate - Hadamard rotations folded into the weights (QuaRot: Ashkboos et al. 2024; SpinQuant: Liu et al. 2024): R1
 * turns the residual stream, R2 the values of each head. The net computes the same; its weights and inputs lose their
 * outliers. And hadamard: R3 on queries and keys and R4 before the down projection, which are computed while the model
 * runs. */
#include "base/hadamard.h"
#include "base/pool.h"
#include "quant/methods.h"

typedef struct { float *x; size_t rows, n, block; const float *sign, *gain; } turn;

/* Rows: x := H (gain * sign * x), in blocks. */
static void turn_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const turn *t = arg;
    for (uint64_t r = begin; r < end; r++) {
        float *x = t->x + r * t->n;
        for (size_t i = 0; i < t->n; i++) x[i] *= (t->gain ? t->gain[i] : 1.0f) * (t->sign ? t->sign[i] : 1.0f);
        for (size_t at = 0; at < t->n; at += t->block) pcs_hadamard(x + at, t->block);
    }
}

/* Columns of [rows][n]: the same over rows. */
static precis_status turn_columns(precis_ctx *ctx, float *x, size_t rows, size_t n, size_t block, const float *sign)
{
    float *col = pcs_alloc(ctx, rows, sizeof *col);
    if (!col) return PRECIS_ENOMEM;
    for (size_t c = 0; c < n; c++) {
        for (size_t r = 0; r < rows; r++) col[r] = x[r * n + c] * (sign ? sign[r] : 1.0f);
        for (size_t at = 0; at < rows; at += block) pcs_hadamard(col + at, block);
        for (size_t r = 0; r < rows; r++) x[r * n + c] = col[r];
    }
    pcs_free(ctx, col);
    return PRECIS_OK;
}

static precis_status rows_of(pcs_work *w, const char *name, const float *sign, const float *gain, size_t block)
{
    pcs_tensor *t;
    float *x = pcs_work_own(w, name, &t);
    if (!x) return pcs_model_tensor(w->m, name) ? PRECIS_ENOMEM : PRECIS_OK;
    turn job = { x, (size_t)pcs_tensor_rows(t), (size_t)t->ne[0], block ? block : (size_t)t->ne[0], sign, gain };
    pcs_for(w->ctx, job.rows, 16, turn_rows, &job);
    return PRECIS_OK;
}

/* Outputs of a weight [experts][rows][n], and its bias. */
static precis_status outputs_of(pcs_work *w, int layer, pcs_tensor_role role, const float *sign, size_t block)
{
    char full[96];
    pcs_tensor *t;
    pcs_place_name(full, sizeof full, layer, role, PCS_END_weight);
    float *x = pcs_work_own(w, full, &t);
    if (!x) return pcs_model_tensor(w->m, full) ? PRECIS_ENOMEM : PRECIS_OK;
    const size_t rows = (size_t)t->ne[1], n = (size_t)t->ne[0];
    precis_status st = PRECIS_OK;
    const uint64_t experts = pcs_tensor_rows(t) / rows;
    for (uint64_t e = 0; e < experts && !st; e++)
        st = turn_columns(w->ctx, x + e * rows * n, rows, n, block ? block : rows, sign);
    pcs_place_name(full, sizeof full, layer, role, PCS_END_bias);
    float *b = st ? NULL : pcs_work_own(w, full, &t);
    return b ? turn_columns(w->ctx, b, (size_t)t->n, 1, block ? block : (size_t)t->n, sign) : st;
}

static bool there(const pcs_work *w, int layer, pcs_tensor_role role)
{
    return pcs_model_part(w->m, layer, role, PCS_END_weight) != NULL;
}

static precis_status refuse_rotation(const pcs_work *w, uint32_t width)
{
    static const pcs_tensor_role post[] = { PCS_ROLE_post_attention_norm, PCS_ROLE_post_ffw_norm,
                                            PCS_ROLE_attn_output_norm, PCS_ROLE_layer_output_norm };
    const char *arch = pcs_model_string(w->m, "general.architecture");
    for (size_t i = 0; i < sizeof post / sizeof *post; i++) {
        const pcs_tensor *t = pcs_model_part(w->m, 0, post[i], PCS_END_weight);
        if (t)
            return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                            "%s: R1 cannot be folded in: tensor %s is a norm between a block and the residual stream",
                            arch, t->name);
    }
    if (pcs_model_part(w->m, 0, PCS_ROLE_attn_norm, PCS_END_bias) || there(w, -1, PCS_ROLE_position_embd))
        return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                        "%s: R1 cannot be folded in: its layer norms take a mean, which a rotation moves", arch);
    if (!pcs_hadamard_order(width))
        return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                        "%s: R1: there is no Hadamard matrix of width %u (2^n times 1, 12, 20, 28 or 36)", arch, width);
    return PRECIS_OK;
}

/* The norm's gain goes into the weights that read it, which are turned; the norm keeps ones. */
static precis_status readers(pcs_work *w, int layer, pcs_tensor_role norm, const pcs_tensor_role *roles,
                             const float *sign)
{
    char full[96];
    pcs_tensor *t;
    pcs_place_name(full, sizeof full, layer, norm, PCS_END_weight);
    float *gain = pcs_work_own(w, full, &t);
    if (!gain) return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "tensor %s is missing; R1 folds it", full);
    const size_t n = (size_t)t->n;
    precis_status st = PRECIS_OK;
    for (; *roles && !st; roles++) {
        pcs_place_name(full, sizeof full, layer, *roles, PCS_END_weight);
        st = rows_of(w, full, sign, gain, 0);
    }
    for (size_t i = 0; i < n; i++) gain[i] = 1.0f;
    return st;
}

static precis_status values(pcs_work *w, int layer)
{
    const int64_t dim = pcs_arch_int(w->m, "attention.value_length", pcs_head_dim(w->m), NULL);
    const bool apart = there(w, layer, PCS_ROLE_attn_v) && !there(w, layer, PCS_ROLE_attn_sub_norm);
    if (!pcs_hadamard_order((size_t)dim) || !apart) return PRECIS_OK;
    char full[96];
    pcs_place_name(full, sizeof full, layer, PCS_ROLE_attn_output, PCS_END_weight);
    const precis_status st = outputs_of(w, layer, PCS_ROLE_attn_v, NULL, (size_t)dim);
    return st ? st : rows_of(w, full, NULL, NULL, (size_t)dim);
}

static precis_status apply_rotate(pcs_work *w)
{
    static const pcs_tensor_role of_attn[] = { PCS_ROLE_attn_q, PCS_ROLE_attn_k, PCS_ROLE_attn_v, PCS_ROLE_attn_qkv,
                                               PCS_ROLE_none };
    static const pcs_tensor_role of_ffn[] = { PCS_ROLE_ffn_gate,      PCS_ROLE_ffn_up,       PCS_ROLE_ffn_gate_inp,
                                              PCS_ROLE_ffn_gate_exps, PCS_ROLE_ffn_up_exps, PCS_ROLE_none };
    static const pcs_tensor_role of_out[] = { PCS_ROLE_output, PCS_ROLE_none };
    const uint32_t width = (uint32_t)pcs_arch_int(w->m, "embedding_length", 0, NULL);
    const int64_t layers = pcs_arch_int(w->m, "block_count", 0, NULL);
    precis_status st = refuse_rotation(w, width);
    float *sign = st ? NULL : pcs_alloc(w->ctx, width, sizeof *sign), *data;
    if (st || !sign) return st ? st : PRECIS_ENOMEM;
    uint64_t seed = w->ctx->opt.seed ^ 0x20747u;
    for (uint32_t i = 0; i < width; i++) sign[i] = pcs_rand(&seed) >> 63 ? 1.0f : -1.0f;
    /* a tied head takes the final norm's gain, the embedding does not: they part */
    const pcs_tensor *embed = pcs_model_tensor(w->m, "token_embd.weight");
    if (embed && !pcs_model_tensor(w->m, "output.weight")) {
        const int64_t rows = (int64_t)pcs_tensor_rows(embed);
        st = pcs_work_add(w, "output.weight", rows, width, &data);
        embed = pcs_model_tensor(w->m, "token_embd.weight");
        for (int64_t r = 0; r < rows && !st; r++)
            pcs_decode(embed->format, width, embed->data + (uint64_t)r * pcs_tensor_row_bytes(embed),
                       data + (uint64_t)r * width);
        if (!st)
            pcs_warn(w->ctx, "rotate: the embedding and the head were one tensor; the final norm's gain goes into the "
                             "head, so there are two now");
    }
    if (!st) st = rows_of(w, "token_embd.weight", sign, NULL, 0);
    for (int64_t i = 0; i < layers && !st; i++) {
        st = readers(w, (int)i, PCS_ROLE_attn_norm, of_attn, sign);
        if (!st) st = readers(w, (int)i, PCS_ROLE_ffn_norm, of_ffn, sign);
        if (!st) st = outputs_of(w, (int)i, PCS_ROLE_attn_output, sign, 0);
        if (!st) st = outputs_of(w, (int)i, PCS_ROLE_ffn_down, sign, 0);
        if (!st) st = outputs_of(w, (int)i, PCS_ROLE_ffn_down_exps, sign, 0);
        if (!st) st = values(w, (int)i);
        if (!st) st = pcs_progress(w->ctx, "rotate", (uint64_t)i + 1, (uint64_t)layers);
    }
    if (!st) st = readers(w, -1, PCS_ROLE_output_norm, of_out, sign);
    pcs_free(w->ctx, sign);
    return st;
}

const pcs_method pcs_method_rotate = { .name = "rotate", .kind = PCS_TRANSFORM, .apply = apply_rotate };

/* The largest block that divides n and has a matrix. */
static size_t block_of(size_t n)
{
    for (size_t b = n; b > 1; b--)
        if (n % b == 0 && pcs_hadamard_order(b)) return b;
    return 0;
}

static precis_status apply_hadamard(pcs_work *w)
{
    const int64_t layers = pcs_arch_int(w->m, "block_count", 0, NULL);
    precis_status st = PRECIS_OK;
    size_t turned = 0;
    for (int64_t i = 0; i < layers && !st; i++) {
        char name[96];
        float *data;
        pcs_place_name(name, sizeof name, (int)i, PCS_ROLE_ffn_down, PCS_END_weight);
        const pcs_tensor *t = pcs_model_tensor(w->m, name);
        const size_t block = t ? block_of((size_t)t->ne[0]) : 0;
        if (!t || block < 2) continue;
        st = rows_of(w, name, NULL, NULL, block);
        pcs_place_name(name, sizeof name, (int)i, PCS_ROLE_ffn_down, PCS_END_rotation);
        if (!st) st = pcs_work_add(w, name, 0, 1, &data);
        if (!st) *data = (float)block, turned++;
    }
    if (!st && !turned)
        return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                        "hadamard: no ffn_down.weight whose width a Hadamard matrix divides");
    if (!st) st = pcs_model_set_bool(w->m, "precis.rotate_keys", true); /* R3 */
    return st ? st : pcs_model_index(w->m);
}

const pcs_method pcs_method_hadamard = { .name = "hadamard", .kind = PCS_TRANSFORM, .apply = apply_hadamard };
