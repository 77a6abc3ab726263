/* hf_folder.c - a transformers folder: model.safetensors, config.json, tokenizer. Integer tensors become modules of
 * compressed-tensors (pack-quantized), GPTQ or AWQ; others stay floats. */
#include "write/hf_folder.h"

#include "base/lack.h"
#include "format/element.h"
#include "format/scheme.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static pcs_folder_part *add(pcs_made_folder *f, const pcs_folder_part *made)
{
    if (f->n == f->cap) {
        const size_t cap = f->cap * 2 + 64;
        pcs_folder_part *grown = pcs_grow(f->c->ctx, f->parts, f->n * sizeof *grown, cap, sizeof *grown);
        if (!grown) return NULL;
        f->parts = grown;
        f->cap = cap;
    }
    pcs_folder_part *p = &f->parts[f->n++];
    *p = *made;
    p->name = pcs_arena_copy(&f->arena, made->name, strlen(made->name));
    return p->name ? p : NULL;
}

/* Rows that are looked up, not multiplied by. */
static bool is_table(const pcs_tensor *t)
{
    const pcs_tensor_role r = t->is.role;
    return r == PCS_ROLE_token_embd || r == PCS_ROLE_position_embd || r == PCS_ROLE_token_types;
}

/* ---- what each tensor becomes ---------------------------------------------------------------------------------- */

static const char *layout_name(pcs_layout layout) { return layout == PCS_AWQ ? "awq" : "gptq"; }

/* GPTQ and AWQ want every linear layer as codes, all alike. */
static precis_status must_be_codes(pcs_made_folder *f, size_t i, bool is)
{
    const pcs_tensor *t = &f->c->m->tensors[i];
    const pcs_intview *v = &f->views[i];
    const bool awq = f->layout == PCS_AWQ;
    const char *want = awq ? "4-bit codes in groups of at least 32" : "2-, 4- or 8-bit codes";
    if (t->format->kind != PCS_QUANT && t->is.role == PCS_ROLE_ffn_gate_inp) return PRECIS_OK;
    if (!is && t->ne[0] % 32)
        return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED,
                        "tensor %s: rows of %lld weights are no whole groups of 32, and %s holds nothing else; "
                        "--format safetensors has no such limit", t->name, (long long)t->ne[0], layout_name(f->layout));
    if (!is || v->bits > (awq ? 4 : 8) || !v->half)
        return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED,
                        "tensor %s is %s; %s holds %s with f16 scales. Quantize first: precis quant MODEL --type %s",
                        t->name, t->format->name, layout_name(f->layout), want, awq ? "UINT4_G128" : "INT4_G128");
    return PRECIS_OK;
}

/* Only 4-bit floats of compressed-tensors have a number beside the weight; it goes into the numbers of others, and
 * codes, as all must be in the other layouts, have no room for it. */
static precis_status not_scaled(pcs_made_folder *f, const pcs_tensor *t)
{
    if (f->layout == PCS_CT) return PRECIS_OK;
    return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED,
                    "tensor %s: %s has no place for the scale that stands beside it; --format safetensors multiplies "
                    "it in", t->name, layout_name(f->layout));
}

static precis_status choose(pcs_made_folder *f, size_t i)
{
    const pcs_tensor *t = &f->c->m->tensors[i];
    const pcs_format *s = t->format;
    bool is = false;
    f->kinds[i] = AS_FLOATS;
    const bool turned = pcs_folder_turned(f, t);
    const bool weight = t->is.end == PCS_END_weight && !is_table(t) && !turned && t->dims >= 2;
    if (!weight || !pcs_folder_named(f, t)) return PRECIS_OK;
    if (pcs_folder_scale(f->c->m, t) && (f->layout != PCS_CT || s->book != pcs_book_e2m1)) return not_scaled(f, t);
    if (f->layout == PCS_CT && s->element && s->head) f->kinds[i] = AS_FP8;
    else if (f->layout == PCS_CT && s->book == pcs_book_e2m1) f->kinds[i] = AS_FP4;
    else if (s->kind == PCS_QUANT) {
        const precis_status st = pcs_intview_open(f->c->ctx, t, &f->views[i], &is);
        if (st) return st;
        const pcs_intview *v = &f->views[i];
        const bool by_row = v->bits == 8 && v->channel && !v->affine;
        const bool bytes = f->layout == PCS_CT && f->act.whole && f->act.bits == 8 && by_row;
        if (is) f->kinds[i] = bytes ? AS_INT8 : AS_CODES;
    }
    const bool experts = t->dims == 3 && pcs_role_of_experts(t->is.role);
    const bool linear = (t->dims == 2 || experts) && t->is.role != PCS_ROLE_output;
    if (f->layout != PCS_CT && linear) return must_be_codes(f, i, is);
    if (f->layout != PCS_CT && is) {
        pcs_intview_close(f->c->ctx, &f->views[i]);
        f->kinds[i] = AS_FLOATS;
    }
    return PRECIS_OK;
}

/* Bits and groups that all modules share. */
static precis_status unify(pcs_made_folder *f)
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
    if (!f->any)
        return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED,
                        "the model has no integer weights; quantize first: precis quant MODEL --type INT4_G128");
    for (size_t i = 0; i < f->c->m->n_tensors; i++) {
        const pcs_intview *v = &f->views[i];
        if (f->kinds[i] != AS_CODES) continue;
        const int64_t g = f->group < 0 ? v->cols : f->group, in_word = 32 / f->bits;
        if (v->cols % g || v->group % g)
            return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED, "tensor %s: groups of %lld, others have %lld", v->t->name,
                            (long long)v->group, (long long)g);
        if (v->rows % in_word || v->cols % in_word)
            return pcs_fail(f->c->ctx, PRECIS_EUNSUPPORTED, "tensor %s: [%lld, %lld] does not fill whole words",
                            v->t->name, (long long)v->rows, (long long)v->cols);
    }
    return PRECIS_OK;
}

/* One matrix of the model, and what transformers calls it: the weight, and the module that it is in. */
typedef struct {
    size_t tensor;
    int64_t matrix;
    const char *name, *module;
    char inputs[256]; /* compressed-tensors: the scheme of what the module reads */
} matrix;

static bool add_named(pcs_made_folder *f, const matrix *m, const char *name, pcs_folder_part made)
{
    made.name = name;
    made.tensor = m->tensor;
    made.matrix = m->matrix;
    return add(f, &made) != NULL;
}

/* A tensor of the matrix's module. */
static bool add_to(pcs_made_folder *f, const matrix *m, const char *suffix, pcs_folder_part made)
{
    char name[512];
    snprintf(name, sizeof name, "%s.%s", m->module, suffix);
    return add_named(f, m, name, made);
}

/* A part of rows x cols numbers of so many bytes; and one of n. */
static pcs_folder_part grid(pcs_folder_content what, const char *dtype, int64_t rows, int64_t cols, int64_t bytes)
{
    return (pcs_folder_part){
        .what = what, .dtype = dtype, .dims = 2, .shape = { rows, cols }, .bytes = (uint64_t)(rows * cols * bytes)
    };
}

static pcs_folder_part list(pcs_folder_content what, const char *dtype, int64_t n, int64_t bytes)
{
    return (pcs_folder_part){
        .what = what, .dtype = dtype, .dims = 1, .shape = { n }, .bytes = (uint64_t)(n * bytes)
    };
}

static precis_status add_compressed(pcs_made_folder *f, const matrix *m)
{
    const pcs_intview *v = &f->views[m->tensor];
    const int64_t rows = v->rows, cols = v->cols, groups = cols / v->group;
    const int64_t words = (cols * v->bits + 31) / 32, zero_words = (rows * v->bits + 31) / 32;
    const bool bytes = f->kinds[m->tensor] == AS_INT8;
    const pcs_folder_part scales = grid(P_SCALES, v->half ? "F16" : "F32", rows, groups, v->half ? 2 : 4);
    bool ok = bytes ? add_to(f, m, "weight", grid(P_INT8, "I8", rows, cols, 1))
                    : add_to(f, m, "weight_packed", grid(P_CODES, "I32", rows, words, 4)) &&
                          add_to(f, m, "weight_shape", list(P_SHAPE, "I64", 2, 8));
    ok = ok && add_to(f, m, "weight_scale", scales);
    if (v->affine) ok = ok && add_to(f, m, "weight_zero_point", grid(P_ZEROS, "I32", zero_words, groups, 4));
    if (!ok) return PRECIS_ENOMEM;
    char size[24], weights[256];
    snprintf(size, sizeof size, "%lld", (long long)v->group);
    snprintf(weights, sizeof weights,
             "{\"num_bits\": %d, \"type\": \"int\", \"symmetric\": %s, \"strategy\": \"%s\", \"group_size\": %s, "
             "\"dynamic\": false}",
             v->bits, v->affine ? "false" : "true", v->channel ? "channel" : "group", v->channel ? "null" : size);
    return pcs_groups_add(&f->groups, m->module, bytes ? "int-quantized" : "pack-quantized", weights, m->inputs);
}

static precis_status add_codes(pcs_made_folder *f, const matrix *m)
{
    if (f->layout == PCS_CT) return add_compressed(f, m);
    const pcs_intview *v = &f->views[m->tensor];
    const int64_t rows = v->rows, cols = v->cols, groups = cols / (f->group < 0 ? cols : f->group);
    const int64_t zeros = rows * f->bits / 32;
    bool ok = f->layout == PCS_GPTQ ? add_to(f, m, "qweight", grid(P_CODES, "I32", cols * f->bits / 32, rows, 4)) &&
                                          add_to(f, m, "g_idx", list(P_INDEX, "I32", cols, 4))
                                    : add_to(f, m, "qweight", grid(P_CODES, "I32", cols, rows / 8, 4));
    ok = ok && add_to(f, m, "qzeros", grid(P_ZEROS, "I32", groups, zeros, 4));
    ok = ok && add_to(f, m, "scales", grid(P_SCALES, "F16", groups, rows, 2));
    return ok ? PRECIS_OK : PRECIS_ENOMEM;
}

static precis_status add_fp8(pcs_made_folder *f, const matrix *m, const pcs_tensor *t)
{
    char weights[256];
    const char *dtype = t->format->element->exponent_bits == 4 ? "F8_E4M3" : "F8_E5M2";
    const bool one_scale = t->format->tensor;
    const pcs_folder_part scales =
        one_scale ? list(P_ROW_SCALES, "F32", 1, 4) : grid(P_ROW_SCALES, "F32", t->ne[1], 1, 4);
    if (!add_named(f, m, m->name, grid(P_FP8, dtype, t->ne[1], t->ne[0], 1)) || !add_to(f, m, "weight_scale", scales))
        return PRECIS_ENOMEM;
    snprintf(weights, sizeof weights,
             "{\"num_bits\": 8, \"type\": \"float\", \"symmetric\": true, \"strategy\": \"%s\", "
             "\"dynamic\": false}",
             one_scale ? "tensor" : "channel");
    return pcs_groups_add(&f->groups, m->module, "float-quantized", weights, m->inputs);
}

/* Is a format of 4-bit floats NVIDIA's, with groups of 16, and not the one of OCP's microscaling? */
static bool is_nvfp4(const pcs_tensor *t) { return t->format->group == 16; }

static const char *fp4_name(const pcs_tensor *t)
{
    return is_nvfp4(t) ? "nvfp4-pack-quantized" : "mxfp4-pack-quantized";
}

static precis_status add_fp4(pcs_made_folder *f, const matrix *m, const pcs_tensor *t)
{
    const bool nv = is_nvfp4(t);
    const int64_t rows = t->ne[1], cols = t->ne[0], g = nv ? 16 : 32;
    char weights[256];
    bool ok = add_to(f, m, "weight_packed", grid(P_FP4, "U8", rows, cols / 2, 1));
    ok = ok && add_to(f, m, "weight_scale", grid(P_FP4_SCALES, nv ? "F8_E4M3" : "U8", rows, cols / g, 1));
    if (nv) ok = ok && add_to(f, m, "weight_global_scale", list(P_GLOBAL, "F32", 1, 4));
    if (!ok) return PRECIS_ENOMEM;
    snprintf(weights, sizeof weights,
             "{\"num_bits\": 4, \"type\": \"float\", \"symmetric\": true, \"strategy\": \"%s\", \"group_size\": %lld, "
             "\"dynamic\": false}",
             nv ? "tensor_group" : "group", (long long)g);
    return pcs_groups_add(&f->groups, m->module, fp4_name(t), weights, m->inputs);
}

/* `experts`: so many matrices of two dimensions are made of the tensor; 0: it stays as it is. */
static precis_status add_floats(pcs_made_folder *f, const matrix *m, const pcs_format *to, int64_t experts)
{
    const pcs_tensor *t = &f->c->m->tensors[m->tensor];
    const bool turn = pcs_folder_turned(f, t);
    if (t->dims > 1 && pcs_ends(m->name, ".weight") && !is_table(t)) {
        const precis_status st = pcs_groups_ignore(&f->groups, m->module);
        if (st) return st;
    }
    const int64_t rows = t->dims < 2 || turn ? t->ne[0] : t->ne[1], cols = turn ? t->ne[1] : t->ne[0];
    const uint64_t n = t->n / (uint64_t)(experts ? experts : 1);
    pcs_folder_part made = { .dtype = to->dtype, .what = P_FLOATS, .dims = experts ? 2 : (int)t->dims,
                             .shape = { rows, cols }, .bytes = n * to->bytes, .format = to };
    for (int d = 0; t->dims > 2 && !experts && d < made.dims; d++) made.shape[d] = t->ne[made.dims - 1 - d];
    return add_named(f, m, m->name, made) ? PRECIS_OK : PRECIS_ENOMEM;
}

/* What a weight loses that is multiplied by the number beside it and stored in format `to`. */
static precis_status lost_scaled(pcs_made_folder *f, const pcs_tensor *t, const pcs_format *to, double *lost)
{
    const size_t n = t->n ? (size_t)t->ne[0] : 0;
    const pcs_tensor *scale = pcs_folder_scale(f->c->m, t);
    float *x = pcs_alloc(f->c->ctx, 2 * n + 1, sizeof *x), *y = x + n;
    uint8_t *row = pcs_alloc(f->c->ctx, pcs_row_bytes(to, n) + 64, 1);
    const precis_status st = x && row ? PRECIS_OK : PRECIS_ENOMEM;
    *lost = 0;
    for (uint64_t r = 0; n && !st && r < t->n / n; r++) {
        const float by = pcs_folder_scale_at(scale, t, r);
        pcs_decode(t->format, n, t->data + r * pcs_tensor_row_bytes(t), x);
        for (size_t i = 0; i < n; i++) y[i] = x[i] * by;
        to->from_f32(n, y, row);
        pcs_decode(to, n, row, y);
        for (size_t i = 0; i < n; i++) {
            const double d = fabs((double)x[i] * (double)by - (double)y[i]);
            if (!(d <= *lost)) *lost = d < INFINITY ? d : INFINITY;
        }
    }
    pcs_free(f->c->ctx, x);
    pcs_free(f->c->ctx, row);
    return st;
}

static precis_status lost_in(pcs_made_folder *f, const pcs_tensor *t, const pcs_format *to, double *lost)
{
    return pcs_folder_scale(f->c->m, t) ? lost_scaled(f, t, to, lost) : pcs_lost(f->c->ctx, t, to, lost);
}

/* What a scale loses that is stored as its reciprocal. */
static double lost_by_inverse(const pcs_tensor *scale)
{
    double lost = 0;
    for (uint64_t i = 0; i < scale->n && scale->format == &pcs_format_f32; i++) {
        const float v = pcs_bits_f32(pcs_load32(scale->data + 4 * i));
        const double d = fabs((double)(1.0f / pcs_folder_inverse(v)) - (double)v);
        lost = d > lost ? d : lost;
    }
    return lost;
}

/* The format of a tensor that stays floats, and what is lost by it. */
static precis_status float_format(pcs_made_folder *f, const pcs_tensor *t, const pcs_format **to, double *lost)
{
    *to = t->format->dtype ? t->format : pcs_format_by_name(f->c->opt.exact ? "F32" : "F16");
    if (pcs_folder_without_one(f, t)) *to = &pcs_format_f32;
    const precis_status st = lost_in(f, t, *to, lost);
    if (st || *lost != INFINITY || *to == &pcs_format_f32) return st;
    *to = &pcs_format_f32; /* numbers are beyond F16's range */
    return lost_in(f, t, *to, lost);
}

/* What the report says that a tensor became. */
static const char *kind_name(const pcs_made_folder *f, size_t i)
{
    switch (f->kinds[i]) {
    case AS_INT8: return "int-quantized";
    case AS_FP8: return "float-quantized";
    case AS_FP4: return fp4_name(&f->c->m->tensors[i]);
    default: return f->layout == PCS_CT ? "pack-quantized" : layout_name(f->layout);
    }
}

static precis_status name_matrix(pcs_made_folder *f, const pcs_tensor *t, matrix *m)
{
    m->name = pcs_hf_source(&f->arena, f->arch, t->name, (unsigned)m->matrix);
    if (!m->name) m->name = pcs_arena_copy(&f->arena, t->name, strlen(t->name));
    if (!m->name) return PRECIS_ENOMEM;
    const size_t ending = pcs_ends(m->name, ".weight") ? strlen(".weight") : 0;
    m->module = pcs_arena_copy(&f->arena, m->name, strlen(m->name) - ending);
    if (!m->module) return PRECIS_ENOMEM;
    const bool grouped = f->layout == PCS_CT && f->kinds[m->tensor] != AS_FLOATS;
    return grouped ? pcs_groups_inputs(f->c->m, t, m->inputs) : PRECIS_OK;
}

static precis_status add_matrix(pcs_made_folder *f, const matrix *m, const pcs_format *to, int64_t experts)
{
    const pcs_tensor *t = &f->c->m->tensors[m->tensor];
    switch (f->kinds[m->tensor]) {
    case AS_CODES: case AS_INT8: return add_codes(f, m);
    case AS_FP8: return add_fp8(f, m, t);
    case AS_FP4: return add_fp4(f, m, t);
    default: break;
    }
    if (f->layout != PCS_CT || t->is.end != PCS_END_input_scale || !f->act.scaled_whole)
        return add_floats(f, m, to, experts);
    char name[512];
    snprintf(name, sizeof name, "%.*s.input_global_scale", (int)strlen(m->name) - 12, m->name);
    return add_named(f, m, name, list(P_INVERSE, "F32", 1, 4)) ? PRECIS_OK : PRECIS_ENOMEM;
}

static precis_status add_tensor(pcs_made_folder *f, size_t i)
{
    const pcs_tensor *t = &f->c->m->tensors[i];
    precis_convert_row *row = &f->c->report->rows[i];
    const bool of_experts = pcs_role_of_experts(t->is.role);
    const bool of_inputs = t->is.end == PCS_END_input_scale || t->is.end == PCS_END_input_zero;
    const bool shared = t->n == 1 && of_experts && of_inputs; /* repeated for each expert */
    const int64_t experts = !of_experts ? 0 : t->dims == 3 ? t->ne[2] : shared ? f->counts.experts : 0;
    *row = (precis_convert_row){ sizeof *row, t->name, t->format->name, t->format->name, 1, 0 };
    if (t->is.end == PCS_END_scale) { /* goes with its weight, or is in its numbers */
        row->max_error = lost_by_inverse(t);
        row->exact = row->max_error == 0;
        return PRECIS_OK;
    }
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
    precis_status st = f->kinds[i] == AS_FLOATS ? float_format(f, t, &to, &lost) : PRECIS_OK;
    if (st) return st;
    row->to = f->kinds[i] == AS_FLOATS ? to->dtype : kind_name(f, i);
    row->max_error = lost;
    row->exact = lost == 0;
    for (int64_t e = 0; e < (experts ? experts : 1) && !st; e++) {
        matrix m = { .tensor = i, .matrix = e };
        st = name_matrix(f, t, &m);
        if (!st) st = add_matrix(f, &m, to, shared ? 0 : experts);
    }
    return st;
}

/* ---- the files -------------------------------------------------------------------------------------------------- */

/* The entry of a part in the header of model.safetensors. */
static precis_status put_entry(pcs_buf *head, const pcs_folder_part *p, uint64_t at)
{
    precis_status st = pcs_buf_printf(head, ",");
    if (!st) st = pcs_json_text(head, p->name, strlen(p->name));
    if (!st) st = pcs_buf_printf(head, ":{\"dtype\":\"%s\",\"shape\":[", p->dtype);
    for (int d = 0; d < p->dims && !st; d++) st = pcs_buf_printf(head, "%s%lld", d ? "," : "", (long long)p->shape[d]);
    const unsigned long long from = at, to = at + p->bytes;
    return st ? st : pcs_buf_printf(head, "],\"data_offsets\":[%llu,%llu]}", from, to);
}

static precis_status write_weights(pcs_made_folder *f, pcs_out_folder *dir)
{
    pcs_buf head;
    pcs_buf_init(&head, f->c->ctx, PCS_LIMIT_HEADER);
    uint64_t at = 0;
    precis_status st = pcs_buf_printf(&head, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < f->n && !st; i++) {
        st = put_entry(&head, &f->parts[i], at);
        at += f->parts[i].bytes;
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
        st = pcs_folder_put(f, o, &f->parts[i]);
        if (!st) st = pcs_progress(f->c->ctx, "convert", i + 1, f->n);
    }
    if (!st) st = pcs_out_finish(o);
    pcs_buf_free(&head);
    return st;
}

static precis_status write_config(pcs_made_folder *f, pcs_out_folder *dir)
{
    pcs_buf b;
    pcs_buf_init(&b, f->c->ctx, PCS_LIMIT_JSON);
    precis_status st = pcs_hf_write_config(f->c->m, &b);
    if (!st && f->layout == PCS_CT) st = pcs_groups_write(&f->groups, &b);
    if (!st && f->layout == PCS_GPTQ)
        st = pcs_buf_printf(&b, ",\n \"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": %d, "
                                "\"group_size\": %lld, \"desc_act\": false, \"sym\": %s, \"lm_head\": false, "
                                "\"checkpoint_format\": \"gptq\"}",
                            f->bits, (long long)f->group, f->sym ? "true" : "false");
    if (!st && f->layout == PCS_AWQ)
        st = pcs_buf_printf(&b, ",\n \"quantization_config\": {\"quant_method\": \"awq\", \"bits\": 4, "
                                "\"group_size\": %lld, \"zero_point\": true, \"version\": \"gemm\", "
                                "\"modules_to_not_convert\": [",
                            (long long)f->group);
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
    pcs_made_folder *f = user;
    pcs_part_meant *meant = pcs_arena_alloc(&f->arena, f->n + 1, sizeof *meant);
    for (size_t i = 0; meant && i < f->n; i++) {
        const pcs_folder_part *p = &f->parts[i];
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
    pcs_made_folder f = { .c = c, .layout = layout, .arch = pcs_hf_type_of(c->m) ? pcs_arch_of(c->m) : NULL };
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
    pcs_activations_of(pcs_model_string(c->m, "precis.activations"), &f.act);
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
