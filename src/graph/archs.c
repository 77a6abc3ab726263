/* archs.c - the table of architectures. */
#include "graph/arch.h"

#define ARCH(name) extern const pcs_arch pcs_arch_##name;
#include "graph/archs.def"
#undef ARCH

const pcs_arch *const pcs_archs[] = {
#define ARCH(name) &pcs_arch_##name,
#include "graph/archs.def"
#undef ARCH
    NULL,
};

const pcs_arch *pcs_arch_by_name(const char *name)
{
    for (size_t i = 0; name && pcs_archs[i]; i++)
        if (!strcmp(pcs_archs[i]->name, name)) return pcs_archs[i];
    return NULL;
}

const pcs_arch *pcs_arch_of(const precis_model *m)
{
    return pcs_arch_by_name(pcs_model_string(m, "general.architecture"));
}
