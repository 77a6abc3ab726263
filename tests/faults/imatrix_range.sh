#!/bin/sh
# imatrix_range.sh PRECIS SOURCE: an importance matrix whose sums pass what its reader takes is refused where it is
# made, by the name of the tensor, and nothing is written; just below, what is written is read.
. "$2/tests/common.sh"

head -c 2000 "$root/docs/architecture.md" >"$work/text"
scaled() { python3 "$root/tests/faults/change.py" "$model" "$work/m$1" times:model.layers.0.input_layernorm.weight:$1; }
scaled 63 # 1e19: its squares are 1e38
scaled 40
for name in i.gguf i.dat; do
    rm -f "$work/$name"
    expect 3 "$precis" profile "$work/m63" --calib "$work/text" --tokens 64 -o "$work/$name"
    has err "tensor blk.0.attn_[qkv].weight: squares of what it reads in channel [0-9]* add up to"
    [ ! -e "$work/$name" ] || { echo "$name was written"; failed=1; }
    expect 0 "$precis" profile "$work/m40" --calib "$work/text" --tokens 64 -o "$work/$name"
    expect 0 "$precis" quant "$work/m40" --type Q4_0 --imatrix "$work/$name" --no-eval -o "$work/q.gguf" -q
done
expect 3 "$precis" quant "$work/m63" --type Q4_0 --calib "$work/text" --no-eval -o "$work/none.gguf"
has err "tensor blk.0.attn_[qkv].weight: squares of what it reads"
[ ! -e "$work/none.gguf" ] || { echo "none.gguf was written"; failed=1; }
exit $failed
