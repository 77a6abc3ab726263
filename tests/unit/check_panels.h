/* check_panels.h - panels of floats, and of bytes that become floats; test_kernels.c includes it after its helpers. */
#ifndef PCS_TEST_CHECK_PANELS_H
#define PCS_TEST_CHECK_PANELS_H

#include "format/element.h"

static void check_panel(const pcs_kernel *k)
{
    for (size_t n = 1; n <= 40; n += 3)
        for (size_t rows = 1; rows <= 16; rows += 5) {
            float *w = guarded(n * rows * 4), *b[2] = { guarded(n * 64), guarded(n * 64) };
            test_fill(w, n * rows, n, 1.0f);
            for (int s = 0; s < 2; s++) (s ? pcs_panel_scalar : k->run.panel)(&(pcs_panel_args){ w, n, rows, n, b[s] });
            same(k, "panel", b[0], b[1], n * 64);
            release(w, n * rows * 4);
            for (int s = 0; s < 2; s++) release(b[s], n * 64);
        }
}

/* Every code of both elements, NaN among them, which stays one. */
static void check_panel_bytes(const pcs_kernel *k)
{
    static const char *const formats[] = { "F8_E4M3", "F8_E5M2" };
    for (size_t f = 0; f < 2; f++)
        for (size_t n = 1; n <= 70; n += n < 34 ? 3 : 17)
            for (size_t rows = 1; rows <= 16; rows += 5) {
                const size_t step = n + n % 3;
                uint8_t *src = guarded((rows - 1) * step + n);
                float scale[16], *b[2] = { guarded(n * 64), guarded(n * 64) };
                test_fill(scale, 16, n, 3.0f);
                for (size_t i = 0; i < (rows - 1) * step + n; i++) src[i] = (uint8_t)(i * 37 + n);
                for (int s = 0; s < 2; s++)
                    (s ? pcs_panel_bytes_scalar : k->run.panel_bytes)(&(pcs_panel_bytes_args){
                        pcs_format_by_name(formats[f])->element, src, step, rows, n, scale, b[s] });
                for (size_t i = 0; i < 16 * n; i++)
                    if (b[1][i] != b[1][i]) assert_true(b[0][i] != b[0][i]), b[0][i] = b[1][i];
                same(k, "panel_bytes", b[0], b[1], n * 64);
                release(src, (rows - 1) * step + n);
                for (int s = 0; s < 2; s++) release(b[s], n * 64);
            }
}

#endif
