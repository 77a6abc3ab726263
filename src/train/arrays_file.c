/* arrays_file.c - the checkpoint of a net of arrays: an ONNX file that is the float net with its numbers as they are,
 * and holds beside it what training goes on from, as constants that no node reads. It appears whole or not at all. */
#include "read/onnx/onnx.h"
#include "run/watched.h"
#include "train/arrays.h"
#include "write/onnx/onnx.h"

#include <stdio.h>

#define STEP "precis.train.step"
#define ASKED "precis.train.asked"
enum { NAME = 96 };

/* "precis.value:conv1.weight", "precis.train:conv1.weight": numbers of a parameter, its optimizer's state. */
static void name_of(const pcs_trained *p, const char *what, char *to)
{
    snprintf(to, NAME, "precis.%s:%s", what, p->name);
}

/* ---- writing ------------------------------------------------------------------------------------- */

static precis_status name_ports(const pcs_train_run *t, const pcs_netfile_graph *f, pcs_onnx_named *in,
                                pcs_onnx_named *out)
{
    precis_array a;
    precis_status st = precis_net_input(t->arrays->net, 0, &a);
    in[0] = (pcs_onnx_named){ f->inputs[0], a.name };
    for (size_t i = 0; i < precis_net_outputs(t->arrays->net) && !st; i++) {
        st = precis_net_output(t->arrays->net, i, &a);
        out[i] = (pcs_onnx_named){ f->outputs[i], a.name };
    }
    return st;
}

/* What a file holds beside the net. names: [2 n][NAME]. */
static size_t list_extras(const pcs_train_run *t, const int64_t *step, char (*names)[NAME], pcs_onnx_extra *to)
{
    const pcs_train_state *s = &t->s;
    size_t n = 0;
    to[n++] = (pcs_onnx_extra){ STEP, PCS_I64, 1, step };
    to[n++] = (pcs_onnx_extra){ ASKED, PCS_U8, (int64_t)strlen(s->asked), s->asked };
    for (size_t i = 0; i < s->llama.n; i++) {
        const pcs_trained *p = &s->llama.parameters[i];
        name_of(p, "value", names[2 * i]);
        to[n++] = (pcs_onnx_extra){ names[2 * i], PCS_F32, (int64_t)p->n, p->data };
        name_of(p, "train", names[2 * i + 1]);
        if (s->bytes[i]) to[n++] = (pcs_onnx_extra){ names[2 * i + 1], PCS_U8, (int64_t)s->bytes[i], s->state[i] };
    }
    return n;
}

/* The float net with the numbers of now. */
static precis_status import_trained(pcs_train_run *t, pcs_netfile_graph *f)
{
    precis_status st = pcs_netfile_import(pcs_net_file(t->arrays->net), NULL, f);
    for (size_t i = 0; i < t->s.llama.n && !st; i++) {
        const pcs_trained *p = &t->s.llama.parameters[i];
        if (t->arrays->origin[i] >= 0 &&
            !pcs_value_keep(&f->graph->values[t->arrays->origin[i]],
                            pcs_store_rows(p->data, p->n * sizeof *p->data, PCS_KEPT_BY_CALLER)))
            st = pcs_fail(t->ctx, PRECIS_EFORMAT, "parameter %s: has fewer numbers than the net", p->name);
    }
    return st;
}

precis_status pcs_arrays_write(pcs_train_run *t)
{
    const size_t n = t->s.llama.n, m = precis_net_outputs(t->arrays->net);
    const int64_t step = (int64_t)t->s.step;
    pcs_netfile_graph f = { 0 };
    pcs_onnx_extra *extras = pcs_alloc(t->ctx, 2 * n + 2, sizeof *extras);
    char(*names)[NAME] = pcs_alloc(t->ctx, 2 * n + 1, sizeof *names);
    pcs_onnx_named *out = pcs_alloc(t->ctx, m + 1, sizeof *out), in[1];
    precis_status st = extras && names && out ? import_trained(t, &f) : PRECIS_ENOMEM;
    if (!st) st = name_ports(t, &f, in, out);
    if (!st) {
        const pcs_onnx_saved what = { .graph = f.graph, .inputs = in, .outputs = out, .n_inputs = 1, .n_outputs = m,
                                      .extras = extras, .n_extras = list_extras(t, &step, names, extras),
                                      .source = t->c.from };
        st = pcs_onnx_save(t->ctx, &what, t->opt->out, NULL);
    }
    if (!st) st = precis_sha256_file(t->ctx, t->opt->out, t->sha256);
    pcs_netfile_graph_close(t->ctx, &f);
    pcs_free(t->ctx, extras);
    pcs_free(t->ctx, names);
    pcs_free(t->ctx, out);
    return st;
}

/* ---- reading ------------------------------------------------------------------------------------- */

typedef struct { pcs_train_run *t; pcs_onnx *net; pcs_arena arena; } resuming;

static precis_status find_constant(resuming *r, const char *name, pcs_dtype d, uint64_t n, const void **data)
{
    pcs_onnx_tensor x;
    precis_status st = pcs_onnx_initializer(r->net, &r->arena, name, &x);
    if (st == PRECIS_EINVAL || (!st && (x.dtype != d || (n && (uint64_t)x.count != n))))
        st = pcs_fail(r->t->ctx, PRECIS_EFORMAT,
                      "%s: constant %s is not there as %s [%llu]: is it a checkpoint of this run?", r->t->opt->out,
                      name, pcs_dtype_name(d), (unsigned long long)n);
    *data = st ? NULL : x.data;
    return st;
}

static precis_status check_asked(resuming *r)
{
    pcs_train_run *t = r->t;
    pcs_onnx_tensor x;
    const precis_status st = pcs_onnx_initializer(r->net, &r->arena, ASKED, &x);
    if (st == PRECIS_EINVAL || (!st && x.dtype != PCS_U8))
        return pcs_fail(t->ctx, PRECIS_EFORMAT, "%s is no checkpoint of precis train", t->opt->out);
    if (st || ((size_t)x.count == strlen(t->s.asked) && !memcmp(x.data, t->s.asked, (size_t)x.count))) return st;
    return pcs_fail(t->ctx, PRECIS_EFORMAT,
                    "%s was trained by another configuration, or on other data; give it another output: it asks for "
                    "%.*s", t->opt->out, (int)(x.count < 400 ? x.count : 400), (const char *)x.data);
}

static precis_status read_state(resuming *r)
{
    pcs_train_run *t = r->t;
    char name[NAME];
    const void *data;
    precis_status st = check_asked(r);
    if (!st) st = find_constant(r, STEP, PCS_I64, 1, &data);
    if (st) return st;
    const int64_t step = *(const int64_t *)data;
    if (step < 0 || (uint64_t)step > t->c.steps)
        return pcs_fail(t->ctx, PRECIS_EFORMAT, "%s: step %lld of %llu", t->opt->out, (long long)step,
                        (unsigned long long)t->c.steps);
    for (size_t i = 0; i < t->s.llama.n && !st; i++) {
        pcs_trained *p = &t->s.llama.parameters[i];
        name_of(p, "value", name);
        st = find_constant(r, name, PCS_F32, p->n, &data);
        if (!st) memcpy(p->data, data, p->n * sizeof(float));
        name_of(p, "train", name);
        if (st || !t->s.bytes[i]) continue;
        st = find_constant(r, name, PCS_U8, t->s.bytes[i], &data);
        if (!st) memcpy(t->s.state[i], data, t->s.bytes[i]);
    }
    if (!st) t->s.step = (uint64_t)step;
    return st;
}

precis_status pcs_arrays_resume(pcs_train_run *t)
{
    resuming r = { .t = t };
    pcs_arena_init(&r.arena, t->ctx);
    precis_status st = pcs_onnx_open(t->ctx, &r.net, t->opt->out);
    if (!st) st = read_state(&r);
    pcs_onnx_close(&r.net);
    pcs_arena_free(&r.arena);
    return st ? st : precis_sha256_file(t->ctx, t->opt->out, t->sha256);
}
