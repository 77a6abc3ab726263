/* mAP of boxes that come image by image: figures that are asked for on the way change nothing of the last one. */
#include "test.h"

#include "eval/net/score.h"

#include <math.h>

enum { IMAGES = 5, BOXES = 3 };

/* The boxes of an image, of two classes; later images are surer, so that sorting moves all that came before. */
static void boxes_of(int image, double *at)
{
    for (int b = 0; b < BOXES; b++, at += 6) {
        const double x = 10.0 * b + image, score = 0.1 + 0.15 * image + 0.02 * b;
        const double row[6] = { x, x, x + 8, x + 8, score, b % 2 };
        memcpy(at, row, sizeof row);
    }
}

static double scored(precis_ctx *ctx, bool asked)
{
    extern const pcs_score_kind pcs_score_map;
    const precis_eval_net_options o = { .size = sizeof o, .detections = "xyxy" };
    double at[BOXES * 6], figure = NAN;
    pcs_boxes images[IMAGES] = { { NULL, 0 } };
    pcs_box list[IMAGES][BOXES];
    const pcs_labels labels = { .boxes = images, .n = IMAGES, .each = 1 };
    pcs_score s = { .ctx = ctx, .kind = &pcs_score_map, .labels = &labels, .o = &o, .n_outputs = 1, .n = IMAGES };
    const pcs_numbers out = { .name = "y", .dims = 3, .shape = { 1, BOXES, 6 }, .n = BOXES * 6, .at = at };
    for (int i = 0; i < IMAGES; i++) {
        boxes_of(i, at);
        for (int b = 0; b < BOXES; b++) {
            const double *p = at + 6 * b;
            list[i][b] = (pcs_box){ { p[0], p[1], p[2], p[3] }, (int64_t)p[5], p[4] };
        }
        images[i] = (pcs_boxes){ list[i], BOXES };
    }
    OK(ctx, pcs_score_map.begin(&s));
    for (uint64_t i = 0; i < IMAGES; i++) {
        boxes_of((int)i, at);
        OK(ctx, pcs_score_map.add(&s, i, 0, 1, &out));
        s.n = i + 1;
        if (asked) assert_true(pcs_score_map.value(&s, NULL, NULL) > 0.999); /* all of what there is so far */
        s.n = IMAGES;
    }
    figure = pcs_score_map.value(&s, NULL, NULL);
    pcs_score_map.end(&s);
    return figure;
}

static void test_asked(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    assert_true(scored(ctx, false) > 1 - 1e-9 && scored(ctx, true) > 1 - 1e-9);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_asked) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
