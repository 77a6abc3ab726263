/* costs.c - the table of costs: kept, written, read. */
#include "quant/costs.h"

#include "base/json.h"
#include "graph/arch.h"
#include "plan/plan.h"
#include "write/write.h"

#include <math.h>
#include <stdio.h>

precis_status pcs_costs_new(precis_ctx *ctx, precis_costs **out)
{
    precis_costs *c = *out = pcs_alloc(ctx, 1, sizeof *c);
    if (!c) return PRECIS_ENOMEM;
    c->ctx = ctx;
    return PRECIS_OK;
}

void precis_costs_close(precis_costs **costs)
{
    if (!costs || !*costs) return;
    precis_ctx *ctx = (*costs)->ctx;
    pcs_free(ctx, (*costs)->rows);
    pcs_free(ctx, *costs);
    *costs = NULL;
}

precis_status pcs_costs_add(precis_costs *c, const pcs_cost *row)
{
    if (c->n == c->cap) {
        pcs_cost *grown = pcs_grow(c->ctx, c->rows, c->n * sizeof *grown, c->cap * 2 + 64, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        c->rows = grown;
        c->cap = c->cap * 2 + 64;
    }
    c->rows[c->n++] = *row;
    return PRECIS_OK;
}

double pcs_costs_share(const precis_model *m, const pcs_tensor *t)
{
    if (t->dims < 2 || (!pcs_quantizable(t) && !pcs_makes_logits(m, t))) return 0;
    if (!strncmp(t->name, "token_embd", 10) && !pcs_makes_logits(m, t)) return 0;
    if (t->dims < 3) return 1;
    const double used = (double)pcs_arch_int(m, "expert_used_count", 1, NULL), all = (double)t->ne[2];
    return used < all ? used / all : 1;
}

const pcs_cost *pcs_costs_find(const precis_costs *c, const pcs_format *f, uint64_t rows, uint64_t width)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->rows[i].f == f && c->rows[i].rows == rows && c->rows[i].width == width) return &c->rows[i];
    return NULL;
}

double pcs_costs_of(const precis_costs *c, const precis_model *m, const pcs_tensor *t, const pcs_format *f)
{
    const double share = pcs_costs_share(m, t);
    if (share == 0) return 0;
    const double matrices = t->dims > 2 ? (double)t->ne[2] * share : 1;
    const pcs_cost *cost = pcs_costs_find(c, f, (uint64_t)t->ne[1], (uint64_t)t->ne[0]);
    return cost ? matrices * cost->seconds : -1;
}

precis_status precis_costs_predict(const precis_costs *c, const precis_plan *plan, double *tok_s)
{
    double seconds = c->overhead;
    for (size_t i = 0; i < plan->n; i++) {
        const double s = pcs_costs_of(c, plan->model, plan->rows[i].tensor, plan->rows[i].to);
        if (s < 0) return pcs_fail(c->ctx, PRECIS_EINVAL, "the cost table has no %s of %lld rows of %lld weights (tensor %s); it is of another model: precis bench MODEL --cost-table makes this one's", plan->rows[i].to->name,
                                   (long long)plan->rows[i].tensor->ne[1], (long long)plan->rows[i].tensor->ne[0], plan->rows[i].tensor->name);
        seconds += s;
    }
    *tok_s = 1 / seconds;
    return PRECIS_OK;
}

void precis_costs_get_info(const precis_costs *c, precis_costs_info *info)
{
    double read = 0;
    for (size_t i = 0; i < c->n; i++) read += c->rows[i].read / (double)c->n;
    const precis_costs_info all = { info->size, c->cpu, c->threads, c->n, c->overhead, read };
    memcpy(info, &all, info->size < sizeof all ? info->size : sizeof all);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

precis_status precis_costs_save(precis_ctx *ctx, const precis_costs *c, const char *path)
{
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    precis_status st = pcs_buf_printf(&b, "{\"precis\": \"costs\", \"version\": 1, \"cpu\": \"%s\", \"threads\": %u, \"overhead\": %.9g,\n \"rows\": [", c->cpu, c->threads, c->overhead);
    for (size_t i = 0; i < c->n && !st; i++)
        st = pcs_buf_printf(&b, "%s\n  {\"type\": \"%s\", \"rows\": %llu, \"width\": %llu, \"seconds\": %.9g, \"read_bytes_s\": %.6g}", i ? "," : "", c->rows[i].f->name, (unsigned long long)c->rows[i].rows, (unsigned long long)c->rows[i].width, c->rows[i].seconds, c->rows[i].read);
    if (!st) st = pcs_buf_printf(&b, "\n ]}\n");
    if (!st) st = pcs_write_file(ctx, path, b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

typedef struct { pcs_json j; precis_costs *c; pcs_arena arena; pcs_json_token t; } reader;

static precis_status number(reader *r, const char *field, double lo, double hi, double *v)
{
    precis_status st = pcs_json_expect(&r->j, PCS_JSON_NUMBER, &r->t, field);
    if (!st) st = pcs_json_double(&r->j, &r->t, v, field);
    return st || (*v >= lo && *v <= hi) ? st : pcs_json_fail(&r->j, r->t.text, field, "is out of range");
}

static precis_status text(reader *r, const char *field, char **s)
{
    size_t len;
    const precis_status st = pcs_json_expect(&r->j, PCS_JSON_STRING, &r->t, field);
    return st ? st : pcs_json_string(&r->j, &r->t, &r->arena, s, &len);
}

static precis_status read_row(reader *r)
{
    char *type = NULL;
    double rows = 0, width = 0, seconds = -1, read = 0;
    precis_status st = PRECIS_OK;
    while (!st && !(st = pcs_json_next(&r->j, &r->t)) && r->t.type == PCS_JSON_KEY) {
        if (pcs_json_is(&r->t, "type")) st = text(r, "rows[].type", &type);
        else if (pcs_json_is(&r->t, "rows")) st = number(r, "rows[].rows", 1, 1e12, &rows);
        else if (pcs_json_is(&r->t, "width")) st = number(r, "rows[].width", 1, 1e9, &width);
        else if (pcs_json_is(&r->t, "seconds")) st = number(r, "rows[].seconds", 0, 1e6, &seconds);
        else if (pcs_json_is(&r->t, "read_bytes_s")) st = number(r, "rows[].read_bytes_s", 0, 1e15, &read);
        else if (!(st = pcs_json_next(&r->j, &r->t))) st = pcs_json_skip(&r->j, &r->t);
    }
    const pcs_format *f = st || !type ? NULL : pcs_format_by_name(type);
    if (!st && (!f || rows < 1 || width < 1 || seconds < 0)) st = pcs_json_fail(&r->j, r->t.text, "rows[]", "has no type that is known, no rows, width or seconds");
    return st ? st : pcs_costs_add(r->c, &(pcs_cost){ f, (uint64_t)rows, (uint64_t)width, seconds, read });
}

static precis_status read_all(reader *r)
{
    char *kind = NULL, *cpu = NULL;
    double version = 0, threads = 0;
    precis_status st = pcs_json_expect(&r->j, PCS_JSON_OBJECT, &r->t, "costs");
    while (!st && !(st = pcs_json_next(&r->j, &r->t)) && r->t.type == PCS_JSON_KEY) {
        if (pcs_json_is(&r->t, "precis")) st = text(r, "precis", &kind);
        else if (pcs_json_is(&r->t, "version")) st = number(r, "version", 0, 1e6, &version);
        else if (pcs_json_is(&r->t, "cpu")) st = text(r, "cpu", &cpu);
        else if (pcs_json_is(&r->t, "threads")) st = number(r, "threads", 1, PCS_LIMIT_THREADS, &threads);
        else if (pcs_json_is(&r->t, "overhead")) st = number(r, "overhead", 0, 1e6, &r->c->overhead);
        else if (pcs_json_is(&r->t, "rows")) {
            st = pcs_json_expect(&r->j, PCS_JSON_ARRAY, &r->t, "rows");
            while (!st && !(st = pcs_json_next(&r->j, &r->t)) && r->t.type == PCS_JSON_OBJECT) st = read_row(r);
            if (!st && r->t.type != PCS_JSON_ARRAY_END) st = pcs_json_fail(&r->j, r->t.text, "rows", "holds no objects");
        } else if (!(st = pcs_json_next(&r->j, &r->t))) st = pcs_json_skip(&r->j, &r->t);
    }
    if (!st && (!kind || strcmp(kind, "costs"))) st = pcs_fail(r->c->ctx, PRECIS_EFORMAT, "precis: this is no table of costs");
    if (!st && version != 1) st = pcs_fail(r->c->ctx, PRECIS_EFORMAT, "version: %g is not 1", version);
    if (!st && (!cpu || threads < 1 || !r->c->n)) st = pcs_fail(r->c->ctx, PRECIS_EFORMAT, "cpu, threads or rows are missing");
    if (st) return st;
    snprintf(r->c->cpu, sizeof r->c->cpu, "%.23s", cpu);
    r->c->threads = (uint32_t)threads;
    return PRECIS_OK;
}

precis_status precis_costs_open(precis_ctx *ctx, precis_costs **out, const char *path)
{
    char *data;
    size_t len;
    *out = NULL;
    precis_status st = pcs_file_slurp(ctx, path, PCS_LIMIT_JSON, &data, &len);
    if (st) return st;
    ctx->file = path;
    reader r = { 0 };
    pcs_arena_init(&r.arena, ctx);
    st = pcs_costs_new(ctx, &r.c);
    if (!st) {
        pcs_json_init(&r.j, ctx, data, len);
        st = read_all(&r);
    }
    ctx->file = NULL;
    pcs_arena_free(&r.arena);
    pcs_free(ctx, data);
    if (st) precis_costs_close(&r.c);
    *out = r.c;
    return st;
}
