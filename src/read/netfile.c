/* netfile.c - which reader a net's file is for, and what all of them have in
 * common. */
#include "read/netfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NETFILE(name) extern const pcs_netfile_reader pcs_netfile_##name;
#include "read/netfiles.def"
#undef NETFILE

const pcs_netfile_reader *const pcs_netfile_readers[] = {
#define NETFILE(name) &pcs_netfile_##name,
#include "read/netfiles.def"
#undef NETFILE
    NULL,
};

bool pcs_str_is(pcs_str a, const char *text) { return strlen(text) == a.n && !memcmp(a.s, text, a.n); }
bool pcs_str_same(pcs_str a, pcs_str b) { return a.n == b.n && (!a.n || !memcmp(a.s, b.s, a.n)); }

#define HEAD 256

/* The file's first bytes; how many. */
static size_t read_head(precis_ctx *ctx, const char *path, uint8_t *head)
{
    struct stat sb;
    int fd;
    if (pcs_is_dir(path) || pcs_open_regular(ctx, path, O_RDONLY, &fd, &sb)) return 0;
    const ssize_t n = pread(fd, head, HEAD, 0);
    close(fd);
    return n < 0 ? 0 : (size_t)n;
}

const pcs_netfile_reader *pcs_netfile_reader_of(precis_ctx *ctx, const char *path)
{
    uint8_t head[HEAD] = { 0 };
    const size_t n = read_head(ctx, path, head);
    for (const pcs_netfile_reader *const *r = pcs_netfile_readers; n && *r; r++)
        if ((*r)->probe(head, n)) return *r;
    for (const pcs_netfile_reader *const *r = pcs_netfile_readers; *r; r++)
        if (pcs_ends(path, (*r)->ending)) return *r;
    return NULL;
}

precis_status pcs_netfile_open(precis_ctx *ctx, pcs_netfile **out, const char *path)
{
    uint8_t head[HEAD] = { 0 };
    const pcs_netfile_reader *r = pcs_netfile_reader_of(ctx, path);
    const size_t n = r ? 0 : read_head(ctx, path, head);
    *out = NULL;
    for (const pcs_netfile_reader *const *k = pcs_netfile_readers; n && !r && *k; k++)
        if ((*k)->knows && (*k)->knows(head, n)) r = *k;
    return (r ? r : pcs_netfile_readers[0])->open(ctx, out, path); /* the first one says what is wrong with it */
}

void pcs_netfile_close(pcs_netfile **file)
{
    if (!file || !*file) return;
    (*file)->reader->close(*file);
    *file = NULL;
}

/* Which of the inputs whose contents were asked for could have a value beforehand. */
static void say_fixable(const pcs_netfile *file, uint64_t need)
{
    precis_ctx *ctx = file->ctx;
    for (size_t i = 0; i < file->n_inputs; i++) {
        const pcs_port *p = &file->inputs[i];
        if (!(need & (uint64_t)1 << (i < 63 ? i : 63)) || !pcs_port_fixable(p)) continue;
        const size_t at = strlen(ctx->message);
        snprintf(ctx->message + at, sizeof ctx->message - at,
                 "; what %.60s holds decides which net it is: give its value (--input %.60s=N)", p->name, p->name);
        return;
    }
}

precis_status pcs_netfile_import(pcs_netfile *file, const pcs_netfile_given *given, pcs_netfile_graph *out)
{
    precis_ctx *ctx = file->ctx;
    *out = (pcs_netfile_graph){ 0 };
    out->inputs = pcs_alloc(ctx, file->n_inputs + 1, sizeof *out->inputs);
    out->outputs = pcs_alloc(ctx, file->n_outputs + 1, sizeof *out->outputs);
    precis_status st = out->inputs && out->outputs ? precis_graph_open(ctx, &out->graph) : PRECIS_ENOMEM;
    ctx->file = file->path;
    if (!st) st = file->reader->import(file, given, out);
    ctx->file = NULL;
    if (st) {
        const uint64_t need = st == PRECIS_EUNSUPPORTED ? out->need : 0;
        say_fixable(file, need);
        pcs_netfile_graph_close(ctx, out);
        out->need = need;
    }
    return st;
}

precis_status pcs_netfile_keep_name(const pcs_netfile *file, pcs_netfile_graph *g, pcs_str name, precis_value v)
{
    if (!file->keep_names) return PRECIS_OK;
    pcs_netfile_name *names = pcs_one_more(file->ctx, g->names, g->n_names, &g->cap_names, sizeof *names);
    if (!names) return PRECIS_ENOMEM;
    g->names = names;
    const char *own = pcs_arena_copy(&g->graph->arena, name.s, name.n);
    if (!own) return PRECIS_ENOMEM;
    g->names[g->n_names++] = (pcs_netfile_name){ own, v };
    return PRECIS_OK;
}

precis_status pcs_netfile_keep_piece(const pcs_netfile *file, pcs_netfile_graph *g, const char *node, precis_value v)
{
    if (!file->keep_names) return PRECIS_OK;
    pcs_netfile_piece *pieces = pcs_one_more(file->ctx, g->pieces, g->n_pieces, &g->cap_pieces, sizeof *pieces);
    if (!pieces) return PRECIS_ENOMEM;
    g->pieces = pieces;
    const char *before = g->n_pieces ? g->pieces[g->n_pieces - 1].node : "";
    const char *own = strcmp(before, node) ? pcs_arena_copy(&g->graph->arena, node, strlen(node)) : before;
    if (!own) return PRECIS_ENOMEM;
    g->pieces[g->n_pieces++] = (pcs_netfile_piece){ own, v };
    return PRECIS_OK;
}

void pcs_netfile_graph_close(precis_ctx *ctx, pcs_netfile_graph *g)
{
    pcs_free(ctx, g->names);
    pcs_free(ctx, g->pieces);
    precis_graph_close(&g->graph);
    pcs_free(ctx, g->inputs);
    pcs_free(ctx, g->outputs);
    *g = (pcs_netfile_graph){ 0 };
}

bool pcs_netfile_count_op(pcs_netfile *file, pcs_str domain, pcs_str op, bool supported)
{
    for (size_t i = 0; i < file->n_counts; i++)
        if (pcs_str_same(file->counts[i].op, op) && pcs_str_same(file->counts[i].domain, domain)) {
            file->counts[i].n++;
            return true;
        }
    if (file->n_counts == PCS_LIMIT_NET_OPS) return false;
    file->counts[file->n_counts++] = (pcs_netfile_count){ op, domain, 1, supported };
    return true;
}
