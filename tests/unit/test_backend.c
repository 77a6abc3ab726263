/* The seam for other machines: programs run on a backend whose memory the host cannot touch,
 * but through read and write. Its blocks are pages without any access, opened while steps
 * run; whoever takes a shortcut past the seam is killed. */
#include "graph/graph.h"
#include "precis/convert.h"
#include "run/backend.h"
#include "run/runner.h"
#include "test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 4096 };
static struct { void *at; uint64_t bytes; } blocks[MOST];
static size_t n_blocks;
static uint64_t held; /* bytes that are not given back */

static uint64_t pages(uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; }

static void *guarded_alloc(precis_ctx *ctx, uint64_t bytes)
{
    (void)ctx;
    assert_true(n_blocks < MOST);
    void *at = mmap(NULL, pages(bytes + 1), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    blocks[n_blocks].at = at;
    blocks[n_blocks++].bytes = bytes;
    held += bytes;
    return at;
}

static void guarded_release(precis_ctx *ctx, void *memory, uint64_t bytes)
{
    (void)ctx;
    for (size_t i = 0; memory && i < n_blocks; i++)
        if (blocks[i].at == memory) {
            assert_int_equal(blocks[i].bytes, bytes);
            held -= bytes;
            munmap(memory, pages(bytes + 1));
            blocks[i] = blocks[--n_blocks];
            return;
        }
    assert_null(memory);
}

static void protect(int how)
{
    for (size_t i = 0; i < n_blocks; i++) mprotect(blocks[i].at, pages(blocks[i].bytes + 1), how);
}

static void guarded_write(void *memory, const void *host, uint64_t bytes)
{
    protect(PROT_READ | PROT_WRITE);
    memcpy(memory, host, bytes);
    protect(PROT_NONE);
}

static void guarded_read(const void *memory, void *host, uint64_t bytes)
{
    protect(PROT_READ);
    memcpy(host, memory, bytes);
    protect(PROT_NONE);
}

static void guarded_copy(void *to, const void *from, uint64_t bytes)
{
    protect(PROT_READ | PROT_WRITE);
    memcpy(to, from, bytes);
    protect(PROT_NONE);
}

static precis_status guarded_run(precis_program *p)
{
    protect(PROT_READ | PROT_WRITE);
    const precis_status st = pcs_cpu_run(p);
    protect(PROT_NONE);
    return st;
}

static const pcs_backend guarded = {
    .name = "guarded", .heap = { guarded_alloc, guarded_release, guarded_copy },
    .write = guarded_write, .read = guarded_read, .run = guarded_run,
};

static bool refuses(const pcs_step *s) { return !s->op || strcmp(s->name, "pool"); }

/* ---- a net of pictures ------------------------------------------------------------------------ */

typedef struct { precis_graph *g; precis_value x, y; int64_t batch; } net;

static net make_net(precis_ctx *ctx)
{
    net n;
    float w[4 * 3 * 3 * 3];
    test_fill(w, sizeof w / sizeof *w, 3, 1);
    OK(ctx, precis_graph_open(ctx, &n.g));
    n.batch = precis_graph_symbol(n.g, "batch", 0);
    const int64_t shape[] = { n.batch, 3, 8, 8 }, ws[] = { 4, 3, 3, 3 };
    n.x = precis_graph_input(n.g, "x", 4, shape);
    const precis_value in[2] = { n.x, precis_graph_constant(n.g, "w", 4, ws, w) };
    precis_value y = precis_graph_node(n.g, "conv", "conv2d", PRECIS_ATTRS(precis_attr_int("pad", 1)), 2, in);
    y = precis_graph_node(n.g, "relu", "relu", NULL, 1, &y);
    y = precis_graph_node(n.g, "pool", "max_pool", NULL, 1, &y);
    n.y = precis_graph_node(n.g, "flat", "flatten", NULL, 1, &y);
    const precis_range ranges[] = { { n.x, -1, 1 }, { n.y, -3, 3 } };
    OK(ctx, precis_graph_quantize_static(n.g, ranges, 2));
    for (precis_value v = 0; v < (precis_value)precis_graph_values(n.g); v++)
        if (!strcmp(precis_graph_value_name(n.g, v), "flat.dequantize")) n.y = v;
    precis_graph_output(n.g, n.y);
    return n;
}

static precis_status open_net(precis_ctx *ctx, precis_program **p, const net *n, const pcs_backend *backend)
{
    const pcs_program_options o = { .backend = backend,
                                    .arithmetic = PRECIS_REFERENCE,
                                    .k_type = "f32",
                                    .v_type = "f32",
                                    .context = 16,
                                    .sequences = 1 };
    return pcs_program_open(ctx, p, n->g, &o);
}

static void count_codes(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    (void)v;
    for (uint64_t i = 0; i < rows * width; i++) assert_true(x[i] >= -128 && x[i] <= 127 && x[i] == (float)(int)x[i]);
    *(uint64_t *)user += rows * width;
}

static void test_pictures(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    const net n = make_net(ctx);
    precis_program *here, *there;
    OK(ctx, open_net(ctx, &here, &n, NULL));
    OK(ctx, open_net(ctx, &there, &n, &guarded));
    float x[3 * 3 * 8 * 8];
    uint64_t codes = 0;
    for (precis_value v = 0; v < (precis_value)precis_graph_values(n.g); v++)
        if (!strcmp(precis_graph_value_op(n.g, v), "quantize"))
            OK(ctx, precis_program_tap(there, v, count_codes, &codes));
    for (int64_t batch = 1; batch <= 3; batch++) {
        test_fill(x, sizeof x / sizeof *x, (uint64_t)batch, 1);
        precis_program *const both[2] = { here, there };
        for (int i = 0; i < 2; i++) {
            OK(ctx, precis_program_set_size(both[i], n.batch, batch));
            OK(ctx, precis_program_set_input(both[i], n.x, x));
            OK(ctx, precis_program_run(both[i]));
        }
        assert_memory_equal(precis_program_get(here, n.y), precis_program_get(there, n.y),
                            (size_t)batch * 4 * 4 * 4 * sizeof(float));
    }
    assert_int_equal(codes, (1 + 2 + 3) * (3 * 8 * 8 + 4 * 4 * 4));
    precis_program_close(&there);
    precis_program_close(&here);
    assert_int_equal(held, 0);
    pcs_backend small = guarded;
    small.can = refuses;
    assert_int_equal(open_net(ctx, &there, &n, &small), PRECIS_EUNSUPPORTED);
    assert_non_null(strstr(precis_ctx_message(ctx), "pool"));
    assert_null(there);
    assert_int_equal(held, 0);
    precis_graph *g = n.g;
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
}

/* ---- a language model ------------------------------------------------------------------------- */

static void test_llama(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, PRECIS_SOURCE_DIR "/models/gutenberg-7m"));
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = 64;
    o.batch = 16;
    o.outputs = 2;
    precis_runner *r[2];
    OK(ctx, precis_runner_open(ctx, &r[0], m, &o));
    OK(ctx, pcs_runner_open(ctx, &r[1], m, &o, &(pcs_runner_how){ .backend = &guarded }));
    precis_runner_info info = { .size = sizeof info };
    precis_runner_get_info(r[0], &info);
    for (uint32_t at = 0, n = 16; at < 40; at += n, n = at < 32 ? 8 : 1) {
        precis_row rows[16];
        const float *logits[2];
        for (uint32_t i = 0; i < n; i++)
            rows[i] = (precis_row){ (int32_t)((at + i) * 37 % info.vocabulary), at + i, 0, i + 1 == n };
        for (int k = 0; k < 2; k++) OK(ctx, precis_runner_decode(r[k], rows, n, &logits[k]));
        assert_memory_equal(logits[0], logits[1], info.vocabulary * sizeof(float));
    }
    for (int k = 0; k < 2; k++) precis_runner_close(&r[k]);
    assert_int_equal(held, 0);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* The guard guards: the host dies when it reads such memory itself. */
static void test_guard(void **state)
{
    (void)state;
    volatile char *at = guarded_alloc(NULL, 64);
    const pid_t child = fork();
    if (!child) {
        signal(SIGSEGV, SIG_DFL); /* cmocka has a handler of its own */
        _exit(*at);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0); /* a sanitizer exits */
    guarded_release(NULL, (void *)(uintptr_t)at, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_guard), cmocka_unit_test(test_pictures),
                                        cmocka_unit_test(test_llama) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
