/* bench_parts.h - the table of `bench MODEL --nodes` (bench_parts.c). */
#ifndef PRECIS_CLI_BENCH_PARTS_H
#define PRECIS_CLI_BENCH_PARTS_H

#include "cli.h"
#include "precis/bench.h"

typedef struct bench_parts bench_parts;

bench_parts *bench_parts_open(void); /* NULL: no memory */
void bench_parts_close(bench_parts *p); /* NULL: nothing */
/* A precis_bench_part_fn of one. */
int bench_parts_take(void *user, const precis_bench_part *part);
/* What was taken is forgotten: another run begins. */
void bench_parts_again(bench_parts *p);
void bench_parts_print(const bench_parts *p, const precis_bench_result *r);
json_t *bench_parts_json(const bench_parts *p);

#endif
