/* tree.h - JSON as a flat list of tokens, each of which knows where what it
 * begins ends: 16 bytes a token, no recursion. What an archive's graph is read
 * from. */
#ifndef PCS_READ_PT2_TREE_H
#define PCS_READ_PT2_TREE_H

#include "base/json.h"
#include "read/netfile.h"

typedef struct pcs_twig {
    uint32_t at, len; /* its text */
    uint32_t next;    /* of the token after what it begins */
    uint32_t type;    /* pcs_json_type; a KEY is followed by its value */
} pcs_twig;

typedef struct pcs_tree {
    precis_ctx *ctx;
    const char *file; /* for messages: file and member */
    const char *text;
    pcs_twig *v;
    uint32_t n, cap;
} pcs_tree;

/* Values of the key `skip` are left out (NULL: none are). PRECIS_EFORMAT with
 * the byte. The caller keeps file and text. */
precis_status pcs_tree_open(precis_ctx *ctx, pcs_tree *t, const char *file, pcs_str text, const char *skip);
void pcs_tree_close(pcs_tree *t);
precis_status pcs_tree_fail(const pcs_tree *t, uint32_t i, precis_status status, const char *fmt, ...) PCS_PRINTF(4, 5);

/* Token 0 is the whole text, so 0 is also "there is none". */
static inline uint32_t pcs_tree_type(const pcs_tree *t, uint32_t i) { return t->v[i].type; }
/* What stands in an array: for (uint32_t k = i + 1; k < pcs_tree_end(t, i); k =
 * pcs_tree_next(t, k)). */
static inline uint32_t pcs_tree_end(const pcs_tree *t, uint32_t i) { return t->v[i].next; }
static inline uint32_t pcs_tree_next(const pcs_tree *t, uint32_t i) { return t->v[i].next; }
uint32_t pcs_tree_count(const pcs_tree *t, uint32_t array);
/* The value of a key; 0 when there is none, or i is no object. */
uint32_t pcs_tree_get(const pcs_tree *t, uint32_t i, const char *key);
/* The one key of an object, and its value; 0 otherwise. */
uint32_t pcs_tree_only(const pcs_tree *t, uint32_t i, pcs_str *key);
/* Text of a string, key or number, as it stands. */
static inline pcs_str pcs_tree_text(const pcs_tree *t, uint32_t i)
{
    return (pcs_str){ t->text + t->v[i].at, t->v[i].len };
}
bool pcs_tree_is(const pcs_tree *t, uint32_t i, const char *text);
/* False where it is no such number (a double may be the text Infinity,
 * -Infinity or NaN). */
bool pcs_tree_int(const pcs_tree *t, uint32_t i, int64_t *out);
bool pcs_tree_real(const pcs_tree *t, uint32_t i, double *out);

#endif
