#!/bin/sh
# What tools/check-style calls clean is clean, and each of its checks can fail. usage: style.sh SOURCE_FOLDER
set -eu
check=$1/tools/check-style
failed=0
"$check" || failed=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One fault a file: its words, and what has to be said of it.
fault() {
    rm -rf "$work/src"
    mkdir -p "$work/src/text"
    printf "$2" >"$work/src/text/x.c"
    said=$("$check" --root "$work" --all || true)
    case "$said" in
        *"src/text/x.c:$3"*) ;;
        *) echo "check-style does not see: $1"; echo "$said"; failed=1 ;;
    esac
}
letters=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
lines=$(yes 'a = b;@' 2>/dev/null | head -61 | tr -d '\n' | sed 's/@/\\n/g')
wide=$(yes "        /* $letters */@" 2>/dev/null | head -45 | tr -d '\n' | sed 's/@/\\n/g')
fault "a wide line" "\n/* $letters $letters */\n" "2: 127 columns"
fault "a long file" "$(yes @ 2>/dev/null | head -601 | tr -d '\n' | sed 's/@/\\n/g')" "601: 601 lines"
fault "a long function" "static void f(void)\n{\n$lines}\n" "1: f() has 64 lines"
fault "a function of wide lines" "static void f(void)\n{\n$wide}\n" "1: f() has 3"
fault "many parameters" "void pcs_f(int a, int b, int c, int d, int e, int f, int g);\n" "1: pcs_f() takes 7"
fault "a call that knows no bound" "static void f(char *a)\n{\n    strcpy(a, \"\");\n}\n" "3: strcpy()"
fault "GNU C" "static int f(int a)\n{\n    return __builtin_ctz(a);\n}\n" "3: __builtin_ctz"
fault "a public name that is not ours" "int f(int a)\n{\n    return a;\n}\n" "1: f() is not static"
rm -rf "$work/src"
mkdir -p "$work/src/text"
echo 'static int f(int a) { return a; }' >"$work/src/text/a.c"
echo 'static int f(char *a) { return *a; }' >"$work/src/text/b.c"
said=$("$check" --root "$work" --all || true)
[ "$said" = "src/text/b.c:1: f() means something else in src/text/a.c:1" ] || { echo "two meanings: $said"; failed=1; }
echo '/* strcpy(a, "sprintf(") is what nobody calls */ const char *pcs_s = "gets()";' >"$work/src/text/b.c"
said=$("$check" --root "$work" --all) || { echo "comments and strings are no calls: $said"; failed=1; }
exit $failed
