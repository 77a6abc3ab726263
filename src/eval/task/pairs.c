/* pairs.c - minimal pairs: two texts that differ in one word, which turns the right answer into the other one. A
 * model that does not look at that word is right in half of them and changes its choice in none; both are shown. */
#include "eval/task.h"

enum { EACH = 20 };

/* %1 and %2: names or things, drawn; the word before | in {a|b} belongs to the first text, the other to the second. */
typedef struct { const char *group, *text, *first, *second; bool thing; } pattern;
static const pattern patterns[] = {
    { "negation", "The %1 is {full|empty}. There is", " something in it", " nothing in it", true },
    { "negation", "%1 {liked|hated} the soup, so the bowl was left", " empty", " full", false },
    { "number",
      "{One|Two} of the friends came to %1's house, and the rest stayed at home. The number of friends who came is",
      " one", " two", false },
    { "order", "%1 arrived {before|after} %2. The first to arrive was", "%1", "%2", false },
    { "order", "%1 finished the race {ahead of|behind} %2. The winner was", "%1", "%2", false },
    { "comparison", "%1 is {older|younger} than %2. The older of the two is", "%1", "%2", false },
    { "comparison", "%1 is {taller|shorter} than %2. The taller of the two is", "%1", "%2", false },
    { "agent", "%1 {gave|owed} money to %2. The one who should get money back is", "%1", "%2", false },
    { "agent", "%1 {sold|bought} the house: %2 was the other side. The house now belongs to", "%2", "%1", false },
    { "cause", "It was very {hot|cold} outside, so %1 put on a", " hat against the sun", " warm winter coat", false },
    { "cause", "The ground was {wet|dry}, so it had", " rained", " not rained", false },
    { "place", "%1 put the %3 in the {box|drawer}. Later, %1 looked for the %3 in the", " box", " drawer", false },
    { "place", "The %1 is {above|below} the %2. The higher of the two is the", "%1", "%2", true },
    { "colour", "The %1 was painted {red|blue}. Its colour is now", " red", " blue", true },
    { "tense", "{Yesterday|Tomorrow} %1", " went home", " will go home", false },
    { "gender", "The {king|queen} put the crown on", " his head", " her head", false },
};
static const char *const names[] = { "Anna",  "Ben",  "Clara", "David", "Emma", "Frank",  "Grace", "Henry",
                                     "Irene", "Jack", "Kate",  "Louis", "Mary", "Nathan", "Peter", "Rose" };
static const char *const things[] = { "box",  "cup",   "barrel", "basket",  "bottle", "drawer", "bucket", "chest",
                                      "lamp", "chair", "table",  "picture", "mirror", "clock",  "jar",    "pot" };
enum { N = sizeof names / sizeof *names };

/* The pattern's text, by the first or second word, up to its end. */
static const char *expand(precis_task *t, const char *s, bool second, const char *const *what)
{
    pcs_buf b;
    pcs_buf_init(&b, t->ctx, 1 << 12);
    precis_status st = PRECIS_OK;
    bool inside = false, other = false;
    for (; *s && !st; s++) {
        if (*s == '{') inside = true, other = false;
        else if (inside && *s == '|') other = true;
        else if (*s == '}') inside = false;
        else if (!inside || other == second)
            st = *s == '%' ? pcs_buf_add(&b, what[s[1] - '1'], strlen(what[s[1] - '1'])) : pcs_buf_add(&b, s, 1);
        if (*s == '%') s++;
    }
    const char *text = st ? NULL : pcs_arena_copy(&t->arena, b.data ? b.data : "", b.len);
    pcs_buf_free(&b);
    return text;
}

static precis_status add_pair(precis_task *t, const pattern *p, const char *const *what)
{
    precis_status st = PRECIS_OK;
    for (int second = 0; second < 2 && !st; second++) {
        pcs_item item = { .context = expand(t, p->text, second, what),
                          .choices = pcs_task_strings(t, 2),
                          .n_choices = 2,
                          .right = (uint32_t)second,
                          .group = p->group };
        if (!item.context || !item.choices) return PRECIS_ENOMEM;
        for (int i = 0; i < 2; i++) {
            const char *choice = i ? p->second : p->first;
            item.choices[i] = *choice == '%' ? pcs_arena_printf(&t->arena, " %s", what[choice[1] - '1']) : choice;
            if (!item.choices[i]) return PRECIS_ENOMEM;
        }
        st = pcs_task_add(t, item);
    }
    return st;
}

precis_status pcs_task_pairs(precis_task *t)
{
    precis_status st = pcs_task_no_shots(t);
    uint64_t seed = t->opt.seed ^ pcs_hash("pairs", 5);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns && !st; i++) {
        const pattern *p = &patterns[i];
        for (uint32_t k = 0; k < (t->opt.limit ? t->opt.limit : EACH) && !st; k++) {
            const char *const *from = p->thing ? things : names;
            const uint32_t a = pcs_task_draw(&seed, N), b = (a + 1 + pcs_task_draw(&seed, N - 1)) % N;
            const char *what[3] = { from[a], from[b], things[pcs_task_draw(&seed, N)] };
            st = add_pair(t, p, what);
        }
    }
    return st;
}
