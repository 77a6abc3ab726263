/* activations.h - the words for how a model's activations are rounded (key precis.activations, schemes such as W8A8):
 * "INT8", "INT8_G32", "UINT8", "FP8_E4M3", "NVFP4", ... (docs/formats.md). One parser; others ask its result. */
#ifndef PCS_ACTIVATIONS_H
#define PCS_ACTIVATIONS_H

#include <stdbool.h>

typedef struct pcs_activations {
    const char *name;
    int scheme;        /* of the op fake_quant */
    int bits;
    int group;         /* numbers that share a scale; 0: all of a token */
    bool whole;        /* whole numbers, else floating-point elements */
    bool affine;       /* with a zero point */
    bool scaled_whole; /* scales of groups stand on one of all, given or by token */
    bool foreign;      /* compressed-tensors has no word for them */
    float largest;     /* code, where one scale for all may be given (static); 0: none can be */
} pcs_activations;

/* false: no such word; NULL is none. */
bool pcs_activations_of(const char *name, pcs_activations *a);

#endif
