/* test_split_files.c - a GGUF in parts: all tensors are there, from any of whose parts they come, and parts that are
 * missing, opened in the wrong order or of other numbers are refused with their reason. */
#include "model/model.h"
#include "tiny_model.h"

typedef struct {
    const char *name;     /* of the file that is opened */
    uint32_t no, count, total;
    bool second;          /* the other part is there */
    const char *says;     /* NULL: it is read */
} split_row;

static void write_part(const char *name, const split_row *r, uint32_t no, const char *tensor, const float *x)
{
    test_gguf g = { 0 };
    if (no == r->no) test_key_text(&g, "general.architecture", "of_others");
    test_key(&g, "split.no", 2, &(uint16_t){ (uint16_t)no }, 2);
    test_key(&g, "split.count", 2, &(uint16_t){ (uint16_t)r->count }, 2);
    test_key(&g, "split.tensors.count", 5, &r->total, 4);
    test_add(&g, tensor, (test_shape){ 4, 2, 0 }, (test_noise){ 0 }, x);
    test_write_gguf(&g, tiny_path(name));
}

static const split_row rows[] = {
    { "m-00001-of-00002.gguf", 0, 2, 2, true, NULL },
    { "m-00001-of-00002.gguf", 0, 2, 2, false, "m-00002-of-00002.gguf" },
    { "m-00001-of-00002.gguf", 0, 2, 3, true, "split.tensors.count: says 3, the parts have 2 tensors" },
    { "m-00002-of-00002.gguf", 1, 2, 2, true, "open the first part, whose name ends in -00001-of-00002.gguf" },
    { "m-00001-of-00003.gguf", 0, 2, 2, true, "part of a file of 2 parts; open the first part" },
    { "short.gguf", 0, 2, 2, true, "part of a file of 2 parts; open the first part" },
    { "m-00001-of-00002.gguf", 0, 65535, 2, true, "split.count: 65535 parts, the limit is" },
    { "one.gguf", 0, 1, 1, false, NULL },
};

static void test_parts(void **state)
{
    (void)state;
    static const float x[2][8] = { { 1, 2, 3, 4, 5, 6, 7, 8 }, { 9, 10, 11, 12, 13, 14, 15, 16 } };
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const split_row *r = &rows[i];
        precis_model *m;
        remove(tiny_path("m-00002-of-00002.gguf"));
        write_part(r->name, r, r->no, "a.weight", x[0]);
        if (r->second && strcmp(r->name, "m-00002-of-00002.gguf"))
            write_part("m-00002-of-00002.gguf", r, r->no + 1, "b.weight", x[1]);
        const precis_status st = precis_model_open(ctx, &m, tiny_path(r->name));
        if (r->says) {
            if (!st || !strstr(precis_ctx_message(ctx), r->says))
                fail_msg("row %zu: %d, not \"%s\": %s", i, (int)st, r->says, st ? precis_ctx_message(ctx) : "");
            continue;
        }
        if (st) fail_msg("row %zu: %s", i, precis_ctx_message(ctx));
        for (size_t k = 0; k < r->count; k++) {
            const pcs_tensor *t = pcs_model_tensor(m, k ? "b.weight" : "a.weight");
            assert_non_null(t);
            assert_int_equal(t->ne[0] * t->ne[1], 8);
            assert_memory_equal(t->data, x[k], sizeof x[k]);
        }
        precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_parts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
