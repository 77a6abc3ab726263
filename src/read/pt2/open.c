/* open.c - what an archive is, and what its graph says of itself: inputs,
 * outputs, ops. */
#include "read/pt2/aten.h"

#include <stdio.h>

extern const pcs_netfile_reader pcs_netfile_pt2;

/* ---- what it is --------------------------------------------------------------------------------- */

static const char made_anew[] = "\n  In Python, with the class of the net at hand:\n"
                                "    import torch\n"
                                "    net.load_state_dict(torch.load(\"IN.pth\")); net.eval()\n"
                                "    torch.export.save(torch.export.export(net, (example_input,)), "
                                "\"OUT.pt2\")";
static const char saved_anew[] = "\n  Under torch 2.9 or later:\n"
                                 "    import torch; torch.export.save(torch.export.load(\"IN.pt2\"), "
                                 "\"OUT.pt2\")";

static precis_status refuse(pcs_pt2 *net, const char *what, const char *cure)
{
    pcs_fail(net->ctx, PRECIS_EUNSUPPORTED, "%s: %s", net->file.path, what);
    pcs_add_lines(net->ctx, cure);
    return PRECIS_EUNSUPPORTED;
}

/* Other zips of torch's, by their members. */
static precis_status check_kind(pcs_pt2 *net)
{
    const pcs_zip *z = &net->zip;
    if (pcs_zip_like(z, "serialized_exported_program.json", "") || pcs_zip_like(z, "serialized_state_dict.pt", ""))
        return refuse(net,
                      "is of torch.export before 2.8, whose weights are a pickle, "
                      "which is never opened",
                      saved_anew);
    if (pcs_zip_like(z, "code/", ".py"))
        return refuse(net,
                      "is TorchScript (torch.jit.save), which is code; precis "
                      "reads the graphs of torch.export",
                      made_anew);
    if (pcs_zip_find(&net->zip, "data.pkl"))
        return refuse(net,
                      "is a checkpoint of torch.save: a pickle, which is never "
                      "opened, and no graph",
                      made_anew);
    if (pcs_zip_like(z, "data/weights/", ".pt") && !pcs_zip_like(z, "data/weights/", "_weights_config.json"))
        return refuse(net, "is of torch 2.8, whose weights are a pickle, which is never opened", saved_anew);
    if (pcs_zip_like(z, "models/", ".json")) return PRECIS_OK;
    if (pcs_zip_like(z, "data/aotinductor/", ""))
        return refuse(net, "holds compiled code of AOTInductor and no graph (models/*.json)", made_anew);
    if (pcs_zip_like(z, "data/executorch/", ""))
        return refuse(net, "holds a program of ExecuTorch and no graph", made_anew);
    return refuse(net, "is a zip, but no archive of torch.export: it has no models/*.json", made_anew);
}

static precis_status check_word(pcs_pt2 *net, const char *name, const char *wanted, bool must)
{
    pcs_zip_member *m = pcs_zip_find(&net->zip, name);
    const uint8_t *data;
    if (!m && !must) return PRECIS_OK;
    if (!m) return pcs_fail(net->ctx, PRECIS_EFORMAT, "%s: has no member %s", net->file.path, name);
    const precis_status st = pcs_zip_data(&net->zip, m, &data);
    if (st) return st;
    while (m->size && (data[m->size - 1] == '\n' || data[m->size - 1] == ' ')) m->size--;
    const pcs_str s = { (const char *)data, m->size };
    if (pcs_str_is(s, wanted)) return PRECIS_OK;
    return pcs_fail(net->ctx, PRECIS_EUNSUPPORTED, "%s: %s is %.*s; only %s is read", net->file.path, name,
                    (int)(s.n < 40 ? s.n : 40), s.s, wanted);
}

/* The one graph of the archive. */
static precis_status find_model(pcs_pt2 *net, pcs_zip_member **out)
{
    char names[200] = "";
    size_t at = 0, count = 0;
    for (uint32_t i = 0; i < net->zip.n; i++) {
        const pcs_str s = net->zip.members[i].name;
        if (s.n <= 12 || memcmp(s.s, "models/", 7) || memcmp(s.s + s.n - 5, ".json", 5)) continue;
        *out = &net->zip.members[i];
        if (count++ < 8 && at < sizeof names)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%.*s", at ? ", " : "",
                                   (int)(s.n - 12 < 24 ? s.n - 12 : 24), s.s + 7);
    }
    if (count == 1) return PRECIS_OK;
    return pcs_fail(net->ctx, PRECIS_EUNSUPPORTED,
                    "%s: holds %zu nets (%s); save the one that is meant alone, "
                    "with torch.export.save",
                    net->file.path, count, names);
}

/* ---- the graph ---------------------------------------------------------------------------------- */

static precis_status missing(pcs_pt2 *net, uint32_t at, const char *what)
{
    return pcs_tree_fail(&net->tree, at, PRECIS_EFORMAT, "has no %s", what);
}

static precis_status find_parts(pcs_pt2 *net)
{
    const pcs_tree *t = &net->tree;
    int64_t major = 0;
    const uint32_t version = pcs_tree_get(t, 0, "schema_version"), module = pcs_tree_get(t, 0, "graph_module"),
                   signature = module ? pcs_tree_get(t, module, "signature") : 0;
    if (!version || !pcs_tree_int(t, pcs_tree_get(t, version, "major"), &major))
        return missing(net, 0, "schema_version");
    if (major != 8)
        return pcs_tree_fail(t, version, PRECIS_EUNSUPPORTED, "is of schema %lld; 8 is read (torch 2.9 to 2.15)",
                             (long long)major);
    net->graph = module ? pcs_tree_get(t, module, "graph") : 0;
    if (!net->graph || !signature) return missing(net, module, "graph, or no signature");
    net->nodes = pcs_tree_get(t, net->graph, "nodes");
    net->inputs = pcs_tree_get(t, net->graph, "inputs");
    net->outputs = pcs_tree_get(t, net->graph, "outputs");
    net->input_specs = pcs_tree_get(t, signature, "input_specs");
    net->output_specs = pcs_tree_get(t, signature, "output_specs");
    const uint32_t lists[] = { net->nodes, net->inputs, net->outputs, net->input_specs, net->output_specs };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!lists[i] || pcs_tree_type(t, lists[i]) != PCS_JSON_ARRAY)
            return missing(net, net->graph, "list of nodes, inputs or outputs");
    if (pcs_tree_count(t, net->input_specs) != pcs_tree_count(t, net->inputs) ||
        pcs_tree_count(t, net->output_specs) != pcs_tree_count(t, net->outputs))
        return missing(net, signature, "input_spec for each input, or output_spec for each output");
    const uint32_t metas = pcs_tree_get(t, net->graph, "tensor_values");
    if (!metas || pcs_tree_type(t, metas) != PCS_JSON_OBJECT) return missing(net, net->graph, "tensor_values");
    for (uint32_t k = metas + 1; k < pcs_tree_end(t, metas); k = pcs_tree_next(t, k)) {
        const pcs_str key = pcs_tree_text(t, k);
        bool existed;
        const precis_status st = pcs_map_put(&net->metas, key.s, key.n, k + 1, &existed);
        if (st) return st;
        if (existed) return pcs_tree_fail(t, k, PRECIS_EFORMAT, "two values have one name");
    }
    return PRECIS_OK;
}

/* A name that belongs to the net. */
static precis_status keep(pcs_pt2 *net, pcs_str s, const char **out)
{
    *out = pcs_arena_copy(&net->arena, s.s, s.n);
    return *out ? PRECIS_OK : PRECIS_ENOMEM;
}

/* What tensor_values say of a value. */
static precis_status describe(pcs_pt2 *net, pcs_str name, pcs_port *port)
{
    const pcs_tree *t = &net->tree;
    uint32_t at;
    pcs_pt2_meta m;
    char text[160];
    precis_status st = keep(net, name, &port->name);
    if (st || !pcs_map_get(&net->metas, name.s, name.n, &at)) return st;
    if ((st = pcs_pt2_read_meta(t, at, false, &m))) return st;
    port->typed = port->shaped = true;
    port->dtype = m.dtype;
    port->dims = m.dims;
    memcpy(port->shape, m.shape, sizeof m.shape);
    for (uint32_t i = 0; i < m.dims; i++)
        if (m.shape[i] < 0 && !pcs_pt2_symbol_text(t, m.size[i], text, sizeof text) &&
            (st = keep(net, (pcs_str){ text, strlen(text) }, &port->symbol[i])))
            return st;
    return PRECIS_OK;
}

static precis_status read_inputs(pcs_pt2 *net)
{
    const pcs_tree *t = &net->tree;
    net->base.inputs = pcs_arena_alloc(&net->arena, pcs_tree_count(t, net->inputs) + 1, sizeof *net->base.inputs);
    if (!net->base.inputs) return PRECIS_ENOMEM;
    uint32_t k = net->inputs + 1;
    for (uint32_t s = net->input_specs + 1; s < pcs_tree_end(t, net->input_specs);
         s = pcs_tree_next(t, s), k = pcs_tree_next(t, k)) {
        pcs_str kind, tag;
        const uint32_t spec = pcs_tree_only(t, s, &kind), arg = pcs_tree_only(t, k, &tag);
        if (!spec || !arg) return pcs_tree_fail(t, s, PRECIS_EFORMAT, "is no input");
        if (!pcs_str_is(kind, "user_input")) continue;
        const bool tensor = pcs_str_is(tag, "as_tensor");
        const uint32_t name = pcs_tree_get(t, arg, tensor ? "name" : "as_name");
        pcs_port *port = &net->base.inputs[net->base.n_inputs];
        if (!name) continue; /* a number or nothing, which the graph has as a constant */
        *port = (pcs_port){ .name = "" };
        const precis_status st = describe(net, pcs_tree_text(t, name), port);
        if (st) return st;
        if (!tensor) port->typed = port->shaped = true, port->dtype = PCS_I64;
        net->base.n_inputs++;
    }
    return PRECIS_OK;
}

/* A name that no output before has: a value may be an output twice. */
static precis_status name_output(pcs_pt2 *net, pcs_port *port, pcs_map *names)
{
    bool existed;
    precis_status st = pcs_map_put(names, port->name, strlen(port->name), 0, &existed);
    const char *base = port->name;
    for (int i = 2; !st && existed && i < 10000; i++) {
        port->name = pcs_arena_printf(&net->arena, "%s.%d", base, i);
        st = port->name ? pcs_map_put(names, port->name, strlen(port->name), 0, &existed) : PRECIS_ENOMEM;
    }
    return st;
}

/* The value of an output, or a number that the graph has as a constant; *name
 * empty: there is nothing. */
static precis_status describe_output(pcs_pt2 *net, uint32_t token, uint32_t place, pcs_port *port)
{
    const pcs_tree *t = &net->tree;
    pcs_str tag;
    const uint32_t arg = pcs_tree_only(t, token, &tag);
    *port = (pcs_port){ .name = "" };
    if (!arg) return pcs_tree_fail(t, token, PRECIS_EFORMAT, "is no output");
    if (pcs_str_is(tag, "as_none") || pcs_str_is(tag, "as_string")) return PRECIS_OK;
    const uint32_t named = pcs_tree_type(t, arg) == PCS_JSON_OBJECT ? pcs_tree_get(t, arg, "name") : 0,
                   as = named || pcs_tree_type(t, arg) != PCS_JSON_OBJECT ? named : pcs_tree_get(t, arg, "as_name");
    const bool tensor = pcs_str_is(tag, "as_tensor");
    if (as) {
        const precis_status st = describe(net, pcs_tree_text(t, as), port);
        if (st || tensor) return st;
    } else if (tensor) return pcs_tree_fail(t, token, PRECIS_EFORMAT, "has no name");
    else if (!(port->name = pcs_arena_printf(&net->arena, "output_%u", place))) return PRECIS_ENOMEM;
    port->typed = port->shaped = true;
    port->dtype = pcs_str_is(tag, "as_bool") || pcs_str_is(tag, "as_sym_bool")     ? PCS_BOOL
                  : pcs_str_is(tag, "as_float") || pcs_str_is(tag, "as_sym_float") ? PCS_F64
                                                                                   : PCS_I64;
    return PRECIS_OK;
}

static precis_status read_outputs(pcs_pt2 *net)
{
    const pcs_tree *t = &net->tree;
    const uint32_t count = pcs_tree_count(t, net->outputs);
    uint32_t k = net->outputs + 1, place = 0;
    pcs_map names;
    precis_status st = PRECIS_OK;
    net->base.outputs = pcs_arena_alloc(&net->arena, count + 1, sizeof *net->base.outputs);
    net->output_tokens = pcs_arena_alloc(&net->arena, count + 1, sizeof *net->output_tokens);
    if (!net->base.outputs || !net->output_tokens) return PRECIS_ENOMEM;
    pcs_map_init(&names, net->ctx);
    for (uint32_t s = net->output_specs + 1; !st && s < pcs_tree_end(t, net->output_specs);
         s = pcs_tree_next(t, s), k = pcs_tree_next(t, k)) {
        pcs_str kind;
        if (!pcs_tree_only(t, s, &kind)) st = pcs_tree_fail(t, s, PRECIS_EFORMAT, "is no output");
        else if (pcs_str_is(kind, "user_output")) {
            pcs_port *port = &net->base.outputs[net->base.n_outputs];
            st = describe_output(net, k, place++, port);
            if (st || !*port->name) continue;
            net->output_tokens[net->base.n_outputs++] = k;
            st = name_output(net, port, &names);
        } else if (!pcs_str_is(kind, "buffer_mutation") && !pcs_str_is(kind, "user_input_mutation"))
            st = pcs_tree_fail(t, s, PRECIS_EUNSUPPORTED, "output %.*s is of training; export net.eval()",
                               (int)(kind.n < 60 ? kind.n : 60), kind.s);
    }
    pcs_map_free(&names);
    if (!st && !net->base.n_outputs) st = missing(net, net->outputs, "output");
    return st;
}

static precis_status count_ops(pcs_pt2 *net)
{
    const pcs_tree *t = &net->tree;
    net->base.counts = pcs_arena_alloc(&net->arena, PCS_LIMIT_NET_OPS, sizeof *net->base.counts);
    if (!net->base.counts) return PRECIS_ENOMEM;
    for (uint32_t k = net->nodes + 1; k < pcs_tree_end(t, net->nodes); k = pcs_tree_next(t, k)) {
        const uint32_t target = pcs_tree_get(t, k, "target");
        if (!target || pcs_tree_type(t, target) != PCS_JSON_STRING) return missing(net, k, "target");
        const pcs_str name = pcs_aten_short(pcs_tree_text(t, target));
        if (!pcs_netfile_count_op(&net->base, (pcs_str){ "", 0 }, name, pcs_aten_supports(name)))
            return pcs_tree_fail(t, k, PRECIS_EFORMAT, "has more than %d different ops", PCS_LIMIT_NET_OPS);
    }
    return PRECIS_OK;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static precis_status read_model(pcs_pt2 *net)
{
    pcs_zip_member *m = NULL;
    precis_status st = find_model(net, &m);
    if (!st) st = pcs_zip_data(&net->zip, m, &net->start);
    if (st) return st;
    const char *file =
        pcs_arena_printf(&net->arena, "%s: %.*s", net->file.path, (int)(m->name.n < 200 ? m->name.n : 200), m->name.s);
    if (!file) return PRECIS_ENOMEM;
    const pcs_str model = { m->name.s + 7, m->name.n - 12 };
    st = pcs_tree_open(net->ctx, &net->tree, file, (pcs_str){ (const char *)net->start, m->size }, "metadata");
    if (!st) st = find_parts(net);
    if (!st) st = pcs_pt2_open_store(net, &net->weights, "data/weights/", model, "_weights_config.json");
    if (!st) st = pcs_pt2_open_store(net, &net->constants, "data/constants/", model, "_constants_config.json");
    if (!st) st = read_inputs(net);
    if (!st) st = read_outputs(net);
    return st ? st : count_ops(net);
}

static precis_status read_archive(pcs_pt2 *net)
{
    const uint8_t *head = net->file.map;
    if (net->file.size >= 2 && head[0] == 0x80)
        return refuse(net, "is a pickle (torch.save of old), which is never opened", made_anew);
    precis_status st = pcs_zip_open(net->ctx, &net->zip, net->file.path, head, net->file.size);
    if (!st) st = check_kind(net);
    if (!st) st = pcs_zip_check(&net->zip);
    if (!st) st = check_word(net, "archive_format", "pt2", true);
    if (!st) st = check_word(net, "archive_version", "0", true);
    if (!st) st = check_word(net, "byteorder", "little", false);
    return st ? st : read_model(net);
}

static void close_file(pcs_netfile *file)
{
    pcs_pt2 *net = (pcs_pt2 *)file;
    precis_ctx *ctx = net->ctx;
    pcs_pt2_close_store(&net->weights);
    pcs_pt2_close_store(&net->constants);
    pcs_map_free(&net->metas);
    pcs_tree_close(&net->tree);
    pcs_zip_close(&net->zip);
    if (net->file.fd >= 0) pcs_file_close(ctx, &net->file);
    pcs_arena_free(&net->arena);
    pcs_free(ctx, net);
}

static precis_status open_file(precis_ctx *ctx, pcs_netfile **out, const char *path)
{
    pcs_pt2 *net = pcs_alloc(ctx, 1, sizeof *net);
    if (!net) return PRECIS_ENOMEM;
    net->ctx = net->base.ctx = ctx;
    net->base.reader = &pcs_netfile_pt2;
    net->file.fd = -1;
    pcs_arena_init(&net->arena, ctx);
    pcs_map_init(&net->metas, ctx);
    precis_status st = pcs_file_open(ctx, &net->file, path);
    if (st) net->file = (pcs_file){ .fd = -1 };
    else {
        ctx->file = net->base.path = net->file.path;
        st = read_archive(net);
        ctx->file = NULL;
    }
    if (st) close_file(&net->base);
    *out = st ? NULL : &net->base;
    return st;
}

/* A zip whose first member has a name that torch.export gives; other zips and pickles are what they are called (.pt2),
 * or whoever reads models says what to do with them. */
static bool probe(const uint8_t *head, size_t n)
{
    static const char *const names[] = { "/data/weights/", "/data/constants/", "/models/", "/archive_format",
                                         "/serialized_exported_program.json" };
    if (n < 30 || memcmp(head, "PK\3\4", 4)) return false;
    const size_t given = head[26] | (size_t)head[27] << 8, size = given < n - 30 ? given : n - 30;
    const char *name = (const char *)head + 30;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (size_t i = 0; i + strlen(names[k]) <= size; i++)
            if (!memcmp(name + i, names[k], strlen(names[k]))) return true;
    return false;
}

/* Zips and pickles: checkpoints, TorchScript. */
static bool knows(const uint8_t *head, size_t n)
{
    return n >= 4 && (!memcmp(head, "PK\3\4", 4) || (head[0] == 0x80 && head[1] <= 5));
}

const pcs_netfile_reader pcs_netfile_pt2 = {
    .name = "pt2",
    .fixes = true,
    .ending = ".pt2",
    .probe = probe,
    .knows = knows,
    .open = open_file,
    .close = close_file,
    .import = pcs_pt2_import,
};
