/* pretrained.h - a model's file as the beginning of training: its sizes, its numbers, its tokenizer. */
#ifndef PCS_PRETRAINED_H
#define PCS_PRETRAINED_H

#include "train/llama.h"

/* The net of a model, if it is one that pcs_llama_build makes: llama, qwen3 and what is like them. The rest of `c`
 * stays as it is. factors: memory of `arena`. PRECIS_EUNSUPPORTED names what training does not know. */
precis_status pcs_pretrained_config(const precis_model *m, pcs_llama_config *c, pcs_arena *arena);
/* Every parameter of the net from its tensor, as numbers; PRECIS_EUNSUPPORTED: the model has tensors that are no
 * parameters, or a parameter is of another shape. */
precis_status pcs_pretrained_read(precis_ctx *ctx, const precis_model *m, pcs_llama *l);

#endif
