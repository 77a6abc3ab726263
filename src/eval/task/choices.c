/* choices.c - sets of choices in the layout of LLM-Adapters (github.com/AGI-Edgerunners/LLM-Adapters):
 * a JSON array of {"instruction", "answer"}, whose instruction holds question and choices ("Answer1:
 * ... Answer2: ..."). The prompts are lm-evaluation-harness's. */
#include "eval/task.h"

#include <stdio.h>
#include <stdlib.h>

/* "<label>K: " at a place that follows a blank or a line's end; NULL: none. */
static const char *mark(const char *s, const char *label, int k, size_t *len)
{
    char want[32];
    *len = (size_t)snprintf(want, sizeof want, "%s%d:", label, k);
    for (const char *p = s; (p = strstr(p, want)); p++)
        if (p > s && strchr(" \n", p[-1])) return p;
    return NULL;
}

static precis_status malformed(precis_task *t, const char *what)
{
    return pcs_fail(t->ctx, PRECIS_EFORMAT, "task %s: item %zu: %s", t->name, t->n + 1, what);
}

/* winogrande: the sentence up to the blank and an option, and what follows; all options have one continuation. */
static precis_status winogrande(precis_task *t, const char *sentence, const char **options, uint32_t n, uint32_t right)
{
    const char *gap = strchr(sentence, '_');
    if (!gap) return malformed(t, "the sentence has no blank \"_\"");
    pcs_item item = {
        .contexts = pcs_task_strings(t, n), .choices = pcs_task_strings(t, n), .n_choices = n, .right = right
    };
    if (!item.contexts || !item.choices) return PRECIS_ENOMEM;
    const char *rest = pcs_task_trimmed(t, gap + 1, gap + strlen(gap));
    for (uint32_t i = 0; i < n && rest; i++) {
        item.contexts[i] = pcs_arena_printf(&t->arena, "%.*s%s", (int)(gap - sentence), sentence, options[i]);
        item.choices[i] = pcs_arena_printf(&t->arena, " %s", rest);
        if (!item.contexts[i] || !item.choices[i]) return PRECIS_ENOMEM;
    }
    return rest ? pcs_task_add(t, item) : PRECIS_ENOMEM;
}

static precis_status boolq(precis_task *t, const char *text, const char *answer)
{
    const char *q = strstr(text, "question: "), *end = q ? strstr(q, "\n\nAnswer format") : NULL;
    if (!end) return malformed(t, "it has no question");
    pcs_item item = { .choices = pcs_task_strings(t, 2), .n_choices = 2, .right = !strcmp(answer, "true") };
    const char *question = pcs_task_trimmed(t, q + 10, end);
    if (!item.choices || !question) return PRECIS_ENOMEM;
    const size_t n = strlen(question);
    item.context = pcs_arena_printf(&t->arena, "Question: %s%s\nAnswer:", question,
                                    n && question[n - 1] == '?' ? "" : "?");
    item.choices[0] = " no";
    item.choices[1] = " yes";
    return item.context ? pcs_task_add(t, item) : PRECIS_ENOMEM;
}

static precis_status one(precis_task *t, const char *text, const char *answer)
{
    if (!strcmp(t->name, "boolq")) return boolq(t, text, answer);
    static const char *const labels[] = { "Answer", "Solution", "Option" };
    const char *label = labels[0], *first = NULL;
    size_t len = 0;
    for (size_t i = 0; i < 3 && !first; i++) first = mark(text, label = labels[i], 1, &len);
    const char *question = strstr(text, ": "), *end = strstr(text, "Answer format:");
    if (!first || !question || question > first || !end)
        return malformed(t, "the instruction has no question and choices");
    const char *options[PRECIS_TASK_CHOICES];
    uint32_t n = 0;
    for (const char *p = first; p && n < PRECIS_TASK_CHOICES; n++) {
        size_t next_len;
        const char *from = p + len, *next = mark(from, label, (int)n + 2, &next_len);
        if (!(options[n] = pcs_task_trimmed(t, from, next ? next : end))) return PRECIS_ENOMEM;
        p = next;
        len = next_len;
    }
    const char *number = answer + strcspn(answer, "0123456789");
    const long right = strtol(number, NULL, 10);
    if (right < 1 || right > (long)n) return malformed(t, "its answer is none of the choices");
    const char *asked = pcs_task_trimmed(t, question + 2, first);
    if (!asked) return PRECIS_ENOMEM;
    if (!strcmp(t->name, "winogrande")) return winogrande(t, asked, options, n, (uint32_t)right - 1);
    pcs_item item = { .choices = pcs_task_strings(t, n), .n_choices = n, .right = (uint32_t)right - 1 };
    item.context = !strcmp(t->name, "openbookqa") ? asked : pcs_arena_printf(&t->arena, "Question: %s\nAnswer:", asked);
    if (!item.choices || !item.context) return PRECIS_ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        if (!(item.choices[i] = pcs_arena_printf(&t->arena, " %s", options[i]))) return PRECIS_ENOMEM;
    return pcs_task_add(t, item);
}

precis_status pcs_task_choices(precis_task *t)
{
    pcs_json j;
    pcs_json_token k;
    pcs_json_init(&j, t->ctx, t->text, t->len);
    precis_status st = pcs_task_no_shots(t);
    if (!st) st = pcs_json_expect(&j, PCS_JSON_ARRAY, &k, "items");
    while (!st && !pcs_task_full(t)) {
        st = pcs_json_next(&j, &k);
        if (st || k.type == PCS_JSON_ARRAY_END) break;
        if (k.type != PCS_JSON_OBJECT) return pcs_json_fail(&j, k.text, "items", "is no object");
        char *text = NULL, *answer = NULL;
        while (!(st = pcs_json_next(&j, &k)) && k.type == PCS_JSON_KEY) {
            char **into = pcs_json_is(&k, "instruction") ? &text : pcs_json_is(&k, "answer") ? &answer : NULL;
            size_t len;
            if ((st = pcs_json_next(&j, &k))) break;
            if (into && k.type != PCS_JSON_STRING)
                st = pcs_json_fail(&j, k.text, "items[].instruction or .answer", "is no string");
            else st = into ? pcs_json_string(&j, &k, &t->arena, into, &len) : pcs_json_skip(&j, &k);
            if (st) break;
        }
        if (!st) st = text && answer ? one(t, text, answer) : malformed(t, "\"instruction\" or \"answer\" is missing");
    }
    return st;
}
