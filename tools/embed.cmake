# Files as C arrays: FOLDER (eval.txt, probes/*.txt), OUT.
file(GLOB probes ${FOLDER}/probes/*.txt)
file(WRITE ${OUT} "/* Generated from ${FOLDER}. */\n#include \"eval/probes.h\"\n#include \"precis/eval.h\"\n")
foreach(in ${FOLDER}/eval.txt ${probes})
  file(READ ${in} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  get_filename_component(name ${in} NAME_WE)
  file(APPEND ${OUT} "\nstatic const unsigned char text_${name}[] = {\n${bytes}0\n};\n")
endforeach()
file(APPEND ${OUT} "
const char *precis_eval_default_text(size_t *len)
{
    *len = sizeof text_eval - 1;
    return (const char *)text_eval;
}

const pcs_probe pcs_probe_texts[] = {
")
foreach(in ${probes})
  get_filename_component(name ${in} NAME_WE)
  file(APPEND ${OUT} "    { \"${name}\", (const char *)text_${name}, sizeof text_${name} - 1 },\n")
endforeach()
file(APPEND ${OUT} "    { NULL, NULL, 0 },\n};\n")
