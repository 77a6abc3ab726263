/* net.h - a model's file held against the net of its architecture: what is missing, what is too much, what its readers
 * need.
 *
 * A model of an architecture that precis knows is whole or it is refused; "can be quantized, not run" is for
 * architectures (and settings) that no graph here has. */
#ifndef PCS_NET_H
#define PCS_NET_H

#include "model/model.h"
#include "precis/graph.h"

/* A net that a file itself brings: its reader makes one in the model's arena, sets `net` of the model, and gives the
 * values that stand in the file by calls of precis/graph.h. It has inputs and outputs of its own names. lm: filled
 * where the net is a language model, which says so by `words`. */
struct pcs_lm;
typedef struct pcs_net {
    precis_status (*build)(const struct pcs_net *net, const precis_model *m, precis_graph *g, struct pcs_lm *lm);
    const void *user;
    bool words;
} pcs_net;

/* The graph of a model that brings its net. lm NULL: any net; else PRECIS_EUNSUPPORTED for one without words. */
precis_status pcs_net_build(const precis_model *m, precis_graph **out, struct pcs_lm *lm);

/* PRECIS_EFORMAT naming the tensor, the key, the numbers of layers, or the program that packed the weights. Models of
 * unknown architectures and those with settings that no graph has are only asked how they are packed. */
precis_status pcs_net_check(const precis_model *m);
/* As pcs_net_check without the graph: how the weights are packed, and how many layers there are. */
precis_status pcs_net_check_names(const precis_model *m);
/* Of a model that was just read: tensors that neither the net nor other readers of its architecture use are put apart
 * (m->extras), so that every tensor of the model is one of the net's. A broken model stays as it is: it can be
 * inspected. */
precis_status pcs_net_settle(precis_model *m);

/* Is the name, without its layer, one of a list which blanks part? */
bool pcs_net_listed(const char *list, const char *name);

/* Says in a warning how many there are, and the first names. */
void pcs_net_name_extras(const precis_model *m);

/* A GGUF file that is about to be written: keys without which its readers refuse it are an error, and tensors which
 * they do not expect are named in a warning. */
typedef struct pcs_net_file {
    const char *path;
    const precis_model *source;
    const pcs_key *keys;
    size_t n_keys;
    const char *const *names; /* of tensors that other programs can read */
    size_t n_names;
} pcs_net_file;
precis_status pcs_net_check_file(precis_ctx *ctx, const pcs_net_file *f);

#endif
