/* jinja.h - the bounded subset of Jinja that chat templates are written in: text, {{ }}, if, for, set, namespaces,
 * filters, tests and string methods; no macros, imports or blocks. Blanks as transformers sets them: trim_blocks
 * and lstrip_blocks. Depth, steps and output are limited, so any template ends. */
#ifndef PCS_JINJA_H
#define PCS_JINJA_H

#include "base/base.h"

typedef enum {
    J_UNDEFINED, J_NONE, J_BOOL, J_INT, J_FLOAT, J_STRING, J_LIST, J_DICT, J_FUNCTION
} pcs_jtype;

typedef struct pcs_jvalue {
    pcs_jtype type;
    bool space; /* a namespace: its attributes can be set */
    union {
        int64_t i;
        double f;
        struct { const char *s; size_t len; };
        struct pcs_jlist *list;
        struct pcs_jdict *dict;
    };
} pcs_jvalue;

struct pcs_jlist { size_t n, cap; pcs_jvalue *v; };
struct pcs_jdict { size_t n, cap; pcs_jvalue *k, *v; };

typedef enum {
    /* expressions */
    N_LITERAL, N_NAME, N_LIST, N_DICT, N_ATTR, N_INDEX, N_SLICE, N_CALL, N_FILTER, N_TEST, N_NOT, N_MINUS, N_BINARY, N_COND, N_KEYWORD,
    /* statements */
    N_TEXT, N_OUTPUT, N_IF, N_FOR, N_SET
} pcs_jkind;

typedef struct pcs_jnode {
    pcs_jkind kind;
    int line;
    bool negated;
    const char *name; /* of a name, attribute, filter, test, operator, variable */
    const char *name2; /* second loop variable, attribute of a set */
    pcs_jvalue value;
    struct pcs_jnode *a, *b, *c, *d; /* operands, bodies */
    struct pcs_jnode *next;          /* in a list of arguments or statements */
} pcs_jnode;

typedef struct pcs_jinja {
    precis_ctx *ctx;
    pcs_arena arena;
    const char *source;
    size_t len;
    pcs_jnode *program;
    uint32_t steps;
    int depth, line;
    size_t used; /* bytes of strings and lists made */
    pcs_buf out;
    struct pcs_jscope *scope;
} pcs_jinja;

/* jinja_parse.c: fills program. */
precis_status pcs_jinja_parse(pcs_jinja *j);
/* jinja_eval.c */
precis_status pcs_jinja_run(pcs_jinja *j);
precis_status pcs_jinja_set(pcs_jinja *j, const char *name, pcs_jvalue v);
precis_status pcs_jinja_fail(pcs_jinja *j, precis_status st, const char *fmt, ...) PCS_PRINTF(3, 4);
/* jinja_value.c */
precis_status pcs_jinja_spend(pcs_jinja *j, size_t bytes);
pcs_jvalue pcs_jstring(const char *s, size_t len);
bool pcs_jtrue(pcs_jvalue v);
bool pcs_jequal(pcs_jvalue a, pcs_jvalue b, int depth);
precis_status pcs_jappend(pcs_jinja *j, struct pcs_jlist *l, pcs_jvalue v);
precis_status pcs_jput(pcs_jinja *j, struct pcs_jdict *d, pcs_jvalue k, pcs_jvalue v);
pcs_jvalue pcs_jget(const struct pcs_jdict *d, const char *key, size_t len);
precis_status pcs_jlist_new(pcs_jinja *j, pcs_jvalue *out);
precis_status pcs_jdict_new(pcs_jinja *j, pcs_jvalue *out);
/* As str() of it. */
precis_status pcs_jtext(pcs_jinja *j, pcs_jvalue v, pcs_buf *out, bool json, int depth);
precis_status pcs_jto_string(pcs_jinja *j, pcs_jvalue v, pcs_jvalue *out);
precis_status pcs_jbinary(pcs_jinja *j, const char *op, pcs_jvalue a, pcs_jvalue b, pcs_jvalue *out);
precis_status pcs_jfilter(pcs_jinja *j, const char *name, pcs_jvalue v, const pcs_jvalue *args, size_t n, pcs_jvalue *out);
precis_status pcs_jmethod(pcs_jinja *j, pcs_jvalue self, const char *name, const pcs_jvalue *args, size_t n, pcs_jvalue *out);
precis_status pcs_jtest(pcs_jinja *j, const char *name, pcs_jvalue v, const pcs_jvalue *args, size_t n, bool *out);

#endif
