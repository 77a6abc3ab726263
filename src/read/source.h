/* source.h - kinds of places that samples come from; one file and one row of sources.def each.
 *
 * A source gives sample i of an input as an array: without the net's first dimension (then several become a batch), or
 * with all dimensions of the input (then it is an input as it stands). */
#ifndef PCS_SOURCE_H
#define PCS_SOURCE_H

#include "read/npz.h"

typedef struct pcs_source pcs_source;

typedef struct pcs_source_kind {
    const char *name;
    bool (*takes)(const char *path, bool folder);
    precis_status (*open)(pcs_source *s); /* sets count; state is closed in any case */
    bool (*named)(const pcs_source *s);                  /* has it arrays by name? NULL: one, for one input */
    bool (*has)(const pcs_source *s, const char *input); /* one of this name */
    /* Until the next call for the same input, of which `slot` is the number. */
    precis_status (*sample)(pcs_source *s, uint64_t i, size_t slot, const precis_array *input, precis_array *out);
    /* Do samples have one shape, so that they may be batched? */
    bool (*same_shape)(const pcs_source *s);
    const char *(*file)(const pcs_source *s, uint64_t i);              /* of a sample; NULL: "sample i" */
    int64_t (*class_of)(const pcs_source *s, uint64_t i, uint64_t *classes); /* NULL: no classes */
    void (*close)(pcs_source *s);
} pcs_source_kind;

struct pcs_source {
    precis_ctx *ctx;
    const pcs_source_kind *kind;
    const char *path;
    const precis_samples_options *o;
    uint64_t count; /* UINT64_MAX: the same for all samples */
    void *state;
};

/* Files of a folder whose names end so (or are taken by `is`), in the order of their bytes; in folders within it too,
 * which are classes. */
typedef struct pcs_listing {
    pcs_arena arena;
    const char **files; /* paths */
    int64_t *classes;   /* of each; NULL: there are no folders */
    uint64_t n, n_classes;
} pcs_listing;
precis_status pcs_listing_read(precis_ctx *ctx, pcs_listing *l, const char *folder, bool (*is)(const char *name),
                               bool folders);
void pcs_listing_free(precis_ctx *ctx, pcs_listing *l);

#endif
