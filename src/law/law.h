/* law.h - what the parts of a law share: the variables of a point, the expression tree of a
 * law, and the tape that it is computed with.
 *
 * A law is text (laws.def, or a file of the user's); read.c makes a tree of it, tape.c a list of column operations
 * with their reverse, so that every law has exact gradients, in its parameters and in its variables. */
#ifndef PCS_LAW_H
#define PCS_LAW_H

#include "base/base.h"
#include "precis/law.h"

enum {
#define VARIABLE(name, option, unit, usual, what) PCS_VAR_##name,
#include "law/variables.def"
#undef VARIABLE
    PCS_VARS
};
_Static_assert((int)PCS_VARS == (int)PRECIS_LAW_VARIABLES, "the public list of variables has one row for each here");

typedef struct pcs_variable { const char *name, *option, *unit, *what; double usual; } pcs_variable;
extern const pcs_variable pcs_variables[PCS_VARS];

enum {
    PCS_LAW_BYTES = PCS_LIMIT_LAW,
    PCS_LAW_NODES = PCS_LIMIT_LAW_PARTS,
    PCS_LAW_PARAMS = 32,
    PCS_LAW_LETS = 64,
    PCS_LAW_SETS = 16,
    PCS_LAW_STACK = PCS_LIMIT_LAW_DEPTH,
    PCS_LAW_NAME = 32,
    PCS_LAW_STARTS = 12
};

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

typedef enum {
    PCS_E_CONST, PCS_E_PARAM, PCS_E_VAR,
    PCS_E_ADD, PCS_E_SUB, PCS_E_MUL, PCS_E_DIV, PCS_E_POW,
    PCS_E_NEG, PCS_E_EXP, PCS_E_LOG, PCS_E_SQRT,
    PCS_E_MIN, PCS_E_MAX, PCS_E_SELECT
} pcs_e_op;

/* Arguments come before their node, so that a loop visits the tree and nothing recurses.
 * SELECT: value when arg[0] == key (value), arg[1], else arg[2]. */
typedef struct pcs_e {
    pcs_e_op op;
    uint16_t arg[3];
    uint16_t index;  /* of the parameter or variable */
    double value;    /* of a constant; key of SELECT */
    bool positive;   /* proved: from its parts */
    bool heavy;      /* has a power or an exponential in it */
} pcs_e;

/* What a constant stands on. */
typedef enum {
    PCS_UNKNOWN,
    PCS_UNVERIFIED,
    PCS_SECONDARY,
    PCS_PRIMARY,
    PCS_DERIVED,
    PCS_VERIFIED,
    PCS_STANDINGS
} pcs_standing;
extern const char *const pcs_standings[PCS_STANDINGS];

typedef struct pcs_param {
    char *name, *unit, *source;
    double value;    /* NAN: not published */
    pcs_standing standing;
    bool positive;   /* fitted as its logarithm */
    bool fixed;      /* not fitted unless asked for */
    double starts[PCS_LAW_STARTS]; /* in the space of the fit: logarithms of positive ones */
    int n_starts;    /* 0: from variable projection where the loss is linear in it, else its value */
} pcs_param;

typedef struct pcs_set { char *name, *source; double values[PCS_LAW_PARAMS]; } pcs_set;

struct precis_law {
    precis_ctx *ctx;
    pcs_arena arena;
    char *name, *title, *source, *assumes, *text, *form; /* form: its expressions as written */
    char *raw;             /* the whole text */
    size_t raw_len;
    char *set;             /* the name of the set in use; "" the first */
    pcs_param params[PCS_LAW_PARAMS];
    int n_params;
    pcs_set sets[PCS_LAW_SETS];
    int n_sets;
    pcs_e e[PCS_LAW_NODES];
    int n_e;
    /* Also the outputs: n_eff, d_eff, base, ptq, loss and others. */
    struct { char *name; uint16_t node; } lets[PCS_LAW_LETS];
    int n_lets;
    double low[PCS_VARS], high[PCS_VARS]; /* where it was fitted; NAN: nothing said */
    double low_ratio, high_ratio;         /* of D / N */
    double *samples;       /* of the bootstrap, n_samples x n_params; NULL: none */
    size_t n_samples;
};

/* From text; file is for messages. PRECIS_EFORMAT with line and column. */
precis_status pcs_law_read(precis_ctx *ctx, precis_law **out, const char *file, const char *text, size_t len);
/* The same form, constants, domain; without samples. */
precis_status pcs_law_copy(precis_ctx *ctx, precis_law **out, const precis_law *law);
/* Which parameters a node has below it. */
void pcs_law_uses(const precis_law *law, int node, bool used[PCS_LAW_PARAMS]);
/* Arguments of a node of the tree. */
static inline int pcs_e_args(const pcs_e *e)
{
    if (e->op <= PCS_E_VAR) return 0;
    if (e->op == PCS_E_SELECT) return 3;
    return e->op >= PCS_E_NEG && e->op <= PCS_E_SQRT ? 1 : 2;
}
/* The node of a let, or -1. */
int pcs_law_let(const precis_law *law, const char *name);
int pcs_law_param(const precis_law *law, const char *name);
/* The built-in laws, as text: name, text, length; ends with NULL. */
typedef struct pcs_law_text { const char *name; const char *text; size_t len; } pcs_law_text;
extern const pcs_law_text pcs_law_texts[];
/* A set of constants chosen. PRECIS_EINVAL: no such set. */
precis_status pcs_law_use_set(precis_law *law, const char *set);

/* The names of parameters without a value that a node needs, with commas; "" none. */
void pcs_law_lacking(const precis_law *law, int node, char *buf, size_t size);

/* ---- the tape ---------------------------------------------------------------------------------------------------- */

typedef struct pcs_tape pcs_tape;

/* LOG: the logarithm of the node, not its value. WIDE: parameters are columns, so that their adjoints are
 * columns of a Jacobian. VARIABLES: adjoints of variables are wanted too. */
enum { PCS_TAPE_LOG = 1, PCS_TAPE_WIDE = 2, PCS_TAPE_VARIABLES = 4 };
/* n rows, rounded up to whole lanes by pcs_tape_padded. The columns of variables are borrowed, values[v] and logs[v]
 * each that long; a NULL says that the law has no such variable. */
typedef struct pcs_tape_rows { size_t n; const double *const *values, *const *logs; } pcs_tape_rows;
precis_status pcs_tape_open(precis_ctx *ctx, pcs_tape **out, const precis_law *law, int node, unsigned flags,
                            const pcs_tape_rows *rows);
void pcs_tape_close(pcs_tape **tape);
const struct pcs_kernels *pcs_tape_kernels(const pcs_tape *t);
static inline size_t pcs_tape_padded(size_t n) { return (n + 7) / 8 * 8; }
/* params: in the space of the fit (logarithms of positive ones). The result is a column, valid until the next call. */
const double *pcs_tape_run(pcs_tape *t, const double *params);
/* After run: adjoints of the result, a column, give the gradient by parameter (n_params sums; NULL: not wanted). */
void pcs_tape_back(pcs_tape *t, const double *adjoint, double *gradient);
/* After back: the adjoint column of a parameter (wide), or of a variable (d result / d
 * variable, through value and logarithm); NULL: it is not in it. */
const double *pcs_tape_param_column(const pcs_tape *t, int param);
bool pcs_tape_variable(const pcs_tape *t, int variable, size_t row, double *derivative);
bool pcs_tape_uses_param(const pcs_tape *t, int param);
bool pcs_tape_uses_variable(const pcs_tape *t, int variable);

/* A parameter's value in the space of the fit, and back. */
double pcs_param_in(const pcs_param *p, double value);
double pcs_param_out(const pcs_param *p, double x);

#endif
