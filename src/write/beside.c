/* beside.c - a file and the text that describes it are named together. */
#include "write/write.h"

#include <stdio.h>

/* The text, on the disk and without its name. */
static precis_status put_beside(pcs_out *o, const pcs_out *of, const pcs_beside *b)
{
    precis_ctx *ctx = of->ctx;
    const char *text;
    size_t len;
    const size_t name_len = strlen(of->path) + strlen(b->suffix) + 1;
    char *name = pcs_alloc(ctx, name_len, 1);
    precis_status st = name ? b->text(b->user, of, &text, &len) : PRECIS_ENOMEM;
    if (st == PRECIS_ENOMEM) pcs_fail(ctx, st, "%s%s: out of memory while its text was made", of->path, b->suffix);
    if (!st) {
        snprintf(name, name_len, "%s%s", of->path, b->suffix);
        st = pcs_out_open(ctx, o, name, len, NULL);
        if (!st) st = pcs_out_add(o, text, len);
        if (!st) st = pcs_out_finish(o);
    }
    pcs_free(ctx, name);
    return st;
}

precis_status pcs_out_name_beside(pcs_out *o, const pcs_beside *beside)
{
    pcs_out text = { .ctx = o->ctx, .fd = -1 };
    precis_status st = beside ? put_beside(&text, o, beside) : PRECIS_OK;
    if (!st) st = pcs_out_name(o->ctx, (pcs_out *const[]){ o, &text }, beside ? 2 : 1);
    pcs_out_close(&text);
    return st;
}
