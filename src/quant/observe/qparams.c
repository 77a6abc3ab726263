/* qparams.c - scale and zero point by our formula, torch's (UniformQuantizationObserverBase) and onnxruntime's
 * (quant_utils.py, compute_scale_zp); golden numbers of both in tests/unit/test_observers.c. */
#include "quant/observe/qparams.h"

#include <float.h>

const pcs_qtype pcs_qtypes[] = {
#define QTYPE(name, low, high, narrow, ort_low, ort_high) { #name, low, high, narrow, ort_low, ort_high },
#include "quant/observe/qtypes.def"
#undef QTYPE
    { NULL, 0, 0, 0, 0, 0 },
};

const pcs_qtype *pcs_qtype_by_name(const char *name)
{
    for (const pcs_qtype *t = pcs_qtypes; name && t->name; t++)
        if (!strcmp(t->name, name)) return t;
    return NULL;
}

bool pcs_like_by_name(const char *name, pcs_like *out)
{
    static const char *const names[] = { [PCS_LIKE_PRECIS] = "precis", [PCS_LIKE_TORCH] = "torch",
                                         [PCS_LIKE_ORT] = "onnxruntime" };
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name)) {
            *out = (pcs_like)i;
            return true;
        }
    return false;
}

/* Half of a code's distance to the nearest even whole number is exact below 2^51. */
static double nearest_even(double x) { return (x + 0x1.8p52) - 0x1.8p52; }

pcs_qscheme pcs_qscheme_of(const pcs_qtype *type, bool symmetric, bool reduced, pcs_like like)
{
    pcs_qscheme s = { .low = type->low, .high = type->high, .symmetric = symmetric, .like = like };
    while (((int64_t)type->high - type->low) >> s.bits) s.bits++;
    /* onnxruntime narrows int8 and int16 only; torch none of itself: its configurations ask for -127 to 127. */
    const bool narrow = like == PCS_LIKE_PRECIS || (like == PCS_LIKE_ORT && type->high > 15);
    reduced = reduced && type->high > 1; /* half of four codes is too few for a scale */
    if (reduced && like == PCS_LIKE_ORT) s.low = type->ort_low, s.high = type->ort_high;
    else if (reduced) s.low = type->low / 2, s.high = type->high / 2;
    else if (symmetric && narrow) s.low = type->narrow;
    if (reduced && symmetric && like == PCS_LIKE_PRECIS && s.low < 0) s.low = -s.high;
    if (like == PCS_LIKE_TORCH) {
        s.eps = FLT_EPSILON;
        s.middle = type->low < 0 ? 0 : type->high / 2 + 1; /* 128 of uint8, even when the range is reduced */
    } else s.middle = (int32_t)nearest_even(((double)s.low + s.high) / 2);
    return s;
}

/* f32 throughout. */
static pcs_qparams torch_params(const pcs_qscheme *s, float low, float high)
{
    pcs_qparams q = { .zero = s->middle };
    const float codes = (float)(s->high - s->low);
    if (s->float_zero) {
        q.scale = (high - low) / codes;
        if (!(q.scale > s->eps)) q.scale = 1;
        q.zero_real = -1 * low / q.scale;
        return q;
    }
    const float least = low < 0 ? low : 0, most = high > 0 ? high : 0, wide = -least > most ? -least : most;
    q.scale = s->symmetric ? wide / (codes / 2) : (most - least) / codes;
    if (!(q.scale > s->eps)) q.scale = s->eps;
    if (!s->symmetric) {
        const double zero = s->low - nearest_even(least / q.scale);
        q.zero = (int32_t)(zero < s->low ? s->low : zero > s->high ? s->high : zero);
    }
    q.zero_real = (float)q.zero;
    return q;
}

static pcs_qparams wide_params(const pcs_qscheme *s, float low, float high)
{
    pcs_qparams q = { .scale = 1 };
    const double a = low < 0 ? low : 0, b = high > 0 ? high : 0, wide = -a > b ? -a : b;
    const double least = s->symmetric ? -wide : a, most = s->symmetric ? wide : b;
    const double scale = (most - least) / ((double)s->high - s->low);
    const bool ort = s->like == PCS_LIKE_ORT;
    if (scale < FLT_MIN) {
        /* Nothing but zeros: any scale will do. 1 has no reciprocal that could overflow. */
        q.zero = ort ? 0 : s->symmetric ? s->middle : s->low > 0 ? s->low : 0;
        q.zero_real = (float)q.zero;
        return q;
    }
    q.scale = (float)scale > s->eps ? (float)scale : s->eps;
    double zero = s->symmetric ? s->middle : nearest_even(s->low - least / (ort ? scale : (double)q.scale));
    zero = zero < s->low ? s->low : zero > s->high ? s->high : zero;
    q.zero = (int32_t)zero;
    q.zero_real = (float)zero;
    return q;
}

pcs_qparams pcs_qparams_choose(const pcs_qscheme *s, float low, float high)
{
    return s->like == PCS_LIKE_TORCH ? torch_params(s, low, high) : wide_params(s, low, high);
}

int32_t pcs_qparams_code(const pcs_qscheme *s, const pcs_qparams *q, float x)
{
    const float inverse = 1 / q->scale;
    const double at = s->like == PCS_LIKE_TORCH ? (double)(x * inverse) : (double)(x / q->scale);
    if (at != at) return s->low;
    if (at < -0x1p31) return s->low;
    if (at > 0x1p31) return s->high;
    const double code = nearest_even(at) + q->zero;
    return (int32_t)(code < s->low ? s->low : code > s->high ? s->high : code);
}
