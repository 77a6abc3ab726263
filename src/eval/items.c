/* items.c - the items of a task, as they are read. */
#include "eval/task.h"

enum { ITEMS_LIMIT = 1 << 20 };

precis_status pcs_task_add(precis_task *t, pcs_item item)
{
    if (item.n_choices > PRECIS_TASK_CHOICES || (item.choices && (item.n_choices < 1 || item.right >= item.n_choices)))
        return pcs_fail(t->ctx, PRECIS_EFORMAT,
                        "%s: item %zu has %u choices, and number %u is right; 1 to %d choices are read", t->name,
                        t->n + 1, item.n_choices, item.right + 1, PRECIS_TASK_CHOICES);
    if (t->n >= ITEMS_LIMIT) return pcs_fail(t->ctx, PRECIS_EFORMAT, "%s: more than %d items", t->name, ITEMS_LIMIT);
    if (t->n == t->cap) {
        const size_t cap = t->cap * 2 + 256;
        pcs_item *more = pcs_grow(t->ctx, t->items, t->n * sizeof *more, cap, sizeof *more);
        if (!more) return PRECIS_ENOMEM;
        t->items = more;
        t->cap = cap;
    }
    t->items[t->n++] = item;
    return PRECIS_OK;
}
