/* hf_folder.c - a transformers folder: model.safetensors, config.json, tokenizer. Integer tensors become modules of
 * compressed-tensors (pack-quantized), GPTQ or AWQ; others stay floats. */
#include "write/convert.h"

#include "base/f16.h"
#include "base/lack.h"
#include "format/element.h"
#include "format/scheme.h"
#include "model/counts.h"
#include "read/hf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum { AS_FLOATS, AS_CODES, AS_INT8, AS_FP8, AS_FP4 } kind;

/* One tensor of the file. */
typedef struct part {
    char *name;
    const char *dtype;
    int dims;
    int64_t shape[PCS_MAX_DIMS];
    uint64_t bytes;
    enum { P_FLOATS, P_CODES, P_SCALES, P_ZEROS, P_SHAPE, P_INDEX, P_FP8, P_ROW_SCALES, P_FP4, P_FP4_SCALES, P_GLOBAL, P_INVERSE, P_INT8 } what;
    size_t tensor;   /* of the model */
    int64_t matrix;  /* of a tensor of experts */
    const pcs_format *format; /* P_FLOATS */
} part;

typedef struct {
    pcs_convert *c;
    pcs_layout layout;
    const pcs_arch *arch;
    pcs_counts counts;
    pcs_arena arena;
    part *parts;
    size_t n, cap;
    kind *kinds;
    pcs_intview *views;
    pcs_groups groups;
    int bits;
    int64_t group;
    bool any, sym;
} folder;

static part *add(folder *f, size_t tensor, int64_t matrix, const char *name, const char *dtype, int what, int dims, int64_t a, int64_t b, uint64_t bytes)
{
    if (f->n == f->cap) {
        const size_t cap = f->cap * 2 + 64;
        part *grown = pcs_grow(f->c->ctx, f->parts, f->n * sizeof *grown, cap, sizeof *grown);
        if (!grown) return NULL;
        f->parts = grown;
        f->cap = cap;
    }
    part *p = &f->parts[f->n++];
    *p = (part){ .name = pcs_arena_copy(&f->arena, name, strlen(name)), .dtype = dtype, .dims = dims, .shape = { a, b }, .bytes = bytes, .tensor = tensor, .matrix = matrix };
    p->what = what;
    return p->name ? p : NULL;
}

/* Has the tensor a row for each of a query's or key's dimensions, in an order that transformers has not? */
static bool of_heads(const folder *f, const pcs_tensor *t)
{
    const bool q = t->is.role == PCS_ROLE_attn_q, k = t->is.role == PCS_ROLE_attn_k;
    const bool pair = t->is.end == PCS_END_svd_b || t->is.end == PCS_END_lora_b;
    const bool rows = t->is.end == PCS_END_weight || t->is.end == PCS_END_bias || pair;
    const uint64_t heads = q ? f->counts.heads : f->counts.kv_heads, n = t->dims == 1 ? (uint64_t)t->ne[0] : (uint64_t)t->ne[1];
    return f->arch->hf.interleaved && (q || k) && rows && n == heads * f->counts.key_dim;
}

/* Row of the model's tensor that is row r of transformers' one. */
static uint64_t source_row(const folder *f, const pcs_tensor *t, uint64_t r)
{
    const uint64_t hd = f->counts.key_dim, h = r / hd, k = r % hd;
    if (!of_heads(f, t)) return r;
    return h * hd + (k < hd / 2 ? 2 * k : 2 * (k - hd / 2) + 1);
}

/* Is it a tensor of the net, with a name in transformers? Others go over as they came. */
static bool named(const folder *f, const pcs_tensor *t)
{
    pcs_arena a;
    pcs_arena_init(&a, f->c->ctx);
    const bool is = pcs_hf_source(&a, f->arch, t->name, 0) != NULL;
    pcs_arena_free(&a);
    return is;
}

/* Norms that are stored without the 1 that the model adds. */
static bool without_one(const folder *f, const pcs_tensor *t)
{
    return f->arch->hf.plus_one && t->is.end == PCS_END_weight && pcs_role_of_norm(t->is.role) && named(f, t);
}

static bool turned(const folder *f, const pcs_tensor *t)
{
    return f->arch->hf.transposed && t->dims == 2 && t->is.layer >= 0 && named(f, t);
}

/* Rows that are looked up, not multiplied by. */
static bool is_table(const pcs_tensor *t)
{
    const pcs_tensor_role r = t->is.role;
    return r == PCS_ROLE_token_embd || r == PCS_ROLE_position_embd || r == PCS_ROLE_token_types;
}

/* ---- what each tensor becomes ------------------------------------------------------------------------------------------- */

static precis_status choose(folder *f, size_t i)
{
    const pcs_tensor *t = &f->c->m->tensors[i];
    const pcs_format *s = t->format;
    bool is = false;
    f->kinds[i] = AS_FLOATS;
    const bool weight = t->is.end == PCS_END_weight && !is_table(t) && !turned(f, t) && t->dims >= 2;
    if (!weight || !named(f, t)) return PRECIS_OK;
    if (f->layout == PCS_CT && s->element && s->head) f->kinds[i] = AS_FP8;
    else if (f->layout == PCS_CT && s->book == pcs_book_e2m1) f->kinds[i] = AS_FP4;
    else if (s->kind == PCS_QUANT) {
        const precis_status st = pcs_intview_open(f->c->ctx, t, &f->views[i], &is);
        if (st) return st;
        const char *act = pcs_model_string(f->c->m, "precis.activations");
        const bool bytes = f->layout == PCS_CT && act && strstr(act, "INT8") && f->views[i].bits == 8 && f->views[i].channel && !f->views[i].affine;
        if (is) f->kinds[i] = bytes ? AS_INT8 : AS_CODES;
    }
    if (f->layout == PCS_CT || t->dims > 3 || (t->dims == 3 && !pcs_role_of_experts(t->is.role)) ||
        t->is.role == PCS_ROLE_output) {
        if (f->layout != PCS_CT && is) pcs_intview_close(f->c->ctx, &f->views[i]), f->kinds[i] = AS_FLOATS;
        return PRECIS_OK;
    }
    /* gptq and awq: every linear layer, all alike */
    const char *want = f->layout == PCS_AWQ ? "4-bit codes in groups of at least 32" : "2-, 4- or 8-bit codes";
    const pcs_intview *v = &f->views[i];
    if (s->kind != PCS_QUANT && t->is.role == PCS_ROLE_ffn_gate_inp) return PRECIS_OK;
    if (!is && t->ne[0] % 32)
        return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED, "tensor %s: rows of %lld weights are no whole groups of 32, and %s holds nothing else; --format safetensors has no such limit", t->name, (long long)t->ne[0], f->layout == PCS_AWQ ? "awq" : "gptq");
    if (!is || (f->layout == PCS_AWQ ? v->bits > 4 : v->bits > 8) || !v->half)
        return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED, "tensor %s is %s; %s holds %s with f16 scales. Quantize first: precis quant MODEL --type %s", t->name, s->name,
                        f->layout == PCS_AWQ ? "awq" : "gptq", want, f->layout == PCS_AWQ ? "UINT4_G128" : "INT4_G128");
    return PRECIS_OK;
}

/* Bits and groups that all modules share. */
static precis_status unify(folder *f)
{
    f->sym = true;
    for (size_t i = 0; i < f->c->m->n_tensors; i++) {
        if (f->kinds[i] != AS_CODES) continue;
        pcs_intview *v = &f->views[i];
        const int wide = f->layout == PCS_AWQ ? 4 : v->bits <= 2 ? 2 : v->bits <= 4 ? 4 : 8;
        f->bits = wide > f->bits ? wide : f->bits;
        f->group = !f->any ? (v->channel ? -1 : v->group) : f->group;
        if ((v->channel ? -1 : v->group) != f->group && f->layout != PCS_CT) {
            /* smaller groups repeat the scale of larger ones */
            const int64_t g = v->channel ? v->cols : v->group;
            if (f->group == -1 || g < f->group) f->group = v->channel ? f->group : g;
        }
        f->sym &= !v->affine;
        f->any = true;
    }
    if (f->layout == PCS_CT) return PRECIS_OK;
    if (!f->any) return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED, "the model has no integer weights; quantize first: precis quant MODEL --type INT4_G128");
    for (size_t i = 0; i < f->c->m->n_tensors; i++) {
        const pcs_intview *v = &f->views[i];
        if (f->kinds[i] != AS_CODES) continue;
        const int64_t g = f->group < 0 ? v->cols : f->group;
        if (v->cols % g || v->group % g) return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED, "tensor %s: groups of %lld, others have %lld", v->t->name, (long long)v->group, (long long)g);
        if (v->rows % (32 / f->bits) || v->cols % (32 / f->bits)) return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED, "tensor %s: [%lld, %lld] does not fill whole words", v->t->name, (long long)v->rows, (long long)v->cols);
    }
    return PRECIS_OK;
}

static precis_status add_codes(folder *f, size_t i, int64_t matrix, const char *module)
{
    const pcs_intview *v = &f->views[i];
    char name[512], weights[256], inputs[256];
    const int64_t rows = v->rows, cols = v->cols, g = f->layout == PCS_CT ? v->group : f->group < 0 ? cols : f->group, groups = cols / g;
#define PART(suffix, dtype, what, dims, a, b, bytes) \
    (snprintf(name, sizeof name, "%s." suffix, module), add(f, i, matrix, name, dtype, what, dims, a, b, (uint64_t)(bytes)))
    bool ok;
    if (f->layout == PCS_CT) {
        const int64_t words = (cols * v->bits + 31) / 32, zero_words = (rows * v->bits + 31) / 32;
        const bool bytes = f->kinds[i] == AS_INT8;
        ok = (bytes ? PART("weight", "I8", P_INT8, 2, rows, cols, rows * cols) != NULL : PART("weight_packed", "I32", P_CODES, 2, rows, words, 4 * rows * words) && PART("weight_shape", "I64", P_SHAPE, 1, 2, 0, 16)) &&
             PART("weight_scale", v->half ? "F16" : "F32", P_SCALES, 2, rows, groups, (v->half ? 2 : 4) * rows * groups) && (!v->affine || PART("weight_zero_point", "I32", P_ZEROS, 2, zero_words, groups, 4 * zero_words * groups));
        snprintf(weights, sizeof weights, "{\"num_bits\": %d, \"type\": \"int\", \"symmetric\": %s, \"strategy\": \"%s\", ", v->bits, v->affine ? "false" : "true", v->channel ? "channel" : "group");
        const size_t at = strlen(weights);
        if (v->channel) snprintf(weights + at, sizeof weights - at, "\"group_size\": null, \"dynamic\": false}");
        else snprintf(weights + at, sizeof weights - at, "\"group_size\": %lld, \"dynamic\": false}", (long long)g);
        const precis_status st = ok ? pcs_groups_inputs(f->c->m, v->t, inputs) : PRECIS_ENOMEM;
        return st ? st : pcs_groups_add(&f->groups, module, bytes ? "int-quantized" : "pack-quantized", weights, inputs);
    }
    const int64_t zeros = rows * f->bits / 32;
    if (f->layout == PCS_GPTQ) ok = PART("qweight", "I32", P_CODES, 2, cols * f->bits / 32, rows, 4 * (cols * f->bits / 32) * rows) && PART("g_idx", "I32", P_INDEX, 1, cols, 0, 4 * cols);
    else ok = PART("qweight", "I32", P_CODES, 2, cols, rows / 8, 4 * cols * (rows / 8)) != NULL;
    ok = ok && PART("qzeros", "I32", P_ZEROS, 2, groups, zeros, 4 * groups * zeros) && PART("scales", "F16", P_SCALES, 2, groups, rows, 2 * groups * rows);
    return ok ? PRECIS_OK : PRECIS_ENOMEM;
}

static precis_status add_tensor(folder *f, size_t i)
{
    const precis_model *m = f->c->m;
    const pcs_tensor *t = &m->tensors[i];
    precis_convert_row *row = &f->c->report->rows[i];
    const bool of_experts = pcs_role_of_experts(t->is.role);
    const bool of_inputs = t->is.end == PCS_END_input_scale || t->is.end == PCS_END_input_zero;
    const bool shared = t->n == 1 && of_experts && of_inputs; /* repeated for each expert */
    const int64_t experts = !of_experts ? 0 : t->dims == 3 ? t->ne[2] : shared ? f->counts.experts : 0;
    *row = (precis_convert_row){ sizeof *row, t->name, t->format->name, t->format->name, 1, 0 };
    const char *act = pcs_model_string(m, "precis.activations");
    if (t->is.end == PCS_END_scale && f->layout == PCS_CT) return PRECIS_OK; /* goes with its weight */
    if (t->format->kind == PCS_INT) { /* indices that the other side makes itself */
        row->to = "left out";
        return PRECIS_OK;
    }
    if (pcs_role_of_rope(t->is.role)) {
        row->to = "config.json";
        return PRECIS_OK;
    }
    double lost = 0;
    const pcs_format *to = t->format;
    if (f->kinds[i] == AS_FLOATS) {
        to = t->format->dtype ? t->format : pcs_format_by_name(f->c->opt.exact ? "F32" : "F16");
        if (without_one(f, t)) to = &pcs_format_f32;
        precis_status st = pcs_lost(f->c->ctx, t, to, &lost);
        if (!st && lost == INFINITY && to != t->format) { /* beyond F16's range */
            to = &pcs_format_f32;
            st = pcs_lost(f->c->ctx, t, to, &lost);
        }
        if (st) return st;
        row->to = to->dtype;
    } else row->to = f->kinds[i] == AS_INT8 ? "int-quantized" : f->kinds[i] == AS_FP8 ? "float-quantized" : f->kinds[i] == AS_FP4 ? (t->format->group == 16 ? "nvfp4-pack-quantized" : "mxfp4-pack-quantized") : f->layout == PCS_CT ? "pack-quantized" : f->layout == PCS_GPTQ ? "gptq" : "awq";
    row->max_error = lost;
    row->exact = lost == 0;
    for (int64_t e = 0; e < (experts ? experts : 1); e++) {
        char *name = pcs_hf_source(&f->arena, f->arch, t->name, (unsigned)e), buf[512];
        if (!name) name = pcs_arena_copy(&f->arena, t->name, strlen(t->name));
        if (!name) return PRECIS_ENOMEM;
        char *module = pcs_arena_copy(&f->arena, name, strlen(name) - (pcs_ends(name, ".weight") ? 7 : 0)), inputs[256];
        if (!module) return PRECIS_ENOMEM;
        precis_status st = f->layout == PCS_CT && f->kinds[i] != AS_FLOATS ? pcs_groups_inputs(m, t, inputs) : PRECIS_OK;
        if (st) return st;
        const int64_t rows = t->ne[1], cols = t->ne[0];
        if (f->kinds[i] == AS_CODES || f->kinds[i] == AS_INT8) st = add_codes(f, i, e, module);
        else if (f->kinds[i] == AS_FP8) {
            snprintf(buf, sizeof buf, "%s.weight_scale", module);
            if (!add(f, i, e, name, t->format->element->exponent_bits == 4 ? "F8_E4M3" : "F8_E5M2", P_FP8, 2, rows, cols, (uint64_t)(rows * cols)) ||
                !add(f, i, e, buf, "F32", P_ROW_SCALES, t->format->tensor ? 1 : 2, t->format->tensor ? 1 : rows, 1, (uint64_t)(4 * (t->format->tensor ? 1 : rows))))
                return PRECIS_ENOMEM;
            snprintf(buf, sizeof buf, "{\"num_bits\": 8, \"type\": \"float\", \"symmetric\": true, \"strategy\": \"%s\", \"dynamic\": false}", t->format->tensor ? "tensor" : "channel");
            st = pcs_groups_add(&f->groups, module, "float-quantized", buf, inputs);
        } else if (f->kinds[i] == AS_FP4) {
            const bool nv = t->format->group == 16;
            const int64_t g = nv ? 16 : 32;
            char scale[512], global[512];
            snprintf(buf, sizeof buf, "%s.weight_packed", module);
            snprintf(scale, sizeof scale, "%s.weight_scale", module);
            snprintf(global, sizeof global, "%s.weight_global_scale", module);
            if (!add(f, i, e, buf, "U8", P_FP4, 2, rows, cols / 2, (uint64_t)(rows * cols / 2)) || !add(f, i, e, scale, nv ? "F8_E4M3" : "U8", P_FP4_SCALES, 2, rows, cols / g, (uint64_t)(rows * cols / g)) ||
                (nv && !add(f, i, e, global, "F32", P_GLOBAL, 1, 1, 0, 4)))
                return PRECIS_ENOMEM;
            snprintf(buf, sizeof buf, "{\"num_bits\": 4, \"type\": \"float\", \"symmetric\": true, \"strategy\": \"%s\", \"group_size\": %lld, \"dynamic\": false}", nv ? "tensor_group" : "group", (long long)g);
            st = pcs_groups_add(&f->groups, module, nv ? "nvfp4-pack-quantized" : "mxfp4-pack-quantized", buf, inputs);
        } else if (f->layout == PCS_CT && pcs_ends(name, ".input_scale") && act && !strcmp(act, "NVFP4")) {
            snprintf(buf, sizeof buf, "%.*s.input_global_scale", (int)strlen(name) - 12, name);
            if (!add(f, i, e, buf, "F32", P_INVERSE, 1, 1, 0, 4)) return PRECIS_ENOMEM;
        } else {
            const bool turn = turned(f, t);
            if (t->dims > 1 && pcs_ends(name, ".weight") && !is_table(t)) st = pcs_groups_ignore(&f->groups, module);
            part *p = st ? NULL : add(f, i, e, name, to->dtype, P_FLOATS, experts && !shared ? 2 : (int)t->dims, t->dims < 2 ? t->ne[0] : turn ? t->ne[0] : t->ne[1], turn ? t->ne[1] : t->ne[0],
                          (t->n / (uint64_t)(experts && !shared ? experts : 1)) * to->bytes);
            if (!p) return st ? st : PRECIS_ENOMEM;
            p->format = to;
            if (t->dims > 2 && !experts) {
                p->dims = (int)t->dims;
                for (int d = 0; d < p->dims; d++) p->shape[d] = t->ne[p->dims - 1 - d];
            }
        }
        if (st) return st;
    }
    return PRECIS_OK;
}

/* ---- bytes of a part ------------------------------------------------------------------------------------------------------- */

typedef struct { uint8_t *codes, *zeros; float *scales; uint8_t *all; } rowbuf;

static precis_status put_floats(folder *f, pcs_out *o, const part *p, const pcs_tensor *t)
{
    const size_t n = (size_t)t->ne[0];
    const bool vector = t->dims < 2, one = without_one(f, t);
    const uint64_t rows = vector ? 1 : p->dims == 2 && t->dims == 3 ? (uint64_t)t->ne[1] : pcs_tensor_rows(t), first = p->dims == 2 && t->dims == 3 ? (uint64_t)p->matrix * rows : 0;
    const bool turn = turned(f, t);
    float *x = pcs_alloc(f->c->ctx, turn ? n * rows : n, sizeof *x), *y = pcs_alloc(f->c->ctx, turn ? rows : n, sizeof *y);
    uint8_t *bytes = pcs_alloc(f->c->ctx, (turn ? rows : n) * p->format->bytes, 1);
    precis_status st = x && y && bytes ? PRECIS_OK : PRECIS_ENOMEM;
    for (uint64_t r = 0; r < rows && !st; r++) {
        pcs_decode(t->format, n, t->data + (first + (vector ? 0 : source_row(f, t, r))) * pcs_tensor_row_bytes(t), turn ? x + r * n : x);
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

/* All of a module's codes, scales or zero points; the word layouts are those of hf_quant.c. */
static precis_status put_codes(folder *f, pcs_out *o, const part *p)
{
    static const int awq_place[8] = { 0, 4, 1, 5, 2, 6, 3, 7 };
    pcs_intview *v = &f->views[p->tensor];
    const pcs_tensor *t = v->t;
    const bool ct = f->layout == PCS_CT;
    const int bits = ct ? v->bits : f->bits, rise = (1 << (bits - 1)) - (1 << (v->bits - 1)); /* symmetric codes in more bits */
    const int64_t rows = v->rows, cols = v->cols, g = ct ? v->group : f->group < 0 ? cols : f->group, groups = cols / g, words = (cols * bits + 31) / 32;
    uint8_t *codes = pcs_alloc(f->c->ctx, (size_t)cols, 1), *zeros = pcs_alloc(f->c->ctx, (size_t)v->groups + 1, 1), *out = pcs_alloc(f->c->ctx, p->bytes, 1);
    float *scales = pcs_alloc(f->c->ctx, (size_t)v->groups + 1, sizeof *scales);
    precis_status st = codes && zeros && out && scales ? PRECIS_OK : PRECIS_ENOMEM;
    uint32_t *w = (uint32_t *)(void *)out;
    for (int64_t r = 0; r < rows && !st; r++) {
        pcs_intview_row(v, (uint64_t)(p->matrix * rows) + source_row(f, t, (uint64_t)r), codes, scales, zeros);
        for (int64_t c = 0; p->what == P_INT8 && c < cols; c++) out[r * cols + c] = (uint8_t)(codes[c] - 128);
        if (p->what == P_CODES)
            for (int64_t c = 0; c < cols; c++) {
                const uint32_t code = codes[c] + (uint32_t)(v->affine ? 0 : rise);
                if (ct) put_bits(w + r * words, 1, c * bits, bits, code);
                else if (f->layout == PCS_AWQ) w[c * (rows / 8) + r / 8] |= code << (4 * awq_place[r % 8]);
                else w[c * bits / 32 * rows + r] |= code << (c * bits % 32);
            }
        for (int64_t k = 0; k < groups && (p->what == P_SCALES || p->what == P_ZEROS); k++) {
            const int64_t from = k * g / v->group;
            const uint32_t zero = zeros[from] + (uint32_t)(v->affine ? 0 : rise);
            if (p->what == P_SCALES) {
                const uint64_t at = (uint64_t)(ct ? r * groups + k : k * rows + r);
                if (!strcmp(p->dtype, "F32")) memcpy(out + 4 * at, &scales[from], 4);
                else pcs_store16(out + 2 * at, pcs_f32_to_f16(scales[from]));
            } else if (ct) put_bits(w + k, groups, r * bits, bits, zero);
            else if (f->layout == PCS_AWQ) w[k * (rows / 8) + r / 8] |= zero << (4 * awq_place[r % 8]);
            else {
                if (!zero) st = pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED, "tensor %s: a zero point of 0 cannot be written in gptq's first version, which stores one less", t->name);
                w[(k * rows + r) * bits / 32] |= (zero - 1) << (r * bits % 32);
            }
        }
    }
    if (!st) st = pcs_out_add(o, out, p->bytes);
    pcs_free(f->c->ctx, codes);
    pcs_free(f->c->ctx, zeros);
    pcs_free(f->c->ctx, out);
    pcs_free(f->c->ctx, scales);
    return st;
}

static precis_status put_fp(folder *f, pcs_out *o, const part *p, const pcs_tensor *t)
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
            const int i = (int)(c % block), half = group / 2, at = nv ? 4 + i / 16 * 8 + i % half : 1 + i % half;
            if (p->what == P_FP4) out[((int64_t)r * cols + c) / 2] |= (uint8_t)((b[at] >> (i % group / half * 4) & 15) << (c % 2 * 4));
            else if (i % group == 0) out[((int64_t)r * cols + c) / group] = b[nv ? i / 16 : 0];
        }
    }
    const precis_status st = pcs_out_add(o, out, p->bytes);
    pcs_free(f->c->ctx, out);
    return st;
}

static precis_status put_part(folder *f, pcs_out *o, const part *p)
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
        const pcs_tensor *s = pcs_model_part(f->c->m, t->is.layer, t->is.role, PCS_END_scale);
        const float v = s ? 1.0f / pcs_bits_f32(pcs_load32(s->data + (s->n > 1 ? 4 * p->matrix : 0))) : 1.0f;
        return pcs_out_add(o, &v, 4);
    }
    case P_INVERSE: {
        float v;
        pcs_decode(t->format, 1, t->data, &v);
        v = v > 0 ? 1.0f / v : 1.0f;
        return pcs_out_add(o, &v, 4);
    }
    default: return put_fp(f, o, p, t);
    }
}

/* ---- the files -------------------------------------------------------------------------------------------------------------- */

static precis_status write_weights(folder *f, pcs_out_folder *dir)
{
    pcs_buf head;
    pcs_buf_init(&head, f->c->ctx, PCS_LIMIT_HEADER);
    uint64_t at = 0;
    precis_status st = pcs_buf_printf(&head, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < f->n && !st; i++) {
        const part *p = &f->parts[i];
        st = pcs_buf_printf(&head, ",");
        if (!st) st = pcs_json_text(&head, p->name, strlen(p->name));
        if (!st) st = pcs_buf_printf(&head, ":{\"dtype\":\"%s\",\"shape\":[", p->dtype);
        for (int d = 0; d < p->dims && !st; d++) st = pcs_buf_printf(&head, "%s%lld", d ? "," : "", (long long)p->shape[d]);
        if (!st) st = pcs_buf_printf(&head, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at, (unsigned long long)(at + p->bytes));
        at += p->bytes;
    }
    if (!st) st = pcs_buf_printf(&head, "}");
    while (!st && head.len % 8) st = pcs_buf_printf(&head, " ");
    pcs_out *o;
    const uint64_t len = head.len;
    f->c->report->bytes = 8 + len + at;
    if (!st) st = pcs_out_folder_begin(dir, "model.safetensors", 8 + len + at, &o);
    if (!st) st = pcs_out_add(o, &len, 8);
    if (!st) st = pcs_out_add(o, head.data, head.len);
    for (size_t i = 0; i < f->n && !st; i++) {
        st = put_part(f, o, &f->parts[i]);
        if (!st) st = pcs_progress(f->c->ctx, "convert", i + 1, f->n);
    }
    if (!st) st = pcs_out_finish(o);
    pcs_buf_free(&head);
    return st;
}

static precis_status write_config(folder *f, pcs_out_folder *dir)
{
    pcs_buf b;
    pcs_buf_init(&b, f->c->ctx, PCS_LIMIT_JSON);
    precis_status st = pcs_hf_write_config(f->c->m, &b);
    if (!st && f->layout == PCS_CT) st = pcs_groups_write(&f->groups, &b);
    else if (!st)
        st = f->layout == PCS_GPTQ ? pcs_buf_printf(&b, ",\n \"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": %d, \"group_size\": %lld, \"desc_act\": false, \"sym\": %s, \"lm_head\": false, \"checkpoint_format\": \"gptq\"}",
                                                    f->bits, (long long)f->group, f->sym ? "true" : "false")
                                   : pcs_buf_printf(&b, ",\n \"quantization_config\": {\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": %lld, \"zero_point\": true, \"version\": \"gemm\", \"modules_to_not_convert\": [", (long long)f->group);
    if (!st && f->layout == PCS_AWQ) st = pcs_buf_add(&b, f->groups.ignore.data, f->groups.ignore.len);
    if (!st && f->layout == PCS_AWQ) st = pcs_buf_printf(&b, "]}");
    if (!st) st = pcs_buf_printf(&b, "\n}\n");
    if (!st) st = pcs_out_folder_add(dir, "config.json", b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

/* Asked of the hidden folder before it gets its name. */
static precis_status check_folder(void *user, const char *dir)
{
    folder *f = user;
    pcs_part_meant *meant = pcs_arena_alloc(&f->arena, f->n + 1, sizeof *meant);
    for (size_t i = 0; meant && i < f->n; i++) {
        const part *p = &f->parts[i];
        meant[i] = (pcs_part_meant){ p->name, p->dims, p->shape, p->bytes };
    }
    return meant ? pcs_folder_read_back(f->c->ctx, f->c->path, dir, meant, f->n, f->c) : PRECIS_ENOMEM;
}

static precis_status no_names(const pcs_convert *c)
{
    const char *arch = pcs_model_string(c->m, "general.architecture");
    return pcs_fail(c->ctx, PRECIS_EUNSUPPORTED,
                    "%s: architecture \"%.40s\" has no names in transformers that precis knows", c->m->path,
                    arch ? arch : "");
}

precis_status pcs_write_folder(pcs_convert *c, pcs_layout layout)
{
    folder f = { .c = c, .layout = layout, .arch = pcs_hf_type_of(c->m) ? pcs_arch_of(c->m) : NULL };
    const size_t n = c->m->n_tensors;
    pcs_out_folder *dir = pcs_alloc(c->ctx, 1, sizeof *dir);
    const uint64_t refused = precis_ctx_refused(c->ctx);
    pcs_arena_init(&f.arena, c->ctx);
    pcs_groups_init(&f.groups, c->ctx);
    f.kinds = pcs_alloc(c->ctx, n + 1, sizeof *f.kinds);
    f.views = pcs_alloc(c->ctx, n + 1, sizeof *f.views);
    precis_status st = dir && f.kinds && f.views ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st && !f.arch) st = no_names(c);
    if (!st) st = pcs_counts_read(c->m, &f.counts);
    if (!st) st = pcs_out_folder_open(c->ctx, dir, c->path); /* what can be refused is refused before work starts */
    for (size_t i = 0; i < n && !st; i++) st = choose(&f, i);
    if (!st) st = unify(&f);
    for (size_t i = 0; i < n && !st; i++) st = add_tensor(&f, i);
    if (!st) st = write_config(&f, dir);
    if (!st) st = pcs_hf_tokenizer(c->ctx, c->m, dir);
    if (!st) st = write_weights(&f, dir);
    st = pcs_with_memory(c->ctx, refused, st); /* a name that could not be made must not give way to another */
    if (!st) st = pcs_out_folder_commit(dir, check_folder, &f);
    if (dir && dir->ctx) pcs_out_folder_close(dir);
    pcs_free(c->ctx, dir);
    for (size_t i = 0; f.views && i < n; i++) pcs_intview_close(c->ctx, &f.views[i]);
    pcs_free(c->ctx, f.views);
    pcs_free(c->ctx, f.kinds);
    pcs_free(c->ctx, f.parts);
    pcs_groups_free(&f.groups);
    pcs_arena_free(&f.arena);
    return st;
}

static precis_status write_safetensors(pcs_convert *c) { return pcs_write_folder(c, PCS_CT); }
static precis_status write_gptq(pcs_convert *c) { return pcs_write_folder(c, PCS_GPTQ); }
static precis_status write_awq(pcs_convert *c) { return pcs_write_folder(c, PCS_AWQ); }
const pcs_writer pcs_writer_safetensors = { "safetensors", true, write_safetensors };
const pcs_writer pcs_writer_gptq = { "gptq", true, write_gptq };
const pcs_writer pcs_writer_awq = { "awq", true, write_awq };
