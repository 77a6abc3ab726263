/* config_reader.c - see config_reader.h. */
#include "base/builtins.h"
#include "train/config_reader.h"

#include <stdio.h>

precis_status pcs_config_wrong(pcs_config_reader *r, const char *why)
{
    return pcs_json_fail(&r->in.j, r->in.t.text, r->path, why);
}

precis_status pcs_config_unknown(pcs_config_reader *r) { return pcs_config_wrong(r, "is not known here"); }

void pcs_config_name(pcs_config_reader *r, const char *object)
{
    const int n = r->in.t.len < 48 ? (int)r->in.t.len : 48;
    snprintf(r->path, sizeof r->path, "%s%s%.*s", object, *object ? "." : "", n, r->in.t.text);
}

precis_status pcs_config_take(pcs_config_reader *r, const pcs_config_number *table, size_t n, bool *found)
{
    *found = false;
    for (size_t i = 0; i < n; i++) {
        if (!pcs_json_is(&r->in.t, table[i].key)) continue;
        double v = 0;
        *found = true;
        const precis_status st = pcs_json_file_number(&r->in, r->path, table[i].low, table[i].high, &v);
        if (st) return st;
        if (table[i].kind != PCS_CONFIG_REAL && v != pcs_floor(v))
            return pcs_config_wrong(r, "is no whole number");
        if (table[i].kind == PCS_CONFIG_SIGNED) *(int64_t *)table[i].to = (int64_t)v;
        else if (table[i].kind == PCS_CONFIG_SIZE) *(uint64_t *)table[i].to = (uint64_t)v;
        else *(double *)table[i].to = v;
        return PRECIS_OK;
    }
    return PRECIS_OK;
}

precis_status pcs_config_enter(pcs_config_reader *r)
{
    return pcs_json_expect(&r->in.j, PCS_JSON_OBJECT, &r->in.t, r->path);
}

precis_status pcs_config_bool(pcs_config_reader *r, bool *v)
{
    const precis_status st = pcs_json_next(&r->in.j, &r->in.t);
    if (st) return st;
    *v = r->in.t.type == PCS_JSON_TRUE;
    return *v || r->in.t.type == PCS_JSON_FALSE ? PRECIS_OK : pcs_config_wrong(r, "is neither true nor false");
}

precis_status pcs_config_string(pcs_config_reader *r, const char **to)
{
    char *text = NULL;
    const precis_status st = pcs_json_file_string(&r->in, r->path, &text);
    if (!st) *to = text;
    return st;
}

precis_status pcs_config_strings(pcs_config_reader *r, const char **to, size_t *n, size_t most, const char *what)
{
    precis_status st = pcs_json_next(&r->in.j, &r->in.t);
    if (!st && r->in.t.type != PCS_JSON_ARRAY) return pcs_config_wrong(r, what);
    while (!st && !(st = pcs_json_next(&r->in.j, &r->in.t)) && r->in.t.type != PCS_JSON_ARRAY_END) {
        char *text = NULL;
        size_t len;
        if (r->in.t.type != PCS_JSON_STRING || *n == most) return pcs_config_wrong(r, what);
        st = pcs_json_string(&r->in.j, &r->in.t, r->in.arena, &text, &len);
        if (!st) to[(*n)++] = text;
    }
    return st;
}
