/* card.c - see card.h. */
#include "train/card.h"

#include "base/json.h"

static precis_status put_text(pcs_buf *b, const char *path, const pcs_train_text *t)
{
    precis_status st = pcs_buf_printf(b, "{\"path\": ");
    if (!st) st = pcs_json_text(b, path, strlen(path));
    if (!st)
        st = pcs_buf_printf(b, ", \"bytes\": %zu, \"sha256\": \"%s\", \"tokens\": %zu", t->bytes, t->sha256, t->tokens);
    if (!st && t->duplicates.paragraphs)
        st = pcs_buf_printf(b, ", \"paragraphs\": %llu, \"duplicates\": %llu, \"duplicate_bytes\": %llu",
                            (unsigned long long)t->duplicates.paragraphs, (unsigned long long)t->duplicates.again,
                            (unsigned long long)t->duplicates.bytes);
    return st ? st : pcs_buf_printf(b, "}");
}

static precis_status put_texts(const pcs_train_data *d, pcs_buf *b)
{
    const pcs_train_config *c = d->c;
    precis_status st = pcs_buf_printf(b, " \"texts\": [");
    for (size_t i = 0; i < c->n_texts && !st; i++) {
        st = pcs_buf_printf(b, "%s\n  ", i ? "," : "");
        if (!st) st = put_text(b, c->texts[i], &d->of[i]);
    }
    if (!st) st = pcs_buf_printf(b, "],\n \"heldout\": ");
    if (!st) st = c->heldout ? put_text(b, c->heldout, &d->of_held) : pcs_buf_printf(b, "null");
    if (!st && c->heldout)
        st = pcs_buf_printf(b, ",\n \"contamination\": {\"tokens_in_a_row\": %zu, \"rows\": %llu, \"found\": %llu, "
                               "\"share\": %.9g}",
                            d->overlap.length, (unsigned long long)d->overlap.rows,
                            (unsigned long long)d->overlap.found,
                            d->overlap.rows ? (double)d->overlap.found / (double)d->overlap.rows : 0.0);
    return st ? st : pcs_buf_printf(b, ",\n \"tokens\": %zu, \"deduplicated\": %s", d->n_text,
                                    c->deduplicate ? "true" : "false");
}

precis_status pcs_card_write(const pcs_train_data *d, const char *words, pcs_buf *b)
{
    const pcs_train_config *c = d->c;
    precis_status st = pcs_buf_printf(b, "{\"precis\": \"data\", \"version\": 1,\n");
    if (!st && c->language)
        st = pcs_buf_printf(b, " \"language\": {\"seed\": %llu, \"symbols\": %lld}",
                            (unsigned long long)c->language_seed, (long long)c->model.vocabulary);
    else if (!st) st = put_texts(d, b);
    if (!st) st = pcs_buf_printf(b, ",\n \"tokenizer\": ");
    if (!st) st = pcs_json_text(b, words, strlen(words));
    if (!st) st = pcs_buf_printf(b, ", \"vocabulary\": %lld", (long long)c->model.vocabulary);
    if (!st)
        st =
            pcs_buf_printf(b, ",\n \"seen\": {\"tokens\": %llu, \"epochs\": %.6g},\n \"sha256\": \"%s\"}\n",
                           (unsigned long long)(c->steps * c->batch * c->context),
                           d->n_text ? (double)(c->steps * c->batch * c->context) / (double)d->n_text : 0.0, d->sha256);
    return st;
}
