/* activations.c - the table of floating-point schemes, and integers by their bits and group. */
#include "model/activations.h"

#include <string.h>

static const pcs_activations elements[] = {
    { .name = "FP8_E4M3", .scheme = 2, .bits = 8, .largest = 448.0f },
    { .name = "FP8_E5M2", .scheme = 3, .bits = 8, .largest = 57344.0f, .foreign = true },
    { .name = "NVFP4", .scheme = 4, .bits = 4, .group = 16, .scaled_whole = true },
    { .name = "MXFP4", .scheme = 5, .bits = 4, .group = 32 },
    { .name = "MXFP8_E4M3", .scheme = 6, .bits = 8, .group = 32 },
};

/* "_G32": groups of 32, 99,999 at most. */
static bool group_of(const char *s, int *group)
{
    if (s[0] != '_' || s[1] != 'G' || !s[2] || strlen(s) > 7) return false;
    for (s += 2; *s; s++) {
        if (*s < '0' || *s > '9') return false;
        *group = 10 * *group + (*s - '0');
    }
    return *group > 0;
}

bool pcs_activations_of(const char *name, pcs_activations *a)
{
    *a = (pcs_activations){ 0 };
    if (!name) return false;
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (!strcmp(elements[i].name, name)) {
            *a = elements[i];
            return true;
        }
    const bool affine = name[0] == 'U';
    const char *s = name + affine;
    if (strncmp(s, "INT", 3) || s[3] < '1' || s[3] > '8') return false;
    const int bits = s[3] - '0';
    int group = 0;
    if (bits == 1 && (affine || s[4])) return false; /* signs times the token's mean magnitude */
    if (s[4] && !group_of(s + 4, &group)) return false;
    *a = (pcs_activations){
        .name = name, .scheme = affine, .bits = bits, .group = group, .whole = true, .affine = affine
    };
    if (!affine && !group && bits > 1) a->largest = (float)((1 << (bits - 1)) - 1);
    return true;
}
