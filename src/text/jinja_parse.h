/* jinja_parse.h - between the parts of the parser of templates: tokens (jinja_lex.c), expressions (jinja_parse.c), tags
 * (jinja_tags.c). */
#ifndef PCS_JINJA_PARSE_H
#define PCS_JINJA_PARSE_H

#include "text/jinja.h"

typedef enum { T_END, T_NAME, T_INT, T_FLOAT, T_STRING, T_OP, T_CLOSE } pcs_jtoken;

typedef struct pcs_jparser {
    pcs_jinja *j;
    const char *p, *end;
    /* the token in hand */
    pcs_jtoken type;
    const char *text;
    size_t len;
    pcs_jvalue value;
    const char *close; /* what ends this tag: "}}" or "%}" */
    int depth, loops, brackets; /* brackets: open ones, within which }} is no end */
    bool trim_next;    /* the tag ended in -%} */
    bool drop_newline; /* trim_blocks */
    bool keep_newline; /* the tag ended in +%} */
} pcs_jparser;

precis_status pcs_jadvance(pcs_jparser *p);
bool pcs_jis(const pcs_jparser *p, pcs_jtoken type, const char *text);
precis_status pcs_jtake(pcs_jparser *p, pcs_jtoken type, const char *text);
precis_status pcs_jtake_name(pcs_jparser *p, const char **out);
precis_status pcs_jwrong(pcs_jparser *p, precis_status st, const char *why);
/* One level deeper; the caller takes it back. */
precis_status pcs_jdeeper(pcs_jparser *p);
pcs_jnode *pcs_jnew(pcs_jparser *p, pcs_jkind kind);
/* with_if: `a if b` is part of it. A comma makes a tuple. */
precis_status pcs_jexpression(pcs_jparser *p, pcs_jnode **out);
precis_status pcs_jtuple(pcs_jparser *p, bool with_if, pcs_jnode **out);
precis_status pcs_jarguments(pcs_jparser *p, const char *close, pcs_jnode **out);
/* | filter, as often as there is one. */
precis_status pcs_jfilters(pcs_jparser *p, pcs_jnode **out);
precis_status pcs_jprimary(pcs_jparser *p, pcs_jnode **out);

#endif
