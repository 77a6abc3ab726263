/* training.c - families of optimizers, schedules, observers, learned roundings, pruning, adapters and whole nets. */
#include "base/fmath.h"
#include "format/element.h"
#include "graph/op/round.h"
#include "train/llama.h"
#include "train/observer.h"
#include "train/optimizer.h"
#include "quant/prune.h"
#include "train/rounding.h"
#include "train/schedule.h"
#include "vectors.h"

#include <stdio.h>

/* A name with a number, kept as long as the case. */
static const char *numbered(vec_case *c, const char *what, int64_t i)
{
    char *name = keep(c, 32);
    snprintf(name, 32, "%s%lld", what, (long long)i);
    return name;
}

static void read_settings(vec_case *c, pcs_optimizer_settings *s)
{
    json_t *betas = has_attr(c, "betas") ? list_attr(c, "betas") : NULL;
    s->lr = real_attr(c, "lr");
    s->eps = has_attr(c, "eps") ? real_attr(c, "eps") : 1e-8;
    s->decay = has_attr(c, "weight_decay") ? real_attr(c, "weight_decay") : 0;
    s->momentum = has_attr(c, "momentum") ? real_attr(c, "momentum") : 0;
    s->nesterov = has_attr(c, "nesterov") && int_attr(c, "nesterov");
    s->beta1 = betas ? json_number_value(json_array_get(betas, 0)) : 0.9;
    s->beta2 = betas ? json_number_value(json_array_get(betas, 1)) : 0.999;
}

void family_optimizer(vec_case *c)
{
    const char *name = text_attr(c, "name");
    const pcs_optimizer *o = pcs_optimizer_by_name(!strcmp(name, "sgd_nesterov") ? "sgd" : name);
    pcs_optimizer_settings s = { .block = 256 };
    if (!o) refuse(c, "the optimizer %s is not known", name);
    read_settings(c, &s);
    const array p = input(c, "p0");
    pcs_update u = { .p = p.x, .rows = p.dims > 1 ? (size_t)p.shape[0] : 1, .set = &s };
    u.columns = p.n / u.rows;
    u.state = keep(c, o->bytes(&s, u.rows, u.columns));
    if (o->begin) o->begin(&u);
    for (int64_t t = 1; has_input(c, numbered(c, "g", t)); t++) {
        u.g = input(c, numbered(c, "g", t)).x;
        u.step = (uint64_t)t;
        check(c, o->step(c->ctx, &u));
        put_like(c, numbered(c, "p", t), p.x, &p);
    }
}

void family_adamw8(vec_case *c)
{
    const pcs_optimizer *o = pcs_optimizer_by_name("adamw8");
    pcs_optimizer_settings s = { .block = (uint32_t)int_attr(c, "block") };
    read_settings(c, &s);
    (void)int_attr(c, "tolerated_codes_off");
    const array p = input(c, "p0");
    pcs_update u = { .p = p.x, .rows = 1, .columns = p.n, .set = &s };
    u.state = keep(c, o->bytes(&s, 1, p.n));
    o->begin(&u);
    const pcs_moments8 m = pcs_moments8_in(u.state, p.n, s.block);
    const int64_t blocks = (int64_t)m.blocks, n = (int64_t)p.n;
    float *codes = keep(c, p.n * sizeof *codes), map[256];
    for (int64_t t = 1; has_input(c, numbered(c, "g", t)); t++) {
        u.g = input(c, numbered(c, "g", t)).x;
        u.step = (uint64_t)t;
        check(c, o->step(c->ctx, &u));
        put_like(c, numbered(c, "p", t), p.x, &p);
        for (int which = 0; which < 2; which++) {
            char *name = keep(c, 32);
            snprintf(name, 32, "%c%lld_absmax", which ? 'v' : 'm', (long long)t);
            put(c, name, which ? m.v_scale : m.m_scale, 1, &blocks);
            snprintf(name, 32, "%c%lld_codes", which ? 'v' : 'm', (long long)t);
            for (size_t i = 0; i < p.n; i++) codes[i] = which ? m.v[i] : m.m[i];
            put(c, name, codes, 1, &n);
        }
    }
    for (int sign = 0; sign < 2; sign++) {
        pcs_dynamic_map(sign, map);
        put(c, sign ? "map_signed" : "map_unsigned", map, 1, (const int64_t[]){ 256 });
    }
}

void family_clip_norm(vec_case *c)
{
    const char *name;
    json_t *v;
    pcs_gradient all[64];
    array arrays[64];
    const char *names[64];
    size_t n = 0;
    json_object_foreach(c->in, name, v)
    {
        if (n == 64) refuse(c, "too many tensors");
        arrays[n] = input(c, name);
        names[n] = name;
        all[n] = (pcs_gradient){ arrays[n].x, arrays[n].n };
        n++;
    }
    double norm;
    check(c, pcs_clip_norm(c->ctx, all, n, real_attr(c, "max"), &norm));
    put_number(c, "norm", norm);
    for (size_t i = 0; i < n; i++) put_like(c, names[i], arrays[i].x, &arrays[i]);
}

void family_schedule(vec_case *c)
{
    const pcs_schedule_settings s = { (uint64_t)int_attr(c, "steps"), (uint64_t)int_attr(c, "warmup"),
                                      real_attr(c, "lr"), real_attr(c, "final"), 1 };
    const int64_t n = (int64_t)s.steps;
    float *lr = keep(c, s.steps * sizeof *lr);
    for (size_t k = 0; pcs_schedules[k].name; k++) {
        for (uint64_t t = 0; t < s.steps; t++) lr[t] = (float)pcs_schedule_lr(&pcs_schedules[k], &s, t);
        put(c, pcs_schedules[k].name, lr, 1, &n);
    }
}

void family_muon(vec_case *c)
{
    const array g = input(c, "g");
    const size_t rows = (size_t)g.shape[0], columns = (size_t)g.shape[1];
    check(c, pcs_muon_orthogonal(c->ctx, g.x, rows, columns));
    put_like(c, "ortho", g.x, &g);
    json_object_set_new(c->out, "scale", json_real(pcs_muon_scale(rows, columns)));
}

/* ---- observers ---------------------------------------------------------------------------------- */

void family_ema_observer(vec_case *c)
{
    const char *name = text_attr(c, "scheme");
    const pcs_range_scheme *s = pcs_range_schemes;
    while (s->name && strcmp(s->name, name)) s++;
    if (!s->name) refuse(c, "the scheme %s is not known", name);
    pcs_observer o = { .c = real_attr(c, "c") };
    float *ranges = keep(c, 8192 * sizeof *ranges), *grids = keep(c, 8192 * sizeof *grids);
    int64_t t = 0;
    for (; t < 4096 && has_input(c, numbered(c, "x", t)); t++) {
        const array x = input(c, numbered(c, "x", t));
        pcs_observe(&o, x.x, x.n);
        ranges[2 * t] = o.low;
        ranges[2 * t + 1] = o.high;
        pcs_observer_grid(&o, s, &grids[2 * t], &grids[2 * t + 1]);
    }
    put(c, "minmax", ranges, 2, (const int64_t[]){ t, 2 });
    put(c, "scale_zero", grids, 2, (const int64_t[]){ t, 2 });
}

/* One batch through a fake quantization of given scale and zero point. */
static void quantized(vec_case *c, const array *x, const pcs_range_scheme *s, float scale, float zero, const char *name)
{
    net n;
    const int64_t one = 1;
    open_net(c, &n);
    const precis_attr attrs[] = { precis_attr_int("low", s->low), precis_attr_int("high", s->high), { 0 } };
    const precis_value y =
        NODE(&n, "affine_quant", attrs, param_of(c, &n, name, x), pcs_graph_parameter(n.g, "scale", 1, &one, &scale),
             pcs_graph_parameter(n.g, "zero", 1, &one, &zero));
    run_net(c, &n, y);
    put_like(c, name, value_of(c, &n, y), x);
    close_net(&n);
}

void family_observer_states(vec_case *c)
{
    static const char *const names[3] = { "on", "frozen", "off" };
    json_t *states = list_attr(c, "states");
    pcs_observer o = { .c = real_attr(c, "c") };
    const pcs_range_scheme *s = &pcs_range_schemes[0];
    for (size_t t = 0; t < json_array_size(states); t++) {
        const char *state = json_string_value(json_array_get(states, t));
        const array x = input(c, numbered(c, "x", (int64_t)t));
        const char *name = numbered(c, "y", (int64_t)t);
        int k = 0;
        while (k < 3 && (!state || strcmp(state, names[k]))) k++;
        if (k == 3) refuse(c, "the state %s is not known", state ? state : "that is no text");
        float scale, zero;
        if (k == PCS_OBSERVER_ON) pcs_observe(&o, x.x, x.n);
        pcs_observer_grid(&o, s, &scale, &zero);
        if (k == PCS_OBSERVER_OFF) put_like(c, name, x.x, &x);
        else quantized(c, &x, s, scale, zero, name);
    }
}

/* ---- roundings, pruning, adapters --------------------------------------------------------------- */

void family_adaround(vec_case *c)
{
    const array w = input(c, "w"), x = input(c, "x"), v = input(c, "V");
    const pcs_rounding r = { w.x, x.x, (size_t)w.shape[0], (size_t)w.shape[1], (size_t)x.shape[0] };
    const pcs_adaround a = { .scale = (float)real_attr(c, "scale"),
                             .low = (int)int_attr(c, "qmin"),
                             .high = (int)int_attr(c, "qmax"),
                             .beta = real_attr(c, "beta"),
                             .lambda = 0.01 };
    float *begin = keep(c, w.n * sizeof *begin), *h = keep(c, w.n * sizeof *h), *dv = keep(c, w.n * sizeof *dv);
    pcs_adaround_losses losses;
    pcs_adaround_begin(&r, &a, begin);
    for (size_t i = 0; i < w.n; i++) h[i] = pcs_adaround_h(v.x[i]);
    check(c, pcs_adaround_loss(c->ctx, &r, &a, v.x, &losses, dv));
    put_like(c, "V_init", begin, &w);
    put_like(c, "h", h, &w);
    put_like(c, "dV", dv, &w);
    put_number(c, "reconstruction", losses.error);
    put_number(c, "regularizer", losses.regularizer);
}

void family_autoround(vec_case *c)
{
    const array w = input(c, "w"), x = input(c, "x");
    const pcs_rounding r = { w.x, x.x, (size_t)w.shape[0], (size_t)w.shape[1], (size_t)x.shape[0] };
    const int64_t n = int_attr(c, "iterations");
    float *v = keep(c, w.n * sizeof *v), *wq = keep(c, w.n * sizeof *wq), *factor = keep(c, r.rows * sizeof *factor);
    float *losses = keep(c, (size_t)n * sizeof *losses);
    const pcs_sign_rounded out = { v, factor, wq, losses };
    check(c, pcs_sign_round(c->ctx, &r, (int)int_attr(c, "bits"), (int)n, &out));
    put(c, "losses", losses, 1, &n);
    put_like(c, "V", v, &w);
    put_like(c, "wq", wq, &w);
    put(c, "factor", factor, 2, (const int64_t[]){ w.shape[0], 1 });
}

void family_pruning(vec_case *c)
{
    const array w = input(c, "w"), x = input(c, "x");
    const pcs_pruned p = { w.x, x.x, (size_t)w.shape[0], (size_t)w.shape[1], (size_t)x.shape[0] };
    uint8_t *mask = keep(c, w.n);
    float *numbers = keep(c, w.n * sizeof *numbers), *kept = keep(c, w.n * sizeof *kept);
    static const char *const names[3] = { "wanda_half", "wanda_24", "sparsegpt_24" };
    for (int k = 0; k < 3; k++) {
        if (k < 2) check(c, pcs_prune_wanda(c->ctx, &p, k ? 2 : p.k / 2, k ? 4 : 0, mask));
        else check(c, pcs_prune_sparsegpt(c->ctx, &p, 2, 4, mask, kept));
        for (size_t i = 0; i < w.n; i++) numbers[i] = mask[i];
        put_like(c, names[k], numbers, &w);
    }
    put_like(c, "sparsegpt_w", kept, &w);
}

/* NF4 by blocks of 64 with f32 scales, and an adapter beside it. */
void family_qlora(vec_case *c)
{
    const array w = input(c, "w"), x = input(c, "x");
    const pcs_format *f = pcs_format_by_name("NF4");
    const float alpha = (float)real_attr(c, "alpha");
    const int64_t r = int_attr(c, "r"), blocks = (int64_t)(w.n / 64);
    if (!f || !f->element || w.shape[1] % 64) refuse(c, "rows are not whole blocks of 64");
    float *codes = keep(c, w.n * sizeof *codes), *top = keep(c, (size_t)blocks * sizeof *top),
          *decoded = keep(c, w.n * sizeof *decoded);
    for (size_t i = 0; i < w.n; i++) {
        if (i % 64 == 0) top[i / 64] = pcs_largest(w.x + i, 64);
        const unsigned code = pcs_element_code(f->element, top[i / 64] > 0 ? w.x[i] / top[i / 64] : 0);
        codes[i] = (float)code;
        decoded[i] = pcs_element_value(f->element, code) * top[i / 64];
    }
    net n;
    open_net(c, &n);
    const precis_value a = param(c, &n, "A"), b = param(c, &n, "B"), xp = param(c, &n, "x");
    const precis_value base = NODE(&n, "matmul", NULL, xp, precis_graph_constant(n.g, "w", 2, w.shape, decoded));
    const precis_value low = NODE(&n, "matmul", NULL, NODE(&n, "matmul", NULL, xp, a), b);
    const precis_value scaled = NODE(&n, "scale", PRECIS_ATTRS(precis_attr_real("by", (double)alpha / (double)r)), low);
    const precis_value y = NODE(&n, "add", NULL, base, scaled);
    run_net(c, &n, y);
    back_net(c, &n, y, input(c, "dy").x);
    put_like(c, "codes", codes, &w);
    put(c, "absmax", top, 1, &blocks);
    put_value(c, &n, "y", y);
    put_gradient(c, &n, "dA", a, "A");
    put_gradient(c, &n, "dB", b, "B");
    put_gradient(c, &n, "dx", xp, "x");
    (void)x;
    close_net(&n);
}

/* ---- nets --------------------------------------------------------------------------------------- */

typedef struct {
    precis_value w, gamma, beta, scaled, y, mean, variance;
    array wa;
    float *inverse, *scale, *zero, *mean_now, *variance_now;
    int64_t out;
    precis_attr attrs[4];
} folded;

/* v, which has a number for each of `many` indices along an axis, as it is spread over `dims` dimensions. */
static precis_value along(net *n, precis_value v, int64_t many, uint32_t axis, uint32_t dims)
{
    static int64_t shape[2][4];
    int64_t *to = shape[axis], count = dims;
    for (uint32_t i = 0; i < dims; i++) to[i] = i == axis ? many : 1;
    const pcs_code_value spread = { PCS_I64, 1, &count, to, &(pcs_affine){ 0 } };
    return NODE(n, "reshape", NULL, v, pcs_graph_codes(n->g, "dims", &spread));
}

/* w gamma / sqrt(running variance), rounded by output, the convolution over that factor again, and a norm of its own.
 */
static void fold(vec_case *c, net *n, folded *f, const char *in, bool frozen)
{
    open_net(c, n);
    f->w = param(c, n, "w");
    f->gamma = param(c, n, "gamma");
    f->beta = param(c, n, "beta");
    const precis_value inverse = pcs_graph_parameter(n->g, "inverse", 1, &f->out, f->inverse);
    const precis_value factor = NODE(n, "mul", NULL, f->gamma, inverse);
    f->scaled = NODE(n, "mul", NULL, f->w, along(n, factor, f->out, 0, 4));
    const precis_value s = pcs_graph_parameter(n->g, "scale", 1, &f->out, f->scale),
                       z = pcs_graph_parameter(n->g, "zero", 1, &f->out, f->zero);
    const precis_value q = NODE(n, "affine_quant", f->attrs, f->scaled, s, z);
    const precis_value y = NODE(n, "conv2d", PRECIS_ATTRS(precis_attr_int("pad", 1)), param(c, n, in), q);
    const precis_value back = NODE(n, "div", NULL, y, along(n, factor, f->out, 1, 4));
    const precis_attr eps[] = { precis_attr_real("eps", real_attr(c, "eps")), { 0 } };
    if (frozen)
        f->y = NODE(n, "batch_norm", eps, back, f->gamma, f->beta,
                    pcs_graph_parameter(n->g, "mean", 1, &f->out, f->mean_now),
                    pcs_graph_parameter(n->g, "variance", 1, &f->out, f->variance_now));
    else {
        f->y = NODE(n, "batch_norm_train", eps, back, f->gamma, f->beta);
        f->mean = precis_graph_result(n->g, f->y, 1);
        f->variance = precis_graph_result(n->g, f->y, 2);
    }
}

/* The weights' ranges move with the weights as they are now, then the net is run with them. */
static void observe_and_run(vec_case *c, net *n, folded *f, pcs_observer *o, const pcs_range_scheme *s)
{
    const size_t each = f->wa.n / (size_t)f->out;
    run_net(c, n, f->y);
    for (int64_t k = 0; k < f->out; k++) {
        pcs_observe(&o[k], value_of(c, n, f->scaled) + (size_t)k * each, each);
        pcs_observer_grid(&o[k], s, &f->scale[k], &f->zero[k]);
    }
    run_net(c, n, f->y);
}

void family_qat_conv_bn(vec_case *c)
{
    const array mean0 = input(c, "mean0"), var0 = input(c, "var0"), x1 = input(c, "x1");
    const double eps = real_attr(c, "eps"), momentum = real_attr(c, "momentum");
    const pcs_range_scheme s = { "case", (int)int_attr(c, "qmin"), (int)int_attr(c, "qmax"), true };
    folded f = { .wa = input(c, "w"), .out = mean0.shape[0], .mean_now = mean0.x, .variance_now = var0.x };
    f.attrs[0] = precis_attr_int("low", s.low), f.attrs[1] = precis_attr_int("high", s.high),
    f.attrs[2] = precis_attr_int("axis", 0);
    const size_t n = (size_t)f.out;
    pcs_observer *o = keep(c, n * sizeof *o);
    f.inverse = keep(c, n * sizeof(float)), f.scale = keep(c, n * sizeof(float)), f.zero = keep(c, n * sizeof(float));
    for (size_t k = 0; k < n; k++) {
        o[k].c = real_attr(c, "c");
        f.inverse[k] = 1 / pcs_sqrtf(var0.x[k] + (float)eps);
        f.scale[k] = 1;
    }
    net first, second;
    fold(c, &first, &f, "x1", false);
    observe_and_run(c, &first, &f, o, &s);
    back_net(c, &first, f.y, input(c, "dy1").x);
    put_value(c, &first, "y1", f.y);
    put_gradient(c, &first, "dw", f.w, "w");
    put_gradient(c, &first, "dgamma", f.gamma, "gamma");
    put_gradient(c, &first, "dbeta", f.beta, "beta");
    const double count = (double)(x1.n / (size_t)x1.shape[1]);
    for (size_t k = 0; k < n; k++) { /* running statistics take the variance over n - 1 */
        const double m = value_of(c, &first, f.mean)[k],
                     v = (double)value_of(c, &first, f.variance)[k] * count / (count - 1);
        mean0.x[k] = (float)((1 - momentum) * (double)mean0.x[k] + momentum * m);
        var0.x[k] = (float)((1 - momentum) * (double)var0.x[k] + momentum * v);
        f.inverse[k] = 1 / pcs_sqrtf(var0.x[k] + (float)eps);
    }
    put_like(c, "mean1", mean0.x, &mean0);
    put_like(c, "var1", var0.x, &var0);
    close_net(&first);
    fold(c, &second, &f, "x2", true);
    observe_and_run(c, &second, &f, o, &s);
    put_value(c, &second, "y2_frozen", f.y);
    close_net(&second);
}

/* Five steps on one batch, from gradients on. */
static void steps(vec_case *c, net *n, pcs_llama *l, float *losses)
{
    const pcs_optimizer *o = pcs_optimizer_by_name("adamw");
    pcs_optimizer_settings matrices = { .lr = 1e-2, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .decay = 0.1 },
                           vectors = matrices;
    vectors.decay = 0;
    void **state = keep(c, l->n * sizeof *state);
    pcs_gradient *all = keep(c, l->n * sizeof *all);
    for (size_t i = 0; i < l->n; i++) state[i] = keep(c, o->bytes(&matrices, 1, l->parameters[i].n));
    for (int t = 0; t < 5; t++) {
        run_net(c, n, l->loss);
        losses[t] = value_of(c, n, l->loss)[0];
        back_net(c, n, l->loss, NULL);
        for (size_t i = 0; i < l->n; i++)
            all[i] = (pcs_gradient){ (float *)(uintptr_t)pcs_reverse_gradient(n->r, l->parameters[i].value),
                                     l->parameters[i].n };
        check(c, pcs_clip_norm(c->ctx, all, l->n, 1, &(double){ 0 }));
        for (size_t i = 0; i < l->n; i++) {
            const pcs_trained *p = &l->parameters[i];
            const pcs_update u = { .p = p->data,
                                   .g = all[i].g,
                                   .rows = 1,
                                   .columns = p->n,
                                   .state = state[i],
                                   .step = (uint64_t)t + 1,
                                   .set = p->dims > 1 ? &matrices : &vectors };
            check(c, o->step(c->ctx, &u));
        }
    }
}

void family_llama(vec_case *c)
{
    const pcs_llama_config config = {
        .width = int_attr(c, "width"),
        .layers = int_attr(c, "layers"),
        .heads = int_attr(c, "heads"),
        .kv_heads = int_attr(c, "kv_heads"),
        .hidden = int_attr(c, "hidden"),
        .vocabulary = int_attr(c, "vocabulary"),
        .eps = 1e-5,
        .rope_base = 10000,
        .w_bits = (int)int_attr(c, "w_bits"),
        .a_bits = (int)int_attr(c, "a_bits"),
        .kv_bits = (int)int_attr(c, "kv_bits"),
    };
    const int64_t context = int_attr(c, "context"), batch = int_attr(c, "batch");
    const array ids_in = input(c, "tokens"), targets = input(c, "targets");
    if (ids_in.n != (size_t)(batch * context) || targets.n != ids_in.n) refuse(c, "tokens are not batch x context");
    int32_t *pos = keep(c, ids_in.n * sizeof *pos), *seq = keep(c, ids_in.n * sizeof *seq);
    for (size_t i = 0; i < ids_in.n; i++)
        pos[i] = (int32_t)((int64_t)i % context), seq[i] = (int32_t)((int64_t)i / context);
    pcs_llama l;
    net n;
    check(c, pcs_llama_open(c->ctx, &l, &config));
    for (size_t i = 0; i < l.n; i++) {
        char *name = keep(c, 64); /* the list of names that were read outlives the parameters */
        l.parameters[i].data = input(c, memcpy(name, l.parameters[i].name, 64)).x;
    }
    open_net(c, &n);
    pcs_llama_build(&l, n.g, &config);
    check(c, precis_program_open(c->ctx, &n.p, n.g, PRECIS_EMULATED));
    check(c, precis_program_set_size(n.p, l.tokens, (int64_t)ids_in.n));
    pcs_program_bind(n.p, l.ids, whole(c, &ids_in));
    pcs_program_bind(n.p, l.targets, whole(c, &targets));
    pcs_program_bind(n.p, l.positions, pos);
    pcs_program_bind(n.p, l.sequences, seq);
    run_net(c, &n, l.loss);
    put_number(c, "loss", value_of(c, &n, l.loss)[0]);
    back_net(c, &n, l.loss, NULL);
    for (size_t i = 0; i < l.n; i++) {
        char *name = keep(c, 96);
        snprintf(name, 96, "d %s", l.parameters[i].name);
        put(c, name, pcs_reverse_gradient(n.r, l.parameters[i].value), l.parameters[i].dims, l.parameters[i].shape);
    }
    float losses[5];
    steps(c, &n, &l, losses);
    put(c, "losses_of_5_steps", losses, 1, (const int64_t[]){ 5 });
    close_net(&n);
    pcs_llama_close(c->ctx, &l);
}
