/* input.c - is a file text? Text that is read as something else gives figures that look right: a perplexity of UTF-16,
 * or of a compressed file. */
#include "base/file.h"
#include "base/json.h"

#include <fcntl.h>
#include <unistd.h>

enum { HEAD = 4096 };

/* What begins a file that is no text. Longer beginnings first where one begins with another. */
static const struct { const char *magic; size_t len; const char *is, *remedy; } known[] = {
    { "\xff\xfe\0\0", 4, "UTF-32 text", "iconv -f UTF-32 -t UTF-8" },
    { "\0\0\xfe\xff", 4, "UTF-32 text", "iconv -f UTF-32 -t UTF-8" },
    { "\xff\xfe", 2, "UTF-16 text", "iconv -f UTF-16 -t UTF-8" },
    { "\xfe\xff", 2, "UTF-16 text", "iconv -f UTF-16 -t UTF-8" },
    { "\x1f\x8b", 2, "compressed by gzip", "gzip -dc" },
    { "\x28\xb5\x2f\xfd", 4, "compressed by zstd", "zstd -dc" },
    { "\xfd" "7zXZ\0", 6, "compressed by xz", "xz -dc" },
    { "BZh91AY&SY", 10, "compressed by bzip2", "bzip2 -dc" },
    { "\x04\x22\x4d\x18", 4, "compressed by lz4", "lz4 -dc" },
    { "7z\xbc\xaf\x27\x1c", 6, "a 7z archive", "7z x -so" },
    { "PK\3\4", 4, "a zip archive (or a document in one: docx, xlsx, odt, epub)", "unzip -p" },
    { "PK\5\6", 4, "an empty zip archive", NULL },
    { "%PDF-", 5, "a PDF document", "pdftotext" },
};

static precis_status refuse(precis_ctx *ctx, const char *path, const char *is, const char *remedy)
{
    if (!remedy) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: this is %s, not UTF-8 text", path, is);
    return pcs_fail(ctx, PRECIS_EFORMAT, "%s: this is %s, not UTF-8 text; `%s` makes text of it", path, is, remedy);
}

/* Every second byte of most scripts is 0 in UTF-16, and hardly one of others. */
static const char *utf16_of(const char *head, size_t n)
{
    size_t zeros[2] = { 0, 0 };
    for (size_t i = 0; i < n; i++) zeros[i & 1] += !head[i];
    if (n >= 4 && zeros[1] > n / 5 && zeros[0] <= n / 50) return "iconv -f UTF-16LE -t UTF-8";
    if (n >= 4 && zeros[0] > n / 5 && zeros[1] <= n / 50) return "iconv -f UTF-16BE -t UTF-8";
    return NULL;
}

precis_status pcs_text_is_none(precis_ctx *ctx, const char *path, precis_input_kind kind, const char *head, size_t n)
{
    if (kind == PRECIS_INPUT_TEXTS) return PRECIS_OK; /* a program wrote them: the first may begin as it likes */
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (n >= known[i].len && !memcmp(head, known[i].magic, known[i].len))
            return refuse(ctx, path, known[i].is, known[i].remedy);
    if (n > HEAD) n = HEAD;
    const char *zero = memchr(head, 0, n), *utf16 = zero ? utf16_of(head, n) : NULL;
    if (!zero) return PRECIS_OK;
    if (utf16) return refuse(ctx, path, "UTF-16 text without a byte order mark", utf16);
    return pcs_fail(ctx, PRECIS_EFORMAT, "%s: byte %zu is 0: binary data, not UTF-8 text", path, (size_t)(zero - head));
}

/* Offset of the first byte that is not UTF-8, or len. Text is ASCII for the most part: eight bytes at a time. */
static size_t not_utf8(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len) {
        uint64_t eight;
        uint32_t cp;
        if (len - i >= 8 && (memcpy(&eight, text + i, 8), !(eight & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        const size_t n = pcs_utf8(text + i, len - i, &cp);
        if (!n) return i;
        i += n;
    }
    return len;
}

/* Is the text cut off within its last character, as by `head -c`? */
static bool cut_off(const char *text, size_t at, size_t len)
{
    const unsigned char c = (unsigned char)text[at];
    const size_t want = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
    if (c >= 0xf5 || len - at >= want) return false;
    for (size_t i = at + 1; i < len; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80) return false;
    return true;
}

static void warn_of_crlf(precis_ctx *ctx, const char *path, const char *text, size_t len)
{
    uint64_t n = 0;
    for (const char *p = text; (p = memchr(p, '\r', (size_t)(text + len - p))); p++)
        n += p + 1 < text + len && p[1] == '\n';
    if (n)
        pcs_warn(
            ctx,
            "%s: %llu lines end in CRLF (Windows); the carriage returns are read as text. `tr -d '\\r'` removes them",
            path, (unsigned long long)n);
}

precis_status pcs_text_check(precis_ctx *ctx, const char *path, precis_input_kind kind, char *text, size_t *len)
{
    precis_status st = pcs_text_is_none(ctx, path, kind, text, *len);
    if (st) return st;
    const char *zero = kind == PRECIS_INPUT_TEXTS ? NULL : memchr(text, 0, *len);
    if (zero)
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: byte %zu is 0: binary data, not UTF-8 text", path,
                        (size_t)(zero - text));
    const size_t bad = not_utf8(text, *len);
    if (bad < *len && cut_off(text, bad, *len))
        return pcs_fail(ctx, PRECIS_EFORMAT,
                        "%s: byte %zu: the last character is cut off; `iconv -c -f UTF-8 -t UTF-8` drops it", path,
                        bad);
    if (bad < *len)
        return pcs_fail(
            ctx, PRECIS_EFORMAT,
            "%s: byte %zu (0x%02X) is not UTF-8; `iconv -f WINDOWS-1252 -t UTF-8` makes UTF-8 of old Western text",
            path, bad, (unsigned)(unsigned char)text[bad]);
    if (kind == PRECIS_INPUT_TEXTS) return PRECIS_OK;
    if (*len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        memmove(text, text + 3, *len - 3 + 1); /* with the NUL after it */
        *len -= 3;
        pcs_warn(ctx, "%s: the byte order mark at its start is no text and was dropped", path);
    }
    if (kind == PRECIS_INPUT_TEXT) warn_of_crlf(ctx, path, text, *len);
    return PRECIS_OK;
}

