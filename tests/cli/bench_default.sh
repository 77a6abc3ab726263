#!/bin/sh
# bench/default prints its table: one level, one budget, two windows, no peer; a default plan loses what it said.
# usage: bench_default.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
expect 0 "$root/bench/default" "$precis" "$model" --levels fast --bits 4 --chunks 2 --work "$work/bench"
python3 - "$work/out" <<'P' || failed=1
import sys
rows = [[c.strip() for c in line.strip("| \n").split("|")] for line in open(sys.argv[1]) if line.startswith("| 4 bits")]
assert len(rows) == 1, rows
budget, size, peer, level, kld, ratio, predicted, again, processor, clock, said = rows[0]
assert (budget, peer, level, ratio) == ("4 bits", "-", "fast", "-"), rows
assert 3e6 < int(size) < 4e6 and 0 < float(kld.split()[0]) < 0.1, rows
assert float(clock) >= 0 and float(said) >= 0 and float(processor) >= 0, rows
P
# At few bits plans spend where it gains: what types at random lose says nothing about them (0.051, predicted 0.021 to 0.042).
expect 0 "$root/bench/default" "$precis" "$model" --levels normal --bits 2.75 --chunks 4 --seed 1 --work "$work/bench"
python3 - "$work/out" <<'P' || failed=1
import re, sys
row = [c.strip() for line in open(sys.argv[1]) if line.startswith("| 2.75 bits") for c in line.strip("| \n").split("|")]
low, high = map(float, re.search(r"\((\S+) to (\S+)\)", row[6]).groups())
assert low <= float(row[7]) <= high, row
P
expect 1 "$root/bench/default" "$precis" "$work/none" --levels fast --bits 4
echo "$n commands"
exit $failed
