/* hf_part.c - what readers of a folder's parts share: its small files, and settings that cannot be run. */
#include "base/file.h"
#include "read/hf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool pcs_hf_is(pcs_json_slice s, const char *text)
{
    const size_t n = strlen(text);
    return s.text && s.len == n + 2 && s.text[0] == '"' && !memcmp(s.text + 1, text, n);
}

precis_status pcs_hf_slurp(precis_model *m, const char *folder, const char *name, char **text, size_t *len)
{
    char *path = pcs_arena_printf(&m->arena, "%s/%s", folder, name);
    *text = NULL;
    if (!path) return PRECIS_ENOMEM;
    if (pcs_absent(path)) return PRECIS_OK;
    m->ctx->file = path;
    precis_status st = pcs_file_slurp(m->ctx, path, PCS_LIMIT_JSON, text, len);
    if (!st && (st = pcs_refuse_pointer(m->ctx, path, *text, *len))) {
        pcs_free(m->ctx, *text);
        *text = NULL;
    }
    return st;
}

void pcs_hf_cannot(pcs_hf_config *c, const char *fmt, ...)
{
    va_list ap;
    if (c->reason[0]) return;
    va_start(ap, fmt);
    vsnprintf(c->reason, sizeof c->reason, fmt, ap);
    va_end(ap);
}

/* Infinity and NaN as Transformers 5 writes them ({"__float__": "Infinity"}), and as text: no numbers that a net could
 * have. */
static precis_status no_infinity(precis_ctx *ctx, pcs_json_slice s, const char *key)
{
    static const char boxed[] = "\"__float__\"";
    const char *p = s.text, *end = s.text + s.len;
    char word[16], *stop;
    if (*p == '{') {
        for (p++; p < end && strchr(" \t\r\n", *p); p++) {}
        if ((size_t)(end - p) < sizeof boxed || memcmp(p, boxed, sizeof boxed - 1)) return PRECIS_OK;
        for (p += sizeof boxed - 1; p < end && strchr(" \t\r\n:", *p); p++) {}
    }
    size_t n = 0;
    if (p < end && *p == '"') p++;
    else return PRECIS_OK;
    for (; p < end && *p != '"' && n + 1 < sizeof word; p++) word[n++] = *p;
    word[n] = 0;
    const double v = strtod(word, &stop);
    if (!n || *stop || isfinite(v)) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EFORMAT, "%s: \"%s\" is %s, which is no number of a net",
                    ctx->file ? ctx->file : "config.json", key, word);
}


precis_status pcs_hf_number_of(precis_ctx *ctx, pcs_json_slice object, const char *key, double *v, bool *found)
{
    pcs_json_slice s;
    pcs_json j;
    pcs_json_token t;
    precis_status st = pcs_json_find(ctx, object, key, &s);
    *found = false;
    if (st != PRECIS_OK || !s.text) return st;
    pcs_json_init(&j, ctx, s.text, s.len);
    st = pcs_json_next(&j, &t);
    if (st != PRECIS_OK) return st;
    *found = t.type == PCS_JSON_NUMBER || t.type == PCS_JSON_TRUE || t.type == PCS_JSON_FALSE;
    if (t.type != PCS_JSON_NUMBER) {
        *v = t.type == PCS_JSON_TRUE;
        return no_infinity(ctx, s, key); /* null and others: absent */
    }
    return pcs_json_double(&j, &t, v, key);
}
