/* precis/text.h - from text to token ids and back, and chat templates.
 *
 * Threads: a tokenizer belongs to its context's thread. */
#ifndef PRECIS_TEXT_H
#define PRECIS_TEXT_H

#include "precis/read.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_tokenizer precis_tokenizer;

/* The tokenizer that a model carries: byte-level BPE (gpt2, smollm, starcoder, llama-bpe, qwen2) or
 * SentencePiece BPE with scores. The model must outlive it. PRECIS_EUNSUPPORTED names the key that
 * is missing or not known. */
PRECIS_API precis_status precis_tokenizer_open(precis_ctx *ctx, precis_tokenizer **out, const precis_model *model);
PRECIS_API void precis_tokenizer_close(precis_tokenizer **tokenizer);

enum {
    PRECIS_TEXT_ADD = 1,  /* begin (and end) with the tokens that the model asks for          */
    PRECIS_TEXT_PARSE = 2, /* special tokens written in the text become tokens                */
    PRECIS_TEXT_GUARD = 4  /* the byte 0xFF, which UTF-8 never has, stops that and is dropped */
};
/* Text (any bytes; UTF-8 expected) to *n ids in *ids, freed with precis_ids_free. Time and memory are linear in
 * len; progress and cancel are asked on the way. PRECIS_ENOMEM, PRECIS_ECANCELED, PRECIS_EINVAL (len of 1 GiB or
 * more). */
PRECIS_API precis_status precis_tokenizer_encode(precis_tokenizer *t, const char *text, size_t len, unsigned flags,
                                                 int32_t **ids, size_t *n);
/* A copy of text in which no special token can be parsed (PRECIS_TEXT_GUARD): for what users write, before it goes into
 * a chat template. Bytes 0xFF of its own are dropped. *out is NUL-terminated, freed with precis_text_free.
 * PRECIS_ENOMEM. */
PRECIS_API precis_status precis_tokenizer_guard(precis_tokenizer *t, const char *text, char **out);
PRECIS_API void precis_ids_free(precis_tokenizer *t, int32_t *ids);
/* Bytes of one token, *len of them; control tokens give none unless `special`. Owned by the tokenizer, valid until the
 * next call. */
PRECIS_API const char *precis_tokenizer_piece(precis_tokenizer *t, int32_t id, int special, size_t *len);
PRECIS_API uint32_t precis_tokenizer_size(const precis_tokenizer *t);
/* How many of n bytes are whole characters: a token may end within one. */
PRECIS_API size_t precis_text_whole(const char *text, size_t n);
/* -1 when there is none. */
PRECIS_API int32_t precis_tokenizer_bos(const precis_tokenizer *t);
PRECIS_API int32_t precis_tokenizer_eos(const precis_tokenizer *t);
/* Does this token end a turn or a text? */
PRECIS_API int precis_tokenizer_ends(const precis_tokenizer *t, int32_t id);

typedef struct precis_message { const char *role, *content; } precis_message;
/* Render messages by a Jinja chat template (a bounded subset, docs/tokenizers.md; PRECIS_EUNSUPPORTED names what is
 * beyond it). Any template ends soon, in PRECIS_EFORMAT when it takes too many steps; progress and cancel are asked.
 * *out is NUL-terminated, freed with precis_text_free. bos, eos: text of those tokens, or NULL.
 * PRECIS_EFORMAT with line for broken templates, and for what a template itself raises. */
PRECIS_API precis_status precis_chat_render(precis_ctx *ctx, const char *source, const precis_message *messages,
                                            size_t n, int add_generation_prompt, const char *bos, const char *eos,
                                            char **out);
PRECIS_API void precis_text_free(precis_ctx *ctx, char *text);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_TEXT_H */
