/* tokenizer_parts.h - what tokenizer.json says beside its words: each key is used, harmless (and why), or refused by
 * its name. */
#ifndef PCS_TOKENIZER_PARTS_H
#define PCS_TOKENIZER_PARTS_H

#include "model/added_tokens.h"
#include "read/tokenizer_json.h"

typedef enum { PCS_TOK_BYTES, PCS_TOK_SPM, PCS_TOK_WORDPIECE, PCS_TOK_UNIGRAM } pcs_tok_kind;

typedef struct pcs_tok_parts {
    precis_model *m;
    pcs_tok_kind kind;
    pcs_json_slice words, merges, added, charsmap;
    const char *pre;    /* byte level: GGUF's name of the pre-tokenizer */
    const char *unk;    /* text of the unknown token, or NULL */
    int64_t unk_id;     /* unigram's, or -1 */
    bool nfc, ignore_merges, byte_fallback, fuse_unk;
    bool prefix, squeeze, marks,
        bert; /* a blank before the text; blanks in a row are one; blanks are U+2581; BERT's normalizer */
    int64_t first, last; /* tokens that the post-processor puts before and after a text; -1: none */
} pcs_tok_parts;

/* PRECIS_EUNSUPPORTED names the part and key that neither GGUF nor precis has. */
precis_status pcs_tok_read_parts(precis_model *m, pcs_json_slice text, pcs_tok_parts *out);

/* Members of an object, or items of an array, one after another; the key is empty for items. */
typedef struct pcs_tok_walk {
    pcs_json j;
    pcs_json_token key;
    pcs_json_slice value;
    bool object;
    precis_status st;
} pcs_tok_walk;
void pcs_tok_walk_begin(pcs_tok_walk *w, precis_ctx *ctx, pcs_json_slice s);
bool pcs_tok_walk_next(pcs_tok_walk *w); /* false at the end, or with st set */
/* The text of a string value in the model's arena; *out NULL when the value is no string. */
precis_status pcs_tok_string(precis_model *m, pcs_json_slice value, char **out, size_t *len);
bool pcs_tok_true(pcs_json_slice value);
/* Is the value absent, or null? */
bool pcs_tok_null(pcs_json_slice value);
/* What is added to a text, as keys of GGUF: where it is not usual for the tokenizer's kind. -1: nothing. */
precis_status pcs_tok_set_adds(precis_model *m, int64_t first, int64_t last);
/* Does a text of this kind of tokenizer begin (end) with a token when no key says otherwise? */
bool pcs_tok_usual(const precis_model *m, bool first);
/* Keys that may be there already. */
precis_status pcs_tok_set_id(precis_model *m, const char *name, int64_t id);
precis_status pcs_tok_set_flag(precis_model *m, const char *name, bool value, bool usual);
pcs_key *pcs_tok_key(const precis_model *m, const char *name);
precis_status pcs_tok_add_array(precis_model *m, const char *name, pcs_key_type item, uint64_t n, const void *data);
/* Rows of the embedding, 0 when there is none. */
uint64_t pcs_tok_rows(const precis_model *m);

/* Words of a tokenizer while they are read. */
typedef struct pcs_tok_words {
    precis_model *m;
    pcs_text *tokens;
    int32_t *types; /* GGUF: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte */
    uint8_t *flags;
    float *scores;  /* NULL: there are none */
    uint64_t n, cap; /* ids so far; room */
} pcs_tok_words;
precis_status pcs_tok_words_init(pcs_tok_words *w, precis_model *m, uint64_t named, bool scores);
precis_status pcs_tok_put(pcs_tok_words *w, int64_t id, const char *s, size_t len, int32_t type);
/* One object of added_tokens, or of added_tokens_decoder, where id is its key. */
precis_status pcs_tok_put_added(pcs_tok_words *w, pcs_json_slice object, int64_t id);
/* Gaps are filled where the embedding has rows. What lies beyond those is settled with the whole model
 * (vocabulary.c). */
precis_status pcs_tok_words_fill(pcs_tok_words *w);
/* tokenizer.ggml.tokens and token_type, and the settings of added tokens (precis.tokenizer.added_flags) where there are
 * any. */
precis_status pcs_tok_words_keys(pcs_tok_words *w);
/* What stands beside the tokenizer itself; texts may be empty. */
precis_status pcs_tokenizer_config(precis_model *m, pcs_json_slice config, pcs_json_slice added, pcs_json_slice special,
                                   bool pieces);

#endif
