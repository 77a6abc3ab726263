#!/bin/sh
# The layer order holds, and the check can fail.
set -eu
root=$1
"$root/tools/check-layers"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/base" "$work/run"
echo '#include "run/program.h"' >"$work/base/x.c"
if "$root/tools/check-layers" "$work" >/dev/null; then
    echo "check-layers accepts base including run"
    exit 1
fi
refuses() # WHAT: in $work
{
    if "$root/tools/check-layers" "$work" >/dev/null; then
        echo "check-layers accepts $1"
        exit 1
    fi
}
echo 'int pcs_b(void) { return 1; }' >"$work/run/b.c"
echo 'int pcs_a(void) { return pcs_b(); }' >"$work/base/x.c"
refuses "base calling run without an include"
rm "$work/run/b.c"
"$root/tools/check-layers" "$work"
printf 'int pcs_a(void)\n{\n    return pcs_b();\n}\n' >"$work/base/x.c"
printf 'int pcs_b(void)\n{\n    return pcs_a();\n}\n' >"$work/base/y.c"
refuses "a circle of two files"
