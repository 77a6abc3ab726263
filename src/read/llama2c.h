/* llama2c.h - the tokenizer file of llama2.c. */
#ifndef PCS_LLAMA2C_H
#define PCS_LLAMA2C_H

#include "read/read.h"

/* Keys tokenizer.ggml.* from tokV.bin or tokenizer.bin in the checkpoint's folder; nothing when neither is there. */
precis_status pcs_llama2c_tokens(precis_model *m, const char *path, int64_t vocabulary);

#endif
