/* precis quant: types, schemes, budgets, methods and mixes, with and without calibration and evaluation. */
#include "command.h"

#define QUANT "quant m.gguf -o out --calib-tokens 64 --ctx 16 --chunks 1 --text text "

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const lines[] = {
        QUANT "--type Q8_0 --no-eval --no-calib", QUANT "--type Q4_K_M", QUANT "--type Q2_K --no-eval",
        QUANT "--type IQ2_XS --no-calib", QUANT "--type INT4_G32 --no-eval", QUANT "--type FP8 --no-calib",
        QUANT "--type W8A8", QUANT "--type NVFP4 --no-calib", QUANT "--bpw 5 --no-eval",
        QUANT "--max-size 90% --types Q2_K,Q4_0,Q8_0,Q6_K", QUANT "--type TQ1_0 --method rtn --no-eval",
        QUANT "--type Q4_0 --format packed --no-eval",
        QUANT "--type UINT4_G32 --method gptq --calib text --fallback --no-eval",
        QUANT "--type Q4_0 --method awq+clip --calib text --no-eval",
        QUANT "--type Q4_0 --method rotate --calib text --no-eval",
        QUANT "--type INT8_C --method smoothquant --calib text --no-eval",
        QUANT "--type Q4_0 --method svd --rank 2 --fallback --no-eval",
        QUANT "--type UINT4_G32 --method hqq --fallback --no-eval", QUANT "--type *ffn*=IQ4_XS,*=BF16 --calib text",
        QUANT "--type W4A16 --mem-limit 200M --no-eval",
    };
    return fuzz_commands(data, size, lines, sizeof lines / sizeof *lines, "out");
}
