/* hf_folder.h - a transformers folder that is being written: hf_folder.c decides which tensors model.safetensors gets,
 * and hf_parts.c makes their bytes. */
#ifndef PCS_HF_FOLDER_H
#define PCS_HF_FOLDER_H

#include "model/activations.h"
#include "model/counts.h"
#include "read/hf.h"
#include "write/convert.h"

/* What a tensor of the model becomes. */
typedef enum { AS_FLOATS, AS_CODES, AS_INT8, AS_FP8, AS_FP4 } pcs_folder_kind;

/* What a tensor of the file holds. */
typedef enum {
    P_FLOATS, P_CODES, P_INT8, P_SCALES, P_ZEROS, P_SHAPE, P_INDEX,
    P_FP8, P_ROW_SCALES, P_FP4, P_FP4_SCALES, P_GLOBAL, P_INVERSE
} pcs_folder_content;

/* One tensor of the file. */
typedef struct pcs_folder_part {
    const char *name;
    const char *dtype;
    pcs_folder_content what;
    int dims;
    int64_t shape[PCS_MAX_DIMS];
    uint64_t bytes;
    size_t tensor;            /* of the model */
    int64_t matrix;           /* of a tensor of experts */
    const pcs_format *format; /* P_FLOATS */
} pcs_folder_part;

typedef struct pcs_made_folder {
    pcs_convert *c;
    pcs_layout layout;
    const pcs_arch *arch;
    pcs_counts counts;
    pcs_activations act; /* name NULL: they stay floats */
    pcs_arena arena;
    pcs_folder_part *parts;
    size_t n, cap;
    pcs_folder_kind *kinds; /* kinds and views: one for each tensor of the model */
    pcs_intview *views;
    pcs_groups groups;
    int bits;
    int64_t group;
    bool any, sym;
} pcs_made_folder;

/* Is it a norm that the folder stores without the 1 that the model adds? */
bool pcs_folder_without_one(const pcs_made_folder *f, const pcs_tensor *t);
/* Is it a matrix that the folder stores transposed? */
bool pcs_folder_turned(const pcs_made_folder *f, const pcs_tensor *t);
/* Is it a tensor of the net, with a name in transformers? Others go over as they came. */
bool pcs_folder_named(const pcs_made_folder *f, const pcs_tensor *t);
/* The number or numbers that stand beside a weight (NAME.scale), by which it is multiplied, NULL: none; and the one of
 * a row's matrix (scale NULL: 1). */
const pcs_tensor *pcs_folder_scale(const precis_model *m, const pcs_tensor *t);
float pcs_folder_scale_at(const pcs_tensor *scale, const pcs_tensor *t, uint64_t row);
/* What compressed-tensors stores of a scale of a whole: the number whose reciprocal it is, where there is one. */
float pcs_folder_inverse(float v);
/* Adds the bytes of a part to the file. */
precis_status pcs_folder_put(pcs_made_folder *f, pcs_out *o, const pcs_folder_part *p);

#endif
