/* sample_check.c - is what a model wrote of itself a text to calibrate on? Small and damaged models end in loops, and a
 * model of many languages may write in one alone. */
#include "quant/windows.h"

#include "base/json.h"

enum { GRAM = 12 }; /* tokens of a repetition: chance does not repeat so many */
#define LOOPS_MOST 0.4
#define SCRIPT_KNOWN 0.15 /* of the vocabulary */
#define SCRIPT_USED 0.2   /* of a window that is written in it */

/* Positions of a window after which the last GRAM tokens have stood before. */
static size_t repeated(const int32_t *ids, size_t n)
{
    size_t count = 0;
    for (size_t i = GRAM; i + GRAM <= n; i++)
        for (size_t k = 0; k < i; k++)
            if (!memcmp(ids + k, ids + i, GRAM * sizeof *ids)) {
                count++;
                break;
            }
    return count;
}

double pcs_sample_loops(const pcs_windows *w)
{
    const int32_t *ids = w->ids;
    size_t count = 0, all = 0;
    for (size_t i = 0; i < w->n; ids += w->lengths[i++]) {
        if (w->lengths[i] < 2 * GRAM) continue;
        count += repeated(ids, w->lengths[i]);
        all += w->lengths[i] - 2 * GRAM + 1;
    }
    return all ? (double)count / (double)all : 0;
}

/* Does a token's text hold a letter beyond Latin's (U+0250 on, without punctuation and signs of U+2000 to U+2BFF)? */
static bool is_other_script(precis_tokenizer *t, int32_t id)
{
    size_t len;
    const char *text = precis_tokenizer_piece(t, id, 0, &len);
    for (size_t at = 0; text && at < len;) {
        uint32_t c = 0;
        const size_t k = pcs_utf8(text + at, len - at, &c);
        if (!k) return false; /* a part of a character */
        if (c >= 0x250 && (c < 0x2000 || c >= 0x2c00) && c != 0xfffd) return true;
        at += k;
    }
    return false;
}

/* Are scripts beside Latin's a good part of the vocabulary, and no window is written in one? The token after BOS is
 * drawn from the whole vocabulary, so that a model of many languages begins in many. */
static bool is_one_script(precis_tokenizer *t, const pcs_windows *w)
{
    const uint32_t n = precis_tokenizer_size(t);
    uint32_t known = 0;
    for (uint32_t i = 0; i < n; i++) known += is_other_script(t, (int32_t)i);
    if (known < SCRIPT_KNOWN * n || w->n < 16) return false;
    const int32_t *ids = w->ids;
    for (size_t i = 0; i < w->n; ids += w->lengths[i++]) {
        uint32_t used = 0;
        for (uint32_t k = 2; k < w->lengths[i]; k++) used += is_other_script(t, ids[k]);
        if (w->lengths[i] > 8 && used >= SCRIPT_USED * (w->lengths[i] - 2)) return false;
    }
    return true;
}

precis_status pcs_sample_check(precis_ctx *ctx, precis_tokenizer *t, const pcs_windows *w)
{
    const double loops = pcs_sample_loops(w);
    if (loops > LOOPS_MOST)
        return pcs_fail(ctx, PRECIS_EINVAL,
                        "the text that the model makes of itself to calibrate on repeats itself in %.0f "
                        "%% of its places: give --calib FILE with text of the kind that it will meet, or --no-calib",
                        100 * loops);
    if (t && is_one_script(t, w))
        pcs_warn(ctx, "the text that the model makes of itself to calibrate on is in Latin letters alone, though its "
                 "vocabulary knows others: --calib FILE with the languages that it will meet is better");
    return PRECIS_OK;
}
