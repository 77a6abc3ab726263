/* costs.c - the table of costs: kept, written, read. */
#include "base/lack.h"
#include "plan/costs.h"

#include "base/json_file.h"
#include "base/options.h"
#include "graph/arch.h"
#include "kernel/choose.h"
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
    if (t->is.role == PCS_ROLE_token_embd && !pcs_makes_logits(m, t)) return 0;
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
        const pcs_tensor *t = plan->rows[i].tensor;
        if (s < 0)
            return pcs_fail(c->ctx, PRECIS_EINVAL,
                            "the cost table has no %s of %lld rows of %lld weights (tensor %s); it is of another "
                            "model: precis bench MODEL --cost-table makes this one's",
                            plan->rows[i].to->name, (long long)t->ne[1], (long long)t->ne[0], t->name);
        seconds += s;
    }
    *tok_s = 1 / seconds;
    return PRECIS_OK;
}

void precis_costs_get_info(const precis_costs *c, precis_costs_info *info)
{
    double read = 0;
    for (size_t i = 0; i < c->n; i++) read += c->rows[i].read / (double)c->n;
    precis_costs_info all = { info->size, c->cpu, c->threads, c->n, c->overhead, read, "" };
    size_t used = 0;
    for (size_t i = 0; i < c->n; i++) { /* each type once */
        const pcs_cost *r = &c->rows[i];
        size_t first = 0;
        while (c->rows[first].f != r->f) first++;
        if (first < i || !*r->prompt || !strcmp(r->prompt, c->cpu) || used + 32 > sizeof all.below) continue;
        used += (size_t)snprintf(all.below + used, sizeof all.below - used, "%s%s", used ? ", " : "", r->f->name);
    }
    pcs_options_give(info, &all, sizeof all);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

precis_status precis_costs_save(precis_ctx *ctx, const precis_costs *c, const char *path)
{
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    precis_status st = pcs_buf_printf(&b, "{\"precis\": \"costs\", \"version\": 1, \"cpu\": \"%s\", \"threads\": %u, "
                                          "\"overhead\": %.9g,\n \"rows\": [", c->cpu, c->threads, c->overhead);
    for (size_t i = 0; i < c->n && !st; i++) {
        const pcs_cost *r = &c->rows[i];
        st = pcs_buf_printf(&b, "%s\n  {\"type\": \"%s\", \"rows\": %llu, \"width\": %llu, \"seconds\": %.9g, "
                            "\"read_bytes_s\": %.6g", i ? "," : "", r->f->name, (unsigned long long)r->rows,
                            (unsigned long long)r->width, r->seconds, r->read);
        if (!st && *r->prompt) st = pcs_buf_printf(&b, ", \"prompt_level\": \"%s\"", r->prompt);
        if (!st) st = pcs_buf_printf(&b, "}");
    }
    if (!st) st = pcs_buf_printf(&b, "\n ]}\n");
    if (!st) st = pcs_write_file(ctx, path, b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

typedef struct { pcs_json_file in; precis_costs *c; } reader;

static precis_status read_row(void *arg)
{
    reader *r = arg;
    char *type = NULL, *prompt = NULL;
    double rows = 0, width = 0, seconds = -1, read = 0;
    precis_status st = PRECIS_OK;
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "type")) st = pcs_json_file_string(&r->in, "rows[].type", &type);
        else if (pcs_json_is(&r->in.t, "rows")) st = pcs_json_file_number(&r->in, "rows[].rows", 1, 1e12, &rows);
        else if (pcs_json_is(&r->in.t, "width")) st = pcs_json_file_number(&r->in, "rows[].width", 1, 1e9, &width);
        else if (pcs_json_is(&r->in.t, "seconds"))
            st = pcs_json_file_number(&r->in, "rows[].seconds", 0, 1e6, &seconds);
        else if (pcs_json_is(&r->in.t, "read_bytes_s"))
            st = pcs_json_file_number(&r->in, "rows[].read_bytes_s", 0, 1e15, &read);
        else if (pcs_json_is(&r->in.t, "prompt_level"))
            st = pcs_json_file_string(&r->in, "rows[].prompt_level", &prompt);
        else st = pcs_json_file_skip(&r->in);
    }
    const pcs_format *f = st || !type ? NULL : pcs_format_by_name(type);
    if (!st && (!f || rows < 1 || width < 1 || seconds < 0))
        st = pcs_json_fail(&r->in.j, r->in.t.text, "rows[]", "has no type that is known, no rows, width or seconds");
    pcs_cost cost = { .f = f, .rows = (uint64_t)rows, .width = (uint64_t)width, .seconds = seconds, .read = read };
    if (prompt) snprintf(cost.prompt, sizeof cost.prompt, "%s", prompt);
    return st ? st : pcs_costs_add(r->c, &cost);
}

static precis_status read_all(reader *r)
{
    char *kind = NULL, *cpu = NULL;
    double version = 0, threads = 0;
    precis_status st = pcs_json_expect(&r->in.j, PCS_JSON_OBJECT, &r->in.t, "costs");
    while (pcs_json_file_key(&r->in, &st)) {
        if (pcs_json_is(&r->in.t, "precis")) st = pcs_json_file_string(&r->in, "precis", &kind);
        else if (pcs_json_is(&r->in.t, "version")) st = pcs_json_file_number(&r->in, "version", 0, 1e6, &version);
        else if (pcs_json_is(&r->in.t, "cpu")) st = pcs_json_file_string(&r->in, "cpu", &cpu);
        else if (pcs_json_is(&r->in.t, "threads"))
            st = pcs_json_file_number(&r->in, "threads", 1, PCS_LIMIT_THREADS, &threads);
        else if (pcs_json_is(&r->in.t, "overhead"))
            st = pcs_json_file_number(&r->in, "overhead", 0, 1e6, &r->c->overhead);
        else if (pcs_json_is(&r->in.t, "rows")) st = pcs_json_file_list(&r->in, "rows", read_row, r);
        else st = pcs_json_file_skip(&r->in);
    }
    if (!st && (!kind || strcmp(kind, "costs")))
        st = pcs_fail_at(r->c->ctx, PRECIS_EFORMAT, 0, "precis", "this is no table of costs");
    if (!st && version != 1) st = pcs_fail_at(r->c->ctx, PRECIS_EFORMAT, 0, "version", "%g is not 1", version);
    if (!st && (!cpu || threads < 1 || !r->c->n))
        st = pcs_fail_at(r->c->ctx, PRECIS_EFORMAT, 0, "costs", "cpu, threads or rows are missing");
    if (st) return st;
    snprintf(r->c->cpu, sizeof r->c->cpu, "%.23s", cpu);
    r->c->threads = (uint32_t)threads;
    const bool here = !strcmp(r->c->cpu, precis_ctx_cpu(r->c->ctx));
    for (size_t i = 0; i < r->c->n && here; i++) pcs_mp_decide(r->c->ctx, r->c->rows[i].f, r->c->rows[i].prompt);
    return PRECIS_OK;
}

precis_status precis_costs_open(precis_ctx *ctx, precis_costs **out, const char *path)
{
    const uint64_t refused = precis_ctx_refused(ctx);
    reader r = { 0 };
    *out = NULL;
    precis_status st = pcs_json_file_open(&r.in, ctx, path);
    if (st) return st;
    st = pcs_costs_new(ctx, &r.c);
    if (!st) st = read_all(&r);
    pcs_json_file_close(&r.in);
    st = pcs_with_memory(ctx, refused, st);
    if (st) precis_costs_close(&r.c);
    *out = r.c;
    return st;
}
