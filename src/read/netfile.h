/* netfile.h - what every reader of nets gives: inputs, outputs and ops as the
 * file describes them, and a way to make a graph of it. A reader is a row of
 * netfiles.def; what it keeps of its file begins with a pcs_netfile.
 *
 * A file stays mapped as long as its graphs live: weights are used where they
 * lie. Threads: as the context. */
#ifndef PCS_NETFILE_H
#define PCS_NETFILE_H

#include "base/file.h"
#include "graph/element.h"
#include "precis/net.h"

typedef struct pcs_str {
    const char *s;
    size_t n;
} pcs_str;
bool pcs_str_is(pcs_str a, const char *text);
bool pcs_str_same(pcs_str a, pcs_str b);

/* An input or output as the file describes it. */
typedef struct pcs_port {
    const char *name;
    pcs_dtype dtype;
    bool typed, shaped; /* the file says so */
    uint32_t dims;
    int64_t shape[PCS_GRAPH_DIMS];      /* -1: not said */
    const char *symbol[PCS_GRAPH_DIMS]; /* its name, or NULL */
    uint8_t value[8]; /* of a fixed one: its element */
    bool gone;        /* fixed in the net that the file was made from: the file has no such input, and no graph it */
} pcs_port;

/* How often an op stands in the file. */
typedef struct pcs_netfile_count {
    pcs_str op, domain;
    size_t n;
    bool supported;
} pcs_netfile_count;

typedef struct pcs_netfile pcs_netfile;

/* What is known of an input when the graph is made. */
typedef struct pcs_netfile_given {
    bool shaped;
    uint32_t dims;
    int64_t shape[PCS_GRAPH_DIMS];
    const void *data; /* its contents: it becomes a constant; or NULL */
    uint64_t bytes;   /* of data */
} pcs_netfile_given;

/* A value of the graph under its name in the file, when names are kept. */
typedef struct pcs_netfile_name {
    const char *name; /* in the graph's arena */
    precis_value value;
} pcs_netfile_name;

/* A value that one of several pieces makes which a node of the file became, and that node's name; not the first one,
 * which has the name itself. */
typedef struct pcs_netfile_piece {
    const char *node; /* in the graph's arena */
    precis_value value;
} pcs_netfile_piece;

typedef struct pcs_netfile_graph {
    precis_graph *graph;
    precis_value *inputs, *outputs; /* inputs that are constants too */
    pcs_netfile_name *names;        /* of results of nodes, in their order; with keep_names */
    size_t n_names, cap_names;
    pcs_netfile_piece *pieces;      /* with keep_names */
    size_t n_pieces, cap_pieces;
    uint64_t need;                  /* inputs (by number; 63 and more share a bit) whose contents were asked for */
} pcs_netfile_graph;

typedef struct pcs_netfile_reader {
    const char *name; /* as inspect says it */
    bool fixes;       /* its import knows fixed inputs */
    const char *ending;
    /* Is it this kind, by its first bytes (n of them, 256 at most)? */
    bool (*probe)(const uint8_t *head, size_t n);
    /* Where no reader's probe holds: can this one say what the file is instead? NULL: no. */
    bool (*knows)(const uint8_t *head, size_t n);
    precis_status (*open)(precis_ctx *ctx, pcs_netfile **out, const char *path);
    void (*close)(pcs_netfile *file);
    /* given: one of each input, or NULL. PRECIS_EUNSUPPORTED with out->need != 0:
     * contents are needed. Of fixed inputs it makes constants (pcs_import_fixed). */
    precis_status (*import)(pcs_netfile *file, const pcs_netfile_given *given, pcs_netfile_graph *out);
} pcs_netfile_reader;

struct pcs_netfile {
    precis_ctx *ctx;
    const pcs_netfile_reader *reader;
    const char *path;
    pcs_port *inputs, *outputs;
    size_t n_inputs, n_outputs;
    size_t n_fixed; /* behind the inputs in the same list: those with a value, which are inputs no more */
    pcs_netfile_count *counts;
    size_t n_counts;
    bool keep_names; /* import says which value of the graph each name of the file is */
};

extern const pcs_netfile_reader *const pcs_netfile_readers[];

/* The reader of a file, by its first bytes, or its name where they say nothing;
 * NULL: none. */
const pcs_netfile_reader *pcs_netfile_reader_of(precis_ctx *ctx, const char *path);
/* The file mapped and described. PRECIS_EFORMAT with an offset for damage. */
precis_status pcs_netfile_open(precis_ctx *ctx, pcs_netfile **out, const char *path);
void pcs_netfile_close(pcs_netfile **file);
/* Is the port one whole number or truth value, so that it may be fixed? */
bool pcs_port_fixable(const pcs_port *p);
/* Its value in digits. */
const char *pcs_port_value(const pcs_port *p, char text[24]);
/* From here on input i is no input but this value; inputs behind it move up. Graphs that were made stay as they are. */
void pcs_netfile_fix(pcs_netfile *file, size_t i, const void *element);
/* Digits as the value of a port that may be fixed; false: its type has no such one. */
bool pcs_port_read_number(pcs_port *p, const char *digits);
/* "I64 16000", "I64[1] 16000" as a fixed port; false: it is none. And the other way round. */
bool pcs_port_read_fixed(pcs_port *p, pcs_str text);
void pcs_port_print_fixed(const pcs_port *p, char *text, size_t room);
/* The input of this name, or the one that has a value. NULL: there is none. */
const pcs_port *pcs_netfile_port(const pcs_netfile *file, const char *name, bool *fixed);
/* Is the array one for an input that has a value? PRECIS_EINVAL, with both values, where it holds another. */
precis_status pcs_netfile_has_value(const pcs_netfile *file, const precis_array *a, bool *fixed);
/* *out is empty on failure, but for what it needs. */
precis_status pcs_netfile_import(pcs_netfile *file, const pcs_netfile_given *given, pcs_netfile_graph *out);
/* Of importers: what a name of the file, at its outermost level, became. */
precis_status pcs_netfile_keep_name(const pcs_netfile *file, pcs_netfile_graph *g, pcs_str name, precis_value v);
precis_status pcs_netfile_keep_piece(const pcs_netfile *file, pcs_netfile_graph *g, const char *node, precis_value v);
void pcs_netfile_graph_close(precis_ctx *ctx, pcs_netfile_graph *g);
/* Count an op; `supported` is of its first time. False: there are too many
 * kinds. */
bool pcs_netfile_count_op(pcs_netfile *file, pcs_str domain, pcs_str op, bool supported);

#endif
