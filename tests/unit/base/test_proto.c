/* Fields of protobuf messages: numbers, bytes, groups within groups, and what is none. */
#include "base/proto.h"
#include "test.h"

/* Of each message the fields, as "number/wire=value" or "number/wire[bytes]"; "bad" where it is damaged. */
static const struct { const char *hex, *says; } rows[] = {
    { "", "" },
    { "0805", "1/0=5 " },
    { "08ac02", "1/0=300 " },
    { "08ffffffffffffffffff01", "1/0=18446744073709551615 " },
    { "08ffffffffffffffffff02", "bad" },   /* more than 64 bits */
    { "08ffffffffffffffffffff01", "bad" }, /* more than 10 bytes */
    { "08", "bad" },
    { "0880", "bad" },
    { "0d01000000", "1/5=1 " },
    { "0d010000", "bad" },
    { "090100000000000080", "1/1=9223372036854775809 " },
    { "0901", "bad" },
    { "12026869", "2/2[2] " },
    { "1200", "2/2[0] " },
    { "12036869", "bad" },                 /* longer than what holds it */
    { "12ffffffffffffffffff01", "bad" },
    { "00", "bad" },                       /* field 0 */
    { "f8ffffff0f01", "536870911/0=1 " },  /* the last number of a field */
    { "808080801001", "bad" },
    { "0e", "bad" },                       /* wire types 6 and 7 are none */
    { "0f", "bad" },
    { "0b08051005" "0c" "1807", "1/3[4] 3/0=7 " },
    { "0b13080514" "0c", "1/3[4] " },      /* a group in a group */
    { "0b0c", "1/3[0] " },
    { "0b0805", "bad" },                   /* it does not end */
    { "0b080514", "bad" },                 /* another one ends */
    { "0b130c14", "bad" },                 /* in the wrong order */
    { "0c", "bad" },                       /* one that never began */
    { "08010c", "bad" },
};

static void told(const unsigned char *at, size_t n, char *text, size_t room)
{
    pcs_proto m = { at, at + n };
    pcs_proto_field f;
    bool bad = false;
    size_t k = 0;
    *text = 0;
    while (pcs_proto_next(&m, &f, &bad)) {
        k += (size_t)snprintf(text + k, room - k, "%u/%u", f.number, f.wire);
        if (f.wire == 2 || f.wire == 3) k += (size_t)snprintf(text + k, room - k, "[%zu] ", pcs_proto_size(f.inner));
        else k += (size_t)snprintf(text + k, room - k, "=%llu ", (unsigned long long)f.value);
        if (f.wire == 2 || f.wire == 3) assert_true(f.inner.p >= at && f.inner.end <= at + n);
    }
    if (bad) snprintf(text, room, "bad");
}

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const size_t n = strlen(rows[i].hex) / 2;
        unsigned char *message = malloc(n ? n : 1); /* of just so many bytes: valgrind and ASan see one too far */
        char text[256];
        for (size_t k = 0; k < n; k++) {
            const char digits[3] = { rows[i].hex[2 * k], rows[i].hex[2 * k + 1], 0 };
            message[k] = (unsigned char)strtoul(digits, NULL, 16);
        }
        told(message, n, text, sizeof text);
        if (strcmp(text, rows[i].says)) fail_msg("%s: \"%s\", not \"%s\"", rows[i].hex, text, rows[i].says);
        free(message);
    }
}

/* Groups lie in one another to a bound. */
static void test_depth(void **state)
{
    unsigned char message[4 * PCS_PROTO_DEPTH];
    char text[256];
    (void)state;
    for (size_t deep = PCS_PROTO_DEPTH; deep <= PCS_PROTO_DEPTH + 1; deep++) {
        for (size_t i = 0; i < deep; i++) message[i] = 0x0b, message[2 * deep - 1 - i] = 0x0c;
        told(message, 2 * deep, text, sizeof text);
        assert_int_equal(!strcmp(text, "bad"), deep > PCS_PROTO_DEPTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fields), cmocka_unit_test(test_depth) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
