/* lines.c - sets of JSON lines: lambada {"text"}, gsm8k {"question", "answer"}, and the
 * user's own {"context", "choices", "answer", "group"}. */
#include "eval/task.h"

/* What a line may have. */
typedef struct { char *text, *question, *context, *group, *said, **choices; uint32_t n; int64_t right; } line;

static precis_status read_choices(precis_task *t, pcs_json *j, line *l)
{
    pcs_json_token k;
    precis_status st;
    size_t len;
    if (l->choices) return pcs_json_fail(j, j->p, "choices", "appears twice");
    if (!(l->choices = pcs_arena_alloc(&t->arena, PRECIS_TASK_CHOICES, sizeof *l->choices))) return PRECIS_ENOMEM;
    while (!(st = pcs_json_next(j, &k)) && k.type != PCS_JSON_ARRAY_END) {
        if (k.type != PCS_JSON_STRING) return pcs_json_fail(j, k.text, "choices[]", "is no string");
        if (l->n == PRECIS_TASK_CHOICES) return pcs_json_fail(j, k.text, "choices", "has more than 16");
        if ((st = pcs_json_string(j, &k, &t->arena, &l->choices[l->n++], &len))) return st;
    }
    return st;
}

static precis_status read_line(precis_task *t, const char *text, size_t n, line *l)
{
    pcs_json j;
    pcs_json_token k;
    size_t len;
    *l = (line){ .right = -1 };
    pcs_json_init(&j, t->ctx, text, n);
    precis_status st = pcs_json_expect(&j, PCS_JSON_OBJECT, &k, "line");
    while (!st && !(st = pcs_json_next(&j, &k)) && k.type == PCS_JSON_KEY) {
        const struct {
            const char *name;
            char **into;
        } known[] = {
            { "text", &l->text }, { "question", &l->question }, { "context", &l->context }, { "group", &l->group }
        };
        char **into = NULL;
        for (size_t i = 0; i < 4; i++)
            if (pcs_json_is(&k, known[i].name)) into = known[i].into;
        const bool choices = pcs_json_is(&k, "choices"), answer = pcs_json_is(&k, "answer");
        if ((st = pcs_json_next(&j, &k))) break;
        const bool is_string = k.type == PCS_JSON_STRING;
        if (into && is_string) st = pcs_json_string(&j, &k, &t->arena, into, &len);
        else if (into) st = pcs_json_fail(&j, k.text, "text, question, context or group", "is no string");
        else if (choices && k.type == PCS_JSON_ARRAY) st = read_choices(t, &j, l);
        else if (choices) st = pcs_json_fail(&j, k.text, "choices", "is no array");
        else if (answer && is_string) st = pcs_json_string(&j, &k, &t->arena, &l->said, &len);
        else if (answer && k.type == PCS_JSON_NUMBER) st = pcs_json_int(&j, &k, &l->right, "answer");
        else if (answer) st = pcs_json_fail(&j, k.text, "answer", "is neither a number nor a string");
        else st = pcs_json_skip(&j, &k);
    }
    return st;
}

static precis_status missing(precis_task *t, size_t number, const char *what)
{
    return pcs_fail(t->ctx, PRECIS_EFORMAT, "%s: line %zu: %s", t->name, number, what);
}

/* The word after the last blank is asked for. */
static precis_status lambada(precis_task *t, const line *l, size_t number)
{
    const char *gap = l->text ? strrchr(l->text, ' ') : NULL;
    if (!gap) return missing(t, number, "\"text\" is missing, or has one word");
    pcs_item item = { .context = pcs_arena_copy(&t->arena, l->text, (size_t)(gap - l->text)),
                      .choices = pcs_task_strings(t, 1),
                      .n_choices = 1 };
    if (!item.context || !item.choices) return PRECIS_ENOMEM;
    item.choices[0] = gap;
    return pcs_task_add(t, item);
}

static precis_status choices(precis_task *t, const line *l, size_t number)
{
    if (!l->context || !l->n || l->right < 0 || l->right >= l->n)
        return missing(t, number, "\"context\", \"choices\" and \"answer\" (the index of the right one) are wanted");
    const pcs_item item = { .context = l->context,
                            .choices = (const char **)l->choices,
                            .n_choices = l->n,
                            .right = (uint32_t)l->right,
                            .group = l->group };
    return pcs_task_add(t, item);
}

typedef precis_status line_fn(precis_task *t, const line *l, size_t number);

static precis_status each(precis_task *t, const char *text, size_t len, line_fn *fn)
{
    const char *p = text, *end = text + len;
    precis_status st = PRECIS_OK;
    for (size_t number = 1; p < end && !st && !pcs_task_full(t); number++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        const size_t n = (size_t)((stop ? stop : end) - p);
        line l;
        if (n > 1 || (n && *p != '\r')) {
            st = read_line(t, p, n, &l);
            if (!st) st = fn(t, &l, number);
        }
        p = stop ? stop + 1 : end;
    }
    return st;
}

precis_status pcs_task_lambada(precis_task *t)
{
    const precis_status st = pcs_task_no_shots(t);
    return st ? st : each(t, t->text, t->len, lambada);
}

precis_status pcs_task_lines(precis_task *t)
{
    const precis_status st = pcs_task_no_shots(t);
    return st ? st : each(t, t->text, t->len, choices);
}

/* ---- gsm8k ---------------------------------------------------------------------------------------------- */
static precis_status gsm8k(precis_task *t, const line *l, size_t number)
{
    const char *mark = l->said ? strstr(l->said, "#### ") : NULL;
    if (!l->question || !mark) return missing(t, number, "\"question\" and \"answer\" with \"#### NUMBER\" are wanted");
    pcs_item item = { .answer = pcs_arena_copy(&t->arena, mark + 5, strlen(mark + 5)) };
    item.context = pcs_arena_printf(&t->arena, "%sQuestion: %s\nAnswer:", t->opt.shots ? t->items[0].context : "",
                                    l->question);
    return item.answer && item.context ? pcs_task_add(t, item) : PRECIS_ENOMEM;
}

static precis_status solved(precis_task *t, const line *l, size_t number)
{
    if (!l->question || !l->said) return missing(t, number, "\"question\" and \"answer\" are wanted");
    const char *all = pcs_arena_printf(&t->arena, "%sQuestion: %s\nAnswer: %s\n\n",
                                       t->n ? t->items[t->n - 1].context : "", l->question, l->said);
    return all ? pcs_task_add(t, (pcs_item){ .context = all }) : PRECIS_ENOMEM;
}

/* The first of train.jsonl, solved, before each question: they are gathered as items, the last of which holds all. */
precis_status pcs_task_gsm8k(precis_task *t)
{
    const uint32_t limit = t->opt.limit, shots = t->opt.shots;
    precis_status st = PRECIS_OK;
    if (shots > 32) return pcs_fail(t->ctx, PRECIS_EINVAL, "task gsm8k shows at most 32 solved examples");
    if (shots) {
        char *text;
        size_t len;
        st = pcs_task_read(t, "gsm8k/train.jsonl", &text, &len);
        t->opt.limit = shots;
        if (!st) st = each(t, text, len, solved);
        pcs_free(t->ctx, text);
        if (!st && t->n < shots)
            st = pcs_fail(t->ctx, PRECIS_EINVAL, "task gsm8k: %zu solved examples, less than %u", t->n, shots);
        if (!st) t->items[0] = t->items[t->n - 1];
        t->n = shots ? 1 : 0;
        t->opt.limit = limit ? limit + 1 : 0;
    }
    if (!st) st = each(t, t->text, t->len, gsm8k);
    if (!st && shots) memmove(t->items, t->items + 1, --t->n * sizeof *t->items);
    t->opt.limit = limit;
    return st;
}
