# A file as a C array: IN, OUT.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "/* Generated from ${IN}. */
#include \"precis/eval.h\"

static const unsigned char text[] = {
${bytes}0
};

const char *precis_eval_default_text(size_t *len)
{
    *len = sizeof text - 1;
    return (const char *)text;
}
")
