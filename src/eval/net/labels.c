/* labels.c - labels of samples: .npy of whole numbers (a class for each sample, or for each place of each), .txt with a
 * number in each line, .json with boxes of each image, or the folders that images lie in. */
#include "eval/net/score.h"

#include "base/file.h"
#include "base/json_file.h"
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

static precis_status from_array(precis_ctx *ctx, pcs_labels *l, const char *path)
{
    precis_array a;
    precis_status st = precis_array_read(ctx, &a, path);
    if (st) return st;
    st = pcs_numbers_of(ctx, &a, &l->classes);
    if (!st && !a.dims) st = pcs_fail(ctx, PRECIS_EINVAL, "%s: labels have a dimension for samples", path);
    for (size_t i = 0; i < l->classes.n && !st; i++)
        if (!(l->classes.at[i] >= -1e15 && l->classes.at[i] <= 1e15) || l->classes.at[i] != floor(l->classes.at[i]))
            st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: label %zu is %g; classes are whole numbers", path, i,
                          l->classes.at[i]);
    if (!st) l->n = (uint64_t)a.shape[0];
    precis_array_free(ctx, &a);
    return st;
}

static precis_status from_lines(precis_ctx *ctx, pcs_labels *l, const char *path)
{
    char *text;
    size_t len;
    precis_status st = pcs_text_slurp(ctx, path, PCS_LIMIT_TEXT, PRECIS_INPUT_TEXT, &text, &len);
    if (st) return st;
    size_t lines = 1, n = 0;
    for (size_t i = 0; i < len; i++) lines += text[i] == '\n';
    l->classes = (pcs_numbers){ .dims = 1, .at = pcs_alloc(ctx, lines, sizeof(double)), .room = lines };
    if (!l->classes.at) st = PRECIS_ENOMEM;
    for (char *p = text; !st && *p;) {
        char *end;
        const long v = strtol(p, &end, 10);
        const size_t rest = strspn(end, " \t\r");
        if (end == p && strspn(p, " \t\r\n") == strlen(p)) break; /* blank lines at the end */
        if (end == p || (end[rest] && end[rest] != '\n'))
            st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: line %zu is no whole number", path, n + 1);
        else l->classes.at[n++] = (double)v;
        p = end + rest + (end[rest] == '\n');
    }
    l->classes.n = n;
    l->classes.shape[0] = (int64_t)n;
    l->n = n;
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

/* ---- boxes: {"images": [{"boxes": [[x1, y1, x2, y2], ...], "classes": [0, ...]}, ...]} -------------- */

typedef struct { pcs_json_file f; pcs_labels *l; pcs_box *list; size_t n, room, classes; uint64_t images; } box_file;

static precis_status number_of(box_file *b, const char *field, double *v)
{
    const precis_status st = pcs_json_double(&b->f.j, &b->f.t, v, field);
    return st || (*v > -1e15 && *v < 1e15) ? st : pcs_json_fail(&b->f.j, b->f.t.text, field, "is out of range");
}

static precis_status add_box(box_file *b)
{
    if (b->n == b->room) {
        const size_t room = b->room ? 2 * b->room : 64;
        pcs_box *more = pcs_grow(b->f.ctx, b->list, b->n * sizeof *more, room, sizeof *more);
        if (!more) return PRECIS_ENOMEM;
        b->list = more;
        b->room = room;
    }
    b->list[b->n] = (pcs_box){ .class_of = -1 };
    precis_status st = PRECIS_OK;
    for (int k = 0; k < 4 && !st; k++) {
        st = pcs_json_expect(&b->f.j, PCS_JSON_NUMBER, &b->f.t, "boxes");
        if (!st) st = number_of(b, "boxes", &b->list[b->n].at[k]);
    }
    if (!st) st = pcs_json_expect(&b->f.j, PCS_JSON_ARRAY_END, &b->f.t, "boxes");
    b->n++;
    return st;
}

static precis_status one_image(void *arg)
{
    box_file *b = arg;
    precis_status st = PRECIS_OK;
    size_t begin = b->n, classes = 0;
    while (pcs_json_file_key(&b->f, &st)) {
        const bool boxes = pcs_json_is(&b->f.t, "boxes"), of = pcs_json_is(&b->f.t, "classes");
        if (!boxes && !of) {
            st = pcs_json_file_skip(&b->f);
            continue;
        }
        st = pcs_json_expect(&b->f.j, PCS_JSON_ARRAY, &b->f.t, boxes ? "boxes" : "classes");
        while (!st && !(st = pcs_json_next(&b->f.j, &b->f.t)) && b->f.t.type != PCS_JSON_ARRAY_END) {
            double v = 0;
            if (boxes) {
                st = b->f.t.type == PCS_JSON_ARRAY ? add_box(b)
                                                   : pcs_json_fail(&b->f.j, b->f.t.text, "boxes", "holds no boxes");
                continue;
            }
            if (b->f.t.type != PCS_JSON_NUMBER)
                st = pcs_json_fail(&b->f.j, b->f.t.text, "classes", "holds no numbers");
            if (!st) st = number_of(b, "classes", &v);
            if (!st && begin + classes >= b->n)
                st = pcs_json_fail(&b->f.j, b->f.t.text, "classes", "are more than the boxes before them");
            if (!st) b->list[begin + classes++].class_of = (int64_t)v;
        }
    }
    if (!st && begin + classes != b->n)
        st = pcs_json_fail(&b->f.j, b->f.j.p, "classes", "are fewer than the boxes");
    for (size_t i = begin; i < b->n && !st; i++) b->list[i].score = (double)b->images;
    b->images++;
    return st;
}

static precis_status from_boxes(precis_ctx *ctx, pcs_labels *l, const char *path)
{
    box_file b = { .l = l };
    precis_status st = pcs_json_file_open(&b.f, ctx, path);
    if (st) return st;
    st = pcs_json_expect(&b.f.j, PCS_JSON_OBJECT, &b.f.t, "boxes");
    while (pcs_json_file_key(&b.f, &st))
        if (pcs_json_is(&b.f.t, "images")) st = pcs_json_file_list(&b.f, "images", one_image, &b);
        else st = pcs_json_file_skip(&b.f);
    pcs_json_file_close(&b.f);
    l->boxes = st ? NULL : pcs_arena_alloc(&l->arena, (size_t)b.images + 1, sizeof *l->boxes);
    pcs_box *all = st ? NULL : pcs_arena_alloc(&l->arena, b.n + 1, sizeof *all);
    if (!st && (!l->boxes || !all)) st = PRECIS_ENOMEM;
    for (size_t i = 0; i < b.n && !st; i++) {
        pcs_boxes *of = &l->boxes[(size_t)b.list[i].score]; /* the image, until here */
        all[i] = b.list[i];
        all[i].score = 1;
        if (!of->n++) of->list = &all[i];
    }
    pcs_free(ctx, b.list);
    l->n = b.images;
    return st;
}

precis_status pcs_labels_open(precis_ctx *ctx, pcs_labels *l, const precis_samples *samples, const char *path)
{
    *l = (pcs_labels){ 0 };
    pcs_arena_init(&l->arena, ctx);
    snprintf(l->where, sizeof l->where, "%s", path ? path : "the folders");
    precis_status st;
    if (!path) st = from_folders(ctx, l, samples);
    else if (pcs_ends(path, ".json")) st = from_boxes(ctx, l, path);
    else if (pcs_ends(path, ".txt")) st = from_lines(ctx, l, path);
    else st = from_array(ctx, l, path);
    if (!st && path && !l->n) st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: has no labels", path);
    return st;
}

void pcs_labels_close(precis_ctx *ctx, pcs_labels *l)
{
    pcs_numbers_free(ctx, &l->classes);
    pcs_arena_free(&l->arena);
}
