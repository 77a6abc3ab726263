/* nfc.c - canonical composition. utf8proc has the tables and composes; the ordering of combining marks is done
 * here, by counting, because the library's takes quadratic time on long runs of them. */
#include "base/json.h"
#include "text/tokenizer.h"

#include <utf8proc.h>

/* Combining marks that came after Unicode 9. The normalizer with which such models were trained (the tokenizers
 * package) has Unicode 9's tables and takes them for starters; so must we, or ids differ. They are put aside as
 * PLACE, which is a starter that composes with nothing, and come back in order. */
#define PLACE 0x10fffe

static bool newer(uint32_t cp)
{
    static const uint32_t ranges[][2] = {
        { 0x7fd, 0x7fd }, { 0x898, 0x89f }, { 0x8ca, 0x8d3 }, { 0x9fe, 0x9fe }, { 0xc3c, 0xc3c }, { 0xd3b, 0xd3c }, { 0xeba, 0xeba }, { 0xece, 0xece },
        { 0x1715, 0x1715 }, { 0x1abf, 0x1ace }, { 0x1df6, 0x1dfa }, { 0xa82c, 0xa82c }, { 0x10d24, 0x10d27 }, { 0x10eab, 0x10eac },
        { 0x10efd, 0x10eff }, { 0x10f46, 0x10f50 }, { 0x10f82, 0x10f85 }, { 0x11070, 0x11070 }, { 0x1133b, 0x1133b }, { 0x1145e, 0x1145e },
        { 0x11839, 0x1183a }, { 0x1193d, 0x1193e }, { 0x11943, 0x11943 }, { 0x119e0, 0x119e0 }, { 0x11a34, 0x11a34 }, { 0x11a47, 0x11a47 },
        { 0x11a99, 0x11a99 }, { 0x11d42, 0x11d42 }, { 0x11d44, 0x11d45 }, { 0x11d97, 0x11d97 }, { 0x11f41, 0x11f42 }, { 0x16ff0, 0x16ff1 },
        { 0x1e130, 0x1e136 }, { 0x1e2ae, 0x1e2ae }, { 0x1e2ec, 0x1e2ef }, { 0x1e4ec, 0x1e4ef }
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (cp >= ranges[i][0] && cp <= ranges[i][1]) return true;
    return false;
}

/* Below U+0300 every text is composed already. */
static bool plain(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] >= 0xcc) return false;
    return true;
}

/* Stable order by combining class of marks [0, n), none of class 0. */
static void order_marks(utf8proc_int32_t *cp, utf8proc_int32_t *tmp, size_t n)
{
    size_t count[257] = { 0 };
    bool sorted = true;
    int last = 0;
    for (size_t i = 0; i < n; i++) {
        const int c = utf8proc_get_property(cp[i])->combining_class & 255;
        sorted &= c >= last;
        last = c;
        count[c + 1]++;
    }
    if (sorted) return;
    for (int c = 1; c < 257; c++) count[c] += count[c - 1];
    for (size_t i = 0; i < n; i++) tmp[count[utf8proc_get_property(cp[i])->combining_class & 255]++] = cp[i];
    memcpy(cp, tmp, n * sizeof *cp);
}

/* Decomposed, ordered and composed: valid code points only. Returns how many. */
static size_t compose(utf8proc_int32_t *cp, utf8proc_int32_t *tmp, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t e = i;
        while (e < n && utf8proc_get_property(cp[e])->combining_class) e++;
        if (e > i + 1) order_marks(cp + i, tmp, e - i);
        i = e + 1;
    }
    const utf8proc_ssize_t r = utf8proc_normalize_utf32(cp, (utf8proc_ssize_t)n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return r < 0 ? n : (size_t)r;
}

precis_status pcs_nfc(precis_ctx *ctx, const char *text, size_t n, char **out, size_t *out_n)
{
    *out = NULL;
    if (plain(text, n)) return PRECIS_OK;
    /* A character of k bytes decomposes into at most 4 code points; a code point needs at most 4 bytes. */
    size_t need = 0;
    for (size_t i = 0; i < n; i++) need += ((unsigned char)text[i] & 0xc0) != 0x80;
    utf8proc_int32_t *cp = pcs_grow(ctx, NULL, 0, 4 * need + 8, sizeof *cp);
    utf8proc_int32_t *tmp = pcs_grow(ctx, NULL, 0, 4 * need + 8, sizeof *tmp);
    uint32_t *aside = pcs_grow(ctx, NULL, 0, need + 1, sizeof *aside);
    char *utf8 = pcs_grow(ctx, NULL, 0, 3 * n + 16, 1);
    if (!cp || !tmp || !utf8 || !aside) {
        pcs_free(ctx, aside);
        pcs_free(ctx, cp);
        pcs_free(ctx, tmp);
        pcs_free(ctx, utf8);
        return PRECIS_ENOMEM;
    }
    size_t at = 0;
    for (size_t i = 0; i < n;) {
        size_t count = 0, n_aside = 0, back = 0;
        uint32_t c;
        for (size_t k; i < n && (k = pcs_utf8(text + i, n - i, &c)); i += k) {
            int boundary = 0;
            if (newer(c) || c == PLACE) {
                aside[n_aside++] = c;
                cp[count++] = PLACE;
                continue;
            }
            const utf8proc_ssize_t r = utf8proc_decompose_char((utf8proc_int32_t)c, cp + count, 4,
                                                               UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, &boundary);
            if (r >= 1 && r <= 4) count += (size_t)r;
            else cp[count++] = (utf8proc_int32_t)c;
        }
        count = compose(cp, tmp, count);
        for (size_t k = 0; k < count; k++) {
            char four[4];
            const size_t len = pcs_utf8_put(cp[k] == PLACE ? aside[back++] : (uint32_t)cp[k], four);
            if (at + len <= 3 * n + 16) memcpy(utf8 + at, four, len), at += len;
        }
        if (i < n) utf8[at++] = text[i++]; /* no UTF-8: passes */
    }
    pcs_free(ctx, cp);
    pcs_free(ctx, tmp);
    pcs_free(ctx, aside);
    *out = utf8;
    *out_n = at;
    return PRECIS_OK;
}
