/* tokenizer_json.h - a Hugging Face tokenizer.json becomes GGUF's tokenizer keys. */
#ifndef PCS_TOKENIZER_JSON_H
#define PCS_TOKENIZER_JSON_H

#include "base/json.h"
#include "model/model.h"

/* Adds tokenizer.ggml.{model,pre,tokens,token_type,merges} to m. PRECIS_EFORMAT for damage,
 * PRECIS_EUNSUPPORTED naming the part for tokenizers that are not byte-level BPE with a known
 * pre-tokenizer. */
precis_status pcs_tokenizer_json(precis_model *m, pcs_json_slice text);
/* SentencePiece's tokenizer.model (a protobuf of pieces): tokenizer.ggml.{model,tokens,scores,token_type} and the
 * flags. */
precis_status pcs_tokenizer_model(precis_model *m, const uint8_t *data, size_t len);

#endif
