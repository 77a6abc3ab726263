/* roles.h - what each tensor is in a net: its role, what of the role's weights it is, and its layer.
 *
 * A model knows it of every tensor once its names are settled (pcs_model_index); nobody else looks into names for it.
 * Where there is no model, as in a table of costs, names are asked by the same parser. */
#ifndef PCS_ROLES_H
#define PCS_ROLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    PCS_ROLE_none, /* nothing that a net of ours has, or another program's */
#define ROLE(role, pattern, like, flags) PCS_ROLE_##role,
#include "model/roles.def"
#undef ROLE
    PCS_ROLES
} pcs_tensor_role;

typedef enum {
    PCS_END_other,
#define END(end, text, flags) PCS_END_##end,
#include "model/ends.def"
#undef END
} pcs_tensor_end;

typedef struct pcs_place {
    pcs_tensor_role role;
    pcs_tensor_end end;
    int layer; /* of "blk.12.x", -1: of none, also where no model has so many layers */
} pcs_place;

/* What a canonical name says. */
pcs_place pcs_place_of(const char *name);
/* The other way, "blk.LAYER.ROLE.END", or without a layer where that is negative. */
void pcs_place_name(char *out, size_t cap, int layer, pcs_tensor_role role, pcs_tensor_end end);
/* Of the table. pcs_role_like: the role whose precision it takes in mixes and estimates; pcs_role_kept: its numbers
 * stay as they are; pcs_role_layered: one in each layer. */
const char *pcs_role_name(pcs_tensor_role role);
pcs_tensor_role pcs_role_like(pcs_tensor_role role);
bool pcs_role_kept(pcs_tensor_role role);
bool pcs_role_of_norm(pcs_tensor_role role);
bool pcs_role_layered(pcs_tensor_role role);
bool pcs_role_of_experts(pcs_tensor_role role);
bool pcs_role_of_rope(pcs_tensor_role role); /* a factor for each of its frequencies */
/* The name without its layer. */
const char *pcs_bare_name(const char *name);
/* Does it stand beside a weight, and go where that goes? */
bool pcs_end_beside(pcs_tensor_end end);

/* "12.rest" as 12 and "rest"; NULL for what is no plain number below 100000 (signs, spaces, leading zeros). */
const char *pcs_index_of(const char *s, uint32_t *index);

#endif
