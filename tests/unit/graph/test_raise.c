/* Passes that raise an op from its pieces: what a graph prints before and after each, in the forms that exporters
 * write; near misses stay what they are; and numbers are within what the pieces round, or the same bits. */
#include "graph/graph.h"
#include "run/program.h"
#include "attributes.h"
#include "test.h"

#include <math.h>

enum { ROWS = 6, WIDTH = 8, ALL = ROWS * WIDTH, MOST = 2 * 3 * 70 * 70 };

typedef struct {
    char text[4096];
    size_t at;
    long ids[64];
    int n;
} printed;

/* Values are called in the order in which they are printed first: a compiler may make operands in any. */
static void add_line(void *user, const char *text)
{
    printed *p = user;
    for (char *end; *text; text = end) {
        end = (char *)(uintptr_t)text + 1;
        if (*text != '%') {
            p->text[p->at++] = *text;
            continue;
        }
        const long id = strtol(text + 1, &end, 10);
        int k = 0;
        while (k < p->n && p->ids[k] != id) k++;
        if (k == p->n) p->ids[p->n++] = id;
        p->at += (size_t)snprintf(p->text + p->at, sizeof p->text - p->at, "%%%d", k);
    }
    p->text[p->at++] = '\n';
}

static precis_value two(precis_graph *g, const char *op, precis_value a, precis_value b)
{
    return precis_graph_node(g, op, op, NULL, 2, (precis_value[]){ a, b });
}
static precis_value one(precis_graph *g, const char *op, precis_value a)
{
    return precis_graph_node(g, op, op, NULL, 1, &a);
}
static precis_value num(precis_graph *g, float v) { return precis_graph_constant(g, "c", 0, NULL, &v); }

static precis_value mean(precis_graph *g, const char *kind, precis_value x)
{
    static const int64_t last = -1;
    const precis_attr *attr = PRECIS_ATTRS(precis_attr_text("kind", kind), precis_attr_list("axes", 1, &last));
    return precis_graph_node(g, kind, "reduce", attr, 1, &x);
}

static precis_value vector(precis_graph *g, float from, uint32_t dims)
{
    float v[WIDTH];
    const int64_t shape[] = { 1, 1, WIDTH };
    for (int i = 0; i < WIDTH; i++) v[i] = from + 0.25f * (float)i;
    return precis_graph_constant(g, "v", dims, shape + 3 - dims, v);
}

typedef precis_value build_fn(precis_graph *g, precis_value x);

typedef struct {
    precis_ctx *ctx;
    precis_graph *g;
    precis_value x, y;
    const char *op; /* that makes the result */
    printed text;
    float out[ALL];
} net;

/* pass NULL: the pieces as they are. */
static void make(net *n, build_fn *build, const char *pass)
{
    static const int64_t shape[] = { 2, 3, WIDTH };
    float x[ALL];
    precis_program *p;
    *n = (net){ .ctx = test_ctx(2) };
    test_fill(x, ALL, 5, 2);
    OK(n->ctx, precis_graph_open(n->ctx, &n->g));
    n->x = precis_graph_input(n->g, "x", 3, shape);
    n->y = build(n->g, n->x);
    precis_graph_output(n->g, n->y);
    OK(n->ctx, precis_graph_verify(n->g));
    if (pass) OK(n->ctx, precis_graph_pass(n->g, pass));
    test_attributes_end(n->g);
    OK(n->ctx, precis_graph_pass(n->g, "drop_unused"));
    n->op = precis_graph_value_op(n->g, n->y);
    precis_graph_print(n->g, add_line, &n->text);
    OK(n->ctx, precis_program_open(n->ctx, &p, n->g, PRECIS_FAST));
    OK(n->ctx, precis_program_set_input(p, n->x, x));
    OK(n->ctx, precis_program_run(p));
    memcpy(n->out, precis_program_get(p, n->y), sizeof n->out);
    precis_program_close(&p);
}

static void end(net *n)
{
    precis_graph_close(&n->g);
    precis_ctx_close(&n->ctx);
}

/* Pieces round f32 some ten times on numbers of at most 3, each by 2^-24 of them: together below 1e-5. before NULL: as
 * another form has it. */
static void raises(const char *pass, build_fn *build, const char *before, const char *after)
{
    net pieces, raised;
    make(&pieces, build, NULL);
    make(&raised, build, pass);
    if (before) assert_string_equal(pieces.text.text, before);
    assert_string_equal(raised.text.text, after);
    for (int i = 0; i < ALL; i++) assert_true(fabsf(pieces.out[i] - raised.out[i]) <= 1e-5f);
    end(&pieces);
    end(&raised);
}

/* A near miss: the same text as without the pass. */
static void stays(const char *pass, build_fn *build)
{
    net pieces, raised;
    make(&pieces, build, NULL);
    make(&raised, build, pass);
    assert_string_equal(pieces.text.text, raised.text.text);
    end(&pieces);
    end(&raised);
}

/* ---- layer norm --------------------------------------------------------------------------------- */

static precis_value less_mean(precis_graph *g, precis_value x) { return two(g, "sub", x, mean(g, "mean", x)); }

/* torch's exporter: a power, a root, a quotient. */
static precis_value by_power(precis_graph *g, precis_value x)
{
    const precis_value d = less_mean(g, x), v = mean(g, "mean", two(g, "pow", d, num(g, 2)));
    const precis_value q = two(g, "div", d, one(g, "sqrt", two(g, "add", v, num(g, 1e-5f))));
    return two(g, "add", two(g, "mul", q, vector(g, 0.5f, 1)), vector(g, -1, 1));
}

/* Two differences, a product as the square, eps in front, one over the root; vectors of three dimensions. */
static precis_value by_reciprocal(precis_graph *g, precis_value x)
{
    const precis_value d = less_mean(g, x), v = mean(g, "mean", two(g, "mul", d, d));
    const precis_value r = one(g, "reciprocal", one(g, "sqrt", two(g, "add", num(g, 1e-5f), v)));
    const precis_value n = two(g, "mul", r, less_mean(g, x));
    return two(g, "add", vector(g, -1, 3), two(g, "mul", vector(g, 0.5f, 3), n));
}

/* What torch decomposes var_mean into: sums by the count; rsqrt as a power; no weights. */
static precis_value by_sums(precis_graph *g, precis_value x)
{
    const precis_value m = two(g, "div", mean(g, "sum", x), num(g, WIDTH)), d = two(g, "sub", x, m);
    const precis_value v = two(g, "mul", mean(g, "sum", two(g, "mul", d, d)), num(g, 1.0f / WIDTH));
    return two(g, "mul", d, two(g, "pow", two(g, "add", v, num(g, 1e-3f)), num(g, -0.5f)));
}

/* tf.nn.batch_normalization's. */
static precis_value spread_out(precis_graph *g, precis_value x)
{
    const precis_value m = mean(g, "mean", x), d = two(g, "sub", x, m), v = mean(g, "mean", two(g, "mul", d, d));
    const precis_value r = one(g, "reciprocal", one(g, "sqrt", two(g, "add", v, num(g, 1e-5f))));
    const precis_value w = two(g, "mul", r, vector(g, 0.5f, 1));
    return two(g, "add", two(g, "mul", x, w), two(g, "sub", vector(g, -1, 1), two(g, "mul", m, w)));
}

/* The variance of something else, a cube, another axis: none of them is one. */
static precis_value of_another(precis_graph *g, precis_value x)
{
    const precis_value d = less_mean(g, x), e = less_mean(g, one(g, "abs", x));
    const precis_value v = mean(g, "mean", two(g, "mul", e, e));
    return two(g, "div", d, one(g, "sqrt", two(g, "add", v, num(g, 1e-5f))));
}
static precis_value of_cubes(precis_graph *g, precis_value x)
{
    const precis_value d = less_mean(g, x), v = mean(g, "mean", two(g, "pow", one(g, "abs", d), num(g, 3)));
    return two(g, "div", d, one(g, "sqrt", two(g, "add", v, num(g, 1e-5f))));
}

static const char norm_pieces[] =
    "%0 = reduce(%1) kind=mean axes=[-1] keep=1 : [2, 3, 1]  mean\n"
    "%2 = sub(%1, %0) : [2, 3, 8]  sub\n"
    "%3 = pow(%2, %4) : [2, 3, 8]  pow\n"
    "%5 = reduce(%3) kind=mean axes=[-1] keep=1 : [2, 3, 1]  mean\n"
    "%6 = add(%5, %7) : [2, 3, 1]  add\n"
    "%8 = sqrt(%6) alpha=1 beta=1 : [2, 3, 1]  sqrt\n"
    "%9 = div(%2, %8) : [2, 3, 8]  div\n"
    "%10 = mul(%9, %11) : [2, 3, 8]  mul\n"
    "%12 = add(%10, %13) : [2, 3, 8]  add\n";

static void test_layer_norm(void **state)
{
    (void)state;
    raises("raise_layer_norm", by_power, norm_pieces, "%0 = layer_norm(%1, %2, %3) eps=1e-05 : [2, 3, 8]  add\n");
    raises("raise_layer_norm", by_reciprocal, NULL, "%0 = layer_norm(%1, %2, %3) eps=1e-05 : [2, 3, 8]  add\n");
    raises("raise_layer_norm", by_sums, NULL, "%0 = layer_norm(%1, %2) eps=0.001 : [2, 3, 8]  mul\n");
    raises("raise_layer_norm", spread_out, NULL, "%0 = layer_norm(%1, %2, %3) eps=1e-05 : [2, 3, 8]  add\n");
    stays("raise_layer_norm", of_another);
    stays("raise_layer_norm", of_cubes);
}

/* ---- GELU and other activations ------------------------------------------------------------------ */

static precis_value gate_of(precis_graph *g, precis_value x)
{
    return two(g, "add", one(g, "erf", two(g, "div", x, num(g, 1.41421356f))), num(g, 1));
}
static precis_value gelu_half_last(precis_graph *g, precis_value x)
{
    return two(g, "mul", two(g, "mul", x, gate_of(g, x)), num(g, 0.5f));
}
static precis_value gelu_half_first(precis_graph *g, precis_value x)
{
    return two(g, "mul", two(g, "mul", num(g, 0.5f), x), gate_of(g, x));
}
static precis_value gelu_half_gate(precis_graph *g, precis_value x)
{
    const precis_value e = one(g, "erf", two(g, "mul", num(g, 0.70710678f), x));
    return two(g, "mul", two(g, "div", two(g, "add", num(g, 1), e), num(g, 2)), x);
}
/* x is a product itself. */
static precis_value gelu_of_product(precis_graph *g, precis_value x)
{
    return gelu_half_last(g, two(g, "mul", x, two(g, "mul", x, num(g, 0.75f))));
}
static precis_value tanh_gate(precis_graph *g, precis_value u) { return two(g, "add", num(g, 1), one(g, "tanh", u)); }
static precis_value gelu_new(precis_graph *g, precis_value x)
{
    const precis_value c = two(g, "mul", num(g, 0.044715f), two(g, "pow", x, num(g, 3)));
    const precis_value u = two(g, "mul", num(g, 0.79788456f), two(g, "add", x, c));
    return two(g, "mul", two(g, "mul", num(g, 0.5f), x), tanh_gate(g, u));
}
static precis_value gelu_fast(precis_graph *g, precis_value x)
{
    const precis_value c = two(g, "mul", two(g, "mul", x, num(g, 0.044715f)), x);
    const precis_value u =
        two(g, "mul", two(g, "mul", x, num(g, 0.79788456f)), two(g, "add", c, num(g, 1)));
    return two(g, "mul", x, two(g, "mul", num(g, 0.5f), tanh_gate(g, u)));
}
static precis_value no_half(precis_graph *g, precis_value x) { return two(g, "mul", x, gate_of(g, x)); }
static precis_value wrong_root(precis_graph *g, precis_value x)
{
    const precis_value e = one(g, "erf", two(g, "mul", num(g, 0.7f), x));
    return two(g, "mul", two(g, "mul", x, two(g, "add", e, num(g, 1))), num(g, 0.5f));
}
static precis_value gate_of_another(precis_graph *g, precis_value x)
{
    return two(g, "mul", two(g, "mul", one(g, "abs", x), gate_of(g, x)), num(g, 0.5f));
}

#define SHAPE " : [2, 3, 8]  "

static void test_gelu(void **state)
{
    (void)state;
    raises("raise_gelu", gelu_half_last,
          "%0 = div(%1, %2)" SHAPE "div\n%3 = erf(%0) alpha=1 beta=1" SHAPE "erf\n%4 = add(%3, %5)" SHAPE
          "add\n%6 = mul(%1, %4)" SHAPE "mul\n%7 = mul(%6, %8)" SHAPE "mul\n",
          "%0 = gelu(%1) tanh=0 single=1" SHAPE "mul\n");
    raises("raise_gelu", gelu_half_first, NULL, "%0 = gelu(%1) tanh=0 single=1" SHAPE "mul\n");
    raises("raise_gelu", gelu_half_gate, NULL, "%0 = gelu(%1) tanh=0 single=1" SHAPE "mul\n");
    raises("raise_gelu", gelu_of_product, NULL,
          "%0 = mul(%1, %2)" SHAPE "mul\n%3 = mul(%1, %0)" SHAPE "mul\n%4 = gelu(%3) tanh=0 single=1" SHAPE "mul\n");
    raises("raise_gelu", gelu_new, NULL, "%0 = gelu(%1) tanh=1 single=0" SHAPE "mul\n");
    raises("raise_gelu", gelu_fast, NULL, "%0 = gelu(%1) tanh=1 single=0" SHAPE "mul\n");
    stays("raise_gelu", no_half);
    stays("raise_gelu", wrong_root);
    stays("raise_gelu", gate_of_another);
}

static precis_value quick_gelu(precis_graph *g, precis_value x)
{
    return two(g, "mul", x, one(g, "sigmoid", two(g, "mul", num(g, 1.75f), x)));
}
static precis_value hard(precis_graph *g, precis_value x)
{
    return two(g, "min", two(g, "max", two(g, "add", x, num(g, 3)), num(g, 0)), num(g, 6));
}
static precis_value hard_swish(precis_graph *g, precis_value x)
{
    return two(g, "div", two(g, "mul", x, hard(g, x)), num(g, 6));
}
static precis_value relu6_swish(precis_graph *g, precis_value x)
{
    const precis_value r = two(g, "min", num(g, 6), one(g, "relu", two(g, "add", num(g, 3), x)));
    return two(g, "mul", x, two(g, "mul", r, num(g, 0.16666667f)));
}
static precis_value hard_sigmoid(precis_graph *g, precis_value x) { return two(g, "div", hard(g, x), num(g, 6)); }
static precis_value by_five(precis_graph *g, precis_value x)
{
    return two(g, "div", two(g, "mul", x, hard(g, x)), num(g, 5));
}

static void test_activations(void **state)
{
    (void)state;
    raises("raise_activations", quick_gelu, NULL, "%0 = swish(%1) alpha=1.75 beta=1" SHAPE "mul\n");
    raises("raise_activations", hard_swish,
          "%0 = add(%1, %2)" SHAPE "add\n%3 = max(%0, %4)" SHAPE "max\n%5 = min(%3, %6)" SHAPE
          "min\n%7 = mul(%1, %5)" SHAPE "mul\n%8 = div(%7, %9)" SHAPE "div\n",
          "%0 = hard_swish(%1) alpha=1 beta=1" SHAPE "div\n");
    raises("raise_activations", relu6_swish, NULL, "%0 = hard_swish(%1) alpha=1 beta=1" SHAPE "mul\n");
    raises("raise_activations", hard_sigmoid, NULL, "%0 = hard_sigmoid(%1) alpha=0.166667 beta=0.5" SHAPE "div\n");
    stays("raise_activations", by_five);
}

/* ---- attention: the same bits ------------------------------------------------------------------- */

enum { Q = 67, KEYS = 70, E = 10, V = 19 }; /* more than a tile, and no multiples of 16 */

typedef struct {
    bool safe, joined; /* guarded; heads joined to one batch around the products */
    uint32_t mask;     /* its dimensions; 0: none */
    bool over;         /* scores are divided, else multiplied */
} form;

static precis_value reshaped(precis_graph *g, precis_value x, int64_t heads, int64_t m, int64_t n, bool joined)
{
    int64_t *to = pcs_arena_alloc(&g->arena, 4, sizeof *to);
    memcpy(to, joined ? (int64_t[]){ heads, m, n, 0 } : (int64_t[]){ 2, heads / 2, m, n }, 4 * sizeof *to);
    const pcs_value shape = { .name = "shape", .dtype = PCS_I64, .role = PCS_CONSTANT, .node = -1, .dims = 1,
                              .shape = { joined ? 3 : 4 }, .known = to,
                              .store = pcs_store_rows(to, 4 * sizeof *to, PCS_KEPT_BY_GRAPH) };
    return two(g, "reshape", x, pcs_graph_add_value(g, &shape));
}

static precis_value guarded(precis_graph *g, precis_value s, precis_value p)
{
    static const int64_t last = -1;
    const precis_attr *attr = PRECIS_ATTRS(precis_attr_text("kind", "max"), precis_attr_list("axes", 1, &last));
    const precis_value none =
        two(g, "equal", precis_graph_node(g, "top", "reduce", attr, 1, &s), num(g, -INFINITY));
    return precis_graph_node(g, "guard", "where", NULL, 3, (precis_value[]){ none, num(g, 0), p });
}

static precis_value masked(precis_graph *g, precis_value s, uint32_t dims)
{
    static float m[2 * KEYS * Q];
    const int64_t shapes[][4] = { { KEYS }, { Q, KEYS }, { 1, Q, KEYS }, { 2, 1, Q, KEYS } };
    for (int i = 0; i < 2 * KEYS * Q; i++) m[i] = i % 5 == 3 ? -INFINITY : 0.125f * (float)(i % 7);
    for (int i = 0; i < KEYS && dims > 1; i++) m[4 * KEYS + i] = -INFINITY; /* a query that sees nothing */
    return two(g, "add", s, precis_graph_constant(g, "mask", dims, shapes[dims - 1], m));
}

static precis_value attention(precis_graph *g, const precis_value in[3], const form *f)
{
    precis_value q = in[0], k = in[1], v = in[2];
    if (f->joined) q = reshaped(g, q, 6, Q, E, true), k = reshaped(g, k, 6, E, KEYS, true);
    precis_value s = two(g, f->over ? "div" : "mul", two(g, "product", q, k), num(g, f->over ? 3.3f : 0.3f));
    if (f->joined) s = reshaped(g, s, 6, Q, KEYS, false);
    if (f->mask) s = masked(g, s, f->mask);
    precis_value p = one(g, "normalize", s);
    if (f->safe) p = guarded(g, s, p);
    if (f->joined) p = reshaped(g, p, 6, Q, KEYS, true), v = reshaped(g, v, 6, KEYS, V, true);
    return two(g, "product", p, v);
}

/* The result's bytes, and its op. */
static const char *attend(const form *f, const char *pass, uint32_t threads, float *y)
{
    static const int64_t shapes[3][4] = { { 2, 3, Q, E }, { 2, 3, E, KEYS }, { 2, 3, KEYS, V } };
    static float data[MOST];
    static char name[32];
    precis_ctx *ctx = test_ctx(threads);
    precis_graph *g;
    precis_program *p;
    precis_value in[3];
    OK(ctx, precis_graph_open(ctx, &g));
    for (int i = 0; i < 3; i++) in[i] = precis_graph_input(g, "x", 4, shapes[i]);
    const precis_value out = attention(g, in, f);
    precis_graph_output(g, out);
    OK(ctx, precis_graph_verify(g));
    if (pass) OK(ctx, precis_graph_pass(g, pass));
    snprintf(name, sizeof name, "%s", precis_graph_value_op(g, out));
    OK(ctx, precis_program_open(ctx, &p, g, PRECIS_FAST));
    for (unsigned i = 0; i < 3; i++) {
        test_fill(data, MOST, 21 + i, 3);
        OK(ctx, precis_program_set_input(p, in[i], data));
    }
    OK(ctx, precis_program_run(p));
    memcpy(y, precis_program_get(p, out), 6 * Q * V * sizeof *y);
    precis_program_close(&p);
    precis_graph_close(&g);
    precis_ctx_close(&ctx);
    return name;
}

static void test_attention(void **state)
{
    static const form forms[] = { { .over = true },
                                  { .mask = 1 },
                                  { .mask = 2, .safe = true },
                                  { .mask = 4, .over = true },
                                  { .joined = true, .safe = true },
                                  { .joined = true, .mask = 3, .safe = true },
                                  { .joined = true, .mask = 4, .safe = true } };
    static float pieces[6 * Q * V], y[6 * Q * V];
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        assert_string_equal(attend(&forms[i], NULL, 1, pieces), "product");
        for (uint32_t threads = 1; threads < 8; threads += threads + 1) {
            assert_string_equal(attend(&forms[i], "raise_attention", threads, y), "attend");
            assert_memory_equal(pieces, y, sizeof y);
        }
        for (size_t k = 0; k < 6 * Q * V && forms[i].safe; k++) assert_true(isfinite(y[k]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_layer_norm), cmocka_unit_test(test_gelu),
                                        cmocka_unit_test(test_activations), cmocka_unit_test(test_attention) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
