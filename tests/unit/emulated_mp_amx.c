/* mp of AMX with tiles in C: its bits are checked where no AMX is. */
#define PCS_TILES_EMULATED
#define pcs_mp_amx pcs_mp_amx_emulated
void pcs_mp_amx_emulated(const void *args);
#include "kernel/x86/mp_amx.c"
