/* list.c - names in the tables, for help and for those who want to know what a build has. */
#include "base/parts.h"
#include "graph/arch.h"
#include "graph/kv.h"
#include "kernel/kernel.h"
#include "plan/plan.h"
#include "precis/law_fit.h"
#include "precis/quant_net.h"
#include "precis/task.h"
#include "quant/methods.h"
#include "quant/observe/observe.h"
#include "read/read.h"
#include "train/estimator.h"
#include "write/convert.h"

#include <stdio.h>

static const char *format(size_t i) { return pcs_formats[i] ? pcs_formats[i]->name : NULL; }
static const char *mix(size_t i) { return pcs_mixes[i].name; }
static const char *method(size_t i) { return pcs_methods[i] ? pcs_methods[i]->name : NULL; }
static const char *observer(size_t i) { return pcs_observers[i] ? pcs_observers[i]->name : NULL; }
static const char *backend(size_t i) { return precis_net_backend_name(i); }
static const char *backend_row(size_t i, char *text, size_t cap)
{
    return precis_net_backend(i, text, cap) ? text : NULL;
}
static const char *net_method(size_t i) { return precis_net_method_name(i, NULL); }
static const char *net_method_row(size_t i, char *text, size_t cap)
{
    const char *what, *name = precis_net_method_name(i, &what);
    if (name) snprintf(text, cap, "%-16s %s", name, what);
    return name ? text : NULL;
}
static const char *reader(size_t i) { return pcs_readers[i] ? pcs_readers[i]->name : NULL; }
static const char *writer(size_t i) { return pcs_writers[i] ? pcs_writers[i]->name : NULL; }
static const char *arch(size_t i) { return pcs_archs[i] ? pcs_archs[i]->name : NULL; }
static const char *op(size_t i) { return pcs_ops[i] ? pcs_ops[i]->name : NULL; }
static const char *pass(size_t i) { return pcs_passes[i] ? pcs_passes[i]->name : NULL; }
static const char *kv(size_t i) { return pcs_kv_types[i].name; }
static const char *task(size_t i) { return precis_task_name(i, NULL, NULL); }
static const char *estimator(size_t i) { return pcs_estimators[i] ? pcs_estimators[i]->name : NULL; }
static const char *law(size_t i) { return precis_law_name(i); }
static const char *objective(size_t i) { return precis_law_objective(i, NULL); }
static const char *kernel(size_t i)
{
    static const char *const names[] = {
#define KERNEL(op, isa, needs) #op "/" #isa,
#define KERNEL_OF(op, format, isa, needs) #op "_" #format "/" #isa,
#include "kernel/kernels.def"
#undef KERNEL
#undef KERNEL_OF
        NULL,
    };
    return names[i];
}

static const char *limit(size_t i)
{
    static const char *const names[] = {
#define LIMIT(name, value, what) #name " " #value "  " what,
#define LIMIT_WIDE(name, value, what) #name " " #value "  " what,
#include "base/limits.def"
#undef LIMIT
#undef LIMIT_WIDE
        NULL,
    };
    return names[i];
}

/* An op, and whether training can go through it. */
static const char *op_row(size_t i, char *text, size_t cap)
{
    const pcs_op *o = pcs_ops[i];
    const char *why = o && o->not_differentiable ? o->not_differentiable : "";
    const char *yes = o && o->straight_through ? "differentiable, straight through what it rounds" : "differentiable";
    if (o) snprintf(text, cap, "%-16s %s%s%s", o->name, *why ? "not differentiable" : yes, *why ? ": " : "", why);
    return o ? text : NULL;
}

static const char *observer_row(size_t i, char *text, size_t cap)
{
    const pcs_observer_kind *k = pcs_observers[i];
    if (k) snprintf(text, cap, "%-16s %s%s", k->name, k->what, k->per_channel ? "; per channel too" : "");
    return k ? text : NULL;
}

/* get: the name of row i; row: what is said of it, where that is more than its name. */
static const struct {
    const char *name;
    const char *(*get)(size_t i);
    const char *(*row)(size_t i, char *text, size_t cap);
} tables[] = {
    { "formats", format, NULL },   { "mixes", mix, NULL },         { "methods", method, NULL },
    { "readers", reader, NULL },   { "writers", writer, NULL },    { "architectures", arch, NULL },
    { "ops", op, op_row },         { "passes", pass, NULL },       { "cache", kv, NULL },
    { "kernels", kernel, NULL },   { "tasks", task, NULL },        { "laws", law, NULL },
    { "objectives", objective, NULL }, { "limits", limit, NULL },  { "observers", observer, observer_row },
    { "backends", backend, backend_row }, { "net-methods", net_method, net_method_row },
    { "parts", pcs_part_name, pcs_part_row }, { "estimators", estimator, NULL },
};

const char *precis_list_row(const char *table, size_t i, char *text, size_t cap)
{
    if (table && !strcmp(table, "pairs")) return pcs_methods_pair(i, text, cap) ? text : NULL;
    for (size_t t = 0; table && t < sizeof tables / sizeof *tables; t++)
        if (tables[t].row && !strcmp(tables[t].name, table)) return tables[t].row(i, text, cap);
    return precis_list(table, i);
}

const char *precis_list(const char *table, size_t i)
{
    const size_t n = sizeof tables / sizeof *tables;
    if (!table) return i < n ? tables[i].name : i == n ? "pairs" : NULL;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        if (strcmp(tables[t].name, table)) continue;
        for (size_t k = 0; k < i; k++)
            if (!tables[t].get(k)) return NULL;
        return tables[t].get(i);
    }
    return NULL;
}
