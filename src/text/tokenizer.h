/* tokenizer.h - inside of a tokenizer: tokens, pairs that merge, special tokens, a pre-tokenizer. */
#ifndef PCS_TOKENIZER_H
#define PCS_TOKENIZER_H

#include "model/added_tokens.h"
#include "model/model.h"
#include "precis/text.h"

/* Types of tokens, with GGUF's numbers. */
enum { PCS_TOKEN_NORMAL = 1, PCS_TOKEN_UNKNOWN, PCS_TOKEN_CONTROL, PCS_TOKEN_USER, PCS_TOKEN_UNUSED, PCS_TOKEN_BYTE };

#define PCS_NO_TOKEN UINT32_MAX

/* What each window of a text begins with, in its first token's place, as in llama.cpp: BOS where
 * encoding the text put it first; -1: windows are as they are. */
static inline int32_t pcs_window_bos(const precis_tokenizer *t, const int32_t *ids, size_t n)
{
    return n && ids[0] == precis_tokenizer_bos(t) ? ids[0] : -1;
}

/* Has the model a tokenizer, of whatever kind? */
bool pcs_tokenizes(const precis_model *m);

/* ---- merging (merge.c) --------------------------------------------------------------------------- */
/* (left, right) -> result, by rank: lowest rank first, leftmost first among equals. */
typedef struct pcs_pair { uint32_t left, right, rank, result; } pcs_pair;
typedef struct pcs_merges {
    precis_ctx *ctx;
    pcs_pair *slots; /* left == PCS_NO_TOKEN: empty */
    size_t n, cap;
    uint32_t ranks;  /* one more than the largest */
    /* work space, kept between calls */
    struct pcs_symbol *symbols;
    struct pcs_entry *entries;
    uint32_t *heads, *tails, *active, *late;
    size_t cap_symbols, cap_entries, cap_late, n_active, n_late;
    uint32_t free_entry, n_entries;
    uint32_t last_left, last_right, pop_left, pop_right, pop_result; /* the last lookups */
    const pcs_pair *last;
} pcs_merges;

void pcs_merges_init(pcs_merges *m, precis_ctx *ctx);
void pcs_merges_free(pcs_merges *m);
/* Keeps the lowest rank of a pair. */
precis_status pcs_merges_add(pcs_merges *m, pcs_pair pair);
const pcs_pair *pcs_merges_find(const pcs_merges *m, uint32_t left, uint32_t right);
/* Call after the last add. */
precis_status pcs_merges_ready(pcs_merges *m);
/* Merge ids[0..*n) in place until no pair is left. Linear in *n but for a logarithm of out-of-order work. */
precis_status pcs_merge(pcs_merges *m, uint32_t *ids, size_t *n);

/* ---- prefixes of tokens (trie.c) ------------------------------------------------------------------ */
typedef struct pcs_trie {
    precis_ctx *ctx;
    struct pcs_edge { uint64_t key; uint32_t node, id; } *edges; /* id: token that ends here, or PCS_NO_TOKEN */
    size_t n_edges, cap;
} pcs_trie;
/* The first id of a text stays. */
precis_status pcs_trie_add(pcs_trie *t, const char *s, size_t n, uint32_t id);
/* From node (0: the root) over a byte; false when no token goes on so. */
bool pcs_trie_step(const pcs_trie *t, uint32_t *node, unsigned char byte, uint32_t *id);
void pcs_trie_free(pcs_trie *t);

/* ---- pre-tokenizers (pretokenize.c) --------------------------------------------------------------- */
typedef struct pcs_pretokenizer {
    const char *name;      /* tokenizer.ggml.pre */
    /* Bytes of the next piece of text[0..n), at least 1. */
    size_t (*next)(const char *text, size_t n);
    bool digits;           /* every numeric character is a piece of its own, cut out first */
    bool whole;            /* a piece that is a token is that token (ignore_merges) */
    bool nfc;              /* normalize first */
    bool bos;              /* begins with BOS when no key says otherwise */
} pcs_pretokenizer;
const pcs_pretokenizer *pcs_pretokenizer_by_name(const char *name);
/* Bytes of the numeric character at text, or 0. */
size_t pcs_digit(const char *text, size_t n);

/* Canonical composition (Unicode NFC) of valid UTF-8; invalid bytes pass. *out is freed with pcs_free, NULL when the
 * text is the same. */
precis_status pcs_nfc(precis_ctx *ctx, const char *text, size_t n, char **out, size_t *out_n);

typedef enum { PCS_BPE, PCS_SPM, PCS_WORDPIECE, PCS_UNIGRAM } pcs_tokenizer_kind;

struct precis_tokenizer {
    precis_ctx *ctx;
    pcs_arena arena;
    pcs_tokenizer_kind kind;
    bool spm;              /* tokens write a blank as U+2581: all but byte-level BPE */
    const pcs_pretokenizer *pre;
    bool nfc, whole;       /* as pre has them, unless a key says otherwise */
    uint32_t n, n_symbols; /* tokens; and characters that are no tokens but parts of some */
    pcs_text *text;        /* bytes of each token as they stand in a text */
    uint8_t *type;
    pcs_map map;           /* normal tokens and parts: text -> id */
    pcs_map special;       /* control and user tokens */
    uint16_t *special_len; /* lengths of specials, descending, ended by 0 */
    bool special_first[256];
    const uint8_t *flags;  /* settings of added tokens (PCS_ADDED_*): of n_flags, later ones have none */
    uint64_t n_flags;
    uint32_t byte[256];    /* token of a byte, or PCS_NO_TOKEN */
    pcs_merges merges;
    pcs_trie trie;         /* wordpiece and unigram */
    float *scores, unknown_score;
    const uint8_t *charsmap; /* SentencePiece: units, then texts */
    uint32_t charsmap_units;
    size_t charsmap_text;
    bool squeeze;          /* SentencePiece: blanks in a row are one */
    int32_t bos, eos, eot, unk;
    int32_t *ends;         /* all ids that end a text, the two among them */
    size_t n_ends;
    bool add_bos, add_eos, add_space;
    int32_t *out;          /* ids of the running call */
    size_t n_out, cap_out;
    uint64_t seen, length; /* bytes worked on, and of its text */
    uint32_t *piece;
    size_t cap_piece;
};

/* One more id of the running call. */
precis_status pcs_tokenizer_emit(precis_tokenizer *t, int32_t id);
/* So many bytes more are done: PRECIS_ECANCELED when the caller wants to stop. */
static inline precis_status pcs_tokenizer_did(precis_tokenizer *t, size_t bytes)
{
    const uint64_t before = t->seen;
    t->seen += bytes;
    return (before ^ t->seen) >> 20
               ? pcs_progress(t->ctx, "tokenize", t->seen < t->length ? t->seen : t->length - 1, t->length)
               : PRECIS_OK;
}
/* SentencePiece's normalization (unigram.c): the character map, blanks as U+2581, one for several and none at the ends
 * where asked; s is freed with pcs_free. */
typedef struct { char *s; size_t n, cap; } pcs_normal;
precis_status pcs_normalize(precis_tokenizer *t, const char *p, size_t n, bool first, pcs_normal *b);
/* Text between special tokens (wordpiece.c, unigram.c). */
precis_status pcs_wordpiece(precis_tokenizer *t, const char *p, size_t n);
precis_status pcs_unigram(precis_tokenizer *t, const char *p, size_t n, bool first);

#endif
