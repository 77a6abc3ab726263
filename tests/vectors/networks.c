/* networks.c - families of losses, attention and whole networks. */
#include "base/fmath.h"
#include "base/builtins.h"
#include "vectors.h"

void family_losses(vec_case *c)
{
    net n;
    const array student = input(c, "student"), labels = input(c, "labels");
    const double z = 1e-2; /* the family's; PaLM's is 1e-4 */
    const precis_attr kd[] = { precis_attr_real("temperature", real_attr(c, "T")), { 0 } };
    static const char *const names[3] = { "kd", "reverse", "ce_z" }, *const gradients[3] = { "dkd", "dreverse",
                                                                                             "dce_z" };
    for (int i = 0; i < 3; i++) {
        open_net(c, &n);
        const precis_value s = param(c, &n, "student"), t = param(c, &n, "teacher");
        const precis_value target = ids(c, &n, "labels", labels.n, whole(c, &labels));
        const precis_value rows = i == 0 ? NODE(&n, "kl_divergence", kd, s, t)
                                  : i == 1
                                      ? NODE(&n, "kl_divergence", PRECIS_ATTRS(precis_attr_int("reverse", 1)), s, t)
                                      : NODE(&n, "cross_entropy", PRECIS_ATTRS(precis_attr_real("z", z)), s, target);
        const precis_value loss = NODE(&n, "mean", NULL, rows);
        run_net(c, &n, loss);
        back_net(c, &n, loss, NULL);
        put_number(c, names[i], value_of(c, &n, loss)[0]);
        put_like(c, gradients[i], pcs_reverse_gradient(n.r, s), &student);
        close_net(&n);
    }
}

/* One head, causal, scale 1 / sqrt(width). */
static void attention(vec_case *c, const precis_attr *more, bool norm)
{
    net n;
    open_net(c, &n);
    const array in = input(c, "q");
    const size_t rows = (size_t)in.shape[0];
    int32_t *seq = keep(c, rows * sizeof *seq);
    precis_attr attrs[8] = { precis_attr_int("dim", in.shape[1]),
                             precis_attr_real("scale", 1 / pcs_sqrt((double)in.shape[1])) };
    for (size_t i = 0; more && more[i].kind && i < 5; i++) attrs[2 + i] = more[i];
    const precis_value q = param(c, &n, "q"), k = param(c, &n, "k"), v = param(c, &n, "v");
    precis_value qn = q, kn = k;
    if (norm) {
        float *ones = keep(c, (size_t)in.shape[1] * sizeof *ones);
        for (int64_t i = 0; i < in.shape[1]; i++) ones[i] = 1;
        const precis_value one = precis_graph_constant(n.g, "one", 1, &in.shape[1], ones);
        qn = NODE(&n, "rms_norm", PRECIS_ATTRS(precis_attr_real("eps", 1e-6)), q, one);
        kn = NODE(&n, "rms_norm", PRECIS_ATTRS(precis_attr_real("eps", 1e-6)), k, one);
    }
    const precis_value y =
        NODE(&n, "attention_full", attrs, qn, kn, v, ids(c, &n, "seq", rows, seq));
    run_net(c, &n, y);
    back_net(c, &n, y, input(c, "dy").x);
    put_value(c, &n, "y", y);
    put_gradient(c, &n, "dq", q, "q");
    put_gradient(c, &n, "dk", k, "k");
    put_gradient(c, &n, "dv", v, "v");
    close_net(&n);
}

void family_attention(vec_case *c) { attention(c, NULL, false); }
void family_attention_softmax1(vec_case *c) { attention(c, PRECIS_ATTRS(precis_attr_int("plus_one", 1)), false); }
void family_attention_qk_norm(vec_case *c) { attention(c, NULL, true); }

void family_attention_clipped(vec_case *c)
{
    const double zeta = real_attr(c, "zeta"), gamma = real_attr(c, "gamma");
    attention(c, PRECIS_ATTRS(precis_attr_real("zeta", zeta), precis_attr_real("gamma", gamma)), false);
}

void family_attention_gated(vec_case *c)
{
    net n;
    open_net(c, &n);
    const precis_value o = param(c, &n, "o"), x = param(c, &n, "x"), w = param(c, &n, "wg");
    const precis_value gate = NODE(&n, "sigmoid", NULL, NODE(&n, "matmul", NULL, x, w)),
                       y = NODE(&n, "mul", NULL, o, gate);
    run_net(c, &n, y);
    back_net(c, &n, y, input(c, "dy").x);
    put_value(c, &n, "y", y);
    put_gradient(c, &n, "dx", x, "x");
    put_gradient(c, &n, "dwg", w, "wg");
    close_net(&n);
}
