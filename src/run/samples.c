/* samples.c - samples of several sources as inputs of a net: each input has one source, all sources have as many
 * samples, and samples of one shape are put after one another as the net's first dimension. */
#include "precis/samples.h"

#include "base/file.h"
#include "base/options.h"
#include "read/source.h"
#include "run/net.h"
#include "run/watched.h"

#include <stdio.h>

#define SOURCE(name) extern const pcs_source_kind pcs_source_##name;
#include "read/sources.def"
#undef SOURCE
static const pcs_source_kind *const kinds[] = {
#define SOURCE(name) &pcs_source_##name,
#include "read/sources.def"
#undef SOURCE
};

/* Where an input's samples come from: several sources stand after one another. */
typedef struct feed {
    pcs_source **list;
    size_t n;
    uint64_t count; /* of all; UINT64_MAX: the same for all samples */
} feed;

struct precis_samples {
    precis_ctx *ctx;
    const precis_net *net;
    precis_samples_options o;
    pcs_arena arena;
    pcs_source *sources;
    size_t n_sources, n_inputs;
    size_t n_ports;       /* with those behind the inputs that have a value: their samples are held against it */
    precis_array *ports;  /* of the net */
    feed *from;           /* of each input */
    bool *as_it_is;       /* a sample is the whole input */
    precis_array *inputs; /* that were made last */
    void **room;
    uint64_t *room_bytes;
    uint64_t count;
    bool limited;
    uint64_t fixed; /* the net's own batch; 0: free */
    char name[4200];
};

static void array_text(const precis_array *a, char *out, size_t room)
{
    size_t at = (size_t)snprintf(out, room, "%s [", a->type);
    for (uint32_t d = 0; d < a->dims && at < room; d++)
        at += (size_t)snprintf(out + at, room - at, a->shape[d] < 0 ? "%s?" : "%s%lld", d ? ", " : "",
                               (long long)a->shape[d]);
    if (at < room) snprintf(out + at, room - at, "]");
}

static precis_status sample_differs(precis_samples *s, size_t k, uint64_t i, const precis_array *sample)
{
    char wants[200], has[200];
    array_text(&s->ports[k], wants, sizeof wants);
    array_text(sample, has, sizeof has);
    return pcs_fail(s->ctx, PRECIS_EINVAL, "input %s: %s is %s, the net takes %s", s->ports[k].name,
                    precis_samples_name(s, i), has, wants);
}

/* The source that sample i of a feed lies in, and its number there. */
static pcs_source *source_of(const feed *f, uint64_t *i)
{
    size_t at = 0;
    while (at + 1 < f->n && *i >= f->list[at]->count) *i -= f->list[at++]->count;
    if (f->list[at]->count == UINT64_MAX) *i = 0;
    return f->list[at];
}

/* Sample i of input k, held against what the net takes; without the first dimension unless as_it_is. */
static precis_status sample_of(precis_samples *s, size_t k, uint64_t i, precis_array *out)
{
    const precis_array *port = &s->ports[k];
    uint64_t at = i;
    pcs_source *from = source_of(&s->from[k], &at);
    const precis_status st = from->kind->sample(from, at, k, port, out);
    if (st) return st;
    const uint32_t skip = port->dims == out->dims + 1 ? 1 : 0;
    bool fits = !strcmp(out->type, port->type) && port->dims == out->dims + skip;
    for (uint32_t d = 0; d < out->dims && fits; d++)
        fits = port->shape[d + skip] < 0 || port->shape[d + skip] == out->shape[d];
    if (!fits) return sample_differs(s, k, i, out);
    s->as_it_is[k] = !skip;
    return PRECIS_OK;
}

/* "NAME=FILE" or "FILE", where the file itself may have a '='. */
static precis_status open_source(precis_samples *s, pcs_source *source, const char *given, const char **input)
{
    const char *equals = strchr(given, '=');
    size_t k = 0;
    *input = NULL;
    for (k = 0; equals && k < s->n_ports; k++)
        if (strlen(s->ports[k].name) == (size_t)(equals - given) &&
            !strncmp(s->ports[k].name, given, (size_t)(equals - given)))
            break;
    if (equals && k < s->n_ports) *input = s->ports[k].name;
    const char *path = *input ? equals + 1 : given;
    if (equals && !*input && pcs_absent(given))
        return pcs_fail(s->ctx, PRECIS_EINVAL, "the net has no input %.*s; its first is %s", (int)(equals - given),
                        given, s->n_inputs ? s->ports[0].name : "none");
    *source = (pcs_source){ .ctx = s->ctx, .path = path, .o = &s->o };
    if (pcs_absent(path)) return pcs_fail(s->ctx, PRECIS_EIO, "%s: is not there", path);
    const bool folder = pcs_is_dir(path);
    for (k = 0; k < sizeof kinds / sizeof *kinds && !source->kind; k++)
        if (kinds[k]->takes(path, folder)) source->kind = kinds[k];
    if (!source->kind)
        return pcs_fail(s->ctx, PRECIS_EINVAL,
                        "%s: samples are a .npy, an .npz, a folder of .npz files or a folder of images", path);
    return source->kind->open(source);
}

static precis_status assign(precis_samples *s, pcs_source *source, const char *input)
{
    size_t n = 0;
    const bool named = source->kind->named && source->kind->named(source);
    for (size_t k = 0; k < s->n_ports; k++) {
        const char *name = s->ports[k].name;
        const bool has = named && source->kind->has(source, name);
        const bool only = !k && s->n_inputs == 1 && !(named && s->n_ports > 1);
        if (input ? strcmp(name, input) : !has && !only) continue;
        if (named && !has)
            return pcs_fail(s->ctx, PRECIS_EINVAL, "%s: has no array %s, which the net takes", source->path, name);
        feed *f = &s->from[k];
        if (f->n && (f->count == UINT64_MAX || source->count > UINT64_MAX - 1 - f->count))
            return pcs_fail(s->ctx, PRECIS_EINVAL, "input %s has two sources, %s and %s, and one is the same for all",
                            name, f->list[0]->path, source->path);
        f->count = f->n ? f->count + source->count : source->count;
        f->list[f->n++] = source;
        n++;
    }
    if (n) return PRECIS_OK;
    return pcs_fail(s->ctx, PRECIS_EINVAL, "%s: for which of the net's inputs? Say NAME=%s (the first is %s)",
                    source->path, source->path, s->n_inputs ? s->ports[0].name : "none");
}

/* Have all samples of input k one shape? The first of each source is looked at. */
static precis_status look(precis_samples *s, size_t k, bool *one_shape)
{
    const feed *f = &s->from[k];
    precis_array first = { .dims = 0 }, other;
    uint64_t i = 0;
    *one_shape = true;
    for (size_t at = 0; at < f->n && i < s->count; i += f->list[at++]->count) {
        const bool before = s->as_it_is[k];
        const precis_status st = sample_of(s, k, i, &other);
        if (st) return st;
        if (at && before != s->as_it_is[k]) return sample_differs(s, k, i, &other);
        *one_shape &= f->list[at]->kind->same_shape(f->list[at]) &&
                      (!at || (first.dims == other.dims && !memcmp(first.shape, other.shape, sizeof first.shape)));
        if (!at) first = other;
        if (f->count == UINT64_MAX) break;
    }
    return PRECIS_OK;
}

/* How many there are, and of which batch. */
static precis_status settle_count(precis_samples *s)
{
    s->count = UINT64_MAX;
    for (size_t k = 0; k < s->n_ports; k++) {
        const feed *from = &s->from[k];
        if (!from->n && k >= s->n_inputs) continue;
        if (!from->n) return pcs_fail(s->ctx, PRECIS_EINVAL, "input %s of the net has no samples", s->ports[k].name);
        if (from->count == UINT64_MAX) continue;
        if (s->count == UINT64_MAX) s->count = from->count;
        if (s->count != from->count)
            return pcs_fail(s->ctx, PRECIS_EINVAL, "%s has %llu samples, others have %llu", from->list[0]->path,
                            (unsigned long long)from->count, (unsigned long long)s->count);
    }
    if (s->count == UINT64_MAX) s->count = 1;
    s->limited = s->o.limit && s->count > s->o.limit;
    if (s->limited) s->count = s->o.limit;
    if (!s->count) return pcs_fail(s->ctx, PRECIS_EINVAL, "%s: has no samples", s->sources[0].path);
    for (size_t k = 0; k < s->n_inputs; k++) {
        bool one_shape;
        const precis_status st = look(s, k, &one_shape);
        if (st) return st;
        if (s->as_it_is[k] || !one_shape) s->fixed = 1;
    }
    for (size_t k = 0; k < s->n_inputs && s->fixed != 1; k++) {
        const int64_t d = s->ports[k].shape[0];
        if (d <= 0) continue;
        if (s->fixed && s->fixed != (uint64_t)d)
            return pcs_fail(s->ctx, PRECIS_EINVAL, "input %s takes %lld samples at a time, others take %llu",
                            s->ports[k].name, (long long)d, (unsigned long long)s->fixed);
        s->fixed = (uint64_t)d;
    }
    return PRECIS_OK;
}

static precis_status open_all(precis_samples *s, const precis_net *net, const char *const *sources, size_t n)
{
    precis_status st = PRECIS_OK;
    const char *input;
    for (size_t k = 0; k < s->n_ports && !st; k++) {
        st = k < s->n_inputs ? precis_net_input(net, k, &s->ports[k])
                             : precis_net_fixed_input(net, k - s->n_inputs, &s->ports[k]);
        s->from[k].list = pcs_arena_alloc(&s->arena, n + 1, sizeof *s->from[k].list);
        if (!st && !s->from[k].list) st = PRECIS_ENOMEM;
    }
    if (!st && !n) return pcs_fail(s->ctx, PRECIS_EINVAL, "no samples are given");
    for (size_t i = 0; i < n && !st; i++) {
        const char *own = pcs_arena_copy(&s->arena, sources[i], strlen(sources[i]));
        if (!own) return PRECIS_ENOMEM;
        s->n_sources = i + 1;
        st = open_source(s, &s->sources[i], own, &input);
        if (!st) st = assign(s, &s->sources[i], input);
    }
    return st ? st : settle_count(s);
}

static precis_status check_options(precis_ctx *ctx, const precis_samples_options *o)
{
    for (int c = 0; c < 3; c++)
        if (!(o->deviation[c] > 0 && o->deviation[c] < 1e30 && o->mean[c] > -1e30 && o->mean[c] < 1e30))
            return pcs_fail(ctx, PRECIS_EINVAL, "mean %g and standard deviation %g of channel %d of images", o->mean[c],
                            o->deviation[c], c);
    if (!(o->pixels > 0 && o->pixels <= 65535))
        return pcs_fail(ctx, PRECIS_EINVAL, "white is %g; it is 1 or 255", o->pixels);
    if (o->layout && strcmp(o->layout, "nchw") && strcmp(o->layout, "nhwc"))
        return pcs_fail(ctx, PRECIS_EINVAL, "layout %s; it is nchw or nhwc", o->layout);
    if (o->resize > 32768 || o->resize_width > 32768 || o->crop > 32768 || o->crop_width > 32768)
        return pcs_fail(ctx, PRECIS_EINVAL, "images have at most 32,768 pixels a side");
    return PRECIS_OK;
}

precis_status precis_samples_open(precis_ctx *ctx, precis_samples **out, const precis_net *net,
                                  const char *const *sources, size_t n, const precis_samples_options *opts)
{
    *out = NULL;
    precis_samples *s = pcs_alloc(ctx, 1, sizeof *s);
    if (!s) return PRECIS_ENOMEM;
    s->ctx = ctx;
    s->net = net;
    s->o = (precis_samples_options)PRECIS_SAMPLES_OPTIONS_INIT;
    pcs_options_take(&s->o, sizeof s->o, opts);
    pcs_arena_init(&s->arena, ctx);
    s->n_inputs = precis_net_inputs(net);
    s->n_ports = s->n_inputs + precis_net_fixed(net);
    s->sources = pcs_alloc(ctx, n + 1, sizeof *s->sources);
    s->ports = pcs_arena_alloc(&s->arena, s->n_ports + 1, sizeof *s->ports);
    s->inputs = pcs_arena_alloc(&s->arena, s->n_ports + 1, sizeof *s->inputs);
    s->from = pcs_arena_alloc(&s->arena, s->n_ports + 1, sizeof *s->from);
    s->as_it_is = pcs_arena_alloc(&s->arena, s->n_ports + 1, sizeof *s->as_it_is);
    s->room = pcs_arena_alloc(&s->arena, s->n_ports + 1, sizeof *s->room);
    s->room_bytes = pcs_arena_alloc(&s->arena, s->n_ports + 1, sizeof *s->room_bytes);
    for (int c = 0; c < 3; c++)
        if (s->o.deviation[c] == 0) s->o.deviation[c] = 1;
    precis_status st = s->sources && s->ports && s->inputs && s->from && s->as_it_is && s->room && s->room_bytes
                           ? check_options(ctx, &s->o)
                           : PRECIS_ENOMEM;
    if (!st) st = open_all(s, net, sources, n);
    if (st) precis_samples_close(&s);
    *out = s;
    return st;
}

void precis_samples_close(precis_samples **samples)
{
    precis_samples *s = *samples;
    if (!s) return;
    precis_ctx *ctx = s->ctx;
    for (size_t i = 0; s->sources && i < s->n_sources; i++)
        if (s->sources[i].kind) s->sources[i].kind->close(&s->sources[i]);
    pcs_free(ctx, s->sources);
    for (size_t k = 0; s->room && k < s->n_ports; k++) pcs_free(ctx, s->room[k]);
    pcs_arena_free(&s->arena);
    pcs_free(ctx, s);
    *samples = NULL;
}

precis_status precis_samples_also(precis_samples *s, const precis_net *net)
{
    if (precis_net_inputs(net) != s->n_inputs)
        return pcs_fail(s->ctx, PRECIS_EINVAL, "the nets have %zu and %zu inputs: they are not the same net, or an "
                        "input of one has a value in the other (--input NAME=N)", s->n_inputs, precis_net_inputs(net));
    for (size_t i = 0; i < s->n_inputs; i++) {
        precis_array port;
        size_t k = 0;
        precis_net_input(net, i, &port);
        while (k < s->n_inputs && strcmp(s->ports[k].name, port.name)) k++;
        if (k == s->n_inputs)
            return pcs_fail(s->ctx, PRECIS_EINVAL,
                            "input %s is one of the reference's alone: they are not the same net", port.name);
        const uint64_t d = port.dims && port.shape[0] > 0 && !s->as_it_is[k] ? (uint64_t)port.shape[0] : 0;
        if (d && s->fixed && s->fixed != d)
            return pcs_fail(s->ctx, PRECIS_EINVAL, "input %s: one net takes %llu samples at a time, the other %llu",
                            port.name, (unsigned long long)s->fixed, (unsigned long long)d);
        if (d) s->fixed = d;
    }
    return PRECIS_OK;
}

/* The one value that input k has in all samples. PRECIS_EINVAL: it has several. */
static precis_status only_value(precis_samples *s, size_t k, uint8_t value[8], precis_array *out)
{
    for (uint64_t i = 0; i < s->count; i++) {
        precis_array one;
        const precis_status st = sample_of(s, k, i, &one);
        if (st) return st;
        if (!i) *out = one;
        if (!i) memcpy(value, one.data, one.bytes);
        if (!memcmp(value, one.data, one.bytes)) continue;
        return pcs_fail(s->ctx, PRECIS_EINVAL, "input %.60s decides which net it is, and %s holds another value than "
                        "the first: a file is made for one (--input %.60s=N, and samples that have it)",
                        s->ports[k].name, precis_samples_name(s, i), s->ports[k].name);
    }
    out->name = s->ports[k].name;
    out->data = value;
    return PRECIS_OK;
}

precis_status precis_samples_fix(precis_samples *s, precis_net *net, size_t *n)
{
    precis_status st = PRECIS_OK;
    for (bool more = true; more && !st;) {
        const pcs_netfile_graph *g; /* a job finds it made, and wants its names */
        more = pcs_net_named_graph(net, &g) == PRECIS_EUNSUPPORTED;
        const pcs_netfile *f = pcs_net_file(net);
        size_t i = 0, k = 0;
        while (more && i < f->n_inputs && !(precis_net_asks(net, i) && pcs_port_fixable(&f->inputs[i]))) i++;
        if (!more || i == f->n_inputs) break;
        const char *name = f->inputs[i].name;
        while (k < s->n_inputs && strcmp(s->ports[k].name, name)) k++;
        if (k == s->n_inputs) break;
        uint8_t value[8];
        char text[24];
        precis_array only;
        st = only_value(s, k, value, &only);
        if (!st) st = precis_net_fix(net, &only);
        if (!st)
            pcs_warn(s->ctx, "%s: input %.60s is %s in all samples, and has this value from here on", f->path, name,
                     pcs_port_value(&f->inputs[f->n_inputs], text));
        *n += !st;
    }
    return st;
}

uint64_t precis_samples_count(const precis_samples *s) { return s->count; }
int precis_samples_limited(const precis_samples *s) { return s->limited; }

int precis_samples_images(const precis_samples *s)
{
    for (size_t i = 0; i < s->n_sources; i++)
        if (s->sources[i].kind == &pcs_source_images) return 1;
    return 0;
}

uint64_t precis_samples_batch(const precis_samples *s, uint64_t wanted)
{
    return s->fixed ? s->fixed : wanted ? wanted : 1;
}

/* n samples after one another, and the last one again up to `all`. */
static precis_status batch_of(precis_samples *s, size_t k, uint64_t first, uint64_t n, uint64_t all)
{
    precis_array one, *in = &s->inputs[k];
    precis_status st = sample_of(s, k, first, &one);
    uint64_t bytes = 0;
    if (st) return st;
    *in = one;
    in->name = s->ports[k].name;
    if (s->as_it_is[k]) return PRECIS_OK;
    in->dims = one.dims + 1;
    in->shape[0] = (int64_t)all;
    for (uint32_t d = 0; d < one.dims; d++) in->shape[d + 1] = one.shape[d];
    if (!pcs_mul_ok(one.bytes, all, &bytes)) return PRECIS_ENOMEM;
    if (bytes + 64 > s->room_bytes[k]) {
        pcs_free(s->ctx, s->room[k]);
        s->room_bytes[k] = 0;
        if (!(s->room[k] = pcs_alloc(s->ctx, (size_t)bytes + 64, 1))) return PRECIS_ENOMEM;
        s->room_bytes[k] = bytes + 64;
    }
    in->data = s->room[k];
    in->bytes = bytes;
    const uint64_t each = one.bytes;
    for (uint64_t i = 0; i < all && !st; i++) {
        if (i < n && i) st = sample_of(s, k, first + i, &one);
        if (!st && one.bytes != each) st = sample_differs(s, k, first + i, &one);
        if (!st && each) memcpy((char *)s->room[k] + i * each, one.data, each);
    }
    return st;
}

/* Samples of an input that has a value hold just that. */
static precis_status check_values(precis_samples *s, uint64_t first, uint64_t n)
{
    for (size_t k = s->n_inputs; k < s->n_ports; k++)
        for (uint64_t i = first; s->from[k].n && i < first + n; i++) {
            precis_array one;
            bool fixed;
            const precis_status st = sample_of(s, k, i, &one);
            if (st) return st;
            one.name = s->ports[k].name;
            const precis_status same = pcs_netfile_has_value(pcs_net_file(s->net), &one, &fixed);
            if (!same) continue;
            char why[sizeof s->ctx->message];
            memcpy(why, s->ctx->message, sizeof why);
            return pcs_fail(s->ctx, same, "%s: %s", precis_samples_name(s, i), why);
        }
    return PRECIS_OK;
}

precis_status precis_samples_read(precis_samples *s, uint64_t first, uint64_t n, const precis_array **inputs)
{
    *inputs = NULL;
    if (!n || first >= s->count || n > s->count - first || (s->fixed && n > s->fixed))
        return pcs_fail(s->ctx, PRECIS_EINVAL, "samples %llu to %llu of %llu", (unsigned long long)first,
                        (unsigned long long)(first + n), (unsigned long long)s->count);
    precis_status st = check_values(s, first, n);
    for (size_t k = 0; k < s->n_inputs && !st; k++) st = batch_of(s, k, first, n, s->fixed ? s->fixed : n);
    if (!st) *inputs = s->inputs;
    return st;
}

const char *precis_samples_name(precis_samples *s, uint64_t i)
{
    for (size_t k = 0; k < s->n_inputs; k++) {
        uint64_t at = i;
        const pcs_source *from = s->from[k].n ? source_of(&s->from[k], &at) : NULL;
        if (!from || !from->kind || !from->kind->file || at >= from->count) continue;
        snprintf(s->name, sizeof s->name, "%s", from->kind->file(from, at));
        return s->name;
    }
    uint64_t at = i;
    const bool there = s->n_inputs && s->from[0].n;
    const char *path = there ? source_of(&s->from[0], &at)->path : s->sources[0].path;
    snprintf(s->name, sizeof s->name, "sample %llu of %s", (unsigned long long)at, path);
    return s->name;
}

int64_t precis_samples_class(const precis_samples *s, uint64_t i, uint64_t *classes)
{
    if (classes) *classes = 0;
    for (size_t k = 0; k < s->n_inputs; k++)
        if (s->from[k].n > 1) return -1; /* folders of two sources name different classes */
    for (size_t k = 0; k < s->n_sources; k++)
        if (s->sources[k].kind->class_of) return s->sources[k].kind->class_of(&s->sources[k], i, classes);
    return -1;
}
