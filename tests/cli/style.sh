#!/bin/sh
# What tools/check-style calls clean is clean, and each of its checks can fail. usage: style.sh SOURCE_FOLDER
set -eu
check=$1/tools/check-style
failed=0
"$check" || failed=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/src/text" "$work/src/kernel/x86"

# A tree with one fault of each kind, made by python3, which the checker needs anyway; then what has to be said of it.
python3 - "$work/src/text" <<'E'
import sys
def put(name, text, ending="c"):
    with open(f"{sys.argv[1]}/{name}.{ending}", "w") as f:
        f.write(text)
put("wide", "\n/* " + "a" * 120 + " */\n")
put("file", "\n" * 601)
put("lines", "static void lines(void)\n{\n" + "    x = y;\n" * 61 + "}\n")
put("characters", "static void characters(void)\n{\n" + ("    /* " + "a" * 100 + " */\n") * 30 + "}\n")
put("parameters", "void pcs_f(int a, int b, int c, int d, int e, int f, int g);\n")
put("banned", "static void banned(char *a)\n{\n    strcpy(a, \"\");\n}\n")
put("gnu", "static int gnu(int a)\n{\n    return __builtin_ctz(a);\n}\n")
put("name", "int name(int a)\n{\n    return a;\n}\n")
put("one", "static int both(int a)\n{\n    return a;\n}\n")
put("two", "static int both(char *a)\n{\n    return *a;\n}\n")
put("guard", "#ifndef PCS_GUARD_H\n#define PCS_GUARD_H\n#endif\n", "h")
put("guarded", "#ifndef PCS_GUARD_H\n#define PCS_GUARD_H\n#endif\n", "h")
put("store", "static int store(const pcs_value *v)\n{\n    return v->store.host_at != 0;\n}\n")
put("value", "struct pcs_value {\n    const char *name;\n    const void *data;\n};\n")
put("../kernel/x86/array", "static void array(void)\n{\n    float d[8 * 16];\n    _Alignas(64) float e[16];\n}\n")
put("text", "/* strcpy(a) and __builtin_ctz(a) are not called here */\nconst char *pcs_s = \"gets(); ?:\";\n")
put("grid", "static const int grid[] = {\n    " + "123, " * 40 + "\n};\n")
E
"$check" --root "$work" --all >"$work/said" || true
cat >"$work/expected" <<'E'
src/kernel/x86/array.c:3: d[]: a local array says its alignment (_Alignas)
src/text/banned.c:3: strcpy(): it knows no bound: memcpy or snprintf
src/text/characters.c:1: characters() has 3362 characters; at most 3000
src/text/file.c:601: 601 lines; at most 600
src/text/gnu.c:3: __builtin_ctz is GNU C: src/base or src/kernel names it
src/text/guarded.h:1: PCS_GUARD_H guards src/text/guard.h, too
src/text/lines.c:1: lines() has 64 lines; at most 60
src/text/name.c:1: name() is not static and does not begin with pcs_ or precis_
src/text/parameters.c:1: pcs_f() takes 7; at most 6, or a struct
src/text/store.c:3: .host_at is store.c's: ask by graph/store.h
src/text/two.c:1: both() means something else in src/text/one.c:1
src/text/value.c:3: data: contents lie in its pcs_store
src/text/wide.c:2: 126 columns; at most 120
E
diff "$work/expected" "$work/said" || { echo "< expected of a tree of faults, > said of it"; failed=1; }
exit $failed
