/* net.h - the program of a net, for who measures it. */
#ifndef PCS_NET_H_
#define PCS_NET_H_

#include "precis/net.h"
#include "read/netfile.h"
#include "run/program.h"

/* That of the last run; NULL: there was none. */
precis_program *pcs_net_program(const precis_net *net);
/* precis_net_graph, with what the file calls its values: until the graph is changed. Names that were not kept when it
 * was made are missing. */
precis_status pcs_net_named_graph(precis_net *net, const pcs_netfile_graph **graph);

#endif
