/* aten.h - what the raising functions of aten.def work with: a call in torch's
 * graph, its arguments by their names, and its results. They make nodes as
 * those of ONNX do (read/onnx/raise.h), whose ops many of them call. */
#ifndef PCS_READ_PT2_ATEN_H
#define PCS_READ_PT2_ATEN_H

#include "read/onnx/functions.h"
#include "read/pt2/pt2.h"

#define PCS_ATEN_ARGS 20

typedef struct pcs_aten pcs_aten;
typedef struct pcs_pt2_graph pcs_pt2_graph;
typedef void pcs_aten_fn(pcs_aten *c);
/* `base` with `w` in the place of the part of it that the call shows (result
 * number c->part). */
typedef precis_value pcs_aten_back_fn(pcs_aten *c, precis_value base, precis_value w);

typedef enum {
    PCS_FRESH, /* results have storage of their own */
    PCS_VIEW,  /* they show their first argument's */
    PCS_EITHER /* that depends on strides */
} pcs_sharing;

typedef struct pcs_aten_row {
    const char *target; /* without "torch.ops." */
    const char *args;   /* names in order, with defaults: "self other alpha=1" */
    pcs_aten_fn *raise;
    const char *with; /* for the function */
    pcs_sharing shares;
    pcs_aten_back_fn *back; /* of a view; NULL: it cannot be written through */
} pcs_aten_row;
extern const pcs_aten_row pcs_aten_rows[];

/* "torch.ops.aten.relu.default" as "aten.relu.default". */
pcs_str pcs_aten_short(pcs_str target);
/* Its row; *in_place: it is the row of the same op that writes into its first
 * argument. */
const pcs_aten_row *pcs_aten_row_of(pcs_str target, bool *in_place);
/* Is there a row for it, or is it inlined? */
bool pcs_aten_supports(pcs_str target);

typedef enum { PCS_NO_NUMBER, PCS_TRUTH, PCS_INTEGER, PCS_NUMBER } pcs_scalar_kind;
typedef struct pcs_scalar {
    pcs_scalar_kind kind;
    int64_t i; /* also truth; a dimension's id where it has no size yet */
    double r;  /* of PCS_NUMBER */
} pcs_scalar;

struct pcs_aten {
    pcs_onnx_node n; /* the first member: what makes nodes */
    pcs_pt2_graph *g;
    const pcs_aten_row *row;
    uint32_t token; /* of the call */
    struct pcs_aten_arg {
        pcs_str name, usual; /* its default as text; .s NULL: it has none */
        uint32_t token;      /* of its Argument; 0: left out */
        bool used;
    } args[PCS_ATEN_ARGS];
    uint32_t n_args;
    precis_value self; /* in place of the first argument, when a view is taken
                          anew; -1 otherwise */
    uint32_t part;
    pcs_scalar number; /* a result that is a number */
};

/* ---- arguments, by their names; errors are the node's. What no function asks
 * for must be the default. */
bool pcs_arg_given(pcs_aten *c, const char *name); /* and not None */
precis_value pcs_arg_tensor(pcs_aten *c, const char *name);
precis_value pcs_arg_optional(pcs_aten *c, const char *name); /* -1 and no error: None */
/* A tensor, or a number as a scalar: `weak`, its type counts for less than a
 * tensor's. */
typedef struct pcs_operand {
    precis_value v;
    bool weak;
} pcs_operand;
pcs_operand pcs_arg_operand(pcs_aten *c, const char *name);
pcs_scalar pcs_arg_number(pcs_aten *c, const char *name);
int64_t pcs_arg_int(pcs_aten *c, const char *name);
double pcs_arg_real(pcs_aten *c, const char *name);
bool pcs_arg_flag(pcs_aten *c, const char *name);
const char *pcs_arg_text(pcs_aten *c, const char *name);
/* A list (one number is a list of one); dimensions that have no size yet are
 * ids. In the import's arena. */
const int64_t *pcs_arg_ints(pcs_aten *c, const char *name, uint32_t *count);
const double *pcs_arg_reals(pcs_aten *c, const char *name, uint32_t *count);
/* -1 in the list: None. */
const precis_value *pcs_arg_tensors(pcs_aten *c, const char *name, uint32_t *count);
pcs_dtype pcs_arg_type(pcs_aten *c, const char *name, pcs_dtype usual);
/* An axis of x, from the front. */
uint32_t pcs_arg_axis(pcs_aten *c, const char *name, precis_value x);
/* An integer that must be a number now. */
int64_t pcs_arg_size(pcs_aten *c, const char *name);

/* ---- types */
/* What torch's promotion gives for these operands together. */
pcs_dtype pcs_promoted(pcs_aten *c, uint32_t n, const pcs_operand *x);
/* Whole numbers as the default float. */
static inline pcs_dtype pcs_floating(pcs_dtype d) { return pcs_dtype_whole(d) ? PCS_F32 : d; }
pcs_dtype pcs_dtype_both(pcs_dtype a, pcs_dtype b);

/* ---- making */
/* Results of an op of ONNX; `second` NULL: it is not wanted. */
typedef struct pcs_borrowed {
    pcs_raise_fn *raise;
    const char *with;
    const precis_attr *attrs;
    uint32_t n_in;
    const precis_value *in;
    precis_value *second, *third;
} pcs_borrowed;
precis_value pcs_borrow(pcs_aten *c, const pcs_borrowed *b);
#define PCS_BORROW(c, ...) pcs_borrow(c, &(const pcs_borrowed){ __VA_ARGS__ })
precis_value pcs_filled(pcs_aten *c, pcs_dtype d, uint32_t dims, const int64_t *shape, pcs_scalar v);
/* A scalar of a type. */
precis_value pcs_scalar_value(pcs_aten *c, pcs_dtype d, pcs_scalar v);
precis_value pcs_spread_to(pcs_aten *c, precis_value v, uint32_t dims, const int64_t *shape);
/* 0, 1, 2, ... as I64[count]. */
precis_value pcs_counted(pcs_aten *c, int64_t count);
/* base with rows `start` to `start + size` (every `step`th) of axis replaced by
 * w. */
precis_value pcs_put_part(pcs_aten *c, precis_value base, precis_value w, uint32_t axis,
                          const int64_t *start_size_step);

/* ---- the graph (import.c) */
typedef struct pcs_thing {
    enum { PCS_IS_TENSOR, PCS_IS_NUMBER } kind;
    precis_value v;
    pcs_scalar number;
    /* Storage: a root has its newest value; a view is taken anew when its root
     * has a newer one. */
    uint32_t root, parent, token, part;
    uint32_t version; /* of a root: how often it was written; of others: of the
                         root when v was taken */
    bool either;      /* whether it shares its parent's storage depends on strides */
    bool lost;        /* what may share its storage was written: its value is not known */
} pcs_thing;

struct pcs_pt2_graph {
    pcs_import im;
    pcs_pt2 *net;
    pcs_thing *things;
    uint32_t n_things, cap_things;
    pcs_map *names; /* of the graph in work */
    pcs_map known;  /* path of a weight -> its value */
    const pcs_map *metas;
    int depth;
};
/* What a name stands for; NULL with an error: nothing. */
pcs_thing *pcs_thing_of(pcs_aten *c, uint32_t name_token);
/* Its value now. */
precis_value pcs_fetch(pcs_aten *c, pcs_thing *t);
bool pcs_scalar_of(pcs_aten *c, uint32_t argument, pcs_scalar *out);
pcs_scalar pcs_scalar_from_text(pcs_str s);                                   /* of a default */
pcs_str pcs_unquoted(pcs_str s);                                              /* 'none' in a default is a text */
precis_status pcs_add_thing(pcs_pt2_graph *g, pcs_thing with, uint32_t *out); /* which is its own root */
precis_status pcs_bind(pcs_pt2_graph *g, uint32_t name_token, uint32_t thing);
/* Is a value what the archive says of that name? */
precis_status pcs_check_meta(pcs_pt2_graph *g, pcs_str name, precis_value v);
precis_status pcs_call_aten(pcs_pt2_graph *g, uint32_t token);
/* The calls of a graph within in place of the call that has it; names: tokens
 * of results. */
precis_status pcs_inline_graph(pcs_aten *c, const uint32_t *names);

#define ATEN(target, args, function, with) pcs_aten_fn function;
#define VIEW(target, args, function, with, back) pcs_aten_fn function;
#define EITHER(target, args, function, with, back) pcs_aten_fn function;
#include "read/pt2/aten.def"
#undef ATEN
#undef VIEW
#undef EITHER
pcs_aten_back_fn pcs_back_reshape, pcs_back_permute, pcs_back_slice, pcs_back_select, pcs_back_split, pcs_back_unbind;

#endif
