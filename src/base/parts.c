/* parts.c - what this build has of parts.def. CMakeLists.txt gives this file PCS_HAVE_SQLITE and the like. */
#include "base/parts.h"

#include "precis/report.h"

#include <stdio.h>
#include <strings.h>

static const struct {
    const char *id, *name, *package, *purpose;
    bool here;
} parts[] = {
#define PART(id, name, package, purpose) { #id, name, package, purpose, PCS_HAVE_##id },
#include "base/parts.def"
#undef PART
};

precis_status pcs_part_need(precis_ctx *ctx, pcs_part part, const char *what)
{
    if (parts[part].here) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                    "%s needs %s, and this precis was built without %s (Debian's package: %s; option of cmake: "
                    "-DPRECIS_%s=ON)",
                    what, parts[part].name, parts[part].name, parts[part].package, parts[part].id);
}

precis_status precis_part_need(precis_ctx *ctx, const char *part, const char *what)
{
    for (int i = 0; i < PCS_PARTS; i++)
        if (!strcasecmp(part, parts[i].id) || !strcasecmp(part, parts[i].name)) return pcs_part_need(ctx, i, what);
    return pcs_fail(ctx, PRECIS_EINVAL, "there is no part %s; precis list parts names them", part);
}

const char *pcs_part_name(size_t i) { return i < PCS_PARTS ? parts[i].name : NULL; }

const char *pcs_part_row(size_t i, char *text, size_t cap)
{
    if (i >= PCS_PARTS) return NULL;
    snprintf(text, cap, "%-14s %-7s %s (%s, PRECIS_%s)", parts[i].name, parts[i].here ? "here" : "missing",
             parts[i].purpose, parts[i].package, parts[i].id);
    return text;
}
