#!/bin/sh
# The CNN example: each node's SQNR is there, and that of an int8 net (20 to 70 dB); the input is exact.
set -eu
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$1" >"$out"
for node in picture norm relu pool linear; do
    awk -v node=$node '$1 == node { found = 1; unit = $NF; db = $(NF - 1) }
        END { exit !(found && (unit == "exact" || (unit == "dB" && db > 20 && db < 70))) }' "$out" || { cat "$out"; echo "node $node is not there, or out of range"; exit 1; }
done
grep -q ' dB$' "$out"
