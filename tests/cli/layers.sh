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
