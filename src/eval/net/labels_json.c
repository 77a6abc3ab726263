/* labels_json.c - labels of samples in JSON:
 * {"images": [{"boxes": [[x1, y1, x2, y2], ...], "classes": [0, ...]}, ...]} or {"sequences": [[5, 2, 2], ...]}. */
#include "eval/net/score.h"

#include "base/json_file.h"

/* Boxes, and numbers beside them: the classes of an image, in any order of both, or elements of sequences. */
typedef struct {
    pcs_json_file f;
    pcs_box *list;
    int64_t *numbers;
    size_t *ends; /* of sequences */
    size_t n, room, n_numbers, numbers_room, n_sequences, ends_room;
    uint64_t images;
} label_file;

static precis_status number_of(label_file *b, const char *field, double *v)
{
    if (b->f.t.type != PCS_JSON_NUMBER) return pcs_json_fail(&b->f.j, b->f.t.text, field, "holds no numbers");
    const precis_status st = pcs_json_double(&b->f.j, &b->f.t, v, field);
    return st || (*v > -1e15 && *v < 1e15) ? st : pcs_json_fail(&b->f.j, b->f.t.text, field, "is out of range");
}

static precis_status add_box(label_file *b)
{
    pcs_box *list = pcs_one_more(b->f.ctx, b->list, b->n, &b->room, sizeof *list);
    if (!list) return PRECIS_ENOMEM;
    b->list = list;
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

static precis_status add_number(label_file *b, const char *field)
{
    double v = 0;
    const precis_status st = number_of(b, field, &v);
    if (st) return st;
    int64_t *list = pcs_one_more(b->f.ctx, b->numbers, b->n_numbers, &b->numbers_room, sizeof *list);
    if (!list) return PRECIS_ENOMEM;
    b->numbers = list;
    b->numbers[b->n_numbers++] = (int64_t)v;
    return PRECIS_OK;
}

static precis_status one_image(void *arg)
{
    label_file *b = arg;
    precis_status st = PRECIS_OK;
    const size_t begin = b->n;
    b->n_numbers = 0;
    while (pcs_json_file_key(&b->f, &st)) {
        const bool boxes = pcs_json_is(&b->f.t, "boxes"), of = pcs_json_is(&b->f.t, "classes");
        if (!boxes && !of) {
            st = pcs_json_file_skip(&b->f);
            continue;
        }
        st = pcs_json_expect(&b->f.j, PCS_JSON_ARRAY, &b->f.t, boxes ? "boxes" : "classes");
        while (!st && !(st = pcs_json_next(&b->f.j, &b->f.t)) && b->f.t.type != PCS_JSON_ARRAY_END)
            if (of) st = add_number(b, "classes");
            else if (b->f.t.type == PCS_JSON_ARRAY) st = add_box(b);
            else st = pcs_json_fail(&b->f.j, b->f.t.text, "boxes", "holds no boxes");
    }
    if (!st && b->n_numbers != b->n - begin)
        st = pcs_json_fail(&b->f.j, b->f.j.p, "classes", b->n_numbers < b->n - begin ? "are fewer than the boxes"
                                                                                    : "are more than the boxes");
    for (size_t i = begin; i < b->n && !st; i++) {
        b->list[i].class_of = b->numbers[i - begin];
        b->list[i].score = (double)b->images;
    }
    b->images++;
    return st;
}

/* Of the lists behind "sequences": pcs_json_file_list gives objects alone. */
static precis_status sequences(label_file *b)
{
    precis_status st = pcs_json_expect(&b->f.j, PCS_JSON_ARRAY, &b->f.t, "sequences");
    while (!st && !(st = pcs_json_next(&b->f.j, &b->f.t)) && b->f.t.type != PCS_JSON_ARRAY_END) {
        if (b->f.t.type != PCS_JSON_ARRAY)
            return pcs_json_fail(&b->f.j, b->f.t.text, "sequences", "holds no lists of numbers");
        while (!(st = pcs_json_next(&b->f.j, &b->f.t)) && b->f.t.type != PCS_JSON_ARRAY_END)
            if ((st = add_number(b, "sequences"))) return st;
        size_t *ends = pcs_one_more(b->f.ctx, b->ends, b->n_sequences, &b->ends_room, sizeof *ends);
        if (!ends) return PRECIS_ENOMEM;
        b->ends = ends;
        b->ends[b->n_sequences++] = b->n_numbers;
    }
    return st;
}

static precis_status keep_boxes(pcs_labels *l, const label_file *b)
{
    l->boxes = pcs_arena_alloc(&l->arena, (size_t)b->images + 1, sizeof *l->boxes);
    pcs_box *all = pcs_arena_alloc(&l->arena, b->n + 1, sizeof *all);
    if (!l->boxes || !all) return PRECIS_ENOMEM;
    for (size_t i = 0; i < b->n; i++) {
        pcs_boxes *of = &l->boxes[(size_t)b->list[i].score]; /* the image, until here */
        all[i] = b->list[i];
        all[i].score = 1;
        if (!of->n++) of->list = &all[i];
    }
    l->n = b->images;
    return PRECIS_OK;
}

static precis_status keep_sequences(pcs_labels *l, const label_file *b)
{
    int64_t *all = pcs_arena_alloc(&l->arena, b->n_numbers + 1, sizeof *all);
    l->sequences = pcs_arena_alloc(&l->arena, b->n_sequences + 1, sizeof *l->sequences);
    if (!all || !l->sequences) return PRECIS_ENOMEM;
    if (b->n_numbers) memcpy(all, b->numbers, b->n_numbers * sizeof *all);
    for (size_t i = 0; i < b->n_sequences; i++) {
        const size_t begin = i ? b->ends[i - 1] : 0;
        l->sequences[i] = (pcs_reading){ all + begin, b->ends[i] - begin };
    }
    l->n = b->n_sequences;
    return PRECIS_OK;
}

precis_status pcs_labels_from_json(precis_ctx *ctx, pcs_labels *l, const char *path)
{
    label_file b = { 0 };
    precis_status st = pcs_json_file_open(&b.f, ctx, path);
    if (st) return st;
    bool lists = false;
    st = pcs_json_expect(&b.f.j, PCS_JSON_OBJECT, &b.f.t, "labels");
    while (pcs_json_file_key(&b.f, &st))
        if (pcs_json_is(&b.f.t, "images")) st = pcs_json_file_list(&b.f, "images", one_image, &b);
        else if (pcs_json_is(&b.f.t, "sequences")) lists = true, st = sequences(&b);
        else st = pcs_json_file_skip(&b.f);
    if (!st && lists && b.images)
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: has images and sequences: labels are of one kind", path);
    if (!st) st = lists ? keep_sequences(l, &b) : keep_boxes(l, &b);
    pcs_json_file_close(&b.f);
    pcs_free(ctx, b.list);
    pcs_free(ctx, b.numbers);
    pcs_free(ctx, b.ends);
    return st;
}
