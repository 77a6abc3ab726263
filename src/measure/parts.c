/* parts.c - where the time of a prompt and of a generated token goes: steps of one name, of all layers, together. */
#include "measure/parts.h"
#include "base/pool.h"

/* A name's pattern: each number between dots is a layer's, or an expert's. */
typedef struct { char name[128]; const pcs_step *first; precis_bench_part part; } group;

static bool open_phase(precis_ctx *ctx, pcs_phase *of, size_t steps, size_t threads)
{
    of->seconds = pcs_alloc(ctx, steps + 1, sizeof *of->seconds);
    of->busy = pcs_alloc(ctx, (steps + 1) * threads, sizeof *of->busy);
    of->products = pcs_alloc(ctx, steps + 1, sizeof *of->products);
    return of->seconds && of->busy && of->products;
}

static void close_phase(precis_ctx *ctx, pcs_phase *of)
{
    pcs_free(ctx, of->seconds);
    pcs_free(ctx, of->busy);
    pcs_free(ctx, of->products);
}

precis_status pcs_parts_open(pcs_parts *p, precis_program *program)
{
    precis_ctx *ctx = program->ctx;
    const size_t steps = program->n_steps;
    *p = (pcs_parts){ .program = program };
    if (!open_phase(ctx, &p->now, steps, precis_ctx_threads(ctx)) || !open_phase(ctx, &p->prompt, steps, 1) ||
        !open_phase(ctx, &p->token, steps, 1))
        return PRECIS_ENOMEM;
    program->seconds = p->now.seconds;
    program->busy = p->now.busy;
    program->made = p->now.products;
    return PRECIS_OK;
}

void pcs_parts_close(pcs_parts *p)
{
    precis_ctx *ctx = p->program->ctx;
    p->program->seconds = p->program->busy = NULL;
    p->program->made = NULL;
    close_phase(ctx, &p->now);
    close_phase(ctx, &p->prompt);
    close_phase(ctx, &p->token);
    *p = (pcs_parts){ .program = p->program };
}

void pcs_parts_end(pcs_parts *p, pcs_phase *of, uint32_t times)
{
    const precis_program *program = p->program;
    const size_t n = program->n_steps;
    const uint32_t threads = precis_ctx_threads(program->ctx);
    for (size_t i = 0; i < n; i++) {
        of->seconds[i] = p->now.seconds[i] / times;
        of->busy[i] = 0;
        for (uint32_t t = 0; t < threads; t++) of->busy[i] += p->now.busy[t * n + i] / threads / times;
        of->products[i] = p->now.products[i] / times;
    }
    memset(p->now.seconds, 0, n * sizeof *p->now.seconds);
    memset(p->now.products, 0, n * sizeof *p->now.products);
    memset(p->now.busy, 0, n * threads * sizeof *p->now.busy);
}

/* ---- steps of one name --------------------------------------------------------------------------- */

static void pattern(char *to, size_t size, const char *name)
{
    size_t n = 0;
    for (const char *c = name; *c && n + 1 < size; c++) {
        const bool begins = c == name || c[-1] == '.';
        const size_t digits = begins ? strspn(c, "0123456789") : 0;
        const bool number = digits && (!c[digits] || c[digits] == '.');
        to[n++] = number ? '*' : *c;
        if (number) c += digits - 1;
    }
    to[n] = 0;
}

static const pcs_format *format_of(const pcs_step *s)
{
    const uint32_t w = s->op ? s->op->reads_stored : 0;
    return w && w < s->n_in ? s->call.in[w].format : NULL;
}

static uint64_t weight_bytes(const pcs_step *s)
{
    const pcs_format *f = format_of(s);
    if (!f || !s->op->weight || s->op->route) return 0; /* of embeddings and experts not all are read */
    const pcs_arg *w = &s->call.in[s->op->reads_stored];
    return (uint64_t)pcs_arg_rows(w) * pcs_row_bytes(f, (uint64_t)pcs_arg_width(w));
}

static const char *op_name(const pcs_step *s) { return s->op ? s->op->name : "quantize_act"; }

static group *group_of(group *groups, size_t *n, const pcs_step *s)
{
    char name[sizeof groups->name];
    pattern(name, sizeof name, s->name ? s->name : "");
    size_t i = 0;
    while (i < *n && (strcmp(groups[i].name, name) || op_name(groups[i].first) != op_name(s) ||
                      format_of(groups[i].first) != format_of(s)))
        i++;
    group *g = &groups[i];
    if (i < *n) return g;
    *n += 1;
    *g = (group){ .first = s };
    memcpy(g->name, name, sizeof name);
    const pcs_format *f = format_of(s);
    g->part = (precis_bench_part){ .size = sizeof g->part, .name = g->name, .op = op_name(s),
                                   .type = f ? f->name : NULL, .codes = !s->op };
    return g;
}

/* Others may begin before the thread whose clock a step's seconds are. */
static double busy_share(double busy, double seconds)
{
    return !(seconds > 0) ? 0 : busy < seconds ? busy / seconds : 1;
}

precis_status pcs_parts_tell(const pcs_parts *p, precis_bench_part_fn *fn, void *user)
{
    const precis_program *program = p->program;
    size_t n = 0;
    group *groups = pcs_alloc(program->ctx, program->n_steps + 1, sizeof *groups);
    precis_status st = groups ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < program->n_steps && !st; i++) {
        precis_bench_part *part = &group_of(groups, &n, &program->steps[i])->part;
        part->steps++;
        part->prompt_s += p->prompt.seconds[i];
        part->prompt_busy += p->prompt.busy[i];
        part->token_s += p->token.seconds[i];
        part->token_busy += p->token.busy[i];
        part->products += p->prompt.products[i];
        part->bytes += weight_bytes(&program->steps[i]);
    }
    for (size_t i = 0; i < n && !st; i++) {
        precis_bench_part *part = &groups[i].part;
        part->prompt_busy = busy_share(part->prompt_busy, part->prompt_s);
        part->token_busy = busy_share(part->token_busy, part->token_s);
        if (fn(user, part)) st = PRECIS_ECANCELED;
    }
    pcs_free(program->ctx, groups);
    return st;
}
