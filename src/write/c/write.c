/* write.c - a net as one C file, whole: read for its sizes, lowered as for a run, planned, written, and read back
 * before it has its name. */
#include "base/sha256.h"
#include "graph/pass.h"
#include "write/c/functions.h"
#include "write/write.h"

#include <stdio.h>

/* Of the text: a byte of constants takes some 5 characters, and all else is little beside it. */
#define MOST ((size_t)PCS_LIMIT_C_CONSTANTS * 8 + (64u << 20))

/* ---- the net ------------------------------------------------------------------------------------------ */

/* Of a dimension: the file's own, what was given for it, and 1 for a first one; -1: there is none. A size that is given
 * for what has another is an error: that of the file would be in vain what the caller asked for. */
static precis_status bind_size(pcs_c_file *w, size_t input, const pcs_port *p, uint32_t d, int64_t *size)
{
    const pcs_netfile_given *s = w->what->sizes && input < w->what->n_sizes ? &w->what->sizes[input] : NULL;
    const int64_t given = s && s->shaped && s->dims == p->dims ? s->shape[d] : -1;
    *size = p->shape[d] >= 0 ? p->shape[d] : given >= 0 ? given : d ? -1 : 1;
    if (given >= 0 && given != *size)
        return pcs_fail(w->ctx, PRECIS_EINVAL, "%s: dimension %u of input %.60s is %lld in the net, and was to be %lld",
                        w->what->source, d, p->name, (long long)*size, (long long)given);
    if (*size < 0)
        return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                        "%s: dimension %.60s of input %.60s has no size; a C file needs all but the first: give it "
                        "(--size 224, --size 48x320, --size NAME=N,...)",
                        w->what->source, p->symbol[d] ? p->symbol[d] : "?", p->name);
    return PRECIS_OK;
}

/* An input of which a dimension after the first was open. */
static void say_sizes(pcs_c_file *w, const pcs_port *p, const pcs_netfile_given *given)
{
    char text[200] = "";
    size_t at = 0;
    bool open = false;
    for (uint32_t d = 0; d < p->dims && at < sizeof text - 24; d++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%lld", d ? "," : "", (long long)given->shape[d]);
        open |= d && p->shape[d] < 0;
    }
    if (open) pcs_warn(w->ctx, "%s: input %.60s is [%s] in the C file", w->what->source, p->name, text);
}

static precis_status bind_sizes(pcs_c_file *w, const pcs_netfile *f, pcs_netfile_given *given)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < f->n_inputs; i++) {
        const pcs_port *p = &f->inputs[i];
        if (!p->shaped || !p->typed)
            return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "%s: input %.60s has no shape; a C file needs it",
                            w->what->source, p->name);
        given[i] = (pcs_netfile_given){ .shaped = true, .dims = p->dims };
        for (uint32_t d = 0; d < p->dims && !st; d++) st = bind_size(w, i, p, d, &given[i].shape[d]);
        if (!st) say_sizes(w, p, &given[i]);
    }
    return st;
}

static precis_status open_file(pcs_c_file *w, const pcs_netfile *f, const pcs_netfile_graph *g)
{
    w->g = g->graph;
    w->n_in = f->n_inputs;
    w->n_out = f->n_outputs;
    w->values = pcs_arena_alloc(&w->arena, w->g->n_values + w->g->n_nodes + 1, sizeof *w->values);
    w->uses = pcs_arena_alloc(&w->arena, w->g->n_values + 1, sizeof *w->uses);
    w->in = pcs_arena_alloc(&w->arena, w->n_in + w->n_out + 1, sizeof *w->in);
    w->reader = pcs_arena_alloc(&w->arena, w->g->n_values + 1, sizeof *w->reader);
    if (!w->values || !w->uses || !w->reader || !w->in) return PRECIS_ENOMEM;
    w->out = w->in + w->n_in;
    for (size_t i = 0; i < w->n_in; i++) w->in[i] = (pcs_c_port){ g->inputs[i], f->inputs[i].name };
    for (size_t i = 0; i < w->n_out; i++) w->out[i] = (pcs_c_port){ g->outputs[i], f->outputs[i].name };
    for (size_t i = 0; i < w->n_in + w->n_out; i++)
        if (!pcs_c_type(pcs_cv(w, w->in[i].value)->dtype))
            return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "%s: %.60s is of type %s, which C does not have",
                            w->what->source, w->in[i].name, pcs_dtype_name(pcs_cv(w, w->in[i].value)->dtype));
    return PRECIS_OK;
}

/* The prefix of all names in the file: that of the file. */
static void name_file(pcs_c_file *w, const char *path)
{
    const char *base = pcs_base_name(path);
    size_t n = 0;
    for (; base[n] && base[n] != '.' && n < 40; n++) {
        const char c = base[n];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
        w->name[n] = letter || digit ? c : '_';
    }
    w->name[n] = 0;
    if (!n || (w->name[0] >= '0' && w->name[0] <= '9') || w->name[0] == '_') {
        char own[64];
        snprintf(own, sizeof own, "net_%.40s", w->name);
        snprintf(w->name, sizeof w->name, "%s", n ? own : "net");
    }
    for (size_t i = 0; i <= strlen(w->name); i++)
        w->upper[i] = w->name[i] >= 'a' && w->name[i] <= 'z' ? (char)(w->name[i] - 32) : w->name[i];
}

/* ---- text --------------------------------------------------------------------------------------------- */

static const char *shape_of(pcs_c_file *w, const pcs_value *v)
{
    char text[128];
    size_t at = 0;
    for (uint32_t i = 0; i < v->dims && at < sizeof text - 24; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%lld", i ? "," : "", (long long)v->shape[i]);
    text[at] = 0;
    const char *s = pcs_arena_printf(&w->arena, "[%s]", text);
    return s ? s : "";
}

static void put_ports(pcs_c_file *w, pcs_buf *b, bool in)
{
    const pcs_c_port *p = in ? w->in : w->out;
    const size_t n = in ? w->n_in : w->n_out;
    const char *word = in ? "input" : "output";
    for (size_t i = 0; i < n; i++)
        if (n > 1)
            pcs_c_put(w, b, "%s%s%s *%s_%zu", i || !in ? ", " : "", in ? "const " : "",
                      pcs_c_type(pcs_cv(w, p[i].value)->dtype), word, i);
        else
            pcs_c_put(w, b, "%s%s%s *%s", in ? "" : ", ", in ? "const " : "",
                      pcs_c_type(pcs_cv(w, p[i].value)->dtype), word);
}

static void put_signature(pcs_c_file *w, pcs_buf *b)
{
    pcs_c_put(w, b, "int %s_run(", w->name);
    put_ports(w, b, true);
    put_ports(w, b, false);
    pcs_c_put(w, b, ")");
}

static void put_port_macros(pcs_c_file *w, pcs_buf *b, bool in)
{
    const size_t n = in ? w->n_in : w->n_out;
    for (size_t i = 0; i < n; i++) {
        const pcs_c_port *p = in ? &w->in[i] : &w->out[i];
        const pcs_value *v = pcs_cv(w, p->value);
        char number[24] = "";
        if (n > 1) snprintf(number, sizeof number, "_%zu", i);
        pcs_c_put(w, b, "#define %s_%s%s_SIZE %llu /* elements: %s of %s %s */\n", w->upper, in ? "INPUT" : "OUTPUT",
                  number, (unsigned long long)pcs_c_count(v), pcs_c_plain(w, p->name), pcs_c_type(v->dtype),
                  shape_of(w, v));
    }
}

static void put_head(pcs_c_file *w, pcs_buf *b, const pcs_c_written *k)
{
    pcs_c_put(w, b,
              "/* %s - a net as C99, without dependencies. Written by precis %s from\n"
              " * %s, SHA-256 %s.\n"
              " * Whoever has this file may do with it as they like; there is no warranty.\n *\n",
              w->name, precis_version(), pcs_c_plain(w, w->what->source), w->sha256);
    pcs_c_put(w, b,
              " * %s_run reads its inputs, writes its outputs, which must not overlap, and returns 0; 1 where an\n"
              " * index among its inputs is outside of what it takes from: the outputs are worth nothing. It needs no\n"
              " * memory but the arena below, is not reentrant, and gives on every machine with IEEE floats the bits\n"
              " * that precis run gives. Define %s_HEADER_ONLY before including this file to get its declarations\n"
              " * alone.\n *\n",
              w->name, w->upper);
    pcs_c_put(w, b,
              " * Predicted: flash %llu bytes (constants %llu, code %llu), RAM %llu bytes (arena %llu, stack some\n"
              " * %llu), %llu multiplications.\n",
              (unsigned long long)(k->weights + k->code), (unsigned long long)k->weights, (unsigned long long)k->code,
              (unsigned long long)(k->arena + k->stack), (unsigned long long)k->arena, (unsigned long long)k->stack,
              (unsigned long long)k->macs);
    for (size_t i = 0; i < w->file->n_fixed; i++) {
        const pcs_port *p = &w->file->inputs[w->file->n_inputs + i];
        char value[24];
        pcs_c_put(w, b, " * Input %s of the net is %s here.\n", pcs_c_plain(w, p->name), pcs_port_value(p, value));
    }
    for (size_t i = 0; pcs_c_core(i); i++)
        pcs_c_put(w, b, " * %s: %.3g to %.3g million cycles.\n", pcs_c_core(i), k->cycles[i][0] / 1e6,
                  k->cycles[i][1] / 1e6);
    pcs_c_put(w, b, " */\n");
}

static void put_declarations(pcs_c_file *w, pcs_buf *b)
{
    pcs_c_put(w, b, "#ifndef %s_INCLUDED\n#define %s_INCLUDED\n#include <stdint.h>\n\n", w->upper, w->upper);
    put_port_macros(w, b, true);
    put_port_macros(w, b, false);
    pcs_c_put(w, b,
              "#define %s_ARENA_SIZE %llu /* bytes of static memory */\n\n"
              "#ifdef __cplusplus\nextern \"C\" {\n#endif\n",
              w->upper, (unsigned long long)w->arena_bytes);
    put_signature(w, b);
    pcs_c_put(w, b, ";\n#ifdef __cplusplus\n}\n#endif\n#endif\n\n#ifndef %s_HEADER_ONLY\n", w->upper);
    pcs_c_put(w, b,
              "#if defined(__FAST_MATH__)\n#error \"results differ with -ffast-math\"\n#endif\n"
              "#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0\n"
              "#error \"results differ where floats are computed with more bits\"\n#endif\n"
              "#if defined(__clang__)\n#pragma STDC FP_CONTRACT OFF\n#elif defined(__GNUC__)\n"
              "#pragma GCC optimize(\"fp-contract=off\")\n#endif\n\n");
    pcs_c_put(w, b, /* one function for all calls of a kind: small, and of a size that is known */
              "#if defined(__clang__)\n#define %s_SHARED __attribute__((noinline))\n#elif defined(__GNUC__)\n"
              "#define %s_SHARED __attribute__((noinline, noclone))\n#else\n#define %s_SHARED\n#endif\n\n",
              w->upper, w->upper, w->upper);
    if (w->arena_bytes)
        pcs_c_put(w, b,
                  "static union {\n    double align;\n    uint8_t bytes[%s_ARENA_SIZE];\n} %s_arena;\n"
                  "#define %s_AT(n) ((void *)(%s_arena.bytes + (n)))\n\n",
                  w->upper, w->name, w->upper, w->name);
}

/* net_ and NET_ of a part's text stand for the file's own prefix, where a word begins with them. */
static void put_part(pcs_c_file *w, pcs_buf *b, const char *text)
{
    precis_status st = PRECIS_OK;
    char before = ' ';
    for (const char *at = text; *at && !st; before = *at++) {
        const bool begins = !(before == '_' || (before >= '0' && before <= '9') || (before >= 'a' && before <= 'z') ||
                              (before >= 'A' && before <= 'Z'));
        const bool own = begins && !strncmp(at, "net_", 4), loud = begins && !strncmp(at, "NET_", 4);
        if (!own && !loud) {
            st = pcs_buf_add(b, at, 1);
            continue;
        }
        const char *name = own ? w->name : w->upper;
        st = pcs_buf_add(b, name, strlen(name));
        at += 2; /* the underscore comes next */
    }
    if (!st) st = pcs_buf_add(b, "\n", 1);
    if (st && !w->error) w->error = st;
}

static void put_parts(pcs_c_file *w, pcs_buf *b)
{
    for (size_t i = 0; pcs_c_parts[i].name; i++)
        if (w->part[i]) put_part(w, b, pcs_c_texts[i]);
}

static bool uses(const pcs_c_file *w, const char *part)
{
    for (size_t i = 0; pcs_c_parts[i].name; i++)
        if (w->part[i] && !strcmp(pcs_c_parts[i].name, part)) return true;
    return false;
}

/* ---- the run -------------------------------------------------------------------------------------------- */

/* Outputs that are inputs, constants or other outputs are copied. */
static void put_copies(pcs_c_file *w)
{
    for (size_t i = 0; i < w->n_out; i++) {
        const precis_value v = w->out[i].value;
        char to[32] = "output";
        if (w->n_out > 1) snprintf(to, sizeof to, "output_%zu", i);
        const char *from = pcs_c_pointer(w, v);
        if (w->error || !strcmp(from, to)) continue;
        pcs_c_use(w, "copy");
        pcs_c_put(w, &w->calls, "    %s_copy(%llu, %s, %s);\n", w->name,
                  (unsigned long long)(pcs_c_count(pcs_cv(w, v)) * pcs_dtype_bytes(pcs_cv(w, v)->dtype)), from, to);
    }
}

static precis_status emit_all(pcs_c_file *w)
{
    for (size_t i = 0; i < w->n_steps; i++) {
        const precis_status st = w->steps[i].row->emit(w, &w->steps[i]);
        if (st || w->error) return w->error ? w->error : st;
    }
    put_copies(w);
    return w->error;
}

static void put_run(pcs_c_file *w, pcs_buf *b)
{
    put_signature(w, b);
    pcs_c_put(w, b, "\n{\n");
    if (w->error) return;
    const bool takes = uses(w, "take");
    if (takes) pcs_c_put(w, b, "    %s_outside = 0;\n", w->name);
    precis_status st = pcs_buf_add(b, w->calls.data, w->calls.len);
    for (size_t i = 0; i < w->n_in; i++) /* one that nothing reads */
        pcs_c_put(w, b, w->n_in > 1 ? "    (void)input_%zu;\n" : "    (void)input;\n", i);
    if (takes) pcs_c_put(w, b, "    return %s_outside;\n}\n#endif\n", w->name);
    else pcs_c_put(w, b, "    return 0;\n}\n#endif\n");
    if (st && !w->error) w->error = st;
}

/* ---- the file ------------------------------------------------------------------------------------------- */

/* Of a file. */
static precis_status digest(precis_ctx *ctx, const char *path, char hex[65])
{
    pcs_file f = { 0 };
    pcs_sha256 a;
    const precis_status st = pcs_file_open(ctx, &f, path);
    if (st) return st;
    pcs_sha256_begin(&a);
    pcs_sha256_add(&a, f.map, f.size);
    pcs_sha256_end(&a, hex);
    pcs_file_close(ctx, &f);
    return PRECIS_OK;
}

/* What lies on the disk is what was meant, to its last byte. */
static precis_status read_back(pcs_c_file *w, const pcs_out *o, const pcs_buf *b)
{
    char path[4096], hex[65], meant[65];
    pcs_sha256 c;
    pcs_out_self(o, path, sizeof path);
    const precis_status st = digest(w->ctx, path, hex);
    if (st) return st;
    pcs_sha256_begin(&c);
    pcs_sha256_add(&c, b->data, b->len);
    pcs_sha256_end(&c, meant);
    return strcmp(hex, meant) ? pcs_fail(w->ctx, PRECIS_EIO, "%s: is not what was written", o->path) : PRECIS_OK;
}

static precis_status save(pcs_c_file *w, const char *path, pcs_c_written *k)
{
    pcs_buf text;
    pcs_out o = { .ctx = w->ctx, .fd = -1 };
    pcs_buf_init(&text, w->ctx, MOST);
    pcs_c_costs(w, k);
    put_head(w, &text, k);
    put_declarations(w, &text);
    put_parts(w, &text);
    precis_status st = w->error;
    if (!st) st = pcs_buf_add(&text, w->functions.data, w->functions.len);
    if (!st) st = pcs_buf_add(&text, w->arrays.data, w->arrays.len);
    if (!st) put_run(w, &text);
    if (!st) st = w->error;
    k->bytes = text.len;
    if (!st) st = pcs_out_open(w->ctx, &o, path, text.len, NULL);
    if (!st) st = pcs_out_add(&o, text.data, text.len);
    if (!st) st = pcs_out_finish(&o);
    if (!st) st = read_back(w, &o, &text);
    if (!st) st = pcs_out_name_beside(&o, w->what->beside);
    pcs_out_close(&o);
    pcs_buf_free(&text);
    return st;
}

/* Inputs that have a value in the net that this is of. */
static void fix_inputs(const pcs_netfile *from, pcs_netfile *f)
{
    for (size_t i = 0; from && i < from->n_fixed; i++) {
        const pcs_port *p = &from->inputs[from->n_inputs + i];
        size_t k = 0;
        while (k < f->n_inputs && strcmp(f->inputs[k].name, p->name)) k++;
        if (k < f->n_inputs) pcs_netfile_fix(f, k, p->value);
    }
}

static precis_status write_net(pcs_c_file *w, pcs_netfile *f, const char *path, pcs_c_written *k)
{
    pcs_netfile_graph g = { 0 };
    fix_inputs(w->what->from, f);
    w->file = f;
    pcs_netfile_given *given = pcs_arena_alloc(&w->arena, f->n_inputs + 1, sizeof *given);
    precis_status st = given ? bind_sizes(w, f, given) : PRECIS_ENOMEM;
    if (!st) st = pcs_netfile_import(f, given, &g);
    if (!st) st = pcs_graph_lower(g.graph);
    if (!st) st = open_file(w, f, &g);
    if (!st) st = pcs_c_find(w);
    if (!st) st = pcs_c_place(w);
    if (!st) st = emit_all(w);
    if (!st) st = save(w, path, k);
    pcs_netfile_graph_close(w->ctx, &g);
    return st;
}

precis_status pcs_c_save(precis_ctx *ctx, const pcs_c_saved *what, const char *path, pcs_c_written *written)
{
    pcs_c_file w = { .ctx = ctx, .what = what, .kernels = pcs_kernels_for(ctx->cpu) };
    pcs_buf *const all[] = { &w.arrays, &w.functions, &w.calls };
    pcs_netfile *net = NULL;
    pcs_c_written k = { 0 };
    pcs_arena_init(&w.arena, ctx);
    for (int i = 0; i < 3; i++) pcs_buf_init(all[i], ctx, MOST);
    name_file(&w, path);
    precis_status st = digest(ctx, what->source, w.sha256);
    if (!st) st = pcs_netfile_open(ctx, &net, what->net);
    if (!st) st = write_net(&w, net, path, &k);
    snprintf(k.name, sizeof k.name, "%s", w.name);
    if (!st && written) *written = k;
    pcs_netfile_close(&net);
    for (int i = 0; i < 3; i++) pcs_buf_free(all[i]);
    pcs_arena_free(&w.arena);
    return st;
}
