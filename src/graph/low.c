/* low.c - the recipes: bf16; int8 (SwitchBack, 2304.13013, with a scale for each row of both operands, and gradients of
 * weights in bf16); FP8 by tiles (DeepSeek-V3, 2412.19437, section 3.3); MXFP4 (Quartet, 2505.14669); NVFP4
 * (2509.25149). */
#include "graph/low.h"

#include "graph/cast.h"
#include "graph/op/round.h"

/* ---- FP8: E4M3 ------------------------------------------------------------------------------------- */

static void tiles(const pcs_low_operand *o, size_t rows)
{
    for (size_t r = 0; r < o->rows; r += rows)
        for (size_t at = 0; at < o->ld; at += 128) {
            const size_t height = o->rows - r < rows ? o->rows - r : rows, width = o->ld - at < 128 ? o->ld - at : 128;
            float top = 0;
            for (size_t i = 0; i < height; i++) {
                const float m = pcs_largest(o->x + (r + i) * o->ld + at, width);
                top = m > top ? m : top;
            }
            const float s = top / pcs_e4m3.largest;
            for (size_t i = 0; i < height; i++)
                for (size_t k = 0; k < width; k++) {
                    float *x = o->x + (r + i) * o->ld + at + k;
                    *x = s > 0 ? pcs_cast(&pcs_e4m3, *x / s, true) * s : 0.0f;
                }
        }
}
static void fp8_rows(const pcs_low_operand *o) { tiles(o, 1); }
static void fp8_tiles(const pcs_low_operand *o) { tiles(o, 128); }

/* ---- MXFP4: both operands turned by the same random signs, then rounded by chance ------------------- */

static void turn(const pcs_low_operand *o, size_t n, uint64_t seed)
{
    float sign[32];
    for (size_t at = 0; at + n <= o->ld; at += n) {
        for (size_t i = 0; i < n; i++) sign[i] = pcs_uniform(seed, i) < 0.5f ? -1.0f : 1.0f;
        for (size_t r = 0; r < o->rows; r++) pcs_turn_signed(o->x + r * o->ld + at, 1, n, sign);
    }
}

static void mxfp4_by_chance(const pcs_low_operand *o)
{
    float u[32];
    turn(o, 32, o->turn);
    for (size_t b = 0; b < o->rows * o->ld; b += 32) {
        for (size_t i = 0; i < 32; i++) u[i] = pcs_uniform(o->seed, b + i);
        pcs_cast_mxfp4_stochastic(o->x + b, u, o->x + b, 32);
    }
}

/* ---- NVFP4 ------------------------------------------------------------------------------------------ */

/* Blocks of `rows` x 16 under a scale of the tensor; by_chance: stochastic rounding. */
static void nvfp4(const pcs_low_operand *o, size_t rows, bool by_chance)
{
    const float global = pcs_largest(o->x, o->rows * o->ld) / (448.0f * 6.0f);
    for (size_t r = 0; r < o->rows; r += rows)
        for (size_t at = 0; at < o->ld; at += 16) {
            const size_t height = o->rows - r < rows ? o->rows - r : rows;
            float top = 0;
            for (size_t i = 0; i < height; i++) {
                const float m = pcs_largest(o->x + (r + i) * o->ld + at, 16);
                top = m > top ? m : top;
            }
            const float s = global > 0 ? pcs_cast(&pcs_e4m3, top / 6.0f / global, true) * global : 0.0f;
            for (size_t i = 0; i < height; i++)
                for (size_t k = 0; k < 16; k++) {
                    const size_t p = (r + i) * o->ld + at + k;
                    const float v = s > 0 ? o->x[p] / s : 0.0f;
                    o->x[p] = by_chance ? s * pcs_stochastic_e2m1(v, pcs_uniform(o->seed, p)) : s * pcs_e2m1_nearest(v);
                }
        }
}
static void nvfp4_rows(const pcs_low_operand *o) { nvfp4(o, 1, false); }
static void nvfp4_blocks(const pcs_low_operand *o) { nvfp4(o, 16, false); }
static void nvfp4_by_chance(const pcs_low_operand *o) { nvfp4(o, 1, true); }
static void nvfp4_turned(const pcs_low_operand *o)
{
    turn(o, 16, 0x7u); /* fixed signs */
    nvfp4(o, 1, false);
}
static void nvfp4_turned_by_chance(const pcs_low_operand *o)
{
    turn(o, 16, 0x7u);
    nvfp4(o, 1, true);
}

/* ---- the table --------------------------------------------------------------------------------------- */

const pcs_low pcs_lows[] = {
    { "bf16",
      "forward bf16, real; by inputs bf16, real; by weights bf16, real; head bf16, real",
      { { NULL, NULL, PCS_LOW_BF16 }, { NULL, NULL, PCS_LOW_BF16 }, { NULL, NULL, PCS_LOW_BF16 } },
      false, "bf16" },
    { "int8",
      "forward int8, real; by inputs int8, real; by weights bf16, real; head bf16, real",
      { { NULL, NULL, PCS_LOW_INT8 }, { NULL, NULL, PCS_LOW_INT8 }, { NULL, NULL, PCS_LOW_BF16 } },
      false, "bf16" },
    { "fp8",
      "forward fp8, simulated; by inputs fp8, simulated; by weights fp8, simulated; head bf16, real",
      { { fp8_rows, fp8_tiles, PCS_LOW_F32 },
        { fp8_rows, fp8_tiles, PCS_LOW_F32 },
        { fp8_rows, fp8_rows, PCS_LOW_F32 } },
      false, "bf16" },
    { "mxfp4",
      "forward mxfp4, simulated; by inputs mxfp4, simulated; by weights mxfp4, simulated; head bf16, real",
      { { NULL, NULL, PCS_LOW_F32 },
        { mxfp4_by_chance, mxfp4_by_chance, PCS_LOW_F32 },
        { mxfp4_by_chance, mxfp4_by_chance, PCS_LOW_F32 } },
      true, "bf16" },
    { "nvfp4",
      "forward nvfp4, simulated; by inputs nvfp4, simulated; by weights nvfp4, simulated; head bf16, real",
      { { nvfp4_rows, nvfp4_blocks, PCS_LOW_F32 },
        { nvfp4_by_chance, nvfp4_blocks, PCS_LOW_F32 },
        { nvfp4_turned_by_chance, nvfp4_turned, PCS_LOW_F32 } },
      false, "bf16" },
    { 0 },
};

const pcs_low *pcs_low_by_name(const char *name)
{
    for (const pcs_low *l = pcs_lows; l->name; l++)
        if (!strcmp(l->name, name)) return l;
    return NULL;
}
