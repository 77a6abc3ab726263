/* precis/net_search.h - a net in integers but for the nodes that lose most: the fewest of them that keep what a net
 * gets right within a margin. Threads: as the context. */
#ifndef PRECIS_NET_SEARCH_H
#define PRECIS_NET_SEARCH_H

#include "precis/eval_net.h"
#include "precis/quant_net.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_net_search_options {
    uint32_t size;                         /* sizeof of this struct, set by _INIT                            */
    const precis_net_quant_options *quant; /* its floats stay in float at every try; NULL: the usual         */
    const precis_eval_net_options *eval;   /* labels and their forms; NULL: the usual. Its margin isn't read */
    double max_drop;                       /* 0 to 1: of accuracy, mIoU or mAP; without labels, of samples
                                              whose likeliest class is another than the float net's          */
} precis_net_search_options;
#define PRECIS_NET_SEARCH_OPTIONS_INIT { sizeof(precis_net_search_options), NULL, NULL, 0 }

/* One net that was made and measured. */
typedef struct precis_net_try {
    uint32_t size;         /* sizeof of this struct, set by the caller       */
    size_t floats;         /* the nodes that lost most, in float             */
    precis_interval score; /* of the net in integers, 95 %                   */
    precis_interval drop;  /* against the float net, paired by sample        */
    uint64_t bytes;        /* of its file                                    */
    int met;               /* drop.value is at most the margin               */
} precis_net_try;

typedef struct precis_net_search precis_net_search;

/* The net of a file: all in integers; where that loses too much, with the 1, 2, 4, ... nodes in float whose own error
 * is largest beside their values, and then the fewest of those by halving. calib gives ranges (NULL: none are needed),
 * data is what is measured; both were opened for a net of the same inputs. PRECIS_EINVAL: nothing to measure (no
 * labels, and the output has no classes); PRECIS_EBUDGET: not met with all of them in float. */
PRECIS_API precis_status precis_net_search_open(precis_ctx *ctx, precis_net_search **out, const char *path,
                                                precis_samples *calib, precis_samples *data,
                                                const precis_net_search_options *opts);
PRECIS_API void precis_net_search_close(precis_net_search **search);
/* "accuracy", "miou", "map", "agree". */
PRECIS_API const char *precis_net_search_score(const precis_net_search *search);
/* Tries in their order; false after the last. */
PRECIS_API int precis_net_search_try(const precis_net_search *search, size_t i, precis_net_try *out);
/* The nodes that are to stay in float, for precis_net_quant_options: those of the caller's options, and those found.
 * They live as long as the search. */
PRECIS_API const char *const *precis_net_search_floats(const precis_net_search *search, size_t *n);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_NET_SEARCH_H */
