/* jinja.h - the bounded subset of Jinja that chat templates are written in: text, {{ }}, if, for with break and
 * continue, set, macro, call, filter, with, raw, namespaces, filters, tests and methods; no imports, blocks or
 * inheritance. Blanks as transformers sets them (trim_blocks, lstrip_blocks), and as in its sandbox values cannot be
 * changed: no list holds itself.
 *
 * Any template ends soon: each operation pays for the bytes and elements that it touches (pcs_jinja_pay), what it makes
 * counts against a limit (pcs_jinja_spend), nesting is bounded, and whoever waits can stop it. */
#ifndef PCS_JINJA_H
#define PCS_JINJA_H

#include "base/base.h"

typedef enum {
    J_UNDEFINED,
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_STRING,
    J_LIST,
    J_DICT,
    J_FUNCTION,
    J_MACRO,
    J_LOOP,
    J_ABSENT /* of an argument */
} pcs_jtype;

typedef struct pcs_jvalue {
    pcs_jtype type;
    bool space; /* a namespace: its attributes can be set */
    bool tuple; /* a list that is written with ( ) */
    union {
        int64_t i;
        double f;
        struct { const char *s; size_t len; };
        struct pcs_jlist *list;
        struct pcs_jdict *dict;
        const struct pcs_jmacro *macro;
        struct pcs_jloop *loop;
    };
} pcs_jvalue;

struct pcs_jlist { size_t n, cap; pcs_jvalue *v; };
struct pcs_jdict { size_t n, cap; pcs_jvalue *k, *v; }; /* keys are strings */
/* Variables: the innermost scope first. Loops, macros and `with` open one; if and set do not. In the arena: a macro may
 * outlive its loop. */
struct pcs_jscope { struct pcs_jscope *up; struct pcs_jdict vars; };
struct pcs_jmacro { const struct pcs_jnode *node; struct pcs_jscope *scope; };
struct pcs_jloop { const struct pcs_jlist *all; size_t i; int depth; pcs_jvalue last; };

enum { PCS_JARGS = 16 };
/* Arguments of a call: those by position come first and have no name. */
typedef struct pcs_jargs { size_t n; pcs_jvalue v[PCS_JARGS]; const char *name[PCS_JARGS]; } pcs_jargs;

typedef enum {
    /* expressions */
    N_LITERAL,
    N_NAME,
    N_LIST,
    N_TUPLE,
    N_DICT,
    N_ATTR,
    N_INDEX,
    N_SLICE,
    N_CALL,
    N_FILTER,
    N_TEST,
    N_NOT,
    N_MINUS,
    N_PLUS,
    N_BINARY,
    N_COMPARE,
    N_COND,
    N_KEYWORD,
    /* statements */
    N_TEXT,
    N_OUTPUT,
    N_IF,
    N_FOR,
    N_SET,
    N_MACRO,
    N_CALLER,
    N_FILTERED,
    N_WITH,
    N_BREAK,
    N_CONTINUE
} pcs_jkind;

typedef struct pcs_jnode {
    pcs_jkind kind;
    int line;
    bool negated;
    const char *name;  /* of a name, attribute, filter, test, operator, macro */
    const char *name2; /* attribute of a set */
    pcs_jvalue value;
    struct pcs_jnode *a, *b, *c, *d; /* operands, bodies */
    struct pcs_jnode *targets;       /* names that a loop, set or macro gives values to; a macro's have defaults in a */
    struct pcs_jnode *next;          /* in a list of arguments or statements */
} pcs_jnode;

typedef struct pcs_jinja {
    precis_ctx *ctx;
    pcs_arena arena;
    const char *source;
    size_t len;
    pcs_jnode *program;
    uint64_t work; /* paid so far: an evaluation is PCS_JSTEP, an element or byte 1 */
    int depth, line, loops;
    size_t used; /* bytes of strings and lists made */
    enum { J_GO, J_BREAK, J_CONTINUE } flow;
    pcs_buf out;
    struct pcs_jscope *scope;
} pcs_jinja;

#define PCS_JSTEP 32

/* jinja_parse.c, jinja_tags.c: fills program. */
precis_status pcs_jinja_parse(pcs_jinja *j);
/* jinja_eval.c: expressions. */
precis_status pcs_jeval(pcs_jinja *j, const pcs_jnode *n, pcs_jvalue *out);
precis_status pcs_jeval_args(pcs_jinja *j, const pcs_jnode *list, pcs_jargs *args);
precis_status pcs_jcall(pcs_jinja *j, const pcs_jnode *n, const pcs_jvalue *caller, pcs_jvalue *out);
pcs_jvalue pcs_jlookup(pcs_jinja *j, const char *name);
/* jinja_run.c: statements, and the public call. */
precis_status pcs_jrun(pcs_jinja *j, const pcs_jnode *n);
precis_status pcs_jrun_macro(pcs_jinja *j, const struct pcs_jmacro *m, const pcs_jargs *args, pcs_jvalue *out);
precis_status pcs_jinja_set(pcs_jinja *j, const char *name, pcs_jvalue v);
precis_status pcs_jinja_fail(pcs_jinja *j, precis_status st, const char *fmt, ...) PCS_PRINTF(3, 4);
/* jinja_value.c */
precis_status pcs_jinja_pay(pcs_jinja *j, uint64_t n);
/* Bytes that memory's own functions pass over: four for the price of one. */
static inline precis_status pcs_jinja_scan(pcs_jinja *j, size_t bytes) { return pcs_jinja_pay(j, bytes / 4 + 1); }
precis_status pcs_jinja_spend(pcs_jinja *j, size_t bytes);
pcs_jvalue pcs_jstring(const char *s, size_t len);
precis_status pcs_jstring_of(pcs_jinja *j, pcs_buf *b, precis_status st, pcs_jvalue *out); /* frees b */
static inline pcs_jvalue pcs_jbool(bool b) { return (pcs_jvalue){ .type = J_BOOL, .i = b }; }
static inline pcs_jvalue pcs_jint(int64_t i) { return (pcs_jvalue){ .type = J_INT, .i = i }; }
static inline bool pcs_jnumeric(pcs_jvalue v) { return v.type == J_INT || v.type == J_FLOAT || v.type == J_BOOL; }
static inline double pcs_jnumber(pcs_jvalue v) { return v.type == J_FLOAT ? v.f : (double)v.i; }
bool pcs_jtrue(pcs_jvalue v);
precis_status pcs_jequal(pcs_jinja *j, pcs_jvalue a, pcs_jvalue b, int depth, bool *yes);
precis_status pcs_jorder(pcs_jinja *j, const char *op, pcs_jvalue a, pcs_jvalue b, int *c);
precis_status pcs_jcontains(pcs_jinja *j, pcs_jvalue item, pcs_jvalue in, bool *yes);
precis_status pcs_jappend(pcs_jinja *j, struct pcs_jlist *l, pcs_jvalue v);
precis_status pcs_jput(pcs_jinja *j, struct pcs_jdict *d, pcs_jvalue k, pcs_jvalue v);
pcs_jvalue pcs_jget(pcs_jinja *j, const struct pcs_jdict *d, const char *key, size_t len);
precis_status pcs_jlist_new(pcs_jinja *j, pcs_jvalue *out);
precis_status pcs_jdict_new(pcs_jinja *j, pcs_jvalue *out);
/* What iteration over a value gives: items of a list, keys of a mapping, characters. */
precis_status pcs_jitems(pcs_jinja *j, pcs_jvalue v, pcs_jvalue *list);
precis_status pcs_jpairs(pcs_jinja *j, pcs_jvalue dict, pcs_jvalue *list);
precis_status pcs_jindex(pcs_jinja *j, pcs_jvalue a, pcs_jvalue k, pcs_jvalue *out);
precis_status pcs_jbinary(pcs_jinja *j, const char *op, pcs_jvalue a, pcs_jvalue b, pcs_jvalue *out);
const char *pcs_jtype_name(pcs_jvalue v);
/* Arguments put in the order of their parameters (blanks part the names); J_ABSENT where none is given. */
precis_status pcs_jbind(pcs_jinja *j, const char *what, const char *params, const pcs_jargs *args, pcs_jvalue *out);
/* jinja_text.c: str(), repr(), json.dumps(). */
precis_status pcs_jtext(pcs_jinja *j, pcs_jvalue v, pcs_buf *out);
precis_status pcs_jto_string(pcs_jinja *j, pcs_jvalue v, pcs_jvalue *out);
precis_status pcs_jtojson(pcs_jinja *j, pcs_jvalue v, const pcs_jvalue *options, pcs_jvalue *out);
/* jinja_string.c: characters and methods of strings. */
bool pcs_jspace(uint32_t c);
size_t pcs_jcharacter(pcs_jvalue s, size_t at); /* bytes of the character at a place */
int64_t pcs_jcharacters(pcs_jvalue s);
pcs_jvalue pcs_jstrip_blanks(pcs_jvalue s, bool left, bool right);
typedef enum { J_UPPER, J_LOWER, J_TITLE, J_CAPITAL, J_HEADLINE } pcs_jcase; /* HEADLINE: Jinja's own title */
precis_status pcs_jcased(pcs_jinja *j, pcs_jvalue v, pcs_jcase how, pcs_jvalue *out);
precis_status pcs_jreplace(pcs_jinja *j, pcs_jvalue v, pcs_jvalue from, pcs_jvalue to, pcs_jvalue count,
                           pcs_jvalue *out);
precis_status pcs_jjoin(pcs_jinja *j, pcs_jvalue list, pcs_jvalue gap, pcs_jvalue *out);
precis_status pcs_jstrip(pcs_jinja *j, pcs_jvalue v, bool left, bool right, pcs_jvalue set, pcs_jvalue *out);
/* *known false: a value of this type has no such method. */
precis_status pcs_jmethod(pcs_jinja *j, pcs_jvalue self, const char *name, const pcs_jargs *args, bool *known,
                          pcs_jvalue *out);
bool pcs_jhas_method(pcs_jvalue self, const char *name);
/* jinja_filter.c */
precis_status pcs_jfilter(pcs_jinja *j, const char *name, pcs_jvalue v, const pcs_jargs *args, pcs_jvalue *out);
/* jinja_test.c */
precis_status pcs_jtest(pcs_jinja *j, const char *name, pcs_jvalue v, const pcs_jargs *args, bool *out);

#endif
