/* hellaswag.c - HellaSwag in the layout of github.com/klosax/hellaswag_text_data: six lines
 * an item: context, label, four endings. */
#include "eval/task.h"

precis_status pcs_task_hellaswag(precis_task *t)
{
    precis_status st = pcs_task_no_shots(t);
    const char *p = t->text, *end = t->text + t->len;
    while (p < end && !st && !pcs_task_full(t)) {
        const char *line[6];
        size_t len[6];
        int k = 0;
        for (; k < 6 && p < end; k++) {
            const char *stop = memchr(p, '\n', (size_t)(end - p));
            line[k] = p;
            len[k] = (size_t)((stop ? stop : end) - p);
            if (len[k] && p[len[k] - 1] == '\r') len[k]--;
            p = stop ? stop + 1 : end;
        }
        if (k < 6 && len[0] == 0) break; /* an empty line at the end */
        if (k < 6 || len[1] != 1 || line[1][0] < '0' || line[1][0] > '3')
            return pcs_fail(t->ctx, PRECIS_EFORMAT,
                            "task hellaswag: item %zu: six lines are wanted, the second a label from 0 to 3", t->n + 1);
        pcs_item item = { .choices = pcs_task_strings(t, 4),
                          .n_choices = 4,
                          .right = (uint32_t)(line[1][0] - '0'),
                          .context = pcs_arena_copy(&t->arena, line[0], len[0]) };
        if (!item.choices || !item.context) return PRECIS_ENOMEM;
        for (int i = 0; i < 4; i++)
            if (!(item.choices[i] = pcs_arena_printf(&t->arena, " %.*s", (int)len[2 + i], line[2 + i])))
                return PRECIS_ENOMEM;
        st = pcs_task_add(t, item);
    }
    return st;
}
