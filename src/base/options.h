/* options.h - options of a caller who may have been compiled against an older, shorter struct. */
#ifndef PCS_OPTIONS_H
#define PCS_OPTIONS_H

#include <stdint.h>
#include <string.h>

/* *own (size bytes, filled with the defaults) takes what the caller's struct has; its first member is its size. 0
 * counts as all of it. A newer, longer struct gives what is known here. */
static inline void pcs_options_take(void *own, uint32_t size, const void *given)
{
    uint32_t n = 0;
    if (!given) return;
    memcpy(&n, given, sizeof n);
    memcpy(own, given, n && n < size ? n : size);
    memcpy(own, &size, sizeof size);
}

/* The other way: a result of the caller's, whose first member is its size, takes what it has room for. */
static inline void pcs_options_give(void *given, const void *own, uint32_t size)
{
    uint32_t n;
    memcpy(&n, given, sizeof n);
    memcpy(given, own, n < size ? n : size);
    memcpy(given, &n, sizeof n);
}

#endif
