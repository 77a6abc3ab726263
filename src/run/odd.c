/* odd.c - outputs that are not finite: they are refused, never handed on, and why is found out.
 *
 * The first call looks at the weights that it reads (look.c), and what it does not read is looked at after it, in the
 * background where weights are packed there, too: what is found ends the next call. Outputs are looked at in every
 * call; only when one is odd is the call done anew, with a look at every value. */
#define _DEFAULT_SOURCE /* gettid */
#include "base/pool.h"
#include "format/number.h"
#include "model/finite.h"
#include "run/backend.h"
#include "run/runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

struct pcs_behind {
    pcs_look look;
    pthread_t thread;
    bool beside, running;
    atomic_bool stop, done;
    pcs_odd odd;
};

static void *look_behind(void *arg)
{
    struct pcs_behind *b = arg;
#ifdef __linux__
    setpriority(PRIO_PROCESS, (id_t)gettid(), 19); /* of this thread */
#endif
    for (uint64_t i = 0; i < b->look.pieces; i++) {
        if (atomic_load_explicit(&b->stop, memory_order_relaxed)) return NULL;
        pcs_look_piece(&b->look, i);
    }
    b->odd = pcs_look_odd(&b->look);
    atomic_store_explicit(&b->done, true, memory_order_release);
    return NULL;
}

precis_status pcs_behind_open(precis_runner *r, bool beside)
{
    if (r->ctx->memory.counting || pcs_model_seen(r->model)) return PRECIS_OK;
    r->behind = pcs_alloc(r->ctx, 1, sizeof *r->behind);
    if (!r->behind) return PRECIS_ENOMEM;
    r->behind->beside = beside;
    r->program->looking = r->program->backend->host;
    return r->program->looking ? PRECIS_OK : pcs_model_finite(r->ctx, r->model);
}

void pcs_behind_close(precis_runner *r)
{
    struct pcs_behind *b = r->behind;
    if (!b) return;
    atomic_store(&b->stop, true);
    if (b->running) pthread_join(b->thread, NULL);
    pcs_look_close(&b->look);
    pcs_free(r->ctx, b);
    r->behind = NULL;
}

/* A tensor that lies in a weight that was looked at. */
static bool is_known(const void *user, const pcs_tensor *t)
{
    const precis_program *p = user;
    for (size_t i = 0; i < p->n_slots; i++) {
        const pcs_slot *s = &p->slots[i];
        if (!s->looked) continue;
        const uint64_t n = (uint64_t)s->v.shape[0];
        const size_t k = (size_t)s->v.shape[1];
        const uint8_t *from = s->data, *at = t->data;
        uint64_t bytes = n * pcs_row_bytes(s->v.format, k);
        if (!at) from = s->panels, at = t->panels, bytes = pcs_panels_bytes(s->v.format, k, n);
        if (at && from && at >= from && at + t->bytes <= from + bytes) return true;
    }
    return false;
}

static void pieces(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    for (uint64_t i = begin; i < end; i++) pcs_look_piece(arg, i);
}

static precis_status verdict(precis_runner *r)
{
    const precis_status st = pcs_odd_judge(r->ctx, r->model, &r->behind->odd);
    if (!st) pcs_model_mark_seen(r->model);
    return st;
}

precis_status pcs_behind_rest(precis_runner *r)
{
    struct pcs_behind *b = r->behind;
    precis_program *p = r->program;
    if (!b || !p->looking) return PRECIS_OK;
    pcs_program_looked(p);
    if (p->doubtful) return pcs_model_finite(r->ctx, r->model);
    const precis_status st = pcs_look_open_rest(r->ctx, &b->look, r->model, is_known, p);
    if (st) return st;
    if (b->beside && b->look.pieces && !pthread_create(&b->thread, NULL, look_behind, b)) {
        b->running = true;
        return PRECIS_OK;
    }
    pcs_for(r->ctx, b->look.pieces, 1, pieces, &b->look);
    b->odd = pcs_look_odd(&b->look);
    return verdict(r);
}

/* Where the look is done, or once it is when `wait`. */
static precis_status judge(precis_runner *r, bool wait)
{
    struct pcs_behind *b = r->behind;
    if (!b || !b->running || (!wait && !atomic_load_explicit(&b->done, memory_order_acquire))) return PRECIS_OK;
    pthread_join(b->thread, NULL);
    b->running = false;
    return verdict(r);
}

precis_status pcs_behind_ask(precis_runner *r) { return judge(r, false); }

precis_status pcs_behind_now(precis_runner *r)
{
    const bool none = r->program->looking; /* no call has run yet */
    r->program->looking = false;
    return none ? pcs_model_finite(r->ctx, r->model) : judge(r, true);
}

precis_status precis_runner_check(precis_runner *r) { return pcs_behind_now(r); }

/* ---- outputs ----------------------------------------------------------------------------------------- */

typedef struct {
    const float *x;
    size_t width;
    atomic_bool odd;
} outputs;

static void look_at(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    outputs *o = arg;
    if (!pcs_all_finite(o->x + begin * o->width, (size_t)(end - begin) * o->width)) atomic_store(&o->odd, true);
}

/* What was seen of each value when a call was done anew. */
typedef struct {
    size_t n;
    float *top;
    int64_t first;
} seen;

static void on_value(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    seen *s = user;
    float top = 0;
    for (uint64_t i = 0; i < rows * width; i++) {
        const float a = x[i] < 0 ? -x[i] : x[i];
        if (a > top && a - a == 0.0f) top = a;
    }
    s->top[v] = top;
    if (s->first < 0 && !pcs_all_finite(x, (size_t)(rows * width))) s->first = v;
}

/* The cache that a node reads, and the node that put the call's keys and values into it. */
static const pcs_kv *cache_of(const precis_program *p, const pcs_node *n, const pcs_node **put)
{
    for (uint32_t i = 0; i < n->n_in; i++) {
        const pcs_value *v = &p->graph->values[n->in[i]];
        if (v->dtype != PCS_STATE || v->node < 0) continue;
        *put = &p->graph->nodes[v->node];
        return p->slots[n->in[i]].kv;
    }
    return NULL;
}

static precis_status say(const precis_runner *r, const seen *s, const precis_row *rows, uint32_t n)
{
    const precis_graph *g = r->graph;
    const pcs_value *v = &g->values[s->first];
    const pcs_node *node = &g->nodes[v->node], *put = NULL;
    const pcs_kv *kv = cache_of(r->program, node, &put);
    char from[160], why[256] = "its numbers pass the range of F32";
    const int layer = pcs_place_of(node->name).layer;
    if (layer >= 0) snprintf(from, sizeof from, "layer %d (%.100s)", layer, node->name);
    else snprintf(from, sizeof from, "%.120s", node->name);
    for (int part = 0; kv && part < 2; part++) {
        const pcs_kv_type *t = part ? kv->vt : kv->kt;
        if (!t->largest) continue;
        const float top = s->top[put->in[1 + part]];
        if (top > t->largest) {
            snprintf(why, sizeof why,
                     "%s reach %.4g, and the %s cache ends at %g; --cache-%c f32 or int8 has room for them",
                     part ? "values" : "keys", (double)top, t->name, (double)t->largest, part ? 'v' : 'k');
            break;
        }
        snprintf(why, sizeof why,
                 "earlier keys or values may have passed %g, the end of the %s cache; --cache-k f32 --cache-v f32 has "
                 "room for them",
                 (double)t->largest, t->name);
    }
    return pcs_fail(r->ctx, PRECIS_EFORMAT, "%s: what it computes of tokens %u to %u is not finite from %s on: %s",
                    r->model->path, rows[0].position, rows[n - 1].position, from, why);
}

/* The call again, with a look at what every node makes; then everything as it was. */
static precis_status explain(precis_runner *r, const precis_row *rows, uint32_t n)
{
    precis_program *p = r->program;
    const size_t values = r->graph->n_values;
    seen s = { values, pcs_alloc(r->ctx, values, sizeof *s.top), -1 };
    pcs_tap *taps = pcs_alloc(r->ctx, values, sizeof *taps), *own = p->taps;
    precis_status st = s.top && taps ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t v = 0; v < values && !st; v++)
        if (r->graph->values[v].dtype == PCS_F32 && r->graph->values[v].node >= 0) taps[v] = (pcs_tap){ on_value, &s };
    if (!st) {
        pcs_program_set_taps(p, taps);
        st = pcs_program_run(p);
        pcs_program_set_taps(p, own);
    }
    if (!st && s.first >= 0) st = say(r, &s, rows, n);
    else if (!st)
        st = pcs_fail(r->ctx, PRECIS_EFORMAT, "%s: what it computes of tokens %u to %u is not finite", r->model->path,
                      rows[0].position, rows[n - 1].position);
    pcs_free(r->ctx, s.top);
    pcs_free(r->ctx, taps);
    return st;
}

precis_status pcs_outputs_finite(precis_runner *r, const precis_row *rows, uint32_t n, uint32_t wanted)
{
    outputs o = { pcs_program_value(r->program, r->lm.logits), r->lm.encoder ? r->lm.width : r->lm.vocabulary, false };
    if (!wanted || !o.x) return PRECIS_OK;
    if (wanted * o.width < (1u << 18)) look_at(&o, 0, wanted, 0); /* less than waking threads takes */
    else pcs_for(r->ctx, wanted, 8, look_at, &o);
    if (!o.odd) return PRECIS_OK;
    precis_status st = judge(r, true);
    pcs_odd odd = { NULL, 0, 0 };
    if (!st) st = pcs_model_odd(r->ctx, r->model, &odd); /* allowed ones, too */
    if (!st && odd.t) st = pcs_odd_fail(r->ctx, r->model, &odd);
    return st ? st : explain(r, rows, n);
}
