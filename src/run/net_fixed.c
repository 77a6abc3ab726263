/* net_fixed.c - inputs of a net that have one value: precis_net_fix, and what is held against it. */
#include "base/base.h"
#include "run/net.h"
#include "run/watched.h"

static precis_array one_element(const pcs_port *p, const void *data)
{
    precis_array a = { .size = sizeof a, .name = p->name, .type = pcs_dtype_name(p->dtype), .dims = p->dims,
                       .data = data, .bytes = pcs_dtype_bytes(p->dtype) };
    memcpy(a.shape, p->shape, sizeof p->shape);
    return a;
}

static precis_status no_input(const pcs_netfile *f, const char *name)
{
    return pcs_fail(f->ctx, PRECIS_EINVAL, "%s: has no input %.60s; its first is %.60s", f->path, name,
                    f->n_inputs ? f->inputs[0].name : "none");
}

precis_status precis_net_fix(precis_net *net, const precis_array *value)
{
    const pcs_netfile *f = pcs_net_file(net);
    bool fixed;
    const pcs_port *p = pcs_netfile_port(f, value->name, &fixed);
    if (!p) return no_input(f, value->name);
    if (fixed) return pcs_netfile_has_value(f, value, &fixed);
    const bool type = p->typed && !strcmp(value->type, pcs_dtype_name(p->dtype));
    if (!pcs_port_fixable(p) || !type || value->bytes != pcs_dtype_bytes(p->dtype) || !value->data)
        return pcs_fail(f->ctx, PRECIS_EINVAL,
                        "%s: input %.60s of type %s cannot be %s: one whole number, or one truth value, of the input's "
                        "type can be fixed", f->path, p->name, p->typed ? pcs_dtype_name(p->dtype) : "?", value->type);
    if (!f->reader->fixes)
        return pcs_fail(f->ctx, PRECIS_EUNSUPPORTED, "%s: inputs of a net of this kind cannot have a value", f->path);
    pcs_net_fix_input(net, (size_t)(p - f->inputs), value->data);
    return PRECIS_OK;
}

precis_status precis_net_number(const precis_net *net, const char *name, const char *digits, uint64_t *room,
                                precis_array *out)
{
    const pcs_netfile *f = pcs_net_file(net);
    bool fixed;
    const pcs_port *p = pcs_netfile_port(f, name, &fixed);
    if (!p) return no_input(f, name);
    pcs_port number = *p;
    if (!pcs_port_fixable(p))
        return pcs_fail(f->ctx, PRECIS_EINVAL, "input %.60s of type %s takes no single whole number (%.40s)", p->name,
                        p->typed ? pcs_dtype_name(p->dtype) : "?", digits);
    if (!pcs_port_read_number(&number, digits))
        return pcs_fail(f->ctx, PRECIS_EINVAL, "input %.60s is of type %s, which has no number %.40s", p->name,
                        pcs_dtype_name(p->dtype), digits);
    memcpy(room, number.value, sizeof number.value);
    *out = one_element(p, room);
    return PRECIS_OK;
}

size_t precis_net_fixed(const precis_net *net) { return pcs_net_file(net)->n_fixed; }

precis_status precis_net_fixed_input(const precis_net *net, size_t i, precis_array *out)
{
    const pcs_netfile *f = pcs_net_file(net);
    if (i >= f->n_fixed) return pcs_fail(f->ctx, PRECIS_EINVAL, "fixed input %zu of %zu", i, f->n_fixed);
    const pcs_port *p = &f->inputs[f->n_inputs + i];
    *out = one_element(p, p->value);
    return PRECIS_OK;
}

precis_status precis_net_fix_as(precis_net *net, const precis_net *other)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < pcs_net_file(other)->n_fixed && !st; i++) {
        precis_array value;
        bool fixed;
        st = precis_net_fixed_input(other, i, &value);
        if (!st && pcs_netfile_port(pcs_net_file(net), value.name, &fixed)) st = precis_net_fix(net, &value);
    }
    return st;
}

precis_status pcs_net_open_with(precis_ctx *ctx, precis_net **out, const char *path,
                                const precis_net_quant_options *o)
{
    precis_status st = precis_net_open(ctx, out, path);
    for (size_t i = 0; i < o->n_values && !st; i++) st = precis_net_fix(*out, &o->values[i]);
    if (st) precis_net_close(out);
    return st;
}
