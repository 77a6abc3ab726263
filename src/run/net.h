/* net.h - the program of a net, for who measures it. */
#ifndef PCS_NET_H_
#define PCS_NET_H_

#include "precis/net.h"
#include "run/program.h"

/* That of the last run; NULL: there was none. */
precis_program *pcs_net_program(const precis_net *net);

#endif
