/* net.h - the program of a net, for who measures it. */
#ifndef PCS_NET_H_
#define PCS_NET_H_

#include "precis/quant_net.h"
#include "read/netfile.h"
#include "run/program.h"
#include "write/onnx/onnx.h"

/* That of the last run; NULL: there was none. */
precis_program *pcs_net_program(const precis_net *net);
/* precis_net_graph, with what the file calls its values: until the graph is changed. Names that were not kept when it
 * was made are missing. */
precis_status pcs_net_named_graph(precis_net *net, const pcs_netfile_graph **graph);

/* A net of what a reader, or who takes its place, gives; it closes the file, on failure too. */
precis_status pcs_net_of(precis_ctx *ctx, pcs_netfile *file, precis_net **out);
precis_ctx *pcs_net_ctx(const precis_net *net);
const char *pcs_net_path(const precis_net *net);
/* Of precis_net_assume: one of each input, or NULL. */
const pcs_netfile_given *pcs_net_assumed(const precis_net *net);
/* As precis_net_open, with the options' values of inputs. */
precis_status pcs_net_open_with(precis_ctx *ctx, precis_net **out, const char *path, const precis_net_quant_options *o);
/* Input i is none any more and has this element; the graphs that were made are gone. */
void pcs_net_fix_input(precis_net *net, size_t i, const void *element);
/* What the caller is told of a file that was written; file may be NULL. */
void pcs_net_tell_file(const pcs_onnx_written *written, precis_net_file *file);
/* precis_net_write_c of a file that was made of the net: the head of the C file says the net's own path. */
precis_status pcs_net_save_c(precis_net *net, const char *file_of_net, const char *path,
                             const pcs_beside *beside, precis_net_c_file *file);

#endif
