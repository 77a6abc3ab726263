/* precis/format.h - number formats: what a name means to who has to choose one. */
#ifndef PRECIS_FORMAT_H
#define PRECIS_FORMAT_H

#include "precis/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct precis_format_info {
    uint32_t    size;   /* sizeof of this struct, set by the caller                                        */
    const char *name;
    double      bits;   /* of a weight, with its share of what a block has beside weights; long rows         */
    uint32_t    block;  /* weights of a block: rows are whole blocks; 0: rows of any length                  */
    int         portable; /* GGUF has an id for it, so that llama.cpp reads it; 0: precis alone              */
    int         written;  /* weights can be put into it                                                      */
    const char *what;   /* what for, in a few words                                                          */
} precis_format_info;

/* Row i of the formats of precis_list; and the format of a name, in any case. PRECIS_EINVAL: there is none. Any thread
 * may call them. */
PRECIS_API precis_status precis_format_get(size_t i, precis_format_info *info);
PRECIS_API precis_status precis_format_find(const char *name, precis_format_info *info);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_FORMAT_H */
