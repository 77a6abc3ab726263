/* mp_int8 of AMX with tiles in C: its bits are checked where no AMX is. */
#include "kernel/kernel.h"

pcs_mp_int8_fn pcs_mp_int8_amx_emulated;
pcs_mp_int8_again_fn pcs_mp_int8_again_amx_emulated;
#define PCS_TILES_EMULATED
#define pcs_mp_int8_amx pcs_mp_int8_amx_emulated
#define pcs_mp_int8_again_amx pcs_mp_int8_again_amx_emulated
#include "kernel/x86/mp_int8_amx.c"
