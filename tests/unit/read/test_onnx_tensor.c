/* TensorProto in all of its forms: what elements are read out of raw_data, of typed fields, packed or not, and of files
 * beside the net; and what is refused, with the tensor's name. */
#include "onnx_model.h"
#include "precis/net.h"

static precis_ctx *ctx;

static char *in_folder(const char *name)
{
    static char paths[4][600];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", test_folder(), name);
    return path;
}

static void put_file(const char *name, const void *data, size_t n)
{
    FILE *f = fopen(in_folder(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    fclose(f);
}

static size_t from_hex(const char *s, size_t n, unsigned char *out)
{
    size_t k = 0;
    for (; k < n / 2; k++) {
        const char digits[3] = { s[2 * k], s[2 * k + 1], 0 };
        out[k] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return k;
}

/* A field of a message: 2=7 a varint, 9:00ff bytes, 7~1,-2 packed varints, 5^0000803f 4 bytes of a number, 6|... 8 of
 * one, 13{location>name an entry of external_data. */
static void put_part(onnx_bytes *out, const char *part, size_t n)
{
    unsigned char bytes[256];
    char text[256], *at;
    assert_true(n < sizeof text);
    memcpy(text, part, n);
    text[n] = 0;
    const int field = (int)strtol(text, &at, 10);
    const char kind = *at++;
    onnx_bytes inner = { 0 };
    if (kind == '=') onnx_int(out, field, strtoll(at, NULL, 10));
    else if (kind == '^' || kind == '|') {
        onnx_varint(out, (uint64_t)field << 3 | (kind == '^' ? 5 : 1));
        onnx_put(out, bytes, from_hex(at, strlen(at), bytes));
    } else if (kind == ':') onnx_field(out, field, bytes, from_hex(at, strlen(at), bytes));
    else if (kind == '~') {
        for (char *end = at; *at; at = end + (*end == ',')) onnx_varint(&inner, (uint64_t)strtoll(at, &end, 10));
        onnx_within(out, field, &inner);
    } else if (kind == '{') {
        char *value = strchr(at, '>');
        assert_non_null(value);
        *value++ = 0;
        onnx_string(&inner, 1, at);
        onnx_string(&inner, 2, value);
        onnx_within(out, field, &inner);
    } else fail_msg("no part: %s", text);
}

/* A net that gives what it holds, made of the parts of its tensors; written to t.onnx. */
static void put_net(const char *const *tensors, size_t n)
{
    onnx_bytes model = { 0 }, graph = { 0 }, set = { 0 };
    for (size_t i = 0; i < n; i++) {
        onnx_bytes tensor = { 0 }, node = { 0 }, port = { 0 };
        const char name[2] = { (char)('a' + i), 0 }, result[2] = { (char)('A' + i), 0 };
        onnx_string(&tensor, 8, name);
        for (const char *p = tensors[i]; *p; p += strspn(p, " ")) {
            put_part(&tensor, p, strcspn(p, " "));
            p += strcspn(p, " ");
        }
        onnx_within(&graph, 5, &tensor);
        onnx_string(&node, 1, name);
        onnx_string(&node, 2, result);
        onnx_string(&node, 4, "Identity");
        onnx_within(&graph, 1, &node);
        onnx_string(&port, 1, result);
        onnx_within(&graph, 12, &port);
    }
    onnx_string(&graph, 2, "g");
    onnx_int(&set, 2, 25);
    onnx_int(&model, 1, 12);
    onnx_within(&model, 8, &set);
    onnx_within(&model, 7, &graph);
    put_file("t.onnx", model.data, model.n);
    free(model.data);
}

static precis_status given(precis_net **net, const precis_array **got)
{
    *got = NULL;
    const precis_status st = precis_net_open(ctx, net, in_folder("t.onnx"));
    return st ? st : precis_net_run(*net, NULL, 0, got);
}

/* 1 and -2 in each type and form. 4 and 2 bits are one a byte in what comes out. */
static const struct { const char *tensor, *type, *bytes; } good[] = {
    { "2=1 1=2 9:0000803f000000c0", "f32", "0000803f000000c0" },
    { "2=1 1~2 4:0000803f000000c0", "f32", "0000803f000000c0" },         /* packed */
    { "2=1 1=2 4^0000803f 4^000000c0", "f32", "0000803f000000c0" },      /* one by one */
    { "2=1 1=2 4:0000803f 4^000000c0", "f32", "0000803f000000c0" },      /* both */
    { "2=1 4^0000803f", "f32", "0000803f" },                             /* a scalar */
    { "2=1 1~1,2,1 9:0000803f000000c0", "f32", "0000803f000000c0" },
    { "2=1 1=0 9:", "f32", "" },
    { "2=1 1=0", "f32", "" },
    { "2=11 1=2 9:000000000000f03f00000000000000c0", "f64", "000000000000f03f00000000000000c0" },
    { "2=11 1=2 10:000000000000f03f00000000000000c0", "f64", "000000000000f03f00000000000000c0" },
    { "2=11 1=2 10|000000000000f03f 10|00000000000000c0", "f64", "000000000000f03f00000000000000c0" },
    { "2=7 1=2 7~1,-2", "i64", "0100000000000000feffffffffffffff" },
    { "2=7 1=2 7=1 7=-2", "i64", "0100000000000000feffffffffffffff" },
    { "2=7 1=1 9:feffffffffffffff", "i64", "feffffffffffffff" },
    { "2=6 1=2 5~1,-2", "i32", "01000000feffffff" },
    { "2=6 1=2 5=1 5=-2", "i32", "01000000feffffff" },
    { "2=5 1=2 5~1,-2", "i16", "0100feff" },
    { "2=3 1=2 5~1,-2", "i8", "01fe" },
    { "2=2 1=2 5~1,254", "u8", "01fe" },
    { "2=4 1=2 5~1,65534", "u16", "0100feff" },
    { "2=12 1=2 11~1,4294967294", "u32", "01000000feffffff" },
    { "2=13 1=2 11~1,-2", "u64", "0100000000000000feffffffffffffff" },
    { "2=9 1=3 5~1,0,1", "bool", "010001" },
    { "2=9 1=3 9:0100ff", "bool", "010001" },
    { "2=10 1=2 5~15360,49152", "f16", "003c00c0" },
    { "2=16 1=2 5~16256,49152", "bf16", "803f00c0" },
    { "2=10 1=2 9:003c00c0", "f16", "003c00c0" },
    { "2=22 1=3 9:e101", "i4", "01fe01" },
    { "2=22 1=3 5~225,1", "i4", "01fe01" },
    { "2=21 1=3 9:e101", "u4", "010e01" },
    { "2=26 1=4 9:e4", "i2", "0001feff" },
    { "2=25 1=4 9:e4", "u2", "00010203" },
    { "2=1 1=2 14=1 13{location>w.bin 13{offset>8 13{length>8", "f32", "0000004000004040" },
    { "2=1 1=2 14=1 13{location>w.bin", "f32", "0000803f000000c0" },
    { "2=3 1=3 14=1 13{location>w.bin 13{offset>1 13{checksum>x", "i8", "00803f" },
    { "2=1 1=0 14=1 13{location>w.bin 13{offset>16", "f32", "" },
};
static const unsigned char beside[] = { 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40 };

static void test_forms(void **state)
{
    (void)state;
    put_file("w.bin", beside, sizeof beside);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        unsigned char want[64];
        precis_net *net = NULL;
        const precis_array *got;
        const size_t n = from_hex(good[i].bytes, strlen(good[i].bytes), want);
        put_net(&good[i].tensor, 1);
        if (given(&net, &got)) fail_msg("%s: %s", good[i].tensor, precis_ctx_message(ctx));
        if (strcasecmp(got[0].type, good[i].type) || got[0].bytes != n || (n && memcmp(got[0].data, want, n)))
            fail_msg("%s: %s of %llu bytes, or others", good[i].tensor, got[0].type, (unsigned long long)got[0].bytes);
        precis_net_close(&net);
    }
}

static const struct { const char *tensor; precis_status status; const char *says; } bad[] = {
    { "2=1 1=2 9:0000803f", PRECIS_EFORMAT, "a: has 4 bytes of data, its shape and type ask for 8" },
    { "2=1 1=2", PRECIS_EFORMAT, "a: has 0 bytes of data" },
    { "2=1 1=1 9=7", PRECIS_EFORMAT, "a: its raw_data are no bytes" },
    { "2=1 1=0 9=7", PRECIS_EFORMAT, "a: its raw_data are no bytes" },
    { "2=1 1=1 9:0000803f 9:0000803f", PRECIS_EFORMAT, "a: has raw_data twice" },
    { "2=1 1=1 9:0000803f 4:0000803f", PRECIS_EFORMAT, "a: holds its data in two forms" },
    { "2=1 1=1 4:0000803f 5~1", PRECIS_EFORMAT, "a: holds its data in two forms" },
    { "2=1 1=1 9:0000803f 14=1 13{location>w.bin", PRECIS_EFORMAT, "a: holds its data in two forms" },
    { "2=1 1=1 5~1", PRECIS_EFORMAT, "a: holds numbers of another type than its own" },
    { "2=7 1=1 5~1", PRECIS_EFORMAT, "a: holds numbers of another type than its own" },
    { "2=7 1=3 7~1,2", PRECIS_EFORMAT, "a: has 2 numbers, its shape asks for 3" },
    { "2=22 1=3 5~225", PRECIS_EFORMAT, "a: has 1 numbers, its shape asks for 2" },
    { "2=7 1=1 7:ff", PRECIS_EFORMAT, "a: its packed numbers are damaged" },
    { "2=7 1:ff 7=1", PRECIS_EFORMAT, "a: its dimensions are damaged" },
    { "2=7 1=-1 7=1", PRECIS_EFORMAT, "a: dimension 0 is -1" },
    { "2=7 1~1,1,1,1,1,1,1,1,1 7=1", PRECIS_EFORMAT, "a: has more than 8 dimensions" },
    { "2=1 1=65536 1=65536 9:00", PRECIS_EFORMAT, "a: has more than 2^31 elements" },
    { "2=8 1=1 6:61", PRECIS_EUNSUPPORTED, "tensor a: data type 8 (strings) is not supported" },
    { "2=14 1=1 9:00", PRECIS_EUNSUPPORTED, "tensor a: data type 14 is not supported" },
    { "1=1 9:00", PRECIS_EUNSUPPORTED, "tensor a: data type 0 is not supported" },
    { "2=1 1=1 3:0801 9:0000803f", PRECIS_EUNSUPPORTED, "tensor a: is a segment of another" },
    { "2=1 1=1 14=1", PRECIS_EFORMAT, "a: is external and names no file" },
    { "2=1 1=1 14=1 13{location>", PRECIS_EFORMAT, "a: is external and names no file" },
    { "2=1 1=1 14=1 13{location>w.bin 13{offset>-4", PRECIS_EFORMAT, "a: its external offset is no number" },
    { "2=1 1=1 14=1 13{location>w.bin 13{offset>99999999999999999999", PRECIS_EFORMAT,
      "its external offset is no number" },
    { "2=1 1=1 14=1 13{location>w.bin 13{length>4x", PRECIS_EFORMAT, "a: its external length is no number" },
    { "2=1 1=1 14=1 13{location>w.bin 13{colour>red", PRECIS_EFORMAT,
      "external_data has an unknown key \"colour\"" },
    { "2=1 1=1 14=1 13:ff", PRECIS_EFORMAT, "a: its external_data are damaged" },
    { "2=1 1=1 14=1 13{location>w.bin 13{offset>17", PRECIS_EFORMAT, "a: begins at byte 17 of w.bin, which has 16" },
    { "2=1 1=2 14=1 13{location>w.bin 13{offset>12", PRECIS_EFORMAT, "a: ends behind w.bin, which has 16 bytes" },
    { "2=1 1=1 14=1 13{location>w.bin 13{length>8", PRECIS_EFORMAT, "a: has 8 bytes of data" },
    { "2=1 1=1 14=1 13{location>nothing.bin", PRECIS_EIO, "nothing.bin" },
    { "2=1 1=1 14=1 13{location>../w.bin", PRECIS_EFORMAT, "../w.bin" },
    { "2=1 1=1 14=1 13{location>/dev/zero", PRECIS_EFORMAT, "/dev/zero" },
};

static void test_refused(void **state)
{
    (void)state;
    put_file("w.bin", beside, sizeof beside);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        precis_net *net = NULL;
        const precis_array *got;
        put_net(&bad[i].tensor, 1);
        const precis_status st = given(&net, &got);
        if (st != bad[i].status || !strstr(precis_ctx_message(ctx), bad[i].says))
            fail_msg("%s: status %d, \"%s\"", bad[i].tensor, (int)st, precis_ctx_message(ctx));
        precis_net_close(&net);
    }
}

/* Tied weights lie in the same bytes; a part of another's is no tensor. */
static void test_shared(void **state)
{
#define PLACE "2=1 14=1 13{location>w.bin "
    static const struct { const char *tensors[2]; precis_status status; } rows[] = {
        { { PLACE "1=2", PLACE "1=2" }, PRECIS_OK },
        { { PLACE "1=2", PLACE "1=2 13{offset>8" }, PRECIS_OK },
        { { PLACE "1=2", PLACE "1=1 13{offset>4" }, PRECIS_EFORMAT },
        { { PLACE "1=1 13{offset>4", PLACE "1=4" }, PRECIS_EFORMAT },
    };
    (void)state;
    put_file("w.bin", beside, sizeof beside);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        precis_net *net = NULL;
        const precis_array *got;
        put_net(rows[i].tensors, 2);
        const precis_status st = given(&net, &got);
        if (st != rows[i].status || (st && !strstr(precis_ctx_message(ctx), "b: shares bytes with another")))
            fail_msg("row %zu: status %d, \"%s\"", i, (int)st, precis_ctx_message(ctx));
        if (!st) assert_memory_equal(got[1].data, beside + (i ? 8 : 0), 8);
        precis_net_close(&net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_forms), cmocka_unit_test(test_refused),
                                        cmocka_unit_test(test_shared) };
    ctx = test_ctx(1);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    precis_ctx_close(&ctx);
    return failed;
}
