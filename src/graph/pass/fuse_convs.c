/* fuse_convs - ConvInteger of constant weights, its Cast to numbers, the Mul with its scales and the Add of a constant
 * become one node (codes_conv with the zero point of a run) behind codes_layout, since it takes channels last. The bits
 * are those of the four. Convolutions of one and two dimensions. */
#include "graph/pass/codes.h"

extern const pcs_op pcs_op_conv_whole, pcs_op_cast, pcs_op_mul, pcs_op_add;

/* Strides, pads, dilations, groups of a convolution, as those of two dimensions. */
typedef struct {
    const pcs_node *core;
    precis_value scale, bias; /* bias -1: none */
    int64_t groups, outs, each, kernel[2], strides[2], pads[4], dilations[2];
    bool line; /* of one dimension */
} conv_form;

static int64_t listed(const precis_attr *a, uint32_t i, int64_t usual) { return i < a->n ? a->list[i] : usual; }

/* Codes less their zero points, which must fit 8 bits with a sign. */
typedef struct { const void *codes, *zeros; int64_t n, each, zeros_n; bool is_signed; } conv_codes;

/* False: their contents are not there. */
static bool codes_open(conv_codes *c, const pcs_value *w, const pcs_value *z)
{
    *c = (conv_codes){ pcs_value_host(w), pcs_value_host(z), pcs_value_count(w), 1, pcs_value_count(z),
                       w->dtype == PCS_I8 };
    if (!c->codes || !c->zeros || c->n < 1) return false;
    c->each = c->n / w->shape[0];
    return true;
}

static bool weight_at(const conv_codes *c, int64_t i, int8_t *out)
{
    const int64_t z = c->zeros_n == 1 ? 0 : i / c->each;
    const int32_t q = c->is_signed ? ((const int8_t *)c->codes)[i] - ((const int8_t *)c->zeros)[z]
                                   : ((const uint8_t *)c->codes)[i] - ((const uint8_t *)c->zeros)[z];
    *out = (int8_t)q;
    return q >= -128 && q <= 127;
}

/* Operands of a convolution of codes of a run, all sizes of which are known. */
static bool core_fits(const precis_graph *g, const pcs_node *n)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]], *zx = &g->values[n->in[2]],
                    *zw = &g->values[n->in[3]];
    conv_codes c;
    if (x->dtype != PCS_U8 || pcs_value_is_known(x) || (x->dims != 3 && x->dims != 4) || !pcs_value_sized(x) ||
        pcs_value_count(zx) != 1 || !codes_open(&c, w, zw) ||
        pcs_value_count(&g->values[n->out[0]]) < 1)
        return false;
    if (c.each > INT32_MAX / (255 * 128 * 2)) return false;
    int8_t q;
    for (int64_t i = 0; i < c.n; i++)
        if (!weight_at(&c, i, &q)) return false;
    return true;
}

/* The convolution whose cast v is. */
static const pcs_node *core_behind(const precis_graph *g, precis_value v)
{
    const pcs_node *cast = pcs_node_making(g, g->nodes, v);
    if (!cast || cast->op != &pcs_op_cast || g->values[v].dtype != PCS_F32) return NULL;
    const pcs_node *n = pcs_node_making(g, g->nodes, cast->in[0]);
    return n && n->op == &pcs_op_conv_whole && core_fits(g, n) ? n : NULL;
}

/* Numbers by channel: n of them along dimension 1 of a result of so many. */
static bool by_channel(const pcs_value *s, uint32_t dims, int64_t n)
{
    if (s->dtype != PCS_F32 || !pcs_value_sized(s) || pcs_value_count(s) != n) return false;
    return (s->dims == dims && s->shape[1] == n) || (s->dims + 1 == dims && s->shape[0] == n);
}

static bool scaled_conv(const precis_graph *g, const pcs_node *n, conv_form *f)
{
    for (int side = 0; side < 2 && n && n->op == &pcs_op_mul; side++) {
        f->core = core_behind(g, n->in[side]);
        f->scale = n->in[1 - side];
        if (!f->core) continue;
        const pcs_value *s = &g->values[f->scale], *y = &g->values[n->out[0]], *c = &g->values[n->in[side]];
        const bool one = s->dtype == PCS_F32 && pcs_value_count(s) == 1;
        if ((one || by_channel(s, c->dims, g->values[f->core->in[1]].shape[0])) && y->dims == c->dims &&
            pcs_value_sized(y) && pcs_value_count(y) == pcs_value_count(c))
            return true;
    }
    return false;
}

static void form_of(const precis_graph *g, conv_form *f)
{
    const precis_attr *a = f->core->attr;
    const pcs_value *w = &g->values[f->core->in[1]];
    f->line = w->dims == 3;
    f->groups = a[3].integer;
    f->outs = w->shape[0];
    f->each = w->shape[1];
    for (uint32_t i = 0; i < 2; i++) {
        const bool real = !f->line || i;
        const uint32_t d = f->line ? 0 : i, half = f->line ? 1 : 2;
        f->kernel[i] = real ? w->shape[2 + d] : 1;
        f->strides[i] = real ? listed(&a[0], d, 1) : 1;
        f->pads[i] = real ? listed(&a[1], d, 0) : 0;
        f->pads[2 + i] = real ? listed(&a[1], half + d, 0) : 0;
        f->dilations[i] = real ? listed(&a[2], d, 1) : 1;
    }
}

/* ---- operands ------------------------------------------------------------------------------------ */

typedef struct { precis_value w, bias, sums; } conv_weights;

static bool pack_conv(precis_graph *g, const conv_form *f, conv_weights *o)
{
    conv_codes c;
    const float *b = f->bias >= 0 ? pcs_value_f32(&g->values[f->bias], (uint64_t)f->outs) : NULL;
    const size_t taps = (size_t)(f->kernel[0] * f->kernel[1]), each = (size_t)f->each, k = taps * each,
                 rows = (size_t)f->outs, of_group = rows / (size_t)f->groups, lines = pcs_codes_lines(k);
    const bool deep = f->groups > 1 && f->each == 1 && f->groups == f->outs;
    const size_t span = pcs_codes_panels(of_group) * PCS_CODES_PANEL, n = deep ? rows : (size_t)f->groups * span,
                 bytes = deep ? taps * rows : (size_t)f->groups * pcs_codes_bytes(of_group, k);
    int32_t *sums = pcs_alloc(g->ctx, n + 1, 8);
    int8_t *to = pcs_alloc(g->ctx, bytes + k + 64, 1), *row = to ? to + bytes : NULL;
    const bool ok = sums && to && codes_open(&c, &g->values[f->core->in[1]], &g->values[f->core->in[3]]) &&
                    (b || f->bias < 0);
    float *bias = sums ? (float *)(void *)(sums + n) : NULL;
    for (size_t r = 0; r < rows && ok; r++) {
        const size_t at = deep ? r : r / of_group * span + r % of_group;
        for (size_t i = 0; i < k; i++) { /* [each][taps] as [taps][each] */
            int8_t *q = &row[i % taps * each + i / taps];
            weight_at(&c, (int64_t)(r * k + i), q);
            sums[at] += *q;
        }
        if (b) bias[at] = b[r];
        for (size_t t = 0; t < taps && deep; t++) to[t * rows + r] = row[t];
        if (!deep) pcs_codes_pack_row(to, lines, at, row, k);
    }
    if (ok)
        *o = (conv_weights){ pcs_code_constant(g, "weights", PCS_I8, (int64_t)bytes, to),
                         pcs_code_constant(g, "bias", PCS_F32, (int64_t)n, bias),
                         pcs_code_constant(g, "sums", PCS_I32, (int64_t)n, sums) };
    else pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    pcs_free(g->ctx, sums);
    pcs_free(g->ctx, to);
    return ok && !g->error;
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

static precis_value shaped(precis_graph *g, const char *name, precis_value v, uint32_t dims, const int64_t *shape)
{
    const precis_value to = v < 0 ? -1 : pcs_code_constant(g, "shape", PCS_I64, dims, shape);
    return to < 0 ? -1 : precis_graph_node(g, name, "reshape", NULL, 2, (const precis_value[]){ v, to });
}

/* The nodes; the last one gives y, whose shape it has. */
static precis_value conv_of_run(precis_graph *g, const conv_form *f, const pcs_node *n)
{
    const precis_value y = n->out[0];
    precis_value x = f->core->in[0];
    conv_weights o;
    if (!pack_conv(g, f, &o)) return -1;
    const int64_t *in = g->values[x].shape, wide[] = { in[0], in[1], 1, in[2] };
    if (f->line) x = shaped(g, n->name, x, 4, wide);
    if (x >= 0) x = precis_graph_node(g, n->name, "codes_layout", NULL, 1, &x);
    if (x < 0) return -1;
    const precis_attr attrs[] = { precis_attr_list("strides", 2, f->strides),
                                  precis_attr_list("pads", 4, f->pads),
                                  precis_attr_list("dilations", 2, f->dilations),
                                  precis_attr_list("kernel", 2, f->kernel),
                                  precis_attr_int("groups", f->groups),
                                  precis_attr_int("channels", f->outs),
                                  { 0 } };
    const precis_value made = precis_graph_node(g, n->name, "codes_conv", attrs, 6,
                                                (const precis_value[]){ x, o.w, o.bias, o.sums, f->scale,
                                                                        f->core->in[2] });
    return made >= 0 && f->line ? shaped(g, n->name, made, 3, g->values[y].shape) : made;
}

/* The node that was made last gives y instead of its own result, which is alike. */
static precis_status give(precis_graph *g, precis_value made, precis_value y)
{
    if (made < 0) return g->error ? g->error : PRECIS_ENOMEM;
    pcs_node last = g->nodes[--g->n_nodes];
    last.out = pcs_arena_alloc(&g->arena, 1, sizeof *last.out);
    if (!last.out) return PRECIS_ENOMEM;
    last.out[0] = y;
    return pcs_graph_push(g, &last);
}

/* An Add takes the Mul before it, which then may have no reader. */
static bool ends_conv(const precis_graph *g, const pcs_node *n, conv_form *f)
{
    f->bias = -1;
    if (n->op == &pcs_op_add)
        for (int side = 0; side < 2; side++) {
            const pcs_value *b = &g->values[n->in[1 - side]];
            const uint32_t dims = g->values[n->out[0]].dims;
            if (!scaled_conv(g, pcs_node_making(g, g->nodes, n->in[side]), f) || !pcs_value_is_known(b) ||
                !by_channel(b, dims, g->values[f->core->in[1]].shape[0]) || dims != g->values[n->in[side]].dims)
                continue;
            f->bias = n->in[1 - side];
            form_of(g, f);
            return true;
        }
    if (!scaled_conv(g, n, f)) return false;
    form_of(g, f);
    return true;
}

typedef struct { conv_form *forms; bool *fused, *used; } matches;

/* From the end on, so that what only a fused node read is not made. */
static void find_convs(const precis_graph *g, matches *m)
{
    for (size_t v = 0; v < g->n_values; v++) m->used[v] = g->values[v].output || g->values[v].dtype == PCS_STATE;
    for (size_t i = g->n_nodes; i-- > 0;) {
        const pcs_node *n = &g->nodes[i];
        bool needed = false;
        for (uint32_t k = 0; k < n->n_out; k++) needed = needed || m->used[n->out[k]];
        if (!needed) continue;
        const conv_form *f = &m->forms[i];
        m->fused[i] = ends_conv(g, n, &m->forms[i]);
        if (m->fused[i]) m->used[f->core->in[0]] = m->used[f->core->in[2]] = m->used[f->scale] = true;
        for (uint32_t k = 0; k < n->n_in && !m->fused[i]; k++) m->used[n->in[k]] = true;
    }
}

static precis_status with_convs(precis_graph *g, const matches *m, const pcs_node *nodes, size_t n)
{
    precis_status st = PRECIS_OK;
    g->n_nodes = 0;
    for (size_t i = 0; i < n && !st; i++) {
        bool needed = false;
        for (uint32_t k = 0; k < nodes[i].n_out; k++) needed = needed || m->used[nodes[i].out[k]];
        if (!needed) continue;
        if (m->fused[i]) st = give(g, conv_of_run(g, &m->forms[i], &nodes[i]), nodes[i].out[0]);
        else st = pcs_graph_push(g, &nodes[i]);
    }
    return st ? st : g->error;
}

static precis_status run(precis_graph *g)
{
    const size_t n = g->n_nodes;
    size_t some = 0;
    for (size_t i = 0; i < n; i++) some += g->nodes[i].op == &pcs_op_conv_whole;
    if (!some) return PRECIS_OK;
    matches m = { pcs_alloc(g->ctx, n + 1, sizeof *m.forms), pcs_alloc(g->ctx, n + 1, sizeof *m.fused),
                  pcs_alloc(g->ctx, g->n_values + 1, sizeof *m.used) };
    pcs_node *nodes = pcs_alloc(g->ctx, n + 1, sizeof *nodes);
    precis_status st = m.forms && m.fused && m.used && nodes ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) {
        memcpy(nodes, g->nodes, n * sizeof *nodes);
        find_convs(g, &m);
        for (size_t i = 0; i < n; i++) /* nodes stay where they are read from, while others are made */
            if (m.fused[i]) m.forms[i].core = nodes + (m.forms[i].core - g->nodes);
        st = with_convs(g, &m, nodes, n);
        if (st && st != PRECIS_ENOMEM) { /* as it was: what cannot be fused is run all the same */
            g->n_nodes = 0;
            g->error = st = PRECIS_OK;
            for (size_t i = 0; i < n && !st; i++) st = pcs_graph_push(g, &nodes[i]);
        }
        pcs_graph_renumber(g);
    }
    pcs_free(g->ctx, m.forms);
    pcs_free(g->ctx, m.fused);
    pcs_free(g->ctx, m.used);
    pcs_free(g->ctx, nodes);
    return st;
}

const pcs_pass pcs_pass_fuse_convs = { "fuse_convs", run };
