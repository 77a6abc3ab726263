/* einsum - sums of products over named dimensions, "bij,bjk->bik": letters, "..." for dimensions that spread, blanks
 * mean nothing. Without "->" the result has the letters that stand once, in alphabetical order. Sums are in f64, the
 * last dimension fastest. */
#include "graph/element.h"
#include "base/overflow.h"

enum { EQUATION };
#define OPERANDS_MOST 6    /* operands */
#define LABELS 24 /* dimensions in all */

typedef struct {
    uint32_t n, labels, out_dims;
    char names[LABELS];
    int64_t sizes[LABELS];
    uint32_t at[OPERANDS_MOST + 1][PCS_GRAPH_DIMS],
        dims[OPERANDS_MOST + 1]; /* labels of each operand's dimensions, and of the result's */
} plan;

/* The label's number; LABELS: too many. Dots are the digits '0' to '7', counted from the last of them. */
static uint32_t label(plan *p, char name)
{
    for (uint32_t i = 0; i < p->labels; i++)
        if (p->names[i] == name) return i;
    if (p->labels == LABELS) return LABELS;
    p->names[p->labels] = name;
    p->sizes[p->labels] = 1;
    return p->labels++;
}

/* Labels of one term; wide: dimensions that dots stand for. */
static bool term(plan *p, const char *s, const char *end, uint32_t operand, uint32_t wide)
{
    p->dims[operand] = 0;
    for (; s < end; s++) {
        if (*s == ' ') continue;
        const bool dots = end - s >= 3 && !memcmp(s, "...", 3);
        if (!dots && !((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z'))) return false;
        for (uint32_t i = 0; i < (dots ? wide : 1); i++) {
            const uint32_t l = label(p, dots ? (char)('0' + wide - 1 - i) : *s);
            if (l == LABELS || p->dims[operand] == PCS_GRAPH_DIMS) return false;
            p->at[operand][p->dims[operand]++] = l;
        }
        if (dots) s += 2;
    }
    return true;
}

static uint32_t letters(const char *s, const char *end)
{
    uint32_t n = 0;
    for (; s < end; s++) n += *s != ' ' && *s != '.';
    return n;
}

/* What the result has where the equation does not say: dots, then letters that stand once. */
static bool implied(plan *p, const char *text, const char *end, uint32_t wide)
{
    p->dims[p->n] = 0;
    for (uint32_t i = 0; i < wide; i++) p->at[p->n][p->dims[p->n]++] = label(p, (char)('0' + wide - 1 - i));
    for (char c = 'A'; c <= 'z'; c++) {
        int times = 0;
        for (const char *s = text; s < end; s++) times += *s == c;
        if (times != 1 || c < 'A' || (c > 'Z' && c < 'a')) continue;
        if (p->dims[p->n] == PCS_GRAPH_DIMS) return false;
        p->at[p->n][p->dims[p->n]++] = label(p, c);
    }
    return true;
}

/* dims: of each operand. */
static bool parse(plan *p, const char *text, uint32_t n, const uint32_t *dims)
{
    const char *arrow = strstr(text, "->"), *end = arrow ? arrow : text + strlen(text), *s = text;
    uint32_t wide = 0;
    *p = (plan){ .n = n };
    for (uint32_t i = 0; i < n; i++) {
        const char *comma = memchr(s, ',', (size_t)(end - s)), *stop = comma ? comma : end;
        const uint32_t own = letters(s, stop);
        if ((comma != NULL) != (i + 1 < n) || own > dims[i]) return false;
        const bool dots = memchr(s, '.', (size_t)(stop - s)) != NULL;
        if (!dots && own != dims[i]) return false;
        if (!term(p, s, stop, i, dots ? dims[i] - own : 0)) return false;
        if (dots && dims[i] - own > wide) wide = dims[i] - own;
        s = stop + 1;
    }
    const uint32_t known = p->labels;
    if (!arrow) return implied(p, text, end, wide);
    if (!term(p, arrow + 2, arrow + strlen(arrow), n, wide) || p->labels != known) return false; /* of no operand */
    for (uint32_t i = 0; i < p->dims[n]; i++)
        for (uint32_t k = 0; k < i; k++)
            if (p->at[n][i] == p->at[n][k]) return false;
    return true;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    uint32_t dims[OPERANDS_MOST] = { 0 };
    plan p;
    for (uint32_t i = 0; i < n->n_in; i++) dims[i] = g->values[n->in[i]].dims;
    if (!parse(&p, n->attr[EQUATION].text, n->n_in, dims))
        return pcs_op_fail(g, n, "\"%.60s\" is no equation for its operands", n->attr[EQUATION].text);
    const pcs_dtype d = g->values[n->in[0]].dtype;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const pcs_value *x = &g->values[n->in[i]];
        if (x->dtype != d || !pcs_dtype_bytes(d)) return pcs_op_fail(g, n, "takes operands of one type");
        for (uint32_t k = 0; k < x->dims; k++) {
            int64_t *size = &p.sizes[p.at[i][k]];
            if (x->shape[k] != 1 && *size != 1 && *size != x->shape[k])
                return pcs_op_fail(g, n, "dimension %c has %lld and %lld elements", p.names[p.at[i][k]],
                                   (long long)*size, (long long)x->shape[k]);
            if (x->shape[k] != 1) *size = x->shape[k];
        }
    }
    int64_t steps = 1;
    for (uint32_t k = 0; k < p.labels; k++)
        if (!pcs_dim_is_id(p.sizes[k]) &&
            (!pcs_i64_mul(steps, p.sizes[k], &steps) || steps > (int64_t)1 << 40))
            return pcs_op_fail(g, n, "takes more than 2^40 steps");
    out->dtype = d;
    out->dims = p.dims[n->n_in];
    for (uint32_t k = 0; k < out->dims; k++) out->shape[k] = p.sizes[p.at[n->n_in][k]];
    return PRECIS_OK;
}

/* Strides by label: of each operand, and sizes of those that are summed. */
typedef struct {
    plan p;
    int64_t stride[OPERANDS_MOST][LABELS], sums[LABELS], count;
    uint32_t summed[LABELS], n_summed;
} loops;

static void prepare(const pcs_call *c, loops *l)
{
    uint32_t dims[OPERANDS_MOST] = { 0 };
    bool kept[LABELS] = { false };
    memset(l, 0, sizeof *l);
    for (uint32_t i = 0; i < c->n_in; i++) dims[i] = c->in[i].dims;
    parse(&l->p, c->attr[EQUATION].text, c->n_in, dims);
    for (uint32_t i = 0; i < c->n_in; i++) {
        int64_t dense[PCS_GRAPH_DIMS];
        pcs_dense(c->in[i].dims, c->in[i].shape, dense);
        for (uint32_t k = 0; k < c->in[i].dims; k++) {
            const uint32_t at = l->p.at[i][k];
            if (c->in[i].shape[k] == 1) continue;
            l->p.sizes[at] = c->in[i].shape[k];
            l->stride[i][at] += dense[k]; /* a letter twice: the diagonal */
        }
    }
    for (uint32_t k = 0; k < l->p.dims[c->n_in]; k++) kept[l->p.at[c->n_in][k]] = true;
    l->count = 1;
    for (uint32_t i = 0; i < l->p.labels; i++)
        if (!kept[i]) l->summed[l->n_summed++] = i, l->count *= l->p.sizes[i];
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *y = &c->out[0];
    loops l;
    uint64_t begin, end;
    prepare(c, &l);
    pcs_share((uint64_t)pcs_arg_count(y), 4, ith, nth, &begin, &end);
    for (uint64_t o = begin; o < end; o++) {
        int64_t from[OPERANDS_MOST] = { 0 }, rest = (int64_t)o;
        double sum = 0;
        int64_t whole = 0;
        for (uint32_t k = y->dims; k-- > 0; rest /= y->shape[k])
            for (uint32_t i = 0; i < c->n_in; i++) from[i] += rest % y->shape[k] * l.stride[i][l.p.at[c->n_in][k]];
        for (int64_t s = 0; s < l.count; s++) {
            int64_t at[OPERANDS_MOST], left = s, w = 1;
            double v = 1;
            memcpy(at, from, sizeof at);
            for (uint32_t k = l.n_summed; k-- > 0; left /= l.p.sizes[l.summed[k]])
                for (uint32_t i = 0; i < c->n_in; i++)
                    at[i] += left % l.p.sizes[l.summed[k]] * l.stride[i][l.summed[k]];
            for (uint32_t i = 0; i < c->n_in; i++) {
                if (pcs_dtype_whole(y->dtype))
                    w = (int64_t)((uint64_t)w * (uint64_t)pcs_int_at(&c->in[i], (size_t)at[i]));
                else v *= pcs_real_at(&c->in[i], (size_t)at[i]);
            }
            sum += v;
            whole = (int64_t)((uint64_t)whole + (uint64_t)w);
        }
        if (pcs_dtype_whole(y->dtype))
            pcs_elements_store(y->dtype, &whole, 1, (char *)y->data + o * pcs_dtype_bytes(y->dtype));
        else pcs_set_real(y, o, sum);
    }
}

/* The labels' indices at element e of operand k; false: two indices of one letter differ, so that nothing has it. */
static bool indices_of(const pcs_call *c, const loops *l, uint32_t k, int64_t e, int64_t *index)
{
    bool set[LABELS] = { false };
    memset(index, 0, LABELS * sizeof *index);
    for (uint32_t d = c->in[k].dims; d-- > 0; e /= c->in[k].shape[d]) {
        const uint32_t at = l->p.at[k][d];
        if (c->in[k].shape[d] == 1) continue;
        if (set[at] && index[at] != e % c->in[k].shape[d]) return false;
        index[at] = e % c->in[k].shape[d];
        set[at] = true;
    }
    return true;
}

/* What operand k is multiplied with on its way to the results, over all labels that it does not have. */
static double of_operand(const pcs_call *c, const loops *l, uint32_t k, const float *d, int64_t *index)
{
    const uint32_t *out = l->p.at[c->n_in];
    uint32_t others[LABELS], n = 0;
    int64_t count = 1;
    double sum = 0;
    for (uint32_t i = 0; i < l->p.labels; i++)
        if (!l->stride[k][i]) others[n++] = i, count *= l->p.sizes[i];
    for (int64_t s = 0; s < count; s++) {
        int64_t left = s, to = 0;
        for (uint32_t i = n; i-- > 0; left /= l->p.sizes[others[i]]) index[others[i]] = left % l->p.sizes[others[i]];
        for (uint32_t i = 0; i < c->out[0].dims; i++) to = to * c->out[0].shape[i] + index[out[i]];
        double v = (double)d[to];
        for (uint32_t j = 0; j < c->n_in; j++) {
            int64_t at = 0;
            for (uint32_t i = 0; i < l->p.labels; i++) at += index[i] * l->stride[j][i];
            if (j != k) v *= pcs_real_at(&c->in[j], (size_t)at);
        }
        sum += v;
    }
    return sum;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    loops l;
    prepare(c, &l);
    for (uint32_t k = 0; k < c->n_in; k++) {
        uint64_t begin, end;
        int64_t index[LABELS];
        pcs_share((uint64_t)pcs_arg_count(&c->in[k]), 4, ith, nth, &begin, &end);
        for (uint64_t e = begin; e < end && g->in[k]; e++)
            if (indices_of(c, &l, k, (int64_t)e, index))
                g->in[k][e] += (float)of_operand(c, &l, k, g->out[0], index);
    }
}

const pcs_op pcs_op_einsum = { .backward = backward, .name = "einsum",
                               .min_in = 1,
                               .max_in = OPERANDS_MOST,
                               .attrs = PCS_ATTR_TABLE(PCS_TEXT("equation", "")),
                               .infer = infer,
                               .eval = eval };
