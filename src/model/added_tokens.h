/* added_tokens.h - settings of added tokens, which GGUF has no key for: bits of each token in the array
 * precis.tokenizer.added_flags. */
#ifndef PCS_ADDED_TOKENS_H
#define PCS_ADDED_TOKENS_H

/* Blanks before and behind belong to the token; it is found as a word of its own only. */
enum { PCS_ADDED_LSTRIP = 1, PCS_ADDED_RSTRIP = 2, PCS_ADDED_WORD = 4 };

#endif
