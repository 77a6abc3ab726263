/* labels.c - labels of samples: .npy of whole numbers (a class for each sample, or for each place of each, or a
 * sequence) or of scores, .txt with a number in each line (a sequence), .json (labels_json.c), or the folders that
 * images lie in. */
#include "eval/net/score.h"

#include "base/file.h"
#include "graph/element.h"
#include "read/npz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

precis_status pcs_numbers_of(precis_ctx *ctx, const precis_array *a, pcs_numbers *x)
{
    pcs_dtype d = PCS_F32;
    if (!pcs_array_dtype(a, &d)) return pcs_fail(ctx, PRECIS_EINVAL, "array %s: type %s is none", a->name, a->type);
    x->name = a->name;
    x->dims = a->dims;
    memcpy(x->shape, a->shape, sizeof x->shape);
    x->n = (size_t)(a->bytes / pcs_dtype_bytes(d));
    x->whole = pcs_dtype_whole(d);
    if (x->n > x->room || !x->at) {
        pcs_free(ctx, x->at);
        x->room = 0;
        if (!(x->at = pcs_alloc(ctx, x->n + 1, sizeof *x->at))) return PRECIS_ENOMEM;
        x->room = x->n;
    }
    pcs_block_room room;
    for (size_t i = 0; i < x->n; i += PCS_BLOCK) {
        const size_t n = x->n - i < PCS_BLOCK ? x->n - i : PCS_BLOCK;
        pcs_elements_load(d, (const char *)a->data + i * pcs_dtype_bytes(d), 1, n, &room);
        const pcs_domain from = pcs_domain_of(d);
        for (size_t k = 0; k < n; k++)
            x->at[i + k] = from == PCS_IN_F32   ? (double)room.f[k]
                           : from == PCS_IN_F64 ? room.d[k]
                           : from == PCS_IN_I64 ? (double)room.i[k]
                                                : (double)room.u[k];
    }
    return PRECIS_OK;
}

void pcs_numbers_free(precis_ctx *ctx, pcs_numbers *x)
{
    pcs_free(ctx, x->at);
    *x = (pcs_numbers){ 0 };
}

/* Numbers are classes where all are whole, else scores: of samples where the net gives one number, else of pairs. */
static precis_status settle(precis_ctx *ctx, pcs_labels *l, const precis_samples *samples, bool one_number, bool real)
{
    const pcs_numbers *x = &l->classes;
    size_t i = 0;
    while (i < x->n && x->at[i] >= -1e15 && x->at[i] <= 1e15 && x->at[i] == floor(x->at[i])) i++;
    const bool whole = i == x->n, pairs = !one_number && samples && 2 * l->n == precis_samples_count(samples);
    if (x->n != l->n || (whole && !pairs && !(one_number && real))) {
        if (whole) return PRECIS_OK;
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: label %zu is %g; classes are whole numbers", l->where, i, x->at[i]);
    }
    if (!whole && !(x->at[i] >= -1e15 && x->at[i] <= 1e15))
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: label %zu is %g", l->where, i, x->at[i]);
    l->scores = l->classes;
    l->classes = (pcs_numbers){ 0 };
    l->each = one_number ? 1 : 2;
    return PRECIS_OK;
}

/* Rows of whole numbers, padded with negative ones, as sequences. */
static precis_status rows_are_sequences(precis_ctx *ctx, pcs_labels *l)
{
    const pcs_numbers *x = &l->classes;
    if (x->dims != 2) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: sequences are rows [n][longest]", l->where);
    const size_t longest = (size_t)x->shape[1];
    l->sequences = pcs_arena_alloc(&l->arena, (size_t)l->n + 1, sizeof *l->sequences);
    int64_t *all = pcs_arena_alloc(&l->arena, x->n + 1, sizeof *all);
    if (!l->sequences || !all) return PRECIS_ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        pcs_reading *s = &l->sequences[i];
        s->at = all + i * longest;
        for (size_t k = 0; k < longest; k++)
            if (x->at[i * longest + k] >= 0) s->at[s->n++] = (int64_t)x->at[i * longest + k];
    }
    return PRECIS_OK;
}

static precis_status from_array(precis_ctx *ctx, pcs_labels *l, const precis_samples *samples,
                                const precis_eval_net_options *o, bool one_number)
{
    precis_array a;
    precis_status st = precis_array_read(ctx, &a, o->labels);
    if (st) return st;
    st = pcs_numbers_of(ctx, &a, &l->classes);
    if (!st && !a.dims) st = pcs_fail(ctx, PRECIS_EINVAL, "%s: labels have a dimension for samples", l->where);
    if (!st) l->n = (uint64_t)a.shape[0];
    if (!st) st = settle(ctx, l, samples, one_number && !o->sequence, !l->classes.whole);
    if (!st && o->sequence) st = rows_are_sequences(ctx, l);
    precis_array_free(ctx, &a);
    return st;
}

/* A number in each line; of sequences any number of them. */
typedef struct { pcs_labels *l; const char *p; size_t line, n; bool real; } line_reader;

static precis_status one_line(precis_ctx *ctx, line_reader *r, bool many)
{
    pcs_labels *l = r->l;
    size_t got = 0;
    for (r->line++; *r->p && *r->p != '\n';) {
        char *end;
        const double v = strtod(r->p, &end);
        const size_t rest = strspn(end, " \t\r");
        if (end == r->p && !got && !rest && *end != '\n') got = 2;
        else if (end != r->p) l->classes.at[r->n++] = v, got++;
        for (const char *c = r->p; c < end; c++) r->real |= *c == '.' || *c == 'e' || *c == 'E';
        if ((end == r->p && !rest) || (end != r->p && !rest && *end && *end != '\n') || (got > 1 && !many))
            return pcs_fail(ctx, PRECIS_EFORMAT, "%s: line %zu is no number", l->where, r->line);
        r->p = end + rest;
    }
    r->p += *r->p == '\n';
    if (!got && !many && r->p[strspn(r->p, " \t\r\n")]) /* blank lines are for the end */
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: line %zu is no number", l->where, r->line);
    if (many) l->sequences[l->n].n = got;
    l->n += many || got;
    return PRECIS_OK;
}

static precis_status from_lines(precis_ctx *ctx, pcs_labels *l, const precis_samples *samples,
                                const precis_eval_net_options *o, bool one_number)
{
    char *text;
    size_t len;
    precis_status st = pcs_text_slurp(ctx, o->labels, PCS_LIMIT_TEXT, PRECIS_INPUT_TEXT, &text, &len);
    if (st) return st;
    size_t lines = 1, n = 0;
    for (size_t i = 0; i < len; i++) lines += text[i] == '\n';
    l->classes = (pcs_numbers){ .dims = 1, .at = pcs_alloc(ctx, len / 2 + 2, sizeof(double)), .room = len / 2 + 2 };
    l->sequences = o->sequence ? pcs_arena_alloc(&l->arena, lines + 1, sizeof *l->sequences) : NULL;
    if (!l->classes.at || (o->sequence && !l->sequences)) st = PRECIS_ENOMEM;
    line_reader r = { .l = l, .p = text };
    while (!st && *r.p) st = one_line(ctx, &r, o->sequence != NULL);
    l->classes.n = r.n;
    l->classes.shape[0] = (int64_t)r.n;
    int64_t *all = st || !o->sequence ? NULL : pcs_arena_alloc(&l->arena, r.n + 1, sizeof *all);
    if (!st && o->sequence && !all) st = PRECIS_ENOMEM;
    for (size_t i = 0; i < r.n && all; i++) all[i] = l->classes.at[i] >= 0 ? (int64_t)l->classes.at[i] : -1;
    for (size_t i = 0; i < l->n && all; n += l->sequences[i++].n) l->sequences[i].at = all + n;
    if (!st && !o->sequence) st = settle(ctx, l, samples, one_number, r.real);
    pcs_free(ctx, text);
    return st;
}

static precis_status from_folders(precis_ctx *ctx, pcs_labels *l, const precis_samples *samples)
{
    const uint64_t n = precis_samples_count(samples);
    precis_samples_class(samples, 0, &l->n_classes);
    if (!l->n_classes) return PRECIS_OK;
    l->classes = (pcs_numbers){ .dims = 1, .shape = { (int64_t)n }, .n = (size_t)n, .room = (size_t)n,
                                .at = pcs_alloc(ctx, (size_t)n, sizeof(double)) };
    if (!l->classes.at) return PRECIS_ENOMEM;
    for (uint64_t i = 0; i < n; i++) l->classes.at[i] = (double)precis_samples_class(samples, i, NULL);
    l->n = n;
    return PRECIS_OK;
}

precis_status pcs_labels_open(precis_ctx *ctx, pcs_labels *l, const precis_samples *samples,
                              const precis_eval_net_options *o, bool one_number)
{
    const char *path = o->labels;
    *l = (pcs_labels){ .each = 1 };
    pcs_arena_init(&l->arena, ctx);
    snprintf(l->where, sizeof l->where, "%s", path ? path : "the folders");
    precis_status st = PRECIS_OK;
    if (!path) st = o->sequence || o->detections ? PRECIS_OK : from_folders(ctx, l, samples);
    else if (pcs_ends(path, ".json")) st = pcs_labels_from_json(ctx, l, path);
    else if (pcs_ends(path, ".txt")) st = from_lines(ctx, l, samples, o, one_number);
    else st = from_array(ctx, l, samples, o, one_number);
    if (!st && path && !l->n) st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: has no labels", path);
    return st;
}

void pcs_labels_close(precis_ctx *ctx, pcs_labels *l)
{
    pcs_numbers_free(ctx, &l->classes);
    pcs_numbers_free(ctx, &l->scores);
    pcs_arena_free(&l->arena);
}
