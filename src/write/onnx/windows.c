/* windows.c - convolutions, poolings, norms, Resize and what else moves a window. */
#include "base/f16.h"
#include "write/onnx/functions.h"

enum { STRIDES, PADS, DILATIONS, GROUPS, MORE };

/* Lists that say the usual are left out by pcs_emit when they are empty; kernel_shape is the weights'. */
precis_status pcs_lower_conv(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const pcs_value *weights = pcs_v(w, n->in[1]);
    const precis_attr *a = n->attr;
    int64_t kernel[PCS_GRAPH_DIMS];
    uint32_t dims = 0;
    for (uint32_t i = 2; i < weights->dims; i++) kernel[dims++] = weights->shape[i];
    const precis_attr attrs[] = { precis_attr_list("kernel_shape", dims, kernel),
                                  precis_attr_list("strides", a[STRIDES].n, a[STRIDES].list),
                                  precis_attr_list("pads", a[PADS].n, a[PADS].list),
                                  precis_attr_list("dilations", a[DILATIONS].n, a[DILATIONS].list),
                                  precis_attr_int("group", a[GROUPS].integer),
                                  n->op->attrs[MORE].kind == PRECIS_ATTR_LIST
                                      ? precis_attr_list("output_padding", a[MORE].n, a[MORE].list)
                                      : (precis_attr){ 0 },
                                  { 0 } };
    return pcs_emit_like(w, n, row->onnx, attrs);
}

/* Of nets made by precis/graph.h: one stride and one pad for both dimensions. */
precis_status pcs_lower_conv2d(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const int64_t s = n->attr[0].integer, p = n->attr[1].integer;
    const int64_t strides[] = { s, s }, pads[] = { p, p, p, p };
    return pcs_emit_like(w, n, row->onnx,
                         PRECIS_ATTRS(precis_attr_list("strides", 2, strides), precis_attr_list("pads", 4, pads),
                                      precis_attr_int("group", n->attr[2].integer)));
}

enum { P_STRIDES, P_PADS, P_DILATIONS, P_KERNEL, P_KIND, P_CEIL, P_ALL, P_P, P_COLUMNS };
static const char *const pools[][2] = { { "max", "MaxPool" }, { "mean", "AveragePool" }, { "lp", "LpPool" },
                                        { NULL, NULL } };

static bool dilated(const precis_attr *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (a->list[i] != 1) return true;
    return false;
}

precis_status pcs_lower_pool(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const precis_attr *a = n->attr;
    const char kind = pcs_word_of(pools, a[P_KIND].text)[0];
    precis_attr attrs[10] = { precis_attr_list("kernel_shape", a[P_KERNEL].n, a[P_KERNEL].list),
                              precis_attr_list("strides", a[P_STRIDES].n, a[P_STRIDES].list),
                              precis_attr_list("pads", a[P_PADS].n, a[P_PADS].list) };
    uint32_t at = 3;
    (void)row;
    if (kind != 'M' && (dilated(&a[P_DILATIONS]) || (kind == 'L' && a[P_CEIL].integer)))
        pcs_needs_opset(w, kind == 'L' ? 18 : 19);
    if (dilated(&a[P_DILATIONS]))
        attrs[at++] = precis_attr_list("dilations", a[P_DILATIONS].n, a[P_DILATIONS].list);
    if (a[P_CEIL].integer) attrs[at++] = precis_attr_int("ceil_mode", 1);
    if (kind == 'A') attrs[at++] = precis_attr_int("count_include_pad", a[P_ALL].integer);
    if (kind == 'L') attrs[at++] = precis_attr_int("p", a[P_P].integer);
    if (kind == 'M' && a[P_COLUMNS].integer) attrs[at++] = precis_attr_int("storage_order", 1);
    return pcs_emit_like(w, n, pcs_word_of(pools, a[P_KIND].text), attrs);
}

/* Of nets made by precis/graph.h: max_pool and avg_pool. */
precis_status pcs_lower_pool2d(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const int64_t k = n->attr[0].integer, s = n->attr[1].integer;
    const int64_t kernel[] = { k, k }, strides[] = { s ? s : k, s ? s : k };
    return pcs_emit_like(
        w, n, row->onnx,
        PRECIS_ATTRS(precis_attr_list("kernel_shape", 2, kernel), precis_attr_list("strides", 2, strides)));
}

precis_status pcs_lower_batch_norm(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(w, n, row->onnx, PRECIS_ATTRS(precis_attr_real("epsilon", n->attr[0].real)));
}

precis_status pcs_lower_layer_norm(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    return pcs_emit_like(
        w, n, row->onnx,
        PRECIS_ATTRS(precis_attr_int("axis", -1), precis_attr_real("epsilon", n->attr[0].real)));
}

/* ---- Resize: inputs x, scales, a region; sizes in its attributes ------------------------------------- */

static const char *const modes[][2] = { { "nearest", "nearest" }, { "linear", "linear" }, { "cubic", "cubic" },
                                        { NULL, NULL } };

precis_status pcs_lower_resize(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const precis_attr *a = n->attr;
    const pcs_value *x = pcs_v(w, n->in[0]), *y = pcs_v(w, n->out[0]);
    const char *mode = pcs_word_of(modes, a[1].text);
    const bool region = !strncmp(a[2].text, "tf_crop", 7);
    const float *scales = pcs_value_f32(pcs_v(w, n->in[1]), x->dims);
    bool by_scale = scales != NULL; /* where the scales give the sizes, they are what is written */
    for (uint32_t i = 0; scales && i < x->dims; i++) {
        const float s = scales[i];
        by_scale = by_scale && (pcs_dim_is_id(x->shape[i]) ? s == 1 && y->shape[i] == x->shape[i]
                                                           : (int64_t)((double)s * (double)x->shape[i]) == y->shape[i]);
    }
    if (!mode) return pcs_cannot(w, n, "its mode %s is not known", a[1].text);
    if (a[7].integer) pcs_needs_opset(w, 18);
    const precis_attr attrs[] = { precis_attr_text("mode", mode),
                                  precis_attr_text("coordinate_transformation_mode", a[2].text),
                                  precis_attr_text("nearest_mode", a[3].text),
                                  precis_attr_real("cubic_coeff_a", a[4].real),
                                  precis_attr_int("exclude_outside", a[5].integer),
                                  precis_attr_real("extrapolation_value", a[6].real),
                                  a[7].integer ? precis_attr_int("antialias", 1) : (precis_attr){ 0 },
                                  { 0 } };
    const char *roi = region ? pcs_name(w, n->in[2]) : "";
    return pcs_emit(w, &(pcs_made_node){ .op = row->onnx,
                                         .name = n->name,
                                         .in = { pcs_name(w, n->in[0]), roi, by_scale ? pcs_name(w, n->in[1]) : "",
                                                 by_scale ? "" : pcs_sizes(w, "sizes", y->dims, y->shape) },
                                         .n_in = by_scale ? 3 : 4,
                                         .out = { pcs_result_name(w, n->out[0]) },
                                         .n_out = 1,
                                         .attrs = attrs });
}

precis_status pcs_lower_sample(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const bool later = strcmp(n->attr[0].text, "nearest") != 0;
    const precis_attr attrs[] = { precis_attr_text("mode", n->attr[0].text),
                                  precis_attr_text("padding_mode", n->attr[1].text),
                                  precis_attr_int("align_corners", n->attr[2].integer),
                                  { 0 } };
    if (later) pcs_needs_opset(w, 20); /* "linear" and "cubic" are its words */
    return pcs_emit_like(w, n, row->onnx, attrs);
}

/* ---- recurrent ----------------------------------------------------------------------------------------- */

static const char *const kinds[][2] = { { "lstm", "LSTM" }, { "gru", "GRU" }, { "rnn", "RNN" }, { NULL, NULL } };
/* Letters of the op, and how many numbers each has of its own. */
static const struct {
    char letter;
    const char *name;
    uint32_t numbers;
} activations[] = {
    { 't', "Tanh", 0 },       { 's', "Sigmoid", 0 },         { 'r', "Relu", 0 },        { 'a', "Affine", 2 },
    { 'l', "LeakyRelu", 1 },  { 'T', "ThresholdedRelu", 1 }, { 'S', "ScaledTanh", 2 },  { 'H', "HardSigmoid", 2 },
    { 'e', "Elu", 1 },        { 'g', "Softsign", 0 },        { 'p', "Softplus", 0 },
};

typedef struct {
    const char *names[8];
    float alpha[8], beta[8];
    uint32_t n, n_alpha, n_beta;
} functions;

/* Of at most six functions; their alphas and betas stand one after another, of those alone that have them. */
static void functions_of(const precis_attr *act, const precis_attr *coefficients, functions *f)
{
    const char *s = act->text;
    *f = (functions){ .n = (uint32_t)strlen(s) };
    for (uint32_t i = 0; i < f->n && i < 8; i++)
        for (size_t k = 0; k < sizeof activations / sizeof *activations; k++) {
            if (activations[k].letter != s[i]) continue;
            f->names[i] = activations[k].name;
            if (activations[k].numbers) f->alpha[f->n_alpha++] = pcs_bits_f32((uint32_t)coefficients->list[i]);
            if (activations[k].numbers > 1)
                f->beta[f->n_beta++] = pcs_bits_f32((uint32_t)coefficients->list[f->n + i]);
        }
}

/* Inputs that say what is so when they are left out stay as they are: engines fold them. */
precis_status pcs_lower_recurrent(pcs_lowering *w, const pcs_node *n, const pcs_lower_row *row)
{
    const precis_attr *a = n->attr;
    const char *op = pcs_word_of(kinds, a[0].text);
    const bool dynamic = row->onnx[0] == 'D';
    const char **in = pcs_arena_alloc(&w->arena, n->n_in + 1, sizeof *in);
    functions f;
    if (!in) return PRECIS_ENOMEM;
    if (dynamic && op[0] == 'G') return pcs_lower_dynamic_gru(w, n);
    if (dynamic && op[0] == 'R') return pcs_cannot(w, n, "ONNX has no RNN of codes");
    functions_of(&a[2], &a[6], &f);
    precis_attr attrs[6] = { precis_attr_int("hidden_size", pcs_v(w, n->in[2])->shape[dynamic ? 1 : 2]),
                             precis_attr_text("direction", a[1].text) };
    uint32_t at = 2;
    if (a[3].real > 0) attrs[at++] = precis_attr_real("clip", a[3].real);
    if (op[0] == 'L') attrs[at++] = precis_attr_int("input_forget", a[4].integer);
    if (op[0] == 'G') attrs[at++] = precis_attr_int("linear_before_reset", a[5].integer);
    pcs_made_node m = { .op = dynamic ? row->onnx : op, .domain = dynamic ? "com.microsoft" : NULL, .name = n->name,
                        .many = in, .n_in = n->n_in, .n_out = n->n_out, .attrs = attrs };
    for (uint32_t i = 0; i < n->n_in; i++) in[i] = pcs_name(w, n->in[i]);
    for (uint32_t i = 0; i < n->n_out; i++) m.out[i] = w->uses[n->out[i]] ? pcs_result_name(w, n->out[i]) : "";
    m.lists[0] = (pcs_made_list){ .name = "activations", .texts = f.names, .n = f.n };
    m.lists[1] = (pcs_made_list){ .name = "activation_alpha", .reals = f.alpha, .n = f.n_alpha };
    m.lists[2] = (pcs_made_list){ .name = "activation_beta", .reals = f.beta, .n = f.n_beta };
    return pcs_emit(w, &m);
}
