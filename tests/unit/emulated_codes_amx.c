/* codes_amx.c on tiles in C, for machines without AMX. */
#include "kernel/kernel.h"

pcs_codes_gemm_fn pcs_codes_gemm_amx_emulated;
pcs_codes_gemm_f32_fn pcs_codes_gemm_f32_amx_emulated;
#define PCS_TILES_EMULATED
#define pcs_codes_gemm_amx pcs_codes_gemm_amx_emulated
#define pcs_codes_gemm_f32_amx pcs_codes_gemm_f32_amx_emulated
#include "kernel/x86/codes_amx.c"
