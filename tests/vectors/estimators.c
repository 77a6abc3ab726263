/* estimators.c - families of fake quantization with learned and given ranges, and 1 bit. */
#include "base/fmath.h"
#include "graph/op/round.h"
#include "vectors.h"

/* y and the gradient of input `x` of a node with one output; further gradients by names. */
static void through(vec_case *c, net *n, precis_value y, precis_value x, const char *in, const char *gradient)
{
    run_net(c, n, y);
    const array dy = input(c, "dy");
    back_net(c, n, y, dy.x);
    const array like = input(c, in);
    put_like(c, "y", value_of(c, n, y), &like);
    put_gradient(c, n, gradient, x, in);
}

static precis_value constant(net *n, float x)
{
    const int64_t one = 1;
    return precis_graph_constant(n->g, "constant", 1, &one, &x);
}

void family_fake_quant(vec_case *c)
{
    net n;
    open_net(c, &n);
    const precis_value x = param(c, &n, "x"), s = constant(&n, (float)real_attr(c, "scale"));
    const precis_value z = constant(&n, (float)real_attr(c, "zero_point"));
    const precis_attr attrs[] = { precis_attr_int("low", int_attr(c, "qmin")),
                                  precis_attr_int("high", int_attr(c, "qmax")),
                                  { 0 } };
    through(c, &n, NODE(&n, "affine_quant", attrs, x, s, z), x, "x", "dx");
    close_net(&n);
}

void family_fake_quant_channel(vec_case *c)
{
    net n;
    open_net(c, &n);
    const precis_value x = param(c, &n, "x"), s = param_flat(c, &n, "scale"), z = param_flat(c, &n, "zero_point");
    const precis_attr attrs[] = { precis_attr_int("low", int_attr(c, "qmin")),
                                  precis_attr_int("high", int_attr(c, "qmax")),
                                  precis_attr_int("axis", int_attr(c, "axis")),
                                  { 0 } };
    through(c, &n, NODE(&n, "affine_quant", attrs, x, s, z), x, "x", "dx");
    close_net(&n);
}

void family_learnable_tensor(vec_case *c)
{
    net n;
    open_net(c, &n);
    const precis_value x = param(c, &n, "x"), s = param_flat(c, &n, "scale"), z = param_flat(c, &n, "zero_point");
    const precis_attr attrs[] = { precis_attr_int("low", int_attr(c, "qmin")),
                                  precis_attr_int("high", int_attr(c, "qmax")),
                                  precis_attr_real("factor", real_attr(c, "grad_factor")),
                                  { 0 } };
    through(c, &n, NODE(&n, "affine_quant", attrs, x, s, z), x, "x", "dx");
    put_gradient(c, &n, "dscale", s, "scale");
    put_gradient(c, &n, "dzero_point", z, "zero_point");
    close_net(&n);
}

void family_fake_quant_absmax(vec_case *c)
{
    net n;
    open_net(c, &n);
    const array in = input(c, "x");
    const int64_t bits = int_attr(c, "bits");
    const precis_value x = param(c, &n, "x");
    through(c, &n, NODE(&n, "fake_quant", PRECIS_ATTRS(precis_attr_int("bits", bits)), x), x, "x", "dx");
    const size_t k = (size_t)in.shape[in.dims - 1], rows = in.n / k;
    float *scale = keep(c, rows * sizeof *scale);
    for (size_t r = 0; r < rows; r++) {
        scale[r] = pcs_largest(in.x + r * k, k) / (float)((1 << (bits - 1)) - 1);
        scale[r] = scale[r] > 1e-8f ? scale[r] : 1e-8f; /* of a row of zeros: anything */
    }
    const int64_t shape[2] = { (int64_t)rows, 1 };
    put(c, "scale", scale, 2, shape);
    close_net(&n);
}

/* The step that a case was made with. Cases whose first three numbers lie at (Qp + .5) s, (Qp - .25) s and (low - .3) s
 * had them put there after s was taken of other numbers, so that s is only to be had from where they lie. */
static float step_of(const array *v, int low, int high)
{
    const float s = v->n > 2 ? v->x[0] / ((float)high + 0.5f) : 0;
    const float second = v->n > 2 ? v->x[1] / ((float)high - 0.25f) / s - 1 : 1,
                third = v->n > 2 ? v->x[2] / ((float)low - 0.3f) / s - 1 : 1;
    const bool edges = second * second < 1e-10f && third * third < 1e-10f;
    return edges ? s : pcs_lsq_step(v->x, v->n, high);
}

void family_lsq(vec_case *c)
{
    net n;
    open_net(c, &n);
    const array v = input(c, "v");
    const int64_t bits = int_attr(c, "bits"), is_signed = int_attr(c, "signed");
    const int64_t high = is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1, low = is_signed ? -high - 1 : 0;
    float *step = keep(c, sizeof *step);
    *step = step_of(&v, (int)low, (int)high);
    const int64_t one = 1;
    const precis_value x = param(c, &n, "v"), s = pcs_graph_parameter(n.g, "s", 1, &one, step);
    const precis_attr attrs[] = { precis_attr_int("low", low), precis_attr_int("high", high), { 0 } };
    through(c, &n, NODE(&n, "lsq", attrs, x, s), x, "v", "dv");
    put_number(c, "init", *step);
    put_number(c, "ds", pcs_reverse_gradient(n.r, s)[0]);
    close_net(&n);
}

void family_lsq_plus(vec_case *c)
{
    net n;
    open_net(c, &n);
    const precis_value x = param(c, &n, "x"), s = param_flat(c, &n, "s"), beta = param_flat(c, &n, "beta");
    const precis_attr attrs[] = { precis_attr_int("low", int_attr(c, "n")), precis_attr_int("high", int_attr(c, "p")),
                                  precis_attr_real("factor", 1), { 0 } };
    through(c, &n, NODE(&n, "lsq", attrs, x, s, beta), x, "x", "dx");
    put_gradient(c, &n, "ds", s, "s");
    put_gradient(c, &n, "dbeta", beta, "beta");
    close_net(&n);
}

void family_pact(vec_case *c)
{
    net n;
    open_net(c, &n);
    const precis_value x = param(c, &n, "x"), a = param_flat(c, &n, "alpha");
    through(c, &n, NODE(&n, "pact", PRECIS_ATTRS(precis_attr_int("bits", int_attr(c, "bits"))), x, a), x, "x", "dx");
    put_gradient(c, &n, "dalpha", a, "alpha");
    close_net(&n);
}

void family_paretoq(vec_case *c)
{
    net n;
    open_net(c, &n);
    const array w = input(c, "w"), alpha = input(c, "alpha");
    const int64_t bits = int_attr(c, "bits");
    const precis_value x = param(c, &n, "w"), a = param_flat(c, &n, "alpha");
    through(c, &n, NODE(&n, "pareto", PRECIS_ATTRS(precis_attr_int("bits", bits)), x, a), x, "w", "dw");
    put_gradient(c, &n, "dalpha", a, "alpha");
    const size_t k = (size_t)w.shape[1];
    float *init = keep(c, alpha.n * sizeof *init);
    for (size_t r = 0; r < alpha.n; r++) init[r] = pcs_pareto_alpha(w.x + r * k, k, (int)bits);
    put_like(c, "init", init, &alpha);
    close_net(&n);
}

/* RMSNorm without weight, 8-bit activations by token, ternary weights. */
void family_bitlinear(vec_case *c)
{
    net n;
    open_net(c, &n);
    const array in = input(c, "x"), weights = input(c, "w");
    float *ones = keep(c, (size_t)in.shape[1] * sizeof *ones);
    for (int64_t i = 0; i < in.shape[1]; i++) ones[i] = 1;
    const precis_value x = param(c, &n, "x"), w = param(c, &n, "w"),
                       one = precis_graph_constant(n.g, "one", 1, &in.shape[1], ones);
    const precis_value norm = NODE(&n, "rms_norm", NULL, x, one), act = NODE(&n, "fake_quant", NULL, norm);
    const precis_value t = NODE(&n, "ternary", NULL, w), y = NODE(&n, "matmul", NULL, act, t);
    run_net(c, &n, y);
    back_net(c, &n, y, input(c, "dy").x);
    put_value(c, &n, "y", y);
    put_gradient(c, &n, "dx", x, "x");
    put_gradient(c, &n, "dw", w, "w");
    const float scale = (float)pcs_mean_magnitude(weights.x, weights.n);
    float *codes = keep(c, weights.n * sizeof *codes);
    for (size_t i = 0; i < weights.n; i++) codes[i] = pcs_nearest(value_of(c, &n, t)[i] / scale);
    put_number(c, "w_scale", scale);
    put_like(c, "codes", codes, &weights);
    close_net(&n);
}

void family_a4_8(vec_case *c)
{
    net n;
    open_net(c, &n);
    const precis_value x = param(c, &n, "x"),
                       k = NODE(&n, "keep_top", PRECIS_ATTRS(precis_attr_int("k", int_attr(c, "k"))), x);
    const precis_value four =
        NODE(&n, "fake_quant", PRECIS_ATTRS(precis_attr_int("bits", 4), precis_attr_int("by_mean", 1)), x);
    const precis_value sparse = NODE(&n, "fake_quant", NULL, k);
    precis_graph_output(n.g, four);
    run_net(c, &n, sparse);
    put_value(c, &n, "int4", four);
    put_value(c, &n, "sparse_int8", sparse);
    close_net(&n);
}

void family_xnor(vec_case *c)
{
    net n;
    open_net(c, &n);
    const array weights = input(c, "w");
    const precis_value x = param(c, &n, "x"), w = param(c, &n, "w");
    const precis_value y = NODE(&n, "matmul", NULL, NODE(&n, "ste_sign", NULL, x), NODE(&n, "binarize", NULL, w));
    run_net(c, &n, y);
    back_net(c, &n, y, input(c, "dy").x);
    put_value(c, &n, "y", y);
    put_gradient(c, &n, "dx", x, "x");
    put_gradient(c, &n, "dw", w, "w");
    const size_t k = (size_t)weights.shape[1], rows = weights.n / k;
    float *alpha = keep(c, rows * sizeof *alpha);
    for (size_t r = 0; r < rows; r++) alpha[r] = (float)pcs_mean_magnitude(weights.x + r * k, k);
    put(c, "alpha", alpha, 2, (const int64_t[]){ (int64_t)rows, 1 });
    close_net(&n);
}

/* 1 where a gradient of ones passes. */
static void put_mask(vec_case *c, net *n, precis_value rotated, const array *like)
{
    pcs_reverse *r;
    const pcs_node *made = &n->g->nodes[n->g->values[rotated].node];
    check(c, pcs_reverse_open(c->ctx, &r, n->p, rotated, made->in, 1));
    check(c, pcs_reverse_run(r, NULL, false));
    put_like(c, "mask", pcs_reverse_gradient(r, made->in[0]), like);
    pcs_reverse_close(&r);
}

void family_quest(vec_case *c)
{
    net n;
    open_net(c, &n);
    const array in = input(c, "x");
    const precis_attr trust[] = { precis_attr_int("bits", int_attr(c, "bits")),
                                  precis_attr_real("c", real_attr(c, "c")),
                                  { 0 } };
    const precis_value x = param(c, &n, "x"), h = NODE(&n, "hadamard", PRECIS_ATTRS(precis_attr_int("dim", 128)), x);
    const precis_value q = NODE(&n, "trust", trust, h);
    const precis_value y =
        NODE(&n, "hadamard", PRECIS_ATTRS(precis_attr_int("dim", 128), precis_attr_int("transposed", 1)), q);
    through(c, &n, y, x, "x", "dx");
    put_value(c, &n, "y_rotated", q);
    put_mask(c, &n, q, &in);
    close_net(&n);
}

void family_mxfp4_quest(vec_case *c)
{
    net n;
    open_net(c, &n);
    const array in = input(c, "x");
    const precis_value x = param(c, &n, "x"), h = NODE(&n, "hadamard", PRECIS_ATTRS(precis_attr_int("dim", 32)), x);
    const precis_value q = NODE(&n, "trust", PRECIS_ATTRS(precis_attr_int("scheme", 1)), h);
    run_net(c, &n, q);
    back_net(c, &n, q, input(c, "dy_rotated").x);
    put_value(c, &n, "y_rotated", q);
    put_gradient(c, &n, "dx", x, "x");
    put_mask(c, &n, q, &in);
    close_net(&n);
}
