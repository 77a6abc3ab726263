/* backends.c - the rows of backends.def: what a job that names an engine takes where it does not say, and what is
 * refused because the engine has no kernel for it, with the nearest that it has. */
#include "quant/net/net.h"

#include <stdio.h>

typedef struct {
    const char *name, *activations, *weights, *modes;
    int per_channel;
    const char *forms, *what;
} backend;

static const backend backends[] = {
#define BACKEND(name, activations, weights, modes, per_channel, forms, what) \
    { #name, activations, weights, modes, per_channel, forms, what },
#include "quant/net/backends.def"
#undef BACKEND
};
#define BACKENDS (sizeof backends / sizeof *backends)

/* Words of others are spelt with either line. */
static bool same_name(const char *a, const char *b)
{
    while (*a && (*a == *b || (*a == '_' && *b == '-'))) a++, b++;
    return *a == *b;
}

int precis_net_backend(size_t i, char *text, size_t room)
{
    if (i >= BACKENDS) return 0;
    const backend *b = &backends[i];
    snprintf(text, room, "%-12s %-14s %-14s %-24s %-12s %s", b->name, b->activations, b->weights, b->modes,
             b->per_channel ? "per channel" : "per tensor", b->what);
    return 1;
}

const char *precis_net_backend_name(size_t i) { return i < BACKENDS ? backends[i].name : NULL; }

/* Is the word in a list of them? A minus after a word is no part of it. */
static bool in_list(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ' ')) {
        p += *p == ' ';
        if (!strncmp(p, word, n) && (!p[n] || p[n] == ' ' || p[n] == '-')) return true;
    }
    return false;
}

static precis_status check(precis_net_quant *q, const backend *b, const char *what, const char *list, const char *given)
{
    if (!given || in_list(list, given)) return PRECIS_OK;
    return pcs_fail(q->ctx, PRECIS_EUNSUPPORTED, "%s runs no %s %s (%s); the nearest that it runs is %.*s", b->name,
                    what, given, b->what, (int)strcspn(list, " -"), list);
}

/* Which words of the first choice the table has, as constants that live. */
static const char *first_of(const char *list, const char *const *words)
{
    while (*words && strncmp(list, *words, strlen(*words))) words++;
    return *words;
}

static const backend *named(const char *name)
{
    for (size_t i = 0; i < BACKENDS; i++)
        if (same_name(backends[i].name, name)) return &backends[i];
    return NULL;
}

bool pcs_net_backend_decodes(const precis_net_quant *q)
{
    const backend *b = q->o.backend ? named(q->o.backend) : NULL;
    return !b || in_list(b->modes, "weights");
}

precis_status pcs_net_backend(precis_net_quant *q)
{
    static const char *const activations[] = { "u8", "s8", NULL };
    if (!q->o.backend) return PRECIS_OK;
    const backend *b = named(q->o.backend);
    if (!b)
        return pcs_fail(q->ctx, PRECIS_EINVAL,
                        "backend %s is none: fbgemm, onednn, qnnpack, xnnpack, onnxruntime, "
                        "openvino or cmsis-nn",
                        q->o.backend);
    precis_status st = check(q, b, "quantization that is", b->modes, q->o.mode);
    if (!st) st = check(q, b, "activations", b->activations, q->o.activations);
    if (!st) st = check(q, b, "weights", b->weights, q->o.weights);
    if (!st) st = check(q, b, "files in the form", b->forms, q->o.whole ? "qop" : "qdq");
    if (!st && q->o.per_channel && !b->per_channel)
        st = pcs_fail(q->ctx, PRECIS_EUNSUPPORTED,
                      "%s runs no weights with a scale for each channel (%s); the nearest "
                      "that it runs is --per-tensor",
                      b->name, b->what);
    if (st) return st;
    if (!q->o.activations) q->o.activations = first_of(b->activations, activations);
    if (!b->per_channel) q->o.per_tensor = 1;
    if (strchr(b->activations, '-')) q->seven_bits = true;
    return PRECIS_OK;
}
