/* put.h - how what is put meets what is there. */
#ifndef PCS_PUT_H
#define PCS_PUT_H

#include "graph/element.h"

static inline bool pcs_put_known(const char *how)
{
    return !strcmp(how, "none") || !strcmp(how, "add") || !strcmp(how, "mul") || !strcmp(how, "max") ||
           !strcmp(how, "min");
}

/* Element i of y becomes what `how` makes of it and element k of u. */
static inline void pcs_put_one(const pcs_arg *y, size_t i, const pcs_arg *u, size_t k, const char *how)
{
    const size_t bytes = pcs_dtype_bytes(y->dtype);
    if (how[0] == 'n') {
        memcpy((char *)y->data + i * bytes, (const char *)u->data + k * bytes, bytes);
        return;
    }
    if (pcs_dtype_whole(y->dtype)) {
        const int64_t a = pcs_int_at(y, i), b = pcs_int_at(u, k);
        const int64_t r = how[0] == 'a'   ? (int64_t)((uint64_t)a + (uint64_t)b)
                          : how[1] == 'u' ? (int64_t)((uint64_t)a * (uint64_t)b)
                          : how[1] == 'a' ? (a > b ? a : b)
                                          : (a < b ? a : b);
        pcs_elements_store(y->dtype, &r, 1, (char *)y->data + i * bytes);
        return;
    }
    const double a = pcs_real_at(y, i), b = pcs_real_at(u, k);
    pcs_set_real(y, i,
                 how[0] == 'a'   ? a + b
                 : how[1] == 'u' ? a * b
                 : how[1] == 'a' ? (b > a ? b : a)
                                 : (b < a ? b : a));
}

#endif
