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
# sizes: files of at most 600 lines
wc -l $(find "$root/src" "$root/cli" "$root/include" -name '*.[ch]') | awk '$2 != "total" && $1 > 600 { print $2 " has " $1 " lines"; bad = 1 } END { exit bad }'
