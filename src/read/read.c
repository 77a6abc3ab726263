/* read.c - choosing a reader, and the checks that all of them share. */
#include "base/lack.h"
#include "base/pool.h"
#include "graph/net.h"
#include "kernel/panels.h"
#include "read/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define READER(name) extern const pcs_reader pcs_reader_##name;
#include "read/readers.def"
#undef READER

const pcs_reader *const pcs_readers[] = {
#define READER(name) &pcs_reader_##name,
#include "read/readers.def"
#undef READER
    NULL
};

uint32_t precis_packed_layout(void) { return PCS_PANEL_LAYOUT; }

/* Whole file inside a pickle, by the bytes that PyTorch writes. */
static bool is_pickle(const uint8_t *head, size_t n)
{
    return n >= 4 && ((head[0] == 'P' && head[1] == 'K') || (head[0] == 0x80 && head[1] <= 5));
}

precis_status pcs_refuse_pointer(precis_ctx *ctx, const char *path, const void *head, size_t n)
{
    static const char start[] = "version https://git-lfs.github.com/spec/";
    if (n < sizeof start - 1 || memcmp(head, start, sizeof start - 1)) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EFORMAT,
                    "%s: this is Git LFS's pointer to the file, not the file; run `git lfs pull` in its folder", path);
}

typedef struct { const pcs_tensor *t; uint8_t *rows; } unpacking;

static void unpack_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const unpacking *u = arg;
    const pcs_tensor *t = u->t;
    const size_t k = (size_t)t->ne[0], row = (size_t)pcs_row_bytes(t->format, k), panel = pcs_panel_bytes(t->format, k);
    const uint64_t each = (uint64_t)t->ne[1], panels = (each + PCS_PANEL - 1) / PCS_PANEL; /* of a matrix */
    for (uint64_t r = begin; r < end; r++)
        pcs_panels_row(t->format, k, t->panels + r / each * panels * panel, r % each, u->rows + r * row);
}

/* Rows of what lies in panels; to run, of what is no matrix. */
static precis_status unpack_panels(precis_model *m, bool to_run)
{
    for (size_t i = 0; i < m->n_tensors; i++) {
        pcs_tensor *t = &m->tensors[i];
        if (!t->panels || (to_run && t->ne[1] > 1 && !pcs_role_of_rope(t->is.role))) continue;
        uint8_t *rows = pcs_arena_alloc(&m->arena, (size_t)t->bytes + 64, 1);
        if (!rows) return PRECIS_ENOMEM;
        pcs_for(m->ctx, pcs_tensor_rows(t), 16, unpack_rows, &(unpacking){ t, rows });
        t->data = rows;
        t->panels = NULL;
    }
    return PRECIS_OK;
}

static precis_status open_model(precis_ctx *ctx, precis_model **out, const char *path, bool to_run)
{
    *out = NULL;
    uint8_t head[64];
    ssize_t n = 0;
    uint64_t size = 0;
    const bool folder = pcs_is_dir(path);
    ctx->file = path;
    if (!folder) {
        pcs_file f;
        const precis_status st = pcs_file_open(ctx, &f, path);
        if (st != PRECIS_OK) return st;
        n = pread(f.fd, head, sizeof head, 0);
        size = f.size;
        pcs_file_close(ctx, &f);
        if (n < 0) return pcs_fail(ctx, PRECIS_EIO, "%s: %s", path, strerror(errno));
        const precis_status pointer = pcs_refuse_pointer(ctx, path, head, (size_t)n);
        if (pointer) return pointer;
    }
    for (const pcs_reader *const *r = pcs_readers; *r; r++) {
        if (!(*r)->probe(path, folder, head, (size_t)n, size)) continue;
        precis_status st = pcs_model_new(ctx, out, path, (*r)->name);
        if (st == PRECIS_OK) st = (*r)->read(*out, path);
        if (st == PRECIS_OK) st = pcs_model_index(*out);
        if (st == PRECIS_OK) st = pcs_fit_vocabulary(*out);
        if (st == PRECIS_OK) st = pcs_net_settle(*out);
        if (st == PRECIS_OK && !to_run) pcs_net_name_extras(*out);
        if (st == PRECIS_OK) st = unpack_panels(*out, to_run);
        if (st != PRECIS_OK) precis_model_close(out);
        ctx->file = NULL;
        return st;
    }
    ctx->file = NULL;
    if (is_pickle(head, (size_t)n)) {
        pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                 "%s: a zip or pickle file can run code, so precis does not read it; these lines of Python make one "
                 "that it reads (IN is its name):", path);
        pcs_add_lines(ctx, "\n  import torch, safetensors.torch as st\n"
                           "  m = torch.load('IN', weights_only=True, map_location='cpu')\n"
                           "  st.save_file({k: v.clone().contiguous() for k, v in m.items()}, 'model.safetensors')\n"
                           "or, of a net that is no language model, with its class at hand:\n"
                           "  net.load_state_dict(m); net.eval()\n"
                           "  torch.export.save(torch.export.export(net, (example_input,)), 'net.pt2')");
        return PRECIS_EUNSUPPORTED;
    }
    return pcs_fail(ctx, PRECIS_EFORMAT,
                    "%s: not a model file: byte 0: neither GGUF, safetensors nor a llama2.c checkpoint", path);
}

/* A part that a file need not have is looked up by names that are made; one that could not be made must not pass for
 * one that is not there. */
static precis_status open_whole(precis_ctx *ctx, precis_model **out, const char *path, bool to_run)
{
    const uint64_t refused = precis_ctx_refused(ctx);
    const precis_status st = pcs_with_memory(ctx, refused, open_model(ctx, out, path, to_run));
    if (st) precis_model_close(out);
    return st;
}

precis_status precis_model_open(precis_ctx *ctx, precis_model **out, const char *path)
{
    return open_whole(ctx, out, path, false);
}

precis_status precis_model_open_to_run(precis_ctx *ctx, precis_model **out, const char *path)
{
    return open_whole(ctx, out, path, true);
}

precis_status pcs_tensor_shape(precis_model *m, pcs_tensor *t, uint64_t at)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->dims; i++) {
        if (t->ne[i] < 0 || t->ne[i] > PCS_LIMIT_DIM)
            return pcs_fail_at(m->ctx, PRECIS_EFORMAT, at, t->source, "dimension %u is %lld", i, (long long)t->ne[i]);
        if (!pcs_mul_ok(n, (uint64_t)t->ne[i], &n) || n > (uint64_t)1 << 48)
            return pcs_fail_at(m->ctx, PRECIS_EFORMAT, at, t->source, "too many elements");
    }
    if (n && !pcs_format_fits(t->format, (uint64_t)t->ne[0]))
        return pcs_fail_at(m->ctx, PRECIS_EFORMAT, at, t->source, "rows of %lld are not whole blocks of %u (%s)",
                           (long long)t->ne[0], t->format->block, t->format->name);
    t->n = n;
    const uint64_t row = t->dims ? (uint64_t)t->ne[0] : 1, rows = n && t->dims ? n / row : n;
    if (!pcs_format_size(t->format, row, rows, &t->bytes))
        return pcs_fail_at(m->ctx, PRECIS_EFORMAT, at, t->source, "too many bytes");
    return PRECIS_OK;
}

precis_status pcs_tensor_span(precis_model *m, pcs_tensor *t, uint32_t file, uint64_t offset, uint64_t bytes)
{
    const pcs_file *f = &m->files[file];
    if (offset > f->size || bytes > f->size - offset)
        return pcs_fail_at(m->ctx, PRECIS_EFORMAT, offset, t->source, "%llu bytes of data, but the file ends at %llu",
                           (unsigned long long)bytes, (unsigned long long)f->size);
    t->file = file;
    t->offset = offset;
    t->data = f->map + offset;
    return PRECIS_OK;
}

static int by_place(const void *a_, const void *b_)
{
    const pcs_tensor *a = *(const pcs_tensor *const *)a_, *b = *(const pcs_tensor *const *)b_;
    if (a->file != b->file) return a->file < b->file ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset ? 1 : a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

precis_status pcs_tensors_disjoint(precis_model *m)
{
    const pcs_tensor **order = pcs_alloc(m->ctx, m->n_tensors, sizeof *order);
    if (!order) return PRECIS_ENOMEM;
    for (size_t i = 0; i < m->n_tensors; i++) order[i] = &m->tensors[i];
    qsort(order, m->n_tensors, sizeof *order, by_place);
    precis_status st = PRECIS_OK;
    for (size_t i = 1; i < m->n_tensors && st == PRECIS_OK; i++) {
        const pcs_tensor *before = order[i - 1], *t = order[i];
        if (before->file == t->file && before->offset + before->bytes > t->offset && t->bytes)
            st = pcs_fail_at(m->ctx, PRECIS_EFORMAT, t->offset, t->source, "shares bytes with tensor %s",
                             before->source);
    }
    pcs_free(m->ctx, order);
    return st;
}
