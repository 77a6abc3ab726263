/* hf.h - what stands beside a safetensors file: config.json, tokenizer, chat template, and how checkpoints are
 * quantized. */
#ifndef PCS_HF_H
#define PCS_HF_H

#include "base/json.h"
#include "graph/arch.h"
#include "read/read.h"

/* Tensors of one file; also for adapters. */
precis_status pcs_safetensors_file(precis_model *m, const char *path);
/* All tensors of a folder, from the files that transformers would take. */
precis_status pcs_hf_weights(precis_model *m, const char *folder);
/* Keys and canonical names from the files of a folder; the tensors have been read. */
precis_status pcs_hf_folder(precis_model *m, const char *folder);
/* Quantized modules (compressed-tensors, GPTQ, AWQ, FP8 with scales) become one tensor each, in a scheme of precis.
 * config: the text of config.json. */
precis_status pcs_hf_quantized(precis_model *m, pcs_json_slice config);
/* What quantization_config says. *found false: there is no such object. */
typedef struct pcs_hf_quant {
    const char *method; /* "": none */
    int bits;
    int64_t group;      /* -1: the row */
    bool v2;            /* GPTQ's second version */
    bool divides;       /* BitNet's scales are divided by */
    const char *input;  /* scheme of activations; NULL: none */
} pcs_hf_quant;
precis_status pcs_hf_quant_settings(precis_model *m, pcs_json_slice config, pcs_hf_quant *s, bool *found);
/* Words of a row of n codes as compressed-tensors packs them: a stream of bits, or 32 / bits to a word. */
int64_t pcs_hf_packed_words(int64_t n, int bits, bool dense);
/* The bits of codes that fill so many words, where config.json does not say them; 0: none, or more than one. A stream
 * goes before codes that leave parts of words empty: eight bits fill the words that seven would. */
int pcs_hf_packed_bits(int64_t n, int64_t words);
/* A file of a folder in memory (freed with pcs_free), *text NULL when there is none. */
precis_status pcs_hf_slurp(precis_model *m, const char *folder, const char *name, char **text, size_t *len);
/* A member of an object as a number, a string without its quotes, or a boolean; absent or null: *found false. */
precis_status pcs_hf_number_of(precis_ctx *ctx, pcs_json_slice object, const char *key, double *v, bool *found);
bool pcs_hf_is(pcs_json_slice value, const char *text);
/* Is the word among those of a list, which blanks part? */
bool pcs_hf_listed(const char *list, const char *word, size_t len);
/* Row of a head of hd rows in halves that is row r of it in GGUF's rotary order. */
static inline uint64_t pcs_hf_rotary_row(uint64_t r, uint64_t hd)
{
    return r / hd * hd + r % hd / 2 + (r % hd % 2 ? hd / 2 : 0);
}
/* The canonical name of a tensor of an architecture (NULL: one that is not known, whose layers are named as llama's),
 * in the arena; NULL when there is none. */
char *pcs_hf_name(precis_model *m, const pcs_arch *arch, const char *source, unsigned *expert);
/* The other way: transformers' name of a canonical one; expert: number of the expert when the tensor holds them all. In
 * the arena; NULL when there is none. */
char *pcs_hf_source(pcs_arena *a, const pcs_arch *arch, const char *name, unsigned expert);

/* config.json in work. */
typedef struct pcs_hf_config {
    precis_model *m;
    pcs_json_slice text;
    const pcs_arch *arch;
    const pcs_hf_type *type; /* of its model types */
    char reason[160]; /* why the model cannot be run; "": it can */
} pcs_hf_config;
/* Keys of ARCH.suffix. */
precis_status pcs_hf_set_float(pcs_hf_config *c, const char *suffix, double v);
precis_status pcs_hf_set_count(pcs_hf_config *c, const char *suffix, double v);
precis_status pcs_hf_set_text(pcs_hf_config *c, const char *suffix, const char *v, size_t len);
/* Record the first setting that no graph here has. */
void pcs_hf_cannot(pcs_hf_config *c, const char *fmt, ...) PCS_PRINTF(2, 3);
/* The model's numbers, windows and activations (hf_settings.c); its rotary embedding (hf_rope.c); first ids of special
 * tokens (hf_special.c; generation: the text of generation_config.json, or NULL). */
precis_status pcs_hf_settings(pcs_hf_config *c);
precis_status pcs_hf_rope(pcs_hf_config *c);
precis_status pcs_hf_special(pcs_hf_config *c, pcs_json_slice generation);
/* With the tokens known: which of several ends is GGUF's, and the keys of the others. */
precis_status pcs_hf_ends(precis_model *m, const char *folder);
/* The tokenizer and the chat templates of a folder (hf_text.c). */
precis_status pcs_hf_text(precis_model *m, const char *folder);

#endif
