/* model.h - the container: keys and tensors, whatever file they came from.
 *
 * Keys and tensor names are GGUF's (canonical); a reader of another container translates, and keeps
 * the file's own name beside. Tensor data point into mapped files. */
#ifndef PCS_MODEL_H
#define PCS_MODEL_H

#include "base/base.h"
#include "base/file.h"
#include "format/format.h"
#include "model/roles.h"
#include "precis/read.h"

#define PCS_MAX_DIMS 8

/* Value types of a key, with GGUF's numbers. */
typedef enum {
    PCS_KEY_U8, PCS_KEY_I8, PCS_KEY_U16, PCS_KEY_I16, PCS_KEY_U32, PCS_KEY_I32, PCS_KEY_F32, PCS_KEY_BOOL,
    PCS_KEY_STRING, PCS_KEY_ARRAY, PCS_KEY_U64, PCS_KEY_I64, PCS_KEY_F64
} pcs_key_type;

typedef struct { const char *s; uint64_t len; } pcs_text;

typedef struct pcs_key {
    const char *name;
    pcs_key_type type;
    pcs_key_type item;  /* of an array */
    uint64_t n;         /* items of an array */
    union {
        uint64_t u;     /* unsigned and bool */
        int64_t i;
        double f;
        pcs_text text;
        const pcs_text *texts; /* array of strings */
        const void *items;     /* array of numbers, in the file's width */
    } v;
} pcs_key;

typedef struct pcs_tensor {
    const char *name;   /* canonical */
    const char *source; /* as in the file */
    pcs_place is;       /* what it is in the net, by its name: pcs_model_index says it */
    const pcs_format *format;
    uint32_t dims;
    int64_t ne[PCS_MAX_DIMS];    /* row length first; 1 beyond dims */
    int64_t shape[PCS_MAX_DIMS]; /* in the file's own order */
    uint64_t n, bytes, offset;
    const uint8_t *data;   /* rows */
    const uint8_t *panels; /* of a packed file, or NULL; data is NULL while nobody has asked for rows */
    uint32_t file;
} pcs_tensor;

struct precis_model {
    precis_ctx *ctx;
    pcs_arena arena;
    const char *container;
    const char *path;
    const struct pcs_net *net; /* that the file itself brings (graph/net.h); NULL: its architecture builds one */
    const char *flaw;   /* why it is not whole, as its reader found (graph/net.h): it can be looked at; or NULL */
    const char *folder; /* of transformers, whose files say what the tensors are; or NULL */
    const precis_model *origin; /* what this is a copy of, which must outlive it; or NULL */
    pcs_file *files;
    uint32_t n_files;
    uint32_t gguf_version;
    uint64_t alignment;
    pcs_key *keys;
    size_t n_keys, cap_keys;
    pcs_map key_map;
    pcs_tensor *tensors;
    size_t n_tensors, cap_tensors;
    pcs_map tensor_map, source_map;
    struct pcs_finite *finite; /* what is known of its weights (finite.c) */
    pcs_tensor *extras;   /* of the file, but no part of the net (graph/net.h) */
    size_t n_extras;
    unsigned char *asked; /* which tensors were looked up, while somebody counts; or NULL */
    pcs_text tokenizer_json; /* beside a safetensors file; .s NULL when there is none */
};

/* All tokens that end a text, where a folder lists several (ids in its order): GGUF's own keys have room for three. */
#define PCS_KEY_ENDS "precis.eos_token_ids"

precis_status pcs_model_new(precis_ctx *ctx, precis_model **out, const char *path, const char *container);
/* Append; the caller fills the fields. NULL and a message on failure. Duplicate names are refused by
 * pcs_model_index. */
pcs_key *pcs_model_add_key(precis_model *m, const char *name);
pcs_tensor *pcs_model_add_tensor(precis_model *m);
/* Builds the name tables anew, and says of each tensor what it is; fails on duplicates. Readers that look keys up on
 * the way build the table of keys by themselves. */
precis_status pcs_model_index_keys(precis_model *m);
precis_status pcs_model_index(precis_model *m);
/* A copy that shares data; tensors and keys may be changed and added. */
precis_status pcs_model_copy(precis_ctx *ctx, precis_model **out, const precis_model *m);
precis_status pcs_model_add_file(precis_model *m, const char *path, pcs_file **out);

const pcs_key *pcs_model_key(const precis_model *m, const char *name);
const pcs_tensor *pcs_model_tensor(const precis_model *m, const char *name);
/* By what it is; layer -1: none. */
const pcs_tensor *pcs_model_part(const precis_model *m, int layer, pcs_tensor_role role, pcs_tensor_end end);
/* Whole-number and float keys of any width. The default when the key is absent; *ok (may be NULL) says
 * whether it was there with a numeric type. */
int64_t pcs_model_int(const precis_model *m, const char *name, int64_t dflt, bool *ok);
double pcs_model_float(const precis_model *m, const char *name, double dflt, bool *ok);
/* NULL when absent or not a string. */
const char *pcs_model_string(const precis_model *m, const char *name);
/* "ARCH.suffix" of the model's architecture. */
int64_t pcs_arch_int(const precis_model *m, const char *suffix, int64_t dflt, bool *ok);
double pcs_arch_float(const precis_model *m, const char *suffix, double dflt, bool *ok);
/* Number i of an array key; 0 beyond its end. */
double pcs_key_number(const pcs_key *k, uint64_t i);

/* Dimension of a head's keys. */
int64_t pcs_head_dim(const precis_model *m);

size_t pcs_key_width(pcs_key_type t); /* bytes of a fixed-size value; 0 for strings and arrays */

/* Convenience for readers that make keys. */
precis_status pcs_model_set_u32(precis_model *m, const char *name, uint32_t v);
precis_status pcs_model_set_f32(precis_model *m, const char *name, float v);
precis_status pcs_model_set_bool(precis_model *m, const char *name, bool v);
precis_status pcs_model_set_bools(precis_model *m, const char *name, const bool *v, size_t n);
precis_status pcs_model_set_string(precis_model *m, const char *name, const char *v, size_t len);

/* Rows of a tensor, that is its elements over the length of a row, and the bytes of one. */
static inline uint64_t pcs_tensor_rows(const pcs_tensor *t) { return t->ne[0] ? t->n / (uint64_t)t->ne[0] : 0; }
static inline uint64_t pcs_tensor_row_bytes(const pcs_tensor *t)
{
    return pcs_row_bytes(t->format, (uint64_t)t->ne[0]);
}

#endif
