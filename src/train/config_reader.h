/* config_reader.h - how the parts of a configuration are read: every key is known or an error by its path, and rows of
 * a table say where each number goes and what it may be. */
#ifndef PCS_CONFIG_READER_H
#define PCS_CONFIG_READER_H

#include "base/json_file.h"
#include "train/config.h"

typedef struct pcs_config_reader {
    precis_ctx *ctx;
    pcs_json_file in;
    pcs_train_config *c;
    char path[96]; /* of the key that is read */
} pcs_config_reader;

typedef struct pcs_config_number {
    const char *key;
    enum { PCS_CONFIG_SIGNED, PCS_CONFIG_SIZE, PCS_CONFIG_REAL } kind;
    double low, high;
    void *to; /* int64_t, uint64_t, double */
} pcs_config_number;

/* PRECIS_EFORMAT: what is wrong with the value at r->path. */
precis_status pcs_config_wrong(pcs_config_reader *r, const char *why);
precis_status pcs_config_unknown(pcs_config_reader *r);
/* The path of the key that was read within `object`. */
void pcs_config_name(pcs_config_reader *r, const char *object);
/* The value of a key of the table; *found: it has one. */
precis_status pcs_config_take(pcs_config_reader *r, const pcs_config_number *table, size_t n, bool *found);
precis_status pcs_config_enter(pcs_config_reader *r);
precis_status pcs_config_bool(pcs_config_reader *r, bool *v);
/* A text of the configuration's arena. */
precis_status pcs_config_string(pcs_config_reader *r, const char **to);
/* A list of at most `most` texts; `what` says it in a message. */
precis_status pcs_config_strings(pcs_config_reader *r, const char **to, size_t *n, size_t most, const char *what);

/* The objects that have files of their own. */
precis_status pcs_config_read_quant(pcs_config_reader *r);
/* A key of `model` or `data` that nets of arrays have; *found: it is one. */
precis_status pcs_config_read_arrays_model(pcs_config_reader *r, bool *found);
precis_status pcs_config_read_arrays_data(pcs_config_reader *r, bool *found);

#endif
