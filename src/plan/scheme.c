/* scheme.c - schemes of weights, activations and KV cache by one name: W4A16, W8A8, W4A8KV8, FP8, FP8_DYNAMIC,
 * NVFP4A16, ... as compressed-tensors' presets mean them. Embedding and head keep 16 bits. */
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static const struct { const char *name, *weights, *activations; int fixed; } presets[] = {
    { "FP8", "FP8_E4M3_T", "FP8_E4M3", 1 },
    { "FP8_DYNAMIC", "FP8_E4M3_C", "FP8_E4M3", 0 },
    { "FP8_BLOCK", "FP8_E4M3_G128", "FP8_E4M3", 0 },
    { "INT8", "INT8_C", "INT8", 0 },
    { "W8A8_STATIC", "INT8_C", "INT8", 1 },
    { "W4A16_ASYM", "UINT4_G128", NULL, 0 },
    { "NVFP4A16", "NVFP4", NULL, 0 },
    { "NVFP4A4", "NVFP4", "NVFP4", 0 },
    { "MXFP4A16", "MXFP4", NULL, 0 },
    { "MXFP4A4", "MXFP4", "MXFP4", 0 },
    { "MXFP8", "MXFP8_E4M3", "MXFP8_E4M3", 0 },
    { "NF4A16", "NF4", NULL, 0 },
};

/* A number of bits after a letter. */
static bool bits(const char **s, const char *letters, int *out)
{
    const size_t n = strlen(letters);
    if (strncasecmp(*s, letters, n)) return false;
    char *end;
    const long v = strtol(*s + n, &end, 10);
    if (end == *s + n || v < 1 || v > 16) return false;
    *out = (int)v;
    *s = end;
    return true;
}

bool pcs_scheme_of(const char *spec, pcs_scheme *out)
{
    *out = (pcs_scheme){ 0 };
    char base[64];
    snprintf(base, sizeof base, "%.60s", spec);
    int w = 0, a = 16, kv = 16;
    for (char *k = base; *k; k++) /* ...KV8 at the end */
        if (!strncasecmp(k, "KV", 2) && k > base) {
            const char *s = k;
            if (!bits(&s, "KV", &kv) || *s || (kv != 4 && kv != 8 && kv != 16)) return false;
            *k = 0;
            break;
        }
    out->kv = kv == 4 ? "int4" : kv == 8 ? "int8" : NULL;
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (!strcasecmp(presets[i].name, base)) {
            out->weights = presets[i].weights;
            out->activations = presets[i].activations;
            out->fixed = presets[i].fixed != 0;
            return true;
        }
    const char *s = base;
    if (!bits(&s, "W", &w) || !bits(&s, "A", &a) || (*s && strcasecmp(s, "_STATIC"))) return false;
    static const char *const weights[] = { NULL, "BINARY", "INT2_G128", "INT3_G128", "INT4_G128", "INT5_G128",
                                           "INT6_G128", "INT7_G128", "INT8_C" };
    static const char *const acts[] = { NULL, "INT1", "INT2", "INT3", "INT4", "INT5", "INT6", "INT7", "INT8" };
    if (w > 8 && w != 16) return false;
    if (a > 8 ? a != 16 : a < 2) return false;
    out->weights = w == 16 ? "F16" : weights[w];
    out->activations = a == 16 ? NULL : acts[a];
    out->fixed = *s != 0;
    return !out->fixed || out->activations;
}
