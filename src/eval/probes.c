/* probes.c - texts by domain, for a model that is good on one and bad on another: what precis
 * carries, numbers and typing noise that it makes from the seed, and the Universal Declaration of
 * Human Rights in other languages where the folder has nltk's udhr.zip. */
#include "eval/probes.h"

#include "base/file.h"
#include "base/json.h"
#include "base/parts.h"
#include "precis/eval.h"
#include "precis/part.h"

#include <stdio.h>
#include <unistd.h>
#if PCS_HAVE_ZIP
#include <zip.h>

#define ZIP_CALLS(F) \
    F(zip_source_buffer_create) F(zip_source_free) F(zip_open_from_source) F(zip_discard) F(zip_fopen) F(zip_fread) \
    F(zip_fclose)
PRECIS_PART_FUNCTIONS("ZIP", libzip, ZIP_CALLS)
#endif

enum { NUMBERS = 9000, UDHR = 6000 };

static const struct { const char *name, *file;
} udhr[] = {
    { "udhr-german", "udhr/German_Deutsch-Latin1" },
    { "udhr-spanish", "udhr/Spanish-Latin1" },
    { "udhr-swahili", "udhr/Swahili_Kiswahili-Latin1" },
    { "udhr-turkish", "udhr/Turkish_Turkce-UTF8" },
    { "udhr-russian", "udhr/Russian-UTF8" },
    { "udhr-hindi", "udhr/Hindi-UTF8" },
    { "udhr-chinese", "udhr/Chinese_Mandarin-UTF8" },
    { "udhr-japanese", "udhr/Japanese_Nihongo-UTF8" },
};

static size_t carried(void)
{
    size_t n = 0;
    while (pcs_probe_texts[n].name) n++;
    return n;
}

static const char *zip_path(const char *folder, char path[4096])
{
    static const char *const places[] = { "nltk/udhr.zip", "udhr.zip" };
    for (int i = 0; folder && i < 2; i++)
        if (snprintf(path, 4096, "%s/%s", folder, places[i]) < 4096 && !pcs_absent(path)) return path;
    return NULL;
}

const char *precis_probe_name(const char *folder, size_t i)
{
    char path[4096];
    const size_t n = carried();
    if (i < n) return pcs_probe_texts[i].name;
    if (i < n + 2) return i == n ? "numbers" : "noise";
    return i - n - 2 < sizeof udhr / sizeof *udhr && zip_path(folder, path) ? udhr[i - n - 2].name : NULL;
}

/* Tables, dates, sums and lists of numbers. */
static precis_status number_words(pcs_buf *b, uint64_t seed)
{
    precis_status st = PRECIS_OK;
#define DRAW(n) ((int)(pcs_rand(&seed) % (n)))
    while (b->len < NUMBERS && !st) {
        const int a = DRAW(900) + 100, c = DRAW(90) + 10;
        switch (DRAW(6)) {
        case 0:
            st = pcs_buf_printf(b, "%04d-%02d-%02d %02d:%02d:%02d  %d.%02d  %d.%03d\n", 1990 + DRAW(40), 1 + DRAW(12),
                                1 + DRAW(28), DRAW(24), DRAW(60), DRAW(60), DRAW(100), DRAW(100), DRAW(10), DRAW(1000));
            break;
        case 1: st = pcs_buf_printf(b, "%d + %d = %d\n%d x %d = %d\n", a, c, a + c, a, c, a * c); break;
        case 2:
            st = pcs_buf_printf(b, "| %d | %d | %d%% | %d.%d |\n", DRAW(100000), DRAW(1000), DRAW(100), DRAW(50),
                                DRAW(10));
            break;
        case 3: st = pcs_buf_printf(b, "%d, %d, %d, %d, %d\n", c, 2 * c, 3 * c, 4 * c, 5 * c); break;
        case 4:
            st = pcs_buf_printf(b, "+%d %d %d %d\n", 1 + DRAW(98), 100 + DRAW(900), 1000 + DRAW(9000),
                                1000 + DRAW(9000));
            break;
        default:
            st = pcs_buf_printf(b, "0x%04x 0x%04x %d.%de-%d\n", DRAW(65536), DRAW(65536), 1 + DRAW(9), DRAW(1000),
                                1 + DRAW(9));
            break;
        }
    }
#undef DRAW
    return st;
}

/* One letter in 25 is struck wrongly: left out, doubled, changed with the next, or a neighbour's on the keyboard. */
static precis_status noise(pcs_buf *b, uint64_t seed)
{
    static const char rows[3][12] = { "qwertyuiop", "asdfghjkl", "zxcvbnm" };
    const char *text = "";
    size_t len = 0;
    for (size_t i = 0; pcs_probe_texts[i].name; i++)
        if (!strcmp(pcs_probe_texts[i].name, "prose")) text = pcs_probe_texts[i].text, len = pcs_probe_texts[i].len;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < len && !st; i++) {
        const char c = text[i];
        char put[3] = { c };
        size_t n = 1;
        if (c >= 'a' && c <= 'z' && pcs_rand(&seed) % 25 == 0) {
            switch (pcs_rand(&seed) % 4) {
            case 0: n = 0; break;
            case 1: put[n++] = c; break;
            case 2: if (i + 1 < len) put[0] = text[++i], put[n++] = c; break;
            default:
                for (int r = 0; r < 3; r++) {
                    const char *at = strchr(rows[r], c);
                    if (at) put[0] = at[1] ? at[1] : at[-1];
                }
            }
        }
        st = pcs_buf_add(b, put, n);
    }
    return st;
}

#if PCS_HAVE_ZIP
/* A file of the archive, its beginning, as UTF-8. */
static precis_status from_zip(precis_ctx *ctx, pcs_buf *b, const char *path, const char *file)
{
    pcs_file own;
    precis_status st = pcs_file_open(ctx, &own, path); /* not by libzip, which would wait for a pipe */
    libzip lib;
    if (!st && (st = libzip_open(ctx, path, &lib))) pcs_file_close(ctx, &own);
    if (st) return st;
    zip_source_t *source = lib.zip_source_buffer_create(own.map, own.size, 0, NULL);
    zip_t *z = source ? lib.zip_open_from_source(source, ZIP_RDONLY, NULL) : NULL;
    if (!z) {
        lib.zip_source_free(source);
        pcs_file_close(ctx, &own);
        return pcs_fail(ctx, PRECIS_EFORMAT, "%s: it cannot be opened as a zip archive", path);
    }
    zip_file_t *f = lib.zip_fopen(z, file, 0);
    unsigned char raw[UDHR];
    const zip_int64_t n = f ? lib.zip_fread(f, raw, sizeof raw) : -1;
    if (f) lib.zip_fclose(f);
    lib.zip_discard(z);
    pcs_file_close(ctx, &own);
    if (n <= 0) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: %s cannot be read in it", path, file);
    const bool latin = pcs_ends(file, "Latin1");
    for (zip_int64_t i = 0; i < n && !st;) {
        char put[4];
        uint32_t cp = raw[i];
        const size_t k = latin ? 1 : pcs_utf8((const char *)raw + i, (size_t)(n - i), &cp);
        if (k && cp != '\r') st = pcs_buf_add(b, put, pcs_utf8_put(cp, put));
        i += k ? (zip_int64_t)k : 1; /* the last character may be cut */
    }
    return st;
}
#else
static precis_status from_zip(precis_ctx *ctx, pcs_buf *b, const char *path, const char *file)
{
    char what[4200];
    (void)b, (void)file;
    snprintf(what, sizeof what, "%s: a zip archive", path);
    return pcs_part_need(ctx, PCS_PART_ZIP, what);
}
#endif

precis_status precis_probe_text(precis_ctx *ctx, const char *folder, const char *name, char **text, size_t *len)
{
    char path[4096];
    pcs_buf b;
    pcs_buf_init(&b, ctx, 1 << 20);
    *text = NULL;
    precis_status st = PRECIS_EINVAL;
    for (size_t i = 0; pcs_probe_texts[i].name; i++)
        if (!strcmp(name, pcs_probe_texts[i].name))
            st = pcs_buf_add(&b, pcs_probe_texts[i].text, pcs_probe_texts[i].len);
    if (!strcmp(name, "numbers")) st = number_words(&b, ctx->opt.seed ^ 0x6e756du);
    if (!strcmp(name, "noise")) st = noise(&b, ctx->opt.seed ^ 0x747970u);
    for (size_t i = 0; i < sizeof udhr / sizeof *udhr; i++)
        if (!strcmp(name, udhr[i].name) && zip_path(folder, path)) st = from_zip(ctx, &b, path, udhr[i].file);
    if (st == PRECIS_EINVAL) st = pcs_fail(ctx, st, "\"%.60s\" is no domain that precis has a text of", name);
    *len = b.len;
    if (st) pcs_buf_free(&b);
    else *text = b.data;
    return st;
}
