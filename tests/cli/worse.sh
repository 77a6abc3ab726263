#!/bin/sh
# What would make a model worse for nothing is not done: codes that would gain no bytes stay exact, and a text that is in
# loops is not what a model is calibrated on. What a job predicts, and how long it takes, is said.
# usage: worse.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
python3 "$root/tests/cli/narrow.py" "$work/narrow"
python3 "$root/tests/cli/narrow.py" "$work/loops" loops

# types NAME: "name type" of each tensor of a model
types() { "$precis" inspect "$1" --json | python3 -c "import json, sys
for t in json.load(sys.stdin)['tensors']: print(t['name'], t['type'])"; }
raw() { "$precis" inspect "$work/$1" --tensor blk.0.ffn_up.weight -o "$work/$1.raw" -q >/dev/null && cat "$work/$1.raw"; }

expect 0 "$precis" quant "$work/narrow" --type Q4_0 -o "$work/q4.gguf" --no-calib --no-eval
lacks err "stay as they are"
for type in Q4_1 Q8_0 IQ4_NL; do # as many bytes, or more
    expect 0 "$precis" quant "$work/q4.gguf" --type $type -o "$work/again.gguf" --no-calib --no-eval
    has err "quantized already: [0-9]* of its [0-9]* coded tensors stay as they are, exact"
    [ "$(types "$work/again.gguf")" = "$(types "$work/q4.gguf")" ] || { echo "$type: other types"; failed=1; }
    raw q4.gguf >"$work/a" && raw again.gguf >"$work/b" && cmp -s "$work/a" "$work/b" || { echo "$type: other numbers"; failed=1; }
done
# fewer bytes are what was asked for; a table by patterns says what it wants
expect 0 "$precis" quant "$work/narrow" --type Q8_0 -o "$work/q8.gguf" --no-calib --no-eval
expect 0 "$precis" quant "$work/q8.gguf" --type Q4_0 -o "$work/less.gguf" --no-calib --no-eval
types "$work/less.gguf" | grep -q "blk.0.ffn_up.weight Q4_0" || { echo "Q8_0 is not made Q4_0"; failed=1; }
expect 0 "$precis" quant "$work/q4.gguf" --type '*ffn_up*=Q8_0' -o "$work/table.gguf" --no-calib --no-eval
has err "REQUANTIZING: [1-9][0-9]* tensors\? \(is\|are\) quantized already (Q4_0); that"
expect 0 "$precis" quant "$work/q4.gguf" --type 'blk.0.ffn_up.weight=Q8_0' -o "$work/one.gguf" --no-calib --no-eval
has err "REQUANTIZING: 1 tensor is quantized already (Q4_0); that"
types "$work/table.gguf" | grep -q "blk.0.ffn_up.weight Q8_0" || { echo "a table is not kept to"; failed=1; }
# under a budget, only tensors that make room change
expect 0 "$precis" quant "$work/narrow" --type '*ffn*=Q4_0,*attn*=Q4_0' -o "$work/part.gguf" --no-calib --no-eval
expect 0 "$precis" quant "$work/part.gguf" --max-size 90% -o "$work/budget.gguf" --no-eval
has err "coded tensors stay as they are, exact"
types "$work/budget.gguf" | grep "blk.0" | grep "weight" >"$work/b"
types "$work/part.gguf" | grep "blk.0" | grep "weight" >"$work/a"
cmp -s "$work/a" "$work/b" || { echo "codes were rounded again:"; diff "$work/a" "$work/b"; failed=1; }

# seconds, beforehand and after
has err "this takes about .* (.*quantizing"
has err "it took .* (.*quantizing"

# a sample in loops is told, before anything is made of it
expect 2 "$precis" quant "$work/loops" --max-size 35% -o "$work/loops.gguf" --no-eval
has err "repeats itself in [0-9]* % of its places: give --calib FILE"
[ ! -e "$work/loops.gguf" ] || { echo "it was used all the same"; failed=1; }
expect 2 "$precis" profile "$work/loops" -o "$work/loops.imatrix.gguf"
expect 0 "$precis" quant "$work/loops" --max-size 35% -o "$work/loops.gguf" --no-eval --no-calib

echo "$n commands"
exit $failed
