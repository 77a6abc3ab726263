/* vectors.h - cases of the form of ../shared/reference/train/vectors.json: what a family of them reads, computes by the
 * library, and prints. A name that no family reads is an error, so that a case is never half understood. */
#ifndef VECTORS_H
#define VECTORS_H

#include "train/ranges.h"
#include "run/reverse.h"

#include <jansson.h>
#include <setjmp.h>

#define MOST_NAMES 128

typedef struct array {
    float *x;
    uint32_t dims;
    int64_t shape[8];
    size_t n;
} array;

typedef struct vec_case {
    precis_ctx *ctx;
    const char *id, *family;
    json_t *attr, *in, *out;
    const char *used[MOST_NAMES]; /* names of attributes and inputs that were read */
    size_t n_used;
    void *kept[4096];
    size_t n_kept;
    jmp_buf refused;
} vec_case;

typedef void family_fn(vec_case *c);
#define FAMILY(name) family_fn family_##name;
#include "families.def"
#undef FAMILY

/* Says why on stderr, and leaves the case without results. */
_Noreturn void refuse(vec_case *c, const char *fmt, ...) PCS_PRINTF(2, 3);
/* Memory until the end of the case, of zeros. */
void *keep(vec_case *c, size_t bytes);
/* Attributes. */
bool has_attr(vec_case *c, const char *name);
double real_attr(vec_case *c, const char *name);
int64_t int_attr(vec_case *c, const char *name);
const char *text_attr(vec_case *c, const char *name);
json_t *list_attr(vec_case *c, const char *name);
/* Inputs; whole numbers as i32 beside. */
bool has_input(vec_case *c, const char *name);
array input(vec_case *c, const char *name);
int32_t *whole(vec_case *c, const array *a);
/* Results. */
void put(vec_case *c, const char *name, const float *x, uint32_t dims, const int64_t *shape);
void put_like(vec_case *c, const char *name, const float *x, const array *like);
void put_number(vec_case *c, const char *name, double x);
void check(vec_case *c, precis_status st);

/* A graph with its program and its reverse. */
typedef struct net {
    precis_graph *g;
    precis_program *p;
    pcs_reverse *r;
} net;

void open_net(vec_case *c, net *n);
void close_net(net *n);
/* An input of the case as a parameter, with its own shape or as one dimension (of a scalar: 1). */
precis_value param(vec_case *c, net *n, const char *name);
precis_value param_flat(vec_case *c, net *n, const char *name);
precis_value param_of(vec_case *c, net *n, const char *name, const array *a);
precis_value ids(vec_case *c, net *n, const char *name, size_t count, const int32_t *data);
precis_value node(net *n, const char *op, const precis_attr *attrs, uint32_t n_in, const precis_value *in);
#define NODE(n, op, attrs, ...) \
    node(n, op, attrs, sizeof((precis_value[]){ __VA_ARGS__ }) / sizeof(precis_value), (precis_value[]){ __VA_ARGS__ })
/* Run it; then back from y with its gradient (NULL: ones). */
void run_net(vec_case *c, net *n, precis_value y);
void back_net(vec_case *c, net *n, precis_value y, const float *dy);
const float *value_of(vec_case *c, net *n, precis_value v);
void put_value(vec_case *c, net *n, const char *name, precis_value v);
/* Under the shape of an input of the case. */
void put_gradient(vec_case *c, net *n, const char *name, precis_value v, const char *like);

#endif
