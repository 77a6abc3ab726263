/* net_replay.c - what a replay's manifest leaves in float of a net. */
#include "quant_net.h"

#include <stdint.h>
#include <stdlib.h>

int cli_net_replayed(cli *c, precis_net_quant_options *o, json_t **keeps)
{
    const char *file = cli_get(c, "--replay");
    char *text = NULL;
    size_t len = 0;
    json_error_t e;
    *keeps = NULL;
    if (!file) return -1;
    int rc = cli_read_text(c, file, PRECIS_INPUT_TABLE, &text, &len);
    json_t *all = rc < 0 ? cli_json(text, len, &e) : NULL, *floats = json_object_get(all, "floats");
    precis_text_free(c->ctx, text);
    const size_t n = json_array_size(floats);
    const char **list = rc < 0 ? cli_alloc(o->n_floats + n + 1, sizeof *list) : NULL;
    if (rc < 0 && !list) rc = cli_no_memory(c);
    for (size_t i = 0; i < o->n_floats && rc < 0; i++) list[i] = o->floats[i];
    for (size_t i = 0; i < n && rc < 0; i++)
        if (!(list[o->n_floats + i] = json_string_value(json_array_get(floats, i))))
            rc = cli_error(c, "%s: floats[%zu] is no string", file, i);
    if (rc >= 0) {
        free(list);
        json_decref(all);
        return rc;
    }
    *keeps = all;
    o->floats = list;
    o->n_floats += n;
    o->n_exact += n;
    return -1;
}

void cli_net_replayed_free(precis_net_quant_options *o, json_t **keeps)
{
    if (*keeps) free((void *)(uintptr_t)o->floats);
    json_decref(*keeps);
    *keeps = NULL;
}
