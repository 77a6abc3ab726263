#!/bin/sh
# f16_range.sh PRECIS SOURCE: where F16 stands in for a type and ends before a tensor's numbers, BF16 is taken and
# listed; where F16 was asked for, the message names BF16. Rows of 752 are no whole blocks of 32,
# and down_proj of layer 2 reaches 3e5.
. "$2/tests/common.sh"

python3 "$root/tests/faults/change.py" "$model" "$work/m" cut:752 \
    times:model.layers.2.mlp.down_proj.weight:21 times:model.layers.2.mlp.up_proj.weight:-21
big=blk.2.ffn_down.weight
quant() { code=$1; shift; expect $code "$precis" quant "$work/m" --no-calib --no-eval -o "$work/q.precis.gguf" "$@"; }
typed() { # typed TENSOR TYPE in what was written
    "$precis" inspect "$work/q.precis.gguf" --json >"$work/out"
    json "[t['type'] for t in j['tensors'] if t['name'] == '$1'] == ['$2']"
}
for type in Q4_0 Q4_K_M; do
    quant 0 --type $type
    has out "1 take BF16 instead of"
    has err "1 tensor takes a substitute, because a number of its is too large"
    typed $big BF16
    typed blk.1.ffn_down.weight F16
done
quant 0 --bpw 5 --pin "$big=Q4_0" -q
typed $big BF16
quant 0 --type W4A16 -q # its weights have scales in F16, and reach 7 times as far
expect 0 "$precis" run "$work/q.precis.gguf" -p 'It was' -n 2 -q
quant 3 --type F16 -q
has err "$big: its largest number.* too large for F16; BF16 holds it"
quant 3 --type "$big=F16,*=Q8_0" -q
has err "BF16 holds it"
quant 0 --type "$big=BF16,*=Q8_0" -q
quant 2 --type Q4_0 --strict -q
# one number of a tensor, wherever it stands in its row
for column in 17 735 751; do
    rm -rf "$work/m"
    python3 "$root/tests/faults/change.py" "$model" "$work/m" cut:752 \
        huge:model.layers.2.mlp.down_proj.weight:$((3 * 752 + column))
    quant 0 --type Q4_0 -q
    typed $big BF16
done
exit $failed
