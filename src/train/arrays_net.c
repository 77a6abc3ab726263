/* arrays_net.c - the float net: a file's, or the configuration's layers with numbers by chance. */
#include "base/builtins.h"
#include "base/fmath.h"
#include "train/arrays.h"

#include <stdio.h>

typedef struct {
    pcs_train_run *t;
    precis_module *m;
    size_t made; /* tensors, each with a state of its own */
} stack;

/* Normal numbers whose variance is 2 / inputs (He et al. 2015, equation 10). */
static float *drawn(stack *s, size_t n, size_t inputs)
{
    float *x = pcs_arena_alloc(&s->t->arena, n, sizeof *x);
    const uint64_t state = s->t->c.seed * 0x9e3779b97f4a7c15u + 0x51ed270b0a1f39c1u * ++s->made;
    if (x) pcs_train_normal(x, n, state, pcs_sqrt(2.0 / (double)inputs));
    return x;
}

static float *filled(stack *s, size_t n, float value)
{
    float *x = pcs_arena_alloc(&s->t->arena, n, sizeof *x);
    for (size_t i = 0; x && i < n; i++) x[i] = value;
    return x;
}

static precis_value norm_of_ones(stack *s, const char *name, precis_value x, size_t channels)
{
    char own[32];
    const precis_module_norm of = { filled(s, channels, 1), filled(s, channels, 0), filled(s, channels, 0),
                                    filled(s, channels, 1), 1e-5 };
    snprintf(own, sizeof own, "%s.norm", name);
    if (!of.gamma || !of.beta || !of.mean || !of.variance) return -1;
    return precis_module_batch_norm(s->m, own, x, &of);
}

/* As a file's reader makes it: in f32 alone, where an op has both. */
static precis_value activation(stack *s, const char *name, const char *op, precis_value x)
{
    const precis_attr *of = pcs_op_by_name(op)->attrs;
    while (of && of->name && strcmp(of->name, "single")) of++;
    const precis_attr single[] = { precis_attr_int("single", 1), { 0 } };
    return precis_module_layer(s->m, name, op, of && of->name ? single : NULL, 1, &x);
}

/* What lies after a layer's product. */
static precis_value behind(stack *s, const pcs_train_layer *l, const char *name, precis_value x)
{
    char own[40];
    if (l->norm) x = norm_of_ones(s, name, x, (size_t)l->out);
    snprintf(own, sizeof own, "%s.activation", name);
    if (l->activation) x = activation(s, own, l->activation, x);
    if (!l->pool) return x;
    const int64_t of[] = { l->pool, l->pool, l->pool };
    const uint32_t dims = (uint32_t)(s->t->c.arrays.input[2] ? s->t->c.arrays.input[3] ? 3 : 2 : 1);
    const precis_attr attrs[] = { precis_attr_list("strides", dims, of), precis_attr_list("kernel", dims, of),
                                  precis_attr_text("kind", "max"), { 0 } };
    snprintf(own, sizeof own, "%s.pool", name);
    return precis_module_layer(s->m, own, "pool", attrs, 1, &x);
}

/* [channels, ...] of a value without its batch. */
static size_t count(const int64_t *shape, uint32_t dims)
{
    size_t n = 1;
    for (uint32_t i = 0; i < dims; i++)
        if (!pcs_mul_ok(n, (size_t)shape[i], &n)) return 0;
    return n;
}

/* Sizes of what flows, as layers change them. */
typedef struct { int64_t shape[4]; uint32_t dims; precis_value x; } flow;

static precis_status stack_layer(stack *s, flow *f, const pcs_train_layer *l, const char *name)
{
    char flat[40];
    precis_ctx *ctx = s->t->ctx;
    if (l->linear) {
        const size_t k = count(f->shape, f->dims);
        float *w = k && k <= (size_t)1 << 28 ? drawn(s, (size_t)l->out * k, k) : NULL;
        snprintf(flat, sizeof flat, "%s.flatten", name);
        if (!w) return k && k <= (size_t)1 << 28 ? PRECIS_ENOMEM : pcs_fail(ctx, PRECIS_EFORMAT, "%s: too large", name);
        if (f->dims > 1) f->x = precis_module_flatten(s->m, flat, f->x);
        f->x = precis_module_linear(s->m, name, f->x, l->out, w, l->norm ? NULL : filled(s, (size_t)l->out, 0));
        f->dims = 1;
        f->shape[0] = l->out;
    } else {
        if (f->dims < 2 || f->shape[0] % l->groups || l->out % l->groups)
            return pcs_fail(ctx, PRECIS_EFORMAT, "model.net: %s: a convolution of %lld channels in %lld groups, behind "
                                                 "%lld channels and %u dimensions", name, (long long)l->out,
                            (long long)l->groups, (long long)f->shape[0], f->dims - 1);
        precis_module_conv_options o = PRECIS_MODULE_CONV_INIT;
        size_t k = (size_t)(f->shape[0] / l->groups);
        o.out = l->out, o.groups = l->groups;
        for (uint32_t i = 0; i + 1 < f->dims; i++) {
            k *= (size_t)l->kernel;
            o.kernel[i] = l->kernel, o.stride[i] = l->stride, o.pad[i] = l->pad, o.dilation[i] = 1;
            f->shape[i + 1] = (f->shape[i + 1] + 2 * l->pad - l->kernel) / l->stride + 1;
            if (l->pool) f->shape[i + 1] = f->shape[i + 1] / l->pool;
            if (f->shape[i + 1] < 1)
                return pcs_fail(ctx, PRECIS_EFORMAT, "model.net: %s: its windows do not fit into what comes in", name);
        }
        float *w = drawn(s, (size_t)l->out * k, k);
        if (!w) return PRECIS_ENOMEM;
        f->x = precis_module_conv(s->m, name, f->x, &o, w, l->norm ? NULL : filled(s, (size_t)l->out, 0));
        f->shape[0] = l->out;
    }
    f->x = behind(s, l, name, f->x);
    return PRECIS_OK;
}

static precis_status build(pcs_train_run *t)
{
    const pcs_train_arrays *c = &t->c.arrays;
    flow f = { .dims = 0 };
    int64_t shape[5] = { -1 };
    stack s = { .t = t };
    char name[16];
    precis_status st = precis_module_open(t->ctx, &t->arrays->module);
    s.m = t->arrays->module;
    for (; f.dims < 4 && c->input[f.dims]; f.dims++) f.shape[f.dims] = shape[f.dims + 1] = c->input[f.dims];
    if (!st) f.x = precis_module_input(s.m, "x", f.dims + 1, shape);
    for (size_t i = 0; i < c->n_stack && !st; i++) {
        snprintf(name, sizeof name, "%s%zu", c->stack[i].linear ? "linear" : "conv", i + 1);
        st = stack_layer(&s, &f, &c->stack[i], name);
    }
    const pcs_train_layer last = { .linear = true, .out = c->classes };
    if (!st) st = stack_layer(&s, &f, &last, "classes");
    if (!st) precis_module_output(s.m, "y", f.x);
    return st ? st : precis_module_net(s.m, &t->arrays->net);
}

precis_status pcs_arrays_open_net(pcs_train_run *t)
{
    if (!t->c.from) return build(t);
    if (!precis_net_probe(t->ctx, t->c.from))
        return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED,
                        "%s: is no net of arrays (ONNX, .pt2), and data.arrays is what such are trained on", t->c.from);
    return precis_net_open(t->ctx, &t->arrays->net, t->c.from);
}
