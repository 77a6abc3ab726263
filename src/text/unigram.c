/* unigram.c - SentencePiece's unigram model: the text is normalized by the model's character map and
 * cut where the sum of scores is largest (Kudo 2018, section 3.2; google/sentencepiece,
 * unigram_model.cc and normalizer.cc for what scores and blanks mean). */
#include "base/json.h"
#include "base/f16.h"
#include "text/tokenizer.h"

static const char mark[] = "\xe2\x96\x81";

/* ---- normalization --------------------------------------------------------------------------------------------- */

/* The map is a double array (darts-clone) of words, then texts that end in NUL. */
static uint32_t unit_offset(uint32_t u) { return (u >> 10) << ((u & (1u << 9)) >> 6); }
static uint32_t unit_label(uint32_t u) { return u & (1u << 31 | 0xff); }

static size_t mapped(const precis_tokenizer *t, const char *p, size_t n, const char **out, size_t *out_n)
{
    uint32_t cp;
    if (t->charsmap_units) {
        uint32_t node = unit_offset(pcs_load32(t->charsmap));
        size_t best = 0;
        uint32_t value = 0;
        for (size_t i = 0; i < n; i++) {
            node ^= (unsigned char)p[i];
            if (node >= t->charsmap_units) break;
            const uint32_t u = pcs_load32(t->charsmap + 4 * (size_t)node);
            if (unit_label(u) != (unsigned char)p[i]) break;
            node ^= unit_offset(u);
            if (node >= t->charsmap_units) break;
            if (u >> 8 & 1) best = i + 1, value = pcs_load32(t->charsmap + 4 * (size_t)node) & 0x7fffffff;
        }
        if (best && value < t->charsmap_text) {
            *out = (const char *)t->charsmap + 4 * (size_t)t->charsmap_units + value;
            *out_n = strnlen(*out, t->charsmap_text - value);
            return best;
        }
    }
    const size_t k = pcs_utf8(p, n, &cp);
    *out = k ? p : "\xef\xbf\xbd";
    *out_n = k ? k : 3;
    return k ? k : 1;
}

static precis_status put(precis_tokenizer *t, pcs_normal *b, const char *s, size_t n)
{
    if (b->n + n > b->cap) {
        char *grown = pcs_grow(t->ctx, b->s, b->n, (b->n + n) * 2 + 64, 1);
        if (!grown) return PRECIS_ENOMEM;
        b->s = grown;
        b->cap = (b->n + n) * 2 + 64;
    }
    memcpy(b->s + b->n, s, n);
    b->n += n;
    return PRECIS_OK;
}

precis_status pcs_normalize(precis_tokenizer *t, const char *p, size_t n, bool first, pcs_normal *b)
{
    precis_status st = PRECIS_OK;
    bool space = t->squeeze;
    size_t i = 0;
    const char *s;
    size_t k;
    while (t->squeeze && i < n) { /* blanks at the start */
        const size_t used = mapped(t, p + i, n - i, &s, &k);
        if (k != 1 || *s != ' ') break;
        i += used;
    }
    if (i == n) return PRECIS_OK;
    if (first && t->add_space) st = put(t, b, mark, 3);
    while (i < n && !st) {
        i += mapped(t, p + i, n - i, &s, &k);
        while (space && k && *s == ' ') s++, k--;
        for (size_t c = 0; c < k && !st; c++) st = s[c] == ' ' ? put(t, b, mark, 3) : put(t, b, s + c, 1);
        if (k) space = t->squeeze && s[k - 1] == ' ';
    }
    while (t->squeeze && b->n >= 3 && !memcmp(b->s + b->n - 3, mark, 3)) b->n -= 3;
    return st;
}

/* ---- the best cut ------------------------------------------------------------------------------------------------ */

typedef struct { uint32_t id; size_t from; float score; } best;

static precis_status unknown(precis_tokenizer *t, const char *s, size_t n, bool *fused)
{
    bool known = true;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < n; i++) known &= t->byte[(unsigned char)s[i]] != PCS_NO_TOKEN;
    for (size_t i = 0; i < n && known && !st; i++) st = pcs_tokenizer_emit(t, (int32_t)t->byte[(unsigned char)s[i]]);
    if (known) return st;
    if (!*fused && t->unk >= 0) st = pcs_tokenizer_emit(t, t->unk); /* unknown characters in a row are one token */
    *fused = true;
    return st;
}

precis_status pcs_unigram(precis_tokenizer *t, const char *p, size_t n, bool first)
{
    pcs_normal b = { 0 };
    precis_status st = pcs_normalize(t, p, n, first, &b);
    best *at = st ? NULL : pcs_grow(t->ctx, NULL, 0, b.n + 1, sizeof *at);
    size_t *cuts = st ? NULL : pcs_grow(t->ctx, NULL, 0, b.n + 1, sizeof *cuts);
    if (!st && (!at || !cuts)) st = PRECIS_ENOMEM;
    for (size_t i = 0; i <= b.n && !st; i++) at[i] = (best){ PCS_NO_TOKEN, SIZE_MAX, 0 };
    size_t seen = 0;
    if (!st) st = pcs_tokenizer_did(t, n);
    for (size_t i = 0, k; i < b.n && !st; i += k) {
        uint32_t cp, node = 0, id;
        if (i >> 20 != seen >> 20) seen = i, st = pcs_progress(t->ctx, "tokenize", i, b.n);
        k = pcs_utf8(b.s + i, b.n - i, &cp);
        if (!k) k = 1;
        bool single = false;
        const float here = at[i].score;
        for (size_t e = i; e < b.n && pcs_trie_step(&t->trie, &node, (unsigned char)b.s[e], &id); e++) {
            if (id == PCS_NO_TOKEN) continue;
            const float score = t->scores[id] + here;
            if (at[e + 1].from == SIZE_MAX || score > at[e + 1].score) at[e + 1] = (best){ id, i, score };
            single |= e + 1 - i == k;
        }
        if (!single) {
            const float score = t->unknown_score + here;
            if (at[i + k].from == SIZE_MAX || score > at[i + k].score) at[i + k] = (best){ PCS_NO_TOKEN, i, score };
        }
    }
    size_t count = 0;
    for (size_t e = b.n; e && !st; e = at[e].from) cuts[count++] = e;
    bool fused = false;
    while (count && !st) {
        const size_t e = cuts[--count];
        if (at[e].id == PCS_NO_TOKEN) st = unknown(t, b.s + at[e].from, e - at[e].from, &fused);
        else {
            st = pcs_tokenizer_emit(t, (int32_t)at[e].id);
            fused = false;
        }
    }
    pcs_free(t->ctx, b.s);
    pcs_free(t->ctx, at);
    pcs_free(t->ctx, cuts);
    return st;
}
