/* precis/read.h - open a model file and look into it. Stage 1: READ -> graph -> plan -> quant -> eval -> run.
 *
 * Needs no architecture: any GGUF can be opened, inspected and quantized. */
#ifndef PRECIS_READ_H
#define PRECIS_READ_H

#include "precis/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A model file (GGUF, split GGUF, safetensors folder or file, llama2.c checkpoint), mapped, not
 * copied. Threads: reading a model from several threads is safe while nobody closes it. */
typedef struct precis_model precis_model;

/* Open by content, not by name. *out is owned by the caller and NULL on failure; ctx must outlive it.
 * PRECIS_EIO, PRECIS_EFORMAT (the message names file, byte offset and field), PRECIS_EUNSUPPORTED,
 * PRECIS_ENOMEM. Every size is checked before anything of that size is allocated. */
PRECIS_API precis_status precis_model_open(precis_ctx *ctx, precis_model **out, const char *path);
/* The same for running it: a packed file (`convert --format packed`) is used in place, where precis_model_open unpacks
 * its weights into memory, as all else needs them. */
PRECIS_API precis_status precis_model_open_to_run(precis_ctx *ctx, precis_model **out, const char *path);
/* Counts changes of the bytes of packed files; one of another layout is refused. */
PRECIS_API uint32_t precis_packed_layout(void);
/* NULL and *model == NULL are no-ops. */
PRECIS_API void precis_model_close(precis_model **model);

typedef struct precis_model_info {
    uint32_t    size;            /* sizeof of this struct, set by the caller             */
    const char *format;          /* container: "gguf", "safetensors", "llama2.c"         */
    const char *architecture;    /* "llama", ...; "" when the file does not say          */
    uint64_t    parameters;      /* elements of all tensors                              */
    uint64_t    bytes;           /* of all tensors                                       */
    uint64_t    file_bytes;      /* of all files                                         */
    double      bits_per_weight; /* 8 * bytes / parameters                               */
    size_t      tensors, keys;
} precis_model_info;
/* Strings belong to the model. */
/* SHA-256, in hex, of all tensors: names, types, shapes, contents. Not of keys, paths or how the files are split. */
PRECIS_API precis_status precis_model_sha256(const precis_model *model, char hex[65]);
PRECIS_API void precis_model_get_info(const precis_model *model, precis_model_info *info);

typedef struct precis_tensor_info {
    uint32_t       size;   /* sizeof of this struct, set by the caller                            */
    const char    *name;   /* as in the file                                                      */
    const char    *type;   /* number format: "Q4_K", "F32", ...                                   */
    uint32_t       dims;
    const int64_t *shape;  /* in the file's own order: GGUF has the row length first, safetensors last */
    uint64_t       bytes;
    uint64_t       offset; /* from the start of its file                                          */
    const char    *file;   /* path of the file that holds it                                      */
} precis_tensor_info;
/* i < info.tensors. PRECIS_EINVAL when it is not. */
PRECIS_API precis_status precis_model_get_tensor(const precis_model *model, size_t i, precis_tensor_info *info);
/* Index by name, as in the file or canonical (GGUF's); PRECIS_EINVAL when there is none. */
PRECIS_API precis_status precis_model_find_tensor(const precis_model *model, const char *name, size_t *i);
/* Elements [first, first + n) of tensor i as f32. PRECIS_EINVAL out of range or not block-aligned,
 * PRECIS_EUNSUPPORTED when the type has no decoder. */
PRECIS_API precis_status precis_model_read_f32(const precis_model *model, size_t i, uint64_t first, uint64_t n,
                                               float *out);
/* All of tensor i as little-endian f32 to a file, whole or not at all. PRECIS_EINVAL when path is one of the model's
 * own files; the codes of precis_model_read_f32 and of writing (PRECIS_EIO, PRECIS_ENOSPC). */
PRECIS_API precis_status precis_tensor_export(const precis_model *model, size_t i, const char *path);
/* First element that is NaN or infinite, of tensor i; *found 0 when there is none. */
PRECIS_API precis_status precis_model_check_finite(const precis_model *model, size_t i, int *found, uint64_t *element,
                                                   float *value);
/* Are all weights finite? PRECIS_EFORMAT names the first tensor and element that is NaN or infinite. Whatever computes
 * with a model or writes it anew (runners, calibration, profiles, plans, quantizing, converting) asks this of itself
 * and fails so; who never does may ask. It is looked at once, at the speed of memory, of quantized weights the scales
 * alone. Uses the context's threads. */
PRECIS_API precis_status precis_model_check(const precis_model *model);
/* allow != 0: weights that are not finite pass, with a warning that names the first: for copying a damaged file.
 * Results computed from them, and types that cannot hold them, still fail. Call it before the model is used. */
PRECIS_API void precis_model_allow_nan(precis_model *model, int allow);

/* Metadata: key i as text ("llama.block_count" -> "30"); long arrays are shortened. *text is written
 * with at most cap bytes, always ended. */
PRECIS_API precis_status precis_model_get_key(const precis_model *model, size_t i, const char **key, char *text,
                                              size_t cap);
/* The chat template, or NULL. */
PRECIS_API const char *precis_model_chat_template(const precis_model *model);

/* Names and limits of the tables, for `precis list`; static storage, NULL ends each. table NULL: the tables' own
 * names. */
PRECIS_API const char *precis_list(const char *table, size_t i);
/* The same, and rows that are put together, in text[cap] (table "pairs": which methods go together). */
PRECIS_API const char *precis_list_row(const char *table, size_t i, char *text, size_t cap);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_READ_H */
