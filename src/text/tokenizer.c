/* tokenizer.c - text to ids: specials are cut out, pieces are found, symbols merge. */
#include "text/tokenizer.h"

#include "base/json.h"
#include "base/stop.h"

#include <utf8proc.h>

static precis_status room(precis_tokenizer *t, size_t n)
{
    if (n <= t->cap_piece) return PRECIS_OK;
    pcs_free(t->ctx, t->piece);
    t->cap_piece = 0;
    if (!(t->piece = pcs_grow(t->ctx, NULL, 0, n + 64, sizeof *t->piece))) return PRECIS_ENOMEM;
    t->cap_piece = n + 64;
    return PRECIS_OK;
}

/* ---- byte-level BPE --------------------------------------------------------------------------- */

static precis_status bpe_piece(precis_tokenizer *t, const char *p, size_t n)
{
    uint32_t id;
    precis_status st = pcs_tokenizer_did(t, n);
    if (st == PRECIS_OK && t->whole && pcs_map_get(&t->map, p, n, &id)) return pcs_tokenizer_emit(t, (int32_t)id);
    if (st == PRECIS_OK) st = room(t, n);
    size_t count = 0;
    for (size_t i = 0; i < n && st == PRECIS_OK; i++)
        if (t->byte[(unsigned char)p[i]] != PCS_NO_TOKEN) t->piece[count++] = t->byte[(unsigned char)p[i]];
    if (st == PRECIS_OK) st = pcs_merge(&t->merges, t->piece, &count);
    for (size_t i = 0; i < count && st == PRECIS_OK; i++) st = pcs_tokenizer_emit(t, (int32_t)t->piece[i]);
    return st;
}

static precis_status bpe_span(precis_tokenizer *t, const char *p, size_t n)
{
    precis_status st = PRECIS_OK;
    for (size_t k; n && st == PRECIS_OK; p += k, n -= k) {
        k = t->pre->next(p, n);
        st = bpe_piece(t, p, k);
    }
    return st;
}

static precis_status bpe_text(precis_tokenizer *t, const char *p, size_t n)
{
    char *normal = NULL;
    precis_status st = t->nfc ? pcs_nfc(t->ctx, p, n, &normal, &n) : PRECIS_OK;
    if (normal) p = normal;
    if (st == PRECIS_OK && !t->pre->digits) st = bpe_span(t, p, n);
    else if (st == PRECIS_OK) {
        size_t from = 0;
        for (size_t i = 0, k; i < n && st == PRECIS_OK; i += k ? k : 1) {
            const unsigned char c = (unsigned char)p[i];
            if (c < 0x80) k = c >= '0' && c <= '9';
            else k = (c & 0xc0) == 0x80 ? 0 : pcs_digit(p + i, n - i);
            if (!k) continue;
            st = bpe_span(t, p + from, i - from);
            if (st == PRECIS_OK) st = bpe_piece(t, p + i, k);
            from = i + k;
        }
        if (st == PRECIS_OK) st = bpe_span(t, p + from, n - from);
    }
    pcs_free(t->ctx, normal);
    return st;
}

/* ---- SentencePiece BPE ------------------------------------------------------------------------ */

static const char space_mark[] = "\xe2\x96\x81"; /* U+2581 */

/* Symbols are characters; one without a token is kept as n_symbols + its place in the text. */
static precis_status spm_text(precis_tokenizer *t, const char *p, size_t n, bool prefix)
{
    size_t count = 0;
    precis_status st = room(t, n + 1);
    if (st != PRECIS_OK) return st;
    uint32_t mark = PCS_NO_TOKEN;
    pcs_map_get(&t->map, space_mark, 3, &mark);
    const uint32_t base = t->n_symbols;
    if (prefix) t->piece[count++] = mark == PCS_NO_TOKEN ? base : mark;
    st = pcs_tokenizer_did(t, n);
    for (size_t i = 0, k; i < n && st == PRECIS_OK; i += k) {
        uint32_t cp, id;
        k = pcs_utf8(p + i, n - i, &cp);
        if (!k) k = 1;
        if (p[i] == ' ') id = mark == PCS_NO_TOKEN ? base + (uint32_t)i + 1 : mark;
        else if (!pcs_map_get(&t->map, p + i, k, &id)) id = base + (uint32_t)i + 1;
        t->piece[count++] = id;
    }
    if (st == PRECIS_OK) st = pcs_merge(&t->merges, t->piece, &count);
    for (size_t i = 0; i < count && st == PRECIS_OK; i++) {
        const uint32_t id = t->piece[i];
        if (id < t->n && t->type[id] != PCS_TOKEN_UNUSED) {
            st = pcs_tokenizer_emit(t, (int32_t)id);
            continue;
        }
        /* It is no token: its bytes are, or it is unknown. Ids from `base` on are places in the text. */
        uint32_t cp;
        const char *bytes = space_mark;
        size_t k = 3;
        if (id < base) bytes = t->text[id].s, k = t->text[id].len;
        else if (id > base && p[id - base - 1] != ' ') {
            bytes = p + (id - base - 1);
            k = pcs_utf8(bytes, n - (size_t)(bytes - p), &cp);
        }
        if (!k) k = 1;
        bool known = true;
        for (size_t b = 0; b < k; b++) known &= t->byte[(unsigned char)bytes[b]] != PCS_NO_TOKEN;
        for (size_t b = 0; known && b < k && st == PRECIS_OK; b++)
            st = pcs_tokenizer_emit(t, (int32_t)t->byte[(unsigned char)bytes[b]]);
        if (!known && t->unk >= 0) st = pcs_tokenizer_emit(t, t->unk);
    }
    return st;
}

/* Few models of this kind normalize: blanks are then marked, and the prefix is there, before pieces are looked for. */
static precis_status spm_normal(precis_tokenizer *t, const char *p, size_t n, bool first)
{
    pcs_normal b = { 0 };
    if (!t->charsmap && !t->squeeze) return spm_text(t, p, n, first && t->add_space && n);
    precis_status st = pcs_normalize(t, p, n, first, &b);
    if (st == PRECIS_OK) st = spm_text(t, b.s, b.n, false);
    pcs_free(t->ctx, b.s);
    return st;
}

/* ---- specials --------------------------------------------------------------------------------- */

static size_t special_at(const precis_tokenizer *t, const char *p, size_t n, unsigned flags, uint32_t *id)
{
    if (!t->special_first[(unsigned char)*p]) return 0;
    for (const uint16_t *len = t->special_len; *len; len++) {
        if (*len > n || !pcs_map_get(&t->special, p, *len, id)) continue;
        if (flags & PRECIS_TEXT_PARSE || t->type[*id] == PCS_TOKEN_USER) return *len;
    }
    return 0;
}

#define GUARD 0xff

/* Text between special tokens; guards are dropped. */
static precis_status encode_span(precis_tokenizer *t, const char *p, size_t n, bool first, unsigned flags)
{
    char *clean = NULL;
    if (flags & PRECIS_TEXT_GUARD && memchr(p, GUARD, n)) {
        if (!(clean = pcs_grow(t->ctx, NULL, 0, n, 1))) return PRECIS_ENOMEM;
        size_t k = 0;
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)p[i] != GUARD) clean[k++] = p[i];
        p = clean;
        n = k;
    }
    const precis_status st = t->kind == PCS_SPM         ? spm_normal(t, p, n, first)
                             : t->kind == PCS_WORDPIECE ? pcs_wordpiece(t, p, n)
                             : t->kind == PCS_UNIGRAM   ? pcs_unigram(t, p, n, first)
                                                        : bpe_text(t, p, n);
    pcs_free(t->ctx, clean);
    return st;
}

size_t precis_text_whole(const char *text, size_t n)
{
    size_t back = 0;
    while (back < n && back < 3 && ((unsigned char)text[n - 1 - back] & 0xc0) == 0x80) back++;
    if (back == n) return n;
    const unsigned char lead = (unsigned char)text[n - 1 - back];
    const size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return need > back + 1 ? n - 1 - back : n;
}

precis_status precis_tokenizer_guard(precis_tokenizer *t, const char *text, char **out)
{
    const size_t len = strlen(text);
    *out = NULL;
    char *p = len < (size_t)1 << 30 ? pcs_alloc(t->ctx, 2 * len + 1, 1) : NULL;
    if (!p) return PRECIS_ENOMEM;
    size_t k = 0;
    for (size_t i = 0; i < len; i++) {
        uint32_t id;
        if ((unsigned char)text[i] == GUARD) continue;
        p[k++] = text[i];
        const bool special = special_at(t, text + i, len - i, PRECIS_TEXT_PARSE, &id) != 0;
        if (special && t->type[id] != PCS_TOKEN_USER) p[k++] = (char)GUARD; /* a user's tokens are found in any text */
    }
    *out = p;
    return PRECIS_OK;
}

/* ---- settings of added tokens -------------------------------------------------------------------------- */

/* \s and \w of the tokenizers package's patterns. */
static bool blank(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool word(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    default: return c == 0x200c || c == 0x200d;
    }
}

/* The character that ends at p; text begins at `from`. */
static size_t before(const char *from, const char *p, uint32_t *c)
{
    size_t k = 1;
    if (p == from) return 0;
    while (k < 4 && p - k > from && ((unsigned char)p[-(ptrdiff_t)k] & 0xc0) == 0x80) k++;
    return pcs_utf8(p - k, k, c) == k ? k : 0;
}

/* What a special token takes of the text: its own bytes, and the blanks before and after it that its settings strip. */
typedef struct {
    size_t last;     /* the end of the token before, whose blanks are its own */
    size_t from, to; /* first the token's bytes, then with the blanks */
} extent;

/* False when the token must be a word of its own and is none. */
static bool extend(const precis_tokenizer *t, uint32_t id, pcs_text text, extent *e)
{
    const uint8_t flags = id < t->n_flags ? t->flags[id] : 0;
    const char *s = text.s;
    uint32_t c;
    size_t k;
    if (flags & PCS_ADDED_WORD) {
        if (before(s, s + e->from, &c) && word(c)) return false;
        if (e->to < text.len && pcs_utf8(s + e->to, text.len - e->to, &c) && word(c)) return false;
    }
    while (flags & PCS_ADDED_LSTRIP && e->from > e->last && (k = before(s + e->last, s + e->from, &c)) && blank(c))
        e->from -= k;
    while (flags & PCS_ADDED_RSTRIP && e->to < text.len && (k = pcs_utf8(s + e->to, text.len - e->to, &c)) && blank(c))
        e->to += k;
    return true;
}

static precis_status encode(precis_tokenizer *t, const char *text, size_t len, unsigned flags)
{
    precis_status st = flags & PRECIS_TEXT_ADD && t->add_bos && t->bos >= 0 ? pcs_tokenizer_emit(t, t->bos) : PRECIS_OK;
    bool first = true; /* nothing, or a special token, stands before this text */
    size_t from = 0;
    for (size_t i = 0; i <= len && st == PRECIS_OK;) {
        uint32_t id = 0;
        const size_t k = i < len ? special_at(t, text + i, len - i, flags, &id) : 0;
        extent e = { .last = from, .from = i, .to = i + k };
        if ((!k && i < len) || (k && !extend(t, id, (pcs_text){ text, len }, &e))) {
            i += k ? k : 1;
            continue;
        }
        if (e.from > from) {
            st = encode_span(t, text + from, e.from - from, first, flags);
            first = false;
        }
        if (k && st == PRECIS_OK) {
            st = pcs_tokenizer_emit(t, (int32_t)id);
            if (st == PRECIS_OK) st = pcs_tokenizer_did(t, k);
            first = t->type[id] == PCS_TOKEN_CONTROL;
        }
        i = k ? e.to : i + 1;
        from = i;
    }
    if (st == PRECIS_OK && flags & PRECIS_TEXT_ADD && t->add_eos && t->eos >= 0) st = pcs_tokenizer_emit(t, t->eos);
    return st;
}

precis_status precis_tokenizer_encode(precis_tokenizer *t, const char *text, size_t len, unsigned flags, int32_t **ids,
                                      size_t *n)
{
    *ids = NULL;
    *n = 0;
    if (len >= (size_t)1 << 30)
        return pcs_fail(t->ctx, PRECIS_EINVAL, "a text of %zu bytes; split it below 1 GiB", len);
    t->out = NULL;
    t->n_out = t->cap_out = 0;
    t->seen = 0;
    t->length = (uint64_t)len + 1;
    precis_status st = encode(t, text, len, flags);
    if (st == PRECIS_OK && t->seen >> 20)
        st = pcs_progress(t->ctx, "tokenize", t->length, t->length); /* it has been begun */
    if (st == PRECIS_OK && !t->out) st = (t->out = pcs_alloc(t->ctx, 1, sizeof *t->out)) ? PRECIS_OK : PRECIS_ENOMEM;
    if (st != PRECIS_OK) pcs_free(t->ctx, t->out);
    else *ids = t->out, *n = t->n_out;
    t->out = NULL;
    return st;
}

void precis_ids_free(precis_tokenizer *t, int32_t *ids) { pcs_free(t->ctx, ids); }

const char *precis_tokenizer_piece(precis_tokenizer *t, int32_t id, int special, size_t *len)
{
    *len = 0;
    if (id < 0 || (uint32_t)id >= t->n) return "";
    const uint8_t type = t->type[id];
    if ((type == PCS_TOKEN_CONTROL || type == PCS_TOKEN_UNKNOWN) && !special) return "";
    *len = t->text[id].len;
    return t->text[id].s;
}

uint32_t precis_tokenizer_size(const precis_tokenizer *t) { return t->n; }
int32_t precis_tokenizer_bos(const precis_tokenizer *t) { return t->bos; }
int32_t precis_tokenizer_eos(const precis_tokenizer *t) { return t->eos; }

int precis_tokenizer_ends(const precis_tokenizer *t, int32_t id)
{
    static const char *const ends[] = { "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>",
                                        "<end_of_turn>", "</s>", "<eos>" };
    if (id < 0 || (uint32_t)id >= t->n) return 0;
    for (size_t i = 0; i < t->n_ends; i++)
        if (t->ends[i] == id) return 1;
    if (t->type[id] != PCS_TOKEN_CONTROL && t->type[id] != PCS_TOKEN_USER) return 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (t->text[id].len == strlen(ends[i]) && !memcmp(t->text[id].s, ends[i], t->text[id].len)) return 1;
    return 0;
}
