/* emulated.h - kernels of AMX on tiles in C (emulated_*.c). */
#ifndef TEST_EMULATED_H
#define TEST_EMULATED_H

#include "kernel/kernel.h"

pcs_mp_fn pcs_mp_amx_emulated;
pcs_mp_bf16_fn pcs_mp_bf16_amx_emulated;
pcs_mp_bf16_again_fn pcs_mp_bf16_again_amx_emulated;
pcs_mp_int8_fn pcs_mp_int8_amx_emulated;
pcs_mp_int8_again_fn pcs_mp_int8_again_amx_emulated;
pcs_codes_gemm_fn pcs_codes_gemm_amx_emulated;
pcs_codes_gemm_f32_fn pcs_codes_gemm_f32_amx_emulated;

#endif
