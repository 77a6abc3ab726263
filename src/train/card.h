/* card.h - what a run's data are: a text that says it, in JSON. */
#ifndef PCS_CARD_H
#define PCS_CARD_H

#include "train/data.h"

/* The card of a run's data. words: "bytes", "learned", a path. */
precis_status pcs_card_write(const pcs_train_data *d, const char *words, pcs_buf *b);

#endif
