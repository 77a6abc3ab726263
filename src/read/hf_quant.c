/* hf_quant.c - quantized checkpoints: compressed-tensors (pack, int, float, nvfp4 and mxfp4), GPTQ (v1, v2), AWQ, FP8
 * with scales, and BitNet's packed ternary weights. Each module's tensors (codes, scales, zero points, group indices)
 * become one tensor in a scheme of precis.
 *
 * Layouts: vllm-project/compressed-tensors (compressors, utils), AutoGPTQ and GPTQModel (qlinear), AutoAWQ
 * (utils/packing_utils), transformers (integrations/bitnet). Counts come from the shapes, which must agree. */
#include "format/element.h"
#include "read/hf.h"
#include "base/f16.h"
#include "format/scheme.h"

#include <stdio.h>

typedef pcs_hf_quant settings;

/* One module in work. code() and zero() are unsigned codes of `bits` bits; w = scale * (code - zero). */
typedef struct module {
    precis_model *m;
    const char *name; /* without the dot */
    int bits;
    int64_t rows, cols, groups, group;
    bool no_zero;     /* zero is 2^(bits - 1) everywhere */
    const pcs_tensor *codes, *scales, *zeros, *index;
    unsigned (*code)(const struct module *q, int64_t row, int64_t col);
    unsigned (*zero)(const struct module *q, int64_t row, int64_t group);
    int64_t zero_add; /* GPTQ v1 stores one less */
    bool dense;       /* codes are a stream of bits, not so many to a word */
    bool scales_by_group; /* [groups, rows] instead of [rows, groups] */
} module;

static precis_status wrong(const module *q, const char *what)
{
    return pcs_fail(q->m->ctx, PRECIS_EFORMAT, "%s: module %s: %s", q->m->path, q->name, what);
}

/* Bits [at, at + bits) of little-endian words. */
static unsigned bits_at(const uint8_t *p, uint64_t at, int bits)
{
    const uint8_t *b = p + at / 8;
    const unsigned shift = (unsigned)(at % 8);
    unsigned v = (unsigned)b[0] >> shift;
    if (shift + (unsigned)bits > 8) v |= (unsigned)b[1] << (8 - shift);
    return v & ((1u << bits) - 1);
}

static float scalar_at(const pcs_tensor *t, uint64_t i)
{
    float v = 0;
    pcs_decode(t->format, 1, t->data + i * t->format->bytes, &v);
    return v;
}

static float scale_at(const module *q, int64_t row, int64_t group)
{
    const uint64_t n = q->scales->n;
    if (n == 1) return scalar_at(q->scales, 0);
    if (q->scales_by_group) return scalar_at(q->scales, (uint64_t)(group * q->rows + row));
    return scalar_at(q->scales, n == (uint64_t)q->rows ? (uint64_t)row : (uint64_t)(row * q->groups + group));
}

static int64_t group_of(const module *q, int64_t col)
{
    if (!q->index) return col / q->group;
    int32_t g;
    memcpy(&g, q->index->data + 4 * col, 4);
    return g;
}

/* compressed-tensors, with the sign's offset added: a stream of bits in int32 words; before 0.15, a word had 32 / bits
 * codes and its rest was left empty (the same for 2, 4 and 8 bits). */
static unsigned ct_at(const uint8_t *words, int64_t stride, int64_t i, int bits, bool dense)
{
    const int64_t per = 32 / bits, bit = dense ? i * bits : i / per * 32 + i % per * bits;
    const unsigned shift = (unsigned)(bit % 32);
    uint32_t v = pcs_load32(words + 4 * stride * (bit / 32)) >> shift;
    if (shift + (unsigned)bits > 32) v |= pcs_load32(words + 4 * stride * (bit / 32 + 1)) << (32 - shift);
    return v & ((1u << bits) - 1);
}
static unsigned ct_code(const module *q, int64_t row, int64_t col)
{
    const int64_t first = row * pcs_hf_packed_words(q->cols, q->bits, q->dense);
    return ct_at(q->codes->data + 4 * first, 1, col, q->bits, q->dense);
}
/* Zero points are packed along the rows. */
static unsigned ct_zero(const module *q, int64_t row, int64_t group)
{
    return ct_at(q->zeros->data + 4 * group, q->groups, row, q->bits, q->dense);
}
static unsigned i8_code(const module *q, int64_t row, int64_t col)
{
    return (unsigned)(128 + (int8_t)q->codes->data[row * q->cols + col]);
}
static unsigned i8_zero(const module *q, int64_t row, int64_t group)
{
    const uint64_t n = q->zeros->n, by_row = (uint64_t)row, by_group = (uint64_t)(row * q->groups + group);
    const uint64_t i = n == 1 ? 0 : n == (uint64_t)q->rows ? by_row : by_group;
    return (unsigned)((1 << (q->bits - 1)) + (int)(int8_t)q->zeros->data[i]);
}
/* GPTQ: a stream of bits down each column of words. */
static unsigned gptq_code(const module *q, int64_t row, int64_t col)
{
    unsigned v = 0;
    for (int b = 0; b < q->bits; b++) {
        const int64_t bit = col * q->bits + b;
        v |= (pcs_load32(q->codes->data + 4 * (bit / 32 * q->rows + row)) >> (bit % 32) & 1u) << b;
    }
    return v;
}
static unsigned gptq_zero(const module *q, int64_t row, int64_t group)
{
    const int64_t words = q->rows * q->bits / 32;
    return bits_at(q->zeros->data + 4 * group * words, (uint64_t)(row * q->bits), q->bits);
}
/* AWQ: eight outputs in each word, in this order. */
static const int awq_place[8] = { 0, 4, 1, 5, 2, 6, 3, 7 };
static unsigned awq_at(const pcs_tensor *words, int64_t line, int64_t rows, int64_t row)
{
    return pcs_load32(words->data + 4 * (line * (rows / 8) + row / 8)) >> (4 * awq_place[row % 8]) & 15;
}
static unsigned awq_code(const module *q, int64_t row, int64_t col) { return awq_at(q->codes, col, q->rows, row); }
static unsigned awq_zero(const module *q, int64_t row, int64_t group) { return awq_at(q->zeros, group, q->rows, row); }

static int64_t zero_at(const module *q, int64_t row, int64_t group)
{
    return q->no_zero ? (int64_t)1 << (q->bits - 1) : (int64_t)(int32_t)q->zero(q, row, group) + q->zero_add;
}

static precis_status check_zeros(const module *q, bool *middle)
{
    *middle = true;
    for (int64_t r = 0; r < q->rows && !q->no_zero; r++)
        for (int64_t g = 0; g < q->groups; g++) {
            const int64_t z = zero_at(q, r, g);
            if (z < 0 || z >= (int64_t)1 << q->bits)
                return pcs_fail(q->m->ctx, PRECIS_EFORMAT,
                                "%s: module %s: zero point %lld of row %lld, group %lld does not fit %d bits",
                                q->m->path, q->name, (long long)z, (long long)r, (long long)g, q->bits);
            *middle &= z == (int64_t)1 << (q->bits - 1);
        }
    return PRECIS_OK;
}

static const pcs_format *scheme(const module *q, bool middle, bool *plain)
{
    char name[32];
    const char *place = "G128";
    *plain = false;
    if (q->index) *plain = true; /* columns of a group do not lie together */
    else if (q->scales->n == 1) place = "T";
    else if (q->groups == 1) place = "C";
    else if (q->group == 32) place = "G32";
    else if (q->group == 64) place = "G64";
    else if (q->group % 128) *plain = true;
    for (int64_t r = 0; r < q->rows && place[0] == 'G' && !*plain; r++)
        for (int64_t g = 0; g < q->groups && !*plain; g++) { /* what f16 cannot hold of scales stays exact as floats */
            const float d = scale_at(q, r, g);
            *plain = pcs_f16_to_f32(pcs_f32_to_f16(d)) != d;
        }
    if (*plain) return &pcs_format_f32;
    snprintf(name, sizeof name, "%sINT%d_%s", middle ? "" : "U", q->bits, place);
    return pcs_format_by_name(name);
}

static void encode_plain(const module *q, int64_t r, uint8_t *dst)
{
    for (int64_t c = 0; c < q->cols; c++) {
        const int64_t g = group_of(q, c);
        const float w = scale_at(q, r, g) * (float)((int64_t)q->code(q, r, c) - zero_at(q, r, g));
        memcpy(dst + 4 * c, &w, 4);
    }
}

static void encode_row(const module *q, const pcs_format *f, int64_t r, int8_t *codes, uint8_t *dst)
{
    const int shift = f->has_min ? (q->bits == 8 ? 128 : 0) : 1 << (q->bits - 1);
    for (int64_t c = 0; c < q->cols; c++) codes[c] = (int8_t)((int)q->code(q, r, c) - shift);
    const int64_t pad = (q->cols + f->block - 1) / f->block * f->block;
    for (int64_t c = q->cols; c < pad; c++) codes[c] = (int8_t)(f->has_min ? zero_at(q, r, q->groups - 1) - shift : 0);
    if (f->head) {
        f->pack_row((size_t)pad, codes, scale_at(q, r, 0), (int)(zero_at(q, r, 0) - shift), dst);
        return;
    }
    for (int64_t at = 0; at < pad; at += f->block, dst += f->bytes) {
        const int64_t g = at / q->group < q->groups ? at / q->group : q->groups - 1;
        pcs_params p = { .d = pcs_f32_to_f16(scale_at(q, r, g)) };
        p.mn[0] = (uint8_t)(zero_at(q, r, g) - shift);
        f->pack(codes + at, &p, dst);
    }
}

/* A new tensor NAME.weight in place of the module's parts. */
static precis_status replace(const module *q, const pcs_format *f, const uint8_t *data, const pcs_tensor *where)
{
    pcs_tensor t = *where; /* the table may move */
    pcs_tensor *n = pcs_model_add_tensor(q->m);
    if (!n) return PRECIS_ENOMEM;
    n->name = n->source = pcs_arena_printf(&q->m->arena, "%s.weight", q->name);
    n->format = f;
    n->dims = 2;
    n->ne[0] = n->shape[1] = q->cols;
    n->ne[1] = n->shape[0] = q->rows;
    n->n = (uint64_t)q->rows * (uint64_t)q->cols;
    n->bytes = (uint64_t)q->rows * pcs_row_bytes(f, (uint64_t)q->cols);
    n->data = data;
    n->offset = t.offset;
    n->file = t.file;
    return n->name ? PRECIS_OK : PRECIS_ENOMEM;
}

static precis_status make_tensor(module *q)
{
    bool middle, plain;
    const bool matrix = q->rows >= 1 && q->cols >= 1 && q->rows <= PCS_LIMIT_DIM && q->cols <= PCS_LIMIT_DIM;
    if (!matrix || q->bits < 2 || q->bits > 8) return wrong(q, "its shapes make no matrix");
    if (q->groups < 1 || q->group < 1) return wrong(q, "no groups");
    if (q->index) {
        if (q->index->format != &pcs_format_i32 || q->index->n != (uint64_t)q->cols)
            return wrong(q, "g_idx is not one int32 per input");
        bool sorted = true;
        for (int64_t c = 0; c < q->cols; c++) {
            const int64_t g = group_of(q, c);
            if (g < 0 || g >= q->groups)
                return pcs_fail(q->m->ctx, PRECIS_EFORMAT,
                                "%s: module %s: g_idx %lld of input %lld is outside of %lld groups", q->m->path,
                                q->name, (long long)g, (long long)c, (long long)q->groups);
            sorted &= g == c / q->group;
        }
        if (sorted) q->index = NULL;
    }
    precis_status st = check_zeros(q, &middle);
    if (st) return st;
    const pcs_format *f = scheme(q, middle, &plain);
    if (!f) return wrong(q, "no scheme for it");
    uint64_t bytes;
    if (!pcs_format_size(f, (uint64_t)q->cols, (uint64_t)q->rows, &bytes)) return wrong(q, "too large");
    uint8_t *data = pcs_arena_alloc(&q->m->arena, (size_t)bytes, 1);
    int8_t *codes = pcs_alloc(q->m->ctx, (size_t)q->cols + PCS_BLOCK_MAX, 1);
    if (!data || !codes) st = PRECIS_ENOMEM;
    const uint64_t row = pcs_row_bytes(f, (uint64_t)q->cols);
    for (int64_t r = 0; r < q->rows && !st; r++) {
        if (plain) encode_plain(q, r, data + (uint64_t)r * row);
        else encode_row(q, f, r, codes, data + (uint64_t)r * row);
    }
    pcs_free(q->m->ctx, codes);
    return st ? st : replace(q, f, data, q->codes);
}

/* ---- the parts of a module --------------------------------------------------------------------------------- */

static const pcs_tensor *part(precis_model *m, const pcs_map *names, const char *module_name, const char *suffix)
{
    char *full = pcs_arena_printf(&m->arena, "%s.%s", module_name, suffix);
    uint32_t i;
    return full && pcs_map_get(names, full, strlen(full), &i) ? &m->tensors[i] : NULL;
}

static bool is(const pcs_tensor *t, const pcs_format *f) { return t && t->format == f; }
/* Plain floating-point elements of 8 bits, which of the two is said by the bits of the exponent. */
static bool is_fp8(const pcs_tensor *t, int exponent_bits)
{
    const pcs_element *e = t && !t->format->head && t->format->block == 1 ? t->format->element : NULL;
    return e && e->bits == 8 && e->exponent_bits == exponent_bits;
}
/* Are words of a row as many as the module's columns take? */
static bool ct_fits(const module *q, int64_t words)
{
    const int64_t dense = pcs_hf_packed_words(q->cols, q->bits, true);
    return dense == words || pcs_hf_packed_words(q->cols, q->bits, false) == words;
}

/* One scale, or as many for each row as divide its columns. */
static precis_status set_groups(module *q)
{
    const uint64_t n = q->scales->n;
    q->groups = n == 1 || q->rows < 1 ? 1 : (int64_t)(n / (uint64_t)q->rows);
    const bool fit = q->groups >= 1 && n == (uint64_t)(q->rows * q->groups) && q->cols % q->groups == 0;
    if (n != 1 && !fit) return wrong(q, "weight_scale does not fit the matrix");
    q->group = q->cols / q->groups;
    return PRECIS_OK;
}

static precis_status packed(module *q, const pcs_map *names, const settings *s)
{
    precis_model *m = q->m;
    const pcs_tensor *shape = part(m, names, q->name, "weight_shape");
    q->scales = part(m, names, q->name, "weight_scale");
    q->zeros = part(m, names, q->name, "weight_zero_point");
    q->index = part(m, names, q->name, "weight_g_idx");
    if (!is(q->codes, &pcs_format_i32) || q->codes->dims != 2 || !q->scales || !shape || shape->n != 2)
        return wrong(q, "weight_packed without weight_scale and weight_shape");
    q->rows = q->codes->ne[1];
    q->cols = (int64_t)scalar_at(shape, 1);
    if ((int64_t)scalar_at(shape, 0) != q->rows) return wrong(q, "weight_shape has other rows than weight_packed");
    const int64_t words = q->codes->ne[0];
    if (q->cols < 1 || q->cols > PCS_LIMIT_DIM) return wrong(q, "weight_shape has no columns, or too many");
    q->bits = s->bits;
    if (q->bits < 2 || q->bits > 8 || !ct_fits(q, words)) q->bits = pcs_hf_packed_bits(q->cols, words);
    if (!q->bits) return wrong(q, "how many bits its codes have is not told by weight_packed and weight_shape");
    q->dense = pcs_hf_packed_words(q->cols, q->bits, true) == words;
    if (set_groups(q)) return PRECIS_EFORMAT;
    q->code = ct_code;
    q->no_zero = !q->zeros;
    if (q->zeros) {
        if (is(q->zeros, &pcs_format_i32) &&
            q->zeros->n == (uint64_t)(pcs_hf_packed_words(q->rows, q->bits, q->dense) * q->groups))
            q->zero = ct_zero;
        else if (is(q->zeros, &pcs_format_i8) && (q->zeros->n == 1 || q->zeros->n == (uint64_t)(q->rows * q->groups)))
            q->zero = i8_zero;
        else return wrong(q, "weight_zero_point does not fit the matrix");
    }
    return make_tensor(q);
}

static precis_status integers(module *q, const pcs_map *names)
{
    q->scales = part(q->m, names, q->name, "weight_scale");
    q->zeros = part(q->m, names, q->name, "weight_zero_point");
    q->bits = 8;
    q->rows = q->codes->ne[1];
    q->cols = q->codes->ne[0];
    if (q->codes->dims != 2 || !q->scales || q->rows < 1) return wrong(q, "8-bit weights without weight_scale");
    if (set_groups(q)) return PRECIS_EFORMAT;
    q->code = i8_code;
    q->zero = i8_zero;
    q->no_zero = !q->zeros;
    if (q->zeros && (!is(q->zeros, &pcs_format_i8) || (q->zeros->n != 1 && q->zeros->n != (uint64_t)q->rows &&
                                                       q->zeros->n != (uint64_t)(q->rows * q->groups))))
        return wrong(q, "weight_zero_point does not fit the matrix");
    return make_tensor(q);
}

static precis_status gptq(module *q, const pcs_map *names, const settings *s)
{
    q->zeros = part(q->m, names, q->name, "qzeros");
    q->scales = part(q->m, names, q->name, "scales");
    q->index = part(q->m, names, q->name, "g_idx");
    q->bits = s->bits;
    if (!is(q->codes, &pcs_format_i32) || !is(q->zeros, &pcs_format_i32) || !q->scales || q->codes->dims != 2 ||
        q->scales->dims != 2 || q->zeros->dims != 2)
        return wrong(q, "qweight without qzeros and scales");
    q->groups = q->scales->ne[1];
    q->scales_by_group = true;
    if (!strcmp(s->method, "awq")) {
        q->bits = 4;
        q->rows = q->codes->ne[0] * 8;
        q->cols = q->codes->ne[1];
        q->code = awq_code;
        q->zero = awq_zero;
        q->index = NULL;
    } else {
        if (q->bits < 2 || q->bits > 8)
            return wrong(q, "config.json: quantization_config: bits is missing or not 2 to 8");
        q->rows = q->codes->ne[0];
        q->cols = q->codes->ne[1] * 32 / q->bits;
        q->code = gptq_code;
        q->zero = gptq_zero;
        q->zero_add = s->v2 ? 0 : 1;
        if (q->rows * q->bits % 32) return wrong(q, "its outputs do not fill whole words");
    }
    const bool fit = q->groups >= 1 && q->scales->ne[0] == q->rows && q->zeros->ne[1] == q->groups;
    if (!fit || q->zeros->ne[0] * 32 != q->rows * q->bits) return wrong(q, "scales or qzeros do not fit qweight");
    const int64_t whole = q->cols / q->groups;
    q->group = s->group > 0 ? s->group : whole;
    if (q->group < 1 || (q->cols + q->group - 1) / q->group != q->groups) /* 0: more groups than inputs */
        return wrong(q, "the group size of config.json does not fit scales");
    return make_tensor(q);
}

/* FP8 with a scale per tensor, row, or 128 x 128 block (weight_scale_inv, as DeepSeek stores it). */
static precis_status fp8(module *q, const pcs_map *names)
{
    const pcs_tensor *w = q->codes;
    q->scales = part(q->m, names, q->name, "weight_scale");
    if (!q->scales) q->scales = part(q->m, names, q->name, "weight_scale_inv");
    q->rows = w->ne[1];
    q->cols = w->ne[0];
    const char *e = is_fp8(w, 4) ? "E4M3" : "E5M2";
    const int64_t down = (q->rows + 127) / 128, across = (q->cols + 127) / 128;
    char name[32];
    const bool one_or_rows = q->scales->n == 1 || q->scales->n == (uint64_t)q->rows;
    const bool blocks = q->scales->n == (uint64_t)(down * across) && !one_or_rows;
    if (w->dims != 2 || (!blocks && !one_or_rows))
        return wrong(q, "weight_scale fits neither tensor, rows nor blocks of 128");
    snprintf(name, sizeof name, "FP8_%s_%s", e, blocks ? "G128" : q->scales->n == 1 ? "T" : "C");
    const pcs_format *f = pcs_format_by_name(name);
    const uint64_t row = pcs_row_bytes(f, (uint64_t)q->cols);
    uint8_t *data = pcs_arena_alloc(&q->m->arena, (size_t)(row * (uint64_t)q->rows), 1);
    if (!data) return PRECIS_ENOMEM;
    for (int64_t r = 0; r < q->rows; r++) {
        uint8_t *dst = data + (uint64_t)r * row;
        const uint8_t *src = w->data + r * q->cols;
        if (!blocks) {
            const float s = scalar_at(q->scales, q->scales->n == 1 ? 0 : (uint64_t)r);
            memcpy(dst, &s, 4);
            memcpy(dst + 4, src, (size_t)q->cols);
            continue;
        }
        for (int64_t b = 0; b < across; b++, dst += 132) {
            const float s = scalar_at(q->scales, (uint64_t)(r / 128 * across + b));
            memcpy(dst, &s, 4);
            memcpy(dst + 4, src + 128 * b, (size_t)(q->cols - 128 * b < 128 ? q->cols - 128 * b : 128));
        }
    }
    return replace(q, f, data, w);
}

/* BitNet: codes -1, 0, 1 plus one, four to a byte, a quarter of the outputs apart; the scale multiplies or, in a
 * "bitlinear", divides. */
static precis_status ternary(module *q, const pcs_map *names, const settings *s)
{
    const pcs_tensor *w = q->codes;
    q->scales = part(q->m, names, q->name, "weight_scale");
    if (w->dims != 2 || !q->scales || q->scales->n != 1) return wrong(q, "ternary weights without one weight_scale");
    const int64_t quarter = w->ne[1];
    q->cols = w->ne[0];
    q->rows = 4 * quarter;
    const pcs_format *f = pcs_format_by_name("TERNARY");
    const uint64_t row = pcs_row_bytes(f, (uint64_t)q->cols);
    uint64_t bytes;
    const bool matrix = q->rows >= 1 && q->cols >= 1 && q->rows <= PCS_LIMIT_DIM;
    if (!matrix || !pcs_format_size(f, (uint64_t)q->cols, (uint64_t)q->rows, &bytes))
        return wrong(q, "its shapes make no matrix");
    const size_t pad = ((size_t)q->cols + f->block - 1) / f->block * f->block;
    const float stored = scalar_at(q->scales, 0), scale = s->divides ? 1.0f / stored : stored;
    if (!(scale > 0) || scale > 1e30f) return wrong(q, "weight_scale is not positive");
    uint8_t *data = pcs_arena_alloc(&q->m->arena, (size_t)bytes, 1);
    int8_t *codes = pcs_alloc(q->m->ctx, pad, 1);
    precis_status st = data && codes ? PRECIS_OK : PRECIS_ENOMEM;
    for (int64_t r = 0; r < q->rows && !st; r++) {
        const uint8_t *src = w->data + r % quarter * q->cols;
        for (int64_t c = 0; c < q->cols && !st; c++) {
            codes[c] = (int8_t)((src[c] >> (2 * (r / quarter)) & 3) - 1);
            if (codes[c] > 1) st = wrong(q, "a code is none of -1, 0, 1");
        }
        f->pack_row(pad, codes, scale, 0, data + (uint64_t)r * row);
    }
    pcs_free(q->m->ctx, codes);
    return st ? st : replace(q, f, data, w);
}

/* One number as a tensor of the model: NAME.suffix. */
static precis_status add_scalar(precis_model *m, const char *module_name, const char *suffix, float v)
{
    pcs_tensor *t = pcs_model_add_tensor(m);
    float *data = pcs_arena_alloc(&m->arena, 16, sizeof *data);
    if (!t || !data) return PRECIS_ENOMEM;
    *data = v;
    *t = (pcs_tensor){ .format = &pcs_format_f32, .dims = 1, .n = 1, .bytes = 4, .data = (const uint8_t *)data };
    for (int i = 0; i < PCS_MAX_DIMS; i++) t->ne[i] = 1;
    t->shape[0] = 1;
    t->name = t->source = pcs_arena_printf(&m->arena, "%s.%s", module_name, suffix);
    return t->name ? PRECIS_OK : PRECIS_ENOMEM;
}

/* FP4 in pairs, low first, with scales per 16 (E4M3 over a global one) or per 32 (E8M0). */
static precis_status fp4(module *q, const pcs_map *names)
{
    q->scales = part(q->m, names, q->name, "weight_scale");
    const pcs_tensor *global = part(q->m, names, q->name, "weight_global_scale"), *w = q->codes;
    if (!is(w, &pcs_format_u8) || w->dims != 2 || !q->scales) return wrong(q, "weight_packed without weight_scale");
    q->rows = w->ne[1];
    q->cols = 2 * w->ne[0];
    const int group = global ? 16 : 32, block = global ? 64 : 32;
    if ((global ? !is_fp8(q->scales, 4) : !is(q->scales, &pcs_format_u8)) ||
        q->scales->n != (uint64_t)(q->rows * q->cols / group) || (global && global->n != 1))
        return wrong(q, "weight_scale does not fit weight_packed");
    if (q->cols % block)
        return pcs_fail(q->m->ctx, PRECIS_EUNSUPPORTED, "%s: module %s: rows of %lld are not whole blocks of %d",
                        q->m->path, q->name, (long long)q->cols, block);
    const pcs_format *f = pcs_format_by_name(global ? "NVFP4" : "MXFP4");
    const uint64_t row = pcs_row_bytes(f, (uint64_t)q->cols);
    uint8_t *data = pcs_arena_alloc(&q->m->arena, (size_t)(row * (uint64_t)q->rows), 1);
    if (!data) return PRECIS_ENOMEM;
    for (int64_t r = 0; r < q->rows; r++)
        for (int64_t c = 0; c < q->cols; c++) {
            const unsigned code = w->data[(r * q->cols + c) / 2] >> (c % 2 * 4) & 15;
            uint8_t *b = data + (uint64_t)r * row + c / block * f->bytes;
            const int i = (int)(c % block), half = group / 2, at = global ? 4 + i / 16 * 8 + i % half : 1 + i % half;
            b[at] |= (uint8_t)(code << (i % group / half * 4));
            if (i % group == 0) b[global ? i / 16 : 0] = q->scales->data[(r * q->cols + c) / group];
        }
    const float g = global ? scalar_at(global, 0) : 1.0f;
    if (!(g > 0) || g > 1e30f) return wrong(q, "weight_global_scale is not positive");
    const char *name = q->name;
    precis_model *m = q->m;
    precis_status st = replace(q, f, data, w);
    return st || !global ? st : add_scalar(m, name, "scale", 1.0f / g);
}

/* ---- all modules --------------------------------------------------------------------------------------------- */

static bool cut(const char *s, const char *tail, size_t *n)
{
    const size_t len = strlen(s), k = strlen(tail);
    *n = len - k;
    return len > k && !strcmp(s + len - k, tail);
}

/* The name of a module whose part this may be, up to the dot, or 0; input scales stay. */
static size_t module_of(const char *s)
{
    static const char *const tails[] = {
        ".weight_packed", ".weight_scale", ".weight_scale_inv", ".weight_zero_point", ".weight_g_idx", ".weight_shape",
        ".weight_global_scale", ".qweight", ".qzeros", ".scales", ".g_idx", ".input_global_scale"
    };
    size_t n;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        if (cut(s, tails[i], &n)) return n;
    return 0;
}

static precis_status one_module(precis_model *m, size_t i, const pcs_map *names, const settings *s, bool *used)
{
    const pcs_tensor *t = &m->tensors[i];
    size_t n;
    const bool is_packed = cut(t->source, ".weight_packed", &n);
    const bool is_gptq = !is_packed && cut(t->source, ".qweight", &n);
    const bool is_weight = !is_packed && !is_gptq && cut(t->source, ".weight", &n);
    *used = false;
    if (!is_packed && !is_gptq && !is_weight) return PRECIS_OK;
    char *name = pcs_arena_copy(&m->arena, t->source, n);
    if (!name) return PRECIS_ENOMEM;
    module q = { .m = m, .name = name, .codes = t };
    const pcs_tensor held = *t; /* the table moves when tensors are added */
    q.codes = &held;
    *used = true;
    precis_status st;
    const pcs_tensor *input = part(m, names, name, "input_global_scale");
    const float global = input && input->n == 1 ? scalar_at(input, 0) : 0;
    if (is_packed) st = is(&held, &pcs_format_u8) ? fp4(&q, names) : packed(&q, names, s);
    else if (is_gptq) st = gptq(&q, names, s);
    else {
        const bool scaled = part(m, names, name, "weight_scale") || part(m, names, name, "weight_scale_inv");
        const bool is_ternary = !strcmp(s->method, "bitnet") && is(&held, &pcs_format_u8);
        if (!scaled || (held.format->kind != PCS_INT && !held.format->element && !is_ternary)) *used = false;
        if (!*used) return PRECIS_OK;
        st = is_ternary ? ternary(&q, names, s) : held.format->element ? fp8(&q, names) : integers(&q, names);
    }
    if (!st && global > 0) st = add_scalar(m, name, "input_scale", 1.0f / global);
    return st;
}

precis_status pcs_hf_quantized(precis_model *m, pcs_json_slice config)
{
    settings s = { .method = "" };
    bool found;
    precis_status st = pcs_hf_quant_settings(m, config, &s, &found);
    const size_t n = m->n_tensors;
    bool any = found;
    for (size_t i = 0; i < n && !any; i++) any = module_of(m->tensors[i].source) != 0;
    if (st || !any) return st;
    pcs_map names, made;
    pcs_map_init(&names, m->ctx);
    pcs_map_init(&made, m->ctx);
    bool *gone = pcs_alloc(m->ctx, n + 1, sizeof *gone), existed, used = false;
    if (!gone) st = PRECIS_ENOMEM;
    for (size_t i = 0; i < n && !st; i++) {
        const char *source = m->tensors[i].source;
        st = pcs_map_put(&names, source, strlen(source), (uint32_t)i, &existed);
    }
    size_t modules = 0;
    for (size_t i = 0; i < n && !st; i++) {
        st = one_module(m, i, &names, &s, &used);
        gone[i] = used;
        modules += used;
        const char *name = m->tensors[i].source;
        if (!st && used) st = pcs_map_put(&made, name, (size_t)(strrchr(name, '.') - name), 0, &existed);
    }
    for (size_t i = 0; i < n && !st; i++) { /* parts of what was made; others are said to be missing or too much */
        const size_t len = module_of(m->tensors[i].source);
        uint32_t at;
        gone[i] |= len && pcs_map_get(&made, m->tensors[i].source, len, &at);
    }
    size_t kept = 0;
    for (size_t i = 0; i < m->n_tensors && !st; i++)
        if (i >= n || !gone[i]) m->tensors[kept++] = m->tensors[i];
    if (!st) m->n_tensors = kept;
    pcs_free(m->ctx, gone);
    pcs_map_free(&names);
    pcs_map_free(&made);
    /* input_scale tensors in other floats become F32 */
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        pcs_tensor *t = &m->tensors[i];
        size_t k;
        if (t->n != 1 || !cut(t->source, ".input_scale", &k) || is(t, &pcs_format_f32) || t->format->kind != PCS_FLOAT)
            continue;
        float *v = pcs_arena_alloc(&m->arena, 16, sizeof *v);
        if (!v) return PRECIS_ENOMEM;
        *v = scalar_at(t, 0);
        t->data = (const uint8_t *)v;
        t->format = &pcs_format_f32;
        t->bytes = 4;
    }
    if (!st && modules && s.input) st = pcs_model_set_string(m, "precis.activations", s.input, strlen(s.input));
    return st;
}
