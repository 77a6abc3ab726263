/* mp_bf16 of AMX with tiles in C: its bits are checked where no AMX is. */
#include "kernel/kernel.h"

pcs_mp_bf16_fn pcs_mp_bf16_amx_emulated;
pcs_mp_bf16_again_fn pcs_mp_bf16_again_amx_emulated;
#define PCS_TILES_EMULATED
#define pcs_mp_bf16_amx pcs_mp_bf16_amx_emulated
#define pcs_mp_bf16_again_amx pcs_mp_bf16_again_amx_emulated
#include "kernel/x86/mp_bf16_amx.c"
