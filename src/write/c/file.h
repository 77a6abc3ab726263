/* file.h - what the rows of ops.def work with: a C file in the making. */
#ifndef PCS_WRITE_C_FILE_H
#define PCS_WRITE_C_FILE_H

#include "graph/element.h"
#include "write/c/c.h"

typedef struct pcs_c_file pcs_c_file;

/* A node that is computed when the net runs, by a call. */
typedef struct pcs_c_step {
    const pcs_node *n;
    const pcs_node *store; /* its number becomes codes at once: the to_codes after it; or NULL */
    const struct pcs_c_row *row;
    precis_value *in, out; /* that it reads: values, or the codes that they are made of */
    uint32_t n_in;
    precis_value room; /* behind the graph's values: what it needs while it runs; -1: nothing */
} pcs_c_step;

/* Structs of constants and a call for one step. */
typedef precis_status pcs_c_emit_fn(pcs_c_file *w, const pcs_c_step *s);
typedef struct pcs_c_row {
    const pcs_op *op;
    pcs_c_emit_fn *emit;
    /* Is the result input 0's bytes? NULL: where the op says so. Can it read codes, and make them? NULL: no. */
    bool (*same)(const pcs_c_file *w, const pcs_node *n);
    bool (*fuses)(const pcs_c_file *w, const pcs_node *n);
    bool in_place; /* the result may lie where input 0 lies, when that ends there and is as long */
    /* Of an op with several results: bytes of memory that it needs while it runs. NULL: its first result is all. */
    uint64_t (*room)(const pcs_c_file *w, const pcs_node *n);
} pcs_c_row;
extern const pcs_c_row pcs_c_rows[]; /* op NULL ends it */
const pcs_c_row *pcs_c_row_of(const pcs_op *op);

typedef struct pcs_c_part {
    const char *name, *needs;
    uint32_t code; /* bytes of Thumb-2 */
    uint32_t ram;  /* bytes of static memory of its own */
} pcs_c_part;
extern const pcs_c_part pcs_c_parts[];
extern const char *const pcs_c_texts[]; /* of each; made by tools/embed-parts.cmake */
/* What a function of elements computes of x (and y, a, b), as text. */
typedef struct pcs_c_formula {
    const pcs_op *op;
    const char *text, *whole, *natural; /* of reals, of whole numbers with and without a sign; NULL: it has none */
    bool wide; /* of doubles, rounded once */
} pcs_c_formula;
extern const pcs_c_formula pcs_c_formulas[];
enum { PCS_C_PARTS_MOST = 96, PCS_C_UNARY_CODE = 60, PCS_C_WIDE_CODE = 100, PCS_C_BINARY_CODE = 200 };
/* Bytes of a made function (wide: in double); and of one of other types than f32, of one and of two numbers. */
enum { PCS_C_TYPED_UNARY_CODE = 44, PCS_C_TYPED_FLOAT_CODE = 112, PCS_C_TYPED_BINARY_CODE = 100 };

/* Work of which a core's costs are known (cores.def). */
typedef enum {
    PCS_C_MAC,
    PCS_C_MAC_DEPTHWISE,
    PCS_C_MAC_F32,
    PCS_C_OUT,     /* a sum or a number becomes a code, or the other way */
    PCS_C_ELEMENT, /* is moved or compared */
    PCS_C_DOUBLE,  /* a step in double */
    PCS_C_WORKS
} pcs_c_work;

typedef enum { PCS_C_NOWHERE, PCS_C_INPUT, PCS_C_OUTPUT, PCS_C_ARENA, PCS_C_CONSTANT } pcs_c_where;
typedef struct pcs_c_value {
    precis_value root;   /* whose bytes it is */
    pcs_c_where where;   /* of a root */
    uint64_t at;         /* in the arena; or which input or output */
    int32_t first, last; /* calls between which it must stay; of a root */
    bool constant, counted;
    const char *array;   /* of a constant: the name that it has in the file */
} pcs_c_value;

typedef struct pcs_c_port {
    precis_value value;
    const char *name; /* as the net has it; for comments */
} pcs_c_port;

struct pcs_c_file {
    precis_ctx *ctx;
    precis_graph *g;
    const pcs_c_saved *what;
    const pcs_netfile *file;
    pcs_arena arena;
    pcs_kernels kernels;
    pcs_c_value *values; /* of the graph; and behind them one for the memory of each step */
    uint32_t *uses;      /* of values: nodes and outputs that read them */
    int32_t *reader;     /* of values: a node that reads them */
    pcs_c_step *steps;
    size_t n_steps;
    pcs_c_port *in, *out;
    size_t n_in, n_out;
    pcs_buf arrays, functions, calls; /* constants and structs; functions made of tables of ops; body of the run */
    bool part[PCS_C_PARTS_MOST];
    const char *made[256]; /* functions that are there */
    size_t n_made, n_structs, n_calls;
    uint64_t arena_bytes, weights, code;
    double work[PCS_C_WORKS];
    char name[64], upper[64], sha256[65];
    precis_status error; /* of a text that could not be made */
};

/* ---- of values */
static inline const pcs_value *pcs_cv(const pcs_c_file *w, precis_value v) { return &w->g->values[v]; }
uint64_t pcs_c_count(const pcs_value *v); /* elements */
static inline const pcs_node *pcs_c_maker(const pcs_c_file *w, precis_value v)
{
    return w->g->values[v].node < 0 ? NULL : &w->g->nodes[w->g->values[v].node];
}
/* Does a node or an output read it? */
static inline bool pcs_c_read(const pcs_c_file *w, precis_value v) { return w->uses[v] > 0; }
/* Whose bytes it is. */
static inline precis_value pcs_c_root(const pcs_c_file *w, precis_value v)
{
    while (w->values[v].root != v) v = w->values[v].root;
    return v;
}
/* All of the value is codes of 8 bits with one scale; as those of pcs_coded. */
typedef struct pcs_c_codes {
    precis_value value;
    float scale;
    int32_t zero; /* of codes without a sign */
    uint8_t flip; /* 128: they have one */
} pcs_c_codes;
bool pcs_c_decoded(const pcs_c_file *w, precis_value v, pcs_c_codes *out); /* what a from_codes makes numbers of */
bool pcs_c_coded(const pcs_c_file *w, const pcs_node *to, pcs_c_codes *out); /* what a to_codes makes */
/* Its one number becomes codes, and nobody else reads it. */
bool pcs_c_becomes_codes(const pcs_c_file *w, const pcs_node *n);
/* Elements of a constant, computed where they are made of constants; NULL: it is none, or there is no memory. */
const void *pcs_c_data(pcs_c_file *w, precis_value v);
/* An op's reference on operands that lie here. */
precis_status pcs_c_eval(pcs_c_file *w, const pcs_node *n, const pcs_arg *in, const pcs_arg *out);
pcs_arg pcs_c_arg(pcs_c_file *w, precis_value v, void *data);

/* ---- of the file */
/* A C expression of type pointer to the value's bytes; a constant gets its array. */
const char *pcs_c_pointer(pcs_c_file *w, precis_value v);
void pcs_c_use(pcs_c_file *w, const char *part);
void pcs_c_put(pcs_c_file *w, pcs_buf *b, const char *fmt, ...) PCS_PRINTF(3, 4);
/* An array of n elements with a fresh name. */
const char *pcs_c_array(pcs_c_file *w, const char *what, pcs_dtype d, uint64_t n, const void *data);
/* Begin a struct of constants of type net_TYPE_t, of which the caller puts members into w->arrays, then its end. Its
 * name. */
const char *pcs_c_struct(pcs_c_file *w, const pcs_c_step *s, const char *type, uint32_t bytes);
void pcs_c_struct_end(pcs_c_file *w);
/* The call of a part with that struct and operands; work is counted. */
precis_status pcs_c_call(pcs_c_file *w, const char *part, const pcs_c_step *s, const char *params);
void pcs_c_count_work(pcs_c_file *w, pcs_c_work kind, double n);
precis_status pcs_c_cannot(pcs_c_file *w, const pcs_node *n, const char *fmt, ...) PCS_PRINTF(3, 4);
const char *pcs_c_type(pcs_dtype d); /* in C; NULL: it has none */
const char *pcs_c_float(pcs_c_file *w, double v); /* "0.5f" */
const char *pcs_c_plain(pcs_c_file *w, const char *text); /* what may stand in a comment */
const precis_attr *pcs_c_attr(const pcs_node *n, const char *name);
/* A range of codes as a member of a struct. */
const char *pcs_c_range(pcs_c_file *w, int64_t zero, int64_t lo, int64_t hi);
/* Six numbers, of which the last are v and the others `fill`: "{ 1, 1, 1, 3, 4, 5 }". NULL: there are more. */
const char *pcs_c_six(pcs_c_file *w, uint32_t dims, const int64_t *v, int64_t fill);

/* ---- steps of writing */
precis_status pcs_c_find(pcs_c_file *w);  /* steps.c: what is computed when the net runs */
precis_status pcs_c_place(pcs_c_file *w); /* place.c: where values lie */
void pcs_c_costs(const pcs_c_file *w, pcs_c_written *out); /* costs.c */

#endif
