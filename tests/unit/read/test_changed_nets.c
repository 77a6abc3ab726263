/* test_changed_nets.c - the cases of onnx_*.inc and pt2_*.inc with one thing changed each: most are wrong then, some
 * mean something else. Each is read or refused by a typed error in words; what is read gives the same numbers whether
 * its inputs are given or stand in the file, and out of the ONNX file that is written of it. */
#include "changed.h"
#include "onnx_arrays.h"
#include "onnx_net.h"
#include "pt2_model.h"
#include "pt2_zip.h"
#include "precis/quant_net.h"

typedef struct { const char *nodes; int opset; const char *in, *out; bool writes; } onnx_row;
typedef struct { const char *name, *calls, *in, *out; } torch_row;

static const onnx_row onnx_rows[] = {
#include "onnx_codes.inc"
#include "onnx_elements.inc"
#include "onnx_sequences.inc"
#include "onnx_shapes.inc"
#include "onnx_windows.inc"
};
static const torch_row torch_rows[] = {
#include "pt2_elements.inc"
#include "pt2_layers.inc"
#include "pt2_shapes.inc"
};

static char path[128];
static size_t n_read, n_refused, n_compared;

/* A refusal has one of the types, and words. */
static bool refused(precis_ctx *ctx, const char *what, const char *step, precis_status st)
{
    const char *message = precis_ctx_message(ctx);
    if (!st) return false;
    n_refused++;
    if (st != PRECIS_EFORMAT && st != PRECIS_EUNSUPPORTED && st != PRECIS_EINVAL && st != PRECIS_ENOMEM)
        DIFFERS("%s: %s ends with status %d: %s", what, step, (int)st, message);
    else if (strlen(message) < 10) DIFFERS("%s: %s is refused without words: \"%s\"", what, step, message);
    return true;
}

/* What a net gives. */
typedef struct { precis_array of[PORTS]; size_t n; bool there; } results;

static results keep(const precis_net *net, const precis_array *got)
{
    results r = { .n = precis_net_outputs(net), .there = true };
    for (size_t i = 0; i < r.n && i < PORTS; i++) {
        r.of[i] = got[i];
        void *copy = malloc(got[i].bytes + 1);
        assert_non_null(copy);
        memcpy(copy, got[i].data, got[i].bytes);
        r.of[i].data = copy;
    }
    return r;
}

static void drop(results *r)
{
    for (size_t i = 0; i < r->n && r->there; i++) free((void *)(uintptr_t)r->of[i].data);
}

/* Numbers by their values: float products of constants may be summed in another order. */
static bool alike(const precis_array *a, const precis_array *b)
{
    if (a->dims != b->dims || a->bytes != b->bytes || strcmp(a->type, b->type)) return false;
    if (memcmp(a->shape, b->shape, a->dims * sizeof *a->shape)) return false;
    if (strcmp(a->type, "F32")) return strchr("FB", a->type[0]) || !memcmp(a->data, b->data, a->bytes);
    for (size_t i = 0; i < a->bytes / 4; i++) {
        float x, y;
        memcpy(&x, (const char *)a->data + 4 * i, 4), memcpy(&y, (const char *)b->data + 4 * i, 4);
        if (!same((double)x, (double)y)) return false;
    }
    return true;
}

static void compare_results(const char *what, const char *how, const results *a, const results *b)
{
    if (!a->there || !b->there) return;
    n_compared++;
    if (a->n != b->n) DIFFERS("%s: %s has %zu results, not %zu", what, how, b->n, a->n);
    for (size_t i = 0; i < a->n && a->n == b->n; i++)
        if (!alike(&a->of[i], &b->of[i])) DIFFERS("%s: %s gives another result %zu", what, how, i);
}

static results run_file(precis_ctx *ctx, const char *what, const char *file, const onnx_tensor *in, size_t n)
{
    precis_array arrays[PORTS];
    const precis_array *got;
    precis_net *net;
    results r = { .there = false };
    if (refused(ctx, what, "reading", precis_net_open(ctx, &net, file))) return r;
    n_read++;
    if (precis_net_inputs(net) == n) {
        onnx_inputs(ctx, net, in, n, arrays);
        if (!refused(ctx, what, "a run", precis_net_run(net, arrays, n, &got))) r = keep(net, got);
        free_inputs(arrays, n);
    }
    precis_net_close(&net);
    return r;
}

/* Out of the file that precis writes. */
static void run_rewritten(precis_ctx *ctx, const char *what, const onnx_tensor *in, size_t n, const results *want)
{
    char to[160];
    precis_net *net;
    snprintf(to, sizeof to, "%s.w.onnx", path);
    remove(to);
    if (precis_net_open(ctx, &net, path)) return;
    const precis_status st = precis_net_write(net, to, NULL);
    precis_net_close(&net);
    if (refused(ctx, what, "writing", st)) return;
    results again = run_file(ctx, what, to, in, n);
    bool open = false; /* a net whose form depends on its first dimension is written for 1, with a warning */
    for (size_t i = 0; i < n; i++) open |= in[i].open != 0;
    if (want->there && !again.there && !open)
        DIFFERS("%s: what is written of it does not run: %s", what, precis_ctx_message(ctx));
    compare_results(what, "what is written of it", want, &again);
    drop(&again);
}

static void save_onnx(const onnx_case *c)
{
    const onnx_bytes model = onnx_model(c);
    test_write(path, model.data, model.n);
    free(model.data);
}

static void one_onnx(precis_ctx *ctx, const char *what, onnx_case *c)
{
    c->n_given = c->n_in;
    save_onnx(c);
    results given = run_file(ctx, what, path, c->in, c->n_in);
    run_rewritten(ctx, what, c->in, c->n_in, &given);
    c->n_given = 0;
    save_onnx(c);
    results constant = run_file(ctx, what, path, NULL, 0);
    compare_results(what, "with its inputs in the file it", &given, &constant);
    drop(&given), drop(&constant);
}

static void one_pt2(precis_ctx *ctx, const char *what, const pt2_case *c)
{
    const onnx_bytes json = pt2_json(c), archive = pt2_archive(&json);
    test_write(path, archive.data, archive.n);
    free(json.data), free(archive.data);
    results given = run_file(ctx, what, path, c->in, c->n_in);
    run_rewritten(ctx, what, c->in, c->n_in, &given);
    drop(&given);
}

/* ---- the walks ------------------------------------------------------------------------------------- */

static precis_ctx *open_ctx(void)
{
    precis_ctx *ctx = test_ctx(1);
    OK(ctx, precis_ctx_set_memory_limit(ctx, pcs_private_memory() + ((uint64_t)256 << 20), NULL));
    return ctx;
}

static void begin(void)
{
    snprintf(path, sizeof path, "%s/c", test_folder());
    differences = 0;
    n_read = n_refused = n_compared = 0;
}

/* A walk that nothing is refused in, or nothing is compared in, shows nothing. */
static void end(size_t least_read, size_t least_refused, size_t least_compared)
{
    printf("%zu read, %zu refused, %zu compared\n", n_read, n_refused, n_compared);
    assert_int_equal(differences, 0);
    assert_true(n_read >= least_read && n_refused >= least_refused && n_compared >= least_compared);
}

static void test_onnx(void **state)
{
    (void)state;
    static char nodes[CHANGED_TEXT];
    begin();
    for (size_t i = 0; i < ONNX_COUNT(onnx_rows); i++) {
        precis_ctx *ctx = open_ctx();
        onnx_tensor in[PORTS], out[PORTS];
        const size_t n_in = read_tensors(onnx_rows[i].in, in), n_out = read_tensors(onnx_rows[i].out, out);
        onnx_case c = { nodes, onnx_rows[i].opset, in, out, n_in, n_out, n_in };
        for (size_t k = 0; changed_text(onnx_rows[i].nodes, k, false, n_in ? in[0].name : "", nodes); k++)
            one_onnx(ctx, nodes, &c);
        free_tensors(out, n_out);
        precis_ctx_close(&ctx);
        free_tensors(in, n_in);
    }
    end(1000, 1000, 500);
}

static void test_pt2(void **state)
{
    (void)state;
    static char calls[CHANGED_TEXT];
    begin();
    for (size_t i = 0; i < ONNX_COUNT(torch_rows); i++) {
        precis_ctx *ctx = open_ctx();
        onnx_tensor in[PORTS], out[PORTS];
        const size_t n_in = read_tensors(torch_rows[i].in, in), n_out = read_tensors(torch_rows[i].out, out);
        const pt2_case c = { calls, in, out, n_in, n_out };
        for (size_t k = 0; changed_text(torch_rows[i].calls, k, true, n_in ? in[0].name : "x", calls); k++)
            one_pt2(ctx, calls, &c);
        free_tensors(in, n_in), free_tensors(out, n_out);
        precis_ctx_close(&ctx);
    }
    end(1000, 1000, 500);
}

/* Every input in every other form, of ONNX nets and of archives. */
static void test_inputs(void **state)
{
    (void)state;
    begin();
    for (size_t i = 0; i < ONNX_COUNT(onnx_rows) + ONNX_COUNT(torch_rows); i++) {
        const bool torch = i >= ONNX_COUNT(onnx_rows);
        const torch_row *t = torch ? &torch_rows[i - ONNX_COUNT(onnx_rows)] : NULL;
        const onnx_row *r = torch ? NULL : &onnx_rows[i];
        precis_ctx *ctx = open_ctx();
        bool more = true;
        for (size_t k = 0, at = 0; more || at; k++) {
            onnx_tensor in[PORTS], out[PORTS];
            const size_t n_in = read_tensors(t ? t->in : r->in, in), n_out = read_tensors(t ? t->out : r->out, out);
            if (at < n_in && changed_tensor(&in[at], k, &more)) {
                if (t) one_pt2(ctx, t->calls, &(pt2_case){ t->calls, in, out, n_in, n_out });
                else one_onnx(ctx, r->nodes, &(onnx_case){ r->nodes, r->opset, in, out, n_in, n_out, n_in });
            }
            free_tensors(in, n_in), free_tensors(out, n_out);
            if (at >= n_in) break;
            if (!more) at++, k = (size_t)-1, more = true;
        }
        precis_ctx_close(&ctx);
    }
    end(1000, 1000, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_onnx), cmocka_unit_test(test_pt2),
                                        cmocka_unit_test(test_inputs) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
