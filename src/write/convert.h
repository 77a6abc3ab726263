/* convert.h - writers of containers, and tensors seen as integers with scales. A writer is one file and one row of
 * writers.def. */
#ifndef PCS_CONVERT_H
#define PCS_CONVERT_H

#include "base/json.h"
#include "precis/convert.h"
#include "write/write.h"

/* A tensor as codes: w = scale * (code - zero), code of `bits` bits, scales in groups of `group` inputs. */
typedef struct pcs_intview {
    const pcs_tensor *t;
    int bits;
    int64_t rows, cols, group, groups; /* of one matrix; a tensor of experts has several */
    bool affine;      /* zero points differ from 2^(bits - 1) */
    bool half;        /* every scale is exact in f16 */
    bool channel;     /* one scale per row */
    /* buffers of one row, filled by pcs_intview_row */
    int8_t *q;
    float *d, *m;
} pcs_intview;

/* false (and PRECIS_OK) when the tensor is no such thing. The caller closes an opened view. */
precis_status pcs_intview_open(precis_ctx *ctx, const pcs_tensor *t, pcs_intview *v, bool *is);
void pcs_intview_close(precis_ctx *ctx, pcs_intview *v);
/* Row r (of all matrices): codes 0 to 2^bits - 1 in codes[cols], scales and zeros of its groups. */
void pcs_intview_row(const pcs_intview *v, uint64_t r, uint8_t *codes, float *scales, uint8_t *zeros);

struct precis_convert_report {
    precis_ctx *ctx;
    pcs_arena arena;
    precis_convert_row *rows; /* one per tensor of the source */
    size_t n;
    uint64_t bytes;
};

typedef struct pcs_convert {
    precis_ctx *ctx;
    const precis_model *m;
    const char *path;
    precis_convert_options opt;
    precis_convert_report *report;
} pcs_convert;

typedef struct pcs_writer {
    const char *name;
    bool folder;
    precis_status (*write)(pcs_convert *c);
} pcs_writer;
extern const pcs_writer *const pcs_writers[];

/* Largest difference between a tensor's numbers and those of the same tensor in format f (0 when f holds them all). */
precis_status pcs_lost(precis_ctx *ctx, const pcs_tensor *t, const pcs_format *f, double *lost);
/* The folder writer that safetensors, gptq and awq share. */
typedef enum { PCS_CT, PCS_GPTQ, PCS_AWQ } pcs_layout;
precis_status pcs_write_folder(pcs_convert *c, pcs_layout layout);

/* config.json without its last brace; and the tokenizer's files, written into a folder. */
precis_status pcs_hf_write_config(const precis_model *m, pcs_buf *b);
precis_status pcs_hf_tokenizer(precis_ctx *ctx, const precis_model *m, pcs_out_folder *folder);

/* Opens model.safetensors of a folder, and then the folder as a model, by precis's own reader, and compares both with
 * what was meant. name: what the folder will be called. */
typedef struct pcs_part_meant { const char *name; int dims; const int64_t *shape; uint64_t bytes; } pcs_part_meant;
precis_status pcs_folder_read_back(precis_ctx *ctx, const char *name, const char *folder, const pcs_part_meant *parts,
                                   size_t n, const pcs_convert *c);

/* quantization_config of compressed-tensors (hf_groups.c). `format` is kept by reference. */
typedef struct pcs_groups {
    precis_ctx *ctx;
    struct { char *spec; pcs_buf targets; } *group;
    size_t n;
    pcs_buf ignore;
    const char *format;
    bool mixed; /* groups of several formats */
} pcs_groups;
void pcs_groups_init(pcs_groups *g, precis_ctx *ctx);
void pcs_groups_free(pcs_groups *g);
precis_status pcs_groups_add(pcs_groups *g, const char *module, const char *format, const char *weights,
                             const char *inputs);
precis_status pcs_groups_ignore(pcs_groups *g, const char *module);
precis_status pcs_groups_write(const pcs_groups *g, pcs_buf *b);
/* "input_activations" of a weight: the model's scheme for activations, static when a scale stands beside the weight. */
precis_status pcs_groups_inputs(const precis_model *m, const pcs_tensor *weight, char out[256]);

#endif
