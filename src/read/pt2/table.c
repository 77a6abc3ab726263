/* table.c - the rows of aten.def, and how a target finds its own. */
#include "read/pt2/aten.h"

const pcs_aten_row pcs_aten_rows[] = {
#define ATEN(target, args, function, with) { target, args, function, with, PCS_FRESH, NULL },
#define VIEW(target, args, function, with, back) { target, args, function, with, PCS_VIEW, back },
#define EITHER(target, args, function, with, back) { target, args, function, with, PCS_EITHER, back },
#include "read/pt2/aten.def"
#undef ATEN
#undef VIEW
#undef EITHER
    { 0 },
};

pcs_str pcs_aten_short(pcs_str s)
{
    const size_t n = strlen("torch.ops.");
    return s.n > n && !memcmp(s.s, "torch.ops.", n) ? (pcs_str){ s.s + n, s.n - n } : s;
}

/* The row whose target is s without the character at `skip` (s.n: with all). */
static const pcs_aten_row *row_like(pcs_str s, size_t skip)
{
    for (const pcs_aten_row *r = pcs_aten_rows; r->target; r++) {
        const size_t n = strlen(r->target);
        if (n == s.n - (skip < s.n) && !memcmp(r->target, s.s, skip) &&
            !memcmp(r->target + skip, s.s + (skip < s.n ? skip + 1 : skip), n - skip))
            return r;
    }
    return NULL;
}

const pcs_aten_row *pcs_aten_row_of(pcs_str s, bool *in_place)
{
    const pcs_aten_row *r = row_like(s, s.n);
    *in_place = false;
    if (r) return r;
    /* "aten.relu_.default" is relu into its first argument. */
    const size_t head = strlen("aten.");
    const char *dot = s.n > head && !memcmp(s.s, "aten.", head) ? memchr(s.s + head, '.', s.n - head) : NULL;
    if (!dot || dot[-1] != '_' || dot[-2] == '_') return NULL;
    r = row_like(s, (size_t)(dot - 1 - s.s));
    *in_place = r && r->shares == PCS_FRESH;
    return *in_place ? r : NULL;
}

bool pcs_aten_supports(pcs_str target)
{
    bool in_place;
    return pcs_aten_row_of(target, &in_place) != NULL;
}
