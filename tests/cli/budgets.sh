#!/bin/sh
# Budgets that can't be met, or that need nothing, are refused at once, with the reason and what would do.
# usage: budgets.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

refuse() { # refuse CODE TEXT COMMAND...: nothing was measured, which takes far longer than a line of progress
    want=$1 text=$2
    shift 2
    expect "$want" "$precis" "$@"
    has err "$text"
    lacks err "calibrate\|measure\|profile"
}
for how in "quant $model --dry-run" "plan $model"; do
    # shellcheck disable=SC2086
    refuse 2 "did you mean 75% of the input, or 75M" $how --max-size 75
    # shellcheck disable=SC2086
    refuse 2 "nothing needs to be done: .* the input has 14.7 MB" $how --max-size 500%
    # shellcheck disable=SC2086
    refuse 2 "nothing needs to be done: 30 bits" $how --bpw 30
    for budget in "--bpw 0.5" "--max-size 1M" "--max-size 5%"; do
        # shellcheck disable=SC2086
        refuse 1 "the least feasible is [0-9]* bytes .* nearest that would do" $how $budget
        sed 's/.*least feasible is \([0-9]*\) bytes.*/\1/' "$work/err" >>"$work/figures"
    done
done

# a divergence that is no number, that nobody can mean, or that nothing would tell of
for kld in 0 -0.1 nan inf 1e300 1e-300 x; do
    refuse 2 "is no number from" quant "$model" --dry-run --max-kld $kld
    refuse 2 "is no number from" plan "$model" --max-kld $kld
done
for how in "--effort fast" --no-calib "--mem-limit 1G"; do
    # shellcheck disable=SC2086
    expect 2 "$precis" quant "$model" --dry-run --max-kld 0.01 $how
    has err "a KL divergence is promised from what each tensor costs, and"
    lacks err "done in"
done
refuse 2 "give one of" quant "$model" --dry-run --max-kld 0.01 --bpw 4
# windows of two tokens tell of no tensor; that is no loss of 0
expect 3 "$precis" quant "$model" --dry-run --max-kld 0.01 --types Q2_K,Q4_K --calib-tokens 64
has err "the calibration text has too few tokens in one piece"
# the smallest that keeps it: 3 % fewer bytes do not
expect 0 "$precis" quant "$model" -o "$work/kld.gguf" --max-kld 0.005 --types Q2_K,Q4_K --calib-tokens 256 --no-eval --json -q
cp "$work/out" "$work/kld.json"
expect 0 "$precis" quant "$model" --dry-run --max-size "$(python3 -c "print(int($(wc -c <"$work/kld.gguf") * 0.97))")" \
    --types Q2_K,Q4_K --calib-tokens 256 --json -q
python3 - "$work/kld.json" "$work/out" "$work/kld.gguf" <<'P' || failed=1
import json, os, sys
kept, less = (json.load(open(p)) for p in sys.argv[1:3])
for j, inside in (kept, True), (less, False):
    low, high = j["predicted"]["interval"]
    assert low <= j["predicted"]["kld"] <= high, j["predicted"]
    assert (high <= 0.005) is inside, (j["predicted"], j["bytes"])
assert kept["bytes"] == os.path.getsize(sys.argv[3])
P

refuse 1 "no plan runs in 4.0 MB .* buffers .*--target-ram [0-9]* .*nearest that would do" plan "$model" --target-ram 4M
# the input as it is, with its cache: the same bytes that a plan would count, one byte more than which needs nothing
refuse 2 "nothing needs to be done: 400.0 MB of memory .* runs in [0-9.]* MB, cache (f16)" plan "$model" --target-ram 400M
refuse 2 "nothing needs to be done: .* cache (int8)" plan "$model" --target-ram 75G --kv int8
refuse 1 "no plan fits in 1.0 MB" plan "$model" --target-ram 400M --max-size 1M # two budgets: the other one counts
python3 "$root/tests/cli/narrow.py" "$work/small" 96 160
expect 2 "$precis" plan "$work/small" --target-ram 1G --json
runs=$(python3 -c "import json, re, sys; print(re.search(r'runs in ([0-9.]*) MB', json.load(open(sys.argv[1]))['error']['message']).group(1))" "$work/out")
expect 0 "$precis" plan "$work/small" --target-ram "$(python3 -c "print(int(($runs - 0.1) * 1e6))")" -q
expect 2 "$precis" plan "$work/small" --target-ram "$(python3 -c "print(int(($runs + 0.1) * 1e6))")" -q
[ "$(sort -u "$work/figures" | wc -l)" = 1 ] || { echo "least sizes differ: $(sort -u "$work/figures")"; failed=1; }

# rows that types with blocks of 256 do not divide are the reason that is given
python3 "$root/tests/cli/narrow.py" "$work/narrow" 96 160
refuse 1 "rows of 96 (in [0-9]* tensors) are no whole blocks of 256" quant "$work/narrow" --max-size 20k --dry-run

echo "$n commands"
exit $failed
