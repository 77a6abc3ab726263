/* wordpiece.c - BERT's tokenizer: text is cleaned, lowered and stripped of accents, cut into words and punctuation,
 * and each word into the longest tokens from the left (Wu et al. 2016; google-research/bert, tokenization.py). */
#include "base/json.h"
#include "text/tokenizer.h"

#include <utf8proc.h>

#define LONGEST 100 /* characters of a word; a longer one is unknown */

/* The normalizer with which such models were trained (the tokenizers package) has the tables of Unicode 8. What
 * came later, or was another kind then, is taken as there; or ids differ. */
static bool is_newer(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        { 0x61d, 0x61d }, { 0x7fd, 0x7fd }, { 0x890, 0x891 }, { 0x898, 0x89f }, { 0x8ca, 0x8e2 }, { 0x9fd, 0x9fe }, { 0xa76, 0xa76 }, { 0xafa, 0xaff
        }, { 0xb55, 0xb55 }, { 0xc04, 0xc04 }, { 0xc3c, 0xc3c }, { 0xc77, 0xc77 }, { 0xc84, 0xc84 }, { 0xd00, 0xd00 }, { 0xd3b, 0xd3c }, { 0xd81,
        0xd81 }, { 0xeba, 0xeba }, { 0x180f, 0x180f }, { 0x1885, 0x1886 }, { 0x1abf, 0x1ace }, { 0x1b7d, 0x1b7e }, { 0x1df6, 0x1dfb }, { 0x2e43,
        0x2e4f }, { 0x2e52, 0x2e5d }, { 0xa82c, 0xa82c }, { 0xa8c5, 0xa8c5 }, { 0xa8ff, 0xa8ff }, { 0xa9bd, 0xa9bd }, { 0x10d24, 0x10d27 }, { 0x10eab,
        0x10ead }, { 0x10f46, 0x10f50 }, { 0x10f55, 0x10f59 }, { 0x10f82, 0x10f89 }, { 0x11070, 0x11070 }, { 0x11073, 0x11074 }, { 0x110c2, 0x110c2 },
        { 0x110cd, 0x110cd }, { 0x111cf, 0x111cf }, { 0x1123e, 0x1123e }, { 0x1133b, 0x1133b }, { 0x11438, 0x1143f }, { 0x11442, 0x11444 }, { 0x11446,
        0x11446 }, { 0x1144b, 0x1144f }, { 0x1145a, 0x1145b }, { 0x1145d, 0x1145e }, { 0x11660, 0x1166c }, { 0x116b9, 0x116b9 }, { 0x1182f, 0x11837 },
        { 0x11839, 0x1183b }, { 0x1193b, 0x1193c }, { 0x1193e, 0x1193e }, { 0x11943, 0x11946 }, { 0x119d4, 0x119d7 }, { 0x119da, 0x119db }, { 0x119e0,
        0x119e0 }, { 0x119e2, 0x119e2 }, { 0x11a01, 0x11a0a }, { 0x11a33, 0x11a38 }, { 0x11a3b, 0x11a47 }, { 0x11a51, 0x11a56 }, { 0x11a59, 0x11a5b },
        { 0x11a8a, 0x11a96 }, { 0x11a98, 0x11a9c }, { 0x11a9e, 0x11aa2 }, { 0x11c30, 0x11c36 }, { 0x11c38, 0x11c3d }, { 0x11c3f, 0x11c3f }, { 0x11c41,
        0x11c45 }, { 0x11c70, 0x11c71 }, { 0x11c92, 0x11ca7 }, { 0x11caa, 0x11cb0 }, { 0x11cb2, 0x11cb3 }, { 0x11cb5, 0x11cb6 }, { 0x11d31, 0x11d36 },
        { 0x11d3a, 0x11d3a }, { 0x11d3c, 0x11d3d }, { 0x11d3f, 0x11d45 }, { 0x11d47, 0x11d47 }, { 0x11d90, 0x11d91 }, { 0x11d95, 0x11d95 }, { 0x11d97,
        0x11d97 }, { 0x11ef3, 0x11ef4 }, { 0x11ef7, 0x11ef8 }, { 0x11fff, 0x11fff }, { 0x12ff1, 0x12ff2 }, { 0x13430, 0x13438 }, { 0x16e97, 0x16e9a },
        { 0x16f4f, 0x16f4f }, { 0x16fe2, 0x16fe2 }, { 0x16fe4, 0x16fe4 }, { 0x1cf00, 0x1cf2d }, { 0x1cf30, 0x1cf46 }, { 0x1e000, 0x1e006 }, { 0x1e008,
        0x1e018 }, { 0x1e01b, 0x1e021 }, { 0x1e023, 0x1e024 }, { 0x1e026, 0x1e02a }, { 0x1e130, 0x1e136 }, { 0x1e2ae, 0x1e2ae }, { 0x1e2ec, 0x1e2ef },
        { 0x1e944, 0x1e94a }, { 0x1e95e, 0x1e95f }
    };
    if (c < ranges[0][0]) return false;
    for (size_t lo = 0, hi = sizeof ranges / sizeof *ranges; lo < hi;) {
        const size_t mid = (lo + hi) / 2;
        if (c > ranges[mid][1]) lo = mid + 1;
        else if (c < ranges[mid][0]) hi = mid;
        else return true;
    }
    return false;
}

static bool is_space(uint32_t c)
{
    static const uint32_t others[] = { '\t', '\n', 0x0b, 0x0c, '\r', 0x85, 0x2028, 0x2029 };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (c == others[i]) return true;
    return c == ' ' || utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ZS;
}

static bool is_control(uint32_t c)
{
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    if (c == '\t' || c == '\n' || c == '\r' || is_newer(c)) return false;
    return k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO ||
           k == UTF8PROC_CATEGORY_CS;
}

static bool is_punctuation(uint32_t c)
{
    const bool ascii = (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
    if (ascii || c == 0x166d || c == 0x111c9) return true;
    if (is_newer(c)) return false;
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

static bool is_chinese(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },   { 0xf900, 0xfaff },   { 0x20000, 0x2a6df },
        { 0x2a700, 0x2b73f }, { 0x2b740, 0x2b81f }, { 0x2b920, 0x2ceaf }, { 0x2f800, 0x2fa1f },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && c >= 0x3400; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1]) return true;
    return false;
}

/* The longest tokens from the left; all of it unknown where one is missing. */
static precis_status emit_word(precis_tokenizer *t, const char *w, size_t n, size_t characters)
{
    static const char mark[] = "\xe2\x96\x81";
    const size_t before = t->n_out;
    precis_status st = PRECIS_OK;
    if (characters > LONGEST) return t->unk >= 0 ? pcs_tokenizer_emit(t, t->unk) : PRECIS_OK;
    for (size_t at = 0; at < n && !st;) {
        uint32_t node = 0, id, found = PCS_NO_TOKEN;
        size_t end = at;
        bool ok = true;
        for (int i = 0; at == 0 && i < 3 && ok; i++) ok = pcs_trie_step(&t->trie, &node, (unsigned char)mark[i], &id);
        for (size_t i = at; i < n && ok; i++) {
            ok = pcs_trie_step(&t->trie, &node, (unsigned char)w[i], &id);
            if (ok && id != PCS_NO_TOKEN) found = id, end = i + 1;
        }
        if (found == PCS_NO_TOKEN) {
            t->n_out = before;
            return t->unk >= 0 ? pcs_tokenizer_emit(t, t->unk) : PRECIS_OK;
        }
        st = pcs_tokenizer_emit(t, (int32_t)found);
        at = end;
    }
    return st;
}

typedef struct { char *w; size_t n, cap, characters; } builder;

static precis_status append(precis_tokenizer *t, builder *b, uint32_t c)
{
    if (b->n + 4 > b->cap) {
        char *grown = pcs_grow(t->ctx, b->w, b->n, b->cap * 2 + 256, 1);
        if (!grown) return PRECIS_ENOMEM;
        b->w = grown;
        b->cap = b->cap * 2 + 256;
    }
    b->n += pcs_utf8_put(c, b->w + b->n);
    b->characters++;
    return PRECIS_OK;
}

static precis_status flush(precis_tokenizer *t, builder *b)
{
    precis_status st = b->n ? pcs_tokenizer_did(t, b->n) : PRECIS_OK;
    if (b->n && !st) st = emit_word(t, b->w, b->n, b->characters);
    b->n = b->characters = 0;
    return st;
}

precis_status pcs_wordpiece(precis_tokenizer *t, const char *p, size_t n)
{
    builder b = { 0 };
    precis_status st = PRECIS_OK;
    for (size_t i = 0, k; i < n && !st; i += k) {
        uint32_t cp;
        k = pcs_utf8(p + i, n - i, &cp);
        if (!k) k = 1, cp = 0xfffd;
        if (cp == 0 || cp == 0xfffd) continue;
        if (is_control(cp)) continue; /* vertical tab, form feed and NEL among them */
        if (is_space(cp)) {
            st = flush(t, &b);
            continue;
        }
        if (is_chinese(cp)) st = flush(t, &b);
        /* compatibility is left alone; marks that decomposition sets free are dropped */
        utf8proc_int32_t parts[32];
        int last = 0;
        utf8proc_ssize_t count = utf8proc_decompose_char((utf8proc_int32_t)cp, parts, 32, UTF8PROC_DECOMPOSE, &last);
        if (count < 1 || count > 32) parts[0] = (utf8proc_int32_t)cp, count = 1;
        for (utf8proc_ssize_t c = 0; c < count && !st; c++) {
            const uint32_t part = (uint32_t)parts[c];
            const bool mark = utf8proc_category(parts[c]) == UTF8PROC_CATEGORY_MN && part != 0x111c9 && !is_newer(part);
            if (part == 0x1734 || mark) continue;

            const uint32_t low = parts[c] == 0x130 ? 'i' : (uint32_t)utf8proc_tolower(parts[c]);
            if (is_punctuation(low)) {
                st = flush(t, &b);
                if (!st) st = append(t, &b, low);
                if (!st) st = flush(t, &b);
            } else st = append(t, &b, low);
        }
        if (!st && is_chinese(cp)) st = flush(t, &b);
    }
    if (!st) st = flush(t, &b);
    pcs_free(t->ctx, b.w);
    return st;
}
