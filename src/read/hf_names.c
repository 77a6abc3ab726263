/* hf_names.c - transformers' tensor names to GGUF's, and back, by the tables of the architecture. */
#include "read/hf.h"

bool pcs_hf_listed(const char *list, const char *word, size_t len)
{
    for (const char *p = list; *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " ") == len && !memcmp(p, word, len)) return true;
    return false;
}

/* The name without what transformers puts before all of a model's, and adapters before that. */
static const char *without_prefixes(const char *s)
{
    static const char *const prefixes[] = { "base_model.model.", "language_model.", "model.", "language_model.",
                                            "model.", "transformer.", "bert." };
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(s, prefixes[i], strlen(prefixes[i]))) s += strlen(prefixes[i]);
    return s;
}

/* What follows a part's name in s, from its dot on, and the expert's number that stands for '*'; NULL: it is another. */
static const char *behind(const char *s, const char *part, unsigned *expert)
{
    const char *star = strchr(part, '*');
    const size_t n = star ? (size_t)(star - part) : strlen(part);
    *expert = UINT32_MAX;
    if (strncmp(s, part, n)) return NULL;
    if (!star) return s[n] == '.' ? s + n : NULL;
    const char *rest = pcs_index_of(s + n, expert);
    const size_t after = strlen(star + 2); /* of "*.w1", what follows the number's dot */
    if (rest && !strncmp(rest, star + 2, after) && rest[after] == '.') return rest + after;
    *expert = UINT32_MAX;
    return NULL;
}

/* What follows the layer's number of s. */
static const char *in_layer(const char *s, const char *layers, uint32_t *layer)
{
    const size_t n = strlen(layers);
    return !strncmp(s, layers, n) && s[n] == '.' ? pcs_index_of(s + n + 1, layer) : NULL;
}

char *pcs_hf_name(precis_model *m, const pcs_arch *arch, const char *s, unsigned *expert)
{
    const bool known = arch && arch->hf.types;
    uint32_t layer;
    s = without_prefixes(s);
    for (const pcs_hf_part *p = known ? arch->hf.whole : pcs_hf_whole; p->name; p++) {
        const char *rest = behind(s, without_prefixes(p->name), expert);
        if (rest) return pcs_arena_printf(&m->arena, "%s%s", pcs_role_name(p->role), rest);
    }
    *expert = UINT32_MAX;
    if (!(s = in_layer(s, without_prefixes(known ? arch->hf.layers : PCS_HF_LAYERS), &layer))) return NULL;
    for (const pcs_hf_part *p = known ? arch->hf.parts : pcs_hf_parts; p->name; p++) {
        const char *rest = behind(s, p->name, expert);
        if (rest) return pcs_arena_printf(&m->arena, "blk.%u.%s%s", layer, pcs_role_name(p->role), rest);
    }
    return NULL;
}

/* The part of a list that a name begins with; *rest: what follows. */
static const pcs_hf_part *part_of(const pcs_hf_part *list, const char *name, const char **rest)
{
    for (; list->name; list++) {
        const char *role = pcs_role_name(list->role);
        const size_t n = strlen(role);
        *rest = name + n;
        if (!strncmp(name, role, n) && (!**rest || **rest == '.')) return list;
    }
    return NULL;
}

char *pcs_hf_source(pcs_arena *a, const pcs_arch *arch, const char *name, unsigned expert)
{
    const char *rest;
    const int layer = pcs_place_of(name).layer;
    const pcs_hf_part *p = part_of(layer < 0 ? arch->hf.whole : arch->hf.parts, pcs_bare_name(name), &rest);
    if (!p) return NULL;
    if (layer < 0) return pcs_arena_printf(a, "%s%s", p->name, rest);
    const char *star = strchr(p->name, '*');
    if (!star) return pcs_arena_printf(a, "%s.%d.%s%s", arch->hf.layers, layer, p->name, rest);
    return pcs_arena_printf(a, "%s.%d.%.*s%u%s%s", arch->hf.layers, layer, (int)(star - p->name), p->name, expert,
                            star + 1, rest);
}
