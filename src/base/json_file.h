/* json_file.h - a JSON file read key by key: profiles, tables of costs, plans. */
#ifndef PCS_JSON_FILE_H
#define PCS_JSON_FILE_H

#include "base/json.h"

/* `arena` takes the strings; it is `own` where the caller sets no other. Messages name the file until it is closed. */
typedef struct { precis_ctx *ctx; pcs_json j; pcs_json_token t; pcs_arena own, *arena; char *data; } pcs_json_file;

/* Reads all of a file; nothing to close after an error. */
precis_status pcs_json_file_open(pcs_json_file *f, precis_ctx *ctx, const char *path);
/* The same of a text in memory, which outlives it; name: of messages. */
void pcs_json_file_text(pcs_json_file *f, precis_ctx *ctx, const char *data, size_t len, const char *name);
void pcs_json_file_close(pcs_json_file *f);

/* Is there another key in the object that was entered? It is in f->t. False at its end, and
 * after an error, of which *st tells. */
bool pcs_json_file_key(pcs_json_file *f, precis_status *st);
/* The value of that key; `field` names it in messages. */
precis_status pcs_json_file_number(pcs_json_file *f, const char *field, double lo, double hi, double *v);
precis_status pcs_json_file_string(pcs_json_file *f, const char *field, char **s);
precis_status pcs_json_file_skip(pcs_json_file *f);
/* An array of objects, each entered and given to `one`. */
typedef precis_status pcs_json_one_fn(void *arg);
precis_status pcs_json_file_list(pcs_json_file *f, const char *field, pcs_json_one_fn *one, void *arg);

#endif
