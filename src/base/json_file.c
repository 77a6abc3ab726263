/* json_file.c - a JSON file read key by key. */
#include "base/json_file.h"

#include "base/file.h"

static void begin(pcs_json_file *f, const char *data, size_t len, const char *name)
{
    pcs_arena_init(&f->own, f->ctx);
    f->arena = &f->own;
    pcs_json_init(&f->j, f->ctx, data, len);
    f->ctx->file = name;
}

precis_status pcs_json_file_open(pcs_json_file *f, precis_ctx *ctx, const char *path)
{
    size_t len;
    *f = (pcs_json_file){ .ctx = ctx };
    const precis_status st = pcs_file_slurp(ctx, path, PCS_LIMIT_JSON, &f->data, &len);
    if (st) return st;
    begin(f, f->data, len, path);
    return PRECIS_OK;
}

void pcs_json_file_text(pcs_json_file *f, precis_ctx *ctx, const char *data, size_t len, const char *name)
{
    *f = (pcs_json_file){ .ctx = ctx };
    begin(f, data, len, name);
}

void pcs_json_file_close(pcs_json_file *f)
{
    f->ctx->file = NULL;
    pcs_arena_free(&f->own);
    pcs_free(f->ctx, f->data);
}

bool pcs_json_file_key(pcs_json_file *f, precis_status *st)
{
    if (!*st) *st = pcs_json_next(&f->j, &f->t);
    return !*st && f->t.type == PCS_JSON_KEY;
}

precis_status pcs_json_file_number(pcs_json_file *f, const char *field, double lo, double hi, double *v)
{
    precis_status st = pcs_json_expect(&f->j, PCS_JSON_NUMBER, &f->t, field);
    if (!st) st = pcs_json_double(&f->j, &f->t, v, field);
    return st || (*v >= lo && *v <= hi) ? st : pcs_json_fail(&f->j, f->t.text, field, "is out of range");
}

precis_status pcs_json_file_string(pcs_json_file *f, const char *field, char **s)
{
    size_t len;
    const precis_status st = pcs_json_expect(&f->j, PCS_JSON_STRING, &f->t, field);
    return st ? st : pcs_json_string(&f->j, &f->t, f->arena, s, &len);
}

precis_status pcs_json_file_skip(pcs_json_file *f)
{
    const precis_status st = pcs_json_next(&f->j, &f->t);
    return st ? st : pcs_json_skip(&f->j, &f->t);
}

precis_status pcs_json_file_list(pcs_json_file *f, const char *field, pcs_json_one_fn *one, void *arg)
{
    precis_status st = pcs_json_expect(&f->j, PCS_JSON_ARRAY, &f->t, field);
    while (!st && !(st = pcs_json_next(&f->j, &f->t)) && f->t.type == PCS_JSON_OBJECT) st = one(arg);
    return st || f->t.type == PCS_JSON_ARRAY_END ? st : pcs_json_fail(&f->j, f->t.text, field, "holds no objects");
}
