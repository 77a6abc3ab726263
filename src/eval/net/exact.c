/* exact.c - sequences, as recognizers of text and speech give them: the share that is read without a mistake, and
 * beside it the edits (Levenshtein 1966) that all would need over the length of all labels. Classes lie as
 * [n][places][classes], as [places][n][classes], or, of whole numbers, as [n][places]. "ctc" takes the likeliest class
 * of each place, repetitions once, blanks not at all (Graves et al. 2006, section 3.2). */
#include "eval/net/score.h"

enum { PLACES_MOST = 65536 };

typedef struct { int64_t *read; size_t *row; size_t room; uint64_t *edits; } readings; /* row[2][room + 1]; edits[n] */

typedef struct { size_t places, classes, step, at; } strides; /* of a sample's classes: at + place * step */

static bool strides_of(const pcs_numbers *x, uint64_t batch, uint64_t row, strides *s)
{
    const uint32_t d = x->dims;
    *s = (strides){ 0 };
    if (!x->n || d < 1 || d > 3) return false;
    const size_t a = (size_t)x->shape[0], b = d > 1 ? (size_t)x->shape[1] : 1, c = d > 2 ? (size_t)x->shape[2] : 1;
    if (x->whole && d == 1 && batch == 1) *s = (strides){ a, 1, 1, 0 };
    else if (x->whole && d == 2 && a == batch) *s = (strides){ b, 1, 1, (size_t)row * b };
    else if (!x->whole && d == 2 && batch == 1) *s = (strides){ a, b, b, 0 };
    else if (!x->whole && d == 3 && a == batch) *s = (strides){ b, c, c, (size_t)row * b * c };
    else if (!x->whole && d == 3 && b == batch) *s = (strides){ a, c, b * c, (size_t)row * c };
    return s->places && s->places <= PLACES_MOST;
}

size_t pcs_sequence_places(const pcs_numbers *x, uint64_t batch)
{
    strides s;
    return strides_of(x, batch, 0, &s) ? s.places : 0;
}

bool pcs_sequence_of(const pcs_numbers *x, const precis_eval_net_options *o, uint64_t batch, uint64_t row,
                     pcs_reading *out)
{
    strides s;
    out->n = 0;
    if (!strides_of(x, batch, row, &s)) return false;
    const bool ctc = !strcmp(o->sequence, "ctc");
    const int64_t blank = o->blank < 0 ? (int64_t)s.classes - 1 : o->blank;
    int64_t last = -1;
    for (size_t i = 0; i < s.places; i++) {
        const double *p = x->at + s.at + i * s.step;
        int64_t best = x->whole ? (int64_t)p[0] : 0;
        for (size_t k = 1; k < s.classes; k++)
            if (p[k] > p[best]) best = (int64_t)k;
        const bool counts = x->whole && best < 0 ? false : !ctc || (best != blank && best != last);
        last = best;
        if (counts) out->at[out->n++] = best;
    }
    return true;
}

static bool fits(const pcs_labels *l, const precis_eval_net_options *o)
{
    return o->sequence && (l->sequences || l->of_reference);
}

static precis_status begin(pcs_score *s)
{
    readings *r = s->state = pcs_alloc(s->ctx, 1, sizeof *r);
    if (!r) return PRECIS_ENOMEM;
    s->right = pcs_alloc(s->ctx, (size_t)s->n + 1, 1);
    r->edits = pcs_alloc(s->ctx, (size_t)s->n + 1, sizeof *r->edits);
    return s->right && r->edits ? PRECIS_OK : PRECIS_ENOMEM;
}

/* The sample's reading in the state; room of a row as long as the longer of both. */
static precis_status reading(pcs_score *s, uint64_t row, uint64_t n, const pcs_numbers *x, size_t label,
                             pcs_reading *out)
{
    readings *r = s->state;
    const size_t places = pcs_sequence_places(x, n), room = places > label ? places : label;
    if (!places)
        return pcs_fail(s->ctx, PRECIS_EINVAL,
                        "output %s has no classes along a sequence: [n][places][classes], [places][n][classes]",
                        x->name);
    if (room > r->room || !r->read) {
        pcs_free(s->ctx, r->read);
        pcs_free(s->ctx, r->row);
        r->room = 0;
        r->read = pcs_alloc(s->ctx, room, sizeof *r->read);
        r->row = pcs_alloc(s->ctx, room + 1, 2 * sizeof *r->row);
        if (!r->read || !r->row) return PRECIS_ENOMEM;
        r->room = room;
    }
    out->at = r->read;
    pcs_sequence_of(x, s->o, n, row, out);
    return PRECIS_OK;
}

static precis_status label(pcs_score *s, pcs_labels *l, uint64_t i, uint64_t row, uint64_t n,
                           const pcs_numbers *outputs)
{
    pcs_reading said;
    precis_status st = reading(s, row, n, &outputs[s->output], 0, &said);
    if (st) return st;
    l->sequences[i] = (pcs_reading){ pcs_arena_alloc(&l->arena, said.n + 1, sizeof *said.at), said.n };
    if (!l->sequences[i].at) return PRECIS_ENOMEM;
    memcpy(l->sequences[i].at, said.at, said.n * sizeof *said.at);
    return PRECIS_OK;
}

static size_t edits(readings *r, const pcs_reading *a, const pcs_reading *b)
{
    size_t *last = r->row, *next = r->row + r->room + 1;
    for (size_t k = 0; k <= b->n; k++) last[k] = k;
    for (size_t i = 1; i <= a->n; i++) {
        next[0] = i;
        for (size_t k = 1; k <= b->n; k++) {
            const size_t other = last[k - 1] + (a->at[i - 1] != b->at[k - 1]);
            const size_t without = (last[k] < next[k - 1] ? last[k] : next[k - 1]) + 1;
            next[k] = other < without ? other : without;
        }
        size_t *t = last;
        last = next;
        next = t;
    }
    return last[b->n];
}

static precis_status add(pcs_score *s, uint64_t i, uint64_t row, uint64_t n, const pcs_numbers *outputs)
{
    const pcs_reading *want = &s->labels->sequences[i];
    readings *r = s->state;
    pcs_reading said;
    const precis_status st = reading(s, row, n, &outputs[s->output], want->n, &said);
    if (st) return st;
    r->edits[i] = edits(r, &said, want);
    s->right[i] = !r->edits[i];
    return PRECIS_OK;
}

static double value(const pcs_score *s, const uint32_t *weight, double *second)
{
    const readings *r = s->state;
    double right = 0, all = 0, wrong = 0, length = 0;
    for (uint64_t i = 0; i < s->n; i++) {
        const double w = weight ? weight[i] : 1;
        right += w * s->right[i];
        all += w;
        wrong += w * (double)r->edits[i];
        length += w * (double)s->labels->sequences[i].n;
    }
    if (second) *second = length > 0 ? wrong / length : wrong;
    return all > 0 ? right / all : 0;
}

static void end(pcs_score *s)
{
    readings *r = s->state;
    if (!r) return;
    pcs_free(s->ctx, r->read);
    pcs_free(s->ctx, r->row);
    pcs_free(s->ctx, r->edits);
    pcs_free(s->ctx, r);
}

const pcs_score_kind pcs_score_exact = {
    .name = "exact", .second = "edits", .fits = fits, .begin = begin, .label = label, .add = add, .value = value,
    .end = end, .share = true,
};
