/* parts.c - what this build has of parts.def, and their functions. CMakeLists.txt gives this file PCS_HAVE_SQLITE,
 * PCS_FILE_SQLITE and the like. A library is opened by the name that the linker would have noted down, so that it is
 * the version whose headers were used. */
#include "base/parts.h"

#include "precis/part.h"

#include <stdio.h>
#include <strings.h>
#ifndef PRECIS_PARTS_LINKED
#include <dlfcn.h>
#endif

static const struct {
    const char *id, *name, *headers, *library, *file, *others, *purpose;
    bool here;
} parts[] = {
#define PART(id, name, headers, library, others, purpose) \
    { #id, name, headers, library, PCS_FILE_##id, others, purpose, PCS_HAVE_##id },
#include "base/parts.def"
#undef PART
};

precis_status pcs_part_need(precis_ctx *ctx, pcs_part part, const char *what)
{
    if (parts[part].here) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                    "%s needs %s, and this precis was built without %s (Debian's package: %s; option of cmake: "
                    "-DPRECIS_%s=ON)",
                    what, parts[part].name, parts[part].name, parts[part].headers, parts[part].id);
}

static pcs_part part_by_name(const char *part)
{
    int i = 0;
    while (i < PCS_PARTS && strcasecmp(part, parts[i].id) && strcasecmp(part, parts[i].name)) i++;
    return (pcs_part)i;
}

static precis_status no_part(precis_ctx *ctx, const char *part)
{
    return pcs_fail(ctx, PRECIS_EINVAL, "there is no part %s; precis list parts names them", part);
}

precis_status precis_part_need(precis_ctx *ctx, const char *part, const char *what)
{
    const pcs_part i = part_by_name(part);
    return i < PCS_PARTS ? pcs_part_need(ctx, i, what) : no_part(ctx, part);
}

#ifdef PRECIS_PARTS_LINKED
precis_status precis_part_functions(precis_ctx *ctx, const char *part, const char *what, size_t n,
                                    const char *const *names, void **functions)
{
    const precis_status st = precis_part_need(ctx, part, what);
    (void)names;
    for (size_t i = 0; i < n; i++) functions[i] = NULL;
    return st ? st : pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: this precis has its libraries linked", what);
}
#else

/* The first library of a list of names that opens; why: what is said of the first, which is the usual one. */
static void *open_first(const char *file, const char *others, char *why, size_t cap)
{
    char name[128];
    void *library = dlopen(file, RTLD_NOW);
    const char *said = library ? NULL : dlerror();
    snprintf(why, cap, "%s", said ? said : "");
    while (!library && *others) {
        const int len = (int)strcspn(others, " ");
        snprintf(name, sizeof name, "%.*s", len, others);
        others += len + (others[len] == ' ');
        library = dlopen(name, RTLD_NOW);
    }
    return library;
}

precis_status precis_part_functions(precis_ctx *ctx, const char *part, const char *what, size_t n,
                                    const char *const *names, void **functions)
{
    char why[512] = "";
    for (size_t i = 0; i < n; i++) functions[i] = NULL;
    const pcs_part p = part_by_name(part);
    if (p >= PCS_PARTS) return no_part(ctx, part);
    const precis_status st = pcs_part_need(ctx, p, what);
    if (st) return st;
    void *library = open_first(parts[p].file, parts[p].others, why, sizeof why);
    const char *missing = NULL;
    for (size_t i = 0; i < n && library && !missing; i++)
        if (!(functions[i] = dlsym(library, names[i]))) missing = names[i];
    if (library && !missing) return PRECIS_OK;
    if (missing) snprintf(why, sizeof why, "the one that is here has no %s", missing);
    for (size_t i = 0; i < n; i++) functions[i] = NULL;
    /* the loader's own words, which end with the system's where it asked for memory in vain */
    if (strstr(why, "annot allocate memory") || strstr(why, "ut of memory"))
        return pcs_fail(ctx, PRECIS_ENOMEM, "%s: out of memory for %s", what, parts[p].name);
    return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s needs %s, which is not on this machine (%s); Debian's package: %s",
                    what, parts[p].name, why, parts[p].library);
}
#endif

const char *pcs_part_name(size_t i) { return i < PCS_PARTS ? parts[i].name : NULL; }

const char *pcs_part_row(size_t i, char *text, size_t cap)
{
    if (i >= PCS_PARTS) return NULL;
    snprintf(text, cap, "%-14s %-7s %s (%s, PRECIS_%s)", parts[i].name, parts[i].here ? "here" : "missing",
             parts[i].purpose, parts[i].headers, parts[i].id);
    return text;
}
