#!/bin/sh
# bench/default prints its table: one level, one budget, two windows, no peer.
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
expect 1 "$root/bench/default" "$precis" "$work/none" --levels fast --bits 4
echo "$n commands"
exit $failed
