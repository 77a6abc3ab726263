/* hf_parts.c - the bytes of each tensor of a transformers folder, from the tensors of the model. */
#include "write/hf_folder.h"

#include "base/f16.h"

/* Has the tensor a row for each of a query's or key's dimensions, in an order that transformers has not? */
static bool of_heads(const pcs_made_folder *f, const pcs_tensor *t)
{
    const bool q = t->is.role == PCS_ROLE_attn_q, k = t->is.role == PCS_ROLE_attn_k;
    const bool pair = t->is.end == PCS_END_svd_b || t->is.end == PCS_END_lora_b;
    const bool rows = t->is.end == PCS_END_weight || t->is.end == PCS_END_bias || pair;
    const uint64_t heads = q ? f->counts.heads : f->counts.kv_heads;
    const uint64_t n = t->dims == 1 ? (uint64_t)t->ne[0] : (uint64_t)t->ne[1];
    return f->arch->hf.interleaved && (q || k) && rows && n == heads * f->counts.key_dim;
}

/* Row of the model's tensor that is row r of transformers' one. */
static uint64_t source_row(const pcs_made_folder *f, const pcs_tensor *t, uint64_t r)
{
    const uint64_t hd = f->counts.key_dim, h = r / hd, k = r % hd;
    if (!of_heads(f, t)) return r;
    return h * hd + (k < hd / 2 ? 2 * k : 2 * (k - hd / 2) + 1);
}

bool pcs_folder_named(const pcs_made_folder *f, const pcs_tensor *t)
{
    pcs_arena a;
    pcs_arena_init(&a, f->c->ctx);
    const bool is = pcs_hf_source(&a, f->arch, t->name, 0) != NULL;
    pcs_arena_free(&a);
    return is;
}

bool pcs_folder_without_one(const pcs_made_folder *f, const pcs_tensor *t)
{
    const bool norm = t->is.end == PCS_END_weight && pcs_role_of_norm(t->is.role);
    return f->arch->hf.plus_one && norm && pcs_folder_named(f, t);
}

bool pcs_folder_turned(const pcs_made_folder *f, const pcs_tensor *t)
{
    return f->arch->hf.transposed && t->dims == 2 && t->is.layer >= 0 && pcs_folder_named(f, t);
}

const pcs_tensor *pcs_folder_scale(const precis_model *m, const pcs_tensor *t)
{
    if (t->is.end != PCS_END_weight) return NULL;
    const pcs_tensor *s = pcs_model_part(m, t->is.layer, t->is.role, PCS_END_scale);
    return s && s->format == &pcs_format_f32 && s->n && s->data ? s : NULL;
}

float pcs_folder_scale_at(const pcs_tensor *scale, const pcs_tensor *t, uint64_t row)
{
    const uint64_t of_matrix = t->dims > 2 ? (uint64_t)t->ne[1] : UINT64_MAX, i = row / of_matrix;
    return scale ? pcs_bits_f32(pcs_load32(scale->data + (i < scale->n ? 4 * i : 0))) : 1.0f;
}

float pcs_folder_inverse(float v)
{
    if (!(v > 0)) return 1.0f;
    const float near = 1.0f / v;
    for (int off = 0; off < 3; off++) {
        const float g = pcs_bits_f32(pcs_f32_bits(near) + (off < 2 ? (uint32_t)off : UINT32_MAX));
        if (1.0f / g == v) return g;
    }
    return near;
}

static precis_status put_floats(pcs_made_folder *f, pcs_out *o, const pcs_folder_part *p, const pcs_tensor *t)
{
    const size_t n = (size_t)t->ne[0], row_bytes = pcs_tensor_row_bytes(t);
    const bool vector = t->dims < 2, of_expert = p->dims == 2 && t->dims == 3;
    const bool one = pcs_folder_without_one(f, t), turn = pcs_folder_turned(f, t);
    const pcs_tensor *scale = pcs_folder_scale(f->c->m, t);
    const uint64_t rows = vector ? 1 : of_expert ? (uint64_t)t->ne[1] : pcs_tensor_rows(t);
    const uint64_t first = of_expert ? (uint64_t)p->matrix * rows : 0;
    float *x = pcs_alloc(f->c->ctx, turn ? n * rows : n, sizeof *x);
    float *y = pcs_alloc(f->c->ctx, turn ? rows : n, sizeof *y);
    uint8_t *bytes = pcs_alloc(f->c->ctx, (turn ? rows : n) * p->format->bytes, 1);
    precis_status st = x && y && bytes ? PRECIS_OK : PRECIS_ENOMEM;
    for (uint64_t r = 0; r < rows && !st; r++) {
        const uint64_t row = first + (vector ? 0 : source_row(f, t, r));
        float *to = turn ? x + r * n : x;
        const float by = pcs_folder_scale_at(scale, t, row);
        pcs_decode(t->format, n, t->data + row * row_bytes, to);
        for (size_t i = 0; i < n && scale; i++) to[i] *= by;
        if (turn) continue;
        for (size_t i = 0; i < n; i++) y[i] = x[vector ? source_row(f, t, i) : i] - (one ? 1.0f : 0.0f);
        p->format->from_f32(n, y, bytes);
        st = pcs_out_add(o, bytes, n * p->format->bytes);
    }
    for (size_t c = 0; turn && c < n && !st; c++) {
        for (uint64_t r = 0; r < rows; r++) y[r] = x[r * n + c];
        p->format->from_f32(rows, y, bytes);
        st = pcs_out_add(o, bytes, rows * p->format->bytes);
    }
    pcs_free(f->c->ctx, x);
    pcs_free(f->c->ctx, y);
    pcs_free(f->c->ctx, bytes);
    return st;
}

/* Into a stream of bits over words that are `stride` apart. */
static void put_bits(uint32_t *w, int64_t stride, int64_t bit, int bits, uint32_t v)
{
    w[stride * (bit / 32)] |= v << (bit % 32);
    if (bit % 32 + bits > 32) w[stride * (bit / 32 + 1)] |= v >> (32 - bit % 32);
}

/* A module's codes on their way into the words of a layout; those are described in hf_quant.c. */
typedef struct {
    pcs_layout layout;
    uint32_t *words;
    int bits, rise; /* rise: what symmetric codes gain when they go into more bits */
    int64_t rows, cols, group, groups;
} codes_out;

static const int awq_place[8] = { 0, 4, 1, 5, 2, 6, 3, 7 };

static void put_code(const codes_out *m, int64_t r, int64_t c, uint32_t code)
{
    const int64_t row_words = (m->cols * m->bits + 31) / 32;
    if (m->layout == PCS_CT) put_bits(m->words + r * row_words, 1, c * m->bits, m->bits, code);
    else if (m->layout == PCS_AWQ) m->words[c * (m->rows / 8) + r / 8] |= code << (4 * awq_place[r % 8]);
    else m->words[c * m->bits / 32 * m->rows + r] |= code << (c * m->bits % 32);
}

static void put_zero(const codes_out *m, int64_t r, int64_t k, uint32_t zero)
{
    if (m->layout == PCS_CT) put_bits(m->words + k, m->groups, r * m->bits, m->bits, zero);
    else if (m->layout == PCS_AWQ) m->words[k * (m->rows / 8) + r / 8] |= zero << (4 * awq_place[r % 8]);
    else m->words[(k * m->rows + r) * m->bits / 32] |= (zero - 1) << (r * m->bits % 32);
}

/* The scale of row r and group k. */
static void put_scale(const codes_out *m, int64_t r, int64_t k, bool half, float scale)
{
    const bool by_row = m->layout == PCS_CT;
    const uint64_t at = (uint64_t)(by_row ? r * m->groups + k : k * m->rows + r);
    uint8_t *out = (uint8_t *)m->words;
    if (by_row && !half) memcpy(out + 4 * at, &scale, 4);
    else pcs_store16(out + 2 * at, pcs_f32_to_f16(scale));
}

static codes_out codes_of(const pcs_made_folder *f, const pcs_intview *v, uint8_t *out)
{
    const bool ct = f->layout == PCS_CT;
    const int64_t group = ct ? v->group : f->group < 0 ? v->cols : f->group;
    const int bits = ct ? v->bits : f->bits;
    const int rise = v->affine ? 0 : (1 << (bits - 1)) - (1 << (v->bits - 1));
    return (codes_out){ f->layout, (uint32_t *)(void *)out, bits, rise, v->rows, v->cols, group, v->cols / group };
}

/* All of a module's codes, scales or zero points. */
static precis_status put_codes(pcs_made_folder *f, pcs_out *o, const pcs_folder_part *p)
{
    precis_ctx *ctx = f->c->ctx;
    pcs_intview *v = &f->views[p->tensor];
    const pcs_tensor *t = v->t;
    uint8_t *codes = pcs_alloc(ctx, (size_t)v->cols, 1), *zeros = pcs_alloc(ctx, (size_t)v->groups + 1, 1);
    uint8_t *out = pcs_alloc(ctx, p->bytes, 1);
    float *scales = pcs_alloc(ctx, (size_t)v->groups + 1, sizeof *scales);
    precis_status st = codes && zeros && out && scales ? PRECIS_OK : PRECIS_ENOMEM;
    const codes_out m = codes_of(f, v, out);
    for (int64_t r = 0; r < m.rows && !st; r++) {
        const uint64_t row = (uint64_t)(p->matrix * m.rows) + source_row(f, t, (uint64_t)r);
        pcs_intview_row(v, row, codes, scales, zeros);
        for (int64_t c = 0; p->what == P_INT8 && c < m.cols; c++) out[r * m.cols + c] = (uint8_t)(codes[c] - 128);
        for (int64_t c = 0; p->what == P_CODES && c < m.cols; c++) put_code(&m, r, c, codes[c] + (uint32_t)m.rise);
        for (int64_t k = 0; k < m.groups && (p->what == P_SCALES || p->what == P_ZEROS); k++) {
            const int64_t from = k * m.group / v->group;
            const uint32_t zero = zeros[from] + (uint32_t)m.rise;
            if (p->what == P_ZEROS && f->layout == PCS_GPTQ && !zero)
                st = pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                              "tensor %s: a zero point of 0 cannot be written in gptq's first version, which stores "
                              "one less", t->name);
            if (p->what == P_SCALES) put_scale(&m, r, k, v->half, scales[from]);
            else put_zero(&m, r, k, zero);
        }
    }
    if (!st) st = pcs_out_add(o, out, p->bytes);
    pcs_free(ctx, codes);
    pcs_free(ctx, zeros);
    pcs_free(ctx, out);
    pcs_free(ctx, scales);
    return st;
}

/* Floats of 8 and 4 bits, and their scales. */
static precis_status put_fp(pcs_made_folder *f, pcs_out *o, const pcs_folder_part *p, const pcs_tensor *t)
{
    const uint64_t rows = (uint64_t)t->ne[1], row = pcs_tensor_row_bytes(t), first = (uint64_t)p->matrix * rows;
    const int64_t cols = t->ne[0];
    const bool nv = t->format->group == 16;
    const int block = (int)t->format->block, group = nv ? 16 : 32;
    uint8_t *out = pcs_alloc(f->c->ctx, p->bytes, 1);
    if (!out) return PRECIS_ENOMEM;
    for (uint64_t r = 0; r < rows; r++) {
        const uint8_t *src = t->data + (first + source_row(f, t, r)) * row;
        if (p->what == P_FP8) memcpy(out + r * (uint64_t)cols, src + 4, (size_t)cols);
        else if (p->what == P_ROW_SCALES && 4 * r < p->bytes) memcpy(out + 4 * r, src, 4);
        for (int64_t c = 0; c < cols && (p->what == P_FP4 || p->what == P_FP4_SCALES); c++) {
            const uint8_t *b = src + c / block * t->format->bytes;
            const int i = (int)(c % block), half = group / 2;
            const int at = nv ? 4 + i / 16 * 8 + i % half : 1 + i % half;
            const int64_t place = (int64_t)r * cols + c;
            const int code = b[at] >> (i % group / half * 4) & 15;
            if (p->what == P_FP4) out[place / 2] |= (uint8_t)(code << (c % 2 * 4));
            else if (i % group == 0) out[place / group] = b[nv ? i / 16 : 0];
        }
    }
    const precis_status st = pcs_out_add(o, out, p->bytes);
    pcs_free(f->c->ctx, out);
    return st;
}

precis_status pcs_folder_put(pcs_made_folder *f, pcs_out *o, const pcs_folder_part *p)
{
    const pcs_tensor *t = &f->c->m->tensors[p->tensor];
    switch (p->what) {
    case P_FLOATS: return put_floats(f, o, p, t);
    case P_CODES: case P_INT8: case P_SCALES: case P_ZEROS: return put_codes(f, o, p);
    case P_SHAPE: {
        const int64_t shape[2] = { t->ne[1], t->ne[0] };
        return pcs_out_add(o, shape, sizeof shape);
    }
    case P_INDEX: {
        const int64_t g = f->group < 0 ? t->ne[0] : f->group;
        precis_status st = PRECIS_OK;
        for (int64_t c = 0; c < t->ne[0] && !st; c++) {
            const int32_t i = (int32_t)(c / g);
            st = pcs_out_add(o, &i, 4);
        }
        return st;
    }
    case P_GLOBAL: {
        const uint64_t first = (uint64_t)p->matrix * (uint64_t)t->ne[1];
        const float v = pcs_folder_inverse(pcs_folder_scale_at(pcs_folder_scale(f->c->m, t), t, first));
        return pcs_out_add(o, &v, 4);
    }
    case P_INVERSE: {
        float v;
        pcs_decode(t->format, 1, t->data, &v);
        v = pcs_folder_inverse(v);
        return pcs_out_add(o, &v, 4);
    }
    default: return put_fp(f, o, p, t);
    }
}
