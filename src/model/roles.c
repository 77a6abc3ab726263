/* roles.c - the tables of roles and ends, and the one parser of canonical names. */
#include "model/roles.h"

#include "base/base.h"

#include <stdio.h>

enum { PCS_WHOLE = 1, PCS_LAYER = 2, PCS_KEPT = 4, PCS_EXPERTS = 8, PCS_ROPE = 16, PCS_NORM = 32, PCS_BESIDE = 64 };

static const struct {
    const char *name, *pattern;
    pcs_tensor_role like;
    unsigned flags;
} roles[PCS_ROLES] = {
    { "", NULL, PCS_ROLE_none, 0 },
#define ROLE(role, pattern, like, flags) { #role, pattern, PCS_ROLE_##like, flags },
#include "model/roles.def"
#undef ROLE
};

static const struct {
    const char *text;
    size_t len;
    unsigned flags;
} ends[] = {
    { "", 0, 0 },
#define END(end, text, flags) { text, sizeof text - 1, flags },
#include "model/ends.def"
#undef END
};
enum { ENDS = sizeof ends / sizeof *ends };

const char *pcs_index_of(const char *s, uint32_t *index)
{
    uint32_t v = 0;
    size_t n = 0;
    for (; s[n] >= '0' && s[n] <= '9' && n < 5; n++) v = v * 10 + (uint32_t)(s[n] - '0');
    if (!n || s[n] != '.' || (n > 1 && s[0] == '0')) return NULL;
    *index = v;
    return s + n + 1;
}

/* The n bytes of s against a pattern with '*' at either side, or none. */
static bool matches(const char *s, size_t n, const char *pattern)
{
    const bool before = *pattern == '*';
    pattern += before;
    size_t len = strlen(pattern);
    const bool after = len && pattern[len - 1] == '*';
    len -= after;
    if (len > n) return false;
    if (before && after) return memmem(s, n, pattern, len) != NULL;
    return (before || after || len == n) && !memcmp(before ? s + n - len : s, pattern, len);
}

/* What follows "blk.12." at the beginning of a name or after a dot ("enc.blk.12."); NULL: it is in no layer. Only a
 * name that begins with it has a layer of the model's own count. */
static const char *in_layer(const char *name, int *layer)
{
    static const char block[] = "blk.";
    for (const char *s = strstr(name, block); s; s = strstr(s + 1, block)) {
        uint32_t index;
        const char *rest = s == name || s[-1] == '.' ? pcs_index_of(s + sizeof block - 1, &index) : NULL;
        if (!rest) continue;
        if (s == name && index < PCS_LIMIT_LAYERS) *layer = (int)index;
        return rest;
    }
    return NULL;
}

bool pcs_says_layer(const char *name) { return !strncmp(name, "blk.", 4); }

const char *pcs_bare_name(const char *name)
{
    int layer;
    const char *inside = in_layer(name, &layer);
    return inside ? inside : name;
}

pcs_place pcs_place_of(const char *name)
{
    pcs_place p = { PCS_ROLE_none, PCS_END_other, -1 };
    const char *inside = in_layer(name, &p.layer), *s = inside ? inside : name;
    size_t n = strlen(s);
    for (size_t i = 1; i < ENDS && !p.end; i++)
        if (n > ends[i].len && !memcmp(s + n - ends[i].len, ends[i].text, ends[i].len)) p.end = (pcs_tensor_end)i;
    n -= ends[p.end].len;
    for (size_t i = 1; i < PCS_ROLES && !p.role; i++)
        if (!(roles[i].flags & (inside ? PCS_WHOLE : PCS_LAYER)) && matches(s, n, roles[i].pattern))
            p.role = (pcs_tensor_role)i;
    return p;
}

void pcs_place_name(char *out, size_t cap, int layer, pcs_tensor_role role, pcs_tensor_end end)
{
    if (layer < 0) snprintf(out, cap, "%s%s", roles[role].name, ends[end].text);
    else snprintf(out, cap, "blk.%d.%s%s", layer, roles[role].name, ends[end].text);
}

const char *pcs_role_name(pcs_tensor_role role) { return roles[role].name; }
pcs_tensor_role pcs_role_like(pcs_tensor_role role) { return roles[role].like; }
bool pcs_role_kept(pcs_tensor_role role) { return roles[role].flags & PCS_KEPT; }
bool pcs_role_of_norm(pcs_tensor_role role) { return roles[role].flags & PCS_NORM; }
bool pcs_role_layered(pcs_tensor_role role) { return roles[role].flags & PCS_LAYER; }
bool pcs_role_of_experts(pcs_tensor_role role) { return roles[role].flags & PCS_EXPERTS; }
bool pcs_role_of_rope(pcs_tensor_role role) { return roles[role].flags & PCS_ROPE; }
bool pcs_end_beside(pcs_tensor_end end) { return ends[end].flags & PCS_BESIDE; }
