/* check_shared.h - a product that threads claim in units, on emulated tiles: whatever thread takes what, in whatever
 * order, the numbers are those of one scalar call. */
#ifndef CHECK_SHARED_H
#define CHECK_SHARED_H

#ifdef __x86_64__

#include "graph/graph.h"

extern const pcs_op pcs_op_matmul;

enum { SHARED_ROWS = 16 * 8 * 2 + 37, SHARED_TOKENS = 3 * PCS_AGAIN_TOKENS + 9, SHARED_WIDTH = 512, SHARED_MOST = 5 };

/* Threads one after the other, from `first` on: each takes its share, and then all that those behind it have. */
static void shared_among(const pcs_call *c, uint32_t first, uint32_t threads)
{
    for (uint32_t i = 0; i < threads; i++) pcs_op_matmul.fast(c, (first + i) % threads, threads);
}

/* c: of everything but claims; its result by one thread, and then by several, with claims and without. */
static void shared_alike(pcs_call *c, const float *want, const char *what)
{
    static pcs_claims claims[SHARED_MOST];
    const size_t bytes = sizeof *want * SHARED_TOKENS * SHARED_ROWS;
    for (uint32_t threads = 1; threads <= SHARED_MOST; threads++)
        for (int claimed = 0; claimed < 2; claimed++) {
            pcs_claims_begin(claims, SHARED_MOST);
            memset(c->out[0].data, 0xff, bytes);
            c->claims = claimed ? claims : NULL;
            c->step = threads;
            shared_among(c, threads / 2, threads);
            if (memcmp(c->out[0].data, want, bytes))
                fail_msg("%s differs among %u threads%s", what, threads, claimed ? " that claim" : "");
        }
}

static void test_shared(void **state)
{
    (void)state;
    const bool bf16 = emulates_bf16();
    if (!(pcs_cpu_flags() & PCS_CPU_AVX512VNNI)) {
        print_message("not on this machine: products on emulated tiles\n");
        return;
    }
    enum { N = SHARED_ROWS, M = SHARED_TOKENS, K = SHARED_WIDTH };
    pcs_kernels kernels = pcs_kernels_for(pcs_cpu_flags());
    kernels.mp_int8 = pcs_mp_int8_amx_emulated, kernels.mp_int8_again = pcs_mp_int8_again_amx_emulated;
    kernels.mp_bf16 = pcs_mp_bf16_amx_emulated, kernels.mp_bf16_again = pcs_mp_bf16_again_amx_emulated;
    const pcs_format *f = pcs_format_by_name("TQ2_0");
    const size_t row = pcs_row_bytes(f, K), room = pcs_mp_int8_scratch(K) + pcs_mp_bf16_scratch(K) + 256;
    uint8_t *w = make_rows(f, K, N, 3);
    one_scale(f, K, N, w);
    float *x = malloc(sizeof *x * M * K), *want = malloc(sizeof *x * M * N), *got = malloc(sizeof *x * M * N), bias[N];
    test_fill(x, M * K, 1, 1.0f);
    test_fill(bias, N, 2, 1.0f);
    void *mem = aligned_alloc(64, (room + 63) / 64 * 64 * SHARED_MOST), *codes = make_act_int8(M, K);
    uint16_t *halves = make_act_bf16(M, K);
    const pcs_act_int8 act = pcs_act_int8_in(codes, M, K);
    pcs_act_int8_scalar(&(pcs_act_int8_args){ x, K, M, 0, M, act });
    pcs_act_bf16_scalar(&(pcs_act_bf16_args){ x, K, M, 0, M, halves, 0 });
    pcs_arg in[3] = { { .dtype = PCS_ACT_INT8, .dims = 2, .shape = { M, K }, .data = codes },
                      { .dtype = PCS_STORED, .dims = 2, .shape = { N, K }, .data = w, .format = f },
                      { .dtype = PCS_F32, .dims = 1, .shape = { N }, .data = bias } };
    pcs_arg out = { .dtype = PCS_F32, .dims = 2, .shape = { M, N }, .data = got };
    pcs_call c = { .kernels = &kernels, .n_in = 3, .n_out = 1, .in = in, .out = &out, .scratch = mem,
                   .scratch_size = (room + 63) / 64 * 64 };
    pcs_mp_int8_scalar(&(pcs_mp_int8_args){ f, w, row, K, 0, N, M, act, want, N, bias, mem, false, 0 });
    shared_alike(&c, want, "int8");
    in[0].dtype = PCS_ACT_BF16, in[0].data = halves;
    pcs_mp_bf16_scalar(&(pcs_mp_bf16_args){ f, w, row, K, 0, N, M, halves, want, N, bias, mem, false, 0, 0 });
    if (bf16) shared_alike(&c, want, "bf16");
    free(x), free(want), free(got), free(mem), free(codes), free(halves);
    release(w, row * N);
}

#else
static void test_shared(void **state) { (void)state; }
#endif
#endif
