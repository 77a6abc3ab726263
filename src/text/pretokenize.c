/* pretokenize.c - the known pre-tokenizers as scanners: one pass, no backtracking.
 *
 * The patterns they stand for (\s is Unicode's White_Space):
 *   gpt2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *   llama3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+
 *           |\s+(?!\S)|\s+
 *   qwen2   the same with \p{N} for \p{N}{1,3}
 *   tekken  [^\r\n\p{L}\p{N}]?U*L+|[^\r\n\p{L}\p{N}]?U+L*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *           with U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and L = [\p{Ll}\p{Lm}\p{Lo}\p{M}]
 *   gpt-4o  the same with \p{N}{1,3}, and (?i:'s|'t|'re|'ve|'m|'ll|'d)? after the first and the second */
#include "base/json.h"
#include "text/tokenizer.h"

#include <strings.h>
#include <utf8proc.h>

typedef enum { LETTER, NUMBER, SPACE, OTHER, END } kind;

/* Kind and bytes of the character at p; a byte that is no UTF-8 is OTHER. */
static kind look(const char *p, size_t n, size_t *len)
{
    if (!n) {
        *len = 0;
        return END;
    }
    const unsigned char c = (unsigned char)*p;
    *len = 1;
    if (c < 0x80) {
        if ((c | 32) >= 'a' && (c | 32) <= 'z') return LETTER;
        if (c >= '0' && c <= '9') return NUMBER;
        return c == ' ' || (c >= 9 && c <= 13) ? SPACE : OTHER;
    }
    uint32_t cp;
    const size_t k = pcs_utf8(p, n, &cp);
    if (!k) return OTHER;
    *len = k;
    if (cp == 0x85) return SPACE;
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
        return LETTER;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO: return NUMBER;
    case UTF8PROC_CATEGORY_ZS: case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP: return SPACE;
    default: return OTHER;
    }
}

size_t pcs_digit(const char *text, size_t n)
{
    size_t len;
    return look(text, n, &len) == NUMBER ? len : 0;
}

static size_t span(const char *text, size_t n, size_t at, kind want)
{
    size_t len;
    while (look(text + at, n - at, &len) == want) at += len;
    return at;
}

/* Bytes of a contraction ('s 't 're 've 'm 'll 'd) or 0. Without case, U+017F folds to s. */
static size_t contraction(const char *t, size_t n, bool any_case)
{
    if (n < 2 || *t != '\'') return 0;
    if (any_case && n >= 3 && !memcmp(t + 1, "\xc5\xbf", 2)) return 3;
    const char a = any_case && t[1] >= 'A' && t[1] <= 'Z' ? (char)(t[1] | 32) : t[1];
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (n < 3) return 0;
    const char b = any_case && t[2] >= 'A' && t[2] <= 'Z' ? (char)(t[2] | 32) : t[2];
    return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

enum { UPPER = 1, LOWER = 2 }; /* U and L of tekken's pattern; letters without case, and marks, are of both */

static unsigned cases(const char *p, size_t n, size_t *len)
{
    *len = 1;
    if (!n) return 0;
    const unsigned char c = (unsigned char)*p;
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? UPPER : c >= 'a' && c <= 'z' ? LOWER : 0;
    uint32_t cp;
    const size_t k = pcs_utf8(p, n, &cp);
    if (!k) return 0;
    *len = k;
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LT: return UPPER;
    case UTF8PROC_CATEGORY_LL: return LOWER;
    case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME: return UPPER | LOWER;
    default: return 0;
    }
}

/* The end of U*L+ from `at`, or `at` when that is not there; *upper: the end of U+. U* gives back as little as it can,
 * so what it gives back is its last character of both kinds. */
static size_t cased_word(const char *text, size_t n, size_t at, size_t *upper)
{
    size_t len, both = at;
    unsigned c;
    while ((c = cases(text + at, n - at, &len)) & UPPER) {
        at += len;
        if (c & LOWER) both = at;
    }
    *upper = at;
    if (c != LOWER) return both;
    while (cases(text + at, n - at, &len) & LOWER) at += len;
    return at;
}

/* White space from 0: all of it at the end of the text, all but its last character before something else. */
static size_t white(const char *text, size_t n)
{
    size_t at = 0, last = 0, len;
    while (look(text + at, n - at, &len) == SPACE) last = at, at += len;
    return at == n || !last ? at : last;
}

static size_t next_gpt2(const char *text, size_t n)
{
    const size_t c = contraction(text, n, false);
    if (c) return c;
    size_t len;
    kind k = look(text, n, &len);
    size_t skip = 0;
    if (*text == ' ' && n > 1) {
        const kind after = look(text + 1, n - 1, &len);
        if (after != SPACE) k = after, skip = 1;
    }
    return k == SPACE ? white(text, n) : span(text, n, skip, k);
}

/* What is no letter: numbers, so many at a time; signs, with a blank before them and one of `ends` behind; white space
 * up to its last line end. */
static size_t no_letter(const char *text, size_t n, int digits, const char *ends)
{
    size_t len, second;
    const kind k = look(text, n, &len);
    if (k == NUMBER) {
        size_t at = len;
        for (int i = 1; i < digits && look(text + at, n - at, &len) == NUMBER; i++) at += len;
        return at;
    }
    if (k == OTHER || (*text == ' ' && look(text + 1, n - 1, &second) == OTHER)) {
        size_t at = span(text, n, k == OTHER ? 0 : 1, OTHER);
        while (at < n && text[at] && strchr(ends, text[at])) at++;
        return at;
    }
    size_t at = 0, line = 0;
    while (look(text + at, n - at, &len) == SPACE) {
        at += len;
        if (text[at - 1] == '\r' || text[at - 1] == '\n') line = at;
    }
    return line ? line : white(text, n);
}

static size_t next_llama3(const char *text, size_t n, int digits)
{
    const size_t c = contraction(text, n, true);
    if (c) return c;
    size_t len, second;
    const kind k = look(text, n, &len);
    if (k == LETTER) return span(text, n, 0, LETTER);
    /* One character before letters goes with them. */
    const bool may_lead = k != NUMBER && *text != '\r' && *text != '\n';
    if (may_lead && look(text + len, n - len, &second) == LETTER) return span(text, n, len, LETTER);
    return no_letter(text, n, digits, "\r\n");
}

/* digits: in a number; endings: a contraction belongs to the word before it. */
static size_t next_cased(const char *text, size_t n, int digits, bool endings)
{
    size_t len, upper, end = 0;
    const kind k = look(text, n, &len);
    const bool may_lead = k != LETTER && k != NUMBER && *text != '\r' && *text != '\n';
    /* U*L+ with a character before it, or without; then U+L*, which U*L+ has left capitals alone to */
    if (may_lead && (end = cased_word(text, n, len, &upper)) == len) end = 0;
    const size_t capitals = may_lead && !end && upper > len ? upper : 0;
    if (!end) end = cased_word(text, n, 0, &upper);
    if (!end) end = capitals ? capitals : upper;
    if (!end) return no_letter(text, n, digits, "\r\n/");
    return end + (endings ? contraction(text + end, n - end, true) : 0);
}

static size_t next_tekken(const char *text, size_t n) { return next_cased(text, n, 1, false); }
static size_t next_gpt4o(const char *text, size_t n) { return next_cased(text, n, 3, true); }

static size_t next_llama3_3(const char *text, size_t n) { return next_llama3(text, n, 3); }
static size_t next_llama3_1(const char *text, size_t n) { return next_llama3(text, n, 1); }

static const pcs_pretokenizer table[] = {
    { "gpt-2", next_gpt2, false, false, false, false },
    { "gpt2", next_gpt2, false, false, false, false },
    { "default", next_gpt2, false, false, false, false },
    { "smollm", next_gpt2, true, false, false, false },
    { "starcoder", next_gpt2, true, false, false, false },
    { "llama-bpe", next_llama3_3, false, true, false, true },
    { "llama3", next_llama3_3, false, true, false, true },
    { "llama-v3", next_llama3_3, false, true, false, true },
    { "qwen2", next_llama3_1, false, false, true, false },
    { "tekken", next_tekken, false, true, false, true },
    { "gpt-4o", next_gpt4o, false, false, false, false },
    { 0 },
};

const pcs_pretokenizer *pcs_pretokenizer_by_name(const char *name)
{
    for (const pcs_pretokenizer *p = table; p->name; p++)
        if (!strcmp(p->name, name)) return p;
    return NULL;
}
