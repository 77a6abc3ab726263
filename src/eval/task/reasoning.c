/* reasoning.c - generated questions of rising difficulty, apart from what a text's perplexity shows: chains of sums,
 * relations, copying, brackets, look-up. Every item has its own words and numbers, from the seed; wrong choices are
 * drawn from the same item, so that nothing but the task tells them apart. */
#include "eval/task.h"

#include <stdio.h>

enum { EACH = 50, WORDS = 64, NAMES = 24 }; /* items of a grade, unless the caller says */

static const char *const words[WORDS] = {
    "river",  "stone",  "apple",  "window", "garden", "silver", "paper",  "horse",  "candle", "bridge",  "winter",
    "music",  "table",  "cloud",  "forest", "letter", "island", "mirror", "orange", "market", "feather", "button",
    "harbor", "pencil", "valley", "rabbit", "hammer", "ribbon", "castle", "butter", "copper", "meadow",  "needle",
    "pepper", "saddle", "tunnel", "violin", "walnut", "anchor", "basket", "carpet", "desert", "engine",  "flower",
    "guitar", "helmet", "jacket", "kettle", "ladder", "magnet", "napkin", "oyster", "pillow", "quartz",  "rocket",
    "spider", "temple", "velvet", "wagon",  "yellow", "zebra",  "barrel", "cotton", "dragon",
};
static const char *const names[NAMES] = { "Anna",  "Ben",   "Clara", "David",  "Emma",  "Frank",  "Grace",  "Henry",
                                          "Irene", "Jack",  "Kate",  "Louis",  "Mary",  "Nathan", "Olivia", "Peter",
                                          "Rose",  "Simon", "Tessa", "Victor", "Wendy", "Adam",   "Julia",  "Martin" };

/* The first k of a shuffled 0 to n - 1. */
static void shuffle(uint64_t *seed, uint32_t *a, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) a[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        const uint32_t k = pcs_task_draw(seed, i), x = a[k];
        a[k] = a[i - 1];
        a[i - 1] = x;
    }
}

typedef struct { const char *right, *const *wrong; uint32_t n_wrong; } choices;

/* Adds an item with one right choice and wrong ones in a drawn order; the text goes over into the arena. */
static precis_status add(precis_task *t, uint64_t *seed, const pcs_buf *text, const char *group, choices c)
{
    pcs_item item = { .context = pcs_arena_copy(&t->arena, text->data, text->len),
                      .n_choices = c.n_wrong + 1,
                      .right = pcs_task_draw(seed, c.n_wrong + 1),
                      .group = group };
    item.choices = pcs_task_strings(t, item.n_choices);
    if (!item.context || !item.choices) return PRECIS_ENOMEM;
    for (uint32_t i = 0, w = 0; i < item.n_choices; i++) {
        item.choices[i] = pcs_arena_printf(&t->arena, " %s", i == item.right ? c.right : c.wrong[w++]);
        if (!item.choices[i]) return PRECIS_ENOMEM;
    }
    return pcs_task_add(t, item);
}

typedef precis_status maker(precis_task *t, uint64_t *seed, uint32_t grade, const char *group, pcs_buf *b);

/* All grades of a task: `limit` items each. */
static precis_status grades(precis_task *t, const char *unit, const uint32_t *grade, uint32_t n, maker *make)
{
    precis_status st = pcs_task_no_shots(t);
    uint64_t seed = t->opt.seed ^ pcs_hash(t->name, strlen(t->name));
    for (uint32_t g = 0; g < n && !st; g++) {
        const char *group = pcs_arena_printf(&t->arena, "%u %s", grade[g], unit);
        if (!group) return PRECIS_ENOMEM;
        for (uint32_t i = 0; i < (t->opt.limit ? t->opt.limit : EACH) && !st; i++) {
            pcs_buf b;
            pcs_buf_init(&b, t->ctx, 1 << 20);
            st = make(t, &seed, grade[g], group, &b);
            pcs_buf_free(&b);
        }
    }
    return st;
}

/* ---- sums: three solved chains, then one ---------------------------------------------------------------- */
static precis_status chain(uint64_t *seed, uint32_t steps, pcs_buf *b, int *value)
{
    *value = 1 + (int)pcs_task_draw(seed, 20);
    precis_status st = pcs_buf_printf(b, "%d", *value);
    for (uint32_t i = 0; i < steps && !st; i++) {
        const int x = 1 + (int)pcs_task_draw(seed, 9), minus = *value > x && pcs_task_draw(seed, 2);
        *value += minus ? -x : x;
        st = pcs_buf_printf(b, " %c %d", minus ? '-' : '+', x);
    }
    return st ? st : pcs_buf_printf(b, " =");
}

static precis_status make_arithmetic(precis_task *t, uint64_t *seed, uint32_t steps, const char *group, pcs_buf *b)
{
    int value;
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 3 && !st; i++) {
        st = chain(seed, steps, b, &value);
        if (!st) st = pcs_buf_printf(b, " %d\n", value);
    }
    if (!st) st = chain(seed, steps, b, &value);
    static const int off[] = { 1, -1, 2, -2, 10 };
    uint32_t order[5];
    char text[4][16];
    const char *wrong[3];
    shuffle(seed, order, 5);
    for (int i = 0, k = 0; i < 3; k++)
        if (value + off[order[k]] >= 0) { /* at most two of five fall below 0 */
            snprintf(text[i], sizeof text[i], "%d", value + off[order[k]]);
            wrong[i] = text[i];
            i++;
        }
    snprintf(text[3], sizeof text[3], "%d", value);
    return st ? st : add(t, seed, b, group, (choices){ text[3], wrong, 3 });
}

precis_status pcs_task_arithmetic(precis_task *t)
{
    return grades(t, "steps", (const uint32_t[]){ 1, 2, 3, 5 }, 4, make_arithmetic);
}

/* ---- relations: links of a chain in a drawn order -------------------------------------------------------- */
static precis_status make_transitive(precis_task *t, uint64_t *seed, uint32_t links, const char *group, pcs_buf *b)
{
    uint32_t who[NAMES], order[8];
    shuffle(seed, who, NAMES);
    shuffle(seed, order, links);
    static const char *const relation[][2] = { { "taller", "tallest" },
                                               { "older", "oldest" },
                                               { "faster", "fastest" } };
    const char *const *r = relation[pcs_task_draw(seed, 3)];
    precis_status st = PRECIS_OK;
    for (uint32_t i = 0; i < links && !st; i++)
        st = pcs_buf_printf(b, "%s is %s than %s. ", names[who[order[i]]], r[0], names[who[order[i] + 1]]);
    if (!st) st = pcs_buf_printf(b, "\nQuestion: Who is the %s?\nAnswer:", r[1]);
    const char *wrong[8];
    for (uint32_t i = 0; i < links; i++) wrong[i] = names[who[i + 1]];
    return st ? st : add(t, seed, b, group, (choices){ names[who[0]], wrong, links });
}

precis_status pcs_task_transitive(precis_task *t)
{
    return grades(t, "links", (const uint32_t[]){ 1, 2, 3, 4 }, 4, make_transitive);
}

/* ---- copying: the list again, up to a drawn place --------------------------------------------------------- */
static precis_status make_copy(precis_task *t, uint64_t *seed, uint32_t length, const char *group, pcs_buf *b)
{
    uint32_t w[WORDS];
    shuffle(seed, w, WORDS);
    precis_status st = pcs_buf_printf(b, "List:");
    for (uint32_t i = 0; i < length && !st; i++) st = pcs_buf_printf(b, " %s", words[w[i]]);
    if (!st) st = pcs_buf_printf(b, "\nThe same list again:");
    const uint32_t at = 1 + pcs_task_draw(seed, length - 1);
    for (uint32_t i = 0; i < at && !st; i++) st = pcs_buf_printf(b, " %s", words[w[i]]);
    uint32_t order[WORDS];
    const char *wrong[3];
    shuffle(seed, order, length);
    for (uint32_t i = 0, k = 0; i < 3; k++)
        if (order[k] != at) wrong[i++] = words[w[order[k]]];
    return st ? st : add(t, seed, b, group, (choices){ words[w[at]], wrong, 3 });
}

precis_status pcs_task_copy(precis_task *t)
{
    return grades(t, "words", (const uint32_t[]){ 4, 8, 16, 32 }, 4, make_copy);
}

/* ---- brackets: two closed sequences, then one to close ------------------------------------------------------ */
static precis_status nest(uint64_t *seed, uint32_t depth, pcs_buf *b, uint32_t *open, uint32_t left)
{
    precis_status st = PRECIS_OK;
    for (uint32_t i = 0; i < depth && !st; i++) {
        open[i] = pcs_task_draw(seed, 4);
        st = pcs_buf_printf(b, " %c", "([{<"[open[i]]);
    }
    for (uint32_t i = depth; i > left && !st; i--) st = pcs_buf_printf(b, " %c", ")]}>"[open[i - 1]]);
    return st;
}

static precis_status make_brackets(precis_task *t, uint64_t *seed, uint32_t depth, const char *group, pcs_buf *b)
{
    static const char *const closing[] = { ")", "]", "}", ">" };
    uint32_t open[16];
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 2 && !st; i++) {
        st = nest(seed, depth, b, open, 0);
        if (!st) st = pcs_buf_printf(b, "\n");
    }
    const uint32_t left = 1 + pcs_task_draw(seed, depth);
    if (!st) st = nest(seed, depth, b, open, left);
    const char *wrong[3];
    for (uint32_t i = 0, k = 0; k < 4; k++)
        if (k != open[left - 1]) wrong[i++] = closing[k];
    return st ? st : add(t, seed, b, group, (choices){ closing[open[left - 1]], wrong, 3 });
}

precis_status pcs_task_brackets(precis_task *t)
{
    return grades(t, "deep", (const uint32_t[]){ 1, 2, 4, 8 }, 4, make_brackets);
}

/* ---- look-up: the line that is asked for lies `distance` lines back ------------------------------------------ */
static precis_status make_lookup(precis_task *t, uint64_t *seed, uint32_t distance, const char *group, pcs_buf *b)
{
    uint32_t w[WORDS], value[WORDS], order[WORDS];
    shuffle(seed, w, WORDS);
    const uint32_t before = 2, lines = before + distance;
    for (uint32_t i = 0; i < lines; i++) value[i] = 10 + pcs_task_draw(seed, 90);
    precis_status st = PRECIS_OK;
    for (uint32_t i = 0; i < lines && !st; i++) st = pcs_buf_printf(b, "%s: %u\n", words[w[i]], value[i]);
    if (!st) st = pcs_buf_printf(b, "%s:", words[w[before]]);
    char text[4][16];
    const char *wrong[3];
    uint32_t n = 0;
    shuffle(seed, order, lines);
    for (uint32_t k = 0; n < 3; k++) { /* values of other lines, else others */
        const uint32_t v = k < lines ? value[order[k]] : 10 + pcs_task_draw(seed, 90);
        bool used = v == value[before];
        for (uint32_t i = 0; i < n; i++) used |= v == (uint32_t)(10 * (text[i][0] - '0') + text[i][1] - '0');
        if (used) continue;
        snprintf(text[n], sizeof text[n], "%u", v);
        wrong[n] = text[n];
        n++;
    }
    snprintf(text[3], sizeof text[3], "%u", value[before]);
    return st ? st : add(t, seed, b, group, (choices){ text[3], wrong, 3 });
}

precis_status pcs_task_lookup(precis_task *t)
{
    return grades(t, "lines back", (const uint32_t[]){ 1, 4, 16, 48 }, 4, make_lookup);
}
