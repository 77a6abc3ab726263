/* bench_parts.c - `bench MODEL --nodes`: where the time of a prompt and of a generated token goes. */
#include "bench_parts.h"
#include "table.h"

#include <stdlib.h>

typedef struct { precis_bench_part part; char name[128]; } row;
struct bench_parts { row *rows; size_t n, room; };

bench_parts *bench_parts_open(void) { return calloc(1, sizeof(bench_parts)); }

void bench_parts_close(bench_parts *p)
{
    if (p) free(p->rows);
    free(p);
}

int bench_parts_take(void *user, const precis_bench_part *part)
{
    bench_parts *p = user;
    if (p->n == p->room) {
        row *grown = realloc(p->rows, (p->room = 2 * p->room + 32) * sizeof *grown);
        if (!grown) return 1;
        p->rows = grown;
    }
    row *to = &p->rows[p->n++];
    to->part = *part;
    snprintf(to->name, sizeof to->name, "%s", part->name ? part->name : "");
    return 0;
}

void bench_parts_again(bench_parts *p) { p->n = 0; }

static void share(char *to, size_t size, double of, double all)
{
    if (of > 0 && all > 0) snprintf(to, size, "%.0f%%", 100 * of / all);
    else snprintf(to, size, "-");
}

void bench_parts_print(const bench_parts *p, const precis_bench_result *r)
{
    cli_table t;
    double prompt = 0, token = 0, prompt_busy = 0, token_busy = 0;
    for (size_t i = 0; i < p->n; i++) {
        const precis_bench_part *x = &p->rows[i].part;
        prompt += x->prompt_s;
        token += x->token_s;
        prompt_busy += x->prompt_s * x->prompt_busy;
        token_busy += x->token_s * x->token_busy;
    }
    putchar('\n');
    cli_table_open(&t, "step\tprompt, ms\tof all\tof peak\ttoken, us\tof all\tof read");
    for (size_t i = 0; i < p->n; i++) {
        const precis_bench_part *x = &p->rows[i].part;
        char name[CLI_SHOWN], cells[4][16];
        share(cells[0], 16, x->prompt_s, prompt);
        share(cells[1], 16, (double)x->products / (x->type ? r->multiply_s : r->fma_s), x->prompt_s);
        share(cells[2], 16, x->token_s, token);
        share(cells[3], 16, (double)x->bytes / r->read_bytes_s, x->token_s);
        cli_table_row(&t, "%s %s\t%.3f\t%s\t%s\t%.2f\t%s\t%s", cli_shown(p->rows[i].name, name),
                      x->type ? x->type : x->codes ? "as codes" : "", 1e3 * x->prompt_s, cells[0], cells[1],
                      1e6 * x->token_s, cells[2], cells[3]);
    }
    cli_table_close(&t, true);
    char busy[2][16];
    share(busy[0], 16, prompt_busy, prompt);
    share(busy[1], 16, token_busy, token);
    cli_say(0, "in all %.3f ms of a prompt, in which threads work %s of the time, and %.4f ms of a token (%s), each "
            "step between barriers", 1e3 * prompt, busy[0], 1e3 * token, busy[1]);
}

json_t *bench_parts_json(const bench_parts *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->n; i++) {
        const precis_bench_part *x = &p->rows[i].part;
        json_t *made = json_pack("{s:s, s:s, s:s?, s:i, s:I, s:I}", "step", p->rows[i].name, "op", x->op, "type",
                                 x->type, "steps", (int)x->steps, "products", (json_int_t)x->products, "weight_bytes",
                                 (json_int_t)x->bytes);
        json_t *times = json_pack("{s:f, s:f, s:f, s:f}", "prompt_ms", 1e3 * x->prompt_s, "prompt_busy",
                                  x->prompt_busy, "token_ms", 1e3 * x->token_s, "token_busy", x->token_busy);
        json_object_update(made, times);
        json_decref(times);
        json_array_append_new(list, made);
    }
    return list;
}
