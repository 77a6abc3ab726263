/* precis/convert.h - one container to another, with a report of what each tensor lost. */
#ifndef PRECIS_CONVERT_H
#define PRECIS_CONVERT_H

#include "precis/read.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_convert_options {
    uint32_t    size;   /* sizeof of this struct, set by _INIT                                              */
    const char *format; /* "gguf", "safetensors", "gptq", "awq"; NULL: gguf when the path ends so, else safetensors */
    int         exact;  /* a tensor that would lose anything takes a larger type that does not              */
    int         own;    /* gguf: keep schemes that only precis reads                                        */
} precis_convert_options;
#define PRECIS_CONVERT_OPTIONS_INIT { sizeof(precis_convert_options), NULL, 0, 0 }

typedef struct precis_convert_row {
    uint32_t    size;      /* sizeof of this struct, set by the caller                                       */
    const char *name;      /* of the source's tensor                                                         */
    const char *from, *to; /* number formats; `to` as the container calls it                                 */
    int         exact;     /* every number is the same                                                       */
    double      max_error; /* largest difference of a number                                                 */
} precis_convert_row;

/* Can a file be written there? Asked before long work. PRECIS_EIO with why not; PRECIS_EINVAL when it is the model's
 * own (NULL: any), or no regular file. */
PRECIS_API precis_status precis_out_check(precis_ctx *ctx, const char *path, const precis_model *model);
/* PRECIS_EINVAL when a file that is to be written is one that is read (`other`: a file; a model's file, whose other
 * parts and tokenizer count too; a folder with all in it but GGUF files and what precis writes beside them) or written
 * under another name. Other spellings and links of a path are the same file. */
PRECIS_API precis_status precis_out_apart(precis_ctx *ctx, const char *path, const char *other);

/* PRECIS_EINVAL when the last part of a file's name, after its dot, is what files of another kind are called by.
 * endings: those of what is to be written, the usual one first, with blanks between ("html svg"); "" is a folder. */
PRECIS_API precis_status precis_out_named(precis_ctx *ctx, const char *path, const char *endings);

typedef struct precis_convert_report precis_convert_report;
/* Write a model in another container: a file for GGUF, a folder that must not exist (or be empty) for the others; whole
 * or not at all. Tokenizer and chat template go along. *report is owned by the caller. PRECIS_EUNSUPPORTED names the
 * tensor that a container cannot hold. */
PRECIS_API precis_status precis_convert(precis_ctx *ctx, const precis_model *model, const char *path,
                                        const precis_convert_options *opts, precis_convert_report **report);
PRECIS_API void precis_convert_report_close(precis_convert_report **report);
PRECIS_API size_t precis_convert_report_size(const precis_convert_report *report);
PRECIS_API precis_status precis_convert_report_get(const precis_convert_report *report, size_t i,
                                                   precis_convert_row *row);
PRECIS_API uint64_t precis_convert_report_bytes(const precis_convert_report *report); /* of the weights' file */

/* Add a low-rank adapter (LoRA: a GGUF of llama.cpp's, or a PEFT folder) to an open model, in memory: y += scale *
 * alpha / rank * B A x. merge: into the weights, which become F32. PRECIS_EFORMAT when it belongs to another model. Not
 * thread-safe. */
PRECIS_API precis_status precis_model_add_adapter(precis_ctx *ctx, precis_model *model, const char *path, double scale,
                                                  int merge);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_CONVERT_H */
