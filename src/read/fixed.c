/* fixed.c - inputs of a net that have one value from now on: in its graphs they are constants, and files that are
 * written of it have no such inputs. */
#include "read/netfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool fixable_type(pcs_dtype d) { return pcs_dtype_whole(d) && pcs_dtype_bits(d) >= 8; }

bool pcs_port_fixable(const pcs_port *p)
{
    bool one = p->typed && p->shaped && fixable_type(p->dtype);
    for (uint32_t d = 0; d < p->dims; d++) one = one && p->shape[d] == 1;
    return one;
}

const char *pcs_port_value(const pcs_port *p, char text[24])
{
    int64_t v = 0;
    pcs_elements_load(p->dtype, p->value, 1, 1, &v);
    if (pcs_domain_of(p->dtype) == PCS_IN_U64) snprintf(text, 24, "%llu", (unsigned long long)v);
    else snprintf(text, 24, "%lld", (long long)v);
    return text;
}

void pcs_netfile_fix(pcs_netfile *file, size_t i, const void *element)
{
    pcs_port p = file->inputs[i];
    memset(p.value, 0, sizeof p.value);
    memcpy(p.value, element, pcs_dtype_bytes(p.dtype));
    memmove(&file->inputs[i], &file->inputs[i + 1], (file->n_inputs - 1 - i) * sizeof p);
    file->inputs[--file->n_inputs] = p;
    file->n_fixed++;
}

void pcs_port_print_fixed(const pcs_port *p, char *text, size_t room)
{
    char ones[2 * PCS_GRAPH_DIMS + 3] = "", value[24];
    size_t at = 0;
    for (uint32_t d = 0; d < p->dims; d++) at += (size_t)snprintf(ones + at, sizeof ones - at, "%s1", d ? "," : "[");
    if (p->dims) snprintf(ones + at, sizeof ones - at, "]");
    snprintf(text, room, "%s%s %s", pcs_dtype_name(p->dtype), ones, pcs_port_value(p, value));
}

/* Digits as an element of the port's type. */
static bool from_digits(pcs_port *p, const char *digits)
{
    char *end, again[24];
    const char *first = digits + (*digits == '-');
    if (*first < '0' || *first > '9') return false;
    errno = 0;
    const bool without_sign = pcs_domain_of(p->dtype) == PCS_IN_U64;
    const uint64_t bits = without_sign ? strtoull(digits, &end, 10) : (uint64_t)strtoll(digits, &end, 10);
    if (errno || *end) return false;
    memset(p->value, 0, sizeof p->value);
    memcpy(p->value, &bits, pcs_dtype_bytes(p->dtype)); /* the low bytes come first */
    if (p->dtype == PCS_BOOL && bits > 1) return false;
    return !strcmp(pcs_port_value(p, again), digits); /* one that the type cannot hold is another then */
}

bool pcs_port_read_number(pcs_port *p, const char *digits) { return pcs_port_fixable(p) && from_digits(p, digits); }

bool pcs_port_read_fixed(pcs_port *p, pcs_str text)
{
    char own[64];
    if (text.n >= sizeof own || memchr(text.s, 0, text.n)) return false;
    memcpy(own, text.s, text.n);
    own[text.n] = 0;
    char *space = strchr(own, ' '), *bracket = strchr(own, '[');
    if (!space) return false;
    *space = 0;
    p->dims = 0;
    for (char *at = bracket; at && at < space; at += 2) {
        const bool last = at[1] == '1' && at[2] == ']' && at + 3 == space;
        if (p->dims == PCS_GRAPH_DIMS || at[1] != '1' || (at[2] != ',' && !last)) return false;
        p->shape[p->dims++] = 1;
        if (last) break;
    }
    if (bracket) *bracket = 0;
    for (int d = 0; d < PCS_DTYPES; d++)
        if (fixable_type((pcs_dtype)d) && !strcmp(pcs_dtype_name((pcs_dtype)d), own)) {
            p->dtype = (pcs_dtype)d;
            p->typed = p->shaped = true;
            return from_digits(p, space + 1);
        }
    return false;
}

const pcs_port *pcs_netfile_port(const pcs_netfile *f, const char *name, bool *fixed)
{
    size_t i = 0;
    while (i < f->n_inputs + f->n_fixed && strcmp(f->inputs[i].name, name)) i++;
    *fixed = i >= f->n_inputs;
    return i < f->n_inputs + f->n_fixed ? &f->inputs[i] : NULL;
}

/* An array for an input that has a value holds just that. */
static precis_status same_value(const pcs_netfile *f, const pcs_port *p, const precis_array *a)
{
    char has[24], wants[24];
    pcs_port given = *p;
    const size_t each = pcs_dtype_bytes(p->dtype);
    if (strcmp(a->type, pcs_dtype_name(p->dtype)) || a->bytes != each || !a->data)
        return pcs_fail(f->ctx, PRECIS_EINVAL, "input %.60s: is no %s of one element, and has the value %s in the net",
                        p->name, pcs_dtype_name(p->dtype), pcs_port_value(p, wants));
    memcpy(given.value, a->data, each);
    if (!memcmp(given.value, p->value, each)) return PRECIS_OK;
    return pcs_fail(f->ctx, PRECIS_EINVAL, "input %.60s is %s, and the net is one in which it is %s", p->name,
                    pcs_port_value(&given, has), pcs_port_value(p, wants));
}

precis_status pcs_netfile_has_value(const pcs_netfile *f, const precis_array *a, bool *fixed)
{
    const pcs_port *p = pcs_netfile_port(f, a->name, fixed);
    if (!p) *fixed = false;
    return *fixed ? same_value(f, p, a) : PRECIS_OK;
}
